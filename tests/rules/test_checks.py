"""May a phase be published? Every vector of R-1.2 to R-1.4, R-1.8, R-1.11, R-1.15 to R-1.17, and what they leave open."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations import announcement_text, checks
from consultations.announcement_text import (
    CLOSED_FROM,
    ELEMENTS,
    HINT_ASSOCIATIONS,
    HINT_ELECTRONIC,
    HINT_LATE,
    Case,
    Option,
    Particulars,
    Theme,
)
from consultations.checks import Act, Announced, DocumentFacts, Finding, Medium, Situation
from consultations.law import Severity
from consultations.seats import Seat

SEAT = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})
STARTS, ENDS, TODAY = date(2027, 3, 1), date(2027, 4, 1), date(2027, 2, 10)
PAPERS = (
    DocumentFacts(1, "plan_drawing", "Planzeichnung", "a" * 64),
    DocumentFacts(2, "explanatory_report", "Begründung", "b" * 64),
    DocumentFacts(3, "environmental_report", "Umweltbericht", "c" * 64),
    DocumentFacts(4, "environmental_statement", "Stellungnahme Wasserwirtschaft", "d" * 64),
)
KNOWN = Particulars(
    case=Case(),
    authority="Stadt Auenfurt",
    title="Wohnen am Mühlbach",
    key="BP-12",
    area="Zwischen Mühlbach, Bahnlinie und Färbergasse",
    address="https://mitreden.auenfurt.example/beteiligungen/wohnen",
    starts_on=STARTS,
    ends_on=ENDS,
    portal="https://portal.land.example/bp-12",
    themes=(Theme("Wasser", "Hochwasser, Grundwasserstand", frozenset({3, 4})),),
    options=(Option("Rathaus, Zimmer 12", "Marktplatz 1", "Mo bis Fr 8 bis 12 Uhr", "stufenlos"),),
    documents=tuple(paper.title for paper in PAPERS),
    contact="Frau Kern, 08999 1234-10",
)
ACTS = (
    Act(Medium.GAZETTE, date(2027, 2, 8), "Nr. 5/2027", has_evidence=True, version=1),
    Act(Medium.INTERNET, date(2027, 2, 8), has_evidence=True, version=1),
    Act(Medium.STATE_PORTAL, date(2027, 2, 9), has_evidence=True, version=1),
)


def ready(case: Case | None = None, **facts: Any) -> Situation:
    """A phase that may be published, with these facts changed; the text is the one that `compose` writes."""
    known = replace(KNOWN, case=case or Case(), **facts)
    text = announcement_text.plain(announcement_text.compose(known))
    return Situation(
        known,
        TODAY,
        PAPERS,
        Announced(1, text, known.starts_on, known.ends_on, tuple(option.place for option in known.options)),
        ACTS,
        answer=checks.period(
            known.case, known.starts_on, known.ends_on, seat=SEAT, announced_on=date(2027, 2, 8)
        ),
    )


def without(situation: Situation, words: str, instead: str = "") -> Situation:
    """The same with these words taken out of the announcement, which must have had them."""
    assert situation.announced is not None
    assert words in situation.announced.text
    text = situation.announced.text.replace(words, instead)
    return replace(situation, announced=replace(situation.announced, text=text))


def codes(situation: Situation, *severities: Severity) -> set[str]:
    wanted = severities or (Severity.BLOCK, Severity.WARN)
    return {finding.code for finding in checks.check(situation) if finding.severity in wanted}


LAND_USE = Case(plan_kind="land_use_plan")
ACCELERATED = Case(variant="accelerated", plot_area=19_999, has_early=True)
NEW_APPROVAL = Case(plan_kind="plan_approval", kind="display", law_version="VwVfG 2026-07-29")
OLD_APPROVAL = Case(plan_kind="plan_approval", kind="display", law_version="VwVfG until 2026-07-28")
CASES = {
    "regular": Case(),
    "land use": LAND_USE,
    "simplified": Case(variant="simplified"),
    "accelerated": ACCELERATED,
    "accelerated, no early": replace(ACCELERATED, has_early=False),
    "project-based": Case(variant="project_based"),
    "renewed": Case(kind="repeated", limited_to="die Bauhöhe im Norden"),
    "renewed, all open": Case(kind="repeated"),
    "cross-border": Case(crosses_border=True),
    "early": Case(kind="early"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_program_writes_is_complete(name: str) -> None:
    situation = ready(CASES[name])
    assert codes(situation) == set(), checks.check(situation)
    assert situation.announced is not None
    assert "FEHLT" not in situation.announced.text


def test_plan_approval_by_new_law_is_complete_after_six_weeks() -> None:
    # six weeks from the display, the later reading: 1 March → 12 April (a Monday)
    assert codes(ready(NEW_APPROVAL, ends_on=date(2027, 4, 12))) == set()
    assert "announced_end_before_minimum" in codes(ready(NEW_APPROVAL, ends_on=ENDS), Severity.BLOCK)


def test_plan_approval_by_old_law_counts_two_weeks_after_the_display() -> None:
    early = ready(OLD_APPROVAL, ends_on=date(2027, 3, 31))
    assert "objections_end_early" in codes(early, Severity.BLOCK)
    # The hints are in the words of the federal act; whether the state's act says the same, nobody has read.
    assert codes(ready(OLD_APPROVAL, ends_on=date(2027, 4, 14))) == {"wording_unverified"}


def test_a_small_procedure_asks_only_those_affected_within_an_appropriate_period() -> None:
    small = Case(variant="simplified", only_affected=True)
    situation = ready(small, ends_on=STARTS + timedelta(days=20))
    assert situation.answer is not None
    assert situation.answer.question == "bauleitplan_simplified"
    assert codes(situation) == set()
    assert situation.announced is not None
    assert announcement_text.HINT_AFFECTED in situation.announced.text
    assert "§ 13 Absatz 2 Satz 1 Nummer 2" in situation.announced.text
    # No month is asked for, and no customary announcement; a publication of the same length would be unlawful.
    assert codes(replace(situation, acts=ACTS[1:]), Severity.BLOCK) == set()
    assert codes(ready(Case(variant="simplified"), ends_on=STARTS + timedelta(days=20)), Severity.BLOCK) == {
        "announced_end_before_minimum"
    }
    assert announcement_text.HINT_AFFECTED not in ready(Case(variant="simplified")).announced.text  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------ the announcement


def test_bk_1_a_land_use_plan_needs_the_hint_for_associations() -> None:
    assert codes(without(ready(LAND_USE), HINT_ASSOCIATIONS)) == {"umwrg_hint_missing"}
    assert codes(without(ready(LAND_USE), HINT_ASSOCIATIONS), Severity.BLOCK) == {"umwrg_hint_missing"}


def test_bk_2_a_development_plan_does_not() -> None:
    situation = ready()
    assert situation.announced is not None
    assert HINT_ASSOCIATIONS not in situation.announced.text
    assert codes(situation) == set()


def test_bk_3_an_accelerated_plan_needs_no_types_of_environmental_information() -> None:
    situation = ready(ACCELERATED, themes=())
    assert situation.announced is not None
    assert announcement_text.HINT_ACCELERATED in situation.announced.text
    assert codes(situation) == set()
    assert codes(ready(themes=()), Severity.BLOCK) == {"environment_types_missing"}


def test_bk_4_the_state_portal_may_be_missing_with_a_reason() -> None:
    situation = replace(ready(portal=""), acts=ACTS[:2])
    (finding,) = checks.check(situation)
    assert (finding.code, finding.severity) == ("state_portal", Severity.WARN)
    assert not checks.may_release([finding], {})
    assert checks.may_release([finding], {finding.key: "Das Portal ist bis Freitag gestört."})


def test_bk_5_online_only_is_no_hint() -> None:
    online = "Stellungnahmen sind ausschließlich online abzugeben."
    assert codes(without(ready(), HINT_ELECTRONIC, online), Severity.BLOCK) == {
        "hint_electronic_missing",
        "wording_only_online",
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_sentence_that_the_law_asks_for_is_missed(case: Case) -> None:
    situation = ready(case)
    for element in ELEMENTS:
        if element.applies(case) and element.wording:
            found = [
                one for one in checks.check(without(situation, element.wording)) if one.code == element.code
            ]
            assert [one.severity for one in found] == [element.severity]


def test_the_eight_hints_of_a_plan_approval_are_all_blocks() -> None:
    situation = ready(NEW_APPROVAL, ends_on=date(2027, 4, 12))
    hints = [element for element in ELEMENTS if element.applies(NEW_APPROVAL) and element.wording]
    assert len(hints) == 8
    for element in hints:
        assert codes(without(situation, element.wording), Severity.BLOCK) == {element.code}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Stellungnahmen können nur schriftlich abgegeben werden.", "only_in_writing"),
        ("Stellungnahmen sind schriftlich oder zur Niederschrift vorzubringen.", "in_writing_or_on_record"),
        ("Bitte äußern Sie sich mit vollständiger Anschrift.", "full_address"),
        ("Bitte äußern Sie sich unter Angabe der vollständigen Adresse.", "full_address"),
        ("Stellungnahmen werden nur online angenommen.", "only_online"),
        ("Stellungnahmen durch Betroffene sind willkommen.", "affected_only"),
        ("Verspätete Stellungnahmen werden nicht berücksichtigt.", "late_never_counts"),
        ("Nicht fristgerecht eingegangene Stellungnahmen bleiben unberücksichtigt.", "late_never_counts"),
    ],
)  # fmt: skip
def test_a_free_part_may_not_narrow_what_the_law_leaves_open(said: str, code: str) -> None:
    situation = ready(free={"more": said})
    assert codes(situation, Severity.BLOCK) == {f"wording_{code}"}


@pytest.mark.parametrize(
    "said",
    [
        "Sie müssen sich nicht nur schriftlich äußern.",
        "Auch Kinder und Jugendliche dürfen sich äußern, schriftlich, online oder mündlich.",
        "Ihre Anschrift brauchen wir nicht.",
    ],
)
def test_a_free_part_may_say_kind_things(said: str) -> None:
    assert codes(ready(free={"more": said})) == set()


def test_missing_parts_are_marked_and_named() -> None:
    known = replace(KNOWN, area="", themes=(), options=(), starts_on=None)
    parts = announcement_text.compose(known)
    assert {part.key for part in parts if part.missing} == {"area", "environment", "hint_access", "period"}
    assert announcement_text.plain(parts).count("⟦FEHLT: ") == 4


def test_another_period_needs_another_announcement() -> None:
    situation = ready()
    later = replace(situation, known=replace(situation.known, ends_on=ENDS + timedelta(days=7)))
    assert "announcement_outdated" in codes(later, Severity.BLOCK)


# --------------------------------------------------------------------------------------------- what is published


def test_pu_1_draft_report_and_environmental_report_are_enough() -> None:
    assert codes(ready()) == set()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("plan_drawing", "draft_missing"),
        ("explanatory_report", "explanatory_report_missing"),
        ("environmental_report", "environmental_report_missing"),  # PU-2
    ],
)
def test_pu_2_a_regular_plan_without_one_of_them_is_blocked(kind: str, code: str) -> None:
    papers = tuple(paper for paper in PAPERS if paper.kind != kind)
    assert codes(replace(ready(), documents=papers), Severity.BLOCK) == {code}


def test_pu_3_an_accelerated_plan_needs_no_environmental_report() -> None:
    assert codes(replace(ready(ACCELERATED, themes=()), documents=PAPERS[:2])) == set()


def test_environmental_statements_may_be_missing_with_a_reason_and_none_is_left_out() -> None:
    assert codes(replace(ready(), documents=PAPERS[:3]), Severity.WARN) == {
        "environmental_statements_missing"
    }
    partly = ready(themes=(Theme("Wasser", "Hochwasser", frozenset({3})),))
    assert codes(partly) == {"environment_type_missing"}


# ------------------------------------------------------------------------------------------------ other access


def test_no_other_access_is_a_block() -> None:
    assert "access_missing" in codes(ready(options=()), Severity.BLOCK)
    assert "access_hours_missing" in codes(ready(options=(Option("Rathaus"),)), Severity.BLOCK)


def test_a_terminal_closed_for_ten_working_days_is_a_warning_unless_there_is_a_second_place() -> None:
    place = replace(KNOWN.options[0], closed=(date(2027, 3, 8), date(2027, 3, 19)))
    assert codes(ready(options=(place,))) == {"access_closed"}
    assert codes(ready(options=(replace(place, closed=(date(2027, 3, 8), date(2027, 3, 18))),))) == set()
    assert codes(ready(options=(place, KNOWN.options[0]))) == set()


def test_a_place_says_whether_it_has_steps() -> None:
    assert codes(ready(options=(replace(KNOWN.options[0], step_free=""),))) == {"access_step_free_unknown"}


def test_a_place_that_the_announcement_names_and_that_is_gone_is_a_block() -> None:
    situation = ready()
    other = Option("Bücherei", "Am Anger 2", "Di bis Sa 10 bis 18 Uhr", "Aufzug")
    gone = replace(situation, known=replace(situation.known, options=(other,)))
    assert codes(gone, Severity.BLOCK) == {"hint_access_missing", "access_promised_gone"}
    more = replace(situation, known=replace(situation.known, options=(other, *KNOWN.options)))
    assert codes(more) == set()


# ------------------------------------------------------------------------------------ change after publication


@pytest.mark.parametrize(
    ("case", "touches", "obvious", "basics", "expected"),
    [
        ("CH-1 typo", False, True, False, checks.Renewal(False, needs_reason=True)),
        ("CH-2 building line", True, False, False, checks.Renewal(True, "affected", True)),
        ("CH-3 land-use type", True, False, True, checks.Renewal(True, "everybody", True)),
        ("not obvious", False, False, False, checks.Renewal(True, "affected", True)),
    ],
)
def test_a_change_is_published_again(
    case: str, touches: bool, obvious: bool, basics: bool, expected: checks.Renewal
) -> None:
    found = checks.renewal(touches_interests=touches, is_obvious=obvious, touches_basics=basics)
    assert found == expected, case


def test_asking_everybody_is_right_where_asking_the_affected_takes_longer() -> None:
    found = checks.renewal(
        touches_interests=True, is_obvious=False, touches_basics=False, affected_takes_longer=True
    )
    assert found.scope == "everybody"


# ------------------------------------------------------------------------------------------ areas of §13a


@pytest.mark.parametrize(
    ("square_metres", "blocks", "warnings"),
    [
        (19_999, set(), set()),
        (20_000, {"examination_missing"}, {"examination_reasons_missing"}),
        (69_999, {"examination_missing"}, {"examination_reasons_missing"}),
        (70_000, {"plot_area_too_large"}, set()),
        (None, set(), {"plot_area_unknown"}),
    ],
)
def test_the_plot_area_decides(square_metres: int | None, blocks: set[str], warnings: set[str]) -> None:
    situation = ready(replace(ACCELERATED, plot_area=square_metres))
    assert (codes(situation, Severity.BLOCK), codes(situation, Severity.WARN)) == (blocks, warnings)


def test_an_examined_plan_with_its_reasons_may_go_on() -> None:
    situation = ready(
        replace(ACCELERATED, plot_area=20_000), free={"reasons": "Keine erheblichen Wirkungen."}
    )
    assert codes(replace(situation, is_examined=True)) == set()


def test_the_extra_announcement_of_13a_may_be_missing_with_a_reason() -> None:
    situation = ready(replace(ACCELERATED, has_early=False))
    for words, code in (
        (announcement_text.HINT_ACCELERATED, "accelerated_hint_missing"),
        (announcement_text.HINT_INFORMED, "informed_hint_missing"),
    ):
        assert codes(without(situation, words), Severity.WARN) == {code}
        assert codes(without(situation, words), Severity.BLOCK) == set()


# ------------------------------------------------------------------------------- plan approval


def test_pf_1_and_pf_2_other_access_is_due_while_the_display_runs() -> None:
    starts, ends = date(2026, 10, 5), date(2026, 11, 4)
    asked = starts + timedelta(days=19)
    assert checks.other_access_requested(starts, ends, asked) == checks.Duty(
        True, asked, Severity.BLOCK, "other_access_due"
    )
    late = checks.other_access_requested(starts, ends, ends + timedelta(days=1))
    assert (late.is_due, late.severity) == (False, Severity.WARN)


def test_pf_3_and_pf_4_paper_is_taken_and_refusing_it_is_a_block() -> None:
    kept = checks.objection_way(is_electronic=False, in_time=True)
    assert (kept.is_due, kept.severity, kept.code) == (False, Severity.INFO, "accepted_without_request")
    refused = checks.objection_way(is_electronic=False, in_time=True, is_refused=True)
    assert (refused.is_due, refused.severity) == (True, Severity.BLOCK)
    assert "wording_only_online" in codes(
        ready(NEW_APPROVAL, ends_on=date(2027, 4, 12), free={"more": "Einwendungen nur elektronisch!"}),
        Severity.BLOCK,
    )


# ------------------------------------------------------------------------------------------ acts of publication


def test_the_customary_announcement_and_the_internet_are_both_needed() -> None:
    situation = ready()
    assert codes(replace(situation, acts=ACTS[1:]), Severity.BLOCK) == {"customary_missing"}
    assert codes(replace(situation, acts=(ACTS[0], ACTS[2])), Severity.BLOCK) == {"internet_missing"}
    of_another = tuple(replace(act, version=2) for act in ACTS)
    assert codes(replace(situation, acts=of_another), Severity.BLOCK) == {
        "customary_missing",
        "internet_missing",
    }


@pytest.mark.parametrize(
    ("on", "severity"),
    [
        (date(2027, 3, 1), Severity.BLOCK),
        (date(2027, 2, 28), Severity.WARN),
        (date(2027, 2, 22), Severity.WARN),
        (date(2027, 2, 21), None),
    ],
)
def test_the_later_act_counts_and_a_week_is_advised(on: date, severity: Severity | None) -> None:
    situation = replace(ready(), acts=(ACTS[0], replace(ACTS[1], on=on), ACTS[2]))
    found = [one for one in checks.check(situation) if one.code in ("announced_too_late", "lead_short")]
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_proof_of_an_act_is_asked_for_once_it_can_exist() -> None:
    def evidence(on: date) -> list[Severity]:
        acts = (replace(ACTS[0], on=on, has_evidence=False), *ACTS[1:])
        return [
            one.severity
            for one in checks.check(replace(ready(), acts=acts))
            if one.code == "evidence_missing"
        ]

    assert evidence(date(2027, 2, 8)) == [Severity.WARN]
    assert evidence(TODAY + timedelta(days=2)) == [Severity.INFO]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (Case(), date(2027, 2, 8)),
        (NEW_APPROVAL, date(2027, 2, 7)),
        (OLD_APPROVAL, date(2027, 2, 8)),
    ],
)
def test_which_act_counts(case: Case, expected: date) -> None:
    acts = (Act(Medium.NOTICE_BOARD, date(2027, 2, 8)), Act(Medium.INTERNET, date(2027, 2, 7)))
    assert checks.decisive_day(acts, case) == expected


# ------------------------------------------------------------------------------------------ period, personal data


def test_a_period_that_is_too_short_or_has_begun_is_a_block() -> None:
    assert "announced_end_before_minimum" in codes(ready(ends_on=date(2027, 3, 29)), Severity.BLOCK)
    assert "start_not_ahead" in codes(replace(ready(), today=STARTS), Severity.BLOCK)
    assert "dates_missing" in codes(ready(starts_on=None), Severity.BLOCK)


def test_words_that_may_name_people_are_to_be_looked_at_for_each_file_anew() -> None:
    paper = replace(PAPERS[1], names=("Frau Müller", "Flurstück 123/4"), metadata=(("author", "Erika M."),))
    situation = replace(ready(), documents=(PAPERS[0], paper, *PAPERS[2:]))
    found = checks.check(situation)
    assert {(one.code, one.severity) for one in found} == {
        ("personal_data", Severity.WARN),
        ("file_metadata", Severity.INFO),
    }
    reasons = {one.key: "Nur Gutachterin und Amt." for one in found}
    assert checks.may_release(found, reasons)
    other = replace(situation, documents=(PAPERS[0], replace(paper, sha256="e" * 64), *PAPERS[2:]))
    assert not checks.may_release(checks.check(other), reasons)


# ------------------------------------------------------------------------------------------ what holds always

broken = st.builds(
    lambda drop, portal, options, ends, acts, area, case, wording: replace(
        ready(
            case,
            portal=portal,
            options=KNOWN.options if options else (),
            ends_on=ends,
            area=area,
            free={"more": wording},
        ),
        documents=tuple(paper for paper in PAPERS if paper.kind not in drop),
        acts=tuple(act for act in ACTS if act.medium in acts),
    ),
    st.sets(st.sampled_from([paper.kind for paper in PAPERS])),
    st.sampled_from(["", "https://portal.land.example"]),
    st.booleans(),
    st.dates(date(2027, 3, 2), date(2027, 4, 20)),
    st.sets(st.sampled_from(list(Medium))),
    st.sampled_from(["", KNOWN.area]),
    st.sampled_from(
        [*CASES.values(), NEW_APPROVAL, OLD_APPROVAL, replace(ACCELERATED, plot_area=CLOSED_FROM)]
    ),
    st.sampled_from(["", "Kommen Sie vorbei.", "Nur schriftlich."]),
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(situation=broken, reasoned=st.floats(0, 1), choice=st.randoms(use_true_random=False))
def test_nothing_with_an_open_block_is_ever_released(
    situation: Situation, reasoned: float, choice: Any
) -> None:
    found = checks.check(situation)
    reasons = {one.key: "Ein Grund." for one in found if choice.random() < reasoned}
    blocks = [one for one in found if one.severity is Severity.BLOCK]
    bare = [one for one in found if one.severity is Severity.WARN and one.key not in reasons]
    assert checks.may_release(found, reasons) == (not blocks and not bare)
    if blocks:
        assert not checks.may_release(found, {one.key: "Ein Grund." for one in found})
    assert [one.severity for one in found] == sorted(
        (one.severity for one in found), key=list(Severity).index
    )
    keys = [one.key for one in found]
    assert len(set(keys)) == len(keys), "a reason must not pass for two findings"
    assert all(one.title.de and one.title.en and one.source for one in found)
    assert isinstance(found[0], Finding) if found else True


def test_a_late_hint_that_is_missing_is_named_with_its_section() -> None:
    (finding,) = checks.check(without(ready(), HINT_LATE))
    assert finding.source.startswith("BauGB §3(2) S.4 no. 3")
    assert finding.as_data()["severity"] == "BLOCK"
