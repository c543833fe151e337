"""hotland's side: the well and the chain of `finite_volumes` and `chain`, with what a study uses by default."""

from typing import Any

import chain
import exact
import numpy as np
from finite_volumes import CONDUCTIVITIES, DAYS, HEAT, Array, base_case

from kernels import LANES, weather
from kernels.ground import HOUR, HOURLY, Surroundings
from kernels.operation import Plant, Wells, heating_season, prepare_steps, summer_rest, undisturbed_state
from kernels.season import DAY, FAST, MODES
from kernels.well import Column
from study.simulation import CELLS, RESTS

CAPPED = chain.Plant()._replace(
    design_load=1.5 * HEAT, capacity=1.5 * HEAT, efficiency=9.0, maximum_cop=3.0, minimum_inlet=-90.0
)
"""A heat pump that takes HEAT from the wells whatever their temperature, at the design temperature outdoors."""


def wells(*, annulus_down: bool, conductivities: tuple[float, ...] = CONDUCTIVITIES[:1]) -> Wells:
    """LANES lone wells in rocks of these conductivities, W/m/K, in turn; CELLS is what a study gives this well."""
    one = np.ones(LANES)
    well = exact.well_of(exact.si(base_case(annulus_down=annulus_down)))
    ((depth, _, heat_capacity, gradient),) = well.layers
    conductivity = np.resize(conductivities, LANES)
    instant, weight = HOURLY.own(
        Surroundings(
            film=one * exact.mean_resistance(well, well.annulus_to_rock),
            shells=[],
            radius=one * well.borehole_radius,
            conductivity=conductivity,
            heat_capacity=one * heat_capacity,
        )
    )
    storage = [well.annulus_heat_capacity * one[None], well.inner_heat_capacity * one[None]]
    down, up = storage if annulus_down else storage[::-1]
    plant = chain.Plant()
    return Wells(
        column=Column.cut(depth * one[None], gradient * one[None], well.surface_temperature * one, np.array([CELLS])),
        number=one,
        flow=one * well.flow,
        annulus_inner=one[None] * exact.mean_resistance(well, well.inner_to_annulus),
        storage_down=down,
        storage_up=up,
        annulus_down=annulus_down,
        instant=instant[None],
        weight=weight[None],
        friction=one * plant.friction,
        buoyancy=one * plant.buoyancy,
        pump_efficiency=one * plant.pump_efficiency,
        volume_flow=one * plant.volume_flow,
    )


def plants(plant: chain.Plant) -> Plant:
    """LANES copies of a plant of `chain`."""
    return Plant(**{name: np.full(LANES, getattr(plant, name)) for name in Plant._fields})


def constant_load(*, hours: int) -> dict[str, Any]:
    """Plant and outdoor temperature that take HEAT from the wells, for `heating_season`."""
    return {"plant": plants(CAPPED), "outdoor": np.full((hours, LANES), CAPPED.design_outdoor)}


def outlets(*, annulus_down: bool) -> dict[float, Array]:
    """Outlet at DAYS of constant load, °C, (time,), by conductivity of the rock.

    The kernel keeps the sums of a season only. Under this load the inlet falls from hour to hour: the lowest of a
    season is the last.
    """
    field = wells(annulus_down=annulus_down, conductivities=CONDUCTIVITIES)
    state, steps = undisturbed_state(field), prepare_steps(field, HOUR, daily=True)
    hours = np.rint(np.diff(DAYS, prepend=0.0) * 24.0).astype(np.int64)
    inlet = np.array([heating_season(state, field, steps, **constant_load(hours=each)).inlet_min for each in hours])
    return {k: inlet[:, lane] + HEAT / field.flow[lane] for lane, k in enumerate(CONDUCTIVITIES)}


def run_chain(*, winters: int) -> Array:
    """`chain.SUMS` of the whole chain for samples 0 … LANES - 1, (winter, sum, lane)."""
    field, plant = wells(annulus_down=True), plants(chain.Plant())
    of_winters, of_days = weather.innovations(chain.SEED, np.arange(LANES), winters=winters, days=chain.DAYS)
    offsets = weather.winter_offsets(
        of_winters, season_standard_deviation=chain.WINTER_DEVIATION, mean_offset=0.0, warming=chain.WARMING
    )
    climate = chain.climate()
    hourly = prepare_steps(field, HOUR, daily=True)
    resting = prepare_steps(field, (8760 - 24 * chain.DAYS) * HOUR / RESTS)
    state = undisturbed_state(field)
    sums = []
    for winter in range(winters):
        outdoor = weather.winter_temperatures(climate, of_days[winter : winter + 1], offsets[winter : winter + 1])[0]
        season = heating_season(state, field, hourly, plant, outdoor)
        for _ in range(RESTS):
            summer_rest(state, field, resting)
        sums.append([getattr(season, name) for name in chain.SUMS])
    return np.array(sums)


def operations() -> float:
    """Additions, multiplications and divisions in a well-hour of `kernels.season`, counted by hand in its source.

    A multiply-add counts as two. For each cell `cell_up`, `cell_down` with its two nodes, and a day's share of
    `begin_day` and `end_day`; `plant_hour` and `close_hour` once.
    """
    slow = MODES - FAST
    up = 4 * 3 + 9
    down = 2 + 4 * 11 + 3 + 2 * (13 + 5 * FAST) + 4
    day = 2 * (4 * slow + 2 + 3 * FAST) + 2 * (1 + 3 * slow)
    plant, close = 64, 8
    return CELLS * (up + down + day / DAY) + plant + close
