"""Letters as accessible PDF: the receipt, and the form for taking part on paper.

Typst sets them as PDF/A-2a and PDF/UA-1: tagged, with title and language. People's texts go in as data, never as
markup. Layout is in `templates/letters/`, words are here, so that both languages are in the catalogues.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from consultations import channels
from consultations.contributions import Kind
from consultations.deadlines import local_date
from consultations.municipalities import Municipality
from consultations.text import plain_paragraphs
from participation import i18n
from participation.settings import ROOT

if TYPE_CHECKING:
    import typst

_TEMPLATES = ROOT / "templates" / "letters"
_FONTS = ROOT / "static" / "vendor" / "letters"
COPY_CHARACTERS, COPY_LINES = 100_000, 4_000
"""How much of a text a receipt copies. Beyond it (some 40 pages) it says so: setting a million characters takes
2 GB and a minute, for anybody who asks."""
_STANDARDS: "list[typst.PDFStandard]" = ["a-2a", "ua-1"]


@dataclass(frozen=True)
class Letterhead:
    """Who writes. `colour` is "#rrggbb"; `supervision` names the data-protection authority one may complain to."""

    authority: str
    office: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    phone: str = ""
    email: str = ""
    hours: str = ""
    colour: str = "#1d5661"
    data_protection_contact: str = ""
    supervision: str = ""

    @classmethod
    def of(cls, municipality: Municipality) -> "Letterhead":
        """The letterhead of a municipality, from its contact and theme."""
        known = {key: str(municipality.contact.get(key, "")) for key in _CONTACT}
        colour = {"colour": str(municipality.theme["brand"])} if municipality.theme.get("brand") else {}
        return cls(authority=municipality.authority or municipality.name, **known, **colour)

    @property
    def postal_lines(self) -> tuple[str, ...]:
        """Where letters to it go."""
        lines = (self.authority, self.office, self.street, f"{self.postcode} {self.city}".strip())
        return tuple(line for line in lines if line)


_CONTACT = (
    "office", "street", "postcode", "city", "phone", "email", "hours", "data_protection_contact", "supervision",
)  # fmt: skip


@dataclass(frozen=True)
class EnclosedFile:
    """A file that was handed in: size in bytes, SHA-256 as 64 hexadecimal digits."""

    filename: str
    size: int
    sha256: str
    pages: int | None = None


@dataclass(frozen=True)
class ReceiptContext:
    """Everything that a receipt says, for the PDF and for `templates/mail/receipt.txt`.

    `received_at` and `issued_at` are aware. `submitter` and `address` are lines; with an `address` the PDF is a letter
    for a window envelope. `access_code` has eight characters, or none in a copy that leaves it out. `lookup_url` is where the code is typed in.
    `period_ended` is the last day of the period that a late statement missed. `can_be_told` says that there is an
    address or e-mail to which a result can go; `greeted` is the name to greet in a mail, empty if unknown.
    """

    letterhead: Letterhead
    language: str
    kind: Kind
    reference: str
    access_code: str
    procedure_title: str
    channel: str
    received_at: datetime
    issued_at: datetime
    sha256: str
    lookup_url: str
    privacy_url: str
    phase_title: str = ""
    is_late: bool = False
    period_ended: date | None = None
    title: str = ""
    text: str = ""
    text_language: str = ""
    refers_to: str = ""
    place: str = ""
    written_on: date | None = None
    on_behalf_of: str = ""
    submitter: tuple[str, ...] = ()
    greeted: str = ""
    can_be_told: bool = False
    wants_publication: bool = False
    #: A comment on something that others handed in, and no amendment.
    is_answer: bool = False
    attachments: tuple[EnclosedFile, ...] = ()
    address: tuple[str, ...] = field(default=())

    @property
    def code_groups(self) -> tuple[str, ...]:
        """The access code in groups of four, as it is printed and read out."""
        return tuple(self.access_code[at : at + 4] for at in range(0, len(self.access_code), 4))

    @property
    def next_steps(self) -> list[str]:
        """What happens next, in sentences."""
        return _next_steps(self, i18n.translations(self.language).gettext)

    #: Whether it is other words for a proposal (its kind is a comment).
    is_amendment: bool = False


@dataclass(frozen=True)
class FormContext:
    """Everything on the paper form of a procedure. `ends_on` is the last day on which it may arrive."""

    letterhead: Letterhead
    language: str
    procedure_key: str
    procedure_title: str
    url: str
    privacy_url: str
    issued_at: datetime
    phase_title: str = ""
    ends_on: date | None = None


# ------------------------------------------------------------------------------------------------------------ receipt


def receipt_heading(kind: Kind, language: str, *, is_amendment: bool = False) -> str:
    """What the receipt is for, as a heading."""
    _ = i18n.translations(language).gettext
    if is_amendment:
        return _("We have received your amendment")
    return {
        Kind.STATEMENT: _("We have received your statement"),
        Kind.PROPOSAL: _("We have received your proposal"),
        Kind.COMMENT: _("We have received your comment"),
    }[kind]


def receipt_pdf(receipt: ReceiptContext) -> bytes:
    """The receipt as PDF: what was received, when exactly, a full copy, what happens next, the access code."""
    words = i18n.translations(receipt.language)
    _ = words.gettext
    language = receipt.language
    heading = receipt_heading(receipt.kind, language, is_amendment=receipt.is_amendment)
    facts: list[tuple[str, Any]] = [
        (_("Reference number"), receipt.reference),
        (_("Received"), i18n.datetime_exact(receipt.received_at, language)),
        (_("Handed in as"), _(channels.by_key(receipt.channel).label)),
        (_("Consultation"), [line for line in (receipt.procedure_title, receipt.phase_title) if line]),
    ]
    content = [
        (_("Handed in by"), list(receipt.submitter)),
        (_("On behalf of"), receipt.on_behalf_of),
        (_("Written on"), i18n.date_short(receipt.written_on, language) if receipt.written_on else ""),
        (_("Refers to"), receipt.refers_to),
        (_("Place"), receipt.place),
        (_("Publication"), _publication(receipt, _)),
    ]
    own_language = receipt.text_language or language
    copy = _copy(receipt.text)
    data = {
        **common(receipt.letterhead, language),
        "title": f"{heading}: {receipt.reference}",
        "heading": heading,
        "footer": _("Receipt %(reference)s") % {"reference": receipt.reference},
        "address": list(receipt.address),
        "aside": _aside(receipt, _),
        "intro": _paragraphs(_intro(receipt, _), language),
        "facts": facts,
        "code": {
            "label": _("Your access code"),
            "groups": list(receipt.code_groups),
            "left-out": _(
                "This copy leaves out the access code. It is in the receipt that was made when we received it; if that is "
                "lost, ask us for a new one."
            ),
            "online": _("Look up the state, add something or withdraw it from publication:"),
            "url": receipt.lookup_url,
            "shown-url": receipt.lookup_url.partition("://")[2],
            "phone": _("Or call us at %(phone)s and have the code ready.")
            % {"phone": receipt.letterhead.phone}
            if receipt.letterhead.phone
            else "",
            "qr": qr(receipt.lookup_url),
            "qr-alt": _("QR code that leads to the page where you type in the code"),
        },
        "next": {"heading": _("What happens next"), "items": receipt.next_steps},
        "content": {
            "heading": _("What you handed in"),
            "facts": [(label, value) for label, value in content if value],
            "title": _paragraphs(receipt.title, own_language)[0] if receipt.title else "",
            "paragraphs": _paragraphs(copy, own_language),
            "unprinted": "",
            "note": _note(receipt, copy, _),
        },
        "files": {
            "heading": _("Attached files"),
            "columns": [_("No."), _("File and fingerprint (SHA-256)"), _("Size")],
            "rows": [
                (
                    str(number),
                    file.filename,
                    hash_groups(file.sha256),
                    _size(file, words.ngettext, language),
                )
                for number, file in enumerate(receipt.attachments, 1)
            ],
        },
        "seal": {
            "heading": _("Fingerprint"),
            "text": _(
                "These 64 characters (SHA-256) are computed from everything that you handed in. If a single letter of "
                "it were changed later, they would no longer match."
            ),
            "groups": hash_groups(receipt.sha256),
        },
        "privacy": {
            "heading": _("Your data"),
            "paragraphs": _paragraphs(_privacy(receipt.letterhead, receipt.privacy_url, _), language),
        },
    }
    return typeset("receipt.typ", data, receipt.issued_at, _)


def _copy(text: str) -> str:
    lines = text[:COPY_CHARACTERS].split("\n")
    return (
        text if len(text) <= COPY_CHARACTERS and len(lines) <= COPY_LINES else "\n".join(lines[:COPY_LINES])
    )


def _note(receipt: ReceiptContext, copy: str, _: Callable[[str], str]) -> str:
    if not receipt.text:
        return _("You handed in no text; the content is in the attached files.")
    if copy == receipt.text:
        return ""
    return _(
        "The copy ends here; your text goes on and has %(characters)s characters. We have all of it: with your access "
        "code you can read it."
    ) % {"characters": i18n.number(len(receipt.text), receipt.language)}


def _intro(receipt: ReceiptContext, _: Callable[[str], str]) -> str:
    thanks = _(
        "Thank you for taking part. Please keep this receipt: it has all that you need to come back to it."
    )
    if not receipt.is_late:
        return thanks
    if receipt.period_ended is None:
        late = _("It reached us after the end of the period. We keep it and have marked it as late.")
    else:
        late = _(
            "The period ended on %(day)s; it reached us later. We keep it and have marked it as late."
        ) % {"day": i18n.date_short(receipt.period_ended, receipt.language)}
    return f"{thanks}\n\n{late}"


def _aside(receipt: ReceiptContext, _: Callable[[str], str]) -> list[tuple[str, str]]:
    aside = [
        (_("Our reference"), receipt.reference),
        (_("Date"), i18n.date_short(local_date(receipt.issued_at), receipt.language)),
    ]
    if receipt.letterhead.phone:
        aside.append((_("Telephone"), receipt.letterhead.phone))
    return aside


def _publication(receipt: ReceiptContext, _: Callable[[str], str]) -> str:
    if receipt.wants_publication:
        return _("may be published, without your name")
    return _("is not to be published")


def _next_steps(receipt: ReceiptContext, _: Callable[[str], str]) -> list[str]:
    if receipt.kind is Kind.STATEMENT:
        steps = [
            _(
                "Your statement is examined, and every point in it is weighed together with all other interests."
            ),
            _("The council decides how to deal with it."),
            _("You will be told the result.")
            if receipt.can_be_told
            else _(
                "You did not tell us where to reach you, so we cannot write to you. With your access code you can "
                "look up the result."
            ),
        ]
    else:
        steps = [_("We read it and consider it when we go on planning.")]
    if receipt.wants_publication:
        steps.append(
            _("Before it is published, somebody checks that no names or addresses can be read in it.")
        )
    steps.append(_("You can add something to it at any time. What you handed in stays as it is."))
    if receipt.is_answer and receipt.wants_publication:
        steps.append(
            _(
                "With the access code a comment on a proposal can be written anew later. The earlier wording stays, and "
                "everybody sees that it was changed."
            )
        )
    return steps


def _size(file: EnclosedFile, ngettext: Callable[[str, str, int], str], language: str) -> str:
    size = i18n.filesize(file.size, language)
    if file.pages is None:
        return size
    return f"{size}, " + ngettext("%(num)s page", "%(num)s pages", file.pages) % {"num": file.pages}


# --------------------------------------------------------------------------------------------------------------- form


def form_pdf(form: FormContext) -> bytes:
    """The form for taking part on paper: two pages to print, fill in by hand and post or hand in."""
    _ = i18n.translations(form.language).gettext
    head = form.letterhead
    facts: list[tuple[str, Any]] = [
        (_("Consultation"), [line for line in (form.procedure_title, form.phase_title) if line]),
        (_("Reference number"), form.procedure_key),
    ]
    if form.ends_on:
        facts.append((_("Must reach us by"), i18n.date_long(form.ends_on, form.language)))
    contact = " · ".join(part for part in (head.phone, head.email) if part)
    other = _("Or hand it in in person, or tell us what you have to say: %(contact)s. Or online:")
    data = {
        **common(head, form.language),
        "title": f"{_('Take part on paper')}: {form.procedure_title}",
        "heading": _("Take part on paper"),
        "footer": form.procedure_key,
        "facts": facts,
        "intro": _paragraphs(
            _("Write what you think. Only the text matters; everything else is up to you."), form.language
        ),
        "send": {
            "heading": _("Please send the form to"),
            "address": list(head.postal_lines),
            "other": other % {"contact": contact} if contact else _("Or hand it in in person. Or online:"),
            "url": form.url,
            "shown-url": form.url.partition("://")[2],
            "qr": qr(form.url),
            "qr-alt": _("QR code that leads to the consultation's page"),
        },
        "text": {
            "heading": _("What you have to say"),
            "hint": _("If it is about a certain place or part of the plan, please say which."),
            "hint-more": _("Go on here, or on further sheets. Write the reference on each of them."),
        },
        "person": {
            "heading": _("Who you are"),
            "hint": _("All of this is optional. Without an address or e-mail we cannot send you a receipt."),
            "fields": [
                _("Name"),
                _("On behalf of (for example a club or family)"),
                _("Street and house number"),
                _("Postcode and town"),
                _("E-mail"),
                _("Telephone"),
            ],
        },
        "publish": {
            "heading": _("May we publish your text without your name?"),
            "choices": [_("Yes, you may publish it."), _("No, please do not publish it.")],
        },
        "privacy": {
            "heading": _("Your data"),
            "paragraphs": _paragraphs(
                _privacy(head, form.privacy_url, _).replace("\n\n", " "), form.language
            ),
        },
    }
    return typeset("form.typ", data, form.issued_at, _)


# ---------------------------------------------------------------------------------------------------------- agencies


def agency_pdf(
    *,
    head: Letterhead,
    language: str,
    heading: str,
    reference: str,
    address: Sequence[str],
    facts: Sequence[tuple[str, Any]],
    paragraphs: Sequence[str],
    code: Sequence[str],
    url: str,
    issued_at: datetime,
    dated: date,
) -> bytes:
    """A letter to an agency as PDF: what is asked until when, and the code (in groups of four) to type in at `url`."""
    _ = i18n.translations(language).gettext
    data = {
        **common(head, language),
        "title": f"{heading}: {reference}",
        "heading": heading,
        "footer": reference,
        "address": list(address),
        "aside": [(_("Our reference"), reference), (_("Date"), i18n.date_short(dated, language))]
        + ([(_("Telephone"), head.phone)] if head.phone else []),
        "facts": [(label, value) for label, value in facts if value],
        "intro": _paragraphs("\n\n".join(paragraphs), language),
        "code": {
            "label": _("Your access code"),
            "groups": list(code),
            "online": _("All documents, and the form for your answer:"),
            "url": url,
            "shown-url": url.partition("://")[2],
            "phone": _("Or call us at %(phone)s and have the code ready.") % {"phone": head.phone}
            if head.phone
            else "",
            "qr": qr(url),
            "qr-alt": _("QR code that leads to the page where you type in the code"),
        },
    }
    return typeset("agency.typ", data, issued_at, _)


# ------------------------------------------------------------------------------------------------------------- shared


def common(head: Letterhead, language: str) -> dict[str, Any]:
    """What `templates/letters/common.typ` needs for every paper of a municipality, without an address."""
    _ = i18n.translations(language).gettext
    place = f"{head.postcode} {head.city}".strip()
    lines = [", ".join(part for part in (head.street, place) if part), head.phone, head.email, head.hours]
    return {
        "lang": language,
        "colour": head.colour,
        "head": {
            "authority": head.authority,
            "office": head.office,
            "lines": [line for line in lines if line],
        },
        "address": [],
        "aside": [],
        "return-line": " · ".join(part for part in (head.authority, head.street, place) if part),
        "page-of": _("page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"},
    }


def _privacy(head: Letterhead, url: str, _: Callable[[str], str]) -> str:
    """The short notice of Art. 13 GDPR (law-and-standards R-3.7, R-6.1); the long one is behind the address."""
    parts = [
        _(
            "%(authority)s uses your data to carry out this consultation (Art. 6(1)(e) and (3) GDPR with the law that "
            "the consultation follows). Those who plan, decide on or review the plan receive what they need of it. "
            "The file is kept as long as the plan can be reviewed, and then offered to the archive."
        )
        % {"authority": head.authority},
        _(
            "You may ask for information about your data, have mistakes corrected, have its use restricted and "
            "object to it. More about it: %(url)s."
        )
        % {"url": url.partition("://")[2]},
    ]
    if head.data_protection_contact:
        parts.append(
            _("Data protection officer: %(contact)s.") % {"contact": head.data_protection_contact.rstrip(".")}
        )
    if head.supervision:
        parts.append(_("You may complain to: %(authority)s.") % {"authority": head.supervision.rstrip(".")})
    return "\n\n".join([parts[0], " ".join(parts[1:])])


def qr(url: str) -> str:
    """A QR code as SVG text."""
    import segno

    return str(segno.make(url, error="m", micro=False).svg_inline(border=0, dark="#1a1a1a"))


def hash_groups(sha256: str) -> list[str]:
    """A fingerprint in groups of sixteen, as it is compared by eye."""
    return [sha256[at : at + 16] for at in range(0, len(sha256), 16)]


def _paragraphs(text: str, language: str) -> list[dict[str, Any]]:
    return [
        {"lines": paragraph.split("\n"), "rtl": _reads_from_the_right(paragraph), "lang": language}
        for paragraph in plain_paragraphs(text)
    ]


def _reads_from_the_right(text: str) -> bool:
    """By the first letter that has a direction (UAX #9, P2)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((found in ("R", "AL") for found in directions if found in ("L", "R", "AL")), False)


# -- typesetting


@cache
def _fonts() -> "typst.Fonts":
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[str(_FONTS)] if _FONTS.is_dir() else [])


_MISSING = re.compile(r'the text `"(.+?)"` could not be displayed|contains the codepoint `"(.+?)"`')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_ROUNDS = 8


def typeset(template: str, data: dict[str, Any], issued_at: datetime, _: Callable[[str], str]) -> bytes:
    """The template filled with `data`, as PDF/A-2a and PDF/UA-1.

    A character that no font has would break both standards: it is shown by its number ("[U+5712]") and the copy says
    so. What it was handed in as stays untouched in the file.
    """
    import typst

    data = _each_text(data, _printable)
    numbered = False
    for _round in range(_ROUNDS):
        if numbered and "content" in data:
            data["content"]["unprinted"] = _(
                "Characters that cannot be printed here are shown by their numbers. We keep your text unchanged."
            )
        try:
            made = typst.compile(
                str(_TEMPLATES / template),
                root=str(_TEMPLATES),
                font_paths=_fonts(),
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
                format="pdf",
                pdf_standards=_STANDARDS,
                timestamp=issued_at.replace(microsecond=0),  # typst refuses fractions of a second
            )
        except typst.TypstError as error:
            missing = {
                _ESCAPED.sub(lambda match: chr(int(match[1], 16)), one or other)
                for one, other in _MISSING.findall(error.diagnostic)
            }
            if not missing:
                raise
            data = _each_text(data, partial(_numbered, missing=missing))
            numbered = True
        else:
            return bytes(made)
    raise RuntimeError(f"{template}: characters remain that no font has")


_LONG_WORD = re.compile(r"\S{60,}")
_TEN = re.compile(r"(.{10})(?=.)")
_FOR_MACHINES = frozenset({"qr", "url", "colour", "lang"})


def _each_text(data: Any, change: Callable[[str], str]) -> Any:
    """`data` with every text for people changed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {key: part if key in _FOR_MACHINES else _each_text(part, change) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [_each_text(part, change) for part in data]
    return data


def _printable(text: str) -> str:
    """`text` without what no font can have by definition, and with places to break in very long words."""
    known = "".join(
        character if unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs") or character == "\n" else
        " " if character == "\t" else _number(character)
        for character in text
    )  # fmt: skip
    return _LONG_WORD.sub(lambda word: _TEN.sub("\\1\u200b", word[0]), known)


def _number(text: str) -> str:
    return "".join(f"[U+{ord(character):04X}]" for character in text)


def _numbered(text: str, missing: Set[str]) -> str:
    # Of several characters only those that make one sign together are missing; each alone may well be there.
    for sign in sorted((sign for sign in missing if len(sign) > 1), key=len, reverse=True):
        text = text.replace(sign, _number(sign))
    return text.translate({ord(sign): _number(sign) for sign in missing if len(sign) == 1})
