"""The first visitors who need a map at the same moment: in a process of its own, where nothing is loaded yet."""

import subprocess
import sys

_FIRST_VISITORS = """
import importlib, sys, threading
from geo import loading

assert not {"numpy", "shapely"} & set(sys.modules)
first = ["numpy.linalg", "shapely.strtree", "numpy.ma", "shapely.geometry", "pyproj", "numpy"]
together, problems = threading.Barrier(len(first)), []

def visit(name):
    together.wait()
    try:
        loading.load()
        importlib.import_module(name)
    except Exception as problem:
        problems.append(f"{name}: {problem}")

threads = [threading.Thread(target=visit, args=(name,)) for name in first]
sys.setswitchinterval(0.0001)
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert loading.is_done()
sys.exit("; ".join(problems) or 0)
"""


def test_the_first_ones_at_once_all_get_what_they_need() -> None:
    done = subprocess.run([sys.executable, "-c", _FIRST_VISITORS], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
