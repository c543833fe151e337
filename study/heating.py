"""Building and plant of a study, from inputs by key to what the kernels take; powers in W, energies in Wh."""

import numpy as np
from numpy.typing import NDArray

from kernels import outages
from kernels.building import response, working_hours
from kernels.season import GROUPS, Heater, Plant
from study.config import Study
from study.own_power import OtherUse
from study.plant import Schedule
from study.wells import Inputs

Array = NDArray[np.float64]

NOVEMBER = 305
"""Day of the year from which weekdays are counted (`kernels.building.working_hours`)."""

TANK_HEAT = 1.163e3
"""Heat capacity of a tank's water, Wh/m³/K: 4.186 MJ/m³/K."""


def building_inputs(inputs: Inputs) -> dict[str, Array]:
    """Conductance (W/K, with the sampled winter load), balance temperature and all that `kernels.building` takes."""
    area, indoor = inputs["building.floor_area"], inputs["building.indoor_temperature"]
    return {
        "conductance": inputs["winter_load"] * area * _loss(inputs),
        "balance": balance_temperature(inputs),
        "indoor": indoor,
        "ventilation_share": inputs["building.ventilation_share"],
        "setback": inputs.get("building.schedule.setback", np.zeros_like(area)),
        "reheat": inputs["building.reheat"] * room_load(inputs),
        "hot_water": inputs["building.domestic_hot_water"] * area,
    }


def balance_temperature(inputs: Inputs) -> Array:
    """Outdoor temperature at which no heat is needed, °C: as given, or what the gains make of it."""
    if "building.balance_temperature" in inputs:
        return inputs["building.balance_temperature"]
    gains, indoor = inputs["building.internal_gains"], inputs["building.indoor_temperature"]
    if "building.heat_loss_coefficient" in inputs:
        return indoor - gains / inputs["building.heat_loss_coefficient"]
    # design_load = UA (indoor - design outdoor) - gains
    outdoor = inputs["building.design_outdoor_temperature"]
    return indoor - gains * (indoor - outdoor) / (inputs["building.design_load"] + gains)


def _loss(inputs: Inputs) -> Array:
    """Heat loss coefficient by floor area, W/m²/K."""
    if "building.heat_loss_coefficient" in inputs:
        return inputs["building.heat_loss_coefficient"]
    return inputs["building.design_load"] / (
        balance_temperature(inputs) - inputs["building.design_outdoor_temperature"]
    )


def room_load(inputs: Inputs) -> Array:
    """Heat load of the rooms at the design temperature, W, whatever the winters ask."""
    below_balance = balance_temperature(inputs) - inputs["building.design_outdoor_temperature"]
    return _loss(inputs) * below_balance * inputs["building.floor_area"]


def design_load(inputs: Inputs) -> Array:
    """Heat load at the design temperature, hot water included, W."""
    return room_load(inputs) + inputs["building.domestic_hot_water"] * inputs["building.floor_area"]


def capacity(inputs: Inputs, section: str) -> Array:
    """Heating capacity, W: as given, or a share of the design load."""
    if f"{section}.share_of_design_load" in inputs:
        return inputs[f"{section}.share_of_design_load"] * design_load(inputs)
    return inputs.get(f"{section}.capacity", np.zeros_like(inputs["winter_load"])) * 1e6


def thermal_response(inputs: Inputs) -> Array:
    """What an hour without heat does to the building, `kernels.building.response`."""
    building = building_inputs(inputs)
    area = inputs["building.floor_area"]
    return response(
        conductance=building["conductance"],
        time_constant=inputs["building.time_constant"],
        fast_share=inputs.get("building.fast_capacity_share", np.ones_like(area)),
        mass_conductance=inputs.get("building.mass_conductance", np.zeros_like(area)) * area,
        ventilation_share=building["ventilation_share"],
    )


def occupied_hours(study: Study, winter: int) -> NDArray[np.uint8]:
    """Whether the building is in use, hour by hour of a winter, (hour,)."""
    schedule = study.building.schedule
    if schedule is None:
        return np.ones(24 * study.season.days, dtype=np.uint8)
    return hours_in_use(study, winter, schedule)


def hours_in_use(study: Study, winter: int, schedule: Schedule | OtherUse) -> NDArray[np.uint8]:
    """Working hours of a schedule, hour by hour of a winter, (hour,)."""
    return working_hours(
        winter=winter,
        hours=24 * study.season.days,
        first_day=(study.season.first_day - NOVEMBER + 182) % 365 - 182,
        working_days=schedule.working_days,
        start=int(schedule.start),
        end=int(schedule.end),
    )


def plant(study: Study, inputs: Inputs) -> Plant:
    """Plant of a group of rows."""
    ones, balance = np.ones_like(inputs["winter_load"]), balance_temperature(inputs)
    building = building_inputs(inputs)
    pump, tank = (_section(inputs, name) for name in ("heat_pump", "heat_storage"))
    return Plant(
        hot_water=building["hot_water"],
        indoor=building["indoor"],
        comfort=inputs["building.comfort_temperature"],
        reheat=building["reheat"],
        balance=balance,
        supply_mild=pump["supply_temperature_mild"],
        supply_rise=(pump["supply_temperature_design"] - pump["supply_temperature_mild"])
        / (balance - inputs["building.design_outdoor_temperature"]),
        unit_capacity=capacity(inputs, "heat_pump") / study.heat_pump.units,
        units=study.heat_pump.units * ones,
        source_slope=pump["capacity_source_slope"],
        rated_source=pump["rated_source_temperature"],
        supply_slope=pump["capacity_supply_slope"],
        rated_supply=pump["rated_supply_temperature"],
        degradation=pump["part_load_degradation"],
        efficiency=pump["second_law_efficiency"],
        maximum_cop=pump["maximum_cop"],
        minimum_inlet=pump["minimum_inlet_temperature"],
        tank_capacity=TANK_HEAT * tank["volume"] * tank["temperature_difference"] if tank else 0.0 * ones,
        tank_power=tank["power"] * 1e6 if tank else 0.0 * ones,
        tank_keep=np.exp(np.log1p(-tank["loss"]) / 24.0) if tank else ones,
        tank_first=ones * (study.heat_storage is not None and study.heat_storage.priority == "first"),
        transport=1.0 / inputs["circulation.transport_factor"],
        pumps=study.circulation.pumps * ones,
        pump_share=ones / study.circulation.pumps_needed,
    )


def _section(inputs: Inputs, name: str) -> Inputs:
    return {key.removeprefix(f"{name}."): value for key, value in inputs.items() if key.startswith(f"{name}.")}


def heater(study: Study, inputs: Inputs, section: str) -> Heater:
    """Peak or reserve heating of a group of rows, `kernels.plant.peak_heating`."""
    none = np.zeros_like(inputs["winter_load"])
    air, units = getattr(study, section).kind == "air_source", getattr(study, section).units or 1
    return Heater(
        unit_capacity=capacity(inputs, section) / units,
        units=none + units,
        slope=inputs.get(f"{section}.capacity_slope", none),
        rated_outdoor=inputs.get(f"{section}.rated_outdoor_temperature", none),
        lowest_outdoor=inputs.get(f"{section}.lowest_outdoor_temperature", none - np.inf),
        boiler_share=none if air else 1.0 / inputs.get(f"{section}.efficiency", none + 1.0),
        lift_share=1.0 / inputs[f"{section}.second_law_efficiency"] if air else none,
    )


def largest_unit_out_share(study: Study, inputs: Inputs) -> Array:
    """Installed heating capacity left when the largest unit is out, over the design load; tanks do not count.

    Heat pumps count with their rated capacity, air-source ones with that at the design outdoor temperature.
    """
    total, largest = np.zeros((2, *inputs["winter_load"].shape))
    outdoor = inputs["building.design_outdoor_temperature"]
    heaters = [heater(study, inputs, section) for section in ("peak_heating", "reserve_heating")]
    sizes = [(capacity(inputs, "heat_pump"), np.array(float(study.heat_pump.units)))]
    for each in heaters:
        warmth = np.maximum(0.0, 1.0 + each.slope * (outdoor - each.rated_outdoor))
        sizes.append(
            (np.where(outdoor >= each.lowest_outdoor, each.unit_capacity * each.units * warmth, 0.0), each.units)
        )
    for size, units in sizes:
        total += size
        largest = np.maximum(largest, size / units)
    return (total - largest) / design_load(inputs)


def working_units(study: Study, inputs: Inputs, rows: NDArray[np.int64], winter: int) -> NDArray[np.int16]:
    """Units of each kind at work, (group, hour, lane), or (group, 1, lane) where none ever fails."""
    numbers = (
        len(study.field.places),
        study.circulation.pumps,
        study.heat_pump.units,
        study.peak_heating.units or 1,
        study.reserve_heating.units or 1,
    )
    sections = ("wells", "pumps", "heat_pumps", "peak_heating", "reserve_heating")
    fail = [getattr(study.outages, section) is not None for section in sections]
    working = np.empty((GROUPS, 24 * study.season.days if any(fail) else 1, len(rows)), dtype=np.int16)
    for group, (number, section, fails) in enumerate(zip(numbers, sections, fail, strict=True)):
        working[group] = number
        if fails:
            outages.working_units(
                np.uint64(study.seed),
                rows,
                winter,
                group,
                np.full(len(rows), number),
                inputs[f"outages.{section}.time_to_failure"],
                inputs[f"outages.{section}.time_to_repair"],
                study.outages.summer_maintenance,
                working[group],
            )
    return working
