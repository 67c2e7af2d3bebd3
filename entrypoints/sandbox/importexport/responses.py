"""The six operations on the wire, and the loading facility's entrance."""

import json
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest_text import NOT_IN_XML
from s3export.entrypoints.sandbox.importexport.models import (
    ImportExportBackend,
    importexport_backends,
)

_DEFAULT_PAGE = 100
_API_VERSIONS = ("2010-06-01", "2010-06-03", "2012-01-14", "2014-12-18")
"""Of botocore's model, the Java tool, and two editions of the Developer Guide; which
other client tools the service knew is not documented."""
_ADDRESS_FIELDS = (
    "name",
    "company",
    "phoneNumber",
    "country",
    "stateOrProvince",
    "city",
    "postalCode",
    "street1",
    "street2",
    "street3",
)


class ImportExportResponse(BaseResponse):
    """Parameters in, results out; botocore's model does the parsing and the XML."""

    def __init__(self) -> None:
        super().__init__(service_name="importexport")
        self.automated_parameter_parsing = True
        self._readable = True

    @property
    def backend(self) -> ImportExportBackend:
        """The jobs of the account that asks."""
        return importexport_backends[self.current_account]["aws"]

    def parse_parameters(self, request: Any) -> None:
        """Read the parameters by the model; a number that is none is told later."""
        try:
            super().parse_parameters(request)
        except ValueError:
            self._readable = False

    def call_action(self) -> TYPE_RESPONSE:
        """Answer in XML that a parser reads as it was meant.

        A CR is escaped, because parsers read a bare one as LF. What XML has no escape
        for is replaced: job ids and the facility's texts are anyone's.
        """
        if refusal := self.backend.refusals.next_of(self._get_action()):
            xml = {"Content-Type": "text/xml"}
            return refusal.http_status, xml, refusal.body()
        if not self._readable:
            wrong = refused("InvalidParameter", "a parameter is not of its type")
            return self.serialized(ActionResult(wrong))
        version = self._get_param("APIVersion", _API_VERSIONS[0])
        if version not in _API_VERSIONS:
            unknown = refused("InvalidVersion", "APIVersion is none that is known")
            return self.serialized(ActionResult(unknown))
        status, headers, body = super().call_action()
        body = NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", str(body))
        return status, headers, body.replace("\r", "&#13;")

    def create_job(self) -> ActionResult:
        """CreateJob."""
        job, warning = self.backend.create_job(
            job_type=self._required("JobType"),
            manifest=self._required("Manifest"),
            validate_only=bool(self._get_param("ValidateOnly")),
            access_key=self._access_key(),
        )
        answer: dict[str, Any] = {"JobType": "Export", "ArtifactList": []}
        if job is not None:
            answer |= {
                "JobId": job.job_id,
                "Signature": job.signature,
                "SignatureFileContents": job.signature_file,
            }
        return ActionResult(_with_warning(answer, warning))

    def update_job(self) -> ActionResult:
        """UpdateJob."""
        warning = self.backend.update_job(
            job_id=self._get_param("JobId"),
            job_type=self._required("JobType"),
            manifest=self._required("Manifest"),
            validate_only=bool(self._get_param("ValidateOnly")),
            access_key=self._access_key(),
        )
        answer = {"Success": True, "ArtifactList": []}
        return ActionResult(_with_warning(answer, warning))

    def cancel_job(self) -> ActionResult:
        """CancelJob."""
        self.backend.cancel_job(self._get_param("JobId"))
        return ActionResult({"Success": True})

    def get_status(self) -> ActionResult:
        """GetStatus."""
        status = self.backend.get_status(self._get_param("JobId")).status()
        return ActionResult({k: v for k, v in status.items() if v is not None})

    def list_jobs(self) -> ActionResult:
        """ListJobs."""
        most = self._get_param("MaxJobs", _DEFAULT_PAGE)
        jobs, truncated = self.backend.list_jobs(most, self._get_param("Marker"))
        return ActionResult(
            {
                "Jobs": [
                    {
                        "JobId": job.job_id,
                        "CreationDate": job.created,
                        "IsCanceled": job.progress == "Canceled",
                        "JobType": job.job_type,
                    }
                    for job in jobs
                ],
                "IsTruncated": truncated,
            }
        )

    def get_shipping_label(self) -> ActionResult:
        """GetShippingLabel."""
        address = {
            name: value for name in _ADDRESS_FIELDS if (value := self._get_param(name))
        }
        url = self.backend.shipping_label(self._get_param("jobIds") or [], address)
        return ActionResult({"ShippingLabelURL": url})

    def _required(self, name: str) -> str:
        value = self._get_param(name)
        if value is None:
            raise refused("MissingParameter", f"{name} is missing")
        return str(value)

    def _access_key(self) -> str:
        return str(self.get_access_key())

    @classmethod
    def facility(cls, request: Any, full_url: str, headers: Any) -> Any:
        """Answer the loading facility: JSON in, JSON out, no part of AWS's protocol."""
        response = cls()
        response.setup_class(request, full_url, headers)
        call = json.loads(request.data)
        try:
            if call["event"] == "refuse":
                response.backend.refusals.ask_for(**call["details"])
                return 200, {}, "{}"
            status = _told(response.backend, **call)
        except ServiceException as error:
            return 400, {}, json.dumps({"error": error.message})
        return 200, {}, json.dumps(status)


def _told(
    backend: ImportExportBackend, event: str, job_id: str, details: dict[str, Any]
) -> dict[str, Any]:
    """Note what happened to a job's device; return the job's status."""
    match event:
        case "received":
            backend.receive(job_id)
        case "started":
            backend.start(job_id)
        case "finished":
            backend.finish(job_id, **details)
        case "returned":
            backend.send_back(job_id, **details)
    status = backend.get_status(job_id).status()
    return {**status, "CreationDate": status["CreationDate"].isoformat()}


def _with_warning(answer: dict[str, Any], warning: str) -> dict[str, Any]:
    return {**answer, "WarningMessage": warning} if warning else answer
