"""Merging and dividing on both databases: who has to agree, what becomes of words, authors and, above all, supports."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlmodel import Session, select

from consultations import (
    evidence,
    journal,
    proposals,
    proposing,
    side_words,
    support,
    support_lists,
    unions,
)
from consultations.cocreation import Authoring, RelationKind
from consultations.contributions import Contribution, Kind, Submission
from consultations.files import FolderStore
from consultations.happenings import Happening
from consultations.moderation import Reason
from consultations.notices import Notice
from consultations.people import PersonInput
from consultations.permissions import PUBLIC, Actor
from consultations.proposals import Proposal
from consultations.refusals import Code
from consultations.side_words import Beside
from consultations.support import STANDING, Support, Supporter
from consultations.support_lists import LineInput
from consultations.unions import Union, UnionInput, UnionState
from consultations.wording import Passage
from tests.actions.test_proposals import NOW, WHAT, amend, owner, propose, refused, revise, say, town
from tests.cast import Town

__all__ = ["town"]

JOINT = {"what": WHAT.replace("Bänke", "Bänke und Tische")}


def ask(session: Session, goes: Contribution, stays: Contribution, **facts: Any) -> Union:
    entered = UnionInput(
        goes.id or 0, stays.id or 0, facts.pop("reason", "Beide wünschen Plätze zum Sitzen."),
        facts.pop("words", {}), facts.pop("base", 1),
    )  # fmt: skip
    read_by = facts.pop("read_by", None)
    made = unions.ask(session, entered, **{"by": PUBLIC, "author": owner(session, goes), "now": NOW, **facts})
    if read_by is not None:
        read(session, made, stays, by=read_by)
    return made


def read(
    session: Session, union: Union, stays: Contribution, *, by: Actor, shows: bool = True,
    kind: Beside = Beside.WISH,
) -> None:  # fmt: skip
    """A moderator reads what was typed with a wish."""
    (words,) = [
        each.words
        for each in side_words.beside(session, stays.id or 0)
        if (each.kind, each.key) == (kind, union.id)
    ]
    side_words.decide(
        session, session.get_one(Proposal, stays.id), kind, union.id or 0, shows=shows, seen=words,
        reason=None if shows else Reason.INSULT, by=by, now=NOW,
    )  # fmt: skip


def answer(session: Session, union: Union, row: Contribution, *, agrees: bool = True, **facts: Any) -> Union:
    said = {"by": PUBLIC, "author": owner(session, row), "now": NOW, **facts}
    return unions.decide(session, union, row.id or 0, agrees=agrees, **said)


def test_two_become_one_when_both_owners_agree_and_nothing_is_lost(
    session: Session, town: Town, tmp_path: Any
) -> None:
    goes, stays = propose(session, town), propose(session, town)
    anna, ben = Supporter("account:1"), Supporter("browser:ff")
    for who in (anna, ben):
        support.give(session, goes.id or 0, who, by=PUBLIC, now=NOW)
    refused(Code.REASON_REQUIRED, lambda: ask(session, goes, stays, reason=" "))
    refused(Code.UNION_SAME, lambda: ask(session, goes, goes))
    refused(Code.NOT_ALLOWED, lambda: ask(session, goes, stays, author=None))
    union = ask(session, goes, stays, words=JOINT, read_by=town.moderator)
    assert unions.agreed(session, union) == {goes.id}, "whoever asks has agreed"
    refused(Code.UNION_ASKED, lambda: ask(session, stays, goes))
    refused(Code.UNION_CLOSED, lambda: answer(session, union, goes))
    refused(Code.NOT_ALLOWED, lambda: answer(session, union, stays, author=owner(session, goes)))
    early = refused(Code.OWNER_DECIDES, lambda: answer(session, union, stays, by=town.moderator, author=None))
    assert early.facts["until"] == union.owners_until
    # The other went on writing meanwhile, at another place: both are kept.
    revise(session, stays, {"cost": "9.000 €"})
    answer(session, union, stays)
    assert (union.state, union.resulting_number) == (UnionState.JOINED.value, 3)
    joint = proposals.newest(session, stays.id or 0)
    assert (joint.texts["de"]["what"], joint.texts["de"]["cost"], joint.reason) == (
        JOINT["what"], "9.000 €", "merge",
    )  # fmt: skip
    gone = session.get_one(Proposal, goes.id)
    assert (gone.authoring, gone.is_listed, gone.supports) == (Authoring.MERGED.value, True, 2)
    assert unions.gone_into(session, goes.id or 0) == stays.id
    (relation,) = proposals.relations_of(session, goes.id or 0)
    assert (relation.from_id, relation.to_id, relation.kind) == (
        goes.id, stays.id, RelationKind.MERGED_INTO.value,
    )  # fmt: skip
    # Whoever wrote the one writes along in the other.
    joined = unions.continued_as(session, owner(session, goes))
    assert joined is not None
    assert revise(session, stays, {"why": "Alle wollen sitzen."}, 3, author=joined) == 4
    told = session.exec(select(Happening).where(Happening.kind == "merged").order_by("id")).all()
    assert [each.facts for each in told] == [{"into": stays.reference}, {"took_in": goes.reference}]
    # An amendment to what was merged, a further support: a clear answer each; taking back stays possible.
    for late in (
        lambda: support.give(session, goes.id or 0, Supporter("account:9"), by=PUBLIC, now=NOW),
        lambda: ask(session, goes, stays),
        lambda: amend(session, town, goes, {"what": "Anders."}),
        lambda: revise(session, goes, {"what": "Anders."}),
    ):
        assert refused(Code.PROPOSAL_CLOSED, late).facts["state"] == "merged"
    support.move(session, goes.id or 0, stays.id or 0, anna, by=PUBLIC, now=NOW)
    support.withdraw(session, goes.id or 0, ben, by=PUBLIC, now=NOW)
    assert [support.counted(session, row.id or 0) for row in (goes, stays)] == [0, 1]
    assert list(evidence.examine(session, FolderStore(tmp_path))) == []
    assert list(journal.verify(session)) == []


def test_a_merge_can_be_refused_taken_back_and_agreed_to_for_the_silent(session: Session, town: Town) -> None:
    goes, stays = propose(session, town), propose(session, town)
    union = ask(session, goes, stays)
    refused(Code.REASON_REQUIRED, lambda: answer(session, union, stays, agrees=False))
    answer(session, union, stays, agrees=False, words="Meiner will etwas anderes.")
    assert (union.state, session.get_one(Proposal, goes.id).authoring) == ("refused", "open")
    refused(
        Code.UNION_CLOSED,
        lambda: unions.withdraw(session, union, by=PUBLIC, author=owner(session, goes), now=NOW),
    )
    again = ask(session, goes, stays)
    refused(
        Code.NOT_ALLOWED,
        lambda: unions.withdraw(session, again, by=PUBLIC, author=owner(session, stays), now=NOW),
    )
    unions.withdraw(session, again, by=PUBLIC, author=owner(session, goes), now=NOW)
    # The facilitator asks for two that say the same; both owners are silent for too long.
    third = ask(session, goes, stays, by=town.moderator, author=None)
    assert unions.agreed(session, third) == set()
    later = NOW + timedelta(days=15)
    waits = unions.waiting_for_facilitator(session, town.id, by=town.moderator, now=later)
    assert [each.id for each in waits] == [third.id]
    assert unions.waiting_for_facilitator(session, town.id, by=town.clerk, now=later) == []
    for row in (goes, stays):
        answer(session, third, row, by=town.moderator, author=None, now=later)
    assert third.state == UnionState.JOINED.value


def test_what_is_typed_with_a_wish_is_read_by_a_moderator_before_the_other_owner(
    session: Session, town: Town
) -> None:
    goes, stays = propose(session, town), propose(session, town)
    union = ask(session, goes, stays, words={"what": WHAT + " Du weißt, wo ich wohne."}, reason="Sonst!")
    assert (union.wish_state, union.asked_for_id) == ("waiting", goes.id)
    assert side_words.waiting(session, town.id, None) == [stays.id]
    assert side_words.waiting(session, town.id, None, after_id=stays.id or 0) == []
    assert refused(Code.WISH_UNREAD, lambda: answer(session, union, stays)).field is None
    late = NOW + timedelta(days=15)
    silent = lambda: answer(session, union, stays, by=town.moderator, author=None, now=late)  # noqa: E731
    refused(Code.WISH_UNREAD, silent)
    read(session, union, stays, by=town.moderator, shows=False)
    refused(Code.WISH_UNREAD, lambda: answer(session, union, stays))
    # A refusal needs no words of the other to have been read; its own are read by a moderator too.
    answer(session, union, stays, agrees=False, words="Lass mich in Ruhe!")
    assert (union.state, union.answer_state) == ("refused", "waiting")
    assert side_words.waiting(session, town.id, None) == [stays.id]
    read(session, union, stays, by=town.moderator, kind=Beside.REFUSAL)
    assert (union.answer_state, side_words.waiting(session, town.id, None)) == ("shown", [])
    # Without joint words one may agree to the mere wish; why it was asked stays with the town hall until it was read.
    plain = ask(session, goes, stays, reason="Hier steht eine Telefonnummer.")
    answer(session, plain, stays)
    assert plain.state == UnionState.JOINED.value
    (relation,) = proposals.relations_of(session, goes.id or 0)
    assert relation.note == ""
    # What the town hall asks was written by somebody of the town hall.
    third, fourth = propose(session, town), propose(session, town)
    by_hall = ask(session, third, fourth, words=JOINT, by=town.moderator, author=None)
    assert (by_hall.wish_state, by_hall.asked_for_id) == ("shown", None)
    asked = unions.asked_by_facilitator(session, town.id, by=town.moderator, now=NOW)
    assert [each.id for each in asked] == [by_hall.id]
    assert unions.asked_by_facilitator(session, town.id, by=town.clerk, now=NOW) == []
    for row in (third, fourth):
        answer(session, by_hall, row)
    assert by_hall.state == UnionState.JOINED.value


def test_only_open_wishes_wait_and_a_reason_can_be_kept_back_after_the_merge(
    session: Session, town: Town
) -> None:
    goes, stays = propose(session, town), propose(session, town)
    dead = ask(session, goes, stays)
    assert side_words.waiting(session, town.id, None) == [stays.id]
    unions.withdraw(session, dead, by=PUBLIC, author=owner(session, goes), now=NOW)
    assert (dead.wish_state, side_words.waiting(session, town.id, None)) == ("waiting", [])
    union = ask(session, goes, stays, words=JOINT, reason="Ruft 0821 4711 an!", read_by=town.moderator)
    answer(session, union, stays)
    assert proposals.newest(session, stays.id or 0).number == union.resulting_number == 2
    for shows, public in ((True, "Ruft 0821 4711 an!"), (False, ""), (True, "Ruft 0821 4711 an!")):
        read(session, union, stays, by=town.moderator, shows=shows)
        assert unions.public_reasons(session, stays.id or 0) == {2: public}
    # A second one that changes no word names the same version: the reason there stays that of the first.
    second = propose(session, town)
    again = ask(session, second, stays, words=JOINT, base=2, reason="Auch so.", read_by=town.moderator)
    answer(session, again, stays)
    assert (again.state, unions.public_reasons(session, stays.id or 0)[2]) == ("joined", "Ruft 0821 4711 an!")


def test_joint_words_that_no_longer_fit_overwrite_nobody(session: Session, town: Town) -> None:
    goes, stays = propose(session, town), propose(session, town)
    union = ask(session, goes, stays, words=JOINT, read_by=town.moderator)
    revise(session, stays, {"what": WHAT.replace("Bänke", "Stühle")})
    clash = refused(Code.TEXT_MOVED_ON, lambda: answer(session, union, stays))
    assert clash.field == "what"
    session.rollback()


def test_a_proposal_is_divided_and_keeps_its_supports(session: Session, town: Town) -> None:
    row = propose(session, town)
    support.give(session, row.id or 0, Supporter("account:1"), by=PUBLIC, now=NOW)
    part = Submission(
        Kind.PROPOSAL, "web", "part", title="Schatten am Mühlbach", wants_publication=True,
        passages=(Passage("what", "Was?", "Sie brauchen Schatten."),),
    )  # fmt: skip
    facts: dict[str, Any] = {"procedure": town.procedure, "by": PUBLIC, "now": NOW}
    refused(Code.NOT_ALLOWED, lambda: unions.divide(session, row.id or 0, part, **facts))
    made = unions.divide(session, row.id or 0, part, author=owner(session, row), **facts)
    assert unions.divide(session, row.id or 0, part, author=owner(session, row), **facts) is made
    assert [support.counted(session, key) for key in (row.id or 0, made.contribution_id)] == [1, 0]
    (relation,) = proposals.relations_of(session, row.id or 0)
    assert (relation.from_id, relation.kind) == (made.contribution_id, RelationKind.SPLIT_FROM.value)
    # The facilitator divides it too: for its author, who can be reached as they said.
    assert unions.contact_of_owner(session, row.id or 0).is_anonymous
    told = propose(session, town, person=PersonInput(name="Rosa Rau", email="rosa@post.example"))
    contact = unions.contact_of_owner(session, told.id or 0)
    assert (contact.name, contact.email) == ("Rosa Rau", "rosa@post.example")
    theirs = replace(part, key="by-hall", person=contact)
    divided = unions.divide(session, told.id or 0, theirs, **{**facts, "by": town.moderator})
    (sent,) = session.exec(select(Notice).where(Notice.contribution_id == divided.contribution_id)).all()
    assert (sent.kind, sent.address) == ("receipt", "rosa@post.example")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_a_merge_never_changes_the_sum(session: Session, town: Town, seed: int) -> None:
    """Invariant 4, over invented courses: giving, taking back, merging, taking along, in any order."""
    random = Random(seed)
    rows = [propose(session, town) for _ in range(3)]
    parties = [Supporter(f"account:{number}") for number in range(4)]
    standing: dict[str, set[int]] = {each.party: set() for each in parties}
    said = {row.id or 0: say(session, town, row, "Gut so.").id or 0 for row in rows}
    gone: dict[int, int] = {}

    def kept() -> list[int]:
        numbers = [session.get_one(Proposal, row.id, populate_existing=True).supports for row in rows]
        assert numbers == [support.counted(session, row.id or 0) for row in rows]
        return numbers

    for _ in range(30):
        who, row = random.choice(parties), random.choice(rows)
        key, what, before = (
            row.id or 0,
            random.choice(("give", "give", "withdraw", "merge", "move", "mark")),
            sum(kept()),
        )
        if what == "give" and key not in gone:
            support.give(session, key, who, by=PUBLIC, now=NOW)
            standing[who.party].add(key)
        elif what == "mark" and key not in gone:
            # That somebody finds an argument good is no support, whatever comes before or after it.
            support.mark(session, key, said[key], who, by=PUBLIC, now=NOW)
            assert sum(kept()) == before
        elif what == "withdraw":
            support.withdraw(session, key, who, by=PUBLIC, now=NOW)
            standing[who.party].discard(key)
        elif what == "move" and key in gone:
            support.move(session, key, gone[key], who, by=PUBLIC, now=NOW)
            if key in standing[who.party] and gone[key] not in standing[who.party]:
                standing[who.party] ^= {key, gone[key]}
            assert sum(kept()) == before
        elif what == "merge" and key not in gone:
            stays = random.choice([each for each in rows if each is not row])
            if (stays.id or 0) not in gone:
                answer(session, ask(session, row, stays), stays)
                gone[key] = stays.id or 0
                assert sum(kept()) == before
    assert kept() == [sum(row.id in keys for keys in standing.values()) for row in rows]
    rows_kept = session.exec(select(Support).where(Support.argument_id.is_(None))).all()  # type: ignore[union-attr]
    assert all(each.turn >= 1 for each in rows_kept)
    moved = [each for each in rows_kept if each.act == "moved_here"]
    assert all(each.refers_to_id is not None for each in moved)
    assert STANDING == ("given", "moved_here")


def test_a_support_on_paper_comes_along_only_when_somebody_says_so(session: Session, town: Town) -> None:
    goes, stays = propose(session, town), propose(session, town)
    first = session.get_one(Proposal, goes.id)
    line = LineInput("Ida Kern", "Gasse 3", "86150", "Auenfurt", wants_news=True)
    sheet = support_lists.enter(session, first, [line], received_on=NOW.date(), by=town.clerk, now=NOW)
    support_lists.check(session, sheet, {}, key=b"k", by=town.planner, now=NOW)
    answer(session, ask(session, goes, stays), stays)
    assert [support.counted(session, row.id or 0) for row in (goes, stays)] == [1, 0]
    (kept,) = support_lists.lines_of(session, sheet.id or 0)
    refused(
        Code.NOT_ALLOWED,
        lambda: support_lists.move(session, sheet, kept, stays.id or 0, by=PUBLIC, now=NOW),
    )
    support_lists.move(session, sheet, kept, stays.id or 0, by=town.clerk, now=NOW)
    assert [support.counted(session, row.id or 0) for row in (goes, stays)] == [0, 1]
    assert proposing.owner_with_code(session, goes) is not None
