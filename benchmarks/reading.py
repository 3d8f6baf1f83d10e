"""Reading where there is much to read: the map's feed and the list of a consultation with very many contributions."""

import math
import statistics
import time
from collections.abc import Iterator

import httpx2

from benchmarks.measuring import Better, Result, milliseconds
from benchmarks.town import HOST, MIDDLE, Place, served
from consultations import published
from consultations.published import Order, Wanted
from participation.database import unit_of_work

#: What a wide screen shows (pixels).
SCREEN = (1920, 1080)
ZOOMS = range(5, 20)
PER_PAGE = 24


def view(zoom: int, east: float = 0.0) -> str:
    """The query of a feed for what the screen shows around the town's middle, moved by so many screens."""
    degrees = 360 / 256 / 2**zoom
    wide, high = SCREEN[0] * degrees, SCREEN[1] * degrees * math.cos(math.radians(MIDDLE[1]))
    lon, lat = MIDDLE[0] + east * wide, MIDDLE[1]
    west, south = max(lon - wide / 2, -180), max(lat - high / 2, -85)
    return f"bbox={west},{south},{min(lon + wide / 2, 180)},{min(lat + high / 2, 85)}&zoom={zoom}"


def feed(place: Place, *, times: int) -> Iterator[Result]:
    """The slowest and the heaviest view of the map, of every zoom; no view is asked for twice."""
    path = f"/beteiligungen/{place.slug}/karte.json"
    seconds: dict[int, float] = {}
    octets: dict[int, int] = {}
    floor = []
    with served(place) as (_server, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.headers |= {"Host": HOST, "Accept-Encoding": "gzip"}
        client.get(f"{path}?{view(12, 0.01)}").raise_for_status()
        for zoom in ZOOMS:
            found = []
            for number in range(times):
                began = time.perf_counter()
                answer = client.get(f"{path}?{view(zoom, number * 0.013)}")
                found.append(time.perf_counter() - began)
                answer.raise_for_status()
                octets[zoom] = max(octets.get(zoom, 0), int(answer.headers["content-length"]))
            seconds[zoom] = statistics.median(found)
            began = time.perf_counter()
            client.get("/healthz").raise_for_status()
            floor.append(time.perf_counter() - began)
        filtered = []
        for number in range(times):
            began = time.perf_counter()
            client.get(f"{path}?{view(12, number * 0.013)}&thema=Thema+3").raise_for_status()
            filtered.append(time.perf_counter() - began)
    slowest = max(seconds, key=lambda zoom: seconds[zoom])
    heaviest = max(octets, key=lambda zoom: octets[zoom])
    told = f"zoom {slowest} of {ZOOMS[0]} to {ZOOMS[-1]}; a health check takes {milliseconds(statistics.median(floor))}"
    yield Result("map feed of 100,000: slowest zoom", seconds[slowest] * 1000, 20, Better.LESS, "ms", told)
    yield Result(
        "map feed of 100,000: heaviest view",
        octets[heaviest] / 1000,
        60,
        Better.LESS,
        "kB",
        f"zoom {heaviest}",
    )
    yield Result("map feed of 100,000: narrowed to a topic", statistics.median(filtered) * 1000, unit="ms")


def list_pages(place: Place, *, pages: int) -> Iterator[Result]:
    """Pages from the first on beside pages from the 900th on; none is asked for twice, so that none is a kept one."""
    path = f"/beteiligungen/{place.slug}/beitraege"
    first = [f"{path}?nach={key}" for key in _keys(place, 0, pages)]
    late = [f"{path}?nach={key}" for key in _keys(place, 899, pages)]
    seconds: tuple[list[float], list[float]] = ([], [])
    with served(place) as (_server, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.headers |= {"Host": HOST}
        client.get(path).raise_for_status()
        for addresses in zip(first, late, strict=True):
            for address, found in zip(addresses, seconds, strict=True):
                began = time.perf_counter()
                client.get(address).raise_for_status()
                found.append(time.perf_counter() - began)
    near, far = (statistics.median(found) for found in seconds)
    told = f"{milliseconds(far)} beside {milliseconds(near)}"
    yield Result("list of 100,000: page 900 to page 1", far / near, 1.3, Better.LESS, detail=told)


def _keys(place: Place, skipped: int, pages: int) -> list[str]:
    """Where so many pages begin, after so many others; as a reader gets there, page by page, in larger steps."""
    with unit_of_work(place.engine) as session:
        key = None
        if skipped:
            reached = published.listed(
                session, place.procedure_id, Wanted(), order=Order.NEWEST, limit=skipped * PER_PAGE
            )
            key = reached.after
        found = []
        for _ in range(pages):
            shown = published.listed(session, place.procedure_id, Wanted(), after=key, limit=PER_PAGE)
            key = shown.after
            found.append(str(key))
    return found
