"""What is read in userspace is what a driver shows that mounts the same image."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3export.adapters.byte_sources import FileSource
from s3export.adapters.file_trees import mounted as mounted_trees
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.ports import FileTree, TreeEntry, TreeFile

pytestmark = pytest.mark.loop

ROOT = TreePath(b"")


def run(*argv: str | Path) -> None:
    """Run a tool that must succeed."""
    subprocess.run(argv, check=True, capture_output=True, timeout=100)


@contextmanager
def mounted(image: Path, *command: str) -> Iterator[Path]:
    """Mount an image; unmount it, whatever happens."""
    place = image.parent / "mounted"
    place.mkdir(exist_ok=True)
    run(*command, image, place)
    try:
        yield place
    finally:
        run("umount", place)


def fill(root: Path, *, any_name: bool) -> None:
    """Write, punch, delete: what only a driver does to a file system."""
    (root / "many").mkdir()
    for number in range(2000):
        (root / f"many/{number:05}-{'n' * 60}").write_bytes(b"%d" % number)
    for number in range(0, 2000, 3):
        (root / f"many/{number:05}-{'n' * 60}").unlink()
    for count in range(1, 12):  # in the inode, in its attributes, in blocks
        few = root / f"few{count}"
        few.mkdir()
        for number in range(count):
            (few / f"file-{number}").write_bytes(b"x" * (count * 20))
    (root / "large").write_bytes(os.urandom(3_000_001))
    (root / "hard").hardlink_to(root / "large")
    with (root / "sparse").open("wb") as file:
        for place in range(0, 9_000_000, 300_000):
            file.seek(place)
            file.write(os.urandom(5000))
        file.truncate(10_000_000)
    with (root / "reserved").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2_000_000)
        file.seek(1_000_000)
        file.write(b"written")
    (root / "two\nlines").write_bytes(b"1")
    (root / "Größe").write_bytes(b"2")
    (root / "link").symlink_to("large")
    os.mkfifo(root / "fifo")
    if any_name:
        (root / os.fsdecode(b"\xff\xfe")).write_bytes(b"3")


def described(entry: TreeEntry) -> object:
    """Return an entry without its inode's number."""
    if isinstance(entry, TreeFile):
        return entry.path, entry.size_bytes, entry.modified_ns, entry.changed_ns
    return entry


def read(tree: FileTree, path: TreePath) -> bytes:
    """Return a whole file."""
    buffer = bytearray(10_000)
    whole = bytearray()
    with tree.open(path) as file:
        while got := file.readinto(buffer):
            whole += buffer[:got]
    return bytes(whole)


def assert_same(image: Path, root: Path) -> None:
    """Every entry, time and byte agrees."""
    expected = MountedTree(str(root))
    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        there = {e.path: e for e in tree.entries(ROOT)}
        wanted = {e.path: e for e in expected.entries(ROOT)}
        assert there.keys() == wanted.keys()
        for path, entry in there.items():
            assert described(entry) == described(wanted[path])
            if isinstance(entry, TreeFile):
                assert read(tree, path) == read(expected, path)


@pytest.mark.parametrize(
    "options",
    [
        "-t ext4",
        "-t ext4 -b 1024",
        "-t ext4 -b 1024 -O inline_data -I 1024",
        "-t ext4 -O inline_data -I 256",
        "-t ext4 -O ^extent,^64bit -b 1024",
        "-t ext3",
        "-t ext2",
    ],
)
def test_ext_is_what_the_kernel_shows(options: str, tmp_path: Path) -> None:
    """After writing through the kernel, with nanoseconds."""
    image = tmp_path / "image"
    run("mke2fs", "-q", "-F", *options.split(), image, "64M")
    with mounted(image, "mount", "-o", "loop") as root:
        fill(root, any_name=True)

    with mounted(image, "mount", "-o", "loop,ro") as root:
        assert_same(image, root)


@pytest.mark.skipif(not shutil.which("mkntfs"), reason="needs ntfs-3g")
def test_compressed_files_of_ntfs_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not taken for encrypted ones, whose flag stands beside theirs."""
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 64 << 20)
    run("mkntfs", "-F", "-q", "-Q", "-C", image)
    with mounted(image, "ntfs-3g", "-o", "compression") as root:
        (root / "compressible").write_bytes(b"abc" * 700_000)
        (root / "random").write_bytes(os.urandom(300_000))
        attributes = os.getxattr(root / "compressible", "system.ntfs_attrib")
        assert int.from_bytes(attributes, "little") & 0x800  # FILE_ATTRIBUTE_COMPRESSED

    # It is a FUSE file system, of which ctimes are not believed as a rule.
    monkeypatch.setattr(mounted_trees, "are_kept", lambda _: True)
    with mounted(image, "ntfs-3g", "-o", "ro") as root:
        assert_same(image, root)


@pytest.mark.skipif(not shutil.which("mkntfs"), reason="needs ntfs-3g")
def test_ntfs_is_what_its_driver_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ntfs-3g's; special files are those of WSL."""
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 64 << 20)
    run("mkntfs", "-F", "-q", "-Q", image)
    with mounted(image, "ntfs-3g", "-o", "special_files=wsl") as root:
        fill(root, any_name=False)

    # It is a FUSE file system, of which ctimes are not believed as a rule.
    monkeypatch.setattr(mounted_trees, "are_kept", lambda _: True)
    with mounted(image, "ntfs-3g", "-o", "ro") as root:
        assert_same(image, root)
