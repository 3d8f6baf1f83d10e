"""Suggestions where a text may give a person away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consultations.privacy import Trait, blacked_out, hints


@pytest.mark.parametrize(
    ("text", "words", "trait"),
    [
        ("Schreiben Sie an rosa.beispiel@web.example bitte", "rosa.beispiel@web.example", Trait.EMAIL),
        ("Tel. 0821 / 324-65 12 abends", "0821 / 324-65 12", Trait.PHONE),
        ("unter +49 821 32465 zu erreichen", "+49 821 32465", Trait.PHONE),
        ("als Eigentümerin von Flurstück 123/4 wende ich", "Flurstück 123/4", Trait.PARCEL),
        ("die Fl.Nr. 77 gehört uns", "Fl.Nr. 77", Trait.PARCEL),
        ("Herr Dr. Anton Huber parkt dort", "Herr Dr. Anton Huber", Trait.NAMED_PERSON),
        ("Wir wohnen in der Färbergasse 12 b seit 1980", "Färbergasse 12 b", Trait.HOUSE_NUMBER),
        ("Konto DE89 3704 0044 0532 0130 00 bitte", "DE89 3704 0044 0532 0130 00", Trait.BANK_ACCOUNT),
        ("Das Auto A-BC 123 steht da", "A-BC 123", Trait.NUMBER_PLATE),
    ],
)
def test_it_points_at(text: str, words: str, trait: Trait) -> None:
    assert [(hint.words, hint.trait) for hint in hints(text)] == [(words, trait)]


@pytest.mark.parametrize(
    "text",
    [
        "Bitte 120 Bäume am Mühlbach pflanzen, Linie 3 verlängern und Tempo 30 einführen.",
        "Der B-Plan 12 sieht 2027 drei Geschosse vor.",
        "Frauen und Herren aller Altersgruppen",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert hints(text) == []


def test_blacking_out_leaves_the_rest_as_it_was() -> None:
    text = "Frau Huber (Tel. 0821 32465) parkt immer falsch."
    assert blacked_out(text, hints(text)) == "█████ (Tel. █████) parkt immer falsch."
    assert blacked_out(text, []) == text


@given(st.text(max_size=400))
def test_hints_lie_in_the_text_and_never_overlap(text: str) -> None:
    last = 0
    for hint in hints(text):
        assert last <= hint.start < hint.end <= len(text)
        assert hint.words == text[hint.start : hint.end].strip()
        last = hint.end
