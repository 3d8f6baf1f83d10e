"""Proposals through the pages, without JavaScript: write, read, suggest other words, decide, moderate, write along."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import (
    amendments,
    drafts,
    journal,
    moderation,
    procedures,
    proposals,
    proposing,
    rewording,
    terminals,
)
from consultations.contributions import Contribution, Kind
from consultations.deadlines import local_date
from consultations.moderation import Action, Decision, Reason
from consultations.permissions import PUBLIC, Actor, Role
from consultations.phases import Phase, PhaseKind, phases_of
from consultations.procedures import Procedure
from geo.geometry import from_lonlat
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from participation.pages.proposals_list import PARAMETERS
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town
from tests.conftest import NewClient

HERE = "/beteiligungen/ideen"
THERE = f"{HERE}/vorschlaege/ID-0001"


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's town with a dialogue that takes proposals and comments."""
    with unit_of_work(engine, write=True) as session:
        return cast.with_ideas(session)


def publish_everything(engine: Engine, town: Town) -> None:
    with unit_of_work(engine, write=True) as session:
        for row in session.exec(select(Contribution).where(Contribution.publication == "pending")).all():
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)


def words(answer: Any) -> str:
    return " ".join(" ".join(html.fromstring(answer.content).find(".//main").itertext()).split())


def fields(answer: Any, number: int = 0) -> dict[str, str]:
    """What a form of the page itself (not of its head: display, language) would send if nobody changed anything."""
    forms = html.fromstring(answer.content).xpath("//main//form[@method='post']")
    return dict(forms[number].form_values())


def signed_in(engine: Engine, actor: Actor, client: TestClient) -> TestClient:
    with unit_of_work(engine, write=True) as session:
        client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id or 0, now=NOW))
    client.headers.update({"Sec-Fetch-Site": "same-origin"})
    return client


def propose(client: TestClient, **typed: str) -> str:
    """Hand a proposal in on one page; the receipt's address."""
    data = {
        "kind": "proposal", "title": "Bänke am Mühlbach", "text": "Am Mühlbach sollen Bänke im Schatten stehen.",
        "why": "Viele gehen dort spazieren.", "publish": "yes", "pseudonym": "Rosa", "do": "send", **typed,
    }  # fmt: skip
    answer = client.post(f"{HERE}/stellungnahme/{drafts.new_secret()}/alles", data=data)
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


def test_from_a_proposal_to_a_version_that_others_made_better(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    receipt = client.get(propose(client))
    assert "Was schlagen Sie vor?" in words(receipt)
    code = "".join(html.fromstring(receipt.content).xpath("//*[@class='d-code__group']/text()"))
    assert client.get(THERE).status_code == 404, "nobody reads it before a moderator has"
    publish_everything(engine, town)

    # Others find and read it, and suggest other words for one section.
    listed = client.get(f"{HERE}/vorschlaege")
    assert "Bänke am Mühlbach" in words(listed)
    assert "Kein" not in words(client.get(f"{HERE}/vorschlaege?q=Schatten&sortierung=newest"))
    shown = words(client.get(THERE))
    for expected in ("Warum? Viele gehen dort spazieren.", "Von Rosa", "Fassung 1", "Siegel"):
        assert expected in shown
    other = new_client()
    form = fields(other.get(f"{THERE}/anders"))
    nothing = other.post(f"{THERE}/anders", data=form)
    assert nothing.status_code == 422
    assert "Noch ist nichts anders" in words(nothing)
    form |= {"what": form["what"].replace("Bänke", "acht Bänke"), "reason": "Genauer.", "pseudonym": "Emil"}
    sent = other.post(f"{THERE}/anders", data=form)
    assert (sent.status_code, sent.headers["location"][:7]) == (303, "/beleg/")
    assert "acht Bänke" in words(other.get(sent.headers["location"]))
    reader = new_client()
    reader.post("/beitrag", data={"code": code})
    reader.post("/beitrag/weiterschreiben")
    assert reader.get("/mitschreiben/aenderungen/1").status_code == 404, "no moderator has read it yet"
    comment = fields(other.get(f"{THERE}/kommentar")) | {"stance": "for", "text": "Das brauchen wir!"}
    wordless = other.post(f"{THERE}/kommentar", data=comment | {"text": ""})
    assert (html.fromstring(wordless.content).findtext(".//title") or "").startswith("Fehler: "), (
        "heard first"
    )
    assert other.post(f"{THERE}/kommentar", data=comment).status_code == 303
    publish_everything(engine, town)
    with Session(engine) as session:
        ((amendment, _),) = amendments.of_proposal(session, 1)
    for view in ("", "?ansicht=nebeneinander"):
        differing = client.get(f"{THERE}/aenderungen/{amendment.id}{view}")
        assert "eingefügt: acht" in words(differing) or "acht" in words(differing)
        assert html.fromstring(differing.content).xpath("//ins[contains(., 'acht')]/span[@class='d-sr']")
    talk = client.get(THERE)
    assert "Das brauchen wir!" in words(talk)
    (answering,) = html.fromstring(talk.content).xpath("//a[contains(., 'antworten')]/@href")
    form = fields(other.get(answering)) | {"stance": "remark", "text": "Wir auch."}
    assert other.post(f"{THERE}/kommentar", data=form).status_code == 303
    publish_everything(engine, town)
    assert html.fromstring(client.get(THERE).content).xpath("//li//li[contains(., 'Wir auch.')]")

    # The owner comes back with the code of the receipt, takes it in, and changes something besides.
    owner = new_client()
    assert owner.get("/mitschreiben/vorschlag").headers["location"] == "/mitschreiben"
    owner.post("/beitrag", data={"code": code})
    assert "Weiterschreiben" in words(owner.get("/beitrag/stand"))
    assert owner.post("/beitrag/weiterschreiben").headers["location"] == "/mitschreiben/vorschlag"
    desk = owner.get("/mitschreiben/vorschlag")
    assert "bitte entscheiden Sie bis" in words(desk)
    decision = f"/mitschreiben/aenderungen/{amendment.id}"
    assert "So steht es jetzt da" not in words(owner.get(decision))
    assert owner.post(decision, data={"do": "reject", "words": "Nein."}).status_code == 422
    assert owner.post(decision, data={"do": "accept", "words": "Gute Idee."}).status_code == 303
    assert "acht Bänke" in words(client.get(THERE)), "nothing stands there that no moderator has read"
    form = fields(owner.get("/mitschreiben/vorschlag"))
    form |= {"cost": "Etwa 9.000 €", "do": "revise"}
    assert owner.post("/mitschreiben/vorschlag", data=form).status_code == 303
    assert "9.000" not in words(client.get(THERE))

    # What was typed against an older version meets what was written meanwhile: both are shown, nothing is lost.
    form |= {"cost": "Etwa 7.000 €"}
    clash = owner.post("/mitschreiben/vorschlag", data=form)
    assert clash.status_code == 409
    assert "Etwa 9.000 €" in words(clash)
    assert fields(clash)["cost"].strip() == "Etwa 7.000 €"
    assert owner.post("/mitschreiben/vorschlag", data=fields(clash) | {"do": "revise"}).status_code == 303

    # A moderator reads the difference and shows it.
    moderator = signed_in(engine, town.staff[Role.MODERATOR], new_client())
    queue = moderator.get("/verwaltung/vorschlaege")
    assert "Fassung 4" in words(queue)
    page = moderator.get("/verwaltung/vorschlaege/1")
    decided = fields(page, -1)
    assert moderator.post("/verwaltung/vorschlaege/1", data=decided | {"action": "return"}).status_code == 422
    assert (
        moderator.post("/verwaltung/vorschlaege/1", data=decided | {"action": "publish"}).status_code == 303
    )
    shown = words(client.get(THERE))
    assert "Etwa 7.000 €" in shown
    assert "Von Rosa, Emil" in shown
    assert "Gute Idee" not in shown, "a moderator reads the answer first"
    there = "/verwaltung/vorschlaege/1/worte"
    assert "Neben dem Vorschlag ID-0001" in words(moderator.get("/verwaltung/vorschlaege"))
    answering = fields(moderator.get(there))
    assert moderator.post(there, data=answering | {"do": "withhold"}).status_code == 422
    told = moderator.post(there, data=answering | {"do": "show"}).headers["location"]
    assert told == f"{there}?gespeichert=1"
    assert re.search(r"Antwort: ?Gute Idee", words(client.get(THERE)))
    assert "9.000" not in shown
    changes = client.get(f"{THERE}/fassungen/2/4")
    assert "Was könnte es kosten?" in words(changes)
    assert client.get(f"{THERE}/fassungen/2/3").status_code == 404, "nobody has read version 3 for the public"


def test_what_was_not_taken_in_can_stand_for_itself(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    form = fields(client.get(f"{THERE}/anders")) | {"what": "Ein Spielplatz.", "reason": "Für Kinder."}
    client.post(f"{THERE}/anders", data=form)
    publish_everything(engine, town)
    with unit_of_work(engine, write=True) as session:
        row = session.get_one(Contribution, 1)
        ((amendment, handed_in),) = amendments.of_proposal(session, 1)
        code, owner = handed_in.access_code, proposing.owner_with_code(session, row)
        why = amendments.Rejection.OTHER_AIM
        amendments.reject(session, amendment, why, "Ein anderes Ziel.", by=PUBLIC, author=owner, now=NOW)
    amender = new_client()
    assert amender.post("/beitrag/aenderung").headers["location"] == "/beitrag"
    amender.post("/beitrag", data={"code": code})
    assert "eigenen Vorschlag machen" in words(amender.get("/beitrag/stand"))
    receipt = amender.post("/beitrag/aenderung", data={"do": "promote"})
    assert "Ein Spielplatz." in words(amender.get(receipt.headers["location"]))
    publish_everything(engine, town)
    new = words(client.get(f"{HERE}/vorschlaege/ID-0003"))
    assert "begann als Änderung zu" in new
    assert "Wurde ein eigener Vorschlag" in words(client.get(THERE))


def test_what_a_moderator_blacked_out_reaches_the_owner_neither(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    threat = {"what": "Sonst setzt es was.", "reason": "Ich weiß, wo du wohnst.", "pseudonym": "Rächer"}
    client.post(f"{THERE}/anders", data=fields(client.get(f"{THERE}/anders")) | threat)
    with unit_of_work(engine, write=True) as session:
        handed_in = session.get_one(Contribution, 2)
        left = Decision(Action.REDACT, moderation.Reason.INSULT, text="Am Mühlbach ███")
        moderation.decide(session, handed_in, left, by=town.moderator, now=NOW)
        code = session.get_one(Contribution, 1).access_code
        ((amendment, _),) = amendments.of_proposal(session, 1)
        number = amendment.id
    owner = new_client()
    owner.post("/beitrag", data={"code": code})
    owner.post("/beitrag/weiterschreiben")
    decision = f"/mitschreiben/aenderungen/{number}"
    for address in ("/mitschreiben/vorschlag", decision):
        assert not [each for each in threat.values() if each in words(owner.get(address))]
    assert "Am Mühlbach ███" in words(owner.get(decision))
    assert "geschwärzt" in words(owner.post(decision, data={"do": "accept"}))
    refusal = {"do": "reject", "why": "unclear", "words": "Bitte sachlich."}
    assert owner.post(decision, data=refusal).status_code == 303


def test_what_came_without_sections_can_be_changed_too(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        row = town.hand_in(
            session, "Bänke ans Ufer.", kind=Kind.PROPOSAL, title="Bänke", wants_publication=True
        )
        code = row.access_code
    publish_everything(engine, town)
    form = fields(client.get(f"{THERE}/anders"))
    assert "Noch ist nichts anders" in words(client.post(f"{THERE}/anders", data=form))
    form |= {"why": "Es gibt keine.", "cost": "Etwa 9.000 €"}
    sent = client.post(f"{THERE}/anders", data=form)
    assert sent.status_code == 303, words(sent)
    assert "Warum? Es gibt keine." in words(client.get(sent.headers["location"]))
    owner = new_client()
    owner.post("/beitrag", data={"code": code})
    owner.post("/beitrag/weiterschreiben")
    form = fields(owner.get("/mitschreiben/vorschlag"))
    form |= {"why": "Man will sich setzen.", "cost": "Wenig.", "do": "revise"}
    assert owner.post("/mitschreiben/vorschlag", data=form).status_code == 303
    publish_everything(engine, town)
    with Session(engine) as session:
        ((amendment, _),) = amendments.of_proposal(session, 1)
        assert [each["section"] for each in amendment.patches] == ["why", "cost"]
        _, text = proposing.composed(proposals.newest(session, 1))
    assert text == "Bänke ans Ufer.\n\nMan will sich setzen.\n\nWenig."


def test_others_write_along_by_link_or_code_and_may_go(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        row = town.hand_in(
            session,
            "Bänke ans Ufer.",
            kind=Kind.PROPOSAL,
            title="Bänke",
            wants_publication=True,
            pseudonym="Rosa",
        )
        owner = proposing.owner_with_code(session, row)
        asked = proposing.invite(session, row.id or 0, name="Ayşe", by=town.clerk, author=owner, now=NOW)
    assert client.get("/mitschreiben/einladung/falsch").status_code == 404
    assert client.post("/mitschreiben", data={"code": "ACDEFGHJ"}).status_code == 422
    for door in (
        lambda guest: guest.get(f"/mitschreiben/einladung/{asked.secret}"),
        lambda guest: guest.post("/mitschreiben", data={"code": asked.code.lower()}),
    ):
        guest = new_client()
        assert door(guest).headers["location"] == "/mitschreiben/vorschlag"
        assert "Sie sind eingeladen" in words(guest.get("/mitschreiben/vorschlag"))
    joined = guest.post("/mitschreiben/vorschlag", data={"do": "accept", "name": "Ayşe K."})
    assert "Sie schreiben jetzt mit" in words(guest.get(joined.headers["location"]))
    invited = guest.post("/mitschreiben/vorschlag", data={"do": "invite", "name": "Ben"})
    assert "/mitschreiben/einladung/" in words(invited)
    copied = guest.cookies["digilog_author"]
    assert guest.post("/mitschreiben/vorschlag", data={"do": "leave"}).status_code == 303
    assert guest.get("/mitschreiben/vorschlag").headers["location"] == "/mitschreiben"
    # A cookie that somebody has copied, or another window, opens the desk no longer.
    guest.cookies.set("digilog_author", copied)
    for page in ("/mitschreiben/vorschlag", "/mitschreiben/aenderungen/1"):
        assert guest.get(page).headers["location"] == "/mitschreiben"
    with Session(engine) as session:
        names = [each.name for each in proposals.credited(proposals.authors_of(session, row.id or 0))]
    assert names == ["Rosa", "Ayşe K."]


def test_whoever_writes_is_shown_what_resembles_it(client: TestClient, engine: Engine, town: Town) -> None:
    propose(client)
    propose(client, title="Spielplatz", text="Ein Spielplatz mit Wasser für kleine Kinder.", why="")
    publish_everything(engine, town)
    token = drafts.new_secret()
    typed = {
        "kind": "proposal", "title": "Mehr Sitzbänke", "text": "Bitte Bänke im Schatten am Mühlbach aufstellen.",
    }  # fmt: skip
    client.post(f"{HERE}/stellungnahme/{token}/text", data={**typed, "do": "next"})
    client.post(f"{HERE}/stellungnahme/{token}/angaben", data={"do": "next", "publish": "yes"})
    checked = words(client.get(f"{HERE}/stellungnahme/{token}/pruefen"))
    # With its reference: many proposals have the same title.
    assert re.search(r"etwas Ähnliches vorgeschlagen Bänke am Mühlbach \(\S+-0001\)", checked)
    assert "Spielplatz" not in checked


def test_two_proposals_become_one_with_consent_and_one_is_divided(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    propose(client, title="Stühle am Mühlbach", text="Am Mühlbach sollen Stühle stehen.", pseudonym="Ben")
    publish_everything(engine, town)
    with Session(engine) as session:
        codes = [session.get_one(Contribution, number).access_code for number in (1, 2)]
    rosa, ben, fan = (new_client() for _ in range(3))
    for owner, code in zip((rosa, ben), codes, strict=True):
        owner.post("/beitrag", data={"code": code})
        owner.post("/beitrag/weiterschreiben")
    other = f"{HERE}/vorschlaege/ID-0002"
    fan.post(f"{other}/unterstuetzen", data={"do": "give"})

    # Ben asks that his goes into Rosa's: which two, then the joint words and why.
    assert "Mit einem anderen zusammenlegen" in words(ben.get("/mitschreiben/vorschlag"))
    assert "Welcher bleibt bestehen?" in words(ben.get("/mitschreiben/zusammenlegen"))
    for wrong in ("ID-0002", "ID-9999"):
        assert ben.get(f"/mitschreiben/zusammenlegen?vorschlag={wrong}").status_code == 422
    chosen = "/mitschreiben/zusammenlegen?vorschlag=id-0001&richtung=hinein"
    form = fields(ben.get(chosen))
    assert form["title"] == "Bänke am Mühlbach"
    form |= {"what": form["what"].replace("Bänke", "Bänke und Stühle")}
    silent = ben.post(chosen, data=form)
    assert silent.status_code == 422
    assert "Bänke und Stühle" in fields(silent)["what"], "what was typed comes back"
    asked = ben.post(chosen, data=form | {"reason": "Beide wollen sitzen."})
    assert "Die andere Seite ist gefragt" in words(ben.get(asked.headers["location"]))
    assert "Bitte antworten Sie" in words(rosa.get("/mitschreiben/vorschlag"))

    # Rosa reads both, sees what the joint words change, and agrees; a refusal would need words.
    wish = "/mitschreiben/zusammenlegen/1"
    unread = words(rosa.get(wish))
    assert "Jemand im Rathaus liest diese Worte zuerst" in unread
    assert "fragt, ob aus den beiden einer werden soll" in unread
    assert ("Beide wollen sitzen." in unread, "und Stühle" in unread) == (False, False)
    assert "Beide wollen sitzen." in words(ben.get(wish)), "whoever asks reads their own words"
    early = rosa.post(wish, data={"do": "agree"})
    assert (early.status_code, "noch nicht gelesen" in words(early)) == (422, True)
    moderator = signed_in(engine, town.moderator, new_client())
    assert "Neben dem Vorschlag ID-0001" in words(moderator.get("/verwaltung/vorschlaege"))
    beside = moderator.get("/verwaltung/vorschlaege/1/worte")
    assert (
        moderator.post("/verwaltung/vorschlaege/1/worte", data=fields(beside) | {"do": "show"}).status_code
        == 303
    )
    read = rosa.get(wish)
    for expected in ("Beide wollen sitzen.", "Am Mühlbach sollen Stühle stehen.", "neu: und Stühle"):
        assert expected in words(read)
    assert "Anfrage zurücknehmen" in words(ben.get(wish))
    assert rosa.post(wish, data={"do": "refuse"}).status_code == 422
    assert "einer" in words(rosa.get(rosa.post(wish, data={"do": "agree"}).headers["location"]))
    gone = words(client.get(other))
    assert "Teil eines anderen Vorschlags" in gone
    # Why stands at the joint version and its changes, until a moderator keeps it back.
    joint = fields(moderator.get("/verwaltung/vorschlaege/1"), -1) | {"action": "publish"}
    assert moderator.post("/verwaltung/vorschlaege/1", data=joint).status_code == 303
    public = (THERE, f"{THERE}/fassungen/1/2")
    assert ["Beide wollen sitzen." in words(client.get(each)) for each in public] == [True, True]
    beside = moderator.get("/verwaltung/vorschlaege/1/worte")
    of_wish = [form for number in range(2) if "wish" in (form := fields(beside, number))["about"]]
    back = of_wish[0] | {"do": "withhold", "reason": "insult"}
    assert moderator.post("/verwaltung/vorschlaege/1/worte", data=back).status_code == 303
    assert ["Beide wollen sitzen." in words(client.get(each)) for each in public] == [False, False]
    assert "Bänke am Mühlbach" in gone

    # Whoever supports it is asked, and only then comes along.
    assert "mitnehmen" in words(fan.get(f"{other}/unterstuetzen"))
    fan.post(f"{other}/unterstuetzen", data={"do": "move"})
    with Session(engine) as session:
        kept = [session.get_one(proposals.Proposal, number).supports for number in (1, 2)]
    assert kept == [1, 0]
    assert "Dort mitschreiben" in words(ben.get("/mitschreiben/vorschlag"))
    assert ben.post("/mitschreiben/vorschlag", data={"do": "continue"}).status_code == 303
    assert "Bänke am Mühlbach" in words(ben.get("/mitschreiben/vorschlag"))

    # Rosa divides hers: a title of its own is needed; what comes of it has a receipt.
    form = fields(rosa.get("/mitschreiben/teilen"))
    assert rosa.post("/mitschreiben/teilen", data=form).status_code == 422
    part = form | {"title": "Schatten am Mühlbach", "what": "Bäume pflanzen."}
    receipt = rosa.post("/mitschreiben/teilen", data=part)
    assert "Bäume pflanzen." in words(rosa.get(receipt.headers["location"]))
    publish_everything(engine, town)
    assert "entstand aus" in words(client.get(f"{HERE}/vorschlaege/ID-0003"))


def test_the_facilitator_begins_a_merge_and_divides(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    propose(client, title="Stühle am Mühlbach", text="Am Mühlbach sollen Stühle im Schatten stehen.")
    publish_everything(engine, town)
    moderator = signed_in(engine, town.moderator, new_client())
    there = "/verwaltung/vorschlaege/zusammenlegen"
    assert "Zusammenlegen oder teilen" in words(moderator.get("/verwaltung/vorschlaege"))
    found = moderator.get(f"{there}?vorschlag=id-0002")
    (choice,) = html.fromstring(found.content).xpath("//a[contains(., 'zusammenlegen')]/@href")
    assert choice == f"{there}?vorschlag=ID-0002&bleibt=ID-0001", "what resembles it is offered"
    for wrong in (
        "?vorschlag=ID-9999",
        "?vorschlag=ID-0002&bleibt=ID-0002",
        "?vorschlag=ID-0002&bleibt=quatsch",
    ):
        assert moderator.get(there + wrong).status_code == 422, wrong
    with unit_of_work(engine, write=True) as session:
        black = Decision(
            Action.REDACT, Reason.INSULT, title="Stühle am Mühlbach", text="Am Mühlbach ███ stehen."
        )
        moderation.decide(session, session.get_one(Contribution, 2), black, by=town.moderator, now=NOW)
    closed = moderator.get(f"{there}?vorschlag=ID-0001&bleibt=ID-0002")
    assert closed.status_code == 422
    assert "In diesem Vorschlag ist etwas geschwärzt; er kann keinen anderen aufnehmen." in words(closed)
    form = fields(moderator.get(choice))
    silent = moderator.post(choice, data=form)
    assert (silent.status_code, fields(silent)["title"]) == (422, "Bänke am Mühlbach")
    asked = moderator.post(
        choice, data=form | {"reason": "Beide wollen sitzen.", "title": "Sitzen am Mühlbach"}
    )
    assert asked.status_code == 303, words(asked)
    wish = asked.headers["location"]
    assert "Sitzen" in words(moderator.get(wish))
    assert "ID-0002 → ID-0001" in words(moderator.get("/verwaltung/vorschlaege"))
    assert moderator.post(wish, data={"do": "agree", "about": "1"}).status_code == 422, (
        "the owners decide first"
    )

    # Both owners find it at their desks, with the words of the town hall.
    with Session(engine) as session:
        codes = [session.get_one(Contribution, number).access_code for number in (1, 2)]
    for code in codes:
        owner = new_client()
        owner.post("/beitrag", data={"code": code})
        owner.post("/beitrag/weiterschreiben")
        assert "Beide wollen sitzen." in words(owner.get("/mitschreiben/zusammenlegen/1"))
        assert owner.post("/mitschreiben/zusammenlegen/1", data={"do": "agree"}).status_code == 303
    assert "Teil eines anderen Vorschlags" in words(client.get(f"{HERE}/vorschlaege/ID-0002"))

    # A part becomes a proposal of its own; its author has left no address, so the receipt lies at the counter.
    divide = "/verwaltung/vorschlaege/teilen?vorschlag=ID-0001"
    page = moderator.get(divide)
    assert "keine Adresse" in words(page)
    typed = fields(page) | {"title": "", "what": "Bäume pflanzen."}
    assert moderator.post(divide, data=typed).status_code == 422
    done = moderator.post(divide, data=typed | {"title": "Schatten am Mühlbach"})
    assert done.headers["location"] == "/verwaltung/moderation/3"
    assert "Bäume pflanzen." in words(moderator.get(done.headers["location"]))
    unknown = moderator.get("/verwaltung/vorschlaege/teilen?vorschlag=ID-9999").headers["location"]
    assert "Wir kennen keinen Vorschlag" in words(moderator.get(unknown))


def test_nothing_typed_is_lost_when_the_phase_ends_meanwhile_and_a_receipt_says_what_it_is_for(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    form = fields(client.get(f"{THERE}/anders")) | {"what": "Bänke mit Lehne.", "reason": "Bequemer."}
    receipt = client.post(f"{THERE}/anders", data=form).headers["location"]
    assert "Wir haben Ihren Änderungsvorschlag erhalten" in words(client.get(receipt))
    assert client.get(f"{receipt}/beleg.pdf").content.startswith(b"%PDF-")
    comment = fields(client.get(f"{THERE}/kommentar")) | {"stance": "for", "text": "Ja!"}
    receipt = client.post(f"{THERE}/kommentar", data=comment).headers["location"]
    assert "Wir haben Ihren Kommentar erhalten" in words(client.get(receipt))
    with unit_of_work(engine, write=True) as session:
        code = session.get_one(Contribution, 1).access_code
    owner = new_client()
    owner.post("/beitrag", data={"code": code})
    owner.post("/beitrag/weiterschreiben")
    form = fields(owner.get("/mitschreiben/vorschlag"))
    with unit_of_work(engine, write=True) as session:
        (phase,) = phases_of(session, town.procedure.id or 0)
        phase.opens = ["comment"]
        session.add(phase)
    typed = form | {"cost": "Etwa 9.000 €", "note": "Die Kosten fehlten.", "do": "revise"}
    late = owner.post("/mitschreiben/vorschlag", data=typed)
    assert late.status_code >= 400
    for kept in ("Etwa 9.000 €", "Die Kosten fehlten."):
        assert kept in words(late)


def test_a_comment_beside_a_formal_period_asks_whether_it_is_a_statement(
    client: TestClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    assert "formal" not in fields(client.get(f"{THERE}/kommentar"))
    assert "förmliche Frist" not in words(client.get(f"{THERE}/kommentar"))
    with unit_of_work(engine, write=True) as session:
        formal = Phase(
            procedure_id=town.procedure.id or 0, kind=PhaseKind.PUBLICATION.value, position=9, starts_on=STARTS,
            ends_on=ENDS, opens=["statement"], is_formal=True, effective_end=ENDS, released_at=NOW,
        )  # fmt: skip
        session.add(formal)
    asked = client.get(f"{THERE}/kommentar")
    assert "Gerade läuft eine förmliche Frist" in words(asked)
    for said, kind in (("yes", "statement"), ("no", "comment"), ("", "comment")):
        form = fields(client.get(f"{THERE}/kommentar")) | {"stance": "remark", "text": f"Gesagt: {said}."}
        sent = client.post(f"{THERE}/kommentar", data=form | ({"formal": said} if said else {}))
        assert sent.status_code == 303, words(sent)
        with Session(engine) as session:
            row = session.exec(select(Contribution).where(Contribution.text == f"Gesagt: {said}.")).one()
            past = [each.verb for each in journal.about(session, f"contribution:{row.id}")]
        assert (row.kind, "comment_in_formal_period" in past) == (kind, kind == "comment")


def test_the_formal_period_may_run_in_another_part_of_the_same_area(
    client: TestClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    with unit_of_work(engine, write=True) as session:
        plan = session.exec(select(Procedure).where(Procedure.key == "BP-12")).one()
        session.get_one(Procedure, town.procedure.id).part_of_id = plan.id
    asked = client.get(f"{THERE}/kommentar")
    assert "ein förmliches Verfahren: „Wohnen am Mühlbach“" in words(asked)
    typed = fields(asked) | {"stance": "remark", "text": "Beim Vorschlag.", "formal": "yes"}
    receipt = client.post(f"{THERE}/kommentar", data=typed)
    assert "Wohnen am Mühlbach" in words(client.get(receipt.headers["location"]))
    # The way in steps leads there, too; and without an answer it stays here.
    for said, formal, where in (("Ja.", "yes", plan.id), ("Nein.", "no", town.procedure.id)):
        secret = f"{HERE}/stellungnahme/{drafts.new_secret()}"
        client.post(f"{secret}/text", data={"kind": "comment", "title": "Ampel", "text": said, "do": "next"})
        about = fields(client.get(f"{secret}/angaben"))
        client.post(f"{secret}/angaben", data=about | {"formal": formal, "do": "next"})
        assert client.post(f"{secret}/pruefen", data={"do": "send"}).status_code == 303
        with Session(engine) as session:
            made = session.exec(select(Contribution).where(Contribution.text == said)).one()
            assert (made.procedure_id, made.kind) == (where, "statement" if formal == "yes" else "comment")


def test_so_does_every_other_comment_and_the_planner_finds_those_that_stayed_one(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    there = f"{HERE}/stellungnahme"
    typed = {"kind": "comment", "title": "Ampel", "publish": "yes"}

    def say(said: str, **answer: str) -> tuple[str, str]:
        """Step by step, without a script: the check before sending, and what it became."""
        secret = f"{there}/{drafts.new_secret()}"
        client.post(f"{secret}/text", data={**typed, "text": said, "do": "next"})
        asked = words(client.get(f"{secret}/angaben"))
        assert ("förmliche Frist" in asked) == is_formal
        client.post(f"{secret}/angaben", data={"publish": "yes", "do": "next", **answer})
        checked = words(client.get(f"{secret}/pruefen"))
        sent = client.post(f"{secret}/pruefen", data={"do": "send"})
        assert sent.status_code == 303, words(sent)
        with Session(engine) as session:
            return checked, session.exec(select(Contribution.kind).where(Contribution.text == said)).one()

    is_formal = False
    checked, kind = say("Vorher.", formal="yes")
    assert (kind, "förmliche Stellungnahme" in checked) == ("comment", False)
    with unit_of_work(engine, write=True) as session:
        formal = Phase(
            procedure_id=town.procedure.id or 0, kind=PhaseKind.PUBLICATION.value, position=9, starts_on=STARTS,
            ends_on=ENDS, opens=["statement"], is_formal=True, effective_end=ENDS, released_at=NOW,
        )  # fmt: skip
        session.add(formal)
    is_formal = True
    checked, kind = say("Förmlich.", formal="yes")
    assert (kind, "Zählt als förmliche Stellungnahme" in checked) == ("statement", True)
    for said, answer in (("Nur so.", {"formal": "no"}), ("Ohne Antwort.", {})):
        checked, kind = say(said, **answer)
        assert (kind, "Zählt als Kommentar" in checked) == ("comment", True)
    planner = signed_in(engine, town.planner, new_client())
    (found,) = html.fromstring(planner.get(f"/verwaltung/planung/{town.procedure.id}").content).xpath(
        "//a[contains(., 'während einer förmlichen Frist')]/@href"
    )
    listed = words(planner.get(found))
    assert [said in listed for said in ("Nur so.", "Ohne Antwort.", "Förmlich.", "Vorher.")] == [
        *(True, True),
        *(False, False),
    ]
    assert "es sollte ein Kommentar bleiben" in words(
        planner.get(html.fromstring(planner.get(found).content).xpath("//main//li//a/@href")[0])
    )


def test_a_page_by_chance_is_made_once_for_all_who_hold_its_order(
    app: Starlette, client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        for number in range(30):
            row = town.hand_in(
                session, f"Bank {number}", kind=Kind.PROPOSAL, title=f"Bank {number}", wants_publication=True
            )
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)

    def seen(browser: str, address: str = f"{HERE}/vorschlaege") -> tuple[list[str], str]:
        answer = client.get(address, headers={"User-Agent": browser})
        tree = html.fromstring(answer.content)
        more = tree.xpath("//nav[contains(@class, 'd-pagination')]//a[contains(., 'Weitere')]/@href")
        return tree.xpath("//ul[@class='d-contributions']//h2//a/@href"), (more or [""])[0]

    kept = app.state.house.kept
    orders = [seen(f"Browser {number}") for number in range(24)]
    different = {tuple(order) for order, _ in orders}
    assert 12 < len(different) == len(kept) < 24, (
        "some hold the same order, and its page was made once for them"
    )
    assert len({order[0] for order, _ in orders}) > 6, "no proposal is always first"
    assert seen("Browser 0") == orders[0]

    # The further page goes on in the order that was begun, whoever has its address, and shows the rest.
    order, more = orders[0]
    other = next(number for number, (theirs, _) in enumerate(orders) if theirs != order)
    rest, end = seen(f"Browser {other}", more)
    assert (len({*order, *rest}), len(order) + len(rest), end) == (30, 30, "")

    # Nothing of a visitor gets into a page that others are sent: no cookie, no browser, nobody who is signed in.
    kept.clear()
    for name in ("digilog_support", "digilog_map", "digilog_proposal", "digilog_contribution"):
        client.cookies.set(name, "Klara-secret")
    assert (seen("Browser 0")[0], len(kept)) == (order, 1)
    seen("Browser 0", order[0])
    assert len(kept) == 1, "whoever may have marked something sees it, on a page that is kept for nobody"
    client.cookies.delete("digilog_support")
    seen("Browser 0", order[0])
    for page in kept.values():
        assert b"Klara" not in page.body
        assert b"Browser" not in page.body
    clerk = signed_in(engine, town.clerk, new_client())
    for address in (f"{HERE}/vorschlaege", order[0]):
        assert "Abmelden" in clerk.get(address, headers={"User-Agent": "Browser 0"}).text
    assert len(kept) == 2, "what somebody who is signed in sees is kept for nobody"
    plain = new_client()
    for address in (f"{HERE}/vorschlaege", order[0]):
        answer = plain.get(address, headers={"User-Agent": "Browser 0"})
        assert "Abmelden" not in answer.text
        assert answer.headers["vary"] == "Accept-Encoding, Cookie"
    assert len(kept) == 2, "but a visitor without an account is sent what another one was"
    # What somebody makes up is answered, but its address does not fill the memory.
    assert plain.get(f"{HERE}/vorschlaege?unsinn={'x' * 3000}").status_code == 200
    assert len(kept) == 2
    # And what changes is seen at once.
    with unit_of_work(engine, write=True) as session:
        row = session.get_one(Contribution, 1)
        moderation.decide(
            session, row, Decision(Action.WITHHOLD, moderation.Reason.OFF_TOPIC), by=town.moderator, now=NOW
        )
    assert "29 Vorschläge" in words(plain.get(f"{HERE}/vorschlaege"))


def test_the_nearest_come_first_and_where_somebody_is_is_kept_nowhere(
    app: Starlette, client: TestClient, engine: Engine, town: Town
) -> None:
    steps = [(number * 7) % 23 for number in range(23)]  # each of 0 … 22 once, in no order
    with unit_of_work(engine, write=True) as session:
        for title, located in (
            ("Ohne Ort", None),
            *((f"Bank {step}", from_lonlat(10.7 + step * 0.004, 48.3 - step * 0.001)) for step in steps),
        ):
            row = town.hand_in(
                session, "Text.", kind=Kind.PROPOSAL, title=title, located=located, wants_publication=True
            )
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)

    def titles(page: html.HtmlElement) -> list[str]:
        return [str(link.text_content()) for link in page.xpath("//ul[@class='d-contributions']//h2//a")]

    address = f"{HERE}/vorschlaege?sortierung=nearest&lon=10.700&lat=48.300"
    first = client.get(address)
    assert "Was Ihnen am nächsten liegt" in words(first)
    assert (first.headers["cache-control"], len(app.state.house.kept)) == ("no-store", 0)
    tree = html.fromstring(first.content)
    (more,) = tree.xpath("//nav[contains(@class, 'd-pagination')]//a[contains(., 'Weitere')]/@href")
    rest = html.fromstring(client.get(more).content)
    assert titles(tree) + titles(rest) == [*(f"Bank {step}" for step in range(23)), "Ohne Ort"]
    (button,) = tree.xpath("//button[@data-near]")
    assert ("hidden" in button.attrib, "sortierung=nearest" in button.get("data-near")) == (True, True)
    for nonsense in ("", "&lon=x&lat=y", "&lon=nan&lat=48.3", "&lon=-70&lat=48.3", "&nahe=Nirgendwo"):
        answer = client.get(f"{HERE}/vorschlaege?sortierung=nearest{nonsense}")
        assert answer.status_code == 200
        assert ("Von wo aus gesehen?" if "nahe" not in nonsense else "kennen wir nicht") in words(answer)
    assert client.get(f"{address}&nach=inf-3").status_code == 200


def test_a_number_that_no_row_has_is_a_page_and_no_fault(
    client: TestClient, engine: Engine, town: Town
) -> None:
    """The keys of lists and the secrets of links hold numbers of rows, and anybody may type larger ones into them."""
    with unit_of_work(engine, write=True) as session:
        row = town.hand_in(session, "Eine Bank.", kind=Kind.PROPOSAL, title="Bank", wants_publication=True)
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    for large in ("9" * 10, "9" * 40):
        addresses = [
            f"{HERE}/vorschlaege?sortierung=newest&nach=20260101T000000.0-{large}",
            f"{HERE}/vorschlaege?sortierung=little_seen&nach={large}-1",
            f"{HERE}/vorschlaege?sortierung=ends_soon&nach=1-{large}",
            f"{HERE}/vorschlaege?nach=1.{large}",
            f"{HERE}/beitraege?nach=20260101T000000.0-{large}",
            f"{HERE}/neues?vor={large}",
        ]
        assert [client.get(each).status_code for each in addresses] == [200] * len(addresses)
        assert client.get(f"/folgen/{large}.x").status_code == 404
        assert client.get(f"/mitschreiben/einladung/{large}.x").status_code in (303, 404)


def test_what_is_said_of_a_proposal_at_a_touch_table_comes_from_a_public_terminal(
    new_client: NewClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        row = town.hand_in(session, "Eine Bank.", kind=Kind.PROPOSAL, title="Bank", wants_publication=True)
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    table = signed_in(engine, town.planner, new_client())
    desk, passes = f"/verwaltung/planung/{town.procedure.id}/tisch", f"{HERE}/tisch/ausweis"
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    key = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*form)
    tomorrow = (local_date(NOW) + timedelta(days=1)).isoformat()
    asked = {"do": "begin", "title": "Foyer", "starts_on": tomorrow, "ends_on": tomorrow}
    # A key on a curve that nobody here knows is no key, and a number that no table has ends none.
    unknown = "MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=="
    assert table.post(desk, data=asked | {"key": unknown}).status_code == 422
    assert table.post(desk, data={"do": "end-99999999999"}).status_code == 303
    assert table.post(desk, data=asked | {"key": base64.b64encode(key).decode()}).status_code == 303

    # Set up the evening before it is told nothing that sounds like its end, and what comes from it is sent online.
    assert table.get(passes).json() == {"question": ""}

    def say(text: str) -> None:
        sent = fields(table.get(f"{THERE}/kommentar")) | {"stance": "for", "text": text}
        assert table.post(f"{THERE}/kommentar", data=sent).status_code == 303
        answer = table.get(f"{THERE}/anders")
        sent = fields(answer) | {"what": f"Eine Bank. {text}", "reason": "So ist es klarer."}
        assert table.post(f"{THERE}/anders", data=sent).status_code == 303

    say("Einen Tag zu früh.")
    with unit_of_work(engine, write=True) as session:
        row = session.exec(select(terminals.Terminal)).one()
        row.starts_on = local_date(NOW)
        session.add(row)
    assert table.get(passes).json()["question"]
    say("Am Tisch.")
    # The table of an area is that of its parts, too; that of something else is not.
    with unit_of_work(engine, write=True) as session:
        entered = cast.consultation(key="G-0", title="Gebiet", phases=())
        area = procedures.create(
            session,
            entered,
            municipality_id=town.id,
            template_key="informal_dialogue",
            by=town.planner,
            now=NOW,
        )
        area.state = procedures.ProcedureState.PUBLISHED.value
        session.exec(select(terminals.Terminal)).one().procedure_id = area.id or 0
        area_id = area.id
    say("Am Tisch von etwas anderem.")
    with unit_of_work(engine, write=True) as session:
        session.get_one(Procedure, town.procedure.id).part_of_id = area_id
    say("Am Tisch des Gebiets.")
    with Session(engine) as session:
        made = session.exec(select(Contribution).order_by(col(Contribution.id))).all()
    assert [row.channel for row in made[1:]] == [
        *["web"] * 2,
        *["terminal"] * 2,
        *["web"] * 2,
        *["terminal"] * 2,
    ]


def test_a_comment_is_written_anew_by_its_author_and_at_the_counter(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    propose(client)
    publish_everything(engine, town)
    writer = new_client()
    form = fields(writer.get(f"{THERE}/kommentar")) | {"stance": "for", "text": "Bänke sind gut fürs Dorf."}
    receipt = writer.get(writer.post(f"{THERE}/kommentar", data=form).headers["location"])
    code = "".join(html.fromstring(receipt.content).xpath("//*[@class='d-code__group']/text()"))
    publish_everything(engine, town)
    answer = fields(client.get(f"{THERE}/kommentar?antwort=2")) | {
        "stance": "question",
        "text": "Welches Dorf?",
    }
    client.post(f"{THERE}/kommentar", data=answer)
    publish_everything(engine, town)

    # Only whoever has the code of the receipt comes to the form.
    there = f"{THERE}/kommentare/ID-0002/neu"
    assert client.get(there).headers["location"] == "/beitrag"
    writer.post("/beitrag", data={"code": code})
    (link,) = html.fromstring(writer.get("/beitrag/stand").content).xpath("//a[.='Neu schreiben']/@href")
    assert link == there
    page = writer.get(there)
    assert "Es gibt schon 1 Antwort" in words(page)
    form, other = fields(page), fields(page)
    assert "Noch ist nichts anders" in words(writer.post(there, data=form))
    sent = writer.post(there, data=form | {"text": "Bänke sind gut für die Stadt."})
    assert "Ihr neuer Wortlaut ist gespeichert" in words(writer.get(sent.headers["location"]))
    clash = writer.post(there, data=other | {"text": "Bänke sind schlecht."})
    assert (clash.status_code, fields(clash)["base"]) == (409, "2")
    assert fields(clash)["text"].strip() == "Bänke sind schlecht.", "what was typed stands there still"
    assert "Was inzwischen dort steht Bänke sind gut für die Stadt." in words(clash)
    assert "Bänke sind gut fürs Dorf." in words(client.get(THERE)), "a moderator first"

    # The moderator sees what changed, and shows it; everybody reads since when, and what.
    moderator = signed_in(engine, town.moderator, new_client())
    (waits,) = html.fromstring(moderator.get("/verwaltung/vorschlaege").content).xpath(
        "//h3/a[contains(@href, '/kommentare/')]/@href"
    )
    before = moderator.get(waits)
    assert html.fromstring(before.content).xpath("//ins[contains(., 'Stadt.')] | //del[contains(., 'Dorf.')]")
    missing = moderator.post(waits, data=fields(before) | {"action": "return"})
    assert (missing.status_code, "Bitte geben Sie einen Grund an" in words(missing)) == (422, True)
    assert moderator.post(waits, data=fields(before) | {"action": "publish"}).status_code == 303
    assert "Andere lesen diese Fassung schon" in words(moderator.get(waits))
    shown = client.get(THERE)
    assert "Bänke sind gut für die Stadt." in words(shown)
    assert "1 Antwort darunter ist älter als diese Änderung" in words(shown)
    (changes,) = html.fromstring(shown.content).xpath("//a[contains(., 'was sich geändert hat')]/@href")
    for view in ("", "?ansicht=nebeneinander"):
        assert html.fromstring(client.get(changes + view).content).xpath("//ins[contains(., 'Stadt.')]")
    assert client.get(changes.replace("/1/2", "/2/3")).status_code == 404

    # Somebody calls: the counter writes for them, and the same moderator's list has it.
    clerk = signed_in(engine, town.clerk, new_client())
    (counter,) = html.fromstring(clerk.get("/verwaltung/eingangsbuch/2").content).xpath(
        "//a[contains(., 'neu schreiben')]/@href"
    )
    typed = fields(clerk.get(counter)) | {"text": "Bänke sind gut für alle."}
    assert clerk.post(counter, data=typed).status_code == 422, "how it came has to be said"
    done = clerk.post(counter, data=typed | {"channel": "phone_record"})
    assert "neu geschrieben" in words(clerk.get(done.headers["location"]))
    assert "Bänke sind gut für alle." in words(moderator.get("/verwaltung/vorschlaege"))
    assert "für alle" not in words(client.get(THERE))


def test_a_moderator_reads_anew_what_was_blacked_out_in_a_proposal_or_a_comment_before_showing_it(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    insult, rest = "Herr Rabe ist ein Lump.", "Am Mühlbach sollen Bänke im Schatten stehen."
    propose(client, text=f"{insult} {rest}")
    publish_everything(engine, town)
    form = fields(client.get(f"{THERE}/kommentar")) | {"stance": "for", "text": f"{insult} {rest}"}
    client.post(f"{THERE}/kommentar", data=form)
    publish_everything(engine, town)
    moderator = signed_in(engine, town.moderator, new_client())
    pages = ("/verwaltung/vorschlaege/1", "/verwaltung/vorschlaege/kommentare/2")
    with unit_of_work(engine, write=True) as session:
        proposal, comment = (session.get_one(Contribution, number) for number in (1, 2))
        kept = f"{insult} {rest}".replace("Schatten", "Licht")
        owner = proposals.authors_of(session, 1)[0]
        proposing.revise(
            session, 1, {"what": kept}, base_number=1, language="de", by=PUBLIC, author=owner, now=NOW
        )
        rewording.reword(session, 2, kept, base_number=1, by=PUBLIC, now=NOW)
        for row in (proposal, comment):
            black = Decision(Action.REDACT, Reason.INSULT, title=row.title, text=f"███ {rest}")
            moderation.decide(session, row, black, by=town.moderator, now=NOW)
    for each in pages:
        seen = moderator.get(each)
        assert "Dort ist etwas geschwärzt" in words(seen)
        assert "mit Fassung 1, die andere lesen" not in words(seen)
        assert html.fromstring(seen.content).xpath("//ins[contains(., 'Lump')]"), each
    with unit_of_work(engine, write=True) as session:
        for number in (1, 2):
            row = session.get_one(Contribution, number)
            held = Decision(Action.WITHHOLD, Reason.INSULT)
            moderation.decide(session, row, held, by=town.moderator, now=NOW)
    for each in pages:
        seen = moderator.get(each)
        assert "Bisher lesen andere nichts davon" in words(seen)
        assert html.fromstring(seen.content).xpath("//ins[contains(., 'Lump') and contains(., 'Licht')]"), (
            each
        )


def test_a_proposal_is_written_under_a_topic_found_by_it_and_put_right(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    paula = signed_in(engine, town.planner, new_client())
    there = f"/verwaltung/planung/{town.procedure.id}/themen"
    form = fields(paula.get(there)) | {"note": "Themen", "do": "add"}
    form = fields(paula.post(there, data=form)) | {"note": "Themen", "do": "save"}
    form |= {
        "topics-0-name": "Wege",
        "topics-0-name_en": "Paths",
        "topics-1-name": "",
        "topics-1-name_en": "Green",
    }
    refused = paula.post(there, data=form)
    assert (refused.status_code, "Bitte geben Sie dem Thema einen Namen." in words(refused)) == (422, True)
    assert paula.post(there, data=form | {"topics-1-name": "Grün"}).status_code == 303
    assert "Wege Grün" in words(paula.get(there.removesuffix("/themen")))

    page = client.get(f"/en{HERE}/stellungnahme?kind=proposal")
    options = html.fromstring(page.content).xpath("//select[@name='category']/option")
    assert [(each.get("value"), each.text) for each in options] == [
        ("", "No topic"),
        ("Wege", "Paths"),
        ("Grün", "Green"),
    ]
    propose(client, title="Bänke", category="Wege")
    propose(client, title="Bäume", category="selbst erfunden")
    clerk = signed_in(engine, town.clerk, new_client())
    counter = f"/verwaltung/eingang/{town.procedure.id}"
    typed = fields(clerk.get(counter)) | {
        "kind": "proposal", "channel": "letter", "title": "Hecke", "text": "Eine Hecke.", "category": "Grün",
        "wants_publication": "y", "do": "send",
    }  # fmt: skip
    assert clerk.post(counter, data=typed).status_code == 303
    publish_everything(engine, town)

    found = client.get(f"{HERE}/vorschlaege?thema=Wege")
    assert ("Bänke" in words(found), "Bäume" in words(found), "Hecke" in words(found)) == (True, False, False)
    assert "Hecke" in words(client.get(f"{HERE}/vorschlaege?thema=Gr%C3%BCn"))
    assert "selbst erfunden" not in words(client.get(f"{HERE}/vorschlaege"))
    feed = client.get(f"/en{HERE}/beitraege.atom?thema=Wege").text
    assert ("Bänke" in feed, 'term="Paths"' in feed, "Hecke" in feed) == (True, True, False)
    # What nothing has (any more) finds nothing: a feed that was narrowed never becomes the whole one.
    for gone in (
        "beitraege.atom?thema=Quarz",
        "beitraege.atom?art=Quarz",
        *(f"vorschlaege.atom?{name}=Quarz" for name in PARAMETERS.values()),
    ):
        empty = client.get(f"{HERE}/{gone}")
        assert (empty.status_code, empty.text.count("<entry>"), "=Quarz" in empty.text) == (200, 0, True), (
            gone
        )
    assert client.get(f"{HERE}/vorschlaege.atom?thema=Wege").text.count("<entry>") == 1
    assert client.get(f"{HERE}/karte?thema=Wege").status_code == 200

    mona = signed_in(engine, town.moderator, new_client())
    with Session(engine) as session:
        row = session.exec(select(Contribution).where(Contribution.title == "Bäume")).one()
    desk = f"/verwaltung/moderation/{row.id}"
    assert "Thema in Listen und auf der Karte" in words(mona.get(desk))
    assert mona.post(f"{desk}/thema", data={"topic": "Erfunden"}).status_code == 422
    assert mona.post(f"{desk}/thema", data={"topic": "Wege"}).status_code == 303
    assert "Bäume" in words(client.get(f"{HERE}/vorschlaege?thema=Wege"))


def test_a_phase_asks_for_a_name_and_from_which_age_people_take_part(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    """Chosen by the planner, said before anybody types, held to by each form; what was typed comes back."""
    propose(client)
    publish_everything(engine, town)
    paula, clara = (signed_in(engine, each, new_client()) for each in (town.planner, town.clerk))
    with Session(engine) as session:
        (phase,) = phases_of(session, town.procedure.id or 0)
    desk = f"/verwaltung/planung/{town.procedure.id}/mitgestaltung/{phase.id}"
    typed = [
        *html.fromstring(paula.get(desk).content).xpath("//main//form[@method='post']")[0].form_values(),
        ("note", "Wer spricht?"),
    ]
    sent = dict(typed) | {"opens": [value for name, value in typed if name == "opens"]}
    assert sent["naming"] == "free"
    sent |= {"naming": "own", "minimum_age": "14", "contact": "Frau Kern", "for_writing": "y"}
    groundless = paula.post(desk, data=sent)
    assert groundless.status_code == 422
    assert dict(fields(groundless)).items() >= {"naming": "own", "minimum_age": "14"}.items()
    assert paula.post(desk, data=sent | {"ground": "Satzung §2"}).status_code == 303
    assert "ab 14 Jahren" in words(client.get(f"{THERE}/unterstuetzen"))

    # A comment and other words: asked beside the field, refused at it, and everything typed still there.
    for address, more in (
        (f"{THERE}/kommentar", {"stance": "for", "text": "Ja!"}),
        (f"{THERE}/anders", {"what": "Acht Bänke."}),
    ):
        shown = client.get(address)
        assert "Ihn liest nur das Rathaus" in words(shown)
        assert "Wer hier mitmachen kann ab 14 Jahren Warum: Satzung §2 Fragen: Frau Kern" in words(shown)
        ageless = client.post(address, data=fields(shown) | more | {"name": "Emil Amsel"})
        assert ageless.status_code == 422
        assert html.fromstring(ageless.content).xpath("//*[@id='age-error']")
        nameless = client.post(
            address, data=fields(ageless) | more | {"age": "y", "name": "", "pseudonym": "Emil"}
        )
        assert nameless.status_code == 422
        assert html.fromstring(nameless.content).xpath("//*[@id='name-error']")
        back = {name: value.strip() for name, value in fields(nameless).items()}
        assert back.items() >= {**more, "pseudonym": "Emil"}.items()
        said = client.post(address, data=fields(nameless) | {"name": "Emil Amsel"})
        assert said.headers["location"].startswith("/beleg/")
    publish_everything(engine, town)
    shown = words(client.get(f"{THERE}/kommentare"))
    assert "Ja!" in shown
    assert "Amsel" not in shown, "a name for the town hall is not published"

    # A proposal, at the step where the name is asked for and on the one page.
    draft = f"{HERE}/stellungnahme/{drafts.new_secret()}"
    first = {"kind": "proposal", "title": "Schatten", "text": "Mehr Schatten.", "do": "next"}
    about = client.get(client.post(f"{draft}/text", data=first).headers["location"])
    assert "Ihn liest nur das Rathaus" in words(about)
    ticked = {"age": ["", "y"], "publish": "yes", "do": "next"}
    assert (
        client.post(f"{draft}/angaben", data={**ticked, "name": "Rosa"})
        .headers["location"]
        .endswith("/pruefen")
    )
    forgotten = {"pseudonym": "Rosa", "name": "", "age": "", "publish": "yes", "do": "next"}
    nameless = client.post(f"{draft}/angaben", data=forgotten)
    assert nameless.status_code == 422
    assert html.fromstring(nameless.content).xpath("//*[@id='age-error']"), (
        "a tick that was taken back is gone"
    )
    assert html.fromstring(nameless.content).xpath("//*[@id='name-error']")
    whole = client.post(f"{draft}/alles", data={**first, "pseudonym": "Rosa", "do": "send"})
    assert (whole.status_code, fields(whole)["text"].strip()) == (422, "Mehr Schatten.")
    assert (
        client.post(f"{draft}/alles", data={"name": "Rosa Reh", "age": "y", "do": "send"}).status_code == 303
    )

    # At the counter.
    counter = f"/verwaltung/eingang/{town.procedure.id}"
    shown = clara.get(counter)
    assert "Vorschlag: nur mit dem eigenen Namen der Person" in words(shown)
    slip = fields(shown) | {
        "channel": "letter",
        "kind": "comment",
        "text": "Schön.",
        "pseudonym": "Rosa",
        "do": "send",
    }
    ageless = clara.post(counter, data=slip)
    assert html.fromstring(ageless.content).xpath("//*[@id='age-error']")
    slip |= {"age": "y"}
    nameless = clara.post(counter, data=slip)
    assert nameless.status_code == 422
    assert html.fromstring(nameless.content).xpath("//*[@id='name-error']")
    assert fields(nameless)["pseudonym"] == "Rosa"
    assert clara.post(counter, data=slip | {"name": "Rosa Reh"}).status_code == 303


def test_a_planner_adds_sections_of_their_own_and_proposals_are_written_read_and_amended_in_them(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    """Without JavaScript: added, named, moved, refused at the field, asked for, shown by name, and fixed afterwards."""
    paula, clara = (signed_in(engine, each, new_client()) for each in (town.planner, town.clerk))
    with Session(engine) as session:
        (phase,) = phases_of(session, town.procedure.id or 0)
    desk = f"/verwaltung/planung/{town.procedure.id}/mitgestaltung/{phase.id}"

    def sent(answer: Any, **typed: str) -> dict[str, Any]:
        pairs = html.fromstring(answer.content).xpath("//main//form[@method='post']")[0].form_values()
        several = {name: [value for key, value in pairs if key == name] for name in ("opens", "sections")}
        return {**dict(pairs), **several, "note": "Abschnitte", **typed}

    once = paula.post(desk, data=sent(paula.get(desk), do="add", per_person="3"))
    twice = paula.post(desk, data=sent(once, **{"own-0-label": "Pflege", "do": "add"}))
    assert fields(twice).items() >= {"own-0-label": "Pflege", "per_person": "3", "own-1-label": ""}.items()
    moved = paula.post(
        desk, data=sent(twice, **{"own-1-label": "Schatten", "own-1-hint": "Wo fehlt er?", "do": "up-1"})
    )
    named = sent(moved, per_person="", do="save")
    assert (named["own-0-label"], named["own-1-label"]) == ("Schatten", "Pflege")
    nameless = paula.post(desk, data={**named, "own-1-label": "", "own-1-label_en": "Care"})
    assert (nameless.status_code, fields(nameless)["own-1-label_en"]) == (422, "Care")
    assert paula.post(desk, data=named).status_code == 303

    form = client.get(f"{HERE}/stellungnahme?kind=proposal&ansicht=eine-seite")
    assert "Wo fehlt er?" in words(form)
    keys = [name for name in fields(form) if name.startswith("own_")]
    assert len(keys) == 2
    draft = f"{HERE}/stellungnahme/{drafts.new_secret()}"
    typed = {"kind": "proposal", "title": "Bänke", "text": "Bänke.", keys[0]: "Am Ufer.", "publish": "yes"}
    checked = client.post(f"{draft}/text", data={**typed, "do": "next"})
    assert fields(client.get(f"{draft}/text"))[keys[0]].strip() == "Am Ufer.", "kept with the draft"
    assert "Schatten Am Ufer." in words(client.get(f"{draft}/pruefen"))
    assert checked.status_code == 303
    receipt = client.post(f"{draft}/pruefen", data={"do": "send"})
    assert "Schatten" in words(client.get(receipt.headers["location"]))
    publish_everything(engine, town)
    assert "Schatten Am Ufer." in words(client.get(THERE))
    for amended in (client.get(f"{THERE}/anders"), clara.get("/verwaltung/eingang/aenderung/1")):
        labels = html.fromstring(amended.content).xpath(f"//label[@for='{keys[0]}' or @for='{keys[1]}']")
        assert [" ".join(each.text_content().split()).split(" ")[0] for each in labels] == [
            "Schatten",
            "Pflege",
        ]

    # On a slip as on the screen: the counter asks for the same, keeps it, and the public reads it by the same names.
    counter = f"/verwaltung/eingang/{town.procedure.id}"
    slip = fields(clara.get(counter))
    assert set(keys) <= set(slip)
    slip |= {"kind": "proposal", "channel": "letter", "title": "Linden"}
    slip |= {
        "text": "Linden am Platz.",
        keys[0]: "Vor der Schule.",
        "why": "Es ist heiß.",
        "wants_publication": "y",
    }
    again = clara.post(counter, data=slip | {"do": "keep"})
    assert fields(again)[keys[0]].strip() == "Vor der Schule."
    elsewhere = clara.post(counter, data=fields(again) | {"kind": "comment", "do": "send"})
    assert (elsewhere.status_code, "Diesen Abschnitt haben nur Vorschläge" in words(elsewhere)) == (422, True)
    assert clara.post(counter, data=fields(again) | {"do": "send"}).status_code == 303
    publish_everything(engine, town)
    told = words(client.get(f"{HERE}/vorschlaege/ID-0002"))
    assert "Warum? Es ist heiß." in told
    assert "Schatten Vor der Schule." in told

    # Written in: no button takes them away, names may still change, and what was handed in keeps its own.
    shown = paula.get(desk)
    assert not html.fromstring(shown.content).xpath(
        "//button[@value='add' or starts-with(@value, 'remove-')]"
    )
    assert "lassen sich noch ändern" in words(shown)
    fewer = {name: value for name, value in sent(shown).items() if not name.startswith("own-1-")}
    assert paula.post(desk, data=fewer).status_code == 422
    assert paula.post(desk, data=sent(shown, **{"own-0-label": "Schatten und Sonne"})).status_code == 303
    assert "Schatten und Sonne" in words(client.get(f"{HERE}/stellungnahme?kind=proposal"))
    assert "Schatten Am Ufer." in words(client.get(THERE))

    # A slip that came in time is typed when the phase is over: into the same sections.
    with unit_of_work(engine, write=True) as session:
        (phase,) = phases_of(session, town.procedure.id or 0)
        phase.ends_on = NOW.date() - timedelta(days=1)
        session.add(phase)
    assert set(keys) <= set(fields(clara.get(counter)))

    # A day typed over brings another phase's sections, and takes no word away.
    with unit_of_work(engine, write=True) as session:
        next_one = Phase(
            procedure_id=town.procedure.id or 0, kind=PhaseKind.CO_CREATION.value, opens=["proposal"]
        )
        next_one.starts_on, next_one.ends_on = NOW.date(), ENDS
        session.add(next_one)
    assert not set(keys) & set(fields(clara.get(counter))), "today asks for none"
    yesterday = f"{NOW.date() - timedelta(days=1)}"
    slip |= {"token": drafts.new_secret(), "title": "Ulmen", "written_on": "", "received_on": yesterday}
    early = clara.post(counter, data=slip | {"do": "keep"})
    assert set(keys) <= set(fields(early))
    over = clara.post(counter, data=fields(early) | {"received_on": f"{NOW.date()}", "do": "send"})
    assert (over.status_code, fields(over)[keys[0]].strip(), keys[1] in fields(over)) == (
        422,
        "Vor der Schule.",
        False,
    )
    assert "In der Phase, die an diesem Tag lief, gibt es diesen Abschnitt nicht" in words(over)
    moved = fields(over) | {"text": "Linden am Platz. Vor der Schule.", keys[0]: ""}
    assert clara.post(counter, data=moved | {"do": "send"}).status_code == 303
