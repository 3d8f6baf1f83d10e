"""The cast: two towns, and in each the people who work there. Tests name them instead of making their own."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Table, text
from sqlmodel import Session, col, select

from consultations import contributions, municipalities, people, procedures, publishing, releases
from consultations.contributions import Contribution, Kind, Submission
from consultations.municipalities import Municipality, MunicipalityInput
from consultations.people import Person
from consultations.permissions import PUBLIC, SYSTEM, Actor, Role
from consultations.phases import Opens, PhaseInput, PhaseKind, phases_of
from consultations.procedures import Procedure, ProcedureInput
from consultations.tables import metadata

#: A Tuesday in the middle of the formal phase of the cast's consultation.
NOW = datetime(2027, 2, 16, 10, 30, 15, tzinfo=UTC)
STARTS, ENDS = date(2027, 2, 1), date(2027, 3, 2)


_NAMES = {Role.CLERK: "Clara", Role.MODERATOR: "Mona", Role.PLANNER: "Paula", Role.ADMINISTRATOR: "Anton"}


@dataclass
class Town:
    """A municipality with its staff, one of each role, and one running consultation."""

    municipality: Municipality
    staff: dict[Role, Actor]
    procedure: Procedure
    keys: int = field(default=0)

    @property
    def id(self) -> int:
        assert self.municipality.id is not None
        return self.municipality.id

    @property
    def clerk(self) -> Actor:
        return self.staff[Role.CLERK]

    @property
    def moderator(self) -> Actor:
        return self.staff[Role.MODERATOR]

    @property
    def planner(self) -> Actor:
        return self.staff[Role.PLANNER]

    @property
    def administrator(self) -> Actor:
        return self.staff[Role.ADMINISTRATOR]

    def hand_in(self, session: Session, text: str = "Bitte mehr Bäume.", **facts: Any) -> Contribution:
        """A statement through the one door; keywords are fields of `Submission`, `by` and `now`."""
        self.keys += 1
        by = facts.pop("by", PUBLIC)
        now = facts.pop("now", NOW)
        procedure = facts.pop("procedure", self.procedure)
        facts = {"kind": Kind.STATEMENT, "channel": "web", "key": f"key-{self.keys}", "text": text, **facts}
        return contributions.submit(session, Submission(**facts), procedure=procedure, by=by, now=now)


def employ(
    session: Session, town: Municipality, role: Role, name: str, *, procedure_id: int | None = None
) -> Actor:
    """A person with a role in the town, ready to act."""
    person = Person(name=name, email=f"{name.lower()}@{town.key}.example", created_at=NOW)
    session.add(person)
    session.flush()
    people.grant(
        session, person, role, municipality_id=town.id, procedure_id=procedure_id, by=SYSTEM, now=NOW
    )
    assert person.id is not None
    actor = people.actor_of(session, person.id)
    assert actor is not None
    return actor


def consultation(**facts: Any) -> ProcedureInput:
    """All that a consultation needs before it may be published, with one formal phase around `NOW`."""
    return ProcedureInput(
        **{
            "key": "BP-12",
            "title": "Wohnen am Mühlbach",
            "summary": "Am Mühlbach sollen 120 Wohnungen entstehen.",
            "description": "Es geht um **Höhe**, Grün und Wege.",
            "location_words": "Zwischen Mühlbach, Bahnlinie und Färbergasse",
            "district": "Innenstadt",
            "contact": {"name": "Frau Kern", "office": "Stadtplanungsamt", "phone": "08999 1234-10"},
            "access_options": ({"place": "Rathaus, Zimmer 12", "hours": "Mo bis Fr 8 bis 12 Uhr"},),
            "phases": (
                PhaseInput(
                    PhaseKind.PUBLICATION,
                    starts_on=STARTS,
                    ends_on=ENDS,
                    opens=(Opens.STATEMENT,),
                    is_formal=True,
                ),
                PhaseInput(PhaseKind.WEIGHING),
            ),
            **facts,
        }
    )


def adopt(session: Session, procedure: Procedure) -> None:
    """Open its formal phases without looking, as for one that was announced before this software came."""
    assert procedure.id is not None
    for phase in phases_of(session, procedure.id):
        if phase.waits_for_release:
            releases.adopt(session, procedure, phase, reason="Auf Papier bekannt gemacht", by=SYSTEM, now=NOW)


def found(
    session: Session, key: str = "auenfurt", name: str = "Auenfurt", *, hosts: tuple[str, ...] = ()
) -> Town:
    """A town with staff and one published consultation. Nothing is committed.

    What the first town of a database consists of is remembered as rows: hundreds of tests begin with it.
    """
    kind = session.get_bind().dialect.name
    is_first = session.exec(select(Municipality.id).limit(1)).first() is None
    named = (kind, key, name, hosts)
    if is_first and named in _FOUNDED:
        return _founded_again(session, _FOUNDED[named])
    town = _found(session, key, name, hosts)
    if is_first:
        session.flush()
        connection = session.connection()
        rows = {
            table: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in metadata.sorted_tables
        }
        _FOUNDED[named] = {table: found for table, found in rows.items() if found}
    return town


#: By kind of database and arguments of `found`: the rows of each table, in an order that foreign keys allow.
_FOUNDED: dict[tuple[str, str, str, tuple[str, ...]], dict[Table, list[dict[str, Any]]]] = {}


def with_ideas(session: Session, title: str = "Ideen für den Mühlbach") -> Town:
    """The cast's town with a public dialogue, `ideen`, that takes proposals and comments."""
    town = found(session)
    phase = PhaseInput(
        PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.PROPOSAL, Opens.COMMENT)
    )
    town.procedure = procedures.create(
        session,
        consultation(key="ID", slug="ideen", title=title, phases=(phase,)),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    publishing.publish(session, town.procedure, by=town.planner, now=NOW)
    return town


def _founded_again(session: Session, rows: dict[Table, list[dict[str, Any]]]) -> Town:
    connection = session.connection()
    for table, values in rows.items():
        connection.execute(table.insert(), values)
        if connection.dialect.name == "postgresql" and table.autoincrement_column is not None:
            last = max(value["id"] for value in values)
            number = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
            connection.execute(number, {"name": f'"{table.name}"', "last": last})
    staff = {}
    for role, person in zip(_NAMES, session.exec(select(Person).order_by(col(Person.id))), strict=True):
        actor = people.actor_of(session, person.id or 0)
        assert actor is not None
        staff[role] = actor
    return Town(session.exec(select(Municipality)).one(), staff, session.exec(select(Procedure)).one())


def _found(session: Session, key: str, name: str, hosts: tuple[str, ...]) -> Town:
    municipality = municipalities.save(
        session,
        MunicipalityInput(
            key=key,
            name=name,
            hosts=hosts or (f"{key}.localhost",),
            authority=f"Stadt {name}",
            calendar={"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]},
            contact={
                "office": "Bürgeramt",
                "street": "Marktplatz 1",
                "postcode": "89999",
                "city": name,
                "phone": "08999 1234-0",
                "email": f"beteiligung@{key}.example",
                "hours": "Mo bis Fr 8 bis 12 Uhr",
                "step_free": "Stufenlos über den Hof",
            },
            bounds=(10.6, 48.2, 10.8, 48.4),
        ),
        by=SYSTEM,
        now=NOW,
    )
    staff = {role: employ(session, municipality, role, given) for role, given in _NAMES.items()}
    assert municipality.id is not None
    procedure = procedures.create(
        session,
        consultation(),
        municipality_id=municipality.id,
        template_key="development_plan",
        by=staff[Role.PLANNER],
        now=NOW,
    )
    publishing.publish(session, procedure, by=staff[Role.PLANNER], now=NOW)
    adopt(session, procedure)
    return Town(municipality, staff, procedure)
