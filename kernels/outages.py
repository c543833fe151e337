"""Units of a plant that fail and are repaired: how many of them are at work in each hour of a heating season.

Every unit is a two-state Markov process on its own: times to failure and to repair are exponential, with the means
MTTF and MTTR, so that it is at work with probability A + (1 − A) exp(−t/MTTF − t/MTTR) at t after it was, and with
A = MTTF / (MTTF + MTTR) in the long run (Billinton and Allan, 1992, Reliability Evaluation of Engineering Systems,
2nd edition, chapter 9).

A unit counts for an hour if it works in the middle of it. In the stationary state that is unbiased, hour by hour, for
any MTTF and MTTR; outages much shorter than an hour are then seen seldom, as whole hours.
"""

import numpy as np
from numba import njit

from kernels.philox import philox, uniform

STREAM = 0x6F757461676573  # "outages": keeps these variates apart from others drawn with the same seed
WELLS, PUMPS, HEAT_PUMPS, PEAK_HEATING, RESERVE_HEATING = range(5)
"""Groups of units."""
GROUP = np.uint64(32)  # the counter's last word: the group above this bit, the unit below


@njit(cache=True, error_model="numpy")
def exponential(word):  # type: ignore[no-untyped-def]
    """Exponential variate of mean 1 from a uint64, above 0 and below 37."""
    return -np.log(uniform(word))


@njit(cache=True, error_model="numpy")
def working_units(seed, samples, winter, group, number, time_to_failure, time_to_repair, summer_maintenance, out):  # type: ignore[no-untyped-def]
    """Units of one group at work in each hour of a season.

    Each unit has its own random bits, a function of (seed, sample, winter, group, unit, event) alone: a longer season,
    more units or other groups change nothing of what happens to a unit, and a unit more is never less at work.

    Parameters
    ----------
    seed
        0 to 2⁶⁴ − 1.
    samples
        Indices of the samples, int64, not negative, (lane,).
    winter
        Index of the season.
    group
        `WELLS` or another.
    number
        Units installed, whole numbers up to 32,767, (lane,).
    time_to_failure, time_to_repair
        Means, h, above 0, (lane,); no outages where `time_to_failure` is infinite, nor where either makes no
        sense.
    summer_maintenance
        Whether all units work when a season starts. Otherwise they start in the stationary state, whatever they were
        at the end of the last season: after a summer of t that is right but for exp(−t/MTTF − t/MTTR), nothing where
        repairs take days and t is thousands of hours.
    out
        int16, (hour, lane): filled.
    """
    hours = len(out)
    for hour in range(hours):
        for i in range(len(samples)):
            out[hour, i] = number[i]
    for i in range(len(samples)):
        if not (0.0 < time_to_failure[i] < np.inf and time_to_repair[i] > 0.0):
            continue
        # A unit started in its stationary state has failed with probability 1 − A, and otherwise lasts an exponential
        # time: the time to failure of a new one less this head start, or at once where that is below zero.
        head_start = (
            0.0 if summer_maintenance else time_to_failure[i] * np.log1p(time_to_repair[i] / time_to_failure[i])
        )
        for unit in range(int(number[i])):
            place = np.uint64(group) << GROUP | np.uint64(unit)
            time, block = -head_start, 0
            while time < hours:
                words = philox(seed, STREAM, block, winter, samples[i], place)
                for failure, repair in ((words[0], words[1]), (words[2], words[3])):
                    time = max(0.0, time + time_to_failure[i] * exponential(failure))
                    if time >= hours:
                        break
                    end = time + time_to_repair[i] * exponential(repair)
                    for hour in range(int(np.ceil(time - 0.5)), int(np.ceil(min(end, hours) - 0.5))):
                        out[hour, i] -= 1
                    time = end
                block += 1
