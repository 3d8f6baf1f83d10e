"""The register of agencies as a table: taken in from XLSX or CSV, rehearsed first, and given out in the same columns.

A line is new, changed, the same, or refused with a reason. It is known by its key, else by its name; a table that is
taken in twice changes nothing the second time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any

from sqlmodel import Session

from consultations import agencies
from consultations.agencies import SUBJECTS, AgencyInput, Clerk, ClerkInput, ClerkRole, Entry
from consultations.bulk import Table
from consultations.people import OrganisationKind
from consultations.permissions import Actor
from consultations.places import fold
from consultations.refusals import Code, Refusal
from consultations.text import spreadsheet_safe

#: Each column with its heading in German and English; only the name must be there.
COLUMNS: dict[str, tuple[str, str]] = {
    "key": ("Kennung", "Key"),
    "name": ("Name", "Name"),
    "kind": ("Art", "Kind"),
    "subjects": ("Sachgebiete", "Subject areas"),
    "areas": ("Zuständig für", "Responsible for"),
    "email": ("E-Mail", "E-mail"),
    "phone": ("Telefon", "Telephone"),
    "street": ("Straße", "Street"),
    "postcode": ("PLZ", "Postcode"),
    "city": ("Ort", "Town"),
    "clerks": ("Sachbearbeitung", "Clerks"),
    "notes": ("Bemerkung", "Notes"),
}

#: Lines of one table. No town asks as many; each is looked up, and all of them are entered at once.
LINES = 2_000

_WHOLE_TOWN = {
    fold(word) for word in ("", "ganze Stadt", "ganzes Stadtgebiet", "Stadtgebiet", "whole town", "*")
}
_RELEASES = {fold(word) for word in ("gibt frei", "Freigabe", "releases")}
_CLERK = re.compile(r"(?P<name>[^<>]+)<(?P<email>[^<>]+)>\s*(\((?P<role>[^()]*)\))?")
_GUARDED = re.compile(r"'(?=[=+\-@＝＋－＠\t\r\n])")


@dataclass(frozen=True)
class Words:
    """What kinds and subject areas are called, by key, in the language that a table is written in."""

    kinds: Mapping[str, str]
    subjects: Mapping[str, str]
    whole_town: str
    drawn: str
    releases: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What becomes of one line: "new", "changed", "same" or "refused"; which columns change, or why not."""

    line: int
    name: str
    result: str
    changed: tuple[str, ...] = ()
    refusal: Refusal | None = None


@dataclass
class Report:
    """What comes of a table, line by line."""

    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, result: str) -> int:
        """How many lines come to this result."""
        return sum(outcome.result == result for outcome in self.outcomes)


def columns_of(table: Table) -> dict[str, str]:
    """Which column of the table is what, by headings in either language. Raises Refusal TABLE_COLUMN_MISSING ("file")."""
    folded = {fold(heading): heading for heading in table.columns}
    found = {
        name: folded[fold(heading)]
        for name, headings in COLUMNS.items()
        for heading in headings
        if fold(heading) in folded
    }
    if "name" not in found:
        raise Refusal(Code.TABLE_COLUMN_MISSING, "file", name=COLUMNS["name"][0])
    return found


def take_in(
    session: Session, table: Table, *, municipality_id: int, words: Sequence[Words], by: Actor, now: datetime
) -> Report:
    """Enter every line, in the caller's transaction; for a rehearsal the caller rolls back.

    `words` are the languages in which kinds and subject areas may be written. Raises Refusal NOT_ALLOWED,
    TABLE_COLUMN_MISSING, TABLE_TOO_LONG.
    """
    columns = columns_of(table)
    if len(table.lines) > LINES:
        raise Refusal(Code.TABLE_TOO_LONG, "file", limit=LINES)
    known = agencies.every(session, municipality_id)
    by_key = {entry.agency.key: entry for entry in known if entry.agency.key}
    by_name = {entry.agency.sort: entry for entry in known}
    clerks: dict[int, list[Clerk]] = {}
    for clerk in agencies.clerks_of(session, [entry.id for entry in known], active=True):
        clerks.setdefault(clerk.organisation_id, []).append(clerk)
    own = agencies.own_subjects(session, municipality_id)
    seen: dict[str, int] = {}
    report = Report()
    for line in table.lines:
        values = {
            name: _GUARDED.sub("", line.values.get(column, "").strip(), count=1)
            for name, column in columns.items()
        }
        if not any(values.values()):
            continue  # spreadsheets end in lines of nothing but separators
        name, key = values["name"], values.get("key", "")
        same = [fold(name), *([f"key {key}"] if key else [])]
        try:
            if earlier := next((seen[each] for each in same if each in seen), None):
                raise Refusal(Code.LINE_DOUBLED, "name", line=earlier)
            entry = by_key.get(key) or by_name.get(fold(name))
            entered = _entered(values, entry, words, own)
            wanted = _clerks(values.get("clerks", ""))
            with session.begin_nested():
                saved, changed = agencies.save(
                    session, entered, municipality_id=municipality_id, by=by, now=now, entry=entry
                )
                if "clerks" in columns and _set_clerks(
                    session, saved, wanted, clerks.get(saved.id, []), by=by, now=now
                ):
                    changed = (*changed, "clerks")
        except Refusal as refusal:
            if refusal.code is Code.NOT_ALLOWED:
                raise
            if entry is not None:
                session.refresh(entry.organisation)
                session.refresh(entry.agency)
            report.outcomes.append(Outcome(line.number, name, "refused", refusal=refusal))
            continue
        seen |= dict.fromkeys(same, line.number)
        result = "new" if entry is None else "changed" if changed else "same"
        report.outcomes.append(Outcome(line.number, name, result, changed if entry else ()))
    return report


def _entered(
    values: Mapping[str, str], entry: Entry | None, words: Sequence[Words], own: Mapping[str, str]
) -> AgencyInput:
    """A line as an agency; columns that the table does not have keep what is known."""
    agency = entry.agency if entry else None

    def plain(name: str) -> str:
        return values[name] if name in values else str(getattr(agency, name, "") if agency else "")

    kind = OrganisationKind(entry.organisation.kind) if entry else OrganisationKind.PUBLIC_AGENCY
    if kind not in agencies.KINDS:
        kind = OrganisationKind.PUBLIC_AGENCY
    if values.get("kind"):
        kind = _kind(values["kind"], words)
    subjects = tuple(agency.subjects) if agency else ()
    if "subjects" in values:
        subjects = tuple(_subject(each, words, own) for each in _parts(values["subjects"]))
    townwide, areas = (agency.is_townwide, tuple(agency.areas)) if agency else (True, ())
    drawn = agency.drawn if agency else None
    if "areas" in values:
        whole = _WHOLE_TOWN | {fold(each.whole_town) for each in words}
        townwide = fold(values["areas"]) in whole
        areas = () if townwide else tuple(_parts(values["areas"]))
        # A table has no shapes: the word for a drawn area keeps the one that is known.
        words_for_drawn = {fold(each.drawn) for each in words}
        keeps = [name for name in areas if fold(name) in words_for_drawn]
        if keeps and drawn is None:
            raise Refusal(Code.AREA_UNKNOWN, "areas", name=keeps[0])
        drawn = drawn if keeps else None
        areas = tuple(name for name in areas if name not in keeps)
    return AgencyInput(
        values["name"],
        kind,
        subjects=subjects,
        is_townwide=townwide,
        areas=areas,
        drawn=drawn,
        drawn_from=agency.drawn_from if agency and drawn else "",
        **{name: plain(name) for name in ("key", "email", "phone", "street", "postcode", "city", "notes")},
    )


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;\n]|,(?!\d)", cell) if part.strip()]


def _kind(typed: str, words: Sequence[Words]) -> OrganisationKind:
    for kind in agencies.KINDS:
        if fold(typed) in {fold(kind.value), *(fold(each.kinds[kind.value]) for each in words)}:
            return kind
    raise Refusal(Code.KIND_UNKNOWN, "kind", name=typed)


def _subject(typed: str, words: Sequence[Words], own: Mapping[str, str]) -> str:
    for key in SUBJECTS:
        if fold(typed) in {fold(key), *(fold(each.subjects[key]) for each in words)}:
            return key
    for key, label in own.items():
        if fold(typed) == fold(label):
            return key
    raise Refusal(Code.SUBJECT_UNKNOWN, "subjects", name=typed)


def _clerks(cell: str) -> list[ClerkInput]:
    """ "Vera Moos <v.moos@example.org> (gibt frei); Jan Öde <j@example.org>"; raises Refusal EMAIL_INVALID."""
    found = []
    for part in re.split(r"[;\n]", cell):
        if not part.strip():
            continue
        read = _CLERK.fullmatch(part.strip())
        if read is None:
            raise Refusal(Code.EMAIL_INVALID, "clerks", address=part.strip()[:100])
        role = ClerkRole.RELEASES if fold(read["role"] or "") in _RELEASES else ClerkRole.DRAFTS
        found.append(ClerkInput(read["name"].strip(), read["email"].strip(), role))
    return found


def _set_clerks(
    session: Session, entry: Entry, wanted: Sequence[ClerkInput], known: Sequence[Clerk], *, by: Actor, now: datetime
) -> bool:  # fmt: skip
    before = {each.email.casefold(): (each.name, each.role) for each in known}
    after = {each.email.casefold(): (each.name, each.role) for each in wanted}
    for each in wanted:
        if before.get(each.email.casefold()) != (each.name, each.role):
            agencies.add_clerk(session, entry, each, by=by, now=now)
    for clerk in known:
        if clerk.email.casefold() not in after:
            agencies.remove_clerk(session, entry, clerk.id, by=by, now=now)
    return before != after


# --- giving out ------------------------------------------------------------------------------------


def rows_of(
    entries: Iterable[Entry], clerks: Iterable[Clerk], own: Mapping[str, str], words: Words
) -> list[list[str]]:
    """The register as lines in the columns of `COLUMNS`, without a heading."""
    of_agency: dict[int, list[Clerk]] = {}
    for clerk in clerks:
        if clerk.is_active:
            of_agency.setdefault(clerk.organisation_id, []).append(clerk)
    rows = []
    for entry in entries:
        agency = entry.agency
        cells = {
            "key": agency.key,
            "name": entry.name,
            "kind": words.kinds.get(entry.organisation.kind, entry.organisation.kind),
            "subjects": "; ".join(own.get(key) or words.subjects.get(key, key) for key in agency.subjects),
            "areas": words.whole_town
            if agency.is_townwide
            else "; ".join([*agency.areas, *([words.drawn] if agency.drawn else [])]),
            "clerks": "; ".join(
                f"{each.name} <{each.email}>"
                + (f" ({words.releases})" if each.role is ClerkRole.RELEASES else "")
                for each in of_agency.get(entry.id, ())
            ),
            **{
                name: getattr(agency, name)
                for name in ("email", "phone", "street", "postcode", "city", "notes")
            },
        }
        rows.append([cells[name] for name in COLUMNS])
    return rows


def as_csv(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as spreadsheets of German offices open it: semicolons, UTF-8 with a byte order mark. No cell is run."""
    import csv

    written = StringIO(newline="")
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n")
    for row in (heading, *rows):
        writer.writerow([spreadsheet_safe(cell) for cell in row])
    return written.getvalue().encode("utf-8-sig")


def as_xlsx(title: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The same as a workbook: texts as texts, the heading fixed. No cell is run."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = re.sub(r"[\\/*?:\[\]]", " ", title)[:31]
    sheet.append([_plain(spreadsheet_safe(cell)) for cell in heading])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    widths = [len(str(cell)) for cell in heading]
    for row in rows:
        sheet.append([_plain(spreadsheet_safe(cell)) for cell in row])
        widths = [max(width, min(60, len(str(cell)))) for width, cell in zip(widths, row, strict=False)]
    for number, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width + 2
    sheet.freeze_panes = "A2"
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def _plain(cell: Any) -> Any:
    """No characters that a workbook cannot hold."""
    if not isinstance(cell, str):
        return cell
    return "".join(character for character in cell if character >= " " or character in "\t\n\r")
