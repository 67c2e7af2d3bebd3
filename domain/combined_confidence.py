"""What several independent samples prove together.

Run i drew n_i of N_i files uniformly, independently of the other runs, and f_i of them
were not shown to be right. Let D be how many files were wrong in *every one* of the
runs. Of these, run i drew X_i ~ Hypergeometric(N_i, D, n_i), and X_i <= f_i, since each
of them that it drew is among its f_i. So what was seen has at most the probability

    P(X_1 + … + X_m <= f_1 + … + f_m)

and the bound is the largest D for which that exceeds 1 - confidence. Nothing is assumed
of files that were damaged or repaired between two runs: they are not what D counts. For
one run it is the bound of that run (`confidence.upper_bound`).

A file that two runs drew is counted by both, as chance has it: independence, and not
that the samples have no file in common, is what the sum needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from s3export.domain.confidence import Bound, probabilities, upper_bound

MOST_FAILED = 100
"""So many files not shown to be right can be reckoned with in reasonable time."""

MOST_FAILED_ALONE = 10_000
"""The same for one run, which is one sum and not the product of several."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Draw:
    """One run's sample: ``failed`` of ``drawn`` files were not shown to be right."""

    population: int
    drawn: int
    failed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.drawn <= self.population:
            raise ValueError("need 0 <= failed <= drawn <= population")


def combined_bound(draws: Sequence[Draw], level: float) -> Bound | None:
    """Return how many files can have been wrong in every one of the runs.

    Args:
        draws: Of independent seeds; at least one.
        level: The confidence, strictly between 0 and 1.

    Returns:
        The bound, as a share of the smallest population; ``None`` if too many files
        were not shown to be right.

    Raises:
        ValueError: There is no run, or the level is out of range.
    """
    if not draws:
        raise ValueError("need at least one run")
    failed = sum(draw.failed for draw in draws)
    if failed > (MOST_FAILED_ALONE if len(draws) == 1 else MOST_FAILED):
        return None
    singles = [upper_bound(d.population, d.drawn, d.failed, level) for d in draws]
    if len(draws) == 1:
        return singles[0]
    # What one run found right was not wrong in all of them.
    low = 0
    high = min(draw.population - (draw.drawn - draw.failed) for draw in draws)
    while low < high:  # the largest plausible D; the probability falls as D grows
        middle = (low + high + 1) // 2
        if _at_most(failed, draws, middle) > (1 - level) * (1 - _ROUNDING):
            low = middle
        else:
            high = middle - 1
    if not failed:  # all that was seen in one run was seen in all: ties go to neither
        low = min([low, *(single.files for single in singles)])
    population = min(draw.population for draw in draws)
    return Bound(level, low, low / population if population else 0.0)


def _at_most(failed: int, draws: Sequence[Draw], wrong: int) -> float:
    """Return P(X_1 + … + X_m <= failed), by adding one run after the other."""
    total = (1.0, *(0.0,) * failed)
    for draw in draws:
        one = probabilities(failed, draw.population, wrong, draw.drawn)
        total = tuple(
            math.fsum(total[x] * one[both - x] for x in range(both + 1))
            for both in range(failed + 1)
        )
    return min(1.0, math.fsum(total))
