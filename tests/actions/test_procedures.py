"""Procedures: what planners may do with them, what the public can read of them, and which phase is meant."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from consultations import filing, journal, nesting, procedures, publishing, town_templates
from consultations.deadlines import PhaseState
from consultations.documents import DocumentKind, FileFacts, documents_of, newest_version
from consultations.journal import JournalEntry
from consultations.permissions import PUBLIC, Actor, Role
from consultations.phases import (
    Opens,
    Phase,
    PhaseInput,
    PhaseKind,
    current_phase,
    phase_for,
    phases_of,
    phases_of_all,
)
from consultations.procedures import Procedure, ProcedureInput, ProcedureState
from consultations.publishing import TRANSITIONS
from consultations.refusals import Code, Refusal
from consultations.templates import TEMPLATES, Template, built_in
from geo.geometry import from_lonlat, read_geojson_geometry
from tests import cast

NOW = cast.NOW
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[10.70, 48.30], [10.71, 48.30], [10.71, 48.31], [10.70, 48.31], [10.70, 48.30]]],
}


@pytest.fixture
def town(session: Session) -> cast.Town:
    return cast.found(session)


def draft(session: Session, town: cast.Town, **facts: object) -> Procedure:
    entered = cast.consultation(**{"key": "BP-13", "title": "Grüne Höfe (BP 13)", **facts})
    return procedures.create(
        session, entered, municipality_id=town.id, template_key="development_plan", by=town.planner, now=NOW
    )


def as_entered(session: Session, procedure: Procedure, **facts: object) -> ProcedureInput:
    """The procedure as its form would send it back."""
    phases = tuple(
        PhaseInput(
            PhaseKind(phase.kind),
            phase.title,
            phase.note,
            phase.starts_on,
            phase.ends_on,
            phase.effective_end,
            tuple(Opens(way) for way in phase.opens),
            phase.is_formal,
            phase.id,
        )
        for phase in phases_of(session, procedure.id or 0)
    )
    entered = replace(procedures.as_it_stands(procedure), phases=phases)
    return replace(entered, **facts)  # type: ignore[arg-type]


def verbs(session: Session, procedure: Procedure) -> list[str]:
    return list(
        session.exec(
            select(JournalEntry.verb).where(JournalEntry.procedure_id == procedure.id).order_by("sequence")
        ).all()
    )


def pdf(text: str = "", sha256: str = "a" * 64) -> FileFacts:
    return FileFacts(sha256, "plan.pdf", "application/pdf", 1000, 3, text)


# --- creating ----------------------------------------------------------------------------------------


def test_a_new_one_is_a_draft_with_a_readable_address_and_its_phases(
    session: Session, town: cast.Town
) -> None:
    procedure = draft(session, town)
    assert (procedure.state, procedure.slug, procedure.version) == ("draft", "gruene-hoefe-bp-13", 0)
    kinds = [phase.kind for phase in phases_of(session, procedure.id or 0)]
    assert kinds == ["publication", "weighing"]
    assert verbs(session, procedure) == ["procedure_created"]
    assert publishing.versions_of(session, procedure.id or 0) == []


@pytest.mark.parametrize("key", [template.key for template in TEMPLATES])
def test_without_phases_the_template_proposes_them_undated(
    session: Session, town: cast.Town, key: str
) -> None:
    procedure = procedures.create(
        session,
        cast.consultation(key="X", title="X", phases=()),
        municipality_id=town.id,
        template_key=key,
        by=town.planner,
        now=NOW,
    )
    phases = phases_of(session, procedure.id or 0)
    template = built_in(key)
    assert template
    expected = [(each.kind, each.track, list(each.opens), each.is_formal) for each in template.steps]
    assert [(phase.kind, phase.track, phase.opens, phase.is_formal) for phase in phases] == expected
    assert {phase.starts_on for phase in phases} == {None}
    assert (procedure.template, procedure.template_version) == (key, template.version)
    assert (procedure.plan_kind, procedure.variant) == (template.plan_kind, template.variant)
    assert procedure.law_version == template.law_version


def test_a_town_begins_from_its_own_version_and_what_has_begun_stays(
    session: Session, town: cast.Town
) -> None:
    def begin(key: str) -> procedures.Procedure:
        entered = cast.consultation(key=key, title=key, phases=())
        return procedures.create(
            session, entered, municipality_id=town.id, template_key="framework_plan", by=town.planner, now=NOW
        )

    def keep(template: Template, version: str) -> Template:
        return town_templates.save(
            session, template, municipality_id=town.id, expected_version=version, by=town.planner, now=NOW
        )

    usual = built_in("framework_plan")
    assert usual
    before = begin("R-1")
    own = keep(replace(usual, name="Unser Rahmenplan", steps=usual.steps[:2]), usual.version)
    assert (own.version, own.name, len(own.steps)) == ("own-1", "Unser Rahmenplan", 2)
    after = begin("R-2")
    assert [row.template_version for row in (before, after)] == [usual.version, "own-1"]
    assert len(phases_of(session, before.id or 0)) == len(usual.steps)
    assert len(phases_of(session, after.id or 0)) == 2
    with pytest.raises(Refusal) as overtaken:
        keep(usual, usual.version)
    assert overtaken.value.code is Code.CHANGED_MEANWHILE
    with pytest.raises(Refusal) as empty:
        keep(replace(usual, steps=()), "own-1")
    assert empty.value.code is Code.TEMPLATE_EMPTY
    back = town_templates.reset(
        session, usual.key, municipality_id=town.id, expected_version="own-1", by=town.planner, now=NOW
    )
    assert back == usual
    assert [row.number for row in town_templates.versions(session, town.id, usual.key)] == [2, 1]
    verbs_written = [entry.verb for entry in session.exec(select(journal.JournalEntry)).all()]
    assert [verb for verb in verbs_written if verb.startswith("template_")] == [
        "template_changed",
        "template_reset",
    ]
    others = cast.found(session, "nachbarau", "Nachbarau")
    assert all(each.version == usual.version for each in town_templates.every(session, others.id))
    with pytest.raises(Refusal) as stranger:
        town_templates.save(
            session,
            usual,
            municipality_id=town.id,
            expected_version=usual.version,
            by=others.planner,
            now=NOW,
        )
    assert stranger.value.code is Code.NOT_ALLOWED


def test_an_unknown_template_is_refused(session: Session, town: cast.Town) -> None:
    with pytest.raises(Refusal) as refused:
        procedures.create(
            session,
            cast.consultation(),
            municipality_id=town.id,
            template_key="none",
            by=town.planner,
            now=NOW,
        )
    assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"key": "BP-12"}, "key"),
        ({"title": "Wohnen am Mühlbach!"}, "slug"),
        ({"slug": "wohnen-am-muehlbach"}, "slug"),
    ],
)
def test_names_are_taken_once_in_a_town(
    session: Session, town: cast.Town, facts: dict[str, str], field: str
) -> None:
    with pytest.raises(Refusal) as refused:
        draft(session, town, **facts)
    assert (refused.value.code, refused.value.field) == (Code.NAME_TAKEN, field)
    other = cast.found(session, "seebach", "Seebach")
    assert other.procedure.key == town.procedure.key
    assert other.procedure.slug == town.procedure.slug


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "field"),
    [
        (date(2027, 3, 2), date(2027, 3, 1), "phases-1-ends_on"),
        (None, date(2027, 3, 1), "phases-1-starts_on"),
    ],
)
def test_dates_have_an_order(
    session: Session, town: cast.Town, starts_on: date | None, ends_on: date, field: str
) -> None:
    phases = (
        PhaseInput(PhaseKind.EARLY),
        PhaseInput(PhaseKind.PUBLICATION, starts_on=starts_on, ends_on=ends_on),
    )
    with pytest.raises(Refusal) as refused:
        draft(session, town, phases=phases)
    assert (refused.value.code, refused.value.field) == (Code.DATES_REVERSED, field)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Grüne Höfe (BP 12)", "gruene-hoefe-bp-12"),
        ("Straße – Çelebi & Ørsted", "strasse-celebi-rsted"),
        ("日本", "verfahren"),
        ("../../etc/passwd", "etc-passwd"),
        ("Ä" * 200, "ae" * 40),
    ],
)
def test_addresses_are_plain(title: str, slug: str) -> None:
    assert procedures.slugify(title) == slug


# --- publishing and what follows ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"summary": " "}, "summary"),
        ({"location_words": ""}, "location_words"),
        ({"phases": (PhaseInput(PhaseKind.PUBLICATION, opens=(Opens.STATEMENT,)),)}, "phases"),
        ({"phases": (PhaseInput(PhaseKind.WEIGHING, starts_on=cast.STARTS, ends_on=cast.ENDS),)}, "phases"),
        ({"contact": {"name": "Frau Kern"}}, "contact"),
        ({"access_options": ({"hours": "8 bis 12"},)}, "access_options"),
    ],
)
def test_nothing_is_published_before_people_know_where_when_and_whom_to_ask(
    session: Session, town: cast.Town, facts: dict[str, object], missing: str
) -> None:
    procedure = draft(session, town, **facts)
    assert publishing.missing_for_publication(session, procedure) == (missing,)
    with pytest.raises(Refusal) as refused:
        publishing.publish(session, procedure, by=town.planner, now=NOW)
    assert (refused.value.code, refused.value.field) == (Code.NOT_READY, missing)
    assert procedure.state == "draft"


def test_publishing_makes_the_first_version_and_keeps_its_date(session: Session, town: cast.Town) -> None:
    procedure = draft(session, town)
    publishing.publish(session, procedure, by=town.planner, now=NOW)
    (first,) = publishing.versions_of(session, procedure.id or 0)
    assert (first.number, first.at, first.snapshot["title"]) == (1, NOW, "Grüne Höfe (BP 13)")
    publishing.conclude(session, procedure, by=town.planner, now=NOW, note="Beschlossen")
    publishing.publish(session, procedure, by=town.planner, now=NOW + timedelta(days=9))
    assert procedure.published_at == NOW
    assert verbs(session, procedure) == [
        "procedure_created", "procedure_published", "procedure_changed", "procedure_concluded", "procedure_changed",
        "procedure_published", "procedure_changed",
    ]  # fmt: skip


def test_a_change_after_publication_says_why_and_leaves_the_old_words_readable(
    session: Session, town: cast.Town
) -> None:
    procedure = town.procedure
    entered = as_entered(session, procedure, summary="Es werden 90 Wohnungen.")
    with pytest.raises(Refusal) as refused:
        procedures.change(session, procedure, entered, by=town.planner, now=NOW, note=" ")
    assert (refused.value.code, refused.value.field) == (Code.REASON_REQUIRED, "note")
    later = NOW + timedelta(days=2)
    procedures.change(session, procedure, entered, by=town.planner, now=later, note="Weniger Wohnungen")
    new, old = publishing.versions_of(session, procedure.id or 0)
    assert (new.number, new.note, new.at) == (2, "Weniger Wohnungen", later)
    assert new.snapshot["summary"] == "Es werden 90 Wohnungen."
    assert old.snapshot["summary"] == "Am Mühlbach sollen 120 Wohnungen entstehen."
    assert publishing.changed_at(session, [procedure.id or 0]) == {procedure.id: later}


def test_a_draft_changes_without_versions_and_without_reasons(session: Session, town: cast.Town) -> None:
    procedure = draft(session, town)
    procedures.change(
        session, procedure, as_entered(session, procedure, title="Neu"), by=town.planner, now=NOW
    )
    assert (procedure.version, publishing.versions_of(session, procedure.id or 0)) == (1, [])


def test_who_read_an_older_version_cannot_overwrite_a_newer_one(session: Session, town: cast.Town) -> None:
    procedure = draft(session, town)
    entered = as_entered(session, procedure, summary="Erste")
    procedures.change(session, procedure, entered, by=town.planner, now=NOW, expected_version=0)
    with pytest.raises(Refusal) as refused:
        procedures.change(session, procedure, entered, by=town.planner, now=NOW, expected_version=0)
    assert refused.value.code is Code.CHANGED_MEANWHILE


def test_phases_keep_their_identity_when_others_come_and_go(session: Session, town: cast.Town) -> None:
    procedure = draft(session, town)
    publication, weighing = phases_of(session, procedure.id or 0)
    entered = as_entered(session, procedure)
    phases = (
        PhaseInput(PhaseKind.EARLY, title="Zuerst"),
        replace(entered.phases[0], ends_on=date(2027, 3, 9)),
    )
    procedures.change(session, procedure, replace(entered, phases=phases), by=town.planner, now=NOW)
    first, second = phases_of(session, procedure.id or 0)
    assert (first.title, second.id, second.ends_on) == ("Zuerst", publication.id, date(2027, 3, 9))
    assert session.get(Phase, weighing.id) is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(st.sampled_from(ProcedureState), max_size=8))
def test_only_the_states_in_the_table_follow_each_other(
    session: Session, town: cast.Town, wishes: list[ProcedureState]
) -> None:
    with session.begin_nested() as savepoint:
        procedure = draft(session, town)
        for wish in wishes:
            before = ProcedureState(procedure.state)
            version, revision = procedure.version, journal.revision(session, town.id)
            if wish in TRANSITIONS[before]:
                _move(session, procedure, wish, town.planner)
                assert (procedure.state, procedure.version) == (wish.value, version + 1)
            else:
                with pytest.raises(Refusal) as refused:
                    _move(session, procedure, wish, town.planner)
                assert refused.value.code is Code.WRONG_STATE
                assert (procedure.state, procedure.version) == (before.value, version)
                assert journal.revision(session, town.id) == revision
        savepoint.rollback()
    session.expire_all()


def _move(session: Session, procedure: Procedure, wish: ProcedureState, by: Actor) -> None:
    if wish is ProcedureState.PUBLISHED:
        publishing.publish(session, procedure, by=by, now=NOW)
    elif wish is ProcedureState.CONCLUDED:
        publishing.conclude(session, procedure, by=by, now=NOW, note="Beschlossen")
    elif wish is ProcedureState.WITHDRAWN:
        publishing.withdraw(session, procedure, by=by, now=NOW, note="Aufgegeben")
    else:  # no verb leads back to a draft
        raise Refusal(Code.WRONG_STATE)


def test_the_last_words_are_those_of_the_last_end(session: Session, town: cast.Town) -> None:
    procedure = town.procedure
    with pytest.raises(Refusal) as refused:
        publishing.conclude(session, procedure, by=town.planner, now=NOW, note="")
    assert (refused.value.code, refused.value.field) == (Code.REASON_REQUIRED, "note")
    publishing.withdraw(session, procedure, by=town.planner, now=NOW, note="Kein Geld")
    publishing.publish(session, procedure, by=town.planner, now=NOW)
    publishing.conclude(session, procedure, by=town.planner, now=NOW, note="Der Rat hat Ja gesagt.")
    filing.add_document(
        session, procedure, pdf(), title="Satzung", kind=DocumentKind.RESULT, by=town.planner, now=NOW
    )
    other = draft(session, town)
    assert publishing.closing_words(session, [procedure.id or 0, other.id or 0]) == {
        procedure.id: "Der Rat hat Ja gesagt."
    }


# --- plan area and documents -------------------------------------------------------------------------


def test_a_plan_area_is_an_area_and_knows_its_box(session: Session, town: cast.Town) -> None:
    with pytest.raises(Refusal) as refused:
        procedures.set_plan_area(session, town.procedure, from_lonlat(10.7, 48.3), by=town.planner, now=NOW)
    assert refused.value.code is Code.PLAN_AREA_INVALID
    located = read_geojson_geometry(SQUARE)
    procedures.set_plan_area(session, town.procedure, located, by=town.planner, now=NOW, note="Neu vermessen")
    session.flush()
    session.expire(town.procedure)
    assert town.procedure.plan_area == located.wkb
    assert (town.procedure.min_x, town.procedure.max_y) == (located.min_x, located.max_y)
    assert (
        publishing.versions_of(session, town.procedure.id or 0)[0].snapshot["plan_area"] == located.wkb.hex()
    )


def test_a_new_file_is_a_new_version_and_the_old_one_stays(session: Session, town: cast.Town) -> None:
    procedure = town.procedure
    first = filing.add_document(
        session, procedure, pdf("alt"), title="Plan", kind=DocumentKind.PLAN_DRAWING, by=town.planner, now=NOW
    )
    document = documents_of(session, procedure.id or 0)[0][0]
    second = filing.add_document(
        session, procedure, pdf("neu", "b" * 64), title="Planzeichnung", kind=DocumentKind.PLAN_DRAWING,
        by=town.planner, now=NOW, document=document, note="Baugrenze verschoben",
    )  # fmt: skip
    ((kept, versions),) = documents_of(session, procedure.id or 0)
    assert kept.title == "Planzeichnung"
    assert [(version.number, version.text) for version in versions] == [(2, "neu"), (1, "alt")]
    assert newest_version(session, kept).id == second.id
    found = filing.document_version(session, town.id, first.document_id, 1)
    assert found is not None
    assert (found[0].id, found[1].id, found[2].sha256) == (procedure.id, document.id, "a" * 64)
    other = cast.found(session, "seebach", "Seebach")
    assert filing.document_version(session, other.id, first.document_id, 1) is None
    assert filing.document_version(session, town.id, first.document_id, 3) is None


def test_a_withdrawn_document_leaves_the_list_of_the_next_version_only(
    session: Session, town: cast.Town
) -> None:
    procedure = town.procedure
    version = filing.add_document(
        session,
        procedure,
        pdf(),
        title="Gutachten",
        kind=DocumentKind.EXPERT_REPORT,
        by=town.planner,
        now=NOW,
    )
    ((document, _),) = documents_of(session, procedure.id or 0)
    with pytest.raises(Refusal) as refused:
        filing.withdraw_document(session, procedure, document, by=town.planner, now=NOW, note="")
    assert refused.value.code is Code.REASON_REQUIRED
    filing.withdraw_document(session, procedure, document, by=town.planner, now=NOW, note="Überholt")
    now, before, _ = publishing.versions_of(session, procedure.id or 0)
    assert [each["title"] for each in before.snapshot["documents"]] == ["Gutachten"]
    assert now.snapshot["documents"] == []
    assert filing.document_version(session, town.id, version.document_id, 1) is not None


# --- finding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["mühlbach", "MÜHLBACH", "Wohnung", "färbergasse bahnlinie", "bach", "BP-12", "mill", " "]
)
def test_the_public_finds_by_words_of_title_summary_place_and_key(
    session: Session, town: cast.Town, words: str
) -> None:
    town.procedure.translations = {"en": {"title": "Living at the mill brook"}}
    session.add(town.procedure)
    session.flush()
    assert [each.id for each in procedures.public(session, town.id, words=words)] == [town.procedure.id]


@pytest.mark.parametrize("words", ["Schwimmbad", "mühlbach schwimmbad", "_", "a" * 10_000])
def test_what_is_not_there_is_not_found(session: Session, town: cast.Town, words: str) -> None:
    assert procedures.public(session, town.id, words=words) == []


@pytest.mark.parametrize("words", ["%", "!?", "\x00"])
def test_what_is_no_word_narrows_nothing(session: Session, town: cast.Town, words: str) -> None:
    assert procedures.public(session, town.id, words=words) == [town.procedure]


def test_the_public_sees_no_drafts_no_other_town_and_the_newest_first(
    session: Session, town: cast.Town
) -> None:
    cast.found(session, "seebach", "Seebach")
    draft(session, town)
    later = draft(session, town, key="BP-14", title="Später", district="Nord")
    publishing.publish(session, later, by=town.planner, now=NOW + timedelta(days=1))
    given_up = draft(session, town, key="BP-15", title="Aufgegeben")
    publishing.publish(session, given_up, by=town.planner, now=NOW + timedelta(days=2))
    publishing.withdraw(session, given_up, by=town.planner, now=NOW, note="Kein Geld")
    assert [each.title for each in procedures.public(session, town.id)] == [
        "Aufgegeben", "Später", "Wohnen am Mühlbach",
    ]  # fmt: skip
    assert [each.title for each in procedures.public(session, town.id, district="Nord")] == ["Später"]
    assert [each.title for each in procedures.public(session, town.id, limit=1)] == ["Aufgegeben"]
    assert len(procedures.for_staff(session, town.id)) == 4


def test_an_address_belongs_to_one_town(session: Session, town: cast.Town) -> None:
    other = cast.found(session, "seebach", "Seebach")
    assert procedures.by_slug(session, town.id, "wohnen-am-muehlbach") == town.procedure
    assert procedures.by_slug(session, other.id, "wohnen-am-muehlbach") == other.procedure
    assert procedures.by_id(session, other.id, town.procedure.id or 0) is None


def test_a_text_without_translation_is_the_original(town: cast.Town) -> None:
    town.procedure.translations = {"en": {"title": "Living at the brook", "summary": ""}}
    assert procedures.localised(town.procedure, "en", "title") == "Living at the brook"
    assert procedures.localised(town.procedure, "en", "summary") == town.procedure.summary
    assert procedures.localised(town.procedure, "de", "title") == "Wohnen am Mühlbach"


# --- which phase -------------------------------------------------------------------------------------

TODAY = date(2027, 2, 16)


def phase(begins: int | None, ends: int | None, *opens: Opens, kind: PhaseKind = PhaseKind.EARLY) -> Phase:
    """A phase by days from today, both inclusive."""
    return Phase(
        procedure_id=1,
        kind=kind.value,
        starts_on=None if begins is None else TODAY + timedelta(days=begins),
        ends_on=None if ends is None else TODAY + timedelta(days=ends),
        opens=[way.value for way in opens],
    )


PAST, OPEN, COMING = (-30, -1), (-5, 5), (1, 9)
WEIGHING = phase(*OPEN, kind=PhaseKind.WEIGHING)


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ((phase(*PAST, Opens.STATEMENT), WEIGHING, phase(*OPEN, Opens.PROPOSAL)), 2),
        ((phase(*PAST, Opens.STATEMENT), WEIGHING, phase(*COMING, Opens.STATEMENT)), 1),
        ((phase(*PAST), phase(20, 30), phase(*COMING), phase(None, None)), 2),
        ((phase(-60, -50), phase(*PAST), phase(None, None)), 1),
        ((phase(None, None), phase(None, None)), 0),
        ((), None),
    ],
)
def test_the_phase_to_speak_of(phases: Sequence[Phase], expected: int | None) -> None:
    found = current_phase(phases, NOW)
    assert found is (None if expected is None else phases[expected])


@pytest.mark.parametrize(
    ("phases", "opens", "expected"),
    [
        ((phase(*PAST, Opens.STATEMENT), phase(*OPEN, Opens.STATEMENT)), Opens.STATEMENT, 1),
        ((phase(-60, -50, Opens.STATEMENT), phase(*PAST, Opens.STATEMENT)), Opens.STATEMENT, 1),
        ((phase(*PAST, Opens.PROPOSAL),), Opens.PROPOSAL, None),
        ((phase(*COMING, Opens.STATEMENT),), Opens.STATEMENT, None),
        ((phase(*OPEN, Opens.COMMENT),), Opens.STATEMENT, None),
    ],
)
def test_a_late_statement_still_has_its_phase(
    phases: Sequence[Phase], opens: Opens, expected: int | None
) -> None:
    found = phase_for(phases, opens, NOW)
    assert found is (None if expected is None else phases[expected])


@pytest.mark.parametrize(
    ("moment", "state", "left", "in_time"),
    [
        (datetime(2027, 1, 31, 22, 59, 59, tzinfo=UTC), PhaseState.COMING, 30, True),
        (datetime(2027, 1, 31, 23, 0, tzinfo=UTC), PhaseState.OPEN, 29, True),
        (datetime(2027, 3, 2, 22, 59, 59, tzinfo=UTC), PhaseState.OPEN, 0, True),
        (datetime(2027, 3, 2, 23, 0, tzinfo=UTC), PhaseState.OVER, -1, False),
    ],
)
def test_a_phase_ends_at_midnight_where_the_town_is(
    session: Session, town: cast.Town, moment: datetime, state: PhaseState, left: int, in_time: bool
) -> None:
    publication = phases_of(session, town.procedure.id or 0)[0]
    assert (publication.state(moment), publication.days_left(moment)) == (state, left)
    assert publication.is_in_time(moment) is in_time


def test_a_later_end_by_law_counts(town: cast.Town) -> None:
    shifted = phase(-30, 0, Opens.STATEMENT)
    shifted.effective_end = TODAY + timedelta(days=1)
    tomorrow = NOW + timedelta(days=1)
    assert (shifted.state(tomorrow), shifted.days_left(tomorrow)) == (PhaseState.OPEN, 0)
    assert shifted.is_in_time(tomorrow)


def test_phases_of_many_are_read_at_once(session: Session, town: cast.Town) -> None:
    other = draft(session, town)
    found = phases_of_all(session, [town.procedure.id or 0, other.id or 0])
    assert {key: [each.kind for each in phases] for key, phases in found.items()} == {
        town.procedure.id: ["publication", "weighing"],
        other.id: ["publication", "weighing"],
    }
    assert phases_of_all(session, []) == {}


# --- who may not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["clerk", "moderator", "administrator", "public", "stranger", "colleague"])
def test_nobody_but_a_planner_of_the_town_may(session: Session, town: cast.Town, who: str) -> None:
    elsewhere = draft(session, town, key="BP-20", title="Anderswo")
    by = {
        "public": PUBLIC,
        "stranger": cast.found(session, "seebach", "Seebach").planner,
        "colleague": cast.employ(session, town.municipality, Role.PLANNER, "Pit", procedure_id=elsewhere.id),
    }.get(who) or getattr(town, who)
    procedure, entered = town.procedure, as_entered(session, town.procedure)
    filing.add_document(
        session, procedure, pdf(), title="x", kind=DocumentKind.OTHER, by=town.planner, now=NOW
    )
    document = documents_of(session, procedure.id or 0)[0][0]
    located = read_geojson_geometry(SQUARE)
    attempts = [
        lambda: procedures.change(session, procedure, entered, by=by, now=NOW, note="x"),
        lambda: publishing.publish(session, procedure, by=by, now=NOW),
        lambda: publishing.conclude(session, procedure, by=by, now=NOW, note="x"),
        lambda: publishing.withdraw(session, procedure, by=by, now=NOW, note="x"),
        lambda: procedures.set_plan_area(session, procedure, located, by=by, now=NOW),
        lambda: filing.add_document(
            session, procedure, pdf(), title="x", kind=DocumentKind.OTHER, by=by, now=NOW
        ),
        lambda: filing.withdraw_document(session, procedure, document, by=by, now=NOW, note="x"),
        lambda: procedures.create(
            session,
            cast.consultation(key="Y", title="Y"),
            municipality_id=town.id,
            template_key="development_plan",
            by=by,
            now=NOW,
        ),
    ]
    before = journal.revision(session, town.id)
    for attempt in attempts:
        with pytest.raises(Refusal) as refused:
            attempt()
        assert refused.value.code is Code.NOT_ALLOWED
    assert journal.revision(session, town.id) == before


# --- nesting ---------------------------------------------------------------------------------------


def put_under(
    session: Session, town: cast.Town, part: Procedure, whole: Procedure | None, note: str = "Gehört dazu"
) -> None:
    entered = replace(procedures.as_it_stands(part), part_of_id=whole.id if whole else None)
    procedures.change(session, part, entered, by=town.planner, now=NOW, note=note)


def test_consultations_nest_three_deep_and_never_in_a_circle_or_across_towns(
    session: Session, town: cast.Town
) -> None:
    area, project, part, fourth = (draft(session, town, key=f"N-{n}", title=f"Teil {n}") for n in range(4))
    put_under(session, town, part, project)
    put_under(session, town, project, area)
    elsewhere = cast.found(session, "birkstein", "Birkstein")
    stranger = cast.employ(session, town.municipality, Role.PLANNER, "Nur-Vier", procedure_id=fourth.id)
    for one, under, code in (
        (area, area.id, Code.NESTED_IN_CIRCLE),
        (area, part.id, Code.NESTED_IN_CIRCLE),
        (project, part.id, Code.NESTED_IN_CIRCLE),
        (fourth, part.id, Code.NESTED_TOO_DEEP),
        (area, fourth.id, Code.NESTED_TOO_DEEP),
        (fourth, elsewhere.procedure.id, Code.NESTED_ELSEWHERE),
        (fourth, 2**31 - 1, Code.NESTED_ELSEWHERE),
    ):
        entered = replace(procedures.as_it_stands(one), part_of_id=under)
        with pytest.raises(Refusal) as refused:
            procedures.change(session, one, entered, by=town.planner, now=NOW)
        assert (refused.value.code, refused.value.field) == (code, "part_of"), (one.title, under)
    entered = replace(procedures.as_it_stands(fourth), part_of_id=area.id)
    with pytest.raises(Refusal) as refused:  # nobody hangs theirs on a page that they do not plan
        procedures.change(session, fourth, entered, by=stranger, now=NOW)
    assert refused.value.code is Code.NOT_ALLOWED
    titles = [row.title for row in nesting.possible_parents(session, fourth, town.planner)]
    assert titles == ["Teil 0", "Teil 1", town.procedure.title]
    assert nesting.possible_parents(session, fourth, stranger) == []


def test_what_is_a_part_is_kept_as_a_version_and_stands_when_the_whole_is_gone(
    session: Session, town: cast.Town
) -> None:
    area, project = (draft(session, town, key=f"N-{n}", title=f"Teil {n}") for n in range(2))
    part = town.procedure
    put_under(session, town, project, area)
    put_under(session, town, part, project)
    newest = publishing.versions_of(session, part.id or 0)[0]
    assert (newest.note, newest.snapshot["part_of"]) == ("Gehört dazu", ""), "a draft is nobody's to read"
    assert nesting.above(session, part) == []
    publishing.publish(session, project, by=town.planner, now=NOW)
    assert nesting.above(session, part) == [project]
    assert nesting.parts(session, area.id or 0) == [nesting.Part(project, 1), nesting.Part(part, 2)]
    publishing.publish(session, area, by=town.planner, now=NOW)
    assert nesting.above(session, part) == [area, project]
    put_under(session, town, part, area)
    assert publishing.versions_of(session, part.id or 0)[0].snapshot["part_of"] == "Teil 0 (N-0)"
    below = set(session.execute(nesting.with_parts(area.id or 0)).scalars())
    assert below == {area.id, project.id, part.id}
    publishing.withdraw(session, area, by=town.planner, now=NOW, note="Nichts daraus geworden")
    assert nesting.above(session, part) == [area], "given up, it is still to be read"
    put_under(session, town, part, None)
    assert (nesting.above(session, part), part.state) == ([], "published")


@given(wishes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=30))
def test_whatever_is_put_under_whatever_nothing_is_deeper_than_three_or_part_of_itself(
    wishes: list[tuple[int, int]],
) -> None:
    parents: dict[int, int] = {}
    for part, whole in wishes:
        if procedures.nesting_problem(parents, part, whole) is None:
            parents[part] = whole
    for one in range(1, 7):
        chain = [one]
        while chain[-1] in parents:
            chain.append(parents[chain[-1]])
            assert len(chain) <= procedures.MOST_LEVELS
