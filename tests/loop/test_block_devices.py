"""Block devices of this system, on loop devices over sparse files."""

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.block_devices_contract import BlockDevicesContract
from contracts.file_tree_contract import FILES, FileTreeContract, WritableTreeContract

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.interruption import Interrupted
from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    refusals_to_read,
    refusals_to_write,
)
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import DeviceAbsent, DeviceUnreadable
from s3export.domain.ports import FileTree, WritableTree

pytestmark = pytest.mark.loop

MIB = 1 << 20
KEY = TreePath(b"bucket/key")


def tool(*argv: str) -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def checksum(path: str) -> str:
    """Return the SHA-256 of a whole device or image."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Whatever a test does, nothing stays mounted or attached."""

    def held() -> tuple[str, str]:
        listed = tool("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
        return listed, Path("/proc/mounts").read_text()

    before = held()
    yield
    assert held() == before


@pytest.fixture
def devices(nothing_left: None, tmp_path: Path) -> SystemBlockDevices:
    """The adapter, with its notes in a directory of the test."""
    return SystemBlockDevices(
        Commands(),
        run_directory=str(tmp_path / "run"),
        backup_directory=str(tmp_path / "erased"),
    )


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image of an empty disk, 64 MiB."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    return str(path)


@pytest.fixture
def loop(devices: SystemBlockDevices, image: str) -> Iterator[str]:
    """A disk: a loop device over the image."""
    with devices.attach_image(image) as path:
        yield path


@dataclass
class Arranged:
    devices: SystemBlockDevices
    path: str

    def content(self) -> str:
        return checksum(self.path)


class TestLoopDevice(BlockDevicesContract):
    @pytest.fixture
    def arranged(self, devices: SystemBlockDevices, loop: str) -> Arranged:
        return Arranged(devices, loop)


class TestImageFile(BlockDevicesContract):
    @pytest.fixture
    def arranged(self, devices: SystemBlockDevices, image: str) -> Arranged:
        return Arranged(devices, image)


class TestPartitionNode(BlockDevicesContract):
    @pytest.fixture
    def arranged(self, devices: SystemBlockDevices, loop: str) -> Iterator[Arranged]:
        tool("sh", "-c", f"printf 'label: gpt\\nstart=1MiB\\n' | sfdisk -q {loop}")
        tool("partx", "--update", loop)
        node = f"{loop}p1"
        try:
            yield Arranged(devices, node)
        finally:
            tool("partx", "--delete", loop)


@dataclass
class OnDisk:
    tree: FileTree


@dataclass
class OnWritableDisk:
    tree: WritableTree


class TestTreeOfADevice(FileTreeContract):
    @pytest.fixture
    def arranged(self, devices: SystemBlockDevices, image: str) -> Iterator[OnDisk]:
        devices.prepare(devices.inspect(image), Preparation("tree"))
        with devices.open_for_writing(devices.inspect(image)) as tree:
            for path, body in FILES.items():
                tree.write(TreePath(b"root/" + path), [body])
            (mount_point,) = mount_points(image)
            Path(mount_point, "root/a/link").symlink_to("/etc/shadow")
        with devices.open_read_only(devices.inspect(image)):
            (mount_point,) = mount_points(image)
            from s3export.adapters.file_trees.mounted import MountedTree

            yield OnDisk(MountedTree(f"{mount_point}/root"))


class TestWritableDevice(WritableTreeContract):
    @pytest.fixture
    def writable(
        self, devices: SystemBlockDevices, image: str
    ) -> Iterator[OnWritableDisk]:
        devices.prepare(devices.inspect(image), Preparation("tree"))
        with devices.open_for_writing(devices.inspect(image)) as tree:
            yield OnWritableDisk(tree)


def mount_points(image: str) -> list[str]:
    """Return where something that stands on an image is mounted."""
    loops = tool("losetup", "--associated", image, "--noheadings", "-O", "NAME").split()
    lines = Path("/proc/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[0] in loops]


def prepared(devices: SystemBlockDevices, path: str) -> DeviceFacts:
    """Prepare a device and put one file on it."""
    devices.prepare(devices.inspect(path), Preparation("test"))
    facts = devices.inspect(path)
    with devices.open_for_writing(facts) as tree:
        tree.write(KEY, [b"content"])
    return devices.inspect(path)


def holds_the_file(devices: SystemBlockDevices, path: str) -> bool:
    """Open a device read-only and look for the file."""
    with devices.open_read_only(devices.inspect(path)) as tree:
        return KEY in {entry.path for entry in tree.entries(TreePath(b"bucket"))}


def test_looking_and_reading_change_no_byte(
    devices: SystemBlockDevices, image: str
) -> None:
    """Neither ``inspect`` nor ``open_read_only`` writes to a device."""
    prepared(devices, image)
    before = checksum(image)

    assert holds_the_file(devices, image)

    assert checksum(image) == before


def test_a_journal_that_waits_is_not_replayed(
    devices: SystemBlockDevices, image: str, tmp_path: Path
) -> None:
    """A disk pulled out while it was mounted is read as it is, byte for byte."""
    facts = prepared(devices, image)
    pulled = str(tmp_path / "pulled.img")
    with devices.open_for_writing(facts) as tree:
        tree.write(TreePath(b"bucket/more"), [b"more"])
        tree.sync()
        shutil.copyfile(image, pulled)
    before = checksum(pulled)

    assert holds_the_file(devices, pulled)

    assert checksum(pulled) == before


@pytest.mark.parametrize("change", ["grown", "cut"])
def test_a_gpt_whose_backup_is_misplaced_is_read_and_not_mended(
    devices: SystemBlockDevices, image: str, change: str
) -> None:
    """The primary table is enough, on a disk that seems larger or smaller than it."""
    tool("sh", "-c", f"printf 'label: gpt\\nsize=40MiB\\n' | sfdisk -q {image}")
    prepared_partition(devices, image)
    with Path(image).open("r+b") as file:
        file.truncate(96 * MIB if change == "grown" else 60 * MIB)
    before = checksum(image)

    assert holds_the_file(devices, image)

    assert checksum(image) == before


def prepared_partition(devices: SystemBlockDevices, image: str) -> None:
    """Make a file system in the first partition of an image, with one file."""
    loop = tool(
        "losetup", "--find", "--show", "--offset", str(MIB), "--sizelimit",
        str(40 * MIB), image,
    )  # fmt: skip
    try:
        tool("mkfs.ext4", "-q", loop)
    finally:
        tool("losetup", "--detach", loop)
    with devices.open_for_writing(devices.inspect(image)) as tree:
        tree.write(KEY, [b"content"])


def test_a_file_system_without_a_partition_table_is_read(
    devices: SystemBlockDevices, image: str
) -> None:
    """A whole disk may be one file system."""
    tool("mkfs.ext4", "-q", image)
    with devices.open_for_writing(devices.inspect(image)) as tree:
        tree.write(KEY, [b"content"])

    assert holds_the_file(devices, image)


def test_two_file_systems_are_one_too_many(
    devices: SystemBlockDevices, loop: str
) -> None:
    """The operator must say which; a partition is named."""
    layout = "label: gpt\\nsize=20MiB\\nsize=20MiB\\n"
    tool("sh", "-c", f"printf '{layout}' | sfdisk -q {loop}")
    tool("partx", "--update", loop)
    try:
        for number in (1, 2):
            tool("mkfs.ext4", "-q", f"{loop}p{number}")
        facts = devices.inspect(loop)
        with (
            pytest.raises(DeviceUnreadable, match="2 file systems") as refused,
            devices.open_read_only(facts),
        ):
            pass
        assert f"{loop}p1" in refused.value.next_step
    finally:
        tool("partx", "--delete", loop)


@pytest.mark.parametrize("mounting", [True, False])
@pytest.mark.parametrize("whole_disk", [True, False])
def test_of_an_image_that_is_cut_off_it_is_told(
    devices: SystemBlockDevices, image: str, *, mounting: bool, whole_disk: bool
) -> None:
    """How much there should be and is, and what to do; mounted or not."""
    wanted = Preparation("disk", whole_disk=whole_disk)
    devices.prepare(devices.inspect(image), wanted)
    os.truncate(image, 32 * MIB)

    with (
        pytest.raises(DeviceUnreadable, match=r"bytes long, but there are") as refused,
        devices.open_read_only(devices.inspect(image), mounting=mounting),
    ):
        pass

    assert refused.value.next_step.startswith("its end is missing: copy the whole")


def test_a_damaged_file_system_is_unreadable(
    devices: SystemBlockDevices, image: str
) -> None:
    """The error says which file system on which device, and how to look at it."""
    tool("mkfs.ext4", "-q", image)
    with Path(image).open("r+b") as file:  # the group descriptors
        file.seek(4096)
        file.write(b"\xff" * 4096)
        file.seek(1024 + 0x60)  # the superblock's incompatible features
        file.write(b"\xff\xff\xff\xff")
    facts = devices.inspect(image)

    with (
        pytest.raises(DeviceUnreadable, match=r"disk\.img"),
        devices.open_read_only(facts),
    ):
        pass


@pytest.mark.parametrize("whole_disk", [True, False])
def test_of_a_file_system_that_cannot_be_mounted_it_is_told_how_to_look_at_it(
    devices: SystemBlockDevices, image: str, *, whole_disk: bool
) -> None:
    """The command can be run: it names the image, and where in it that begins."""
    wanted = Preparation("disk", whole_disk=whole_disk)
    devices.prepare(devices.inspect(image), wanted)
    begins = 0 if whole_disk else MIB
    with Path(image).open("r+b") as file:
        file.seek(begins + 1024 + 1024)  # the group descriptors, of 1 or 4 KiB blocks
        file.write(b"\xff" * 8192)

    with (
        pytest.raises(DeviceUnreadable, match="cannot be mounted: mount fa") as refused,
        devices.open_read_only(devices.inspect(image)),
    ):
        pass

    assert "dmesg" not in refused.value.message
    where = image if whole_disk else f"'{image}?offset={begins}'"
    assert refused.value.next_step == f"look at it with: e2fsck -n {where}"
    command = shlex.split(refused.value.next_step.partition(": ")[2])
    looked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "roup descriptors" in looked.stdout + looked.stderr


def test_a_directory_stands_in_for_a_mounted_disk(
    devices: SystemBlockDevices, tmp_path: Path
) -> None:
    """It may be read and not be written to."""
    (tmp_path / "file").write_bytes(b"x")
    facts = devices.inspect(str(tmp_path))

    assert facts.kind is DeviceKind.DIRECTORY
    assert refusals_to_read(facts) == ()
    assert refusals_to_write(facts) != ()
    with devices.open_read_only(facts) as tree:
        assert b"file" in tree.names(TreePath(b""))


def test_a_loop_device_without_a_file_is_absent(devices: SystemBlockDevices) -> None:
    """There is a node, and no medium."""
    free = tool("losetup", "--find")

    with pytest.raises(DeviceAbsent, match=free):
        devices.inspect(free)


def reasons(facts: DeviceFacts) -> str:
    """Return every reason not to write to a device."""
    return "; ".join(refusal.reason for refusal in refusals_to_write(facts))


def test_a_mounted_disk_is_refused(
    devices: SystemBlockDevices, loop: str, tmp_path: Path
) -> None:
    """The place where it is mounted is named."""
    tool("mkfs.ext4", "-q", loop)
    place = tmp_path / "place"
    place.mkdir()
    tool("mount", loop, str(place))
    try:
        assert f"{loop} is mounted at {place}" in reasons(devices.inspect(loop))
    finally:
        tool("umount", str(place))


def test_a_loop_device_over_a_disk_is_seen(
    devices: SystemBlockDevices, loop: str, tmp_path: Path
) -> None:
    """It is refused, though lsblk does not show it and the kernel calls it free."""
    upper = tool("losetup", "--find", "--show", "--offset", str(MIB), loop)
    place = tmp_path / "place"
    place.mkdir()
    try:
        assert f"{upper} stands on {loop}" in reasons(devices.inspect(loop))
        tool("mkfs.ext4", "-q", upper)
        tool("mount", upper, str(place))
        try:
            assert f"{upper} is mounted at {place}" in reasons(devices.inspect(loop))
        finally:
            tool("umount", str(place))
    finally:
        tool("losetup", "--detach", upper)


def test_an_attached_image_is_not_written_to(
    devices: SystemBlockDevices, image: str, loop: str
) -> None:
    """Its loop device is the disk to name."""
    assert f"{loop} stands on {image}" in reasons(devices.inspect(image))


def test_a_disk_held_by_another_process_is_refused(
    devices: SystemBlockDevices, loop: str
) -> None:
    """One exclusive open by anybody is enough."""
    fd = os.open(loop, os.O_RDONLY | os.O_EXCL)
    try:
        assert f"{loop} is held" in reasons(devices.inspect(loop))
    finally:
        os.close(fd)
    assert reasons(devices.inspect(loop)) == ""


def test_swap_in_use_is_refused(devices: SystemBlockDevices, loop: str) -> None:
    """It is named as what it is."""
    tool("mkswap", loop)
    tool("swapon", loop)
    try:
        assert f"{loop} is swap space in use" in reasons(devices.inspect(loop))
    finally:
        tool("swapoff", loop)


def test_a_read_only_disk_is_refused(devices: SystemBlockDevices, image: str) -> None:
    """A write-protected disk is named before anything is tried."""
    loop = tool("losetup", "--find", "--show", "--read-only", image)
    try:
        assert f"{loop} is read-only" in reasons(devices.inspect(loop))
    finally:
        tool("losetup", "--detach", loop)


def test_a_disk_too_small_is_refused(
    devices: SystemBlockDevices, tmp_path: Path
) -> None:
    """Its size is in the reason."""
    path = tmp_path / "small.img"
    path.write_bytes(bytes(MIB))

    assert "holds 1,048,576 bytes, too few" in reasons(devices.inspect(str(path)))


def test_an_interruption_inside_releases_everything(
    devices: SystemBlockDevices, image: str
) -> None:
    """INT in the middle of reading leaves nothing mounted or attached."""
    facts = prepared(devices, image)

    with pytest.raises(Interrupted), devices.open_read_only(facts):
        raise Interrupted(2)

    assert reasons(devices.inspect(image)) == ""


def test_what_is_on_a_disk_is_told(devices: SystemBlockDevices, image: str) -> None:
    """File systems and partition tables are named by their signatures."""
    assert devices.inspect(image).signatures == ()
    devices.prepare(devices.inspect(image), Preparation("test"))
    assert "gpt" in devices.inspect(image).signatures


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("x" * 40, "x" * 16),
        ("\u00e9" * 9, "\u00e9" * 8),
        ("aa\U0001f4be" * 3, "aa\U0001f4be" * 2 + "aa"),
    ],
)
def test_as_much_of_a_label_as_fits_is_kept(
    devices: SystemBlockDevices, image: str, label: str, kept: str
) -> None:
    """In whole characters, of sixteen bytes."""
    devices.prepare(devices.inspect(image), Preparation(label, whole_disk=True))

    assert tool("e2label", image) == kept
