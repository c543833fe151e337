"""The plant on top of the wells: heat demand, heat pump, peak heating and the building that cools when heat is short.

Functions of plain numbers for one hour of one sample, compiled into the hourly loop of `kernels.operation`. Powers in
W, temperatures in °C.
"""

from numba import njit

KELVIN = 273.15
MINIMUM_COP = 1.1
"""No heat pump is run below this; it only matters for inputs that make none sensible."""


@njit(cache=True, error_model="numpy")
def heat_demand(outdoor, design_load, design_outdoor, balance):  # type: ignore[no-untyped-def]
    """Heat that the buildings ask for, W: zero at the balance, `design_load` at the design temperature.

    Linear, and it goes on rising below the design temperature: the open-loop heating curve of a weather-compensated
    supply.
    """
    return design_load * max(0.0, (balance - outdoor) / (balance - design_outdoor))


@njit(cache=True, error_model="numpy")
def supply_temperature(outdoor, design_outdoor, balance, supply_design, supply_mild):  # type: ignore[no-untyped-def]
    """Weather-compensated supply temperature, °C: `supply_mild` at balance, `supply_design` at design temperature.

    Linear, and like the demand it goes on rising below the design temperature.
    """
    share = max(0.0, (balance - outdoor) / (balance - design_outdoor))
    return supply_mild + share * (supply_design - supply_mild)


@njit(cache=True, error_model="numpy")
def heat_pump(request, supply, offset, ratio, flow, efficiency, maximum_cop, minimum_inlet):  # type: ignore[no-untyped-def]
    """What a heat pump on the wells delivers of a requested heat output.

    Compressor work is W = Q / COP with COP = η T_hot / (T_hot - T_cold): T_hot the supply temperature, T_cold that of
    the water leaving the evaporator, which is the wells' inlet x. The wells answer with outlet = offset + ratio · x,
    and Q - W must be what they give, flow · (outlet - x): with 1/COP linear in x, a linear equation. Where COP would
    leave [MINIMUM_COP, maximum_cop], it stays at the bound. Where x would fall below `minimum_inlet`, x stays there
    and the output falls; wells that rest below it give nothing.

    Parameters
    ----------
    request
        Heat output asked for, W.
    supply
        Supply temperature, °C.
    offset, ratio
        °C and 1: what the wells answer (`kernels.coaxial.sweep_up`).
    flow
        Flow heat-capacity rate of all wells together, W/K.
    efficiency, maximum_cop
        Second-law efficiency η and upper bound of the COP.
    minimum_inlet
        Lowest temperature at which water may enter the wells, °C.

    Returns
    -------
    Heat output (W), compressor work (W), inlet temperature of the wells (°C).
    """
    lift = 1.0 / (efficiency * (supply + KELVIN))
    best, worst = 1.0 / maximum_cop, 1.0 / MINIMUM_COP
    give = flow * (1.0 - ratio)  # heat from the wells per kelvin of a colder inlet, W/K
    inlet = (flow * offset - request * (1.0 - lift * supply)) / (give + request * lift)
    inverse_cop = min(worst, max(best, (supply - inlet) * lift))
    inlet = (flow * offset - request * (1.0 - inverse_cop)) / give
    limit = min(minimum_inlet, offset / (1.0 - ratio))
    limit_inverse_cop = min(worst, max(best, (supply - limit) * lift))
    limit_output = max(0.0, (flow * offset - give * limit) / (1.0 - limit_inverse_cop))  # rounding may go below
    limited = inlet < limit
    output = limit_output if limited else request
    work = output * (limit_inverse_cop if limited else inverse_cop)
    return output, work, limit if limited else inlet


@njit(cache=True, error_model="numpy")
def indoor_shortfall(shortfall, unmet, conductance, persistence):  # type: ignore[no-untyped-def]
    """How far the building is below its set temperature after an hour, K.

    One resistance, one capacity (1R1C), exact for a constant deficit: θ' = θ p + (unmet / UA) (1 - p), with p =
    exp(-1 h / time constant).
    """
    return shortfall * persistence + unmet / conductance * (1.0 - persistence)
