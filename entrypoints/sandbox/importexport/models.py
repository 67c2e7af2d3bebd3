"""Jobs and the rules of their life."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from moto.core.base_backend import BackendDict, BaseBackend
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends

from s3export.entrypoints.sandbox.importexport.buckets import check_buckets
from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.job import Job
from s3export.entrypoints.sandbox.importexport.manifest import accept
from s3export.entrypoints.sandbox.importexport.refusals import Refusals
from s3export.entrypoints.sandbox.importexport.return_address import check_address

JOBS_A_DAY = 50  # Developer Guide, limits
DAYS_TO_ARRIVE = 30  # Developer Guide, "Creating an export job"
_ID_ALPHABET = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"  # five of them; no zero, no O
_ENDS = {
    "Pending": ("MissingSignature", "InvalidSignature", "DeviceError"),
    "InProgress": ("Success", "SuccessWithErrors", "DeviceError"),
}
"""How a job ends whose device is at AWS: before its transfer begins, and after."""


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

        AWS's CLI samples write ``import``, so the type's case is not looked at.
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
        known = s3_backends[self.account_id]["aws"].buckets
        return check_buckets(accepted, known, self.account_id)

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
