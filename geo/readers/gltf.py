"""Planned buildings as glTF 2.0 (.glb, .gltf): triangles in metres around a point that a person places on the map.

glTF knows no coordinate system: `Placement` says where its origin stands and which way it looks. Only what describes
shapes is read; pictures, materials, bones, cameras are not. Nothing outside the file is ever fetched: a file that keeps
its shapes elsewhere is refused, and so is one that needs an extension (compression), or that is too large.
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.geometry import METRES
from geo.layers import LayerInfo, LayerProblem, LayerRead, LayerReport, Skipped, degrees_box
from geo.readers.archive import Delivered
from geo.readers.citymodel import Building, CityModelWriter, Findings, Surface

if TYPE_CHECKING:
    import numpy as np

MOST_OCTETS: Final = 100_000_000
MOST_TRIANGLES: Final = 60_000
MOST_NODES: Final = 5_000
MOST_BODIES: Final = 500
_DEEPEST: Final = 60
#: Extensions that change only how things look, or that we can read.
_HARMLESS: Final = ("KHR_mesh_quantization", "KHR_texture_transform", "KHR_materials_")
_SIZES: Final[Mapping[str, int]] = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_KINDS: Final[Mapping[int, str]] = {
    5120: "i1",
    5121: "u1",
    5122: "<i2",
    5123: "<u2",
    5125: "<u4",
    5126: "<f4",
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the origin of a model stands: metres (EPSG:25832) and height (DHHN2016); how far it is turned, in degrees
    clockwise from grid north; metres for one of its units; storeys of each of its bodies, 0 if nobody says."""

    east: float
    north: float
    height: float
    turn: float = 0.0
    unit: float = 1.0
    storeys: int = 0


def is_gltf(file: Delivered) -> bool:
    """glTF, binary or as text."""
    return file.head.startswith(b"glTF") or (
        file.text.startswith(b"{") and b'"asset"' in file.head and b'"CityJSON"' not in file.head
    )


def read_gltf(file: Delivered, placement: Placement, model: Path) -> LayerRead:
    """The bodies of a glTF file as buildings, one for each node that has a mesh; written to `model` as a city model.

    Raises LayerProblem.
    """
    document, chunk = _opened(file)
    needed = [name for name in _list(document, "extensionsRequired") if not str(name).startswith(_HARMLESS)]
    if needed:
        raise LayerProblem("needs_extension", names=", ".join(str(name)[:60] for name in needed[:5]))
    findings = Findings()
    left = 0
    buffers = _Buffers(document, chunk)
    with _written(model, findings) as writer:
        total = 0
        for number, (name, mesh, matrix) in enumerate(_bodies(document), start=1):
            if number > MOST_BODIES:
                raise LayerProblem("too_many_features", count=number, limit=MOST_BODIES)
            corners, others = _triangles(document, mesh, buffers, MOST_TRIANGLES - total)
            left += others
            total += len(corners)
            placed = _placed(corners.reshape(-1, 3), matrix, placement).reshape(-1, 3, 3)
            if len(placed):
                faces = [Surface("", [_ring(each)]) for each in placed]
                writer.add(
                    Building(f"P{number}", faces, name=name[:200], storeys=placement.storeys, lod=2.0), []
                )
        if not total:
            raise LayerProblem("no_buildings", others="glTF")
    return _read(file, model, findings, left)


@contextmanager
def _written(model: Path, findings: Findings) -> Iterator[CityModelWriter]:
    """A writer whose "nothing in it" means that nothing of what was there can be used."""
    try:
        with CityModelWriter(model, findings) as writer:
            yield writer
    except LayerProblem as problem:
        if problem.code == "no_features":
            raise LayerProblem(
                "nothing_usable", count=sum(each.count for each in findings.skipped)
            ) from problem
        raise


def _read(file: Delivered, model: Path, findings: Findings, left: int) -> LayerRead:
    from geo.readers.city import MODEL_COLUMNS, footprints_of

    if findings.bounds is None:
        raise LayerProblem("nothing_usable", count=findings.buildings)
    frame = footprints_of(model)
    skipped = (*findings.skipped, *((Skipped("", "no_triangles", left),) if left else ()))
    report = LayerReport(
        format="glTF",
        version="2.0",
        layers=(LayerInfo(file.name, findings.buildings, ("Building",)),),
        features=findings.buildings,
        geometry_types={"MultiPolygon": len(frame)},
        crs=f"EPSG:{METRES}",
        bounds=findings.bounds,
        bounds_degrees=degrees_box(*findings.bounds),
        columns=MODEL_COLUMNS,
        repairs=tuple(findings.repairs),
        repaired=findings.repaired,
        skipped=skipped,
        surfaces=dict(findings.faces),
        heights=findings.heights,
    )
    return LayerRead(frame, report)


def _opened(file: Delivered) -> tuple[dict[str, Any], bytes]:
    """The description, and the octets that came with it."""
    if file.size > MOST_OCTETS:
        raise LayerProblem("too_large", size=file.size, limit=MOST_OCTETS)
    content = file.path.read_bytes()
    chunk = b""
    if content.startswith(b"glTF"):
        if len(content) < 20:
            raise LayerProblem("truncated")
        _, version, length = struct.unpack_from("<4sII", content)
        if length > len(content):
            raise LayerProblem("truncated")
        size, kind = struct.unpack_from("<II", content, 12)
        if version != 2 or kind != 0x4E4F534A or 20 + size > length:
            raise LayerProblem("broken", detail=f"glTF {version}")
        text = content[20 : 20 + size]
        if 28 + size <= length:
            more, kind = struct.unpack_from("<II", content, 20 + size)
            if 28 + size + more > length:
                raise LayerProblem("truncated")
            chunk = content[28 + size : 28 + size + more] if kind == 0x004E4942 else b""
    else:
        text = content
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise LayerProblem("broken", detail=str(problem)[:200]) from problem
    if not isinstance(document, dict) or str((document.get("asset") or {}).get("version", ""))[:1] != "2":
        raise LayerProblem("broken", detail="glTF 2.0")
    return document, chunk


def _list(holder: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = holder.get(name, ())
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise LayerProblem("broken", detail=name)
    return found


def _member(holder: Mapping[str, Any], name: str, number: object) -> dict[str, Any]:
    """One of a list of things, by its number. Raises LayerProblem for a number that is none."""
    rows = _list(holder, name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(rows):
        raise LayerProblem("broken", detail=f"{name}[{number!r}]"[:200])
    row = rows[number]
    if not isinstance(row, dict):
        raise LayerProblem("broken", detail=name)
    return row


class _Buffers:
    """The octets of a file, by buffer; those that lie elsewhere are refused."""

    def __init__(self, document: Mapping[str, Any], chunk: bytes) -> None:
        self._document, self._chunk = document, chunk
        self._decoded: dict[int, bytes] = {}

    def view(self, number: object) -> tuple[bytes, int, int]:
        """The octets of a view, and how they are strided (0: close together)."""
        view = _member(self._document, "bufferViews", number)
        start, length = _whole(view.get("byteOffset", 0)), _whole(view.get("byteLength", 0))
        content = self._content(view.get("buffer"))
        if start + length > len(content):
            raise LayerProblem("truncated")
        return content[start : start + length], length, _whole(view.get("byteStride", 0))

    def _content(self, number: object) -> bytes:
        buffer = _member(self._document, "buffers", number)
        assert isinstance(number, int)
        if number not in self._decoded:
            uri = buffer.get("uri")
            if uri is None:
                self._decoded[number] = self._chunk
            elif isinstance(uri, str) and uri.startswith("data:") and ";base64," in uri[:100]:
                try:
                    self._decoded[number] = base64.b64decode(uri.partition(";base64,")[2], validate=True)
                except binascii.Error as problem:
                    raise LayerProblem("broken", detail="base64") from problem
            else:
                raise LayerProblem("lies_elsewhere", entry=str(uri)[:200])
        return self._decoded[number]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise LayerProblem("broken", detail=repr(value)[:60])
    return value


def _values(
    document: Mapping[str, Any], number: object, buffers: _Buffers, kind: str
) -> "np.ndarray[Any, Any]":
    """The values of an accessor, one row each."""
    import numpy as np

    accessor = _member(document, "accessors", number)
    if "sparse" in accessor or accessor.get("type") != kind or accessor.get("componentType") not in _KINDS:
        raise LayerProblem("broken", detail=f"accessor {number}")
    count, start = _whole(accessor.get("count", 0)), _whole(accessor.get("byteOffset", 0))
    if count > 10 * MOST_TRIANGLES:
        raise LayerProblem("too_many_vertices", count=count, limit=10 * MOST_TRIANGLES)
    width, dtype = _SIZES[kind], np.dtype(_KINDS[accessor["componentType"]])
    if "bufferView" not in accessor:
        return np.zeros((count, width))
    content, length, stride = buffers.view(accessor["bufferView"])
    stride = stride or width * dtype.itemsize
    if count and start + (count - 1) * stride + width * dtype.itemsize > length:
        raise LayerProblem("truncated")
    rows: np.ndarray[Any, Any] = np.ndarray((count, width), dtype, content, start, (stride, dtype.itemsize))
    if accessor.get("normalized") and dtype.kind in "iu":
        return np.maximum(rows / np.iinfo(dtype).max, -1.0)
    return rows.astype(float) if kind == "VEC3" else rows.astype(np.int64)


def _triangles(
    document: Mapping[str, Any], mesh: Mapping[str, Any], buffers: _Buffers, most: int
) -> "tuple[np.ndarray[Any, Any], int]":
    """The triangles of a mesh (n, 3, 3) in its own units, and how many of its parts have none (points, lines)."""
    import numpy as np

    found, others = [np.empty((0, 3, 3))], 0
    for part in _list(mesh, "primitives"):
        mode = part.get("mode", 4)
        if mode not in (4, 5, 6):
            others += 1
            continue
        places = _values(document, (part.get("attributes") or {}).get("POSITION"), buffers, "VEC3")
        if "indices" in part:
            index = _values(document, part["indices"], buffers, "SCALAR").ravel()
        else:
            index = np.arange(len(places))
        if len(index) and (index.min() < 0 or index.max() >= len(places)):
            raise LayerProblem("broken", detail="indices")
        if mode == 5:
            rows = np.stack([index[:-2], index[1:-1], index[2:]], axis=1)
            rows[1::2] = rows[1::2, (1, 0, 2)]
        elif mode == 6:
            rows = np.stack(
                [np.full(max(len(index) - 2, 0), index[0] if len(index) else 0), index[1:-1], index[2:]],
                axis=1,
            )
        else:
            rows = index[: len(index) // 3 * 3].reshape(-1, 3)
        corners = places[rows]
        sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        corners = corners[np.isfinite(sides).all(axis=1) & (np.abs(sides).max(axis=1) > 0)]
        found.append(corners)
        if sum(len(each) for each in found) > most:
            raise LayerProblem("too_many_vertices", count=3 * (most + 1), limit=3 * MOST_TRIANGLES)
    return np.concatenate(found), others


def _bodies(document: Mapping[str, Any]) -> "Iterator[tuple[str, dict[str, Any], np.ndarray[Any, Any]]]":
    """The nodes of the scene that have a mesh: name, mesh, and the way into the coordinates of the whole."""
    import numpy as np

    nodes = _list(document, "nodes")
    if _list(document, "scenes"):
        roots = _list(_member(document, "scenes", document.get("scene", 0)), "nodes")
    else:
        roots = range(len(nodes))
    waiting: list[tuple[object, Any, tuple[int, ...]]] = [
        (number, np.eye(4), ()) for number in reversed(roots)
    ]
    seen = 0
    while waiting:
        number, above, way = waiting.pop()
        seen += 1
        node = _member(document, "nodes", number)
        assert isinstance(number, int)
        if seen > MOST_NODES or len(way) > _DEEPEST or number in way:
            raise LayerProblem("broken", detail="nodes")
        matrix = above @ _matrix(node)
        if "mesh" in node:
            mesh = _member(document, "meshes", node["mesh"])
            yield str(node.get("name") or mesh.get("name") or ""), mesh, matrix
        waiting += [(child, matrix, (*way, number)) for child in reversed(_list(node, "children"))]


def _matrix(node: Mapping[str, Any]) -> "np.ndarray[Any, Any]":
    import numpy as np

    def numbers(name: str, count: int, otherwise: Sequence[float]) -> "np.ndarray[Any, Any]":
        values = node.get(name, otherwise)
        try:
            found = np.array(values, dtype=float)
        except (TypeError, ValueError) as problem:
            raise LayerProblem("broken", detail=name) from problem
        if found.shape != (count,) or not np.isfinite(found).all():
            raise LayerProblem("broken", detail=name)
        return found

    if "matrix" in node:
        return numbers("matrix", 16, ()).reshape(4, 4).T
    x, y, z, w = numbers("rotation", 4, (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    whole = np.eye(4)
    whole[:3, :3] = turn * numbers("scale", 3, (1, 1, 1))
    whole[:3, 3] = numbers("translation", 3, (0, 0, 0))
    return whole


def _placed(points: "np.ndarray[Any, Any]", matrix: Any, placement: Placement) -> "np.ndarray[Any, Any]":
    """Points of glTF (x right, y up, z towards the viewer) on the map: z is south until it is turned."""
    import numpy as np

    moved = (points @ matrix[:3, :3].T + matrix[:3, 3]) * placement.unit
    right, up, ahead = moved[:, 0], moved[:, 1], -moved[:, 2]
    cos, sin = math.cos(math.radians(placement.turn)), math.sin(math.radians(placement.turn))
    return np.column_stack(
        [
            placement.east + right * cos + ahead * sin,
            placement.north - right * sin + ahead * cos,
            placement.height + up,
        ]
    )


def _ring(corners: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np

    return np.concatenate([corners, corners[:1]])
