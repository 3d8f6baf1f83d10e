"""The skeleton of an interactive map, made by Folium and served as a file of its own.

**The contract with the browser's side.** `map_skeleton` gives an empty `<div>` and a *classic* script. Included after
Leaflet, the script creates the `L.map` in that div, adds the background layers with their attribution, zoom buttons
and (with more than one background) a layer switch, and registers the map:

    window.digilogMaps["map_canvas"]  →  the L.Map whose container is <div id="map_canvas">

Everything else – contributions, plan areas, drawing, words in popups – is the business of an ES module of the page,
which finds its addresses and settings in the `data-*` attributes of the div (`MapSpec.data`), and the bounds to show
in `data-bounds="west,south,east,north"` where given. Modules run after classic scripts with `defer` in document order,
so including Leaflet, then the skeleton, both with `defer`, then the module, is enough. Background layers made from the
town's own data carry the option `darkUrl`; the module swaps it in (`layer.setUrl(layer.options.darkUrl)`) when the
page is dark.

**What never goes through Folium: anything a visitor wrote.** Folium puts texts into JavaScript and HTML; here it gets
addresses, numbers and the administrator's attribution (escaped), nothing else. No address outside the house gets onto
a page unless it is a configured service, which must have an attribution.

Importing this module does not load Folium.
"""

import hashlib
import html
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final, Literal
from urllib.parse import urlsplit

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
_ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _is_own(url: str) -> bool:
    """Whether an address lies on this server: a path, not another host in disguise."""
    return url.startswith("/") and not url.startswith(("//", "/\\"))


@dataclass(frozen=True, slots=True)
class TileService:
    """A background: own tiles or a configured service.

    `xyz`: a template with {z}, {x}, {y}. `wmts`: the REST or key-value template, whose {TileMatrix}, {TileRow},
    {TileCol} (any case) are filled; {Layer}, {Style}, {TileMatrixSet} are taken from the fields. `wms`: the address
    and `layers`. An attribution is obligatory. Raises ValueError naming what is wrong: the server refuses to start.
    """

    kind: Literal["xyz", "wms", "wmts"]
    url: str
    title: str
    attribution: str
    """Plain text, e.g. "© OpenStreetMap contributors"."""
    attribution_url: str = ""
    dark_url: str = ""
    """The same tiles for a dark page (own tiles only)."""
    layers: str = ""
    style: str = ""
    matrix_set: str = ""
    image_format: str = "image/png"
    version: str = "1.3.0"
    min_zoom: int = 0
    max_zoom: int = 19
    overlay: bool = False
    opacity: float = 1.0

    def __post_init__(self) -> None:
        for url in (self.url, self.dark_url):
            if url and not _is_own(url) and not (url.startswith("https://") and urlsplit(url).hostname):
                raise ValueError(
                    f"{self.title or 'map service'}: the address must be https:// or a path of ours: {url}"
                )
        if not self.url or not self.title.strip():
            raise ValueError("a map service needs an address and a title")
        if not self.attribution.strip():
            raise ValueError(f"{self.title}: a map service needs an attribution")
        if self.attribution_url and not self.attribution_url.startswith(("https://", "/")):
            raise ValueError(f"{self.title}: attribution_url must be https:// or a path of ours")
        if self.kind == "wms" and not self.layers.strip():
            raise ValueError(f"{self.title}: a WMS needs layers")
        if self.kind != "wms" and not all(f"{{{name}}}" in self.template for name in "zxy"):
            raise ValueError(f"{self.title}: the address needs {{z}}, {{x}} and {{y}}")

    @property
    def template(self) -> str:
        """The address as Leaflet fills it."""
        url = self.url
        if self.kind == "wmts":
            for name, value in (
                ("TileMatrixSet", self.matrix_set),
                ("TileMatrix", "{z}"),
                ("TileRow", "{y}"),
                ("TileCol", "{x}"),
                ("Layer", self.layers),
                ("Style", self.style),
            ):
                url = re.sub(rf"\{{{name}\}}", lambda _, value=value: value, url, flags=re.IGNORECASE)  # type: ignore[misc]
        return url

    @property
    def host(self) -> str:
        """The origin a browser has to be allowed to load pictures from ("https://…"), or "" for own tiles."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


@dataclass(frozen=True, slots=True)
class MapWords:
    """What the map's own buttons are called, in the page's language."""

    zoom_in: str
    zoom_out: str
    layers: str


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One map: where it looks, what lies beneath, and which files of ours it loads.

    `bounds` and `limits` are west, south, east, north in degrees: what is shown at first, and how far one can move.
    `data` are (name, value) pairs for `data-*` attributes of the div; they may hold anything and do not change the
    script. Raises ValueError for identifiers and addresses that are not ours.
    """

    services: tuple[TileService, ...]
    bounds: tuple[float, float, float, float]
    leaflet_js: str
    leaflet_css: str
    words: MapWords
    identifier: str = "map_canvas"
    limits: tuple[float, float, float, float] | None = None
    min_zoom: int = 6
    max_zoom: int = 19
    data: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.identifier):
            raise ValueError(f"not an identifier: {self.identifier!r}")
        if not self.services:
            raise ValueError("a map needs a background")
        for url in (self.leaflet_js, self.leaflet_css):
            if not _is_own(url):
                raise ValueError(f"scripts and styles come from this server only: {url}")
        for name, _ in self.data:
            if not _ATTRIBUTE.fullmatch(name):
                raise ValueError(f"not an attribute name: {name!r}")


@dataclass(frozen=True, slots=True)
class MapSkeleton:
    """A map ready for a page. `script` is to be served at an address that carries `hash` and can be kept for ever."""

    html: str
    script: str
    hash: str
    css_urls: tuple[str, ...]
    js_urls: tuple[str, ...]
    image_hosts: frozenset[str]
    """Origins for img-src of the page's content-security policy."""


def map_skeleton(spec: MapSpec) -> MapSkeleton:
    """The div and the script of a map. The same spec (but for `data`) gives the same script, byte for byte."""
    script, css_urls, js_urls = _rendered(replace(spec, data=()))
    attributes = "".join(
        f' data-{name}="{html.escape(value)}"'
        for name, value in (("bounds", ",".join(f"{value:.7g}" for value in spec.bounds)), *spec.data)
    )
    return MapSkeleton(
        html=f'<div class="d-map__canvas" id="{spec.identifier}"{attributes}></div>',
        script=script,
        hash=hashlib.sha256(script.encode()).hexdigest(),
        css_urls=css_urls,
        js_urls=js_urls,
        image_hosts=frozenset(service.host for service in spec.services if service.host),
    )


@lru_cache(maxsize=128)
def _rendered(spec: MapSpec) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Script, style sheets and scripts to include, as Folium renders them without its page around."""
    from branca.element import CssLink, JavascriptLink

    skeleton = _folium_map(spec)
    _number(skeleton)
    figure = skeleton.get_root()
    for child in list(figure._children.values()):
        child.render()
    css_urls, js_urls = list[str](), list[str]()
    for element in figure.header._children.values():
        if isinstance(element, JavascriptLink):
            js_urls.append(element.url)
        elif isinstance(element, CssLink):
            css_urls.append(element.url)
    if (css_urls, js_urls) != ([spec.leaflet_css], [spec.leaflet_js]):
        raise RuntimeError(f"folium wants other files than ours: {css_urls} {js_urls}")
    lines = [line.strip() for line in figure.script.render().splitlines() if line.strip()]
    body = "\n".join(lines)
    return f'(function () {{\n"use strict";\n{body}\n}})();\n', tuple(css_urls), tuple(js_urls)


@cache
def _elements() -> tuple[Any, Any, Any, Any]:
    """Our Folium elements: the map, its tiles, its register entry and buttons, the layer switch (compiled once)."""
    import folium
    from branca.element import CssLink, Element, JavascriptLink, MacroElement
    from folium.template import Template
    from folium.utilities import remove_empty

    class OwnMap(folium.Map):
        """Folium's map with our Leaflet only, and the div's name as its own."""

        def __init__(self, spec: MapSpec, **options: Any) -> None:
            self._spec = spec
            self.default_js = [("leaflet", spec.leaflet_js)]
            self.default_css = [("leaflet_css", spec.leaflet_css)]
            super().__init__(tiles=None, zoom_control=False, **options)

        def get_name(self) -> str:
            return self._spec.identifier

        def render(self, **kwargs: Any) -> str:
            """Without Folium's styles and switches in the head, which a page of ours has no use for."""
            figure: Any = self.get_root()
            for (name, url), link in ((self.default_js[0], JavascriptLink), (self.default_css[0], CssLink)):
                figure.header.add_child(link(url), name=name)
            script = self._template.module.script(self, kwargs)
            figure.script.add_child(Element(script), name=self.get_name())
            for child in list(self._children.values()):
                child.render(**kwargs)
            return ""

    class OwnTiles(folium.TileLayer):
        """Folium's layer of tiles, without looking the address up among all providers that there are."""

        def __init__(
            self, url: str, attribution: str, *, name: str, overlay: bool, show: bool, **options: Any
        ) -> None:
            super(folium.TileLayer, self).__init__(name=name, overlay=overlay, show=show)
            self._name = "TileLayer"
            self.tile_name, self.tiles = name, url
            most = options["max_zoom"]
            self.options = remove_empty(
                min_zoom=options.pop("min_zoom") or 0,
                max_zoom=options.pop("max_zoom"),
                max_native_zoom=most,
                no_wrap=False,
                attribution=attribution,
                subdomains="abc",
                detect_retina=False,
                tms=False,
                **options,
            )

    class Register(MacroElement):
        """Buttons in the page's language, and the map's entry in the window's register."""

        _template = Template(
            """
            {% macro script(this, kwargs) %}
            {{ this._parent.get_name() }}.attributionControl.setPrefix(false);
            L.control.zoom({{ this.zoom|tojavascript }}).addTo({{ this._parent.get_name() }});
            window.digilogMaps = window.digilogMaps || {};
            window.digilogMaps[{{ this._parent.get_name()|tojson }}] = {{ this._parent.get_name() }};
            {% endmacro %}
            """
        )

        def __init__(self, words: MapWords) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self._name = "Register"
            self.zoom = {"zoomInTitle": words.zoom_in, "zoomOutTitle": words.zoom_out}

    class NamedLayers(folium.LayerControl):
        """The switch with a name that is read out."""

        _template = Template(
            """
            {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = L.control.layers({
                {%- for key, val in this.base_layers.items() %}{{ key|tojson }}: {{ val }}, {% endfor -%}
            }, {
                {%- for key, val in this.overlays.items() %}{{ key|tojson }}: {{ val }}, {% endfor -%}
            }, {{ this.options|tojavascript }}).addTo({{ this._parent.get_name() }});
            {{ this.get_name() }}.getContainer().querySelector("a").title = {{ this.words|tojson }};
            {% endmacro %}
            """
        )

        def __init__(self, words: MapWords) -> None:
            super().__init__()
            self.words = words.layers

    return OwnMap, OwnTiles, Register, NamedLayers


def _folium_map(spec: MapSpec) -> Any:
    import folium

    own_map, own_tiles, register, named_layers = _elements()
    west, south, east, north = spec.bounds
    options: dict[str, Any] = {"minZoom": spec.min_zoom, "maxZoom": spec.max_zoom}
    if spec.limits:
        left, bottom, right, top = spec.limits
        options |= {"min_lon": left, "min_lat": bottom, "max_lon": right, "max_lat": top, "max_bounds": True}
    centre = (round((south + north) / 2, 7), round((west + east) / 2, 7))
    skeleton = own_map(spec, location=centre, zoom_start=14, **options)
    shown = False
    for service in spec.services:
        layer = _layer(service, own_tiles, show=service.overlay or not shown)
        shown = shown or not service.overlay
        layer.add_to(skeleton)
    fit = folium.FitBounds([(south, west), (north, east)], max_zoom=min(spec.max_zoom, 18))
    # At once: an animation would still be under way when the page's module shows what it was asked for.
    fit.options["animate"] = False
    fit.add_to(skeleton)
    register(spec.words).add_to(skeleton)
    if len(spec.services) > 1:
        named_layers(spec.words).add_to(skeleton)
    return skeleton


def _layer(service: TileService, own_tiles: Any, *, show: bool) -> Any:
    """A service as Folium's layer. Titles and attributions become HTML in the browser, so they are escaped here."""
    import folium

    attribution = html.escape(service.attribution)
    if service.attribution_url:
        attribution = f'<a href="{html.escape(service.attribution_url)}">{attribution}</a>'
    common: dict[str, Any] = {
        "name": html.escape(service.title),
        "overlay": service.overlay,
        "show": show,
        "max_zoom": service.max_zoom,
        "min_zoom": service.min_zoom,
        "opacity": service.opacity,
    }
    if service.kind == "wms":
        return folium.WmsTileLayer(
            service.url,
            layers=service.layers,
            styles=service.style,
            fmt=service.image_format,
            transparent=service.overlay,
            version=service.version,
            attr=attribution,
            **common,
        )
    if service.dark_url:
        common["dark_url"] = service.dark_url
    return own_tiles(service.template, attribution, **common)


def _number(element: Any) -> None:
    """Folium names its elements at random; counted names make the script the same every time."""
    waiting, number = [element], 0
    while waiting:
        current = waiting.pop(0)
        current._id = f"e{number}"
        number += 1
        waiting.extend(current._children.values())
