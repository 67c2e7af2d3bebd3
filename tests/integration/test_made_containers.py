"""Volumes made and opened in userspace, judged by cryptsetup and OpenSSL."""

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.containers import libgcrypt
from s3export.adapters.containers.formatting import format_volume
from s3export.adapters.containers.opening import VolumeFacts, open_volume
from s3export.adapters.containers.sector_ciphers import TRUECRYPT, name_of
from s3export.adapters.containers.tcrypt_header import DATA_OFFSET
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import (
    ContainerDamaged,
    DeviceUnreadable,
    PasswordRefused,
    SettingsRejected,
    ToolMissing,
)
from s3export.domain.secret import Secret

PASSWORD = Secret("correct horse battery staple")
KEY = ContainerKey(PASSWORD)
CONTENT = secrets.token_bytes(256 << 10)


class Memory(ByteSource):
    """Bytes in memory that note being closed, and fail where they are told to."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size_said = len(data)
        self.closed = False
        self.error: Exception | None = None

    @property
    def size_bytes(self) -> int:
        return self.size_said

    def read(self, start: int, length: int) -> bytes:
        if self.error:
            raise self.error
        return self.data[start : start + length]

    def close(self) -> None:
        self.closed = True


def made(
    cipher: str = "aes", prf: str = "ripemd160", content: bytes = CONTENT
) -> bytes:
    """Make a container around some content."""
    volume = format_volume(len(content), PASSWORD, secrets.token_bytes, cipher, prf)
    half = len(content) // 1024 * 512
    encrypted = volume.sink.encrypt(0, content[:half])
    encrypted += volume.sink.encrypt(half, content[half:])
    volume.sink.close()
    return volume.header + encrypted + volume.backup_header


def content_of(container: bytes, key: ContainerKey = KEY, **options: bool) -> bytes:
    """Open a container and read all of its volume."""
    _, volume = open_volume(Memory(container), key, **options)
    return volume.read(0, volume.size_bytes)


@pytest.fixture(scope="module")
def container() -> bytes:
    return made()


@pytest.fixture(scope="module")
def volume(container: bytes) -> Iterator[ByteSource]:
    _, opened = open_volume(Memory(container), KEY)
    yield opened
    opened.close()


@pytest.mark.parametrize("cascade", TRUECRYPT, ids=name_of)
@pytest.mark.parametrize("prf", ["ripemd160", "sha512", "whirlpool"])
def test_what_is_made_is_opened(cascade: tuple[str, ...], prf: str) -> None:
    """Every cipher with every hash, by either header."""
    name = name_of(cascade)
    container = made(name, prf)

    for backup in (False, True):
        facts, volume = open_volume(Memory(container), KEY, backup_header=backup)
        assert facts == VolumeFacts(
            "truecrypt", name, prf, 5, False, backup, len(CONTENT)
        )
        assert volume.read(0, 1 << 30) == CONTENT


@given(st.integers(0, len(CONTENT) + 9), st.integers(-1, len(CONTENT) + 9))
@SETTINGS
def test_any_part_can_be_read(volume: ByteSource, start: int, length: int) -> None:
    """As it could be from the content itself; nothing comes beyond the end."""
    assert volume.read(start, length) == CONTENT[start : start + max(0, length)]


def test_many_threads_read_at_once(container: bytes) -> None:
    """Each gets the bytes it asked for; closing meanwhile is an error for them."""
    _, volume = open_volume(Memory(container), KEY)

    def read(place: int) -> bool:
        return volume.read(place, 5000) == CONTENT[place : place + 5000]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(0, len(CONTENT), 501)))
        late = [pool.submit(read, place) for place in range(0, len(CONTENT), 501)]
        volume.close()
        for future in late:
            error = future.exception()
            assert isinstance(error, DeviceUnreadable | None)


def test_openssl_and_cryptsetup_agree(container: bytes, tmp_path: Path) -> None:
    """Cryptsetup finds the master key, and OpenSSL decrypts the content by it."""
    path = tmp_path / "volume.tc"
    path.write_bytes(container)
    cryptsetup = shutil.which("cryptsetup", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert cryptsetup, "cryptsetup-bin is not installed"

    for header in ([], ["--tcrypt-backup"]):
        dumped = subprocess.run(
            [cryptsetup, "tcryptDump", "--dump-volume-key", "-q", *header, path],
            input=PASSWORD.reveal(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert re.search(r"Payload offset:\s+256\n", dumped)
        key = bytes.fromhex(
            dumped.partition("MK dump:")[2].replace("\t", "").replace("\n", "")
        )
        plain = bytearray()
        for unit in range(256, 256 + len(CONTENT) // 512):
            tweak = modes.XTS(unit.to_bytes(16, "little"))
            sector = container[unit * 512 : unit * 512 + 512]
            plain += Cipher(algorithms.AES(key), tweak).decryptor().update(sector)
        assert plain == CONTENT


@pytest.mark.parametrize("backup", [False, True])
def test_a_wrong_password_is_told_within_two_seconds(
    container: bytes, backup: bool
) -> None:
    """The error leaves the other cause open, and names the way out."""
    began = time.monotonic()
    with pytest.raises(PasswordRefused, match="is damaged") as refused:
        open_volume(
            Memory(container), ContainerKey(Secret("wrong")), backup_header=backup
        )

    assert time.monotonic() - began < 2
    assert ("--backup-header" in refused.value.next_step) is not backup
    assert "wrong" not in repr(ContainerKey(Secret("wrong"), ("wrong",)))


def test_a_damaged_header_is_replaced_by_its_copy(container: bytes) -> None:
    """Overwritten, it is as good as a wrong password."""
    damaged = bytes(512) + container[512:]

    with pytest.raises(PasswordRefused):
        content_of(damaged)

    assert content_of(damaged, backup_header=True) == CONTENT


def test_one_wrong_bit_in_a_header_is_damage(container: bytes) -> None:
    """Behind the first block the password is still seen to be right."""
    damaged = bytearray(container)
    damaged[300] ^= 1

    with pytest.raises(ContainerDamaged, match="checksum"):
        content_of(bytes(damaged))


def test_a_hidden_volume_that_is_none_does_not_open(container: bytes) -> None:
    """Where it would be, there are random bytes."""
    with pytest.raises(PasswordRefused):
        content_of(container, hidden=True)


def test_a_container_cut_short_is_refused(container: bytes) -> None:
    """At any place, and the error says what is missing."""
    with pytest.raises(ContainerDamaged, match="which has 300,000"):
        content_of(container[:300_000])
    for size in (0, 511):
        with pytest.raises(ContainerDamaged, match=f"{size} bytes are too few"):
            content_of(container[:size])


@given(st.binary(max_size=2000))
@SETTINGS
def test_other_files_are_no_containers(data: bytes) -> None:
    """Any bytes lead to an error of ours."""
    with pytest.raises((PasswordRefused, ContainerDamaged)):
        content_of(data)


def test_errors_of_the_disk_pass_through(container: bytes) -> None:
    """Also one that shrank."""
    source = Memory(container)
    _, volume = open_volume(source, KEY)

    source.error = DeviceUnreadable("bad sector")
    with pytest.raises(DeviceUnreadable, match="bad sector"):
        volume.read(0, 1)
    source.error = None
    source.data = container[: DATA_OFFSET + 700]
    assert volume.read(0, 512) == CONTENT[:512]
    with pytest.raises(DeviceUnreadable, match="ended at byte 131,772"):
        volume.read(512, 512)


def test_closing_closes_the_container(container: bytes) -> None:
    """Twice is as once; afterwards nothing is read."""
    source = Memory(container)
    _, volume = open_volume(source, KEY)
    volume.close()
    volume.close()

    assert source.closed
    with pytest.raises(DeviceUnreadable, match="closed"):
        volume.read(0, 1)


def test_a_container_in_a_file(container: bytes, tmp_path: Path) -> None:
    """A file is opened as well as bytes in memory."""
    path = tmp_path / "volume.tc"
    path.write_bytes(container)
    _, volume = open_volume(FileSource(str(path)), KEY)

    assert volume.read(1000, 1000) == CONTENT[1000:2000]
    volume.close()


def test_long_passwords_are_refused(container: bytes) -> None:
    """TrueCrypt takes 64 bytes; VeraCrypt 128, and those alone are tried then."""
    with pytest.raises(PasswordRefused, match=r"has 65 bytes; TrueCrypt takes 64"):
        content_of(container, ContainerKey(Secret("x" * 65)))
    with pytest.raises(PasswordRefused, match=r"has 130 bytes; VeraCrypt takes 128"):
        content_of(container, ContainerKey(Secret("ü" * 65)), veracrypt=True)


@pytest.mark.parametrize("pim", [-1, 1 << 40])
def test_impossible_pims_are_refused(container: bytes, pim: int) -> None:
    """So is one for TrueCrypt, which has none."""
    with pytest.raises(SettingsRejected, match="a PIM is 0 to"):
        content_of(container, ContainerKey(PASSWORD, pim=pim))
    with pytest.raises(SettingsRejected, match="have no PIM"):
        content_of(container, ContainerKey(PASSWORD, pim=1), veracrypt=False)


def test_what_veracrypt_has_and_cannot_be_read_is_named(container: bytes) -> None:
    """It cannot be told from a wrong password either."""
    with pytest.raises(PasswordRefused, match="with Streebog or Kuznyechik") as refused:
        content_of(container, ContainerKey(PASSWORD, pim=1))

    assert "--veracrypt" not in refused.value.next_step


def test_a_container_that_shrinks_while_it_is_opened_is_unreadable() -> None:
    """Its header is not there any more."""
    source = Memory(bytes(1 << 20))
    source.size_said = 2 << 20

    with pytest.raises(DeviceUnreadable, match="within the header at byte 2,031,616"):
        open_volume(source, KEY, hidden=True, backup_header=True)
    with pytest.raises(ValueError):
        open_volume(Memory(made()), KEY)[1].read(-1, 1)


def test_a_missing_library_is_named(
    container: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package it comes from."""
    monkeypatch.setattr(libgcrypt, "_LIBRARY", "libgcrypt.so.missing")
    monkeypatch.setattr(libgcrypt, "_library", libgcrypt._library.__wrapped__)

    with pytest.raises(ToolMissing, match=r"libgcrypt\.so\.missing") as missing:
        content_of(container)

    assert "apt-get install libgcrypt20" in missing.value.next_step


def test_only_possible_volumes_are_made() -> None:
    """Sizes, passwords, ciphers and hashes that TrueCrypt has."""
    for size, password, cipher, prf in (
        (0, "x", "aes", "sha512"),
        (513, "x", "aes", "sha512"),
        (512, "", "aes", "sha512"),
        (512, "x" * 65, "aes", "sha512"),
        (512, "x", "camellia", "sha512"),
        (512, "x", "aes", "sha256"),
    ):
        with pytest.raises(ValueError):
            format_volume(size, Secret(password), secrets.token_bytes, cipher, prf)


def test_only_whole_sectors_are_encrypted() -> None:
    """At the places of sectors."""
    sink = format_volume(1024, PASSWORD, secrets.token_bytes).sink

    for start, length in ((1, 512), (0, 511), (-512, 512)):
        with pytest.raises(ValueError, match="whole sectors"):
            sink.encrypt(start, bytes(length))
    sink.close()
