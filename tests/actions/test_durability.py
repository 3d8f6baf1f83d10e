"""A real server is killed like a cut cable, in the middle of many people handing in, on both databases.

Whatever was acknowledged is there afterwards, whole; whatever was not is there whole or not at all; and sending the
same form once more makes it one contribution.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx2
import pytest
from sqlmodel import Session, select

from consultations import contributions, drafts, evidence
from consultations.contributions import Contribution
from consultations.files import FolderStore
from consultations.journal import JournalEntry
from consultations.notices import Notice
from consultations.search import SearchEntry
from participation.database import unit_of_work
from participation.settings import Settings
from tests import cast
from tests.live import LiveServer

PEOPLE = 12
PATH = "/beteiligungen/wohnen-am-muehlbach/stellungnahme/{token}/alles"


@dataclass
class Crowd:
    """People who hand in one statement after the other until they are told to stop or nobody answers."""

    server: LiveServer
    stop: threading.Event = field(default_factory=threading.Event)
    sent: dict[str, str] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    def hand_in(self, client: httpx2.Client, token: str, text: str) -> bool:
        answer = client.post(
            PATH.format(token=token),
            data={"text": text, "email": "rosa@beispiel.example", "publish": "yes", "do": "send"},
            headers={"Sec-Fetch-Site": "same-origin"},
            timeout=30,
        )
        return answer.status_code == 303 and token in answer.headers["location"]

    def person(self, number: int) -> None:
        client = self.server.client()
        for count in range(10_000):
            if self.stop.is_set():
                return
            token, text = (
                drafts.new_secret(),
                f"Person {number} zum {count}. Mal: Mehr Bäume an den Mühlbach!",
            )
            self.sent[token] = text
            try:
                if self.hand_in(client, token, text):
                    self.acknowledged.append(token)
            except httpx2.TransportError:
                return


def everything_is_whole(session: Session, settings: Settings) -> None:
    """Each contribution has all its parts, each part its contribution, and nothing was tampered with."""
    assert list(evidence.examine(session, FolderStore(settings.data_dir / "files"))) == []
    ids = set(session.exec(select(Contribution.id)).all())
    sealed = session.exec(
        select(JournalEntry.subject).where(JournalEntry.verb == "contribution_received")
    ).all()
    assert sorted(sealed) == sorted(f"contribution:{each}" for each in ids)
    assert set(session.exec(select(Notice.contribution_id)).all()) == ids
    assert set(session.exec(select(SearchEntry.contribution_id)).all()) == ids
    numbers = sorted(session.exec(select(Contribution.entry_number)).all())
    assert numbers == list(range(1, len(numbers) + 1)), "no number is missing and none was given twice"


@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_and_nothing_is_half_written(
    settings: Settings, new_server: Callable[..., LiveServer]
) -> None:
    server = new_server(settings)
    with unit_of_work(server.engine, write=True) as session:
        procedure_id = cast.found(session).procedure.id
    assert procedure_id is not None
    total = 0
    for _accident in range(2):
        crowd = Crowd(server)
        with ThreadPoolExecutor(PEOPLE) as pool:
            people = [pool.submit(crowd.person, number) for number in range(PEOPLE)]
            for _moment in range(600):  # however slow the machine is, they are all at work
                threading.Event().wait(0.1)
                if len(crowd.acknowledged) > PEOPLE:
                    break
            server.kill()
            crowd.stop.set()
            for person in people:
                person.result()
        server.start()
        assert crowd.acknowledged, "the crowd was at work when the cable was cut"
        total += len(crowd.acknowledged)
        with unit_of_work(server.engine) as session:
            for token in crowd.acknowledged:
                row = contributions.by_key(session, procedure_id, drafts.key_of(token))
                assert row is not None, "acknowledged and lost"
                assert row.text == crowd.sent[token]
            everything_is_whole(session, settings)
        # Who had no answer sends the same form again: one contribution each, whether or not it had arrived.
        unsure = [token for token in crowd.sent if token not in crowd.acknowledged]
        client = server.client()
        for token in unsure:
            assert crowd.hand_in(client, token, crowd.sent[token])
        with unit_of_work(server.engine) as session:
            keys = [drafts.key_of(token) for token in crowd.sent]
            found = [row for key in keys if (row := contributions.by_key(session, procedure_id, key))]
            assert len(found) == len(crowd.sent)
            everything_is_whole(session, settings)
    assert total > 10
