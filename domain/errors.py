"""One class per thing an operator can act on.

The message says what is wrong and where; ``next_step`` says what to do about it.
The command line maps the four families below to exit codes.
"""

import enum
from dataclasses import dataclass


class S3ExportError(Exception):
    """The root of every error that s3export raises on purpose.

    Attributes:
        message: What is wrong, naming the thing and the place; one line.
        next_step: What the operator can do now; may be empty.

    """

    default_next_step = ""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step


# --- the input ---------------------------------------------------------------


class InputRefused(S3ExportError):
    """A manifest, a setting or an answer is not usable."""


class Severity(enum.StrEnum):
    """How bad a problem is."""

    ERROR = "error"
    """Nothing is begun with it."""
    WARNING = "warning"
    """It is told, and can be meant."""
    HINT = "hint"
    """It is told where somebody asks how to do better."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a text the operator wrote.

    Attributes:
        line: Counted from 1; 0 where no line can be named.
        column: Counted from 1; 0 where no column can be named.
        field: The field's path, such as ``operations[0].exportBucket``.
        message: What is wrong.
        advice: What to write instead; may be empty.
        rule: The name of the rule that it breaks; empty for none.

    """

    line: int
    column: int
    field: str
    message: str
    advice: str = ""
    rule: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        field = f"{self.field}: " if self.field else ""
        advice = f" ({self.advice})" if self.advice else ""
        return f"{where}{field}{self.message}{advice}"


class ManifestRejected(InputRefused):
    """The manifest cannot be used.

    Attributes:
        problems: Everything found, warnings included.

    """

    default_next_step = "correct the manifest, then run the same command again"

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        errors = sum(problem.severity is Severity.ERROR for problem in problems)
        count = "1 error" if errors == 1 else f"{errors} errors"
        super().__init__(f"{name}: {count} in the manifest")
        self.problems = problems


class ScratchFull(InputRefused):
    """There is no room for temporary files."""

    default_next_step = "set TMPDIR to a directory with more room"


class FileRefused(InputRefused):
    """A file named by the operator cannot be read or written."""


class SettingsRejected(InputRefused):
    """The settings (file, environment, options) do not fit together.

    Attributes:
        problems: Each one where there are several, otherwise none; the message has
            all of them.

    """

    def __init__(
        self, message: str, *, next_step: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.problems = problems


class NoReport(InputRefused):
    """A file holds another document than the report of a verification."""


class NothingToCompareWith(InputRefused):
    """Neither a bucket nor a manifest says what the backup should equal."""

    default_next_step = "name it with --bucket NAME or --manifest FILE"


class ConfirmationMissing(InputRefused):
    """A destructive step was not confirmed; nothing was changed."""


# --- the device --------------------------------------------------------------


class DeviceError(S3ExportError):
    """The device cannot be used as asked."""


class DeviceAbsent(DeviceError):
    """There is no such device, image or directory."""

    default_next_step = "list the disks with: s3export list-devices"


class DeviceRefused(DeviceError):
    """Using the device would be unsafe; nothing on it was changed."""


class DeviceChanged(DeviceError):
    """The device is not the one that was judged; nothing on it was changed."""

    default_next_step = "check which disk is plugged in, then start again"


class DeviceUnreadable(DeviceError):
    """The device holds no file system that can be read."""


class NoFileSystem(DeviceUnreadable):
    """Nothing on the device is recognised; it may be encrypted as a whole."""


class DeviceFailed(DeviceError):
    """A system tool failed on the device; the message says at which step."""


class DiskNotReady(DeviceError):
    """A job exists at AWS, and the disk for it could not be prepared."""


class RootAbsent(DeviceError):
    """The directory that should hold the backup is not on the device."""


class ContainerUnsupported(DeviceError):
    """The backup lies in an encrypted container that cannot be opened."""


class ContainerUnclear(DeviceError):
    """There are several containers, and none was chosen."""


class ContainerLocked(DeviceError):
    """A password is needed, and nobody can be asked for it."""

    default_next_step = (
        "give it with --password-file FILE, --password-stdin, or in "
        "S3EXPORT_TRUECRYPT_PASSWORD"
    )


class PasswordRefused(DeviceError):
    """The container does not open with this password, key files and PIM.

    A damaged header and a file that is no container look the same.
    """

    default_next_step = "check the password, the key files and the PIM"


class KernelLacks(DeviceError):
    """The running kernel cannot do what the step needs; the message says what."""

    default_next_step = (
        "open the container with --open-with userspace, which needs nothing of the "
        "kernel"
    )


class ContainerDamaged(DeviceError):
    """The encrypted container's header is damaged, or its end is missing."""


class ToolMissing(DeviceError):
    """A system tool that the step needs is not installed."""


class PrivilegeMissing(DeviceError):
    """The step needs root."""

    default_next_step = (
        "run it as root, or name a directory where the disk is already mounted"
    )


class DiskFull(DeviceError):
    """The file does not fit; no part of it was left on the disk."""


class PathUnusable(DeviceError):
    """The path cannot be made: taken by another entry, or not a name here."""


class FileUnreadable(DeviceError):
    """One file of the backup cannot be read; the others may still be."""


class FileAbsent(FileUnreadable):
    """There is no file of this name, or something else than a regular file."""


# --- AWS ---------------------------------------------------------------------


class AwsError(S3ExportError):
    """AWS, or the server in its place, refused or cannot be reached."""


class CredentialsMissing(AwsError):
    """No credentials were found in the standard AWS chain."""

    default_next_step = (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile "
        "with --profile"
    )


class CredentialsRejected(AwsError):
    """AWS does not know the credentials, or they are no longer valid."""

    default_next_step = "check the access key, its secret and this machine's clock"


class PermissionMissing(AwsError):
    """The credentials are known but may not do this."""

    default_next_step = "let the account's administrator allow the named action"


class Unreachable(AwsError):
    """No answer could be had from the endpoint."""

    default_next_step = "check the network, --region and --endpoint-url"


class Throttled(AwsError):
    """AWS asked to slow down, and went on asking through all retries."""

    default_next_step = "wait some minutes, or run with a smaller --forks"


class AwsFailed(AwsError):
    """AWS answered with an error that has no class of its own here."""


class NoSuchBucket(AwsError):
    """The bucket does not exist, or belongs to someone who hides it."""

    default_next_step = "check the bucket's name, and which account the profile uses"


class NoSuchObject(AwsError):
    """The object was there a moment ago and is not any more."""


class ObjectUnreadable(AwsError):
    """S3 has the object and cannot hand it out: archived, or another's key."""


class ObjectArchived(ObjectUnreadable):
    """The object is in an archive, and must be restored before it can be read."""


class ObjectChanged(AwsError):
    """The object is another one than a moment ago."""


class BodyBroken(AwsError):
    """An object's bytes did not come as announced: asking again may help."""

    default_next_step = "run it again: the connection, or the server, failed"


class ReplyLost(AwsError):
    """A job may or may not have been created: the reply never came."""


class JobRefused(AwsError):
    """The export service refused; subclasses say what for."""


class MalformedManifest(JobRefused):
    """The service cannot parse the manifest."""

    default_next_step = "check the manifest's YAML; its text goes to AWS, not its path"


class MissingManifestField(JobRefused):
    """A field that the service requires is not in the manifest."""

    default_next_step = "add the field that the message names"


class InvalidManifestField(JobRefused):
    """A field of the manifest has a value that the service refuses."""

    default_next_step = "correct the field that the message names"


class InvalidFileSystem(JobRefused):
    """``fileSystem`` names none that the service writes."""

    default_next_step = "write fileSystem: EXT4 (or NTFS)"


class InvalidAddress(JobRefused):
    """The return address is incomplete or not one that parcels reach."""

    default_next_step = "give a street address: no PO box, with country and phone"


class MissingCustoms(JobRefused):
    """The disk crosses a border and the manifest has no customs section."""

    default_next_step = "add a customs section to the manifest"


class InvalidCustoms(JobRefused):
    """The customs section has a value that the service refuses."""

    default_next_step = "correct the customs section of the manifest"


class MultipleRegions(JobRefused):
    """The buckets of one job lie in several regions."""

    default_next_step = "make one job per region, with a log bucket in the same region"


class BucketPermission(JobRefused):
    """The account may not read an exported bucket, or not write the log bucket."""

    default_next_step = "allow reading the exported buckets and writing the log bucket"


class InvalidAccessKeyId(JobRefused):
    """The manifest's accessKeyId is not the key that signed the request."""

    default_next_step = (
        "remove accessKeyId from the manifest, or use the profile it belongs to"
    )


class InvalidJobParameter(JobRefused):
    """A parameter of the request is missing or has a value that is refused."""

    default_next_step = "correct what the message names, then run the command again"


class UnsupportedVersion(JobRefused):
    """The service does not speak this client's version of the API."""

    default_next_step = "update s3export"


class JobQuotaExceeded(JobRefused):
    """The account's limit of jobs a day (50) is used up."""

    default_next_step = "wait until tomorrow, or ask AWS to raise the limit"


class UnknownJob(JobRefused):
    """No such job, or it belongs to another account."""

    default_next_step = "list your jobs with: s3export list-jobs"


class JobExpired(JobRefused):
    """The disk did not reach AWS within 30 days of the job's creation."""

    default_next_step = "create a new job"


class JobCancelled(JobRefused):
    """The job was cancelled."""

    default_next_step = "create a new job"


class JobNotUpdatable(JobRefused):
    """The job has started or ended, so that its manifest is fixed."""

    default_next_step = "see how far it is with: s3export get-status"


class JobNotCancellable(JobRefused):
    """The job has started or ended."""

    default_next_step = "see how far it is with: s3export get-status"
