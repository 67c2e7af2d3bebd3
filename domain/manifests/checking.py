"""Hold a manifest's nodes against the table of fields, and find every problem at once.

`check` reads what can be read, whatever else is wrong: a misspelt customs section does
not keep `verify-backup` from knowing what was exported.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from s3export.domain.errors import ManifestRejected, Problem, Severity
from s3export.domain.jobs import ManifestText
from s3export.domain.manifests import lints, rules
from s3export.domain.manifests.countries import has_states
from s3export.domain.manifests.fields import (
    ADDRESS,
    CUSTOMS,
    IMPORT_ONLY,
    OPERATION,
    SECRETS,
    SECTIONS,
    TOP,
    Field,
    Kind,
)
from s3export.domain.manifests.findings import Findings, Section, secrets_of
from s3export.domain.manifests.model import (
    DEFAULT_RECOVERY_DIRECTORY,
    LOG_NAME,
    Address,
    Customs,
    Manifest,
    Operation,
    Substitution,
)
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar, is_empty
from s3export.domain.secret import Secret

LONGEST_LOG_KEY_BYTES = 1024
"""Developer Guide: ``logPrefix`` + ``export-log-`` + job id, counted in UTF-8."""

_JOB_ID_BYTES = 5
"""The length of every job id in AWS's documentation."""

_MOST_GUESSES = 200
"""After so many problems nobody is helped by guesses, which take time."""

_SELECTION = ("operations", "targetDirectory", "recoveryDirectory", "substitutions")

_MISSING = {"customs": rules.CUSTOMS_MISSING}
_WRONG = {"returnAddress": rules.ADDRESS, "customs": rules.CUSTOMS}

_PLACEHOLDER = re.compile(
    r"\[.*\]?|\*\*.*|.*\*\*\*|.*@[A-Z][A-Z0-9_]*@.*|<[^<>]*>", re.DOTALL
)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_NOT_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no answer of AWS could repeat (XML 1.0, "Char")."""


@dataclass(frozen=True)
class CheckedManifest:
    """A manifest that was read, and all that is to be said about it.

    Attributes:
        name: What the operator calls it (a path); for messages.
        root: Its nodes; ``None`` if it is not YAML.
        manifest: What it says, as far as it can be read; ``None`` if it names no
            operation that can be carried out.
        problems: In the order of the text.

    """

    name: str
    root: Node | None = field(repr=False)
    manifest: Manifest | None
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """Warnings and hints."""
        return tuple(p for p in self.problems if p.severity is not Severity.ERROR)

    def accepted(self) -> Manifest:
        """Return the manifest, to create a job from.

        Raises:
            ManifestRejected: There is an error; with every problem.

        """
        if self.manifest is None or not self.valid:
            raise ManifestRejected(self.name, self.problems)
        return self.manifest

    def selection(self) -> Manifest:
        """Return the manifest, for what it selects and where that goes.

        What only creating a job needs (an address, customs) may be wrong or missing.

        Raises:
            ManifestRejected: With the problems that are in the way.

        """
        in_the_way = tuple(
            problem
            for problem in self.problems
            if re.split(r"[.\[]", problem.field)[0] in ("", *_SELECTION)
        )
        wrong = any(p.severity is Severity.ERROR for p in in_the_way)
        if self.manifest is None or wrong:
            raise ManifestRejected(self.name, in_the_way or self.problems)
        return self.manifest

    def without(self, ignored: Collection[str]) -> "CheckedManifest":
        """Return the same without the problems of some rules.

        Raises:
            InputRefused: A rule is unknown, or one that costs the job.

        """
        ignored = rules.checked_names(ignored)
        kept = tuple(p for p in self.problems if p.rule not in ignored)
        return replace(self, problems=kept)

    def with_problems(self, more: Iterable[Problem]) -> "CheckedManifest":
        """Return the same with more problems."""
        return replace(self, problems=tuple(sorted((*self.problems, *more))))

    def problem(
        self, rule: rules.Rule, path: str, message: str, advice: str = ""
    ) -> Problem:
        """Return a problem with a field, at its place in the text."""
        line, column = self._place(path)
        return Problem(line, column, path, message, advice, rule.name, rule.severity)

    def _place(self, path: str) -> tuple[int, int]:
        node = self.root
        for step in re.findall(r"[^.\[\]]+", path):
            if isinstance(node, Items) and step.isdecimal():
                node = node.items[int(step)]
            elif isinstance(node, Fields):
                node = dict((k.text, v) for k, v in node.fields).get(step)
        return (node.line, node.column) if node else (0, 0)


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
    _check_fields(top, TOP)
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
    operations = tuple(_sections(top, "operations"))
    for operation in operations:
        _check_fields(operation, OPERATION)
    for address in _section(top, "returnAddress"):
        _check_address(address)
    for customs in _section(top, "customs"):
        _check_customs(customs)
    manifest = Manifest(
        text=text,
        operations=tuple(_operation(section, top) for section in operations),
        return_address=next(
            (_address(section) for section in _section(top, "returnAddress")),
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
        customs=next((_customs(section) for section in _section(top, "customs")), None),
    )
    lints.look(manifest, top, operations)
    usable = all(operation.bucket for operation in manifest.operations)
    return manifest if usable and manifest.operations else None


# --- any section -----------------------------------------------------------------


def _check_fields(section: Section, table: Sequence[Field]) -> None:
    """Check every field of a section by its row in the table."""
    flat = _flattened(section) if table is TOP else frozenset()
    meant = {
        name
        for key, value in section.fields.fields
        if key.text not in flat
        for name in _check_name(section, key, value, table)
    }
    kind = section.path.partition("[")[0]
    missing = _MISSING.get(kind, rules.MISSING)
    wrong = _WRONG.get(kind, rules.INVALID)
    for row in table:
        node = section.node(row.name)
        if node is None:
            if row.required and row.name not in meant:
                section.note(missing, row.name, "is missing", _to_write(row))
        elif row.kind in (Kind.LIST, Kind.SECTION):
            _check_structure(section, row, node, flat)
        elif not isinstance(node, Scalar):
            _report_no_text(section, row, node, wrong)
        elif not node.text:
            if row.required:
                section.note(missing, row.name, "is empty", _to_write(row))
        else:
            _check_text(section, row, node, wrong)


def _check_text(section: Section, row: Field, node: Scalar, wrong: rules.Rule) -> None:
    meant = row.kind is Kind.SECRET and not node.plain  # in quotes, it is the secret
    if not meant and _PLACEHOLDER.fullmatch(node.text):
        section.note(
            rules.PLACEHOLDER, row.name, "is still the template's", _to_write(row)
        )
        return
    if _NOT_IN_XML.search(node.text):
        section.note(wrong, row.name, "has a character that cannot be sent to AWS")
    quoted = section.findings.quoted(node.text)
    if row.kind is Kind.YES_NO and node.text.lower() not in ("yes", "no"):
        section.note(wrong, row.name, f"is {quoted}", "write yes or no")
    elif row.name == "deviceValue" and not _NUMBER.fullmatch(node.text):
        section.note(wrong, row.name, f"is {quoted}", "write dollars, such as 250.00")
    elif row.values and node.text not in row.values:
        rule = rules.FILE_SYSTEM if row.name == "fileSystem" else wrong
        section.note(rule, row.name, f"is {quoted}", _nearest(node.text, row.values))


def _check_structure(
    section: Section, row: Field, node: Node, flat: Collection[str]
) -> None:
    if row.kind is Kind.SECTION and isinstance(node, Fields) and node.fields:
        return
    if row.kind is Kind.LIST and isinstance(node, Items) and node.items:
        return
    empty = is_empty(node)
    if empty and not row.required:
        return
    rule = rules.MISSING if empty else _WRONG.get(row.name, rules.INVALID)
    if empty:
        advice = _to_write(row)
        if flat and row.name != "operations":
            advice = f"indent its fields: {', '.join(sorted(flat))}"
        section.note(rule, row.name, "is empty", advice)
    elif not isinstance(node, Scalar) and node.bracketed:
        section.note(rules.PLACEHOLDER, row.name, "is still the template's")
    elif row.kind is Kind.LIST:
        section.note(
            rule, row.name, "is not a list", "begin each operation with a dash"
        )
    else:
        section.note(rule, row.name, "is not a section of fields", _to_write(row))


def _report_no_text(
    section: Section, row: Field, node: Node, wrong: rules.Rule
) -> None:
    if not isinstance(node, Scalar) and node.bracketed:
        advice = _to_write(row)
        if row.kind is Kind.SECRET:
            advice = "a value that begins with [ or { must be put in quotes"
        section.note(rules.PLACEHOLDER, row.name, "is still the template's", advice)
        return
    what = "a list" if isinstance(node, Items) else "a section"
    if row.name == "fileSystem":
        wrong = rules.FILE_SYSTEM
    section.note(wrong, row.name, f"is {what}, where one value belongs")


def _check_name(
    section: Section, key: Scalar, value: Node, table: Sequence[Field]
) -> Iterator[str]:
    """Report a name that does not belong here; yield the one that was meant."""
    names = [row.name for row in table]
    if key.text in names:
        return
    note = section.findings.note
    if not _NAME.fullmatch(key.text) or key.text in section.findings.secrets:
        note(rules.UNKNOWN, key, section.at("…"), "is no field of an export manifest")
        return
    path = section.at(key.text)
    homes = [
        home
        for home, rows in SECTIONS.items()
        if any(row.name == key.text for row in rows)
    ]
    near = ""
    if len(section.findings.problems) < _MOST_GUESSES:
        absent = [row for row in table if section.node(row.name) is None]
        near = _near(key.text, [row.name for row in absent if row.required])
        near = near or _near(key.text, [row.name for row in absent])
        near = near or _near(key.text, names)
    if homes:
        where = " or ".join(home or "the top level" for home in homes)
        note(rules.MISPLACED, key, path, "does not belong here", f"it goes to {where}")
    elif key.text in IMPORT_ONLY:
        message = "is a field of import manifests"
        note(rules.IMPORT_ONLY, key, path, message, IMPORT_ONLY[key.text])
    elif near:
        message = "is not a field of an export manifest"
        note(rules.MISSPELT, key, path, message, f"did you mean {near}?")
        yield near
    else:
        message = "is a field that AWS's documentation does not name"
        note(rules.UNKNOWN, key, path, message, "AWS may refuse or ignore it")


def _near(name: str, names: Sequence[str]) -> str:
    lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    return lower[found[0]] if found else ""


def _nearest(text: str, values: Sequence[str]) -> str:
    near = _near(text, values)
    if near:
        return f"did you mean {near}?"
    return f"write {', '.join(values[:-1])} or {values[-1]}"


def _to_write(row: Field) -> str:
    if row.values:
        return f"write {', '.join(row.values[:-1])} or {row.values[-1]}"
    if row.kind is Kind.SECTION:
        names = [field.name for field in SECTIONS[row.name] if field.required]
        return f"its fields are {', '.join(names)}"
    return f"such as {row.example}" if row.example else ""


def _flattened(top: Section) -> frozenset[str]:
    """Return fields of sections that stand beside their empty section, unindented."""
    found: set[str] = set()
    own = {row.name for row in TOP}
    for name in ("returnAddress", "customs"):
        node = top.node(name)
        if isinstance(node, Scalar) and not node.text:
            found |= {row.name for row in SECTIONS[name]} - own
    return frozenset(key.text for key, _ in top.fields.fields if key.text in found)


def _section(top: Section, name: str) -> Iterator[Section]:
    node = top.node(name)
    if isinstance(node, Fields) and node.fields:
        yield Section(node, name, top.findings)


def _sections(top: Section, name: str) -> Iterator[Section]:
    node = top.node(name)
    for number, item in enumerate(node.items if isinstance(node, Items) else ()):
        path = f"{name}[{number}]"
        if isinstance(item, Fields):
            yield Section(item, path, top.findings)
        elif not (isinstance(node, Items) and node.bracketed):
            message, advice = "is not an operation", "write - exportBucket: NAME"
            top.findings.note(rules.MISSING, item, path, message, advice)


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
    _check_fields(section, ADDRESS)
    country = section.text("country")
    if has_states(country) and not section.text("stateOrProvince"):
        name = "stateOrProvince"
        section.note(rules.MISSING, name, f"is missing, and {country} needs it")
    for name in ("street1", "street2", "street3"):
        if _PO_BOX.search(section.text(name)):
            advice = "parcels need a street"
            section.note(rules.ADDRESS, name, "is a PO box", advice)


def _check_customs(section: Section) -> None:
    _check_fields(section, CUSTOMS)
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
    for section in _section(top, "substitutions"):
        for key, value in section.fields.fields:
            if not isinstance(value, Scalar):
                message = "is not one text that stands in the place of another"
                section.findings.note(rules.INVALID, value, section.path, message)
                continue
            yield Substitution(key.text, value.text)


def _secret(top: Section, name: str) -> Secret | None:
    text = top.text(name)
    return Secret(text) if text else None
