"""The lowest and the highest that an output can be: no interval of a mean needs to reach beyond."""

from study.statistics import Limits
from study.variables import FUELS, OWN_POWER_VARIABLES, TARIFF

SHARES = ("heating_reliability", "peak_heating_share")
HOURS = ("unmet_hours", "longest_shortfall", "cold_hours", "outage_hours", "inlet_limit_hours")
NOT_NEGATIVE = {
    *HOURS,
    *("heat_demand", "heat_delivered", "heat_unmet", "heat_backup", "heat_reserve", "heat_recharged"),
    *("heat_storage_loss", "shortfalls", "worst_shortfall", "cold_degree_hours", "largest_unit_out_share"),
    *("electricity", "electricity_compressor", "electricity_circulation", "electricity_backup"),
    *("carbon_peak_fuel", "carbon_refrigerant", "carbon_embodied", "payback_time"),
    *(FUELS | OWN_POWER_VARIABLES | TARIFF),
}


def limits_of(output: str, *, season: float | None = None) -> Limits:
    """Lowest and highest that a winter's output can be, and so any mean of it; None where nothing bounds it.

    Parameters
    ----------
    season
        Days of the heating season, where they are known.
    """
    if output in SHARES:
        return (0.0, 1.0)
    if output in HOURS and season is not None:
        return (0.0, 24.0 * season)
    return (0.0 if output in NOT_NEGATIVE else None, None)
