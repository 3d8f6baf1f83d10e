"""`digilog import layer|plan|document` and `digilog layers check`: what is said, what is kept, and what leaves no trace."""

import io
import json
from pathlib import Path

import pypdf
import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner

from consultations import procedures
from consultations.documents import Document, DocumentVersion
from consultations.places import Layer, Place
from consultations.procedures import Procedure
from participation.__main__ import app
from participation.database import make_engine, unit_of_work
from tests import cast
from tests.databases import Databases
from tests.geo import files


def sheet() -> bytes:
    """A PDF of one empty sheet."""
    made = io.BytesIO()
    writer = pypdf.PdfWriter()
    writer.add_blank_page(595, 842)
    writer.write(made)
    return made.getvalue()


@pytest.fixture
def database(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cast's town in a database that the command finds by its settings."""
    with databases.sqlite(tmp_path / "digilog.sqlite") as url:
        engine = make_engine(url)
        with unit_of_work(engine, write=True) as session:
            cast.found(session)
        engine.dispose()
        monkeypatch.setenv("DIGILOG_DATABASE_URL", url)
        monkeypatch.setenv("DIGILOG_DATA_DIR", str(tmp_path / "data"))
        return url


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


def quarters(folder: Path) -> Path:
    path = folder / "Viertel.geojson"
    path.write_text(files.quarters(4326).to_json(), encoding="utf-8")
    return path


def count(url: str, table: type) -> int:
    engine = make_engine(url)
    with Session(engine) as session:
        number = len(session.exec(select(table)).all())
    engine.dispose()
    return number


def test_check_says_what_is_in_a_file_and_keeps_nothing(database: str, tmp_path: Path) -> None:
    broken = tmp_path / "kaputt.geojson"
    broken.write_text('{"type": "FeatureCollection", "features": [', encoding="utf-8")
    code, said = run("layers", "check", quarters(tmp_path), broken)
    assert code == 2
    assert "Viertel.geojson: GeoJSON RFC 7946, EPSG:4326, 3 features (3 Polygon), 0 repaired" in said
    assert "kaputt.geojson" in said
    code, said = run("layers", "check", quarters(tmp_path), "--json")
    assert code == 0
    assert json.loads(said)[0]["features"] == 3
    assert count(database, Layer) == 0


def test_a_layer_brings_its_places_and_replaces_its_namesake(database: str, tmp_path: Path) -> None:
    arguments = ["import", "layer", quarters(tmp_path), "--municipality", "auenfurt", "--role", "districts"]
    code, said = run(*arguments, "--attribution", "© Vermessungsamt")
    assert (code, "3 features" in said) == (0, True)
    run(*arguments, "--attribution", "© Vermessungsamt")
    assert count(database, Place) == 3
    engine = make_engine(database)
    with Session(engine) as session:
        layers = session.exec(select(Layer)).all()
        assert [layer.replaced_at is None for layer in layers] == [False, True]
        assert layers[1].attribution == "© Vermessungsamt"
        assert layers[1].title == "Viertel"
    engine.dispose()


def test_a_refused_layer_and_an_unknown_town_leave_no_trace(database: str, tmp_path: Path) -> None:
    nowhere = tmp_path / "ohne.geojson"
    nowhere.write_bytes(files.geojson({"type": "Point", "coordinates": [120.0, 10.0]}))
    assert run("import", "layer", nowhere, "--municipality", "auenfurt")[0] == 2
    code, said = run("import", "layer", quarters(tmp_path), "--municipality", "nirgendwo")
    assert code == 2
    assert "nirgendwo" in said
    assert count(database, Layer) == 0


def test_a_plan_becomes_a_draft_with_its_area_and_layer(database: str, tmp_path: Path) -> None:
    arguments = [
        "import",
        "plan",
        quarters(tmp_path),
        "--municipality",
        "auenfurt",
        "--template",
        "development_plan",
    ]
    code, said = run(*arguments, "--key", "BP-77", "--title", "Drei Viertel", "--json")
    assert code == 0
    assert json.loads(said)["square_metres"] == 30_000
    engine = make_engine(database)
    with Session(engine) as session:
        row = procedures.by_key(session, 1, "BP-77")
        assert row is not None
        assert (row.title, row.state) == ("Drei Viertel", "draft")
        assert row.plan_area is not None
        assert row.plan_report["features"] == 3
        assert session.exec(select(Layer.procedure_id)).all() == [row.id]
    engine.dispose()
    code, said = run(*arguments, "--key", "BP-77", "--title", "Noch einmal")
    assert code == 2  # the key is taken
    assert count(database, Procedure) == 2


def test_a_document_of_the_same_title_is_its_next_version(database: str, tmp_path: Path) -> None:
    paper = tmp_path / "Begründung.pdf"
    paper.write_bytes(sheet())
    arguments = ["import", "document", paper, "--municipality", "auenfurt", "--procedure", "BP-12"]
    assert "version 1 of Begründung, 1 pages" in run(*arguments, "--title", "Begründung")[1]
    assert "version 2" in run(*arguments, "--title", "Begründung", "--note", "Seite 3 berichtigt")[1]
    assert (count(database, Document), count(database, DocumentVersion)) == (1, 2)
    lying = tmp_path / "Plan.pdf"
    lying.write_bytes(b"MZ this is a program")
    code, said = run(
        "import", "document", lying, "--municipality", "auenfurt", "--procedure", "BP-12", "--title", "X"
    )
    assert code == 2
    assert "Plan.pdf" in said
    assert count(database, Document) == 1
