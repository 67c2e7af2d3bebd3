"""A job as GetStatus tells it, and its signature.

Source: AWS Import/Export Developer Guide, "Job status"; the signature is that of the
edition of 2009, since later ones do not describe it.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
