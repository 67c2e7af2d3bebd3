"""Settings: what they are, where they come from, and the file they stand in."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from s3export.adapters.command_lines import open_editor
from s3export.adapters.commands import Commands
from s3export.adapters.output_files import write_private
from s3export.domain.errors import (
    DeviceError,
    FileRefused,
    InputRefused,
    SettingsRejected,
)
from s3export.domain.secret import Secret
from s3export.entrypoints.cli.commands import Call
from s3export.entrypoints.cli.exit_codes import ExitCode
from s3export.entrypoints.cli.terminal import columns, harmless
from s3export.entrypoints.settings import (
    SECRETS,
    Configuration,
    configuration,
    settings_path,
)
from s3export.entrypoints.settings_file import template

if TYPE_CHECKING:
    from s3export.adapters.aws_chain import Found

_AWS_OWN = ("profile", "region", "endpoint_url")


def config(call: Call) -> int:
    """Show the settings or their file's place, or have the file edited."""
    return {"show": _show, "path": _path, "edit": _edit}[call.arguments.action](call)


def _show(call: Call) -> int:
    found = call.configuration
    for warning in found.warnings:
        call.terminal.warn(warning)
    chain = _chain(found)
    document = {
        "path": str(found.file.path),
        "exists": found.file.exists,
        "settings": {
            name: {"value": value, "origin": origin.kind, "place": origin.place or None}
            for name, origin in found.origins.items()
            for value in [_value(found, name)]
        },
        "aws": {
            name: {"value": one.value, "origin": one.origin}
            for name, one in chain.items()
        },
        "warnings": list(found.warnings),
    }
    call.terminal.result(_lines(found, chain), document)
    return ExitCode.DONE


def _chain(found: Configuration) -> Mapping[str, "Found"]:
    """Return what is in force where no setting of our own says it."""
    from s3export.adapters.aws_chain import found_by_chain

    settings = found.settings
    told = found_by_chain(settings.profile, settings.region)
    return {one.name: one for one in told if getattr(settings, one.name) is None}


def _lines(found: Configuration, chain: Mapping[str, "Found"]) -> Iterator[str]:
    there = "" if found.file.exists else " (there is none)"
    yield f"File: {harmless(str(found.file.path))}{there}"
    yield from columns(
        [
            (name, harmless(chain[name].value), f"AWS: {harmless(chain[name].origin)}")
            if name in chain
            else (
                name,
                harmless(_told(name, _value(found, name))),
                harmless(str(origin)),
            )
            for name, origin in found.origins.items()
        ]
    )


def _value(found: Configuration, name: str) -> object:
    value = getattr(found.settings, name)
    if name in SECRETS and value is not None:
        return Secret.MASK
    if name == "sample_size" and value is None:
        return "all"
    return list(value) if isinstance(value, tuple) else value


def _told(name: str, value: object) -> str:
    if value is None:
        return "as AWS's chain has it" if name in _AWS_OWN else "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(call: Call) -> int:
    path = settings_path(call.config_file)
    document = {"path": str(path), "exists": path.exists()}
    call.terminal.result([harmless(str(path))], document)
    return ExitCode.DONE


def _edit(call: Call) -> int:
    """Edit until the file can be used, or nobody wants to any more."""
    path = settings_path(call.config_file)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if call.terminal.non_interactive or not editor.strip():
        reason = "nobody may be asked" if editor.strip() else "no editor is set"
        raise InputRefused(
            f"{path} cannot be edited: {reason}",
            next_step="set VISUAL or EDITOR, or write the file by other means and look "
            "at it with: s3export config show",
        )
    _begin(path)
    while True:
        _opened(editor, path)
        try:
            found = configuration(config_file=str(path), environment={})
        except SettingsRejected as error:
            call.terminal.fail(error)
            if call.terminal.agrees("Edit it again?"):
                continue
            return ExitCode.INPUT
        break
    for warning in found.warnings:
        call.terminal.warn(warning)
    names = [name for name, origin in found.origins.items() if origin.kind == "file"]
    call.terminal.result(
        [f"{harmless(str(path))} sets: {', '.join(names) or 'nothing'}"],
        {"path": str(path), "exists": True, "sets": names},
    )
    return ExitCode.DONE


def _begin(path: Path) -> None:
    """Write the file with every setting commented out, if there is none."""
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileRefused(f"{path.parent}: {error.strerror}") from error
    write_private(str(path), template())


def _opened(editor: str, path: Path) -> None:
    try:
        line = open_editor(editor, str(path))
    except ValueError as error:  # a quote without its end
        raise InputRefused(
            f"the editor {editor!r} cannot be read: {error}",
            next_step="set VISUAL or EDITOR to a program",
        ) from error
    try:
        status = Commands().run_on_the_terminal(line)
    except DeviceError as error:
        raise InputRefused(
            f"the editor {editor!r} does not start: {error.message}",
            next_step="set VISUAL or EDITOR to a program that is there",
        ) from error
    if status:
        raise InputRefused(
            f"the editor {line.program} ended with status {status}; "
            f"{path} was not checked",
            next_step="check it with: s3export config show",
        )
