"""The files of map layers as they lie in the cache folder, and what is known of their objects' names."""

import logging
from pathlib import Path
from typing import Any

from sqlmodel import Session

from consultations import attached, places
from consultations.attached import Target
from consultations.permissions import Actor
from consultations.places import Layer, LayerRole
from geo import features
from geo.features import Columns, Wanted
from participation import cached
from participation.house import House

logger = logging.getLogger(__name__)

#: What attributes are called that name an object, and those by which it is the same one for good, as data come.
NAMES = (
    "name",
    "bezeichnung",
    "bezeichnun",
    "titel",
    "label",
    "strasse",
    "str_name",
    "flurstueck",
    "flstnr",
    "nummer",
)
IDENTIFIERS = (
    "gml_id",
    "uuid",
    "guid",
    "objectid_global",
    "flstkennz",
    "nationalcadastralreference",
    "oi",
    "osm_id",
)

#: The table of a city model that holds its buildings, and the columns that name them.
BUILDINGS = "building"
BUILDING_COLUMNS = Columns("name", "id")


def local_copy(house: House, layer: Layer) -> Path | None:
    """The layer's file in the cache folder, fetched from the file store once; None if it has none, or the store has
    lost it."""
    if not layer.normalised_sha256:
        return None
    ending = "gpkg" if layer.role == LayerRole.CITY_MODEL.value else "fgb"
    folder = house.settings.data_dir / "cache" / ("cities" if ending == "gpkg" else "layers")
    path = folder / f"{layer.normalised_sha256}.{ending}"
    found = cached.fetched(house.files, layer.normalised_sha256, path)
    if found is None:
        logger.error("layer %s (%s) is not in the file store", layer.id, layer.normalised_sha256)
    return found


def attributes_of(layer: Layer) -> tuple[str, ...]:
    """What the objects of a layer say of themselves: the names of the attributes that were read."""
    return tuple(str(name) for name in layer.report.get("columns", ()))


def columns_of(layer: Layer) -> Columns:
    """By what the objects of a layer are called and told apart: as somebody chose, or as the attribute's name says."""
    if layer.role == LayerRole.CITY_MODEL.value:
        return BUILDING_COLUMNS
    known = {name.casefold(): name for name in reversed(attributes_of(layer))}

    def first(names: tuple[str, ...]) -> str:
        return next((known[name] for name in names if name in known), "")

    return Columns(
        str(layer.style.get("name_column") or "") or first(NAMES), layer.id_column or first(IDENTIFIERS)
    )


# --- a layer is delivered anew ---------------------------------------------------------------------


def carry_over(house: House, session: Session, layer: Layer, *, by: Actor, now: Any) -> tuple[int, int]:
    """What holds on to objects of the deliveries before goes over to those of `layer`; how many do, and how many wait for
    a decision."""
    known = attached.about(session, layer)
    path = local_copy(house, layer) if known else None
    if path is None:
        return attached.carry_over(session, layer, {}, by=by, now=now)
    deliveries = {row.id: row for row in places.deliveries(session, layer)}
    wanted: dict[int, Wanted] = {}
    for contribution, link in known:
        row = deliveries.get(link.layer_id if link else contribution.thing.get("delivery"))
        number = link.feature if link else contribution.thing.get("feature")
        identifier = link.identifier if link else str(contribution.thing.get("id", ""))
        shape = _shape(house, row, number) or contribution.geometry
        if shape is not None and contribution.id is not None:
            wanted[contribution.id] = Wanted(identifier, shape)
    table = BUILDINGS if layer.role == LayerRole.CITY_MODEL.value else None
    again = features.found_again(path, wanted, columns_of(layer), table=table)
    found = {
        key: Target(each.number, each.identifier, each.name, known_by=each.by) for key, each in again.items()
    }
    return attached.carry_over(session, layer, found, by=by, now=now)


def _shape(house: House, row: Layer | None, number: int | None) -> bytes | None:
    if row is None or number is None or row.role == LayerRole.CITY_MODEL.value:
        return None
    path = local_copy(house, row)
    found = features.feature(path, number, Columns()) if path else None
    return found.wkb if found else None
