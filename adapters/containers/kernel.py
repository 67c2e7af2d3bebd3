"""What the running kernel can do about encryption, as far as looking tells."""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

TCRYPT_CIPHERS = ("xts(aes)", "xts(serpent)", "xts(twofish)")
"""The ciphers of TrueCrypt 7 volumes, by the kernel's names."""


def what_is_lacking(
    needed: Sequence[str],
    *,
    targets: Callable[[], str] = lambda: "",
    root: Path = Path("/"),
) -> str:
    """Say which modules a kernel neither has nor can load; empty where none is lacking.

    Reads files only, and loads nothing.

    Args:
        needed: Names of modules, such as ``dm_crypt``.
        targets: What ``dmsetup targets`` prints; asked only if the device-mapper is
            there and nothing else tells whether it can decrypt.
        root: Where the running system's files are.
    """
    loadable = _loadable(root)
    lacking = []
    for module in needed:
        if _is_there(module, root) or module in loadable:
            continue
        if module == "dm_crypt" and _is_there("dm_mod", root):
            names = [line.split()[0] for line in targets().splitlines() if line.strip()]
            if "crypt" in names:
                continue
        lacking.append(f"{_MEANINGS[module]} (module {module})")
    return " and ".join(lacking)


_MEANINGS = {
    "dm_mod": "no device-mapper",
    "dm_crypt": "no dm-crypt",
    "algif_skcipher": "no interface to its ciphers",
    "loop": "no loop devices",
}


def _is_there(module: str, root: Path) -> bool:
    if (root / "sys/module" / module).exists():
        return True
    if module == "dm_mod":  # built in, it has no directory of its own
        return (root / "sys/class/misc/device-mapper").exists()
    if module == "loop":
        return (root / "sys/class/misc/loop-control").exists()
    return False


def _loadable(root: Path) -> frozenset[str]:
    """Return the names of the modules built in and, where it loads any, on disk."""
    directory = root / "lib/modules" / os.uname().release
    names = _module_names(directory / "modules.builtin")
    if _first_line(root / "proc/sys/kernel/modules_disabled") == "1":
        return names
    if not _first_line(root / "proc/sys/kernel/modprobe"):
        return names  # nothing loads on demand
    return names | _module_names(directory / "modules.dep")


def _module_names(listing: Path) -> frozenset[str]:
    """Read ``kernel/drivers/md/dm-crypt.ko.xz: kernel/…`` lines (modules.dep(5))."""
    try:
        lines = listing.read_text().splitlines()
    except OSError:
        return frozenset()
    files = (line.partition(":")[0].rpartition("/")[2] for line in lines)
    return frozenset(file.partition(".")[0].replace("-", "_") for file in files)


def _first_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""


def missing_ciphers(names: Sequence[str] = TCRYPT_CIPHERS) -> tuple[str, ...]:
    """Return the ciphers that the kernel does not offer to programs.

    All of them where it offers none. The kernel may load modules to answer.
    """
    if not hasattr(socket, "AF_ALG"):
        return tuple(names)
    return tuple(name for name in names if not _has_cipher(name))


def _has_cipher(name: str) -> bool:
    try:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as asked:
            asked.bind(("skcipher", name))
    except OSError:
        return False
    return True
