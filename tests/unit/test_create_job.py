"""The order of create-job: look, ask, and only then change anything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

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
from s3export.domain.devices import DeviceFacts
from s3export.domain.devices.preparation import DiskState, Preparation
from s3export.domain.jobs import CreatedJob, JobId, JobSummary
from s3export.domain.manifests import Manifest
from s3export.domain.ports import FileTree
from s3export.domain.services.create_job import CreateJob, DiskWishes
from s3export.domain.services.follow_jobs import FollowJobs

SIGNATURE = TreePath(b"SIGNATURE")


class Scene:
    """A service, a disk, a manifest, and the use cases over them."""

    def __init__(self) -> None:
        self.export = MemoryExportService()
        self.disk = MemoryDisk(disk_facts())
        self.devices = MemoryBlockDevices(self.disk)
        self.clock = FixedClock()
        self.create = CreateJob(self.export, self.devices, self.clock)
        self.follow = FollowJobs(self.export, self.devices, self.clock, InlineWorkers())
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
    assert job.saved.endswith("S3R1AL-1.tar.gz")
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


class Losing(MemoryExportService):
    """A service whose reply to one creation is lost; what others do is arranged.

    Attributes:
        arrives: Whether the request created a job.
        shows_after: The look at the list of jobs that shows new ones first.
        meanwhile: Manifests of which others created jobs at the same time.
        held: What the service makes of the manifest that it was sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrives = True
        self.shows_after = 0
        self.meanwhile: list[str] = []
        self.held: Callable[[str], str] = str
        self.lost: list[JobId] = []
        self.looks = 0
        self.fail_the_look: errors.AwsError | None = None
        self.creations = 0

    def create(self, manifest: str) -> CreatedJob:
        self.creations += 1
        made = [super(Losing, self).create(other) for other in self.meanwhile]
        if self.arrives:
            made.append(super().create(self.held(manifest)))
        self.lost = [job.job_id for job in made]
        raise errors.ReplyLost("the reply was lost; the job may exist")

    def jobs(self) -> Iterator[JobSummary]:
        if not self.creations:
            return super().jobs()
        self.looks += 1
        if self.fail_the_look:
            raise self.fail_the_look
        hidden = [] if self.looks > self.shows_after else self.lost
        return (job for job in super().jobs() if job.job_id not in hidden)


@pytest.fixture
def losing(scene: Scene) -> Losing:
    """The scene's service, which loses its next reply."""
    losing = Losing()
    scene.export = losing
    scene.create = CreateJob(losing, scene.devices, scene.clock)
    return losing


def windows(manifest: str) -> str:
    return "\ufeff" + manifest.replace("\n", " \r\n") + "\r\n\r\n"


@pytest.mark.parametrize("held", [str, windows])
@pytest.mark.parametrize("others", [[], [MANIFEST.replace("HD001", "HD002")]])
def test_a_job_whose_reply_was_lost_is_found_and_gone_on_with(
    scene: Scene, losing: Losing, held: Callable[[str], str], others: list[str]
) -> None:
    """By its manifest, whatever line ends it has there; a warning says so."""
    earlier = MemoryExportService.create(losing, MANIFEST)
    losing.held, losing.meanwhile = held, others

    job = scene.create.carry_out(scene.create.plan(scene.manifest, DISK))

    assert job.job_id == losing.lost[-1] != earlier.job_id
    assert "reply was lost" in job.warning and job.job_id in job.warning
    assert scene.signature() == job.signature_file.encode()
    assert losing.creations == 1


@pytest.mark.parametrize("shows_after", [0, 1, 2])
def test_a_job_may_take_some_seconds_to_be_listed(
    scene: Scene, losing: Losing, shows_after: int
) -> None:
    """It is looked for three times, within seven seconds by the clock."""
    losing.shows_after = shows_after
    plan = scene.create.plan(scene.manifest, DISK)
    before = scene.clock.now()

    job = scene.create.carry_out(plan)

    assert job.job_id == losing.lost[0]
    assert (scene.clock.now() - before).seconds >= (0, 2, 7)[shows_after]


@pytest.mark.parametrize("others", [[], [MANIFEST.replace("HD001", "HD002")]])
def test_a_job_that_is_not_found_is_not_created_again(
    scene: Scene, losing: Losing, others: list[str]
) -> None:
    """The disk stays as it is; the error says what was looked at and what to do."""
    losing.arrives, losing.meanwhile = False, others
    plan = scene.create.plan(scene.manifest, DISK)

    with pytest.raises(errors.ReplyLost, match="3 looks") as lost:
        scene.create.carry_out(plan)

    assert scene.untouched()
    assert losing.creations == 1
    assert all(job_id in lost.value.message for job_id in losing.lost)
    assert "list-jobs" in lost.value.next_step


def test_of_several_new_jobs_with_the_manifest_none_is_taken(
    scene: Scene, losing: Losing
) -> None:
    """The error names them all, and how to go on with one of them."""
    losing.meanwhile = [MANIFEST]
    plan = scene.create.plan(scene.manifest, DISK)

    with pytest.raises(errors.ReplyLost) as lost:
        scene.create.carry_out(plan)

    assert scene.untouched()
    assert all(job_id in lost.value.message for job_id in losing.lost)
    assert "update-job" in lost.value.next_step


@pytest.mark.parametrize("changes", [{"progress_code": "Expired"}, {"manifest": None}])
def test_a_new_job_that_cannot_be_the_lost_one_is_not_taken(
    scene: Scene, losing: Losing, changes: dict[str, str]
) -> None:
    """It has ended already, or AWS tells no manifest of it."""
    plan = scene.create.plan(scene.manifest, DISK)
    real = losing.status
    losing.status = lambda job_id: replace(  # type: ignore[method-assign]
        real(job_id),
        **changes,  # type: ignore[arg-type]
    )

    with pytest.raises(errors.ReplyLost, match="of other manifests, or have ended"):
        scene.create.carry_out(plan)

    assert scene.untouched()


def test_a_job_without_a_signature_is_not_signed_for(
    scene: Scene, losing: Losing
) -> None:
    """AWS tells none of the job that was found: the error names the job."""
    plan = scene.create.plan(scene.manifest, DISK)
    real = losing.status
    losing.status = lambda job_id: replace(  # type: ignore[method-assign]
        real(job_id), signature_file=""
    )

    with pytest.raises(errors.ReplyLost, match="J0001"):
        scene.create.carry_out(plan)

    assert scene.untouched()


def test_a_failure_while_looking_leaves_the_reply_lost(
    scene: Scene, losing: Losing
) -> None:
    """Nothing is written, and the error says both what was lost and what failed."""
    plan = scene.create.plan(scene.manifest, DISK)
    losing.fail_the_look = errors.Unreachable("no route")

    with pytest.raises(errors.ReplyLost, match=r"reply was lost.*no route"):
        scene.create.carry_out(plan)

    assert scene.untouched()
    assert losing.creations == 1


def test_without_a_list_of_the_jobs_there_were_none_is_created(scene: Scene) -> None:
    """A lost reply could not be found again: AWS's refusal comes first."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.export.fail_with = errors.PermissionMissing("ListJobs is not allowed")

    with pytest.raises(errors.PermissionMissing):
        scene.create.carry_out(plan)

    assert scene.untouched() and scene.jobs() == []


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("partition", DiskState.BEING_ERASED),
        ("format", DiskState.BEING_FORMATTED),
        ("mount", DiskState.FORMATTED),
    ],
)
def test_a_disk_that_fails_after_the_job_exists_says_how_far_it_came(
    scene: Scene, step: str, state: DiskState
) -> None:
    """The job, the disk, what was saved, and the one command that goes on."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.fails_at = step

    with pytest.raises(errors.DiskNotReady) as failed:
        scene.create.carry_out(plan)

    (job_id,) = scene.jobs()
    assert f"job {job_id} exists at AWS" in failed.value.message
    assert state.value in failed.value.message
    assert f"{step} failed" in failed.value.message
    assert "S3R1AL-1.tar.gz" in failed.value.message
    assert f"create-job MANIFEST {DISK} --resume {job_id}" in failed.value.next_step


@pytest.mark.parametrize("step", ["partition", "format", "mount"])
def test_the_command_that_the_error_names_goes_on(scene: Scene, step: str) -> None:
    """With the same job: the disk is ready then, and no second job was created."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.fails_at = step
    with pytest.raises(errors.DiskNotReady) as failed:
        scene.create.carry_out(plan)
    (job_id,) = scene.jobs()

    keep = "--skip-format" in failed.value.next_step
    wishes = DiskWishes(erase=not keep)
    again = scene.create.plan(scene.manifest, DISK, wishes, resume=job_id)
    job = scene.create.carry_out(again)

    assert f"go on with job {job_id}" in " ".join(again.steps())
    assert (job.job_id, scene.jobs()) == (job_id, [job_id])
    assert scene.signature() == scene.export.status(job_id).signature_file.encode()
    assert keep is (step == "mount")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"progress_code": "Canceled"}, "it is Canceled"),
        ({"progress_code": "Expired"}, "it is Expired"),
        ({"location_code": "AtAWS"}, "its device AtAWS"),
        ({"manifest": "another: manifest"}, "created with another manifest"),
    ],
)
def test_a_job_that_is_past_it_is_not_gone_on_with(
    scene: Scene, changes: dict[str, str], said: str
) -> None:
    """Ended, at AWS already, or of another manifest; the disk is left alone."""
    job_id = scene.export.create(MANIFEST).job_id
    scene.export.move(job_id, **changes)

    with pytest.raises(errors.InputRefused, match=said) as refused:
        scene.create.plan(scene.manifest, DISK, resume=job_id)

    assert job_id in refused.value.next_step
    assert scene.untouched()


def signed(scene: Scene, content: bytes) -> None:
    """Give the disk a file system with a SIGNATURE."""
    scene.disk.tree = MemoryWritableTree()
    scene.disk.tree.replace(SIGNATURE, content)


@pytest.mark.parametrize("wishes", [DiskWishes(), DiskWishes(erase=False)])
def test_another_jobs_disk_is_taken_with_a_caution(
    scene: Scene, wishes: DiskWishes
) -> None:
    """The plan names the job that would lose its disk; nothing is mounted for that."""
    other = scene.export.create(MANIFEST)
    signed(scene, other.signature_file.encode())

    class NeverMounting(MemoryBlockDevices):
        @contextmanager
        def open_read_only(
            self, facts: DeviceFacts, *, mounting: bool = True
        ) -> Iterator[FileTree]:
            assert not mounting
            with super().open_read_only(facts, mounting=mounting) as tree:
                yield tree

    create = CreateJob(scene.export, NeverMounting(scene.disk), scene.clock)
    plan = create.plan(scene.manifest, DISK, wishes)

    assert plan.disk_of == other.job_id
    (caution,) = (c for c in plan.cautions() if "SIGNATURE" in c)
    assert f"names job {other.job_id}" in caution
    assert f"get-status {other.job_id}" in caution


def test_a_backup_that_is_on_the_disk_is_named_before_it_is_erased(
    scene: Scene,
) -> None:
    """A disk that came back from AWS has no SIGNATURE any more."""
    signed(scene, b"")
    assert scene.disk.tree
    scene.disk.tree.files[b"4RA2X.tc"] = b"?"
    scene.disk.tree.files[b"other/5RA2X.tc"] = b"?"

    erased = scene.create.plan(scene.manifest, DISK)
    kept = scene.create.plan(scene.manifest, DISK, DiskWishes(erase=False))

    said = "it holds the container 4RA2X.tc, which would be lost"
    assert said in erased.cautions()
    assert kept.cautions() == ()

    scene.disk.tree.files[b"S3EXPORT/load.json"] = b"{"
    caution = " ".join(scene.create.plan(scene.manifest, DISK).cautions())
    assert "what may be a load, with a damaged /S3EXPORT/load.json" in caution


def test_a_job_that_is_gone_on_with_may_have_its_own_disk(scene: Scene) -> None:
    """Of that there is no caution, of any other job's disk there is."""
    job, other = scene.export.create(MANIFEST), scene.export.create(MANIFEST)
    signed(scene, job.signature_file.replace(job.job_id, job.job_id.lower()).encode())

    own = scene.create.plan(scene.manifest, DISK, resume=job.job_id)
    others = scene.create.plan(scene.manifest, DISK, resume=other.job_id)

    assert own.disk_of == ""
    assert not any("SIGNATURE" in caution for caution in own.cautions())
    assert others.disk_of.upper() == job.job_id


@pytest.mark.parametrize(
    "found", [b"", b"\xff\x00", b"version:2.0\n", b"jobId:\n", b"jobId:x; rm -rf /\n"]
)
def test_a_signature_that_names_no_job_is_no_caution(
    scene: Scene, found: bytes
) -> None:
    """What cannot be a job's id is not put into a command for a shell."""
    signed(scene, found)

    assert scene.create.plan(scene.manifest, DISK).disk_of == ""


def test_a_disk_that_cannot_be_read_is_planned_for(scene: Scene) -> None:
    """Whether SIGNATURE is on it is a question that a damaged disk may leave open."""

    class Damaged(MemoryBlockDevices):
        def open_read_only(
            self, facts: DeviceFacts, *, mounting: bool = True
        ) -> NoReturn:
            raise errors.DeviceFailed("an I/O error")

    create = CreateJob(scene.export, Damaged(scene.disk), scene.clock)

    assert create.plan(scene.manifest, DISK).disk_of == ""


def test_a_table_that_cannot_be_saved_is_not_destroyed(scene: Scene) -> None:
    """Before a job is created and before anything is written."""
    plan = scene.create.plan(scene.manifest, DISK)
    scene.disk.fails_at = "back up"

    with pytest.raises(errors.DeviceFailed, match="back up"):
        scene.create.carry_out(plan)

    assert scene.jobs() == []
    assert scene.untouched()


def test_an_interruption_says_how_far_the_disk_came(scene: Scene) -> None:
    """The notes name the job, the state, and how to go on."""

    class Interrupted(BaseException):
        pass

    class Interrupting(MemoryBlockDevices):
        def open_for_writing(self, facts: DeviceFacts) -> NoReturn:
            raise Interrupted

    scene.create = CreateJob(scene.export, Interrupting(scene.disk), scene.clock)
    plan = scene.create.plan(scene.manifest, DISK)

    with pytest.raises(Interrupted) as interrupted:
        scene.create.carry_out(plan)

    (job_id,) = scene.jobs()
    standing, way_on = interrupted.value.__notes__
    assert job_id in standing
    assert DiskState.FORMATTED.value in standing
    assert f"--resume {job_id} --skip-format" in way_on


def test_an_interruption_while_a_job_is_created_says_that_there_may_be_one(
    scene: Scene,
) -> None:
    """Running the same command again could create a second one."""

    class Interrupted(BaseException):
        pass

    class Interrupting(MemoryExportService):
        def create(self, manifest: str) -> CreatedJob:
            super().create(manifest)
            raise Interrupted

    scene.create = CreateJob(Interrupting(), scene.devices, scene.clock)
    plan = scene.create.plan(scene.manifest, DISK, DiskWishes(full_format=True))

    with pytest.raises(Interrupted) as interrupted:
        scene.create.carry_out(plan)

    standing, way_on = interrupted.value.__notes__
    assert "perhaps a job was created" in standing
    assert way_on.index("list-jobs") < way_on.index("run the same command again")
    assert f"create-job MANIFEST {DISK} --resume JOB --full-format" in way_on
    assert scene.untouched()


def test_the_command_to_go_on_with_is_one_for_a_shell(scene: Scene) -> None:
    """Names with spaces are quoted, and what was wished is wished again."""
    wishes = DiskWishes(whole_disk=True, full_format=True)
    plan = scene.create.plan(scene.manifest, DISK, wishes)
    plan = replace(
        plan,
        manifest_path="my manifest; x.yml",
        facts=replace(plan.facts, removable=False),
    )
    scene.disk.facts = replace(scene.disk.facts, removable=False)
    scene.disk.fails_at = "format"

    with pytest.raises(errors.DiskNotReady) as failed:
        scene.create.carry_out(plan)

    (job_id,) = scene.jobs()
    assert (
        f"s3export create-job 'my manifest; x.yml' {DISK} --resume {job_id} "
        "--whole-disk --full-format --allow-fixed-disk;"
    ) in failed.value.next_step


def test_a_kept_disk_is_not_said_to_be_empty(scene: Scene) -> None:
    """A disk whose file system was kept is as it was until SIGNATURE is written."""
    scene.devices.prepare(scene.disk.facts, Preparation("before"))
    plan = scene.create.plan(scene.manifest, DISK, DiskWishes(erase=False))
    scene.disk.fails_at = "mount"

    with pytest.raises(errors.DiskNotReady) as failed:
        scene.create.carry_out(plan)

    assert DiskState.UNTOUCHED.value in failed.value.message
    assert "--skip-format" in failed.value.next_step


def test_a_disk_can_be_one_file_system_as_a_whole(scene: Scene) -> None:
    """No partition table is made; the plan says so."""
    plan = scene.create.plan(scene.manifest, DISK, DiskWishes(whole_disk=True))

    scene.create.carry_out(plan)

    assert "on the whole disk" in " ".join(plan.steps())
    assert scene.disk.history == ["format", "mount"]


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        (DiskWishes(needed_bytes=2 << 30), "are needed"),
        (DiskWishes(allow_fixed=False), "built into this machine"),
    ],
)
def test_what_is_wished_is_judged_before_anything(
    scene: Scene, wishes: DiskWishes, said: str
) -> None:
    """A disk too small for the selection, and one that is no removable disk."""
    scene.disk.facts = replace(scene.disk.facts, removable=False)

    with pytest.raises(errors.DeviceRefused, match=said):
        scene.create.plan(scene.manifest, DISK, wishes)

    assert scene.create.plan(scene.manifest, DISK).cautions()


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
    scene.devices.prepare(scene.disk.facts, Preparation("before"))
    assert scene.disk.tree is not None
    scene.disk.tree.write(TreePath(b"keep/me"), [b"kept"])

    scene.create.carry_out(
        scene.create.plan(scene.manifest, DISK, DiskWishes(erase=False))
    )

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


def test_where_only_another_disk_helps_nothing_else_is_advised(scene: Scene) -> None:
    """To unmount what stands on the system's disk would change nothing."""
    facts = disk_facts()
    scene.disk.facts = replace(facts, mount_points=("/", "/mnt"))

    with pytest.raises(errors.DeviceRefused) as refused:
        scene.create.plan(scene.manifest, DISK)

    assert "mounted at /mnt" in refused.value.message
    assert refused.value.next_step == "choose another disk"
