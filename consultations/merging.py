"""Three versions of a text become one: what two people changed in the same base, word by word, without losing either.

Changes at different places are both taken; at the same place they clash, and a person has to say what shall stand.
Words carry the white space before them, so that a merged text is made of nothing but what somebody wrote. The way
words are aligned is that of `comparison`: its time grows with the length, not with its square. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consultations.comparison import Part, stretches

_TOKEN = re.compile(r"\s*\S+|\s+\Z")


@dataclass(frozen=True)
class Clash:
    """A place that both changed differently: how it read, and how it reads on either side."""

    base: str
    mine: str
    theirs: str


@dataclass(frozen=True)
class Merged:
    """The one text; where there are clashes, it has the words of `theirs` at their places."""

    text: str
    clashes: tuple[Clash, ...] = ()


@dataclass(frozen=True)
class _Edit:
    """base[start:end] became `words`."""

    start: int
    end: int
    words: tuple[str, ...]


def merge(base: str, mine: str, theirs: str) -> Merged:
    """What both made of a text. The order of the two does not matter unless they clash."""
    if mine in (base, theirs):
        return Merged(theirs)
    if theirs == base:
        return Merged(mine)
    words = _TOKEN.findall(base)
    here, there = list(_edits(words, _TOKEN.findall(mine))), list(_edits(words, _TOKEN.findall(theirs)))
    pieces: list[str] = []
    clashes: list[Clash] = []
    at = 0
    for start, end, ours, others in _groups(here, there):
        pieces += words[at:start]
        left, right = _read(words, start, end, ours), _read(words, start, end, others)
        if ours and others and left != right:
            clashes.append(Clash("".join(words[start:end]), "".join(left), "".join(right)))
        pieces += right if others else left
        at = end
    pieces += words[at:]
    return Merged("".join(pieces), tuple(clashes))


def _edits(base: Sequence[str], other: Sequence[str]) -> Iterator[_Edit]:
    """The changes of one side in order; what is taken out and what is put in at one place is one change."""
    start = end = 0
    words: list[str] = []
    for part, _, b, c, d in stretches(base, other):
        if part is Part.SAME:
            if end > start or words:
                yield _Edit(start, end, tuple(words))
            start = end = b
            words = []
        else:
            end = max(end, b)
            words += other[c:d]
    if end > start or words:
        yield _Edit(start, end, tuple(words))


def _groups(
    here: Sequence[_Edit], there: Sequence[_Edit]
) -> Iterator[tuple[int, int, list[_Edit], list[_Edit]]]:
    """Changes of both sides in order; those that touch each other go together: where they lie, whose they are."""
    edits = sorted(
        [(edit, True) for edit in here] + [(edit, False) for edit in there],
        key=lambda each: (each[0].start, each[0].end),
    )
    start = end = 0
    ours: list[_Edit] = []
    others: list[_Edit] = []
    for edit, is_ours in edits:
        if (ours or others) and edit.start > end:
            yield start, end, ours, others
            ours, others = [], []
        if not ours and not others:
            start, end = edit.start, edit.end
        end = max(end, edit.end)
        (ours if is_ours else others).append(edit)
    if ours or others:
        yield start, end, ours, others


def _read(base: Sequence[str], start: int, end: int, edits: Sequence[_Edit]) -> list[str]:
    """How base[start:end] reads with these changes."""
    words: list[str] = []
    at = start
    for edit in edits:
        words += base[at : edit.start]
        words += edit.words
        at = edit.end
    return words + list(base[at:end])
