"""What S3 says of a manifest, before a disk is sent for it."""

from collections.abc import Sequence

import pytest
from samples import MANIFEST, checked

from s3export.adapters.memory import (
    MemoryExportService,
    MemoryObjectStore,
    RecordedProgress,
)
from s3export.domain.disk_filling import DiskShare
from s3export.domain.errors import PermissionMissing, Problem, Unreachable
from s3export.domain.evidence import ObjectFacts
from s3export.domain.services.survey_selection import (
    Selected,
    Survey,
    SurveySelection,
)

SOUND = MANIFEST.replace("pinCode: 0123", "pinCode: '58201937'")
MIB = 1 << 20
GIB = 1 << 30


class Scene:
    """A store with the manifest's buckets, and the use case over it."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore("foo-bucket", "export-log-bucket")
        self.progress = RecordedProgress()

    def survey(
        self, text: str = SOUND, disk_bytes: int | None = None
    ) -> tuple[Sequence[Problem], Survey | None]:
        survey = SurveySelection(self.store, MemoryExportService(), self.progress)
        before = checked(text)
        after, numbers = survey(before, disk_bytes)
        return [p for p in after.problems if p not in before.problems], numbers


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    for key in ("a/1", "a/2", "b/1", "c"):
        scene.store.put("foo-bucket", key, key.encode() * 10)
    return scene


def operation(text: str) -> str:
    """Return a manifest whose operation has more fields."""
    return SOUND.replace("foo-bucket\n", f"foo-bucket\n    {text}\n")


def test_objects_and_bytes_are_counted(scene: Scene) -> None:
    """For each operation, with the region of all buckets."""
    found, survey = scene.survey()

    assert found == []
    assert survey == Survey("us-east-1", (Selected("foo-bucket", "", 4, 100),))
    assert (survey.objects, survey.size_bytes) == (4, 100)
    assert [stage.done for stage in scene.progress.stages] == [4]


@pytest.mark.parametrize(
    ("fields", "objects"),
    [
        ("prefix: a/", 2),
        ("beginMarker: a/1", 3),
        ("endMarker: b/1", 3),
        ("endMarker: b/", 2),
        ("prefix: a/\n    beginMarker: a/1", 1),
    ],
)
def test_only_what_is_selected_counts(scene: Scene, fields: str, objects: int) -> None:
    """By prefix, beginMarker (exclusive) and endMarker (inclusive)."""
    _, survey = scene.survey(operation(fields))

    assert survey is not None
    assert survey.objects == objects


def test_buckets_that_are_not_there_are_named_each(scene: Scene) -> None:
    """An exported one, and the log's, at their lines."""
    text = SOUND.replace("foo-bucket", "no-bucket").replace("export-log", "no-log")

    found, _ = scene.survey(text)

    assert [(p.rule, p.field, p.line) for p in found] == [
        ("no-such-bucket", "logBucket", 4),
        ("no-such-bucket", "operations[0].exportBucket", 9),
    ]


def test_buckets_of_several_regions_are_named(scene: Scene) -> None:
    """The one that lies elsewhere than the first."""
    scene.store.regions["export-log-bucket"] = "eu-west-1"

    found, survey = scene.survey()

    assert [(p.rule, p.field) for p in found] == [("regions", "logBucket")]
    assert "eu-west-1" in found[0].message
    assert survey is not None
    assert survey.region == ""


def test_a_log_bucket_that_cannot_be_written_to_is_named(scene: Scene) -> None:
    """Nothing is written to find out."""
    scene.store.read_only.add("export-log-bucket")

    found, _ = scene.survey()

    assert [(p.rule, p.field) for p in found] == [("permission", "logBucket")]
    assert list(scene.store.list_objects("export-log-bucket")) == []


@pytest.mark.parametrize("denied", ["region", "list_objects", "head"])
def test_what_may_not_be_asked_is_named(scene: Scene, denied: str) -> None:
    """Listing a bucket and reading of it; where it lies need not be told."""

    class Denying(MemoryObjectStore):
        def region(self, bucket: str) -> str:
            self._deny("region")
            return super().region(bucket)

        def list_objects(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
            self._deny("list_objects")
            return super().list_objects(*arguments, **more)  # type: ignore[arg-type]

        def head(self, *arguments: str, **more: str) -> ObjectFacts | None:
            self._deny("head")
            return super().head(*arguments, **more)

        def _deny(self, what: str) -> None:
            if what == denied:
                raise PermissionMissing("Access Denied")

    scene.store = Denying("foo-bucket", "export-log-bucket")
    scene.store.put("foo-bucket", "a", b"a")

    found, _ = scene.survey()

    named = [("permission", "operations[0].exportBucket")]
    assert [(p.rule, p.field) for p in found] == ([] if denied == "region" else named)


def test_a_server_that_does_not_answer_is_no_finding(scene: Scene) -> None:
    """It is an error: nothing is known then."""
    scene.store.fail_with = Unreachable("no answer")

    with pytest.raises(Unreachable):
        scene.survey()


def test_an_export_of_nothing_is_an_error(scene: Scene) -> None:
    """A single operation of several without objects is a warning."""
    found, _ = scene.survey(operation("prefix: z/"))
    assert [(p.rule, p.field) for p in found] == [("no-objects", "operations")]

    both = SOUND.replace(
        "  - exportBucket: foo-bucket\n",
        "  - exportBucket: foo-bucket\n  - exportBucket: foo-bucket\n    prefix: z/\n",
    )
    found, _ = scene.survey(both)
    assert [(p.rule, p.field) for p in found] == [("idle-operation", "operations[1]")]


def test_another_key_than_the_manifests_is_named(scene: Scene) -> None:
    """AccessKeyId must be the key that signs the request."""
    same, _ = scene.survey(SOUND + "accessKeyId: AKIAIOSFODNN7EXAMPLE\n")
    other, _ = scene.survey(SOUND + "accessKeyId: AKIAOTHEROTHEROTHER0\n")

    assert same == []
    assert [p.rule for p in other] == ["access-key-id"]


def test_a_manifest_that_selects_nothing_known_is_not_asked_about(
    scene: Scene,
) -> None:
    """There is nothing to ask S3 then."""
    found, survey = scene.survey(SOUND.replace("exportBucket", "exportBuket"))

    assert (found, survey) == ([], None)
    assert scene.store.requests() == {}


def test_what_does_not_fit_says_where_the_next_disk_begins(scene: Scene) -> None:
    """In strict order: the marker is the last key that fitted."""
    scene.store = MemoryObjectStore("foo-bucket", "export-log-bucket")
    for number in range(5):
        scene.store.put("foo-bucket", f"k{number}", bytes(30 * MIB))

    found, survey = scene.survey(disk_bytes=130 * MIB)

    assert survey is not None
    assert survey.shares == (
        DiskShare(0, "", 2, 60 * MIB),
        DiskShare(0, "k1", 2, 60 * MIB),
        DiskShare(0, "k3", 1, 30 * MIB),
    )
    (problem,) = found
    assert problem.rule == "disk-full"
    assert "3 disks" in problem.message
    assert "operations[0] with beginMarker 'k1'" in problem.advice


def test_an_object_larger_than_the_disk_is_an_error(scene: Scene) -> None:
    """It is left out of the reckoning, and named."""
    scene.store.put("foo-bucket", "b/0", bytes(120 * MIB))

    found, survey = scene.survey(disk_bytes=100 * MIB)

    assert [(p.rule, p.field) for p in found] == [("object-too-large", "operations[0]")]
    assert "'b/0'" in found[0].message
    assert survey is not None
    assert [share.objects for share in survey.shares] == [4]
    assert survey.objects == 5
    assert survey.too_large == 1


def test_a_disk_on_which_nothing_fits_is_no_disk_that_is_needed(scene: Scene) -> None:
    """All objects are too large; ten are named, the others counted at the eleventh.

    The reckoning is told once.
    """
    scene.store = MemoryObjectStore("foo-bucket", "export-log-bucket")
    for number in range(12):
        scene.store.put("foo-bucket", f"k{number:02}", bytes(MIB))

    found, survey = scene.survey(disk_bytes=4 * MIB)

    assert survey is not None
    assert (survey.objects, survey.too_large, survey.shares) == (12, 12, ())
    assert [p.rule for p in found] == ["object-too-large"] * 11
    named = [p for p in found if "the object 'k" in p.message]
    assert len(named) == 10
    assert all("fits on no disk of " in p.message for p in named)
    assert ["of 4,194,304 bytes: file system" in p.message for p in named] == [
        True,
        *[False] * 9,
    ]
    (counted,) = (p for p in found if p not in named)
    assert counted.message == "2 more objects fit on no disk of that size"


def test_objects_too_large_before_others_leave_no_empty_disk(scene: Scene) -> None:
    """The first disk that is told has something on it."""
    scene.store.put("foo-bucket", "0", bytes(120 * MIB))

    _, survey = scene.survey(disk_bytes=100 * MIB)

    assert survey is not None
    assert [share.objects for share in survey.shares] == [4]
