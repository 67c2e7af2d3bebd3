"""The tree of nodes that a reader of manifests hands over: text with its places.

Every scalar is text as it was written (``no`` stays ``no``, ``0123`` stays ``0123``),
and every node knows where it begins, so that each problem can name its place.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scalar:
    """A piece of text, with the place where it starts (counted from 1).

    Attributes:
        plain: Written without quotes, in one style with fields' names.
        becomes: What a parser that guesses types (YAML 1.1) makes of it, if that is
            another text: ``83`` of ``0123``, ``False`` of ``no``; empty if it is not.

    """

    text: str
    line: int
    column: int
    plain: bool = False
    becomes: str = ""


@dataclass(frozen=True)
class Items:
    """A list.

    Attributes:
        bracketed: Written ``[…]``, and not as lines that begin with ``-``.

    """

    items: tuple["Node", ...]
    line: int
    column: int
    bracketed: bool = False


@dataclass(frozen=True)
class Fields:
    """A mapping, in the order of the text; no key occurs twice.

    Attributes:
        bracketed: Written ``{…}``, and not as lines.

    """

    fields: tuple[tuple[Scalar, "Node"], ...]
    line: int
    column: int
    bracketed: bool = False


Node = Scalar | Items | Fields


def is_empty(node: Node) -> bool:
    """Say whether there is nothing in a node: an empty field counts as absent."""
    match node:
        case Scalar():
            return not node.text
        case Items():
            return not node.items
        case Fields():
            return not node.fields
