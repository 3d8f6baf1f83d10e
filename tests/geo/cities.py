"""Small cities for tests: houses with flat, gable and hip roofs on a grid, one in three with an angle."""

import random

import shapely
from shapely import affinity

from geo.city import City, Volume, city_of

EAST, NORTH = 640_000.0, 5_360_000.0


def town(columns: int, rows: int, *, seed: int = 1, apart: float = 25.0, level: float | None = None) -> City:
    """`columns` × `rows` buildings whose south-west corner is (EAST, NORTH); all on one `level`, or on a slope."""
    chance = random.Random(seed)
    volumes = []
    for column in range(columns):
        for row in range(rows):
            wide, deep = chance.uniform(9, 14), chance.uniform(9, 13)
            outline = affinity.rotate(
                shapely.box(-wide / 2, -deep / 2, wide / 2, deep / 2), chance.uniform(0, 90), origin=(0, 0)
            )
            if chance.random() < 0.3:
                outline = shapely.union(outline, affinity.translate(shapely.box(0, 0, 8, 6), 3, 2))
            outline = affinity.translate(outline, EAST + column * apart, NORTH + row * apart)
            ground = level if level is not None else 490 + 0.02 * column * apart
            eaves = ground + chance.uniform(4, 9)
            volumes.append(
                Volume(
                    f"house-{column}-{row}",
                    outline,
                    ground,
                    eaves + chance.uniform(2, 5),
                    eaves,
                    chance.choice(["gable", "flat", "hip"]),
                    address=f"Färbergasse {column * rows + row + 1}",
                    storeys=2,
                )
            )
    return city_of(volumes)
