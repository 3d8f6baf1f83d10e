"""The ground that tests and demo stand on: the script, the browser's files, the locks, the databases, the servers."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlmodel import Session, SQLModel

from participation import assets
from participation.database import migrate
from tests import cast, conftest, servers
from tests.conftest import MailServer, NewPage, OpenIdProvider, Run
from tests.html import PageReader, Seen, shape, structure_faults

ROOT = servers.ROOT


# ----------------------------------------------------------------------------------------------------- the script

UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
case $1 in
--version) exit 0 ;;
venv) for folder; do :; done; mkdir -p "$folder/bin" && ln -s "$REAL_PYTHON" "$folder/bin/python" ;;
pip) [ ! -e "$BREAK" ] || exit 1 ;;
esac
"""
NPM = """#!/bin/sh
echo "npm $*" >>"$CALLS"
[ "$1" = --version ] && exit 0
mkdir -p node_modules && cp -R "$REAL_PACKAGES"/. node_modules/
"""


class Checkout:
    """A copy of what ``./run`` needs, in a path with spaces, with a uv and an npm that only say what they were told."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "ein Pfad mit Leerzeichen"
        self.calls = folder / "calls"
        self.broken = folder / "broken"
        for name in (
            "run",
            "package-lock.json",
            "package.json",
            "requirements",
            "static/vendor.json",
            "participation",
        ):
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, target, ignore=shutil.ignore_patterns("pages", "locale", "__pycache__")
                )
            else:
                shutil.copy(ROOT / name, target)
        packages = folder / "packages"
        for asset in assets.read_list(ROOT / "static" / "vendor.json"):
            (packages / asset.source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "node_modules" / asset.source, packages / asset.source)
        programs = folder / "programs"
        programs.mkdir()
        for name, script in (("uv", UV), ("npm", NPM)):
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CALLS": str(self.calls),
            "BREAK": str(self.broken),
            "REAL_PACKAGES": str(packages),
            "REAL_PYTHON": sys.executable,
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.root / "run"), *arguments],
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
        )

    def told(self) -> list[str]:
        """What uv and npm were told since the last time somebody asked, without their versions."""
        said = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [call.split(" --")[0] for call in said if not call.endswith("--version")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_run_sets_up_and_the_second_does_nothing(checkout: Checkout) -> None:
    first = checkout.run("assets")
    assert first.returncode == 0, first.stderr
    assert checkout.told() == ["uv venv", "uv pip install", "npm ci"]
    assert (checkout.root / "static/vendor/leaflet/leaflet.js").is_file()
    assert list((checkout.root / ".cache/bytecode").rglob("*.pyc")), "the next start need not compile again"
    assert not list(checkout.root.rglob("__pycache__"))
    assert checkout.run("assets").returncode == 0
    assert checkout.told() == []


def test_an_interrupted_set_up_is_done_again_from_the_start(checkout: Checkout) -> None:
    checkout.broken.touch()
    assert checkout.run("assets").returncode != 0
    assert checkout.told() == ["uv venv", "uv pip install"]
    checkout.broken.unlink()
    assert checkout.run("assets").returncode == 0
    assert checkout.told() == ["uv venv", "uv pip install", "npm ci"]


@pytest.mark.parametrize(
    ("changed", "calls"),
    [
        ("requirements/run.txt", ["uv pip install"]),
        ("package-lock.json", []),
        ("static/vendor.json", ["npm ci"]),
    ],
)
def test_a_changed_lock_is_followed(checkout: Checkout, changed: str, calls: list[str]) -> None:
    checkout.run("assets")
    checkout.told()
    with (checkout.root / changed).open("a") as file:
        file.write("\n")
    shutil.rmtree(checkout.root / "node_modules")
    assert checkout.run("assets").returncode == 0
    assert checkout.told() == calls


def test_deleting_what_was_set_up_sets_it_up_again(checkout: Checkout) -> None:
    checkout.run("assets")
    checkout.told()
    for folder in (".venv", "static/vendor", "node_modules"):
        shutil.rmtree(checkout.root / folder)
    assert checkout.run("assets").returncode == 0
    assert checkout.told() == ["uv venv", "uv pip install", "npm ci"]


def test_a_file_that_differs_from_its_hash_stops_the_set_up(checkout: Checkout) -> None:
    with Path(checkout.environment["REAL_PACKAGES"], "leaflet/dist/leaflet.js").open("a") as file:
        file.write("alert(1)")
    result = checkout.run("assets")
    assert result.returncode != 0
    assert "leaflet/dist/leaflet.js: SHA-256 is" in result.stderr
    assert not (checkout.root / "static/vendor").exists()


def test_an_unknown_command_says_what_there_is(checkout: Checkout) -> None:
    result = checkout.run("dmeo")
    assert result.returncode != 0
    assert "unknown command: dmeo" in result.stderr
    assert "./run demo" in result.stderr


# ----------------------------------------------------------------------------------------- the browser's files


def _asset(path: str, source: str, content: bytes) -> assets.Asset:
    import hashlib

    return assets.Asset(path, source, hashlib.sha256(content).hexdigest())


def test_assets_are_copied_and_what_is_no_longer_listed_goes(tmp_path: Path) -> None:
    packages, vendor = tmp_path / "packages", tmp_path / "vendor"
    packages.mkdir()
    (packages / "a.js").write_bytes(b"a")
    (vendor / "old").mkdir(parents=True)
    (vendor / "old" / "b.js").write_bytes(b"b")
    assets.copy_assets([_asset("new/a.js", "a.js", b"a")], packages, vendor)
    assert [file.relative_to(vendor).as_posix() for file in vendor.rglob("*")] == ["new", "new/a.js"]


def test_nothing_is_written_when_one_of_several_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(b"a")
    listed = [_asset("a.js", "a.js", b"a"), _asset("b.js", "b.js", b"b")]
    with pytest.raises(assets.BrokenAsset, match=r"b\.js: No such file"):
        assets.copy_assets(listed, tmp_path, tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


@pytest.mark.parametrize("path", ["../x.js", "/etc/x.js", "a/../../x.js", "", "..\\x.js"])
def test_no_listed_path_leads_outside(tmp_path: Path, path: str) -> None:
    listed = tmp_path / "vendor.json"
    listed.write_text(
        '{"PATH": {"from": "a.js", "sha256": "00"}}'.replace("PATH", path.replace("\\", "\\\\"))
    )
    with pytest.raises(assets.BrokenAsset, match="is not a path below its folder"):
        assets.read_list(listed)


@pytest.mark.parametrize("content", ["", "[]", '{"a": {}}', '{"a": 1}', "{"])
def test_a_broken_list_is_named(tmp_path: Path, content: str) -> None:
    listed = tmp_path / "vendor.json"
    listed.write_text(content)
    with pytest.raises(assets.BrokenAsset, match=r"vendor\.json cannot be read"):
        assets.read_list(listed)


def test_every_package_that_is_served_brings_its_licence() -> None:
    listed = [asset.path for asset in assets.read_list(ROOT / "static" / "vendor.json")]
    for folder in {path.split("/")[0] for path in listed}:
        assert [path for path in listed if path.startswith(f"{folder}/") and re.search("LICEN[CS]E", path)], (
            folder
        )


def test_style_sheets_from_packages_load_nothing_from_elsewhere() -> None:
    for asset in assets.read_list(ROOT / "static" / "vendor.json"):
        if asset.path.endswith(".css"):
            sheet = (ROOT / "static" / "vendor" / asset.path).read_text(encoding="utf-8")
            foreign = re.findall(r"(?:url\(|@import\s+)['\"]?(?:https?:)?//[^)]*", sheet)
            assert not foreign, f"{asset.path} loads {foreign}"


# ------------------------------------------------------------------------------------------------------- the locks


def _pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if re.match(r"[a-z0-9]", line))


def test_locks_name_hashes_and_no_addresses() -> None:
    for file in [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "package-lock.json", ROOT / ".npmrc"]:
        content = file.read_text(encoding="utf-8")
        assert not re.search(
            r"--(extra-)?index-url|--find-links|\"resolved\"|registry\s*=|file://", content
        ), file.name
        if file.suffix == ".txt":
            packages = re.split(r"\n(?=[a-z0-9])", content)
            assert all("--hash=sha256:" in package for package in packages if package.strip()), file.name


def test_tests_run_with_the_very_packages_that_the_demo_runs_with() -> None:
    assert _pins("run.txt").items() <= _pins("test.txt").items()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for wanted, lock in (
        (project["project"]["dependencies"], "run.txt"),
        (project["dependency-groups"]["test"], "test.txt"),
    ):
        names = {re.split(r"[\[<>=;~! ]", line)[0].lower().replace("_", "-") for line in wanted}
        assert names <= _pins(lock).keys(), lock


# --------------------------------------------------------------------------------------------------- the databases


@pytest.mark.parametrize("key", ["first", "second"])
def test_each_test_has_a_database_of_its_own(session: Session, key: str) -> None:
    cast.found(session, key=key)
    session.commit()
    assert session.connection().execute(text("SELECT count(*) FROM municipality")).scalar() == 1


def test_the_migrations_make_what_the_tables_say(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _modelled}
        )
        assert compare_metadata(context, SQLModel.metadata) == []
        definitions = "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
        if engine.dialect.name == "postgresql":
            definitions = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        made = {name: sql for name, sql in connection.execute(text(definitions)) if " WHERE " in (sql or "")}
    partial = {
        str(index.name): index.info["only"]
        for table in SQLModel.metadata.tables.values()
        for index in table.indexes
        if "only" in index.info
    }
    assert partial.keys() == made.keys()
    for name, condition in partial.items():
        column = condition.partition(" ")[0]
        assert column in made[name].partition(" WHERE ")[2], name


def _modelled(name: str | None, kind: str, parents: object) -> bool:
    """The full-text index is the databases' own affair: tables of SQLite, an index of PostgreSQL, no table class."""
    return not (name or "").startswith(("search_index", "ix_search_entry_stems"))


def test_migrating_again_changes_nothing(engine: Engine, session: Session) -> None:
    cast.found(session)
    session.commit()
    migrate(engine)
    assert session.connection().execute(text("SELECT count(*) FROM municipality")).scalar() == 1


# ----------------------------------------------------------------------------------------------------- the servers


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_mail_server_can_go_and_come_back(mail_server: MailServer) -> None:
    import smtplib

    for word in ("eins", "zwei"):
        with smtplib.SMTP(mail_server.host, mail_server.port) as connection:
            connection.sendmail(
                "a@stadt.example", ["b@stadt.example"], f"Subject: {word}\r\n\r\nGuten Tag\r\n"
            )
        mail_server.stop()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(mail_server.host, mail_server.port)
        mail_server.restart()
    assert [message["Subject"] for message in mail_server.messages()] == ["eins", "zwei"]


def test_the_openid_provider_says_who_it_is(openid_provider: OpenIdProvider) -> None:
    openid_provider.add_user("mona", email="mona@stadt.example")
    with urllib.request.urlopen(f"{openid_provider.url}/.well-known/openid-configuration") as answer:
        assert openid_provider.url in answer.read().decode()


def test_a_server_ends_with_its_owner_even_when_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from tests import servers\n"
        "with servers.smtp() as server:\n"
        "    print(server.port, server.folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    port, folder = owner.stdout.readline().split()
    assert _listens(int(port))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    give_up = time.monotonic() + 10
    while (_listens(int(port)) or Path(folder).exists()) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not _listens(int(port))
    assert not Path(folder).exists()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no disk left')"]
    with pytest.raises(RuntimeError, match="no disk left"):
        servers.start(command, url="", ready=lambda: False)


def test_what_is_missing_is_said_loudly_and_fails_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = servers.Missing("A thing")
    monkeypatch.setattr(conftest, "IN_CI", False)
    with pytest.raises(pytest.skip.Exception, match="NOT TESTED: A thing"):
        conftest.not_tested(missing)
    monkeypatch.setattr(conftest, "IN_CI", True)
    with pytest.raises(pytest.fail.Exception, match="NOT TESTED: A thing"):
        conftest.not_tested(missing)


@pytest.mark.parametrize(
    ("name", "package"), [("java", "default-jre-headless"), ("pdftotext", "poppler-utils")]
)
def test_the_programs_that_tests_use_are_here(name: str, package: str) -> None:
    try:
        assert servers.program(name, package)
    except servers.Missing as missing:
        conftest.not_tested(missing)


# ------------------------------------------------------------------------------------------------ reading pages

PAGE = """<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Titel</title></head>
<body><main><h1>Überschrift</h1>{}</main></body></html>"""


def test_a_good_page_has_no_faults(page_reader: PageReader) -> None:
    good = PAGE.format('<h2>Zwei</h2><form><label for="a">Wort</label><input id="a" name="a"></form>')
    assert page_reader.faults(Seen("/", 200, good.encode())) == []


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        ("<h1>Noch eine</h1>", "2 main headings"),
        ("<h3>Drei</h3>", "a heading of level 3 follows one of level 1"),
        ('<p id="a"></p><p id="a"></p>', "the id 'a' is there twice"),
        ('<input name="q">', 'name="q"> on line 2 has no label'),
        ('<img src="/a.png">', "has no alt"),
        ('<a href="/"></a>', "has no text"),
        ("<button></button>", "has no text"),
        ('<p style="color:red">a</p>', "has a style attribute"),
        ("<script>alert(1)</script>", "carries a script"),
        ("<style>a{}</style>", "carries a script or style"),
    ],
)
def test_what_a_page_lacks_is_named(piece: str, fault: str) -> None:
    assert any(fault in said for said in structure_faults(PAGE.format(piece).encode()))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (' lang="de"', "", "does not say its language"),
        ("<title>Titel</title>", "", "has no title"),
        ("main>", "div>", "has no main part"),
        ("h1>", "p>", "0 main headings"),
    ],
)
def test_what_every_page_needs_is_missed(old: str, new: str, fault: str) -> None:
    assert any(fault in said for said in structure_faults(PAGE.format("").replace(old, new).encode()))


def test_invalid_html_is_found(run: Run, tmp_path: Path) -> None:
    validator = run.server("html", servers.html_validator)
    reader = PageReader(lambda: validator.url, tmp_path)
    for words in ("a", "another word, of the same shape"):
        said = reader.faults(Seen("/", 200, PAGE.format(f"<span><p>{words}</p></span>").encode()))
        assert any("“p” not allowed as child of element “span”" in fault for fault in said), said
    assert len(list(tmp_path.iterdir())) == 1
    said = reader.faults(Seen("/", 200, PAGE.format("<span><b>a</b></span>").encode()))
    assert not said, said


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ('<p title="a">12 Bäume</p>', '<p title="b &amp; c">7 Büsche,\nviele</p>', True),
        ("<p>a</p>", "<p></p>", False),
        ("<p>a</p>", "<b>a</b>", False),
        ('<p title="a">a</p>', '<p title="">a</p>', False),
        ('<a href="/a">a</a>', '<a href="/a b">a</a>', False),
        ('<p class="a">a</p>', "<p class>a</p>", False),
        ("<time>a</time>", "<time>b</time>", False),
        ('<time datetime="2027-02-01">1. Februar</time>', '<time datetime="2027-03-01">1. März</time>', True),
    ],
)
def test_pages_of_one_shape_are_checked_once(one: str, other: str, alike: bool) -> None:
    assert (shape(one.encode()) == shape(other.encode())) is alike


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_barriers_are_found_with_and_without_scripts(
    new_page: NewPage, axe: conftest.Axe, scripts: bool
) -> None:
    page = new_page(java_script_enabled=scripts)
    piece = ""
    page.route("**/page", lambda route: route.fulfill(body=PAGE.format(piece), content_type="text/html"))
    page.goto("/page")
    axe(page)
    piece = '<img src="data:,">'
    page.goto("/page")
    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)
