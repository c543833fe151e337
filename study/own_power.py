"""What a study file may say of the site's own electricity: other use, solar, wind and a battery."""

import functools
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt, ValidationInfo, field_validator, model_validator

from study.csv_file import read_column
from study.distributions import Input
from study.errors import ConfigError
from study.plant import Hour, whole_hours_in_order
from study.quantity import Quantity
from study.reading import Section, default
from study.winters import (
    CLEAR_SKY_INDEX,
    CLEAR_SKY_SPREAD,
    ELEVATION,
    LATITUDE,
    LONGITUDE,
    UTC_OFFSET,
    Monthly,
    beside,
)

BRIGHTEST = 1.15
"""Sun on level ground in a day over that under a clear sky, at most; 1.09 in the typical year of Harbin."""
HOURS_OF_YEAR = 8760
MOST_ROUNDED = 0.01
"""Share of the year's wind that may be lost where each hour is rounded to 0.01 % of the highest."""
FARTHEST_CLOCK = 4.0
"""Hours that local standard time may be off the sun's; it is 3 in the west of China."""
GENERATION = Quantity("GWh/yr", ge=0, le=1e5, description="generation of the first year, as expected")


class OtherUse(Section):
    """Electricity of the plant beside the heating, which has its own power first."""

    annual: Annotated[Input, Quantity("GWh/yr", ge=0, le=1e6, description="the plant's electricity beside the heating")]
    working_days: Annotated[StrictInt, Field(ge=1, le=7)] = 7
    start: Hour = default("0 h")
    end: Hour = default("24 h")
    idle_share: Annotated[
        Input, Quantity("1", ge=0, le=1, description="load in idle hours over that in working hours")
    ] = default("100 %")

    @model_validator(mode="after")
    def _whole_hours_in_order(self) -> Self:
        whole_hours_in_order(self.start, self.end)
        return self

    @property
    def working_share(self) -> float:
        """Working hours over all hours of a week."""
        return self.working_days * (self.end - self.start) / (7 * 24)


class Solar(Section):
    """Solar modules, all alike; the sky over them is that of the climate or of a weather file."""

    annual_generation: Annotated[Input, GENERATION]
    tilt: (
        Annotated[float, Quantity("deg", ge=0, le=90, description="of the modules from level; left out: the latitude")]
        | None
    ) = None
    azimuth: (
        Annotated[
            float,
            Quantity(
                "deg", ge=0, le=360, description="to which they face, from north by east; left out: to the equator"
            ),
        ]
        | None
    ) = None
    degradation: Annotated[
        Input, Quantity("1/yr", ge=0, le=0.1, description="share of the generation lost in a year")
    ] = default("0.5 %/yr")
    clear_sky_index: Monthly[Annotated[float, CLEAR_SKY_INDEX]]
    clear_sky_index_standard_deviation: Monthly[Annotated[float, CLEAR_SKY_SPREAD]]
    monthly_temperature: (
        Monthly[
            Annotated[
                float,
                Quantity("degC", ge=-60, le=50, description="of the air at the modules; left out: the climate's"),
            ]
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _days_can_spread_so(self) -> Self:
        for month, (mean, spread) in enumerate(
            zip(self.clear_sky_index, self.clear_sky_index_standard_deviation, strict=True)
        ):
            most = (mean * (BRIGHTEST - mean)) ** 0.5
            if spread >= 0.98 * most:
                raise ValueError(
                    f"clear_sky_index_standard_deviation.{month}: allowed: less than {0.98 * most:.3g}: days from 0 to "
                    f"{BRIGHTEST:g} with a mean of {mean:g} can hardly differ by more"
                )
        return self


class Wind(Section):
    """Wind turbines: what they generate in a year, and how that is spread over its hours."""

    annual_generation: Annotated[Input, GENERATION]
    profile: Annotated[str, Field(max_length=100_000)]

    @field_validator("profile", mode="before")
    @classmethod
    def _packed(cls, raw: Any, info: ValidationInfo) -> Any:
        """As packed text; in a file it is a CSV file and a column of 8760 hours from 1 January."""
        from study.weather_record import PROFILE, pack, unpack  # pandas is slow to load

        if isinstance(raw, str):
            values = unpack(raw, PROFILE)
            if values.size != HOURS_OF_YEAR or not values.any():
                raise ValueError(f"allowed: {HOURS_OF_YEAR} hours, not all of them zero")
            return raw
        if not isinstance(raw, dict) or set(raw) != {"file", "column"}:
            raise ValueError("allowed: a mapping with file and column")
        folder = (info.context or {}).get("folder") or Path()
        hours = read_column(folder, *(str(raw[key]) for key in ("file", "column")))
        if len(hours) != HOURS_OF_YEAR or min(hours) < 0 or max(hours) <= 0:
            raise ValueError(
                f"{raw['file']!r}, column {raw['column']!r}: allowed: {HOURS_OF_YEAR} hours from 1 January, "
                "none of them below zero, some above"
            )
        shares = np.array([hours]) / max(hours)
        packed = pack(100.0 * shares, PROFILE)
        if abs(0.01 * unpack(packed, PROFILE).sum() - shares.sum()) > MOST_ROUNDED * shares.sum():
            raise ValueError(
                f"{raw['file']!r}, column {raw['column']!r}: allowed: hours of which the highest is no outlier: "
                "beside it the others are lost in rounding"
            )
        return packed

    @property
    def shape(self) -> NDArray[np.float64]:
        """Share of the year's generation in each of its hours, (8760,)."""
        return _shape(self.profile)


@functools.lru_cache(maxsize=4)
def _shape(profile: str) -> NDArray[np.float64]:
    from study.weather_record import PROFILE, unpack

    hours = unpack(profile, PROFILE)[0]
    return hours / hours.sum()


class Battery(Section):
    """A battery that stores what neither other use nor heating need, for the heating alone."""

    capacity: Annotated[Input, Quantity("MWh", ge=0, le=1e6, description="electricity that a full battery gives")]
    power: Annotated[Input, Quantity("MW", ge=0, le=1e5, description="at which it is charged and discharged at most")]
    efficiency: Annotated[Input, Quantity("1", ge=0.1, le=1, description="electricity given over that taken")]


class OwnPower(Section):
    """The site's own electricity, of which the heating may claim what other use leaves in the same hour."""

    latitude: Annotated[float, LATITUDE]
    longitude: Annotated[float, LONGITUDE]
    elevation: Annotated[float, ELEVATION]
    utc_offset: Annotated[float, UTC_OFFSET]
    other_use: OtherUse
    solar: Solar | None = None
    wind: Wind | None = None
    battery: Battery | None = None

    @model_validator(mode="before")
    @classmethod
    def _weather_file(cls, data: Any, info: ValidationInfo) -> Any:
        """Place, sky and temperature from the EPW file that `solar.weather` names, where they are not given."""
        solar = data.get("solar") if isinstance(data, dict) else None
        if not isinstance(solar, dict) or "weather" not in solar:
            return data
        from study.solar import read_sky  # pvlib is slow to load

        solar = dict(solar)
        folder, name = (info.context or {}).get("folder") or Path(), solar.pop("weather")
        try:
            if not isinstance(name, str):
                raise ConfigError("allowed: an EPW file")
            place, sky = read_sky(beside(folder, name, label="solar.weather"))
        except ConfigError as error:
            said = str(error).removeprefix("solar.weather: ")
            raise ValueError(f"solar.weather: {said}") from None
        return {**place, **data, "solar": {**sky, **solar}}

    @model_validator(mode="after")
    def _clock_goes_with_the_sun(self) -> Self:
        off = (self.utc_offset - self.longitude / 15.0 + 12.0) % 24.0 - 12.0
        if abs(off) > FARTHEST_CLOCK:
            raise ValueError(
                f"utc_offset: {self.utc_offset:g} h at longitude {self.longitude:g} deg is {off:+.1f} h off the sun; "
                f"allowed: {FARTHEST_CLOCK:g} h at most"
            )
        return self

    @model_validator(mode="after")
    def _something_generates(self) -> Self:
        if self.solar is None and self.wind is None:
            raise ValueError("allowed: solar, wind, or both")
        return self
