"""The emulated service's rules for manifests, field by field."""

import pytest
from moto.core.exceptions import ServiceException
from samples import MANIFEST

from s3export.entrypoints.sandbox.importexport.manifest import AcceptedManifest, accept

CUSTOMS = """\
customs:
  dataDescription: Backups
  encryptedData: yes
  encryptionClassification: 5D992
  exportCertifierName: Jo Operator
  requiresExportLicense: no
  deviceValue: 250.00
  deviceCountryOfOrigin: Brazil
  deviceType: externalStorageDevice
  deviceHTS: 8471.70.4065
  typeOfExport: return
"""
ABROAD = MANIFEST.replace("USA", "Germany") + CUSTOMS
FULL = (
    ABROAD.replace("  name: Jo", "  company: An Example\n  name: Jo")
    .replace("  city:", "  street2: Second floor\n  street3: Left\n  city:")
    .replace(
        "exportBucket: foo-bucket",
        "exportBucket: foo-bucket\n    prefix: a/\n    beginMarker: a/b\n"
        "    endMarker: a/c\n    targetDirectory: x",
    )
    + """\
generator: by hand
accessKeyId: AKIAIOSFODNN7EXAMPLE
serviceLevel: standard
trueCryptPassword: correct horse
targetDirectory: /
recoveryDirectory: LostAndFound
substitutions:
  "$COLON$" : ":"
"""
)


def without(manifest: str, field: str) -> str:
    """Return the manifest without the line of a field."""
    name = field.rpartition(".")[2]
    lines = manifest.splitlines(keepends=True)
    rest = [line for line in lines if not line.strip(" -").startswith(f"{name}:")]
    assert len(rest) == len(lines) - 1
    return "".join(rest)


def with_value(manifest: str, field: str, value: str) -> str:
    """Return the manifest with another value of a field."""
    name = field.rpartition(".")[2]
    lines = manifest.splitlines(keepends=True)
    places = [i for i, x in enumerate(lines) if x.strip(" -").startswith(f"{name}:")]
    place = places[-1] if field.startswith(("returnAddress", "customs")) else places[0]
    lines[place] = f"{lines[place].partition(':')[0]}:{value}\n"
    return "".join(lines)


def code_of(manifest: str) -> str:
    """Return the code that a manifest is refused with, or nothing."""
    try:
        accept(manifest)
    except ServiceException as error:
        return error.code.removesuffix("Exception")
    return ""


REQUIRED = {
    "manifestVersion": "MissingManifestField",
    "deviceId": "MissingManifestField",
    "fileSystem": "MissingManifestField",
    "logBucket": "MissingManifestField",
    "notificationEmail": "MissingManifestField",
    "operations[0].exportBucket": "MissingManifestField",
    "returnAddress.name": "MissingManifestField",
    "returnAddress.street1": "MissingManifestField",
    "returnAddress.city": "MissingManifestField",
    "returnAddress.postalCode": "MissingManifestField",
    "returnAddress.phoneNumber": "MissingManifestField",
    "returnAddress.country": "MissingManifestField",
    "customs.dataDescription": "MissingCustoms",
    "customs.encryptedData": "MissingCustoms",
    "customs.encryptionClassification": "MissingCustoms",
    "customs.exportCertifierName": "MissingCustoms",
    "customs.requiresExportLicense": "MissingCustoms",
    "customs.deviceValue": "MissingCustoms",
    "customs.deviceCountryOfOrigin": "MissingCustoms",
    "customs.deviceType": "MissingCustoms",
}
OPTIONAL = {
    "generator": "InvalidManifestField",
    "accessKeyId": "InvalidManifestField",
    "logPrefix": "InvalidManifestField",
    "serviceLevel": "InvalidManifestField",
    "trueCryptPassword": "InvalidManifestField",
    "pinCode": "InvalidManifestField",
    "recoveryDirectory": "InvalidManifestField",
    "operations[0].prefix": "InvalidManifestField",
    "operations[0].beginMarker": "InvalidManifestField",
    "operations[0].endMarker": "InvalidManifestField",
    "returnAddress.company": "InvalidAddress",
    "returnAddress.street2": "InvalidAddress",
    "returnAddress.street3": "InvalidAddress",
    "returnAddress.stateOrProvince": "InvalidAddress",
    "customs.deviceHTS": "InvalidCustoms",
    "customs.typeOfExport": "InvalidCustoms",
}


def test_a_manifest_with_every_documented_field_is_accepted() -> None:
    """The samples of this module are right before something in them is wrong."""
    assert accept(FULL) == AcceptedManifest(
        log_bucket="export-log-bucket",
        log_prefix="logs/",
        export_buckets=("foo-bucket",),
        access_key_id="AKIAIOSFODNN7EXAMPLE",
    )


@pytest.mark.parametrize(("field", "code"), REQUIRED.items())
def test_a_required_field_is_there_and_not_empty(field: str, code: str) -> None:
    """One that is not there is told like one without a value."""
    if field == "operations[0].exportBucket":
        assert code_of(FULL.replace("exportBucket: foo-bucket", "other: x")) == code
    else:
        assert code_of(without(FULL, field)) == code
    for nothing in ("", " ''", ' ""', "   # to be filled in"):
        assert code_of(with_value(FULL, field, nothing)) == code


@pytest.mark.parametrize("field", OPTIONAL)
def test_an_optional_field_may_be_empty_or_not_there(field: str) -> None:
    """AWS's own template leaves ``street2:`` empty."""
    assert code_of(without(FULL, field)) == ""
    for nothing in ("", " ''"):
        assert code_of(with_value(FULL, field, nothing)) == ""


TYPES = OPTIONAL | {
    name: {"customs": "InvalidCustoms", "returnAddress": "InvalidAddress"}.get(
        name.partition(".")[0], "InvalidManifestField"
    )
    for name in REQUIRED
}


@pytest.mark.parametrize("value", [" [a, b]", " {a: b}"])
@pytest.mark.parametrize(
    ("field", "code"), (TYPES | {"fileSystem": "InvalidFileSystem"}).items()
)
def test_a_field_is_a_single_text(field: str, code: str, value: str) -> None:
    """A list or fields within it, such as a placeholder in brackets, are refused."""
    assert code_of(with_value(FULL, field, value)) == code


@pytest.mark.parametrize("place", ["operations", "top"])
def test_a_target_directory_may_stand_in_both_places(place: str) -> None:
    """AWS's template has it at the top, the reference in an operation."""
    inside, top = "    targetDirectory: x\n", "targetDirectory: /\n"
    mine = inside if place == "operations" else top
    assert code_of(FULL.replace(inside, "").replace(top, "") + top) == ""
    assert code_of(FULL.replace(mine, "")) == ""

    refused = FULL.replace(mine, mine.replace(": ", ": [a, ").replace("\n", "]\n"))

    assert code_of(refused) == "InvalidManifestField"


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.3", "2.0", "2.0;", "3", "'2.0'"])
def test_any_version_is_accepted(version: str) -> None:
    """AWS's own tests and samples write other versions than the guide."""
    assert code_of(MANIFEST.replace("2.0", version)) == ""


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("operations:\n  - exportBucket: foo-bucket", "operations:", "Missing"),
        ("operations:\n  - exportBucket: foo-bucket", "operations: []", "Missing"),
        ("operations:\n  - exportBucket: foo-bucket", "operations: foo", "Invalid"),
        ("- exportBucket: foo-bucket", "- foo-bucket", "Missing"),
        ("foo-bucket", "foo-bucket\n  - prefix: a/", "Missing"),
        ("pinCode: 0123\n", "", "Missing"),
        ("pinCode: 0123", "pinCode:", "Missing"),
    ],
)
def test_what_to_export_and_how_to_encrypt_it_must_be_said(
    old: str, new: str, code: str
) -> None:
    """Each operation has its bucket; a password or a PIN is there."""
    assert code_of(MANIFEST.replace(old, new)) == f"{code}ManifestField"


@pytest.mark.parametrize(
    ("addition", "code"),
    [
        ("substitutions:\n", ""),
        ('substitutions:\n  "a": ""\n  "b" : c\n', ""),
        ("substitutions: a\n", "InvalidManifestField"),
        ("substitutions: [a, b]\n", "InvalidManifestField"),
        ("substitutions:\n  a: [b]\n", "InvalidManifestField"),
        ("serviceLevel: expeditedShipping\n", ""),
        ("serviceLevel: Standard\n", "InvalidManifestField"),
        ("trueCryptPassword: both may be there\n", ""),
        ("eraseDevice: [perhaps]\nbucket: no-such\nunknown: {a: b}\n", ""),
        ("customs:\n", ""),
        ("customs: {}\n", ""),
        ("customs: [a]\n", "InvalidCustoms"),
    ],
)
def test_what_may_be_added(addition: str, code: str) -> None:
    """Fields of imports and unknown ones are not looked at; the others are."""
    assert code_of(MANIFEST + addition) == code


@pytest.mark.parametrize(
    ("file_system", "code"),
    [
        ("NTFS", ""),
        ("EXT4", ""),
        ("ext4", "InvalidFileSystem"),
        ("FAT32", "InvalidFileSystem"),
    ],
)
def test_the_file_system_is_one_of_two(file_system: str, code: str) -> None:
    """They are written in capitals."""
    assert code_of(MANIFEST.replace("EXT4", file_system)) == code


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("x" * 1008, ""),
        ("x" * 1009, "InvalidManifestField"),
        ("é" * 504, ""),
        ("é" * 505, "InvalidManifestField"),
    ],
)
def test_a_logs_name_has_1024_bytes_at_most(prefix: str, code: str) -> None:
    """They are counted in UTF-8, ``export-log-`` and five of a job's id included."""
    assert code_of(MANIFEST.replace("logs/", prefix)) == code


@pytest.mark.parametrize("country", ["USA", "us", "U.S.A.", "United  States", "Canada"])
def test_the_usa_and_canada_have_states(country: str) -> None:
    """Other countries may go without one."""
    manifest = FULL.replace("Germany", country)

    assert code_of(manifest) == ""
    assert code_of(without(manifest, "stateOrProvince")) == "MissingManifestField"
    assert code_of(without(FULL, "stateOrProvince")) == ""


@pytest.mark.parametrize("street", ["street1", "street2", "street3"])
@pytest.mark.parametrize("box", ["PO Box 1", "P.O. box 1", "Post Office Box 1"])
def test_no_parcel_reaches_a_po_box(street: str, box: str) -> None:
    """It may stand in any line of the street."""
    manifest = with_value(FULL, f"returnAddress.{street}", f" {box}")

    assert code_of(manifest) == "InvalidAddress"
    assert code_of(FULL.replace("1 Example Street", "1 Po Boxer Road")) == ""


@pytest.mark.parametrize("address", [" somewhere", " [a, b]"])
def test_an_address_is_fields(address: str) -> None:
    """One line or a list is no address; none at all is a missing field."""
    flat = "".join(
        line
        for line in MANIFEST.splitlines(keepends=True)
        if not line.startswith("  ") or "exportBucket" in line
    )

    assert code_of(flat) == "MissingManifestField"
    assert code_of(flat.replace("returnAddress:", f"returnAddress:{address}")) == (
        "InvalidAddress"
    )


@pytest.mark.parametrize("country", ["Germany", "Canada", "Singapore", "Ireland"])
def test_customs_are_needed_outside_the_usa(country: str) -> None:
    """The emulation loads every device in the USA."""
    abroad = MANIFEST.replace("USA", country)

    assert code_of(abroad) == "MissingCustoms"
    assert code_of(abroad + "customs:\n") == "MissingCustoms"
    assert code_of(abroad + CUSTOMS) == ""
    assert code_of(MANIFEST.replace("USA", "United States of America")) == ""


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("encryptedData", ["yes", "Yes", "NO", "no"], ["true", "y", "perhaps"]),
        ("requiresExportLicense", ["yes", "YES", "No"], ["false", "n", "none"]),
        ("deviceValue", ["250.00", "250", "0.5"], ["$250", "250 USD", "-1", "1,000"]),
        (
            "deviceType",
            ["externalStorageDevice", "usbFlashDrive", "sataDrive"],
            ["tape", "SataDrive", "sataDrive|usbFlashDrive"],
        ),
        ("typeOfExport", ["return", "permanent", "temporary"], ["Return", "gift"]),
        ("deviceHTS", ["8471.70.2000", "anything"], []),
    ],
)
def test_customs_have_the_documented_values(
    field: str, right: list[str], wrong: list[str]
) -> None:
    """At home, too, customs that are given are checked."""
    for manifest in (FULL, FULL.replace("Germany", "USA")):
        for value in right:
            assert code_of(with_value(manifest, f"customs.{field}", f" {value}")) == ""
        for value in wrong:
            changed = with_value(manifest, f"customs.{field}", f" {value}")
            assert code_of(changed) == "InvalidCustoms"


def test_data_that_is_not_encrypted_has_no_classification() -> None:
    """EncryptionClassification is needed only where encryptedData is yes."""
    plain = FULL.replace("encryptedData: yes", "encryptedData: No")

    assert code_of(without(plain, "encryptionClassification")) == ""
