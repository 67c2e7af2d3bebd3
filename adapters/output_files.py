"""Files that the operator names to be written."""

import os
from pathlib import Path

from s3export.domain.errors import FileRefused


def write_private(path: str, text: str) -> None:
    """Write a new file that nobody but its owner may read.

    Raises:
        FileRefused: Something of the name is there, or it cannot be written; what was
            begun is removed.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileRefused(
            f"{path} is there already", next_step="name another file, or remove it"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _refused(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        raise _refused(path, error) from error


def _refused(path: str, error: Exception) -> FileRefused:
    reason = getattr(error, "strerror", None) or error
    return FileRefused(
        f"{path}: {reason}",
        next_step="name a file in a directory that is there and can be written to",
    )
