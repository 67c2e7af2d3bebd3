"""Whatever fails while a disk is prepared, what is said of it is true.

The real program over a loop device and a server. One row is one command line that
create-job runs, one column the way in which it goes wrong. After each: the exit code,
the job, the state of the disk as it is told and as it is, nothing left mounted or
attached; and the command that is named as the next step ends with a ready disk for that
same job.
"""

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures.command_line import Ran, Run
from fixtures.faulty_tools import FOR_EVER, FaultyTools
from plumbum import local

from s3export.domain.devices.preparation import DiskState
from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.importexport.models import (
    ImportExportBackend,
    importexport_backends,
)
from s3export.entrypoints.sandbox.server import SandboxServer, running

pytestmark = pytest.mark.loop

MIB = 1 << 20


def tool(*argv: str) -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def held(*names: str) -> list[str]:
    """Return the loop devices and mounts of this process, or of other names.

    Others on this machine may attach and mount what they like meanwhile.
    """
    names = (*names, f"/run/s3export/{os.getpid()}-")
    loops = tool("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
    lines = [*loops.splitlines(), *Path("/proc/mounts").read_text().splitlines()]
    return [
        line
        for line in lines
        if any(
            name in line.split()[1:][:1] or (name[-1] in "-/" and name in line)
            for name in names
        )
    ]


def backend() -> ImportExportBackend:
    """What the server knows, for looking at it without another run of the program."""
    found = importexport_backends["123456789012"]["aws"]
    assert isinstance(found, ImportExportBackend)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """A server with the sandbox's bucket."""
    with running() as started:
        contents.fill(s3_client(started))
        yield started


@dataclass
class Scene:
    """A disk with something on it, a manifest, faulty tools, and the program."""

    disk: str
    manifest: str
    tools: FaultyTools
    run_it: Run
    before: str = ""

    def run(self, *arguments: str) -> Ran:
        """Run the program in this process."""
        with local.env(PATH=self.tools.path):
            return self.run_it(*arguments)

    def create(self, *options: str) -> Ran:
        """Create a job for the disk."""
        return self.run("create-job", *self.arguments(*options))

    def arguments(self, *options: str) -> list[str]:
        """Return what follows create-job."""
        return [self.manifest, self.disk, f"--confirm-device={self.disk}", *options]

    def jobs(self) -> list[str]:
        """Return the ids of all jobs."""
        return list(backend().jobs)

    def checksum(self) -> str:
        """Return the SHA-256 of the disk."""
        with Path(self.disk).open("rb") as device:
            return hashlib.file_digest(device, "sha256").hexdigest()

    def offset(self) -> int | None:
        """Return where the one file system is; ``None`` for none."""
        if self.type_at(0) == "ext4":
            return 0
        done = subprocess.run(
            ("sfdisk", "--json", self.disk), capture_output=True, text=True, check=False
        )
        if done.returncode:
            return None
        parts = json.loads(done.stdout)["partitiontable"].get("partitions", [])
        assert len(parts) <= 1
        found = [part["start"] * 512 for part in parts]
        return found[0] if found and self.type_at(found[0]) == "ext4" else None

    def type_at(self, offset: int) -> str:
        """Return what blkid recognises at an offset."""
        argv = ("blkid", "-p", "-O", str(offset), "-o", "value", "-s", "TYPE")
        done = subprocess.run(
            (*argv, self.disk), capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def has_table(self) -> bool:
        """Say whether there is a GPT with the one partition."""
        done = subprocess.run(
            ("sfdisk", "--dump", self.disk), capture_output=True, text=True, check=False
        )
        return 'name="s3export"' in done.stdout

    def signature(self) -> bytes | None:
        """Read SIGNATURE with e2fsprogs, which is not what wrote it."""
        offset = self.offset()
        assert offset is not None
        where = f"{self.disk}?offset={offset}"
        tool("e2fsck", "-f", "-n", where)
        listed = tool("debugfs", "-R", "ls -p /", where)
        if "/SIGNATURE/" not in listed:
            return None
        done = subprocess.run(
            ("debugfs", "-R", "cat SIGNATURE", where), capture_output=True, check=True
        )
        return done.stdout


@pytest.fixture
def scene(
    server: SandboxServer, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """A disk that holds an ext4 file system of somebody's."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    manifest = tmp_path / "the manifest.yml"
    manifest.write_text(contents.MANIFEST)
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(32 * MIB)
    disk = tool("losetup", "--find", "--show", str(image))
    try:
        tool("mkfs.ext4", "-q", "-L", "somebodys", disk)
        made = Scene(disk, str(manifest), FaultyTools(tmp_path / "tools"), run)
        made.before = made.checksum()
        backend().jobs.clear()
        yield made
    finally:
        tool("losetup", "--detach", disk)
    assert held(str(image), disk) == []


# --- what is true --------------------------------------------------------------------


def told_state(text: str) -> DiskState | None:
    """Return the state that a message tells; ``None`` for none."""
    found = [state for state in DiskState if state.value in text]
    assert len(found) <= 1
    return found[0] if found else None


def is_as_told(scene: Scene, state: DiskState | None) -> bool:
    """Compare a state that was told with what is on the disk."""
    if state is None or state is DiskState.UNTOUCHED:
        return scene.checksum() == scene.before
    if state is DiskState.PARTITIONED:
        return scene.has_table() and scene.offset() is None
    if state is DiskState.FORMATTED:
        return scene.offset() is not None and scene.signature() is None
    if state is DiskState.BEING_SIGNED:
        return scene.offset() is not None
    return True  # the others say what may be, and not what is


def commands_named(text: str) -> list[list[str]]:
    """Return the command lines that a message names after ``next:``."""
    *_, last = text.partition("  next: ")
    parts = re.split(r"; (?:then )?", last.strip())
    found = [part[part.find("s3export ") :] for part in parts if "s3export " in part]
    found += [
        part[part.find(program) :]
        for part in parts
        for program in ("umount /", "losetup -d /")
        if program in part
    ]
    return [shlex.split(command) for command in found]


def is_told_truly(scene: Scene, ran: Ran, code: int) -> None:
    """Check all that was said, then do what was said to do."""
    jobs = scene.jobs()
    state = told_state(ran.err)
    assert "a bug" not in ran.err
    if ran.code == 0:
        assert code == 5  # a step that was tried again
        is_ready(scene)
        return
    assert ran.code == code, ran.err
    assert len(jobs) <= 1
    assert is_as_told(scene, state), f"{state}: {ran.err}"
    if not jobs:
        assert state is None
        assert "exists at AWS" not in ran.err
        assert scene.create().code == 0
        is_ready(scene)
        return
    assert state is not None, ran.err
    assert jobs[0] in ran.err
    saved = re.search(r"are in (\S+\.tar\.gz)", ran.err)
    assert (saved is not None) == (state is not DiskState.UNTOUCHED), ran.err
    if saved:
        tool("tar", "--extract", "--to-stdout", "--file", saved[1], "README.txt")
    (way_on,) = [c for c in commands_named(ran.err) if "create-job" in c]
    assert way_on[:2] == ["s3export", "create-job"]
    assert f"{jobs[0]}" in way_on
    went_on = scene.run(*way_on[1:], f"--confirm-device={scene.disk}")
    assert went_on.code == 0, went_on.err
    assert scene.jobs() == jobs
    is_ready(scene)


def is_ready(scene: Scene) -> None:
    """The disk holds the signature of the one job."""
    (job,) = scene.jobs()
    assert scene.signature() == backend().jobs[job].signature_file.encode()


# --- the table -----------------------------------------------------------------

STEPS = [
    ("lsblk", 2),
    ("losetup --json", 1),
    ("losetup --json", 2),
    ("wipefs --no-act", 1),
    ("wipefs --no-act", 2),
    ("wipefs --no-act", 3),
    ("sfdisk --json", 1),
    ("sfdisk --dump", 1),
    ("sfdisk --quiet", 1),
    ("sfdisk --json", 2),
    ("losetup --find", 1),
    ("mkfs.ext4", 1),
    ("blockdev", 1),
    ("losetup --detach", 1),
    ("blkid", 1),
    ("blkid", 2),
    ("blkid", 3),
    ("losetup --find", 2),
    ("mount", 1),
    ("umount", 1),
    ("blockdev", 2),
    ("blockdev", 3),
    ("losetup --detach", 2),
    ("sfdisk --json", 4),
    ("blkid", 5),
    ("losetup --find", 3),
    ("mount", 2),
    ("umount", 2),
    ("losetup --detach", 3),
]
"""How a command line begins, and the how-many-eth of those it is."""

INTERRUPTED_AT = [
    ("losetup --json", 1),
    ("sfdisk --dump", 1),
    ("sfdisk --quiet", 1),
    ("sfdisk --json", 2),
    ("losetup --find", 1),
    ("mkfs.ext4", 1),
    ("blockdev", 1),
    ("losetup --detach", 1),
    ("mount", 1),
    ("umount", 1),
    ("blkid", 1),
    ("blkid", 5),
    ("umount", 2),
]

ON_WHOLE_DISK = [
    ("wipefs --all", 1),
    ("mkfs.ext4", 1),
    ("blockdev", 1),
    ("mount", 1),
    ("umount", 1),
    ("blockdev", 2),
    ("mount", 2),
]


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize(("call", "number"), STEPS)
def test_a_step_that_fails_is_told_truly(
    scene: Scene, call: str, number: int, kind: str
) -> None:
    """Whether it failed before it did its work or after."""
    scene.tools.arrange(kind, call, first=number)

    ran = scene.create()

    assert scene.tools.disarm()
    assert held(scene.disk) == []
    is_told_truly(scene, ran, 5)


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize(("call", "number"), ON_WHOLE_DISK)
def test_a_step_that_fails_on_a_disk_without_a_table_is_told_truly(
    scene: Scene, call: str, number: int, kind: str
) -> None:
    """And what is gone on with is a disk without a table, too."""
    scene.tools.arrange(kind, call, first=number)

    ran = scene.create("--whole-disk")

    assert scene.tools.disarm()
    assert held(scene.disk) == []
    is_told_truly(scene, ran, 5)
    if scene.jobs() and ran.code and "exists at AWS" in ran.err:
        assert scene.offset() == 0


@pytest.mark.parametrize(
    ("kind", "signum"), [("signal-before", "INT"), ("signal-after", "TERM")]
)
@pytest.mark.parametrize(("call", "number"), INTERRUPTED_AT)
def test_an_interruption_at_a_step_is_told_truly(
    scene: Scene, call: str, number: int, kind: str, signum: str
) -> None:
    """No tool goes on writing behind the message, and everything is released."""
    scene.tools.arrange(kind, call, first=number, signal=signum)

    ran = scene.create()

    after = scene.checksum()
    time.sleep(0.4)
    assert scene.checksum() == after
    assert scene.tools.disarm()
    assert held(scene.disk) == []
    assert "everything mounted or attached was released" in ran.err
    is_told_truly(scene, ran, 128 + signal.Signals[f"SIG{signum}"])


@pytest.mark.parametrize(
    ("call", "number", "release"),
    [
        ("umount", 1, "umount /run/s3export/"),
        ("losetup --detach", 1, "losetup -d /dev/loop"),
        ("losetup --detach", 2, "losetup -d /dev/loop"),
    ],
)
def test_what_cannot_be_released_is_named_with_the_command_that_does(
    scene: Scene, call: str, number: int, release: str
) -> None:
    """It comes first among the next steps, and then the job can be gone on with."""
    scene.tools.arrange("before", call, first=number, last=FOR_EVER)

    ran = scene.create()

    assert scene.tools.disarm()
    assert ran.code == 5
    assert release in ran.err
    (job,) = scene.jobs()
    assert job in ran.err
    for command in commands_named(ran.err):
        if command[0] != "s3export":
            tool(*command)
    (way_on,) = [c for c in commands_named(ran.err) if "create-job" in c]
    left = re.compile(r"(?:umount|losetup -d) /\S+")
    for _ in range(3):  # each run names what is still left
        went_on = scene.run(*way_on[1:], f"--confirm-device={scene.disk}")
        if went_on.code == 0:
            break
        for line in went_on.err.splitlines():
            if f" on {scene.disk};" in line or f"/{os.getpid()}-" in line:
                for found in left.findall(line):
                    tool(*found.rstrip(",;)").split())
    assert went_on.code == 0, went_on.err
    is_ready(scene)


# --- killed -------------------------------------------------------------------------

KILLED_AT = [
    ("sfdisk --dump", 1),
    ("sfdisk --quiet", 1),
    ("losetup --find", 1),
    ("mkfs.ext4", 1),
    ("losetup --detach", 1),
    ("losetup --find", 2),
    ("mount", 1),
    ("umount", 1),
    ("losetup --detach", 2),
    ("mount", 2),
    ("umount", 2),
    ("losetup --detach", 3),
]


@pytest.mark.parametrize("kind", ["signal-before", "signal-after"])
@pytest.mark.parametrize(("call", "number"), KILLED_AT)
def test_a_run_that_was_killed_is_gone_on_with(
    scene: Scene, call: str, number: int, kind: str
) -> None:
    """The next one names what it left, inside first; then the same job is finished."""
    scene.tools.arrange(kind, call, first=number, signal="KILL")
    command = [sys.executable, "-m", "s3export", "create-job", *scene.arguments()]
    killed = subprocess.Popen(
        command,
        env={**os.environ, "PATH": scene.tools.path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert killed.wait(60) == -signal.SIGKILL
    assert scene.tools.disarm()
    wait_for_tools(scene)
    jobs = scene.jobs()

    resume = [f"--resume={job}" for job in jobs]
    for _ in range(3):
        ran = scene.create(*resume)
        if ran.code == 0:
            break
        releases = re.findall(r"left a (.*); release it with: (\S.*)", ran.err)
        of_it = (f" on {scene.disk}", f"/{killed.pid}-")
        own = [command for what, command in releases if any(x in what for x in of_it)]
        assert own, ran.err
        for release in own:
            tool(*release.split())

    assert ran.code == 0, ran.err
    assert len(scene.jobs()) == 1
    assert scene.jobs() == jobs or not jobs
    is_ready(scene)


def wait_for_tools(scene: Scene) -> None:
    """Wait until what the killed run had started has ended.

    Seen three times: a program that is just being replaced shows no arguments.
    """
    own = (str(scene.tools.directory), scene.disk)
    free = 0
    for _ in range(200):
        listed = tool("ps", "-eo", "args").splitlines()
        free = 0 if any(word in line for line in listed for word in own) else free + 1
        if free == 3:
            return
        time.sleep(0.05)
    raise AssertionError(listed)
