"""Laws of manifests: what is written is read, and one fault is one problem."""

import jsonschema
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from manifest_faults import KINDS, lines_of, one_line_fields, spoilt
from manifest_strategies import manifests, operations
from samples import MANIFEST, checked, problems
from strategies import SETTINGS

from s3export.domain.errors import Severity
from s3export.domain.manifests import Manifest, Operation
from s3export.domain.manifests.fields import IMPORT_ONLY, SECTIONS, Kind
from s3export.domain.manifests.rules import RULES
from s3export.domain.manifests.schema import manifest_schema
from s3export.domain.manifests.selection import (
    pairs_of_the_same,
    select_the_same,
    selects_nothing,
)
from s3export.domain.manifests.writing import draft_of, write


@given(manifests(), st.sampled_from(["\n", "\r\n"]))
@SETTINGS
def test_a_manifest_survives_writing_and_reading(manifest: Manifest, end: str) -> None:
    """Whatever its fields hold, they come back unchanged, and without an error."""
    text = write(draft_of(manifest)).replace("\n", end)

    read = checked(text)

    assert read.valid, read.problems
    assert read.accepted() == manifest
    assert read.accepted().text == text


@given(manifests())
@SETTINGS
def test_a_written_manifest_fits_its_schema(manifest: Manifest) -> None:
    """Also as an editor sees it, which guesses the types of plain values."""
    seen = yaml.safe_load(write(draft_of(manifest)))

    jsonschema.validate(seen, manifest_schema())


# --- faults ----------------------------------------------------------------------

RULE_OF = {
    ("missing", ""): "missing-field",
    ("missing", "operations"): "missing-field",
    ("missing", "returnAddress"): "missing-field",
    ("missing", "customs"): "missing-customs",
    ("list", ""): "invalid-value",
    ("list", "operations"): "invalid-value",
    ("list", "returnAddress"): "address",
    ("list", "customs"): "customs",
}


@given(manifests(), st.data())
@SETTINGS
def test_one_fault_is_one_problem_at_its_line(
    manifest: Manifest, data: st.DataObject
) -> None:
    """Of a valid manifest one field is spoilt: that is told, there, and no more."""
    lines = lines_of(write(draft_of(manifest)))
    number, section, name = data.draw(st.sampled_from(one_line_fields(lines)))
    kind = data.draw(st.sampled_from(KINDS))
    row = next(row for row in SECTIONS[section] if row.name == name)
    faulty = spoilt(lines, number, name, kind)
    assume(faulty is not None)
    assert faulty is not None
    assume(kind not in ("missing", "empty") or row.required)
    assume(row.kind is not Kind.SECRET)
    assume(section != "customs" or name != "encryptionClassification")
    assume(name not in ("stateOrProvince", "targetDirectory"))

    found = problems("\n".join(faulty) + "\n")

    rule = RULE_OF.get(("missing" if kind == "empty" else kind, section))
    if kind == "list" and name == "fileSystem":
        rule = "file-system"
    if rule is None:
        rule = {
            "misspelt": "misspelt-field",
            "placeholder": "placeholder",
            "template": "placeholder",
            "twice": "repeated-field",
            "import": "import-only-field",
        }[kind]
    line = number + 1
    if kind == "missing":  # there is no line: that of the section's first field
        line = min(n for n, s, _ in one_line_fields(faulty) if s == section) + 1
        if section == "operations":
            line = max(n for n in range(number) if "- " in faulty[n]) + 1
    elif kind in ("twice", "import") or kind == "list":
        line += 1
    assert [(p.rule, p.line) for p in found] == [(rule, line)], found


@given(manifests(), st.sampled_from(sorted(IMPORT_ONLY)))
@SETTINGS
def test_a_schema_refuses_what_is_no_field(manifest: Manifest, name: str) -> None:
    """As it refuses a manifest without one that is required."""
    seen = yaml.safe_load(write(draft_of(manifest)))
    validator = jsonschema.Draft202012Validator(manifest_schema())

    assert validator.is_valid(seen)
    assert not validator.is_valid({**seen, name: "x"})
    for row in SECTIONS[""]:
        if row.required:
            assert not validator.is_valid(
                {k: v for k, v in seen.items() if k != row.name}
            )


SECRET = "S3cr3t-S3cr3t"


@given(st.data())
@SETTINGS
def test_no_message_repeats_a_secret_however_the_text_is_torn(
    data: st.DataObject,
) -> None:
    """Characters are taken out and put in anywhere; nothing is told."""
    text = MANIFEST.replace("pinCode: 0123", f"trueCryptPassword: {SECRET}")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 3))
        more = data.draw(st.text("\n \t:-#'\"[]{}&*!|>%@`,a\x00é", max_size=3))
        text = text[:place] + more + text[place + length :]
    assume(SECRET in text)

    for problem in checked(text).problems:
        assert SECRET not in str(problem)


@given(manifests())
@SETTINGS
def test_what_is_noted_has_a_rule(manifest: Manifest) -> None:
    """Each problem names one, has its severity, and says something."""
    for problem in checked(write(draft_of(manifest))).problems:
        assert RULES[problem.rule].severity is problem.severity
        assert problem.severity is not Severity.ERROR
        assert problem.message


# --- selections ------------------------------------------------------------------

_texts = st.text("ab\U0010ffff\ud7ff\ue000", max_size=3)
_any_operation = st.builds(
    Operation,
    bucket=st.sampled_from(["one", "two"]),
    prefix=_texts,
    begin_marker=_texts,
    end_marker=_texts,
)


def first_keys(operation: Operation) -> set[str]:
    """Return keys of which one is selected if any is: the smallest there can be."""
    return {operation.prefix, operation.begin_marker + "\0"}


@given(_any_operation)
@SETTINGS
def test_a_selection_is_empty_just_when_no_key_fits(operation: Operation) -> None:
    """The smallest key that could fit does not."""
    source = operation.source()

    fits = any(map(source.selects, first_keys(operation)))

    assert selects_nothing(operation) is not fits


@given(operations())
@SETTINGS
def test_an_operation_with_a_witness_selects_something(operation: Operation) -> None:
    """No operation that some key fits is called idle."""
    assert not selects_nothing(operation)


@given(_any_operation, _any_operation)
@SETTINGS
def test_operations_overlap_just_when_a_key_fits_both(
    one: Operation, other: Operation
) -> None:
    """On one bucket; the smallest key that could fit both does."""
    keys = first_keys(one) | first_keys(other)
    both = any(one.source().selects(k) and other.source().selects(k) for k in keys)

    assert select_the_same(one, other) is (both and one.bucket == other.bucket)
    assert select_the_same(one, other) is select_the_same(other, one)


@given(st.lists(_any_operation.map(lambda o: o.source()), max_size=6))
@SETTINGS
def test_each_operation_that_shares_keys_is_in_a_pair(sources: list[object]) -> None:
    """No more and no fewer than a comparison of each with each finds."""
    numbered = [
        (
            number,
            Operation("one", source.prefix, source.begin_marker, source.end_marker),  # type: ignore[attr-defined]
        )
        for number, source in enumerate(sources)
    ]
    sharing = {
        number
        for number, one in numbered
        for other_number, other in numbered
        if number != other_number and select_the_same(one, other)
    }

    pairs = list(pairs_of_the_same(numbered))

    assert {number for pair in pairs for number in pair} == sharing
    by_number = dict(numbered)
    for earlier, later in pairs:
        assert earlier < later
        assert select_the_same(by_number[earlier], by_number[later])
