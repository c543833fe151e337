"""The heating seasons of an hourly weather record, and the text in which a resolved study carries them.

Seasons have the calendar of a year of 365 days: 29 February is left out, and 1 March follows 28 February. Temperatures
are rounded to hundredths of a kelvin, which the text keeps, so that a study read back has the same bits.
"""

import base64
import re
import zlib
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import linregress

from study.errors import ConfigError
from study.weather_file import HIGHEST, LOWEST

FEWEST_WINTERS = {"winters": 5, "blocks": 3}
FEWEST_FOR_TREND = 20
MOST_WINTERS = 200
MOST_HOURS = 8760
_PACKED = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,3}):([0-9a-f]{8}):([A-Za-z0-9+/]+={0,2})", re.ASCII)
_LONGEST_TEXT = (
    2 * MOST_WINTERS * MOST_HOURS * 3 // 2
)  # zlib can't make it more than a little longer, base64 by a third


class Packed(NamedTuple):
    """What is packed, in words: the whole, its values, their unit and limits."""

    whole: str
    values: str
    unit: str
    lowest: float
    highest: float

    @property
    def allowed(self) -> str:
        """Which values, in words."""
        return f"{self.values} from {self.lowest:.0f} to {self.highest:.0f} {self.unit}"

    def refuse(self, values: NDArray[np.float64], why: str) -> None:
        """Raise ValueError when any is beyond the limits, or no number."""
        if not ((values >= self.lowest) & (values <= self.highest)).all():
            raise ValueError(f"{why}allowed: {self.allowed}")


TEMPERATURES = Packed("weather record", "temperatures", "°C", LOWEST, HIGHEST)
PROFILE = Packed("profile", "values", "% of the highest", 0.0, 100.0)


class WeatherRecord(NamedTuple):
    """The complete heating seasons of a record."""

    temperature: NDArray[np.float64]  # °C, whole hundredths, (winters, hours)
    years: NDArray[np.int64]  # in which each winter begins, (winters,)
    incomplete: int  # winters left out, as an hour or more is missing
    trend: float  # of the means of the winters as recorded, K/decade
    trend_standard_error: float  # K/decade, for independent winters


def weather_record(
    series: pd.Series,
    *,
    first_day: int,
    days: int,
    resample: Literal["winters", "blocks"],
    detrend: bool = False,
    file: str = "the weather record",
) -> WeatherRecord:
    """Lay an hourly series out in heating seasons, each complete.

    Parameters
    ----------
    series : pandas.Series
        Hourly outdoor temperature (°C), of `study.weather_file.read_weather`; NaN is a missing hour.
    first_day, days : int
        First day of the season (day of the year: 1 November is 305) and its length, at most 365 days.
    resample : {"winters", "blocks"}
        What the record is for: whole winters need at least 5 of them, blocks 3.
    detrend : bool
        Shift each winter along the straight line through the means of the winters (least squares) to the record's last
        winter, the climate in which a study begins. Its level there has a standard error of two standard deviations of
        the winters over the root of their number, hence at least 20 winters.
    file : str
        What messages call the record.

    Raises
    ------
    ConfigError
        If the series is not hourly, spans more than 200 years, or has too few complete winters.
    """
    index, values = series.index, series.to_numpy(dtype=np.float64)
    if len(index) < 2 or index.year[-1] - index.year[0] >= MOST_WINTERS:
        raise ConfigError(f"{file}: allowed: a record of two hours to {MOST_WINTERS} years")
    step = index[1] - index[0]
    if step != pd.Timedelta(hours=1):
        raise ConfigError(
            f"{file}: resampling needs an hourly series, and this one has steps of {step / pd.Timedelta(hours=1):g} h; "
            "a climate can be fitted to daily values: hotland climate"
        )

    leap_day = (index.month == 2) & (index.day == 29)
    after_leap_day = index.is_leap_year & (index.day_of_year > 60)
    of_year = index.day_of_year - after_leap_day - 1  # 0 to 364
    first_year = int(index.year[0]) - 1  # whose winter may go on into the record
    hours = (((index.year - first_year) * 365 + of_year) * 24 + index.hour).to_numpy()
    years = np.arange(first_year, int(index.year[-1]) + 1)
    calendar = np.full((len(years) + 1) * MOST_HOURS, np.nan)
    calendar[hours[~leap_day]] = values[~leap_day]
    starts = ((years - first_year) * 365 + first_day - 1) * 24
    seasons = calendar[starts[:, None] + np.arange(24 * days)]
    present = np.isfinite(seasons)
    complete = present.all(axis=1)
    number, incomplete = int(complete.sum()), int((present.any(axis=1) & ~complete).sum())
    fewest = max(FEWEST_WINTERS[resample], FEWEST_FOR_TREND if detrend else 0)
    if number < fewest:
        purpose = "to remove a trend" if fewest == FEWEST_FOR_TREND else f"to resample {resample}"
        raise ConfigError(
            f"{file}: has {number} complete winters of {days} days ({incomplete} more lack hours); "
            f"allowed: at least {fewest} {purpose}"
        )
    seasons, years = seasons[complete], years[complete]
    trend = linregress(years, seasons.mean(axis=1))
    if detrend:
        seasons = seasons + trend.slope * (years[-1] - years)[:, None]
    rounded = np.rint(seasons * 100.0).astype(np.int64) / 100.0  # an integer has no negative zero
    return WeatherRecord(rounded, years, incomplete, 10.0 * float(trend.slope), 10.0 * float(trend.stderr))


def pack(values: NDArray[np.float64], kind: Packed = TEMPERATURES) -> str:
    """Return recorded winters as text: ``winters x hours : checksum : data``, exact to 0.01 K.

    The data are int16 hundredths of the unit (little-endian), each less the one before it in its row, by zlib
    and base64. The checksum is the CRC-32 of shape and data.

    Parameters
    ----------
    values : ndarray, shape (winters, hours)
        At most 200 winters of 8760 hours; one of them is a profile.
    kind : Packed
        What they are.

    Raises
    ------
    ValueError
        If the shape is not that of winters of whole days, or a value is impossible.
    """
    if values.ndim != 2:
        raise ValueError(f"allowed: an array of winters and hours, got {values.ndim} dimensions")
    winters, hours = values.shape
    _check_shape(winters, hours)
    kind.refuse(values, "")
    hundredths = np.rint(values * 100.0).astype("<i2")
    steps = np.diff(hundredths, axis=1, prepend=np.zeros((winters, 1), dtype="<i2"))
    data = steps.tobytes()
    text = base64.b64encode(zlib.compress(data, 9)).decode("ascii")
    return f"{winters}x{hours}:{_checksum(winters, hours, data)}:{text}"


def unpack(text: str, kind: Packed = TEMPERATURES) -> NDArray[np.float64]:
    """Return what a text of `pack` holds, shape (winters, hours); ValueError if it is damaged."""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"a packed {kind.whole} is too long; allowed: at most {_LONGEST_TEXT} characters")
    match = _PACKED.fullmatch(text)
    if match is None:
        raise ValueError(f"not a packed {kind.whole}; allowed: 'WINTERSxHOURS:CHECKSUM:DATA' as hotland writes it")
    winters, hours = int(match[1]), int(match[2])
    _check_shape(winters, hours)
    size = 2 * winters * hours
    try:
        decompressor = zlib.decompressobj()
        data = decompressor.decompress(base64.b64decode(match[4], validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"a packed {kind.whole} is damaged: {error}") from error
    if (
        len(data) != size
        or not decompressor.eof
        or decompressor.unused_data
        or match[3] != _checksum(winters, hours, data)
    ):
        raise ValueError(f"a packed {kind.whole} is damaged: its data don't fit their size and checksum")
    steps = np.frombuffer(data, dtype="<i2").reshape(winters, hours)
    values = np.cumsum(steps, axis=1, dtype=np.int64) / 100.0
    kind.refuse(values, f"a packed {kind.whole} is wrong; ")
    return values


def _check_shape(winters: int, hours: int) -> None:
    if not (1 <= winters <= MOST_WINTERS and 24 <= hours <= MOST_HOURS and hours % 24 == 0):
        raise ValueError(
            f"allowed: 1 to {MOST_WINTERS} recorded winters of whole days, at most {MOST_HOURS} hours, "
            f"got {winters} winters of {hours} hours"
        )


def _checksum(winters: int, hours: int, data: bytes) -> str:
    return f"{zlib.crc32(f'{winters}x{hours}:'.encode() + data):08x}"
