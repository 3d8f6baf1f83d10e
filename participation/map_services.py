"""Map services of the catalogue (XYZ, WMS, WMTS), asked by this server alone: browsers never ask anybody else.

The person who runs the server says which hosts it may ask (`DIGILOG_MAP_HOSTS`); nothing is fetched from any other, no
redirect is followed, and what comes back has to be a picture. What was fetched is kept for a while.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from consultations.refusals import Refusal
from geo.geometry import tile_bounds
from geo.views import mercator
from participation import cached
from participation.asking import Unanswered, answer_to
from participation.house import House
from participation.inspections import Inspections
from participation.settings import Settings

log = logging.getLogger(__name__)

KINDS = ("xyz", "wms", "wmts")
#: A picture of a tile that is larger is none.
MOST_OCTETS = 3_000_000
SECONDS = 8.0
#: So many pictures are fetched at the same time, and so many are fetched or wait for it; whoever comes later is told to
#: try again.
AT_ONCE, PLACES = 6, 48
#: Files written between two looks at how much room they take.
ROUND = 200

_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass(frozen=True)
class Service:
    """A map service: `url` is a template with {z}, {x}, {y} (XYZ; WMTS with {TileMatrix}, {TileCol}, {TileRow}), or the
    address of a WMS or of a WMTS that is asked by parameters."""

    kind: str
    url: str
    layers: str = ""
    style: str = ""
    matrix_set: str = ""
    image_format: str = "image/png"
    version: str = "1.3.0"
    min_zoom: int = 0
    max_zoom: int = 19


def read_service(stored: Mapping[str, Any]) -> Service | None:
    """A service as the catalogue keeps it; None for a layer with a file."""
    if stored.get("kind") not in KINDS or not stored.get("url"):
        return None
    return Service(**{name: stored[name] for name in Service.__dataclass_fields__ if name in stored})


def problem_of(service: Service, settings: Settings) -> str:
    """What is wrong with a service, in one word: address, places, layers, host; empty if nothing is."""
    parts = urlsplit(service.url.replace("{s}", "a"))
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
        return "address"
    if service.kind == "xyz" and not all(f"{{{name}}}" in service.url for name in "zxy"):
        return "places"
    if service.kind != "xyz" and not service.layers.strip():
        return "layers"
    return "" if parts.netloc.lower() in settings.map_hosts else "host"


def address(service: Service, z: int, x: int, y: int) -> str:
    """Where the picture of a tile (XYZ scheme, web mercator) is to be had."""
    if service.kind == "wms":
        return _with(service.url, _wms(service, z, x, y))
    if service.kind == "wmts" and "{tilematrix}" not in service.url.lower() and "{z}" not in service.url:
        return _with(service.url, _wmts(service, z, x, y))
    values = {"z": z, "x": x, "y": y, "s": "a", "tilematrix": z, "tilecol": x, "tilerow": y}
    values |= {"layer": service.layers, "style": service.style or "default"}
    values |= {"tilematrixset": service.matrix_set}
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1].lower(), found[0])), service.url)


def _with(url: str, parameters: Mapping[str, object]) -> str:
    """An address with further parameters; those that it has already, whatever their case, stay."""
    there = {pair.partition("=")[0].lower() for pair in urlsplit(url).query.split("&")}
    more = urlencode({name: value for name, value in parameters.items() if name.lower() not in there})
    return url + ("" if url.endswith(("?", "&")) else "&" if "?" in url else "?") + more


def _wms(service: Service, z: int, x: int, y: int) -> dict[str, object]:
    west, south, east, north = tile_bounds(z, x, y)
    (left, bottom), (right, top) = mercator(west, south), mercator(east, north)
    return {
        "SERVICE": "WMS",
        "REQUEST": "GetMap",
        "VERSION": service.version,
        "LAYERS": service.layers,
        "STYLES": service.style,
        "CRS" if service.version >= "1.3" else "SRS": "EPSG:3857",
        # In EPSG:3857 easting comes first in every version.
        "BBOX": f"{left:.4f},{bottom:.4f},{right:.4f},{top:.4f}",
        "WIDTH": 256,
        "HEIGHT": 256,
        "FORMAT": service.image_format,
        "TRANSPARENT": "TRUE",
    }


def _wmts(service: Service, z: int, x: int, y: int) -> dict[str, object]:
    return {
        "SERVICE": "WMTS",
        "REQUEST": "GetTile",
        "VERSION": "1.0.0",
        "LAYER": service.layers,
        "STYLE": service.style or "default",
        "FORMAT": service.image_format,
        "TILEMATRIXSET": service.matrix_set,
        "TILEMATRIX": z,
        "TILEROW": y,
        "TILECOL": x,
    }


def is_near(z: int, x: int, y: int, bounds: tuple[float, float, float, float]) -> bool:
    """Whether a tile exists and touches what a map of these bounds (west, south, east, north in degrees) can show: nobody
    fetches the whole world through this server."""
    if not (0 <= z <= 22 and 0 <= x < 1 << z and 0 <= y < 1 << z):
        return False
    west, south, east, north = bounds
    wide, high = (east - west) * 0.6, (north - south) * 0.6
    left, bottom, right, top = tile_bounds(z, x, y)
    return right >= west - wide and left <= east + wide and top >= south - high and bottom <= north + high


@dataclass(frozen=True)
class Picture:
    """A picture as it came: its octets, what they are, and for how many seconds more it may be kept."""

    content: bytes
    media_type: str
    seconds: float


def media_type_of(content: bytes) -> str:
    """What a picture is, by its first octets; empty for anything that is no picture of pixels (SVG may hold scripts)."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _MAGIC if content.startswith(start)), "")


_line = Inspections(at_once=AT_ONCE, places=PLACES)


async def fetched(house: House, service: Service, z: int, x: int, y: int) -> Picture | None:
    """`picture` for a page: it waits in a line of its own, so that a slow service keeps neither a thread of the pages nor
    a unit of work busy. None, too, where the line is full."""
    try:
        return await _line.run(lambda: picture(house, service, z, x, y))
    except Refusal:
        return None


def kept(house: House, service: Service, z: int, x: int, y: int) -> Picture | None:
    """The picture of a tile if it is kept: nobody is asked. None, too, if the service may not be asked any more."""
    if problem_of(service, house.settings):
        return None
    return _kept(house, path_of(house.settings, address(service, z, x, y)))


def path_of(settings: Settings, wanted: str) -> Path:
    """Where the picture of an address is kept."""
    name = hashlib.sha256(wanted.encode()).hexdigest()
    return settings.data_dir / "cache" / "services" / name[:2] / name


def picture(house: House, service: Service, z: int, x: int, y: int) -> Picture | None:
    """The picture of a tile: kept, or fetched now; None if the service gives none or may not be asked."""
    if problem_of(service, house.settings):
        return None
    wanted = address(service, z, x, y)
    path = path_of(house.settings, wanted)
    found = _kept(house, path)
    if found is not None:
        return found
    content = _fetch(wanted)
    if content is None:
        return None
    if house.settings.map_cache_hours:
        _keep(house, path, content)
    return Picture(content, media_type_of(content), house.settings.map_cache_hours * 3600.0)


def _kept(house: House, path: Path) -> Picture | None:
    if not house.settings.map_cache_hours:
        return None
    oldest = (house.clock() - timedelta(hours=house.settings.map_cache_hours)).timestamp()
    try:
        seconds = path.stat().st_mtime - oldest
        content = path.read_bytes() if seconds >= 0 else None
    except OSError:
        return None
    return Picture(content, media_type_of(content), seconds) if content is not None else None


def _fetch(url: str) -> bytes | None:
    """A picture from a service, or None."""
    try:
        with answer_to(url, headers={"User-Agent": "digilog-map"}, pause=SECONDS, seconds=SECONDS) as answer:
            if answer.status != 200:
                log.warning("a map service answered %s: %s", answer.status, url)
                return None
            content = answer.read(MOST_OCTETS + 1)
            if len(content) < min(int(answer.headers.get("content-length", 0)), MOST_OCTETS + 1):
                return None  # it broke off
    except Unanswered as problem:
        log.warning("a map service does not answer (%s): %s", problem, url)
        return None
    return content if len(content) <= MOST_OCTETS and media_type_of(content) else None


_counting = threading.Lock()
_written = 0


def _keep(house: House, path: Path, content: bytes) -> None:
    global _written
    cached.write(path, (content,), at=house.clock().timestamp())
    with _counting:
        _written += 1
        due = _written % ROUND == 0
    if due:
        make_room(path.parent.parent, house.settings.map_cache_mb * 1_000_000)


def make_room(folder: Path, octets: int) -> None:
    """Let the oldest pictures go until what is kept takes at most nine tenths of so many octets."""
    files = []
    for path in folder.glob("*/*"):
        try:
            known = path.stat()
        except OSError:
            continue
        files.append((known.st_mtime, known.st_size, path))
    there = sum(size for _, size, _ in files)
    if there <= octets:
        return
    for _, size, path in sorted(files):
        path.unlink(missing_ok=True)
        there -= size
        if there <= octets * 0.9:
            return
