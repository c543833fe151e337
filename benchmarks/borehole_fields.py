"""Makes `study/borehole_fields.csv`: what the boreholes of a square field do to each other, by pygfunction.

    python benchmarks/borehole_fields.py study/borehole_fields.csv

g-functions with one wall temperature for all (uniform along each borehole too, as Eskilson 1987 has it), by the method
of equivalent boreholes (Prieto and Cimmino 2021), less that of a lone borehole that gives the same heat from every
metre. Minutes for the table, most of them for the largest fields: hence a file.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DEPTH, COVER, RADIUS, DIFFUSIVITY = 120.0, 2.0, 0.075, 1e-6  # m, m, m, m²/s; only their ratios matter
SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48, 64)
SPACINGS = (0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.22, 0.33)
LOG_TIMES = np.arange(-4.5, 6.75, 0.5)
FINE = 8
"""Steps that each of those is computed in: in one, as the heat of the boreholes changes, g is up to 2 % too small."""


def interaction(side: int, spacing: float, log_times: Array) -> Array:
    """g-function of side × side boreholes, less that of one, (time,).

    Parameters
    ----------
    side
        Boreholes along a side.
    spacing
        Distance over depth.
    log_times
        ln αt / spacing², increasing, (time,).

    Notes
    -----
    Steps of 1/16 in ln t leave about 0.2 %.
    """
    from pygfunction.borefield import Borefield
    from pygfunction.gfunction import gFunction

    apart = spacing * DEPTH
    fine = np.interp(np.arange(FINE * (len(log_times) - 1) + 1) / FINE, np.arange(len(log_times)), log_times)
    times = np.exp(fine) * apart**2 / DIFFUSIVITY
    field, lone = (Borefield.rectangle_field(n, n, apart, apart, DEPTH, COVER, RADIUS) for n in (side, 1))
    of_field = gFunction(
        field,
        DIFFUSIVITY,
        time=times,
        boundary_condition="UBWT",
        method="equivalent",
        options={"nSegments": 8, "disp": False},
    )
    of_lone = gFunction(
        lone,
        DIFFUSIVITY,
        time=times,
        boundary_condition="UHTR",
        method="detailed",
        options={"nSegments": 1, "disp": False},
    )
    answer: Array = (of_field.gFunc - of_lone.gFunc)[::FINE]
    return answer


def main() -> None:
    """Write the table."""
    lines = ["spacing_over_depth,side," + ",".join(f"{each:.1f}" for each in LOG_TIMES)]
    for spacing in SPACINGS:
        for side in SIDES:
            values = interaction(side, spacing, LOG_TIMES)
            lines.append(f"{spacing},{side}," + ",".join(f"{each:.5g}" for each in values))
            print(lines[-1], flush=True)
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
