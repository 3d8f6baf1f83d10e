"""What goes over the wire smaller than it is, and what must not: pages that carry somebody's secrets (BREACH)."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from consultations import drafts
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town

GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.mark.parametrize("address", ["/", "/suche?q=Wohnen", "/theme.css", "/barriere-melden"])
def test_what_everybody_may_read_is_sent_compressed_to_who_reads_that(
    client: TestClient, town: Town, address: str
) -> None:
    small = client.get(address, headers=GZIP)
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"])
    assert small.text == plain.text, "the client has unpacked the same page"
    for answer in (small, plain):
        assert "Accept-Encoding" in answer.headers["vary"], "a cache must not give one to the other's reader"


def test_secrets_are_never_sent_compressed(
    client: TestClient, engine: Engine, town: Town, new_client: Callable[..., TestClient]
) -> None:
    token = drafts.new_secret()
    draft = f"/beteiligungen/wohnen-am-muehlbach/stellungnahme/{token}/alles"
    sent = client.post(
        draft, data={"text": "Mehr Bäume!", "do": "send"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    receipt = sent.headers["location"]
    assert token in receipt
    colleague = new_client()
    assert town.clerk.person_id is not None
    with unit_of_work(engine, write=True) as session:
        colleague.cookies.set(COOKIE, identity.sign_in(session, town.clerk.person_id, now=NOW))
    for visitor, address in (
        (client, receipt),
        (client, "/beitrag"),
        (colleague, "/suche?q=x"),
        (colleague, "/konto"),
    ):
        answer = visitor.get(address, headers=GZIP)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers, address
