"""The order of create-job: look, ask, and only then change anything."""

from dataclasses import replace

import pytest
from samples import DISK, MANIFEST, disk_facts

from s3export.adapters.memory import (
    MemoryBlockDevices,
    MemoryDisk,
    MemoryExportService,
    MemoryManifests,
)
from s3export.domain import errors
from s3export.domain.backup_layout import TreePath
from s3export.domain.jobs import JobId
from s3export.domain.manifests import Manifest
from s3export.domain.services.create_job import CreateJob
from s3export.domain.services.follow_jobs import FollowJobs

SIGNATURE = TreePath(b"SIGNATURE")


class Scene:
    """A service, a disk, a manifest, and the use cases over them."""

    def __init__(self) -> None:
        self.export = MemoryExportService()
        self.disk = MemoryDisk(disk_facts())
        self.devices = MemoryBlockDevices(self.disk)
        self.create = CreateJob(self.export, self.devices)
        self.follow = FollowJobs(self.export, self.devices)
        self.manifest: Manifest = MemoryManifests({"m": MANIFEST}).read("m").accepted()

    def jobs(self) -> list[JobId]:
        return [job.job_id for job in self.export.jobs()]

    def untouched(self) -> bool:
        return self.disk.history == [] and self.disk.tree is None

    def signature(self) -> bytes:
        assert self.disk.tree is not None
        return self.disk.tree.files[SIGNATURE]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_plan_changes_nothing_and_says_what_will_happen(scene: Scene) -> None:
    """It names the buckets, the disk, and that it is erased."""
    plan = scene.create.plan(scene.manifest, DISK)

    assert scene.untouched() and scene.jobs() == []
    text = " ".join(plan.steps())
    assert "foo-bucket" in text
    assert f"ERASE {DISK}" in text


def test_a_job_has_its_disk_prepared_and_signed(scene: Scene) -> None:
    """Partitioned, formatted, mounted; SIGNATURE is the service's, byte for byte."""
    job = scene.create.carry_out(scene.create.plan(scene.manifest, DISK))

    assert scene.disk.history == ["partition", "format", "mount"]
    assert scene.signature() == job.signature_file.encode()
    assert not scene.disk.mounted


def test_the_service_is_asked_before_the_disk_is_touched(scene: Scene) -> None:
    """A manifest that AWS refuses costs nothing."""
    scene.export.fail_with = errors.NoSuchBucket("no such bucket")

    with pytest.raises(errors.NoSuchBucket):
        scene.create.plan(scene.manifest, DISK)

    assert scene.untouched()


def test_a_job_that_is_refused_leaves_the_disk_alone(scene: Scene) -> None:
    """Also where AWS changes its mind between validating and creating."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.export.fail_with = errors.JobQuotaExceeded("50 a day")

    with pytest.raises(errors.JobQuotaExceeded):
        scene.create.carry_out(plan)

    assert scene.untouched()


def test_a_lost_reply_leaves_the_disk_alone_and_creates_no_second_job(
    scene: Scene,
) -> None:
    """A job may exist; it is not asked for again."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.export.fail_after_create = errors.ReplyLost("the reply was lost")

    with pytest.raises(errors.ReplyLost):
        scene.create.carry_out(plan)

    assert scene.untouched()
    assert len(scene.jobs()) == 1


@pytest.mark.parametrize("step", ["partition", "format", "mount"])
def test_a_disk_that_fails_after_the_job_exists_names_the_job(
    scene: Scene, step: str
) -> None:
    """The error says that it exists and how to go on."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.fails_at = step

    with pytest.raises(errors.DiskNotReady) as failed:
        scene.create.carry_out(plan)

    (job_id,) = scene.jobs()
    assert job_id in failed.value.message
    assert step in failed.value.message
    assert f"update-job {job_id}" in failed.value.next_step


def test_the_way_on_that_the_error_names_works(scene: Scene) -> None:
    """After the disk is formatted, update-job writes the job's SIGNATURE."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.fails_at = "mount"
    with pytest.raises(errors.DiskNotReady):
        scene.create.carry_out(plan)
    (job_id,) = scene.jobs()

    updated = scene.follow.update(job_id, scene.manifest, DISK)

    assert updated.signature_written
    assert scene.signature() == scene.export.status(job_id).signature_file.encode()


@pytest.mark.parametrize(
    "change", [{"serial": "ANOTHER"}, {"size_bytes": 1 << 31}, {"model": "Other"}]
)
def test_another_disk_in_its_place_is_not_written_to(
    scene: Scene, change: dict[str, object]
) -> None:
    """What was confirmed is compared with what is there; no job is created."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.facts = replace(scene.disk.facts, **change)  # type: ignore[arg-type]

    with pytest.raises(errors.DeviceChanged):
        scene.create.carry_out(plan)

    assert scene.untouched() and scene.jobs() == []


def test_a_disk_mounted_after_the_plan_is_refused(scene: Scene) -> None:
    """The facts are judged again right before the job is created."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.facts = replace(scene.disk.facts, mount_points=("/media/x",))

    with pytest.raises(errors.DeviceRefused, match="/media/x"):
        scene.create.carry_out(plan)

    assert scene.jobs() == []


def test_skipping_the_format_keeps_what_is_on_the_disk(scene: Scene) -> None:
    """Only SIGNATURE is written."""
    scene.devices.prepare(scene.disk.facts, "before")
    assert scene.disk.tree is not None
    scene.disk.tree.write(TreePath(b"keep/me"), [b"kept"])

    scene.create.carry_out(scene.create.plan(scene.manifest, DISK, skip_format=True))

    assert scene.disk.tree.files[b"keep/me"] == b"kept"
    assert SIGNATURE in scene.disk.tree.files


def test_an_update_writes_only_a_signature_that_is_not_current(scene: Scene) -> None:
    """The same manifest gives the same signature; another gives another."""
    job = scene.create.carry_out(scene.create.plan(scene.manifest, DISK))
    other = (
        MemoryManifests({"m": MANIFEST + "generator: another\n"}).read("m").accepted()
    )

    assert not scene.follow.update(job.job_id, scene.manifest, DISK).signature_written
    before = scene.signature()
    dry = scene.follow.update(job.job_id, other, DISK, dry_run=True)
    assert not dry.signature_written
    assert scene.signature() == before
    assert scene.follow.update(job.job_id, other, DISK).signature_written
    assert scene.signature() != before
