"""The coaxial well: thermal resistances, and the counterflow of its two fluids.

Water goes down one channel and comes up the other; the annulus exchanges heat with the rock, and both channels with
each other. Along the well, for the channel going down (D), the one going up (U) and the wall (W), M = flow
heat-capacity rate (W/K), C = heat capacity of a channel's fluid (J/m/K):

    C_D ∂D/∂t + M ∂D/∂z = g_D (W - D) + g_12 (U - D)
    C_U ∂U/∂t - M ∂U/∂z = g_U (W - U) + g_12 (D - U),        D = U at the bottom

where g = 1/R, and g_D or g_U is zero for the inner pipe. Box scheme in z (cell means are the means of the two ends),
implicit Euler in t. The wall's answer to the heat taken during the step itself is part of g (see `kernels.ground`),
so W is what the wall would be without it.

The solution is one sweep up, which gives U = A + B·D at every depth, and, once the inlet temperature is known, one
sweep down. At the top A + B·D says what the well will deliver for any inlet, before the plant has chosen one.

Arrays are (cell, lane), cells from the top down, unless said otherwise.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fluid:
    """Density (kg/m³), specific heat capacity (J/kg/K), thermal conductivity (W/m/K), dynamic viscosity (Pa s)."""

    density: Array
    heat_capacity: Array
    conductivity: Array
    viscosity: Array


@dataclass(frozen=True)
class Pipes:
    """Radii (m) from the inside out, and conductivities (W/m/K); the annulus lies between inner pipe and casing."""

    inner_pipe_inner_radius: Array
    inner_pipe_outer_radius: Array
    casing_inner_radius: Array
    casing_outer_radius: Array
    borehole_radius: Array
    inner_pipe_conductivity: Array
    casing_conductivity: Array
    grout_conductivity: Array

    @classmethod
    def of_sizes(
        cls,
        *,
        borehole_diameter: Array,
        casing_outer_diameter: Array,
        casing_wall: Array,
        inner_pipe_outer_diameter: Array,
        inner_pipe_wall: Array,
        casing_conductivity: Array,
        grout_conductivity: Array,
        inner_pipe_conductivity: Array,
    ) -> "Pipes":
        """Pipes as a drawing gives them: outer diameters and walls, m; conductivities, W/m/K."""
        return cls(
            inner_pipe_inner_radius=inner_pipe_outer_diameter / 2.0 - inner_pipe_wall,
            inner_pipe_outer_radius=inner_pipe_outer_diameter / 2.0,
            casing_inner_radius=casing_outer_diameter / 2.0 - casing_wall,
            casing_outer_radius=casing_outer_diameter / 2.0,
            borehole_radius=borehole_diameter / 2.0,
            inner_pipe_conductivity=inner_pipe_conductivity,
            casing_conductivity=casing_conductivity,
            grout_conductivity=grout_conductivity,
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
    share = np.clip((reynolds - 2300.0) / 1700.0, 0.0, 1.0)
    return (1.0 - share) * laminar + share * gnielinski(np.maximum(reynolds, 4000.0))


def reynolds_number(flow_rate: Array, area: Array, diameter: Array, fluid: Fluid) -> Array:
    """Reynolds number of a volume flow (m³/s) in a channel of given cross-section (m²) and hydraulic diameter (m)."""
    return fluid.density * flow_rate / area * diameter / fluid.viscosity


def thermal_resistances(flow_rate: Array, pipes: Pipes, fluid: Fluid) -> tuple[Array, Array]:
    """Resistances annulus - borehole wall and annulus - inner pipe's fluid, m K/W.

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
    annulus_wall = (
        convection(p.casing_inner_radius, annulus)
        + conduction(p.casing_inner_radius, p.casing_outer_radius, p.casing_conductivity)
        + conduction(p.casing_outer_radius, p.borehole_radius, p.grout_conductivity)
    )
    annulus_inner = (
        convection(p.inner_pipe_inner_radius, inner)
        + conduction(p.inner_pipe_inner_radius, p.inner_pipe_outer_radius, p.inner_pipe_conductivity)
        + convection(p.inner_pipe_outer_radius, annulus)
    )
    return annulus_wall, annulus_inner


def friction_pressure_drop(flow_rate: Array, depth: Array, pipes: Pipes, fluid: Fluid) -> Array:
    """Pressure lost to friction down and up the well, Pa (Darcy-Weisbach, smooth walls).

    Friction factor: laminar up to Re = 2300, in the annulus the exact one between concentric cylinders (Bird, Stewart
    and Lightfoot 2002, Transport Phenomena, section 2.4); Petukhov from 4000 on, linear in Re between. `flow_rate` in
    m³/s, `depth` in m.
    """

    def channel(area: Array, diameter: Array, laminar_product: Array | float) -> Array:
        reynolds = reynolds_number(flow_rate, area, diameter, fluid)
        share = np.clip((reynolds - 2300.0) / 1700.0, 0.0, 1.0)
        laminar = laminar_product / np.minimum(reynolds, 2300.0)
        factor = (1.0 - share) * laminar + share * petukhov_friction_factor(np.maximum(reynolds, 4000.0))
        drop: Array = factor * depth / diameter * 0.5 * fluid.density * (flow_rate / area) ** 2
        return drop

    k = pipes.inner_pipe_outer_radius / pipes.casing_inner_radius
    between_cylinders = 64.0 * (1.0 - k) ** 2 / (1.0 + k**2 + (1.0 - k**2) / np.log(k))
    annulus = channel(pipes.annulus_area, pipes.annulus_hydraulic_diameter, between_cylinders)
    return annulus + channel(pipes.inner_area, 2.0 * pipes.inner_pipe_inner_radius, 64.0)


@njit(cache=True, error_model="numpy")
def eliminate(m, g_down, g_up, g_12, storage_down, storage_up, sweep, ratio):  # type: ignore[no-untyped-def]
    """Eliminate the counterflow for one length of time step, cell by cell from the bottom up.

    With D0, U0 at the top of a cell, D1, U1 at its bottom, D and U its means before the step and W its wall:

        D1 = p + P·D0,    p  = p_W W + p_D D + p_U U + p_A A1
        U0 = A0 + B0·D0,  A0 = a_W W + a_D D + a_U U + a_A A1,        U1 = A1 + B1·D1

    Parameters
    ----------
    m
        Flow heat-capacity rate over the cell's length, M/Δz, W/m/K, (cell, lane).
    g_down, g_up
        Conductance between wall and channel, W/m/K: zero for the inner pipe; for the annulus 1/(R_aw + the ground's
        answer within the step).
    g_12, storage_down, storage_up
        Conductance between the channels, and heat capacity of each over the step, C/Δt, W/m/K.
    sweep
        Result, (10, cell, lane): p_W, p_D, p_U, p_A, a_W, a_D, a_U, a_A, P, B1.
    ratio
        Result, (lane,): B at the top, in outlet = A + B · inlet.
    """
    cells, lanes = m.shape
    for lane in range(lanes):
        b = 1.0
        for cell in range(cells - 1, -1, -1):
            flow, exchange = m[cell, lane], 0.5 * g_12[cell, lane]
            down = 0.5 * (g_down[cell, lane] + g_12[cell, lane] + storage_down[cell, lane])
            up = 0.5 * (g_up[cell, lane] + g_12[cell, lane] + storage_up[cell, lane])
            # (flow + down - exchange B1) D1 - exchange U0 = g_D W + C_D D + exchange A1 + (flow - down) D0
            # -(exchange + (flow - up) B1) D1 + (flow + up) U0 = g_U W + C_U U + (flow - up) A1 + exchange D0
            d11, d12 = flow + down - exchange * b, -exchange
            d21, d22 = -exchange - (flow - up) * b, flow + up
            determinant = d11 * d22 - d12 * d21
            i11, i12, i21, i22 = d22 / determinant, -d12 / determinant, -d21 / determinant, d11 / determinant
            sweep[0, cell, lane] = i11 * g_down[cell, lane] + i12 * g_up[cell, lane]
            sweep[1, cell, lane] = i11 * storage_down[cell, lane]
            sweep[2, cell, lane] = i12 * storage_up[cell, lane]
            sweep[3, cell, lane] = i11 * exchange + i12 * (flow - up)
            sweep[4, cell, lane] = i21 * g_down[cell, lane] + i22 * g_up[cell, lane]
            sweep[5, cell, lane] = i21 * storage_down[cell, lane]
            sweep[6, cell, lane] = i22 * storage_up[cell, lane]
            sweep[7, cell, lane] = i21 * exchange + i22 * (flow - up)
            sweep[8, cell, lane] = i11 * (flow - down) + i12 * exchange
            sweep[9, cell, lane] = b
            b = i21 * (flow - down) + i22 * exchange
        ratio[lane] = b


@njit(cache=True, error_model="numpy")
def sweep_up(sweep, wall, down, up, offset, progress):  # type: ignore[no-untyped-def]
    """A at every depth, for given wall temperatures and fluid temperatures before the step.

    Parameters
    ----------
    sweep
        From `eliminate`, (10, cell, lane).
    wall, down, up
        Wall without this step's heat, and the channels' means before the step, °C, (cell, lane).
    offset
        Result, (cell + 1, lane), °C: A at the top of each cell; zero at the bottom. offset[0] is A in outlet = A + B
        · inlet.
    progress
        Result, (cell, lane), °C: p of each cell.
    """
    cells, lanes = wall.shape
    for lane in range(lanes):
        offset[cells, lane] = 0.0
    for cell in range(cells - 1, -1, -1):
        for lane in range(lanes):
            w, d, u, a = wall[cell, lane], down[cell, lane], up[cell, lane], offset[cell + 1, lane]
            progress[cell, lane] = (
                sweep[0, cell, lane] * w
                + sweep[1, cell, lane] * d
                + sweep[2, cell, lane] * u
                + sweep[3, cell, lane] * a
            )
            offset[cell, lane] = (
                sweep[4, cell, lane] * w
                + sweep[5, cell, lane] * d
                + sweep[6, cell, lane] * u
                + sweep[7, cell, lane] * a
            )


@njit(cache=True, error_model="numpy")
def sweep_down(sweep, g_down, g_up, wall, offset, progress, inlet, outlet, down, up, flux):  # type: ignore[no-untyped-def]
    """Fluid temperatures at the end of the step, and the heat that the rock gave.

    Parameters
    ----------
    sweep, g_down, g_up, wall, offset, progress
        As in `eliminate` and `sweep_up`.
    inlet, outlet
        Water entering and leaving the well, °C, (lane,): overwritten, with what reaches and leaves the bottom.
    down, up
        Means of the channels over each cell, °C, (cell, lane): result.
    flux
        Heat from the rock into the well, W/m, (cell, lane): result.
    """
    cells, lanes = wall.shape
    for cell in range(cells):
        for lane in range(lanes):
            d0, u0 = inlet[lane], outlet[lane]
            d1 = progress[cell, lane] + sweep[8, cell, lane] * d0
            u1 = offset[cell + 1, lane] + sweep[9, cell, lane] * d1
            d, u = 0.5 * (d0 + d1), 0.5 * (u0 + u1)
            w = wall[cell, lane]
            flux[cell, lane] = g_down[cell, lane] * (w - d) + g_up[cell, lane] * (w - u)
            down[cell, lane] = d
            up[cell, lane] = u
            inlet[lane] = d1
            outlet[lane] = u1
