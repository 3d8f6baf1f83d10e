"""Announcements: versions of the text that tells people of a phase, and the acts by which it was made public.

The text is written by `announcement_text` from what is on record; a planner adds what only people know (themes of the
environmental information, free paragraphs). Every saving is a new version, nothing is changed later. An act says where
a version was made public, on which day, in which issue, with which proof; a mistaken one is cancelled, not erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select

from consultations import announcement_text, checks
from consultations.announcement_text import Case, Option, Part, Particulars, Theme
from consultations.checks import Medium
from consultations.deadlines import local_date
from consultations.documents import documents_of
from consultations.municipalities import Municipality
from consultations.permissions import Actor
from consultations.phases import Phase, PhaseKind, phases_of
from consultations.procedures import Procedure, ProcedureState, note_in_journal, require_planner
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime
from consultations.text import normalise

#: Themes of environmental information as BauGB §1(6) no. 7 groups them; a planner may write others.
THEMES: tuple[str, ...] = (
    "Mensch und Gesundheit",
    "Tiere, Pflanzen und biologische Vielfalt",
    "Fläche und Boden",
    "Wasser",
    "Luft und Klima",
    "Landschaft und Ortsbild",
    "Kultur- und Sachgüter",
    "Lärm und Verkehr",
)

#: Paragraphs that a planner may write, by their keys in `announcement_text`.
FREE_PARTS = ("intro", "more", "reasons")


class Announcement(SQLModel, table=True):
    """A version of a phase's announcement. Never changed."""

    __tablename__ = "announcement"
    __table_args__ = (UniqueConstraint("phase_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id")
    number: int
    made_at: datetime = Field(sa_type=UtcDateTime)
    made_by: str
    starts_on: date | None = None
    ends_on: date | None = None
    effective_end: date | None = None
    #: Where the documents are, as the text says it.
    address: str = ""
    #: What the planner entered: see `Entered`.
    entered: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: The paragraphs, each with its law: [{"key", "heading", "text", "law", "is_statutory"}].
    parts: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    #: The places that it names as other easy access.
    places: list[str] = Field(default_factory=list, sa_type=Json)
    text: str


class PublicationAct(SQLModel, table=True):
    """A version of an announcement was made public somewhere. Never changed; a mistake is cancelled by another row."""

    __tablename__ = "publication_act"

    id: int | None = Field(default=None, primary_key=True)
    phase_id: int = Field(foreign_key="phase.id", index=True)
    announcement_id: int = Field(foreign_key="announcement.id")
    medium: str
    #: The day on which it appeared there, or will.
    day: date
    #: Issue, page, place of the board, or address.
    issue: str = ""
    #: The proof: a file by its content; for this website (without a file name) a digest of the text itself.
    sha256: str = ""
    filename: str = ""
    media_type: str = ""
    size: int = 0
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str
    #: The act that this row takes back, and why.
    cancels_id: int | None = Field(default=None, foreign_key="publication_act.id")
    note: str = ""


@dataclass(frozen=True)
class Entered:
    """What a planner adds to an announcement. `plot_area` in square metres (BauGB §13a(1))."""

    themes: tuple[Theme, ...] = ()
    portal: str = ""
    plot_area: int | None = None
    is_examined: bool = False
    crosses_border: bool = False
    free: dict[str, str] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "themes": [
                {"theme": each.theme, "keywords": each.keywords, "documents": sorted(each.documents)}
                for each in self.themes
            ],
            "portal": self.portal,
            "plot_area": self.plot_area,
            "is_examined": self.is_examined,
            "crosses_border": self.crosses_border,
            "free": self.free,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Entered:
        """From JSON values; what is missing is empty."""
        return cls(
            themes=tuple(
                Theme(each["theme"], each["keywords"], frozenset(each["documents"]))
                for each in data.get("themes", ())
            ),
            portal=data.get("portal", ""),
            plot_area=data.get("plot_area"),
            is_examined=data.get("is_examined", False),
            crosses_border=data.get("crosses_border", False),
            free=dict(data.get("free", {})),
        )


@dataclass(frozen=True)
class Proof:
    """A kept file that proves an act, as `files.accept_upload` describes it."""

    sha256: str
    filename: str
    media_type: str
    size: int


# --- what an announcement speaks of --------------------------------------------------------------------------------


def case_of(procedure: Procedure, phase: Phase, phases: Sequence[Phase], entered: Entered) -> Case:
    """What decides which law the announcement of a phase follows."""
    return Case(
        plan_kind=procedure.plan_kind,
        variant=procedure.variant,
        kind=phase.kind,
        law_version=procedure.law_version,
        limited_to=phase.limited_to,
        plot_area=entered.plot_area,
        has_early=any(each.kind == PhaseKind.EARLY.value for each in phases),
        crosses_border=entered.crosses_border,
        only_affected=phase.only_affected,
    )


def options_of(procedure: Procedure) -> tuple[Option, ...]:
    """The procedure's other ways of access, as an announcement names them."""
    return tuple(
        Option(
            place=str(each.get("place") or "").strip(),
            address=str(each.get("address") or "").strip(),
            hours=str(each.get("hours") or "").strip(),
            step_free=_step_free(each.get("step_free")),
            note=str(each.get("note") or "").strip(),
            closed=_closed(each),
        )
        for each in procedure.access_options
    )


def _step_free(value: Any) -> str:
    if isinstance(value, bool):
        return "stufenlos" if value else "nicht stufenlos"
    return str(value or "").strip()


def _closed(option: Mapping[str, Any]) -> tuple[date, date] | None:
    try:
        return date.fromisoformat(option["closed_from"]), date.fromisoformat(option["closed_until"])
    except (KeyError, TypeError, ValueError):
        return None


def particulars(
    session: Session,
    municipality: Municipality,
    procedure: Procedure,
    phase: Phase,
    entered: Entered,
    *,
    address: str,
) -> Particulars:
    """Everything that the announcement of a phase should say today. `address`: of the consultation on the internet."""
    assert procedure.id is not None
    contact, town = procedure.contact, municipality.contact
    person = ", ".join(
        str(part)
        for part in (
            contact.get("name"),
            contact.get("office"),
            contact.get("phone") or town.get("phone"),
            contact.get("email") or town.get("email"),
        )
        if part
    )
    authority = municipality.authority or municipality.name
    postal = (
        authority,
        contact.get("office") or town.get("office", ""),
        town.get("street", ""),
        f"{town.get('postcode', '')} {town.get('city', '')}".strip(),
    )
    return Particulars(
        case=case_of(procedure, phase, phases_of(session, procedure.id), entered),
        authority=authority,
        title=procedure.title,
        key=procedure.key,
        area=procedure.location_words.strip(),
        address=address,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        effective_end=phase.effective_end,
        portal=entered.portal,
        themes=entered.themes,
        options=options_of(procedure),
        documents=tuple(
            document.title
            for document, _ in documents_of(session, procedure.id)
            if not document.is_withdrawn and document.kind not in ("announcement", "result")
        ),
        contact=person,
        postal=", ".join(part for part in postal if part),
        free=entered.free,
    )


def draft(known: Particulars) -> tuple[Part, ...]:
    """The announcement as the program writes it today, with missing parts marked."""
    return announcement_text.compose(known)


#: Paragraphs that say what becomes of what comes late: BauGB §3(2) S.4 no. 3 (element f), VwVfG §73 (exclusion).
_ON_LATENESS = ("hint_late", "hint_exclusion")


def said_on_lateness(session: Session, phase_id: int) -> tuple[Announcement, bool] | None:
    """The version of a phase's announcement that was made public last, and whether it says what becomes of what comes late.

    None where this software knows of none: then a person looks it up.
    """
    made = {act.announcement_id for act in acts_of(session, phase_id)}
    for version in versions_of(session, phase_id):
        if version.id in made:
            return version, any(
                part["key"] in _ON_LATENESS and part["text"].strip() for part in version.parts
            )
    return None


# --- versions ------------------------------------------------------------------------------------------------------


def save(
    session: Session,
    municipality: Municipality,
    procedure: Procedure,
    phase: Phase,
    entered: Entered,
    *,
    address: str,
    by: Actor,
    now: datetime,
) -> Announcement:
    """Keep the announcement as a new version. What is missing in it is marked, and `checks` will say so.

    Raises Refusal NOT_ALLOWED, TEXT_TOO_LONG.
    """
    require_planner(by, procedure)
    assert procedure.id is not None
    assert phase.id is not None
    entered = Entered(
        themes=tuple(
            Theme(normalise(each.theme).strip(), normalise(each.keywords).strip(), each.documents)
            for each in entered.themes
            if each.theme.strip() or each.keywords.strip()
        ),
        portal=entered.portal.strip(),
        plot_area=entered.plot_area,
        is_examined=entered.is_examined,
        crosses_border=entered.crosses_border,
        free={key: normalise(entered.free.get(key, ""), field=key).strip() for key in FREE_PARTS},
    )
    known = particulars(session, municipality, procedure, phase, entered, address=address)
    parts = draft(known)
    number = session.exec(
        select(func.max(Announcement.number)).where(Announcement.phase_id == phase.id)
    ).one()
    version = Announcement(
        procedure_id=procedure.id,
        phase_id=phase.id,
        number=(number or 0) + 1,
        made_at=now,
        made_by=by.label,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        effective_end=phase.effective_end,
        address=address,
        entered=entered.as_data(),
        parts=[
            {
                "key": part.key,
                "heading": part.heading,
                "text": part.text,
                "law": part.law,
                "is_statutory": part.is_statutory,
            }
            for part in parts
            if part.text
        ],
        places=[option.place for option in known.options if option.place],
        text=announcement_text.plain(parts),
    )
    session.add(version)
    session.flush()
    note_in_journal(
        session,
        procedure,
        "announcement_saved",
        by=by,
        now=now,
        facts={"phase": phase.id, "announcement": version.id, "number": version.number, "text": version.text},
    )
    return version


def newest(session: Session, phase_id: int) -> Announcement | None:
    """The newest version of a phase's announcement."""
    return session.exec(
        select(Announcement)
        .where(Announcement.phase_id == phase_id)
        .order_by(col(Announcement.number).desc())
        .limit(1)
    ).first()


def versions_of(session: Session, phase_id: int) -> list[Announcement]:
    """All versions of a phase's announcement, newest first."""
    return list(
        session.exec(
            select(Announcement)
            .where(Announcement.phase_id == phase_id)
            .order_by(col(Announcement.number).desc())
        ).all()
    )


def entered_of(version: Announcement | None) -> Entered:
    """What the planner entered in a version; nothing where there is none yet."""
    return Entered.from_data(version.entered) if version else Entered()


def public_of(session: Session, procedure_id: int, now: datetime) -> list[Announcement]:
    """The versions of a procedure's announcements that stand on the internet at a moment, newest first."""
    return list(
        session.exec(
            select(Announcement)
            .where(
                Announcement.procedure_id == procedure_id,
                col(Announcement.id).in_(_on_the_internet(now)),
            )
            .order_by(col(Announcement.id).desc())
        ).all()
    )


def public_ones(session: Session, municipality_id: int, now: datetime, *, limit: int = 30) -> list[tuple[Announcement, Procedure]]:  # fmt: skip
    """The announcements of a municipality that stand on the internet, newest first, each with its procedure."""
    rows = session.exec(
        select(Announcement, Procedure)
        .join(Procedure, col(Procedure.id) == Announcement.procedure_id)
        .where(
            Procedure.municipality_id == municipality_id,
            col(Procedure.state).in_(("published", "concluded", "withdrawn")),
            col(Announcement.id).in_(_on_the_internet(now)),
        )
        .order_by(col(Announcement.id).desc())
        .limit(limit)
    ).all()
    return [(version, procedure) for version, procedure in rows]


def newly_public(session: Session, since: date, now: datetime) -> list[tuple[Announcement, Procedure]]:
    """The announcements of all municipalities that have stood on the internet since that day or later, oldest first."""
    recent = select(PublicationAct.announcement_id).where(
        PublicationAct.medium == Medium.INTERNET.value, col(PublicationAct.day) >= since
    )
    rows = session.exec(
        select(Announcement, Procedure)
        .join(Procedure, col(Procedure.id) == Announcement.procedure_id)
        .where(
            col(Announcement.id).in_(recent),
            col(Announcement.id).in_(_on_the_internet(now)),
            col(Procedure.state).in_(("published", "concluded", "withdrawn")),
        )
        .order_by(col(Announcement.id))
    ).all()
    return [(version, procedure) for version, procedure in rows]


def _on_the_internet(now: datetime) -> Any:
    cancelled = select(PublicationAct.cancels_id).where(col(PublicationAct.cancels_id).is_not(None))
    return select(PublicationAct.announcement_id).where(
        PublicationAct.medium == Medium.INTERNET.value,
        col(PublicationAct.day) <= local_date(now),
        col(PublicationAct.cancels_id).is_(None),
        col(PublicationAct.id).not_in(cancelled),
    )


# --- acts ----------------------------------------------------------------------------------------------------------


def record_act(
    session: Session,
    procedure: Procedure,
    version: Announcement,
    *,
    medium: Medium,
    day: date,
    issue: str = "",
    proof: Proof | None = None,
    by: Actor,
    now: datetime,
) -> PublicationAct:
    """Record that a version was made public, or on which day it will be.

    Raises Refusal NOT_ALLOWED, REFERENCE_REQUIRED (gazette without its issue).
    """
    require_planner(by, procedure)
    issue = normalise(issue).strip()
    if medium is Medium.GAZETTE and not issue:
        raise Refusal(Code.REFERENCE_REQUIRED, "issue")
    assert version.id is not None
    act = PublicationAct(
        phase_id=version.phase_id,
        announcement_id=version.id,
        medium=medium.value,
        day=day,
        issue=issue,
        sha256=proof.sha256 if proof else "",
        filename=proof.filename if proof else "",
        media_type=proof.media_type if proof else "",
        size=proof.size if proof else 0,
        recorded_at=now,
        recorded_by=by.label,
    )
    session.add(act)
    session.flush()
    facts = {"phase": version.phase_id, "announcement": version.id, "medium": medium.value, "day": day.isoformat()}  # fmt: skip
    note_in_journal(
        session,
        procedure,
        "publication_act_recorded",
        by=by,
        now=now,
        facts=facts | {"act": act.id, "issue": issue, "sha256": act.sha256},
    )
    return act


def put_online(
    session: Session, procedure: Procedure, version: Announcement, *, by: Actor, now: datetime
) -> PublicationAct:
    """Show a version on this website from now on, and record that with a digest of its text.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (the procedure itself is not public: nobody could read it).
    """
    if procedure.state != ProcedureState.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)
    for act in acts_of(session, version.phase_id):
        if act.announcement_id == version.id and act.medium == Medium.INTERNET.value:
            return act
    return record_act(
        session,
        procedure,
        version,
        medium=Medium.INTERNET,
        day=local_date(now),
        issue=version.address,
        proof=Proof(hashlib.sha256(version.text.encode()).hexdigest(), "", "", 0),
        by=by,
        now=now,
    )


def add_proof(
    session: Session, procedure: Procedure, act: PublicationAct, proof: Proof, *, by: Actor, now: datetime
) -> PublicationAct:
    """Add the proof of an act once it exists: the act is recorded anew with it, the one without is cancelled."""
    version = session.get_one(Announcement, act.announcement_id)
    cancel_act(session, procedure, act, note=f"Nachweis: {proof.filename}", by=by, now=now)
    return record_act(
        session,
        procedure,
        version,
        medium=Medium(act.medium),
        day=act.day,
        issue=act.issue,
        proof=proof,
        by=by,
        now=now,
    )


def cancel_act(
    session: Session, procedure: Procedure, act: PublicationAct, *, note: str, by: Actor, now: datetime
) -> None:
    """Take a mistaken act back; it stays on file. Raises Refusal NOT_ALLOWED, REASON_REQUIRED, NOTHING_TO_UNDO."""
    require_planner(by, procedure)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    if act.id not in {each.id for each in acts_of(session, act.phase_id)}:
        raise Refusal(Code.NOTHING_TO_UNDO)
    session.add(
        PublicationAct(
            phase_id=act.phase_id,
            announcement_id=act.announcement_id,
            medium=act.medium,
            day=act.day,
            recorded_at=now,
            recorded_by=by.label,
            cancels_id=act.id,
            note=normalise(note).strip(),
        )
    )
    session.flush()
    note_in_journal(
        session,
        procedure,
        "publication_act_cancelled",
        by=by,
        now=now,
        facts={"phase": act.phase_id, "act": act.id, "note": note.strip()},
    )


def acts_of(session: Session, phase_id: int) -> list[PublicationAct]:
    """The acts that stand, by day; cancelled ones are left out."""
    rows = session.exec(
        select(PublicationAct)
        .where(PublicationAct.phase_id == phase_id)
        .order_by(col(PublicationAct.day), col(PublicationAct.id))
    ).all()
    gone = {row.cancels_id for row in rows if row.cancels_id is not None}
    return [row for row in rows if row.cancels_id is None and row.id not in gone]


def as_checked(acts: Sequence[PublicationAct], numbers: Mapping[int, int]) -> tuple[checks.Act, ...]:
    """Acts as the checks see them; `numbers`: number of the version by the id of its announcement."""
    return tuple(
        checks.Act(act.medium, act.day, act.issue, bool(act.sha256), numbers.get(act.announcement_id, 0))
        for act in acts
    )
