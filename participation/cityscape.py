"""The city around a plan in three dimensions: which model is in force, its buildings near the plan, the variants.

What a scene is made of is made once, in a folder of the cache that carries the hash of its sources: the tiles, the
ground, the buildings near the plan, and what there is to say of them. The worker makes it after an import
(`participation.scenes`); whoever comes before it is done makes it on the way. Pages that only tell of a scene load none
of the geometry libraries.
"""

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import Session

from consultations import places
from consultations.files import FileStore
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.variants import Group, Variant
from geo.readers.gltf import Placement
from participation import cached
from participation.house import House

if TYPE_CHECKING:
    from geo.city import City
    from geo.scene import Ground
    from geo.shadows import Slope

Box = tuple[float, float, float, float]

#: Metres around the plan area that belong to the scene.
MARGIN = 330.0
#: Metres around the plan area within which buildings are looked at for shadows and lists.
NEAR = 160.0
#: A plan area larger than this is shown in its middle part only (metres).
WIDEST = 1500.0
#: Part of the hash of every scene: to be counted up when what is made of the same sources changes.
EDITION = 2


@dataclass(frozen=True)
class Building:
    """What a page says of a building near the plan."""

    id: str
    parent: str
    label: str
    function: str
    storeys: int
    height: float


@dataclass(frozen=True)
class Made:
    """What there is to know of a scene without looking at its geometry. `origin` is what it counts from, with the
    height of the ground (DHHN2016) in the middle; `ground` west, south, step (metres), columns and rows of its grid."""

    origin: tuple[float, float, float]
    ground: tuple[float, float, float, int, int]
    near: tuple[Building, ...]


@dataclass(frozen=True)
class Cityscape:
    """The city around one plan. `box` in metres (EPSG:25832); `key` names what was made of it."""

    key: str
    attribution: str
    folder: Path
    box: Box
    #: WKB of the plan area.
    area: bytes
    lon: float
    lat: float
    has_terrain: bool

    @property
    def made(self) -> Made:
        return _told(self.folder)

    @property
    def origin(self) -> tuple[float, float, float]:
        return self.made.origin

    @property
    def city(self) -> "City":
        """All buildings of the scene."""
        from geo.city import kept_city

        return kept_city(self.folder / "city.gpkg", self.key)

    @property
    def near(self) -> "City":
        """The buildings close enough to the plan to have its shadow."""
        from geo.city import kept_city

        return kept_city(self.folder / "near.gpkg", self.key)

    @property
    def ground(self) -> "Ground":
        return _ground(self.folder)

    @property
    def slope(self) -> "Slope | None":
        """The ground that shadows lie on, where a terrain model tells it."""
        return _ground(self.folder).slope() if self.has_terrain else None

    def kept(self, name: str) -> bytes | None:
        """A compressed file that was made of this scene, or None."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def keep(self, name: str, make: Callable[[], bytes], *, most: int | None = None) -> bytes:
        """A compressed file of this scene; made the first time that it is asked for. `most`: of so many whose names begin
        alike (as far as the first hyphen) the older half is thrown away: visitors choose what is counted, and the disk ends."""
        found = self.kept(name)
        if found is None:
            found = gzip.compress(make(), 6, mtime=0)
            cached.write(self.folder / name, (found,))
            if most is not None:
                _thin_out(self.folder, name.partition("-")[0], most)
        return found


def _thin_out(folder: Path, kind: str, most: int) -> None:
    like = [each for each in os.scandir(folder) if each.name.startswith(f"{kind}-")]
    if len(like) <= most:
        return
    like.sort(key=lambda each: each.stat().st_mtime_ns)
    for each in like[: len(like) // 2]:
        Path(each.path).unlink(missing_ok=True)


@lru_cache(maxsize=64)
def _told(folder: Path) -> Made:
    told = json.loads((folder / "scene.json").read_text())
    east, north, height = told["origin"]
    west, south, step, columns, rows = told["ground"]
    near = tuple(Building(*row) for row in told["near"])
    return Made((east, north, height), (west, south, step, columns, rows), near)


@lru_cache(maxsize=16)
def _ground(folder: Path) -> "Ground":
    import numpy as np

    from geo.scene import Ground

    west, south, step, columns, rows = _told(folder).ground
    heights = np.fromfile(folder / "ground.f4", dtype="<f4").reshape(rows, columns).astype(float)
    return Ground(west, south, step, heights)


#: Layers that a scene is made of.
SOURCES = (LayerRole.CITY_MODEL, LayerRole.TERRAIN)


def layers_in_force(session: Session, procedure: Procedure) -> Mapping[LayerRole, Layer]:
    """The city model and the terrain of the consultation itself, or else the town's."""
    own = places.layers_of(session, procedure.municipality_id, procedure.id)
    towns = places.layers_of(session, procedure.municipality_id)
    return chosen_of((*own, *towns))


def has_city(session: Session, procedure: Procedure) -> bool:
    """Whether there is a picture in three dimensions of the plan and what stands around it."""
    return procedure.plan_area is not None and LayerRole.CITY_MODEL in layers_in_force(session, procedure)


def chosen_of(layers: Sequence[Layer]) -> Mapping[LayerRole, Layer]:
    """The first layer of each kind that a scene is made of."""
    found: dict[LayerRole, Layer] = {}
    for layer in layers:
        if layer.normalised_sha256 and layer.role in {role.value for role in SOURCES}:
            found.setdefault(LayerRole(layer.role), layer)
    return found


def of(house: House, session: Session, procedure: Procedure) -> Cityscape | None:
    """The city around a plan; None without a plan area, without a city model, or if the store has lost it."""
    if procedure.plan_area is None or procedure.min_x is None or procedure.lon is None:
        return None
    return scape_of(house, procedure, layers_in_force(session, procedure))


def scape_of(house: House, procedure: Procedure, layers: Mapping[LayerRole, Layer]) -> Cityscape | None:
    """`of`, for who has the layers in force already. What is missing of the scene is made."""
    model, terrain = layers.get(LayerRole.CITY_MODEL), layers.get(LayerRole.TERRAIN)
    if procedure.plan_area is None or procedure.min_x is None or procedure.lon is None or model is None:
        return None
    assert procedure.lat is not None
    box = _box(procedure)
    key = key_of(procedure, layers)
    assert key is not None
    folder = scenes(house) / key
    if not folder.is_dir():
        path = local_copy(house, model.normalised_sha256)
        if path is None:
            return None
        heights = local_copy(house, terrain.normalised_sha256) if terrain else None
        _make(folder, path, heights, box, procedure.plan_area)
    attributions = [layer.attribution for layer in (model, terrain) if layer and layer.attribution]
    return Cityscape(
        key,
        ", ".join(dict.fromkeys(attributions)),
        folder,
        box,
        procedure.plan_area,
        procedure.lon,
        procedure.lat,
        terrain is not None,
    )


def scenes(house: House) -> Path:
    """The folder of all scenes."""
    return house.settings.data_dir / "cache" / "scenes"


def key_of(procedure: Procedure, layers: Mapping[LayerRole, Layer]) -> str | None:
    """What names the scene of a plan: a hash of all that it is made of. None if it cannot have one."""
    if procedure.plan_area is None or procedure.min_x is None or LayerRole.CITY_MODEL not in layers:
        return None
    named = [EDITION, *(layers[role].normalised_sha256 if role in layers else "" for role in SOURCES)]
    digest = hashlib.sha256(repr((named, _box(procedure))).encode() + procedure.plan_area)
    return digest.hexdigest()[:24]


def _box(procedure: Procedure) -> Box:
    sides = []
    for low, high in ((procedure.min_x, procedure.max_x), (procedure.min_y, procedure.max_y)):
        assert low is not None
        assert high is not None
        middle, half = (low + high) / 2, min(high - low, WIDEST) / 2 + MARGIN
        sides.append((round(middle - half), round(middle + half)))
    (west, east), (south, north) = sides
    return west, south, east, north


def _make(folder: Path, model: Path, terrain: Path | None, box: Box, area: bytes) -> None:
    """Make all that a scene needs, in a folder that is there whole or not at all."""
    import shapely

    from geo import scene
    from geo.city import read_city, write_city
    from geo.terrain import open_terrain

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    try:
        city = read_city(model, box)
        near = city.near(shapely.from_wkb(area), NEAR)
        write_city(city, made / "city.gpkg")
        write_city(near, made / "near.gpkg")
        ground = scene.ground_of(city, box)
        if terrain is not None:
            ground = scene.ground_in(open_terrain(terrain), box, ground)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        origin = (round(middle[0]), round(middle[1]), round(ground.at(*middle), 1))
        ground.heights.astype("<f4").tofile(made / "ground.f4")
        squares = scene.squares(city)
        files = {
            "tileset.json": scene.tileset(squares, origin, ground),
            "ground.glb": scene.ground_glb(ground, origin),
        }
        for square in squares:
            files[f"{square.name}.glb"] = scene.glb(scene.in_square(city, square.column, square.row), origin)
        for name, content in files.items():
            (made / f"{name}.gz").write_bytes(gzip.compress(content, 6, mtime=0))
        rows, columns = ground.heights.shape
        told = {
            "origin": origin,
            "ground": [ground.west, ground.south, ground.step, columns, rows],
            "near": [astuple(each) for each in buildings_in(near)],
        }
        (made / "scene.json").write_text(json.dumps(told, ensure_ascii=False))
        try:
            os.replace(made, folder)
        except OSError:
            if not folder.is_dir():
                raise  # otherwise somebody else has made the same meanwhile
    finally:
        shutil.rmtree(made, ignore_errors=True)


def local_copy(house: House, digest: str) -> Path | None:
    """A city model in the cache folder, fetched from the file store once; None if the store has lost it."""
    return cached.fetched(
        house.files, digest, house.settings.data_dir / "cache" / "cities" / f"{digest}.gpkg"
    )


def buildings_in(city: "City") -> tuple[Building, ...]:
    """What pages say of the buildings of a city, row by row."""
    heights = (city.top - city.ground).round(2).tolist()
    return tuple(
        Building(
            str(city.ids[row]),
            str(city.parents[row]),
            label,
            str(city.functions[row]),
            int(city.storeys[row]),
            heights[row],
        )
        for row, label in enumerate(city.labels)
    )


def keep_model(files: FileStore, city: "City") -> str:
    """A city as a file of the store; returns its hash."""
    from geo.city import write_city

    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path = Path(folder) / "city.gpkg"
        write_city(city, path)
        with path.open("rb") as made:
            return files.put(made).sha256


def bodies_of(house: House, variant: Variant) -> "City | None":
    """The buildings that a variant adds, or None if the store has lost them."""
    from geo.city import kept_city

    path = local_copy(house, variant.model_sha256)
    return kept_city(path, variant.model_sha256) if path else None


@dataclass(frozen=True)
class Built:
    """What stands together once it is built: city models by hash, with where they lie here, and the ids that they replace."""

    models: tuple[tuple[str, Path], ...]
    replaces: tuple[str, ...]

    @property
    def name(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What it is told apart by."""
        return tuple(sha256 for sha256, _ in self.models), self.replaces

    @property
    def bodies(self) -> "City":
        """All of its buildings."""
        from geo.city import kept_city

        first, *others = (kept_city(path, sha256) for sha256, path in self.models)
        for other in others:
            first = first.joined(other)
        return first


def built(house: House, rows: Sequence[Variant]) -> Built | None:
    """Variants that are built together, those whose buildings are at hand; None without any."""
    found = [(row, path) for row in rows if (path := local_copy(house, row.model_sha256)) is not None]
    if not found:
        return None
    replaces = dict.fromkeys(each for row, _ in found for each in row.replaces)
    return Built(tuple((row.model_sha256, path) for row, path in found), tuple(replaces))


def in_picture(procedure: Procedure, groups: Sequence[Group]) -> list[Group]:
    """Those whose plan area lies in the picture of a consultation at least in part; its own always do. Of an area that
    is wider than a picture, some parts are elsewhere."""
    west, south, east, north = _box(procedure)

    def is_here(part: Procedure) -> bool:
        sides = (part.min_x, part.min_y, part.max_x, part.max_y)
        if None in sides:
            return False
        low_x, low_y, high_x, high_y = (float(each or 0) for each in sides)
        return low_x <= east and low_y <= north and high_x >= west and high_y >= south

    return [group for group in groups if not group.level or is_here(group.procedure)]


def variant_name(variant: Variant) -> str:
    """The file of a variant's bodies within a scene."""
    return f"variant-{variant.model_sha256[:24]}.glb.gz"


def variant_glb(house: House, scape: Cityscape, variant: Variant) -> bytes | None:
    """The buildings that a variant adds to a scene as compressed glTF; None if the store has lost them."""
    name = variant_name(variant)
    found = scape.kept(name)
    bodies = None if found else bodies_of(house, variant)
    if bodies is None:
        return found
    from geo.scene import glb

    return scape.keep(name, lambda: glb(bodies, scape.origin))


@dataclass(frozen=True)
class Bodies:
    """A variant's buildings as they were kept: hash, how many, and what can be read off them."""

    sha256: str
    buildings: int
    storeys: int
    height: float
    floor_area: float


#: Columns that say how high a planned building is, how many storeys it has and what it is called, as people name them.
_HEIGHTS = ("height", "hoehe", "höhe", "h", "gebaeudehoehe")
_STOREYS = ("storeys", "geschosse", "vollgeschosse", "storeysaboveground")
_NAMES = ("name", "bezeichnung", "titel")


def read_bodies(
    files: FileStore,
    path: Path,
    filename: str,
    scape: Cityscape,
    *,
    crs: int | None,
    height: float,
    storeys: int,
    roof: str,
    placement: Placement | None = None,
) -> Bodies:
    """The buildings of a variant from a city model, from glTF at its `placement`, or from outlines with a column for
    the height.

    `height` (metres) and `storeys` are for outlines that say nothing; their ground is that of the town at their middle.
    `roof`: "flat", "gable" or "hip" (outlines of four corners). Raises LayerProblem.
    """
    import shapely

    from geo.city import Volume, city_of, read_city
    from geo.layers import LayerProblem, read_normalised
    from geo.readers.apart import read_apart
    from geo.readers.terrain import FORMATS as TERRAINS

    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        outlines, model = Path(folder) / "outlines.fgb", Path(folder) / "model.gpkg"
        with path.open("rb") as file:
            if placement is None and file.read(4) == b"glTF":
                raise LayerProblem("needs_place")
        reading = read_apart(
            path, filename=filename, crs=crs, target=outlines, model=model, placement=placement
        )
        if reading.report.format in TERRAINS:
            raise LayerProblem("no_buildings", others=reading.report.format)
        if model.exists():
            city = read_city(model)
            _must_be_near(city, scape)
            with model.open("rb") as made:
                return _bodies(files.put(made).sha256, city)
        frame = read_normalised(outlines)
    columns = {str(name).casefold(): name for name in frame.columns}

    def said(row: int, names: Sequence[str], otherwise: float) -> float:
        name = next((columns[each] for each in names if each in columns), None)
        try:
            value = float(str(frame[name].iloc[row]).replace(",", ".")) if name is not None else otherwise
        except ValueError:
            return otherwise
        return value if 0 < value < 400 else otherwise

    title = next((columns[each] for each in _NAMES if each in columns), None)
    volumes: list[Volume] = []
    for row, shape in enumerate(frame.geometry):
        for part in shapely.get_parts(shape):
            if part.geom_type != "Polygon":
                continue
            middle = part.representative_point()
            ground = round(scape.ground.at(middle.x, middle.y), 2)
            high, levels = said(row, _HEIGHTS, height), round(said(row, _STOREYS, storeys))
            name = str(frame[title].iloc[row] or "") if title is not None else ""
            pitch = 0.0 if roof == "flat" else min(4.0, high / 3)
            volumes.append(
                Volume(
                    id=f"P{len(volumes) + 1}",
                    outline=part,
                    ground=ground,
                    eaves=ground + high - pitch,
                    top=ground + high,
                    roof="gable" if roof == "gable" else "hip" if roof == "hip" else "flat",
                    name=name,
                    storeys=levels,
                )
            )
    if not volumes:
        raise LayerProblem("no_buildings", others="")
    city = city_of(volumes)
    _must_be_near(city, scape)
    return _bodies(keep_model(files, city), city)


def _must_be_near(city: "City", scape: Cityscape) -> None:
    """Raises LayerProblem for buildings of which none stands in the scene."""
    import shapely

    from geo.layers import LayerProblem

    if not shapely.intersects(city.footprints, shapely.box(*scape.box)).any():
        raise LayerProblem("far_from_plan")


def _bodies(sha256: str, city: "City") -> Bodies:
    import numpy as np
    import shapely

    whole = ~np.isin(city.parents, city.ids)
    return Bodies(
        sha256,
        int(whole.sum()),
        int(city.storeys.max()),
        round(float((city.top - city.ground).max()), 1),
        float(round(float((shapely.area(city.footprints) * city.storeys)[whole].sum()))),
    )
