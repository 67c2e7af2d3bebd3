"""Reading in a thread of its own."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3export.adapters.file_trees.read_ahead import read_ahead

SECONDS = 20.0


def given_out(pieces: list[bytes]) -> Callable[[memoryview], int]:
    """Read one piece after the other, then nothing."""
    left = iter(pieces)

    def readinto(buffer: memoryview) -> int:
        piece = next(left, b"")
        buffer[: len(piece)] = piece
        return len(piece)

    return readinto


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=20))
@settings(deadline=None)
def test_what_is_read_comes_in_order(pieces: list[bytes]) -> None:
    """Piece by piece, to the end."""
    assert [bytes(piece) for piece in read_ahead(given_out(pieces))] == pieces


def test_the_next_piece_is_read_while_one_is_used() -> None:
    """Nobody has asked for it yet."""
    second = threading.Event()
    read = given_out([b"1", b"2"])

    def readinto(buffer: memoryview) -> int:
        got = read(buffer)
        if got and buffer[0] == ord("2"):
            second.set()
        return got

    pieces = read_ahead(readinto)
    first = next(pieces)

    assert second.wait(SECONDS)
    assert bytes(first) == b"1"
    pieces.close()


def test_an_error_is_raised_in_its_place() -> None:
    """What was read before it is good."""
    read = given_out([b"1", b"2"])

    def readinto(buffer: memoryview) -> int:
        got = read(buffer)
        if not got:
            raise ZeroDivisionError
        return got

    pieces = read_ahead(readinto)

    assert [bytes(next(pieces)), bytes(next(pieces))] == [b"1", b"2"]
    with pytest.raises(ZeroDivisionError):
        next(pieces)


@pytest.mark.parametrize("taken", [1, 5])
def test_nothing_is_read_after_closing(taken: int) -> None:
    """The thread has ended, however endless the file is, and no further than near."""
    reads: list[int] = []

    def readinto(buffer: memoryview) -> int:
        reads.append(1)
        return 1

    before = threading.active_count()
    pieces = read_ahead(readinto)
    for _ in range(taken):
        next(pieces)
    pieces.close()

    assert threading.active_count() == before
    assert taken <= len(reads) <= taken + 2
