"""Laws of the bound, against exact rational arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import SETTINGS, samples

from s3export.domain.confidence import (
    Bound,
    at_most,
    largest_sample_size,
    sample_size,
    upper_bound,
)

LEVELS = (0.5, 0.9, 0.95, 0.99, 0.999)


def exactly_at_most(failed: int, population: int, wrong: int, drawn: int) -> Fraction:
    """P(X <= failed) as a fraction."""
    ways = sum(
        math.comb(wrong, x) * math.comb(population - wrong, drawn - x)
        for x in range(failed + 1)
        if drawn >= x
    )
    return Fraction(ways, math.comb(population, drawn))


def exact_bound(population: int, drawn: int, failed: int, level: float) -> int:
    """The largest D that is plausible, by trying them all."""
    return max(
        wrong
        for wrong in range(failed, failed + population - drawn + 1)
        if exactly_at_most(failed, population, wrong, drawn) > 1 - Fraction(level)
        or wrong == failed
    )


@given(samples(), st.sampled_from(LEVELS))
@example((44, 41, 20), 0.5)  # a probability of exactly one half
@SETTINGS
def test_the_bound_is_exact_for_small_populations(
    sample: tuple[int, int, int], level: float
) -> None:
    """It equals what trying every number of wrong files in fractions gives."""
    population, drawn, failed = sample

    bound = upper_bound(population, drawn, failed, level)

    assert bound.files == exact_bound(population, drawn, failed, level)


@pytest.mark.parametrize(
    ("population", "drawn", "failed"),
    [
        (123_456, 100, 0),
        (123_456, 100, 3),
        (10**6, 1000, 2),
        (10**9, 100, 0),
        (10**9, 300, 5),
        (10**9, 59, 58),
    ],
)
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_bound_is_exact_for_large_populations(
    population: int, drawn: int, failed: int, level: float
) -> None:
    """One file more would not be plausible, by exact fractions."""
    files = upper_bound(population, drawn, failed, level).files
    doubt = 1 - Fraction(level)

    assert exactly_at_most(failed, population, files, drawn) > doubt
    assert exactly_at_most(failed, population, files + 1, drawn) <= doubt


@given(samples(), st.data())
@example((44, 41, 20), None)
@SETTINGS
def test_the_bound_is_exact_where_probability_and_doubt_nearly_meet(
    sample: tuple[int, int, int], data: st.DataObject | None
) -> None:
    """A level a trillionth above or below what makes a number plausible decides."""
    population, drawn, failed = sample
    wrongs = range(failed, failed + population - drawn + 1)
    chances = [exactly_at_most(failed, population, one, drawn) for one in wrongs]
    likely = [one for one in chances if Fraction(1, 10**6) < one <= Fraction(1, 2)]
    if not likely:
        return
    chance = data.draw(st.sampled_from(likely)) if data else likely[0]
    for level in (float(1 - chance) - 1e-12, float(1 - chance) + 1e-12):
        bound = upper_bound(population, drawn, failed, level)

        assert bound.files == exact_bound(population, drawn, failed, level)


@pytest.mark.parametrize(
    ("population", "drawn", "failed", "level", "files"),
    [
        (10**9, 20_000, 0, 0.999, 345_324),
        (10**9, 20_000, 2, 0.95, 314_753),
        (10**7, 50_000, 0, 0.5, 138),
        (10**6, 20_000, 1, 0.99, 329),
        (10**5, 10_001, 0, 0.9, 21),
        (20_000, 10_000, 0, 0.5, 0),  # a probability of exactly one half
    ],
)
def test_the_bound_of_a_large_sample_is_known(
    population: int, drawn: int, failed: int, level: float, files: int
) -> None:
    """By exact fractions, computed once."""
    assert upper_bound(population, drawn, failed, level).files == files


@pytest.mark.parametrize("drawn", [10_001, 20_000])
def test_a_tie_too_large_to_settle_is_on_the_safe_side(drawn: int) -> None:
    """The bound may be one file too high, and is never too low."""
    assert upper_bound(2 * drawn, drawn, 0, 0.5).files == 1


@given(samples(), st.sampled_from(LEVELS))
@SETTINGS
def test_more_evidence_never_makes_the_bound_worse(
    sample: tuple[int, int, int], level: float
) -> None:
    """Monotone in what was drawn, in the failures, and in the confidence."""
    population, drawn, failed = sample
    files = upper_bound(population, drawn, failed, level).files

    assert failed <= files <= failed + population - drawn
    if drawn < population:
        assert upper_bound(population, drawn + 1, failed, level).files <= files
    if failed < drawn:
        assert upper_bound(population, drawn, failed + 1, level).files >= files
    assert upper_bound(population, drawn, failed, 0.9999).files >= files


@given(samples(400), st.data())
@SETTINGS
def test_probabilities_are_those_of_exact_fractions(
    sample: tuple[int, int, int], data: st.DataObject
) -> None:
    """To twelve digits, and none is more than 1: what is impossible has none."""
    population, drawn, failed = sample
    wrong = data.draw(st.integers(0, population))
    exactly = exactly_at_most(failed, population, wrong, drawn)

    found = at_most(failed, population, wrong, drawn)

    assert 0 <= found <= 1
    if exactly == 0 or exactly > Fraction(1, 10**290):  # floating point ends at 1e-308
        assert found == pytest.approx(float(exactly), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("failed", "population", "wrong", "drawn", "probability"),
    [
        (0, 10**9, 5 * 10**8, 3, 0.124999999625),
        (2, 10**9, 7 * 10**8, 3, 0.657000000441),
        (0, 10**9, 29_512_345, 100, 0.05000362277615812),
        (2, 10**9, 62_000_000, 100, 0.04855163158168869),
        (0, 10**9, 299_500, 10_000, 0.05001343703745883),
        (3, 10**9, 775_000, 10_000, 0.05005975467629167),
        (50, 10**9, 5_000_000, 10_000, 0.5375168101985281),
        (0, 10**9, 3, 10**9 // 2, 0.124999999625),
        (2, 10**9, 3, 10**9 - 1000, 2.999997003000994e-06),
        (0, 10**9, 5, 10**9 - 5, 1.2000000120000002e-43),
        (4, 10**9, 5, 10**9 - 1000, 4.99999001000996e-06),
        (0, 10**9, 10**9 - 20, 7, 3.907008082047169e-55),
        (6, 10**9, 10**9 - 20, 7, 1.3999999202000023e-07),
        (299, 10**9, 10**9 - 10**4, 300, 0.002995519898955116),
        (980, 10**9, 10**9 - 20, 1000, 8.25928570285615e-121),
        (0, 10**8, 10**4, 10**4, 0.3678426526141928),
        (1, 10**8, 10**4, 10**4, 0.7357588847956595),
        (0, 123_456, 3642, 100, 0.05000425662094614),
        (1, 20_000, 10_000, 10, 0.010726810487108942),
        (9, 10**6, 10_000, 1000, 0.4572383153787561),
        (10, 10**6, 10_000, 1000, 0.5830414427529191),
        (100, 10**6, 10_000, 10_000, 0.5265648827711678),
        (5000, 20_001, 10_001, 10_000, 0.5028209831692305),
    ],
)
def test_probabilities_of_large_populations_are_known(
    failed: int, population: int, wrong: int, drawn: int, probability: float
) -> None:
    """By exact fractions, computed once; to twelve digits."""
    found = at_most(failed, population, wrong, drawn)

    assert found == pytest.approx(probability, rel=1e-12, abs=0)


@pytest.mark.parametrize("population", [10**6, 10**9])
def test_probabilities_add_up_to_one(population: int) -> None:
    """Even where factorials have billions of digits."""
    wrong, drawn = population // 1000, population // 500

    below = at_most(wrong * drawn // population - 1, population, wrong, 2000)

    assert 0 <= below <= 1
    assert at_most(wrong, population, wrong, drawn) == 1


def test_the_contracts_sentence() -> None:
    """100 of 123,456 files without a failure: at most 3,642 (2.95 %) differ."""
    bound = upper_bound(123_456, 100, 0, 0.95)

    assert bound.files == 3642
    assert bound.fraction == 3642 / 123_456
    assert bound.level == 0.95


def test_no_files_are_no_share() -> None:
    """Of an empty population, none can be wrong."""
    assert upper_bound(0, 0, 0, 0.95) == Bound(0.95, files=0, fraction=0.0)


@pytest.mark.parametrize(
    ("population", "drawn", "failed", "level"),
    [(1, 2, 0, 0.95), (2, 1, 2, 0.95), (2, 1, -1, 0.95), (2, 1, 0, 1.0), (2, 1, 0, 0)],
)
def test_what_makes_no_sense_is_refused(
    population: int, drawn: int, failed: int, level: float
) -> None:
    """No bound is made up for impossible numbers."""
    with pytest.raises(ValueError, match=r"need|confidence"):
        upper_bound(population, drawn, failed, level)


# --- how many to draw ------------------------------------------------------------

fractions = st.one_of(
    st.floats(0, 1),
    st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 0.7, 1.0]),
)
"""Shares of a population; the decimals among them that binary cannot have."""


def leaves_few_enough(population: int, drawn: int, allowed: int, level: float) -> bool:
    """Say, in fractions, whether one file more than allowed would have been noticed."""
    if drawn >= population - allowed:
        return True
    none_of_them = exactly_at_most(0, population, allowed + 1, drawn)
    return none_of_them <= Fraction(1 - level)


@given(st.integers(0, 80), fractions, st.sampled_from(LEVELS))
@example(50, 0.58, 0.999)  # 0.58 * 50 is 28.999… in floating point
@example(4, 0.25, 0.5)  # a probability of exactly one half
@SETTINGS
def test_the_sample_is_the_smallest_that_will_do(
    population: int, fraction: float, level: float
) -> None:
    """By exact fractions: so many leave few enough plausible, one fewer does not."""
    size = sample_size(population, fraction, level)
    allowed = math.floor(Fraction(str(fraction)) * population)

    assert 0 <= size <= population
    assert leaves_few_enough(population, size, allowed, level)
    assert size == 0 or not leaves_few_enough(population, size - 1, allowed, level)


@given(
    st.integers(0, 10**9),
    st.sampled_from([1e-4, 0.001, 0.01, 0.0295, 0.1, 0.5]),
    st.sampled_from(LEVELS),
)
@example(10**9, 0.01, 0.95)
@example(10**9, 1e-4, 0.999)
@SETTINGS
def test_the_sample_does_what_it_is_drawn_for(
    population: int, fraction: float, level: float
) -> None:
    """Of up to a billion files: none wrong in it bounds the wrong ones as asked."""
    size = sample_size(population, fraction, level)

    assert upper_bound(population, size, 0, level).files <= fraction * population
    assert size <= largest_sample_size(fraction, level)
    if size:
        fewer = upper_bound(population, size - 1, 0, level)
        assert fewer.files > fraction * population


@given(st.integers(0, 3000), st.floats(1e-3, 1), st.floats(0.01, 0.9999))
@SETTINGS
def test_no_population_needs_more_than_the_largest_sample(
    population: int, fraction: float, level: float
) -> None:
    """Whatever the share and the confidence."""
    assert sample_size(population, fraction, level) <= largest_sample_size(
        fraction, level
    )


@pytest.mark.parametrize(
    ("fraction", "level", "files"),
    [
        (0.01, 0.95, 299),
        (0.05, 0.95, 59),
        (0.001, 0.95, 2995),
        (0.5, 0.5, 1),
        (1, 0.9, 0),
    ],
)
def test_the_largest_sample_is_nearly_needed(
    fraction: float, level: float, files: int
) -> None:
    """It is what a sample of endlessly many files would be: 59 for 5 % and 95 %."""
    assert largest_sample_size(fraction, level) - files in (0, 1)
    assert sample_size(10**9, fraction, level) - files in (-1, 0)


def test_where_all_may_be_wrong_nothing_is_drawn() -> None:
    """A bound that any population keeps needs no sample."""
    assert largest_sample_size(1, 0.95) == sample_size(10**9, 1, 0.95) == 0


@given(
    st.sampled_from([0.5, 0.3, 0.1, 0.01]),
    st.integers(1, 20),
    st.sampled_from([-1e-12, 0, 1e-12]),
)
@SETTINGS
def test_the_largest_sample_is_enough_of_endlessly_many_files(
    fraction: float, files: int, nudge: float
) -> None:
    """By exact fractions; two fewer are not, however near a whole number they are."""
    level = 1 - (1 - fraction) ** files + nudge
    right, doubt = 1 - Fraction(str(fraction)), Fraction(1 - level)

    largest = largest_sample_size(fraction, level)

    assert right**largest <= doubt
    assert right ** (largest - 2) > doubt


@given(
    st.integers(0, 10**4),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0.01, 0.999), st.floats(0.01, 0.999)),
)
@settings(SETTINGS, max_examples=50)
def test_asking_for_more_never_takes_fewer(
    population: int, shares: tuple[float, float], levels: tuple[float, float]
) -> None:
    """A smaller share left open, or a higher confidence, takes no smaller sample."""
    small, large = sorted(shares)
    low, high = sorted(levels)

    assert sample_size(population, small, low) >= sample_size(population, large, low)
    assert sample_size(population, large, high) >= sample_size(population, large, low)
    if small:
        assert largest_sample_size(small, low) >= largest_sample_size(large, low)
        assert largest_sample_size(large, high) >= largest_sample_size(large, low)


@pytest.mark.parametrize(
    ("population", "fraction", "level"),
    [(-1, 0.1, 0.95), (9, -0.1, 0.95), (9, 1.1, 0.95), (9, 0.1, 0), (9, 0.1, 1)],
)
def test_a_sample_for_what_makes_no_sense_is_refused(
    population: int, fraction: float, level: float
) -> None:
    """Nor is there a number of files that bounds the wrong ones of any disk at none."""
    with pytest.raises(ValueError, match="need"):
        sample_size(population, fraction, level)
    with pytest.raises(ValueError, match="need"):
        largest_sample_size(0.0 if population < 0 else fraction, level)


@given(st.data(), st.integers(0, 400))
@SETTINGS
def test_probabilities_are_right_to_ten_digits(
    data: st.DataObject, population: int
) -> None:
    """However small they are, and whatever is drawn of whatever is wrong."""
    wrong = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    failed = data.draw(st.integers(0, drawn))

    exact = exactly_at_most(failed, population, wrong, drawn)

    assert at_most(failed, population, wrong, drawn) == pytest.approx(
        float(exact), rel=1e-10, abs=1e-300
    )


@pytest.mark.parametrize(
    ("failed", "population", "wrong", "drawn"),
    [
        (0, 10**9, 1, 10**6),
        (0, 10**9, 29_957_310, 100),
        (1, 10**9, 5 * 10**6, 1_000),
        (3, 10**9, 7_000_000, 1_000),
        (2, 10**6, 123, 45_678),
        (5, 123_456, 3_642, 100),
        (16, 123_456, 1_000, 1_500),
        (40, 50_000, 25_000, 100),
        (0, 10**9, 10**9 - 5, 5),
        (4, 10**9, 10**9 - 5, 5),
    ],
)
def test_probabilities_of_large_populations_are_right(
    failed: int, population: int, wrong: int, drawn: int
) -> None:
    """As counted with whole numbers of thousands of digits."""
    if drawn > 50_000:  # wrong and drawn may change places: the law is symmetric
        wrong, drawn = drawn, wrong
    exact = float(exactly_at_most(failed, population, wrong, drawn))

    assert at_most(failed, population, wrong, drawn) == pytest.approx(exact, rel=1e-9)
    assert at_most(failed, population, drawn, wrong) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("population", "drawn", "failed", "level"),
    [(1, 2, 0, 0.5), (2, 1, 2, 0.5), (2, 1, -1, 0.5), (2, 1, 0, 0.0), (2, 1, 0, 1.0)],
)
def test_a_sample_that_cannot_be_is_refused(
    population: int, drawn: int, failed: int, level: float
) -> None:
    """More drawn than there are, more failed than drawn, certainty."""
    with pytest.raises(ValueError, match=r"need 0 <= failed|strictly between"):
        upper_bound(population, drawn, failed, level)


@pytest.mark.parametrize(
    ("population", "fraction", "level"),
    [(-1, 0.5, 0.5), (1, -0.1, 0.5), (1, 1.1, 0.5), (1, 0.5, 0.0), (1, 0.5, 1.0)],
)
def test_a_claim_that_cannot_be_is_refused(
    population: int, fraction: float, level: float
) -> None:
    """Of both ways to ask how many to draw."""
    with pytest.raises(ValueError, match="need population"):
        sample_size(population, fraction, level)
    if population >= 0:
        with pytest.raises(ValueError, match="need 0 < fraction"):
            largest_sample_size(fraction, level)
    with pytest.raises(ValueError, match="need 0 < fraction"):
        largest_sample_size(0.0, 0.5)


def test_claims_at_the_edges_can_be() -> None:
    """Nothing at all, everything, all of them wrong."""
    assert sample_size(0, 0.5, 0.5) == 0
    assert sample_size(1, 0.0, 0.5) == 1
    assert sample_size(10, 1.0, 0.5) == largest_sample_size(1.0, 0.5) == 0
    assert upper_bound(0, 0, 0, 0.5) == Bound(0.5, 0, 0.0)
