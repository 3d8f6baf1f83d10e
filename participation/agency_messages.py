"""What agencies are told: the same facts for the mail with the personal link and for the letter with the code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consultations import agency_answers, invitations
from consultations.agency_overview import Told
from consultations.deadlines import local_date
from consultations.municipalities import Municipality
from participation import i18n, letters, mail
from participation.letters import Letterhead
from participation.overview import phase_name
from participation.web import language_prefix, path_for


@dataclass(frozen=True)
class AgencyMessage:
    """Everything that a mail or letter to an agency says. `link` and `code` are secrets of the addressee.

    `kind`: invitation | reminder | extension | returned | waiting | account. `due_on` is the last day, `received_on` the day it
    counts from; `why` the sentence of the law, empty where it sets no period. `granted_until` and `answer` belong to an
    answered request for more time, `by` and `note` to a draft that was handed on or given back.
    """

    kind: str
    language: str
    letterhead: Letterhead
    agency: str
    name: str
    releases: bool
    procedure_title: str
    reference: str
    place: str
    phase: str
    words: str
    due_on: date | None
    received_on: date | None
    is_assumed: bool
    why: str
    source: str
    link: str
    code: tuple[str, ...]
    door: str
    address: tuple[str, ...]
    granted_until: date | None
    answer: str
    by: str
    note: str
    may_be_disregarded: bool


def message_of(
    told: Told, municipality: Municipality, *, key: bytes, base: str, language: str
) -> AgencyMessage:
    """What a notice says; `key` makes the secret of its link, `base` is the public address of the town."""
    row, procedure = told.invitation, told.procedure
    prefix = language_prefix(language)
    code = invitations.code_of(key, told.link) if told.link.code_key else ""
    minimum = row.proof.get("minimum_end") or {}
    granted = str(told.facts.get("granted_until", ""))
    token = invitations.token_of(key, told.link)
    link = path_for("agency_request", token=token)
    if told.kind == "agency_account":
        link = path_for("agency_open_account", token=token, secret=agency_answers.offer_of(key, told.link))
    return AgencyMessage(
        kind=told.kind.removeprefix("agency_"),
        language=language,
        letterhead=Letterhead.of(municipality),
        agency=told.agency,
        name=told.name if told.name != told.agency else "",
        releases=told.releases,
        procedure_title=procedure.translations.get(language, {}).get("title") or procedure.title,
        reference=procedure.key,
        place=procedure.location_words,
        phase=phase_name(told.phase, language),
        words=told.words,
        due_on=row.due_on,
        received_on=row.received_on,
        is_assumed=bool(told.address) and not row.is_receipt_noted,
        why=str(minimum.get(language, "")),
        source=str(minimum.get("source", "")),
        link=base + prefix + link,
        code=tuple(code[at : at + 4] for at in range(0, len(code), 4)),
        door=base + prefix + path_for("agency_door"),
        address=told.address,
        granted_until=date.fromisoformat(granted) if granted else None,
        answer=str(told.facts.get("answer", "")),
        by=str(told.facts.get("by", "")),
        note=str(told.facts.get("note", "")),
        may_be_disregarded=bool(minimum),
    )


def mail_of(message: AgencyMessage) -> tuple[str, str]:
    """Subject and text of the mail."""
    return mail.compose("agency", message.language, message=message)


def letter_of(message: AgencyMessage, told: Told) -> bytes:
    """The letter as an accessible PDF, for a window envelope, with the code to type in and the way without a computer."""
    _ = i18n.translations(message.language).gettext
    language = message.language
    heading = {
        "invitation": _("Request for your statement"),
        "reminder": _("Reminder: your statement"),
        "extension": _("Your request for more time"),
    }.get(message.kind, _("Request for your statement"))
    facts = [
        (_("Consultation"), [message.procedure_title, message.phase]),
        (_("Our reference"), message.reference),
        (_("Where"), message.place),
        (_("We ask you to answer by"), i18n.date_long(message.due_on, language) if message.due_on else ""),
    ]
    paragraphs = [_("Dear Sir or Madam,"), _opening(message)]
    if message.kind == "extension":
        paragraphs = [_decision(message)]
    if message.words and message.kind == "invitation":
        paragraphs.append(message.words)
    if message.why:
        paragraphs.append(f"{message.why} ({i18n.cited(message.source, language)})")
    if message.is_assumed and message.received_on:
        paragraphs.append(
            _(
                "We assume that this letter reaches you by %(day)s; if it comes later, please tell us: the period then ends later."
            )
            % {"day": i18n.date_long(message.received_on, language)}
        )
    paragraphs.append(
        _(
            "You may answer online with the code below, or by letter, e-mail or fax. “No concerns” is an answer too."
        )
    )
    paragraphs.append(_("Kind regards") + "\n" + message.letterhead.authority)
    return letters.agency_pdf(
        head=message.letterhead,
        language=language,
        heading=heading,
        reference=message.reference,
        address=message.address,
        facts=facts,
        paragraphs=paragraphs,
        code=message.code,
        url=message.door,
        issued_at=told.link.created_at,
        dated=local_date(told.link.created_at),
    )


def _opening(message: AgencyMessage) -> str:
    _ = i18n.translations(message.language).gettext
    if message.kind == "reminder":
        return _("we have asked %(agency)s for a statement and have not heard from you yet.") % {
            "agency": message.agency
        }
    return _("we ask %(agency)s for a statement on this plan, within its own tasks.") % {
        "agency": message.agency
    }


def _decision(message: AgencyMessage) -> str:
    _ = i18n.translations(message.language).gettext
    if message.granted_until:
        said = _("You have more time: we await your statement by %(day)s.") % {
            "day": i18n.date_long(message.granted_until, message.language)
        }
    else:
        said = _("We cannot give you more time.")
    return f"{said}\n{message.answer}" if message.answer else said


def steps_of(language: str, proof: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """How a last day was computed, step by step: the sentence and its source."""
    return tuple((str(step[language]), str(step["source"])) for step in proof.get("steps", ()))
