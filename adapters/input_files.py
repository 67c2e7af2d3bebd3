"""Files that the operator names to be read: logs, reports."""

import os
import stat
from pathlib import Path

from s3export.domain.errors import FileRefused


def is_a_disk(name: str) -> bool:
    """Say whether a name is that of a block device or an image, and not of a text.

    A disk has a NUL in its first 4 KiB; a text has none.
    """
    try:
        if stat.S_ISBLK(Path(name).stat().st_mode):
            return True
        with Path(name).open("rb") as file:
            return b"\0" in file.read(4096)
    except (OSError, ValueError):
        return False  # whoever reads it says why


def content_of(path: str, what: str) -> bytes:
    """Return a file's content.

    Args:
        what: What it should be, for the error: "an export log".

    Raises:
        FileRefused: It cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            endless = stat.S_ISCHR(mode) and not file.isatty()
            if endless or stat.S_ISBLK(mode):
                raise FileRefused(
                    f"{path} is a device, not {what}",
                    next_step=f"give the path of {what}",
                )
            return file.read()
    except FileNotFoundError:
        raise FileRefused(
            f"{path}: there is no such file", next_step=f"give the path of {what}"
        ) from None
    except IsADirectoryError:
        raise FileRefused(f"{path} is a directory, not {what}") from None
    except PermissionError as error:
        raise FileRefused(
            f"{path}: this user may not read it",
            next_step="run it as a user who may, or let this one read the file",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FileRefused(f"{path}: {error}") from error
