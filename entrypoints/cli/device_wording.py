"""Disks in words, for people."""

from collections.abc import Iterator, Sequence

from s3export.domain.devices import DeviceFacts
from s3export.domain.sizes import size
from s3export.entrypoints.cli.terminal import columns, harmless
from s3export.entrypoints.library import ListedDevice

_MOST_REASONS = 3


def device_lines(devices: Sequence[ListedDevice]) -> Iterator[str]:
    """List disks: those that may be chosen first."""
    if not devices:
        yield "This system has no disk. Plug one in."
        return
    free = [device.facts for device in devices if not device.refusals]
    if free:
        yield "May be chosen:"
        yield from _table(free)
    else:
        yield "No disk may be chosen. Plug one in, or see why not:"
    others = [device for device in devices if device.refusals]
    if others:
        yield "May not be chosen:"
    for device, line in zip(
        others, _table([device.facts for device in others]), strict=True
    ):
        yield line
        reasons = [refusal.reason for refusal in device.refusals]
        for reason in reasons[:_MOST_REASONS]:
            yield f"      {harmless(reason)}"
        more = len(reasons) - _MOST_REASONS
        if more > 0:
            yield f"      and {more} more reason{'s' if more > 1 else ''}"


def _table(disks: Sequence[DeviceFacts]) -> list[str]:
    return columns(
        [tuple(map(harmless, ("", *_row(facts)))) for facts in disks] if disks else []
    )


def _row(facts: DeviceFacts) -> tuple[str, ...]:
    kind = "removable" if facts.removable else "virtual" if facts.virtual else "fixed"
    return (
        facts.path,
        size(facts.size_bytes),
        facts.model or "-",
        facts.serial or "-",
        facts.transport or "-",
        kind,
        _content(facts),
        facts.by_id.rpartition("/")[2],
    )


def _content(facts: DeviceFacts) -> str:
    found = [
        " ".join(filter(None, ("/".join(part.signatures), part.label)))
        for part in facts.tree()
        if part.signatures or part.label
    ]
    return ", ".join(found) or "nothing recognised"
