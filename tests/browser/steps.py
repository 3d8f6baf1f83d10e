"""Steps that every way through the pages is made of."""

import time

from playwright.sync_api import Locator, Page


def go(target: Locator) -> None:
    """Click what leads to another page and wait until that is there: what a test reads next, it reads there, and nothing
    that was sent is cut off by what it asks for next."""
    with target.page.expect_navigation():
        target.click()


def until(page: Page, expression: str, seconds: float = 30) -> None:
    """Wait until an expression is true in the page. It is asked anew each time: whatever Playwright itself would ask again
    later the page's content-security policy refuses, because it is evaluated from a string."""
    give_up = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < give_up, f"still not: {expression}"
        page.wait_for_timeout(50)
