"""Runs of s3export that go on: which of them has a device, a file or a mount.

What such a run holds it releases itself. Only what a run left that is no more
(`sessions.dead_sessions`) is anybody else's to release.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from s3export.adapters.device_facts import LoopDevice
from s3export.adapters.mount_users import pids_below
from s3export.adapters.sessions import Session, live_sessions
from s3export.domain.devices import (
    ELSEWHERE,
    SWAP,
    SYSTEM_MOUNT_POINTS,
    DeviceFacts,
    Run,
)

WHATEVER_USES_IT = (
    "wait for what uses it, or end that; what a killed run of s3export left, its next "
    "run offers to release"
)
"""What to do where no run of ours is seen to use something."""

_PROCESSES = Path("/proc")
_PROGRAM = "s3export"
_SERVER = "s3export.adapters."  # presents a volume for a run that has a session
_COMMAND = re.compile(r"[a-z]+(-[a-z]+)*")


def with_runs(
    facts: DeviceFacts, present: Sequence[LoopDevice], run_directory: str
) -> DeviceFacts:
    """Return the facts with the run, another than this, that uses each part.

    A loop device that is itself named was attached to be used, as the sandbox does.

    Args:
        present: All loop devices of the system.
    """
    others = tuple(_others(run_directory))
    in_use = any(part.held or part.mount_points for part in facts.tree())
    if not others and not in_use and not facts.parts and not facts.twins:
        return facts
    held = {
        (each.kind, each.name): run
        for session, run in others
        for each in session.held(present)
    }

    def seen(part: DeviceFacts) -> DeviceFacts:
        run = (
            (held.get(("loop", part.path)) if part is not facts else None)
            or held.get(("mapping", _mapping(part.path)))
            or _first(held.get(("mount", _place(at))) for at in part.mount_points)
            or (run_that_has_open(part.path, run_directory) if part.held else None)
            or _first(run_below(at, run_directory) for at in part.mount_points)
        )
        if run is None and not part.parts and not part.twins:
            return part
        parts, twins = tuple(map(seen, part.parts)), tuple(map(seen, part.twins))
        return replace(part, run=run, parts=parts, twins=twins)

    return seen(facts)


def run_with_loop(
    device: str, present: Sequence[LoopDevice], run_directory: str
) -> Run | None:
    """Return the run, another than this, that attached a loop device."""
    return _first(
        run
        for session, run in _others(run_directory)
        if any(each.name == device for each in session.held(present))
    )


def run_that_has_open(path: str, run_directory: str) -> Run | None:
    """Return the run, another than this, that has a device or file open."""
    try:
        sought = _identity(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
    for process in _PROCESSES.glob("[0-9]*"):
        run = run_of(int(process.name), run_directory)
        if run is not None and sought in _open_files(process):
            return run
    return None


def run_below(mount_point: str, run_directory: str) -> Run | None:
    """Return the run, another than this, that has something open below a mount point.

    The system's own are not asked: every program lies there.
    """
    if ELSEWHERE in mount_point or mount_point in (SWAP, *SYSTEM_MOUNT_POINTS):
        return None
    return _first(run_of(pid, run_directory) for pid in pids_below(mount_point))


def run_of(pid: int, run_directory: str) -> Run | None:
    """Return the run that a process is; ``None`` for this one and for others."""
    words = _words(pid)
    named = any(Path(word).name == _PROGRAM for word in words[:4])
    if pid == os.getpid() or any(word.startswith(_SERVER) for word in words):
        return None
    if named or any(session.pid == pid for session in live_sessions(run_directory)):
        return Run(pid, command_of(words))
    return None


def command_of(words: Sequence[str]) -> str:
    """Return a command line without anything that may be a secret.

    Shown are the program, the command, names of options, and paths that are there; a
    password may stand wherever a word may.
    """
    start = next((n for n, w in enumerate(words) if Path(w).name == _PROGRAM), None)
    if start is None:
        return Path(words[0]).name if words else ""
    shown, commanded = [_PROGRAM], False
    for word in words[start + 1 :]:
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            shown.append(f"{name}=…" if equals else name)
        elif not commanded and _COMMAND.fullmatch(word):
            shown.append(word)
            commanded = True
        elif word.startswith("/") and os.path.lexists(word):
            shown.append(word)
        else:
            shown.append("…")
    return " ".join(shown)


def _others(run_directory: str) -> Iterator[tuple[Session, Run]]:
    for session in live_sessions(run_directory):
        if session.pid != os.getpid():
            yield session, Run(session.pid, command_of(_words(session.pid)))


def _words(pid: int) -> tuple[str, ...]:
    with contextlib.suppress(OSError):
        text = os.fsdecode((_PROCESSES / str(pid) / "cmdline").read_bytes())
        return tuple(text.removesuffix("\0").split("\0")) if text else ()
    return ()


def _open_files(process: Path) -> Iterator[tuple[bool, int, int]]:
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield _identity(link.stat())


def _identity(found: os.stat_result) -> tuple[bool, int, int]:
    """Tell a device by its number, a file by where it lies."""
    if stat.S_ISBLK(found.st_mode):
        return True, found.st_rdev, 0
    return False, found.st_dev, found.st_ino


def _mapping(path: str) -> str:
    """Return the name of a mapping, of a chain's the last one's."""
    return re.sub(r"_\d$", "", path.removeprefix("/dev/mapper/"))


def _place(mount_point: str) -> str:
    return mount_point.partition(ELSEWHERE)[0]


def _first(found: Iterator[Run | None]) -> Run | None:
    return next((run for run in found if run is not None), None)
