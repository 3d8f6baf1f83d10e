"""Pages over real HTTP: how many per second, the first time and again, beside a bare handler; and what a worker weighs."""

import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from random import Random

import httpx2
import psutil

from benchmarks.load import requests_per_second
from benchmarks.measuring import Better, Result
from benchmarks.town import HOST, Place, served
from consultations import places
from consultations.permissions import SYSTEM
from consultations.places import Layer, LayerRole
from participation import map_services
from participation.database import unit_of_work
from participation.map_services import Service
from tests import servers

#: What browsers send, as far as it matters.
BROWSER = {"Accept-Encoding": "gzip, deflate, br", "Host": HOST}


@contextmanager
def bare(place: Place, size: int, application: str = "application") -> Iterator[int]:
    """A bare server of pages of this size, or of the files beside the database; its port."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        f"benchmarks.bare:{application}",
        "--port",
        str(port),
    ]
    with servers.running(
        [*command, "--log-level", "warning"],
        url=url,
        ready=lambda: servers.answers(url),
        env={
            "BENCHMARK_DATABASE": place.engine.url.database or "",
            "BENCHMARK_SIZE": str(size),
            "BENCHMARK_FOLDER": str(place.settings.data_dir),
        },
    ):
        yield port


def speed(place: Place, *, rounds: int, seconds: float) -> Iterator[Result]:
    """The start page and a consultation's page, whole and (with their ETag) unchanged, as ratios to a bare page."""
    with (
        served(place) as (_server, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=BROWSER) as client,
    ):
        for name, path in (("start page", "/"), ("consultation page", f"/beteiligungen/{place.slug}")):
            first = client.get(path)
            again = BROWSER | {"If-None-Match": first.headers["etag"]}
            assert client.get(path, headers=again).status_code == 304
            with bare(place, len(first.content)) as bare_port:
                floor, whole, unchanged = [], [], []
                for _ in range(rounds):
                    floor.append(requests_per_second(bare_port, "/", seconds=seconds, headers=BROWSER))
                    whole.append(requests_per_second(port, path, seconds=seconds, headers=BROWSER))
                    unchanged.append(
                        requests_per_second(port, path, seconds=seconds, headers=again, status=304)
                    )
            base = statistics.median(floor)
            told = f"{statistics.median(whole):.0f}/s beside {base:.0f}/s, {len(first.content) / 1000:.0f} kB"
            yield Result(
                f"{name}: requests/s of a bare page", statistics.median(whole) / base, 0.5, detail=told
            )
            told = f"{statistics.median(unchanged):.0f}/s beside {base:.0f}/s"
            yield Result(f"{name}, with ETag", statistics.median(unchanged) / base, 0.8, detail=told)


def kept_tile(place: Place, *, rounds: int, seconds: float) -> Iterator[Result]:
    """A tile of the base map that was drawn before, beside Starlette's StaticFiles with the same octets."""
    with (
        served(place) as (_server, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=BROWSER, timeout=60) as client,
    ):
        [script] = re.findall(r'src="(/maps/[^"]+)"', client.get("/karte").text)
        tiles = re.findall(r'"(/kacheln/[^"]+/light/)', client.get(script.replace("&amp;", "&")).text)
        path = f"{tiles[0]}14/8679/5682.svg"
        first = client.get(path)
        first.raise_for_status()
        for name in ("tile.svg", "index.html"):
            (place.settings.data_dir / name).write_bytes(first.content)
        with bare(place, 0, "files") as bare_port:
            floor, ours = [], []
            for _ in range(rounds):
                floor.append(requests_per_second(bare_port, "/tile.svg", seconds=seconds, headers=BROWSER))
                ours.append(requests_per_second(port, path, seconds=seconds, headers=BROWSER))
    base, rate = statistics.median(floor), statistics.median(ours)
    told = f"{rate:.0f}/s beside {base:.0f}/s, {len(first.content) / 1000:.1f} kB"
    yield Result("tile that was drawn before: requests/s of StaticFiles", rate / base, 3, detail=told)


def kept_picture(place: Place, *, rounds: int, seconds: float) -> Iterator[Result]:
    """A picture of a map service that was fetched before, beside Starlette's StaticFiles with the same octets."""
    host = "karten.example"
    place = replace(place, settings=place.settings.model_copy(update={"map_hosts": [host]}))
    service = Service("xyz", f"https://{host}/{{z}}/{{x}}/{{y}}.png")
    layer = Layer(
        municipality_id=place.municipality_id,
        role=LayerRole.OTHER.value,
        title="Luftbild",
        attribution="Vermessungsamt",
        original_sha256="",
        normalised_sha256="",
        service=asdict(service),
        imported_at=datetime.now(UTC),
    )
    with unit_of_work(place.engine, write=True) as session:
        number = places.add_layer(session, layer, [], by=SYSTEM, now=datetime.now(UTC)).id
    z, x, y = 14, 8679, 5682
    content = b"\x89PNG\r\n\x1a\n" + Random(1).randbytes(24_000)
    kept = map_services.path_of(place.settings, map_services.address(service, z, x, y))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    for name in ("tile.svg", "index.html"):
        (place.settings.data_dir / name).write_bytes(content)
    path = f"/kacheln/dienst/{number}/{z}/{x}/{y}"
    with served(place) as (_server, port), bare(place, 0, "files") as bare_port:
        assert httpx2.get(f"http://127.0.0.1:{port}{path}", headers=BROWSER).content == content
        floor, ours = [], []
        for _ in range(rounds):
            floor.append(requests_per_second(bare_port, "/tile.svg", seconds=seconds, headers=BROWSER))
            ours.append(requests_per_second(port, path, seconds=seconds, headers=BROWSER))
    base, rate = statistics.median(floor), statistics.median(ours)
    told = f"{rate:.0f}/s beside {base:.0f}/s, {len(content) / 1000:.0f} kB"
    yield Result("picture of a map service, kept: requests/s of StaticFiles", rate / base, 3, detail=told)


def worker(place: Place) -> Iterator[Result]:
    """A fresh server process: how soon it answers, and its resident memory after twenty pages, none with a map."""
    began = time.perf_counter()
    with served(place, in_process_worker=True) as (server, port):
        yield Result("time until a worker answers", time.perf_counter() - began, unit="s")
        (process,) = psutil.Process(server.pid).children()
        at_start = process.memory_info().rss / 1e6
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=BROWSER) as client:
            paths = ["/", f"/beteiligungen/{place.slug}", "/suche?q=Wohnen", "/ohne-internet", "/impressum"]
            for path in ["/healthz", *paths * 4]:
                client.get(path).raise_for_status()
        resident = process.memory_info().rss / 1e6
        told = f"{at_start:.0f} MB at its start"
        yield Result("memory of a worker after 20 pages", resident, 130, Better.LESS, "MB", told)
