"""What an ensemble comes to in other people's books: a company's targets, the life cycle, costs, land, everyday units;
and what every other account makes of its carbon reduction.
"""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kernels.economics import capital_recovery_factor
from study.accounting import FLOWS, account, embodied
from study.carbon import BASELINES, Baseline, Carbon, ElectricityAccount, baseline_in_words
from study.config import ConfigError, Study, study_of
from study.costs import PRICED, costs
from study.heating import capacity
from study.reaccounting import with_account
from study.sampling import sample_inputs
from study.shallow import Boreholes, Load, ShallowPlant, shallow_plant
from study.statistics import MOST_FAILED, Estimate, usable
from study.summary import Line, Winters
from study.variables import FUELS
from study.wells import Inputs, Stretches

Array = NDArray[np.float64]
Reductions = Mapping[tuple[ElectricityAccount, Baseline], tuple[Carbon, xr.DataArray] | ConfigError]
"""By how electricity counts and which supply is replaced: the account, and t CO2, (sample, winter)."""

NATIONAL_THRESHOLDS = (0.20, 0.30)
"""Emissions per unit of energy of a zero-carbon park, t/tce: at most these, where it uses 0.2 to 1 million tce a
year, or more (NDRC, MIIT and NEA 2025, no. 910)."""

EQUATOR = 40_075.0
"""km."""
CAR = 150.0
"""Emissions of a car, g/km: those with which 18,000 t are said to be 3,000 trips around the equator."""
DWELLING = 92.17
"""Mean dwelling of an urban household in China, m² (census of 2020)."""
NORTHERN_HEATING = 28.8
"""Emissions of heating in northern cities, kg/m² in a year: 450 Mt over 15.6e9 m², 2020 (Energies 2024, 17:579)."""
FOREST = 3.26
"""What China's forests take up in their biomass, t CO2/ha in a year: 154.8 Tg C a year over 7,975 Tg C at 45.8 Mg C/ha
(Yang et al. 2022, Biogeosciences 19:2989)."""
EVERYDAY = (
    ("car_trips_around_the_equator", "car trips around the equator", EQUATOR * CAR * 1e-6),
    ("households_heated", "urban households heated as usual in the north", DWELLING * NORTHERN_HEATING * 1e-3),
    ("forest_hectares", "hectares of forest, by what they take up in a year", FOREST),
)
"""Key, words and t CO2 a year of one."""

_ROWS = 2**16
_SHALLOW_ROWS = 2**12
"""Samples whose shallow boreholes are sized: a second's work."""


def ledgers(dataset: xr.Dataset, *, most_failed: float = MOST_FAILED) -> list[Line]:
    """Lines of all ledgers that the study has something to say of.

    Parameters
    ----------
    dataset
        An ensemble.
    most_failed
        Largest share of samples that may have failed.

    Raises
    ------
    EnsembleError
        When too many failed.
    """
    study = study_of(dataset.attrs)
    winters = Winters(usable(dataset, most_failed), study.resolved(), most_failed)
    inputs = sample_inputs(study, dataset["sample"].values)
    parts = (
        _park(study, winters),
        _company(study, winters),
        _life_cycle(study, winters, inputs),
        _costs(study, winters, inputs),
        _land(study, winters, inputs),
        _shallow(study, winters),
        _everyday(winters),
    )
    return [line for part in parts for line in part]


def _park(study: Study, winters: Winters) -> Iterator[Line]:
    if study.park is None:
        return
    section = "Emissions of the park per unit of energy"
    after = winters.values("park_emissions_per_energy")
    before = winters.values("park_emissions_per_energy_before")
    for key, words, data in (("park_before", "before, mean", before), ("park_after", "with the wells, mean", after)):
        yield Line(key, section, words, "t/tce", winters.mean(data))
    yield Line("park_change", section, "change, mean", "t/tce", winters.mean(after - before))
    promised = study.claim.park_emissions_per_energy if study.claim else None
    limits = [("park_promise", "promised", promised)] if promised else []
    limits += [(f"park_{round(100 * limit):03}", "national threshold", limit) for limit in NATIONAL_THRESHOLDS]
    for key, words, limit in limits:
        reached = winters.chance(after.mean("winter") <= limit)
        yield Line(f"p_{key}", section, f"{limit:g} or less ({words}), on average over the life", "%", reached)


def _company(study: Study, winters: Winters) -> Iterator[Line]:
    """Winters count to the year in which they end."""
    claim = study.claim
    if claim is None or claim.first_winter is None:
        return
    carbon = winters.values("carbon_reduction")
    for target in claim.company_targets or ():
        ended = target.year - claim.first_winter
        section = f"The company's ledger: {target.reduction / 1e6:g} Mt less in {target.year}"
        if not 1 <= ended <= winters.count:
            why = f"the study's winters end in {claim.first_winter + 1} to {claim.first_winter + winters.count}"
            none = Estimate(np.nan, remark=why)
            yield Line(f"ledger_{target.year}_cumulated", section, "carbon reduction until then", "t CO2", none)
            continue
        cumulated = carbon.isel(winter=slice(ended)).sum("winter")
        words = f"carbon reduction of the {ended} winters until {target.year}"
        yield Line(f"ledger_{target.year}_cumulated", section, f"{words}, mean", "t CO2", winters.mean(cumulated))
        for percent in (5, 95):
            key = f"ledger_{target.year}_cumulated_p{percent:02}"
            yield Line(
                key, section, f"{words}, {percent} % quantile", "t CO2", winters.quantile(cumulated, percent / 100)
            )
        share = winters.mean(carbon.isel(winter=ended - 1) / target.reduction)
        yield Line(
            f"ledger_{target.year}_share", section, f"share of the winter that ends in {target.year}", "%", share
        )


def _life_cycle(study: Study, winters: Winters, inputs: Inputs) -> Iterator[Line]:
    section = "Life cycle"
    built = winters.by_sample(embodied(study, inputs))
    running = winters.values("carbon_reduction") + winters.values("carbon_embodied")
    yield Line("embodied", section, "emissions of building wells and heat pumps", "t CO2", winters.level(built))
    heat = winters.values("heat_delivered").sum("winter")
    intensity = winters.ratio(1e3 * (winters.values("carbon_embodied").sum("winter")), heat)  # t/MWh = 1e3 g/kWh
    yield Line("embodied_per_heat", section, "the same over the heat delivered", "g/kWh", intensity)
    lost = winters.values("carbon_refrigerant")
    yield Line("refrigerant", section, "emissions of lost refrigerant per winter", "t CO2", winters.level(lost))
    years = payback(running, built)
    paid = years <= winters.count
    yield Line("p_payback", section, f"paid back within {winters.count} winters", "%", winters.chance(paid))
    capped = years.where(paid, winters.count + 1.0).where(running.notnull().all("winter"))
    for percent in (5, 50, 95):
        found = winters.quantile(capped, percent / 100)
        if found.value <= winters.count:
            words = "median" if percent == 50 else f"{percent} % quantile"
            yield Line(f"payback_p{percent:02}", section, f"winters until paid back, {words}", "", found)


COST_PARTS = {
    "wells": "wells",
    "heat_pumps": "heat pumps",
    "peak_heating": "peak and reserve heating",
    "surface_plant": "surface plant",
    "electricity": "electricity",
    "fuel": "fuel",
    "upkeep": "upkeep and staff",
}
"""Parts of the cost of heat, and words for them."""


def cost_parts(dataset: xr.Dataset) -> xr.Dataset:
    """Levelised cost of heat by part (`COST_PARTS`), CNY/GJ, (sample,) each, and what carbon costs.

    With `additional_cost`, CNY, and `avoided_carbon`, t CO2, both discounted, whose quotient is what carbon costs.

    Parameters
    ----------
    dataset
        An ensemble of a study with `economics`; a sample that failed has anything.
    """
    study, rows = study_of(dataset.attrs), dataset["sample"].values
    flows = dataset[[name for name in PRICED if name in dataset]].transpose("winter", "sample")
    names = (*COST_PARTS, "additional_cost", "avoided_carbon")
    numbers = {name: np.empty(len(rows)) for name in names}
    for first in range(0, len(rows), _ROWS):
        part = slice(first, first + _ROWS)
        loaded = {str(name): values.values for name, values in flows.isel(sample=part).data_vars.items()}
        with np.errstate(all="ignore"):  # of samples that failed
            found = costs(study, sample_inputs(study, rows[part]), loaded)
            for name, value in found.parts.items():
                numbers[name][part] = value / found.discounted_heat
        numbers["additional_cost"][part], numbers["avoided_carbon"][part] = found.additional, found.discounted_tonnes
    return xr.Dataset({name: ("sample", value) for name, value in numbers.items()}, coords=dataset["status"].coords)


def _costs(study: Study, winters: Winters, inputs: Inputs) -> Iterator[Line]:
    if study.economics is None:
        return
    section = f"Levelised cost of heat by part, in CNY of {study.economics.price_year}, means"
    found = cost_parts(winters.dataset)
    for name, words in COST_PARTS.items():
        if (winters.good(found[name]) != 0.0).any():
            yield Line(f"heat_cost_{name}", section, words, "CNY/GJ", winters.level(found[name]))
    whole = winters.values("levelised_cost_of_heat")
    yield Line("heat_cost", section, "all of it", "CNY/GJ", winters.mean(whole))
    yearly = capital_recovery_factor(inputs["economics.discount_rate"], np.array(float(winters.count)))
    paid = winters.values("capital_cost") * yearly / 1e6
    section = "Costs of all samples together"
    words = f"building the plant, as a payment in each of {winters.count} years, with no value left, mean"
    yield Line("capital_cost_yearly", section, words, "MCNY", winters.level(paid))
    words = "additional cost over avoided carbon, both discounted, expected"
    ratio = winters.ratio(found["additional_cost"], found["avoided_carbon"])
    yield Line("expected_cost_of_avoided_carbon", section, words, "CNY/t", ratio)


def payback(running: xr.DataArray, built: xr.DataArray) -> xr.DataArray:
    """Winters after which what is saved while running makes up for what was emitted in building, (sample,).

    Parameters
    ----------
    running
        Reduction without what was built, t CO2, (sample, winter).
    built
        Emissions of building, t CO2, (sample,).

    Returns
    -------
    Within a winter in proportion; infinite where the winters are not enough.
    """
    cumulated = running.cumsum("winter")
    enough = cumulated >= built
    first = enough.argmax("winter")
    before = cumulated.isel(winter=first) - running.isel(winter=first)
    return (
        (first + (built - before) / running.isel(winter=first))
        .where(enough.any("winter"), np.inf)
        .where(built > 0, 0.0)
        .drop_vars("winter", errors="ignore")
    )


def _land(study: Study, winters: Winters, inputs: Inputs) -> Iterator[Line]:
    section = "Water and land"
    none = Estimate(0.0, 0.0, 0.0)
    words = "groundwater taken: a closed loop, whose water stays in its pipes"
    yield Line("groundwater", section, words, "m³", none)
    area = winters.by_sample(field_area(study, inputs))
    power = _pump_heat(winters).mean("winter") / (24 * study.season.days)
    yield Line("field_area", section, "ground above the field of wells", "ha", winters.level(area / 1e4))
    words = "the same over the mean heat of the heat pumps"
    yield Line("field_area_per_power", section, words, "ha/MW", winters.ratio(area / 1e4, power))


def _pump_heat(winters: Winters) -> xr.DataArray:
    """Heat delivered by the heat pumps, MWh, (sample, winter)."""
    return winters.values("heat_delivered") - winters.values("heat_backup")


def field_area(study: Study, inputs: Inputs) -> np.ndarray:
    """Area that a field of wells takes, m², (row,): for each well the square of the distance to its nearest."""
    places = np.array(study.field.places)
    if len(places) == 1:
        return np.zeros_like(inputs["well.depth"])
    x, y = places.T
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(len(x), np.inf))
    nearest = apart.min(axis=1) * inputs.get("field.spacing", np.ones(1))[:, None]
    return np.broadcast_to((nearest**2).sum(axis=1), inputs["well.depth"].shape)


def _shallow(study: Study, winters: Winters) -> Iterator[Line]:
    """Less space, steadier, more efficient? The deep wells beside shallow boreholes that give the same heat.

    Of the first `_SHALLOW_ROWS` samples, which are as good a design as all.
    """
    dataset = winters.dataset.isel(sample=slice(_SHALLOW_ROWS))
    some = Winters(dataset, winters.study, winters.most_failed)
    section = f"Beside shallow boreholes for the heat of the heat pumps{_of_some(winters, dataset)}"
    other = study
    if study.carbon.supply != "ground_source_heat_pump":
        try:
            other = with_account(study, baseline="ground_source_heat_pump")
        except ConfigError as error:
            yield Line("shallow_none", section, "cannot be accounted for", "", Estimate(np.nan, remark=str(error)))
            return
    if other.shallow_field is None:
        other = Study.model_validate({**other.resolved(), "shallow_field": {}})
    inputs = sample_inputs(other, dataset["sample"].values)
    heat = _pump_heat(some)
    of_pumps = heat.mean("winter")
    plant = _shallow_plant(other, inputs, of_pumps.values)
    without = np.array([problem is not None for problem in plant.problem])
    if without.any():
        words = f"samples without such a plant: {next(filter(None, plant.problem))}"
        yield Line("shallow_none", section, words, "%", some.chance(some.by_sample(without) > 0))
        return
    electricity = some.values("electricity") - some.values("electricity_backup")
    every, bought = some.values("heat_delivered"), some.values("electricity") + _fuel(dataset)
    coldest = some.values("inlet_temperature_min")
    words = "heat over electricity, with peak and reserve heating"
    yield Line("deep_cop_whole", section, f"deep wells: {words}", "", some.ratio(every, bought))
    pairs = (
        ("cop", "heat pumps' heat over electricity, with pumps", "", some.ratio(heat, electricity), plant.cop),
        ("electricity", "electricity without peak heating, a winter", "MWh", some.mean(electricity), plant.electricity),
        ("coldest_first", "coldest water, first winter", "°C", some.mean(coldest.isel(winter=0)), plant.coldest_first),
        ("coldest_last", "coldest water, last winter", "°C", some.mean(coldest.isel(winter=-1)), plant.coldest_last),
    )
    for key, words, units, deep, shallow in pairs:
        into, mean = (" (inlet)", " (mean of flow and return)") if units == "°C" else ("", "")
        yield Line(f"deep_{key}", section, f"deep wells: {words}{into}", units, deep)
        yield Line(f"shallow_{key}", section, f"shallow: {words}{mean}", units, some.level(some.by_sample(shallow)))
    for key, words, units, values in (
        ("boreholes", "boreholes", "", plant.boreholes),
        ("drilled", "drilled", "km", plant.drilled / 1e3),
        ("land", "ground above them", "ha", plant.land / 1e4),
    ):
        yield Line(f"shallow_{key}", section, f"shallow: {words}", units, some.level(some.by_sample(values)))
    power = of_pumps / (24 * study.season.days)
    words = "shallow: ground over the mean heat of the heat pumps"
    yield Line("shallow_land_per_power", section, words, "ha/MW", some.ratio(some.by_sample(plant.land) / 1e4, power))


def _of_some(winters: Winters, dataset: xr.Dataset) -> str:
    some, every = dataset.sizes["sample"], winters.dataset.sizes["sample"]
    return f" ({some:,} of the samples)" if some < every else ""


def _fuel(dataset: xr.Dataset) -> xr.DataArray | float:
    """Fuel of peak and reserve heating, MWh."""
    return sum(dataset[name].compute() for name in FUELS if name in dataset)


def _shallow_plant(study: Study, inputs: Inputs, heat: Array) -> ShallowPlant:
    """Boreholes for so much heat of the heat pumps, MWh a winter, (row,)."""
    of = {key.partition(".")[2]: value for key, value in inputs.items() if key.startswith("shallow_field.")}
    rock = {name: values[0] for name, values in Stretches.of_rock(inputs).values.items()}  # of the uppermost layer
    load = Load(
        heat=heat,
        capacity=capacity(inputs, "heat_pump") * 1e-6,
        seasonal_cop=inputs["carbon.baseline_cop"],
        design_cop=np.maximum(1.0, of["design_cop_share"] * inputs["carbon.baseline_cop"]),
        years=np.array(float(study.winters)),
        season_days=np.array(float(study.season.days)),
        recharge=of["recharge"],
    )
    boreholes = Boreholes(
        conductivity=rock["conductivity"],
        heat_capacity=rock["volumetric_heat_capacity"] * 1e6,
        surface_temperature=inputs["surface_temperature"],
        geothermal_gradient=rock["geothermal_gradient"] * 1e-3,
        **{name: of[name] for name in ("depth", "spacing", "diameter", "resistance", "lowest_fluid_temperature")},
    )
    return shallow_plant(load, boreholes)


def _everyday(winters: Winters) -> Iterator[Line]:
    section = "A winter's carbon reduction in everyday units"
    carbon = winters.values("carbon_reduction")
    for key, words, tonnes in EVERYDAY:
        yield Line(key, section, f"{words} (each {tonnes:.3g} t CO2)", "", winters.mean(carbon / tonnes))


def carbon_reduction(dataset: xr.Dataset, study: Study) -> xr.DataArray:
    """Carbon reduction of an ensemble's rows in the account of another study, t CO2, (sample, winter).

    Parameters
    ----------
    dataset
        The ensemble.
    study
        Its study with another account (`study.reaccounting.with_account`).
    """
    flows = dataset[[name for name in FLOWS if name in dataset]].transpose("winter", "sample")
    found = np.empty((dataset.sizes["winter"], dataset.sizes["sample"]))
    for first in range(0, dataset.sizes["sample"], _ROWS):
        part = slice(first, first + _ROWS)
        inputs = sample_inputs(study, dataset["sample"].values[part])
        loaded = {str(name): values.values for name, values in flows.isel(sample=part).data_vars.items()}
        with np.errstate(all="ignore"):  # what is not finite counts as failed
            found[:, part] = account(study, inputs, loaded)["carbon_reduction"]
    return xr.DataArray(found.T, dims=("sample", "winter"), coords=dataset["carbon_reduction"].coords)


def every_reduction(dataset: xr.Dataset) -> Reductions:
    """Carbon reduction of an ensemble's rows in every built-in account, or why its study cannot have that account."""
    study = study_of(dataset.attrs)
    ways: list[ElectricityAccount] = ["location", "market"]
    if "electricity_covered" in dataset:
        ways.append("hourly")
    found: dict[tuple[ElectricityAccount, Baseline], tuple[Carbon, xr.DataArray] | ConfigError] = {}
    for electricity, baseline in itertools.product(ways, BASELINES):
        try:
            other = with_account(study, baseline=baseline, electricity=electricity)
        except ConfigError as error:
            found[electricity, baseline] = error
        else:
            found[electricity, baseline] = other.carbon, carbon_reduction(dataset, other)
    return found


def every_account(
    dataset: xr.Dataset, *, most_failed: float = MOST_FAILED, reductions: Reductions | None = None
) -> list[Line]:
    """What each built-in baseline, with each account of electricity that the study has, makes of an ensemble.

    Parameters
    ----------
    dataset
        The ensemble.
    most_failed
        Largest share of samples that may have failed.
    reductions
        Of `every_reduction`, where they are known already.

    Raises
    ------
    EnsembleError
        When too many samples failed.
    """
    study = study_of(dataset.attrs)
    samples = usable(dataset, most_failed)
    winters = Winters(samples, study.resolved(), most_failed)
    claim = study.claim.carbon_reduction if study.claim else None
    lines = []
    for (electricity, baseline), found in (reductions or every_reduction(samples)).items():
        key, words = f"{baseline}_{electricity}", f"instead of {baseline_in_words(baseline)}"
        section = "Carbon reduction per winter, mean; "
        if isinstance(found, ConfigError):
            none = Estimate(np.nan, remark=str(found))
            lines.append(Line(f"carbon_reduction_{key}", f"{section}electricity {electricity}", words, "t CO2", none))
            continue
        carbon, data = found
        data = data.assign_coords(samples["carbon_reduction"].coords)
        how = f"built-in figures, {carbon.words.partition('; ')[2]}"
        lines.append(Line(f"carbon_reduction_{key}", f"{section}{how}", words, "t CO2", winters.mean(data)))
        if claim is not None:
            section = f"Probability of {claim:,.0f} t CO2 or more on average over the life; {how}"
            likely = winters.chance(data.mean("winter") >= claim)
            lines.append(Line(f"p_claim_{key}", section, words, "%", likely))
    return lines
