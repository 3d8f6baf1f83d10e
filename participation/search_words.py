"""What a saved search asks, in one plain sentence: for the page on which somebody agrees to it, the mail and the list."""

from collections.abc import Callable, Mapping, Sequence

from babel import Locale, UnknownLocaleError
from sqlmodel import Session

from consultations import ballots, channels, following, procedures, saved_searches, surveys
from consultations.cocreation import Authoring
from consultations.following import Subscription, Target
from consultations.procedures import localised
from consultations.refusals import Refusal
from participation import i18n

#: Marks a message for the catalogues.
N_ = str

STATES: Mapping[str, str] = {
    Authoring.OPEN.value: N_("Open for changes"),
    Authoring.LOCKED.value: N_("Text is fixed"),
    Authoring.WITHDRAWN.value: N_("Withdrawn"),
    Authoring.MERGED.value: N_("Part of another proposal"),
    Authoring.ARCHIVED.value: N_("Archived"),
}
#: What belongs into the sentence itself, in this order. Whatever else a search asks follows in brackets.
IN_SENTENCE: Mapping[str, str] = {
    "words": N_("with “%(value)s”"),
    "district": N_("in the district %(value)s"),
    "near": N_("near %(value)s"),
}
#: What else a search asks is called as the field of the list is; one that is new by its own name.
LABELS: Mapping[str, str] = {
    "topic": N_("Topic"),
    "authoring": N_("State"),
    "channel": N_("Handed in as"),
    "language": N_("Language"),
    "district": N_("District"),
    "near": N_("Near a street or place"),
    "words": N_("Words or reference"),
}


def sentence(facts: Mapping[str, str], title: str, language: str) -> str:
    """ "Proposals with “bench” in the district North (State: Open for changes), in “Ideas for the river”"."""
    _ = i18n.translations(language).gettext
    asked = [_(words) % {"value": facts[name]} for name, words in IN_SENTENCE.items() if facts.get(name)]
    more = [
        f"{label_of(name, language)}: {_value(name, str(value), language)}"
        for name, value in facts.items()
        if name not in IN_SENTENCE and value
    ]
    what = " ".join([_("Proposals") if asked or more else _("All proposals"), *asked])
    if more:
        what += f" ({', '.join(more)})"
    return _("%(proposals)s, in “%(title)s”") % {"proposals": what, "title": title}


def label_of(name: str, language: str) -> str:
    """What one thing that a search asks is called."""
    return i18n.translations(language).gettext(LABELS.get(name, name.replace("_", " ").capitalize()))


def _value(name: str, value: str, language: str) -> str:
    return VALUES[name](value, language) if name in VALUES else value


def _channel(value: str, language: str) -> str:
    try:
        return i18n.translations(language).gettext(channels.by_key(value).label)
    except Refusal:
        return value


def _language(value: str, language: str) -> str:
    try:
        return Locale.parse(value).get_display_name(language) or value
    except (UnknownLocaleError, ValueError):
        return value


#: How a value is said that is kept as a key.
VALUES: Mapping[str, Callable[[str, str], str]] = {
    "authoring": lambda value, language: i18n.translations(language).gettext(STATES.get(value, value)),
    "channel": _channel,
    "language": _language,
}


def what_is_missing(facts: Mapping[str, str], missing: Sequence[str], language: str) -> str:
    """Of a search that means nothing any more: what there no longer is. "District: North"."""
    return ", ".join(
        f"{label_of(name, language)}: {_value(name, str(facts.get(name, '')), language)}" for name in missing
    )


def names_of(session: Session, rows: Sequence[Subscription], language: str) -> dict[str, str]:
    """What subscriptions follow, in words, by target; seven queries at most."""
    parts = i18n.translations(language).gettext("%(title)s and its parts")
    found = {
        key: parts % {"title": name} if Target.read(key).kind == "parts" else name
        for key, name in following.names_of(session, rows, language).items()
    }
    targets = [Target.read(row.target) for row in rows]
    asked = surveys.by_ids(session, [each.numbers[1] for each in targets if each.kind == "survey"])
    found |= {following.of_survey(each.procedure_id, each.id or 0).key: each.said(language) for each in asked}
    votes = ballots.by_ids(session, [each.numbers[1] for each in targets if each.kind == "vote"])
    found |= {following.of_vote(each.procedure_id, each.id or 0).key: each.said(language) for each in votes}
    keys = {int(target.name) for target in targets if target.kind == "search"}
    searches = saved_searches.by_ids(session, keys)
    titles = {
        each.id: localised(each, language, "title")
        for each in procedures.by_ids(session, {row.procedure_id for row in searches.values()})
    }
    found |= {
        following.of_search(row).key: sentence(row.facts, titles.get(row.procedure_id, ""), language)
        for row in searches.values()
    }
    return found


def name_of(session: Session, row: Subscription, language: str) -> str:
    """What a subscription follows, in words."""
    return names_of(session, [row], language).get(row.target, "")


def plain_name_of(session: Session, row: Subscription, language: str) -> str:
    """What a subscription follows, without the words that somebody typed to search for."""
    if Target.read(row.target).kind != "search":
        return name_of(session, row, language)
    searches = saved_searches.by_ids(session, [int(Target.read(row.target).name)])
    titles = [
        localised(each, language, "title")
        for each in procedures.by_ids(session, {search.procedure_id for search in searches.values()})
    ]
    return i18n.translations(language).gettext("a search among the proposals of “%(title)s”") % {
        "title": "".join(titles)
    }


def missing_of(
    session: Session, municipality_id: int, rows: Sequence[Subscription], language: str
) -> dict[str, str]:
    """Of the searches among what subscriptions follow, what they ask and there no longer is, in words, by target."""
    return {
        target: what_is_missing(search.facts, missing, language)
        for target, (search, missing) in following.lost_of(session, municipality_id, rows).items()
    }
