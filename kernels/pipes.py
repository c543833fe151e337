"""The pipes of a coaxial well: what heat meets between the water and the rock, what the walls store, and friction.

Arrays are (lane,), or (segment, lane) for what may change along the well: the conductivities and heat capacities.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRAVITY = 9.80665
LAMINAR, TURBULENT = 2300.0, 4000.0
"""Reynolds numbers up to which flow is laminar, and from which it is turbulent."""


@dataclass(frozen=True)
class Fluid:
    """Density (kg/m³), specific heat capacity (J/kg/K), thermal conductivity (W/m/K), dynamic viscosity (Pa s)."""

    density: Array
    heat_capacity: Array
    conductivity: Array
    viscosity: Array


@dataclass(frozen=True)
class Pipes:
    """Radii (m) from the inside out, conductivities (W/m/K) and volumetric heat capacities (J/m³/K, zero: not counted).

    The annulus lies between inner pipe and casing.
    """

    inner_pipe_inner_radius: Array
    inner_pipe_outer_radius: Array
    casing_inner_radius: Array
    casing_outer_radius: Array
    borehole_radius: Array
    inner_pipe_conductivity: Array
    casing_conductivity: Array
    grout_conductivity: Array
    inner_pipe_heat_capacity: Array
    casing_heat_capacity: Array
    grout_heat_capacity: Array

    @classmethod
    def of_sizes(
        cls,
        *,
        borehole_diameter: Array,
        casing_outer_diameter: Array,
        casing_wall: Array,
        inner_pipe_outer_diameter: Array,
        inner_pipe_wall: Array,
        **materials: Array,
    ) -> "Pipes":
        """Pipes as a drawing gives them: outer diameters and walls, m; `materials` as the attributes of the class."""
        return cls(
            inner_pipe_inner_radius=inner_pipe_outer_diameter / 2.0 - inner_pipe_wall,
            inner_pipe_outer_radius=inner_pipe_outer_diameter / 2.0,
            casing_inner_radius=casing_outer_diameter / 2.0 - casing_wall,
            casing_outer_radius=casing_outer_diameter / 2.0,
            borehole_radius=borehole_diameter / 2.0,
            **materials,
        )

    @property
    def inner_area(self) -> Array:
        """Cross-section of the water in the inner pipe, m²."""
        return math.pi * self.inner_pipe_inner_radius**2

    @property
    def annulus_area(self) -> Array:
        """Cross-section of the water in the annulus, m²."""
        return math.pi * (self.casing_inner_radius**2 - self.inner_pipe_outer_radius**2)

    @property
    def annulus_hydraulic_diameter(self) -> Array:
        """Hydraulic diameter of the annulus, m."""
        return 2.0 * (self.casing_inner_radius - self.inner_pipe_outer_radius)


def petukhov_friction_factor(reynolds: Array) -> Array:
    """Darcy friction factor of a smooth pipe in turbulent flow (Petukhov 1970): f = (0.79 ln Re - 1.64)⁻²."""
    return (0.79 * np.log(reynolds) - 1.64) ** -2


def nusselt_number(reynolds: Array, prandtl: Array) -> Array:
    """Nusselt number of fully developed flow, any shape.

    Laminar up to Re = 2300: 4.364 (uniform heat flux). From 4000 on Gnielinski (1976):
    Nu = (f/8)(Re - 1000) Pr / (1 + 12.7 (f/8)^½ (Pr^⅔ - 1)). Between them linear in Re.
    """

    def gnielinski(re: Array) -> Array:
        f8 = petukhov_friction_factor(re) / 8.0
        return f8 * (re - 1000.0) * prandtl / (1.0 + 12.7 * np.sqrt(f8) * (prandtl ** (2.0 / 3.0) - 1.0))

    laminar = 4.364
    share = turbulent_share(reynolds)
    return (1.0 - share) * laminar + share * gnielinski(np.maximum(reynolds, TURBULENT))


def turbulent_share(reynolds: Array) -> Array:
    """How far a flow is from laminar to turbulent, 0 to 1, linear in Re between (Gnielinski 2013)."""
    return np.clip((reynolds - LAMINAR) / (TURBULENT - LAMINAR), 0.0, 1.0)


def reynolds_number(flow_rate: Array, area: Array, diameter: Array, fluid: Fluid) -> Array:
    """Reynolds number of a volume flow (m³/s) in a channel of given cross-section (m²) and hydraulic diameter (m)."""
    return fluid.density * flow_rate / area * diameter / fluid.viscosity


@dataclass(frozen=True)
class Resistances:
    """Thermal resistances, m K/W: films at the inner pipe's and the casing's walls, and the walls themselves."""

    inner_film: Array
    inner_pipe: Array
    inner_pipe_outer_film: Array
    casing_film: Array
    casing: Array
    grout: Array

    @property
    def annulus_inner(self) -> Array:
        """Between the water in the annulus and that in the inner pipe, m K/W."""
        return self.inner_film + self.inner_pipe + self.inner_pipe_outer_film

    @property
    def annulus_wall(self) -> Array:
        """Between the water in the annulus and the borehole wall, m K/W."""
        return self.casing_film + self.casing + self.grout


def thermal_resistances(flow_rate: Array, pipes: Pipes, fluid: Fluid) -> Resistances:
    """Resistances between the two waters and the borehole wall.

    `flow_rate` in m³/s. The film coefficient in the annulus is the same on both its walls.
    """
    prandtl = fluid.heat_capacity * fluid.viscosity / fluid.conductivity

    def film(area: Array, diameter: Array) -> Array:
        reynolds = reynolds_number(flow_rate, area, diameter, fluid)
        return nusselt_number(reynolds, prandtl) * fluid.conductivity / diameter

    def convection(radius: Array, coefficient: Array) -> Array:
        return 1.0 / (2.0 * math.pi * radius * coefficient)

    def conduction(inner: Array, outer: Array, conductivity: Array) -> Array:
        return np.log(outer / inner) / (2.0 * math.pi * conductivity)

    p = pipes
    annulus = film(p.annulus_area, p.annulus_hydraulic_diameter)
    inner = film(p.inner_area, 2.0 * p.inner_pipe_inner_radius)
    return Resistances(
        inner_film=convection(p.inner_pipe_inner_radius, inner),
        inner_pipe=conduction(p.inner_pipe_inner_radius, p.inner_pipe_outer_radius, p.inner_pipe_conductivity),
        inner_pipe_outer_film=convection(p.inner_pipe_outer_radius, annulus),
        casing_film=convection(p.casing_inner_radius, annulus),
        casing=conduction(p.casing_inner_radius, p.casing_outer_radius, p.casing_conductivity),
        grout=conduction(p.casing_outer_radius, p.borehole_radius, p.grout_conductivity),
    )


def inner_pipe_storage(pipes: Pipes, resistances: Resistances) -> tuple[Array, Array]:
    """Heat capacity of the inner pipe's wall, J/m/K, and how far on the way to the annulus its mean temperature lies.

    In steady state the wall's temperature is logarithmic in the radius, with a film on both sides: its mean over the
    area is T_i + φ (T_a - T_i), where φ is the mean share of the resistance between the inner water and r.
    """
    p, r = pipes, resistances
    area = math.pi * (p.inner_pipe_outer_radius**2 - p.inner_pipe_inner_radius**2)
    ratio = p.inner_pipe_outer_radius / p.inner_pipe_inner_radius
    of_logarithm = math.pi * p.inner_pipe_outer_radius**2 * np.log(ratio) - area / 2.0  # ∫ ln(r / r_inner) dA
    share = (r.inner_film + r.inner_pipe * of_logarithm / (np.log(ratio) * area)) / r.annulus_inner
    return p.inner_pipe_heat_capacity * area, share


def water_storage(pipes: Pipes, fluid: Fluid) -> tuple[Array, Array]:
    """Heat capacity of the water in the annulus and in the inner pipe, J/m/K."""
    water = fluid.density * fluid.heat_capacity
    return water * pipes.annulus_area, water * pipes.inner_area


def haaland_friction_factor(reynolds: Array, relative_roughness: Array) -> Array:
    """Darcy friction factor in turbulent flow over walls of relative roughness ε/D.

    Haaland (1983), J. Fluids Eng. 105:89: f = (-1.8 log₁₀(6.9/Re + (ε/(3.7 D))^1.11))⁻². For Re from 4,000 to 10⁷ and
    ε/D up to 0.05 within 1.4 % of Colebrook; for ε = 0 within 2.5 % of `petukhov_friction_factor`, 1 % from Re = 10⁵.
    """
    return (-1.8 * np.log10(6.9 / reynolds + (relative_roughness / 3.7) ** 1.11)) ** -2


def friction_pressure_drop(
    flow_rate: Array, depth: Array, pipes: Pipes, fluid: Fluid, *, casing_roughness: Array, inner_pipe_roughness: Array
) -> Array:
    """Pressure lost to friction down and up the well, Pa (Darcy-Weisbach).

    Friction factor: laminar up to Re = 2300, in the annulus the exact one between concentric cylinders (Bird, Stewart
    and Lightfoot 2002, Transport Phenomena, section 2.4); Haaland from 4000 on, linear in Re between. `flow_rate` in
    m³/s, `depth` in m, roughness in m: that of the casing for both walls of the annulus.
    """

    def channel(area: Array, diameter: Array, laminar_product: Array | float, roughness: Array) -> Array:
        reynolds = reynolds_number(flow_rate, area, diameter, fluid)
        share = turbulent_share(reynolds)
        laminar = laminar_product / np.minimum(reynolds, LAMINAR)
        turbulent = haaland_friction_factor(np.maximum(reynolds, TURBULENT), roughness / diameter)
        factor = (1.0 - share) * laminar + share * turbulent
        drop: Array = factor * depth / diameter * 0.5 * fluid.density * (flow_rate / area) ** 2
        return drop

    k = pipes.inner_pipe_outer_radius / pipes.casing_inner_radius
    between_cylinders = 64.0 * (1.0 - k) ** 2 / (1.0 + k**2 + (1.0 - k**2) / np.log(k))
    annulus = channel(pipes.annulus_area, pipes.annulus_hydraulic_diameter, between_cylinders, casing_roughness)
    return annulus + channel(pipes.inner_area, 2.0 * pipes.inner_pipe_inner_radius, 64.0, inner_pipe_roughness)
