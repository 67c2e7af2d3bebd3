"""Images made to mislead, verified by the program itself as a user without rights.

Nothing of them is harmful: the program ends in time, with little memory, and either
reports or says in one error what it cannot read.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.aws_s3 import AwsS3, Stored

MIB = 1 << 20
NOBODY = 65534
LONGEST_SECONDS = 60  # on a machine that is busy with other tests
MOST_BYTES = 400 * MIB
CONTENTS = {"one": b"one" * 100, "d/two": b"two" * 3000, "d/e/three": b"3"}
ON_NTFS = {"small": b"small", "large": b"large" * 9000}
MISLEADING_NAMES = (
    b"\x1b[2J\x1b]0;title\x07",
    b"two\nlines\r",
    b"\xff\xfe",
    b"\xe2\x80\xae",
)

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("mke2fs", "debugfs", "mkntfs", "ntfscp"))),
    reason="needs e2fsprogs and ntfs-3g",
)


@dataclass(frozen=True)
class Verified:
    """What a run of the program left."""

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int

    @property
    def report(self) -> Any:
        return json.loads(self.out)

    def findings(self) -> dict[str, str]:
        """Return the outcomes by path."""
        return {each["path"]: each["outcome"] for each in self.report["findings"]}


Verify = Callable[..., Verified]


@pytest.fixture(scope="module")
def server() -> Iterator[AwsS3]:
    """A server that answers as AWS does, with what the disks should hold."""
    with AwsS3() as started:
        for bucket, contents in (("b", CONTENTS), ("n", ON_NTFS)):
            started.create_bucket(bucket)
            for key, body in contents.items():
                started.put(bucket, key, Stored(body))
        yield started


@pytest.fixture
def verify(server: AwsS3) -> Iterator[Verify]:
    """Verify an image with the program, as nobody where that can be."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's are root's alone
        Path(folder).chmod(0o755)

        def run(image: bytes, bucket: str = "b", *options: str) -> Verified:
            path = Path(folder, "image")
            path.write_bytes(image)
            path.chmod(0o444)
            return verified(path, server.endpoint_url, bucket, *options)

        yield run


_FILES = (
    "HOME", "XDG_CONFIG_HOME", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
)  # fmt: skip
_PROGRAM = """
import contextlib, io, os, sys
from s3export.entrypoints.cli import main
peak, image, empty, nobody, *more = sys.argv[1:]
status = open("/proc/self/status")
command = ["verify-backup", "--json", "--bucket"]
if os.geteuid() == 0:
    # What is imported or loaded later may lie where only root may read.
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        main([*command, "b", empty])
    "\\x1b".encode("unicode_escape")
    os.setgroups([])
    os.setgid(int(nobody))
    os.setuid(int(nobody))
try:
    sys.exit(main([*command, *more, "--no-mount", image]))
finally:
    os.write(int(peak), status.read().encode())
"""


def verified(image: Path, endpoint_url: str, *more: str) -> Verified:
    """Run the program on an image, as nobody if this is root."""
    environment = {
        **os.environ,
        **dict.fromkeys(_FILES, "/nonexistent/file"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    empty = image.parent / "empty"
    empty.joinpath("b").mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-c",
        _PROGRAM,
        "PEAK",
        str(image),
        str(empty),
        str(NOBODY),
        *more,
    ]
    started = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.TemporaryFile("w+") as peak,
    ):
        command[command.index("PEAK")] = str(peak.fileno())
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env=environment, cwd="/", pass_fds=(peak.fileno(),),
        )  # fmt: skip
        waited_for(process)
        for file in (out, err, peak):
            file.seek(0)
        # Its own account of itself: the kernel's to us begins with our own peak.
        told = re.search(r"VmHWM:\s+(\d+) kB", peak.read())
        assert told, f"it ended by itself: {err.read()}"
        return Verified(
            process.returncode,
            out.read(),
            err.read(),
            time.monotonic() - started,
            int(told[1]) * 1024,
        )


def waited_for(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process, not for ever."""
    try:
        process.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail("it takes too long")


# --- making images ----------------------------------------------------------------


def run(*argv: str | Path) -> None:
    """Run a tool that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Ext:
    """An image of ext2 or ext4 that can be changed behind its back."""

    path: Path

    def change(self, *commands: str) -> None:
        """Let debugfs do something."""
        for command in commands:
            run("debugfs", "-w", "-R", command, self.path)

    def patch(self, at: int, form: str, *values: int) -> None:
        """Write numbers somewhere."""
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(struct.pack(form, *values))

    def content(self) -> bytes:
        return self.path.read_bytes()


def made(
    folder: Path, options: str, extra: Callable[[Path], None] | None = None
) -> Ext:
    """Make an image of what S3 holds, and of what else is wanted."""
    root = folder / "root"
    for key, body in CONTENTS.items():
        (root / "b" / key).parent.mkdir(parents=True, exist_ok=True)
        (root / "b" / key).write_bytes(body)
    if extra:
        extra(root / "b")
    run("mke2fs", "-q", "-F", *options.split(), "-d", root, folder / "image", "16M")
    return Ext(folder / "image")


@pytest.fixture
def ext4(tmp_path: Path) -> Ext:
    """What S3 holds, on ext4."""
    return made(tmp_path, "-t ext4 -b 1024 -O ^metadata_csum")


@pytest.fixture
def ext2(tmp_path: Path) -> Ext:
    """The same with pointers to blocks."""
    return made(tmp_path, "-t ext2 -b 1024")


@pytest.fixture
def ntfs(tmp_path: Path) -> bytes:
    """NTFS with files of a few kinds; no directory can be made without mounting."""
    image = tmp_path / "ntfs"
    with image.open("wb") as file:
        file.truncate(4 * MIB)
    run("mkntfs", "-F", "-q", "-Q", image)
    for name, body in ON_NTFS.items():
        (tmp_path / name).write_bytes(body)
        run("ntfscp", "-f", image, tmp_path / name, name)
    return image.read_bytes()


def is_harmless(ran: Verified) -> None:
    """It ended in time, in its contract's way, and said no more than it should."""
    assert ran.code in (0, 1, 3, 5), ran.err
    assert "Traceback" not in ran.err
    assert "a bug" not in ran.err
    assert ran.peak_bytes < MOST_BYTES, f"{ran.peak_bytes / MIB:.0f} MiB"
    if ran.code == 5:
        assert ran.out == ""
        assert "s3export: " in ran.err
    else:
        assert ran.report["verdict"] in ("verified", "differs", "inconclusive")
    for word in (ran.out, ran.err):
        assert not set(word) & set(map(chr, (*range(9), *range(11, 32), 127)))
        assert not re.search(r"root:[^\s]*:", word)  # of /etc/shadow


# --- ext2 and ext4 ----------------------------------------------------------------


def test_what_is_right_is_verified(ext4: Ext, verify: Verify) -> None:
    """So that the others differ in one thing."""
    ran = verify(ext4.content())

    is_harmless(ran)
    assert ran.code == 0


@pytest.mark.parametrize(
    "links",
    [
        ["ln b/d b/d/e/again"],
        ["ln b b/self"],
        ["ln b/d b/d/self", "ln b/d/e b/d/self2", "ln / b/d/e/root"],
    ],
    ids=["a loop", "in itself", "several"],
)
def test_loops_of_directories_end(links: list[str], ext4: Ext, verify: Verify) -> None:
    """Each directory is walked once; the second way to it is damage."""
    ext4.change(*links)

    ran = verify(ext4.content())

    is_harmless(ran)
    assert ran.code == 1
    assert set(ran.findings().values()) == {"unreadable"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("sif b/one size 0x7fffffffffffffff", 1),
        ("sif b/one size 0xffffffffffffffff", 1),
        ("sif b/d size 0xffffffff", 1),
        ("sif b/d size 0x40000000", 1),
        ("sif b size 0xffffffff", 1),
        ("sif / size 0xffffffff", 5),
        ("sif b/one links_count 0", 1),
        ("sif b/one mode 0", 1),
        ("sif b/d/e mode 0100644", 1),
        ("sif b/one block[5] 0xffffffff", 1),
        ("sif b/one extra_isize 0xffff", 0),
        ("sif b/one mtime_extra 0xffffffff", 0),
        ("sif b/one flags 0x10000000", 1),
    ],
)
def test_an_inode_that_lies_is_harmless(
    change: str, code: int, ext4: Ext, verify: Verify
) -> None:
    """Whatever is said of it, the others are verified."""
    ext4.change(change)

    ran = verify(ext4.content())

    is_harmless(ran)
    assert ran.code == code, (ran.out, ran.err)


def test_one_block_many_times_in_a_directory_is_harmless(
    ext2: Ext, verify: Verify
) -> None:
    """A directory of a gibibyte, in three blocks."""
    place = ext2.content().index(b"\x03\x01one") // 1024
    ext2.patch(16_000 * 1024, "<256I", *[place] * 256)
    ext2.patch(16_001 * 1024, "<256I", *[16_000] * 256)
    ext2.change(
        "sif b size 0x40000000",
        *(f"sif b block[{name}] 16001" for name in ("TIND", "DIND")),
        "sif b block[IND] 16000",
    )

    ran = verify(ext2.content())

    is_harmless(ran)
    assert ran.code == 1


def test_links_lead_nowhere(tmp_path: Path, verify: Verify) -> None:
    """They are no files of a backup, wherever they point."""

    def link(root: Path) -> None:
        (root / "shadow").symlink_to("/etc/shadow")
        (root / "up").symlink_to("../../../../../../etc/passwd")
        (root / "self").symlink_to("self")
        (root / "root").symlink_to("/")

    ran = verify(made(tmp_path, "-t ext4 -b 1024", link).content())

    is_harmless(ran)
    assert ran.findings() == {}


def test_names_that_steer_terminals_are_quoted(tmp_path: Path, verify: Verify) -> None:
    """Those that are not UTF-8, too."""

    def name(root: Path) -> None:
        for each in MISLEADING_NAMES:
            Path(os.fsdecode(bytes(root) + b"/" + each)).write_bytes(b"x")

    ran = verify(made(tmp_path, "-t ext4 -b 1024", name).content())

    is_harmless(ran)
    assert ran.code == 0
    assert len(ran.findings()) == len(MISLEADING_NAMES)


def test_directories_deeper_than_any_path_are_harmless(
    tmp_path: Path, verify: Verify
) -> None:
    """Their paths would fill the memory."""

    def dig(root: Path) -> None:
        here = os.open(root, os.O_RDONLY)
        for _ in range(700):
            os.mkdir("d" * 250, dir_fd=here)
            deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        os.close(here)

    ran = verify(made(tmp_path, "-t ext4 -b 1024", dig).content())

    is_harmless(ran)
    assert ran.code == 1
    assert "unreadable" in ran.findings().values()


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        (0x0, "<I", 0xFFFFFFFF),  # inodes
        (0x0, "<I", 0),
        (0x4, "<I", 0xFFFFFFFF),  # blocks
        (0x150, "<I", 0xFFFFFFFF),  # blocks, the upper half
        (0x14, "<I", 0xFFFFFFFF),  # first block
        (0x18, "<I", 0xFFFFFFFF),  # size of a block
        (0x20, "<I", 0xFFFFFFFF),  # blocks of a group
        (0x20, "<I", 1),
        (0x28, "<I", 0xFFFFFFFF),  # inodes of a group
        (0x28, "<I", 1),
        (0x54, "<I", 0xFFFFFFFF),  # first inode
        (0x58, "<H", 0xFFFF),  # size of an inode
        (0x58, "<H", 129),
        (0xFE, "<H", 0xFFFF),  # size of a group's descriptor
        (0x104, "<I", 0xFFFFFFFF),  # first group of meta groups
    ],
)
def test_a_superblock_that_lies_is_harmless(
    at: int, form: str, value: int, ext4: Ext, verify: Verify
) -> None:
    """Nothing is made for what it says there is, before it is found."""
    ext4.patch(1024 + at, form, value)

    is_harmless(verify(ext4.content()))


@pytest.mark.parametrize("table", [0, 1, 0x3FFF, 0xFFFFFFFF])
def test_inodes_that_lie_elsewhere_are_harmless(
    table: int, ext4: Ext, verify: Verify
) -> None:
    """On the superblock, or beyond the end."""
    ext4.patch(2048 + 8, "<I", table)
    if table == 0xFFFFFFFF:
        ext4.patch(2048 + 0x28, "<I", table)

    ran = verify(ext4.content())

    is_harmless(ran)
    assert ran.code == 5


@pytest.mark.parametrize("inode", [0xFFFFFFFF, 1, 2, 7, 8, 11, 4000])
def test_names_of_other_inodes_are_harmless(
    inode: int, ext4: Ext, verify: Verify
) -> None:
    """The journal's, the root's, none at all."""
    place = ext4.content().index(b"\x03\x01one")
    ext4.patch(place - 6, "<I", inode)

    ran = verify(ext4.content())

    is_harmless(ran)
    assert ran.code == 1


@pytest.mark.parametrize("block", [0, 3, 0x0FFFFFFF, 0xFFFFFFFF])
def test_a_hash_index_that_points_outside_is_harmless(
    block: int, tmp_path: Path, verify: Verify
) -> None:
    """Names are read without it."""

    def fill(root: Path) -> None:
        for number in range(900):
            (root / f"{number:03}{'n' * 60}").touch()

    image = made(tmp_path, "-t ext4 -b 1024 -N 2000 -O ^metadata_csum", fill)
    subprocess.run(["e2fsck", "-fyD", image.path], capture_output=True, timeout=60)
    whole = image.content()
    roots = [
        at for at in range(0, len(whole), 1024)
        if whole[at + 8 : at + 10] == b".\0" and whole[at + 0x1D] == 8
        and whole[at + 0x20 : at + 0x22] == b"\x7c\x00"
    ]  # fmt: skip
    assert roots
    for root in roots:
        (count,) = struct.unpack_from("<H", whole, root + 0x22)
        image.patch(root + 0x24, "<I", block)
        for number in range(1, count):
            image.patch(root + 0x24 + 8 * number, "<I", block)

    ran = verify(image.content())

    is_harmless(ran)
    assert set(ran.findings().values()) == {"missing_from_source"}
    assert len(ran.findings()) == 900


# --- NTFS -------------------------------------------------------------------------


@pytest.fixture
def verify_ntfs(verify: Verify) -> Verify:
    """Verify the files at the top of a disk."""
    return lambda image: verify(image, "n", "--target-directory=/")


def test_what_is_right_on_ntfs_is_verified(ntfs: bytes, verify_ntfs: Verify) -> None:
    """So that the others differ in one thing."""
    ran = verify_ntfs(ntfs)

    is_harmless(ran)
    assert ran.code == 0


def record_of(whole: bytes, name: str) -> int:
    """Return where the record of a file is in the master file table."""
    wanted = name.encode("utf-16-le")
    for at in range(0, len(whole), 1024):
        if whole[at : at + 4] == b"FILE" and wanted in whole[at : at + 1024]:
            return at
    raise AssertionError(name)


def number_of(whole: bytes, at: int) -> int:
    """Return the number that a record says it has."""
    return int.from_bytes(whole[at + 44 : at + 48], "little")


def with_attribute_list(
    whole: bytes, at: int, entries: list[tuple[int, int]], again: int = 1
) -> bytes:
    """Give a record a list of attributes that lie in records.

    Args:
        entries: The kind of the attribute, and the number of the record.
    """
    record = bytearray(whole[at : at + 1024])
    (update,) = struct.unpack_from("<H", record, 4)
    for end, saved in ((510, update + 2), (1022, update + 4)):
        record[end : end + 2] = record[saved : saved + 2]
    (place,) = struct.unpack_from("<H", record, 20)
    (used,) = struct.unpack_from("<I", record, 24)
    while int.from_bytes(record[place : place + 4], "little") < 0x20:
        place += int.from_bytes(record[place + 4 : place + 8], "little")
    listed = b"".join(
        struct.pack("<IHBBQQH6x", kind, 32, 0, 26, 0, number | 1 << 48, n)
        for n, (kind, number) in enumerate(entries * again)
    )
    head = struct.pack("<IIBBHHHIHH", 0x20, 24 + len(listed), 0, 0, 24, 0, 99,
                       len(listed), 24, 0)  # fmt: skip
    made_ = head + listed
    record[place:used] = made_ + record[place:used]
    del record[1024:]
    struct.pack_into("<I", record, 24, used + len(made_))
    for end, saved in ((510, update + 2), (1022, update + 4)):
        record[saved : saved + 2] = record[end : end + 2]
        record[end : end + 2] = record[update : update + 2]
    return whole[:at] + bytes(record) + whole[at + 1024 :]


@pytest.mark.parametrize("again", [1, 6])
@pytest.mark.parametrize("kind", [0x10, 0x20, 0x30, 0x80, 0x90])
def test_lists_of_attributes_that_lead_to_each_other_end(
    kind: int, again: int, ntfs: bytes, verify_ntfs: Verify
) -> None:
    """A record that says that it goes on in another, which goes on in the first."""
    small, large = record_of(ntfs, "small"), record_of(ntfs, "large")
    one, other = number_of(ntfs, small), number_of(ntfs, large)
    loop = with_attribute_list(ntfs, small, [(kind, other), (0x20, other)], again)
    loop = with_attribute_list(loop, large, [(kind, one), (0x20, one)], again)

    is_harmless(verify_ntfs(loop))


@pytest.mark.parametrize("kind", [0x20, 0x80, 0x90, 0xA0])
def test_a_list_of_attributes_that_leads_to_itself_ends(
    kind: int, ntfs: bytes, verify_ntfs: Verify
) -> None:
    """In a file, and in the root directory."""
    for place in (record_of(ntfs, "small"), root_record(ntfs)):
        number = number_of(ntfs, place)
        is_harmless(verify_ntfs(with_attribute_list(ntfs, place, [(kind, number)] * 2)))


def root_record(whole: bytes) -> int:
    """Return where the root directory's record is."""
    sectors, clusters = whole[0x0D], int.from_bytes(whole[0x30:0x38], "little")
    return clusters * sectors * 512 + 5 * 1024


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [
        (40, "<Q", 1 << 62),  # allocated
        (48, "<Q", 1 << 62),  # size
        (48, "<Q", (1 << 64) - 1),
        (56, "<Q", 1 << 62),  # initialised
        (24, "<Q", 1 << 62),  # last cluster
        (32, "<H", 0xFFFF),  # where the runs are
        (12, "<H", 0x8001),  # sparse and compressed
        (34, "<H", 63),  # size of a unit of compression
    ],
)
def test_ntfs_content_that_lies_is_harmless(
    place: int, form: str, value: int, ntfs: bytes, verify_ntfs: Verify
) -> None:
    """Whatever a file's record says of its size and place."""
    record = record_of(ntfs, "large")
    at = record + int.from_bytes(ntfs[record + 20 : record + 22], "little")
    while ntfs[at : at + 4] != b"\x80\0\0\0":
        at += int.from_bytes(ntfs[at + 4 : at + 8], "little")
    image = bytearray(ntfs)
    struct.pack_into(form, image, at + place, value)

    is_harmless(verify_ntfs(bytes(image)))


@pytest.mark.parametrize("forged", ["../ab", "b/one", "\x1b[2Jx"])
def test_ntfs_names_that_are_none_are_harmless(
    forged: str, ntfs: bytes, verify_ntfs: Verify
) -> None:
    """A name with a slash would be a path to somewhere else."""
    small = "small".encode("utf-16-le")

    is_harmless(verify_ntfs(ntfs.replace(small, forged.encode("utf-16-le"))))


# --- partition tables -------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        (2, 9, 8),
        (2, 34, (1 << 64) - 1),
        (2, (1 << 63) - 1, (1 << 63) + 5),
        ((1 << 64) - 1, 34, 100),
        (1 << 54, 34, 100),
        (1023, 34, 100),
    ],
)
def test_a_partition_table_that_lies_is_harmless(
    table: int, first: int, last: int, verify: Verify
) -> None:
    """Its checksums are right."""
    disk = bytearray(512 * 1024)
    disk[450] = 0xEE
    disk[510:512] = b"\x55\xaa"
    struct.pack_into("<16s16sQQ", disk, 1024, b"kind", b"own", first, last)
    entries = disk[table * 512 : table * 512 + 128 * 128]
    header = bytearray(struct.pack(
        "<8sIIIIQQQQ16sQIII", b"EFI PART", 1 << 16, 92, 0, 0, 1, 5000, 34, 4900,
        b"disk", table, 128, 128, zlib.crc32(entries),
    ))  # fmt: skip
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    disk[512:604] = header

    ran = verify(bytes(disk))

    is_harmless(ran)
    assert ran.code == 5
