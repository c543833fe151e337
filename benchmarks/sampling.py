"""hotland's design measured: `python benchmarks/sampling.py functions`, `shenyang` or `rows`.

`--markdown FILE` replaces the sections of that measurement in a page, or adds them.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from rich.console import Console
from rich.table import Table
from scipy import stats

sys.path.insert(1, str(Path(__file__).parents[1]))
import sampling_convergence as convergence
from engine import Rows, markdown, with_section
from sampling_convergence import DESIGNS, FUNCTIONS, LEVEL, Means

from study.config import Study, load_study
from study.figures import BLUE, GREEN, GREY, ORANGE
from study.provenance import machine, packages
from study.sampling import sample_inputs

STUDY = Path(__file__).parents[1] / "configs" / "shenyang.yaml"
TARGETS = (0.02, 0.01, 0.005)
"""Half-widths of intervals, in standard deviations of the output."""
FIRST = 256
"""Smallest number of rows that a slope is fitted to."""
LOOKS = {
    "sobol": (BLUE, "-", "o"),
    "latin_hypercube": (GREEN, "-", "s"),
    "latin_hypercube_whole": (GREEN, "--", "D"),
    "monte_carlo": (ORANGE, "-", "^"),
}
Section = tuple[str, str, Rows]


def functions(asked: argparse.Namespace) -> list[Section]:
    """Functions whose mean is known."""
    sizes = _sizes(64, asked.rows)
    study = load_study(STUDY)
    found = convergence.of_functions(study, FUNCTIONS, designs=DESIGNS, seeds=asked.seeds, sizes=sizes)
    if asked.picture:
        panels = dict(found)
        if asked.folder:
            panels[f"Shenyang, {len(study.uncertain)} inputs and chance"] = kept(asked.folder)
        draw(panels, asked.picture)
    return tables(found, "of functions", asked.seeds, coverage_at=min(1024, sizes[-1]))


def kept(folder: Path) -> dict[str, Means]:
    """Means of the Shenyang study by design, from what `shenyang` left in its folder."""
    found = {}
    for design in DESIGNS:
        files = sorted(folder.glob(f"{design}-*.npy"))
        if files:
            values = np.stack([np.load(file).mean(axis=1) for file in files])
            sizes = _sizes(64, values.shape[1])
            found[design] = convergence.of_values(values, sizes=sizes, independent=design == "monte_carlo")
    return found


def shenyang(asked: argparse.Namespace) -> list[Section]:
    """The Shenyang study."""
    study = load_study(STUDY)
    sizes = _sizes(64, asked.rows)
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    winters = {design: carbon(study, asked, design) for design in ("sobol", *asked.besides)}
    found = {
        design: convergence.of_values(values.mean(axis=-1), sizes=sizes, independent=design == "monte_carlo")
        for design, values in winters.items()
    }
    name = f"mean of {study.winters} winters, carbon reduction"
    errors, runs = tables({name: found}, "of the Shenyang study", asked.seeds)
    floor = convergence.chance(winters["sobol"]) / found["sobol"].deviation
    title, caption, rows = errors
    caption = f"{caption}; chance alone, whose rows are independent: {floor / 32:.2%} at 1,024"
    return [(title, caption, rows), runs, promise(study, winters["sobol"].mean(axis=-1), sizes)]


def carbon(study: Study, asked: argparse.Namespace, design: str) -> convergence.Array:
    """Carbon reduction, (seed, row, winter), t CO₂."""
    seeds = range(1, asked.seeds + 1)
    each = [
        convergence.carbon_reduction(study, design=design, seed=seed, rows=asked.rows, folder=asked.folder)
        for seed in seeds
    ]
    return np.stack(each)


def promise(study: Study, values: convergence.Array, sizes: Sequence[int], half_width: float = 0.005) -> Section:
    """Runs that the probability of keeping the promise takes."""
    claim = float(study.resolved()["claim"]["carbon_reduction"].split()[0])
    event = (values >= claim).astype(float)
    share = float(event.mean())
    found = convergence.of_values(event, sizes=sizes, independent=False)
    typical = np.sqrt((found.half_widths() ** 2).mean(axis=0))
    independent = share * (1.0 - share) * (stats.norm.ppf(0.5 + LEVEL / 2) / half_width) ** 2
    rows: Rows = [("n", "half-width, points", "of independent runs, points", "P, over the seeds")]
    for place, size in enumerate(sizes):
        plain = 100.0 * half_width * np.sqrt(independent / size)
        means = found.replicates[:, place].mean(axis=-1)
        rows.append(
            (f"{size:,}", f"{100 * typical[place]:.2f}", f"{plain:.2f}", f"{means.min():.2%} – {means.max():.2%}")
        )
    needed = _number(found.runs(half_width), sizes[-1])
    rows.append(
        (f"needed for ±{100 * half_width:g}", f"{needed} runs", f"{_number(independent, 0)} runs", f"{share:.2%}")
    )
    return f"The promise of {claim:,.0f} t kept, on average over the life", f"{len(values)} seeds", rows


def tables(found: dict[str, dict[str, Means]], title: str, seeds: int, coverage_at: int | None = None) -> list[Section]:
    """How fast errors fall, and the runs that an interval takes."""
    errors: Rows = [("", "design", "slope", "95 %", "error at 1,024", "at the end")]
    runs: Rows = [("", "design", *(f"±{target:.1%}" for target in TARGETS))]
    if coverage_at:
        errors[0] = (*errors[0], f"intervals that hold the mean, n = {coverage_at:,}")
    for name, by_design in found.items():
        plain = [(stats.norm.ppf(0.5 + LEVEL / 2) / target) ** 2 for target in TARGETS]
        for design, means in by_design.items():
            slope, low, high = means.slope(min(FIRST, int(means.sizes[-2])))
            error = means.error()[0] / means.deviation
            middle = error[means.sizes.tolist().index(min(1024, int(means.sizes[-1])))]
            row = (
                name,
                DESIGNS[design],
                f"{slope:.2f}",
                f"{low:.2f} – {high:.2f}",
                f"{middle:.2%}",
                f"{error[-1]:.3%}",
            )
            errors.append((*row, f"{means.covered(coverage_at):.0%}") if coverage_at else row)
            needed = [means.runs(target * means.deviation) for target in TARGETS]
            texts = [_number(each, int(means.sizes[-1])) for each in needed]
            if design != "monte_carlo":
                texts = [
                    f"{text} ({_number(many / each, 0)} × fewer)" if each < many else text
                    for text, each, many in zip(texts, needed, plain, strict=True)
                ]
            runs.append((name, DESIGNS[design], *texts))
    return [
        (f"Error {title}", f"{seeds} seeds; in standard deviations of the output", errors),
        (
            f"Runs {title}",
            f"{seeds} seeds; for a 95 % interval of that half-width in standard deviations of the output",
            runs,
        ),
    ]


def rows(asked: argparse.Namespace) -> list[Section]:
    """A million rows."""
    found: Rows = [("design", f"{asked.rows:,} rows, s", "64 rows from row 10⁹ on, ms")]
    for design in ("sobol", "latin_hypercube", "monte_carlo"):
        study = load_study(STUDY).model_copy(update={"design": design, "seed": 123})
        took = []
        for which in (np.arange(asked.rows), 10**9 + np.arange(64)):
            start = time.perf_counter()
            sample_inputs(study, which)
            took.append(time.perf_counter() - start)
        found.append((DESIGNS[design], f"{took[0]:.2f}", f"{1000 * took[1]:.1f}"))
    inputs = len(load_study(STUDY).uncertain)
    return [("A million rows", f"{inputs} uncertain inputs of the Shenyang study, on one core", found)]


def draw(found: dict[str, dict[str, Means]], target: Path) -> None:
    """Errors against n, with 95 % bands."""
    columns = min(3, len(found))
    lines = -(-len(found) // columns)
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(4.4 * columns, 3.9 * lines),
        layout="constrained",
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for (name, by_design), each in zip(found.items(), axes.flat, strict=False):
        panel(name, by_design, each)
    for each in axes.flat[len(found) :]:
        each.set_axis_off()
    handles = {handle.get_label(): handle for each in axes.flat for handle in each.get_legend_handles_labels()[0]}
    if len(found) < axes.size:
        axes.flat[-1].legend(handles=list(handles.values()), loc="center", frameon=False, fontsize=11)
    else:
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=len(handles), frameon=False)
    longest = max((means.sizes for by_design in found.values() for means in by_design.values()), key=len)
    axes.flat[0].set_xticks(longest[::2])  # of all panels, as they share it
    axes.flat[0].minorticks_off()
    for each in axes[:, 0]:
        each.set_ylabel("error, % of the standard deviation")
    figure.savefig(target, dpi=130)
    plt.close(figure)


def panel(name: str, by_design: dict[str, Means], axes: Axes) -> None:
    """One output."""
    for design, means in by_design.items():
        colour, line, marker = LOOKS[design]
        error, low, high = (100.0 * each / means.deviation for each in means.error())
        axes.fill_between(means.sizes, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(means.sizes, error, color=colour, ls=line, marker=marker, ms=4, label=DESIGNS[design])
    sizes = means.sizes
    axes.plot(sizes, 100.0 / np.sqrt(sizes), color=GREY, ls=":", label="independent runs, 1/√n")
    axes.set(xscale="log", yscale="log", title=name, xlabel="runs, n")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.0f}"))
    axes.tick_params(labelbottom=True)
    axes.grid(alpha=0.3, lw=0.5)


def _sizes(first: int, last: int) -> list[int]:
    """Powers of two, all multiples of the number of replicates."""
    return [first * 2**power for power in range(int(np.log2(last // first)) + 1)]


def _number(value: float, last: int) -> str:
    """Two digits; what was not reached is more than the last size."""
    if np.isnan(value):
        return f"over {last:,}"
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.1f}"


MEASUREMENTS = {"functions": functions, "shenyang": shenyang, "rows": rows}


def arguments() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description="hotland's design measured.")
    commands = parser.add_subparsers(dest="measurement", required=True)
    for name, function in MEASUREMENTS.items():
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0].lower())
        command.set_defaults(function=function)
        command.add_argument("--markdown", type=Path, metavar="FILE", help="a page whose sections are replaced")
        default = {"functions": 16384, "shenyang": 2048, "rows": 1_000_000}[name]
        command.add_argument("--rows", type=int, default=default, help=f"at most; {default:,}")
        if name != "rows":
            command.add_argument("--seeds", type=int, default=50 if name == "functions" else 12)
        if name == "functions":
            command.add_argument("--picture", type=Path, help="errors against the number of runs")
            command.add_argument("--folder", type=Path, help="of `shenyang`, whose samples get a panel, too")
        if name == "shenyang":
            command.add_argument("--folder", type=Path, help="where computed samples are kept, to be used again")
            others = ["latin_hypercube", "monte_carlo"]
            command.add_argument("--besides", nargs="*", choices=others, default=others, help="designs, besides Sobol'")
    return parser


def main() -> None:
    """Measure, and print the tables."""
    asked = arguments().parse_args()
    about = (
        f"{machine()['processor']}, {os.cpu_count()} cores; numpy {packages()['numpy']}, Python {machine()['python']}"
    )
    console = Console(width=160)
    console.print(about)
    for title, caption, found in asked.function(asked):
        table = Table(title=f"{title}: {caption}")
        for number, name in enumerate(found[0]):
            table.add_column(name, justify="right" if number else "left")
        for row in found[1:]:
            table.add_row(*row)
        console.print(table)
        if asked.markdown:
            page = asked.markdown.read_text() if asked.markdown.exists() else "# Benchmarks of the design\n"
            text = f"{caption[0].upper()}{caption[1:]}.\n\n{markdown(found)}\n\nOn {about}."
            asked.markdown.write_text(with_section(page, title, text))


if __name__ == "__main__":
    main()
