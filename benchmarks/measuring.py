"""What a measurement is: a subject beside its baseline, in turns, and the middle of many; and the table of all."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

Work = Callable[[], object]


class Better(StrEnum):
    """On which side of its target a figure has to be."""

    MORE = "≥"
    LESS = "≤"


@dataclass(frozen=True)
class Result:
    """One figure with its target; without a target it is told only. `detail` says what it was made of."""

    what: str
    value: float
    target: float | None = None
    better: Better = Better.MORE
    unit: str = ""
    detail: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the target is reached; there is always one of no target."""
        if self.target is None:
            return True
        return self.value >= self.target if self.better is Better.MORE else self.value <= self.target


def seconds_of(work: Work, times: int) -> list[float]:
    """How long each of so many calls takes."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return found


def in_turns(works: Sequence[Work], *, rounds: int, times: int) -> list[float]:
    """The median seconds of each work. They take turns, so that whatever else the machine does meets all of them."""
    for work in works:
        work()
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, found, strict=True):
            seconds += seconds_of(work, times)
    return [statistics.median(each) for each in found]


def table(results: Iterable[Result]) -> str:
    """The results as a Markdown table, which also reads well on a screen."""
    rows = [("", "measured", "target", "", "made of")]
    for each in results:
        target = "" if each.target is None else f"{each.better} {_figure(each.target)} {each.unit}".strip()
        verdict = "" if each.target is None else "met" if each.is_met else "MISSED"
        rows.append((each.what, f"{_figure(each.value)} {each.unit}".strip(), target, verdict, each.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def milliseconds(seconds: float) -> str:
    """Seconds as a reader of a table wants them."""
    return f"{seconds * 1000:.2f} ms"
