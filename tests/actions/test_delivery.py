"""Waiting mails reach a real mail server: once, with the receipt, after whatever went wrong in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any

import pypdf
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine
from sqlmodel import Session, select

from consultations import drafts, notices
from consultations.drafts import Draft
from consultations.notices import Notice, NoticeState, NoticeWay
from consultations.people import PersonInput
from participation import delivery, jobs
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, MailServer
from tests.servers import free_port

ROSA = PersonInput(name="Rosa Muster", email="rosa@example.org")


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


MakeHouse = Callable[[int | None], House]


@pytest.fixture
def house_at(settings: Settings, clock: Clock) -> Iterator[MakeHouse]:
    """Makes the application's house with a mail server at a port of this machine, or (None) without one."""
    with ExitStack() as stack:

        def make(port: int | None) -> House:
            told = {"smtp_host": "127.0.0.1", "smtp_tls": "none", "mail_from": "plan@auenfurt.example"}
            chosen = settings.model_copy(update={**told, "smtp_port": port}) if port else settings
            house = create_app(chosen, clock=clock).state.house
            assert isinstance(house, House)
            stack.callback(house.engine.dispose)
            return house

        yield make


def hand_in(engine: Engine, town: Town, **facts: Any) -> None:
    with unit_of_work(engine, write=True) as session:
        town.hand_in(session, **{"person": ROSA, **facts})


def all_notices(engine: Engine) -> list[Notice]:
    with Session(engine) as session:
        return list(session.exec(select(Notice).order_by(Notice.id)).all())  # type: ignore[arg-type]


@contextmanager
def answering(**answers: str) -> Iterator[int]:
    """A mail server that says something of its own: `rcpt="450 later"`. Gives its port."""

    class Handler:
        async def handle_RCPT(  # noqa: N802
            self, server: Any, session: Any, envelope: Any, address: str, options: Any
        ) -> str:
            envelope.rcpt_tos.append(address)
            return answers.get(address, answers.get("rcpt", "250 OK"))

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            return answers.get("data", "250 OK")

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def test_the_receipt_arrives_once_with_its_pdf(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town, text="Die Linden sollen bleiben.")
    house = house_at(mail_server.port)
    assert delivery.deliver_mail(house)
    assert not delivery.deliver_mail(house)
    (mail,) = mail_server.messages()
    assert mail["To"] == "Rosa Muster <rosa@example.org>"
    assert mail["From"] == "Stadt Auenfurt <plan@auenfurt.example>"
    assert mail["Reply-To"] == "beteiligung@auenfurt.example"
    assert mail["Subject"] == "Wir haben Ihre Stellungnahme erhalten: BP-12-0001"
    body = mail.get_body()
    assert body is not None
    text = body.get_content()
    assert "Die Linden sollen bleiben." in text
    assert "http://auenfurt.localhost/beitrag" in text
    (sheet,) = mail.iter_attachments()
    assert sheet.get_filename() == "BP-12-0001.pdf"
    read = "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(sheet.get_content())).pages)
    assert "BP-12-0001" in read
    (notice,) = all_notices(engine)
    assert (notice.state, notice.tries, notice.done_at, notice.last_problem) == ("sent", 1, NOW, "")


def test_the_mail_speaks_the_language_of_the_contribution(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town, language="en")
    delivery.deliver_mail(house_at(mail_server.port))
    (mail,) = mail_server.messages()
    assert mail["Subject"] == "We have received your statement: BP-12-0001"
    body = mail.get_body()
    assert body is not None
    assert "http://auenfurt.localhost/en/beitrag" in body.get_content()


def test_without_a_mail_server_mails_wait(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town)
    house = house_at(None)
    assert not delivery.deliver_mail(house)
    (notice,) = all_notices(engine)
    assert (notice.state, notice.tries) == ("waiting", 0)
    assert delivery.deliver_mail(house_at(mail_server.port)), "they leave when there is one"


def test_a_server_that_is_down_is_tried_again_with_growing_pauses(
    house_at: MakeHouse, clock: Clock, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town)
    hand_in(engine, town)
    house = house_at(mail_server.port)
    mail_server.stop()
    assert not delivery.deliver_mail(house)
    first, second = all_notices(engine)
    assert (first.state, first.tries, first.not_before) == ("waiting", 1, NOW + timedelta(minutes=1))
    assert "ConnectError" in first.last_problem
    assert (second.tries, second.not_before) == (0, NOW + delivery.HOLD), (
        "nobody knocks at a closed door all day"
    )
    clock.advance(seconds=29)
    assert not delivery.deliver_mail(house)
    assert [notice.tries for notice in all_notices(engine)] == [1, 0]
    pauses = []
    for _try in range(10):
        clock.advance(hours=5)
        delivery.deliver_mail(house)
        first = all_notices(engine)[0]
        assert first.not_before is not None
        pauses.append((first.not_before - clock.now).total_seconds() / 60)
        clock.advance(seconds=31)
        delivery.deliver_mail(house)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 240, 240, 240]
    mail_server.restart()
    clock.advance(hours=5)
    assert delivery.deliver_mail(house)
    assert [notice.state for notice in all_notices(engine)] == ["sent", "sent"]
    assert len(mail_server.messages()) == 2


def test_after_five_days_a_person_has_to_look(
    house_at: MakeHouse, clock: Clock, engine: Engine, town: Town
) -> None:
    hand_in(engine, town)
    with answering(rcpt="451 try later") as port:
        house = house_at(port)
        clock.advance(days=4, hours=23)
        delivery.deliver_mail(house)
        assert all_notices(engine)[0].state == "waiting"
        clock.advance(hours=5)
        delivery.deliver_mail(house)
    (notice,) = all_notices(engine)
    assert (notice.state, notice.not_before) == ("failed", None)
    assert "try later" in notice.last_problem


def test_an_address_that_does_not_exist_fails_at_once_and_lets_others_go(
    house_at: MakeHouse, engine: Engine, town: Town
) -> None:
    for address in ("nobody@example.org", "no address at all", "rosa@example.org"):
        hand_in(engine, town, person=PersonInput(email=address))
    with answering(**{"nobody@example.org": "550 no such user"}) as port:
        house = house_at(port)
        for _turn in range(3):
            delivery.deliver_mail(house)
    nobody, nonsense, rosa = all_notices(engine)
    assert (nobody.state, nonsense.state, rosa.state) == ("failed", "failed", "sent")
    assert "550 no such user" in nobody.last_problem
    assert "no mail address" in nonsense.last_problem


def test_a_mail_that_cannot_be_made_does_not_hold_up_the_others(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    with unit_of_work(engine, write=True) as session:
        notices.leave(
            session,
            municipality_id=town.id,
            kind="unheard of",
            way=NoticeWay.MAIL,
            address="a@b.example",
            now=NOW,
        )
    hand_in(engine, town)
    assert delivery.deliver_mail(house_at(mail_server.port))
    unheard, receipt = all_notices(engine)
    assert (unheard.state, receipt.state) == ("failed", "sent")
    assert "unheard of" in unheard.last_problem


def test_a_worker_that_died_gives_its_mail_back(
    house_at: MakeHouse, clock: Clock, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town)
    with unit_of_work(engine, write=True) as session:
        assert notices.take_mail(session, NOW, lease=delivery.LEASE) is not None
        assert notices.take_mail(session, NOW, lease=delivery.LEASE) is None, "nobody else takes it meanwhile"
    house = house_at(mail_server.port)
    assert not delivery.deliver_mail(house)
    clock.advance(minutes=10)
    assert delivery.deliver_mail(house)
    assert len(mail_server.messages()) == 1


def test_letters_wait_for_the_printer(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    hand_in(engine, town, person=PersonInput(name="Rosa", street="Wehrgasse 3"))
    assert not delivery.deliver_mail(house_at(mail_server.port))
    assert all_notices(engine)[0].state == NoticeState.WAITING


def test_a_barrier_is_told_to_the_town(
    house_at: MakeHouse, engine: Engine, town: Town, mail_server: MailServer
) -> None:
    with unit_of_work(engine, write=True) as session:
        notices.leave(
            session,
            municipality_id=town.id,
            kind="barrier_report",
            way=NoticeWay.MAIL,
            address="beteiligung@auenfurt.example",
            facts={
                "text": "Die Karte geht nicht mit der Tastatur.",
                "where": "",
                "email": "rosa@example.org",
            },
            now=NOW,
        )
    assert delivery.deliver_mail(house_at(mail_server.port))
    (mail,) = mail_server.messages()
    body = mail.get_body()
    assert body is not None
    assert "Die Karte geht nicht mit der Tastatur." in body.get_content()
    assert "rosa@example.org" in body.get_content()


def test_drafts_that_nobody_came_back_to_are_forgotten(
    house_at: MakeHouse, clock: Clock, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        facts: dict[str, Any] = {
            "municipality_id": town.id,
            "procedure_id": town.procedure.id,
            "kind": "statement",
        }
        drafts.begin(
            session, drafts.new_secret(), data={"text": "alt"}, now=NOW - timedelta(days=59), **facts
        )
        drafts.begin(session, drafts.new_secret(), data={"text": "neu"}, now=NOW, **facts)
    house = house_at(None)
    assert not delivery.forget_drafts(house)
    clock.advance(days=2)
    assert delivery.forget_drafts(house)
    with Session(engine) as session:
        assert [draft.data["text"] for draft in session.exec(select(Draft)).all()] == ["neu"]


def test_the_worker_makes_both_rounds() -> None:
    assert [jobs.ROUNDS.count(turn) for turn in (delivery.deliver_mail, delivery.forget_drafts)] == [1, 1]
