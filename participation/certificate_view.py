"""What a certificate of publication says, in words: the same sections for the page, the PDF and the console.

Everything comes from the certificate's frozen content (`certificates.content_of`), nothing from today's record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from babel.dates import format_datetime

from consultations import certificates
from consultations.certificates import Certificate
from consultations.deadlines import LEGAL_TIME
from participation import i18n
from participation.overview import DOCUMENT_NAMES, MEDIUM_NAMES, PHASE_NAMES, say

#: Marks a message for the catalogues.
N_ = str

PROBLEMS: Mapping[str, str] = {
    "unreachable": N_("no answer"),
    "timeout": N_("no answer in time"),
    "altered": N_("arrived with other content"),
}
"""What went wrong when something was fetched; an HTTP status has a sentence of its own."""

LEFT: Mapping[str, str] = {
    "replaced": N_("replaced after the end"),
    "withdrawn": N_("taken off the list after the end"),
    "restarted": N_("period begun anew"),
}

ACTIONS: Mapping[str, str] = {
    "log_only": N_("The outages are so short that recording them is enough."),
    "review": N_("It has to be examined whether access was guaranteed overall."),
    "extend_by_new_announcement": N_("The period should be extended by a new announcement."),
}

#: Outages or unmeasured times that are listed one by one.
LISTED = 60


@dataclass(frozen=True)
class Cell:
    """A cell of a table: words, and beneath them something for comparing sign by sign, such as a hash."""

    text: str
    mono: str = ""


@dataclass(frozen=True)
class Table:
    """A table: a name for screen readers, titles of its columns, and rows. `widths` in parts, for paper."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Section:
    """A section: paragraphs, facts, steps with their sources, a table, and paragraphs after them."""

    key: str
    heading: str
    text: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """A certificate in a language."""

    number: str
    heading: str
    standing: str
    is_final: bool
    intro: str
    sections: tuple[Section, ...]
    issued: str
    sha256: str


COURSES: Mapping[str, str] = {
    "extended_from": N_("Extended; the last day announced first"),
    "began_on": N_("Began for the first time on"),
    "interrupted_on": N_("Interrupted on"),
    "resumed_on": N_("Ran anew from"),
    "ended_early_on": N_("Ended early on"),
    "end_before": N_("Last day that had been announced"),
}
"""What became of the period after it had begun."""


def moment_words(text: str | datetime, language: str) -> str:
    """2. März 2027, 00:00 Uhr (MEZ): to the minute and always with its hour; seconds where there are some."""
    at = datetime.fromisoformat(text) if isinstance(text, str) else text
    local = at.astimezone(LEGAL_TIME)
    clock = "HH:mm:ss" if local.second else "HH:mm"
    zone = ({"de": ("MEZ", "MESZ")}.get(language) or ("CET", "CEST"))[bool(local.dst())]
    pattern = f"d. MMMM y, {clock} 'Uhr'" if language == "de" else f"d MMMM y, {clock}"
    locale = {"de": "de_DE"}.get(language, "en_GB")
    return f"{format_datetime(local, pattern, locale=locale)} ({zone})"


def day_words(text: str | None, language: str) -> str:
    """Dienstag, 2. März 2027; a dash where there is none."""
    return i18n.date_long(date.fromisoformat(text), language) if text else "–"


def problem_words(problem: str | None, language: str) -> str:
    """What went wrong when something was fetched."""
    _ = i18n.translations(language).gettext
    if problem and problem.startswith("status_"):
        return _("answered with error %(status)s") % {"status": problem.removeprefix("status_")}
    return _(PROBLEMS[problem]) if problem and problem in PROBLEMS else problem or "–"


def view(certificate: Certificate, language: str) -> View:
    """A certificate in words."""
    content = certificates.content_of(certificate)
    _ = i18n.translations(language).gettext
    words = _Words(content, language)
    phase = content["phase"]
    name = phase["title"] or say(PHASE_NAMES[phase["kind"]], language)
    return View(
        number=content["number"],
        heading=_("Certificate of publication"),
        standing=_("final: the period is over")
        if content["final"]
        else _("preliminary: the period is running"),
        is_final=bool(content["final"]),
        intro=_(
            "%(authority)s certifies what is on record about the publication on the internet in this procedure: "
            "“%(title)s”, %(phase)s."
        )
        % {
            "authority": content["municipality"]["authority"],
            "title": content["procedure"]["title"],
            "phase": name,
        },
        sections=tuple(section for section in words.sections() if section),
        issued=_("Issued on %(moment)s by %(name)s")
        % {"moment": moment_words(content["issued"]["at"], language), "name": content["issued"]["by"]},
        sha256=certificate.sha256,
    )


class _Words:
    """The sections, one method each."""

    def __init__(self, content: Mapping[str, Any], language: str) -> None:
        self.content = content
        self.language = language
        self._ = i18n.translations(language).gettext
        self.ngettext = i18n.translations(language).ngettext

    def sections(self) -> Sequence[Section | None]:
        return (
            self.procedure(),
            self.period(),
            self.documents(),
            self.corrections(),
            self.announcements(),
            self.access(),
            self.availability(),
        )

    def at(self, text: str | None) -> str:
        return moment_words(text, self.language) if text else "–"

    def said(self, both: Mapping[str, str]) -> str:
        return both["de"] if self.language == "de" else both["en"]

    def cited(self, rule: Mapping[str, str]) -> str:
        """The section that a step rests on, as lawyers write it; the record keeps it as the rules name it."""
        return i18n.cited(rule["source"], self.language)

    def procedure(self) -> Section:
        _, procedure, phase = self._, self.content["procedure"], self.content["phase"]
        facts = [
            (_("Procedure"), f"{procedure['key']}: {procedure['title']}"),
            (_("Area"), procedure["place"]),
            (_("Step of the procedure"), phase["title"] or say(PHASE_NAMES[phase["kind"]], self.language)),
            (_("Limited to"), phase["limited_to"]),
            (_("Published at"), procedure["url"]),
        ]
        return Section("procedure", _("Procedure"), facts=tuple((a, b) for a, b in facts if b))

    def period(self) -> Section:
        _, phase, computed = self._, self.content["phase"], self.content["computation"]
        facts = [
            (_("First day"), day_words(phase["starts_on"], self.language)),
            (_("Announced last day"), day_words(phase["ends_on"], self.language)),
            (
                _("Statements in time until"),
                _("%(day)s, 24:00") % {"day": day_words(phase["effective_end"], self.language)},
            ),
        ]
        course = phase.get("course") or {}  # certificates from before say nothing of it
        facts += [
            (_(label), day_words(course[name], self.language))
            for name, label in COURSES.items()
            if course.get(name)
        ]
        if computed is None:
            none = _("No law prescribes a period for this step; the dates are those that were announced.")
            return Section("period", _("Period"), facts=tuple(facts), after=(none,))
        for key, label in (
            ("minimum_end", _("Earliest lawful last day")),
            ("recommended_end", _("Recommended last day")),
        ):
            if computed[key]:
                facts.append((label, day_words(computed[key]["day"], self.language)))
        facts.append((_("Law applied"), ", ".join(computed["law_versions"])))
        facts.append((_("Deadline engine, version"), computed["engine_version"]))
        steps = tuple((self.said(step), self.cited(step)) for step in computed["steps"])
        findings = tuple(
            (f"{self._severity(each['severity'])} {self.said(each)}", self.cited(each))
            for each in computed["findings"]
        )
        return Section(
            "period",
            _("Period and how it was computed"),
            facts=tuple(facts),
            steps=steps + findings,
        )

    def _severity(self, severity: str) -> str:
        _ = self._
        return {"BLOCK": _("Against the law:"), "WARN": _("To be noted:"), "INFO": _("For information:")}[
            severity
        ]

    def documents(self) -> Section:
        _ = self._
        rows = []
        numbers = {each["frozen"]: at for at, each in enumerate(self.content["documents"], 1)}
        for at, each in enumerate(self.content["documents"], 1):
            kind = say(DOCUMENT_NAMES[each["kind"]], self.language)
            told = [kind, each["filename"], i18n.filesize(each["size"], self.language)]
            if each["pages"]:
                told.append(
                    self.ngettext("%(num)s page", "%(num)s pages", each["pages"]) % {"num": each["pages"]}
                )
            title = f"{each['title']} ({' · '.join(told)})"
            if each["corrects"]:
                title += " – " + _("correction of number %(number)s") % {
                    "number": numbers.get(each["corrects"], "?")
                }
            online = [_("from %(moment)s") % {"moment": self.at(each["online_from"])}]
            if each["online_to"]:
                online.append(_("until %(moment)s") % {"moment": self.at(each["online_to"])})
                online.append(f"({_(LEFT.get(each['left_by'] or '', '–'))})")
            else:
                online.append(_("and on the day of this certificate"))
            rows.append(
                (
                    Cell(str(at)),
                    Cell(title, f"SHA-256 {_groups(each['sha256'])}"),
                    Cell(str(each["version"])),
                    Cell(" ".join(online)),
                )
            )
        parts = tuple(
            _("Number %(number)s was not online for the whole period.") % {"number": at}
            for at, each in enumerate(self.content["documents"], 1)
            if not each["whole_period"] and not each["corrects"] and each["left_by"] != "restarted"
        )
        return Section(
            "documents",
            _("Documents"),
            text=(
                _(
                    "These files lay open. Each was frozen with its fingerprint (SHA-256): a file with another content "
                    "has another fingerprint."
                ),
            ),
            table=Table(
                _("Documents with version, fingerprint and time online"),
                (_("No."), _("Document"), _("Version"), _("Online")),
                tuple(rows),
                (6, 52, 11, 31),
            ),
            after=parts,
        )

    def corrections(self) -> Section | None:
        _ = self._
        rows = []
        for each in self.content["corrections"]:
            what = _("Correction note") if each["way"] == "note" else _("Period begun anew")
            if each["earlier_start"]:
                what += " – " + _("before: %(start)s to %(end)s") % {
                    "start": i18n.date_short(date.fromisoformat(each["earlier_start"]), self.language),
                    "end": i18n.date_short(date.fromisoformat(each["earlier_end"]), self.language),
                }
            announced = each["announcement"] or _("not recorded")
            rows.append((Cell(self.at(each["at"])), Cell(what), Cell(each["note"]), Cell(announced)))
        if not rows:
            return None
        return Section(
            "corrections",
            _("Corrections and new beginnings"),
            table=Table(
                _("Corrections and new beginnings with their announcements"),
                (_("When"), _("What"), _("Note"), _("New announcement")),
                tuple(rows),
                (24, 26, 30, 20),
            ),
        )

    def announcements(self) -> Section:
        _ = self._
        known = self.content["announcements"]
        if not known:
            return Section(
                "announcements",
                _("Announcements"),
                text=(
                    _(
                        "No announcement is recorded in this software. When and where it was announced is proved by the "
                        "paper file."
                    ),
                ),
            )
        return Section("announcements", _("Announcements"), text=(), table=self._acts(known))

    def _acts(self, known: Sequence[Mapping[str, Any]]) -> Table:
        _ = self._
        return Table(
            _("Announcements and acts of publication"),
            (_("When"), _("What"), _("Where"), _("Evidence")),
            tuple(
                (
                    Cell(day_words(each["date"], self.language)),
                    Cell(_("Version %(number)s of the announcement") % {"number": each["version"]}),
                    Cell(
                        ", ".join(
                            filter(None, (say(MEDIUM_NAMES[each["medium"]], self.language), each["issue"]))
                        )
                    ),
                    Cell(
                        each["evidence"] or "–",
                        f"SHA-256 {_groups(each['sha256'])}" if each["sha256"] else "",
                    ),
                )
                for each in known
            ),
            (22, 22, 28, 28),
        )

    def access(self) -> Section:
        _ = self._
        options = self.content["access_options"]
        facts = []
        for option in options:
            step_free = option.get("step_free")
            if isinstance(step_free, bool):
                step_free = _("Step-free access") if step_free else _("Not step-free")
            told = [option.get("address"), option.get("hours"), step_free, option.get("note")]
            facts.append(
                (str(option.get("place") or "–"), ", ".join(str(each) for each in told if each) or "–")
            )
        text = () if facts else (_("No other way of access is on record."),)
        return Section("access", _("Other easy ways of access"), text=text, facts=tuple(facts))

    def availability(self) -> Section:
        _ = self._
        known = self.content["availability"]
        heading = _("Availability on the internet")
        if known is None:
            return Section("availability", heading, text=(_("The period has not begun yet."),))
        facts = [
            (
                _("Looked at"),
                _("%(begins)s to %(ends)s")
                % {"begins": self.at(known["from"]), "ends": self.at(known["to"])},
            ),
            (_("Probes"), i18n.number(known["probes"], self.language)),
            (_("Outages"), self._minutes(known["outages"], known["outage_minutes"])),
            (_("Not measured"), self._minutes(known["unmeasured"], known["unmeasured_minutes"])),
        ]
        text = [
            _(
                "The server fetches the page of the consultation and every document itself, as a visitor would, and "
                "compares the fingerprints; of large documents the whole every six hours, in between the beginning and the "
                "size. What lies between two probes is taken as the first of them found it; where "
                "no probe ran for more than 15 minutes, nothing is claimed."
            )
        ]
        after = []
        if known["action"]:
            after.append(say(ACTIONS[known["action"]], self.language))
        steps: tuple[tuple[str, str], ...] = ()
        if known["judgement"]:
            judged = known["judgement"]
            steps = tuple(
                (self.said(each), self.cited(each)) for each in judged["steps"] + judged["findings"]
            )
        return Section(
            "availability",
            heading,
            text=tuple(text),
            facts=tuple(facts),
            steps=steps,
            table=self._log(known),
            after=tuple(after),
        )

    def _minutes(self, stretches: Sequence[object], minutes: int) -> str:
        if not stretches:
            return self._("none")
        words = self.ngettext("%(num)s minute in all", "%(num)s minutes in all", minutes)
        return words % {"num": i18n.number(minutes, self.language)}

    def _log(self, known: Mapping[str, Any]) -> Table | None:
        _ = self._
        # What failed together is one line, and where everything failed it says so.
        failed: dict[tuple[str, str, str], list[str]] = {}
        minutes: dict[tuple[str, str, str], int] = {}
        for subject in known["subjects"]:
            name = subject["title"] or _("Page of the consultation")
            if subject["version"]:
                name = _("%(title)s, version %(version)s") % {"title": name, "version": subject["version"]}
            for each in subject["outages"]:
                key = (each["from"], each["to"], self._problem(each["problem"]))
                failed.setdefault(key, []).append(name)
                minutes[key] = each["minutes"]
        count, everything = len(known["subjects"]), _("Everything")
        rows = [
            (*key[:2], minutes[key], f"{everything if len(names) == count else '; '.join(names)}: {key[2]}")
            for key, names in failed.items()
        ]
        nothing = _("not measured")
        rows += [
            (each["from"], each["to"], each["minutes"], f"{everything}: {nothing}")
            for each in known["unmeasured"]
        ]
        rows.sort(key=lambda row: datetime.fromisoformat(row[0]))
        if not rows:
            return None
        more = len(rows) - LISTED
        cells = [
            (Cell(self.at(start)), Cell(self.at(end)), Cell(i18n.number(length, self.language)), Cell(what))
            for start, end, length, what in rows[:LISTED]
        ]
        if more > 0:
            cells.append(
                (
                    Cell("…"),
                    Cell("…"),
                    Cell("…"),
                    Cell(_("%(num)s more; all of them are in the data of the certificate") % {"num": more}),
                )
            )
        return Table(
            _("Outages and times that were not measured"),
            (_("From"), _("To"), _("Minutes"), _("What")),
            tuple(cells),
            (28, 28, 10, 34),
        )

    def _problem(self, problem: str | None) -> str:
        return problem_words(problem, self.language)


def _groups(sha256: str) -> str:
    return " ".join(sha256[at : at + 16] for at in range(0, len(sha256), 16))
