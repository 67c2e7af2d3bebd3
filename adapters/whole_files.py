"""Files that are there whole or not at all: written beside, then put in place."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from s3export.domain.errors import FileRefused


def check_writable(path: str) -> None:
    """Return if a file could be written there.

    Raises:
        FileRefused: As for `write_whole`.
    """
    with _beside(path):
        pass


def write_whole(path: str, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file in one step, replacing one of the same name.

    After a failure an older file of that name is still whole.

    Args:
        mode: Of the file; the umask is taken from it.

    Raises:
        FileRefused: Something that is no file is there, no file can be made in the
            directory, or the disk is full.
    """
    with _beside(path, mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        Path(file.name).replace(path)


@contextlib.contextmanager
def _beside(path: str, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file in the directory of the path; removed unless it was renamed."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        if Path(path).exists() and not Path(path).is_file():
            raise FileRefused(
                f"{path} is there, and is not a file", next_step="name a file"
            )
        beside = Path(path).with_name(f".{Path(path).name}.{secrets.token_hex(4)}")
        with open(beside, "xb", opener=opener) as file:
            try:
                yield file
            finally:
                beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, no name
        reason = getattr(error, "strerror", None) or error
        raise FileRefused(
            f"{path}: {reason}",
            next_step="name a file in a directory that is there and can be written to",
        ) from error
