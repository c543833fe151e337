"""What a study file may say of demand and plant: building, heat pumps, peak heating, storage, pumps and outages."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, StrictBool, StrictInt, model_validator

from study.distributions import Input
from study.problems import first_problem, refuse
from study.quantity import Quantity
from study.reading import Section, default
from study.winters import DESIGN_OUTDOOR, Days

Units = Annotated[StrictInt, Field(ge=1, le=200)]


def building_problem(
    *, design_outdoor_temperature: ArrayLike, balance_temperature: ArrayLike, indoor_temperature: ArrayLike
) -> np.ndarray:
    """Return, row by row, why these temperatures (degC, one shape) contradict each other, or None where they do not."""
    outdoor, balance, indoor = np.broadcast_arrays(design_outdoor_temperature, balance_temperature, indoor_temperature)
    return first_problem(
        (outdoor >= balance, "design_outdoor_temperature must be below balance_temperature"),
        (balance > indoor, "balance_temperature must not be above indoor_temperature"),
    )


Hour = Annotated[float, Quantity("h", ge=0, le=24, description="hour of the day in which use begins or ends")]


def whole_hours_in_order(start: float, end: float) -> None:
    """Raise ValueError where hours of the day are not."""
    if start != round(start) or end != round(end) or start >= end:
        raise ValueError("start and end: allowed: whole hours, the start before the end")


class Schedule(Section):
    """When the building is in use; in other hours it may cool, and the ventilation stands still."""

    working_days: Annotated[StrictInt, Field(ge=1, le=7)] = 7
    start: Hour
    end: Hour
    setback: Annotated[Input, Quantity("K", ge=0, le=30, description="indoor temperature is let down by this")]

    @model_validator(mode="after")
    def _whole_hours_in_order(self) -> Self:
        whole_hours_in_order(self.start, self.end)
        return self


class Building(Section):
    """The buildings, as one."""

    floor_area: Annotated[Input, Quantity("m^2", gt=0, le=1e9, description="heated floor area")]
    design_load: (
        Annotated[Input, Quantity("W/m^2", ge=1, le=500, description="heat load at the design temperature")] | None
    ) = None
    heat_loss_coefficient: (
        Annotated[
            Input,
            Quantity("W/m^2/K", ge=0.01, le=50, description="heat loss per kelvin and floor area, not design_load"),
        ]
        | None
    ) = None
    design_outdoor_temperature: Annotated[Input, DESIGN_OUTDOOR]
    indoor_temperature: Annotated[Input, Quantity("degC", ge=0, le=40, description="indoor temperature to be kept")]
    balance_temperature: (
        Annotated[Input, Quantity("degC", ge=-20, le=40, description="outdoor temperature at which no heat is needed")]
        | None
    ) = None
    internal_gains: (
        Annotated[
            Input,
            Quantity("W/m^2", ge=0, le=200, description="heat from people, machines and sun, not balance_temperature"),
        ]
        | None
    ) = None
    comfort_temperature: Annotated[
        Input, Quantity("degC", ge=0, le=40, description="hours colder indoors are counted as cold")
    ] = default("18 degC")
    time_constant: Annotated[Input, Quantity("h", ge=1, le=1000, description="thermal time constant of the building")]
    fast_capacity_share: (
        Annotated[
            Input,
            Quantity("1", ge=0.005, le=1, description="share of the heat capacity that warms with the air (2R2C)"),
        ]
        | None
    ) = None
    mass_conductance: (
        Annotated[
            Input, Quantity("W/m^2/K", ge=0.01, le=1000, description="between air and mass, per floor area (2R2C)")
        ]
        | None
    ) = None
    ventilation_share: Annotated[
        Input, Quantity("1", ge=0, le=0.95, description="share of the heat loss by ventilation, which runs during use")
    ] = default(0)
    domestic_hot_water: Annotated[
        Input, Quantity("W/m^2", ge=0, le=200, description="heat for hot water, all season long")
    ] = default("0 W/m^2")
    reheat: Annotated[
        Input,
        Quantity("1", ge=0, le=10, description="heat for warming up, beside the demand, over the rooms' design load"),
    ] = default("30 %")
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _one_of_each_pair(self) -> Self:
        for one, other in (("design_load", "heat_loss_coefficient"), ("balance_temperature", "internal_gains")):
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise ValueError(f"give either {one} or {other}")
        if (self.fast_capacity_share is None) != (self.mass_conductance is None):
            raise ValueError("fast_capacity_share and mass_conductance go together")
        names = ("design_outdoor_temperature", "balance_temperature", "indoor_temperature")
        balance = self.indoor_temperature if self.balance_temperature is None else self.balance_temperature
        refuse(building_problem, **{name: getattr(self, name) for name in names} | {"balance_temperature": balance})
        return self


CAPACITY = Quantity("MW", ge=0, le=10000, description="heating capacity of all units")
DESIGN_SHARE = Quantity(
    "1", ge=0, le=10, description="heating capacity over the design load, hot water included, instead of capacity"
)
SECOND_LAW = Quantity("1", ge=0.1, le=1, description="second-law efficiency")


class HeatPump(Section):
    """The heat pumps, equal units; their size is a capacity or a share of the design load."""

    capacity: Annotated[Input, CAPACITY] | None = None
    share_of_design_load: Annotated[Input, DESIGN_SHARE] | None = None
    units: Units = 1
    second_law_efficiency: Annotated[Input, SECOND_LAW]
    maximum_cop: Annotated[
        Input, Quantity("1", ge=1.5, le=30, description="largest coefficient of performance of the heat pumps")
    ] = default(8)
    part_load_degradation: Annotated[
        Input,
        Quantity("1", ge=0, le=0.5, description="share of the efficiency lost by a unit that all but stands still"),
    ] = default(0)
    capacity_source_slope: Annotated[
        Input, Quantity("1/K", ge=0, le=0.1, description="share of the capacity gained per kelvin of a warmer source")
    ] = default("0 1/K")
    rated_source_temperature: Annotated[
        Input, Quantity("degC", ge=-20, le=60, description="water leaving the evaporator at the rated capacity")
    ] = default("5 degC")
    capacity_supply_slope: Annotated[
        Input, Quantity("1/K", ge=-0.05, le=0, description="the same per kelvin of a warmer supply: a loss")
    ] = default("0 1/K")
    rated_supply_temperature: Annotated[
        Input, Quantity("degC", ge=15, le=90, description="supply temperature at the rated capacity")
    ] = default("45 degC")
    minimum_inlet_temperature: Annotated[
        Input, Quantity("degC", ge=-20, le=30, description="lowest allowed temperature of the water entering the wells")
    ]
    supply_temperature_design: Annotated[
        Input, Quantity("degC", ge=15, le=90, description="supply temperature at the design outdoor temperature")
    ]
    supply_temperature_mild: Annotated[
        Input, Quantity("degC", ge=15, le=90, description="supply temperature at the balance temperature")
    ]

    @model_validator(mode="after")
    def _one_size_and_a_curve_that_rises(self) -> Self:
        _one_size(self.capacity, self.share_of_design_load)
        names = ("supply_temperature_design", "supply_temperature_mild")
        refuse(supply_problem, **{name: getattr(self, name) for name in names})
        return self


def _one_size(capacity: Input | None, share: Input | None) -> None:
    if (capacity is None) == (share is None):
        raise ValueError("give either capacity or share_of_design_load")


def supply_problem(*, supply_temperature_design: ArrayLike, supply_temperature_mild: ArrayLike) -> np.ndarray:
    """Return, row by row, why these temperatures (degC, one shape) contradict each other, or None where they do not."""
    design, mild = np.broadcast_arrays(supply_temperature_design, supply_temperature_mild)
    return first_problem((design < mild, "supply_temperature_design must not be below supply_temperature_mild"))


class PeakHeating(Section):
    """Equal heaters that help in the cold; their size is a capacity or a share of the design load."""

    kind: Literal["electric", "gas", "biomass", "air_source", "none"]
    capacity: Annotated[Input, CAPACITY] | None = None
    share_of_design_load: Annotated[Input, DESIGN_SHARE] | None = None
    units: Units | None = None
    efficiency: Annotated[Input, Quantity("1", ge=0.1, le=1.2, description="efficiency of the boiler")] | None = None
    emission_factor: (
        Annotated[Input, Quantity("t/MWh", ge=0, le=2, description="emission factor of the boiler's fuel")] | None
    ) = None
    second_law_efficiency: Annotated[Input, SECOND_LAW] | None = None
    capacity_slope: (
        Annotated[
            Input,
            Quantity("1/K", ge=0, le=0.1, description="share of the capacity gained per kelvin of warmer outdoor air"),
        ]
        | None
    ) = None
    rated_outdoor_temperature: (
        Annotated[Input, Quantity("degC", ge=-40, le=40, description="outdoor temperature at the rated capacity")]
        | None
    ) = None
    lowest_outdoor_temperature: (
        Annotated[Input, Quantity("degC", ge=-60, le=40, description="no heat when it is colder outdoors")] | None
    ) = None

    @property
    def burns(self) -> bool:
        """Whether the heaters burn fuel."""
        return self.kind in ("gas", "biomass")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        burns, works, air = self.burns, self.kind != "none", self.kind == "air_source"
        if works:
            _one_size(self.capacity, self.share_of_design_load)
        wanted = {"efficiency": works and not air, "emission_factor": burns} | dict.fromkeys(
            ("second_law_efficiency", "capacity_slope", "rated_outdoor_temperature", "lowest_outdoor_temperature"), air
        )
        missing = [name for name, want in wanted.items() if want and getattr(self, name) is None]
        given = [name for name, value in self if name != "kind" and value is not None]
        needless = [name for name in given if not wanted.get(name, works)]
        problems = [f"needs {name}" for name in missing] + [f"does not take {name}" for name in needless]
        if problems:
            raise ValueError(f"kind {self.kind!r} {' and '.join(problems)}")
        return self


class HeatStorage(Section):
    """A hot-water tank: the heat pumps fill it with what they have to spare.

    Kept for last it gives when all else falls short; first, before peak heating, it saves that heating's energy, and is
    empty more often when it is needed.
    """

    volume: Annotated[Input, Quantity("m^3", ge=0, le=1e7, description="volume of the tank")]
    temperature_difference: Annotated[
        Input, Quantity("K", gt=0, le=90, description="between the tank when it is full and when it is empty")
    ]
    power: Annotated[Input, Quantity("MW", ge=0, le=10000, description="largest heat flow in and out")]
    loss: Annotated[Input, Quantity("1/d", ge=0, le=1, description="share of the heat lost in a day")] = default(
        "1 %/d"
    )
    priority: Literal["first", "last"] = "last"


class Circulation(Section):
    """The pumps. Those of the wells are equal; too few of them at work serve fewer wells."""

    pump_efficiency: Annotated[Input, Quantity("1", ge=0.05, le=1, description="efficiency of the well pumps")]
    transport_factor: Annotated[
        Input, Quantity("1", ge=1, le=1000, description="heat delivered per pump electricity of the building circuit")
    ]
    pumps: Units = 1
    pumps_needed: Units = 1
    flow_control: Literal["fixed", "variable"] = "fixed"
    minimum_flow_share: (
        Annotated[Input, Quantity("1", ge=0.1, le=1, description="smallest flow over the full one")] | None
    ) = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.pumps_needed > self.pumps:
            raise ValueError(f"pumps_needed: allowed: at most pumps, {self.pumps}, got {self.pumps_needed}")
        if (self.flow_control == "variable") != (self.minimum_flow_share is not None):
            raise ValueError("minimum_flow_share goes with flow_control: variable, and only with it")
        return self


class Failure(Section):
    """How often a unit fails and how long it is out; both times are exponentially distributed."""

    time_to_failure: Annotated[Input, Quantity("h", ge=1, le=1e9, description="mean time to failure of a unit")]
    time_to_repair: Annotated[Input, Quantity("h", ge=0.1, le=1e5, description="mean time to its repair")]


class Outages(Section):
    """Which units fail, each by itself."""

    wells: Failure | None = None
    pumps: Failure | None = None
    heat_pumps: Failure | None = None
    peak_heating: Failure | None = None
    reserve_heating: Failure | None = None
    summer_maintenance: StrictBool = True


class SummerRecharge(Days):
    """Heat put into the ground in summer, of the sun or from what would be wasted."""

    power: Annotated[Input, Quantity("MW", ge=0, le=10000, description="heat on offer for all wells")]
    maximum_inlet_temperature: Annotated[
        Input, Quantity("degC", ge=0, le=95, description="the wells get no warmer water than this in summer")
    ]
