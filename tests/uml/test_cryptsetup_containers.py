"""Containers that others made, opened through real dm-crypt in user-mode Linux.

One boot runs every check (inside_cryptsetup.py); each test looks at one answer.
"""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fixtures import tcplay_volumes, veracrypt_volumes
from fixtures.tcplay import Hidden
from fixtures.tcplay_volumes import CIPHERS, HASHES
from fixtures.uml import UserModeLinux
from uml.inside_cryptsetup import PAYLOAD

from benchmarks import containers
from s3export.adapters.byte_sources import FileSource
from s3export.adapters.containers.opening import open_volume
from s3export.domain.containers import ContainerKey
from s3export.domain.secret import Secret

pytestmark = pytest.mark.uml

MIB = 1 << 20
INSIDE = Path(__file__).with_name("inside_cryptsetup.py")

KERNEL_NAMES = (
    "aes-xts",
    "twofish-xts",
    "serpent-xts",
    "twofish-aes-xts",
    "aes-twofish-serpent-xts",
    "aes-serpent-xts",
    "serpent-twofish-aes-xts",
    "serpent-twofish-xts",
)
"""What cryptsetup calls the ciphers of libtcplay."""

TRUECRYPT = {
    f"truecrypt {number} {hash_name}": (number, hash_name)
    for number in range(len(CIPHERS))
    for hash_name in HASHES
}
"""Every cipher with every hash, by the name of the volume."""

Answers = Mapping[str, Mapping[str, Any]]


def made_volumes(directory: Path) -> dict[str, dict[str, Any]]:
    """Make TrueCrypt and VeraCrypt volumes; describe LUKS ones to be made inside."""
    keyfiles = [directory / "key file 1", directory / "key file 2"]
    keyfiles[0].write_bytes(b"one" * 100)
    keyfiles[1].write_bytes(bytes(range(256)) * 10)
    luks_key = directory / "luks.key"
    luks_key.write_bytes(b"correct horse")
    password = "correct horse"
    volumes: dict[str, dict[str, Any]] = {}

    def described(name: str, **more: Any) -> Path:
        path = directory / f"{name}.tc"
        volumes[name] = {"path": str(path), "kind": "tcrypt", "password": password}
        volumes[name] |= more
        return path

    def truecrypt(
        name: str, *, make: dict[str, Any] | None = None, **more: Any
    ) -> None:
        path = described(name, **more)
        tcplay_volumes.make_volume(path, volumes[name]["password"], **(make or {}))

    def luks(name: str, *options: str, size: int, **more: Any) -> None:
        path = described(name, kind="luks", key=str(luks_key), format=options, **more)
        with path.open("wb") as file:
            file.truncate(size)

    for name, (number, hash_name) in TRUECRYPT.items():
        truecrypt(name, make={"cipher": CIPHERS[number], "hash": hash_name})
    names = [str(file) for file in keyfiles]
    truecrypt("key files", make={"keyfiles": names}, keyfiles=names[::-1])
    truecrypt("key file alone", make={"keyfiles": names[:1]}, keyfiles=names[:1])
    volumes["key file alone"]["password"] = ""
    tcplay_volumes.make_volume(
        Path(volumes["key file alone"]["path"]), "", keyfiles=names[:1]
    )
    path = described("hidden", password="inner", hidden=True)
    inner = Hidden("inner", MIB, cipher=CIPHERS[4], hash="whirlpool")
    tcplay_volumes.make_volume(path, "outer", size_bytes=4 * MIB, hidden=inner)
    truecrypt("damaged", make={"cipher": CIPHERS[3]}, damaged=(0, 512), veracrypt=False)
    truecrypt(
        "file system", make={"cipher": CIPHERS[4], "size_bytes": 8 * MIB},
        file_system=True,
    )  # fmt: skip
    veracrypt_volumes.make_volume(described("veracrypt"), password)
    volumes["veracrypt"]["veracrypt"] = None
    volumes["veracrypt"]["fill_veracrypt"] = True
    veracrypt_volumes.make_volume(described("pim", pim=1), password, pim=1)
    quick = ("--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
    argon = ("--pbkdf-memory=1024", "--pbkdf-force-iterations=4")
    luks("luks1", "--type=luks1", quick[1], size=4 * MIB)
    luks("luks2", "--type=luks2", *quick, size=20 * MIB)
    luks("luks2 argon2id", "--type=luks2", *argon, size=20 * MIB)
    luks("luks2 damaged", "--type=luks2", *quick, size=20 * MIB, damaged=(100, 1000))
    luks(
        "luks1 damaged",
        "--type=luks1",
        quick[1],
        size=4 * MIB,
        damaged=(6, 1000),
        veracrypt=False,
    )
    return volumes


@pytest.fixture(scope="module")
def answers(user_mode_linux: UserModeLinux) -> Answers:
    """Boot once; return what each check within answered."""
    listing = user_mode_linux.directory / "volumes.json"
    listing.write_text(json.dumps(made_volumes(user_mode_linux.directory)))
    ran = user_mode_linux.run(INSIDE, str(listing), timeout=400)
    assert ran.status == 0, ran.stderr
    found: Answers = json.loads(ran.stdout)
    failed = {name: said["trace"] for name, said in found.items() if "trace" in said}
    assert not failed, "\n".join(f"{name}: {text}" for name, text in failed.items())
    return found


def is_open(answer: Mapping[str, Any], kind: str, cipher: str) -> bool:
    """Say whether it opened read-only, as what it is, and nothing of it was left."""
    assert "error" not in answer, answer
    seen = (answer["kind"], answer["cipher"])
    read_only = not answer["writable"] and nothing_is_left(answer)
    return seen == (kind, cipher) and answer["payload"] and read_only


def nothing_is_left(answer: Mapping[str, Any]) -> bool:
    """Say whether no mapping, loop device, mount, note or changed byte is left."""
    return answer["left"] == [] and not answer["changed"]


def is_refused(answer: Mapping[str, Any], error: str) -> bool:
    """Say whether it was refused with this error, and nothing of it was left."""
    assert answer.get("error") == error, answer
    return nothing_is_left(answer)


@pytest.mark.parametrize("name", TRUECRYPT)
def test_every_cipher_of_truecrypt_opens(answers: Answers, name: str) -> None:
    """With every hash. A cascade is as many mappings as ciphers, and all of them go."""
    answer, number = answers[name], TRUECRYPT[name][0]
    ciphers = len(CIPHERS[number].split(","))

    assert is_open(answer, "truecrypt", KERNEL_NAMES[number])
    assert answer["held_inside"] == 1 + ciphers


@pytest.mark.parametrize("name", TRUECRYPT)
def test_userspace_reads_what_the_kernel_wrote(
    answers: Answers, user_mode_linux: UserModeLinux, name: str
) -> None:
    """The plain bytes are those that were written through dm-crypt."""
    assert answers[name]["payload"]
    source = FileSource(str(user_mode_linux.directory / f"{name}.tc"))

    facts, plain = open_volume(source, ContainerKey(Secret("correct horse")))

    with closing(plain):
        assert plain.read(0, len(PAYLOAD)) == PAYLOAD
    assert facts.prf == TRUECRYPT[name][1].lower()


@pytest.mark.parametrize("name", ["key files", "key file alone"])
def test_key_files_open_in_any_order(answers: Answers, name: str) -> None:
    """With a password and without one."""
    assert is_open(answers[name], "truecrypt", "aes-xts")


def test_a_hidden_volume_opens_with_its_own_password(answers: Answers) -> None:
    """And only where it is asked for."""
    assert is_open(answers["hidden"], "truecrypt", "aes-twofish-serpent-xts")


def test_a_backup_header_opens_what_the_damaged_one_does_not(answers: Answers) -> None:
    """The error says that there is one."""
    assert is_refused(answers["damaged"], "PasswordRefused")
    assert "--backup-header" in answers["damaged"]["next_step"]
    assert is_open(answers["backup header"], "truecrypt", "twofish-aes-xts")


@pytest.mark.parametrize("name", ["veracrypt", "pim"])
def test_veracrypt_opens_after_truecrypt_did_not(answers: Answers, name: str) -> None:
    """Without being asked for; with a PIM, where there is one."""
    assert is_open(answers[name], "veracrypt", "aes-xts")


@pytest.mark.parametrize(
    "name", ["luks1", "luks2", "luks2 argon2id", "luks by key file"]
)
def test_luks_opens_without_being_named(answers: Answers, name: str) -> None:
    """It says itself what it is."""
    assert is_open(answers[name], "luks", "aes-xts")


def test_a_damaged_luks2_header_is_not_repaired(answers: Answers) -> None:
    """The second header opens it; the disk does not change."""
    assert is_open(answers["luks2 damaged"], "luks", "aes-xts")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("wrong password", "PasswordRefused"),
        ("wrong password of veracrypt", "PasswordRefused"),
        ("long password", "PasswordRefused"),
        ("wrong key file", "PasswordRefused"),
        ("absent key file", "FileRefused"),
        ("outer password of hidden", ""),
        ("wrong passphrase of luks", "PasswordRefused"),
        ("luks asked, no luks", "DeviceUnreadable"),
        ("luks1 damaged", "PasswordRefused"),
        ("no twofish", "KernelLacks"),
    ],
)
def test_what_does_not_open_leaves_nothing(
    answers: Answers, name: str, error: str
) -> None:
    """Every refusal is its own error; the outer volume of a hidden one opens."""
    if error:
        assert is_refused(answers[name], error)
    else:
        assert nothing_is_left(answers[name])
        assert answers[name]["kind"] == "truecrypt"


def test_a_cipher_that_the_kernel_lacks_is_named(answers: Answers) -> None:
    """To cryptsetup, it is a wrong passphrase."""
    assert "xts(twofish)" in answers["no twofish"]["message"]
    assert "--open-with userspace" in answers["no twofish"]["next_step"]


@pytest.mark.parametrize("name", ["int", "term", "int while opening"])
def test_an_interruption_leaves_nothing(answers: Answers, name: str) -> None:
    """Mappings, loop devices, mounts and notes are gone."""
    assert answers[name]["left"] == []
    if name != "int while opening":  # 3 mappings, 2 loop devices, 1 mount
        assert answers[name]["held_inside"] == 6


def test_what_a_killed_run_leaves_is_named_and_can_be_cleaned(answers: Answers) -> None:
    """Inside first: each command of the list works when its turn comes."""
    programs = [command.split()[0] for command in answers["killed"]["commands"]]

    assert programs == ["umount", "losetup", *["cryptsetup"] * 3, "losetup"]
    assert answers["killed"]["after"] == []


def test_a_chain_that_was_half_made_is_cleaned(answers: Answers) -> None:
    """The upper mapping goes before the one it stands on."""
    names = [command.split()[-1] for command in answers["half a chain"]["commands"]]

    assert names == ["s3export-half_1", "s3export-half_2"]
    assert answers["half a chain"]["after"] == []


def test_a_mapping_in_use_is_removed_when_it_is_free(answers: Answers) -> None:
    """A program that lets go within seconds does not matter."""
    assert answers["busy"]["left"] == []


def test_in_the_end_nothing_is_left(answers: Answers) -> None:
    """As dmsetup and losetup tell."""
    assert answers["the end"]["left"] == ""


def test_a_kernel_with_dm_crypt_lacks_nothing(answers: Answers) -> None:
    """Its modules are loaded."""
    assert answers["available"]["lacking"] == ""


KERNEL_CHECK = """
import json, sys
from pathlib import Path
from s3export.adapters.commands import Commands
from s3export.adapters.containers.cryptsetup import CryptsetupContainers
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import S3ExportError
from s3export.domain.secret import Secret

modules = lambda: sorted(path.name for path in Path("/sys/module").iterdir())
containers = CryptsetupContainers(Commands(), run_directory="/run/s3export")
before = modules()
answer = {"lacking": containers.available()}
answer["loaded"] = modules() != before
try:
    with containers.opened(sys.argv[1], ContainerKey(Secret("pw")), kind="tcrypt"):
        pass
except S3ExportError as error:
    answer |= {"error": type(error).__name__, "message": error.message}
print(json.dumps(answer))
"""


@pytest.mark.parametrize(
    ("modules", "lacking", "message"),
    [
        (("loop",), ("dm_mod", "dm_crypt", "algif_skcipher"), "dm_mod"),
        (("loop", "dm-mod", "xts"), ("dm_crypt", "algif_skcipher"), "dm_crypt"),
    ],
)
def test_a_kernel_without_dm_crypt_is_told_so(
    user_mode_linux: UserModeLinux,
    modules: tuple[str, ...],
    lacking: tuple[str, ...],
    message: str,
) -> None:
    """Before anything is tried, without loading a module; and in the error."""
    volume = user_mode_linux.directory / "plain.tc"
    tcplay_volumes.make_volume(volume, "pw")
    script = user_mode_linux.directory / "kernel_check.py"
    script.write_text(KERNEL_CHECK)

    ran = user_mode_linux.run(script, str(volume), modules=modules)

    assert ran.status == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["error"] == "KernelLacks"
    assert message in answer["message"]
    assert not answer["loaded"]
    assert [name for name in lacking if name not in answer["lacking"]] == []


def test_the_benchmark_of_containers_reads_one_both_ways() -> None:
    """A program that fails would end it."""
    *_, outside, _empty, verdict = containers.main(quick=True)

    assert "outside, a core" in outside
    assert "times as long as dm-crypt" in verdict
