"""What this process has mounted and attached, written down before it happens.

A run that is killed (``kill -9``, a power cut) cannot release anything. The next run
reads what it wrote down, compares it with what the system still holds, and can name and
clean exactly that. One directory a process, ``<pid>-<start time>``; in it the mount
points, those of decrypted volumes included, and a log of loop devices and mappings.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from s3export.adapters.device_facts import LoopDevice

RUN_DIRECTORY = "/run/s3export"

_LOG = "loops.jsonl"
_LONGEST_ATTACHMENT_SECONDS = 60.0


@dataclass(frozen=True)
class Held:
    """A mount point's path, a loop device's path, or a mapping's name.

    Attributes:
        file, offset: What a loop device was attached to; empty where it is not known.
    """

    kind: Literal["mount", "loop", "mapping"]
    name: str
    file: str = field(default="", compare=False)
    offset: int = field(default=0, compare=False)

    def is_of(self, loop: LoopDevice) -> bool:
        """Say whether a loop device is this one, and not somebody's of its name."""
        file = loop.backing_file.removesuffix(" (deleted)")
        return not self.file or (file, loop.offset) == (self.file, self.offset)


@dataclass(frozen=True)
class Session:
    """One process's directory; made when it is first needed."""

    directory: Path

    @property
    def pid(self) -> int:
        """The process's number."""
        return int(self.directory.name.partition("-")[0])

    @classmethod
    def of_this_process(cls, run_directory: str = RUN_DIRECTORY) -> "Session":
        """Return the session of the running process."""
        pid = os.getpid()
        return cls(Path(run_directory) / f"{pid}-{_start_time(pid)}")

    def mount_point(self) -> Path:
        """Make a new, empty directory to mount at."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = 0
        while True:
            path = self.directory / f"mount-{number}"
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                self._note({"mounting": str(path)})
                return path
            number += 1

    def note_attaching(self, file: str, offset: int) -> None:
        """Write down that a file is about to be attached."""
        self._note({"attaching": os.path.realpath(file), "offset": offset})

    def note_attached(self, device: str) -> None:
        """Write down which loop device that became."""
        self._note({"attached": device})

    def note_detached(self, device: str) -> None:
        """Write down that a loop device was released."""
        self._note({"detached": device})

    def note_opening(self, mapping: str) -> None:
        """Write down that a device-mapper mapping of this name is about to be made."""
        self._note({"opening": mapping})

    def note_closed(self, mapping: str) -> None:
        """Write down that a mapping is no more, or never was."""
        self._note({"closed": mapping})

    def close(self) -> None:
        """Remove the directory if nothing is mounted or attached any more."""
        if all(held.kind == "mount" for held in self.held(())) and not any(
            self.mount_points()
        ):
            (self.directory / _LOG).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def held(self, present: Sequence[LoopDevice]) -> tuple[Held, ...]:
        """Return what was acquired and not released, in the order to release it in.

        A last line that only announces an attachment is looked up among those present.
        A mount or a mapping may never have come to be, or be gone already.
        """
        held: dict[Held, None] = {}  # in the order of acquisition
        announced: dict[str, object] | None = None
        for line in self._lines():
            match line:
                case {"attaching": _}:
                    announced = line
                case {"attached": device}:
                    file, offset = _where(announced)
                    held[Held("loop", str(device), file, offset)] = None
                    announced = None
                case {"detached": device}:
                    held.pop(Held("loop", str(device)), None)
                case {"opening": mapping}:
                    held[Held("mapping", str(mapping))] = None
                case {"closed": mapping}:
                    held.pop(Held("mapping", str(mapping)), None)
                case {"mounting": path}:
                    held.pop(Held("mount", str(path)), None)
                    held[Held("mount", str(path))] = None
        if announced is not None:
            for loop in present:
                if (
                    loop.backing_file == announced["attaching"]
                    and loop.offset == announced["offset"]
                ):
                    held[Held("loop", loop.path)] = None
        return tuple(reversed(held))

    def awaits_an_attachment(self) -> bool:
        """Say whether one was announced a moment ago and may still come to be.

        losetup can outlive, for a moment, the run that was killed while it worked.
        """
        *_, last = ({}, *self._lines())
        if "attaching" not in last:
            return False
        with contextlib.suppress(OSError):
            age = time.time() - (self.directory / _LOG).stat().st_mtime
            return age < _LONGEST_ATTACHMENT_SECONDS
        return False

    def mount_points(self) -> tuple[Path, ...]:
        """Return the directories made to mount at."""
        return tuple(sorted(self.directory.glob("mount-*")))

    def _note(self, line: dict[str, object]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.directory / _LOG).open("a") as log:
            log.write(json.dumps(line) + "\n")

    def _lines(self) -> Iterator[dict[str, object]]:
        with contextlib.suppress(OSError):  # none, or another user's
            for line in (self.directory / _LOG).read_text().splitlines():
                with contextlib.suppress(ValueError):  # cut short by the crash
                    yield json.loads(line)


def _where(announced: dict[str, object] | None) -> tuple[str, int]:
    match announced:
        case {"attaching": str(file), "offset": int(offset)}:
            return file, offset
    return "", 0


def dead_sessions(run_directory: str = RUN_DIRECTORY) -> Iterator[Session]:
    """Yield the sessions of processes that are no more."""
    return (session for session, lives in _sessions(run_directory) if not lives)


def live_sessions(run_directory: str = RUN_DIRECTORY) -> Iterator[Session]:
    """Yield the sessions of processes that go on, this one included."""
    return (session for session, lives in _sessions(run_directory) if lives)


def _sessions(run_directory: str) -> Iterator[tuple[Session, bool]]:
    for directory in sorted(Path(run_directory).glob("*-*")):
        pid, _, started = directory.name.partition("-")
        if pid.isdigit():
            yield Session(directory), _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty for none.

    Field 22 of ``/proc/<pid>/stat`` (proc(5)); it tells a process from a later one that
    was given the same number.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
