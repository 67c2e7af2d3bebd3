"""A file system that somebody uses cannot be unmounted, and the error says who."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from s3export.adapters import mounts
from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.mount_users import users_of
from s3export.adapters.sessions import Session
from s3export.domain.backup_layout import TreePath
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import DeviceFailed

pytestmark = pytest.mark.loop

_USER = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"


@pytest.fixture
def devices(tmp_path: Path) -> SystemBlockDevices:
    """The adapter, with its notes in a directory of the test."""
    return SystemBlockDevices(Commands(), run_directory=str(tmp_path / "run"))


@pytest.fixture
def image(devices: SystemBlockDevices, tmp_path: Path) -> str:
    """An image with a file system, with one file."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    devices.prepare(devices.inspect(str(path)), Preparation("busy"))
    with devices.open_for_writing(devices.inspect(str(path))) as tree:
        tree.write(TreePath(b"file"), [b"content"])
    return str(path)


@contextmanager
def using(file: str) -> Iterator[int]:
    """Have a process of ours keep a file open; give its number."""
    with subprocess.Popen(
        [sys.executable, "-c", _USER, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.fixture
def nothing_mounted(tmp_path: Path) -> Iterator[None]:
    """Whatever fails, nothing stays mounted or attached; and it is looked at."""
    yield
    for place in reversed(places(tmp_path)):
        subprocess.run(["umount", place], check=False)
    loops = attached(tmp_path)
    for loop in loops:
        subprocess.run(["losetup", "--detach", loop], check=False)
    assert (places(tmp_path), attached(tmp_path)) == ([], [])


def places(folder: Path) -> list[str]:
    """Return what is mounted below a folder."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return [p for p in (line.split()[1] for line in lines) if p.startswith(str(folder))]


def attached(folder: Path) -> list[str]:
    """Return the loop devices over files in a folder."""
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [line.split()[0] for line in listed if str(folder) in line]


def test_who_uses_a_busy_mount_is_named(
    devices: SystemBlockDevices,
    image: str,
    nothing_mounted: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the program and its process, and what to do about it."""
    monkeypatch.setattr(mounts, "_UNMOUNT_TRIES", 2)
    monkeypatch.setattr(mounts, "_UNMOUNT_PAUSE_SECONDS", 0.01)
    facts = devices.inspect(image)

    with ExitStack() as stack:
        with pytest.raises(DeviceFailed) as failed, devices.open_read_only(facts):
            (place,) = places(tmp_path)
            user = stack.enter_context(using(f"{place}/file"))
        name = Path(f"/proc/{user}/comm").read_text().strip()
        assert f"{place} cannot be unmounted" in failed.value.message
        assert f"it is used by {name} ({user})" in failed.value.message
        assert f"umount {place}" in failed.value.next_step
        assert users_of(place) == f"{name} ({user})"

    assert users_of(place) == ""


def test_what_this_process_itself_left_open_does_not_keep_a_disk(
    devices: SystemBlockDevices,
    image: str,
    nothing_mounted: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal lost the number of its descriptor; it is one of nothing from then on."""
    monkeypatch.setattr(mounts, "_UNMOUNT_PAUSE_SECONDS", 0.01)
    with devices.open_for_writing(devices.inspect(image)) as tree:
        tree.write(TreePath(b"more"), [b"content"])
        (place,) = places(tmp_path)
        lost = [os.open(place, os.O_RDONLY), os.open(f"{place}/file", os.O_RDWR)]

    assert places(tmp_path) == []
    for descriptor in lost:
        assert os.read(descriptor, 10) == b""
        os.close(descriptor)


def test_a_directory_in_use_has_a_user_whatever_is_open(tmp_path: Path) -> None:
    """Where nothing is mounted, it is everyone on the file system; five are named."""
    assert users_of(str(tmp_path / "missing")) == ""
    with (tmp_path / "file").open("w") as file:
        assert os.fstat(file.fileno()).st_dev == tmp_path.stat().st_dev
        assert 1 <= len(users_of(str(tmp_path)).split(", ")) <= 5


def test_what_was_attached_while_it_was_being_released_is_released_first(
    devices: SystemBlockDevices, tmp_path: Path
) -> None:
    """A tool can outlive the run that was killed while it worked, for some seconds."""
    dead = Session(tmp_path / "run" / "1-0")  # no process 1 ever started at 0
    place = dead.mount_point()
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    file = place / "volume"
    with file.open("wb") as volume:
        volume.truncate(1 << 20)
    dead.note_attaching(str(file), 0)
    (mount,) = devices.leftovers()
    subprocess.run(["losetup", "--find", file], check=True)
    try:
        devices.clean(mount)

        assert devices.leftovers() == ()
        assert not mounts.is_mounted(str(place))
    finally:
        left = subprocess.run(
            ["losetup", "--noheadings", "--output", "NAME", "--associated", file],
            check=False, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        for loop in left:
            subprocess.run(["losetup", "--detach", loop], check=False)
        subprocess.run(["umount", place], check=False, capture_output=True)
