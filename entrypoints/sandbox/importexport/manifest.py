"""How the service reads an export manifest, and what it refuses it for.

Independent of the product's own reading on purpose: the two are held against each
other. Source: AWS Import/Export Developer Guide, "Manifest file reference" and
"Errors"; the order of the checks is ours.

A refusal names a line or a field and repeats no value: in a manifest that is wrong, a
password may stand anywhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from s3export.entrypoints.sandbox.importexport.exceptions import (
    ImportExportError,
    refused,
)

NOT_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no reply can carry (XML 1.0, "Char"); YAML can write it as an escape."""

_REQUIRED = ("manifestVersion", "deviceId", "fileSystem", "logBucket", "operations")
_TEXTS = ("accessKeyId", "deviceId", "logBucket", "logPrefix", "manifestVersion")
_ADDRESS_REQUIRED = ("name", "street1", "city", "postalCode", "phoneNumber", "country")
_ADDRESS_TEXTS = (*_ADDRESS_REQUIRED, "street2", "street3", "stateOrProvince")
_CUSTOMS_REQUIRED = (
    "dataDescription",
    "encryptedData",
    "exportCertifierName",
    "requiresExportLicense",
    "deviceValue",
    "deviceCountryOfOrigin",
    "deviceType",
)
_DEVICE_TYPES = ("externalStorageDevice", "usbFlashDrive", "sataDrive")
_DOMESTIC = ("USA", "US", "UNITED STATES", "UNITED STATES OF AMERICA")
_WITH_STATES = (*_DOMESTIC, "CANADA")
_PO_BOX = re.compile(r"\bP\.?\s*O\.?\s*BOX\b", re.IGNORECASE)
_LONGEST_LOG_KEY = 1024  # bytes of logPrefix + export-log-JOBID
_JOB_ID_BYTES = 5

_KNOWN = (
    "manifestVersion|generator|accessKeyId|deviceId|fileSystem|serviceLevel|logBucket|"
    "logPrefix|notificationEmail|trueCryptPassword|pinCode|targetDirectory|"
    "recoveryDirectory|exportBucket|prefix|beginMarker|endMarker|name|company|"
    "street[123]|city|stateOrProvince|postalCode|phoneNumber|country|dataDescription|"
    "encryptedData|encryptionClassification|exportCertifierName|requiresExportLicense|"
    "deviceValue|deviceCountryOfOrigin|deviceType|deviceHTS|typeOfExport"
)
_NO_BLANK = re.compile(rf"^([ \t]*(?:- *)?(?:{_KNOWN})):(?=[^\s])", re.MULTILINE)


@dataclass(frozen=True)
class AcceptedManifest:
    """What the service needs to know of a manifest that it accepted."""

    log_bucket: str
    export_buckets: tuple[str, ...]
    access_key_id: str


def accept(text: str) -> AcceptedManifest:
    """Read and check a manifest.

    Raises:
        ServiceException: The first thing wrong, with its code.
    """
    fields = _read(text)
    for name in _REQUIRED:
        if not fields.get(name):
            raise refused("MissingManifestField", f"{name} is missing")
    _check_texts(fields, _TEXTS, "InvalidManifestField", "")
    if not fields.get("trueCryptPassword") and not fields.get("pinCode"):
        raise refused(
            "MissingManifestField",
            "trueCryptPassword or pinCode is needed: the device must be encrypted",
        )
    if fields["fileSystem"] not in ("NTFS", "EXT4"):
        raise refused("InvalidFileSystem", "fileSystem is neither NTFS nor EXT4")
    level = fields.get("serviceLevel", "standard")
    if level not in ("standard", "expeditedShipping"):
        raise refused(
            "InvalidManifestField",
            "serviceLevel is neither standard nor expeditedShipping",
        )
    log_key = len(f"{fields.get('logPrefix', '')}export-log-".encode()) + _JOB_ID_BYTES
    if log_key > _LONGEST_LOG_KEY:
        raise refused("InvalidManifestField", "logPrefix is too long: 1024 bytes")
    buckets = tuple(_buckets(fields["operations"]))
    check_address(fields.get("returnAddress"))
    _check_customs(fields)
    return AcceptedManifest(fields["logBucket"], buckets, fields.get("accessKeyId", ""))


def check_address(address: object) -> None:
    """Refuse an address that no parcel reaches."""
    if not isinstance(address, Mapping):
        raise refused("MissingManifestField", "returnAddress is missing")
    _check_texts(address, _ADDRESS_TEXTS, "InvalidAddress", "returnAddress.")
    for name in _ADDRESS_REQUIRED:
        if not address.get(name):
            raise refused("InvalidAddress", f"returnAddress.{name} is missing")
    if address["country"].upper() in _WITH_STATES and not address.get(
        "stateOrProvince"
    ):
        raise refused("InvalidAddress", "returnAddress.stateOrProvince is missing")
    if any(_PO_BOX.search(address.get(f"street{n}", "")) for n in (1, 2, 3)):
        raise refused("InvalidAddress", "returnAddress is a PO box")


def _buckets(operations: object) -> Sequence[str]:
    if not isinstance(operations, list):
        raise refused("InvalidManifestField", "operations is not a list")
    buckets = []
    for number, operation in enumerate(operations):
        if not isinstance(operation, Mapping) or not operation.get("exportBucket"):
            raise refused(
                "MissingManifestField", f"operations[{number}].exportBucket is missing"
            )
        _check_texts(
            operation,
            ("exportBucket",),
            "InvalidManifestField",
            f"operations[{number}].",
        )
        buckets.append(operation["exportBucket"])
    return buckets


def _check_customs(fields: Mapping[str, Any]) -> None:
    customs = fields.get("customs")
    if customs is None:
        if fields["returnAddress"]["country"].upper() not in _DOMESTIC:
            raise refused(
                "MissingCustoms", "customs is missing: the device goes abroad"
            )
        return
    if not isinstance(customs, Mapping):
        raise refused("InvalidCustoms", "customs is not a list of fields")
    _check_texts(customs, _CUSTOMS_REQUIRED, "InvalidCustoms", "customs.")
    for name in _CUSTOMS_REQUIRED:
        if not customs.get(name):
            raise refused("InvalidCustoms", f"customs.{name} is missing")
    for name in ("encryptedData", "requiresExportLicense"):
        if customs[name].lower() not in ("yes", "no"):
            raise refused("InvalidCustoms", f"customs.{name} is neither yes nor no")
    if customs["encryptedData"].lower() == "yes" and not customs.get(
        "encryptionClassification"
    ):
        raise refused("InvalidCustoms", "customs.encryptionClassification is missing")
    if customs["deviceType"] not in _DEVICE_TYPES:
        raise refused(
            "InvalidCustoms", f"customs.deviceType: {', '.join(_DEVICE_TYPES)}"
        )


def _check_texts(
    fields: Mapping[str, Any], names: Sequence[str], code: str, where: str
) -> None:
    for name in names:
        value = fields.get(name, "")
        if not isinstance(value, str):
            raise refused(code, f"{where}{name} is a list, not a text")
        if NOT_IN_XML.search(value):
            raise refused(code, f"{where}{name} has a character that XML cannot carry")


def _read(text: str) -> dict[str, Any]:
    """Read YAML with every scalar as text; ``key:value`` is a field, too."""
    text = _NO_BLANK.sub(r"\1: ", text)
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _malformed(f": line {mark.line + 1}" if mark else "") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _malformed(f": line {line}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        # nested too deeply, or with an escape beyond Unicode
        raise _malformed() from error
    if not isinstance(node, yaml.MappingNode):
        raise _malformed()
    value = _plain(node, set())
    assert isinstance(value, dict)  # a mapping node becomes a dictionary
    return value


def _malformed(detail: str = "") -> ImportExportError:
    return refused("MalformedManifest", f"Your manifest is not well-formed{detail}")


def _plain(node: yaml.Node, seen: set[int]) -> Any:
    if id(node) in seen:
        raise refused("MalformedManifest", "Your manifest uses an alias")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        fields: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in fields:
                line = key.start_mark.line + 1
                raise refused(
                    "MalformedManifest", f"the field in line {line} occurs twice"
                )
            fields[name] = _plain(value, seen)
        return fields
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    return node.value
