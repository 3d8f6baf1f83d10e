"""The house itself: who imports whom, read from the import statements and held against one table.

participation → consultations → geo: imports fall, never rise, and never run in a circle. Imports inside functions
count too; being late does not make an import go another way.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STOREYS = ("participation", "consultations", "geo")

# ------------------------------------------------------------------------------------------------- the table

FLOORS: dict[str, dict[str, int]] = {
    "participation": {
        **dict.fromkeys(
            [
                "__main__",
                "process",
                "import_command",
                "deadline_command",
                "availability_command",
                "demo",
                "demo_samples",
                "demo_agencies",
                "demo_proposals",
                "demo_surveys",
                "demo_votes",
            ],
            5,
        ),
        "app": 4,
        "pages": 3,
        **dict.fromkeys(["web", "receipts", "delivery", "probes", "agency_messages", "news_messages"], 2),
    },
    "consultations": {
        **dict.fromkeys(["exports", "evidence", "bulk", "agency_import"], 6),
        **dict.fromkeys(
            [
                "weighing",
                "moderation",
                "proposing",
                "amendments",
                "support",
                "support_lists",
                "voting",
                "voting_codes",
                "paper_ballots",
                "unions",
                "side_words",
                "following",
                "digests",
                "procedure_news",
                "saved_searches",
                "evaluation",
                "implementation",
                "discussion",
                "rewording",
                "proposal_lists",
                "topics",
                "surveys",
                "survey_answers",
                "survey_results",
                "published",
                "releases",
                "lateness",
                "certificates",
                "invitations",
                "agency_answers",
                "agency_overview",
                "other_access",
                "attached",
            ],
            5,
        ),
        "evidence_of_publication": 6,
        **dict.fromkeys(["comparison", "merging", "cocreation", "wording", "counting", "questions"], 0),
        **dict.fromkeys(
            ["contributions", "received", "nearby", "variants", "terminals", "announcements", "corrections"],
            4,
        ),
        **dict.fromkeys(
            [
                "phases",
                "procedures",
                "nesting",
                "publishing",
                "filing",
                "changes",
                "frozen",
                "periods",
                "availability",
                "agency_periods",
                "proposals",
                "happenings",
                "ballots",
            ],
            3,
        ),
        **dict.fromkeys(["refusals", "permissions", "deadlines", "channels", "text"], 0),
        **dict.fromkeys(["law", "legal_facts", "legal_periods", "computation", "reasons", "seats"], 0),
        **dict.fromkeys(["schedule", "templates"], 0),
        **dict.fromkeys(["announcement_text", "checks"], 0),
    },
    "geo": {
        **dict.fromkeys(["geometry", "sun", "styles", "curves"], 0),
        **dict.fromkeys(["layers", "city"], 1),
        **dict.fromkeys(["readers", "maps", "tiles", "shadows", "plans"], 2),
        **dict.fromkeys(["pictures", "scene"], 3),
    },
}
"""How high a room lies in its storey. A room may import rooms on its own floor and below."""

ELSEWHERE = {"participation": 1, "consultations": 2, "geo": 1}
"""The floor of a room that FLOORS does not name: below the matter itself, above what is pure."""

PURE = {f"consultations.{room}" for room, floor in FLOORS["consultations"].items() if floor == 0}

WEB = {"starlette", "uvicorn", "httpx", "httpx2", "jinja2", "authlib", "wtforms"}
DATABASE = {"sqlmodel", "sqlalchemy", "alembic", "psycopg", "sqlite3"}
HEAVY = {"pandas", "geopandas", "folium", "pyogrio", "openpyxl", "sklearn", "matplotlib"}
"""Costs a second and a hundred megabytes: imported only inside functions."""

MAY_QUERY = {
    *("participation.database", "participation.identity", "participation.jobs", "participation.web"),
    "participation.writers",  # The part of the database where writers wait.
    "participation.tries",  # A counter, where several processes share it.
}
MAP_PAGES = {
    "planned_variants",
    "city",
    "sunlight",
    "maps",
    "map_ground",
    "map_canvas",
    "map_plan",
    "map_feeds",
    "map_layers",
    "map_things",
    "compare",
    "layer_looks",
    "layer_links",
    "map_town",
    "map_vectors",
    "survey_places",
}

HANDED_ON = {"sqlmodel.Session", "sqlalchemy.Engine"}
"""Whoever does not query may still hold these and hand them on."""

MAY_KNOW_THE_TIME = {f"participation.{room}" for room in ("settings", "house", "process", "__main__")}
"""Everybody else is told: ``now`` is an argument. (Measuring how long something takes is not asking the time.)"""

CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "environ.get"}


# ------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Module:
    """One file of the house: its imports, those of them that run when it is imported, and what it asks outside."""

    name: str
    imports: frozenset[str]
    at_once: frozenset[str]
    asks: frozenset[str] = frozenset()

    @property
    def storey(self) -> str:
        return self.name.partition(".")[0]


def floor(name: str) -> int:
    storey, *rest = name.split(".")
    return FLOORS[storey].get(rest[0] if rest else "", ELSEWHERE[storey])


def read(name: str, source: str, known: Iterable[str]) -> Module:
    """The module ``name`` with the text ``source``; names that are modules of the house are resolved to them."""
    known = set(known)
    imports: set[str] = set()
    at_once: set[str] = set()
    asks: set[str] = set()

    def visit(node: ast.AST, late: bool) -> None:
        late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            late = True
        found: set[str] = set()
        if isinstance(node, ast.Import):
            found = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively; say the whole name"
            base = node.module or ""
            inner = {f"{base}.{alias.name}" for alias in node.names} & known
            found = {base} if base in known else {f"{base}.{alias.name}" for alias in node.names}
            found |= inner
        elif isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            asks.update({dotted} & (CLOCK | ENVIRONMENT))
        imports.update(found)
        if not late:
            at_once.update(found)
        for child in ast.iter_child_nodes(node):
            visit(child, late)

    visit(ast.parse(source), late=False)
    return Module(name, frozenset(imports), frozenset(at_once), frozenset(asks))


def house() -> dict[str, Module]:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for storey in STOREYS
        for file in sorted((ROOT / storey).rglob("*.py"))
        if "migrations" not in file.parts  # They run on their own and import nothing of ours: see below.
    }
    return {name: read(name, file.read_text(encoding="utf-8"), files) for name, file in files.items()}


# ------------------------------------------------------------------------------------------------- judging


def faults(modules: Mapping[str, Module]) -> list[str]:
    """Every import and question that the table forbids, and every circle, one sentence each."""
    found: list[str] = []
    for module in modules.values():
        for imported in sorted(module.imports):
            if reason := forbidden(module, imported):
                found.append(f"{module.name} imports {imported}: {reason}")
        found += [
            f"{module.name} imports {name} at once: only inside functions"
            for name in sorted(at_once_heavy(module))
        ]
        if module.asks and module.name not in MAY_KNOW_THE_TIME:
            found += [f"{module.name} asks {question}: it is told" for question in sorted(module.asks)]
    return found + ["a circle: " + " → ".join(circle) for circle in circles(modules)]


def at_once_heavy(module: Module) -> set[str]:
    return {name for name in module.at_once if name.partition(".")[0] in HEAVY}


def forbidden(module: Module, imported: str) -> str | None:
    """Why ``module`` may not import ``imported``, or None."""
    top = imported.partition(".")[0]
    is_page = module.name.startswith("participation.pages.")
    if top in STOREYS:
        if STOREYS.index(top) < STOREYS.index(module.storey):
            return "imports fall, never rise"
        if top == module.storey and floor(imported) > floor(module.name):
            return "it lies on a higher floor"
        if top == "geo" and module.storey == "consultations":
            export = module.name.startswith("consultations.exports.")
            if not export and imported not in {"geo.geometry", "geo.layers"}:
                return "of geo, the matter knows geometry and layers only"
        if top == "geo" and is_page and module.name.rpartition(".")[2] not in MAP_PAGES:
            return "of the pages, only those with maps know geo"
        if module.name in PURE and imported != "consultations" and imported not in PURE:
            return "pure rooms know each other only"
    if top in WEB and module.storey != "participation":
        return "the web stays upstairs"
    if top in DATABASE:
        if module.storey == "geo" or module.name in PURE:
            return "no database in here"
        if module.storey == "participation" and module.name not in MAY_QUERY and imported not in HANDED_ON:
            return "queries live below, or in " + ", ".join(sorted(MAY_QUERY))
    return None


def circles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Every group of modules that import each other in a circle, each as one closed walk."""
    graph = {name: sorted(module.imports & modules.keys() - {name}) for name, module in modules.items()}
    found: list[list[str]] = []
    settled: set[str] = set()
    for start in sorted(graph):
        if start in settled:
            continue
        walk = shortest_way_back(graph, start)
        if walk and not settled & set(walk):
            found.append(walk)
            settled.update(walk)
    return found


def shortest_way_back(graph: Mapping[str, list[str]], start: str) -> list[str] | None:
    walks = [[start]]
    visited: set[str] = set()
    while walks:
        walk = walks.pop(0)
        for following in graph[walk[-1]]:
            if following == start:
                return [*walk, start]
            if following not in visited:
                visited.add(following)
                walks.append([*walk, following])
    return None


# ------------------------------------------------------------------------------------------------- the tests


def test_imports_fall_and_the_rooms_keep_to_the_table() -> None:
    assert faults(house()) == []


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("geo.tiles", "import consultations.journal", "imports fall, never rise"),
        ("consultations.journal", "def f():\n    from participation import web", "imports fall, never rise"),
        ("consultations.procedures", "from consultations import contributions", "it lies on a higher floor"),
        ("consultations.procedures", "from starlette.requests import Request", "the web stays upstairs"),
        ("consultations.procedures", "import geo.maps", "geometry and layers only"),
        ("consultations.deadlines", "import sqlmodel", "no database in here"),
        ("consultations.deadlines", "import consultations.journal", "it lies on a higher floor"),
        ("consultations.journal", "from datetime import datetime\ndatetime.now()", "it is told"),
        ("consultations.files", "import os\nos.environ['X']", "it is told"),
        ("geo.layers", "import geopandas", "only inside functions"),
        ("geo.layers", "from sqlalchemy import select", "no database in here"),
        ("participation.pages.home", "from sqlmodel import select", "queries live below"),
        ("participation.pages.home", "import geo.geometry", "only those with maps know geo"),
        ("participation.pages.home", "from participation import app", "it lies on a higher floor"),
    ],
)
def test_what_the_table_forbids_is_named(name: str, source: str, fault: str) -> None:
    known = [
        *("participation.web", "participation.app", "consultations.journal", "consultations.contributions"),
        *("geo.maps", "geo.geometry"),
    ]
    said = faults({name: read(name, source, known)})
    assert [sentence for sentence in said if name in sentence and fault in sentence], said


def test_a_circle_is_named_once_with_its_way() -> None:
    known = ["consultations.files", "consultations.people", "consultations.journal"]
    sources = {
        "consultations.files": "import consultations.people",
        "consultations.people": "def f():\n    import consultations.journal",
        "consultations.journal": "from consultations import files",
    }
    modules = {name: read(name, source, known) for name, source in sources.items()}
    assert faults(modules) == [
        "a circle: consultations.files → consultations.people → consultations.journal → consultations.files"
    ]


def test_packages_hold_nothing_but_their_lists() -> None:
    lists = {
        Path("geo/readers/__init__.py"),
        Path("consultations/exports/__init__.py"),
        Path("participation/pages/__init__.py"),
    }
    for storey in STOREYS:
        for file in (ROOT / storey).rglob("__init__.py"):
            if file.relative_to(ROOT) not in lists:
                assert not ast.parse(file.read_text(encoding="utf-8")).body, (
                    f"{file.relative_to(ROOT)} is not empty"
                )


def test_every_module_says_what_it_is() -> None:
    silent = [
        name
        for storey in STOREYS
        for file in (ROOT / storey).rglob("*.py")
        if (name := file.relative_to(ROOT).as_posix())
        and file.name != "__init__.py"
        and not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_migrations_import_nothing_of_ours() -> None:
    for file in sorted((ROOT / "participation").rglob("versions/*.py")):
        module = read(file.stem, file.read_text(encoding="utf-8"), [])
        ours = {name for name in module.imports if name.partition(".")[0] in STOREYS}
        assert not ours, f"{file.relative_to(ROOT)} imports {ours}"


def test_no_town_is_named_in_code_or_templates() -> None:
    """Places differ by data. The demo is data; all else serves any town."""
    named = []
    for folder, pattern in [
        *((storey, "*.py") for storey in STOREYS),
        ("templates", "*"),
        ("static/css", "*"),
        ("static/js", "*"),
    ]:
        for file in sorted((ROOT / folder).rglob(pattern)):
            if (
                file.is_file()
                and not file.name.startswith("demo")
                and "augsburg" in file.read_text("utf-8").lower()
            ):
                named.append(file.relative_to(ROOT).as_posix())
    assert named == []


NOT_AT_THE_START = HEAVY | {
    *("numpy", "shapely", "PIL", "lxml", "pypdf", "typst", "puremagic", "holidays", "icalendar"),
    *("alembic", "authlib", "cryptography", "httpx2", "aiosmtplib", "typer", "rich"),
    *("email.policy", "email_validator", "babel.messages", "limits", "sqlalchemy.dialects.postgresql"),
}
"""What a server on SQLite loads when somebody first needs it, and not before."""


def test_a_server_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    program = """
import sys
from participation import process, serving
from participation.app import create_app
from participation.settings import Settings
create_app(Settings(database_url=f"sqlite:///{sys.argv[1]}/unused", secret="a secret that only the tests know, and long"))
print("\\n".join(sys.modules))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not NOT_AT_THE_START & set(loaded.stdout.split())
