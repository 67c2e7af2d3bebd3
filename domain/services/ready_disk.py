"""Make a disk ready to be sent: erase it, sign it, and see that the signature is there.

Every step leads to a named state, so that an error can say what is on the disk.
"""

from dataclasses import dataclass, field

from s3export.domain.backup_layout import ROOT, TreePath, is_container, shown
from s3export.domain.devices import DeviceFacts, refusals_to_write
from s3export.domain.devices.preparation import DiskState, Preparation, Reached
from s3export.domain.errors import (
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DiskFull,
    FileUnreadable,
    InputRefused,
)
from s3export.domain.jobs import SIGNATURE_FILE_NAME, job_id, job_named_in
from s3export.domain.load_marker import DAMAGED_LOAD, read_marker
from s3export.domain.ports import BlockDevices, FileTree

_FAULTY = "the disk is probably faulty: use another one"

SIGNATURE_PATH = TreePath(SIGNATURE_FILE_NAME.encode())


@dataclass
class ReadyDisk:
    """One disk on its way; ``state`` says how far it has come."""

    devices: BlockDevices
    facts: DeviceFacts
    state: DiskState = field(default=DiskState.UNTOUCHED)

    def prepare(self, preparation: Preparation) -> None:
        """Erase it and make its file system."""
        self.devices.prepare(self.facts, preparation, self._reached)

    def sign(self, content: str) -> None:
        """Write SIGNATURE, release the disk, look at it anew, and compare."""
        write_signature(self.devices, self.facts, content, self._reached)
        self.state = DiskState.READY

    def _reached(self, state: DiskState) -> None:
        self.state = state


def refuse_unsafe(
    facts: DeviceFacts, *, allow_fixed: bool = True, needed_bytes: int = 0
) -> None:
    """Raise `DeviceRefused` with every reason why the device may not be written to."""
    refusals = refusals_to_write(
        facts, allow_fixed=allow_fixed, needed_bytes=needed_bytes
    )
    if refusals:
        telling = [refusal for refusal in refusals if refusal.final] or refusals
        raise DeviceRefused(
            "; ".join(refusal.reason for refusal in refusals),
            next_step="; ".join(dict.fromkeys(each.way_out for each in telling)),
        )


def write_signature(
    devices: BlockDevices,
    facts: DeviceFacts,
    content: str,
    reached: Reached = lambda state: None,
) -> None:
    """Write SIGNATURE to a device, release it, open it anew and compare.

    Args:
        reached: Told of ``BEING_SIGNED`` before the first byte is written.

    Raises:
        DeviceFailed: What was read is not what was written.
        DiskFull: It does not fit.

    """
    wanted = content.encode()
    with devices.open_for_writing(facts) as tree:
        reached(DiskState.BEING_SIGNED)
        try:
            tree.replace(SIGNATURE_PATH, wanted)
        except DiskFull as error:
            raise DiskFull(
                f"{SIGNATURE_FILE_NAME} does not fit on {facts.path}: {error.message}",
                next_step="make room on it",
            ) from error
        tree.sync()
    with devices.open_read_only(facts) as tree:
        try:
            found = read_signature(tree, limit=len(wanted) + 1)
        except FileUnreadable as error:
            raise DeviceFailed(
                f"{SIGNATURE_FILE_NAME} on {facts.path} cannot be read back: "
                f"{error.message}",
                next_step=_FAULTY,
            ) from error
        if found != wanted:
            raise DeviceFailed(
                f"{SIGNATURE_FILE_NAME} on {facts.path} does not read back as written",
                next_step=_FAULTY,
            )


def signature_on(
    devices: BlockDevices, facts: DeviceFacts, *, mounting: bool = True
) -> bytes:
    """Return SIGNATURE on a device; empty where its file system has none.

    Args:
        mounting: As in `BlockDevices.open_read_only`.

    Raises:
        DeviceError: It has no file system that can be read.

    """
    with devices.open_read_only(facts, mounting=mounting) as tree:
        return _signature_in(tree)


@dataclass(frozen=True)
class Held:
    """What is on a disk that is about to be taken.

    Attributes:
        job: That SIGNATURE names, in the form of a job's id; empty for none.
        backups: In words.

    """

    job: str = ""
    backups: tuple[str, ...] = ()


def held_on(devices: BlockDevices, facts: DeviceFacts) -> Held:
    """Look at what is on a disk, as far as it can be read.

    AWS formats a disk anew before it loads it, so that a disk that has come back has
    no SIGNATURE: its containers are what tells it. Nothing is mounted: a look leaves
    nothing to be released, and a disk of unknown content that is about to be erased is
    no business of the kernel's.
    """
    try:
        with devices.open_read_only(facts, mounting=False) as tree:
            containers = filter(is_container, map(TreePath, tree.names(ROOT)))
            return Held(
                _job_in(_signature_in(tree)),
                (
                    *_loads_on(tree),
                    *(f"the container {shown(path)}" for path in containers),
                ),
            )
    except DeviceError:
        return Held()  # an empty disk, or one in a form that is not read


def _loads_on(tree: FileTree) -> list[str]:
    try:
        loaded = read_marker(tree)
    except FileUnreadable:
        return [DAMAGED_LOAD]
    return [f"a load of job {loaded.job_id}"] if loaded else []


def _job_in(signature: bytes) -> str:
    named = job_named_in(signature)
    try:
        return job_id(named) if named else ""
    except InputRefused:
        return ""


def _signature_in(tree: FileTree) -> bytes:
    try:
        return read_signature(tree)
    except FileUnreadable:
        return b""


def read_signature(tree: FileTree, *, limit: int = 65_536) -> bytes:
    """Return the content of SIGNATURE, at most ``limit`` bytes of it."""
    buffer = bytearray(limit)
    length = 0
    with tree.open(SIGNATURE_PATH) as file:
        while length < limit:
            got = file.readinto(memoryview(buffer)[length:])
            if not got:
                break
            length += got
    return bytes(buffer[:length])
