"""The exact answer for one coaxial well, to judge the kernels by; it shares no line with them.

In the Laplace domain each layer is a linear 2 x 2 system in depth with constant coefficients, solved by its two
exponentials: no cells, no steps. For the water's deviations from the undisturbed ground, going down (D) and up (U),

    (C_D s + w_D) D + M (D' + g/s) = w U,        (C_U s + w_U) U - M (U' + g/s) = w D,        U = D at the bottom

g is the layer's geothermal gradient, M the flow heat-capacity rate, C the water's heat capacity. The admittances w come
from chains of radial two-ports: films and walls without heat capacity are resistances, other walls hollow cylinders;
the rock ends the chain. Where a pipe or the grout changes, a layer of rock is cut in two. The way back to time is
`euler` or `talbot`, whose nodes have nothing in common. Talbot's does not see the fronts that run round the loop after
a sudden change; once these have died away, both agree to 1e-6 K.

`python tests/exact.py CASE.yaml` prints the answer as JSON, and on standard error how far the two are apart.
"""

import json
import sys
from collections.abc import Callable, Sequence
from math import comb, log, pi
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pint
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy.special import exp1, ive, kve

Array = NDArray[Any]
Transform = Callable[[Array], Array]
Inverse = Callable[[Transform, float], Array]
UNITS: pint.UnitRegistry[float] = pint.UnitRegistry()


class Wall(NamedTuple):
    """Inner and outer radius (m), conductivity (W/m/K), heat capacity (J/m³/K; 0 for a pure resistance)."""

    inner_radius: float
    outer_radius: float
    conductivity: float
    heat_capacity: float


Parts = tuple[Wall | float, ...]
"""What lies between two places, from the inside out: walls and resistances, m K/W."""


class Well(NamedTuple):
    """One well in SI units and °C."""

    flow: float  # heat-capacity rate, W/K
    annulus_heat_capacity: float  # of the water, J/m/K
    inner_heat_capacity: float
    inner_to_annulus: Sequence[Parts]  # of each layer
    annulus_to_rock: Sequence[Parts]
    borehole_radius: float
    surface_temperature: float
    layers: Array  # top to bottom: thickness (m), conductivity (W/m/K), heat capacity (J/m³/K), gradient (K/m)
    annulus_down: bool = True

    def undisturbed(self, depth: Array) -> Array:
        """Ground temperature (°C) at `depth` (m)."""
        thickness, gradient = np.pad(self.layers, ((1, 0), (0, 0)))[:, [0, 3]].T
        return self.surface_temperature + np.interp(depth, np.cumsum(thickness), np.cumsum(thickness * gradient))


def si(case: Any) -> Any:
    """A case with the quantities in it ('30 m^3/h') as plain numbers in SI base units; temperatures in K."""
    if isinstance(case, dict):
        return {key: si(value) for key, value in case.items()}
    if isinstance(case, list):
        return [si(value) for value in case]
    number, _, unit = case.partition(" ")
    return float(UNITS.Quantity(float(number), unit).to_base_units().magnitude) if unit else case


def nusselt(reynolds: float, prandtl: float) -> float:
    """Nusselt number: 4.364 up to Re 2300, from Re 4000 Gnielinski (1976) with the smooth-wall Petukhov factor."""
    turbulent = max(reynolds, 4000.0)
    f = (0.79 * log(turbulent) - 1.64) ** -2 / 8
    gnielinski = f * (turbulent - 1000) * prandtl / (1 + 12.7 * f**0.5 * (prandtl ** (2 / 3) - 1))
    return 4.364 + min(max((reynolds - 2300) / 1700, 0.0), 1.0) * (gnielinski - 4.364)


def well_of(case: dict[str, Any]) -> Well:
    """The well of a case in SI base units; ValueError if its layers end above its bottom."""
    well, fluid, ground = case["well"], case["fluid"], case["ground"]
    casing, grout, pipe = well["casing"], well["grout"], well["inner_pipe"]
    borehole, volume_flow = well["borehole_diameter"] / 2, well["flow_rate"]
    casing_outer, pipe_outer = casing["outer_diameter"] / 2, pipe["outer_diameter"] / 2
    casing_inner, pipe_inner = casing_outer - casing["wall"], pipe_outer - pipe["wall"]
    density, heat_capacity, conductivity = fluid["density"], fluid["heat_capacity"], fluid["conductivity"]
    tube = pi * pipe_inner**2, 2 * pipe_inner  # cross-section, hydraulic diameter
    annulus = pi * (casing_inner**2 - pipe_outer**2), 2 * (casing_inner - pipe_outer)

    def wall(part: dict[str, Any], inner: float, outer: float, depth: float) -> Wall:
        ends = np.cumsum([section["length"] for section in part.get("sections", [])])
        at = int(np.searchsorted(ends, depth, side="right"))
        here = part | (part["sections"][at] if at < len(ends) else {})
        return Wall(inner, outer, here["conductivity"], here.get("volumetric_heat_capacity", 0.0))

    def film(radius: float, area: float, hydraulic_diameter: float) -> float:
        reynolds = density * volume_flow / area * hydraulic_diameter / fluid["viscosity"]
        h = nusselt(reynolds, fluid["viscosity"] * heat_capacity / conductivity) * conductivity / hydraulic_diameter
        return 1 / (2 * pi * radius * h)

    properties = "thickness", "conductivity", "volumetric_heat_capacity", "geothermal_gradient"
    layers = np.array([[layer[name] for name in properties] for layer in ground["layers"]])
    layers[:, 0] = np.diff(np.minimum(np.cumsum(layers[:, 0]), well["depth"]), prepend=0.0)
    if sum(layers[:, 0]) < well["depth"] - 1e-6:
        raise ValueError(f"ground.layers must reach {well['depth']} m, got {sum(layers[:, 0])} m")
    bottoms = np.cumsum(layers[:, 0])
    sections = [
        np.cumsum([section["length"] for section in part.get("sections", [])]) for part in (casing, grout, pipe)
    ]
    ends = np.unique(np.concatenate([bottoms, *sections]))
    ends = ends[(ends > 0.0) & (ends <= bottoms[-1])]
    tops = np.append(0.0, ends[:-1])
    layers = layers[np.searchsorted(bottoms, tops, side="right")]
    layers[:, 0] = ends - tops
    tube_film, pipe_film, casing_film = (
        film(pipe_inner, *tube),
        film(pipe_outer, *annulus),
        film(casing_inner, *annulus),
    )
    return Well(
        flow=density * heat_capacity * volume_flow,
        annulus_heat_capacity=density * heat_capacity * annulus[0],
        inner_heat_capacity=density * heat_capacity * tube[0],
        inner_to_annulus=[(tube_film, wall(pipe, pipe_inner, pipe_outer, top), pipe_film) for top in tops],
        annulus_to_rock=[
            (casing_film, wall(casing, casing_inner, casing_outer, top), wall(grout, casing_outer, borehole, top))
            for top in tops
        ],
        borehole_radius=borehole,
        surface_temperature=ground["surface_temperature"] - 273.15,
        layers=layers,
        annulus_down={"annulus_down": True, "inner_down": False}[well["flow_direction"]],
    )


def resistance(part: Wall | float) -> float:
    """Steady resistance, m K/W."""
    if isinstance(part, Wall):
        return log(part.outer_radius / part.inner_radius) / (2 * pi * part.conductivity)
    return part


def rock_impedance(s: Array, radius: float, conductivity: float, heat_capacity: float) -> Array:
    """Wall temperature over the heat flow into infinite rock, m K/W (Carslaw and Jaeger 1959, section 13.5)."""
    x = radius * np.sqrt(s * heat_capacity / conductivity)
    return kve(0, x) / (2 * pi * conductivity * x * kve(1, x))


def mean_resistance(well: Well, layers: Sequence[Parts]) -> float:
    """Steady resistance of what lies between two places, mean over the depth, m K/W."""
    return float(np.average([sum(map(resistance, parts)) for parts in layers], weights=well.layers[:, 0]))


def line_sources(four_alpha_t: Array, distance: Array) -> Array:
    """Σ ½ E1(d² / 4αt), dimensionless, (time,), over sources at distances d in m, (source,); 4αt in m², (time,)."""
    return 0.5 * exp1(np.square(distance) / four_alpha_t[:, None]).sum(axis=1)


def chain(s: Array, parts: Parts) -> Array:
    """Matrix (2, 2, nodes): temperature and outward heat flow inside from those outside; determinant 1."""
    total = np.eye(2)[:, :, None] + 0 * s
    for part in parts:
        matrix = np.array([[s**0, s**0 * resistance(part)], [0 * s, s**0]])
        if isinstance(part, Wall) and part.heat_capacity:
            k, m = 2 * pi * part.conductivity, np.sqrt(s * part.heat_capacity / part.conductivity)
            x, y = m * part.inner_radius, m * part.outer_radius
            # I_i(y) K_j(x) and I_i(x) K_j(y), from the scaled functions
            rise = np.array([[ive(i, y) * kve(j, x) for j in (0, 1)] for i in (0, 1)]) * np.exp(abs(y.real) - x)
            fall = np.array([[ive(i, x) * kve(j, y) for j in (0, 1)] for i in (0, 1)]) * np.exp(abs(x.real) - y)
            matrix[0] = y * (fall[0, 1] + rise[1, 0]), (rise[0, 0] - fall[0, 0]) / k
            matrix[1] = k * x * y * (rise[1, 1] - fall[1, 1]), x * (fall[1, 0] + rise[0, 1])
        total = np.einsum("ijn,jkn->ikn", total, matrix)
    return total


def deviations(
    s: Array, well: Well, *, depths: Array, inlet: float | None = None, heat: float = 0.0, moving: bool = True
) -> Array:
    """Laplace transform (K s) of deviations from the ground, shape (down, up and borehole wall; depths, nodes).

    At t = 0 the inlet deviation becomes `inlet` (K) or, where that is None, the heat taken becomes `heat` (W); `moving`
    is whether the water then also starts to carry the ground's heat along. `s` in 1/s, `depths` in m; where a layer
    ends, the borehole wall is that layer's.
    """
    passed = []  # borehole wall over annulus, of each layer
    radial = []  # w, and the decay rates of annulus and inner pipe
    for (_, k, c, _), to_annulus, to_rock in zip(well.layers, well.inner_to_annulus, well.annulus_to_rock, strict=True):
        pipe, casing, z = chain(s, to_annulus), chain(s, to_rock), rock_impedance(s, well.borehole_radius, k, c)
        outside = (casing[1, 0] * z + casing[1, 1]) / (casing[0, 0] * z + casing[0, 1])
        passed.append(z / (casing[0, 0] * z + casing[0, 1]))
        annulus = well.annulus_heat_capacity * s + outside + pipe[0, 0] / pipe[0, 1]
        inner = well.inner_heat_capacity * s + pipe[1, 1] / pipe[0, 1]
        radial.append((1 / pipe[0, 1] / well.flow, annulus / well.flow, inner / well.flow))
    ends = np.cumsum([0.0, *well.layers[:, 0]])
    cuts = np.unique(np.concatenate([ends, depths]))
    lines, steps = [(0 * s, s**0)], []  # U = A + B D at each cut, from the bottom up
    for above, below in zip(cuts[-2::-1], cuts[:0:-1], strict=True):
        layer = np.searchsorted(ends, below) - 1
        gradient, (w, annulus, inner) = well.layers[layer, 3], radial[layer]
        n_d, n_u = (annulus, inner) if well.annulus_down else (inner, annulus)
        # (D, U)' = [[-n_d, w], [-w, n_u]] (D, U) - g/s: a mode (h, w) falls with depth, one (w, h) rises; a constant
        root = np.sqrt(((n_d + n_u) / 2) ** 2 - w**2)
        h = (n_d + n_u) / 2 + root
        falling, rising = (np.exp((sign * (n_u - n_d) / 2 - root) * (below - above)) for sign in (1, -1))
        source = -gradient * moving / s / (n_d * n_u - w**2)
        d, u = source * (n_u - w), source * (w - n_d)
        # the rising mode at the base is p + q × the falling mode at the top, and that is (D - d - p w rising) / top
        A, B = lines[-1]
        p, q = (A + B * d - u) / (h - B * w), (B * h - w) * falling / (h - B * w)
        top = h + q * w * rising
        slope, factor = (w + q * h * rising) / top, (h * falling + w * q) / top
        lines.append((u + p * h * rising - slope * (d + p * w * rising), slope))
        steps.append((d + p * w - factor * (d + p * w * rising), factor))
    A, B = lines[-1]
    down = [inlet / s if inlet is not None else (A - heat / well.flow / s) / (1 - B)]
    for constant, factor in reversed(steps):
        down.append(constant + factor * down[-1])
    both = np.array([(D, A + B * D) for D, (A, B) in zip(down, reversed(lines), strict=True)])
    both = both[np.searchsorted(cuts, depths)].transpose(1, 0, 2)
    layers = np.maximum(np.searchsorted(ends, depths) - 1, 0)
    return np.concatenate([both, [np.array(passed)[layers] * both[0 if well.annulus_down else 1]]])


def euler(transform: Transform, t: float, terms: int = 4000) -> Array:
    """Inverse of a transform (last axis: nodes) at `t` by Fourier series and Euler summation (Abate and Whitt 1995)."""
    decay, last = 24.0, 16
    weight = np.exp(decay / 2) / t * (-1.0) ** np.arange(terms + last + 1)
    weight[0] /= 2
    weight[terms:] *= np.cumsum([comb(last, j) for j in range(last + 1)])[::-1] / 2.0**last
    return (transform((decay / 2 + 1j * pi * np.arange(terms + last + 1)) / t) @ weight).real


def talbot(transform: Transform, t: float, nodes: int = 32) -> Array:
    """The same by the fixed Talbot contour (Abate and Valkó 2004)."""
    angle = np.arange(1, nodes) * pi / nodes
    cot = 1 / np.tan(angle)
    s = np.concatenate([[1.0 + 0j], angle * (cot + 1j)]) * 2 * nodes / (5 * t)
    weight = np.concatenate([[0.5 + 0j], 1 + 1j * (angle + (angle * cot - 1) * cot)]) * np.exp(s * t)
    return (transform(s) @ weight).real * 2 / (5 * t)


def solve(case: dict[str, Any], *, invert: Inverse = euler, depths: Sequence[float] = ()) -> dict[str, Any]:
    """Exact answer for a case as read from YAML, under the keys that `hotland well` writes.

    With `depths` (m) also `annulus_temperature`, `inner_temperature` and `wall_temperature` (°C, the last of the
    borehole), one list over depth for each time; they default to the case's own.
    """
    case = si(case)
    well, load, times = well_of(case), case["load"], np.array(case["times"])
    depths = depths or case.get("depths", ())
    inlet = load["inlet_temperature"] - 273.15 - well.surface_temperature if "inlet_temperature" in load else None
    schedule = load.get("schedule", [[0.0, load["heat_rate"]]] if "heat_rate" in load else [])
    changes = np.diff([rate for _, rate in schedule], prepend=0.0)
    places = np.array([0.0, *depths])

    def after(t: float, **change: Any) -> Array:
        return invert(lambda s: deviations(s, well, depths=places, **change), t)

    water = np.array([after(t, inlet=inlet) for t in times]) + well.undisturbed(places)
    for (start, _), change in zip(schedule, changes, strict=True):
        for i in np.flatnonzero(times > start):
            water[i] += after(times[i] - start, heat=change, moving=False)
    down, up, wall = water.transpose(1, 0, 2)
    answer = {
        "time_days": (times / 86400).tolist(),
        "outlet_temperature": up[:, 0].tolist(),
        "inlet_temperature": down[:, 0].tolist(),
        "heat_rate_kW": (well.flow * (up - down)[:, 0] / 1e3).tolist(),
        "R_annulus_wall_mK_per_W": mean_resistance(well, well.annulus_to_rock),
        "R_annulus_inner_mK_per_W": mean_resistance(well, well.inner_to_annulus),
    }
    if len(depths):
        annulus, inner = (down, up) if well.annulus_down else (up, down)
        along = {"annulus_temperature": annulus, "inner_temperature": inner, "wall_temperature": wall}
        answer |= {"depth_m": list(depths)} | {name: values[:, 1:].tolist() for name, values in along.items()}
    return answer


if __name__ == "__main__":
    asked = YAML(typ="safe").load(Path(sys.argv[1]))
    answer, check = solve(asked), solve(asked, invert=talbot)
    apart = np.abs(np.subtract(answer["outlet_temperature"], check["outlet_temperature"]))
    print(f"Euler and Talbot apart by at most {apart.max():.1e} K", file=sys.stderr)
    rounded = {key: value if key[0] == "R" else (np.round(value, 6) + 0.0).tolist() for key, value in answer.items()}
    print(json.dumps(rounded, indent=1))
