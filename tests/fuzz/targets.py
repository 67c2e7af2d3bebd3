"""What is fuzzed: where each target's bytes come from, and what must hold of them."""

import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Protocol

from fuzz.mutations import Edit
from s3export.domain.errors import S3ExportError

_NO_MEMORY = ("Cannot allocate memory", "MemoryError", "malloc")


class Target(Protocol):
    """A reader of bytes that others may have made."""

    name: str

    @abstractmethod
    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        """Make bytes that it takes, by name: the same in every run."""

    @abstractmethod
    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        """Choose how to change one of them."""

    @abstractmethod
    def read(self, data: bytes) -> None:
        """Read all there is.

        Raises:
            S3ExportError: It is refused in an orderly way.
        """


def holds(target: Target, data: bytes) -> None:
    """Read; only s3export's own errors are no finding."""
    try:
        target.read(data)
    except S3ExportError as error:
        for word in (error.message, error.next_step):
            word.encode(errors="surrogateescape")  # it can be said
        assert not is_of_memory(error.message), error.message


def is_of_memory(reason: str) -> bool:
    """Say whether something was refused for lack of memory: it wanted too much."""
    return any(word in reason for word in _NO_MEMORY)


def corpora(targets: list[Target]) -> dict[str, Mapping[str, bytes]]:
    """Return each target's bytes."""
    found = {}
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="s3export-fuzz-") as scratch:
            found[target.name] = target.corpus(Path(scratch))
    return found
