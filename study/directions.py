"""Which end of an output is the better one."""

HIGHER = (
    *("carbon_reduction", "heat_delivered", "heating_reliability", "indoor_temperature_min", "inlet_temperature_min"),
    *("electricity_covered", "largest_unit_out_share", "net_present_value"),
)
LOWER = (
    *("carbon_electricity", "carbon_peak_fuel", "carbon_refrigerant", "carbon_embodied"),
    *("heat_unmet", "heat_backup", "heat_reserve", "heat_storage_loss", "unmet_hours", "shortfalls"),
    *("longest_shortfall", "worst_shortfall", "peak_heating_share", "cold_hours", "cold_degree_hours"),
    *("electricity", "electricity_compressor", "electricity_circulation", "electricity_backup"),
    *("fuel_peak_heating", "fuel_reserve_heating", "inlet_limit_hours", "outage_hours", "thermal_interference"),
    *("park_emissions_per_energy", "capital_cost", "levelised_cost_of_heat", "cost_of_avoided_carbon", "payback_time"),
)
"""Variables of which more, or less, is better; of all others the one design is *higher* than the other, not better."""


def direction(variable: str) -> str:
    """Which end of a variable is better: ``higher``, ``lower``, or nothing where that is not known."""
    return "higher" if variable in HIGHER else "lower" if variable in LOWER else ""
