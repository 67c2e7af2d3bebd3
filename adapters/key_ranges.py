"""Which pages of a bucket are asked for, so that several are on their way at once.

One listing is several walks, each from a key to where the next one began. A walk is
divided by a question: which keys come after some point ahead of it? The first key of
the answer is where a new walk begins, and where the old one ends. So nothing rests on
how a server understands the point, which is made up: a walk goes on, from page to page
as a single listing does, until it sees the key where the next one began. All walks
together are one listing.

Nothing here asks, or waits: `KeyRanges.next` says what to ask for, and
`KeyRanges.take` takes the answer.
"""

import enum
import operator
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from s3export.adapters.split_points import (
    LAST,
    Characters,
    beginning,
    middle,
    share_left,
)

_WORTH_A_QUESTION = 1.5  # pages that are expected to be left


class Contradiction(Exception):
    """The server's answers do not go together: something may have been left out."""


class Circle(Contradiction):
    """A page says again what another one had begun with: there would be no end."""


class Purpose(enum.Enum):
    """What a page is asked for."""

    PAGE = enum.auto()
    """It is the next one of a walk."""

    QUESTION = enum.auto()
    """It is to divide a walk."""

    DOUBT = enum.auto()
    """A walk did not meet the next one: does it now?"""

    PROOF = enum.auto()
    """It still does not: is the key there that the next one began with?"""


@dataclass(frozen=True)
class Asked:
    """A page to be asked for.

    Attributes:
        after: Only keys after it; empty for all.
        token: What the page before it said; empty for a first one.
        walk: The one that it is about.

    """

    prefix: str
    after: str
    token: str
    walk: "Walk"
    purpose: Purpose = Purpose.PAGE


@dataclass(eq=False)
class Walk:
    """One listing from a key on.

    Attributes:
        after: What its first page was asked for with.
        first: Where it began: a key, or what was asked for.
        position: Its last key so far.
        end: It ends before it; empty where nothing bounds it.
        meets: ``end`` is the first key of another walk, which this one must see.
        empty_from: From there to the end no keys were found: a hint, and no more.

    """

    after: str
    first: str
    position: str
    end: str = ""
    meets: bool = False
    empty_from: str = ""
    token: str = ""
    pages: int = 0
    is_asked: bool = False
    is_questioned: bool = False
    is_done: bool = False
    left: float | None = None
    common: str = ""
    gallops: bool = False

    @property
    def bound(self) -> str:
        """Return what its keys are expected to lie before; empty for nothing."""
        return self.empty_from or self.end


class KeyRanges:
    """The walks of a listing.

    Args:
        prefix: Only keys that start with it.
        after: Only keys after it, exclusive; empty for no bound.
        up_to: Only keys up to it, inclusive; empty for no bound.
        at_once: So many requests at once, at most.
        in_order: Whether the server lists keys in their order. Otherwise it is asked
            for page after page, and for nothing else.

    """

    def __init__(
        self,
        prefix: str = "",
        *,
        after: str = "",
        up_to: str = "",
        at_once: int = 1,
        in_order: bool = True,
    ) -> None:
        self._prefix = prefix
        self._after = after
        self._up_to = up_to
        self._at_once = at_once
        self._in_order = in_order
        end = f"{up_to}\0" if up_to else ""  # nothing lies between the two
        begin = after if in_order else ""
        self._walks = [Walk(begin, begin, begin, end)]
        self._doubts: list[Asked] = []
        self._doubted = 0
        self._characters = Characters()
        self._pages = self._questions = self._misses = self._divided = 0
        self._divides = in_order and at_once > 1
        self._tokens: set[str] = set()  # of what comes in no order

    @property
    def is_done(self) -> bool:
        """Whether all has been taken; answers on their way are of no use any more."""
        return not self._walks and not self._doubts and not self._doubted

    @property
    def may_divide(self) -> bool:
        """Whether there may be more than one thing to ask for at a time."""
        return self._divides and self._pages > 0

    def limit(self, at_once: int) -> None:
        """Ask for so many pages at once from now on; with one, ask no questions."""
        self._at_once = at_once
        self._divides &= at_once > 1

    def next(self) -> Asked | None:
        """Return what to ask for now; ``None`` for nothing before another answer."""
        if self._doubts:
            return self._doubts.pop()
        for walk in self._walks:
            if not walk.is_asked:
                walk.is_asked = True
                return Asked(self._prefix, walk.after, walk.token, walk)
        return self._question() if self._may_ask() else None

    def take(self, asked: Asked, keys: Sequence[str], token: str) -> slice:
        """Take a page.

        Args:
            keys: Of the page, as they came.
            token: What the next page begins with; empty after the last one.

        Returns:
            Which of the keys are part of the listing.

        Raises:
            Contradiction: As named.

        """
        if asked.purpose is Purpose.QUESTION:
            return self._answered(asked, keys, token)
        if asked.purpose is not Purpose.PAGE:
            self._settle(asked, keys, token)
            return slice(0)
        walk = asked.walk
        walk.is_asked = False
        self._pages += 1
        if self._in_order and not self._follow(keys, walk.position):
            if self._divided:
                raise Contradiction
            self._in_order = self._divides = False
        return self._walked(walk, keys, token)

    def refused(self, asked: Asked) -> bool:
        """Take note of a refusal; say whether the listing can do without the answer."""
        is_question = asked.purpose is Purpose.QUESTION
        if is_question:
            self._divides = False
            asked.walk.is_questioned = False
        return is_question

    def selects(self, key: str) -> bool:
        """Say whether a key lies between the bounds; where there is no order."""
        return key > self._after and (not self._up_to or key <= self._up_to)

    @property
    def in_order(self) -> bool:
        """Whether keys have come in order so far; otherwise each is to be looked at."""
        return self._in_order

    # --- walking ------------------------------------------------------------------

    def _follow(self, keys: Sequence[str], position: str) -> bool:
        """Say whether keys are in order, and all after a position."""
        if not keys:
            return True
        if position and keys[0] <= position:
            return False
        inside = keys[0].startswith(self._prefix) and keys[-1].startswith(self._prefix)
        return inside and all(map(operator.lt, keys, islice(keys, 1, None)))

    def _walked(self, walk: Walk, keys: Sequence[str], token: str) -> slice:
        """Go on by a page, which begins after all that the walk has seen."""
        walk.token = token
        walk.pages += 1
        walk.left = None
        if not self._in_order or not keys:
            if token and token in self._tokens:
                raise Circle
            self._tokens.add(token)
        if not self._in_order:
            self._finish(walk, not token)
            return slice(len(keys))
        stop = bisect_left(keys, walk.end) if walk.end else len(keys)
        if stop:
            walk.position = keys[stop - 1]
            self._characters.learn(keys[:stop])
            if walk.pages == 1:
                walk.first = keys[0]
            here = beginning(keys[0], walk.position)
            walk.common = beginning(walk.common or here, here)
            if len(walk.common) <= len(self._prefix):
                walk.common = here
            if walk.position >= walk.empty_from:
                walk.empty_from = ""
        is_past = stop < len(keys)
        if walk.meets and (is_past or not token) and walk.end not in keys[stop:][:1]:
            self._doubt(walk)
        self._finish(walk, is_past or not token)
        return slice(stop)

    def _finish(self, walk: Walk, at_end: bool) -> None:
        walk.is_done = at_end
        if at_end:
            self._walks.remove(walk)

    # --- where two walks meet -------------------------------------------------------

    def _doubt(self, walk: Walk, token: str = "") -> None:
        """List again from where a walk was before the key that it did not meet."""
        self._doubted += 1
        self._doubts.append(
            Asked(self._prefix, walk.position, token, walk, Purpose.DOUBT)
        )

    def _settle(self, asked: Asked, keys: Sequence[str], token: str) -> None:
        """See whether the key was written, or deleted, while it was listed."""
        self._doubted -= 1
        sought = asked.walk.end
        if asked.purpose is Purpose.PROOF:
            if sought in keys:
                raise Contradiction
        elif token and keys and keys[-1] < sought:
            self._doubt(asked.walk, token)  # so many were written before it
        elif sought not in keys:
            self._doubted += 1
            self._doubts.append(Asked(sought, "", "", asked.walk, Purpose.PROOF))

    # --- dividing -----------------------------------------------------------------

    def _may_ask(self) -> bool:
        """Say whether a question is worth its request: few pages, few questions."""
        return (
            self.may_divide
            and len(self._walks) < self._at_once
            and self._questions <= self._pages // 2
            and self._misses <= 1 + self._pages // 4
        )

    def _question(self) -> Asked | None:
        """Ask where the walk with the most left can be divided."""
        walks = [w for w in self._walks if w.pages and not w.is_questioned]
        for walk in sorted(walks, key=self._left, reverse=True):
            if self._left(walk) < _WORTH_A_QUESTION:
                return None
            point = self._point(walk)
            if point:
                self._questions += 1
                walk.is_questioned = True
                return Asked(self._prefix, point, "", walk, Purpose.QUESTION)
            walk.left = 0.0  # before its next page
        return None

    def _left(self, walk: Walk) -> float:
        """Return how many pages are expected to be left."""
        if walk.left is None:
            walk.left = float("inf")
            if walk.bound:
                share = share_left(
                    walk.first, walk.position, walk.bound, self._characters
                )
                walk.left = share * walk.pages
        return walk.left

    def _point(self, walk: Walk) -> str:
        """Return where to divide a walk; empty for nowhere.

        Of a walk that nothing bounds it is not known how far its keys go. In turn it
        is asked what comes after all that begins as those seen, and for the middle of
        all that could be.
        """
        top = walk.bound or self._prefix + LAST
        branch = walk.common[:-1]
        walk.gallops = not walk.gallops
        if (
            walk.gallops
            and len(branch) >= len(self._prefix)
            and not top.startswith(branch)
            and walk.position < branch + LAST < top
        ):
            return branch + LAST
        if walk.position >= top:
            return ""
        return middle(walk.position, top, self._characters, bounded=bool(walk.bound))

    def _answered(self, asked: Asked, keys: Sequence[str], token: str) -> slice:
        """Begin a walk with an answer, if there is one and nobody was there before."""
        walk = asked.walk
        walk.is_questioned = False
        if not self._in_order or not self._follow(keys, asked.after):
            self._divides = False  # the server does not know what was asked
            return slice(0)
        if walk.is_done or (keys and keys[0] <= walk.position):
            return slice(0)
        if not keys or (walk.end and keys[0] >= walk.end):
            self._misses += 1
            self._note_empty(walk, asked.after)
            return slice(0)
        self._pages += 1
        self._divided += 1
        right = Walk(
            asked.after,
            keys[0],
            asked.after,
            walk.end,
            walk.meets,
            walk.empty_from if walk.empty_from > keys[0] else "",
            common=walk.common,
        )
        self._walks.append(right)
        walk.end, walk.meets = keys[0], True
        self._note_empty(walk, asked.after)
        return self._walked(right, keys, token)

    def _note_empty(self, walk: Walk, point: str) -> None:
        """Take the hint that nothing is between a point and the end."""
        walk.empty_from = point if point > walk.position else ""
        walk.left = None
