"""Voting codes: drawn for letters, printed once and kept nowhere but as keyed hashes; lost ones are cancelled."""

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from consultations import ballots
from consultations.ballots import CodePrint, LetterOutcome, Vote, VoteCode, VoteRoll, VoteState, Way
from consultations.contributions import CODE_ALPHABET
from consultations.deadlines import PhaseState
from consultations.permissions import Actor
from consultations.refusals import Code, Refusal
from consultations.tables import insert_rows

#: Codes of one print; a town prints as often as it likes.
CODES_LIMIT = 1_000
#: 23^10 are 41 million million codes: of a hundred thousand printed ones a thousand tries hit one once in 400,000 times.
CODE_LENGTH, CHECK_LENGTH = 10, 12


def drawn(length: int) -> str:
    """So many signs that nobody can guess and nobody misreads."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def spelled(code: str) -> str:
    """A code or check number as people read it: in groups."""
    size = 5 if len(code) == CODE_LENGTH else 4
    return "-".join(code[at : at + size] for at in range(0, len(code), size))


def read_code(typed: str, length: int = CODE_LENGTH) -> str:
    """A code as somebody typed it (spaces, hyphens, lower case) in its one spelling; empty if it cannot be one."""
    code = "".join(sign for sign in typed.upper() if sign.isalnum())
    return code if len(code) == length and all(sign in CODE_ALPHABET for sign in code) else ""


def code_hash(key: bytes, vote: Vote, code: str) -> str:
    """How a code is kept: whoever has the database alone can try none. `key`: the installation's."""
    return hmac.digest(key, f"voting code\0{vote.id}\0{code}".encode(), "sha256").hex()


def print_codes(
    session: Session, vote: Vote, number: int, *, once: str, key: bytes, by: Actor, now: datetime
) -> tuple[CodePrint, dict[int, str]]:
    """Draw `number` voting codes. They are returned by the numbers of their letters, to be printed, and kept nowhere; only
    keyed hashes are.

    `once`: the form's own key. Raises Refusal NOT_ALLOWED, WRONG_STATE unless it stands, NOTHING_CHOSEN ("ways") for a vote
    without codes, NUMBER_OUT_OF_RANGE ("codes"), VOTE_PRINTED_BEFORE for the same form sent again.
    """
    phase = ballots.locked(session, vote, VoteState.READY, by)
    if phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.VOTE_OVER)
    if Way.CODE.value not in vote.ways:
        raise Refusal(Code.NOTHING_CHOSEN, "ways")
    if not 1 <= number <= CODES_LIMIT:
        raise Refusal(Code.NUMBER_OUT_OF_RANGE, "codes", least=1, most=CODES_LIMIT)
    sent = hashlib.sha256(once.encode()).hexdigest()
    prints = prints_of(session, vote.id or 0)
    if any(each.once_sha256 == sent for each in prints):
        raise Refusal(Code.VOTE_PRINTED_BEFORE)
    row = CodePrint(
        vote_id=vote.id or 0,
        number=len(prints) + 1,
        codes=number,
        once_sha256=sent,
        printed_at=now,
        printed_by=by.label,
    )
    session.add(row)
    session.flush()
    codes: dict[str, str] = {}
    while len(codes) < number:
        code = drawn(CODE_LENGTH)
        codes.setdefault(code_hash(key, vote, code), code)
    last = session.exec(select(func.max(VoteCode.number)).where(VoteCode.vote_id == vote.id)).one() or 0
    letters = dict(enumerate(codes, start=last + 1))
    insert_rows(
        session,
        VoteCode,
        (
            {"vote_id": vote.id, "code_hash": kept, "print_id": row.id, "number": at}
            for at, kept in letters.items()
        ),
    )
    facts = {"print": row.number, "codes": number, "first_letter": last + 1}
    ballots.note(session, vote, "vote_codes_printed", by=by, now=now, **facts)
    return row, {at: codes[kept] for at, kept in letters.items()}


def prints_of(session: Session, vote_id: int) -> list[CodePrint]:
    """The prints of a vote in their order."""
    return list(
        session.exec(
            select(CodePrint).where(CodePrint.vote_id == vote_id).order_by(col(CodePrint.number))
        ).all()
    )


def cancel_print(session: Session, vote: Vote, print_id: int, *, by: Actor, now: datetime) -> None:
    """The paper of a print was lost: codes of it that were not used vote no more. Raises Refusal NOT_ALLOWED, NOT_FOUND."""
    ballots.locked(session, vote, VoteState.READY, by)
    row = session.get(CodePrint, print_id)
    if row is None or row.vote_id != vote.id or row.cancelled_at is not None:
        raise Refusal(Code.NOT_FOUND)
    row.cancelled_at, row.cancelled_by = now, by.label
    session.add(row)
    session.flush()
    ballots.note(session, vote, "vote_codes_cancelled", by=by, now=now, print=row.number)


def cancel_letter(session: Session, vote: Vote, number: int, *, by: Actor, now: datetime) -> None:
    """One letter was lost or came back: its code votes no more, as long as nobody has voted with it. That it was used is all
    that can be known here, never what for.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, VOTE_LETTER_UNKNOWN, VOTE_LETTER_USED (both at "letter").
    """
    ballots.locked(session, vote, VoteState.READY, by)
    found = session.exec(
        select(VoteCode, CodePrint.cancelled_at)
        .join(CodePrint, col(CodePrint.id) == VoteCode.print_id)
        .where(VoteCode.vote_id == vote.id, VoteCode.number == number)
    ).first()
    if found is None or found[0].cancelled_at or found[1]:
        raise Refusal(Code.VOTE_LETTER_UNKNOWN, "letter")
    if ballots.has_voted(session, vote, found[0].code_hash):
        raise Refusal(Code.VOTE_LETTER_USED, "letter")
    found[0].cancelled_at = now
    session.add(found[0])
    session.flush()
    ballots.note(session, vote, "vote_letter_cancelled", by=by, now=now, letter=number)


def cancelled_letters(session: Session, vote_id: int) -> list[int]:
    """The numbers of the letters that were cancelled one by one."""
    return [
        number or 0
        for number in session.exec(
            select(VoteCode.number)
            .where(VoteCode.vote_id == vote_id, col(VoteCode.cancelled_at).is_not(None))
            .order_by(col(VoteCode.number))
        ).all()
    ]


def looked_up(session: Session, vote: Vote, hashed: str) -> LetterOutcome:
    """Whether a code may vote: `ADMITTED`, or why not."""
    found = session.exec(
        select(CodePrint.cancelled_at, VoteCode.cancelled_at)
        .join(VoteCode, col(VoteCode.print_id) == CodePrint.id)
        .where(VoteCode.vote_id == vote.id, VoteCode.code_hash == hashed)
    ).first()
    if found is None:
        return LetterOutcome.UNKNOWN
    if session.get(VoteRoll, (vote.id, hashed)) is not None:
        return LetterOutcome.USED
    return LetterOutcome.CANCELLED if any(found) else LetterOutcome.ADMITTED
