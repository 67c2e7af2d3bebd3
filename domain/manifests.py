"""The export manifest: what AWS Import/Export is asked to do.

A manifest arrives here as a tree of nodes whose scalars are all text (``no`` stays
``no``, ``0123`` stays ``0123``) and whose nodes know where they stand. `parse` checks
the fields that creating, loading and verifying need, finds every problem at once, and
keeps the original text, because that, and not our rendering of it, goes to AWS.

Source of the fields: AWS Import/Export Developer Guide, "Manifest file reference".
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from s3export.domain.backup_layout import Source, directory_of
from s3export.domain.errors import InputRefused, ManifestRejected, Problem
from s3export.domain.jobs import ManifestText
from s3export.domain.secret import Secret

DEFAULT_RECOVERY_DIRECTORY = "EXPORT-RECOVERY"
"""Developer Guide, "Manifest file reference", ``recoveryDirectory``."""

LONGEST_LOG_KEY_BYTES = 1024
"""Developer Guide: ``logPrefix`` + ``export-log-`` + job id, counted in UTF-8."""

FILE_SYSTEMS = ("EXT4", "NTFS")
SERVICE_LEVELS = ("standard", "expeditedShipping")

_LOG_NAME = "export-log-"


# --- the tree that a reader of manifests hands over ----------------------------


@dataclass(frozen=True)
class Scalar:
    """A piece of text, with the place where it starts (counted from 1)."""

    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple["Node", ...]
    line: int
    column: int


@dataclass(frozen=True)
class Fields:
    """A mapping, in the order of the text; no key occurs twice."""

    fields: tuple[tuple[Scalar, "Node"], ...]
    line: int
    column: int


Node = Scalar | Items | Fields


# --- the model -----------------------------------------------------------------


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

    def source(self) -> Source:
        """Return what the operation selects and the directory it is written to."""
        chosen = self.target_directory
        return Source(
            bucket=self.bucket,
            directory=directory_of(self.bucket if chosen is None else chosen),
            prefix=self.prefix,
            begin_marker=self.begin_marker,
            end_marker=self.end_marker,
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
class Manifest:
    """A manifest that creating, loading and verifying can work with.

    Attributes:
        text: As the operator wrote it; what goes to AWS.
        operations: At least one, in the order in which they are carried out.
        truecrypt_password, pin_code: At least one of them is there.

    """

    text: ManifestText = field(repr=False)
    version: str
    device_id: str
    file_system: str
    log_bucket: str
    operations: tuple[Operation, ...]
    return_address: Address
    truecrypt_password: Secret | None = None
    pin_code: Secret | None = None
    log_prefix: str = ""
    recovery_directory: str = DEFAULT_RECOVERY_DIRECTORY
    notification_email: str = ""
    service_level: str = "standard"

    def sources(self) -> tuple[Source, ...]:
        """Return what the operations select, in their order."""
        return tuple(operation.source() for operation in self.operations)

    def log_key(self, job_id: str) -> str:
        """Return the key of the export log in the log bucket."""
        return f"{self.log_prefix}{_LOG_NAME}{job_id}"


# --- reading it ----------------------------------------------------------------

_ADDRESS_FIELDS = {
    "name": True,
    "company": False,
    "street1": True,
    "street2": False,
    "street3": False,
    "city": True,
    "stateOrProvince": False,
    "postalCode": True,
    "phoneNumber": True,
    "country": True,
}
_OPERATION_FIELDS = (
    "exportBucket",
    "prefix",
    "beginMarker",
    "endMarker",
    "targetDirectory",
)
_TOP_FIELDS = (
    "manifestVersion",
    "generator",
    "accessKeyId",
    "deviceId",
    "fileSystem",
    "serviceLevel",
    "logBucket",
    "logPrefix",
    "notificationEmail",
    "trueCryptPassword",
    "pinCode",
    "substitutions",
    "operations",
    "targetDirectory",
    "recoveryDirectory",
    "returnAddress",
    "customs",
)
_COUNTRIES_WITH_STATES = ("USA", "US", "UNITED STATES", "CANADA", "CA")


def parse(name: str, text: str, root: Node) -> Manifest:
    """Check a manifest and return its model.

    Args:
        name: What the operator calls it (a path); for messages.
        text: The original text.
        root: Its nodes.

    Raises:
        ManifestRejected: With every problem found, in the order of the text.

    """
    problems: list[Problem] = []
    if not isinstance(root, Fields):
        what = "a list" if isinstance(root, Items) else "a single piece of text"
        advice = (
            "is this the manifest's path in place of its content?"
            if isinstance(root, Scalar)
            else "write fields, such as manifestVersion: 2.0"
        )
        raise ManifestRejected(
            name,
            (
                Problem(
                    root.line,
                    root.column,
                    "",
                    f"the manifest is {what}, not a list of fields",
                    advice,
                ),
            ),
        )
    top = _Reader(root, "", problems)
    top.only(_TOP_FIELDS)
    manifest = _manifest(text, top)
    if problems:
        raise ManifestRejected(name, tuple(sorted(problems)))
    return manifest


def _manifest(text: str, top: "_Reader") -> Manifest:
    target = top.optional("targetDirectory")
    if target is not None:
        top.check_directory("targetDirectory", target)
    recovery = top.optional("recoveryDirectory") or DEFAULT_RECOVERY_DIRECTORY
    if not top.check_directory("recoveryDirectory", recovery):
        recovery = DEFAULT_RECOVERY_DIRECTORY
    elif not directory_of(recovery):
        top.report("recoveryDirectory", "is the root of the disk", "name a directory")
    log_prefix = top.optional("logPrefix") or ""
    longest = len((log_prefix + _LOG_NAME).encode()) + 16
    if longest > LONGEST_LOG_KEY_BYTES:
        top.report(
            "logPrefix",
            f"the log's key would take more than {LONGEST_LOG_KEY_BYTES} bytes",
            "shorten it",
        )
    password = top.optional("trueCryptPassword")
    pin = top.optional("pinCode")
    if not password and not pin:
        top.report(
            "",
            "neither trueCryptPassword nor pinCode is given",
            "AWS exports only to an encrypted device",
        )
    top.optional("substitutions", kind=Fields)
    top.optional("customs", kind=Fields)
    return Manifest(
        text=ManifestText(text),
        version=top.required("manifestVersion"),
        device_id=top.required("deviceId"),
        file_system=top.one_of("fileSystem", FILE_SYSTEMS, required=True),
        log_bucket=top.required("logBucket"),
        operations=tuple(_operations(top, target)),
        return_address=_address(top),
        truecrypt_password=Secret(password) if password else None,
        pin_code=Secret(pin) if pin else None,
        log_prefix=log_prefix,
        recovery_directory=recovery,
        notification_email=top.optional("notificationEmail") or "",
        service_level=top.one_of("serviceLevel", SERVICE_LEVELS) or "standard",
    )


def _operations(top: "_Reader", target: str | None) -> Iterator[Operation]:
    node = top.node("operations")
    if node is None:
        top.report("operations", "is missing", "list the buckets to export")
        return
    if not isinstance(node, Items) or not node.items:
        top.report(
            "operations", "is not a list of operations", "write - exportBucket: NAME"
        )
        return
    for number, item in enumerate(node.items):
        path = f"operations[{number}]"
        if not isinstance(item, Fields):
            top.problems.append(
                Problem(
                    item.line,
                    item.column,
                    path,
                    "is not an operation",
                    "write - exportBucket: NAME",
                )
            )
            continue
        reader = _Reader(item, path, top.problems)
        reader.only(_OPERATION_FIELDS)
        own_target = reader.optional("targetDirectory")
        if own_target is not None:
            reader.check_directory("targetDirectory", own_target)
        yield Operation(
            bucket=reader.required("exportBucket"),
            prefix=reader.optional("prefix") or "",
            begin_marker=reader.optional("beginMarker") or "",
            end_marker=reader.optional("endMarker") or "",
            target_directory=target if own_target is None else own_target,
        )


def _address(top: "_Reader") -> Address:
    node = top.node("returnAddress")
    if not isinstance(node, Fields):
        problem = "is missing" if node is None else "is not an address"
        top.report("returnAddress", problem, "give name, street1, city, ...")
        return Address("", "", "", "", "", "")
    reader = _Reader(node, "returnAddress", top.problems)
    reader.only(tuple(_ADDRESS_FIELDS))
    values = {
        key: reader.required(key) if required else reader.optional(key) or ""
        for key, required in _ADDRESS_FIELDS.items()
    }
    if (
        values["country"].upper() in _COUNTRIES_WITH_STATES
        and not values["stateOrProvince"]
    ):
        reader.report(
            "stateOrProvince", f"is missing, and {values['country']} needs it"
        )
    return Address(
        name=values["name"],
        company=values["company"],
        street1=values["street1"],
        street2=values["street2"],
        street3=values["street3"],
        city=values["city"],
        state_or_province=values["stateOrProvince"],
        postal_code=values["postalCode"],
        phone_number=values["phoneNumber"],
        country=values["country"],
    )


class _Reader:
    """Takes values out of one mapping and notes what is wrong with them."""

    def __init__(self, fields: Fields, path: str, problems: list[Problem]) -> None:
        self._fields = fields
        self._path = path
        self._nodes: Mapping[str, Node] = {
            key.text: node for key, node in fields.fields
        }
        self.problems = problems

    def node(self, key: str) -> Node | None:
        return self._nodes.get(key)

    def report(self, key: str, message: str, advice: str = "") -> None:
        place = self._nodes.get(key, self._fields)
        path = ".".join(part for part in (self._path, key) if part)
        self.problems.append(Problem(place.line, place.column, path, message, advice))

    def only(self, known: Sequence[str]) -> None:
        for key, _ in self._fields.fields:
            if key.text not in known:
                near = difflib.get_close_matches(key.text, known, n=1)
                path = ".".join(part for part in (self._path, key.text) if part)
                self.problems.append(
                    Problem(
                        key.line,
                        key.column,
                        path,
                        "is not a field of an export manifest",
                        f"did you mean {near[0]}?" if near else "",
                    )
                )

    def optional(self, key: str, kind: type[Node] = Scalar) -> str | None:
        node = self._nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, kind):
            wanted = "a piece of text" if kind is Scalar else "a list of fields"
            self.report(key, f"is not {wanted}")
            return None
        return node.text if isinstance(node, Scalar) else None

    def required(self, key: str) -> str:
        if key not in self._nodes:
            self.report(key, "is missing")
            return ""
        value = self.optional(key)
        if value == "":
            self.report(key, "is empty")
        return value or ""

    def one_of(
        self, key: str, allowed: Sequence[str], *, required: bool = False
    ) -> str:
        value = self.required(key) if required else self.optional(key) or ""
        if value and value not in allowed:
            self.report(key, f"is {value!r}", f"write {' or '.join(allowed)}")
        return value

    def check_directory(self, key: str, value: str) -> bool:
        try:
            directory_of(value)
        except InputRefused as refused:
            self.report(key, refused.message, refused.next_step)
            return False
        return True
