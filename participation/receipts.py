"""What a receipt says, from what is on record: the same for the screen, the PDF, the mail and the letter."""

from consultations.contributions import Kind
from consultations.municipalities import Municipality
from consultations.received import Record
from participation import i18n, things
from participation.letters import EnclosedFile, Letterhead, ReceiptContext
from participation.web import language_prefix, path_for


def receipt_of(
    record: Record,
    municipality: Municipality,
    *,
    base: str,
    language: str,
    with_code: bool,
    as_letter: bool = False,
    is_amendment: bool = False,
) -> ReceiptContext:
    """The receipt of a contribution in a language.

    `base` is the public address of the town (`web.public_address`); `with_code`: it has the access code, with which one
    acts in the person's place; `as_letter` puts the submitter's address where a window envelope shows it; `is_amendment`: it
    is headed as one (`amendments.is_one`).
    """
    contribution, person, phase = record.contribution, record.person, record.phase
    ended = contribution.due_on or ((phase.effective_end or phase.ends_on) if phase else None)
    prefix = language_prefix(language)
    submitter: tuple[str, ...] = ()
    postal: tuple[str, ...] = ()
    if person:
        town = f"{person.postcode} {person.city}".strip()
        organisation = record.organisation.name if record.organisation else ""
        postal = tuple(line for line in (person.name, organisation, person.street, town) if line)
        submitter = (*postal, *(line for line in (person.email, person.phone) if line))
    return ReceiptContext(
        letterhead=Letterhead.of(municipality),
        language=language,
        kind=Kind(contribution.kind),
        reference=contribution.reference,
        access_code=contribution.access_code if with_code else "",
        procedure_title=record.procedure.translations.get(language, {}).get("title")
        or record.procedure.title,
        channel=contribution.channel,
        received_at=contribution.received_at,
        issued_at=record.receipt.issued_at,
        sha256=record.receipt.payload_sha256,
        lookup_url=base + prefix + path_for("lookup"),
        privacy_url=base + prefix + path_for("privacy"),
        phase_title=phase.title if phase else "",
        is_late=contribution.is_late,
        period_ended=ended if contribution.is_late else None,
        title=contribution.title,
        text=contribution.text,
        text_language=contribution.language,
        refers_to=_refers_to(record, language),
        place=_place(record, language),
        written_on=contribution.written_on,
        on_behalf_of=contribution.on_behalf_of,
        submitter=submitter,
        greeted=person.name if person else "",
        can_be_told=bool(person and (person.email or person.street)),
        wants_publication=contribution.wants_publication,
        is_answer=contribution.kind == Kind.COMMENT.value
        and contribution.parent_id is not None
        and not is_amendment,
        attachments=tuple(
            EnclosedFile(each.filename, each.size, each.sha256, each.pages) for each in record.attachments
        ),
        address=postal if as_letter else (),
        is_amendment=is_amendment,
    )


def _refers_to(record: Record, language: str) -> str:
    parts = [record.document.title if record.document else "", record.contribution.section]
    if record.supplements:
        earlier = i18n.translations(language).gettext("Addition to %(reference)s")
        parts.insert(0, earlier % {"reference": record.supplements.reference})
    return ", ".join(part for part in parts if part)


def _place(record: Record, language: str) -> str:
    """The place in words: those of the person, the name from the list, and where on the map."""
    contribution = record.contribution
    parts = [
        contribution.place_words,
        record.place_name,
        things.in_words(contribution.thing, contribution.elevation, language),
    ]
    if contribution.lon is not None and contribution.lat is not None and not record.place_name:
        parts.append(map_words(contribution.geometry_kind, contribution.lon, contribution.lat, language))
    return "; ".join(part for part in parts if part)


def map_words(kind: str, lon: float, lat: float, language: str) -> str:
    """A place on the map in words: "a point on the map, at 48,37050° north and 10,89780° east"."""
    _ = i18n.translations(language).gettext
    sentence = {
        "point": _("a point on the map, at %(lat)s° north and %(lon)s° east"),
        "line": _("a line on the map, at %(lat)s° north and %(lon)s° east"),
        "area": _("an area on the map, at %(lat)s° north and %(lon)s° east"),
    }[kind]
    return sentence % {"lat": _degrees(lat, language), "lon": _degrees(lon, language)}


def _degrees(value: float, language: str) -> str:
    # Five decimals are about a metre.
    written = f"{value:.5f}"
    return written.replace(".", ",") if language == "de" else written
