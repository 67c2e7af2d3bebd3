"""Follow export jobs: list, look, watch, update, cancel, and print the label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    AwsFailed,
    DeviceRefused,
    JobCancelled,
    JobExpired,
    JobNotCancellable,
    JobNotUpdatable,
    JobRefused,
    Problem,
    S3ExportError,
    Throttled,
    Unreachable,
)
from s3export.domain.job_states import (
    Situation,
    changes,
    has_ended,
    situation_of,
)
from s3export.domain.jobs import (
    CANCELED,
    EXPIRED,
    SIGNATURE_FILE_NAME,
    JobId,
    JobStatus,
    JobSummary,
    ShippingLabel,
    job_named_in,
    signature_of,
)
from s3export.domain.manifests import Address, Manifest
from s3export.domain.masking import masked_difference
from s3export.domain.ports import BlockDevices, Clock, ExportService, Stop, Workers
from s3export.domain.services.job_watch import NoAnswer, Observation
from s3export.domain.services.ready_disk import (
    refuse_unsafe,
    signature_on,
    write_signature,
)

DETAILS_AT_ONCE = 8
"""Statuses asked for at once where nothing else is said."""


_CODES: Mapping[type[JobRefused], str] = {
    JobCancelled: "CanceledJobIdException",
    JobExpired: "ExpiredJobIdException",
    JobNotCancellable: "UnableToCancelJobIdException",
    JobNotUpdatable: "UnableToUpdateJobIdException",
}
"""What AWS would refuse with, were it asked."""


@dataclass(frozen=True)
class UpdatedJob:
    """What an update did.

    Attributes:
        signature_written: SIGNATURE on the device was missing or another, and is now
            the job's.
        signature_outdated: No device was named, and the job's signature is another now,
            or could not be asked for: SIGNATURE on its disk is to be written again.
        warning: What AWS finds odd about the manifest; may be empty.
        difference: Between the manifest that AWS held and the new one: lines of a
            unified diff, passwords and PINs hidden; empty where they are equal.
        remarks: What we find odd about the manifest: warnings and hints.

    """

    job_id: JobId
    signature_written: bool
    signature_outdated: bool = False
    warning: str = ""
    difference: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class JobDetails:
    """One job of a list, with its status and what that means."""

    summary: JobSummary
    status: JobStatus
    situation: Situation


@dataclass(frozen=True)
class JobWithoutStatus:
    """One job of a list whose status could not be had, and why."""

    summary: JobSummary
    error: S3ExportError


@dataclass(frozen=True)
class FollowJobs:
    """The use cases; see the module. Errors are those of the ports."""

    export: ExportService
    devices: BlockDevices
    clock: Clock
    workers: Workers

    def jobs(self) -> Iterator[JobSummary]:
        """Yield the account's jobs, newest first."""
        return self.export.jobs()

    def details(
        self, *, at_once: int = DETAILS_AT_ONCE
    ) -> Iterator[JobDetails | JobWithoutStatus]:
        """Yield the account's jobs with their statuses, newest first.

        A job whose status cannot be had is yielded with the reason, in its place.

        Args:
            at_once: Statuses asked for at the same time.

        """
        now = self.clock.now()

        def look(job: JobSummary, stop: Stop) -> JobDetails | JobWithoutStatus:
            try:
                status = self.export.status(job.job_id)
            except S3ExportError as error:
                return JobWithoutStatus(job, error)
            return JobDetails(job, status, situation_of(status, now))

        return self.workers.map(look, self.export.jobs(), at_once=at_once)

    def status(self, job_id: JobId) -> JobStatus:
        """Return all that AWS tells of a job."""
        return self.export.status(job_id)

    def watch(
        self, job_id: JobId, interval_seconds: float
    ) -> Iterator[Observation | NoAnswer]:
        """Yield a job's status, then every change of it, until nothing can change.

        AWS is asked again and again, also where it cannot be reached for a while,
        which is yielded, too. Whatever it refuses ends the watch.

        Raises:
            AwsError: The first question was not answered, or AWS refuses to answer.

        """
        status = self.export.status(job_id)
        seen = Observation(self.clock.now(), status)
        yield seen
        while not seen.situation.is_final:
            self.clock.wait(interval_seconds)
            try:
                status = self.export.status(job_id)
            except (Unreachable, Throttled, AwsFailed) as error:
                yield NoAnswer(self.clock.now(), error)
                continue
            changed = changes(seen.status, status)
            seen = Observation(self.clock.now(), status, changed)
            if changed:
                yield seen

    def cancellable(self, job_id: JobId) -> JobStatus:
        """Return the status of a job that may be cancelled, as far as it is known.

        Whether a job whose transfer is under way can be cancelled AWS alone knows: its
        documents contradict each other.

        Raises:
            JobCancelled, JobExpired, JobNotCancellable: It has ended; the message says
                how.

        """
        status = self.export.status(job_id)
        self._refuse_ended(status, JobNotCancellable, "cannot be cancelled any more")
        return status

    def cancel(self, job_id: JobId) -> None:
        """Cancel a job.

        Raises:
            JobCancelled, JobExpired, JobNotCancellable: It has ended, or AWS does not
                cancel it; the message says how it stands.

        """
        status = self.cancellable(job_id)
        try:
            self.export.cancel(job_id)
        except JobNotCancellable as refused:
            situation = situation_of(status, self.clock.now())
            raise JobNotCancellable(
                f"{refused.message}: {situation.meaning}",
                next_step=situation.next_step,
            ) from refused

    def shipping_label(
        self, job_ids: Sequence[JobId], address: Address | None = None
    ) -> ShippingLabel:
        """Return where the label for one parcel can be printed from."""
        return self.export.shipping_label(job_ids, address)

    def update(
        self,
        job_id: JobId,
        manifest: Manifest,
        device: str | None = None,
        *,
        dry_run: bool = False,
    ) -> UpdatedJob:
        """Replace a job's manifest, and SIGNATURE on its device if it is not current.

        AWS validates first; a dry run ends there. The device's file system is kept.

        Raises:
            JobCancelled, JobExpired, JobNotUpdatable: The job has ended; the message
                says how. Nothing was changed.
            AwsFailed: AWS tells no signature. The job was updated, the device was not.
            DeviceRefused: Writing to the device would be unsafe, or it belongs to
                another job; nothing was changed.

        """
        status = self.export.status(job_id)
        self._refuse_ended(status, JobNotUpdatable, "cannot be updated any more")
        facts, signature = None, b""
        if device is not None:
            facts = self.devices.inspect(device)
            refuse_unsafe(facts)
            signature = signature_on(self.devices, facts)
            _refuse_another_jobs(facts, signature, job_id)
        difference = masked_difference(status.manifest or "", manifest.text)
        warning = self.export.update(job_id, manifest.text, validate_only=True)
        written = outdated = False
        if not dry_run:
            warning = self.export.update(job_id, manifest.text) or warning
            if facts is not None:
                current = signature_of(self.export.status(job_id))
                written = signature != current
                if written:
                    write_signature(self.devices, facts, current.decode())
            else:
                outdated = not self._has_this_signature(status)
        return UpdatedJob(job_id, written, outdated, warning, difference)

    def _refuse_ended(
        self, status: JobStatus, otherwise: type[JobRefused], what: str
    ) -> None:
        """Raise the error that says how a job ended, if it has."""
        if not has_ended(status):
            return
        kinds = {CANCELED: JobCancelled, EXPIRED: JobExpired}
        kind = kinds.get(status.progress_code, otherwise)
        situation = situation_of(status, self.clock.now())
        raise kind(
            f"job {status.job_id} {what}: {situation.meaning} ({_CODES[kind]})",
            next_step=situation.next_step,
        )

    def _has_this_signature(self, status: JobStatus) -> bool:
        """Say whether a job's signature is still the one of a status, for sure."""
        try:
            now = self.export.status(status.job_id)
        except S3ExportError:
            return False
        return now.signature_file == status.signature_file


def _refuse_another_jobs(facts: DeviceFacts, signature: bytes, job_id: JobId) -> None:
    other = job_named_in(signature)
    if other and other.lower() != job_id.lower():
        raise DeviceRefused(
            f"{SIGNATURE_FILE_NAME} on {facts.path} names job {other}: it is that "
            f"job's disk, not {job_id}'s",
            next_step=(
                f"name the disk of job {job_id}; if this one shall be it from now on, "
                f"remove {SIGNATURE_FILE_NAME} from it first: job {other} is then "
                "without a disk"
            ),
        )
