"""The city around a plan in three dimensions: which model is in force, its buildings near the plan, the variants.

What is read from disk stays in memory by the hash of its file; nothing here costs more than a query of a search tree.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import Session

from consultations import places
from consultations.files import FileStore, MissingFile
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.variants import Variant
from participation.house import House

if TYPE_CHECKING:
    from geo.city import City
    from geo.scene import Ground

Box = tuple[float, float, float, float]

#: Metres around the plan area that belong to the scene.
MARGIN = 330.0
#: Metres around the plan area within which buildings are looked at for shadows and lists.
NEAR = 160.0
#: A plan area larger than this is shown in its middle part only (metres).
WIDEST = 1500.0


@dataclass(frozen=True)
class Cityscape:
    """The city around one plan. `box` in metres (EPSG:25832); `origin` is what the scene counts from, with the height
    of the ground (DHHN2016) in the middle."""

    digest: str
    attribution: str
    path: Path
    box: Box
    origin: tuple[float, float, float]
    #: WKB of the plan area.
    area: bytes
    lon: float
    lat: float

    @property
    def city(self) -> "City":
        """All buildings of the scene."""
        from geo.city import kept_city

        return kept_city(self.path, self.digest, self.box)

    @property
    def near(self) -> "City":
        """The buildings close enough to the plan to be named and to have its shadow."""
        return _near(self.path, self.digest, self.box, self.area)

    @property
    def ground(self) -> "Ground":
        return _ground(self.path, self.digest, self.box)


@lru_cache(maxsize=16)
def _near(path: Path, digest: str, box: Box, area: bytes) -> "City":
    import shapely

    from geo.city import kept_city

    return kept_city(path, digest, box).near(shapely.from_wkb(area), NEAR)


@lru_cache(maxsize=16)
def _ground(path: Path, digest: str, box: Box) -> "Ground":
    from geo.city import kept_city
    from geo.scene import ground_of

    return ground_of(kept_city(path, digest, box), box)


def layer_in_force(session: Session, procedure: Procedure) -> Layer | None:
    """The city model of the consultation itself, or else the town's."""
    own = places.layers_of(session, procedure.municipality_id, procedure.id)
    towns = places.layers_of(session, procedure.municipality_id)
    found = [
        layer
        for layer in (*own, *towns)
        if layer.role == LayerRole.CITY_MODEL.value and layer.normalised_sha256
    ]
    return found[0] if found else None


def of(house: House, session: Session, procedure: Procedure) -> Cityscape | None:
    """The city around a plan; None without a plan area, without a city model, or if the store has lost it."""
    if procedure.plan_area is None or procedure.min_x is None or procedure.lon is None:
        return None
    layer = layer_in_force(session, procedure)
    path = local_copy(house, layer.normalised_sha256) if layer else None
    if layer is None or path is None:
        return None
    box = _box(procedure)
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    height = _ground(path, layer.normalised_sha256, box).at(*middle)
    assert procedure.lat is not None
    return Cityscape(
        layer.normalised_sha256,
        layer.attribution,
        path,
        box,
        (round(middle[0]), round(middle[1]), round(height, 1)),
        procedure.plan_area,
        procedure.lon,
        procedure.lat,
    )


def _box(procedure: Procedure) -> Box:
    sides = []
    for low, high in ((procedure.min_x, procedure.max_x), (procedure.min_y, procedure.max_y)):
        assert low is not None
        assert high is not None
        middle, half = (low + high) / 2, min(high - low, WIDEST) / 2 + MARGIN
        sides.append((round(middle - half), round(middle + half)))
    (west, east), (south, north) = sides
    return west, south, east, north


def local_copy(house: House, digest: str) -> Path | None:
    """A city model in the cache folder, fetched from the file store once; None if the store has lost it."""
    folder = house.settings.data_dir / "cache" / "cities"
    path = folder / f"{digest}.gpkg"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        content = house.files.open(digest)
    except MissingFile:
        return None
    handle, name = tempfile.mkstemp(dir=folder, suffix=".gpkg")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


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
) -> Bodies:
    """The buildings of a variant from a city model, or from outlines with a column for the height.

    `height` (metres) and `storeys` are for outlines that say nothing; their ground is that of the town at their middle.
    `roof`: "flat", "gable" or "hip" (outlines of four corners). Raises LayerProblem.
    """
    import shapely

    from geo.city import Volume, city_of, read_city
    from geo.layers import LayerProblem, read_normalised
    from geo.readers.apart import read_apart

    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        outlines, model = Path(folder) / "outlines.fgb", Path(folder) / "model.gpkg"
        read_apart(path, filename=filename, crs=crs, target=outlines, model=model)
        if model.exists():
            city = read_city(model)
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
    return _bodies(keep_model(files, city), city)


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
