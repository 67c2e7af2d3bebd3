"""Laws of the draw."""

import random
from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, path_sets, paths

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


@pytest.mark.parametrize(
    ("seed", "rank", "fingerprint"),
    [
        ("", 0x1AAD95E78A62DB75577E898193E40C7E, 0x79A232EC30AFE20F),
        ("2026-01-01", 0xD1613B4C10763FA3095D00FA7C06A07D, 0xCC3B9378728FE1EB),
        (
            "gr\u00fcn \U0001f4be" * 20,
            0xBC8AEAA93580CAA2C623A9495161EDA9,
            0x79A6B23D439D3472,
        ),
        (
            "not UTF-8 on a command line: \udcff",
            0x3E9B821CC42C873AB3E84F510B4C0E69,
            0x78C6BD47B2EEBEC2,
        ),
    ],
)
def test_what_a_seed_draws_is_for_ever(seed: str, rank: int, fingerprint: int) -> None:
    """A report of any version can be repeated, and gone on from, by any other."""
    drawing: Draw[bytes] = Draw(seed, 1)

    assert drawing.rank(b"photos/1.jpg") == rank
    assert drawing.fingerprint(b"photos/1.jpg", 4096, -1, 12) == fingerprint


@pytest.mark.parametrize("size", [0, -1])
def test_a_sample_of_nothing_is_refused(size: int) -> None:
    """It would prove nothing."""
    with pytest.raises(ValueError, match="at least one"):
        Draw("seed", size)


State = tuple[str, bytes, int, int]

states = st.tuples(
    st.text(max_size=5), paths, st.integers(0, 10**6), st.integers(-(10**9), 10**20)
)
"""A seed, and a file's path, size and time."""


def fingerprint(state: State) -> int:
    """Return a file's fingerprint under a seed."""
    seed, path, size_bytes, modified_ns = state
    return Draw[bytes](seed, 1).fingerprint(path, size_bytes, modified_ns)


@given(st.data(), states)
@SETTINGS
def test_a_fingerprint_changes_with_whatever_changes(
    data: st.DataObject, state: State
) -> None:
    """Seed, path, size or time: with none of them it stays, in 64 bits."""
    another = data.draw(states)
    place = data.draw(st.integers(0, 3))
    changed = cast(State, (*state[:place], another[place], *state[place + 1 :]))

    assert (fingerprint(changed) == fingerprint(state)) is (changed == state)
    assert 0 <= fingerprint(state) < 1 << 64


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"a", 11, 1), (b"a", 1, 11)),
        ((b"a1", 1, 1), (b"a", 11, 1)),
        ((b"a", 1, -1), (b"a", 1, 1)),
        ((b"a", 0, 10), (b"a", 1, 0)),
        ((b"a", 1, 1_000_000_000), (b"a", 1, 1_000_000_001)),
    ],
)
def test_fingerprints_tell_apart_what_looks_alike(
    one: tuple[bytes, int, int], other: tuple[bytes, int, int]
) -> None:
    """Digits do not move from one field to the next."""
    assert fingerprint(("seed", *one)) != fingerprint(("seed", *other))
