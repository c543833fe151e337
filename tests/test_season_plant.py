"""A season's plant against plain Python: spells of short heat, wells and pumps that fail, pumps of variable speed."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.linalg import expm
from test_operation import (
    Array,
    Supply,
    choose,
    heating_season,
    held,
    mixed,
    plant,
    weather,
    wells,
)

from kernels import operation
from kernels.building import response
from kernels.coaxial import sweep_down, sweep_up
from kernels.ground import HOUR, advance, recall
from kernels.operation import Circuit, State, Wells, prepare_steps, summer_rest, undisturbed_state
from kernels.outages import HEAT_PUMPS, PEAK_HEATING, PUMPS, RESERVE_HEATING, WELLS
from kernels.plant import heat_pump, supply_temperature
from kernels.season import COLD, DAY, FAST, GROUPS, UNMET, WIDTH, Heater, Season, Winter
from study.config import load_study
from study.simulation import simulate
from tests.conftest import SMOKE, variant

DAYS = 12
CURVE = ("balance", "supply_mild", "supply_rise")
HEAT_PUMP = (
    *("efficiency", "maximum_cop", "minimum_inlet", "degradation"),
    *("source_slope", "rated_source", "supply_slope", "rated_supply"),
)


class Case:
    """WIDTH different plants, buildings and fields with all that a plant can have, and a winter for them."""

    def __init__(self, seed: int, hours: int = 24 * DAYS) -> None:
        rng = np.random.default_rng(seed)
        self.field, supply, _ = mixed(WIDTH)
        load, units = supply.design_load, rng.integers(1, 5, WIDTH).astype(np.float64)

        def lanes(low: float, high: float) -> Array:
            return rng.uniform(low, high, WIDTH)

        self.building: dict[str, Array] = {
            "conductance": load / 35.0,
            "time_constant": lanes(20.0, 150.0),
            "fast_share": lanes(0.02, 0.4),
            "mass_conductance": load * lanes(0.05, 0.3),
            "ventilation_share": lanes(0.0, 0.4),
        }
        self.plant = supply.plant._replace(
            hot_water=load * lanes(0.0, 0.15),
            indoor=lanes(16.0, 20.0),
            comfort=lanes(15.0, 19.0),
            reheat=load * lanes(0.0, 0.2) * (rng.random(WIDTH) < 0.8),
            unit_capacity=load * lanes(0.3, 0.8) / units,
            units=units,
            source_slope=lanes(0.0, 0.03),
            supply_slope=lanes(-0.02, 0.0),
            degradation=lanes(0.0, 0.25),
            minimum_inlet=lanes(3.0, 20.0),
            tank_capacity=load * lanes(0.0, 4.0) * (rng.random(WIDTH) < 0.8),
            tank_power=load * lanes(0.05, 0.4),
            tank_keep=np.exp(-lanes(0.0, 0.01)),
            tank_first=rng.integers(0, 2, WIDTH).astype(np.float64),
            pumps=3.0 * np.ones(WIDTH),
            pump_share=0.5 * np.ones(WIDTH),
        )
        boiler, air_source = np.array([[1.0 / 0.9, 0.0], [0.0, 1.0 / 0.35]])[:, :, None] * np.ones(WIDTH)
        self.peak = Heater(
            unit_capacity=load * lanes(0.0, 0.15),
            units=2.0 * np.ones(WIDTH),
            slope=lanes(0.0, 0.03),
            rated_outdoor=7.0 * np.ones(WIDTH),
            lowest_outdoor=lanes(-20.0, -5.0),
            boiler_share=air_source[0],
            lift_share=air_source[1],
        )
        self.reserve = Heater(
            unit_capacity=load * lanes(0.0, 0.07),
            units=3.0 * np.ones(WIDTH),
            slope=np.zeros(WIDTH),
            rated_outdoor=np.zeros(WIDTH),
            lowest_outdoor=np.full(WIDTH, -np.inf),
            boiler_share=boiler[0],
            lift_share=boiler[1],
        )
        outdoor = weather(hours, WIDTH) + rng.normal(0.0, 2.0, (hours, WIDTH)) - 3.0
        asked = load * np.clip((18.0 - outdoor) / 35.0 + rng.normal(0.0, 0.1, (hours, WIDTH)), 0.0, None)
        working = np.empty((GROUPS, hours, WIDTH), dtype=np.int16)
        installed = {
            WELLS: self.field.number,
            PUMPS: self.plant.pumps,
            HEAT_PUMPS: self.plant.units,
            PEAK_HEATING: self.peak.units,
            RESERVE_HEATING: self.reserve.units,
        }
        for group, number in installed.items():
            works = rng.random((hours // 6, WIDTH)) < 0.8  # for six hours each
            out = np.where(works, 0, rng.integers(0, number.astype(int) + 1, works.shape))
            working[group] = number - np.repeat(out, 6, axis=0)
        working[WELLS, 48:60, ::2] = 0
        working[PUMPS, 96:110, ::3] = 0
        self.winter = Winter(
            outdoor=outdoor,
            demand=asked + self.plant.hot_water,
            reference=rng.uniform(14.0, 20.0, (hours, WIDTH)),
            occupied=(rng.random(hours) < 0.5).astype(np.uint8),
            working=working,
        )
        self.steps = prepare_steps(self.field, HOUR, daily=True)

    def season(self, state: State) -> Season:
        """The season by the kernel."""
        circuit = Circuit(
            self.plant,
            response(**self.building),
            self.peak,
            self.reserve,
            [self.field],
            [self.steps],
            np.ones((1, WIDTH)),
        )
        return operation.heating_season(state, circuit, self.winter)


class LoneWell:
    """The wells of one lane: `kernels.coaxial` with the fast modes hour by hour and the slow ones day by day."""

    def __init__(self, case: Case, lane: int) -> None:
        self.field, lanes = choose(case.field, [lane]), [lane]
        self.decay, self.flow = case.steps.decay[:, None], choose(case.steps.counterflow, lanes)
        self.state = undisturbed_state(self.field)
        nodes = len(self.state.down)
        self.at = np.repeat(self.field.column.segment, 2)
        self.weight = self.field.weight[self.at, :, 0].T  # (mode, node)
        self.memory = np.zeros_like(self.weight)
        self.source, self.offset = np.empty((nodes // 2, 4, 1)), np.empty((nodes // 2 + 1, 1))
        self.flux = np.empty((nodes, 1))
        self.half = 0.5 * self.field.column.length[self.at, 0]

    def begin_day(self) -> None:
        """What the slow modes make of the undisturbed temperature changes evenly through the day."""
        cooling = self.weight[FAST:] * self.memory[FAST:]
        self.slow = self.field.column.undisturbed[:, 0] - cooling.sum(axis=0)
        self.drift = ((1.0 - self.decay[FAST:]) * cooling).sum(axis=0) / DAY
        self.answer = ((1.0 - self.decay[FAST:]) * self.weight[FAST:]).sum(axis=0) / DAY
        self.taken = np.zeros(len(self.at))

    def outlet(self) -> tuple[float, float]:
        """A and B of outlet = A + B · inlet for the hour to come."""
        fading = (self.decay[:FAST] * self.weight[:FAST] * self.memory[:FAST]).sum(axis=0)
        self.rest = (self.slow + self.drift - fading)[:, None]
        segment = self.field.column.segment
        sweep_up(self.flow, segment, self.rest, self.state.down, self.state.up, self.source, self.offset)
        return float(self.offset[0, 0]), float(self.flow.slope[0, 0])

    def pass_hour(self, inlet: float, share_at_work: float) -> None:
        """The hour, once its inlet temperature is known."""
        water = np.empty((2, 1))
        sweep_down(
            self.flow,
            self.field.column.segment,
            self.rest,
            self.source,
            self.offset,
            np.array([inlet]),
            water,
            self.state.down,
            self.state.up,
            self.flux,
        )
        flux = self.flux[:, 0]
        self.memory[:FAST] = self.decay[:FAST] * self.memory[:FAST] + (1.0 - self.decay[:FAST]) * flux
        self.slow = self.slow + self.drift - self.answer * flux
        self.taken += share_at_work * flux / DAY

    def end_day(self) -> None:
        """The slow modes remember what the mean well gave in the day."""
        self.memory[FAST:] = self.decay[FAST:] * self.memory[FAST:] + (1.0 - self.decay[FAST:]) * self.taken


def heater_output(heater: dict[str, float], units: float, missing: float, air: float, supply: float) -> Array:
    """Heat and purchase of a boiler or an air-source heat pump, W."""
    available = heater["unit_capacity"] * units * (1.0 + heater["slope"] * (air - heater["rated_outdoor"]))
    heat = max(0.0, min(missing, available)) if air >= heater["lowest_outdoor"] else 0.0
    if heater["lift_share"] == 0.0:
        return np.array([heat, heat * heater["boiler_share"]])
    cop = (supply + 273.15) / (supply - air) / heater["lift_share"]
    return np.array([heat, heat / max(1.1, cop)])


def by_hand(case: Case, lane: int) -> tuple[dict[str, float], dict[str, Array]]:
    """A season of one lane in plain Python: sums and extremes, and what happened hour by hour."""
    p = {name: float(value[lane]) for name, value in case.plant._asdict().items()}
    peak, reserve = (
        {name: float(value[lane]) for name, value in heater._asdict().items()} for heater in (case.peak, case.reserve)
    )
    building = {name: float(value[lane]) for name, value in case.building.items()}
    well = LoneWell(case, lane)
    number, flow = float(well.field.number[0]), float(well.field.flow[0])
    buoyancy, friction = float(well.field.buoyancy[0]), float(well.field.friction[0])
    pump_flow = float(well.field.volume_flow[0] / well.field.pump_efficiency[0])

    # rooms and mass below the reference: d/dt (rooms, mass, missing heat), h
    fast = building["conductance"] * building["time_constant"] * building["fast_share"]
    mass = building["conductance"] * building["time_constant"] * (1.0 - building["fast_share"])
    hours = {}
    for occupied in (0, 1):
        loss = building["conductance"] * (1.0 if occupied else 1.0 - building["ventilation_share"])
        between = building["mass_conductance"]
        rates = [[-(loss + between) / fast, between / fast, 1.0 / fast], [between / mass, -between / mass, 0.0]]
        hours[occupied] = expm(np.array([*rates, [0.0, 0.0, 0.0]]))
    below = np.zeros(2)

    stored = 0.0
    series: dict[str, list[float]] = {}
    for hour, (outdoor, demands) in enumerate(zip(case.winter.outdoor, case.winter.demand, strict=True)):
        if hour % DAY == 0:
            well.begin_day()
        air, demand = float(outdoor[lane]), float(demands[lane])
        step = hours[int(case.winter.occupied[hour])]
        catch_up = min(p["reheat"], max(0.0, float((step @ [*below, 0.0])[0] / step[0, 2])))  # to be as warm as asked
        asked = demand + catch_up
        units = case.winter.working[:, hour, lane].astype(float)
        at_work = min(number * min(1.0, units[PUMPS] * p["pump_share"]), units[WELLS])
        supply = p["supply_mild"] + p["supply_rise"] * max(0.0, p["balance"] - air)

        kept = stored * p["tank_keep"]
        room = min(p["tank_power"], max(0.0, p["tank_capacity"] - kept))
        offset, ratio = well.outlet()
        if at_work > 0.0:
            machines = {name: p[name] for name in HEAT_PUMP} | {
                "request": asked + room,
                "supply": supply,
                "offset": offset,
                "ratio": ratio,
                "flow": at_work * flow,
                "capacity": p["unit_capacity"] * units[HEAT_PUMPS],
                "units": units[HEAT_PUMPS],
            }
            heat, work, inlet, at_limit = heat_pump(**machines)
        else:
            heat, work, inlet, at_limit = 0.0, 0.0, offset / (1.0 - ratio), False
        outlet = offset + ratio * inlet

        charged, short = max(0.0, heat - asked), max(0.0, asked - heat)
        most = min(p["tank_power"], kept)
        before_peak = min(short, most) if p["tank_first"] else 0.0
        missing = short - before_peak
        heat_peak, peak_purchased = heater_output(peak, units[PEAK_HEATING], missing, air, supply)
        heat_reserve, reserve_purchased = heater_output(
            reserve, units[RESERVE_HEATING], missing - heat_peak, air, supply
        )
        missing -= heat_peak + heat_reserve
        at_last = 0.0 if p["tank_first"] else min(max(0.0, missing - catch_up), most)
        discharged, missing = before_peak + at_last, missing - at_last
        unmet, caught_up = max(0.0, missing - catch_up), max(0.0, catch_up - missing)
        lost, stored = stored - kept, kept + charged - discharged
        of_rooms = min(unmet, demand - p["hot_water"])  # hot water first
        below = (step @ [*below, of_rooms - caught_up])[:2]

        well.pass_hour(inlet, at_work / number)
        if hour % DAY == DAY - 1:
            well.end_day()
        rock = float(well.half @ well.flux[:, 0])
        head = float(well.half @ (well.state.up - well.state.down)[:, 0])
        reference = float(case.winter.reference[hour, lane])
        now = {
            "heat_demand": demand + caught_up,
            "caught_up": caught_up,
            "heat_pump_heat": heat,
            "heat_peak": heat_peak,
            "heat_reserve": heat_reserve,
            "heat_unmet": unmet,
            "heat_extracted": at_work * flow * (outlet - inlet),
            "compressor": work,
            "circulation": (demand + caught_up - unmet) * p["transport"]
            + at_work * pump_flow * max(0.0, friction - buoyancy * head),
            "peak_purchased": peak_purchased,
            "reserve_purchased": reserve_purchased,
            "tank": stored,
            "tank_lost": lost,
            "charged": charged,
            "discharged": discharged,
            "rooms": below[0],
            "mass": below[1],
            "indoor": reference - below[0],
            "colder_than_asked": min(p["comfort"], p["indoor"] if case.winter.occupied[hour] else reference)
            - (reference - below[0]),
            "at_limit": float(at_limit and heat < demand),
            "any_out": float((units < [number, p["pumps"], p["units"], peak["units"], reserve["units"]]).any()),
            "inlet": inlet,
            "outlet": outlet,
            "well_heat": flow * (outlet - inlet),
            "rock_heat": rock,
        }
        for name, value in now.items():
            series.setdefault(name, []).append(value)

    found = {name: np.array(values) for name, values in series.items()}
    short = found["heat_unmet"] > UNMET * (found["heat_demand"] - found["caught_up"])
    spells = [len(list(hours_of)) for is_short, hours_of in itertools.groupby(short) if is_short]
    lasting = len(short) - np.flatnonzero(~short)[-1] - 1 if not short.all() else len(short)
    sums = {name: float(values.sum()) for name, values in found.items() if name in Season._fields and name != "tank"}
    sums |= {
        "unmet_hours": short.sum(),
        "shortfalls": len(spells),
        "spell": lasting,
        "longest_shortfall": max(spells, default=0),
        "worst_shortfall": found["heat_unmet"][short].max(initial=0.0),
        "deviation": below[0],
        "mass_deviation": below[1],
        "indoor_min": found["indoor"].min(),
        "cold_hours": (found["colder_than_asked"] > COLD).sum(),
        "cold_degree_hours": np.maximum(0.0, found["colder_than_asked"]).sum(),
        "inlet_limit_hours": found["at_limit"].sum(),
        "outage_hours": found["any_out"].sum(),
        "inlet_min": found["inlet"].min(),
        "inlet_sum": found["inlet"].sum(),
        "outlet_sum": found["outlet"].sum(),
        "outdoor_sum": case.winter.outdoor[:, lane].sum(),
        "outdoor_min": case.winter.outdoor[:, lane].min(),
        "tank": stored,
        "rock_heat_gross": np.abs(found["rock_heat"]).sum(),
    }
    return sums, found


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(3)


@pytest.fixture(scope="module")
def season(case: Case) -> Season:
    return case.season(undisturbed_state(case.field))


@pytest.mark.parametrize("lane", range(0, WIDTH, 2))
def test_season_by_hand(case: Case, season: Season, lane: int) -> None:
    """Everything at once: tank, air source and boiler, limited machines, 2R2C, hot water, and all that can fail."""
    sums, _ = by_hand(case, lane)
    assert set(sums) == set(Season._fields)
    for name, value in sums.items():
        np.testing.assert_allclose(getattr(season, name)[lane], value, rtol=1e-10, atol=1e-12, err_msg=name)


def test_the_case_reaches_all_that_a_plant_can_do(season: Season) -> None:
    for name in ("heat_pump_heat", "heat_peak", "heat_reserve", "shortfalls", "tank", "tank_lost", "inlet_limit_hours"):
        assert (getattr(season, name) > 0.0).sum() > WIDTH / 2, name
    assert (season.longest_shortfall > 3).sum() > WIDTH / 2
    assert (season.unmet_hours < season.shortfalls * season.longest_shortfall).sum() > WIDTH / 2
    assert np.all(season.cold_degree_hours > 0.0)


@pytest.mark.parametrize("tank", [True, False])
def test_energy_closes(case: Case, tank: bool) -> None:
    """Heat, with the tank and without; and that of the rock with what the water held."""
    if not tank:
        case = Case(4)
        case.plant = case.plant._replace(tank_capacity=np.zeros(WIDTH))
    state = undisturbed_state(case.field)
    before = held(case.field, state.down, state.up)
    season = case.season(state)
    given = season.heat_pump_heat + season.heat_peak + season.heat_reserve + season.heat_unmet
    np.testing.assert_allclose(given, season.heat_demand + season.tank_lost + season.tank, rtol=1e-12)
    np.testing.assert_allclose(season.heat_pump_heat, season.heat_extracted + season.compressor, rtol=1e-12)
    caught_up = season.heat_demand / case.winter.demand.sum(axis=0) - 1.0
    np.testing.assert_allclose(caught_up[case.plant.reheat == 0.0], 0.0, rtol=0, atol=1e-12)
    assert np.all((caught_up[case.plant.reheat > 0.0] > 0.0) & (caught_up[case.plant.reheat > 0.0] < 0.2))
    np.testing.assert_allclose(season.reserve_purchased, season.heat_reserve / 0.9, rtol=1e-12)
    assert ((season.tank_lost > 0.0) & (season.tank > 0.0)).any() == tank
    lacking = season.rock_heat - season.well_heat - (held(case.field, state.down, state.up) - before)
    np.testing.assert_allclose(lacking / season.rock_heat_gross, 0.0, atol=1e-12)


def electric(demand: list[float], working: list[int], **changes: Any) -> tuple[Season, State]:
    """Hours of a plant with a heat pump of 100 kW, which works or not, and an electric boiler of 60 kW."""
    hours = len(demand)
    supply = plant(unit_capacity=100e3, peak_capacity=60e3, **changes)
    units = np.ones((GROUPS, hours, WIDTH), dtype=np.int16)
    units[HEAT_PUMPS] = np.array(working)[:, None]
    field = wells()
    state = undisturbed_state(field)
    asked = np.repeat(np.array(demand)[:, None], WIDTH, axis=1)
    steps = prepare_steps(field, HOUR, daily=True)
    return heating_season(state, field, steps, supply, np.zeros((hours, 1)), demand=asked, working=units), state


def test_spells_by_hand() -> None:
    """100 kW, 60 kW of them without the heat pump: short in hours 1 and 2, 4, 7 to 9, and from 11 on."""
    demand = [90e3, 170e3, 90e3, 50e3, 61e3, 0.0, 160e3, 160.5e3, 300e3, 161e3, 0.0, 200e3, 120e3]
    working = [1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0]
    unmet = np.array([0.0, 10e3, 30e3, 0.0, 1e3, 0.0, 0.0, 500.0, 140e3, 1e3, 0.0, 40e3, 60e3])
    season, _ = electric(demand, working)
    expected = {"unmet_hours": 8, "shortfalls": 4, "longest_shortfall": 3, "spell": 2, "outage_hours": 5}
    for name, value in expected.items():
        assert getattr(season, name) == value, name
    np.testing.assert_allclose(season.worst_shortfall, 140e3, rtol=1e-9)
    np.testing.assert_allclose(season.heat_unmet, unmet.sum(), rtol=1e-9)
    # rooms (1R1C, 10 kW/K, 40 h) lose what is unmet, and win it back at the same pace
    below, deviation = 0.0, []
    for lacking in unmet:
        below = np.exp(-1.0 / 40.0) * below + (1.0 - np.exp(-1.0 / 40.0)) * lacking / 1e4
        deviation.append(below)
    np.testing.assert_allclose(18.0 - season.indoor_min, max(deviation), rtol=1e-9)
    np.testing.assert_allclose(season.cold_degree_hours, sum(deviation), rtol=1e-9)
    assert season.cold_hours == sum(each > COLD for each in deviation)
    assert 0 < season.cold_hours < len(demand) - 1


def test_hours_just_met_are_no_shortfall() -> None:
    """Rounding is none; a thousandth is one."""
    met, _ = electric([160e3] * 5 + [160e3 * (1.0 + 1e-7)] * 5, [1] * 10)
    missed, _ = electric([160e3 * 1.001] * 10, [1] * 10)
    assert met.unmet_hours == met.shortfalls == met.longest_shortfall == met.worst_shortfall == 0.0
    assert missed.unmet_hours == missed.longest_shortfall == 10.0
    assert missed.shortfalls == 1.0


def test_rooms_catch_up_with_what_the_plant_has_to_spare() -> None:
    """1R1C, 10 kW/K and 40 h: 40 kW short for an hour, then 30 kW at most, until the rooms are as warm as asked."""
    plain, _ = electric([100e3] * 8, [1, 0, 1, 1, 1, 1, 1, 1])
    season, state = electric([100e3] * 8, [1, 0, 1, 1, 1, 1, 1, 1], reheat=30e3)
    keep = np.exp(-1.0 / 40.0)
    colder = (1.0 - keep) * 40e3 / 1e4
    lowest, caught_up, degree_hours = colder, 0.0, colder
    for _ in range(6):
        asked = min(30e3, keep * colder * 1e4 / (1.0 - keep))
        colder = keep * colder - (1.0 - keep) * asked / 1e4
        caught_up, degree_hours = caught_up + asked, degree_hours + colder
    np.testing.assert_allclose(season.heat_unmet, 40e3, rtol=1e-12)
    np.testing.assert_array_equal(season.heat_unmet, plain.heat_unmet)
    np.testing.assert_array_equal(season.unmet_hours, 1.0)
    np.testing.assert_allclose(18.0 - season.indoor_min, lowest, rtol=1e-12)
    np.testing.assert_allclose(season.heat_demand, 800e3 + caught_up, rtol=1e-12)
    np.testing.assert_allclose(season.cold_degree_hours, degree_hours, rtol=1e-9)
    np.testing.assert_allclose(state.deviation, 0.0, rtol=0, atol=1e-12)
    assert np.all(plain.cold_degree_hours > 2.0 * season.cold_degree_hours)


def test_working_hours_are_cold_where_the_building_is_not_warm_in_time() -> None:
    """A reference of 16 °C though 18 are asked for counts in working hours, and not in others."""
    field = wells()
    steps, cold = prepare_steps(field, HOUR, daily=True), np.full((24, WIDTH), 16.0)
    occupied = (np.arange(24) >= 12).astype(np.uint8)
    outdoor = np.full((24, 1), 10.0)
    season = heating_season(undisturbed_state(field), field, steps, plant(), outdoor, reference=cold, occupied=occupied)
    assert season.unmet_hours == 0.0
    assert season.cold_hours == 12.0
    np.testing.assert_allclose(season.cold_degree_hours, 24.0, rtol=1e-12)


def test_hot_water_is_served_before_the_rooms() -> None:
    """Of 250 kW, 200 kW of them hot water, 90 kW are missing: 50 kW to the rooms, the rest to the taps."""
    season, _ = electric([250e3] * 8, [1] * 8, hot_water=200e3)
    np.testing.assert_allclose(season.heat_unmet, 8 * 90e3, rtol=1e-9)
    np.testing.assert_allclose(18.0 - season.indoor_min, 50e3 / 1e4 * (1.0 - np.exp(-8.0 / 40.0)), rtol=1e-9)


@pytest.mark.parametrize(
    ("first", "peak", "unmet"),
    [(1.0, [50e3, 50e3, 60e3, 60e3], [0.0, 0.0, 10e3, 30e3]), (0.0, [60e3] * 4, [0.0] * 3 + [20e3])],
)
def test_a_tank_carries_the_plant_through_an_outage(first: float, peak: list[float], unmet: list[float]) -> None:
    """Filled at 40 kW, the 100 kWh tank is full in the third hour, and gives 40 kW while the heat pump is out.

    Or, where it comes last, the 30 kW that the boiler leaves.
    """
    demand, working = [60e3] * 5 + [90e3] * 4 + [0.0], [1] * 5 + [0] * 4 + [1]
    without, _ = electric(demand, working)
    season, _ = electric(demand, working, tank_capacity=100e3, tank_power=40e3, tank_first=first)
    np.testing.assert_allclose(without.heat_unmet, 4 * 30e3, rtol=1e-9)
    np.testing.assert_allclose(season.heat_peak, sum(peak), rtol=1e-9)
    np.testing.assert_allclose(season.heat_unmet, sum(unmet), rtol=1e-9)
    np.testing.assert_allclose(season.tank, 40e3, rtol=1e-9)  # the last hour fills it again
    assert season.tank_lost == 0.0
    assert season.unmet_hours == sum(each > 0.0 for each in unmet)
    assert season.shortfalls == 1.0


NUMBER = 6
OUT_DAYS = 75
FIRST, SECOND = 25, 50
"""Days on which the first and the second outage begin."""


class Daily(NamedTuple):
    """Day by day: means of the wells' inlet and outlet, °C, none where no well works, and heat from heat pumps, Wh."""

    inlet: Array
    outlet: Array
    heat: Array


def each_its_own(field: Wells, supply: Supply, outdoor: Array, out: Array) -> Daily:
    """Every well with its own memory, all modes hour by hour; `out` is (hour, well), and a lane is a well.

    Those at work get the same water, and give theirs together; the others rest as in summer.
    """
    field, p = choose(field, [0] * NUMBER), supply.plant
    steps, state = prepare_steps(field, HOUR), undisturbed_state(field)
    flow, segment, at = steps.counterflow, field.column.segment, np.repeat(field.column.segment, 2)
    nodes, ratio = len(at), steps.counterflow.slope[0, 0]
    rest, flux = np.empty((2, nodes, NUMBER))
    source, offset, water = np.empty((nodes // 2, 4, NUMBER)), np.empty((nodes // 2 + 1, NUMBER)), np.empty((2, NUMBER))
    inlets, outlets, heats = np.full((3, len(outdoor)), np.nan)
    for hour, demand in enumerate(supply.demand(outdoor)[:, 0]):
        rested = State(*(value.copy() for value in state))
        if out[hour].any():
            summer_rest(rested, field, steps)
        for node in range(nodes):
            recall(steps.decay, field.weight[at[node]], state.memory[node], field.column.undisturbed[node], rest[node])
        sweep_up(flow, segment, rest, state.down, state.up, source, offset)
        working = np.flatnonzero(~out[hour])
        if len(working) > 0:
            together = offset[0, working].mean()
            machines = {name: getattr(p, name)[0] for name in HEAT_PUMP} | {
                "request": demand,
                "supply": supply_temperature(outdoor[hour, 0], *(getattr(p, name)[0] for name in CURVE)),
                "offset": together,
                "ratio": ratio,
                "flow": len(working) * field.flow[0],
                "capacity": p.unit_capacity[0],
                "units": 1.0,
            }
            heats[hour], _, inlets[hour], _ = heat_pump(**machines)
            outlets[hour] = together + ratio * inlets[hour]
        inlet = np.full(NUMBER, np.nan_to_num(inlets[hour]))
        sweep_down(flow, segment, rest, source, offset, inlet, water, state.down, state.up, flux)
        for node in range(nodes):
            advance(steps.decay, flux[node], state.memory[node])
        for mine, others in zip(state, rested, strict=True):
            mine[..., out[hour]] = others[..., out[hour]]
    by_day = (-1, DAY)
    daily_heat = np.nansum(heats.reshape(by_day), axis=1)
    return Daily(inlets.reshape(by_day).mean(axis=1), outlets.reshape(by_day).mean(axis=1), daily_heat)


def one_column(field: Wells, supply: Supply, outdoor: Array, out: Array) -> Daily:
    """The same by the kernel, in seasons of a day."""
    field = field._replace(number=np.full(1, float(NUMBER)))
    state, steps, days = undisturbed_state(field), prepare_steps(field, HOUR, daily=True), []
    for air, units in zip(np.split(outdoor, OUT_DAYS), np.split((~out).sum(axis=1), OUT_DAYS), strict=True):
        season = heating_season(state, field, steps, supply, air, working=at_work(DAY, units, 1))
        days.append((season.inlet_sum[0] / DAY, season.outlet_sum[0] / DAY, season.heat_pump_heat[0]))
    return Daily(*np.array(days).T)


def at_work(hours: int, number: Any, pumps: Any) -> Array:
    """Units at work, (group, hour, lane), all lanes alike; one of each other kind."""
    working = np.ones((GROUPS, hours, WIDTH), dtype=np.int16)
    working[WELLS] = np.reshape(number, (-1, 1))
    working[PUMPS] = np.reshape(pumps, (-1, 1))
    return working


def two_outages(days: int, number: int) -> Array:
    """`number` wells out at FIRST, as many others at SECOND, for some days each, (hour, well)."""
    out = np.zeros((DAY * OUT_DAYS, NUMBER), dtype=bool)
    out[DAY * FIRST : DAY * (FIRST + days), :number] = True
    out[DAY * SECOND : DAY * (SECOND + days), -number:] = True
    return out


@pytest.mark.parametrize(
    ("days", "number", "warmer", "colder"),
    [(1, 1, 0.003, 1.0), (3, 1, 0.05, 1.5), (14, 1, 0.25, 2.1), (3, 3, 0.2, 7.0)],
)
def test_wells_out_against_wells_with_a_memory_each(days: int, number: int, warmer: float, colder: float) -> None:
    """Inlet, outlet and heat of 75 days in which some of six wells are out twice, others each time.

    While wells are out, those at work are `warmer` (K) than they should be, for their slow modes remember the mean
    well: by 0.02 K a day where one in six is out, in proportion to what the others carry more. After that, they are
    too cold, by `colder` (K) on the first day, for what the others rested is forgotten; half of it is gone within two
    days, and it never turns warm before the next outage.
    """
    out, outdoor, load = two_outages(days, number), weather(DAY * OUT_DAYS, 1), NUMBER * 400e3
    free = plant(design_load=load, minimum_inlet=-40.0)
    kernel, exact = one_column(wells(), free, outdoor, out), each_its_own(wells(), free, outdoor, out)
    error = kernel.inlet - exact.inlet
    back = FIRST + days
    assert np.abs(error[:FIRST]).max() < 0.003  # slow modes once a day
    assert error[FIRST:back].min() > -0.003
    assert error[FIRST:back].max() < warmer
    assert np.all(error[back:SECOND] < 0.0)
    assert error[back:SECOND].min() == error[back] > -colder
    assert error[back + 2] > 0.5 * error[back]
    assert error.max() < warmer
    np.testing.assert_allclose(kernel.heat, exact.heat, rtol=1e-12)  # nothing limits it
    np.testing.assert_allclose(kernel.outlet - exact.outlet, error, rtol=0, atol=0.02 * colder)  # COP

    limited = plant(design_load=load, minimum_inlet=22.0)
    kernel, exact = one_column(wells(), limited, outdoor, out), each_its_own(wells(), limited, outdoor, out)
    all_work = one_column(wells(), limited, outdoor, np.zeros_like(out))
    lost = 1.0 - exact.heat.sum() / all_work.heat.sum()
    wrong = kernel.heat.sum() / exact.heat.sum() - 1.0
    assert abs(wrong) < 6e-4
    if days > 1:
        assert abs(wrong) < 0.1 * lost
    assert np.abs(kernel.heat / exact.heat - 1.0).max() < 0.009


@pytest.mark.parametrize("days", [1, 3])
def test_all_wells_out(days: int) -> None:
    """No heat, then all but the same wells: too warm by 0.25 K on the first day and 0.07 K on the second.

    A well of the kernel goes on circulating meanwhile, which mixes it.
    """
    out, outdoor = two_outages(days, NUMBER), weather(DAY * OUT_DAYS, 1)
    supply = plant(design_load=NUMBER * 400e3)
    kernel, exact = one_column(wells(), supply, outdoor, out), each_its_own(wells(), supply, outdoor, out)
    still = [*range(FIRST, FIRST + days), *range(SECOND, SECOND + days)]
    np.testing.assert_array_equal(kernel.heat[still], 0.0)
    np.testing.assert_allclose(kernel.inlet[still], kernel.outlet[still], rtol=1e-12)
    error = kernel.inlet - exact.inlet
    for back in (FIRST + days, SECOND + days):
        assert -0.003 < error[back] < 0.25
        assert np.abs(error[back + 1 : back + 11]).max() < 0.07
    np.testing.assert_allclose(kernel.heat, exact.heat, rtol=1e-12)


def test_nothing_flows_where_no_well_works() -> None:
    field, supply = wells(number=6.0), plant(design_load=2e6, peak_capacity=5e5)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    outdoor = np.full((48, 1), -10.0)
    for units, pumps in ((0, 1), (6, 0)):
        season = heating_season(state, field, steps, supply, outdoor, working=at_work(48, units, pumps))
        assert season.heat_pump_heat == season.compressor == season.heat_extracted == 0.0
        np.testing.assert_allclose(season.heat_peak, 48 * 5e5, rtol=1e-12)
        np.testing.assert_allclose(season.circulation, season.heat_peak / 50.0, rtol=1e-12)  # the building's alone
        np.testing.assert_allclose(season.well_heat / season.rock_heat_gross, 0.0, atol=1e-12)
        assert season.outage_hours == 48.0


def test_pumps_that_are_out_leave_wells_without_water() -> None:
    """With two of three pumps needed: one out costs nothing, two out half of the wells, as if these were out."""
    field, supply = wells(number=6.0), plant(design_load=2e6, pumps=3.0, pump_share=0.5, minimum_inlet=20.0)
    outdoor, seasons = weather(DAY * 20, 1), {}
    for units, pumps in ((6, 3), (6, 2), (6, 1), (3, 3), (3, 1), (2, 1)):
        working = at_work(len(outdoor), 6, 3)
        working[WELLS, 100:200], working[PUMPS, 100:200] = units, pumps
        state = undisturbed_state(field)
        season = heating_season(state, field, prepare_steps(field, HOUR, daily=True), supply, outdoor, working=working)
        seasons[units, pumps] = {**season._asdict(), **state._asdict()}
    for one, other in (((6, 3), (6, 2)), ((6, 1), (3, 3)), ((3, 1), (3, 3))):
        for name in seasons[one].keys() - {"outage_hours"}:
            np.testing.assert_array_equal(seasons[one][name], seasons[other][name], err_msg=f"{one} {other} {name}")
    assert [season["outage_hours"].item() for season in seasons.values()] == [0.0] + 5 * [100.0]
    assert seasons[2, 1]["inlet_min"] <= seasons[3, 1]["inlet_min"] < seasons[6, 3]["inlet_min"]
    assert seasons[2, 1]["heat_pump_heat"] < seasons[3, 1]["heat_pump_heat"] < seasons[6, 3]["heat_pump_heat"]


def slower(field: Wells, share: Array | float) -> Wells:
    """The wells with a share of their flow; the film's share in `instant` stays."""
    return field._replace(
        flow=share * field.flow, volume_flow=share * field.volume_flow, friction=share**1.75 * field.friction
    )


def paced(shares: list[float], field: Wells, supply: Supply, winter: Winter, state: State) -> Season:
    """A season with pumps of some paces, WIDTH lanes."""
    ones, none = np.ones(WIDTH), np.zeros(WIDTH)
    paces = [field if share == 1.0 else slower(field, share) for share in shares]
    thermal = response(
        conductance=supply.conductance,
        time_constant=supply.time_constant,
        fast_share=ones,
        mass_conductance=none,
        ventilation_share=none,
    )
    heater = Heater(supply.peak_capacity, ones, none, none, none - np.inf, ones, none)
    steps = [prepare_steps(each, HOUR, daily=True) for each in paces]
    circuit = Circuit(supply.plant, thermal, heater, heater, paces, steps, np.outer(shares, ones))
    return operation.heating_season(state, circuit, winter)


@pytest.fixture(scope="module")
def variable() -> tuple[Wells, Supply, Winter]:
    """Fields, plants and winters of WIDTH lanes; demand goes from none to more than the heat pumps' capacity."""
    field, supply, outdoor = mixed(WIDTH)
    outdoor = np.ascontiguousarray(outdoor[: DAY * 40])
    demand = supply.demand(outdoor) * np.abs(np.sin(np.arange(len(outdoor)) / 80.0))[:, None]
    working = np.ones((GROUPS, 1, WIDTH), dtype=np.int16)
    working[WELLS] = field.number
    return field, supply, Winter(outdoor, demand, np.full_like(outdoor, 18.0), np.ones(len(outdoor), np.uint8), working)


@pytest.mark.parametrize("shares", [[1.0, 1.0], [1.0] * 4])
def test_paces_that_are_all_full_are_the_fixed_flow(
    variable: tuple[Wells, Supply, Winter], shares: list[float]
) -> None:
    field, supply, winter = variable
    states = [undisturbed_state(field) for _ in range(2)]
    one, many = (paced(each, field, supply, winter, state) for each, state in zip(([1.0], shares), states, strict=True))
    for name in Season._fields:
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name), err_msg=name)
    for name in State._fields:
        np.testing.assert_array_equal(getattr(states[0], name), getattr(states[1], name), err_msg=name)


@pytest.mark.parametrize("capacity", [1e3, 1e12])
def test_a_season_at_one_pace_has_that_flow_from_the_start(
    variable: tuple[Wells, Supply, Winter], capacity: float
) -> None:
    """Heat pumps far too large want the slowest pace every day; far too small ones, the full flow."""
    field, supply, winter = variable
    unlimited = {"unit_capacity": np.full(WIDTH, capacity), "minimum_inlet": np.full(WIDTH, -90.0)}
    supply = supply._replace(plant=supply.plant._replace(**unlimited))
    winter = winter._replace(demand=winter.demand + 1e4)
    states = [undisturbed_state(field) for _ in range(2)]
    season = paced([0.4, 0.7, 1.0], field, supply, winter, states[0])
    alone = slower(field, 0.4) if capacity > 1e6 else field
    expected = paced([1.0], alone, supply, winter, states[1])
    for name in Season._fields:
        np.testing.assert_array_equal(getattr(season, name), getattr(expected, name), err_msg=name)
    for name in State._fields:
        np.testing.assert_array_equal(getattr(states[0], name), getattr(states[1], name), err_msg=name)


def test_the_pace_is_the_least_that_carries_the_day(variable: tuple[Wells, Supply, Winter]) -> None:
    """Day by day at the pace that the demand wants, each in a season of its own, lane by lane."""
    field, supply, winter = variable
    shares = [0.3, 0.6, 1.0]
    whole, parts = undisturbed_state(field), undisturbed_state(field)
    season = paced(shares, field, supply, winter, whole)
    asked = winter.demand.reshape(-1, DAY, WIDTH).mean(axis=1) / supply.plant.unit_capacity
    chosen = np.where(asked <= 0.3, 0, np.where(asked <= 0.6, 1, 2))
    assert {0, 1, 2} == set(chosen.ravel())
    assert (asked > 1.0).any()
    extracted, pumping, coldest = np.zeros(WIDTH), np.zeros(WIDTH), np.full(WIDTH, np.inf)
    for day, pace in enumerate(chosen):
        hours = slice(DAY * day, DAY * day + DAY)
        today = Winter(
            winter.outdoor[hours], winter.demand[hours], winter.reference[hours], winter.occupied[hours], winter.working
        )
        after = []
        for share in shares:
            state = State(*(value.copy() for value in parts))
            each = paced([1.0], field if share == 1.0 else slower(field, share), supply, today, state)
            after.append((*state, each.heat_extracted, each.circulation, each.inlet_min))
        *states, heat, electricity, inlet = (np.stack([each[n] for each in after]) for n in range(len(after[0])))
        lanes = np.arange(WIDTH)
        for mine, others in zip(parts, states, strict=True):
            mine[...] = np.moveaxis(others[pace, ..., lanes], 0, -1)
        extracted += heat[pace, lanes]
        pumping += electricity[pace, lanes]
        coldest = np.minimum(coldest, inlet[pace, lanes])
    for name in State._fields:
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(season.heat_extracted, extracted, rtol=1e-12)
    np.testing.assert_allclose(season.circulation, pumping, rtol=1e-12)
    np.testing.assert_array_equal(season.inlet_min, coldest)


def test_slower_pumps_take_less_electricity_and_the_energy_closes(variable: tuple[Wells, Supply, Winter]) -> None:
    field, supply, winter = variable
    supply = supply._replace(plant=supply.plant._replace(minimum_inlet=np.full(WIDTH, -90.0)))
    seasons = []
    for shares in ([1.0], [0.7, 1.0], [0.4, 0.7, 1.0]):
        state = undisturbed_state(field)
        before = held(field, state.down, state.up)
        season = paced(shares, field, supply, winter, state)
        lacking = season.rock_heat - season.well_heat - (held(field, state.down, state.up) - before)
        np.testing.assert_allclose(lacking / season.rock_heat_gross, 0.0, atol=1e-12)
        np.testing.assert_allclose(season.heat_pump_heat, season.heat_extracted + season.compressor, rtol=1e-12)
        seasons.append(season)
    for fast, slow in itertools.pairwise(seasons):
        assert np.all(slow.circulation < fast.circulation)
        np.testing.assert_array_equal(slow.heat_pump_heat, fast.heat_pump_heat)  # nothing limits it but capacity
        assert np.all(slow.inlet_sum < fast.inlet_sum)  # at less flow the same heat takes a colder inlet


ROWS = np.arange(64)
TIGHT: dict[str, Any] = {
    "winters": 5,
    "field.columns": 6,
    "building.floor_area": "75000 m^2",
    "heat_pump.capacity": "2 MW",
    "peak_heating": {"kind": "none"},
}
"""Six wells that come to their inlet limit in the cold."""
VARIABLE = {"circulation.flow_control": "variable", "circulation.minimum_flow_share": 0.5}


def values(**changes: Any) -> dict[str, Any]:
    """A study without failures."""
    results = simulate(variant(load_study(SMOKE), changes), ROWS)
    assert results.reasons == {}
    return dict(results.values)


def test_a_study_with_the_full_flow_as_its_least_has_fixed_flow() -> None:
    fixed, full = values(winters=3), values(winters=3, **{**VARIABLE, "circulation.minimum_flow_share": 1.0})
    for name, value in fixed.items():
        np.testing.assert_allclose(full[name], value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_study_at_half_flow_has_wells_with_half_the_flow() -> None:
    """Heat pumps far too large, and so the slowest pace: films and friction as if that were the wells' flow."""
    halved = {"distribution": "choice", "values": ["12.5 m^3/h", "15 m^3/h"], "probabilities": [0.25, 0.75]}
    large = {"winters": 3, "heat_pump.capacity": "100 MW", "building.floor_area": "7000 m^2"}
    slow, small = values(**large, **VARIABLE), values(**large, **{"well.flow_rate": halved})
    for name in ("heat_extracted", "electricity_circulation", "electricity_compressor", "outlet_temperature_mean"):
        np.testing.assert_allclose(slow[name], small[name], rtol=2e-5, err_msg=name)  # the fit of the response
    np.testing.assert_allclose(slow["unmet_hours"], small["unmet_hours"], rtol=0, atol=2.0)
    assert (slow["inlet_limit_hours"] == 0.0).all()


def test_variable_flow_saves_electricity_where_wells_are_no_limit() -> None:
    """In every winter, as the pumps save more than the compressors need for the colder water; heat is the same."""
    ample = {"winters": 3, "building.floor_area": "12000 m^2"}
    fixed, slow = values(**ample), values(**ample, **VARIABLE)
    np.testing.assert_allclose(slow["heat_delivered"], fixed["heat_delivered"], rtol=1e-6)
    assert (slow["electricity_circulation"] < 0.95 * fixed["electricity_circulation"]).all()
    assert (slow["electricity_compressor"] > fixed["electricity_compressor"]).all()
    assert (slow["electricity"] < fixed["electricity"]).all()
    assert (slow["energy_imbalance"] < 1e-9).all()


def test_variable_flow_costs_no_heat() -> None:
    """Pumps that can run at full speed do so when the wells come to their inlet limit, were it a day late."""
    fixed, slow = values(**TIGHT), values(**{**TIGHT, **VARIABLE})
    assert (fixed["inlet_limit_hours"] > 0.0).any()
    assert (slow["heat_delivered"] > 0.99 * fixed["heat_delivered"]).all()


def test_more_capacity_never_gives_less_heat_with_variable_flow() -> None:
    small, large = values(**{**TIGHT, **VARIABLE}), values(**{**TIGHT, **VARIABLE, "heat_pump.capacity": "4 MW"})
    assert (large["heat_delivered"] > 0.99 * small["heat_delivered"]).all()
