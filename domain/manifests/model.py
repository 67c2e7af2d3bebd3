"""The export manifest: what AWS Import/Export is asked to do.

The original text is kept, because that, and not our rendering of it, goes to AWS.
"""

from dataclasses import dataclass, field

from s3export.domain.backup_layout import (
    Source,
    Substitution,
    directory_of,
    substituted,
)
from s3export.domain.jobs import ManifestText
from s3export.domain.secret import Secret

DEFAULT_RECOVERY_DIRECTORY = "EXPORT-RECOVERY"
"""Developer Guide, "Manifest file options: S3 export", ``recoveryDirectory``."""

LOG_NAME = "export-log-"
"""What the log's name begins with, after ``logPrefix``; the job's id follows."""


@dataclass(frozen=True)
class Operation:
    """One export operation: which objects of a bucket go where.

    Attributes:
        bucket: The exported bucket.
        prefix: Keys that start with it; empty for all.
        begin_marker: Keys after it in byte order, exclusive; empty for no bound.
        end_marker: Keys up to and including it; empty for no bound.
        target_directory: Replaces the bucket's name on the disk; ``None`` if absent.

    """

    bucket: str
    prefix: str = ""
    begin_marker: str = ""
    end_marker: str = ""
    target_directory: str | None = None

    def source(self, substitutions: tuple[Substitution, ...] = ()) -> Source:
        """Return what the operation selects and the directory it is written to.

        Substitutions are made in the target directory, too (Developer Guide,
        "Manipulating S3 key names with substitutions"), and not in a bucket's name.
        """
        chosen = self.target_directory
        if chosen is not None:
            chosen = substituted(chosen, substitutions)
        return Source(
            bucket=self.bucket,
            directory=directory_of(self.bucket if chosen is None else chosen),
            prefix=self.prefix,
            begin_marker=self.begin_marker,
            end_marker=self.end_marker,
            substitutions=substitutions,
        )


@dataclass(frozen=True)
class Address:
    """Where the disk goes back to, and what a shipping label is asked for."""

    name: str
    street1: str
    city: str
    postal_code: str
    phone_number: str
    country: str
    company: str = ""
    street2: str = ""
    street3: str = ""
    state_or_province: str = ""


@dataclass(frozen=True)
class Customs:
    """What customs want to know; the fields are those of the manifest.

    Attributes:
        device_value: In US dollars, as written: ``250.00``.

    """

    data_description: str
    encrypted_data: bool
    export_certifier_name: str
    requires_export_license: bool
    device_value: str
    device_country_of_origin: str
    device_type: str
    encryption_classification: str = ""
    device_hts: str = ""
    type_of_export: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says; a field that is absent or unusable is empty.

    Attributes:
        text: As the operator wrote it, a byte order mark and line ends included: what
            goes to AWS. Two manifests that say the same are equal, however written.
        operations: In the order in which they are carried out; at least one.
        customs: ``None`` if there is no such section.

    """

    operations: tuple[Operation, ...]
    return_address: Address
    version: str = ""
    device_id: str = ""
    file_system: str = ""
    log_bucket: str = ""
    log_prefix: str = ""
    notification_email: str = ""
    truecrypt_password: Secret | None = None
    pin_code: Secret | None = None
    recovery_directory: str = DEFAULT_RECOVERY_DIRECTORY
    service_level: str = "standard"
    generator: str = ""
    access_key_id: str = ""
    substitutions: tuple[Substitution, ...] = ()
    customs: Customs | None = None
    text: ManifestText = field(default=ManifestText(""), repr=False, compare=False)

    def sources(self) -> tuple[Source, ...]:
        """Return what the operations select, in their order."""
        return tuple(op.source(self.substitutions) for op in self.operations)

    def log_key(self, job_id: str) -> str:
        """Return the key of the export log in the log bucket."""
        return f"{self.log_prefix}{LOG_NAME}{job_id}"
