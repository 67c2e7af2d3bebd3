"""Laws of the bound, against exact rational arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS, samples

from s3export.domain.confidence import at_most, upper_bound

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
    assert bound.fraction == pytest.approx(0.0295, abs=0.0001)


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
