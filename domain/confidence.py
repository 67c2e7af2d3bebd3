"""What a sample proves about all files: exact bounds, without replacement.

n of N files were drawn uniformly and f of them were not right. The largest number D of
files on the disk that can be wrong, at a given confidence, is the largest D for which
seeing f or fewer wrong ones among n was still likelier than 1 - confidence:

    P(X <= f) > 1 - confidence,   X ~ Hypergeometric(N, D, n)

This is the one-sided Clopper-Pearson bound for a finite population. The probabilities
are computed by Loader's saddle-point form, the way R's ``dhyper`` does it ("Fast and
accurate computation of binomial probabilities", C. Loader, 2000): full precision for
populations where log-gamma differences would have none left.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

DEFAULT_LEVEL = 0.95

_ROUNDING = 1e-9  # what floating point may be wrong by, with room to spare
_MOST_DRAWN_FOR_FRACTIONS = 10_000  # beyond, whole numbers get too long to be quick


@dataclass(frozen=True)
class Bound:
    """An upper bound on the files that are not right.

    Attributes:
        level: The confidence, between 0 and 1.
        files: At most so many files of the population.
        fraction: The same as a share of the population; 0 for an empty one.

    """

    level: float
    files: int
    fraction: float


def percent(share: float) -> str:
    """Return a share as percent, all of its digits: 95, 99.999; nearly all is not 100.

    >>> percent(0.95), percent(0.9999999999)
    ('95', '99.99999999')
    """
    return f"{(Decimal(repr(share)) * 100).normalize():f}"


def upper_bound(population: int, drawn: int, failed: int, level: float) -> Bound:
    """Return the largest number of wrong files that the sample leaves plausible.

    Args:
        population: N, how many files there are.
        drawn: n, how many of them were looked at.
        failed: f, how many of those were not shown to be right.
        level: The confidence, strictly between 0 and 1.

    Raises:
        ValueError: Not 0 <= failed <= drawn <= population, or level out of range.

    """
    if not 0 <= failed <= drawn <= population:
        raise ValueError("need 0 <= failed <= drawn <= population")
    if not 0 < level < 1:
        raise ValueError("a confidence lies strictly between 0 and 1")
    # D lies between what was seen and what was seen plus all that was not drawn.
    low, high = failed, failed + population - drawn
    while low < high:  # the largest plausible D; P(X <= f) falls as D grows
        middle = (low + high + 1) // 2
        if _is_plausible(failed, population, middle, drawn, doubt=1 - level):
            low = middle
        else:
            high = middle - 1
    return Bound(level, low, low / population if population else 0.0)


def sample_size(population: int, fraction: float, level: float) -> int:
    """Return how many files to draw so that, if none fails, few enough can be wrong.

    Args:
        fraction: The largest share of wrong files that may be left plausible.
        level: The confidence, strictly between 0 and 1.

    Returns:
        The smallest n for which ``upper_bound(population, n, 0, level).files`` is at
        most ``fraction`` of the population; the population itself at most.

    Raises:
        ValueError: Something is out of range.

    """
    if population < 0 or not 0 <= fraction <= 1 or not 0 < level < 1:
        raise ValueError("need population >= 0, 0 <= fraction <= 1, 0 < level < 1")
    # The share is the decimal that was written, not the binary that is nearest to it.
    allowed = int(Fraction(repr(fraction)) * population)
    low, high = 0, population
    while low < high:  # the smallest n that leaves `allowed` + 1 implausible
        middle = (low + high) // 2
        if upper_bound(population, middle, 0, level).files <= allowed:
            high = middle
        else:
            low = middle + 1
    return low


def largest_sample_size(fraction: float, level: float) -> int:
    """Return what `sample_size` never exceeds, whatever the population.

    Raises:
        ValueError: No number of files would do: the fraction is 0.

    """
    if not 0 < fraction <= 1 or not 0 < level < 1:
        raise ValueError("need 0 < fraction <= 1, 0 < level < 1")
    if fraction == 1:
        return 0
    # One wrong file more than allowed is a share D/N > fraction, and without
    # replacement P(X = 0) <= (1 - D/N)^n < (1 - fraction)^n, which is to be <= doubt.
    # In fractions, since the quotient may be more than floating point can hold.
    files = Fraction(math.log(1 - level)) / Fraction(math.log1p(-fraction))
    return math.ceil(files * (1 + Fraction(_ROUNDING)))


def _is_plausible(
    failed: int, population: int, wrong: int, drawn: int, *, doubt: float
) -> bool:
    """Say whether P(X <= failed) exceeds the doubt, exactly where they nearly meet."""
    probability = at_most(failed, population, wrong, drawn)
    if abs(probability - doubt) > _ROUNDING * doubt:
        return probability > doubt
    if drawn > _MOST_DRAWN_FOR_FRACTIONS:
        return True  # one file more in the bound is on the safe side
    ways = sum(
        math.comb(wrong, x) * math.comb(population - wrong, drawn - x)
        for x in range(failed + 1)
    )
    return Fraction(ways, math.comb(population, drawn)) > Fraction(doubt)


def at_most(failed: int, population: int, wrong: int, drawn: int) -> float:
    """Return P(X <= failed), X ~ Hypergeometric(population, wrong, drawn)."""
    least = max(0, drawn - (population - wrong))
    most = min(drawn, wrong)
    if failed >= most:
        return 1.0
    return min(
        1.0,
        math.fsum(
            _probability(x, population, wrong, drawn) for x in range(least, failed + 1)
        ),
    )


def probabilities(
    most: int, population: int, wrong: int, drawn: int
) -> tuple[float, ...]:
    """Return P(X = 0) … P(X = most), X ~ Hypergeometric(population, wrong, drawn)."""
    least, largest = max(0, drawn - (population - wrong)), min(drawn, wrong)
    if least == largest:  # there is nothing left to chance
        return tuple(float(x == least) for x in range(most + 1))
    return tuple(
        _probability(x, population, wrong, drawn) if least <= x <= largest else 0.0
        for x in range(most + 1)
    )


def _probability(x: int, population: int, wrong: int, drawn: int) -> float:
    right = population - wrong  # with 0 < drawn < population: `at_most` sees to it
    p = drawn / population
    q = (population - drawn) / population
    return math.exp(
        _log_binomial(x, wrong, p, q)
        + _log_binomial(drawn - x, right, p, q)
        - _log_binomial(drawn, population, p, q)
    )


def _log_binomial(x: int, n: int, p: float, q: float) -> float:
    """Return log of the binomial probability of x successes in n trials."""
    if x == 0:
        return n * math.log1p(-p) if p < q else n * math.log(q)
    if x == n:
        return n * math.log1p(-q) if q < p else n * math.log(p)
    return (
        _stirling_error(n)
        - _stirling_error(x)
        - _stirling_error(n - x)
        - _deviance(x, n * p)
        - _deviance(n - x, n * q)
        - 0.5 * math.log(2 * math.pi * x * (n - x) / n)
    )


def _stirling_error(n: int) -> float:
    """Return log(n!) less Stirling's formula for it."""
    if n < 16:
        return math.lgamma(n + 1) - (
            0.5 * math.log(2 * math.pi * n) + n * math.log(n) - n
        )
    square = float(n) * n
    series = (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square
    return (1 / 12 - (1 / 360 - series) / square) / n


def _deviance(x: float, mean: float) -> float:
    """Return x log(x / mean) + mean - x without cancellation where x is near mean."""
    if abs(x - mean) < 0.1 * (x + mean):
        v = (x - mean) / (x + mean)
        total = (x - mean) * v
        term = 2 * x * v
        for j in range(1, 1000):
            term *= v * v
            more = total + term / (2 * j + 1)
            if more == total:
                return more
            total = more
    return x * math.log(x / mean) + mean - x
