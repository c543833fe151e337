"""The answer: what an ensemble says of carbon reduction and heating reliability, as numbers and as a table."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.statistics import Estimate, mean, probability, quantile


@dataclass(frozen=True)
class Line:
    """One line of the answer: key for programs, section and words for people, units ("%" for a share), and estimate."""

    key: str
    section: str
    words: str
    units: str
    estimate: Estimate


def summarise(dataset: xr.Dataset) -> list[Line]:
    """Every line of the answer, from the samples that ended well.

    Raises
    ------
    ValueError
        When there are none.
    """
    good = dataset.isel(sample=np.flatnonzero(dataset["status"].values == 0)).load()
    if dataset.sizes["sample"] == 0:
        raise ValueError("no sample is done yet, so there is nothing to say")
    if good.sizes["sample"] == 0:
        raise ValueError(f"no sample ended well, so there is nothing to say{_why(dataset)}")
    return list(_lines(good))


def _lines(dataset: xr.Dataset) -> Iterator[Line]:
    study = json.loads(dataset.attrs["study"])
    replicate = dataset["replicate"].values
    winters = dataset.sizes["winter"]

    def chance(event: Any) -> Estimate:
        return probability(event, replicate, monte_carlo=study["design"] == "monte_carlo")

    def values(name: str) -> np.ndarray:
        return dataset[name].transpose("sample", ...).values

    carbon = values("carbon_reduction")
    for key, section, data in (
        ("carbon_reduction", "Carbon reduction per winter", carbon),
        ("carbon_reduction_life", f"Carbon reduction over the life ({winters} winters)", carbon.sum(axis=1)),
    ):
        yield Line(f"{key}_mean", section, "mean", "t CO2", mean(data, replicate))
        for percent in (5, 50, 95):
            yield Line(
                f"{key}_p{percent:02}",
                section,
                f"{percent} % quantile",
                "t CO2",
                quantile(data, replicate, percent / 100),
            )

    if "claim" in study:
        claim = float(study["claim"]["carbon_reduction"].split()[0])
        section = f"Probability of {claim:,.0f} t CO2 or more"
        free = carbon + values("carbon_electricity")
        grid = free - values("electricity") * values("grid_emission_factor")
        for key, words, data in (
            ("claim", "", carbon),
            ("claim_grid_electricity", ", with the grid's electricity", grid),
            ("claim_green_electricity", ", with carbon-free electricity", free),
        ):
            yield Line(
                f"p_{key}_average_winter",
                section,
                f"in an average winter{words}",
                "%",
                chance(data.mean(axis=1) >= claim),
            )
            yield Line(
                f"p_{key}_every_winter", section, f"in every winter{words}", "%", chance((data >= claim).all(axis=1))
            )

    section = "Heating reliability"
    reliability, hours = values("heating_reliability"), values("unmet_hours")
    yield Line(
        "heating_reliability_mean", section, "delivered over demanded heat, mean", "%", mean(reliability, replicate)
    )
    yield Line(
        "heating_reliability_p05",
        section,
        "delivered over demanded heat, worst 5 % of winters",
        "%",
        quantile(reliability, replicate, 0.05),
    )
    yield Line("p_winter_without_unmet_hour", section, "a winter without an unmet hour", "%", chance(hours == 0))
    yield Line(
        "p_life_without_unmet_hour",
        section,
        f"{winters} winters without an unmet hour",
        "%",
        chance((hours == 0).all(axis=1)),
    )
    yield Line(
        "p_more_than_one_winter_in_ten_short",
        section,
        "samples with more than one winter in ten short of heat",
        "%",
        chance((hours > 0).mean(axis=1) > 0.1),
    )
    yield Line("unmet_hours_mean", section, "unmet hours per winter, expected", "h", mean(hours, replicate))
    yield Line(
        "heat_unmet_mean", section, "unmet heat per winter, expected", "MWh", mean(values("heat_unmet"), replicate)
    )
    coldest = values("indoor_temperature_min").min(axis=1)
    yield Line(
        "indoor_temperature_min_p50",
        section,
        "coldest indoor temperature of the life, median",
        "°C",
        quantile(coldest, replicate, 0.5),
    )
    yield Line(
        "indoor_temperature_min_p05",
        section,
        "coldest indoor temperature of the life, 5 % quantile",
        "°C",
        quantile(coldest, replicate, 0.05),
    )

    section = f"Ground at the wells after winter {winters}, mean of the samples"
    for name, words in (
        ("thermal_interference", "colder for the other wells"),
        ("coldest_well_penalty", "at the coldest well colder than at the mean"),
    ):
        yield Line(name, section, words, "K", mean(values(name)[:, -1], replicate))

    if winters > 1:
        section = f"Winter {winters} less winter 1"
        for name, words, units in (
            ("carbon_reduction", "carbon reduction", "t CO2"),
            ("heating_reliability", "heating reliability", "% points"),
            ("unmet_hours", "unmet hours", "h"),
            ("heat_backup", "heat from the peak heating", "MWh"),
            ("outlet_temperature_mean", "mean temperature of the water from the wells", "K"),
            ("inlet_temperature_min", "lowest temperature of the water into the wells", "K"),
        ):
            data = values(name)
            yield Line(f"change_{name}", section, words, units, mean(data[:, -1] - data[:, 0], replicate))


def _why(dataset: xr.Dataset) -> str:
    """How many samples failed, and the first one's reason, in words; empty where none did."""
    failed = np.flatnonzero(dataset["reason"].values != "")
    if not len(failed):
        return ""
    first = dataset.isel(sample=failed[0])
    return f"; sample {first['sample'].item()}, the first of {len(failed):,} that failed: {first['reason'].item()}"


def to_json(dataset: xr.Dataset, lines: list[Line]) -> str:
    """The answer for a program: counts, and by key words, units, value, 95 % interval (null where there is none)."""
    answer: dict[str, Any] = {**_counts(dataset), "confidence": 0.95}
    for line in lines:
        share = line.units.startswith("%")
        numbers = {k: v if np.isfinite(v) else None for k, v in asdict(line.estimate).items()}
        answer[line.key] = {"words": f"{line.section}: {line.words}", "units": "1" if share else line.units, **numbers}
    return json.dumps(answer, indent=1, ensure_ascii=False)


def _counts(dataset: xr.Dataset) -> dict[str, Any]:
    study = json.loads(dataset.attrs["study"])
    failed = int((dataset["status"] != 0).sum())
    return {
        "study": study["name"],
        "samples": dataset.sizes["sample"],
        "samples_of_study": study["samples"],
        "failed": failed,
        "winters": dataset.sizes["winter"],
    }


def print_table(dataset: xr.Dataset, lines: list[Line], console: Console) -> None:
    """Print the answer for people."""
    counts = _counts(dataset)
    table = Table(box=None, pad_edge=False)
    table.add_column("", width=60)
    table.add_column("value", justify="right", width=14)
    table.add_column("95 % interval", justify="right", width=28)
    table.add_column("", width=8)
    for section in dict.fromkeys(line.section for line in lines):
        table.add_row()
        table.add_row(Text(section, style="bold"))
        for line in (line for line in lines if line.section == section):
            table.add_row(f"  {line.words}", *_formatted(line), line.units)
    text = f"{counts['study']}: {counts['samples']:,} samples of {counts['winters']} winters"
    if counts["failed"]:
        text += f"; {counts['failed']:,} of the samples failed and are left out{_why(dataset)}"
    console.print(text)
    console.print(table)
    console.print("Intervals are sampling error alone: they say nothing of whether the study's assumptions are right.")


def _formatted(line: Line) -> tuple[str, str]:
    scale = 100.0 if line.units.startswith("%") else 1.0
    numbers = [scale * x for x in (line.estimate.value, line.estimate.low, line.estimate.high)]
    width = numbers[2] - numbers[1]
    magnitude = width / 2 if np.isfinite(width) and width > 0 else abs(numbers[0]) / 100
    digits = int(np.clip(1 - np.floor(np.log10(magnitude)), 0, 4)) if magnitude > 0 else 1
    value, low, high = (f"{x:,.{digits}f}" for x in numbers)
    return value, f"{low} to {high}" if np.isfinite(width) else "cannot be told"
