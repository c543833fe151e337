"""The plant on top of the wells: heating curve, heat pumps, hot-water tank and peak heating.

Functions of plain numbers for one hour of one sample, compiled into the hourly loop of `kernels.season`. Powers in
W, temperatures in °C.
"""

import math

import numpy as np
from numba import njit

KELVIN = 273.15
MINIMUM_COP = 1.1
"""No heat pump is run below this; it only matters for inputs that make none sensible."""


@njit(cache=True, error_model="numpy")
def supply_temperature(outdoor, balance, supply_mild, supply_rise):  # type: ignore[no-untyped-def]
    """Weather-compensated supply temperature, °C: `supply_mild` at balance, and `supply_rise` more per kelvin below.

    Linear, and like the demand it goes on rising below the design temperature.
    """
    return supply_mild + supply_rise * max(0.0, balance - outdoor)


@njit(cache=True, error_model="numpy", forceinline=True)
def heat_pump(  # type: ignore[no-untyped-def]
    request,
    supply,
    offset,
    ratio,
    flow,
    efficiency,
    maximum_cop,
    minimum_inlet,
    capacity,
    source_slope,
    rated_source,
    supply_slope,
    rated_supply,
    units,
    degradation,
):
    """What heat pumps on the wells deliver of a requested heat output.

    Compressor work is W = Q / COP with COP = η T_hot / (T_hot - T_cold): T_hot the supply temperature, T_cold that of
    the water leaving the evaporator, which is the wells' inlet x. The wells answer with outlet = offset + ratio · x,
    and Q - W must be what they give, flow · (outlet - x): with 1/COP linear in x, a linear equation. Where COP would
    leave [MINIMUM_COP, maximum_cop], it stays at the bound.

    Two limits hold the output below the request. x may not fall below `minimum_inlet`; wells that rest below it give
    nothing. And the machines can do no more than Q_max(x) = capacity · (1 + source_slope · (x - rated_source) +
    supply_slope · (supply - rated_supply)), at least 0: linear in x, so that Q_max(x) · (1 - 1/COP(x)) is a quadratic,
    solved together with the wells' answer. Both limits are found at full-load efficiency, so that the heat never
    depends on part load; only work and x do. So more capacity, warmer wells or a colder supply never give less heat. A
    higher η never takes more work for the same heat; but at a limit, where wells or machine set the pace, it gives
    slightly less heat, because there less work becomes heat.

    Of `units` equal machines as few run as the heat needs, all at the same load: their share of full load is the part
    load ratio PLR, and η falls by the factor 1 - degradation · (1 - PLR). PLR is that of the heat delivered, which is
    the request wherever no limit holds.

    Parameters
    ----------
    request
        Heat output asked for, W.
    supply
        Supply temperature, °C.
    offset, ratio
        °C and 1: what the wells answer (`kernels.coaxial.sweep_up`).
    flow
        Flow heat-capacity rate of all wells together, W/K. Where it is 0 there is no heat, and the inlet says nothing.
    efficiency, maximum_cop
        Second-law efficiency η at full load and upper bound of the COP.
    minimum_inlet
        Lowest temperature at which water may enter the wells, °C.
    capacity
        Greatest heat output of the machines at work, together, at the rated temperatures, W; 0 where none is.
    source_slope, rated_source
        1/K, at least 0, and °C: how capacity rises with the temperature of the water leaving the evaporator.
    supply_slope, rated_supply
        1/K, usually below 0, and °C: how capacity changes with the supply temperature.
    units
        Number of machines at work.
    degradation
        Degradation coefficient, 0 to less than 1.

    Returns
    -------
    Heat output (W), compressor work (W), inlet temperature of the wells (°C), whether `minimum_inlet` is what holds the
    output below the request.

    References
    ----------
    Part load: the factor 1 - C_D (1 - PLR) is that of AHRI 210/240, with 0.25 where C_D is not measured. EN 14825 has
    PLR / (C PLR + 1 - C) for machines that heat water, with C = 0.9 where not measured: 0.91 at half load, as here
    with a degradation of 0.18.
    """
    lift = 1.0 / (efficiency * (supply + KELVIN))
    best, worst = 1.0 / maximum_cop, 1.0 / MINIMUM_COP
    give = max(flow * (1.0 - ratio), 1e-6)  # heat from the wells per kelvin of a colder inlet, W/K
    per_give = 1.0 / give
    most = flow * offset  # heat from the wells at an inlet of 0 °C, W

    inlet = (most - request * (1.0 - lift * supply)) / (give + request * lift)
    inverse_cop = min(worst, max(best, (supply - inlet) * lift))
    inlet = (most - request * (1.0 - inverse_cop)) * per_give

    lowest = min(minimum_inlet, most * per_give)
    cold = inlet < lowest
    inlet = max(inlet, lowest)
    inverse_cop = min(worst, max(best, (supply - inlet) * lift))
    heat = min(request, max(0.0, (most - give * inlet) / (1.0 - inverse_cop)) if cold else request)

    # machines short of `heat` leave the inlet warmer, by the positive root of
    # (full + rise · warmer) (drawn + lift · warmer) + give · warmer = heat from the wells at `inlet`
    full = capacity * (1.0 + source_slope * (inlet - rated_source) + supply_slope * (supply - rated_supply))
    rise = capacity * source_slope
    small = full < heat
    drawn = min(1.0 - best, 1.0 - (supply - inlet) * lift)  # share of the output that the wells give
    source = heat * (1.0 - inverse_cop)
    linear = full * lift + rise * drawn + give
    missing = source - full * drawn
    warmer = 2.0 * missing / (linear + math.sqrt(max(0.0, linear * linear + 4.0 * rise * lift * missing)))
    drawn = 1.0 - min(worst, max(best, 1.0 - drawn - lift * warmer))
    warmer = (source - full * drawn) / (rise * drawn + give)
    full = max(0.0, full + rise * warmer if small else full)
    heat = min(heat, full)

    needed = units * heat / max(full, 1.0)
    running = max(1.0, min(units, np.ceil(needed)))
    lift *= running / (running - degradation * max(0.0, running - needed))  # 1 - PLR is the last term over running
    inlet = (most - heat * (1.0 - lift * supply)) / (give + heat * lift)
    inverse_cop = min(worst, max(best, (supply - inlet) * lift))
    inlet = max(lowest, (most - heat * (1.0 - inverse_cop)) * per_give)
    return heat, heat * inverse_cop, inlet, cold and not small and heat < request


@njit(cache=True, error_model="numpy", forceinline=True)
def peak_heating(  # type: ignore[no-untyped-def]
    request, outdoor, supply, capacity, slope, rated_outdoor, lowest_outdoor, boiler_share, lift_share
):
    """What a peak heater delivers of a requested heat output, and what is bought for it.

    Boilers and air-source heat pumps in one: purchased = heat · (boiler_share + 1/COP) with 1/COP = lift_share ·
    (T_supply - T_outdoor) / T_supply, at most 1 / MINIMUM_COP. A boiler has a `boiler_share` of 1 / efficiency, a
    `lift_share` and `slope` of 0 and a `lowest_outdoor` of -inf. An air-source heat pump has a `boiler_share` of 0 and
    a `lift_share` of 1 / η, its second-law efficiency between outdoor air and supply, defrosting included.

    Parameters
    ----------
    request
        Heat output asked for, W.
    outdoor, supply
        Outdoor and supply temperature, °C.
    capacity, slope, rated_outdoor
        W, 1/K and °C: greatest heat output is capacity · (1 + slope · (outdoor - rated_outdoor)), at least 0.
    lowest_outdoor
        Below this outdoor temperature it gives nothing, °C.
    boiler_share, lift_share
        Purchased energy per heat, 1.

    Returns
    -------
    Heat output (W), fuel or electricity bought (W).
    """
    available = max(0.0, capacity * (1.0 + slope * (outdoor - rated_outdoor)))
    heat = min(request, available if outdoor >= lowest_outdoor else 0.0)
    inverse_cop = min(1.0 / MINIMUM_COP, max(0.0, lift_share * (supply - outdoor) * (1.0 / (supply + KELVIN))))
    return heat, heat * (boiler_share + inverse_cop)


@njit(cache=True, error_model="numpy", forceinline=True)
def tank_room(stored, capacity, power, keep):  # type: ignore[no-untyped-def]
    """Heat that a hot-water tank can take in the hour, W: what the heat pumps are asked for beyond the demand.

    Parameters
    ----------
    stored, capacity
        Heat in the tank above that of the return water, now and at most, Wh.
    power
        Most that it takes or gives, W.
    keep
        Share of its heat that is left after an hour, exp(-loss · 1 h).
    """
    return min(power, max(0.0, capacity - stored * keep))


@njit(cache=True, error_model="numpy", forceinline=True)
def tank(stored, surplus, power, keep):  # type: ignore[no-untyped-def]
    """An hour of a fully mixed hot-water tank: it loses heat, then takes a surplus or gives what it can of a deficit.

    Parameters
    ----------
    stored, power, keep
        As in `tank_room`.
    surplus
        Heat left over, W; at most `tank_room`. Below zero: heat that is short.

    Returns
    -------
    Heat stored after the hour (Wh), charged, discharged and lost (W): stored + charged - discharged - lost.
    """
    kept = stored * keep
    charged = max(0.0, surplus)
    discharged = min(max(0.0, -surplus), min(power, kept))
    return kept + charged - discharged, charged, discharged, stored - kept
