"""Small things are taken together, and nothing else happens to them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from s3export.domain.grouping import GROUP, grouped


def is_small(number: int) -> bool:
    """Say whether a number goes with others."""
    return number < 5


numbers = st.lists(st.integers(0, 9))


@given(numbers, st.integers(1, 2 * GROUP))
def test_all_come_once_and_in_their_order(items: list[int], most: int) -> None:
    """Whatever their sizes are."""
    groups = list(grouped(items, is_small, most))

    assert [item for group in groups for item in group] == items


@given(numbers, st.integers(1, 2 * GROUP))
def test_a_group_is_of_small_ones_and_no_larger_than_may_be(
    items: list[int], most: int
) -> None:
    """What is not small is by itself; no group is empty."""
    for group in grouped(items, is_small, most):
        assert 1 <= len(group) <= most
        assert len(group) == 1 or all(map(is_small, group))


@given(numbers, st.integers(1, 2 * GROUP))
def test_no_two_groups_could_have_been_one(items: list[int], most: int) -> None:
    """A group ends where it is full, or where something large comes."""
    groups = list(grouped(items, is_small, most))

    for one, other in pairwise(groups):
        assert len(one) == most or not is_small(one[0]) or not is_small(other[0])
