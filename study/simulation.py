"""From rows of the design to results: inputs into kernel arrays, the kernels through all winters, results named.

A row depends on the study and its index alone. Rows are computed `kernels.LANES` at a time; a short group is filled
up with copies of its last row.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import LANES, weather
from kernels.carbon import CarbonAccount, electricity_factor
from kernels.field import Interaction
from kernels.ground import HOUR, HOURLY, YEAR
from kernels.operation import (
    Plant,
    Steps,
    Wells,
    heating_season,
    mean_cooling,
    prepare_steps,
    summer_rest,
    undisturbed_state,
)
from kernels.pipes import GRAVITY
from kernels.season import Season
from kernels.well import share_cells
from study.config import Study, building_problem, geometry_problem, supply_problem
from study.errors import ConfigError
from study.fluid import flow_problem, flow_warnings, fluid_problem, freezing_point
from study.sampling import sample_inputs
from study.wells import (
    FIRST_GUESS,
    Inputs,
    Stretches,
    WellArrays,
    friction,
    hydraulics,
    pipe_sizes,
    segments,
    transfer_units,
    with_fluid,
)

Array = NDArray[np.float64]

CELLS, MOST_CELLS, UNITS_PER_CELL = 3, 100, 1.5
"""Cells along a well in a study, two nodes each: at least, at most, and one for so many transfer units.

`docs/physics.md` shows what their number costs.
"""

COLDEST_AFTER = 30.0 * YEAR
"""The coldest well is the one that its neighbours cool most by then, s."""

FLUID_TEMPERATURE = "temperature of the fluid's properties"

RESTS = 2
"""Steps of a summer (`kernels.operation.summer_rest`)."""

OK, INPUT_OUT_OF_RANGE, NOT_FINITE, ENERGY_IMBALANCE = range(4)
LARGEST_IMBALANCE = 1e-9

LARGEST_FRICTION = 20e6
"""Pressure drop above which pumping makes no sense, Pa: some ten times that of a common well."""


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
    _judge_fluid(study, inputs, values.pop(FLUID_TEMPERATURE), values["inlet_temperature_min"], reasons)
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


def _judge_fluid(
    study: Study, inputs: Inputs, temperature: NDArray[np.generic], inlet: NDArray[np.generic], reasons: dict[int, str]
) -> None:
    """Add to `reasons` rows in which nothing is known of a medium at its loop's temperature, or in which it freezes."""
    medium = study.fluid.medium
    if medium is None:
        return
    fraction = inputs.get("fluid.mass_fraction", np.zeros(len(temperature)))
    for row, problem in enumerate(fluid_problem(medium, temperature=temperature, mass_fraction=fraction)):
        if problem:
            reasons.setdefault(row, f"fluid: at a mean of {temperature[row]:.1f} degC in the loop: {problem}")
    coldest, freezing = inlet.min(axis=1), freezing_point(medium, mass_fraction=fraction)
    for row in np.flatnonzero(coldest <= freezing).tolist():
        reasons.setdefault(row, f"fluid: freezes at {freezing[row]:.1f} degC; the wells get {coldest[row]:.1f} degC")


def warnings(study: Study) -> list[str]:
    """What is weak about the flow in the wells, and in how many of the first samples."""
    rows = np.arange(min(study.samples, 1024))
    inputs = sample_inputs(study, rows)
    with np.errstate(all="ignore"):
        known = with_fluid(inputs, study.fluid.medium, np.full(len(rows), FIRST_GUESS))
        found = flow_warnings(*hydraulics(known))
    shares = {text: np.broadcast_to(weak, len(rows)).mean() for text, weak in found.items()}
    weak = [f"{share:.0%} of the samples: {text}" if share < 1 else text for text, share in shares.items() if share > 0]
    if reasons := screen(study, inputs):
        weak.append(f"{len(reasons)} of {len(rows):,} samples would fail; the first: {reasons[min(reasons)]}")
    return weak


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
        ("well", geometry_problem(**pipe_sizes(inputs))),
        ("building", building_problem(**{name: inputs[f"building.{name}"] for name in names})),
        ("heat_pump", supply_problem(**{name: inputs[f"heat_pump.{name}"] for name in supply})),
    ):
        for row, problem in enumerate(problems):
            if problem:
                reasons.setdefault(row, f"{section}: {problem}")
    if study.fluid.medium is not None:
        problem = functools.partial(
            fluid_problem, study.fluid.medium, mass_fraction=inputs.get("fluid.mass_fraction", 0.0)
        )
        lowest = inputs["heat_pump.minimum_inlet_temperature"]
        for what, temperature in (
            ("fluid", inputs.get("fluid.temperature", np.full(lowest.shape, np.nan))),
            ("heat_pump: at minimum_inlet_temperature the fluid's", lowest),
        ):
            for row, text in enumerate(problem(temperature=temperature)):
                if text:
                    reasons.setdefault(row, f"{what}: {text}" if what == "fluid" else f"{what} {text}")
    with np.errstate(all="ignore"):
        known = with_fluid(inputs, study.fluid.medium, np.full(len(inputs["well.depth"]), FIRST_GUESS))
        flow_rate, pipes, fluid = hydraulics(known)
        for row, text in enumerate(flow_problem(flow_rate, pipes, fluid)):
            if text:
                reasons.setdefault(row, f"well.flow_rate: {text}")
        for row, pressure in enumerate(friction(known, flow_rate, pipes, fluid)):
            if pressure > LARGEST_FRICTION:
                reasons.setdefault(
                    row,
                    f"well.flow_rate: {pressure / 1e6:.3g} MPa lost to friction; allowed: {LARGEST_FRICTION / 1e6:g}",
                )
    last_layer = Stretches.of_rock(inputs).ends[-1:].sum(axis=0)
    for row in np.flatnonzero(~(last_layer < inputs["well.depth"])).tolist():
        reasons.setdefault(row, "rock.layers: the layers above the last reach below the well")
    return reasons


@functools.lru_cache(maxsize=8)
def _interaction(places: tuple[tuple[float, float], ...]) -> Interaction:
    return Interaction.of(np.array(places))


def _by_segment(values: Array, shape: tuple[int, ...]) -> Array:
    """Modes of cases, (mode, case), as (segment, mode, lane)."""
    return np.ascontiguousarray(values.reshape(-1, *shape).swapaxes(0, 1))


def _interference(study: Study, inputs: Inputs, arrays: WellArrays) -> tuple[Array, Array]:
    """What neighbours add to the modes' weights, and the coldest well beyond that, m K/W, (segment, mode, lane)."""
    interaction = _interaction(study.field.places)
    spacing = inputs.get("field.spacing", np.ones(1))
    per_time = 4.0 * arrays.diffusivity / spacing**2
    per_flux = 1.0 / (2.0 * np.pi * arrays.conductivity)
    length = arrays.column.length * arrays.column.cells[:, None]
    coldest = (interaction.each(per_time * COLDEST_AFTER) * (length * per_flux)[..., None]).sum(axis=0).argmax(-1)
    four_alpha_t = np.multiply.outer(HOURLY.times, per_time)
    mean = interaction.mean(four_alpha_t)
    of_all, of_coldest = (
        _by_segment(HOURLY.of((response * per_flux).reshape(len(HOURLY.times), -1)), per_flux.shape)
        for response in (mean, interaction.one(four_alpha_t, coldest) - mean)
    )
    return of_all, of_coldest


def _wells(study: Study, inputs: Inputs, arrays: WellArrays, neighbours: Array) -> Wells:
    shape = arrays.conductivity.shape
    instant, own = HOURLY.own(arrays.surroundings)
    # hourly steps: the inner pipe's wall, with a time constant of minutes, goes with the water on its two sides
    channels = [
        arrays.annulus_storage + arrays.pipe_share * arrays.pipe_storage,
        arrays.inner_storage + (1.0 - arrays.pipe_share) * arrays.pipe_storage,
    ]
    annulus_down = study.well.flow_direction == "annulus_down"
    down, up = channels if annulus_down else channels[::-1]
    return Wells(
        column=arrays.column,
        number=np.full(shape[1], float(len(study.field.places))),
        flow=arrays.flow,
        annulus_inner=arrays.resistances.annulus_inner,
        storage_down=down,
        storage_up=up,
        annulus_down=annulus_down,
        instant=instant.reshape(shape),
        weight=_by_segment(own, shape) + neighbours,
        friction=friction(inputs, arrays.flow_rate, arrays.pipes, arrays.fluid),
        buoyancy=GRAVITY * arrays.fluid.density * inputs["fluid.thermal_expansion"],
        pump_efficiency=inputs["circulation.pump_efficiency"],
        volume_flow=arrays.flow_rate,
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
    """Cells of each segment: the same for all rows, shared out where every input has its median."""
    median = {
        key: item.quantile(np.array([0.5])) if item.uncertain else np.array([item.value])
        for key, item in study.inputs.items()
    }
    median = with_fluid(median, study.fluid.medium, np.array([FIRST_GUESS]))
    wanted = np.ceil(transfer_units(median)[0] / UNITS_PER_CELL)
    return share_cells(
        np.maximum(segments(median)[:, 0], 0.0), int(np.clip(np.nan_to_num(wanted, nan=CELLS), CELLS, MOST_CELLS))
    )


@dataclass(frozen=True)
class _Life:
    """What a group of lanes goes through: wells, plant, steps and winters."""

    wells: Wells
    neighbours: Array
    coldest: Array
    plant: Plant
    hourly: Steps
    resting: Steps

    @classmethod
    def of(cls, study: Study, inputs: Inputs, before: "_Life | None" = None) -> "_Life":
        """With `before`, the same lanes with another fluid: what their wells do to each other is not made again."""
        arrays = WellArrays.of(inputs, _cells(study))
        neighbours, coldest = (
            _interference(study, inputs, arrays) if before is None else (before.neighbours, before.coldest)
        )
        wells = _wells(study, inputs, arrays, neighbours)
        return cls(
            wells,
            neighbours,
            coldest,
            _plant(inputs),
            prepare_steps(wells, HOUR, daily=True),
            prepare_steps(wells, max(_rest(study) / RESTS, HOUR)),
        )


def _rest(study: Study) -> float:
    """Length of a summer, s."""
    return (8760 - 24 * study.season.days) * HOUR


def _simulate_lanes(study: Study, rows: NDArray[np.int64], inputs: Inputs) -> dict[str, Array]:
    of_winters, of_days = weather.innovations(study.seed, rows, winters=study.winters, days=study.season.days)
    offsets = weather.winter_offsets(
        of_winters,
        season_standard_deviation=inputs["climate.season_standard_deviation"],
        mean_offset=inputs["climate.mean_offset"],
        warming=inputs["climate.warming"],
    )
    climate = _climate(study)

    def outdoor(winter: int) -> Array:
        chosen = slice(winter, winter + 1)
        return weather.winter_temperatures(climate, of_days[chosen], offsets[chosen])[0]

    given, temperature = inputs, np.full(len(rows), FIRST_GUESS)
    inputs = with_fluid(given, study.fluid.medium, temperature)
    life = _Life.of(study, inputs)
    if study.fluid.medium is not None and study.fluid.temperature is None:
        first = heating_season(undisturbed_state(life.wells), life.wells, life.hourly, life.plant, outdoor(0))
        temperature = _loop_temperature(life.wells, first, len(outdoor(0)))
        inputs = with_fluid(given, study.fluid.medium, temperature)
        life = _Life.of(study, inputs, life)
    wells, rest = life.wells, _rest(study)
    state = undisturbed_state(wells)
    seasons: list[Season] = []
    cooling: list[list[Array]] = []
    water = [_heat_in_water(wells, state.down, state.up)]
    rock = np.zeros(len(rows))
    for winter in range(study.winters):
        seasons.append(heating_season(state, wells, life.hourly, life.plant, outdoor(winter)))
        rock += seasons[-1].rock_heat
        cooling.append([mean_cooling(state, wells, weight) for weight in (life.neighbours, life.coldest)])
        for _ in range(RESTS if rest > 0 else 0):
            rock += summer_rest(state, wells, life.resting) * rest / RESTS / HOUR
    water.append(_heat_in_water(wells, state.down, state.up))
    season = Season(*(np.stack(values) for values in zip(*seasons, strict=True)))
    stored = water[1] - water[0]
    gross = season.rock_heat_gross.sum(axis=0) + np.abs(water[0])
    imbalance = np.abs(rock - season.heat_extracted.sum(axis=0) - stored) / gross
    outputs = _outputs(study, inputs, season, 24 * study.season.days)
    of_neighbours, of_coldest = np.maximum(np.array(cooling), 0.0).swapaxes(0, 1)  # the fit of the modes may miss zero
    outputs |= {"thermal_interference": of_neighbours, "coldest_well_penalty": of_coldest}
    outputs["loop_temperature_mean"] = _loop_temperature(wells, season, 24 * study.season.days)
    return {"energy_imbalance": imbalance, FLUID_TEMPERATURE: inputs.get("fluid.temperature", temperature)} | {
        name: np.ascontiguousarray(value.T) for name, value in outputs.items()
    }


def _loop_temperature(wells: Wells, season: Season, hours: int) -> Array:
    """Mean of the water entering and leaving the wells over a season, °C, (…, lane)."""
    outlet = season.outlet_sum / hours
    return outlet - 0.5 * season.heat_extracted / (hours * wells.number * wells.flow)


def _heat_in_water(wells: Wells, down: Array, up: Array) -> Array:
    """Heat in the channels of all wells, above 0 °C, Wh, (lane,)."""
    at = np.repeat(wells.column.segment, 2)
    per_length = wells.storage_down[at] * down + wells.storage_up[at] * up
    return wells.number * (0.5 * wells.column.length[at] * per_length).sum(axis=0) / HOUR


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
    embodied = len(study.field.places) * inputs["carbon.embodied_per_well"] / inputs["carbon.lifetime"]
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
