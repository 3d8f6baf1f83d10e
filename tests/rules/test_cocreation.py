"""What holds for every proposal: texts that merge without losing a word, and one answer to every question of who may."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from consultations import merging, wording
from consultations.cocreation import (
    AMENDMENT_MOVES,
    MOVES,
    Act,
    AmendmentAct,
    AmendmentPart,
    AmendmentState,
    Arrangement,
    Authoring,
    Counts,
    Limits,
    Naming,
    Opening,
    Part,
    amendment_answer,
    amendment_handbook,
    answer,
    arrangement,
    handbook,
    naming_of,
)
from consultations.wording import Passage, Patch
from participation.settings import ROOT

WORDS = st.lists(
    st.sampled_from(["der", "Baum", "Bank", "steht", "am\nWeg", "nicht", "🌳", "שלום", "."]), max_size=14
)
TEXT = WORDS.map(" ".join)
LANGUAGES, SECTIONS = ("de", "en", "tr"), ("title", "what", "why", "cost")
TEXTS = st.fixed_dictionaries(
    {language: st.fixed_dictionaries(dict.fromkeys(SECTIONS, TEXT)) for language in LANGUAGES}
)


# --- merging ---------------------------------------------------------------------------------------


def test_changes_at_different_places_are_both_taken_and_others_clash() -> None:
    base = "Am Mühlbach sollen Bänke stehen.\n\nDie Kosten trägt die Stadt, im nächsten Jahr."
    mine = base.replace("Bänke", "sechs Bänke")
    theirs = base.replace("im nächsten Jahr", "noch in diesem Jahr")
    merged = merging.merge(base, mine, theirs)
    assert merged.text == mine.replace("im nächsten Jahr", "noch in diesem Jahr")
    assert not merged.clashes
    clashing = merging.merge(base, mine, base.replace("Bänke", "Stühle"))
    (clash,) = clashing.clashes
    assert (clash.base.strip(), clash.mine.strip(), clash.theirs.strip()) == (
        "Bänke",
        "sechs Bänke",
        "Stühle",
    )
    assert "Stühle" in clashing.text, "what stands is not overwritten"


@given(TEXT, TEXT, TEXT)
def test_merging_loses_nothing_and_knows_no_order(base: str, mine: str, theirs: str) -> None:
    assert merging.merge(base, base, theirs).text == theirs
    assert merging.merge(base, mine, base).text == mine
    assert merging.merge(base, mine, mine).text == mine
    one, other = merging.merge(base, mine, theirs), merging.merge(base, theirs, mine)
    assert bool(one.clashes) == bool(other.clashes)
    if not one.clashes:
        assert one.text == other.text
        assert set(one.text.split()) <= {*mine.split(), *theirs.split(), *base.split()}


def test_fifty_pages_are_merged_and_every_change_arrives() -> None:
    words = [f"Wort{number % 701}-{number % 97}" for number in range(25_000)]
    base = " ".join(words)
    mine = " ".join(w + "-eins" if at % 1000 == 0 else w for at, w in enumerate(words))
    theirs = " ".join(w + "-zwei" if at % 1000 == 500 else w for at, w in enumerate(words))
    merged = merging.merge(base, mine, theirs)
    assert not merged.clashes
    assert (merged.text.count("-eins"), merged.text.count("-zwei")) == (25, 25)


# --- sections --------------------------------------------------------------------------------------


@given(TEXTS, st.permutations(SECTIONS), TEXT, TEXT, st.sampled_from(LANGUAGES), st.sampled_from(LANGUAGES))
def test_amendments_of_different_sections_commute(
    base: dict[str, dict[str, str]], sections: list[str], first: str, second: str, here: str, there: str
) -> None:
    """Invariant 2."""
    a, b = Patch(here, sections[0], first), Patch(there, sections[1], second)

    def after(*patches: Patch) -> wording.Applied:
        texts, stale = base, ()
        for patch in patches:
            done = wording.apply([patch], base=base, current=texts, stale=stale)
            assert not done.clashes
            texts, stale = done.texts, done.stale
        return wording.Applied(dict(texts), stale, {})

    assert after(a, b) == after(b, a)


@given(TEXTS, TEXTS, st.sampled_from(LANGUAGES), st.sampled_from(SECTIONS), TEXT, st.booleans())
def test_nothing_moves_that_no_patch_names(
    base: dict[str, dict[str, str]],
    current: dict[str, dict[str, str]],
    language: str,
    section: str,
    text: str,
    translates: bool,
) -> None:
    """Invariant 3, whatever became of the text meanwhile."""
    done = wording.apply(
        [Patch(language, section, text)], base=base, current=current, is_translation=translates
    )
    for other in LANGUAGES:
        for key in SECTIONS:
            if (other, key) != (language, section):
                assert done.texts[other][key] == current[other][key]
    if done.clashes:
        assert done.texts == current, "where both changed the same words, nothing is overwritten"
    assert all(place.endswith(f"/{section}") for place in done.stale)
    assert f"{language}/{section}" not in done.stale


def test_other_languages_become_stale_and_a_translation_makes_them_fresh() -> None:
    base = {"de": {"why": "Weil es heiß ist."}, "en": {"why": "Because it is hot."}}
    edited = wording.apply([Patch("de", "why", "Weil Schatten fehlt.")], base=base, current=base)
    assert edited.stale == ("en/why",)
    assert edited.texts["en"] == base["en"], "stale, not dropped"
    translated = wording.apply(
        [Patch("en", "why", "Because shade is missing.")],
        base=edited.texts, current=edited.texts, stale=edited.stale, is_translation=True,
    )  # fmt: skip
    assert translated.stale == ()


def test_sections_become_one_text_in_their_order_and_empty_ones_are_left_out() -> None:
    passages = [Passage("what", "Was?", "Bänke"), Passage("why", "Warum?", " "), Passage("cost", "", "50 €")]
    assert wording.compose(passages) == "Was?\nBänke\n\n50 €"
    texts = {"de": {"why": "B", "what": "A", "title": "T", "late": "C"}}
    found = wording.passages_of(texts, "de", [["what", "Was?"], ["why", "Warum?"]])
    assert [(each.key, each.heading) for each in found] == [("what", "Was?"), ("why", "Warum?"), ("late", "")]


# --- who may, when ---------------------------------------------------------------------------------


def test_every_question_has_exactly_one_answer_and_the_handbook_tells_the_same() -> None:
    """Invariant 5."""
    assert set(MOVES) == set(Act)
    for state, act, part in product(Authoring, Act, Part):
        said = answer(state, act, part)
        assert (said.state is None) == (said.why_not in ("not_your_part", "wrong_state"))
        assert bool(said) == (part in MOVES[act].parts and state in MOVES[act].steps)
    assert set(AMENDMENT_MOVES) == set(AmendmentAct)
    page = (ROOT / "docs" / "co-creation.md").read_text(encoding="utf-8")
    assert "\n".join(handbook()) in page
    assert "\n".join(amendment_handbook()) in page


def test_what_matters_most_of_that_table() -> None:
    for act in (Act.REVISE, Act.WITHDRAW, Act.HAND_OVER):
        assert not any(answer(state, act, Part.ANYBODY) for state in Authoring)
    # Nobody is kept, even while the text is voted on; and an archived proposal takes nothing in.
    assert answer(Authoring.LOCKED, Act.LEAVE, Part.COAUTHOR)
    assert not answer(Authoring.LOCKED, Act.REVISE, Part.OWNER)
    assert [act for act in Act if any(answer(Authoring.ARCHIVED, act, part) for part in Part)] == [Act.LEAVE]
    waiting, amender = AmendmentState.PROPOSED, AmendmentPart.AMENDER
    assert amendment_answer(waiting, AmendmentAct.ACCEPT, amender) is None, (
        "nobody takes in their own amendment"
    )
    promoted = amendment_answer(AmendmentState.REJECTED, AmendmentAct.PROMOTE, amender)
    assert promoted is AmendmentState.PROMOTED


def test_a_phase_says_what_it_opens_and_is_silent_about_what_is_usual() -> None:
    usual = arrangement(["proposal", "comment"], {})
    assert usual.opens == {Opening.PROPOSE, Opening.REVISE, Opening.AMEND, Opening.SUPPORT, Opening.COMMENT}
    assert arrangement(["statement"], {}).opens == frozenset()
    only = arrangement([], {"co_creation": {"opens": ["support", "propose"], "counts": "closed"}})
    assert only.opens == {Opening.SUPPORT}, "nothing can be proposed where the phase takes no proposals in"
    assert only.counts is Counts.CLOSED
    assert arrangement(["proposal"], {"co_creation": usual.as_facts()}).sections == usual.sections
    assert Limits(per_person=3).missing == ("ground", "contact"), "a limit without its ground binds nobody"
    assert Limits().missing == ()


def test_the_name_that_a_phase_asks_for() -> None:
    for naming, own, chosen, lacking in (
        (Naming.FREE, "", "", ""),
        (Naming.CHOSEN, "", " ", "pseudonym"),
        (Naming.CHOSEN, "", "Rosa", ""),
        (Naming.CHOSEN, "Emil Amsel", "", ""),
        (Naming.OWN, "", "Rosa", "name"),
        (Naming.OWN, "Emil Amsel", "", ""),
    ):
        assert naming.lacks(own=own, chosen=chosen) == lacking
    kept = Arrangement(naming=Naming.OWN).as_facts()
    assert arrangement(["proposal"], {"co_creation": kept}).naming is Naming.OWN
    assert naming_of({"co_creation": kept}) is Naming.OWN
    assert naming_of({}) is arrangement([], {}).naming is Naming.FREE
