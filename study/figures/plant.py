"""Pictures of the plant at work: the water of the wells over their life, and one cold week, hour by hour."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.config import study_of
from study.figures.style import AMBER, GREEN, ORANGE, SKY, colours, course, ended_well, legend_above
from study.simulation import simulate
from study.traces import Tracing, trace_arrays

_DAYS = 7
_MOST = 512  # samples among which the one in the middle is looked for


def water_temperature_by_winter(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Mean temperature of the water out of the wells, and the lowest of that into them, by winter of life.

    Lines are medians over the samples, bands 90 % and half of them.
    """
    ink, good = colours(), ended_well(dataset, axes)
    winters = good["winter"].values
    for name, label, colour in (
        ("outlet_temperature_mean", "out of the wells, mean of the winter", ink.orange),
        ("inlet_temperature_min", "into the wells, lowest of the winter", ink.blue),
    ):
        edges = good[name].quantile([0.05, 0.25, 0.5, 0.75, 0.95], "sample").values
        x, edges = course(winters, edges)
        for low, high, alpha in ((0, 4, 0.18), (1, 3, 0.35)):
            axes.fill_between(x, edges[low], edges[high], color=colour, alpha=alpha, lw=0)
        axes.plot(x, edges[2], color=colour, label=label)
    axes.fill_between([], [], [], color=ink.grey, alpha=0.3, lw=0, label="half, and 90 %, of the samples")
    axes.set_xlabel("winter of life")
    axes.set_ylabel("temperature of the water (°C)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes, columns=1)
    return axes


def coldest_week(traces: xr.Dataset, sample: int | None = None, winter: int | None = None) -> xr.Dataset:
    """The seven days in a row with the lowest mean outdoor temperature.

    Parameters
    ----------
    traces
        As of `study.open_traces`, with `outdoor_temperature`.
    sample, winter
        Row of the design, and number of the winter; left out, those in which the coldest week lies.

    Raises
    ------
    ValueError
        When no traced sample ended well.
    """
    traces = traces if sample is None else traces.sel(sample=[sample])
    traces = traces if winter is None else traces.sel(winter=[winter])
    length = _DAYS * (1 if traces["time"].attrs["units"] == "d" else 24)
    outdoor = traces["outdoor_temperature"].transpose("sample", "winter", "time").values.astype(float)
    length = min(length, outdoor.shape[2])
    sums = np.cumsum(np.pad(outdoor, ((0, 0), (0, 0), (1, 0))), axis=2)
    weeks = sums[:, :, length:] - sums[:, :, :-length]
    if np.isnan(weeks).all():
        raise ValueError("no traced sample ended well")
    row, year, start = np.unravel_index(np.nanargmin(weeks), weeks.shape)
    return traces.isel(sample=row, winter=year, time=slice(start, start + length))


def typical_cold_week(dataset: xr.Dataset) -> xr.Dataset | None:
    """The coldest week of the sample in the middle of all by its hours short, as of `coldest_week`.

    It is computed again, up to its coldest winter; None where that does not give the bits of the ensemble, whose rows
    were made by another version.
    """
    study = study_of(dataset.attrs)
    few = dataset.isel(sample=slice(_MOST))
    few = few.isel(sample=np.flatnonzero(few["status"].values == 0))
    hours = few["unmet_hours"].mean("winter").values
    place = int(np.argsort(hours, kind="stable")[len(hours) // 2])
    sample, winter = int(few["sample"][place]), 1 + int(np.argmin(few["outdoor_temperature_min"][place].values))
    one = study.model_copy(update={"traces": Tracing(samples=(sample,)), "winters": winter})
    found = simulate(one, np.array([sample]))
    stored = few["heat_delivered"].isel(sample=place, winter=slice(winter)).values
    if found.traces is None or not np.array_equal(found.values["heat_delivered"][0], stored):
        return None
    arrays = {
        each.name: (
            each.dimensions,
            found.traces.values[each.name] if each.values is None else each.values,
            each.attributes,
        )
        for each in trace_arrays(one)
    }
    return coldest_week(xr.Dataset(arrays), sample, winter)


def cold_week(week: xr.Dataset, figure: Figure) -> Figure:
    """One week of one sample, hour by hour: outdoors and indoors above; below, how the demand for heat is met.

    One life of very many, so it has no interval: the other pictures have them.

    Parameters
    ----------
    week
        Traces of one sample and winter, as of `coldest_week`; what they lack of `study.traces.TRACE_VARIABLES` is left
        out.
    """
    ink = colours()
    warm, power = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
    step = 24.0 if week["time"].attrs["units"] == "d" else 1.0
    days = np.arange(week.sizes["time"] + 1) * step / 24
    for name, label, colour in (
        ("indoor_temperature", "indoors", ink.orange),
        ("outdoor_temperature", "outdoors", ink.blue),
    ):
        if name in week:
            warm.step(days, _ends_held(week[name].values), where="post", color=colour, label=label)
    warm.set_ylabel("temperature (°C)")
    legend_above(warm)
    for label, colour, hatch, low, high in _stacked(week):
        power.fill_between(days, low, high, step="post", color=colour, alpha=0.75, lw=0, hatch=hatch, label=label)
    if "heat_demand" in week:
        demand = _ends_held(week["heat_demand"].values)
        power.step(days, demand, where="post", color=ink.grey, lw=1.5, label="demand")
    power.set_ylim(bottom=0)
    power.set_xlim(days[0], days[-1])
    power.set_ylabel("heat (MW)")
    power.set_xlabel(f"time (d), from {_date(week)}")
    legend_above(power, columns=3)
    return figure


def _stacked(week: xr.Dataset) -> list[tuple[str, str, str | None, np.ndarray, np.ndarray]]:
    """Sources of heat from the bottom up: words, colour, hatch, lower and upper edge, MW."""
    none = np.zeros(week.sizes["time"])
    pumps = week["heat_pump_heat"].values if "heat_pump_heat" in week else none
    wells = np.minimum(week["heat_extracted"].values, pumps) if "heat_extracted" in week else none
    sources = (
        ("wells", GREEN, None, wells),
        ("heat pumps' electricity" if "heat_extracted" in week else "heat pumps", SKY, None, pumps - wells),
        ("peak heating", AMBER, None, week["heat_backup"].values if "heat_backup" in week else none),
        ("unmet", ORANGE, "///", week["heat_unmet"].values if "heat_unmet" in week else none),
    )
    below, found = _ends_held(none), []
    for label, colour, hatch, values in sources:
        above = below + _ends_held(values)
        if values.any():
            found.append((label, colour, hatch, below, above))
        below = above
    return found


def _ends_held(values: np.ndarray) -> np.ndarray:
    """Means of hours or days, and the last one again, for steps."""
    return np.append(values, values[-1:])


def _date(week: xr.Dataset) -> str:
    """Day and month on which a week begins, by the traces' own words for their time."""
    start = week["time"].attrs["long_name"].partition("0:00 of ")[2][:5]
    hours = float(week["time"].values[0]) * (24 if week["time"].attrs["units"] == "d" else 1)
    begin = pd.Timestamp(f"2001-{start}") + pd.Timedelta(hours=hours)
    return f"{begin.day} {begin:%B, %-H}:00"
