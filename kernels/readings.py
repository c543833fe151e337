"""A field of wells through steps whose inlet temperature or heat is known: what its water would have been.

The water circulates all the time at its full flow, as in a season. Arrays are (lane,), lane one sample.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.coaxial import sweep_down, sweep_up
from kernels.ground import advance, recall
from kernels.operation import State, Steps, Wells

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
    nodes, lanes = state.down.shape
    segment, counterflow = wells.column.segment, steps.counterflow
    rest, flux = np.empty((2, nodes, lanes))
    source, offset = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes))
    at = np.repeat(segment, 2)
    for node in range(nodes):
        recall(steps.decay, wells.weight[at[node]], state.memory[node], wells.column.undisturbed[node], rest[node])
    sweep_up(counterflow, segment, rest, state.down, state.up, source, offset)
    slope = counterflow.slope[0]
    if heat is None:
        entering = np.full(lanes, inlet)
    else:
        entering = (offset[0] - heat / (wells.number * wells.flow)) / (1.0 - slope)
    sweep_down(counterflow, segment, rest, source, offset, entering, np.empty((2, lanes)), state.down, state.up, flux)
    for node in range(nodes):
        advance(steps.decay, flux[node], state.memory[node])
    return entering, offset[0] + slope * entering
