"""Write a manifest: commented, in the order of AWS's own template.

What is not known yet stays to be filled in, as ``[fill in]``, which checking finds.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from s3export.domain.manifests.fields import (
    ADDRESS,
    CUSTOMS,
    OPERATION,
    SECRETS,
    TOP,
    Field,
    Kind,
)
from s3export.domain.manifests.loading import USED
from s3export.domain.manifests.model import Manifest, Operation

TO_FILL_IN = "[fill in]"

_WIDTH = 78  # columns of a comment
_PLAIN = re.compile(r"[A-Za-z][\w.@/-]*( [\w.@/-]+)*", re.ASCII)
_HEAD = "# Export manifest for AWS Import/Export (YAML)."
_HEAD_TO_LOAD = "# Manifest for s3export load-device (YAML): what is loaded, and how."
_CHECK = "# Check it with: s3export check-manifest FILE"

_TO_LOAD = ("manifestVersion", "generator", *USED)

_NOT_NEEDED_TO_LOAD = ("logBucket", "trueCryptPassword")
"""The disk has the log, and a password may come from elsewhere."""

_GUESSED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that a parser that guesses types (YAML 1.1) takes for no text."""


@dataclass(frozen=True)
class Draft:
    """The texts of a manifest's fields; what is absent has not been said yet.

    Attributes:
        customs: ``None`` for no such section; an empty one stays to be filled in.
        by_pin: A PIN stays to be filled in where no secret is given, and no password.
        to_load: For ``load-device``: without what AWS's jobs alone need, but where
            it is given.

    """

    top: Mapping[str, str] = field(default_factory=dict)
    operations: Sequence[Mapping[str, str]] = ()
    address: Mapping[str, str] = field(default_factory=dict)
    customs: Mapping[str, str] | None = None
    substitutions: Mapping[str, str] = field(default_factory=dict)
    by_pin: bool = False
    to_load: bool = False


def draft_of(manifest: Manifest) -> Draft:
    """Return what a manifest says, to be written anew."""
    password, pin = manifest.truecrypt_password, manifest.pin_code
    top = {
        "manifestVersion": manifest.version,
        "generator": manifest.generator,
        "accessKeyId": manifest.access_key_id,
        "deviceId": manifest.device_id,
        "fileSystem": manifest.file_system,
        "serviceLevel": manifest.service_level,
        "logBucket": manifest.log_bucket,
        "logPrefix": manifest.log_prefix,
        "notificationEmail": manifest.notification_email,
        "trueCryptPassword": password.reveal() if password else "",
        "pinCode": pin.reveal() if pin else "",
        "recoveryDirectory": manifest.recovery_directory,
    }
    address = manifest.return_address
    customs = manifest.customs
    return Draft(
        top=_said(top),
        operations=[_operation(operation) for operation in manifest.operations],
        address=_said(
            {
                "name": address.name,
                "company": address.company,
                "street1": address.street1,
                "street2": address.street2,
                "street3": address.street3,
                "city": address.city,
                "stateOrProvince": address.state_or_province,
                "postalCode": address.postal_code,
                "phoneNumber": address.phone_number,
                "country": address.country,
            }
        ),
        customs=None
        if customs is None
        else _said(
            {
                "dataDescription": customs.data_description,
                "encryptedData": "yes" if customs.encrypted_data else "no",
                "encryptionClassification": customs.encryption_classification,
                "exportCertifierName": customs.export_certifier_name,
                "requiresExportLicense": "yes"
                if customs.requires_export_license
                else "no",
                "deviceValue": customs.device_value,
                "deviceCountryOfOrigin": customs.device_country_of_origin,
                "deviceType": customs.device_type,
                "deviceHTS": customs.device_hts,
                "typeOfExport": customs.type_of_export,
            }
        ),
        substitutions={each.part: each.instead for each in manifest.substitutions},
    )


def _operation(operation: Operation) -> Mapping[str, str]:
    said = _said(
        {
            "exportBucket": operation.bucket,
            "prefix": operation.prefix,
            "beginMarker": operation.begin_marker,
            "endMarker": operation.end_marker,
        }
    )
    if operation.target_directory is not None:
        said["targetDirectory"] = operation.target_directory
    return said


def _said(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def write(draft: Draft) -> str:
    """Return a draft as the text of a manifest."""
    lines = [_HEAD, _CHECK]
    if draft.to_load:
        lines = [_HEAD_TO_LOAD, f"{_CHECK} --for load-device"]
    for row in _rows(draft):
        lines += ["", *_comment(row)]
        match row.name:
            case "operations":
                lines += ["operations:", *_operations(draft.operations)]
            case "returnAddress":
                lines += ["returnAddress:", *_section(ADDRESS, draft.address)]
            case "customs" if draft.customs is not None:
                lines += ["customs:", *_section(CUSTOMS, draft.customs)]
            case "customs":
                lines += ["# customs: (written by new-manifest --customs)"]
            case "substitutions" if draft.substitutions:
                lines += ["substitutions:"]
                lines += [
                    f"  {_quoted(part)}: {_quoted(instead)}"
                    for part, instead in draft.substitutions.items()
                ]
            case "substitutions":
                lines += ["# substitutions:", '#   "$COLON$": ":"']
            case name if draft.to_load and name in _NOT_NEEDED_TO_LOAD:
                lines += [_line(row, draft.top, needed=False)]
            case _:
                lines += [_line(row, draft.top)]
    return "\n".join(lines) + "\n"


def _rows(draft: Draft) -> Iterator[Field]:
    for row in TOP:
        if row.kind is Kind.SECRET and row.name not in _secrets(draft):
            continue  # one of the two is enough
        if not draft.to_load or row.name in _TO_LOAD or _is_given(row.name, draft):
            yield row


def _is_given(name: str, draft: Draft) -> bool:
    sections = {"returnAddress": draft.address, "customs": draft.customs}
    return name in draft.top or bool(sections.get(name))


def _secrets(draft: Draft) -> Sequence[str]:
    given = [name for name in sorted(SECRETS) if name in draft.top]
    return given or ["pinCode" if draft.by_pin else "trueCryptPassword"]


def _operations(operations: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for operation in operations or [{}]:
        dash = "- "
        for row in OPERATION:
            if row.name in operation or row.required:
                yield f"  {dash}{_line(row, operation)}"
                dash = "  "
    if not any(len(operation) > 1 for operation in operations):
        for row in OPERATION[1:]:
            yield f"    # {row.name}: {row.example}    {row.about}"


def _section(rows: Sequence[Field], given: Mapping[str, str]) -> Iterator[str]:
    for row in rows:
        line = _line(row, given)
        about = f"    # {row.about}" if row.about and TO_FILL_IN in line else ""
        yield f"  {line}{about}"


def _line(row: Field, given: Mapping[str, str], *, needed: bool = True) -> str:
    if row.name in given:
        return f"{row.name}: {_scalar(row, given[row.name])}"
    if needed and (row.required or row.kind is Kind.SECRET):
        return f"{row.name}: {TO_FILL_IN}"
    return f"# {row.name}: {row.example}".rstrip()


def _comment(row: Field) -> Iterator[str]:
    about = row.about
    if row.values:
        about += f" {' or '.join(row.values)}."
    elif row.example and row.kind is Kind.TEXT:
        about += f" Such as: {row.example}"
    for line in textwrap.wrap(about, _WIDTH):
        yield f"# {line}"


def _scalar(row: Field, text: str) -> str:
    plain = bool(_PLAIN.fullmatch(text)) and text.lower() not in _GUESSED
    if row.kind is Kind.YES_NO or text in row.values:
        plain = True
    if row.kind is Kind.NUMBER and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        plain = True
    if row.kind is Kind.SECRET:
        plain = False
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    """Return text in quotes, escaped no more than it needs."""
    if text.isprintable():
        if not set('"\\') & set(text):
            return f'"{text}"'
        if "'" not in text:
            return f"'{text}'"
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}"
