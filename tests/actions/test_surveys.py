"""Surveys: put together, answered by every way, changed, withdrawn, counted; nothing that was said is lost."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from consultations import (
    evidence,
    journal,
    phases,
    places,
    procedures,
    proposing,
    survey_answers,
    survey_results,
    surveys,
)
from consultations.cocreation import Arrangement, Audience, Counts, Limits, Opening
from consultations.files import FolderStore
from consultations.journal import JournalEntry
from consultations.moderation import Reason
from consultations.permissions import PUBLIC, Actor
from consultations.phases import PhaseInput, PhaseKind
from consultations.places import LayerRole
from consultations.questions import Condition, Option, Question, QuestionKind
from consultations.refusals import Code, Refusal
from consultations.survey_answers import Sheet
from consultations.surveys import Standing, Survey, SurveyEntry, SurveyInput, SurveyWords, WordsState
from geo.geometry import read_geojson_geometry
from tests import cast
from tests.cast import NOW, Town

QUESTIONS = (
    Question("1", QuestionKind.CHOICE, "Wohnen Sie hier?", options=(Option("1", "Ja"), Option("2", "Nein"))),
    Question("2", QuestionKind.SCALE, "Wie laut ist es?", only=Condition("1", ("1",))),
    Question("3", QuestionKind.TEXT, "Was fehlt Ihnen?"),
)
AFTER = NOW + timedelta(days=60)


def survey_of(session: Session, town: Town, **facts: Any) -> Survey:
    """A published survey in the town's dialogue."""
    (phase,) = phases.phases_of(session, town.procedure.id or 0)
    entered = SurveyInput(**{"title": "Der Mühlbach", "phase_id": phase.id, "questions": QUESTIONS, **facts})
    survey = surveys.save(session, town.procedure, entered, by=town.planner, now=NOW)
    surveys.publish(session, survey, note="Eine Umfrage kommt dazu.", by=town.planner, now=NOW)
    return survey


def answered(session: Session, survey: Survey, key: str, **facts: Any) -> surveys.SurveyEntry:
    by, now = facts.pop("by", PUBLIC), facts.pop("now", NOW)
    typed = {name: [value] for name, value in facts.items() if name.startswith("q")}
    rest = {name: value for name, value in facts.items() if not name.startswith("q")}
    return survey_answers.answer(session, survey, Sheet(key, typed, survey.version, **rest), by=by, now=now)


def refused(code: Code, session: Session, survey: Survey, key: str, **facts: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        answered(session, survey, key, **facts)
    assert caught.value.code is code
    return caught.value


def test_a_survey_is_put_together_by_planners_and_its_phase_declares_it(session: Session) -> None:
    town = cast.with_ideas(session)
    (phase,) = phases.phases_of(session, town.procedure.id or 0)
    entered = SurveyInput("Der Mühlbach", phase.id or 0)
    with pytest.raises(Refusal) as caught:
        surveys.save(session, town.procedure, entered, by=town.clerk, now=NOW)
    assert caught.value.code is Code.NOT_ALLOWED
    draft = surveys.save(session, town.procedure, entered, by=town.planner, now=NOW)
    assert surveys.of_procedure(session, town.procedure.id or 0) == []
    with pytest.raises(Refusal) as caught:
        surveys.publish(session, draft, note="x", by=town.planner, now=NOW)
    assert caught.value.code is Code.SURVEY_EMPTY, "no survey without a question"
    refused(Code.WRONG_STATE, session, draft, "early", q1="1")

    survey = survey_of(session, town)
    session.refresh(phase)
    assert Opening.SURVEY in proposing.arrangement_of(phase).opens
    assert Opening.SUPPORT in proposing.arrangement_of(phase).opens, "what else it opens stays"
    assert surveys.of_procedure(session, town.procedure.id or 0) == [survey]
    stale = survey.version
    surveys.save(session, town.procedure, surveys.as_it_stands(survey), survey, by=town.planner, now=NOW)
    with pytest.raises(Refusal) as caught:
        survey_answers.answer(session, survey, Sheet("k", {"q1": ["1"]}, stale), by=PUBLIC, now=NOW)
    assert caught.value.code is Code.CHANGED_MEANWHILE, "nobody answers what was asked otherwise"

    # Once somebody has answered, the questions stand still, and what was said of the results.
    answered(session, survey, "first", q1="1")
    for changes in ({"questions": QUESTIONS[:2]}, {"counts": Counts.OPENED}, {"shows_words": False}):
        other = SurveyInput(**{**vars(surveys.as_it_stands(survey)), **changes})
        with pytest.raises(Refusal) as caught:
            surveys.save(session, town.procedure, other, survey, by=town.planner, now=NOW)
        assert caught.value.code is Code.SURVEY_ANSWERED
    title = SurveyInput(**{**vars(surveys.as_it_stands(survey)), "title": "Am Mühlbach"})
    surveys.save(session, town.procedure, title, survey, by=town.planner, now=NOW)
    copied = surveys.copy(session, survey, by=town.planner, now=NOW)
    assert (copied.number, copied.entries, copied.asks) == (3, 0, QUESTIONS)

    # No planner sees results early by taking surveys out of what the phase opens; nor is one published in a formal phase.
    arranged = proposing.arrangement_of(phase)
    nothing = replace(arranged, opens=arranged.opens - {Opening.SURVEY})
    proposing.arrange(session, town.procedure, phase, nothing, by=town.planner, now=NOW, note="x")
    assert surveys.standing(survey, town.procedure, phase, NOW) is surveys.Standing.OPEN
    phase.is_formal = True
    with pytest.raises(Refusal) as caught:
        surveys.publish(session, copied, note="x", by=town.planner, now=NOW)
    assert caught.value.code is Code.UNKNOWN_REFERENCE
    phase.is_formal = False

    with pytest.raises(Refusal) as caught:
        surveys.end(session, survey, reason=" ", by=town.planner, now=NOW)
    assert caught.value.code is Code.REASON_REQUIRED
    surveys.end(session, survey, reason="Frage 2 war missverständlich.", by=town.planner, now=NOW)
    session.refresh(phase)
    assert Opening.SURVEY not in proposing.arrangement_of(phase).opens
    refused(Code.PHASE_CLOSED, session, survey, "second", q1="1")
    surveys.discard(session, copied, by=town.planner, now=NOW)
    assert surveys.by_number(session, town.procedure.id or 0, 3) is None
    # A phase with a survey cannot be taken out.
    without = replace(procedures.as_it_stands(town.procedure), phases=(PhaseInput(PhaseKind.WEIGHING),))
    with pytest.raises(Refusal) as caught:
        procedures.change(session, town.procedure, without, by=town.planner, now=NOW, note="x")
    assert caught.value.code is Code.PHASE_IN_USE


def test_the_same_sending_is_one_answer_and_every_version_stays(session: Session, tmp_path: Path) -> None:
    town = cast.with_ideas(session)
    survey = survey_of(session, town)
    first = answered(session, survey, "once", q1="2", q2="5", q3="Bäume")
    assert answered(session, survey, "once", q1="2", q2="5", q3="Bäume") is first
    (version,) = survey_answers.answers_of(session, first)
    assert (version.answers, version.ignored) == ({"1": "2", "3": "Bäume"}, ["2"])
    assert first.reference == "ID-U1-0001"

    # Back, and sent again with other answers: a change of the same answer, and nothing is overwritten.
    answered(session, survey, "once", q1="1", q2="5", q3="Bäume")
    by_code = surveys.by_access_code(session, town.id, first.access_code.lower())
    assert by_code is first
    assert first.version == 2
    survey_answers.change(session, first, {"q3": ["Bänke"]}, version=survey.version, by=PUBLIC, now=NOW)
    assert [each.answers for each in survey_answers.answers_of(session, first)] == [
        {"1": "2", "3": "Bäume"}, {"1": "1", "2": 5, "3": "Bäume"}, {"3": "Bänke"},
    ]  # fmt: skip
    rows = session.exec(select(SurveyWords).order_by(col(SurveyWords.id))).all()
    assert [(row.words, row.state) for row in rows] == [("Bäume", "gone"), ("Bänke", "waiting")]
    assert not list(evidence.examine(session, FolderStore(tmp_path))), "its seals hold"
    first = session.get_one(surveys.SurveyEntry, first.id)
    survey = session.get_one(Survey, survey.id)

    survey_answers.withdraw(session, first, by=PUBLIC, now=AFTER)
    survey_answers.withdraw(session, first, by=PUBLIC, now=AFTER)
    found = survey_results.results(session, survey)
    assert (found.answered, found.withdrawn, found.words["3"].waiting) == (0, 1, 0)
    with pytest.raises(Refusal) as caught:
        survey_answers.change(session, first, {"q1": ["1"]}, version=survey.version, by=PUBLIC, now=NOW)
    assert caught.value.code is Code.ALREADY_WITHDRAWN
    verbs = session.exec(
        select(JournalEntry.verb).where(col(JournalEntry.subject) == f"survey_entry:{first.id}")
    ).all()
    assert verbs == ["survey_answered", *["survey_answer_changed"] * 2, "survey_answer_withdrawn"]
    assert not list(journal.verify(session))

    # Whoever alters an answer in the database is found out.
    session.get_one(surveys.SurveyAnswer, version.id).answers = {"1": "1"}
    session.commit()
    assert ("answer_altered",) in {
        (each.problem,) for each in evidence.examine(session, FolderStore(tmp_path))
    }


def test_paper_counts_like_a_click_and_what_is_late_is_kept_and_marked(session: Session) -> None:
    town = cast.with_ideas(session)
    survey = survey_of(session, town)
    answered(session, survey, "web", q1="1", q2="4", q3="Mehr Licht")
    slip = {"channel": "paper_form", "by": town.clerk}
    answered(session, survey, "paper", q1="2", received_at=NOW - timedelta(days=1), **slip)
    refused(Code.NOT_ALLOWED, session, survey, "x", q1="1", channel="paper_form")
    refused(Code.RECEIVED_IN_FUTURE, session, survey, "x", q1="1", received_at=NOW + timedelta(1), **slip)
    refused(Code.UNKNOWN_CHANNEL, session, survey, "x", q1="1", channel="dove")
    # Entered after the end: what had come before it is in time, what came after it is late; online it is over.
    in_time = answered(session, survey, "box", q1="1", q2="2", received_at=NOW, now=AFTER, **slip)
    late = answered(
        session, survey, "late", q1="1", q2="1", q3="Zu spät", received_at=AFTER, now=AFTER, **slip
    )
    # A number opens what was taken in at the counter; no longer once somebody has changed it at home, with the code.
    assert surveys.entry_at_counter(session, survey, in_time.reference) == in_time
    own = answered(session, survey, "slip", q1="2", **slip)
    survey_answers.change(session, own, {"q1": ["1"]}, version=survey.version, by=PUBLIC, now=NOW)
    assert surveys.entry_at_counter(session, survey, own.reference) is None
    assert surveys.entry_at_counter(session, survey, own.access_code) == own
    survey_answers.withdraw(session, own, by=PUBLIC, now=NOW)
    assert (in_time.is_late, late.is_late, late.recorded_by) == (False, True, town.clerk.label)
    assert refused(Code.PHASE_CLOSED, session, survey, "y", q1="1", now=AFTER).facts["ended"] == cast.ENDS
    before = NOW - timedelta(days=60)
    refused(Code.PHASE_NOT_STARTED, session, survey, "y", q1="1", now=before)

    found = survey_results.results(session, survey)
    assert (found.answered, found.online, found.otherwise, found.late) == (3, 1, 2, 1)
    home, loud, _ = found.questions
    assert [(count.key, count.number) for count in home.counts] == [("1", 2), ("2", 1)]
    assert (loud.asked, loud.answered, loud.mean) == (2, 2, 3.0)
    # Nobody is written down who answers online, signed in or not.
    mine = answered(session, survey, "mine", q1="1", by=town.clerk)
    assert mine.recorded_by == PUBLIC.label
    assert [entry.reference[-4:] for entry, _ in survey_results.sheets(session, survey)] == [
        "0001", "0002", "0003", "0004", "0005", "0006",
    ]  # fmt: skip


def test_bad_sendings_are_refused_with_a_plain_word(session: Session) -> None:
    town = cast.with_ideas(session)
    survey = survey_of(session, town)
    refused(Code.NOTHING_ANSWERED, session, survey, "a", q2="3")
    refused(Code.ANSWER_UNKNOWN, session, survey, "a", q1="7")
    assert refused(Code.ANSWER_TOO_LONG, session, survey, "a", q3="ü" * 200_000).field == "q3"
    assert survey.entries == 0, "what was refused counts nowhere"
    entry = answered(session, survey, "a", q3="\u202eمرحبا\u202c 👩‍👩‍👧")
    assert survey_answers.newest(session, entry).answers == {"3": "\u202eمرحبا\u202c 👩‍👩‍👧"}


def test_whom_a_survey_asks_the_phase_says(session: Session) -> None:
    town = cast.with_ideas(session)
    survey = survey_of(session, town)
    (phase,) = phases.phases_of(session, town.procedure.id or 0)

    def ask(audience: Audience) -> None:
        why = Limits(ground="§ 3 der Satzung", contact="Amt 61")
        arranged = Arrangement(opens=frozenset({Opening.SURVEY}), audience=audience, limits=why)
        proposing.arrange(session, town.procedure, phase, arranged, by=town.planner, now=NOW, note="x")

    ask(Audience.RESIDENTS)
    refused(Code.ANSWER_DECLARE, session, survey, "a", q1="1")
    answered(session, survey, "a", q1="1", declares=frozenset({"resident"}))
    ask(Audience.SIGNED_IN)
    refused(Code.NOT_ALLOWED, session, survey, "b", q1="1")
    once = answered(session, survey, "b", q1="1", party="digest")
    refused(Code.ANSWERED_BEFORE, session, survey, "c", q1="2", party="digest")
    answered(session, survey, "d", q1="2", channel="phone_record", by=town.clerk)
    survey_answers.withdraw(session, once, by=PUBLIC, now=NOW)
    answered(session, survey, "e", q1="2", party="digest")

    # A clerk who changes or withdraws for somebody notes who asked; what came in time is changed in time.
    (by_phone,) = session.exec(select(SurveyEntry).where(SurveyEntry.channel == "phone_record")).all()
    change: dict[str, Any] = {
        "version": survey.version,
        "channel": "phone_record",
        "by": town.clerk,
        "now": AFTER,
    }
    for facts, code in (
        ({}, Code.REASON_REQUIRED),
        ({"note": "Rief an"}, Code.PHASE_CLOSED),
        ({"note": "Rief an", "received_at": AFTER + timedelta(days=1)}, Code.RECEIVED_IN_FUTURE),
    ):
        with pytest.raises(Refusal) as caught:
            survey_answers.change(session, by_phone, {"q1": ["1"]}, **change, **facts)
        assert caught.value.code is code
    survey_answers.change(session, by_phone, {"q1": ["1"]}, note="Rief an", received_at=NOW, **change)
    assert by_phone.version == 2

    # Which accounts have answered is forgotten a month after nobody can any more.
    assert not survey_answers.are_parties_due(session, NOW + timedelta(days=40))
    assert survey_answers.forget_parties(session, by=town.planner, now=AFTER) == 2
    assert session.exec(select(SurveyEntry).where(SurveyEntry.party != "")).all() == []
    assert survey_answers.forget_parties(session, by=town.planner, now=AFTER) == 0


def test_own_words_are_read_by_a_moderator_first(session: Session) -> None:
    town = cast.with_ideas(session)
    survey = survey_of(session, town)
    entry = answered(session, survey, "a", q3="Frau Kern parkt falsch")
    answered(session, survey, "b", q3="Bänke")
    (one, _), (two, _) = survey_results.waiting_words(session, town.id, None)
    assert survey_results.waiting_count(session, town.id, None) == 2
    assert survey_results.waiting_words(session, town.id, []) == []

    def decide(row: SurveyWords, by: Actor = town.moderator, **facts: Any) -> None:
        survey_results.decide(session, row, by=by, now=NOW, **facts)

    for code, facts in (
        (Code.NOT_ALLOWED, {"shown": "Bänke", "by": town.clerk}),
        (Code.REASON_REQUIRED, {"shown": None}),
        (Code.NOT_BLACKENED, {"shown": "Herr Kern parkt falsch"}),
        (Code.NOT_BLACKENED, {"shown": " "}),
    ):
        with pytest.raises(Refusal) as caught:
            decide(one, **facts)
        assert caught.value.code is code
    decide(one, shown="█████ parkt falsch")
    decide(two, shown=None, reason=next(iter(Reason)))
    said = survey_results.results(session, survey).words["3"]
    assert ([each.words for each in said.shown], said.withheld) == (["█████ parkt falsch"], 1)
    decide(two, shown="Bänke")
    # The same words stay decided when other answers change; other words wait anew.
    survey_answers.change(
        session,
        entry,
        {"q1": ["1"], "q3": ["Frau Kern parkt falsch"]},
        version=survey.version,
        by=PUBLIC,
        now=NOW,
    )
    assert [each.words for each in survey_results.results(session, survey).words["3"].shown] == [
        "Bänke",
        "█████ parkt falsch",
    ]
    survey_answers.change(
        session, entry, {"q3": ["Alle parken falsch"]}, version=survey.version, by=PUBLIC, now=NOW
    )
    with pytest.raises(Refusal) as caught:
        decide(one, shown="█████ parkt falsch")
    assert caught.value.code is Code.DECIDED_MEANWHILE
    survey_answers.withdraw(session, entry, by=PUBLIC, now=NOW)
    words = survey_results.results(session, survey).words["3"]
    assert ([each.words for each in words.shown], words.waiting) == (["Bänke"], 0)

    quiet = survey_of(session, town, title="Leise", shows_words=False)
    answered(session, quiet, "c", q3="Nur für Sie")
    assert survey_results.waiting_count(session, town.id, None) == 0
    hidden = session.exec(select(SurveyWords).where(SurveyWords.survey_id == quiet.id)).one()
    with pytest.raises(Refusal) as caught:
        decide(hidden, shown="Nur für Sie")
    assert caught.value.code is Code.WRONG_STATE
    assert hidden.state == WordsState.WITHHELD.value


def test_results_wait_for_the_end_unless_the_planner_wants_it_otherwise(session: Session) -> None:
    town = cast.with_ideas(session)
    closed, opened = survey_of(session, town), survey_of(session, town, counts=Counts.OPENED)
    (phase,) = phases.phases_of(session, town.procedure.id or 0)

    def shown(survey: Survey, now: Any) -> bool:
        return surveys.shows_results(survey, surveys.standing(survey, town.procedure, phase, now))

    assert [shown(each, NOW) for each in (closed, opened)] == [False, True]
    assert [shown(each, AFTER) for each in (closed, opened)] == [True, True]
    assert surveys.standing(closed, town.procedure, phase, NOW - timedelta(60)) is Standing.COMING


def test_a_place_in_words_is_found_in_the_register_of_places(session: Session) -> None:
    town = cast.with_ideas(session)
    layer = places.Layer(
        municipality_id=town.id, role=LayerRole.STREETS.value, title="Straßen", imported_at=NOW
    )
    session.add(layer)
    session.flush()
    point = read_geojson_geometry({"type": "Point", "coordinates": [10.7, 48.3]})
    street = places.Place(
        municipality_id=town.id, layer_id=layer.id, kind=places.PlaceKind.STREET.value, name="Mühlstraße",
        sort=places.fold("Mühlstraße"), geometry=point.wkb, min_x=point.min_x, min_y=point.min_y,
        max_x=point.max_x, max_y=point.max_y, lon=point.lon, lat=point.lat, cell=point.cell,
    )  # fmt: skip
    session.add(street)
    session.flush()
    survey = survey_of(session, town, questions=(Question("1", QuestionKind.PLACE, "Wo ist es zu laut?"),))
    for number, words in enumerate(("Mühlstr.", "hinter dem Bäcker")):
        answered(session, survey, f"k{number}", q1=words)
    for row, _ in survey_results.waiting_words(session, town.id, None):
        survey_results.decide(session, row, shown=row.words, by=town.moderator, now=NOW)
    here, nowhere = survey_results.results(session, survey).words["1"].shown
    assert (here.words, round(here.lon or 0, 4), round(here.lat or 0, 4)) == ("Mühlstr.", 10.7, 48.3)
    assert nowhere.lon is None

    # A pin alone is read by nobody first; with words it waits, and stays where it is whatever is blacked out of them.
    pin = {"q1-lon": "10.71", "q1-lat": "48.31"}
    answered(session, survey, "alone", **pin)
    answered(session, survey, "said", q1="bei Frau Kern", **pin)
    alone = survey_results.results(session, survey).words["1"].shown[-1]
    assert (alone.words, alone.lon, alone.lat) == ("", 10.71, 48.31)
    ((row, _),) = survey_results.waiting_words(session, town.id, None)
    survey_results.decide(session, row, shown="bei ████", by=town.moderator, now=NOW)
    assert ("bei ████", 10.71) in {
        (each.words, each.lon) for each in survey_results.results(session, survey).words["1"].shown
    }
    away = refused(Code.LOCATION_INVALID, session, survey, "away", q1="Rom", **{"q1-lon": "2", "q1-lat": "1"})
    assert away.field == "q1"
