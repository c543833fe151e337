"""The heat pumps against their own equations solved another way, their bounds, peak heating, tank and building."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from kernels.plant import (
    KELVIN,
    MINIMUM_COP,
    heat_pump,
    peak_heating,
    supply_temperature,
    tank,
    tank_room,
)

FIELD: dict[str, Any] = {  # 28 wells in winter: at rest at 25 °C; an inlet of 5 °C comes back at 13 °C, with 7.2 MW
    "request": 9e6,
    "supply": 42.0,
    "offset": 10.0,
    "ratio": 0.6,
    "flow": 9e5,
    "efficiency": 0.52,
    "maximum_cop": 8.0,
    "minimum_inlet": 3.0,
    "capacity": 1e12,  # never short, and at full load
    "source_slope": 0.0,
    "rated_source": 7.0,
    "supply_slope": 0.0,
    "rated_supply": 35.0,
    "units": 4,
    "degradation": 0.0,
}
MACHINES: dict[str, Any] = {"capacity": 9.5e6, "source_slope": 0.025, "supply_slope": -0.0045, "degradation": 0.1}

ANY_FIELD: dict[str, Any] = {
    "request": st.floats(0.0, 5e7),
    "supply": st.floats(25.0, 70.0),
    "offset": st.floats(-5.0, 40.0),
    "ratio": st.floats(0.3, 0.98),
    "flow": st.floats(1e4, 2e6),
    "efficiency": st.floats(0.2, 0.8),
    "maximum_cop": st.floats(3.0, 12.0),
    "minimum_inlet": st.floats(-8.0, 12.0),
    "capacity": st.just(0.0) | st.floats(1e3, 5e7),
    "source_slope": st.just(0.0) | st.floats(0.0, 0.1),
    "rated_source": st.floats(0.0, 15.0),
    "supply_slope": st.floats(-0.02, 0.005),
    "rated_supply": st.floats(30.0, 55.0),
    "units": st.integers(1, 6),
    "degradation": st.floats(0.0, 0.3),
}
fields = st.fixed_dictionaries(ANY_FIELD)
plain_fields = st.fixed_dictionaries({**ANY_FIELD, "degradation": st.just(0.0)})


def run(**changes: float) -> tuple[float, float, float]:
    """Output (W), work (W), inlet (°C) of `FIELD` with some numbers changed."""
    return heat_pump(**{**FIELD, **changes})[:3]


def cop(inlet: float, *, supply: float, efficiency: float, maximum_cop: float, **_: float) -> float:
    """Coefficient of performance within its bounds."""
    if supply <= inlet:
        return maximum_cop
    carnot = (supply + KELVIN) / (supply - inlet)
    return float(np.clip(efficiency * carnot, MINIMUM_COP, maximum_cop))


def from_wells(inlet: float, *, offset: float, ratio: float, flow: float, **_: float) -> float:
    """Heat that the wells give, W."""
    return flow * (offset + ratio * inlet - inlet)


def full_load(inlet: float, field: dict[str, Any]) -> float:
    """What the machines can do, W."""
    share = 1.0 + field["source_slope"] * (inlet - field["rated_source"])
    return field["capacity"] * max(0.0, share + field["supply_slope"] * (field["supply"] - field["rated_supply"]))


def scale(field: dict[str, Any]) -> float:
    """Size of the terms that the powers of a field are differences of, W: rounding is a share of it."""
    return field["request"] + field["flow"] * (abs(field["offset"]) + abs(field["minimum_inlet"]) + field["supply"])


def balanced(field: dict[str, Any], output: Callable[[float], float], coldest: float, efficiency: float) -> float:
    """Inlet at which the wells give what the evaporator takes for an output that depends on it, by a search, °C."""
    rest = field["offset"] / (1.0 - field["ratio"])

    def excess(inlet: float) -> float:
        share = 1.0 - 1.0 / cop(inlet, **{**field, "efficiency": efficiency})
        return from_wells(inlet, **field) - output(inlet) * share

    return brentq(excess, coldest, rest + 1e-9, xtol=1e-12, rtol=1e-14)


def solve(field: dict[str, Any]) -> tuple[float, float, float]:
    """The equations of `heat_pump` by searches: the warmest inlet at full load, then the inlet at part load."""
    give, efficiency = field["flow"] * (1.0 - field["ratio"]), field["efficiency"]
    rest = field["offset"] / (1.0 - field["ratio"])
    most = max(field["request"], full_load(rest, field))
    coldest = rest - most / give - 1.0
    warmest = min(field["minimum_inlet"], rest)
    warmest = max(warmest, balanced(field, lambda _: field["request"], coldest, efficiency))
    warmest = max(warmest, balanced(field, lambda inlet: full_load(inlet, field), coldest, efficiency))
    output = max(0.0, from_wells(warmest, **field) / (1.0 - 1.0 / cop(warmest, **field)))
    full = full_load(warmest, field)
    needed = field["units"] * output / full if full > 1.0 else 0.0
    whole = round(needed) > 0 and abs(needed - round(needed)) < 1e-6
    running = max(1, round(needed) if whole else math.ceil(needed))
    part = efficiency * (1.0 - field["degradation"] * (1.0 - needed / running))
    assume(not whole or running == field["units"] or field["degradation"] == 0.0)  # one machine more or less
    inlet = balanced(field, lambda _: output, coldest, part)
    return output, output / cop(inlet, **{**field, "efficiency": part}), inlet


@settings(deadline=None)
@given(fields)
def test_same_answer_as_a_search(field: dict[str, Any]) -> None:
    output, work, inlet, _ = heat_pump(**field)
    expected = solve(field)
    assert output == pytest.approx(expected[0], rel=1e-8, abs=1e-9 * scale(field))
    assert work == pytest.approx(expected[1], rel=1e-8, abs=1e-9 * scale(field))
    assert inlet == pytest.approx(expected[2], abs=1e-6)


@settings(deadline=None)
@given(fields)
def test_heat_is_work_and_what_the_wells_give(field: dict[str, Any]) -> None:
    output, work, inlet, _ = heat_pump(**field)
    assert output - work == pytest.approx(from_wells(inlet, **field), abs=1e-12 * scale(field) / (1.0 - field["ratio"]))


@settings(deadline=None)
@given(fields)
def test_bounds_hold(field: dict[str, Any]) -> None:
    output, work, inlet, limited = heat_pump(**field)
    rest = field["offset"] / (1.0 - field["ratio"])
    rounding = 1e-12 * scale(field)
    assert 0.0 <= output <= field["request"]
    assert inlet >= min(field["minimum_inlet"], rest) - 1e-9
    assert output <= full_load(inlet, field) * (1.0 + 1e-9) + rounding
    assert output / field["maximum_cop"] - rounding <= work <= output / MINIMUM_COP + rounding
    if limited:
        assert output < field["request"]
    if output < field["request"] - rounding:  # something is at its limit: the machines, else the wells
        assert limited or output == pytest.approx(full_load(inlet, field), rel=1e-6, abs=1.0 + rounding)


@settings(deadline=None)
@given(plain_fields, st.floats(0.0, 20.0))
def test_colder_wells_never_give_more(field: dict[str, Any], colder: float) -> None:
    cold = {**field, "offset": field["offset"] - colder}
    output, work, inlet, _ = heat_pump(**field)
    cold_output, cold_work, cold_inlet, _ = heat_pump(**cold)
    rounding = 1e-12 * (scale(field) + scale(cold))
    assert cold_output <= output + rounding
    assert cold_inlet <= inlet + 1e-9
    if cold_output > 1.0:
        assert cold_work / cold_output >= work / output - 1e-9  # nor at a better COP


@settings(deadline=None)
@given(fields, st.floats(0.0, 1.0), st.floats(0.0, 20.0))
def test_less_of_anything_never_gives_more_heat(field: dict[str, Any], share: float, worse: float) -> None:
    output = heat_pump(**field)[0]
    rounding = 1e-12 * scale(field)
    left = field["units"] * share // 1  # after outages of machines
    for change in (
        {"capacity": field["capacity"] * share},
        {"capacity": field["capacity"] * left / field["units"], "units": left},
        {"offset": field["offset"] - worse},
        {"request": field["request"] * share},
        {"minimum_inlet": field["minimum_inlet"] + worse},
    ):
        other = {**field, **change}
        assert heat_pump(**other)[0] <= output + rounding + 1e-12 * scale(other)


@settings(deadline=None)
@given(plain_fields, st.floats(1.0, 1.5))
def test_better_machines_use_less_and_at_a_limit_turn_less_work_into_heat(field: dict[str, Any], better: float) -> None:
    output, work, _, _ = heat_pump(**field)
    best_output, best_work, _, _ = heat_pump(**{**field, "efficiency": field["efficiency"] * better})
    rounding = 1e-12 * scale(field)
    assert best_output <= output + rounding
    if output > 1.0 and best_output > 1.0:
        assert best_work / best_output <= work / output + 1e-9
    if best_output == field["request"]:
        assert best_work <= work + rounding


@settings(deadline=None)
@given(plain_fields)
def test_capacity_that_nothing_changes_is_the_least_of_both(field: dict[str, Any]) -> None:
    field = {**field, "source_slope": 0.0, "supply_slope": 0.0}
    capped = {**field, "request": min(field["request"], field["capacity"]), "capacity": 1e12}
    rounding = 1e-12 * scale(field)
    assert heat_pump(**field)[0] == pytest.approx(heat_pump(**capped)[0], rel=1e-12, abs=rounding)
    assert heat_pump(**field)[1] == pytest.approx(heat_pump(**capped)[1], rel=1e-9, abs=rounding)
    free = {**field, "offset": 1e3, "flow": 1e7, "minimum_inlet": -50.0}  # wells that never limit
    assert heat_pump(**free)[0] == min(field["request"], field["capacity"])


def test_cop_is_the_share_of_carnot() -> None:
    output, work, inlet = run()
    assert output == FIELD["request"]
    assert output / work == pytest.approx(0.52 * (42.0 + 273.15) / (42.0 - inlet), rel=1e-12)
    assert MINIMUM_COP < output / work < FIELD["maximum_cop"]


@pytest.mark.parametrize(("changes", "bound"), [({"maximum_cop": 3.0}, 3.0), ({"efficiency": 0.05}, 1.1)])
def test_cop_stays_at_its_bounds(changes: dict[str, float], bound: float) -> None:
    output, work, inlet = run(**changes, minimum_inlet=-50.0)
    assert output / work == pytest.approx(bound, rel=1e-12)
    assert inlet == pytest.approx((10.0 - 9e6 * (1.0 - 1.0 / bound) / 9e5) / (1.0 - 0.6), rel=1e-12)


def test_wells_warmer_than_the_supply() -> None:
    output, work, inlet = run(offset=20.0, request=1e6)
    assert inlet > FIELD["supply"]
    assert (output, work) == pytest.approx((1e6, 1e6 / 8.0), rel=1e-12)


def test_output_falls_at_the_inlet_limit() -> None:
    free, _, unlimited = run(request=2e7, minimum_inlet=-50.0)
    output, work, inlet, limited = heat_pump(**{**FIELD, "request": 2e7})
    assert unlimited < FIELD["minimum_inlet"]
    assert limited
    assert inlet == pytest.approx(FIELD["minimum_inlet"], rel=1e-12)
    assert output < free == 2e7
    assert output - work == pytest.approx(9e5 * (10.0 - 0.4 * 3.0), rel=1e-12)
    assert run(request=4e7) == pytest.approx((output, work, inlet), rel=1e-12)
    outputs = [run(request=2e7, minimum_inlet=limit)[0] for limit in (0.0, 3.0, 6.0, 9.0)]
    assert np.all(np.diff(outputs) < 0.0)


def test_the_inlet_limit_is_told_from_the_machines() -> None:
    assert not heat_pump(**FIELD)[3]
    assert heat_pump(**{**FIELD, "request": 2e7})[3]
    assert not heat_pump(**{**FIELD, "request": 2e7, "capacity": 8e6})[3]  # they are short first
    assert not heat_pump(**{**FIELD, "request": 0.0, "offset": 1.0})[3]  # nothing asked, nothing missed
    assert heat_pump(**{**FIELD, "offset": 1.0})[3]


def test_wells_below_the_inlet_limit_at_rest_give_nothing() -> None:
    output, work, inlet = run(offset=1.0)
    assert inlet == pytest.approx(2.5, rel=1e-12)
    assert (output, work) == pytest.approx((0.0, 0.0), abs=1e-6)


@pytest.mark.parametrize("change", [{"request": 0.0}, {"capacity": 0.0}, {"capacity": 0.0, "units": 0}])
def test_no_request_or_no_machine_no_heat(change: dict[str, float]) -> None:
    output, work, inlet = run(**change)
    assert (output, work) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert inlet == pytest.approx(25.0, rel=1e-12)  # in equals out


def test_no_flow_no_heat() -> None:
    output, work, _ = run(flow=0.0)
    assert (output, work) == pytest.approx((0.0, 0.0), abs=1e-3)


def test_capacity_at_its_own_temperatures() -> None:
    """The output that machines short of heat settle at is what they can do at the inlet it leads to."""
    asked = {**FIELD, **MACHINES, "request": 2e7}
    output, work, inlet, limited = heat_pump(**asked)
    assert not limited
    share = 1.0 + 0.025 * (inlet - 7.0) - 0.0045 * (42.0 - 35.0)
    assert output == pytest.approx(9.5e6 * share, rel=1e-12)
    assert output / work == pytest.approx(0.52 * 315.15 / (42.0 - inlet), rel=1e-12)  # all at work, at full load
    colder, _, colder_inlet = run(**MACHINES, request=2e7, offset=9.0)
    assert 0.0 < (output - colder) / 9.5e6 == pytest.approx(0.025 * (inlet - colder_inlet), rel=1e-9)


@pytest.mark.parametrize(
    ("request_share", "units", "load"), [(0.3, 1, 0.3), (0.3, 4, 0.6), (0.6, 4, 0.8), (0.75, 4, 1.0), (0.1, 2, 0.2)]
)
def test_part_load_of_the_machines_that_run(request_share: float, units: int, load: float) -> None:
    """Four machines asked for 30 % of what all can do run two of them, at 60 % each."""
    request = request_share * 9.5e6 * (1.0 - 1e-12)
    output, work, inlet = run(request=request, capacity=9.5e6, units=units, degradation=0.2)
    assert output == request
    carnot = 315.15 / (42.0 - inlet)
    assert output / work == pytest.approx(min(8.0, 0.52 * (1.0 - 0.2 * (1.0 - load)) * carnot), rel=1e-10)


def test_part_load_changes_work_and_never_heat() -> None:
    for request in np.linspace(1e5, 2e7, 40):
        plain = run(**{**MACHINES, "degradation": 0.0}, request=request)
        worn = run(**MACHINES, request=request)
        assert worn[0] == plain[0]
        assert worn[1] >= plain[1] * (1.0 - 1e-12)
        assert worn[2] >= plain[2] - 1e-9


BOILER: dict[str, Any] = {"capacity": 5e6, "slope": 0.0, "rated_outdoor": 7.0, "lowest_outdoor": -math.inf}
AIR_SOURCE: dict[str, Any] = {"capacity": 5e6, "slope": 0.02, "rated_outdoor": 7.0, "lowest_outdoor": -25.0}


def test_boiler_buys_heat_over_efficiency_in_any_weather() -> None:
    for outdoor in (-60.0, 0.0, 30.0):
        share = {"boiler_share": 1.0 / 0.9, "lift_share": 0.0}
        assert peak_heating(2e6, outdoor, 45.0, **BOILER, **share) == pytest.approx((2e6, 2e6 / 0.9), rel=1e-15)
        assert peak_heating(9e6, outdoor, 45.0, **BOILER, **share) == pytest.approx((5e6, 5e6 / 0.9), rel=1e-15)


def test_air_source_heat_pump_in_the_cold() -> None:
    share = {"boiler_share": 0.0, "lift_share": 1.0 / 0.4}
    heat, bought = peak_heating(9e6, -20.0, 45.0, **AIR_SOURCE, **share)
    assert heat == pytest.approx(5e6 * (1.0 - 0.02 * 27.0), rel=1e-12)
    assert heat / bought == pytest.approx(0.4 * 318.15 / 65.0, rel=1e-12)
    assert peak_heating(1e6, 7.0, 45.0, **AIR_SOURCE, **share)[0] == 1e6
    assert peak_heating(9e6, -25.01, 45.0, **AIR_SOURCE, **share) == (0.0, 0.0)
    assert peak_heating(9e6, -50.0, 45.0, **{**AIR_SOURCE, "lowest_outdoor": -math.inf}, **share) == (0.0, 0.0)
    bad = peak_heating(1e6, -20.0, 45.0, **AIR_SOURCE, boiler_share=0.0, lift_share=1.0 / 0.1)
    assert bad[0] / bad[1] == pytest.approx(MINIMUM_COP, rel=1e-15)


TANK: dict[str, Any] = {"power": 3e6, "keep": math.exp(-0.05 / 24.0)}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 8e6), st.floats(0.0, 8e6)), min_size=1, max_size=60),
    st.floats(0.0, 2e7),
    st.floats(0.0, 1e7),
    st.floats(0.5, 1.0),
)
def test_tank_keeps_account(hours: list[tuple[float, float]], capacity: float, power: float, keep: float) -> None:
    """Through hours of demand and heat-pump capacity: nothing appears, and the tank stays within its bounds."""
    stored, balance, rounding = 0.0, 0.0, 1e-15 * 5e7
    for demand, able in hours:
        room = tank_room(stored, capacity, power, keep)
        heat = min(demand + room, able)
        stored, charged, discharged, lost = tank(stored, heat - demand, power, keep)
        balance += charged - discharged - lost
        assert 0.0 <= stored <= capacity + rounding
        assert lost >= 0.0
        assert 0.0 <= charged <= power + rounding
        assert 0.0 <= discharged <= power
        assert charged == 0.0 or discharged == 0.0
        assert heat + discharged - charged <= demand + rounding  # the buildings get no more than they ask
    assert stored == pytest.approx(balance, abs=1e-9 * (capacity + 1.0))


def test_tank_carries_an_hour_and_not_a_day() -> None:
    stored, given_hours = 1e7, []
    for _ in range(24):
        stored, charged, discharged, _ = tank(stored, -3e6, **TANK)
        assert charged == 0.0
        given_hours.append(discharged)
    assert given_hours[:3] == [3e6, 3e6, 3e6]
    assert 0.0 < given_hours[3] < 1e6  # 10 MWh less what was lost
    assert given_hours[4:] == [0.0] * 20
    assert tank(1e7, 0.0, **TANK)[0] == pytest.approx(1e7 * math.exp(-0.05 / 24.0), rel=1e-15)


def test_supply_temperature_at_its_nodes() -> None:
    curve = {"balance": 18.0, "supply_mild": 33.0, "supply_rise": 12.0 / 34.9}
    outdoor = (30.0, 18.0, 0.55, -16.9, -40.0)
    supply = [supply_temperature(each, **curve) for each in outdoor]
    assert supply == pytest.approx([33.0, 33.0, 39.0, 45.0, 33.0 + 12.0 * 58.0 / 34.9], rel=1e-12)
