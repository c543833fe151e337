"""The hourly field against the well under prescribed load, its balances, its neighbours, and lanes that never touch."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest
from exact import line_sources
from numpy.typing import NDArray

from kernels import operation
from kernels.building import response
from kernels.coaxial import sweep_down, sweep_up
from kernels.field import Interaction
from kernels.ground import HOUR, HOURLY, Shell, Surroundings, advance, recall
from kernels.operation import (
    Circuit,
    State,
    Steps,
    Wells,
    mean_cooling,
    prepare_steps,
    summer_rest,
    undisturbed_state,
)
from kernels.pipes import GRAVITY
from kernels.plant import heat_pump, supply_temperature
from kernels.season import GROUPS, WIDTH, Heater, Plant, Season, Winter
from kernels.well import Column, Well, prescribed_load
from study.simulation import RESTS

Array = NDArray[Any]
Lanes = TypeVar("Lanes", bound=NamedTuple)
DIRECTIONS = [True, False]
SUMMER = 214 * 24 * HOUR
RADIUS = 0.12
THICKNESS, CONDUCTIVITY = np.array([800.0, 900.0, 1200.0]), np.array([1.9, 2.6, 3.1])
DIFFUSIVITY, CELLS = np.array([8.0e-7, 1.15e-6, 1.3e-6]), np.array([2, 2, 3])
COLUMN = Column.cut(THICKNESS, np.array([0.033, 0.029, 0.026]), 9.8, CELLS)
FLAT = Column.cut(THICKNESS, np.zeros(3), 12.0, CELLS)
ONE = np.ones(3)
AROUND = Surroundings(
    film=0.002 * ONE,
    shells=[
        Shell(0.080 * ONE, 0.089 * ONE, 40.0 * ONE, 3.85e6 * ONE),
        Shell(0.089 * ONE, RADIUS * ONE, ONE, 2e6 * ONE),
    ],
    radius=RADIUS * ONE,
    conductivity=CONDUCTIVITY,
    heat_capacity=CONDUCTIVITY / DIFFUSIVITY,
)
INSTANT, OWN = HOURLY.own(AROUND)
PLACES = np.array([(float(x), float(y)) for y in range(4) for x in range(7)])


def neighbours(spacing: Array | list[float], places: Array = PLACES) -> Array:
    """What the mean well's neighbours add to the modes' weights, m K/W, (segment, mode, lane)."""
    interaction, columns = Interaction.of(places), []
    for each in spacing:
        response = interaction.mean(4.0 * DIFFUSIVITY * HOURLY.times[:, None] / each**2)
        columns.append(HOURLY.of(response / (2.0 * np.pi * CONDUCTIVITY)).T)
    return np.stack(columns, axis=-1)


def wells(*, lanes: int = 1, annulus_down: bool = True, column: Column = COLUMN, **changes: Any) -> Wells:
    """Lone wells of 2,900 m in three layers, all lanes alike."""
    annulus, inner = 44000.0, 26600.0
    values: dict[str, Any] = {
        "number": 1.0,
        "flow": 34800.0,
        "annulus_inner": 0.095 * ONE[:, None],
        "storage_down": (annulus if annulus_down else inner) * ONE[:, None],
        "storage_up": (inner if annulus_down else annulus) * ONE[:, None],
        "instant": INSTANT[:, None],
        "weight": OWN.T[:, :, None],
        "friction": 8.5e5,
        "buoyancy": GRAVITY * 998.0 * 2.6e-4,
        "pump_efficiency": 0.65,
        "volume_flow": 30.0 / 3600.0,
    }
    arrays = {name: value * np.ones(lanes) for name, value in {**values, **changes}.items()}
    return Wells(column=each_lane(column, np.ones(lanes)), annulus_down=annulus_down, **arrays)


def each_lane(column: Column, factor: Array) -> Column:
    """The column in every lane, as many times as long."""
    return Column(
        length=column.length[:, None] * factor,
        cells=column.cells,
        depth=column.depth[:, None] * factor,
        undisturbed=column.undisturbed[:, None] * np.ones_like(factor),
    )


def held(field: Wells, down: Array, up: Array) -> Array:
    """Heat in the channels of one well, above 0 °C, Wh, (lane,)."""
    at = np.repeat(field.column.segment, 2)
    per_length = field.storage_down[at] * down + field.storage_up[at] * up
    heat: Array = (0.5 * field.column.length[at] * per_length).sum(axis=0) / HOUR
    return heat


DESIGN_OUTDOOR = -17.0


class Supply(NamedTuple):
    """Building and plant: `Plant`, what else a building is, and the capacity of an electric peak heating; (lane,)."""

    plant: Plant
    design_load: Array
    conductance: Array
    time_constant: Array
    peak_capacity: Array

    def demand(self, outdoor: Array) -> Array:
        """Heat asked for, W, (hour, lane)."""
        p = self.plant
        asked: Array = self.design_load * np.maximum((p.balance - outdoor) / (p.balance - DESIGN_OUTDOOR), 0.0)
        return asked


def plant(*, lanes: int = 1, **changes: Any) -> Supply:
    """A plant for one well, that asks for 350 kW at -17 °C, all lanes alike."""
    values: dict[str, Any] = {
        "hot_water": 0.0,
        "indoor": 18.0,
        "comfort": 18.0,
        "reheat": 0.0,
        "balance": 18.0,
        "supply_mild": 35.0,
        "supply_rise": 10.0 / 35.0,
        "unit_capacity": 1e9,
        "units": 1.0,
        "source_slope": 0.0,
        "rated_source": 5.0,
        "supply_slope": 0.0,
        "rated_supply": 45.0,
        "degradation": 0.0,
        "efficiency": 0.52,
        "maximum_cop": 8.0,
        "minimum_inlet": 3.0,
        "tank_capacity": 0.0,
        "tank_power": 0.0,
        "tank_keep": 1.0,
        "tank_first": 1.0,
        "transport": 1.0 / 50.0,
        "pumps": 1.0,
        "pump_share": 1.0,
    }
    others: dict[str, Any] = {"design_load": 350e3, "conductance": 1e4, "time_constant": 40.0, "peak_capacity": 0.0}
    arrays = {name: value * np.ones(lanes) for name, value in {**values, **others, **changes}.items()}
    return Supply(Plant(**{name: arrays.pop(name) for name in values}), **arrays)


def choose(arrays: Lanes, lanes: list[int]) -> Lanes:
    """The same with other lanes: a permutation, with copies or without."""

    def chosen(value: Any) -> Any:
        if isinstance(value, Column):
            length, depth, undisturbed = (each[:, lanes] for each in (value.length, value.depth, value.undisturbed))
            return Column(length, value.cells, depth, undisturbed)
        if isinstance(value, Plant):
            return choose(value, lanes)
        return np.ascontiguousarray(value[..., lanes]) if isinstance(value, np.ndarray) else value

    return arrays._replace(**{name: chosen(value) for name, value in arrays._asdict().items()})


def heating_season(state: State, field: Wells, steps: Steps, supply: Supply, outdoor: Array, **changes: Any) -> Season:
    """As the kernel's, which takes lanes by the record, for any number of them: the last one fills up."""
    lanes = outdoor.shape[1]
    all_lanes = [*range(lanes), *[lanes - 1] * (-lanes % WIDTH)]
    wide, chosen, air = choose(state, all_lanes), choose(supply, all_lanes), np.ascontiguousarray(outdoor[:, all_lanes])
    none, ones = np.zeros((2, len(all_lanes)))[0], np.ones(len(all_lanes))
    wells = choose(field, all_lanes)
    circuit = Circuit(
        plant=chosen.plant,
        thermal=response(
            conductance=chosen.conductance,
            time_constant=chosen.time_constant,
            fast_share=ones,
            mass_conductance=none,
            ventilation_share=none,
        ),
        peak=Heater(chosen.peak_capacity, ones, none, none, none - np.inf, ones, none),
        reserve=Heater(none, ones, none, none, none - np.inf, ones, none),
        wells=[wells],
        steps=[steps._replace(counterflow=choose(steps.counterflow, all_lanes))],
        share=np.ones((1, len(all_lanes))),
    )
    working = np.ones((GROUPS, 1, len(all_lanes)), dtype=np.int16)
    working[0] = wells.number
    winter = Winter(air, chosen.demand(air), np.full_like(air, 18.0), np.ones(len(air), dtype=np.uint8), working)
    season = operation.heating_season(wide, circuit, winter._replace(**changes))
    for before, after in zip(state, wide, strict=True):
        before[...] = after[..., :lanes]
    return Season(*(value[:lanes] for value in season))


def winters(
    field: Wells, building: Supply, outdoor: Array, count: int, *, rest: float = SUMMER
) -> tuple[list[Season], State, Array]:
    """Seasons, the last state, and what the rock gave one well in winters and summers, Wh, (lane,)."""
    state = undisturbed_state(field)
    hourly, resting = prepare_steps(field, HOUR, daily=True), prepare_steps(field, rest)
    seasons, rock = [], np.zeros(outdoor.shape[1])
    for _ in range(count):
        seasons.append(heating_season(state, field, hourly, building, outdoor))
        rock += seasons[-1].rock_heat + summer_rest(state, field, resting) * rest / HOUR
    return seasons, state, rock


def weather(hours: int, lanes: int) -> Array:
    """A made-up winter, °C, (hour, lane): colder to the middle, days and nights, its own in each lane."""
    hour, lane = np.arange(hours)[:, None], np.arange(lanes)
    cold = 6.0 - 18.0 * np.sin(np.pi * hour / hours)
    return cold + 5.0 * np.sin(2.0 * np.pi * hour / 24.0) + 4.0 * np.sin(hour / 37.0 + lane)


def mixed(lanes: int, *, annulus_down: bool = True) -> tuple[Wells, Supply, Array]:
    """Fields, plants and weather that differ from lane to lane; some limited by inlet, capacity or COP."""
    rng = np.random.default_rng(7)
    field = wells(
        lanes=lanes,
        annulus_down=annulus_down,
        number=12.0,
        flow=rng.uniform(2e4, 5e4, lanes),
        annulus_inner=rng.uniform(0.05, 0.2, (3, lanes)),
        instant=INSTANT[:, None] * rng.uniform(0.8, 1.5, lanes),
        weight=OWN.T[:, :, None] * rng.uniform(0.8, 1.2, lanes)
        + neighbours(rng.uniform(12.0, 60.0, lanes), PLACES[:12]),
    )
    column = each_lane(COLUMN, rng.uniform(0.8, 1.2, lanes))
    field = field._replace(
        column=Column(column.length, CELLS, column.depth, column.undisturbed * rng.uniform(0.7, 1.2, lanes))
    )
    building = plant(
        lanes=lanes,
        design_load=rng.uniform(3e6, 9e6, lanes),
        unit_capacity=rng.uniform(3e6, 6e6, lanes),
        maximum_cop=rng.uniform(3.0, 8.0, lanes),
        peak_capacity=rng.choice([0.0, 1e6], lanes),
    )
    return field, building, weather(24 * 60, lanes)


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_constant_extraction_equals_the_prescribed_load(annulus_down: bool) -> None:
    """With the COP at its upper bound a constant demand takes constant heat, as `kernels.well` can.

    What is left is that slow modes advance once a day: 2 mK at most.
    """
    days, heat = 40, 350e3 * (1.0 - 1.0 / 3.0)
    field = wells(annulus_down=annulus_down)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    building, outdoor = plant(maximum_cop=3.0, minimum_inlet=-90.0), np.full((24, 1), -17.0)
    seasons = [heating_season(state, field, steps, building, outdoor) for _ in range(days)]
    np.testing.assert_allclose([season.heat_extracted.item() for season in seasons], 24.0 * heat, rtol=1e-9)
    annulus, inner = (field.storage_down, field.storage_up) if annulus_down else (field.storage_up, field.storage_down)
    well = Well(
        column=COLUMN,
        flow=34800.0,
        surroundings=AROUND,
        annulus_inner=field.annulus_inner[:, 0],
        annulus_storage=annulus[0, 0],
        inner_storage=inner[0, 0],
        pipe_storage=np.zeros(3),
        pipe_share=np.full(3, 0.5),
        annulus_down=annulus_down,
    )
    expected = prescribed_load(
        well,
        change=np.zeros(1),
        load=np.array([heat]),
        fixed_inlet=False,
        times=HOUR * np.arange(1.0, 24.0 * days + 1.0),
        modes=HOURLY,
        first=HOUR,
        growth=0.0,
        extrapolate=False,
    )
    coldest, mean = expected.inlet.reshape(days, 24).min(axis=1), expected.outlet.reshape(days, 24).mean(axis=1)
    np.testing.assert_allclose([season.inlet_min.item() for season in seasons], coldest, rtol=0, atol=0.002)
    np.testing.assert_allclose([season.outlet_sum.item() / 24.0 for season in seasons], mean, rtol=0, atol=0.002)


def test_slow_modes_may_advance_once_a_day() -> None:
    """A winter of changing load, with the steps of a study and with all modes hour by hour, in the well alone."""
    field, building, outdoor = mixed(4)
    daily = winters(field, building, outdoor, 1)[0][0]
    hourly = everything_hourly(field, building, outdoor)
    np.testing.assert_allclose(daily.heat_extracted, hourly["heat_extracted"], rtol=2e-4)
    np.testing.assert_allclose(daily.outlet_sum / len(outdoor), hourly["outlet_mean"], rtol=0, atol=0.003)
    np.testing.assert_allclose(daily.inlet_min, hourly["inlet_min"], rtol=0, atol=0.02)


def everything_hourly(field: Wells, building: Supply, outdoor: Array) -> dict[str, Array]:
    """A season by the kernels it is made of, one call an hour, all modes in hourly steps."""
    steps, state = prepare_steps(field, HOUR), undisturbed_state(field)
    flow, segment = steps.counterflow, field.column.segment
    nodes, lanes = field.column.undisturbed.shape
    rest, flux = np.empty((2, nodes, lanes))
    source, offset, water = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes)), np.empty((2, lanes))
    extracted, outlets, coldest = np.zeros(lanes), np.zeros(lanes), np.full(lanes, np.inf)
    names = ("balance", "supply_mild", "supply_rise")
    machines = ("efficiency", "maximum_cop", "minimum_inlet", "unit_capacity", "source_slope", "rated_source")
    machines += ("supply_slope", "rated_supply", "units", "degradation")
    for air, demand in zip(outdoor, building.demand(outdoor), strict=True):
        for node in range(nodes):
            weight = field.weight[segment[node // 2]]
            recall(steps.decay, weight, state.memory[node], field.column.undisturbed[node], rest[node])
        sweep_up(flow, segment, rest, state.down, state.up, source, offset)
        inlet = np.empty(lanes)
        for lane in range(lanes):
            _, _, inlet[lane], _ = heat_pump(
                demand[lane],
                supply_temperature(air[lane], *(getattr(building.plant, name)[lane] for name in names)),
                offset[0, lane],
                flow.slope[0, lane],
                field.number[lane] * field.flow[lane],
                *(getattr(building.plant, name)[lane] for name in machines),
            )
        outlet = offset[0] + flow.slope[0] * inlet
        sweep_down(flow, segment, rest, source, offset, inlet, water, state.down, state.up, flux)
        for node in range(nodes):
            advance(steps.decay, flux[node], state.memory[node])
        extracted += field.number * field.flow * (outlet - inlet)
        outlets += outlet / len(outdoor)
        coldest = np.minimum(coldest, inlet)
    return {"heat_extracted": extracted, "outlet_mean": outlets, "inlet_min": coldest}


COMBINE: dict[str, Any] = {"min": np.min, "longest_shortfall": np.max, "worst_shortfall": np.max}
LAST = ("spell", "deviation", "mass_deviation", "tank")


def test_season_in_parts_is_the_season() -> None:
    field, building, outdoor = mixed(4)
    steps = prepare_steps(field, HOUR, daily=True)
    whole, parts = undisturbed_state(field), undisturbed_state(field)
    season = heating_season(whole, field, steps, building, outdoor)
    split = [heating_season(parts, field, steps, building, part) for part in np.split(outdoor, [24, 720])]
    for name in State._fields:
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    for name in Season._fields:
        parted = np.stack([getattr(part, name) for part in split])
        if name in ("spell", "shortfalls", "longest_shortfall"):
            continue  # a spell ends with its season
        combine = COMBINE.get(name, COMBINE.get(name[-3:], np.sum))
        together = parted[-1] if name in LAST else combine(parted, axis=0)
        np.testing.assert_allclose(together, getattr(season, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_energy_over_three_years(annulus_down: bool) -> None:
    """The rock's heat, winters and summers, is what was taken and what the water holds more."""
    field, building, outdoor = mixed(8, annulus_down=annulus_down)
    seasons, state, rock = winters(field, building, outdoor, 3)
    extracted = sum(season.heat_extracted for season in seasons) / field.number
    undisturbed = field.column.undisturbed
    before, after = held(field, undisturbed, undisturbed), held(field, state.down, state.up)
    gross = sum(season.rock_heat_gross for season in seasons) + np.abs(before)
    assert np.abs((rock - extracted - (after - before)) / gross).max() < 1e-12
    assert np.all(np.abs(after - before) > 1e-6 * gross)  # it would show if the water were left out


def test_every_sum_of_energy_closes() -> None:
    """Heat pump: output is work and extraction. Building: demand is output, backup and unmet."""
    field, building, outdoor = mixed(8)
    season = winters(field, building, outdoor, 1)[0][0]
    np.testing.assert_allclose(season.heat_pump_heat, season.heat_extracted + season.compressor, rtol=1e-12)
    np.testing.assert_allclose(
        season.heat_demand, season.heat_pump_heat + season.heat_peak + season.heat_unmet, rtol=1e-12
    )
    assert np.all(season.heat_unmet >= 0.0)
    assert (season.heat_unmet > 0.0).any()
    assert (season.heat_peak > 0.0).any()
    np.testing.assert_allclose(season.heat_demand, building.demand(outdoor).sum(axis=0))
    np.testing.assert_allclose(season.outdoor_sum, outdoor.sum(axis=0))
    np.testing.assert_array_equal(season.outdoor_min, outdoor.min(axis=0))
    assert np.all(season.rock_heat_gross >= np.abs(season.rock_heat) * (1.0 - 1e-12))


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_without_demand_nothing_happens(annulus_down: bool) -> None:
    field = wells(annulus_down=annulus_down, column=FLAT)
    outdoor = np.full((24 * 151, 1), 25.0)
    (first, last), state, rock = winters(field, plant(), outdoor, 2)
    for name in ("heat_demand", "heat_pump_heat", "heat_peak", "heat_unmet", "compressor", "unmet_hours"):
        assert getattr(first, name) == getattr(last, name) == 0.0
    np.testing.assert_allclose([state.down, state.up], 12.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose([first.inlet_min, last.outlet_sum / len(outdoor)], 12.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(rock, 0.0, atol=1e-3)  # Wh, of the 10⁹ that a winter takes


def test_hours_without_demand_are_not_unmet_where_the_wells_rest_below_their_limit() -> None:
    lanes = 64
    field = wells(lanes=lanes, column=FLAT)
    field.column.undisturbed[:] = np.linspace(1.0, 4.0, lanes)
    (season,), _, _ = winters(field, plant(lanes=lanes), np.full((500, lanes), 25.0), 1)
    assert np.all(season.heat_demand == 0.0)
    assert np.all(season.heat_pump_heat >= 0.0)
    assert np.all(season.unmet_hours == 0.0)


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_circulation_by_hand(annulus_down: bool) -> None:
    """Friction less what lighter water coming up gives back, through the pump; and the building's own circuit."""
    field = wells(annulus_down=annulus_down, number=5.0)
    state = undisturbed_state(field)
    steps, building = prepare_steps(field, HOUR, daily=True), plant(design_load=1e6)
    heating_season(state, field, steps, building, np.full((48, 1), -5.0))
    season = heating_season(state, field, steps, building, np.full((1, 1), -5.0))
    half = 0.5 * np.repeat(COLUMN.length[COLUMN.segment], 2)
    head = (half[:, None] * (state.up - state.down)).sum()
    assert head > 1e3  # the water comes up warmer
    pressure = 8.5e5 - GRAVITY * 998.0 * 2.6e-4 * head
    expected = 5.0 * 30.0 / 3600.0 * pressure / 0.65 + season.heat_pump_heat / 50.0
    np.testing.assert_allclose(season.circulation, expected, rtol=1e-12)
    weightless = heating_season(state, field._replace(buoyancy=np.full(1, 1e3)), steps, building, np.full((1, 1), -5.0))
    np.testing.assert_allclose(weightless.circulation, weightless.heat_pump_heat / 50.0, rtol=1e-12)  # never a turbine


def test_neighbours_cool_each_other() -> None:
    """In winter 10 a field is colder than a lone well, and the closer the colder."""
    field = wells(lanes=4, weight=OWN.T[:, :, None] + neighbours([1e6, 60.0, 30.0, 15.0]))
    outdoor = np.repeat(weather(24 * 151, 1), 4, axis=1)
    seasons = winters(field, plant(lanes=4, design_load=200e3, minimum_inlet=-40.0), outdoor, 10)[0]
    coldest, mean = seasons[-1].inlet_min, seasons[-1].outlet_sum / len(outdoor)
    assert np.all(np.diff(coldest) < 0.0)
    assert np.all(np.diff(mean) < 0.0)
    assert mean[0] - mean[3] > 3.0
    assert np.all(seasons[-1].outlet_sum < seasons[0].outlet_sum)
    first = (seasons[0].outlet_sum[0] - seasons[0].outlet_sum[3]) / len(outdoor)
    assert first < 0.3 * (mean[0] - mean[3])  # it takes years


def test_neighbours_cool_by_the_line_sources() -> None:
    """Five years of heat taken all but evenly along the well: a field is colder by q Σ E1 / 4πk."""
    days, conductivity, diffusivity, heat = 5 * 365, 2.5, 1.1e-6, 150e3
    rock = conductivity * ONE, conductivity / diffusivity * ONE
    instant, own = HOURLY.own(Surroundings(AROUND.film, AROUND.shells, AROUND.radius, *rock))
    interaction, per_flux = Interaction.of(20.0 * PLACES), 1.0 / (2.0 * np.pi * conductivity)
    others = HOURLY.of(interaction.mean(4.0 * diffusivity * HOURLY.times)[:, None] * per_flux)
    field = wells(
        lanes=2,
        column=FLAT,
        flow=1e7,
        instant=instant[:, None] * np.ones(2),
        weight=own.T[:, :, None] + np.array([0.0, 1.0]) * others[:, 0, None],
    )
    building = plant(lanes=2, design_load=heat * 2.0, maximum_cop=2.0, minimum_inlet=-90.0)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    heating_season(state, field, steps, building, np.full((24 * days, 2), -17.0))
    season = heating_season(state, field, steps, building, np.full((24, 2), -17.0))
    apart = np.hypot(*(20.0 * (PLACES[:, None] - PLACES[None])).transpose(2, 0, 1))[~np.eye(28, dtype=bool)]
    sums = line_sources(np.array([4.0 * diffusivity * (days + 0.5) * 24 * HOUR]), apart).item() / 28
    expected = heat / 2900.0 * per_flux * sums
    found = (season.outlet_sum[0] - season.outlet_sum[1]) / 24.0
    assert found == pytest.approx(expected, rel=2e-3)
    cooling = mean_cooling(state, field, np.broadcast_to(others.T[:, :, None], (3, len(others), 2)))
    np.testing.assert_allclose(cooling, expected, rtol=2e-3)  # of both: each took the same heat


def test_mean_cooling_weighs_by_length() -> None:
    field, building, outdoor = mixed(3)
    state = winters(field, building, outdoor, 1)[1]
    at, weight = np.repeat(COLUMN.segment, 2), np.random.default_rng(1).normal(0.0, 1e-3, field.weight.shape)
    cooling = (weight[at] * state.memory).sum(axis=1)
    expected = [np.average(cooling[:, lane], weights=field.column.length[at, lane]) for lane in range(3)]
    np.testing.assert_allclose(mean_cooling(state, field, weight), expected, rtol=1e-12)


def test_summer_in_a_few_steps() -> None:
    """In a study's few steps and in 214: water and rock within 6 mK, the next winter's outlet within 1 mK."""
    field, building, outdoor = mixed(8)
    undisturbed, weight = field.column.undisturbed, field.weight[np.repeat(COLUMN.segment, 2)]
    hourly, states, seasons = prepare_steps(field, HOUR, daily=True), [], []
    for count in (RESTS, 214):
        state, rest = undisturbed_state(field), prepare_steps(field, SUMMER / count)
        heating_season(state, field, hourly, building, outdoor)
        tired = (weight * state.memory).sum(axis=1)
        for _ in range(count):
            summer_rest(state, field, rest)
        rested = (weight * state.memory).sum(axis=1)
        assert np.abs(rested).max() < 0.5 * np.abs(tired).max()
        np.testing.assert_allclose([state.down, state.up], [undisturbed - rested] * 2, rtol=0, atol=0.02)
        np.testing.assert_array_equal([state.deviation, state.mass_deviation], 0.0)
        states.append(np.array([state.down, state.up, undisturbed - rested]))
        seasons.append(heating_season(state, field, hourly, building, outdoor))
    one, many = seasons
    np.testing.assert_allclose(states[0], states[1], rtol=0, atol=0.006)
    np.testing.assert_allclose(one.outlet_sum / len(outdoor), many.outlet_sum / len(outdoor), rtol=0, atol=0.001)
    np.testing.assert_allclose(one.heat_extracted, many.heat_extracted, rtol=1e-4)


def run_lanes(field: Wells, building: Supply, outdoor: Array) -> dict[str, Array]:
    """Everything that two winters give, lane last."""
    with np.errstate(all="ignore"):
        seasons, state, rock = winters(field, building, np.ascontiguousarray(outdoor), 2)
    last = {f"{name} {n}": value for n, season in enumerate(seasons) for name, value in season._asdict().items()}
    return {**last, **state._asdict(), "rock": rock}


@pytest.mark.parametrize("lanes", [[7, 3, 5, 1, 6, 2, 0, 4], [2, 2, 2, 2, 2, 2, 2, 2], [4, 4, 5, 5, 6, 6, 7, 7]])
def test_lanes_can_be_shuffled(lanes: list[int]) -> None:
    """A lane has the same bits in any place and beside any others."""
    field, building, outdoor = mixed(8)
    expected = run_lanes(field, building, outdoor)
    result = run_lanes(choose(field, lanes), choose(building, lanes), outdoor[:, lanes])
    for name, value in result.items():
        np.testing.assert_array_equal(value, expected[name][..., lanes], err_msg=name)


@pytest.mark.parametrize("name", ["flow", "undisturbed", "length", "instant", "weight", "design_load", "outdoor"])
@pytest.mark.parametrize("poison", [np.nan, 0.0, np.inf, -1e300])
def test_impossible_lane_leaves_the_others_alone(name: str, poison: float) -> None:
    field, building, outdoor = mixed(8)
    expected = run_lanes(field, building, outdoor)
    arrays = {
        **vars(field.column),
        **field._asdict(),
        **building._asdict(),
        **building.plant._asdict(),
        "outdoor": outdoor,
    }
    arrays[name][..., 3] = poison
    others = [0, 1, 2, 4, 5, 6, 7]
    for key, value in run_lanes(field, building, outdoor).items():
        np.testing.assert_array_equal(value[..., others], expected[key][..., others], err_msg=key)


def test_shortfall_by_hand() -> None:
    """Warm wells, 100 kW of heat pump, 50 kW of peak heating, and hours that ask for 60, 130 and 250 kW."""
    demand = np.array([60e3, 130e3, 250e3, 250e3, 60e3, *[0.0] * 19])
    outdoor = 18.0 - 35.0 * demand[:, None] / 350e3
    field, building = wells(), plant(unit_capacity=100e3, peak_capacity=50e3)
    season = heating_season(undisturbed_state(field), field, prepare_steps(field, HOUR, daily=True), building, outdoor)
    expected = {"heat_demand": 750e3, "heat_pump_heat": 420e3, "heat_peak": 130e3, "heat_unmet": 200e3}
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(season, name), value, rtol=1e-12, err_msg=name)
    assert season.unmet_hours == 2.0
    np.testing.assert_allclose(18.0 - season.indoor_min, 100e3 / 1e4 * (1.0 - np.exp(-2.0 / 40.0)), rtol=1e-12)


def test_without_heat_pump_all_is_unmet() -> None:
    field, outdoor = wells(column=FLAT), np.full((240, 1), -17.0)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    season = heating_season(state, field, steps, plant(unit_capacity=0.0), outdoor)
    np.testing.assert_allclose(season.heat_unmet, 240 * 350e3, rtol=1e-12)
    np.testing.assert_array_equal(season.heat_unmet, season.heat_demand)
    assert season.unmet_hours == 240.0
    assert season.heat_pump_heat == season.compressor == season.heat_peak == 0.0
    np.testing.assert_allclose(18.0 - season.indoor_min, 35.0 * (1.0 - np.exp(-6.0)), rtol=1e-12)


def test_cold_wells_limit_the_heat_and_not_the_inlet() -> None:
    """Ten times the load that a well can bear: the inlet stays at its limit, the rest is unmet."""
    field, outdoor = wells(), np.full((24 * 30, 1), -17.0)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    season = heating_season(state, field, steps, plant(design_load=3.5e6), outdoor)
    assert season.inlet_min == 3.0
    assert 0.0 < season.heat_pump_heat < 0.5 * season.heat_demand
    assert season.unmet_hours == len(outdoor)
