"""A delivered file read in a process of its own: what reading it costs, or breaks, ends with that process.

The server never opens a foreign map file itself. `read_apart` starts `python -m geo.readers.apart`, which loads the
libraries and then forks for each file: the fork reads it, writes the normalised layer and says in plain JSON what a town
needs to know of it: the report, the areas that could be a plan area, the plans of an XPlanGML file, and the places that
have a name. If the fork dies, the file is refused and nothing else happens. The process that forks stays a while, since
loading the libraries takes longer than reading most files, and files come in rows.

Importing this module loads neither geopandas nor shapely.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TextIO

from pydantic import TypeAdapter

from geo.geometry import GeometryProblem, Located, from_metres
from geo.layers import Attached, LayerProblem, LayerRead, LayerReport, Limits, PlanFacts, write_normalised
from geo.readers.gltf import Placement

if TYPE_CHECKING:
    import geopandas

Naming = Literal["", "district", "street", "parcel"]
"""What the features of a layer are as named places; "" for none."""

MAX_AREAS: Final = 60
"""Areas that are listed one by one for a person to choose from."""

_SECONDS: Final = 300
_MEMORY: Final = 6_000_000_000
#: How long the process that forks waits for the next file (seconds).
_PATIENCE: Final = 120.0
_LIBRARIES: Final = ("geopandas", "pyogrio", "shapely", "pyproj", "lxml.etree", "geo.readers")
_SIDE_BY_SIDE: Final = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
"""Processes that read a large city model for the one that writes it."""
_AT_ONCE = threading.BoundedSemaphore(1)


@dataclass(frozen=True, slots=True)
class Area:
    """One area of a layer: its number (from 1), what it calls itself, its size in square metres, and where it is."""

    feature: int
    name: str
    square_metres: float
    located: Located


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of an XPlanGML file: its name and number, the planner's words for it, and its area if it has one."""

    name: str
    number: str
    description: str
    quarter: str
    kind: str
    state: str
    area: Area | None


@dataclass(frozen=True, slots=True)
class Named:
    """A place with a name; `district` tells two of the same name apart."""

    name: str
    district: str
    located: Located


@dataclass(frozen=True, slots=True)
class Reading:
    """What came out of a file.

    `areas` are at most `MAX_AREAS`, the largest first; `area_count` counts all. `whole` is all of them together, and
    None without any. `attached` lie in the archive of a plan, or are named by it.
    """

    report: LayerReport
    areas: tuple[Area, ...]
    area_count: int
    whole: Area | None
    plans: tuple[Plan, ...]
    places: tuple[Named, ...]
    attached: tuple[Attached, ...]


_READING: Final = TypeAdapter(Reading)


def read_apart(
    path: Path,
    *,
    filename: str,
    crs: int | None = None,
    target: Path | None = None,
    model: Path | None = None,
    naming: Naming = "",
    placement: Placement | None = None,
    progress: Callable[[float], None] = lambda share: None,
    seconds: float = _SECONDS,
) -> Reading:
    """Read the file at `path` (called `filename`) in a child process; write the normalised layer to `target`.

    A city model is also written to `model` (see `geo.readers.citymodel`), a terrain too (`geo.terrain`). `placement` says
    where a glTF file stands, which is read only with one. `progress` is told the share that is done,
    from 0 to 1; if it raises, the child is ended and nothing is left. `crs` is an EPSG code for files that do not say theirs. `naming` asks for the named places: districts and streets
    one a name (parts of a street that lie apart stay apart), parcels each by its number. One file is read at a time;
    `seconds` is how long that may take, waiting for the one before and reading each.
    Raises LayerProblem, whatever the file holds.
    """
    order = json.dumps(
        [
            str(path),
            filename,
            crs,
            *(str(file) if file else "" for file in (target, model)),
            naming,
            asdict(placement) if placement else None,
        ]
    )
    if not _AT_ONCE.acquire(timeout=max(seconds, 0)):
        raise LayerProblem("too_slow", seconds=seconds)
    try:
        reader = _Reader.at_hand()
        too_long = threading.Timer(seconds, reader.kill)
        began = time.monotonic()
        too_long.start()
        try:
            answer = reader.read(order, progress)
        except BaseException:
            reader.end()
            raise
        finally:
            too_long.cancel()
    finally:
        _AT_ONCE.release()
    if "died" in answer:
        if time.monotonic() - began >= seconds:
            raise LayerProblem("too_slow", seconds=seconds)
        raise LayerProblem("broken", detail=answer["died"])
    if "problem" in answer:
        raise LayerProblem(answer["problem"], **answer["facts"])
    return _READING.validate_python(answer)


class _Reader:
    """The process that forks for each file, from the first file on until nobody has sent one for a while."""

    _waiting: ClassVar["_Reader | None"] = None

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        # `-m` finds the package in the working directory: the same place in a checkout and in a wheel.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geo.readers.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=Path(__file__).parent.parent.parent,
            start_new_session=True,  # so that it can be ended together with its fork
        )
        self._patience: threading.Timer | None = None

    @classmethod
    def at_hand(cls) -> "_Reader":
        """The one that waits, or a new one."""
        found = cls._waiting
        if found is None or found._process.poll() is not None:
            found = cls._waiting = cls()
        if found._patience:
            found._patience.cancel()
        return found

    def read(self, order: str, progress: Callable[[float], None]) -> dict[str, Any]:
        """What the fork answers; {"died": why} if it could not."""
        self._said.seek(0)
        self._said.truncate()  # it shares its place in the file with the process
        answer = self._listen(order, progress)
        if answer is None:
            self.kill()
            self._said.seek(0)
            last = self._said.read().decode(errors="replace").strip().rpartition("\n")[2]
            self.end()
            return {"died": last[:200] or f"exit {self._process.returncode}"}
        self._patience = threading.Timer(_PATIENCE, self._leave)
        self._patience.daemon = True
        self._patience.start()
        return answer

    def _listen(self, order: str, progress: Callable[[float], None]) -> dict[str, Any] | None:
        """Hand on how far the fork is; its answer, once the process has said that it ended well."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        answer = None
        try:
            stdin.write(order.encode() + b"\n")
            stdin.flush()
            for line in stdout:
                said = json.loads(line)
                if isinstance(said, float):
                    progress(said)
                elif isinstance(said, dict):
                    answer = said
                else:
                    return answer if said == _ENDED_WELL else None
        except (BrokenPipeError, json.JSONDecodeError):
            pass
        return None

    def _leave(self) -> None:
        """Nobody has come: free the memory, unless somebody has come at the last moment."""
        if _AT_ONCE.acquire(blocking=False):
            try:
                self.end()
            finally:
                _AT_ONCE.release()

    def kill(self) -> None:
        """Kill it and its fork, wherever they are; whoever listens hears that."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it, and keep nothing of it."""
        if _Reader._waiting is self:
            _Reader._waiting = None
        self.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._said):
            if file:
                with contextlib.suppress(BrokenPipeError):
                    file.close()


@atexit.register
def _end_the_reader() -> None:
    if _Reader._waiting:
        _Reader._waiting.end()


def read_here(
    path: Path,
    *,
    filename: str,
    crs: int | None = None,
    target: Path | None = None,
    model: Path | None = None,
    naming: Naming = "",
    placement: Placement | None = None,
    progress: Callable[[float], None] = lambda share: None,
    processes: int = 1,
) -> Reading:
    """What `read_apart` promises, in this process: for files that we made ourselves, such as those of the demo.

    `processes`: see `Limits`."""
    from geo.readers import read_layer
    from geo.readers.archive import look
    from geo.readers.gltf import is_gltf, read_gltf

    if placement is not None and model is not None and is_gltf(file := look(path, filename, Limits())):
        read = read_gltf(file, placement, model)
    else:
        limits = Limits(processes=processes)
        read = read_layer(path, filename=filename, crs=crs, limits=limits, model=model, progress=progress)
    if target:
        write_normalised(read.frame, target)
    return _reading(read, naming)


# ------------------------------------------------------------------------------------------------ inside the process


_ENDED_WELL: Final = 0


def _main() -> None:
    """Fork for each order that comes in, a line each, and say how the fork ended: its exit status, an integer."""
    # Whatever a library prints must not end up in the answer.
    answer_to, sys.stdout = sys.stdout, sys.stderr
    for name in _LIBRARIES:
        importlib.import_module(name)
    settle()
    for order in sys.stdin:
        if (fork := os.fork()) == 0:
            _answer(order, answer_to)
            os._exit(_ENDED_WELL)
        _, status = os.waitpid(fork, 0)
        print(status, file=answer_to, flush=True)


def settle() -> None:
    """All is loaded: forks share it untouched, and Python does not look through it, nor after every 700 new objects, for
    what nobody uses any more. A third of the time of a city model went into that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _answer(order: str, answer_to: TextIO) -> None:
    """Read one file, in a process that does nothing else."""
    _confine()
    path, filename, crs, target, model, naming, placement = json.loads(order)
    told = 0.0

    def progress(share: float) -> None:
        nonlocal told
        if share >= told + 0.01:  # a hundred lines at most
            told = share
            print(json.dumps(float(share)), file=answer_to, flush=True)

    try:
        found = read_here(
            Path(path),
            filename=filename,
            crs=crs,
            target=Path(target) if target else None,
            model=Path(model) if model else None,
            naming=naming,
            placement=Placement(**placement) if placement else None,
            progress=progress,
            processes=_SIDE_BY_SIDE,
        )
        answer = asdict(found)
    except LayerProblem as problem:
        answer = {"problem": problem.code, "facts": json.loads(json.dumps(problem.facts, default=str))}
    except (MemoryError, RecursionError):
        answer = {"problem": "broken", "facts": {"detail": "not enough memory"}}
    print(json.dumps(answer, default=_hex), file=answer_to, flush=True)


def _confine() -> None:
    """Bounded memory (address space, bytes) and time (of the processor, seconds) for what follows."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def _hex(value: object) -> str:
    """WKB as JSON carries it."""
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)


def _reading(read: LayerRead, naming: Naming) -> Reading:
    areas, count, whole = _areas(read.frame)
    plans = [_plan(number, plan) for number, plan in enumerate(read.plans, start=1)]
    return Reading(
        report=read.report,
        areas=areas,
        area_count=count,
        whole=whole,
        plans=tuple(plans),
        places=tuple(_places(read.frame, naming)) if naming else (),
        attached=read.attached,
    )


def _plan(number: int, facts: PlanFacts) -> Plan:
    import shapely

    area = None
    if facts.area is not None:
        shape = shapely.from_wkb(facts.area)
        located = _located(shape)
        area = Area(number, facts.name, float(shape.area), located) if located else None
    return Plan(facts.name, facts.number, facts.description, facts.quarter, facts.kind, facts.state, area)


def _located(shape: Any) -> Located | None:
    """The shape as something to store, or None for one that is too small or too thin to be a place."""
    try:
        return from_metres(shape)
    except GeometryProblem:
        return None


_LABELS: Final = ("name", "bezeichnung", "bezeichnun", "titel", "title", "nummer", "planname", "id", "gml_id")


def _areas(frame: "geopandas.GeoDataFrame") -> tuple[tuple[Area, ...], int, Area | None]:
    """The largest areas, how many there are, and all of them as one."""
    import shapely

    chosen = frame[frame.geom_type.isin(("Polygon", "MultiPolygon"))]
    if not len(chosen):
        return (), 0, None
    sizes = chosen.geometry.area.sort_values(ascending=False, kind="stable")
    label = _column(frame, _LABELS)
    areas = []
    for index in sizes.index[:MAX_AREAS]:
        located = _located(chosen.geometry.loc[index])
        if located is not None:
            name = _text(chosen.loc[index, label]) if label else ""
            areas.append(Area(int(index) + 1, name, float(sizes.loc[index]), located))
    together = shapely.union_all(chosen.geometry.values)
    located = _located(together)
    whole = Area(0, "", float(together.area), located) if located else None
    return tuple(areas), len(chosen), whole


# -- places with a name

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "district": (
        "name",
        "stadtbezirk",
        "stadtteil",
        "ortsteil",
        "bezirk",
        "bezeichnung",
        "bezeichnun",
        "display_name",
    ),
    "street": ("name", "strassenname", "strassenna", "strname", "str_name", "strasse", "lagebeztxt"),
}
_DISTRICTS: Final = ("viertel", "stadtbezirk", "stadtteil", "ortsteil", "bezirk", "gemarkung", "district")
#: Parts of a street with one name that lie further apart than this (metres) are two streets.
_APART: Final = 500.0


def _places(frame: "geopandas.GeoDataFrame", naming: Naming) -> Iterator[Named]:
    """The named places of a layer. Raises LayerProblem no_names when no column could hold names."""
    if naming == "parcel":
        yield from _parcels(frame)
        return
    column = _column(frame, _NAMES[naming])
    if column is None:
        raise LayerProblem("no_names", columns=", ".join(str(name) for name in frame.columns[:12]))
    wanted = ("LineString", "MultiLineString") if naming == "street" else ("Polygon", "MultiPolygon")
    named = frame[frame[column].map(lambda value: bool(_text(value))) & frame.geom_type.isin(wanted)]
    district = _column(frame, _DISTRICTS) if naming == "street" else None
    for name, group in named.groupby(named[column].map(_text), sort=True):
        parts = _near_each_other(group) if naming == "street" else [group]
        for part in parts:
            located = _located(_joined(part, naming))
            if located is not None:
                yield Named(str(name), _districts_of(part, district), located)


def _near_each_other(group: "geopandas.GeoDataFrame") -> "list[geopandas.GeoDataFrame]":
    """The parts of a street, those apart in groups of their own: towns with villages have two of many a name."""
    import shapely

    if len(group) == 1:
        return [group]
    reach = shapely.buffer(group.geometry.values, _APART / 2, quad_segs=2)
    clumps = shapely.get_parts(shapely.union_all(reach))
    if len(clumps) == 1:
        return [group]
    return [group[shapely.intersects(clump, group.geometry.values)] for clump in clumps]


def _joined(group: "geopandas.GeoDataFrame", naming: Naming) -> Any:
    import shapely

    together = shapely.union_all(group.geometry.values)
    return (
        shapely.line_merge(together)
        if naming == "street" and together.geom_type != "LineString"
        else together
    )


def _districts_of(group: "geopandas.GeoDataFrame", column: str | None) -> str:
    """The districts that a street runs through, the longest stretch first; at most three."""
    if column is None:
        return ""
    lengths = (
        group.geometry.length.groupby(group[column].map(_text))
        .sum()
        .sort_values(ascending=False, kind="stable")
    )
    return ", ".join(str(name) for name in lengths.index[:3] if name)


def _parcels(frame: "geopandas.GeoDataFrame") -> Iterator[Named]:
    """Parcels by district of the land register, sheet and number (ALKIS: gemarkung, flur, flurstnr)."""
    number = _column(frame, ("flurstnr", "flurstueck", "flurstuecksnummer", "flstnr", "nummer", "name"))
    if number is None:
        raise LayerProblem("no_names", columns=", ".join(str(name) for name in frame.columns[:12]))
    district, sheet = _column(frame, ("gemarkung", "gmk_name", "gemarkungsname")), _column(frame, ("flur",))
    for _, row in frame[frame.geom_type.isin(("Polygon", "MultiPolygon"))].iterrows():
        located = _located(row.geometry)
        words = _text(row[number])
        if located is None or not words:
            continue
        on_sheet = _text(row[sheet]).lstrip("0") if sheet else ""
        name = f"Flurstück {words}" + (f" (Flur {on_sheet})" if on_sheet else "")
        yield Named(name, _text(row[district]) if district else "", located)


def _column(frame: "geopandas.GeoDataFrame", candidates: Sequence[str]) -> str | None:
    """The first column of these names, whatever their case."""
    known = {str(name).casefold(): str(name) for name in frame.columns}
    return next((known[candidate] for candidate in candidates if candidate in known), None)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split())


if __name__ == "__main__":
    _main()
