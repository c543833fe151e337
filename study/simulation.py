"""From rows of the design to results: inputs into kernel arrays, the kernels through all winters, results named.

A row depends on the study and its index alone. Rows are computed `kernels.LANES` at a time; a short group is filled
up with copies of its last row.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import LANES, weather
from kernels.building import demand
from kernels.field import Interaction
from kernels.ground import HOUR, HOURLY, YEAR
from kernels.operation import (
    UNREAD,
    UNTRACED,
    Circuit,
    State,
    Steps,
    Wells,
    heating_season,
    mean_cooling,
    prepare_steps,
    summer_recharge,
    summer_rest,
    undisturbed_state,
)
from kernels.pipes import GRAVITY, thermal_resistances
from kernels.resampling import blocks_of_winters, whole_winters
from kernels.season import WIDTH, Season, Winter
from kernels.well import share_cells
from study.accounting import account
from study.config import CHANCE, Study, building_problem, geometry_problem, supply_problem
from study.costs import price
from study.errors import ConfigError
from study.fluid import flow_problem, flow_warnings, fluid_problem, freezing_point
from study.heating import (
    balance_temperature,
    building_inputs,
    heater,
    largest_unit_out_share,
    occupied_hours,
    plant,
    thermal_response,
    working_units,
)
from study.matching import Matching
from study.outputs import outputs
from study.sampling import sample_inputs
from study.series import Recorder
from study.tariff import TariffMeter
from study.traces import Traces
from study.variables import (
    ENERGY_IMBALANCE,
    INPUT_OUT_OF_RANGE,
    MONEY,
    NOT_FINITE,
    NUMERICAL_FAULT,
    OK,
    OPERATION,
    variables_of,
)
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
from study.winters import recorded_winters

Array = NDArray[np.float64]

CELLS, MOST_CELLS, UNITS_PER_CELL = 3, 100, 1.5
"""Cells along a well in a study, two nodes each: at least, at most, and one for so many transfer units.

`docs/physics.md` shows what their number costs.
"""

COLDEST_AFTER = 30.0 * YEAR
"""The coldest well is the one that its neighbours cool most by then, s."""

NUMERICAL = (ArithmeticError, ValueError, RuntimeError)
"""What numpy, scipy and compiled loops raise over numbers (no root, no solution, no convergence): a failed row."""

FLUID_TEMPERATURE = "temperature of the fluid's properties"

RESTS, RECHARGE_DAYS = 2, 5
"""Steps of a rest in summer (`kernels.operation.summer_rest`), and longest step of a recharge, d."""

PACES = 4
"""Flows that pumps of variable speed are set to, from the least to the full one, day by day."""

LARGEST_IMBALANCE = 1e-9

OTHER_CHANCE = 2**40
"""Added to a row's index, which is smaller, where its weather and outages are those of the other design."""

LARGEST_FRICTION = 20e6
"""Pressure drop above which pumping makes no sense, Pa: some ten times that of a common well."""


@dataclass(frozen=True)
class Results:
    """What some rows of a study came to.

    Attributes
    ----------
    values
        Variables of `study.variables.variables_of`, (row,) or (row, winter), and the uncertain inputs by key, (row,).
    reasons
        For each failed row its place among the rows, and why.
    traces
        Of those rows that have some.
    """

    values: dict[str, NDArray[np.generic]]
    reasons: dict[int, str]
    traces: Traces | None = None


def simulate(study: Study, rows: NDArray[np.int64]) -> Results:
    """Compute some rows of a study.

    Parameters
    ----------
    rows
        Indices in the design, (row,).
    """
    parts = [(places, _of_one(design, own, study.uncertain)) for design, places, own in study.designs_of(rows)]
    if len(parts) == 1:
        return parts[0][1]
    values = {name: np.empty((len(rows), *value.shape[1:]), value.dtype) for name, value in parts[0][1].values.items()}
    for places, found in parts:
        for name, value in found.values.items():
            values[name][places] = value
    return Results(values, {int(places[row]): text for places, each in parts for row, text in each.reasons.items()})


def _of_one(study: Study, rows: NDArray[np.int64], told: Iterable[str]) -> Results:
    """Compute rows of one design, with those of its inputs that are to be told."""
    inputs = sample_inputs(study, rows)
    reasons = screen(study, inputs)
    traces = Traces.empty(study, rows)
    keys = study.base_rows(rows) + OTHER_CHANCE * study.from_other(CHANCE, rows)
    groups: list[dict[str, Array]] = []
    faults: dict[int, str] = {}
    with np.errstate(all="ignore"):  # rows with impossible inputs become NaN, and say so
        for start in range(0, len(rows), LANES):
            group = np.arange(start, min(start + LANES, len(rows)))
            groups.append(_simulate_group(study, keys, inputs, group, faults, traces))
    values: dict[str, NDArray[np.generic]] = {name: np.concatenate([g[name] for g in groups]) for name in groups[0]}
    _judge_fluid(study, inputs, values.pop(FLUID_TEMPERATURE), values["inlet_temperature_min"], reasons)
    status = np.full(len(rows), OK, dtype=np.int8)
    for row in range(len(rows)):
        unfit = [name for name, value in values.items() if not np.isfinite(value[row]).all()]
        if row in reasons:
            status[row] = INPUT_OUT_OF_RANGE
        elif row in faults:
            status[row], reasons[row] = NUMERICAL_FAULT, faults[row]
        elif unfit:
            status[row], reasons[row] = NOT_FINITE, f"{unfit[0]} is not a finite number"
        elif (imbalance := float(values["energy_imbalance"][row])) > LARGEST_IMBALANCE:
            status[row], reasons[row] = ENERGY_IMBALANCE, f"energy is not conserved, off by {imbalance:.1e}"
        if status[row] != OK:
            for value in values.values():
                value[row] = np.nan
    if traces is not None:
        for series in traces.values.values():
            series[status[traces.among] != OK] = np.nan
    return Results({**values, **{key: inputs[key] for key in told}, "status": status}, reasons, traces)


def _simulate_group(
    study: Study,
    keys: NDArray[np.int64],
    inputs: Inputs,
    group: NDArray[np.int64],
    faults: dict[int, str],
    traces: Traces | None,
) -> dict[str, Array]:
    """Compute at most `LANES` rows; those whose numbers raise an error are noted and NaN.

    `keys` says which weather and outages each row has. Which rows fail is first asked of one winter, and of all winters
    only where that does not tell.
    """
    try:
        return _together(study, keys, inputs, group, traces)
    except NUMERICAL:
        faults |= _faults_of_one_winter(study, keys, inputs, group)
    left = np.array([row not in faults for row in group])
    found = _nothing(study, len(group))
    if left.any():
        for name, value in _by_halves(study, keys, inputs, group[left], faults, traces).items():
            found[name][left] = value
    return found


def _together(
    study: Study, keys: NDArray[np.int64], inputs: Inputs, group: NDArray[np.int64], traces: Traces | None
) -> dict[str, Array]:
    lanes = group[np.minimum(np.arange(LANES), len(group) - 1)]
    of_lanes = {key: value[lanes] for key, value in inputs.items()}
    found = _simulate_lanes(study, keys[lanes], of_lanes, Recorder.of(study, traces, group))
    return {name: value[: len(group)] for name, value in found.items()}


def _faults_of_one_winter(
    study: Study, keys: NDArray[np.int64], inputs: Inputs, group: NDArray[np.int64]
) -> dict[int, str]:
    """Rows whose numbers raise an error in the first winter already, found by halving, and the error.

    What is computed is thrown away, so that the lanes may be fewer than those of results.
    """
    width = WIDTH if len(group) <= WIDTH else LANES
    lanes = group[np.minimum(np.arange(width), len(group) - 1)]
    try:
        of_lanes = {key: value[lanes] for key, value in inputs.items()}
        _simulate_lanes(study.model_copy(update={"winters": 1}), keys[lanes], of_lanes)
    except NUMERICAL as error:
        if len(group) == 1:
            return {int(group[0]): _words(error)}
        half = len(group) // 2
        first, second = (_faults_of_one_winter(study, keys, inputs, part) for part in (group[:half], group[half:]))
        return first | second
    return {}


def _by_halves(
    study: Study,
    keys: NDArray[np.int64],
    inputs: Inputs,
    group: NDArray[np.int64],
    faults: dict[int, str],
    traces: Traces | None,
) -> dict[str, Array]:
    """Compute rows together, or if that raises an error, each half of them."""
    try:
        return _together(study, keys, inputs, group, traces)
    except NUMERICAL as error:
        if len(group) == 1:
            faults[int(group[0])] = _words(error)
            return _nothing(study, 1)
    half = len(group) // 2
    first, second = (_by_halves(study, keys, inputs, part, faults, traces) for part in (group[:half], group[half:]))
    return {name: np.concatenate([value, second[name]]) for name, value in first.items()}


def _nothing(study: Study, rows: int) -> dict[str, Array]:
    """What failed rows came to."""
    by_winter = {name: np.full((rows, study.winters), np.nan) for name in variables_of(study)}
    by_row = ("energy_imbalance", "largest_unit_out_share", FLUID_TEMPERATURE, *(MONEY if study.economics else ()))
    return by_winter | {name: np.full(rows, np.nan) for name in by_row}


def _words(error: Exception) -> str:
    said = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {said[0][:200]}"


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
    """What is weak about the flow in the wells, and in how many of the first samples; of a sweep its first design."""
    study = study.designs_of(np.arange(1))[0][0]
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
    for number, (design, _, _) in enumerate(study.designs_of(np.arange(study.points))):
        rows = np.arange(min(design.samples, LANES))
        reasons = screen(design, sample_inputs(design, rows))
        if len(reasons) == len(rows):
            which = f", design {number + 1} of {study.points}" if study.points > 1 else ""
            raise ConfigError(f"study {study.name!r}{which}: every sample would fail; the first one: {reasons[0]}")


def screen(study: Study, inputs: Inputs) -> dict[int, str]:
    """Rows whose inputs contradict each other or leave what is allowed, and why."""
    reasons: dict[int, str] = {}
    for key, item in study.uncertain.items():
        for row in np.flatnonzero(~item.check(inputs[key])).tolist():
            reasons.setdefault(row, f"{key} = {inputs[key][row]:.6g} {item.unit}; allowed: {item.range}")
    building = {name: inputs[f"building.{name}"] for name in ("design_outdoor_temperature", "indoor_temperature")}
    supply = ("supply_temperature_design", "supply_temperature_mild")
    for section, problems in (
        ("well", geometry_problem(**pipe_sizes(inputs))),
        ("building", building_problem(**building, balance_temperature=balance_temperature(inputs))),
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
        text = f"{last_layer[row]:.6g} m deep, the well {inputs['well.depth'][row]:.6g} m"
        reasons.setdefault(row, f"rock.layers: the layers above the last reach below the well: {text}")
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


def _cells(study: Study) -> NDArray[np.int64]:
    """Cells of each segment, for all rows: shared out where every input has its median, and the flow its least pace."""
    median = study.medians()
    median["well.flow_rate"] = median["well.flow_rate"] * _paces(study, median)[0]
    median = with_fluid(median, study.fluid.medium, np.array([FIRST_GUESS]))
    wanted = np.ceil(transfer_units(median)[0] / UNITS_PER_CELL)
    return share_cells(
        np.maximum(segments(median)[:, 0], 0.0), int(np.clip(np.nan_to_num(wanted, nan=CELLS), CELLS, MOST_CELLS))
    )


def _paces(study: Study, inputs: Inputs) -> Array:
    """Flow of each pace of the pumps over the full one, increasing to 1, (pace, lane)."""
    if study.circulation.flow_control == "fixed":
        return np.ones((1, len(inputs["winter_load"])))
    least = inputs["circulation.minimum_flow_share"]
    return np.linspace(least, np.ones_like(least), PACES)


def field_of_wells(study: Study, inputs: Inputs) -> Wells:
    """The wells of some rows at their full flow, neighbours included; inputs have the fluid's properties."""
    arrays = WellArrays.of(inputs, _cells(study))
    return _wells(study, inputs, arrays, _interference(study, inputs, arrays)[0])


def rests_of_summer(study: Study) -> list[float]:
    """Length of the steps in which the field rests between two winters, s."""
    return [length for length, heats in _summer(study) if not heats]


@dataclass(frozen=True)
class _Life:
    """What a group of lanes goes through: wells, plant, steps and winters."""

    circuit: Circuit
    neighbours: Array
    coldest: Array
    summer: list[tuple[Steps, bool]]

    @classmethod
    def of(cls, study: Study, inputs: Inputs, before: "_Life | None" = None) -> "_Life":
        """With `before`, the same lanes with another fluid: what their wells do to each other is not made again."""
        arrays = WellArrays.of(inputs, _cells(study))
        neighbours, coldest = (
            _interference(study, inputs, arrays) if before is None else (before.neighbours, before.coldest)
        )
        full = _wells(study, inputs, arrays, neighbours)
        share = _paces(study, inputs)
        paces = [*(_slower(inputs, full, arrays, each) for each in share[:-1]), full]
        circuit = Circuit(
            plant=plant(study, inputs),
            thermal=thermal_response(inputs),
            peak=heater(study, inputs, "peak_heating"),
            reserve=heater(study, inputs, "reserve_heating"),
            wells=paces,
            steps=[prepare_steps(wells, HOUR, daily=True) for wells in paces],
            share=share,
        )
        summer = _summer(study)
        steps = {length: prepare_steps(full, length) for length, _ in summer}
        return cls(circuit, neighbours, coldest, [(steps[length], heats) for length, heats in summer])

    @property
    def wells(self) -> Wells:
        """The wells with their full flow."""
        return self.circuit.wells[-1]

    def pass_summer(self, state: State, inputs: Inputs) -> Array:
        """Heat put into a well, heat from its rock and walls, electricity of its pump in a summer, Wh, (3, lane)."""
        sums = np.zeros((3, len(self.wells.flow)))
        for steps, heats in self.summer:
            if heats:
                power, warmest = (inputs[f"summer_recharge.{key}"] for key in ("power", "maximum_inlet_temperature"))
                flows = summer_recharge(state, self.wells, steps, power * 1e6, warmest)
                sums += np.array(flows) * (steps.length / HOUR)
            else:
                sums[1] += summer_rest(state, self.wells, steps) * (steps.length / HOUR)
        return sums


def _slower(inputs: Inputs, full: Wells, arrays: WellArrays, share: Array) -> Wells:
    """The wells with a share of their flow: thicker films, less friction."""
    flow_rate = share * arrays.flow_rate
    resistances = thermal_resistances(flow_rate, arrays.pipes, arrays.fluid)
    return full._replace(
        flow=share * full.flow,
        annulus_inner=resistances.annulus_inner,
        instant=full.instant + resistances.casing_film - arrays.resistances.casing_film,
        friction=friction(inputs, flow_rate, arrays.pipes, arrays.fluid),
        volume_flow=flow_rate,
    )


def _summer(study: Study) -> list[tuple[float, bool]]:
    """Steps between two winters: length of each, s, and whether the field is recharged in it."""
    recharge, season = study.summer_recharge, study.season
    rest = 365 - season.days
    if recharge is None:
        stretches = [(rest, RESTS, False)]
    else:
        before = (recharge.first_day - season.first_day) % 365 - season.days
        stretches = [
            (before, RESTS, False),
            (recharge.days, int(np.ceil(recharge.days / RECHARGE_DAYS)), True),
            (rest - before - recharge.days, RESTS, False),
        ]
    return [(24 * HOUR * days / steps, heats) for days, steps, heats in stretches if days > 0 for _ in range(steps)]


def _weather(study: Study, keys: NDArray[np.int64], inputs: Inputs) -> Callable[[int], Array]:
    """Outdoor temperature of each winter, °C, (hour, lane)."""
    seed, season, climate = np.uint64(study.seed), study.season, study.climate
    offset = {"mean_offset": inputs["climate.mean_offset"], "warming": inputs["climate.warming"]}
    if climate.record is not None:
        record = recorded_winters(climate.record)
        offsets = weather.winter_offsets(np.zeros((study.winters, len(keys))), season_standard_deviation=0.0, **offset)

        def recorded(winter: int) -> Array:
            if climate.block_length is None:
                return np.asarray(whole_winters(record, offsets[winter], seed, keys, winter))
            days = int(climate.block_length)
            return np.asarray(blocks_of_winters(record, offsets[winter], seed, keys, winter, season.first_day, days))

        return recorded
    first_day, days = season.first_day, season.days
    of_winters, of_days = weather.innovations(study.seed, keys, winters=study.winters, first_day=first_day, days=days)
    offsets = weather.winter_offsets(
        of_winters, season_standard_deviation=inputs["climate.season_standard_deviation"], **offset
    )
    generator = weather.season(**climate.generator, first_day=first_day, days=days)

    def generated(winter: int) -> Array:
        chosen = slice(winter, winter + 1)
        return np.asarray(weather.winter_temperatures(generator, of_days[chosen], offsets[chosen])[0])

    return generated


def _simulate_lanes(
    study: Study, keys: NDArray[np.int64], inputs: Inputs, recorder: Recorder | None = None
) -> dict[str, Array]:
    outdoor = _weather(study, keys, inputs)
    building = building_inputs(inputs)
    asked, indoor = np.empty((2, 24 * study.season.days, len(keys)))  # of one winter after the other

    def winter(number: int) -> Winter:
        air, occupied = outdoor(number), occupied_hours(study, number)
        demand(air, occupied, life.circuit.thermal, **building, heat=asked, temperature=indoor)
        return Winter(air, asked, indoor, occupied, working_units(study, inputs, keys, number))

    given, temperature = inputs, np.full(len(keys), FIRST_GUESS)
    inputs = with_fluid(given, study.fluid.medium, temperature)
    life = _Life.of(study, inputs)
    if study.fluid.medium is not None and study.fluid.temperature is None:
        first = heating_season(undisturbed_state(life.wells), life.circuit, winter(0))
        temperature = _loop_temperature(first, study)
        inputs = with_fluid(given, study.fluid.medium, temperature)
        life = _Life.of(study, inputs, life)
    matching = Matching.of(study, keys, inputs)
    tariff = TariffMeter.of(study, len(keys), matching.meter if matching else None)
    read = tariff or matching
    meter = read.meter if read else UNREAD
    wells = life.wells
    state = undisturbed_state(wells)
    seasons: list[Season] = []
    cooling: list[list[Array]] = []
    summers: list[Array] = []
    water = [_heat_in_water(wells, state)]
    for number in range(study.winters):
        weather_and_demand = winter(number)
        course = recorder.course if recorder else UNTRACED
        seasons.append(heating_season(state, life.circuit, weather_and_demand, course, meter))
        if matching:
            matching.match(number, weather_and_demand.outdoor)
        if tariff:
            tariff.read()
        if recorder:
            recorder.record(number, weather_and_demand)
        cooling.append([mean_cooling(state, wells, weight) for weight in (life.neighbours, life.coldest)])
        summers.append(life.pass_summer(state, inputs))
    water.append(_heat_in_water(wells, state))
    season = Season(*(np.stack(values) for values in zip(*seasons, strict=True)))
    taken, rock, pumping = np.array(summers).swapaxes(0, 1)
    gross = (season.rock_heat_gross + np.abs(rock)).sum(axis=0) + np.abs(water[0])
    balance = (season.rock_heat + rock - season.well_heat + taken).sum(axis=0) - (water[1] - water[0])
    found = outputs(study, season, recharged=wells.number * taken, recharge_pumping=wells.number * pumping)
    found |= matching.outputs() if matching else {}
    found |= tariff.outputs(found["electricity"]) if tariff else {}
    found |= account(study, inputs, found)
    money = price(study, inputs, found) if study.economics else {}
    found |= {name: money.pop(name) for name in OPERATION if name in money}
    of_neighbours, of_coldest = np.maximum(np.array(cooling), 0.0).swapaxes(0, 1)  # the fit of the modes may miss zero
    found |= {"thermal_interference": of_neighbours, "coldest_well_penalty": of_coldest}
    found["loop_temperature_mean"] = _loop_temperature(season, study)
    return {
        "energy_imbalance": np.abs(balance) / gross,
        "largest_unit_out_share": largest_unit_out_share(study, inputs),
        FLUID_TEMPERATURE: inputs.get("fluid.temperature", temperature),
        **money,
    } | {name: np.ascontiguousarray(value.T) for name, value in found.items()}


def _loop_temperature(season: Season, study: Study) -> Array:
    """Mean of the water entering and leaving the wells over a season, °C, (…, lane)."""
    return 0.5 * (season.inlet_sum + season.outlet_sum) / (24 * study.season.days)


def _heat_in_water(wells: Wells, state: State) -> Array:
    """Heat in the channels of one well, above 0 °C, Wh, (lane,)."""
    at = np.repeat(wells.column.segment, 2)
    per_length = wells.storage_down[at] * state.down + wells.storage_up[at] * state.up
    return np.asarray((0.5 * wells.column.length[at] * per_length).sum(axis=0) / HOUR)
