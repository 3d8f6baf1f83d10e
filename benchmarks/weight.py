"""What a browser has to load for a page: everything, compressed, as it comes over the wire, into an empty cache."""

import logging
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.measuring import Better, Result
from benchmarks.town import HOST, Place, served
from tests import servers


def of_pages(place: Place) -> Iterator[Result]:
    """Pages without a map, and pages with one, in Chromium."""
    hearing = f"/beteiligungen/{place.slug}"
    kinds: list[tuple[str, str, float]] = [
        ("start page", "/", 120),
        ("consultation page", hearing, 120),
        ("list of contributions", f"{hearing}/beitraege", 120),
        ("form on one page", f"{hearing}/stellungnahme?kind=statement", 120),
        ("map of a consultation", f"{hearing}/karte", 250),
        ("map of the town", "/karte", 250),
    ]
    try:
        program = servers.chromium()
    except servers.Missing as missing:
        logging.getLogger(__name__).warning("the weight of pages was not measured: %s is not here", missing)
        return
    with served(place) as (_server, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(servers.CHROMIUM_FLAGS))
        for name, path, target in kinds:
            loaded = _load(browser, f"http://{HOST}:{port}{path}")
            heaviest = sorted(loaded.items(), key=lambda item: -item[1])[:4]
            told = ", ".join(
                f"{address.rpartition('/')[2].partition('?')[0] or 'page'} {size / 1000:.0f}"
                for address, size in heaviest
            )
            yield Result(f"weight: {name}", sum(loaded.values()) / 1000, target, Better.LESS, "kB", told)
        browser.close()


def _load(browser: Browser, address: str) -> dict[str, int]:
    """Octets by address that a new visitor's browser receives until nothing more is loaded."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="de-DE")
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    addresses: dict[str, str] = {}
    octets: dict[str, int] = {}

    def asked(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def finished(event: dict[str, Any]) -> None:
        octets[addresses[event["requestId"]]] = int(event["encodedDataLength"])

    wire.on("Network.requestWillBeSent", asked)
    wire.on("Network.loadingFinished", finished)
    answer = page.goto(address, wait_until="networkidle")
    assert answer is not None
    assert answer.ok, f"{address}: {answer.status}"
    context.close()
    return octets
