"""The manifest as a JSON Schema, so that editors complete and underline it.

Editors read YAML with types guessed: a number where text is meant is let pass there,
and quotes are asked for where a guess would change the value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from s3export.domain.manifests.fields import (
    ADDRESS,
    CUSTOMS,
    OPERATION,
    TOP,
    Field,
    Kind,
)

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_WITH_STATES = ("USA", "US", "United States", "United States of America", "Canada")


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an export manifest."""
    schema = _section(TOP)
    schema["properties"] |= {
        "operations": {
            "description": _about(TOP, "operations"),
            "type": "array",
            "minItems": 1,
            "items": _section(OPERATION),
        },
        "returnAddress": {
            "description": _about(TOP, "returnAddress"),
            **_section(ADDRESS),
            "if": {"properties": {"country": {"enum": list(_WITH_STATES)}}},
            "then": {"required": ["stateOrProvince"]},
        },
        "customs": {
            "description": _about(TOP, "customs"),
            **_section(CUSTOMS),
            "if": {"properties": {"encryptedData": {"enum": ["yes", "Yes", True]}}},
            "then": {"required": ["encryptionClassification"]},
        },
        "substitutions": {
            "description": _about(TOP, "substitutions"),
            "type": ["object", "null"],
            "additionalProperties": {"type": ["string", "number"]},
        },
    }
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "AWS Import/Export manifest of an S3 export job",
        **schema,
        "anyOf": [
            {"required": ["trueCryptPassword"]},
            {"required": ["pinCode"]},
        ],
    }


def _section(rows: Sequence[Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {row.name: _value(row) for row in rows},
        "required": [row.name for row in rows if row.required],
        "additionalProperties": False,
    }


def _value(row: Field) -> Mapping[str, Any]:
    about: dict[str, Any] = {"description": row.about} if row.about else {}
    if row.example:
        about["examples"] = [row.example.strip('"')]
    if row.values:
        return about | {"enum": list(row.values)}
    if row.kind is Kind.YES_NO:
        return about | {"enum": ["yes", "no", "Yes", "No", True, False]}
    if row.kind is Kind.SECRET:
        return about | {"type": "string", "minLength": 1}
    if row.required:
        return about | {"type": ["string", "number"], "minLength": 1}
    return about | {"type": ["string", "number", "null"]}


def _about(rows: Sequence[Field], name: str) -> str:
    return next(row.about for row in rows if row.name == name)
