"""Headers of encrypted volumes: what is read from them is never believed."""

import zlib
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.adapters.containers import keyfiles
from s3export.adapters.containers.key_derivation import veracrypt
from s3export.adapters.containers.sector_ciphers import (
    TRUECRYPT,
    cascade_named,
    name_of,
)
from s3export.adapters.containers.tcrypt_header import (
    DATA_OFFSET,
    PLAIN_BYTES,
    Header,
    build,
    data_region,
    parse,
    places,
)
from s3export.domain.errors import (
    ContainerDamaged,
    ContainerUnsupported,
    FileRefused,
)

MIB = 1 << 20
KEYS = bytes(range(64))


def header(**changes: int) -> Header:
    """Return the header of a volume of 1 MiB, with changes."""
    parsed = parse(build(MIB, KEYS))
    assert parsed is not None
    return replace(parsed, **changes)  # type: ignore[arg-type]


def with_checksums(plain: bytes) -> bytes:
    """Make the checksums of a decrypted header right."""
    data = bytearray(plain)
    data[8:12] = zlib.crc32(data[192:448]).to_bytes(4)
    data[188:192] = zlib.crc32(data[:188]).to_bytes(4)
    return bytes(data)


def test_what_is_built_is_read() -> None:
    """A new header says where its data lies."""
    parsed = header()

    assert (parsed.kind, parsed.version, parsed.hidden_bytes) == ("truecrypt", 5, 0)
    assert (parsed.data_offset, parsed.volume_bytes) == (DATA_OFFSET, MIB)
    assert parsed.keys[:64] == KEYS
    assert str(list(KEYS[:3]))[1:-1] not in repr(parsed)
    assert "keys" not in repr(parsed)


@given(st.binary(max_size=600))
@SETTINGS
def test_other_bytes_are_no_header(data: bytes) -> None:
    """What a wrong key decrypts is no header, and no error."""
    assert parse(data) is None


@given(
    st.sampled_from([b"TRUE", b"VERA"]),
    st.integers(0, 8),
    st.binary(min_size=PLAIN_BYTES, max_size=PLAIN_BYTES),
    st.booleans(),
    st.integers(0, 1 << 64),
    st.booleans(),
)
@SETTINGS
def test_no_header_points_out_of_its_container(
    magic: bytes, version: int, data: bytes, right: bool, size: int, hidden: bool
) -> None:
    """Whatever the fields say, a region lies inside, or an error says why not."""
    data = magic + version.to_bytes(2) + data[6:]
    try:
        parsed = parse(with_checksums(data) if right else data)
        assert parsed is not None
        region = data_region(parsed, size, hidden=hidden)
    except (ContainerDamaged, ContainerUnsupported):
        return
    assert 0 < region.start < region.start + region.size <= size


@given(
    st.sampled_from([3, 4, 5]),
    st.integers(0, 1 << 22),
    st.integers(0, 1 << 22),
    st.integers(0, 1 << 22),
    st.booleans(),
)
@SETTINGS
def test_regions_are_whole_sectors_inside(
    version: int, offset: int, volume: int, size: int, hidden: bool
) -> None:
    """The same with fields that are nearly plausible."""
    fields = header(
        version=version,
        data_offset=offset,
        volume_bytes=volume,
        hidden_bytes=volume,
        encrypted_bytes=volume,
    )
    try:
        region = data_region(fields, size, hidden=hidden)
    except ContainerDamaged:
        return
    assert region.start % 512 == region.size % 512 == 0
    assert 512 <= region.start < region.start + region.size <= size


@pytest.mark.parametrize(
    ("place", "says"), [(448 - 1, "its keys"), (40, "its fields"), (8, "its keys")]
)
def test_one_wrong_byte_is_damage(place: int, says: str) -> None:
    """The password was right: the error speaks of the header, not of the password."""
    plain = bytearray(build(MIB, KEYS))
    plain[place] ^= 1

    with pytest.raises(ContainerDamaged, match=says) as refused:
        parse(plain)

    assert "--backup-header" in refused.value.next_step


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sector_bytes": 4096}, "sectors of 4,096 bytes"),
        ({"flags": 1}, "system drive"),
        ({"flags": 2, "encrypted_bytes": 512}, "was not finished"),
    ],
)
def test_volumes_of_other_kinds_are_refused_by_name(
    changes: dict[str, int], says: str
) -> None:
    """The header is right, and its volume is not one that can be read."""
    with pytest.raises(ContainerUnsupported, match=says):
        data_region(header(**changes), 2 * MIB, hidden=False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data_offset": 0}, "start at byte 0"),
        ({"data_offset": DATA_OFFSET + 1}, "start at byte 131,073"),
        ({"volume_bytes": 0}, "size of 0 bytes"),
        ({"volume_bytes": MIB - 1}, "size of 1,048,575 bytes"),
        ({"encrypted_bytes": 512}, "512 bytes are encrypted of 1,048,576"),
        ({"data_offset": 1 << 63}, "which has 2,097,152"),
        ({"volume_bytes": (1 << 64) - 512}, "which has 2,097,152"),
    ],
)
def test_impossible_fields_are_damage(changes: dict[str, int], says: str) -> None:
    """Each is named."""
    with pytest.raises(ContainerDamaged, match=says):
        data_region(header(**changes), 2 * MIB, hidden=False)


@pytest.mark.parametrize("version", [0, 2, 6])
def test_versions_that_are_not_known_are_refused(version: int) -> None:
    """The error names the version."""
    plain = bytearray(build(MIB, KEYS))
    plain[4:6] = version.to_bytes(2)

    with pytest.raises(ContainerUnsupported, match=f"of version {version};"):
        parse(with_checksums(bytes(plain)))


@given(st.integers(0, 1 << 20), st.booleans(), st.sampled_from([None, True, False]))
@SETTINGS
def test_headers_are_looked_for_inside(
    size: int, backup: bool, hidden: bool | None
) -> None:
    """A small container has fewer places."""
    for place in places(size, hidden=hidden, backup=backup):
        assert 0 <= place.start <= size - 512
        assert place.backup is backup
        assert hidden in (None, place.hidden)


def test_cascades_have_truecrypts_names() -> None:
    """The last cipher is said first."""
    assert name_of(("serpent", "twofish", "aes")) == "aes-twofish-serpent-xts"
    assert [cascade_named(name_of(each)) for each in TRUECRYPT] == list(TRUECRYPT)
    with pytest.raises(ValueError, match="no cipher des"):
        cascade_named("des")


def test_a_pim_sets_the_iterations() -> None:
    """As VeraCrypt's documentation has it."""
    assert {each.iterations for each in veracrypt(485)} == {500_000}
    assert {each.iterations for each in veracrypt(1)} == {16_000}
    assert veracrypt(0) == veracrypt(None)


def plainly_mixed(password: bytes, contents: list[bytes]) -> bytes:
    """Mix keyfiles byte by byte, as the documentation says it."""
    pool = bytearray(64)
    for content in contents:
        at, crc = 0, 0
        for byte in content:
            crc = zlib.crc32(bytes([byte]), crc)
            for added in (crc ^ 0xFFFFFFFF).to_bytes(4):
                pool[at] = (pool[at] + added) % 256
                at = (at + 1) % 64
    added_up = zip(password.ljust(64, b"\0"), pool, strict=True)
    return bytes(sum(pair) % 256 for pair in added_up)


@given(st.binary(max_size=64), st.lists(st.binary(max_size=200), max_size=3))
@SETTINGS
def test_keyfiles_are_mixed_as_documented(
    password: bytes, contents: list[bytes]
) -> None:
    """In any order."""
    mixed = keyfiles.mix(password, contents, keyfiles.POOL_BYTES)

    assert mixed == plainly_mixed(password, contents)
    assert mixed == keyfiles.mix(password, contents[::-1], keyfiles.POOL_BYTES)


def test_only_the_first_mebibyte_of_a_keyfile_counts() -> None:
    """TrueCrypt reads no more."""
    start = reduce(lambda a, _: a + a, range(18), b"key!")
    assert len(start) == MIB

    assert keyfiles.mix(b"", [start + b"more"], 64) == keyfiles.mix(b"", [start], 64)


def test_unusable_keyfiles_are_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A directory, an empty file, none at all."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "empty").touch()

    for path, says in (("", "directory"), ("empty", "empty"), ("none", "No such")):
        with pytest.raises(FileRefused, match=says):
            keyfiles.read(str(folder / path))
