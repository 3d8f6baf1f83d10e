"""Heights of the ground as the house keeps them: one plain grid in a file of its own, read by window.

EPSG:25832 and metres after DHHN2016, whatever the delivered file was (`geo.readers.terrain`): a header, then rows of
32-bit floats from the south, NaN where nothing is known. Only what is asked for is read from disk.

Imports numpy: only functions load this module.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

_HEAD: Final = struct.Struct("<8sdddII")
_MAGIC: Final = b"DGLTERR1"


@dataclass(frozen=True)
class Terrain:
    """A grid of heights: its south-west corner and the metres between its points (EPSG:25832)."""

    west: float
    south: float
    step: float
    heights: Array

    def at(self, x: Array, y: Array) -> Array:
        """Heights at places, between the four points around each; NaN where one of them is not known."""
        rows, columns = self.heights.shape
        u, v = (x - self.west) / self.step, (y - self.south) / self.step
        # Half a step beyond the outermost points still belongs to them.
        inside = (u >= -0.5) & (u <= columns - 0.5) & (v >= -0.5) & (v <= rows - 0.5)
        u, v = np.clip(u, 0, columns - 1), np.clip(v, 0, rows - 1)
        c = np.minimum(np.floor(u), columns - 2).astype(int)
        r = np.minimum(np.floor(v), rows - 2).astype(int)
        u, v = u - c, v - r
        h = self.heights
        # A point that does not count must not spoil the sum, known or not.
        found = np.zeros(u.shape)
        for row, column, share in (
            (r, c, (1 - u) * (1 - v)),
            (r, c + 1, u * (1 - v)),
            (r + 1, c, (1 - u) * v),
            (r + 1, c + 1, u * v),
        ):
            found += np.where(share > 1e-9, h[row, column] * share, 0.0)
        return np.where(inside, found, np.nan)


def write_terrain(terrain: Terrain, path: Path) -> None:
    """Write a grid as a new file."""
    rows, columns = terrain.heights.shape
    with path.open("wb") as file:
        file.write(_HEAD.pack(_MAGIC, terrain.west, terrain.south, terrain.step, columns, rows))
        np.ascontiguousarray(terrain.heights, dtype="<f4").tofile(file)


def open_terrain(path: Path) -> Terrain:
    """A kept grid; its heights stay on disk until they are looked at. Raises ValueError for any other file."""
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        raise ValueError(f"{path.name} is no grid of heights")
    _, west, south, step, columns, rows = _HEAD.unpack(head)
    heights = np.memmap(path, dtype="<f4", mode="r", offset=_HEAD.size, shape=(rows, columns))
    return Terrain(west, south, step, heights)
