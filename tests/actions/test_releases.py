"""From a draft to a released phase on both databases: what is refused, what is kept, what stays locked."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from consultations import announcements, checks, evidence, filing, journal, procedures, publishing, releases
from consultations.announcement_text import Theme
from consultations.announcements import Announcement, Entered, Proof
from consultations.checks import Finding, Medium
from consultations.deadlines import PhaseState
from consultations.documents import DocumentKind, FileFacts
from consultations.files import FolderStore
from consultations.permissions import SYSTEM
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, phases_of
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from tests import cast
from tests.cast import Town

NOW = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
STARTS, ENDS = date(2027, 3, 1), date(2027, 4, 1)
ADDRESS = "https://mitreden.auenfurt.example/beteiligungen/am-anger"
PAPERS = {
    "Planzeichnung": DocumentKind.PLAN_DRAWING,
    "Begründung": DocumentKind.EXPLANATORY_REPORT,
    "Umweltbericht": DocumentKind.ENVIRONMENTAL_REPORT,
    "Stellungnahme Wasser": DocumentKind.ENVIRONMENTAL_STATEMENT,
}
PROOF = Proof("f" * 64, "amtsblatt.pdf", "application/pdf", 1000)


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


def planned(session: Session, town: Town, **facts: Any) -> tuple[Procedure, Phase]:
    """A public consultation with its papers and a formal phase that nobody has released."""
    place = {
        "place": "Rathaus",
        "address": "Marktplatz 1",
        "hours": "Mo bis Fr 8 bis 12 Uhr",
        "step_free": "ja",
    }
    phase = PhaseInput(
        PhaseKind.PUBLICATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.STATEMENT,), is_formal=True
    )
    entered = cast.consultation(
        key="BP-20", title="Am Anger", access_options=(place,), phases=(phase, PhaseInput(PhaseKind.WEIGHING)), **facts
    )  # fmt: skip
    procedure = procedures.create(
        session,
        entered,
        municipality_id=town.id,
        template_key="development_plan",
        by=town.planner,
        now=NOW,
    )
    for number, (title, kind) in enumerate(PAPERS.items()):
        file = FileFacts(f"{number:064x}", f"{number}.pdf", "application/pdf", 10, 1, f"Text zu {title}.")
        filing.add_document(session, procedure, file, title=title, kind=kind, by=town.planner, now=NOW)
    publishing.publish(session, procedure, by=town.planner, now=NOW)
    return procedure, phases_of(session, procedure.id or 0)[0]


def announce(session: Session, town: Town, procedure: Procedure, phase: Phase) -> Announcement:
    """A complete announcement, in gazette, internet and state portal."""
    papers = [document.id or 0 for document, _ in filing_documents(session, procedure)]
    entered = Entered(
        themes=(Theme("Wasser", "Hochwasser", frozenset(papers)),), portal="https://portal.example/1"
    )
    version = announcements.save(
        session, town.municipality, procedure, phase, entered, address=ADDRESS, by=town.planner, now=NOW
    )
    announcements.record_act(
        session, procedure, version, medium=Medium.GAZETTE, day=date(2027, 2, 9), issue="Nr. 5", proof=PROOF,
        by=town.planner, now=NOW,
    )  # fmt: skip
    announcements.put_online(session, procedure, version, by=town.planner, now=NOW)
    return version


def filing_documents(session: Session, procedure: Procedure) -> list[Any]:
    from consultations.documents import documents_of

    return list(documents_of(session, procedure.id or 0))


def look(session: Session, town: Town, procedure: Procedure, phase: Phase) -> tuple[Finding, ...]:
    situation = releases.situation(session, town.municipality, procedure, phase, address=ADDRESS, now=NOW)
    return checks.check(situation)


def release(
    session: Session, town: Town, procedure: Procedure, phase: Phase, **facts: Any
) -> releases.Release:
    known = {"address": ADDRESS, "by": town.planner, "now": NOW, **facts}
    return releases.release(session, town.municipality, procedure, phase, **known)


def test_a_formal_phase_opens_only_once_it_is_released(session: Session, town: Town) -> None:
    procedure, phase = planned(session, town)
    in_march = datetime(2027, 3, 10, 12, 0, tzinfo=UTC)
    assert phase.state(in_march) is PhaseState.COMING
    with pytest.raises(Refusal) as refused:
        town.hand_in(session, procedure=procedure, now=in_march)
    assert refused.value.code in (Code.PHASE_NOT_STARTED, Code.KIND_NOT_OPEN)

    with pytest.raises(Refusal) as refused:
        release(session, town, procedure, phase)
    assert refused.value.code is Code.NOT_READY
    assert refused.value.facts["missing"] == "announcement_missing"

    version = announce(session, town, procedure, phase)
    assert [finding.code for finding in look(session, town, procedure, phase)] == []
    row = release(session, town, procedure, phase)
    assert phase.state(in_march) is PhaseState.OPEN
    assert town.hand_in(session, procedure=procedure, now=in_march).is_late is False
    assert (row.starts_on, row.ends_on, row.effective_end) == (STARTS, ENDS, ENDS)
    assert row.announcement_id == version.id
    assert row.explanation["minimum_end"]["day"] == "2027-03-31"
    assert row.explanation["law_versions"] == ["BauGB 2023-07-07"]
    verbs = [entry.verb for entry in session.exec(select(journal.JournalEntry).where(journal.JournalEntry.procedure_id == procedure.id)).all()]  # fmt: skip
    assert {"announcement_saved", "publication_act_recorded", "phase_released"} <= set(verbs)
    with pytest.raises(Refusal) as refused:
        release(session, town, procedure, phase)
    assert refused.value.code is Code.NOTHING_TO_RELEASE


def test_a_warning_needs_a_reason_by_a_named_person_and_a_block_takes_none(
    session: Session, town: Town
) -> None:
    procedure, phase = planned(session, town)
    announce(session, town, procedure, phase)
    names = FileFacts("e" * 64, "e.pdf", "application/pdf", 10, 1, "Frau Huber wohnt in der Bachgasse 3.")
    filing.add_document(
        session, procedure, names, title="Gutachten", kind=DocumentKind.EXPERT_REPORT, by=town.planner, now=NOW
    )  # fmt: skip
    (finding,) = look(session, town, procedure, phase)
    assert finding.code == "personal_data"
    with pytest.raises(Refusal) as refused:
        release(session, town, procedure, phase)
    assert refused.value.facts["missing"] == "personal_data"
    for by, reason, code in (
        (SYSTEM, "Weil.", Code.NOT_ALLOWED),
        (town.clerk, "Weil.", Code.NOT_ALLOWED),
        (town.planner, "  ", Code.REASON_REQUIRED),
    ):
        with pytest.raises(Refusal) as refused:
            releases.waive(session, procedure, phase, finding, reason=reason, by=by, now=NOW)
        assert refused.value.code is code
    block = replace(finding, severity=checks.Severity.BLOCK)
    with pytest.raises(Refusal) as refused:
        releases.waive(session, procedure, phase, block, reason="Weil.", by=town.planner, now=NOW)
    assert refused.value.code is Code.BLOCK_STANDS
    releases.waive(
        session, procedure, phase, finding, reason="Gutachterin, kein Privatname.", by=town.planner, now=NOW
    )
    row = release(session, town, procedure, phase)
    assert [(each["code"], each["reason"], each["by"]) for each in row.findings] == [
        ("personal_data", "Gutachterin, kein Privatname.", "Paula")
    ]


def test_what_was_announced_cannot_be_taken_back_by_editing(session: Session, town: Town) -> None:
    procedure, phase = planned(session, town)
    announce(session, town, procedure, phase)
    release(session, town, procedure, phase)
    as_it_is = cast.consultation(
        key="BP-20", title="Am Anger", slug=procedure.slug, access_options=tuple(procedure.access_options), phases=()
    )  # fmt: skip
    moved = PhaseInput(
        PhaseKind.PUBLICATION, starts_on=STARTS, ends_on=date(2027, 3, 31), opens=(Opens.STATEMENT,),
        is_formal=True, id=phase.id,
    )  # fmt: skip
    for entered in (
        replace(as_it_is, access_options=()),
        replace(as_it_is, access_options=({**procedure.access_options[0], "place": "Bücherei"},)),
        replace(as_it_is, contact={}),
        replace(as_it_is, slug="anders"),
        replace(as_it_is, phases=(moved,)),
        replace(as_it_is, phases=(replace(moved, ends_on=ENDS, is_formal=False),)),
        replace(as_it_is, phases=(PhaseInput(PhaseKind.WEIGHING),)),
    ):
        with pytest.raises(Refusal) as refused, session.begin_nested():
            procedures.change(session, procedure, entered, by=town.planner, now=NOW, note="Geht das?")
        assert refused.value.code in (Code.PROMISED, Code.PHASE_IN_USE)
        session.refresh(procedure)
        session.refresh(phase)
    second = {"place": "Bücherei", "hours": "Di bis Sa 10 bis 18 Uhr", "step_free": "Aufzug"}
    more = replace(as_it_is, access_options=(*procedure.access_options, second), summary="Jetzt genauer.")
    procedures.change(session, procedure, more, by=town.planner, now=NOW, note="Ein zweiter Ort")
    same = replace(moved, ends_on=ENDS, note="Kommen Sie vorbei.")
    procedures.change(
        session, procedure, replace(more, phases=(same, PhaseInput(PhaseKind.WEIGHING))), by=town.planner, now=NOW, note="Wort"
    )  # fmt: skip
    assert [each.note for each in phases_of(session, procedure.id or 0)] == [
        "Kommen Sie vorbei.",
        "",
    ]


def test_an_extension_needs_a_new_announcement_and_a_new_release(session: Session, town: Town) -> None:
    procedure, phase = planned(session, town)
    announce(session, town, procedure, phase)
    release(session, town, procedure, phase)
    phase.ends_on = date(2027, 4, 16)  # what `periods.extend` does
    session.add(phase)
    with pytest.raises(Refusal) as refused:
        release(session, town, procedure, phase)
    assert refused.value.facts["missing"] == "announcement_outdated, customary_missing, internet_missing"[:21]
    announce(session, town, procedure, phase)
    assert release(session, town, procedure, phase).number == 2
    assert [row.ends_on for row in releases.releases_of(session, phase.id or 0)] == [date(2027, 4, 16), ENDS]


def test_versions_and_acts_are_never_changed(session: Session, town: Town) -> None:
    procedure, phase = planned(session, town)
    first = announce(session, town, procedure, phase)
    text = first.text
    second = announcements.save(
        session, town.municipality, procedure, phase, Entered(), address=ADDRESS, by=town.planner, now=NOW
    )
    assert (first.number, second.number, first.text) == (1, 2, text)
    assert "⟦FEHLT" in second.text
    # acts of the first version do not count for the second
    assert {"customary_missing", "internet_missing"} <= {each.code for each in look(session, town, procedure, phase)}  # fmt: skip
    gazette, _ = announcements.acts_of(session, phase.id or 0)
    with pytest.raises(Refusal) as refused:
        announcements.cancel_act(session, procedure, gazette, note=" ", by=town.planner, now=NOW)
    assert refused.value.code is Code.REASON_REQUIRED
    announcements.cancel_act(session, procedure, gazette, note="Falsche Ausgabe", by=town.planner, now=NOW)
    with pytest.raises(Refusal) as refused:
        announcements.cancel_act(session, procedure, gazette, note="Nochmal", by=town.planner, now=NOW)
    assert refused.value.code is Code.NOTHING_TO_UNDO
    assert [act.medium for act in announcements.acts_of(session, phase.id or 0)] == [Medium.INTERNET.value]
    with pytest.raises(Refusal) as refused:
        announcements.record_act(
            session, procedure, second, medium=Medium.GAZETTE, day=STARTS, by=town.planner, now=NOW
        )
    assert refused.value.code is Code.REFERENCE_REQUIRED
    board = announcements.record_act(
        session, procedure, second, medium=Medium.NOTICE_BOARD, day=date(2027, 2, 9), by=town.planner, now=NOW
    )
    proven = announcements.add_proof(session, procedure, board, PROOF, by=town.planner, now=NOW)
    assert [act.id for act in announcements.acts_of(session, phase.id or 0) if act.medium == "notice_board"] == [proven.id]  # fmt: skip


def test_an_announcement_is_public_from_its_day_on_and_not_after_it_was_taken_back(
    session: Session, town: Town
) -> None:
    procedure, phase = planned(session, town)
    version = announce(session, town, procedure, phase)
    assert announcements.public_of(session, procedure.id or 0, NOW) == [version]
    assert [each for each, _ in announcements.public_ones(session, town.id, NOW)] == [version]
    (online,) = (act for act in announcements.acts_of(session, phase.id or 0) if act.medium == "internet")
    announcements.cancel_act(session, procedure, online, note="Falsche Fassung", by=town.planner, now=NOW)
    assert announcements.public_of(session, procedure.id or 0, NOW) == []


def test_taking_over_is_for_the_console_only(session: Session, town: Town) -> None:
    procedure, phase = planned(session, town)
    with pytest.raises(Refusal) as refused:
        releases.adopt(session, procedure, phase, reason="Papier", by=town.planner, now=NOW)
    assert refused.value.code is Code.NOT_ALLOWED
    releases.adopt(session, procedure, phase, reason="Auf Papier begonnen", by=SYSTEM, now=NOW)
    assert phase.released_at == NOW


def test_proofs_are_held_against_the_store(session: Session, town: Town, tmp_path: Any) -> None:
    procedure, phase = planned(session, town)
    announce(session, town, procedure, phase)
    problems = {
        finding.subject: finding.problem for finding in evidence.examine(session, FolderStore(tmp_path))
    }
    acts = announcements.acts_of(session, phase.id or 0)
    assert problems[f"publication_act:{acts[0].id}"] == "file_missing"
    assert f"publication_act:{acts[1].id}" not in problems  # the text on this website is its own proof


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE announcement SET text = 'Bis gestern.'", "announcement_altered"),
        ("UPDATE publication_act SET day = '2027-01-09'", "publication_act_altered"),
        ("UPDATE publication_act SET sha256 = ''", "publication_act_altered"),
        ("DELETE FROM publication_act", "publication_act_missing"),
    ],
)
def test_verify_finds_announcements_that_were_made_others_by_hand(
    session: Session, town: Town, tmp_path: Path, tampering: str, found: str
) -> None:
    procedure, phase = planned(session, town)
    announce(session, town, procedure, phase)
    session.commit()
    store = FolderStore(tmp_path)
    told = {"announcement_altered", "publication_act_altered", "publication_act_missing"}
    assert not told & {each.problem for each in evidence.examine(session, store)}
    session.connection().execute(text(tampering))
    session.expire_all()
    assert found in {each.problem for each in evidence.examine(session, store)}
