"""Proposals on both databases: versions that lose nothing, amendments, authors, supports, and what the public reads."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from consultations import (
    amendments,
    contributions,
    discussion,
    evidence,
    journal,
    moderation,
    procedures,
    proposals,
    proposing,
    published,
    publishing,
    rewording,
    side_words,
    support,
    unions,
)
from consultations.amendments import Amendment, AmendmentInput, Rejection
from consultations.cocreation import (
    SECTIONS,
    AmendmentState,
    Arrangement,
    Audience,
    Authoring,
    Limits,
    Naming,
    RelationKind,
    Section,
    new_section_key,
)
from consultations.contributions import Contribution, Kind, PublicationState, Submission
from consultations.discussion import Stance
from consultations.files import FolderStore
from consultations.moderation import Action, Decision, Reason
from consultations.people import PersonInput
from consultations.permissions import PUBLIC, Actor
from consultations.phases import Opens, PhaseInput, PhaseKind, phases_of
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.support import Supporter
from consultations.wording import Passage
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town

WHAT = "Am Mühlbach sollen Bänke stehen. Sie brauchen Schatten und eine Lehne."
WHY = "Viele Menschen gehen dort spazieren."


@pytest.fixture
def town(session: Session) -> Town:
    town = cast.found(session)
    dialogue = procedures.create(
        session,
        cast.consultation(
            key="ID-1",
            slug="ideen",
            phases=(
                PhaseInput(
                    PhaseKind.CO_CREATION,
                    starts_on=STARTS,
                    ends_on=ENDS,
                    opens=(Opens.PROPOSAL, Opens.COMMENT),
                ),
            ),
        ),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    town.procedure = publishing.publish(session, dialogue, by=town.planner, now=NOW)
    return town


def propose(session: Session, town: Town, *, shown: bool = True, **facts: Any) -> Contribution:
    passages = (
        Passage("what", "Was?", WHAT),
        Passage("why", "Warum?", WHY),
        Passage("cost", "Was kostet es?", ""),
    )
    facts = {"kind": Kind.PROPOSAL, "title": "Bänke am Mühlbach", "passages": passages, "text": "", **facts}
    row = town.hand_in(session, **{"wants_publication": True, "pseudonym": "Rosa", **facts})
    if shown:
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return row


def owner(session: Session, row: Contribution) -> proposals.ProposalAuthor:
    found = proposing.owner_with_code(session, row)
    assert found is not None
    return found


def revise(session: Session, row: Contribution, words: dict[str, str], base: int = 1, **facts: Any) -> int:
    author = facts.pop("author", None) or owner(session, row)
    made = proposing.revise(
        session, row.id or 0, words,
        **{"base_number": base, "language": "de", "by": PUBLIC, "author": author, "now": NOW, **facts},
    )  # fmt: skip
    return made.number


def amend(
    session: Session, town: Town, row: Contribution, words: dict[str, str], *, base: int = 1, shown: bool = True,
    key: str = "", **facts: Any,
) -> Amendment:  # fmt: skip
    town.keys += 1
    made = amendments.propose(
        session,
        row.id or 0,
        AmendmentInput(words, base, "de", **{"reason": "Das ist genauer.", **facts}),
        Submission(
            Kind.COMMENT, "web", key or f"amend-{town.keys}", wants_publication=True, pseudonym="Emil",
            person=PersonInput(name="Emil Amsel"),
        ),
        procedure=town.procedure,
        by=PUBLIC,
        now=NOW,
    )  # fmt: skip
    handed_in = session.get_one(Contribution, made.contribution_id)
    if shown and handed_in.publication == PublicationState.PENDING.value:
        moderation.decide(session, handed_in, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return made


def refused(code: Code, what: Callable[[], Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        what()
    assert caught.value.code is code
    return caught.value


def read(session: Session, town: Town, row: Contribution) -> published.Entry:
    entry = published.one(session, town.procedure.id or 0, row.reference)
    assert isinstance(entry, published.Entry)
    return entry


def test_what_comes_through_the_one_door_is_a_proposal_by_whatever_channel(
    session: Session, town: Town
) -> None:
    """Invariant 6: the same words by letter and online read the same."""
    web = propose(session, town)
    letter = propose(session, town, channel="letter", by=town.clerk)
    assert (web.text, web.title) == (letter.text, letter.title)
    assert web.text.startswith("Was?\nAm Mühlbach")
    first, second = (read(session, town, row) for row in (web, letter))
    assert (first.title, first.text, first.author, first.kind) == (
        second.title,
        second.text,
        second.author,
        second.kind,
    )
    for row in (web, letter):
        (version,) = proposals.versions_of(session, row.id or 0)
        assert (version.texts["de"]["why"], version.reason, version.channel) == (
            WHY,
            "handed_in",
            row.channel,
        )
        assert session.get_one(Proposal, row.id).is_listed
    comment = town.hand_in(session, kind=Kind.COMMENT, parent=web)
    assert proposals.by_contribution(session, comment.id or 0) is None


def test_versions_are_only_added_and_their_chain_shows_who_touched_it(
    session: Session, town: Town, tmp_path: Any
) -> None:
    """Invariant 1: replayed from the first version, each receipt fits the one before it."""
    row = propose(session, town)
    assert revise(session, row, {"cost": "Etwa 9.000 €"}, note="Die Kosten fehlten.") == 2
    assert revise(session, row, {"why": WHY + " Auch im Winter."}, base=2) == 3
    chain = proposals.versions_of(session, row.id or 0)
    assert proposals.broken(chain) == []
    assert [each.base_number for each in chain] == [None, 1, 2]
    replayed: dict[str, str] = {}
    for each in chain:
        replayed |= each.texts["de"]
    assert replayed == proposals.newest(session, row.id or 0).texts["de"]
    assert refused(
        Code.NOTHING_CHANGED, lambda: revise(session, row, {"why": WHY + " Auch im Winter."}, base=3)
    )
    refused(Code.SECTION_UNKNOWN, lambda: revise(session, row, {"evil": "x"}, base=3))
    store = FolderStore(tmp_path)
    assert list(evidence.examine(session, store)) == []
    session.execute(text("UPDATE proposal_version SET note = 'anders' WHERE number = 2"))
    session.expire_all()
    (found,) = evidence.examine(session, store)
    assert (found.subject, found.problem) == (f"proposal:{row.id}/2", "version_altered")
    session.execute(text("DELETE FROM proposal_version WHERE number = 3"))
    session.expire_all()
    assert "version_altered" in {each.problem for each in evidence.examine(session, store)}


def test_two_who_write_at_once_keep_both_their_words(session: Session, town: Town) -> None:
    row = propose(session, town)
    revise(session, row, {"what": WHAT.replace("Bänke", "sechs Bänke")})
    # The other had opened version 1: another place in the same section, then the same words.
    assert revise(session, row, {"what": WHAT.replace("eine Lehne", "eine Rückenlehne")}) == 3
    words = proposals.newest(session, row.id or 0).texts["de"]["what"]
    assert words == "Am Mühlbach sollen sechs Bänke stehen. Sie brauchen Schatten und eine Rückenlehne."
    clash = refused(
        Code.TEXT_MOVED_ON, lambda: revise(session, row, {"what": WHAT.replace("Bänke", "Stühle")})
    )
    assert (clash.field, session.get_one(Proposal, row.id).newest_number) == ("what", 3)


def test_the_public_reads_a_later_version_once_a_moderator_has_read_it(session: Session, town: Town) -> None:
    row = propose(session, town)
    revise(session, row, {"title": "Sechs Bänke am Mühlbach"})
    assert read(session, town, row).title == "Bänke am Mühlbach"
    ((waiting, version),) = proposing.waiting_versions(session, town.id)
    assert (waiting.id, version.number) == (row.id, 2)
    proposing.show(session, row, version, by=town.moderator, now=NOW)
    entry = read(session, town, row)
    assert (entry.title, entry.is_redacted, entry.author) == ("Sechs Bänke am Mühlbach", False, "Rosa")
    assert proposing.shown(session, row) == proposing.Shown(2, (1, 2))
    assert published.listed(session, town.procedure.id or 0, published.Wanted(words="sechs")).total == 1
    moderation.undo(session, row, by=town.moderator, now=NOW)
    assert read(session, town, row).title == "Bänke am Mühlbach"
    assert [number.number for _, number in proposing.waiting_versions(session, town.id)] == [2]
    refused(
        Code.REASON_REQUIRED,
        lambda: proposing.return_version(
            session, row, version, Decision(Action.RETURN), by=town.moderator, now=NOW
        ),
    )
    proposing.return_version(
        session, row, version, Decision(Action.RETURN, Reason.ADVERTISING), by=town.moderator, now=NOW
    )
    assert proposing.waiting_versions(session, town.id) == []
    assert read(session, town, row).title == "Bänke am Mühlbach"


def test_what_was_blacked_out_stays_so_in_later_versions(session: Session, town: Town) -> None:
    row = propose(session, town, shown=False)
    redacted = Decision(
        Action.REDACT, Reason.PERSONAL_DATA, title=row.title, text="Am Mühlbach sollen ███ stehen."
    )
    moderation.decide(session, row, redacted, by=town.moderator, now=NOW)
    assert proposing.shown(session, row) == proposing.Shown(None, ())
    refused(Code.NOT_FOUND, lambda: amend(session, town, row, {"what": "Anders."}))
    revise(session, row, {"what": "Am Mühlbach sollen Bänke stehen."})
    proposing.show(session, row, proposals.newest(session, row.id or 0), by=town.moderator, now=NOW)
    assert proposing.shown(session, row) == proposing.Shown(2, (2,)), (
        "version 1 can be neither read nor compared"
    )
    entry = read(session, town, row)
    assert entry.is_redacted
    assert entry.author == "", "the name that was left out with it stays left out"
    assert "Bänke" in entry.text


def test_an_amendment_is_merged_credited_and_shown(session: Session, town: Town, tmp_path: Any) -> None:
    row = propose(session, town)
    made = amend(session, town, row, {"what": WHAT.replace("eine Lehne", "eine Armlehne")}, key="once")
    assert amend(session, town, row, {"what": "x"}, key="once").id == made.id, "sent twice, it is one"
    handed_in = session.get_one(Contribution, made.contribution_id)
    assert "eine Armlehne" in handed_in.text
    assert "Das ist genauer." in handed_in.text
    revise(session, row, {"what": WHAT.replace("Bänke", "sechs Bänke")})
    proposing.show(session, row, proposals.newest(session, row.id or 0), by=town.moderator, now=NOW)
    refused(Code.NOT_ALLOWED, lambda: amendments.accept(session, made, by=PUBLIC, now=NOW))
    amendments.accept(session, made, by=PUBLIC, author=owner(session, row), now=NOW)
    assert (made.state, made.resulting_number) == (AmendmentState.ACCEPTED.value, 3)
    newest = proposals.newest(session, row.id or 0)
    assert (
        newest.texts["de"]["what"]
        == "Am Mühlbach sollen sechs Bänke stehen. Sie brauchen Schatten und eine Armlehne."
    )
    assert proposing.shown(session, row).number == 3, "nothing stands there that no moderator has read"
    names = [
        (author.name, author.role)
        for author in proposals.credited(proposals.authors_of(session, row.id or 0))
    ]
    assert names == [("Rosa", "owner"), ("Emil", "coauthor")]
    refused(
        Code.AMENDMENT_CLOSED,
        lambda: amendments.accept(session, made, by=PUBLIC, author=owner(session, row), now=NOW),
    )
    # A name goes with what is blacked out later in the amendment that brought it, and comes back with it.
    public = lambda: proposing.public_names(session, proposals.authors_of(session, row.id or 0))  # noqa: E731
    assert (public(), amendments.blacked_out(session, row.id or 0)) == (("Rosa", "Emil"), set())
    black = Decision(Action.REDACT, Reason.PERSONAL_DATA, title=handed_in.title, text="███")
    for decision in (black, Decision(Action.WITHHOLD, Reason.PERSONAL_DATA)):
        moderation.decide(session, handed_in, decision, by=town.moderator, now=NOW)
        assert (public(), amendments.blacked_out(session, row.id or 0)) == (("Rosa",), {made.id})
        moderation.undo(session, handed_in, by=town.moderator, now=NOW)
        assert public() == ("Rosa", "Emil")
    assert list(evidence.examine(session, FolderStore(tmp_path))) == []


def test_what_was_blacked_out_in_an_amendment_does_not_come_in_with_it(session: Session, town: Town) -> None:
    row = propose(session, town)
    made = amend(session, town, row, {"what": WHAT + " Fragen Sie Otto, Tel. 0170."}, shown=False)
    handed_in = session.get_one(Contribution, made.contribution_id)
    assert not amendments.is_readable(session, made)
    redacted = Decision(Action.REDACT, Reason.PERSONAL_DATA, title=handed_in.title, text="Fragen Sie ███.")
    moderation.decide(session, handed_in, redacted, by=town.moderator, now=NOW)
    accept = lambda: amendments.accept(session, made, by=PUBLIC, author=owner(session, row), now=NOW)  # noqa: E731
    assert amendments.public_patches(session, made) is None, "nor does the owner read it"
    refused(Code.AMENDMENT_BLACKED_OUT, accept)
    # Where only the reason was blacked out, its words are public and the owner may take them in.
    moderation.undo(session, handed_in, by=town.moderator, now=NOW)
    text = f"{WHAT} Fragen Sie Otto, Tel. 0170.\n\n███"
    moderation.decide(session, handed_in, replace(redacted, text=text), by=town.moderator, now=NOW)
    assert amendments.public_patches(session, made) == amendments.patches_in(made)
    accept()
    assert "0170" not in read(session, town, row).text
    assert proposing.shown(session, row) == proposing.Shown(1, (1,))
    ((_, version),) = proposing.waiting_versions(session, town.id)
    assert (version.number, version.note) == (2, ""), (
        "a moderator reads it first, without the reason blacked out"
    )
    credited = proposals.credited(proposals.authors_of(session, row.id or 0))
    assert [each.name for each in credited] == ["Rosa", ""]


def test_names_and_answers_beside_a_proposal_are_read_by_a_moderator_first(
    session: Session, town: Town
) -> None:
    row = propose(session, town)
    key, first = row.id or 0, owner(session, row)
    asked = proposing.invite(session, key, by=PUBLIC, author=first, now=NOW).author
    proposing.reply(session, asked, accepts=True, name="Otto, Tel. 0170", by=PUBLIC, now=NOW)
    made = amend(session, town, row, {"why": WHY + " Viele."})
    amendments.reject(session, made, Rejection.UNCLEAR, "Pass bloß auf!", by=PUBLIC, author=first, now=NOW)
    names = lambda: proposing.public_names(session, proposals.authors_of(session, key))  # noqa: E731
    assert (names(), amendments.public_answer(made)) == (("Rosa",), "")
    assert side_words.waiting(session, town.id, None) == [key]
    assert side_words.waiting(session, town.id, []) == []
    proposal = session.get_one(Proposal, key)

    def decide(each: side_words.SideWords, shows: bool, **facts: Any) -> None:
        said = {"seen": each.words, "by": town.moderator, "now": NOW, **facts}
        side_words.decide(session, proposal, each.kind, each.key, shows=shows, **said)

    name, answer = side_words.beside(session, key)
    refused(Code.NOT_ALLOWED, lambda: decide(name, True, by=town.clerk))
    refused(Code.REASON_REQUIRED, lambda: decide(answer, False))
    refused(Code.DECIDED_MEANWHILE, lambda: decide(answer, True, seen="Danke!"))
    refused(Code.NOT_FOUND, lambda: decide(replace(name, key=10_000), True))
    decide(name, False, reason=Reason.PERSONAL_DATA)
    decide(answer, False, reason=Reason.INSULT)
    assert (side_words.waiting(session, town.id, None), names()) == ([], ("Rosa",))
    decide(name, True)
    decide(answer, True)
    assert (names(), amendments.public_answer(made)) == (("Rosa", "Otto, Tel. 0170"), "Pass bloß auf!")
    # What the town hall itself answers has been read by somebody of the town hall.
    other = amend(session, town, row, {"why": WHY + " Sehr viele."})
    late = NOW + timedelta(days=20)
    amendments.reject(session, other, Rejection.UNCLEAR, "Zu kurz.", by=town.moderator, now=late)
    assert amendments.public_answer(other) == "Zu kurz."
    journalled = [each.verb for each in session.exec(select(journal.JournalEntry)).all()]
    assert journalled.count("side_words_withheld") == journalled.count("side_words_shown") == 2


def test_accepting_two_amendments_of_different_sections_commutes(session: Session, town: Town) -> None:
    """Invariant 2, in the database."""
    ends = []
    for order in ((0, 1), (1, 0)):
        row = propose(session, town)
        both = [
            amend(session, town, row, {"why": "Weil Schatten fehlt."}),
            amend(session, town, row, {"cost": "Etwa 9.000 €"}),
        ]
        for which in order:
            amendments.accept(session, both[which], by=PUBLIC, author=owner(session, row), now=NOW)
        ends.append(proposals.newest(session, row.id or 0).texts)
    assert ends[0] == ends[1]


def test_a_clash_overwrites_nobody_and_can_be_renewed(session: Session, town: Town) -> None:
    row = propose(session, town)
    made = amend(session, town, row, {"what": WHAT.replace("Bänke", "Liegen")})
    revise(session, row, {"what": WHAT.replace("Bänke", "Stühle")})
    proposing.show(session, row, proposals.newest(session, row.id or 0), by=town.moderator, now=NOW)
    amendments.accept(session, made, by=PUBLIC, author=owner(session, row), now=NOW)
    assert made.state == AmendmentState.OUTDATED.value
    assert "Stühle" in proposals.newest(session, row.id or 0).texts["de"]["what"]
    renewed = amend(
        session, town, row, {"what": WHAT.replace("Bänke", "Stühle und Liegen")}, base=2, renews=made
    )
    assert (made.state, renewed.renews_id) == (AmendmentState.WITHDRAWN.value, made.id)
    amendments.accept(session, renewed, by=PUBLIC, author=owner(session, row), now=NOW)
    assert "Stühle und Liegen" in proposals.newest(session, row.id or 0).texts["de"]["what"]


def test_silence_passes_the_decision_on_and_a_rejection_can_stand_for_itself(
    session: Session, town: Town
) -> None:
    row = propose(session, town)
    made = amend(session, town, row, {"what": "Am Mühlbach soll ein Spielplatz entstehen."})
    why, words = Rejection.OTHER_AIM, "Das ist ein eigener Vorschlag."
    early = refused(
        Code.OWNER_DECIDES, lambda: amendments.reject(session, made, why, words, by=town.moderator, now=NOW)
    )
    assert early.facts["until"] == made.owner_until
    later = NOW + timedelta(days=15)
    ((waiting, _),) = amendments.waiting_for_facilitator(session, town.id, by=town.moderator, now=later)
    assert waiting.id == made.id
    assert amendments.waiting_for_facilitator(session, town.id, by=town.clerk, now=later) == []
    refused(
        Code.REASON_REQUIRED, lambda: amendments.reject(session, made, why, " ", by=town.moderator, now=later)
    )
    amendments.reject(session, made, why, words, by=town.moderator, now=later)
    assert (made.state, made.decided_part) == ("rejected", "facilitator")
    form = Submission(Kind.PROPOSAL, "web", "promoted", wants_publication=True)
    new = amendments.promote(session, made, form, procedure=town.procedure, by=PUBLIC, now=NOW)
    again = amendments.promote(session, made, form, procedure=town.procedure, by=PUBLIC, now=NOW)
    assert new.contribution_id == again.contribution_id
    (relation,) = proposals.relations_of(session, row.id or 0)
    assert (relation.from_id, relation.kind) == (new.contribution_id, RelationKind.PROMOTED_FROM.value)
    assert proposals.newest(session, new.contribution_id).texts["de"] | {"cost": ""} == {
        "title": row.title, "what": "Am Mühlbach soll ein Spielplatz entstehen.", "why": WHY, "cost": "",
    }  # fmt: skip


def test_authors_come_leave_and_hand_over(session: Session, town: Town) -> None:
    row = propose(session, town)
    first = owner(session, row)
    asked = proposing.invite(session, row.id or 0, name="Ayşe", way="paper", by=PUBLIC, author=first, now=NOW)
    assert asked.secret not in asked.author.model_dump().values(), "only the hash is kept"
    assert proposing.author_by_secret(session, town.id, asked.secret) is asked.author
    typed = f"{asked.code[:4].lower()} {asked.code[4:]}"
    assert proposing.author_by_code(session, town.id, typed) is asked.author
    assert proposing.author_by_secret(session, town.id + 1, asked.secret) is None
    joined = proposing.reply(session, asked.author, accepts=True, name="Ayşe K.", by=PUBLIC, now=NOW)
    revise(session, row, {"cost": "9.000 €"}, author=joined)
    refused(Code.LAST_OWNER, lambda: proposing.leave(session, first, by=PUBLIC, now=NOW))
    proposing.hand_over(session, first, joined, by=PUBLIC, now=NOW)
    proposing.leave(session, first, by=PUBLIC, now=NOW)
    people = proposals.authors_of(session, row.id or 0)
    assert proposals.owner_of(people) is joined
    assert [author.name for author in proposals.credited(people)] == ["Rosa", "Ayşe K."]
    refused(Code.NOT_ALLOWED, lambda: revise(session, row, {"cost": "1 €"}, base=2, author=first))
    assert proposing.owner_with_code(session, row) is None, "who left changes nothing with the old code"


def test_a_locked_text_stands_still_and_who_wrote_along_may_still_go(session: Session, town: Town) -> None:
    row = propose(session, town)
    first = owner(session, row)
    asked = proposing.invite(session, row.id or 0, by=PUBLIC, author=first, now=NOW)
    proposing.reply(session, asked.author, accepts=True, by=PUBLIC, now=NOW)
    proposing.lock(session, row.id or 0, by=town.moderator, now=NOW)
    closed = refused(Code.PROPOSAL_CLOSED, lambda: revise(session, row, {"cost": "9 €"}))
    assert closed.facts["state"] == Authoring.LOCKED.value
    proposing.leave(session, asked.author, keeps_credit=False, by=PUBLIC, now=NOW)
    proposing.withdraw(session, row.id or 0, proposing.Why.DONE, by=PUBLIC, author=first, now=NOW)
    moved = refused(Code.PROPOSAL_CLOSED, lambda: amend(session, town, row, {"cost": "9 €"}))
    assert moved.facts["state"] == Authoring.WITHDRAWN.value
    assert read(session, town, row).title == row.title, "it stays readable for those who supported it"


def test_support_counts_once_and_moves_only_with_consent(session: Session, town: Town) -> None:
    """Invariant 4: whatever is merged, the sum never changes."""
    here, there = propose(session, town), propose(session, town)
    ids = (here.id or 0, there.id or 0)
    anna, ben = Supporter("account:1"), Supporter("browser:ff")
    line = Supporter("paper:3", channel="letter")

    def counts() -> list[int]:
        kept = [session.get_one(Proposal, number, populate_existing=True).supports for number in ids]
        assert kept == [support.counted(session, number) for number in ids], (
            "what is kept is what the rows say"
        )
        return kept

    for _ in range(2):
        for who, by in ((anna, PUBLIC), (ben, PUBLIC), (line, town.clerk)):
            support.give(session, ids[0], who, by=by, now=NOW)
    support.give(session, ids[1], ben, by=PUBLIC, now=NOW)
    assert counts() == [3, 1]
    refused(Code.NOT_ALLOWED, lambda: support.give(session, ids[1], line, by=PUBLIC, now=NOW))
    for who in (anna, ben, Supporter("browser:nobody")):
        support.move(session, *ids, who, by=PUBLIC, now=NOW)
    assert counts() == [2, 2], "who supported both keeps both, who said nothing stays"
    support.withdraw(session, ids[1], anna, by=PUBLIC, now=NOW)
    assert counts() == [2, 1]
    assert not support.supports(session, ids[1], anna.party)
    support.give(session, ids[1], anna, by=PUBLIC, now=NOW)
    phase = session.get_one(Proposal, ids[0]).phase_id or 0
    support.link(session, ids[0], phase, ben.party, line.party, by=town.clerk, now=NOW)
    assert counts() == [1, 2], "one person on paper and online is linked, not dropped"
    support.give(session, ids[0], line, by=town.clerk, now=NOW)
    assert counts() == [1, 2]
    rows = session.exec(select(support.Support).where(support.Support.proposal_id == ids[0])).all()
    assert sorted(row.act for row in rows) == ["given", "given", "given", "linked", "moved_away"]
    assert list(journal.verify(session)) == []


def say(
    session: Session, town: Town, row: Contribution, words: str, stance: Stance = Stance.FOR,
    answers: int | None = None, *, shown: bool = True, **facts: Any,
) -> Contribution:  # fmt: skip
    town.keys += 1
    form = Submission(
        Kind.COMMENT, facts.pop("channel", "web"), f"say-{town.keys}", text=words, wants_publication=True, **facts
    )  # fmt: skip
    made = discussion.comment(
        session, row.id or 0, stance, form, answers_id=answers, procedure=town.procedure, by=PUBLIC, now=NOW
    )
    if shown:
        moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return made


def test_comments_are_two_deep_and_in_an_order_of_chance_that_stays(session: Session, town: Town) -> None:
    row = propose(session, town)
    tops = [say(session, town, row, f"Dafür {number}") for number in range(6)]
    answer = say(session, town, row, "Warum?", Stance.QUESTION, tops[0].id)
    deeper = say(session, town, row, "Darum.", Stance.REMARK, answer.id)
    assert (answer.parent_id, deeper.parent_id) == (tops[0].id, tops[0].id), (
        "an answer to an answer is one beside it"
    )
    said, total = discussion.talk(session, row.id or 0, seed="a")
    again, _ = discussion.talk(session, row.id or 0, seed="a")
    other, _ = discussion.talk(session, row.id or 0, seed="bcd")
    order = [each.contribution.id for each in said]
    assert total == 6
    assert order == [each.contribution.id for each in again] != [each.contribution.id for each in other]
    (talked,) = [each for each in said if each.contribution.id == tops[0].id]
    assert [each.text for each in talked.answers] == ["Warum?", "Darum."]
    assert discussion.talk(session, row.id or 0, seed="a", stance=Stance.AGAINST) == ([], 0)
    assert discussion.stances(session, row.id or 0) == {"for": 6}
    rest, all_of_them = discussion.talk(session, row.id or 0, seed="a", without=order[:4])
    assert ([each.contribution.id for each in rest], all_of_them) == (order[4:], 6)
    amend(session, town, row, {"what": "Drei Bänke."})
    assert published.answer_counts(session, [row.id or 0]) == {row.id: 6}, (
        "lists count what the page does: no answers, no amendments"
    )
    assert session.get_one(Proposal, row.id, populate_existing=True).attention == 9


def test_a_good_argument_is_marked_once_whoever_marks_it_and_is_no_support(
    session: Session, town: Town
) -> None:
    row = propose(session, town)
    key = row.id or 0
    pro = [say(session, town, row, f"Dafür {number}").id or 0 for number in range(5)]
    contra = [say(session, town, row, f"Dagegen {number}", Stance.AGAINST).id or 0 for number in range(2)]
    question = say(session, town, row, "Wo?", Stance.QUESTION)
    ana, ben = Supporter("browser:ana"), Supporter("browser:ben")
    account = Supporter(f"account:{town.planner.person_id}", "web", town.planner.person_id)

    def mark(who: Supporter, argument: int, *also: str) -> dict[int, int]:
        support.mark(session, key, argument, who, also=also, by=PUBLIC, now=NOW)
        return support.marked(session, key)

    def unmark(who: Supporter, argument: int) -> dict[int, int]:
        support.unmark(session, key, argument, who, by=PUBLIC, now=NOW)
        return support.marked(session, key)

    assert mark(ana, pro[3]) == mark(ana, pro[3]) == {pro[3]: 1}, "once per person"
    assert mark(ana, contra[1]) == {pro[3]: 1, contra[1]: 1}, "on both sides, as often as somebody likes"
    assert mark(ben, pro[3]) == {pro[3]: 2, contra[1]: 1}
    assert mark(account, pro[3], ben.party) == {pro[3]: 2, contra[1]: 1}, "the browser is the account's"
    assert mark(ben, pro[3]) == {pro[3]: 2, contra[1]: 1}
    assert support.is_linked(session, key, ben.party, pro[3])
    # Supports and marks of the same party know nothing of each other, in whatever order they come.
    support.give(session, key, ana, by=PUBLIC, now=NOW)
    assert unmark(ana, pro[3]) == {pro[3]: 1, contra[1]: 1}
    assert (support.counted(session, key), support.supports(session, key, ana.party)) == (1, True)
    phase = session.get_one(Proposal, key).phase_id or 0
    assert support.used(session, phase, [ana.party, ben.party]) == {key}
    assert mark(ana, pro[3]) == {pro[3]: 2, contra[1]: 1}
    support.withdraw(session, key, ana, by=PUBLIC, now=NOW)
    assert (support.counted(session, key), support.marked(session, key)) == (0, {pro[3]: 2, contra[1]: 1})
    proposal = session.get_one(Proposal, key, populate_existing=True)
    assert (proposal.supports, proposal.attention) == (0, 8), "only comments and supports are attention"

    # Three of each side; the most marked first where numbers may be seen, by the visitor's chance where not.
    marks = support.marked(session, key)
    firsts = set()
    for seed in "abcdefghij":
        sides = discussion.both_sides(session, key, seed=seed, marks=marks)
        assert sides == discussion.both_sides(session, key, seed=seed, marks=marks), "it stays for a visitor"
        found = {side.stance: [each.contribution.id for each in side.said] for side in sides}
        assert (found[Stance.FOR][0], found[Stance.AGAINST]) == (pro[3], [contra[1], contra[0]])
        assert {side.stance: (len(side.said), side.total) for side in sides} == {
            Stance.FOR: (3, 5), Stance.AGAINST: (2, 2),
        }  # fmt: skip
        chance = {side.stance: side.said for side in discussion.both_sides(session, key, seed=seed)}
        firsts.add((sides[0].stance, chance[Stance.FOR][0].contribution.id))
    assert {stance for stance, _ in firsts} == {Stance.FOR, Stance.AGAINST}
    assert len({number for _, number in firsts}) > 1, "without numbers no argument is always first"
    listed, total = discussion.talk(session, key, seed="a", stance=Stance.FOR, marks=marks, limit=2)
    rest, _ = discussion.talk(
        session, key, seed="a", stance=Stance.FOR, marks=marks, after=listed[-1].contribution.id or 0
    )
    assert total == 5
    assert sorted(each.contribution.id or 0 for each in (*listed, *rest)) == pro, "page by page, each once"
    assert discussion.argument(session, key, session.get(Contribution, pro[0])) is Stance.FOR
    assert discussion.argument(session, key, question) is None
    assert discussion.argument(session, key, row) is None

    # Whether numbers are seen follows the phase as it does for supports.
    (running,) = phases_of(session, town.procedure.id or 0)
    assert support.shows_counts(running, now=NOW, is_opened=True)
    running.facts = {"co_creation": {"counts": "closed"}}
    assert not support.shows_counts(running, now=NOW, is_opened=True)
    assert support.shows_counts(running, now=NOW + timedelta(days=400), is_opened=True)
    with pytest.raises(Refusal) as refused:
        support.mark(session, key, pro[0], ana, by=PUBLIC, now=NOW + timedelta(days=400))
    assert refused.value.code is Code.NOT_OPENED
    assert list(journal.verify(session)) == []


def test_a_comment_written_anew_keeps_what_was_handed_in_and_is_read_by_a_moderator_first(
    session: Session, town: Town, tmp_path: Path
) -> None:
    row = propose(session, town)
    made = say(session, town, row, "Die Bänke sind gut, die Farbe ist hässlich.", pseudonym="Emil")

    def reword(words: str, base: int, comment: Contribution = made, **facts: Any) -> rewording.Wording:
        return rewording.reword(
            session, comment.id or 0, words, base_number=base, **{"by": PUBLIC, "now": NOW, **facts}
        )

    def public(comment: Contribution = made) -> tuple[str, int | None, bool, str]:
        (entry,) = published.by_ids(session, town.procedure.id or 0, [comment.id or 0])
        return entry.text, entry.version, entry.is_redacted, entry.author

    def refused(words: str, base: int, **facts: Any) -> Code:
        with pytest.raises(Refusal) as refusal:
            reword(words, base, **facts)
        return refusal.value.code

    assert refused("", 1) is Code.EMPTY_CONTRIBUTION
    assert refused(made.text, 1) is Code.NOTHING_CHANGED
    second = reword("Die Bänke sind gut, die Farbe gefällt mir nicht.", 1)
    assert reword("Die Bänke sind gut, die Farbe gefällt mir nicht.", 1) == second, "sent twice it is one"
    assert refused("Ganz anders.", 1) is Code.TEXT_MOVED_ON, "two windows: the later one sees what stands"
    assert public() == ("Die Bänke sind gut, die Farbe ist hässlich.", None, False, "Emil")
    ((waits, version),) = rewording.waiting(session, town.id)
    assert (waits.id, version.number) == (made.id, 2)
    rewording.show(session, made, second, by=town.moderator, now=NOW)
    assert (public()[:2], rewording.waiting(session, town.id)) == ((second.text, 2), [])
    assert rewording.changes(session, {made.id or 0: 2}) == {made.id: rewording.Change(NOW, NOW, 2, 1)}
    assert proposing.shown(session, made).readable == (1, 2)

    # Given back: everybody reads the one before, and the author can go on.
    third = reword("Die Bänke sind gut. Kauft bei mir!", 2)
    back = Decision(Action.RETURN, Reason.ADVERTISING, "Bitte ohne Werbung.")
    rewording.give_back(session, made, third, back, by=town.moderator, now=NOW)
    assert (public()[:2], rewording.waiting(session, town.id)) == ((second.text, 2), [])
    moderation.undo(session, made, by=town.moderator, now=NOW)
    assert [each.number for _, each in rewording.waiting(session, town.id)] == [3]

    # What is blacked out takes the wordings before it along; a later one is read in full, without the name.
    black = Decision(Action.REDACT, Reason.INSULT, text="Die Bänke sind gut, ███")
    moderation.decide(session, made, black, by=town.moderator, now=NOW)
    assert public() == ("Die Bänke sind gut, ███", None, True, "")
    fourth = reword("Die Bänke sind gut.", 3)
    rewording.show(session, made, fourth, by=town.moderator, now=NOW)
    assert public() == (fourth.text, 4, True, "")
    assert rewording.changes(session, {made.id or 0: 4})[made.id or 0].earlier is None

    # Each is read by somebody, so there are few a day; the counter may go on, for whoever wrote or called.
    reword("Fünf.", 4), reword("Sechs.", 5)
    assert refused("Sieben.", 6) is Code.REWORDED_TOO_OFTEN
    assert refused("Sieben.", 6, channel="letter") is Code.NOT_ALLOWED
    assert reword("Sieben.", 6, channel="letter", by=town.clerk).number == 7
    assert reword("Acht.", 7, now=NOW + timedelta(days=1, seconds=1)).number == 8
    on_paper = say(session, town, row, "Auf Papier.", channel="web", shown=False)
    reword("Noch ungelesen, schon anders.", 1, on_paper)
    assert [each.id for each, _ in rewording.waiting(session, town.id)] == [made.id], "the queue comes first"
    contributions.retract(session, on_paper, by=PUBLIC, now=NOW)
    assert refused("Nein.", 2, comment=on_paper) is Code.WRONG_STATE
    assert refused("Nein.", 1, comment=row) is Code.NOT_FOUND, "a proposal has its own way"

    assert session.get_one(Contribution, made.id).text == "Die Bänke sind gut, die Farbe ist hässlich."
    assert list(rewording.examine(session)) == []
    session.execute(
        text(f"UPDATE comment_version SET text = 'x' WHERE number = 2 AND comment_id = {made.id}")
    )
    session.execute(text("DELETE FROM comment_version WHERE number = 4"))
    broken = [
        (each.subject.rpartition("/")[2], each.problem)
        for each in evidence.examine(session, FolderStore(tmp_path))
    ]
    assert broken == [("2", "version_altered"), ("5", "version_missing")]


def test_nothing_is_taken_in_that_the_phase_does_not_open(session: Session, town: Town) -> None:
    row = propose(session, town)
    (phase,) = phases_of(session, town.procedure.id or 0)
    phase.facts = {"co_creation": {"opens": ["comment", "support"]}}
    session.add(phase)
    session.flush()
    said = refused(Code.NOT_OPENED, lambda: revise(session, row, {"cost": "9 €"}))
    assert said.facts["opening"] == "revise"
    # The planner says so with a reason; a limit without its ground in law is refused.
    stands = proposing.arrangement_of(phase)
    facts: dict[str, Any] = {"by": town.planner, "now": NOW, "note": "Eine Unterstützung je Person"}
    for limits in (Limits(per_person=1), Limits(per_person=1, ground="Satzung §3")):
        limited = replace(stands, limits=limits)
        refused(
            Code.REASON_REQUIRED,
            lambda limited=limited: proposing.arrange(session, town.procedure, phase, limited, **facts),
        )
    lawful = replace(stands, limits=Limits(per_person=1, ground="Satzung §3", contact="Frau Kern"))
    proposing.arrange(session, town.procedure, phase, lawful, **facts)
    other = propose(session, town)
    support.give(session, row.id or 0, Supporter("account:9"), by=PUBLIC, now=NOW)
    full = refused(
        Code.SUPPORT_LIMIT,
        lambda: support.give(session, other.id or 0, Supporter("account:9"), by=PUBLIC, now=NOW),
    )
    assert full.facts["limit"] == 1
    # A slip that lies at the counter is taken in all the same; so is what came before the end.
    by: Actor = town.clerk
    assert revise(session, row, {"cost": "9 €"}, channel="letter", by=by, note="Auf Papier") == 2
    refused(Code.NOT_ALLOWED, lambda: revise(session, row, {"cost": "8 €"}, base=2, channel="letter"))


def test_a_phase_asks_for_a_name_and_publishes_none(session: Session, town: Town) -> None:
    before = propose(session, town, pseudonym="")
    (phase,) = phases_of(session, town.procedure.id or 0)

    def ask(naming: Naming) -> None:
        arranged = replace(proposing.arrangement_of(phase), naming=naming)
        proposing.arrange(session, town.procedure, phase, arranged, by=town.planner, now=NOW, note="Namen")

    def say(**facts: Any) -> Contribution:
        return town.hand_in(session, **{"kind": Kind.COMMENT, "wants_publication": True, **facts})

    named, body = PersonInput(name="Emil Amsel"), PersonInput(organisation="Bachverein")
    ask(Naming.CHOSEN)
    for facts in ({}, {"channel": "letter", "by": town.clerk}):
        assert refused(Code.SOME_NAME_REQUIRED, lambda facts=facts: say(**facts)).field == "pseudonym"
    assert (say(pseudonym="Rosa").pseudonym, say(person=named).pseudonym) == ("Rosa", "")
    ask(Naming.OWN)
    for facts in ({"pseudonym": "Rosa"}, {"pseudonym": "Rosa", "channel": "letter", "by": town.clerk}):
        assert refused(Code.OWN_NAME_REQUIRED, lambda facts=facts: say(**facts)).field == "name"
        refused(Code.OWN_NAME_REQUIRED, lambda facts=facts: propose(session, town, **facts))
    assert say(person=body).pseudonym == ""
    # The name stays with the town hall: nobody reads it beside what was said.
    spoken = say(person=named)
    moderation.decide(session, spoken, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    (entry,) = published.by_ids(session, town.procedure.id or 0, [spoken.id or 0])
    assert entry.author == ""
    # What came before stays, and so does what grows out of it; a statement is never asked.
    assert say(supplements=before, kind=Kind.PROPOSAL).supplements_id == before.id
    part = unions.divide(
        session,
        before.id or 0,
        Submission(Kind.PROPOSAL, "web", "part", title="Lehnen", text="Mit Lehnen."),
        procedure=town.procedure,
        by=PUBLIC,
        author=owner(session, before),
        now=NOW,
    )
    assert part.procedure_id == town.procedure.id
    phase.opens = [*phase.opens, Opens.STATEMENT.value]
    session.add(phase)
    session.flush()
    assert say(kind=Kind.STATEMENT).phase_id == phase.id


def test_a_phase_says_who_may_propose_and_comment_and_asks_paper_for_no_account(
    session: Session, town: Town
) -> None:
    proposal = propose(session, town)
    (phase,) = phases_of(session, town.procedure.id or 0)
    limits = Limits(minimum_age=14, ground="Satzung §2", contact="Frau Kern")

    def ask(**facts: Any) -> None:
        phase.facts = phase.facts | {"co_creation": Arrangement(**facts).as_facts()}
        session.add(phase)
        session.flush()

    def comment(**facts: Any) -> Contribution:
        return town.hand_in(session, **{"kind": Kind.COMMENT, "wants_publication": True, **facts})

    letter = {"channel": "letter", "by": town.clerk}
    ask(audience=Audience.RESIDENTS, limits=limits)
    assert comment().phase_id == phase.id, "unless it says so, supports and votes alone are limited"
    ask(audience=Audience.RESIDENTS, limits=replace(limits, ground=""), for_writing=True)
    assert comment().phase_id == phase.id, "a limit without its ground binds nobody"
    ask(audience=Audience.RESIDENTS, limits=limits, for_writing=True)
    for facts in ({}, letter):
        for say in (comment, lambda **facts: propose(session, town, shown=False, **facts)):
            assert refused(Code.SUPPORT_DECLARE, lambda say=say, facts=facts: say(**facts)).field == "age"
            young = {**facts, "declares": frozenset({"age"})}
            assert (
                refused(Code.SUPPORT_DECLARE, lambda say=say, facts=young: say(**facts)).field == "resident"
            )
            assert say(**facts, declares=frozenset({"age", "resident"})).phase_id == phase.id
    assert comment(supplements=proposal, kind=Kind.PROPOSAL).supplements_id == proposal.id
    ask(audience=Audience.SIGNED_IN, for_writing=True)
    refused(Code.ACCOUNT_REQUIRED, comment)
    assert comment(by=town.moderator).phase_id == phase.id, "who is signed in"
    assert comment(**letter).phase_id == phase.id
    phase.opens = [*phase.opens, Opens.STATEMENT.value]
    session.add(phase)
    session.flush()
    assert comment(kind=Kind.STATEMENT).phase_id == phase.id, "a statement is everybody's"


def test_sections_of_ones_own_stay_once_a_proposal_is_written_in_them(session: Session, town: Town) -> None:
    (phase,) = phases_of(session, town.procedure.id or 0)
    facts: dict[str, Any] = {"by": town.planner, "now": NOW, "note": "Abschnitte"}

    def arrange(*own: Section) -> None:
        arranged = replace(proposing.arrangement_of(phase), sections=(SECTIONS[0], *own))
        proposing.arrange(session, town.procedure, phase, arranged, **facts)

    care, shade = (Section(new_section_key(), {"de": name, "en": ""}) for name in ("Pflege", "Schatten"))
    nameless = refused(Code.SECTION_NAMELESS, lambda: arrange(care, replace(shade, labels={"de": " "})))
    assert nameless.field == "own-1-label"
    refused(Code.NAME_TAKEN, lambda: arrange(care, replace(shade, labels={"de": "pflege"})))
    refused(
        Code.SECTIONS_TOO_MANY,
        lambda: arrange(*(Section(new_section_key(), {"de": f"Nr. {at}"}) for at in range(13))),
    )
    arrange(care, shade)
    propose(session, town)  # in other sections: these are still free
    arrange(shade, care)
    arrange(care)
    assert [each.key for each in proposing.arrangement_of(phase).sections] == ["what", care.key]
    row = propose(
        session, town, passages=(Passage("what", "Was?", WHAT), Passage(care.key, "Pflege", "Der Bauhof."))
    )
    assert proposing.is_written_in(session, phase)
    for others in ((), (care, shade), (shade,)):
        refused(Code.SECTIONS_WRITTEN, lambda others=others: arrange(*others))
    arrange(replace(care, labels={"de": "Wer pflegt es?", "en": "Who cares for it?"}, hints={"de": "Wer?"}))
    renamed = proposing.arrangement_of(phase).sections[1]
    assert (renamed.label_in("en"), renamed.label_in("tr")) == ("Who cares for it?", "Wer pflegt es?")
    # What was handed in keeps the name it had; an amendment names the section by it.
    amendment = amend(session, town, row, {care.key: "Der Bachverein."})
    assert "Pflege\nDer Bachverein." in session.get_one(Contribution, amendment.contribution_id).text
    amendments.accept(session, amendment, by=PUBLIC, author=owner(session, row), now=NOW)
    newest = proposals.newest(session, row.id or 0)
    assert newest.texts["de"][care.key] == "Der Bachverein."
    assert dict(newest.headings)[care.key] == "Pflege"


def test_a_very_long_text_from_right_to_left_with_emoji_is_kept_amended_and_merged(
    session: Session, town: Town
) -> None:
    """Bad input: 200,000 characters, Hebrew and Arabic, emoji that several code points make; nothing is lost."""
    long = " ".join(f"ספסל {number} مقعد 👩‍👩‍👧 Bank." for number in range(8_000))
    assert len(long) > 200_000
    row = propose(session, town, passages=(Passage("what", "Was?", long), Passage("why", "Warum?", WHY)))
    assert proposals.newest(session, row.id or 0).texts["de"]["what"] == long
    made = amend(session, town, row, {"what": long.replace("ספסל 7999", "כיסא 7999")})
    revise(session, row, {"what": long.replace("مقعد 👩‍👩‍👧", "كرسي 👩‍👩‍👧", 1)})
    amendments.accept(session, made, by=PUBLIC, author=owner(session, row), now=NOW)
    words = proposals.newest(session, row.id or 0).texts["de"]["what"]
    assert words.count("كرسي") == 1
    assert "כיסא 7999 مقعد 👩‍👩‍👧" in words
    assert len(words) == len(long) + len("כיסא") - len("ספסל")
