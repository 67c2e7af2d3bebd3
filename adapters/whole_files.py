"""Files that are there whole or not at all: written beside, then put in place."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
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


def check_can_be_kept(path: str) -> None:
    """Return if `write_keeping` could read what is there, or nothing is.

    Raises:
        FileRefused: It cannot be read.
    """
    with _refusing(path):
        if Path(path).is_file():
            Path(path).open("rb").close()


def write_keeping(path: str, content: bytes) -> str | None:
    """Write a file in one step, as `write_whole`; one of the same name is kept.

    Its copy lies beside it, and has the time of its last change in its name, which
    nothing had before. After a failure there is no copy.

    Returns:
        The copy's path; ``None`` where there was no file, or an empty one.

    Raises:
        FileRefused: As for `write_whole`; or the older file cannot be read.
    """
    with _refusing(path):
        kept = _copied_beside(Path(path))
    try:
        write_whole(path, content)
    except BaseException:
        if kept:
            kept.unlink()
        raise
    return str(kept) if kept else None


def _copied_beside(path: Path) -> Path | None:
    if not path.is_file():
        return None
    with path.open("rb") as old:
        facts = os.fstat(old.fileno())
        if not facts.st_size:
            return None
        changed = datetime.fromtimestamp(facts.st_mtime, UTC)
        name, copy = _new_beside(path, f"{changed:%Y-%m-%dT%H%M%SZ}", facts.st_mode)
        try:
            with copy:
                shutil.copyfileobj(old, copy)
                copy.flush()
                os.fsync(copy.fileno())
        except BaseException:
            name.unlink()
            raise
    with contextlib.suppress(OSError):  # some file systems let its owner alone
        os.utime(name, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return name


def _new_beside(path: Path, time: str, mode: int) -> tuple[Path, IO[bytes]]:
    """Open a file that was not there: name.time.ending, else name.time-2.ending."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode & 0o777)

    for number in count(1):
        again = f"-{number}" if number > 1 else ""
        name = path.with_stem(f"{path.stem}.{time}{again}")
        with contextlib.suppress(FileExistsError):
            return name, open(name, "xb", opener=opener)
    raise AssertionError  # numbers do not end


@contextlib.contextmanager
def _beside(path: str, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file in the directory of the path; removed unless it was renamed."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    with _refusing(path):
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


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    """Translate what the system says of a path."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, no name
        reason = getattr(error, "strerror", None) or error
        raise FileRefused(
            f"{path}: {reason}",
            next_step="name a file in a directory that is there and can be written to",
        ) from error
