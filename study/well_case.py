"""What a file of one well may say: `WellCase` is its schema. A study describes its wells with the same models."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, field_validator, model_validator

from study.fluid import HOTTEST, RICHEST, Medium, fluid_problem
from study.problems import first_problem, refuse
from study.quantity import Quantity
from study.reading import Document, Section, default, read_yaml, validate

V = TypeVar("V")  # what a number becomes: float in a well case, Input in a study


CONDUCTIVITY = Quantity("W/m/K", gt=0, le=1000, description="thermal conductivity of the material")
HEAT_CAPACITY = Quantity(
    "MJ/m^3/K", gt=0, le=10, description="volumetric heat capacity of the material; left out: its heat is not counted"
)
MOST_SECTIONS = 5


class WallSection(Section, Generic[V]):
    """A stretch along which a wall is of another material; what it does not give is that of the whole wall."""

    length: Annotated[V, Quantity("m", gt=0, le=15000, description="length of the section")]
    conductivity: Annotated[V, CONDUCTIVITY] | None = None
    volumetric_heat_capacity: Annotated[V, HEAT_CAPACITY] | None = None


class Wall(Section, Generic[V]):
    """What heat crosses between water and rock: the grout here, and with a size a pipe."""

    conductivity: Annotated[V, CONDUCTIVITY]
    volumetric_heat_capacity: Annotated[V, HEAT_CAPACITY] | None = None
    sections: Annotated[tuple[WallSection[V], ...], Field(min_length=1, max_length=MOST_SECTIONS)] | None = None


class Pipe(Wall[V]):
    """The casing, or the inner pipe."""

    outer_diameter: Annotated[V, Quantity("m", gt=0, le=2, description="outer diameter of the pipe")]
    wall: Annotated[V, Quantity("m", gt=0, le=0.5, description="wall thickness of the pipe")]
    roughness: Annotated[V, Quantity("m", ge=0, le=1e-3, description="roughness of the pipe")] = default("0 mm")


class Well(Section, Generic[V]):
    """A closed coaxial well."""

    depth: Annotated[V, Quantity("m", ge=10, le=15000, description="depth of the well")]
    borehole_diameter: Annotated[V, Quantity("m", gt=0, le=2, description="diameter of the borehole")]
    casing: Pipe[V]
    grout: Wall[V]
    inner_pipe: Pipe[V]
    flow_direction: Literal["annulus_down", "inner_down"] = "annulus_down"
    flow_rate: Annotated[V, Quantity("m^3/h", ge=0.01, le=1000, description="flow rate of a well")]

    @model_validator(mode="after")
    def _geometry(self) -> Self:
        pipes = {
            f"{name}_{size}": getattr(pipe, size)
            for name, pipe in (("casing", self.casing), ("inner_pipe", self.inner_pipe))
            for size in ("outer_diameter", "wall")
        }
        refuse(geometry_problem, borehole_diameter=self.borehole_diameter, **pipes)
        return self


def geometry_problem(
    *,
    borehole_diameter: ArrayLike,
    casing_outer_diameter: ArrayLike,
    casing_wall: ArrayLike,
    inner_pipe_outer_diameter: ArrayLike,
    inner_pipe_wall: ArrayLike,
) -> np.ndarray:
    """Return, row by row, why these pipes do not fit into each other, or None where they do.

    Parameters
    ----------
    borehole_diameter, casing_outer_diameter, casing_wall, inner_pipe_outer_diameter, inner_pipe_wall
        Sizes in m, of one shape or broadcast to it; a nan is not judged.
    """
    bore, casing, casing_wall, inner, inner_wall = np.broadcast_arrays(
        borehole_diameter, casing_outer_diameter, casing_wall, inner_pipe_outer_diameter, inner_pipe_wall
    )
    return first_problem(
        (casing >= bore, "casing.outer_diameter must be smaller than borehole_diameter"),
        (casing_wall >= casing / 2, "casing.wall must be less than half of casing.outer_diameter"),
        (inner_wall >= inner / 2, "inner_pipe.wall must be less than half of inner_pipe.outer_diameter"),
        (
            inner >= casing - 2 * casing_wall,
            "inner_pipe.outer_diameter must be smaller than the casing's inner diameter",
        ),
    )


PROPERTIES = ("density", "heat_capacity", "conductivity", "viscosity", "thermal_expansion")


class Fluid(Section, Generic[V]):
    """What fills the wells: a medium, or its properties themselves."""

    medium: Medium | None = None
    mass_fraction: (
        Annotated[V, Quantity("1", ge=0, le=RICHEST, description="glycol in the fluid, by mass of the mixture")] | None
    ) = None
    temperature: (
        Annotated[
            V,
            Quantity(
                "degC",
                ge=-50,
                le=HOTTEST,
                description="temperature of the fluid's properties; left out: the mean of the loop",
            ),
        ]
        | None
    ) = None
    density: Annotated[V, Quantity("kg/m^3", ge=100, le=2000, description="density of the fluid")] | None = None
    heat_capacity: (
        Annotated[V, Quantity("J/kg/K", ge=500, le=10000, description="specific heat capacity of the fluid")] | None
    ) = None
    conductivity: (
        Annotated[V, Quantity("W/m/K", ge=0.01, le=10, description="thermal conductivity of the fluid")] | None
    ) = None
    viscosity: Annotated[V, Quantity("Pa*s", ge=1e-5, le=1, description="dynamic viscosity of the fluid")] | None = None
    thermal_expansion: (
        Annotated[V, Quantity("1/K", ge=0, le=0.01, description="volumetric thermal expansion of the fluid")] | None
    ) = None

    @model_validator(mode="before")
    @classmethod
    def _expansion_of_water(cls, data: Any) -> Any:
        plain = isinstance(data, dict) and data.get("medium") is None
        return {"thermal_expansion": "2.6e-4 1/K", **data} if plain else data

    @model_validator(mode="after")
    def _medium_or_properties(self) -> Self:
        given = {name for name, value in self if value is not None}
        wanted = set(PROPERTIES)
        if self.medium is not None:
            wanted = {"medium"} | ({"mass_fraction"} if self.medium != "water" else set())
        missing = sorted(wanted - given)
        needless = sorted(given - wanted - ({"temperature"} if self.medium else set()))
        what = [f"needs {', '.join(missing)}"] if missing else []
        what += [f"does not take {', '.join(needless)}"] if needless else []
        if what:
            raise ValueError(
                f"{f'medium {self.medium!r}' if self.medium else 'without medium it'} {' and '.join(what)}"
            )
        if self.medium is not None:
            numbers = {"temperature": self.temperature, "mass_fraction": self.mass_fraction}
            refuse(partial(fluid_problem, self.medium), **{k: v for k, v in numbers.items() if v is not None})
        return self


class GroundLayer(Section):
    """A layer of the ground of a well case."""

    thickness: Annotated[float, Quantity("m", ge=0.01)]
    conductivity: Annotated[float, Quantity("W/m/K", gt=0, le=100)]
    volumetric_heat_capacity: Annotated[float, Quantity("MJ/m^3/K", gt=0, le=10)]
    geothermal_gradient: Annotated[float, Quantity("K/km", ge=-1000, le=1000)]


class Ground(Section):
    """The ground of a well case, layer by layer from the surface down."""

    surface_temperature: Annotated[float, Quantity("degC", ge=-60, le=100)]
    layers: Annotated[tuple[GroundLayer, ...], Field(min_length=1, max_length=1000)]


HeatRate = Annotated[
    float, Quantity("kW", ge=-1e6, le=1e6, description="heat taken from the well; negative: put into it")
]


class Load(Section):
    """What a well case asks of the well: exactly one of the three; a negative heat rate puts heat into the ground."""

    heat_rate: HeatRate | None = None
    inlet_temperature: Annotated[float, Quantity("degC", ge=-50, le=300)] | None = None
    schedule: (
        Annotated[
            tuple[tuple[Annotated[float, Quantity("d", ge=0)], HeatRate], ...], Field(min_length=1, max_length=100_000)
        ]
        | None
    ) = None

    @field_validator("schedule")
    @classmethod
    def _increasing(cls, schedule: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        times = [time for time, _ in schedule or ((0.0, 0.0),)]
        if times[0] != 0 or not np.all(np.diff(times) > 0):
            raise ValueError("the times must start at '0 d' and increase")
        return schedule

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("give exactly one of heat_rate, inlet_temperature, schedule")
        return self


class WellCase(Document):
    """One well and its ground, without uncertainty: the file that ``hotland well`` reads."""

    well: Well[float]
    fluid: Fluid[float]
    ground: Ground
    load: Load
    times: Annotated[
        tuple[Annotated[float, Quantity("d", gt=0, le=1e6, description="time of output")], ...],
        Field(min_length=1, max_length=100_000),
    ]

    depths: (
        Annotated[
            tuple[Annotated[float, Quantity("m", ge=0, le=15000, description="depth of output along the well")], ...],
            Field(min_length=1, max_length=10_000),
        ]
        | None
    ) = None

    @field_validator("times")
    @classmethod
    def _increasing(cls, times: tuple[float, ...]) -> tuple[float, ...]:
        if not np.all(np.diff(times) > 0):
            raise ValueError("the times must increase")
        return times

    @model_validator(mode="after")
    def _deep_enough(self) -> Self:
        reached = sum(layer.thickness for layer in self.ground.layers)
        if reached < self.well.depth * (1 - 1e-9):
            raise ValueError(f"ground.layers reach {reached:g} m; they must reach well.depth, {self.well.depth:g} m")
        if max(self.depths or (0.0,)) > self.well.depth:
            raise ValueError(f"depths: allowed: at most well.depth, {self.well.depth:g} m")
        return self


def load_well_case(path: str | Path) -> WellCase:
    """Return the well case that a YAML file describes; ConfigError when it is wrong in any way."""
    return validate(WellCase, read_yaml(path), label=str(path))
