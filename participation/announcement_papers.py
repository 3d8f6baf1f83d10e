"""What of an announcement is printed: the announcement itself, a poster (A3), a site notice (A4), and the gazette's text.

All of them are accessible PDF like the letters. The announcement is in German, which is authoritative; poster and
site notice are its friendly short form in the reader's language and say where the whole text is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from consultations.announcement_text import MISSING_MARK
from participation import i18n
from participation.letters import Letterhead, common, qr, typeset

#: How a missing part begins in a text.
_MISSING = MISSING_MARK.partition("{")[0]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of an announcement: its heading, its lines, and the law that asks for it."""

    heading: str
    text: str
    law: str = ""
    is_statutory: bool = False


@dataclass(frozen=True)
class Place:
    """Where the documents can be seen, as a poster names it."""

    name: str
    address: str = ""
    hours: str = ""
    step_free: str = ""


@dataclass(frozen=True)
class Paper:
    """Everything that is printed. `plan` is an SVG document or empty; `address` leads to the consultation.

    `ends_on` is the announced last day. `kind` says what happens, such as "Publication of the draft".
    """

    letterhead: Letterhead
    language: str
    title: str
    key: str
    kind: str
    summary: str
    area: str
    paragraphs: tuple[Paragraph, ...]
    version: int
    made_at: datetime
    address: str
    starts_on: date | None = None
    ends_on: date | None = None
    places: tuple[Place, ...] = ()
    contact: tuple[str, ...] = ()
    plan: str = ""


def announcement_pdf(paper: Paper) -> bytes:
    """The whole announcement in German, as it is hung out and kept, with the sketch of the area."""
    _ = i18n.translations("de").gettext
    first, *others = paper.paragraphs
    data = {
        **common(paper.letterhead, "de"),
        "title": f"{_('Announcement')}: {paper.key} {paper.title}",
        "footer": _("Announcement %(key)s, version %(number)s of %(day)s")
        % {"key": paper.key, "number": paper.version, "day": i18n.date_short(paper.made_at.date(), "de")},
        "kicker": first.heading,
        "heading": first.text.split("\n")[0],
        "basis": "\n".join(first.text.split("\n")[1:]),
        "parts": [_part(paragraph) for paragraph in others],
        "plan": _plan(paper, _("Sketch: the plan area among its streets. In words: %(words)s")),
        "plan-caption": _("Sketch of the area"),
        "qr": qr(paper.address),
        "qr-alt": _("QR code that leads to the documents"),
        "online": _("Documents and statements online:"),
        "url": paper.address,
        "shown-url": paper.address.partition("://")[2],
    }
    return typeset("announcement.typ", data, paper.made_at, _)


def _part(paragraph: Paragraph) -> dict[str, Any]:
    """Lines that begin with a dash are a list, and so they are set as one."""
    blocks: list[dict[str, Any]] = []
    for line in paragraph.text.split("\n"):
        is_item = line.startswith("– ")
        text = line.removeprefix("– ")
        if is_item and blocks and blocks[-1]["kind"] == "list":
            blocks[-1]["items"].append(text)
        elif is_item:
            blocks.append({"kind": "list", "items": [text]})
        else:
            blocks.append({"kind": "text", "text": text, "missing": _MISSING in text})
    return {"heading": paragraph.heading, "blocks": blocks, "statutory": paragraph.is_statutory}


def _plan(paper: Paper, alt: str) -> dict[str, str] | None:
    return {"svg": paper.plan, "alt": alt % {"words": paper.area}} if paper.plan else None


def poster_pdf(paper: Paper, *, size: str = "a3") -> bytes:
    """A poster ("a3") or site notice ("a4"): what, where, until when, and how to take part; readable from two metres."""
    words = i18n.translations(paper.language)
    _ = words.gettext
    language = paper.language
    if paper.starts_on and paper.ends_on:
        dates = [
            (_("from"), i18n.date_long(paper.starts_on, language)),
            (_("until"), i18n.date_long(paper.ends_on, language)),
        ]
    else:
        dates = []
    data = {
        **common(paper.letterhead, language),
        "size": size,
        "scale": 1.0 if size == "a3" else 0.7071,
        "title": f"{paper.title}: {paper.kind}",
        "kicker": _("Have your say"),
        "heading": paper.title,
        "kind": f"{paper.kind} · {paper.key}",
        "summary": paper.summary,
        "dates": dates,
        "area": {"label": _("Where?"), "text": paper.area},
        "plan": _plan(paper, _("Plan: the plan area among its streets. In words: %(words)s")),
        "online": {
            "label": _("Documents and statements online, without an account"),
            "url": paper.address,
            "shown-url": paper.address.partition("://")[2],
            "qr": qr(paper.address),
            "qr-alt": _("QR code that leads to the documents"),
        },
        "places": {
            "label": _("On paper and on site"),
            "items": [
                {"name": each.name, "lines": [line for line in (each.address.replace("\n", ", "), each.hours, each.step_free) if line]}
                for each in paper.places[:2]
            ],
        },
        "contact": {"label": _("Questions? Talk to us"), "lines": list(paper.contact)},
        "small": _(
            "Every way counts the same: online, by letter, by e-mail, by telephone or in person. The whole announcement "
            "hangs at the town hall and is on the internet; it alone is authoritative."
        ),
    }  # fmt: skip
    return typeset("poster.typ", data, paper.made_at, _)


def gazette_text(paragraphs: Sequence[Paragraph]) -> str:
    """The text for the official gazette: plain, with headings and line ends that every editor reads."""
    blocks = [f"{each.heading}\n{each.text}" if each.heading else each.text for each in paragraphs]
    return "\r\n\r\n".join(block.replace("\n", "\r\n") for block in blocks) + "\r\n"
