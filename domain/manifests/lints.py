"""What AWS would carry out, and the operator might regret: lints of our own.

They look at fields that are sound in themselves; what is wrong with a field alone has
been noted before.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from s3export.domain import bucket_names
from s3export.domain.backup_layout import FURNITURE, TreePath, directory_of, shown
from s3export.domain.errors import InputRefused, Problem
from s3export.domain.manifests import rules
from s3export.domain.manifests.checked import CheckedManifest
from s3export.domain.manifests.countries import is_usa
from s3export.domain.manifests.fields import SECTIONS, Field, Kind
from s3export.domain.manifests.findings import Section
from s3export.domain.manifests.model import Manifest, Operation
from s3export.domain.manifests.nodes import Fields, Scalar, is_empty
from s3export.domain.manifests.selection import (
    pairs_of_the_same,
    selects_log,
    selects_nothing,
)

LONGEST_PASSWORD_BYTES = 64
"""TrueCrypt User's Guide: "the maximum possible password length is 64 characters";
cryptsetup refuses a longer one, tcplay cuts it."""

SHORTEST_GOOD_PASSWORD = 21
"""TrueCrypt User's Guide, "Choosing passwords": "more than 20 characters"."""

ANOTHER_DIRECTORY = "name another directory"

_SHORTEST_PASSWORD = 12  # below it, all passwords can be tried
_SHORTEST_PIN = 7  # of iStorage diskAshur disks, which AWS took
_FEWEST_CHARACTERS = 5  # different ones, in a password

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_ACCESS_KEY = re.compile(r"[A-Z0-9]{16,128}")
_SELECTING = ("prefix", "beginMarker", "endMarker")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # YAML 1.1, "b-break"


def look(manifest: Manifest, top: Section, operations: Sequence[Section]) -> None:
    """Note everything odd about a manifest."""
    _look_at_header(manifest, top)
    lines = _LINE_END.split(manifest.text.removeprefix("\ufeff"))
    _look_at_secrets(manifest, top, lines)
    _look_at_directories(top, operations)
    _look_at_substitutions(manifest, top)
    for operation, section in zip(manifest.operations, operations, strict=True):
        _look_at_operation(operation, manifest, section)
    _look_at_pairs(manifest.operations, operations)
    _look_at_journey(manifest, top)
    for section, row, node in _unquoted(top, operations):
        _look_at_type(section, row, node)
        if row.kind is Kind.TEXT:
            _look_at_comment(section, row, node, lines)


def _sound(section: Section, name: str) -> bool:
    """Say whether a field has a text that nothing is wrong with."""
    return bool(section.text(name)) and section.at(name) not in section.findings.wrong


def _look_at_header(manifest: Manifest, top: Section) -> None:
    quoted = top.findings.quoted
    if _sound(top, "manifestVersion") and manifest.version != "2.0":
        message = f"is {quoted(manifest.version)}; AWS documents 2.0 for S3"
        top.note(rules.VERSION, "manifestVersion", message, "write 2.0")
    if _sound(top, "accessKeyId") and not _ACCESS_KEY.fullmatch(manifest.access_key_id):
        message = "is not the form of an access key's id"
        top.note(rules.ACCESS_KEY, "accessKeyId", message, "the field may be left out")
    if _sound(top, "logBucket"):
        _look_at_bucket(manifest.log_bucket, "logBucket", top)
    if _sound(top, "notificationEmail"):
        for address in manifest.notification_email.split(";"):
            if not _EMAIL.fullmatch(address.strip()):
                message = f"{quoted(address.strip())} is not an address"
                advice = "join several by semicolons, without names"
                top.note(rules.EMAIL, "notificationEmail", message, advice)


def _look_at_bucket(name: str, field: str, section: Section) -> None:
    quoted = section.findings.quoted(name)
    if not bucket_names.ON_AWS.fullmatch(name):
        advice = bucket_names.FORM
        if "/" in name or ":" in name:
            advice = "write the name alone; a part of it is chosen by prefix"
        message = f"{quoted} cannot be the name of a bucket"
        section.note(rules.BUCKET_NAME, field, message, advice)
    elif not bucket_names.ON_AWS_TODAY.fullmatch(name):
        message = f"{quoted} is a bucket's name of the old kind, which AWS warns about"
        section.note(rules.ODD_BUCKET, field, message)


# --- secrets ---------------------------------------------------------------------


def _look_at_secrets(manifest: Manifest, top: Section, lines: Sequence[str]) -> None:
    for name in ("trueCryptPassword", "pinCode"):
        node = top.node(name)
        if isinstance(node, Scalar) and node.plain and _comment_after(node, lines):
            message = "is followed by a #: what comes after it does not belong to it"
            top.note(rules.HASH, name, message, "put the whole value in quotes")
    if _sound(top, "trueCryptPassword"):
        _look_at_password(top.text("trueCryptPassword"), manifest, top)
    if _sound(top, "pinCode"):
        _look_at_pin(top.text("pinCode"), top)


def _comment_after(node: Scalar, lines: Sequence[str]) -> str:
    """Return the comment that follows a value in its line; empty for none."""
    rest = lines[node.line - 1][node.column - 1 :]
    if not rest.startswith(node.text):
        return ""
    rest = rest[len(node.text) :].strip()
    return rest if rest.startswith("#") else ""


def _look_at_password(password: str, manifest: Manifest, top: Section) -> None:
    name = "trueCryptPassword"
    length = len(password.encode())
    if length > LONGEST_PASSWORD_BYTES:
        message = f"takes {length} bytes; TrueCrypt takes {LONGEST_PASSWORD_BYTES}"
        top.note(rules.PASSWORD_TOO_LONG, name, message, "shorten it")
    if not password.isascii() or not password.isprintable():
        message = "has characters that TrueCrypt 7 cannot type"
        advice = "take letters, digits and signs of ASCII"
        top.note(rules.NOT_ASCII, name, message, advice)
    few = len(set(password)) < _FEWEST_CHARACTERS
    if few or len(password) < _SHORTEST_PASSWORD or password == manifest.device_id:
        message = "is easily guessed"
        advice = f"take at least {SHORTEST_GOOD_PASSWORD} characters of many kinds"
        top.note(rules.WEAK, name, message, advice)
    elif len(password) < SHORTEST_GOOD_PASSWORD:
        message = f"is shorter than the {SHORTEST_GOOD_PASSWORD} characters that "
        message += "TrueCrypt's guide recommends"
        top.note(rules.SHORT_PASSWORD, name, message)


def _look_at_pin(pin: str, top: Section) -> None:
    if not (pin.isascii() and pin.isdigit()):
        top.note(rules.PIN_DIGITS, "pinCode", "is not of digits alone")
        return
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(pin)}
    if len(pin) < _SHORTEST_PIN or steps <= {0} or steps in ({1}, {-1}):
        advice = f"take at least {_SHORTEST_PIN} digits in no order"
        top.note(rules.WEAK, "pinCode", "is easily guessed", advice)


# --- values without quotes -------------------------------------------------------


def _unquoted(
    top: Section, operations: Sequence[Section]
) -> Iterator[tuple[Section, Field, Scalar]]:
    """Yield every text without quotes that may be any, with the row of its field."""
    sections = [top, *operations]
    for name in ("returnAddress", "customs"):
        node = top.node(name)
        if isinstance(node, Fields):
            sections.append(Section(node, name, top.findings))
    for section in sections:
        for row in SECTIONS[section.path.partition("[")[0]]:
            node = section.node(row.name)
            if row.kind not in (Kind.TEXT, Kind.SECRET) or row.values:
                continue
            if isinstance(node, Scalar) and node.plain:
                yield section, row, node


def _look_at_type(section: Section, row: Field, node: Scalar) -> None:
    if node.text and node.becomes:
        read = f"{node.becomes}" if row.kind is Kind.TEXT else "another value"
        message = f"without quotes, many programs read {read} here"
        section.note(rules.UNQUOTED, row.name, message, "put it in quotes")


def _look_at_comment(
    section: Section, row: Field, node: Scalar, lines: Sequence[str]
) -> None:
    comment = _comment_after(node, lines)
    if not comment[1:2].strip() or section.at(row.name) in section.findings.wrong:
        return  # "# text" is meant to be a comment
    read = (
        f"is read as {section.findings.quoted(node.text)}" if node.text else "is empty"
    )
    message = f"{read}: what follows the # is a comment"
    section.note(rules.HASH_IN_VALUE, row.name, message, "put it in quotes")


# --- where things go -------------------------------------------------------------


def _look_at_directories(top: Section, operations: Sequence[Section]) -> None:
    for section in (top, *operations):
        for name in ("targetDirectory", "recoveryDirectory"):
            if not _sound(section, name) or (section is not top and name[0] == "r"):
                continue
            try:
                directory = directory_of(section.text(name))
            except InputRefused as refused:
                section.note(rules.LEAVES_ROOT, name, *_without_value(refused))
                continue
            if name == "recoveryDirectory" and not directory:
                message, advice = "is the root of the disk", "name a directory"
                section.note(rules.LEAVES_ROOT, name, message, advice)
            elif name == "recoveryDirectory" and (message := why_kept(directory)):
                section.note(rules.KEPT_DIRECTORY, name, message, ANOTHER_DIRECTORY)


def why_kept(recovery: TreePath) -> str:
    """Say who keeps the recovery directory for itself; empty where nobody does."""
    name = recovery.partition(b"/")[0]
    if name not in FURNITURE:
        return ""
    lies = "is" if name == recovery else "lies in"
    return f"{lies} /{shown(name)}, which {FURNITURE[name]} keeps for itself"


def _without_value(refused: InputRefused) -> tuple[str, str]:
    if refused.next_step:
        return "leaves the root of the disk", refused.next_step
    return "cannot be a path", "each name has at most 255 bytes"


def _look_at_substitutions(manifest: Manifest, top: Section) -> None:
    found = manifest.substitutions
    if not found:
        return
    if manifest.version != "2.0":
        message = "take effect with manifestVersion 2.0 only"
        top.note(rules.SUBSTITUTIONS, "substitutions", message)
    instead = [each.instead for each in found]
    if len(set(instead)) < len(instead):
        message = (
            "give different parts the same name: objects that become equal go to the "
            "recovery directory"
        )
        top.note(rules.SUBSTITUTIONS, "substitutions", message)
    if any(not each.part or each.part == each.instead for each in found):
        top.note(rules.SUBSTITUTIONS, "substitutions", "have one that changes nothing")


# --- what is selected ------------------------------------------------------------


def _look_at_operation(
    operation: Operation, manifest: Manifest, section: Section
) -> None:
    if not _sound(section, "exportBucket"):
        return
    _look_at_bucket(operation.bucket, "exportBucket", section)
    given = [name for name in _SELECTING if section.text(name)]
    if not all(_sound(section, name) for name in given):
        return
    if selects_nothing(operation):
        message = f"no key fits {' and '.join(given)} at once"
        section.note(rules.NOTHING_SELECTED, given[-1], message)
    elif manifest.log_bucket and selects_log(
        operation, manifest.log_bucket, manifest.log_prefix
    ):
        message = "the export log is written into what is exported"
        advice = "give the log a bucket of its own, or a logPrefix elsewhere"
        section.note(rules.LOG_EXPORTED, "exportBucket", message, advice)
    _look_at_recovery(operation, manifest, section)


def _look_at_recovery(
    operation: Operation, manifest: Manifest, section: Section
) -> None:
    try:
        recovery = directory_of(manifest.recovery_directory)
        directory = operation.source().directory
    except InputRefused:
        return  # has been noted
    if directory and (directory == recovery or directory.startswith(recovery + b"/")):
        name = "targetDirectory" if section.node("targetDirectory") else "exportBucket"
        message = "goes to the recovery directory, which AWS fills by itself"
        section.note(rules.RECOVERY, name, message, ANOTHER_DIRECTORY)


def _look_at_pairs(
    operations: Sequence[Operation], sections: Sequence[Section]
) -> None:
    told: set[int] = set()
    for directories_matter in (True, False):
        rule = rules.OVERLAP if directories_matter else rules.COPIED
        where = "the same directory" if directories_matter else "another directory"
        for group in _groups(operations, directories_matter).values():
            for earlier, later in pairs_of_the_same(group):
                if later in told:
                    continue
                told.add(later)
                message = f"keys that operations[{earlier}] exports, too, go to {where}"
                sections[later].note(rule, "exportBucket", message)
    first: dict[TreePath, int] = {}
    for number, operation in enumerate(operations):
        directory = _directory(operation)
        if directory is None or not operation.bucket:
            continue
        earlier = first.setdefault(directory, number)
        if operations[earlier].bucket != operation.bucket:
            message = f"writes into the directory of operations[{earlier}]"
            advice = "equal keys collide and end in the recovery directory"
            rule = rules.SHARED_DIRECTORY
            sections[number].note(rule, "exportBucket", message, advice)


def _groups(
    operations: Sequence[Operation], directories_matter: bool
) -> Mapping[object, list[tuple[int, Operation]]]:
    groups: dict[object, list[tuple[int, Operation]]] = {}
    for number, operation in enumerate(operations):
        directory = _directory(operation)
        if operation.bucket and directory is not None:
            key = (operation.bucket, directory if directories_matter else None)
            groups.setdefault(key, []).append((number, operation))
    return groups


def _directory(operation: Operation) -> TreePath | None:
    try:
        return operation.source().directory
    except InputRefused:
        return None  # has been noted


# --- the parcel ------------------------------------------------------------------


def _look_at_journey(manifest: Manifest, top: Section) -> None:
    country = manifest.return_address.country
    if not country or is_usa(country):
        return
    if "returnAddress.country" in top.findings.wrong:
        return
    customs = top.node("customs")
    if customs is None or is_empty(customs):
        message = "there is no customs section, and the disk goes abroad"
        advice = (
            "AWS needs none only between its facility in the EU and addresses in the "
            "EU; write one with: s3export new-manifest --customs"
        )
        top.note(rules.CUSTOMS_NEEDED, "customs", message, advice)
    if manifest.service_level == "expeditedShipping":
        message = "reaches addresses in the USA only"
        top.note(rules.EXPEDITED, "serviceLevel", message, "write standard")
    phone = manifest.return_address.phone_number
    for section in _address(top):
        if phone and not phone.startswith(("+", "00")):
            message = "has no country code"
            section.note(rules.COUNTRY_CODE, "phoneNumber", message, "such as +44 …")


def _address(top: Section) -> Iterator[Section]:
    node = top.node("returnAddress")
    if isinstance(node, Fields):
        yield Section(node, "returnAddress", top.findings)


# --- the disk --------------------------------------------------------------------


def other_serial(checked: CheckedManifest, serial: str) -> Iterator[Problem]:
    """Yield a problem if ``deviceId`` does not name the disk of a serial number.

    The serial may stand among other text (``S/N 123``), with other capitals and signs;
    a disk that tells no serial may have any ``deviceId``.
    """
    manifest = checked.manifest
    if manifest is None or not manifest.device_id or not serial:
        return
    if _bare(serial) and _bare(serial) not in _bare(manifest.device_id):
        message = f"is not the serial number of the disk, {serial}"
        advice = "a number of your own must stand on a sticker on the disk"
        yield checked.problem(rules.DEVICE_ID, "deviceId", message, advice)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).upper()
