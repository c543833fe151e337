"""What a study file may say of the carbon accounts: which supply is replaced, how electricity counts, what was built.

A baseline that is named (`baseline: coal_boiler`) brings its figures along, each a distribution with its source, from
`study/baselines`; what the study file says itself goes before them.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, default, read_yaml

NEEDED: dict[str, tuple[str, ...]] = {
    "purchased_heat": ("baseline_factor",),
    "coal_chp": ("baseline_factor",),
    "district_heating": ("baseline_factor",),
    "coal_boiler": ("baseline_fuel_factor", "baseline_efficiency"),
    "gas_boiler": ("baseline_fuel_factor", "baseline_efficiency"),
    "electric_boiler": ("baseline_efficiency",),
    "ground_source_heat_pump": ("baseline_cop",),
    "air_source_heat_pump": ("baseline_cop",),
}
"""The heat supplies that can be replaced, and the keys that each needs beside `network_loss`.

What a network takes up has an emission factor; boilers burn fuel or take electricity with an efficiency; heat pumps
take electricity with a seasonal coefficient of performance.
"""
BASELINES = tuple(NEEDED)
BURNING = tuple(name for name, keys in NEEDED.items() if "baseline_fuel_factor" in keys)
ELECTRIC_BASELINES = tuple(
    name for name, keys in NEEDED.items() if not {"baseline_factor", "baseline_fuel_factor"} & {*keys}
)


def _of_the_table(name: str) -> str:
    if name not in NEEDED:
        *others, last = map(repr, NEEDED)
        raise ValueError(f"should be {', '.join(others)} or {last}")
    return name


Baseline = Annotated[str, AfterValidator(_of_the_table)]
"""A name in `NEEDED`."""

ElectricityAccount = Literal["location", "market", "hourly"]
"""How the electricity of the heating counts: with the grid's factor; free of carbon as far as certificates go; or free
as far as the site's own power covers it hour by hour."""


def baseline_in_words(name: str) -> str:
    """Return the name of a baseline for a person."""
    return name.replace("_", " ").replace("chp", "CHP")


class Materials(Section):
    """What the wells are built of, instead of one figure for each."""

    steel_factor: Annotated[Input, Quantity("t/t", ge=0, le=20, description="emissions per mass of casing")]
    cement_factor: Annotated[Input, Quantity("t/t", ge=0, le=5, description="emissions per mass of dry cement")]
    inner_pipe_factor: Annotated[Input, Quantity("t/t", ge=0, le=20, description="emissions per mass of inner pipe")]
    drilling: Annotated[Input, Quantity("t/m", ge=0, le=5, description="emissions of drilling a metre")]
    heat_pump_factor: Annotated[
        Input, Quantity("t/MW", ge=0, le=1000, description="emissions of making heat pumps, per heating capacity")
    ] = default("0 t/MW")


class Carbon(Section):
    """The carbon accounts."""

    baseline: Baseline | None = None
    baseline_factor: (
        Annotated[Input, Quantity("t/GJ", ge=0, le=1, description="emission factor of the replaced heat")] | None
    ) = None
    baseline_decline: (
        Annotated[Input, Quantity("1/yr", ge=-0.2, le=0.5, description="yearly decline of baseline_factor")] | None
    ) = None
    baseline_fuel_factor: (
        Annotated[Input, Quantity("t/GJ", ge=0, le=1, description="emission factor of the replaced boilers' fuel")]
        | None
    ) = None
    baseline_efficiency: (
        Annotated[Input, Quantity("1", ge=0.1, le=1.2, description="efficiency of the replaced boilers")] | None
    ) = None
    baseline_cop: (
        Annotated[
            Input,
            Quantity(
                "1", ge=1, le=10, description="seasonal heat over electricity of the replaced heat pumps, with pumps"
            ),
        ]
        | None
    ) = None
    network_loss: Annotated[Input, Quantity("1", ge=0, le=0.5, description="network loss of the replaced supply")]
    electricity_account: ElectricityAccount | None = None
    electricity_factor: Annotated[
        Input, Quantity("kg/kWh", ge=0, le=2, description="emission factor of electricity in the first winter")
    ]
    electricity_decline: Annotated[
        Input, Quantity("1/yr", ge=-0.2, le=0.5, description="yearly decline of the emission factor of electricity")
    ] = default("0 1/yr")
    green_power_share: Annotated[
        Input, Quantity("1", ge=0, le=1, description="share of the electricity that is accounted as free of carbon")
    ] = default(0)
    residual_factor: (
        Annotated[
            Input,
            Quantity(
                "kg/kWh",
                ge=0,
                le=2,
                description="emission factor, in the first winter, of electricity without certificates",
            ),
        ]
        | None
    ) = None
    residual_decline: (
        Annotated[Input, Quantity("1/yr", ge=-0.2, le=0.5, description="yearly decline of residual_factor")] | None
    ) = None
    refrigerant_charge: Annotated[Input, Quantity("kg/kW", ge=0, le=10, description="refrigerant per heating capacity")]
    refrigerant_leakage: Annotated[
        Input, Quantity("1/yr", ge=0, le=1, description="share of refrigerant lost in a year")
    ]
    refrigerant_warming_potential: Annotated[
        Input, Quantity("1", ge=0, le=30000, description="global warming potential of the refrigerant")
    ]
    embodied_per_well: (
        Annotated[Input, Quantity("t", ge=0, le=1e6, description="emissions of building one well")] | None
    ) = None
    materials: Materials | None = None
    lifetime: Annotated[Input, Quantity("yr", ge=1, le=200, description="years over which building is written off")]

    @property
    def supply(self) -> Baseline:
        """The supply that is replaced, purchased heat unless it says otherwise."""
        return self.baseline or "purchased_heat"

    @property
    def certified(self) -> bool:
        """Whether certificates may make some of the electricity free of carbon."""
        share = self.green_power_share
        return share.kind != "constant" or share.value > 0.0

    @model_validator(mode="after")
    def _fits_the_baseline(self) -> Self:
        needed = NEEDED[self.supply]
        allowed = (*needed, "baseline_decline") if "baseline_factor" in needed else needed
        names = sorted({name for names in NEEDED.values() for name in names} | {"baseline_decline"})
        problems = [f"needs {name}" for name in needed if getattr(self, name) is None]
        problems += [
            f"does not take {name}" for name in names if getattr(self, name) is not None and name not in allowed
        ]
        if problems:
            raise ValueError(f"baseline {self.supply!r} {' and '.join(problems)}")
        return self

    @model_validator(mode="after")
    def _one_account(self) -> Self:
        if self.electricity_account in ("location", "hourly") and self.certified:
            raise ValueError(
                f"electricity_account {self.electricity_account!r} does not take green_power_share: "
                "certificates belong to 'market'"
            )
        if self.residual_factor is not None and self.electricity_account != "market":
            raise ValueError("residual_factor goes with electricity_account: market, and only with it")
        if self.residual_decline is not None and self.residual_factor is None:
            raise ValueError("residual_decline goes with residual_factor, and only with it")
        if (self.embodied_per_well is None) == (self.materials is None):
            raise ValueError("give either embodied_per_well or materials")
        return self

    @property
    def words(self) -> str:
        """The account, in words."""
        share = self.green_power_share
        certified = "a sampled share" if share.uncertain else f"{100 * share.value:g} %" if share.value else "none"
        electricity = {
            "location": "electricity location-based",
            "market": f"electricity market-based, {certified} of it with certificates",
            "hourly": "electricity matched hour by hour with own power",
        }[self.electricity_account or ("market" if self.certified else "location")]
        return f"instead of {baseline_in_words(self.supply)}; {electricity}"


def built_in_baseline(name: str) -> dict[str, Any]:
    """Return what a named baseline says of itself, by key of `Carbon`, as a study file would."""
    with resources.as_file(resources.files("study").joinpath("baselines", f"{name}.yaml")) as path:
        return dict(read_yaml(path))


def with_baseline(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """Fill in the figures of the baseline that a study file names, those that it does not give itself."""
    carbon = data.get("carbon")
    if not isinstance(carbon, dict) or carbon.get("baseline") not in BASELINES:
        return dict(data)
    return {**data, "carbon": {**built_in_baseline(carbon["baseline"]), **carbon}}
