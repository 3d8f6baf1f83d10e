"""Where the sun stands: azimuth and height for moments and a place, after the equations of NOAA.

The equations are those of NOAA's Solar Calculator (after Meeus, *Astronomical Algorithms*), good to about 0.01° for
our centuries, which is a fiftieth of the sun's own disc. Bearings on the map are against grid north, which in UTM is
not true north: see `convergence`.

Imports numpy: only functions load this module.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

LOWEST: Final = 5.0
"""Degrees above the horizon below which no shadow is offered: there every hedge and every hollow of the ground decides,
and a shadow is more than eleven times as long as what casts it is high."""

_MERIDIAN: Final = 9.0  # the middle of UTM zone 32, degrees east

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sun:
    """Where the sun stands at each moment; arrays that run in parallel.

    `azimuth` in degrees clockwise from true north, `elevation` in degrees above the horizon as seen, that is with the
    refraction of the air.
    """

    azimuth: Array
    elevation: Array


def position(moments: Sequence[datetime], lon: float, lat: float) -> Sun:
    """Where the sun stands at `moments` (with time zone) seen from a place in degrees (EPSG:4326)."""
    days = np.array([_julian_day(moment) for moment in moments])
    t = (days - 2_451_545.0) / 36_525.0
    mean_longitude = (280.46646 + t * (36_000.76983 + t * 0.0003032)) % 360
    anomaly = np.radians(357.52911 + t * (35_999.05029 - t * 0.0001537))
    eccentricity = 0.016708634 - t * (0.000042037 + t * 0.0000001267)
    centre = (
        np.sin(anomaly) * (1.914602 - t * (0.004817 + t * 0.000014))
        + np.sin(2 * anomaly) * (0.019993 - t * 0.000101)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * t)
    longitude = np.radians(mean_longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    obliquity = 23 + (26 + (21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))) / 60) / 60
    tilt = np.radians(obliquity + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    y = np.tan(tilt / 2) ** 2
    twice = 2 * np.radians(mean_longitude)
    equation = np.degrees(  # of time, in degrees of the earth's turning
        y * np.sin(twice)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * y * np.sin(anomaly) * np.cos(twice)
        - 0.5 * y**2 * np.sin(2 * twice)
        - 1.25 * eccentricity**2 * np.sin(2 * anomaly)
    )
    turned = ((days + 0.5) % 1.0) * 360.0
    hour = np.radians(turned + equation + lon - 180.0)
    phi = math.radians(lat)
    elevation = np.degrees(
        np.arcsin(math.sin(phi) * np.sin(declination) + math.cos(phi) * np.cos(declination) * np.cos(hour))
    )
    azimuth = np.degrees(
        np.arctan2(np.sin(hour), np.cos(hour) * math.sin(phi) - np.tan(declination) * math.cos(phi))
    )
    return Sun((azimuth + 180.0) % 360.0, elevation + _refraction(elevation))


def _julian_day(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp() / 86_400.0 + 2_440_587.5


def _refraction(elevation: Array) -> Array:
    """How much higher the sun seems than it is, in degrees (Sæmundsson, at 1010 hPa and 10 °C)."""
    seen = np.maximum(elevation, -1.0)
    lifted = 1.02 / 60 / np.tan(np.radians(seen + 10.3 / (seen + 5.11)))
    return np.where(elevation > -1.0, lifted, 0.0)


def convergence(lon: float, lat: float) -> float:
    """How far grid north of EPSG:25832 lies clockwise of true north at a place, in degrees.

    A bearing against true north less this is the bearing on the map.
    """
    return math.degrees(math.atan(math.tan(math.radians(lon - _MERIDIAN)) * math.sin(math.radians(lat))))


def towards(sun: Sun, lon: float, lat: float) -> Array:
    """Unit vectors to the sun at a place, as (east, north, up) of the grid EPSG:25832; one row per moment."""
    bearing = np.radians(sun.azimuth - convergence(lon, lat))
    height = np.radians(sun.elevation)
    flat = np.cos(height)
    return np.column_stack([flat * np.sin(bearing), flat * np.cos(bearing), np.sin(height)])
