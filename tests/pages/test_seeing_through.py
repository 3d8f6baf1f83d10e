"""Support, evaluation, implementation and following through the pages, without JavaScript."""

import re
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from lxml import html
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import (
    amendments,
    discussion,
    following,
    happenings,
    implementation,
    moderation,
    procedure_news,
    support,
)
from consultations.contributions import Contribution, Kind, Submission
from consultations.following import Subscription
from consultations.happenings import Happening
from consultations.moderation import Action, Decision
from consultations.notices import Notice
from consultations.permissions import PUBLIC, SYSTEM, Actor, Role
from consultations.phases import Course, Phase, PhaseKind, phases_of
from consultations.proposals import Proposal
from consultations.saved_searches import SavedSearch
from participation import delivery, identity, mail, news_messages, security
from participation.database import unit_of_work
from participation.house import House
from participation.identity import COOKIE
from tests import cast
from tests.cast import ENDS, NOW, Town
from tests.conftest import Clock, MailServer, NewClient

HERE = "/beteiligungen/ideen"
THERE = f"{HERE}/vorschlaege/ID-0001"


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's town with one proposal that everybody may read."""
    with unit_of_work(engine, write=True) as session:
        town = cast.with_ideas(session, "Ideen")
        row = town.hand_in(
            session, "Bänke ans Ufer.", kind=Kind.PROPOSAL, title="Bänke", wants_publication=True
        )
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        return town


def tree_of(answer: Any) -> Any:
    return html.fromstring(answer.content)


def words(answer: Any) -> str:
    return " ".join(" ".join(tree_of(answer).find(".//main").itertext()).split())


def signed_in(engine: Engine, actor: Actor, client: TestClient, now: datetime = NOW) -> TestClient:
    with unit_of_work(engine, write=True) as session:
        client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id or 0, now=now))
    client.headers.update({"Sec-Fetch-Site": "same-origin"})
    return client


def proposal_id(engine: Engine) -> int:
    with Session(engine) as session:
        return session.exec(select(Proposal.contribution_id)).one()


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return support.counted(session, session.exec(select(Proposal.contribution_id)).one())


def test_support_online_and_on_paper(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    there = f"{THERE}/unterstuetzen"
    assert "Unterstützen" in words(client.get(THERE))
    for _ in range(2):  # a double click is one support
        assert client.post(there, data={"do": "give"}).status_code == 303
    assert count(engine) == 1
    page = client.get(f"{there}?getan=1")
    assert "1 Person unterstützt diesen Vorschlag" in words(page)
    assert "zurücknehmen" in words(page)
    client.post(there, data={"do": "withdraw"})
    assert count(engine) == 0
    # Where cookies are refused, the form itself carries the mark.
    bare = new_client()
    once = tree_of(bare.get(f"/en{there}")).xpath("//input[@name='once']/@value")[0]
    for _ in range(2):
        bare.cookies.clear()
        assert bare.post(there, data={"do": "give", "once": once}).status_code == 303
    assert count(engine) == 1

    with unit_of_work(engine, write=True) as session:
        phase = session.exec(select(Phase).where(Phase.kind == PhaseKind.CO_CREATION.value)).one()
        limits = {"minimum_age": 16, "ground": "Satzung §2", "contact": "Frau Kern"}
        phase.facts = {**phase.facts, "co_creation": {"limits": limits, "counts": "closed"}}
        session.add(phase)
    refused = client.post(there, data={"do": "give"})
    assert (refused.status_code, "Satzung §2" in words(refused), "Frau Kern" in words(refused)) == (
        422,
        True,
        True,
    )
    assert "nach dem Ende dieser Phase" in words(refused), "the number stays hidden"
    assert client.post(there, data={"do": "give", "age": "y"}).status_code == 303

    # On paper: typed in by one, compared by another.
    clerk, planner = (signed_in(engine, each, new_client()) for each in (town.clerk, town.planner))
    entry = f"/verwaltung/unterstuetzung/{proposal_id(engine)}"
    assert clerk.get("/verwaltung/unterstuetzung?q=id-0001").headers["location"] == entry
    assert "keinen Vorschlag" in words(clerk.get("/verwaltung/unterstuetzung?q=XX-1"))
    assert "Alt genug" in words(clerk.get(entry))
    empty = clerk.post(entry, data={"received_on": "2027-02-16"})
    assert (empty.status_code, "kein" in words(empty)) == (422, True)
    lines = {"name-1": "Anna Ärmel", "age-1": "1", "name-2": "Bert Bach", "age-2": "1"}
    sheet = clerk.post(entry, data={"received_on": "2027-02-16", **lines}).headers["location"]
    assert "Jemand anderes muss es vergleichen" in words(clerk.get(sheet))
    assert "Vier Augen" in words(clerk.post(sheet, data={"do": "check"}))
    assert "1 Blatt wartet" in words(planner.get("/verwaltung"))
    assert planner.post(sheet, data={"do": "check", "struck-2": "1"}).status_code == 422
    assert "Bert Bach" in words(planner.get(sheet))
    planner.post(sheet, data={"do": "check", "struck-2": "1", "why-2": "Nicht zu lesen"})
    assert "gestrichen: Nicht zu lesen" in words(clerk.get(sheet))
    assert count(engine) == 3


def test_a_thousand_supports_from_one_address_wait_and_lock_no_library_out(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town, app: Starlette, clock: Clock
) -> None:
    limiter = app.state.house.limiter
    for _ in range(1000):  # what a thousand browsers behind one address would have asked
        limiter.count(security.Action.SUPPORT, "testclient")
    there = f"{THERE}/unterstuetzen"
    answer = client.post(there, data={"do": "give"})
    assert (answer.status_code, "in einer Minute" in words(answer)) == (429, True)
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert client.get(THERE).status_code == 200, "everybody reads on"
    member = signed_in(engine, town.clerk, new_client())
    assert member.post(there, data={"do": "give"}).status_code == 303, "whoever signs in does not wait"
    assert count(engine) == 1
    member.cookies.delete(COOKIE)  # signed out, in the same browser
    assert "zählt Ihre Unterstützung einmal" in words(member.get(there))


def test_evaluated_answered_and_built(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town, clock: Clock
) -> None:
    with unit_of_work(engine, write=True) as session:
        expert = cast.employ(session, town.municipality, Role.EVALUATOR, "Erika")
    erika, planner = signed_in(engine, expert, new_client()), signed_in(engine, town.planner, new_client())
    key = proposal_id(engine)
    listed, one = f"/verwaltung/bewertung/{town.procedure.id}", f"/verwaltung/bewertung/vorschlaege/{key}"
    assert "Bewertung der Vorschläge" in words(erika.get("/verwaltung"))
    assert "1 Vorschlag" in words(erika.get("/verwaltung/bewertung"))
    assert planner.post(listed, data={"do": "assign"}).status_code == 422
    kept = planner.post(listed, data={"do": "assign", "chosen": str(key), "offices": "Grünamt"})
    assert (kept.status_code, "Grünamt" in kept.text) == (422, True), "the day is missing; the office is kept"
    data = {"do": "assign", "chosen": str(key), "offices": "Grünamt\nTiefbauamt", "due_on": "2027-02-20"}
    assert planner.post(listed, data=data).status_code == 303
    assert "bis Samstag, 20. Februar 2027" in words(client.get(THERE))
    clock.advance(days=6)
    for actor, browser in ((expert, erika), (town.planner, planner)):
        signed_in(engine, actor, browser, now=clock.now)
    assert "verspätet" in words(client.get(THERE))
    assert "1 Antwort ist überfällig" in words(planner.get("/verwaltung"))
    assert "ID-0001" in words(planner.get(f"{listed}?stand=overdue&amt=Gr%C3%BCnamt"))

    judged = {"do": "assess", "office": "Tiefbauamt", "criterion": "feasibility", "grade": "medium"}
    assert erika.post(one, data={**judged, "criterion": "beauty"}).status_code == 422
    erika.post(one, data={**judged, "judged_from": "4000", "judged_to": "9000", "remark": "Im Winter."})
    assert "mittel , 4.000 bis 9.000 €" in words(erika.get(one)).replace("mittel,", "mittel ,")
    answer = {"do": "hand_on", "seen": "0", "outcome": "adopted", "reason": "Die Bänke kommen."}
    lacking = erika.post(one, data=answer)
    assert (lacking.status_code, "Die Bänke kommen." in lacking.text) == (422, True)
    erika.post(one, data={**answer, "cost_from": "4000", "cost_to": "9000", "period": "2028"})
    assert "eine zweite Person muss zustimmen" in words(erika.get(one))
    assert "Vier Augen" in words(erika.post(one, data={"do": "approve", "seen": "1"}))
    assert "Die Bänke kommen" not in words(client.get(THERE)), "nothing is shown before it is published"
    assert planner.post(one, data={"do": "approve", "seen": "1"}).status_code == 303
    assert erika.post(listed, data={"do": "publish", "chosen": str(key)}).status_code == 403
    assert planner.post(listed, data={"do": "publish", "chosen": str(key)}).status_code == 303
    shown = words(client.get(THERE))
    for said in ("Es wird umgesetzt", "Die Bänke kommen.", "4.000 bis 9.000 €", "2028"):
        assert said in shown
    assert "It will be done" in words(client.get(f"/en{THERE}"))

    built = f"/verwaltung/umsetzung/{key}"
    assert "Meilenstein" in words(planner.get(built))
    picture = BytesIO()
    Image.new("RGB", (40, 30), "green").save(picture, "PNG")
    news = {"do": "add", "kind": "news", "title": "Der Bagger ist da", "tells": "y"}
    files = {"picture": ("bagger.png", picture.getvalue(), "image/png")}
    undescribed = planner.post(built, data=news, files=files)
    assert (undescribed.status_code, "Der Bagger ist da" in undescribed.text) == (422, True)
    told = planner.post(built, data={**news, "picture_words": "Ein Bagger am Ufer"}, files=files)
    assert told.status_code == 303, words(told)
    council = {"do": "add", "kind": "decision", "title": "Beschluss", "day": "2027-02-22"}
    assert planner.post(built, data={**council, "address": "javascript:alert(1)"}).status_code == 422
    planner.post(built, data={**council, "address": "https://rat.example/12"})
    paid = {"do": "add", "kind": "money", "title": "Holz", "day": "2027-02-22", "amount": "1200"}
    planner.post(built, data=paid)
    planner.post(built, data={**paid, "kind": "milestone", "title": "Fertig", "day": "2028-05-01"})
    page = client.get(THERE)
    shown = words(page)
    for said in ("Der Bagger ist da", "Bisher ausgegeben: 1.200 €", "Fertig", "Beschluss: Beschluss"):
        assert said in shown
    tree = tree_of(page)
    (image,) = tree.xpath("//img[@alt='Ein Bagger am Ufer']/@src")
    assert client.get(image).headers["content-type"] == "image/png"
    assert "https://rat.example/12" in tree.xpath("//main//a/@href")
    mistake = re.search(r"take-back-(\d+)", planner.get(built).text)
    assert mistake
    assert planner.post(built, data={"do": mistake.group(0)}).status_code == 422
    planner.post(built, data={"do": mistake.group(0), "why": "Vertippt"})
    assert "Fertig" not in words(client.get(THERE))


def writing_to(mail_server: MailServer, app: Starlette) -> House:
    """The application's house, with this server for its mail."""
    house: House = app.state.house
    house.settings = house.settings.model_copy(
        update={
            "smtp_host": mail_server.host,
            "smtp_port": mail_server.port,
            "smtp_tls": "none",
            "mail_from": "town@auenfurt.example",
        }
    )
    return house


def test_followed_told_and_ended_with_one_click(
    client: TestClient, engine: Engine, town: Town, app: Starlette, clock: Clock, mail_server: MailServer
) -> None:
    house = writing_to(mail_server, app)
    there = f"{HERE}/folgen?vorschlag=ID-0001"
    form = tree_of(client.get(there))
    chosen = form.xpath("//select[@name='target']/option[@selected]/@value")
    assert chosen == [f"proposal:{proposal_id(engine)}"]
    assert form.xpath("//input[@name='rhythm'][@checked]/@value") == ["weekly"]
    typed = {"target": chosen[0], "rhythm": "immediate", "email": "anna@post.example"}
    refused = client.post(there, data=typed)
    assert (refused.status_code, "anna@post.example" in refused.text) == (422, True)
    assert client.post(there, data={**typed, "agrees": "y"}).status_code == 303
    assert delivery.deliver_mail(house)
    (asked,) = mail_server.messages()
    link = re.search(r"http://\S+(/folgen/\S+)", asked.get_content())
    assert link
    assert asked["List-Unsubscribe"] is None
    assert "Ja, schreiben Sie mir" in words(client.get(link.group(1)))
    with Session(engine) as session:
        assert session.exec(select(Subscription.state)).one() == "asked", "opening the link changes nothing"
    assert client.post(link.group(1), data={"rhythm": "immediate"}).status_code == 303

    with unit_of_work(engine, write=True) as session:
        row = session.get_one(Proposal, proposal_id(engine))
        entered = implementation.EntryInput(
            implementation.EntryKind.DECISION,
            "Der Rat sagt Ja",
            day=NOW.date(),
            address="https://rat.example/1",
        )
        implementation.tell(session, row.contribution_id, entered, by=town.planner, now=NOW)
    assert not delivery.tell_followers(house), "their time has not come"
    clock.advance(minutes=3)
    assert delivery.tell_followers(house)
    assert delivery.deliver_mail(house)
    told = mail_server.messages()[-1]
    assert told["Subject"] == "Bänke: Beschlossen: Der Rat sagt Ja"
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    one_click = str(told["List-Unsubscribe"]).strip("<>").split("localhost", 1)[1]
    one_click = "/" + one_click.split("/", 1)[1]
    assert one_click in told.get_content()
    assert "Beenden" in words(client.get(one_click))
    assert client.post(one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with Session(engine) as session:
        assert session.exec(select(Subscription.state)).one() == "ended"
    assert client.get(one_click + "x").status_code == 404
    assert "nicht mehr" in words(client.get(link.group(1)))

    feed = client.get(f"{HERE}/neues.atom?vorschlag=ID-0001")
    assert "Der Rat sagt Ja" in feed.text
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert "Ein neuer Vorschlag" in words(client.get(f"{HERE}/neues"))
    assert "Noch ist nichts geschehen" in words(client.get(f"{HERE}/neues?stadtteil=Nord"))


def test_a_search_is_said_in_words_confirmed_told_and_ended(
    client: TestClient,
    new_client: NewClient,
    engine: Engine,
    town: Town,
    app: Starlette,
    clock: Clock,
    mail_server: MailServer,
) -> None:
    house = writing_to(mail_server, app)
    listed = client.get(f"{HERE}/vorschlaege?q=Br%C3%BCcke&stand=open&sortierung=nearest&lon=11.36&lat=49.93")
    (there,) = tree_of(listed).xpath("//a[contains(., 'wenn etwas Neues zu dieser Suche passt')]/@href")
    assert not re.search("lon|lat|11.36", there), "where somebody is goes nowhere"
    asked = words(client.get(f"{there}&nahe=Nirgendwo"))
    sentence = "Vorschläge mit „Brücke“ (Stand: Offen für Änderungen), in „Ideen“"
    assert (sentence in asked, "„Nirgendwo“ kennen wir nicht" in asked) == (True, True)
    typed = {"rhythm": "immediate", "email": "anna@post.example"}
    refused = client.post(there, data=typed)
    assert (refused.status_code, sentence in words(refused)) == (422, True)
    assert client.post(there, data={**typed, "way": "account"}).status_code == 422, "there is no account here"
    assert client.post(there, data={**typed, "agrees": "y"}).status_code == 303
    assert delivery.deliver_mail(house)
    (mail_to_confirm,) = mail_server.messages()
    # Nobody can have words of their own sent to a stranger in the town's name.
    written = mail_to_confirm["subject"] + mail_to_confirm.get_content()
    assert ("eine Suche unter den Vorschlägen von „Ideen“" in written, "Brücke" in written) == (True, False)
    link = re.search(r"http://\S+(/folgen/\S+)", mail_to_confirm.get_content())
    assert link
    assert sentence in words(client.get(link.group(1)))
    assert client.post(link.group(1), data={"rhythm": "immediate"}).status_code == 303

    # The same search in an account: nothing is mailed, each proposal stands there once.
    staff = signed_in(engine, town.clerk, new_client())
    for form in (there, f"{HERE}/folgen"):
        first = tree_of(staff.get(form)).xpath("(//main//form//button)[1]")[0]
        assert ("".join(first.itertext()), first.get("name")) == ("E-Mail zum Bestätigen schicken", None), (
            "what Enter presses"
        )
    for search in (there, f"{HERE}/folgen/suche?q=Br%C3%BCcke"):
        assert staff.post(search, data={"way": "account"}).headers["location"] == "/konto/neues?ja=1"
    with unit_of_work(engine, write=True) as session:
        for title in ("Eine Brücke", "Ein Brunnen"):
            row = town.hand_in(session, title, kind=Kind.PROPOSAL, title=title, wants_publication=True)
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    clock.advance(minutes=3)
    assert delivery.tell_followers(house)
    assert delivery.deliver_mail(house)
    news = mail_server.messages()[-1]
    assert (len(mail_server.messages()), news["Subject"]) == (2, "Eine Brücke: Ein neuer Vorschlag")
    assert news["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    feed = client.get(tree_of(listed).xpath("//link[@type='application/atom+xml']/@href")[0])
    assert (feed.text.count("<entry>"), "Eine Brücke" in feed.text, "11.36" in feed.text) == (1, True, False)

    mine = staff.get("/konto/neues")
    assert words(mine).count("Ein neuer Vorschlag") == 1
    assert len(tree_of(mine).xpath("//form[contains(@action, 'beenden')]")) == 2
    more = "Es gibt noch mehr Neues"
    assert more not in words(mine)
    (newest,) = tree_of(mine).xpath("//input[@name='newest']/@value")
    assert staff.post("/konto/neues", data={"newest": newest}).status_code == 303
    assert "Nichts Neues" in words(staff.get("/konto/neues"))
    for number in tree_of(mine).xpath("//input[@name='id']/@value"):
        staff.post("/konto/neues/beenden", data={"id": number})
    assert "Sie verfolgen noch nichts" in words(staff.get("/konto/neues"))

    # What a search asks for is taken away: it is said by mail, and wherever its owner looks.
    with unit_of_work(engine, write=True) as session:
        (search_row,) = [row for row in session.exec(select(SavedSearch)).all() if len(row.facts) == 2]
        search_row.facts = {**search_row.facts, "district": "Südstadt"}
        session.add(search_row)
        row = town.hand_in(session, "Noch eine Brücke", kind=Kind.PROPOSAL, wants_publication=True)
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    clock.advance(minutes=3)
    assert delivery.tell_followers(house)
    assert delivery.deliver_mail(house)
    lost = mail_server.messages()[-1]
    assert "geht ins Leere" in lost["Subject"]
    assert (
        "Stadtteil: Südstadt" in lost.get_content(),
        "Stadtteil: Südstadt" in words(client.get(link.group(1))),
    ) == (True, True)
    one_click = "/" + str(lost["List-Unsubscribe"]).strip("<>").split("localhost", 1)[1].split("/", 1)[1]
    assert client.post(one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200


def test_whoever_signed_on_paper_gets_a_letter(new_client: NewClient, engine: Engine, town: Town) -> None:
    clerk = signed_in(engine, town.clerk, new_client())
    with unit_of_work(engine, write=True) as session:
        proposal = session.get_one(Proposal, proposal_id(engine))
        happening = happenings.note(
            session, proposal, happenings.Kind.DECISION, now=NOW, facts={"title": "Der Rat sagt Ja"}
        )
        lines = ("Anna Ärmel", "Hauptstr. 3", "89999 Auenfurt")
        following.tell_by_letter(session, proposal, happening, lines, now=NOW)
    with Session(engine) as session:
        number = session.exec(select(Notice.id).where(Notice.kind == "proposal_news")).one()
    assert "Anna Ärmel" in words(clerk.get("/verwaltung"))
    letter = clerk.get(f"/verwaltung/briefe/{number}/brief.pdf")
    assert (letter.status_code, letter.content[:5]) == (200, b"%PDF-")
    assert clerk.post(f"/verwaltung/briefe/{number}/erledigt").status_code == 303
    with Session(engine) as session:
        assert session.get_one(Notice, number).state == "printed"


def test_a_mail_without_a_list_bears_no_unsubscribe_head() -> None:
    smtp = mail.SmtpSettings("localhost", 25, "town@auenfurt.example")
    plain = mail.build(mail.Message("a@post.example", "S", "T"), smtp, now=NOW + timedelta())
    assert plain["List-Unsubscribe"] is None


def test_an_amendment_on_paper_goes_the_same_way(new_client: NewClient, engine: Engine, town: Town) -> None:
    clerk = signed_in(engine, town.clerk, new_client())
    there = f"/verwaltung/eingang/aenderung/{proposal_id(engine)}"
    assert there in clerk.get(f"/verwaltung/unterstuetzung/{proposal_id(engine)}").text
    form = tree_of(clerk.get(there)).xpath("//main//form[@method='post']")[0]
    typed = dict(form.form_values()) | {
        "what": "Acht Bänke ans Ufer.",
        "reason": "Genauer.",
        "name": "Ida Kern",
    }
    missing = clerk.post(there, data=typed)
    assert (missing.status_code, "Acht Bänke ans Ufer." in missing.text) == (422, True)
    done = clerk.post(there, data=typed | {"channel": "letter", "wants_publication": "y"})
    assert done.status_code == 303, words(done)
    assert "ID-0002" in words(clerk.get(done.headers["location"]))
    with Session(engine) as session:
        ((made, row),) = session.exec(
            select(amendments.Amendment, Contribution).join(
                Contribution, Contribution.id == amendments.Amendment.contribution_id
            )
        ).all()
        assert (made.patches[0]["text"], row.channel, row.publication) == (
            "Acht Bänke ans Ufer.", "letter", "pending",
        )  # fmt: skip


def test_the_list_near_a_place_and_in_a_frame_and_both_sides_side_by_side(
    client: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    assert "kennen wir nicht" in words(client.get(f"{HERE}/vorschlaege?nahe=Nirgendwo"))
    framed = client.get(f"{HERE}/vorschlaege/einbetten")
    policy = framed.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script" not in policy, "nothing runs in the frame"
    assert not tree_of(framed).xpath("//script | //form")
    assert tree_of(framed).xpath("//a[contains(@href, '/vorschlaege/ID-0001')]/@rel") == ["noopener"]
    assert "frame-ancestors 'none'" in client.get(f"{HERE}/vorschlaege").headers["content-security-policy"]
    assert not tree_of(client.get(THERE)).xpath("//*[@class='d-arguments']")
    with unit_of_work(engine, write=True) as session:
        for stance, said in (("for", "Endlich sitzen."), ("against", "Zu laut.")):
            town.keys += 1
            form = Submission(Kind.COMMENT, "web", f"said-{town.keys}", text=said, wants_publication=True)
            made = discussion.comment(
                session, proposal_id(engine), discussion.Stance(stance), form, procedure=town.procedure,
                by=PUBLIC, now=NOW,
            )  # fmt: skip
            moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    sides = tree_of(client.get(THERE)).xpath("//*[@class='d-arguments']/li")
    assert sorted("Endlich sitzen." in side.text_content() for side in sides) == [False, True]

    # Somebody finds the argument against it good, without an account or a script, and takes that back.
    (against,) = [side for side in sides if "Zu laut." in side.text_content()]
    (address,) = against.xpath(".//a[contains(., 'Gutes Argument?')]/@href")
    assert "Zu laut." in words(client.get(address))
    marked = client.post(address, data={"do": "give"})
    assert "Sie finden dieses Argument gut" in words(client.get(marked.headers["location"]))
    assert "1 Person findet dieses Argument gut" in words(client.get(THERE))
    # Whoever said so sees it wherever the argument stands; nobody else does, from whatever page is kept.
    for page in (THERE, f"{THERE}/kommentare"):
        (own,) = tree_of(client.get(page)).xpath("//*[@class='d-marks'][contains(., 'Sie finden')]")
        assert "Zurücknehmen" in own.text_content()
        assert own.xpath("./ancestor::li[1][contains(., 'Zu laut.')]")
        assert "Sie finden" not in words(new_client().get(page))
    assert words(client.get(THERE)).count("Zu laut.") == 1, "nothing is said twice"
    assert "2 Kommentare" in words(client.get(THERE))
    assert "in zufälliger Reihenfolge" in words(client.get(f"{THERE}/kommentare"))
    shown = words(client.get(f"{THERE}/kommentare?art=against"))
    assert ("Zu laut." in shown, "Endlich sitzen." in shown, "zuerst die" in shown) == (True, False, True)
    client.post(address, data={"do": "withdraw"})
    assert "findet dieses Argument gut" not in words(client.get(THERE))
    question = THERE + "/kommentare/ID-0001/gutes-argument"
    assert client.get(question).status_code == 404, "a proposal is no argument"


def test_a_coauthor_is_asked_by_mail(
    client: TestClient,
    new_client: NewClient,
    engine: Engine,
    town: Town,
    app: Starlette,
    mail_server: MailServer,
) -> None:
    house = writing_to(mail_server, app)
    with Session(engine) as session:
        code = session.get_one(Contribution, proposal_id(engine)).access_code
    client.post("/beitrag", data={"code": code})
    client.post("/beitrag/weiterschreiben")
    desk = "/mitschreiben/vorschlag"
    wrong = client.post(desk, data={"do": "invite", "name": "Ayşe", "email": "keine Adresse"})
    assert wrong.status_code == 422
    sent = client.post(desk, data={"do": "invite", "name": "Ayşe", "email": "ayse@post.example"})
    assert "per E-Mail unterwegs" in words(client.get(sent.headers["location"]))
    again = client.post(desk, data={"do": "invite", "name": "Kaufen Sie!", "email": "AYSE@post.example"})
    assert "ist schon gefragt worden" in words(again)
    assert delivery.deliver_mail(house)
    (asked,) = mail_server.messages()
    assert asked["Subject"] == "Schreiben Sie mit? Bänke"
    link = re.search(r"http://\S+(/mitschreiben/einladung/\S+)", asked.get_content())
    assert link
    guest = new_client()
    assert guest.get(link.group(1) + "x").status_code == 404
    assert guest.get(link.group(1)).headers["location"] == desk
    assert "Sie sind eingeladen" in words(guest.get(desk))
    assert guest.post(desk, data={"do": "decline"}).status_code == 303
    assert new_client().get(link.group(1)).status_code == 404, "who declined is not asked again"


def test_a_consultation_can_be_followed_for_its_dates_and_papers(
    client: TestClient, engine: Engine, town: Town
) -> None:
    page = client.get(HERE)
    for offered in ("folgen", "einbetten"):
        assert tree_of(page).xpath(f"//a[@href='{HERE}/{offered}']")
    with unit_of_work(engine, write=True) as session:
        (phase,) = phases_of(session, town.procedure.id or 0)
        phase.course = Course(extended_from=phase.ends_on)
        phase.ends_on = ENDS + timedelta(days=7)
        session.add(phase)
        session.flush()
        assert procedure_news.note_waiting(session, by=SYSTEM, now=NOW) == 1
    assert "jetzt bis Dienstag, 9. März 2027" in words(client.get(f"{HERE}/neues"))
    (entry,) = re.findall("<title>(Ideen: [^<]*extended[^<]*)", client.get(f"/en{HERE}/neues.atom").text)
    assert entry.endswith("9 March 2027")
    with unit_of_work(engine) as session:
        (row,) = session.exec(select(Happening).where(Happening.key != "")).all()
        (news,) = following.read(session, [row.id or 0])
        item = news_messages.item_of(news, "http://auenfurt.localhost", "de")
    assert (item.url, item.reference) == (f"http://auenfurt.localhost{HERE}", "")
