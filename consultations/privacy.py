"""Words that may give a person away: suggestions for the moderator, never decisions (law-and-standards R-3.6)."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Trait(StrEnum):
    """What a passage may reveal."""

    EMAIL = "email"
    PHONE = "phone"
    PARCEL = "parcel"
    NAMED_PERSON = "named_person"
    HOUSE_NUMBER = "house_number"
    BANK_ACCOUNT = "bank_account"
    NUMBER_PLATE = "number_plate"


@dataclass(frozen=True)
class Hint:
    """A passage worth a look: where it stands (characters) and what it may reveal."""

    start: int
    end: int
    words: str
    trait: Trait


_NAME = r"[A-ZÄÖÜ][\wäöüß'’-]+"
_PATTERNS: tuple[tuple[Trait, re.Pattern[str]], ...] = (
    (Trait.EMAIL, re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")),
    (Trait.BANK_ACCOUNT, re.compile(r"\b[A-Z]{2}\d{2}(?: ?\d{4}){4}(?: ?\d{1,2})\b")),
    (Trait.PARCEL, re.compile(r"\b(?:Fl(?:ur)?\.?-?\s?(?:st(?:ü|ue)ck(?:s)?|Nr)\.?(?:\s?(?:Nr|nummer)\.?)?)\s*\d+(?:/\d+)?", re.I)),
    (Trait.PHONE, re.compile(r"(?<![\w/])(?:\+49|0)[\d /()-]{6,20}\d(?!\w)")),
    (Trait.NUMBER_PLATE, re.compile(r"\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} ?\d{1,4}[EH]?\b")),
    (
        Trait.NAMED_PERSON,
        re.compile(rf"\b(?:Frau|Herrn?|Familie|Fam\.|Dr\.|Mrs?\.?|Ms\.?)\s+(?:Dr\.\s+)?{_NAME}(?:\s+{_NAME})?"),
    ),
    (
        Trait.HOUSE_NUMBER,
        re.compile(rf"\b{_NAME}(?:str(?:aße|asse|\.)|gasse|weg|platz|allee|ring|damm|hof)\s+\d{{1,4}}\s?[a-z]?\b"),
    ),
)  # fmt: skip


def hints(text: str) -> list[Hint]:
    """Passages of a text that may give somebody away, in order; where two overlap, the first kind wins.

    Linear in the length of the text; a person decides on every one.
    """
    found: list[Hint] = []
    for trait, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(match.start() < hint.end and hint.start < match.end() for hint in found):
                found.append(Hint(match.start(), match.end(), match.group().strip(), trait))
    return sorted(found, key=lambda hint: hint.start)


def blacked_out(text: str, marked: list[Hint]) -> str:
    """The text with the hinted passages replaced by one block each, for a moderator to start from."""
    out, at = [], 0
    for hint in sorted(marked, key=lambda hint: hint.start):
        out += [text[at : hint.start], "█████"]
        at = hint.end
    return "".join([*out, text[at:]])
