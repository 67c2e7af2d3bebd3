"""Who uses a mounted file system, so that an error can name them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROCESSES = Path("/proc")
_MOST = 5


def users_of(mount_point: str) -> str:
    """Name the processes that have something open below a mount point.

    Returns:
        ``less (812), bash (644)``; empty where none is seen: another user's
        processes are seen by root alone.
    """
    found = []
    for pid in pids_below(mount_point):
        with contextlib.suppress(OSError):
            name = (_PROCESSES / str(pid) / "comm").read_text().strip()
            found.append(f"{name} ({pid})")
        if len(found) >= _MOST:
            break
    return ", ".join(found)


def pids_below(mount_point: str) -> Iterator[int]:
    """Yield the processes that have something open below a mount point."""
    try:
        device = os.stat(mount_point).st_dev  # noqa: PTH116
    except OSError:
        return
    for process in sorted(_PROCESSES.glob("[0-9]*"), key=lambda p: int(p.name)):
        if any(_lies_on(link, device) for link in _links(process)):
            yield int(process.name)


def let_go(mount_point: str) -> int:
    """Make every descriptor that this process has below a mount point one of nothing.

    The numbers remain taken, so that whoever still holds one closes just that.

    Returns:
        How many there were.
    """
    try:
        device = os.stat(mount_point).st_dev  # noqa: PTH116
    except OSError:
        return 0
    found = [
        int(link.name)
        for link in (_PROCESSES / "self" / "fd").iterdir()
        if _lies_on(link, device)
    ]
    if found:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in found:
            os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
    return len(found)


def _links(process: Path) -> Iterator[Path]:
    yield process / "cwd"
    yield process / "root"
    yield process / "exe"
    for directory in ("fd", "map_files"):
        with contextlib.suppress(OSError):
            yield from (process / directory).iterdir()


def _lies_on(link: Path, device: int) -> bool:
    try:
        return link.stat().st_dev == device
    except OSError:
        return False
