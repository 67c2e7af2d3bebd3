"""Jobs of AWS Import/Export, as its API shows them.

Source of the names: botocore's model of ``importexport`` (API 2010-06-01) and the
AWS Import/Export Developer Guide. Location and progress codes are open sets: a code
that is not known here is shown as it came.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from s3export.domain.errors import AwsFailed, InputRefused

JobId = NewType("JobId", str)
"""The service's name for a job, such as ``53TX4``. Opaque, but safe in a file name."""

SIGNATURE_FILE_NAME = "SIGNATURE"
"""The file in the device's root that says which job the device belongs to."""

NOT_RECEIVED = "NotReceived"
AT_AWS = "AtAWS"
RETURNED = "Returned"

PENDING = "Pending"
IN_PROGRESS = "InProgress"
STARTED = "Started"
SUCCESS = "Success"
COMPLETE = "Complete"
SUCCESS_WITH_ERRORS = "SuccessWithErrors"
CANCELED = "Canceled"
EXPIRED = "Expired"
MISSING_DEVICE = "MissingDevice"
MISSING_SIGNATURE = "MissingSignature"
INVALID_SIGNATURE = "InvalidSignature"
DEVICE_ERROR = "DeviceError"
UNSUPPORTED_DEVICE_TYPE = "UnsupportedDeviceType"
UNSUPPORTED_FILE_FORMAT = "UnsupportedFileFormat"
UNSUPPORTED_POWER_SUPPLY = "UnsupportedPowerSupply"


def job_id(text: str) -> JobId:
    """Check a job's id as typed by an operator or answered by a server.

    Args:
        text: The id. Letters, digits, ``-`` and ``_``, 1 to 64 of them: the service
            documents no alphabet, and whatever it is must not become a path.

    Raises:
        InputRefused: The text cannot be a job's id.

    """
    fits = 0 < len(text) <= 64 and text.isascii()
    if not fits or not text.replace("-", "").replace("_", "").isalnum():
        raise InputRefused(
            f"{text!r} is not a job's id",
            next_step="it has letters, digits, - and _ alone; AWS's are listed by: "
            "s3export list-jobs",
        )
    return JobId(text)


@dataclass(frozen=True)
class CreatedJob:
    """What CreateJob answers.

    Attributes:
        signature_file: The content of ``SIGNATURE``, byte for byte as UTF-8.
        warning: What the service finds odd but accepts; may be empty.
        saved: The file with the partition table and the headers that its disk had
            before; empty where nothing was erased.

    """

    job_id: JobId
    signature_file: str
    warning: str = ""
    saved: str = ""


@dataclass(frozen=True)
class JobSummary:
    """One line of ListJobs."""

    job_id: JobId
    created_at: datetime
    job_type: str
    cancelled: bool


@dataclass(frozen=True)
class JobStatus:
    """What GetStatus answers; an empty string or ``None`` where it says nothing.

    Attributes:
        error_count: Objects that could not be exported; ``None`` where not told.
        manifest: The manifest as the service holds it, password in clear: neither
            shown nor logged (``repr`` leaves it out).

    """

    job_id: JobId
    job_type: str
    created_at: datetime
    location_code: str
    location_message: str
    progress_code: str
    progress_message: str
    signature_file: str
    carrier: str = ""
    tracking_number: str = ""
    log_bucket: str = ""
    log_key: str = ""
    error_count: int | None = None
    manifest: "ManifestText | None" = None


class ManifestText(str):
    """A manifest's text; ``repr`` hides it, because it holds a password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<manifest of {len(self)} characters>"


def same_manifest(one: str, other: str) -> bool:
    """Say whether two manifests are equal but for what a transport may change.

    A byte order mark, the kind of the line ends, and blanks at the end of lines and of
    the text do not count.
    """
    return _essence(one) == _essence(other)


def _essence(manifest: str) -> str:
    text = manifest.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def signature_of(status: JobStatus) -> bytes:
    """Return what SIGNATURE of a job holds, byte for byte.

    Raises:
        AwsFailed: AWS's answer has no signature.

    """
    if not status.signature_file:
        raise AwsFailed(
            f"job {status.job_id}: AWS's answer holds no signature",
            next_step="ask again later; if it stays so, ask AWS or create a new job",
        )
    return status.signature_file.encode()


def job_named_in(signature_file: bytes) -> str:
    """Return which job a SIGNATURE file is for; empty where it names none."""
    for line in signature_file.decode("utf-8-sig", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "jobid":
            return value.strip()
    return ""


@dataclass(frozen=True)
class ShippingLabel:
    """Where the label can be printed from.

    Attributes:
        url: The label's address (URL), a PDF.
        warning: What the service finds odd but accepts; may be empty.

    """

    url: str
    warning: str = ""
