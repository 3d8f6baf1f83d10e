"""Contributions from other systems: what a table may look like, line by line, and nothing twice."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine
from sqlmodel import Session, select

from consultations import bulk, journal, moderation, procedures, publishing
from consultations.bulk import FieldMap, Report
from consultations.contributions import Contribution, Kind, PublicationState
from consultations.files import FolderStore
from consultations.permissions import SYSTEM
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.refusals import Code, Refusal
from participation import imports, jobs
from participation.database import unit_of_work
from participation.house import House
from participation.settings import Settings
from participation.static import StaticFiles
from tests import cast

RUNNING = datetime(2026, 2, 10, 12, tzinfo=UTC)
COLUMNS = {
    "source_id": "Nr",
    "title": "Titel",
    "text": "Text",
    "received": "Datum",
    "lon": "lon",
    "lat": "lat",
}
IDEAS = FieldMap(COLUMNS, kind=Kind.PROPOSAL, source="Altes Portal", publish=True, id_prefix="idee-")
REPLIES = FieldMap(
    {"source_id": "Nr", "parent": "zu", "text": "Text"},
    kind=Kind.COMMENT,
    id_prefix="antwort-",
    parent_prefix="idee-",
)


@pytest.fixture
def town(session: Session) -> cast.Town:
    town = cast.found(session)
    phase = PhaseInput(
        PhaseKind.CO_CREATION,
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 3, 1),
        opens=(Opens.PROPOSAL, Opens.COMMENT),
    )
    town.procedure = procedures.create(
        session,
        cast.consultation(key="RAD", title="Raddialog", phases=(phase,)),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=cast.NOW,
    )
    publishing.publish(session, town.procedure, by=town.planner, now=cast.NOW)
    return town


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def run(session: Session, town: cast.Town, path: Path, fields: FieldMap = IDEAS) -> Report:
    """Take a file in, after a rehearsal that has to foretell it line by line."""
    table = bulk.read_table(path, path.name)
    foretold = bulk.rehearse(session, table, fields, procedure=town.procedure, by=SYSTEM, now=cast.NOW)
    report = bulk.take_in(session, table, fields, procedure=town.procedure, by=SYSTEM, now=cast.NOW)
    assert told(foretold) == told(report)
    return report


def told(report: Report) -> list[tuple[object, ...]]:
    """What a report says of each line, but for the numbers that only a run gives."""
    return [
        (each.line, each.result, each.refusal and (each.refusal.code, each.refusal.field))
        for each in report.outcomes
    ]


def rows(session: Session) -> list[Contribution]:
    return list(session.exec(select(Contribution).order_by(Contribution.entry_number)).all())


GERMAN = 'Nr;Titel;Text;Datum;lon;lat\r\n1;Grüße;"Zwei\nZeilen; mit „Strichpunkt“";02.02.2026;10,7;48,3\r\n'


def test_a_german_spreadsheet_export_in_windows_1252(
    session: Session, town: cast.Town, tmp_path: Path
) -> None:
    path = write(tmp_path, "ideen.csv", GERMAN.encode("cp1252"))
    assert bulk.read_table(path, path.name).understood_as == "CSV, Windows-1252, semicolon"
    assert run(session, town, path).count("created") == 1
    (row,) = rows(session)
    assert (row.title, row.text) == ("Grüße", "Zwei\nZeilen; mit „Strichpunkt“")
    assert row.received_at == datetime(2026, 2, 2, 11, tzinfo=UTC)
    assert (row.lon, row.lat) == (10.7, 48.3)
    assert row.channel == "import"


def test_the_same_as_xlsx_and_geojson(session: Session, town: cast.Town, tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["Nr", "Titel", "Text", "Datum", "lon", "lat"])
    book.active.append([1, "Grüße", "Zwei\nZeilen", datetime(2026, 2, 2, 9, 30), 10.7, 48.3])
    book.save(tmp_path / "ideen.xlsx")
    assert run(session, town, tmp_path / "ideen.xlsx").count("created") == 1
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [10.71, 48.31]},
        "properties": {
            "Nr": "2\0\ud800",
            "Titel": "Zweite",
            "Text": "…",
            "Datum": "2026-02-03",
            "lon": None,
            "lat": None,
        },
    }
    path = write(tmp_path, "ideen.geojson", json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert run(session, town, path).count("created") == 1
    assert run(session, town, path).count("known") == 1
    first, second = rows(session)
    assert (first.text, first.received_at) == ("Zwei\nZeilen", datetime(2026, 2, 2, 8, 30, tzinfo=UTC))
    assert (second.title, second.lon, second.lat) == ("Zweite", 10.71, 48.31)


def test_a_rehearsal_finds_replies_to_its_own_lines_and_nobody_waits_for_it(
    engine: Engine, session: Session, town: cast.Town, tmp_path: Path
) -> None:
    path = write(tmp_path, "antworten.csv", "Nr,zu,Text\n1,,Ja?\n2,1,Ja!\n")
    replies = replace(REPLIES, parent_prefix=REPLIES.id_prefix)
    session.commit()
    with unit_of_work(engine, write=True) as writer:
        journal.hold(writer, town.id)
        with Session(engine) as other:
            report = bulk.rehearse(
                other,
                bulk.read_table(path, path.name),
                replies,
                procedure=town.procedure,
                by=SYSTEM,
                now=cast.NOW,
            )
    assert [each.result for each in report.outcomes] == ["created", "created"]
    assert rows(session) == []
    run(session, town, path, replies)
    idea, reply = rows(session)
    assert reply.parent_id == idea.id


def test_importing_twice_changes_nothing(session: Session, town: cast.Town, tmp_path: Path) -> None:
    path = write(tmp_path, "ideen.csv", GERMAN)
    assert run(session, town, path).count("created") == 1
    again = run(session, town, path)
    assert (again.count("known"), again.count("created")) == (1, 0)
    assert len(rows(session)) == 1


def test_what_was_public_is_public_and_the_decision_says_where_from(
    session: Session, town: cast.Town, tmp_path: Path
) -> None:
    run(session, town, write(tmp_path, "ideen.csv", GERMAN))
    (row,) = rows(session)
    assert row.publication == PublicationState.PUBLISHED.value
    (decision,) = moderation.history(session, row.id or 0)
    assert decision.explanation == "Altes Portal"


def test_replies_find_what_they_answer_or_say_what_is_missing(
    session: Session, town: cast.Town, tmp_path: Path
) -> None:
    run(session, town, write(tmp_path, "ideen.csv", GERMAN))
    report = run(
        session, town, write(tmp_path, "antworten.csv", "Nr,zu,Text\n1,1,Ja!\n2,99,Nein!\n"), REPLIES
    )
    assert [(each.line, each.result) for each in report.outcomes] == [(2, "created"), (3, "refused")]
    (refused,) = report.refused
    assert refused.refusal is not None
    assert refused.refusal.code is Code.PARENT_UNKNOWN
    idea, reply = rows(session)
    assert reply.parent_id == idea.id
    assert reply.publication == PublicationState.PENDING.value


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        ("1;;;02.02.2026;;", Code.EMPTY_CONTRIBUTION, "text"),
        (";Titel;Text;;;", Code.SOURCE_ID_MISSING, "source_id"),
        ("1;Titel;Text;31.02.2026;;", Code.DATE_IMPOSSIBLE, "received"),
        ("1;Titel;Text;02.02.2099;;", Code.RECEIVED_IN_FUTURE, "received_at"),
        ("1;Titel;Text;;48,3;10,7", Code.LOCATION_INVALID, "location"),
        ("1;Titel;Text;;2.35;48.85", Code.LOCATION_INVALID, "location"),
        ("1;Titel;Text;;hier;dort", Code.LOCATION_INVALID, "location"),
        (f"1;{'x' * 301};Text;;;", Code.TEXT_TOO_LONG, "title"),
    ],
)
def test_a_bad_line_is_refused_with_its_field_and_the_others_stand(
    session: Session, town: cast.Town, tmp_path: Path, line: str, code: Code, field: str
) -> None:
    content = f"Nr;Titel;Text;Datum;lon;lat\n{line}\n7;Gut;Auch gut;02.02.2026;10,7;48,3\n"
    report = run(session, town, write(tmp_path, "ideen.csv", content))
    (refused,) = report.refused
    assert refused.refusal is not None
    assert (refused.line, refused.refusal.code, refused.refusal.field) == (2, code, field)
    (row,) = rows(session)
    assert (row.title, row.entry_number) == ("Gut", 1), "a refused line takes no number"


@pytest.mark.parametrize(
    ("name", "content", "code", "facts"),
    [
        ("kaputt.xlsx", b"PK\x03\x04 nothing", Code.TABLE_BROKEN, {"filename": "kaputt.xlsx"}),
        ("kein.xlsx", b"Name;Ort\nAmt;Au\n", Code.TABLE_BROKEN, {"filename": "kein.xlsx"}),
        ("nullen.csv", b"Nr,Text\n1,a\x00b\n", Code.TABLE_BROKEN, {"filename": "nullen.csv"}),
        ("kaputt.geojson", b"{", Code.TABLE_UNREADABLE, {"filename": "kaputt.geojson"}),
        (
            "kaputt.geojson",
            b'{"type": "FeatureCollection"}',
            Code.TABLE_BROKEN,
            {"filename": "kaputt.geojson"},
        ),
        (
            "schief.csv",
            b"Nr,Text\n1,a\n1,a,b\n",
            Code.TABLE_LINE_WRONG,
            {"line": 3, "found": 3, "expected": 2},
        ),
        ("kurz.csv", b"Nr;Text;Ort\n1;a\n", Code.TABLE_LINE_WRONG, {"line": 2, "found": 2, "expected": 3}),
        ("offen.csv", b'Nr,Text\n1,"nie zu Ende\n', Code.TABLE_UNREADABLE, {"filename": "offen.csv"}),
        ("doppelt.csv", b"Name;Ort;Name\na;b;c\n", Code.TABLE_COLUMN_DOUBLED, {"name": "Name"}),
        # 0x81 is in no letter of Windows-1252, and alone no UTF-8.
        ("fremd.csv", b"Name\nAmt\n\x81mt\n", Code.TABLE_NOT_TEXT, {"filename": "fremd.csv", "line": 3}),
        ("lang.csv", b"Name\n" + b"Amt\n" * 100_000, Code.TABLE_TOO_LONG, {"limit": 50}),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(
    tmp_path: Path, name: str, content: bytes, code: Code, facts: dict[str, object]
) -> None:
    with pytest.raises(Refusal) as refused:
        bulk.read_table(write(tmp_path, name, content), name, limit=50)
    assert refused.value.code is code
    assert {key: refused.value.facts[key] for key in facts} == facts


def test_a_mapping_that_does_not_fit_says_why(session: Session, town: cast.Town, tmp_path: Path) -> None:
    path = write(tmp_path, "ideen.csv", "Nummer,Text\n1,Hallo\n")
    with pytest.raises(Refusal) as refused:
        run(session, town, path)
    assert "Nr" in str(refused.value.facts["problem"])
    for content in (
        "columns = 3",
        "[columns]\nfoo = 'x'",
        "[columns]\ntext = 'Text'",
        "[columns",
        "kind = 'letter'",
    ):
        with pytest.raises(Refusal) as refused:
            bulk.read_mapping(write(tmp_path, "m.toml", content))
        assert refused.value.code is Code.MAPPING_INVALID


def test_the_example_mappings_can_be_read() -> None:
    for path in sorted(Path("docs/examples").glob("*.toml")):
        assert "source_id" in bulk.read_mapping(path).columns


def test_between_the_parts_of_an_import_others_hand_in_and_an_interrupted_one_goes_on(
    engine: Engine, session: Session, town: cast.Town, tmp_path: Path
) -> None:
    lines = "".join(
        f"{number};Idee {number};Text;02.02.2026;10,7;48,3\n" for number in range(1, 2 * bulk.PART + 6)
    )
    path = write(tmp_path, "ideen.csv", f"Nr;Titel;Text;Datum;lon;lat\n{lines}")
    mapping = "kind = 'proposal'\nsource = 'Altes Portal'\npublish = true\n[columns]\n" + "".join(
        f"{name} = '{column}'\n" for name, column in COLUMNS.items()
    )
    settings = Settings(data_dir=tmp_path, in_process_worker=False)
    house = House(
        settings, engine, FolderStore(tmp_path / "files"), StaticFiles(tmp_path / "none"), lambda: cast.NOW
    )
    session.commit()
    with unit_of_work(engine, write=True) as writer:
        procedure = writer.merge(town.procedure)
        imports.leave_job(
            writer,
            house.files,
            path,
            path.name,
            mapping,
            procedure=procedure,
            by=SYSTEM,
            now=cast.NOW,
            in_parts=True,
        )

    class Stopped(Exception):
        """What a process that is stopped does not live to say."""

    class Progress(dict[int, int]):
        """Hands a statement in after the first part, in the same thread: if the import still held SQLite's only
        writer, it would wait for itself; then, after the second part, the process ends."""

        def __setitem__(self, job_id: int, per_cent: int) -> None:
            if per_cent > 60:
                raise Stopped
            with unit_of_work(engine, write=True, brief=True, town=town.id) as citizen:
                town.procedure = citizen.merge(town.procedure)
                town.hand_in(citizen, "Noch ein Baum", kind=Kind.PROPOSAL, title="Dazwischen", now=RUNNING)

    house.progress = Progress()
    with Session(engine) as reader:
        job = reader.exec(select(jobs.Job)).one()
    with pytest.raises(Stopped):
        imports.take_in(house, job)
    expected = [f"Idee {number}" for number in range(1, bulk.PART + 1)]
    expected += ["Dazwischen", *(f"Idee {number}" for number in range(bulk.PART + 1, 2 * bulk.PART + 1))]
    session.rollback()  # it still sees what was there when it last looked
    assert [row.title for row in rows(session)] == expected

    house.progress = {}
    done = imports.take_in(house, job)
    assert done["counts"] == {"created": 5, "known": 2 * bulk.PART, "left_out": 0, "refused": 0}
    assert done["imported"]
    session.rollback()
    titles = [row.title for row in rows(session)]
    assert titles == [
        *expected,
        *(f"Idee {number}" for number in range(2 * bulk.PART + 1, 2 * bulk.PART + 6)),
    ]
    assert [row.entry_number for row in rows(session)] == list(range(1, len(titles) + 1))
    assert list(journal.verify(session)) == []
