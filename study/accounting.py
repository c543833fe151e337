"""The carbon accounts of rows, from their flows of energy and their inputs alone: while a study runs, or long after.

    flows of energy (stored) + accounting inputs (drawn again, a function of seed and row) → accounts

So another account of a finished ensemble has the bits that a run with it would have (`study.reaccounting`).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kernels.carbon import (
    GJ_PER_MWH,
    GJ_PER_TCE,
    TCE_PER_GJ_HEAT,
    CarbonAccount,
    EnergyUse,
    by_winter,
    electricity_emissions,
    replaced_heat,
)
from study.carbon import BURNING, ELECTRIC_BASELINES
from study.config import Study
from study.heating import capacity
from study.variables import FUELS, HEATERS
from study.wells import Inputs, pipe_sizes

Array = NDArray[np.float64]

STEEL, INNER_PIPE, CEMENT = 7850.0, 950.0, 1320.0
"""Density of casing and of polyethylene, and dry cement in the grout's volume, kg/m³: neat class G slurry of 1,900
kg/m³ with 0.44 kg of water per kg of cement (API Specification 10A)."""

FLOWS = ("heat_delivered", "electricity", "electricity_covered", *FUELS)
"""Variables of `study.variables` that accounts are made of, those of them that an ensemble has."""


def account(study: Study, inputs: Inputs, flows: Mapping[str, Array]) -> dict[str, Array]:
    """Accounts of some rows, in each of their winters.

    Parameters
    ----------
    inputs
        Every input by key, in its canonical unit, (row,).
    flows
        Variables of `study.variables` that are flows of energy, MWh, (winter, row): `heat_delivered`, `electricity`,
        the fuels, and `electricity_covered` where the account is hourly.

    Returns
    -------
    The variables `study.variables.ACCOUNTS`, and those of the park, if the study has one, (winter, row).
    """
    carbon = study.carbon
    delivered, used = flows["heat_delivered"], flows["electricity"]
    decline = inputs["carbon.electricity_decline"]
    grid = by_winter(inputs["carbon.electricity_factor"], decline, study.winters)
    sold = grid  # what is bought without certificates
    if carbon.residual_factor is not None:
        steady = np.zeros_like(decline)
        sold = by_winter(inputs["carbon.residual_factor"], inputs.get("carbon.residual_decline", steady), study.winters)
    covered = flows["electricity_covered"] if carbon.electricity_account == "hourly" else 0.0
    fuels = {section: flows[f"fuel_{section}"] for section in HEATERS if getattr(study, section).burns}
    nothing = np.zeros_like(delivered)
    made = CarbonAccount(
        baseline=_replaced(study, inputs, delivered, grid).emissions,
        electricity=electricity_emissions(used, covered, inputs["carbon.green_power_share"], sold),
        peak_fuel=sum((fuel * inputs[f"{name}.emission_factor"] for name, fuel in fuels.items()), start=nothing),
        refrigerant=nothing + refrigerant(inputs),
        embodied=nothing + embodied(study, inputs) / inputs["carbon.lifetime"],
    )
    found = {
        "carbon_reduction": made.reduction,
        "carbon_baseline": made.baseline,
        "carbon_electricity": made.electricity,
        "carbon_peak_fuel": made.peak_fuel,
        "carbon_refrigerant": made.refrigerant,
        "carbon_embodied": made.embodied,
        "grid_emission_factor": grid,
    }
    if study.park is not None:
        factor = inputs.get("park.electricity_factor", grid)
        bought = electricity_emissions(used, covered, inputs["carbon.green_power_share"], factor)
        fuel = sum(fuels.values(), start=nothing) * (GJ_PER_MWH / GJ_PER_TCE)
        park = _park(inputs, factor)
        before = park.plus(_replaced(study, inputs, delivered, factor))
        heating = EnergyUse(used * inputs["park.electricity_equivalent"] + fuel, bought + made.peak_fuel)
        after = park.plus(heating)
        found["park_emissions_per_energy_before"] = before.emissions_per_energy
        found["park_emissions_per_energy"] = after.emissions_per_energy
    return found


def _replaced(study: Study, inputs: Inputs, delivered: Array, factor: Array) -> EnergyUse:
    """What the replaced supply would have used and emitted, (winter, row), with that factor of electricity, t/MWh."""
    heat = replaced_heat(delivered, inputs["carbon.network_loss"])
    if study.carbon.supply in BURNING:
        fuel = heat * GJ_PER_MWH / inputs["carbon.baseline_efficiency"]
        return EnergyUse(fuel / GJ_PER_TCE, fuel * inputs["carbon.baseline_fuel_factor"])
    if study.carbon.supply in ELECTRIC_BASELINES:
        boiler = study.carbon.baseline_efficiency is not None
        electricity = heat / inputs["carbon.baseline_efficiency" if boiler else "carbon.baseline_cop"]
        equivalent = inputs.get("park.electricity_equivalent", np.zeros_like(factor))  # of no account without a park
        return EnergyUse(electricity * equivalent, electricity * factor)
    of_heat = inputs["carbon.baseline_factor"]
    if "carbon.baseline_decline" in inputs:
        of_heat = by_winter(of_heat, inputs["carbon.baseline_decline"], study.winters)
    return EnergyUse(heat * GJ_PER_MWH * TCE_PER_GJ_HEAT, heat * GJ_PER_MWH * of_heat)


def _park(inputs: Inputs, factor: Array) -> EnergyUse:
    """The park beside the heating; its electricity has that factor, t/MWh, where it is not free of carbon."""
    energy, share = inputs["park.energy_use"], inputs["park.electricity_share"]
    used = energy * share / inputs["park.electricity_equivalent"]
    emitted = electricity_emissions(used, 0.0, inputs["park.green_power_share"], factor)
    return EnergyUse(energy, emitted + energy * (1.0 - share) * inputs["park.fuel_factor"])


def refrigerant(inputs: Inputs) -> Array:
    """Emissions of lost refrigerant as CO2 equivalent, t/yr, (row,)."""
    charge = capacity(inputs, "heat_pump") * 1e-6 * inputs["carbon.refrigerant_charge"]  # kg/kW = t/MW
    return charge * inputs["carbon.refrigerant_leakage"] * inputs["carbon.refrigerant_warming_potential"]


def embodied(study: Study, inputs: Inputs) -> Array:
    """Emissions of building wells and heat pumps, t CO2, (row,)."""
    number = len(study.field.places)
    if study.carbon.materials is None:
        return number * inputs["carbon.embodied_per_well"]
    of_well = sum(material_emissions(inputs).values(), start=np.zeros_like(inputs["winter_load"]))
    return number * of_well + capacity(inputs, "heat_pump") * 1e-6 * inputs["carbon.materials.heat_pump_factor"]


def material_emissions(inputs: Inputs) -> dict[str, Array]:
    """Emissions of building one well from its materials, t CO2, (row,): by casing, cement, inner pipe and drilling."""
    depth, sizes = inputs["well.depth"], pipe_sizes(inputs)
    casing = _ring(sizes["casing_outer_diameter"], sizes["casing_wall"])
    grout = 0.25 * np.pi * (sizes["borehole_diameter"] ** 2 - sizes["casing_outer_diameter"] ** 2)
    inner = _ring(sizes["inner_pipe_outer_diameter"], sizes["inner_pipe_wall"])
    factor = {
        name: inputs[f"carbon.materials.{name}"] for name in ("steel_factor", "cement_factor", "inner_pipe_factor")
    }
    return {
        "casing": casing * depth * STEEL * 1e-3 * factor["steel_factor"],
        "cement": grout * depth * CEMENT * 1e-3 * factor["cement_factor"],
        "inner_pipe": inner * depth * INNER_PIPE * 1e-3 * factor["inner_pipe_factor"],
        "drilling": depth * inputs["carbon.materials.drilling"],
    }


def _ring(outer_diameter: Array, wall: Array) -> Array:
    """Cross-section of a pipe's wall, m²."""
    return np.pi * wall * (outer_diameter - wall)
