"""`./run bench [names]`: measure, print a table, and fail where a goal is missed.

A benchmark is a module of this folder with a function `measure() -> Iterator[Figure]` and a line in `BENCHMARKS`.
"""

import argparse
import importlib
import platform
import sys
import time

from benchmarks.figures import Figure

#: What is measured when nothing is named, in this order.
BENCHMARKS: tuple[str, ...] = ("startup",)


def run(name: str) -> list[Figure]:
    """Measure one benchmark and print each figure as soon as it is known."""
    module = importlib.import_module(f"benchmarks.{name}")
    print(f"\n{name}: {(module.__doc__ or '').strip().splitlines()[0]}", flush=True)
    figures = []
    begun = time.monotonic()
    for figure in module.measure():
        mark = " " if not figure.goal else "✓" if figure.reached else "✗"
        print(
            f"  {mark} {figure.name:<60} {figure.value:>12,.3g} {figure.unit:<12} {figure.goal}", flush=True
        )
        figures.append(figure)
    print(f"    measured in {time.monotonic() - begun:.0f} s", flush=True)
    return figures


def main() -> int:
    """The command: 0 when every goal was reached, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure how fast Digilog is here.")
    parser.add_argument("names", nargs="*", metavar="name", help="what to measure: " + ", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"unknown: {', '.join(unknown)}; there is {', '.join(BENCHMARKS)}")
    print(f"Python {platform.python_version()} on {platform.platform()}")
    missed = [figure.name for name in names for figure in run(name) if not figure.reached]
    if missed:
        print("\nMissed: " + "; ".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
