"""What people tell the town about its website: barriers, and documents they need in another form."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from consultations import journal, notices
from consultations.municipalities import Municipality
from consultations.notices import NoticeWay
from consultations.permissions import Actor
from consultations.refusals import Code, Refusal
from consultations.text import normalise

TEXT_LIMIT = 10_000


@dataclass(frozen=True)
class Barrier:
    """What is in the way, on which page or in which document, and where to answer (may be empty)."""

    text: str
    where: str = ""
    email: str = ""


def report_barrier(
    session: Session, municipality: Municipality, barrier: Barrier, *, language: str, by: Actor, now: datetime
) -> None:
    """Leave the town a notice of a barrier: by mail, or as a letter to print where it has no mail address.

    Accessibility law asks for a feedback mechanism on every page (BITV 2.0 §7(2) no. 2). The journal says that
    something was reported, never what: it may hold personal data.
    Raises Refusal EMPTY_CONTRIBUTION ("text"), TEXT_TOO_LONG.
    """
    assert municipality.id is not None
    text = normalise(barrier.text, field="text", limit=TEXT_LIMIT).strip()
    if not text:
        raise Refusal(Code.EMPTY_CONTRIBUTION, "text")
    email = str(municipality.contact.get("email", ""))
    notice_id = notices.leave(
        session,
        municipality_id=municipality.id,
        kind="barrier_report",
        way=NoticeWay.MAIL if email else NoticeWay.LETTER,
        address=email or str(municipality.contact.get("office") or municipality.name),
        to_name=municipality.authority or municipality.name,
        language=language,
        facts={
            "text": text,
            "where": normalise(barrier.where, field="where", limit=500).strip(),
            "email": normalise(barrier.email, field="email", limit=254).strip(),
        },
        now=now,
    )
    journal.append(
        session,
        municipality_id=municipality.id,
        verb="barrier_reported",
        by=by,
        at=now,
        subject=f"notice:{notice_id}",
    )
