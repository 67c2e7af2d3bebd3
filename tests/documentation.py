"""Tables of the documentation, made from the program's own."""

from collections.abc import Iterator

from s3export.domain.manifests.fields import SECTIONS, Kind
from s3export.domain.manifests.rules import RULES


def field_rows() -> Iterator[str]:
    """Yield a row for every field of a manifest."""
    for section, rows in SECTIONS.items():
        place = {"": "", "operations": "operations[]."}.get(section, f"{section}.")
        for row in rows:
            what = {Kind.YES_NO: "yes, no"}.get(row.kind, ", ".join(row.values))
            example = f"such as `{row.example.strip(chr(34))}`" if row.example else ""
            needed = "yes" if row.required else ""
            about = " ".join(filter(None, (row.about, f"{what}." if what else "")))
            shown = "" if what or row.kind is Kind.SECRET else example
            yield f"| `{place}{row.name}` | {needed} | {about} {shown}".rstrip() + " |"


def rule_rows() -> Iterator[str]:
    """Yield a row for every rule of manifests."""
    for rule in RULES.values():
        code = f"`{rule.code}`" if rule.code else ""
        yield f"| `{rule.name}` | {rule.severity} | {rule.about} | {code} |"
