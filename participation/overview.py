"""How a consultation is shown at a glance: where it stands, until when, what one can do, and a small plan of it.

Pure presentation facts from the rows of the storey below, in the reader's language; pages and feeds share them. This
module knows neither request nor session.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from consultations import lateness
from consultations.checks import Medium
from consultations.cocreation import Opening
from consultations.deadlines import PhaseState, local_date
from consultations.documents import DocumentKind
from consultations.phases import Opens, Phase, PhaseKind, current_phase
from consultations.procedures import Procedure, ProcedureState, localised
from geo import pictures
from geo.drawn_layers import MapSource
from geo.pictures import Look
from geo.views import View
from participation.i18n import date_long, translations
from participation.settings import LANGUAGES

__all__ = [
    "DOCUMENT_NAMES", "ENTERED_IN", "MEDIUM_NAMES", "PHASE_NAMES", "PLAN_SIZES", "STANDINGS", "WAYS", "Card",
    "Deadline", "Difference",
    "Look", "Pin", "Step", "View", "card", "common_timeline", "days_of", "deadline", "differences", "formality", "in_order", "in_words", "is_open", "last_day", "midnight", "phase_name",
    "pins", "plan_picture", "say", "spoken_of", "standing", "text_language", "timeline", "town_picture", "town_view",
]  # fmt: skip

#: Marks a message for the catalogues.
N_ = str

PHASE_NAMES: Mapping[str, str] = {
    PhaseKind.EARLY: N_("Early participation"),
    PhaseKind.AGENCIES_EARLY: N_("Early participation of public agencies"),
    PhaseKind.PUBLICATION: N_("Publication of the draft"),
    PhaseKind.REPEATED: N_("Renewed publication"),
    PhaseKind.AGENCIES: N_("Participation of public agencies"),
    PhaseKind.DISPLAY: N_("Display of the plan"),
    PhaseKind.CO_CREATION: N_("Collecting ideas together"),
    PhaseKind.DISCUSSION_MEETING: N_("Discussion meeting"),
    PhaseKind.WEIGHING: N_("Weighing of all contributions"),
    PhaseKind.RESOLUTION: N_("Decision of the council"),
    PhaseKind.IN_FORCE: N_("Plan in force"),
}
"""What each kind of phase is called where it has no title of its own."""

MEDIUM_NAMES: Mapping[str, str] = {
    Medium.GAZETTE: N_("Official gazette"),
    Medium.NOTICE_BOARD: N_("Notice board"),
    Medium.INTERNET: N_("Internet"),
    Medium.STATE_PORTAL: N_("State portal"),
}
"""Where an announcement is made public."""

WAYS: Mapping[str, str] = {
    Opens.STATEMENT: N_("Hand in a statement"),
    Opens.PROPOSAL: N_("Propose an idea"),
    Opens.COMMENT: N_("Comment on the map"),
    Opening.VOTE: N_("Vote on proposals"),
    Opening.SURVEY: N_("Answer a survey"),
}
"""What people can do in a phase, as short words."""

DOCUMENT_NAMES: Mapping[str, str] = {
    DocumentKind.PLAN_DRAWING: N_("Plan drawing"),
    DocumentKind.EXPLANATORY_REPORT: N_("Explanatory report"),
    DocumentKind.ENVIRONMENTAL_REPORT: N_("Environmental report"),
    DocumentKind.ENVIRONMENTAL_STATEMENT: N_("Environmental statement"),
    DocumentKind.EXPERT_REPORT: N_("Expert report"),
    DocumentKind.ANNOUNCEMENT: N_("Announcement"),
    DocumentKind.RESULT: N_("Result"),
    DocumentKind.OTHER: N_("Further document"),
}
"""What each kind of document is called."""

STANDINGS: Mapping[str, str] = {
    "open": N_("Open now"),
    "soon": N_("Begins soon"),
    "evaluating": N_("Being evaluated"),
    "done": N_("Concluded"),
    "closed": N_("Given up"),
    "draft": N_("Draft"),
}
"""Where a consultation can stand, by the kinds of `status_tag` in templates/components/states.html."""

#: The language that planners enter texts in; others are in `Procedure.translations`.
ENTERED_IN = next(iter(LANGUAGES))

_AFTER_THE_COUNCIL = (PhaseKind.RESOLUTION.value, PhaseKind.IN_FORCE.value)


def standing(procedure: Procedure, phases: Sequence[Phase], now: datetime) -> str:
    """Where a consultation stands for the public: a key of STANDINGS.

    What is open goes before what is coming, and what is coming before what is being evaluated.
    """
    fixed = {
        ProcedureState.DRAFT: "draft",
        ProcedureState.CONCLUDED: "done",
        ProcedureState.WITHDRAWN: "closed",
    }.get(ProcedureState(procedure.state))
    if fixed:
        return fixed
    inviting = [phase for phase in phases if phase.ways]
    states = {phase.state(now) for phase in inviting if phase.starts_on}
    if PhaseState.OPEN in states:
        return "open"
    if PhaseState.COMING in states or PhaseState.OVER not in states:
        return "soon"
    return "evaluating"


def is_open(phases: Sequence[Phase], way: Opens, now: datetime) -> bool:
    """Whether one can do this now."""
    return any(way.value in phase.opens and phase.state(now) is PhaseState.OPEN for phase in phases)


def last_day(phase: Phase) -> date | None:
    """The last day on which something arrives in time: the announced end, or the later one that the law gives."""
    return max((day for day in (phase.ends_on, phase.effective_end) if day), default=None)


def say(words: str, language: str) -> str:
    """One of the words above in a language."""
    return str(translations(language).gettext(words))


def days_of(phase: Phase, now: datetime) -> tuple[date | None, date | None]:
    """First and last day as everybody may be told them: a start that has passed without a release never was one."""
    if phase.waits_for_release and phase.starts_on and phase.starts_on <= local_date(now):
        return None, None
    return phase.starts_on, last_day(phase)


def phase_name(phase: Phase, language: str) -> str:
    """The phase's own title, or what its kind is called."""
    return phase.title or say(PHASE_NAMES[phase.kind], language)


@dataclass(frozen=True)
class Card:
    """A consultation in a list, in the reader's language; `standing` is a key of STANDINGS.

    `when` says until when or from when one can take part, in the banner's words; empty where nothing can be done.
    """

    slug: str
    reference: str
    version: int
    #: In which language title and summary are.
    text_language: str
    title: str
    summary: str
    district: str
    standing: str
    state_text: str
    begins: date | None
    ends: date | None
    #: Whole days after today; 0 on the last day, negative once over.
    days_left: int | None
    when: str
    #: What one can do now.
    ways: tuple[str, ...]
    #: What became of it, as far as it is known: closing words, or the phase that it has come to.
    outcome: str
    outcome_phase: str
    has_plan: bool
    lon: float | None
    lat: float | None
    #: The title of what it is a part of, where a list knows it.
    part_of: str = ""


def card(
    procedure: Procedure, phases: Sequence[Phase], now: datetime, language: str, closing_words: str = ""
) -> Card:
    """What a list shows of a procedure."""
    where = standing(procedure, phases, now)
    phase = spoken_of(phases, now)
    opened = [each for each in phases if each.state(now) is PhaseState.OPEN]
    now_possible = [way for each in opened for way in each.ways]
    behind = [
        each
        for each in phases
        if each.starts_on and not each.ways and each.state(now) is not PhaseState.COMING
    ]
    return Card(
        slug=procedure.slug,
        reference=procedure.key,
        version=procedure.version,
        text_language=text_language(procedure, language, "title"),
        title=localised(procedure, language, "title"),
        summary=localised(procedure, language, "summary"),
        district=procedure.district,
        standing=where,
        state_text=say(STANDINGS[where], language),
        begins=days_of(phase, now)[0] if phase else None,
        ends=days_of(phase, now)[1] if phase else None,
        days_left=phase.days_left(now) if phase else None,
        when=_when(phase, where, now, language) if phase and where in ("open", "soon") else "",
        ways=tuple(
            say(words, language) for way, words in WAYS.items() if way in now_possible and where == "open"
        ),
        outcome=closing_words if where in ("done", "closed") else "",
        outcome_phase=phase_name(behind[-1], language) if behind and where != "open" else "",
        has_plan=procedure.plan_area is not None,
        lon=procedure.lon,
        lat=procedure.lat,
    )


def text_language(procedure: Procedure, language: str, name: str) -> str:
    """In which language `localised` gives a text: the one asked for, or the one that texts are entered in."""
    return language if procedure.translations.get(language, {}).get(name) else ENTERED_IN


def spoken_of(phases: Sequence[Phase], now: datetime) -> Phase | None:
    """The phase whose dates a card shows: of those that invite people, the one to speak of now."""
    return current_phase([phase for phase in phases if phase.ways], now)


def in_order(cards: Iterable[Card]) -> list[Card]:
    """Open ones by what ends soonest, then coming ones by what begins soonest, then all others, latest end first."""

    def key(each: Card) -> tuple[int, int, str]:
        if each.standing == "open":
            return 0, (each.ends or date.max).toordinal(), each.title
        if each.standing in ("soon", "draft"):
            return 1, (each.begins or date.max).toordinal(), each.title
        return 2, -(each.ends or date.min).toordinal(), each.title

    return sorted(cards, key=key)


@dataclass(frozen=True)
class Deadline:
    """What the banner of a consultation says: states of `deadline_banner` in templates/components/states.html.

    `title` says what is possible, `when` until when, `notes` what became of the period (extended, interrupted, moved
    by a weekend, repeated), in whole sentences; `late` what the law says of whatever arrives now, too late.
    """

    state: str
    begins: date | None
    ends: date | None
    days_left: int | None
    title: str = ""
    when: str = ""
    notes: tuple[str, ...] = ()
    late: str = ""


_TITLES: Mapping[str, str] = {
    "soon": N_("You can take part soon"),
    "open": N_("You can take part now"),
    "late": N_("The period has ended – late contributions are still accepted"),
    "closed": N_("This participation has ended"),
}


def midnight(day: date, language: str) -> str:
    """Until when something is in time: "bis Dienstag, 2. März 2027, 24 Uhr"."""
    return say(N_("until %(date)s, 24:00"), language) % {"date": date_long(day, language)}


def _when(phase: Phase, state: str, now: datetime, language: str) -> str:
    """From when or until when, in words; the last day and the day after it are named as such."""
    (begins, ends), course, today = days_of(phase, now), phase.course, local_date(now)

    def fill(words: str, **days: date) -> str:
        return say(words, language) % {name: date_long(day, language) for name, day in days.items()}

    if state == "soon":
        if begins and ends:
            return fill(N_("from %(begin)s until %(end)s, 24:00"), begin=begins, end=ends)
        if begins:
            return fill(N_("from %(date)s"), date=begins)
        return say(N_("The date is not fixed yet. It will be announced here."), language)
    if state == "open":
        if course.is_interrupted and course.interrupted_on:
            return fill(
                N_("Interrupted since %(date)s. The new dates will be announced here."),
                date=course.interrupted_on,
            )
        if ends is None:
            return say(N_("no end has been set"), language)
        if ends == today:
            return fill(N_("only today, %(date)s, until 24:00"), date=ends)
        left = translations(language).ngettext("%(num)s day left", "%(num)s days left", (ends - today).days)
        return f"{midnight(ends, language)}, {left % {'num': (ends - today).days}}"
    if ends is None:
        return ""
    if (today - ends).days == 1:
        return fill(N_("It ended yesterday, %(date)s, at 24:00."), date=ends)
    return fill(N_("It ended on %(date)s, 24:00."), date=ends)


def _notes(phase: Phase, state: str, language: str) -> tuple[str, ...]:
    """What became of the period, in sentences; nothing where it ran as it was announced."""
    course, ends, effective, is_over = phase.course, phase.ends_on, phase.effective_end, state == "closed"
    found: list[tuple[str, dict[str, object]]] = []
    if course.is_interrupted:
        found.append((N_("What you have handed in counts. You can go on handing in; it is in time."), {}))
    elif course.resumed_on and course.interrupted_on:
        words = N_(
            "It was interrupted on %(date)s and runs anew from %(begin)s. What was handed in before counts."
        )
        if is_over:
            words = N_(
                "It was interrupted on %(date)s and ran anew from %(begin)s. What was handed in before counts."
            )
        found.append((words, {"date": course.interrupted_on, "begin": course.resumed_on}))
    if course.ended_early_on and course.end_before:
        words = N_(
            "It ends earlier than announced; the last day was to be %(date)s. What was handed in counts."
        )
        if is_over:
            words = N_(
                "It ended earlier than announced; the last day was to be %(date)s. What was handed in counts."
            )
        found.append((words, {"date": course.end_before}))
    elif course.extended_from and ends and course.extended_from < ends:
        found.append((N_("Extended: the last day was to be %(date)s."), {"date": course.extended_from}))
    if ends and effective and effective > ends and not is_over:
        found.append(
            (
                N_(
                    "The announced last day, %(date)s, is no working day. So it is in time until %(end)s, 24:00."
                ),
                {"date": ends, "end": effective},
            )
        )
    if phase.kind == PhaseKind.REPEATED:
        found.append(
            (
                N_(
                    "The draft was changed, so everybody was asked once more. What was handed in before still counts."
                )
                if is_over
                else N_(
                    "The draft was changed, so you are asked once more. What you handed in before still counts."
                ),
                {},
            )
        )
        if phase.limited_to and not is_over:
            found.append((N_("Only this is open to statements: %(what)s"), {"what": phase.limited_to}))
    if phase.only_affected and not is_over:
        found.append((N_("Asked are all whom this affects, such as the neighbours of the site."), {}))
    return tuple(
        say(words, language)
        % {
            name: date_long(fact, language) if isinstance(fact, date) else fact
            for name, fact in facts.items()
        }
        for words, facts in found
    )


def words_of(phase: Phase, now: datetime, language: str) -> Deadline:
    """What is to say of one phase by itself, whatever the others do."""
    state = _STATES[phase.state(now)]
    title = _TITLES[state]
    if state == "open" and phase.course.is_interrupted:
        title = N_("The participation is interrupted")
    elif state == "open" and last_day(phase) == local_date(now):
        title = N_("Today is the last day")
    return Deadline(
        state,
        *days_of(phase, now),
        phase.days_left(now),
        say(title, language),
        _when(phase, state, now, language),
        _notes(phase, state, language),
    )


_STATES: Mapping[PhaseState, str] = {
    PhaseState.COMING: "soon",
    PhaseState.OPEN: "open",
    PhaseState.OVER: "closed",
}


_LATE: Mapping[str, str] = {
    "late_statement": N_(
        "The council does not have to consider what arrives late, unless the town knew of it anyway, should have known of it, or the plan would be unlawful without it (section 4a(5) of the Federal Building Code)."
    ),
    "late_objection": N_(
        "Objections that arrive late are excluded in this procedure, unless they rest on special titles under private law (section 73 of the Administrative Procedure Act). A person decides about each of them."
    ),
}


def late_words(procedure: Procedure, phase: Phase, language: str) -> str:
    """What the law says of something that arrives after the end of this phase; empty where it says nothing."""
    regime = lateness.regime_of(procedure, phase)
    return say(_LATE[regime.question], language) if regime else ""


def deadline(procedure: Procedure, phases: Sequence[Phase], now: datetime, language: str) -> Deadline | None:
    """The banner, or None where nothing invites people. The one place that says in words until when one can take part.

    After the end of the period statements are still taken, marked as late (BauGB §4a(5)), as long as the procedure
    runs and the council has not begun to decide.
    """
    phase = spoken_of(phases, now)
    if phase is None:
        return None
    words = words_of(phase, now, language)
    state = words.state
    decided = any(
        each.kind in _AFTER_THE_COUNCIL and each.starts_on and each.state(now) is not PhaseState.COMING
        for each in phases
    )
    runs = procedure.state in (ProcedureState.PUBLISHED.value, ProcedureState.DRAFT.value)
    if state == "closed" and Opens.STATEMENT.value in phase.opens and runs and not decided:
        state = "late"
    if not runs:
        state = "closed"
    if state == words.state:
        return words
    when = _when(phase, state, now, language)
    late = late_words(procedure, phase, language) if state == "late" else ""
    return replace(words, state=state, title=say(_TITLES[state], language), when=when, late=late)


@dataclass(frozen=True)
class Step:
    """A phase in the timeline; `state` is done, current, coming or, of a plan in force, lasting."""

    name: str
    begins: date | None
    ends: date | None
    state: str
    text: str
    #: formal or informal, see `formality`; empty where nobody is asked anything.
    formality: str = ""
    #: On a timeline of several consultations: the one that the phase belongs to, and the language of its title.
    of: str = ""
    of_language: str = ""
    slug: str = ""


def formality(phase: Phase) -> str:
    """Whether the law asks for a phase and says what becomes of it (formal), or the town asks by itself (informal); empty for the others (weighing, decision)."""
    if phase.is_formal:
        return "formal"
    return "informal" if phase.ways or phase.kind == PhaseKind.CO_CREATION.value else ""


_MEANINGS: Mapping[str, str] = {
    PhaseKind.AGENCIES_EARLY: N_("Authorities and neighbouring towns are asked. You need not do anything."),
    PhaseKind.AGENCIES: N_("Authorities and neighbouring towns are asked. You need not do anything."),
    PhaseKind.WEIGHING: N_(
        "Each contribution is read and examined: what goes into the plan, what does not, and why?"
    ),
    PhaseKind.RESOLUTION: N_("The council decides on the plan and on what was said about it."),
    PhaseKind.IN_FORCE: N_("From this day on the plan applies."),
}
"""What happens in phases in which citizens are not asked, for people who do not know the words of the law."""


def _meaning(phase: Phase, now: datetime, language: str) -> str:
    """What happens in a phase that is still of interest; empty where its planner says it, or citizens themselves are asked."""
    if phase.note or phase.state(now) is PhaseState.OVER or phase.kind not in _MEANINGS:
        return ""
    return say(_MEANINGS[phase.kind], language)


def _step_state(phase: Phase, now: datetime) -> str:
    state = phase.state(now)
    if phase.kind == PhaseKind.IN_FORCE.value and state is PhaseState.OPEN:
        return "lasting"
    return {PhaseState.COMING: "coming", PhaseState.OPEN: "current", PhaseState.OVER: "done"}[state]


def timeline(phases: Sequence[Phase], now: datetime, language: str) -> tuple[Step, ...]:
    """The phases in the order of their days, each with where it stands today; those without a day stay behind the one that
    the planner put before them."""
    ordered, last = [], date.min
    for phase in phases:
        last = days_of(phase, now)[0] or last
        ordered.append((last, phase))
    ordered.sort(key=lambda each: each[0])
    return tuple(
        Step(
            name=phase_name(phase, language),
            begins=days_of(phase, now)[0],
            ends=days_of(phase, now)[1],
            state=_step_state(phase, now),
            text=" ".join(
                [phase.note or _meaning(phase, now, language), *_notes(phase, "", language)]
            ).strip(),
            formality=formality(phase),
        )
        for _, phase in ordered
    )


def common_timeline(
    own: Sequence[Phase],
    parts: Sequence[tuple[Procedure, Sequence[Phase]]],
    now: datetime,
    language: str,
) -> tuple[Step, ...]:
    """The phases of a consultation and those of its parts in the order of their days, each with what it belongs to.

    What has no day yet comes last, and only of the consultation itself: of a part it stands on the part's own page.
    """
    steps = list(timeline(own, now, language))
    for procedure, phases in parts:
        steps += [
            replace(
                step,
                of=localised(procedure, language, "title"),
                of_language=text_language(procedure, language, "title"),
                slug=procedure.slug,
            )
            for step in timeline(phases, now, language)
            if step.begins
        ]
    return tuple(sorted(steps, key=lambda step: (step.begins or date.max, step.ends or date.max)))


# --- what a version changed ------------------------------------------------------------------------

_TEXTS: Mapping[str, str] = {
    "title": N_("Title"),
    "summary": N_("Summary"),
    "description": N_("Description"),
    "location_words": N_("Place in words"),
    "district": N_("District"),
    "key": N_("Reference"),
    "part_of": N_("Part of"),
}
_OTHERS: Mapping[str, str] = {
    "contact": N_("Contact"),
    "access_options": N_("Ways without the internet"),
    "plan_area": N_("Plan area"),
    "translations": N_("Translations"),
    "layers": N_("Map layers"),
    "subjects": N_("Topics"),
}


@dataclass(frozen=True)
class Difference:
    """One thing that a version changed, and before and after where that can be read."""

    what: str
    before: str = ""
    after: str = ""
    #: The phase or document it is about.
    about: str = ""
    #: Before and after are days.
    from_day: date | None = None
    to_day: date | None = None


_COURSE: Mapping[str, str] = {
    "extended_from": N_("Extended"),
    "interrupted_on": N_("Interrupted"),
    "resumed_on": N_("Resumed"),
    "ended_early_on": N_("Ended early"),
}
"""What became of a phase after it had begun."""

#: How many differences a line names before it counts the others.
_NAMED = 3


def in_words(found: Sequence[Difference], language: str) -> str:
    """What a version changed, in one line; empty where nothing did."""
    _ = translations(language)
    named = []
    for each in found[:_NAMED]:
        words = f"{each.what}: {each.about}" if each.about else each.what
        if each.to_day:
            words += ", " + _.gettext("now %(day)s") % {"day": date_long(each.to_day, language)}
        named.append(words)
    if more := len(found) - len(named):
        named.append(_.ngettext("%(num)s more change", "%(num)s more changes", more) % {"num": more})
    return "; ".join(named)


def differences(
    before: Mapping[str, object], after: Mapping[str, object], language: str
) -> tuple[Difference, ...]:
    """What is different between two snapshots (`procedures.snapshot`), in the order of the page."""
    found = [
        Difference(label, str(before.get(name) or ""), str(after.get(name) or ""))
        for name, label in _TEXTS.items()
        # Versions from before say nothing of what came later.
        if (before.get(name) or "") != (after.get(name) or "")
    ]
    found += _phases_differ(_rows(before, "phases"), _rows(after, "phases"), language)
    found += _documents_differ(_rows(before, "documents"), _rows(after, "documents"))
    found += [
        Difference(label)
        for name, label in _OTHERS.items()
        if (before.get(name) or None) != (after.get(name) or None)
    ]
    return tuple(replace(each, what=say(each.what, language)) for each in found)


def _rows(snapshot: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    rows = snapshot.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _phases_differ(
    before: Sequence[Mapping[str, object]], after: Sequence[Mapping[str, object]], language: str
) -> list[Difference]:
    old, new = _by_kind(before), _by_kind(after)

    def name(row: Mapping[str, object]) -> str:
        return str(row.get("title") or say(PHASE_NAMES[str(row["kind"])], language))

    found = [Difference(N_("New phase"), about=name(row)) for key, row in new.items() if key not in old]
    for key, row in new.items():
        if key not in old:
            continue
        for part, label in (("starts_on", N_("Start")), ("ends_on", N_("End"))):
            days = _day(old[key], part), _day(row, part)
            if days[0] != days[1]:
                found.append(Difference(label, about=name(row), from_day=days[0], to_day=days[1]))
        courses = [each.get("course") for each in (old[key], row)]
        then, now = (each if isinstance(each, Mapping) else {} for each in courses)
        found += [
            Difference(label, about=name(row))
            for part, label in _COURSE.items()
            if now.get(part) and now.get(part) != then.get(part)
        ]
        # Versions from before say nothing of releases.
        if old[key].get("waits_for_release") and row.get("waits_for_release") is False:
            found.append(Difference(N_("Released after its announcement"), about=name(row)))
        if any(old[key].get(part) != row.get(part) for part in ("title", "note", "opens", "limited_to")):
            found.append(Difference(N_("Description of the phase"), about=name(row)))
    return found + [
        Difference(N_("Phase taken out"), about=name(row)) for key, row in old.items() if key not in new
    ]


def _by_kind(rows: Sequence[Mapping[str, object]]) -> dict[tuple[str, int], Mapping[str, object]]:
    """Phases have no name that lasts: the second publication of one version is the second one of the next."""
    found: dict[tuple[str, int], Mapping[str, object]] = {}
    for row in rows:
        kind = str(row["kind"])
        found[kind, sum(known[0] == kind for known in found)] = row
    return found


def _day(row: Mapping[str, object], name: str) -> date | None:
    return date.fromisoformat(str(row[name])) if row.get(name) else None


def _documents_differ(
    before: Sequence[Mapping[str, object]], after: Sequence[Mapping[str, object]]
) -> list[Difference]:
    # Documents have no name but their title; a renamed one is shown as gone and new, which is what readers see.
    old = {str(row["title"]): row for row in before}
    new = {str(row["title"]): row for row in after}
    found = [Difference(N_("New document"), about=title) for title in new if title not in old]
    found += [
        Difference(N_("New version of a document"), about=title)
        for title in new
        if title in old and any(old[title].get(part) != new[title].get(part) for part in ("sha256", "number"))
    ]
    return found + [
        Difference(N_("Document taken off the list"), about=title) for title in old if title not in new
    ]


# --- plans -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlanSize:
    """A size of a plan's picture in pixels, and how much it shows around the plan area."""

    width: int
    height: int
    margin: int
    #: Without names and scale.
    is_decoration: bool = False


PLAN_SIZES: Mapping[str, PlanSize] = {
    "small": PlanSize(480, 192, 32, is_decoration=True),  # on a card
    "narrow": PlanSize(480, 420, 70),  # on a telephone
    "": PlanSize(960, 540, 110),
}
TOWN_WIDTH, TOWN_HEIGHT = 520, 480


def plan_picture(
    procedure: Procedure, sources: Sequence[MapSource], size: PlanSize, look: Look, title: str
) -> str:
    """A plan area in its surroundings as an SVG document. Raises ValueError without a plan area."""
    box = (procedure.min_x, procedure.min_y, procedure.max_x, procedure.max_y)
    known = [edge for edge in box if edge is not None]
    if procedure.plan_area is None or len(known) < 4:
        raise ValueError("no plan area")
    if size.is_decoration:
        return pictures.small_plan(
            procedure.plan_area, sources, width=size.width, height=size.height, look=look
        )
    west, south, east, north = known
    view = pictures.view_of((west, south, east, north), size.width, size.height, margin=size.margin)
    return pictures.plan(view, sources, procedure.plan_area, look=look, title=title)


def town_view(extent: pictures.Box | None, bounds: Sequence[float]) -> View | None:
    """What the overview of the town shows: all its districts (a box in metres), or its extent in degrees."""
    if extent is not None:
        return pictures.view_of(extent, TOWN_WIDTH, TOWN_HEIGHT, margin=14)
    if len(bounds) == 4:
        return View.around((bounds[0], bounds[1], bounds[2], bounds[3]), TOWN_WIDTH, TOWN_HEIGHT, margin=14)
    return None


def town_picture(view: View, sources: Sequence[MapSource], look: Look, title: str) -> str:
    """The base map of the whole town as an SVG document."""
    return pictures.town(view, sources, look=look, title=title)


@dataclass(frozen=True)
class Pin:
    """A numbered mark on the overview, and the place it stands for: pixels from the upper left corner."""

    number: int
    x: float
    y: float
    at_x: float
    at_y: float
    card: Card


_PIN_WIDTH = 36.0


def pins(cards: Sequence[Card], view: View) -> tuple[Pin, ...]:
    """A numbered pin for each consultation with a place in view; neighbours move aside so that all are seen."""
    placed: list[Pin] = []
    for each in cards:
        if each.lon is None or each.lat is None:
            continue
        at_x, at_y = view.pixel(each.lon, each.lat)
        if 0 <= at_x <= view.width and 0 <= at_y <= view.height:
            x, y = next(_free_spots(at_x, at_y, placed, view), (at_x, at_y))
            placed.append(
                Pin(len(placed) + 1, round(x, 1), round(y, 1), round(at_x, 1), round(at_y, 1), each)
            )
    return tuple(placed)


def _free_spots(at_x: float, at_y: float, placed: Sequence[Pin], view: View) -> Iterator[tuple[float, float]]:
    """Spots for a pin, the nearest first, that lie in view and cover no other pin."""
    half = _PIN_WIDTH / 2
    for ring in range(8):
        for step in range(8 * ring or 1):
            angle = 2 * math.pi * step / (8 * ring or 1)
            x, y = at_x + ring * half * math.cos(angle), at_y + ring * half * math.sin(angle)
            x, y = min(max(x, half), view.width - half), min(max(y, half), view.height - half)
            if all(math.hypot(x - pin.x, y - pin.y) >= _PIN_WIDTH for pin in placed):
                yield x, y
