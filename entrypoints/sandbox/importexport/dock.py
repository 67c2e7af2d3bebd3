"""The loading facility's line to the emulated service: what happened to a device.

Tests and demonstrations have the service refuse calls to come through it, too.
"""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from s3export.domain.errors import AwsError, Unreachable
from s3export.domain.jobs import JobId, ManifestText

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class ExpectedJob:
    """What the facility knows of a job before its device is plugged in."""

    job_id: JobId
    manifest: ManifestText
    signature_file: str
    location_code: str
    progress_code: str


class LoadingDock:
    """Tells the emulated service what happens to devices.

    Args:
        endpoint_url: Of the server that emulates AWS.

    Raises:
        AwsError: From every method: the service does not know the job, or the job is
            not in a state from which this can happen; nothing was changed.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._url = f"{endpoint_url.rstrip('/')}/loading-facility"

    def expected(self, job_id: JobId) -> ExpectedJob:
        """Look a job up."""
        status = self._tell("look", job_id=job_id)
        return ExpectedJob(
            job_id=job_id,
            manifest=ManifestText(status["CurrentManifest"]),
            signature_file=status["SignatureFileContents"],
            location_code=status["LocationCode"],
            progress_code=status["ProgressCode"],
        )

    def received(self, job_id: JobId) -> None:
        """Tell that the device has arrived."""
        self._tell("received", job_id=job_id)

    def started(self, job_id: JobId) -> None:
        """Tell that the transfer begins."""
        self._tell("started", job_id=job_id)

    def finished(
        self,
        job_id: JobId,
        progress_code: str,
        *,
        error_count: int = 0,
        log_bucket: str | None = None,
        log_key: str | None = None,
    ) -> None:
        """Tell how the job ended."""
        self._tell(
            "finished",
            job_id=job_id,
            progress=progress_code,
            error_count=error_count,
            log_bucket=log_bucket,
            log_key=log_key,
        )

    def returned(self, job_id: JobId, carrier: str, tracking_number: str) -> None:
        """Tell that the device is on its way home."""
        self._tell(
            "returned",
            job_id=job_id,
            carrier=carrier,
            tracking_number=tracking_number,
        )

    def refuse(
        self, operation: str, code: str, *, times: int = 1, http_status: int = 400
    ) -> None:
        """Have the service refuse an operation's next calls; a reset forgets it.

        Args:
            operation: Such as ``CreateJob``.
            code: As on the wire: ``InvalidVersionException``, ``InvalidClientTokenId``.
            http_status: From 400 to 599; clients may repeat calls refused with 500.
        """
        self._tell(
            "refuse",
            operation=operation,
            code=code,
            times=times,
            http_status=http_status,
        )

    def _tell(
        self, event: str, *, job_id: JobId | None = None, **details: object
    ) -> dict[str, Any]:
        call = {"event": event, "job_id": job_id, "details": details}
        request = urllib.request.Request(
            self._url,
            data=json.dumps(call).encode(),
            headers={
                "Content-Type": "application/json",
                # The server dispatches by the service named here; it checks no more.
                "Authorization": (
                    "AWS4-HMAC-SHA256 Credential=facility/20100601/us-east-1/"
                    "IngestionService/aws4_request, SignedHeaders=host, Signature=none"
                ),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                status: dict[str, Any] = json.load(answer)
                return status
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            try:
                message = str(json.loads(said)["error"])
            except (ValueError, KeyError, TypeError):
                message = "this is no sandbox: it has no loading facility"
            raise AwsError(f"loading facility: {message}") from error
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise Unreachable(f"{self._url}: {error}") from error
