"""What a study file may say of its winters: the heating season, and the climate, its own, built in or from a file."""

import datetime
import difflib
import functools
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictBool, field_validator, model_validator

from kernels import weather
from study.csv_file import leads_elsewhere
from study.distributions import Input
from study.errors import ConfigError
from study.quantity import Quantity, short
from study.reading import Document, Section, default, read_yaml, validate

Text = Annotated[str, Field(max_length=10_000)]


class Days(Document):
    """First and last day, both of it, as month-day in a year of 365 days."""

    start: str
    end: str

    @field_validator("start", "end")
    @classmethod
    def _month_and_day(cls, text: str) -> str:
        try:
            if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
                _day_of_year(text)
                return text
        except ValueError:
            pass
        raise ValueError("allowed: a day of a year of 365 days as month-day, such as '11-01'")

    @property
    def first_day(self) -> int:
        """Day of the year of the first day, 1 January being 1."""
        return _day_of_year(self.start)

    @property
    def days(self) -> int:
        """Number of days, 1 to 365."""
        return (_day_of_year(self.end) - self.first_day) % 365 + 1


def _day_of_year(text: str) -> int:
    return datetime.datetime.strptime(f"2001-{text}", "%Y-%m-%d").timetuple().tm_yday


T = TypeVar("T")
Monthly = Annotated[tuple[T, ...], Field(min_length=12, max_length=12)]
Hourly = Annotated[tuple[T, ...], Field(min_length=24, max_length=24)]


class RecordFile(Document):
    """A record of many years, hour by hour, of which a study takes its winters."""

    file: Text
    column: Text | None = None
    unit: Literal["degC", "K", "degF"] = "degC"
    utc_offset: Annotated[
        float, Quantity("h", ge=-14, le=14, description="to be added to the times, to make them local standard time")
    ] = default("0 h")
    detrend: StrictBool = False


DIURNAL_SHAPE = [
    -0.201, -0.246, -0.3, -0.359, -0.412, -0.443, -0.435, -0.378, -0.268, -0.114, 0.066, 0.246,
    0.402, 0.51, 0.557, 0.54, 0.469, 0.36, 0.234, 0.113, 0.011, -0.067, -0.122, -0.163,
]  # fmt: skip
"""Two harmonics, least squares, of the mean November–March day in the typical year (TMYx) of Shenyang, station 543420:
coldest before 6 h, warmest between 14 and 15 h."""

GENERATOR = (
    "monthly_temperature",
    "daily_standard_deviation",
    "diurnal_range",
    "diurnal_shape",
    "diurnal_variability",
    "persistence",
    "cold_skewness",
    "cold_kurtosis",
    "season_standard_deviation",
)


class Climate(Section):
    """What winters come from: statistics, or a record.

    A record is packed text (`study.weather_record`); in a file it is a `RecordFile`.
    """

    site: Text
    monthly_temperature: (
        Monthly[
            Annotated[float, Quantity("degC", ge=-60, le=50, description="mean of each month, January to December")]
        ]
        | None
    ) = None
    daily_standard_deviation: (
        Monthly[
            Annotated[
                float,
                Quantity(
                    "K",
                    ge=0,
                    le=20,
                    description="standard deviation of daily means within a winter, January to December",
                ),
            ]
        ]
        | None
    ) = None
    diurnal_range: (
        Monthly[
            Annotated[
                float,
                Quantity(
                    "K", ge=0, le=40, description="range of the mean day: afternoon less morning, January to December"
                ),
            ]
        ]
        | None
    ) = None
    diurnal_shape: (
        Hourly[
            Annotated[
                float, Quantity("1", ge=-1, le=1, description="each hour less the mean of its day, over the range")
            ]
        ]
        | None
    ) = None
    diurnal_variability: (
        Annotated[float, Quantity("1", ge=0, le=2, description="standard deviation of a day's range over its mean")]
        | None
    ) = None
    persistence: (
        Annotated[float, Quantity("1", ge=0.4, le=0.95, description="correlation of successive daily means")] | None
    ) = None
    cold_skewness: (
        Annotated[
            float, Quantity("1", ge=-1, le=1, description="skewness of daily anomalies; positive: a longer cold side")
        ]
        | None
    ) = None
    cold_kurtosis: (
        Annotated[
            float, Quantity("1", ge=-0.5, le=2, description="excess kurtosis of daily anomalies; negative: short tails")
        ]
        | None
    ) = None
    season_standard_deviation: (
        Annotated[
            Input,
            Quantity("K", ge=0, le=10, description="standard deviation of a winter's offset, beside the days' own"),
        ]
        | None
    ) = None
    record: Annotated[str, Field(max_length=6_000_000)] | None = None
    resample: Literal["winters", "blocks"] | None = None
    block_length: (
        Annotated[float, Quantity("d", ge=1, le=365, description="days that follow each other in a block")] | None
    ) = None
    mean_offset: Annotated[
        Input, Quantity("K", ge=-15, le=15, description="offset of the outdoor temperature from the station record")
    ] = default("0 K")
    warming: Annotated[Input, Quantity("K/decade", ge=-2, le=2, description="warming trend")] = default("0 K/decade")

    @model_validator(mode="before")
    @classmethod
    def _usual_shape(cls, data: Any) -> Any:
        if data is None:  # `with_climate` makes nothing of no climate
            raise ValueError(f"is missing; allowed: {', '.join(built_in_climates())}, a .yaml file, or a mapping")
        generated = isinstance(data, dict) and data.get("record") is None
        return {"diurnal_shape": DIURNAL_SHAPE, "cold_kurtosis": 0, **data} if generated else data

    @field_validator("record")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            recorded_winters(text)
        return text

    @model_validator(mode="after")
    def _statistics_or_record(self) -> Self:
        given = [name for name in (*GENERATOR, "resample", "block_length") if getattr(self, name) is not None]
        wanted = list(GENERATOR) if self.record is None else ["resample"]
        wanted += ["block_length"] if self.resample == "blocks" else []
        missing = [name for name in wanted if name not in given]
        needless = [name for name in given if name not in wanted]
        problems = [f"needs {', '.join(missing)}"] if missing else []
        problems += [f"does not take {', '.join(needless)}"] if needless else []
        if problems:
            kind = "without" if self.record is None else "with"
            raise ValueError(f"{kind} a record it {' and '.join(problems)}")
        if self.block_length is not None and self.block_length != round(self.block_length):
            raise ValueError("block_length: allowed: whole days")
        if self.record is None:
            weather.season(**self.generator)
        return self

    @property
    def generator(self) -> dict[str, Any]:
        """What `kernels.weather.season` takes of a climate without a record."""
        given: dict[str, Any] = {name: getattr(self, name) for name in GENERATOR if name != "season_standard_deviation"}
        return {name: np.array(value) if isinstance(value, tuple) else value for name, value in given.items()}


@functools.lru_cache(maxsize=4)
def recorded_winters(text: str) -> NDArray[np.float64]:
    """Outdoor temperature of a packed record, °C, (winter, hour); ValueError when it is damaged."""
    from study.weather_record import unpack  # pandas is slow to load

    return unpack(text)


SURFACE = Quantity("degC", ge=-30, le=40, description="undisturbed ground temperature at the surface")
DESIGN_OUTDOOR = Quantity("degC", ge=-60, le=40, description="outdoor temperature of the design load")


class OfBuilding(Section):
    """What a climate says of the buildings in it."""

    design_outdoor_temperature: Annotated[Input, DESIGN_OUTDOOR] | None = None


LATITUDE = Quantity("deg", ge=-65, le=65, description="latitude, north positive; where the sun rises every day")
LONGITUDE = Quantity("deg", ge=-180, le=180, description="longitude, east positive")
ELEVATION = Quantity("m", ge=-500, le=6000, description="elevation above sea level")
UTC_OFFSET = Quantity("h", ge=-14, le=14, description="local standard time less UTC")
CLEAR_SKY_INDEX = Quantity(
    "1",
    ge=0.05,
    le=1.1,
    description="sun on level ground in a month over that under a clear sky, January to December",
)
CLEAR_SKY_SPREAD = Quantity(
    "1", ge=0, le=0.5, description="standard deviation of the same of the days in a month, January to December"
)


class Sky(Section):
    """Where a place is, and how bright its sky."""

    latitude: Annotated[float, LATITUDE]
    longitude: Annotated[float, LONGITUDE]
    elevation: Annotated[float, ELEVATION]
    utc_offset: Annotated[float, UTC_OFFSET]
    clear_sky_index: Monthly[Annotated[float, CLEAR_SKY_INDEX]]
    clear_sky_index_standard_deviation: Monthly[Annotated[float, CLEAR_SKY_SPREAD]]


class ClimateFile(Document):
    """A climate, and what goes with the place: what a study does not say itself is taken from there."""

    climate: Climate
    season: Days | None = None
    building: OfBuilding = OfBuilding()
    surface_temperature: Annotated[Input, SURFACE] | None = None
    sky: Sky | None = None


def built_in_climates() -> list[str]:
    """Names of the climates that come with hotland."""
    return sorted(
        name.removesuffix(".yaml")
        for file in resources.files("study").joinpath("climates").iterdir()
        if (name := file.name).endswith(".yaml")
    )


def with_climate(data: Mapping[Any, Any], *, label: str, folder: Path) -> dict[Any, Any]:
    """Fill in the climate that a study file names, `climate: harbin` or `climate: {from: mine.yaml, ...}`.

    Parameters
    ----------
    data
        The mapping of the study file: what it says itself goes before what the climate says.
    label
        What messages call the study file.
    folder
        Where a climate file is looked for.

    Raises
    ------
    ConfigError
        When there is no such climate, or it is wrong.
    """
    study = dict(data)
    own, names = study.get("climate"), built_in_climates()
    key, own = ("climate", {"from": own}) if isinstance(own, str) else ("climate.from", own)
    if "climate" not in study:
        return {**study, "climate": None}
    if not isinstance(own, dict):
        raise ConfigError(f"{label}: climate: allowed: {', '.join(names)}, or a mapping, got {short(own)}")
    if "from" in own and own.get("record") is not None:
        raise ConfigError(f"{label}: climate: give either from or record")
    if isinstance(own.get("record"), dict):
        study["climate"] = {**own, "record": _packed(study, label=label, folder=folder)}
        return study
    if "from" not in own:
        return study
    own = dict(own)
    name = own.pop("from")
    if isinstance(name, str) and name in names:
        with resources.as_file(resources.files("study").joinpath("climates", f"{name}.yaml")) as path:
            given = read_yaml(path)
    elif isinstance(name, str) and name.endswith((".yaml", ".yml")):
        path = beside(folder, name, label=f"{label}: {key}")
        given = read_yaml(path)
        validate(ClimateFile, given, label=str(path), folder=folder)
    else:
        nearest = difflib.get_close_matches(str(name).lower(), names, n=1)
        meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ConfigError(f"{label}: {key}: allowed: {', '.join(names)}, or a .yaml file, got {short(name)}{meant}")
    study["climate"] = {**given["climate"], **own}
    for key in ("season", "surface_temperature"):
        if given.get(key) is not None:
            study.setdefault(key, given[key])
    if isinstance(building := study.get("building"), dict):
        study["building"] = {**given.get("building", {}), **building}
    if isinstance(power := study.get("own_power"), dict):
        study["own_power"] = _under(given.get("sky") or {}, power)
    return study


def _under(sky: Mapping[str, Any], power: dict[Any, Any]) -> dict[Any, Any]:
    """`own_power` with place and sky where it does not give them itself; a weather file of its own brings both."""
    solar = power.get("solar")
    if isinstance(solar, dict) and "weather" in solar:
        return power
    place = {key: value for key, value in sky.items() if not key.startswith("clear_sky")}
    filled = {**place, **power}
    if isinstance(solar, dict):
        filled["solar"] = {**{key: value for key, value in sky.items() if key not in place}, **solar}
    return filled


def beside(folder: Path, name: str, *, label: str) -> Path:
    """Path of a file that a study names; ConfigError when it does not lie beside the study or in a folder there."""
    if leads_elsewhere(name):
        raise ConfigError(f"{label}: allowed: a file beside the study, got {short(name)}")
    return folder / name


def _packed(study: Mapping[Any, Any], *, label: str, folder: Path) -> str:
    """The heating seasons of the record that a study names, as text."""
    from study.weather_file import read_weather
    from study.weather_record import pack, weather_record

    given = study["climate"]
    record = validate(RecordFile, given["record"], label=f"{label}: climate.record")
    season = validate(Days, study.get("season") or {}, label=f"{label}: season")
    path = beside(folder, record.file, label=f"{label}: climate.record.file")
    series = read_weather(path, column=record.column, unit=record.unit, utc_offset=record.utc_offset)
    found = weather_record(
        series,
        first_day=season.first_day,
        days=season.days,
        resample="blocks" if given.get("resample") == "blocks" else "winters",
        detrend=record.detrend,
        file=str(path),
    )
    return pack(found.temperature)
