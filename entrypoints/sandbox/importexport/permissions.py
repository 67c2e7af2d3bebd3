"""What a bucket's policy forbids the account whose job it is.

Source: Amazon S3 User Guide, "Bucket policies". A bucket of the account itself may be
read and written unless a statement denies it; other accounts' buckets do not exist for
the service. Ours is that a statement with a condition denies nothing, since the
conditions of the service's own requests are not known.
"""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

ALL_OBJECTS = "/*"


class BucketPolicy:
    """The policy of one bucket; without a document it denies nothing."""

    def __init__(self, bucket: str, document: bytes | None, account: str) -> None:
        self._arn = f"arn:aws:s3:::{bucket}"
        self._account = account
        statements = json.loads(document).get("Statement", []) if document else []
        self._statements = [statements] if isinstance(statements, dict) else statements

    def denies(self, action: str, path: str = "") -> bool:
        """Tell whether the account may not do something.

        Args:
            action: Such as ``s3:GetObject``.
            path: A slash and a key, `ALL_OBJECTS`, or nothing for the bucket itself.
        """
        return any(
            statement.get("Effect") == "Deny"
            and not statement.get("Condition")
            and _covers(statement, "Action", action.lower())
            and _covers(statement, "Resource", self._arn + path)
            and self._is_meant(statement)
            for statement in self._statements
        )

    def _is_meant(self, statement: Mapping[str, Any]) -> bool:
        names = ("*", self._account, f"arn:aws:iam::{self._account}:root")
        if "NotPrincipal" in statement:
            return not set(names[1:]) & set(_principals(statement["NotPrincipal"]))
        return bool(set(names) & set(_principals(statement.get("Principal"))))


def _covers(statement: Mapping[str, Any], element: str, value: str) -> bool:
    """Tell whether an element's patterns, or ``Not`` and the patterns, fit a value."""
    if f"Not{element}" in statement:
        return not _fits(statement[f"Not{element}"], element, value)
    return _fits(statement.get(element, []), element, value)


def _fits(patterns: object, element: str, value: str) -> bool:
    for pattern in _list(patterns):
        pattern = pattern.lower() if element == "Action" else pattern
        if fnmatchcase(value, pattern.replace("[", "[[]")):  # no sets in policies
            return True
    return False


def _principals(principal: object) -> list[str]:
    if isinstance(principal, Mapping):
        return _list(principal.get("AWS", []))
    return _list(principal or [])


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
