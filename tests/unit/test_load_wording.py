"""What load-device says of a plan and of a loaded disk."""

import argparse
import shlex

import pytest
from load_scene import SIZE, Scene
from samples import DISK

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import InlineWorkers, SilentProgress
from s3export.domain.errors import PermissionMissing
from s3export.domain.load_journal import NextDisk
from s3export.domain.services.create_job import AS_USUAL, DiskWishes
from s3export.domain.services.load_device import LoadResult
from s3export.domain.services.load_disk import Encryption, LoadedDisk, LoadWishes
from s3export.domain.services.read_back import ReadBack, ReadBackResult
from s3export.entrypoints.cli import load_wording
from s3export.entrypoints.cli.arguments import build_parser


@pytest.fixture
def scene() -> Scene:
    return Scene()


def told(loaded: LoadedDisk, back: ReadBackResult | None = None) -> str:
    """Return what is said of a load."""
    return "\n".join(load_wording.loaded_lines(loaded, back, "m.yml"))


def planned(scene: Scene) -> str:
    """Return what is said of a plan."""
    return "\n".join(load_wording.plan_lines(scene.plan(), list_prices=True))


def read_back(scene: Scene) -> ReadBackResult:
    """Read the disk again."""
    read = ReadBack(InstalledHashes(), InlineWorkers(), SilentProgress())
    return read(scene.tree, total=300, total_bytes=1, at_once=1)


def test_a_load_with_nothing_left_does_not_claim_to_have_loaded(scene: Scene) -> None:
    """Nor that anything is equal to S3 now."""
    first = told(scene.load.carry_out(scene.plan()))
    again = told(scene.load.carry_out(scene.plan()))

    assert "Loaded 300 objects" in first
    assert "300  equal to S3 by etag-md5" in first
    assert "Loaded" not in again
    assert "Nothing was left to load: job" in again
    assert "NOT read again" in again
    assert "were equal to S3 by etag-md5 when they were written" in again


def test_the_command_that_sends_the_log_again_does_not_erase_the_disk(
    scene: Scene,
) -> None:
    """Where the load began anew it is the same without --start-over."""
    scene.load.carry_out(scene.plan())
    for start_over in (False, True):
        plan = scene.plan(wishes=LoadWishes(start_over=start_over))
        result = LoadResult(written=300, log_error="refused")
        text = told(LoadedDisk(plan, result))
        without = "the same command without --start-over sends it again"
        assert (without in text) is start_over
        assert ("the same command sends it again" in text) is not start_over


def test_files_that_were_loaded_again_and_those_lost_are_counted(scene: Scene) -> None:
    """With what helps."""
    scene.load.carry_out(scene.plan())
    del scene.tree.files[b"b/010"], scene.tree.files[b"b/020"]
    scene.store.put("b", "020", b"another")

    text = told(scene.load.carry_out(scene.plan()))

    assert "1  of them missing, or of another size than was written" in text
    assert "1  of them NOT as written, and not to be had again (--start-over" in text
    assert "s3://b/020: Lost: S3 holds other bytes now than were written" in text


def test_a_disk_is_not_called_faulty_for_files_that_are_missing(scene: Scene) -> None:
    """But for those that are not as written."""
    loaded = scene.load.carry_out(scene.plan())
    del scene.tree.files[b"b/010"]
    missing = told(loaded, read_back(scene))
    scene.tree.files[b"b/011"] = b"y" * 11
    wrong = told(loaded, read_back(scene))

    assert "1 are NOT there as regular files" in missing
    assert "/b/010: there is no such file" in missing
    assert "faulty" not in missing
    assert "2 are NOT as written" in wrong
    assert "faulty" in wrong
    for text in (missing, wrong):
        assert "were equal to S3 by etag-md5 when they were written" in text


def test_a_plan_says_where_the_load_ends_before_an_object_that_is_too_large(
    scene: Scene,
) -> None:
    """It is reckoned for what comes before it, and says so."""
    assert "they fit on the disk" in planned(scene)
    scene.store.put("b", "100-huge", bytes(SIZE))

    text = planned(scene)

    assert "they fit on the disk" not in text
    assert (
        "they do NOT fit, as far as reckoned: the load ends after 101 objects, before "
        "'100-huge' of 67.1 MB, which needs a larger disk"
    ) in text
    assert "requests and transfer of 101 objects, 5.0 kB, cost about" in text
    assert "load 101 of the 301 objects, as job" in text


def test_a_plan_counts_the_disks_before_an_object_that_is_too_large(
    scene: Scene,
) -> None:
    """The first one's share is told."""
    for number in range(3):
        scene.store.put("b", f"large{number}", bytes(30 << 20))
    scene.store.put("b", "z-huge", bytes(SIZE))

    text = planned(scene)

    assert "ends after 303 objects on 3 disks of this size, before 'z-huge'" in text
    assert "the first disk takes 301 objects" in text


def test_objects_that_could_not_be_read_are_warned_of(scene: Scene) -> None:
    """With the reason of the first."""
    scene.store.faults = {"001": [PermissionMissing("no GetObject")]}

    (warning,) = load_wording.warnings(scene.plan())

    assert warning == "1 of the 3 objects tried could not be read: no GetObject"


@pytest.mark.parametrize(
    ("encryption", "disk", "words"),
    [
        (Encryption.NONE, AS_USUAL, "--encrypt none "),
        (Encryption.LUKS2, AS_USUAL, "--encrypt luks2 "),
        (Encryption.TRUECRYPT, AS_USUAL, ""),
        (
            Encryption.TRUECRYPT,
            DiskWishes(whole_disk=True, full_format=True),
            "--whole-disk --full-format ",
        ),
    ],
)
def test_the_next_disk_is_made_like_this_one(
    scene: Scene, encryption: Encryption, disk: DiskWishes, words: str
) -> None:
    """The command that goes on has the options that decide it."""
    plan = scene.plan(encryption, wishes=LoadWishes(disk))
    full = LoadedDisk(plan, LoadResult(next_disk=NextDisk(0, "100")))

    lines = load_wording.loaded_lines(full, None, "m.yml", ["--password-file", "p"])

    command = f"m.yml DEVICE {words}--password-file p --continue-from s3://logs/export-"
    assert command in "\n".join(lines)
    assert "LARGER" not in "\n".join(lines)


S3_OPTIONS = (
    *("--endpoint-url", "http://localhost:1", "--region", "eu-west-1"),
    *("--profile", "two words", "--config", "my.toml", "--request-payer"),
    *("--sse-c-key-file", "key file"),
)


@pytest.mark.parametrize("options", [(), S3_OPTIONS[:2], S3_OPTIONS])
def test_the_commands_that_are_told_ask_s3_as_this_one_did(
    scene: Scene, options: tuple[str, ...]
) -> None:
    """What was given with it is repeated, and nothing else of the settings."""
    given = parsed("load-device", "m.yml", DISK, *options)
    plan = scene.plan()
    full = LoadedDisk(plan, LoadResult(next_disk=NextDisk(0, "100")))

    words = [*load_wording.s3_words(given)]
    lines = [*load_wording.loaded_lines(full, None, "m.yml", words)]
    lines.append(load_wording.verify_line(plan, "m.yml", words))

    commands = [line.partition(": s3export ")[2] for line in lines]
    following, verifying = (shlex.split(line) for line in commands if line)
    for command in (following, verifying):
        again = parsed(*command)
        for name in ("endpoint_url", "region", "profile", "config"):
            assert getattr(again, name, None) == getattr(given, name, None)
        assert again.request_payer == given.request_payer
        assert again.sse_c_key_file == given.sse_c_key_file
        assert len([word for word in command if word in options]) == len(options)
    assert following[0] == "load-device"
    assert parsed(*following).continue_from.startswith("s3://logs/export-log-")
    assert verifying[:2] == ["verify-backup", DISK]


def parsed(*words: str) -> argparse.Namespace:
    """Return a command line as the program reads it."""
    return build_parser().parse_args(words)


def test_where_an_object_is_too_large_a_larger_disk_is_asked_for(scene: Scene) -> None:
    """It is named, where the load ended before it."""
    scene.store.put("b", "100-huge", bytes(SIZE))
    result = LoadResult(written=101, next_disk=NextDisk(0, "100"))

    text = told(LoadedDisk(scene.plan(), result))

    assert (
        "it begins with '100-huge' of 67.1 MB, which fits on no disk of this size: a "
        "LARGER one is needed"
    ) in text
