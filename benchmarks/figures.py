"""What a benchmark says: figures, some with a goal that `./run bench` holds them to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value with its unit.

    A figure with `at_least` or `at_most` has a goal. Speed is told as a ratio to a yardstick measured in the same
    run on the same machine, never as a bare number of requests: only ratios mean the same elsewhere.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the goal is reached; always, where there is none."""
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)

    @property
    def goal(self) -> str:
        """The goal in words, empty where there is none."""
        if self.at_least is not None:
            return f"at least {self.at_least:g} {self.unit}".rstrip()
        return "" if self.at_most is None else f"at most {self.at_most:g} {self.unit}".rstrip()
