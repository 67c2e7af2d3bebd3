"""What a machine can do, in words."""

from collections.abc import Iterator, Sequence

from s3export.domain.capabilities import Ability, Diagnosis, Part, PartKind
from s3export.entrypoints.cli.terminal import columns, harmless

_KINDS = {
    PartKind.PRIVILEGE: "Privileges",
    PartKind.KERNEL: "Kernel",
    PartKind.TOOL: "System tools",
    PartKind.LIBRARY: "Libraries",
    PartKind.PYTHON: "Python",
    PartKind.AWS: "AWS",
}
_MARKS = {True: "yes", False: "NO", None: "?"}


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Tell the parts, then the tasks, then what to do; the one command comes last."""
    yield harmless(diagnosis.system)
    for kind, title in _KINDS.items():
        yield f"{title}:"
        yield from columns(
            [_row(part) for part in diagnosis.parts if part.kind is kind]
        )
    yield from _settings(diagnosis)
    yield "This machine can:"
    yield from columns([_task_row(ability) for ability in diagnosis.abilities])
    advised = _advised(diagnosis)
    for part in advised:
        yield f"  next: {part.name}: {part.advice}"
    if diagnosis.remedy:
        yield f"Add what is missing, as root: {diagnosis.remedy}"
    elif any(part.kind is PartKind.PYTHON for part in advised):
        yield "Nothing else is to be installed."
    else:
        yield "Nothing is to be installed."


def _row(part: Part) -> tuple[str, ...]:
    return ("", _MARKS[part.present], part.name, harmless(part.detail))


def _settings(diagnosis: Diagnosis) -> Iterator[str]:
    access = diagnosis.access
    if access.region:
        yield f"  region {harmless(access.region)} ({access.region_origin})"
    if access.endpoint:
        yield f"  endpoint {harmless(access.endpoint)}"
    if access.profile:
        yield f"  profile {harmless(access.profile)}"


def _task_row(ability: Ability) -> tuple[str, ...]:
    how = ability.way.name if ability.way else ""
    if ability.lacking:
        how = f"lacks {', '.join(part.name for part in ability.lacking)}"
    elif ability.unknown:
        how = f"not looked at: {', '.join(part.name for part in ability.unknown)}"
    return ("", _MARKS[ability.works], ability.task.about, ability.task.name, how)


def _advised(diagnosis: Diagnosis) -> Sequence[Part]:
    """Return the parts that no command adds, and what to do; each advice once."""
    said = {
        part.advice: part
        for ability in diagnosis.concerned
        for part in ability.lacking
        if part.advice
    }
    return tuple(said.values())
