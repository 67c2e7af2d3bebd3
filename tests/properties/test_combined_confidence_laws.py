"""What several runs prove together is never more than the truth allows."""

import math
import random
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3export.domain.combined_confidence import MOST_FAILED, Draw, combined_bound
from s3export.domain.confidence import probabilities, upper_bound


@st.composite
def draws(draw: st.DrawFn, most: int = 60, failing: bool = True) -> Draw:
    """A run's sample."""
    population = draw(st.integers(1, most))
    drawn = draw(st.integers(1, population))
    failed = draw(st.integers(0, min(drawn, 3))) if failing else 0
    return Draw(population, drawn, failed)


levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
several = st.lists(draws(), min_size=1, max_size=5)
all_right = st.lists(draws(failing=False), min_size=1, max_size=5)


def files(given_draws: list[Draw], level: float) -> int:
    """Return the bound as a number of files."""
    bound = combined_bound(given_draws, level)
    assert bound is not None
    return bound.files


@given(draws(), levels)
def test_one_run_alone_proves_what_it_proves_alone(one: Draw, level: float) -> None:
    """Combining nothing changes nothing."""
    alone = upper_bound(one.population, one.drawn, one.failed, level)

    assert combined_bound([one], level) == alone


@given(several, levels, st.randoms())
def test_the_order_of_the_runs_does_not_matter(
    runs: list[Draw], level: float, chance: random.Random
) -> None:
    """What was seen is what was seen."""
    shuffled = list(runs)
    chance.shuffle(shuffled)

    assert files(shuffled, level) == files(runs, level)


@given(all_right, draws(failing=False), levels)
def test_a_run_more_that_finds_all_right_never_weakens_the_bound(
    runs: list[Draw], more: Draw, level: float
) -> None:
    """So looking again is never punished."""
    assert files([*runs, more], level) <= files(runs, level)


@given(all_right, levels)
def test_runs_that_find_all_right_prove_at_least_what_the_best_of_them_does(
    runs: list[Draw], level: float
) -> None:
    """Together they are no worse than any one of them."""
    alone = [upper_bound(r.population, r.drawn, 0, level).files for r in runs]

    assert files(runs, level) <= min(alone)


@given(several, levels, levels)
def test_more_confidence_needs_a_larger_bound(
    runs: list[Draw], one: float, other: float
) -> None:
    """A stronger claim says less."""
    low, high = sorted((one, other))

    assert files(runs, low) <= files(runs, high)


@given(several, levels, st.data())
def test_a_file_more_that_was_not_right_never_strengthens_the_bound(
    runs: list[Draw], level: float, data: st.DataObject
) -> None:
    """Bad news are never good for a claim."""
    at = data.draw(st.integers(0, len(runs) - 1))
    run = runs[at]
    if run.failed < run.drawn:
        worse = Draw(run.population, run.drawn, run.failed + 1)

        assert files([*runs[:at], worse, *runs[at + 1 :]], level) >= files(runs, level)


@given(several, levels)
def test_what_one_run_found_right_was_not_wrong_in_all(
    runs: list[Draw], level: float
) -> None:
    """The bound leaves room for those files."""
    room = min(run.population - (run.drawn - run.failed) for run in runs)

    assert 0 <= files(runs, level) <= room


@given(draws(), st.integers(1, 60), st.integers(0, 4))
def test_the_probabilities_are_the_exact_ones(run: Draw, wrong: int, most: int) -> None:
    """To nine digits, certain cases included."""
    wrong = min(wrong, run.population)
    ways = math.comb(run.population, run.drawn)

    for x, told in enumerate(probabilities(most, run.population, wrong, run.drawn)):
        exact = Fraction(
            math.comb(wrong, x) * math.comb(run.population - wrong, run.drawn - x)
            if x <= run.drawn
            else 0,
            ways,
        )
        assert told == pytest.approx(float(exact), rel=1e-9, abs=1e-15)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 14),
    st.lists(st.integers(1, 14), min_size=2, max_size=3),
    st.integers(1, 14),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_the_bound_is_wrong_no_more_often_than_it_says(
    population: int, sizes: list[int], wrong: int, level: float
) -> None:
    """Over all that can be drawn: exactly, and not by trial."""
    wrong = min(wrong, population)
    sizes = [min(size, population) for size in sizes]
    too_strong = Fraction(0)
    for seen in product(*(range(min(size, wrong) + 1) for size in sizes)):
        runs = [Draw(population, size, x) for size, x in zip(sizes, seen, strict=True)]
        if files(runs, level) < wrong:
            too_strong += math.prod(
                Fraction(
                    math.comb(wrong, x)
                    * (math.comb(population - wrong, size - x) if size >= x else 0),
                    math.comb(population, size),
                )
                for size, x in zip(sizes, seen, strict=True)
            )

    assert too_strong <= Fraction(1 - level) * (1 + Fraction(1, 10**9))


def test_it_holds_while_files_are_damaged_and_put_right_between_runs() -> None:
    """In a simulation: of what was wrong in every run, and of nothing else."""
    chance, level, claims_that_fail, runs = random.Random(20), 0.9, 0, 2000
    for _ in range(runs):
        always = set(range(3))  # of 40 files these are wrong in every run
        seen = []
        for _ in range(4):
            sometimes = set(chance.sample(range(3, 40), chance.randint(0, 2)))
            drawn = set(chance.sample(range(40), 10))
            seen.append(Draw(40, 10, len(drawn & (always | sometimes))))
        claims_that_fail += files(seen, level) < len(always)

    assert claims_that_fail / runs <= 1 - level


def test_stopping_at_the_first_strong_bound_makes_it_no_weaker() -> None:
    """Whoever looks again until the bound is small enough is not deceived.

    As long as every run found all right: with a difference there is no bound at all.
    """
    chance, level, deceived, tries = random.Random(7), 0.9, 0, 2000
    for _ in range(tries):
        seen: list[Draw] = []
        for _ in range(12):
            failed = len({0, 1} & set(chance.sample(range(30), 6)))
            if failed:
                break
            seen.append(Draw(30, 6))
            if files(seen, level) < 2:
                deceived += 1
                break

    assert deceived / tries <= 1 - level


def test_too_many_files_that_are_not_right_give_no_bound() -> None:
    """There is a limit to what is reckoned; for one run alone it is far away."""
    many = Draw(10_000, 5_000, MOST_FAILED)

    assert combined_bound([many, Draw(10_000, 10, 0)], 0.95) is not None
    assert combined_bound([many, Draw(10_000, 10, 1)], 0.95) is None
    assert combined_bound([Draw(10_000, 5_000, 1_000)], 0.95) is not None
    assert combined_bound([Draw(10**18, 10**18, 10**18)], 0.95) is None


def test_ten_runs_of_a_hundred_prove_nearly_what_one_of_a_thousand_does() -> None:
    """What they lack is that they may draw a file twice."""
    ten = combined_bound([Draw(100_000, 100)] * 10, 0.95)
    one = combined_bound([Draw(100_000, 1000)], 0.95)

    assert ten is not None
    assert one is not None
    assert one.files == 297
    assert one.files <= ten.files <= 300


@pytest.mark.parametrize("numbers", [(1, 2, 0), (2, 1, 2), (2, 2, -1), (-1, -1, 0)])
def test_a_sample_that_cannot_be_is_refused(numbers: tuple[int, int, int]) -> None:
    """More drawn than there are, or more failed than drawn."""
    with pytest.raises(ValueError, match="need 0 <= failed"):
        Draw(*numbers)


def test_no_run_proves_nothing() -> None:
    """And is asked by mistake."""
    with pytest.raises(ValueError, match="at least one"):
        combined_bound([], 0.95)
