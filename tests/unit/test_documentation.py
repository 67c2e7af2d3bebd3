"""The documentation says what the program does."""

from pathlib import Path

import pytest
from documentation import field_rows, rule_rows
from markdown import PAGES, Block, blocks
from samples import checked

from s3export.domain.manifests import for_load

MANIFESTS = Path(__file__).parents[2] / "docs" / "manifests.md"
WHOLE = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language == "yaml" and "operations:" in block.text
]


@pytest.mark.parametrize("row", [*field_rows(), *rule_rows()])
def test_every_field_and_rule_is_documented(row: str) -> None:
    """In the words that checking uses, too."""
    assert row in MANIFESTS.read_text().splitlines()


@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_a_manifest_that_is_shown_is_sound(block: Block) -> None:
    """One with an address for a job of AWS's, any for a load."""
    found = checked(block.text)

    assert for_load(found).valid
    if "returnAddress:" in block.text:
        assert found.problems == ()


def test_no_other_field_or_rule_is_documented() -> None:
    """What is gone from the program is gone from its documentation."""
    rows = [
        line for line in MANIFESTS.read_text().splitlines() if line.startswith("| `")
    ]
    assert rows == [*field_rows(), *rule_rows()]
