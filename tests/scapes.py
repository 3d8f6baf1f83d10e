"""A consultation with a city around it: a few houses, a variant of two, viewpoints. For tests of pages."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from sqlmodel import Session

from consultations import places, variants
from consultations.files import FileStore
from consultations.permissions import SYSTEM
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.variants import Variant, VariantInput, ViewInput, Viewpoint
from geo.city import City, Volume, city_of
from geo.geometry import metres_of
from geo.terrain import Terrain, write_terrain
from participation import cityscape
from tests.cast import NOW
from tests.geo.cities import EAST, NORTH, town


def raised(city: City, by: np.ndarray) -> City:
    """Each building as many metres higher."""
    points = shapely.get_coordinates(city.faces, include_z=True)
    points[:, 2] += np.repeat(by[city.owner], shapely.get_num_coordinates(city.faces))
    faces = shapely.set_coordinates(city.faces.copy(), points)
    return replace(city, ground=city.ground + by, top=city.top + by, faces=faces)


@dataclass(frozen=True)
class Scape:
    """What was built: the layer, two variants, the houses, and the square of the tileset that holds them."""

    layer: Layer
    variants: tuple[Variant, Variant]
    city: City
    square: str
    middle: tuple[float, float]


def houses(middle: tuple[float, float], *, seed: int = 1, level: float | None = 490.0) -> City:
    """Twelve houses around a place in metres (EPSG:25832)."""
    made = town(4, 3, seed=seed, level=level)
    by = np.array([middle[0] - EAST - 37, middle[1] - NORTH - 25])

    def moved(shapes: np.ndarray) -> np.ndarray:
        return np.asarray(
            shapely.transform(
                shapes, lambda points: np.column_stack([points[:, :2] + by, points[:, 2:]]), include_z=True
            )
        )

    footprints = shapely.force_2d(moved(made.footprints))
    return replace(made, footprints=footprints, faces=moved(made.faces))


def hill(
    session: Session, files: FileStore, procedure: Procedure, middle: tuple[float, float], rise: float
) -> None:
    """A terrain model whose ground rises to the east and falls to the north by so much in a metre; 115 m to the west
    a ridge of 50 m stands in the way of the afternoon's sun."""
    y, x = np.mgrid[-250:251:2.0, -250:251:2.0]
    heights = 490 + rise * (x - y) + 50 * np.exp(-(((x + 115) / 12) ** 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ground"
        write_terrain(Terrain(middle[0] - 250, middle[1] - 250, 2.0, heights), path)
        with path.open("rb") as made:
            digest = files.put(made).sha256
    layer = Layer(
        municipality_id=procedure.municipality_id,
        procedure_id=procedure.id,
        role=LayerRole.TERRAIN.value,
        title="Gelände",
        attribution="Vermessungsamt",
        original_sha256=digest,
        normalised_sha256=digest,
        imported_at=NOW,
    )
    places.add_layer(session, layer, [], by=SYSTEM, now=NOW)


def build(
    session: Session,
    files: FileStore,
    procedure: Procedure,
    *,
    seed: int = 1,
    at: tuple[float, float],
    name: str = "Neubau",
    rise: float = 0.0,
) -> Scape:
    """Put a city model, two variants and two viewpoints around a place in degrees, within the plan area; with `rise`
    on the slope of a `hill`."""
    x, y = metres_of(*at)
    city = houses((x, y), seed=seed)
    if rise:
        hill(session, files, procedure, (x, y), rise)
        middles = shapely.get_coordinates(shapely.centroid(city.footprints)) - (x, y)
        city = raised(city, rise * (middles[:, 0] - middles[:, 1]))
    digest = cityscape.keep_model(files, city)
    layer = places.add_layer(
        session,
        Layer(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id,
            role=LayerRole.CITY_MODEL.value,
            title="Stadtmodell",
            attribution="Vermessungsamt",
            original_sha256=digest,
            normalised_sha256=digest,
            imported_at=NOW,
        ),
        [],
        by=SYSTEM,
        now=NOW,
    )
    rows = []
    for number, (title, high, levels) in enumerate((("Hoch", 18.0, 5), ("Niedrig", 9.0, 2))):
        block = Volume(
            f"P{number}", shapely.box(x - 12, y - 10, x + 12, y), 490, 490 + high, name=name, storeys=levels
        )  # fmt: skip
        figures = {"storeys": levels, "height": high, "homes": 10 * levels}
        new = VariantInput(
            title, f"Ein Haus, {title.lower()}.", "Entwurf", figures, cityscape.keep_model(files, city_of([block])), 1,
            ("house-1-1",),
        )  # fmt: skip
        rows.append(variants.add_variant(session, procedure, new, by=SYSTEM, now=NOW))
    views = (
        ViewInput(Viewpoint.STREET, "Gehweg", (x, y - 60, 491.6), (x, y, 495), "Blick nach Norden."),
        ViewInput(Viewpoint.ABOVE, "Von oben", (x, y - 150, 620), (x, y, 490), "Alles."),
    )
    variants.set_views(session, procedure, views, by=SYSTEM, now=NOW)
    square = f"{int(x // 500)}-{int(y // 500)}"
    return Scape(layer, (rows[0], rows[1]), city, square, (x, y))
