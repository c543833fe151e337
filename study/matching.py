"""The heating's electricity matched with the site's own power, winter by winter, for a group of lanes."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kernels.power import Battery, Generation, Matched, coldest_week, match, sky_factors, wind_shifts
from kernels.season import Meter
from kernels.weather import DAYS_IN_MONTH
from study.config import Study
from study.heating import hours_in_use
from study.outputs import ELECTRIC, MEGA
from study.own_power import HOURS_OF_YEAR, OwnPower
from study.wells import Inputs

Array = NDArray[np.float64]

GIGA = 1e9


@dataclass(frozen=True)
class Matching:
    """Reads the heating's meter after each winter, and keeps what own power covers.

    Attributes
    ----------
    keys
        Which weather each lane has, (lane,).
    meter
        To be filled by `kernels.operation.heating_season`.
    first_day
        First day of the season, 1 January being 0.
    sunlit, solar_shape, month
        Of the season: whether the sun is up in each hour and the share of the year's solar generation, (hour,); month
        of each day, 0 to 11, (day,).
    quantiles
        Of the sky (`kernels.power.sky_factors`), (12, probability); (12, 0) without solar modules.
    sums
        Of the winters so far, the rows of `Matched`, (row, lane).
    """

    study: Study
    power: OwnPower
    keys: NDArray[np.int64]
    inputs: Inputs
    meter: Meter
    first_day: int
    sunlit: NDArray[np.bool_]
    solar_shape: Array
    month: NDArray[np.int64]
    quantiles: Array
    sums: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, study: Study, keys: NDArray[np.int64], inputs: Inputs) -> "Matching | None":
        """Of a group of lanes; None where the study has no own power."""
        power = study.own_power
        if power is None:
            return None
        from study.solar import Place, generation_shape, sky_quantiles, sunlit  # pandas and pvlib are slow to load

        place, solar, first, days = Place.of(power), power.solar, study.season.first_day - 1, study.season.days
        shape, quantiles = np.zeros(HOURS_OF_YEAR), np.empty((12, 0))
        if solar is not None:
            temperature = solar.monthly_temperature or study.climate.monthly_temperature
            assert temperature is not None
            shape = generation_shape(place, solar, temperature)
            quantiles = sky_quantiles(solar.clear_sky_index, solar.clear_sky_index_standard_deviation)
        electric = (study.peak_heating.kind in ELECTRIC, study.reserve_heating.kind in ELECTRIC)
        return cls(
            study,
            power,
            keys,
            inputs,
            Meter(*electric, np.empty((24 * days, len(keys)))),
            first,
            np.roll(sunlit(place), -24 * first)[: 24 * days],
            np.roll(shape, -24 * first)[: 24 * days],
            np.roll(np.repeat(np.arange(12), DAYS_IN_MONTH), -first)[:days],
            quantiles,
        )

    def match(self, winter: int, outdoor: Array) -> None:
        """Match a winter, the first one being 0, with its outdoor temperature, °C, (hour, lane)."""
        use, idle = self.power.other_use, self._input("other_use.idle_share")
        mean_over_working = use.working_share + idle * (1.0 - use.working_share)
        sums = np.empty((len(Matched._fields), len(self.keys)))
        match(
            self.meter.readings,
            self._generation(winter),
            self._input("other_use.annual") * GIGA / (HOURS_OF_YEAR * mean_over_working),
            idle,
            hours_in_use(self.study, winter, use),
            self.sunlit,
            coldest_week(outdoor),
            Battery(
                self._input("battery.capacity") / MEGA,
                self._input("battery.power") / MEGA,
                self._input("battery.efficiency", absent=1.0),
            ),
            sums,
        )
        self.sums.append(sums)

    def outputs(self) -> Inputs:
        """Variables of `study.variables.OWN_POWER_VARIABLES`, (winter, lane)."""
        found = Matched(*(np.array(self.sums).swapaxes(0, 1) * MEGA))
        return {
            "electricity_covered": found.covered,
            "electricity_covered_battery": found.covered_battery,
            "electricity_day": found.used_day,
            "electricity_night": found.used - found.used_day,
            "electricity_covered_day": found.covered_day,
            "electricity_coldest_week": found.used_week,
            "electricity_covered_coldest_week": found.covered_week,
            "own_generation": found.generated,
            "own_generation_left": found.left,
        }

    def _input(self, key: str, *, absent: float = 0.0) -> Array:
        return self.inputs.get(f"own_power.{key}", np.full(len(self.keys), absent))

    def _generation(self, winter: int) -> Generation:
        seed, lanes = np.uint64(self.study.seed), len(self.keys)
        sky, wind_shape, start = np.ones((len(self.month), lanes)), np.zeros(HOURS_OF_YEAR), np.zeros(lanes, np.int64)
        if self.power.solar is not None:
            sky_factors(seed, self.keys, winter, self.first_day, self.month, self.quantiles, sky)
        if self.power.wind is not None:
            wind_shape = self.power.wind.shape
            start = 24 * ((self.first_day + wind_shifts(seed, self.keys, winter)) % 365)
        return Generation(
            self._input("solar.annual_generation") * GIGA * (1.0 - self._input("solar.degradation")) ** winter,
            self._input("wind.annual_generation") * GIGA,
            self.solar_shape,
            wind_shape,
            sky,
            start,
        )
