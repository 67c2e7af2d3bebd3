"""The product's reading of manifests against the emulated service's.

Both are written from AWS's documentation, by different hands; the service's raises the
first thing wrong, the product's names all of them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_agreement import assert_agreement
from manifest_faults import KINDS, lines_of, one_line_fields, spoilt
from manifest_strategies import manifests
from samples import CUSTOMS, MANIFEST, checked, manifest_file
from strategies import SETTINGS

from s3export.domain.manifests import Manifest
from s3export.domain.manifests.writing import draft_of, write


@given(manifests(), st.data())
@SETTINGS
def test_what_one_refuses_the_other_names(
    manifest: Manifest, data: st.DataObject
) -> None:
    """Of manifests with up to three faults, in whatever fields."""
    lines = lines_of(write(draft_of(manifest)))
    for _ in range(data.draw(st.integers(0, 3))):
        places = one_line_fields(lines)
        if not places:
            break
        number, _, name = data.draw(st.sampled_from(places))
        faulty = spoilt(lines, number, name, data.draw(st.sampled_from(KINDS)))
        lines = faulty or lines
    assert_agreement("\n".join(lines) + "\n")


_VALUES = ["", "x", "yes", "No", "[x]", "[x", "{x}", "***x***", "@X@", "FAT", "ntfs"]
_VALUES += ["PO Box 1", "Canada", "U.S.A.", "Germany", "1.2", "250", "$5", "'", '"a"']
_VALUES += ["- a", "a: b", "&a", "*a", "!a", "%a", "#a", "|", "|\n  a", "a\n  b"]
_VALUES += ["x" * 1020, '"\\x01"', "permanent", "forever", "overnight", "standard"]


@given(st.data())
@SETTINGS
def test_whatever_is_written_for_a_value_is_read_alike(data: st.DataObject) -> None:
    """Of a manifest in AWS's form or in YAML's, a few values are others."""
    text = MANIFEST + CUSTOMS
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        name, _, _ = lines[number].partition(":")
        blank = data.draw(st.sampled_from([" ", ""]))
        lines[number] = f"{name}:{blank}{data.draw(st.sampled_from(_VALUES))}"

    assert_agreement("\n".join(lines) + "\n")


@given(st.data())
@SETTINGS
def test_a_torn_text_is_read_alike(data: st.DataObject) -> None:
    """Characters are taken out and put in anywhere."""
    text = MANIFEST + CUSTOMS
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 4))
        more = data.draw(st.text("\n :-#'\"[]{}&*!|>%@`,ax", max_size=3))
        text = text[:place] + more + text[place + length :]

    assert_agreement(text)


@pytest.mark.parametrize(
    ("name", "valid", "rules"),
    [
        ("s3x-head.yml", False, {"placeholder"}),
        ("s3x-head-filled.yml", True, set()),
        ("s3x-older.yml", False, {"no-blank", "placeholder"}),
        ("s3x-older-filled.yml", True, {"no-blank"}),
        (
            "net-export.yml",
            False,
            {"manifest-version", "placeholder", "weak-secret"},
        ),
        (
            "net-export-filled.yml",
            True,
            {"manifest-version", "weak-secret", "log-exported"},
        ),
        ("java-export.yml", False, {"manifest-version", "placeholder", "weak-secret"}),
        (
            "java-export-filled.yml",
            True,
            {"manifest-version", "weak-secret", "log-exported"},
        ),
        ("aws-template.txt", False, {"no-blank", "placeholder"}),
        ("aws-template-filled.txt", True, {"no-blank"}),
        (
            "guide-2011.yml",
            False,
            {"no-blank", "missing-field", "no-encryption", "placeholder"},
        ),
        (
            "guide-2011-filled.yml",
            False,
            {"no-blank", "missing-field", "no-encryption"},
        ),
        (
            "cli-create-job.yml",
            False,
            {"missing-field", "no-encryption", "manifest-version", "import-only-field"},
        ),
        (
            "cli-get-status.yml",
            False,
            {"no-blank", "missing-field", "weak-secret", "import-only-field"},
        ),
        ("path-instead-of-text.yml", False, {"malformed"}),
        (
            "js-feature.yml",
            False,
            {
                "missing-field",
                "no-encryption",
                "placeholder",
                "import-only-field",
                "misplaced-field",
            },
        ),
        (
            "net-import.yml",
            False,
            {
                "missing-field",
                "no-encryption",
                "placeholder",
                "import-only-field",
                "manifest-version",
            },
        ),
        (
            "gen-output.yml",
            False,
            {"missing-field", "no-encryption", "import-only-field", "misplaced-field"},
        ),
    ],
)
def test_manifests_as_they_are_found_have_their_verdict(
    name: str, valid: bool, rules: set[str]
) -> None:
    """The same from both, and all that is to be said of each."""
    text = manifest_file(name)

    found = checked(text)

    assert found.valid is valid
    assert {problem.rule for problem in found.problems} == rules
    assert_agreement(text)
