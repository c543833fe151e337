"""Money over the life of a plant: present values, annuities, levelised costs and payback.

Money in CNY of one year's prices, so that rates are real ones, without inflation. Year 0 is when the plant is built;
what a winter costs or brings counts at the end of its year, 1 to n. Flows of money are (year, row), year 0 first; those
of winters (winter, row) are without it. Formulas as in IPCC AR5, working group III, annex II, section A.II.3.1
(levelised costs), and in any textbook (present value, annuity, payback).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_PER_TONNE = 1e6
"""Cost of avoided carbon where no carbon is avoided, and the largest either way, CNY/t: an amount that stands for
"at any price", as infinity is no number that can be averaged or stored as one that is sound."""


def discount_factors(rate: Array, years: int) -> Array:
    """What one unit at the end of each year 0 … `years` is worth in year 0, (year, row), for a rate 1/yr, (row,).

    One division after the other, so that a year's bits hang on nothing but the rate.
    """
    factors = np.empty((years + 1, *np.shape(rate)))
    factors[0] = 1.0
    for year in range(1, years + 1):
        factors[year] = factors[year - 1] / (1.0 + rate)
    return factors


def present_value(flows: Array, rate: Array) -> Array:
    """Present value of flows of the years 0, 1, …, (year, row), discounted to year 0, (row,)."""
    return _summed(flows * discount_factors(rate, len(flows) - 1))


def present_value_of_winters(flows: Array, rate: Array) -> Array:
    """The same of flows of winters, (winter, row): the first one counts at the end of year 1."""
    return _summed(flows * discount_factors(rate, len(flows))[1:])


def _summed(flows: Array) -> Array:
    """Over the years, one after the other: numpy's own order hangs on how an array lies in memory."""
    total = np.zeros_like(flows[0])
    for flow in flows:
        total = total + flow
    return total


def capital_recovery_factor(rate: Array, years: Array) -> Array:
    """Yearly payment over the amount that n of them pay off, 1/yr: r / (1 − (1 + r)^−n), or 1 / n without a rate."""
    rate, years = np.broadcast_arrays(np.asarray(rate, float), np.asarray(years, float))
    lost = -np.expm1(-years * np.log1p(rate))
    return np.divide(rate, lost, out=1.0 / years, where=lost > 0.0)


def capital_flows(cost: Array, life: Array, years: int) -> Array:
    """What a part costs in each year 0 … `years`: bought, replaced at the end of its life, and its rest at the end.

    The rest is what is not yet written off, in a straight line over its life: negative, as it is a value.

    Parameters
    ----------
    cost
        CNY, (row,).
    life
        Whole years, 1 or more, (row,).
    years
        Of the study.

    Returns
    -------
    (year, row); the rest is in the last year.
    """
    flows = np.zeros((years + 1, *np.shape(cost)))
    for year in range(years):
        flows[year] = np.where(year % life == 0, cost, 0.0)
    flows[years] = -cost * ((-years) % life) / life
    return flows


def levelised(costs: Array, amounts: Array) -> Array:
    """Present value of costs, CNY, over that of the heat they are for, GJ, both (row,)."""
    return costs / amounts


def cost_of_avoided_carbon(costs: Array, tonnes: Array) -> Array:
    """Additional cost over avoided carbon, both present values, CNY/t, (row,).

    Tonnes are discounted as money is, so that it is the constant price at which the tonnes would just pay for the cost
    (levelised cost of conserved carbon: IPCC AR5, working group III, annex II). Where no carbon is avoided it is
    `MOST_PER_TONNE`, and never beyond, either way.
    """
    per_tonne = np.divide(costs, tonnes, out=np.full(np.shape(costs), MOST_PER_TONNE), where=tonnes > 0.0)
    return np.where(np.isfinite(costs + tonnes), np.clip(per_tonne, -MOST_PER_TONNE, MOST_PER_TONNE), np.nan)


def payback(flows: Array, rate: Array) -> Array:
    """Years until the discounted flows, summed up, are no longer negative, (row,); within a year in proportion.

    Parameters
    ----------
    flows
        Of the years 0 … n, (year, row).
    rate
        1/yr, (row,): 0 for the simple payback time.

    Returns
    -------
    0 where nothing is to be paid back; n + 1 where n years are not enough.
    """
    discounted = flows * discount_factors(rate, len(flows) - 1)
    summed = np.cumsum(discounted, axis=0)
    there = summed >= 0.0
    first = there.argmax(axis=0)
    at = np.maximum(first, 1)[None]
    before, gained = (np.take_along_axis(each, place, 0)[0] for each, place in ((summed, at - 1), (discounted, at)))
    part = np.divide(-before, gained, out=np.zeros_like(before), where=gained > 0.0)
    years = np.where(first > 0, first - 1.0 + part, 0.0)
    never = np.where(np.isfinite(summed[-1]), float(len(flows)), np.nan)
    return np.where(there.any(axis=0), years, never)
