"""The carbon account of one winter, from its flows of energy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class CarbonAccount(NamedTuple):
    """Emissions of a winter, t CO2 (all of one shape); `reduction` is the first less the others."""

    baseline: Array
    electricity: Array
    peak_fuel: Array
    refrigerant: Array
    embodied: Array

    @property
    def reduction(self) -> Array:
        """Carbon reduction against the baseline, t CO2."""
        return self.baseline - self.electricity - self.peak_fuel - self.refrigerant - self.embodied


def electricity_factor(first: Array, decline: Array, winters: int) -> Array:
    """Grid emission factor by winter, (winter, lane): `first` falling by a share `decline` a year, both (lane,)."""
    return first * (1.0 - decline) ** np.arange(winters)[:, None]
