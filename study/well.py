"""A well case: one well, no uncertainty, from its file to temperatures over time."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from kernels.coaxial import Fluid, Pipes, thermal_resistances
from kernels.well import Column, Well, prescribed_load, share_cells
from study.config import WellCase

CELLS = 100
DAY = 86400.0


def run_well_case(case: WellCase) -> xr.Dataset:
    """Compute a well case.

    Returns
    -------
    Dataset over `time` (days since circulation began) with `inlet_temperature` and `outlet_temperature` (degC) and
    `heat_rate` (kW), and the thermal resistances `annulus_wall_resistance` and `annulus_inner_resistance` (m K/W).
    """
    well = case.well
    fluid = Fluid(
        *(np.asarray(getattr(case.fluid, name)) for name in ("density", "heat_capacity", "conductivity", "viscosity"))
    )
    pipes = Pipes.of_sizes(
        borehole_diameter=np.asarray(well.borehole_diameter),
        casing_outer_diameter=np.asarray(well.casing.outer_diameter),
        casing_wall=np.asarray(well.casing.wall),
        inner_pipe_outer_diameter=np.asarray(well.inner_pipe.outer_diameter),
        inner_pipe_wall=np.asarray(well.inner_pipe.wall),
        casing_conductivity=np.asarray(well.casing.conductivity),
        grout_conductivity=np.asarray(well.grout.conductivity),
        inner_pipe_conductivity=np.asarray(well.inner_pipe.conductivity),
    )
    flow_rate = np.asarray(well.flow_rate / 3600.0)
    annulus_wall, annulus_inner = thermal_resistances(flow_rate, pipes, fluid)
    per_volume = fluid.density * fluid.heat_capacity

    bottom = np.minimum(np.cumsum([layer.thickness for layer in case.ground.layers]), well.depth)
    bottom[-1] = well.depth
    thickness = np.diff(bottom, prepend=0.0)
    layers = [layer for layer, metres in zip(case.ground.layers, thickness, strict=True) if metres > 0]
    thickness = thickness[thickness > 0]
    gradient = np.array([layer.geothermal_gradient for layer in layers]) / 1e3
    conductivity = np.array([layer.conductivity for layer in layers])
    heat_capacity = np.array([layer.volumetric_heat_capacity for layer in layers]) * 1e6
    cells = share_cells(thickness, CELLS)
    column = Column.cut(thickness, gradient, case.ground.surface_temperature, cells)

    load, fixed_inlet = case.load, case.load.inlet_temperature is not None
    if load.schedule is not None:
        change, values = np.array(load.schedule).T
    else:
        change, values = np.zeros(1), np.array([load.inlet_temperature if fixed_inlet else load.heat_rate], dtype=float)
    flow = per_volume * flow_rate
    inlet, outlet = prescribed_load(
        Well(
            column=column,
            conductivity=conductivity,
            fourier_rate=conductivity / heat_capacity / pipes.borehole_radius**2,
            flow=float(flow),
            annulus_wall=float(annulus_wall),
            annulus_inner=float(annulus_inner),
            annulus_storage=float(per_volume * pipes.annulus_area),
            inner_storage=float(per_volume * pipes.inner_area),
            annulus_down=well.flow_direction == "annulus_down",
        ),
        change=change * DAY,
        load=values if fixed_inlet else values * 1e3,
        fixed_inlet=fixed_inlet,
        times=np.array(case.times) * DAY,
    )
    return xr.Dataset(
        {
            "inlet_temperature": ("time", inlet, {"units": "degC", "long_name": "water entering the well"}),
            "outlet_temperature": ("time", outlet, {"units": "degC", "long_name": "water leaving the well"}),
            "heat_rate": (
                "time",
                flow * (outlet - inlet) / 1e3,
                {"units": "kW", "long_name": "heat taken from the well"},
            ),
            "annulus_wall_resistance": (
                (),
                annulus_wall,
                {"units": "m K W-1", "long_name": "annulus to borehole wall"},
            ),
            "annulus_inner_resistance": ((), annulus_inner, {"units": "m K W-1", "long_name": "annulus to inner pipe"}),
        },
        coords={"time": ("time", np.array(case.times), {"units": "d", "long_name": "time since circulation began"})},
    )


def write_well(dataset: xr.Dataset, output: Path) -> None:
    """Write the result of a well case: NetCDF to a file named .nc, else JSON."""
    if output.suffix == ".nc":
        dataset.to_netcdf(output, engine="scipy")
        return
    answer = {
        "time_days": dataset["time"].values.tolist(),
        "outlet_temperature": dataset["outlet_temperature"].values.tolist(),
        "inlet_temperature": dataset["inlet_temperature"].values.tolist(),
        "heat_rate_kW": dataset["heat_rate"].values.tolist(),
        "R_annulus_wall_mK_per_W": float(dataset["annulus_wall_resistance"]),
        "R_annulus_inner_mK_per_W": float(dataset["annulus_inner_resistance"]),
    }
    output.write_text(json.dumps(answer, indent=1) + "\n")
