"""A picture of the generator of winters beside the weather file that it was fitted to."""

import calendar

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.figures.style import colours


def climate_fit(comparison: xr.Dataset, figure: Figure) -> Figure:
    """Four pictures of `study.climate.compare`: temperatures, the course of the season, its days, and cold spells.

    Bands are 90 % ranges: of generated records as long as the file, and of single days in the course of the season.
    """
    ink = colours()
    panels = figure.subplots(2, 2)
    hourly = comparison.sizes["hour"] > 1
    what = "hourly" if hourly else "daily mean"

    axes, (median, low, high) = panels[0, 0], comparison["quantiles"].values
    file = comparison["file_quantiles"].values
    axes.axhline(0.0, color=ink.grey, linewidth=0.8, linestyle="--")
    axes.fill_between(median, low - median, high - median, color=ink.blue, alpha=0.25, lw=0, label="generated, 90 %")
    axes.plot(median, file - median, color=ink.orange, label="file")
    furthest = 1.4 * max(np.abs(difference).max() for difference in (low - median, high - median, file - median))
    axes.set_ylim(-furthest, furthest)
    axes.set_xlabel(f"quantiles of {what} temperature, generated, 0.1 % to 99.9 % (°C)")
    axes.set_ylabel("file minus generated (K)")
    axes.set_title(f"{what} temperature", fontsize="medium")
    axes.legend(loc="upper center", frameon=False, ncols=2)

    axes, (median, low, high) = panels[0, 1], comparison["course"].values
    days = comparison["file_days"].values
    day = np.arange(days.shape[1])
    axes.fill_between(day, low, high, color=ink.blue, alpha=0.25, lw=0)
    axes.plot(day, median, color=ink.blue, label="generated, median and 90 %")
    if len(days) < 8:
        axes.plot(day, days.T, ".", color=ink.orange, markersize=3, label=["file", *[None] * (len(days) - 1)])
    else:
        edges = np.percentile(days, [5.0, 50.0, 95.0], axis=0)
        axes.plot(day, edges[1], color=ink.orange, linewidth=1.0, label="file, median and 90 %")
        axes.plot(day, edges[::2].T, color=ink.orange, linewidth=0.8, linestyle=":")
    dates = pd.date_range(f"2001-{comparison.attrs['start']}", periods=len(day))
    firsts = np.flatnonzero(dates.day == 1)
    axes.set_xticks(firsts, list(dates[firsts].strftime("1 %b")))
    axes.set_xlim(day[0], day[-1])
    axes.set_ylabel("daily mean (°C)")
    axes.set_title("course of the season", fontsize="medium")
    axes.legend(loc="upper center", frameon=False)

    axes, months = panels[1, 0], _in_season(comparison["month"].values)
    if hourly:
        apart = np.ceil(np.ptp(comparison["diurnal"].values, axis=1).max())
        levels = -apart * np.arange(len(months))
        for month, level in zip(months, levels, strict=True):
            hours = comparison["hour"].values + 0.5
            axes.axhline(level, color=ink.grey, linewidth=0.5, alpha=0.5)
            axes.plot(hours, level + comparison["diurnal"].sel(month=month).values, color=ink.blue)
            axes.plot(
                hours, level + comparison["file_diurnal"].sel(month=month).values, ".", color=ink.orange, markersize=4
            )
        axes.plot([], [], color=ink.blue, label="generated")
        axes.plot([], [], ".", color=ink.orange, label="file")
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 6))
        axes.set_yticks(levels, [calendar.month_abbr[month] for month in months])
        axes.set_ylim(levels[-1] - 0.6 * apart, 1.3 * apart)
        axes.set_xlabel("local standard time (h)")
        axes.set_ylabel(f"departure from the day's mean\n(lines are {apart:g} K apart)")
        axes.legend(loc="upper center", frameon=False, ncols=2)
    else:
        axes.text(
            0.5, 0.5, "the file has daily means:\nthe daily cycle is assumed", ha="center", va="center", color=ink.grey
        )
        axes.set_axis_off()
    axes.set_title("mean day of each month", fontsize="medium")

    axes, (mean, low, high) = panels[1, 1], comparison["spells"].values
    length, file = comparison["days"].values, comparison["file_spells"].values
    axes.fill_between(length, low, high, color=ink.blue, alpha=0.25, lw=0, step="mid")
    axes.step(length, mean, where="mid", color=ink.blue, label="generated, mean and 90 %")
    axes.plot(length[file > 0], file[file > 0], ".", color=ink.orange, label="file")
    longest = max(length[np.maximum(high, file) > 0], default=1)
    axes.set_xlim(0.5, longest + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"length (d) of spells of days below {comparison.attrs['cold']:.1f} °C")
    axes.set_ylabel("spells of at least this length, per winter")
    axes.set_title("cold spells", fontsize="medium")
    axes.legend(loc="upper right", frameon=False)

    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    winters = comparison.sizes["winter"]
    records = f"{comparison.attrs['records']} generated records of {winters} winter{'s' * (winters > 1)}"
    figure.suptitle(f"{comparison.attrs['site']}: the file and {records}")
    return figure


def _in_season(months: np.ndarray) -> list[int]:
    """Months from January in the order of a season that may go on over the new year."""
    gaps = np.flatnonzero(np.diff(months) > 1)
    return [int(month) for month in np.roll(months, -(gaps[0] + 1) if len(gaps) else 0)]
