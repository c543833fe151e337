"""The park that the heating belongs to: what else it uses of energy, and what that emits."""

from typing import Annotated

from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, default


class Park(Section):
    """A park, without the heating of the study's buildings; its indicator is t CO2 per t of coal equivalent.

    The rules for zero-carbon parks (NDRC, MIIT and NEA 2025, no. 910, annexes 3 and 4) count a unit of electricity with
    the coal that it takes to make it, some 0.3 tce/MWh, and electricity that is neither supplied directly nor certified
    with the factor of fossil power, 0.8325 t/MWh. By its own heat, a megawatt-hour is 0.1229 tce (GB/T 2589-2020).
    """

    energy_use: Annotated[
        Input, Quantity("tce/yr", gt=0, le=1e9, description="energy that the park uses beside the heating")
    ]
    electricity_share: Annotated[Input, Quantity("1", ge=0, le=1, description="share of it that is electricity")]
    electricity_equivalent: Annotated[
        Input, Quantity("tce/MWh", ge=0.1, le=0.5, description="coal equivalent of electricity")
    ] = default("0.1229 tce/MWh")
    electricity_factor: (
        Annotated[
            Input,
            Quantity("t/MWh", ge=0, le=2, description="emission factor of its electricity, instead of the grid's"),
        ]
        | None
    ) = None
    green_power_share: Annotated[
        Input,
        Quantity("1", ge=0, le=1, description="share of that electricity that is its own or has certificates"),
    ]
    fuel_factor: Annotated[
        Input, Quantity("t/tce", ge=0, le=5, description="emission factor of the rest of the energy")
    ] = default("1.644 t/tce")  # natural gas, 56.1 kg/GJ (IPCC 2006, volume 2, table 2.2)
