"""`digilog verify`: whatever was altered or lost afterwards is named."""

import functools
import io
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, text
from sqlmodel import Session, col
from typer.testing import CliRunner

from consultations import contributions, evidence, journal, moderation
from consultations.contributions import AttachedFile
from consultations.deadlines import LEGAL_TIME
from consultations.files import FolderStore
from consultations.journal import JournalEntry
from consultations.moderation import Action, Decision, Reason
from consultations.people import PersonInput
from consultations.permissions import SYSTEM
from participation import process
from participation.__main__ import app as program
from participation.database import unit_of_work
from tests import cast
from tests.cast import NOW


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")


@pytest.fixture
def town(session: Session, store: FolderStore) -> cast.Town:
    town = cast.found(session)
    kept = store.put(io.BytesIO(b"Ein Foto"))
    town.hand_in(
        session,
        "Mit Anhang",
        person=PersonInput(name="Rosa Beispiel", street="Weg 1"),
        attachments=(AttachedFile(kept.sha256, "foto.txt", "text/plain", kept.size),),
    )
    row = town.hand_in(session, "Frau Huber parkt falsch", wants_publication=True)
    redacted = Decision(Action.REDACT, Reason.THIRD_PARTY, text="█ parkt falsch")
    moderation.decide(session, row, redacted, by=town.moderator, now=cast.NOW)
    session.commit()
    return town


def findings(session: Session, store: FolderStore) -> list[str]:
    return [
        f"{finding.subject.partition(':')[0]}: {finding.problem}"
        for finding in evidence.examine(session, store)
    ]


def test_untouched_evidence_is_clean(session: Session, store: FolderStore, town: cast.Town) -> None:
    assert findings(session, store) == []
    assert evidence.extent(session).contributions == 2


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE contribution SET text = 'Ganz anders' WHERE entry_number = 1", ["contribution: content_altered"]),
        ("UPDATE person SET name = 'Andere' WHERE street = 'Weg 1'", ["contribution: content_altered"]),
        ("UPDATE attachment SET filename = 'anders.txt'", ["contribution: content_altered"]),
        ("UPDATE receipt SET payload_sha256 = 'x' WHERE contribution_id = 2",
         ["contribution: receipt_altered", "contribution: content_altered"]),
        ("DELETE FROM receipt WHERE contribution_id = 2", ["contribution: receipt_missing"]),
        ("UPDATE contribution SET is_late = NOT is_late WHERE id = 1", ["contribution: lateness_altered"]),
        ("UPDATE contribution SET phase_id = NULL WHERE id = 1", ["contribution: content_altered"]),
        ("UPDATE redaction SET text = 'Frau Huber parkt falsch'", ["contribution: decision_altered"]),
        ("UPDATE moderation_decision SET reason = 'insult'", ["contribution: decision_altered"]),
        ("DELETE FROM moderation_decision", ["contribution: decision_missing"]),
        ("UPDATE contribution SET publication = 'withheld' WHERE id = 2", ["contribution: publication_altered"]),
        # The public reads again what was blacked out.
        ("UPDATE contribution SET redaction_id = NULL WHERE id = 2", ["contribution: version_shown_altered"]),
    ],
)  # fmt: skip
def test_altered_rows_are_named(
    session: Session, store: FolderStore, town: cast.Town, change: str, found: list[str]
) -> None:
    session.execute(text(change))
    session.commit()
    assert findings(session, store) == found


def test_a_letter_sealed_with_its_day_by_the_clock_on_the_wall_is_untouched(
    session: Session, store: FolderStore, town: cast.Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seals of before ebb351d: the same moment, spelled in another zone."""
    with monkeypatch.context() as before:
        local = functools.partial(contributions.payload_sha256, zone=LEGAL_TIME)
        before.setattr(contributions, "payload_sha256", local)
        letter = town.hand_in(session, "Ein Brief", channel="letter", by=town.clerk)
    session.commit()
    assert findings(session, store) == []
    letter.received_at -= timedelta(hours=1)
    session.add(letter)
    session.commit()
    assert findings(session, store) == ["contribution: content_altered"]


def test_another_file_in_the_place_of_a_public_copy_is_named(
    session: Session, store: FolderStore, town: cast.Town
) -> None:
    """What everybody sees of a picture is a copy of it: no receipt has its hash."""
    kept, copy, private = (
        store.put(io.BytesIO(each)) for each in (b"Foto", b"Kopie", b"Brief eines anderen")
    )
    file = AttachedFile(
        kept.sha256,
        "foto.jpg",
        "image/jpeg",
        kept.size,
        public_sha256=copy.sha256,
        public_media_type="image/jpeg",
    )
    row = town.hand_in(session, "Mit Bild", wants_publication=True, attachments=(file,))
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    session.commit()
    assert findings(session, store) == []
    session.connection().execute(
        text("UPDATE attachment SET public_sha256 = :other WHERE public_sha256 != ''"),
        {"other": private.sha256},
    )
    session.commit()
    assert findings(session, store) == ["contribution: public_copy_altered"]


def test_a_vanished_contribution_is_named(session: Session, store: FolderStore, town: cast.Town) -> None:
    for table in ("moderation_decision", "redaction", "search_entry", "receipt", "contribution"):
        column = "id" if table == "contribution" else "contribution_id"
        session.execute(text(f"DELETE FROM {table} WHERE {column} = 2"))
    session.commit()
    assert findings(session, store) == ["contribution: vanished"]


def test_a_lost_and_an_altered_file_are_named(session: Session, store: FolderStore, town: cast.Town) -> None:
    (sha256,) = store.hashes()
    place = next(path for path in (Path(store._place(sha256)),))
    place.chmod(0o644)
    place.write_bytes(b"Ein anderes Foto")
    assert findings(session, store) == ["attachment: file_altered"]
    place.unlink()
    assert findings(session, store) == ["attachment: file_missing"]


def test_a_database_of_another_version_is_named_not_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIGILOG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DIGILOG_SECRET", "a secret that only the tests know, and long")
    for command in (
        ["verify"],
        ["availability"],
        ["staff", "a@b.example", "--role", "operator"],
        ["serve", "--port", "1", "--workers", "2"],
    ):
        answer = CliRunner().invoke(program, command)
        assert (answer.exit_code, "DIGILOG_DATABASE_URL)" in answer.output) == (2, True), command
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as end:
        process.main("127.0.0.1", 1, workers=1)
    assert (end.value.code, "DIGILOG_DATABASE_URL)" in capsys.readouterr().err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_an_anchor_shows_what_the_chain_alone_cannot(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last entry removed, and the whole chain made anew: both are in order in themselves."""
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
    monkeypatch.setenv("DIGILOG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("DIGILOG_DATA_DIR", str(tmp_path))
    anchor = tmp_path / "elsewhere" / "anchor.txt"
    anchor.parent.mkdir()

    def verify() -> tuple[int, str]:
        answer = CliRunner().invoke(program, ["verify", "--anchor", str(anchor)])
        return answer.exit_code, answer.output

    assert verify()[0] == 0
    assert verify()[0] == 0
    assert len(anchor.read_text().splitlines()) == 2
    with unit_of_work(engine, write=True) as session:
        head = journal.heads(session)[0]
        session.execute(delete(JournalEntry).where(col(JournalEntry.sequence) == head.sequence))
    code, said = verify()
    assert code == 1
    assert f"journal:{town.id}/{head.sequence}: cut_off" in said
    with unit_of_work(engine, write=True) as session:
        journal.append(session, municipality_id=town.id, verb="something_else", by=SYSTEM, at=NOW)
        assert list(journal.verify(session)) == [], "the chain alone is in order again"
    code, said = verify()
    assert code == 1
    assert f"journal:{town.id}/{head.sequence}: rewritten" in said
    assert len(anchor.read_text().splitlines()) == 2, "what does not hold is not anchored"
    anchor.write_text("nonsense\n")
    code, said = verify()
    assert code == 2
    assert "line 1" in said
