"""What a finished ensemble says of its ground: around a well, well by well, and along one.

The heat that each sample took from the ground, winter by winter, meets the solutions that the kernels are made of.
"""

import itertools
import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kernels.field import Interaction
from kernels.ground import YEAR, rock_response
from study.config import Study
from study.quantity import to_text
from study.reading import validate
from study.sampling import sample_inputs
from study.well import run_well_case
from study.well_case import WellCase
from study.wells import Inputs, Stretches, segments

Array = NDArray[np.float64]

MOST_SAMPLES, MOST_WELLS = 128, 12
"""Samples whose ground is drawn, and whose well is computed along its depth: the first ones, as random as any."""
DISTANCES = 40
ALONE = 100.0
"""How far a lone well's ground is looked at, m."""
HOUR = 3600.0


def cooling_around(study: Study, dataset: xr.Dataset, winters: list[int]) -> tuple[Array, Array]:
    """How much colder than at first the rock around a well is at the end of some heating seasons.

    Parameters
    ----------
    dataset
        The ensemble's samples that ended well.
    winters
        Numbers of the winters, the first one 1.

    Returns
    -------
    Distances from the axis, m, (distance,), and the cooling there of the first `MOST_SAMPLES` samples, K, (winter,
    distance, sample): the cylinder's own, of the heat flow per metre, mean over the depth and over each season and
    summer, in rock of its mean properties; and what the neighbours add, `thermal_interference`, which hardly changes
    up to half the way to them.
    """
    dataset = dataset.isel(sample=slice(MOST_SAMPLES))
    inputs = sample_inputs(study, dataset["sample"].values)
    conductivity, heat_capacity = _rock(inputs)
    radius = 0.5 * inputs["well.borehole_diameter"]
    distance = np.geomspace(float(radius.max()), half_way(study, inputs), DISTANCES)
    season = 24 * HOUR * study.season.days
    last = max(winters)
    shape = (2 * last - 1, DISTANCES, len(radius))
    # steps of load: a season began k years and a season ago, it ended, or a summer began, k years ago
    times = np.sort([*(k * YEAR + season for k in range(last)), *(k * YEAR for k in range(1, last))])
    cases = {"radius": radius, "distance": distance[:, None]}
    cases |= {"conductivity": conductivity, "heat_capacity": heat_capacity}
    flat = {name: np.broadcast_to(values, shape[1:]).ravel() for name, values in cases.items()}
    response = rock_response(**flat, times=times).reshape(shape)
    held = np.diff(response, axis=0, prepend=0.0)[::-1]  # of the season after the last step first
    taken = _per_metre(study, dataset, inputs)
    answer = []
    for winter in winters:
        flow = np.empty((2 * winter - 1, len(radius)))
        flow[::2], flow[1::2] = (each[:winter] if n == 0 else each[: winter - 1] for n, each in enumerate(taken))
        own = (held[-len(flow) :] * flow[:, None, :]).sum(axis=0)
        answer.append(own + dataset["thermal_interference"].isel(winter=winter - 1).values)
    return distance, np.array(answer)


def cooling_of_wells(study: Study, dataset: xr.Dataset) -> tuple[Array, Array]:
    """How much colder the ground at each well is because of the others, at the end of the last season.

    Parameters
    ----------
    dataset
        The ensemble's samples that ended well.

    Returns
    -------
    Places of the wells, m, a grid at the median spacing, (well, 2), and their cooling in the first `MOST_SAMPLES`
    samples, K, (sample, well): `thermal_interference`, which is that of the mean well, shared out as a constant heat
    flow over the whole life would share it.
    """
    dataset = dataset.isel(sample=slice(MOST_SAMPLES))
    inputs = sample_inputs(study, dataset["sample"].values)
    places, spacing = np.array(study.field.places), inputs.get("field.spacing", np.ones(len(dataset["sample"])))
    interaction = Interaction.of(places)
    conductivity, heat_capacity = _rock(inputs)
    since = 4.0 * conductivity / heat_capacity * study.winters * YEAR / spacing**2
    each = interaction.each(since)
    share = each / np.maximum(each.mean(axis=1, keepdims=True), 1e-300)
    mean = dataset["thermal_interference"].isel(winter=-1).values
    return places * float(np.median(spacing)), share * mean[:, None]


def half_way(study: Study, inputs: Inputs) -> float:
    """Half the mean distance from a well to its nearest, at the median spacing, m; `ALONE` for a lone well."""
    x, y = np.array(study.field.places).T
    if len(x) == 1:
        return ALONE
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(len(x), np.inf))
    return 0.5 * float(apart.min(axis=1).mean() * np.median(inputs.get("field.spacing", np.ones(1))))


def along_wells(study: Study, dataset: xr.Dataset, *, depths: int = 60) -> xr.Dataset:
    """Temperatures along the wells of the first `MOST_WELLS` samples, at the end of their first heating season.

    Parameters
    ----------
    dataset
        The ensemble's samples that ended well.
    depths
        How many, evenly spread.

    Returns
    -------
    As of `study.well.run_well_case`, with a dimension `sample`: each well by itself gives the mean heat that its sample
    took from it in the first winter, and begins at rest; its fluid's properties are those at the sample's mean loop
    temperature of that winter. Depths are shares of the median depth.
    """
    dataset = dataset.isel(sample=slice(MOST_WELLS))
    inputs = sample_inputs(study, dataset["sample"].values)
    taken = _per_metre(study, dataset, inputs)[0][0] * inputs["well.depth"] / 1e3
    if study.fluid.medium is not None and study.fluid.temperature is None:
        inputs["fluid.temperature"] = dataset["loop_temperature_mean"].isel(winter=0).values
    share = np.linspace(0.0, 1.0, depths)
    found = []
    for n in range(dataset.sizes["sample"]):
        case = well_case(
            study,
            {key: values[n : n + 1] for key, values in inputs.items()},
            heat_rate=float(taken[n]),
            days=study.season.days,
            depths=share * inputs["well.depth"][n],
        )
        found.append(run_well_case(case).assign_coords(depth=share * float(np.median(inputs["well.depth"]))))
    return xr.concat(found, dataset["sample"], coords="minimal", compat="override")


def well_case(study: Study, inputs: Inputs, *, heat_rate: float, days: float, depths: Array) -> WellCase:
    """The well of one sample as a well case.

    Parameters
    ----------
    inputs
        Of the sample, each (1,).
    heat_rate
        Heat taken from the well all the time, kW.
    days
        Time of output, d.
    depths
        Of output, m.
    """
    units = {key: item.unit for key, item in study.inputs.items()} | {"fluid.temperature": "degC"}
    case: dict[str, Any] = json.loads(study.model_dump_json(include={"well": {"flow_direction"}, "fluid": {"medium"}}))
    for key, values in inputs.items():
        if key in units and key.split(".")[0] in case:
            _put(case, key.split("."), to_text(float(values[0]), units[key]))
    rock = Stretches.of_rock(inputs)
    depth = float(inputs["well.depth"][0])
    ends = np.append(rock.ends[:, 0], depth)
    units = {"conductivity": "W/m/K", "volumetric_heat_capacity": "MJ/m^3/K", "geothermal_gradient": "K/km"}
    layers = [
        {"thickness": f"{thickness} m", **{name: f"{rock.values[name][n, 0]} {unit}" for name, unit in units.items()}}
        for n, thickness in enumerate(np.diff(ends, prepend=0.0).tolist())
    ]
    case |= {
        "ground": {"surface_temperature": f"{inputs['surface_temperature'][0]} degC", "layers": layers},
        "load": {"heat_rate": f"{heat_rate} kW"},
        "times": [f"{days} d"],
        "depths": [f"{min(each, depth)} m" for each in depths.tolist()],
    }
    return validate(WellCase, case, label=f"a well of study {study.name!r}")


def _put(tree: dict[str, Any], path: list[str], value: str | float) -> None:
    """Set a value in nested mappings; where the name is a number it is a place in a list."""
    node: Any = tree
    for name, following in itertools.pairwise(path):
        place: Any = int(name) if isinstance(node, list) else name
        if isinstance(node, list) and place == len(node):
            node.append({})
        if isinstance(node, dict):
            node.setdefault(place, [] if following.isdigit() else {})
        node = node[place]
    node[path[-1]] = value


def _rock(inputs: Inputs) -> tuple[Array, Array]:
    """Conductivity, W/m/K, and heat capacity, J/m³/K, of the rock, means over the depth, (row,)."""
    thickness = segments(inputs)
    middle, rock = np.cumsum(thickness, axis=0) - 0.5 * thickness, Stretches.of_rock(inputs)
    of = (rock.at(middle, name) for name in ("conductivity", "volumetric_heat_capacity"))
    conductivity, heat_capacity = ((each * thickness).sum(axis=0) / inputs["well.depth"] for each in of)
    return conductivity, heat_capacity * 1e6


def _per_metre(study: Study, dataset: xr.Dataset, inputs: Inputs) -> tuple[Array, Array]:
    """Heat taken from a well in each season and, negative, put into it in each summer, W/m, (winter, row)."""
    metres = len(study.field.places) * inputs["well.depth"]
    hours = 24 * study.season.days, 8760 - 24 * study.season.days
    extracted, recharged = (
        1e6 * dataset[name].transpose("winter", "sample").values / metres
        for name in ("heat_extracted", "heat_recharged")
    )
    return extracted / hours[0], -recharged / max(hours[1], 1)
