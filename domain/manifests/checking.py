"""Hold a manifest's nodes against the table of fields, and find every problem at once.

`check` reads what can be read, whatever else is wrong: a misspelt customs section does
not keep `verify-backup` from knowing what was exported.
"""

import re
from collections.abc import Iterator, Sequence

from s3export.domain.backup_layout import Substitution
from s3export.domain.errors import Problem
from s3export.domain.jobs import ManifestText
from s3export.domain.manifests import lints, rules
from s3export.domain.manifests.checked import CheckedManifest
from s3export.domain.manifests.countries import has_states
from s3export.domain.manifests.fields import (
    ADDRESS,
    CUSTOMS,
    OPERATION,
    SECRETS,
    TOP,
)
from s3export.domain.manifests.findings import Findings, Section, secrets_of
from s3export.domain.manifests.model import (
    DEFAULT_RECOVERY_DIRECTORY,
    LOG_NAME,
    Address,
    Customs,
    Manifest,
    Operation,
)
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar
from s3export.domain.manifests.sections import check_fields, items_of, section_of
from s3export.domain.secret import Secret

LONGEST_LOG_KEY_BYTES = 1024
"""Developer Guide: ``logPrefix`` + ``export-log-`` + job id, counted in UTF-8."""

_JOB_ID_BYTES = 5
"""The length of every job id in AWS's documentation."""


def check(
    name: str, text: ManifestText, root: Node, found: Sequence[Problem] = ()
) -> CheckedManifest:
    """Check a manifest.

    Args:
        name: What the operator calls it (a path); for messages.
        text: The original text.
        root: Its nodes.
        found: What the reader of the text has found already.

    """
    findings = Findings(secrets_of(root), list(found))
    manifest = None
    if isinstance(root, Fields):
        manifest = _manifest(text, Section(root, "", findings))
    else:
        what = "a list" if isinstance(root, Items) else "a single piece of text"
        advice = (
            "is this the manifest's path in place of its content?"
            if isinstance(root, Scalar)
            else "write fields, such as manifestVersion: 2.0"
        )
        findings.note(
            rules.MALFORMED,
            root,
            "",
            f"the manifest is {what}, not a list of fields",
            advice,
        )
    return CheckedManifest(name, root, manifest, tuple(sorted(findings.problems)))


def _manifest(text: ManifestText, top: Section) -> Manifest | None:
    check_fields(top, TOP)
    if not top.text("trueCryptPassword") and not top.text("pinCode"):
        _report_no_encryption(top)
    prefix = top.text("logPrefix")
    if len((prefix + LOG_NAME).encode()) + _JOB_ID_BYTES > LONGEST_LOG_KEY_BYTES:
        top.note(
            rules.LOG_KEY_TOO_LONG,
            "logPrefix",
            f"the log's key would take more than {LONGEST_LOG_KEY_BYTES:,} bytes",
            "shorten it",
        )
    operations = tuple(items_of(top, "operations"))
    for operation in operations:
        check_fields(operation, OPERATION)
    for address in section_of(top, "returnAddress"):
        _check_address(address)
    for customs in section_of(top, "customs"):
        _check_customs(customs)
    manifest = Manifest(
        text=text,
        operations=tuple(_operation(section, top) for section in operations),
        return_address=next(
            (_address(section) for section in section_of(top, "returnAddress")),
            Address("", "", "", "", "", ""),
        ),
        version=top.text("manifestVersion"),
        device_id=top.text("deviceId"),
        file_system=top.text("fileSystem"),
        log_bucket=top.text("logBucket"),
        log_prefix=prefix,
        notification_email=top.text("notificationEmail"),
        truecrypt_password=_secret(top, "trueCryptPassword"),
        pin_code=_secret(top, "pinCode"),
        recovery_directory=top.text("recoveryDirectory") or DEFAULT_RECOVERY_DIRECTORY,
        service_level=top.text("serviceLevel") or "standard",
        generator=top.text("generator"),
        access_key_id=top.text("accessKeyId"),
        substitutions=tuple(_substitutions(top)),
        customs=next(
            (_customs(section) for section in section_of(top, "customs")), None
        ),
    )
    lints.look(manifest, top, operations)
    usable = all(operation.bucket for operation in manifest.operations)
    return manifest if usable and manifest.operations else None


# --- what is particular ----------------------------------------------------------


def _report_no_encryption(top: Section) -> None:
    given = [name for name in sorted(SECRETS) if top.node(name) is not None]
    if any(not isinstance(top.node(name), Scalar) for name in given):
        return  # what stands there has been reported
    if given:
        top.note(rules.NOT_ENCRYPTED, given[-1], "is empty", "put it in quotes")
        return
    top.findings.note(
        rules.NOT_ENCRYPTED,
        top.fields,
        "trueCryptPassword",
        "neither trueCryptPassword nor pinCode is given",
        "AWS exports only to an encrypted device",
    )


_PO_BOX = re.compile(r"\b(P\.?\s*O\.?|POST\s+OFFICE)\s*BOX\b", re.IGNORECASE)


def _check_address(section: Section) -> None:
    check_fields(section, ADDRESS)
    country = section.text("country")
    if has_states(country) and not section.text("stateOrProvince"):
        name = "stateOrProvince"
        section.note(rules.MISSING, name, f"is missing, and {country} needs it")
    for name in ("street1", "street2", "street3"):
        if _PO_BOX.search(section.text(name)):
            advice = "parcels need a street"
            section.note(rules.ADDRESS, name, "is a PO box", advice)


def _check_customs(section: Section) -> None:
    check_fields(section, CUSTOMS)
    encrypted = section.text("encryptedData").lower() == "yes"
    if encrypted and not section.text("encryptionClassification"):
        section.note(
            rules.CUSTOMS_MISSING,
            "encryptionClassification",
            "is missing, and encrypted data needs it",
            "such as 5D992",
        )


# --- the model -------------------------------------------------------------------


def _operation(section: Section, top: Section) -> Operation:
    target = section.node("targetDirectory") or top.node("targetDirectory")
    return Operation(
        bucket=section.text("exportBucket"),
        prefix=section.text("prefix"),
        begin_marker=section.text("beginMarker"),
        end_marker=section.text("endMarker"),
        target_directory=target.text if isinstance(target, Scalar) else None,
    )


def _address(section: Section) -> Address:
    return Address(
        name=section.text("name"),
        company=section.text("company"),
        street1=section.text("street1"),
        street2=section.text("street2"),
        street3=section.text("street3"),
        city=section.text("city"),
        state_or_province=section.text("stateOrProvince"),
        postal_code=section.text("postalCode"),
        phone_number=section.text("phoneNumber"),
        country=section.text("country"),
    )


def _customs(section: Section) -> Customs:
    return Customs(
        data_description=section.text("dataDescription"),
        encrypted_data=section.text("encryptedData").lower() == "yes",
        encryption_classification=section.text("encryptionClassification"),
        export_certifier_name=section.text("exportCertifierName"),
        requires_export_license=section.text("requiresExportLicense").lower() == "yes",
        device_value=section.text("deviceValue"),
        device_country_of_origin=section.text("deviceCountryOfOrigin"),
        device_type=section.text("deviceType"),
        device_hts=section.text("deviceHTS"),
        type_of_export=section.text("typeOfExport"),
    )


def _substitutions(top: Section) -> Iterator[Substitution]:
    for section in section_of(top, "substitutions"):
        for key, value in section.fields.fields:
            if not isinstance(value, Scalar):
                message = "is not one text that stands in the place of another"
                section.findings.note(rules.INVALID, value, section.path, message)
                continue
            yield Substitution(key.text, value.text)


def _secret(top: Section, name: str) -> Secret | None:
    text = top.text(name)
    return Secret(text) if text else None
