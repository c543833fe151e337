"""A field of wells through steps whose inlet temperature or heat is known: what its water would have been.

The water circulates all the time at its full flow, as in a season. Arrays are (lane,), lane one sample.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.operation import State, Steps, Wells, circulate

Array = NDArray[np.float64]


def prescribed_step(
    state: State, wells: Wells, steps: Steps, *, inlet: float | None = None, heat: float | None = None
) -> tuple[Array, Array]:
    """Let the field run for one step with one of the two known; `state` is updated.

    Outlet = A + B · inlet (`kernels.coaxial`), and heat = number · flow · (outlet - inlet).

    Parameters
    ----------
    steps
        From `kernels.operation.prepare_steps(wells, length)`.
    inlet
        Temperature of the water entering the wells, °C.
    heat
        Heat taken from the whole field, W.

    Returns
    -------
    Water entering and leaving the wells at the end of the step, °C, (lane,).

    Raises
    ------
    ValueError
        When not exactly one is given.
    """
    if (inlet is None) == (heat is None):
        raise ValueError("give exactly one of inlet and heat")
    slope = steps.counterflow.slope[0]

    def entering(offset: Array) -> Array:
        if heat is None:
            return np.full_like(offset, inlet)
        return (offset - heat / (wells.number * wells.flow)) / (1.0 - slope)

    enters, offset, _ = circulate(state, wells, steps, entering)
    return enters, offset + slope * enters
