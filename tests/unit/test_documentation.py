"""The documentation says what the program does."""

from pathlib import Path

import pytest
from documentation import field_rows, rule_rows

MANIFESTS = Path(__file__).parents[2] / "docs" / "manifests.md"


@pytest.mark.parametrize("row", [*field_rows(), *rule_rows()])
def test_every_field_and_rule_is_documented(row: str) -> None:
    """In the words that checking uses, too."""
    assert row in MANIFESTS.read_text().splitlines()


def test_no_other_field_or_rule_is_documented() -> None:
    """What is gone from the program is gone from its documentation."""
    rows = [
        line for line in MANIFESTS.read_text().splitlines() if line.startswith("| `")
    ]
    assert rows == [*field_rows(), *rule_rows()]
