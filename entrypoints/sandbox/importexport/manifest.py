"""What the service refuses an export manifest for.

Independent of the product's own rules on purpose: the two are held against each other.
Source: AWS Import/Export Developer Guide, "Manifest file options common to all job
types", "S3 export manifest file options" and "Errors", and AWS's S3 export manifest
template. Refused is what these pages say is refused, and what is none of the values
that they enumerate; all else is accepted. Where they are silent, ours is:

- the first fault is told: that a field is missing before that one is invalid;
- an optional field that is empty is one that is not there; fields of imports and
  unknown ones are not looked at;
- any manifestVersion is accepted: AWS's own SDK tests send 1.2, the guide 1.0 and 2.0;
- neither password nor PIN is a missing field; their form is not looked at, nor is that
  of e-mail addresses;
- targetDirectory may stand at the top, in an operation, or in both;
- ``NTFS``, ``EXT4`` and the service levels are written exactly so;
- expeditedShipping is accepted for every address, substitutions in every version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s3export.entrypoints.sandbox.importexport.customs import check_customs
from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest_text import (
    check_given,
    check_texts,
    read,
)
from s3export.entrypoints.sandbox.importexport.return_address import check_address

_REQUIRED = (
    "manifestVersion",
    "deviceId",
    "fileSystem",
    "logBucket",
    "notificationEmail",
    "operations",
    "returnAddress",
)
_TEXTS = (
    "manifestVersion",
    "generator",
    "accessKeyId",
    "deviceId",
    "logBucket",
    "logPrefix",
    "notificationEmail",
    "trueCryptPassword",
    "pinCode",
    "serviceLevel",
    "targetDirectory",
    "recoveryDirectory",
)
_OPERATION_TEXTS = (
    "exportBucket",
    "prefix",
    "beginMarker",
    "endMarker",
    "targetDirectory",
)
_FILE_SYSTEMS = ("NTFS", "EXT4")
_SERVICE_LEVELS = ("", "standard", "expeditedShipping")
_LONGEST_LOG_KEY = 1024  # bytes of logPrefix + export-log-JOBID
_JOB_ID_BYTES = 5


@dataclass(frozen=True)
class AcceptedManifest:
    """What the service needs to know of a manifest that it accepted."""

    log_bucket: str
    log_prefix: str
    export_buckets: tuple[str, ...]
    access_key_id: str


def accept(text: str) -> AcceptedManifest:
    """Read and check a manifest.

    Raises:
        ServiceException: The first thing wrong, with its code.
    """
    fields = read(text)
    check_given(fields, _REQUIRED, "MissingManifestField")
    if not fields.get("trueCryptPassword") and not fields.get("pinCode"):
        raise refused(
            "MissingManifestField",
            "trueCryptPassword or pinCode is needed: the device must be encrypted",
        )
    check_texts(fields, _TEXTS, "InvalidManifestField")
    _check_values(fields)
    _check_substitutions(fields.get("substitutions"))
    buckets = tuple(_buckets(fields["operations"]))
    check_address(fields["returnAddress"], missing="MissingManifestField")
    check_customs(fields.get("customs"), fields["returnAddress"])
    return AcceptedManifest(
        log_bucket=fields["logBucket"],
        log_prefix=fields.get("logPrefix", ""),
        export_buckets=buckets,
        access_key_id=fields.get("accessKeyId", ""),
    )


def _check_values(fields: Mapping[str, Any]) -> None:
    if fields["fileSystem"] not in _FILE_SYSTEMS:
        raise refused("InvalidFileSystem", "fileSystem is neither NTFS nor EXT4")
    if fields.get("serviceLevel", "") not in _SERVICE_LEVELS:
        raise refused(
            "InvalidManifestField",
            "serviceLevel is neither standard nor expeditedShipping",
        )
    log_key = len(f"{fields.get('logPrefix', '')}export-log-".encode()) + _JOB_ID_BYTES
    if log_key > _LONGEST_LOG_KEY:
        raise refused("InvalidManifestField", "logPrefix is too long: 1024 bytes")


def _check_substitutions(substitutions: object) -> None:
    if not substitutions:
        return
    if not isinstance(substitutions, Mapping) or not all(
        isinstance(text, str) for text in substitutions.values()
    ):
        raise refused(
            "InvalidManifestField", "substitutions is not pairs of single texts"
        )


def _buckets(operations: object) -> Sequence[str]:
    if not isinstance(operations, list):
        raise refused("InvalidManifestField", "operations is not a list")
    buckets = []
    for number, operation in enumerate(operations):
        where = f"operations[{number}]."
        if not isinstance(operation, Mapping):
            raise refused("MissingManifestField", f"{where}exportBucket is missing")
        check_given(operation, ("exportBucket",), "MissingManifestField", where)
        check_texts(operation, _OPERATION_TEXTS, "InvalidManifestField", where)
        buckets.append(operation["exportBucket"])
    return buckets
