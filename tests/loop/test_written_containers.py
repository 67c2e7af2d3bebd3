"""Containers written to through FUSE: killed, interrupted, on failing disks."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from loop.writing_container import KEY, PASSWORD, PATH, SIZE, body, name, wired

from s3export.adapters.byte_sources import FileSource
from s3export.adapters.containers.opening import open_volume
from s3export.adapters.containers.system import SystemContainers
from s3export.adapters.file_trees.mounted import MountedTree, MountedWritableTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.containers import AS_IT_COMES
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import (
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DiskFull,
    KernelLacks,
)
from s3export.domain.ports import BlockDevices, FileTree, WritableTree
from s3export.domain.secret import Secret

pytestmark = pytest.mark.loop

MIB = 1 << 20
ROOT = TreePath(b"")
PROGRAM = Path(__file__).with_name("writing_container.py")
CHECKOUT = Path(__file__).parents[2]


def held(directory: Path) -> list[str]:
    """Return what is mounted, attached or running of a directory's files."""
    lines = Path("/proc/mounts").read_text().splitlines()
    mounts = [place for place in (line.split()[1] for line in lines)]
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    return [
        found
        for found in (
            *reversed(mounts),
            *listed,
            *(" ".join(servers(directory))).split("\n"),
        )
        if str(directory) in found
    ]


def servers(directory: Path) -> list[str]:
    """Return the command lines of the processes that present volumes there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"fuse_volume") for word in words):
            line = b" ".join(words).decode()
            if str(directory) in line:
                found.append(f"{process.name} {line}")
    return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[str]:
    """The directory of the notes; whatever a test does, nothing stays held."""
    yield str(tmp_path / "run")
    left = held(tmp_path)
    for found in left:
        if found.startswith("/dev/loop"):
            subprocess.run(["losetup", "--detach", found.split()[0]], check=False)
        elif found.startswith("/"):
            subprocess.run(["umount", found], check=False)
    assert left == []


@pytest.fixture
def devices(run: str) -> BlockDevices:
    """The block devices, as a process of its own sees them."""
    found: BlockDevices = wired(run)[0].adapters.block_devices()
    return found


@pytest.fixture
def containers(run: str) -> SystemContainers:
    """The containers, likewise."""
    found: SystemContainers = wired(run)[0].adapters.disk_containers()
    return found


@pytest.fixture
def image(devices: BlockDevices, tmp_path: Path) -> str:
    """An image of a disk with an empty file system."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    whole = Preparation("disk", whole_disk=True)
    devices.prepare(devices.inspect(str(path)), whole)
    return str(path)


@pytest.fixture
def disk(devices: BlockDevices, image: str) -> Iterator[WritableTree]:
    """The same, mounted."""
    with devices.open_for_writing(devices.inspect(image)) as tree:
        yield tree


def started(image: str, run: str, *create: str) -> "subprocess.Popen[str]":
    """Start a process that writes to the container."""
    return subprocess.Popen(
        [sys.executable, PROGRAM, image, run, *create],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests"},
        start_new_session=True,
    )


def until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Read what it prints until it prints this."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == words:
            return said
    raise AssertionError(f"it ended after {said[-3:]}")


def rest(process: "subprocess.Popen[str]") -> list[str]:
    """Read what else it printed, and wait for its end."""
    output, _ = process.communicate(timeout=60)
    return output.split("\n")


def cleaned(devices: BlockDevices) -> list[str]:
    """Release what killed runs left, as the next run does; say what that was."""
    told = []
    for _ in range(3):
        for leftover in devices.leftovers():
            told.append(leftover.what)
            devices.clean(leftover)
        time.sleep(0.3)  # what was being started when its run was killed
    assert devices.leftovers() == ()
    return told


def file_system_check(tree: FileTree, scratch: Path) -> str:
    """Decrypt the container with the reader's code; return what e2fsck finds amiss."""
    assert isinstance(tree, MountedTree)
    with tree.system_path(PATH) as path, FileSource(path) as source:
        _, plain = open_volume(source, KEY)
        with scratch.open("wb") as file:
            for start in range(0, plain.size_bytes, MIB):
                file.write(plain.read(start, MIB))
    checked = subprocess.run(
        ["e2fsck", "-f", "-n", scratch], check=False, capture_output=True, text=True
    )
    return checked.stdout + checked.stderr if checked.returncode else ""


def numbers(said: list[str]) -> list[int]:
    """Return which files were synced, of those that were not removed."""
    found = [int(line.split()[1]) for line in said if line.startswith("synced ")]
    return found[-60:]


@pytest.mark.parametrize("seed", range(5))
def test_what_a_killed_run_had_synced_is_there(
    devices: BlockDevices,
    containers: SystemContainers,
    image: str,
    run: str,
    tmp_path: Path,
    seed: int,
) -> None:
    """Killed at any moment of writing, after cleaning and the journal's replay."""
    process = started(image, run, "create")
    said = until(process, "opened")
    time.sleep(random.Random(seed).uniform(0.0, 2.0))
    process.kill()
    said += rest(process)

    told = cleaned(devices)

    kinds = [what.partition(" at ")[0].partition(" /dev")[0] for what in told]
    inner = ["mount", "loop device", "decrypted volume"]
    assert kinds == [*inner, "mount", "loop device"]
    assert held(tmp_path) == []
    with devices.open_for_writing(devices.inspect(image)) as tree:
        with containers.open_for_writing(tree, PATH, KEY) as inside:
            for number in numbers(said):
                assert whole(inside, name(number)) == body(number)
            inside.write(TreePath(b"resumed"), [b"resumed"])
        assert file_system_check(tree, tmp_path / "plain.img") == ""
        with containers.open_file(tree, PATH, KEY, AS_IT_COMES) as opened:
            assert whole(opened.tree, TreePath(b"resumed")) == b"resumed"


def whole(tree: FileTree, path: TreePath) -> bytes:
    """Return what a file holds."""
    buffer, content = bytearray(MIB), b""
    with tree.open(path) as file:
        while size := file.readinto(buffer):
            content += buffer[:size]
    return content


@pytest.mark.parametrize(("step", "longest"), [("creating", 1.0), ("opening", 0.6)])
@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_before_it_wrote_leaves_what_can_be_cleaned(
    devices: BlockDevices,
    containers: SystemContainers,
    image: str,
    run: str,
    tmp_path: Path,
    step: str,
    longest: float,
    seed: int,
) -> None:
    """While it made the container no container stands there; then one is made."""
    process = started(image, run, "create")
    said = until(process, step)
    time.sleep(random.Random(seed).uniform(0.0, longest))
    process.kill()
    said += rest(process)

    cleaned(devices)

    assert held(tmp_path) == []
    with devices.open_for_writing(devices.inspect(image)) as tree:
        names = tree.names(ROOT)
        if "created" not in said and PATH not in names:
            containers.create(tree, PATH, SIZE, KEY.passphrase, "53TX4")
        with containers.open_for_writing(tree, PATH, KEY) as inside:
            inside.write(TreePath(b"file"), [b"content"])
        assert [n for n in tree.names(ROOT) if b"53TX4" in n] == [PATH]
        assert file_system_check(tree, tmp_path / "plain.img") == ""


def test_the_room_of_what_a_killed_run_left_counts_as_free(
    containers: SystemContainers, disk: WritableTree
) -> None:
    """Else the next run finds too little for its container."""
    free = containers.make_room(disk, PATH)
    begun = TreePath(b"." + PATH + b".incomplete")
    disk.write(begun, [bytes(MIB)] * 40)
    disk.sync()
    assert disk.free_bytes() < free - 39 * MIB

    assert containers.make_room(disk, PATH) == pytest.approx(free, abs=MIB)
    assert begun not in disk.names(ROOT)


def test_an_interrupted_run_releases_everything_itself(
    devices: BlockDevices,
    containers: SystemContainers,
    image: str,
    run: str,
    tmp_path: Path,
) -> None:
    """Ctrl-C reaches the whole group of processes, and not the one that decrypts."""
    process = started(image, run, "create")
    said = until(process, "synced 3")
    os.killpg(process.pid, signal.SIGINT)
    said += rest(process)

    assert process.returncode == 0
    assert held(tmp_path) == []
    assert not list(Path(run).glob("*"))
    with (
        devices.open_read_only(devices.inspect(image)) as tree,
        containers.open_file(tree, PATH, KEY, AS_IT_COMES) as opened,
    ):
        for number in numbers(said):
            assert whole(opened.tree, name(number)) == body(number)


def test_a_container_that_a_killed_run_has_open_is_not_opened_again(
    devices: BlockDevices, containers: SystemContainers, image: str, run: str
) -> None:
    """Before it is cleaned up after: two file systems would write over each other."""
    process = started(image, run, "create")
    until(process, "synced 1")
    process.kill()
    rest(process)
    (line,) = (
        line
        for line in Path("/proc/mounts").read_text().splitlines()
        if run in line and "mount-0" in line
    )
    tree = MountedWritableTree(line.split()[1])

    with (
        pytest.raises(DeviceRefused, match="in use") as refused,
        containers.open_for_writing(tree, PATH, KEY),
    ):
        pytest.fail("it opened")

    assert "release" in refused.value.next_step
    tree.close()
    cleaned(devices)


def test_no_secret_is_seen_of_the_process_that_decrypts(
    containers: SystemContainers,
    disk: WritableTree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither in its arguments nor its environment; and it dumps no core."""
    monkeypatch.setenv("S3EXPORT_TRUECRYPT_PASSWORD", PASSWORD)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PASSWORD)
    containers.create(disk, PATH, SIZE, KEY.passphrase, "x")
    with containers.open_for_writing(disk, PATH, KEY):
        (server,) = servers(tmp_path)
        process = Path("/proc", server.split()[0])
        seen = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        limits = (process / "limits").read_text().splitlines()
        group = os.getpgid(int(process.name))
        working = (process / "cwd").readlink()

    assert PASSWORD.encode() not in seen
    assert b"S3EXPORT" not in seen and b"AWS" not in seen
    (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core"))
    assert core == ["0", "0"]
    assert group == int(process.name) != os.getpgid(0)
    assert working == Path("/")


def test_a_process_that_decrypts_no_more_is_an_error(
    containers: SystemContainers, disk: WritableTree, tmp_path: Path
) -> None:
    """Whoever killed it; and all is released."""
    containers.create(disk, PATH, SIZE, KEY.passphrase, "x")
    with (
        pytest.raises(DeviceFailed),
        containers.open_for_writing(disk, PATH, KEY) as inside,
    ):
        inside.write(TreePath(b"file"), [b"content"])
        (server,) = servers(tmp_path)
        os.kill(int(server.split()[0]), signal.SIGKILL)
        inside.write(TreePath(b"more"), [b"more"])

    assert not [found for found in held(tmp_path) if "mount-1" in found]
    with containers.open_for_writing(disk, PATH, KEY) as inside:
        inside.write(TreePath(b"again"), [b"again"])


@contextmanager
def small_place(directory: Path, size: int) -> Iterator[Path]:
    """Mount a file system in memory that has room for so much."""
    directory.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "small", str(directory)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("synced", [True, False])
def test_what_the_disk_did_not_take_is_an_error(
    devices: BlockDevices, containers: SystemContainers, tmp_path: Path, synced: bool
) -> None:
    """When it is synced, and at the latest on leaving; nothing is swallowed."""
    failures = []
    with ExitStack() as stack:
        place = stack.enter_context(small_place(tmp_path / "small", 16 * MIB))
        image = place / "disk.img"
        with image.open("wb") as file:
            file.truncate(64 * MIB)
        whole_disk = Preparation("disk", whole_disk=True)
        devices.prepare(devices.inspect(str(image)), whole_disk)
        stack.enter_context(pytest.raises(DeviceError))
        tree = stack.enter_context(
            devices.open_for_writing(devices.inspect(str(image)))
        )
        containers.create(tree, PATH, SIZE, KEY.passphrase, "x")
        with (
            pytest.raises(DeviceFailed, match="on the disk") as failed,
            containers.open_for_writing(tree, PATH, KEY) as inside,
        ):
            try:
                inside.write(TreePath(b"large"), [os.urandom(MIB)] * 30)
                if synced:
                    inside.sync()
            except DeviceFailed as error:
                failures.append(error)

    assert bool(failures) == synced
    assert "syncing" in failed.value.message or "writing" in failed.value.message


def test_a_file_system_that_cannot_be_made_leaves_nothing(
    containers: SystemContainers,
    disk: WritableTree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a container nor its beginning, and the room is free again."""
    before = disk.free_bytes()

    def fail(*_: object) -> None:
        raise DeviceFailed("mkfs.ext4 failed")

    monkeypatch.setattr(containers._devices, "make_file_system", fail)
    with pytest.raises(DeviceFailed, match="mkfs"):
        containers.create(disk, PATH, SIZE, KEY.passphrase, "x")

    assert list(disk.names(ROOT)) == [b"lost+found"]
    disk.sync()
    assert disk.free_bytes() == before


def test_room_that_is_not_there_is_noticed_when_it_is_taken(
    containers: SystemContainers, disk: WritableTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file system calls free may not all be for content."""
    monkeypatch.setattr(type(disk), "free_bytes", lambda self: 1 << 40)
    with pytest.raises(DiskFull):
        containers.create(disk, PATH, 63 * MIB, KEY.passphrase, "x")

    assert list(disk.names(ROOT)) == [b"lost+found"]


def test_luks_is_refused_before_anything_is_erased(
    devices: BlockDevices, containers: SystemContainers, image: str
) -> None:
    """On a kernel without dm-crypt; what is lacking is told, and what to do."""
    lacking = containers.lacking("luks2")
    if not lacking:
        return  # in user-mode Linux it is made
    before = Path(image).read_bytes()

    with pytest.raises(KernelLacks, match="dm-crypt") as refused:
        containers.create_device(devices.inspect(image), Secret("pw"), "x")

    assert lacking in refused.value.message
    assert "dm-crypt" in refused.value.next_step
    assert Path(image).read_bytes() == before
