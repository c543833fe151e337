"""The table of keys in `docs/study-file.md`, from the schema: `python docs/keys.py` writes it there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from study.carbon import BASELINES
from study.config import Study
from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, annotations, section_of

PAGE = Path(__file__).with_name("study-file.md")
MARK = "<!-- written by docs/keys.py -->\n"
MANY = ("layers", "sections")
UNITS, DATE = "machines, alike, which share the capacity", "month and day, such as 11-01"
HOURS = ("up to 12 [first hour, hour in which it ends], 0 to 24", "hours of the clock in the period")
MONTHS = ("1 to 12", "months of the period; left out: all")

OTHERS: dict[str, tuple[str, str]] = {
    "name": ("a-z, 0-9, - and _, the first a letter or digit, 64 at most", "of the study, and of its store"),
    "description": ("text", "of the study, for people"),
    "samples": ("", "rows of the design"),
    "winters": ("", "heating seasons of a sample"),
    "seed": ("", "all that is random follows from it"),
    "design": ("", "how the samples fill the space of the inputs"),
    "replicates": ("", "independent parts of the design, by which intervals are judged"),
    "claim.first_winter": ("", "year in which the first winter begins"),
    "claim.company_targets.year": ("", "year of the company's target"),
    "well.flow_direction": ("", "where the water goes down"),
    "fluid.medium": ("", "by which the fluid's properties follow from its temperature; left out: they are given"),
    "field.wells": ("", "wells of a compact grid, instead of rows and columns"),
    "field.rows": ("", "rows of the grid"),
    "field.columns": ("", "wells in a row"),
    "season.start": (DATE, "first day of the heating season"),
    "season.end": (DATE, "last day of it"),
    "climate.site": ("text, or the name of a built-in climate instead of the section", "where the winters are from"),
    "climate.record": ("a CSV or NetCDF file beside the study", "hours of the winters that are drawn from"),
    "climate.resample": ("", "what is drawn from the record"),
    "building.schedule.working_days": ("", "days of the week in use, from Monday"),
    "heat_pump.units": ("", UNITS),
    "peak_heating.kind": ("", "what heats beside the heat pumps"),
    "peak_heating.units": ("", UNITS),
    "reserve_heating.kind": ("", "what heats after peak heating"),
    "reserve_heating.units": ("", UNITS),
    "heat_storage.priority": ("", "whether the tank gives before peak heating or after all else"),
    "own_power.other_use.working_days": ("", "days of the week in use, from Monday"),
    "own_power.wind.profile": ("a column of a CSV file beside the study, 8,760 hours", "of a year's wind power"),
    "circulation.pumps": ("", "pumps of the wells"),
    "circulation.pumps_needed": ("", "of them, for all wells"),
    "circulation.flow_control": ("", "whether the wells' pumps follow the demand day by day"),
    "outages.summer_maintenance": ("", "whether all works when a winter begins"),
    "summer_recharge.start": (DATE, "first day of it, outside the heating season"),
    "summer_recharge.end": (DATE, "last day of it"),
    "carbon.baseline": (", ".join(BASELINES), "supply that is replaced; left out: heat is bought"),
    "carbon.electricity_account": ("", "how electricity counts; left out: market with certificates, else location"),
    "economics.price_year": ("", "year whose prices all money has"),
    "economics.electricity.sharp_peak.hours": HOURS,
    "economics.electricity.sharp_peak.months": MONTHS,
    "economics.electricity.peak.hours": HOURS,
    "economics.electricity.peak.months": MONTHS,
    "economics.electricity.valley.hours": HOURS,
    "economics.electricity.valley.months": MONTHS,
    "parameters": ("1 to 100 constants or distributions, of any unit", "quantities of the study's own"),
    "correlations": ("up to 1000 {inputs: [KEY, KEY], rank_correlation: -1 to 1}", "of pairs of distributions"),
    "stop.targets": ("1 to 100 targets", "what is to be known, and how closely"),
    "stop.hours": ("", "most time of one run, on the clock, h"),
    "traces.samples": ("how many of the first, or a list of rows", "samples that have series"),
    "traces.interval": ("", "step of the series"),
    "traces.variables": ("a list", "series that are kept; left out: all"),
}
"""What is allowed, where the schema does not say it, and the meaning of each key that is no quantity."""


def allowed(parts: list[Any]) -> str:
    """What the schema says of a key that is no quantity: its choices, or its least and largest number."""
    choices = next((get_args(part) for part in parts if get_origin(part) is Literal), ())
    if bool in parts:
        choices = ("true", "false")
    low = next((part for part in parts if isinstance(part, Ge | Gt)), None)
    high = next((part.le for part in parts if isinstance(part, Le)), None)
    if low is None or high is None:
        return ", ".join(choices)
    return f"{f'at least {low.ge}' if isinstance(low, Ge) else f'above {low.gt}'} and at most {int(high)}"


def default(field: FieldInfo) -> str:
    """What holds where a key is left out."""
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or isinstance(value, tuple) else str(value)


def rows(model: type[Section], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Key, unit, range, default, whether it may be a distribution, and meaning of each key that a study can give."""
    for name, field in model.model_fields.items():
        key, parts = f"{prefix}{name}", annotations(field)
        section = section_of(parts)
        quantity = next((part for part in parts if isinstance(part, Quantity)), None)
        if section and key not in OTHERS:
            yield from rows(section, f"{key}{'.N' if name in MANY else ''}.")
        elif quantity:
            kind = "yes" if Input in parts else "no"
            yield key, quantity.unit, quantity.range, default(field), kind, quantity.description
        else:
            told, meaning = OTHERS[key]
            yield key, "–", told or allowed(parts), default(field), "no", meaning


def page() -> str:
    """The whole page, with the table renewed."""
    head = PAGE.read_text().split(MARK)[0]
    title = "| key | unit | range | default | may be a distribution | meaning |\n|---|---|---|---|---|---|\n"
    lines = [f"| `{key}` | {' | '.join(cells)} |" for key, *cells in rows(Study)]
    return head + MARK + title + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
