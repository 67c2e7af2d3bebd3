"""File systems read in userspace, on images that mke2fs fills without root."""

import os
import random
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
from contracts.file_tree_contract import FILES, ROOT, FileTreeContract, content

from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import DeviceUnreadable, FileUnreadable, S3ExportError
from s3export.domain.ports import Damaged, FileTree, NotAFile, TreeEntry, TreeFile

EXT4 = "-t ext4 -b 1024"
MIB = 1 << 20
VARIANTS = (
    "-t ext4",
    EXT4,
    f"{EXT4} -O ^extent,^64bit",
    f"{EXT4} -O inline_data -I 256",
    f"{EXT4} -O inline_data -I 1024",
    f"{EXT4} -O ^64bit",
    f"{EXT4} -O ^metadata_csum",
    f"{EXT4} -O metadata_csum_seed",
    f"{EXT4} -O ^has_journal",
    f"{EXT4} -O bigalloc",
    f"{EXT4} -O meta_bg,^resize_inode -g 1024",
    f"{EXT4} -O ^filetype",
    f"{EXT4} -I 128",
    "-t ext3 -b 1024",
    "-t ext2 -b 4096",
)

pytestmark = pytest.mark.skipif(not shutil.which("mke2fs"), reason="needs e2fsprogs")


def make_ext(path: Path, options: str, source: Path, size: str = "48M") -> Path:
    """Make an image of a directory, with room for it."""
    run("mke2fs", "-q", "-F", *options.split(), "-d", source, path, size)
    return path


def run(*argv: str | Path) -> None:
    """Run a tool that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def debugfs(image: Path, command: str) -> None:
    """Change an image behind the file system's back."""
    run("debugfs", "-w", "-R", command, image)


class Bytes(ByteSource):
    """Bytes in memory, some of which the disk does not give."""

    def __init__(self, whole: bytes, bad: range = range(0)) -> None:
        self.whole = whole
        self.bad = bad
        self.furthest = 0

    @property
    def size_bytes(self) -> int:
        return len(self.whole)

    def read(self, start: int, length: int) -> bytes:
        assert start >= 0
        self.furthest = max(self.furthest, start + length)
        if start < self.bad.stop and self.bad.start < start + length:
            raise DeviceUnreadable("Input/output error")
        return self.whole[start : start + length]

    def close(self) -> None:
        pass


class WithoutLostAndFound(UserspaceTree):
    """The contract knows exactly which names there are."""

    def names(self, directory: TreePath) -> list[bytes]:
        return [n for n in super().names(directory) if n != b"lost+found"]


@dataclass
class Arranged:
    tree: FileTree


@pytest.fixture(scope="module")
def contract_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contract")
    for path, body in FILES.items():
        place = root / os.fsdecode(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    (root / "a/link").symlink_to("/etc/passwd")
    return root


@pytest.fixture(scope="module", params=VARIANTS)
def arranged(
    request: pytest.FixtureRequest,
    contract_files: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Arranged]:
    image = tmp_path_factory.mktemp("ext") / "image"
    make_ext(image, request.param, contract_files)
    with FileSource(str(image)) as source, WithoutLostAndFound(source) as tree:
        yield Arranged(tree)


class TestExt(FileTreeContract):
    """On every variant: the fixture is the module's, since it is made once for each."""


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all that a file system may hold."""
    root = tmp_path_factory.mktemp("wild")
    base = os.fsencode(root)
    chance = random.Random(7)
    (root / "many").mkdir()
    for number in range(5000):
        (root / f"many/{number}-{'x' * (number % 60)}").write_bytes(b"%d" % number)
    deep = root.joinpath(*(f"d{n}" for n in range(60)))
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"deep")
    for _ in range(200):
        name = bytes(
            chance.choice([c for c in range(1, 256) if c != 47])
            for _ in range(chance.randint(1, 60))
        )
        if name not in (b".", b".."):
            body = chance.randbytes(chance.choice([0, 1, 59, 60, 61, 99, 150, 9000]))
            with open(base + b"/" + name, "wb") as file:  # noqa: PTH123
                file.write(body)
    with (root / "sparse").open("wb") as file:
        for place in (0, 70_000, 5_000_123, 5_100_000, 20_000_000):
            file.seek(place)
            file.write(chance.randbytes(3000))
        file.truncate(30_000_000)
    with (root / "nothing but a hole").open("wb") as file:
        file.truncate(5_000_000_000)
    (root / "large").write_bytes(chance.randbytes(3_000_001))
    (root / "hard").hardlink_to(root / "large")
    (root / "$OrphanFiles").write_bytes(b"not The Sleuth Kit's")
    (root / "link").symlink_to("/etc/shadow")
    (root / "long link").symlink_to("/" + "x" * 300)
    os.mkfifo(root / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.relpath(root / "socket"))
    listening.close()
    for number, path in enumerate(sorted(root.rglob("*"))):
        if not path.is_symlink() and path.is_file():
            os.utime(path, (1, 1_500_000_000 - number * 400_000))
    return root


def found(tree: FileTree) -> dict[bytes, TreeEntry]:
    """Return all entries by path; none comes twice."""
    entries = [e for e in tree.entries(ROOT) if not e.path.startswith(b"lost+found")]
    by_path: dict[bytes, TreeEntry] = {e.path: e for e in entries}
    assert len(by_path) == len(entries)
    return by_path


def same_bytes(one: FileTree, other: FileTree, path: TreePath) -> bool:
    """Compare two files to their ends, or the first 40 MB."""
    mine, its = bytearray(MIB), bytearray(MIB)
    with one.open(path) as a, other.open(path) as b:
        for _ in range(40):
            got = a.readinto(mine)
            if got != b.readinto(its) or mine[:got] != its[:got]:
                return False
            if not got:
                break
    return True


def assert_same(tree: FileTree, expected: FileTree) -> None:
    """Both hold the same, to the byte."""
    there, wanted = found(tree), found(expected)
    assert there.keys() == wanted.keys()
    for path, entry in there.items():
        other = wanted[path]
        if not isinstance(entry, TreeFile):
            assert entry == other
            continue
        assert isinstance(other, TreeFile)
        assert (entry.size_bytes, entry.modified_ns) == (
            other.size_bytes,
            other.modified_ns,
        )
        assert same_bytes(tree, expected, entry.path)


@pytest.mark.parametrize("options", VARIANTS)
def test_an_image_holds_what_its_directory_holds(
    options: str, wild: Path, tmp_path: Path
) -> None:
    """Names, kinds, sizes, times and every byte, whatever the features."""
    source_directory = wild
    if "inline_data" in options:
        # mke2fs 1.47.0 itself shortens sparse files there.
        source_directory = tmp_path / "dense"
        ignore = shutil.ignore_patterns(
            "sparse", "nothing*", "fifo", "socket", "link", "long link"
        )
        shutil.copytree(wild, source_directory, ignore=ignore)
    image = make_ext(tmp_path / "image", options, source_directory, "96M")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        assert_same(tree, MountedTree(str(source_directory)))
        assert tree.warnings == ()


def test_a_hash_index_is_no_names(tmp_path: Path) -> None:
    """Interior blocks of a directory's index look like entries here and there."""
    many = tmp_path / "root/many"
    many.mkdir(parents=True)
    for number in range(3000):
        (many / f"{number:05}-{'n' * 60}").touch()
    image = make_ext(tmp_path / "image", f"{EXT4} -N 6000", many.parent)
    subprocess.run(["e2fsck", "-fyD", image], capture_output=True, timeout=100)

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        assert list(tree.names(TreePath(b"many"))) == sorted(
            map(os.fsencode, os.listdir(many))  # noqa: PTH208
        )


def test_what_was_deleted_is_not_there(contract_files: Path, tmp_path: Path) -> None:
    """Neither as a name nor behind one."""
    image = make_ext(tmp_path / "image", EXT4, contract_files)
    debugfs(image, "rm /ab")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        assert b"ab" not in tree.names(ROOT)
        assert b"ab" not in found(tree)
        with pytest.raises(FileUnreadable):
            content(tree, b"ab")


def test_space_that_was_reserved_and_not_written_is_zeros(tmp_path: Path) -> None:
    """Whatever an older file left in those blocks."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(b"STALE" * 2_000_000)
    image = make_ext(tmp_path / "image", EXT4, root, "16M")
    for command in ("rm old", "write /dev/null new", "fallocate new 0 4000"):
        debugfs(image, command)
    debugfs(image, "sif new size 4000000")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        assert content(tree, b"new") == bytes(4_000_000)


def test_times_have_nanoseconds_and_more_than_32_bits(
    contract_files: Path, tmp_path: Path
) -> None:
    """Before 1970 and after 2038."""
    image = make_ext(tmp_path / "image", EXT4, contract_files)
    debugfs(image, "sif top mtime 0xfffffffe")
    debugfs(image, f"sif top mtime_extra {123_456_789 << 2}")
    debugfs(image, "sif ab ctime 5")
    debugfs(image, f"sif ab ctime_extra {7 << 2 | 1}")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        top, other = found(tree)[b"top"], found(tree)[b"ab"]
    assert isinstance(top, TreeFile)
    assert isinstance(other, TreeFile)
    assert top.modified_ns == -2_000_000_000 + 123_456_789
    assert other.changed_ns == (5 + (1 << 32)) * 1_000_000_000 + 7


def test_a_journal_that_was_not_replayed_is_warned_of(
    contract_files: Path, tmp_path: Path
) -> None:
    """The files can be read all the same."""
    image = make_ext(tmp_path / "image", EXT4, contract_files)
    debugfs(image, "feature needs_recovery")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        assert "newest writes may be missing" in tree.warnings[0]
        assert content(tree, b"top") == b"1"


def test_what_is_no_file_system_is_refused() -> None:
    """Nothing, noise, and too little of anything."""
    for whole in (b"", b"x" * 100, bytes(MIB), random.Random(1).randbytes(MIB)):
        with pytest.raises(DeviceUnreadable, match="can be read in userspace"):
            UserspaceTree(Bytes(whole))


@pytest.mark.parametrize("options", ["-O encrypt", "-O large_dir"])
def test_features_that_are_not_known_are_refused(
    options: str, contract_files: Path, tmp_path: Path
) -> None:
    """By their names."""
    image = make_ext(tmp_path / "image", f"{EXT4} {options}", contract_files)

    with pytest.raises(DeviceUnreadable, match=options.split()[1]):
        UserspaceTree(Bytes(image.read_bytes()))


def test_a_part_of_a_file_system_is_refused(
    contract_files: Path, tmp_path: Path
) -> None:
    """What is cut off would otherwise be missing in silence."""
    image = make_ext(tmp_path / "image", EXT4, contract_files, "8M")

    with pytest.raises(DeviceUnreadable, match=r"8,388,608 bytes long.* 8,388,607"):
        UserspaceTree(Bytes(image.read_bytes()[:-1]))


def test_errors_of_the_disk_are_told(tmp_path: Path) -> None:
    """Of a file when it is read, of a directory as damaged; the rest goes on."""
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "good").write_bytes(b"good")
    (root / "bad").write_bytes(b"BADBLOCK" * 1000)
    (root / "d/e").write_bytes(b"e")
    whole = make_ext(tmp_path / "image", EXT4, root, "8M").read_bytes()
    place = whole.index(b"BADBLOCK")
    tree = UserspaceTree(Bytes(whole, range(place, place + 1024)))

    with pytest.raises(FileUnreadable, match="Input/output error"):
        content(tree, b"bad")
    assert content(tree, b"good") == b"good"

    place = whole.index(b"\x01\x01e\0")  # one letter long, a file, "e"
    place -= place % 1024
    tree = UserspaceTree(Bytes(whole, range(place, place + 1024)))
    entries = found(tree)
    assert entries[b"d"] == Damaged(TreePath(b"d"), "Input/output error")
    assert b"good" in entries
    with pytest.raises(DeviceUnreadable):
        tree.names(TreePath(b"d"))


def test_directories_that_hold_themselves_end(tmp_path: Path) -> None:
    """The second way to a directory is damage."""
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_bytes(b"1")
    image = make_ext(tmp_path / "image", EXT4, root)
    debugfs(image, "ln a a/b/again")
    debugfs(image, "ln / a/b/top")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        entries = found(tree)
    assert isinstance(entries.pop(b"a/b/file"), TreeFile)
    assert entries.keys() == {b"a/b/again", b"a/b/top"}
    assert all(isinstance(entry, Damaged) for entry in entries.values())


def test_a_size_that_is_a_lie_is_harmless(contract_files: Path, tmp_path: Path) -> None:
    """Nothing of it is reserved, and it is at once that zeros or an error come."""
    for options in (EXT4, "-t ext2 -b 1024"):
        image = make_ext(tmp_path / "image", options, contract_files)
        debugfs(image, "sif top size 0x7fffffffffffffff")
        with FileSource(str(image)) as source, UserspaceTree(source) as tree:
            entry = found(tree)[b"top"]
            assert isinstance(entry, TreeFile)
            assert entry.size_bytes == (1 << 63) - 1
            with tree.open(entry.path) as file:
                assert file.readinto(bytearray(3000)) == 3000


def test_paths_are_no_longer_than_the_kernels(tmp_path: Path) -> None:
    """Directories within directories would make paths without end."""
    root = tmp_path / "root"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    image = make_ext(tmp_path / "image", EXT4, root)

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        (entry,) = found(tree).values()
    assert isinstance(entry, Damaged)
    assert entry.reason == "its path is longer than 4,095 bytes"
    assert len(entry.path) == 21 * 201 - 1


def test_a_directory_is_no_larger_than_its_file_system(
    contract_files: Path, tmp_path: Path
) -> None:
    """Its blocks could be the same one over and over."""
    image = make_ext(tmp_path / "image", "-t ext2 -b 1024", contract_files)
    debugfs(image, "sif a size 0x40000000")
    whole = bytearray(image.read_bytes())
    first = directory_block(whole, b"top")  # any that is full of entries
    indirect, double = 40_000, 40_001
    whole[indirect * 1024 : indirect * 1024 + 1024] = struct.pack("<I", first) * 256
    whole[double * 1024 : double * 1024 + 1024] = struct.pack("<I", indirect) * 256
    image.write_bytes(whole)
    for place, block in (("IND", indirect), ("DIND", double), ("TIND", double)):
        debugfs(image, f"sif a block[{place}] {block}")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        entry = found(tree)[b"a"]
        assert isinstance(entry, Damaged)
        assert "larger than its file system" in entry.reason
        with pytest.raises(DeviceUnreadable, match="larger than its file system"):
            tree.names(TreePath(b"a"))


def directory_block(whole: bytes | bytearray, name: bytes) -> int:
    """Return the number of the block of 1 KiB that has a file's name."""
    place = whole.index(bytes([len(name), 1]) + name)
    return place // 1024


def test_two_threads_read_at_once(wild: Path, tmp_path: Path) -> None:
    """And a third walks."""
    image = make_ext(tmp_path / "image", EXT4, wild, "96M")
    expected = (wild / "large").read_bytes()
    results = []
    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        paths = (b"large", b"hard", b"large")
        threads = [
            threading.Thread(target=lambda p=p: results.append(content(tree, p)))
            for p in paths
        ]
        for thread in threads:
            thread.start()
        count = len(found(tree))
        for thread in threads:
            thread.join()
    assert results == [expected] * 3
    assert count > 5000


def test_a_large_file_is_read_ahead(wild: Path, tmp_path: Path) -> None:
    """From wherever it is opened, to its end, in userspace as on a mount."""
    root = tmp_path / "root"
    root.mkdir()
    whole = random.Random(3).randbytes(20 * MIB + 12_345)
    (root / "file").write_bytes(whole)
    image = make_ext(tmp_path / "image", "-t ext4", root, "64M")

    with FileSource(str(image)) as source, UserspaceTree(source) as tree:
        for each in (tree, MountedTree(str(root))):
            for start in (0, 5 * MIB + 7, 19 * MIB):
                with each.open(TreePath(b"file"), start=start) as file:
                    found = b"".join(map(bytes, file.chunks()))
                assert found == whole[start:]


@pytest.mark.skipif(not shutil.which("fincore"), reason="needs util-linux")
def test_a_large_file_is_not_kept_in_memory(tmp_path: Path) -> None:
    """The page cache holds as little of it afterwards as before."""
    file = tmp_path / "file"
    with file.open("wb") as new:
        new.write(bytes(96 * MIB))
        new.flush()
        os.fsync(new.fileno())
        os.posix_fadvise(new.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached(file):
        pytest.skip("this file system keeps everything in memory")

    with MountedTree(str(tmp_path)).open(TreePath(b"file")) as source:
        most = 0
        for _ in source.chunks():
            most = max(most, cached(file))

    assert most < 64 * MIB
    assert cached(file) < MIB


def cached(file: Path) -> int:
    """Return how many bytes of a file the page cache holds."""
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(file)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def test_nothing_is_read_after_closing(contract_files: Path, tmp_path: Path) -> None:
    """It fails as an unreadable disk does."""
    image = make_ext(tmp_path / "image", EXT4, contract_files)
    with FileSource(str(image)) as source:
        tree = UserspaceTree(source)
        tree.close()
        tree.close()
        with pytest.raises(S3ExportError):
            content(tree, b"a/b/c/deep")


# --- damage -----------------------------------------------------------------------


def damage(whole: bytes, seed: int) -> bytes:
    """Change bits, words or blocks where there is something."""
    chance = random.Random(seed)
    image = bytearray(whole)
    blocks = [at for at in range(0, len(whole), 1024) if any(whole[at : at + 1024])]
    for _ in range(chance.choice([1, 2, 8, 64, 500])):
        block = chance.choice(blocks)
        at = block + 4 * chance.randrange(256)
        match chance.randrange(4):
            case 0:
                image[at] ^= 1 << chance.randrange(8)
            case 1:
                word = chance.choice(
                    [0, 0xFFFFFFFF, 0x7FFFFFFF, chance.getrandbits(32)]
                )
                image[at : at + 4] = struct.pack("<I", word)
            case 2:
                image[at] = chance.choice([0, 1, 127, 128, 255])
            case 3 if chance.random() < 0.1:
                other = chance.choice(blocks)
                image[block : block + 1024] = whole[other : other + 1024]
    return bytes(image)


def read_damaged(whole: bytes, seeds: range) -> None:
    """Read all that damaged images give, as long as only our own errors come."""
    for seed in seeds:
        print(f"seed {seed}", flush=True)  # noqa: T201
        source = Bytes(damage(whole, seed))
        try:
            with UserspaceTree(source) as tree:
                read_some(tree)
        except S3ExportError:
            continue


def read_some(tree: FileTree) -> None:
    buffer = bytearray(1 << 16)
    for count, entry in enumerate(tree.entries(ROOT)):
        assert isinstance(entry, TreeFile | NotAFile | Damaged)
        if count > 5000:
            break
        if isinstance(entry, TreeFile):
            try:
                with tree.open(entry.path) as file:
                    for _ in range(20):
                        if not file.readinto(buffer):
                            break
            except FileUnreadable:
                pass


def survives(whole: bytes, cases: int) -> None:
    """Read damaged images in a process of its own: C code might take it down."""
    process = get_context("fork").Process(
        target=read_damaged, args=(whole, range(cases))
    )
    process.start()
    process.join(timeout=200)
    if process.is_alive():
        process.kill()
        pytest.fail("it hangs: see the last seed")
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small") / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "h").mkdir()
    for number in range(150):
        (root / f"h/name{number}").write_bytes(b"%d" % number * 30)
    (root / "a/big").write_bytes(random.Random(3).randbytes(400_000))
    with (root / "a/fragments").open("wb") as file:
        for number in range(40):
            file.seek(number * 5000)
            file.write(b"z")
    (root / "a/link").symlink_to("/etc/shadow")
    return root


@pytest.mark.parametrize(
    "options", [EXT4, "-t ext2 -b 1024", f"{EXT4} -O inline_data -I 256"]
)
def test_damaged_ext_is_harmless(options: str, small: Path, tmp_path: Path) -> None:
    """No crash, no hang, no error but ours."""
    image = make_ext(tmp_path / "image", options, small, "3M")

    survives(image.read_bytes(), 200)


# --- NTFS -------------------------------------------------------------------------

NEEDS_NTFS = pytest.mark.skipif(not shutil.which("mkntfs"), reason="needs ntfs-3g")


@pytest.fixture(scope="module")
def ntfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with what can be copied to it without mounting: files at the top."""
    image = tmp_path_factory.mktemp("ntfs") / "image"
    image.touch()
    os.truncate(image, 8 * MIB)
    run("mkntfs", "-F", "-q", "-Q", image)
    for name, body in (("small", b"small"), ("big", b"0123456789" * 100_000)):
        file = image.parent / name
        file.write_bytes(body)
        run("ntfscp", "-f", image, file, name)
    stream = image.parent / "stream"
    stream.write_bytes(b"not the content")
    run("ntfscp", "-f", "-N", "other", image, stream, "small")
    return image


@NEEDS_NTFS
def test_ntfs_is_read_without_its_own_files(ntfs: Path) -> None:
    """Neither $MFT nor other streams nor orphans."""
    with FileSource(str(ntfs)) as source, UserspaceTree(source) as tree:
        assert tree.names(ROOT) == [b"big", b"small"]
        assert {p: e.size_bytes for p, e in found(tree).items()} == {  # type: ignore[union-attr]
            b"big": 1_000_000,
            b"small": 5,
        }
        assert content(tree, b"small") == b"small"
        assert content(tree, b"big") == b"0123456789" * 100_000
        for hidden in (b"$MFT", b"$Extend", b"$OrphanFiles", b"small:other"):
            with pytest.raises(FileUnreadable):
                content(tree, hidden)
        assert tree.warnings == ()


@NEEDS_NTFS
def test_ntfs_that_was_not_unmounted_is_warned_of(ntfs: Path) -> None:
    """By the dirty flag of $VOLUME_INFORMATION."""
    whole = bytearray(ntfs.read_bytes())
    version = b"\0" * 8 + b"\x03\x01"
    place = whole.index(version + b"\0\0", whole.index(b"$\0V\0o\0l\0u\0m\0e\0"))
    for at in (place, whole.find(version + b"\0\0", place + 1)):
        if at > 0:
            whole[at + 10] |= 1

    with UserspaceTree(Bytes(bytes(whole))) as tree:
        assert "NTFS" in tree.warnings[0]


@NEEDS_NTFS
@pytest.mark.parametrize("forged", ["../ab", "/////", "s/all"])
def test_ntfs_names_that_cannot_be_are_damage(forged: str, ntfs: Path) -> None:
    """They would be paths of their own; what has another name is read."""
    whole = ntfs.read_bytes()
    old, new = "small".encode("utf-16-le"), forged.encode("utf-16-le")
    image = Bytes(whole.replace(old, new))

    with UserspaceTree(image) as tree:
        entries = found(tree)
        assert isinstance(entries[b"big"], TreeFile)
        assert entries[b""] == Damaged(
            ROOT, "the directory is damaged: a name that cannot be one"
        )
        assert len(entries) == 2
        with pytest.raises(DeviceUnreadable, match="cannot be one"):
            tree.names(ROOT)


@NEEDS_NTFS
def test_damaged_ntfs_is_harmless(ntfs: Path) -> None:
    """No crash, no hang, no error but ours."""
    survives(ntfs.read_bytes(), 200)
