"""The digests of one file, read as its disk reads fastest.

One pass from its start to its end; or, where several threads may read and all digests
are over the same parts of it, the parts beside each other: each digest of a part is
independent of the others, as no digest over a whole is of what was before.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate

from s3export.domain.digests import OnePass, Recipe, common_parts, of_parts
from s3export.domain.errors import FileUnreadable
from s3export.domain.evidence import Evidence
from s3export.domain.ports import (
    CHUNK_BYTES,
    FileTree,
    HashFunctions,
    Stop,
    TreeFile,
    Workers,
)

_WORTH_THREADS_BYTES = 16 << 20


@dataclass(frozen=True)
class ReadDigests:
    """What is needed to compute digests of the files of a tree.

    Attributes:
        at_once: How many parts of one file may be read at once.
        worth_threads_bytes: A smaller file is read in one pass.

    """

    tree: FileTree
    hashes: HashFunctions
    workers: Workers
    at_once: int = 1
    worth_threads_bytes: int = _WORTH_THREADS_BYTES


@dataclass(frozen=True)
class _Part:
    """A part of a file; the last one has no length: it ends where the file does."""

    start: int
    length: int | None


class FileDigests:
    """The digests of one file, computed when they are needed, many in one pass.

    Attributes:
        bytes_read: So far.

    """

    def __init__(self, reading: ReadDigests, file: TreeFile, stop: Stop) -> None:
        self._reading = reading
        self._file = file
        self._stop = stop
        self._known: dict[Recipe, bytes] = {}
        self.bytes_read = 0

    def of(self, evidence: Evidence) -> bytes:
        """Return what a piece of evidence is to be compared with.

        Raises:
            FileUnreadable: The disk gives an error, or it was stopped.

        """
        recipe = evidence.recipe
        if recipe not in self._known:
            self.need(evidence)
        return self._known[recipe]

    def need(self, *evidence: Evidence) -> None:
        """Compute in one pass what is not known yet.

        Raises:
            FileUnreadable: The disk gives an error, or it was stopped.

        """
        recipes = {one.recipe for one in evidence} - self._known.keys()
        if not recipes:
            return
        reading = self._reading
        if (
            reading.at_once > 1
            and self._file.size_bytes >= reading.worth_threads_bytes
            and len(sizes := common_parts(recipes, self._file.size_bytes)) > 1
        ):
            self._known |= self._part_by_part(recipes, sizes)
        else:
            self._known |= self._as_a_whole(recipes)

    def _as_a_whole(self, recipes: Iterable[Recipe]) -> Mapping[Recipe, bytes]:
        running = OnePass(recipes, self._reading.hashes.new)
        with (
            self._reading.tree.open(self._file.path) as source,
            closing(source.chunks()) as chunks,
        ):
            for chunk in chunks:
                running.update(chunk)
                self.bytes_read += len(chunk)
                self._go_on()
        return running.digests()

    def _part_by_part(
        self, recipes: Iterable[Recipe], sizes: tuple[int, ...]
    ) -> Mapping[Recipe, bytes]:
        new = self._reading.hashes.new
        algorithms = {recipe.algorithm for recipe in recipes}

        def digest(part: _Part, stop: Stop) -> tuple[int, Mapping[str, bytes]]:
            running = {algorithm: new(algorithm) for algorithm in algorithms}
            left = part.length
            read = 0
            buffer = memoryview(bytearray(CHUNK_BYTES))
            with self._reading.tree.open(self._file.path, start=part.start) as source:
                while got := source.readinto(buffer[:left]):
                    for one in running.values():
                        one.update(buffer[:got])
                    read += got
                    left = None if left is None else left - got
                    if stop():
                        break
                    self._go_on()
            return read, {name: one.digest() for name, one in running.items()}

        starts = accumulate(sizes[:-1], initial=0)
        lengths = (*sizes[:-1], None)
        parts = (_Part(*both) for both in zip(starts, lengths, strict=True))
        digests: dict[str, list[bytes]] = {name: [] for name in algorithms}
        done = self._reading.workers.map(digest, parts, at_once=self._reading.at_once)
        with closing(done):
            for read, found in done:
                self.bytes_read += read
                for name, value in found.items():
                    digests[name].append(value)
        return {
            recipe: of_parts(recipe.algorithm, digests[recipe.algorithm], new)
            for recipe in recipes
        }

    def _go_on(self) -> None:
        if self._stop():
            raise FileUnreadable("not read to its end: interrupted")
