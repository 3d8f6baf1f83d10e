"""Letters with voting codes, and the ballots that go into them, as accessible PDF (`letters.typeset`).

No page has a number: on a ballot it would tell beside which letter it was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from participation import i18n
from participation.letters import Letterhead, common, qr, typeset


@dataclass(frozen=True)
class BallotLine:
    """A proposal on a ballot on paper; `cost`: in euros, as it is read."""

    number: int
    title: str
    cost: str = ""


@dataclass(frozen=True)
class PaperBallot:
    """A ballot on paper, in an order of its own; without a check number where that would tell in which letter it lay."""

    check_number: str
    lines: Sequence[BallotLine]


@dataclass(frozen=True)
class VotingLetters:
    """Letters to print: `codes` are (number of the letter, voting code). `rules`: how one votes, in sentences; the first one
    stands on the ballot as well. `when`: until when one can vote."""

    letterhead: Letterhead
    language: str
    procedure_title: str
    question: str
    rules: Sequence[str]
    is_advice: bool
    when: str
    codes: Sequence[tuple[int, str]]
    ballots: Sequence[PaperBallot]
    url: str
    issued_at: datetime


def voting_pdf(told: VotingLetters) -> bytes:
    """All letters of a print, each on a page of its own, and behind them the ballots."""
    _ = i18n.translations(told.language).gettext
    shown = told.url.partition("://")[2]
    rules = [*told.rules]
    if told.is_advice:
        rules.append(_("The result is advice: the council is not bound by it."))
    steps = [_("Online: type the code in at %(address)s") % {"address": shown}]
    if told.ballots:
        steps += [
            _(
                "On paper: mark the ballot that lies in this letter and put it into the small envelope without your name, and"
                " that with this code into the large one. It has to arrive before the end."
            ),
            _("One way is enough. Whichever comes first counts."),
        ]
    data: dict[str, Any] = {
        **common(told.letterhead, told.language),
        "page-of": "",
        "title": _("Letters to print: %(question)s") % {"question": told.question},
        "footer": told.procedure_title,
        "heading": told.question,
        "intro": " ".join(
            part
            for part in (
                f"{told.procedure_title}.",
                _("You can vote %(when)s.") % {"when": told.when} if told.when else "",
                *rules,
            )
            if part
        ),
        "code": _("Your voting code:"),
        "steps": steps,
        "url": told.url,
        "shown-url": shown,
        "qr": qr(told.url),
        "qr-alt": _("QR code that leads to the vote"),
        "letters": [
            {"number": _("Letter %(number)s") % {"number": number}, "code": code}
            for number, code in told.codes
        ],
        "lost": _(
            "Note this number apart from the letter: if it gets lost, we can cancel it by its number. Show the code to nobody."
        ),
        "ballot": _("Ballot"),
        "rule": f"{told.rules[0]} {_('Write nothing else on it.')}",
        "ballots": [
            {
                "check": _(
                    "Check number of this ballot: %(number)s. Keep a copy: after the end it stands in the public list."
                )
                % {"number": each.check_number}
                if each.check_number
                else _(
                    "This ballot has no check number: it could tell who has filled it in. It counts all the same."
                ),
                "lines": [[str(line.number), line.title, line.cost] for line in each.lines],
            }
            for each in told.ballots
        ],
    }
    return typeset("voting.typ", data, told.issued_at, _)
