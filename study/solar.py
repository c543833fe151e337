"""The sun over a site and what solar modules make of it, by pvlib, in hours of a year of 365 days, local standard time.

An hour counts with the sun in its middle. Under a clear sky (Ineichen, with pvlib's climatological turbidity) the
modules see beam, diffuse (Hay and Davies) and reflected light; they are as warm as Faiman's model says, and give DC
power by PVWatts. With a month's clear-sky index, the sun on level ground over that under a clear sky, that is the
expected generation of an hour, as a share of the year's. Days differ from the mean of their month by a Beta
distribution; so irradiance is commonly taken to differ (Salameh, Borowy and Amin 1995, IEEE Trans. Energy Convers.
10:326). Clear days are more alike in truth: against the days of the three typical years the distributions are off by
0.10 to 0.18 in probability.

Inverters, snow, soiling and shade are in the yearly generation alone: they change no hour's share.
"""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from kernels.weather import DAYS_IN_MONTH, seasonal_cycle
from study.errors import ConfigError
from study.own_power import BRIGHTEST, HOURS_OF_YEAR, OwnPower, Solar
from study.weather_file import read_epw
from study.winters import ELEVATION, LATITUDE, LONGITUDE, UTC_OFFSET

Array = NDArray[np.float64]
Twelve = tuple[float, ...]

TEMPERATURE_COEFFICIENT = -0.0035
"""Of the modules' power, 1/K: common for crystalline silicon today, an assumption."""
ALBEDO = 0.2
STEPS, END = 512, 0.15
"""Parts of a tabulated quantile function, and of one of them the share left out at either end: straight lines to the
lowest and highest value there is would make days differ too much."""
_LIMITS = (LATITUDE, LONGITUDE, ELEVATION, UTC_OFFSET)


class Place(NamedTuple):
    """Latitude and longitude, °, elevation, m, and local standard time less UTC, h."""

    latitude: float
    longitude: float
    elevation: float
    utc_offset: float

    @classmethod
    def of(cls, power: OwnPower) -> "Place":
        """Where a study's own power is."""
        return cls(*(getattr(power, name) for name in cls._fields))


@lru_cache(maxsize=8)
def _sun(place: Place) -> pd.DataFrame:
    """Position of the sun in the middle of each hour; in UTC, of which pvlib needs no database."""
    from pvlib.solarposition import get_solarposition  # pvlib takes seconds to import

    times = pd.date_range("2001-01-01T00:30", periods=HOURS_OF_YEAR, freq="h", tz="UTC")
    times -= pd.Timedelta(hours=place.utc_offset)
    return get_solarposition(times, place.latitude, place.longitude, altitude=place.elevation)


@lru_cache(maxsize=8)
def _clear_sky(place: Place) -> pd.DataFrame:
    """`ghi`, `dni` and `dhi` of each hour under a clear sky, and `extra`, dni above the atmosphere, W/m²."""
    from pvlib.irradiance import get_extra_radiation
    from pvlib.location import Location

    sun, location = _sun(place), Location(place.latitude, place.longitude, altitude=place.elevation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pvlib 0.16 calls what a later pandas will not have
        clear = location.get_clearsky(sun.index, model="ineichen", solar_position=sun)
        return clear.assign(extra=get_extra_radiation(sun.index))


def sunlit(place: Place) -> NDArray[np.bool_]:
    """Whether the sun stands above the horizon in the middle of each hour of the year, (8760,)."""
    return np.asarray(_sun(place)["apparent_elevation"] > 0.0)


def generation_shape(place: Place, solar: Solar, temperature: Twelve) -> Array:
    """Share of the expected year's generation in each of its hours, (8760,).

    Parameters
    ----------
    place, solar
        Where the modules are, and how they stand.
    temperature
        Mean of the air in each month, °C.
    """
    tilt = abs(place.latitude) if solar.tilt is None else solar.tilt
    to_equator = 180.0 if place.latitude >= 0.0 else 0.0
    azimuth = to_equator if solar.azimuth is None else solar.azimuth
    return _shape(place, tilt, azimuth, solar.clear_sky_index, temperature)


@lru_cache(maxsize=8)
def _shape(place: Place, tilt: float, azimuth: float, index: Twelve, temperature: Twelve) -> Array:
    from pvlib.irradiance import get_total_irradiance
    from pvlib.pvsystem import pvwatts_dc
    from pvlib.temperature import faiman

    sun, clear = _sun(place), _clear_sky(place)
    light = get_total_irradiance(
        tilt,
        azimuth,
        sun["apparent_zenith"],
        sun["azimuth"],
        clear["dni"],
        clear["ghi"],
        clear["dhi"],
        dni_extra=clear["extra"],
        albedo=ALBEDO,
        model="haydavies",
    )["poa_global"].to_numpy()
    air = np.repeat(seasonal_cycle(np.array(temperature), first_day=1, days=365), 24)
    power = pvwatts_dc(light, faiman(light, air), 1.0, TEMPERATURE_COEFFICIENT)
    power = np.maximum(np.nan_to_num(power), 0.0) * np.repeat(np.array(index), 24 * DAYS_IN_MONTH)
    return np.asarray(power / power.sum())


@lru_cache(maxsize=8)
def sky_quantiles(index: Twelve, spread: Twelve) -> Array:
    """Quantiles of a day's clear-sky index over the month's mean, (12, STEPS + 1), at evenly spaced probabilities.

    Straight lines between them have a mean of one, and the spread to 0.1 % (`tests/test_own_power.py`).
    """
    quantiles = np.ones((12, STEPS + 1))
    probability = np.clip(np.arange(STEPS + 1), END, STEPS - END) / STEPS
    for month, (mean, deviation) in enumerate(zip(index, spread, strict=True)):
        share = mean / BRIGHTEST
        if deviation > 0.0:
            size = share * (1.0 - share) * (BRIGHTEST / deviation) ** 2 - 1.0
            quantiles[month] = stats.beta.ppf(probability, share * size, (1.0 - share) * size)
    return quantiles / np.asarray(np.trapezoid(quantiles, dx=1.0 / STEPS, axis=1))[:, None]


def read_sky(path: Path) -> tuple[dict[str, str], dict[str, list[float] | list[str]]]:
    """Place, and what `own_power.solar` takes of the sky over it, from an EPW file, as a study file writes them.

    Raises
    ------
    ConfigError
        When it cannot be read, or its sun is none of a year's.
    """
    data, location = read_epw(path)
    try:
        data = data[~((data["month"] == 2) & (data["day"] == 29))]
        calendar = data[["month", "day", "hour"]].to_numpy()
        ghi, air = (pd.to_numeric(data[name]).to_numpy(float) for name in ("ghi", "temp_air"))
        place = Place(*(float(location[name]) for name in ("latitude", "longitude", "altitude", "TZ")))
    except Exception as error:  # whatever stands in the place of numbers
        raise ConfigError(f"{path}: cannot be understood as an EPW file: {str(error)[:100]}") from error
    expected = pd.date_range("2001-01-01", periods=HOURS_OF_YEAR, freq="h")
    if not np.array_equal(calendar, np.column_stack([expected.month, expected.day, expected.hour + 1])):
        raise ConfigError(f"{path}: allowed: the hours of one year in order from 1 January")
    if not all(limits.check(value) for limits, value in zip(_LIMITS, place, strict=True)):
        raise ConfigError(f"{path}: its place is none that own_power allows")
    if not (((ghi >= 0.0) & (ghi < 1500.0)).all() and (np.abs(air) < 90.0).all() and ghi.any()):
        raise ConfigError(f"{path}: allowed: global horizontal radiation and air temperature in every hour")
    total, clear = (values.reshape(365, 24).sum(axis=1) for values in (ghi, _clear_sky(place)["ghi"].to_numpy()))
    month = np.repeat(np.arange(12), DAYS_IN_MONTH)
    days = [np.flatnonzero(month == number) for number in range(12)]
    index = [round(float(total[these].sum() / clear[these].sum()), 3) for these in days]
    spread = [round(float(np.std(total[these] / clear[these], ddof=1)), 3) for these in days]
    units = ("deg", "deg", "m", "h")
    return (
        {name: f"{value} {unit}" for name, value, unit in zip(Place._fields, place, units, strict=True)},
        {
            "clear_sky_index": index,
            "clear_sky_index_standard_deviation": spread,
            "monthly_temperature": [f"{air.reshape(365, 24)[these].mean():.2f} degC" for these in days],
        },
    )
