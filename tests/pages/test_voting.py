"""A vote through the pages, without JavaScript: set up, printed, cast, typed in from paper, counted, checked."""

import io
import re
from typing import Any

import pypdf
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.testclient import TestClient

from consultations import journal, moderation
from consultations.ballots import Ballot, VoteRoll
from consultations.contributions import Kind
from consultations.following import Subscription
from consultations.moderation import Action, Decision
from consultations.phases import Phase, PhaseKind
from consultations.procedures import Procedure, ProcedureState
from consultations.voting_codes import spelled
from participation import search_words
from participation.database import unit_of_work
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient
from tests.pages.test_seeing_through import signed_in, tree_of, words

HERE = "/beteiligungen/ideen"


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's town with three proposals that everybody may read, in a phase that opens a vote."""
    with unit_of_work(engine, write=True) as session:
        town = cast.with_ideas(session, "Ideen")
        for title in ("Bänke", "Bäume", "Brücke"):
            row = town.hand_in(
                session, f"{title}, bitte.", kind=Kind.PROPOSAL, title=title, wants_publication=True
            )
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        phase = session.exec(select(Phase).where(Phase.kind == PhaseKind.CO_CREATION.value)).one()
        phase.facts = {**phase.facts, "co_creation": {"opens": ["propose", "comment", "vote"]}}
        session.add(phase)
        return town


def value(answer: Any, name: str) -> str:
    return str(tree_of(answer).xpath(f"//input[@name='{name}']/@value")[0])


def cast_ones(engine: Engine) -> tuple[int, int]:
    with Session(engine) as session:
        return len(session.exec(select(Ballot)).all()), len(session.exec(select(VoteRoll)).all())


def put_up(engine: Engine, planner: TestClient, town: Town, **facts: str) -> tuple[str, str, list[str]]:
    """A vote that stands: the planner's address, everybody's, and the codes of six letters."""
    with Session(engine) as session:
        phase = session.exec(select(Phase).where(Phase.kind == PhaseKind.CO_CREATION.value)).one()
    desk = f"/verwaltung/planung/{town.procedure.id}/abstimmung/{phase.id}"
    form = planner.get(desk)
    ids = tree_of(form).xpath("//input[starts-with(@name, 'stands-')]/@name")
    assert len(ids) == 3
    sent: dict[str, Any] = {
        "do": "save", "version": value(form, "version"), "question": "", "kind": "choices", "most": "2", "wins": "1",
        "ways": "code", "on_paper": "y", **dict.fromkeys(ids, "1"), **facts,
    }  # fmt: skip
    refused = planner.post(desk, data=sent)
    assert refused.status_code == 422
    assert len(tree_of(refused).xpath("//input[starts-with(@name, 'stands-')][@checked]")) == 3
    wrong = planner.post(desk, data={**sent, "question": "Was zuerst?", "most": "0"})
    assert (wrong.status_code, "von 1 bis" in words(wrong)) == (422, True)
    assert planner.post(desk, data={**sent, "question": "Was zuerst?"}).status_code == 303
    stale = planner.post(desk, data={**sent, "question": "Was denn?"})
    assert stale.status_code == 409
    assert "So sieht der Stimmzettel aus" in words(planner.get(desk))
    assert planner.post(desk, data={"do": "put_up"}).status_code == 303
    page = planner.get(desk)
    assert "Läuft" in words(page)
    printing = {"do": "print", "codes": "6", "once": value(page, "once")}
    many = planner.post(desk, data={**printing, "codes": "viele"})
    assert tree_of(many).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#codes"]
    letters = planner.post(desk, data=printing)
    found = [each.strip() for each in tree_of(letters).xpath("//strong[@class='d-vote-letter__code']/text()")]
    assert len(found) == len(set(found)) == 6
    # No sheet has both a code and a check number: whoever saw it could read in the public list what was voted.
    sheets = tree_of(letters).xpath("//section[@class='d-vote-letter']")
    has_both = [
        ("Abstimmungscode" in sheet.text_content(), "Prüfnummer" in sheet.text_content()) for sheet in sheets
    ]
    on_paper = 6 if sent["on_paper"] else 0
    assert has_both == [(True, False)] * 6 + [(False, True)] * on_paper
    assert ("Auf Papier" in words(letters)) is bool(on_paper)
    assert "schon gedruckt" in words(planner.post(desk, data=printing))
    assert "keinen Brief mit dieser Nummer" in words(
        planner.post(desk, data={"do": "letter_lost", "letter": "99"})
    )
    return desk, f"{HERE}/abstimmung/{phase.id}", found


def test_a_vote_from_the_letter_to_the_result(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town, clock: Clock
) -> None:
    planner, clerk = (signed_in(engine, each, new_client()) for each in (town.planner, town.clerk))
    desk, there, codes = put_up(engine, planner, town)
    assert "Was zuerst?" in words(client.get(HERE))
    proposal = client.get(f"{HERE}/vorschlaege/ID-0001")
    assert "steht zur Wahl" in words(proposal)
    assert "Andere Worte hat niemand vorgeschlagen." in words(proposal), "and nobody can any more"
    assert words(proposal).count("Text steht fest") == 2, "once as a heading, once in its sentence"
    page = client.get(there)
    assert "beratend" in words(page)
    # It can be followed alone: chosen already, named where it is ended, and readable as a feed without an address.
    (wish,) = tree_of(page).xpath("//a[contains(@href, '/folgen?')]/@href")
    form = tree_of(client.get(wish))
    (chosen,) = form.xpath("//select[@name='target']/option[@selected]")
    assert chosen.text == "Die Abstimmung „Was zuerst?“"
    typed = {"target": chosen.get("value"), "rhythm": "daily", "email": "anna@post.example", "agrees": "y"}
    assert client.post(wish, data=typed).status_code == 303
    assert client.get(f"{HERE}/neues?abstimmung={there.rsplit('/', 1)[1]}").status_code == 200
    assert client.get(f"{HERE}/neues?abstimmung=9999").status_code == 404
    with Session(engine) as session:
        row = session.exec(select(Subscription)).one()
        assert row.target == chosen.get("value")
        assert search_words.name_of(session, row, "de") == "Was zuerst?"
    # By chance, and the same for this visitor.
    titles = tree_of(page).xpath("//li[@class='d-ballot__line']//a/text()")
    assert titles == tree_of(client.get(there)).xpath("//li[@class='d-ballot__line']//a/text()")

    wrong = client.post(there, data={"do": "start", "code": "AAAAA-AAAAA"})
    assert (wrong.status_code, "kennen wir nicht" in words(wrong)) == (422, True)
    ballot = client.post(there, data={"do": "start", "code": codes[0].lower().replace("-", " ")})
    sent = {"code": codes[0], "once": value(ballot, "once")}
    nothing = client.post(there, data={**sent, "do": "check"})
    assert (nothing.status_code, "noch nichts ausgewählt" in words(nothing)) == (422, True)
    assert tree_of(nothing).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#ballot"]
    assert tree_of(nothing).xpath("//*[@autofocus]/@id") == ["error-summary"], "without JavaScript, too"
    much = client.post(there, data={**sent, "do": "check", "mark-1": "1", "mark-2": "1", "mark-3": "1"})
    assert "möglich sind 2" in words(much)
    assert len(tree_of(much).xpath("//input[@type='checkbox'][@checked]")) == 3, "as it was typed"
    for tampered in ({"mark-1": "-5"}, {"mark-1": "9" * 15}, {"mark-77": "1"}, {"mark-1": "x"}):
        assert client.post(there, data={**sent, "do": "cast", **tampered}).status_code == 422
    check = client.post(there, data={**sent, "do": "check", "mark-1": "1", "mark-3": "1"})
    assert "2 von 2 Stimmen" in words(check)
    again = client.post(there, data={**sent, "do": "back", "mark-1": "1", "mark-3": "1"})
    assert len(tree_of(again).xpath("//input[@type='checkbox'][@checked]")) == 2
    assert cast_ones(engine) == (0, 0)
    final = {**sent, "do": "cast", "mark-1": "1", "mark-3": "1"}
    receipts = [client.post(there, data=final) for _ in range(3)]
    numbers = {tree_of(each).xpath("string(//p[@class='d-vote-number'])") for each in receipts}
    assert len(numbers) == 1, "a double click and a reload are one ballot and one receipt"
    assert cast_ones(engine) == (1, 1)
    other = client.post(there, data={**final, "mark-2": "1", "mark-1": ""})
    assert (other.status_code, "schon abgestimmt" in words(other)) == (409, True)
    assert client.post(there, data={"do": "start", "code": codes[0]}).status_code == 409
    # An account gives no second vote: it types the code of its letter in, like everybody.
    assert "Ein Konto gibt keine zweite" in words(page)
    assert clerk.post(there, data={"do": "start", "way": "account"}).status_code == 403
    ballot = clerk.post(there, data={"do": "start", "code": codes[3]})
    mine = {"code": codes[3], "once": value(ballot, "once"), "do": "cast", "mark-1": "1"}
    assert "gezählt" in words(clerk.post(there, data=mine))
    # A letter that came back is cancelled by its number, a new one is made as PDF; one that was used is told.
    desk_page = planner.get(desk)
    lost = {"do": "letter_anew_pdf", "letter": "6", "once": value(desk_page, "once")}
    assert "schon abgestimmt" in words(planner.post(desk, data={**lost, "letter": "1"}))
    many = planner.post(desk, data={"do": "print_pdf", "codes": "201", "once": "x"})
    assert (many.status_code, "von 1 bis 200" in words(many)) == (422, True)
    pdf = planner.post(desk, data=lost)
    assert (pdf.headers["content-type"], pdf.headers["cache-control"]) == ("application/pdf", "no-store")
    sheets = [sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(pdf.content)).pages]
    assert len(sheets) == 2
    assert "Brief 7" in sheets[0]
    # A letter made alone has a ballot without a number: the planner would find it in the public list.
    assert "hat keine Prüfnummer" in " ".join(sheets[1].split())
    assert not re.search(r"\w{4}-\w{4}-\w{4}", sheets[1])
    assert not any(re.search(r"Seite \d|Brief", sheet) for sheet in sheets[1:]), (
        "what tells which ballot it is"
    )
    assert client.post(there, data={"do": "start", "code": codes[5]}).status_code == 422
    assert "Gesperrte Briefe: 6" in words(planner.get(desk))
    # Nobody sees how it stands.
    for each in (planner.get(desk), clerk.get(there), client.get(f"{there}/stimmzettel.csv")):
        assert not re.search(r"gültige Stimmzettel|class=\"d-result", each.text)

    # On paper: admitted by their codes, typed in twice.
    lists = tree_of(clerk.get("/verwaltung/auszaehlung")).xpath("//a[contains(@href, '/auszaehlung/')]/@href")
    counter = clerk.post(lists[0], data={"received_on": "2027-02-16", "codes": "\n".join(codes[:3])})
    batch = counter.headers["location"]
    assert "schon abgestimmt" in words(clerk.get(batch))
    assert "bleiben zu" in words(clerk.get(batch))
    assert clerk.post(batch, data={"do": "enter", "marks-1": "1", "marks-2": "2"}).status_code == 422

    clock.advance(days=30)
    planner, clerk = (signed_in(engine, each, new_client(), clock()) for each in (town.planner, town.clerk))
    assert "wird ausgezählt" in words(client.get(there))
    unread = clerk.post(batch, data={"do": "enter", "marks-1": "1 eins", "marks-2": "2"})
    assert (unread.status_code, value(unread, "marks-1")) == (422, "1 eins")
    assert clerk.post(batch, data={"do": "enter", "marks-1": "1", "marks-2": "2"}).status_code == 303
    assert not tree_of(clerk.get(batch)).xpath("//input[@name='marks-1']"), "four eyes"
    planner.post(batch, data={"do": "enter", "marks-1": "1", "marks-2": "2 3"})
    report = clerk.get(batch)
    assert "Clara 2; Paula 2 3" in words(report)
    paper_number = {"check-1": "4FKM-7TRA-9XWE", "spoiled-1": "1"}
    for each in (clerk, planner):
        each.post(batch, data={"do": "enter", "marks-1": "1", "marks-2": "1 2", **paper_number})
    assert "Zählt" in words(clerk.get(batch))
    assert planner.post(desk, data={"do": "close"}).status_code == 303
    result = client.get(there)
    said = words(result)
    assert "3 gültige Stimmzettel" in said
    assert "1 Brief wurde nicht zugelassen" in said
    rows = tree_of(result).xpath("//tbody/tr")
    assert [(row.xpath("string(td[2])"), row.xpath("string(td[3])").strip()) for row in rows] == [
        ("3", "gewählt"), ("1", "nicht gewählt"), ("1", "nicht gewählt"),
    ]  # fmt: skip
    assert "in einer Abstimmung gewählt" in words(client.get(f"{HERE}/vorschlaege/ID-0001"))
    table = client.get(f"{there}/stimmzettel.csv")
    assert table.text.count("\r\n") == 5
    (number,) = numbers
    assert number.strip() in table.text
    found = client.post(there, data={"do": "find", "number": number})
    assert "steht in der Liste: Bänke, Brücke" in words(found)
    found = client.post(there, data={"do": "find", "number": "4fkm 7tra 9xwe"})
    assert "ungültig: Name oder andere Worte" in words(found), "the number of a ballot on paper"
    assert "steht nicht in der Liste" in words(client.post(there, data={"do": "find", "number": "?"}))
    assert "Counted" in client.get(f"/en{there}").text


def test_points_and_money_say_what_is_too_much_and_a_guesser_waits(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    planner = signed_in(engine, town.planner, new_client())
    desk, there, codes = put_up(engine, planner, town, kind="points", most="5", most_each="3", on_paper="")
    ballot = client.post(there, data={"do": "start", "code": codes[0]})
    sent = {"code": codes[0], "once": value(ballot, "once"), "do": "check"}
    one = client.post(there, data={**sent, "mark-1": "4", "mark-2": "1"})
    assert "von 0 bis 3" in words(one)
    assert (value(one, "mark-1"), value(one, "mark-2")) == ("4", "1")
    much = client.post(there, data={**sent, "mark-1": "3", "mark-2": "3"})
    assert "Sie haben 6 Punkte vergeben, möglich sind 5" in words(much)
    assert "5 von 5 Punkten" in words(client.post(there, data={**sent, "mark-1": "3", "mark-2": "2"}))

    # A thousand codes in a minute: the guesser waits, whoever comes from elsewhere votes.
    said = [
        client.post(there, data={"do": "start", "code": spelled("A" * 9 + each)})
        for each in "ACDEFGHJKMNPQRTWXY3467" * 2
    ]
    assert [each.status_code for each in said].count(422) == 20
    assert said[-1].status_code == 429
    assert int(said[-1].headers["retry-after"]) > 0
    assert cast_ones(engine) == (0, 0)

    why = planner.post(desk, data={"do": "cancel", "why": ""})
    assert why.status_code == 422
    assert planner.post(desk, data={"do": "cancel", "why": "Die Briefe kamen nicht an."}).status_code == 303
    assert "Die Briefe kamen nicht an." in words(client.get(there))


def test_with_accounts_alone_in_both_languages_and_what_is_said_when_it_does_not_run(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    planner, clerk = (signed_in(engine, each, new_client()) for each in (town.planner, town.clerk))
    with Session(engine) as session:
        phase = session.exec(select(Phase).where(Phase.kind == PhaseKind.CO_CREATION.value)).one()
    desk = f"/verwaltung/planung/{town.procedure.id}/abstimmung/{phase.id}"
    there = f"{HERE}/abstimmung/{phase.id}"
    ids = tree_of(planner.get(desk)).xpath("//input[starts-with(@name, 'stands-')]/@name")
    sent = {
        "do": "save", "version": "0", "question": "Was zuerst?", "question_en": "Which first?", "kind": "ranking",
        "most": "2", "wins": "1", "ways": "account", **dict.fromkeys(ids, "1"),
    }  # fmt: skip
    assert planner.post(desk, data=sent).status_code == 303
    assert value(planner.get(desk), "question_en") == "Which first?"
    assert planner.post(desk, data={"do": "put_up"}).status_code == 303
    assert "Which first?" in words(client.get(f"/en{HERE}"))
    english = tree_of(client.get(f"/en{there}"))
    assert "Which first?" in english.xpath("string(//h1)")
    assert "Zählweise nach Borda" in words(client.get(there))
    assert "Sie haben kein Konto? Fragen Sie uns" in words(client.get(there))

    ballot = clerk.post(there, data={"do": "start", "way": "account"})
    assert tree_of(ballot).xpath("//select[@name='mark-1']/option/@value") == ["", "1", "2"]
    assert tree_of(ballot).xpath("string(//select[@name='mark-1']/option[2])") == "Platz 1"
    mine = {"way": "account", "once": value(ballot, "once"), "mark-1": "2", "mark-3": "2"}
    twice = clerk.post(there, data={**mine, "do": "check"})
    assert (twice.status_code, "Platz 2 ist zweimal vergeben" in words(twice)) == (422, True)
    assert tree_of(twice).xpath("//option[@selected]/@value") == ["2", "2"]
    mine["mark-3"] = "1"
    check = tree_of(clerk.post(there, data={**mine, "do": "check"}))
    said = [
        " ".join(each.text_content().split()) for each in check.xpath("//li[@class='d-ballot__line']/p[1]")
    ]
    assert said == ["1. Brücke", "2. Bänke"]
    assert "gezählt" in words(clerk.post(there, data={**mine, "do": "cast"}))
    assert "Sie haben abgestimmt" in words(clerk.get(there))
    assert client.post(there, data={**mine, "do": "cast", "once": "x"}).status_code == 403

    # Interrupted: it is said, and one can vote. Given up: nobody can, and no page says anything else.
    with unit_of_work(engine, write=True) as session:
        changed = session.get_one(Phase, phase.id)
        changed.facts = {
            **changed.facts,
            "course": {"interrupted_on": NOW.date().isoformat(), "announce": ""},
        }
        session.add(changed)
        journal.append(
            session,
            municipality_id=town.id,
            verb="phase_interrupted",
            by=town.planner,
            at=NOW,
            subject="test",
        )
    assert "Sie können trotzdem abstimmen" in words(client.get(there))
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(Procedure, town.procedure.id)
        procedure.state = ProcedureState.WITHDRAWN.value
        session.add(procedure)
        journal.append(
            session, municipality_id=town.id, verb="withdrawn", by=town.planner, at=NOW, subject="test"
        )
    gone = client.get(there)
    assert "Dieses Verfahren wurde aufgegeben" in words(gone)
    for each in (gone, client.get(HERE), client.get(f"{HERE}/vorschlaege")):
        assert "Jetzt abstimmen" not in words(each)
        assert "Sie können jetzt abstimmen" not in words(each)
    assert not tree_of(gone).xpath("//main//form[@method='post']")
    assert planner.post(there, data={"do": "start", "way": "account"}).status_code >= 400
