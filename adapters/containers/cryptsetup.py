"""Encrypted containers through cryptsetup and the kernel's dm-crypt.

To read one, a read-only loop device stands between the container and cryptsetup: with
``--readonly`` alone, it repairs a damaged LUKS2 header on the disk it looks at.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s3export.adapters import command_lines, mappings
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands, Output
from s3export.adapters.containers import kernel
from s3export.adapters.live_runs import WHATEVER_USES_IT
from s3export.adapters.loop_devices import LoopDevices, Shield
from s3export.adapters.sessions import RUN_DIRECTORY, Session
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import (
    DeviceAbsent,
    DeviceFailed,
    DeviceRefused,
    DeviceUnreadable,
    FileRefused,
    InputRefused,
    KernelLacks,
    PasswordRefused,
    PrivilegeMissing,
    S3ExportError,
    ToolMissing,
)
from s3export.domain.secret import Secret

Format = Literal["tcrypt", "luks"]
"""What cryptsetup calls TrueCrypt and VeraCrypt, and LUKS1 and LUKS2."""

LONGEST_PASSPHRASE_BYTES = 512
"""What cryptsetup reads from its standard input."""

_MODULES: dict[Format | None, tuple[str, ...]] = {
    "tcrypt": ("loop", "dm_mod", "dm_crypt", "algif_skcipher"),
    "luks": ("loop", "dm_mod", "dm_crypt"),
    None: ("loop", "dm_mod", "dm_crypt", "algif_skcipher"),
}


@dataclass(frozen=True)
class Mapping:
    """The decrypted view of a container: a block device.

    Attributes:
        path: Its node, ``/dev/mapper/…``.
        cipher: Such as ``aes-twofish-serpent-xts``; as cryptsetup names a cascade.
        kind: What the container is.
    """

    path: str
    cipher: str
    kind: Literal["truecrypt", "veracrypt", "luks"]


class CryptsetupContainers:
    """Opens containers in files and on block devices; needs root and dm-crypt.

    Args:
        shield: Entered around each step that acquires or releases something, so that
            an interruption never comes between doing it and writing it down.
        run_directory: Where the notes of what is attached and mapped are kept.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        shield: Shield = contextlib.nullcontext,
        run_directory: str = RUN_DIRECTORY,
    ) -> None:
        self._commands = commands
        self._shield = shield
        self._session = Session.of_this_process(run_directory)
        self._loop_devices = LoopDevices(commands, self._session, shield)

    def available(self, kind: Format | None = None) -> str:
        """Say what is lacking to open containers; empty where nothing is.

        Changes nothing: no module is loaded to find out. Not lacking is no promise: a
        rare cipher may be.
        """
        if not self._commands.has("cryptsetup"):
            return "cryptsetup is not installed"
        lacking = kernel.what_is_lacking(_MODULES[kind], targets=self._targets)
        return f"the kernel has {lacking}" if lacking else ""

    def _targets(self) -> str:
        try:
            line = command_lines.list_device_mapper_targets()
            return self._commands.run(line).stdout
        except (DeviceFailed, ToolMissing):
            return ""

    @contextmanager
    def opened(
        self,
        path: str,
        key: ContainerKey,
        *,
        kind: Format | None,
        hidden: bool = False,
        backup_header: bool = False,
        veracrypt: bool | None = None,
        offset: int = 0,
        size: int = 0,
        read_only: bool = True,
    ) -> Iterator[Mapping]:
        """Give the decrypted view; on leaving, nothing of it is left.

        Args:
            kind: None to look: LUKS says so itself, all else is tried as TrueCrypt. To
                be written to, the kind must be known: looking may change a header.
            hidden: Open the volume within the free space, which has its own key.
            backup_header: Use the copy of a TrueCrypt header at the container's end.
            veracrypt: None to try TrueCrypt, then VeraCrypt; False for TrueCrypt only;
                True for VeraCrypt, which takes TrueCrypt volumes as well where the key
                has no PIM (and calls them VeraCrypt).

        Raises:
            PasswordRefused: The key does not open it; or it is no such container, or
                its header is damaged.
            KernelLacks: The kernel cannot do it; the message says what it lacks.
            ToolMissing: cryptsetup is not installed.
            PrivilegeMissing: This is not root.
            DeviceAbsent: There is no such file or device.
            DeviceUnreadable: It cannot be a container of that kind.
            InputRefused: The key is none that such a container can have.
            DeviceFailed: cryptsetup failed in a way not known here.
        """
        secret = _line_of(key)
        if veracrypt is False and key.pim:
            raise InputRefused("TrueCrypt knows no PIM; only VeraCrypt does")
        _need_root()
        _need_container(path)
        with ExitStack() as stack:
            device = path
            if read_only or offset or size or not Path(path).is_block_device():
                device = stack.enter_context(
                    self._loop_devices.attached(
                        path, read_only=read_only, offset=offset, size=size
                    )
                )
            name = mappings.new_name()
            if kind is None:
                kind = self._kind(device)
            if kind == "luks":
                attempts = [
                    command_lines.open_luks(
                        device, name, keyfile=_only(key), read_only=read_only
                    )
                ]
            else:
                attempts = [
                    command_lines.open_tcrypt(
                        device,
                        name,
                        veracrypt=new,
                        keyfiles=_absolute(key.keyfiles),
                        pim=key.pim,
                        hidden=hidden,
                        backup_header=backup_header,
                        read_only=read_only,
                    )
                    for new in _generations(veracrypt, key.pim)
                ]
            with self._shield():
                self._session.note_opening(name)
                stack.callback(self._close, name)
                opened_by = self._open(attempts, secret, path, kind, backup_header)
            status = self._commands.run(command_lines.show_mapping(name)).stdout
            yield Mapping(
                mappings.node(name),
                cipher_of(status),
                _kind_of(opened_by, kind),
            )

    def check_passphrase(self, passphrase: Secret) -> None:
        """Return if a container can be made with a passphrase.

        Raises:
            InputRefused: It cannot.
        """
        if len(_line_of(ContainerKey(passphrase))) == 1:
            raise InputRefused("a container's password cannot be empty")

    def make_luks(self, device: str, passphrase: Secret) -> None:
        """Make an empty LUKS2 container of a device; what was on it is lost.

        Raises:
            InputRefused: The passphrase is none that such a container can have.
            DeviceFailed: It could not be made; the device may be erased all the same.
        """
        _need_root()
        self.check_passphrase(passphrase)
        secret = _line_of(ContainerKey(passphrase))
        self._commands.run(command_lines.make_luks(device), secret=secret)

    def _kind(self, device: str) -> Format:
        line = command_lines.is_luks(device)
        return "tcrypt" if self._commands.run(line).status else "luks"

    def _open(
        self,
        attempts: Sequence[CommandLine],
        secret: bytes,
        path: str,
        kind: Format,
        backup_header: bool,
    ) -> CommandLine:
        """Return the attempt that succeeded."""
        for attempt in attempts:
            output = self._commands.run(attempt, secret=secret)
            if output.status == 0:
                return attempt
            if output.status != 2:
                break
        raise refusal(
            output,
            path,
            kind=kind,
            backup_header=backup_header,
            missing_ciphers=kernel.missing_ciphers() if kind == "tcrypt" else (),
        )

    def _close(self, name: str) -> None:
        with self._shield():
            mappings.close(self._commands, name)
            self._session.note_closed(name)
            self._session.close()


def _line_of(key: ContainerKey) -> bytes:
    """Return the passphrase as the one line that cryptsetup reads."""
    passphrase = key.passphrase.reveal().encode(errors="surrogateescape")
    if b"\n" in passphrase:
        raise InputRefused("a container's password cannot hold a line break")
    if len(passphrase) > LONGEST_PASSPHRASE_BYTES:
        raise InputRefused(
            f"a container's password has at most {LONGEST_PASSPHRASE_BYTES} bytes"
        )
    return passphrase + b"\n"


def _only(key: ContainerKey) -> str:
    """Return the key file of a LUKS container; empty where the key is a passphrase."""
    if not key.keyfiles:
        return ""
    if len(key.keyfiles) > 1 or key.passphrase.reveal():
        raise InputRefused(
            "a LUKS container opens with a passphrase or with one key file"
        )
    return _absolute(key.keyfiles)[0]


def _absolute(files: Sequence[str]) -> list[str]:
    """Return paths that nothing takes for an option or for standard input."""
    return [str(Path(file).absolute()) for file in files]


def _generations(veracrypt: bool | None, pim: int) -> tuple[bool, ...]:
    """Return whether VeraCrypt is allowed, for each attempt."""
    if veracrypt or pim:
        return (True,)
    return (False,) if veracrypt is False else (False, True)


def _kind_of(
    line: CommandLine, kind: Format
) -> Literal["truecrypt", "veracrypt", "luks"]:
    if kind == "luks":
        return "luks"
    return "truecrypt" if "--disable-veracrypt" in line.argv else "veracrypt"


def cipher_of(status: str) -> str:
    """Read the cipher from what ``cryptsetup status`` prints; empty if it is not said.

    The way in which sectors are numbered is left out: it is the same in all of them.
    """
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cipher":
            return value.strip().removesuffix("-plain64").removesuffix("-plain")
    return ""


def refusal(
    output: Output,
    path: str,
    *,
    kind: Format,
    backup_header: bool = False,
    missing_ciphers: Sequence[str] = (),
) -> S3ExportError:
    """Say what it means that cryptsetup did not open a container.

    Its exit status alone does not tell: 1 stands for much, 2 for a wrong password, a
    damaged header, a file that is no container, and a cipher that the kernel lacks.
    """
    said = output.stderr
    if "which is in use" in said:
        return DeviceRefused(
            f"{path} is in use: it is open already, or mounted",
            next_step=WHATEVER_USES_IT,
        )
    if "Cannot initialize device-mapper" in said:
        return KernelLacks(
            f"{path} cannot be opened: the kernel has no device-mapper (module dm_mod)"
        )
    if "Required kernel crypto interface not available" in said:
        if kind == "tcrypt" and not missing_ciphers:
            # So ends every search for VeraCrypt ciphers that no Linux kernel has.
            return _no_header(said, path, backup_header, ())
        what = ", ".join(missing_ciphers) or "algif_skcipher, or not its cipher"
        return KernelLacks(
            f"{path} cannot be opened: the kernel offers programs no {what} (modules "
            "algif_skcipher, xts and the cipher's own); whether the password is right "
            "was not found out"
        )
    if "Kernel does not support activation for this TCRYPT legacy mode" in said:
        return KernelLacks(
            f"{path} cannot be opened: the kernel cannot map this old TrueCrypt mode"
        )
    if "reload ioctl" in said and "Invalid argument" in said:
        return KernelLacks(
            f"{path} cannot be opened: the kernel has no dm-crypt (module dm_crypt)"
        )
    if "reload ioctl" in said and "No such file or directory" in said:
        return KernelLacks(
            f"{path} cannot be opened: the kernel has dm-crypt, and not the "
            "container's cipher (such as the modules xts, twofish, serpent)"
        )
    if "Failed to open key file" in said:
        return FileRefused(f"{path} cannot be opened: a key file cannot be read")
    if "is not a valid LUKS device" in said:
        return DeviceUnreadable(
            f"{path} is no LUKS container, or its header is damaged"
        )
    if "does not exist or access denied" in said:
        return DeviceAbsent(f"{path} does not exist, or may not be read")
    if "No key available with this passphrase" in said:
        return PasswordRefused(f"{path} does not open with this password or key file")
    if "No device header detected with this passphrase" in said:
        return _no_header(said, path, backup_header, missing_ciphers)
    words = said.strip().splitlines() or ["it said nothing"]
    return DeviceFailed(
        f"opening {path}: cryptsetup failed (status {output.status}): {words[-1]}"
    )


def _no_header(
    said: str, path: str, backup_header: bool, missing_ciphers: Sequence[str]
) -> S3ExportError:
    if "passphrase length" in said:
        return PasswordRefused(
            f"{path} does not open: TrueCrypt passwords have at most 64 bytes, "
            "VeraCrypt's 128, and this one has more"
        )
    if missing_ciphers:
        return KernelLacks(
            f"{path} did not open: the password is wrong, or the container needs "
            f"{', '.join(missing_ciphers)}, which the kernel lacks"
        )
    rare = (
        ", or it is a VeraCrypt volume with a cipher that the kernel lacks"
        if "Required kernel crypto interface" in said
        else ""
    )
    if backup_header:
        return PasswordRefused(
            f"{path} does not open by its backup header, either: the password is "
            f"wrong, or this is not such a container{rare}"
        )
    return PasswordRefused(
        f"{path} does not open with this password: it is wrong, or this is not such a "
        f"container, or its header is damaged{rare}",
        next_step=(
            "check the password, the key files and the PIM; where the header may be "
            "damaged, add --backup-header"
        ),
    )


def _need_container(path: str) -> None:
    try:
        found = os.stat(path)  # noqa: PTH116 - bytes-safe, and no Path needed
    except OSError as error:
        raise DeviceAbsent(f"{path}: {error.strerror}") from error
    if stat.S_ISBLK(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        raise DeviceUnreadable(f"{path} is neither a file nor a block device")
    if not found.st_size:
        raise DeviceUnreadable(f"{path} is empty: no container")


def _need_root() -> None:
    if os.geteuid() != 0:
        raise PrivilegeMissing(
            "opening a container through the kernel needs root",
            next_step="run it as root, or add --open-with userspace",
        )
