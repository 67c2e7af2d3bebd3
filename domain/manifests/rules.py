"""The rules that a manifest is held against, by name.

A rule with a ``code`` is AWS's own: breaking it costs the job, with that exception
(AWS Import/Export API reference, "Errors"). The others are ours: what AWS would carry
out and the operator would regret. What the sources leave open is a warning, and a
warning or a hint can be silenced by its name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from s3export.domain.errors import InputRefused, Severity
from s3export.domain.nearest import did_you_mean


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: What it is silenced by.
        about: What breaks it, for people.
        code: The exception of AWS that it foresees, without its ``Exception``; empty
            for a rule of our own.

    """

    name: str
    severity: Severity
    about: str
    code: str = ""


def _rule(name: str, severity: Severity, about: str, code: str = "") -> Rule:
    rule = Rule(name, severity, about, code)
    _ALL[name] = rule
    return rule


_ALL: dict[str, Rule] = {}
RULES: Mapping[str, Rule] = _ALL
"""Every rule by its name, errors first."""

_ERROR, _WARNING, _HINT = Severity.ERROR, Severity.WARNING, Severity.HINT

# --- what AWS refuses ------------------------------------------------------------

MALFORMED = _rule(
    "malformed",
    _ERROR,
    "The text is no YAML, empty, JSON, or a path in place of a manifest.",
    "MalformedManifest",
)
REPEATED = _rule(
    "repeated-field", _ERROR, "A field stands there twice.", "MalformedManifest"
)
MISSING = _rule(
    "missing-field",
    _ERROR,
    "A required field is missing or empty.",
    "MissingManifestField",
)
NOT_ENCRYPTED = _rule(
    "no-encryption",
    _ERROR,
    "There is neither a trueCryptPassword nor a pinCode.",
    "MissingManifestField",
)
INVALID = _rule(
    "invalid-value",
    _ERROR,
    "A value is not one of those allowed, or not of the kind that is needed.",
    "InvalidManifestField",
)
LOG_KEY_TOO_LONG = _rule(
    "log-key-too-long",
    _ERROR,
    "logPrefix and the log's name take more than 1,024 bytes.",
    "InvalidManifestField",
)
FILE_SYSTEM = _rule(
    "file-system", _ERROR, "fileSystem is neither EXT4 nor NTFS.", "InvalidFileSystem"
)
ADDRESS = _rule(
    "address",
    _ERROR,
    "The return address is a PO box, or no address.",
    "InvalidAddress",
)
CUSTOMS = _rule(
    "customs",
    _ERROR,
    "A value for customs is not one of those allowed.",
    "InvalidCustoms",
)
CUSTOMS_MISSING = _rule(
    "missing-customs",
    _ERROR,
    "A required field of the customs section is missing or empty.",
    "MissingCustoms",
)

# --- what AWS would carry out, and nobody wants ----------------------------------

SIGN = _rule(
    "sign",
    _ERROR,
    "A value begins with a sign of YAML's (&, *, !), and parsers drop what follows it.",
)
PLACEHOLDER = _rule(
    "placeholder",
    _ERROR,
    "A value is still the template's: [...], ***...***, @...@, <...>.",
)
MISSPELT = _rule(
    "misspelt-field",
    _ERROR,
    "A field's name is nearly that of a known one; for load-device a warning where "
    "that is for AWS's jobs alone.",
)
MISPLACED = _rule(
    "misplaced-field", _ERROR, "A field stands in a section that it does not belong in."
)
IMPORT_ONLY = _rule("import-only-field", _ERROR, "A field is one of import manifests.")
BUCKET_NAME = _rule("bucket-name", _ERROR, "No bucket can have this name.")
NOTHING_SELECTED = _rule(
    "nothing-selected",
    _ERROR,
    "No key can fit an operation's prefix, beginMarker and endMarker at once.",
)
LEAVES_ROOT = _rule(
    "directory", _ERROR, "A directory leaves the root of the disk, or cannot be made."
)
PASSWORD_TOO_LONG = _rule(
    "password-too-long",
    _ERROR,
    "trueCryptPassword has more than the 64 bytes that TrueCrypt takes.",
)

# --- what may be meant -----------------------------------------------------------

NO_BLANK = _rule(
    "no-blank",
    _WARNING,
    "A colon without a blank after it, as in AWS's own template: no YAML for others.",
)
UNKNOWN = _rule("unknown-field", _WARNING, "No documentation of AWS names the field.")
VERSION = _rule(
    "manifest-version", _WARNING, "manifestVersion is not 2.0, the documented one."
)
ACCESS_KEY = _rule(
    "access-key-id",
    _WARNING,
    "accessKeyId is not the key that will sign the request, or no key at all.",
    "InvalidAccessKeyId",
)
CUSTOMS_NEEDED = _rule(
    "customs-needed",
    _WARNING,
    "The disk goes back to another country, and there is no customs section.",
    "MissingCustoms",
)
EXPEDITED = _rule(
    "expedited-abroad", _WARNING, "expeditedShipping reaches the USA only."
)
EMAIL = _rule("email-address", _WARNING, "An address that no mail reaches.")
UNQUOTED = _rule(
    "unquoted-value",
    _WARNING,
    "Without quotes, a parser that guesses types reads another value.",
)
HASH = _rule(
    "comment-in-secret",
    _WARNING,
    "A # after an unquoted password or PIN: what follows does not belong to it.",
)
HASH_IN_VALUE = _rule(
    "comment-in-value",
    _WARNING,
    "An unquoted value is followed by a # and text: YAML takes that for a comment.",
)
WEAK = _rule("weak-secret", _WARNING, "A password or PIN that is easily guessed.")
NOT_ASCII = _rule(
    "password-not-ascii", _WARNING, "TrueCrypt 7 cannot type the password."
)
PASSWORD_ELSEWHERE = _rule(
    "password-elsewhere",
    _WARNING,
    "For load-device: there is no trueCryptPassword, so that it is asked for one.",
)
PIN_DIGITS = _rule("pin-not-digits", _WARNING, "A pinCode is not of digits alone.")
ODD_BUCKET = _rule(
    "odd-bucket-name",
    _WARNING,
    "A name of the old kind (capitals, underscores), which AWS warns about.",
)
OVERLAP = _rule(
    "overlap",
    _WARNING,
    "Two operations select the same keys into the same directory.",
)
SHARED_DIRECTORY = _rule(
    "shared-directory",
    _WARNING,
    "Operations on several buckets write into one directory: equal keys collide.",
)
LOG_EXPORTED = _rule(
    "log-exported", _WARNING, "The export log lies in what an operation selects."
)
RECOVERY = _rule(
    "recovery-directory", _WARNING, "The recovery directory is also one for data."
)
KEPT_DIRECTORY = _rule(
    "kept-directory",
    _WARNING,
    "The recovery directory is one that s3export, AWS or ext4 keeps for itself; for "
    "load-device an error.",
)
SUBSTITUTIONS = _rule(
    "substitutions",
    _WARNING,
    "Substitutions that do nothing, or make different keys equal.",
)
DEVICE_ID = _rule(
    "device-id", _WARNING, "deviceId is not the serial number of the disk."
)
COPIED = _rule(
    "copied-twice",
    _HINT,
    "Two operations select the same keys into different directories.",
)
SHORT_PASSWORD = _rule(
    "short-password",
    _HINT,
    "TrueCrypt's documentation recommends passwords of more than 20 characters.",
)
COUNTRY_CODE = _rule(
    "country-code", _HINT, "A phone number abroad without a country code."
)

# --- what S3 says of it ----------------------------------------------------------

NO_SUCH_BUCKET = _rule(
    "no-such-bucket", _ERROR, "A bucket does not exist.", "NoSuchBucket"
)
REGIONS = _rule(
    "regions", _ERROR, "The buckets lie in several regions.", "MultipleRegions"
)
PERMISSION = _rule(
    "permission",
    _ERROR,
    "A bucket may not be read, or the log bucket not be written to.",
    "BucketPermission",
)
NO_OBJECTS = _rule("no-objects", _ERROR, "No object at all is selected.")
NO_OBJECTS_HERE = _rule("idle-operation", _WARNING, "An operation selects no object.")
SPACE = _rule("disk-full", _WARNING, "What is selected does not fit on the disk.")
TOO_LARGE = _rule("object-too-large", _ERROR, "An object is larger than the disk.")


def checked_names(names: Collection[str]) -> frozenset[str]:
    """Return names of rules to be silent about.

    Raises:
        InputRefused: There is no such rule, or it is an error, which costs the job
            whether or not it is told.

    """
    for name in names:
        if reason := why_not_ignored(name):
            known = name in RULES
            raise InputRefused(
                reason,
                next_step="correct the manifest"
                if known
                else "list them with: s3export check-manifest --list-rules",
            )
    return frozenset(names)


def why_not_ignored(name: str) -> str:
    """Say why there is no being silent about a rule; empty if there is."""
    rule = RULES.get(name)
    if rule is None:
        return f"{name!r} is no rule of manifests{did_you_mean(name, RULES)}"
    if rule.severity is Severity.ERROR:
        return f"the rule {name} cannot be ignored: {rule.about}"
    return ""


def nearly(name: str) -> str:
    """Return the advice for a field whose name is nearly another's."""
    return f"did you mean {name}?"
