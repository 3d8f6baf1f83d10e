"""The map in a real browser, under the content-security policy of the pages and without any other host."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import geopandas
import pytest
import shapely
from playwright.sync_api import Browser, Page

from geo.drawn_layers import MapSource
from geo.geometry import degrees_of
from geo.layers import write_normalised
from geo.maps import MapSkeleton, MapSpec, MapWords, TileService, map_skeleton
from geo.plans import Pin, static_plan_svg
from geo.tiles import svg_tile
from geo.views import View
from tests.geo.files import X0, Y0, square

pytestmark = pytest.mark.browser

LEAFLET = Path(__file__).parents[2] / "static" / "vendor" / "leaflet"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
LON, LAT = degrees_of(X0, Y0)


class Site:
    """Serves a page with the map, the page without JavaScript's plan, and tiles of the light base map."""

    def __init__(self, sources: list[MapSource], skeleton: MapSkeleton, plan: str) -> None:
        page = (
            '<!doctype html><html lang="de"><head><title>Karte</title><link rel="icon" href="data:,">'
            + "".join(f'<link rel="stylesheet" href="{url}">' for url in (*skeleton.css_urls, "/own.css"))
            + "".join(f'<script defer src="{url}"></script>' for url in (*skeleton.js_urls, "/maps/1.js"))
            + f"</head><body><main>{skeleton.html}{plan}</main></body></html>"
        )
        files = {
            "/": ("text/html; charset=utf-8", page.encode()),
            "/own.css": ("text/css", b"#map_canvas { height: 400px }"),
            "/maps/1.js": ("text/javascript", skeleton.script.encode()),
            "/leaflet.js": ("text/javascript", (LEAFLET / "leaflet.js").read_bytes()),
            "/leaflet.css": ("text/css", (LEAFLET / "leaflet.css").read_bytes()),
            "/beitrag/1": ("text/html; charset=utf-8", b"<title>Beitrag</title><link rel=icon href=data:,>"),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/tiles/"):
                    z, x, y = (int(part) for part in self.path.removesuffix(".svg").split("/")[2:])
                    kind, body = "image/svg+xml", svg_tile(sources, z, x, y, "light")
                else:
                    kind, body = files.get(self.path, ("text/plain", b""))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the tests look at the browser's side."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if not LEAFLET.is_dir():
        pytest.skip("NOT TESTED: static/vendor/leaflet is not on this machine")
    streets = [shapely.LineString([(X0 - 900, Y0 + 60 * n), (X0 + 900, Y0 + 60 * n)]) for n in range(-8, 9)]
    sources = []
    for role, shapes, names in (
        ("streets", streets, [f"Weg {n}" for n in range(len(streets))]),
        ("buildings", [square(30 * n, 5, 20) for n in range(20)], [None] * 20),
    ):
        path = tmp_path / f"{role}.fgb"
        write_normalised(geopandas.GeoDataFrame({"name": names}, geometry=shapes, crs=25832), path)
        sources.append(MapSource(role, path, str(path)))
    spec = MapSpec(
        services=(TileService("xyz", "/tiles/{z}/{x}/{y}.svg", "Grundkarte", "© Musterstadt <b>"),),
        bounds=(LON - 0.002, LAT - 0.002, LON + 0.002, LAT + 0.002),
        leaflet_js="/leaflet.js",
        leaflet_css="/leaflet.css",
        words=MapWords("Näher", "Weiter weg", "Hintergrund"),
    )
    pins = [Pin(LON, LAT, "/beitrag/1", "Beitrag 1: Mehr Bäume", "1")]
    area = shapely.to_wkb(square(0, 0, 100))
    plan = static_plan_svg(sources, View(LON, LAT, 16, 600, 400), title="Plan", areas=[area], pins=pins)
    site = Site(sources, map_skeleton(spec), plan)
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def watched(page: Page) -> list[str]:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if "127.0.0.1" in request.url else said.append(request.url))
    return said


def test_the_map_is_there_with_its_tiles_and_nothing_is_blocked(site: Site, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    said = watched(page)
    page.goto(site.url, wait_until="networkidle")
    assert page.evaluate("window.digilogMaps.map_canvas instanceof L.Map")
    bounds = page.evaluate("window.digilogMaps.map_canvas.getBounds().toBBoxString()")
    west, south, east, north = (float(value) for value in bounds.split(","))
    assert west < LON - 0.002 < LON + 0.002 < east
    assert south < LAT - 0.002 < LAT + 0.002 < north
    sizes = page.evaluate(
        "[...document.querySelectorAll('img.leaflet-tile')].map(i => [i.complete, i.naturalWidth])"
    )
    assert len(sizes) > 4
    assert all(size == [True, 256] for size in sizes)
    assert page.locator(".leaflet-control-attribution").inner_text() == "© Musterstadt <b>"
    assert page.get_by_role("button", name="Näher").count() == 1
    assert said == []
    page.close()


def test_the_plan_works_without_javascript_and_by_keyboard(site: Site, browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    said = watched(page)
    page.goto(site.url)
    link = page.get_by_role("link", name="Beitrag 1: Mehr Bäume")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/beitrag/1")
    page.go_back()
    link.click()
    page.wait_for_url("**/beitrag/1")
    assert said == []
    page.close()
