"""The register of agencies: entered, imported, merged and taken apart again, and whom it proposes to ask."""

import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
import shapely
from openpyxl import Workbook, load_workbook
from sqlmodel import Session, select

from consultations import agencies, agency_import, bulk, journal, people, received
from consultations.agencies import SUBJECTS, Agency, AgencyInput, ClerkInput, ClerkRole, Entry
from consultations.agency_import import COLUMNS, Report, Words
from consultations.people import Organisation, OrganisationKind, Person, PersonInput
from consultations.places import Place, PlaceKind, fold
from consultations.refusals import Code, Refusal
from geo.geometry import from_metres
from tests import cast
from tests.cast import NOW, Town

WORDS = Words(
    kinds={
        "public_agency": "Träger öffentlicher Belange",
        "authority": "Behörde",
        "neighbouring_municipality": "Nachbargemeinde",
        "environmental_association": "Umweltverband",
    },
    subjects={
        **dict.fromkeys(SUBJECTS, "?"),
        "water": "Wasser",
        "nature": "Naturschutz",
        "roads": "Straßen",
    },
    whole_town="ganze Stadt",
    drawn="gezeichnetes Gebiet",
    releases="gibt frei",
    columns={name: headings[0] for name, headings in COLUMNS.items()},
)


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


def square(west: float, south: float, side: float = 1000.0) -> shapely.Polygon:
    return shapely.box(690_000 + west, 5_360_000 + south, 690_000 + west + side, 5_360_000 + south + side)


def place(session: Session, town: Town, name: str, shape: shapely.Geometry) -> None:
    located = from_metres(shape)
    session.add(
        Place(
            municipality_id=town.id,
            kind=PlaceKind.DISTRICT.value,
            name=name,
            sort=fold(name),
            geometry=located.wkb,
            min_x=located.min_x,
            min_y=located.min_y,
            max_x=located.max_x,
            max_y=located.max_y,
            lon=located.lon,
            lat=located.lat,
            cell=located.cell,
        )
    )
    session.flush()


def add(session: Session, town: Town, name: str, **facts: object) -> Entry:
    entered = AgencyInput(name, **facts)  # type: ignore[arg-type]
    return agencies.save(session, entered, municipality_id=town.id, by=town.planner, now=NOW)[0]


# --- entering --------------------------------------------------------------------------------------


def test_an_agency_is_the_organisation_that_wrote_before(session: Session, town: Town) -> None:
    letter = town.hand_in(
        session,
        person=PersonInput(organisation="Wasserwirtschaftsamt", organisation_kind=OrganisationKind.AUTHORITY),
    )
    entry = add(
        session, town, "Wasserwirtschaftsamt", kind=OrganisationKind.AUTHORITY, subjects=("water", "water")
    )
    assert received.submitter_of(session, letter)[1] is entry.organisation
    assert entry.agency.subjects == ["water"]
    assert [line.verb for line in journal.about(session, f"organisation:{entry.id}")] == ["agency_added"]


def test_what_cannot_be_is_refused_and_nothing_is_journalled_without_a_change(
    session: Session, town: Town
) -> None:
    entry = add(session, town, "Forstamt", key="12")
    for facts, code in (
        ({"name": " "}, Code.FORM_INCOMPLETE),
        ({"name": "FORSTAMT"}, Code.NAME_TAKEN),
        ({"name": "Anderes Amt", "key": "12"}, Code.NAME_TAKEN),
        ({"name": "Anderes Amt", "email": "kein at"}, Code.EMAIL_INVALID),
        ({"name": "Anderes Amt", "subjects": ("magic",)}, Code.SUBJECT_UNKNOWN),
        ({"name": "Anderes Amt", "is_townwide": False, "areas": ("Nirgendwo",)}, Code.AREA_UNKNOWN),
        ({"name": "Anderes Amt", "is_townwide": False}, Code.FORM_INCOMPLETE),
        ({"name": "Anderes Amt", "kind": OrganisationKind.COMPANY}, Code.FORM_INCOMPLETE),
    ):
        with pytest.raises(Refusal) as refused:
            add(session, town, **facts)  # type: ignore[arg-type]
        assert refused.value.code is code, facts
    with pytest.raises(Refusal) as refused:
        agencies.save(session, AgencyInput("X"), municipality_id=town.id, by=town.clerk, now=NOW)
    assert refused.value.code is Code.NOT_ALLOWED
    same = AgencyInput("Forstamt", key="12")
    assert (
        agencies.save(session, same, municipality_id=town.id, by=town.planner, now=NOW, entry=entry)[1] == ()
    )
    other = AgencyInput("Forstbehörde", key="12", notes="zieht um")
    assert agencies.save(session, other, municipality_id=town.id, by=town.planner, now=NOW, entry=entry)[
        1
    ] == (
        "name",
        "notes",
    )
    verbs = [line.verb for line in journal.about(session, f"organisation:{entry.id}")]
    assert verbs == ["agency_added", "agency_changed"]


def test_a_town_adds_its_own_subject_areas(session: Session, town: Town) -> None:
    key = agencies.add_subject(session, town.id, "Stadtbäche", by=town.planner, now=NOW)
    entry = add(session, town, "Bachverein", subjects=(key, "nature"))
    assert entry.agency.subjects == [key, "nature"]
    with pytest.raises(Refusal) as refused:
        agencies.add_subject(session, town.id, "STADTBÄCHE", by=town.planner, now=NOW)
    assert refused.value.code is Code.NAME_TAKEN
    other = cast.found(session, "seebach", "Seebach")
    with pytest.raises(Refusal) as refused:
        add(session, other, "Bachverein", subjects=(key,))
    assert refused.value.code is Code.SUBJECT_UNKNOWN


def test_clerks_are_known_by_their_address(session: Session, town: Town) -> None:
    entry = add(session, town, "Landratsamt")
    first = agencies.add_clerk(
        session, entry, ClerkInput("Vera Moos", "v@lra.example"), by=town.planner, now=NOW
    )
    again = agencies.add_clerk(
        session,
        entry,
        ClerkInput("Vera Moos-Ott", "V@lra.example", ClerkRole.RELEASES),
        by=town.planner,
        now=NOW,
    )
    assert (again.id, again.role) == (first.id, ClerkRole.RELEASES)
    agencies.remove_clerk(session, entry, first.id, by=town.planner, now=NOW)
    assert agencies.clerks_of(session, [entry.id], active=True) == []
    assert [each.is_active for each in agencies.clerks_of(session, [entry.id])] == [False]


def test_the_list_pages_by_name_and_knows_other_towns_nothing(session: Session, town: Town) -> None:
    other = cast.found(session, "seebach", "Seebach")
    foreign = add(session, other, "Amt C")
    mine = [add(session, town, f"Amt {letter}") for letter in "BADC"]
    agencies.set_active(session, mine[0], False, by=town.planner, now=NOW)
    first = agencies.listed(session, town.id, limit=2)
    rest = agencies.listed(session, town.id, after=first[-1], limit=9)
    assert [entry.name for entry in first + rest] == ["Amt A", "Amt B", "Amt C", "Amt D"]
    assert [entry.name for entry in agencies.listed(session, town.id, active=False)] == ["Amt B"]
    assert [entry.name for entry in agencies.listed(session, town.id, words="amt d")] == ["Amt D"]
    assert agencies.by_id(session, town.id, foreign.id) is None


# --- merging ---------------------------------------------------------------------------------------


def test_a_merge_loses_nothing_and_can_be_taken_back(session: Session, town: Town) -> None:
    survivor, duplicate = add(session, town, "Stadtwerke Auenfurt GmbH"), add(session, town, "Stadtwerke")
    earlier = town.hand_in(session, person=PersonInput(organisation="Stadtwerke"))
    clerk = agencies.add_clerk(
        session, duplicate, ClerkInput("Jan Öde", "j@sw.example"), by=town.planner, now=NOW
    )
    with pytest.raises(Refusal) as refused:
        agencies.merge(session, survivor, duplicate, note=" ", by=town.planner, now=NOW)
    assert refused.value.code is Code.REASON_REQUIRED
    row = agencies.merge(session, survivor, duplicate, note="umbenannt", by=town.planner, now=NOW)
    session.commit()
    assert received.submitter_of(session, earlier)[1].id == survivor.id  # type: ignore[union-attr]
    assert [each.id for each in agencies.clerks_of(session, [survivor.id])] == [clerk.id]
    assert [entry.name for entry in agencies.every(session, town.id)] == ["Stadtwerke Auenfurt GmbH"]
    later = town.hand_in(session, person=PersonInput(organisation="Stadtwerke"))
    assert received.submitter_of(session, later)[1].id == survivor.id  # type: ignore[union-attr]
    with pytest.raises(Refusal):  # merged once is merged
        agencies.merge(session, survivor, duplicate, note="nochmal", by=town.planner, now=NOW)
    agencies.undo_merge(session, row, by=town.planner, now=NOW)
    session.commit()
    assert received.submitter_of(session, earlier)[1].id == duplicate.id  # type: ignore[union-attr]
    assert received.submitter_of(session, later)[1].id == survivor.id  # type: ignore[union-attr]
    assert [each.id for each in agencies.clerks_of(session, [duplicate.id])] == [clerk.id]
    with pytest.raises(Refusal):
        agencies.undo_merge(session, row, by=town.planner, now=NOW)
    verbs = [line.verb for line in journal.about(session, f"organisation:{duplicate.id}")]
    assert verbs[-2:] == ["agency_merged", "agency_merge_undone"]
    assert list(journal.verify(session)) == []


def test_whoever_was_merged_before_follows(session: Session, town: Town) -> None:
    last, middle, first = (add(session, town, name) for name in ("C", "B", "A"))
    wrote = town.hand_in(session, person=PersonInput(organisation="A"))
    below = agencies.merge(session, middle, first, note="x", by=town.planner, now=NOW)
    agencies.merge(session, last, middle, note="y", by=town.planner, now=NOW)
    assert received.submitter_of(session, wrote)[1] is last.organisation
    same = people.organisation_of(session, PersonInput(organisation="A"), municipality_id=town.id, now=NOW)
    assert same == last.id
    with pytest.raises(Refusal):
        agencies.undo_merge(session, below, by=town.planner, now=NOW)


# --- importing -------------------------------------------------------------------------------------

CSV = """Kennung;Name;Art;Sachgebiete;Zuständig für;E-Mail;Straße;PLZ;Ort;Sachbearbeitung;Bemerkung
1;Wasserwirtschaftsamt Zirntal;Behörde;Wasser, Naturschutz;ganze Stadt;poststelle@wwa.example;Am Wehr 2;89990;Zirn;Vera Moos <v@wwa.example> (gibt frei);
2;Straßenbauamt;Träger öffentlicher Belange;Straßen;Altstadt;;Teerweg 1;89990;Zirn;;Übergabe der Akten läuft
3;Amt für Zauberei;Behörde;Magie;;;;;;;
4;Forstamt;Königreich;;;;;;;;
5;Jagdamt;Behörde;;Nirgendwo;;;;;;
6;Bachverein;Umweltverband;;;kein at;;;;;
7;Ödlandamt;Behörde;;;;;;;Vera Moos;
"""


def read(tmp_path: Path, octets: bytes, name: str = "liste.csv") -> bulk.Table:
    path = tmp_path / name
    path.write_bytes(octets)
    return bulk.read_table(path, name)


def take_in(session: Session, town: Town, table: bulk.Table) -> Report:
    return agency_import.take_in(
        session, table, municipality_id=town.id, words=(WORDS,), by=town.planner, now=NOW
    )


def results(report: Report) -> list[tuple[int, str, str]]:
    return [
        (each.line, each.result, each.refusal.code.value if each.refusal else "") for each in report.outcomes
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_a_table_says_of_each_line_what_becomes_of_it(
    session: Session, town: Town, tmp_path: Path, encoding: str
) -> None:
    place(session, town, "Altstadt", square(0, 0))
    table = read(tmp_path, CSV.encode(encoding))
    report = take_in(session, town, table)
    assert results(report) == [
        (2, "new", ""),
        (3, "new", ""),
        (4, "refused", "subject_unknown"),
        (5, "refused", "kind_unknown"),
        (6, "refused", "area_unknown"),
        (7, "refused", "email_invalid"),
        (8, "refused", "email_invalid"),
    ]
    roads, water = agencies.every(session, town.id)
    assert (water.name, water.agency.subjects, water.agency.city) == (
        "Wasserwirtschaftsamt Zirntal",
        ["water", "nature"],
        "Zirn",
    )
    assert (roads.agency.areas, roads.agency.is_townwide, roads.agency.notes) == (
        ["Altstadt"],
        False,
        "Übergabe der Akten läuft",
    )
    clerks = agencies.clerks_of(session, [water.id])
    assert [(each.name, each.role) for each in clerks] == [("Vera Moos", ClerkRole.RELEASES)]
    entries = len(session.exec(select(journal.JournalEntry.id)).all())
    again = take_in(session, town, table)
    assert [each.result for each in again.outcomes[:2]] == ["same", "same"]
    assert len(session.exec(select(journal.JournalEntry.id)).all()) == entries
    changed = CSV.replace("Am Wehr 2", "Am Wehr 3").replace("1;Wasserwirtschaftsamt Zirntal", "1;WWA Zirntal")
    third = take_in(session, town, read(tmp_path, changed.encode(encoding)))
    assert (third.outcomes[0].result, set(third.outcomes[0].changed)) == ("changed", {"name", "street"})
    assert len(agencies.every(session, town.id)) == 2


def test_doubled_lines_empty_ones_and_formulas_are_told_apart(
    session: Session, town: Town, tmp_path: Path
) -> None:
    first = take_in(session, town, read(tmp_path, b"Kennung;Name\n7;Amt A\n"))
    assert results(first) == [(2, "new", "")]
    table = "Kennung;Name;Bemerkung\n1;Amt B;=1+1\n;amt b;\n1;Amt C;\n;;\n7;Amt D;\n7;Amt A;\n;Ämt E;'=cmd\n"
    report = take_in(session, town, read(tmp_path, table.encode("cp1252")))
    assert results(report) == [
        (2, "new", ""),
        (3, "refused", "line_doubled"),
        (4, "refused", "line_doubled"),
        # line 5 is empty
        (6, "changed", ""),
        (7, "refused", "line_doubled"),
        (8, "new", ""),
    ]
    assert [each.refusal.facts["line"] for each in report.outcomes if each.refusal] == [2, 2, 6]
    notes = {entry.name: entry.agency.notes for entry in agencies.every(session, town.id)}
    assert notes == {"Amt B": "=1+1", "Amt D": "", "Ämt E": "=cmd"}
    with pytest.raises(Refusal, match="table_column_missing"):
        take_in(session, town, read(tmp_path, b"Amt;Ort\na;b\n"))
    long = bulk.Table(
        tuple(bulk.Line(n, {"Name": f"A{n}"}) for n in range(agency_import.LINES + 1)), ("Name",), ""
    )
    with pytest.raises(Refusal, match="table_too_long"):
        take_in(session, town, long)


def test_an_area_of_competence_can_be_drawn_beside_the_named_ones(
    session: Session, town: Town, tmp_path: Path
) -> None:
    place(session, town, "Altstadt", square(0, 0))
    drawn = shapely.to_wkb(square(5000, 0))
    entry = add(
        session, town, "Bachamt", is_townwide=False, areas=("Altstadt",), drawn=drawn, drawn_from="Bäche"
    )
    only = add(session, town, "Teichamt", is_townwide=False, drawn=drawn)
    assert (entry.agency.min_x, entry.agency.max_x) == (690_000.0, 696_000.0)
    for west, names in ((100, {"Bachamt"}), (5100, {"Bachamt", "Teichamt"}), (9000, set())):
        plan = shapely.to_wkb(square(west, 100, 50))
        found = agencies.propose(agencies.every(session, town.id), plan, ())
        assert {each.entry.name for each in found if each.is_proposed} == names
    # A table has no shapes; given out and taken in again, the drawn area stays.
    rows = agency_import.rows_of(agencies.every(session, town.id), [], {}, WORDS)
    assert [row[4] for row in rows] == ["Altstadt; gezeichnetes Gebiet", "gezeichnetes Gebiet"]
    given = agency_import.as_csv(list(WORDS.columns.values()), rows)
    assert [each.result for each in take_in(session, town, read(tmp_path, given)).outcomes] == [
        "same",
        "same",
    ]
    gone = given.replace(b"; gezeichnetes Gebiet", b"")
    assert take_in(session, town, read(tmp_path, gone)).outcomes[0].changed == ("areas",)
    assert entry.agency.drawn is None
    assert only.agency.drawn == drawn
    with pytest.raises(Refusal, match="form_incomplete"):
        add(session, town, "Nirgendamt", is_townwide=False)
    lines = journal.about(session, f"organisation:{entry.id}")
    assert (lines[-1].verb, lines[-1].facts["changed"]) == ("agency_changed", ["areas"])


def test_a_rehearsal_that_is_rolled_back_leaves_nothing(session: Session, town: Town, tmp_path: Path) -> None:
    place(session, town, "Altstadt", square(0, 0))
    session.commit()
    take_in(session, town, read(tmp_path, CSV.encode()))
    session.rollback()
    assert session.exec(select(Agency)).all() == []
    assert session.exec(select(Organisation)).all() == []


def test_what_is_given_out_is_taken_in_unchanged_and_runs_nothing(
    session: Session, town: Town, tmp_path: Path
) -> None:
    place(session, town, "Altstadt", square(0, 0))
    take_in(session, town, read(tmp_path, CSV.encode()))
    add(session, town, "=HYPERLINK(1)", phone="+49 89 1", notes="@SUM(A1)")
    every = agencies.every(session, town.id)
    clerks = agencies.clerks_of(session, [entry.id for entry in every])
    rows = agency_import.rows_of(every, clerks, {}, WORDS)
    heading = list(WORDS.columns.values())
    written = agency_import.as_csv(heading, rows)
    assert b"\r\n;=" not in written
    assert b"'=HYPERLINK(1)" in written
    workbook = agency_import.as_xlsx("Träger", heading, rows)
    values = [str(cell.value) for row in load_workbook(BytesIO(workbook)).active.iter_rows() for cell in row]  # type: ignore[union-attr]
    assert "'=HYPERLINK(1)" in values
    assert "'+49 89 1" in values
    for name, octets in (("liste.csv", written), ("liste.xlsx", workbook)):
        report = take_in(session, town, read(tmp_path, octets, name))
        assert {each.result for each in report.outcomes} == {"same"}, results(report)


def test_a_workbook_of_somebody_else_needs_only_a_name(session: Session, town: Town, tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["E-mail", "Name"])  # type: ignore[union-attr]
    book.active.append(["post@amt.example", "Amt"])  # type: ignore[union-attr]
    book.active.append([None, "Amt"])  # type: ignore[union-attr]
    path = tmp_path / "fremd.xlsx"
    book.save(path)
    report = take_in(session, town, bulk.read_table(path, path.name))
    assert results(report) == [(2, "new", ""), (3, "refused", "line_doubled")]
    with pytest.raises(Refusal) as refused:
        take_in(session, town, read(tmp_path, b"Titel;Ort\na;b\n"))
    assert refused.value.code is Code.TABLE_COLUMN_MISSING


# --- whom to ask -----------------------------------------------------------------------------------


def test_the_proposal_is_that_of_brute_force(session: Session, town: Town) -> None:
    chance = random.Random(4)
    for number in range(12):
        place(
            session,
            town,
            f"Viertel {number}",
            square(chance.uniform(-4000, 4000), chance.uniform(-4000, 4000)),
        )
    place(session, town, "Nachbar", square(1000, 0))
    subjects = list(SUBJECTS)[:5]
    entries = [
        add(
            session,
            town,
            f"Amt {number}",
            subjects=tuple(chance.sample(subjects, chance.randint(0, 3))),
            is_townwide=number % 5 == 0,
            areas=tuple(f"Viertel {each}" for each in chance.sample(range(12), chance.randint(1, 3))),
        )
        for number in range(40)
    ]
    entries.append(add(session, town, "Nachbargemeinde", is_townwide=False, areas=("Nachbar",)))
    agencies.set_active(session, entries[0], False, by=town.planner, now=NOW)
    proposed = 0
    for trial in range(25):
        plan = square(chance.uniform(-4500, 4500), chance.uniform(-4500, 4500), chance.uniform(50, 900))
        about = set(chance.sample(subjects, chance.randint(0, 2)))
        found = agencies.propose(entries, shapely.to_wkb(plan), about)
        for each in found:
            agency = each.entry.agency
            meets = agency.is_townwide or shapely.intersects(plan, shapely.from_wkb(agency.competence))
            fits = not about or not agency.subjects or bool(about & set(agency.subjects))
            assert each.is_proposed == (agency.is_active and meets and fits), (trial, agency)
        proposed += sum(each.is_proposed for each in found)
    assert 100 < proposed < 900
    at_the_border = agencies.propose(entries[-1:], shapely.to_wkb(square(0, 0)), ())
    assert at_the_border[0].is_proposed
    assert agencies.propose(entries[-1:], None, ())[0].in_area is None


def test_no_statement_of_a_private_person_becomes_an_agency(session: Session, town: Town) -> None:
    town.hand_in(session, person=PersonInput(name="Rosa Muster"))
    persons: Sequence[Person] = session.exec(select(Person).where(Person.name == "Rosa Muster")).all()
    assert [person.organisation_id for person in persons] == [None]
    assert agencies.every(session, town.id) == []
