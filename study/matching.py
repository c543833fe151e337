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
MONTH = np.repeat(np.arange(12), DAYS_IN_MONTH)
"""Month of each day of the year, (365,)."""


@dataclass(frozen=True)
class Matching:
    """Reads the heating's meter after each winter, and keeps what own power covers.

    Attributes
    ----------
    keys
        Which weather each lane has, (lane,).
    meter
        To be filled by `kernels.operation.heating_season`.
    sums
        Of the winters so far, the rows of `Matched`, (row, lane).
    """

    study: Study
    power: OwnPower
    keys: NDArray[np.int64]
    inputs: Inputs
    meter: Meter
    sums: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, study: Study, keys: NDArray[np.int64], inputs: Inputs) -> "Matching | None":
        """Of a group of lanes; None where the study has no own power."""
        if study.own_power is None:
            return None
        electric = (study.peak_heating.kind in ELECTRIC, study.reserve_heating.kind in ELECTRIC)
        return cls(
            study, study.own_power, keys, inputs, Meter(*electric, np.empty((24 * study.season.days, len(keys))))
        )

    def match(self, winter: int, outdoor: Array) -> None:
        """Match a winter, the first one being 0, with its outdoor temperature, °C, (hour, lane)."""
        from study.solar import Place, sunlit  # pandas and pvlib are slow to load

        use = self.power.other_use
        idle = self._input("other_use.idle_share")
        working = use.working_share + idle * (1.0 - use.working_share)
        sums = np.empty((len(Matched._fields), len(self.keys)))
        match(
            self.meter.readings,
            self._generation(winter),
            self._input("other_use.annual") * GIGA / (HOURS_OF_YEAR * working),
            idle,
            hours_in_use(self.study, winter, use),
            self._of_season(sunlit(Place.of(self.power)), 24),
            coldest_week(outdoor),
            Battery(
                self._input("battery.capacity") / MEGA,
                self._input("battery.power") / MEGA,
                self._input("battery.efficiency", 1.0),
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

    def _input(self, key: str, absent: float = 0.0) -> Array:
        return self.inputs.get(f"own_power.{key}", np.full(len(self.keys), absent))

    def _of_season(self, values: NDArray[np.generic], each_day: int) -> NDArray[np.generic]:
        """Of values of a year, so many to a day, those of the heating season."""
        season = self.study.season
        return np.roll(values, -(season.first_day - 1) * each_day)[: season.days * each_day]

    def _generation(self, winter: int) -> Generation:
        from study.solar import Place, generation_shape, sky_quantiles

        season, solar, seed = self.study.season, self.power.solar, np.uint64(self.study.seed)
        first, lanes = season.first_day - 1, len(self.keys)
        shape, sky, start = np.zeros(24 * season.days), np.ones((season.days, lanes)), np.zeros(lanes, np.int64)
        if solar is not None:
            temperature = solar.monthly_temperature or self.study.climate.monthly_temperature
            assert temperature is not None
            shape = np.asarray(self._of_season(generation_shape(Place.of(self.power), solar, temperature), 24), float)
            quantiles = sky_quantiles(solar.clear_sky_index, solar.clear_sky_index_standard_deviation)
            sky_factors(seed, self.keys, winter, first, self._of_season(MONTH, 1), quantiles, sky)
        wind_shape = np.zeros(HOURS_OF_YEAR)
        if self.power.wind is not None:
            wind_shape = self.power.wind.shape
            start = (24 * (first + wind_shifts(seed, self.keys, winter))) % HOURS_OF_YEAR
        return Generation(
            self._input("solar.annual_generation") * GIGA * (1.0 - self._input("solar.degradation")) ** winter,
            self._input("wind.annual_generation") * GIGA,
            shape,
            wind_shape,
            sky,
            start,
        )
