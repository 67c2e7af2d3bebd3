"""Opening a volume: finding the header that a password decrypts.

Nothing in a header says what it is, or that it is one: every derivation with every
cascade is tried at every place, until four bytes and two checksums are right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.containers import (
    key_derivation,
    keyfiles,
    sector_ciphers,
    tcrypt_header,
)
from s3export.adapters.containers.decrypted_source import DecryptedSource
from s3export.adapters.containers.key_derivation import SALT_BYTES, Derivation
from s3export.adapters.containers.sector_ciphers import (
    LONGEST_KEYS,
    Cascade,
    SectorCipher,
    wipe,
)
from s3export.adapters.containers.tcrypt_header import (
    HEADER_BYTES,
    Header,
    Place,
    Region,
)
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import (
    ContainerDamaged,
    DeviceUnreadable,
    PasswordRefused,
    SettingsRejected,
)

TRUECRYPT_PASSWORD_BYTES: Final = 64
VERACRYPT_PASSWORD_BYTES: Final = 128
_LARGEST_PIM = 2_147_468  # VeraCrypt's: its iterations are of 31 bits


@dataclass(frozen=True)
class VolumeFacts:
    """What an opened volume is.

    Attributes:
        kind: ``truecrypt`` or ``veracrypt``.
        cipher: TrueCrypt's own name and the mode: ``aes-twofish-serpent-xts``.
        prf: The hash of the key derivation.
        backup_header: It was opened by the header at the end of its container.
        size_bytes: Of the plain content.
    """

    kind: str
    cipher: str
    prf: str
    header_version: int
    hidden: bool
    backup_header: bool
    size_bytes: int


@dataclass(frozen=True)
class _Program:
    """One of the two programs, as far as headers differ."""

    kind: str
    derivations: tuple[Derivation, ...]
    cascades: tuple[Cascade, ...]
    password: bytes


@dataclass(frozen=True)
class _Found:
    header: Header
    place: Place
    cascade: Cascade
    derivation: Derivation


@dataclass(frozen=True)
class FoundVolume:
    """A volume and what decrypts it.

    Attributes:
        region: Where its data is in the container.
        keys: Those of the data; who asked for them wipes them.
    """

    facts: VolumeFacts
    region: Region
    cascade: Cascade
    keys: bytearray = field(repr=False)


def open_volume(
    source: ByteSource,
    key: ContainerKey,
    *,
    hidden: bool | None = None,
    backup_header: bool = False,
    veracrypt: bool | None = None,
) -> tuple[VolumeFacts, ByteSource]:
    """Open a volume for reading; arguments and errors are those of `find_volume`.

    Args:
        source: The container; it is closed with the result, and left open on errors.
    """
    found = find_volume(
        source,
        key,
        hidden=hidden,
        backup_header=backup_header,
        veracrypt=veracrypt,
    )
    cipher = SectorCipher(found.cascade, found.keys)
    wipe(found.keys)
    return found.facts, DecryptedSource(source, found.region, cipher)


def find_volume(
    source: ByteSource,
    key: ContainerKey,
    *,
    hidden: bool | None = None,
    backup_header: bool = False,
    veracrypt: bool | None = None,
) -> FoundVolume:
    """Find the volume that a key opens.

    Args:
        source: The container; it is left open.
        hidden: Which of two volumes; ``None`` tries both, with each hash the outer one
            first, since a password is for one of them.
        backup_header: Use the headers at the end of the container.
        veracrypt: Whether to try VeraCrypt's headers after TrueCrypt's, which takes
            half a minute where the password is wrong. ``None``: only with a PIM.

    Raises:
        PasswordRefused: No header is decrypted by this key.
        ContainerDamaged: One is, and its fields cannot be.
        ContainerUnsupported: The volume is of a kind that is not read.
        FileRefused: A keyfile cannot be read.
        SettingsRejected: The PIM is none, or is meant for TrueCrypt.
        DeviceUnreadable: The container cannot be read.
        ToolMissing: libgcrypt is not installed.
    """
    programs = _programs(key, veracrypt)
    size = source.size_bytes
    where = tcrypt_header.places(size, hidden=hidden, backup=backup_header)
    if not where:
        raise ContainerDamaged(
            f"{size:,} bytes are too few for the volume's header to be there"
        )
    headers = [(place, _read(source, place)) for place in where]
    for program in programs:
        found = next(_found(program, headers), None)
        if found is not None:
            return _described(source, found)
    raise _nothing_found(programs, backup_header)


def _programs(key: ContainerKey, veracrypt: bool | None) -> list[_Program]:
    """Return which programs to try, the fast one first.

    TrueCrypt takes no password over 64 bytes. Others cut one there: it would open for
    them with whatever follows.
    """
    if not 0 <= key.pim <= _LARGEST_PIM:
        raise SettingsRejected(f"a PIM is 0 to {_LARGEST_PIM:,}, not {key.pim:,}")
    if key.pim and veracrypt is False:
        raise SettingsRejected("TrueCrypt volumes have no PIM; VeraCrypt's do")
    password = key.passphrase.reveal().encode("utf-8", "surrogateescape")
    vera = veracrypt or bool(key.pim)
    most = VERACRYPT_PASSWORD_BYTES if vera else TRUECRYPT_PASSWORD_BYTES
    if len(password) > most:
        raise PasswordRefused(
            f"the password has {len(password)} bytes; "
            f"{'VeraCrypt' if vera else 'TrueCrypt'} takes {most} at most",
            next_step="check the password: a line end or a second copy may be in it",
        )
    contents = [keyfiles.read(path) for path in key.keyfiles]
    long = len(password) > TRUECRYPT_PASSWORD_BYTES
    if contents:
        pool = keyfiles.LARGE_POOL_BYTES if long else keyfiles.POOL_BYTES
        password = keyfiles.mix(password, contents, pool)
    programs = []
    if not key.pim and not long:
        programs.append(
            _Program(
                "truecrypt",
                key_derivation.TRUECRYPT,
                sector_ciphers.TRUECRYPT,
                password,
            )
        )
    if vera:
        programs.append(
            _Program(
                "veracrypt",
                key_derivation.veracrypt(key.pim),
                sector_ciphers.VERACRYPT,
                password,
            )
        )
    return programs


def _read(source: ByteSource, place: Place) -> bytes:
    raw = source.read(place.start, HEADER_BYTES)
    if len(raw) != HEADER_BYTES:
        raise DeviceUnreadable(
            f"the encrypted container ends within the header at byte {place.start:,}"
        )
    return raw


def _found(
    program: _Program, headers: Sequence[tuple[Place, bytes]]
) -> Iterator[_Found]:
    for derivation in program.derivations:
        for place, raw in headers:
            if place.old and program.kind == "veracrypt":
                continue
            salt, encrypted = raw[:SALT_BYTES], raw[SALT_BYTES:]
            keys = derivation.key(program.password, salt, LONGEST_KEYS)
            try:
                for cascade in program.cascades:
                    plain = sector_ciphers.decrypt_header(cascade, keys, encrypted)
                    header = tcrypt_header.parse(plain)
                    wipe(plain)
                    if header is not None and header.kind == program.kind:
                        yield _Found(header, place, cascade, derivation)
            finally:
                wipe(keys)


def _described(source: ByteSource, found: _Found) -> FoundVolume:
    header, place = found.header, found.place
    region = tcrypt_header.data_region(header, source.size_bytes, hidden=place.hidden)
    facts = VolumeFacts(
        kind=header.kind,
        cipher=sector_ciphers.name_of(found.cascade),
        prf=found.derivation.hash_name,
        header_version=header.version,
        hidden=place.hidden,
        backup_header=place.backup,
        size_bytes=region.size,
    )
    return FoundVolume(facts, region, found.cascade, bytearray(header.keys))


def _nothing_found(
    programs: Sequence[_Program], backup_header: bool
) -> PasswordRefused:
    vera = any(program.kind == "veracrypt" for program in programs)
    what = "TrueCrypt or VeraCrypt" if vera else "TrueCrypt"
    copy = "copy of the header" if backup_header else "header"
    advice = ["check the password and the keyfiles"]
    if not backup_header:
        advice.append("try the copy of the header with --backup-header")
    if not vera:
        advice.append("name a VeraCrypt volume as such with --veracrypt")
    unread = "older than TrueCrypt 5" + (
        ", or made with Streebog or Kuznyechik," if vera else ""
    )
    return PasswordRefused(
        f"no {what} volume opens: the password or a keyfile is wrong, or the volume's "
        f"{copy} is damaged (volumes {unread} cannot be opened)",
        next_step="; ".join(advice),
    )
