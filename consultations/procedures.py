"""Procedures: what people take part in.

A procedure is one plan's way from first notice to resolution; `phases` are its stretches. What was published once
stays readable: every later change leaves a numbered version behind.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, bindparam
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal, places, schedule, town_templates
from consultations.deadlines import PhaseState
from consultations.documents import documents_of
from consultations.permissions import Actor, Permission, may
from consultations.phases import (
    Opens,
    Phase,
    PhaseInput,
    PhaseKind,
    Track,
    check_dates,
    phases_of,
    planned_of,
    set_phases,
)
from consultations.prepared import Prepared
from consultations.refusals import Code, Refusal
from consultations.schedule import Frame, Scheduled
from consultations.seats import Seat
from consultations.tables import Json, UtcDateTime, find_object
from consultations.text import stems
from geo.geometry import Located


class ProcedureState(StrEnum):
    """Where a procedure stands for the public."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CONCLUDED = "concluded"
    WITHDRAWN = "withdrawn"


#: What the public can see.
PUBLIC_STATES = (
    ProcedureState.PUBLISHED.value,
    ProcedureState.CONCLUDED.value,
    ProcedureState.WITHDRAWN.value,
)


class PlanKind(StrEnum):
    """What is planned, and so which law the procedure follows."""

    DEVELOPMENT_PLAN = "development_plan"  # BauGB §8, binding
    LAND_USE_PLAN = "land_use_plan"  # BauGB §5, preparatory
    PLAN_APPROVAL = "plan_approval"  # VwVfG §72
    FRAMEWORK_PLAN = "framework_plan"
    DIALOGUE = "dialogue"


class PlanVariant(StrEnum):
    """How the procedure of a plan is run."""

    REGULAR = "regular"
    SIMPLIFIED = "simplified"  # BauGB §13
    ACCELERATED = "accelerated"  # BauGB §13a
    PROJECT_BASED = "project_based"  # BauGB §12


class Procedure(SQLModel, table=True):
    """One plan's way from first notice to resolution."""

    __tablename__ = "procedure"
    __table_args__ = (
        UniqueConstraint("municipality_id", "slug"),
        UniqueConstraint("municipality_id", "key"),
        Index("ix_procedure_municipality_id_state", "municipality_id", "state"),
        Index("ix_procedure_part_of_id", "part_of_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    #: Short name in reference numbers, as in "BP-12-0031".
    key: str
    slug: str
    template: str
    template_version: str
    plan_kind: str = PlanKind.DIALOGUE.value
    variant: str = PlanVariant.REGULAR.value
    #: The law the procedure follows where it can be chosen (VwVfG §102b), by its name in `law`; empty: by the day.
    law_version: str = ""
    state: str = ProcedureState.DRAFT.value
    title: str
    #: One or two plain sentences.
    summary: str = ""
    #: Markdown.
    description: str = ""
    #: The same texts in other languages: {"en": {"title", "summary", "description", "location_words"}}.
    translations: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: The area in words, so that people see that they are meant (Anstoßwirkung).
    location_words: str = ""
    district: str = ""
    #: Who answers questions: {"name", "office", "phone", "email", "hours"}.
    contact: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Other easy ways in, BauGB §3(2) S.2: [{"place", "address", "hours", "step_free", "note"}].
    access_options: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    #: Plan area in EPSG:25832 (metres) with its bounding box, and a point in degrees for the overview.
    plan_area: bytes | None = None
    min_x: float | None = None
    min_y: float | None = None
    max_x: float | None = None
    max_y: float | None = None
    lon: float | None = None
    lat: float | None = None
    #: What was read from the plan's file (format, CRS, counts, repairs), for the planner.
    plan_report: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: The topics that whoever takes part may choose from: [{"name", "translations": {"en": …}}]; names in the first
    #: language. None: topics are a line of one's own.
    subjects: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    version: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: The consultation of the same municipality that this one is a part of; without it a part stands by itself.
    part_of_id: int | None = Field(default=None, foreign_key="procedure.id")


#: How deep consultations nest: area, project, part.
MOST_LEVELS = 3


class ProcedureVersion(SQLModel, table=True):
    """What the public could read from a moment on. Never changed."""

    __tablename__ = "procedure_version"
    __table_args__ = (UniqueConstraint("procedure_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id")
    number: int
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    #: What was changed and why, in the planner's words; shown to everybody.
    note: str = ""
    snapshot: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


@dataclass(frozen=True)
class ProcedureInput:
    """A procedure as entered; texts in the municipality's first language, others in `translations`."""

    key: str
    title: str
    summary: str = ""
    description: str = ""
    slug: str = ""
    location_words: str = ""
    district: str = ""
    translations: dict[str, Any] = field(default_factory=dict)
    contact: dict[str, Any] = field(default_factory=dict)
    access_options: tuple[dict[str, Any], ...] = ()
    phases: tuple[PhaseInput, ...] = ()
    #: What it is a part of; none where it stands by itself.
    part_of_id: int | None = None
    #: The topics to choose from, as `Procedure.subjects`.
    subjects: tuple[dict[str, Any], ...] = ()


_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def slugify(title: str) -> str:
    """An address from a title: "Grüne Höfe (BP 12)" → "gruene-hoefe-bp-12"; never empty."""
    plain = unicodedata.normalize("NFKD", title.translate(_GERMAN)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:80].strip("-") or "verfahren"


def _check_names(session: Session, municipality_id: int, entered: ProcedureInput, own_id: int | None) -> str:
    slug = slugify(entered.slug or entered.title)
    for column, value, name in ((Procedure.key, entered.key, "key"), (Procedure.slug, slug, "slug")):
        other = session.exec(
            select(Procedure.id).where(Procedure.municipality_id == municipality_id, column == value)
        ).first()
        if other is not None and other != own_id:
            raise Refusal(Code.NAME_TAKEN, name, name=value)
    return slug


def parents_of(session: Session, municipality_id: int) -> dict[int, int]:
    """What is part of what in a municipality: the parent's id by the part's; one query."""
    rows = session.exec(
        select(Procedure.id, Procedure.part_of_id).where(
            Procedure.municipality_id == municipality_id, col(Procedure.part_of_id).is_not(None)
        )
    )
    return {part: parent for part, parent in rows if part is not None and parent is not None}


def nesting_problem(parents: Mapping[int, int], own_id: int | None, wished: int) -> Code | None:
    """What forbids that `own_id` (None: a new one) becomes a part of `wished`, where `parents` is how it stands."""
    above = [wished]
    while above[-1] in parents and len(above) <= MOST_LEVELS:
        above.append(parents[above[-1]])
    if own_id in above:
        return Code.NESTED_IN_CIRCLE
    below, level = 0, {own_id}
    while level and below <= MOST_LEVELS:
        below += 1
        level = {part for part, parent in parents.items() if parent in level}
    return Code.NESTED_TOO_DEEP if len(above) + below > MOST_LEVELS else None


def _check_nesting(
    session: Session,
    municipality_id: int,
    own_id: int | None,
    wished: int | None,
    stands: int | None,
    by: Actor,
) -> None:
    """Whether it may become a part of `wished`; what stands already may stay. Raises Refusal (field "part_of")
    NESTED_ELSEWHERE (not of this municipality), NOT_ALLOWED (who does not plan it), NESTED_IN_CIRCLE, NESTED_TOO_DEEP."""
    if wished is None or wished == stands:
        return
    # Two who nest at the same moment could close a circle that neither of them sees.
    journal.hold(session, municipality_id)
    parent = by_id(session, municipality_id, wished)
    if parent is None:
        raise Refusal(Code.NESTED_ELSEWHERE, "part_of")
    if not may(by, Permission.PLAN, municipality_id=municipality_id, procedure_id=wished):
        raise Refusal(Code.NOT_ALLOWED, "part_of")
    problem = nesting_problem(parents_of(session, municipality_id), own_id, wished)
    if problem is not None:
        raise Refusal(problem, "part_of", title=parent.title, levels=MOST_LEVELS)


def create(
    session: Session,
    entered: ProcedureInput,
    *,
    municipality_id: int,
    template_key: str,
    by: Actor,
    now: datetime,
) -> Procedure:
    """A new procedure as a draft, with the phases entered (or those of the template, undated).

    Raises Refusal NOT_ALLOWED, NOT_FOUND (template), NAME_TAKEN (key, slug), DATES_REVERSED (phases-N-ends_on), and those
    of `_check_nesting` (part_of).
    """
    if not may(by, Permission.PLAN, municipality_id=municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    chosen = town_templates.in_force(session, municipality_id, template_key)
    check_dates(entered.phases)
    slug = _check_names(session, municipality_id, entered, None)
    _check_nesting(session, municipality_id, None, entered.part_of_id, None, by)
    procedure = Procedure(
        municipality_id=municipality_id,
        key=entered.key,
        slug=slug,
        template=chosen.key,
        template_version=chosen.version,
        plan_kind=PlanKind(chosen.plan_kind).value,
        variant=PlanVariant(chosen.variant).value,
        law_version=chosen.law_version,
        title=entered.title,
        created_at=now,
    )
    _fill(procedure, entered, slug)
    session.add(procedure)
    session.flush()
    phases = entered.phases or tuple(
        PhaseInput(
            kind=PhaseKind(each.kind),
            title=each.title,
            opens=tuple(Opens(way) for way in each.opens),
            is_formal=each.is_formal,
            track=Track(each.track),
            facts=each.facts,
        )
        for each in chosen.steps
    )
    assert procedure.id is not None
    set_phases(session, procedure.id, phases, is_public=False, now=now)
    facts = {"template": chosen.key, "template_version": chosen.version}
    note_in_journal(session, procedure, "procedure_created", by=by, now=now, facts=facts)
    return procedure


def _fill(procedure: Procedure, entered: ProcedureInput, slug: str) -> None:
    for name in (
        "key",
        "title",
        "summary",
        "description",
        "location_words",
        "district",
        "translations",
        "contact",
        "part_of_id",
    ):
        setattr(procedure, name, getattr(entered, name))
    procedure.access_options = list(entered.access_options)
    procedure.subjects = list(entered.subjects)
    procedure.slug = slug


def note_in_journal(
    session: Session, procedure: Procedure, verb: str, *, by: Actor, now: datetime, facts: dict[str, Any]
) -> None:
    """Write what was done to the procedure into the journal."""
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=procedure.id,
        subject=f"procedure:{procedure.id}",
        facts=facts,
    )


def require_planner(by: Actor, procedure: Procedure) -> None:
    """Raises Refusal NOT_ALLOWED for who does not plan this procedure."""
    if not may(by, Permission.PLAN, municipality_id=procedure.municipality_id, procedure_id=procedure.id):
        raise Refusal(Code.NOT_ALLOWED)


def change(
    session: Session,
    procedure: Procedure,
    entered: ProcedureInput,
    *,
    by: Actor,
    now: datetime,
    note: str = "",
    expected_version: int | None = None,
) -> Procedure:
    """Change texts, contacts and phases. Once published, the change is a new public version and `note` says why.

    Raises Refusal NOT_ALLOWED, NAME_TAKEN, DATES_REVERSED, REASON_REQUIRED (published, no note), PHASE_IN_USE (left
    out, but contributions belong to it), PROMISED (see `_keep_promises`), those of `_check_nesting` (part_of) and
    CHANGED_MEANWHILE when somebody else saved since `expected_version` was read.
    """
    require_planner(by, procedure)
    if expected_version is not None and expected_version != procedure.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    check_dates(entered.phases)
    if procedure.state != ProcedureState.DRAFT.value and not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    slug = _check_names(session, procedure.municipality_id, entered, procedure.id)
    _check_nesting(
        session, procedure.municipality_id, procedure.id, entered.part_of_id, procedure.part_of_id, by
    )
    is_left_out = _keep_promises(session, procedure, entered, slug, now)
    _fill(procedure, entered, slug)
    session.add(procedure)
    if entered.phases:
        assert procedure.id is not None
        is_public = procedure.state == ProcedureState.PUBLISHED.value
        set_phases(session, procedure.id, entered.phases, is_public=is_public, now=now)
    if is_left_out:
        raise Refusal(Code.PROMISED, "phases")
    record_change(session, procedure, by=by, now=now, note=note)
    return procedure


def as_it_stands(procedure: Procedure) -> ProcedureInput:
    """What would be entered to leave a procedure as it is; its phases stay, since none are given."""
    return ProcedureInput(
        key=procedure.key,
        title=procedure.title,
        summary=procedure.summary,
        description=procedure.description,
        slug=procedure.slug,
        location_words=procedure.location_words,
        district=procedure.district,
        translations=procedure.translations,
        contact=procedure.contact,
        access_options=tuple(procedure.access_options),
        part_of_id=procedure.part_of_id,
        subjects=tuple(procedure.subjects),
    )


def _keep_promises(
    session: Session, procedure: Procedure, entered: ProcedureInput, slug: str, now: datetime
) -> bool:
    """What a released phase has told everybody stays as it is until it is over: address, places, contact, days
    (law-and-standards R-1.4, R-2.4). More may be added. Returns whether a released phase is left out, which may have a
    graver reason against it (contributions). Raises Refusal PROMISED with the field."""
    assert procedure.id is not None
    released = [
        phase
        for phase in phases_of(session, procedure.id)
        if phase.needs_release and phase.released_at and phase.state(now) is not PhaseState.OVER
    ]
    if not released:
        return False
    if slug != procedure.slug:
        raise Refusal(Code.PROMISED, "slug")
    reached = ("phone", "email")
    if any(procedure.contact.get(way) for way in reached) and not any(entered.contact.get(way) for way in reached):  # fmt: skip
        raise Refusal(Code.PROMISED, "phone")
    kept = {each.get("place"): each for each in entered.access_options}
    for option in procedure.access_options:
        now_there = kept.get(option.get("place"))
        if option.get("place") and (now_there is None or (option.get("hours") and not now_there.get("hours"))):  # fmt: skip
            raise Refusal(Code.PROMISED, "access-0-place")
    if not entered.phases:
        return False
    is_left_out = False
    for phase in released:
        found = [(at, each) for at, each in enumerate(entered.phases) if each.id == phase.id]
        if not found:
            is_left_out = True
            continue
        at, each = found[0]
        if (each.kind.value, each.starts_on, each.is_formal) != (phase.kind, phase.starts_on, True):
            raise Refusal(Code.PROMISED, f"phases-{at}-starts_on")
        if each.facts and each.facts.get("scope") == "affected" and not phase.only_affected:
            raise Refusal(Code.PROMISED, f"phases-{at}-only_affected")
        # A later end is an extension: it is lawful, and has to be announced anew.
        is_shorter = phase.ends_on and (each.ends_on is None or each.ends_on < phase.ends_on)
        if is_shorter or not set(phase.opens) <= {opened.value for opened in each.opens}:
            raise Refusal(Code.PROMISED, f"phases-{at}-ends_on")
    return is_left_out


def record_change(session: Session, procedure: Procedure, *, by: Actor, now: datetime, note: str) -> None:
    """Count a change; if the public can see the procedure, keep what it can read from now on."""
    procedure.version += 1
    session.add(procedure)
    session.flush()
    if procedure.state != ProcedureState.DRAFT.value:
        assert procedure.id is not None
        session.add(
            ProcedureVersion(
                procedure_id=procedure.id,
                number=procedure.version,
                at=now,
                by=by.label,
                note=note,
                snapshot=snapshot(session, procedure),
            )
        )
    note_in_journal(
        session,
        procedure,
        "procedure_changed",
        by=by,
        now=now,
        facts={"version": procedure.version, "note": note},
    )


def snapshot(session: Session, procedure: Procedure) -> dict[str, Any]:
    """All that the public can read of a procedure, as plain JSON."""
    assert procedure.id is not None
    public = (
        "key",
        "title",
        "summary",
        "description",
        "translations",
        "location_words",
        "district",
        "contact",
    )
    return {
        **{name: getattr(procedure, name) for name in public},
        "access_options": procedure.access_options,
        "part_of": _part_of_words(session, procedure),
        "subjects": procedure.subjects,
        "plan_area": procedure.plan_area.hex() if procedure.plan_area else None,
        "phases": [
            {
                "kind": phase.kind,
                "title": phase.title,
                "note": phase.note,
                "starts_on": phase.starts_on.isoformat() if phase.starts_on else None,
                "ends_on": phase.ends_on.isoformat() if phase.ends_on else None,
                "opens": phase.opens,
                "track": phase.track,
                "limited_to": phase.limited_to,
                "course": phase.facts.get("course", {}),
                "waits_for_release": phase.waits_for_release,
            }
            for phase in phases_of(session, procedure.id)
        ],
        "documents": [
            {
                "title": document.title,
                "kind": document.kind,
                "number": current.number,
                "sha256": current.sha256,
            }
            for document, versions in documents_of(session, procedure.id)
            for current in versions[:1]
            if not document.is_withdrawn
        ],
        "layers": [
            {"title": layer.title, "sha256": layer.original_sha256}
            for layer in places.layers_of(session, procedure.municipality_id, procedure.id)
        ],
    }


def _part_of_words(session: Session, procedure: Procedure) -> str:
    """What it is a part of, as everybody may read it: nothing while that is a draft."""
    parent = session.get(Procedure, procedure.part_of_id) if procedure.part_of_id else None
    return f"{parent.title} ({parent.key})" if parent and parent.state in PUBLIC_STATES else ""


def set_plan_area(
    session: Session,
    procedure: Procedure,
    located: Located,
    *,
    by: Actor,
    now: datetime,
    report: dict[str, Any] | None = None,
    note: str = "",
) -> None:
    """Set where the plan applies. Raises Refusal NOT_ALLOWED, PLAN_AREA_INVALID (not an area)."""
    require_planner(by, procedure)
    if located.kind != "area":
        raise Refusal(Code.PLAN_AREA_INVALID, "plan_area", kind=located.kind)
    procedure.plan_area = located.wkb
    procedure.min_x, procedure.min_y = located.min_x, located.min_y
    procedure.max_x, procedure.max_y = located.max_x, located.max_y
    procedure.lon, procedure.lat = located.lon, located.lat
    procedure.plan_report = report or {}
    record_change(session, procedure, by=by, now=now, note=note)


# --- questions -------------------------------------------------------------------------------------


def by_slug(session: Session, municipality_id: int, slug: str) -> Procedure | None:
    """The municipality's procedure at this address, in whatever state."""
    return find_object(session, Procedure, _BY_SLUG, municipality=municipality_id, slug=slug)


def by_key(session: Session, municipality_id: int, key: str) -> Procedure | None:
    """The municipality's procedure with this key ("BP-12")."""
    return session.exec(
        select(Procedure).where(Procedure.municipality_id == municipality_id, Procedure.key == key)
    ).first()


def by_id(session: Session, municipality_id: int, procedure_id: int) -> Procedure | None:
    """The procedure with this id, if it belongs to the municipality."""
    return find_object(session, Procedure, _BY_ID, municipality=municipality_id, id=procedure_id)


_procedures = SQLModel.metadata.tables["procedure"]
_OF_MUNICIPALITY = _procedures.select().where(_procedures.c.municipality_id == bindparam("municipality"))
_BY_SLUG = Prepared(_OF_MUNICIPALITY.where(_procedures.c.slug == bindparam("slug")))
_BY_ID = Prepared(_OF_MUNICIPALITY.where(_procedures.c.id == bindparam("id")))


def by_ids(session: Session, procedure_ids: Collection[int]) -> list[Procedure]:
    """Procedures by their keys; one query, none for none."""
    if not procedure_ids:
        return []
    return list(session.exec(select(Procedure).where(col(Procedure.id).in_(list(procedure_ids)))).all())


def titles(session: Session, procedure_ids: Iterable[int]) -> dict[int, str]:
    """Titles by procedure id, in one query."""
    rows = session.exec(
        select(Procedure.id, Procedure.title).where(col(Procedure.id).in_(list(procedure_ids)))
    )
    return {procedure_id: title for procedure_id, title in rows if procedure_id is not None}


def public(
    session: Session,
    municipality_id: int,
    *,
    words: str = "",
    district: str = "",
    limit: int = 200,
) -> list[Procedure]:
    """The procedures the public can see, newest first, optionally by words (title, summary, place) or district."""
    question = select(Procedure).where(
        Procedure.municipality_id == municipality_id,
        col(Procedure.state).in_(PUBLIC_STATES),
    )
    if district:
        question = question.where(Procedure.district == district)
    found = session.exec(
        question.order_by(col(Procedure.published_at).desc(), col(Procedure.id).desc())
    ).all()
    wanted = stems(words[:200])[:8]
    return [procedure for procedure in found if _mentions(procedure, wanted)][:limit]


def _mentions(procedure: Procedure, wanted: Sequence[str]) -> bool:
    """Whether each stem occurs in what a list shows of the procedure, in whatever language; also within a word,
    because German builds long ones. Compared here and not in SQL: SQLite knows no capital umlauts."""
    if not wanted:
        return True
    texts = [procedure.title, procedure.summary, procedure.location_words, procedure.district, procedure.key]
    texts += [str(text) for translated in procedure.translations.values() for text in translated.values()]
    known = stems(" ".join(texts))
    return all(any(stem in word for word in known) for stem in wanted)


def for_staff(session: Session, municipality_id: int) -> list[Procedure]:
    """All procedures of the municipality, newest first."""
    return list(
        session.exec(
            select(Procedure)
            .where(Procedure.municipality_id == municipality_id)
            .order_by(col(Procedure.id).desc())
        ).all()
    )


def frame_of(procedure: Procedure) -> Frame:
    """What decides which law a procedure follows."""
    return Frame(procedure.plan_kind, procedure.variant, procedure.law_version)


def scheduled(procedure: Procedure, phases: Sequence[Phase], seat: Seat) -> tuple[Scheduled, ...]:
    """What the law says of the phases of a procedure, in their order."""
    return schedule.plan(frame_of(procedure), [planned_of(phase) for phase in phases], seat=seat)


def with_plan_area(session: Session, municipality_ids: Collection[int]) -> list[Procedure]:
    """The procedures of these municipalities that have a plan area and are, or are about to be, public."""
    states = {ProcedureState.DRAFT.value, *PUBLIC_STATES} - {ProcedureState.WITHDRAWN.value}
    return list(
        session.exec(
            select(Procedure)
            .where(
                col(Procedure.municipality_id).in_(municipality_ids),
                col(Procedure.plan_area).is_not(None),
                col(Procedure.state).in_(states),
            )
            .order_by(col(Procedure.id))
        ).all()
    )


def subject_names(procedure: Procedure) -> tuple[str, ...]:
    """The topics to choose from, in their order, by the names that are kept with what is handed in."""
    return tuple(str(each["name"]) for each in procedure.subjects)


def offered_subject(procedure: Procedure, name: str) -> str:
    """A topic if it is among those to choose from, else none."""
    return name if name in subject_names(procedure) else ""


def subject_in(procedure: Procedure, name: str, language: str) -> str:
    """What a topic is called in a language; one that is not among those to choose from, and one without a translation,
    as it is kept."""
    for each in procedure.subjects:
        if each["name"] == name:
            return str(each.get("translations", {}).get(language) or name)
    return name


def localised(procedure: Procedure, language: str, name: str) -> str:
    """A text of the procedure in a language, or in the municipality's first language where it is missing."""
    translated = procedure.translations.get(language, {}).get(name, "")
    return str(translated or getattr(procedure, name))
