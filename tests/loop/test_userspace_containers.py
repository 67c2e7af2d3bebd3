"""Volumes made by libtcplay are opened; those made here open there."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.tcplay import Hidden, Tcplay, chain
from fixtures.tcplay_volumes import attached

from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.containers.formatting import OVERHEAD_BYTES, format_volume
from s3export.adapters.containers.opening import VolumeFacts, open_volume
from s3export.adapters.containers.sector_ciphers import TRUECRYPT, name_of
from s3export.adapters.containers.tcrypt_header import DATA_OFFSET
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import PasswordRefused
from s3export.domain.secret import Secret

pytestmark = pytest.mark.loop

MIB = 1 << 20
SIZE = 4 * MIB
PASSWORD, HIDDEN_PASSWORD = "the outer password", "the hidden password"
KEY = ContainerKey(Secret(PASSWORD))
CIPHERS = [name_of(cascade).removesuffix("-xts") for cascade in TRUECRYPT]
PRFS = {"ripemd160": "RIPEMD160", "sha512": "SHA512", "whirlpool": "whirlpool"}


@pytest.fixture(scope="module")
def tcplay() -> Tcplay:
    return Tcplay()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    """A loop device of the test's own over a file of random bytes."""
    path = tmp_path / "volume.tc"
    path.write_bytes(secrets.token_bytes(SIZE))
    with attached(path) as loop:
        yield loop


def opened(
    device: str, key: ContainerKey = KEY, **options: bool
) -> tuple[VolumeFacts, bytes]:
    """Open a volume; return its facts and all of its content."""
    facts, volume = open_volume(FileSource(device), key, **options)
    content = everything(volume)
    volume.close()
    assert facts.size_bytes == len(content)
    return facts, content


def everything(source: ByteSource) -> bytes:
    """Read all that a source has."""
    return source.read(0, source.size_bytes)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("prf", PRFS)
def test_libtcplays_volumes_open(
    tcplay: Tcplay, device: str, cipher: str, prf: str
) -> None:
    """By either header, with the same content."""
    tcplay.create(device, PASSWORD, cipher=cipher, prf=PRFS[prf])

    facts, content = opened(device)

    size = SIZE - OVERHEAD_BYTES
    assert facts == VolumeFacts(
        "truecrypt", f"{cipher}-xts", prf, 5, False, False, size
    )
    copy, same = opened(device, backup_header=True)
    assert copy.backup_header
    assert same == content
    with pytest.raises(PasswordRefused):
        opened(device, hidden=True)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("prf", PRFS)
def test_libtcplay_opens_what_is_made_here(
    tcplay: Tcplay, device: str, cipher: str, prf: str
) -> None:
    """By either header, and it tells the same facts."""
    size = SIZE - OVERHEAD_BYTES
    volume = format_volume(size, KEY.passphrase, secrets.token_bytes, cipher, prf)
    with Path(device).open("r+b") as file:
        file.write(volume.header)
        file.seek(SIZE - len(volume.backup_header))
        file.write(volume.backup_header)

    for backup in (False, True):
        info = tcplay.info(device, PASSWORD, backup=backup)
        assert (info.cipher, info.prf, info.size) == (chain(cipher), PRFS[prf], size)


@pytest.mark.parametrize("cipher", ["aes", "serpent-twofish-aes"])
def test_hidden_volumes_open(tcplay: Tcplay, device: str, cipher: str) -> None:
    """Each of the two by its own password, asked for or not."""
    tcplay.create(
        device,
        PASSWORD,
        cipher=cipher,
        hidden=Hidden(HIDDEN_PASSWORD, MIB, cipher, "RIPEMD160"),
    )
    hidden_key = ContainerKey(Secret(HIDDEN_PASSWORD))

    outer, outer_content = opened(device)
    hidden, content = opened(device, hidden_key)

    assert (outer.hidden, hidden.hidden) == (False, True)
    assert outer.size_bytes == SIZE - OVERHEAD_BYTES
    assert hidden.size_bytes == MIB
    assert content not in outer_content
    assert opened(device, hidden_key, hidden=True)[1] == content
    assert opened(device, hidden_key, backup_header=True)[1] == content
    with pytest.raises(PasswordRefused):
        opened(device, hidden_key, hidden=False)


def test_keyfiles_open_with_the_password(
    tcplay: Tcplay, device: str, tmp_path: Path
) -> None:
    """All of them, in any order; not the password alone."""
    keyfiles = (str(tmp_path / "short"), str(tmp_path / "long"))
    Path(keyfiles[0]).write_bytes(b"key")
    Path(keyfiles[1]).write_bytes(secrets.token_bytes(MIB + 1000))
    tcplay.create(device, PASSWORD, keyfiles=keyfiles)

    for given in (keyfiles, keyfiles[::-1]):
        assert not opened(device, ContainerKey(KEY.passphrase, given))[0].hidden
    for wrong in ((), keyfiles[:1]):
        with pytest.raises(PasswordRefused):
            opened(device, ContainerKey(KEY.passphrase, wrong))


def test_a_damaged_header_opens_by_the_copy(tcplay: Tcplay, device: str) -> None:
    """The first 64 KiB are gone."""
    tcplay.create(device, PASSWORD)
    _, content = opened(device)
    with Path(device).open("r+b") as file:
        file.write(bytes(DATA_OFFSET // 2))

    with pytest.raises(PasswordRefused):
        opened(device)
    facts, same = opened(device, backup_header=True)

    assert facts.backup_header
    assert same == content
