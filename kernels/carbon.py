"""The carbon account of a winter, from its flows of energy.

Energies in MWh, emissions in t CO2, factors in t/MWh of electricity and t/GJ of heat or fuel; arrays broadcast.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GJ_PER_MWH = 3.6
GJ_PER_TCE = 29.307
"""Heat of a tonne of coal equivalent (GB/T 2589-2020, appendix A: 29,307 kJ/kg)."""
TCE_PER_GJ_HEAT = 0.03412
"""Heat bought, in tonnes of coal equivalent (GB/T 2589-2020, appendix A): 1 / 29.307, rounded."""


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


def by_winter(first: Array, decline: Array, winters: int) -> Array:
    """A factor by winter, (winter, lane): `first` falling by a share `decline` a year, both (lane,).

    One multiplication after the other, so that a winter's bits hang on nothing but the two.
    """
    factors = np.empty((winters, *np.broadcast_shapes(first.shape, decline.shape)))
    factors[0] = first
    for winter in range(1, winters):
        factors[winter] = factors[winter - 1] * (1.0 - decline)
    return factors


def replaced_heat(delivered: Array, network_loss: Array) -> Array:
    """Heat that a replaced supply would have made for the same delivery, MWh."""
    return delivered / (1.0 - network_loss)


def electricity_emissions(used: Array, covered: Array | float, free_share: Array, factor: Array) -> Array:
    """Emissions of electricity, t CO2.

    Parameters
    ----------
    used
        All of it, MWh.
    covered
        What of it the site's own power covers hour by hour, MWh, free of carbon.
    free_share
        Share of the rest with certificates, free of carbon, 0 to 1.
    factor
        Emission factor of what is left, t/MWh.
    """
    return (used - covered) * factor * (1.0 - free_share)


class EnergyUse(NamedTuple):
    """What a site uses of energy in a year, t of coal equivalent, and what it emits doing so, t CO2 (one shape)."""

    energy: Array
    emissions: Array

    def plus(self, other: "EnergyUse") -> "EnergyUse":
        """The same site with another use beside it."""
        return EnergyUse(self.energy + other.energy, self.emissions + other.emissions)

    @property
    def emissions_per_energy(self) -> Array:
        """Emissions per unit of energy, t CO2/tce."""
        return self.emissions / self.energy
