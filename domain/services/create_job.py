"""Create an export job, and prepare the disk that belongs to it.

Two halves: `CreateJob.plan` looks and asks and changes nothing anywhere;
`CreateJob.carry_out` creates the job and then writes to the disk. A dry run is the
first half alone. What was left half done is gone on with: the same two halves, for a
job that exists.
"""

import shlex
from dataclasses import dataclass, replace
from typing import NoReturn

from s3export.domain.devices import DeviceFacts, DeviceKind, cautions
from s3export.domain.devices.preparation import DiskState, Preparation
from s3export.domain.errors import (
    AwsFailed,
    DeviceError,
    DeviceUnreadable,
    DiskFull,
    DiskNotReady,
    InputRefused,
    Problem,
    S3ExportError,
)
from s3export.domain.job_states import has_ended
from s3export.domain.jobs import (
    NOT_RECEIVED,
    SIGNATURE_FILE_NAME,
    CreatedJob,
    JobId,
    JobStatus,
    same_manifest,
)
from s3export.domain.manifests import Manifest
from s3export.domain.ports import BlockDevices, Clock, ExportService
from s3export.domain.services.new_job import NewJob
from s3export.domain.services.ready_disk import (
    ReadyDisk,
    held_on,
    refuse_unsafe,
)

FILE_SYSTEM_LABEL = "s3export"


@dataclass(frozen=True)
class DiskWishes:
    """How a disk is to be taken.

    Attributes:
        erase: Partition and format it; False keeps what is on it.
        whole_disk: A file system without a partition table around it.
        full_format: Write all of the file system's tables now.
        allow_fixed: Take a disk that is built into this machine, too.
        needed_bytes: What must fit on it; 0 where that is not known.

    """

    erase: bool = True
    whole_disk: bool = False
    full_format: bool = False
    allow_fixed: bool = True
    needed_bytes: int = 0


AS_USUAL = DiskWishes()


@dataclass(frozen=True)
class CreateJobPlan:
    """What is about to happen, for the operator to read and confirm.

    Attributes:
        job: The job that is gone on with; ``None`` for a new one.
        service_warning: What AWS finds odd about the manifest; may be empty.
        remarks: What we find odd about it: warnings and hints.
        manifest_path: What the operator calls the manifest; for messages.
        disk_of: Another job that SIGNATURE on the disk names; empty for none.
        holds: The backups that are on the disk.

    """

    manifest: Manifest
    facts: DeviceFacts
    wishes: DiskWishes = AS_USUAL
    job: JobStatus | None = None
    service_warning: str = ""
    remarks: tuple[Problem, ...] = ()
    manifest_path: str = "MANIFEST"
    disk_of: str = ""
    holds: tuple[str, ...] = ()

    @property
    def erase(self) -> bool:
        """Whether the disk will be erased."""
        return self.wishes.erase

    def steps(self) -> tuple[str, ...]:
        """Return the steps in order, one line each."""
        buckets = ", ".join(dict.fromkeys(o.bucket for o in self.manifest.operations))
        disk = self.facts.path
        first = f"create an export job at AWS for {buckets}"
        if self.job:
            first = f"go on with job {self.job.job_id}, which exports {buckets}"
        return (*self._saving(), first, *self._erasing(), self._signing(disk))

    def cautions(self) -> tuple[str, ...]:
        """Return what to consider before anything is lost."""
        others: tuple[str, ...] = ()
        if self.disk_of:
            others = (
                f"{SIGNATURE_FILE_NAME} on it names job {self.disk_of}, which would be "
                "left without its disk (how that job stands: s3export get-status "
                f"{self.disk_of})",
            )
        if not self.erase:
            return others
        held = tuple(f"it holds {one}, which would be lost" for one in self.holds)
        return others + held + cautions(self.facts)

    def _saving(self) -> tuple[str, ...]:
        if not self.erase:
            return ()
        return (f"save the partition table and the headers of {self.facts.path}",)

    def _erasing(self) -> tuple[str, ...]:
        disk = self.facts.path
        if not self.erase:
            return (f"keep the file system on {disk}",)
        if self.facts.kind is DeviceKind.PARTITION:
            return (f"ERASE {disk}: make an ext4 file system on the partition",)
        if self.wishes.whole_disk:
            return (f"ERASE {disk}: make an ext4 file system on the whole disk",)
        return (f"ERASE {disk}: new partition table (GPT), one ext4 partition",)

    def _signing(self, disk: str) -> str:
        return f"write {SIGNATURE_FILE_NAME} to {disk} and read it back"


@dataclass(frozen=True)
class CreateJob:
    """The use case; see the module."""

    export: ExportService
    devices: BlockDevices
    clock: Clock

    def plan(
        self,
        manifest: Manifest,
        device: str,
        wishes: DiskWishes = AS_USUAL,
        *,
        resume: JobId | None = None,
    ) -> CreateJobPlan:
        """Look at the device, judge it, and let AWS validate the manifest.

        Changes nothing, neither on the device nor at AWS.

        Args:
            resume: Go on with this job, whose disk is not ready.

        Raises:
            DeviceRefused: Writing to the device would be unsafe; every reason is named.
            InputRefused: The job to go on with is not one of this manifest, or has
                come too far.
            AwsError: AWS refuses the manifest, does not know the job, or cannot be
                reached.

        """
        facts = self.devices.inspect(device)
        _judge(facts, wishes)
        held = held_on(self.devices, facts)
        if resume is None:
            warning = self.export.validate(manifest.text)
            return CreateJobPlan(
                manifest,
                facts,
                wishes,
                service_warning=warning,
                disk_of=held.job,
                holds=held.backups,
            )
        job = self.export.status(resume)
        _refuse_other(job, manifest)
        other = held.job
        if other.lower() == resume.lower():
            other = ""
        return CreateJobPlan(
            manifest, facts, wishes, job, disk_of=other, holds=held.backups
        )

    def carry_out(self, plan: CreateJobPlan) -> CreatedJob:
        """Create the job, unless there is one, then prepare the disk.

        If the reply to the creation is lost, the job is looked for among those that
        were not there before; a second one is never created. The job that holds this
        manifest, if there is exactly one, is gone on with, and its warning says so.

        Raises:
            DeviceChanged, DeviceRefused: The device is not what was judged any more.
                No job was created, nothing was written.
            DeviceUnreadable: The file system to be kept is not there. As before.
            FileRefused: The old partition table cannot be saved. As before.
            AwsError: No job was created. Nothing was written to the device.
            ReplyLost: Perhaps a job was created; the message says what was looked at.
                Nothing was written to the device.
            DiskNotReady: The job exists; the message says its id, what is on the disk,
                and the one command that goes on.

        """
        with self.devices.hold(plan.facts) as facts:
            _judge(facts, plan.wishes)
            if not plan.erase:
                self.devices.check_writable(facts)
                with self.devices.open_read_only(facts):
                    pass  # there is a file system to write to
            saved = self.devices.back_up(facts) if plan.erase else ""
            disk = ReadyDisk(self.devices, facts)
            job = self._job(plan)
            try:
                if plan.erase:
                    disk.prepare(_preparation(plan.wishes))
                disk.sign(job.signature_file)
            except DeviceError as error:
                _not_ready(plan, job.job_id, disk.state, saved, error)
            except BaseException as interruption:
                interruption.add_note(_standing(plan, job.job_id, disk.state, saved))
                interruption.add_note(_way_on(plan, job.job_id, disk.state, None))
                raise
        return replace(job, saved=saved)

    def _job(self, plan: CreateJobPlan) -> CreatedJob:
        if plan.job is None:
            try:
                return NewJob(self.export, self.clock).create(plan.manifest.text)
            except S3ExportError:
                raise
            except BaseException as interruption:
                interruption.add_note(
                    "perhaps a job was created at AWS; nothing was changed on "
                    f"{plan.facts.path}"
                )
                interruption.add_note(
                    "look for a new job with: s3export list-jobs; if there is one, go "
                    f"on with it: {_command(plan, '--resume', 'JOB')}; if there is "
                    "none, run the same command again"
                )
                raise
        if not plan.job.signature_file:
            raise AwsFailed(f"AWS tells no signature of job {plan.job.job_id}")
        return CreatedJob(plan.job.job_id, plan.job.signature_file)


def _judge(facts: DeviceFacts, wishes: DiskWishes) -> None:
    refuse_unsafe(
        facts, allow_fixed=wishes.allow_fixed, needed_bytes=wishes.needed_bytes
    )


def _preparation(wishes: DiskWishes) -> Preparation:
    return Preparation(
        FILE_SYSTEM_LABEL, whole_disk=wishes.whole_disk, full=wishes.full_format
    )


def _refuse_other(job: JobStatus, manifest: Manifest) -> None:
    if has_ended(job) or job.location_code != NOT_RECEIVED:
        raise InputRefused(
            f"job {job.job_id} cannot be gone on with: it is {job.progress_code}, and "
            f"its device {job.location_code}",
            next_step=f"see what that means: s3export get-status {job.job_id}",
        )
    if job.manifest is None or not same_manifest(job.manifest, manifest.text):
        raise InputRefused(
            f"job {job.job_id} was created with another manifest",
            next_step="take the manifest that it was created with, or replace it: "
            f"s3export update-job {job.job_id} MANIFEST",
        )


def _not_ready(
    plan: CreateJobPlan,
    job_id: JobId,
    state: DiskState,
    saved: str,
    error: DeviceError,
) -> NoReturn:
    raise DiskNotReady(
        f"{_standing(plan, job_id, state, saved)}: {error.message}",
        next_step=_way_on(plan, job_id, state, error),
    ) from error


def _standing(plan: CreateJobPlan, job_id: JobId, state: DiskState, saved: str) -> str:
    disk = plan.facts.path
    said = f"job {job_id} exists at AWS, but {disk} is not ready: {state.value}"
    if saved and state is not DiskState.UNTOUCHED:
        said += (
            "; the partition table and headers that it had before this run are in "
            f"{saved}"
        )
    return said


def _way_on(
    plan: CreateJobPlan, job_id: JobId, state: DiskState, error: DeviceError | None
) -> str:
    """Say what leads to a ready disk: what the error names first, then one command."""
    first = f"{error.next_step}; then " if error and error.next_step else ""
    has_file_system = state in (DiskState.FORMATTED, DiskState.BEING_SIGNED)
    unusable = isinstance(error, DeviceUnreadable | DiskFull)
    kept = " --skip-format" if plan.erase and has_file_system and not unusable else ""
    command = _command(plan, "--resume", job_id) + kept
    other = "; with another disk leave out --skip-format" if kept else ""
    return (
        f"{first}go on with this disk or another one: {command}{other}; or give the "
        f"job up: s3export cancel-job {job_id}"
    )


def _command(plan: CreateJobPlan, *options: str) -> str:
    """Return the command line of a plan, for a shell."""
    wishes = plan.wishes
    words = ["s3export", "create-job", plan.manifest_path, plan.facts.path, *options]
    if not wishes.erase:
        words.append("--skip-format")
    if wishes.whole_disk:
        words.append("--whole-disk")
    if wishes.full_format:
        words.append("--full-format")
    if plan.facts.is_fixed:
        words.append("--allow-fixed-disk")
    return shlex.join(words)
