"""The heat pump against its own equations solved another way, its bounds, and the building that cools."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from kernels.plant import KELVIN, MINIMUM_COP, heat_demand, heat_pump, indoor_shortfall, supply_temperature

FIELD = {  # 28 wells in winter: at rest at 25 °C; an inlet of 5 °C comes back at 13 °C, with 7.2 MW
    "request": 9e6,
    "supply": 42.0,
    "offset": 10.0,
    "ratio": 0.6,
    "flow": 9e5,
    "efficiency": 0.52,
    "maximum_cop": 8.0,
    "minimum_inlet": 3.0,
}

fields = st.fixed_dictionaries(
    {
        "request": st.floats(0.0, 5e7),
        "supply": st.floats(25.0, 70.0),
        "offset": st.floats(-5.0, 40.0),
        "ratio": st.floats(0.3, 0.98),
        "flow": st.floats(1e4, 2e6),
        "efficiency": st.floats(0.2, 0.8),
        "maximum_cop": st.floats(3.0, 12.0),
        "minimum_inlet": st.floats(-8.0, 12.0),
    }
)


def run(**changes: float) -> tuple[float, float, float]:
    """Output (W), work (W), inlet (°C) of `FIELD` with some numbers changed."""
    return heat_pump(**{**FIELD, **changes})


def cop(inlet: float, *, supply: float, efficiency: float, maximum_cop: float, **_: float) -> float:
    """Coefficient of performance within its bounds."""
    if supply <= inlet:
        return maximum_cop
    carnot = (supply + KELVIN) / (supply - inlet)
    return float(np.clip(efficiency * carnot, MINIMUM_COP, maximum_cop))


def from_wells(inlet: float, *, offset: float, ratio: float, flow: float, **_: float) -> float:
    """Heat that the wells give, W."""
    return flow * (offset + ratio * inlet - inlet)


def scale(field: dict[str, float]) -> float:
    """Size of the terms that the powers of a field are differences of, W: rounding is a share of it."""
    return field["request"] + field["flow"] * (abs(field["offset"]) + abs(field["minimum_inlet"]) + field["supply"])


def solve(field: dict[str, float]) -> tuple[float, float, float]:
    """The equations of `heat_pump`, by searching the inlet at which the wells give what the evaporator takes."""
    rest = field["offset"] / (1.0 - field["ratio"])

    def excess(inlet: float) -> float:
        return from_wells(inlet, **field) - field["request"] * (1.0 - 1.0 / cop(inlet, **field))

    coldest = rest - field["request"] / field["flow"] / (1.0 - field["ratio"]) - 1.0
    inlet = brentq(excess, coldest, rest + 1e-9, xtol=1e-12, rtol=1e-14)
    output = field["request"]
    if inlet < field["minimum_inlet"]:
        inlet = min(field["minimum_inlet"], rest)
        output = from_wells(inlet, **field) / (1.0 - 1.0 / cop(inlet, **field))
    return output, output / cop(inlet, **field), inlet


@settings(deadline=None)
@given(fields)
def test_same_answer_as_a_search(field: dict[str, float]) -> None:
    output, work, inlet = heat_pump(**field)
    expected = solve(field)
    assert output == pytest.approx(expected[0], rel=1e-9, abs=1e-9 * scale(field))
    assert work == pytest.approx(expected[1], rel=1e-9, abs=1e-9 * scale(field))
    assert inlet == pytest.approx(expected[2], abs=1e-7)


@settings(deadline=None)
@given(fields)
def test_heat_is_work_and_what_the_wells_give(field: dict[str, float]) -> None:
    output, work, inlet = heat_pump(**field)
    assert output - work == pytest.approx(from_wells(inlet, **field), abs=1e-12 * scale(field) / (1.0 - field["ratio"]))


@settings(deadline=None)
@given(fields)
def test_bounds_hold(field: dict[str, float]) -> None:
    output, work, inlet = heat_pump(**field)
    rest = field["offset"] / (1.0 - field["ratio"])
    rounding = 1e-12 * scale(field)
    assert -rounding <= output <= field["request"] + rounding
    assert inlet >= min(field["minimum_inlet"], rest) - 1e-9
    assert output / field["maximum_cop"] - rounding <= work <= output / MINIMUM_COP + rounding


@settings(deadline=None)
@given(fields, st.floats(0.0, 20.0))
def test_colder_wells_never_give_more(field: dict[str, float], colder: float) -> None:
    cold = {**field, "offset": field["offset"] - colder}
    output, work, inlet = heat_pump(**field)
    cold_output, cold_work, cold_inlet = heat_pump(**cold)
    rounding = 1e-12 * (scale(field) + scale(cold))
    assert cold_output <= output + rounding
    assert cold_inlet <= inlet + 1e-9
    if cold_output > 1.0:
        assert cold_work / cold_output >= work / output - 1e-9  # nor at a better COP


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
    output, work, inlet = run(request=2e7)
    assert unlimited < FIELD["minimum_inlet"] == inlet
    assert output < free == 2e7
    assert output - work == pytest.approx(9e5 * (10.0 - 0.4 * 3.0), rel=1e-12)
    assert run(request=4e7) == pytest.approx((output, work, inlet), rel=1e-12)
    outputs = [run(request=2e7, minimum_inlet=limit)[0] for limit in (0.0, 3.0, 6.0, 9.0)]
    assert np.all(np.diff(outputs) < 0.0)


def test_wells_below_the_inlet_limit_at_rest_give_nothing() -> None:
    output, work, inlet = run(offset=1.0)
    assert inlet == pytest.approx(2.5, rel=1e-12)
    assert (output, work) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_no_request_no_heat() -> None:
    output, work, inlet = run(request=0.0)
    assert (output, work) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert inlet == pytest.approx(25.0, rel=1e-12)  # in equals out


BUILDING: dict[str, Any] = {"design_load": 29e6, "design_outdoor": -16.9, "balance": 18.0}


def test_heat_demand_at_its_nodes() -> None:
    assert heat_demand(18.0, **BUILDING) == 0.0
    assert heat_demand(25.0, **BUILDING) == 0.0
    assert heat_demand(-16.9, **BUILDING) == pytest.approx(29e6, rel=1e-15)
    assert heat_demand(0.55, **BUILDING) == pytest.approx(14.5e6, rel=1e-12)
    assert heat_demand(-34.35, **BUILDING) == pytest.approx(1.5 * 29e6, rel=1e-12)  # no upper end


def test_supply_temperature_at_its_nodes() -> None:
    curve = {"design_outdoor": -16.9, "balance": 18.0, "supply_design": 45.0, "supply_mild": 33.0}
    outdoor = (30.0, 18.0, 0.55, -16.9, -40.0)
    supply = [supply_temperature(each, **curve) for each in outdoor]
    assert supply == pytest.approx([33.0, 33.0, 39.0, 45.0, 33.0 + 12.0 * 58.0 / 34.9], rel=1e-12)


def test_indoor_shortfall_is_the_building_cooling() -> None:
    """C dθ/dt = unmet - UA θ, integrated through two days of deficits that change every hour."""
    conductance, time_constant = 8e5, 40.0
    unmet = np.maximum(np.random.default_rng(4).normal(1e6, 3e6, 48), 0.0)
    shortfall = 0.0
    theta = np.zeros(1)
    for each in unmet:
        shortfall = indoor_shortfall(shortfall, each, conductance, np.exp(-1.0 / time_constant))
        theta = solve_ivp(
            lambda _, now, each=each: (each / conductance - now) / time_constant, (0.0, 1.0), theta, rtol=1e-11
        ).y[:, -1]
        assert shortfall == pytest.approx(theta.item(), rel=1e-9, abs=1e-12)
    assert shortfall > 0.1


def test_indoor_shortfall_ends_where_losses_fell_by_the_deficit() -> None:
    persistence = np.exp(-1.0 / 40.0)
    assert indoor_shortfall(2e6 / 8e5, 2e6, 8e5, persistence) == pytest.approx(2.5, rel=1e-15)
    shortfall = 0.0
    for _ in range(2000):
        shortfall = indoor_shortfall(shortfall, 2e6, 8e5, persistence)
    assert shortfall == pytest.approx(2.5, rel=1e-12)
    assert indoor_shortfall(2.5, 0.0, 8e5, persistence) == pytest.approx(2.5 * persistence, rel=1e-15)
