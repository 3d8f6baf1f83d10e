"""Searches among proposals that somebody wants to hear of, on both databases."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from consultations import digests, following, moderation, places, saved_searches
from consultations.contributions import Kind
from consultations.digests import Told
from consultations.following import Rhythm, State, Subscription, Target
from consultations.moderation import Action, Decision
from consultations.notices import Notice
from consultations.places import Layer, PlaceInput, PlaceKind
from consultations.proposal_lists import Wanted
from consultations.refusals import Code, Refusal
from consultations.saved_searches import SavedSearch
from geo.geometry import from_metres, metres_of
from participation import search_words
from tests import cast
from tests.cast import NOW, Town
from tests.queries import counted

LON, LAT = 11.36, 49.93
SOON = NOW + timedelta(minutes=3)
MONDAY = NOW + timedelta(days=7)


@pytest.fixture
def town(session: Session) -> Town:
    town = cast.with_ideas(session, "Ideen")
    x, y = metres_of(LON, LAT)
    known = [
        PlaceInput(PlaceKind.DISTRICT, "Nord", from_metres(shapely.box(x - 900, y - 900, x + 900, y + 900))),
        PlaceInput(PlaceKind.STREET, "Mühlweg", from_metres(shapely.Point(x, y)), "Nord"),
    ]
    layer = Layer(municipality_id=town.id, role="streets", title="Orte", imported_at=NOW)
    places.add_layer(session, layer, known, by=town.planner, now=NOW)
    return town


def propose(session: Session, town: Town, title: str, **facts: Any) -> int:
    row = town.hand_in(session, title, kind=Kind.PROPOSAL, title=title, wants_publication=True, **facts)
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return row.id or 0


def save(session: Session, town: Town, wanted: Wanted, near: str = "") -> SavedSearch:
    facts = saved_searches.facts_of(wanted, near)
    return saved_searches.keep(session, town.procedure, facts, now=NOW)


def follow(session: Session, town: Town, address: str, search: SavedSearch, rhythm: Rhythm) -> Subscription:
    target = following.of_search(search)
    row = following.ask(session, town.id, address, target, rhythm=rhythm, words="Ja.", now=NOW)
    return following.confirm(session, row, rhythm, now=NOW)


def told(session: Session) -> list[tuple[str, list[int]]]:
    """Who was told of which proposals, mail by mail."""
    mails = session.exec(select(Notice).where(Notice.kind == "follow_news").order_by(col(Notice.id))).all()
    return [
        (mail.address, sorted(n.proposal_id for n in following.read(session, mail.facts["happenings"])))
        for mail in mails
    ]


def test_one_proposal_is_told_once_however_many_searches_it_fits(session: Session, town: Town) -> None:
    benches = save(session, town, Wanted(words="bänke"))
    north = save(session, town, Wanted(district="Nord"))
    near = save(session, town, Wanted(near=(LON, LAT)), "Mühlweg")
    assert save(session, town, Wanted(words=" bänke ")).id == benches.id, "the same search is kept once"
    anna = follow(session, town, "anna@post.example", benches, Rhythm.IMMEDIATE)
    for search in (north, near):
        follow(session, town, "anna@post.example", search, Rhythm.WEEKLY)
    follow(session, town, "bert@post.example", benches, Rhythm.WEEKLY)
    here = {"located": from_metres(shapely.Point(*metres_of(LON, LAT)))}
    both = propose(session, town, "Bänke im Norden", **here)
    only_north = propose(session, town, "Ein Brunnen", **here)
    far = propose(session, town, "Eine Bank und Bänke")
    propose(session, town, "Mehr Bäume")
    assert digests.is_anything_due(session, SOON)
    assert digests.tell_due(session, SOON) == 1
    assert told(session) == [("anna@post.example", [both, far])]
    assert [row.happening_id > 0 for row in session.exec(select(Told)).all()] == [True, True]
    assert digests.forget_told(session) == 0, "Monday's mails have not gone yet"
    digests.tell_due(session, MONDAY)
    assert told(session)[1:] == [("anna@post.example", [only_north]), ("bert@post.example", [both, far])]
    assert digests.forget_told(session) == 3, "all that she follows is past it"
    # What everybody may no longer read is told to nobody, and the feed of the search forgets it too.
    assert [
        n.proposal_id for n in following.fitting(session, town.procedure.id or 0, Wanted(words="bänke"))
    ] == [
        far,
        both,
    ]
    following.end(session, anna, way="one_click", now=NOW)
    assert saved_searches.by_ids(session, [benches.id or 0]), "kept to show what she agreed to"
    save(session, town, Wanted(words="nobody's"))
    assert following.forget_searches(session) == 1


def test_what_it_costs_to_tell_grows_with_neither_followers_nor_proposals(
    session: Session, engine: Engine, town: Town
) -> None:
    searches = [
        save(session, town, Wanted(words="brunnen")),
        save(session, town, Wanted(district="Nord", authoring="open")),
        save(session, town, Wanted(), "Mühlweg"),
    ]
    costs = []
    for followers, proposals in ((1, 1), (9, 7)):
        for number in range(followers):
            for search in searches:
                follow(session, town, f"f{followers}.{number}@post.example", search, Rhythm.WEEKLY)
        here = {"located": from_metres(shapely.Point(*metres_of(LON, LAT)))}
        for _ in range(proposals):
            propose(session, town, "Brunnen", **here)
        session.commit()
        with counted(engine) as statements:
            digests.tell_due(session, MONDAY + timedelta(days=7 * len(costs)))
        # (Each mail costs one more: the key that it is given.)
        asked = [each for each in statements if each.lstrip().upper().startswith("SELECT")]
        costs.append(len([each for each in asked if "notice" not in each]))
        session.commit()
    assert costs[0] == costs[1]
    assert len(told(session)) == 1 + 10, "each of them once, by the first of their three searches"


def test_a_search_for_what_there_no_longer_is_is_said_to_its_owner_once(session: Session, town: Town) -> None:
    search = save(session, town, Wanted(words="Rad", district="Nord"), "Mühlweg")
    row = follow(session, town, "anna@post.example", search, Rhythm.DAILY)
    follow(session, town, "bert@post.example", search, Rhythm.WEEKLY)
    person = town.clerk.person_id or 0
    mine = following.follow_in_account(
        session, town.id, person, following.of_search(search), words="Ja.", now=NOW
    )
    (layer,) = places.layers_of(session, town.id)
    places.remove_layer(session, layer, by=town.planner, now=NOW)
    for days in (1, 2):
        propose(session, town, "Rad")
        digests.tell_due(session, NOW + timedelta(days=days))
    lost = session.exec(select(Notice).where(Notice.kind == "follow_lost")).all()
    assert {(each.address, *each.facts["missing"]) for each in lost} == {
        ("anna@post.example", "district", "near"),
        ("bert@post.example", "district", "near"),
    }
    assert (len(lost), row.state, told(session)) == (2, State.ACTIVE.value, [])
    (missing,) = search_words.missing_of(session, town.id, [mine], "de").values()
    assert missing == "Stadtteil: Nord, In der Nähe von: Mühlweg"
    # The district is back under its name: the search goes on by itself.
    again = [
        PlaceInput(
            PlaceKind.DISTRICT, "Nord", from_metres(shapely.box(*metres_of(11, 49), *metres_of(12, 50)))
        ),
        PlaceInput(PlaceKind.STREET, "Mühlweg", from_metres(shapely.Point(*metres_of(LON, LAT)))),
    ]
    layer = Layer(municipality_id=town.id, role="streets", title="Orte", imported_at=NOW)
    places.add_layer(session, layer, again, by=town.planner, now=NOW)
    found = propose(session, town, "Rad", located=from_metres(shapely.Point(*metres_of(LON, LAT))))
    digests.tell_due(session, NOW + timedelta(days=3))
    assert (told(session), search.lost_at) == ([("anna@post.example", [found])], None)


def test_in_the_account_each_thing_stands_once_until_it_is_read(
    session: Session, engine: Engine, town: Town
) -> None:
    me = town.clerk.person_id or 0
    wanted = [Wanted(words="Rad"), Wanted(words="Radweg"), Wanted(authoring="open")]
    targets = [following.of_search(save(session, town, each)) for each in wanted]
    targets.append(following.of_procedure(town.procedure.id or 0))

    def keep(target: Target) -> Subscription:
        return following.follow_in_account(session, town.id, me, target, words="Ja.", now=NOW)

    rows = [keep(target) for target in targets]
    assert keep(targets[0]) is rows[0]
    found = propose(session, town, "Radweg")
    news = following.unread(session, town.id, rows)
    assert [each.proposal_id for each in news] == [found]
    costs = []
    for some in (rows[:1], rows[:3]):
        session.commit()
        with counted(engine) as statements:
            following.unread(session, town.id, following.of_account(session, town.id, me)[: len(some)])
        costs.append(len(statements))
    assert costs[0] == costs[1]
    assert digests.tell_due(session, NOW + timedelta(days=30)) == 0, "nothing is mailed"
    following.mark_read(session, town.id, rows, news[0].id)
    assert following.unread(session, town.id, rows) == []
    following.end(session, rows[0], way="account", now=NOW)
    assert len(following.of_account(session, town.id, me)) == 3
    for number in range(following.IN_ACCOUNT - 3):
        keep(following.of_district(f"Nord {number}"))
    with pytest.raises(Refusal) as refused:
        keep(following.of_district("Süd"))
    assert refused.value.code is Code.TOO_MANY_FOLLOWED


def test_of_much_unread_the_oldest_stands_first_and_nothing_is_passed_over(
    session: Session, town: Town
) -> None:
    me, target = town.clerk.person_id or 0, following.of_procedure(town.procedure.id or 0)
    rows = [following.follow_in_account(session, town.id, me, target, words="Ja.", now=NOW)]
    first, second, third = (propose(session, town, title) for title in ("Eins", "Zwei", "Drei"))
    shown = following.unread(session, town.id, rows, limit=2)
    assert [each.proposal_id for each in shown] == [second, first]
    following.mark_read(session, town.id, rows, shown[0].id)
    assert [each.proposal_id for each in following.unread(session, town.id, rows, limit=2)] == [third]


def test_a_search_that_is_gone_keeps_no_news_from_anybody_else(session: Session, town: Town) -> None:
    gone, stays = (save(session, town, Wanted(words=words)) for words in ("weg", "rad"))
    mine = follow(session, town, "anna@post.example", gone, Rhythm.IMMEDIATE)
    follow(session, town, "bert@post.example", stays, Rhythm.IMMEDIATE)
    session.delete(gone)
    found = propose(session, town, "Rad")
    assert digests.tell_due(session, SOON) == 2
    assert told(session) == [("bert@post.example", [found])]
    assert following.about(session, town.id, Target.read(mine.target)) == []
    assert following.unread(session, town.id, [mine]) == []
    assert search_words.name_of(session, mine, "de") == ""


def test_a_search_that_another_worker_found_lost_is_not_told_again(session: Session, town: Town) -> None:
    search = save(session, town, Wanted(words="Rad", district="Süd"))
    follow(session, town, "anna@post.example", search, Rhythm.IMMEDIATE)
    propose(session, town, "Rad")
    assert search.lost_at is None, "as this worker has read it"
    told_by_another = update(SavedSearch).values(lost_at=NOW).execution_options(synchronize_session=False)
    session.execute(told_by_another)
    assert digests.tell_due(session, SOON) == 1
    assert session.exec(select(Notice).where(Notice.kind == "follow_lost")).all() == []
    assert search.lost_at == NOW


@pytest.mark.parametrize("commits", [True, False])
def test_a_search_that_somebody_is_about_to_follow_is_not_deleted(
    session: Session, engine: Engine, town: Town, commits: bool
) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    search = save(session, town, Wanted(words="rad"))
    session.commit()
    assert save(session, town, Wanted(words="rad")).id == search.id
    with Session(engine) as worker:
        assert following.forget_searches(worker) == 0, "it is held"
        worker.commit()
    if commits:
        follow(session, town, "anna@post.example", search, Rhythm.WEEKLY)
    session.commit()
    with Session(engine) as worker:
        assert following.forget_searches(worker) == (0 if commits else 1)
        worker.commit()


def test_every_filter_of_the_list_can_be_kept_and_is_said_and_a_position_is_not(
    session: Session, town: Town
) -> None:
    words: dict[str, Any] = {
        each.name: f"«{each.name}»" for each in fields(Wanted) if isinstance(each.default, str)
    }
    asked = replace(Wanted(near=(LON, LAT)), **words)
    assert saved_searches.facts_of(asked) == words, "where somebody's device says they are is not in it"
    kept = save(session, town, asked, "Mühlweg")
    assert str(LON) not in str(kept.facts)
    understood = saved_searches.understand(session, town.id, [kept])[kept.id or 0]
    assert {name: getattr(understood.wanted, name) for name in words} == words
    assert {*understood.missing} == {"district", "authoring", "channel", "topic"}, (
        "what there is no such thing of"
    )
    assert understood.wanted.near is not None
    for language in ("de", "en"):
        said = search_words.sentence(kept.facts, "Ideen", language)
        assert [value for value in (*words.values(), "Mühlweg", "Ideen") if value not in said] == []
    facts: Mapping[str, str] = {"words": "Rad", "district": "Nord", "authoring": "open", "language": "de"}
    assert search_words.sentence(facts, "Ideen", "de") == (
        "Vorschläge mit „Rad“ im Stadtteil Nord (Stand: Offen für Änderungen, Sprache: Deutsch), in „Ideen“"
    )
    assert search_words.sentence({}, "Ideen", "en") == "All proposals, in “Ideen”"
    # A filter that the program no longer knows: nobody guesses what was meant.
    kept.facts = {"words": "Rad", "colour": "red"}
    assert saved_searches.understand(session, town.id, [kept])[kept.id or 0].missing == ("colour",)
