"""What cryptsetup is told and what it answers: recorded outputs (cryptsetup 2.6.1)."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from plumbum import CommandNotFound

from s3export.adapters import command_lines, mappings
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands, Output
from s3export.adapters.containers import kernel
from s3export.adapters.containers.cryptsetup import (
    CryptsetupContainers,
    cipher_of,
    refusal,
)
from s3export.adapters.device_facts import LoopDevice
from s3export.adapters.sessions import Held, Session
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import (
    DeviceAbsent,
    DeviceFailed,
    DeviceUnreadable,
    FileRefused,
    InputRefused,
    KernelLacks,
    PasswordRefused,
    S3ExportError,
    ToolMissing,
)
from s3export.domain.secret import Secret

PASSWORD = "Tr0ub4dor & 3"
NO_HEADER = "No device header detected with this passphrase.\n"
NO_INTERFACE = (
    "Required kernel crypto interface not available.\n"
    "Ensure you have algif_skcipher kernel module loaded.\n"
)
NO_DM = (
    "Cannot initialize device-mapper. Is dm_mod kernel module loaded?\n"
    "Cannot use device m, name is invalid or still in use.\n"
)
NO_CRYPT = (
    "device-mapper: reload ioctl on m (254:0) failed: Invalid argument\n"
    "Kernel does not support TCRYPT compatible mapping.\n"
)
NO_CRYPT_LUKS = "device-mapper: reload ioctl on m (254:0) failed: Invalid argument\n"
NO_CIPHER = (
    "device-mapper: reload ioctl on m (254:0) failed: No such file or directory\n"
)
BUSY = "device-mapper: reload ioctl on m (254:0) failed: Device or resource busy\n"
TOO_LONG = f"Maximum TCRYPT passphrase length (64) exceeded.\n{NO_HEADER}"


@pytest.mark.parametrize(
    ("status", "stderr", "error", "told"),
    [
        (1, NO_DM, KernelLacks, "no device-mapper (module dm_mod)"),
        (1, NO_CRYPT, KernelLacks, "no dm-crypt (module dm_crypt)"),
        (4, NO_CRYPT_LUKS, KernelLacks, "no dm-crypt (module dm_crypt)"),
        (4, NO_CIPHER, KernelLacks, "not the container's cipher"),
        (4, BUSY, DeviceFailed, "Device or resource busy"),
        (1, NO_INTERFACE, PasswordRefused, "VeraCrypt volume with a cipher"),
        (2, NO_HEADER, PasswordRefused, "wrong, or this is not such a container"),
        (2, TOO_LONG, PasswordRefused, "at most 64 bytes"),
        (2, "No key available with this passphrase.\n", PasswordRefused, "/d/53TX4.tc"),
        (1, "Failed to open key file.\n", FileRefused, "key file"),
        (1, "Device m is not a valid LUKS device.\n", DeviceUnreadable, "no LUKS"),
        (4, "Device m does not exist or access denied.\n", DeviceAbsent, "exist"),
        (1, "", DeviceFailed, "status 1"),
        (5, "Device m already exists.\n", DeviceFailed, "already exists"),
    ],
)
def test_each_answer_is_one_error(
    status: int, stderr: str, error: type[S3ExportError], told: str
) -> None:
    """The words decide, not the status; the container is named."""
    refused = refusal(Output("", stderr, status), "/d/53TX4.tc", kind="tcrypt")

    assert type(refused) is error
    assert told in refused.message
    assert "/d/53TX4.tc" in refused.message


@pytest.mark.parametrize("stderr", [NO_DM, NO_CRYPT, NO_CRYPT_LUKS, NO_INTERFACE])
def test_what_the_kernel_lacks_another_way_does_not_need(stderr: str) -> None:
    """The next step is the way without the kernel."""
    refused = refusal(
        Output("", stderr, 1), "x.tc", kind="tcrypt", missing_ciphers=("xts(serpent)",)
    )

    assert isinstance(refused, KernelLacks)
    assert "--open-with userspace" in refused.next_step


def test_a_wrong_password_may_be_a_damaged_header() -> None:
    """The backup header is named, unless it was the one tried."""
    first = refusal(Output("", NO_HEADER, 2), "x.tc", kind="tcrypt")
    second = refusal(
        Output("", NO_HEADER, 2), "x.tc", kind="tcrypt", backup_header=True
    )

    assert "--backup-header" in first.next_step
    assert "--backup-header" not in second.next_step


def test_a_cipher_that_the_kernel_lacks_is_no_wrong_password() -> None:
    """To cryptsetup, it is."""
    refused = refusal(
        Output("", NO_HEADER, 2),
        "x.tc",
        kind="tcrypt",
        missing_ciphers=("xts(twofish)",),
    )

    assert isinstance(refused, KernelLacks)
    assert "xts(twofish)" in refused.message


def test_truecrypt_is_opened_read_only_and_without_veracrypt() -> None:
    """Every option has its place, and the device and the name come last."""
    line = command_lines.open_tcrypt(
        "/dev/loop3",
        "s3export-0",
        veracrypt=False,
        keyfiles=("/k 1", "/k2"),
        pim=7,
        hidden=True,
        backup_header=True,
    )

    assert line.argv == (
        *("cryptsetup", "open", "--readonly", "--type=tcrypt", "--disable-veracrypt"),
        *("--tcrypt-hidden", "--tcrypt-backup", "--key-file=/k 1", "--key-file=/k2"),
        *("/dev/loop3", "s3export-0"),
    )


def test_veracrypt_takes_a_pim() -> None:
    """Only there does it mean anything."""
    line = command_lines.open_tcrypt("/dev/loop3", "n", veracrypt=True, pim=7)

    assert line.argv == (
        *("cryptsetup", "open", "--readonly", "--type=tcrypt", "--veracrypt-pim=7"),
        *("/dev/loop3", "n"),
    )


def test_luks_is_opened_read_only() -> None:
    """Both versions by one name."""
    line = command_lines.open_luks("/dev/loop3", "n", keyfile="/k")

    assert line.argv == (
        *("cryptsetup", "open", "--readonly", "--type=luks", "--tries=1"),
        *("--key-file=/k", "/dev/loop3", "n"),
    )


def test_the_cipher_of_a_cascade_is_read() -> None:
    """As ``cryptsetup status`` prints it."""
    status = (
        "/dev/mapper/m is active.\n  type:    TCRYPT\n"
        "  cipher:  aes-twofish-serpent-xts-plain64\n  keysize: 1536 bits\n"
    )

    assert cipher_of(status) == "aes-twofish-serpent-xts"
    assert cipher_of("/dev/mapper/m is active.\n") == ""


# --- secrets ----------------------------------------------------------------------


class Recording(Commands):
    """Answers without running anything; remembers what it was given."""

    def __init__(self, answer: Callable[[CommandLine], Output]) -> None:
        self.answer = answer
        self.lines: list[CommandLine] = []
        self.secrets: list[bytes] = []

    def run(self, line: CommandLine, *, secret: bytes | None = None) -> Output:
        self.lines.append(line)
        if secret is not None:
            self.secrets.append(secret)
        return self.answer(line)


def refusing(line: CommandLine) -> Output:
    """Answer as losetup and cryptsetup do to a wrong password."""
    if line.argv[1] == "open":
        return Output("", NO_HEADER, 2)
    if line.argv[1] == "isLuks":
        return Output("", "", 1)
    return Output("/dev/loop3\n", "", 0)


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file, and a process that may open it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    path = tmp_path / "53TX4.tc"
    path.write_bytes(bytes(512))
    return str(path)


@pytest.mark.parametrize(
    ("veracrypt", "pim", "tried"),
    [
        (None, 0, [False, True]),
        (False, 0, [False]),
        (True, 0, [True]),
        (None, 5, [True]),
    ],
)
def test_truecrypt_comes_first_and_veracrypt_only_where_it_may(
    container: str, tmp_path: Path, veracrypt: bool | None, pim: int, tried: list[bool]
) -> None:
    """A PIM is VeraCrypt's."""
    commands = Recording(refusing)
    containers = CryptsetupContainers(commands, run_directory=str(tmp_path / "run"))
    key = ContainerKey(Secret(PASSWORD), pim=pim)

    with (
        pytest.raises(S3ExportError),
        containers.opened(container, key, kind=None, veracrypt=veracrypt),
    ):
        pass

    opens = [line.argv for line in commands.lines if line.argv[1] == "open"]
    assert ["--disable-veracrypt" not in argv for argv in opens] == tried
    assert commands.secrets == [PASSWORD.encode() + b"\n"] * len(tried)
    assert not list((tmp_path / "run").glob("*"))


def test_the_password_is_on_standard_input_and_nowhere_else(
    container: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in an argument, a log, a note, an error or what is shown of a key."""
    caplog.set_level(logging.DEBUG)
    commands = Recording(refusing)
    containers = CryptsetupContainers(commands, run_directory=str(tmp_path / "run"))
    key = ContainerKey(Secret(PASSWORD), ("/k",), pim=98)

    with (
        pytest.raises(S3ExportError) as refused,
        containers.opened(container, key, kind="tcrypt"),
    ):
        pass

    seen = repr((key, commands.lines, refused.value, refused.value.__dict__))
    assert commands.secrets
    assert "Tr0ub4dor" not in seen + caplog.text
    assert "98" not in repr(key)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ContainerKey(Secret("two\nlines")), None),
        (ContainerKey(Secret("x" * 513)), None),
        (ContainerKey(Secret("x"), ("/k",)), "luks"),
        (ContainerKey(Secret(""), ("/k", "/l")), "luks"),
    ],
)
def test_a_key_that_no_container_has_is_refused(
    container: str, tmp_path: Path, key: ContainerKey, kind: str | None
) -> None:
    """Before cryptsetup is asked."""
    commands = Recording(refusing)
    containers = CryptsetupContainers(commands, run_directory=str(tmp_path / "run"))

    with (
        pytest.raises(InputRefused),
        containers.opened(container, key, kind=kind),  # type: ignore[arg-type]
    ):
        pass

    assert not commands.secrets


def test_a_missing_cryptsetup_is_named_with_its_package(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is known beforehand."""
    monkeypatch.setattr("s3export.adapters.commands._SYSTEM_PATHS", ())
    monkeypatch.setattr("s3export.adapters.commands.local", _NothingInstalled())
    commands = Commands()

    assert "cryptsetup" in CryptsetupContainers(commands).available()
    with pytest.raises(ToolMissing) as missing:
        commands.run(command_lines.is_luks("/dev/loop3"))
    assert "cryptsetup-bin" in missing.value.next_step


class _NothingInstalled:
    def __getitem__(self, program: str) -> None:
        raise CommandNotFound(program, [])


# --- the kernel -------------------------------------------------------------------


def kernel_files(root: Path, *files: str, modprobe: str = "/sbin/modprobe") -> Path:
    """Make the files of a running system."""
    for file in files:
        (root / file).mkdir(parents=True)
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/modprobe").write_text(f"{modprobe}\n")
    return root


def modules_on_disk(root: Path, listing: str, text: str) -> None:
    """Write modules.dep or modules.builtin."""
    directory = root / "lib/modules" / os.uname().release
    directory.mkdir(parents=True, exist_ok=True)
    (directory / listing).write_text(text)


NEEDED = ("dm_mod", "dm_crypt")


def test_a_kernel_without_anything_lacks_it(tmp_path: Path) -> None:
    """Each part is named with its module."""
    root = kernel_files(tmp_path)

    lacking = kernel.what_is_lacking(NEEDED, root=root)

    assert lacking == (
        "no device-mapper (module dm_mod) and no dm-crypt (module dm_crypt)"
    )


def test_loaded_modules_are_there(tmp_path: Path) -> None:
    """As the kernel says in /sys."""
    root = kernel_files(tmp_path, "sys/module/dm_mod", "sys/module/dm_crypt")

    assert kernel.what_is_lacking(NEEDED, root=root) == ""


def test_what_is_built_in_is_there(tmp_path: Path) -> None:
    """Even where no listing says so, dmsetup does."""
    root = kernel_files(tmp_path, "sys/class/misc/device-mapper")

    def targets() -> str:
        return "crypt            v1.24.0\nlinear           v1.4.0\n"

    assert kernel.what_is_lacking(NEEDED, root=root, targets=targets) == ""
    assert kernel.what_is_lacking(NEEDED, root=root) != ""


def test_modules_on_disk_count_where_the_kernel_loads_them(tmp_path: Path) -> None:
    """Compressed or not; built in ones count anyway."""
    root = kernel_files(tmp_path)
    modules_on_disk(root, "modules.builtin", "kernel/drivers/md/dm-mod.ko\n")
    modules_on_disk(root, "modules.dep", "kernel/drivers/md/dm-crypt.ko.xz: x.ko.xz\n")

    assert kernel.what_is_lacking(NEEDED, root=root) == ""
    (root / "proc/sys/kernel/modprobe").write_text("\n")
    assert "dm_crypt" in kernel.what_is_lacking(NEEDED, root=root)
    (root / "proc/sys/kernel/modprobe").write_text("/sbin/modprobe\n")
    (root / "proc/sys/kernel/modules_disabled").write_text("1\n")
    assert "dm_crypt" in kernel.what_is_lacking(NEEDED, root=root)
    assert "dm_mod" not in kernel.what_is_lacking(NEEDED, root=root)


# --- notes ------------------------------------------------------------------------


def test_what_is_held_is_released_from_the_inside(tmp_path: Path) -> None:
    """A disk, a container on it, the file system within."""
    session = Session(tmp_path / "1-1")
    session.note_attaching("/d.img", 0)
    session.note_attached("/dev/loop0")
    outer = session.mount_point()
    session.note_attaching("/outer/53TX4.tc", 0)
    session.note_attached("/dev/loop1")
    session.note_opening("s3export-0")
    session.note_opening("s3export-1")
    session.note_closed("s3export-1")
    session.note_attaching("/dev/mapper/s3export-0", 0)
    present = (LoopDevice("/dev/loop2", "/dev/mapper/s3export-0", 0, 0, False),)

    assert session.held(present) == (
        Held("loop", "/dev/loop2"),
        Held("mapping", "s3export-0"),
        Held("loop", "/dev/loop1"),
        Held("mount", str(outer)),
        Held("loop", "/dev/loop0"),
    )


def test_a_mapping_is_found_with_its_chain(tmp_path: Path) -> None:
    """The top first; another one's name that begins alike is not ours."""
    names = ("s3export-a_1", "s3export-a", "s3export-a_2", "s3export-ab", "other")
    for number, name in enumerate(names):
        (tmp_path / f"dm-{number}/dm").mkdir(parents=True)
        (tmp_path / f"dm-{number}/dm/name").write_text(f"{name}\n")

    found = mappings.present(["s3export-a", "s3export-gone"], tmp_path)

    assert found == ("s3export-a", "s3export-a_1", "s3export-a_2")
