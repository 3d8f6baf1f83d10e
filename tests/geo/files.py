"""Small files of every kind a town might deliver, made here: nobody's data, invented places."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas
import shapely

X0, Y0 = 640_000.0, 5_360_000.0
"""A corner in EPSG:25832 around which everything lies."""


def square(dx: float, dy: float, size: float = 100.0) -> shapely.Polygon:
    return shapely.box(X0 + dx, Y0 + dy, X0 + dx + size, Y0 + dy + size)


def eight(dx: float = 0.0, dy: float = 0.0) -> shapely.Polygon:
    """A self-crossing outline; its lines cross at (50, 50) from the corner."""
    ring = [(0, 0), (100, 100), (100, 0), (0, 100)]
    return shapely.Polygon([(X0 + dx + x, Y0 + dy + y) for x, y in ring])


def quarters(crs: int | None = 25832) -> geopandas.GeoDataFrame:
    """Three areas with umlauts in their names."""
    frame = geopandas.GeoDataFrame(
        {
            "name": ["Mühlviertel", "Äußere Gärten", "Weißhof"],
            "einwohner": [1200, 830, 15],
            "dichte": [1.5, 2.25, 0.5],
        },
        geometry=[square(0, 0), square(100, 0), square(0, 100)],
        crs=25832,
    )
    if crs is None:
        return frame.set_crs(None, allow_override=True)
    return frame.to_crs(crs)


def geojson(*geometries: Mapping[str, Any] | None, **more: Any) -> bytes:
    features = [
        {"type": "Feature", "properties": {"name": f"Nr. {number}"}, "geometry": geometry}
        for number, geometry in enumerate(geometries, start=1)
    ]
    return json.dumps({"type": "FeatureCollection", **more, "features": features}).encode()


def degrees(geometry: shapely.Geometry) -> dict[str, Any]:
    """A shapely geometry in EPSG:25832 as GeoJSON in degrees."""
    series = geopandas.GeoSeries([geometry], crs=25832).to_crs(4326)
    found: dict[str, Any] = json.loads(shapely.to_geojson(series.iloc[0]))
    return found


def shapefile(
    folder: Path, frame: geopandas.GeoDataFrame, *, encoding: str = "UTF-8", leave_out: str = ""
) -> bytes:
    """A zipped shapefile of a frame, without the parts whose ending is in `leave_out`."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_file(folder / "Stadtteile.shp", encoding=encoding)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.iterdir()):
            if part.suffix not in leave_out.split():
                archive.write(part, f"daten/{part.name}")
    return packed.getvalue()


def archive(entries: Mapping[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return packed.getvalue()


def _ring(polygon: shapely.Polygon) -> str:
    return " ".join(f"{x:.3f} {y:.3f}" for x, y in polygon.exterior.coords)


def gml_polygon(polygon: shapely.Polygon, srs: str = ' srsName="EPSG:25832"') -> str:
    return (
        f"<gml:Polygon{srs}><gml:exterior><gml:LinearRing><gml:posList>{_ring(polygon)}</gml:posList>"
        "</gml:LinearRing></gml:exterior></gml:Polygon>"
    )


def xplan(
    version: str = "6.0",
    *,
    area: shapely.Polygon | None = None,
    srs: str = ' srsName="EPSG:25832"',
    prolog: str = "",
    more: str = "",
    name: str = "Am Mühlbach",
) -> str:
    """A small development plan: area, two building areas, a limit with an arc, a tree, a text and references."""
    namespace = "http://www.xplanung.de/xplangml/" + version.replace(".", "/")
    area = area or square(0, 0, 200)
    members = [
        f"""<xplan:BP_Plan gml:id="PLAN_1"><xplan:name>{name}</xplan:name><xplan:nummer>12 a</xplan:nummer>
        <xplan:beschreibung>Zwischen Bach   und Bahn.</xplan:beschreibung>
        <xplan:erstellungsMassstab>1000</xplan:erstellungsMassstab>
        <xplan:raeumlicherGeltungsbereich>{gml_polygon(area, srs)}</xplan:raeumlicherGeltungsbereich>
        <xplan:externeReferenz><xplan:XP_SpezExterneReferenz><xplan:referenzName>Begründung</xplan:referenzName>
        <xplan:referenzURL>begruendung.pdf</xplan:referenzURL><xplan:typ>1010</xplan:typ>
        </xplan:XP_SpezExterneReferenz></xplan:externeReferenz>
        <xplan:externeReferenz><xplan:XP_SpezExterneReferenz><xplan:referenzName>Umweltbericht</xplan:referenzName>
        <xplan:referenzURL>umwelt.pdf</xplan:referenzURL><xplan:typ>1040</xplan:typ>
        </xplan:XP_SpezExterneReferenz></xplan:externeReferenz>
        <xplan:gemeinde><xplan:XP_Gemeinde><xplan:ags>09999001</xplan:ags>
        <xplan:gemeindeName>Musterstadt</xplan:gemeindeName><xplan:ortsteilName>Süd</xplan:ortsteilName>
        </xplan:XP_Gemeinde></xplan:gemeinde><xplan:planArt>3000</xplan:planArt>
        <xplan:rechtsstand>2400</xplan:rechtsstand>
        <xplan:aufstellungsbeschlussDatum>2025-03-31</xplan:aufstellungsbeschlussDatum></xplan:BP_Plan>""",
        f"""<xplan:BP_BaugebietsTeilFlaeche gml:id="A_1"><xplan:position>{gml_polygon(square(10, 10), srs)}
        </xplan:position><xplan:GRZ>0.4</xplan:GRZ>
        <xplan:besondereArtDerBaulNutzung>1200</xplan:besondereArtDerBaulNutzung></xplan:BP_BaugebietsTeilFlaeche>""",
        f"""<xplan:BP_BaugebietsTeilFlaeche gml:id="A_2"><xplan:position>{gml_polygon(square(120, 10, 50), srs)}
        </xplan:position><xplan:allgArtDerBaulNutzung>3000</xplan:allgArtDerBaulNutzung>
        </xplan:BP_BaugebietsTeilFlaeche>""",
        f"""<xplan:BP_BauGrenze gml:id="L_1"><xplan:position><gml:Curve{srs}><gml:segments>
        <gml:Arc><gml:posList>{X0 + 20} {Y0 + 20} {X0 + 40} {Y0 + 40} {X0 + 60} {Y0 + 20}</gml:posList></gml:Arc>
        </gml:segments></gml:Curve></xplan:position></xplan:BP_BauGrenze>""",
        f"""<xplan:BP_AnpflanzungBindungErhaltung gml:id="B_1"><xplan:position><gml:Point{srs}>
        <gml:pos>{X0 + 5} {Y0 + 5}</gml:pos></gml:Point></xplan:position></xplan:BP_AnpflanzungBindungErhaltung>""",
        """<xplan:BP_TextAbschnitt gml:id="T_1"><xplan:schluessel>§ 2</xplan:schluessel>
        <xplan:text>Dächer sind zu begrünen.
        Das gilt auch für Garagen.</xplan:text><xplan:rechtscharakter>1000</xplan:rechtscharakter>
        </xplan:BP_TextAbschnitt>""",
    ]
    body = "".join(f"<gml:featureMember>{member}</gml:featureMember>" for member in members)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{prolog}<xplan:XPlanAuszug xmlns:xplan="{namespace}" '
        f'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:xlink="http://www.w3.org/1999/xlink" gml:id="X">'
        f"{body}{more}</xplan:XPlanAuszug>"
    )


def citygml(
    version: str = "2.0", *, system: str = "urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH", extra: str = ""
) -> str:
    """Two boxes, the second made of two parts; solids only refer to faces; the first roof has a hole with a light."""
    core = f"http://www.opengis.net/citygml/{version}"
    gml = "http://www.opengis.net/gml/3.2" if version == "3.0" else "http://www.opengis.net/gml"
    boundary, part = (
        ("boundary", "buildingPart")
        if version == "3.0"
        else ("bldg:boundedBy", "bldg:consistsOfBuildingPart")
    )
    con = "con" if version == "3.0" else "bldg"
    lod = "" if version == "3.0" else "bldg:"
    numbers = iter(range(1, 1000))

    def ring(points: list[tuple[float, float, float]]) -> str:
        text = " ".join(f"{X0 + x} {Y0 + y} {z}" for x, y, z in [*points, points[0]])
        return f'<gml:LinearRing><gml:posList srsDimension="3">{text}</gml:posList></gml:LinearRing>'

    def body(x: float, y: float, width: float, depth: float, height: float, *, hole: bool = False) -> str:
        a, b, c, d, z, t = x, x + width, y, y + depth, 500.0, 500.0 + height
        middle = [(a + 40, c + 40, t), (a + 40, c + 60, t), (a + 60, c + 60, t), (a + 60, c + 40, t)]
        faces = [
            ("GroundSurface", [[(a, c, z), (a, d, z), (b, d, z), (b, c, z)]]),
            ("WallSurface", [[(a, c, z), (b, c, z), (b, c, t), (a, c, t)]]),
            ("WallSurface", [[(b, c, z), (b, d, z), (b, d, t), (b, c, t)]]),
            ("WallSurface", [[(b, d, z), (a, d, z), (a, d, t), (b, d, t)]]),
            ("WallSurface", [[(a, d, z), (a, c, z), (a, c, t), (a, d, t)]]),
            ("RoofSurface", [[(a, c, t), (b, c, t), (b, d, t), (a, d, t)], *([middle] if hole else [])]),
        ]
        if hole:
            faces.append(("RoofSurface", [middle[::-1]]))
        words, links = "", ""
        for kind, (outer, *inner) in faces:
            name = f"f{next(numbers)}"
            holes = "".join(f"<gml:interior>{ring(each)}</gml:interior>" for each in inner)
            words += (
                f"<{boundary}><{con}:{kind}><{lod}lod2MultiSurface><gml:MultiSurface><gml:surfaceMember>"
                f'<gml:Polygon gml:id="{name}"><gml:exterior>{ring(outer)}</gml:exterior>{holes}</gml:Polygon>'
                f"</gml:surfaceMember></gml:MultiSurface></{lod}lod2MultiSurface></{con}:{kind}></{boundary}>"
            )
            links += f'<gml:surfaceMember xlink:href="#{name}"/>'
        solid = (
            f"<{lod}lod2Solid><gml:Solid><gml:exterior><gml:CompositeSurface>{links}</gml:CompositeSurface>"
            f"</gml:exterior></gml:Solid></{lod}lod2Solid>"
        )
        return solid + words if version != "3.0" else words + solid

    return f"""<?xml version="1.0" encoding="UTF-8"?>
<core:CityModel xmlns="{core}" xmlns:core="{core}" xmlns:bldg="http://www.opengis.net/citygml/building/{version}"
  xmlns:con="http://www.opengis.net/citygml/construction/{version}" xmlns:gml="{gml}"
  xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xAL="urn:oasis:names:tc:ciq:xsdschema:xAL:2.0">
<gml:boundedBy><gml:Envelope srsName="{system}" srsDimension="3"><gml:lowerCorner>0 0 0</gml:lowerCorner>
<gml:upperCorner>1 1 1</gml:upperCorner></gml:Envelope></gml:boundedBy>
<core:cityObjectMember><bldg:Building gml:id="haus"><gml:name>Altes &lt;script&gt;Rathaus&lt;/script&gt;</gml:name>
<bldg:function>31001_3012</bldg:function><bldg:roofType>1000</bldg:roofType><bldg:measuredHeight uom="m">12.0</bldg:measuredHeight>
<bldg:storeysAboveGround>4</bldg:storeysAboveGround>{body(0, 0, 100, 100, 12, hole=True)}
<bldg:address><core:Address><core:xalAddress><xAL:AddressDetails><xAL:Country><xAL:Locality><xAL:LocalityName>Musterstadt</xAL:LocalityName>
<xAL:Thoroughfare><xAL:ThoroughfareNumber>7</xAL:ThoroughfareNumber><xAL:ThoroughfareName>Färbergasse</xAL:ThoroughfareName>
</xAL:Thoroughfare></xAL:Locality></xAL:Country></xAL:AddressDetails></core:xalAddress></core:Address></bldg:address>
</bldg:Building></core:cityObjectMember>
<core:cityObjectMember><bldg:Building gml:id="hof"><{part}><bldg:BuildingPart gml:id="hof-1">
{body(100, 100, 50, 100, 6)}</bldg:BuildingPart></{part}><{part}><bldg:BuildingPart gml:id="hof-2">
{body(150, 100, 50, 100, 9)}</bldg:BuildingPart></{part}></bldg:Building></core:cityObjectMember>
{extra}</core:CityModel>"""


def citygml_face(points: list[tuple[float, float, float]], *, close: bool = True) -> str:
    """A face of CityGML 2 beside the houses of `citygml`, as the content of a lodXMultiSurface."""
    ring = [*points, points[0]] if close else points
    text = " ".join(f"{X0 + x} {Y0 + y} {z}" for x, y, z in ring)
    return (
        "<gml:MultiSurface><gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing>"
        f'<gml:posList srsDimension="3">{text}</gml:posList>'
        "</gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember></gml:MultiSurface>"
    )


def cityjson(version: str = "2.0", *, sequence: bool = False, system: str = "EPSG/0/25832") -> str:
    """The same two boxes without the hole, as CityJSON or as a sequence of it."""
    head: dict[str, Any] = {
        "type": "CityJSON",
        "version": version,
        "metadata": {"referenceSystem": f"https://www.opengis.net/def/crs/{system}"} if system else {},
        "transform": {"scale": [0.001, 0.001, 0.001], "translate": [X0, Y0, 500.0]},
    }
    vertices: list[list[int]] = []

    def box(x: int, y: int, width: int, depth: int, height: int) -> dict[str, Any]:
        first = len(vertices)
        for z in (0, height):
            for dx, dy in ((0, 0), (width, 0), (width, depth), (0, depth)):
                vertices.append([1000 * (x + dx), 1000 * (y + dy), 1000 * z])
        faces = [[3, 2, 1, 0], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7]]
        return {
            "type": "Solid",
            "lod": "2.2",
            "boundaries": [[[[first + corner for corner in face]] for face in faces]],
            "semantics": {
                "surfaces": [{"type": kind} for kind in ("GroundSurface", "WallSurface", "RoofSurface")],
                "values": [[0, 1, 1, 1, 1, 2]],
            },
        }

    def objects(which: int) -> dict[str, Any]:
        if which == 0:
            facts = {
                "measuredHeight": 12.0,
                "storeysAboveGround": 4,
                "function": "31001_3012",
                "roofType": "1000",
            }
            return {"haus": {"type": "Building", "attributes": facts, "geometry": [box(0, 0, 100, 100, 12)]}}
        return {
            "hof-1": {"type": "BuildingPart", "parents": ["hof"], "geometry": [box(100, 100, 50, 100, 6)]},
            "hof": {"type": "Building", "children": ["hof-1", "hof-2"]},
            "hof-2": {"type": "BuildingPart", "parents": ["hof"], "geometry": [box(150, 100, 50, 100, 9)]},
        }

    if not sequence:
        everything = {**objects(0), **objects(1), "b": {"type": "SolitaryVegetationObject"}}
        return json.dumps({**head, "CityObjects": everything, "vertices": vertices}, indent=1)
    lines = [{**head, "CityObjects": {}, "vertices": []}]
    for which, name in enumerate(("haus", "hof")):
        vertices.clear()
        found = objects(which)
        lines.append(
            {"type": "CityJSONFeature", "id": name, "CityObjects": found, "vertices": list(vertices)}
        )
    return "\n".join(json.dumps(line) for line in lines) + "\n"


def osm() -> str:
    """Three nodes and two houses, the corners of the second hundred metres apart from the first."""
    nodes, ways, number = "", "", 0
    for way, area in enumerate((square(0, 0), square(100, 100)), start=1):
        ring = geopandas.GeoSeries([area], crs=25832).to_crs(4326).iloc[0].exterior.coords[:-1]
        members = ""
        for lon, lat in ring:
            number += 1
            nodes += f'<node id="{number}" version="1" lat="{lat:.9f}" lon="{lon:.9f}"/>'
            members += f'<nd ref="{number}"/>'
        members += f'<nd ref="{number - 3}"/>'
        tags = '<tag k="building" v="yes"/><tag k="name" v="Weißhof"/>'
        ways += f'<way id="{way}" version="1">{members}{tags}</way>'
    return f'<?xml version="1.0" encoding="UTF-8"?><osm version="0.6">{nodes}{ways}</osm>'


def gml(system: str = "urn:ogc:def:crs:EPSG::25832") -> str:
    """A feature collection of an invented schema, with a reference elsewhere that nobody may follow."""
    members = "".join(
        f'<wfs:member><a:Beet gml:id="b{number}"><a:name>Beet {number}</a:name><a:form><gml:Polygon gml:id="p{number}" '
        f'srsName="{system}"><gml:exterior><gml:LinearRing><gml:posList>'
        + " ".join(f"{x} {y}" for x, y in area.exterior.coords)
        + "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></a:form></a:Beet></wfs:member>"
        for number, area in enumerate((square(0, 0), square(100, 100)), start=1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
        f'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:a="urn:beispiel">{members}</wfs:FeatureCollection>'
    )


def xyz(
    *, decimal: str = ".", apart: str = " ", step: float = 10.0, count: int = 21, header: str = ""
) -> str:
    """Heights on a grid from the corner: 400 m, and 1 cm more with every metre to the east and 2 to the north."""
    lines = [header] if header else []
    for row in range(count):
        for column in range(count):
            x, y = column * step, row * step
            values = (X0 + x, Y0 + y, 400 + 0.01 * x + 0.02 * y)
            lines.append(apart.join(f"{value:.2f}".replace(".", decimal) for value in values))
    return "\n".join(lines) + "\n"


def geotiff(*, code: int | None = 25832, step: float = 10.0, count: int = 21, areas: bool = False) -> bytes:
    """The same heights as `xyz` as a GeoTIFF of 32-bit floats; the second from the north-west is not known."""
    import numpy as np
    from PIL import Image, TiffImagePlugin

    x, y = np.meshgrid(np.arange(count) * step, np.arange(count)[::-1] * step)
    heights = (400 + 0.01 * x + 0.02 * y).astype("f4")
    heights[0, 1] = -9999
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    half = step / 2 if areas else 0.0
    top = Y0 + (count - 1) * step
    tags[33550], tags.tagtype[33550] = (step, step, 0.0), 12
    tags[33922], tags.tagtype[33922] = (0.0, 0.0, 0.0, X0 - half, top + half, 0.0), 12
    keys = [(1025, 1 if areas else 2), *([(3072, code)] if code else []), (4096, 7837)]
    words = [1, 1, 0, len(keys), *(word for key, value in keys for word in (key, 0, 1, value))]
    tags[34735], tags.tagtype[34735] = tuple(words), 3
    tags[42113], tags.tagtype[42113] = "-9999", 2
    written = io.BytesIO()
    Image.fromarray(heights).save(written, "TIFF", tiffinfo=tags, compression="tiff_lzw")
    return written.getvalue()


def gltf(
    corners: Any, triangles: Any, *, name: str = "Turm", node: Mapping[str, Any] | None = None, **more: Any
) -> bytes:
    """A binary glTF file of one mesh."""
    import struct

    import numpy as np

    places, numbers = np.asarray(corners, "<f4").tobytes(), np.asarray(triangles, "<u2").ravel().tobytes()
    numbers += b"\0" * (-len(numbers) % 4)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0, **(node or {})}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(corners), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3 * len(triangles), "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(places)},
            {"buffer": 0, "byteOffset": len(places), "byteLength": len(numbers)},
        ],
        "buffers": [{"byteLength": len(places) + len(numbers)}],
        **more,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    total = 28 + len(text) + len(places) + len(numbers)
    return (
        struct.pack("<4sII", b"glTF", 2, total)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(places) + len(numbers), b"BIN\0")
        + places
        + numbers
    )


def box_mesh(wide: float, high: float, deep: float) -> tuple[list[list[float]], list[list[int]]]:
    """A box from the origin: x to the right, y up, z towards the viewer; its triangles look outwards."""
    corners = [[x, y, z] for x in (0, wide) for y in (0, high) for z in (0, deep)]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, [list(each) for a, b, c, d in quads for each in ((a, b, c), (a, c, d))]
