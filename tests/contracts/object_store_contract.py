"""What every `ObjectStore` does."""

from collections.abc import Sequence
from typing import Protocol

import pytest

from s3export.domain.errors import NoSuchBucket, NoSuchObject, ObjectChanged
from s3export.domain.evidence import PartFacts
from s3export.domain.ports import ObjectBody, ObjectStore

MIB = 1 << 20
BUCKET = "contract-bucket"
ODD_KEYS = (
    "plain",
    "with blank and 'quotes\"",
    "Größe/日本",
    "a#b?c=d&e",
    "%2F",
    "trailing/",
    "/leading",
    "double//slash",
    "up/../away",
    "../above",
    "a/./b",
    "/",
    "a+b",
    "100%",
    "%zz;x=1",
    " blank at both ends ",
    "semi;colon:and,comma@home!$*()[]{}|~^`<>\\",
    "e\u0301 and \u00e9",
    "\U0001f4be",
    "\x7f",
    "tab\tkey",
    "x" * 255,
)


def all_of(body: ObjectBody) -> bytes:
    """Read a body to its end, in odd steps."""
    buffer = bytearray(700)
    found = b""
    while got := body.readinto(buffer):
        found += buffer[:got]
    return found


class Arranged(Protocol):
    """A store under test with the bucket ``BUCKET``, and a way to put objects in it."""

    store: ObjectStore

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None: ...


class ObjectStoreContract:
    """Subclass it with a fixture ``arranged``."""

    def test_a_missing_object_is_none(self, arranged: Arranged) -> None:
        """``head`` of a key that is not there gives None."""
        assert arranged.store.head(BUCKET, "not-there") is None

    def test_a_missing_bucket_is_an_error(self, arranged: Arranged) -> None:
        """``check_bucket`` and listing name the bucket that is not there."""
        arranged.store.check_bucket(BUCKET)
        with pytest.raises(NoSuchBucket, match="no-such-bucket"):
            arranged.store.check_bucket("no-such-bucket")
        with pytest.raises(NoSuchBucket, match="no-such-bucket"):
            list(arranged.store.list_objects("no-such-bucket"))
        with pytest.raises(NoSuchBucket, match="no-such-bucket"):
            list(arranged.store.list_unordered("no-such-bucket", at_once=4))

    def test_a_buckets_region_is_told(self, arranged: Arranged) -> None:
        """Of a bucket that is there."""
        assert arranged.store.region(BUCKET) == "us-east-1"
        with pytest.raises(NoSuchBucket, match="no-such-bucket"):
            arranged.store.region("no-such-bucket")

    def test_looking_whether_a_key_can_be_written_writes_nothing(
        self, arranged: Arranged
    ) -> None:
        """Neither a new object nor another content of an old one."""
        arranged.put("old", b"old")

        arranged.store.check_writable(BUCKET, "old")
        arranged.store.check_writable(BUCKET, "new/object")

        assert [f.key for f in arranged.store.list_objects(BUCKET)] == ["old"]
        assert b"".join(arranged.store.read(BUCKET, "old")) == b"old"
        with pytest.raises(NoSuchBucket):
            arranged.store.check_writable("no-such-bucket", "x")

    def test_a_single_part_object_has_its_md5_as_etag(self, arranged: Arranged) -> None:
        """Size and unquoted ETag are those of the content."""
        arranged.put("hello", b"hello")

        facts = arranged.store.head(BUCKET, "hello")

        assert facts is not None
        assert (facts.bucket, facts.key, facts.size_bytes) == (BUCKET, "hello", 5)
        assert facts.etag == "5d41402abc4b2a76b9719d911017c592"
        assert facts.modified_at.tzinfo is not None
        assert not facts.customer_key

    @pytest.mark.parametrize("sizes", [(5 * MIB, 5 * MIB, 7), (5 * MIB, 6 * MIB, 1)])
    def test_parts_tell_their_sizes_and_number(
        self, arranged: Arranged, sizes: tuple[int, ...]
    ) -> None:
        """Even and uneven parts are told one by one; the ETag ends in their number."""
        arranged.put("parts", bytes(sum(sizes)), sizes)

        facts = arranged.store.head(BUCKET, "parts")
        told = [
            arranged.store.part(BUCKET, "parts", n) for n in range(1, len(sizes) + 1)
        ]

        assert facts is not None
        assert facts.etag.endswith(f"-{len(sizes)}")
        assert facts.size_bytes == sum(sizes)
        assert told == [PartFacts(size, len(sizes)) for size in sizes]

    def test_a_missing_object_has_no_parts(self, arranged: Arranged) -> None:
        """Nothing is told of a part of nothing."""
        assert arranged.store.part(BUCKET, "not-there", 1) is None

    def test_without_a_composite_checksum_there_is_no_list_of_parts(
        self, arranged: Arranged
    ) -> None:
        """Neither of a single-part object, nor of a multipart one, nor of nothing."""
        arranged.put("single", b"x")
        arranged.put("parts", bytes(5 * MIB + 1), (5 * MIB, 1))

        for key in ("single", "parts", "not-there"):
            assert arranged.store.part_sizes(BUCKET, key) is None

    def test_without_versions_the_object_is_its_only_one(
        self, arranged: Arranged
    ) -> None:
        """Its id is null; other keys that begin like it are not meant."""
        arranged.put("a", b"x")
        arranged.put("ab", b"y")
        facts = arranged.store.head(BUCKET, "a")
        assert facts is not None

        versions = arranged.store.versions(BUCKET, "a")

        assert [(v.version_id, v.deleted) for v in versions] == [("null", False)]
        assert versions[0].modified_at.replace(microsecond=0) == facts.modified_at
        assert arranged.store.versions(BUCKET, "not-there") == ()

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_keys_of_every_kind_are_found_and_read(
        self, arranged: Arranged, key: str
    ) -> None:
        """A key goes out and comes back as it is, whatever is in it."""
        arranged.put(key, key.encode())

        facts = arranged.store.head(BUCKET, key)

        assert facts is not None and facts.key == key
        assert b"".join(arranged.store.read(BUCKET, key)) == key.encode()

    def test_listing_is_in_the_order_of_the_bytes(self, arranged: Arranged) -> None:
        """Every key once, sorted by UTF-8, size and ETag as of ``head``."""
        for key in ODD_KEYS:
            arranged.put(key, key.encode())

        listed = list(arranged.store.list_objects(BUCKET))

        assert [facts.key for facts in listed] == sorted(
            ODD_KEYS, key=lambda key: key.encode()
        )
        for facts in listed:
            head = arranged.store.head(BUCKET, facts.key)
            assert head is not None
            assert (facts.size_bytes, facts.etag) == (head.size_bytes, head.etag)

    def test_listing_keeps_to_prefix_and_marker(self, arranged: Arranged) -> None:
        """The prefix is a beginning, the marker is exclusive."""
        for key in ("a", "b/1", "b/2", "b/3", "c"):
            arranged.put(key, b"")

        listed = arranged.store.list_objects(BUCKET, prefix="b/", after="b/1")

        assert [facts.key for facts in listed] == ["b/2", "b/3"]

    @pytest.mark.parametrize("at_once", [1, 4])
    def test_listing_in_no_order_is_the_same_listing(
        self, arranged: Arranged, at_once: int
    ) -> None:
        """Every key once; what fits in one page costs one request."""
        for key in ODD_KEYS:
            arranged.put(key, key.encode())
        before = arranged.store.requests().get("LIST", 0)

        found = list(arranged.store.list_unordered(BUCKET, at_once=at_once))

        assert arranged.store.requests()["LIST"] - before == 1
        assert sorted(found, key=lambda facts: facts.key) == list(
            arranged.store.list_objects(BUCKET)
        )

    @pytest.mark.parametrize(
        ("after", "up_to", "keys"),
        [
            ("", "", {"b/1", "b/2", "b/3"}),
            ("b/1", "", {"b/2", "b/3"}),
            ("b/1", "b/2", {"b/2"}),
            ("a", "b/2!", {"b/1", "b/2"}),
            ("b/3", "b/3", set()),
            ("c", "b", set()),
        ],
    )
    def test_listing_in_no_order_keeps_to_prefix_and_bounds(
        self, arranged: Arranged, after: str, up_to: str, keys: set[str]
    ) -> None:
        """The first bound is exclusive, the last inclusive; neither need be a key."""
        for key in ("a", "b/1", "b/2", "b/3", "c"):
            arranged.put(key, b"")

        listed = arranged.store.list_unordered(
            BUCKET, prefix="b/", after=after, up_to=up_to, at_once=4
        )

        assert {facts.key for facts in listed} == keys

    def test_a_listing_may_be_left_early(self, arranged: Arranged) -> None:
        """The store is as good as before."""
        for key in ("a", "b", "c"):
            arranged.put(key, b"")
        listing = arranged.store.list_unordered(BUCKET, at_once=4)

        next(listing)
        listing.close()

        assert len(list(arranged.store.list_objects(BUCKET))) == 3

    def test_reading_what_is_not_there_is_an_error(self, arranged: Arranged) -> None:
        """The error comes with the first chunk and names the object."""
        with pytest.raises(NoSuchObject, match=f"s3://{BUCKET}/not-there"):
            next(iter(arranged.store.read(BUCKET, "not-there")))

    def test_what_is_written_can_be_read(self, arranged: Arranged) -> None:
        """``write`` stores an object and replaces one of the same key."""
        arranged.store.write(BUCKET, "log", b"first")
        arranged.store.write(BUCKET, "log", b"second")

        assert b"".join(arranged.store.read(BUCKET, "log")) == b"second"

    def test_requests_and_downloads_are_counted(self, arranged: Arranged) -> None:
        """By kind; metadata costs no download."""
        arranged.put("a", b"12345")
        before = dict(arranged.store.requests())

        arranged.store.head(BUCKET, "a")
        arranged.store.head(BUCKET, "b")
        list(arranged.store.list_objects(BUCKET))
        assert arranged.store.bytes_downloaded() == 0
        b"".join(arranged.store.read(BUCKET, "a"))

        after = arranged.store.requests()
        grown = {kind: after[kind] - before.get(kind, 0) for kind in after}
        assert (grown["HEAD"], grown["LIST"], grown["GET"]) == (2, 1, 1)
        assert arranged.store.bytes_downloaded() == 5

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_an_opened_object_is_that_of_the_key(
        self, arranged: Arranged, key: str
    ) -> None:
        """Byte for byte, with the facts that a head tells; no key is normalised."""
        arranged.put(key, key.encode() * 50)

        with arranged.store.open(BUCKET, key) as body:
            content = all_of(body)
            facts = body.facts

        head = arranged.store.head(BUCKET, key)
        assert content == key.encode() * 50
        assert head is not None
        assert (facts.size_bytes, facts.etag) == (head.size_bytes, head.etag)
        assert facts.modified_at == head.modified_at

    def test_of_many_objects_each_is_its_own(self, arranged: Arranged) -> None:
        """Large and small, one by one and two at once, read to the end or not."""
        bodies = {f"{size}": bytes([size % 251]) * size for size in (0, 1, 9, 99_999)}
        bodies["large"] = bytes(range(256)) * 8192
        for key, content in bodies.items():
            arranged.put(key, content)
        before = arranged.store.bytes_downloaded()

        for key, content in (*bodies.items(), *reversed(bodies.items())):
            with (
                arranged.store.open(BUCKET, key) as body,
                arranged.store.open(BUCKET, "large", start=7, length=2) as other,
            ):
                assert all_of(other) == b"\x07\x08"
                assert all_of(body) == content
            with arranged.store.open(BUCKET, "large") as begun:
                begun.readinto(bytearray(1))

        read = 2 * sum(len(content) + 3 for content in bodies.values())
        assert arranged.store.bytes_downloaded() - before == read

    def test_bytes_fill_what_they_are_given(self, arranged: Arranged) -> None:
        """A piece of memory is filled from its start, and no further than it goes."""
        arranged.put("a", b"12345678")
        memory = bytearray(b"........")

        with arranged.store.open(BUCKET, "a") as body:
            room, filled = memoryview(memory)[2:5], 0
            while filled < 3:
                filled += body.readinto(room[filled:])

        assert memory == b"..123..."

    def test_an_empty_object_has_no_bytes(self, arranged: Arranged) -> None:
        """Its first reading is its end."""
        arranged.put("empty", b"")

        with arranged.store.open(BUCKET, "empty") as body:
            assert body.readinto(bytearray(10)) == 0
            assert body.facts.size_bytes == 0

    def test_a_range_is_a_piece_of_the_object(self, arranged: Arranged) -> None:
        """The facts are those of the whole."""
        arranged.put("a", bytes(range(200)))

        for start, length, piece in (
            (0, 10, bytes(range(10))),
            (50, 7, bytes(range(50, 57))),
            (190, None, bytes(range(190, 200))),
        ):
            with arranged.store.open(BUCKET, "a", start=start, length=length) as body:
                assert all_of(body) == piece
                assert body.facts.size_bytes == 200

    def test_what_was_asked_for_ahead_comes_in_any_order(
        self, arranged: Arranged
    ) -> None:
        """Each object with its facts; of one that is not there nothing comes."""
        bodies = {f"key {number}": b"%d" % number * 5000 for number in range(6)}
        for key, body in bodies.items():
            arranged.put(key, body)

        store = arranged.store
        asked = {key: store.ask_ahead(BUCKET, key) for key in [*bodies, "not-there"]}

        for key, body in reversed(bodies.items()):
            if one := asked[key]:
                with one.open() as found:
                    assert found is not None
                    assert all_of(found) == body
                    assert found.facts == store.head(BUCKET, key)
                one.close()
        if none := asked["not-there"]:
            with none.open() as found:
                assert found is None

    def test_what_was_asked_for_ahead_can_be_left(self, arranged: Arranged) -> None:
        """Unopened, or in the middle; what is asked for afterwards is not harmed."""
        arranged.put("key", b"x" * 70_000)

        for way in ("closed", "opened", "read"):
            asked = arranged.store.ask_ahead(BUCKET, "key")
            if asked and way != "closed":
                with asked.open() as body:
                    if body and way == "read":
                        body.readinto(bytearray(10))
            if asked:
                asked.close()
                asked.close()
            with arranged.store.open(BUCKET, "key") as body:
                assert all_of(body) == b"x" * 70_000

    def test_what_cannot_be_opened_is_an_error(self, arranged: Arranged) -> None:
        """What is not there, and what is not the same any more."""
        arranged.put("a", b"old")
        facts = arranged.store.head(BUCKET, "a")
        assert facts is not None
        arranged.put("a", b"new")

        with pytest.raises(NoSuchObject), arranged.store.open(BUCKET, "not-there"):
            pass
        with (
            pytest.raises(ObjectChanged),
            arranged.store.open(BUCKET, "a", if_match=facts.etag),
        ):
            pass

    def test_an_error_of_the_caller_is_passed_on(self, arranged: Arranged) -> None:
        """It is no error of S3."""
        arranged.put("a", b"12345")

        with (
            pytest.raises(ValueError, match="of the caller"),
            arranged.store.open(BUCKET, "a"),
        ):
            raise ValueError("of the caller")
