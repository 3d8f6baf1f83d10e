"""What people are told of proposals and consultations: the same facts for the mail of a follower, the mail to an author and the letter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from consultations import evaluation, following, implementation, proposing, saved_searches
from consultations.cocreation import Outcome
from consultations.contributions import Contribution
from consultations.deadlines import local_date
from consultations.documents import DocumentKind
from consultations.following import News, Subscription, Target
from consultations.happenings import Kind
from consultations.implementation import ImplementationEntry
from consultations.municipalities import Municipality
from consultations.notices import Notice
from consultations.procedures import Procedure
from consultations.proposals import AuthorState, ProposalAuthor
from participation import i18n, letters, mail, overview, search_words
from participation.letters import Letterhead
from participation.web import language_prefix, path_for

#: Marks a message for the catalogues.
N_ = str

OUTCOMES: Mapping[str, str] = {
    Outcome.ADOPTED.value: N_("It will be done"),
    Outcome.ADOPTED_IN_PART.value: N_("Part of it will be done"),
    Outcome.ALREADY_COVERED.value: N_("It is being done already"),
    Outcome.NOT_FEASIBLE_LEGAL.value: N_("The law does not allow it"),
    Outcome.NOT_FEASIBLE_TECHNICAL.value: N_("It cannot be built"),
    Outcome.OUTSIDE_SCOPE.value: N_("The town cannot decide on it"),
    Outcome.DEFERRED.value: N_("It will be looked at later"),
    Outcome.NOTED.value: N_("The town has taken note of it"),
}
VOTED: Mapping[str, str] = {
    "chosen": N_("The vote has been counted: it was chosen"),
    "not_chosen": N_("The vote has been counted: it was not chosen"),
    "tied": N_("The vote has been counted: it has as many votes as others, and people have to decide"),
    "depends": N_("The vote has been counted: whether it is chosen depends on a tie above it"),
}
#: What is said of a survey or a vote; behind all but results the last day.
_ASKED: Mapping[str, str] = {
    Kind.SURVEY_BEGINS.value: N_("A survey has begun: %(title)s"),
    Kind.SURVEY_ENDS_SOON.value: N_("A survey ends soon: %(title)s"),
    Kind.SURVEY_RESULT.value: N_("What a survey came to is public: %(title)s"),
    Kind.VOTE_BEGINS.value: N_("A vote has begun: %(title)s"),
    Kind.VOTE_ENDS_SOON.value: N_("A vote ends soon: %(title)s"),
    Kind.VOTE_RESULT.value: N_("A vote has been counted: %(title)s"),
    Kind.VOTE_GIVEN_UP.value: N_("A vote was given up: %(title)s"),
}
MILESTONES: Mapping[str, str] = {
    "planned": N_("planned"),
    "reached": N_("reached"),
    "given_up": N_("given up"),
}


@dataclass(frozen=True)
class Item:
    """One thing to tell: which proposal, what happened, where to read on."""

    title: str
    reference: str
    words: str
    url: str


@dataclass(frozen=True)
class NewsMessage:
    """Everything that a mail says. `manage_url` and `end_url` are secrets of a follower; empty for an author."""

    kind: str
    language: str
    letterhead: Letterhead
    name: str
    what: str
    rhythm: str
    items: tuple[Item, ...]
    manage_url: str
    end_url: str
    privacy_url: str
    #: Who asks to write along; may be empty.
    inviter: str = ""
    #: Of a search that means nothing any more: what there no longer is, and where another can be made.
    missing: str = ""
    list_url: str = ""


def _of_consultation(news: News, language: str) -> str:
    """What happened to a consultation itself, in one sentence; empty for what happens to proposals."""
    _ = i18n.translations(language).gettext
    facts = news.facts
    title = str(facts.get("title", ""))
    if facts.get("phase_kind"):
        told = {"phase": title or overview.say(overview.PHASE_NAMES[str(facts["phase_kind"])], language)}
        if facts.get("until"):
            told["day"] = i18n.date_long(date.fromisoformat(str(facts["until"])), language)
        if news.kind == Kind.INTERRUPTED.value:
            return _("Interrupted until further notice: %(phase)s") % told
        if news.kind == Kind.RESUMED.value:
            told["first"] = i18n.date_long(date.fromisoformat(str(facts["from"])), language)
            return _("It goes on: %(phase)s, from %(first)s until %(day)s") % told
        if news.kind == Kind.ENDED.value:
            return _("It was ended early: %(phase)s, on %(day)s") % told
        if news.kind == Kind.ENDS_SOON.value:
            return _("It ends soon: %(phase)s, until %(day)s") % told
        if news.kind == Kind.EXTENDED.value:
            return _("The period was extended: %(phase)s, until %(day)s") % told
        if "day" in told:
            return _("It has begun: %(phase)s, until %(day)s") % told
        return _("It has begun: %(phase)s") % told
    if news.kind in _ASKED:
        told = {"title": str((facts.get("titles") or {}).get(language) or title)}
        if news.kind in (Kind.SURVEY_RESULT.value, Kind.VOTE_RESULT.value) or not facts.get("until"):
            return _(_ASKED[news.kind]) % told
        told["words"] = _(_ASKED[news.kind]) % told
        told["day"] = i18n.date_long(date.fromisoformat(str(facts["until"])), language)
        return _("%(words)s (until %(day)s)") % told
    if news.kind == Kind.DOCUMENT.value:
        if int(facts.get("number") or 1) > 1:
            return _("A document is there in a new version: %(title)s") % {"title": title}
        if facts.get("document_kind") == DocumentKind.RESULT.value:
            return _("A result is published: %(title)s") % {"title": title}
        return _("A new document: %(title)s") % {"title": title}
    if news.kind == Kind.ANNOUNCED.value:
        return _("An announcement is published")
    if news.kind == Kind.FINISHED.value:
        if facts.get("state") == "withdrawn":
            return _("The consultation was ended without a result")
        return _("The consultation is concluded; here you can read what became of it")
    return ""


def in_words(news: News, language: str) -> str:
    """What happened, in one sentence."""
    _ = i18n.translations(language).gettext
    facts = news.facts
    title = str(facts.get("title", ""))
    if news.proposal_id is None:
        return _of_consultation(news, language)
    if news.kind == Kind.PROPOSED.value:
        return _("A new proposal")
    if news.kind == Kind.ANSWERED.value:
        return _("The official answer is out: %(outcome)s") % {
            "outcome": _(OUTCOMES[str(facts.get("outcome"))])
        }
    if news.kind == Kind.MILESTONE.value:
        return f"{title} ({_(MILESTONES[str(facts.get('state'))])})"
    if news.kind == Kind.MONEY.value:
        return _("%(amount)s € spent: %(title)s") % {
            "amount": i18n.number(int(facts.get("amount") or 0), language),
            "title": title,
        }
    if news.kind == Kind.DECISION.value:
        return _("Decided: %(title)s") % {"title": title}
    if news.kind == Kind.PLAN.value:
        return _("It went into a plan: %(title)s") % {"title": title}
    if news.kind == Kind.MERGED.value:
        if facts.get("into"):
            return _(
                "It has become part of the proposal %(reference)s. Whoever supports it can take the support along"
            ) % {"reference": facts["into"]}
        return _("It has taken in the proposal %(reference)s") % {"reference": facts.get("took_in", "")}
    if news.kind == Kind.VOTED.value:
        return _(VOTED.get(facts.get("outcome", ""), VOTED["depends"]))
    return title


def item_of(news: News, base: str, language: str) -> Item:
    """A thing that happened, with its address under `base`."""
    address = base + language_prefix(language) + path_of(news)
    return Item(title_of(news, language), news.reference, in_words(news, language), address)


def title_of(news: News, language: str) -> str:
    """The proposal or the consultation that it happened to."""
    return news.title if news.proposal_id is not None else news.procedure_titles.get(language, news.title)


def path_of(news: News) -> str:
    """Where one reads on: the proposal, the announcement, the survey, the vote or the consultation."""
    if news.proposal_id is not None:
        return path_for("proposal", slug=news.slug, reference=news.reference)
    if news.kind == Kind.ANNOUNCED.value:
        return path_for("announcement", slug=news.slug, announcement=news.facts["announcement"])
    if news.kind in _ASKED and "vote" in news.facts:
        return path_for("vote", slug=news.slug, phase=news.facts["vote"])
    if news.kind in _ASKED:
        name = "survey_results" if news.kind == Kind.SURVEY_RESULT.value else "survey"
        return path_for(name, slug=news.slug, number=news.facts["survey"])
    return path_for("hearing", slug=news.slug)


def prepare(
    session: Session, notice: Notice, municipality: Municipality, *, key: bytes, base: str
) -> NewsMessage | None:
    """What a notice says; None if there is nothing left to tell, or whoever it is for no longer wants to hear of it."""
    facts, language = notice.facts, notice.language
    prefix = base + language_prefix(language)
    manage = end = what = rhythm = inviter = missing = list_url = ""
    items: tuple[Item, ...] = ()
    if notice.kind == "author_invitation":
        author = session.get(ProposalAuthor, facts["author"])
        if author is None or author.state != AuthorState.INVITED.value:
            return None
        proposed = session.get_one(Contribution, author.proposal_id)
        manage = prefix + path_for("author_link", token=proposing.mailed_secret(key, author))
        what, inviter = proposed.title or proposed.reference, author.invited_by
    elif notice.kind == "proposal_news":
        items = tuple(item_of(each, base, language) for each in following.read(session, [facts["happening"]]))
    else:
        row = session.get(Subscription, facts["subscription"])
        is_news = notice.kind in ("follow_news", "follow_lost")
        if row is None or row.state == following.State.ENDED.value or (is_news and row.state != "active"):
            return None
        token = following.token_of(key, row)
        manage = prefix + path_for("follow_manage", token=token)
        end = prefix + path_for("follow_end", token=token)
        # Before an address is confirmed nobody can send it words of their own choice in the town's name.
        told = search_words.name_of if notice.kind != "follow_confirm" else search_words.plain_name_of
        what = told(session, row, language)
        rhythm = str(facts.get("rhythm", row.rhythm))
        if notice.kind == "follow_news":
            items = tuple(
                item_of(each, base, language) for each in following.read(session, facts["happenings"])
            )
        if notice.kind == "follow_lost":
            search = saved_searches.by_ids(session, [int(Target.read(row.target).name)])
            for each in search.values():
                missing = search_words.what_is_missing(each.facts, facts["missing"], language)
                slug = session.get_one(Procedure, each.procedure_id).slug
                list_url = prefix + path_for("proposals", slug=slug)
    if not items and notice.kind not in ("follow_confirm", "follow_lost", "author_invitation"):
        return None
    return NewsMessage(
        kind=notice.kind,
        language=language,
        letterhead=Letterhead.of(municipality),
        name=notice.to_name,
        what=what,
        rhythm=rhythm,
        items=items,
        manage_url=manage,
        end_url=end,
        privacy_url=prefix + path_for("privacy"),
        inviter="" if ":" in inviter or inviter == "public" else inviter,
        missing=missing,
        list_url=list_url,
    )


def mail_of(message: NewsMessage) -> tuple[str, str]:
    """Subject and text of the mail."""
    return mail.compose("news", message.language, message=message)


def letter_of(session: Session, notice: Notice, municipality: Municipality, *, base: str) -> bytes | None:
    """The letter as an accessible PDF, with all that it tells: nobody needs a computer for it. None: nothing to tell."""
    language = notice.language
    _ = i18n.translations(language).gettext
    found = following.read(session, [notice.facts["happening"]])
    if not found:
        return None
    (news,) = found
    item = item_of(news, base, language)
    facts: list[tuple[str, Any]] = [
        (_("Your proposal or one that you support"), [news.title, news.reference])
    ]
    paragraphs = [f"{item.words}."]
    answer = _answer(session, news)
    entry = _entry(session, news)
    if answer is not None:
        paragraphs.append(answer.reason)
        facts += [
            (_("What becomes of it"), _(OUTCOMES[answer.outcome])),
            (_("What it costs"), costs_in_words(answer.cost_from, answer.cost_to, language)),
            (_("When"), answer.period),
            (_("What stands against it"), answer.legal_ground),
        ]
    if entry is not None:
        paragraphs.append(entry.words)
        facts += [(_("Day"), i18n.date_long(entry.day, language) if entry.day else "")]
    paragraphs.append(
        _("We write to you because you handed in this proposal, or signed for it and wished to hear of it.")
    )
    return letters.agency_pdf(
        head=Letterhead.of(municipality),
        language=language,
        heading=_("News of a proposal"),
        reference=news.reference,
        address=notice.address.split("\n"),
        facts=facts,
        paragraphs=[each for each in paragraphs if each],
        code=(),
        url=item.url,
        issued_at=notice.created_at,
        dated=local_date(notice.created_at),
    )


def _answer(session: Session, news: News) -> evaluation.Answer | None:
    if news.kind != Kind.ANSWERED.value or news.proposal_id is None:
        return None
    rows = evaluation.answers_of(session, news.proposal_id)
    return next((row for row in rows if row.number == news.facts.get("answer")), None)


def _entry(session: Session, news: News) -> ImplementationEntry | None:
    wanted = news.facts.get("entry")
    if not wanted or news.proposal_id is None:
        return None
    return implementation.entry(session, news.proposal_id, int(wanted))


def costs_in_words(lower: int | None, upper: int | None, language: str) -> str:
    """ "4,000 to 9,000 €"; empty where nobody said."""
    if lower is None or upper is None:
        return ""
    _ = i18n.translations(language).gettext
    if lower == upper:
        return f"{i18n.number(lower, language)} €"
    return _("%(lower)s to %(upper)s €") % {
        "lower": i18n.number(lower, language),
        "upper": i18n.number(upper, language),
    }
