"""The smallest design that meets a target, by bisection: how sure, of how few samples.

A value is tried with samples that grow in stages, each twice the last, until the interval of the statistic lies on one
side of the target or the most samples are spent. The values have the same samples, winters and outages. A search looks
at an interval often, and each look may err; so with W values tried at most and L stages each look has the error
α / (W L), α being what the answer may have (Bonferroni's inequality; for looks at data that accumulate Jennison and
Turnbull 2000, Group sequential methods, section 2.1, where it is the simplest, safe spending of α). A value that meets
the target can only be judged wrongly to miss it, or the other way round, so that each end of an interval has the whole
of that error. What is undecided does not meet it.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from study.intervals import Estimate
from study.quantity import short
from study.target import COMPARISONS, LONGEST, Target, quantity_in, unit_of

Verdict = Literal["meets", "misses", "undecided"]
FIRST_ROWS = 16
"""Samples of each replicate in the first stage, as in `study.stopping`."""
_LAST_COMPARISON = re.compile(r"(.*\))\s*([<>=!≤≥≠~]+)\s*([^()]*)", re.DOTALL)
EXAMPLE = "P(unmet_hours<=0) >= 99.9%"


@dataclass(frozen=True)
class Goal:
    """What a design has to meet: a statistic of an ensemble, and its bound.

    Attributes
    ----------
    text
        As it was given.
    statistic
        Without a tolerance.
    at_least
        Whether the bound is the lowest allowed, else the highest.
    bound
        In the output's units, of a probability a share of 1.
    """

    text: str
    statistic: Target
    at_least: bool
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """Read a target such as ``P(unmet_hours<=0) >= 99.9%``; ValueError says what is allowed."""
        if len(text) > LONGEST:
            raise ValueError(f"too long; allowed: {LONGEST} characters")
        found = _LAST_COMPARISON.fullmatch(text.strip())
        if found is None or found[2] not in COMPARISONS:
            raise ValueError(f"a statistic, >= or <=, and its bound are asked for, such as {EXAMPLE!r}")
        target = Target.of_statistic(found[1])
        unit = "1" if target.statistic == "P" else unit_of(target.output)
        bound = quantity_in(found[3].strip(), unit, found[1].strip())
        if target.statistic == "P" and not 0.0 < bound < 1.0:
            raise ValueError(f"{short(found[3].strip())}: allowed for a probability: above 0 % and below 100 %")
        return cls(" ".join(text.split()), target, COMPARISONS[found[2]] in (">=", ">"), bound)

    def verdict(self, found: Estimate) -> Verdict:
        """What an interval says of the bound; one that has no end on the side that matters says nothing."""
        good, bad = (found.low, found.high) if self.at_least else (-found.high, -found.low)
        bound = self.bound if self.at_least else -self.bound
        return "meets" if good >= bound else "misses" if bad < bound else "undecided"


@dataclass(frozen=True)
class Tried:
    """A value that was tried: its place in the range, the samples it took, what they came to."""

    place: int
    samples: int
    estimate: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Found:
    """The answer.

    Attributes
    ----------
    place
        Of the smallest value that meets the target, of the largest where smaller is better; none where none does.
    more_is_better
        Whether the larger end of the range does better; none where both came to the same, or their middle does better
        than either.
    tried
        Values in the order in which they were tried.
    confidence
        That no verdict is wrong.
    look
        Confidence of the interval of each look.
    remarks
        What is to be known besides.
    """

    place: int | None
    more_is_better: bool | None
    tried: tuple[Tried, ...]
    confidence: float
    look: float
    remarks: tuple[str, ...]


def search(
    evaluate: Callable[[int, int, float], Estimate],
    goal: Goal,
    values: int,
    *,
    first: int,
    most: int,
    rungs: Sequence[int] = (),
    start: int = 0,
    confidence: float = 0.95,
    watch: Callable[[Tried], None] = lambda _tried: None,
) -> Found:
    """Search a range for its smallest value that meets a target.

    Where both ends of a range miss it, its middle is tried as well, and no other.

    Parameters
    ----------
    evaluate
        Estimate by the place of a value in the range, the number of samples, and the confidence of its interval.
    goal
        The target.
    values
        How many the range has.
    first, most
        Samples of the first stage and at most.
    rungs, start
        Where neither end of the range is worth a try: from the place `start` the search goes up these places until a
        value meets the target, or where that one does, down until one does not. Where the first one up is surely worse
        it goes down from there.
    confidence
        That no verdict is wrong.
    watch
        Told of each value tried.
    """
    stages = stages_of(first, most)
    up, down = _ways(rungs, start)
    look = confidence_of_a_look(values, first=first, most=most, rungs=rungs, start=start, confidence=confidence)
    tried: dict[int, Tried] = {}

    def meets(place: int) -> bool:
        if place not in tried:
            for samples in stages:
                found = evaluate(place, samples, look)
                if (verdict := goal.verdict(found)) != "undecided":
                    break
            tried[place] = Tried(place, samples, found, verdict)
            watch(tried[place])
        return tried[place].verdict == "meets"

    if rungs:
        low = high = start
        way = down if meets(start) else up
        if way is up and up and not meets(up[0]) and _surely_worse(goal, tried[start].estimate, tried[up[0]].estimate):
            way = down
        for rung in way:
            low, high = (rung, low) if rung < start else (high, rung)
            if meets(low) != meets(high):
                break
    else:
        low, high = 0, values - 1
    low_meets, high_meets = meets(low), meets(high)
    better = _better(goal, tried[low].estimate.value, tried[high].estimate.value)
    if low_meets != high_meets:
        better = high_meets
        inside, outside = (high, low) if high_meets else (low, high)
        answer: int | None = _boundary(meets, inside=inside, outside=outside)
    elif rungs:
        answer = low if low_meets else None
    elif low_meets:
        answer = low if better is not False else high
    elif values > 2:
        answer = _boundary(meets, inside=middle, outside=low) if meets(middle := high // 2) else None
        at_low, at_middle, at_high = (tried[place].estimate.value for place in (low, middle, high))
        if answer is not None or (_better(goal, at_low, at_middle) and _better(goal, at_high, at_middle)):
            better = None
    else:
        answer = None
    order = tuple(tried.values())
    return Found(answer, better, order, confidence, look, _remarks(goal, order, better))


def _boundary(meets: Callable[[int], bool], *, inside: int, outside: int) -> int:
    """The last value from one that meets a target towards one that does not, by bisection."""
    while abs(inside - outside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if meets(middle) else (inside, middle)
    return inside


def confidence_of_a_look(
    values: int, *, first: int, most: int, rungs: Sequence[int] = (), start: int = 0, confidence: float = 0.95
) -> float:
    """Return the confidence of the interval of each look of a search; parameters as of `search`."""
    up, down = _ways(rungs, start)
    count = max(_most_climbed(start, up), 1 + _most_climbed(start, down)) if rungs else most_tried(values)
    return 1.0 - 2.0 * (1.0 - confidence) / (count * len(stages_of(first, most)))


def _ways(rungs: Sequence[int], start: int) -> tuple[list[int], list[int]]:
    """The places up from the first that is tried, and those down from it."""
    return [rung for rung in rungs if rung > start], sorted((rung for rung in rungs if rung < start), reverse=True)


def most_tried(values: int) -> int:
    """Return how many values a bisection of so many tries at most, both ends among them.

    So many do, too, where both ends miss the target and the middle is tried, and below it the bisection.
    """
    return min(values, 2) + max(0, math.ceil(math.log2(values - 1)) if values > 2 else 0)


def _most_climbed(start: int, rungs: Sequence[int]) -> int:
    """How many values are tried at most on the way up some rungs, or down, and between the last two."""
    gaps = [abs(other - one) for one, other in itertools.pairwise([start, *rungs])]
    return max([1, *(1 + n + math.ceil(math.log2(gap)) for n, gap in enumerate(gaps, start=1))])


def stages_of(first: int, most: int) -> tuple[int, ...]:
    """Return the samples of each stage: each twice the last, and the most."""
    stages = [min(first, most)]
    while stages[-1] < most:
        stages.append(min(2 * stages[-1], most))
    return tuple(stages)


def _better(goal: Goal, low: float, high: float) -> bool | None:
    """Whether the second of two estimates is the better one."""
    return None if low == high or math.isnan(low + high) else (high > low) == goal.at_least


def _surely_worse(goal: Goal, one: Estimate, other: Estimate) -> bool:
    """Whether the interval of another value lies wholly on the worse side of one."""
    return other.high < one.low if goal.at_least else other.low > one.high


def _remarks(goal: Goal, tried: Sequence[Tried], better: bool | None) -> tuple[str, ...]:
    """What went against one direction all along the range, and what stayed undecided."""
    remarks = []
    if sum(each.verdict == "undecided" for each in tried):
        remarks.append(
            "what is undecided with the most samples is taken as not meeting the target; more samples may tell"
        )
    rising = (better if goal.at_least else not better) if better is not None else None
    ordered = sorted(tried, key=lambda each: each.place)
    if _turns(ordered):
        remarks.append(
            "neither end of the range is shown to meet the target, and a value between them is: the statistic does not "
            "go one way, so a smaller value may do; a sweep shows all"
        )
        return tuple(remarks)
    for one, other in itertools.pairwise(ordered):
        falls, rises = other.estimate.high < one.estimate.low, other.estimate.low > one.estimate.high
        if (falls and rising is not False) or (rises and rising is not True):
            remarks.append(
                "the statistic does not go one way along the range: a bisection takes that for granted, so a smaller "
                "value may do; a sweep shows all"
            )
            break
    return tuple(remarks)


def _turns(ordered: Sequence[Tried]) -> bool:
    """Whether a value meets the target that lies between two that do not."""
    ends = ordered[0], ordered[-1]
    return all(each.verdict != "meets" for each in ends) and any(each.verdict == "meets" for each in ordered)


def plain(found: Found, goal: Goal, names: Sequence[str]) -> dict[str, Any]:
    """Return the answer ready for JSON; what is no number is null."""

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "target": goal.text,
        "answer": None if found.place is None else names[found.place],
        "confidence": found.confidence,
        "confidence_of_a_look": found.look,
        "more_is_better": found.more_is_better,
        "tried": [
            {
                "value": names[each.place],
                "samples": each.samples,
                "estimate": number(each.estimate.value),
                "low": number(each.estimate.low),
                "high": number(each.estimate.high),
                "remark": each.estimate.remark,
                "verdict": each.verdict,
            }
            for each in found.tried
        ],
        "remarks": list(found.remarks),
    }


def answer(found: Found, key: str, names: Sequence[str]) -> str:
    """Return the answer in a sentence."""
    sure = f"with {100 * found.confidence:g} % confidence in all verdicts together"
    places = [each.place for each in found.tried]
    ends = f"{key} {names[min(places)]} to {names[max(places)]}"
    ordered = sorted(found.tried, key=lambda each: each.place)
    one, other = ordered[0].estimate.value, ordered[-1].estimate.value
    turns = _turns(ordered) or not (one == other or math.isnan(one + other))
    same = "neither end does best" if turns else "both ends come to the same"
    way = {True: "more is better", False: "less is better", None: same}[found.more_is_better]
    if len(places) == 1:
        does = {"meets": "meets it", "misses": "misses it", "undecided": "is not shown to meet it"}
        verdict = f"{key} = {names[places[0]]}, the only value, {does[found.tried[0].verdict]}, {sure}"
        return verdict if found.place is not None else f"no value: {verdict}"
    if found.place is None:
        left = any(each.verdict == "undecided" for each in found.tried)
        words = "is shown to meet it" if left else "meets it"
        *some, last = (names[each.place] for each in ordered)
        between = "" if len(places) > max(places) - min(places) else "; what lies between was not tried"
        return f"no value found: none of {key} {', '.join(some)} and {last} {words}, {sure} ({way}){between}"
    if len({each.verdict == "meets" for each in found.tried}) == 1:
        return f"{key} = {names[found.place]}: both ends of {ends} meet the target, {sure} ({way})"
    which = "largest" if found.more_is_better is False else "smallest"
    return f"{key} = {names[found.place]}: the {which} of {ends} that is shown to meet the target, {sure} ({way})"


def shown(goal: Goal, found: Estimate) -> tuple[str, str]:
    """Return an estimate and its interval in words, with units, with digits enough to tell the bound from it."""
    probability = goal.statistic.statistic == "P"
    scale, units = (100.0, " %") if probability else (1.0, f" {goal.statistic.units}".rstrip())
    half = scale * max(abs(found.high - goal.bound), abs(found.low - goal.bound))
    digits = max(0, min(6, 2 - math.floor(math.log10(half)))) if math.isfinite(half) and half > 0 else 3
    value, low, high = (
        f"{scale * each:,.{digits}f}" if math.isfinite(each) else "?" for each in (found.value, found.low, found.high)
    )
    return f"{value}{units}", f"{low} to {high}{units}"
