"""Waiting mails reach people: what a worker does between jobs.

The domain has left a notice in the transaction of what it tells; here it becomes a mail and is handed to the mail
server. While no server is set, notices wait and the staff page says so. A mail is taken under a lease, so that two
workers never send the same one, and one that is sent twice after a crash bears the same Message-ID.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from consultations import (
    agency_overview,
    amendments,
    digests,
    drafts,
    following,
    invitations,
    loose_files,
    municipalities,
    notices,
    procedure_news,
    received,
    support_lists,
    survey_answers,
    voting,
)
from consultations.agency_overview import Told
from consultations.ballots import Vote
from consultations.municipalities import Municipality
from consultations.notices import Notice
from consultations.permissions import SYSTEM
from consultations.received import Record
from participation import agency_messages, jobs, letters, mail, news_messages, receipts
from participation.database import unit_of_work
from participation.house import House
from participation.jobs import Job
from participation.mail import MailError, Message, SmtpSettings
from participation.news_messages import NewsMessage
from participation.web import language_prefix, path_for, public_address

log = logging.getLogger(__name__)

#: A worker that died gives a mail back after this long.
LEASE = timedelta(minutes=10)
#: The first pause after a failed try; it doubles each time.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=4)
#: As long as mail servers themselves keep on trying (RFC 5321 4.5.4.1).
GIVE_UP_AFTER = timedelta(days=5)
#: So long nobody tries any mail when the server did not take one.
HOLD = timedelta(seconds=30)
#: Mails of one turn; jobs want theirs too.
AT_ONCE = 20


#: Kinds of notices that tell news of proposals.
NEWS = ("follow_confirm", "follow_news", "follow_lost", "proposal_news", "author_invitation")


@dataclass(frozen=True)
class Outgoing:
    """A notice and what its mail is made of, read in one unit of work."""

    notice: Notice
    municipality: Municipality
    #: Public address of the town.
    base: str
    record: Record | None
    #: Whether what was handed in is an amendment.
    is_amendment: bool = False
    #: What an agency is told, and the key from which its link is made.
    told: Told | None = None
    link_key: bytes = b""
    #: What a follower or an author is told.
    news: NewsMessage | None = None


def deliver_mail(house: House) -> bool:
    """Send mails that wait, some at a time; whether any was sent. Without a mail server they go on waiting."""
    if mail.smtp_settings(house.settings) is None:
        return False
    for turn in range(AT_ONCE):
        with unit_of_work(house.engine) as session:
            if not notices.is_mail_waiting(session, house.clock()):
                return turn > 0
        outgoing = _take(house)
        if outgoing is None or not _send(house, outgoing):
            return False
    return True


def _take(house: House) -> Outgoing | None:
    with unit_of_work(house.engine, write=True) as session:
        notice = notices.take_mail(session, house.clock(), lease=LEASE)
        if notice is None:
            return None
        hosts = municipalities.hosts_of(session, notice.municipality_id)
        municipality = session.get_one(Municipality, notice.municipality_id)
        base = public_address(house.settings, hosts)
        tells_news = notice.kind in NEWS
        contribution = (
            received.by_id(session, notice.municipality_id, notice.contribution_id)
            if notice.contribution_id
            else None
        )
        return Outgoing(
            notice,
            municipality,
            base,
            received.record_of(session, contribution) if contribution and not tells_news else None,
            contribution is not None and amendments.is_one(session, contribution),
            agency_overview.told(session, notice) if notice.kind.startswith("agency_") else None,
            house.link_key,
            news_messages.prepare(session, notice, municipality, key=house.link_key, base=base)
            if tells_news
            else None,
        )


def _send(house: House, outgoing: Outgoing) -> bool:
    """Whether the server took it. What went wrong stands in the notice, for staff to read."""
    notice = outgoing.notice
    assert notice.id is not None
    smtp = mail.smtp_settings(house.settings, outgoing.municipality.authority or outgoing.municipality.name)
    assert smtp is not None
    try:
        _hand_over(house, outgoing, smtp)
    except MailError as error:
        log.warning("mail %s was not taken: %s", notice.id, error)
        _note_failure(house, notice, str(error), permanent=error.permanent)
        return False
    except Exception as error:
        # A mail that cannot be made must not keep all others from leaving.
        log.exception("mail %s could not be made", notice.id)
        _note_failure(house, notice, f"{type(error).__name__}: {error}", permanent=True)
        return True
    with unit_of_work(house.engine, write=True) as session:
        notices.sent(session, notice.id, now=house.clock())
    return True


def _hand_over(house: House, outgoing: Outgoing, smtp: SmtpSettings) -> None:
    message = COMPOSERS[outgoing.notice.kind](outgoing)
    asyncio.run(mail.send(message, smtp, now=house.clock()))


def _note_failure(house: House, notice: Notice, problem: str, *, permanent: bool) -> None:
    assert notice.id is not None
    now = house.clock()
    again_at = None
    if not permanent and now - notice.created_at < GIVE_UP_AFTER:
        again_at = now + min(FIRST_PAUSE * 2 ** min(notice.tries - 1, 20), LONGEST_PAUSE)
    with unit_of_work(house.engine, write=True) as session:
        notices.failed(session, notice.id, problem, again_at=again_at, now=now)
        if not permanent:
            notices.hold_mail(session, now + HOLD)


# --- what each kind of notice says -----------------------------------------------------------------


def _receipt(outgoing: Outgoing) -> Message:
    assert outgoing.record is not None
    notice = outgoing.notice
    receipt = receipts.receipt_of(
        outgoing.record,
        outgoing.municipality,
        base=outgoing.base,
        language=notice.language,
        with_code=True,
        is_amendment=outgoing.is_amendment,
    )
    heading = letters.receipt_heading(receipt.kind, notice.language, is_amendment=outgoing.is_amendment)
    subject, text = mail.compose("receipt", notice.language, receipt=receipt, heading=heading)
    sheet = mail.Attachment(f"{receipt.reference}.pdf", "application/pdf", letters.receipt_pdf(receipt))
    return _message(outgoing, subject, text, attachments=(sheet,))


def _feedback(outgoing: Outgoing) -> Message:
    """To the town, from somebody who met a barrier. Their own address is in the text: it is as they typed it."""
    notice = outgoing.notice
    subject, text = mail.compose(notice.kind, notice.language, **notice.facts)
    return _message(outgoing, subject, text)


def _availability(outgoing: Outgoing) -> Message:
    """To a planner: documents that lie open cannot be fetched, or were away for so long that the law asks for more."""
    notice, facts = outgoing.notice, outgoing.notice.facts
    path = path_for("proof", id=facts["procedure_id"])
    subject, text = mail.compose(
        "availability",
        notice.language,
        title=facts["title"],
        key=facts["key"],
        since=datetime.fromisoformat(facts["since"]),
        failing=facts["failing"],
        advised=facts["advised"],
        url=outgoing.base + language_prefix(notice.language) + path,
    )
    return _message(outgoing, subject, text)


def _agency(outgoing: Outgoing) -> Message:
    """To an agency, with its personal link. A link that was revoked meanwhile is not sent."""
    if outgoing.told is None:
        raise MailError("the link was revoked before it was sent", permanent=True)
    message = agency_messages.message_of(
        outgoing.told,
        outgoing.municipality,
        key=outgoing.link_key,
        base=outgoing.base,
        language=outgoing.notice.language,
    )
    return _message(outgoing, *agency_messages.mail_of(message))


def _news(outgoing: Outgoing) -> Message:
    """To a follower or an author. What was withheld or ended meanwhile is not sent."""
    if outgoing.news is None:
        raise MailError("nothing is left to tell", permanent=True)
    unsubscribe = outgoing.news.end_url if outgoing.notice.kind in ("follow_news", "follow_lost") else ""
    return _message(outgoing, *news_messages.mail_of(outgoing.news), unsubscribe=unsubscribe)


def _message(
    outgoing: Outgoing,
    subject: str,
    text: str,
    *,
    attachments: tuple[mail.Attachment, ...] = (),
    unsubscribe: str = "",
) -> Message:
    notice = outgoing.notice
    return Message(
        to=notice.address,
        to_name=notice.to_name,
        subject=subject,
        text=text,
        reply_to=str(outgoing.municipality.contact.get("email", "")),
        attachments=attachments,
        key=f"notice-{notice.id}",
        unsubscribe=unsubscribe,
    )


#: How the mail of each kind of notice is made.
COMPOSERS: dict[str, Callable[[Outgoing], Message]] = {
    "receipt": _receipt,
    "barrier_report": _feedback,
    "availability": _availability,
    "agency_invitation": _agency,
    "agency_reminder": _agency,
    "agency_extension": _agency,
    "agency_returned": _agency,
    "agency_waiting": _agency,
    "agency_account": _agency,
    **dict.fromkeys(NEWS, _news),
}


# --- what nobody came back to ----------------------------------------------------------------------


def forget_drafts(house: House) -> bool:
    """Delete drafts that nobody touched for a long time (`drafts.KEPT`)."""
    with unit_of_work(house.engine) as session:
        if not drafts.are_old(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        return drafts.forget_old(session, house.clock()) > 0


def sweep_files(house: House) -> bool:
    """Remove the files of such drafts from the store (`loose_files`)."""
    now = house.clock()
    with unit_of_work(house.engine) as session:
        if not loose_files.waits(session, now):
            return False
    return loose_files.sweep(partial(unit_of_work, house.engine, write=True), house.files, now=now) > 0


# --- what time brings ------------------------------------------------------------------------------


def mind_agencies(house: House) -> bool:
    """Remind agencies some days before their last day, and note whose period is over without an answer."""
    with unit_of_work(house.engine) as session:
        if not invitations.is_anything_due(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        return invitations.keep_time(session, by=SYSTEM, now=house.clock()) > 0


def forget_supporters(house: House) -> bool:
    """Erase the names on sheets of signatures and what people followed once they are no longer needed."""
    with unit_of_work(house.engine) as session:
        if not support_lists.are_names_due(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        return support_lists.forget_names(session, by=SYSTEM, now=house.clock()) > 0


def count_votes(house: House) -> bool:
    """Count the votes without paper whose phase is over."""
    with unit_of_work(house.engine) as session:
        due = voting.due(session, house.clock())
    counted = 0
    for number in due:
        # One that cannot be counted holds up none of the others, which may be other towns'.
        try:
            with unit_of_work(house.engine, write=True) as session:
                voting.close(session, session.get_one(Vote, number), by=SYSTEM, now=house.clock())
            counted += 1
        except Exception:
            log.exception("vote %s could not be counted", number)
    return counted > 0


def forget_voters(house: House) -> bool:
    """Delete the rolls of those who have voted once they are no longer needed."""
    with unit_of_work(house.engine) as session:
        if not voting.are_rolls_due(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        return voting.forget_rolls(session, by=SYSTEM, now=house.clock()) > 0


def forget_answerers(house: House) -> bool:
    """Erase which accounts have answered surveys that are over."""
    with unit_of_work(house.engine) as session:
        if not survey_answers.are_parties_due(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        return survey_answers.forget_parties(session, by=SYSTEM, now=house.clock()) > 0


def tell_followers(house: House) -> bool:
    """Leave mails for those who follow something and whose time has come."""
    with unit_of_work(house.engine) as session:
        if not digests.is_anything_due(session, house.clock()):
            return False
    with unit_of_work(house.engine, write=True) as session:
        following.forget_unconfirmed(session, house.clock())
        following.forget_ended(session, house.clock())
        following.forget_searches(session)
        digests.forget_told(session)
        return digests.tell_due(session, house.clock()) > 0


#: How long after a look at what happened to consultations the next one is.
LOOK_AGAIN = timedelta(minutes=5)


@jobs.recurring("procedure_news", lambda house, result: LOOK_AGAIN)
def note_news(house: House, job: Job) -> dict[str, Any]:
    """Note what happened to consultations, for feeds and for those who follow them."""
    with unit_of_work(house.engine) as session:
        if not procedure_news.waiting(session, house.clock()):
            return {"noted": 0}
    with unit_of_work(house.engine, write=True) as session:
        return {"noted": procedure_news.note_waiting(session, by=SYSTEM, now=house.clock())}


jobs.ROUNDS += [
    count_votes,
    forget_voters,
    forget_answerers,
    deliver_mail,
    forget_drafts,
    mind_agencies,
    sweep_files,
    tell_followers,
    forget_supporters,
]
