"""Jobs and the rules of their life."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends

from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest import (
    AcceptedManifest,
    accept,
)
from s3export.entrypoints.sandbox.importexport.permissions import (
    ALL_OBJECTS,
    BucketPolicy,
)
from s3export.entrypoints.sandbox.importexport.refusals import Refusals
from s3export.entrypoints.sandbox.importexport.return_address import check_address

JOBS_A_DAY = 50  # Developer Guide, limits
DAYS_TO_ARRIVE = 30  # Developer Guide, "Creating an export job"
_ID_ALPHABET = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"  # five of them; no zero, no O
ANY_JOB = "XXXXX"  # in the name of a log whose job has no id yet
_ENDS = {
    "Pending": ("MissingSignature", "InvalidSignature", "DeviceError"),
    "InProgress": ("Success", "SuccessWithErrors", "DeviceError"),
}
"""How a job ends whose device is at AWS: before its transfer begins, and after."""

_LOCATIONS = {
    "NotReceived": "AWS has not received your device.",
    "AtAWS": "Your device is at AWS.",
    "Returned": "AWS has returned your device.",
}
_PROGRESS = {
    "Pending": "The specified job has not started.",
    "InProgress": "The specified job is in progress.",
    "Success": "The specified job has completed.",
    "SuccessWithErrors": "The specified job has completed with errors: see its log.",
    "Canceled": "The specified job was canceled.",
    "Expired": "The device did not arrive within 30 days.",
    "DeviceError": "The device could not be used.",
    "MissingSignature": "There is no SIGNATURE file on the device.",
    "InvalidSignature": "The SIGNATURE file on the device is not this job's.",
}


@dataclass
class Job:
    """One job, with the attributes that GetStatus names."""

    job_id: str
    manifest: str
    created: datetime
    secret: bytes
    job_type: str = "Export"
    location: str = "NotReceived"
    progress: str = "Pending"
    error_count: int = 0
    log_bucket: str | None = None
    log_key: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None

    @property
    def signature(self) -> str:
        """HMAC-SHA1 over the id and the manifest, as the 2009 guide describes it."""
        text = f"{self.job_id}\n{self.manifest}".replace("\r\n", "\n")
        digest = hmac.new(self.secret, text.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()

    @property
    def signature_file(self) -> str:
        """The content of SIGNATURE."""
        return (
            "version:2.0\nsigningMethod:HmacSHA1\n"
            f"jobId:{self.job_id}\nsignature:{self.signature}\n"
        )

    def status(self) -> dict[str, Any]:
        """Return GetStatus's answer; what is ``None`` is left out of it."""
        return {
            "JobId": self.job_id,
            "JobType": self.job_type,
            "LocationCode": self.location,
            "LocationMessage": _LOCATIONS[self.location],
            "ProgressCode": self.progress,
            "ProgressMessage": _PROGRESS.get(self.progress, self.progress),
            "Carrier": self.carrier,
            "TrackingNumber": self.tracking_number,
            "LogBucket": self.log_bucket,
            "LogKey": self.log_key,
            "ErrorCount": self.error_count,
            "Signature": self.signature,
            "SignatureFileContents": self.signature_file,
            "CurrentManifest": self.manifest,
            "CreationDate": self.created,
        }


class ImportExportBackend(BaseBackend):
    """The jobs of one account, in the order of their creation.

    Attributes:
        now: Tells the time; tests put another clock here.
        refusals: Asked for beforehand by tests and demonstrations.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.jobs: dict[str, Job] = {}
        self.secret = mock_random.get_random_hex(40).encode()
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.refusals = Refusals()

    def create_job(
        self, job_type: str, manifest: str, validate_only: bool, access_key: str
    ) -> tuple[Job | None, str]:
        """Check the manifest and, unless only that was asked, create a job."""
        warning = self._check(job_type, manifest, access_key)
        if validate_only:
            return None, warning
        since = self.now() - timedelta(days=1)
        if sum(job.created > since for job in self.jobs.values()) >= JOBS_A_DAY:
            raise refused("CreateJobQuotaExceeded", f"{JOBS_A_DAY} jobs a day at most")
        job_id = self._new_id()
        job = Job(job_id, manifest, self.now().replace(microsecond=0), self.secret)
        self.jobs[job_id] = job
        return job, warning

    def update_job(
        self,
        job_id: str | None,
        job_type: str,
        manifest: str,
        validate_only: bool,
        access_key: str,
    ) -> str:
        """Replace a job's manifest as a whole, before its transfer starts."""
        job = self._alive(job_id)
        warning = self._check(job_type, manifest, access_key)
        if job.progress != "Pending":
            raise refused("UnableToUpdateJobId", f"job {job_id} is {job.progress}")
        if not validate_only:
            job.manifest = manifest
        return warning

    def cancel_job(self, job_id: str | None) -> None:
        """Cancel a job whose transfer has not started."""
        job = self._alive(job_id)
        if job.progress != "Pending":
            raise refused("UnableToCancelJobId", f"job {job_id} is {job.progress}")
        job.progress = "Canceled"

    def get_status(self, job_id: str | None) -> Job:
        """Return a job; cancelled and expired ones, too, show their state."""
        return self._known(job_id)

    def list_jobs(self, most: int, marker: str | None) -> tuple[list[Job], bool]:
        """Return a page of jobs, newest first, and whether more follow."""
        if not 0 <= most <= 1000:
            raise refused("InvalidParameter", "MaxJobs is a number from 0 to 1000")
        jobs = [*reversed(self.jobs.values())]
        if marker:
            if marker not in self.jobs:
                raise refused("InvalidParameter", f"Marker {marker} is not a job's id")
            jobs = jobs[jobs.index(self.jobs[marker]) + 1 :]
        return jobs[:most], len(jobs) > most

    def shipping_label(self, job_ids: list[str], address: dict[str, str]) -> str:
        """Return where the label of a parcel can be printed from."""
        if not job_ids:
            raise refused("InvalidParameter", "jobIds is empty")
        for job_id in job_ids:
            self._alive(job_id)
        if address:
            check_address(address, missing="InvalidAddress")
        bucket = accept(self.jobs[job_ids[0]].manifest).log_bucket
        return f"https://s3.amazonaws.com/{bucket}/shipping-label-{job_ids[0]}.pdf"

    # --- what happens at AWS, told by the loading facility ------------------------

    def receive(self, job_id: str) -> None:
        """Note that the device has arrived."""
        self._move(job_id, location="NotReceived", progress="Pending")
        self.jobs[job_id].location = "AtAWS"

    def start(self, job_id: str) -> None:
        """Note that the transfer begins."""
        self._move(job_id, location="AtAWS", progress="Pending")
        self.jobs[job_id].progress = "InProgress"

    def finish(
        self,
        job_id: str,
        progress: str,
        *,
        error_count: int = 0,
        log_bucket: str | None = None,
        log_key: str | None = None,
    ) -> None:
        """Note how the job ended, even if its transfer could not begin."""
        job = self._known(job_id)
        if job.location != "AtAWS" or job.progress not in _ENDS:
            raise refused(
                "InvalidParameter", f"job {job_id} is {job.location}, {job.progress}"
            )
        if progress not in _ENDS[job.progress]:
            raise refused(
                "InvalidParameter",
                f"job {job_id} is {job.progress}: {progress} does not end it",
            )
        job.progress = progress
        job.error_count = error_count
        job.log_bucket, job.log_key = log_bucket, log_key

    def send_back(self, job_id: str, carrier: str, tracking_number: str) -> None:
        """Note that the device is on its way home."""
        job = self._known(job_id)
        if job.location != "AtAWS" or job.progress in _ENDS:
            raise refused(
                "InvalidParameter", f"job {job_id} is {job.location}, {job.progress}"
            )
        job.location = "Returned"
        job.carrier, job.tracking_number = carrier, tracking_number

    def _move(self, job_id: str, *, location: str, progress: str) -> None:
        job = self._alive(job_id)
        if (job.location, job.progress) != (location, progress):
            raise refused(
                "InvalidParameter", f"job {job_id} is {job.location}, {job.progress}"
            )

    # --- rules --------------------------------------------------------------------

    def _check(self, job_type: str, manifest: str, access_key: str) -> str:
        """Refuse what is wrong; return a warning, or nothing.

        AWS's CLI samples write ``import``, so the type's case is not looked at. An
        export bucket without objects is accepted: AWS's SDK tests speak of a refusal,
        but no source names its code.
        """
        if job_type.lower() == "import":
            raise refused("InvalidParameter", "this service emulates exports only")
        if job_type.lower() != "export":
            raise refused("InvalidParameter", f"JobType {job_type!r}: Import or Export")
        accepted = accept(manifest)
        if accepted.access_key_id and accepted.access_key_id != access_key:
            raise refused(
                "InvalidAccessKeyId", "accessKeyId is not the key of this request"
            )
        return self._check_buckets(accepted)

    def _check_buckets(self, accepted: AcceptedManifest) -> str:
        known = s3_backends[self.account_id]["aws"].buckets
        fields = {
            f"operations[{number}].exportBucket": bucket
            for number, bucket in enumerate(accepted.export_buckets)
        } | {"logBucket": accepted.log_bucket}
        for field, bucket in fields.items():
            if bucket not in known:
                raise refused("NoSuchBucket", f"the bucket of {field} does not exist")
        wanted = dict.fromkeys(fields.values())
        if len({known[bucket].region_name for bucket in wanted}) > 1:
            raise refused("MultipleRegions", "the buckets lie in several regions")
        for field, bucket in fields.items():
            policy = BucketPolicy(bucket, known[bucket].policy, self.account_id)
            if field == "logBucket":
                log = f"/{accepted.log_prefix}export-log-{ANY_JOB}"
                forbidden = policy.denies("s3:PutObject", log)
            else:
                forbidden = policy.denies("s3:ListBucket") or policy.denies(
                    "s3:GetObject", ALL_OBJECTS
                )
            if forbidden:
                raise refused(
                    "BucketPermission", f"the policy of {field}'s bucket forbids it"
                )
        odd = [name for name in wanted if "_" in name or name != name.lower()]
        return f"Incompatible bucket names: {', '.join(odd)}" if odd else ""

    def _known(self, job_id: str | None) -> Job:
        if not job_id:
            raise refused("InvalidJobId", "JobId is missing")
        job = self.jobs.get(job_id)
        if job is None:
            raise refused("InvalidJobId", f"No such job {job_id} for your account")
        deadline = job.created + timedelta(days=DAYS_TO_ARRIVE)
        waiting = (job.location, job.progress) == ("NotReceived", "Pending")
        if waiting and self.now() > deadline:
            job.progress = "Expired"
        return job

    def _alive(self, job_id: str | None) -> Job:
        job = self._known(job_id)
        if job.progress == "Canceled":
            raise refused("CanceledJobId", f"job {job_id} was canceled")
        if job.progress == "Expired":
            raise refused("ExpiredJobId", f"job {job_id} has expired")
        return job

    def _new_id(self) -> str:
        while True:
            job_id = "".join(mock_random.choice(_ID_ALPHABET) for _ in range(5))
            if job_id not in self.jobs:
                return job_id


importexport_backends = BackendDict(
    ImportExportBackend,
    "importexport",
    use_boto3_regions=False,
    additional_regions=["aws"],
)
