"""The words of a proposal in named sections and languages: put together, taken apart, amended at named places.

`Texts` are words by language and section; the section `title` is one of them. A patch names the section and the
language that it touches and nothing else ever moves; what other languages say is marked stale, never dropped. Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consultations.cocreation import SECTIONS, TITLE, WHOLE
from consultations.merging import Clash, merge

Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Passage:
    """One section as it was handed in; `heading` is what its field was called, empty where there was no field."""

    key: str
    heading: str
    text: str


@dataclass(frozen=True)
class Patch:
    """The wished words of one section in one language, and the hash of the words that they were written against."""

    language: str
    section: str
    text: str
    from_sha256: str = ""


@dataclass(frozen=True)
class Applied:
    """What a text became: the new words, which of them are stale ("en/why"), and what could not be put together."""

    texts: dict[str, dict[str, str]]
    stale: tuple[str, ...]
    #: Sections, as "de/why", with the places where both changed the same words.
    clashes: Mapping[str, tuple[Clash, ...]]


def compose(passages: Sequence[Passage]) -> str:
    """The sections as one text, each under its heading; what is empty is left out."""
    parts = []
    for passage in passages:
        words = passage.text.strip("\n")
        if words.strip():
            parts.append(f"{passage.heading}\n{words}" if passage.heading else words)
    return "\n\n".join(parts)


def passages_of(texts: Texts, language: str, headings: Sequence[Sequence[str]]) -> list[Passage]:
    """The sections of a language without the title, in the order of their headings; what has none comes last.

    Where a text came whole and got sections later, these stand in the usual order, the whole first.
    """
    words, named = texts.get(language, {}), {each[0]: each[1] for each in headings}
    usual = [each.key for each in SECTIONS]
    nameless = sorted(set(words) - named.keys() - {TITLE})
    nameless.sort(key=lambda key: usual.index(key) if key in usual else len(usual))
    keys = [key for key in named if key in words] + nameless
    return [Passage(key, named.get(key, ""), words[key]) for key in keys]


def fingerprint(text: str) -> str:
    """The hash by which a patch names the words that it was written against."""
    return hashlib.sha256(text.encode()).hexdigest()


def whole_text(title: str, text: str, language: str) -> dict[str, dict[str, str]]:
    """The words of a proposal that came without sections."""
    return {language: {TITLE: title, WHOLE: text}}


def changed(before: Texts, after: Texts) -> list[str]:
    """The sections that differ, as "de/why", in order."""
    places = {(language, key) for texts in (before, after) for language in texts for key in texts[language]}
    return [
        f"{language}/{key}"
        for language, key in sorted(places)
        if before.get(language, {}).get(key, "") != after.get(language, {}).get(key, "")
    ]


def apply(
    patches: Iterable[Patch],
    *,
    base: Texts,
    current: Texts,
    stale: Iterable[str] = (),
    is_translation: bool = False,
) -> Applied:
    """Put patches, written against `base`, into `current`: a three-way merge per named section and language.

    Sections and languages that no patch names stay to the letter; the same section in other languages becomes stale.
    A translation makes the section that it names fresh and no other stale. Where a section clashes it keeps its
    current words.
    """
    texts = {language: dict(words) for language, words in current.items()}
    outdated = set(stale)
    clashes: dict[str, tuple[Clash, ...]] = {}
    for patch in patches:
        there = f"{patch.language}/{patch.section}"
        before = base.get(patch.language, {}).get(patch.section, "")
        now = current.get(patch.language, {}).get(patch.section, "")
        merged = merge(before, patch.text, now)
        if merged.clashes:
            clashes[there] = merged.clashes
            continue
        if merged.text == now:
            if is_translation:
                outdated.discard(there)
            continue
        texts.setdefault(patch.language, {})[patch.section] = merged.text
        if is_translation:
            outdated.discard(there)
        else:
            outdated |= {
                f"{language}/{patch.section}"
                for language, words in current.items()
                if language != patch.language and words.get(patch.section)
            }
    return Applied(texts, tuple(sorted(outdated)), clashes)
