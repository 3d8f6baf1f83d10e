"""Mail out: composing a message from a template, and handing it to the mail server.

Only sending lives here. What is waiting, when it is tried again and what is told to whom is the caller's matter; a
`MailError` says whether another try makes sense. Mails are plain text: every reader shows them, nothing in them runs.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, make_msgid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from consultations.text import header_safe
from participation import i18n

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

    from participation.settings import Settings

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "mail"
_SECONDS = 30


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message."""

    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Message:
    """A plain-text mail to one address.

    `key` names the message for good ("notice-17"): its Message-ID is made from it, so that a mail sent twice after a
    crash shows as one. Texts may come from anybody; they cannot add headers.
    """

    to: str
    subject: str
    text: str
    to_name: str = ""
    reply_to: str = ""
    attachments: Sequence[Attachment] = ()
    key: str = ""
    #: Where a POST ends what the mail belongs to, without signing in (RFC 8058).
    unsubscribe: str = ""


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server and the sender. `tls` is "starttls", "tls" or "none"."""

    host: str
    port: int
    sender: str
    sender_name: str = ""
    user: str = ""
    password: str = ""
    tls: str = "starttls"
    tls_context: ssl.SSLContext | None = None


def smtp_settings(settings: "Settings", sender_name: str = "") -> SmtpSettings | None:
    """The mail server that the settings name, None if there is none. `sender_name` is the authority's."""
    if not settings.smtp_host:
        return None
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        sender_name=sender_name,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        tls=settings.smtp_tls,
    )


class MailError(Exception):
    """A mail was not sent. `permanent`: it never will be, because of its address or content.

    Everything that lies with the server (down, busy, log-in or sender refused) is worth another try: somebody will
    mend it, and the mail must not be lost.
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


async def send(message: Message, smtp: SmtpSettings, *, now: datetime) -> None:
    """Hand one message to the mail server; when this returns, the server has taken it. Raises MailError."""
    import aiosmtplib

    mail = build(message, smtp, now=now)
    try:
        await aiosmtplib.send(
            mail,
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.user or None,
            password=smtp.password or None,
            use_tls=smtp.tls == "tls",
            start_tls=smtp.tls == "starttls",
            tls_context=smtp.tls_context,
            timeout=_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise MailError(f"{refused.code} {refused.message}", permanent=refused.code >= 500) from error
    except aiosmtplib.SMTPDataError as error:
        raise MailError(f"{error.code} {error.message}", permanent=error.code >= 500) from error
    except aiosmtplib.SMTPNotSupported as error:
        # Only an address beyond ASCII needs what every server has not.
        raise MailError(str(error), permanent=not mail["To"].addresses[0].addr_spec.isascii()) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailError(f"{type(error).__name__}: {error}", permanent=False) from error


def build(message: Message, smtp: SmtpSettings, *, now: datetime) -> "EmailMessage":
    """The mail as it goes over the wire. Raises MailError for an address that cannot be one."""
    # How headers are spelled is two megabytes that a server needs when its first mail goes out.
    from email.message import EmailMessage
    from email.policy import SMTP

    mail = EmailMessage(policy=SMTP)
    sender = _address(smtp.sender, smtp.sender_name)
    mail["From"] = sender
    mail["To"] = _address(message.to, message.to_name)
    if message.reply_to:
        mail["Reply-To"] = _address(message.reply_to)
    mail["Subject"] = header_safe(message.subject)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = (
        f"<{message.key}@{sender.domain}>" if message.key else make_msgid(domain=sender.domain)
    )
    # Tells out-of-office robots not to answer (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.text)
    for attachment in message.attachments:
        kind, _, subtype = attachment.media_type.partition("/")
        mail.add_attachment(
            attachment.content, maintype=kind, subtype=subtype, filename=header_safe(attachment.filename)
        )
    return mail


def _address(address: str, name: str = "") -> "Address":
    from email.headerregistry import Address

    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise MailError(f"{address!r} is no mail address: {error}", permanent=True) from error
    return Address(
        header_safe(name), addr_spec=valid.ascii_email or f"{valid.local_part}@{valid.ascii_domain}"
    )


def compose(name: str, language: str, **page: object) -> tuple[str, str]:
    """Subject and text of `templates/mail/<name>.txt` in a language; the template has one block for each."""
    template = _environment(language).get_template(f"{name}.txt")
    context = template.new_context(page)
    subject, text = ("".join(template.blocks[block](context)) for block in ("subject", "text"))
    return header_safe(subject), text.strip() + "\n"


@cache
def _environment(language: str) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=False,  # plain text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_translations(i18n.translations(language), newstyle=True)  # type: ignore[attr-defined]
    templates.filters |= {
        name: (lambda value, *rest, _function=function: _function(value, *rest, language))
        for name, function in i18n.FILTERS.items()
    }
    return templates
