"""From rows of the design to results: inputs into kernel arrays, the kernels through all winters, results named.

A row depends on the study and its index alone. Rows are computed `kernels.LANES` at a time; a short group is filled
up with copies of its last row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import LANES, weather
from kernels.carbon import CarbonAccount, electricity_factor
from kernels.coaxial import Fluid, Pipes, friction_pressure_drop, thermal_resistances
from kernels.ground import HOURLY, rectangular_field
from kernels.operation import (
    GRAVITY,
    HOUR,
    Plant,
    Season,
    Wells,
    heating_season,
    prepare_steps,
    summer_rest,
    undisturbed_state,
)
from kernels.well import Column, share_cells
from study.config import Study, building_problem, geometry_problem, supply_problem
from study.errors import ConfigError
from study.sampling import sample_inputs

Array = NDArray[np.float64]
Inputs = dict[str, Array]

CELLS = 16
"""Cells along a well in a study; `docs/physics.md` shows what their number costs."""

RESTS = 2
"""Steps of a summer (`kernels.operation.summer_rest`)."""

OK, INPUT_OUT_OF_RANGE, NOT_FINITE, ENERGY_IMBALANCE = range(4)
LARGEST_IMBALANCE = 1e-9


@dataclass(frozen=True)
class Results:
    """What some rows of a study came to.

    Attributes
    ----------
    values
        Variables of `study.ensemble.VARIABLES`, (row,) or (row, winter), and the uncertain inputs by key, (row,).
    reasons
        For each failed row its place among the rows, and why.
    """

    values: dict[str, NDArray[np.generic]]
    reasons: dict[int, str]


def simulate(study: Study, rows: NDArray[np.int64]) -> Results:
    """Compute some rows of a study.

    Parameters
    ----------
    rows
        Indices in the design, (row,).
    """
    inputs = sample_inputs(study, rows)
    reasons = screen(study, inputs)
    groups = []
    with np.errstate(all="ignore"):  # rows with impossible inputs become NaN, and say so
        for start in range(0, len(rows), LANES):
            lanes = np.minimum(np.arange(start, start + LANES), len(rows) - 1)
            group = _simulate_lanes(study, rows[lanes], {key: value[lanes] for key, value in inputs.items()})
            groups.append({name: value[: len(rows) - start] for name, value in group.items()})
    values: dict[str, NDArray[np.generic]] = {name: np.concatenate([g[name] for g in groups]) for name in groups[0]}
    status = np.full(len(rows), OK, dtype=np.int8)
    for row in range(len(rows)):
        unfit = [name for name, value in values.items() if not np.isfinite(value[row]).all()]
        if row in reasons:
            status[row] = INPUT_OUT_OF_RANGE
        elif unfit:
            status[row], reasons[row] = NOT_FINITE, f"{unfit[0]} is not a finite number"
        elif (imbalance := float(values["energy_imbalance"][row])) > LARGEST_IMBALANCE:
            status[row], reasons[row] = ENERGY_IMBALANCE, f"energy is not conserved, off by {imbalance:.1e}"
        if status[row] != OK:
            for value in values.values():
                value[row] = np.nan
    return Results({**values, **{key: inputs[key] for key in study.uncertain}, "status": status}, reasons)


def refuse_hopeless(study: Study) -> None:
    """Raise ConfigError when the study's own numbers make all of its first samples fail, before any is computed."""
    rows = np.arange(min(study.samples, LANES))
    reasons = screen(study, sample_inputs(study, rows))
    if len(reasons) == len(rows):
        raise ConfigError(f"study {study.name!r}: every sample would fail; the first one: {reasons[0]}")


def screen(study: Study, inputs: Inputs) -> dict[int, str]:
    """Rows whose inputs contradict each other or leave what is allowed, and why."""
    reasons: dict[int, str] = {}
    for key, item in study.uncertain.items():
        for row in np.flatnonzero(~item.check(inputs[key])).tolist():
            reasons.setdefault(row, f"{key} = {inputs[key][row]:.6g} {item.unit}; allowed: {item.range}")
    names = ("design_outdoor_temperature", "balance_temperature", "indoor_temperature")
    supply = ("supply_temperature_design", "supply_temperature_mild")
    for section, problems in (
        ("well", geometry_problem(**_pipe_sizes(inputs))),
        ("building", building_problem(**{name: inputs[f"building.{name}"] for name in names})),
        ("heat_pump", supply_problem(**{name: inputs[f"heat_pump.{name}"] for name in supply})),
    ):
        for row, problem in enumerate(problems):
            if problem:
                reasons.setdefault(row, f"{section}: {problem}")
    per_second = _fourier_rate(study, inputs)
    shortest, longest = HOURLY.fourier_number[[0, -1]] / [3.0, 1.0]  # below the fit the error grows slowly
    fits = (per_second * HOUR >= shortest) & (per_second * study.winters * 8760 * HOUR <= longest)
    for row in np.flatnonzero(~fits.all(axis=0)).tolist():
        reasons.setdefault(
            row, "well.borehole_diameter: too wide for hourly steps in this rock, or too narrow for this life"
        )
    thickness = _layer_thickness(study, inputs)
    for row in np.flatnonzero(~(thickness[-1] > 0)).tolist():
        reasons.setdefault(row, "rock.layers: the layers above the last reach below the well")
    return reasons


def _pipe_sizes(inputs: Inputs) -> Inputs:
    return {
        "borehole_diameter": inputs["well.borehole_diameter"],
        "casing_outer_diameter": inputs["well.casing.outer_diameter"],
        "casing_wall": inputs["well.casing.wall"],
        "inner_pipe_outer_diameter": inputs["well.inner_pipe.outer_diameter"],
        "inner_pipe_wall": inputs["well.inner_pipe.wall"],
    }


def _layer_thickness(study: Study, inputs: Inputs) -> Array:
    """Thickness of each layer of rock within the well's depth, m, (layer, lane)."""
    depth = inputs["well.depth"]
    upper = [inputs[f"rock.layers.{n}.thickness"] for n in range(len(study.rock.layers or [None]) - 1)]
    return np.stack([*upper, depth - sum(upper, np.zeros_like(depth))])


def _layer_property(study: Study, inputs: Inputs, name: str, whole: str) -> Array:
    """A property of each layer, (layer, lane): the layer's own, or else that of the whole rock."""
    count = len(study.rock.layers or [None])
    return np.stack([inputs.get(f"rock.layers.{n}.{name}", inputs[whole]) for n in range(count)])


def _fourier_rate(study: Study, inputs: Inputs) -> Array:
    """Diffusivity of each layer over the square of the borehole's radius, 1/s, (layer, lane)."""
    conductivity = _layer_property(study, inputs, "conductivity", "rock.conductivity")
    heat_capacity = _layer_property(study, inputs, "volumetric_heat_capacity", "rock.volumetric_heat_capacity") * 1e6
    return conductivity / heat_capacity / (inputs["well.borehole_diameter"] / 2) ** 2


def _wells(study: Study, inputs: Inputs, cells: NDArray[np.int64]) -> Wells:
    flow_rate = inputs["well.flow_rate"] / HOUR
    fluid = Fluid(*(inputs[f"fluid.{name}"] for name in ("density", "heat_capacity", "conductivity", "viscosity")))
    pipes = Pipes.of_sizes(
        **_pipe_sizes(inputs),
        inner_pipe_conductivity=inputs["well.inner_pipe.conductivity"],
        casing_conductivity=inputs["well.casing.conductivity"],
        grout_conductivity=inputs["well.grout.conductivity"],
    )
    annulus_wall, annulus_inner = thermal_resistances(flow_rate, pipes, fluid)
    per_volume = fluid.density * fluid.heat_capacity
    channels = [per_volume * pipes.annulus_area, per_volume * pipes.inner_area]
    down, up = channels if study.well.flow_direction == "annulus_down" else channels[::-1]

    gradient = _layer_property(study, inputs, "geothermal_gradient", "geothermal_gradient") / 1e3
    column = Column.cut(_layer_thickness(study, inputs), gradient, inputs["surface_temperature"], cells)
    distance, count = rectangular_field(study.field.rows, study.field.columns)
    ratio = inputs["field.spacing"] / pipes.borehole_radius
    neighbours = np.stack([HOURLY.neighbours(distance * each, count) for each in ratio], axis=-1)
    lane = np.ones_like(flow_rate)
    return Wells(
        number=lane * study.field.rows * study.field.columns,
        flow=per_volume * flow_rate,
        annulus_wall=annulus_wall,
        annulus_inner=annulus_inner,
        storage_down=down,
        storage_up=up,
        annulus_down=lane * (study.well.flow_direction == "annulus_down"),
        thickness=column.thickness,
        undisturbed=column.undisturbed,
        layer=column.layer,
        conductivity=_layer_property(study, inputs, "conductivity", "rock.conductivity"),
        fourier_rate=_fourier_rate(study, inputs),
        weight=HOURLY.cylinder[:, None] + neighbours,
        friction=friction_pressure_drop(flow_rate, inputs["well.depth"], pipes, fluid),
        buoyancy=GRAVITY * fluid.density * inputs["fluid.thermal_expansion"],
        pump_efficiency=inputs["circulation.pump_efficiency"],
        volume_flow=flow_rate,
    )


def _capacity(inputs: Inputs, section: str) -> Array:
    """Heating capacity, W: as given, or a share of the design load (that of the building, whatever the winters ask)."""
    if f"{section}.share_of_design_load" in inputs:
        share = inputs[f"{section}.share_of_design_load"]
        return share * inputs["building.design_load"] * inputs["building.floor_area"]
    return inputs.get(f"{section}.capacity", np.zeros_like(inputs["winter_load"])) * 1e6


def _plant(inputs: Inputs) -> Plant:
    design_load = inputs["winter_load"] * inputs["building.design_load"] * inputs["building.floor_area"]
    design_outdoor, balance = inputs["building.design_outdoor_temperature"], inputs["building.balance_temperature"]
    return Plant(
        design_load=design_load,
        design_outdoor=design_outdoor,
        balance=balance,
        supply_design=inputs["heat_pump.supply_temperature_design"],
        supply_mild=inputs["heat_pump.supply_temperature_mild"],
        conductance=design_load / (balance - design_outdoor),
        persistence=np.exp(-1.0 / inputs["building.time_constant"]),
        capacity=_capacity(inputs, "heat_pump"),
        efficiency=inputs["heat_pump.second_law_efficiency"],
        maximum_cop=inputs["heat_pump.maximum_cop"],
        minimum_inlet=inputs["heat_pump.minimum_inlet_temperature"],
        peak_capacity=_capacity(inputs, "peak_heating"),
        transport_factor=inputs["circulation.transport_factor"],
    )


def _climate(study: Study) -> weather.Season:
    climate = study.climate
    return weather.season(
        monthly_temperature=np.array(climate.monthly_temperature),
        daily_standard_deviation=np.array(climate.daily_standard_deviation),
        diurnal_range=np.array(climate.diurnal_range),
        diurnal_variability=climate.diurnal_variability,
        persistence=climate.persistence,
        cold_skewness=climate.cold_skewness,
        first_day=study.season.first_day,
        days=study.season.days,
    )


def _cells(study: Study) -> NDArray[np.int64]:
    """Cells of each layer of rock: the same for all rows, shared out where every input has its median."""
    median = {
        key: item.quantile(np.array([0.5])) if item.uncertain else np.array([item.value])
        for key, item in study.inputs.items()
    }
    return share_cells(np.maximum(_layer_thickness(study, median)[:, 0], 0.0), CELLS)


def _simulate_lanes(study: Study, rows: NDArray[np.int64], inputs: Inputs) -> dict[str, Array]:
    wells, plant = _wells(study, inputs, _cells(study)), _plant(inputs)
    hours = 24 * study.season.days
    rest = (8760 - hours) * HOUR
    of_winters, of_days = weather.innovations(study.seed, rows, winters=study.winters, days=study.season.days)
    offsets = weather.winter_offsets(
        of_winters,
        season_standard_deviation=inputs["climate.season_standard_deviation"],
        mean_offset=inputs["climate.mean_offset"],
        warming=inputs["climate.warming"],
    )
    climate = _climate(study)
    hourly, resting = prepare_steps(wells, HOUR), prepare_steps(wells, max(rest / RESTS, HOUR))
    state = undisturbed_state(wells)
    seasons: list[Season] = []
    water = [_heat_in_water(wells, state.down, state.up)]
    rock = np.zeros(len(rows))
    for winter in range(study.winters):
        outdoor = weather.winter_temperatures(climate, of_days[winter : winter + 1], offsets[winter : winter + 1])[0]
        seasons.append(heating_season(state, wells, hourly, plant, outdoor))
        rock += seasons[-1].rock_heat
        for _ in range(RESTS if rest > 0 else 0):
            rock += summer_rest(state, wells, resting) * rest / RESTS / HOUR
    water.append(_heat_in_water(wells, state.down, state.up))
    season = Season(*(np.stack(values) for values in zip(*seasons, strict=True)))
    stored = water[1] - water[0]
    gross = season.rock_heat_gross.sum(axis=0) + np.abs(water[0])
    imbalance = np.abs(rock - season.heat_extracted.sum(axis=0) - stored) / gross
    return {"energy_imbalance": imbalance} | {
        name: np.ascontiguousarray(value.T) for name, value in _outputs(study, inputs, season, hours).items()
    }


def _heat_in_water(wells: Wells, down: Array, up: Array) -> Array:
    """Heat in the water of all wells, above 0 °C, Wh, (lane,)."""
    per_length = wells.storage_down * down + wells.storage_up * up
    return wells.number * (wells.thickness * per_length).sum(axis=0) / HOUR


def _outputs(study: Study, inputs: Inputs, season: Season, hours: int) -> Inputs:
    """The ensemble's variables, (winter, lane)."""
    megawatt_hour = 1e-6
    demand, unmet = season.heat_demand * megawatt_hour, season.heat_unmet * megawatt_hour
    delivered = (season.heat_pump_heat + season.heat_backup) * megawatt_hour
    backup = season.heat_backup * megawatt_hour
    compressor, circulation = season.compressor * megawatt_hour, season.circulation * megawatt_hour
    purchased = backup / inputs.get("peak_heating.efficiency", np.ones_like(demand[0]))
    electric = study.peak_heating.kind == "electric"
    electricity_backup = purchased if electric else np.zeros_like(purchased)
    electricity = compressor + circulation + electricity_backup
    grid = electricity_factor(inputs["carbon.electricity_factor"], inputs["carbon.electricity_decline"], study.winters)
    refrigerant = (
        _capacity(inputs, "heat_pump")
        * 1e-6
        * inputs["carbon.refrigerant_charge"]  # kg/kW = t/MW
        * inputs["carbon.refrigerant_leakage"]
        * inputs["carbon.refrigerant_warming_potential"]
    )
    embodied = study.field.rows * study.field.columns * inputs["carbon.embodied_per_well"] / inputs["carbon.lifetime"]
    account = CarbonAccount(
        baseline=delivered * 3.6 * inputs["carbon.baseline_factor"] / (1.0 - inputs["carbon.network_loss"]),
        electricity=electricity * grid * (1.0 - inputs["carbon.green_power_share"]),
        peak_fuel=(purchased - electricity_backup)
        * inputs.get("peak_heating.emission_factor", np.zeros_like(embodied)),
        refrigerant=np.broadcast_to(refrigerant, demand.shape).copy(),
        embodied=np.broadcast_to(embodied, demand.shape).copy(),
    )
    return {
        "carbon_reduction": account.reduction,
        "carbon_baseline": account.baseline,
        "carbon_electricity": account.electricity,
        "carbon_peak_fuel": account.peak_fuel,
        "carbon_refrigerant": account.refrigerant,
        "carbon_embodied": account.embodied,
        "grid_emission_factor": grid,
        "heat_demand": demand,
        "heat_delivered": delivered,
        "heat_unmet": unmet,
        "heat_backup": backup,
        "heat_extracted": season.heat_extracted * megawatt_hour,
        "electricity": electricity,
        "electricity_compressor": compressor,
        "electricity_circulation": circulation,
        "electricity_backup": electricity_backup,
        "unmet_hours": season.unmet_hours,
        "heating_reliability": np.where(demand > 0, np.minimum(delivered / demand, 1.0), 1.0),
        "indoor_temperature_min": inputs["building.indoor_temperature"] - season.shortfall_max,
        "inlet_temperature_min": season.inlet_min,
        "outlet_temperature_mean": season.outlet_sum / hours,
        "outdoor_temperature_mean": season.outdoor_sum / hours,
        "outdoor_temperature_min": season.outdoor_min,
    }
