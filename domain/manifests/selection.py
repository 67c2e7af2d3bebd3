"""What operations select, reasoned about without looking at any bucket.

Prefix and markers cut one piece out of the order of keys (that of their UTF-8 bytes,
which is that of code points). Source: AWS Import/Export Developer Guide, "Managing
file exports"; a combination may select nothing, as the guide says itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from s3export.domain.manifests.model import Operation

_LAST = "\U0010ffff"


@dataclass(frozen=True)
class _Piece:
    """Keys from ``low`` on, up to ``high``; ``None`` has no bound."""

    low: str
    low_included: bool
    high: str | None
    high_included: bool

    def is_empty(self) -> bool:
        if self.high is None:
            return False
        if self.low == self.high:
            return not (self.low_included and self.high_included)
        return self.low > self.high

    def ends_after(self, other: "_Piece") -> bool:
        if self.high is None or other.high is None:
            return other.high is not None
        return (self.high, self.high_included) > (other.high, other.high_included)

    def common(self, other: "_Piece") -> "_Piece":
        low, low_excluded = max(
            (piece.low, not piece.low_included) for piece in (self, other)
        )
        highs = [
            (piece.high, piece.high_included)
            for piece in (self, other)
            if piece.high is not None
        ]
        high, high_included = min(highs) if highs else (None, False)
        return _Piece(low, not low_excluded, high, high_included)


def selects_nothing(operation: Operation) -> bool:
    """Say whether no key whatever can be selected."""
    return _piece(operation).is_empty()


def select_the_same(one: Operation, other: Operation) -> bool:
    """Say whether there can be an object that both operations select."""
    return one.bucket == other.bucket and not (
        _piece(one).common(_piece(other)).is_empty()
    )


def pairs_of_the_same(
    operations: Sequence[tuple[int, Operation]],
) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers whose operations, all on one bucket, can select the same.

    Not every such pair, but each operation that shares keys with another one is in a
    pair; the smaller number first. Takes the time of sorting.
    """
    pieces = [(_piece(operation), number) for number, operation in operations]
    pieces = [(piece, number) for piece, number in pieces if not piece.is_empty()]
    pieces.sort(key=lambda pair: (pair[0].low, not pair[0].low_included))
    farthest: tuple[_Piece, int] | None = None
    for piece, number in pieces:
        if farthest and not farthest[0].common(piece).is_empty():
            yield min(farthest[1], number), max(farthest[1], number)
        if farthest is None or piece.ends_after(farthest[0]):
            farthest = piece, number


def selects_log(operation: Operation, log_bucket: str, log_prefix: str) -> bool:
    """Say whether an export log can be among what is selected."""
    log = Operation(log_bucket, prefix=log_prefix)
    return select_the_same(operation, log)


def _piece(operation: Operation) -> _Piece:
    piece = _Piece(operation.prefix, True, _after(operation.prefix), False)
    if operation.begin_marker:
        piece = piece.common(_Piece(operation.begin_marker, False, None, False))
    if operation.end_marker:
        piece = piece.common(_Piece("", True, operation.end_marker, True))
    return piece


def _after(prefix: str) -> str | None:
    """Return the first text after all those that begin with the prefix."""
    shorter = prefix.rstrip(_LAST)
    if not shorter:
        return None
    code = ord(shorter[-1]) + 1
    if code == 0xD800:  # surrogates are no characters
        code = 0xE000
    return shorter[:-1] + chr(code)
