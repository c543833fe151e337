"""What rows cost and earn, from their flows of energy and their inputs alone: while a study runs, or long after.

As with the carbon accounts (`study.accounting`): another price of a finished ensemble has the bits that a run with it
would have. Only the hours of a tariff's periods decide flows that are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.carbon import GJ_PER_MWH, by_winter, replaced_heat
from kernels.economics import (
    capital_flows,
    cost_of_avoided_carbon,
    levelised,
    payback,
    present_value,
    present_value_of_winters,
)
from study.carbon import BURNING, ELECTRIC_BASELINES
from study.config import Study
from study.economics import FLAT, PERIODS, Economics
from study.heating import capacity, design_load
from study.variables import FUELS, HEATERS
from study.wells import Inputs

Array = NDArray[np.float64]

KWH_PER_MWH = 1e3
PRICED = (
    *("heat_delivered", "heat_unmet", "electricity", "carbon_reduction"),
    *(f"electricity_{period}" for period in (*PERIODS, FLAT)),
    *FUELS,
)
"""Variables of `study.variables` that costs are made of, those of them that an ensemble has."""

CAPITAL = ("wells", "heat_pumps", "peak_heating", "surface_plant")
RUNNING = ("electricity", "fuel", "upkeep")
_LIFE = {
    "wells": "well_life",
    "heat_pumps": "heat_pump_life",
    "peak_heating": "heat_pump_life",
    "surface_plant": "surface_life",
}


@dataclass(frozen=True)
class Costs:
    """What some rows cost, and what the supply that they replace would cost; CNY.

    Attributes
    ----------
    rate
        Real discount rate, 1/yr, (row,).
    invested
        First investment by part (`CAPITAL`), what others pay of it left out, (row,).
    capital
        The same with replacements, and the rest at the end as a negative cost, (year, row).
    residual
        That rest, of all parts together, (row,).
    running
        Cost of each winter by part (`RUNNING`), (winter, row).
    replaced
        Cost of the replaced supply in each winter, (winter, row).
    fee
        What the replaced supply would cost once, (row,).
    carbon, unmet
        What carbon reduction earns, and what missing heat costs its users, (winter, row).
    heat
        Delivered, GJ, (winter, row).
    tonnes
        Carbon reduction, t CO2, (winter, row).
    """

    rate: Array
    invested: dict[str, Array]
    capital: dict[str, Array]
    residual: Array
    running: dict[str, Array]
    replaced: Array
    fee: Array
    carbon: Array
    unmet: Array
    heat: Array
    tonnes: Array

    @property
    def operating(self) -> Array:
        """Cost of each winter, CNY, (winter, row)."""
        return _total(self.running)

    @property
    def parts(self) -> dict[str, Array]:
        """Present value of each part of the cost, CNY, (row,)."""
        built = {name: present_value(flows, self.rate) for name, flows in self.capital.items()}
        return built | {name: present_value_of_winters(flows, self.rate) for name, flows in self.running.items()}

    @property
    def discounted_heat(self) -> Array:
        """GJ, (row,)."""
        return present_value_of_winters(self.heat, self.rate)

    @property
    def discounted_tonnes(self) -> Array:
        """Carbon reduction, t CO2, (row,)."""
        return present_value_of_winters(self.tonnes, self.rate)

    @property
    def gains(self) -> Array:
        """All that comes in each year, less all that goes out, against the replaced supply, CNY, (year, row)."""
        winters = self.replaced - self.operating + self.carbon - self.unmet
        return np.concatenate([self.fee[None], winters]) - _total(self.capital)

    @property
    def additional(self) -> Array:
        """Present value of what the heat costs more than with the replaced supply, CNY, (row,)."""
        return _total(self.parts) - self.fee - present_value_of_winters(self.replaced, self.rate)

    @property
    def payback(self) -> Array:
        """Discounted payback time, yr, (row,); the rest at the end, which is no money, does not count."""
        gains = self.gains
        gains[-1] -= self.residual
        return payback(gains, self.rate)


def price(study: Study, inputs: Inputs, flows: Mapping[str, Array]) -> dict[str, Array]:
    """The variables `study.variables.MONEY`, (row,), and `study.variables.OPERATION`, (winter, row).

    Parameters and errors as of `costs`.
    """
    found = costs(study, inputs, flows)
    return {
        "capital_cost": _total(found.invested),
        "levelised_cost_of_heat": levelised(_total(found.parts), found.discounted_heat),
        "net_present_value": present_value(found.gains, found.rate),
        "cost_of_avoided_carbon": cost_of_avoided_carbon(found.additional, found.discounted_tonnes),
        "payback_time": found.payback,
        "operating_cost": found.operating,
    }


def costs(study: Study, inputs: Inputs, flows: Mapping[str, Array]) -> Costs:
    """Costs of some rows.

    Parameters
    ----------
    study
        One with `economics`.
    inputs
        Every input by key, in its canonical unit, (row,).
    flows
        Those of the variables `PRICED` that the study has: MWh and t CO2, (winter, row).
    """
    money = study.economics
    assert money is not None
    invested, subsidy = first_investment(study, inputs), inputs["economics.capital.subsidy"]
    capital, residual = {}, np.zeros_like(subsidy)
    for name, cost in invested.items():
        life = np.rint(inputs[f"economics.capital.{_LIFE[name]}"])
        capital[name] = capital_flows(cost, life, study.winters)
        residual = residual - capital[name][-1]
        capital[name][0] -= subsidy * cost
    delivered = flows["heat_delivered"]
    plant = _total({name: cost for name, cost in invested.items() if name != "wells"})
    upkeep = (
        inputs["economics.well_maintenance"] * invested["wells"]
        + inputs["economics.maintenance"] * plant
        + inputs["economics.fixed_operation"]
    )
    fuel = np.zeros_like(delivered)
    for section in HEATERS:
        kind = getattr(study, section).kind
        if getattr(study, section).burns:
            fuel = fuel + flows[f"fuel_{section}"] * GJ_PER_MWH * _fuel_price(study, inputs, kind)
    earned = _escalated(study, inputs, "carbon_price", "carbon_escalation")
    return Costs(
        rate=inputs["economics.discount_rate"],
        invested={name: cost * (1.0 - subsidy) for name, cost in invested.items()},
        capital=capital,
        residual=residual,
        running={
            "electricity": _electricity(study, money, inputs, flows),
            "fuel": fuel,
            "upkeep": np.zeros_like(delivered) + upkeep,
        },
        replaced=_replaced(study, inputs, delivered),
        fee=inputs["economics.connection_fee"] * inputs["building.floor_area"],
        carbon=earned * flows["carbon_reduction"],
        unmet=inputs["economics.unmet_heat_price"] * flows["heat_unmet"],
        heat=delivered * GJ_PER_MWH,
        tonnes=flows["carbon_reduction"],
    )


def first_investment(study: Study, inputs: Inputs) -> dict[str, Array]:
    """First investment by part (`CAPITAL`), with contingency and before what others pay, CNY, (row,)."""
    of = {key.removeprefix("economics.capital."): value for key, value in inputs.items()}
    kilowatts = {name: capacity(inputs, name) * 1e-3 for name in ("heat_pump", *HEATERS)}
    built = {
        "wells": len(study.field.places)
        * (inputs["well.depth"] * (of["drilling"] + of["completion"]) + of["per_well"]),
        "heat_pumps": kilowatts["heat_pump"] * of["heat_pumps"],
        "peak_heating": kilowatts["peak_heating"] * of["peak_heating"]
        + kilowatts["reserve_heating"] * of["reserve_heating"],
        "surface_plant": design_load(inputs) * 1e-3 * of["surface_plant"] + of["other"],
    }
    return {name: cost * (1.0 + of["contingency"]) for name, cost in built.items()}


def _total(parts: Mapping[str, Array]) -> Array:
    """The sum of parts, one after the other, so that the bits hang on no memory layout."""
    first, *others = parts.values()
    for other in others:
        first = first + other
    return first


def _escalated(study: Study, inputs: Inputs, price: str, escalation: str) -> Array:
    """A price by winter, (winter, row)."""
    return by_winter(inputs[f"economics.{price}"], -inputs[f"economics.{escalation}"], study.winters)


def _fuel_price(study: Study, inputs: Inputs, kind: str) -> Array:
    """Of coal, gas or biomass, CNY/GJ, (winter, row)."""
    return _escalated(study, inputs, f"{kind}_price", "fuel_escalation")


def _electricity_price(study: Study, inputs: Inputs, period: str) -> Array:
    """In a period, CNY/MWh, (winter, row)."""
    flat = inputs["economics.electricity.price"]
    first = inputs.get(f"economics.electricity.{period}.price", flat)
    if (factor := f"economics.electricity.{period}.factor") in inputs:
        first = flat * inputs[factor]
    return by_winter(first * KWH_PER_MWH, -inputs["economics.electricity.escalation"], study.winters)


def _electricity(study: Study, money: Economics, inputs: Inputs, flows: Mapping[str, Array]) -> Array:
    """Cost of electricity, CNY, (winter, row)."""
    if not money.electricity.periods:
        return flows["electricity"] * _electricity_price(study, inputs, FLAT)
    periods = (*money.electricity.periods, FLAT)
    return _total({name: flows[f"electricity_{name}"] * _electricity_price(study, inputs, name) for name in periods})


def _replaced(study: Study, inputs: Inputs, delivered: Array) -> Array:
    """What the replaced supply would cost in each winter, CNY, (winter, row).

    Heat bought is metered at the buildings, so that the network's loss is in its price; boilers and heat pumps make up
    for the loss, and electricity for them has the flat price.
    """
    supply = study.carbon.supply
    if supply not in (*BURNING, *ELECTRIC_BASELINES):
        return delivered * GJ_PER_MWH * _escalated(study, inputs, "heat_price", "heat_escalation")
    heat = replaced_heat(delivered, inputs["carbon.network_loss"])
    if supply in BURNING:
        fuel = heat * GJ_PER_MWH / inputs["carbon.baseline_efficiency"]
        return fuel * _fuel_price(study, inputs, supply.removesuffix("_boiler"))
    boiler = study.carbon.baseline_efficiency is not None
    per_electricity = inputs["carbon.baseline_efficiency" if boiler else "carbon.baseline_cop"]
    return heat / per_electricity * _electricity_price(study, inputs, FLAT)
