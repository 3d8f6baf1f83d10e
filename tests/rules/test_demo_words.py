"""What the demo's people say of a street: German wants its article."""

import pytest

from participation.demo_story import said_of


@pytest.mark.parametrize(
    ("street", "words", "said"),
    [
        ("Nordstraße", "Am {place} gehe ich", "An der Nordstraße gehe ich"),
        ("Zirnuferweg", "Eine Bank an der {place}.", "Eine Bank am Zirnuferweg."),
        ("Bahnhofplatz", "Auf der {place} ist es heiß.", "Auf dem Bahnhofplatz ist es heiß."),
        ("Obere Hauptstraße", "Auf der {place} ist es heiß.", "Auf der Oberen Hauptstraße ist es heiß."),
        ("Am Güterbahnhof", "Der {place} ist dunkel. Am {place} auch.",
         "Die Straße Am Güterbahnhof ist dunkel. Am Güterbahnhof auch."),
        ("Am Stadtgraben", "An der Ecke {place}", "An der Ecke Am Stadtgraben"),
    ],
)  # fmt: skip
def test_a_street_has_its_article(street: str, words: str, said: str) -> None:
    assert said_of(street, words) == said
