"""What somebody may have meant."""

import difflib
from collections.abc import Collection


def did_you_mean(word: str, known: Collection[str], prefix: str = "") -> str:
    """Return the end of a sentence that names the nearest; empty if none is near.

    Args:
        prefix: Of all of them; it makes none nearer.

    >>> did_you_mean("--buckte", ["--bucket", "--forks"])
    '; did you mean --bucket?'
    >>> did_you_mean("load", ["load-device", "list-jobs"])
    '; did you mean load-device?'
    """
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not near and len(word.strip("-")) > 2:
        near = [name for name in sorted(known) if word.strip("-") in name][:1]
    return f"; did you mean {prefix}{near[0]}?" if near else ""
