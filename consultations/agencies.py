"""The register of a town's agencies: whom a plan's authority asks, about what, and where each is responsible.

An agency is an `Organisation` with what asking it needs: subject areas, an area of competence, addresses, and the
people there who draft or release its statements. Two rows that are the same body are merged, never deleted; the merge
can be taken back.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, and_, or_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal, places
from consultations.people import NAME_LIMIT, Organisation, OrganisationKind, Person
from consultations.permissions import Actor, Permission, may
from consultations.places import PlaceKind, fold
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime
from consultations.text import normalise
from geo.geometry import kind_of

#: Marks a message for the catalogues; the storey above translates it.
N_ = str

#: The kinds of bodies that are asked (BauGB §4; §2(2) for neighbours; UmwRG §3 for associations).
KINDS = (
    OrganisationKind.PUBLIC_AGENCY,
    OrganisationKind.AUTHORITY,
    OrganisationKind.NEIGHBOURING_MUNICIPALITY,
    OrganisationKind.ENVIRONMENTAL_ASSOCIATION,
)

#: The subject areas that every town has, with their message ids; a town adds its own (`AgencySubject`).
SUBJECTS: dict[str, str] = {
    "nature": N_("Nature protection"),
    "water": N_("Water"),
    "soil": N_("Soil and contaminated sites"),
    "emissions": N_("Noise and air"),
    "climate": N_("Climate"),
    "monuments": N_("Monuments"),
    "planning": N_("Regional planning"),
    "neighbours": N_("Neighbouring municipalities"),
    "roads": N_("Roads"),
    "railways": N_("Railways"),
    "transit": N_("Local public transport"),
    "airspace": N_("Airspace"),
    "energy": N_("Energy"),
    "telecom": N_("Telecommunication"),
    "waste": N_("Waste"),
    "fire": N_("Fire protection"),
    "police": N_("Safety and order"),
    "military": N_("Military"),
    "health": N_("Health"),
    "education": N_("Education"),
    "social": N_("Social affairs"),
    "economy": N_("Trade and crafts"),
    "agriculture": N_("Agriculture"),
    "forestry": N_("Forestry"),
    "mining": N_("Mining"),
    "surveying": N_("Surveying and land register"),
    "churches": N_("Churches"),
}

_MAIL = re.compile(r"[^@\s<>;,]+@[^@\s<>;,]+\.[^@\s<>;,.]+")


class ClerkRole(StrEnum):
    """What somebody does for an agency."""

    DRAFTS = "drafts"
    #: Releases what was drafted, or gives it back; drafts as well.
    RELEASES = "releases"


class AgencySubject(SQLModel, table=True):
    """A subject area that a town added to `SUBJECTS`."""

    __tablename__ = "agency_subject"
    __table_args__ = (UniqueConstraint("municipality_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    key: str
    label: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class Agency(SQLModel, table=True):
    """What asking an organisation needs. Its name and kind stand in `Organisation`."""

    __tablename__ = "agency"
    __table_args__ = (Index("ix_agency_municipality_id_sort", "municipality_id", "sort", "organisation_id"),)

    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    #: Folded name, for searching and sorting.
    sort: str
    #: What the town's own list calls it, so that importing twice changes nothing.
    key: str = ""
    subjects: list[str] = Field(default_factory=list, sa_type=Json)
    is_townwide: bool = True
    #: Names of the places that make up the area of competence, and their union (WKB, EPSG:25832) with its box.
    areas: list[str] = Field(default_factory=list, sa_type=Json)
    #: What of it was drawn or taken from a layer, beside the named places (WKB, EPSG:25832), and where it is from.
    drawn: bytes | None = None
    drawn_from: str = ""
    competence: bytes | None = None
    min_x: float | None = None
    min_y: float | None = None
    max_x: float | None = None
    max_y: float | None = None
    email: str = ""
    phone: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    notes: str = ""
    is_active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class AgencyClerk(SQLModel, table=True):
    """Somebody at an agency who drafts or releases its statements. No account is needed."""

    __tablename__ = "agency_clerk"
    __table_args__ = (UniqueConstraint("organisation_id", "person_id"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    person_id: int = Field(foreign_key="person.id", index=True)
    role: str = ClerkRole.DRAFTS.value
    is_active: bool = True
    #: Whose account shows this clerk's requests too, where it is another person's row: they have proved it by the link.
    account_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


class AgencyMerge(SQLModel, table=True):
    """That one row turned out to be the same body as another, by whom, why, and what moved; kept when taken back."""

    __tablename__ = "agency_merge"

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    survivor_id: int = Field(foreign_key="organisation.id", index=True)
    duplicate_id: int = Field(foreign_key="organisation.id", index=True)
    #: The people (and with them their statements) that point to the survivor since, and the clerks.
    people: list[int] = Field(default_factory=list, sa_type=Json)
    clerks: list[int] = Field(default_factory=list, sa_type=Json)
    was_active: bool = True
    note: str = ""
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undone_by: str = ""


@dataclass(frozen=True)
class Clerk:
    """A clerk as shown and asked."""

    id: int
    person_id: int
    organisation_id: int
    name: str
    email: str
    role: ClerkRole
    is_active: bool
    #: Another person's account shows this clerk's requests.
    is_kept: bool = False


@dataclass(frozen=True)
class ClerkInput:
    """A clerk as entered."""

    name: str
    email: str
    role: ClerkRole = ClerkRole.DRAFTS


@dataclass(frozen=True)
class AgencyInput:
    """An agency as entered. `areas` are names of places of the town, `drawn` an area beside them (WKB, EPSG:25832) and
    `drawn_from` where it is from; they count where `is_townwide` is not set."""

    name: str
    kind: OrganisationKind = OrganisationKind.PUBLIC_AGENCY
    key: str = ""
    subjects: tuple[str, ...] = ()
    is_townwide: bool = True
    areas: tuple[str, ...] = ()
    drawn: bytes | None = None
    drawn_from: str = ""
    email: str = ""
    phone: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Entry:
    """An agency with its organisation. The rows are not to be changed."""

    organisation: Organisation
    agency: Agency

    @property
    def id(self) -> int:
        assert self.organisation.id is not None
        return self.organisation.id

    @property
    def name(self) -> str:
        return self.organisation.name

    @property
    def postal_lines(self) -> tuple[str, ...]:
        """Where letters to it go; empty without a street or town."""
        town = f"{self.agency.postcode} {self.agency.city}".strip()
        if not (self.agency.street and town):
            return ()
        return (self.name, self.agency.street, town)


def _require(by: Actor, municipality_id: int) -> None:
    if not may(by, Permission.PLAN, municipality_id=municipality_id):
        raise Refusal(Code.NOT_ALLOWED)


def _note(
    session: Session, municipality_id: int, organisation_id: int | None, verb: str, *, by: Actor, now: datetime,
    **facts: Any,
) -> None:  # fmt: skip
    journal.append(
        session,
        municipality_id=municipality_id,
        verb=verb,
        by=by,
        at=now,
        subject=f"organisation:{organisation_id}",
        facts=facts,
    )


# --- subject areas ---------------------------------------------------------------------------------


def own_subjects(session: Session, municipality_id: int) -> dict[str, str]:
    """The subject areas that the town added, by key, with their names as the town wrote them."""
    rows = session.exec(
        select(AgencySubject.key, AgencySubject.label)
        .where(AgencySubject.municipality_id == municipality_id)
        .order_by(col(AgencySubject.label), col(AgencySubject.id))
    ).all()
    return dict(rows)


def add_subject(session: Session, municipality_id: int, label: str, *, by: Actor, now: datetime) -> str:
    """Add a subject area of the town's own; returns its key. Raises Refusal NOT_ALLOWED, NAME_TAKEN, FORM_INCOMPLETE."""
    _require(by, municipality_id)
    label = normalise(label, field="label", limit=NAME_LIMIT).strip()
    if not label:
        raise Refusal(Code.FORM_INCOMPLETE, "label")
    known = own_subjects(session, municipality_id)
    key = f"own:{fold(label)}"
    if key in known:
        raise Refusal(Code.NAME_TAKEN, "label", name=label)
    session.add(AgencySubject(municipality_id=municipality_id, key=key, label=label, created_at=now))
    session.flush()
    _note(session, municipality_id, None, "agency_subject_added", by=by, now=now, label=label)
    return key


# --- writing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Area:
    """An area of competence as stored: the names, the union of their areas, its box."""

    names: tuple[str, ...] = ()
    wkb: bytes | None = None
    box: tuple[float, float, float, float] | None = None


def _area(session: Session, municipality_id: int, names: Iterable[str], drawn: bytes | None) -> _Area:
    """The union of the areas of these names (districts first, then any other place that is an area) and of the drawn one.

    Raises Refusal AREA_UNKNOWN ("areas") with the `name` that no area of the town bears.
    """
    wanted = {fold(name): name for name in names if name.strip()}
    if not wanted and drawn is None:
        return _Area()
    import shapely

    found: dict[str, list[places.Place]] = {}
    for place in places.named(session, municipality_id, list(wanted)) if wanted else ():
        if kind_of(place.geometry) == "area":
            found.setdefault(place.sort, []).append(place)
    shapes, known = [shapely.from_wkb(drawn)] if drawn else [], []
    for folded, name in wanted.items():
        rows = found.get(folded, [])
        rows = [row for row in rows if row.kind == PlaceKind.DISTRICT.value] or rows
        if not rows:
            raise Refusal(Code.AREA_UNKNOWN, "areas", name=name)
        shapes += [shapely.from_wkb(row.geometry) for row in rows]
        known.append(rows[0].name)
    union = shapely.union_all(shapes)
    return _Area(tuple(sorted(known)), shapely.to_wkb(union), tuple(float(edge) for edge in union.bounds))  # type: ignore[arg-type]


def _normalised(entered: AgencyInput) -> AgencyInput:
    short = ("name", "key", "email", "phone", "street", "postcode", "city")
    clean: dict[str, Any] = {
        name: normalise(getattr(entered, name), field=name, limit=NAME_LIMIT).strip() for name in short
    }
    return replace(
        entered,
        **clean,
        notes=normalise(entered.notes, field="notes", limit=5000).strip(),
        subjects=tuple(dict.fromkeys(entered.subjects)),
        areas=() if entered.is_townwide else entered.areas,
        drawn=None if entered.is_townwide else entered.drawn,
        drawn_from="" if entered.is_townwide or entered.drawn is None else entered.drawn_from,
    )


def save(
    session: Session,
    entered: AgencyInput,
    *,
    municipality_id: int,
    by: Actor,
    now: datetime,
    entry: Entry | None = None,
) -> tuple[Entry, tuple[str, ...]]:
    """Enter an agency, or change the one given; returns it and the names of the fields that changed.

    A body of the same name that has written before becomes the agency. Nothing is journalled when nothing changed.
    Raises Refusal NOT_ALLOWED, FORM_INCOMPLETE ("name"), NAME_TAKEN ("name", "key"), EMAIL_INVALID ("email"),
    SUBJECT_UNKNOWN ("subjects"), AREA_UNKNOWN or FORM_INCOMPLETE ("areas"), TEXT_TOO_LONG.
    """
    _require(by, municipality_id)
    entered = _normalised(entered)
    _check(session, entered, municipality_id, entry)
    unchanged = (
        entry is not None
        and entered.is_townwide == entry.agency.is_townwide
        and sorted(map(fold, entered.areas)) == sorted(map(fold, entry.agency.areas))
        and entered.drawn == entry.agency.drawn
    )
    area = None if unchanged else _area(session, municipality_id, entered.areas, entered.drawn)
    if area is not None and not entered.is_townwide and area.wkb is None:
        raise Refusal(Code.FORM_INCOMPLETE, "areas")
    is_new = entry is None
    if entry is None:
        entry = _new(session, entered, municipality_id, now)
    organisation, agency = entry.organisation, entry.agency
    changed, before, after = [], {}, {}
    for row, name, value in (
        (organisation, "name", entered.name),
        (organisation, "kind", entered.kind.value),
        (agency, "is_townwide", entered.is_townwide),
        (agency, "subjects", list(entered.subjects)),
        *((agency, name, getattr(entered, name)) for name in _PLAIN),
    ):
        if getattr(row, name) != value:
            if name in _TOLD:
                before[name], after[name] = getattr(row, name), value
            setattr(row, name, value)
            changed.append(name)
    agency.sort = fold(entered.name)
    if area is not None:
        if list(area.names) != agency.areas or entered.drawn != agency.drawn:
            changed.append("areas")
            before["areas"], after["areas"] = agency.areas, list(area.names)
        agency.drawn, agency.drawn_from = entered.drawn, entered.drawn_from
        agency.areas, agency.competence = list(area.names), area.wkb
        agency.min_x, agency.min_y, agency.max_x, agency.max_y = area.box or (None, None, None, None)
    session.add(organisation)
    session.add(agency)
    session.flush()
    if is_new:
        _note(
            session, municipality_id, organisation.id, "agency_added", by=by, now=now, name=organisation.name
        )
    elif changed:
        _note(
            session, municipality_id, organisation.id, "agency_changed", by=by, now=now,
            name=organisation.name, changed=changed, before=before, after=after,
        )  # fmt: skip
    return entry, tuple(changed)


#: What the history of an agency says before and after; addresses and notes may be those of persons, and stay out.
_TOLD = ("name", "kind", "key", "subjects", "is_townwide")
_PLAIN = ("key", "email", "phone", "street", "postcode", "city", "notes")


def _new(session: Session, entered: AgencyInput, municipality_id: int, now: datetime) -> Entry:
    organisation = session.exec(
        select(Organisation)
        .where(
            Organisation.municipality_id == municipality_id,
            Organisation.name == entered.name,
            col(Organisation.merged_into_id).is_(None),
            col(Organisation.id).not_in(select(Agency.organisation_id)),
        )
        .order_by(col(Organisation.id))
    ).first()
    if organisation is None:
        organisation = Organisation(
            municipality_id=municipality_id, kind=entered.kind.value, name=entered.name, created_at=now
        )
        session.add(organisation)
        session.flush()
    assert organisation.id is not None
    agency = Agency(
        organisation_id=organisation.id,
        municipality_id=municipality_id,
        sort=fold(entered.name),
        created_at=now,
    )
    return Entry(organisation, agency)


def _check(session: Session, entered: AgencyInput, municipality_id: int, entry: Entry | None) -> None:
    if not entered.name:
        raise Refusal(Code.FORM_INCOMPLETE, "name")
    if entered.kind not in KINDS:
        raise Refusal(Code.FORM_INCOMPLETE, "kind")
    if entered.email and not _MAIL.fullmatch(entered.email):
        raise Refusal(Code.EMAIL_INVALID, "email", address=entered.email)
    known = SUBJECTS.keys() | own_subjects(session, municipality_id).keys()
    if unknown := [subject for subject in entered.subjects if subject not in known]:
        raise Refusal(Code.SUBJECT_UNKNOWN, "subjects", name=unknown[0])
    own_id = entry.id if entry else None
    for name, question in (
        ("name", Agency.sort == fold(entered.name)),
        ("key", and_(col(Agency.key) == entered.key, col(Agency.key) != "")),
    ):
        taken = session.exec(
            select(Agency.organisation_id)
            .join(Organisation, col(Organisation.id) == Agency.organisation_id)
            .where(
                Agency.municipality_id == municipality_id,
                question,
                col(Organisation.merged_into_id).is_(None),
                Agency.organisation_id != (own_id or 0),
            )
        ).first()
        if taken is not None:
            raise Refusal(Code.NAME_TAKEN, name, name=getattr(entered, name))


def set_active(session: Session, entry: Entry, active: bool, *, by: Actor, now: datetime) -> None:
    """Ask an agency no more, or again; everything about it stays. Raises Refusal NOT_ALLOWED."""
    _require(by, entry.agency.municipality_id)
    if entry.agency.is_active == active:
        return
    entry.agency.is_active = active
    session.add(entry.agency)
    session.flush()
    verb = "agency_activated" if active else "agency_deactivated"
    _note(session, entry.agency.municipality_id, entry.id, verb, by=by, now=now, name=entry.name)


def add_clerk(session: Session, entry: Entry, entered: ClerkInput, *, by: Actor, now: datetime) -> Clerk:
    """Note somebody who works on an agency's statements; whoever is known by the address changes name and role.

    Raises Refusal NOT_ALLOWED, FORM_INCOMPLETE ("clerk_name"), EMAIL_INVALID ("clerk_email").
    """
    _require(by, entry.agency.municipality_id)
    name = normalise(entered.name, field="clerk_name", limit=NAME_LIMIT).strip()
    email = normalise(entered.email, field="clerk_email", limit=NAME_LIMIT).strip()
    if not name:
        raise Refusal(Code.FORM_INCOMPLETE, "clerk_name")
    if not _MAIL.fullmatch(email):
        raise Refusal(Code.EMAIL_INVALID, "clerk_email", address=email)
    known = next(
        (each for each in clerks_of(session, [entry.id]) if each.email.casefold() == email.casefold()), None
    )
    if known and (known.name, known.role, known.is_active) == (name, entered.role, True):
        return known
    if known:
        row = session.get_one(AgencyClerk, known.id)
        person = session.get_one(Person, known.person_id)
        person.name, row.role, row.is_active = name, entered.role.value, True
    else:
        person = Person(name=name, email=email, organisation_id=entry.id, created_at=now)
        session.add(person)
        session.flush()
        assert person.id is not None
        row = AgencyClerk(
            organisation_id=entry.id, person_id=person.id, role=entered.role.value, created_at=now
        )
    session.add(person)
    session.add(row)
    session.flush()
    _note(
        session, entry.agency.municipality_id, entry.id, "agency_clerk_changed" if known else "agency_clerk_added",
        by=by, now=now, person=person.id, role=entered.role.value,
    )  # fmt: skip
    return Clerk(row.id or 0, row.person_id, entry.id, name, email, entered.role, True)


def remove_clerk(session: Session, entry: Entry, clerk_id: int, *, by: Actor, now: datetime) -> None:
    """Somebody no longer works on it: their links stop working. Raises Refusal NOT_ALLOWED, NOT_FOUND."""
    _require(by, entry.agency.municipality_id)
    row = session.get(AgencyClerk, clerk_id)
    if row is None or row.organisation_id != entry.id:
        raise Refusal(Code.NOT_FOUND)
    row.is_active = False
    session.add(row)
    session.flush()
    _note(
        session, entry.agency.municipality_id, entry.id, "agency_clerk_removed", by=by, now=now, person=row.person_id
    )  # fmt: skip


def clerk_by_id(session: Session, clerk_id: int) -> Clerk:
    """One clerk. Raises NoResultFound for an unknown id."""
    row = session.get_one(AgencyClerk, clerk_id)
    person = session.get_one(Person, row.person_id)
    return _clerk(row, person)


def _clerk(row: AgencyClerk, person: Person) -> Clerk:
    return Clerk(
        row.id or 0, row.person_id, row.organisation_id, person.name, person.email, ClerkRole(row.role),
        row.is_active, row.account_id is not None,
    )  # fmt: skip


def works_for(session: Session, municipality_id: int, person_id: int) -> bool:
    """Whether somebody works for an agency of the town, by their own row or by an account that keeps its requests."""
    return (
        session.exec(
            select(AgencyClerk.id)
            .join(Agency, col(Agency.organisation_id) == AgencyClerk.organisation_id)
            .where(
                or_(col(AgencyClerk.person_id) == person_id, col(AgencyClerk.account_id) == person_id),
                Agency.municipality_id == municipality_id,
                col(AgencyClerk.is_active),
            )
            .limit(1)
        ).first()
        is not None
    )


def towns_of(session: Session, person_id: int) -> set[int]:
    """The towns for whose agencies somebody works, by their own row or by an account that keeps its requests."""
    return set(
        session.exec(
            select(Agency.municipality_id)
            .join(AgencyClerk, col(AgencyClerk.organisation_id) == Agency.organisation_id)
            .where(
                or_(col(AgencyClerk.person_id) == person_id, col(AgencyClerk.account_id) == person_id),
                col(AgencyClerk.is_active),
            )
            .distinct()
        ).all()
    )


def own_clerks(session: Session, municipality_id: int, person_ids: Iterable[int]) -> set[int]:
    """Who of these people stands in the register of the town's agencies in their own right, not by an account alone."""
    return set(
        session.exec(
            select(AgencyClerk.person_id)
            .join(Agency, col(Agency.organisation_id) == AgencyClerk.organisation_id)
            .where(col(AgencyClerk.person_id).in_(person_ids), Agency.municipality_id == municipality_id)
        ).all()
    )


def keep_in_account(session: Session, clerk_id: int, person_id: int, *, by: Actor, now: datetime) -> None:
    """An account shows this clerk's requests from now on; the caller has seen that its owner holds the clerk's link."""
    row = session.get_one(AgencyClerk, clerk_id)
    if person_id in (row.person_id, row.account_id):
        return
    row.account_id = person_id
    session.add(row)
    session.flush()
    organisation = session.get_one(Organisation, row.organisation_id)
    _note(
        session, organisation.municipality_id, organisation.id, "agency_account_kept", by=by, now=now,
        person=row.person_id,
    )  # fmt: skip


def leave_account(session: Session, clerk_id: int, *, by: Actor, now: datetime) -> None:
    """An account shows this clerk's requests no more; the personal links go on working.

    Its owner may do that, and who keeps the register. Raises Refusal NOT_FOUND (nobody keeps them), NOT_ALLOWED.
    """
    row = session.get(AgencyClerk, clerk_id)
    if row is None or row.account_id is None:
        raise Refusal(Code.NOT_FOUND)
    organisation = session.get_one(Organisation, row.organisation_id)
    if by.person_id != row.account_id:
        _require(by, organisation.municipality_id)
    facts = {"person": row.person_id, "account": row.account_id}
    row.account_id = None
    session.add(row)
    session.flush()
    _note(
        session, organisation.municipality_id, organisation.id, "agency_account_left", by=by, now=now, **facts
    )  # fmt: skip


def kept_by(session: Session, municipality_id: int, person_id: int) -> list[tuple[Clerk, Organisation]]:
    """The clerks whose requests an account shows though they are other people's rows, with their agencies."""
    rows = session.exec(
        select(AgencyClerk, Person, Organisation)
        .join(Person, col(Person.id) == AgencyClerk.person_id)
        .join(Organisation, col(Organisation.id) == AgencyClerk.organisation_id)
        .where(AgencyClerk.account_id == person_id, Organisation.municipality_id == municipality_id)
        .order_by(col(Organisation.name), col(AgencyClerk.id))
    ).all()
    return [(_clerk(row, person), organisation) for row, person, organisation in rows]


# --- merging ---------------------------------------------------------------------------------------


def merge(
    session: Session, survivor: Entry, duplicate: Entry, *, note: str, by: Actor, now: datetime
) -> AgencyMerge:
    """Two rows are one body: earlier statements and clerks of the duplicate point to the survivor from now on.

    What was asked of the duplicate stays addressed to it. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("merge_note"),
    WRONG_STATE (the same row, of two towns, or merged already).
    """
    _require(by, survivor.agency.municipality_id)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "merge_note")
    organisations = (survivor.organisation, duplicate.organisation)
    if (
        survivor.id == duplicate.id
        or len({each.municipality_id for each in organisations}) > 1
        or any(each.merged_into_id for each in organisations)
    ):
        raise Refusal(Code.WRONG_STATE, "merge_into", state="merged")
    people = list(
        session.exec(
            select(Person).where(Person.organisation_id == duplicate.id).order_by(col(Person.id))
        ).all()
    )
    clerks = list(session.exec(select(AgencyClerk).where(AgencyClerk.organisation_id == duplicate.id)).all())
    # Rows that were merged into the duplicate before are now the survivor too, so that no chain must be followed.
    for earlier in session.exec(
        select(Organisation).where(Organisation.merged_into_id == duplicate.id)
    ).all():
        earlier.merged_into_id = survivor.id
        session.add(earlier)
    for person in people:
        person.organisation_id = survivor.id
        session.add(person)
    for clerk in clerks:
        clerk.organisation_id = survivor.id
        session.add(clerk)
    row = AgencyMerge(
        municipality_id=survivor.agency.municipality_id,
        survivor_id=survivor.id,
        duplicate_id=duplicate.id,
        people=[person.id or 0 for person in people],
        clerks=[clerk.id or 0 for clerk in clerks],
        was_active=duplicate.agency.is_active,
        note=note.strip(),
        at=now,
        by=by.label,
    )
    duplicate.organisation.merged_into_id = survivor.id
    duplicate.agency.is_active = False
    session.add(row)
    session.add(duplicate.organisation)
    session.add(duplicate.agency)
    session.flush()
    for organisation_id in (survivor.id, duplicate.id):
        _note(
            session, row.municipality_id, organisation_id, "agency_merged", by=by, now=now,
            survivor=survivor.id, duplicate=duplicate.id, note=row.note, people=len(people),
        )  # fmt: skip
    return row


def undo_merge(session: Session, row: AgencyMerge, *, by: Actor, now: datetime) -> None:
    """They are two bodies after all: exactly what moved goes back; what came in since stays with the survivor.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (taken back already, or the survivor was merged on since).
    """
    _require(by, row.municipality_id)
    duplicate = session.get_one(Organisation, row.duplicate_id)
    if row.undone_at is not None or duplicate.merged_into_id != row.survivor_id:
        raise Refusal(Code.WRONG_STATE, state="undone")
    for person in session.exec(select(Person).where(col(Person.id).in_(row.people))).all():
        if person.organisation_id == row.survivor_id:
            person.organisation_id = row.duplicate_id
            session.add(person)
    for clerk in session.exec(select(AgencyClerk).where(col(AgencyClerk.id).in_(row.clerks))).all():
        if clerk.organisation_id == row.survivor_id:
            clerk.organisation_id = row.duplicate_id
            session.add(clerk)
    duplicate.merged_into_id = None
    agency = session.get_one(Agency, row.duplicate_id)
    agency.is_active = row.was_active
    row.undone_at, row.undone_by = now, by.label
    for changed in (duplicate, agency, row):
        session.add(changed)
    session.flush()
    for organisation_id in (row.survivor_id, row.duplicate_id):
        _note(
            session, row.municipality_id, organisation_id, "agency_merge_undone", by=by, now=now,
            survivor=row.survivor_id, duplicate=row.duplicate_id,
        )  # fmt: skip


def merges_of(session: Session, organisation_id: int) -> list[tuple[AgencyMerge, Organisation]]:
    """What was merged into an agency, newest first, each with the other row."""
    rows = session.exec(
        select(AgencyMerge, Organisation)
        .join(Organisation, col(Organisation.id) == AgencyMerge.duplicate_id)
        .where(AgencyMerge.survivor_id == organisation_id)
        .order_by(col(AgencyMerge.id).desc())
    ).all()
    return [(row, organisation) for row, organisation in rows]


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, municipality_id: int, organisation_id: int) -> Entry | None:
    """The agency with this id, if it belongs to the municipality; merged ones too."""
    found = session.exec(
        select(Organisation, Agency)
        .join(Agency, col(Agency.organisation_id) == Organisation.id)
        .where(Organisation.id == organisation_id, Agency.municipality_id == municipality_id)
    ).first()
    return Entry(*found) if found else None


def every(session: Session, municipality_id: int) -> list[Entry]:
    """All agencies of a town that were not merged into another, by name."""
    return listed(session, municipality_id, limit=None)


def listed(
    session: Session,
    municipality_id: int,
    *,
    words: str = "",
    active: bool | None = None,
    after: Entry | None = None,
    limit: int | None = 50,
) -> list[Entry]:
    """The agencies of a town by name, `limit` of them `after` the one given; optionally those whose name or address
    holds the words, and those that are asked or no longer."""
    question = (
        select(Organisation, Agency)
        .join(Agency, col(Agency.organisation_id) == Organisation.id)
        .where(Agency.municipality_id == municipality_id, col(Organisation.merged_into_id).is_(None))
        .order_by(col(Agency.sort), col(Agency.organisation_id))
    )
    wanted = fold(words).replace("%", "").replace("_", "")
    if wanted:
        question = question.where(or_(col(Agency.sort).contains(wanted), col(Agency.email).contains(wanted)))
    if active is not None:
        question = question.where(Agency.is_active == active)
    if after is not None:
        question = question.where(
            or_(
                col(Agency.sort) > after.agency.sort,
                and_(
                    col(Agency.sort) == after.agency.sort,
                    col(Agency.organisation_id) > after.agency.organisation_id,
                ),
            )
        )
    if limit is not None:
        question = question.limit(limit)
    return [Entry(organisation, agency) for organisation, agency in session.exec(question).all()]


def clerks_of(
    session: Session, organisation_ids: Sequence[int], *, active: bool | None = None
) -> list[Clerk]:
    """The clerks of several agencies by name, in one query."""
    question = (
        select(AgencyClerk, Person)
        .join(Person, col(Person.id) == AgencyClerk.person_id)
        .where(col(AgencyClerk.organisation_id).in_(organisation_ids))
        .order_by(col(Person.name), col(AgencyClerk.id))
    )
    if active is not None:
        question = question.where(AgencyClerk.is_active == active)
    return [_clerk(row, person) for row, person in session.exec(question).all()]


# --- whom to ask -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """Whether an agency should be asked about a plan, and why. `in_area`: None while the plan has no area."""

    entry: Entry
    in_area: bool | None
    #: The subject areas of the plan that are its own; all of its own where the plan names none.
    subjects: tuple[str, ...]
    is_proposed: bool


def propose(entries: Sequence[Entry], plan_area: bytes | None, subjects: Iterable[str]) -> list[Proposal]:
    """Each agency with whether to ask it: responsible where the plan lies, and for what the plan is about.

    `plan_area` is WKB in EPSG:25832; without one, place decides nothing. An agency without subject areas, and a plan
    without, are about everything. Boxes are compared first, so that only shapes that may meet are read. Touching
    counts as meeting: a plan at the border concerns both sides.
    """
    wanted = set(subjects)
    box: tuple[float, ...] | None = None
    shape: Any = None
    if plan_area is not None:
        import shapely

        shape = shapely.from_wkb(plan_area)
        shapely.prepare(shape)
        box = tuple(float(edge) for edge in shape.bounds)
    found = []
    for entry in entries:
        agency = entry.agency
        in_area = None if box is None else agency.is_townwide or _meets(agency, box, shape)
        shared = tuple(subject for subject in agency.subjects if not wanted or subject in wanted)
        fits = not wanted or not agency.subjects or bool(shared)
        found.append(Proposal(entry, in_area, shared, agency.is_active and in_area is not False and fits))
    return found


def _meets(agency: Agency, box: Sequence[float], shape: Any) -> bool:
    if agency.competence is None or agency.min_x is None or agency.max_x is None:
        return False
    assert agency.min_y is not None
    assert agency.max_y is not None
    west, south, east, north = box
    if agency.min_x > east or agency.max_x < west or agency.min_y > north or agency.max_y < south:
        return False
    import shapely

    return bool(shapely.intersects(shape, shapely.from_wkb(agency.competence)))
