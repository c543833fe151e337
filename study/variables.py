"""The variables of an ensemble: what each is, its unit, and how a sample can end."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.config import Study

OK, INPUT_OUT_OF_RANGE, NOT_FINITE, ENERGY_IMBALANCE, NUMERICAL_FAULT = range(5)
STATUS_MEANINGS = "ok input_out_of_range not_finite energy_imbalance numerical_fault"


def variable(units: str, long_name: str, **attributes: str) -> dict[str, Any]:
    return {"units": units, "long_name": long_name, **attributes}


_AIR = {"standard_name": "air_temperature"}
VARIABLES: dict[str, dict[str, Any]] = {
    "carbon_reduction": variable("t CO2", "carbon reduction against the baseline"),
    "carbon_baseline": variable("t CO2", "emissions of the replaced heat supply, its network loss included"),
    "carbon_electricity": variable("t CO2", "emissions of the electricity used"),
    "carbon_peak_fuel": variable("t CO2", "emissions of the fuel of the peak heating"),
    "carbon_refrigerant": variable("t CO2", "emissions of lost refrigerant, as CO2 equivalent"),
    "carbon_embodied": variable("t CO2", "emissions of building the wells, spread over their lifetime"),
    "grid_emission_factor": variable("t CO2 MWh-1", "location-based emission factor of electricity"),
    "heat_demand": variable("MWh", "heat demand, what rooms caught up with included"),
    "heat_delivered": variable("MWh", "heat delivered by heat pumps and peak heating"),
    "heat_unmet": variable("MWh", "heat demanded but not delivered"),
    "heat_backup": variable("MWh", "heat delivered by peak and reserve heating"),
    "heat_reserve": variable("MWh", "heat delivered by the reserve heating alone"),
    "heat_extracted": variable("MWh", "heat taken from the wells"),
    "heat_recharged": variable("MWh", "heat put into the wells in the summer after the winter"),
    "heat_storage_loss": variable("MWh", "heat lost from the tank"),
    "electricity": variable("MWh", "electricity of heat pumps, circulation and peak heating"),
    "electricity_compressor": variable("MWh", "electricity of the heat pumps' compressors"),
    "electricity_circulation": variable("MWh", "electricity of the circulation pumps, wells and building circuit"),
    "electricity_backup": variable("MWh", "electricity of electric peak heating"),
    "unmet_hours": variable("h", "hours in which heat falls short"),
    "shortfalls": variable("1", "spells of hours in which heat falls short"),
    "longest_shortfall": variable("h", "longest spell in which heat falls short", cell_methods="winter: maximum"),
    "worst_shortfall": variable("MW", "largest heat flow that falls short", cell_methods="winter: maximum"),
    "heating_reliability": variable("1", "delivered over demanded heat"),
    "peak_heating_share": variable("1", "heat of peak and reserve heating over delivered heat"),
    "indoor_temperature_min": variable("degC", "lowest indoor temperature", cell_methods="winter: minimum", **_AIR),
    "cold_hours": variable("h", "hours colder indoors than comfort and schedule ask, by 0.1 K or more"),
    "cold_degree_hours": variable("K h", "kelvins below what comfort and schedule ask, summed over the hours"),
    "inlet_temperature_min": variable(
        "degC", "lowest temperature of the water entering the wells", cell_methods="winter: minimum"
    ),
    "inlet_limit_hours": variable("h", "hours in which the lowest allowed inlet temperature limits the heat pumps"),
    "outage_hours": variable("h", "hours in which any unit is out"),
    "outlet_temperature_mean": variable(
        "degC", "mean temperature of the water leaving the wells", cell_methods="winter: mean"
    ),
    "thermal_interference": variable("K", "ground at the wells colder for the other wells, at the end of the season"),
    "coldest_well_penalty": variable(
        "K", "ground at the coldest well colder than at the mean well, equal heat from all, at the end of the season"
    ),
    "loop_temperature_mean": variable(
        "degC", "mean temperature of the water entering and leaving the wells", cell_methods="winter: mean"
    ),
    "outdoor_temperature_mean": variable("degC", "mean outdoor temperature", cell_methods="winter: mean", **_AIR),
    "outdoor_temperature_min": variable("degC", "lowest outdoor temperature", cell_methods="winter: minimum", **_AIR),
}
"""Variables of (sample, winter) that every ensemble has."""

HEATERS = ("peak_heating", "reserve_heating")
"""Sections of a study whose heaters may burn fuel."""
FUELS = {f"fuel_{section}": variable("MWh", f"fuel of the {section.replace('_', ' ')}") for section in HEATERS}
PARK = {
    "park_emissions_per_energy_before": variable(
        "t CO2 tce-1", "emissions of the park per unit of its energy, with the heat supply that is replaced"
    ),
    "park_emissions_per_energy": variable("t CO2 tce-1", "emissions of the park per unit of its energy"),
}

_WEEK = "in the season's coldest seven days"
OWN_POWER_VARIABLES: dict[str, dict[str, Any]] = {
    "electricity_covered": variable("MWh", "electricity covered by own power, hour by hour"),
    "electricity_covered_battery": variable("MWh", "electricity covered out of the battery"),
    "electricity_day": variable("MWh", "electricity in hours with the sun up, recharge in summer left out"),
    "electricity_night": variable("MWh", "electricity in hours with the sun down, recharge in summer left out"),
    "electricity_covered_day": variable("MWh", "electricity covered by own power in hours with the sun up"),
    "electricity_coldest_week": variable("MWh", f"electricity {_WEEK}"),
    "electricity_covered_coldest_week": variable("MWh", f"electricity covered by own power {_WEEK}"),
    "own_generation": variable("MWh", "own solar and wind power in the heating season"),
    "own_generation_left": variable("MWh", "own power in the heating season that other use leaves"),
}
"""Variables of (sample, winter) of a study with `own_power`."""

TARIFF = {
    f"electricity_{period}": variable("MWh", f"electricity in the tariff's {period.replace('_', ' ')} hours")
    for period in ("sharp_peak", "peak", "valley", "flat")
}
"""Variables of (sample, winter) of a study whose electricity has its price by the hour: the periods it has."""
OPERATION = {"operating_cost": variable("CNY", "cost of running the plant, at the winter's prices")}

OF_WINTERS = VARIABLES | FUELS | PARK | OWN_POWER_VARIABLES | TARIFF | OPERATION
"""All variables of (sample, winter): the latter ones an ensemble has where its study has what they tell of."""

ACCOUNTS = (*(name for name in VARIABLES if name.startswith("carbon_")), "grid_emission_factor", *PARK)
"""Those of them that are accounts of carbon: made of flows of energy (`study.accounting`), again for another."""


def variables_of(study: "Study") -> dict[str, dict[str, Any]]:
    """Return the variables of (sample, winter) of a study's ensemble, with their attributes."""
    burning = [f"fuel_{section}" for section in HEATERS if getattr(study, section).burns]
    of_power = OWN_POWER_VARIABLES if study.own_power else {}
    money = study.economics
    periods = (*money.electricity.periods, "flat") if money and money.electricity.periods else ()
    of_money = {f"electricity_{name}": TARIFF[f"electricity_{name}"] for name in periods} | (OPERATION if money else {})
    of_park = PARK if study.park else {}
    return VARIABLES | {name: FUELS[name] for name in burning} | of_power | of_park | of_money


MONEY: dict[str, dict[str, Any]] = {
    "capital_cost": variable("CNY", "cost of building the plant, less what others pay of it"),
    "levelised_cost_of_heat": variable("CNY GJ-1", "levelised cost of the heat delivered"),
    "net_present_value": variable("CNY", "net present value against the replaced supply"),
    "cost_of_avoided_carbon": variable("CNY t-1", "additional cost of avoided carbon, both discounted"),
    "payback_time": variable("yr", "discounted payback time, a year more than the winters where it never comes"),
}
"""Variables of (sample,) of a study with `economics`."""

SAMPLE_VARIABLES: dict[str, dict[str, Any]] = {
    "energy_imbalance": variable("1", "energy not accounted for over the life, relative to the heat from the rock"),
    "largest_unit_out_share": variable("1", "installed capacity without the largest unit, over the design load"),
    "replicate": variable("1", "independent replicate of the design that the sample belongs to"),
    "sample": variable("1", "row of the design"),
    "status": variable("1", "how the sample ended", flag_meanings=STATUS_MEANINGS) | {"flag_values": [0, 1, 2, 3, 4]},
    **MONEY,
}
"""Variables of (sample,); those of `MONEY` an ensemble has where its study has them."""
TYPES = {"replicate": "int16", "sample": "int64", "status": "int8"}


def sample_variables_of(study: "Study") -> dict[str, dict[str, Any]]:
    """Return the variables of (sample,) of a study's ensemble, with their attributes."""
    return {name: about for name, about in SAMPLE_VARIABLES.items() if study.economics or name not in MONEY}
