"""Partition tables, logs and reports: small things that come from elsewhere."""

import io
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from fuzz.mutations import Edit, Field, field_edits, text_edits
from fuzz.targets import Target
from s3export.adapters.gpt import primary_partitions
from s3export.adapters.reports.documents import findings_sha256, history_document
from s3export.adapters.reports.past_runs import past_run
from s3export.adapters.reports.reading import earlier_run, unverifiable_objects
from s3export.domain.backup_layout import Source, Substitution, TreePath
from s3export.domain.checksum_report import batch_manifest, parse_checksum_report
from s3export.domain.errors import InputRefused
from s3export.domain.export_log import parse_export_log, write_export_log
from s3export.domain.history import history
from s3export.domain.load_selection import LoadSelection
from s3export.domain.sampling import Draw
from s3export.entrypoints.cli.history_wording import history_lines

_GPT_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")


class PartitionTables(Target):
    """Primary GPTs, mostly with checksums that are right."""

    name = "gpt"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        return {f"gpt-{sector}": _gpt(sector) for sector in (512, 4096)}

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        sector = int(base.removeprefix("gpt-"))
        sizes = (8, 4, 4, 4, 4, 8, 8, 8, 8, 16, 8, 4, 4, 4)
        header, at = [], sector
        for size in sizes:
            header.append(Field(at, size))
            at += size
        entries = [
            Field(2 * sector + number * 128 + place, 8)
            for number in range(4)
            for place in (0, 8, 16, 24, 32, 40, 48)
        ]
        numbers = [header[9 + n] for n in (1, 2, 3)]
        fields = {"header": header, "table": numbers, "entry": entries}
        return field_edits(data, fields, chance, "little")

    def read(self, data: bytes) -> None:
        image = bytearray(data)
        for sector in (512, 4096):
            if image[-1] % 8:
                _repair_gpt(image, sector)
        with tempfile.NamedTemporaryFile() as file:
            file.write(image)
            file.flush()
            for part in primary_partitions(file.name):
                assert 0 <= part.offset < part.offset + part.size <= len(image)


def _gpt(sector: int) -> bytes:
    """Make a disk of 64 sectors, with two partitions; its last byte asks for repair."""
    image = bytearray(64 * sector)
    for number in range(2):
        struct.pack_into(
            "<16s16sQQQ72s", image, 2 * sector + 128 * number,
            b"k" * 16, b"u" * 16, 40 + 10 * number, 49 + 10 * number, 0, b"",
        )  # fmt: skip
    _GPT_HEADER.pack_into(
        image, sector, b"EFI PART", b"\0\0\1\0", 92, 0, 0, 1, 63, 34, 62, b"g" * 16,
        2, 8, 128, 0,
    )  # fmt: skip
    _repair_gpt(image, sector)
    image[-1] = 1
    return bytes(image)


def _repair_gpt(image: bytearray, sector: int) -> None:
    if image[sector : sector + 8] != b"EFI PART":
        return
    lba, count, size = struct.unpack_from("<QII", image, sector + 72)
    table = image[lba * sector : lba * sector + count * size]
    struct.pack_into("<I", image, sector + 88, zlib.crc32(table))
    image[sector + 16 : sector + 20] = bytes(4)
    crc = zlib.crc32(image[sector : sector + 92])
    struct.pack_into("<I", image, sector + 16, crc)


_WORDS = [
    *(bytes([c]) for c in b"\0\r\n\t\"'\\,;|/: {}[]-+.0"), b"\xff", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"null", b"true", b"NaN", b"Infinity",
    b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"[" * 900, b"]" * 900, b'{"a":' * 300,
    b"}" * 300, b"\xd9\xa3", b"\xe2\x80\xa8", b"..", b"\\x2f", b"\\x00", b"%00",
    b"%ed%a0%80",
    b"+9999", b"-2400", b"99:99:99", b"PST", b"0000", b"10000", b"Feb 30", b"T24:00",
    b"\"\"", b"DateTime,File,Status,Code,Key,Checksum\n", b"Key", b"Status", b"200",
]  # fmt: skip


class ExportLogs(Target):
    """What the loading facility writes, and what it might."""

    name = "export-log"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        rows = (
            "Wed Nov 12 11:07:34 PST 2008,/b/key one,200,OK,/b/key one,"
            "d41d8cd98f00b204e9800998ecf8427e",
            "2026-01-02T03:04:05Z,,404,NoSuchKey,/b/gone,",
            '"Fri, 02 Jan 2026 03:04:05 +0100",/b/q\\x22,200,,"/b/q""",',
            "2026-01-02 03:04:05,/EXPORT-RECOVERY/0000/0000,200,OK,/b/a//b,00",
        )
        header = "DateTime,File,Status,Code,Key,Checksum"
        text = "\r\n".join((header, *rows))
        return {
            "csv": text.encode(),
            "plain": "\n".join(rows).encode(),
            "tabs": "\n".join(rows).replace(",", "\t").encode(),
            "bars": text.replace(",", "|").encode("utf-8-sig"),
        }

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        return text_edits(data, _WORDS, chance)

    def read(self, data: bytes) -> None:
        log = parse_export_log(data, "the log")
        assert log.newest is None or log.newest.tzinfo
        for entry in log.entries:
            "".join((entry.bucket, entry.key, entry.code, entry.md5)).encode()
        parse_export_log(write_export_log(log.entries), "its copy")


class Selections(Target):
    """What a disk says was loaded onto it."""

    name = "selection"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        source = Source(
            "b", TreePath(b"b/\xff"), "p/", "p/a", "p/\u00fc", (Substitution("a", "b"),)
        )
        return {"two": LoadSelection("LOAD1", (source, source)).to_json()}

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        if chance.random() < 0.7:
            return [_other_value(data, chance)]
        return text_edits(data, _WORDS, chance)

    def read(self, data: bytes) -> None:
        found = LoadSelection.from_json(data, "the selection")
        assert LoadSelection.from_json(found.to_json(), "its copy") == found
        assert found.layout.root is not None


class ChecksumReports(Target):
    """Completion reports of S3 Batch Operations."""

    name = "checksum-report"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        said = {
            "checksum_base64": "AAAAAA==",
            "etag": "d41d8cd98f00b204e9800998ecf8427e",
            "checksumAlgorithm": "CRC32",
            "checksumType": "FULL_OBJECT",
        }
        quoted = json.dumps(said).replace('"', '""')
        line = f'b,some/key+one%2F,,succeeded,200,,"{quoted}"\n'
        failed = "b,other,,failed,403,AccessDenied,no\n"
        header = (
            "Bucket,Key,VersionId,TaskStatus,ErrorCode,HTTPStatusCode,ResultMessage\n"
        )
        return {"report": (header + line + failed).encode(), "bare": line.encode()}

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        return text_edits(data, _WORDS, chance)

    def read(self, data: bytes) -> None:
        found = parse_checksum_report(data, "the report")
        for name, computed in found.items():
            name.key.encode()
            computed.etag.encode("utf-8", "surrogatepass")
        batch_manifest(found)


class Reports(Target):
    """Reports of verifications, to go on from and to make a remedy of."""

    name = "report-json"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        finding = {
            "path": "b/one", "bucket": "b", "key": "one", "outcome": "unverifiable",
            "critical": False, "evidence": "", "expected": "", "actual": "",
            "size_bytes": 5, "detail": "no evidence",
        }  # fmt: skip
        document = {
            "schema": "s3export/verification-report/1",
            "device": {"path": "/dev/sdx", "serial": "S1", "size_bytes": 1 << 40},
            "root": "/",
            "sample": {"seed": "seed", "requested": 100},
            "required_evidence": "any",
            "sources": [
                {"bucket": "b", "prefix": "", "begin_marker": None, "end_marker": None}
            ],
            "started_at": "2026-01-02T03:04:05Z",
            "verified_fingerprints": "AAAAAAAAAAE=",
            "findings": [finding, {**finding, "outcome": "match"}],
        }
        return {
            "compact": json.dumps(document).encode(),
            "indented": json.dumps(document, indent=2).encode("utf-16"),
        }

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        edits = text_edits(data, _WORDS, chance)
        if base == "compact" and chance.random() < 0.7:
            edits.append(_other_value(data, chance))
            if chance.random() < 0.7:
                return edits[-1:]
        return edits

    def read(self, data: bytes) -> None:
        descriptor, path = tempfile.mkstemp()
        with io.FileIO(descriptor, "wb") as file:
            file.write(data)
        try:
            _read_report(path)
        finally:
            os.unlink(path)  # noqa: PTH108


class PastRuns(Reports):
    """Reports of verifications, for the history of a backup."""

    name = "report-history"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        findings = [{"path": "b/one", "outcome": "changed_since_export"}]
        document = {
            "schema": "s3export/verification-report/1",
            "verdict": "verified",
            "cut_short": None,
            "device": {"path": "/dev/sdx", "serial": "S1", "size_bytes": 1 << 40},
            "container": {"kind": "truecrypt", "path": "A.tc"},
            "root": "/",
            "sources": [
                {"bucket": "b", "prefix": "", "begin_marker": None, "end_marker": None}
            ],
            "sample": {
                "seed": "seed", "drawn": 10, "compared": 10, "population": 50,
                "population_bytes": 500,
            },
            "required_evidence": "any",
            "completeness": {"missing_from_source": 2},
            "counts": {
                "match": 7, "mismatch": 0, "changed_since_export": 1,
                "missing_from_source": 2, "missing_from_backup": 0, "unverifiable": 0,
                "unreadable": 0,
            },
            "confidence": {
                "level": 0.95, "max_differing_files": 26,
                "max_differing_fraction": 0.52,
            },
            "profile": {
                "population": {
                    "files_by_size_up_to": {"15": 50},
                    "files_by_year_modified": {"2025": 50},
                }
            },
            "findings": findings,
            "findings_sha256": findings_sha256(findings),
            "started_at": "2026-01-02T03:04:05Z",
        }  # fmt: skip
        return {
            "compact": json.dumps(document).encode(),
            "indented": json.dumps(document, indent=2).encode("utf-16"),
        }

    def read(self, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "report.json")
            path.write_bytes(data)
            run = past_run(str(path))
        again = replace(run, seed="another", report="again.json")
        for runs in ([run], [run, again]):
            parts = history(runs, 0.95, datetime(2025, 6, 1, tzinfo=UTC))
            for line in history_lines(parts):
                line.encode()
            json.dumps(history_document(parts))


def _read_report(path: str) -> None:
    """Use what is read as a verification does."""
    with suppress(InputRefused):
        batch_manifest(unverifiable_objects(path)).encode()
    earlier = earlier_run(path)
    assert earlier.started_at.timestamp()
    assert earlier.started_at.tzinfo, "a time without a zone cannot be compared"
    Draw(earlier.seed, 1)


def _other_value(data: bytes, chance: Random) -> Edit:
    """Put another value of JSON in the place of one."""
    starts = [at + 2 for at in range(len(data)) if data[at : at + 2] == b": "]
    start = chance.choice(starts)
    decoder = json.JSONDecoder()
    _, length = decoder.raw_decode(data[start:].decode())
    value = chance.choice(
        [
            b"null", b"true", b"false", b"0", b"-1", b"1e999", b"NaN", b"1.5", b'""',
            b"[]", b"{}", b"[[]]", b"[null]", b"[{}]", b'{"a": 1}', b'"\\ud800"',
            b'"\\u0000"', b"9" * 300, b"[" * 900 + b"]" * 900, b'"a"', b'"AAA="',
            b'"2026-01-02"', b'"2026-01-02T03:04:05"', b'"0001-01-01T00:00:00+14:00"',
        ]
    )  # fmt: skip
    return Edit(start, length, value)
