"""A shallow ground-source heat pump in place of the deep wells: the boreholes, land and electricity for the same heat.

Sized as ASHRAE does it (Handbook HVAC Applications, geothermal energy; Philippe, Bernier and Marchio 2010): heat is
taken from resting ground in steps, each begun nearer to the coldest moment than the one before, and their effects add:

    boreholes · depth · (T_ground - T_fluid) = Σ_i (q_i - q_(i-1)) g(t_i) / 2πk + q_last R_b

q_i (W, the whole field) are the mean of the years, of the season, of its coldest month and the load of its coldest day;
t_i is how long ago each began. g is the response of the whole square field: what a load does to it that heats and never
cools decides the size.

g is that of a lone finite line source and what the other boreholes add to it. They are read from `borehole_fields.csv`,
made once by pygfunction (`benchmarks/borehole_fields.py`) for boreholes with the same wall temperature, as those have,
nearly, that are fed in parallel. Lines with equal heat everywhere, which are summed easily, are no substitute: after 30
years at 6 m their response is 1.35 times as large for 100 boreholes, 1.47 times for 1,600.

The table is of boreholes of one slenderness, 0.15 m over 120 m. A thicker or shorter one resists less by itself, and
heat shifts more from the middle of the field to its edge: with 0.2 m over 60 m g is up to 8 % smaller than is found
here, with 0.12 m over 240 m up to 3 % larger.
"""

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.special import erf

from study.problems import first_problem

Array = NDArray[np.float64]

DAY, YEAR = 86400.0, 8760.0 * 3600.0
MONTH = YEAR / 12.0
COVER = 1.0 / 60.0
"""Ground above the heat exchanger of a borehole, over its depth: 2 m over 120 m, as in the table."""
TO_COLDEST = 0.6
"""Share of the season that is over when its coldest month ends: in Shenyang 92 days of 151."""
CLOSEST, WIDEST, LATEST = 0.02, 0.33, 6.5
"""What the table has: spacing over depth from and to, ln αt / spacing² to."""


class ShallowPlant(NamedTuple):
    """What a shallow plant needs, all (sample,); not a number where there is a `problem`.

    Attributes
    ----------
    boreholes
        Their number.
    drilled
        Depth of all boreholes together, m.
    land, land_per_capacity
        A square of the spacing for each borehole, m², and over the heating capacity, m²/MW.
    electricity
        Of heat pumps and circulation, MWh/yr.
    cop
        Heat over electricity, of a season.
    undisturbed
        Mean temperature of the ground along a borehole before anything is taken from it, °C.
    coldest_first, coldest_last
        Lowest mean of the fluid entering and leaving, in the first and in the last winter, °C.
    fall
        From the first to the last, K.
    problem
        Why there is no such plant, or None.
    """

    boreholes: Array
    drilled: Array
    land: Array
    land_per_capacity: Array
    electricity: Array
    cop: Array
    undisturbed: Array
    coldest_first: Array
    coldest_last: Array
    fall: Array
    problem: NDArray[np.object_]


class Load(NamedTuple):
    """What is asked of the plant; all broadcast to (sample,).

    Attributes
    ----------
    heat
        From the heat pumps in an average winter, MWh/yr.
    capacity
        Of the heat pumps, MW: what the coldest day takes.
    seasonal_cop, design_cop
        Heat over electricity in a season, circulation included, and on the coldest day.
    years
        Of life.
    season_days
        Length of the heating season, d.
    coldest_month_share
        Of a winter's heat; the month takes no more than the capacity all the time.
    peak_hours
        How long the coldest day lasts, h; 5 r² / α, about 8 h, is the least for lines.
    recharge
        Share of the heat taken from the ground that is put back in summer.
    """

    heat: Array
    capacity: Array
    seasonal_cop: Array = np.array(3.2)
    design_cop: Array = np.array(2.8)
    years: Array = np.array(30.0)
    season_days: Array = np.array(151.0)
    coldest_month_share: Array = np.array(0.27)
    peak_hours: Array = np.array(24.0)
    recharge: Array = np.array(0.0)


class Boreholes(NamedTuple):
    """Boreholes and their ground; all broadcast to (sample,).

    Attributes
    ----------
    conductivity, heat_capacity
        Of the ground, W/m/K and J/m³/K.
    surface_temperature, geothermal_gradient
        °C and K/m.
    depth, spacing, diameter
        m.
    resistance
        From the mean fluid to the borehole's wall, m K/W.
    lowest_fluid_temperature
        Allowed mean of the fluid entering and leaving, °C.
    """

    conductivity: Array
    heat_capacity: Array
    surface_temperature: Array
    geothermal_gradient: Array
    depth: Array = np.array(120.0)
    spacing: Array = np.array(6.0)
    diameter: Array = np.array(0.15)
    resistance: Array = np.array(0.10)
    lowest_fluid_temperature: Array = np.array(0.0)


class Steps(NamedTuple):
    """Heat taken from the ground up to a moment: by how much each step raises it, W, and how long ago it began, s."""

    rise: list[Array]
    age: list[Array]


def shallow_plant(load: Load, boreholes: Boreholes) -> ShallowPlant:
    """Size the smallest square field whose fluid stays warm enough to the end of its life; answers are (sample,)."""
    shape = np.broadcast_shapes((1,), *(np.shape(each) for each in (*load, *boreholes)))
    load = Load(*(np.broadcast_to(np.asarray(each, dtype=np.float64), shape) for each in load))
    boreholes = Boreholes(*(np.broadcast_to(np.asarray(each, dtype=np.float64), shape) for each in boreholes))
    problem = problems(load, boreholes)
    fine = np.array([each is None for each in problem], dtype=bool)
    answer = {name: np.full(shape, np.nan) for name in ShallowPlant._fields if name != "problem"}
    for name, value in _sized(Load(*(each[fine] for each in load)), Boreholes(*(each[fine] for each in boreholes))):
        answer[name][fine] = value
    return ShallowPlant(**answer, problem=problem)


def _sized(load: Load, boreholes: Boreholes) -> list[tuple[str, Array]]:
    """The plant where there is no problem."""
    ground = ground_temperature(boreholes)
    to_last, to_first = (
        cooling(heat_steps(load._replace(years=years)), boreholes) for years in (load.years, np.ones_like(load.years))
    )
    number = np.ceil(fewest(to_last, boreholes.depth * (ground - boreholes.lowest_fluid_temperature)))
    drilled = number * boreholes.depth
    last, first = (ground - at(curve, number) / drilled for curve in (to_last, to_first))
    land = number * boreholes.spacing**2
    return [
        ("boreholes", number),
        ("drilled", drilled),
        ("land", land),
        ("land_per_capacity", land / load.capacity),
        ("electricity", load.heat / load.seasonal_cop),
        ("cop", load.seasonal_cop),
        ("undisturbed", ground),
        ("coldest_first", first),
        ("coldest_last", last),
        ("fall", first - last),
    ]


def problems(load: Load, boreholes: Boreholes) -> NDArray[np.object_]:
    """Why there is no such plant, or None, (sample,)."""
    close = boreholes.spacing / boreholes.depth
    return first_problem(
        (load.capacity <= 0.0, "there is no heating capacity"),
        (np.minimum(load.seasonal_cop, load.design_cop) <= 1.0, "the COP must be above 1"),
        (TO_COLDEST * load.season_days * DAY < MONTH, "the season must have 51 days or more"),
        (load.heat > 24.0 * load.season_days * load.capacity, "the heat is more than the capacity gives in a season"),
        ((close < CLOSEST) | (close > WIDEST), "the spacing must be 2 to 33 % of the depth"),
        (
            np.log(_diffusivity(boreholes) * load.years * YEAR / boreholes.spacing**2) > LATEST,
            "the boreholes are too close for so many years",
        ),
        (
            ground_temperature(boreholes) <= boreholes.lowest_fluid_temperature,
            "the ground is no warmer than the coldest fluid allowed",
        ),
    )


def ground_temperature(boreholes: Boreholes) -> Array:
    """Mean temperature of the ground along a borehole, undisturbed, °C."""
    middle = (COVER + 0.5) * boreholes.depth
    return boreholes.surface_temperature + boreholes.geothermal_gradient * middle


def heat_steps(load: Load) -> Steps:
    """Steps of the heat taken from the ground up to the coldest moment of the last winter."""
    from_ground = 1e6 / 24.0 * load.heat * (1.0 - 1.0 / load.seasonal_cop)  # W d
    season = from_ground / load.season_days
    mean = (1.0 - load.recharge) * from_ground / (YEAR / DAY)
    full = 1e6 * load.capacity
    month = np.minimum(from_ground * load.coldest_month_share / (MONTH / DAY), full * (1.0 - 1.0 / load.seasonal_cop))
    peak = full * (1.0 - 1.0 / load.design_cop)
    begun = TO_COLDEST * load.season_days * DAY
    return Steps(
        rise=[mean, season - mean, month - season, peak - month],
        age=[(load.years - 1.0) * YEAR + begun, begun, np.full_like(begun, MONTH), 3600.0 * load.peak_hours],
    )


def cooling(steps: Steps, boreholes: Boreholes) -> Array:
    """How far steps of heat cool the fluid at last, times the depth of all boreholes together, K m, (node, sample).

    The nodes are the square fields of `sides`; a real field is between two of them (`at`).
    """
    per_watt = 1.0 / (2.0 * np.pi * boreholes.conductivity)
    total = sum(steps.rise) * boreholes.resistance
    for rise, age in zip(steps.rise, steps.age, strict=True):
        total = total + rise * per_watt * (lone_response(age, boreholes) + others(age, boreholes))
    return total


def fewest(curve: Array, room: Array) -> Array:
    """Fewest boreholes, not rounded, each of which may be cooled by `room`, K m, (sample,).

    It is found by bisection between boreholes that do not feel each other and a field without end: each more leaves
    less for the others to bear, though they all cool each other.
    """
    low, high = curve[0] / room, curve[-1] / room
    for _ in range(50):
        number = 0.5 * (low + high)
        enough = at(curve, number) <= number * room
        low, high = np.where(enough, low, number), np.where(enough, number, high)
    return high


def at(curve: Array, number: Array) -> Array:
    """A curve of `cooling` for a number of boreholes, (sample,): straight in 1 / side between the nodes."""
    nodes = 1.0 / sides()
    inverse = np.minimum(number**-0.5, 1.0)
    right = np.clip(np.searchsorted(-nodes, -inverse), 1, len(nodes) - 1)
    share = (nodes[right - 1] - inverse) / (nodes[right - 1] - nodes[right])
    sample = np.arange(len(number))
    return (1.0 - share) * curve[right - 1, sample] + share * curve[right, sample]


def lone_response(age: Array, boreholes: Boreholes) -> Array:
    """g of a lone finite line source at its wall, mean over its depth, (sample,) (Claesson and Javed 2011).

    ½ ∫ exp(-r²s²) Y(Hs, Ds) / (H s²) ds from 1 / √(4αt) on, by 64 Gauss points in ln s.
    """
    point, weight = np.polynomial.legendre.leggauss(64)
    radius, depth = 0.5 * boreholes.diameter, boreholes.depth
    start = -0.5 * np.log(4.0 * _diffusivity(boreholes) * age)
    end = np.maximum(np.log(6.0 / radius), start)  # exp(-36) is nothing
    s = np.exp(start + 0.5 * (point[:, None] + 1.0) * (end - start))
    h, d = depth * s, COVER * depth * s
    y = 2.0 * _ierf(h) + 2.0 * _ierf(h + 2.0 * d) - _ierf(2.0 * h + 2.0 * d) - _ierf(2.0 * d)
    integrand = np.exp(-((radius * s) ** 2)) * y / h
    total = np.zeros_like(start)
    for node in range(len(weight)):  # a sum in one order, whatever the number of samples
        total += weight[node] * integrand[node]
    return 0.25 * (end - start) * total


def others(age: Array, boreholes: Boreholes) -> Array:
    """What the other boreholes of a square field add to g, (node, sample)."""
    table = _table()[1]
    close = np.log(boreholes.spacing / boreholes.depth)
    late = np.log(_diffusivity(boreholes) * age / boreholes.spacing**2)
    inside = [np.clip(each, grid[0], grid[-1]) for each, grid in zip((close, late), table.grid, strict=True)]
    return table(np.column_stack(inside)).T  # before the table begins, none is felt


def sides() -> Array:
    """Boreholes along a side of the square fields that are the nodes of `cooling`; the last has no end."""
    return _table()[0]


@cache
def _table() -> tuple[Array, RegularGridInterpolator]:
    """Sides of the fields, and what boreholes add to each other's g, over ln spacing / depth and ln αt / spacing²."""
    with resources.files("study").joinpath("borehole_fields.csv").open(encoding="utf-8") as file:
        late = np.array(file.readline().split(",")[2:], dtype=np.float64)
        rows = np.loadtxt(file, delimiter=",")
    close, side = np.unique(rows[:, 0]), np.unique(rows[:, 1])
    values = rows[:, 2:].reshape(len(close), len(side), len(late)).transpose(0, 2, 1)
    slope = (values[..., -1] - values[..., -2]) / (1.0 / side[-2] - 1.0 / side[-1])
    endless = values[..., -1] + slope / side[-1]  # straight in 1 / side
    values = np.concatenate([values, endless[..., None]], axis=-1)
    return np.append(side, np.inf), RegularGridInterpolator((np.log(close), late), values, method="cubic")


def _diffusivity(boreholes: Boreholes) -> Array:
    """m²/s, (sample,)."""
    return boreholes.conductivity / boreholes.heat_capacity


def _ierf(x: Array) -> Array:
    """∫ erf from 0 to x."""
    return x * erf(x) - (1.0 - np.exp(-(x**2))) / np.sqrt(np.pi)
