"""The study for the run after an update: its inputs are distributed as the weighted samples are."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import root

from study.config import Study
from study.correlation import correlation_problem
from study.distributions import Input
from study.errors import EnsembleError
from study.intervals import Array
from study.updating import Change, Update
from study.weights import Weights
from study.wells import Inputs


def updated_study(found: Update) -> tuple[Study, list[str]]:
    """The study whose inputs are distributed as after the readings, for a new run, and what was approximated, in words.

    Where a new run is needed, the readings count only as far as enough samples bear (`Update.part`); the last of the
    words then says which share of them is to be used after the run. Inputs that moved keep their kind where
    it is normal or lognormal, with the mean and the deviation after; choices get the weights as probabilities; all
    others become normal, truncated where the prior ends. Rank correlations between those are that of the weighted
    samples where they are clear of chance.

    Raises
    ------
    EnsembleError
        When no sample explains the readings.
    """
    if found.unexplained:
        raise EnsembleError(found.unexplained)
    study, weight, left = found.study, found.bearable.weight, found.share * (1.0 - found.part)
    tree = json.loads(json.dumps(study.resolved()))
    tree["name"] = f"{study.name[:56]}-updated"
    moved = [change for change in found.changes if change.moved]
    source = f"updated from {len(found.readings.day)} days of readings"
    said = []
    for change in moved:
        item = study.drawn[change.key]
        made = _fitted(item, found.inputs[change.key], weight, change, source)
        _put(tree, change.key.split("."), made.dump())
        said.append(f"{change.key}: {made.text}")
    given = {each.inputs: each.rank_correlation for each in study.correlations}
    keys = [change.key for change in moved if study.drawn[change.key].kind != "choice"]
    new = _rank_correlations(keys, found.inputs, found.bearable)
    given = {pair: r for pair, r in given.items() if not set(pair) <= set(keys)}
    while new and correlation_problem(given | new):
        new = {pair: 0.9 * r for pair, r in new.items() if abs(r) > 0.02}
    tree["correlations"] = [
        {"inputs": list(pair), "rank_correlation": round(r, 4)} for pair, r in (given | new).items()
    ]
    said += [f"rank correlation of {first} and {second}: {r:.2f}" for (first, second), r in new.items()]
    if left > 0.0:
        said.append(
            f"the readings are in these inputs with {found.share - left:.3g} of their weight, as more would leave too "
            f"few samples: update the new run with them again, with --share {left:.3g}"
        )
    else:
        said.append("the readings are in these inputs: do not use them again")
    return Study.model_validate(tree), said


def _fitted(item: Input, values: Array, weight: Array, change: Change, source: str) -> Input:
    """A distribution of one input after the readings, its numbers rounded to a thousandth of its deviation or less."""
    middle, spread = change.posterior[:2]
    spread = max(spread, 1e-9 * abs(middle), 1e-12)
    places = 3 - math.floor(math.log10(spread))
    if item.kind == "choice":
        options = np.array(item.parameters["values"])
        shares = np.array([weight[values == option].sum() / (options == option).sum() for option in options])
        shares = np.maximum(shares, 1e-6)
        shares = np.round(shares / shares.sum(), 6)
        shares[shares.argmax()] += 1.0 - shares.sum()
        parameters = {"values": options.tolist(), "probabilities": np.round(shares, 6).tolist()}
        return replace(item, parameters=parameters, source=source)
    if item.kind in ("normal", "lognormal"):
        return replace(item, parameters=_rounded(middle, spread, places), source=source)
    low, high = item.bounds()

    def off(at: Array) -> Array:
        centre, width = at[0], math.exp(min(at[1], 50.0))
        of = stats.truncnorm((low - centre) / width, (high - centre) / width, centre, width)
        return np.array([(of.mean() - middle) / spread, of.std() / spread - 1.0])

    with np.errstate(all="ignore"):
        solved = root(off, [middle, math.log(spread)], method="hybr")
    centre, width = (solved.x[0], math.exp(solved.x[1])) if solved.success else (middle, spread)
    if not abs(centre - middle) < 10.0 * (high - low):  # nearly flat: any far centre would do
        centre, width = middle, spread
    numbers = _rounded(float(centre), float(width), places) | {"minimum": low, "maximum": high}
    return replace(item, kind="truncated_normal", parameters=numbers, source=source)


def _rounded(middle: float, spread: float, places: int) -> dict[str, float]:
    return {"mean": round(middle, places), "standard_deviation": round(spread, places)}


def _rank_correlations(keys: list[str], inputs: Inputs, weights: Weights) -> dict[tuple[str, str], float]:
    """Weighted rank correlations of inputs that are clear of chance: above 2/√(effective samples)."""
    weight = weights.weight
    ranks = []
    for key in keys:
        order = np.argsort(inputs[key], kind="stable")
        rank = np.empty(len(order))
        rank[order] = np.cumsum(weight[order]) - 0.5 * weight[order]
        ranks.append(rank)
    correlation = {}
    for n, first in enumerate(keys):
        for m in range(n):
            both = np.cov(ranks[n], ranks[m], aweights=weight)
            r = float(both[0, 1] / math.sqrt(both[0, 0] * both[1, 1]))
            if abs(r) > 2.0 / math.sqrt(weights.effective):
                correlation[keys[m], first] = float(np.clip(r, -0.95, 0.95))
    return correlation


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    node: Any = tree
    for name in path[:-1]:
        node = node[int(name) if isinstance(node, list) else name]
    node[path[-1]] = value


def write_study(study: Study, path: Path) -> None:
    """Write a study as the YAML file that `hotland run` takes."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(json.loads(json.dumps(study.resolved())), file)
