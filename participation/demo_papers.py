"""The papers of the demo towns: plan drawings and reports as real PDFs, and what people send in: scans, mails.

Imports typst, Pillow and shapely: only the demo itself loads this module.
"""

import io
import json
import random
import tempfile
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from xml.sax.saxutils import escape

import shapely
import typst
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from shapely.geometry.base import BaseGeometry

from geo.palette import COLOURS
from participation.demo_town import AREAS, PLANS, TownMap
from participation.settings import ROOT

_FONTS = ROOT / "static" / "vendor" / "letters"
_TEMPLATES = Path(__file__).parent / "demo_data"
_STANDARDS: "list[typst.PDFStandard]" = ["a-2a", "ua-1"]

Section = Sequence[str]
"""A heading and its paragraphs."""


def report(title: str, subtitle: str, authority: str, sections: Sequence[Section], *, at: datetime) -> bytes:
    """A report as accessible PDF: a title page's worth of facts, then numbered sections."""
    return _typeset(
        "report.typ",
        {
            "title": title,
            "subtitle": subtitle,
            "authority": authority,
            "day": f"{at:%d.%m.%Y}",
            "sections": [{"heading": each[0], "paragraphs": list(each[1:])} for each in sections],
        },
        at=at,
    )


def drawing(
    town: TownMap, area: str, title: str, key: str, authority: str, *, at: datetime, revised: bool
) -> bytes:
    """A plan drawing on A3 with legend, scale and title block. `area` is a key of `demo_town.PLANS`."""
    signs = PLANS[area]
    scale = next(scale for scale in (500, 1000, 1250, 1500, 2000, 2500, 3000) if _fits(area, scale))
    used = list(dict.fromkeys(sign.sign for sign in signs))
    return _typeset(
        "drawing.typ",
        {
            "title": title,
            "key": key,
            "authority": authority,
            "day": f"{at:%d.%m.%Y}",
            "scale": f"1 : {scale}",
            "bar": f"{scale // 20} m",
            "north": revised,
            "labels": [sign.label for sign in signs if sign.label],
            "legend": [
                {"name": _SIGN_WORDS[sign], "fill": _sign_fill(sign), "line": _sign_line(sign)}
                for sign in used
            ],
        },
        at=at,
        files={"plan.svg": _plan_svg(town, area, scale).encode()},
    )


def _typeset(
    template: str, data: dict[str, object], *, at: datetime, files: dict[str, bytes] | None = None
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        for name, content in {template: (_TEMPLATES / template).read_bytes(), **(files or {})}.items():
            Path(folder, name).write_bytes(content)
        made = typst.compile(
            str(Path(folder, template)),
            root=folder,
            font_paths=typst.Fonts(include_system_fonts=False, font_paths=[str(_FONTS)]),
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            format="pdf",
            pdf_standards=_STANDARDS,
            timestamp=at.replace(microsecond=0),
        )
    return bytes(made)


# --- the plan drawing ------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 280.0, 262.0
"""Size of the drawing on the sheet, in millimetres."""

_SIGN_WORDS = {
    "residential": "Allgemeines Wohngebiet",
    "mixed": "Urbanes Gebiet",
    "commercial": "Gewerbegebiet",
    "special": "Sondergebiet",
    "public_use": "Fläche für den Gemeinbedarf",
    "traffic": "Straßenverkehrsfläche",
    "traffic_special": "Verkehrsfläche mit besonderer Zweckbestimmung",
    "green": "Öffentliche Grünfläche",
    "nature": "Fläche zum Schutz der Natur",
    "buildable": "Überbaubare Fläche (Baugrenze)",
    "building_limit": "Baugrenze",
    "street_limit": "Straßenbegrenzungslinie",
}
_FILLS = {
    "residential": "plan-residential", "mixed": "plan-mixed", "commercial": "plan-commercial",
    "special": "plan-special", "public_use": "plan-public", "traffic": "plan-traffic",
    "traffic_special": "plan-traffic", "green": "plan-green",
}  # fmt: skip
_LINES = {
    "buildable": "plan-building-limit", "building_limit": "plan-building-limit",
    "street_limit": "plan-street-limit", "nature": "plan-nature",
}  # fmt: skip


def _sign_fill(sign: str) -> str:
    return COLOURS[_FILLS[sign]][0] if sign in _FILLS else "#ffffff"


def _sign_line(sign: str) -> str:
    return COLOURS[_LINES[sign]][0] if sign in _LINES else "#7a6a5a"


def _fits(area: str, scale: int) -> bool:
    west, south, east, north = shapely.Polygon(AREAS[area]).bounds
    return bool((east - west) * 1000 / scale < _WIDTH - 30 and (north - south) * 1000 / scale < _HEIGHT - 30)


def _plan_svg(town: TownMap, area: str, scale: int) -> str:
    """What is there (streets, houses, parcels, water) and what the plan lays down, in millimetres on paper."""
    signs = PLANS[area]
    whole = shapely.Polygon(AREAS[area])
    west, south, east, north = whole.bounds
    factor = 1000 / scale
    left = (west + east) / 2 - _WIDTH / factor / 2
    top = (south + north) / 2 + _HEIGHT / factor / 2
    origin_x, origin_y = town.sketch.origin
    window = shapely.box(left, top - _HEIGHT / factor, left + _WIDTH / factor, top)

    def path(shape: BaseGeometry) -> str:
        parts = []
        for part in shapely.get_parts(shapely.intersection(shape, window)):
            rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
            for ring in rings:
                points = " ".join(
                    f"{(x - left) * factor:.2f},{(top - y) * factor:.2f}" for x, y in ring.coords
                )
                parts.append(f"M{points}{'Z' if part.geom_type == 'Polygon' else ''}")
        return "".join(parts)

    def existing(role: str) -> list[BaseGeometry]:
        placed = [shape for _, shape in town.layers[role]]
        moved = shapely.transform(placed, lambda xy: xy - (origin_x, origin_y))
        return [shape for shape in moved if shape.intersects(window)]

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'width="{_WIDTH:g}mm" height="{_HEIGHT:g}mm" font-family="Fira Sans">',
        f'<rect width="{_WIDTH:g}" height="{_HEIGHT:g}" fill="#fcfbf8"/>',
    ]
    looks = {
        "green": 'fill="#edf3e6"',
        "water": 'fill="#cfe3ea"',
        "parcels": 'fill="none" stroke="#b9b2a6" stroke-width="0.15"',
        "buildings": 'fill="#d5d0c8" stroke="#8f887c" stroke-width="0.2"',
    }
    for role, look in looks.items():
        out.append(f'<path d="{"".join(path(shape) for shape in existing(role))}" {look}/>')
    for sign in signs:
        look = f'fill="{_sign_fill(sign.sign)}" fill-opacity="0.75"' if sign.sign in _FILLS else 'fill="none"'
        dash = ' stroke-dasharray="3 1 1 1"' if sign.sign in ("buildable", "building_limit") else ""
        width = "0.6" if sign.sign in _LINES else "0.2"
        out.append(
            f'<path d="{path(sign.shape())}" {look} stroke="{_sign_line(sign.sign)}" '
            f'stroke-width="{width}"{dash}/>'
        )
    out.append(
        f'<path d="{path(whole)}" fill="none" stroke="#1f2a2e" stroke-width="1.2" stroke-dasharray="6 2"/>'
    )
    for name, shape in ((facts["name"], shape) for facts, shape in town.layers["streets"] if facts["name"]):
        line = shapely.intersection(shapely.transform(shape, lambda xy: xy - (origin_x, origin_y)), window)
        if line.length * factor > 45:
            middle = (
                line.interpolate(0.5, normalized=True) if line.geom_type == "LineString" else line.centroid
            )
            out.append(_label(name, middle, left, top, factor, 3.0, "#4a4a4a"))
    for sign in signs:
        if sign.label:
            point = sign.shape().representative_point()
            out.append(_label(sign.label, point, left, top, factor, 4.6, "#1f2a2e"))
    return "".join(out) + "</svg>"


def _label(
    words: str, point: BaseGeometry, left: float, top: float, factor: float, size: float, colour: str
) -> str:
    x, y = (point.x - left) * factor, (top - point.y) * factor
    return (
        f'<text x="{x:.1f}" y="{y + size / 3:.1f}" font-size="{size}" text-anchor="middle" fill="{colour}">'
        f"{escape(words)}</text>"
    )


# --- what people send ------------------------------------------------------------------------------


def scan(text: str, *, received: str, seed: int) -> bytes:
    """A sheet with handwriting-like text and a stamp of receipt, as the scanner at the counter makes it (JPEG)."""
    chance = random.Random(seed)
    sheet = Image.new("RGB", (1240, 1754), (251, 249, 243))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(str(_FONTS / "FiraSans-Regular.ttf"), 34)
    y = 330.0
    for paragraph in text.split("\n"):
        for line in _wrapped(paragraph, font, 960):
            draw.text((140 + chance.uniform(-3, 3), y + chance.uniform(-3, 3)), line, (34, 44, 92), font=font)
            y += 52
        y += 14
    stamp = Image.new("RGBA", (420, 170), (0, 0, 0, 0))
    ink = ImageDraw.Draw(stamp)
    bold = ImageFont.truetype(str(_FONTS / "FiraSans-Bold.ttf"), 40)
    ink.rectangle((4, 4, 415, 165), outline=(150, 30, 40, 210), width=6)
    ink.text((40, 22), "EINGEGANGEN", (150, 30, 40, 220), font=bold)
    ink.text((100, 88), received, (150, 30, 40, 220), font=bold)
    turned = stamp.rotate(chance.uniform(-9, 9), expand=True, resample=Image.Resampling.BICUBIC)
    sheet.paste(turned, (740, 70), turned)
    sheet = sheet.rotate(
        chance.uniform(-0.8, 0.8), fillcolor=(236, 233, 226), resample=Image.Resampling.BICUBIC
    )
    made = io.BytesIO()
    sheet.resize((827, 1169), Image.Resampling.LANCZOS).save(made, "JPEG", quality=72)
    return made.getvalue()


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def photo(seed: int) -> bytes:
    """A picture as from a telephone: a street under water, in a few soft shapes (JPEG)."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (1200, 900))
    draw = ImageDraw.Draw(picture)
    for y in range(900):
        sky = y < 380
        tone = (
            (150 + y // 8, 165 + y // 9, 180 + y // 10)
            if sky
            else (126 - y // 16, 118 - y // 18, 92 - y // 20)
        )
        draw.line((0, y, 1200, y), fill=tone)
    x = -40
    while x < 1200:
        wide, high = chance.randint(130, 220), chance.randint(190, 330)
        wall = chance.choice([(196, 178, 148), (178, 154, 138), (205, 196, 176), (160, 150, 146)])
        draw.rectangle((x, 560 - high, x + wide, 565), fill=wall)
        draw.polygon(
            [(x - 8, 560 - high), (x + wide / 2, 470 - high), (x + wide + 8, 560 - high)], fill=(118, 62, 50)
        )
        for column in range(2):
            left = x + 24 + column * (wide - 80)
            draw.rectangle((left, 590 - high, left + 34, 640 - high), fill=(62, 70, 82))
        x += wide + chance.randint(0, 12)
    for _ in range(90):
        y, left = chance.randint(570, 890), chance.randint(-60, 1180)
        draw.line((left, y, left + chance.randint(40, 190), y), fill=(150, 142, 116), width=2)
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=80)
    return made.getvalue()


def stairs() -> bytes:
    """A picture of stairs between two walls with a handrail on either side, the right one new (JPEG)."""
    picture = Image.new("RGB", (1200, 900), (206, 218, 224))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(0, 900), (0, 120), (420, 300), (420, 430), (150, 900)], fill=(168, 148, 128))
    draw.polygon([(1200, 900), (1200, 120), (780, 300), (780, 430), (1050, 900)], fill=(182, 162, 140))
    for step in range(12):
        far, near = step / 12, (step + 1) / 12
        left, right = 420 - 270 * far, 780 + 270 * far
        top, middle, bottom = 430 + 470 * far, 430 + 470 * (far + near * 0.55) / 1.55, 430 + 470 * near
        draw.rectangle((left, top, right, middle), fill=(214, 208, 196))
        draw.rectangle((left - 8, middle, right + 8, bottom), fill=(158, 152, 144))
    for side, metal in ((-1, (96, 88, 84)), (1, (38, 96, 108))):
        x1, y1, x2, y2 = 600 + side * 380, 610, 600 + side * 168, 318
        for post in range(5):
            part = post / 4
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            draw.line((x, y, x, y + 250 - 140 * part), fill=metal, width=round(12 - 7 * part))
        draw.line((x1, y1, x2, y2), fill=metal, width=18)
        draw.ellipse((x1 - 14, y1 - 14, x1 + 14, y1 + 14), fill=metal)
    for crown, (x, y) in enumerate(((110, 90), (300, 190), (1090, 80), (905, 185))):
        wide = 150 - 30 * (crown % 2)
        draw.ellipse((x - wide, y - 90, x + wide, y + 90), fill=(104 + 8 * crown, 138, 92))
    made = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(1.2)).save(made, "JPEG", quality=82)
    return made.getvalue()


def mail(sender: str, address: str, to: str, subject: str, text: str, *, at: datetime) -> bytes:
    """An e-mail as it arrived, with its headers."""
    message = EmailMessage()
    message["From"] = f"{sender} <{address}>"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = f"<{at:%Y%m%d%H%M%S}@{address.partition('@')[2]}>"
    message.set_content(text)
    return message.as_bytes()
