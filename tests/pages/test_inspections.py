"""Slow files do not slow the site: uploads are looked at in a line of their own, and the line has an end."""

import asyncio
import io
import re
import threading
import time

import httpx2
import pypdf
import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette

from consultations import drafts
from consultations.refusals import Code, Refusal
from participation.database import unit_of_work
from participation.inspections import Inspections
from tests import cast
from tests.cast import Town
from tests.conftest import HOST

FORMAL = "/beteiligungen/wohnen-am-muehlbach/stellungnahme"


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


def slow_pdf(pages: int = 40) -> bytes:
    """A PDF that takes a while: what says where everything stands is wrong, so all of it is searched."""
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    made = io.BytesIO()
    writer.write(made)
    return re.sub(rb"startxref\s+\d+", b"startxref\n7", made.getvalue())


@pytest.mark.timeout(300)
def test_twenty_slow_files_at_once_leave_the_start_page_quick(app: Starlette, town: Town) -> None:
    content = slow_pdf()

    async def run() -> tuple[list[float], list[int], float]:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{HOST}", timeout=300) as client:

            async def send() -> int:
                files = {"attachments": ("Gutachten.pdf", content, "application/pdf")}
                data = {"text": "Bitte lesen Sie das Gutachten.", "kind": "statement", "do": "attach"}
                answer = await client.post(f"{FORMAL}/{drafts.new_secret()}/text", data=data, files=files)
                return answer.status_code

            began = time.monotonic()
            uploads = [asyncio.create_task(send()) for _ in range(20)]
            waits: list[float] = []
            while not all(each.done() for each in uploads):
                asked = time.monotonic()
                # Never from what is kept: each asks the database.
                answer = await client.get(f"/suche?q=wort{len(waits)}")
                waits.append(time.monotonic() - asked)
                assert answer.status_code == 200
                await asyncio.sleep(0.05)
            return waits, [each.result() for each in uploads], time.monotonic() - began

    waits, statuses, whole = asyncio.run(run())
    assert set(statuses) == {303, 503}, "some are asked to try again in a moment, none fails"
    assert statuses.count(503) == 4
    waits.sort()
    assert waits[len(waits) // 2] < 0.5, f"a page waited {waits[-1]:.1f} s, all files took {whole:.1f} s"
    assert waits[-1] < whole / 3


def test_a_full_line_says_so_at_once_and_is_free_again() -> None:
    go_on = threading.Event()

    async def run() -> None:
        line = Inspections(at_once=1, places=2)
        waiting = [asyncio.create_task(line.run(go_on.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await line.run(lambda: True)
        assert refused.value.code is Code.UPLOADS_BUSY
        waiting[1].cancel()
        go_on.set()
        assert await waiting[0]
        while True:
            try:
                assert await line.run(lambda: 7) == 7
                break
            except Refusal:
                await asyncio.sleep(0.01)
        line.close()

    asyncio.run(run())
