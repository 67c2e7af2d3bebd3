"""Follow export jobs: list, look, update, cancel, and print the label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from s3export.domain.errors import FileUnreadable
from s3export.domain.jobs import JobId, JobStatus, JobSummary, ShippingLabel
from s3export.domain.manifests import Address, Manifest
from s3export.domain.ports import BlockDevices, ExportService
from s3export.domain.services.create_job import (
    read_signature,
    refuse_unsafe,
    write_signature,
)


@dataclass(frozen=True)
class UpdatedJob:
    """What an update did.

    Attributes:
        signature_written: SIGNATURE on the device was missing or another, and is now
            the job's.
        warning: What AWS finds odd about the manifest; may be empty.

    """

    job_id: JobId
    signature_written: bool
    warning: str = ""


@dataclass(frozen=True)
class FollowJobs:
    """The use cases; see the module. Errors are those of the ports."""

    export: ExportService
    devices: BlockDevices

    def jobs(self) -> Iterator[JobSummary]:
        """Yield the account's jobs, newest first."""
        return self.export.jobs()

    def status(self, job_id: JobId) -> JobStatus:
        """Return all that AWS tells of a job."""
        return self.export.status(job_id)

    def cancel(self, job_id: JobId) -> None:
        """Cancel a job."""
        self.export.cancel(job_id)

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
            DeviceRefused: Writing to the device would be unsafe; nothing was changed.

        """
        facts = None
        if device is not None:
            facts = self.devices.inspect(device)
            refuse_unsafe(facts)
        warning = self.export.update(job_id, manifest.text, validate_only=True)
        if dry_run:
            return UpdatedJob(job_id, signature_written=False, warning=warning)
        warning = self.export.update(job_id, manifest.text) or warning
        if facts is None:
            return UpdatedJob(job_id, signature_written=False, warning=warning)
        current = self.export.status(job_id).signature_file
        with self.devices.open_read_only(facts) as tree:
            try:
                stale = read_signature(tree) != current.encode()
            except FileUnreadable:
                stale = True
        if stale:
            write_signature(self.devices, facts, current)
        return UpdatedJob(job_id, signature_written=stale, warning=warning)
