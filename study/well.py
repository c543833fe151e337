"""A well case: one well, no uncertainty, from its file to temperatures over time."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from kernels.coaxial import GAUSS_POINTS, ROOT3
from kernels.pipes import GRAVITY
from kernels.plant import KELVIN
from kernels.well import Column, History, Well, prescribed_load, share_cells
from study.config import WellCase
from study.errors import ConfigError
from study.fluid import flow_problem, flow_warnings, fluid_problem, freezing_point
from study.reading import Section
from study.wells import (
    FIRST_GUESS,
    Inputs,
    WellArrays,
    friction,
    hydraulics,
    segments,
    transfer_units,
    with_fluid,
)

Array = NDArray[np.float64]

CELLS, MOST_CELLS = 20, 200
"""Cells along the well: at least and at most; in between one for each of its transfer units."""

WELL_ENOUGH = 0.1
MOST_REPEATS = 10
"""A medium's properties are those of its loop's mean temperature, within so many kelvin or after so many attempts."""

COARSE_STEP, COARSE_GROWTH = 3600.0, 0.05

DAY = 86400.0


def run_well_case(case: WellCase) -> xr.Dataset:
    """Compute a well case.

    Returns
    -------
    Dataset over `time` (days since circulation began) with `inlet_temperature` and `outlet_temperature` (degC) and
    `heat_rate` (kW), `buoyancy_pressure` (kPa) and `pumping_power` (kW); `friction_pressure` (kPa) and the thermal
    resistances `annulus_wall_resistance` and `annulus_inner_resistance` (m K/W).
    Where the case asks for `depths`, also `annulus_temperature`, `inner_temperature` and `wall_temperature` (degC, the
    last of the borehole wall) over `time` and `depth` (m), and over `depth` `undisturbed_temperature`.
    """
    inputs = _with_loop_temperature(case)
    arrays = _arrays(inputs)
    history = _history(case, arrays, times=np.array(case.times) * DAY)
    _refuse_temperatures(case, inputs, history)
    column, flow = arrays.column.lane(0), float(arrays.flow[0])
    variables: dict[str, tuple[Any, Any, str, str]] = {
        "inlet_temperature": ("time", history.inlet, "degC", "water entering the well"),
        "outlet_temperature": ("time", history.outlet, "degC", "water leaving the well"),
        "heat_rate": ("time", flow * (history.outlet - history.inlet) / 1e3, "kW", "heat taken from the well"),
    }
    for name, values, meaning in (
        ("annulus_wall_resistance", arrays.resistances.annulus_wall, "annulus to borehole wall, mean over the depth"),
        ("annulus_inner_resistance", arrays.resistances.annulus_inner, "annulus to inner pipe, mean over the depth"),
    ):
        mean = np.average(values[:, 0], weights=column.length * column.cells)
        variables[name] = ((), mean, "m K W-1", meaning)
    annulus_down = case.well.flow_direction == "annulus_down"
    lost, buoyancy = _pressures(inputs, arrays, history, annulus_down=annulus_down)
    power = arrays.flow_rate * np.maximum(lost - buoyancy, 0.0)
    variables |= {
        "friction_pressure": ((), lost / 1e3, "kPa", "pressure lost to friction down and up the well"),
        "buoyancy_pressure": ("time", buoyancy / 1e3, "kPa", "pressure that the lighter water going up gives back"),
        "pumping_power": (
            "time",
            power / 1e3,
            "kW",
            "power given to the water by the pump, without the pump's own loss",
        ),
    }
    coordinates = {"time": ("time", np.array(case.times), {"units": "d", "long_name": "time since circulation began"})}
    if case.depths is not None:
        depth = np.array(case.depths)
        tops = [history.inlet, history.outlet][:: 1 if annulus_down else -1]
        annulus, inner = (
            _water_along(column, at_nodes, at_top, depth)
            for at_nodes, at_top in zip((history.annulus, history.inner), tops, strict=True)
        )
        for name, values, meaning in (
            ("annulus_temperature", annulus, "water in the annulus"),
            ("inner_temperature", inner, "water in the inner pipe"),
            ("wall_temperature", annulus + _over_annulus(column, history, depth), "borehole wall"),
        ):
            variables[name] = (("time", "depth"), values, "degC", meaning)
        variables["undisturbed_temperature"] = ("depth", _undisturbed(case, depth), "degC", "ground before")
        coordinates["depth"] = ("depth", depth, {"units": "m", "long_name": "depth", "positive": "down"})
    return xr.Dataset(
        {
            name: (dims, values, {"units": units, "long_name": long_name})
            for name, (dims, values, units, long_name) in variables.items()
        },
        coords=coordinates,
    )


@lru_cache(maxsize=1)  # remarks and run ask for the same
def _with_loop_temperature(case: WellCase) -> Inputs:
    """The inputs of a case with its fluid's properties; those of a medium without temperature at its loop's mean.

    Mean of the water entering and leaving over the first year, whatever the output times, in coarse steps.
    """
    numbers = _inputs(case)
    medium, temperature = case.fluid.medium, numbers.get("fluid.temperature", np.array([FIRST_GUESS]))
    for _ in range(MOST_REPEATS):
        inputs = with_fluid(numbers, medium, temperature)
        _refuse_flow(case, inputs)
        if medium is None or case.fluid.temperature is not None:
            break
        months = np.arange(1.0, 13.0) * 365.0 / 12.0 * DAY
        history = _history(
            case, _arrays(inputs), times=months, first=COARSE_STEP, growth=COARSE_GROWTH, extrapolate=False
        )
        loop = np.array([0.5 * (history.inlet + history.outlet).mean()])
        if abs(loop - temperature) < WELL_ENOUGH:
            break
        temperature = loop
    return inputs


def _refuse_flow(case: WellCase, inputs: Inputs) -> None:
    """Raise ConfigError for a fluid or a flow of which nothing is known."""
    medium, problems = case.fluid.medium, []
    if medium is not None:
        state = _state(inputs)
        problems = [
            f"fluid: at a mean of {state['temperature'][0]:.1f} degC in the loop: {problem}; or give the properties"
            for problem in fluid_problem(medium, **state)
            if problem
        ]
    problems += [f"well.flow_rate: {problem}" for problem in flow_problem(*hydraulics(inputs)) if problem]
    if problems:
        raise ConfigError(problems[0])


def _state(inputs: Inputs) -> Inputs:
    return {name: inputs[f"fluid.{name}"] for name in ("temperature", "mass_fraction") if f"fluid.{name}" in inputs}


def _refuse_temperatures(case: WellCase, inputs: Inputs, history: History) -> None:
    """Raise ConfigError where the load asks for water that cannot be: frozen, where the medium is known."""
    lowest = -KELVIN
    if case.fluid.medium is not None:
        fraction = _state(inputs).get("mass_fraction", np.zeros(1))
        lowest = float(freezing_point(case.fluid.medium, mass_fraction=fraction)[0])
    coldest = np.minimum(history.inlet, history.outlet)
    if (coldest < lowest).any():
        when = int(np.argmax(coldest < lowest))
        raise ConfigError(
            f"load: after {case.times[when]:g} d the water would have {coldest[when]:.1f} degC; "
            f"allowed: {lowest:.1f} degC and more, {'freezing point' if case.fluid.medium else 'absolute zero'}"
        )


def flow_remarks(case: WellCase) -> list[str]:
    """What is weak about films and friction in the flow of a case."""
    found = flow_warnings(*hydraulics(_with_loop_temperature(case)))
    return [text for text, weak in found.items() if np.any(weak)]


def kernel_well(case: WellCase, *, cells: int) -> Well:
    """The well of a case whose fluid is given by its properties, cut into about so many cells."""
    inputs = _inputs(case)
    return _well(case, WellArrays.of(inputs, share_cells(segments(inputs)[:, 0], cells)))


def _arrays(inputs: Inputs) -> WellArrays:
    wanted = int(np.clip(np.ceil(transfer_units(inputs)[0]), CELLS, MOST_CELLS))
    cells = share_cells(segments(inputs)[:, 0], wanted)
    return WellArrays.of(inputs, np.maximum(cells, 2))  # four nodes, for a cubic


def _well(case: WellCase, arrays: WellArrays) -> Well:
    return Well(
        column=arrays.column.lane(0),
        flow=float(arrays.flow[0]),
        surroundings=arrays.surroundings,
        annulus_inner=arrays.resistances.annulus_inner[:, 0],
        annulus_storage=float(arrays.annulus_storage[0]),
        inner_storage=float(arrays.inner_storage[0]),
        pipe_storage=arrays.pipe_storage[:, 0],
        pipe_share=arrays.pipe_share[:, 0],
        annulus_down=case.well.flow_direction == "annulus_down",
    )


def _history(case: WellCase, arrays: WellArrays, **steps: Any) -> History:
    load, fixed_inlet = case.load, case.load.inlet_temperature is not None
    if load.schedule is not None:
        change, values = np.array(load.schedule).T
    else:
        change, values = np.zeros(1), np.array([load.inlet_temperature if fixed_inlet else load.heat_rate], dtype=float)
    return prescribed_load(
        _well(case, arrays),
        change=change * DAY,
        load=values if fixed_inlet else values * 1e3,
        fixed_inlet=fixed_inlet,
        **steps,
    )


def _pressures(inputs: Inputs, arrays: WellArrays, history: History, *, annulus_down: bool) -> tuple[float, Array]:
    """Friction, Pa, and buoyancy head at each time, Pa, (time,): ρ g β ∫ (up - down) dz."""
    lost = friction(inputs, arrays.flow_rate, arrays.pipes, arrays.fluid)
    length = 0.5 * np.repeat(arrays.column.length[arrays.column.segment, 0], 2)
    warmer = (history.inner - history.annulus) @ length * (1.0 if annulus_down else -1.0)
    expansion = GRAVITY * arrays.fluid.density[0] * inputs["fluid.thermal_expansion"][0]
    return float(lost[0]), expansion * warmer


def _water_along(column: Column, at_nodes: Array, at_top: Array, depth: Array) -> Array:
    """Temperature of a channel at some depths, (time, depth), from that at its nodes, (time, node), and at the top.

    In each cell the parabola through its top and its two nodes, which is what collocation takes it for.
    """
    ends = np.append(0.0, np.cumsum(column.length[column.segment]))
    of_depth = np.clip(np.searchsorted(ends, depth, side="right") - 1, 0, len(ends) - 2)
    first, second = at_nodes[:, ::2], at_nodes[:, 1::2]
    tops = at_top[:, None] + np.cumsum(np.pad(ROOT3 * (second - first), ((0, 0), (1, 0))), axis=1)[:, :-1]
    points = np.append(0.0, GAUSS_POINTS)
    curves = np.linalg.solve(np.vander(points), np.stack([tops, first, second], axis=1)[:, :, of_depth])
    place = (depth - ends[of_depth]) / np.diff(ends)[of_depth]
    return np.einsum("tpd,dp->td", curves, np.vander(place, 3))


def _undisturbed(case: WellCase, depth: Array) -> Array:
    """Temperature of the ground before circulation, (depth,)."""
    layers = np.array([(layer.thickness, layer.geothermal_gradient / 1e3) for layer in case.ground.layers])
    ends = np.cumsum(np.append(0.0, layers[:, 0]))
    return case.ground.surface_temperature + np.interp(depth, ends, np.cumsum(np.append(0.0, layers.prod(axis=1))))


def _over_annulus(column: Column, history: History, depth: Array) -> Array:
    """Borehole wall less annulus at some depths, K, (time, depth), from the nodes of the same segment: it jumps."""
    of_node = np.repeat(column.segment, 2)
    bottom = np.cumsum(column.length * column.cells)
    of_depth = np.minimum(np.searchsorted(bottom, depth), len(bottom) - 1)
    answer = np.empty((len(history.wall), len(depth)))
    for segment in np.unique(of_depth):
        nodes, asked = of_node == segment, of_depth == segment
        spline = CubicSpline(column.depth[nodes], (history.wall - history.annulus)[:, nodes], axis=1)
        answer[:, asked] = spline(depth[asked])
    return answer


def _inputs(case: WellCase) -> Inputs:
    """The case's numbers under the keys of a study's inputs, (1,), without the layers below the well."""
    top = np.cumsum([0.0, *(layer.thickness for layer in case.ground.layers[:-1])])
    layers = tuple(layer for layer, depth in zip(case.ground.layers, top, strict=True) if depth < case.well.depth)
    numbers = [
        *_numbers(case.well, "well"),
        *_numbers(case.fluid, "fluid"),
        *_numbers(layers, "rock.layers"),
        ("surface_temperature", case.ground.surface_temperature),
    ]
    return {key: np.array([value]) for key, value in numbers}


def _numbers(node: object, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(node, float):
        yield key, node
    children = enumerate(node) if isinstance(node, tuple) else node if isinstance(node, Section) else ()
    for name, child in children:
        yield from _numbers(child, f"{key}.{name}")


def write_well(dataset: xr.Dataset, output: Path) -> None:
    """Write the result of a well case: NetCDF to a file named .nc, else JSON."""
    if output.suffix == ".nc":
        dataset.to_netcdf(output, engine="scipy")
        return
    keys = {
        "time_days": "time",
        "outlet_temperature": "outlet_temperature",
        "inlet_temperature": "inlet_temperature",
        "heat_rate_kW": "heat_rate",
        "pumping_power_kW": "pumping_power",
        "R_annulus_wall_mK_per_W": "annulus_wall_resistance",
        "R_annulus_inner_mK_per_W": "annulus_inner_resistance",
        "depth_m": "depth",
        "annulus_temperature": "annulus_temperature",
        "inner_temperature": "inner_temperature",
        "wall_temperature": "wall_temperature",
    }
    answer = {key: dataset[name].values.tolist() for key, name in keys.items() if name in dataset}
    output.write_text(json.dumps(answer, indent=1) + "\n")
