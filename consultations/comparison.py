"""Two versions of a text, word by word: what was taken out, what was put in, and around it what stayed.

Texts are cut at runs of words that occur exactly once in both (patience), and only what lies between is compared word by
word; so the time grows with the length and not with its square. Line breaks and spaces are no difference, because a PDF
breaks its lines anew with every word. Pure.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

#: Words of one text that are compared; beyond it a page would take too long. Some 800 pages.
WORDS_LIMIT = 400_000
#: Unchanged words that are shown on each side of a changed place.
CONTEXT_WORDS = 25
#: Changed places that are shown at once.
PLACES_LIMIT = 300
#: Words in a row that make a cutting point.
_RUN = 6
#: Product of lengths up to which a stretch is compared word by word; 4 million take some 10 ms and 0.5 MB.
_STRETCH = 4_000_000

_TOKEN = re.compile(r"\S+")


class Part(StrEnum):
    """What became of some words."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Piece:
    """Some words in a row with the same fate."""

    part: Part
    text: str


@dataclass(frozen=True)
class Place:
    """A changed place with its surroundings; `skipped` counts the unchanged words left out before it."""

    skipped: int
    pieces: tuple[Piece, ...]

    @property
    def before(self) -> tuple[Piece, ...]:
        """How it read in the earlier version."""
        return tuple(piece for piece in self.pieces if piece.part is not Part.ADDED)

    @property
    def after(self) -> tuple[Piece, ...]:
        """How it reads in the later version."""
        return tuple(piece for piece in self.pieces if piece.part is not Part.REMOVED)


@dataclass(frozen=True)
class Comparison:
    """All changed places in order. `is_cut`: there are more than are shown."""

    places: tuple[Place, ...]
    words_removed: int
    words_added: int
    #: Unchanged words after the last place.
    skipped: int
    is_cut: bool = False

    @property
    def is_same(self) -> bool:
        return not self.words_removed and not self.words_added


class TooLong(ValueError):
    """A text has more words than are compared; `words` says how many."""

    def __init__(self, words: int) -> None:
        super().__init__(f"{words} words")
        self.words = words


def compare(
    earlier: str, later: str, *, context: int = CONTEXT_WORDS, limit: int = PLACES_LIMIT
) -> Comparison:
    """What changed from one text to the other. Raises TooLong beyond `WORDS_LIMIT`.

    Never more than some tenths of a second for 100 pages; a stretch without anything in common that is too long to be
    compared word by word is one removal and one addition.
    """
    old, new = _TOKEN.findall(earlier), _TOKEN.findall(later)
    for words in (old, new):
        if len(words) > WORDS_LIMIT:
            raise TooLong(len(words))
    whole = _merged(stretches(old, new))
    changed = [each for each in whole if each[0] is not Part.SAME]
    places = list(_places(old, new, whole, context))
    shown = places[:limit]
    tail = whole[-1] if whole and whole[-1][0] is Part.SAME else None
    return Comparison(
        tuple(shown),
        words_removed=sum(end - start for part, start, end, _, _ in changed if part is Part.REMOVED),
        words_added=sum(end - start for part, _, _, start, end in changed if part is Part.ADDED),
        skipped=max(0, (tail[2] - tail[1]) - (context if places else 0)) if tail else 0,
        is_cut=len(places) > limit,
    )


#: What became of old[a:b] and new[c:d]; for words that stayed both are as long, otherwise one of them is empty.
Stretch = tuple[Part, int, int, int, int]


def stretches(old: Sequence[str], new: Sequence[str]) -> Iterator[Stretch]:
    """The whole of both texts in stretches, in order."""
    start = 0
    shortest = min(len(old), len(new))
    while start < shortest and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shortest - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if start:
        yield Part.SAME, 0, start, 0, start
    at, opposite = start, start
    end, opposite_end = len(old) - tail, len(new) - tail
    for left, right in _anchors(old, new, start, end, opposite_end):
        if left < at or right < opposite:
            continue  # reached already from the anchor before
        while left > at and right > opposite and old[left - 1] == new[right - 1]:
            left, right = left - 1, right - 1
        yield from _between(old, new, at, left, opposite, right)
        length = 0
        while (
            left + length < end
            and right + length < opposite_end
            and old[left + length] == new[right + length]
        ):
            length += 1
        yield Part.SAME, left, left + length, right, right + length
        at, opposite = left + length, right + length
    yield from _between(old, new, at, end, opposite, opposite_end)
    if tail:
        yield Part.SAME, end, len(old), opposite_end, len(new)


def _anchors(
    old: Sequence[str], new: Sequence[str], start: int, end: int, opposite_end: int
) -> list[tuple[int, int]]:
    """Where runs of words that are unique in both texts begin, rising in both."""
    there = _unique_runs(new, start, opposite_end)
    pairs = [(at, there[run]) for run, at in _unique_runs(old, start, end).items() if run in there]
    pairs.sort()
    return _rising(pairs)


def _unique_runs(words: Sequence[str], start: int, end: int) -> dict[tuple[str, ...], int]:
    seen: dict[tuple[str, ...], int] = {}
    for at in range(start, end - _RUN + 1):
        run = tuple(words[at : at + _RUN])
        seen[run] = -1 if run in seen else at
    return {run: at for run, at in seen.items() if at >= 0}


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest choice of pairs, sorted by the first, whose second numbers rise too."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for at, (_, right) in enumerate(pairs):
        length = bisect_left(ends, right)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(right)
            last.append(at)
        else:
            ends[length], last[length] = right, at
    chosen = []
    at = last[-1] if last else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]


def _between(old: Sequence[str], new: Sequence[str], a: int, b: int, c: int, d: int) -> Iterator[Stretch]:
    """A stretch without anchors, word by word; as one change where it is too long for that."""
    if b > a and d > c and (b - a) * (d - c) <= _STRETCH:
        from rapidfuzz.distance import LCSseq

        for step in LCSseq.opcodes(old[a:b], new[c:d]):
            left, right = (a + step.src_start, a + step.src_end), (c + step.dest_start, c + step.dest_end)
            if step.tag == "equal":
                yield Part.SAME, *left, *right
            else:
                yield from _change(*left, *right)
    else:
        yield from _change(a, b, c, d)


def _change(a: int, b: int, c: int, d: int) -> Iterator[Stretch]:
    if b > a:
        yield Part.REMOVED, a, b, c, c
    if d > c:
        yield Part.ADDED, b, b, c, d


def _merged(found: Iterator[Stretch]) -> list[Stretch]:
    """Neighbours of the same fate as one; within a change first all that went, then all that came."""
    whole: list[Stretch] = []
    for part, a, b, c, d in found:
        if part is Part.REMOVED and _last(whole) is Part.ADDED:
            _, at, _, start, end = whole.pop()
            if _last(whole) is Part.REMOVED:
                _, first, _, left, _ = whole.pop()
                whole.append((Part.REMOVED, first, b, left, left))
            else:
                whole.append((Part.REMOVED, at, b, start, start))
            whole.append((Part.ADDED, b, b, start, end))
        elif _last(whole) is part:
            _, first, _, left, _ = whole.pop()
            whole.append((part, first, b, left, d))
        else:
            whole.append((part, a, b, c, d))
    return whole


def _last(whole: Sequence[Stretch]) -> Part | None:
    return whole[-1][0] if whole else None


def _places(
    old: Sequence[str], new: Sequence[str], whole: Sequence[Stretch], context: int
) -> Iterator[Place]:
    """Changed places with their surroundings; what lies close together is one place."""
    pieces: list[Piece] = []
    skipped = 0
    for at, (part, a, b, c, d) in enumerate(whole):
        if part is not Part.SAME:
            pieces.append(Piece(part, " ".join(old[a:b] if part is Part.REMOVED else new[c:d])))
            continue
        last = at == len(whole) - 1
        if pieces and not last and b - a <= 2 * context:
            pieces.append(Piece(Part.SAME, " ".join(old[a:b])))
            continue
        if pieces:
            if context:
                pieces.append(Piece(Part.SAME, " ".join(old[a : min(b, a + context)])))
            yield Place(skipped, tuple(pieces))
            pieces, a = [], min(b, a + context)
        if not last:
            start = max(a, b - context)
            skipped = start - a
            if start < b:
                pieces = [Piece(Part.SAME, " ".join(old[start:b]))]
    if any(piece.part is not Part.SAME for piece in pieces):
        yield Place(skipped, tuple(pieces))
