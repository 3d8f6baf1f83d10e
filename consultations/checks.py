"""May a phase be published? One pure list of everything that the law asks for and that is still missing.

BLOCK would make the plan attackable and cannot be passed; WARN is lawful but risky and needs a reason that a named
person has recorded; INFO is good to know. Every finding says which text of the law it stands on, what is missing and
where it is mended (law-and-standards R-1.2 to R-1.4, R-1.8, R-1.11, R-1.15 to R-1.17, R-3.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from consultations.announcement_text import (
    CLOSED_FROM,
    EARLY,
    EXAMINATION_FROM,
    Case,
    Particulars,
    Regime,
    lacks,
    rewordings,
)
from consultations.computation import Answer, Impossible
from consultations.law import Both, Severity
from consultations.legal_periods import ask
from consultations.reasons import spoken
from consultations.schedule import Frame, Planned, question_of
from consultations.seats import Seat

#: An option that is closed on so many working days of the period is not open "for the whole period" (R-1.4).
CLOSED_DAYS_TOO_MANY = 10
#: Old checklists ask for a week between announcement and start; the law does not any more (R-1.2, fact 4).
LEAD_DAYS = 7
#: What a document's file may tell of people, by the names that `inspection` gives it.
METADATA_THAT_NAMES: Mapping[str, Both] = {
    "author": Both("Verfasser", "author"),
    "last_modified_by": Both("zuletzt geändert von", "last changed by"),
    "manager": Both("Vorgesetzte", "manager"),
    "company": Both("Firma", "company"),
}


class Where(StrEnum):
    """Where a finding is mended; the pages know the address."""

    DOCUMENTS = "documents"
    DOCUMENT = "document"
    ANNOUNCEMENT = "announcement"
    ACTS = "acts"
    PROOF = "proof"
    ACCESS = "access"
    PHASES = "phases"
    TEXTS = "texts"
    AREA = "area"


class Medium(StrEnum):
    """Where an announcement is made public."""

    GAZETTE = "gazette"
    NOTICE_BOARD = "notice_board"
    INTERNET = "internet"
    STATE_PORTAL = "state_portal"


#: What counts as the customary announcement (ortsübliche Bekanntmachung).
CUSTOMARY = (Medium.GAZETTE, Medium.NOTICE_BOARD)


@dataclass(frozen=True)
class DocumentFacts:
    """A document as the checks see it; `kind` as in `documents.DocumentKind`.

    `names`: passages of its text that may give a person away; `metadata`: what its file says of people.
    """

    id: int
    kind: str
    title: str
    sha256: str = ""
    has_text: bool = True
    names: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Act:
    """An act of publication: where, on which day, in which issue, and whether there is proof of it."""

    medium: str
    on: date
    issue: str = ""
    has_evidence: bool = False
    #: Number of the version of the announcement that was made public.
    version: int = 0


@dataclass(frozen=True)
class Announced:
    """The announcement as it stands: its text, its version, and the days it speaks of."""

    version: int
    text: str
    starts_on: date | None
    ends_on: date | None
    #: The places that it names as other easy access.
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Situation:
    """Everything that the checks look at. `known` is what the announcement should say today."""

    known: Particulars
    today: date
    documents: tuple[DocumentFacts, ...] = ()
    announced: Announced | None = None
    acts: tuple[Act, ...] = ()
    has_phone_or_email: bool = True
    has_area: bool = True
    #: The preliminary examination of BauGB §13a(1) S.2 no. 2 was made and speaks for the procedure.
    is_examined: bool = False
    #: What the law says of the dates (`period`).
    answer: Answer | None = None
    #: The phase is open for the public already; what is no longer of use is not asked again.
    is_released: bool = False
    #: Notes of corrections of frozen documents that have not been announced anew yet (PU-4), by their ids.
    unannounced: tuple[tuple[int, str], ...] = ()

    @property
    def case(self) -> Case:
        return self.known.case


@dataclass(frozen=True)
class Finding:
    """Something to know before a phase is published.

    `about` is what exactly was found (a document's content, days, words): a reason given for it holds as long as that
    stays the same. `subject` names the row to mend, if there is one.
    """

    code: str
    severity: Severity
    source: str
    title: Both
    help: Both
    where: Where
    about: str = ""
    subject: int | None = None

    @property
    def key(self) -> str:
        """What a recorded reason refers to."""
        return f"{self.code}:{self.about}" if self.about else self.code

    def as_data(self) -> dict[str, Any]:
        """The finding as JSON values in both languages, to be kept with a release."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "source": self.source,
            "about": self.about,
            "de": f"{self.title.de} {self.help.de}".strip(),
            "en": f"{self.title.en} {self.help.en}".strip(),
        }


_ORDER = list(Severity)


def check(situation: Situation) -> tuple[Finding, ...]:
    """All findings, the gravest first and otherwise in the order in which a planner works."""
    found = [
        *_documents(situation),
        *_area_threshold(situation),
        *_access(situation),
        *_period(situation),
        *_announcement(situation),
        *_acts(situation),
        *_corrections(situation),
        *_personal_data(situation),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: _ORDER.index(finding.severity)))


def open_findings(found: Iterable[Finding], reasons: Mapping[str, str]) -> tuple[Finding, ...]:
    """What still stands in the way: every BLOCK, and every WARN without a reason (by `Finding.key`)."""
    return tuple(
        finding
        for finding in found
        if finding.severity is Severity.BLOCK
        or (finding.severity is Severity.WARN and not reasons.get(finding.key, "").strip())
    )


def may_release(found: Iterable[Finding], reasons: Mapping[str, str]) -> bool:
    """Whether nothing stands in the way."""
    return not open_findings(found, reasons)


# --- documents (R-1.3) ---------------------------------------------------------------------------------------------


def _documents(situation: Situation) -> Iterator[Finding]:
    case = situation.case
    kinds = {document.kind for document in situation.documents}
    if case.regime in (Regime.FREE, Regime.URBAN_PLAN_EARLY):
        if not situation.documents:
            yield Finding(
                "no_documents", Severity.INFO, "BauGB §3(1)",
                Both("Es gibt noch keine Unterlagen.", "There are no documents yet."),
                Both("Das Gesetz schreibt hier keine vor; eine Skizze hilft beim Verstehen.",
                     "The law asks for none here; a sketch helps people understand."),
                Where.DOCUMENTS,
            )  # fmt: skip
        return
    law = "VwVfG §73(1)" if case.regime is not Regime.URBAN_PLAN else "BauGB §3(2) S.1"
    if "plan_drawing" not in kinds:
        yield _missing_document("draft_missing", law, Both("die Planzeichnung", "the plan drawing"))
    if "explanatory_report" not in kinds:
        yield _missing_document(
            "explanatory_report_missing",
            law,
            Both("die Begründung", "the explanatory report")
            if case.regime is Regime.URBAN_PLAN
            else Both("der Erläuterungsbericht", "the explanatory report"),
        )
    if not case.needs_environment:
        return
    if "environmental_report" not in kinds:
        yield _missing_document(
            "environmental_report_missing",
            "BauGB §2a, §3(2) S.1",
            Both("der Umweltbericht", "the environmental report"),
        )
    if "environmental_statement" not in kinds:
        yield Finding(
            "environmental_statements_missing", Severity.WARN, "BauGB §3(2) S.1",
            Both("Es ist keine umweltbezogene Stellungnahme dabei.", "There is no environmental statement."),
            Both("Die nach Ihrer Einschätzung wesentlichen, bereits vorliegenden Stellungnahmen gehören dazu. Gibt es "
                 "keine, halten Sie das hier fest.",
                 "Those that exist and that you find essential belong to it. If there are none, record that here."),
            Where.DOCUMENTS,
        )  # fmt: skip
    covered = frozenset(number for theme in situation.known.themes for number in theme.documents)
    for document in situation.documents:
        of_environment = document.kind in ("environmental_report", "environmental_statement")
        if of_environment and document.id not in covered and situation.known.themes:
            yield Finding(
                "environment_type_missing", Severity.WARN,
                "BauGB §3(2) S.4; §214(1) S.1 no. 2 b",
                Both(f"„{document.title}“ kommt bei den Umweltinformationen nicht vor.",
                     f"“{document.title}” does not appear among the environmental information."),
                Both("Ordnen Sie die Unterlage einem Thema zu, auch wenn Sie sie für unwichtig halten.",
                     "Put it to a theme, even if you find it unimportant."),
                Where.ANNOUNCEMENT, f"{document.id}:{document.sha256[:16]}", document.id,
            )  # fmt: skip


def _missing_document(code: str, source: str, what: Both) -> Finding:
    return Finding(
        code, Severity.BLOCK, source,
        Both(f"Es fehlt {what.de}.", f"Missing: {what.en}."),
        Both("Laden Sie die Unterlage hoch und wählen Sie die passende Art.", "Upload it and choose its kind."),
        Where.DOCUMENTS,
    )  # fmt: skip


def _area_threshold(situation: Situation) -> Iterator[Finding]:
    """BauGB §13a(1): 20,000 and 70,000 square metres of permitted plot area (R-1.11)."""
    case = situation.case
    if case.variant != "accelerated" or case.regime is not Regime.URBAN_PLAN:
        return
    source = "BauGB §13a(1) S.2"
    if case.plot_area is None:
        yield Finding(
            "plot_area_unknown", Severity.WARN, source,
            Both("Die zulässige Grundfläche ist nicht eingetragen.", "The permitted plot area is not entered."),
            Both("Von ihr hängt ab, ob das beschleunigte Verfahren zulässig ist: unter 20.000 m² frei, bis 70.000 m² "
                 "nach Vorprüfung.", "It decides whether the accelerated procedure is open: below 20,000 m² freely, up "
                 "to 70,000 m² after an examination."),
            Where.ANNOUNCEMENT,
        )  # fmt: skip
    elif case.plot_area >= CLOSED_FROM:
        yield Finding(
            "plot_area_too_large", Severity.BLOCK, source,
            Both("Die zulässige Grundfläche erreicht 70.000 m².", "The permitted plot area reaches 70,000 m²."),
            Both("Das beschleunigte Verfahren ist verschlossen. Wählen Sie das Regelverfahren.",
                 "The accelerated procedure is closed. Choose the regular one."),
            Where.ANNOUNCEMENT, str(case.plot_area),
        )  # fmt: skip
    elif case.plot_area >= EXAMINATION_FROM:
        if not situation.is_examined:
            yield Finding(
                "examination_missing", Severity.BLOCK, "BauGB §13a(1) S.2 no. 2",
                Both("Es fehlt die Vorprüfung des Einzelfalls.", "The preliminary examination is missing."),
                Both("Ab 20.000 m² Grundfläche ist sie Voraussetzung des beschleunigten Verfahrens.",
                     "From 20,000 m² on it is a condition of the accelerated procedure."),
                Where.ANNOUNCEMENT, str(case.plot_area),
            )  # fmt: skip
        if not situation.known.free.get("reasons", "").strip():
            yield Finding(
                "examination_reasons_missing", Severity.WARN,
                "BauGB §13a(3) S.1 no. 1; §214(2a) no. 2",
                Both("Die wesentlichen Gründe der Vorprüfung stehen nicht in der Bekanntmachung.",
                     "The announcement does not say the reasons of the examination."),
                Both("Tragen Sie sie im Entwurf der Bekanntmachung ein.", "Enter them in the draft."),
                Where.ANNOUNCEMENT,
            )  # fmt: skip


# --- other easy access (R-1.4) -------------------------------------------------------------------------------------


def _access(situation: Situation) -> Iterator[Finding]:
    case = situation.case
    law = "BauGB §3(2) S.2"
    must = case.regime is Regime.URBAN_PLAN
    if case.regime is Regime.PLAN_APPROVAL_OLD:
        must, law = True, "VwVfG §73(2), (3) (until 2026-07-28); Art. 73 BayVwVfG"
    if case.regime is Regime.PLAN_APPROVAL:
        law = "VwVfG §73(1) S.2; BayDiG Art. 12"
    options = [option for option in situation.known.options if option.place.strip()]
    if not options:
        yield Finding(
            "access_missing", Severity.BLOCK if must else Severity.INFO, law,
            Both("Es ist kein Ort eingetragen, an dem man die Unterlagen ohne eigenen Computer sehen kann.",
                 "No place is entered where people can see the documents without a computer of their own."),
            Both("Tragen Sie ein Lesegerät oder eine Auslegung auf Papier ein, mit Ort und Öffnungszeiten." if must else
                 "Hier genügt ein Zugang auf Verlangen; ein fester Ort hilft trotzdem.",
                 "Enter a terminal or a display on paper, with place and hours." if must else
                 "Access on request is enough here; a fixed place helps all the same."),
            Where.ACCESS,
        )  # fmt: skip
    usable = [option for option in options if option.hours.strip()]
    if must and options and not usable:
        yield Finding(
            "access_hours_missing", Severity.BLOCK, law,
            Both("Bei keinem Ort stehen Öffnungszeiten.", "No place has opening hours."),
            Both("Ohne sie kann niemand wissen, wann die Unterlagen zu sehen sind.",
                 "Without them nobody can know when the documents can be seen."),
            Where.ACCESS,
        )  # fmt: skip
    for option in options:
        if usable and not option.hours.strip():
            yield _access_gap(
                "access_hours_unknown", law, option.place, Both("Öffnungszeiten", "opening hours")
            )
        if not option.step_free.strip():
            yield _access_gap("access_step_free_unknown", "BayBGG Art. 10; BauGB §3(2) S.2", option.place,
                              Both("ob man ohne Stufen hineinkommt", "whether it can be entered without steps"))  # fmt: skip
    if (
        usable
        and must
        and all(_closed_days(situation, each.closed) >= CLOSED_DAYS_TOO_MANY for each in usable)
    ):
        days = min(_closed_days(situation, each.closed) for each in usable)
        yield Finding(
            "access_closed", Severity.WARN, law,
            Both(f"An {days} Werktagen der Frist ist kein Ort geöffnet.",
                 f"On {days} working days of the period no place is open."),
            Both("Die Unterlagen müssen während der ganzen Frist zu sehen sein. Nennen Sie einen zweiten Ort.",
                 "The documents must be open to inspection for the whole period. Name a second place."),
            Where.ACCESS, f"{days}",
        )  # fmt: skip
    now_named = {option.place.strip() for option in options}
    for place in situation.announced.places if situation.announced else ():
        if must and place not in now_named:
            yield Finding(
                "access_promised_gone", Severity.BLOCK, law,
                Both(f"Die Bekanntmachung nennt „{place}“, der Ort ist aber nicht mehr eingetragen.",
                     f"The announcement names “{place}”, but the place is not entered any more."),
                Both("Was bekannt gemacht ist, muss bis zum Ende der Frist offen stehen. Tragen Sie den Ort wieder ein.",
                     "What was announced must stay open until the end of the period. Enter the place again."),
                Where.ACCESS, place,
            )  # fmt: skip
    if not situation.has_phone_or_email:
        yield Finding(
            "contact_missing", Severity.BLOCK, "BayDiG Art. 12; BauGB §3(2) S.4 no. 2",
            Both("Es ist niemand genannt, den man fragen kann.", "Nobody is named whom one can ask."),
            Both("Tragen Sie eine Telefonnummer oder E-Mail-Adresse ein.", "Enter a telephone number or e-mail."),
            Where.ACCESS,
        )  # fmt: skip


def _access_gap(code: str, law: str, place: str, what: Both) -> Finding:
    return Finding(
        code, Severity.WARN, law,
        Both(f"„{place}“: Es fehlt, {what.de}." if what.de.startswith("ob") else f"„{place}“: Es fehlen {what.de}.",
             f"“{place}”: {what.en} missing." if not what.en.startswith("whether") else f"“{place}” does not say {what.en}."),
        Both("Ergänzen Sie die Angabe beim Ort.", "Add it to the place."),
        Where.ACCESS, place,
    )  # fmt: skip


def _closed_days(situation: Situation, closed: tuple[date, date] | None) -> int:
    """Days from Monday to Friday of the period on which a place is shut."""
    known = situation.known
    if closed is None or known.starts_on is None or known.ends_on is None:
        return 0
    first, last = max(closed[0], known.starts_on), min(closed[1], known.ends_on)
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)


# --- the period ----------------------------------------------------------------------------------------------------


def period(
    case: Case,
    starts_on: date | None,
    ends_on: date | None,
    *,
    seat: Seat,
    announced_on: date | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Answer | None:
    """What the law says of these dates, by the engine; None without a start or where it says nothing.

    `facts`: what the phase knows beyond its dates, by the names in `legal_facts`.
    """
    if starts_on is None or (ends_on is not None and ends_on < starts_on):
        return None
    more = {**(facts or {}), "scope": "affected" if case.only_affected else ""}
    if announced_on is not None:
        more["announced_on"] = announced_on
    asked = question_of(
        Frame(case.plan_kind, case.variant, case.law_version),
        Planned("", case.kind, "public", starts_on, ends_on, is_formal=True, facts=more),
    )
    if asked is None:
        return None
    try:
        return ask(asked[0], asked[1], seat=seat)
    except Impossible:
        return None  # a year for which no calendar is known, or facts that do not fit


#: What the engine says of an announcement's day, `_acts` says of each act.
_SAID_OF_ACTS = ("announcement_not_before_start", "lead_under_one_week", "lead_too_short")


def _period(situation: Situation) -> Iterator[Finding]:
    known = situation.known
    if known.starts_on is None or known.ends_on is None:
        yield Finding(
            "dates_missing", Severity.BLOCK, "BauGB §3(2) S.4; VwVfG §27b",
            Both("Anfang oder Ende der Frist fehlt.", "Start or end of the period is missing."),
            Both("Tragen Sie beide Tage ein; das Programm rechnet die Frist nach.",
                 "Enter both days; the program checks the period."),
            Where.PHASES,
        )  # fmt: skip
        return
    if known.ends_on < known.starts_on:
        yield Finding(
            "dates_reversed", Severity.BLOCK, "BauGB §3(2) S.1",
            Both("Die Frist endet vor ihrem Anfang.", "The period ends before it begins."),
            Both("Prüfen Sie beide Tage.", "Check both days."), Where.PHASES,
        )  # fmt: skip
        return
    days = f"{known.starts_on.isoformat()}/{known.ends_on.isoformat()}"
    if known.starts_on <= situation.today and not situation.is_released:
        yield Finding(
            "start_not_ahead", Severity.BLOCK, "BauGB §3(2) S.4",
            Both("Der erste Tag ist schon da oder vorbei.", "The first day is here already or past."),
            Both("Eine Frist beginnt frühestens am Tag nach der Freigabe. Verschieben Sie den Anfang.",
                 "A period begins on the day after the release at the earliest. Move the start."),
            Where.PHASES, days,
        )  # fmt: skip
    answer = situation.answer
    if answer is None:
        return
    for each in answer.findings:
        if each.code in _SAID_OF_ACTS:
            continue
        yield Finding(
            each.code, each.severity, each.source,
            Both(each.why.text("de"), each.why.text("en")), Both("", ""), Where.PHASES, f"{days}:{each.source}",
        )  # fmt: skip
    last = answer.effective_end or answer.minimum_end
    by_law = ("planfeststellung_old", "planfeststellung_change")  # these end by law, whatever is announced
    if answer.question in by_law and last and known.ends_on < last.day:
        yield Finding(
            "objections_end_early", Severity.BLOCK, last.source,
            Both(f"Die Einwendungsfrist läuft bis {spoken(last.day, 'de')}.",
                 f"Objections can be raised until {spoken(last.day, 'en')}."),
            Both("Setzen Sie das Ende der Phase auf diesen Tag.", "Set the end of the phase to that day."),
            Where.PHASES, days,
        )  # fmt: skip


# --- the announcement (R-1.2, R-1.11, R-1.15 to) ------------------------------------------------------------


def _announcement(situation: Situation) -> Iterator[Finding]:
    case, announced = situation.case, situation.announced
    if case.regime is Regime.FREE:
        return
    early = case.regime is Regime.URBAN_PLAN_EARLY
    if announced is None:
        yield Finding(
            "announcement_missing", Severity.INFO if early else Severity.BLOCK,
            "BauGB §3(1)" if early else "BauGB §3(2) S.4; VwVfG §73",
            Both("Es gibt noch keine Bekanntmachung.", "There is no announcement yet."),
            Both("Das Gesetz schreibt für die frühzeitige Beteiligung keine Form vor; mit ihr erfahren aber alle davon."
                 if early else "Das Programm schreibt sie; Sie prüfen, ergänzen und speichern sie.",
                 "The law prescribes no form for early participation; but with it everybody hears of it."
                 if early else "The program writes it; you check, complete and save it."),
            Where.ANNOUNCEMENT,
        )  # fmt: skip
        return
    if (announced.starts_on, announced.ends_on) != (situation.known.starts_on, situation.known.ends_on):
        yield Finding(
            "announcement_outdated", Severity.BLOCK, "BauGB §3(2) S.4",
            Both("Die Bekanntmachung nennt andere Tage als die Phase.", "The announcement names other days."),
            Both("Eine andere Frist braucht eine neue Bekanntmachung. Speichern Sie eine neue Fassung.",
                 "Another period needs a new announcement. Save a new version."),
            Where.ANNOUNCEMENT, f"{announced.version}",
        )  # fmt: skip
    else:
        for element in lacks(announced.text, situation.known):
            yield Finding(
                element.code, Severity.INFO if early and element.severity is not Severity.BLOCK else element.severity,
                element.source,
                Both(f"In der Bekanntmachung fehlt: {element.name.de}.",
                     f"Missing in the announcement: {element.name.en}."),
                Both("Ergänzen Sie, was im Entwurf als fehlend markiert ist, und speichern Sie eine neue Fassung.",
                     "Complete what the draft marks as missing and save a new version."),
                Where.ANNOUNCEMENT, f"{announced.version}",
            )  # fmt: skip
    for found in rewordings(announced.text, case):
        yield Finding(
            f"wording_{found.rule.code}", found.rule.severity, found.rule.source,
            Both(f"In der Bekanntmachung steht „{found.words}“.", f"The announcement says “{found.words}”."),
            found.rule.why, Where.ANNOUNCEMENT, f"{announced.version}:{found.words}",
        )  # fmt: skip
    if case.regime is Regime.PLAN_APPROVAL_OLD:
        yield Finding(
            "wording_unverified", Severity.WARN, "Art. 73 BayVwVfG",
            Both("Die fünf Hinweise stehen im Wortlaut des Bundesgesetzes. Ob das Landesgesetz gleich lautet, ist nicht geprüft.",
                 "The five hints are in the words of the federal act. Whether the state's act says the same was not checked."),
            Both("Wendet Ihre Behörde das Landesgesetz an, lassen Sie das Rechtsamt vergleichen und halten Sie das hier fest.",
                 "If your authority follows the state's act, have the legal office compare, and record that here."),
            Where.ANNOUNCEMENT, f"{announced.version}",
        )  # fmt: skip


# --- acts of publication -------------------------------------------------------------------------------------------


def decisive_day(acts: Iterable[Act], case: Case) -> date | None:
    """The day that counts as that of the announcement; None as long as an act that counts is missing.

    BauGB: the customary announcement and the copy on the internet, the later of both; VwVfG since 29 July 2026: the
    internet (§27a); before: the customary announcement.
    """
    made = list(acts)
    customary = min((act.on for act in made if act.medium in CUSTOMARY), default=None)
    internet = min((act.on for act in made if act.medium == Medium.INTERNET), default=None)
    if case.regime is Regime.PLAN_APPROVAL:
        return internet
    if case.regime is Regime.PLAN_APPROVAL_OLD:
        return customary
    if case.regime is Regime.URBAN_PLAN:
        return max(customary, internet) if customary and internet else None
    return min((day for day in (customary, internet) if day), default=None)


def _corrections(situation: Situation) -> Iterator[Finding]:
    for number, note in situation.unannounced:
        yield Finding(
            "correction_not_announced", Severity.BLOCK, "BauGB §3(2) S.4",
            Both(f"Eine Berichtigung ist noch nicht neu bekannt gemacht: {note}",
                 f"A correction has not been announced anew yet: {note}"),
            Both("Machen Sie sie bekannt und halten Sie das beim Nachweis der Veröffentlichung fest.",
                 "Announce it and record that with the proof of publication."),
            Where.PROOF, f"{number}",
        )  # fmt: skip


def _acts(situation: Situation) -> Iterator[Finding]:
    case, announced, start = situation.case, situation.announced, situation.known.starts_on
    if announced is None or case.regime in (Regime.FREE, Regime.URBAN_PLAN_EARLY):
        return
    acts = [act for act in situation.acts if act.version == announced.version]
    media = {act.medium for act in acts}
    urban = case.regime is Regime.URBAN_PLAN
    law = "BauGB §3(2) S.4" if urban else "VwVfG §27a, §73"
    if not media & set(CUSTOMARY) and case.regime is not Regime.PLAN_APPROVAL:
        yield Finding(
            "customary_missing", Severity.WARN if case.is_small else Severity.BLOCK, law,
            Both("Die ortsübliche Bekanntmachung ist nicht eingetragen.",
                 "The customary announcement is not recorded."),
            Both("Tragen Sie Amtsblatt oder Aushang mit Tag und Nachweis ein.",
                 "Record gazette or notice board with day and proof."),
            Where.ACTS, f"{announced.version}",
        )  # fmt: skip
    if Medium.INTERNET not in media:
        yield Finding(
            "internet_missing", Severity.BLOCK, "BauGB §3(2) S.5" if urban else "VwVfG §27a",
            Both("Der Inhalt der Bekanntmachung steht noch nicht im Internet.",
                 "The content of the announcement is not on the internet yet."),
            Both("Zeigen Sie diese Fassung hier im Internet; das Programm hält Tag und Fassung fest.",
                 "Show this version on the internet here; the program records day and version."),
            Where.ACTS, f"{announced.version}",
        )  # fmt: skip
    if urban and Medium.STATE_PORTAL not in media and not situation.known.portal:
        yield Finding(
            "state_portal", Severity.WARN, "BauGB §3(2) S.5; §214(1) S.1 no. 2 e",
            Both("Unterlagen und Bekanntmachung sind nicht über das Landesportal zugänglich.",
                 "Documents and announcement are not reachable through the state portal."),
            Both("Tragen Sie die Adresse im Landesportal ein oder begründen Sie, warum nicht.",
                 "Enter the address in the state portal or say why not."),
            Where.ACTS, f"{announced.version}",
        )  # fmt: skip
    day = decisive_day(acts, case)
    if day is not None and start is not None:
        lead = (start - day).days - 1
        if day >= start:
            yield Finding(
                "announced_too_late", Severity.BLOCK, law,
                Both(f"Bekannt gemacht ist sie erst am {spoken(day, 'de')}.",
                     f"It is announced only on {spoken(day, 'en')}."),
                Both("Die Bekanntmachung muss vor dem ersten Tag der Frist liegen, an jedem Ort, der zählt.",
                     "It must come before the first day of the period, in every medium that counts."),
                Where.ACTS, f"{announced.version}:{day.isoformat()}",
            )  # fmt: skip
        elif lead < LEAD_DAYS:
            yield Finding(
                "lead_short", Severity.WARN, law,
                Both(f"Zwischen Bekanntmachung und erstem Tag liegen nur {lead} volle Tage.",
                     f"Only {lead} whole days lie between announcement and first day."),
                Both("Erlaubt, aber knapp: Eine Woche gibt allen die Möglichkeit, sich einzurichten.",
                     "Lawful but tight: a week lets everybody make arrangements."),
                Where.ACTS, f"{announced.version}:{day.isoformat()}",
            )  # fmt: skip
    for act in acts:
        if not act.has_evidence and act.medium in (*CUSTOMARY, Medium.STATE_PORTAL):
            ahead = act.on > situation.today
            yield Finding(
                "evidence_missing", Severity.INFO if ahead else Severity.WARN, law,
                Both(f"Für „{MEDIUM_NAMES[act.medium].de}“ fehlt der Nachweis.",
                     f"There is no proof for “{MEDIUM_NAMES[act.medium].en}”."),
                Both("Fügen Sie ihn an, sobald die Ausgabe erschienen ist." if ahead else
                     "Fügen Sie die Seite des Amtsblatts oder ein Foto des Aushangs an.",
                     "Add it as soon as the issue has appeared." if ahead else
                     "Add the page of the gazette or a photo of the notice."),
                Where.ACTS, f"{announced.version}:{act.medium}:{act.on.isoformat()}",
            )  # fmt: skip


MEDIUM_NAMES: Mapping[str, Both] = {
    Medium.GAZETTE: Both("Amtsblatt", "Official gazette"),
    Medium.NOTICE_BOARD: Both("Amtstafel", "Notice board"),
    Medium.INTERNET: Both("Internet", "Internet"),
    Medium.STATE_PORTAL: Both("Landesportal", "State portal"),
}


# --- personal data (R-3.6) -----------------------------------------------------------------------------------------


def _personal_data(situation: Situation) -> Iterator[Finding]:
    for document in situation.documents:
        if document.names:
            shown = " · ".join(document.names[:5]) + (" …" if len(document.names) > 5 else "")
            yield Finding(
                "personal_data", Severity.WARN, "VGH BW 24.5.2022 – 3 S 1813/19; GDPR Art. 6",
                Both(f"„{document.title}“ nennt vielleicht Personen: {shown}",
                     f"“{document.title}” may name people: {shown}"),
                Both("Sehen Sie die Stellen an. Namen von Privatpersonen müssen heraus; Ämter, Gutachter und Verbände "
                     "dürfen bleiben. Halten Sie fest, was Sie geprüft haben.",
                     "Look at the passages. Names of private people must go; offices, experts and associations may stay. "
                     "Record what you checked."),
                Where.DOCUMENT, f"{document.id}:{document.sha256[:16]}", document.id,
            )  # fmt: skip
        told = [
            (METADATA_THAT_NAMES[name], value)
            for name, value in document.metadata
            if name in METADATA_THAT_NAMES and value
        ]
        if told:
            german = ", ".join(f"{name.de} {value}" for name, value in told)
            english = ", ".join(f"{name.en} {value}" for name, value in told)
            yield Finding(
                "file_metadata", Severity.INFO, "GDPR Art. 5(1)(c)",
                Both(f"Die Datei „{document.title}“ verrät: {german}",
                     f"The file “{document.title}” tells: {english}"),
                Both("Wer das nicht zeigen will, speichert die Datei ohne diese Angaben neu.",
                     "If that is not meant to be seen, save the file again without it."),
                Where.DOCUMENT, f"{document.id}:{document.sha256[:16]}", document.id,
            )  # fmt: skip
        if not document.has_text and document.kind != "plan_drawing":
            yield Finding(
                "document_without_text", Severity.INFO, "BayBGG Art. 14; BayDokZugV",
                Both(f"„{document.title}“ enthält keinen lesbaren Text.", f"“{document.title}” has no readable text."),
                Both("Geben Sie einen Text für Menschen ein, die die Datei nicht sehen können; ob Personen darin vorkommen, "
                     "lässt sich so nicht prüfen.",
                     "Enter a text for people who cannot see the file; personal data in it cannot be looked for."),
                Where.DOCUMENT, f"{document.id}:{document.sha256[:16]}", document.id,
            )  # fmt: skip


# --- changes after publication, requests in a plan approval (R-1.15, R-1.16) ---------------------------------


@dataclass(frozen=True)
class Renewal:
    """Whether a changed draft is published again, for whom, and to what statements are limited (BauGB §4a(3))."""

    is_needed: bool
    #: "affected" or "everybody"; empty when no renewal is needed.
    scope: str = ""
    is_limited_to_changes: bool = False
    needs_reason: bool = False


def renewal(*, touches_interests: bool, is_obvious: bool, touches_basics: bool, affected_takes_longer: bool = False) -> Renewal:  # fmt: skip
    """The decision tree of R-1.8.

    `touches_interests`: the change touches interests for the first time or more strongly; `is_obvious`: that it does not
    is obvious; `touches_basics`: the basics of the plan change.
    """
    if not touches_interests and is_obvious:
        return Renewal(False, needs_reason=True)
    if touches_basics or affected_takes_longer:
        return Renewal(True, "everybody", True)
    return Renewal(True, "affected", True)


@dataclass(frozen=True)
class Duty:
    """What follows from a request: whether something must be done, by when, and how grave it is to leave it."""

    is_due: bool
    by: date | None = None
    severity: Severity = Severity.INFO
    code: str = ""


def other_access_requested(starts_on: date, ends_on: date, asked_on: date) -> Duty:
    """A person affected asks for another way to the plan (VwVfG §73(1) S.2): due at once while the display runs."""
    if asked_on > ends_on:
        return Duty(False, severity=Severity.WARN, code="asked_after_display")
    return Duty(True, max(asked_on, starts_on), Severity.BLOCK, "other_access_due")


def objection_way(*, is_electronic: bool, in_time: bool, is_refused: bool = False) -> Duty:
    """An objection that came another way than electronically (VwVfG §73(2)): kept and noted; refusing it is a BLOCK."""
    if is_electronic or not in_time:
        return Duty(False)
    if is_refused:
        return Duty(True, severity=Severity.BLOCK, code="refused_because_not_electronic")
    return Duty(False, severity=Severity.INFO, code="accepted_without_request")


__all__ = [
    "CUSTOMARY", "EARLY", "MEDIUM_NAMES", "Act", "Announced", "DocumentFacts", "Duty", "Finding", "Medium", "Renewal",
    "Situation", "Where", "check", "decisive_day", "may_release", "objection_way", "open_findings",
    "other_access_requested", "period", "renewal",
]  # fmt: skip
