"""The test images of the cryptsetup project, which neither it nor s3export made.

They are GPL-2.0-or-later and so not part of s3export: apt fetches cryptsetup's source
package (12 MB) once into pytest's cache. Their volumes hold an empty FAT each, whose
serial number is told in their README: DEAD-BABE, or CAFE-BABE in a hidden volume. The
other passwords, the keyfiles and the PIM are those of its tests/tcrypt-compat-test.
"""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from s3export.adapters.byte_sources import FileSource
from s3export.adapters.containers.opening import VolumeFacts, open_volume
from s3export.adapters.containers.sector_ciphers import TRUECRYPT, name_of
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import PasswordRefused
from s3export.domain.secret import Secret

OUTER, HIDDEN = Secret("a" * 12), Secret("b" * 12)
LONG = Secret("".join(letter * 12 for letter in "abcdef"))
CIPHERS = [name_of(cascade).removesuffix("-xts") for cascade in TRUECRYPT]
NAMES = [
    *(f"tc_3-ripemd160-xts-{cipher}" for cipher in CIPHERS),
    *(f"tc_{version}-sha512-xts-{cipher}" for version in "45" for cipher in CIPHERS),
    *(f"tc_{version}-ripemd160-xts-aes" for version in "45"),
    "tc_3-sha512-xts-aes",
    "tc_5-whirlpool-xts-aes",
]
WITH_HIDDEN = [
    *(f"tc_{version}-sha512-xts-aes-hidden" for version in "345"),
    *(f"tc_{version}-sha512-xts-serpent-twofish-aes-hidden" for version in "345"),
]
VERACRYPT = [
    "vc_1-sha512-xts-aes",
    "vc_1-sha512-xts-serpent-twofish-aes",
    "vc_1-sha512-xts-camellia",
    "vc_1-sha256-xts-aes",
    "vc_1-whirlpool-xts-aes",
    "vc_1-ripemd160-xts-aes",
]


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> Path:
    """The folder of the images; fetched where it is not cached."""
    assert request.config.cache is not None
    cached = request.config.cache.mkdir("cryptsetup-images")
    folder = cached / "tcrypt-images"
    if not folder.exists():
        try:
            fetch(cached)
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"apt cannot fetch cryptsetup's source package: {error}"
            if "CI" in os.environ:
                pytest.fail(reason)
            pytest.skip(reason)
    return folder


def source_archive() -> str:
    """Return the line for the sources of the Debian archive that is configured."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for site, release, component in map(str.split, targets.splitlines()):
        if component == "main" and site.endswith("/debian") and "-" not in release:
            keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
            return f"deb-src [signed-by={keys}] {site} {release} main\n"
    raise OSError("no Debian archive is configured")


def fetch(cached: Path) -> None:
    """Let apt fetch the source package, into lists of its own; unpack the images."""
    work = cached / "apt"
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "sources.list").write_text(source_archive())
    apt = [
        "apt-get", "-q", "-o", f"Dir::Etc::sourcelist={work}/sources.list",
        "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=",
        "-o", f"Dir::State::lists={work}/lists", "-o", f"Dir::Cache={work}/cache",
    ]  # fmt: skip
    for step in (["update"], ["source", "--download-only", "cryptsetup"]):
        subprocess.run(
            [*apt, *step], check=True, cwd=work, capture_output=True, timeout=200
        )
    (package,) = work.glob("cryptsetup_*.orig.tar.gz")
    with tarfile.open(package) as archive:
        (name,) = (n for n in archive.getnames() if n.endswith("/tcrypt-images.tar.xz"))
        inner = archive.extractfile(name)
        with tarfile.open(fileobj=inner) as packed:
            packed.extractall(cached, filter="data")
    shutil.rmtree(work)


def opened(image: Path, key: ContainerKey, **options: bool) -> tuple[VolumeFacts, str]:
    """Open an image; return its facts and the serial number of its FAT."""
    facts, volume = open_volume(FileSource(str(image)), key, **options)
    boot_sector = volume.read(0, 512)
    tables = [volume.read(place, 3) for place in (1024, 1536)]
    volume.close()
    assert boot_sector[510:] == b"\x55\xaa"
    assert tables == [b"\xf8\xff\xff"] * 2  # two copies, in sectors 2 and 3
    serial = boot_sector[39:43][::-1].hex().upper()
    return facts, f"{serial[:4]}-{serial[4:]}"


def expected(name: str) -> tuple[str, int, str, str]:
    """Return what a name says: the kind, the version, the hash and the cipher."""
    head, prf, _, cipher = name.removesuffix("-hidden").split("-", 3)
    vera = head.startswith("v")
    version = 5 if vera else int(head[-1])
    return "veracrypt" if vera else "truecrypt", version, prf, f"{cipher}-xts"


def told(facts: VolumeFacts) -> tuple[str, int, str, str]:
    """Return the same of what was opened."""
    return facts.kind, facts.header_version, facts.prf, facts.cipher


@pytest.mark.parametrize("name", NAMES)
def test_truecrypts_volumes_are_read(images: Path, name: str) -> None:
    """Header versions 3 to 5, every cipher."""
    facts, serial = opened(images / name, ContainerKey(OUTER))

    assert (told(facts), serial) == (expected(name), "DEAD-BABE")


@pytest.mark.parametrize("name", WITH_HIDDEN)
def test_hidden_volumes_are_read(images: Path, name: str) -> None:
    """The password decides which of the two."""
    outer, outer_serial = opened(images / name, ContainerKey(OUTER))
    hidden, hidden_serial = opened(images / name, ContainerKey(HIDDEN))

    assert (told(outer), told(hidden)) == (expected(name), expected(name))
    assert (outer.hidden, hidden.hidden) == (False, True)
    assert (outer_serial, hidden_serial) == ("DEAD-BABE", "CAFE-BABE")


@pytest.mark.parametrize("name", VERACRYPT)
def test_veracrypts_volumes_are_read(images: Path, name: str) -> None:
    """If asked for; their headers take seconds."""
    image = images / name
    facts, serial = opened(image, ContainerKey(OUTER), veracrypt=True, hidden=False)

    assert (told(facts), serial) == (expected(name), "DEAD-BABE")
    with pytest.raises(PasswordRefused, match="no TrueCrypt volume") as refused:
        opened(image, ContainerKey(OUTER))
    assert "--veracrypt" in refused.value.next_step


def test_a_hidden_veracrypt_volume_is_read(images: Path) -> None:
    """As TrueCrypt's are."""
    image = images / "vc_1-sha512-xts-aes-hidden"

    facts, serial = opened(image, ContainerKey(HIDDEN), veracrypt=True)

    assert (facts.hidden, serial) == (True, "CAFE-BABE")


def test_a_pim_is_enough_to_ask_for_veracrypt(images: Path) -> None:
    """TrueCrypt has none."""
    image = images / "vcpim_1-sha256-xts-aes"

    facts, serial = opened(image, ContainerKey(OUTER, pim=1234), hidden=False)

    assert (facts.kind, serial) == ("veracrypt", "DEAD-BABE")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("tck_5-sha512-xts-aes", OUTER),
        ("vck_1-sha512-xts-aes", OUTER),
        ("vck_1_nopw-sha512-xts-aes", Secret("")),
        ("vck_1_pw72-sha512-xts-aes", LONG),
    ],
)
def test_keyfiles_are_mixed_in(images: Path, name: str, password: Secret) -> None:
    """Also without a password, and with a long one, for which the pool is larger."""
    keyfiles = tuple(str(images / each) for each in ("keyfile1", "keyfile2"))

    _, serial = opened(
        images / name, ContainerKey(password, keyfiles), veracrypt=name.startswith("v")
    )

    assert serial == "DEAD-BABE"


@pytest.mark.parametrize("name", ["tc_1-sha1-cbc-aes", "tc_2-ripemd160-lrw-aes"])
def test_older_volumes_are_named_as_a_reason(images: Path, name: str) -> None:
    """Those of TrueCrypt 4 and before cannot be told from a wrong password."""
    with pytest.raises(PasswordRefused, match="older than TrueCrypt 5 cannot"):
        opened(images / name, ContainerKey(OUTER))
