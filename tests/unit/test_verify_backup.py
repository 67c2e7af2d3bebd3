"""verify-backup over ports in memory."""

from dataclasses import replace

import pytest
from samples import DISK, disk_facts, original_example

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import (
    FixedClock,
    InlineWorkers,
    MemoryBlockDevices,
    MemoryDisk,
    MemoryObjectStore,
    MemoryScratch,
    MemoryWritableTree,
    RecordedProgress,
)
from s3export.domain import errors
from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.services.verify_backup import VerifyBackup, VerifyRequest
from s3export.domain.verification import Outcome, Report, Verdict

ROOT = TreePath(b"bkt")
LAYOUT = BackupLayout((Source("bkt", ROOT),), TreePath(b"EXPORT-RECOVERY"))


class Scene:
    """A disk and a bucket that agree, until a test changes one of them."""

    def __init__(self) -> None:
        self.tree = MemoryWritableTree()
        self.disk = MemoryDisk(disk_facts(), tree=self.tree)
        self.devices = MemoryBlockDevices(self.disk)
        self.store = MemoryObjectStore("bkt")
        self.progress = RecordedProgress()

    def both(self, key: str, body: bytes, parts: tuple[int, ...] = ()) -> None:
        self.on_disk(key, body)
        self.store.put("bkt", key, body, part_sizes=parts)

    def on_disk(self, key: str, body: bytes) -> None:
        self.tree.replace(TreePath(b"bkt/" + key.encode()), body)

    def verify(self, **wishes: object) -> Report:
        request = VerifyRequest(device=DISK, layout=LAYOUT, seed="s")
        return self.service()(replace(request, **wishes))  # type: ignore[arg-type]

    def service(self) -> VerifyBackup:
        return VerifyBackup(
            devices=self.devices,
            store=self.store,
            hashes=InstalledHashes(),
            scratch=MemoryScratch(),
            workers=InlineWorkers(),
            clock=FixedClock(),
            progress=self.progress,
            version="test",
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def outcomes(report: Report) -> dict[bytes, Outcome]:
    """Return what was found, by path."""
    return {finding.path: finding.outcome for finding in report.findings}


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
    assert again.requests["HEAD"] - report.requests["HEAD"] - bucket == (
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
    assert report.tally[Outcome.MATCH] == 2
    assert (report.tally.assertions.run, report.tally.assertions.failed) == (6, 1)


def test_links_are_not_looked_at_and_are_told(scene: Scene) -> None:
    """A warning counts them."""
    scene.both("a", b"x")
    scene.tree.links.add(b"bkt/link")

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert "1 entries are links" in report.warnings[0]


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


def test_a_disk_without_the_directory_says_what_is_there(scene: Scene) -> None:
    """The next step is to name it."""
    scene.tree.replace(TreePath(b"elsewhere/a"), b"x")

    with pytest.raises(errors.RootAbsent, match=r"/bkt.*/elsewhere") as absent:
        scene.verify()

    assert "--target-directory" in absent.value.next_step


def test_a_disk_with_a_container_says_so(scene: Scene) -> None:
    """It is not called empty or wrong."""
    scene.tree.replace(TreePath(b"53TX4.tc"), b"?")

    with pytest.raises(errors.ContainerUnsupported, match=r"53TX4\.tc"):
        scene.verify()


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
        service(VerifyRequest(device=DISK, layout=LAYOUT, seed="s"))

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
