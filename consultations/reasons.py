"""The sentences of the deadline engine: why, in German and English.

One table for the steps of a computation and one for its findings, so that a lawyer can read and correct them in one
place. Placeholders are filled with days ("Dienstag, 2. März 2027"), moments, lengths and names in the language of
the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from consultations.deadlines import LEGAL_TIME
from consultations.law import Both, Length, Severity

Fact = date | datetime | Length | Both | str | int


@dataclass(frozen=True)
class Sentence:
    """One sentence by its code, with the facts it speaks of."""

    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """The sentence in German ("de") or English."""
        template = SENTENCES[self.code].text(language)
        return template.format(**{name: spoken(fact, language) for name, fact in self.facts.items()})


@dataclass(frozen=True)
class Verdict:
    """How grave a finding is, and its short English reason for machines."""

    severity: Severity
    reason: str
    #: Listed by its code among the `warnings` of an answer.
    listed: bool = False


def spoken(fact: Fact, language: str) -> str:
    """A fact as people say it: a day with its weekday, a moment in local time, a length in words."""
    if isinstance(fact, Length):
        fact = fact.words()
    if isinstance(fact, Both):
        return fact.text(language)
    if isinstance(fact, datetime):
        local = fact.astimezone(LEGAL_TIME)
        clock = f"{local:%H:%M:%S}" + (" Uhr" if language == "de" else "")
        return f"{spoken(local.date(), language)}, {clock}"
    if isinstance(fact, date):
        from babel.dates import format_date

        if language == "de":
            return format_date(fact, "EEEE, d. MMMM y", locale="de")
        return format_date(fact, "EEEE, d MMMM y", locale="en_GB")
    return str(fact)


SENTENCES: Mapping[str, Both] = {
    # --- steps -------------------------------------------------------------------------------------------------
    "online_late": Both(
        "Die Unterlagen waren erst am {online} vollständig im Netz. Als erster Tag gilt deshalb {start}.",
        "The documents were online only on {online}. So the first day is {start}.",
    ),
    "counted_from_start": Both(
        "Der erste Tag ist {start}. Er zählt mit. Dauer: {length}, bis zum Ablauf von {end}.",
        "The first day is {start}. It counts. Length: {length}, until the end of {end}.",
    ),
    "counted_from_event": Both(
        "Der Tag des Ereignisses ist {event}. Er zählt nicht mit. Dauer: {length}, bis zum Ablauf von {end}.",
        "The day of the event is {event}. It does not count. Length: {length}, until the end of {end}.",
    ),
    "floor": Both(
        "Es müssen aber mindestens {days} Tage sein. Sie enden mit dem Ablauf von {end}.",
        "But it must be at least {days} days. They end at the end of {end}.",
    ),
    "later_end": Both(
        "Das spätere Ende zählt: {end}. Früher darf die Frist nicht enden.",
        "The later end counts: {end}. The period must not end before.",
    ),
    "minimum": Both("Früher darf die Frist nicht enden: {end}.", "The period must not end before: {end}."),
    "working_day": Both("{end} ist ein Werktag. Es bleibt dabei.", "{end} is a working day. It stays."),
    "shifted": Both(
        "{day} ist {kind}. Die Frist endet am nächsten Werktag: {end}.",
        "{day} is {kind}. The period ends on the next working day: {end}.",
    ),
    "shifted_contested": Both(
        "{day} ist {kind}. Ob sich die Veröffentlichung dadurch verlängert, ist umstritten. "
        "Sicher ist der nächste Werktag: {end}.",
        "{day} is {kind}. Whether this prolongs the publication is contested. The next working day is safe: {end}.",
    ),
    "not_shifted": Both(
        "{day} ist {kind}. Diese Frist verlängert sich dadurch nicht.",
        "{day} is {kind}. This does not prolong the period.",
    ),
    "announced": Both("Bekannt gemacht ist das Ende {end}.", "The announced end is {end}."),
    "effective": Both(
        "Eingänge gelten als fristgerecht bis {end}, 24 Uhr.", "What arrives until {end}, 24:00, is in time."
    ),
    "no_statutory_period": Both(
        "Das Gesetz nennt keine Mindestdauer.", "The law names no minimum length."
    ),
    "days_open": Both("Von {start} bis {end} sind es {days} Tage.", "From {start} to {end} there are {days} days."),
    "backward": Both(
        "Zwischen der Bekanntmachung und {event} muss mindestens {length} liegen; beide Tage zählen nicht mit. "
        "Letzter Tag für die Bekanntmachung: {end}.",
        "There must be at least {length} between the announcement and {event}; neither day counts. "
        "Last day for the announcement: {end}.",
    ),
    "earliest": Both(
        "Bekanntmachung am {notice}. Dazwischen muss mindestens {length} liegen, beide Tage zählen nicht mit. "
        "Frühestens möglich: {end}.",
        "Announced on {notice}. At least {length} must lie between, neither day counts. Earliest possible day: {end}.",
    ),
    "display_end_used": Both("Gerechnet wird ab dem Ende der Auslegung: {end}.", "Counted from the end of the display: {end}."),
    "after_display": Both(
        "{length} nach dem Ende der Auslegung: mit dem Ablauf von {end}.",
        "{length} after the end of the display: at the end of {end}.",
    ),
    "two_readings_after": Both(
        "{length} nach der Auslegung lässt sich zweifach lesen: Beginnt die Frist mit dem Folgetag, endet sie {counted}; "
        "ist das Ende der Auslegung das Ereignis, endet sie {event_counted}. Gerechnet wird mit {end}.",
        "{length} after the display can be read in two ways: if the next day is the first, it ends on {counted}; "
        "if the end of the display is the event, it ends on {event_counted}. We take {end}.",
    ),
    "two_readings_from": Both(
        "{length} ab der Auslegung: Zählt der erste Tag mit, endet die Frist {counted}; sonst {event_counted}.",
        "{length} from the display: if the first day counts, the period ends on {counted}; otherwise on {event_counted}.",
    ),
    "at_most": Both(
        "Länger als {length} soll es nicht dauern, also bis {end}.",
        "It should not be longer than {length}, so until {end}.",
    ),
    "consent_extended": Both(
        "Die Beteiligung der Öffentlichkeit verlängert die Frist um {length}, gerechnet vom Ende der ersten Frist: {end}.",
        "The participation of the public extends the period by {length}, counted from the end of the first: {end}.",
    ),
    "deemed_granted": Both(
        "Ohne Entscheidung gilt sie nach Ablauf von {end} als erteilt. Handeln Sie spätestens am Werktag {act}.",
        "Without a decision it is deemed granted after {end}. Act on the working day {act} at the latest.",
    ),
    "extended": Both("Verlängert um {length}: {end}.", "Extended by {length}: {end}."),
    "rested": Both(
        "In der sitzungsfreien Zeit ruht die Frist. Sie endet deshalb mit dem Ablauf von {end}.",
        "The period rests during the recess. So it ends at the end of {end}.",
    ),
    "act_by": Both("Letzter Werktag zum Handeln: {end}.", "Last working day to act: {end}."),
    "court_seat": Both(
        "Es zählen die Feiertage am Sitz des Gerichts: {court}.", "The holidays at the seat of the court count: {court}."
    ),
    "hours": Both(
        "{length} nach {event}, auch über Wochenenden und Feiertage: {end}.",
        "{length} after {event}, through weekends and holidays: {end}.",
    ),
    "renewal_needed": Both(
        "Die Änderung kann Belange erstmals oder stärker berühren. Der Entwurf ist erneut zu veröffentlichen.",
        "The change may touch interests for the first time or more strongly. The draft must be published again.",
    ),
    "renewal_not_needed": Both(
        "Die Änderung berührt offensichtlich keine Belange erstmals oder stärker. Eine erneute Veröffentlichung ist "
        "nicht nötig. Halten Sie die Begründung fest.",
        "The change obviously touches no interest for the first time or more strongly. No renewed publication is "
        "needed. Record the reason.",
    ),
    "choice_free": Both(
        "Für Verfahren, die bis {end} beginnen, darf altes oder neues Recht gewählt werden. Halten Sie fest, wer wählt.",
        "For procedures started until {end} old or new law may be chosen. Record who chooses.",
    ),
    "choice_new": Both("Es gilt das neue Recht.", "The new law applies."),
    "choice_state": Both(
        "Für Behörden des Landes gilt das Verfahrensgesetz des Landes in der bisherigen Fassung.",
        "Authorities of the state follow the procedure act of the state in its present text.",
    ),
    "decisive_date": Both("Maßgeblich ist der {day}.", "The decisive day is {day}."),
    "service": Both(
        "Mit dem Ablauf von {end} gilt der Beschluss allen gegenüber als zugestellt.",
        "At the end of {end} the decision counts as served on everyone.",
    ),
    "received": Both("Eingegangen: {received}.", "Received: {received}."),
    "deemed_received": Both(
        "Gefunden bei der ersten Leerung. Es gilt als am Vortag eingegangen: {day}.",
        "Found at the first emptying. It counts as received the day before: {day}.",
    ),
    "dispatch_irrelevant": Both(
        "Wann der Brief abgeschickt oder geöffnet wurde, spielt keine Rolle. Es zählt der Eingang.",
        "When it was sent or opened does not matter. Receipt counts.",
    ),
    "in_time": Both("Die Frist lief bis {end}, 24 Uhr: fristgerecht.", "The period ran until {end}, 24:00: in time."),
    "late": Both(
        "Die Frist lief bis {end}, 24 Uhr: verspätet. Die Stellungnahme bleibt erhalten und wird einzeln geprüft.",
        "The period ran until {end}, 24:00: late. The statement is kept and decided on its own.",
    ),
    "early": Both(
        "Eingegangen vor dem ersten Tag ({start}). Der Inhalt ist bekannt und gilt als fristgerecht.",
        "Received before the first day ({start}). Its content is known and counts as in time.",
    ),
    "may_be_disregarded": Both(
        "Sie darf unberücksichtigt bleiben: Der Inhalt war nicht bekannt, musste nicht bekannt sein und ist für die "
        "Rechtmäßigkeit des Plans ohne Bedeutung.",
        "It may be disregarded: its content was not known, need not have been known and does not matter for the "
        "lawfulness of the plan.",
    ),
    "objection_excluded": Both(
        "Sie ist im Verwaltungsverfahren ausgeschlossen: Die Bekanntmachung hat darauf hingewiesen, und sie beruht nicht auf "
        "einem besonderen privatrechtlichen Titel.",
        "It is excluded from the administrative procedure: the announcement has pointed to that, and it does not rest on a "
        "special title under private law.",
    ),
    "must_be_considered": Both("Sie muss berücksichtigt werden.", "It must be considered."),
    "age": Both("Geboren am {born}; am {on} sind das {years} volle Jahre.", "Born on {born}; on {on} that is {years} full years."),
    "outage": Both(
        "In der Frist waren die Unterlagen {minutes} Minuten nicht erreichbar, davon {last_day} am letzten Tag.",
        "During the period the documents could not be reached for {minutes} minutes, {last_day} of them on the last day.",
    ),
    # --- findings ----------------------------------------------------------------------------------------------
    "announced_end_before_minimum": Both(
        "Das bekannt gemachte Ende {announced} liegt vor dem Mindestende {minimum}. Der Plan wäre angreifbar.",
        "The announced end {announced} is before the minimum end {minimum}. The plan would be attackable.",
    ),
    "announced_end_short": Both(
        "Das Ende {announced} liegt vor dem Ende, das das Gesetz als Regel nennt ({minimum}). Begründen Sie das.",
        "The end {announced} is before the one the law names as a rule ({minimum}). Give a reason.",
    ),
    "announced_end_on_non_working_day": Both(
        "Das bekannt gemachte Ende {announced} ist {kind}. Nehmen Sie Stellungnahmen bis {effective} als fristgerecht an.",
        "The announced end {announced} is {kind}. Take statements as in time until {effective}.",
    ),
    "announced_end_between_readings": Both(
        "Das Ende {announced} genügt nur, wenn der erste Tag mitzählt. Sicher ist {recommended}.",
        "The end {announced} is enough only if the first day counts. {recommended} is safe.",
    ),
    "longer_than_should": Both(
        "Das Ende {announced} liegt nach {maximum}. So lange soll die Frist in der Regel nicht dauern.",
        "The end {announced} is after {maximum}. As a rule the period should not be that long.",
    ),
    "important_reason_without_longer_period": Both(
        "Ein wichtiger Grund für eine längere Frist ist angegeben, die Frist ist aber nicht länger als das Mindeste.",
        "An important reason for a longer period is given, but the period is no longer than the minimum.",
    ),
    "announcement_not_before_start": Both(
        "Die Bekanntmachung am {announced} liegt nicht vor dem ersten Tag {start}.",
        "The announcement on {announced} is not before the first day {start}.",
    ),
    "lead_too_short": Both(
        "Zwischen Bekanntmachung ({announced}) und {event} liegen nur {days} volle Tage. Nötig ist {length}.",
        "There are only {days} full days between the announcement ({announced}) and {event}. {length} is needed.",
    ),
    "lead_under_one_week": Both(
        "Zwischen Bekanntmachung ({announced}) und Beginn liegt weniger als eine Woche. Das ist erlaubt, manche "
        "Prüflisten verlangen noch die Woche.",
        "There is less than a week between the announcement ({announced}) and the start. This is lawful; some "
        "checklists still ask for the week.",
    ),
    "start_on_non_working_day": Both(
        "Der erste Tag {day} ist {kind}. Sind dann alle Unterlagen und der andere Zugang da?",
        "The first day {day} is {kind}. Will all documents and the other access be there?",
    ),
    "minimum_end_on_non_working_day": Both(
        "Das Mindestende {day} ist {kind}. Wir empfehlen {recommended}.",
        "The minimum end {day} is {kind}. We recommend {recommended}.",
    ),
    "closing_day": Both(
        "Am {day} ist das Amt geschlossen ({name}). Auf die Frist hat das keinen Einfluss.",
        "The office is closed on {day} ({name}). This does not change the period.",
    ),
    "calendar_older": Both(
        "Die Feiertage am Sitz sind ab {since} belegt. Prüfen Sie sie für frühere Tage.",
        "The holidays at the seat are documented since {since}. Check them for earlier days.",
    ),
    "seat_unknown": Both(
        "Kein Ort angegeben. Gerechnet ist mit den Feiertagen, die überall in {name} gelten.",
        "No city given. Only the holidays valid everywhere in {name} are counted.",
    ),
    "law_not_yet_in_force": Both(
        "{version} gilt erst ab {since}. Am {day} galt ein anderer Text.",
        "{version} is in force only since {since}. Another text applied on {day}.",
    ),
    "law_by_choice_only": Both(
        "{version} galt bis {until}. Danach gilt es nur, wenn das alte Recht gewählt wurde oder ein Landesgesetz es so bestimmt.",
        "{version} was in force until {until}. After that it applies only by choice of the old law or by a state act.",
    ),
    "law_not_verified": Both(
        "Diese Regel ist nicht am Gesetzestext geprüft. Bitte gegenlesen lassen.",
        "This rule was not checked against the text of the law. Please have it read.",
    ),
    "free_period_short": Both(
        "{days} Tage sind kurz. Eine Mindestdauer gibt es nicht, üblich sind wenigstens {advised} Tage.",
        "{days} days are short. There is no minimum, but at least {advised} days are usual.",
    ),
    "renewed_period_short": Both(
        "{days} Tage sind kurz. Die Frist muss noch angemessen sein; begründen Sie die Dauer.",
        "{days} days are short. The period must still be appropriate; give a reason for its length.",
    ),
    "display_too_short": Both(
        "Die Auslegung endet {given}, also vor dem Mindestende {minimum}.",
        "The display ends on {given}, before its minimum end {minimum}.",
    ),
    "display_begins_late": Both(
        "Die Auslegung beginnt {given}. Sie muss spätestens {latest} beginnen.",
        "The display begins on {given}. It must begin by {latest}.",
    ),
    "set_by_authority": Both(
        "Die Frist setzt die Behörde, die das Verfahren führt; ein Mindestmaß steht nicht im Gesetz.",
        "The authority in charge sets the period; the law has no minimum.",
    ),
    "set_at_most": Both(
        "Sie darf höchstens {length} dauern, also bis {end}.",
        "It may last {length} at most, so until {end}.",
    ),
    "set_period_too_long": Both(
        "Die Frist bis {announced} ist länger als erlaubt. Sie darf höchstens bis {maximum} gehen.",
        "The period until {announced} is longer than allowed. It may last until {maximum} at most.",
    ),
    "set_period_long": Both(
        "Die Frist bis {announced} geht über {maximum} hinaus. Bis dahin durfte sie nach altem Recht höchstens dauern; der neue Wortlaut ist noch nicht geprüft.",
        "The period until {announced} is longer than {maximum}. The old law allowed no more; the new wording has not been checked yet.",
    ),
    "participation_too_long": Both(
        "Die Beteiligung der Öffentlichkeit darf höchstens {length} dauern. Gerechnet ist mit dieser Höchstdauer.",
        "The participation of the public may last {length} at most. The computation uses this maximum.",
    ),
    "web_copy_not_before_start": Both(
        "Der Inhalt der Bekanntmachung muss zusätzlich im Internet stehen, und beides vor dem ersten Tag {start}.",
        "The content of the announcement must also be on the internet, and both before the first day {start}.",
    ),
    "web_copy_after_start": Both(
        "Die Kopie im Internet ist von {web}, also nicht vor dem ersten Tag {start}. Ob das schadet, ist ungeklärt.",
        "The copy on the internet is of {web}, not before the first day {start}. Whether this harms is open.",
    ),
    "announcement_incomplete": Both(
        "Es fehlt eine der beiden Bekanntmachungen: ortsüblich und zusätzlich im Internet.",
        "One of the two announcements is missing: the customary one and, additionally, the internet.",
    ),
    "hearing_closes_late": Both(
        "Die Erörterung soll bis {latest} abgeschlossen sein.", "The discussion should be closed by {latest}."
    ),
    "hint_missing": Both(
        "In der Bekanntmachung fehlte der Hinweis, dass Verspätetes unberücksichtigt bleiben kann.",
        "The announcement did not say that late statements may be disregarded.",
    ),
    "content_known": Both(
        "Die Gemeinde kannte den Inhalt oder hätte ihn kennen müssen.",
        "The municipality knew the content or should have known it.",
    ),
    "private_title": Both(
        "Die Einwendung beruht auf einem besonderen privatrechtlichen Titel.",
        "The objection rests on a special title under private law.",
    ),
    "relevant_for_lawfulness": Both(
        "Der Inhalt ist für die Rechtmäßigkeit des Plans von Bedeutung.",
        "The content matters for the lawfulness of the plan.",
    ),
    "receipt_date_doubtful": Both(
        "Der Briefkasten trennt nicht nach Mitternacht. Zugunsten der Person zählt der Vortag; halten Sie das fest.",
        "The letterbox does not separate at midnight. In the person's favour the day before counts; record this.",
    ),
    "outage_review": Both(
        "Halten Sie die Störung fest und prüfen Sie, ob der Zugang insgesamt gesichert war.",
        "Record the outage and check whether access was guaranteed overall.",
    ),
    "outage_extend": Both(
        "Verlängern Sie die Frist durch eine neue Bekanntmachung, mindestens bis {end}.",
        "Extend the period by a new announcement, at least until {end}.",
    ),
    # A whole procedure (schedule).
    "dates_reversed": Both(
        "Der letzte Tag {end} liegt vor dem ersten Tag {start}.", "The last day {end} is before the first day {start}."
    ),
    "start_missing": Both("Es fehlt der erste Tag.", "The first day is missing."),
    "end_missing": Both("Es fehlt der letzte Tag.", "The last day is missing."),
    "formal_before_early_ends": Both(
        "Beginnt am {start}, obwohl die frühzeitige Beteiligung noch bis {end} läuft. Deren Ergebnis soll in den "
        "Entwurf eingehen.",
        "Begins on {start} although the early participation runs until {end}. Its result is meant to shape the draft.",
    ),
    "repeated_before_end": Both(
        "Beginnt am {start}, also nicht nach dem Ende {end} der Beteiligung, die wiederholt wird.",
        "Begins on {start}, not after the end {end} of the participation that it repeats.",
    ),
    "agencies_shorter_than_public": Both(
        "Die Behörden haben nur bis {end} Zeit, die Öffentlichkeit bis {other}.",
        "Public agencies have time only until {end}, the public until {other}.",
    ),
    "weighed_before_end": Both(
        "Beginnt am {start}, obwohl bis {end} noch fristgerechte Stellungnahmen eingehen können.",
        "Begins on {start} although statements can arrive in time until {end}.",
    ),
    "meeting_before_end": Both(
        "Die Erörterung am {start} liegt nicht nach dem Ende der Äußerungsfrist {end}.",
        "The discussion on {start} is not after the end {end} of the period for objections.",
    ),
    "announce_before": Both(
        "Spätestens bekannt machen am {end}, dem Tag vor dem ersten Tag.",
        "Announce on {end} at the latest, the day before the first day.",
    ),
    "announce_advised": Both(
        "Besser bis {end} bekannt machen: Dann liegt eine ganze Woche bis zum ersten Tag.",
        "Better announce by {end}: a whole week then lies before the first day.",
    ),
    "hearing_notice": Both(
        "Den Erörterungstermin spätestens am {end} bekannt machen, mindestens eine Woche vorher.",
        "Announce the discussion meeting on {end} at the latest, at least one week before.",
    ),
    "hearing_close_by": Both(
        "Die Erörterung soll bis {end} abgeschlossen sein.", "The discussion should be closed by {end}."
    ),
    "display_ends_at_earliest": Both(
        "Die Auslegung dauert mindestens bis {end}.", "The display lasts until {end} at least."
    ),
    "display_begins_by": Both(
        "Die Auslegung muss spätestens am {end} beginnen.", "The display must begin on {end} at the latest."
    ),
    "earliest_end": Both("Frühester letzter Tag: {end}.", "Earliest last day: {end}."),
    "recommended_last_day": Both("Empfohlener letzter Tag: {end}.", "Recommended last day: {end}."),
    "in_time_until": Both(
        "Bis {end}, 24 Uhr, ist alles fristgerecht.", "Until midnight at the end of {end} everything is in time."
    ),
}  # fmt: skip

VERDICTS: Mapping[str, Verdict] = {
    "announced_end_before_minimum": Verdict(Severity.BLOCK, "announced_end before statutory minimum"),
    "announced_end_short": Verdict(Severity.WARN, "announced_end before the regular minimum"),
    "announced_end_on_non_working_day": Verdict(
        Severity.WARN, "announced_end is Sat/Sun/holiday; accept statements until effective_end"
    ),
    "announced_end_between_readings": Verdict(
        Severity.WARN, "announced_end is enough only if the first day of the display counts"
    ),
    "longer_than_should": Verdict(Severity.WARN, "period longer than it should be"),
    "important_reason_without_longer_period": Verdict(
        Severity.WARN, "important reason recorded but the period is not longer than the minimum"
    ),
    "announcement_not_before_start": Verdict(Severity.BLOCK, "announcement must be before the start"),
    "lead_too_short": Verdict(Severity.BLOCK, "announcement too late"),
    "lead_under_one_week": Verdict(Severity.INFO, "announced less than one week before the start", listed=True),
    "start_on_non_working_day": Verdict(Severity.INFO, "start is Sat/Sun/holiday", listed=True),
    "minimum_end_on_non_working_day": Verdict(Severity.INFO, "minimum_end is Sat/Sun/holiday", listed=True),
    "closing_day": Verdict(Severity.INFO, "the office is closed on that day"),
    "calendar_older": Verdict(Severity.INFO, "holiday calendar not documented for that day"),
    "seat_unknown": Verdict(Severity.INFO, "no city given"),
    "law_not_yet_in_force": Verdict(Severity.WARN, "law not yet in force on that day"),
    "law_by_choice_only": Verdict(Severity.INFO, "old law applies only by choice"),
    "law_not_verified": Verdict(Severity.INFO, "rule not verified against the primary text"),
    "free_period_short": Verdict(Severity.INFO, "short period"),
    "renewed_period_short": Verdict(Severity.WARN, "period may not be appropriate"),
    "display_too_short": Verdict(Severity.BLOCK, "display_end before statutory minimum"),
    "display_begins_late": Verdict(Severity.WARN, "display begins too late after the complete plan"),
    "set_period_too_long": Verdict(Severity.BLOCK, "period set for an authority longer than the maximum"),
    "set_period_long": Verdict(Severity.WARN, "period set for an authority longer than under the old law"),
    "participation_too_long": Verdict(Severity.BLOCK, "public participation longer than the maximum"),
    "web_copy_not_before_start": Verdict(
        Severity.BLOCK, "content of the announcement must ALSO be on the internet; both before the start"
    ),
    "web_copy_after_start": Verdict(Severity.WARN, "web copy of the announcement not before the start"),
    "announcement_incomplete": Verdict(
        Severity.BLOCK, "content of the announcement must ALSO be on the internet; both before the start"
    ),
    "hearing_closes_late": Verdict(Severity.WARN, "discussion closes too late"),
    "hint_missing": Verdict(Severity.INFO, "hint missing in the announcement"),
    "content_known": Verdict(Severity.INFO, "content known or should have been known"),
    "private_title": Verdict(Severity.INFO, "special title under private law"),
    "relevant_for_lawfulness": Verdict(Severity.INFO, "content relevant for the lawfulness of the plan"),
    "receipt_date_doubtful": Verdict(Severity.WARN, "letterbox does not separate at midnight; first emptying"),
    "outage_review": Verdict(Severity.WARN, "access must be guaranteed overall"),
    "outage_extend": Verdict(Severity.WARN, "extend by a new announcement"),
    "dates_reversed": Verdict(Severity.BLOCK, "end before start"),
    "start_missing": Verdict(Severity.INFO, "no first day yet"),
    "end_missing": Verdict(Severity.INFO, "no last day yet"),
    "formal_before_early_ends": Verdict(Severity.WARN, "formal step begins before the early one ends"),
    "repeated_before_end": Verdict(Severity.BLOCK, "repetition begins before the end of what it repeats"),
    "agencies_shorter_than_public": Verdict(Severity.INFO, "agencies have less time than the public"),
    "weighed_before_end": Verdict(Severity.BLOCK, "decided before the period has ended"),
    "meeting_before_end": Verdict(Severity.BLOCK, "discussion before the end of the period for objections"),
}  # fmt: skip


def kind_of_day(holidays: tuple[str | None, str | None]) -> Both:
    """What makes a day no working day, in both languages; `holidays` is its name in German and English."""
    german, english = holidays
    if german:
        return Both(f"ein Feiertag ({german})", f"a public holiday ({english})")
    return Both("kein Werktag", "no working day")
