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


def built(scape: Cityscape, bodies: "City", replaces: Sequence[str]) -> "City":
    """The city near the plan with a variant built."""
    return scape.near.without(replaces).joined(bodies)
