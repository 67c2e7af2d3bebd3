"""How a disk is prepared, and how far it has come: each step leads to a named state."""

import enum
from collections.abc import Callable
from dataclasses import dataclass


class DiskState(enum.Enum):
    """How far a disk has come; the value says for people what is on it now."""

    UNTOUCHED = "nothing on it was changed"
    BEING_ERASED = "what was on it may be lost, and nothing new on it can be relied on"
    PARTITIONED = "it has a new partition table, and no file system yet"
    BEING_FORMATTED = (
        "what was on it is lost, and its new file system may not be there or not whole"
    )
    FORMATTED = "it has an empty file system, and no SIGNATURE yet"
    BEING_SIGNED = (
        "SIGNATURE was being written to its file system, and is not known to be right"
    )
    READY = "it has a file system and the right SIGNATURE"


Reached = Callable[[DiskState], None]
"""Told of each state when it is reached."""


@dataclass(frozen=True)
class Preparation:
    """What a disk is made into.

    Attributes:
        label: Of the file system; at most 16 bytes are kept (ext4's limit).
        whole_disk: Make the file system without a partition table around it.
        full: Write all of the file system's tables now, and not in the background
            after it is first mounted: minutes on a large disk.
        file_system: Make one. Otherwise the partition, or the device, is left empty,
            for an encrypted container to fill it.

    """

    label: str
    whole_disk: bool = False
    full: bool = False
    file_system: bool = True
