"""A disk that may not be used stays as it is, byte for byte, and why is said."""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples import MANIFEST

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands
from s3export.adapters.memory import FixedClock, MemoryExportService, MemoryManifests
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import (
    DeviceAbsent,
    DeviceChanged,
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DeviceUnreadable,
    DiskNotReady,
    NoFileSystem,
)
from s3export.domain.services.create_job import CreateJob, DiskWishes

pytestmark = pytest.mark.loop

MIB = 1 << 20

# For some seconds after a file system was mounted the kernel goes on by itself: it
# initializes inode tables and reads bitmaps ahead (ext4(5), "init_itable"; the
# "prefetch_block_bitmaps" of Linux's ext4), and the device's bytes change under a test.
QUIETLY = "noinit_itable,no_prefetch_block_bitmaps"


def tool(*argv: str) -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def checksum(path: str) -> str:
    """Return the SHA-256 of a whole device or image."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def new_image(path: Path, mib: int = 32) -> str:
    """Make an image of an empty disk."""
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    return str(path)


class Scene:
    """The use case over this system's devices and a service in memory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.export = MemoryExportService()
        self.devices = SystemBlockDevices(
            Commands(),
            run_directory=str(directory / "run"),
            backup_directory=str(directory / "erased"),
        )
        self.create = CreateJob(self.export, self.devices, FixedClock())
        self.manifest = MemoryManifests({"m": MANIFEST}).read("m").accepted()

    def is_refused(
        self, path: str, error: type[DeviceError], said: str, *, while_planned: bool
    ) -> None:
        """Whatever is wished: an error that says why, no job, no changed byte."""
        for wishes in (DiskWishes(), DiskWishes(erase=False)):
            if while_planned:
                with pytest.raises(error, match=said):
                    self.create.plan(self.manifest, path, wishes)
        assert list(self.export.jobs()) == []
        assert not (self.directory / "erased").exists()

    def in_between(
        self, path: str, change: "contextlib.AbstractContextManager[None]"
    ) -> DeviceError:
        """Plan, let something happen, carry out; return the error."""
        plan = self.create.plan(self.manifest, path)
        with change, pytest.raises(DeviceError) as refused:
            self.create.carry_out(plan)
        assert list(self.export.jobs()) == []
        assert not (self.directory / "erased").exists()
        return refused.value


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Nothing stays mounted or attached."""
    yield Scene(tmp_path)
    loops = tool("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
    assert str(tmp_path) not in loops + Path("/proc/mounts").read_text()


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image of an empty disk."""
    return new_image(tmp_path / "disk.img")


@pytest.fixture
def disk(scene: Scene, image: str) -> Iterator[str]:
    """A loop device with an ext4 file system on it."""
    loop = tool("losetup", "--find", "--show", image)
    try:
        tool("mkfs.ext4", "-q", "-L", "somebodys", loop)
        yield loop
    finally:
        subprocess.run(("losetup", "--detach", loop), capture_output=True, check=False)


@contextlib.contextmanager
def mounted(device: str, place: Path) -> Iterator[None]:
    """Mount a device; the kernel writes nothing to it of its own accord."""
    place.mkdir()
    tool("mount", "-o", QUIETLY, device, str(place))
    try:
        yield
    finally:
        tool("umount", str(place))


@contextlib.contextmanager
def mounted_out_of_sight(device: str, place: Path) -> Iterator[None]:
    """Mount a device where only another process sees it."""
    place.mkdir()
    script = f'mount -o {QUIETLY} {device} "$0" && echo ready && exec sleep 60'
    child = subprocess.Popen(
        ("unshare", "--mount", "--propagation=private", "sh", "-c", script, str(place)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert str(place) not in Path("/proc/mounts").read_text()
        yield
    finally:
        child.kill()
        child.communicate()


@contextlib.contextmanager
def held_exclusively(device: str) -> Iterator[None]:
    """Let another process hold a device as mkfs or a RAID does."""
    script = (
        "import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL);"
        "print('ready', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        (sys.executable, "-c", script, device),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield
    finally:
        child.communicate()


@contextlib.contextmanager
def swapped_to(device: str) -> Iterator[None]:
    """Use a device as swap space; mkswap has been there."""
    tool("swapon", device)
    try:
        yield
    finally:
        tool("swapoff", device)


@contextlib.contextmanager
def replaced(loop: str, other: str) -> Iterator[None]:
    """Attach another image under the same name."""
    tool("losetup", "--detach", loop)
    tool("losetup", loop, other)
    yield


@contextlib.contextmanager
def removed(loop: str) -> Iterator[None]:
    """Pull the disk out."""
    tool("losetup", "--detach", loop)
    yield


@contextlib.contextmanager
def write_protected(loop: str) -> Iterator[None]:
    """Turn the write switch."""
    tool("blockdev", "--setro", loop)
    try:
        yield
    finally:
        tool("blockdev", "--setrw", loop)


def way_of_being_used(
    name: str, disk: str, directory: Path
) -> "contextlib.AbstractContextManager[None]":
    """Return a way in which a disk is in use."""
    match name:
        case "mounted":
            return mounted(disk, directory / "place")
        case "mounted out of sight":
            return mounted_out_of_sight(disk, directory / "place")
        case "held":
            return held_exclusively(disk)
        case "swap":
            tool("mkswap", disk)
            return swapped_to(disk)
    return write_protected(disk)


USES = [
    ("mounted", "is mounted at "),
    ("mounted out of sight", "mounted at .*in the mount namespace of process"),
    ("held", "is held by another process"),
    ("swap", "is swap space in use"),
    ("read-only", "is read-only"),
]


@pytest.mark.parametrize(("name", "said"), USES)
def test_a_disk_in_use_is_refused_and_stays_as_it_is(
    scene: Scene, disk: str, tmp_path: Path, name: str, said: str
) -> None:
    """However it is used: no job, no backup of it."""
    use = way_of_being_used(name, disk, tmp_path)
    with use:
        tool("sync")
        before = checksum(disk)
        scene.is_refused(disk, DeviceRefused, said, while_planned=True)
        assert checksum(disk) == before


@pytest.mark.parametrize(("name", "said"), USES)
def test_a_disk_that_comes_into_use_after_it_was_planned_is_refused(
    scene: Scene, disk: str, image: str, tmp_path: Path, name: str, said: str
) -> None:
    """It is judged again before anything is created or written."""
    use = way_of_being_used(name, disk, tmp_path)

    error = scene.in_between(disk, use)

    assert isinstance(error, DeviceRefused)
    assert said.split(".*")[0] in error.message
    assert tool("blkid", "-p", "-o", "value", "-s", "LABEL", image) in ("somebodys", "")


def test_a_disk_of_which_a_partition_is_mounted_is_refused(
    scene: Scene, disk: str, tmp_path: Path
) -> None:
    """The partition is named."""
    tool(
        "sh", "-c", f"printf 'label: gpt\\nstart=1MiB\\n' | sfdisk -q -w always {disk}"
    )
    tool("partx", "--update", disk)
    part = f"{disk}p1"
    try:
        tool("mkfs.ext4", "-q", part)
        with mounted(part, tmp_path / "place"):
            tool("sync")
            before = checksum(disk)
            said = f"{part} is mounted at"
            scene.is_refused(disk, DeviceRefused, said, while_planned=True)
            assert checksum(disk) == before
    finally:
        tool("partx", "--delete", disk)


def test_another_disk_of_the_same_name_size_and_serial_is_not_taken_for_it(
    scene: Scene, disk: str, image: str, tmp_path: Path
) -> None:
    """The kernel numbers the arrivals of disks; neither of the two is changed."""
    other = new_image(tmp_path / "other.img")
    before = (checksum(image), checksum(other))

    error = scene.in_between(disk, replaced(disk, other))

    assert isinstance(error, DeviceChanged)
    assert f"{disk} is not the device that was confirmed" in error.message
    assert (checksum(image), checksum(other)) == before


def test_a_disk_that_was_pulled_out_is_missed_before_anything_is_done(
    scene: Scene, disk: str, image: str
) -> None:
    """No job is created for it."""
    before = checksum(image)

    error = scene.in_between(disk, removed(disk))

    assert isinstance(error, DeviceChanged | DeviceAbsent)
    assert disk in error.message
    assert checksum(image) == before


def test_another_image_file_of_the_same_name_is_not_taken_for_it(
    scene: Scene, image: str, tmp_path: Path
) -> None:
    """Neither if it is put in its place, nor if it is made after the first is gone."""

    @contextlib.contextmanager
    def put_in_place() -> Iterator[None]:
        Path(new_image(tmp_path / "other.img")).replace(image)
        yield

    @contextlib.contextmanager
    def made_anew() -> Iterator[None]:
        inode = Path(image).stat().st_ino
        for number in range(50):  # until the file system gives the number again
            Path(image).unlink()
            new_image(Path(image))
            if Path(image).stat().st_ino == inode:
                break
            Path(image).rename(tmp_path / f"spare-{number}")
            new_image(Path(image))
        yield

    for change in (put_in_place(), made_anew()):
        error = scene.in_between(image, change)
        assert isinstance(error, DeviceChanged)
        assert not any(Path(image).read_bytes())


def test_a_disk_that_is_held_can_be_prepared_and_keeps_its_name(
    scene: Scene, disk: str, image: str, tmp_path: Path
) -> None:
    """Detaching it takes effect when it is let go; until then its name is not free."""
    other = new_image(tmp_path / "other.img")
    facts = scene.devices.inspect(disk)

    with scene.devices.hold(facts) as held:
        scene.devices.prepare(held, Preparation("held"))
        tool("losetup", "--detach", disk)
        taken = subprocess.run(
            ("losetup", disk, other), capture_output=True, text=True, check=False
        )
        assert taken.returncode != 0
        assert tool("losetup", "--find") != disk

    assert not any(Path(other).read_bytes())
    assert "gpt" in scene.devices.inspect(image).signatures


@pytest.mark.parametrize("lacking", ["blocks", "inodes"])
def test_a_full_disk_that_is_kept_says_that_the_signature_does_not_fit(
    scene: Scene, disk: str, tmp_path: Path, lacking: str
) -> None:
    """What was on it stays; the way on is to make room, and then it leads there."""
    place = tmp_path / "place"
    if lacking == "inodes":
        tool("mkfs.ext4", "-q", "-F", "-N", "16", disk)
    place.mkdir()
    tool("mount", disk, str(place))
    try:
        with contextlib.suppress(OSError):
            if lacking == "inodes":
                for number in range(1000):
                    (place / f"file-{number}").touch()
            else:
                with (place / "file-0").open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
        with contextlib.suppress(OSError):  # the blocks that were too few for a page
            for number in range(100):
                with (place / f"small-{number}").open("wb", buffering=0) as file:
                    file.write(b"x")
                    os.fsync(file.fileno())
        names = sorted(path.name for path in place.iterdir())
    finally:
        tool("umount", str(place))
    plan = scene.create.plan(scene.manifest, disk, DiskWishes(erase=False))

    with pytest.raises(DiskNotReady, match="SIGNATURE does not fit") as full:
        scene.create.carry_out(plan)

    (job,) = scene.export.jobs()
    assert job.job_id in full.value.message
    assert full.value.next_step.startswith("make room on it; then ")
    assert f"--resume {job.job_id} --skip-format" in full.value.next_step
    with mounted(disk, tmp_path / "again"):
        assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
        (tmp_path / "again" / "file-0").unlink()
    resumed = scene.create.plan(
        scene.manifest, disk, DiskWishes(erase=False), resume=job.job_id
    )
    assert scene.create.carry_out(resumed).job_id == job.job_id


def test_a_disk_without_a_file_system_cannot_be_kept_as_it_is(
    scene: Scene, disk: str
) -> None:
    """That is said before a job is created for it."""
    tool("wipefs", "--all", "--quiet", disk)
    before = checksum(disk)
    plan = scene.create.plan(scene.manifest, disk, DiskWishes(erase=False))

    with pytest.raises(NoFileSystem):
        scene.create.carry_out(plan)

    assert list(scene.export.jobs()) == []
    assert checksum(disk) == before


def test_a_kept_file_system_that_cannot_be_written_to_is_refused(
    scene: Scene, tmp_path: Path
) -> None:
    """Before a job is created for it: NTFS can be read, and SIGNATURE not written."""
    image = new_image(tmp_path / "ntfs.img")
    tool("mkntfs", "-F", "-q", "-Q", image)
    before = checksum(image)
    plan = scene.create.plan(scene.manifest, image, DiskWishes(erase=False))

    with pytest.raises(DeviceUnreadable, match="holds ntfs"):
        scene.create.carry_out(plan)

    assert list(scene.export.jobs()) == []
    assert checksum(image) == before


def test_another_jobs_disk_is_recognised_without_being_mounted(
    scene: Scene, disk: str, tmp_path: Path
) -> None:
    """SIGNATURE is read as the kernel left it; not one byte of the disk changes."""
    other = scene.export.create(MANIFEST)
    with mounted(disk, tmp_path / "mount"):
        (tmp_path / "mount" / "SIGNATURE").write_text(other.signature_file)
    before = checksum(disk)

    plan = scene.create.plan(scene.manifest, disk)

    assert plan.disk_of == other.job_id
    assert checksum(disk) == before
    assert not (tmp_path / "run").exists()


def test_a_disk_that_is_too_small_is_refused(scene: Scene, tmp_path: Path) -> None:
    """One byte too small is too small."""
    path = tmp_path / "small.img"
    with path.open("wb") as file:
        file.truncate(16 * MIB - 1)
    before = checksum(str(path))

    said = "16,777,215 bytes, too few"
    scene.is_refused(str(path), DeviceRefused, said, while_planned=True)

    assert checksum(str(path)) == before


def test_a_left_over_whose_name_another_disk_has_is_not_released(
    scene: Scene, disk: str, tmp_path: Path
) -> None:
    """A loop device that a killed run had is told from a later one of its name."""
    notes = tmp_path / "run" / "99999999-1"
    notes.mkdir(parents=True)
    (notes / "loops.jsonl").write_text(
        f'{{"attaching": "{tmp_path}/gone.img", "offset": 0}}\n'
        f'{{"attached": "{disk}"}}\n'
    )

    assert scene.devices.leftovers() == ()


@pytest.mark.parametrize(("age_seconds", "is_kept"), [(0, True), (3600, False)])
def test_a_tool_that_outlives_a_killed_run_may_still_attach_something(
    scene: Scene, disk: str, tmp_path: Path, age_seconds: int, is_kept: bool
) -> None:
    """What was announced a moment ago is waited for, and not forgotten by a look."""
    notes = tmp_path / "run" / "99999999-1"
    notes.mkdir(parents=True)
    log = notes / "loops.jsonl"
    log.write_text(f'{{"attaching": "{disk}", "offset": 0}}\n')
    then = time.time() - age_seconds
    os.utime(log, (then, then))
    assert scene.devices.leftovers() == ()

    upper = tool("losetup", "--find", "--show", "--read-only", disk)
    try:
        commands = [leftover.command for leftover in scene.devices.leftovers()]
    finally:
        tool("losetup", "--detach", upper)

    assert commands == ([f"losetup -d {upper}"] if is_kept else [])


def test_a_left_over_is_named_once_and_only_if_no_run_that_goes_on_has_it(
    scene: Scene, disk: str, tmp_path: Path
) -> None:
    """Two runs that were killed announced the same, and a third one does it."""
    for number in (1, 2):
        notes = tmp_path / "run" / f"99999999-{number}"
        notes.mkdir(parents=True)
        line = f'{{"attaching": "{disk}", "offset": 0}}\n'
        (notes / "loops.jsonl").write_text(line)

    with scene.devices.attach_image(disk):
        assert scene.devices.leftovers() == ()
    upper = tool("losetup", "--find", "--show", "--read-only", disk)
    try:
        commands = [leftover.command for leftover in scene.devices.leftovers()]
    finally:
        tool("losetup", "--detach", upper)

    assert commands == [f"losetup -d {upper}"]


def test_a_tool_that_fails_without_a_word_leaves_the_word_to_the_kernel() -> None:
    """As sfdisk does where a disk cannot be written to."""
    with pytest.raises(DeviceFailed, match="it said nothing") as failed:
        Commands().run(CommandLine(("false",)))

    assert "dmesg" in failed.value.next_step


def test_a_tool_does_not_go_on_behind_an_interruption(tmp_path: Path) -> None:
    """It has ended, with all that it started, when the exception is seen."""
    script = f"(sleep 1; touch {tmp_path}/late) & sleep 1; touch {tmp_path}/later"
    program = (
        "import signal, sys\n"
        "from s3export.adapters.command_lines import CommandLine\n"
        "from s3export.adapters.commands import Commands\n"
        "from s3export.adapters.interruption import Interrupted, Interruption\n"
        "interruption = Interruption()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
        "def terminate(*_): signal.raise_signal(signal.SIGTERM)\n"
        "signal.signal(signal.SIGALRM, terminate)\n"
        "try:\n"
        "    with interruption.installed():\n"
        "        line = CommandLine(('sh', '-c', sys.argv[1]))\n"
        "        Commands(interruption.shield).run(line)\n"
        "except Interrupted:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", program, script),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "interrupted\n", done.stderr
    subprocess.run(("sleep", "1.2"), check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_member_of_a_raid_that_is_not_running_is_refused(
    scene: Scene, disk: str
) -> None:
    """Nobody holds it, and its data lies on other disks, too."""
    superblock = bytearray(bytes.fromhex("fc4e2ba9") + (1).to_bytes(4, "little"))
    superblock += bytes(248)
    superblock[128:136] = (8).to_bytes(8, "little")  # data_offset
    superblock[144:152] = (8).to_bytes(8, "little")  # super_offset, in sectors
    words = [int.from_bytes(superblock[n : n + 4], "little") for n in range(0, 256, 4)]
    total = (sum(words) & 0xFFFFFFFF) + (sum(words) >> 32)
    superblock[216:220] = (total & 0xFFFFFFFF).to_bytes(4, "little")  # sb_csum
    with Path(disk).open("r+b") as device:
        device.seek(4096)  # version 1.2: 4 KiB from the start
        device.write(superblock)
    before = checksum(disk)

    with pytest.raises(DeviceRefused, match="is a part of a RAID"):
        scene.create.plan(scene.manifest, disk)

    assert checksum(disk) == before
