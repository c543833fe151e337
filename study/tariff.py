"""The heating's electricity by the periods of its tariff, winter by winter, for a group of lanes."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kernels.season import Meter
from kernels.tariff import energy_by_period
from kernels.weather import DAYS_IN_MONTH
from study.config import Study
from study.economics import FLAT
from study.outputs import ELECTRIC, MEGA
from study.wells import Inputs

Array = NDArray[np.float64]


def period_of_hours(study: Study) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the periods, the flat one last, and which of them each hour of the season belongs to, (hour,).

    An hour that is in several belongs to the first of them; hours are those of the clock that the weather has.
    """
    when = study.economics.electricity.when if study.economics else {}
    days = study.season.days
    month = np.roll(np.repeat(np.arange(1, 13), DAYS_IN_MONTH), 1 - study.season.first_day)[:days]
    period = np.full((days, 24), len(when))
    for number, (hours, months) in reversed(list(enumerate(when.values()))):
        period[np.ix_(np.isin(month, months), np.array(hours))] = number
    return [*when, FLAT], period.ravel()


@dataclass(frozen=True)
class TariffMeter:
    """Reads the heating's meter after each winter, and keeps what each period has.

    Attributes
    ----------
    meter
        To be filled by `kernels.operation.heating_season`.
    names, period
        As of `period_of_hours`.
    sums
        Of the winters so far, Wh, (period, lane).
    """

    meter: Meter
    names: list[str]
    period: NDArray[np.int64]
    sums: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, study: Study, lanes: int, meter: Meter | None) -> "TariffMeter | None":
        """Of a group of lanes, with a meter that others read too; None where the price is the same at all hours."""
        if study.economics is None or not study.economics.electricity.periods:
            return None
        if meter is None:
            electric = (study.peak_heating.kind in ELECTRIC, study.reserve_heating.kind in ELECTRIC)
            meter = Meter(*electric, np.empty((24 * study.season.days, lanes)))
        return cls(meter, *period_of_hours(study))

    def read(self) -> None:
        """Share out the winter that has just ended."""
        sums = np.empty((len(self.names), self.meter.readings.shape[1]))
        energy_by_period(self.meter.readings, self.period, sums)
        self.sums.append(sums)

    def outputs(self, electricity: Array) -> Inputs:
        """Variables of `study.variables.TARIFF`, (winter, lane).

        Parameters
        ----------
        electricity
            All of it, MWh, (winter, lane): what no other period has is flat, the recharge in summer included.
        """
        found = {
            f"electricity_{name}": values * MEGA
            for name, values in zip(self.names, np.array(self.sums).swapaxes(0, 1), strict=True)
            if name != FLAT
        }
        rest = electricity
        for values in found.values():
            rest = rest - values
        return {**found, f"electricity_{FLAT}": rest}
