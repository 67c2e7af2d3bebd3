"""Device-mapper mappings that s3export made: which there are, and how they go.

A cascade of ciphers is a chain: ``NAME`` stands on ``NAME_1``, that on ``NAME_2``.
"""

import contextlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from s3export.adapters import command_lines
from s3export.adapters.commands import Commands
from s3export.domain.errors import DeviceFailed

_CLOSE_TRIES = 2  # cryptsetup itself tries for five seconds


def new_name() -> str:
    """Return a name that no mapping has."""
    return f"s3export-{secrets.token_hex(8)}"


def node(name: str) -> str:
    """Return the path of a mapping's device."""
    return f"/dev/mapper/{name}"


def present(names: Iterable[str], system: Path = Path("/sys/block")) -> tuple[str, ...]:
    """Return what the kernel has of these mappings and their chains, the top first."""
    there = set()
    for path in system.glob("dm-*/dm/name"):
        with contextlib.suppress(OSError):  # it went away meanwhile
            there.add(path.read_text().strip())
    return tuple(
        mapping
        for name in names
        for mapping in sorted(there)
        if re.fullmatch(rf"{re.escape(name)}(_\d)?", mapping)
    )


def close(commands: Commands, name: str) -> None:
    """Remove a mapping with its chain; nothing happens where there is none.

    Raises:
        DeviceFailed: It is in use.
    """
    for tries in range(_CLOSE_TRIES):
        try:
            for mapping in present([name]):
                commands.run(command_lines.close_mapping(mapping))
        except DeviceFailed as error:
            if tries + 1 == _CLOSE_TRIES:
                raise DeviceFailed(
                    f"the mapping {node(name)} cannot be removed: {error.message}",
                    next_step=(
                        f"see who uses it: fuser -vm {node(name)}; "
                        f"then: cryptsetup close {name}"
                    ),
                ) from error
        else:
            return
