"""Every field of an export manifest, in one table.

Checking, the template, the JSON Schema and the documentation are made from it. Source
of the fields, where no other is named: AWS Import/Export Developer Guide, "Manifest
file options: common", "... S3 export" and "... international", and the S3 export
template that AWS gave out; ``deviceHTS`` and ``typeOfExport`` stand in manifests that
AWS accepted (s3export_backup) and in no page that could be read.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from s3export.domain.file_systems import FILE_SYSTEMS

SERVICE_LEVELS = ("standard", "expeditedShipping")
DEVICE_TYPES = ("externalStorageDevice", "usbFlashDrive", "sataDrive")
TYPES_OF_EXPORT = ("return", "permanent", "temporary")


class Kind(enum.Enum):
    """What stands in a field."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes or no"
    SECRET = "secret"
    LIST = "list"
    SECTION = "section"


@dataclass(frozen=True)
class Field:
    """What is known of one field.

    Attributes:
        about: One sentence for people; also the template's comment.
        example: What could stand there; for the template and for advice.
        required: AWS refuses a manifest without it.
        values: The only values that are allowed; empty for any.

    """

    name: str
    about: str
    example: str = ""
    required: bool = False
    kind: Kind = Kind.TEXT
    values: tuple[str, ...] = ()


TOP = (
    Field(
        "manifestVersion",
        "The version of this form; 2.0 for S3.",
        "2.0",
        required=True,
        kind=Kind.NUMBER,
    ),
    Field("generator", "The program that wrote this manifest.", "s3export"),
    Field(
        "accessKeyId",
        "The key that signs the request; if it is given, no other key may.",
        "AKIAIOSFODNN7EXAMPLE",
    ),
    Field(
        "deviceId",
        "The disk's serial number, or a number of your own on a sticker on it.",
        "S/N 123XXXY1934883",
        required=True,
    ),
    Field(
        "fileSystem",
        "What AWS formats the disk with.",
        "EXT4",
        required=True,
        values=FILE_SYSTEMS,
    ),
    Field(
        "serviceLevel",
        "How the disk is sent back; expeditedShipping costs more and reaches "
        "addresses in the USA only.",
        "standard",
        values=SERVICE_LEVELS,
    ),
    Field(
        "logBucket",
        "The bucket that the export log is written to; in the region of the exported "
        "buckets.",
        "my-export-logs",
        required=True,
    ),
    Field(
        "logPrefix",
        "What the name of the export log begins with; no slash is added.",
        "logs/",
    ),
    Field(
        "notificationEmail",
        "Who is told how far the job is; several addresses are joined by semicolons.",
        "operator@example.com",
        required=True,
    ),
    Field(
        "trueCryptPassword",
        "The password of the container that AWS puts the data into. AWS cannot recover "
        "it; TrueCrypt takes at most 64 characters.",
        "a long password",
        kind=Kind.SECRET,
    ),
    Field(
        "pinCode",
        "The PIN of a disk that encrypts by itself; digits.",
        '"0123"',
        kind=Kind.SECRET,
    ),
    Field(
        "targetDirectory",
        "Where the data goes on the disk, for operations that do not say it.",
        "/",
    ),
    Field(
        "recoveryDirectory",
        "Where objects go whose keys cannot be names of files.",
        "EXPORT-RECOVERY",
    ),
    Field(
        "substitutions",
        "Parts of keys, and what stands in their place in the names of files.",
        kind=Kind.SECTION,
    ),
    Field(
        "operations",
        "What is exported, in this order.",
        "- exportBucket: my-bucket",
        required=True,
        kind=Kind.LIST,
    ),
    Field(
        "returnAddress",
        "Where the disk goes back to: a street address, no PO box.",
        required=True,
        kind=Kind.SECTION,
    ),
    Field(
        "customs",
        "For a disk that goes back to another country than the facility's.",
        kind=Kind.SECTION,
    ),
)

OPERATION = (
    Field("exportBucket", "The bucket to export.", "my-bucket", required=True),
    Field("prefix", "Only keys that begin with it.", "images/"),
    Field(
        "beginMarker", "Only keys after it in alphabetical order.", "images/jedi.jpg"
    ),
    Field("endMarker", "Only keys up to it, itself included.", "images/yoda.jpg"),
    Field(
        "targetDirectory",
        "Where the data goes on the disk, in place of /exportBucket.",
        "photos",
    ),
)

ADDRESS = (
    Field("name", "Who gets the parcel.", "Jo Operator", required=True),
    Field("company", "", "Example Ltd"),
    Field("street1", "No PO box.", "1 Example Street", required=True),
    Field("street2", ""),
    Field("street3", ""),
    Field("city", "", "Seattle", required=True),
    Field("stateOrProvince", "Needed for the USA and Canada.", "WA"),
    Field("postalCode", "", "98101", required=True),
    Field("phoneNumber", "With country code.", "+1 206-555-1000", required=True),
    Field("country", "", "USA", required=True),
)

CUSTOMS = (
    Field("dataDescription", "What the data is.", "Backups", required=True),
    Field(
        "encryptedData",
        "Whether the data is encrypted.",
        "yes",
        required=True,
        kind=Kind.YES_NO,
    ),
    Field(
        "encryptionClassification",
        "The export control class of the encryption; needed if encryptedData is yes.",
        "5D992",
    ),
    Field("exportCertifierName", "Who certifies this.", "Jo Operator", required=True),
    Field(
        "requiresExportLicense",
        "Whether the export needs a licence.",
        "no",
        required=True,
        kind=Kind.YES_NO,
    ),
    Field(
        "deviceValue",
        "The disk's value in US dollars.",
        "250.00",
        required=True,
        kind=Kind.NUMBER,
    ),
    Field(
        "deviceCountryOfOrigin",
        "Where the disk was made.",
        "Thailand",
        required=True,
    ),
    Field(
        "deviceType",
        "What the disk is.",
        "externalStorageDevice",
        required=True,
        values=DEVICE_TYPES,
    ),
    Field("deviceHTS", "The disk's tariff code.", "8471.70.4065"),
    Field(
        "typeOfExport",
        "For how long the disk leaves the country.",
        "return",
        values=TYPES_OF_EXPORT,
    ),
)

SECTIONS: Mapping[str, tuple[Field, ...]] = {
    "": TOP,
    "operations": OPERATION,
    "returnAddress": ADDRESS,
    "customs": CUSTOMS,
}
"""The fields by the section they stand in; the top level is nameless."""

NAMES = frozenset(field.name for fields in SECTIONS.values() for field in fields)
"""Every field's name, wherever it stands."""

SECRETS = frozenset(field.name for field in TOP if field.kind is Kind.SECRET)

IMPORT_ONLY: Mapping[str, str] = {
    "bucket": "an export names its buckets in operations, as exportBucket",
    "eraseDevice": "an export always erases the device",
    "acl": "",
    "cacheControl": "",
    "contentDisposition": "",
    "contentLanguage": "",
    "contentTypes": "",
    "diskTimestampMetadataKey": "",
    "expires": "",
    "ignore": "an export selects by prefix, beginMarker and endMarker",
    "setContentEncodingForGzFiles": "",
    "staticMetadata": "",
    "storageClass": "",
    "destination": "",
    "source": "",
    "region": "",
    "deviceCapacityGreaterThan1TB": "",
    "vaultName": "",
    "archiveComment": "",
}
"""Fields of import manifests (S3, EBS, Glacier), with what an export has instead."""
