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
