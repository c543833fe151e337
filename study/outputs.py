"""The ensemble's flows of energy and what else tells of a winter, from the sums of a study's seasons."""

import numpy as np
from numpy.typing import NDArray

from kernels.season import Season
from study.config import Study
from study.wells import Inputs

Array = NDArray[np.float64]

MEGA = 1e-6
ELECTRIC = ("electric", "air_source")
"""Kinds of peak heating that run on electricity."""


def outputs(study: Study, season: Season, *, recharged: Array, recharge_pumping: Array) -> Inputs:
    """The variables of (sample, winter) that seasons make, (winter, lane).

    Parameters
    ----------
    season
        Of all winters, each field (winter, lane).
    recharged, recharge_pumping
        Heat put into the ground in the summer after each winter, and the pumps' electricity for it, Wh, (winter, lane).
    """
    hours = 24 * study.season.days
    demand, unmet = season.heat_demand * MEGA, season.heat_unmet * MEGA
    delivered = demand - unmet
    peak, reserve = season.heat_peak * MEGA, season.heat_reserve * MEGA
    backup = peak + reserve
    compressor = season.compressor * MEGA
    circulation = (season.circulation + recharge_pumping) * MEGA
    none = np.zeros_like(demand)
    electricity_backup = none
    fuels = {}
    for section, purchased in (
        ("peak_heating", season.peak_purchased * MEGA),
        ("reserve_heating", season.reserve_purchased * MEGA),
    ):
        if getattr(study, section).kind in ELECTRIC:
            electricity_backup = electricity_backup + purchased
        elif getattr(study, section).burns:
            fuels[f"fuel_{section}"] = purchased
    electricity = compressor + circulation + electricity_backup
    return {
        "heat_demand": demand,
        "heat_delivered": delivered,
        "heat_unmet": unmet,
        "heat_backup": backup,
        "heat_reserve": reserve,
        "heat_extracted": season.heat_extracted * MEGA,
        "heat_recharged": recharged * MEGA,
        "heat_storage_loss": (season.tank_lost + season.tank) * MEGA,
        "electricity": electricity,
        "electricity_compressor": compressor,
        "electricity_circulation": circulation,
        "electricity_backup": electricity_backup,
        **fuels,
        "unmet_hours": season.unmet_hours,
        "shortfalls": season.shortfalls,
        "longest_shortfall": season.longest_shortfall,
        "worst_shortfall": season.worst_shortfall * MEGA,
        "heating_reliability": _share(delivered, demand, 1.0),
        "peak_heating_share": _share(backup, delivered, 0.0),
        "indoor_temperature_min": season.indoor_min,
        "cold_hours": season.cold_hours,
        "cold_degree_hours": season.cold_degree_hours,
        "inlet_temperature_min": season.inlet_min,
        "inlet_limit_hours": season.inlet_limit_hours,
        "outage_hours": season.outage_hours,
        "outlet_temperature_mean": season.outlet_sum / hours,
        "outdoor_temperature_mean": season.outdoor_sum / hours,
        "outdoor_temperature_min": season.outdoor_min,
    }


def _share(part: Array, whole: Array, of_nothing: float) -> Array:
    return np.divide(np.minimum(part, whole), whole, out=np.full_like(whole, of_nothing), where=whole > 0)
