"""The fluid in the wells: properties of water and of its mixtures with glycols, and flows that no correlation covers.

Properties come from SecondaryCoolantProps: for water fits to the CRC Handbook (61st ed., 1980) at atmospheric pressure,
from 1 °C up within 0.1 % of IAPWS-95 in density and heat capacity, 0.3 % in viscosity and 0.8 % in conductivity; for
the mixtures the fits of Melinder (2010), Properties of secondary working fluids for indirect systems. Glycol is plain:
inhibitors change density and heat capacity by some 0.5 %.

Pressure is left out. By IAPWS-95, from 0.1 to 1 MPa (a loop at the surface) nothing changes by more than 0.1 %, but
for the thermal expansion (2.4 % at 10 °C); at 15 MPa (halfway down a deep well) water between 10 and 60 °C is 0.7 %
denser, holds 1.3 % less heat a kilogram, conducts 1.6 % better, is 1 % more or less viscous, and expands more: by 39 %
at 10 °C, 10 % at 20 °C, 1 % at 40 °C.

Arrays are (row,), unless said otherwise: any shape goes, and a row has the same bits among any others.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scp.base_fluid import BaseFluid
from scp.ethylene_glycol import EthyleneGlycol
from scp.propylene_glycol import PropyleneGlycol
from scp.water import Water

from kernels.pipes import LAMINAR, TURBULENT, Fluid, Pipes, reynolds_number
from study.problems import first_problem

Array = NDArray[np.float64]
Medium = Literal["water", "ethylene_glycol", "propylene_glycol"]

MIXTURES: dict[str, Callable[[float], BaseFluid]] = {
    "water": lambda _: Water(),
    "ethylene_glycol": EthyleneGlycol,
    "propylene_glycol": PropyleneGlycol,
}

HOTTEST = 100.0
"""Highest temperature of the fits, °C."""

RICHEST = 0.6
"""Highest mass fraction of glycol in the fits."""

MEASURED, COVERED = 1e6, 5e6
"""Highest Reynolds number of the films in the VDI Heat Atlas, and the highest quoted for Gnielinski (1976)."""

PRANDTL = 0.5, 2000.0
"""Widest range of Prandtl numbers quoted for Gnielinski (1976)."""


def fluid_properties(medium: Medium, *, temperature: ArrayLike, mass_fraction: ArrayLike = 0.0) -> Fluid:
    """Return density, heat capacity, conductivity and viscosity; nan in rows that `fluid_problem` objects to.

    Parameters
    ----------
    medium
        Water, or the glycol that is mixed with water.
    temperature
        °C.
    mass_fraction
        Glycol, by mass of the mixture; zero in water.

    Raises
    ------
    ValueError
        When the medium is not known.
    """

    def properties(mixture: BaseFluid, t: float) -> tuple[float, ...]:
        return mixture.density(t), mixture.specific_heat(t), mixture.conductivity(t), mixture.viscosity(t)

    return Fluid(*_row_by_row(medium, temperature, mass_fraction, properties, count=4))


def thermal_expansion(medium: Medium, *, temperature: ArrayLike, mass_fraction: ArrayLike = 0.0) -> Array:
    """Return the volumetric thermal expansion -(∂ρ/∂T)/ρ, 1/K, by differences; below zero in water under 4 °C.

    Parameters and errors as for `fluid_properties`.
    """

    def expansion(mixture: BaseFluid, t: float) -> tuple[float]:
        below, above = max(t - 0.01, mixture.t_min), min(t + 0.01, mixture.t_max)
        return ((mixture.density(below) - mixture.density(above)) / (above - below) / mixture.density(t),)

    return _row_by_row(medium, temperature, mass_fraction, expansion, count=1)[0]


def freezing_point(medium: Medium, *, mass_fraction: ArrayLike = 0.0) -> Array:
    """Return the temperature at which ice appears, °C; nan where the mass fraction is out of range.

    Parameters and errors as for `fluid_properties`.
    """
    make, fraction = _mixture(medium), np.asarray(mass_fraction, dtype=float)
    points = [make(x).freeze_point(x) if 0.0 <= x <= RICHEST else math.nan for x in fraction.ravel().tolist()]
    return np.array(points).reshape(fraction.shape)


def fluid_problem(
    medium: Medium, *, temperature: ArrayLike = np.nan, mass_fraction: ArrayLike = 0.0
) -> NDArray[np.object_]:
    """Return, row by row, why there is no such fluid or nothing is known of it, or None; a nan is not judged.

    Parameters and errors as for `fluid_properties`.
    """
    t, fraction = np.broadcast_arrays(np.asarray(temperature, dtype=float), np.asarray(mass_fraction, dtype=float))
    freezing = freezing_point(medium, mass_fraction=fraction)
    return first_problem(
        (
            (fraction < 0.0) | (fraction > (0.0 if medium == "water" else RICHEST)),
            "mass_fraction must be 0 in water"
            if medium == "water"
            else f"mass_fraction must be at least 0 and at most {RICHEST:g}",
        ),
        (t <= freezing, "temperature must be above the freezing point"),
        (t > HOTTEST, f"temperature must be at most {HOTTEST:g} degC, where the properties of the fluid end"),
    )


def _mixture(medium: str) -> Callable[[float], BaseFluid]:
    if medium not in MIXTURES:
        raise ValueError(f"medium must be one of {', '.join(MIXTURES)}; got {medium!r}")
    return MIXTURES[medium]


def _row_by_row(
    medium: Medium,
    temperature: ArrayLike,
    mass_fraction: ArrayLike,
    evaluate: Callable[[BaseFluid, float], tuple[float, ...]],
    *,
    count: int,
) -> Array:
    """Numbers that `evaluate` gives of mixture and temperature, (count, row): plain floats, so no row sees another."""
    make = _mixture(medium)
    t, fraction = np.broadcast_arrays(np.asarray(temperature, dtype=float), np.asarray(mass_fraction, dtype=float))
    result = np.full((count, t.size), math.nan)
    for row, problem in enumerate(fluid_problem(medium, temperature=t, mass_fraction=fraction).flat):
        celsius, share = float(t.flat[row]), float(fraction.flat[row])
        if problem is None and math.isfinite(celsius + share):
            result[:, row] = evaluate(make(share), celsius)
    return result.reshape(count, *t.shape)


def _flow_numbers(flow_rate: Array, pipes: Pipes, fluid: Fluid) -> tuple[dict[str, Array], Array]:
    """Reynolds number of each channel, and the Prandtl number."""
    reynolds = {
        "annulus": reynolds_number(flow_rate, pipes.annulus_area, pipes.annulus_hydraulic_diameter, fluid),
        "inner pipe": reynolds_number(flow_rate, pipes.inner_area, 2.0 * pipes.inner_pipe_inner_radius, fluid),
    }
    return reynolds, fluid.heat_capacity * fluid.viscosity / fluid.conductivity


def flow_warnings(flow_rate: Array, pipes: Pipes, fluid: Fluid) -> dict[str, NDArray[np.bool_]]:
    """Return, for each weakness of films and friction, the rows that have it; all are computed none the less.

    Always the same keys, in words that follow "12 % of samples: ". The entrance is left out: some tens of diameters in
    turbulent flow, 0.05 Re Pr diameters in laminar flow, where it only improves the film.

    Parameters
    ----------
    flow_rate
        m³/s.
    pipes, fluid
        As in `kernels.pipes`.
    """
    warnings = {}
    for channel, reynolds in _flow_numbers(flow_rate, pipes, fluid)[0].items():
        warnings[
            f"flow in the {channel} is transitional (Re {LAMINAR:g} to {TURBULENT:g}): "
            "film and friction are interpolated, not measured"
        ] = (reynolds > LAMINAR) & (reynolds < TURBULENT)
        warnings[f"flow in the {channel} is faster than measured (Re above {MEASURED:g}): film is extrapolated"] = (
            reynolds > MEASURED
        )
        if channel == "annulus":
            warnings[f"flow in the annulus is laminar (Re up to {LAMINAR:g}): film is that of a round pipe"] = (
                reynolds <= LAMINAR
            )
    return warnings


def flow_problem(flow_rate: Array, pipes: Pipes, fluid: Fluid) -> NDArray[np.object_]:
    """Return, row by row, why films and friction mean nothing in this flow, or None; parameters as in `flow_warnings`.

    Outside the widest range quoted for the films are Re above 5e6, and unless laminar Pr below 0.5 or above 2000.
    """
    reynolds, prandtl = _flow_numbers(flow_rate, pipes, fluid)
    fastest, prandtl = np.broadcast_arrays(np.maximum(*reynolds.values()), prandtl)
    strange = (prandtl < PRANDTL[0]) | (prandtl > PRANDTL[1])
    return first_problem(
        (~(np.isfinite(fastest) & np.isfinite(prandtl) & (fastest > 0.0)), "flow or fluid is not a positive number"),
        (fastest > COVERED, f"Reynolds number must be at most {COVERED:g}: less flow, or wider pipes"),
        (strange & (fastest > LAMINAR), f"Prandtl number must be at least {PRANDTL[0]:g} and at most {PRANDTL[1]:g}"),
    )
