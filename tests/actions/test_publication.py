"""What lies open: frozen, corrected lawfully, begun anew; probes; certificates; and what `verify` finds of tampering."""

import json
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from consultations import (
    availability,
    certificates,
    changes,
    corrections,
    evidence,
    filing,
    frozen,
    journal,
)
from consultations.availability import Span
from consultations.documents import Document, DocumentKind, FileFacts
from consultations.files import FolderStore
from consultations.frozen import Exit
from consultations.permissions import SYSTEM
from consultations.phases import Phase, phases_of
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from participation import certificate_view
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town

MINUTE = timedelta(minutes=1)


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


@pytest.fixture
def files(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")


def stored(files: FolderStore, words: str) -> FileFacts:
    kept = files.put(BytesIO(words.encode()))
    return FileFacts(kept.sha256, "begruendung.pdf", "application/pdf", kept.size, pages=3, text=words)


def add(session: Session, town: Town, file: FileFacts, title: str = "Begründung") -> Document:
    version = filing.add_document(
        session,
        town.procedure,
        file,
        title=title,
        kind=DocumentKind.EXPLANATORY_REPORT,
        by=town.planner,
        now=NOW,
    )
    return session.get_one(Document, version.document_id)


def first_phase(session: Session, town: Town) -> Phase:
    return phases_of(session, town.procedure.id or 0)[0]


def freeze(session: Session, town: Town, now: datetime = NOW) -> list[frozen.FrozenDocument]:
    return frozen.freeze(
        session, procedure=town.procedure, phase=first_phase(session, town), by=town.planner, now=now
    )


def refused(code: Code) -> "pytest.RaisesExc[Refusal]":
    return pytest.raises(Refusal, check=lambda refusal: refusal.code is code)


# --- frozen ----------------------------------------------------------------------------------------


def test_what_lies_open_can_neither_be_replaced_nor_taken_off_but_better_described(
    session: Session, town: Town, files: FolderStore
) -> None:
    document = add(session, town, stored(files, "eins"))
    assert [row.sha256 for row in freeze(session, town)] == [stored(files, "eins").sha256]
    assert freeze(session, town) == []  # again changes nothing
    with refused(Code.DOCUMENT_FROZEN) as refusal:
        filing.add_document(
            session,
            town.procedure,
            stored(files, "zwei"),
            title="Begründung",
            kind=DocumentKind.EXPLANATORY_REPORT,
            by=town.planner,
            now=NOW,
            document=document,
            note="neu",
        )
    assert refusal.value.facts["until"] == ENDS
    with refused(Code.DOCUMENT_FROZEN):
        filing.withdraw_document(session, town.procedure, document, by=town.planner, now=NOW, note="weg")
    filing.change_document(
        session,
        town.procedure,
        document,
        title="Begründung mit Umweltbericht",
        kind=DocumentKind.EXPLANATORY_REPORT,
        text="Besser zu lesen",
        by=town.planner,
        now=NOW,
        note="Titel verbessert",
    )
    (held,) = frozen.of_phase(session, first_phase(session, town).id or 0)
    assert (held.document.title, held.row.online_to) == ("Begründung mit Umweltbericht", None)


def test_after_the_effective_end_it_may_be_replaced_and_the_record_says_when(
    session: Session, town: Town, files: FolderStore
) -> None:
    document = add(session, town, stored(files, "eins"))
    freeze(session, town)
    last_moment = datetime(2027, 3, 2, 22, 59, 59, tzinfo=UTC)  # 23:59:59 in Berlin
    assert frozen.held(session, document.id or 0, last_moment)
    assert frozen.held(session, document.id or 0, last_moment + timedelta(seconds=1)) is None
    later = last_moment + timedelta(hours=1)
    filing.withdraw_document(session, town.procedure, document, by=town.planner, now=later, note="überholt")
    (held,) = frozen.of_phase(session, first_phase(session, town).id or 0)
    assert (held.row.online_to, held.row.left_by) == (later, Exit.WITHDRAWN.value)


def test_a_document_that_comes_while_the_phase_runs_is_frozen_from_then_on(
    session: Session, town: Town, files: FolderStore
) -> None:
    add(session, town, stored(files, "eins"))
    freeze(session, town, NOW - timedelta(days=20))
    late = add(session, town, stored(files, "spät"), title="Gutachten")
    rows = {
        each.row.document_id: each.row
        for each in frozen.of_phase(session, first_phase(session, town).id or 0)
    }
    assert rows[late.id or 0].online_from == NOW
    with refused(Code.DOCUMENT_FROZEN):
        filing.withdraw_document(session, town.procedure, late, by=town.planner, now=NOW, note="weg")


def test_only_planners_freeze_and_only_formal_phases_that_are_not_over(session: Session, town: Town) -> None:
    phases = phases_of(session, town.procedure.id or 0)
    with refused(Code.NOT_ALLOWED):
        frozen.freeze(session, procedure=town.procedure, phase=phases[0], by=town.clerk, now=NOW)
    with refused(Code.WRONG_STATE):
        frozen.freeze(session, procedure=town.procedure, phase=phases[1], by=town.planner, now=NOW)
    with refused(Code.WRONG_STATE):
        frozen.freeze(
            session, procedure=town.procedure, phase=phases[0], by=town.planner, now=NOW + timedelta(days=30)
        )


def test_what_was_not_frozen_at_its_release_is_frozen_while_it_runs(
    session: Session, town: Town, files: FolderStore
) -> None:
    assert not frozen.is_due(session, now=NOW)  # nothing lies open yet
    add(session, town, stored(files, "eins"))
    assert not frozen.is_due(session, now=NOW - timedelta(days=40))
    assert frozen.is_due(session, now=NOW)
    assert frozen.freeze_due(session, by=SYSTEM, now=NOW) == 1
    assert not frozen.is_due(session, now=NOW)


# --- the two lawful ways ---------------------------------------------------------------------------


def test_a_correction_stands_beside_what_lies_open_and_asks_for_an_announcement(
    session: Session, town: Town, files: FolderStore
) -> None:
    document = add(session, town, stored(files, "45 dB"))
    freeze(session, town)
    with refused(Code.REASON_REQUIRED):
        corrections.correct(
            session, town.procedure, document, stored(files, "49 dB"), note=" ", by=town.planner, now=NOW
        )
    made = corrections.correct(
        session,
        town.procedure,
        document,
        stored(files, "49 dB"),
        note="49, nicht 45 dB",
        by=town.planner,
        now=NOW,
    )
    first, second = frozen.of_phase(session, first_phase(session, town).id or 0)
    assert (first.row.online_to, second.row.corrects_id) == (None, first.row.id)
    held = frozen.held_versions(session, town.procedure.id or 0, NOW)
    assert held == {document.id: first.version.id}  # the old one stays first
    assert corrections.open_demands(session, town.procedure.id or 0) == [made]
    corrections.announced(session, made, announcement="Amtsblatt 7", by=town.planner, now=NOW)
    assert corrections.open_demands(session, town.procedure.id or 0) == []


def test_a_restart_counts_from_the_new_first_day_and_freezes_the_new_set(
    session: Session, town: Town, files: FolderStore
) -> None:
    document = add(session, town, stored(files, "eins"))
    freeze(session, town)
    phase = first_phase(session, town)
    facts = {
        "note": "Neues Lärmgutachten",
        "by": town.planner,
        "now": NOW,
        "document": document,
        "file": stored(files, "zwei"),
    }
    with refused(Code.RESTART_TOO_EARLY):
        corrections.restart(
            session,
            town.procedure,
            phase,
            starts_on=date(2027, 2, 16),
            ends_on=date(2027, 4, 1),
            **facts,  # type: ignore[arg-type]
        )
    with refused(Code.PERIOD_TOO_SHORT) as refusal:
        corrections.restart(
            session,
            town.procedure,
            phase,
            starts_on=date(2027, 3, 1),
            ends_on=date(2027, 3, 30),
            **facts,  # type: ignore[arg-type]
        )
    assert refusal.value.facts["minimum"] == date(2027, 3, 31)
    made = corrections.restart(
        session,
        town.procedure,
        phase,
        starts_on=date(2027, 3, 1),
        ends_on=date(2027, 4, 3),  # a Saturday: statements are in time until Monday
        **facts,  # type: ignore[arg-type]
    )
    assert (made.earlier_start, made.earlier_end) == (STARTS, ENDS)
    assert (phase.starts_on, phase.ends_on, phase.effective_end) == (
        date(2027, 3, 1),
        date(2027, 4, 3),
        date(2027, 4, 5),
    )
    old, new = frozen.of_phase(session, phase.id or 0)
    assert (old.row.left_by, new.row.sha256) == (Exit.RESTARTED.value, stored(files, "zwei").sha256)
    # What was handed in before stays in time.
    assert not town.hand_in(session, now=NOW, by=town.clerk, channel="letter").is_late


def test_a_restart_can_leave_a_document_out(session: Session, town: Town, files: FolderStore) -> None:
    document = add(session, town, stored(files, "eins"))
    kept = add(session, town, stored(files, "zwei"), title="Plan")
    freeze(session, town)
    corrections.restart(
        session,
        town.procedure,
        first_phase(session, town),
        starts_on=date(2027, 3, 1),
        ends_on=date(2027, 3, 31),
        note="Das Gutachten gehörte nicht dazu",
        by=town.planner,
        now=NOW,
        document=document,
    )
    online = [
        each
        for each in frozen.of_phase(session, first_phase(session, town).id or 0)
        if not each.row.online_to
    ]
    assert [each.document.id for each in online] == [kept.id]
    assert document.is_withdrawn


# --- probes ----------------------------------------------------------------------------------------

BAVARIA = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})


def probe(session: Session, town: Town, problem: str, at: datetime, version_id: int | None = None) -> Span:
    phase = first_phase(session, town)
    return availability.record(
        session, town.procedure, phase_id=phase.id or 0, version_id=version_id, problem=problem, now=at
    )


def test_the_log_grows_with_what_happens_and_not_with_time(
    session: Session, town: Town, files: FolderStore
) -> None:
    add(session, town, stored(files, "eins"))
    begins = datetime(2027, 1, 31, 23, tzinfo=UTC)  # 00:00 of 1 February in Berlin
    frozen.freeze(
        session, procedure=town.procedure, phase=first_phase(session, town), by=SYSTEM, now=begins - MINUTE
    )
    for minute in range(0, 600, 5):
        probe(session, town, "unreachable" if 100 <= minute < 130 else "", begins + minute * MINUTE)
    for minute in range(700, 1000, 5):  # the server stood still for an hour and a half
        probe(session, town, "", begins + minute * MINUTE)
    spans = session.exec(select(Span).order_by(col(Span.id))).all()
    assert [(span.problem, span.probes) for span in spans] == [
        ("", 20),
        ("unreachable", 6),
        ("", 94),
        ("", 60),
    ]
    report = availability.report(session, first_phase(session, town), BAVARIA, now=begins + 1000 * MINUTE)
    assert report is not None
    (outage,) = report.outages
    assert (outage.begins, outage.minutes) == (begins + 100 * MINUTE, 30)
    (gap,) = report.unmeasured
    assert (gap.begins, gap.ends) == (begins + 595 * MINUTE, begins + 700 * MINUTE)
    assert report.action == "log_only"


def test_an_outage_is_told_once_when_a_second_probe_confirms_it(session: Session, town: Town) -> None:
    phase = first_phase(session, town)

    def told(at: datetime) -> int:
        return len(availability.alarm(session, town.procedure, phase.id or 0, now=at))

    probe(session, town, "status_500", NOW)
    assert told(NOW) == 0
    probe(session, town, "status_500", NOW + MINUTE)
    assert [told(NOW + MINUTE), told(NOW + MINUTE)] == [1, 0]
    probe(session, town, "", NOW + 2 * MINUTE)
    verbs = [entry.verb for entry in journal.about(session, f"phase:{phase.id}")]
    assert verbs == ["document_unreachable", "document_reachable"]


def test_an_hour_on_the_last_day_advises_an_extension_and_says_so_once(session: Session, town: Town) -> None:
    phase = first_phase(session, town)
    begins = datetime(2027, 3, 2, 10, tzinfo=UTC)
    for minute in range(0, 65, 5):
        probe(session, town, "unreachable", begins + minute * MINUTE)
    now = begins + 61 * MINUTE
    assert availability.advise_extension(session, town.procedure, phase, now=now)
    assert not availability.advise_extension(session, town.procedure, phase, now=now)
    (entry,) = journal.about(session, f"phase:{phase.id}")
    assert entry.facts["suggested_end"] == "2027-03-03"


# --- certificates ----------------------------------------------------------------------------------


def certify(session: Session, town: Town, now: datetime = NOW) -> certificates.Certificate:
    return certificates.issue(
        session, town.procedure, first_phase(session, town), by=town.planner, now=now, probe_minutes=5
    )


def test_a_certificate_says_what_was_on_record_and_goes_on_saying_it(
    session: Session, town: Town, files: FolderStore
) -> None:
    with refused(Code.WRONG_STATE):
        certify(session, town)  # nothing was frozen
    document = add(session, town, stored(files, "eins"))
    freeze(session, town, datetime(2027, 1, 31, 20, tzinfo=UTC))
    with refused(Code.NOT_ALLOWED):
        certificates.issue(session, town.procedure, first_phase(session, town), by=town.clerk, now=NOW)
    first = certify(session, town)
    after = datetime(2027, 3, 2, 23, tzinfo=UTC)
    second = certify(session, town, after)
    assert (first.is_final, second.is_final) == (False, True)
    content = certificates.content_of(second)
    (shown,) = content["documents"]
    assert (shown["sha256"], shown["whole_period"]) == (stored(files, "eins").sha256, True)
    assert content["computation"]["minimum_end"]["day"] == "2027-03-02"
    assert content["computation"]["engine_version"]
    assert content["phase"]["effective_end"] == "2027-03-02"
    assert content["availability"]["unmeasured_minutes"] == 30 * 24 * 60  # no probe ever ran
    assert json.loads(second.payload)["number"] == second.number
    assert certificates.verify(session, second).problems == ()
    filing.withdraw_document(session, town.procedure, document, by=town.planner, now=after, note="überholt")
    session.commit()
    assert certificates.verify(session, second).problems == ()


def test_a_certificate_says_that_the_period_was_extended_interrupted_and_ended_early(
    session: Session, town: Town, files: FolderStore
) -> None:
    add(session, town, stored(files, "eins"))
    freeze(session, town)
    phase, seat = first_phase(session, town), Seat.from_data(town.municipality.calendar)
    facts = {"by": town.planner, "now": NOW, "note": "Serverausfall"}

    def told() -> dict[str, Any]:
        return {**facts, "expected_version": town.procedure.version}

    changes.extend(session, town.procedure, phase, date(2027, 3, 16), seat=seat, **told())
    changes.interrupt(session, town.procedure, phase, **told())
    anew = changes.Dates(date(2027, 2, 16), date(2027, 3, 31))
    changes.resume(session, town.procedure, phase, anew, seat=seat, **told())
    changes.end_early(session, town.procedure, phase, **told())
    view = certificate_view.view(certify(session, town, NOW + timedelta(days=2)), "de")
    [period] = [each for each in view.sections if each.key == "period"]
    said = dict(period.facts)
    assert said["Verlängert; zuerst bekannt gemachter letzter Tag"] == "Dienstag, 2. März 2027"
    assert said["Unterbrochen am"] == said["Vorzeitig beendet am"] == "Dienstag, 16. Februar 2027"
    assert said["Neu begonnen am"] == "Dienstag, 16. Februar 2027"
    assert said["Bekannt gemachter letzter Tag davor"] == "Mittwoch, 31. März 2027"
    assert any(words.startswith("Rechtswidrig:") for words, _ in period.steps)


def test_a_number_is_found_however_it_is_typed(session: Session, town: Town, files: FolderStore) -> None:
    add(session, town, stored(files, "eins"))
    freeze(session, town)
    made, other = certify(session, town), certify(session, town)
    assert [each.number[:9] for each in (made, other)] == ["2027-0001", "2027-0002"]
    typed = [
        made.number,
        made.number.lower(),
        made.number.replace("-", " "),
        f" {made.number.replace('-', '')} ",
    ]
    for each in typed:
        assert certificates.by_number(session, town.id, each) == made
    swapped = made.number[:-4] + made.number[-4:][::-1]
    for wrong in (swapped, "", "2027", "x" * 500, other.number[:9] + made.number[9:]):
        assert certificates.by_number(session, town.id, wrong) is None


def test_a_certificate_of_a_restarted_period_is_genuine_and_says_that_the_dates_changed(
    session: Session, town: Town, files: FolderStore
) -> None:
    add(session, town, stored(files, "eins"))
    freeze(session, town)
    made = certify(session, town)
    corrections.restart(
        session,
        town.procedure,
        first_phase(session, town),
        starts_on=date(2027, 3, 1),
        ends_on=date(2027, 3, 31),
        note="Neubeginn",
        by=town.planner,
        now=NOW,
    )
    verified = certificates.verify(session, made)
    assert (verified.problems, verified.is_intact) == (("period_changed",), True)
    again = certificates.content_of(certify(session, town))
    assert again["corrections"][0]["earlier_end"] == "2027-03-02"
    assert [each["left_by"] for each in again["documents"]] == ["restarted", None]


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE certificate SET payload = replace(payload, 'Mühlbach', 'Bach')", "payload_altered"),
        ("UPDATE certificate SET number = '2027-0001-XXXX'", "seal_differs"),
        ("DELETE FROM certificate", "vanished"),
        ("UPDATE frozen_document SET sha256 = 'aa'", "frozen_altered"),
        ("UPDATE document_version SET sha256 = 'aa'", "frozen_altered"),
        ("DELETE FROM frozen_document", "vanished"),
    ],
)
def test_verify_finds_what_was_tampered_with(
    session: Session, town: Town, files: FolderStore, tampering: str, found: str
) -> None:
    add(session, town, stored(files, "eins"))
    freeze(session, town)
    certify(session, town)
    session.commit()
    assert list(evidence.examine(session, files)) == []
    session.connection().execute(text(tampering))
    session.commit()
    session.expire_all()
    assert found in {finding.problem for finding in evidence.examine(session, Unread(files))}


class Unread(FolderStore):
    """A store in which every name is a file, for hashes that are none."""

    def __init__(self, files: FolderStore) -> None:
        self._path = files._path

    def exists(self, sha256: str) -> bool:
        return True

    def verify(self, sha256: str) -> bool:
        return True


def test_verify_reads_the_files_of_layers_too(session: Session, town: Town, files: FolderStore) -> None:
    from consultations import places
    from consultations.places import Layer

    kept = files.put(BytesIO(b"layer"))
    layer = Layer(municipality_id=town.id, title="Plan", imported_at=NOW, original_sha256=kept.sha256)
    places.add_layer(session, layer, [], by=SYSTEM, now=NOW)
    session.commit()
    assert list(evidence.examine(session, files)) == []
    files.delete(kept.sha256)
    assert [(each.subject, each.problem) for each in evidence.examine(session, files)] == [
        (f"layer:{layer.id}/original", "file_missing")
    ]
