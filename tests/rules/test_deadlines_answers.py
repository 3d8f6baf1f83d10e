"""What an answer says beside its dates: why, from which source, how grave; contested readings; seats; the tables."""

import string
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from consultations.computation import Answer, Impossible
from consultations.law import ENGINE_VERSION, RULES, Counting, Length, Policy, Severity, rule, rule_of_version
from consultations.legal_facts import AgenciesFacts, PublicationFacts
from consultations.legal_periods import QUESTIONS, ask
from consultations.reasons import SENTENCES, VERDICTS
from consultations.seats import ClosingDay, Seat, known_seats

BOOK = known_seats()
AUGSBURG = BOOK.find("Augsburg")
MANUAL = Path(__file__).parents[2] / "docs" / "law.md"


def publication(policy: Policy | None = None, seat: Seat = AUGSBURG, **facts: date) -> Answer:
    return ask("publication", dict(facts), seat=seat, policy=policy)


# --- the answer -----------------------------------------------------------------------------------------------


def test_an_answer_proves_itself_step_by_step_in_both_languages() -> None:
    answer = publication(start=date(2025, 7, 9), announced_end=date(2025, 8, 8))
    proof = answer.explanation()
    assert proof["engine_version"] == ENGINE_VERSION
    assert proof["law_versions"] == ["BauGB 2023-07-07"]
    assert [step["de"] for step in proof["steps"]] == [
        "Der erste Tag ist Mittwoch, 9. Juli 2025. Er zählt mit. Dauer: 1 Monat, bis zum Ablauf von Freitag, 8. August 2025.",
        "Es müssen aber mindestens 30 Tage sein. Sie enden mit dem Ablauf von Donnerstag, 7. August 2025.",
        "Das spätere Ende zählt: Freitag, 8. August 2025. Früher darf die Frist nicht enden.",
        "Freitag, 8. August 2025 ist ein Feiertag (Augsburger Hohes Friedensfest). Ob sich die Veröffentlichung "
        "dadurch verlängert, ist umstritten. Sicher ist der nächste Werktag: Montag, 11. August 2025.",
        "Bekannt gemacht ist das Ende Freitag, 8. August 2025.",
        "Freitag, 8. August 2025 ist ein Feiertag (Augsburger Hohes Friedensfest). Ob sich die Veröffentlichung "
        "dadurch verlängert, ist umstritten. Sicher ist der nächste Werktag: Montag, 11. August 2025.",
        "Eingänge gelten als fristgerecht bis Montag, 11. August 2025, 24 Uhr.",
    ]
    assert (
        proof["steps"][1]["en"]
        == "But it must be at least 30 days. They end at the end of Thursday, 7 August 2025."
    )
    assert proof["effective_end"]["day"] == "2025-08-11"
    assert proof["minimum_end"]["source"].startswith("BauGB §3(2) S.1; BGB §187(2)")
    assert proof["recommended_end"]["source"] == "BGB §193; VwVfG §31(4)"


def test_severity_is_the_gravest_finding() -> None:
    assert publication(start=date(2026, 6, 1)).severity is None
    assert publication(start=date(2025, 1, 31)).severity is Severity.INFO
    assert publication(start=date(2025, 7, 9), announced_end=date(2025, 8, 8)).severity is Severity.WARN
    assert publication(start=date(2025, 7, 9), announced_end=date(2025, 8, 7)).severity is Severity.BLOCK


def test_a_block_outweighs_the_warnings_beside_it() -> None:
    answer = publication(
        start=date(2025, 7, 9), announced_end=date(2025, 8, 8), announced_on=date(2025, 7, 9)
    )
    assert [finding.severity for finding in answer.findings] == [Severity.INFO, Severity.BLOCK, Severity.WARN]
    assert answer.results["validation"] == "BLOCK"
    assert answer.results["reason"] == "announcement must be before the start"


def test_a_whole_week_of_lead_is_enough_and_a_day_less_is_mentioned() -> None:
    assert not publication(start=date(2026, 6, 9), announced_on=date(2026, 6, 1)).findings
    shorter = publication(start=date(2026, 6, 9), announced_on=date(2026, 6, 2))
    assert [(one.severity, one.code) for one in shorter.findings] == [(Severity.INFO, "lead_under_one_week")]


def test_a_participation_of_exactly_a_month_extends_the_consent_without_objection() -> None:
    values = {"request_received": "2026-03-16", "public_participation": "1 month"}
    assert not ask("consent", values, seat=AUGSBURG).findings


def test_an_important_reason_asks_for_a_longer_period() -> None:
    facts = PublicationFacts(start=date(2026, 6, 1), announced_end=date(2026, 6, 30), important_reason=True)
    assert "important_reason_without_longer_period" in {
        one.code for one in ask("publication", facts, seat=AUGSBURG).findings
    }
    longer = facts.model_copy(update={"announced_end": date(2026, 7, 15)})
    assert ask("publication", longer, seat=AUGSBURG).results["validation"] == "OK"


def test_old_texts_of_the_law_apply_to_old_days() -> None:
    assert publication(start=date(2023, 7, 6)).law_versions == ("BauGB 2017-05-13",)
    assert publication(start=date(2023, 7, 7)).law_versions == ("BauGB 2023-07-07",)
    before_the_floor = publication(start=date(2017, 2, 1))
    assert before_the_floor.results["minimum_end"] == date(2017, 2, 28)
    assert before_the_floor.results["floor_end"] is None
    assert before_the_floor.results["floor_binding"] is False


def test_a_law_that_did_not_apply_yet_or_no_longer_is_said() -> None:
    early = ask("planfeststellung_new", {"display_start": "2026-07-28"}, seat=AUGSBURG)
    assert "law_not_yet_in_force" in {finding.code for finding in early.findings}
    late = ask("planfeststellung_old", {"display_start": "2026-07-29"}, seat=AUGSBURG)
    assert "law_by_choice_only" in {finding.code for finding in late.findings}
    assert not ask("planfeststellung_new", {"display_start": "2026-07-29"}, seat=AUGSBURG).findings


# --- contested readings ---------------------------------------------------------------------------------------


def test_whether_a_publication_shifts_is_a_choice() -> None:
    plain = Policy(shift_publication_end=False)
    answer = publication(plain, start=date(2025, 7, 9), announced_end=date(2025, 8, 8))
    assert answer.results["recommended_end"] == date(2025, 8, 8)
    assert answer.results["effective_end"] == date(2025, 8, 8)
    assert answer.results["validation"] == "OK"
    # The period of the agencies is none of a display: it shifts in every reading.
    agencies = ask("agencies", AgenciesFacts(request_received=date(2025, 7, 8)), seat=AUGSBURG, policy=plain)
    assert agencies.results["recommended_end"] == date(2025, 8, 11)


@pytest.mark.parametrize(
    ("switch", "question", "values", "result", "chosen", "otherwise"),
    [
        (
            "start_after_late_upload", "publication",
            {"start": "2026-06-01", "online_since": "2026-06-01T09:00:00+02:00"},
            "minimum_end", "2026-07-01", "2026-06-30",
        ),
        ("six_weeks_skip_first_day", "plan-approval", {"display_start": "2026-09-09"}, "recommended_end", "2026-10-21", "2026-10-20"),
        ("later_reading_after_display", "environmental-old", {"display_end": "2026-02-28"}, "statement_end", "2026-03-31", "2026-03-30"),
        (
            "web_announcement_before_start", "announcement",
            {"procedure": "bauleitplan", "ortsueblich_on": "2026-09-04", "web_on": "2026-09-10", "start": "2026-09-09"},
            "validation", "BLOCK", "WARN",
        ),
        (
            "first_emptying_is_previous_day", "receipt",
            {"effective_end": "2026-07-01", "received": "2026-07-02T07:30:00+02:00", "channel": "letterbox"},
            "timely", True, False,
        ),
    ],
)  # fmt: skip
def test_contested_readings_are_switches(
    switch: str, question: str, values: dict[str, object], result: str, chosen: object, otherwise: object
) -> None:
    assert ask(question, values, seat=AUGSBURG).as_data()[result] == chosen
    turned = replace(Policy(), **{switch: False})
    assert ask(question, values, seat=AUGSBURG, policy=turned).as_data()[result] == otherwise


def test_thresholds_are_policy() -> None:
    night = {"period_end": "2026-06-30", "outage": ["2026-06-12T02:00:00+02:00", "2026-06-12T04:30:00+02:00"]}
    assert ask("outage", night, seat=AUGSBURG).results["action"] == "log_only"
    strict = Policy(outage_log_only_hours=1, outage_extend_hours=2)
    answer = ask("outage", night, seat=AUGSBURG, policy=strict)
    assert answer.results["action"] == "extend_by_new_announcement"
    week = {"start": "2026-06-01", "end": "2026-06-07"}
    assert [one.code for one in ask("early", week, seat=AUGSBURG).findings] == ["free_period_short"]
    assert not ask("early", week, seat=AUGSBURG, policy=Policy(advised_free_period_days=7)).findings


# --- seats ----------------------------------------------------------------------------------------------------


def test_a_seat_comes_from_the_row_of_its_municipality() -> None:
    seat = Seat.from_data(
        {
            "country": "DE",
            "subdivision": "BY",
            "categories": ["public", "catholic"],
            "closing_days": [{"day": "2027-12-24", "name": "Betriebsruhe"}, "2027-12-31"],
        }
    )
    assert seat.closing_days == (
        ClosingDay(date(2027, 12, 24), "Betriebsruhe"),
        ClosingDay(date(2027, 12, 31), ""),
    )
    assert not seat.is_working_day(date(2028, 8, 15))
    assert seat.is_working_day(date(2028, 8, 8))


def test_a_closing_day_is_information_and_shifts_nothing() -> None:
    seat = replace(AUGSBURG, closing_days=(ClosingDay(date(2026, 6, 30), "Betriebsausflug"),))
    answer = publication(seat=seat, start=date(2026, 6, 1))
    assert answer.results["recommended_end"] == date(2026, 6, 30)
    assert [(one.severity, one.code) for one in answer.findings] == [(Severity.INFO, "closing_day")]
    assert "Betriebsausflug" in answer.findings[0].why.text("de")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"subdivision": "Atlantis"}, "Atlantis"),
        ({"country": "XX"}, "XX"),
        ({"categories": "public"}, "categories"),
        ({"categories": ["pagan"]}, "pagan"),
        ({"subdivision": 9}, "subdivision"),
        ({"closing_days": ["soon"]}, "soon"),
        ({"closing_days": "2027-12-24"}, "closing_days"),
        ({"valid_from": "2027-13-01"}, "valid_from"),
        ({"holidays": []}, "holidays"),
    ],
)
def test_a_wrong_calendar_is_refused_by_name(row: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Seat.from_data(row)


def test_cities_are_found_however_they_are_written() -> None:
    assert BOOK.find("  nürnberg ") == BOOK.find("Nürnberg") == BOOK.find("Nuremberg")
    assert BOOK.find("M\u0075\u0308nchen") == BOOK.find("München")
    with pytest.raises(ValueError, match="known: Augsburg, München, Nürnberg"):
        BOOK.find("Ulm")


def test_days_before_the_calendar_is_documented_are_marked() -> None:
    answer = publication(start=date(2024, 6, 3))
    assert [one.code for one in answer.findings] == ["calendar_older"]


def test_without_a_city_only_common_holidays_count_and_it_is_said() -> None:
    answer = ask("defects", {"announced_on": "2027-08-08"}, seats=BOOK)
    assert answer.results["end"] == date(2028, 8, 8)
    assert "seat_unknown" in {finding.code for finding in answer.findings}


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("bauleitplan_publicaton", {}, "did you mean bauleitplan_publication"),
        ("publication", {}, "start: is missing"),
        ("publication", {"start": "1.2.2027"}, "start: expected an existing day"),
        ("publication", {"start": "2027-02-30"}, "start: expected an existing day"),
        ("publication", {"start": 1_800_000_000}, "start: expected an existing day"),
        ("publication", {"start": "0027-02-01"}, "start: the year must be between 1900 and 2100"),
        ("publication", {"start": "2027-02-01", "anounced_end": "2027-03-05"}, "did you mean announced_end"),
        ("publication", {"start": "2027-02-01", "city": "Ulm"}, "city: unknown city 'Ulm'"),
        ("publication", {"start": "2100-12-20"}, "no holiday calendar for the year 2101"),
        ("early", {"start": "2026-06-02", "end": "2026-06-01"}, "end: the end is before the start"),
        ("online-consultation", {"start": "2026-06-02", "end": "2026-06-01"}, "end: the end is before the start"),
        ("simplified", {"variant": "publication_3_2"}, "start: is missing"),
        ("simplified", {"variant": "other"}, "variant: unknown variant 'other'"),
        ("publication-historic", {"start": "1965-05-24", "floor_days": 0}, "floor_days: expected at least 1 day"),
        ("late", {"content_known": "no", "relevant_for_lawfulness": False}, "content_known: expected true or false"),
        ("late", {"track": "press", "content_known": False, "relevant_for_lawfulness": False}, "track: "),
        ("consent", {"request_received": "2026-03-16", "public_participation": "soon"}, "public_participation: expected a length"),
        ("consent", {"request_received": "2026-03-16", "public_participation": "0 weeks"}, "public_participation: expected a length"),
        ("plan-approval-old", {"display_start": "2026-03-02", "display_end": "2026-03-01"}, "display_end: the display ends before"),
        ("discussion", {}, "hearing_on: one of hearing_on, announced_on and objection_end is needed"),
        ("announcement", {"procedure": "bauleitplan"}, "ortsueblich_on: one of"),
        ("announcement", {"procedure": "planfeststellung_new", "ortsueblich_on": "2026-09-04"}, "web_on: is missing"),
        ("announcement", {"procedure": "other", "web_on": "2026-09-04"}, "procedure: unknown procedure 'other'"),
        ("regional-plan", {}, "start: one of start and announced_on is needed"),
        ("assembly", {"event": "2026-07-10", "recess": ["2026-09-01", "2026-08-01"]}, "recess: a recess ends before"),
        ("assembly", {"event": "2026-07-10", "recess": [["2026-09-01"]]}, "recess: expected"),
        ("data-request", {"received": "2026-01-31", "months": 4}, "months: expected 1 to 3"),
        ("data-breach", {"aware_at": "1779460200"}, "aware_at: expected a moment"),
        ("age", {"born": "2026-01-02", "on": "2026-01-01"}, "on: the day is before the birth"),
        ("receipt", {"effective_end": "2026-07-01", "received": "yesterday"}, "received: expected"),
        ("outage", {"period_end": "2026-06-30", "outage": ["2026-06-02T00:00:00Z", "2026-06-01T00:00:00Z"]}, "outage: an outage ends before"),
        ("outage", {"period_end": "2026-06-30", "outage": 7}, "outage: expected"),
    ],
)  # fmt: skip
def test_impossible_input_is_refused_by_field(name: str, values: dict[str, object], words: str) -> None:
    with pytest.raises(Impossible) as refusal:
        ask(name, values, seats=BOOK)
    assert words in str(refusal.value)


def test_fields_a_question_does_not_use_are_reported() -> None:
    answer = ask("publication", {"start": "2026-06-01", "colour": "red"}, seat=AUGSBURG)
    assert answer.unused == ("colour",)


def test_facts_of_another_question_are_refused() -> None:
    with pytest.raises(Impossible, match="needs PublicationFacts"):
        ask("publication", AgenciesFacts(request_received=date(2026, 6, 1)), seat=AUGSBURG)


# --- the tables -----------------------------------------------------------------------------------------------


def test_versions_of_a_rule_do_not_overlap() -> None:
    assert len({(one.key, one.law_version) for one in RULES}) == len(RULES)
    for one in RULES:
        assert (
            one.in_force_from is None or one.in_force_until is None or one.in_force_from < one.in_force_until
        )
        for other in RULES:
            if other is not one and other.key == one.key:
                day = one.in_force_from or one.in_force_until
                assert day is not None
                assert not other.in_force_on(day), (one.key, one.law_version, other.law_version)


def test_every_rule_is_whole() -> None:
    for one in RULES:
        assert one.source
        assert one.title.de
        assert one.title.en
        assert (one.length is None) == (one.counting is Counting.NONE), one.key
        assert rule_of_version(one.key, one.law_version) is one
    assert rule("baugb_publication").law_version == "BauGB 2023-07-07"
    assert rule("baugb_publication", date(1970, 1, 1)).law_version == "BBauG 1960"
    with pytest.raises(ValueError, match="no version in force"):
        rule("vwvfg_display_begins", date(2020, 1, 1))
    with pytest.raises(KeyError):
        rule("unwritten")
    with pytest.raises(KeyError):
        rule_of_version("age", "BauGB 1999")


def test_sentences_have_the_same_facts_in_both_languages() -> None:
    def facts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert set(VERDICTS) <= set(SENTENCES)
    for code, sentence in SENTENCES.items():
        assert facts(sentence.de) == facts(sentence.en), code


def test_lengths_in_words() -> None:
    lengths = [
        Length(months=1),
        Length(months=3),
        Length(months=12),
        Length(days=7),
        Length(days=30),
        Length(hours=72),
    ]
    assert [length.words().de for length in lengths] == [
        "1 Monat",
        "3 Monate",
        "1 Jahr",
        "1 Woche",
        "30 Tage",
        "72 Stunden",
    ]
    assert [length.words().en for length in lengths] == [
        "1 month",
        "3 months",
        "1 year",
        "1 week",
        "30 days",
        "72 hours",
    ]


def test_the_manual_names_every_rule_question_and_switch() -> None:
    manual = MANUAL.read_text("utf-8")
    names = {one.key for one in RULES} | {one.name for one in QUESTIONS} | set(Policy.__dataclass_fields__)
    assert sorted(name for name in names if f"`{name}`" not in manual) == []


def test_asking_for_the_state_of_a_phase_loads_no_calendar_library() -> None:
    code = "import sys, consultations.deadlines; print(sorted({'holidays', 'babel', 'pydantic'} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=MANUAL.parents[1]
    )
    assert ran.stdout.strip() == "[]"
