"""Charts to ask questions of in a report: an output by winter, and an output against an input; in Vega-Lite."""

import json
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from study.config import Study, variable_name
from study.limits import limits_of
from study.statistics import mean

OUTPUTS = (
    "carbon_reduction",
    "unmet_hours",
    "heating_reliability",
    "heat_unmet",
    "heat_delivered",
    "heat_backup",
    "electricity",
    "indoor_temperature_min",
    "outlet_temperature_mean",
    "inlet_temperature_min",
    "outage_hours",
    "thermal_interference",
)
MOST_POINTS = 500
_CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "text": {"fill": "currentColor"},
    "title": {"color": "currentColor", "anchor": "start", "fontSize": 13, "fontWeight": "normal", "offset": 8},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "view": {"stroke": None},
}
_BLUE, _ORANGE = "var(--blue)", "var(--orange)"
_NUMBER = ",.4~r"


def by_winter(dataset: xr.Dataset) -> dict[str, Any]:
    """An output, to choose, by winter of life: median, bands of the samples, and the mean with its 95 % interval.

    Parameters
    ----------
    dataset
        Samples that ended well.
    """
    rows, labels = [], []
    for name in _there(dataset):
        labels.append(_label(dataset, name))
        edges = dataset[name].quantile([0.05, 0.25, 0.5, 0.75, 0.95], "sample").values
        found = mean(dataset[name], limits=limits_of(name))
        for n, winter in enumerate(dataset["winter"].values.tolist()):
            numbers = {key: float(found[key][n]) for key in ("value", "low", "high")}
            numbers |= dict(zip(("p05", "p25", "p50", "p75", "p95"), edges[:, n].tolist(), strict=True))
            plain = {key: _rounded(number) for key, number in numbers.items()}
            rows.append({"output": labels[-1], "winter": winter, **plain})
    winters = dataset["winter"].values.tolist()
    ticks = winters[:: max(1, len(winters) // 10)]
    x = {"field": "winter", "type": "quantitative", "title": "winter of life", "axis": {"values": ticks, "format": "d"}}
    x["scale"] = {"zero": False, "nice": False}
    if dataset.sizes["winter"] == 1:
        x["scale"] = {"domain": [0.5, 1.5]}

    def y(field: str) -> dict[str, Any]:
        return {"field": field, "type": "quantitative", "title": None, "scale": {"zero": False}}

    def band(low: str, high: str, opacity: float) -> dict[str, Any]:
        encoding = {"y": y(low), "y2": {"field": high}}
        mark = {"type": "area", "color": _BLUE, "opacity": opacity}
        if dataset.sizes["winter"] == 1:
            mark = {"type": "bar", "width": 24, "color": _BLUE, "opacity": opacity}
        return {"mark": mark, "encoding": encoding}

    tooltip = [
        {"field": field, "title": title, "format": _NUMBER}
        for field, title in (
            ("winter", "winter"),
            ("value", "mean"),
            ("low", "mean, 95 % interval from"),
            ("high", "to"),
            ("p05", "5 % of the samples below"),
            ("p50", "half below"),
            ("p95", "95 % below"),
        )
    ]
    return _chart(
        rows,
        params=[_choice("output", "Output", labels)],
        transform=[{"filter": "datum.output === output"}],
        title={"text": {"expr": "output"}},
        encoding={"x": x},
        layer=[
            band("p05", "p95", 0.2),
            band("p25", "p75", 0.35),
            {"mark": {"type": "line", "color": _BLUE, "point": {"color": _BLUE}}, "encoding": {"y": y("p50")}},
            {
                "mark": {"type": "rule", "color": _ORANGE, "strokeWidth": 2},
                "encoding": {"y": y("low"), "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "color": _ORANGE, "size": 45},
                "encoding": {"y": y("value"), "tooltip": tooltip},
                "params": [
                    {
                        "name": "near",
                        "select": {"type": "point", "on": "pointerover", "nearest": True, "clear": "pointerout"},
                    }
                ],
            },
        ],
    )


def against_inputs(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """An output against an uncertain input, each to choose, a point for each sample; None without uncertain inputs.

    Parameters
    ----------
    dataset
        Samples that ended well: the first `MOST_POINTS` are drawn.
    """
    some = dataset.isel(sample=slice(MOST_POINTS))
    inputs = {f"{key} ({item.unit})": some[variable_name(key)].values for key, item in study.uncertain.items()}
    inputs = dict(
        sorted(inputs.items(), key=lambda each: -_correlation(each[1], some[_there(some)[0]].mean("winter").values))
    )
    outputs = {_label(some, name): some[name].mean("winter").values for name in _there(some)}
    if not inputs:
        return None
    columns = [*inputs.values(), *outputs.values(), some["sample"].values]
    keys = [*(f"i{n}" for n in range(len(inputs))), *(f"o{n}" for n in range(len(outputs))), "sample"]
    words = [*inputs, *outputs]  # said once, for they are long
    rows = [
        {key: _rounded(value) for key, value in zip(keys, values, strict=True)}
        for values in zip(*(values.tolist() for values in columns), strict=True)
    ]

    def said(choice: str) -> str:
        return f"{json.dumps(words)}[indexof({json.dumps(keys)}, {choice})]"

    scale = {"zero": False, "nice": True}
    return _chart(
        rows,
        params=[
            _choice("input", "Input", keys[: len(inputs)], list(inputs)),
            _choice("result", "Output", keys[len(inputs) : -1], list(outputs)),
        ],
        transform=[{"calculate": "datum[input]", "as": "x"}, {"calculate": "datum[result]", "as": "y"}],
        title={"text": {"expr": f"{said('result')} + ', mean of the winters, against ' + {said('input')}"}},
        mark={"type": "point", "filled": True, "color": _BLUE, "opacity": 0.55, "size": 28},
        encoding={
            "x": {"field": "x", "type": "quantitative", "title": "input, as chosen", "scale": scale},
            "y": {"field": "y", "type": "quantitative", "title": None, "scale": scale},
            "tooltip": [
                {"field": "sample", "title": "sample"},
                {"field": "x", "title": "input", "format": _NUMBER},
                {"field": "y", "title": "output", "format": _NUMBER},
            ],
        },
    )


def _chart(rows: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    return {
        "width": "container",
        "height": 300,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _CONFIG,
        "data": {"values": rows},
        **parts,
    }


def _choice(name: str, words: str, options: list[str], labels: list[str] | None = None) -> dict[str, Any]:
    menu = {"input": "select", "options": options, "labels": labels or options, "name": f"{words} "}
    return {"name": name, "value": options[0], "bind": menu}


def _there(dataset: xr.Dataset) -> list[str]:
    return [name for name in OUTPUTS if name in dataset]


def _label(dataset: xr.Dataset, name: str) -> str:
    units = dataset[name].attrs["units"].replace("degC", "°C").replace("CO2", "CO₂")
    return f"{dataset[name].attrs['long_name']} ({units})"


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Size of the rank correlation; 0 where nothing varies."""
    if np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return 0.0
    return abs(float(stats.spearmanr(one, other).statistic))


def _rounded(number: float | int) -> float | int | None:
    """Six digits, which is more than a picture shows; None for what JSON has no word for."""
    if isinstance(number, int):
        return number
    return float(f"{number:.6g}") if np.isfinite(number) else None
