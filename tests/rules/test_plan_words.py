"""What an object of a layer is called: by what its data say of it, in the reader's language."""

import pytest

from geo.features import Feature
from participation import plan_words

CASES = {
    "its own name": (("Kita am Bach", "id-1", {"flurstnr": "703"}), "Kita am Bach", "Kita am Bach"),
    "a parcel by its number": (("", "DEBY0001", {"Gemarkung": "Au", "FLURSTNR": "703/2"}), "Flurstück 703/2", "Parcel 703/2"),
    "a use of land": (
        ("", "G-1", {"sign": "land_use", "besondereArtDerBaulNutzung": "1200.0"}), "Allgemeines Wohngebiet", "Allgemeines Wohngebiet",
    ),
    "nothing but an id": (("", "Baum-17", {"art": "Linde", "flurstnr": ""}), "Baum-17", "Baum-17"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_object_is_called_by_what_its_data_say(case: str) -> None:
    (name, identifier, words), german, english = CASES[case]
    feature = Feature(0, name, identifier, tuple(words.items()), b"")
    assert (plan_words.name_of(feature, "de"), plan_words.name_of(feature, "en")) == (german, english)


def test_the_kind_of_a_way_is_told_in_words_and_what_only_computers_read_is_left_out() -> None:
    words = (("fclass", "residential"), ("osm_id", "4711"), ("Highway", "steps"), ("highway", "corridor"))
    assert plan_words.attributes_in_words(words, "de") == (
        ("Art", "Wohnstraße"),
        ("Art", "Treppe"),
        ("Art", "corridor"),
    )
