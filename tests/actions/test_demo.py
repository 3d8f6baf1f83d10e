"""The demo towns: filled once, whole or not at all, through the real verbs, and alive on every day of the year."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import shapely
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from consultations import (
    agency_overview,
    certificates,
    channels,
    evidence,
    invitations,
    lateness,
    municipalities,
    procedures,
)
from consultations.amendments import Amendment
from consultations.ballots import Vote
from consultations.certificates import Certificate
from consultations.contributions import Contribution, ContributionState, Kind, PublicationState
from consultations.corrections import Correction
from consultations.deadlines import PhaseState, local_date
from consultations.documents import documents_of
from consultations.files import FolderStore
from consultations.implementation import ImplementationEntry
from consultations.invitations import InvitationState
from consultations.journal import JournalEntry
from consultations.lateness import LateDecision
from consultations.people import staff_of
from consultations.permissions import Role
from consultations.phases import Phase, PhaseKind
from consultations.places import Layer, Place, PlaceKind
from consultations.procedures import Procedure, ProcedureState
from consultations.proposals import Proposal
from consultations.seats import Seat
from consultations.support_lists import SupportList
from participation import demo, demo_story, demo_town, identity
from participation.app import open_files
from participation.database import make_engine, unit_of_work
from participation.house import read_clock
from participation.settings import Settings

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The whole demo, filled as the command fills it."""
    return demo.prepare(tmp_path_factory.mktemp("demo"), port=8000, fresh=False, samples=False)


@pytest.fixture(scope="module")
def now() -> datetime:
    return read_clock()


@pytest.fixture
def session(settings: Settings) -> Iterator[Session]:
    engine = make_engine(settings.database_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def all_contributions(session: Session, key: str = "") -> list[Contribution]:
    question = select(Contribution).join(Procedure, col(Procedure.id) == Contribution.procedure_id)
    if key:
        question = question.where(Procedure.key == key)
    return list(session.exec(question).all())


# --- the command -----------------------------------------------------------------------------------


def test_a_second_start_fills_nothing_and_keeps_the_secret(settings: Settings, session: Session) -> None:
    entries = len(session.exec(select(JournalEntry.id)).all())
    again = demo.prepare(settings.data_dir, port=8001, fresh=False, samples=False)
    assert again.secret == settings.secret
    assert again.public_port == 8001
    assert len(session.exec(select(JournalEntry.id)).all()) == entries
    assert (settings.data_dir / "secret").stat().st_mode & 0o777 == 0o600


def test_a_demo_of_last_month_says_that_its_dates_are_over(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = settings.data_dir / "demo"
    filled = mark.read_text()
    demo.prepare(settings.data_dir, port=8000, fresh=False, samples=False)
    assert "--fresh" not in capsys.readouterr().out
    mark.write_text("2026-01-31")
    demo.prepare(settings.data_dir, port=8000, fresh=False, samples=False)
    assert "filled on 2026-01-31" in capsys.readouterr().out
    mark.write_text(filled)


def test_an_interrupted_fill_is_begun_anew(tmp_path: Path) -> None:
    """What a killed fill leaves is a file without the name; and a fill that fails leaves no database."""
    (tmp_path / "unfinished.sqlite").write_bytes(b"half a database")
    (tmp_path / "unfinished.sqlite-wal").write_bytes(b"and its log")
    database = tmp_path / "digilog.sqlite"
    with pytest.raises(RuntimeError, match="cut"), demo.finished_or_nothing(database) as engine:
        raise RuntimeError(f"the power was cut while {engine.url} was filled")
    assert not database.exists()
    with demo.finished_or_nothing(database) as engine, unit_of_work(engine, write=True) as session:
        session.connection().exec_driver_sql("CREATE TABLE whole (id INTEGER)")
    assert database.exists()
    assert [file.name for file in tmp_path.glob("unfinished*")] == []


def test_a_folder_with_another_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "digilog.sqlite").write_bytes(b"a town's own")
    with pytest.raises(SystemExit, match="another folder"):
        demo.prepare(tmp_path, port=8000, fresh=True, samples=False)
    assert (tmp_path / "digilog.sqlite").read_bytes() == b"a town's own"


def test_everybody_who_is_named_can_sign_in(settings: Settings, session: Session, now: datetime) -> None:
    told = demo.welcome(8000)
    emails = [line.split()[0] for line in told.splitlines() if "@" in line]
    assert len(emails) == 11 + 2  # staff, and two clerks of an agency
    assert demo_story.PASSWORD in told
    for email in emails[:1] + emails[-1:]:
        assert identity.check_password(session, email, demo_story.PASSWORD, now=now).is_active
    assert all(identity.by_email(session, email) for email in emails)


# --- what is in it ---------------------------------------------------------------------------------


def test_nothing_was_tampered_with(session: Session, settings: Settings) -> None:
    assert list(evidence.examine(session, open_files(settings))) == []


def test_the_journal_is_in_the_order_of_time(session: Session) -> None:
    for town in municipalities.every(session):
        moments = session.exec(
            select(JournalEntry.at)
            .where(JournalEntry.municipality_id == town.id)
            .order_by(col(JournalEntry.sequence))
        ).all()
        assert list(moments) == sorted(moments)
        assert len(moments) > 30


def test_two_towns_that_differ(session: Session) -> None:
    auenfurt, birkstein = (municipalities.by_key(session, key) for key in demo.TOWNS)
    assert auenfurt is not None
    assert birkstein is not None
    assumption = date(2027, 8, 15)
    assert Seat.from_data(auenfurt.calendar).holiday(assumption)
    assert not Seat.from_data(birkstein.calendar).holiday(assumption)
    assert auenfurt.theme != birkstein.theme
    assert {"localhost", "127.0.0.1"} <= set(municipalities.hosts_of(session, auenfurt.id or 0))
    for town in (auenfurt, birkstein):
        assert set(town.legal_texts["imprint"]) == {"de", "en"}


def test_every_channel_and_everything_that_can_become_of_a_contribution(session: Session) -> None:
    rows = all_contributions(session)
    assert {row.channel for row in rows} == {channel.key for channel in channels.CHANNELS}
    assert {row.publication for row in rows} == {state.value for state in PublicationState}
    assert {row.kind for row in rows} == {kind.value for kind in Kind}
    assert {row.geometry_kind for row in rows} >= {"", "point", "line"}
    assert any(row.state == ContributionState.WITHDRAWN for row in rows)
    assert any(row.supplements_id for row in rows)
    assert any(row.redaction_id for row in rows)
    assert any(row.is_late for row in rows if row.wants_publication)
    assert any(row.language == "en" for row in rows)
    waiting = [row for row in rows if row.publication == PublicationState.PENDING]
    assert 20 <= len(waiting) <= 50
    dialogue = [row for row in rows if row.kind == Kind.PROPOSAL]
    assert len(dialogue) == 150 + 5 + 5
    assert {row.state for row in session.exec(select(Amendment))} == {"accepted", "rejected", "proposed"}
    told = session.exec(select(Proposal)).all()
    assert max(proposal.newest_number for proposal in told) == 3
    # The whole way from the idea to the built thing, and every step of the offices in between.
    assert {proposal.evaluation for proposal in told} >= {"assigned", "second_reader", "published"}
    assert {proposal.authoring for proposal in told} == {"open", "merged", "locked"}
    counted, running = session.exec(select(Vote).order_by(col(Vote.id))).all()
    assert (counted.state, running.state) == ("closed", "ready")
    assert counted.result["channels"] == {"letter": 12, "web": 41}
    assert counted.result["letters"] == {"admitted": 12, "used": 2}
    assert "chosen" in counted.result["outcomes"].values()
    built = {(entry.kind, entry.state) for entry in session.exec(select(ImplementationEntry))}
    assert built >= {
        ("milestone", "planned"),
        ("milestone", "reached"),
        ("money", ""),
        ("decision", ""),
        ("news", ""),
    }
    assert {sheet.state for sheet in session.exec(select(SupportList))} == {"entered", "checked"}
    assert sum(proposal.supports for proposal in told) == 14 + 9 + 11 + 5 + 6 + 8 + 4
    assert max(Counter(row.text for row in dialogue).values()) <= 2


def test_every_phase_to_look_at(session: Session, now: datetime) -> None:
    rows = {row.key: row for row in session.exec(select(Procedure)).all()}
    assert {row.state for row in rows.values()} == {
        ProcedureState.DRAFT.value,
        ProcedureState.PUBLISHED.value,
        ProcedureState.CONCLUDED.value,
    }

    def states(key: str) -> dict[str, PhaseState]:
        phases = session.exec(select(Phase).where(Phase.procedure_id == rows[key].id)).all()
        return {phase.kind: phase.state(now) for phase in phases}

    assert states("BP-48")[PhaseKind.PUBLICATION] is PhaseState.OPEN
    assert states("BP-51")[PhaseKind.EARLY] is PhaseState.OPEN
    assert states("D-07")[PhaseKind.CO_CREATION] is PhaseState.OPEN
    assert states("BP-52")[PhaseKind.PUBLICATION] is PhaseState.COMING
    assert states("BP-45")[PhaseKind.PUBLICATION] is PhaseState.OVER
    assert states("BP-44")[PhaseKind.WEIGHING] is PhaseState.OPEN
    assert states("BP-39")[PhaseKind.IN_FORCE] is PhaseState.OPEN


def test_agencies_in_every_state(session: Session, now: datetime) -> None:
    lines = [
        line
        for key in ("BP-48", "BP-45")
        for procedure in session.exec(select(Procedure).where(Procedure.key == key))
        for phase in invitations.asking_phases(session, procedure)
        for line in agency_overview.overview(session, phase, today=local_date(now))
    ]
    assert {line.state for line in lines} >= set(InvitationState) - {InvitationState.LISTED}
    assert any(line.is_late for line in lines)
    assert {request.decision for line in lines for request in line.extensions} == {
        "open",
        "granted",
        "refused",
    }
    assert {answer.channel for line in lines for answer in line.answers} >= {"agency_link", "letter", "email"}
    assert {line.invitation.way for line in lines} >= {"mail", "letter"}


def test_documents_are_real_papers(session: Session, settings: Settings) -> None:
    row = procedures.by_key(session, 1, "BP-48")
    assert row is not None
    documents = documents_of(session, row.id or 0)
    assert [document.title for document, _ in documents][:3] == [
        "Planzeichnung",
        "Begründung",
        "Umweltbericht",
    ]
    assert [len(versions) for _, versions in documents] == [2, 1, 1, 2, 1]
    for _, versions in documents:
        for version in versions:
            head = b"".join(open_files(settings).open(version.sha256))[:5]
            assert head == b"%PDF-"
            assert version.pages
            assert version.text
    assert row.translations["en"]["title"]


def test_what_is_on_the_map_is_in_the_town(session: Session) -> None:
    boundary = session.exec(select(Layer).where(Layer.role == "boundary")).all()
    assert len(boundary) == 2
    land = demo_town.build(demo_town.AUENFURT)
    town = land.layers["boundary"][0][1]
    rows = [row for row in all_contributions(session) if row.municipality_id == 1 and row.geometry]
    assert len(rows) > 150
    assert all(town.contains(shapely.from_wkb(row.geometry)) for row in rows)
    kinds = Counter(session.exec(select(Place.kind).where(Place.municipality_id == 1)).all())
    assert kinds[PlaceKind.DISTRICT] == 7
    assert kinds[PlaceKind.STREET] > 50
    assert kinds[PlaceKind.PARCEL] > 1000


# --- on other days, on the other database ----------------------------------------------------------


@pytest.mark.parametrize(
    "day",
    [
        datetime(2027, 1, 1, 0, 30, tzinfo=UTC),  # a holiday, and the day after the year's end
        datetime(2028, 3, 1, 22, 59, tzinfo=UTC),  # after 29 February, just before midnight there
        datetime(2027, 3, 28, 0, 59, tzinfo=UTC),  # the hour that the clocks leave out
    ],
    ids=["new year", "leap day", "clock change"],
)
def test_the_town_is_alive_on_any_day(engine: Engine, tmp_path: Path, day: datetime) -> None:
    files = FolderStore(tmp_path / "files")
    demo.fill(engine, files, now=day, towns=("birkstein",))
    with unit_of_work(engine) as session:
        assert list(evidence.examine(session, files)) == []
        running = session.exec(select(Phase).where(Phase.kind == PhaseKind.PUBLICATION.value)).one()
        assert running.state(day) is PhaseState.OPEN
        assert running.ends_on is not None
        assert running.starts_on is not None
        assert (running.ends_on - running.starts_on).days >= 30
        town = municipalities.by_key(session, "birkstein")
        assert town is not None
        assert Seat.from_data(town.calendar).is_working_day(running.ends_on)
        assert all(row.received_at <= day for row in all_contributions(session))
        assert max(local_date(row.received_at) for row in all_contributions(session)) < local_date(day)


# --- the land --------------------------------------------------------------------------------------


def test_the_land_is_the_same_every_time_and_nothing_stands_in_the_river() -> None:
    land, again = demo_town.build(demo_town.BIRKSTEIN), demo_town.build(demo_town.BIRKSTEIN)
    assert land.layers == again.layers
    houses = [shape for _, shape in land.layers["buildings"]]
    assert len(houses) > 300
    water = shapely.union_all([shape for _, shape in land.layers["water"]])
    assert not any(shape.intersects(water) for shape in houses)
    tree = shapely.STRtree(houses)
    left, right = tree.query(houses, predicate="overlaps")
    assert [
        (a, b) for a, b in zip(left, right, strict=True) if houses[a].intersection(houses[b]).area > 1
    ] == []
    assert all(shape.is_valid for features in land.layers.values() for _, shape in features)


def test_the_staff_of_a_town_have_each_role(session: Session) -> None:
    told = {role.value for role in Role} - {Role.OPERATOR.value}
    for town in municipalities.every(session):
        assert {row.role for _, row in staff_of(session, town.id or 0)} == told


def test_a_finished_publication_is_proved(session: Session) -> None:
    """A certificate, one short outage, a correction of what lies open, a late statement decided and one waiting."""
    (issued,) = (row for row in session.exec(select(Certificate)).all() if row.is_final)
    assert certificates.verify(session, issued).problems == ()
    content = certificates.content_of(issued)
    assert content["availability"]["outage_minutes"] == 35
    assert content["availability"]["action"] == "log_only"
    assert content["availability"]["unmeasured_minutes"] == 55
    assert {row.way for row in session.exec(select(Correction)).all()} == {"note"}
    assert [row.outcome for row in session.exec(select(LateDecision)).all()] == ["considered"]
    assert lateness.waiting_count(session, issued.municipality_id) >= 1
