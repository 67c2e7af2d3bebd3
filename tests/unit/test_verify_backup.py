"""verify-backup over ports in memory."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

import pytest
from samples import DISK, original_example
from scenes import LAYOUT, ROOT, Scene, earlier, outcomes

from s3export.adapters.memory import (
    FixedClock,
    FixedKeys,
    InlineWorkers,
    MemoryFileTree,
    MemoryObjectStore,
)
from s3export.domain import errors
from s3export.domain.backup_layout import (
    BackupLayout,
    ObjectName,
    Source,
    Substitution,
    TreePath,
)
from s3export.domain.checksum_report import Computed
from s3export.domain.confidence import sample_size, upper_bound
from s3export.domain.containers import Opening
from s3export.domain.devices import DeviceFacts
from s3export.domain.evidence import Checksum
from s3export.domain.export_log import ExportLog, LogEntry
from s3export.domain.ports import Damaged, FileTree, Stop
from s3export.domain.services.verify_request import VerifyRequest, Watch
from s3export.domain.verification import (
    Completeness,
    Finding,
    Outcome,
    Report,
    Selection,
    Verdict,
)

A = TypeVar("A")
B = TypeVar("B")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_original_programs_example() -> None:
    """Two files equal, one different, one not in S3: 7 assertions, 5 true."""
    devices, store = original_example()
    scene = Scene()
    scene.devices, scene.store = devices, store
    layout = BackupLayout(
        (Source("my-bucket", TreePath(b"my-bucket")),), TreePath(b"EXPORT-RECOVERY")
    )

    report = scene.verify(layout=layout)

    tally = report.tally.assertions
    assert (tally.run, tally.succeeded, tally.failed) == (7, 5, 2)
    assert report.verdict is Verdict.DIFFERS
    assert outcomes(report) == {
        b"bar/bar": Outcome.MISSING_FROM_SOURCE,
        b"bar/foo": Outcome.MISMATCH,
    }


@pytest.mark.parametrize("parts", [(), (4, 4, 2), (4, 5, 1), (10,), (1,) * 10])
def test_damage_is_found_whatever_the_parts_were(
    scene: Scene, parts: tuple[int, ...]
) -> None:
    """Intact is a match; flipped, cut and extended are mismatches."""
    scene.both("file", b"0123456789", parts)
    assert scene.verify().verdict is Verdict.VERIFIED

    for damaged in (b"0123456788", b"012345678", b"0123456789x", b""):
        scene.on_disk("file", damaged)
        assert outcomes(scene.verify()) == {b"file": Outcome.MISMATCH}


def test_two_files_that_changed_places_are_both_found(scene: Scene) -> None:
    """Same sizes, each the content of the other."""
    scene.both("one", b"1111")
    scene.both("two", b"2222")
    scene.on_disk("one", b"2222")
    scene.on_disk("two", b"1111")

    assert set(outcomes(scene.verify()).values()) == {Outcome.MISMATCH}


def test_even_parts_cost_two_requests_and_uneven_ones_as_many_as_there_are(
    scene: Scene,
) -> None:
    """The first part's size is enough where it explains the ETag."""
    scene.both("even", bytes(1000), (100,) * 10)
    bucket = 1

    report = scene.verify()

    assert report.requests["HEAD"] - bucket == 2
    scene.both("uneven", bytes(1000), (100, 300, 600))
    scene.store.delete("bkt", "even")
    again = scene.verify(completeness=False)
    head, first, attributes, each, of_even = 1, 1, 1, 3, 1
    assert again.requests["HEAD"] - bucket == (  # each report counts its own
        head + first + attributes + each + of_even
    )


@pytest.mark.parametrize("encryption", ["aws:kms", "aws:kms:dsse"])
def test_what_cannot_be_compared_never_passes_for_good(
    scene: Scene, encryption: str
) -> None:
    """Neither match nor mismatch: the verdict is inconclusive, the reason named."""
    scene.both("fine", b"x")
    scene.on_disk("secret", b"y")
    scene.store.put("bkt", "secret", b"y", encryption=encryption)

    report = scene.verify()

    assert report.verdict is Verdict.INCONCLUSIVE
    assert outcomes(report) == {b"secret": Outcome.UNVERIFIABLE}
    assert encryption in report.findings[0].detail


def test_a_server_that_ignores_part_numbers_makes_multipart_unverifiable(
    scene: Scene,
) -> None:
    """An intact file is not called different for want of part sizes."""
    scene.both("parts", b"0123456789", (4, 6))
    scene.store.ignores_part_number = True

    report = scene.verify()

    assert outcomes(report) == {b"parts": Outcome.UNVERIFIABLE}
    assert "ignores PartNumber" in report.findings[0].detail


def test_common_part_sizes_prove_what_the_server_does_not_tell(scene: Scene) -> None:
    """A digest that fits a guess is proof; one that fits none is not a difference."""
    scene.both("parts", b"0123456789", (5, 5))
    scene.store.ignores_part_number = True
    assert scene.verify().verdict is Verdict.VERIFIED

    scene.on_disk("parts", b"0123456788")

    assert outcomes(scene.verify()) == {b"parts": Outcome.UNVERIFIABLE}


def test_a_directory_that_cannot_be_read_is_critical(scene: Scene) -> None:
    """Damage of the file system is never passed over in silence."""
    scene.both("fine", b"x")
    scene.both("bad/file", b"x")
    scene.tree.damaged.add(b"bkt/bad")

    report = scene.verify()

    assert outcomes(report) == {
        b"bad": Outcome.UNREADABLE,
        b"bad/file": Outcome.UNREADABLE,  # S3 lists it: what is lost has a name
    }
    assert report.verdict is Verdict.DIFFERS


def test_a_file_that_cannot_be_read_is_critical_and_the_others_go_on(
    scene: Scene,
) -> None:
    """One bad block does not end a verification."""
    scene.both("a", b"x")
    scene.both("bad", b"x")
    scene.both("z", b"x")
    scene.tree.damaged.add(b"bkt/bad")

    report = scene.verify()

    assert outcomes(report) == {b"bad": Outcome.UNREADABLE}
    assert report.findings[0].place_bytes is None
    scene.tree.places[b"bkt/bad"] = 4096
    assert scene.verify().findings[0].place_bytes == 4096
    assert report.tally[Outcome.MATCH] == 2
    assert (report.tally.assertions.run, report.tally.assertions.failed) == (6, 1)


def test_links_are_not_looked_at_and_are_told(scene: Scene) -> None:
    """A warning counts them, and names the first."""
    scene.both("a", b"x")
    scene.tree.links.add(b"bkt/link")

    report = scene.verify()
    scene.tree.links |= {b"bkt/l%d" % number for number in range(6)}
    more = scene.verify()

    assert report.verdict is more.verdict is Verdict.VERIFIED
    assert report.warnings[0] == (
        "1 entry is a link or special file, which no export makes; "
        "it was not looked at: /bkt/link"
    )
    assert more.warnings[0].startswith("7 entries are links or special files, which")
    assert more.warnings[0].endswith("/bkt/l4 and 2 more")


@pytest.mark.parametrize("link", [b"bkt/d", b"bkt/d/a"])
def test_an_object_in_whose_place_a_link_is_is_missing_for_this_reason(
    scene: Scene, link: bytes
) -> None:
    """At its path, or where it needs a directory."""
    scene.both("b", b"x")
    scene.store.put("bkt", "d/a", b"y")
    scene.tree.links.add(link)

    (finding,) = scene.verify().findings

    assert finding.outcome is Outcome.MISSING_FROM_BACKUP
    assert finding.detail == (
        f"/{link.decode()} is a link or special file, which was not looked at"
    )


@pytest.mark.parametrize("key", ["up/../and-away", "a//b", "/a", "x" * 256])
def test_a_key_that_can_be_no_path_is_missing_for_a_reason(
    scene: Scene, key: str
) -> None:
    """A plain copy of the bucket lacks it: why so, and what to do."""
    scene.both("good", b"x")
    scene.store.put("bkt", key, b"y")

    (finding,) = scene.verify().findings

    assert finding.outcome is Outcome.MISSING_FROM_BACKUP
    assert finding.detail.startswith("the key has ")
    assert "it cannot be a path on a disk" in finding.detail
    assert "load-device puts it into /EXPORT-RECOVERY" in finding.detail


def test_the_recovery_directory_is_told_and_not_taken_for_data(scene: Scene) -> None:
    """Neither it nor SIGNATURE nor lost+found are extra files."""
    scene.both("a", b"x")
    for path in (b"EXPORT-RECOVERY/0000/0000", b"SIGNATURE", b"lost+found/x"):
        scene.tree.replace(TreePath(path), b"?")
    at_root = BackupLayout((Source("bkt", TreePath(b"")),), LAYOUT.recovery_directory)

    assert "/EXPORT-RECOVERY holds files" in scene.verify().warnings[0]
    scene.store.delete("bkt", "a")
    scene.store.put("bkt", "bkt/a", b"x")
    report = scene.verify(layout=at_root)
    assert report.sample.population == 1
    assert report.verdict is Verdict.VERIFIED


RECOVERY = LAYOUT.recovery_directory


@pytest.mark.parametrize("directory", [b"EXPORT-RECOVERY", b"EXPORT-RECOVERY/x"])
def test_a_file_in_a_recovery_directory_that_is_datas_too_is_counted_once(
    scene: Scene, directory: bytes
) -> None:
    """As where a bucket, or targetDirectory, is called as it, and all was recovered."""
    layout = BackupLayout((Source("bkt", TreePath(directory)),), RECOVERY)
    entries = []
    for number, key in enumerate(("a//b", "c")):
        place = f"EXPORT-RECOVERY/0000/{number:04}"
        scene.store.put("bkt", key, key.encode())
        scene.tree.replace(TreePath(place.encode()), key.encode())
        entries.append((key, place, 200, "Recovered", key.encode()))
    scene.store.put("bkt", "plain", b"x")
    scene.tree.replace(TreePath(directory + b"/plain"), b"x")

    report = scene.verify(layout=layout, log=log_of(*entries), sample_size=None)

    assert (report.sample.population, report.tally[Outcome.MATCH]) == (3, 3)
    assert (report.verdict, report.warnings) == (Verdict.VERIFIED, ())


@pytest.mark.parametrize("directory", [b"EXPORT-RECOVERY", b"EXPORT-RECOVERY/x"])
def test_plain_files_in_a_directory_called_as_the_recovery_directory_are_seen(
    scene: Scene, directory: bytes
) -> None:
    """Also those that are called as recovered ones are, where S3 has their objects."""
    layout = BackupLayout((Source("bkt", TreePath(directory)),), RECOVERY)
    for key in ("a", "dir/b", "2015/0102"):
        scene.store.put("bkt", key, key.encode())
        scene.tree.replace(TreePath(directory + b"/" + key.encode()), key.encode())

    report = scene.verify(layout=layout)

    assert (report.sample.population, report.warnings) == (3, ())
    assert report.verdict is Verdict.VERIFIED
    scene.tree.replace(TreePath(directory + b"/a"), b"A")
    assert outcomes(scene.verify(layout=layout)) == {b"a": Outcome.MISMATCH}
    del scene.tree.files[directory + b"/a"]
    assert outcomes(scene.verify(layout=layout)) == {b"a": Outcome.MISSING_FROM_BACKUP}


def test_recovered_files_among_plain_ones_are_told_where_no_log_names_them(
    scene: Scene,
) -> None:
    """They are no extra files, and nothing is said of those that were looked at."""
    layout = BackupLayout((Source("bkt", RECOVERY),), RECOVERY)
    scene.store.put("bkt", "a", b"x")
    scene.store.put("bkt", "odd//key", b"odd")
    scene.tree.replace(TreePath(RECOVERY + b"/a"), b"x")
    scene.tree.replace(TreePath(RECOVERY + b"/0000/0000"), b"odd")

    report = scene.verify(layout=layout)

    assert outcomes(report) == {b"odd//key": Outcome.UNVERIFIABLE}
    assert "/EXPORT-RECOVERY holds files" in report.warnings[0]


def test_a_disk_without_the_directory_says_what_is_there(scene: Scene) -> None:
    """The next step is to name it."""
    scene.tree.replace(TreePath(b"elsewhere/a"), b"x")

    with pytest.raises(errors.RootAbsent, match=r"/bkt.*/elsewhere") as absent:
        scene.verify()

    assert "--target-directory" in absent.value.next_step


@pytest.mark.parametrize("root", ["bkt/", "elsewhere/"])
def test_recovered_files_do_not_stand_for_a_directory_that_is_not_there(
    scene: Scene, root: str
) -> None:
    """Unless all that the log knows of was recovered."""
    place = "EXPORT-RECOVERY/0000/0000"
    scene.store.put("bkt", "odd//key", b"odd")
    scene.tree.replace(TreePath(place.encode()), b"odd")
    recovered = ("odd//key", place, 200, "Recovered", b"odd")
    assert scene.verify(log=log_of(recovered)).verdict is Verdict.VERIFIED
    scene.store.put("bkt", "a", b"x")

    with pytest.raises(errors.RootAbsent, match=r"no directory /bkt;.*/EXPORT-REC"):
        scene.verify(log=log_of(recovered, ("a", f"{root}a", 200, "OK", b"x")))


def test_a_disk_with_a_container_says_so(scene: Scene) -> None:
    """Without a password it is locked, with a wrong one refused; not called empty."""
    scene.tree.replace(TreePath(b"53TX4.tc"), b"?")
    inside = MemoryFileTree({b"bkt/a": b"x"})
    scene.containers.put("53TX4.tc", "right", inside)
    scene.store.put("bkt", "a", b"x")

    with pytest.raises(errors.ContainerLocked, match=r"53TX4\.tc"):
        scene.verify()
    assert scene.keys.asked == ["/53TX4.tc"]
    scene.keys = FixedKeys("wrong")
    with pytest.raises(errors.PasswordRefused):
        scene.verify()

    scene.keys = FixedKeys("right")
    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert report.container is not None
    assert (report.container.kind, report.container.path) == ("truecrypt", "53TX4.tc")
    assert not scene.disk.mounted
    assert scene.containers.open_now == []


def test_of_several_containers_one_must_be_chosen(scene: Scene) -> None:
    """They are named; a choice opens one."""
    for name in (b"A.tc", b"B.tc"):
        scene.tree.replace(TreePath(name), b"?")
    inside = MemoryFileTree({b"bkt/a": b"x"})
    scene.containers.put("B.tc", "pw", inside)
    scene.store.put("bkt", "a", b"x")
    scene.keys = FixedKeys("pw")

    with pytest.raises(errors.ContainerUnclear, match=r"/A\.tc, /B\.tc"):
        scene.verify()

    chosen = Opening(container=TreePath(b"B.tc"))
    assert scene.verify(opening=chosen).verdict is Verdict.VERIFIED


def test_a_container_beside_plain_files_is_not_opened(scene: Scene) -> None:
    """The backup's directory in plain sight is the backup."""
    scene.both("a", b"x")
    scene.tree.replace(TreePath(b"old.tc"), b"?")

    report = scene.verify()

    assert report.container is None
    assert scene.keys.asked == []


def test_a_device_without_a_file_system_may_be_a_container(scene: Scene) -> None:
    """Not recognised is not empty: its password is asked for."""
    scene.store.put("bkt", "a", b"x")
    scene.containers.put(DISK, "pw", MemoryFileTree({b"bkt/a": b"x"}))

    def nothing(facts: DeviceFacts, *, mounting: bool = True) -> NoReturn:
        raise errors.NoFileSystem("/dev/sdz holds no file system that is recognised")

    scene.devices.open_read_only = nothing  # type: ignore[method-assign]
    with pytest.raises(errors.ContainerLocked, match="no file system") as locked:
        scene.verify()

    scene.keys = FixedKeys("pw")
    report = scene.verify()

    assert "recognised: is it the right one? If it is enc" in locked.value.message
    assert locked.value.next_step.startswith("name the disk or image that holds")
    assert report.verdict is Verdict.VERIFIED
    assert report.container is not None
    assert report.container.path == DISK


def test_an_empty_backup_verifies_nothing(scene: Scene) -> None:
    """No files, no verdict of all well."""
    scene.tree.write(TreePath(b"bkt/sub/x"), [b""])
    del scene.tree.files[b"bkt/sub/x"]

    report = scene.verify()

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "no files" in report.statement


def test_a_sample_is_repeated_by_its_seed_and_all_means_all(scene: Scene) -> None:
    """The same seed draws the same files; None looks at every file."""
    for number in range(50):
        scene.both(f"file-{number}", b"%d" % number)

    def drawn(seed: str) -> set[bytes]:
        report = scene.verify(seed=seed, sample_size=5, all_findings=True)
        return {finding.path for finding in report.findings}

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")
    assert scene.verify(sample_size=None).sample.drawn == 50
    assert scene.verify(sample_size=5).sample.population == 50


def test_every_operation_of_a_manifest_is_looked_at(scene: Scene) -> None:
    """Two buckets, two directories; a file that no operation selects is reported."""
    scene.both("keep/a", b"x")
    scene.both("other/b", b"y")
    scene.store.put("second", "c", b"z")
    scene.tree.replace(TreePath(b"second/c"), b"z")
    layout = BackupLayout(
        (
            Source("bkt", ROOT, prefix="keep/"),
            Source("second", TreePath(b"second")),
        ),
        LAYOUT.recovery_directory,
    )

    report = scene.verify(layout=layout)

    assert report.root == b""
    assert report.tally[Outcome.MATCH] == 2
    assert outcomes(report) == {b"bkt/other/b": Outcome.MISSING_FROM_SOURCE}
    assert report.findings[0].detail == "no operation selects it"


def test_a_device_in_use_is_refused_before_s3_is_asked(scene: Scene) -> None:
    """The place where it is mounted is named."""
    scene.disk.facts = replace(scene.disk.facts, mount_points=("/media/x",))

    with pytest.raises(errors.DeviceRefused, match="/media/x"):
        scene.verify()

    assert scene.store.requests() == {}


def test_when_s3_fails_there_is_no_verdict_and_the_device_is_free(
    scene: Scene,
) -> None:
    """An error, not a report of files that are missing."""
    scene.both("a", b"x")
    service = scene.service()
    original = scene.store.check_bucket

    def then_fail(bucket: str) -> None:
        original(bucket)
        scene.store.fail_with = errors.Throttled("slow down")

    scene.store.check_bucket = then_fail  # type: ignore[method-assign]
    with pytest.raises(errors.Throttled):
        service(VerifyRequest(device=DISK, layout=LAYOUT, seed="s"), scene.keys)

    assert not scene.disk.mounted
    assert all(stage.ended for stage in scene.progress.stages)


def test_progress_counts_what_is_seen_and_what_is_compared(scene: Scene) -> None:
    """One stage for the listing, one for the walk, one for the comparing."""
    for number in range(10):
        scene.both(f"f{number}", b"x")

    scene.verify(sample_size=4)

    assert [(s.name, s.total, s.done) for s in scene.progress.stages] == [
        ("listing S3", None, 10),
        ("listing the disk", None, 10),
        ("comparing", 4, 4),
    ]
    assert scene.progress.stages[-1].done_bytes == 4


def test_a_recovery_directory_that_cannot_be_read_does_not_cost_the_report(
    scene: Scene,
) -> None:
    """It is a warning; what was verified is still told."""
    scene.both("a", b"x")
    names = scene.tree.names

    def failing(directory: TreePath) -> object:
        if directory == b"EXPORT-RECOVERY":
            raise errors.DeviceUnreadable("Input/output error")
        return names(directory)

    scene.tree.names = failing  # type: ignore[assignment,method-assign]

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert "/EXPORT-RECOVERY cannot be read: Input/output error" in report.warnings[0]


# --- changed since the export -----------------------------------------------------

EXPORTED = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = EXPORTED - timedelta(days=1)
SINCE = EXPORTED + timedelta(days=1)


def test_an_object_that_differs_and_is_newer_has_changed_since_the_export(
    scene: Scene,
) -> None:
    """What the operator says of the export's time decides what a difference means."""
    scene.on_disk("a", b"old")
    scene.store.put("bkt", "a", b"new", modified_at=SINCE)
    scene.both("same", b"x")

    changed = scene.verify(exported_at=EXPORTED)
    damaged = scene.verify(exported_at=SINCE)

    assert outcomes(changed) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    assert changed.verdict is Verdict.VERIFIED
    assert outcomes(damaged) == {b"a": Outcome.MISMATCH}
    assert damaged.verdict is Verdict.DIFFERS


def test_without_better_knowledge_the_export_was_when_the_disk_was_written(
    scene: Scene,
) -> None:
    """The newest write to any file counts, so that damage is rarely excused."""
    written = datetime(2025, 12, 1, tzinfo=UTC)
    scene.on_disk("a", b"old")
    scene.store.put("bkt", "a", b"new", modified_at=written + timedelta(seconds=1))
    for key in ("y", "z"):
        scene.on_disk(key, b"x")
        long_ago = written - timedelta(days=999)
        scene.store.put("bkt", key, b"x", modified_at=long_ago)

    def wrote(path: bytes, moment: datetime) -> None:
        scene.tree.changed_ns[path] = int(moment.timestamp()) * 10**9

    wrote(b"bkt/y", written - timedelta(days=300))
    wrote(b"bkt/z", written)
    report = scene.verify()

    assert report.exported_at is not None
    assert report.exported_at.moment == written
    assert outcomes(report) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    wrote(b"bkt/z", written + timedelta(seconds=1))
    assert outcomes(scene.verify()) == {b"a": Outcome.MISMATCH}
    scene.tree.changed_ns.clear()
    assert scene.verify().exported_at is None
    assert outcomes(scene.verify()) == {b"a": Outcome.MISMATCH}


def test_a_disk_written_in_the_future_was_not_exported_then(scene: Scene) -> None:
    """A wrong clock excuses nothing: the export was now at the latest."""
    scene.both("z", b"x")
    scene.tree.changed_ns[b"bkt/z"] = int(EXPORTED.timestamp()) * 10**9

    report = scene.verify()

    assert report.exported_at is not None
    assert report.exported_at.moment < report.finished_at < EXPORTED


def test_the_version_that_was_current_then_is_compared_instead(scene: Scene) -> None:
    """Equal to it: changed since, and the version is named. Not equal: damaged."""
    scene.store.versioned = True
    scene.store.put("bkt", "a", b"first", modified_at=BEFORE - timedelta(days=9))
    scene.store.put("bkt", "a", b"then!", modified_at=BEFORE)
    scene.store.put("bkt", "a", b"today", modified_at=SINCE)
    scene.both("fine", b"x")

    for content, outcome in (
        (b"then!", Outcome.CHANGED_SINCE_EXPORT),
        (b"today", None),
        (b"first", Outcome.MISMATCH),
        (b"thenX", Outcome.MISMATCH),
        (b"th", Outcome.MISMATCH),
    ):
        scene.on_disk("a", content)
        report = scene.verify(exported_at=EXPORTED)
        assert outcomes(report).get(b"a") is outcome, content
        if outcome:
            assert "version v2" in report.findings[0].detail


def test_a_new_object_that_is_not_on_the_disk_is_not_missing(scene: Scene) -> None:
    """It is counted, and nothing is wrong; an old one is missing."""
    scene.both("a", b"x")
    scene.store.put("bkt", "new", b"y", modified_at=SINCE)

    report = scene.verify(exported_at=EXPORTED)

    assert report.verdict is Verdict.VERIFIED
    assert report.completeness is not None
    assert (report.completeness.newer, report.completeness.missing) == (1, 0)
    assert outcomes(scene.verify(exported_at=SINCE)) == {
        b"new": Outcome.MISSING_FROM_BACKUP
    }


# --- completeness -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, None])
def test_what_is_missing_and_what_is_too_much_is_found_whatever_is_drawn(
    scene: Scene, size: int | None
) -> None:
    """Every object is looked for, every file is looked up; none is named twice."""
    for name in ("a", "b", "c", "d"):
        scene.both(name, b"x")
    scene.store.put("bkt", "sub/missing", b"1")
    scene.on_disk("sub/extra", b"2")

    report = scene.verify(sample_size=size)

    assert [(f.path, f.outcome) for f in report.findings] == [
        (b"sub/extra", Outcome.MISSING_FROM_SOURCE),
        (b"sub/missing", Outcome.MISSING_FROM_BACKUP),
    ]
    assert report.verdict is Verdict.DIFFERS
    assert report.completeness == Completeness(
        objects=5, size_bytes=5, missing=1, extra=1
    )


def test_completeness_keeps_to_the_operations(scene: Scene) -> None:
    """Prefix, beginMarker exclusive, endMarker inclusive."""
    scene.on_disk("p/b", b"x")
    scene.on_disk("p/c", b"x")
    for key in ("a", "p/a", "p/b", "p/c", "p/d", "q"):
        scene.store.put("bkt", key, b"x")
    layout = BackupLayout(
        (Source("bkt", ROOT, prefix="p/", begin_marker="p/a", end_marker="p/c"),),
        LAYOUT.recovery_directory,
    )

    report = scene.verify(layout=layout)

    assert report.verdict is Verdict.VERIFIED
    assert report.completeness is not None
    assert report.completeness.objects == 2


def test_without_completeness_nothing_is_listed(scene: Scene) -> None:
    """One request for the bucket, one for each drawn file."""
    scene.both("a", b"x")
    scene.store.put("bkt", "missing", b"1")

    report = scene.verify(completeness=False)

    assert report.requests == {"HEAD": 2}
    assert report.completeness is None
    assert report.verdict is Verdict.VERIFIED


def test_an_empty_object_named_like_a_folder_is_not_missing(scene: Scene) -> None:
    """It has no content, and no file can have its name; with content it is missing."""
    scene.both("a", b"x")
    scene.store.put("bkt", "folder/", b"")
    assert scene.verify().verdict is Verdict.VERIFIED

    scene.store.put("bkt", "folder/", b"content")

    assert outcomes(scene.verify()) == {b"folder/": Outcome.MISSING_FROM_BACKUP}


def test_of_two_objects_of_one_path_only_one_can_be_there(scene: Scene) -> None:
    """Two buckets exported to one directory: the second's object is missing."""
    scene.both("a", b"x")
    scene.store.put("second", "a", b"y")
    layout = BackupLayout(
        (Source("bkt", ROOT), Source("second", ROOT)), LAYOUT.recovery_directory
    )

    report = scene.verify(layout=layout)

    found = [(f.bucket, f.key, f.outcome) for f in report.findings]
    assert found == [("second", "a", Outcome.MISSING_FROM_BACKUP)]
    twice = BackupLayout(
        (Source("bkt", ROOT), Source("bkt", ROOT)), LAYOUT.recovery_directory
    )
    assert scene.verify(layout=twice).verdict is Verdict.VERIFIED


# --- the export log ---------------------------------------------------------------


def log_of(*entries: tuple[str, str, int, str, bytes]) -> ExportLog:
    """Return a log of key, file, status, code and content."""
    return ExportLog(
        tuple(
            LogEntry(
                at=EXPORTED,
                bucket="bkt",
                key=key,
                file=TreePath(file.encode()),
                status=status,
                code=code,
                md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
            for key, file, status, code, content in entries
        )
    )


def test_the_log_says_which_object_a_recovered_file_is(scene: Scene) -> None:
    """It is compared like any other, and missed like any other."""
    scene.both("a", b"x")
    scene.store.put("bkt", "odd//key", b"odd")
    place = "EXPORT-RECOVERY/0000/0000"
    log = log_of(("odd//key", place, 200, "Recovered", b"odd"))
    scene.tree.replace(TreePath(place.encode()), b"odd")

    assert outcomes(scene.verify()) == {b"odd//key": Outcome.UNVERIFIABLE}
    intact = scene.verify(log=log)
    assert intact.verdict is Verdict.VERIFIED
    assert intact.sample.population == 2
    assert intact.warnings == ()

    scene.tree.replace(TreePath(place.encode()), b"ODD")
    assert outcomes(scene.verify(log=log)) == {place.encode(): Outcome.MISMATCH}
    del scene.tree.files[place.encode()]
    assert outcomes(scene.verify(log=log)) == {b"odd//key": Outcome.MISSING_FROM_BACKUP}


def test_the_loaders_own_files_are_not_told_as_recovered_ones(scene: Scene) -> None:
    """Where S3EXPORT was the recovery directory: of those all are looked at."""
    layout = BackupLayout((Source("bkt", ROOT),), TreePath(b"S3EXPORT"))
    scene.both("a", b"x")
    for name in (b"place-of-the-log", b"place-of-the-rest"):
        scene.tree.replace(TreePath(b"S3EXPORT/" + name), b"?")
    assert scene.verify(layout=layout).warnings == ()

    place = "S3EXPORT/0000/0000"
    scene.store.put("bkt", "odd//key", b"odd")
    scene.tree.replace(TreePath(place.encode()), b"odd")
    assert "/S3EXPORT holds files" in scene.verify(layout=layout).warnings[0]
    log = log_of(("odd//key", place, 200, "Recovered", b"odd"))
    report = scene.verify(layout=layout, log=log)

    assert (report.verdict, report.warnings) == (Verdict.VERIFIED, ())
    assert report.sample.population == 2


def test_the_log_explains_why_a_file_is_missing(scene: Scene) -> None:
    """Its status and code are in the finding, which stays critical."""
    scene.both("a", b"x")
    scene.store.put("bkt", "big", b"y")

    report = scene.verify(log=log_of(("big", "", 103, "Ignored", b"")))

    assert outcomes(report) == {b"big": Outcome.MISSING_FROM_BACKUP}
    assert report.findings[0].detail == "the export log says 103 Ignored"


def test_what_the_log_names_was_there_when_exported(scene: Scene) -> None:
    """An object that was overwritten since is missing all the same."""
    scene.both("a", b"x")
    scene.store.put("bkt", "lost", b"new", modified_at=SINCE)

    report = scene.verify(log=log_of(("lost", "bkt/lost", 200, "OK", b"old")))

    assert outcomes(report) == {b"lost": Outcome.MISSING_FROM_BACKUP}


def test_the_logs_checksum_is_evidence_where_s3_has_none(scene: Scene) -> None:
    """As long as the object has not changed since it was written down."""
    scene.both("fine", b"x")
    scene.on_disk("kms", b"secret")
    log = log_of(("kms", "bkt/kms", 200, "OK", b"secret"))

    def put(modified_at: datetime) -> None:
        scene.store.put(
            "bkt", "kms", b"??????", encryption="aws:kms", modified_at=modified_at
        )

    put(BEFORE)
    matched = scene.verify(log=log, all_findings=True)
    assert matched.verdict is Verdict.VERIFIED
    assert matched.findings[1].evidence == "export-log"
    put(SINCE)
    assert outcomes(scene.verify(log=log)) == {b"kms": Outcome.CHANGED_SINCE_EXPORT}

    scene.on_disk("kms", b"secreT")
    assert outcomes(scene.verify(log=log)) == {b"kms": Outcome.MISMATCH}
    put(BEFORE)
    assert outcomes(scene.verify(log=log)) == {b"kms": Outcome.MISMATCH}


def test_a_checksum_of_unknown_extent_that_differs_is_told(scene: Scene) -> None:
    """It proves nothing, but is what somebody should look after."""
    scene.both("fine", b"x")
    crc = base64.b64encode(zlib.crc32(b"secret").to_bytes(4)).decode()
    scene.store.put(
        "bkt",
        "kms",
        b"secret",
        encryption="aws:kms",
        checksums=[Checksum("CRC32", crc)],
    )
    scene.on_disk("kms", b"secret")
    assert outcomes(scene.verify()) == {}

    scene.on_disk("kms", b"secreT")
    report = scene.verify()

    assert outcomes(report) == {b"kms": Outcome.UNVERIFIABLE}
    assert "the file's CRC32 is another than S3's" in report.findings[0].detail


def test_an_md5_of_the_content_before_compression_is_no_damage(scene: Scene) -> None:
    """Metadata called ``md5`` are anybody's: they prove equality, and no difference."""
    plain, packed = b"plain text", gzip.compress(b"plain text")
    for key, body, of in (("packed", packed, plain), ("plain", plain, plain)):
        scene.on_disk(key, body)
        md5 = hashlib.md5(of, usedforsecurity=False).hexdigest()
        scene.store.put("bkt", key, body, encryption="aws:kms", metadata={"md5": md5})

    report = scene.verify(all_findings=True)

    assert {f.path: (f.outcome, f.evidence) for f in report.findings} == {
        b"packed": (Outcome.UNVERIFIABLE, "none"),
        b"plain": (Outcome.MATCH, "metadata-md5"),
    }
    assert "not the uploader's claim (s4cmd)" in report.findings[0].detail


# --- evidence that is asked for ----------------------------------------------------


def test_strong_evidence_can_be_required(scene: Scene) -> None:
    """A 32-bit checksum and an uploader's claim prove nothing then."""
    md5 = base64.b64encode(hashlib.md5(b"a", usedforsecurity=False).digest()).decode()
    crc = base64.b64encode(zlib.crc32(b"a").to_bytes(4)).decode()
    for key, checksums, metadata in (
        ("crc", [Checksum("CRC32", crc, "FULL_OBJECT")], {}),
        ("claim", [], {"md5chksum": md5}),
    ):
        scene.on_disk(key, b"a")
        scene.store.put(
            "bkt", key, b"a",
            encryption="aws:kms", checksums=checksums, metadata=metadata,
        )  # fmt: skip

    found = scene.verify(all_findings=True)

    assert {f.path: f.evidence for f in found.findings} == {
        b"crc": "crc32",
        b"claim": "metadata-md5",
    }
    assert "uploader's claim" in found.findings[0].detail
    strong = scene.verify(strong=True)
    assert set(outcomes(strong).values()) == {Outcome.UNVERIFIABLE}
    assert strong.verdict is Verdict.INCONCLUSIVE


def test_a_checksum_report_settles_what_it_has_read(scene: Scene) -> None:
    """Only where S3 computed it of the content that the object has now."""
    scene.both("fine", b"x")
    scene.on_disk("kms", b"secret")
    facts = scene.store.put("bkt", "kms", b"secret", encryption="aws:kms")
    value = base64.b64encode(hashlib.sha256(b"secret").digest()).decode()
    name = ObjectName("bkt", "kms")

    def verify(etag: str) -> Report:
        return scene.verify(computed={name: Computed("SHA256", value, etag)})

    assert verify(facts.etag).verdict is Verdict.VERIFIED
    for other in ("", "0" * 32):
        assert verify(other).verdict is Verdict.INCONCLUSIVE
    scene.on_disk("kms", b"secreT")
    assert outcomes(verify(facts.etag)) == {b"kms": Outcome.MISMATCH}


def test_a_download_settles_what_metadata_cannot(scene: Scene) -> None:
    """As far as the budget goes; the objects beyond it stay unverifiable."""
    for key, content in (("a", b"aaaa"), ("b", b"bbbb"), ("c", b"cc")):
        scene.on_disk(key, content)
        scene.store.put("bkt", key, content, encryption="aws:kms")
    scene.on_disk("b", b"bbXb")

    report = scene.verify(download=True, all_findings=True)

    assert [(f.outcome, f.evidence) for f in report.findings] == [
        (Outcome.MATCH, "download"),
        (Outcome.MISMATCH, "download"),
        (Outcome.MATCH, "download"),
    ]
    assert "from byte 2 on" in report.findings[1].detail
    assert report.bytes_downloaded == 10
    little = scene.verify(download=True, download_budget=5)
    assert little.tally[Outcome.UNVERIFIABLE] > 0
    assert little.bytes_downloaded - report.bytes_downloaded <= 5
    assert "budget" in little.findings[0].detail + little.findings[-1].detail


# --- samples that grow, runs that end early ------------------------------------------


def test_as_many_are_drawn_as_the_share_asks_for(scene: Scene) -> None:
    """The population is counted first; the sample is the one of that size."""
    for number in range(400):
        scene.both(f"f{number}", b"%d" % number)

    report = scene.verify(max_differing=0.05, sample_size=None, all_findings=True)

    assert (
        report.sample.requested == report.sample.drawn == sample_size(400, 0.05, 0.95)
    )
    assert report.bound is not None
    assert report.bound.fraction <= 0.05
    plain = scene.verify(sample_size=report.sample.drawn, all_findings=True)
    assert [f.path for f in plain.findings] == [f.path for f in report.findings]


class Watched(Watch):
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.report: Report | None = None

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def unfinished(self, report: Report) -> None:
        self.report = report


def test_a_run_that_is_cut_short_reports_what_it_found(scene: Scene) -> None:
    """Never as verified; what was not looked at counts as different."""
    for number in range(10):
        scene.both(f"f{number}", b"x")
    watched = Watched()
    open_file = scene.tree.open
    opened = []

    def then_fail(path: TreePath) -> object:
        opened.append(path)
        if len(opened) > 6:
            raise KeyboardInterrupt
        return open_file(path)

    scene.tree.open = then_fail  # type: ignore[assignment,method-assign]
    request = VerifyRequest(device=DISK, layout=LAYOUT, seed="s", sample_size=8)
    with pytest.raises(KeyboardInterrupt):
        scene.service()(request, scene.keys, watched)

    report = watched.report
    assert report is not None
    assert report.verdict is Verdict.INCONCLUSIVE
    assert (report.sample.compared, report.sample.drawn) == (6, 8)
    assert report.bound == upper_bound(10, 8, 2, 0.95)
    assert "6 of 8 drawn files checked" in report.statement
    assert report.completeness is None
    assert len(report.verified) == 6


def test_a_later_run_goes_on_from_an_earlier_one(scene: Scene) -> None:
    """What was verified is not read again; what has changed since is."""
    for number in range(20):
        scene.both(f"f{number}", b"%02d" % number)
    first = scene.verify(sample_size=8)
    opened: list[bytes] = []
    open_file = scene.tree.open

    def noted(path: TreePath) -> object:
        opened.append(path)
        return open_file(path)

    scene.tree.open = noted  # type: ignore[assignment,method-assign]

    second = scene.verify(sample_size=12, earlier=earlier(first), all_findings=True)

    assert (second.sample.taken_over, second.tally[Outcome.MATCH]) == (8, 12)
    assert len(opened) == 4
    taken = [f for f in second.findings if f.detail == "verified by an earlier run"]
    scene.tree.changed_ns[b"bkt/" + taken[0].path] = 1  # written to since
    assert scene.verify(earlier=earlier(first), sample_size=8).sample.taken_over == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "other"}, "the seed was other"),
        ({"serial": "X"}, "the disk was X"),
        ({"size_bytes": 7}, "the disk's size was 7"),
        ({"root": "/elsewhere"}, "the directory was /elsewhere"),
        ({"selections": (Selection("b2", "p"),)}, "what is exported was s3://b2/p"),
        ({"service": "http://other"}, "the S3 service was http://other"),
    ],
)
def test_a_run_of_something_else_is_not_taken_over(
    scene: Scene, change: dict[str, object], said: str
) -> None:
    """Another seed, disk, directory or bucket: refused, and named."""
    scene.both("a", b"x")
    before = replace(earlier(scene.verify()), **change)  # type: ignore[arg-type]

    with pytest.raises(errors.InputRefused, match=said):
        scene.verify(earlier=before)


def test_an_object_whose_metadata_are_refused_is_unverifiable(scene: Scene) -> None:
    """S3 lists it, so it is there; one refusal does not end the run."""
    scene.both("a", b"x")
    scene.both("refused", b"same", parts=(2, 2))
    head = scene.store.head

    def refusing(bucket: str, key: str, *, version_id: str = "") -> object:
        if key == "refused":
            raise errors.PermissionMissing("s3://bkt/refused: Forbidden (403)")
        return head(bucket, key, version_id=version_id)

    scene.store.head = refusing  # type: ignore[assignment,method-assign]

    report = scene.verify()

    assert outcomes(report) == {b"refused": Outcome.UNVERIFIABLE}
    assert "403" in report.findings[0].detail
    with pytest.raises(errors.PermissionMissing):
        scene.verify(completeness=False)


@pytest.mark.parametrize("size", [None, 2])
def test_a_plain_copy_in_the_root_may_hold_names_that_are_kept(
    scene: Scene, size: int | None
) -> None:
    """What S3 has, and lies there with the same size, is no file of AWS's or ext4's."""
    layout = BackupLayout((Source("bkt", TreePath(b"")),), LAYOUT.recovery_directory)
    for key in ("SIGNATURE", "lost+found/x", "S3EXPORT/y"):
        scene.store.put("bkt", key, b"mine")
        scene.tree.replace(TreePath(key.encode()), b"mine")

    report = scene.verify(layout=layout, sample_size=size)

    assert report.verdict is Verdict.VERIFIED
    assert report.sample.population == 3
    scene.tree.replace(TreePath(b"lost+found/x"), b"hers")
    assert outcomes(scene.verify(layout=layout, sample_size=None)) == {
        b"lost+found/x": Outcome.MISMATCH
    }
    scene.tree.replace(TreePath(b"SIGNATURE"), b"version:2.0")
    assert outcomes(scene.verify(layout=layout, sample_size=None)) == {
        b"lost+found/x": Outcome.MISMATCH,
        b"SIGNATURE": Outcome.MISSING_FROM_BACKUP,
    }


def test_a_name_that_looks_like_a_containers_may_be_a_files(scene: Scene) -> None:
    """A directory is none; of a file it can be said."""
    layout = BackupLayout((Source("bkt", TreePath(b"")),), LAYOUT.recovery_directory)
    for key in ("old.tc/x", "a"):
        scene.store.put("bkt", key, b"mine")
        scene.tree.replace(TreePath(key.encode()), b"mine")
    assert scene.verify(layout=layout).verdict is Verdict.VERIFIED
    scene.store.put("bkt", "notes.tc", b"mine")
    scene.tree.replace(TreePath(b"notes.tc"), b"mine")

    with pytest.raises(errors.ContainerLocked) as locked:
        scene.verify(layout=layout)

    assert "--no-container" in locked.value.next_step
    report = scene.verify(layout=layout, opening=Opening(plain=True))
    assert report.verdict is Verdict.VERIFIED
    assert report.sample.population == 3


# --- going on from an earlier run ---------------------------------------------------


def gone_on(scene: Scene, first: Report, **wishes: object) -> Report:
    """Go on from a run, as it was asked for."""
    asked = {"sample_size": first.sample.requested, **wishes}
    return scene.verify(earlier=earlier(first), **asked)


def test_a_run_that_goes_on_still_knows_what_speaks_against_the_time(
    scene: Scene,
) -> None:
    """What it takes over is equal to newer objects, too."""
    for number in range(19):
        scene.on_disk(f"same{number}", b"x")
        scene.store.put("bkt", f"same{number}", b"x", modified_at=SINCE)
    for key in ("bad", "worse"):
        scene.on_disk(key, b"old")
        scene.store.put("bkt", key, b"new", modified_at=SINCE)
    scene.store.put("bkt", "lost", b"new", modified_at=SINCE)
    for path in scene.tree.files:
        scene.tree.changed_ns[path] = int(datetime(2015, 1, 1).timestamp()) * 10**9
    scene.clock = FixedClock(SINCE + timedelta(days=1))

    first = scene.verify(sample_size=20)
    second = gone_on(scene, first)

    assert second.sample.taken_over == first.tally[Outcome.MATCH] >= 18
    assert outcomes(second) == outcomes(first)
    assert second.verdict is first.verdict is Verdict.DIFFERS


def test_what_s3_has_now_is_compared_again_where_it_is_another_object(
    scene: Scene,
) -> None:
    """Of the same size, older, and of the same name: a version that was rolled back."""
    for key in ("a", "b", "c"):
        scene.both(key, b"now")
    first = scene.verify(sample_size=2)
    for key in ("a", "b", "c"):
        long_ago = datetime(2024, 1, 1, tzinfo=UTC)
        scene.store.put("bkt", key, b"was", modified_at=long_ago)

    second = gone_on(scene, first)

    assert second.sample.taken_over == 0
    assert second.verdict is Verdict.DIFFERS


def test_a_run_over_other_directories_is_not_gone_on_with(scene: Scene) -> None:
    """The manifest exchanges two buckets' directories; all else is as it was."""
    scene.store = MemoryObjectStore("bkt", "two")
    names = TreePath(b"x"), TreePath(b"y")
    layouts = [
        replace(LAYOUT, sources=(Source("bkt", one), Source("two", other)))
        for one, other in (names, names[::-1])
    ]
    for bucket, directory in zip(("bkt", "two"), (b"x", b"y"), strict=True):
        for number in range(4):
            body = b"%s%d" % (directory, number)
            scene.store.put(bucket, f"k{number}", body)
            scene.tree.replace(TreePath(directory + b"/k%d" % number), body)
    first = scene.verify(layout=layouts[0], sample_size=7)
    assert first.verdict is Verdict.VERIFIED

    with pytest.raises(errors.InputRefused, match="s3://two/ in /x now"):
        gone_on(scene, first, layout=layouts[1])
    assert scene.verify(layout=layouts[1]).verdict is Verdict.DIFFERS


def test_a_run_that_goes_on_draws_no_fewer_files(scene: Scene) -> None:
    """However it is said how many: what was found wrong is among them."""
    for number in range(400):
        scene.both(f"f{number:03}", b"x")
    first = scene.verify(sample_size=250)

    second = gone_on(scene, first, sample_size=100, max_differing=0.01)

    assert second.sample.requested == second.sample.drawn == 250


def test_without_a_listing_nothing_is_taken_over(scene: Scene) -> None:
    """Nothing else says that S3 still has what was verified."""
    for key in ("a", "b"):
        scene.both(key, b"x")
    first = scene.verify(sample_size=1, completeness=False)
    for key in ("a", "b"):
        scene.store.delete("bkt", key)

    second = gone_on(scene, first, sample_size=2, completeness=False)

    assert second.sample.taken_over == 0
    assert second.verdict is Verdict.INCONCLUSIVE
    assert any("--no-completeness" in warning for warning in second.warnings)


def test_what_was_recovered_and_not_looked_at_is_a_doubt_without_a_listing(
    scene: Scene,
) -> None:
    """Nobody else would miss it."""
    scene.both("a", b"x")
    scene.tree.replace(TreePath(b"EXPORT-RECOVERY/0000/0000"), b"rotten")

    assert scene.verify().verdict is Verdict.VERIFIED
    report = scene.verify(completeness=False, sample_size=None)
    assert report.verdict is Verdict.INCONCLUSIVE


# --- logs of another time ------------------------------------------------------------


def test_a_log_is_no_witness_of_an_object_that_was_written_after_it(
    scene: Scene,
) -> None:
    """Though the operator says that the export was later still."""
    scene.on_disk("a", b"old")
    scene.store.put("bkt", "a", b"new", encryption="aws:kms", modified_at=EXPORTED)
    earlier_log = log_of(("a", "bkt/a", 200, "OK", b"old"))
    entry = earlier_log.entries[0]
    stale = ExportLog((replace(entry, at=BEFORE),))
    other = ExportLog((replace(entry, etag="1" * 32),))

    for log in (stale, other):
        report = scene.verify(log=log, exported_at=SINCE)
        assert outcomes(report) == {b"a": Outcome.UNVERIFIABLE}
    assert scene.verify(log=earlier_log, exported_at=SINCE).verdict is Verdict.VERIFIED


def test_an_object_with_the_etag_of_the_log_is_no_newer(scene: Scene) -> None:
    """It was written anew as it was, which says nothing of the export's time."""
    for key in ("a", "b"):
        scene.both(key, b"x")
    scene.store.put("bkt", "a", b"x", modified_at=SINCE)
    scene.store.put("bkt", "new", b"y", modified_at=SINCE)
    entries = log_of(
        ("a", "bkt/a", 200, "OK", b"x"), ("b", "bkt/b", 200, "OK", b"x")
    ).entries
    log = ExportLog(tuple(replace(entry, etag=entry.md5) for entry in entries))

    assert scene.verify(log=log).verdict is Verdict.VERIFIED


def test_the_log_says_which_of_two_objects_a_file_is(scene: Scene) -> None:
    """Two operations write to one path, and one of the objects came later."""
    scene.store = MemoryObjectStore("bkt", "late")
    layout = replace(LAYOUT, sources=(Source("late", ROOT), Source("bkt", ROOT)))
    scene.both("k", b"good")
    scene.store.put("late", "k", b"rest", modified_at=SINCE)
    scene.on_disk("k", b"bad!")
    log = log_of(("k", "bkt/k", 200, "OK", b"good"))

    report = scene.verify(layout=layout, log=log, completeness=False)

    assert outcomes(report) == {b"k": Outcome.MISMATCH}


# --- times that cannot be true -------------------------------------------------------


def test_a_time_that_equal_files_refute_excuses_nothing(scene: Scene) -> None:
    """Files equal to newer objects say that it is wrong; the operator may insist."""
    for number in range(5):
        scene.on_disk(f"same{number}", b"x")
        scene.store.put("bkt", f"same{number}", b"x", modified_at=SINCE)
    scene.on_disk("bad", b"old")
    scene.store.put("bkt", "bad", b"new", modified_at=SINCE)
    scene.store.put("bkt", "lost", b"new", modified_at=SINCE)
    for path in scene.tree.files:
        scene.tree.changed_ns[path] = int(datetime(2015, 1, 1).timestamp()) * 10**9

    report = scene.verify()

    assert outcomes(report) == {
        b"bad": Outcome.MISMATCH,
        b"lost": Outcome.MISSING_FROM_BACKUP,
    }
    assert "--exported-at" in report.findings[0].detail
    insisted = scene.verify(exported_at=EXPORTED)
    assert outcomes(insisted) == {b"bad": Outcome.CHANGED_SINCE_EXPORT}
    log = log_of(("other", "bkt/other", 200, "OK", b"x"))
    misled = outcomes(scene.verify(log=log))
    assert misled == {**outcomes(report), b"other": Outcome.MISSING_FROM_BACKUP}


@pytest.mark.parametrize("sample", [None, 4])
def test_a_time_that_most_files_refute_is_doubted_where_it_excuses_the_missing(
    scene: Scene, sample: int | None
) -> None:
    """However many are missing, and however few are drawn."""
    for number in range(6):
        scene.on_disk(f"same{number}", b"x")
        scene.store.put("bkt", f"same{number}", b"x", modified_at=SINCE)
    for number in range(9):
        scene.store.put("bkt", f"lost{number}", b"y", modified_at=SINCE)

    report = scene.verify(exported_at=EXPORTED, sample_size=sample)

    assert report.completeness is not None
    assert report.completeness.newer == 9
    assert report.verdict is Verdict.INCONCLUSIVE
    (doubt,) = report.doubts
    assert "excuses 9 that are missing: is it right?" in doubt


def test_a_few_objects_written_anew_leave_no_doubt(scene: Scene) -> None:
    """What is missing is newer, as the operator says, and so are some equal ones."""
    for number in range(6):
        scene.both(f"old{number}", b"x")
    scene.on_disk("anew", b"x")
    scene.store.put("bkt", "anew", b"x", modified_at=SINCE)
    for number in range(3):
        scene.store.put("bkt", f"new{number}", b"y", modified_at=SINCE)

    report = scene.verify(exported_at=EXPORTED)

    assert report.verdict is Verdict.VERIFIED


@pytest.mark.parametrize("sample", [None, 4])
def test_one_file_with_the_time_of_a_newer_object_is_enough_for_a_doubt(
    scene: Scene, sample: int | None
) -> None:
    """Whoever copies an object sets its time: that file was copied after the export."""
    since = int(SINCE.timestamp()) * 10**9
    for number in range(9):
        scene.store.put("bkt", f"lost{number}", b"y", modified_at=SINCE)
    scene.on_disk("copied", b"x")
    scene.store.put("bkt", "copied", b"x", modified_at=SINCE)
    assert scene.verify(exported_at=EXPORTED).verdict is Verdict.VERIFIED
    scene.tree.changed_ns[b"bkt/copied"] = since + 1

    report = scene.verify(exported_at=EXPORTED, sample_size=sample)

    assert report.verdict is Verdict.INCONCLUSIVE
    (doubt,) = report.doubts
    assert "UTC), and 1 bears its very time; that time excuses 9 that are" in doubt


def test_what_a_sample_holds_against_the_time_stands_for_all_files(
    scene: Scene,
) -> None:
    """Less than half of the files contradict it; a third is drawn."""
    for number in range(36):
        scene.both(f"old{number}", b"x")
    for number in range(24):
        scene.on_disk(f"anew{number}", b"x")
        scene.store.put("bkt", f"anew{number}", b"x", modified_at=SINCE)
    for number in range(12):
        scene.store.put("bkt", f"lost{number}", b"y", modified_at=SINCE)

    report = scene.verify(exported_at=EXPORTED, sample_size=20, seed="1")

    assert report.verdict is Verdict.INCONCLUSIVE


def test_a_file_was_exported_before_its_own_inode_changed_last(scene: Scene) -> None:
    """A file that was written late says nothing about those written early."""
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    for name, hour in (("early", 1), ("late", 20)):
        scene.both(name, b"x")
        changed = noon.replace(hour=hour)
        scene.tree.changed_ns[b"bkt/" + name.encode()] = (
            int(changed.timestamp()) * 10**9
        )
    scene.store.put("bkt", "early", b"y", modified_at=noon)
    assert outcomes(scene.verify()) == {b"early": Outcome.CHANGED_SINCE_EXPORT}

    scene.store.put("bkt", "late", b"y", modified_at=noon)
    assert outcomes(scene.verify())[b"late"] is Outcome.MISMATCH


def test_the_operators_time_comes_before_the_logs(scene: Scene) -> None:
    """Whoever says it answers for it."""
    scene.both("fine", b"x")
    scene.on_disk("a", b"old")
    scene.store.put("bkt", "a", b"new", modified_at=SINCE)
    log = log_of(("a", "bkt/a", 200, "OK", b"old"))

    assert outcomes(scene.verify(log=log)) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    later = scene.verify(log=log, exported_at=SINCE)
    assert outcomes(later) == {b"a": Outcome.MISMATCH}


def test_times_beyond_the_calendar_are_no_times(scene: Scene) -> None:
    """A damaged inode does not end a verification."""
    scene.both("a", b"x")
    scene.tree.changed_ns[b"bkt/a"] = 10**21

    for size in (1, None):
        assert scene.verify(sample_size=size).verdict is Verdict.VERIFIED


# --- what would otherwise be lost --------------------------------------------------


def test_a_damaged_root_of_the_backup_is_told(scene: Scene) -> None:
    """The directory of an operation itself cannot be read."""
    scene.both("a", b"x")
    entries = scene.tree.entries

    def damaged(below: TreePath) -> object:
        yield from entries(below)
        yield Damaged(below, "Input/output error")

    scene.tree.entries = damaged  # type: ignore[assignment,method-assign]

    report = scene.verify(completeness=False)

    assert outcomes(report) == {b"bkt": Outcome.UNREADABLE}
    assert report.verdict is Verdict.DIFFERS
    assert "1 place could not be read: nothing is known of files there" in (
        report.statement
    )


def test_what_lies_where_nothing_can_be_read_is_not_called_found(scene: Scene) -> None:
    """The statement counts the objects; each finding says why it cannot be read."""
    scene.both("a", b"x")
    for key in ("dark/b", "dark/c"):
        scene.store.put("bkt", key, b"x")
    entries = scene.tree.entries

    def damaged(below: TreePath) -> object:
        yield from entries(below)
        yield Damaged(TreePath(b"bkt/dark"), "Permission denied")

    scene.tree.entries = damaged  # type: ignore[assignment,method-assign]

    report = scene.verify()

    assert report.completeness is not None
    assert (report.completeness.missing, report.completeness.unreadable) == (0, 2)
    assert "2 lie where the disk cannot be read" in report.statement
    assert "none is missing elsewhere" in report.statement
    details = {f.path: f.detail for f in report.findings}
    assert details[TreePath(b"dark/b")] == "/bkt/dark cannot be read: Permission denied"


def test_what_the_log_says_was_written_is_looked_for(scene: Scene) -> None:
    """Also where S3 has deleted the object since."""
    scene.both("a", b"x")
    log = log_of(("lost", "bkt/lost", 200, "OK", b"x"))

    report = scene.verify(log=log)

    assert outcomes(report) == {b"lost": Outcome.MISSING_FROM_BACKUP}
    assert report.completeness is not None
    assert report.completeness.missing == 1


def test_a_stricter_run_takes_over_nothing_from_a_laxer_one(scene: Scene) -> None:
    """Weaker proof does not become strong by being repeated."""
    scene.both("a", b"x")
    scene.both("b", b"x")
    before = earlier(scene.verify(sample_size=1))

    with pytest.raises(errors.InputRefused, match="weaker evidence"):
        scene.verify(earlier=before, strong=True)
    strict = replace(before, strong=True)
    assert scene.verify(earlier=strict, strong=True).sample.taken_over == 1


@pytest.mark.parametrize("change", ["none", "delete", "resize", "rewrite"])
def test_what_s3_has_changed_since_is_not_taken_over(scene: Scene, change: str) -> None:
    """The listing says whether the object is still the one that was equal."""
    for key in ("a", "b"):
        scene.both(key, b"x")
    first = scene.verify(sample_size=1, all_findings=True)
    key = first.findings[0].key
    if change == "delete":
        scene.store.delete("bkt", key)
    elif change != "none":
        body = b"longer" if change == "resize" else b"y"
        scene.store.put("bkt", key, body, modified_at=datetime(2026, 9, 9, tzinfo=UTC))

    report = scene.verify(earlier=earlier(first), sample_size=1)

    assert report.sample.taken_over == (change == "none")
    assert report.tally[Outcome.MATCH] == (change == "none")


def test_the_version_from_before_versions_were_kept_is_compared(scene: Scene) -> None:
    """Its id is null."""
    scene.store.put("bkt", "a", b"then!", part_sizes=(2, 3), modified_at=BEFORE)
    scene.store.versioned = True
    scene.store.put("bkt", "a", b"today", modified_at=SINCE)
    scene.both("fine", b"x")
    scene.on_disk("a", b"then!")
    good = scene.verify(exported_at=EXPORTED)
    assert outcomes(good) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    assert "version null" in good.findings[0].detail

    scene.on_disk("a", b"thenX")
    assert outcomes(scene.verify(exported_at=EXPORTED)) == {b"a": Outcome.MISMATCH}


def test_what_is_downloaded_is_the_version_of_the_export(scene: Scene) -> None:
    """An intact file is not called different because its object has changed."""
    scene.on_disk("a", b"then!")
    scene.store.versioned = True
    kms = {"encryption": "aws:kms"}
    scene.store.put("bkt", "a", b"then!", modified_at=BEFORE, **kms)  # type: ignore[arg-type]
    scene.store.put("bkt", "a", b"today", modified_at=SINCE, **kms)  # type: ignore[arg-type]

    def verify() -> dict[bytes, Outcome]:
        return outcomes(scene.verify(download=True, exported_at=EXPORTED))

    assert verify() == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    scene.on_disk("a", b"thenX")
    assert verify() == {b"a": Outcome.MISMATCH}

    scene.store.versioned = False
    scene.store.put("bkt", "a", b"today", modified_at=SINCE, **kms)  # type: ignore[arg-type]
    assert verify() == {b"a": Outcome.CHANGED_SINCE_EXPORT}


def test_an_object_in_the_way_of_another_is_not_damage(scene: Scene) -> None:
    """Of ``a`` and ``a/b`` only one can be a file; the other was recovered."""
    scene.both("a", b"x")
    scene.store.put("bkt", "a/b", b"y")
    scene.tree.replace(TreePath(b"EXPORT-RECOVERY/0000/0000"), b"y")

    report = scene.verify()

    assert outcomes(report) == {b"a/b": Outcome.UNVERIFIABLE}
    del scene.tree.files[b"EXPORT-RECOVERY/0000/0000"]
    scene.tree._directories.discard(b"EXPORT-RECOVERY/0000")
    scene.tree._directories.discard(b"EXPORT-RECOVERY")
    assert outcomes(scene.verify()) == {b"a/b": Outcome.MISSING_FROM_BACKUP}


def test_known_extra_files_are_no_matter_of_chance(scene: Scene) -> None:
    """The bound speaks of the files that S3 lists."""
    for number in range(100):
        scene.both(f"f{number}", b"x")
    for number in range(30):
        scene.on_disk(f"extra{number}", b"x")

    report = scene.verify(sample_size=60)

    extra_drawn = 60 - report.tally[Outcome.MATCH]
    assert report.bound == upper_bound(100, 60 - extra_drawn, 0, 0.95)
    assert "of those that S3 lists" in report.statement


def test_without_a_listing_a_link_or_a_lacking_directory_is_a_doubt(
    scene: Scene,
) -> None:
    """Nobody would miss what it stands for."""
    scene.both("a", b"x")
    scene.tree.links.add(b"bkt/link")
    doubtful = scene.verify(completeness=False)
    assert doubtful.verdict is Verdict.INCONCLUSIVE
    assert "/bkt/link" in doubtful.doubts[0]
    scene.tree.links.clear()
    layout = BackupLayout(
        (Source("bkt", ROOT), Source("bkt", TreePath(b"other"))),
        LAYOUT.recovery_directory,
    )
    lacking = scene.verify(completeness=False, layout=layout)
    assert lacking.verdict is Verdict.INCONCLUSIVE


def test_a_disk_that_cannot_be_released_does_not_cost_the_verdict(
    scene: Scene,
) -> None:
    """It is told as a warning."""
    scene.both("a", b"x")
    original = scene.devices.open_read_only

    @contextmanager
    def failing(facts: DeviceFacts, *, mounting: bool = True) -> Iterator[FileTree]:
        with original(facts) as tree:
            yield tree
        raise errors.DeviceFailed("umount: target is busy")

    scene.devices.open_read_only = failing  # type: ignore[method-assign]

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert "target is busy" in report.warnings[-1]


class CountingWorkers(InlineWorkers):
    """Remembers how many calls were wanted at once."""

    def __init__(self) -> None:
        self.wanted: list[int] = []

    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Generator[B, None, None]:
        self.wanted.append(at_once)
        return super().map(function, items, at_once=at_once)


@pytest.mark.parametrize(
    ("wished", "disk", "expected"),
    [(None, 1, 1), (None, 4, 4), (None, None, 2), (7, 1, 7), (1, 4, 1)],
)
def test_the_disk_says_how_many_files_are_read_at_once(
    scene: Scene, wished: int | None, disk: int | None, expected: int
) -> None:
    """Unless the operator does; two of a disk that nobody knows."""
    scene.both("file", b"x")
    scene.tree.reads_at_once = disk
    workers = CountingWorkers()
    service = scene.service()
    service = replace(service, parts=replace(service.parts, workers=workers))
    request = VerifyRequest(DISK, LAYOUT, "s", readers=wished, askers=99)

    service(request, FixedKeys())

    assert sorted(workers.wanted)[:-1] == [expected] * (len(workers.wanted) - 1)
    assert max(workers.wanted) == 99


# --- several objects of one path, several lines of one log ------------------------

TWO = BackupLayout(
    (Source("first", TreePath(b"d")), Source("second", TreePath(b"d"))),
    LAYOUT.recovery_directory,
)


@pytest.mark.parametrize("completeness", [True, False])
def test_a_file_can_be_the_second_objects_if_the_first_came_later(
    scene: Scene, completeness: bool
) -> None:
    """Equal to the second: right. Equal to neither: nobody knows whose it is."""
    scene.store = MemoryObjectStore("first", "second")
    scene.store.put("first", "x", b"newer!", modified_at=SINCE)
    scene.store.put("second", "x", b"second", modified_at=BEFORE)
    path = TreePath(b"d/x")

    def verify() -> Report:
        wishes = {"layout": TWO, "exported_at": EXPORTED, "completeness": completeness}
        return scene.verify(**wishes, sample_size=9, all_findings=True)

    scene.tree.replace(path, b"second")
    right = verify()
    assert right.verdict is Verdict.VERIFIED
    assert [(f.bucket, f.outcome) for f in right.findings] == [
        ("second", Outcome.MATCH)
    ]
    scene.tree.replace(path, b"SECOND")
    unclear = verify()
    assert unclear.verdict is Verdict.INCONCLUSIVE
    assert set(outcomes(unclear).values()) == {Outcome.UNVERIFIABLE}
    assert "s3://second/x" in unclear.findings[0].detail

    scene.store.put("first", "x", b"newer!", modified_at=BEFORE)
    found = [(f.bucket, f.outcome) for f in verify().findings]
    assert ("first", Outcome.MISMATCH) in found


def test_whose_a_file_is_that_was_not_drawn_is_not_presumed(scene: Scene) -> None:
    """The second object is not called missing while the file may be it."""
    scene.store = MemoryObjectStore("first", "second")
    scene.store.put("first", "x", b"newer!", modified_at=SINCE)
    scene.store.put("second", "x", b"second", modified_at=BEFORE)
    scene.tree.replace(TreePath(b"d/x"), b"second")
    for number in range(40):
        scene.store.put("first", f"{number}", b"y", modified_at=BEFORE)
        scene.tree.replace(TreePath(b"d/%d" % number), b"y")

    report = scene.verify(layout=TWO, exported_at=EXPORTED, sample_size=1)

    assert report.verdict is Verdict.INCONCLUSIVE
    (finding,) = report.findings  # another file was drawn
    assert (finding.bucket, finding.outcome) == ("second", Outcome.UNVERIFIABLE)
    assert "s3://first/x" in finding.detail


def test_what_sources_list_twice_is_one_object(scene: Scene) -> None:
    """Operations that overlap do not make more of what is missing."""
    scene.both("p/a", b"x")
    scene.store.put("bkt", "p/gone", b"y")
    overlapping = (Source("bkt", ROOT), Source("bkt", ROOT, prefix="p/"))

    report = scene.verify(layout=replace(LAYOUT, sources=overlapping))

    assert report.completeness
    assert (report.completeness.objects, report.completeness.missing) == (2, 1)
    assert len(report.findings) == 1


def exported_twice() -> ExportLog:
    """Return a log of one key in two places, written anew in between."""
    log = log_of(("k", "one/k", 200, "OK", b"old"), ("k", "two/k", 200, "OK", b"new"))
    old, new = (
        hashlib.md5(body, usedforsecurity=False).hexdigest()
        for body in (b"old", b"new")
    )
    first, second = log.entries
    return ExportLog((replace(first, etag=old), replace(second, etag=new)))


@pytest.mark.parametrize("since", [b"new", b"third"])
def test_the_line_of_a_file_counts_where_its_object_was_exported_twice(
    scene: Scene, since: bytes
) -> None:
    """The object was written anew between the two, and perhaps once more."""
    twice = (Source("bkt", TreePath(b"one")), Source("bkt", TreePath(b"two")))
    scene.store.put("bkt", "k", since, modified_at=SINCE)
    scene.tree.replace(TreePath(b"one/k"), b"old")
    scene.tree.replace(TreePath(b"two/k"), b"new")
    for place in (b"one/", b"two/"):
        scene.store.put("bkt", "fine", b"x")
        scene.tree.replace(TreePath(place + b"fine"), b"x")
    layout = replace(LAYOUT, sources=twice)

    good = scene.verify(layout=layout, log=exported_twice())

    assert good.verdict is Verdict.VERIFIED
    assert outcomes(good)[b"one/k"] is Outcome.CHANGED_SINCE_EXPORT
    scene.tree.replace(TreePath(b"one/k"), b"OLD")
    bad = scene.verify(layout=layout, log=exported_twice())
    assert outcomes(bad)[b"one/k"] is Outcome.MISMATCH


@pytest.mark.parametrize("known_by", ["version_id", "etag"])
def test_a_named_log_knows_which_version_was_written(
    scene: Scene, known_by: str
) -> None:
    """Though by the clock it was another; also if the version is there no more."""
    scene.store.versioned = True
    scene.store.put("bkt", "a", b"wrote", modified_at=BEFORE - timedelta(days=9))
    wrote = scene.store.versions("bkt", "a")[0].version_id
    etag = hashlib.md5(b"wrote", usedforsecurity=False).hexdigest()
    scene.store.put("bkt", "a", b"other", modified_at=BEFORE)
    scene.store.put("bkt", "a", b"today", modified_at=SINCE)
    scene.on_disk("a", b"wrote")
    (entry,) = log_of(("a", "bkt/a", 200, "OK", b"wrote")).entries
    version_id = wrote if known_by == "version_id" else ""
    log = ExportLog((replace(entry, etag=etag, version_id=version_id),))

    good = scene.verify(log=log)

    assert outcomes(good) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
    scene.on_disk("a", b"other")
    assert outcomes(scene.verify(log=log)) == {b"a": Outcome.MISMATCH}


# --- answers that do not fit together -----------------------------------------------


def test_an_object_that_is_listed_and_then_denied_is_not_called_gone(
    scene: Scene,
) -> None:
    """A server, or what stands before it, is wrong; nobody can say what is right."""
    scene.both("a", b"x")
    scene.both("parts", b"same", parts=(2, 2))
    head = scene.store.head
    there = True

    def denying(bucket: str, key: str, *, version_id: str = "") -> object:
        if key == "parts" and not there:
            scene.store.delete("bkt", "parts")
        if key == "parts":
            return None
        return head(bucket, key, version_id=version_id)

    scene.store.head = denying  # type: ignore[assignment,method-assign]

    report = scene.verify()

    assert report.verdict is Verdict.INCONCLUSIVE
    assert outcomes(report) == {b"parts": Outcome.UNVERIFIABLE}
    assert "S3 lists the object" in report.findings[0].detail
    there = False
    assert outcomes(scene.verify()) == {b"parts": Outcome.MISSING_FROM_SOURCE}


def test_an_object_that_changes_while_it_waits_for_its_download_is_unverifiable(
    scene: Scene,
) -> None:
    """The file was compared with another one: it is not called different."""
    scene.on_disk("a", b"then!")
    scene.store.put("bkt", "a", b"then!", encryption="aws:kms")
    real_open = scene.store.open

    def changing(bucket: str, key: str, **wishes: Any) -> object:
        scene.store.put("bkt", "a", b"today", encryption="aws:kms")
        return real_open(bucket, key, **wishes)

    scene.store.open = changing  # type: ignore[assignment,method-assign]

    report = scene.verify(download=True)

    assert outcomes(report) == {b"a": Outcome.UNVERIFIABLE}
    assert "changed while it waited" in report.findings[0].detail


def test_an_empty_file_of_an_empty_object_is_right(scene: Scene) -> None:
    """However it is encrypted: there is nothing that could differ."""
    scene.on_disk("empty", b"")
    scene.store.put("bkt", "empty", b"", encryption="aws:kms")

    report = scene.verify(all_findings=True)

    assert report.verdict is Verdict.VERIFIED
    assert report.findings[0].evidence == "size"
    scene.on_disk("empty", b"x")
    assert outcomes(scene.verify()) == {b"empty": Outcome.MISMATCH}


def test_without_completeness_the_bound_is_of_what_s3_lists_where_that_is_known(
    scene: Scene,
) -> None:
    """As with substitutions: and the statement says so."""
    layout = replace(
        LAYOUT, sources=(Source("bkt", ROOT, substitutions=(Substitution(":", "_"),)),)
    )
    for number in range(10):
        scene.both(f"{number}", b"x")
        scene.on_disk(f"extra{number}", b"x")

    report = scene.verify(layout=layout, completeness=False, sample_size=5)

    assert report.tally[Outcome.MISSING_FROM_SOURCE] == 10
    assert report.bound and report.bound.files < 10
    assert "of those that S3 lists" in report.statement


def test_a_run_whose_reader_has_gone_still_tells_what_it_found(scene: Scene) -> None:
    """Whoever was told the findings closed the pipe; the rest goes to the report."""
    for number in range(6):
        scene.on_disk(f"k{number}", b"x")
        scene.store.put("bkt", f"k{number}", b"y", encryption="aws:kms")
    kept: list[Report] = []

    class Gone(Watch):
        def found(self, finding: Finding) -> None:
            raise BrokenPipeError

        def noticed(self, notice: str) -> None:
            """Say nothing."""

        def unfinished(self, report: Report) -> None:
            kept.append(report)

    request = VerifyRequest(device=DISK, layout=LAYOUT, seed="s", download=True)

    with pytest.raises(BrokenPipeError):
        scene.service()(request, scene.keys, Gone())

    (report,) = kept
    assert report.cut_short
    assert len(report.findings) == 6


def test_what_was_to_be_proven_and_was_not_is_said(scene: Scene) -> None:
    """Files that S3 does not list leave fewer of the others in the sample."""
    for number in range(60):
        scene.both(f"{number}", b"x")
    reached = scene.verify(max_differing=0.05)
    for number in range(60):
        scene.on_disk(f"extra{number}", b"x")

    report = scene.verify(max_differing=0.05)

    assert report.bound and report.bound.fraction > 0.05
    (warning,) = report.warnings
    assert "at most 5% differ" in warning
    assert reached.warnings == ()


class TwoOfOnePath(Scene):
    """``first/x`` is newer than the export, ``second/x`` not; a file can be either.

    Another object and its file are right.
    """

    def __init__(self, **first: Any) -> None:
        super().__init__()
        self.store = MemoryObjectStore("first", "second")
        self.store.put("first", "x", b"newer!", modified_at=SINCE, **first)
        self.store.put("second", "x", b"second", modified_at=BEFORE)
        self.store.put("first", "fine", b"y", modified_at=BEFORE)
        self.tree.replace(TreePath(b"d/fine"), b"y")

    def of(self, body: bytes, **wishes: Any) -> dict[tuple[str, str], Outcome]:
        """Return what is said of each object, if the file is so."""
        self.tree.replace(TreePath(b"d/x"), body)
        report = self.verify(
            **{"layout": TWO, "exported_at": EXPORTED, "sample_size": 9, **wishes}
        )
        return {(f.bucket, f.key): f.outcome for f in report.findings}


@pytest.mark.parametrize("completeness", [True, False])
def test_a_download_does_not_excuse_what_can_be_another_objects(
    completeness: bool,
) -> None:
    """It is compared with the first alone, which is newer than the export."""
    scene = TwoOfOnePath()

    found = scene.of(b"SECOND", download=True, completeness=completeness)

    assert set(found.values()) == {Outcome.UNVERIFIABLE}


def test_the_second_object_is_asked_for_where_the_first_cannot_be_compared() -> None:
    """Encrypted with KMS, it is neither equal nor different."""
    scene = TwoOfOnePath(encryption="aws:kms")

    assert scene.of(b"second") == {}
    assert set(scene.of(b"SECOND").values()) == {Outcome.UNVERIFIABLE}


def test_a_second_object_that_may_not_be_asked_about_does_not_end_the_run() -> None:
    """S3 refuses so what is not there, too, to whom may not list the bucket."""
    scene = TwoOfOnePath()
    head = scene.store.head

    def refusing(bucket: str, key: str, *, version_id: str = "") -> object:
        if bucket == "second":
            raise errors.PermissionMissing("s3://second/x: Forbidden (403)")
        return head(bucket, key, version_id=version_id)

    scene.store.head = refusing  # type: ignore[assignment,method-assign]

    assert scene.of(b"newer!", completeness=False) == {}
    changed = scene.of(b"older!", completeness=False)
    assert changed == {("first", "x"): Outcome.UNVERIFIABLE}


def test_a_second_object_is_missing_where_the_file_is_the_firsts() -> None:
    """Equal to it as it is, or as it was when it was exported."""
    missing = {("second", "x"): Outcome.MISSING_FROM_BACKUP}

    assert TwoOfOnePath().of(b"newer!") == missing
    scene = TwoOfOnePath()
    scene.store.versioned = True
    scene.store.put("first", "x", b"older!", modified_at=BEFORE)
    scene.store.put("first", "x", b"today!", modified_at=SINCE)
    assert scene.of(b"older!") == {
        **missing,
        ("first", "x"): Outcome.CHANGED_SINCE_EXPORT,
    }


def test_a_second_object_is_missing_where_there_is_no_file_at_all() -> None:
    """Though operations that overlap list the first one twice."""
    scene = TwoOfOnePath()
    first, second = TWO.sources
    overlapping = replace(TWO, sources=(first, replace(first, prefix="x"), second))
    scene.of(b"")
    del scene.tree.files[b"d/x"]

    report = scene.verify(layout=overlapping, exported_at=EXPORTED)

    assert [(f.bucket, f.outcome) for f in report.findings] == [
        ("second", Outcome.MISSING_FROM_BACKUP)
    ]
    assert report.completeness and report.completeness.objects == 3


def test_a_version_that_may_not_be_read_leaves_the_logs_digest(scene: Scene) -> None:
    """Reading versions needs a permission of its own."""
    scene.both("fine", b"x")
    scene.on_disk("a", b"wrote")
    scene.store.put("bkt", "a", b"today", modified_at=SINCE)
    head = scene.store.head

    def refusing(bucket: str, key: str, *, version_id: str = "") -> object:
        if version_id:
            raise errors.PermissionMissing("s3://bkt/a: Forbidden (403)")
        return head(bucket, key)

    scene.store.head = refusing  # type: ignore[assignment,method-assign]
    (entry,) = log_of(("a", "bkt/a", 200, "OK", b"wrote")).entries
    log = ExportLog((replace(entry, version_id="v1", etag="0" * 32),))

    for completeness in (True, False):
        report = scene.verify(log=log, completeness=completeness)
        assert outcomes(report) == {b"a": Outcome.CHANGED_SINCE_EXPORT}
        assert report.verdict is Verdict.VERIFIED
