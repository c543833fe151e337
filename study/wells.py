"""From inputs by key to wells as the kernels know them: pipes, water, and what lies around them.

The samples of a study and the one well of a case come this way alike. Arrays are (lane,), or (segment, lane) along the
well: a segment is a stretch in which rock, casing, grout and inner pipe stay the same.
"""

import itertools
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kernels.ground import Shell, Surroundings
from kernels.pipes import (
    Fluid,
    Pipes,
    Resistances,
    friction_pressure_drop,
    inner_pipe_storage,
    thermal_resistances,
    water_storage,
)
from kernels.well import Column
from study.fluid import Medium, fluid_properties, thermal_expansion

Array = NDArray[np.float64]
Inputs = dict[str, Array]

WALLS = ("casing", "grout", "inner_pipe")

FIRST_GUESS = 20.0
"""Temperature of a medium's properties before that of its loop is known, °C."""


@dataclass(frozen=True)
class Stretches:
    """Stretches of one thing from the surface down: where all but the last end, m, (stretch - 1, lane), and values."""

    ends: Array
    values: dict[str, Array]  # (stretch, lane)

    @classmethod
    def of_rock(cls, inputs: Inputs) -> Self:
        """Layers of rock: what a layer does not give is that of the whole; the last is as deep as the well."""
        layers = _numbered(inputs, "rock.layers", "thickness")
        whole = {
            "conductivity": "rock.conductivity",
            "volumetric_heat_capacity": "rock.volumetric_heat_capacity",
            "geothermal_gradient": "geothermal_gradient",
        }
        values = {
            name: np.stack([inputs[own if (own := f"{layer}{name}") in inputs else key] for layer in layers or [""]])
            for name, key in whole.items()
        }
        return cls(_ends([inputs[f"{layer}thickness"] for layer in layers[:-1]], inputs), values)

    @classmethod
    def of_wall(cls, inputs: Inputs, wall: str) -> Self:
        """Sections of a pipe or the grout: what they do not give, and what lies below them, is that of the whole."""
        sections = _numbered(inputs, f"well.{wall}.sections", "length")
        none = np.zeros_like(inputs["well.depth"])
        values = {}
        for name in ("conductivity", "volumetric_heat_capacity"):
            whole = inputs.get(f"well.{wall}.{name}", none)
            values[name] = np.stack([*(inputs.get(f"{section}{name}", whole) for section in sections), whole])
        return cls(_ends([inputs[f"{section}length"] for section in sections], inputs), values)

    def at(self, depth: Array, name: str) -> Array:
        """Values that hold at a depth, m, (segment, lane)."""
        return np.take_along_axis(self.values[name], (depth[:, None] > self.ends).sum(axis=1), axis=0)


def _numbered(inputs: Inputs, parts: str, length: str) -> list[str]:
    """Prefixes of the keys of a list's entries."""
    prefixes = (f"{parts}.{n}." for n in itertools.count())
    return list(itertools.takewhile(lambda prefix: f"{prefix}{length}" in inputs, prefixes))


def _ends(lengths: list[Array], inputs: Inputs) -> Array:
    return np.cumsum(np.reshape(lengths, (len(lengths), len(inputs["well.depth"]))), axis=0)


def segments(inputs: Inputs) -> Array:
    """Thickness of each segment, m, (segment, lane): zero where two things change at the same depth, or below it."""
    depth = inputs["well.depth"]
    stretches = [Stretches.of_rock(inputs), *(Stretches.of_wall(inputs, wall) for wall in WALLS)]
    ends = np.sort(np.concatenate([np.minimum(each.ends, depth) for each in stretches]), axis=0)
    return np.diff(ends, axis=0, prepend=np.zeros((1, len(depth))), append=depth[None])


@dataclass(frozen=True)
class WellArrays:
    """Wells, one a lane, ready for the kernels.

    Attributes
    ----------
    column
        Segments cut into cells.
    pipes, fluid, resistances
        As in `kernels.pipes`.
    flow_rate, flow
        m³/s, and flow heat-capacity rate in W/K, (lane,).
    annulus_storage, inner_storage
        Heat capacity of the water in the channels, J/m/K, (lane,).
    pipe_storage, pipe_share
        Heat capacity of the inner pipe, J/m/K, and share of it that goes with the annulus, (segment, lane).
    surroundings
        What lies around the annulus, its cases the segments and lanes in turn.
    conductivity, diffusivity
        Of the rock, W/m/K and m²/s, (segment, lane).
    """

    column: Column
    pipes: Pipes
    fluid: Fluid
    resistances: Resistances
    flow_rate: Array
    flow: Array
    annulus_storage: Array
    inner_storage: Array
    pipe_storage: Array
    pipe_share: Array
    surroundings: Surroundings
    conductivity: Array
    diffusivity: Array

    @classmethod
    def of(cls, inputs: Inputs, cells: NDArray[np.int64]) -> Self:
        """Build wells of inputs in the units of the schema, with so many cells in each of their `segments`."""
        thickness = segments(inputs)
        used = (thickness > 0).any(axis=1)  # the others change nothing
        thickness, cells = thickness[used], cells[used]
        middle = np.cumsum(thickness, axis=0) - 0.5 * thickness
        rock = Stretches.of_rock(inputs)
        walls = {wall: Stretches.of_wall(inputs, wall) for wall in WALLS}
        pipes = Pipes.of_sizes(
            **pipe_sizes(inputs),
            **{f"{name}_conductivity": wall.at(middle, "conductivity") for name, wall in walls.items()},
            **{
                f"{name}_heat_capacity": wall.at(middle, "volumetric_heat_capacity") * 1e6
                for name, wall in walls.items()
            },
        )
        flow_rate, fluid = _flow(inputs)
        resistances = thermal_resistances(flow_rate, pipes, fluid)
        annulus_storage, inner_storage = water_storage(pipes, fluid)
        pipe_storage, pipe_share = inner_pipe_storage(pipes, resistances)
        conductivity = rock.at(middle, "conductivity")
        heat_capacity = rock.at(middle, "volumetric_heat_capacity") * 1e6

        def cases(values: Array) -> Array:
            return np.broadcast_to(values, conductivity.shape).ravel()

        p = pipes
        shells = (
            (p.casing_inner_radius, p.casing_outer_radius, p.casing_conductivity, p.casing_heat_capacity),
            (p.casing_outer_radius, p.borehole_radius, p.grout_conductivity, p.grout_heat_capacity),
        )
        return cls(
            column=Column.cut(
                thickness, rock.at(middle, "geothermal_gradient") / 1e3, inputs["surface_temperature"], cells
            ),
            pipes=pipes,
            fluid=fluid,
            resistances=resistances,
            flow_rate=flow_rate,
            flow=fluid.density * fluid.heat_capacity * flow_rate,
            annulus_storage=annulus_storage,
            inner_storage=inner_storage,
            pipe_storage=pipe_storage,
            pipe_share=pipe_share,
            surroundings=Surroundings(
                film=cases(resistances.casing_film),
                shells=[Shell(*map(cases, shell)) for shell in shells],
                radius=cases(p.borehole_radius),
                conductivity=cases(conductivity),
                heat_capacity=cases(heat_capacity),
            ),
            conductivity=conductivity,
            diffusivity=conductivity / heat_capacity,
        )


def with_fluid(inputs: Inputs, medium: Medium | None, temperature: Array) -> Inputs:
    """Add the properties of the fluid, unless they are given: those of a medium at its own or some temperature, °C."""
    if medium is None:
        return inputs
    state = {
        "temperature": inputs.get("fluid.temperature", temperature),
        "mass_fraction": inputs.get("fluid.mass_fraction", np.zeros_like(temperature)),
    }
    properties = {
        **asdict(fluid_properties(medium, **state)),
        "thermal_expansion": thermal_expansion(medium, **state),
        "temperature": state["temperature"],
    }
    return inputs | {f"fluid.{name}": value for name, value in properties.items()}


def hydraulics(inputs: Inputs) -> tuple[Array, Pipes, Fluid]:
    """Flow rate (m³/s), pipes (of their own materials, without sections) and fluid."""
    materials = {f"{wall}_conductivity": inputs[f"well.{wall}.conductivity"] for wall in WALLS}
    none = np.zeros_like(inputs["well.depth"])
    pipes = Pipes.of_sizes(**pipe_sizes(inputs), **materials, **{f"{wall}_heat_capacity": none for wall in WALLS})
    flow_rate, fluid = _flow(inputs)
    return flow_rate, pipes, fluid


def transfer_units(inputs: Inputs) -> Array:
    """Number of transfer units of the well, (lane,): its depth over the length in which temperatures settle.

    Along the water's way M T' is at most (1/R_aw + 2/R_12) ΔT; the more transfer units, the more cells it takes.
    """
    flow_rate, pipes, fluid = hydraulics(inputs)
    resistances = thermal_resistances(flow_rate, pipes, fluid)
    conductance = 1.0 / resistances.annulus_wall + 2.0 / resistances.annulus_inner
    units: Array = inputs["well.depth"] * conductance / (fluid.density * fluid.heat_capacity * flow_rate)
    return units


def friction(inputs: Inputs, flow_rate: Array, pipes: Pipes, fluid: Fluid) -> Array:
    """Pressure lost to friction down and up the well, Pa, (lane,)."""
    return friction_pressure_drop(
        flow_rate,
        inputs["well.depth"],
        pipes,
        fluid,
        casing_roughness=inputs["well.casing.roughness"],
        inner_pipe_roughness=inputs["well.inner_pipe.roughness"],
    )


def _flow(inputs: Inputs) -> tuple[Array, Fluid]:
    names = ("density", "heat_capacity", "conductivity", "viscosity")
    return inputs["well.flow_rate"] / 3600.0, Fluid(*(inputs[f"fluid.{name}"] for name in names))


def pipe_sizes(inputs: Inputs) -> Inputs:
    """Diameters and walls, m, as `kernels.pipes.Pipes.of_sizes` names them."""
    return {
        "borehole_diameter": inputs["well.borehole_diameter"],
        "casing_outer_diameter": inputs["well.casing.outer_diameter"],
        "casing_wall": inputs["well.casing.wall"],
        "inner_pipe_outer_diameter": inputs["well.inner_pipe.outer_diameter"],
        "inner_pipe_wall": inputs["well.inner_pipe.wall"],
    }
