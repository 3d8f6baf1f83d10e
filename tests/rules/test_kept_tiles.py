"""Tiles that stay in memory: so many octets, those that were asked for last the longest."""

from participation.pages.map_ground import kept_within


def test_what_was_asked_for_longest_ago_goes_when_there_is_no_more_room() -> None:
    made: list[tuple[str, int]] = []

    @kept_within(4_000)
    def tile(name: str, size: int) -> bytes:
        made.append((name, size))
        return name.encode() * size

    for name in ("a", "b", "c", "a", "b"):  # three of 1,300 with their keys
        assert tile(name, 1_000) == name.encode() * 1_000
    assert made == [("a", 1_000), ("b", 1_000), ("c", 1_000)]
    tile("d", 1_000)  # there is room for three
    tile("a", 1_000)
    tile("c", 1_000)
    assert made[3:] == [("d", 1_000), ("c", 1_000)]
    # What is larger than all the room is made, and nothing else is left; small ones are many.
    assert len(tile("e", 9_000)) == 9_000
    assert len(tile("e", 9_000)) == 9_000
    for number in range(10):
        tile("f", number)
    for number in range(10):
        tile("f", number)
    assert made[5:] == [("e", 9_000)] * 2 + [("f", number) for number in range(10)]
