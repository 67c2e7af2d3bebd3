"""The benchmark of loading works; its figures are no matter of tests."""

import hashlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks import checking, memory
from benchmarks.fast_s3 import BUCKET, Objects, serving
from benchmarks.loading import HEADING, Runs, differences, table, with_section

PROJECT = Path(__file__).parents[2]
OBJECTS = Objects(250, 5_000)
ALONE = "s3export, LoadDevice"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(OBJECTS) as started:
        yield started


@pytest.fixture
def client(url: str) -> Any:
    config = Config(s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=url, config=config)


def write(root: Path, objects: Objects) -> None:
    for key, content in zip(objects.keys(), objects.contents(), strict=True):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.loop  # it mounts a new file system for each
def test_the_quick_benchmark_loads_and_compares() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "loading", "--quick"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|")[1:3] for line in done.stdout.splitlines() if "|" in line]
    ran = [name.strip() for name, runs in rows if runs.strip() == "1"]
    assert ran[0] == ALONE
    assert "aws s3 sync" in ran


def test_the_endpoint_lists_all_keys_in_pages(client: Any) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 99}
    )
    listed = [entry for page in pages for entry in page["Contents"]]
    assert [entry["Key"] for entry in listed] == OBJECTS.keys()
    assert {entry["Size"] for entry in listed} == {5_000}


def test_the_endpoint_lists_a_folder_after_a_key(client: Any) -> None:
    keys = OBJECTS.keys()
    answer = client.list_objects_v2(
        Bucket=BUCKET, Prefix="photos/0001/", StartAfter=keys[197]
    )
    assert [entry["Key"] for entry in answer["Contents"]] == keys[198:200]


def test_the_endpoint_lists_folders_in_pages(client: Any) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET,
        Prefix="photos/",
        Delimiter="/",
        PaginationConfig={"PageSize": 2},
    )
    folders = [e["Prefix"] for page in pages for e in page.get("CommonPrefixes", [])]
    assert folders == [f"photos/{number:04}/" for number in range(3)]


def test_the_endpoint_tells_the_md5_of_what_it_sends(client: Any) -> None:
    contents = set()
    for key in OBJECTS.keys()[:20]:
        answer = client.get_object(Bucket=BUCKET, Key=key)
        content = answer["Body"].read()
        assert answer["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
        assert client.head_object(Bucket=BUCKET, Key=key)["ETag"] == answer["ETag"]
        contents.add(content)
    assert len(contents) == 20


def test_the_endpoint_sends_ranges(client: Any) -> None:
    key, content = OBJECTS.keys()[7], list(OBJECTS.contents())[7]
    for asked, wanted in (
        ("bytes=0-9", content[:10]),
        ("bytes=4990-", content[4990:]),
        ("bytes=-3", content[-3:]),
        ("bytes=4000-9999", content[4000:]),
    ):
        answer = client.get_object(Bucket=BUCKET, Key=key, Range=asked)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["Body"].read() == wanted


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"Key": "none"}, 404),
        ({"Key": OBJECTS.keys()[0], "IfMatch": '"other"'}, 412),
        ({"Key": OBJECTS.keys()[0], "Range": "bytes=5000-"}, 416),
    ],
)
def test_the_endpoint_refuses(
    client: Any, request_: dict[str, str], status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket=BUCKET, **request_)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_tree_that_was_written_right_has_no_differences(tmp_path: Path) -> None:
    write(tmp_path, OBJECTS)
    assert differences(tmp_path, OBJECTS) == ""


def test_a_wrong_byte_and_missing_and_other_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, OBJECTS)
    keys = OBJECTS.keys()
    with (tmp_path / keys[3]).open("r+b") as file:
        file.write(b"wrong")
    assert keys[3] in differences(tmp_path, OBJECTS)
    (tmp_path / keys[4]).unlink()
    assert "249 files of 250" in differences(tmp_path, OBJECTS)
    (tmp_path / "zzz").touch()
    assert keys[5] in differences(tmp_path, OBJECTS)


def test_the_table_names_who_is_ahead_and_who_failed() -> None:
    results = {
        ALONE: Runs([2.0], [1.0], [50_000]),
        "quick": Runs([1.0], [1.0], [50_000], "1 files have wrong bytes"),
        "broken": Runs(trouble="ended with 1: no"),
    }
    text = "\n".join(table((OBJECTS, 0.03), results))
    assert "objects of 5 KB, 30 ms an answer" in text
    assert "loses to quick (2.00 times as fast)" in text
    assert "quick wrote something else: 1 files have wrong bytes" in text
    assert "broken ended with 1: no" in text


def test_each_program_in_the_checking_benchmark_does_its_work() -> None:
    """Small data, once: a program that fails would end it; each has a line."""
    lines = checking.main(quick=True)

    named = [line.split("|")[2].strip() for line in lines[2:]]
    assert named[0] == "s3export"
    assert "boto3 paginator" in named
    assert named.count("s3export") == 4
    assert [each for each in lines[2:] if each.split("|")[6].strip() == ""] == [
        line for line in lines[2:] if "| s3export |" in line
    ]


def test_the_benchmark_of_memory_verifies_what_is_made_up() -> None:
    """It fails unless all was looked at; the peak is that of a Python program."""
    *_, line = memory.main(quick=True)

    count, peak, *_ = [cell.strip() for cell in line.split("|")[1:]]
    assert count == "20,000"
    assert 20 < int(peak) < 400


def test_an_endpoint_answers_as_late_as_it_is_told() -> None:
    """Ten answers, one after the other, take ten delays at least."""
    with serving(Objects(3, 10), 0.05) as url:
        started = time.monotonic()
        for _ in range(10):
            with urllib.request.urlopen(f"{url}/{BUCKET}/{OBJECTS.keys()[0]}") as got:
                assert got.status == 200
        assert time.monotonic() - started >= 0.5


def test_only_the_section_about_loading_is_replaced() -> None:
    page = f"# B\n\nfirst\n\n{HEADING}\n\nold\n\n## Other\n\nlast\n"
    written = with_section(page, "new")
    assert written.startswith(f"# B\n\nfirst\n\n{HEADING}\n")
    assert written.endswith("new\n\n## Other\n\nlast\n")
    assert "old" not in written
    assert with_section(written, "new") == written
