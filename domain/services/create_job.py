"""Create an export job, and prepare the disk that belongs to it.

Two halves: `CreateJob.plan` looks and asks and changes nothing anywhere;
`CreateJob.carry_out` creates the job and then writes to the disk. A dry run is the
first half alone.
"""

from dataclasses import dataclass

from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import DeviceFacts, DeviceKind, refusals_to_write
from s3export.domain.errors import (
    DeviceChanged,
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DiskNotReady,
)
from s3export.domain.jobs import SIGNATURE_FILE_NAME, CreatedJob
from s3export.domain.manifests import Manifest
from s3export.domain.ports import BlockDevices, ExportService, FileTree

FILE_SYSTEM_LABEL = "s3export"

SIGNATURE_PATH = TreePath(SIGNATURE_FILE_NAME.encode())


@dataclass(frozen=True)
class CreateJobPlan:
    """What is about to happen, for the operator to read and confirm.

    Attributes:
        erase: The disk will be partitioned and formatted; False keeps what is on it.
        service_warning: What AWS finds odd about the manifest; may be empty.

    """

    manifest: Manifest
    facts: DeviceFacts
    erase: bool
    service_warning: str

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

        Raises:
            DeviceChanged, DeviceRefused: The device is not what was judged any more.
                No job was created, nothing was written.
            AwsError: No job was created (`ReplyLost`: perhaps one was). Nothing was
                written to the device.
            DiskNotReady: The job exists; the message says its id and how to go on.

        """
        facts = self._still_the_same(plan.facts)
        job = self.export.create(plan.manifest.text)
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

    def _still_the_same(self, judged: DeviceFacts) -> DeviceFacts:
        now = self.devices.inspect(judged.path)
        if now.identity() != judged.identity():
            raise DeviceChanged(
                f"{judged.path} is not the device that was confirmed: it was "
                f"{describe(judged)}, now it is {describe(now)}"
            )
        refuse_unsafe(now)
        return now


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
