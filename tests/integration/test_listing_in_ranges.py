"""Ranges of keys listed at once, over HTTP, against one page after the other."""

import random
import time
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from contracts.object_store_contract import BUCKET, ODD_KEYS
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored

from s3export.adapters.key_ranges import Asked
from s3export.adapters.lean_store import LeanS3Store
from s3export.adapters.range_listing import Page, RangeListing
from s3export.adapters.s3_store import S3Store
from s3export.domain import errors

DIRECTORY_BUCKET = "contract--use1-az4--x-s3"
EMPTY = Stored(b"")
DICE = random.Random(20260101)
KEYS = sorted(
    {
        *(f"photos/{n // 100:04}/{n:06}.bin" for n in range(4_000)),
        *(str(uuid.UUID(int=DICE.getrandbits(128))) for _ in range(2_000)),
        *(f"{ODD_KEYS[n % (len(ODD_KEYS) - 1)]}\x01{n:05}" for n in range(1_000)),
    }
)


@pytest.fixture
def aws() -> Iterator[AwsS3]:
    """Run a server for one test: what another one left under way asks that other's."""
    with AwsS3() as server:
        for bucket in (BUCKET, DIRECTORY_BUCKET):
            server.create_bucket(bucket)
            for key in KEYS:
                server.put(bucket, key, EMPTY)
        yield server


def as_over_a_long_line(listing: RangeListing, asked: Asked) -> tuple[Page, int]:
    """Ask for as many pages as may be, though this server answers at once."""
    return listing._ask(asked), listing._at_once


@pytest.fixture(params=["boto3", "lean"])
def store(
    request: pytest.FixtureRequest, aws: AwsS3, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "true")
    monkeypatch.setattr(RangeListing, "_measured", as_over_a_long_line)
    client = boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": 6},
            max_pool_connections=32,
        ),
    )
    if request.param == "boto3":
        return S3Store(client)
    held = Credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    return LeanS3Store(client, credentials=lambda: held)


def test_all_is_listed_as_one_page_after_the_other(store: S3Store, aws: AwsS3) -> None:
    """The same objects, with a fifth more requests, which are counted."""
    found = list(store.list_unordered(BUCKET, at_once=16))

    asked = len(aws.requests)
    assert sorted(found, key=lambda facts: facts.key) == list(
        store.list_objects(BUCKET)
    )
    assert len(found) == len(KEYS)
    assert asked <= len(KEYS) / 1000 * 1.5 + 4
    assert store.requests()["LIST"] == len(aws.requests)


def test_bounds_are_kept(store: S3Store, aws: AwsS3) -> None:
    """Nothing behind the last one is asked for."""
    after, up_to = "photos/0005", "photos/0031/x"

    found = store.list_unordered(
        BUCKET, prefix="photos/", after=after, up_to=up_to, at_once=8
    )

    assert sorted(facts.key for facts in found) == [
        key for key in KEYS if after < key <= up_to and key.startswith("photos/")
    ]
    assert len(aws.requests) <= 3 * 2 + 2


@pytest.mark.parametrize("how", ["ignores_start_after", "refuses_start_after"])
def test_a_server_without_start_after_is_listed_page_by_page(
    store: S3Store, aws: AwsS3, how: str
) -> None:
    """It is asked once or twice what it does not know."""
    setattr(aws, how, True)

    found = [facts.key for facts in store.list_unordered(BUCKET, at_once=16)]

    assert sorted(found) == KEYS
    assert len(aws.requests) <= len(KEYS) / 1000 + 4


def test_a_begin_that_is_ignored_is_kept_all_the_same(
    store: S3Store, aws: AwsS3
) -> None:
    """By whoever looks at the keys."""
    aws.ignores_start_after = True

    found = store.list_unordered(BUCKET, after="photos/0010", up_to="x", at_once=16)

    assert sorted(facts.key for facts in found) == [
        key for key in KEYS if "photos/0010" < key <= "x"
    ]


def test_a_directory_bucket_is_listed_page_by_page(store: S3Store, aws: AwsS3) -> None:
    """Without StartAfter, which it refuses."""
    aws.refuses_start_after = True

    found = store.list_unordered(DIRECTORY_BUCKET, after="a", up_to="p~", at_once=16)

    assert sorted(f.key for f in found) == [key for key in KEYS if "a" < key <= "p~"]
    assert not any("start-after=" in target for _, target in aws.requests)


def test_throttling_is_waited_out(store: S3Store, aws: AwsS3) -> None:
    """boto3 asks again, and nothing is left out."""
    listing = store.list_unordered(BUCKET, at_once=4)
    found = [next(listing) for _ in range(2001)]  # the second page was measured
    aws.throttle = 6

    found += listing

    assert sorted(facts.key for facts in found) == KEYS
    assert store.requests()["LIST"] == len(aws.requests)


def test_a_refusal_meanwhile_is_the_same_error(store: S3Store, aws: AwsS3) -> None:
    """As of one listing; the bucket is named."""
    listing = store.list_unordered(BUCKET, at_once=4)
    next(listing)
    aws.denies = {"ListObjectsV2"}
    try:
        with pytest.raises(errors.PermissionMissing, match=f"s3://{BUCKET}"):
            list(listing)
    finally:
        aws.denies = set()


def test_it_may_be_left_early(store: S3Store, aws: AwsS3) -> None:
    """The next listing is whole."""
    listing = store.list_unordered(BUCKET, at_once=16)
    next(listing)
    begun = time.monotonic()
    listing.close()

    assert time.monotonic() - begun < 3
    assert sum(1 for _ in store.list_unordered(BUCKET, at_once=16)) == len(KEYS)
