"""Disks that must not be written to, on real loop devices: refused, and unchanged."""

import ctypes
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from samples import MANIFEST, checked

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.memory import FixedClock, MemoryExportService
from s3export.domain.backup_layout import TreePath
from s3export.domain.devices.preparation import DiskState, Preparation
from s3export.domain.errors import (
    DeviceChanged,
    DeviceFailed,
    DeviceRefused,
    DiskNotReady,
    FileRefused,
    S3ExportError,
)
from s3export.domain.services.create_job import CreateJob, DiskWishes

pytestmark = pytest.mark.loop

MIB = 1 << 20
_CLONE_NEWNS = 0x00020000  # sched.h
_MS_REC_PRIVATE = 16384 | (1 << 18)  # mount(2)


def tool(*argv: str, given: str = "") -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, input=given)
    return done.stdout.strip()


def checksum(path: str) -> str:
    """Return the SHA-256 of a whole device."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def attached() -> str:
    """Return what is attached now."""
    return tool("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")


class Scene:
    """A disk of 64 MiB with something on it, and the use case over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image = folder / "disk.img"
        self.image.write_bytes(os.urandom(64 * MIB))
        self.disk = tool("losetup", "--find", "--show", str(self.image))
        self.export = MemoryExportService()
        self.devices = SystemBlockDevices(
            Commands(),
            run_directory=str(folder / "run"),
            backup_directory=str(folder / "erased"),
        )
        self.create = CreateJob(self.export, self.devices, FixedClock())
        self.manifest = checked(MANIFEST).accepted()

    def try_it(self, *, between: Callable[[], object] = lambda: None) -> None:
        """Plan and carry out."""
        plan = self.create.plan(self.manifest, self.disk)
        between()
        self.create.carry_out(plan)

    def assert_refused(self, kind: type[S3ExportError], said: str) -> None:
        """Refused, no job created, and no byte of the disk is another."""
        before = checksum(str(self.image))
        with pytest.raises(kind, match=said):
            self.try_it()
        assert checksum(str(self.image)) == before
        assert list(self.export.jobs()) == []


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    before = attached()
    scene = Scene(tmp_path)
    yield scene
    if scene.disk in attached():
        tool("losetup", "--detach", scene.disk)
    assert attached() == before
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@contextmanager
def mounted(device: str, place: Path) -> Iterator[None]:
    """Mount a device for a while."""
    place.mkdir(exist_ok=True)
    tool("mount", device, str(place))
    try:
        yield
    finally:
        tool("umount", str(place))


def test_a_mounted_disk_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    """The place is named."""
    tool("mkfs.ext4", "-q", "-F", scene.disk)
    with mounted(scene.disk, tmp_path / "place"):
        with pytest.raises(DeviceRefused, match=f"is mounted at {tmp_path}/place"):
            scene.try_it()
        assert list(scene.export.jobs()) == []


_ELSEWHERE = """
import ctypes, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(int(sys.argv[3])) == 0
assert libc.mount(b"none", b"/", None, int(sys.argv[4]), None) == 0
subprocess.run(["mount", sys.argv[1], sys.argv[2]], check=True)
print("mounted", flush=True)
sys.stdin.read()
"""


def test_a_disk_mounted_in_another_namespace_is_left_alone(
    scene: Scene, tmp_path: Path
) -> None:
    """As a container has it: our own mounts do not show it."""
    assert hasattr(ctypes.CDLL(None), "unshare")
    tool("mkfs.ext4", "-q", "-F", scene.disk)
    place = tmp_path / "place"
    place.mkdir()
    numbers = (str(_CLONE_NEWNS), str(_MS_REC_PRIVATE))
    other = subprocess.Popen(
        [sys.executable, "-c", _ELSEWHERE, scene.disk, str(place), *numbers],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdin is not None
    try:
        assert other.stdout.readline() == "mounted\n"
        assert str(place) not in Path("/proc/mounts").read_text()
        with pytest.raises(DeviceRefused) as refused:
            scene.try_it()
        said = f"mounted at {place} in the mount namespace of process {other.pid}"
        assert said in refused.value.message
    finally:
        other.stdin.close()
        other.wait()
        other.stdout.close()


def test_a_disk_that_somebody_holds_is_left_alone(scene: Scene) -> None:
    """One exclusive open by another program is enough."""
    descriptor = os.open(scene.disk, os.O_RDONLY | os.O_EXCL)
    try:
        scene.assert_refused(DeviceRefused, "is held by another process")
    finally:
        os.close(descriptor)


def test_swap_in_use_is_left_alone(scene: Scene) -> None:
    """It is named as what it is."""
    tool("mkswap", scene.disk)
    tool("swapon", scene.disk)
    try:
        scene.assert_refused(DeviceRefused, "is swap space in use")
    finally:
        tool("swapoff", scene.disk)


def test_a_disk_with_a_mounted_partition_is_left_alone(
    scene: Scene, tmp_path: Path
) -> None:
    """The other partitions with it."""
    tool("sfdisk", "-q", scene.disk, given="label: gpt\nsize=20MiB\nsize=20MiB\n")
    tool("partx", "--update", scene.disk)
    try:
        tool("mkfs.ext4", "-q", f"{scene.disk}p2")
        with (
            mounted(f"{scene.disk}p2", tmp_path / "place"),
            pytest.raises(DeviceRefused, match="p2 is mounted at"),
        ):
            scene.try_it()
    finally:
        tool("partx", "--delete", scene.disk)


def test_a_member_of_a_raid_that_is_not_running_is_left_alone(scene: Scene) -> None:
    """Nobody holds it, and its data lies on other disks, too."""
    magic = bytes.fromhex("fc4e2ba9") + (1).to_bytes(4, "little")
    superblock = bytearray(magic + bytes(252))
    with Path(scene.disk).open("r+b") as disk:
        disk.seek(4096)  # version 1.2: 4 KiB from the start
        superblock[128:136] = (8).to_bytes(8, "little")  # data_offset
        superblock[144:152] = (8).to_bytes(8, "little")  # super_offset, in sectors
        total = sum(
            int.from_bytes(superblock[n : n + 4], "little") for n in range(0, 256, 4)
        )
        total = (total & 0xFFFFFFFF) + (total >> 32)
        superblock[216:220] = (total & 0xFFFFFFFF).to_bytes(4, "little")  # sb_csum
        disk.write(superblock)

    scene.assert_refused(DeviceRefused, "is a part of a RAID")


def test_a_read_only_disk_is_left_alone(scene: Scene) -> None:
    """Before anything is tried."""
    tool("blockdev", "--setro", scene.disk)
    scene.assert_refused(DeviceRefused, "is read-only")
    tool("blockdev", "--setrw", scene.disk)


def test_another_disk_under_the_same_name_is_left_alone(
    scene: Scene, tmp_path: Path
) -> None:
    """Of the same size and without a serial: the kernel counts arrivals."""
    other = tmp_path / "other.img"
    other.write_bytes(os.urandom(64 * MIB))
    before = checksum(str(other))

    def exchange() -> None:
        tool("losetup", "--detach", scene.disk)
        tool("losetup", scene.disk, str(other))

    with pytest.raises(DeviceChanged, match="is not the device that was confirmed"):
        scene.try_it(between=exchange)

    assert checksum(str(other)) == before
    assert list(scene.export.jobs()) == []


def test_an_image_that_was_replaced_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    """Another file of the same name and size."""
    scene.disk, loop = str(tmp_path / "an.img"), scene.disk
    tool("losetup", "--detach", loop)
    Path(scene.disk).write_bytes(bytes(32 * MIB))
    other = tmp_path / "another.img"
    other.write_bytes(bytes(32 * MIB))

    with pytest.raises(DeviceChanged):
        scene.try_it(between=lambda: other.replace(scene.disk))

    assert Path(scene.disk).read_bytes() == bytes(32 * MIB)


def test_a_disk_that_was_pulled_out_is_an_error(scene: Scene) -> None:
    """Between confirming and writing; no job is created."""
    with pytest.raises(S3ExportError) as gone:
        scene.try_it(between=lambda: tool("losetup", "--detach", scene.disk))

    assert scene.disk in gone.value.message
    assert list(scene.export.jobs()) == []


def test_a_disk_that_is_held_by_us_can_be_prepared(scene: Scene) -> None:
    """Tools that want it for themselves get it, and its name stays its own."""
    facts = scene.devices.inspect(scene.disk)
    states: list[DiskState] = []
    with scene.devices.hold(facts) as now:
        scene.devices.prepare(now, Preparation("x"), states.append)
        tool("losetup", "--detach", scene.disk)  # lazily: it is open
        free = tool("losetup", "--find")
        assert free != scene.disk

    assert states == [
        DiskState.BEING_ERASED,
        DiskState.PARTITIONED,
        DiskState.BEING_FORMATTED,
        DiskState.FORMATTED,
    ]


def test_a_full_disk_keeps_its_files(scene: Scene) -> None:
    """SIGNATURE does not fit: the message says what is on the disk."""
    tool("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "16", scene.disk)
    with scene.devices.open_for_writing(scene.devices.inspect(scene.disk)) as tree:
        for number in range(500):
            try:
                tree.write(TreePath(b"f%d" % number), [b"x"])
            except S3ExportError:
                break
        else:
            pytest.fail("no file system of 16 inodes takes 500 files")
    plan = scene.create.plan(scene.manifest, scene.disk, DiskWishes(erase=False))

    with pytest.raises(DiskNotReady) as failed:
        scene.create.carry_out(plan)

    assert DiskState.BEING_SIGNED.value in failed.value.message
    assert "--skip-format" in failed.value.next_step
    with scene.devices.open_read_only(scene.devices.inspect(scene.disk)) as opened:
        assert b"f0" in opened.names(TreePath(b""))
        assert b"SIGNATURE" not in opened.names(TreePath(b""))


def test_where_nothing_can_be_saved_nothing_is_erased(
    scene: Scene, tmp_path: Path
) -> None:
    """A file stands where the directory should be, or there is no room in it."""
    (tmp_path / "erased").write_text("in the way")
    scene.assert_refused(FileRefused, "erased")

    (tmp_path / "erased").unlink()
    (tmp_path / "erased").mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path / "erased"))
    try:
        scene.assert_refused(FileRefused, "No space left")
        assert list((tmp_path / "erased").iterdir()) == []
    finally:
        tool("umount", str(tmp_path / "erased"))


def test_who_keeps_a_mount_busy_is_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the number of the process; and how to go on."""
    monkeypatch.setattr("s3export.adapters.block_devices._UNMOUNT_TRIES", 2)
    monkeypatch.setattr("s3export.adapters.block_devices._UNMOUNT_PAUSE_SECONDS", 0.1)
    tool("mkfs.ext4", "-q", "-F", scene.disk)
    facts = scene.devices.inspect(scene.disk)
    busy: subprocess.Popen[bytes] | None = None
    place = ""
    try:
        with (
            pytest.raises(DeviceFailed) as failed,
            scene.devices.open_for_writing(facts),
        ):
            lines = Path("/proc/mounts").read_text().splitlines()
            (place,) = [x.split()[1] for x in lines if x.startswith(scene.disk)]
            busy = subprocess.Popen(["sleep", "60"], cwd=place)
        assert busy is not None
        assert f"it is used by sleep ({busy.pid})" in failed.value.message
        assert f"umount {place}" in failed.value.next_step
    finally:
        if busy is not None:
            busy.kill()
            busy.wait()
        tool("umount", place)
