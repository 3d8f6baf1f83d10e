"""The map's skeleton: always the same, only our files, nobody's words."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from geo import maps
from geo.maps import MapSpec, MapWords, TileService, map_skeleton

WORDS = MapWords(zoom_in="Näher", zoom_out="Weiter weg", layers="Hintergrund wählen")
OWN = TileService(
    "xyz",
    "/karte/grundkarte/light/{z}/{x}/{y}.svg",
    "Grundkarte",
    "© Musterstadt",
    dark_url="/karte/grundkarte/dark/{z}/{x}/{y}.svg",
)
EVIL = "x\"'`</script><img src=x onerror=alert(1)>${document.title='XSS'}{{7*7}}\\"


def spec(**changes: Any) -> MapSpec:
    values: dict[str, Any] = {
        "services": (OWN,),
        "bounds": (10.85, 48.3, 10.95, 48.4),
        "leaflet_js": "/static/abc/vendor/leaflet/leaflet.js",
        "leaflet_css": "/static/abc/vendor/leaflet/leaflet.css",
        "words": WORDS,
    }
    return MapSpec(**(values | changes))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_same_map_is_the_same_script_in_every_process() -> None:
    first = map_skeleton(spec())
    maps._rendered.cache_clear()
    assert map_skeleton(spec()) == first
    program = (
        "from tests.geo.test_maps import spec; from geo.maps import map_skeleton;"
        "import sys; sys.stdout.write(map_skeleton(spec()).hash)"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout == first.hash
    assert map_skeleton(spec(max_zoom=18)).hash != first.hash


def test_the_script_makes_the_map_and_registers_it() -> None:
    skeleton = map_skeleton(spec(identifier="karte_1", limits=(10.5, 48.0, 11.2, 48.7)))
    script = skeleton.script
    assert 'L.map("karte_1"' in re.sub(r"\s+", "", script)
    assert 'window.digilogMaps["karte_1"] = karte_1;' in script
    assert '"/karte/grundkarte/light/{z}/{x}/{y}.svg"' in script
    assert '"darkUrl": "/karte/grundkarte/dark/{z}/{x}/{y}.svg"' in script
    assert '"minZoom": 6' in script
    assert '"maxZoom": 19' in script
    assert "48.7" in script
    assert "N\\u00e4her" in script
    assert "L.control.layers" not in script
    assert (skeleton.js_urls, skeleton.css_urls) == ((spec().leaflet_js,), (spec().leaflet_css,))
    ((tag, attributes),) = Tags(skeleton.html).found
    assert (tag, attributes["id"], attributes["data-bounds"]) == ("div", "karte_1", "10.85,48.3,10.95,48.4")


def test_nothing_of_the_page_is_inline_or_from_elsewhere() -> None:
    skeleton = map_skeleton(spec())
    for text in (skeleton.script, skeleton.html):
        assert not re.search(r"https?://", text)
        assert not re.search(r"<(script|style|link|meta|iframe)", text)
        assert "jquery" not in text.lower()
        assert "bootstrap" not in text.lower()
        assert "eval(" not in text
    assert " style=" not in skeleton.html
    assert skeleton.image_hosts == frozenset()


def test_visitors_words_stay_data_and_out_of_the_script() -> None:
    plain = map_skeleton(spec())
    skeleton = map_skeleton(spec(data=(("feed", "/karte/daten?x=1&y=2"), ("title", EVIL))))
    assert (skeleton.script, skeleton.hash) == (plain.script, plain.hash)
    ((_, attributes),) = Tags(skeleton.html).found
    assert attributes["data-title"] == EVIL
    assert attributes["data-feed"] == "/karte/daten?x=1&y=2"
    assert set(attributes) == {"class", "id", "data-bounds", "data-feed", "data-title"}


def test_even_an_administrators_words_cannot_become_code() -> None:
    service = TileService("xyz", "/t/{z}/{x}/{y}", EVIL, EVIL, attribution_url='/quelle?"><script>')
    words = MapWords(EVIL, EVIL, EVIL)
    script = map_skeleton(spec(services=(service, OWN), words=words)).script
    assert "<" not in script
    assert "`" not in re.sub(r'"(?:[^"\\]|\\.)*"', '""', script)
    assert "XSS" not in re.sub(r'"(?:[^"\\]|\\.)*"', '""', script)


@pytest.mark.parametrize(
    ("service", "expected", "host"),
    [
        (
            TileService(
                "wms",
                "https://geo.example.org/wms?map=x",
                "Luftbild",
                "© Landesamt",
                layers="dop40",
                max_zoom=20,
            ),
            [
                "L.tileLayer.wms(",
                '"https://geo.example.org/wms?map=x"',
                '"layers": "dop40"',
                "Landesamt",
                '"version": "1.3.0"',
            ],
            "https://geo.example.org",
        ),
        (
            TileService(
                "wmts",
                "https://karte.example.org:8443/{Layer}/{Style}/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}.png",
                "Karte",
                "© Bund",
                attribution_url="https://example.org/rechte",
                layers="farbe",
                style="default",
                matrix_set="GLOBAL_WEBMERCATOR",
            ),
            [
                '"https://karte.example.org:8443/farbe/default/GLOBAL_WEBMERCATOR/{z}/{y}/{x}.png"',
                "https://example.org/rechte",
            ],
            "https://karte.example.org:8443",
        ),
        (
            TileService("xyz", "https://tiles.example.org/{z}/{y}/{x}.png", "Kacheln", "© X"),
            ['"https://tiles.example.org/{z}/{y}/{x}.png"'],
            "https://tiles.example.org",
        ),
    ],
)
def test_configured_services_come_with_attribution_and_host(
    service: TileService, expected: list[str], host: str
) -> None:
    skeleton = map_skeleton(spec(services=(OWN, service)))
    for text in expected:
        assert text in skeleton.script.replace("\\u0026", "&")
    assert "L.control.layers" in skeleton.script
    assert skeleton.image_hosts == {host}
    assert skeleton.script.count("addTo(map_canvas)") == 3  # the first background, zoom buttons, the switch


@pytest.mark.parametrize(
    "changes",
    [
        {"attribution": "  "},
        {"title": ""},
        {"url": "http://tiles.example.org/{z}/{x}/{y}.png"},
        {"url": "//tiles.example.org/{z}/{x}/{y}.png"},
        {"url": "javascript:alert(1)/{z}/{x}/{y}"},
        {"url": "https:///{z}/{x}/{y}"},
        {"url": "/kacheln/{z}/{x}.png"},
        {"dark_url": "ftp://x/{z}/{x}/{y}"},
        {"kind": "wms"},
        {"attribution_url": "javascript:alert(1)"},
    ],
)
def test_a_service_that_is_not_right_is_refused_at_start(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"kind": "xyz", "url": "/t/{z}/{x}/{y}", "title": "T", "attribution": "©"}
    with pytest.raises(ValueError, match=r"\w"):
        TileService(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"services": ()},
        {"identifier": "map-1"},
        {"identifier": 'x"onload='},
        {"leaflet_js": "https://cdn.example.org/leaflet.js"},
        {"leaflet_css": "//cdn.example.org/leaflet.css"},
        {"data": (('x"', "1"),)},
        {"data": (("onclick x", "1"),)},
    ],
)
def test_a_map_that_is_not_right_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        spec(**changes)


def test_importing_the_map_loads_no_folium() -> None:
    program = (
        "import sys, geo.maps, geo.tiles, geo.layers, geo.readers;"
        "print([m for m in ('folium','pandas','geopandas','numpy','shapely','pyogrio','lxml') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
