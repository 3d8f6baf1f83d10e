"""What an announcement has to say: each element with its law, its wording, and how grave it is to leave it out.

Pure. `compose` writes the German text (German is authoritative) from what is known and marks what is missing; `lacks`
reads any text, however it came about, and names the elements that are not in it. Statutory sentences stand here and
nowhere else, so that nobody rewords them by accident (law-and-standards R-1.2, R-1.11, R-1.15 to R-1.17).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from consultations.law import Both, Severity
from consultations.reasons import spoken

# The words of the tables, which no pure room may import (`procedures.PlanKind`, `PlanVariant`, `PhaseKind`).
LAND_USE_PLAN, DEVELOPMENT_PLAN, PLAN_APPROVAL = "land_use_plan", "development_plan", "plan_approval"
SIMPLIFIED, ACCELERATED, PROJECT_BASED = "simplified", "accelerated", "project_based"
EARLY, PUBLICATION, REPEATED, DISPLAY = "early", "publication", "repeated", "display"

#: BauGB §13a(1): from here a preliminary examination is needed; from there the procedure is closed (square metres).
EXAMINATION_FROM, CLOSED_FROM = 20_000, 70_000

MISSING_MARK = "⟦FEHLT: {what}⟧"

#: No text contains it.
_NOWHERE = "\0"


class Regime(StrEnum):
    """The law that says what an announcement has to contain."""

    URBAN_PLAN = "urban_plan"  # BauGB §3(2), §4a(3)
    URBAN_PLAN_EARLY = "urban_plan_early"  # BauGB §3(1): no form prescribed
    PLAN_APPROVAL = "plan_approval"  # VwVfG §73 since 2026-07-29
    PLAN_APPROVAL_OLD = "plan_approval_old"  # VwVfG §73 before; Art. 73 BayVwVfG
    FREE = "free"


@dataclass(frozen=True)
class Case:
    """What decides which law an announcement follows. `plot_area`: permitted plot area in square metres."""

    plan_kind: str = DEVELOPMENT_PLAN
    variant: str = "regular"
    kind: str = PUBLICATION
    law_version: str = ""
    #: To which parts a renewed participation is restricted, in words; empty: everything is open.
    limited_to: str = ""
    plot_area: int | None = None
    #: An early participation took or takes place (BauGB §13a(3) no. 2).
    has_early: bool = False
    #: The plan may have considerable effects on a neighbouring state (BauGB §4a(4)).
    crosses_border: bool = False
    #: Only the affected public is asked (BauGB §13(2) S.1 no. 2 first alternative, §4a(3) S.4).
    only_affected: bool = False

    @property
    def regime(self) -> Regime:
        if self.plan_kind == PLAN_APPROVAL:
            return Regime.PLAN_APPROVAL_OLD if "until" in self.law_version else Regime.PLAN_APPROVAL
        if self.plan_kind not in (LAND_USE_PLAN, DEVELOPMENT_PLAN):
            return Regime.FREE
        return Regime.URBAN_PLAN_EARLY if self.kind == EARLY else Regime.URBAN_PLAN

    @property
    def is_simplified(self) -> bool:
        """No environmental assessment, report or types of information (BauGB §13(3) S.1, §13a(2) no. 1)."""
        return self.variant in (SIMPLIFIED, ACCELERATED)

    @property
    def is_small(self) -> bool:
        """Only the affected public is heard, instead of a publication (BauGB §13(2) S.1 no. 2 first alternative)."""
        return self.only_affected and self.is_simplified and self.kind == PUBLICATION

    @property
    def needs_environment(self) -> bool:
        return self.regime is Regime.URBAN_PLAN and not self.is_simplified

    @property
    def plan_words(self) -> str:
        """What is planned, as an announcement names it in the genitive."""
        if self.plan_kind == LAND_USE_PLAN:
            return "des Flächennutzungsplans"
        if self.plan_kind == PLAN_APPROVAL:
            return "des Plans"
        return (
            "des vorhabenbezogenen Bebauungsplans" if self.variant == PROJECT_BASED else "des Bebauungsplans"
        )


@dataclass(frozen=True)
class Theme:
    """A type of environmental information: its theme, key words, and the documents (by id) it is found in."""

    theme: str
    keywords: str
    documents: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Option:
    """Another easy way to the documents (BauGB §3(2) S.2). `closed`: first and last day on which it is shut."""

    place: str
    address: str = ""
    hours: str = ""
    step_free: str = ""
    note: str = ""
    closed: tuple[date, date] | None = None

    @property
    def words(self) -> str:
        parts = (self.place, self.address.replace("\n", ", "), self.hours, self.step_free, self.note)
        return ", ".join(part.strip() for part in parts if part.strip())


@dataclass(frozen=True)
class Particulars:
    """Everything that an announcement speaks of, in the municipality's first language. `address`: of the documents."""

    case: Case
    authority: str
    title: str
    key: str
    area: str
    address: str
    starts_on: date | None
    ends_on: date | None
    #: Until when statements are in time, where that is later than the announced end.
    effective_end: date | None = None
    portal: str = ""
    themes: tuple[Theme, ...] = ()
    options: tuple[Option, ...] = ()
    documents: tuple[str, ...] = ()
    contact: str = ""
    postal: str = ""
    #: What the planner writes freely: key of the part → text.
    free: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A paragraph of an announcement. `law` empty: no law asks for it. `is_free`: the planner may write it."""

    key: str
    text: str
    law: str = ""
    heading: str = ""
    #: The wording is the law's and cannot be edited.
    is_statutory: bool = False
    is_free: bool = False
    #: What is missing in it, in words; empty when it is complete.
    missing: str = ""


@dataclass(frozen=True)
class Element:
    """Something the law asks an announcement to say.

    `letter`: its letter in the checklist; `code`: what a finding is called when it is missing. `wording` is the
    sentence that must stand there word for word; where it is empty, `needles` (of the text) are what must be found.
    """

    letter: str
    code: str
    source: str
    severity: Severity
    name: Both
    applies: Callable[[Case], bool]
    wording: str = ""
    needles: Callable[[Particulars, str], tuple[str, ...]] | None = None


def _always(case: Case) -> bool:
    return True


def _urban(case: Case) -> bool:
    return case.regime is Regime.URBAN_PLAN


def _urban_with_environment(case: Case) -> bool:
    return case.needs_environment


def _new_approval(case: Case) -> bool:
    return case.regime is Regime.PLAN_APPROVAL


def _old_approval(case: Case) -> bool:
    return case.regime is Regime.PLAN_APPROVAL_OLD


def _statutory(case: Case) -> bool:
    return case.regime not in (Regime.FREE, Regime.URBAN_PLAN_EARLY)


def _address(known: Particulars, text: str) -> tuple[str, ...]:
    return (known.address or _NOWHERE,)


def _themes(known: Particulars, text: str) -> tuple[str, ...]:
    return tuple(theme.keywords for theme in known.themes if theme.keywords.strip()) or (_NOWHERE,)


def _places(known: Particulars, text: str) -> tuple[str, ...]:
    """One place is enough: more may be added later, none may go (`checks`)."""
    named = [option.place for option in known.options if option.place and folded(option.place) in text]
    return (HINT_ACCESS, *(named[:1] or (_NOWHERE,)))


def _area(known: Particulars, text: str) -> tuple[str, ...]:
    return (known.area or _NOWHERE,)


def _days(known: Particulars, text: str) -> tuple[str, ...]:
    return tuple(spoken(day, "de") if day else _NOWHERE for day in (known.starts_on, known.ends_on))


HINT_DURING = "Stellungnahmen können während der Dauer der Veröffentlichungsfrist abgegeben werden."
HINT_ELECTRONIC = (
    "Stellungnahmen sollen elektronisch übermittelt werden, können bei Bedarf aber auch auf anderem Weg abgegeben "
    "werden."
)
HINT_LATE = (
    "Nicht fristgerecht abgegebene Stellungnahmen können bei der Beschlussfassung über den Bauleitplan "
    "unberücksichtigt bleiben."
)
HINT_ACCESS = "Neben der Veröffentlichung im Internet bestehen folgende andere leicht zu erreichende Zugangsmöglichkeiten:"
HINT_ASSOCIATIONS = (
    "Eine Vereinigung im Sinne des § 4 Absatz 3 Satz 1 Nummer 2 des Umwelt-Rechtsbehelfsgesetzes ist in einem "
    "Rechtsbehelfsverfahren nach § 7 Absatz 2 des Umwelt-Rechtsbehelfsgesetzes gemäß § 7 Absatz 3 Satz 1 des "
    "Umwelt-Rechtsbehelfsgesetzes mit allen Einwendungen ausgeschlossen, die sie im Rahmen der Veröffentlichungsfrist "
    "nicht oder nicht rechtzeitig geltend gemacht hat, aber hätte geltend machen können."
)
HINT_NO_ASSESSMENT = "Von einer Umweltprüfung nach § 2 Absatz 4 BauGB wird abgesehen."
HINT_ACCELERATED = (
    "Der Bebauungsplan soll im beschleunigten Verfahren ohne Durchführung einer Umweltprüfung nach § 2 Absatz 4 BauGB "
    "aufgestellt werden."
)
HINT_INFORMED = (
    "Die Öffentlichkeit kann sich unter der genannten Internetadresse und an den genannten Orten über die allgemeinen "
    "Ziele und Zwecke sowie die wesentlichen Auswirkungen der Planung unterrichten und sich innerhalb der genannten "
    "Frist zur Planung äußern."
)
#: BauGB §4a(3) S.2: what is asked anew is asked about the change and its possible effects, by law.
HINT_LIMITED = (
    "Gelegenheit zur Stellungnahme wird in Bezug auf die Änderung oder Ergänzung und ihre möglichen Auswirkungen "
    "gegeben."
)
#: BauGB §13(2) S.1 no. 2 and §4a(3) S.4: no form is prescribed for saying so; the words are the law's.
HINT_AFFECTED = "Gelegenheit zur Stellungnahme erhält die betroffene Öffentlichkeit."
HINT_INTERNET = "Der Inhalt dieser Bekanntmachung ist zusätzlich in das Internet eingestellt:"
#: BauGB §4a(4) S.3 with S.2.
HINT_BORDER = "Eine grenzüberschreitende Beteiligung nach § 4a Absatz 4 Satz 2 BauGB ist erforderlich."

# The eight hints of VwVfG §73(3) S.2 nos. 1 to 8 in the version of 29 July 2026, in the law's order and words; only the
# conjunction became a sentence. Where and how long the plan is displayed is no hint but VwVfG §27b(2): elements a and b.
_EIGHT: tuple[tuple[str, str, Both], ...] = (
    ("electronic", "Etwaige Einwendungen von Betroffenen sind bei der Planfeststellungsbehörde innerhalb der Einwendungsfrist "
     "elektronisch zu erheben.",
     Both("Einwendungen elektronisch, wo und bis wann", "Objections electronically, where and until when")),
    ("associations", "Stellungnahmen von Vereinigungen nach § 73 Absatz 2 Satz 1 Nummer 2 des Verwaltungsverfahrensgesetzes "
     "sind bei der Planfeststellungsbehörde innerhalb der Einwendungsfrist elektronisch abzugeben.",
     Both("Stellungnahmen von Vereinigungen elektronisch", "Statements of associations electronically")),
    ("other_way", "Im Falle der Unzumutbarkeit einer elektronischen Erhebung oder Abgabe im Einzelfall wird auf Verlangen "
     "eine andere Weise zur Verfügung gestellt.",
     Both("Anderer Weg, wenn elektronisch unzumutbar ist", "Another way where electronic is unreasonable")),
    ("exclusion", "Mit Ablauf der Einwendungsfrist sind alle Einwendungen ausgeschlossen, die nicht auf besonderen "
     "privatrechtlichen Titeln beruhen.",
     Both("Ausschluss verspäteter Einwendungen", "Exclusion of late objections")),
    ("absence", "Bei Ausbleiben eines Beteiligten in einem Erörterungstermin kann auch ohne ihn verhandelt werden.",
     Both("Erörterung auch ohne Beteiligte", "Discussion also without a participant")),
    ("notice_of_meeting", "Die Personen, die Einwendungen erhoben haben, oder die Vereinigungen, die Stellungnahmen abgegeben "
     "haben, können von dem Erörterungstermin durch Information auf der Internetseite der Planfeststellungsbehörde "
     "benachrichtigt werden.",
     Both("Benachrichtigung vom Termin auf der Internetseite", "Notice of the meeting on the website")),
    ("service", "Die Zustellung der Entscheidung über die Einwendungen und Stellungnahmen kann auch durch die "
     "Veröffentlichung auf der Internetseite der Planfeststellungsbehörde oder ihres Verwaltungsträgers erfolgen.",
     Both("Zustellung der Entscheidung auf der Internetseite", "Service of the decision on the website")),
    ("other_access", "Während der Dauer der Anhörung wird einem Betroffenen auf dessen Verlangen eine leicht zu erreichende "
     "Zugangsmöglichkeit von der Planfeststellungsbehörde zur Verfügung gestellt.",
     Both("Andere Zugangsmöglichkeit auf Verlangen", "Other access on request")),
)  # fmt: skip

# VwVfG §73(5) S.2 nos. 1 to 4 and (4) S.3, S.4, S.6 as they stood until 28 July 2026, in the law's words. Authorities of a
# state follow the same text of its own act (Art. 73 BayVwVfG), which could not be read: finding wording_unverified.
_FIVE: tuple[tuple[str, str, Both], ...] = (
    ("period", "Der Plan ist in dem genannten Zeitraum unter der genannten Internetadresse und an den genannten Stellen zur "
     "Einsicht ausgelegt.",
     Both("Wo und wie lange der Plan ausliegt", "Where and how long the plan is displayed")),
    ("where", "Etwaige Einwendungen oder Stellungnahmen von Vereinigungen nach § 73 Absatz 4 Satz 5 des "
     "Verwaltungsverfahrensgesetzes sind bei den in dieser Bekanntmachung bezeichneten Stellen innerhalb der "
     "Einwendungsfrist vorzubringen.",
     Both("Wo Einwendungen vorzubringen sind", "Where objections are to be raised")),
    ("absence", "Bei Ausbleiben eines Beteiligten in dem Erörterungstermin kann auch ohne ihn verhandelt werden.",
     Both("Erörterung auch ohne Beteiligte", "Discussion also without a participant")),
    ("notice_of_meeting", "Wenn mehr als 50 Benachrichtigungen oder Zustellungen vorzunehmen sind, können die Personen, die "
     "Einwendungen erhoben haben, oder die Vereinigungen, die Stellungnahmen abgegeben haben, von dem Erörterungstermin "
     "durch öffentliche Bekanntmachung benachrichtigt werden und kann die Zustellung der Entscheidung über die "
     "Einwendungen durch öffentliche Bekanntmachung ersetzt werden.",
     Both("Benachrichtigung und Zustellung durch Bekanntmachung", "Notice and service by announcement")),
    ("exclusion", "Mit Ablauf der Einwendungsfrist sind alle Einwendungen ausgeschlossen, die nicht auf besonderen "
     "privatrechtlichen Titeln beruhen; für Stellungnahmen von Vereinigungen gilt dies entsprechend.",
     Both("Ausschluss verspäteter Einwendungen", "Exclusion of late objections")),
)  # fmt: skip


def _hints(
    rows: tuple[tuple[str, str, Both], ...], prefix: str, source: str, applies: Callable[[Case], bool], first: int = 1
) -> tuple[Element, ...]:  # fmt: skip
    return tuple(
        Element(f"{prefix}{number}", f"hint_{key}_missing", source.format(number=number), Severity.BLOCK, name,
                applies, wording)
        for number, (key, wording, name) in enumerate(rows, first)
    )  # fmt: skip


ELEMENTS: tuple[Element, ...] = (
    Element("a", "address_missing", "BauGB §3(2) S.4; VwVfG §27b", Severity.BLOCK,
            Both("Internetadresse der Unterlagen", "Internet address of the documents"), _always,
            needles=_address),
    Element("b", "period_missing", "BauGB §3(2) S.4; VwVfG §27b", Severity.BLOCK,
            Both("Dauer der Frist: erster und letzter Tag", "Length of the period: first and last day"), _always,
            needles=_days),
    Element("c", "environment_types_missing", "BauGB §3(2) S.4; BVerwG 18.7.2013 – 4 CN 3.12", Severity.BLOCK,
            Both("Arten umweltbezogener Informationen, nach Themen mit Schlagworten",
                 "Types of environmental information, by themes with key words"), _urban_with_environment,
            needles=_themes),
    Element("d", "hint_during_missing", "BauGB §3(2) S.4 no. 1", Severity.BLOCK,
            Both("Hinweis: Stellungnahmen während der Frist", "Hint: statements during the period"), _urban,
            HINT_DURING),
    Element("e", "hint_electronic_missing", "BauGB §3(2) S.4 no. 2", Severity.BLOCK,
            Both("Hinweis: elektronisch, bei Bedarf auf anderem Weg", "Hint: electronically, other ways if needed"),
            _urban, HINT_ELECTRONIC),
    Element("f", "hint_late_missing", "BauGB §3(2) S.4 no. 3, §4a(5) S.2", Severity.BLOCK,
            Both("Hinweis: verspätete Stellungnahmen", "Hint: late statements"), _urban, HINT_LATE),
    Element("g", "hint_access_missing", "BauGB §3(2) S.4 no. 4", Severity.BLOCK,
            Both("Hinweis: andere leicht zu erreichende Zugangsmöglichkeiten", "Hint: other easy access options"), _urban,
            needles=_places),
    Element("h", "umwrg_hint_missing", "BauGB §3(3); UmwRG §7(3) S.1", Severity.BLOCK,
            Both("Hinweis für Vereinigungen nach dem UmwRG", "Hint for associations under the UmwRG"),
            lambda case: _urban(case) and case.plan_kind == LAND_USE_PLAN, HINT_ASSOCIATIONS),
    Element("i", "no_assessment_hint_missing", "BauGB §13(3) S.2; §214(1) S.1 no. 2 f", Severity.WARN,
            Both("Hinweis: keine Umweltprüfung", "Hint: no environmental assessment"),
            lambda case: _urban(case) and case.variant == SIMPLIFIED, HINT_NO_ASSESSMENT),
    Element("i", "accelerated_hint_missing", "BauGB §13a(3) S.1 no. 1; §214(2a) no. 2", Severity.WARN,
            Both("Hinweis: beschleunigtes Verfahren ohne Umweltprüfung",
                 "Hint: accelerated, without environmental assessment"),
            lambda case: _urban(case) and case.variant == ACCELERATED, HINT_ACCELERATED),
    Element("i", "informed_hint_missing", "BauGB §13a(3) S.1 no. 2; §214(2a) no. 2", Severity.WARN,
            Both("Hinweis: wo man sich unterrichten und äußern kann", "Hint: where to get informed and comment"),
            lambda case: _urban(case) and case.variant == ACCELERATED and not case.has_early, HINT_INFORMED),
    Element("j", "limited_hint_missing", "BauGB §4a(3) S.2", Severity.BLOCK,
            Both("Beschränkung auf die Änderungen und ihre Auswirkungen",
                 "Restriction to the changes and their effects"),
            lambda case: _urban(case) and case.kind == REPEATED and bool(case.limited_to), HINT_LIMITED),
    Element("k", "border_hint_missing", "BauGB §4a(4)", Severity.BLOCK,
            Both("Grenzüberschreitende Beteiligung", "Cross-border participation"),
            lambda case: _urban(case) and case.crosses_border, HINT_BORDER),
    Element("n", "area_missing", "BauGB §3(2) S.4 (Anstoßwirkung)", Severity.WARN,
            Both("Gebiet mit gebräuchlichen Namen", "The area by its common names"), _always,
            needles=_area),
    *_hints(_EIGHT, "p", "VwVfG §73(3) S.2 no. {number} (2026-07-29)", _new_approval),
    *_hints(_FIVE[:4], "q", "VwVfG §73(5) S.2 no. {number} (until 2026-07-28); Art. 73 BayVwVfG", _old_approval),
    *_hints(_FIVE[4:], "q", "VwVfG §73(4) S.4, S.6 (until 2026-07-28); Art. 73 BayVwVfG", _old_approval, first=5),
)  # fmt: skip
"""l (internet additionally) and m (state portal) are acts, not words: see `checks`."""


@dataclass(frozen=True)
class Forbidden:
    """Words that narrow what the law leaves open."""

    code: str
    pattern: re.Pattern[str]
    source: str
    applies: Callable[[Case], bool]
    severity: Severity
    why: Both


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!nicht )\b(?:{pattern})", re.IGNORECASE)


def _open_to_all(case: Case) -> bool:
    return case.regime in (Regime.URBAN_PLAN, Regime.URBAN_PLAN_EARLY)


FORBIDDEN: tuple[Forbidden, ...] = (
    Forbidden("only_in_writing", _words(r"(?:nur|ausschließlich|allein)\s+(?:in\s+)?(?:schriftlich|Schriftform|per\s+Post)\w*"),
              "BauGB §3(2) S.4 no. 2", _open_to_all, Severity.BLOCK,
              Both("Niemand muss schriftlich Stellung nehmen: Jede Form genügt.", "Nobody needs to write: any form will do.")),
    Forbidden("in_writing_or_on_record", _words(r"schriftlich\s+oder\s+(?:mündlich\s+)?zur\s+Niederschrift"),
              "BauGB §3(2) S.4 no. 2; BVerwG 7.6.2021 – 4 BN 50.20", _open_to_all, Severity.BLOCK,
              Both("Diese Formel lässt andere Wege aus und wurde bis zum Bundesverwaltungsgericht angegriffen.",
                   "This formula leaves out other ways and was attacked up to the highest court.")),
    Forbidden("full_address", _words(r"(?:mit|unter)\s+(?:der\s+)?(?:Angabe\s+(?:von|der|des|ihrer|Ihrer)?\s*)?(?:der\s+|ihrer\s+|Ihrer\s+)?"
              r"(?:vollständige[nr]?|voller)\s+(?:Namen?\s+und\s+)?(?:Adresse|Anschrift)"),
              "BauGB §3(2) S.4", _open_to_all, Severity.BLOCK,
              Both("Eine Stellungnahme braucht weder Namen noch Anschrift.", "A statement needs neither name nor address.")),
    Forbidden("only_online", _words(r"(?:nur|ausschließlich|allein)\s+(?:online|elektronisch|digital|im\s+Internet|über\s+das\s+Internet|per\s+E-?Mail)\w*"),
              "BauGB §3(2) S.4 no. 2; BayDiG Art. 12", _open_to_all, Severity.BLOCK,
              Both("Bei Bedarf muss jeder andere Weg offen bleiben.", "Where needed, every other way must stay open.")),
    Forbidden("only_online", _words(r"(?:nur|ausschließlich|allein)\s+(?:online|elektronisch|digital|im\s+Internet|per\s+E-?Mail)\w*"),
              "VwVfG §73(2) S.2; BayDiG Art. 12", lambda case: case.plan_kind == PLAN_APPROVAL, Severity.BLOCK,
              Both("Wem der elektronische Weg nicht zuzumuten ist, dem steht ein anderer offen.",
                   "Whoever cannot reasonably go the electronic way may take another.")),
    Forbidden("affected_only", _words(r"(?:nur\s+|ausschließlich\s+)?(?:durch|von|für)\s+(?:den\s+|die\s+)?Betroffene[nr]?\b"),
              "BauGB §3(2) S.1", lambda case: _open_to_all(case) and not (case.limited_to or case.only_affected), Severity.BLOCK,
              Both("Stellung nehmen darf jeder, nicht nur Betroffene.", "Everybody may speak, not only those affected.")),
    Forbidden("late_never_counts", _words(r"(?:verspätete?|nicht\s+fristgerecht\w*)(?:\s+\w+){0,4}\s+(?:werden\s+nicht\s+berücksichtigt|"
              r"bleiben\s+unberücksichtigt|sind\s+ausgeschlossen|werden\s+zurückgewiesen)"),
              "BauGB §3(2) S.4 no. 3, §4a(5)", _open_to_all, Severity.BLOCK,
              Both("Verspätetes kann unberücksichtigt bleiben; entschieden wird im Einzelfall.",
                   "What is late may be left out; that is decided case by case.")),
    Forbidden("consent_needed", _words(r"(?:mit\s+der\s+Abgabe|durch\s+die\s+Abgabe)(?:\s+\w+){0,6}\s+(?:willigen|stimmen)\s+Sie"),
              "GDPR Art. 6(1)(e)", _open_to_all, Severity.WARN,
              Both("Rechtsgrundlage ist das Gesetz, nicht die Einwilligung.", "The legal basis is the law, not consent.")),
)  # fmt: skip


@dataclass(frozen=True)
class Rewording:
    """A forbidden wording that was found: its rule and the words."""

    rule: Forbidden
    words: str


def folded(text: str) -> str:
    """A text with single spaces, for looking words up in it."""
    return " ".join(text.split())


def lacks(text: str, known: Particulars) -> tuple[Element, ...]:
    """The elements that the law asks for in this case and that a text does not contain, in the order of the list."""
    said = folded(text)

    def is_there(element: Element) -> bool:
        wanted = (
            (element.wording,) if element.wording else element.needles(known, said) if element.needles else ()
        )
        return all(folded(words) in said for words in wanted)

    return tuple(element for element in ELEMENTS if element.applies(known.case) and not is_there(element))


def rewordings(text: str, case: Case) -> tuple[Rewording, ...]:
    """Forbidden wordings in a text, each once, outside the statutory sentences."""
    said = folded(text)
    for element in ELEMENTS:
        if element.wording:
            said = said.replace(folded(element.wording), " ")
    found = [
        Rewording(rule, match.group().strip())
        for rule in FORBIDDEN
        if rule.applies(case)
        for match in rule.pattern.finditer(said)
    ]
    return tuple(dict.fromkeys(found))


# --- composing ---------------------------------------------------------------------------------------------------


def compose(known: Particulars) -> tuple[Part, ...]:
    """The announcement part by part; what is missing is marked in the text and named in the part."""
    return tuple(part for part in _parts(known) if part.text or part.is_free)


def plain(parts: tuple[Part, ...]) -> str:
    """The whole text for the official gazette: headings and paragraphs, an empty line between them."""
    blocks = []
    for part in parts:
        if part.text:
            blocks.append(f"{part.heading}\n{part.text}" if part.heading else part.text)
    return "\n\n".join(blocks) + "\n"


def heading_of(known: Particulars) -> str:
    """What the announcement is called."""
    case = known.case
    name = f"{_named(case)} {known.key} „{known.title}“".replace("  ", " ")
    return {
        EARLY: f"Frühzeitige Beteiligung der Öffentlichkeit zum {name}",
        REPEATED: f"Erneute Veröffentlichung des geänderten Entwurfs zum {name}",
        DISPLAY: f"Auslegung des Plans „{known.title}“ ({known.key})",
    }.get(case.kind, f"Veröffentlichung des Entwurfs zum {name}")


def _named(case: Case) -> str:
    return {
        "des Flächennutzungsplans": "Flächennutzungsplan",
        "des vorhabenbezogenen Bebauungsplans": "vorhabenbezogenen Bebauungsplan",
        "des Bebauungsplans": "Bebauungsplan",
    }.get(case.plan_words, "Plan")


def _legal_basis(case: Case) -> str:
    if case.regime is Regime.URBAN_PLAN_EARLY:
        return "§ 3 Absatz 1 des Baugesetzbuchs (BauGB)"
    if case.regime is Regime.URBAN_PLAN:
        base = "§ 3 Absatz 2 des Baugesetzbuchs (BauGB)"
        if case.kind == REPEATED:
            base = "§ 4a Absatz 3 in Verbindung mit § 3 Absatz 2 des Baugesetzbuchs (BauGB)"
        elif case.is_small:
            base = "§ 13 Absatz 2 Satz 1 Nummer 2 des Baugesetzbuchs (BauGB)"
        return base
    if case.regime is Regime.PLAN_APPROVAL:
        return "§ 73 des Verwaltungsverfahrensgesetzes (VwVfG)"
    if case.regime is Regime.PLAN_APPROVAL_OLD:
        return "§ 73 des Verwaltungsverfahrensgesetzes in der bis 28. Juli 2026 geltenden Fassung (Art. 73 BayVwVfG)"
    return ""


def _mark(what: str) -> str:
    return MISSING_MARK.format(what=what)


def _day_words(day: date | None, what: str) -> str:
    return spoken(day, "de") if day else _mark(what)


def _parts(known: Particulars) -> Iterator[Part]:
    case = known.case
    basis = _legal_basis(case)
    yield Part("heading", heading_of(known) + (f"\nnach {basis}" if basis else ""), heading="Bekanntmachung")
    yield Part("intro", known.free.get("intro", ""), is_free=True)
    yield Part(
        "area",
        known.area if known.area else _mark("Lage und Grenzen des Gebiets in Worten"),
        "BauGB §3(2) S.4 (Anstoßwirkung)" if _open_to_all(case) else "VwVfG §73",
        "Gebiet",
        missing="" if known.area else "Lage und Grenzen des Gebiets in Worten",
    )
    yield _period(known)
    if known.documents:
        yield Part(
            "documents",
            "\n".join(f"– {title}" for title in known.documents),
            "BauGB §3(2) S.1" if _open_to_all(case) else "VwVfG §73(1)",
            "Veröffentlichte Unterlagen",
        )
    if case.needs_environment:
        yield _environment(known)
    yield from _variant(known)
    if case.kind == REPEATED and case.limited_to:
        yield Part(
            "limited",
            f"Geändert oder ergänzt wurden: {case.limited_to}\n{HINT_LIMITED}",
            "BauGB §4a(3) S.2",
            "Nur zu den Änderungen",
            is_statutory=True,
        )
    if case.only_affected and case.regime is Regime.URBAN_PLAN:
        law = "BauGB §13(2) S.1 no. 2" if case.is_small else "BauGB §4a(3) S.4"
        yield Part("affected", HINT_AFFECTED, law, is_statutory=True)
    if case.crosses_border:
        yield Part("border", HINT_BORDER, "BauGB §4a(4)", is_statutory=True)
    yield from _statutory_hints(known)
    yield Part("ways", _ways(known), "BayDiG Art. 12", "So erreichen Sie uns")
    yield Part("more", known.free.get("more", ""), is_free=True)
    yield _online(known)
    yield Part("privacy", _privacy(case), "GDPR Art. 13", "Datenschutz")
    yield Part("signed", known.authority)


def _period(known: Particulars) -> Part:
    case = known.case
    from_day, to_day = _day_words(known.starts_on, "erster Tag"), _day_words(known.ends_on, "letzter Tag")
    address = known.address or _mark("Internetadresse")
    what = {
        Regime.URBAN_PLAN: f"Der Entwurf {case.plan_words} wird mit der Begründung"
        + (
            ""
            if case.is_simplified
            else ", dem Umweltbericht und den wesentlichen, bereits vorliegenden umweltbezogenen Stellungnahmen"
        )
        + " im Internet veröffentlicht",
        Regime.URBAN_PLAN_EARLY: "Über die allgemeinen Ziele und Zwecke der Planung, über Lösungen, die in Betracht "
        "kommen, und über die voraussichtlichen Auswirkungen wird im Internet unterrichtet",
        Regime.PLAN_APPROVAL: "Der Plan wird durch Veröffentlichung im Internet ausgelegt",
        Regime.PLAN_APPROVAL_OLD: "Der Plan wird zur allgemeinen Einsicht ausgelegt und ist im Internet zugänglich",
        Regime.FREE: "Sie können mitreden",
    }[case.regime]
    text = f"{what}\nvon {from_day}\nbis einschließlich {to_day}\nunter {address}"
    if known.effective_end and known.ends_on and known.effective_end > known.ends_on:
        text += f"\nStellungnahmen nehmen wir als fristgerecht an bis {spoken(known.effective_end, 'de')}, 24 Uhr."
    missing = [
        name
        for value, name in (
            (known.starts_on, "erster Tag"),
            (known.ends_on, "letzter Tag"),
            (known.address, "Internetadresse"),
        )
        if not value
    ]
    law = "BauGB §3(2) S.1, S.4" if _open_to_all(case) else "VwVfG §27b, §73"
    return Part("period", text, law, "Zeitraum und Internetadresse", missing=", ".join(missing))


def _environment(known: Particulars) -> Part:
    rows = [
        f"– {theme.theme}: {theme.keywords}"
        for theme in known.themes
        if theme.theme and theme.keywords.strip()
    ]
    what = "Arten umweltbezogener Informationen, nach Themen mit Schlagworten"
    text = "Folgende Arten umweltbezogener Informationen sind verfügbar:\n" + (
        "\n".join(rows) if rows else _mark(what)
    )
    return Part("environment", text, "BauGB §3(2) S.4", "Umweltinformationen", missing="" if rows else what)


def _variant(known: Particulars) -> Iterator[Part]:
    case = known.case
    if case.regime not in (Regime.URBAN_PLAN, Regime.URBAN_PLAN_EARLY):
        return
    if case.variant == SIMPLIFIED:
        yield Part(
            "simplified", HINT_NO_ASSESSMENT, "BauGB §13(3) S.2", "Vereinfachtes Verfahren", is_statutory=True
        )
    if case.variant == ACCELERATED:
        text, missing = HINT_ACCELERATED, ""
        if case.plot_area is not None and EXAMINATION_FROM <= case.plot_area < CLOSED_FROM:
            reasons = known.free.get("reasons", "").strip()
            missing = "" if reasons else "wesentliche Gründe der Vorprüfung des Einzelfalls"
            text += "\nWesentliche Gründe: " + (reasons or _mark(missing))
        if not case.has_early:
            text += "\n" + HINT_INFORMED
        yield Part(
            "accelerated", text, "BauGB §13a(3) S.1", "Beschleunigtes Verfahren", is_statutory=True, missing=missing
        )  # fmt: skip


def _statutory_hints(known: Particulars) -> Iterator[Part]:
    case = known.case
    if case.regime is Regime.URBAN_PLAN:
        options = [f"– {option.words}" for option in known.options if option.place.strip()]
        what = "andere leicht zu erreichende Zugangsmöglichkeit mit Ort und Öffnungszeiten"
        access = HINT_ACCESS + "\n" + ("\n".join(options) if options else _mark(what))
        hints = (
            ("hint_during", HINT_DURING, "BauGB §3(2) S.4 no. 1", ""),
            ("hint_electronic", HINT_ELECTRONIC, "BauGB §3(2) S.4 no. 2", ""),
            ("hint_late", HINT_LATE, "BauGB §3(2) S.4 no. 3", ""),
            ("hint_access", access, "BauGB §3(2) S.2, S.4 no. 4", "" if options else what),
        )
        for number, (key, text, law, missing) in enumerate(hints, 1):
            yield Part(
                key,
                text,
                law,
                "Es wird darauf hingewiesen:" if number == 1 else "",
                is_statutory=True,
                missing=missing,
            )
        if case.plan_kind == LAND_USE_PLAN:
            yield Part("hint_associations", HINT_ASSOCIATIONS, "BauGB §3(3)", is_statutory=True)
        return
    elements = [element for element in ELEMENTS if element.letter[0] in "pq" and element.applies(case)]
    for number, element in enumerate(elements):
        yield Part(
            element.code.removesuffix("_missing"), element.wording, element.source,
            "Es wird darauf hingewiesen:" if number == 0 else "", is_statutory=True,
        )  # fmt: skip
    if known.options:
        options = [f"– {option.words}" for option in known.options if option.place.strip()]
        yield Part("access", "\n".join(options), "VwVfG §73(1) S.2; BayDiG Art. 12", "Einsicht ohne Internet")


def _ways(known: Particulars) -> str:
    online = f"– online, ohne Anmeldung: {known.address}" if known.address else ""
    postal = f"– schriftlich an: {known.postal}" if known.postal else ""
    person = f"– persönlich, telefonisch oder per E-Mail: {known.contact}" if known.contact else ""
    return "\n".join(line for line in (online, postal, person) if line)


def _online(known: Particulars) -> Part:
    lines = [f"{HINT_INTERNET} {known.address or _mark('Internetadresse')}"]
    if known.portal:
        lines.append(
            "Die Unterlagen und der Inhalt der Bekanntmachung sind auch über das zentrale Internetportal des Landes "
            f"zugänglich: {known.portal}"
        )
    law = "BauGB §3(2) S.5" if _open_to_all(known.case) else "VwVfG §27a"
    return Part("online", "\n".join(lines), law, "Im Internet")


def _privacy(case: Case) -> str:
    basis = {
        Regime.URBAN_PLAN: " in Verbindung mit § 3 BauGB",
        Regime.URBAN_PLAN_EARLY: " in Verbindung mit § 3 BauGB",
        Regime.PLAN_APPROVAL: " in Verbindung mit § 73 VwVfG",
        Regime.PLAN_APPROVAL_OLD: " in Verbindung mit § 73 VwVfG",
    }.get(case.regime, "")
    text = f"Ihre Daten verarbeiten wir auf Grundlage von Artikel 6 Absatz 1 Buchstabe e DSGVO{basis}."
    if _open_to_all(case):
        text += " Name und Anschrift müssen Sie nicht angeben; ohne sie können wir Ihnen das Ergebnis nicht mitteilen."
    return text + " Mehr dazu steht in unserer Datenschutzerklärung."
