"""Asking the agencies: own periods, links that open one thing only, drafts and releases, more time, silence."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from consultations import (
    agencies,
    agency_answers,
    agency_overview,
    agency_periods,
    contributions,
    evidence,
    invitations,
    journal,
    notices,
    received,
)
from consultations.agencies import AgencyInput, ClerkInput, ClerkRole, Entry
from consultations.agency_answers import REPLY_MOVES, Holder, Part, ReplyState
from consultations.agency_overview import Line, Order, Wanted
from consultations.contributions import PublicationState
from consultations.files import FolderStore
from consultations.invitations import MOVES, Invitation, InvitationEvent, InvitationLink, InvitationState
from consultations.notices import Notice, NoticeWay
from consultations.people import OrganisationKind
from consultations.permissions import PUBLIC, SYSTEM
from consultations.phases import Opens, Phase, PhaseKind, Track, phases_of
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from tests import cast
from tests.cast import NOW, Town
from tests.queries import counted

KEY = b"the key of this installation"
TODAY = date(2027, 2, 16)
SEAT = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


@pytest.fixture
def phase(session: Session, town: Town) -> Phase:
    """The agencies' phase beside the public one; its announced end is too early for whoever is asked today."""
    row = Phase(
        procedure_id=town.procedure.id or 0,
        kind=PhaseKind.AGENCIES.value,
        track=Track.AGENCIES.value,
        starts_on=date(2027, 2, 1),
        ends_on=date(2027, 3, 1),
        opens=[Opens.STATEMENT.value],
        is_formal=True,
        position=9,
    )
    session.add(row)
    session.flush()
    return row


def enter(session: Session, town: Town, name: str = "Wasserwirtschaftsamt", **facts: Any) -> Entry:
    facts = {
        "kind": OrganisationKind.AUTHORITY,
        "email": f"{name.lower().replace(' ', '.')}@amt.example",
        **facts,
    }
    return agencies.save(
        session, AgencyInput(name, **facts), municipality_id=town.id, by=town.planner, now=NOW
    )[0]


def put(session: Session, town: Town, phase: Phase, entry: Entry) -> Invitation:
    return invitations.put_on_list(
        session, phase, town.procedure, entry, why="", is_proposed=True, by=town.planner, now=NOW
    )


def ask(
    session: Session, town: Town, phase: Phase, entry: Entry, *, now: datetime = NOW, **facts: Any
) -> Invitation:
    put(session, town, phase, entry)
    facts = {"due_on": None, "seat": SEAT, "key": KEY, "by": town.planner, "now": now, **facts}
    row = invitations.send(session, phase, town.procedure, **facts)[-1]
    session.flush()
    return row


def links(session: Session, row: Invitation) -> list[InvitationLink]:
    return list(
        session.exec(
            select(InvitationLink).where(InvitationLink.invitation_id == row.id).order_by(InvitationLink.id)  # type: ignore[arg-type]
        ).all()
    )


def holder(session: Session, town: Town, row: Invitation, number: int = -1) -> Holder:
    found = agency_answers.holder_of(session, town.id, invitations.token_of(KEY, links(session, row)[number]))
    assert found is not None
    return found


def told(session: Session, kind: str) -> list[Notice]:
    return [each for each in session.exec(select(Notice).order_by(col(Notice.id))).all() if each.kind == kind]


def at(day: date, hour: int = 10) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def refused(code: Code) -> Any:
    return pytest.raises(Refusal, match=f"^{code.value}")


# --- the tables of moves ---------------------------------------------------------------------------


def test_every_state_has_its_moves_and_no_answer_is_ever_taken_back() -> None:
    assert set(MOVES) == set(InvitationState)
    assert set(REPLY_MOVES) == set(ReplyState)
    reachable = {InvitationState.LISTED}
    while more := {after for before in reachable for after in MOVES[before]} - reachable:
        reachable |= more
    assert reachable == set(InvitationState)
    assert MOVES[InvitationState.ANSWERED] == frozenset()
    assert MOVES[InvitationState.NO_CONCERNS] == {InvitationState.ANSWERED}
    assert InvitationState.NO_CONCERNS not in {
        after for before in (InvitationState.LISTED, InvitationState.REMOVED) for after in MOVES[before]
    }


# --- until when ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "minimum", "recommended"),
    [
        (date(2026, 6, 1), date(2026, 7, 1), date(2026, 7, 1)),  # TOEB-01
        (date(2026, 1, 31), date(2026, 3, 2), date(2026, 3, 2)),  # TOEB-03
        (date(2026, 2, 13), date(2026, 3, 15), date(2026, 3, 16)),  # TOEB-04
        (date(2026, 8, 31), date(2026, 9, 30), date(2026, 9, 30)),  # TOEB-06
    ],
)
def test_each_agency_has_a_period_from_its_own_request(
    session: Session, town: Town, phase: Phase, received: date, minimum: date, recommended: date
) -> None:
    phase.ends_on = None
    period = agency_periods.period_of(phase, town.procedure, received, seat=SEAT)
    assert (period.minimum, period.proposed) == (minimum, recommended)
    assert period.why["de"]
    assert "§4(2)" in period.source
    assert period.proof["law_versions"]


def test_who_is_added_later_gets_the_whole_period(session: Session, town: Town, phase: Phase) -> None:
    first = ask(session, town, phase, enter(session, town, "Amt A"), now=at(date(2027, 2, 1)))
    later = ask(session, town, phase, enter(session, town, "Amt B"))
    assert (first.due_on, later.due_on) == (date(2027, 3, 3), date(2027, 3, 18))
    assert later.proof["minimum_end"]["day"] == "2027-03-18"


def test_shorter_than_the_law_is_refused_for_everybody_and_nobody_is_asked(
    session: Session, town: Town, phase: Phase
) -> None:
    row = put(session, town, phase, enter(session, town, "Amt A"))
    session.commit()
    with refused(Code.OWN_PERIOD_TOO_SHORT) as error:
        ask(session, town, phase, enter(session, town, "Amt B"), due_on=date(2027, 3, 17))
    assert error.value.facts["minimum"] == date(2027, 3, 18)
    session.rollback()
    assert session.get_one(Invitation, row.id).state == InvitationState.LISTED.value
    assert told(session, "agency_invitation") == []
    with refused(Code.OWN_PERIOD_TOO_SHORT):
        invitations.set_due(
            session, row, date(2027, 3, 1), note="", seat=SEAT, today=TODAY, by=town.planner, now=NOW
        )
    # Announced for a Saturday, it ends on the Monday after.
    invitations.set_due(
        session, row, date(2027, 3, 20), note="", seat=SEAT, today=TODAY, by=town.planner, now=NOW
    )
    assert row.due_on == date(2027, 3, 22)


def test_the_early_step_has_no_statutory_period(session: Session, town: Town, phase: Phase) -> None:
    phase.kind, phase.ends_on = PhaseKind.AGENCIES_EARLY.value, None
    period = agency_periods.period_of(phase, town.procedure, TODAY, seat=SEAT)
    assert (period.minimum, period.earliest) == (None, TODAY)
    # As long as the phase, which began on 1 February and has no end here: four weeks.
    assert period.proposed == date(2027, 3, 15)


def test_a_letter_counts_from_its_receipt_and_a_late_posting_moves_the_end(
    session: Session, town: Town, phase: Phase
) -> None:
    entry = enter(
        session, town, "Pfarramt", email="", street="Kirchgasse 2", postcode="89999", city="Auenfurt"
    )
    row = ask(session, town, phase, entry)
    assert (row.way, row.received_on, row.due_on) == ("letter", date(2027, 2, 20), date(2027, 3, 22))
    [notice] = told(session, "agency_invitation")
    assert (notice.way, notice.address) == (NoticeWay.LETTER.value, "Pfarramt\nKirchgasse 2\n89999 Auenfurt")
    posted_on = date(2027, 2, 18)
    agency_answers.posted(session, row, seat=SEAT, by=town.clerk, now=at(posted_on))
    assert (row.received_on, row.due_on) == (date(2027, 2, 22), date(2027, 3, 24))
    # It really came a day earlier than assumed: what was promised stays.
    arrived = date(2027, 2, 19)
    agency_answers.note_receipt(session, row, arrived, seat=SEAT, by=town.planner, now=at(date(2027, 2, 25)))
    assert (row.received_on, row.is_receipt_noted, row.due_on) == (arrived, True, date(2027, 3, 24))
    for day, code in ((date(2027, 2, 26), Code.RECEIVED_IN_FUTURE), (date(2027, 2, 15), Code.DATES_REVERSED)):
        with refused(code):
            agency_answers.note_receipt(
                session, row, day, seat=SEAT, by=town.planner, now=at(date(2027, 2, 25))
            )
    typed = invitations.code_of(KEY, links(session, row)[0])
    by_code = agency_answers.holder_of_code(session, town.id, f"{typed[:4].lower()} {typed[4:8]}-{typed[8:]}")
    assert by_code is not None
    assert by_code.releases
    without = enter(session, town, "Amt ohne Adresse", email="")
    with refused(Code.ADDRESS_MISSING):
        ask(session, town, phase, without)


# --- the list --------------------------------------------------------------------------------------


def test_who_is_not_proposed_needs_a_reason_and_who_goes_too(
    session: Session, town: Town, phase: Phase
) -> None:
    entry = enter(session, town)
    facts: dict[str, Any] = {"is_proposed": False, "by": town.planner, "now": NOW}
    with refused(Code.REASON_REQUIRED):
        invitations.put_on_list(session, phase, town.procedure, entry, why=" ", **facts)
    row = invitations.put_on_list(session, phase, town.procedure, entry, why="Altlast bekannt", **facts)
    assert put(session, town, phase, entry) is row
    with refused(Code.REASON_REQUIRED):
        invitations.remove(session, row, note="", by=town.planner, now=NOW)
    invitations.remove(session, row, note="doch nicht betroffen", by=town.planner, now=NOW)
    put(session, town, phase, entry)
    told_of = [(event.verb, event.state, event.note) for event in invitations.events_of(session, row)]
    assert told_of == [
        ("listed", "listed", "Altlast bekannt"),
        ("removed", "removed", "doch nicht betroffen"),
        ("listed", "listed", ""),
    ]
    for by in (town.clerk, town.moderator, PUBLIC):
        with refused(Code.NOT_ALLOWED):
            invitations.remove(session, row, note="x", by=by, now=NOW)
    public = phases_of(session, town.procedure.id or 0)[0]
    with refused(Code.WRONG_STATE):
        put(session, town, public, entry)
    other = cast.found(session, "seebach", "Seebach")
    with refused(Code.WRONG_STATE):
        put(session, town, phase, enter(session, other))


def test_the_public_never_hands_in_to_the_agencies_phase(session: Session, town: Town, phase: Phase) -> None:
    public = phases_of(session, town.procedure.id or 0)[0]
    phase.position = -1
    session.flush()
    assert town.hand_in(session).phase_id == public.id


# --- links -----------------------------------------------------------------------------------------


def test_a_link_opens_its_own_request_and_nothing_else(session: Session, town: Town, phase: Phase) -> None:
    row = ask(session, town, phase, enter(session, town, "Amt A"))
    other = ask(session, town, phase, enter(session, town, "Amt B"))
    token = invitations.token_of(KEY, links(session, row)[0])
    mine = holder(session, town, row)
    assert mine.invitation.id == row.id != other.id
    stored = str([vars(each) for each in (*links(session, row), *told(session, "agency_invitation"))])
    assert token not in stored
    assert invitations.token_of(b"another key", links(session, row)[0]) != token
    seebach = cast.found(session, "seebach", "Seebach")
    assert agency_answers.holder_of(session, seebach.id, token) is None
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert agency_answers.holder_of(session, town.id, altered) is None
    assert mine.actor.person_id is None
    assert not mine.actor.grants
    invitations.rotate(session, row, by_letter=False, key=KEY, by=town.planner, now=NOW)
    assert agency_answers.holder_of(session, town.id, token) is None
    again = invitations.token_of(KEY, links(session, row)[-1])
    assert agency_answers.holder_of(session, town.id, again) is not None
    invitations.revoke(session, row, note="falsche Adresse", by=town.planner, now=NOW)
    assert agency_answers.holder_of(session, town.id, again) is None
    revoked = told(session, "agency_invitation")[0]
    assert agency_overview.told(session, revoked) is None
    assert (revoked.state, revoked.last_problem) == ("failed", "the link was revoked")
    gone = invitations.token_of(KEY, links(session, other)[-1])
    invitations.remove(session, other, note="doppelt", by=town.planner, now=NOW)
    assert agency_answers.holder_of(session, town.id, gone) is None


def test_each_clerk_has_a_link_and_loses_it_with_the_job(session: Session, town: Town, phase: Phase) -> None:
    entry = enter(session, town)
    drafts = agencies.add_clerk(session, entry, ClerkInput("Dora", "d@amt.example"), by=town.planner, now=NOW)
    row = ask(session, town, phase, entry)
    roles = [(link.sent_to, link.role) for link in links(session, row)]
    assert roles == [("d@amt.example", "drafts"), ("wasserwirtschaftsamt@amt.example", "releases")]
    assert holder(session, town, row, 0).name == "Dora"
    agencies.remove_clerk(session, entry, drafts.id, by=town.planner, now=NOW)
    assert (
        agency_answers.holder_of(session, town.id, invitations.token_of(KEY, links(session, row)[0])) is None
    )
    assert [each.sent_to for each in agency_overview.links_of(session, row)] == [
        "wasserwirtschaftsamt@amt.example"
    ]


# --- answering -------------------------------------------------------------------------------------


def test_a_clerk_drafts_the_coordinator_gives_back_and_releases(
    session: Session, town: Town, phase: Phase
) -> None:
    entry = enter(session, town)
    for name, role in (("Dora", ClerkRole.DRAFTS), ("Karl", ClerkRole.RELEASES)):
        clerk = ClerkInput(name, f"{name.lower().replace(' ', '.')}@amt.example", role)
        agencies.add_clerk(session, entry, clerk, by=town.planner, now=NOW)
    row = ask(session, town, phase, entry)
    dora, karl = holder(session, town, row, 0), holder(session, town, row, 1)
    agency_answers.opened(session, dora, now=NOW)
    agency_answers.opened(session, karl, now=NOW + timedelta(hours=1))
    assert (row.state, row.opened_at) == ("opened", NOW)
    parts = [
        Part("water", "Wasser", "Der Bach braucht zehn Meter."),
        Part("", "", "Im Übrigen keine Bedenken."),
    ]
    reply = agency_answers.write(session, dora, parts, version=0, now=NOW)
    with refused(Code.CHANGED_MEANWHILE):
        agency_answers.write(session, karl, [], version=0, now=NOW)
    with refused(Code.MAY_NOT_RELEASE):
        agency_answers.release(session, dora, reply, title="Stellungnahme", language="de", now=NOW)
    agency_answers.hand_on(session, dora, reply, now=NOW)
    with refused(Code.MAY_NOT_RELEASE):
        agency_answers.write(session, dora, parts, version=reply.version, now=NOW)
    with refused(Code.REASON_REQUIRED):
        agency_answers.give_back(session, karl, reply, note="", now=NOW)
    agency_answers.give_back(session, karl, reply, note="Bitte mit Plan.", now=NOW)
    assert [each.address for each in told(session, "agency_waiting")] == ["karl@amt.example"]
    assert [each.address for each in told(session, "agency_returned")] == ["dora@amt.example"]
    assert (reply.state, reply.note) == ("returned", "Bitte mit Plan.")
    agency_answers.hand_on(session, dora, reply, now=NOW)
    made = agency_answers.release(session, karl, reply, title="Stellungnahme", language="de", now=NOW)
    assert made.text == "Wasser\n\nDer Bach braucht zehn Meter.\n\nIm Übrigen keine Bedenken."
    assert (made.channel, made.phase_id, made.due_on, made.is_late) == (
        "agency_link",
        phase.id,
        row.due_on,
        False,
    )
    person, organisation = received.submitter_of(session, made)
    assert organisation is entry.organisation
    assert person is not None
    assert (person.name, person.email) == ("Karl", "karl@amt.example")
    assert [each.address for each in told(session, "receipt")] == ["karl@amt.example"]
    assert made.publication == PublicationState.PENDING.value
    assert (row.state, row.answered_at) == ("answered", NOW)
    assert agency_answers.open_reply(session, row.id or 0) is None
    # Something is added later: it supplements the first, and what went before stays as it was.
    more = agency_answers.write(session, karl, [Part("", "", "Nachtrag")], version=0, now=NOW)
    added = agency_answers.release(session, karl, more, title="Nachtrag", language="de", now=NOW)
    assert added.supplements_id == made.id
    assert list(journal.verify(session)) == []
    verbs = [event.verb for event in invitations.events_of(session, row)]
    assert verbs == [
        "listed", "invited", "opened", "handed_on", "given_back", "handed_on", "answered", "answered",
    ]  # fmt: skip
    by = {event.by for event in invitations.events_of(session, row)}
    assert set(agency_overview.names(session, list(by)).values()) >= {"Dora", "Karl", "Paula"}


def test_no_concerns_is_an_answer_with_a_receipt(session: Session, town: Town, phase: Phase) -> None:
    row = ask(session, town, phase, enter(session, town))
    words: dict[str, Any] = {"title": "Keine Bedenken", "text": "Keine Bedenken.", "language": "de"}
    made = agency_answers.no_concerns(session, holder(session, town, row), now=NOW, **words)
    assert made is not None
    assert received.receipt_of(session, made.id or 0).payload_sha256
    assert (row.state, made.text) == ("no_concerns", "Keine Bedenken.")
    later = agency_answers.write(
        session, holder(session, town, row), [Part("", "", "Doch etwas")], version=0, now=NOW
    )
    agency_answers.release(session, holder(session, town, row), later, title="x", language="de", now=NOW)
    assert row.state == "answered"


def test_no_concerns_of_a_clerk_waits_and_never_throws_words_away(
    session: Session, town: Town, phase: Phase
) -> None:
    entry = enter(session, town)
    agencies.add_clerk(session, entry, ClerkInput("Dora", "d@amt.example"), by=town.planner, now=NOW)
    row = ask(session, town, phase, entry)
    dora, chief = holder(session, town, row, 0), holder(session, town, row, 1)
    words: dict[str, Any] = {"title": "Keine Bedenken", "text": "Keine Bedenken.", "language": "de"}
    assert agency_answers.no_concerns(session, dora, now=NOW, **words) is None
    waiting = agency_answers.open_reply(session, row.id or 0)
    assert waiting is not None
    assert (waiting.state, row.state) == ("waiting", "invited")
    agency_answers.release(session, chief, waiting, title="Keine Bedenken", language="de", now=NOW)
    assert row.state == "no_concerns"
    other = ask(session, town, phase, enter(session, town, "Amt B"))
    agency_answers.write(
        session, holder(session, town, other), [Part("", "", "Halb fertig")], version=0, now=NOW
    )
    with refused(Code.CHANGED_MEANWHILE):
        agency_answers.no_concerns(session, holder(session, town, other), now=NOW, **words)


def test_silence_stays_silence_and_a_late_answer_is_kept_and_marked(
    session: Session, town: Town, phase: Phase
) -> None:
    row = ask(session, town, phase, enter(session, town))
    assert row.due_on is not None
    last = at(row.due_on, 22)  # 23:00 in Berlin
    assert invitations.shown_state(row, row.due_on) is InvitationState.INVITED
    assert invitations.shown_state(row, row.due_on + timedelta(days=1)) is InvitationState.NO_REPLY
    invitations.keep_time(session, by=SYSTEM, now=last)  # the reminder
    assert row.state == "invited"
    after = last + timedelta(hours=1)  # midnight
    assert invitations.is_anything_due(session, after)
    assert invitations.keep_time(session, by=SYSTEM, now=after) == 1
    assert row.state == "no_reply"
    assert not invitations.is_anything_due(session, after)
    assert session.exec(select(contributions.Contribution)).all() == []
    reply = agency_answers.write(
        session, holder(session, town, row), [Part("", "", "Zu spät")], version=0, now=after
    )
    made = agency_answers.release(
        session, holder(session, town, row), reply, title="S", language="de", now=after
    )
    assert (row.state, made.is_late) == ("answered", True)
    [line] = agency_overview.overview(session, phase, today=TODAY)
    assert line.is_late


def test_one_reminder_before_the_end_never_after_an_answer(
    session: Session, town: Town, phase: Phase
) -> None:
    silent = ask(session, town, phase, enter(session, town, "Amt A"))
    quick = ask(session, town, phase, enter(session, town, "Amt B"))
    words: dict[str, Any] = {"title": "K", "text": "K", "language": "de"}
    agency_answers.no_concerns(session, holder(session, town, quick), now=NOW, **words)
    assert silent.remind_on == date(2027, 3, 11)
    before = at(date(2027, 3, 10))
    assert not invitations.is_anything_due(session, before)
    day = at(date(2027, 3, 11))
    assert invitations.keep_time(session, by=SYSTEM, now=day) == 1
    assert invitations.keep_time(session, by=SYSTEM, now=day) == 0
    assert [each.address for each in told(session, "agency_reminder")] == ["amt.a@amt.example"]
    invitations.set_round(
        session, phase, town.procedure, subjects=(), words="", remind_before=3, by=town.planner, now=day
    )
    assert invitations.keep_time(session, by=SYSTEM, now=at(date(2027, 3, 16))) == 0
    third = ask(session, town, phase, enter(session, town, "Amt C"), now=day)
    assert third.due_on is not None
    assert third.remind_on == third.due_on - timedelta(days=3)


# --- more time -------------------------------------------------------------------------------------


def test_more_time_is_asked_for_answered_and_told(session: Session, town: Town, phase: Phase) -> None:
    row = ask(session, town, phase, enter(session, town))
    mine = holder(session, town, row)
    assert row.due_on is not None
    with refused(Code.REASON_REQUIRED):
        agency_answers.ask_extension(session, mine, reason=" ", wished_until=None, now=NOW)
    with refused(Code.DATES_REVERSED):
        agency_answers.ask_extension(session, mine, reason="Urlaub", wished_until=row.due_on, now=NOW)
    wished = row.due_on + timedelta(days=14)
    agency_answers.ask_extension(session, mine, reason="Kartierung fehlt", wished_until=wished, now=NOW)
    with refused(Code.WRONG_STATE):
        agency_answers.ask_extension(session, mine, reason="nochmal", wished_until=None, now=NOW)
    facts: dict[str, Any] = {"by": town.planner, "now": NOW}
    with refused(Code.REASON_REQUIRED):
        agency_answers.decide_extension(session, row, granted_until=None, answer="", **facts)
    with refused(Code.DATES_REVERSED):
        agency_answers.decide_extension(session, row, granted_until=row.due_on, answer="", **facts)
    with refused(Code.NOT_ALLOWED):
        agency_answers.decide_extension(session, row, granted_until=wished, answer="", by=town.clerk, now=NOW)
    # The period ends meanwhile; with more time granted the agency is asked again.
    over = at(row.due_on + timedelta(days=1))
    invitations.keep_time(session, by=SYSTEM, now=over)
    agency_answers.decide_extension(session, row, granted_until=wished, answer="", by=town.planner, now=over)
    assert (row.state, row.due_on) == ("invited", wished)
    assert [each.facts["granted_until"] for each in told(session, "agency_extension")] == [wished.isoformat()]
    other = ask(session, town, phase, enter(session, town, "Amt B"))
    agency_answers.ask_extension(
        session, holder(session, town, other), reason="Urlaub", wished_until=None, now=NOW
    )
    due = other.due_on
    request = agency_answers.decide_extension(
        session, other, granted_until=None, answer="Kein wichtiger Grund.", **facts
    )
    assert (request.decision, other.due_on) == ("refused", due)


# --- the counter -----------------------------------------------------------------------------------


def test_a_letter_at_the_counter_is_the_answer_of_who_was_asked(
    session: Session, town: Town, phase: Phase
) -> None:
    entry = enter(session, town)
    row = ask(session, town, phase, entry)
    letter = town.hand_in(session, channel="letter", by=town.clerk, phase=phase, due_on=row.due_on)
    agency_answers.assign(session, row, letter, by=town.clerk, now=NOW)
    assert (row.state, letter.phase_id, letter.is_late) == ("answered", phase.id, False)
    with refused(Code.NAME_TAKEN):
        agency_answers.assign(session, row, letter, by=town.clerk, now=NOW)
    foreign = cast.found(session, "seebach", "Seebach").hand_in(session)
    with refused(Code.UNKNOWN_REFERENCE):
        agency_answers.assign(session, row, foreign, by=town.clerk, now=NOW)
    with refused(Code.NOT_ALLOWED):
        agency_answers.assign(session, row, town.hand_in(session), by=town.moderator, now=NOW)
    [line] = agency_overview.overview(session, phase, today=TODAY)
    assert [each.channel for each in line.answers] == ["letter"]


def test_what_lay_on_the_counter_already_is_judged_by_the_agency_s_own_day(
    session: Session, town: Town, phase: Phase, tmp_path: Path
) -> None:
    row = ask(session, town, phase, enter(session, town))
    assert row.due_on is not None
    public_phase = town.hand_in(session).phase_id
    over = at(row.due_on + timedelta(days=20))
    letter = town.hand_in(session, channel="letter", by=town.clerk, received_at=at(row.due_on), now=over)
    assert letter.phase_id == public_phase
    assert letter.is_late
    agency_answers.assign(session, row, letter, by=town.clerk, now=over)
    assert (letter.phase_id, letter.due_on, letter.is_late) == (phase.id, row.due_on, False)
    # Another one comes too late; then it turns out that the request had reached the agency later than was thought.
    other = ask(
        session, town, phase, enter(session, town, "Amt B", email="", street="A 1", postcode="1", city="B")
    )
    assert other.due_on is not None
    late = town.hand_in(
        session, channel="letter", by=town.clerk, received_at=at(other.due_on + timedelta(days=1)), now=over
    )
    addition = town.hand_in(
        session, channel="letter", by=town.clerk, supplements=late, received_at=late.received_at, now=over
    )
    agency_answers.assign(session, other, late, by=town.clerk, now=over)
    assert late.is_late
    assert addition.is_late
    told_on = TODAY + agency_periods.LETTER_TRAVELS + timedelta(days=3)
    agency_answers.note_receipt(session, other, told_on, seat=SEAT, by=town.planner, now=over)
    assert (late.is_late, late.due_on) == (False, other.due_on)
    # What was added to it has moved along; what is added from now on is judged by the agency's own day too.
    assert (addition.phase_id, addition.due_on, addition.is_late) == (phase.id, other.due_on, False)
    again = town.hand_in(session, channel="letter", by=town.clerk, supplements=late, now=over)
    assert (again.phase_id, again.due_on, again.is_late) == (phase.id, other.due_on, True)
    # The receipts' seals stand, and so does everything that the journal says of them.
    session.flush()
    assert [each.code for each in evidence.examine(session, FolderStore(tmp_path))] == []


def test_the_overview_is_narrowed_ordered_and_paged_as_if_by_hand(
    session: Session, town: Town, phase: Phase
) -> None:
    words: dict[str, Any] = {"title": "K", "text": "K", "language": "de"}
    for number in range(12):
        entry = enter(session, town, f"Amt {number * 7 % 12:02}", email="" if number == 5 else f"a{number}@b.example",
                      street="A 1", postcode="1", city="B")  # fmt: skip
        row = ask(session, town, phase, entry)
        assert row.due_on is not None
        moment = at(row.due_on + timedelta(days=number // 2 % 3 - 1))
        if number % 3 == 0:
            agency_answers.opened(session, holder(session, town, row), now=NOW)
        if number % 2 == 0:
            agency_answers.no_concerns(session, holder(session, town, row), now=moment, **words)
        if number == 3:
            agency_answers.ask_extension(
                session, holder(session, town, row), reason="U", wished_until=None, now=NOW
            )
        if number == 11:
            invitations.remove(session, row, note="weg", by=town.planner, now=NOW)
    put(session, town, phase, enter(session, town, "Amt 99"))
    today = TODAY + timedelta(days=40)  # every period is over
    everybody = agency_overview.overview(session, phase, today=today)
    assert len(everybody) == 13
    tests: dict[str, Any] = {
        "": lambda line: line.state is not InvitationState.LISTED,
        "no_reply": lambda line: line.state is InvitationState.NO_REPLY,
        "invited": lambda line: line.state is InvitationState.INVITED,
        "no_concerns": lambda line: line.state is InvitationState.NO_CONCERNS,
        "removed": lambda line: line.state is InvitationState.REMOVED,
        "listed": lambda line: line.state is InvitationState.LISTED,
        "late": lambda line: line.is_late is True,
        "in_time": lambda line: line.is_late is False,
        "unopened": lambda line: line.invitation.state in invitations.ASKED and not line.invitation.opened_at,
        "extension": lambda line: bool(line.extensions),
        "by_letter": lambda line: line.invitation.way == "letter",
    }
    keys: dict[Order, Any] = {
        Order.NAME: lambda line: line.organisation.name,
        Order.DUE: lambda line: (line.invitation.due_on or date.max, line.organisation.name),
        Order.ANSWERED: lambda line: (
            -(line.invitation.answered_on or date.min).toordinal(), line.organisation.name
        ),
    }  # fmt: skip
    for which, test in tests.items():
        for order, key in keys.items():
            wanted = Wanted(which, order=order)
            by_hand = sorted((line for line in everybody if test(line)), key=key)
            found: list[Line] = []
            while more := agency_overview.overview(
                session, phase, today=today, wanted=wanted, limit=2,
                after=found[-1].invitation.id if found else None,
            ):  # fmt: skip
                found += more
            names = [line.organisation.name for line in found]
            assert names == [line.organisation.name for line in by_hand], (which, order)
    assert [
        line.organisation.name
        for line in agency_overview.overview(session, phase, today=today, wanted=Wanted("", "amt 07"))
    ] == ["Amt 07"]
    counts = agency_overview.counts(session, phase, today=today)
    sizes = {which: sum(map(test, everybody)) for which, test in tests.items()}
    assert (counts.listed, counts.asked, counts.late, counts.no_reply, counts.no_concerns, counts.requests) == (
        1, 11, sizes["late"], sizes["no_reply"], sizes["no_concerns"], 1
    )  # fmt: skip
    assert 0 < counts.late < counts.answered


def test_the_same_agencies_are_asked_again_and_who_is_silent_is_reminded(
    session: Session, town: Town, phase: Phase
) -> None:
    next_phase = Phase(
        procedure_id=town.procedure.id or 0, kind=PhaseKind.REPEATED.value, track=Track.AGENCIES.value,
        starts_on=date(2027, 5, 3), ends_on=date(2027, 5, 21), is_formal=True, position=10,
    )  # fmt: skip
    session.add(next_phase)
    session.flush()
    old, new, gone = (enter(session, town, name) for name in ("Altes Amt", "Neues Amt", "Weg"))
    for entry in (old, gone):
        ask(session, town, phase, entry)
    silent = ask(session, town, phase, enter(session, town, "Stilles Amt"))
    agencies.merge(session, new, old, note="umbenannt", by=town.planner, now=NOW)
    agencies.set_active(session, gone, False, by=town.planner, now=NOW)
    facts: dict[str, Any] = {"by": town.planner, "now": NOW}
    with refused(Code.NOT_ALLOWED):
        invitations.copy_list(session, phase, next_phase, town.procedure, why="", by=town.clerk, now=NOW)
    assert invitations.copy_list(session, phase, next_phase, town.procedure, why="früher", **facts) == 2
    assert invitations.copy_list(session, phase, next_phase, town.procedure, why="früher", **facts) == 0
    listed = agency_overview.overview(session, next_phase, today=TODAY)
    assert [line.organisation.name for line in listed] == ["Neues Amt", "Stilles Amt"]
    # Nobody is reminded on the day of the request, nor twice a day, nor after the end.
    with refused(Code.NOBODY_TO_REMIND):
        invitations.remind(session, phase, town.procedure, **facts)
    later: dict[str, Any] = {"by": town.planner, "now": NOW + timedelta(days=2)}
    assert invitations.remind(session, phase, town.procedure, only=silent, **later) == 1
    assert invitations.remind(session, phase, town.procedure, **later) == 2
    with refused(Code.NOBODY_TO_REMIND):
        invitations.remind(session, phase, town.procedure, **later)
    assert len(told(session, "agency_reminder")) == 3
    assert silent.due_on is not None
    with refused(Code.NOBODY_TO_REMIND):
        invitations.remind(
            session, phase, town.procedure, by=town.planner, now=at(silent.due_on + timedelta(days=1))
        )


def test_the_overview_costs_the_same_for_one_and_for_many(session: Session, town: Town, phase: Phase) -> None:
    def cost() -> int:
        session.expire_all()
        with counted(session.get_bind()) as statements:  # type: ignore[arg-type]
            agency_overview.overview(session, phase, today=TODAY)
        return len(statements)

    for number in range(2):
        ask(session, town, phase, enter(session, town, f"Amt {number}"))
    words: dict[str, Any] = {"title": "K", "text": "K", "language": "de"}
    rows = session.exec(select(Invitation)).all()
    agency_answers.no_concerns(session, holder(session, town, rows[0]), now=NOW, **words)
    few = cost()
    for number in range(2, 20):
        row = ask(session, town, phase, enter(session, town, f"Amt {number}"))
        agency_answers.no_concerns(session, holder(session, town, row), now=NOW, **words)
    assert cost() <= few


def test_a_merged_agency_answers_as_the_one_it_is(session: Session, town: Town, phase: Phase) -> None:
    old, new = enter(session, town, "Altes Amt"), enter(session, town, "Neues Amt")
    row = ask(session, town, phase, old)
    agencies.merge(session, new, old, note="umbenannt", by=town.planner, now=NOW)
    words: dict[str, Any] = {"title": "K", "text": "K", "language": "de"}
    made = agency_answers.no_concerns(session, holder(session, town, row), now=NOW, **words)
    assert made is not None
    assert received.submitter_of(session, made)[1] is new.organisation
    [line] = agency_overview.overview(session, phase, today=TODAY)
    assert (line.organisation.name, line.merged_into) == ("Altes Amt", "Neues Amt")


def test_events_are_as_many_as_lines_in_the_journal(session: Session, town: Town, phase: Phase) -> None:
    row = ask(session, town, phase, enter(session, town))
    agency_answers.opened(session, holder(session, town, row), now=NOW)
    events = session.exec(select(InvitationEvent)).all()
    lines = journal.about(session, f"invitation:{row.id}")
    assert [f"agency_{event.verb}" for event in events] == [line.verb for line in lines]
    assert notices.of_municipality(session, town.id, notices.NoticeState.WAITING)
