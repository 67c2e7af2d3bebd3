"""Listing, watching, updating and cancelling jobs, with every port in memory."""

from dataclasses import replace

import pytest
from samples import DISK, MANIFEST, disk_facts

from s3export.adapters.memory import (
    FixedClock,
    InlineWorkers,
    MemoryBlockDevices,
    MemoryDisk,
    MemoryExportService,
    MemoryManifests,
    MemoryWritableTree,
)
from s3export.domain import errors
from s3export.domain.backup_layout import TreePath
from s3export.domain.jobs import JobId, JobStatus, job_named_in, same_manifest
from s3export.domain.manifests import Manifest
from s3export.domain.services.follow_jobs import (
    FollowJobs,
    JobDetails,
    JobWithoutStatus,
)
from s3export.domain.services.job_watch import NoAnswer, Observation

SIGNATURE = TreePath(b"SIGNATURE")


class Telling(MemoryExportService):
    """A service that answers each question after a job's status as it was told to.

    Attributes:
        script: Fields that change with each answer; an error is raised in its place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.script: list[dict[str, str] | errors.AwsError] = []
        self.asked = 0

    def status(self, job_id: JobId) -> JobStatus:
        self.asked += 1
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, errors.AwsError):
                raise step
            self.move(job_id, **step)
        return super().status(job_id)


class Scene:
    """A service with one job, a disk with a file system, and the use cases."""

    def __init__(self) -> None:
        self.export = Telling()
        self.disk = MemoryDisk(disk_facts(), tree=MemoryWritableTree())
        self.clock = FixedClock()
        self.follow = FollowJobs(
            self.export, MemoryBlockDevices(self.disk), self.clock, InlineWorkers()
        )
        self.job = self.export.create(MANIFEST)

    def watched(self) -> list[Observation | NoAnswer]:
        return list(self.follow.watch(self.job.job_id, 300))

    def sign(self, content: bytes) -> None:
        assert self.disk.tree is not None
        self.disk.tree.replace(SIGNATURE, content)

    def manifest(self, more: str = "") -> Manifest:
        return MemoryManifests({"m": MANIFEST + more}).read("m").accepted()


@pytest.fixture
def scene() -> Scene:
    return Scene()


STILL: dict[str, str] = {}
ARRIVED = {"location_code": "AtAWS"}
CANCELLED = {"progress_code": "Canceled"}


def test_a_watch_ends_when_nothing_can_change(scene: Scene) -> None:
    """Of looks at which nothing has changed there is no word."""
    back = {"location_code": "Returned", "progress_code": "Success"}
    scene.export.script = [STILL, STILL, ARRIVED, STILL, back]

    seen = scene.watched()

    assert [
        [change.what for change in observation.changed]
        for observation in seen
        if isinstance(observation, Observation)
    ] == [[], ["location"], ["location", "progress"]]
    assert scene.export.asked == 5


def test_a_job_that_is_final_is_looked_at_once(scene: Scene) -> None:
    """Without waiting."""
    scene.export.script = [CANCELLED]
    before = scene.clock.now()

    (seen,) = scene.watched()

    assert isinstance(seen, Observation) and seen.situation.is_final
    assert (scene.clock.now() - before).seconds < 300


def test_a_watch_waits_between_two_looks(scene: Scene) -> None:
    """As long as it was told to."""
    scene.export.script = [STILL, STILL, CANCELLED]
    before = scene.clock.now()

    scene.watched()

    assert 600 <= (scene.clock.now() - before).seconds < 630


@pytest.mark.parametrize(
    "kind", [errors.Unreachable, errors.Throttled, errors.AwsFailed]
)
def test_a_watch_goes_on_where_aws_does_not_answer(
    scene: Scene, kind: type[errors.AwsError]
) -> None:
    """It is told each time, and what changed meanwhile is told afterwards."""
    scene.export.script = [STILL, kind("no"), kind("no"), CANCELLED]

    first, *failed, last = scene.watched()

    assert [answer.error.message for answer in failed if isinstance(answer, NoAnswer)]
    assert isinstance(first, Observation) and isinstance(last, Observation)
    assert [change.after for change in last.changed] == ["Canceled"]


@pytest.mark.parametrize(
    "kind", [errors.UnknownJob, errors.CredentialsRejected, errors.PermissionMissing]
)
def test_a_refusal_ends_a_watch(scene: Scene, kind: type[errors.AwsError]) -> None:
    """Asking again would not change it."""
    scene.export.script = [STILL, kind("no")]

    with pytest.raises(kind):
        scene.watched()


def test_a_watch_begins_with_an_answer(scene: Scene) -> None:
    """An endpoint that never answered is not waited for."""
    scene.export.script = [errors.Unreachable("no route")]

    with pytest.raises(errors.Unreachable):
        scene.watched()


def test_a_job_whose_status_cannot_be_had_does_not_stop_the_others(
    scene: Scene,
) -> None:
    """It is there with the reason, in the order of the list."""
    other = scene.export.create(MANIFEST)
    scene.export.script = [errors.Throttled("slower"), STILL]

    first, second = scene.follow.details()

    assert first.summary.job_id == other.job_id
    assert isinstance(first, JobWithoutStatus) and first.error.message == "slower"
    assert isinstance(second, JobDetails) and second.status.progress_code == "Pending"


def test_an_update_shows_what_it_changes(scene: Scene) -> None:
    """Also if it is only tried; the PIN is hidden."""
    manifest = scene.manifest("generator: another\n")

    dry = scene.follow.update(scene.job.job_id, manifest, dry_run=True)
    done = scene.follow.update(scene.job.job_id, manifest)
    again = scene.follow.update(scene.job.job_id, manifest)

    assert dry.difference == done.difference
    assert "+generator: another" in done.difference
    assert again.difference == ()
    assert not any("0123" in line for line in done.difference)


@pytest.mark.parametrize("dry_run", [True, False])
def test_another_jobs_disk_is_refused_before_the_update(
    scene: Scene, dry_run: bool
) -> None:
    """Its SIGNATURE names the other job; neither job nor disk changes."""
    other = scene.export.create(MANIFEST)
    scene.sign(other.signature_file.encode())
    manifest = scene.manifest("generator: another\n")

    with pytest.raises(errors.DeviceRefused, match=other.job_id) as refused:
        scene.follow.update(scene.job.job_id, manifest, DISK, dry_run=dry_run)

    assert "SIGNATURE" in refused.value.next_step
    assert scene.export.status(scene.job.job_id).manifest == MANIFEST
    assert scene.disk.tree is not None
    assert scene.disk.tree.files[SIGNATURE] == other.signature_file.encode()


@pytest.mark.parametrize("found", [b"", b"\xff\x00", b"version:2.0\n", None])
def test_a_signature_that_names_no_job_is_replaced(
    scene: Scene, found: bytes | None
) -> None:
    """It is damaged, or somebody else's file: the disk is nobody's."""
    if found is not None:
        scene.sign(found)

    updated = scene.follow.update(scene.job.job_id, scene.manifest(), DISK)

    assert updated.signature_written
    assert scene.disk.tree is not None
    assert scene.disk.tree.files[SIGNATURE] == scene.job.signature_file.encode()


def test_no_empty_signature_is_written(scene: Scene) -> None:
    """AWS's answer holds none: the disk keeps what it has."""
    scene.sign(scene.job.signature_file.encode())
    scene.export.script = [STILL, {"signature_file": ""}]

    with pytest.raises(errors.AwsFailed, match="no signature"):
        scene.follow.update(scene.job.job_id, scene.manifest(), DISK)

    assert scene.disk.tree is not None
    assert scene.disk.tree.files[SIGNATURE] == scene.job.signature_file.encode()


def test_an_update_without_a_disk_says_that_the_signature_changed(scene: Scene) -> None:
    """Another manifest has another signature: the disk, elsewhere, has the old one."""
    job_id, other = scene.job.job_id, scene.manifest("generator: another\n")

    assert not scene.follow.update(job_id, scene.manifest()).signature_outdated
    assert not scene.follow.update(job_id, other, dry_run=True).signature_outdated
    assert scene.follow.update(job_id, other).signature_outdated
    assert not scene.follow.update(job_id, scene.manifest(), DISK).signature_outdated


def test_a_signature_that_cannot_be_asked_for_counts_as_changed(scene: Scene) -> None:
    """The job was updated all the same, and that is said."""
    other = scene.manifest("generator: another\n")
    scene.export.script = [STILL, errors.Unreachable("no route")]

    updated = scene.follow.update(scene.job.job_id, other)

    assert updated.signature_outdated and not updated.signature_written
    assert scene.export.status(scene.job.job_id).manifest == other.text


ENDS = {
    "Canceled": errors.JobCancelled,
    "Expired": errors.JobExpired,
    "Success": None,
    "SuccessWithErrors": None,
    "DeviceError": None,
    "MissingSignature": None,
}


@pytest.mark.parametrize("progress", ENDS)
def test_a_job_that_has_ended_is_explained(scene: Scene, progress: str) -> None:
    """Updating and cancelling say how it ended and what to do, before AWS is asked."""
    scene.export.move(scene.job.job_id, progress_code=progress)
    job_id = scene.job.job_id

    with pytest.raises(ENDS[progress] or errors.JobNotUpdatable) as not_updated:
        scene.follow.update(job_id, scene.manifest())
    with pytest.raises(ENDS[progress] or errors.JobNotCancellable) as not_cancelled:
        scene.follow.cancel(job_id)
    with pytest.raises(ENDS[progress] or errors.JobNotCancellable):
        scene.follow.cancellable(job_id)

    for refused in (not_updated.value, not_cancelled.value):
        assert f"job {job_id} cannot be" in refused.message
        assert "any more: AWS has not received the disk" in refused.message
        assert refused.next_step


def test_whether_a_job_under_way_can_be_cancelled_aws_is_asked(scene: Scene) -> None:
    """Its refusal is told with how the job stands."""
    scene.export.move(
        scene.job.job_id, location_code="AtAWS", progress_code="InProgress"
    )

    assert scene.follow.cancellable(scene.job.job_id).progress_code == "InProgress"
    with pytest.raises(errors.JobNotCancellable, match="has started") as refused:
        scene.follow.cancel(scene.job.job_id)

    assert "the transfer is under way" in refused.value.message


def test_a_pending_job_is_cancelled(scene: Scene) -> None:
    """AWS lists it as cancelled."""
    scene.follow.cancel(scene.job.job_id)

    assert next(scene.follow.jobs()).cancelled


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"version:2.0\nsigningMethod:x\njobId:53TX4\nsignature:y\n", "53TX4"),
        (b"version:2.0\r\nJobID : 53TX4\r\n", "53TX4"),
        (b"\xef\xbb\xbfjobId:53TX4", "53TX4"),
        (b"signature:jobId:53TX4\n", ""),
        (b"", ""),
    ],
)
def test_a_signature_file_names_its_job(content: bytes, named: str) -> None:
    """In the line that begins with ``jobId``."""
    assert job_named_in(content) == named


def test_what_a_transport_changes_makes_no_other_manifest() -> None:
    """Byte order mark, line ends and blanks at the ends of lines do not count."""
    assert same_manifest("a: b\nc: d\n", "\ufeffa: b \r\nc: d\t\r\n\r\n")
    assert same_manifest("a: b\rc: d", "a: b\nc: d")
    assert not same_manifest("a: b\n", "a: c\n")
    assert not same_manifest("a:\n  b: c\n", "a:\nb: c\n")


def test_a_watched_job_keeps_the_status_that_was_seen_last(scene: Scene) -> None:
    """Words that change without a code do not make it change again."""
    scene.export.script = [STILL, {"location_message": "elsewhere"}, CANCELLED]

    first, last = scene.watched()

    assert isinstance(first, Observation) and isinstance(last, Observation)
    assert last.status == replace(
        first.status, location_message="elsewhere", progress_code="Canceled"
    )
