"""Trees that are walked on their device, beside the directory that it was made of."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.file_tree_contract import FILES, ROOT, FileTreeContract
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_walk import plain_walk
from trees_of_files import Node, build, trees

from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.file_trees.device_walk import DeviceWalkedTree
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import DeviceUnreadable
from s3export.domain.ports import Damaged, FileTree, NotAFile, TreeFile

pytestmark = pytest.mark.skipif(not shutil.which("mke2fs"), reason="needs e2fsprogs")


def run(*argv: str | Path) -> None:
    """Run a tool that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def made(image: Path, options: str, root: Path, size: str = "16M") -> Path:
    """Make an image of a directory."""
    run("mke2fs", "-q", "-F", *options.split(), "-d", root, image, size)
    return image


@dataclass
class Arranged:
    tree: FileTree


class TestDeviceWalkedTree(FileTreeContract):
    @pytest.fixture(params=["-t ext4 -b 1024", "-t ext2 -b 4096"])
    def arranged(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> Iterator[Arranged]:
        root = tmp_path / "root"
        for path, body in FILES.items():
            place = root / os.fsdecode(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        (root / "a/link").symlink_to("/etc/passwd")
        image = made(tmp_path / "image", request.param, root)
        with FileSource(str(image)) as source:
            tree = DeviceWalkedTree(str(root), source)
            assert tree.warnings == ()
            yield Arranged(tree)


Told = tuple[bytes, int | str]


def told(tree: FileTree) -> list[Told]:
    """Return what a walk says, but for what mke2fs does not copy."""
    return sorted(
        (entry.path, entry.size_bytes if isinstance(entry, TreeFile) else entry.kind)
        for entry in tree.entries(ROOT)
        if not isinstance(entry, Damaged)
    )


def plainly(root: Path) -> list[Told]:
    """Return what is in a directory."""
    return [
        (path, what if isinstance(what, str) else what[0])
        for path, what in plain_walk(os.fsencode(root))
    ]


features = st.lists(
    st.sampled_from(
        [
            "^extent,^64bit",
            "inline_data",
            "^64bit,^metadata_csum",
            "^metadata_csum,uninit_bg",
            "metadata_csum_seed",
            "^has_journal",
            "^flex_bg",
            "^dir_index",
            "^filetype",
            "meta_bg,^resize_inode",
            "sparse_super2",
            "^huge_file,^large_file",
            "casefold",
            "ea_inode",
            "project",
            "stable_inodes",
        ]
    ),
    max_size=3,
    unique=True,
)
sizes = st.sampled_from(["-b 1024", "-b 2048", "-b 4096", "-b 1024 -g 1024"])
inodes = st.sampled_from(["-I 128", "-I 256", "-I 512", "-I 1024"])


@given(trees, features, sizes, inodes)
@settings(max_examples=60, deadline=None)
def test_the_walk_of_an_image_is_that_of_its_directory(
    nodes: dict[bytes, Node], features: list[str], sizes: str, inodes: str
) -> None:
    """Whatever is in it, and whatever features it was made with."""
    options = f"-t ext4 {sizes} {inodes}"
    options += f" -O {','.join(features)}" if features else ""
    with tempfile.TemporaryDirectory() as directory:
        root, image = Path(directory, "root"), Path(directory, "image")
        root.mkdir()
        build(os.fsencode(root), nodes)
        command = ["mke2fs", "-q", "-F", *options.split(), "-d", str(root)]
        command += [str(image), "16M"]
        done = subprocess.run(command, capture_output=True, timeout=100)
        assume(not done.returncode)  # not all features go together

        with FileSource(str(image)) as source, UserspaceTree(source) as tree:
            found = told(tree)

        assert found == plainly(root)


def many(root: Path, directories: int, each: int) -> None:
    """Fill a directory with directories of directories."""
    for number in range(directories):
        place = root / f"{number % 20}" / f"{number}-{'d' * (number % 200)}"
        place.mkdir(parents=True)
        for file in range(each):
            (place / f"{file}").touch()


@pytest.mark.parametrize("options", ["-t ext4", "-t ext4 -b 1024 -O ^extent,^64bit"])
def test_many_files_are_all_found(options: str, tmp_path: Path) -> None:
    """With a hash index in the large directories, over several groups."""
    root = tmp_path / "root"
    many(root, 600, 15)
    (root / "large").mkdir()
    for number in range(6000):
        (root / f"large/{number:05}-{'n' * 60}").touch()
    image = made(tmp_path / "image", f"{options} -N 40000", root, "300M")
    subprocess.run(["e2fsck", "-fyD", image], capture_output=True, timeout=100)

    with FileSource(str(image)) as source:
        tree = DeviceWalkedTree(str(root), source)
        found = told(tree)

    assert tree.warnings == ()
    assert len(found) == 600 * 15 + 6000
    assert found == plainly(root)


class Torn(ByteSource):
    """An image, of which some blocks cannot be read."""

    def __init__(self, image: Path) -> None:
        self.whole = image.read_bytes()
        self.bad: list[range] = []

    @property
    def size_bytes(self) -> int:
        return len(self.whole)

    def read(self, start: int, length: int) -> bytes:
        for bad in self.bad:
            if start < bad.stop and bad.start < start + length:
                raise DeviceUnreadable("Input/output error")
        return self.whole[start : start + length]

    def tear(self, content: bytes) -> None:
        """Lose the block of 1 KiB that some bytes are in."""
        start = self.whole.index(content) // 1024 * 1024
        self.bad.append(range(start, start + 1024))

    def close(self) -> None:
        pass


def test_what_the_device_does_not_give_is_walked_through_the_mount(
    tmp_path: Path,
) -> None:
    """A directory with what is below it; the others are walked on the device."""
    root = tmp_path / "root"
    (root / "bad/below").mkdir(parents=True)
    (root / "good").mkdir()
    for place in ("bad/eeee", "bad/below/ffff", "good/gggg"):
        (root / place).write_bytes(b"12345")
    device = Torn(made(tmp_path / "image", "-t ext4 -b 1024", root))
    device.tear(b"\x04\x01eeee")
    (root / "good/gggg").write_bytes(b"longer than on the device")

    tree = DeviceWalkedTree(str(root), device)

    assert told(tree) == [(b"bad/below/ffff", 5), (b"bad/eeee", 5), (b"good/gggg", 5)]


def test_what_neither_gives_is_damaged(tmp_path: Path) -> None:
    """With the words of the kernel; links and other kinds are told as they are."""
    root = tmp_path / "root"
    for name in "de":
        (root / name).mkdir(parents=True)
        (root / name / f"{name}{name}{name}").write_bytes(b"1")
    (root / "link").symlink_to("d")
    device = Torn(made(tmp_path / "image", "-t ext4 -b 1024", root))
    for name in "de":
        device.tear(b"\x03\x01" + name.encode() * 3)
    shutil.rmtree(root / "d")
    shutil.rmtree(root / "e")
    (root / "e").symlink_to("link")

    entries = {e.path: e for e in DeviceWalkedTree(str(root), device).entries(ROOT)}

    assert entries == {
        b"d": Damaged(TreePath(b"d"), "No such file or directory"),
        b"e": NotAFile(TreePath(b"e"), "symbolic link"),
        b"link": NotAFile(TreePath(b"link"), "symbolic link"),
    }


@pytest.mark.parametrize(
    ("options", "command", "reason"),
    [
        ("-O large_dir", "", "it has the feature large_dir"),
        ("", "feature needs_recovery", "its journal was not replayed"),
    ],
)
def test_what_is_not_known_is_walked_through_the_mount(
    options: str, command: str, reason: str, tmp_path: Path
) -> None:
    """By itself, and a warning says so."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"1")
    image = made(tmp_path / "image", f"-t ext4 {options}", root)
    if command:
        run("debugfs", "-w", "-R", command, image)
    (root / "file").write_bytes(b"22")

    with FileSource(str(image)) as source:
        tree = DeviceWalkedTree(str(root), source)

        assert told(tree) == [(b"file", 2)]
    (warning,) = tree.warnings
    assert warning.startswith("listed through its mount, which is slower: ")
    assert warning.endswith(reason)
