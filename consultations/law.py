"""The law as data: every statutory period, where it stands, since when, how it is counted.

Nothing here computes. When the law changes, a rule is closed (`in_force_until`) and its successor added beside it
under the same key with a new `law_version`; `docs/law.md` says how. Engineering knowledge, not legal advice:
readings that are contested are switches of `Policy`, each with the reading that is safe for the municipality as
its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

#: Stored with every computed deadline, so that a certificate says which table it was computed with.
ENGINE_VERSION = "2026-11-28"


@dataclass(frozen=True)
class Both:
    """One text in both languages of the engine."""

    de: str
    en: str

    def text(self, language: str) -> str:
        """The German text for "de", the English one for every other language."""
        return self.de if language == "de" else self.en


class Severity(StrEnum):
    """What a finding means for the plan."""

    BLOCK = "BLOCK"  # would make the plan or decision attackable
    WARN = "WARN"  # lawful but risky, needs a recorded reason
    INFO = "INFO"


class Counting(StrEnum):
    """How a period is counted."""

    START = "start"  # its first day counts: §187(2), §188(2) alternative 2 BGB
    EVENT = "event"  # the day of the event does not count: §187(1), §188(2) alternative 1 BGB
    AFTER_END = (
        "after_end"  # begins after a display has ended; at ends of months two readings, the later counts
    )
    FROM_START = "from_start"  # "from the display": does its first day count? two readings, see Policy
    BACKWARD = "backward"  # "at least … before": neither the day of the notice nor that of the event counts
    HOURS = "hours"  # runs through nights, weekends and holidays
    NONE = "none"  # no statutory period


class Shift(StrEnum):
    """What happens when a period ends on a Saturday, a Sunday or a holiday."""

    NEXT_WORKING_DAY = "next_working_day"  # §193 BGB, §31(3) VwVfG, §222 ZPO, Art. 3(4) Regulation 1182/71
    CONTESTED = "contested"  # a display (no shift) and a period for statements (shift) at once, see Policy
    NONE = "none"  # the authority provides something (§31(4) VwVfG), or the unshifted day is the safe one


@dataclass(frozen=True)
class Length:
    """A length of time; weeks are seven days, a year is twelve months."""

    months: int = 0
    days: int = 0
    hours: int = 0

    def words(self) -> Both:
        """This length in words, with an article-free noun: "1 Monat", "2 weeks"."""
        if self.months and self.months % 12 == 0:
            return _counted(self.months // 12, ("Jahr", "Jahre"), ("year", "years"))
        if self.months:
            return _counted(self.months, ("Monat", "Monate"), ("month", "months"))
        if self.hours:
            return _counted(self.hours, ("Stunde", "Stunden"), ("hour", "hours"))
        if self.days and self.days % 7 == 0:
            return _counted(self.days // 7, ("Woche", "Wochen"), ("week", "weeks"))
        return _counted(self.days, ("Tag", "Tage"), ("day", "days"))


COUNTED_BY: Mapping[Counting, str] = {
    Counting.START: "BGB §187(2), §188(2) alt.2, §188(3); GmS-OGB 6.7.1972 – GmS-OGB 2/71",
    Counting.EVENT: "BGB §187(1), §188(2) alt.1, §188(3)",
    Counting.AFTER_END: "BGB §187(1) or §187(2), §188(2), §188(3)",
    Counting.FROM_START: "BGB §187(1) or §187(2), §188(2)",
    Counting.BACKWARD: "BGB §187(1), §188(2)",
    Counting.HOURS: "Regulation 1182/71 Art. 3(1)",
    Counting.NONE: "",
}
SHIFTED_BY: Mapping[Shift, str] = {
    Shift.NEXT_WORKING_DAY: "BGB §193",
    Shift.CONTESTED: "BGB §193; VwVfG §31(4)",
    Shift.NONE: "",
}


def _counted(number: int, german: tuple[str, str], english: tuple[str, str]) -> Both:
    plural = number != 1
    return Both(f"{number} {german[plural]}", f"{number} {english[plural]}")


@dataclass(frozen=True)
class Rule:
    """One statutory period.

    `floor_days` is a second minimum in days beside the length; `at_most` an upper limit; `severity` what falling
    short of the length means; `verified` is False where the text was not read in the primary source.
    """

    key: str
    law_version: str
    source: str
    title: Both
    counting: Counting
    length: Length | None = None
    floor_days: int | None = None
    at_most: Length | None = None
    shift: Shift = Shift.NONE
    severity: Severity = Severity.BLOCK
    in_force_from: date | None = None
    in_force_until: date | None = None
    verified: bool = True
    #: Sources of the counting and of the shift, where they are not the usual ones of the BGB.
    counted_by: str = ""
    shifted_by: str = ""

    @property
    def counting_source(self) -> str:
        """Where it stands how this period is counted."""
        return self.counted_by or COUNTED_BY[self.counting]

    @property
    def shift_source(self) -> str:
        """Where it stands what happens at weekends and on holidays."""
        return self.shifted_by or SHIFTED_BY[self.shift] or self.source

    @property
    def basis(self) -> str:
        """Where the period stands and how it is counted, in one text."""
        return "; ".join(filter(None, (self.source, self.counting_source)))

    def in_force_on(self, day: date) -> bool:
        """Whether this version of the text was in force on that day."""
        return (self.in_force_from is None or self.in_force_from <= day) and (
            self.in_force_until is None or day <= self.in_force_until
        )


@dataclass(frozen=True)
class Policy:
    """The contested readings and the municipality's own promises.

    Every default is the reading that is safe for the municipality; its legal office decides (see docs/law.md).
    """

    #: A publication that ends on a non-working day takes statements until the next working day (§193 BGB).
    #: Otherwise it is only a display, which ends on its last day (§31(4) VwVfG).
    shift_publication_end: bool = True
    #: Documents that go online during a day: the period starts the day after.
    start_after_late_upload: bool = True
    #: "Six weeks from the display" (§73(2) VwVfG): recommend the reading in which the first day does not count.
    six_weeks_skip_first_day: bool = True
    #: A month "after the end of the display" at the end of a month: the later of both readings counts.
    later_reading_after_display: bool = True
    #: The copy on the internet must precede the start as well, not only the customary announcement.
    web_announcement_before_start: bool = True
    #: Post found at the first emptying of a day came in the day before, unless a compartment proves otherwise.
    first_emptying_is_previous_day: bool = True
    #: Until what hour of the day (local) an emptying is the first one.
    first_emptying_before_hour: int = 9
    #: A lead of less than these days before a publication is mentioned (good practice, no longer law).
    advised_lead_days: int = 7
    #: Below this an early participation or a renewed one is mentioned as short (no statutory minimum).
    advised_free_period_days: int = 14
    #: What is said about documents that could not be reached (OVG Niedersachsen, 1 KN 91/21: thresholds are ours).
    outage_log_only_hours: float = 4
    outage_extend_hours: float = 24
    outage_last_day_hours: float = 1


#: The last day on which a procedure may be started for which the old VwVfG may still be chosen (§102b VwVfG).
OLD_VWVFG_CHOICE_UNTIL = date(2027, 12, 31)
_INFZUG = date(2026, 7, 29)
_BEFORE_INFZUG = date(2026, 7, 28)

_MONTH = Length(months=1)
_TWO_WEEKS = Length(days=14)

RULES: tuple[Rule, ...] = (
    # --- BauGB -------------------------------------------------------------------------------------------------
    Rule(
        "baugb_early_public", "BauGB 2023-07-07", "BauGB §3(1)",
        Both("Frühzeitige Beteiligung der Öffentlichkeit", "Early participation of the public"),
        Counting.NONE, severity=Severity.INFO,
    ),
    Rule(
        "baugb_early_agencies", "BauGB 2023-07-07", "BauGB §4(1)",
        Both("Frühzeitige Beteiligung der Behörden", "Early participation of public agencies"),
        Counting.NONE, severity=Severity.INFO,
    ),
    Rule(
        "baugb_publication", "BauGB 2023-07-07", "BauGB §3(2) S.1",
        Both("Veröffentlichung des Planentwurfs", "Publication of the draft plan"),
        Counting.START, _MONTH, floor_days=30, shift=Shift.CONTESTED, in_force_from=date(2023, 7, 7),
    ),
    Rule(
        "baugb_publication", "BauGB 2017-05-13", "BauGB §3(2) S.1 (until 2023-07-06)",
        Both("Öffentliche Auslegung des Planentwurfs", "Public display of the draft plan"),
        Counting.START, _MONTH, floor_days=30, shift=Shift.CONTESTED,
        in_force_from=date(2017, 5, 13), in_force_until=date(2023, 7, 6), verified=False,
    ),
    Rule(
        "baugb_publication", "BBauG 1960", "BBauG 1960 §2(6) S.1; BauGB §3(2) S.1 (until 2017-05-12)",
        Both("Öffentliche Auslegung des Planentwurfs (altes Recht)", "Public display of the draft plan (old law)"),
        Counting.START, _MONTH, shift=Shift.NONE, in_force_until=date(2017, 5, 12),
    ),
    Rule(
        "baugb_announcement", "BauGB 2023-07-07", "BauGB §3(2) S.4, S.5",
        Both("Bekanntmachung vor dem Beginn", "Announcement before the start"),
        Counting.NONE, in_force_from=date(2023, 7, 7),
    ),
    Rule(
        "baugb_announcement", "BauGB 2004-07-20", "BauGB §3(2) S.2 (until 2023-07-06)",
        Both("Bekanntmachung eine Woche vor dem Beginn", "Announcement one week before the start"),
        Counting.BACKWARD, Length(days=7), in_force_until=date(2023, 7, 6), verified=False,
    ),
    Rule(
        "baugb_agencies", "BauGB 2023-07-07", "BauGB §4(2) S.3",
        Both("Stellungnahmen der Behörden", "Statements of public agencies"),
        Counting.EVENT, _MONTH, floor_days=30, shift=Shift.NEXT_WORKING_DAY,
    ),
    Rule(
        "baugb_renewed", "BauGB 2023-07-07", "BauGB §4a(3)",
        Both("Erneute Beteiligung: angemessen verkürzbar", "Renewed participation: may be shortened appropriately"),
        Counting.NONE, severity=Severity.WARN,
    ),
    Rule(
        "baugb_late", "BauGB 2023-07-07", "BauGB §4a(5)",
        Both("Verspätete Stellungnahmen", "Late statements"), Counting.NONE,
    ),
    Rule(
        "baugb_simplified", "BauGB 2023-07-07", "BauGB §13(2), §13(3), §13a(2) no.1",
        Both("Vereinfachtes oder beschleunigtes Verfahren", "Simplified or accelerated procedure"),
        Counting.NONE, severity=Severity.WARN,
    ),
    Rule(
        "baugb_approval", "BauGB 2023-07-07", "BauGB §6(4) S.1, S.4",
        Both("Genehmigung des Flächennutzungsplans", "Approval of the land-use plan"),
        Counting.EVENT, _MONTH, in_force_from=date(2023, 7, 7),
    ),
    Rule(
        "baugb_consent", "BauGB 2025-10-30", "BauGB §36a(1) S.4",
        Both("Zustimmung der Gemeinde (Bau-Turbo)", "Consent of the municipality (Bau-Turbo)"),
        Counting.EVENT, Length(months=3), in_force_from=date(2025, 10, 30),
    ),
    Rule(
        "baugb_consent_participation", "BauGB 2025-10-30", "BauGB §36a(2) S.1-2",
        Both("Beteiligung der Öffentlichkeit vor der Zustimmung", "Participation of the public before the consent"),
        Counting.NONE, at_most=_MONTH, in_force_from=date(2025, 10, 30),
        counted_by="BGB §190",
    ),
    Rule(
        "baugb_defects", "BauGB 2007-01-01", "BauGB §215(1)",
        Both("Rüge von Mängeln des Plans", "Complaint about defects of the plan"),
        Counting.EVENT, Length(months=12), shift=Shift.NEXT_WORKING_DAY,
    ),
    # --- VwVfG, old and new ------------------------------------------------------------------------------------
    Rule(
        "vwvfg_display", "VwVfG until 2026-07-28", "VwVfG §73(3) S.1 (old); Art. 73(3) BayVwVfG",
        Both("Auslegung des Plans", "Display of the plan"), Counting.START, _MONTH, in_force_until=_BEFORE_INFZUG,
        shifted_by="VwVfG §31(4)",
    ),
    Rule(
        "vwvfg_display", "VwVfG 2026-07-29", "VwVfG §73(1) S.1, §27b",
        Both("Auslegung des Plans im Internet", "Display of the plan on the internet"),
        Counting.START, _MONTH, in_force_from=_INFZUG,
        shifted_by="VwVfG §31(4)",
    ),
    Rule(
        "vwvfg_display_begins", "VwVfG 2026-07-29", "VwVfG §73(1) S.1",
        Both("Beginn der Auslegung nach Eingang des vollständigen Plans", "Begin of the display after the complete plan"),
        Counting.EVENT, Length(days=21), in_force_from=_INFZUG,
    ),
    Rule(
        "vwvfg_objections", "VwVfG until 2026-07-28", "VwVfG §73(4) (old); Art. 73(4) BayVwVfG",
        Both("Einwendungen bis zwei Wochen nach der Auslegung", "Objections until two weeks after the display"),
        Counting.AFTER_END, _TWO_WEEKS, shift=Shift.NEXT_WORKING_DAY, in_force_until=_BEFORE_INFZUG,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_objections", "VwVfG 2026-07-29", "VwVfG §73(2) S.1",
        Both("Einwendungen bis sechs Wochen ab der Auslegung", "Objections up to six weeks from the display"),
        Counting.FROM_START, Length(days=42), shift=Shift.NEXT_WORKING_DAY, in_force_from=_INFZUG,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_agencies", "VwVfG until 2026-07-28", "VwVfG §73(3a) S.1 (old); Art. 73(3a) BayVwVfG",
        Both("Stellungnahmen der Behörden, Frist gesetzt", "Statements of authorities, the period is set"),
        Counting.NONE, at_most=Length(months=3), shift=Shift.NEXT_WORKING_DAY, in_force_until=_BEFORE_INFZUG,
        counted_by="VwVfG §31(2)", shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_agencies", "VwVfG 2026-07-29", "VwVfG §73(2)",
        Both("Stellungnahmen der Behörden, Frist gesetzt", "Statements of authorities, the period is set"),
        Counting.NONE, at_most=Length(months=3), shift=Shift.NEXT_WORKING_DAY, severity=Severity.WARN,
        in_force_from=_INFZUG, verified=False, counted_by="VwVfG §31(2)", shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_late", "VwVfG until 2026-07-28", "VwVfG §73(4) S.3, S.4 (old); Art. 73(4) BayVwVfG; UVPG §21(4)",
        Both("Verspätete Einwendungen sind ausgeschlossen", "Late objections are excluded"),
        Counting.NONE, in_force_until=_BEFORE_INFZUG,
    ),
    Rule(
        "vwvfg_late", "VwVfG 2026-07-29", "VwVfG §73(2) S.4; UVPG §18(1) S.5, §21",
        Both("Verspätete Einwendungen sind ausgeschlossen", "Late objections are excluded"),
        Counting.NONE, in_force_from=_INFZUG,
    ),
    Rule(
        "vwvfg_change", "VwVfG until 2026-07-28", "VwVfG §73(8) (old)",
        Both("Änderung des Plans", "Change of the plan"),
        Counting.EVENT, _TWO_WEEKS, shift=Shift.NEXT_WORKING_DAY, in_force_until=_BEFORE_INFZUG,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_change", "VwVfG 2026-07-29", "VwVfG §73c(1)",
        Both("Änderung des Plans", "Change of the plan"),
        Counting.EVENT, _TWO_WEEKS, shift=Shift.NEXT_WORKING_DAY, in_force_from=_INFZUG,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_hearing_notice", "VwVfG until 2026-07-28", "VwVfG §73(6) S.2 (old)",
        Both("Bekanntmachung des Erörterungstermins", "Notice of the discussion meeting"),
        Counting.BACKWARD, Length(days=7), in_force_until=_BEFORE_INFZUG,
    ),
    Rule(
        "vwvfg_hearing_notice", "VwVfG 2026-07-29", "VwVfG §73b(2) S.1",
        Both("Bekanntmachung des Erörterungstermins", "Notice of the discussion meeting"),
        Counting.BACKWARD, Length(days=7), in_force_from=_INFZUG,
    ),
    Rule(
        "vwvfg_hearing_closes", "VwVfG 2026-07-29", "VwVfG §73b",
        Both("Abschluss der Erörterung", "Close of the discussion"),
        Counting.EVENT, Length(months=3), severity=Severity.WARN, in_force_from=_INFZUG,
    ),
    Rule(
        "vwvfg_online_consultation", "VwVfG 2026-07-29", "VwVfG §27c(2) S.2",
        Both("Online-Konsultation", "Online consultation"),
        Counting.START, Length(days=7), shift=Shift.NEXT_WORKING_DAY, severity=Severity.WARN,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "vwvfg_announcement", "VwVfG until 2026-07-28", "VwVfG §27a (old), §73(5) (old)",
        Both("Bekanntmachung", "Announcement"), Counting.NONE, in_force_until=_BEFORE_INFZUG,
    ),
    Rule(
        "vwvfg_announcement", "VwVfG 2026-07-29", "VwVfG §27a",
        Both("Bekanntmachung auf der Internetseite der Behörde", "Announcement on the authority's page"),
        Counting.NONE, in_force_from=_INFZUG,
    ),
    Rule(
        "vwvfg_choice", "VwVfG 2026-07-29", "VwVfG §102b, §1(3)",
        Both("Wahl zwischen altem und neuem Recht", "Choice between old and new law"), Counting.NONE,
    ),
    Rule(
        "vwvfg_decision", "VwVfG 2026-07-29", "VwVfG §74(4), (5)",
        Both("Auslegung des Beschlusses", "Display of the decision"),
        Counting.START, _TWO_WEEKS, in_force_from=_INFZUG,
        shifted_by="VwVfG §31(4)",
    ),
    # --- UVPG, ROG, BImSchG ------------------------------------------------------------------------------------
    Rule(
        "uvpg_objections", "UVPG until 2026-07-28", "UVPG §21(2) (old)",
        Both("Äußerungen bis einen Monat nach der Auslegung", "Statements until one month after the display"),
        Counting.AFTER_END, _MONTH, shift=Shift.NEXT_WORKING_DAY, in_force_until=_BEFORE_INFZUG,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "uvpg_sup_display", "UVPG 2026-07-29", "UVPG §42(2)",
        Both("Auslegung in der Strategischen Umweltprüfung", "Display in the strategic environmental assessment"),
        Counting.START, _MONTH,
        shifted_by="VwVfG §31(4)",
    ),
    Rule(
        "uvpg_sup_statements", "UVPG 2026-07-29", "UVPG §42(3)",
        Both("Äußerungen mindestens einen Monat nach der Auslegung", "Statements at least one month after the display"),
        Counting.AFTER_END, _MONTH, shift=Shift.NEXT_WORKING_DAY,
    ),
    Rule(
        "rog_publication", "ROG 2026-08-19", "ROG §9(2) S.2, S.4 (Bavaria deviates: BayLplG)",
        Both("Veröffentlichung eines Raumordnungsplans", "Publication of a regional plan"),
        Counting.START, _MONTH, at_most=Length(months=3), shift=Shift.CONTESTED,
    ),
    Rule(
        "rog_lead", "ROG 2026-08-19", "ROG §9(2)",
        Both("Bekanntmachung eine Woche vor der Veröffentlichung", "Announcement one week before the publication"),
        Counting.BACKWARD, Length(days=7),
    ),
    Rule(
        "bimschg_display", "BImSchG 2026-08-19", "BImSchG §10(3) S.2",
        Both("Auslegung im Genehmigungsverfahren", "Display in the licensing procedure"), Counting.START, _MONTH,
        shifted_by="VwVfG §31(4)",
    ),
    Rule(
        "bimschg_objections", "BImSchG 2026-08-19", "BImSchG §10(3) S.8",
        Both("Einwendungen bis zwei Wochen nach der Auslegung", "Objections until two weeks after the display"),
        Counting.AFTER_END, _TWO_WEEKS, shift=Shift.NEXT_WORKING_DAY,
        shifted_by="VwVfG §31(3)",
    ),
    Rule(
        "bimschg_objections_ied", "BImSchG 2026-08-19", "BImSchG §10(3) S.8",
        Both("Einwendungen bis einen Monat nach der Auslegung (IED)", "Objections until one month after the display (IED)"),
        Counting.AFTER_END, _MONTH, shift=Shift.NEXT_WORKING_DAY,
        shifted_by="VwVfG §31(3)",
    ),
    # --- courts, municipal instruments, rights of persons -------------------------------------------------------
    Rule(
        "vwgo_review", "VwGO 2007-01-01", "VwGO §47(2) S.1",
        Both("Normenkontrolle des Plans", "Judicial review of the plan"),
        Counting.EVENT, Length(months=12), shift=Shift.NEXT_WORKING_DAY,
        shifted_by="VwGO §57(2); ZPO §222(2)",
    ),
    Rule(
        "go_assembly_held", "GO 2026", "GO Art. 18",
        Both("Bürgerversammlung auf Antrag", "Citizens' assembly on request"),
        Counting.EVENT, Length(months=3), verified=False,
    ),
    Rule(
        "go_assembly", "GO 2026", "GO Art. 18(4) S.1, S.2",
        Both("Behandlung einer Empfehlung der Bürgerversammlung", "Treatment of a recommendation of the citizens' assembly"),
        Counting.EVENT, Length(months=3),
        counted_by="BGB §187(1), §188(2) alt.1, §188(3), §209",
    ),
    Rule(
        "go_petition_admission", "GO 2026", "GO Art. 18b",
        Both("Zulässigkeit eines Bürgerantrags", "Admissibility of a citizens' petition"),
        Counting.EVENT, _MONTH, verified=False,
    ),
    Rule(
        "go_petition", "GO 2026", "GO Art. 18b(5)",
        Both("Behandlung eines Bürgerantrags", "Treatment of a citizens' petition"),
        Counting.EVENT, Length(months=3), verified=False,
    ),
    Rule(
        "gdpr_request", "GDPR 2018-05-25", "GDPR Art. 12(3)",
        Both("Antwort auf ein Ersuchen zum Datenschutz", "Answer to a data protection request"),
        Counting.EVENT, _MONTH, at_most=Length(months=3), shift=Shift.NEXT_WORKING_DAY, verified=False,
        counted_by="Regulation 1182/71 Art. 3(1), (2)(c)", shifted_by="Regulation 1182/71 Art. 3(4)",
    ),
    Rule(
        "gdpr_breach", "GDPR 2018-05-25", "GDPR Art. 33(1)",
        Both("Meldung einer Datenpanne", "Notification of a data breach"),
        Counting.HOURS, Length(hours=72), verified=False,
    ),
    Rule(
        "accessibility_feedback", "BGG 2018-07-14", "BGG §12b(4) (federal bodies; a promise of the municipality)",
        Both("Antwort auf eine Rückmeldung zur Barrierefreiheit", "Answer to accessibility feedback"),
        Counting.EVENT, _MONTH, severity=Severity.WARN,
    ),
    Rule(
        "moderation_complaint", "DSA 2024-02-17", "DSA Art. 20(1)",
        Both("Beschwerde gegen eine Moderationsentscheidung", "Complaint against a moderation decision"),
        Counting.EVENT, Length(months=6), shift=Shift.NEXT_WORKING_DAY, verified=False,
        counted_by="Regulation 1182/71 Art. 3(1), (2)(c)", shifted_by="Regulation 1182/71 Art. 3(4)",
    ),
    Rule(
        "age", "BGB", "BGB §187(2) S.2, §188(2)", Both("Lebensalter", "Age"), Counting.NONE, severity=Severity.INFO,
    ),
    Rule(
        "receipt", "BGB", "BGB §188(1), (2); BauGB §3(2) S.4 no.1, §4a(5)",
        Both("Eingang innerhalb der Frist", "Receipt within the period"), Counting.NONE, severity=Severity.INFO,
    ),
    Rule(
        "availability", "case law", "OVG Niedersachsen 16.11.2023 – 1 KN 91/21 (thresholds: policy)",
        Both("Erreichbarkeit der Unterlagen", "Availability of the documents"), Counting.NONE,
    ),
)  # fmt: skip


def rule(key: str, on: date | None = None) -> Rule:
    """The version of a rule in force on a day; without a day the newest one.

    Raises KeyError for an unknown key and ValueError when no version was in force on that day.
    """
    versions = [candidate for candidate in RULES if candidate.key == key]
    if not versions:
        raise KeyError(key)
    if on is None:
        return next((one for one in versions if one.in_force_until is None), versions[-1])
    for candidate in versions:
        if candidate.in_force_on(on):
            return candidate
    raise ValueError(f"{key}: no version in force on {on.isoformat()}")


def rule_of_version(key: str, law_version: str) -> Rule:
    """The rule of one law version, for procedures that remember theirs. Raises KeyError when there is none."""
    for candidate in RULES:
        if candidate.key == key and candidate.law_version == law_version:
            return candidate
    raise KeyError(f"{key} ({law_version})")
