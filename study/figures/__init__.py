"""Pictures of an ensemble, each a function from a Dataset to Axes, and of a climate fitted to a file.

`dark` makes them for a dark background. Colours are those of Okabe and Ito (2008), which colour-blind readers can tell
apart.
"""

from study.figures.carbon import accounts, carbon_reduction_distribution, carbon_reduction_exceedance
from study.figures.climate import climate_fit
from study.figures.convergence import convergence
from study.figures.designs import designs, difference_of_designs, exceedance_of_designs, pareto_front
from study.figures.drivers import sobol_indices
from study.figures.economics import (
    cost_of_carbon_exceedance,
    cost_of_heat_by_part,
    cost_of_heat_distribution,
    net_present_value_exceedance,
)
from study.figures.ground import field_from_above, temperature_along_well, temperature_around_well
from study.figures.measurement import narrowing
from study.figures.operation import learned
from study.figures.plant import cold_week, coldest_week, typical_cold_week, water_temperature_by_winter
from study.figures.reliability import (
    probability_of_frequency,
    reliability_by_winter,
    unmet_against_severity,
    unmet_heat_by_winter,
)
from study.figures.style import BLUE, GREEN, GREY, ORANGE, dark
from study.figures.sweep import against_swept_key

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "accounts",
    "against_swept_key",
    "carbon_reduction_distribution",
    "carbon_reduction_exceedance",
    "climate_fit",
    "cold_week",
    "coldest_week",
    "convergence",
    "cost_of_carbon_exceedance",
    "cost_of_heat_by_part",
    "cost_of_heat_distribution",
    "dark",
    "designs",
    "difference_of_designs",
    "exceedance_of_designs",
    "field_from_above",
    "learned",
    "narrowing",
    "net_present_value_exceedance",
    "pareto_front",
    "probability_of_frequency",
    "reliability_by_winter",
    "sobol_indices",
    "temperature_along_well",
    "temperature_around_well",
    "typical_cold_week",
    "unmet_against_severity",
    "unmet_heat_by_winter",
    "water_temperature_by_winter",
]
