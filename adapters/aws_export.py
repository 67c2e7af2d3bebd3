"""AWS Import/Export through boto3's ``importexport`` client (API 2010-06-01)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from s3export.adapters.aws_errors import translated
from s3export.domain import errors
from s3export.domain.jobs import (
    CreatedJob,
    JobId,
    JobStatus,
    JobSummary,
    ManifestText,
    ShippingLabel,
)
from s3export.domain.jobs import job_id as checked_job_id
from s3export.domain.manifests import Address
from s3export.domain.ports import ExportService

_EXPORT = "Export"
_JOBS_A_PAGE = 1000  # the most that ListJobs gives (Developer Guide, ListJobs)

_EXCEPTIONS: Mapping[str, type[errors.AwsError]] = {
    "BucketPermission": errors.BucketPermission,
    "CanceledJobId": errors.JobCancelled,
    "CreateJobQuotaExceeded": errors.JobQuotaExceeded,
    "ExpiredJobId": errors.JobExpired,
    "InvalidAccessId": errors.InvalidAccessKeyId,
    "InvalidAccessKeyId": errors.InvalidAccessKeyId,
    "InvalidAddress": errors.InvalidAddress,
    "InvalidCustoms": errors.InvalidCustoms,
    "InvalidFileSystem": errors.InvalidFileSystem,
    "InvalidJobId": errors.UnknownJob,
    "InvalidManifestField": errors.InvalidManifestField,
    "InvalidParameter": errors.InvalidJobParameter,
    "InvalidVersion": errors.UnsupportedVersion,
    "MalformedManifest": errors.MalformedManifest,
    "MissingCustoms": errors.MissingCustoms,
    "MissingManifestField": errors.MissingManifestField,
    "MissingParameter": errors.InvalidJobParameter,
    "MultipleRegions": errors.MultipleRegions,
    "NoSuchBucket": errors.NoSuchBucket,
    "UnableToCancelJobId": errors.JobNotCancellable,
    "UnableToUpdateJobId": errors.JobNotUpdatable,
}
"""botocore's modelled exceptions; on the wire each ends in ``Exception``."""

CODES: Mapping[str, type[errors.AwsError]] = {
    **_EXCEPTIONS,
    **{f"{name}Exception": kind for name, kind in _EXCEPTIONS.items()},
}


class AwsExportService(ExportService):
    """The export service at AWS, or an emulated one.

    Args:
        client: A boto3 ``importexport`` client that retries.
        once: One that never does, for CreateJob, which is not idempotent.
        credentials: Finds them in the standard chain; ``None`` for none.
    """

    def __init__(
        self, client: Any, once: Any, credentials: Callable[[], Any] = lambda: None
    ) -> None:
        self._client = client
        self._once = once
        self._credentials = credentials

    def access_key_id(self) -> str:
        """Look the key up, without a request to the service."""
        with translated("credentials", CODES):
            found = self._credentials()
            return "" if found is None else str(found.access_key)

    def validate(self, manifest: str) -> str:
        """Call CreateJob with ValidateOnly, which creates nothing."""
        with translated("validating the manifest", CODES):
            answer = self._client.create_job(
                JobType=_EXPORT, Manifest=manifest, ValidateOnly=True
            )
        return _text(answer, "WarningMessage")

    def create(self, manifest: str) -> CreatedJob:
        """Call CreateJob, exactly once."""
        with translated("creating the job", CODES):
            try:
                answer = self._once.create_job(
                    JobType=_EXPORT, Manifest=manifest, ValidateOnly=False
                )
            except (aws.HTTPClientError, ResponseParserError) as error:
                # no connection at all is aws.ConnectionError: nothing was sent
                raise _reply_lost(error) from error
            except aws.ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get(
                    "HTTPStatusCode", 0
                )
                if status < 500:
                    raise
                raise _reply_lost(error) from error
        if not answer.get("JobId") or not answer.get("SignatureFileContents"):
            raise _reply_lost("it names no job or no signature")
        return CreatedJob(
            job_id=checked_job_id(answer["JobId"]),
            signature_file=answer["SignatureFileContents"],
            warning=_text(answer, "WarningMessage"),
        )

    def update(
        self, job_id: JobId, manifest: str, *, validate_only: bool = False
    ) -> str:
        """Call UpdateJob."""
        with translated(f"updating job {job_id}", CODES):
            answer = self._client.update_job(
                JobId=job_id,
                Manifest=manifest,
                JobType=_EXPORT,
                ValidateOnly=validate_only,
            )
        _check_success(answer, f"updating job {job_id}")
        return _text(answer, "WarningMessage")

    def cancel(self, job_id: JobId) -> None:
        """Call CancelJob."""
        with translated(f"cancelling job {job_id}", CODES):
            answer = self._client.cancel_job(JobId=job_id)
        _check_success(answer, f"cancelling job {job_id}")

    def status(self, job_id: JobId) -> JobStatus:
        """Call GetStatus."""
        with translated(f"job {job_id}", CODES):
            answer = self._client.get_status(JobId=job_id)
        if not answer.get("JobId") or not answer.get("CreationDate"):
            raise errors.AwsFailed(
                f"job {job_id}: AWS's answer names no job or no date"
            )
        return JobStatus(
            job_id=checked_job_id(answer["JobId"]),
            job_type=_text(answer, "JobType"),
            created_at=answer["CreationDate"],
            location_code=_text(answer, "LocationCode"),
            location_message=_text(answer, "LocationMessage"),
            progress_code=_text(answer, "ProgressCode"),
            progress_message=_text(answer, "ProgressMessage"),
            signature_file=_text(answer, "SignatureFileContents"),
            carrier=_text(answer, "Carrier"),
            tracking_number=_text(answer, "TrackingNumber"),
            log_bucket=_text(answer, "LogBucket"),
            log_key=_text(answer, "LogKey"),
            error_count=answer.get("ErrorCount"),
            manifest=ManifestText(_text(answer, "CurrentManifest")),
        )

    def jobs(self) -> Iterator[JobSummary]:
        """Call ListJobs, page after page."""
        page: dict[str, Any] = {"MaxJobs": _JOBS_A_PAGE}
        while True:
            with translated("listing the jobs", CODES):
                answer = self._client.list_jobs(**page)
            jobs = answer.get("Jobs", [])
            for job in jobs:
                yield JobSummary(
                    job_id=checked_job_id(job["JobId"]),
                    created_at=job["CreationDate"],
                    job_type=_text(job, "JobType"),
                    cancelled=bool(job.get("IsCanceled")),
                )
            if not answer.get("IsTruncated") or not jobs:
                return  # an empty page that claims to be truncated would never end
            page["Marker"] = jobs[-1]["JobId"]

    def shipping_label(
        self, job_ids: Sequence[JobId], address: Address | None = None
    ) -> ShippingLabel:
        """Call GetShippingLabel."""
        sender = {} if address is None else _label_fields(address)
        with translated(f"label for {', '.join(job_ids)}", CODES):
            answer = self._client.get_shipping_label(jobIds=list(job_ids), **sender)
        return ShippingLabel(
            url=_text(answer, "ShippingLabelURL"), warning=_text(answer, "Warning")
        )


def _label_fields(address: Address) -> dict[str, str]:
    fields = {
        "name": address.name,
        "company": address.company,
        "phoneNumber": address.phone_number,
        "country": address.country,
        "stateOrProvince": address.state_or_province,
        "city": address.city,
        "postalCode": address.postal_code,
        "street1": address.street1,
        "street2": address.street2,
        "street3": address.street3,
    }
    return {name: value for name, value in fields.items() if value}


def _reply_lost(why: object) -> errors.ReplyLost:
    return errors.ReplyLost(
        f"creating the job: the reply was lost ({' '.join(str(why).split())}); "
        "the job may exist",
        next_step=(
            "look for it with: s3export list-jobs; cancel it, or go on with it by "
            "update-job, before you try again"
        ),
    )


def _check_success(answer: Mapping[str, Any], what: str) -> None:
    if answer.get("Success") is False:
        raise errors.AwsFailed(f"{what}: AWS answered that it did not succeed")


def _text(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get(name) or "")
