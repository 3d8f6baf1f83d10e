"""The one door: every rule for every channel, one contribution however often it is sent, and what comes after."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from consultations import (
    channels,
    contributions,
    drafts,
    filing,
    journal,
    moderation,
    people,
    procedures,
    proposal_lists,
    published,
    publishing,
    received,
    saved_searches,
    topics,
)
from consultations.channels import CHANNELS, Channel, Entry
from consultations.contributions import (
    ATTACHMENTS_LIMIT,
    CODE_ALPHABET,
    AttachedFile,
    Contribution,
    ContributionState,
    Kind,
    PublicationState,
    Submission,
)
from consultations.documents import DocumentKind, FileFacts
from consultations.journal import JournalEntry
from consultations.moderation import Action, Decision
from consultations.notices import Notice
from consultations.people import PersonInput
from consultations.permissions import PUBLIC, SYSTEM, Actor
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.procedures import Procedure
from consultations.proposal_lists import Order
from consultations.refusals import Code, Refusal
from consultations.text import TEXT_LIMIT
from consultations.topics import TopicInput
from geo.geometry import from_lonlat
from participation import database
from participation.database import unit_of_work
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town
from tests.queries import counted

EACH_CHANNEL = pytest.mark.parametrize("channel", CHANNELS, ids=str)

SHEET = AttachedFile("a" * 64, "Skizze.pdf", "application/pdf", 1234, pages=2)


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


def whoever_uses(town: Town, channel: Channel) -> Actor:
    return {Entry.PUBLIC: PUBLIC, Entry.CLERK: town.clerk, Entry.IMPORT: town.planner}[channel.entry]


@pytest.fixture
def hand_in(session: Session, town: Town) -> Callable[..., Contribution]:
    """Hands in by a channel, by whoever uses it."""

    def submit(channel: Channel = channels.WEB, **facts: Any) -> Contribution:
        return town.hand_in(session, **{"channel": channel.key, "by": whoever_uses(town, channel), **facts})

    return submit


HandIn = Callable[..., Contribution]


def refused(act: Callable[[], object]) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        act()
    return refusal.value


# --- what is taken in ------------------------------------------------------------------------------


@EACH_CHANNEL
def test_what_is_handed_in_is_on_record_whatever_the_channel(
    session: Session, town: Town, hand_in: HandIn, channel: Channel
) -> None:
    person = PersonInput(name="Rosa Muster", email="rosa@example.org")
    made = hand_in(channel, text="Die Linden sollen bleiben.", person=person, attachments=(SHEET,))
    assert (made.channel, made.kind, made.state) == (channel.key, "statement", "received")
    assert (made.reference, made.entry_number) == ("BP-12-0001", 1)
    assert (made.text, made.received_at, made.recorded_at) == ("Die Linden sollen bleiben.", NOW, NOW)
    assert made.recorded_by == whoever_uses(town, channel).label
    assert made.is_late is False
    record = received.record_of(session, made)
    assert record.phase is not None
    assert record.phase.kind == PhaseKind.PUBLICATION.value
    assert record.person is not None
    assert record.person.name == "Rosa Muster"
    assert [each.filename for each in record.attachments] == ["Skizze.pdf"]
    assert record.receipt.payload_sha256 == contributions.payload_sha256(
        made, record.person, record.attachments
    )
    entry = session.exec(select(JournalEntry).where(JournalEntry.verb == "contribution_received")).one()
    assert entry.subject == f"contribution:{made.id}"
    assert entry.facts["channel"] == channel.key
    assert entry.facts["payload_sha256"] == record.receipt.payload_sha256
    (told,) = session.exec(select(Notice)).all()
    assert (told.kind, told.way, told.address) == ("receipt", "mail", "rosa@example.org")


@EACH_CHANNEL
def test_text_or_a_file_is_the_only_thing_required(hand_in: HandIn, channel: Channel) -> None:
    nothing = refused(lambda: hand_in(channel, text=" \n\t\u0000 "))
    assert (nothing.code, nothing.field) == (Code.EMPTY_CONTRIBUTION, "text")
    only_a_file = hand_in(channel, text="", attachments=(SHEET,))
    assert only_a_file.submitter_id is None
    assert only_a_file.reference == "BP-12-0001", "a refusal costs no number"


@EACH_CHANNEL
def test_the_date_of_receipt_decides_whether_it_is_late(
    session: Session, hand_in: HandIn, channel: Channel
) -> None:
    # 2 March 2027 ends at 23:00 UTC, because it is winter time in Germany.
    last_moment = datetime(2027, 3, 2, 22, 59, 59, tzinfo=UTC)
    entered = last_moment + timedelta(days=20)
    in_time = hand_in(channel, received_at=last_moment, now=entered)
    late = hand_in(channel, received_at=last_moment + timedelta(seconds=1), now=entered)
    assert (in_time.is_late, late.is_late) == (False, True)
    assert in_time.phase_id == late.phase_id is not None
    assert late.received_at == last_moment + timedelta(seconds=1)
    assert late.recorded_at == entered


@EACH_CHANNEL
def test_before_the_start_the_form_is_closed_but_what_lies_on_the_counter_is_kept(
    hand_in: HandIn, channel: Channel
) -> None:
    early = datetime(2027, 1, 31, 22, 59, tzinfo=UTC)
    if channel.entry is not Entry.PUBLIC:
        kept = hand_in(channel, received_at=early)
        assert (kept.phase_id is not None, kept.is_late) == (True, False)
        return
    refusal = refused(lambda: hand_in(channel, received_at=early))
    assert (refusal.code, refusal.facts) == (Code.PHASE_NOT_STARTED, {"starts": STARTS})


@EACH_CHANNEL
def test_impossible_dates_are_refused_at_their_fields(hand_in: HandIn, channel: Channel) -> None:
    future = refused(lambda: hand_in(channel, received_at=NOW + timedelta(seconds=1)))
    assert (future.code, future.field) == (Code.RECEIVED_IN_FUTURE, "received_at")
    written = refused(lambda: hand_in(channel, written_on=date(2027, 2, 17)))
    assert (written.code, written.field) == (Code.WRITTEN_AFTER_RECEIVED, "written_on")
    assert hand_in(channel, written_on=date(2027, 2, 16)).written_on == date(2027, 2, 16)


@EACH_CHANNEL
def test_the_same_form_sent_again_is_the_same_contribution(
    session: Session, hand_in: HandIn, channel: Channel
) -> None:
    first = hand_in(channel, key="one form", person=PersonInput(email="rosa@example.org"))
    again = hand_in(channel, key="one form", text="something else", now=NOW + timedelta(hours=1))
    assert again.id == first.id
    assert again.text == "Bitte mehr Bäume."
    assert len(session.exec(select(Notice)).all()) == 1
    assert hand_in(channel, key="another form").reference == "BP-12-0002", "a repetition costs no number"


@EACH_CHANNEL
def test_a_channel_is_used_by_those_whose_it_is(session: Session, town: Town, channel: Channel) -> None:
    for actor in (PUBLIC, town.moderator, town.administrator):
        if channel.entry is Entry.PUBLIC:
            town.hand_in(session, channel=channel.key, by=actor)
        else:
            refusal = refused(lambda actor=actor: town.hand_in(session, channel=channel.key, by=actor))  # type: ignore[misc]
            assert refusal.code is Code.NOT_ALLOWED


@EACH_CHANNEL
def test_a_reference_has_to_belong_to_the_consultation(
    session: Session, town: Town, hand_in: HandIn, channel: Channel
) -> None:
    other = another_consultation(session, town)
    foreign = add_document(session, town, other)
    for unknown in (foreign, foreign + 1000, 0):
        refusal = refused(lambda unknown=unknown: hand_in(channel, document_id=unknown))  # type: ignore[misc]
        assert (refusal.code, refusal.field) == (Code.UNKNOWN_REFERENCE, "document_id")
    own = add_document(session, town, town.procedure)
    made = hand_in(channel, document_id=own, section="4.2")
    assert received.record_of(session, made).document is not None
    foreign_one = town.hand_in(session, procedure=other)
    for name in ("parent", "supplements"):
        refusal = refused(lambda name=name: hand_in(channel, **{name: foreign_one}))  # type: ignore[misc]
        assert refusal.code is Code.UNKNOWN_REFERENCE


@EACH_CHANNEL
def test_too_much_is_refused_with_its_limit(hand_in: HandIn, channel: Channel) -> None:
    long = refused(lambda: hand_in(channel, text="x" * (TEXT_LIMIT + 1)))
    assert (long.code, long.field, long.facts["limit"]) == (Code.TEXT_TOO_LONG, "text", TEXT_LIMIT)
    short = refused(lambda: hand_in(channel, place_words="x" * 501))
    assert (short.code, short.field, short.facts["limit"]) == (Code.TEXT_TOO_LONG, "place_words", 500)
    name = refused(lambda: hand_in(channel, person=PersonInput(name="x" * 501)))
    assert (name.code, name.field) == (Code.TEXT_TOO_LONG, "name")
    files = tuple(replace(SHEET, filename=f"{number}.pdf") for number in range(ATTACHMENTS_LIMIT + 1))
    many = refused(lambda: hand_in(channel, attachments=files))
    assert (many.code, many.facts) == (Code.ATTACHMENTS_TOO_MANY, {"limit": ATTACHMENTS_LIMIT})
    assert len(hand_in(channel, text="x" * TEXT_LIMIT).text) == TEXT_LIMIT


@EACH_CHANNEL
def test_only_a_public_procedure_takes_anything(session: Session, town: Town, channel: Channel) -> None:
    draft = procedures.create(
        session,
        cast.consultation(key="BP-13", title="Noch geheim"),
        municipality_id=town.id,
        template_key="development_plan",
        by=town.planner,
        now=NOW,
    )

    def act() -> Contribution:
        return town.hand_in(session, channel=channel.key, by=whoever_uses(town, channel), procedure=draft)

    if channel.entry is Entry.IMPORT:
        assert act().reference == "BP-13-0001", "a planner fills a consultation before it is published"
    else:
        assert refused(act).code is Code.WRONG_STATE


@EACH_CHANNEL
def test_what_was_typed_is_stored_as_every_database_can_keep_it(hand_in: HandIn, channel: Channel) -> None:
    made = hand_in(
        channel,
        text="Gru\u0308n\x00\r\nund \ud800 schön",
        section="Kap\x00itel\ud800 4 ",
        place_words=" beim Ba\u0308cker",
        person=PersonInput(name="Ju\u0308rgen\x00 Mu\u0308ller ", city="Auenfurt"),
    )
    assert made.text == "Grün\nund  schön"
    assert (made.section, made.place_words) == ("Kapitel 4", "beim Bäcker")


# --- people and notices ----------------------------------------------------------------------------


def test_who_says_nothing_about_themselves_is_nobody(session: Session, hand_in: HandIn) -> None:
    assert hand_in(person=PersonInput(name="  ", email="\x00")).submitter_id is None
    somebody = received.submitter_of(session, hand_in(person=PersonInput(city="Auenfurt")))[0]
    assert somebody is not None
    assert somebody.city == "Auenfurt"


def test_equal_names_are_not_one_person(hand_in: HandIn) -> None:
    person = PersonInput(name="Rosa Muster")
    assert hand_in(person=person).submitter_id != hand_in(person=person).submitter_id


@pytest.mark.parametrize(
    ("person", "facts", "ways"),
    [
        (PersonInput(email=" rosa@example.org "), {}, [("mail", "rosa@example.org")]),
        (
            PersonInput(name="Rosa Muster", street="Wehrgasse 3", postcode="89999", city="Auenfurt"),
            {},
            [("letter", "Rosa Muster\nWehrgasse 3\n89999 Auenfurt")],
        ),
        (PersonInput(name="Rosa Muster"), {}, []),
        (PersonInput(), {}, []),
        (PersonInput(email="rosa@example.org"), {"source_id": "old-1"}, []),
    ],
)
def test_the_receipt_goes_where_somebody_can_be_reached(
    session: Session, hand_in: HandIn, person: PersonInput, facts: dict[str, Any], ways: list[tuple[str, str]]
) -> None:
    hand_in(person=person, **facts)
    assert [(each.way, each.address) for each in session.exec(select(Notice)).all()] == ways


def test_organisations_of_the_same_name_are_one(session: Session, hand_in: HandIn) -> None:
    first, second = (hand_in(person=PersonInput(organisation="Heimatverein")) for _time in range(2))
    bodies = [received.submitter_of(session, each)[1] for each in (first, second)]
    assert bodies[0] is bodies[1] is not None


# --- kinds and phases ------------------------------------------------------------------------------


def another_consultation(session: Session, town: Town, *phases: PhaseInput) -> Procedure:
    """A second published consultation; formal like the first, or with these phases."""
    procedure = procedures.create(
        session,
        cast.consultation(key="D-1", title="Dialog Radverkehr", **({"phases": phases} if phases else {})),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    published = publishing.publish(session, procedure, by=town.planner, now=NOW)
    cast.adopt(session, published)
    return published


def add_document(session: Session, town: Town, procedure: Procedure) -> int:
    version = filing.add_document(
        session,
        procedure,
        FileFacts("b" * 64, "Begründung.pdf", "application/pdf", 99),
        title="Begründung",
        kind=DocumentKind.EXPLANATORY_REPORT,
        by=town.planner,
        now=NOW,
    )
    return version.document_id


DIALOGUE = PhaseInput(
    PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.PROPOSAL, Opens.COMMENT)
)


def test_an_informal_contribution_belongs_to_an_open_phase_only(session: Session, town: Town) -> None:
    dialogue = another_consultation(session, town, DIALOGUE)
    assert refused(lambda: town.hand_in(session, procedure=dialogue)).code is Code.KIND_NOT_OPEN
    idea = town.hand_in(session, procedure=dialogue, kind=Kind.PROPOSAL, title="Radweg", category="Rad")
    answer = town.hand_in(session, procedure=dialogue, kind=Kind.COMMENT, parent=idea)
    assert (idea.is_late, answer.parent_id) == (False, idea.id)
    after = datetime(2027, 3, 2, 23, 0, tzinfo=UTC)
    late = refused(lambda: town.hand_in(session, procedure=dialogue, kind=Kind.PROPOSAL, now=after))
    assert (late.code, late.facts) == (Code.PHASE_CLOSED, {"ended": ENDS})


def test_a_weekend_at_the_end_makes_the_period_longer(session: Session, town: Town) -> None:
    longer = another_consultation(
        session,
        town,
        PhaseInput(
            PhaseKind.PUBLICATION,
            starts_on=STARTS,
            ends_on=ENDS,
            effective_end=ENDS + timedelta(days=2),
            opens=(Opens.STATEMENT,),
            is_formal=True,
        ),
    )
    on_the_last_day = datetime(2027, 3, 4, 22, 59, tzinfo=UTC)
    in_time = town.hand_in(session, procedure=longer, now=on_the_last_day)
    late = town.hand_in(session, procedure=longer, now=on_the_last_day + timedelta(minutes=1))
    assert (in_time.is_late, late.is_late) == (False, True)


def test_a_place_is_kept_with_its_cell(hand_in: HandIn) -> None:
    place = from_lonlat(10.7, 48.3)
    made = hand_in(located=place)
    assert (made.geometry, made.geometry_kind, made.lon, made.lat) == (place.wkb, "point", 10.7, 48.3)
    assert made.cell == place.cell


def test_topics_are_those_that_the_public_can_read(session: Session, town: Town) -> None:
    dialogue = another_consultation(session, town, DIALOGUE)
    facts: dict[str, Any] = {"procedure": dialogue, "kind": Kind.PROPOSAL, "wants_publication": True}
    for topic in ("Wege", "bäume", "Wege", "Geheim"):
        made = town.hand_in(session, category=topic, **facts)
        if topic != "Geheim":
            moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert dialogue.id is not None
    assert received.topics_of(session, dialogue.id) == ("bäume", "Wege")


def test_a_topic_of_the_list_is_put_right_renamed_and_kept_beside_what_was_handed_in(
    session: Session, town: Town
) -> None:
    dialogue = another_consultation(session, town, DIALOGUE)
    key = dialogue.id or 0
    offer = lambda *names, note="Themen": topics.offer(  # noqa: E731
        session, dialogue, names, by=town.planner, now=NOW, note=note
    )
    for wrong, code in (
        ((TopicInput("Wege"), TopicInput("WEGE")), Code.NAME_TAKEN),
        ((TopicInput(" ", {"en": "Paths"}),), Code.TOPIC_NAMELESS),
    ):
        with pytest.raises(Refusal) as refused:
            offer(*wrong)
        assert (refused.value.code, refused.value.field[:7]) == (code, "topics-"), wrong
    offer(TopicInput("Wege", {"en": "Paths"}), TopicInput("Grün", {"en": "Green"}))
    facts: dict[str, Any] = {
        "procedure": dialogue,
        "kind": Kind.PROPOSAL,
        "wants_publication": True,
        "title": "Bank",
    }
    chosen = town.hand_in(session, category="Wege", **facts)
    own = town.hand_in(session, category="bei Familie Huber", **facts)
    none = town.hand_in(session, **facts)
    for row in (chosen, own):
        redaction = Decision(Action.REDACT, moderation.Reason.PERSONAL_DATA, title="Bank", text="…")
        moderation.decide(session, row, redaction, by=town.moderator, now=NOW)
    moderation.decide(session, none, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert (chosen.topic, own.topic) == ("Wege", ""), (
        "what the planner wrote gives nobody away, own words may"
    )

    def under(topic: str) -> list[int]:
        wanted = proposal_lists.Wanted(topic=topic)
        listed = proposal_lists.listed(session, key, wanted, order=Order.NEWEST).ids
        entries = published.listed(session, key, published.Wanted(topic=topic), limit=9).entries
        assert sorted(listed) == sorted(entry.id for entry in entries)
        return sorted(listed)

    assert under("Wege") == [chosen.id]
    with pytest.raises(Refusal, match="topic_unknown"):
        topics.put_right(session, none, "Erfunden", by=town.moderator, now=NOW)
    with pytest.raises(Refusal, match="not_allowed"):
        topics.put_right(session, none, "Grün", by=town.clerk, now=NOW)
    seal = session.get_one(contributions.Receipt, none.id).payload_sha256
    topics.put_right(session, none, "Grün", by=town.moderator, now=NOW)
    assert (under("Grün"), none.category) == ([none.id], "")
    assert contributions.payload_sha256(none, None, []) == seal, "what was handed in is what its receipt says"
    assert published.listed(session, key, published.Wanted(words="Grün"), limit=9).total == 1
    # Two change names with each other, and take along what stands under them and who follows it.
    searches = [saved_searches.keep(session, dialogue, {"topic": name}, now=NOW) for name in ("Wege", "Grün")]
    offer(TopicInput("Grün", former="Wege"), TopicInput("Wege", former="Grün"), note="Vertauscht")
    session.refresh(chosen)
    assert (under("Grün"), under("Wege")) == ([chosen.id], [none.id])
    found = {
        words: published.listed(session, key, published.Wanted(words=words), limit=9).entries
        for words in ("Grün", "Wege")
    }
    assert [[entry.id for entry in each] for each in found.values()] == [[chosen.id], [none.id]]
    assert [(row.facts["topic"], len(row.key)) for row in searches] == [("Grün", 64), ("Wege", 64)]
    moderation.undo(session, chosen, by=town.moderator, now=NOW)
    moderation.decide(session, chosen, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert under("Grün") == [chosen.id], "a decision does not bring the former name back"
    moderation.undo(session, own, by=town.moderator, now=NOW)
    moderation.decide(session, own, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert received.topics_of(session, key) == ("bei Familie Huber", "Grün", "Wege")
    offer(note="Keine mehr")
    assert under("Grün") == [chosen.id], "what stands under a topic that is no longer offered stays there"
    assert proposal_lists.facets(session, key).topics == ("Grün", "Wege", "bei Familie Huber")
    verbs = set(session.exec(select(JournalEntry.verb).where(JournalEntry.procedure_id == key)).all())
    assert {"topic_put_right", "topics_renamed"} <= verbs


# --- at the same moment ----------------------------------------------------------------------------


def at_once(count: int, act: Callable[[int], object]) -> None:
    """Run `act` in so many threads that begin together; what one raises is raised."""
    start, problems = threading.Barrier(count), list[BaseException]()

    def run(number: int) -> None:
        start.wait()
        try:
            act(number)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for problem in problems:
        raise problem


@pytest.fixture
def procedure_id(engine: Engine) -> int:
    with unit_of_work(engine, write=True) as session:
        procedure = cast.found(session).procedure
        assert procedure.id is not None
        return procedure.id


def hand_in_apart(engine: Engine, procedure_id: int, key: str, *, town: int | None = None) -> str:
    """Hand in within a unit of work of its own, as a server's thread does; the reference."""
    with unit_of_work(engine, write=True, brief=True, town=town) as session:
        return _submit(session, procedure_id, key).reference


def _submit(session: Session, procedure_id: int, key: str) -> Contribution:
    procedure = session.get_one(Procedure, procedure_id)
    submission = Submission(Kind.STATEMENT, "web", key, text=key, person=PersonInput(name="Rosa"))
    return contributions.submit(session, submission, procedure=procedure, by=PUBLIC, now=NOW)


def test_the_same_form_sent_at_the_same_moment_is_one_contribution(engine: Engine, procedure_id: int) -> None:
    references: list[str] = []
    at_once(6, lambda _number: references.append(hand_in_apart(engine, procedure_id, "one form")))
    assert references == ["BP-12-0001"] * 6
    with unit_of_work(engine) as session:
        assert len(session.exec(select(Contribution)).all()) == 1
        assert len(session.exec(select(people.Person).where(people.Person.name == "Rosa")).all()) == 1


def test_numbers_have_no_gaps_however_many_hand_in_at_once(engine: Engine, procedure_id: int) -> None:
    # Half of them in a line that shares commits, as on the web; the others as jobs and other servers do.
    at_once(
        12,
        lambda number: hand_in_apart(engine, procedure_id, f"form {number}", town=1 if number % 2 else None),
    )
    with unit_of_work(engine) as session:
        rows = session.exec(select(Contribution).order_by(col(Contribution.entry_number))).all()
        assert [row.entry_number for row in rows] == list(range(1, 13))
        assert len({row.access_code for row in rows}) == 12
        assert list(journal.verify(session)) == []


def test_handing_in_asks_few_questions_and_all_of_them_are_counted(engine: Engine, procedure_id: int) -> None:
    hand_in_apart(engine, procedure_id, "before", town=1)
    with counted(engine) as asked:
        hand_in_apart(engine, procedure_id, "counted", town=1)
    everything = "\n".join(asked)
    for table in ("contribution", "person", "receipt", "search_entry", "journal_entry"):
        assert f"INSERT INTO {table} " in everything
    # The consultation, its phases, what has to be known; on PostgreSQL the town's file is held, and all rows are one.
    assert len(asked) == (5 if engine.dialect.name == "postgresql" else 9), everything


def test_handing_in_never_waits_for_a_planner_who_is_changing_the_consultation(
    engine: Engine, procedure_id: int
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with unit_of_work(engine, write=True) as session:
        # A planner's row is locked, and the file of the town is asked for afterwards: whoever held the file and waited
        # for the row would wait for ever.
        procedure = session.get_one(Procedure, procedure_id)
        procedure.summary = "Neu gefasst."
        session.flush()
        thread = threading.Thread(target=hand_in_apart, args=(engine, procedure_id, "meanwhile"), daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        journal.append(session, municipality_id=1, verb="changed", by=SYSTEM, at=NOW)


def test_a_connection_that_breaks_is_told_to_all_who_share_it(engine: Engine, procedure_id: int) -> None:
    """Nobody is told "done" whose words went with somebody else's accident."""
    first_has_written, ends = threading.Event(), dict[str, object]()
    line = database._line_of(engine, None if engine.dialect.name == "sqlite" else 1)

    def hand_in(name: str, go_on: Callable[[Session], object]) -> None:
        try:
            with unit_of_work(engine, write=True, brief=True, town=1) as session:
                _submit(session, procedure_id, name)
                go_on(session)
            ends[name] = "done"
        except Refusal as refusal:
            ends[name] = refusal.code
        except DBAPIError:
            ends[name] = "accident"

    def wait(_session: Session) -> None:
        first_has_written.set()
        while not line._waiting:
            time.sleep(0.001)

    def break_off(session: Session) -> None:
        # SQLite itself takes back the whole transaction; PostgreSQL's process ends.
        ends_all = "INSERT OR ROLLBACK INTO municipality SELECT * FROM municipality"
        if engine.dialect.name == "postgresql":
            ends_all = "SELECT pg_terminate_backend(pg_backend_pid())"
        session.execute(text(ends_all))

    thread = threading.Thread(target=hand_in, args=("first", wait))
    thread.start()
    assert first_has_written.wait(20)
    hand_in("second", break_off)
    thread.join(20)
    assert ends["first"] is Code.DATABASE_BUSY
    assert ends["second"] in (Code.DATABASE_BUSY, "accident")
    assert hand_in_apart(engine, procedure_id, "third", town=1) == "BP-12-0001", "nothing of theirs was kept"


def test_a_draft_begun_twice_at_the_same_moment_is_one(engine: Engine, procedure_id: int) -> None:
    secret = drafts.new_secret()

    def begin(number: int) -> None:
        with unit_of_work(engine, write=True) as session:
            drafts.begin(
                session,
                secret,
                municipality_id=1,
                procedure_id=procedure_id,
                kind="statement",
                data={"text": f"{number}\x00"},
                now=NOW,
            )

    at_once(4, begin)
    with unit_of_work(engine) as session:
        found = drafts.find(session, secret, municipality_id=1)
        assert found is not None
        assert found.data["text"] in {"0", "1", "2", "3"}
        assert drafts.find(session, secret, municipality_id=2) is None


# --- the access code -------------------------------------------------------------------------------


def test_a_code_cannot_be_misread() -> None:
    codes = {contributions.new_access_code() for _time in range(500)}
    assert len(codes) == 500
    assert all(len(code) == 8 and set(code) <= set(CODE_ALPHABET) for code in codes)
    assert not set(CODE_ALPHABET) & set("0OD1ILl2Z5S8BUV") - set("D")


@pytest.mark.parametrize("typed", ["k7mx-3pq9", " K7MX 3PQ9 ", "K7MX–3PQ9", "k 7 m x 3 p q 9", "K7MX3PQ9."])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert contributions.read_access_code(typed) == "K7MX3PQ9"


@pytest.mark.parametrize(
    "typed", ["", "K7MX3PQ", "K7MX3PQ99", "K7MX3PQ0", "' OR 1=1--", "Ⅶ" * 8, "٣" * 8, "\x00" * 8]
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert contributions.read_access_code(typed) is None


def test_a_code_opens_one_contribution_of_one_town(session: Session, town: Town, hand_in: HandIn) -> None:
    other_town = cast.found(session, "seebach", "Seebach")
    made = hand_in()
    hand_in()
    assert received.by_access_code(session, town.id, made.access_code.lower()) is made
    assert received.by_access_code(session, other_town.id, made.access_code) is None


# --- afterwards ------------------------------------------------------------------------------------


def test_taken_back_from_the_public_it_stays_on_file(session: Session, town: Town, hand_in: HandIn) -> None:
    made = hand_in(wants_publication=True, located=from_lonlat(10.7, 48.3))
    moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert received.published_count(session, made.procedure_id) == 1
    contributions.retract(session, made, by=PUBLIC, now=NOW)
    assert (made.state, made.publication) == (ContributionState.RECEIVED, PublicationState.RETRACTED)
    assert received.published_count(session, made.procedure_id) == 0
    assert made.text == "Bitte mehr Bäume."
    again = refused(lambda: contributions.retract(session, made, by=PUBLIC, now=NOW))
    assert again.code is Code.ALREADY_WITHDRAWN
    undone = refused(
        lambda: moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    )
    assert undone.code is Code.WRONG_STATE, "nobody publishes what its author has taken back"


@pytest.mark.parametrize("wants_publication", [True, False])
def test_withdrawn_it_stays_on_file_and_is_marked(
    session: Session, hand_in: HandIn, wants_publication: bool
) -> None:
    made = hand_in(wants_publication=wants_publication)
    contributions.withdraw(session, made, by=PUBLIC, now=NOW)
    kept = PublicationState.RETRACTED if wants_publication else PublicationState.PRIVATE
    assert (made.state, made.publication) == (ContributionState.WITHDRAWN, kept)
    verbs = [
        entry.verb for entry in session.exec(select(JournalEntry).order_by(col(JournalEntry.sequence))).all()
    ]
    assert verbs[-1] == "contribution_withdrawn"
    assert (
        refused(lambda: contributions.withdraw(session, made, by=PUBLIC, now=NOW)).code
        is Code.ALREADY_WITHDRAWN
    )


def test_what_was_never_meant_for_the_public_cannot_be_taken_back_from_it(
    session: Session, hand_in: HandIn
) -> None:
    made = hand_in(wants_publication=False)
    assert made.publication == PublicationState.PRIVATE
    assert (
        refused(lambda: contributions.retract(session, made, by=PUBLIC, now=NOW)).code
        is Code.ALREADY_WITHDRAWN
    )


def test_an_addition_belongs_to_the_phase_of_what_it_adds_to(session: Session, hand_in: HandIn) -> None:
    made = hand_in()
    after = NOW + timedelta(days=60)
    added = hand_in(text="Und die Bank.", supplements=made, now=after)
    assert (added.supplements_id, added.phase_id, added.is_late) == (made.id, made.phase_id, True)
    assert added.access_code != made.access_code
    assert made.id is not None
    assert contributions.supplements_to(session, made.id) == [added]
    assert received.record_of(session, added).supplements is made


def test_the_seal_covers_everything_that_was_handed_in(session: Session, hand_in: HandIn) -> None:
    made = hand_in(attachments=(SHEET,), person=PersonInput(name="Rosa"), located=from_lonlat(10.7, 48.3))
    record = received.record_of(session, made)
    sealed = record.receipt.payload_sha256
    session.commit()
    session.autoflush = False  # what is changed here for a try is never written
    changes: dict[str, Any] = {
        "text": "anders", "title": "x", "section": "x", "place_words": "x", "on_behalf_of": "x", "pseudonym": "x",
        "category": "x", "reference": "x", "channel": "letter", "written_on": date(2027, 1, 1), "geometry": b"x",
        "received_at": NOW - timedelta(days=1), "document_id": 1,
    }  # fmt: skip
    for name, value in changes.items():
        setattr(made, name, value)
        assert contributions.payload_sha256(made, record.person, record.attachments) != sealed, name
        session.refresh(made)
    assert contributions.payload_sha256(made, record.person, record.attachments) == sealed
    assert contributions.payload_sha256(made, None, record.attachments) != sealed
    assert contributions.payload_sha256(made, record.person, ()) != sealed
    record.attachments[0].sha256 = "c" * 64
    assert contributions.payload_sha256(made, record.person, record.attachments) != sealed


def test_a_moderator_may_not_hand_in_by_letter_nor_a_stranger_for_the_town(
    session: Session, town: Town
) -> None:
    stranger = cast.found(session, "seebach", "Seebach").clerk
    for actor in (town.moderator, stranger, PUBLIC):
        refusal = refused(lambda actor=actor: town.hand_in(session, channel="letter", by=actor))  # type: ignore[misc]
        assert refusal.code is Code.NOT_ALLOWED
    assert session.exec(select(Contribution)).all() == []
