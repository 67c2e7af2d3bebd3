"""Encrypted containers: what opens one, how to open it, what it turned out to be.

AWS returned a device either with a TrueCrypt container, ``<JOBID>.tc`` in its root, or,
from a device with a PIN, with plain files (AWS Import/Export Developer Guide, "Managing
file exports").
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from s3export.domain.backup_layout import TreePath, is_container, shown
from s3export.domain.errors import ContainerUnclear
from s3export.domain.secret import Secret


@dataclass(frozen=True)
class ContainerKey:
    """What the owner of an encrypted container knows or has.

    Attributes:
        passphrase: May be empty where there are key files.
        keyfiles: Paths of key files. TrueCrypt and VeraCrypt mix them into the
            passphrase, in any order; a LUKS key file stands in its place.
        pim: VeraCrypt's personal iterations multiplier; 0 for its default.

    """

    passphrase: Secret
    keyfiles: tuple[str, ...] = field(default=(), repr=False)
    pim: int = field(default=0, repr=False)


class OpenWith(enum.Enum):
    """What decrypts a container."""

    AUTO = "auto"
    CRYPTSETUP = "cryptsetup"
    USERSPACE = "userspace"


@dataclass(frozen=True)
class Opening:
    """How a backup is to be opened.

    Attributes:
        container: The file that is the container, on the disk; ``None`` to look.
        plain: There is none: the files lie in plain sight, whatever they are called.
        hidden: Open the volume within the container's free space.
        backup_header: Use the copy of the header at the container's end.
        veracrypt: ``None`` to try TrueCrypt, then VeraCrypt; True or False to insist.
        mounting: False keeps the disk from the kernel's file system code.

    """

    container: TreePath | None = None
    plain: bool = False
    hidden: bool = False
    backup_header: bool = False
    veracrypt: bool | None = None
    open_with: OpenWith = OpenWith.AUTO
    mounting: bool = True


PLAIN = "say --no-container, if it is no container but a file of the backup"
"""What to do about a name that only looks like a container's."""

AS_IT_COMES = Opening()
"""Look what is there, and open it by whatever means there are."""


@dataclass(frozen=True)
class ContainerFacts:
    """What a container turned out to be.

    Attributes:
        kind: ``truecrypt``, ``veracrypt`` or ``luks``.
        path: The file on the disk, or the partition that it fills.
        cipher: Such as ``aes-xts``.
        opened_with: ``cryptsetup`` or ``userspace``.

    """

    kind: str
    path: str
    cipher: str
    opened_with: str


def chosen_container(
    names: Sequence[bytes], opening: Opening, *, has_backup: bool
) -> TreePath | None:
    """Say which file of a disk's root is the container to open, if any.

    Args:
        names: Of the files in the root.
        has_backup: The directory of the backup is there in plain sight.

    Raises:
        ContainerUnclear: There are several.

    """
    if opening.plain or opening.container is not None:
        return opening.container
    found = [TreePath(name) for name in names if is_container(TreePath(name))]
    if has_backup or not found:
        return None
    if len(found) > 1:
        listed = ", ".join(f"/{shown(path)}" for path in found)
        raise ContainerUnclear(
            f"the disk holds several containers: {listed}",
            next_step=f"choose one: --container /{shown(found[0])}; or {PLAIN}",
        )
    return found[0]
