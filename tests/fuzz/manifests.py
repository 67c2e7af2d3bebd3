"""Manifests, as operators tear them: read by the product and by the service alike."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

from manifest_agreement import assert_agreement
from samples import CUSTOMS, MANIFEST, checked

from fuzz.mutations import Edit, text_edits
from fuzz.targets import Target
from s3export.adapters.yaml_manifests import LARGEST_MANIFEST_BYTES
from s3export.domain.masking import masked

SECRET = "S3cr3t-0f-m1ne"

_MOST_BRACKETS = 100  # which the emulated service reads slowly
_LONGEST = 50_000  # characters that both read in less than a second

_WORDS = [
    b": ", b":", b" ", b"\n", b"\r\n", b"\t", b"- ", b"#", b" #", b"'", b'"', b"\\",
    b"[", b"]", b"{", b"}", b",", b"&a ", b"*a", b"!!str ", b"!x ", b"|\n", b">-\n",
    b"---\n", b"...\n", b"%YAML 1.1\n", b"? ", b"@X@", b"***x***", b"<<: ",
    b"\xef\xbb\xbf", b"\x00", b"\x85", b"\xe2\x80\xa8", b"\\x00", b"\\ud800", b"  ",
    b"trueCryptPassword:", b"pinCode: ", b"operations:", b"exportBucket: ",
    b"customs:\n", b"USA", b"Germany",
]  # fmt: skip


class Manifests(Target):
    """In YAML, in AWS's own form, and as JSON might be."""

    name = "manifest"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        text = MANIFEST.replace("pinCode: 0123", f"trueCryptPassword: {SECRET}")
        return {
            "yaml": (text + CUSTOMS).encode(),
            "template": text.replace(": ", ":").replace("\n", "\r\n").encode(),
            "quoted": text.replace(SECRET, f'"{SECRET}"').encode("utf-8-sig"),
        }

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        return text_edits(data, _WORDS, chance)

    def read(self, data: bytes) -> None:
        text = data.decode(errors="replace")[:LARGEST_MANIFEST_BYTES]
        found = checked(text)
        for problem in found.problems:
            assert SECRET not in str(problem), problem
        read = found.manifest and found.manifest.truecrypt_password
        if read and len(read.reveal()) >= 4 and read.reveal() in SECRET:
            assert read.reveal() not in masked(text)
        if text.count("[") + text.count("{") < _MOST_BRACKETS and len(text) < _LONGEST:
            assert_agreement(text)
