"""Laws of the draw."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, path_sets

from s3export.domain.sampling import Draw, draw


@given(st.text(), path_sets, st.integers(1, 70), st.randoms(use_true_random=False))
@SETTINGS
def test_the_order_of_the_walk_does_not_matter(
    seed: str, tree: list[bytes], size: int, shuffler: random.Random
) -> None:
    """The same files are drawn, in the same order, however the tree is walked."""
    shuffled = list(tree)
    shuffler.shuffle(shuffled)

    assert draw(seed, size, tree) == draw(seed, size, shuffled)


@given(st.text(), path_sets, st.integers(1, 70), st.integers(1, 70))
@SETTINGS
def test_a_larger_sample_contains_the_smaller_one(
    seed: str, tree: list[bytes], one: int, other: int
) -> None:
    """Growing a sample keeps what was drawn before, at the front."""
    small, large = sorted((one, other))

    assert draw(seed, large, tree)[:small] == draw(seed, small, tree)


@given(st.text(), path_sets, st.integers(1, 70))
@SETTINGS
def test_the_draw_is_the_k_smallest_ranks(
    seed: str, tree: list[bytes], size: int
) -> None:
    """Nothing is drawn twice or left out while there is room."""
    ranks: Draw[bytes] = Draw(seed, 1)

    drawn = draw(seed, size, tree)

    assert drawn == sorted(tree, key=ranks.rank)[:size]


def test_every_file_is_drawn_equally_often() -> None:
    """Chi-square over 2,000 fixed seeds: 50 files, 10 drawn each time."""
    tree = [b"dir-%d/file-%d" % (n % 7, n) for n in range(50)]
    times = Counter(path for seed in range(2000) for path in draw(str(seed), 10, tree))

    expected = 2000 * 10 / 50
    chi_square = sum((times[path] - expected) ** 2 / expected for path in tree)

    # 49 degrees of freedom, thinned by 4/5 as draws are without replacement: the
    # 99.9 % point is 85.4; a draw that favours one file twofold gives over 400.
    assert chi_square < 85.4
    assert len(times) == 50
