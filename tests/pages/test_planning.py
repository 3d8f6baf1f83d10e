"""The planner prepares, publishes and looks after a consultation, through the pages; and who may not."""

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pypdf
import pytest
import typst
from lxml import html
from PIL import Image
from sqlalchemy import Engine, event
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import evidence, filing, places, procedures, publishing
from consultations.documents import DocumentKind, DocumentVersion, FileFacts, documents_of
from consultations.permissions import Actor, Role
from consultations.phases import Phase, phases_of
from consultations.places import LayerRole
from consultations.procedures import Procedure, ProcedureInput, ProcedureState
from geo.readers import apart
from participation import identity
from participation.app import create_app
from participation.database import unit_of_work
from participation.identity import COOKIE
from participation.pages import map_files
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import NewClient
from tests.databases import once
from tests.geo.files import degrees, eight, geojson, quarters, square, xplan

PLAN = "/verwaltung/planung"
Enter = Callable[..., TestClient]


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.fixture
def enter(engine: Engine, new_client: NewClient) -> Enter:
    """A visitor who is signed in as somebody of the cast."""

    def make(actor: Actor, host: str = "auenfurt.localhost") -> TestClient:
        client = new_client(host=host)
        assert actor.person_id is not None
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id, now=NOW))
        return client

    return make


@pytest.fixture
def paula(enter: Enter, town: Town) -> TestClient:
    return enter(town.planner)


@pytest.fixture
def draft(engine: Engine, town: Town) -> str:
    """The address of a consultation that has just been begun."""
    with unit_of_work(engine, write=True) as session:
        procedure = procedures.create(
            session,
            ProcedureInput(key="BP-13", title="Neue Mitte"),
            municipality_id=town.id,
            template_key="development_plan",
            by=town.planner,
            now=NOW,
        )
        return f"{PLAN}/{procedure.id}"


@pytest.fixture
def public(town: Town) -> str:
    """The address of the cast's published consultation at the planner's desk."""
    return f"{PLAN}/{town.procedure.id}"


def words(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def filled(response: httpx2.Response, having: str) -> dict[str, Any]:
    """What the form with a field called `having` would send as it stands."""
    (form,) = (form for form in html.fromstring(response.content).forms if having in form.fields)
    sent: dict[str, Any] = {}
    for name, value in form.form_values():
        sent[name] = [*sent[name], value] if isinstance(sent.get(name), list) else value
    return {name: value for name, value in sent.items() if name != "do"}


def errors(response: httpx2.Response) -> dict[str, str]:
    """What the summary of errors says, by the field it leads to; each field is on the page."""
    page = html.fromstring(response.content)
    found = {}
    for link in page.xpath("//*[@id='error-summary']//li/a"):
        target = link.get("href").removeprefix("#")
        assert page.xpath(f"//*[@id='{target}']"), target
        found[target] = link.text_content()
    return found


def stored(engine: Engine, address: str) -> Procedure:
    with Session(engine) as session:
        return session.get_one(Procedure, int(address.rpartition("/")[2]))


@pytest.fixture
def questions(engine: Engine) -> Iterator[list[str]]:
    """Every question that is put to the database."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


# ------------------------------------------------------------------------------------------ from nothing to public


def test_a_consultation_is_begun_filled_in_and_published(
    paula: TestClient, engine: Engine, town: Town
) -> None:
    answer = paula.post(
        f"{PLAN}/neu", data={"template": "development_plan", "title": "Am Anger", "key": "BP-20"}
    )
    assert answer.status_code == 303
    address = answer.headers["location"].partition("?")[0]
    assert "Es fehlt: Eine Kurzfassung" in words(paula.get(address))

    refused = paula.post(f"{address}/veroeffentlichen")
    assert refused.status_code == 422
    (texts, *_) = html.fromstring(refused.content).xpath("//*[@id='missing']//a/@href")
    assert texts == f"{address}/texte#summary"

    form = filled(paula.get(f"{address}/texte"), "summary")
    form |= {
        "summary": "Ein Anger für alle.",
        "location_words": "Zwischen Bach und Bahn",
        "summary_en": "A green.",
    }
    assert paula.post(f"{address}/texte", data=form).status_code == 303

    form = filled(paula.get(f"{address}/phasen"), "phases-0-kind")
    form |= {
        "phases-0-starts_on": "2027-03-01",
        "phases-0-ends_on": "2027-04-01",
        "phases-0-opens": "statement",
    }
    assert paula.post(f"{address}/phasen", data=form | {"do": "save"}).status_code == 303

    form = filled(paula.get(f"{address}/kontakt"), "name")
    form |= {"name": "Frau Kern", "phone": "08999 1", "access-0-place": "Rathaus", "do": "save"}
    assert paula.post(f"{address}/kontakt", data=form).status_code == 303

    assert paula.post(f"{address}/veroeffentlichen").headers["location"] == f"{address}?done=published"
    row = stored(engine, address)
    assert row.state == ProcedureState.PUBLISHED.value
    assert row.slug == "am-anger"
    assert row.translations == {"en": {"summary": "A green."}}
    assert "Noch nicht auf English: Titel, Ort in Worten" in words(paula.get(address))
    assert "Ein Anger für alle." in words(paula.get("/beteiligungen/am-anger"))


def test_a_draft_is_previewed_by_staff_and_hidden_from_everybody(
    paula: TestClient, client: TestClient, draft: str
) -> None:
    preview = html.fromstring(paula.get(draft).content).xpath("//a[contains(., 'So sieht es')]/@href")[0]
    assert "Nur die Verwaltung" in words(paula.get(preview)) or "Entwurf" in words(paula.get(preview))
    assert client.get(preview).status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": "   "}, "title"),
        ({"key": "BP 12; rm"}, "key"),
        ({"template": ""}, "template"),
        ({"key": "BP-12"}, "key"),  # the cast's own
    ],
)
def test_what_is_wrong_with_a_beginning_stands_at_its_field(
    paula: TestClient, changed: dict[str, str], field: str
) -> None:
    sent = {"template": "informal_dialogue", "title": "Ein Anfang", "key": "ID-1"} | changed
    answer = paula.post(f"{PLAN}/neu", data=sent)
    assert answer.status_code == 422
    assert [target.removesuffix("-0") for target in errors(answer)] == [field]


# ------------------------------------------------------------------------------------------ texts


def test_the_description_is_previewed_without_saving(paula: TestClient, engine: Engine, draft: str) -> None:
    form = filled(paula.get(f"{draft}/texte"), "summary") | {"description": "## Worum\n\n<script>x</script>"}
    answer = paula.post(f"{draft}/texte", data=form | {"do": "preview"})
    page = html.fromstring(answer.content)
    assert page.xpath("//main//h3[.='Worum']")
    assert page.xpath("//textarea[@id='description']")[0].text.strip().startswith("## Worum")
    assert stored(engine, draft).description == ""


def test_who_was_overtaken_sees_both_and_may_go_on(paula: TestClient, engine: Engine, draft: str) -> None:
    mine = filled(paula.get(f"{draft}/texte"), "summary") | {"summary": "Meine Fassung"}
    assert paula.post(f"{draft}/texte", data=mine | {"summary": "Ihre Fassung"}).status_code == 303
    answer = paula.post(f"{draft}/texte", data=mine)
    assert answer.status_code == 409
    assert "Ihre Fassung" in words(answer)
    again = filled(answer, "summary")
    assert again["summary"].strip() == "Meine Fassung"
    assert stored(engine, draft).summary == "Ihre Fassung"
    assert paula.post(f"{draft}/texte", data=again).status_code == 303
    assert stored(engine, draft).summary == "Meine Fassung"


def test_a_public_change_needs_a_note_and_stands_in_the_history(paula: TestClient, public: str) -> None:
    form = filled(paula.get(f"{public}/texte"), "summary") | {
        "summary": "Jetzt mit 130 Wohnungen.",
        "note": " ",
    }
    answer = paula.post(f"{public}/texte", data=form)
    assert answer.status_code == 422
    assert set(errors(answer)) == {"note"}
    form = filled(answer, "summary") | {"note": "Zahl berichtigt"}
    form |= {"key": "BP-99", "slug": "anders"}  # reference and address stay, whatever is sent
    assert paula.post(f"{public}/texte", data=form).status_code == 303
    history = words(paula.get(f"{public}/verlauf"))
    assert "Zahl berichtigt" in history
    assert "Paula" in history
    assert "Jetzt mit 130 Wohnungen." in history
    assert "Zahl berichtigt" in words(paula.get("/beteiligungen/wohnen-am-muehlbach"))


def test_a_consultation_becomes_a_part_of_another_and_never_of_its_own_part(
    paula: TestClient, engine: Engine, draft: str, public: str
) -> None:
    form = filled(paula.get(f"{public}/texte"), "summary")
    whole = draft.rpartition("/")[2]
    assert form["part_of"] == ""
    assert (
        paula.post(f"{public}/texte", data=form | {"part_of": whole, "note": "Ein Teil"}).status_code == 303
    )
    assert stored(engine, public).part_of_id == int(whole)
    page = paula.get(f"{draft}/texte")
    assert html.fromstring(page.content).xpath("//select[@name='part_of']/option/@value") == [""]
    circle = filled(page, "summary") | {"part_of": public.rpartition("/")[2], "summary": "Bleibt stehen."}
    answer = paula.post(f"{draft}/texte", data=circle)
    assert (answer.status_code, errors(answer).keys(), "Bleibt stehen." in answer.text) == (
        422,
        {"part_of"},
        True,
    )
    assert errors(paula.post(f"{draft}/texte", data=circle | {"part_of": "9" * 30})).keys() == {"part_of"}
    assert "Ein Teil" in words(paula.get(f"{public}/verlauf"))


# ------------------------------------------------------------------------------------------ phases


def rows(form: dict[str, Any]) -> list[str]:
    return [value for name, value in sorted(form.items()) if re.fullmatch(r"phases-\d-kind", name)]


def test_phases_are_added_moved_and_removed_without_saving_or_losing_words(
    paula: TestClient, draft: str
) -> None:
    form = filled(paula.get(f"{draft}/phasen"), "phases-0-kind") | {"phases-0-starts_on": "31.02.2027"}
    form = filled(paula.post(f"{draft}/phasen", data=form | {"do": "add"}), "phases-0-kind")
    assert rows(form)[-1] == "discussion_meeting"
    answer = paula.post(f"{draft}/phasen", data=form | {"do": "down-0"})
    form = filled(answer, "phases-0-kind")
    assert rows(form)[:2] == ["weighing", "publication"]
    answer = paula.post(f"{draft}/phasen", data=form | {"do": "remove-0"})
    page = html.fromstring(answer.content)
    assert page.xpath("//*[@id='phases-0-kind']/option[@selected]/@value") == ["publication"]
    assert page.xpath("//*[@id='phases-0-starts_on']/@value") == ["31.02.2027"]
    kept = filled(paula.get(f"{draft}/phasen"), "phases-0-kind")
    assert rows(kept) == ["publication", "weighing", "resolution", "in_force"]


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [
        ("2027-04-01", "2027-03-01", "phases-0-ends_on"),
        ("2027-02-31", "2027-03-31", "phases-0-starts_on"),
        ("0027-03-01", "2027-03-31", "phases-0-starts_on"),
        ("", "2027-03-31", "phases-0-starts_on"),
    ],
)
def test_impossible_dates_are_refused_at_their_field(
    paula: TestClient, draft: str, starts: str, ends: str, field: str
) -> None:
    form = filled(paula.get(f"{draft}/phasen"), "phases-0-kind")
    form |= {"phases-0-starts_on": starts, "phases-0-ends_on": ends, "do": "save"}
    answer = paula.post(f"{draft}/phasen", data=form)
    assert answer.status_code == 422
    assert list(errors(answer)) == [field]
    page = html.fromstring(answer.content)
    assert page.xpath("//*[@id='phases-0-ends_on']/@value") == [ends]


def test_the_law_proposes_a_last_day_and_warns_of_a_shorter_one(
    paula: TestClient, engine: Engine, draft: str
) -> None:
    form = filled(paula.get(f"{draft}/phasen"), "phases-0-kind")
    form |= {"phases-0-starts_on": "2027-02-01", "phases-0-ends_on": "2027-03-01"}
    answer = paula.post(f"{draft}/phasen", data=form | {"do": "check"})
    assert "Frühester letzter Tag: Dienstag, 2. März 2027" in words(answer)
    assert "angreifbar" in words(answer)
    assert "Spätestens bekannt machen" in words(answer)
    taken = filled(paula.post(f"{draft}/phasen", data=form | {"do": "take-0"}), "phases-0-kind")
    assert taken["phases-0-ends_on"] == "2027-03-02"
    # A short one may wait in a draft, once somebody has seen what the law says; it stays on the list.
    answer = paula.post(f"{draft}/phasen", data=form | {"do": "save"})
    assert answer.status_code == 200
    assert "Noch ist nichts gespeichert" in words(answer)
    assert (
        paula.post(f"{draft}/phasen", data=filled(answer, "phases-0-kind") | {"do": "save"}).status_code
        == 303
    )
    assert "angreifbar" in words(paula.get(draft))
    # A Saturday: what arrives on Monday is in time.
    form = filled(paula.get(f"{draft}/phasen"), "phases-0-kind") | {"phases-0-ends_on": "2027-03-06"}
    answer = paula.post(f"{draft}/phasen", data=form | {"do": "save"})
    assert (
        paula.post(f"{draft}/phasen", data=filled(answer, "phases-0-kind") | {"do": "save"}).status_code
        == 303
    )
    with Session(engine) as session:
        first = phases_of(session, stored(engine, draft).id or 0)[0]
    assert (first.ends_on, first.effective_end) == (date(2027, 3, 6), date(2027, 3, 8))


def test_where_the_law_leaves_the_choice_only_those_affected_are_asked(
    paula: TestClient, client: TestClient, engine: Engine, town: Town, draft: str
) -> None:
    assert "phases-0-only_affected" not in filled(paula.get(f"{draft}/phasen"), "phases-0-kind")
    assert not html.fromstring(paula.get(f"{draft}/phasen").content).xpath(
        "//*[@id='phases-0-only_affected']"
    )
    with unit_of_work(engine, write=True) as session:
        entered = cast.consultation(key="BP-14", title="Dachgauben")
        procedure = procedures.create(
            session, entered, municipality_id=town.id, template_key="development_plan_simplified", by=town.planner, now=NOW
        )  # fmt: skip
        publishing.publish(session, procedure, by=town.planner, now=NOW)
        address = f"{PLAN}/{procedure.id}"
    form = filled(paula.get(f"{address}/phasen"), "phases-0-kind")
    form |= {"phases-0-starts_on": "2027-03-01", "phases-0-ends_on": "2027-03-19", "note": "Kleine Änderung", "do": "save"}  # fmt: skip
    assert paula.post(f"{address}/phasen", data=form).status_code == 422  # a publication lasts a month
    asked = paula.post(f"{address}/phasen", data=form | {"phases-0-only_affected": "y"})
    assert asked.status_code == 200
    assert (
        paula.post(f"{address}/phasen", data=filled(asked, "phases-0-kind") | {"do": "save"}).status_code
        == 303
    )
    with Session(engine) as session:
        first = phases_of(session, stored(engine, address).id or 0)[0]
        assert first.only_affected
        assert first.ends_on == date(2027, 3, 19)
    assert "Gefragt sind hier alle, die davon betroffen sind" in words(
        client.get("/beteiligungen/dachgauben")
    )
    assert "erhält die betroffene Öffentlichkeit" in words(
        paula.get(f"{address}/phasen/{first.id}/bekanntmachung")
    )


def test_a_moved_day_is_shown_with_all_that_follows_before_it_is_saved(
    paula: TestClient, engine: Engine, town: Town, public: str
) -> None:
    form = filled(paula.get(f"{public}/phasen"), "phases-0-kind")
    form |= {"phases-0-ends_on": "2027-03-06", "note": "Länger wegen der Ferien", "do": "save"}
    answer = paula.post(f"{public}/phasen", data=form)
    (panel,) = html.fromstring(answer.content).xpath("//*[@id='consequences']")
    shown = " ".join(panel.text_content().split())
    assert "Dienstag, 2. März 2027 → neu: Samstag, 6. März 2027" in shown
    assert "neu: Montag, 8. März 2027" in shown  # what is in time until then
    kept = filled(paula.get(f"{public}/phasen"), "phases-0-kind")
    assert kept["phases-0-ends_on"] == "2027-03-02"
    # Confirmed for these days, then moved once more: that has to be seen as well.
    seen = filled(answer, "phases-0-kind")
    again = paula.post(f"{public}/phasen", data=seen | {"phases-0-ends_on": "2027-03-20", "do": "save"})
    assert again.status_code == 200
    assert paula.post(f"{public}/phasen", data=seen | {"do": "save"}).status_code == 303
    with Session(engine) as session:
        first = phases_of(session, town.procedure.id or 0)[0]
    assert (first.ends_on, first.effective_end) == (date(2027, 3, 6), date(2027, 3, 8))
    assert (first.course.extended_from, first.course.announce) == (date(2027, 3, 2), "extension")


def test_what_everybody_can_read_is_not_made_unlawful(paula: TestClient, public: str) -> None:
    form = filled(paula.get(f"{public}/phasen"), "phases-0-kind")
    form |= {"phases-0-ends_on": "2027-03-01", "note": "Kürzer"}
    answer = paula.post(f"{public}/phasen", data=form | {"do": "save"})
    assert answer.status_code == 422
    assert "So nicht möglich" in words(answer)
    again = paula.post(f"{public}/phasen", data=filled(answer, "phases-0-kind") | {"do": "save"})
    assert again.status_code == 422


def test_a_first_day_is_proposed_and_a_reversed_one_named_by_the_check(paula: TestClient, draft: str) -> None:
    form = filled(paula.get(f"{draft}/phasen"), "phases-0-kind")
    taken = filled(paula.post(f"{draft}/phasen", data=form | {"do": "begin-0"}), "phases-0-kind")
    assert taken["phases-0-starts_on"] == "2027-02-24"  # eight days from now: a week to announce it
    wrong = taken | {"phases-0-ends_on": "2027-02-01", "do": "check"}
    answer = paula.post(f"{draft}/phasen", data=wrong)
    assert (answer.status_code, list(errors(answer))) == (422, ["phases-0-ends_on"])
    assert "liegt vor dem ersten Tag" in words(answer)


# ------------------------------------------------------------------------------------------ calendar, course


def test_the_calendar_says_in_words_all_that_its_grid_shows(
    paula: TestClient, engine: Engine, town: Town, public: str
) -> None:
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(Procedure, town.procedure.id)
        known = phases_of(session, procedure.id or 0)[0]
        known.ends_on, known.effective_end = date(2027, 3, 28), date(2027, 3, 30)  # Easter Sunday
        session.add(Phase(
            procedure_id=procedure.id or 0, kind="agencies", track="agencies", starts_on=date(2027, 2, 1),
            ends_on=date(2027, 3, 3), is_formal=True, position=5,
        ))  # fmt: skip
        row = session.get_one(type(town.municipality), town.id)
        row.calendar = row.calendar | {
            "closing_days": [{"day": "2027-02-09", "name": "Umzug"}],
            "school_holidays": [{"from": "2027-02-08", "to": "2027-02-12", "name": "Frühjahrsferien"}],
        }
    answer = paula.get(f"{public}/kalender")
    page = html.fromstring(answer.content)
    months = [heading.text for heading in page.xpath("//h2[@class='d-month__name']")]
    assert months == ["Januar 2027", "Februar 2027", "März 2027"]
    listed = [" ".join(line.text_content().split()) for line in page.xpath("//*[@class='d-month__list']/li")]
    assert len(listed) > 8, listed
    for words_listed in (
        "So, 31. Januar 2027 Öffentlichkeit: Veröffentlichung des Entwurfs: Spätestens bekannt machen",
        "Mo, 1. Februar 2027 Behörden: Beteiligung",
        "Mo, 8. Februar 2027 – 12. Februar 2027 Frühjahrsferien",
        "Di, 9. Februar 2027 Amt geschlossen: Umzug",
        "Fr, 26. März 2027 Karfreitag",
        "Di, 30. März 2027 Öffentlichkeit: Veröffentlichung des Entwurfs: fristgerecht bis 24 Uhr",
    ):
        assert any(line.startswith(words_listed) for line in listed), (words_listed, listed)
    assert (
        len(page.xpath("//*[contains(@class, 'd-stripe--agencies') and contains(@class, 'd-stripe--on')]"))
        == 31
    )
    assert "Noch ohne Termin" in words(answer)


def test_a_running_phase_is_extended_and_everybody_reads_it(
    paula: TestClient, town: Town, public: str
) -> None:
    page = f"{public}/aendern/1/verlaengern"
    assert page in paula.get(f"{public}/aendern").text
    form = filled(paula.get(page), "ends_on") | {"ends_on": "2027-03-31", "do": "save"}
    assert list(errors(paula.post(page, data=form))) == ["note"]
    shown = paula.post(page, data=form | {"note": "Server stand still"})
    assert "Dienstag, 2. März 2027 → neu: Mittwoch, 31. März 2027" in words(shown)
    assert "Verlängert" not in words(paula.get("/beteiligungen/wohnen-am-muehlbach"))
    sent = filled(shown, "ends_on") | {"do": "save"}
    assert paula.post(page, data=sent).headers["location"].endswith("done=saved")
    public_page = words(paula.get("/beteiligungen/wohnen-am-muehlbach"))
    assert "bis Mittwoch, 31. März 2027, 24 Uhr" in public_page
    assert "Verlängert: Letzter Tag war zunächst Dienstag, 2. März 2027." in public_page
    assert "Server stand still" in public_page
    assert "Die Verlängerung muss bekannt gemacht werden." in words(paula.get(f"{public}/aendern"))
    assert paula.post(page, data=sent).status_code == 409  # somebody else has saved meanwhile


def test_an_interrupted_phase_runs_anew_and_a_repeated_one_says_what_is_open(
    paula: TestClient, engine: Engine, town: Town, public: str
) -> None:
    stop = filled(paula.get(f"{public}/aendern/1/unterbrechen"), "note") | {"note": "Falsche Karte"}
    assert paula.post(f"{public}/aendern/1/unterbrechen", data=stop).status_code == 303
    assert "Die Beteiligung ist unterbrochen" in words(paula.get("/beteiligungen/wohnen-am-muehlbach"))
    again = f"{public}/aendern/1/fortsetzen"
    form = filled(paula.get(again), "starts_on") | {"starts_on": "2027-03-01", "note": "Karte berichtigt"}
    taken = filled(paula.post(again, data=form | {"do": "take"}), "starts_on")
    assert taken["ends_on"] == "2027-03-31"
    short = paula.post(again, data=taken | {"ends_on": "2027-03-12", "do": "save"})
    assert (short.status_code, "So nicht möglich" in words(short)) == (422, True)
    shown = paula.post(again, data=taken | {"do": "save"})
    assert paula.post(again, data=filled(shown, "starts_on") | {"do": "save"}).status_code == 303
    repeat = f"{public}/aendern/1/wiederholen"
    answers = filled(paula.get(repeat), "what_changed") | {
        "what_changed": "Baugrenze", "touches_interests": "yes", "is_obvious": "no", "touches_basics": "no",
        "starts_on": "2027-04-05", "ends_on": "2027-04-19", "limited_to": "nur die Baugrenze", "note": "Nachbarn",
    }  # fmt: skip
    shown = paula.post(repeat, data=answers | {"do": "save"})
    assert "genügt es, die Betroffenen" in words(shown)
    sent = filled(shown, "what_changed") | {"do": "save"}
    assert paula.post(repeat, data=sent).status_code == 303
    assert "Stellung nehmen können Sie nur hierzu: nur die Baugrenze" in words(
        paula.get("/beteiligungen/wohnen-am-muehlbach")
    )
    with Session(engine) as session:
        made = phases_of(session, town.procedure.id or 0)[1]
    assert (made.kind, made.repeats_id, made.course.announce) == ("repeated", 1, "repetition")
    assert paula.get(f"{public}/aendern/99/verlaengern").status_code == 404
    assert paula.get(f"{public}/aendern/1/none").status_code == 404


# ------------------------------------------------------------------------------------------ templates


def test_a_town_changes_a_template_and_goes_back(paula: TestClient, engine: Engine, town: Town) -> None:
    page = "/verwaltung/vorlagen/informal_dialogue"
    assert "Planfeststellung, neues Recht" in words(paula.get("/verwaltung/vorlagen"))
    form = filled(paula.get(page), "steps-0-kind")
    form = filled(paula.post(page, data=form | {"do": "add"}), "steps-0-kind")
    form |= {"name": "Unser Dialog", "steps-2-title": "Fest", "steps-2-days": "viele"}
    answer = paula.post(page, data=form | {"do": "save"})
    assert (answer.status_code, list(errors(answer))) == (422, ["steps-2-days"])
    assert paula.post(page, data=form | {"steps-2-days": "1", "do": "save"}).status_code == 303
    overtaken = paula.post(page, data=form | {"steps-2-days": "2", "do": "save"})
    assert overtaken.status_code == 409
    begun = {"template": "informal_dialogue", "title": "Park", "key": "P-1"}
    assert "Unser Dialog" in words(paula.get(f"{PLAN}/neu"))
    address = paula.post(f"{PLAN}/neu", data=begun).headers["location"].partition("?")[0]
    assert "Fest" in str(filled(paula.get(f"{address}/phasen"), "phases-0-kind"))
    assert stored(engine, address).template_version == "own-1"
    assert paula.post(page, data=filled(paula.get(page), "steps-0-kind") | {"do": "reset"}).status_code == 303
    assert "Unser Dialog" not in words(paula.get(f"{PLAN}/neu"))
    assert "Unser Dialog" not in words(paula.get("/verwaltung/vorlagen"))
    assert paula.get("/verwaltung/vorlagen/none").status_code == 404


def test_a_phase_with_contributions_stays(paula: TestClient, engine: Engine, town: Town, public: str) -> None:
    with unit_of_work(engine, write=True) as session:
        town.hand_in(session, procedure=session.get_one(Procedure, town.procedure.id))
    form = filled(paula.get(f"{public}/phasen"), "phases-0-kind")
    form = filled(paula.post(f"{public}/phasen", data=form | {"do": "remove-0"}), "phases-0-kind")
    shown = paula.post(f"{public}/phasen", data=form | {"do": "save", "note": "weg"})
    assert shown.status_code == 200, "what follows from it is shown before anything is saved"
    answer = paula.post(
        f"{public}/phasen", data=filled(shown, "phases-0-kind") | {"do": "save", "note": "weg"}
    )
    assert answer.status_code == 422
    assert "lässt sich nicht entfernen" in words(answer)
    with Session(engine) as session:
        assert len(phases_of(session, town.procedure.id or 0)) == 2


# ------------------------------------------------------------------------------------------ documents


TWO_PAGES = b"#set page(height: 5cm, width: 10cm)\nWorum es geht.\n#pagebreak()\nUnd was folgt."


def pdf(pages: int = 2) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def upload(*files: tuple[str, bytes], name: str = "files") -> list[tuple[str, tuple[str, bytes, str]]]:
    return [(name, (filename, content, "application/octet-stream")) for filename, content in files]


def test_several_documents_come_in_at_once_and_one_broken_takes_none_with_it(
    paula: TestClient, engine: Engine, draft: str
) -> None:
    form = filled(paula.get(f"{draft}/unterlagen"), "token")
    files = upload(
        ("Begründung_2027.pdf", typst.compile(TWO_PAGES)),
        ("Umweltbericht.pdf", b"%PDF-1.7 nothing"),
        ("lies.txt", b"Hallo Welt"),
    )
    answer = paula.post(f"{draft}/unterlagen", data=form, files=files)
    assert answer.status_code == 422
    assert list(errors(answer)) == ["files"]
    assert "Umweltbericht.pdf" in errors(answer)["files"]
    with Session(engine) as session:
        found = documents_of(session, stored(engine, draft).id or 0)
        assert [(document.title, document.kind) for document, _ in found] == [
            ("Begründung 2027", "explanatory_report"),
            ("lies", "other"),
        ]
        assert [versions[0].pages for _, versions in found] == [2, None]
        assert [versions[0].text for _, versions in found] == [
            "Worum es geht.\n\nUnd was folgt.",
            "Hallo Welt",
        ]
    assert "2 Seiten" in words(answer)


def test_a_photograph_is_published_without_where_it_was_taken(
    paula: TestClient, engine: Engine, public: str, app: Starlette
) -> None:
    with_place = Image.Exif()
    with_place.get_ifd(0x8825)[2] = (48.0, 18.0, 0.0)
    taken = io.BytesIO()
    Image.new("RGB", (5000, 40), "green").save(taken, "JPEG", exif=with_place)
    assert Image.open(taken).getexif().get_ifd(0x8825)
    form = filled(paula.get(f"{public}/unterlagen"), "token") | {"note": "Ansicht"}
    assert (
        paula.post(
            f"{public}/unterlagen", data=form, files=upload(("Ansicht.jpg", taken.getvalue()))
        ).status_code
        == 303
    )
    with Session(engine) as session:
        version = session.exec(select(DocumentVersion).where(DocumentVersion.filename == "Ansicht.jpg")).one()
        assert list(evidence.examine(session, app.state.house.files)) == []
    assert version.original_sha256 == hashlib.sha256(taken.getvalue()).hexdigest(), "the evidence"
    seen = paula.get(f"/dokumente/{version.document_id}/1/Ansicht.jpg").content
    shown = Image.open(io.BytesIO(seen))
    assert hashlib.sha256(seen).hexdigest() == version.sha256
    assert (len(seen), shown.size) == (version.size, (5000, 40)), "a plan keeps all of its pixels"
    assert not shown.getexif().get_ifd(0x8825)


def test_documents_of_a_public_consultation_wait_for_the_note(
    paula: TestClient, engine: Engine, public: str
) -> None:
    form = filled(paula.get(f"{public}/unterlagen"), "token")
    answer = paula.post(f"{public}/unterlagen", data=form, files=upload(("Gutachten.pdf", pdf())))
    assert answer.status_code == 422
    assert list(errors(answer)) == ["note"]
    assert "Noch hier" in words(answer)
    form = filled(answer, "token") | {"note": "Lärmgutachten ergänzt"}
    assert paula.post(f"{public}/unterlagen", data=form).status_code == 303
    assert "Gutachten" in words(paula.get("/beteiligungen/wohnen-am-muehlbach"))


def test_a_document_gets_a_new_version_a_text_and_is_taken_off(
    paula: TestClient, engine: Engine, draft: str
) -> None:
    form = filled(paula.get(f"{draft}/unterlagen"), "token")
    files = upload(("eins.pdf", pdf()), ("zwei.pdf", pdf(1)))
    paula.post(f"{draft}/unterlagen", data=form, files=files)
    with Session(engine) as session:
        (one, _), (two, _) = documents_of(session, stored(engine, draft).id or 0)
    address = f"{draft}/unterlagen/{one.id}"
    form = filled(paula.get(address), "text") | {
        "title": "Begründung",
        "text": "Worum es geht.",
        "do": "save",
    }
    assert paula.post(address, data=form).status_code == 303
    form = filled(paula.get(address), "new-token") | {"do": "version"}
    assert list(errors(paula.post(address, data=form))) == ["new-file"]
    answer = paula.post(address, data=form, files=upload(("eins.pdf", pdf(3)), name="new-file"))
    assert answer.status_code == 303
    assert paula.post(f"{draft}/unterlagen", data={"do": f"down-{one.id}"}).status_code == 303
    form = filled(paula.get(f"{draft}/unterlagen/{two.id}"), "gone-note")
    answer = paula.post(f"{draft}/unterlagen/{two.id}", data=form | {"do": "withdraw"})
    assert list(errors(answer)) == ["gone-note"]
    form = filled(answer, "gone-note") | {"gone-note": "Falsche Datei", "do": "withdraw"}
    assert paula.post(f"{draft}/unterlagen/{two.id}", data=form).status_code == 303
    with Session(engine) as session:
        found = documents_of(session, stored(engine, draft).id or 0)
        assert [(document.title, document.is_withdrawn, len(versions)) for document, versions in found] == [
            ("zwei", True, 1),
            ("Begründung", False, 2),
        ]
        assert found[1][1][1].text == "Worum es geht."


# ------------------------------------------------------------------------------------------ plan area


def area_form(paula: TestClient, address: str) -> dict[str, Any]:
    return filled(paula.get(f"{address}/gebiet"), "geojson")


def test_a_plan_file_gives_the_area_and_a_layer(paula: TestClient, engine: Engine, draft: str) -> None:
    form = area_form(paula, draft) | {"do": "file"}
    answer = paula.post(
        f"{draft}/gebiet", data=form, files=upload(("plan.gml", xplan().encode()), name="file")
    )
    assert answer.status_code == 303
    row = stored(engine, draft)
    assert row.plan_area is not None
    assert row.plan_report["version"] == "6.0"
    with Session(engine) as session:
        (layer,) = places.layers_of(session, row.municipality_id, row.id)
    assert (layer.title, layer.role) == ("Am Mühlbach", LayerRole.PLAN.value)
    shown = words(paula.get(f"{draft}/gebiet"))
    assert "XPlanGML 6.0" in shown
    assert "EPSG:25832" in shown


@once
@pytest.mark.parametrize(
    ("page", "having", "typed", "file"),
    [
        ("unterlagen", "token", {"note": "Neue Gutachten"}, "files"),
        ("gebiet", "token", {"note": "Neuer Zuschnitt"}, "file"),
        ("ebenen", "title", {"title": "Baumreihen"}, "file"),
        ("varianten", "title", {"title": "Hoch und schmal", "do": "add"}, "file"),
    ],
)
def test_words_beside_a_file_that_is_far_too_large_stay_on_the_desk_too(
    town: Town,
    engine: Engine,
    settings: Settings,
    public: str,
    page: str,
    having: str,
    typed: dict[str, str],
    file: str,
) -> None:
    app = create_app(settings.model_copy(update={"import_limit_mb": 3}), clock=lambda: NOW)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, town.planner.person_id or 0, now=NOW))
        form = filled(client.get(f"{public}/{page}"), having) | typed
        answer = client.post(
            f"{public}/{page}", data=form, files=upload(("stadt.gml", b"x" * 3_500_000), name=file)
        )
    assert answer.status_code in (413, 422)
    said = errors(answer)
    assert [name for name in said if name.endswith(file)], said
    assert "3 MB" in " ".join(said.values())
    (name, value) = next(iter(typed.items()))
    assert filled(answer, having)[name] == value


@once
def test_a_plan_file_that_is_huge_or_takes_too_long_holds_nobody_up(
    paula: TestClient, engine: Engine, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = area_form(paula, draft) | {"do": "file"}

    def send() -> httpx2.Response:
        return paula.post(
            f"{draft}/gebiet", data=form, files=upload(("plan.gml", xplan().encode()), name="file")
        )

    monkeypatch.setattr(map_files, "LARGEST", 100)
    assert "zu groß" in errors(send())["file"]
    monkeypatch.undo()
    # Reading is ended in the middle, with the process that reads; and the line before it is no longer than that.
    monkeypatch.setattr(map_files, "PATIENCE", 0.01)
    for waits in (False, True):
        with apart._AT_ONCE if waits else nullcontext():
            began = time.monotonic()
            answer = send()
            assert time.monotonic() - began < 15
        assert answer.status_code == 422
        assert "unter Kartenebenen" in errors(answer)["file"]
    assert stored(engine, draft).plan_area is None
    monkeypatch.undo()
    assert send().status_code == 303


def test_a_file_without_a_system_is_asked_for_it_and_several_areas_are_chosen_from(
    paula: TestClient, engine: Engine, draft: str, tmp_path: Path
) -> None:
    path = tmp_path / "q.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        quarters(None).to_file(path, driver="GPKG")
    form = area_form(paula, draft) | {"do": "file"}
    answer = paula.post(
        f"{draft}/gebiet", data=form, files=upload(("ohne.gpkg", path.read_bytes()), name="file")
    )
    assert answer.status_code == 422
    assert list(errors(answer)) == ["crs"]
    form = filled(answer, "geojson") | {"crs": "25832", "do": "file"}
    answer = paula.post(f"{draft}/gebiet", data=form)
    assert answer.status_code == 200
    assert "Weißhof (1 ha)" in words(answer)
    form = filled(answer, "geojson") | {"choice": "all", "do": "file"}
    assert paula.post(f"{draft}/gebiet", data=form).status_code == 303
    row = stored(engine, draft)
    assert row.max_x is not None
    assert row.min_x is not None
    assert row.max_x - row.min_x == pytest.approx(200)


@once
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lambda: "", "noch keine Fläche"),
        (lambda: '{"type": "Point", "coordinates": [10.7, 48.3]}', "muss eine Fläche"),
        (lambda: geojson(degrees(eight())).decode(), "kreuzt"),
        (lambda: '{"type": "Polygon", "coordinates": [[[48, 10], [48.1, 10], [48.1, 10.1], [48, 10]]]}', "vertauscht"),
        (lambda: '{"type": "Polygon", "coordinates": [[[-73, 40], [-73, 41], [-74, 41], [-73, 40]]]}', "außerhalb"),
    ],
)  # fmt: skip
def test_an_area_that_is_none_is_refused_with_the_place(
    paula: TestClient, engine: Engine, draft: str, text: Callable[[], str], says: str
) -> None:
    sent = text()
    answer = paula.post(f"{draft}/gebiet", data=area_form(paula, draft) | {"geojson": sent, "do": "text"})
    assert answer.status_code == 422
    assert says in errors(answer)["geojson"]
    assert html.fromstring(answer.content).xpath("//*[@id='geojson']")[0].text_content().strip() == sent
    assert stored(engine, draft).plan_area is None


def test_a_drawn_area_is_saved_and_in_public_only_with_a_note(
    paula: TestClient, engine: Engine, public: str
) -> None:
    drawn = geojson(degrees(square(0, 0))).decode()
    answer = paula.post(f"{public}/gebiet", data=area_form(paula, public) | {"geojson": drawn, "do": "text"})
    assert list(errors(answer)) == ["note"]
    form = filled(answer, "geojson") | {"note": "Gebiet eingezeichnet", "do": "text"}
    assert paula.post(f"{public}/gebiet", data=form).status_code == 303
    assert stored(engine, public).plan_area is not None


# ------------------------------------------------------------------------------------------ the end, and who may


def test_a_consultation_is_concluded_with_words_and_opened_again(
    paula: TestClient, engine: Engine, public: str
) -> None:
    answer = paula.post(f"{public}/abschliessen", data={"state": "concluded", "note": " "})
    assert list(errors(answer)) == ["note"]
    sent = {"state": "concluded", "note": "Der Rat hat zugestimmt."}
    assert paula.post(f"{public}/abschliessen", data=sent).status_code == 303
    assert "Der Rat hat zugestimmt." in words(paula.get("/beteiligungen/wohnen-am-muehlbach"))
    assert paula.post(f"{public}/abschliessen", data=sent).status_code == 422
    assert paula.post(f"{public}/veroeffentlichen").status_code == 303
    assert stored(engine, public).state == ProcedureState.PUBLISHED.value


def test_the_number_of_questions_does_not_grow_with_the_rows(
    paula: TestClient, engine: Engine, town: Town, draft: str, questions: list[str]
) -> None:
    def asked() -> list[int]:
        counts = []
        for section in ("", "/phasen", "/unterlagen", "/verlauf"):
            paula.get(draft + section)  # what is kept for the process is kept now
            questions.clear()
            assert paula.get(draft + section).status_code == 200
            counts.append(len(questions))
        return counts

    few = asked()
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(Procedure, int(draft.rpartition("/")[2]))
        for number in range(8):
            file = FileFacts(f"{number:064x}", f"{number}.pdf", "application/pdf", 10)
            filing.add_document(
                session,
                procedure,
                file,
                title=f"Nr. {number}",
                kind=DocumentKind.OTHER,
                by=town.planner,
                now=NOW,
            )
    assert asked() == few


def test_nobody_plans_who_may_not_and_nobody_elsewhere(
    engine: Engine, enter: Enter, new_client: NewClient, town: Town, draft: str, public: str
) -> None:
    with unit_of_work(engine, write=True) as session:
        elsewhere = cast.found(session, "seebach", "Seebach")
        only = cast.employ(
            session, town.municipality, Role.PLANNER, "Petra", procedure_id=town.procedure.id
        )  # fmt: skip
    sections = (
        "",
        "/texte",
        "/phasen",
        "/kontakt",
        "/unterlagen",
        "/gebiet",
        "/ebenen",
        "/verlauf",
        "/abschliessen",
    )
    for actor in (town.clerk, town.moderator, elsewhere.planner):
        visitor = enter(actor)
        assert {visitor.get(draft + section).status_code for section in sections} == {403}
        assert visitor.post(f"{draft}/veroeffentlichen").status_code == 403
    assert draft.encode() not in enter(town.clerk).get("/verwaltung").content
    assert enter(elsewhere.planner, "seebach.localhost").get(draft).status_code == 404
    petra = enter(only)
    desk = petra.get("/verwaltung").content
    assert public.encode() in desk
    assert draft.encode() not in desk
    assert {petra.get(public + section).status_code for section in sections} == {200}
    assert {petra.get(draft + section).status_code for section in sections} == {403}
    assert petra.get(f"{PLAN}/neu").status_code == 403
    stranger = new_client()
    assert stranger.get(draft).status_code == 303
    assert stranger.post(f"{draft}/texte", data={"title": "x"}).status_code == 403
    assert stored(engine, draft).title == "Neue Mitte"
