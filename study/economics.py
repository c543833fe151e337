"""What a study file may say of money: what it costs to build and to run, and what the replaced supply would cost.

All money is real, CNY of the prices of one year (`price_year`), and so is the discount rate.
"""

from typing import Annotated, Self

from pydantic import Field, StrictInt, model_validator

from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, default

FLAT = "flat"
PERIODS = ("sharp_peak", "peak", "valley")
"""Periods of a tariff beside the flat one, in the order in which they go before one another."""

Stretch = Annotated[tuple[StrictInt, StrictInt], Field(description="first hour, and the hour in which it ends")]
_ESCALATION = "yearly rise beyond inflation of"


def _escalation(what: str) -> Quantity:
    return Quantity("1/yr", ge=-0.2, le=0.2, description=f"{_ESCALATION} {what}")


def _price(unit: str, what: str, most: float) -> Quantity:
    return Quantity(unit, ge=0, le=most, description=what)


def _life(what: str) -> Quantity:
    return Quantity("yr", ge=1, le=200, description=f"life of {what}, rounded to whole years")


class Capital(Section):
    """What is paid to build, and how long each part lasts."""

    drilling: Annotated[Input, _price("CNY/m", "drilling, casing and cement, by depth of each well", 1e5)]
    completion: Annotated[Input, _price("CNY/m", "inner pipe and its fitting, by depth of each well", 1e5)] = default(
        "0 CNY/m"
    )
    per_well: Annotated[Input, _price("CNY", "each well, whatever its depth: site, rig, wellhead", 1e8)] = default(
        "0 CNY"
    )
    heat_pumps: Annotated[Input, _price("CNY/kW", "heat pumps, by heating capacity", 1e5)]
    peak_heating: Annotated[Input, _price("CNY/kW", "peak heating, by capacity", 1e5)] = default("0 CNY/kW")
    reserve_heating: Annotated[Input, _price("CNY/kW", "reserve heating, by capacity", 1e5)] = default("0 CNY/kW")
    surface_plant: Annotated[
        Input, _price("CNY/kW", "pumps, pipes, building, power supply, controls, by the design load", 1e5)
    ] = default("0 CNY/kW")
    other: Annotated[Input, _price("CNY", "whatever else the surface plant costs", 1e11)] = default("0 CNY")
    contingency: Annotated[
        Input, Quantity("1", ge=0, le=2, description="planning and what was not foreseen, over all of the above")
    ] = default(0)
    subsidy: Annotated[
        Input, Quantity("1", ge=0, le=1, description="share of the first investment that others pay")
    ] = default(0)
    well_life: Annotated[Input, _life("the wells")] = default("30 yr")
    heat_pump_life: Annotated[Input, _life("heat pumps, peak and reserve heating")] = default("20 yr")
    surface_life: Annotated[Input, _life("the surface plant")] = default("30 yr")


class Period(Section):
    """Hours of the day, whole ones, that have their own price, all year or in some months."""

    hours: Annotated[tuple[Stretch, ...], Field(min_length=1, max_length=12)]
    months: (
        Annotated[tuple[Annotated[StrictInt, Field(ge=1, le=12)], ...], Field(min_length=1, max_length=12)] | None
    ) = None
    price: Annotated[Input, _price("CNY/kWh", "price of electricity in the period, first winter", 100)] | None = None
    factor: (
        Annotated[Input, Quantity("1", ge=0, le=20, description="the same over electricity.price, instead")] | None
    ) = None

    @property
    def of_day(self) -> frozenset[int]:
        """Hours of the day, 0 to 23, each by its beginning."""
        return frozenset(hour for start, end in self.hours for hour in range(start, end))

    @model_validator(mode="after")
    def _one_price_and_whole_hours(self) -> Self:
        if any(not 0 <= start < end <= 24 for start, end in self.hours):
            raise ValueError(
                "hours: allowed: pairs of whole hours from 0 to 24, the start before the end; [[22, 24], [0, 5]] for a "
                "period over midnight"
            )
        if (self.price is None) == (self.factor is None):
            raise ValueError("give either price or factor")
        return self


class ElectricityPrice(Section):
    """The price of electricity: flat, or other ones in periods of the day; hours in none have the flat one.

    An hour that is in several periods belongs to the first of them, sharp peak before peak.
    """

    price: Annotated[Input, _price("CNY/kWh", "price of electricity, all charges included, first winter", 100)]
    escalation: Annotated[Input, _escalation("all prices of electricity")] = default("0 1/yr")
    sharp_peak: Period | None = None
    peak: Period | None = None
    valley: Period | None = None

    @property
    def periods(self) -> dict[str, Period]:
        """Those beside the flat one, by name."""
        return {name: period for name in PERIODS if (period := getattr(self, name)) is not None}

    @property
    def when(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """Hours of the day and months of each period, which decide the flows that are stored."""
        return {
            name: (tuple(sorted(period.of_day)), tuple(sorted(set(period.months or range(1, 13)))))
            for name, period in self.periods.items()
        }

    @model_validator(mode="after")
    def _peak_is_no_valley(self) -> Self:
        when = {name: (set(hours), set(months)) for name, (hours, months) in self.when.items()}
        of_valley, months_of_valley = when.pop("valley", (set(), set()))
        for name, (hours, months) in when.items():
            if (both := sorted(hours & of_valley)) and months & months_of_valley:
                raise ValueError(f"{name} and valley both have the hour from {both[0]} to {both[0] + 1}")
        return self


class Economics(Section):
    """Costs and prices."""

    price_year: Annotated[StrictInt, Field(ge=1990, le=2200)]
    discount_rate: Annotated[Input, Quantity("1/yr", ge=0, le=0.3, description="real discount rate")]
    capital: Capital
    well_maintenance: Annotated[
        Input, Quantity("1/yr", ge=0, le=0.5, description="upkeep of the wells, over their first investment")
    ] = default("0 1/yr")
    maintenance: Annotated[
        Input, Quantity("1/yr", ge=0, le=0.5, description="upkeep of all else, over its first investment")
    ] = default("0 1/yr")
    fixed_operation: Annotated[Input, _price("CNY/yr", "staff, insurance, rent", 1e11)] = default("0 CNY/yr")
    electricity: ElectricityPrice
    coal_price: Annotated[Input, _price("CNY/GJ", "coal, by its heat, for replaced boilers, first winter", 1e4)] = (
        default("40 CNY/GJ")
    )  # assumption: some 900 CNY/t at 22.5 GJ/t; 1,127 CNY/t in March 2023 (NBS, 5,500 kcal/kg)
    gas_price: Annotated[Input, _price("CNY/GJ", "gas, for peak heating and replaced boilers, first winter", 1e4)] = (
        default("100 CNY/GJ")
    )  # assumption: some 3.5 CNY/m³ at 35 MJ/m³
    biomass_price: Annotated[Input, _price("CNY/GJ", "biomass, for peak heating, first winter", 1e4)] = default(
        "65 CNY/GJ"
    )  # assumption: pellets, some 1,100 CNY/t at 17 GJ/t
    fuel_escalation: Annotated[Input, _escalation("the price of fuel")] = default("0 1/yr")
    heat_price: Annotated[
        Input, _price("CNY/GJ", "heat bought, as metered at the buildings, that is replaced, first winter", 1e4)
    ]
    heat_escalation: Annotated[Input, _escalation("heat_price")] = default("0 1/yr")
    connection_fee: Annotated[
        Input, _price("CNY/m^2", "paid once for the replaced supply, by floor area, if there were no wells", 1e5)
    ] = default("0 CNY/m^2")
    carbon_price: Annotated[Input, _price("CNY/t", "what a tonne of carbon reduction earns, first winter", 1e5)] = (
        default("0 CNY/t")
    )
    carbon_escalation: Annotated[Input, _escalation("carbon_price")] = default("0 1/yr")
    unmet_heat_price: Annotated[Input, _price("CNY/MWh", "what a missing MWh of heat costs its users", 1e7)] = default(
        "0 CNY/MWh"
    )
