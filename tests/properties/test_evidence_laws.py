"""Laws of evidence: what proves a file right, what proves it wrong, and what nothing.

Whether digests are computed rightly is for the laws of digests.
"""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.evidence import (
    COMMON_PART_SIZES,
    ETAG_MD5,
    ETAG_MULTIPART,
    EXPORT_LOG,
    METADATA_MD5,
    Checksum,
    Evidence,
    EvidenceKind,
    Ladder,
    NoEvidence,
    ObjectFacts,
    PartFacts,
    common_parts,
    ladder,
    listed_evidence,
    logged_md5,
    trusted_part,
    trusted_sizes,
    uniform_parts,
    whole_checksum,
)

CONTENT = b"some content"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
MULTIPART = f"{MD5}-3"
LENGTHS = {
    "SHA512": 64,
    "SHA256": 32,
    "SHA1": 20,
    "MD5": 16,
    "XXHASH128": 16,
    "CRC64NVME": 8,
    "XXHASH3": 8,
    "XXHASH64": 8,
    "CRC32C": 4,
    "CRC32": 4,
}
ALL = tuple(LENGTHS)
WEAK = {"CRC32", "CRC32C"}
SHA = {"SHA1", "SHA256", "SHA512"}

# captured from S3 in eu-west-1, of an object in three parts, as HeadObject tells it
CAPTURED = "rVWtNbadtsaKXJAcgWPWjifHzJaXde/iV4jaJAOdivc=-3"

algorithms = st.sampled_from(ALL)
etags = st.sampled_from([MD5, f"{MD5}-1", MULTIPART, f"{MD5}-10000", "", "W/odd"])
types = st.sampled_from(["", "FULL_OBJECT", "COMPOSITE"])
suffixes = st.sampled_from(["", "-1", "-3", "-10000"])
encryptions = st.sampled_from(["", "AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"])


def of_length(algorithm: str, byte: int = 7) -> str:
    """Return a value as long as the algorithm's, in base64."""
    return base64.b64encode(bytes([byte]) * LENGTHS.get(algorithm, 5)).decode()


@st.composite
def checksums(draw: st.DrawFn) -> Checksum:
    """Whatever a server may tell: of any type, with a suffix or without."""
    algorithm = draw(st.sampled_from([*ALL, "BLAKE9"]))
    value = draw(st.sampled_from([of_length(algorithm) + draw(suffixes), "", "%%%"]))
    return Checksum(algorithm, value, draw(types))


@st.composite
def objects(draw: st.DrawFn) -> ObjectFacts:
    """Whatever HeadObject may tell."""
    return facts(
        draw(etags),
        size=draw(st.integers(0, 100)),
        encryption=draw(encryptions),
        customer_key=draw(st.booleans()),
        bucket=draw(st.sampled_from(["b", "b--use1-az4--x-s3"])),
        checksums=tuple(draw(st.lists(checksums(), max_size=4))),
        metadata=draw(st.sampled_from([{}, {"md5": MD5}, {"md5chksum": "odd"}])),
        checksums_withheld=draw(st.sampled_from(["", "not allowed"])),
    )


witnesses = st.lists(
    st.sampled_from(
        [
            Evidence(EXPORT_LOG, "MD5", MD5, whose="the export log"),
            Evidence(EvidenceKind("sha256"), "SHA256", of_length("SHA256"), whose="x"),
            Evidence(EvidenceKind("crc32"), "CRC32", of_length("CRC32"), whose="x"),
        ]
    ),
    max_size=2,
)


def facts(etag: str = MD5, size: int = 30, **more: Any) -> ObjectFacts:
    """Return an object's metadata."""
    more.setdefault("bucket", "b")
    return ObjectFacts(
        key="k",
        size_bytes=size,
        etag=etag,
        modified_at=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )


def checked(*told: Checksum, etag: str = MD5, **more: Any) -> Ladder:
    """Return the ladder of an object with checksums."""
    return ladder(facts(etag, checksums=told), ALL, **more)


def place(one: Evidence) -> int:
    """Return the kind's place on the ladder."""
    if one.kind in (ETAG_MD5, ETAG_MULTIPART):
        return 2
    if one.kind in (METADATA_MD5, EXPORT_LOG):
        return 3 + (one.kind == EXPORT_LOG)
    return 1 if one.kind.endswith("-composite") else 0


# --- the order ------------------------------------------------------------------


@given(objects(), st.booleans(), witnesses)
@SETTINGS
def test_the_ladder_is_in_order(
    told: ObjectFacts, strong: bool, others: list[Evidence]
) -> None:
    """Full-object checksums, composite ones, the ETag, claims, the export log.

    What others than S3 computed by S3's checksums comes with those.
    """
    rungs = ladder(told, ALL, strong=strong, witnesses=others).rungs

    assert [place(one) for one in rungs] == sorted(map(place, rungs))


@given(objects(), st.booleans(), witnesses)
@SETTINGS
def test_every_rung_can_be_told_and_asked_for(
    told: ObjectFacts, strong: bool, others: list[Evidence]
) -> None:
    """It is computable, its text has the form of what is expected, or it is a reason.

    Rungs of one part are ready: its size is that of the object.
    """
    found = ladder(told, ALL, strong=strong, witnesses=others)

    for one in found.rungs:
        assert one.algorithm in ALL
        digest = bytes(LENGTHS[one.algorithm])
        assert len(one.text(digest)) == len(one.expected)
        assert one.ready is (one.parts <= 1)
        if one.parts == 1:
            assert one.part_sizes == (told.size_bytes,)
    assert all(found.reasons)
    assert found.rungs or found.reasons
    if told.checksums_withheld:
        assert told.checksums_withheld in found.reason


@given(st.lists(algorithms, unique=True, min_size=1), st.randoms())
@SETTINGS
def test_the_strongest_checksum_comes_first(chosen: list[str], shuffler: Any) -> None:
    """However the server orders them, whole ones before composite ones."""
    told = [
        Checksum(algorithm, of_length(algorithm) + suffix)
        for algorithm in chosen
        for suffix in ("", "-3")
    ]
    shuffler.shuffle(told)

    rungs = checked(*told).rungs

    names = [algorithm for algorithm in ALL if algorithm in chosen]
    assert [one.algorithm for one in rungs] == [*names, *names, "MD5"]
    assert [one.parts for one in rungs] == [0] * len(names) + [3] * len(names) + [0]


def test_a_full_ladder() -> None:
    """All that there can be of one object, with what each is called."""
    told = facts(
        MULTIPART,
        checksums=(
            Checksum("SHA256", CAPTURED, "COMPOSITE"),
            Checksum("CRC64NVME", of_length("CRC64NVME"), "FULL_OBJECT"),
        ),
        metadata={"md5chksum": IN_BASE64},
    )
    logged = logged_md5(MD5)
    assert logged

    rungs = ladder(told, ALL, witnesses=[logged]).rungs

    assert [one.kind for one in rungs] == [
        "crc64nvme",
        "sha256-composite",
        "etag-multipart",
        "metadata-md5",
        "export-log",
    ]
    assert [one.parts for one in rungs] == [0, 3, 3, 0, 0]
    assert all(one.decisive for one in rungs)
    assert [bool(one.whose) for one in rungs] == [False] * 3 + [True] * 2


# --- checksums ------------------------------------------------------------------


@given(st.text(max_size=12), objects())
@SETTINGS
def test_an_unknown_algorithm_is_not_usable(name: str, told: ObjectFacts) -> None:
    """It is named among the reasons; what else there is still counts."""
    unknown = Checksum(name, of_length("SHA256"), "FULL_OBJECT")
    more = facts(
        told.etag, checksums=(unknown, *told.checksums), metadata=told.metadata
    )
    less = facts(told.etag, checksums=told.checksums, metadata=told.metadata)

    found = ladder(more, {"SHA256"} - {name})

    assert found.rungs == ladder(less, {"SHA256"} - {name}).rungs
    assert f"its {name} cannot be computed here" in found.reasons


@given(algorithms, st.integers(1, 99_999), st.sampled_from(["", "COMPOSITE"]))
@SETTINGS
def test_a_suffix_says_of_how_many_parts_a_checksum_is(
    algorithm: str, parts: int, type_: str
) -> None:
    """That is decisive, and the text of an equal file has the suffix, too."""
    value = of_length(algorithm)
    told = Checksum(algorithm, f"{value}-{parts}", type_)

    first, etag = checked(told, etag=MD5).rungs

    assert first.kind == f"{algorithm.lower()}-composite"
    assert (first.parts, first.decisive) == (parts, True)
    assert first.expected == f"{value}-{parts}"
    assert first.text(base64.b64decode(value)) == first.expected
    assert etag.kind == ETAG_MD5


@given(algorithms)
@SETTINGS
def test_a_composite_checksum_without_a_suffix_takes_it_from_the_etag(
    algorithm: str,
) -> None:
    """As GetObjectAttributes tells it; where the ETag has none it is not usable."""
    told = Checksum(algorithm, of_length(algorithm), "COMPOSITE")
    suffixed = Checksum(algorithm, f"{told.value}-3", "COMPOSITE")

    found = checked(told, etag=MD5)

    assert checked(told, etag=MULTIPART) == checked(suffixed, etag=MULTIPART)
    assert [one.kind for one in found.rungs] == [ETAG_MD5]
    assert f"its {algorithm} is of an unknown number of parts" in found.reason


def test_the_parts_of_an_encrypted_object_are_still_counted_by_its_etag() -> None:
    """A KMS key hides the digest in it, not the suffix."""
    told = Checksum("SHA256", CAPTURED.removesuffix("-3"), "COMPOSITE")

    (only,) = ladder(
        facts(MULTIPART, checksums=(told,), encryption="aws:kms"), ALL
    ).rungs

    assert (only.kind, only.expected, only.parts) == ("sha256-composite", CAPTURED, 3)


@given(algorithms, st.sampled_from([MULTIPART, f"{MD5}-1", f"{MD5}-10000"]))
@SETTINGS
def test_an_untyped_checksum_of_a_multipart_object_decides_nothing(
    algorithm: str, etag: str
) -> None:
    """It may be over the whole or over the parts; the SHA family only over these.

    Whichever fits proves the file; the ETag below it decides. CRC-64/NVME alone is
    over the whole, always.
    """
    *either, last = checked(Checksum(algorithm, of_length(algorithm)), etag=etag).rungs

    if algorithm == "CRC64NVME":
        assert [(one.kind, one.decisive) for one in either] == [("crc64nvme", True)]
        return
    assert last.kind == ETAG_MULTIPART and last.decisive
    assert not any(one.decisive for one in either)
    kinds = [algorithm.lower(), f"{algorithm.lower()}-composite"]
    assert [one.kind for one in either] == (kinds[1:] if algorithm in SHA else kinds)


@given(algorithms, st.sampled_from(["", "FULL_OBJECT"]))
@SETTINGS
def test_a_checksum_of_an_object_in_one_piece_decides(
    algorithm: str, type_: str
) -> None:
    """If its type is told; else it may be of the parts that it was copied from."""
    told = Checksum(algorithm, of_length(algorithm), type_)

    first, _ = checked(told, etag=MD5).rungs

    certain = bool(type_) or algorithm == "CRC64NVME"
    assert (first.kind, first.parts, first.decisive) == (algorithm.lower(), 0, certain)
    assert first.text(base64.b64decode(told.value)) == first.expected == told.value


@given(algorithms, etags, types)
@SETTINGS
def test_a_full_object_checksum_decides_in_parts_too(
    algorithm: str, etag: str, type_: str
) -> None:
    """Where S3 says FULL_OBJECT the parts do not matter."""
    rungs = checked(
        Checksum(algorithm, of_length(algorithm), "FULL_OBJECT"), etag=etag
    ).rungs

    assert (rungs[0].kind, rungs[0].parts) == (algorithm.lower(), 0)
    assert rungs[0].decisive


@pytest.mark.parametrize(
    "value", ["", "%%%", "abc", "rVWt NbadtsY=", "ä", "-3", "===="]
)
@pytest.mark.parametrize("type_", ["", "FULL_OBJECT", "COMPOSITE"])
@pytest.mark.parametrize("etag", [MD5, MULTIPART])
def test_a_value_that_is_not_base64_is_not_usable(
    value: str, type_: str, etag: str
) -> None:
    """No error, and the ETag still counts."""
    found = checked(Checksum("SHA256", value, type_), etag=etag)

    assert [one.kind for one in found.rungs] in ([ETAG_MD5], [ETAG_MULTIPART])
    assert "SHA256" in found.reason


@pytest.mark.parametrize("form", [" {}", "{}\n", "{}\r\n", "*{}", "{}=", "{}=AAA="])
@given(algorithms)
@SETTINGS
def test_base64_with_anything_else_in_it_is_not_usable(
    form: str, algorithm: str
) -> None:
    """No file's text could be equal to it, and an intact one would seem damaged."""
    found = checked(Checksum(algorithm, form.format(of_length(algorithm))))

    assert [one.kind for one in found.rungs] == [ETAG_MD5]
    assert algorithm in found.reason


def test_an_algorithm_to_come_is_taken_where_it_can_be_computed() -> None:
    """Of whatever length; after those whose strength is known, before composites."""
    told = (
        Checksum("BLAKE9", of_length("BLAKE9"), "FULL_OBJECT"),
        Checksum("SHA256", CAPTURED, "COMPOSITE"),
        Checksum("CRC32", of_length("CRC32"), "FULL_OBJECT"),
    )

    found = ladder(facts(checksums=told), {*ALL, "BLAKE9"})

    kinds = ["crc32", "blake9", "sha256-composite", ETAG_MD5]
    assert [one.kind for one in found.rungs] == kinds
    assert found.reasons == ()


@given(st.text(max_size=30), types, etags)
@SETTINGS
def test_no_value_is_an_error(value: str, type_: str, etag: str) -> None:
    """What a server may say instead of a checksum is a rung or a reason."""
    found = checked(Checksum("SHA1", value, type_), etag=etag)

    known = [one for one in found.rungs if one.algorithm == "SHA1"]
    assert len(known) == 1 or any("SHA1" in reason for reason in found.reasons)


# --- the ETag -------------------------------------------------------------------


@pytest.mark.parametrize("encryption", ["", "AES256"])
@pytest.mark.parametrize(
    ("etag", "kind", "parts"),
    [
        (MD5, ETAG_MD5, 0),
        (f"{MD5}-1", ETAG_MULTIPART, 1),
        (f"{MD5}-10000", ETAG_MULTIPART, 10_000),
    ],
)
def test_an_etag_that_is_a_digest_is_evidence(
    encryption: str, etag: str, kind: EvidenceKind, parts: int
) -> None:
    """One piece gives an MD5, several give a digest of digests; in hexadecimal."""
    (only,) = ladder(facts(etag, encryption=encryption), ALL).rungs

    assert (only.kind, only.parts, only.decisive) == (kind, parts, True)
    assert only.algorithm == "MD5"
    assert only.text(bytes.fromhex(MD5)) == only.expected == etag


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"encryption": "aws:kms"}, "aws:kms"),
        ({"encryption": "aws:kms:dsse"}, "dsse"),
        ({"encryption": "aws:fsx"}, "aws:fsx"),
        ({"encryption": "to come"}, "to come"),
        ({"customer_key": True}, "SSE-C"),
        ({"bucket": "b--use1-az4--x-s3"}, "directory bucket"),
        ({"bucket": "ap--use1-az4--xa-s3"}, "directory bucket"),
    ],
)
@pytest.mark.parametrize("etag", [MD5, MULTIPART])
def test_what_hides_the_etag_does_not_hide_the_checksum(
    more: dict[str, Any], reason: str, etag: str
) -> None:
    """Only plain and SSE-S3 objects of general-purpose buckets have MD5s for ETags."""
    told = Checksum("CRC32", of_length("CRC32"), "FULL_OBJECT")

    bare = ladder(facts(etag, **more), ALL)
    found = ladder(facts(etag, checksums=(told,), **more), ALL)

    assert bare.rungs == ()
    assert reason in bare.reason
    assert [one.kind for one in found.rungs] == ["crc32"]


@pytest.mark.parametrize(
    "etag",
    [
        "",
        MD5.upper(),
        MD5[:-1],
        f"{MD5}0",
        f"{MD5}-0",
        f"{MD5}-",
        f"{MD5}-01",
        f"{MD5}-100000",
        f"{MD5}-3-3",
        f"{MD5}\n",
        f'"{MD5}"',
        f"W/{MD5}",
    ],
)
def test_an_etag_of_another_form_is_no_evidence(etag: str) -> None:
    """The reason quotes it; a listing with it proves nothing either."""
    found = ladder(facts(etag), ALL)

    assert found.rungs == ()
    assert repr(etag) in found.reason
    assert listed_evidence(facts(etag)) is None


def test_a_listing_proves_only_equality() -> None:
    """It does not tell the encryption, and an ETag of parts needs their sizes."""
    found = listed_evidence(facts(MD5))

    assert found == Evidence(ETAG_MD5, "MD5", MD5, decisive=False)
    assert listed_evidence(facts(MULTIPART)) is None


# --- what others say ------------------------------------------------------------

IN_BASE64 = base64.b64encode(bytes.fromhex(MD5)).decode()


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({"md5chksum": IN_BASE64, "mtime": "1.5"}, "rclone"),
        ({"s3cmd-attrs": f"atime:1/gid:0/md5:{MD5}/mode:33188/uid:0"}, "s3cmd"),
        ({"s3cmd-attrs": f"md5:{MD5}"}, "s3cmd"),
        ({"s3cmd-attrs": f"uid:0/md5:{MD5.upper()}"}, "s3cmd"),
        ({"s3cmd-attrs": f"md5:{'0' * 32}", "md5chksum": IN_BASE64}, "rclone"),
        ({"s3cmd-attrs": f"md5:{MD5}", "md5": "0" * 32}, "s3cmd"),
        (
            {"s3cmd-attrs": f"md5:{'0' * 32}", "s3tools-gpgenc": "1", "md5": MD5},
            "s4cmd",
        ),
        ({"md5": MD5}, "s4cmd"),
        ({"md5": MD5.upper()}, "s4cmd"),
        ({"md5chksum": "odd", "md5": MD5}, "s4cmd"),
        ({"md5chksum": IN_BASE64, "md5": "0" * 32}, "rclone"),
    ],
)
def test_an_uploaders_md5_is_a_claim(metadata: dict[str, str], tool: str) -> None:
    """Told as such, below S3's own word, and refused where proof must be strong."""
    told = facts(MULTIPART, metadata=metadata)

    etag, claim = ladder(told, ALL).rungs

    assert etag.kind == ETAG_MULTIPART
    assert (claim.kind, claim.expected, claim.parts) == (METADATA_MD5, MD5, 0)
    assert claim.text(bytes.fromhex(MD5)) == MD5
    assert tool in claim.whose
    assert claim.decisive == (tool != "s4cmd")  # its name is used for other things
    strong = ladder(told, ALL, strong=True)
    assert [one.kind for one in strong.rungs] == [ETAG_MULTIPART]
    assert tool in strong.reason


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"md5": ""},
        {"md5": "not an md5"},
        {"md5chksum": base64.b64encode(b"short").decode()},
        {"md5chksum": "ä"},
        {"s3cmd-attrs": f"uid:0/sha1:{MD5}"},
        {"s3cmd-attrs": "md5:"},
        {"s3cmd-attrs": MD5},
        {"md5chksum": f" {IN_BASE64}"},
        {"md5chksum": f"{IN_BASE64}\n"},
        {"s3cmd-attrs": f"md5:{MD5}", "s3tools-gpgenc": "1"},
    ],
)
def test_other_metadata_claim_nothing(metadata: dict[str, str]) -> None:
    """Neither a rung nor an error."""
    assert len(ladder(facts(metadata=metadata), ALL).rungs) == 1


@given(st.text(max_size=40))
@SETTINGS
def test_a_logs_checksum_is_evidence_just_when_it_is_an_md5(text: str) -> None:
    """In capitals or not."""
    assert logged_md5(text) is None
    for written in (MD5, MD5.upper()):
        found = logged_md5(written)
        assert found
        assert (found.kind, found.expected) == (EXPORT_LOG, MD5)
        assert found.text(bytes.fromhex(MD5)) == MD5


@given(algorithms, algorithms)
@SETTINGS
def test_a_checksum_report_takes_its_place_among_the_checksums(
    algorithm: str, other: str
) -> None:
    """It is over the whole and named as such; the stronger of two comes first."""
    one = whole_checksum(algorithm, of_length(algorithm), "the checksum report")
    assert isinstance(one, Evidence)
    assert one.whose == "the checksum report"
    own = Checksum(other, of_length(other), "FULL_OBJECT")

    first, second, *_ = checked(own, witnesses=[one]).rungs

    assert {first.algorithm, second.algorithm} == {algorithm, other}
    assert (one in (first, second)) and (one.parts, one.decisive) == (0, True)
    if algorithm == other:
        assert first == one
    (alone, *_) = checked(own).rungs
    (reported, *_) = checked(witnesses=[one]).rungs
    assert {alone.algorithm, reported.algorithm} == {other, algorithm}
    assert isinstance(whole_checksum(algorithm, "%%%", "x"), NoEvidence)


@given(algorithms, st.integers(0, 80))
@SETTINGS
def test_a_checksum_of_another_length_is_none(algorithm: str, length: int) -> None:
    """A value that was cut off would call every file different."""
    value = base64.b64encode(bytes(length)).decode()

    found = whole_checksum(algorithm, value, "x")

    if length == LENGTHS[algorithm]:
        assert isinstance(found, Evidence)
    else:
        assert isinstance(found, NoEvidence)
        assert f"has {length} bytes" in found.reason or not length


# --- strong proof ---------------------------------------------------------------


@given(objects(), witnesses)
@SETTINGS
def test_strong_proof_is_the_ladder_without_the_weak_rungs(
    told: ObjectFacts, others: list[Evidence]
) -> None:
    """No 32-bit checksum, from whomever, no claim and no log; with the reason."""
    usual = ladder(told, ALL, witnesses=others)
    strong = ladder(told, ALL, strong=True, witnesses=others)

    others_word = (METADATA_MD5, EXPORT_LOG)
    weak = [
        one for one in usual.rungs if one.algorithm in WEAK or one.kind in others_word
    ]
    assert strong.rungs == tuple(one for one in usual.rungs if one not in weak)
    assert len(strong.reasons) == len(usual.reasons) + len(weak)
    if weak:
        assert "no strong proof" in strong.reason


# --- the sizes of the parts -----------------------------------------------------


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (PartFacts(5, 2), 5),
        (PartFacts(0, 2), 0),
        (PartFacts(10, None), "ignores"),
        (PartFacts(5, 3), "3 parts"),
        (PartFacts(5, 0), "0 parts"),
        (None, "does not tell"),
    ],
)
def test_a_part_is_trusted_if_it_knows_how_many_there_are(
    part: PartFacts | None, expected: int | str
) -> None:
    """An answer for the whole object is recognised."""
    found = trusted_part(part, 2)

    if isinstance(expected, int):
        assert found == expected
    else:
        assert isinstance(found, NoEvidence)
        assert expected in found.reason


@given(st.lists(st.integers(0, 20), max_size=5), st.integers(0, 60), st.integers(0, 5))
@SETTINGS
def test_sizes_are_trusted_just_when_they_fit(
    sizes: list[int], size_bytes: int, parts: int
) -> None:
    """As many as the suffix says, adding up to the object's size."""
    found = trusted_sizes(sizes, size_bytes, parts)

    if len(sizes) == parts and sum(sizes) == size_bytes:
        assert found == tuple(sizes)
    else:
        assert isinstance(found, NoEvidence)
        counts = f"names {len(sizes)} parts, the ETag {parts}"
        told = counts if len(sizes) != parts else "do not add up"
        assert told in found.reason
    assert trusted_sizes(sizes, sum(sizes), len(sizes)) == tuple(sizes)


@given(st.integers(0, 10**12), st.integers(1, 10_000), st.integers(0, 10**9))
@example(20, 3, 10)  # no uploader sends an empty last part
@example(0, 1, 0)
@SETTINGS
def test_uniform_parts_add_up(size: int, parts: int, first: int) -> None:
    """All as long as the first, but for a shorter last; or nothing."""
    sizes = uniform_parts(size, parts, first)

    if sizes is not None:
        assert sum(sizes) == size
        assert len(sizes) == parts
        assert set(sizes[:-1]) <= {first}
        assert 0 < sizes[-1] <= first


@given(st.integers(1, 10**9), st.integers(1, 2000), st.data())
@SETTINGS
def test_what_was_cut_evenly_is_found(
    first: int, parts: int, data: st.DataObject
) -> None:
    """From the first part's size alone; and by guessing where it is a common one."""
    last = data.draw(st.integers(1, first))
    common = data.draw(st.sampled_from(COMMON_PART_SIZES[:4]))
    least = min(last, common)

    assert uniform_parts(first * (parts - 1) + last, parts, first) == (
        *[first] * (parts - 1),
        last,
    )
    if parts > 60:  # of fewer parts, more common sizes fit than are tried
        cut = (*[common] * (parts - 1), least)
        assert cut in common_parts(sum(cut), parts)


@given(st.integers(0, 10**12), st.integers(1, 10_000))
@SETTINGS
def test_guesses_could_all_be_right(size: int, parts: int) -> None:
    """Each adds up, has the right number of parts, and is made once; at most six."""
    ways = common_parts(size, parts)

    assert len(ways) <= 6
    assert len(set(ways)) == len(ways)
    for sizes in ways:
        assert sum(sizes) == size
        assert len(sizes) == parts
        assert all(one == sizes[0] for one in sizes[:-1])
        assert sizes[-1] <= sizes[0]


@pytest.mark.parametrize("mib", [5, 8, 15, 16])
@pytest.mark.parametrize("parts", [2, 3, 10])
def test_the_commonest_cuts_are_always_guessed(mib: int, parts: int) -> None:
    """With a last part of any length: those of aws-cli, rclone, s3cmd."""
    first = mib << 20
    for last in (1, first // 2, first):
        cut = (*[first] * (parts - 1), last)
        assert cut in common_parts(sum(cut), parts)


MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "parts", "firsts"),
    [
        (1000, 2, [500]),  # halves
        (1001, 2, [501]),
        (1000, 1, [8 * MIB]),
        (3 * MIB + 5, 2, [2 * MIB, 1_572_867]),  # whole MiB, then halves
        (20 * MIB, 2, [16 * MIB, 15 * MIB, 10 * MIB]),
        (20 * MIB, 3, [8 * MIB, 7 * MIB, 6_990_507]),
        (1200 * MIB, 100, [12 * MIB]),
        (500 * MIB, 5, [100 * MIB]),
        (500 * MIB, 4, [128 * MIB, 125 * MIB]),
        (40 * MIB, 2, [32 * MIB, 25 * MIB, 20 * MIB]),
    ],
)
def test_guesses_come_in_order(size: int, parts: int, firsts: list[int]) -> None:
    """The cuts of common uploaders, then in whole MiB, then in equal parts."""
    assert common_parts(size, parts) == tuple(
        (*[first] * (parts - 1), size - first * (parts - 1)) for first in firsts
    )


@given(objects(), st.lists(st.integers(0, 50), min_size=3, max_size=3))
@SETTINGS
def test_sizes_make_a_rung_ready(told: ObjectFacts, sizes: list[int]) -> None:
    """A guess at them decides nothing; the recipe has them."""
    for one in ladder(told, ALL).rungs:
        if one.parts == 3:
            known, guess = one.of_parts(sizes), one.of_parts(sizes, decisive=False)
            assert known.ready and guess.ready and not one.ready
            assert known.decisive and not guess.decisive
            assert known.recipe == guess.recipe
            assert known.recipe.part_sizes == tuple(sizes)
            assert known.recipe.algorithm == one.algorithm


# --- particular cases -------------------------------------------------------------


def test_a_checksum_report_is_named_as_the_one_who_says_it() -> None:
    """The finding tells whose word it is."""
    found = whole_checksum("SHA256", of_length("SHA256"), "the checksum report")

    assert isinstance(found, Evidence)
    assert (found.whose, found.parts, found.decisive) == (
        "the checksum report",
        0,
        True,
    )
    (own, _) = checked(Checksum("SHA256", of_length("SHA256"), "FULL_OBJECT")).rungs
    assert own.whose == ""


def test_base64_with_anything_else_in_it_is_no_value() -> None:
    """Decoders that pass it over would compare with another digest."""
    value = of_length("CRC64NVME")
    for odd in (f"{value[:3]}!{value[3:]}", f" {value}", f"{value}\n"):
        told = checked(Checksum("CRC64NVME", odd, "FULL_OBJECT"))
        assert [one.kind for one in told.rungs] == [ETAG_MD5]
        assert "is not base64" in told.reason
    md5 = base64.b64encode(bytes.fromhex(MD5)).decode()
    assert ladder(facts("odd", metadata={"md5chksum": md5}), ALL).rungs
    odd = f"{md5[:3]}!{md5[3:]}"
    assert not ladder(facts("odd", metadata={"md5chksum": odd}), ALL).rungs


def test_an_algorithm_that_is_new_and_can_be_computed_is_taken_last() -> None:
    """Its length is not known here, and whatever it is will do."""
    new = Checksum("BLAKE9", base64.b64encode(b"any length").decode(), "FULL_OBJECT")
    known = Checksum("CRC32", of_length("CRC32"), "FULL_OBJECT")

    rungs = ladder(facts(checksums=(new, known)), {*ALL, "BLAKE9"}).rungs

    assert [one.kind for one in rungs] == ["crc32", "blake9", ETAG_MD5]


def test_what_s3cmd_encrypted_has_no_claim() -> None:
    """It may have told the MD5 of the text before it was encrypted."""
    attributes = {"s3cmd-attrs": f"atime:1/md5:{MD5}/uid:0"}

    assert [one.whose for one in ladder(facts("odd", metadata=attributes), ALL).rungs]
    encrypted = {**attributes, "s3tools-gpgenc": "gpg"}
    assert not ladder(facts("odd", metadata=encrypted), ALL).rungs


def test_no_part_is_empty() -> None:
    """The last one may be shorter, or as long as the others."""
    assert uniform_parts(0, 1, 0) is None
    assert uniform_parts(0, 2, 0) is None
    assert uniform_parts(4, 2, 2) == (2, 2)
    assert uniform_parts(2, 2, 2) is None


def test_parts_of_equal_whole_mebibytes_are_among_the_guesses() -> None:
    """For uploaders that make so many parts, whatever the size."""
    mib = 1 << 20

    ways = common_parts(61 * mib + 1, 2)

    assert (31 * mib, 30 * mib + 1) in ways
    assert (30 * mib + mib // 2 + 1, 30 * mib + mib // 2) in ways


def test_part_sizes_that_cannot_be_are_named() -> None:
    """How many there are, or that they do not add up."""
    many = trusted_sizes((1, 1, 1), 3, 2)
    other = trusted_sizes((1, 1), 3, 2)

    assert isinstance(many, NoEvidence)
    assert many.reason == "the server names 3 parts, the ETag 2"
    assert isinstance(other, NoEvidence)
    assert "do not add up" in other.reason


def test_the_reason_names_how_an_object_is_encrypted() -> None:
    """It is what an operator is told of a file that cannot be verified."""
    for more, said in (
        ({"customer_key": True}, "a customer's key (SSE-C)"),
        ({"encryption": "aws:kms"}, "aws:kms"),
        ({"encryption": "aws:kms:dsse"}, "aws:kms:dsse"),
    ):
        assert said in ladder(facts(**more), ALL).reason
