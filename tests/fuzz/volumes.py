"""Encrypted volumes whose headers decrypt, and say what cannot be."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from random import Random

from fuzz.mutations import Edit, Field, field_edits
from fuzz.sources import Fenced
from fuzz.targets import Target
from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.containers import key_derivation, sector_ciphers, tcrypt_header
from s3export.adapters.containers.decrypted_source import DecryptedSource
from s3export.adapters.containers.opening import open_volume
from s3export.adapters.containers.sector_ciphers import (
    LONGEST_KEYS,
    TRUECRYPT,
    SectorCipher,
)
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.containers import ContainerKey
from s3export.domain.errors import DeviceUnreadable
from s3export.domain.secret import Secret

_PASSWORD = "password"
_SALT = bytes(range(64))
_SIZES = (0, 511, 512, 1535, 1536, 66_047, 131_072, 262_144, 300_001, 393_216)
_PLACES = (0, 65_536, -131_072, -65_536, -1536)
_SITUATION = struct.Struct(">BBBB")
_NUMBERS = [
    *(Field(at, 2) for at in (4, 6)),
    Field(8, 4),
    *(Field(at, 8) for at in (12, 20, 28, 36, 44, 52)),
    *(Field(at, 4) for at in (60, 64, 188)),
]


def _header(kind: bytes, version: int, offset: int, size: int) -> bytes:
    plain = bytearray(tcrypt_header.build(size, bytes(range(192))))
    plain[0:4] = kind
    struct.pack_into(">H", plain, 4, version)
    struct.pack_into(
        ">QQQQ", plain, 28, size if version == 3 else 0, size, offset, size
    )
    return bytes(plain)


def _bases() -> dict[str, bytes]:
    """Return plain headers, each followed by the situation that it is met in."""
    plausible = {
        f"{kind.decode()}-{version}": _header(kind, version, 131_072, 131_072)
        for kind in (b"TRUE", b"VERA")
        for version in (3, 4, 5)
    }
    plausible["old"] = _header(b"TRUE", 3, 0, 65_536)
    return {name: plain + bytes([9, 0, 0, 1]) for name, plain in plausible.items()}


def _edits(data: bytes, chance: Random) -> list[Edit]:
    fields = {
        "numbers": _NUMBERS,
        "more of them": _NUMBERS,
        "keys": [Field(at, 8) for at in range(192, 448, 8)],
        "situation": [Field(448 + at, 1) for at in range(4)],
    }
    edits = field_edits(data, fields, chance, "big")
    if chance.random() < 0.05:
        same = bytes([chance.randrange(256)]) * 256  # both keys of XTS are one
        edits.append(Edit(192, 256, same))
    return edits


def _with_checksums(data: bytes) -> bytes:
    plain = bytearray(data)
    plain[8:12] = zlib.crc32(plain[192:448]).to_bytes(4)
    plain[188:192] = zlib.crc32(plain[:188]).to_bytes(4)
    return bytes(plain)


def _read_all(volume: ByteSource) -> None:
    size = volume.size_bytes
    for at in (0, 1, 511, size // 2, size - 1, size - 513, size, size + 1, 1 << 62):
        if at >= 0:
            length = len(volume.read(at, 1500))
            assert length == max(0, min(1500, size - at))
    assert len(volume.read(0, 1 << 62)) == size
    try:
        UserspaceTree(volume).close()
    except DeviceUnreadable:
        return


class Headers(Target):
    """Decrypted headers, and the volumes that they describe."""

    name = "headers"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        return _bases()

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        return _edits(data, chance)

    def read(self, data: bytes) -> None:
        plain, situation = data[:448], _SITUATION.unpack(data[448:])
        size, place, cascade, right = situation
        if right % 8:
            plain = _with_checksums(plain)
        header = tcrypt_header.parse(plain)
        if header is None:
            return
        container = bytes(_SIZES[size % len(_SIZES)])
        region = tcrypt_header.data_region(
            header, len(container), hidden=bool(place % 2)
        )
        fenced = Fenced(container)
        cipher = SectorCipher(TRUECRYPT[cascade % len(TRUECRYPT)], header.keys)
        try:
            _read_all(DecryptedSource(fenced.slice(), region, cipher))
        finally:
            fenced.check()


class Volumes(Target):
    """Containers with encrypted headers, opened by their password."""

    name = "volumes"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        return _bases()

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        return _edits(data, chance)

    def read(self, data: bytes) -> None:
        plain, situation = data[:448], _SITUATION.unpack(data[448:])
        size, place, cascade, right = situation
        if right % 8:
            plain = _with_checksums(plain)
        container = bytearray(_SIZES[size % len(_SIZES)])
        start = _PLACES[place % len(_PLACES)]
        start += len(container) if start < 0 else 0
        vera = plain[:4] == b"VERA"
        derivations = key_derivation.veracrypt(1) if vera else key_derivation.TRUECRYPT
        (derivation,) = (each for each in derivations if each.hash_name == "sha512")
        keys = derivation.key(_PASSWORD.encode(), _SALT, LONGEST_KEYS)
        encrypted = sector_ciphers.encrypt_header(
            TRUECRYPT[cascade % len(TRUECRYPT)], keys, plain
        )
        if 0 <= start <= len(container) - 512:
            container[start : start + 512] = _SALT + encrypted
        fenced = Fenced(bytes(container))
        try:
            _, volume = open_volume(
                fenced.slice(),
                ContainerKey(Secret(_PASSWORD), pim=int(vera)),
                hidden=(None, True, False)[right % 3],
                backup_header=_PLACES[place % len(_PLACES)] < -2000,
            )
            _read_all(volume)
        finally:
            fenced.check()
