"""An export service in memory: ids, signatures and the rules of a job's life."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from s3export.domain.errors import (
    AwsError,
    InvalidJobParameter,
    JobCancelled,
    JobExpired,
    JobNotCancellable,
    JobNotUpdatable,
    MalformedManifest,
    UnknownJob,
)
from s3export.domain.jobs import (
    NOT_RECEIVED,
    PENDING,
    CreatedJob,
    JobId,
    JobStatus,
    JobSummary,
    ManifestText,
    ShippingLabel,
)
from s3export.domain.manifests import Address
from s3export.domain.ports import ExportService


@dataclass(frozen=True)
class _Job:
    status: JobStatus
    cancelled: bool = False


class MemoryExportService(ExportService):
    """Holds jobs in the order of their creation.

    Attributes:
        fail_with: Raised by the next call, once, before it does anything.
        fail_after_create: Raised by the next `create`, once, after it made the job.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobId, _Job] = {}
        self._numbers = itertools.count(1)
        self.fail_with: AwsError | None = None
        self.fail_after_create: AwsError | None = None

    def access_key_id(self) -> str:
        """Return the key of AWS's documentation."""
        return "AKIAIOSFODNN7EXAMPLE"

    def validate(self, manifest: str) -> str:
        """Refuse what is no list of fields; create nothing."""
        self._fail()
        if ":" not in manifest:
            raise MalformedManifest("Your manifest is not well-formed")
        return ""

    def create(self, manifest: str) -> CreatedJob:
        """Create a job named J0001, J0002, ..."""
        self.validate(manifest)
        number = next(self._numbers)
        job_id = JobId(f"J{number:04}")
        signature = _signature(job_id, manifest)
        self._jobs[job_id] = _Job(
            JobStatus(
                job_id=job_id,
                job_type="Export",
                created_at=datetime(2026, 1, 1, second=number % 60, tzinfo=UTC),
                location_code=NOT_RECEIVED,
                location_message="AWS has not received your device.",
                progress_code=PENDING,
                progress_message="The specified job has not started.",
                signature_file=signature,
                error_count=0,
                manifest=ManifestText(manifest),
            )
        )
        if self.fail_after_create:
            error, self.fail_after_create = self.fail_after_create, None
            raise error
        return CreatedJob(job_id, signature)

    def update(
        self, job_id: JobId, manifest: str, *, validate_only: bool = False
    ) -> str:
        """Replace a pending job's manifest and signature."""
        warning = self.validate(manifest)
        job = self._alive(job_id)
        if job.status.progress_code != PENDING:
            raise JobNotUpdatable(f"job {job_id} has started")
        if not validate_only:
            status = replace(
                job.status,
                manifest=ManifestText(manifest),
                signature_file=_signature(job_id, manifest),
            )
            self._jobs[job_id] = replace(job, status=status)
        return warning

    def cancel(self, job_id: JobId) -> None:
        """Cancel a pending job."""
        self._fail()
        job = self._alive(job_id)
        if job.status.progress_code != PENDING:
            raise JobNotCancellable(f"job {job_id} has started")
        status = replace(job.status, progress_code="Canceled")
        self._jobs[job_id] = _Job(status, cancelled=True)

    def status(self, job_id: JobId) -> JobStatus:
        """Return a job's status."""
        self._fail()
        return self._known(job_id).status

    def jobs(self) -> Iterator[JobSummary]:
        """Yield the jobs, newest first."""
        self._fail()
        for job_id, job in reversed(self._jobs.items()):
            yield JobSummary(
                job_id, job.status.created_at, job.status.job_type, job.cancelled
            )

    def shipping_label(
        self, job_ids: Sequence[JobId], address: Address | None = None
    ) -> ShippingLabel:
        """Return an address that nothing answers at."""
        self._fail()
        if not job_ids:
            raise InvalidJobParameter("a label is for at least one job")
        for job_id in job_ids:
            self._alive(job_id)
        return ShippingLabel(
            f"https://label.invalid/shipping-label-{'-'.join(job_ids)}.pdf"
        )

    def move(self, job_id: JobId, **changes: str) -> None:
        """Change fields of a job's status, as AWS's loading facility would."""
        job = self._known(job_id)
        self._jobs[job_id] = replace(job, status=replace(job.status, **changes))  # type: ignore[arg-type]

    def _fail(self) -> None:
        if self.fail_with:
            error, self.fail_with = self.fail_with, None
            raise error

    def _known(self, job_id: JobId) -> _Job:
        if job_id not in self._jobs:
            raise UnknownJob(f"No such job {job_id} for your account")
        return self._jobs[job_id]

    def _alive(self, job_id: JobId) -> _Job:
        job = self._known(job_id)
        if job.cancelled:
            raise JobCancelled(f"job {job_id} was cancelled")
        if job.status.progress_code == "Expired":
            raise JobExpired(f"job {job_id} has expired")
        return job


def _signature(job_id: JobId, manifest: str) -> str:
    return (
        f"version:2.0\nsigningMethod:None\njobId:{job_id}\nsignature:{len(manifest)}\n"
    )
