"""The statutory sentences of an announcement hold the words of the law: all of them, and no others.

The clauses were copied from the consolidated texts that docs/law.md names, by another hand than the sentences.
"""

import re
from collections import Counter

import pytest

from consultations.announcement_text import ELEMENTS, HINT_LIMITED, Case
from consultations.templates import NEW_VWVFG, OLD_VWVFG

NEW = Case(plan_kind="plan_approval", kind="display", law_version=NEW_VWVFG)
OLD = Case(plan_kind="plan_approval", kind="display", law_version=OLD_VWVFG)
ACCELERATED = Case(variant="accelerated")
LAND_USE = Case(plan_kind="land_use_plan")

#: (case, letter, the law's clause, words that the sentence has in exchange for others: "− gone + new").
CLAUSES = [
    (Case(), "d", "Stellungnahmen während der Dauer der Veröffentlichungsfrist abgegeben werden können", ""),
    (Case(), "e", "Stellungnahmen elektronisch übermittelt werden sollen, bei Bedarf aber auch auf anderem Weg abgegeben "
     "werden können", ""),
    (Case(), "f", "nicht fristgerecht abgegebene Stellungnahmen bei der Beschlussfassung über den Bauleitplan "
     "unberücksichtigt bleiben können", ""),
    (LAND_USE, "h", "eine Vereinigung im Sinne des § 4 Absatz 3 Satz 1 Nummer 2 des Umwelt-Rechtsbehelfsgesetzes in einem "
     "Rechtsbehelfsverfahren nach § 7 Absatz 2 des Umwelt-Rechtsbehelfsgesetzes gemäß § 7 Absatz 3 Satz 1 des "
     "Umwelt-Rechtsbehelfsgesetzes mit allen Einwendungen ausgeschlossen ist, die sie im Rahmen der Veröffentlichungsfrist "
     "nicht oder nicht rechtzeitig geltend gemacht hat, aber hätte geltend machen können", ""),
    (ACCELERATED, "i", "der Bebauungsplan im beschleunigten Verfahren ohne Durchführung einer Umweltprüfung nach § 2 "
     "Absatz 4 aufgestellt werden soll", "+ BauGB"),
    (NEW, "p1", "etwaige Einwendungen von Betroffenen bei der Planfeststellungsbehörde innerhalb der Einwendungsfrist "
     "elektronisch zu erheben sind", ""),
    (NEW, "p2", "Stellungnahmen von Vereinigungen nach Absatz 2 Satz 1 Nummer 2 bei der Planfeststellungsbehörde innerhalb "
     "der Einwendungsfrist elektronisch abzugeben sind", "+ § 73 des Verwaltungsverfahrensgesetzes"),
    (NEW, "p3", "im Falle der Unzumutbarkeit einer elektronischen Erhebung oder Abgabe im Einzelfall auf Verlangen eine "
     "andere Weise zur Verfügung gestellt wird", ""),
    (NEW, "p4", "mit Ablauf der Einwendungsfrist alle Einwendungen ausgeschlossen sind, die nicht auf besonderen "
     "privatrechtlichen Titeln beruhen", ""),
    (NEW, "p5", "bei Ausbleiben eines Beteiligten in einem Erörterungstermin auch ohne ihn verhandelt werden kann", ""),
    (NEW, "p6", "die Personen, die Einwendungen erhoben haben, oder die Vereinigungen, die Stellungnahmen abgegeben haben, "
     "von dem Erörterungstermin durch Information auf der Internetseite der Planfeststellungsbehörde benachrichtigt werden "
     "können", ""),
    (NEW, "p7", "die Zustellung der Entscheidung über die Einwendungen und Stellungnahmen auch durch die Veröffentlichung "
     "auf der Internetseite der Planfeststellungsbehörde oder ihres Verwaltungsträgers erfolgen kann", ""),
    (NEW, "p8", "während der Dauer der Anhörung einem Betroffenen auf dessen Verlangen eine leicht zu erreichende "
     "Zugangsmöglichkeit von der Planfeststellungsbehörde zur Verfügung gestellt wird", ""),
    (OLD, "q1", "wo und in welchem Zeitraum der Plan zur Einsicht ausgelegt ist",
     "− wo welchem + dem genannten unter der genannten Internetadresse an den genannten Stellen"),
    (OLD, "q2", "etwaige Einwendungen oder Stellungnahmen von Vereinigungen nach Absatz 4 Satz 5 bei den in der "
     "Bekanntmachung zu bezeichnenden Stellen innerhalb der Einwendungsfrist vorzubringen sind",
     "− der zu bezeichnenden + dieser bezeichneten § 73 des Verwaltungsverfahrensgesetzes"),
    (OLD, "q3", "bei Ausbleiben eines Beteiligten in dem Erörterungstermin auch ohne ihn verhandelt werden kann", ""),
    (OLD, "q4", "die Personen, die Einwendungen erhoben haben, oder die Vereinigungen, die Stellungnahmen abgegeben haben, "
     "von dem Erörterungstermin durch öffentliche Bekanntmachung benachrichtigt werden können, die Zustellung der "
     "Entscheidung über die Einwendungen durch öffentliche Bekanntmachung ersetzt werden kann, wenn mehr als 50 "
     "Benachrichtigungen oder Zustellungen vorzunehmen sind", "+ und"),
    (OLD, "q5", "mit Ablauf der Einwendungsfrist sind alle Einwendungen ausgeschlossen, die nicht auf besonderen "
     "privatrechtlichen Titeln beruhen", "+ für Stellungnahmen von Vereinigungen gilt dies entsprechend"),
]  # fmt: skip


def bag(text: str) -> Counter[str]:
    return Counter(re.findall(r"[\w§-]+", text.lower()))


@pytest.mark.parametrize(("case", "letter", "clause", "change"), CLAUSES, ids=[row[1] for row in CLAUSES])
def test_a_hint_has_exactly_the_words_of_the_law(case: Case, letter: str, clause: str, change: str) -> None:
    gone, _, new = (
        change.removeprefix("− ").partition("+ ") if change.startswith("−") else ("", "", change[2:])
    )
    wording = next(each.wording for each in ELEMENTS if each.letter == letter and each.applies(case))
    assert bag(wording) + bag(gone) == bag(clause) + bag(new)


def test_every_statutory_sentence_of_a_plan_approval_is_compared() -> None:
    compared = {(row[0], row[1]) for row in CLAUSES}
    for case in (NEW, OLD):
        for each in ELEMENTS:
            if each.applies(case) and each.wording:
                assert (case, each.letter) in compared


def test_what_is_asked_anew_is_the_change_and_its_effects() -> None:
    assert "in Bezug auf die Änderung oder Ergänzung und ihre möglichen Auswirkungen" in HINT_LIMITED
