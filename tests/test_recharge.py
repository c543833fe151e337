"""Heat put into the field in summer: against the well under prescribed load, its balances, its limits, what it pays."""

from typing import Any

import numpy as np
import pytest
from test_operation import (
    AROUND,
    COLUMN,
    DIRECTIONS,
    OWN,
    SUMMER,
    Array,
    heating_season,
    held,
    mixed,
    neighbours,
    plant,
    wells,
)

from kernels.coaxial import sweep_up
from kernels.ground import FINE, HOUR, HOURLY, Modes, recall
from kernels.operation import (
    State,
    Steps,
    Wells,
    mean_cooling,
    prepare_steps,
    summer_recharge,
    summer_rest,
    undisturbed_state,
)
from kernels.well import Well, prescribed_load
from study.config import Study, load_study
from study.sampling import sample_inputs
from study.simulation import RECHARGE_DAYS, RESTS, simulate
from study.wells import FIRST_GUESS, friction, hydraulics, with_fluid
from tests.conftest import SMOKE, variant

DAYS = 24 * HOUR
STEP = RECHARGE_DAYS * DAYS
ANY = np.full(1, np.inf)
"""No limit to the temperature of what is put in."""


def recharge(state: State, field: Wells, power: float, *, days: int, step: float = STEP, warmest: Any = ANY) -> Array:
    """Some days of it: heat taken by a well, from its rock, and electricity of its pump, step by step, W."""
    steps, lanes = prepare_steps(field, step), len(field.flow)
    offer = np.full(lanes, power)
    return np.array(
        [
            summer_recharge(state, field, steps, offer, warmest + np.zeros(lanes))
            for _ in range(round(days * DAYS / step))
        ]
    )


def answer(state: State, field: Wells, steps: Steps) -> tuple[Array, Array]:
    """A and B of outlet = A + B · inlet for the step to come."""
    nodes, lanes = state.down.shape
    at, rest = np.repeat(field.column.segment, 2), np.empty((nodes, lanes))
    for node in range(nodes):
        recall(steps.decay, field.weight[at[node]], state.memory[node], field.column.undisturbed[node], rest[node])
    source, offset = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes))
    sweep_up(steps.counterflow, field.column.segment, rest, state.down, state.up, source, offset)
    return offset[0], steps.counterflow.slope[0]


def one_well(field: Wells) -> Well:
    """The same as `kernels.well` has it."""
    channels = (field.storage_down[0, 0], field.storage_up[0, 0])
    annulus, inner = channels if field.annulus_down else channels[::-1]
    return Well(
        column=COLUMN,
        flow=field.flow[0],
        surroundings=AROUND,
        annulus_inner=field.annulus_inner[:, 0],
        annulus_storage=annulus,
        inner_storage=inner,
        pipe_storage=np.zeros(3),
        pipe_share=np.full(3, 0.5),
        annulus_down=field.annulus_down,
    )


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
@pytest.mark.parametrize(("modes", "errors"), [(HOURLY, (1e-11, 1e-11, 1e-11)), (FINE, (0.6, 0.2, 0.01))])
def test_recharge_equals_the_prescribed_load(
    annulus_down: bool, modes: Modes, errors: tuple[float, float, float]
) -> None:
    """100 kW for 140 days, with the same steps and modes, and with steps from a minute on.

    Steps of five days are 0.6 K off after the first of them, anywhere in the well, 0.2 K after the second and 0.01 K
    after the last.
    """
    field, power = wells(annulus_down=annulus_down), 100e3
    state, steps, times = undisturbed_state(field), prepare_steps(field, STEP), STEP * np.arange(1.0, 29.0)
    found, ends = [], []
    for _ in times:
        settled, ratio = answer(state, field, steps)
        taken, *_ = summer_recharge(state, field, steps, np.full(1, power), ANY)
        inlet = (settled + taken / field.flow) / (1.0 - ratio)
        found.append(np.concatenate([state.down[:, 0], state.up[:, 0]]))
        ends.append([inlet[0], inlet[0] - taken[0] / field.flow[0]])
    same: dict[str, Any] = {"first": STEP, "growth": 0.0, "extrapolate": False} if modes is HOURLY else {}
    expected = prescribed_load(
        one_well(field),
        change=np.zeros(1),
        load=np.array([-power]),
        fixed_inlet=False,
        times=times,
        modes=modes,
        **same,
    )
    channels = (expected.annulus, expected.inner) if annulus_down else (expected.inner, expected.annulus)
    for values, wanted in (
        (np.array(found), np.concatenate(channels, axis=1)),
        (np.array(ends), np.stack([expected.inlet, expected.outlet], axis=1)),
    ):
        difference = np.abs(values - wanted).max(axis=1)
        for steps_since, error in zip((difference, difference[1:], difference[-1:]), errors, strict=True):
            assert steps_since.max() < error
    assert expected.inlet[-1] > expected.outlet[-1] > 60.0


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_energy_closes_and_pumps_by_hand(annulus_down: bool) -> None:
    """What a well takes is in its water and its rock; the pump works against friction less the buoyancy head."""
    field, state = tired(annulus_down=annulus_down)
    half = 0.5 * field.column.length[np.repeat(field.column.segment, 2)]
    for length in (STEP, DAYS, 2.5 * DAYS):
        before = held(field, state.down, state.up)
        taken, rock, pump = summer_recharge(
            state, field, prepare_steps(field, length), np.full(8, 3e6), np.full(8, 1e3)
        )
        np.testing.assert_allclose(taken, 3e6 / field.number, rtol=1e-11)
        stored = (held(field, state.down, state.up) - before) * HOUR / length
        np.testing.assert_allclose(stored, taken + rock, rtol=0, atol=1e-10 * taken.max())
        assert np.all(rock < 0.0)
        head = (half * (state.up - state.down)).sum(axis=0)
        assert np.all(head < 0.0)  # warm water goes down
        pressure = field.friction - field.buoyancy * head
        np.testing.assert_allclose(pump, field.volume_flow * pressure / field.pump_efficiency, rtol=1e-12)


def tired(*, annulus_down: bool = True, **changes: Any) -> tuple[Wells, State]:
    """Eight fields of twelve wells, all different, after a winter of 60 days."""
    field, building, outdoor = mixed(8, annulus_down=annulus_down)
    field, state = field._replace(**changes), undisturbed_state(field)
    heating_season(state, field, prepare_steps(field, HOUR, daily=True), building, outdoor)
    return field, state


def copy(state: State) -> State:
    return State(*(value.copy() for value in state))


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_rock_adds_up_what_winter_takes_and_summer_gives(annulus_down: bool) -> None:
    """Memory and water follow evenly from what the winter takes and the summer gives, where nothing limits the heat.

    All against a winter without demand and a summer of 10 kW.
    """
    field, days = wells(annulus_down=annulus_down), 20

    def year(load: float, power: float) -> Array:
        state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
        supply = plant(design_load=load, maximum_cop=3.0, minimum_inlet=-90.0)
        season = heating_season(state, field, steps, supply, np.full((24 * days, 1), -17.0))
        np.testing.assert_allclose(season.heat_extracted, load * 2.0 / 3.0 * 24 * days, rtol=1e-9, atol=1e-6)
        taken, _, _ = recharge(state, field, power, days=30, warmest=1e3).T[0]
        np.testing.assert_allclose(taken, power, rtol=1e-9, atol=1e-6)
        return np.concatenate([state.memory.ravel(), state.down.ravel(), state.up.ravel()])

    none, winter, summer, both = year(0.0, 1e4), year(250e3, 1e4), year(0.0, 9e4), year(250e3, 9e4)
    np.testing.assert_allclose(both - none, (winter - none) + (summer - none), rtol=0, atol=1e-10 * np.abs(both).max())
    assert np.abs(summer - none).max() > 0.05 * np.abs(winter - none).max()
    np.testing.assert_allclose(year(0.0, 17e4) - none, 2.0 * (summer - none), rtol=0, atol=1e-10 * np.abs(both).max())


def test_recharge_in_steps_of_five_days_and_of_one() -> None:
    """150 days of it: the next winter's heat is the same within 1e-4, its mean outlet within 1 mK.

    But where the warmest water allowed is what limits it, longer steps put in less, by at most 1 % of what is on offer,
    and the outlet is 6 mK colder at most.
    """
    field, building, outdoor = mixed(8)
    _, state = tired()
    seasons = []
    for step in (STEP, DAYS):
        after = copy(state)
        put_in = recharge(after, field, 1e6, days=150, step=step, warmest=60.0)[:, 0].mean(axis=0)
        for _ in range(RESTS):
            summer_rest(after, field, prepare_steps(field, (SUMMER - 150 * DAYS) / RESTS))
        season = heating_season(after, field, prepare_steps(field, HOUR, daily=True), building, outdoor)
        seasons.append((put_in, season.outlet_sum / len(outdoor), season.heat_extracted))
    (heat, outlet, extracted), (daily_heat, daily_outlet, daily_extracted) = seasons
    limited = daily_heat < 0.9999e6 / field.number
    assert 1 < limited.sum() < 7
    assert np.all(heat <= daily_heat * (1.0 + 1e-12))
    np.testing.assert_allclose(heat, daily_heat, rtol=0, atol=0.01 * 1e6 / 12.0)
    assert np.all(np.abs(outlet - daily_outlet) < np.where(limited, 0.006, 0.001))
    np.testing.assert_allclose(extracted, daily_extracted, rtol=1e-4)


def test_no_warmer_than_allowed_and_never_a_withdrawal() -> None:
    """From water far colder than the ground to more than is on offer: what goes in, and how warm."""
    field, state = tired()
    steps, power = prepare_steps(field, STEP), np.full(8, 2e6)
    settled, ratio = answer(state, field, steps)
    rest = settled / (1.0 - ratio)  # water that gives and takes nothing
    needed = rest + power / (field.number * field.flow * (1.0 - ratio))
    taken = []
    for warmest in (rest - 20.0, rest - 1e-3, rest, rest + 0.2 * (needed - rest), needed, needed + 20.0):
        after = copy(state)
        heat, _, _ = summer_recharge(after, field, steps, power, warmest)
        inlet = np.where(heat > 1.0, (settled + heat / field.flow) / (1.0 - ratio), -np.inf)
        assert np.all(inlet <= warmest + 1e-9)
        assert np.all(heat >= -1e-9 * power)
        assert np.all(heat * field.number <= power * (1.0 + 1e-9))
        taken.append(heat * field.number)
    scale = 1e-9 * power.max()
    np.testing.assert_allclose(taken[:3], 0.0, atol=scale)
    np.testing.assert_allclose(taken[3], 0.2 * power, rtol=1e-9)
    np.testing.assert_allclose(taken[4:], np.broadcast_to(power, (2, 8)), rtol=1e-9)


def test_as_the_rock_warms_it_takes_less_of_water_no_warmer_than_allowed() -> None:
    field, state = tired()
    taken, rock, _ = recharge(state, field, 1e9, days=100, warmest=100.0).swapaxes(0, 1)
    assert np.all(np.diff(taken, axis=0) < 0.0)
    assert np.all(taken[-1] < 0.8 * taken[0])
    assert np.all(taken > 0.0)
    assert np.all(rock[1:] < 0.0)


@pytest.mark.parametrize(("power", "warmest"), [(0.0, 90.0), (2e6, -50.0)])
def test_a_field_that_takes_nothing_rests(power: float, warmest: float) -> None:
    field, state = tired()
    steps, rested = prepare_steps(field, STEP), copy(state)
    rock = summer_rest(rested, field, steps)
    found = summer_recharge(state, field, steps, np.full(8, power), np.full(8, warmest))
    for name in ("memory", "down", "up"):
        np.testing.assert_array_equal(getattr(state, name), getattr(rested, name))
    np.testing.assert_array_equal(found, [np.zeros(8), rock, np.zeros(8)])


def test_a_building_that_was_cold_is_warm_after_a_recharge() -> None:
    """As after a rest: where a recharge takes all summer, there is no rest."""
    field, state = tired()
    state.deviation[:], state.mass_deviation[:] = 3.0, 2.0
    recharge(state, field, 1e6, days=5, warmest=60.0)
    np.testing.assert_array_equal([state.deviation, state.mass_deviation], 0.0)


def test_recharged_neighbours_warm_each_other() -> None:
    """After eight years of recharge wells are the warmer the closer they are, by what more heat does to them."""
    others = neighbours([1e6, 40.0, 20.0])
    field, water, warmth = wells(lanes=3, weight=OWN.T[:, :, None] + others), [], []
    for power in (10e3, 110e3):
        state = undisturbed_state(field)
        recharge(state, field, power, days=3000, step=25 * DAYS, warmest=1e3)
        water.append(state.down.mean(axis=0))
        warmth.append(-mean_cooling(state, field, others))
    np.testing.assert_allclose(warmth[1][0] - warmth[0][0], 0.0, atol=1e-3)
    assert np.all(np.diff(warmth[1] - warmth[0]) > 0.1)
    assert np.all(np.diff(water[1] - water[0]) > 0.1)


ROWS = np.arange(64)
WINTERS = 20
DENSE: dict[str, Any] = {
    "winters": WINTERS,
    "field.rows": 2,
    "field.columns": 3,
    "building.floor_area": "75000 m^2",
    "heat_pump.capacity": "2 MW",
    "heat_pump.minimum_inlet_temperature": "8 degC",
    "peak_heating": {"kind": "none"},
}
"""Six wells close to each other, asked for all that they have: their heat falls from winter to winter."""
SUMMER_DAYS = 153


def recharged(power: float, **changes: Any) -> Study:
    offer = {"start": "05-01", "end": "09-30", "power": f"{power!r} MW", "maximum_inlet_temperature": "90 degC"}
    return variant(load_study(SMOKE), {**DENSE, "summer_recharge": {**offer, **changes}})


def values(study: Study) -> dict[str, Any]:
    results = simulate(study, ROWS)
    assert results.reasons == {}
    return dict(results.values)


@pytest.fixture(scope="module")
def drawn_down() -> dict[str, Any]:
    return values(variant(load_study(SMOKE), DENSE))


@pytest.fixture(scope="module")
def half(drawn_down: dict[str, Any]) -> float:
    """Power that puts in half of what the mean winter takes, MW."""
    return float(0.5 * drawn_down["heat_extracted"].mean() / (24 * SUMMER_DAYS))


@pytest.fixture(scope="module")
def warmed(half: float) -> dict[str, Any]:
    return values(recharged(half))


def test_recharge_pays_in_winter_20(drawn_down: dict[str, Any], warmed: dict[str, Any]) -> None:
    """Warmer wells, more heat from them, fewer hours short, in every sample, and the more the later."""
    last = WINTERS - 1
    for name in ("heat_extracted", "heat_delivered", "outlet_temperature_mean", "heating_reliability"):
        gain = warmed[name] - drawn_down[name]
        np.testing.assert_array_equal(gain[:, 0], 0.0, err_msg=name)  # the first summer is yet to come
        assert (gain[:, 1:] > 0.0).all(), name
        assert (gain[:, last] > gain[:, 1]).all(), name
    assert (warmed["inlet_temperature_min"][:, last] >= drawn_down["inlet_temperature_min"][:, last]).all()
    assert (warmed["inlet_limit_hours"] <= drawn_down["inlet_limit_hours"]).all()
    assert (warmed["unmet_hours"][:, last] < drawn_down["unmet_hours"][:, last]).all()
    assert (warmed["thermal_interference"][:, last] < drawn_down["thermal_interference"][:, last]).all()
    given_back = warmed["heat_extracted"] - drawn_down["heat_extracted"]
    assert (given_back < warmed["heat_recharged"]).all()  # never more than was put in


def test_what_is_put_in_and_its_electricity_are_in_the_ensemble(
    drawn_down: dict[str, Any], warmed: dict[str, Any], half: float
) -> None:
    np.testing.assert_array_equal(drawn_down["heat_recharged"], 0.0)
    np.testing.assert_allclose(warmed["heat_recharged"], half * 24 * SUMMER_DAYS, rtol=1e-9)
    pumps = (warmed["electricity_circulation"] - drawn_down["electricity_circulation"])[:, 0]
    study = recharged(half)
    with np.errstate(all="ignore"):
        inputs = with_fluid(sample_inputs(study, ROWS), "water", np.full(len(ROWS), FIRST_GUESS))
        flow_rate, pipes, fluid = hydraulics(inputs)
        losses = 6 * flow_rate * friction(inputs, flow_rate, pipes, fluid) / inputs["circulation.pump_efficiency"]
    # warm water going down and cooler water coming up cost more; the fluid is not quite as warm as first guessed
    np.testing.assert_allclose(pumps, losses * 1e-6 * 24 * SUMMER_DAYS, rtol=0.1)
    more = warmed["electricity"] - warmed["electricity_compressor"] - warmed["electricity_circulation"]
    np.testing.assert_allclose(more, warmed["electricity_backup"], atol=1e-9 * warmed["electricity"].max())
    assert (warmed["energy_imbalance"] < 1e-9).all()


def test_cooler_water_puts_in_less_and_more_as_the_field_is_drawn_down(half: float) -> None:
    cooler = values(recharged(half, maximum_inlet_temperature="40 degC"))
    assert (cooler["heat_recharged"] < 0.999 * half * 24 * SUMMER_DAYS).any()
    assert (cooler["heat_recharged"] <= half * 24 * SUMMER_DAYS * (1.0 + 1e-9)).all()
    assert cooler["heat_recharged"][:, -1].mean() > 2.0 * cooler["heat_recharged"][:, 0].mean()
    assert (cooler["heat_recharged"] > -1e-9).all()


def test_no_heat_on_offer_is_no_recharge(drawn_down: dict[str, Any]) -> None:
    nothing = values(recharged(0.0))
    np.testing.assert_array_equal(nothing["heat_recharged"], 0.0)
    np.testing.assert_array_equal(nothing["electricity_circulation"][:, 0], drawn_down["electricity_circulation"][:, 0])
    np.testing.assert_allclose(nothing["heat_extracted"], drawn_down["heat_extracted"], rtol=1e-4)
