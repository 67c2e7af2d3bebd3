"""Every command line that s3export can run, as data.

A function returns the argument list and what goes to standard input; nothing here runs.
Tools that refuse a busy disk are chosen over those that do not: ``sfdisk --lock`` and
``mkfs.ext4`` where ``sgdisk`` would write to a mounted disk and report success.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

DEBIAN_PACKAGES = {
    "blkid": "util-linux",
    "blockdev": "util-linux",
    "cryptsetup": "cryptsetup-bin",
    "dmsetup": "dmsetup",
    "losetup": "mount",
    "lsblk": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "sfdisk": "fdisk",
    "umount": "mount",
    "wipefs": "util-linux",
}
"""Which package of Debian and Ubuntu brings a tool."""

SECTOR_BYTES = 512
"""The unit in which sfdisk counts on disks with 512-byte sectors."""

_LSBLK_COLUMNS = (
    "NAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,MODEL,SERIAL,FSTYPE,LABEL,PTTYPE"
)
_LOSETUP_COLUMNS = "NAME,BACK-FILE,OFFSET,SIZELIMIT,RO,BACK-INO,BACK-MAJ:MIN"


@dataclass(frozen=True)
class CommandLine:
    """A program with its arguments.

    Attributes:
        argv: The program's name, then the arguments.
        stdin: Given to its standard input, which is empty otherwise.
        good: Exit statuses that mean success.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    good: tuple[int, ...] = (0,)

    @property
    def program(self) -> str:
        """The program's name."""
        return self.argv[0]


def tell_version(program: str) -> CommandLine:
    """Tell a tool's version somewhere in what it prints.

    ``dmsetup`` fails with 1 where the kernel has no device-mapper, having told its own.
    """
    option = "-V" if program == "mkfs.ext4" else "--version"
    return CommandLine((program, option), good=(0, 1) if program == "dmsetup" else (0,))


def open_editor(editor: str, file: str) -> CommandLine:
    """Have a file edited.

    Args:
        editor: What ``VISUAL`` or ``EDITOR`` says: a program, perhaps with arguments.
    """
    return CommandLine((*shlex.split(editor), file))


def list_block_devices() -> CommandLine:
    """Tell all block devices and what stands on what, as JSON."""
    return CommandLine(("lsblk", "--json", "--bytes", "--output", _LSBLK_COLUMNS))


def list_loop_devices() -> CommandLine:
    """Tell all loop devices with their backing files and offsets, as JSON.

    The numbers of the files (``BACK-…``) are told to root alone.
    """
    return CommandLine(("losetup", "--json", "--list", "--output", _LOSETUP_COLUMNS))


def list_signatures(device: str) -> CommandLine:
    """Tell the file systems, tables and containers recognised, as JSON; no writing."""
    return CommandLine(("wipefs", "--no-act", "--json", device))


def read_partition_table(device: str) -> CommandLine:
    """Tell the partition table as JSON; fails with 1 where there is none."""
    return CommandLine(("sfdisk", "--json", device), good=(0, 1))


def probe_file_system(device: str, offset: int = 0, size: int = 0) -> CommandLine:
    """Tell the file system at an offset (bytes) as KEY=value lines; 2 is "none"."""
    where = ("--offset", str(offset)) if offset else ()
    length = ("--size", str(size)) if size else ()
    return CommandLine(
        ("blkid", "--probe", "--output", "export", *where, *length, device),
        good=(0, 2),
    )


def make_partition_table(device: str) -> CommandLine:
    """Make a GPT with one Linux partition, aligned to 1 MiB, over the whole device.

    ``--lock`` makes udev wait and refuses a disk locked by another tool; old
    signatures are wiped, on the disk and where the partition begins.
    """
    wipe = ("--wipe", "always", "--wipe-partitions", "always")
    return CommandLine(
        ("sfdisk", "--quiet", "--lock", *wipe, device),
        stdin="label: gpt\nstart=1MiB, type=linux, name=s3export\n",
    )


def dump_partition_table(device: str) -> CommandLine:
    """Tell the partition table as ``sfdisk`` takes it back; 1 where there is none."""
    return CommandLine(("sfdisk", "--dump", device), good=(0, 1))


def wipe_signatures(device: str) -> CommandLine:
    """Erase all signatures; refuses a device in use."""
    return CommandLine(("wipefs", "--all", "--quiet", "--lock", device))


def make_ext4(device: str, label: str, *, full: bool = False) -> CommandLine:
    """Make an ext4 file system without reserved blocks; refuses a device in use.

    Args:
        full: Write the inode tables and the journal now, and not in the background
            after mounting (mke2fs(8), ``lazy_itable_init``): minutes on a large disk.
    """
    eagerly = ("-E", "lazy_itable_init=0,lazy_journal_init=0") if full else ()
    return CommandLine(("mkfs.ext4", "-q", "-m", "0", "-L", label, *eagerly, device))


def attach_loop(
    file: str, *, read_only: bool, offset: int = 0, size: int = 0
) -> CommandLine:
    """Attach a file or a range of it (bytes) to a free loop device; prints its name."""
    mode = ("--read-only",) if read_only else ()
    where = ("--offset", str(offset)) if offset else ()
    length = ("--sizelimit", str(size)) if size else ()
    return CommandLine(("losetup", "--find", "--show", *mode, *where, *length, file))


def detach_loop(device: str) -> CommandLine:
    """Detach a loop device."""
    return CommandLine(("losetup", "--detach", device))


def mount_read_only(device: str, mount_point: str, file_system: str) -> CommandLine:
    """Mount without replaying the journal: not one byte is written."""
    options = ["ro", "nodev", "nosuid", "noexec"]
    if file_system in ("ext3", "ext4"):
        options.append("noload")
    return CommandLine(
        ("mount", "-t", file_system, "-o", ",".join(options), device, mount_point)
    )


def mount_read_write(device: str, mount_point: str, file_system: str) -> CommandLine:
    """Mount for writing."""
    return CommandLine(
        (
            "mount",
            "-t",
            file_system,
            "-o",
            "rw,nodev,nosuid,noexec",
            device,
            mount_point,
        )
    )


def unmount(mount_point: str) -> CommandLine:
    """Unmount; fails with 32 while it is busy."""
    return CommandLine(("umount", mount_point))


def flush(device: str) -> CommandLine:
    """Write what the kernel buffers for a device."""
    return CommandLine(("blockdev", "--flushbufs", device))


CRYPTSETUP_ANSWERS = (0, 1, 2, 3, 4, 5)
"""Exit statuses of cryptsetup(8); what 1 and 2 mean, only its words tell."""


def list_device_mapper_targets() -> CommandLine:
    """Tell what the device-mapper in the kernel can do, one target a line."""
    return CommandLine(("dmsetup", "targets"))


def is_luks(device: str) -> CommandLine:
    """Ask whether a device is a LUKS container; 1 is "no".

    It repairs a damaged LUKS2 header where it can write: give it what is read-only.
    """
    return CommandLine(("cryptsetup", "isLuks", device), good=(0, 1))


def open_tcrypt(
    device: str,
    name: str,
    *,
    veracrypt: bool,
    keyfiles: Sequence[str] = (),
    pim: int = 0,
    hidden: bool = False,
    backup_header: bool = False,
    read_only: bool = True,
) -> CommandLine:
    """Map a TrueCrypt or VeraCrypt volume; the passphrase goes to stdin.

    Without ``--disable-veracrypt`` a wrong passphrase costs up to thirty times as much.
    """
    options = ["--readonly"] if read_only else []
    options.append("--type=tcrypt")
    if not veracrypt:
        options.append("--disable-veracrypt")
    if hidden:
        options.append("--tcrypt-hidden")
    if backup_header:
        options.append("--tcrypt-backup")
    if veracrypt and pim:
        options.append(f"--veracrypt-pim={pim}")
    options += [f"--key-file={keyfile}" for keyfile in keyfiles]
    return CommandLine(
        ("cryptsetup", "open", *options, device, name),
        good=CRYPTSETUP_ANSWERS,
    )


def open_luks(
    device: str, name: str, *, keyfile: str = "", read_only: bool = True
) -> CommandLine:
    """Map a LUKS1 or LUKS2 container; the passphrase goes to stdin.

    One try: cryptsetup asks a terminal three times.
    """
    options = ["--readonly"] if read_only else []
    options += ["--type=luks", "--tries=1"]
    if keyfile:
        options.append(f"--key-file={keyfile}")
    return CommandLine(
        ("cryptsetup", "open", *options, device, name),
        good=CRYPTSETUP_ANSWERS,
    )


def make_luks(device: str) -> CommandLine:
    """Make a LUKS2 container of a whole device; the passphrase goes to stdin.

    It refuses a device in use, and asks nothing.
    """
    return CommandLine(
        ("cryptsetup", "luksFormat", "--batch-mode", "--type=luks2", device)
    )


def serve_volume(mount_point: str) -> CommandLine:
    """Present a decrypted volume at a mount point (`containers.fuse_volume`).

    ``-P``: no module is taken from the directory it is started in.
    """
    module = "s3export.adapters.containers.fuse_volume"
    return CommandLine((sys.executable, "-P", "-m", module, mount_point))


def show_mapping(name: str) -> CommandLine:
    """Tell type and cipher of a mapping as "key: value" lines."""
    return CommandLine(("cryptsetup", "status", name))


def close_mapping(name: str) -> CommandLine:
    """Remove a mapping and those it stands on; 4 is "no such mapping".

    It tries for five seconds by itself while the mapping is in use, then fails with 5.
    """
    return CommandLine(("cryptsetup", "close", name), good=(0, 4))
