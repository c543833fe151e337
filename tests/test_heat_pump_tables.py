"""The plant's form of heat pumps against manufacturers' tables: what one fitted point says of all the others.

COP is η T_hot / (T_hot - T_cold) with one η, fitted at one point; capacity is linear in source and supply temperature,
its two slopes fitted to the part of the table that a plant on wells uses. Each test prints its errors. A real machine
loses at both ends: one η is too high for a high lift, and where source and supply come within some 20 K; in between it
is up to 9 % low.

EN 14511 names the temperature of the brine or water that *enters* the evaporator (B0, W10) and of the water that leaves
the condenser (W35); the kernel's is the one that leaves the evaporator. The norm's standard rating cools the brine by
3 K (B0/W35), and keeps that flow at the other conditions: so elsewhere it cools by 3 K times the heat taken over that
at the rating. Where a table names the flow, that flow is used.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from kernels.plant import heat_pump, peak_heating

Array = NDArray[np.float64]

TABLES = Path(__file__).parent / "tables"
WATER = 4186.0 * 997.0 / 3600.0
"""W/K per m³/h."""


class Table(NamedTuple):
    """A machine's table, one number per row: °C and W."""

    source: Array
    supply: Array
    heat: Array
    power: Array

    @classmethod
    def read(cls, name: str) -> "Table":
        """A table of this folder: kW there, W here."""
        table = pd.read_csv(TABLES / f"{name}.csv", comment="#")
        heat, power = (1e3 * table[column].to_numpy() for column in ("heating_capacity", "power"))
        return cls(
            table["source_temperature"].to_numpy(float), table["supply_temperature"].to_numpy(float), heat, power
        )

    def at(self, source: float, supply: float) -> int:
        """Row of a condition."""
        (row,) = np.flatnonzero((self.source == source) & (self.supply == supply))
        return int(row)


class Machine(NamedTuple):
    """A table of a machine on water or brine and what is fitted to it.

    `flow` is the flow heat-capacity rate of the evaporator, m³/h of water, or None for that of EN 14511; `rated` the
    (source, supply) of the fitted point; `sources` and `supplies` the part of the table that is compared; the errors
    are the largest admitted, as shares.
    """

    table: str
    flow: float | None
    rated: tuple[float, float]
    sources: tuple[float, float]
    supplies: tuple[float, float]
    efficiency: float
    source_slope: float
    supply_slope: float
    cop_error: float
    capacity_error: float


MACHINES = [
    Machine("ecotouch_ds_5112", None, (10.0, 35.0), (0.0, 15.0), (35.0, 55.0), 0.517, 0.0225, -0.0045, 0.075, 0.03),
    Machine("dimplex_sih_40te", None, (10.0, 35.0), (0.0, 15.0), (35.0, 50.0), 0.511, 0.0263, -0.0045, 0.08, 0.03),
    Machine("wamak_tww_220", 27.35, (10.0, 55.0), (0.0, 20.0), (55.0, 60.0), 0.505, 0.0343, -0.0037, 0.23, 0.06),
]


def leaving(machine: Machine, table: Table) -> Array:
    """Temperature of the water leaving the evaporator, °C."""
    taken = table.heat - table.power
    flow = taken[table.at(0.0, 35.0)] / 3.0 if machine.flow is None else machine.flow * WATER
    return np.asarray(table.source - taken / flow)


def compared(machine: Machine, table: Table) -> NDArray[np.bool_]:
    """Rows within the range of a plant on wells."""
    near = (table.source >= machine.sources[0]) & (table.source <= machine.sources[1])
    return np.asarray(near & (table.supply >= machine.supplies[0]) & (table.supply <= machine.supplies[1]))


def shown(table: Table, error: Array, name: str) -> str:
    """Errors in %, a row for each source temperature and a column for each supply temperature."""
    frame = pd.DataFrame({"source": table.source, "supply": table.supply, "error": (100.0 * error).round(1)})
    return f"{name}, error in %:\n{frame.pivot(index='source', columns='supply', values='error').to_string()}"


def run(machine: Machine, table: Table) -> tuple[Array, Array]:
    """COP and heat (W) that the kernel gives of a machine asked for more than it can do, at the table's temperatures.

    The wells are given so much flow that the inlet is the table's, whatever the machine takes.
    """
    cold, row = leaving(machine, table), table.at(*machine.rated)
    result = [
        heat_pump(
            request=1e9,
            supply=supply,
            offset=0.5 * inlet,
            ratio=0.5,
            flow=1e14,
            efficiency=machine.efficiency,
            maximum_cop=20.0,
            minimum_inlet=-90.0,
            capacity=table.heat[row],
            source_slope=machine.source_slope,
            rated_source=cold[row],
            supply_slope=machine.supply_slope,
            rated_supply=machine.rated[1],
            units=1,
            degradation=0.1,
        )[:2]
        for supply, inlet in zip(table.supply, cold, strict=True)
    ]
    heat, work = np.array(result).T
    return heat / work, heat


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.table)
def test_cop_of_a_table_from_one_point(machine: Machine) -> None:
    table = Table.read(machine.table)
    cop, _ = run(machine, table)
    error = cop / (table.heat / table.power) - 1.0
    message = shown(table, error, f"COP of {machine.table} with η = {machine.efficiency}")
    print(message)
    assert abs(error[table.at(*machine.rated)]) < 0.002, message  # the point that η is fitted to
    assert np.abs(error[compared(machine, table)]).max() < machine.cop_error, message


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.table)
def test_capacity_of_a_table_from_two_slopes(machine: Machine) -> None:
    table = Table.read(machine.table)
    _, heat = run(machine, table)
    error = heat / table.heat - 1.0
    message = shown(table, error, f"capacity of {machine.table}: {machine.source_slope}, {machine.supply_slope} 1/K")
    print(message)
    assert abs(error[table.at(*machine.rated)]) < 1e-6, message
    assert np.abs(error[compared(machine, table)]).max() < machine.capacity_error, message


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.table)
def test_a_constant_capacity_would_be_far_off(machine: Machine) -> None:
    """What the slopes are for: without them the error is several times the admitted one."""
    table = Table.read(machine.table)
    _, heat = run(machine._replace(source_slope=0.0, supply_slope=0.0), table)
    error = heat / table.heat - 1.0
    assert np.abs(error[compared(machine, table)]).max() > 3.0 * machine.capacity_error


@pytest.mark.parametrize(
    ("machine", "cop_error", "capacity_error"),
    [(MACHINES[0], 0.09, 0.05), (MACHINES[1], 0.09, 0.05), (MACHINES[2], 0.24, 0.11)],
    ids=[machine.table for machine in MACHINES],
)
def test_one_set_of_values_for_all_machines(machine: Machine, cop_error: float, capacity_error: float) -> None:
    """η = 0.51, 2.5 %/K and -0.45 %/K: of a machine of which nothing is known but its capacity at the rated point."""
    table, near = Table.read(machine.table), compared(machine, Table.read(machine.table))
    cop, heat = run(machine._replace(efficiency=0.51, source_slope=0.025, supply_slope=-0.0045), table)
    errors = cop / (table.heat / table.power) - 1.0, heat / table.heat - 1.0
    message = f"{shown(table, errors[0], 'COP')}\n{shown(table, errors[1], 'capacity')}"
    print(message)
    assert np.abs(errors[0][near]).max() < cop_error, message
    assert np.abs(errors[1][near]).max() < capacity_error, message


class AirSource(NamedTuple):
    """A table of an air-source machine, η and slope rounded from it, and the largest errors admitted below 0 °C."""

    table: str
    efficiency: float
    slope: float
    cop_error: float
    capacity_error: float


@pytest.mark.parametrize(
    "machine",
    [
        AirSource("toshiba_hws_802xwhm3", 0.40, 0.020, 0.09, 0.11),
        AirSource("viessmann_vitocal_251_a08", 0.40, 0.017, 0.09, 0.07),
    ],
    ids=lambda machine: machine.table,
)
def test_air_source_machines_in_the_cold(machine: AirSource) -> None:
    """One η and one slope below 0 °C, for supply temperatures up to 45 °C; and how poor it is at -20 °C in fact."""
    table = Table.read(machine.table)
    rated = table.heat[table.at(7.0, 35.0)]
    heat, power = np.array(
        [
            peak_heating(1e9, outdoor, supply, rated, machine.slope, 7.0, -25.0, 0.0, 1.0 / machine.efficiency)
            for outdoor, supply in zip(table.source, table.supply, strict=True)
        ]
    ).T
    cop_error = heat / power / (table.heat / table.power) - 1.0
    capacity_error = heat / table.heat - 1.0
    message = shown(table, cop_error, f"COP of {machine.table}")
    message += "\n" + shown(table, capacity_error, f"capacity of {machine.table}")
    print(message)
    cold = (table.source < 0.0) & (table.supply <= 45.0)
    assert np.abs(cop_error[cold]).max() < machine.cop_error, message
    assert np.abs(capacity_error[cold]).max() < machine.capacity_error, message
    coldest = table.at(-20.0, 35.0)
    assert table.heat[coldest] < 0.6 * rated
    assert table.heat[coldest] / table.power[coldest] < 2.2
