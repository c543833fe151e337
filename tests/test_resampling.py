"""Winters put together from recorded ones: which are picked, and that nothing but the seams is changed."""

import numpy as np
import pytest
from scipy.stats import chi2

from kernels.philox import philox
from kernels.resampling import BLEND_HOURS, STREAM, blocks_of_winters, pick, whole_winters

FIRST_DAY, DAYS, BLOCK_DAYS = 305, 151, 10
SEED = 2**63 + 11  # beyond the signed 64-bit integers


@pytest.fixture(scope="module")
def record() -> np.ndarray:
    """Twelve seasons of a first-order autoregression about a yearly cycle, hour by hour."""
    generator = np.random.default_rng(4)
    anomaly = np.empty((12, 24 * DAYS))
    anomaly[:, 0] = generator.normal(size=12)
    for hour in range(1, anomaly.shape[1]):
        anomaly[:, hour] = 0.98 * anomaly[:, hour - 1] + np.sqrt(1.0 - 0.98**2) * generator.normal(size=12)
    return np.rint(100.0 * (5.0 * anomaly - 15.0 * np.sin(np.linspace(0.3, 2.8, 24 * DAYS)))) / 100.0


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """A record whose temperatures tell which winter they are from."""
    return np.repeat(np.arange(12.0)[:, None], 24 * DAYS, axis=1)


def blocks(
    record: np.ndarray, samples: np.ndarray, winter: int = 0, first_day: int = FIRST_DAY, block_days: int = BLOCK_DAYS
) -> np.ndarray:
    return blocks_of_winters(record, np.zeros(len(samples)), SEED, samples, winter, first_day, block_days)


def weights(first_day: int = FIRST_DAY, days: int = DAYS, block_days: int = BLOCK_DAYS) -> np.ndarray:
    """The weight of the winter after the nearest seam; seams lie whole numbers of blocks after 1 July, day 182."""
    hour = 24 * ((first_day - 182) % 365) + np.arange(24 * days)
    nearest = np.rint(hour / (24 * block_days)) * 24 * block_days
    return np.clip((hour + 0.5 - nearest) / BLEND_HOURS + 0.5, 0.0, 1.0)


@pytest.mark.parametrize("number", [1, 3, 12, 200, 2**40 + 1])
def test_pick_is_the_upper_half_of_the_product(number: int) -> None:
    """Against Python's unbounded integers, at the corners and at random."""
    words = [0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
    words += [int(word) for word in np.random.default_rng(1).integers(2**64, size=200, dtype=np.uint64)]
    words += [min(-(-index * 2**64 // number), 2**64 - 1) for index in range(min(number, 200))]
    for word in words:
        assert pick(np.uint64(word), number) == word * number >> 64


def test_whole_winters_are_those_of_the_record(record: np.ndarray) -> None:
    samples, offset = np.arange(300), np.linspace(-2.0, 3.0, 300)
    hours = whole_winters(record, offset, SEED, samples, 5)
    words = [philox(np.uint64(SEED), STREAM, 0, 5, sample, 0)[0] for sample in samples]
    chosen = [int(word) * 12 >> 64 for word in words]
    np.testing.assert_array_equal(hours, record[chosen].T + offset)
    assert set(chosen) == set(range(12))


def test_picks_depend_on_their_place_alone(record: np.ndarray) -> None:
    """Neither on the other samples and their order, nor on the length of the season."""
    samples, chosen = np.arange(40), np.array([31, 2, 17, 17])
    for winter in (0, 7):
        alone = whole_winters(record, np.zeros(4), SEED, chosen, winter)
        together = whole_winters(record, np.zeros(40), SEED, samples, winter)
        np.testing.assert_array_equal(alone, together[:, chosen])
        np.testing.assert_array_equal(blocks(record, chosen, winter), blocks(record, samples, winter)[:, chosen])
    shorter = blocks(record[:, 24 * 17 : -24 * 30], samples, first_day=FIRST_DAY + 17)
    np.testing.assert_array_equal(shorter, blocks(record, samples)[24 * 17 : -24 * 30])
    other_blocks = blocks(record, samples, block_days=5)
    assert (other_blocks != blocks(record, samples)).mean() > 0.5


def test_season_that_begins_or_ends_at_a_seam(record: np.ndarray) -> None:
    """The blend goes on across the season's edge, as it would in a longer season."""
    samples = np.arange(40)
    seam = 24 * (BLOCK_DAYS - (FIRST_DAY - 182) % BLOCK_DAYS)
    later = blocks(record[:, seam:], samples, first_day=FIRST_DAY + seam // 24)
    np.testing.assert_array_equal(later, blocks(record, samples)[seam:])
    np.testing.assert_array_equal(blocks(record[:, :seam], samples), blocks(record, samples)[:seam])


def test_picks_are_uniform_and_independent(labels: np.ndarray) -> None:
    """Chi-square of single picks, and of pairs between winters, samples and blocks, below its 0.9999 quantile.

    The picks are read from the middle of each block, which the record's labels show as they are.
    """
    samples = np.arange(1000)
    middles = np.flatnonzero((np.arange(24 * DAYS) + 24 * (FIRST_DAY - 182)) % (24 * BLOCK_DAYS) == 12 * BLOCK_DAYS)
    of_blocks = np.array([blocks(labels, samples, winter)[middles] for winter in range(3)]).astype(int)
    one_hour = np.ascontiguousarray(labels[:, :1])
    of_winters = np.array([whole_winters(one_hour, np.zeros(1000), SEED, samples, w)[0] for w in range(40)]).astype(int)
    assert (of_blocks.shape[1], of_blocks.max()) == (15, 11)
    pairs = {
        "block, winter": (of_blocks[1:], of_blocks[:-1]),
        "block, sample": (of_blocks[..., 1:], of_blocks[..., :-1]),
        "block, block": (of_blocks[:, 1:], of_blocks[:, :-1]),
        "winter, winter": (of_winters[1:], of_winters[:-1]),
        "winter, sample": (of_winters[:, 1:], of_winters[:, :-1]),
        "winter, block": (of_winters[:3], of_blocks[:, 0]),
    }
    tables = {name: 12 * first.ravel() + second.ravel() for name, (first, second) in pairs.items()}
    counts = {name: np.bincount(table, minlength=144) for name, table in tables.items()}
    counts |= {
        "block": np.bincount(of_blocks.ravel(), minlength=12),
        "winter": np.bincount(of_winters.ravel(), minlength=12),
    }
    statistics = {name: ((n - n.mean()) ** 2).sum() / n.mean() for name, n in counts.items()}
    failed = {name: value for name, value in statistics.items() if value > chi2.ppf(0.9999, len(counts[name]) - 1)}
    assert not failed


def test_mean_and_variance_are_those_of_the_record(record: np.ndarray) -> None:
    """Of every hour, within five standard errors of 3,000 samples (thousands of hours share a dozen picks).

    The variance between winters is that of the record times w² + (1 − w)², where a seam blends two independent picks.
    """
    samples = np.arange(3000)
    mean, variance = record.mean(axis=0), record.var(axis=0)
    fourth = ((record - mean) ** 4).mean(axis=0)
    late = weights()
    kinds = {
        "blocks": (blocks(record, samples), late),
        "winters": (whole_winters(record, np.zeros(3000), SEED, samples, 0), np.ones_like(late)),
    }
    for name, (hours, w) in kinds.items():
        expected = (w**2 + (1.0 - w) ** 2) * variance
        of_blend = (w**4 + (1.0 - w) ** 4) * fourth + 6.0 * (w * (1.0 - w) * variance) ** 2
        error, spread = np.sqrt(expected / 3000), np.sqrt((of_blend - expected**2) / 3000)
        assert np.abs((hours.mean(axis=1) - mean) / error).max() < 5.0, name
        assert np.abs((hours.var(axis=1) - expected) / spread).max() < 5.0, name


def test_persistence_is_kept_within_blocks_and_lost_between(record: np.ndarray) -> None:
    """Covariance over 24 h: that of the record's winters within a block, none across a seam; four standard errors."""
    mean, late = record.mean(axis=0), weights()
    clear = (late[:-24] % 1.0 == 0.0) & (late[24:] % 1.0 == 0.0)
    block = (24 * (FIRST_DAY - 182) + np.arange(24 * DAYS)) // (24 * BLOCK_DAYS)
    within, across = clear & (block[:-24] == block[24:]), clear & (block[:-24] != block[24:])
    anomaly = blocks(record, np.arange(3000)).T - mean
    products, recorded = anomaly[:, :-24] * anomaly[:, 24:], (record - mean)[:, :-24] * (record - mean)[:, 24:]
    for hours, expected in ((within, recorded[:, within].mean()), (across, 0.0)):
        of_samples = products[:, hours].mean(axis=1)
        error = of_samples.std() / np.sqrt(len(of_samples))
        assert abs(of_samples.mean() - expected) < 4.0 * error
    assert recorded[:, within].mean() > 0.3 * recorded[:, within].std()  # there is persistence to keep


def test_seams_have_no_jump(record: np.ndarray, labels: np.ndarray) -> None:
    """Six hours lead from one winter to the next; a step is the winters' own and a sixth of their distance at most."""
    hours = blocks(labels, np.arange(500))
    late = weights()
    for seam in np.flatnonzero(np.diff((late >= 0.5).astype(int)) == 1) + 1:
        before, after = hours[seam - BLEND_HOURS], hours[seam + BLEND_HOURS]
        for hour, weight in zip(range(-3, 3), (1 / 12, 3 / 12, 5 / 12, 7 / 12, 9 / 12, 11 / 12), strict=True):
            np.testing.assert_allclose(hours[seam + hour], before + weight * (after - before), atol=1e-12)
    assert np.abs(np.diff(hours, axis=0)).max() == pytest.approx(11.0 / 6.0)  # some sample has winter 0 beside 11
    own = np.abs(np.diff(record, axis=1)).max(axis=0)
    steps = np.abs(np.diff(blocks(record, np.arange(500)), axis=0)).max(axis=1)
    assert (steps <= own + np.abs(np.diff(late)) * np.ptp(record, axis=0)[:-1] + 1e-12).all()


@pytest.mark.parametrize(("first_day", "block_days"), [(182, 1), (305, 1), (60, 10), (305, 365), (181, 365)])
def test_any_season_and_block(first_day: int, block_days: int) -> None:
    """A season of a whole year, across new year and 1 July: the record's own hours, save in seams."""
    record = np.random.default_rng(2).normal(size=(3, 8760))
    hours = blocks(record, np.arange(5), first_day=first_day, block_days=block_days)
    assert ((hours >= record.min(axis=0)[:, None]) & (hours <= record.max(axis=0)[:, None])).all()
    copied = (hours[:, None, :] == record.T[:, :, None]).any(axis=1)
    seam = weights(first_day, 365, block_days) % 1.0 != 0.0
    assert seam.any()
    assert copied[~seam].all()
    assert not copied[seam].all()


def test_offset_is_added_to_each_sample(record: np.ndarray) -> None:
    samples, offset = np.arange(6), np.array([0.0, -3.0, 0.1, 2.5, 0.0, 1e-3])
    shifted = blocks_of_winters(record, offset, SEED, samples, 2, FIRST_DAY, BLOCK_DAYS)
    np.testing.assert_array_equal(shifted, blocks(record, samples, 2) + offset)


def test_one_recorded_winter_is_itself(record: np.ndarray) -> None:
    """Seams between a winter and itself change no bit."""
    np.testing.assert_array_equal(blocks(record[3:4], np.arange(2)), np.repeat(record[3][:, None], 2, axis=1))
