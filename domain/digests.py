"""Digests of a file's bytes: any number of them in one pass.

A digest is over the whole, or over parts of given sizes: then it is the digest of the
parts' digests (Amazon S3 User Guide, "Checking object integrity", composite).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol


class Hash(Protocol):
    """A digest under way, in the manner of `hashlib`."""

    @abstractmethod
    def update(self, data: memoryview, /) -> None:
        """Take the next bytes."""

    @abstractmethod
    def digest(self) -> bytes:
        """Return the digest of all bytes taken so far."""


NewHash = Callable[[str], Hash]
"""Begins a digest by an algorithm, named as S3 does: ``SHA256``, ``CRC64NVME``."""


class Recipe(NamedTuple):
    """How a digest is computed: over the whole, or over parts of these sizes."""

    algorithm: str
    part_sizes: tuple[int, ...] = ()


class OnePass:
    """Computes many digests of one file, from its bytes, given in order, once."""

    def __init__(self, recipes: Iterable[Recipe], new: NewHash) -> None:
        self._running = {recipe: _begun(recipe, new) for recipe in recipes}

    def update(self, chunk: memoryview) -> None:
        """Take the next bytes of the file; any number of them."""
        for one in self._running.values():
            one.update(chunk)

    def digests(self) -> Mapping[Recipe, bytes]:
        """Return the digests. The file has ended."""
        return {recipe: one.digest() for recipe, one in self._running.items()}


def common_parts(recipes: Iterable[Recipe], size_bytes: int) -> tuple[int, ...]:
    """Return the sizes of the parts that all recipes have, if these are all of a file.

    Then the parts can be digested apart from each other, and `of_parts` is the rest.
    Empty where they have none in common, or where these do not add up to its size.
    """
    sizes = {recipe.part_sizes for recipe in recipes}
    (common,) = sizes if len(sizes) == 1 else ((),)
    return common if sum(common) == size_bytes else ()


def of_parts(algorithm: str, digests: Iterable[bytes], new: NewHash) -> bytes:
    """Return the digest of a whole from the digests of its parts."""
    whole = new(algorithm)
    whole.update(memoryview(b"".join(digests)))
    return whole.digest()


def _begun(recipe: Recipe, new: NewHash) -> Hash:
    return _OfParts(recipe, new) if recipe.part_sizes else new(recipe.algorithm)


class _OfParts(Hash):
    """The digest of the digests of parts."""

    def __init__(self, recipe: Recipe, new: NewHash) -> None:
        self._sizes = recipe.part_sizes
        self._algorithm = recipe.algorithm
        self._begin = new
        self._done: list[bytes] = []
        self._current = self._begin(self._algorithm)
        self._pending = False  # the current part has bytes
        self._room = self._sizes[0]

    def update(self, data: memoryview, /) -> None:
        while data:
            taken, data = data[: self._room], data[self._room :]
            self._current.update(taken)
            self._room -= len(taken)
            self._pending = self._pending or len(taken) > 0
            if self._room == 0:
                self._end_part()

    def digest(self) -> bytes:
        while self._pending or len(self._done) < len(self._sizes):
            self._end_part()
        return of_parts(self._algorithm, self._done, self._begin)

    def _end_part(self) -> None:
        self._done.append(self._current.digest())
        self._current = self._begin(self._algorithm)
        self._pending = False
        number = len(self._done)
        # Bytes beyond the last part make one part more, which equals nothing of S3's.
        self._room = self._sizes[number] if number < len(self._sizes) else _ENDLESS


_ENDLESS = 1 << 62
