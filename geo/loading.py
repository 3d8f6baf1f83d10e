"""Heavy libraries are loaded when they are first needed, by one thread at a time.

Their modules import each other in circles: two threads that load numpy or shapely at the same moment, each beginning
somewhere else, both find modules that are half there, and neither gets them. Whoever may be the first to draw or to
measure calls `load` before.
"""

import importlib
import threading

_one_at_a_time = threading.Lock()
_LIBRARIES = ("numpy", "shapely", "pyproj")
_done = threading.Event()


def is_done() -> bool:
    """Whether they are loaded."""
    return _done.is_set()


def load() -> None:
    """Load what geometry needs (about 25 MB, a third of a second); costs nothing from then on."""
    with _one_at_a_time:
        for name in _LIBRARIES:
            importlib.import_module(name)
        _done.set()
