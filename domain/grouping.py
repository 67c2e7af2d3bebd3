"""Small things in a row are taken together: a thread's turn costs as much as one."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

GROUP = 8
"""So many at most: few enough that what they come to is soon known."""


def grouped(
    items: Iterable[T], is_small: Callable[[T], bool], most: int = GROUP
) -> Iterator[list[T]]:
    """Yield all items in their order; small ones together, others by themselves.

    >>> list(grouped([1, 2, 99, 3, 4, 5], lambda number: number < 10, most=2))
    [[1, 2], [99], [3, 4], [5]]
    """
    group: list[T] = []
    for item in items:
        small = is_small(item)
        if group and (not small or len(group) >= most):
            yield group
            group = []
        if small:
            group.append(item)
        else:
            yield [item]
    if group:
        yield group
