"""The manual is true: each setting, table, command, channel and room has its place in it."""

import re
from pathlib import Path

from participation.__main__ import app as commands
from participation.app import ROOMS
from participation.database import metadata
from participation.identity import Identity
from participation.jobs import Job
from participation.settings import ROOT, Settings

DOCS = ROOT / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_setting_is_described_with_its_sentence() -> None:
    page = text("settings.md")
    for name, field in Settings.model_fields.items():
        assert f"| `DIGILOG_{name.upper()}` |" in page, name
        assert (field.description or "?") in page, name
    known = {f"DIGILOG_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"^\| `(DIGILOG_\w+)`", page, re.MULTILINE)) == known


def test_every_table_has_its_line() -> None:
    assert Identity.__tablename__ in metadata.tables
    assert Job.__tablename__ in metadata.tables
    page = text("data-model.md")
    for table in metadata.tables:
        assert f"`{table}`" in page, table


def test_every_room_stands_in_the_picture_of_the_house() -> None:
    page = text("architecture.md")
    for module in (
        *ROOT.glob("participation/*.py"),
        *ROOT.glob("consultations/*.py"),
        *ROOT.glob("geo/*.py"),
    ):
        if module.stem != "__init__":
            assert re.search(rf"\b{module.stem}\b", page), module.stem
    for room in ROOMS:
        assert re.search(rf"\b{room}\b", page), room


def test_every_room_is_told_in_the_words_it_tells_itself_with() -> None:
    _, folders = text("architecture.md").split("## Every room")
    for folder in folders.split("\n**")[1:]:
        here, *_ = folder.partition("/**")
        for room, told in re.findall(r"^- `(\w+)` – (.+)$", folder, re.MULTILINE):
            source = (ROOT / here / f"{room}.py").read_text(encoding="utf-8")
            first = re.search(r'"""(.+?)(?:\n\n|""")', source, re.DOTALL)
            assert first, room
            assert " ".join(first[1].split()) == told, f"{here}/{room}"


def test_every_command_stands_in_the_manual() -> None:
    manual = text("operation.md") + text("law.md") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in commands.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        assert re.search(rf"digilog {name}\b", manual), name


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert Path(page.parent, target).exists(), f"{page.name}: {target}"


def test_every_test_that_co_creation_names_exists() -> None:
    named = set(re.findall(r"\b(test_\w+)(?!\w*\.py)", text("co-creation.md")))
    written = {
        name
        for path in ROOT.glob("tests/**/test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 10
    assert not named - written
