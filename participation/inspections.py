"""Uploads are looked at in threads of their own, in a line of bounded length: pages never wait for a slow
file; passwords, too, in another such line."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from consultations.refusals import Code, Refusal

ResultT = TypeVar("ResultT")

#: Two are looked at (`consultations.inspection`) while two others are copied.
AT_ONCE = 4
#: Who comes when so many sendings are being looked at or wait for it is asked to try again.
PLACES = 16


class Inspections:
    """The threads that look at uploads (or do other work that costs much), and the line before them."""

    def __init__(
        self, *, at_once: int = AT_ONCE, places: int = PLACES, full: Code = Code.UPLOADS_BUSY
    ) -> None:
        self._full = full
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="upload")
        self._free = threading.BoundedSemaphore(places)

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Do work in one of the threads. Raises Refusal UPLOADS_BUSY (or `full`) at once where the line is full."""
        if not self._free.acquire(blocking=False):
            raise Refusal(self._full)
        try:
            done = self._threads.submit(work)
        except BaseException:
            self._free.release()
            raise
        # Not at the end of this coroutine: a browser that goes away does not end the work.
        done.add_done_callback(lambda _done: self._free.release())
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """End the threads; what has not begun is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
