"""Commands on manifests alone: check, write, describe."""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from s3export.adapters.output_files import write_private
from s3export.adapters.reports import documents
from s3export.domain.bucket_names import refuse_misnamed
from s3export.domain.errors import InputRefused, Problem, Severity
from s3export.domain.manifests.fields import ADDRESS, CUSTOMS, TOP, Field, Kind
from s3export.domain.manifests.rules import RULES
from s3export.domain.manifests.writing import Draft
from s3export.domain.secret import Secret
from s3export.entrypoints import library
from s3export.entrypoints.cli import manifest_wording as wording
from s3export.entrypoints.cli.commands import Call, first_line_given
from s3export.entrypoints.cli.exit_codes import ExitCode
from s3export.entrypoints.cli.terminal import Terminal, columns

STANDARD_OUTPUT = "-"


def check_manifest(call: Call) -> int:
    """Show every problem, and what S3 says if that is asked."""
    arguments, terminal = call.arguments, call.terminal
    if arguments.list_rules:
        rows = [(rule.name, rule.severity, rule.about) for rule in RULES.values()]
        terminal.result(
            columns(rows), [documents.rule_document(r) for r in RULES.values()]
        )
        return ExitCode.DONE
    if arguments.manifest is None:
        raise InputRefused("which manifest?", next_step="name its file")
    if arguments.disk_size is not None and not arguments.online:
        raise InputRefused(
            "--disk-size is what the selection has to fit on, and S3 alone knows that",
            next_step="add --online",
        )
    loading = _loads(arguments)
    checked = library.check_manifest(
        arguments.manifest,
        online=arguments.online,
        device=arguments.device,
        disk_bytes=arguments.disk_size,
        loading=loading,
        ignore=arguments.ignore,
        application=call.application,
    )
    lines = wording.check_lines(
        checked, quiet_warnings=terminal.quiet_warnings, loading=loading
    )
    terminal.result(lines, _document(checked))
    warned = any(p.severity is Severity.WARNING for p in checked.problems)
    if not checked.valid or (arguments.strict and warned):
        return ExitCode.INPUT
    return ExitCode.DONE


def manifest_schema(call: Call) -> int:
    """Print the JSON Schema."""
    schema = library.manifest_schema()
    call.terminal.result([json.dumps(schema, indent=2)], schema)
    return ExitCode.DONE


def new_manifest(call: Call) -> int:
    """Write a manifest from the options, and from answers where somebody answers."""
    arguments, terminal = call.arguments, call.terminal
    path: str = arguments.manifest
    to_file = path != STANDARD_OUTPUT
    if not to_file and _gives_password(arguments):
        raise InputRefused(
            "a manifest with a password is not printed",
            next_step="name a file for it; only you will be able to read it",
        )
    if to_file and os.path.lexists(path):
        raise InputRefused(
            f"{path} is there already", next_step="name another file, or remove it"
        )
    draft = _draft(arguments)
    if terminal.can_ask and to_file:
        draft = _Questions(call, draft).answered(by_pin=arguments.pin)
    password = _password(call, draft)
    if password is not None:
        secret = {"trueCryptPassword": password.reveal()}
        draft = replace(draft, top={**draft.top, **secret})
    text = library.new_manifest(draft)
    if not to_file:
        terminal.result(text.splitlines(), {"manifest": text})
        return ExitCode.DONE
    write_private(path, text)
    loading = _loads(arguments)
    checked = library.check_manifest(
        path, loading=loading, application=call.application
    )
    lines = wording.written_lines(path, checked, loading=loading)
    terminal.result(lines, {"path": path, **_document(checked)})
    return ExitCode.DONE


def _loads(arguments: argparse.Namespace) -> bool:
    return bool(arguments.purpose == "load-device")


def _document(check: library.ManifestCheck) -> documents.Document:
    return documents.manifest_document(check.name, check.problems, check.survey)


def _gives_password(arguments: argparse.Namespace) -> bool:
    return bool(
        arguments.password_file
        or arguments.password_stdin
        or arguments.generate_password
    )


def _password(call: Call, draft: Draft) -> Secret | None:
    arguments = call.arguments
    if arguments.generate_password:
        randomness = call.application.adapters.randomness()
        return Secret(randomness.password())
    line = first_line_given(call)
    return None if line is None else Secret(line)


# --- from options ----------------------------------------------------------------


def _draft(arguments: argparse.Namespace) -> Draft:
    top = {
        "manifestVersion": "2.0",
        "generator": "s3export",
        "fileSystem": "" if _loads(arguments) else arguments.file_system,
        "deviceId": arguments.device_id,
        "logBucket": arguments.log_bucket,
        "logPrefix": arguments.log_prefix,
        "notificationEmail": arguments.email,
    }
    address: dict[str, str] = {}
    customs: dict[str, str] | None = {} if arguments.customs else None
    sections = {"": top, "returnAddress": address}
    for given in arguments.set:
        name, separator, value = given.partition("=")
        section, _, field_name = name.rpartition(".")
        if not separator:
            raise InputRefused(f"--set {name}: a value is missing", next_step=_SET)
        rows = {"": TOP, "returnAddress": ADDRESS, "customs": CUSTOMS}.get(section, ())
        row = next((row for row in rows if row.name == field_name), None)
        if row is None or row.kind in (Kind.LIST, Kind.SECTION):
            raise InputRefused(f"{name!r} is no field to be set", next_step=_SET)
        if row.kind is Kind.SECRET:
            raise InputRefused(
                f"{name} among the arguments can be read by every user (ps)",
                next_step="use --password-file, --password-stdin, "
                "--generate-password, or write it into the file",
            )
        if section == "customs":
            customs = customs if customs is not None else {}
            sections["customs"] = customs
        sections[section][field_name] = value
    operations = [_operation(text) for text in arguments.bucket]
    named = [operation["exportBucket"] for operation in operations]
    if arguments.log_bucket is not None:
        named.append(arguments.log_bucket)
    for bucket in named:
        refuse_misnamed(bucket)
    return Draft(
        top={name: text for name, text in top.items() if text},
        operations=operations,
        address=address,
        customs=customs,
        by_pin=arguments.pin,
        to_load=_loads(arguments),
    )


_SET = "such as --set returnAddress.city=Seattle or --set customs.deviceType=sataDrive"


def _operation(text: str) -> dict[str, str]:
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    return {"exportBucket": bucket} | ({"prefix": prefix} if prefix else {})


# --- from answers ----------------------------------------------------------------


@dataclass
class _Questions:
    """Asks for what is required and was not given; an empty answer leaves it open."""

    call: Call
    draft: Draft
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    def answered(self, *, by_pin: bool) -> Draft:
        """Return the draft with the answers."""
        terminal = self.call.terminal
        terminal.say("An empty answer leaves the field to be filled in.")
        if self.draft.to_load:
            self._ask_for_buckets(terminal)
        else:
            self._ask_for_a_job(terminal)
        given = {"trueCryptPassword", "pinCode"} & set(self.draft.top)
        if not given and not by_pin and not _gives_password(self.call.arguments):
            self._ask_for_password(terminal)
        return self.draft

    def _ask_for_a_job(self, terminal: Terminal) -> None:
        for row in TOP:
            if row.required and row.kind in (Kind.TEXT, Kind.NUMBER):
                self._ask(row, "")
        self._ask_for_buckets(terminal)
        for row in ADDRESS:
            if row.required:
                self._ask(row, "returnAddress")
        for row in ADDRESS:
            if row.name == "stateOrProvince" and self._has_states():
                self._ask(row, "returnAddress")
        if self.draft.customs is None and self._goes_abroad():
            question = "The disk goes abroad. Write a customs section?"
            if terminal.agrees(question):
                self.draft = replace(self.draft, customs={})
        if self.draft.customs is not None:
            for row in CUSTOMS:
                if row.required or row.name == "encryptionClassification":
                    self._ask(row, "customs")

    def _ask(self, row: Field, section: str) -> None:
        if row.name in self._section(section):
            return
        while answer := self.call.terminal.ask(wording.question(row)):
            changed = self._with(section, {row.name: answer})
            path = f"{section}.{row.name}" if section else row.name
            found = [p for p in self._problems(changed) if p.field == path]
            for problem in found:
                self.call.terminal.warn(wording.without_place(problem))
            if not any(p.severity is Severity.ERROR for p in found):
                self.draft = changed
                return

    def _ask_for_buckets(self, terminal: Terminal) -> None:
        while not self.draft.operations:
            answer = terminal.ask(
                "exportBucket (or bucket/prefix; several by blanks): "
            )
            if not answer:
                return
            operations = [_operation(text) for text in answer.split()]
            changed = replace(self.draft, operations=operations)
            found = [p for p in self._problems(changed) if p.field[:10] == "operations"]
            for problem in found:
                terminal.warn(wording.without_place(problem))
            if not any(p.severity is Severity.ERROR for p in found):
                self.draft = changed

    def _ask_for_password(self, terminal: Terminal) -> None:
        """Ask twice; nothing means a generated one, as the best that there is."""
        while True:
            first = terminal.password("the container (empty: generate one)")
            if first is None or not first.reveal():
                randomness = self.call.application.adapters.randomness()
                first = Secret(randomness.password())
                terminal.say("A password was generated; it stands in the file.")
            elif first != terminal.password("the container, again"):
                terminal.warn("the two are not the same")
                continue
            self.draft = self._with("", {"trueCryptPassword": first.reveal()})
            return

    def _section(self, name: str) -> dict[str, str]:
        draft = self.draft
        given = {"": draft.top, "returnAddress": draft.address}
        return dict(given.get(name, draft.customs or {}))

    def _with(self, section: str, more: dict[str, str]) -> Draft:
        values = {**self._section(section), **more}
        match section:
            case "":
                return replace(self.draft, top=values)
            case "returnAddress":
                return replace(self.draft, address=values)
            case _:
                return replace(self.draft, customs=values)

    def _problems(self, draft: Draft) -> Iterator[Problem]:
        manifests = self.call.application.adapters.manifests()
        yield from manifests.parse(library.new_manifest(draft), "").problems

    def _has_states(self) -> bool:
        """Say whether the country needs a state, by what checking misses."""
        return any(
            p.field == "returnAddress.stateOrProvince"
            for p in self._problems(self.draft)
        )

    def _goes_abroad(self) -> bool:
        return any(p.rule == "customs-needed" for p in self._problems(self.draft))
