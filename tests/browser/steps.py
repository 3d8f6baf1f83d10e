"""Steps that every way through the pages is made of."""

from playwright.sync_api import Locator


def go(target: Locator) -> None:
    """Click what leads to another page and wait until that is there: what a test reads next, it reads there, and nothing
    that was sent is cut off by what it asks for next."""
    with target.page.expect_navigation():
        target.click()
