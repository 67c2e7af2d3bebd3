"""What customs must be told of a device that goes abroad.

Source: AWS Import/Export Developer Guide, "Customs manifest file option for
international shipments" and "Errors": MissingCustoms where a required parameter is not
there, InvalidCustoms where one is invalid. Ours is that customs are checked where they
are given though no border is passed, that yes and no are written in any case and the
other enumerated values exactly so, that a number has no sign, unit or separator, and
that deviceHTS and encryptionClassification may be any text.
"""

import re
from collections.abc import Mapping

from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest_text import (
    check_given,
    check_texts,
)
from s3export.entrypoints.sandbox.importexport.return_address import is_abroad

_REQUIRED = (
    "dataDescription",
    "encryptedData",
    "exportCertifierName",
    "requiresExportLicense",
    "deviceValue",
    "deviceCountryOfOrigin",
    "deviceType",
)
_TEXTS = (*_REQUIRED, "encryptionClassification", "deviceHTS", "typeOfExport")
_DEVICE_TYPES = ("externalStorageDevice", "usbFlashDrive", "sataDrive")
_TYPES_OF_EXPORT = ("", "return", "permanent", "temporary")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def check_customs(customs: object, address: Mapping[str, str]) -> None:
    """Refuse customs that are missing for the address, or wrong."""
    if not customs:
        if is_abroad(address["country"]):
            raise refused(
                "MissingCustoms", "customs is missing: the device goes abroad"
            )
        return
    if not isinstance(customs, Mapping):
        raise refused("InvalidCustoms", "customs is not fields")
    check_given(customs, _REQUIRED, "MissingCustoms", "customs.")
    check_texts(customs, _TEXTS, "InvalidCustoms", "customs.")
    for name in ("encryptedData", "requiresExportLicense"):
        if customs[name].lower() not in ("yes", "no"):
            raise refused("InvalidCustoms", f"customs.{name} is neither yes nor no")
    if customs["encryptedData"].lower() == "yes":
        check_given(
            customs, ("encryptionClassification",), "MissingCustoms", "customs."
        )
    if not _NUMBER.fullmatch(customs["deviceValue"]):
        raise refused("InvalidCustoms", "customs.deviceValue is not a number")
    if customs["deviceType"] not in _DEVICE_TYPES:
        raise refused(
            "InvalidCustoms",
            f"customs.deviceType is none of {', '.join(_DEVICE_TYPES)}",
        )
    if customs.get("typeOfExport", "") not in _TYPES_OF_EXPORT:
        raise refused(
            "InvalidCustoms",
            "customs.typeOfExport is none of return, permanent, temporary",
        )
