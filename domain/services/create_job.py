"""Create an export job, and prepare the disk that belongs to it.

Two halves: `CreateJob.plan` looks and asks and changes nothing anywhere;
`CreateJob.carry_out` creates the job and then writes to the disk. A dry run is the
first half alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import DeviceFacts, DeviceKind, refusals_to_write
from s3export.domain.errors import (
    AwsError,
    DeviceChanged,
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DiskNotReady,
    Problem,
    ReplyLost,
)
from s3export.domain.job_states import has_ended
from s3export.domain.jobs import (
    SIGNATURE_FILE_NAME,
    CreatedJob,
    JobId,
    JobStatus,
    same_manifest,
)
from s3export.domain.manifests import Manifest
from s3export.domain.ports import BlockDevices, Clock, ExportService, FileTree

FILE_SYSTEM_LABEL = "s3export"

PAUSES_SECONDS = (0, 2, 5)
"""How long to wait before each look for a job whose reply was lost."""

SIGNATURE_PATH = TreePath(SIGNATURE_FILE_NAME.encode())


@dataclass(frozen=True)
class CreateJobPlan:
    """What is about to happen, for the operator to read and confirm.

    Attributes:
        erase: The disk will be partitioned and formatted; False keeps what is on it.
        service_warning: What AWS finds odd about the manifest; may be empty.
        remarks: What we find odd about it: warnings and hints.

    """

    manifest: Manifest
    facts: DeviceFacts
    erase: bool
    service_warning: str
    remarks: tuple[Problem, ...] = ()

    def steps(self) -> tuple[str, ...]:
        """Return the steps in order, one line each."""
        buckets = ", ".join(dict.fromkeys(o.bucket for o in self.manifest.operations))
        disk = self.facts.path
        erasing: tuple[str, ...] = (f"keep the file system on {disk}",)
        if self.erase and self.facts.kind is DeviceKind.PARTITION:
            erasing = (f"ERASE {disk}: make an ext4 file system on the partition",)
        elif self.erase:
            erasing = (f"ERASE {disk}: new partition table (GPT), one ext4 partition",)
        return (
            f"create an export job at AWS for {buckets}",
            *erasing,
            f"write {SIGNATURE_FILE_NAME} to {disk} and read it back",
        )


@dataclass(frozen=True)
class CreateJob:
    """The use case; see the module."""

    export: ExportService
    devices: BlockDevices
    clock: Clock

    def plan(
        self, manifest: Manifest, device: str, *, skip_format: bool = False
    ) -> CreateJobPlan:
        """Look at the device, judge it, and let AWS validate the manifest.

        Changes nothing, neither on the device nor at AWS.

        Raises:
            DeviceRefused: Writing to the device would be unsafe; every reason is named.
            AwsError: AWS refuses the manifest or cannot be reached.

        """
        facts = self.devices.inspect(device)
        refuse_unsafe(facts)
        warning = self.export.validate(manifest.text)
        return CreateJobPlan(manifest, facts, not skip_format, warning)

    def carry_out(self, plan: CreateJobPlan) -> CreatedJob:
        """Create the job, then prepare the disk.

        If the reply to the creation is lost, the job is looked for among those that
        were not there before; a second one is never created. The job that holds this
        manifest, if there is exactly one, is gone on with, and its warning says so.

        Raises:
            DeviceChanged, DeviceRefused: The device is not what was judged any more.
                No job was created, nothing was written.
            AwsError: No job was created. Nothing was written to the device.
            ReplyLost: Perhaps a job was created; the message says what was looked at.
                Nothing was written to the device.
            DiskNotReady: The job exists; the message says its id and how to go on.

        """
        facts = self._still_the_same(plan.facts)
        job = self._created(plan.manifest.text)
        try:
            if plan.erase:
                self.devices.prepare(facts, FILE_SYSTEM_LABEL)
            write_signature(self.devices, facts, job.signature_file)
        except DeviceError as error:
            raise DiskNotReady(
                f"job {job.job_id} exists at AWS, but {facts.path} is not ready: "
                f"{error.message}",
                next_step=(
                    f"mend the disk, then format it and run: s3export update-job "
                    f"{job.job_id} MANIFEST {facts.path}; or give the job up with: "
                    f"s3export cancel-job {job.job_id}"
                ),
            ) from error
        return job

    def _created(self, manifest: str) -> CreatedJob:
        before = frozenset(job.job_id for job in self.export.jobs())
        try:
            return self.export.create(manifest)
        except ReplyLost as lost:
            try:
                return self._found_again(manifest, before, lost)
            except ReplyLost:
                raise
            except AwsError as error:
                raise ReplyLost(
                    f"{lost.message}; looking for it failed, too: {error.message}",
                    next_step=(
                        "look for a new job with: s3export list-jobs, before you "
                        "create one again"
                    ),
                ) from error

    def _found_again(
        self, manifest: str, before: Collection[JobId], lost: ReplyLost
    ) -> CreatedJob:
        """Return the one new job that holds the manifest.

        Raises:
            ReplyLost: There is none, or more than one.
            AwsError: The jobs cannot be looked at.

        """
        others: list[JobId] = []
        for pause in PAUSES_SECONDS:
            self.clock.wait(pause)
            new = self._new_jobs(before)
            found = [job for job in new if _is_of(job, manifest)]
            if len(found) > 1:
                raise _several(found, lost)
            if found:
                return _adopted(found[0], lost)
            others = [job.job_id for job in new]
        raise _none(others, lost)

    def _new_jobs(self, before: Collection[JobId]) -> list[JobStatus]:
        return [
            self.export.status(job.job_id)
            for job in self.export.jobs()
            if job.job_id not in before and not job.cancelled
        ]

    def _still_the_same(self, judged: DeviceFacts) -> DeviceFacts:
        now = self.devices.inspect(judged.path)
        if now.identity() != judged.identity():
            raise DeviceChanged(
                f"{judged.path} is not the device that was confirmed: it was "
                f"{describe(judged)}, now it is {describe(now)}"
            )
        refuse_unsafe(now)
        return now


def _is_of(job: JobStatus, manifest: str) -> bool:
    return (
        job.manifest is not None
        and same_manifest(job.manifest, manifest)
        and not has_ended(job)
    )


def _adopted(job: JobStatus, lost: ReplyLost) -> CreatedJob:
    if not job.signature_file:
        raise ReplyLost(
            f"{lost.message}; it is job {job.job_id}, but AWS tells no signature of it",
            next_step=(
                f"ask for it with: s3export get-status {job.job_id}; give the job up "
                f"with: s3export cancel-job {job.job_id}"
            ),
        )
    return CreatedJob(
        job.job_id,
        job.signature_file,
        warning=(
            f"AWS's reply was lost; job {job.job_id} is the only new one with this "
            "manifest, and was taken for it: no second job was created"
        ),
    )


def _several(found: Sequence[JobStatus], lost: ReplyLost) -> ReplyLost:
    ids = ", ".join(job.job_id for job in found)
    return ReplyLost(
        f"{lost.message}; {len(found)} jobs that were not there before hold this "
        f"manifest: {ids}",
        next_step=(
            "keep one of them and cancel the others with: s3export cancel-job JOB; "
            "format the disk and sign it for the one with: s3export update-job JOB "
            "MANIFEST DEVICE"
        ),
    )


def _none(others: Sequence[JobId], lost: ReplyLost) -> ReplyLost:
    seconds = sum(PAUSES_SECONDS)
    new = f"the new jobs are of other manifests, or have ended: {', '.join(others)}"
    return ReplyLost(
        f"{lost.message}; in {len(PAUSES_SECONDS)} looks at the list of jobs within "
        f"{seconds} seconds there was no new one with this manifest"
        + (f"; {new}" if others else ""),
        next_step=(
            "look again in some minutes with: s3export list-jobs; create the job again "
            "only if there is none of it then"
        ),
    )


def refuse_unsafe(facts: DeviceFacts) -> None:
    """Raise `DeviceRefused` with every reason why the device may not be written to."""
    refusals = refusals_to_write(facts)
    if refusals:
        raise DeviceRefused(
            "; ".join(refusal.reason for refusal in refusals),
            next_step="; ".join(dict.fromkeys(refusal.way_out for refusal in refusals)),
        )


def write_signature(devices: BlockDevices, facts: DeviceFacts, content: str) -> None:
    """Write SIGNATURE to a device, release it, open it anew and compare.

    Raises:
        DeviceFailed: What was read is not what was written.

    """
    wanted = content.encode()
    with devices.open_for_writing(facts) as tree:
        tree.replace(SIGNATURE_PATH, wanted)
        tree.sync()
    with devices.open_read_only(facts) as tree:
        if read_signature(tree, limit=len(wanted) + 1) != wanted:
            raise DeviceFailed(
                f"{SIGNATURE_FILE_NAME} on {facts.path} does not read back as written",
                next_step="the disk is probably faulty: use another one",
            )


def read_signature(tree: FileTree, *, limit: int = 65_536) -> bytes:
    """Return the content of SIGNATURE, at most ``limit`` bytes of it."""
    buffer = bytearray(limit)
    length = 0
    with tree.open(SIGNATURE_PATH) as file:
        while length < limit:
            got = file.readinto(memoryview(buffer)[length:])
            if not got:
                break
            length += got
    return bytes(buffer[:length])


def describe(facts: DeviceFacts) -> str:
    """Name a device for a message: model, serial and size."""
    names = " ".join(part for part in (facts.model, facts.serial) if part)
    return f"{names or facts.kind.value} of {facts.size_bytes:,} bytes"
