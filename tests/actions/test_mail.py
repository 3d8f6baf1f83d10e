"""Mail reaches a real server, cannot be made to carry foreign headers, and says whether another try makes sense."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiosmtpd import smtp as protocol
from aiosmtpd.controller import Controller

from participation.mail import Attachment, MailError, Message, SmtpSettings, build, send, smtp_settings
from participation.settings import Settings
from tests.conftest import MailServer
from tests.servers import free_port

NOW = datetime(2027, 3, 2, 13, 5, tzinfo=UTC)


def settings_of(server: MailServer) -> SmtpSettings:
    return SmtpSettings(server.host, server.port, "plan@stadt.example", "Stadt Beispiel", tls="none")


def post(message: Message, smtp: SmtpSettings) -> None:
    asyncio.run(send(message, smtp, now=NOW))


def test_a_mail_arrives_as_it_was_written(mail_server: MailServer) -> None:
    text = "Sehr geehrte Frau Müller,\n\n„Grün“ – schön 🌳 مرحبا\n\n.\nFrom hier\n" + "x" * 2000 + "\n"
    sheet = Attachment("Eingangsbestätigung BP-12.pdf", "application/pdf", b"%PDF-1.7 \x00\xff")
    message = Message(
        to="erika@bürger.example",
        to_name="Müller, Erika (privat)",
        subject="Eingangsbestätigung: Straße „Am Anger“",
        text=text,
        attachments=[sheet],
        key="notice-17",
        reply_to="amt@stadt.example",
    )
    post(message, settings_of(mail_server))
    (mail,) = mail_server.messages()
    assert mail["Subject"] == "Eingangsbestätigung: Straße „Am Anger“"
    assert mail["To"].addresses[0].addr_spec == "erika@xn--brger-kva.example"
    assert mail["To"].addresses[0].display_name == "Müller, Erika (privat)"
    assert mail["From"] == "Stadt Beispiel <plan@stadt.example>"
    assert mail["Reply-To"] == "amt@stadt.example"
    assert mail["Message-ID"] == "<notice-17@stadt.example>"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    body = mail.get_body()
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == text
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "Eingangsbestätigung BP-12.pdf"
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content() == b"%PDF-1.7 \x00\xff"


@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: all@evil.example", "x\nBcc: all@evil.example", "x\r\n\r\n<script>", "x\u2028Bcc: y"]
)
def test_nobody_adds_headers(mail_server: MailServer, evil: str) -> None:
    attachment = Attachment(evil, "application/pdf", b"")
    message = Message("a@b.example", evil, "Hallo", to_name=evil, attachments=[attachment])
    post(message, settings_of(mail_server))
    (mail,) = mail_server.messages()
    assert "Bcc" not in mail
    assert mail["X-RcptTo"] == "a@b.example"
    assert len(mail["To"].addresses) == 1
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "erika",
        "a@b@c.example",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example, c@d.example",
        "a b@c.example",
    ],
)
def test_what_is_no_address_is_refused_for_good(mail_server: MailServer, address: str) -> None:
    with pytest.raises(MailError) as failed:
        post(Message(address, "x", "y"), settings_of(mail_server))
    assert failed.value.permanent
    assert mail_server.messages() == []


def test_a_server_that_is_down_is_tried_again(mail_server: MailServer) -> None:
    smtp = settings_of(mail_server)
    mail_server.stop()
    with pytest.raises(MailError) as failed:
        post(Message("a@b.example", "x", "y"), smtp)
    assert not failed.value.permanent
    mail_server.restart()
    post(Message("a@b.example", "x", "y"), smtp)
    assert len(mail_server.messages()) == 1


class Moody:
    """Answers each command as the recipient's name tells it to."""

    async def handle_RCPT(  # noqa: N802 - the library's name
        self,
        server: protocol.SMTP,
        session: protocol.Session,
        envelope: protocol.Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address.startswith("rcpt"):
            return f"{address[4:7]} no"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: protocol.SMTP, session: protocol.Session, envelope: protocol.Envelope
    ) -> str:
        name = envelope.rcpt_tos[0]
        return f"{name[4:7]} no" if name.startswith("data") else "250 OK"

    async def handle_MAIL(  # noqa: N802 - the library's name
        self,
        server: protocol.SMTP,
        session: protocol.Session,
        envelope: protocol.Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address.startswith("refused"):
            return "550 sender not allowed"
        envelope.mail_from = address
        return "250 OK"


@contextmanager
def moody_server() -> Iterator[int]:
    controller = Controller(Moody(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def moody() -> Iterator[int]:
    with moody_server() as port:
        yield port


@pytest.mark.parametrize(
    ("to", "permanent"), [("rcpt550", True), ("rcpt450", False), ("data554", True), ("data452", False)]
)
def test_the_server_says_whether_to_try_again(moody: int, to: str, permanent: bool) -> None:
    smtp = SmtpSettings("127.0.0.1", moody, "a@stadt.example", tls="none")
    with pytest.raises(MailError, match=f"{to[4:]} no") as failed:
        post(Message(f"{to}@b.example", "x", "y"), smtp)
    assert failed.value.permanent == permanent


@pytest.mark.parametrize(
    "broken",
    [
        SmtpSettings("127.0.0.1", 0, "refused@stadt.example", tls="none"),
        SmtpSettings("127.0.0.1", 0, "a@stadt.example", user="u", password="p", tls="none"),
        SmtpSettings("127.0.0.1", 0, "a@stadt.example", tls="starttls"),
        SmtpSettings("127.0.0.1", 0, "a@stadt.example", tls="tls"),
        SmtpSettings("no.such.host.invalid", 0, "a@stadt.example", tls="none"),
    ],
    ids=["sender refused", "log-in refused", "no STARTTLS", "no TLS", "no such host"],
)
def test_a_wrong_setting_loses_no_mail(moody: int, broken: SmtpSettings) -> None:
    from dataclasses import replace

    with pytest.raises(MailError) as failed:
        post(Message("a@b.example", "x", "y"), replace(broken, port=moody))
    assert not failed.value.permanent


def test_without_a_key_every_mail_has_an_identity_of_its_own() -> None:
    smtp = SmtpSettings("x", 25, "a@stadt.example")
    ids = {build(Message("a@b.example", "x", "y"), smtp, now=NOW)["Message-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(identity.endswith("@stadt.example>") for identity in ids)


def test_the_settings_name_the_server() -> None:
    assert smtp_settings(Settings()) is None
    smtp = smtp_settings(Settings(smtp_host="mail.example", mail_from="a@b.example", smtp_tls="tls"), "Stadt")
    assert smtp == SmtpSettings("mail.example", 587, "a@b.example", "Stadt", tls="tls")
