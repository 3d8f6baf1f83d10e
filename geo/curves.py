"""Projections within a small window, by a polynomial instead of point by point: as exact as asked, and ten times as fast.

Importing this module loads no numpy.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

#: A window wider than this (metres) is not tried, nor fewer points than this.
WIDEST: Final = 60_000.0
FEWEST: Final = 500


def along(
    points: "np.ndarray[Any, Any]",
    exact: "Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]",
    close: float,
) -> "np.ndarray[Any, Any]":
    """What `exact` makes of points (rows of x and y in metres), nowhere further off than `close` in its own units.

    A projection is a smooth curve over a small window: a polynomial of the third degree is fitted through 49 of its points
    and held against them; where it is not close enough, each point is projected.
    """
    if len(points) < FEWEST:
        return exact(points)
    low, high = points.min(axis=0), points.max(axis=0)
    wide = float((high - low).max())
    if not 0 < wide < WIDEST:
        return exact(points)
    curve = Curve((low + high) / 2, wide / 2, exact)
    return curve(points) if curve.off <= close else exact(points)


class Curve:
    """A projection around a middle, as far as `half` metres to each side; `off` is how far off it was at most, in the
    units of `exact`, at the 49 points through which it is fitted."""

    def __init__(
        self,
        middle: "np.ndarray[Any, Any]",
        half: float,
        exact: "Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]",
    ) -> None:
        import numpy as np

        self._middle, self._half = middle, half
        steps = np.linspace(-1, 1, 7)
        grid = np.column_stack([each.ravel() for each in np.meshgrid(steps, steps)]) * half + middle
        known = exact(grid)
        terms = self._terms(grid)
        self._origin = known[24]
        self._weights = np.linalg.lstsq(terms.T, known - self._origin, rcond=None)[0]
        self.off = float(np.abs(terms.T @ self._weights + self._origin - known).max())

    def _terms(self, points: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        import numpy as np

        terms = np.empty((10, len(points)))
        terms[0] = 1
        np.divide((points - self._middle).T, self._half, out=terms[1:3])
        x, y = terms[1], terms[2]
        np.multiply(terms[1:3], x, out=terms[3:5])
        np.multiply(y, y, out=terms[5])
        np.multiply(terms[3:6], x, out=terms[6:9])
        np.multiply(terms[5], y, out=terms[9])
        return terms

    def __call__(self, points: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Points projected."""
        found: np.ndarray[Any, Any] = self._terms(points).T @ self._weights
        found += self._origin
        return found

    def within(
        self, points: "np.ndarray[Any, Any]", factor: "np.ndarray[Any, Any]", shift: "np.ndarray[Any, Any]"
    ) -> "np.ndarray[Any, Any] | None":
        """Points projected, then times `factor` and moved by `shift` (for x and for y); None if one lies where it is not
        fitted."""
        terms = self._terms(points)
        if not (abs(terms[1:3]) <= 1).all():
            return None
        found: np.ndarray[Any, Any] = terms.T @ (self._weights * factor)
        found += self._origin * factor + shift
        return found
