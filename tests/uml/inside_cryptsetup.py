"""Runs within user-mode Linux: every check once, the answers as JSON.

Argument: a JSON file with the volumes that the host has made.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.containers.cryptsetup import CryptsetupContainers
from s3export.adapters.interruption import Interrupted, Interruption
from s3export.adapters.sessions import Session
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import S3ExportError
from s3export.domain.secret import Secret

RUN_DIRECTORY = "/run/s3export"
PAYLOAD = bytes(range(256)) * 1024


def tool(*argv: str, stdin: str = "") -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{argv}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout.strip()


def held() -> list[str]:
    """Return every mapping, loop device and mount, as the kernel tells them."""
    system = Path("/sys/block")
    mappings = [path.read_text().strip() for path in system.glob("dm-*/dm/name")]
    loops = [path.parts[3] for path in system.glob("loop*/loop")]
    mounts = [
        line.split()[1]
        for line in Path("/proc/mounts").read_text().splitlines()
        if line.startswith("/dev/") or "s3export" in line
    ]
    return [*mappings, *loops, *mounts]


def held_in_the_end() -> dict[str, object]:
    """Ask the tools, when all is over."""
    mappings = tool("dmsetup", "ls").replace("No devices found", "")
    return {"left": mappings + tool("losetup", "--list") + "".join(held() + notes())}


def notes() -> list[str]:
    """Return what is noted as held."""
    return [str(path) for path in Path(RUN_DIRECTORY).glob("*")]


def checksum(path: str) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def key_of(volume: dict[str, object]) -> ContainerKey:
    """Return the key that a volume's description has."""
    return ContainerKey(
        Secret(str(volume.get("password", ""))),
        tuple(volume.get("keyfiles", ())),  # type: ignore[arg-type]
        int(volume.get("pim", 0)),  # type: ignore[call-overload]
    )


def fill(volume: dict[str, object]) -> dict[str, object]:
    """Write the payload through cryptsetup alone, before the checksum is taken."""
    options = []
    if volume["kind"] == "luks":
        make = [*volume["format"], volume["path"]]  # type: ignore[misc]
        tool("cryptsetup", "luksFormat", "-q", *make, stdin=str(volume["password"]))
        options += ["--type=luks"]
    else:
        options += ["--type=tcrypt"]
        options += [f"--key-file={file}" for file in volume.get("keyfiles", ())]  # type: ignore[attr-defined]
        if volume.get("hidden"):
            options.append("--tcrypt-hidden")
        if volume.get("pim"):
            options.append(f"--veracrypt-pim={volume['pim']}")
        elif not volume.get("fill_veracrypt"):
            options.append("--disable-veracrypt")
    password = str(volume["password"]) + "\n" * (volume["kind"] != "luks")
    tool("cryptsetup", "open", *options, str(volume["path"]), "fill", stdin=password)
    try:
        if volume.get("file_system"):
            tool("mkfs.ext4", "-q", "/dev/mapper/fill")
        else:
            with Path("/dev/mapper/fill").open("wb") as device:
                device.write(PAYLOAD)
    finally:
        tool("cryptsetup", "close", "fill")
    if volume.get("damaged"):
        with Path(str(volume["path"])).open("r+b") as file:
            file.seek(int(volume["damaged"][0]))  # type: ignore[index]
            file.write(b"\xaa" * int(volume["damaged"][1]))  # type: ignore[index]
    return {}


def opened(volume: dict[str, object], **changes: object) -> dict[str, object]:
    """Open a volume and say all that is to be seen."""
    volume = {**volume, **changes}
    path = str(volume["path"])
    before, held_before, started = checksum(path), held(), time.monotonic()
    answer: dict[str, object] = {}
    containers = CryptsetupContainers(Commands(), run_directory=RUN_DIRECTORY)
    try:
        with containers.opened(
            path,
            key_of(volume),
            kind=volume.get("asked"),  # type: ignore[arg-type]
            hidden=bool(volume.get("hidden")),
            backup_header=bool(volume.get("backup_header")),
            veracrypt=volume.get("veracrypt"),  # type: ignore[arg-type]
        ) as mapping:
            answer["seconds"] = time.monotonic() - started
            with Path(mapping.path).open("rb") as device:
                answer["payload"] = device.read(len(PAYLOAD)) == PAYLOAD
            answer["writable"] = True
            try:
                with Path(mapping.path).open("r+b") as device:
                    device.write(b"x")
            except OSError:
                answer["writable"] = False
            answer |= {"cipher": mapping.cipher, "kind": mapping.kind}
            answer["held_inside"] = len(held()) - len(held_before)
    except S3ExportError as error:
        answer |= {"error": type(error).__name__, "message": error.message}
        answer |= {"next_step": error.next_step}
        answer["seconds"] = time.monotonic() - started
    answer["left"] = [name for name in held() if name not in held_before] + notes()
    answer["changed"] = checksum(path) != before
    return answer


def mount_and_wait(volume: dict[str, object]) -> None:
    """Open and mount a volume, say so, wait for a signal; a process of its own."""
    interruption = Interruption()
    commands, shield = Commands(), interruption.shield
    containers = CryptsetupContainers(
        commands, shield=shield, run_directory=RUN_DIRECTORY
    )
    devices = SystemBlockDevices(commands, shield=shield, run_directory=RUN_DIRECTORY)
    with contextlib.suppress(Interrupted), interruption.installed():
        print("started", flush=True)  # noqa: T201
        with containers.opened(
            str(volume["path"]), key_of(volume), kind=None
        ) as mapping:
            facts = devices.inspect(mapping.path)
            with devices.open_read_only(facts):
                print("mounted", flush=True)  # noqa: T201
                signal.pause()


def interrupted(
    volumes: str, name: str, signum: signal.Signals, *, early: bool = False
) -> dict[str, object]:
    """Signal a process that has a volume open and mounted, or is about to open it."""
    before = held()
    child = subprocess.Popen(
        (sys.executable, __file__, volumes, name), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    if early:
        while not any(
            '"opening"' in path.read_text()
            for path in Path(RUN_DIRECTORY).glob("*/*.jsonl")
        ):
            time.sleep(0.005)
        held_inside = 0
    else:
        assert child.stdout.readline() == "mounted\n"
        held_inside = len(held()) - len(before)
    child.send_signal(signum)
    child.communicate(timeout=30)
    left = [one for one in held() if one not in before]
    return {
        "held_inside": held_inside,
        "left": left + notes() if signum != signal.SIGKILL else left,
        "status": child.returncode,
    }


def killed(volumes: str, name: str) -> dict[str, object]:
    """Kill such a process; then name and clean what it left, as the next run does."""
    before = held()
    answer = interrupted(volumes, name, signal.SIGKILL)
    devices = SystemBlockDevices(Commands(), run_directory=RUN_DIRECTORY)
    leftovers = devices.leftovers()
    answer["commands"] = [leftover.command for leftover in leftovers]
    for leftover in leftovers:
        devices.clean(leftover)
    answer["after"] = [one for one in held() if one not in before] + notes()
    return answer


def half_a_chain(volume: dict[str, object]) -> dict[str, object]:
    """Leave the lower part of a cascade, as a cryptsetup killed half-way does."""
    loop = tool("losetup", "--find", "--show", str(volume["path"]))
    try:
        Session(Path(RUN_DIRECTORY, "99999999-1")).note_opening("s3export-half")
        below = loop
        for part in ("s3export-half_2", "s3export-half_1"):
            tool("dmsetup", "create", part, "--table", f"0 8 linear {below} 0")
            info = ("--columns", "--noheadings", "--separator=:", "-o", "major,minor")
            below = tool("dmsetup", "info", *info, part)
        devices = SystemBlockDevices(Commands(), run_directory=RUN_DIRECTORY)
        leftovers = devices.leftovers()
        for leftover in leftovers:
            devices.clean(leftover)
    finally:
        tool("losetup", "--detach", loop)
    commands = [leftover.command for leftover in leftovers]
    return {"commands": commands, "after": held() + notes()}


def busy(volume: dict[str, object]) -> dict[str, object]:
    """Leave while somebody has the mapping open for some seconds more."""
    containers = CryptsetupContainers(Commands(), run_directory=RUN_DIRECTORY)
    with (
        containers.opened(str(volume["path"]), key_of(volume), kind=None) as mapping,
        Path(mapping.path).open("rb") as device,
    ):
        user = subprocess.Popen(("sleep", "2"), stdin=device)
    user.wait()
    return {"left": held() + notes()}


def without_twofish(volume: dict[str, object]) -> dict[str, object]:
    """Open a Twofish volume where the kernel has no Twofish."""
    tool("rmmod", "twofish_generic")
    try:
        return opened(volume)
    finally:
        tool("modprobe", "-d", "/run/modules", "twofish_generic")


def everything(file: str) -> dict[str, object]:
    """Run all the checks; one that fails has its trace as its answer."""
    volumes = json.loads(Path(file).read_text())
    checks: dict[str, Callable[[], dict[str, object]]] = {}
    for name, volume in volumes.items():
        checks[f"fill {name}"] = partial(fill, volume)
    for name, volume in volumes.items():
        checks[name] = partial(opened, volume)
    plain, nested = volumes["truecrypt 0 RIPEMD160"], volumes["file system"]
    containers = CryptsetupContainers(Commands(), run_directory=RUN_DIRECTORY)
    checks |= {
        "available": lambda: {"lacking": containers.available()},
        "wrong password": lambda: opened(plain, password="wrong", veracrypt=False),
        "wrong password of veracrypt": lambda: opened(volumes["pim"], password="wrong"),
        "long password": lambda: opened(plain, password="x" * 200, veracrypt=False),
        "wrong key file": lambda: opened(
            volumes["key files"], keyfiles=[__file__], veracrypt=False
        ),
        "absent key file": lambda: opened(
            volumes["key files"], keyfiles=["/nowhere"], veracrypt=False
        ),
        "outer password of hidden": lambda: opened(
            volumes["hidden"], password="outer", hidden=False
        ),
        "backup header": lambda: opened(volumes["damaged"], backup_header=True),
        "wrong passphrase of luks": lambda: opened(volumes["luks2"], password="wrong"),
        "luks asked, no luks": lambda: opened(plain, asked="luks"),
        "luks by key file": lambda: opened(
            volumes["luks1"], password="", keyfiles=[volumes["luks1"]["key"]]
        ),
        "int": lambda: interrupted(file, "file system", signal.SIGINT),
        "term": lambda: interrupted(file, "file system", signal.SIGTERM),
        "int while opening": lambda: interrupted(
            file, "file system", signal.SIGINT, early=True
        ),
        "killed": lambda: killed(file, "file system"),
        "half a chain": partial(half_a_chain, plain),
        "busy": lambda: busy(nested),
        "the end": held_in_the_end,
        "no twofish": lambda: without_twofish(
            {**volumes["truecrypt 1 SHA512"], "veracrypt": False}
        ),
    }
    answers: dict[str, object] = {}
    for name, check in checks.items():
        started = time.monotonic()
        try:
            answers[name] = check()
        except Exception:  # every check has its answer
            answers[name] = {"trace": traceback.format_exc()}
        print(f"{name}: {time.monotonic() - started:.2f} s", file=sys.stderr)  # noqa: T201
    return answers


if __name__ == "__main__":
    if len(sys.argv) == 3:
        mount_and_wait(json.loads(Path(sys.argv[1]).read_text())[sys.argv[2]])
    else:
        os.environ["S3EXPORT_TRUECRYPT_PASSWORD"] = "unseen"
        print(json.dumps(everything(sys.argv[1])))  # noqa: T201
