"""Whether a disk spins, and so how many files are best read from it at once.

Sources: the Linux kernel's ``Documentation/ABI/stable/sysfs-block`` (``rotational``);
``loop/backing_file`` and ``slaves`` are where lsblk finds them, too.
"""

import contextlib
import os
import stat
from pathlib import Path

SYSFS = Path("/sys")
_AT_ONCE_WITHOUT_AN_ARM = 4
_DEEPEST = 16


def reads_at_once(path: str) -> int | None:
    """Return how many files a disk reads at once without losing time.

    Args:
        path: A device, or a file or directory on it.

    Returns:
        1 for a disk whose arm would move to and fro; ``None`` where nobody knows.
    """
    spinning = spins(path)
    if spinning is None:
        return None
    return 1 if spinning else _AT_ONCE_WITHOUT_AN_ARM


def spins(path: str, sysfs: Path = SYSFS) -> bool | None:
    """Say whether what a path is, or lies on, spins; ``None`` where nobody knows.

    Partitions, loop devices and what is mapped onto other devices are as what they
    stand on: of several one that spins is enough.
    """
    return _spins(path, sysfs, _DEEPEST)


def _spins(path: str, sysfs: Path, depth: int) -> bool | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - no Path needed
    except OSError:
        return None
    number = found.st_rdev if stat.S_ISBLK(found.st_mode) else found.st_dev
    entry = sysfs / "dev/block" / f"{os.major(number)}:{os.minor(number)}"
    return _device_spins(entry, sysfs, depth)


def _device_spins(entry: Path, sysfs: Path, depth: int) -> bool | None:
    if not depth:
        return None
    with contextlib.suppress(OSError):
        backing = (entry / "loop/backing_file").read_bytes().removesuffix(b"\n")
        return _spins(os.fsdecode(backing), sysfs, depth - 1)
    below = []
    with contextlib.suppress(OSError):
        below = [
            _device_spins(each, sysfs, depth - 1)
            for each in (entry / "slaves").iterdir()
        ]
    if below:
        return None if None in below and True not in below else True in below
    for place in (entry, entry / ".."):  # a partition has no queue of its own
        with contextlib.suppress(OSError, ValueError):
            return bool(int((place / "queue/rotational").read_text()))
    return None
