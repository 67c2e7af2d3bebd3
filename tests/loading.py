"""Disks in images, and runs of the program that loads them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from loading_program import JOB, Wishes

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.domain.backup_layout import LOAD_DIRECTORY, ROOT, TreePath, join
from s3export.domain.export_log import LogEntry, parse_export_log
from s3export.domain.ports import FileTree, TreeFile

PROGRAM = Path(__file__).with_name("loading_program.py")
CHECKOUT = PROGRAM.parents[1]
LOG = join(LOAD_DIRECTORY, f"export-log-{JOB}".encode())

MIB = 1 << 20

Content = dict[bytes, bytes]
"""Digests of files by their path."""


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended; ``said`` is its last document."""

    status: int
    said: Mapping[str, Any]

    @property
    def result(self) -> Mapping[str, Any]:
        """What was loaded; fails where nothing was."""
        assert "result" in self.said, self.said
        found: Mapping[str, Any] = self.said["result"]
        return found


@dataclass(frozen=True)
class Found:
    """What is on a disk.

    Attributes:
        backup: Without the notes of the loader.
        log: Empty where there is none yet.
    """

    backup: Content
    log: tuple[LogEntry, ...] = ()
    log_bytes: bytes = field(default=b"", repr=False, compare=False)

    @property
    def timeless(self) -> "Found":
        """The same without times."""
        return Found(self.backup, tuple(replace(e, at=None) for e in self.log))


class Disk:
    """An image with an empty ext4 file system, and the runs that load it."""

    def __init__(self, directory: Path, name: str, size: int, *more: str) -> None:
        self.image = directory / f"{name}.img"
        self.run_directory = directory / "run"
        self.devices = SystemBlockDevices(
            Commands(), run_directory=str(self.run_directory)
        )
        with self.image.open("wb") as file:
            file.truncate(size)
        run("mke2fs", "-q", "-F", "-t", "ext4", *more, str(self.image))

    def copy(self, name: str) -> "Disk":
        """Return another disk as it is now."""
        other = Disk.__new__(Disk)
        other.image = self.image.with_name(f"{name}.img")
        other.run_directory, other.devices = self.run_directory, self.devices
        run("cp", "--sparse=always", str(self.image), str(other.image))
        return other

    def start(self, manifest: str, endpoint_url: str, **more: Any) -> "Running":
        """Start to load it."""
        wishes = Wishes(
            manifest, str(self.image), str(self.run_directory), endpoint_url, **more
        )
        environment = {
            **os.environ,
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(asdict(wishes))],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=True,
        )
        return Running(process)

    def load(self, manifest: str, endpoint_url: str, **more: Any) -> Ended:
        """Load it to the end."""
        return self.start(manifest, endpoint_url, **more).wait()

    def release(self) -> int:
        """Release what a run that was killed left; return how many things."""
        released = 0
        while left := self.devices.leftovers():
            self.devices.clean(left[0])
            released += 1
        return released

    @contextmanager
    def opened(self) -> Iterator[FileTree]:
        """Open it for reading; not one byte is written."""
        with self.devices.open_read_only(self.devices.inspect(str(self.image))) as tree:
            yield tree

    def found(self) -> Found:
        """Read all of it."""
        with self.opened() as tree:
            files = [e for e in tree.entries(ROOT) if isinstance(e, TreeFile)]
            backup = {
                bytes(file.path): digest_of(tree, file.path)
                for file in files
                if not file.path.startswith(LOAD_DIRECTORY + b"/")
            }
            if LOG not in (file.path for file in files):
                return Found(backup)
            content = read(tree, LOG)
            if content.count(b"\n") < 2:
                return Found(backup, (), content)
            return Found(backup, parse_export_log(content, "log").entries, content)

    def fsck(self) -> None:
        """Fail unless the file system is without fault."""
        run("e2fsck", "-f", "-n", str(self.image))


@dataclass(frozen=True)
class Running:
    """The program, loading."""

    process: subprocess.Popen[str]

    def wait_until_open(self) -> None:
        """Return when the disk is open for writing."""
        assert self.process.stdout is not None
        assert json.loads(self.process.stdout.readline()) == {"open": True}

    def wait(self) -> Ended:
        """Return how it ended by itself."""
        out, _ = self.process.communicate(timeout=280)
        lines = out.splitlines()
        return Ended(self.process.returncode, json.loads(lines[-1]) if lines else {})

    def kill_after(self, seconds: float) -> bool:
        """Kill it as ``kill -9`` does; say whether that came before its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.communicate()
        return self.process.returncode < 0


def digest_of(tree: FileTree, path: TreePath) -> bytes:
    """Return the digest of a file."""
    hasher, buffer = hashlib.sha256(), bytearray(MIB)
    with tree.open(path) as file:
        while got := file.readinto(buffer):
            hasher.update(memoryview(buffer)[:got])
    return hasher.digest()


def read(tree: FileTree, path: TreePath) -> bytes:
    """Return a file."""
    content, buffer = b"", bytearray(MIB)
    with tree.open(path) as file:
        while got := file.readinto(buffer):
            content += buffer[:got]
    return content


def digests(objects: Mapping[tuple[str, str], bytes]) -> dict[tuple[str, str], bytes]:
    """Return the digests of objects."""
    return {name: hashlib.sha256(body).digest() for name, body in objects.items()}


def run(*argv: str) -> None:
    """Run a tool that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


def held_below(directory: Path) -> list[str]:
    """Return what is attached to images below a directory, and mounted there."""
    listed = subprocess.run(
        ("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"),
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [
        *listed.stdout.splitlines(),
        *Path("/proc/mounts").read_text().splitlines(),
    ]
    return [line for line in lines if str(directory) in line]


def remove(directory: Path) -> None:
    """Remove large images at once: pytest keeps its directories."""
    shutil.rmtree(directory, ignore_errors=True)
