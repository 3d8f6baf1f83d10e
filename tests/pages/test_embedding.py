"""What other sites may frame, and the page that says how."""

import pytest
import shapely
from lxml import html
from sqlalchemy import Engine
from starlette.routing import Match
from starlette.testclient import TestClient

from consultations import moderation, procedures, proposals
from consultations.contributions import Kind
from consultations.moderation import Action, Decision
from geo.geometry import from_metres, metres_of
from participation import web
from participation.app import create_app
from participation.database import unit_of_work
from participation.settings import Settings
from tests import cast
from tests.cast import NOW

HERE = "/beteiligungen/ideen"
FRAMES = (f"{HERE}/karte/einbetten", f"{HERE}/vorschlaege/einbetten")


def test_map_and_list_can_be_framed_and_nothing_else(client: TestClient, engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = cast.with_ideas(session, "Ideen <am> „Bach“")
        x, y = metres_of(11.36, 49.93)
        located = from_metres(shapely.Point(x, y))
        area = from_metres(shapely.box(x - 300, y - 300, x + 300, y + 300))
        procedures.set_plan_area(session, town.procedure, area, by=town.planner, now=NOW, note="Gebiet")
        row = town.hand_in(
            session, "Bänke.", kind=Kind.PROPOSAL, title="Bänke", wants_publication=True, located=located
        )
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    for address in FRAMES:
        first, kept = client.get(address), client.get(address)
        assert kept.headers["etag"] == first.headers["etag"], "made once for everybody"
        not_new = client.get(address, headers={"If-None-Match": kept.headers["etag"]})
        for answer in (first, kept, not_new):
            policy = answer.headers["content-security-policy"].split("; ")
            assert {"frame-ancestors *", "default-src 'none'", "form-action 'none'"} <= set(policy)
            assert ("script-src 'self'" in policy) == ("karte" in address)
            assert not [part for part in policy if ":" in part.replace("data:", "")], "no other host"
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert "set-cookie" not in answer.headers
        tree = html.fromstring(first.content)
        assert (tree.xpath("//form"), tree.xpath("//base/@target")) == ([], ["_blank"])
        assert tree.xpath("//h1/text()")[0].endswith("Ideen <am> „Bach“")
        assert [url for url in tree.xpath("//@src | //link/@href") if not url.startswith("/")] == []
        in_english = html.fromstring(client.get(f"{address}?sprache=en").content)
        assert in_english.get("lang") == "en"
        assert (
            in_english.xpath("//main//a[last()]/@href")[-1]
            .split("localhost", 1)[1]
            .startswith("/en/beteiligungen")
        )
        assert html.fromstring(client.get(f"{address}?sprache=xx").content).get("lang") == "de"
    (pin,) = html.fromstring(client.get(FRAMES[0]).content).xpath(
        "//noscript//*[name()='svg']//*[name()='a']/@href"
    )
    assert pin.endswith("/ID-0001"), "without a script the plan's pins are links"

    whole = client.get(f"{HERE}/karte")
    assert "frame-ancestors 'none'" in whole.headers["content-security-policy"]
    (how,) = html.fromstring(whole.content).xpath("//a[.='Auf Ihrer Website zeigen']/@href")
    assert html.fromstring(client.get(f"{HERE}/vorschlaege").content).xpath(
        "//a[.='Auf Ihrer Website zeigen']/@href"
    ) == [how.replace("karte", "liste")]
    # What narrows the list goes along: to the map, to the page that says how, into the frame and back.
    narrowed = html.fromstring(client.get(f"{HERE}/vorschlaege?q=Brunnen&sprache=de").content)
    (on_map,) = narrowed.xpath("//a[contains(., 'Auf der Karte zeigen')]/@href")
    assert "q=Brunnen" in on_map
    (how,) = narrowed.xpath("//a[.='Auf Ihrer Website zeigen']/@href")
    (code,) = html.fromstring(client.get(how).content).xpath("//textarea/text()")
    address = html.fromstring(code).get("src").partition("localhost")[2]
    address = address[address.index("/") :]
    assert "verfasst=de" in address
    frame = html.fromstring(client.get(address).content)
    assert not frame.xpath("//a[contains(@href, '/ID-0001')]"), "it has nothing of Brunnen"
    assert frame.xpath("//a[contains(@href, 'q=Brunnen') and contains(@href, 'sprache=de')]")
    assert html.fromstring(client.get(f"{FRAMES[1]}?q=Bänke").content).xpath(
        "//a[contains(@href, '/ID-0001')]"
    )
    for what, address in zip(("karte", "liste"), FRAMES, strict=True):
        page = client.get(f"{HERE}/einbetten?was={what}&sprache=en")
        policy = page.headers["content-security-policy"].split("; ")
        assert {"frame-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        (code,) = html.fromstring(page.content).xpath("//textarea/text()")
        frame = html.fromstring(code)
        assert frame.get("src").endswith(f"{address}?sprache=en")
        assert frame.get("src").startswith("http://auenfurt.localhost")
        assert frame.get("title") == f"{'Map' if what == 'karte' else 'Proposals'}: Ideen <am> „Bach“"
        assert html.fromstring(page.content).xpath("//iframe/@src") == [f"{address}?sprache=en"]


def test_a_name_of_its_own_comes_before_any_name_whichever_room_was_loaded_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_app(settings).state.house.close()
    turned = dict(reversed(list(web.PAGES.items())))
    monkeypatch.setattr(web, "PAGES", turned)
    app = create_app(settings)
    scope = {"type": "http", "method": "GET", "path": f"{HERE}/vorschlaege/einbetten"}
    found = next(route for route in app.routes if route.matches(scope)[0] is Match.FULL)
    assert getattr(found, "name", "") == "proposals_embed"
    app.state.house.close()


def test_list_map_feed_and_frame_show_the_same_proposals(client: TestClient, engine: Engine) -> None:
    """Whatever narrows the list of proposals goes along to the map, into its feed and its frame, and back."""
    with unit_of_work(engine, write=True) as session:
        town = cast.with_ideas(session, "Ideen")
        for at, title in enumerate(("Bänke", "Bäume", "Brücke", "Brunnen")):
            place = from_metres(shapely.Point(*metres_of(11.36 + at / 500, 49.93)))
            row = town.hand_in(
                session, f"{title}.", kind=Kind.PROPOSAL, title=title, wants_publication=True,
                **({"located": place} if at < 3 else {}),
            )  # fmt: skip
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
            proposal = proposals.by_contribution(session, row.id or 0)
            assert proposal is not None
            proposal.district = "Nord" if at != 1 else "Süd"
            proposal.language = "de" if at != 2 else "en"
            proposal.channel = "web" if at != 1 else "letter"
            session.add(proposal)
    box = "bbox=11.2,49.8,11.6,50.1&zoom=18"
    for query, found in (
        ("stadtteil=Nord", (3, 2)), ("sprache=de", (3, 2)), ("weg=letter", (1, 1)), ("stand=open", (4, 3)),
        ("stadtteil=Nord&sprache=de&q=Bänke&weg=web&stand=open", (1, 1)), ("stadtteil=S%C3%BCd&sprache=en", (0, 0)),
    ):  # fmt: skip
        in_list = html.fromstring(client.get(f"{HERE}/vorschlaege?{query}").content)
        assert in_list.xpath("string(//p[@class='d-lead'])").startswith(str(found[0])), query
        (address,) = in_list.xpath("//a[contains(@href, '/karte?art=')]/@href")
        assert "art=proposal" in address
        page = client.get(address)
        on_map = html.fromstring(page.content)
        assert f"mit einem Ort auf der Karte: {found[1]}." in " ".join(on_map.text_content().split()), query
        for name in ("places", "map-heading"):
            kept = on_map.xpath(f"//form[contains(@action, '#{name}')]/input[@type='hidden']/@name")
            assert not kept or {part.partition("=")[0] for part in query.split("&")} <= set(kept)
        (feed,) = on_map.xpath("//@data-feed")
        assert client.get(f"{feed}&{box}").json()["total"] == found[1], query
        (back,) = set(on_map.xpath("//a[.='Dasselbe als Liste']/@href"))
        assert client.get(back).content == client.get(f"{HERE}/vorschlaege?{query}").content or (
            html.fromstring(client.get(back).content)
            .xpath("string(//p[@class='d-lead'])")
            .startswith(str(found[0]))
        )
        (around,) = on_map.xpath("//@data-list")
        assert client.get(f"{around}&ort=11.36,49.93").status_code == 200
        # Into a frame of the map, from the list or from the map, whatever language the frame speaks.
        (from_map,) = on_map.xpath("//a[.='Auf Ihrer Website zeigen']/@href")
        (from_list,) = in_list.xpath("//a[.='Auf Ihrer Website zeigen']/@href")
        for how in (from_map, from_list.replace("was=liste", "was=karte")):
            (code,) = html.fromstring(client.get(how).content).xpath("//textarea/text()")
            frame = html.fromstring(code).get("src")
            framed = html.fromstring(client.get(frame[frame.index("/beteil") :] + "&sprache=en").content)
            (feed,) = framed.xpath("//@data-feed")
            assert client.get(f"{feed}&{box}").json()["total"] == found[1], (query, how)
            assert framed.xpath("//p[@id='after']/a/@href")[1].partition("/vorschlaege")[1]
