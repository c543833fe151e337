"""What a study file may say of the shallow ground-source plant that the deep wells are compared with."""

from typing import Annotated

from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, default


class ShallowField(Section):
    """Boreholes of the comparison (`study.shallow`); their seasonal COP is that of the built-in baseline."""

    depth: Annotated[Input, Quantity("m", ge=40, le=300, description="depth of each shallow borehole")] = default(
        "120 m"
    )
    spacing: Annotated[Input, Quantity("m", ge=3, le=40, description="distance between shallow boreholes")] = default(
        "6 m"
    )
    diameter: Annotated[Input, Quantity("m", ge=0.05, le=0.4, description="diameter of shallow boreholes")] = default(
        "150 mm"
    )
    resistance: Annotated[
        Input, Quantity("m*K/W", ge=0.01, le=1, description="thermal resistance of shallow boreholes")
    ] = default("0.1 m*K/W")
    lowest_fluid_temperature: Annotated[
        Input, Quantity("degC", ge=-15, le=15, description="lowest allowed mean temperature of their fluid")
    ] = default("0 degC")
    recharge: Annotated[
        Input, Quantity("1", ge=0, le=1, description="share of their heat that is put back in summer")
    ] = default(0)
    design_cop_share: Annotated[
        Input, Quantity("1", ge=0.3, le=1, description="COP on the coldest day over the seasonal COP")
    ] = default("87.5 %")
