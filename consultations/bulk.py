"""Contributions from other systems: tables and GeoJSON through the one door, line by line.

A mapping says which column is what. Each line is created, known already (by its source id) or refused with a reason, and
the caller commits or rolls back. A rehearsal only reads. A file comes in whole or in several parts (`parts`), each whole for
itself: a line that is known is passed over, so that whoever was interrupted begins again at the front and nothing is there
twice.
"""

import csv
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from sqlmodel import Session, col, select

from consultations import channels, contributions, moderation
from consultations.contributions import Contribution, Kind, PublicationState, Submission
from consultations.deadlines import LEGAL_TIME
from consultations.people import PersonInput
from consultations.permissions import Actor
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.text import without_controls
from geo.geometry import GeometryProblem, Located, from_lonlat, read_geojson_geometry

#: What a column can be.
COLUMNS = frozenset(
    {
        "source_id", "parent", "title", "text", "category", "pseudonym", "received", "written_on", "name", "email",
        "street", "postcode", "city", "organisation", "on_behalf_of", "place_words", "section", "lon", "lat",
    }
)  # fmt: skip

ROW_LIMIT = 200_000
#: Lines of a part: some tenths of a second of writing, so that who writes besides waits no longer than that.
PART = 25
#: Source ids that are looked up at once.
LOOKED_UP = 500


@dataclass(frozen=True)
class Line:
    """One line of a file: its number as a person counts (from 1, the head included), its values, its geometry."""

    number: int
    values: Mapping[str, str]
    geometry: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Table:
    """What was read of a file: its lines, and how it was understood (encoding, separator, sheet)."""

    lines: tuple[Line, ...]
    columns: tuple[str, ...]
    understood_as: str


@dataclass(frozen=True)
class FieldMap:
    """What the columns of a file are. `publish` says that it was public where it comes from."""

    columns: Mapping[str, str]
    kind: Kind = Kind.STATEMENT
    source: str = ""
    language: str = "de"
    wants_publication: bool = True
    publish: bool = False
    #: Put before the ids of this file and before the parents it names, so that two files do not clash.
    id_prefix: str = ""
    parent_prefix: str = ""
    #: Column and value of lines to leave out, such as answers of the moderators.
    leave_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one line: "created", "known", "left_out" or "refused"; a refusal says why."""

    line: int
    result: str
    reference: str = ""
    refusal: Refusal | None = None


@dataclass
class Report:
    """What came of a run, line by line, in the order of the file."""

    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, result: str) -> int:
        """How many lines came to this result."""
        return sum(outcome.result == result for outcome in self.outcomes)

    @property
    def refused(self) -> list[Outcome]:
        """The lines that were refused, each with its reason."""
        return [outcome for outcome in self.outcomes if outcome.result == "refused"]


# --- reading ---------------------------------------------------------------------------------------


def read_mapping(path: Path) -> FieldMap:
    """A mapping file (TOML). Raises Refusal MAPPING_INVALID with `problem` in words for the console."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        columns = {str(name): str(column) for name, column in given.pop("columns", {}).items()}
        unknown = set(columns) - COLUMNS
        if unknown or "source_id" not in columns:
            problem = f"unknown: {', '.join(sorted(unknown))}" if unknown else "source_id is missing"
            raise Refusal(Code.MAPPING_INVALID, filename=path.name, problem=problem)
        leave_out = {
            str(column): tuple(str(value) for value in values)
            for column, values in given.pop("leave_out", {}).items()
        }
        kind = Kind(given.pop("kind", Kind.STATEMENT.value))
        return FieldMap(columns=columns, kind=kind, leave_out=leave_out, **given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError, AttributeError) as problem:
        raise Refusal(Code.MAPPING_INVALID, filename=path.name, problem=str(problem)) from problem


def read_table(path: Path, filename: str, *, limit: int = ROW_LIMIT) -> Table:
    """A CSV, XLSX or GeoJSON file as lines of text values.

    CSV in UTF-8 (with or without byte order mark) or Windows-1252, separated by comma, semicolon or tab.
    Raises Refusal TABLE_TOO_LONG (more than `limit` lines: the rest is not even read), TABLE_BROKEN (no such file at all),
    TABLE_NOT_TEXT and TABLE_LINE_WRONG (with the `line`), TABLE_COLUMN_DOUBLED, TABLE_UNREADABLE (`problem`).
    """
    suffix = Path(filename).suffix.lower()
    try:
        if suffix in (".geojson", ".json"):
            return _read_geojson(path, limit)
        return _read_xlsx(path, limit) if suffix == ".xlsx" else _read_csv(path, filename, limit)
    except Refusal:
        raise
    except (BadZipFile, KeyError) as problem:  # KeyError: a ZIP file that is no workbook
        raise Refusal(Code.TABLE_BROKEN, "file", filename=filename) from problem
    except Exception as problem:
        # Spreadsheets are zip and XML files by others; whatever is wrong with one, it is the file that is refused.
        raise Refusal(Code.TABLE_UNREADABLE, filename=filename, problem=str(problem)[:200]) from problem


def _read_csv(path: Path, filename: str, limit: int) -> Table:
    octets = path.read_bytes()
    try:
        encoding, text = "UTF-8", octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding = "Windows-1252"
        try:
            text = octets.decode("cp1252", errors="strict")
        except UnicodeDecodeError as problem:
            line = octets.count(b"\n", 0, problem.start) + 1
            raise Refusal(Code.TABLE_NOT_TEXT, "file", filename=filename, line=line) from problem
    if "\0" in text:
        raise Refusal(Code.TABLE_BROKEN, "file", filename=filename)
    head = text.partition("\n")[0]
    separator = max(";,\t", key=head.count)
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=separator, strict=True)
    columns = tuple(name or "" for name in reader.fieldnames or ())
    _check_columns(columns)
    lines = []
    for row in reader:
        if None in row or any(value is None for value in row.values()):
            found = sum(value is not None for name, value in row.items() if name is not None)
            raise Refusal(
                Code.TABLE_LINE_WRONG, "file", line=reader.line_num, found=found + len(row.get(None) or ()),
                expected=len(columns),
            )  # fmt: skip
        lines.append(Line(reader.line_num, row))
        _check_length(len(lines), limit)
    names = {",": "comma", ";": "semicolon", "\t": "tab"}
    return Table(tuple(lines), columns, f"CSV, {encoding}, {names[separator]}")


def _check_columns(columns: Sequence[str]) -> None:
    """Raises Refusal TABLE_COLUMN_DOUBLED: which of the two is meant, nobody knows."""
    named = [name.strip() for name in columns if name.strip()]
    for name in named:
        if named.count(name) > 1:
            raise Refusal(Code.TABLE_COLUMN_DOUBLED, "file", name=name)


def _read_xlsx(path: Path, limit: int) -> Table:
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        columns = tuple(_cell(value) for value in next(rows, ()))
        _check_columns(columns)
        lines = []
        for number, row in enumerate(rows, start=2):
            if any(value is not None for value in row):
                lines.append(Line(number, dict(zip(columns, map(_cell, row), strict=False))))
                _check_length(len(lines), limit)
        return Table(tuple(lines), columns, f"XLSX, {sheet.title}")
    finally:
        book.close()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_geojson(path: Path, limit: int) -> Table:
    given = json.loads(path.read_text(encoding="utf-8-sig"))
    features = given["features"]
    _check_length(len(features), limit)
    columns: dict[str, None] = {}
    lines = []
    for number, feature in enumerate(features, start=1):
        # JSON can hold what no database takes; tables of text are refused for it, or cannot.
        values = {
            without_controls(str(name)): without_controls(_cell(value))
            for name, value in (feature.get("properties") or {}).items()
        }
        columns.update(dict.fromkeys(values))
        lines.append(Line(number, values, feature.get("geometry")))
    return Table(tuple(lines), tuple(columns), "GeoJSON")


def _check_length(lines: int, limit: int) -> None:
    if lines > limit:
        raise Refusal(Code.TABLE_TOO_LONG, "file", limit=limit)


# --- taking in -------------------------------------------------------------------------------------


def check_columns(table: Table, mapping: FieldMap) -> None:
    """Raises Refusal MAPPING_INVALID if the mapping names a column that the table does not have."""
    missing = sorted(set(mapping.columns.values()) - set(table.columns))
    if missing:
        raise Refusal(Code.MAPPING_INVALID, filename="", problem=f"no column {', '.join(missing)}")


def parts(table: Table, size: int) -> Iterator[Table]:
    """A table as several of `size` lines each, in the order of the file."""
    for begin in range(0, len(table.lines), size):
        yield replace(table, lines=table.lines[begin : begin + size])


def take_in(
    session: Session,
    table: Table,
    mapping: FieldMap,
    *,
    procedure: Procedure,
    by: Actor,
    now: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Hand in every line of a table through the one door, in the caller's transaction.

    Lines whose source id the procedure knows are left as they are. A comment's parent is found by its source id,
    earlier in this table or in an earlier import. `progress` is told how many lines are done, now and then.
    Raises Refusal MAPPING_INVALID, NOT_ALLOWED.
    """

    def hand_in(submission: Submission) -> Contribution:
        row = contributions.submit(session, submission, procedure=procedure, by=by, now=now)
        waits = row.publication == PublicationState.PENDING.value
        if mapping.publish and mapping.wants_publication and waits:
            moderation.publish_imported(session, row, source=mapping.source, by=by, now=now)
        return row

    return _go_through(session, table, mapping, hand_in, procedure=procedure, now=now, progress=progress)


def rehearse(
    session: Session, table: Table, mapping: FieldMap, *, procedure: Procedure, by: Actor, now: datetime
) -> Report:
    """What `take_in` would do, line by line. Nothing is written, so nobody waits for it; nothing has a number yet.

    Raises Refusal MAPPING_INVALID, NOT_ALLOWED.
    """

    def look(submission: Submission) -> None:
        contributions.check(session, submission, procedure=procedure, by=by, now=now)

    return _go_through(session, table, mapping, look, procedure=procedure, now=now)


def _go_through(
    session: Session,
    table: Table,
    mapping: FieldMap,
    door: Callable[[Submission], Contribution | None],
    *,
    procedure: Procedure,
    now: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Bring every line to the door, and note what becomes of it."""
    check_columns(table, mapping)
    assert procedure.id is not None
    known = _known(session, procedure.id, table, mapping)
    report = Report()
    for done, line in enumerate(table.lines, start=1):
        report.outcomes.append(_bring(session, line, mapping, known, door, now))
        if done % 100 == 0:
            progress(done)
    return report


def _known(session: Session, procedure_id: int, table: Table, mapping: FieldMap) -> dict[str, int | None]:
    """Which of the source ids that the lines name the procedure knows already, with their contributions."""
    named = (("source_id", mapping.id_prefix), ("parent", mapping.parent_prefix))
    wanted = sorted(
        {
            prefix + line.values.get(mapping.columns[name], "").strip()
            for line in table.lines
            for name, prefix in named
            if name in mapping.columns
        }
        - {""}
    )
    known: dict[str, int | None] = {}
    for begin in range(0, len(wanted), LOOKED_UP):
        rows = session.exec(
            select(Contribution.source_id, Contribution.id).where(
                Contribution.procedure_id == procedure_id,
                col(Contribution.source_id).in_(wanted[begin : begin + LOOKED_UP]),
            )
        )
        known.update(rows.all())
    return known


def _bring(
    session: Session,
    line: Line,
    mapping: FieldMap,
    known: dict[str, int | None],
    door: Callable[[Submission], Contribution | None],
    now: datetime,
) -> Outcome:
    if any(line.values.get(column, "") in values for column, values in mapping.leave_out.items()):
        return Outcome(line.number, "left_out")
    try:
        submission = _submission(session, line, mapping, known, now)
        if submission.source_id in known:
            return Outcome(line.number, "known")
        row = door(submission)
    except Refusal as refusal:
        if refusal.code is Code.NOT_ALLOWED:
            raise
        return Outcome(line.number, "refused", refusal=refusal)
    known[submission.source_id] = row.id if row else None
    return Outcome(line.number, "created", row.reference if row else "")


def _submission(
    session: Session, line: Line, mapping: FieldMap, known: Mapping[str, int | None], now: datetime
) -> Submission:
    def value(name: str) -> str:
        return line.values.get(mapping.columns.get(name, ""), "").strip()

    if not value("source_id"):
        raise Refusal(Code.SOURCE_ID_MISSING, "source_id")
    source_id = mapping.id_prefix + value("source_id")
    parent = None
    if value("parent"):
        wanted = mapping.parent_prefix + value("parent")
        if wanted not in known:
            raise Refusal(Code.PARENT_UNKNOWN, "parent", parent=value("parent"))
        # In a rehearsal a line of the same file has no row yet.
        parent_id = known[wanted]
        parent = session.get(Contribution, parent_id) if parent_id else None
    return Submission(
        kind=mapping.kind,
        channel=channels.IMPORT.key,
        key=f"import:{source_id}",
        source_id=source_id,
        title=value("title"),
        text=value("text"),
        category=value("category"),
        pseudonym=value("pseudonym"),
        language=mapping.language,
        wants_publication=mapping.wants_publication,
        person=PersonInput(
            name=value("name"),
            email=value("email"),
            street=value("street"),
            postcode=value("postcode"),
            city=value("city"),
            organisation=value("organisation"),
        ),
        on_behalf_of=value("on_behalf_of"),
        place_words=value("place_words"),
        section=value("section"),
        located=_located(line, value("lon"), value("lat")),
        received_at=_moment(value("received"), "received") if value("received") else now,
        written_on=_moment(value("written_on"), "written_on").date() if value("written_on") else None,
        parent=parent,
    )


def _located(line: Line, lon: str, lat: str) -> Located | None:
    try:
        if line.geometry:
            return read_geojson_geometry(dict(line.geometry))
        if lon or lat:
            return from_lonlat(float(lon.replace(",", ".")), float(lat.replace(",", ".")))
    except GeometryProblem as problem:
        raise Refusal(Code.LOCATION_INVALID, "location", problem=problem.code) from problem
    except ValueError as problem:
        raise Refusal(Code.LOCATION_INVALID, "location", problem="not_a_number") from problem
    return None


_DATE_FORMATS = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y")


def _moment(typed: str, name: str) -> datetime:
    """A date or moment as tables spell it (ISO, or as in 02.03.2027 14:05), in legal time unless it says its zone."""
    for parse in (datetime.fromisoformat, *(_parser(pattern) for pattern in _DATE_FORMATS)):
        try:
            moment = parse(typed)
        except ValueError:
            continue
        if moment.time() == time() and moment.tzinfo is None and len(typed) <= 10:
            moment = moment.replace(
                hour=12
            )  # a day without a time: noon is the same day in every zone nearby
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=LEGAL_TIME).astimezone(UTC)
    raise Refusal(Code.DATE_IMPOSSIBLE, name, date=typed[:40])


def _parser(pattern: str) -> Callable[[str], datetime]:
    return lambda typed: datetime.strptime(typed, pattern)
