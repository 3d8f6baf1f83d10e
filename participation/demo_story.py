"""One town of the demo, told in the order of time: its land, its people, what it plans, and what is said of it."""

import random
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from consultations import (
    announcements,
    channels,
    checks,
    contributions,
    moderation,
    municipalities,
    people,
    places,
    procedure_news,
    procedures,
    publishing,
    releases,
    variants,
)
from consultations.announcement_text import Theme
from consultations.announcements import Entered, Proof
from consultations.channels import Entry
from consultations.checks import Medium
from consultations.contributions import AttachedFile, Contribution, Kind, Submission
from consultations.deadlines import LEGAL_TIME, local_date
from consultations.documents import DocumentKind, FileFacts, documents_of
from consultations.files import STAFF_TYPES, AcceptedFile, FileStore, Limits
from consultations.inspection import examine
from consultations.law import Severity
from consultations.moderation import Action, Decision, Reason
from consultations.municipalities import Municipality, MunicipalityInput
from consultations.people import OrganisationKind, Person, PersonInput
from consultations.permissions import PUBLIC, SYSTEM, Actor, Role
from consultations.phases import Opens, PhaseInput, PhaseKind, phases_of
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure, ProcedureInput
from consultations.seats import Seat
from consultations.variants import VariantInput
from geo.geometry import Located, from_lonlat, from_metres
from geo.readers.apart import read_here
from participation import cityscape, demo_courses, demo_proof, identity, layers_import
from participation.theme import theme_css

if TYPE_CHECKING:
    from participation.demo_town import TownMap

PASSWORD = "mitreden-in-auenfurt"
"""Of everybody in the demo who can sign in."""

_DATA = Path(__file__).parent / "demo_data"


def told_of(name: str) -> dict[str, Any]:
    """What stands in `demo_data` under this name."""
    return tomllib.loads((_DATA / f"{name}.toml").read_text(encoding="utf-8"))


def appoint(
    session: Session, role: Role, name: str, email: str, *, municipality_id: int | None, now: datetime
) -> Actor:
    """Somebody who works for a town (or runs the installation) and signs in with the demo's password."""
    person = Person(name=name, email=email, created_at=now)
    session.add(person)
    session.flush()
    people.grant(session, person, role, municipality_id=municipality_id, by=SYSTEM, now=now)
    identity.create_password_identity(session, person, email, PASSWORD, by=SYSTEM, now=now)
    assert person.id is not None
    actor = people.actor_of(session, person.id)
    assert actor is not None
    return actor


#: Evenings of the past on which the demo looks what is new in its consultations.
NEWS_DAYS = 30


@dataclass(frozen=True)
class Event:
    """Something that happened in a town: when, in which order of its story, and what it does."""

    at: datetime
    order: int
    happens: Callable[[Session], None]


@dataclass
class Story:
    """One town's story: gathered first, then told in the order of time."""

    told: dict[str, Any]
    files: FileStore
    now: datetime
    folder: Path
    port: int | None = None
    events: list[Event] = field(default_factory=list)
    land: "TownMap" = field(init=False)
    municipality_id: int = 0
    staff: dict[Role, Actor] = field(default_factory=dict)
    rows: dict[str, Procedure] = field(default_factory=dict)
    handed_in: dict[tuple[str, int], Contribution] = field(default_factory=dict)

    # -- time

    @property
    def today(self) -> date:
        return self.now.astimezone(LEGAL_TIME).date()

    @property
    def seat(self) -> Seat:
        return Seat.from_data(self.told["calendar"])

    def moment(self, day: int, hour: int, minute: int = 0) -> datetime:
        """So many days from today at a time of day (Europe/Berlin); never in the future."""
        at = datetime.combine(self.today + timedelta(days=day), time(hour, minute), LEGAL_TIME)
        return min(at.astimezone(self.now.tzinfo), self.now)

    def happens(self, at: datetime, what: Callable[[Session], None]) -> None:
        self.events.append(Event(at, len(self.events), what))

    # -- gathering

    def _look_for_news(self, at: datetime) -> None:
        """What the worker of a running server does every few minutes, once in an evening."""

        def look(session: Session) -> None:
            procedure_news.note_waiting(session, by=SYSTEM, now=at, municipality_id=self.municipality_id)

        self.happens(at, look)

    def gather(self) -> None:
        """Build the land and note all that happens in the town, with the day."""
        from participation import demo_town

        theme_css(self.told["theme"])  # refuses colours that nobody could read
        self.land = demo_town.build(demo_town.SKETCHES[self.told["key"]])
        first = -max(abs(each["created"]) for each in self.told["procedure"]) - 30
        self.happens(self.moment(first, 8), self._found)
        for number, (role, title) in enumerate(demo_town.LAYER_TITLES.items()):
            path = self.folder / f"{self.told['key']}-{role}.geojson"
            demo_town.write(self.land, role, path)
            self.happens(self.moment(first, 10, number), self._layer(path, LayerRole(role), title))
        if self.told["key"] == "auenfurt":
            self._city(first)
        for told in self.told["procedure"]:
            self._consultation(told)
        for day in range(-NEWS_DAYS, 0):
            self._look_for_news(self.moment(day, 19, 30))

    def _found(self, session: Session) -> None:
        told, at = self.told, self.events[0].at
        row = municipalities.save(
            session,
            MunicipalityInput(
                key=told["key"],
                name=told["name"],
                hosts=tuple(told["hosts"]),
                authority=told["authority"],
                ags=told["ags"],
                calendar=told["calendar"],
                theme=told["theme"],
                contact=told["contact"],
                legal_texts=told["legal_texts"],
                bounds=self.land.bounds,
            ),
            by=SYSTEM,
            now=at,
        )
        assert row.id is not None
        self.municipality_id = row.id
        for each in told["staff"]:
            role = Role(each["role"])
            self.staff[role] = appoint(
                session, role, each["name"], each["email"], municipality_id=row.id, now=at
            )

    def _layer(self, path: Path, role: LayerRole, title: str, key: str = "") -> Callable[[Session], None]:
        order = len(self.events)

        def happens(session: Session) -> None:
            at = self.events[order].at
            layer, named = layers_import.layer_of(
                layers_import.read_layer(self.files, path, path.name, role=role, read=read_here),
                municipality_id=self.municipality_id,
                procedure_id=self.rows[key].id if key else None,
                title=title,
                source="Digilog",
                licence="CC0-1.0",
                attribution=f"{self.told['authority']} (erfunden)",
                position=order,
                now=at,
            )
            places.add_layer(session, layer, named, by=self.staff[Role.PLANNER], now=at)

        return happens

    def _city(self, day: int) -> None:
        """The town in three dimensions, its trees, and two variants of a plan with the points to look from."""
        from geo.terrain import write_terrain
        from participation import demo_city, demo_town

        city = demo_city.city_of_town(self.land)
        path = self.folder / "trees.geojson"
        demo_town.write_features(demo_city.trees_of_town(self.land), path)
        self.happens(self.moment(day, 10, 40), self._layer(path, LayerRole.TREES, "Bäume"))

        def add_model(session: Session) -> None:
            terrain = self.folder / "terrain"
            write_terrain(demo_city.terrain_of_town(self.land), terrain)
            with terrain.open("rb") as file:
                ground = self.files.put(file).sha256
            for role, title, name, digest in (
                (
                    LayerRole.CITY_MODEL,
                    "3D-Stadtmodell",
                    "stadtmodell.gpkg",
                    cityscape.keep_model(self.files, city),
                ),
                (LayerRole.TERRAIN, "Geländemodell", "gelaende.xyz", ground),
            ):
                layer = Layer(
                    municipality_id=self.municipality_id,
                    role=role.value,
                    title=title,
                    source="Digilog",
                    licence="CC0-1.0",
                    attribution=f"{self.told['authority']} (erfunden)",
                    position=90,
                    original_sha256=digest,
                    original_name=name,
                    normalised_sha256=digest,
                    imported_at=self.moment(day, 11),
                )
                places.add_layer(session, layer, [], by=self.staff[Role.PLANNER], now=self.moment(day, 11))

        self.happens(self.moment(day, 11), add_model)
        told = next(each for each in self.told["procedure"] if each.get("area") == "WEBEREI")
        at = self.moment(told["created"] + 3, 10)

        def add_variants(session: Session) -> None:
            by, row = self.staff[Role.PLANNER], self.rows[told["key"]]
            for draft in demo_city.weaving_mill(self.land):
                variants.add_variant(
                    session,
                    row,
                    VariantInput(
                        draft.title,
                        draft.description,
                        draft.source,
                        draft.figures,
                        cityscape.keep_model(self.files, draft.city),
                        len(draft.city),
                        draft.replaces,
                        {"en": draft.english},
                    ),
                    by=by,
                    now=at,
                )
            variants.set_views(session, row, demo_city.viewpoints(self.land), by=by, now=at)

        self.happens(at, add_variants)

    def _consultation(self, told: dict[str, Any]) -> None:
        key = told["key"]
        self.happens(self.moment(told["created"], 9), lambda session: self._create(session, told))
        if "area" in told:
            self._plan(told)
        for each in told.get("document", ()):
            self._document(told, each)
        if "published" in told:
            self.happens(
                self.moment(told["published"], 9),
                lambda session: self._publish(session, key, self.moment(told["published"], 9)),
            )
        if "announced" in told:
            at = self.moment(told["announced"]["day"], 15)
            self.happens(at, lambda session: self._announce(session, told, at))
        for number, each in enumerate(told.get("statement", ())):
            self._statement(key, number, each)
        for proof in told.get("proof", ()):
            self._proof(key, proof)
        for each in told.get("change", ()):
            self._change(key, each)
        for part in told.get("parts", ()):
            self._nest(key, part, self.moment(told["published"] + 1, 10))
        if "dialogue" in told:
            self._dialogue(told)
        if "concluded" in told:
            at = self.moment(told["concluded"]["day"], 9)
            self.happens(at, lambda session: self._conclude(session, key, told["concluded"]["note"], at))

    # -- consultations

    def _create(self, session: Session, told: dict[str, Any]) -> None:
        plain = ("key", "title", "summary", "description", "location_words", "district", "contact")
        self.rows[told["key"]] = procedures.create(
            session,
            ProcedureInput(
                **{name: told[name].strip() if isinstance(told[name], str) else told[name] for name in plain},
                translations={"en": told["en"]},
                subjects=tuple(
                    {"name": name, "translations": {"en": english}}
                    for name, english in told.get("topics", ())
                ),
                access_options=tuple(told["access_options"]),
                phases=tuple(self._phases(told["phases"])),
            ),
            municipality_id=self.municipality_id,
            template_key=told["template"],
            by=self.staff[Role.PLANNER],
            now=self.moment(told["created"], 9),
        )

    def _phases(self, told: list[dict[str, Any]]) -> Iterator[PhaseInput]:
        """The phases with their days; a formal one ends on a working day, and the next begins after it."""
        over: date | None = None
        for each in told:
            starts = self._day(each.get("starts"))
            ends = self._day(each.get("ends"))
            if ends and each.get("is_formal"):
                ends = (self.seat.working_day_until if ends < self.today else self.seat.working_day_from)(
                    ends
                )
            if starts and over and starts <= over and each["kind"] != PhaseKind.AGENCIES.value:
                starts = over + timedelta(days=1)
            if each["kind"] == PhaseKind.AGENCIES.value:  # runs beside the others
                yield PhaseInput(PhaseKind.AGENCIES, starts_on=starts, ends_on=ends, is_formal=True)
                continue
            over = ends or over
            yield PhaseInput(
                PhaseKind(each["kind"]),
                starts_on=starts,
                ends_on=ends,
                opens=tuple(Opens(opened) for opened in each.get("opens", ())),
                is_formal=each.get("is_formal", False),
                title=each.get("title", ""),
            )

    def _day(self, days: int | None) -> date | None:
        return None if days is None else self.today + timedelta(days=days)

    def _plan(self, told: dict[str, Any]) -> None:
        """The plan area, and what the plan lays down as a layer of the consultation."""
        from participation import demo_town

        key, area = told["key"], told["area"]
        located = from_metres(self.land.area(demo_town.AREAS[area]))
        at = self.moment(told["created"] + 1, 10)

        def set_area(session: Session) -> None:
            procedures.set_plan_area(session, self.rows[key], located, by=self.staff[Role.PLANNER], now=at)

        self.happens(at, set_area)
        if area not in demo_town.PLANS:
            return  # an area that is thought about, for which no plan lays anything down
        path = self.folder / f"{self.told['key']}-{key}.geojson"
        demo_town.write_plan(self.land, area, path)
        self.happens(at, self._layer(path, LayerRole.PLAN, "Festsetzungen", key))

    def _publish(self, session: Session, key: str, at: datetime) -> None:
        """Show it to everybody; its formal phases were announced on paper unless `announced` tells otherwise."""
        row = self.rows[key]
        publishing.publish(session, row, by=self.staff[Role.PLANNER], now=at)
        announced = {told["key"] for told in self.told["procedure"] if "announced" in told}
        for phase in phases_of(session, row.id or 0):
            is_told = key in announced and phase.kind == PhaseKind.PUBLICATION.value
            if phase.waits_for_release and phase.starts_on and not is_told:
                releases.adopt(
                    session, row, phase, reason="Vor der Einführung auf Papier bekannt gemacht", by=SYSTEM, now=at
                )  # fmt: skip

    def _announce(self, session: Session, told: dict[str, Any], at: datetime) -> None:
        """Announce the publication, make it public, and release it where everything is there."""
        announced, row, by = told["announced"], self.rows[told["key"]], self.staff[Role.PLANNER]
        town = session.get_one(Municipality, self.municipality_id)
        assert row.id is not None
        (phase,) = (each for each in phases_of(session, row.id) if each.kind == PhaseKind.PUBLICATION.value)
        papers = {document.title: document.id or 0 for document, _ in documents_of(session, row.id)}
        host = f"{sorted(self.told['hosts'])[0]}{f':{self.port}' if self.port else ''}"
        address = f"http://{host}/beteiligungen/{row.slug}"
        themes = tuple(
            Theme(name, words, frozenset(papers[title] for title in titles))
            for name, words, titles in announced.get("themes", ())
        )
        entered = Entered(themes, announced.get("portal", ""), free={"intro": announced.get("intro", "")})
        version = announcements.save(session, town, row, phase, entered, address=address, by=by, now=at)
        for each in announced["acts"]:
            proof = None
            if "proof" in each:
                (document,) = (one for one in told["document"] if one["title"] == each["proof"])
                content, _ = self._printed(told, document, at, revised=False)
                file = self.kept(f"{each['issue'].replace('/', '-')}.pdf", content)
                proof = Proof(file.sha256, file.filename, file.media_type, file.size)
            day = local_date(at) + timedelta(days=each.get("later", 0))
            announcements.record_act(
                session, row, version, medium=Medium(each["medium"]), day=day, issue=each["issue"], proof=proof,
                by=by, now=at,
            )  # fmt: skip
        if not announced.get("released"):
            return
        announcements.put_online(session, row, version, by=by, now=at)
        looked_at = releases.situation(session, town, row, phase, address=address, now=at)
        for finding in checks.check(looked_at):
            if finding.severity is Severity.WARN:
                reason = announced["reasons"].get(finding.code, announced["reasons"]["other"])
                releases.waive(session, row, phase, finding, reason=reason, by=by, now=at)
        releases.release(session, town, row, phase, address=address, by=by, now=at)

    def _conclude(self, session: Session, key: str, note: str, at: datetime) -> None:
        publishing.conclude(session, self.rows[key], by=self.staff[Role.PLANNER], now=at, note=note)

    def _change(self, key: str, told: dict[str, Any]) -> None:
        """A phase becomes longer or is repeated."""
        at, ends = self.moment(told["day"], 11), self._day(told["ends"])
        assert ends is not None

        def happens(session: Session) -> None:
            demo_courses.change(
                session, self.rows[key], told, starts_on=self._day(told.get("starts")),
                ends_on=self.seat.working_day_from(ends), seat=self.seat, by=self.staff[Role.PLANNER], now=at,
            )  # fmt: skip

        self.happens(at, happens)

    def _nest(self, key: str, part: str, at: datetime) -> None:
        """A consultation becomes a part of an area."""

        def happens(session: Session) -> None:
            area, row = self.rows[key], self.rows[part]
            changed = replace(procedures.as_it_stands(row), part_of_id=area.id)
            note = f"Gehört jetzt zu „{area.title}“"
            procedures.change(session, row, changed, by=self.staff[Role.PLANNER], now=at, note=note)

        self.happens(at, happens)

    def _proof(self, key: str, told: dict[str, Any]) -> None:
        """A formal phase is frozen before its first day, probed while it runs, and certified."""
        kind = told["phase"]
        frozen_at, certified_at = self.moment(told["frozen"], 18), self.moment(told["certified"], 10)
        town = f"http://{sorted(self.told['hosts'])[0]}/beteiligungen"

        def freeze(session: Session) -> None:
            by = self.staff[Role.PLANNER]
            demo_proof.freeze(session, self.rows[key], kind, by=by, now=frozen_at)

        def certify(session: Session) -> None:
            row, by = self.rows[key], self.staff[Role.PLANNER]
            demo_proof.probe(session, row, kind, until=certified_at)
            demo_proof.certify(session, row, kind, by=by, now=certified_at, url=f"{town}/{row.slug}")

        self.happens(frozen_at, freeze)
        self.happens(certified_at, certify)

    def _document(self, told: dict[str, Any], each: dict[str, Any]) -> None:
        at = self.moment(each["day"], 8)
        self.happens(at, lambda session: self._add_document(session, told, each, at))
        if "revised" in each:
            later, note = self.moment(each["revised"]["day"], 11), each["revised"]["note"]
            self.happens(later, lambda session: self._add_document(session, told, each, later, note))

    def _add_document(
        self, session: Session, told: dict[str, Any], each: dict[str, Any], at: datetime, note: str = ""
    ) -> None:
        """A document of a consultation; with a note it is the next version of the one of the same title."""
        row = self.rows[told["key"]]
        assert row.id is not None
        of_row = documents_of(session, row.id)
        earlier = next((document for document, _ in of_row if document.title == each["title"]), None)
        content, text = self._printed(told, each, at, revised=bool(note))
        name = f"{told['key']} {each['title']}{' (Fassung 2)' if note else ''}.pdf"
        file = self.kept(name, content)
        demo_proof.add_or_correct(
            session,
            row,
            FileFacts(file.sha256, file.filename, file.media_type, file.size, file.pages, text),
            title=each["title"],
            kind=DocumentKind(each["kind"]),
            by=self.staff[Role.PLANNER],
            now=at,
            document=earlier,
            note=note,
        )

    def _printed(
        self, told: dict[str, Any], each: dict[str, Any], at: datetime, *, revised: bool
    ) -> tuple[bytes, str]:
        """A document as PDF, and what it says as text."""
        from participation import demo_papers, demo_town

        plan = told["key"].replace("BP-", "Bebauungsplan Nr. ")
        if not each.get("drawing"):
            sections = each["revised"].get("sections", each["sections"]) if revised else each["sections"]
            title = f"{plan} – {told['title']}"
            made = demo_papers.report(each["title"], title, self.told["authority"], sections, at=at)
            return made, "\n\n".join(part for section in sections for part in section)
        made = demo_papers.drawing(
            self.land, told["area"], told["title"], plan, self.told["authority"], at=at, revised=revised
        )
        parts = ", ".join(sign.label for sign in demo_town.PLANS[told["area"]] if sign.label)
        return made, f"Lageplan. Geltungsbereich: {told['location_words']}. Festgesetzt sind: {parts}."

    def kept(self, name: str, content: bytes) -> AcceptedFile:
        """A file as `files.accept_upload` keeps one, looked at in this process: we made it ourselves."""
        path, public = self.folder / f"paper{Path(name).suffix}", self.folder / "public"
        path.write_bytes(content)
        found = examine(path, name, Limits(types=STAFF_TYPES), public)
        with path.open("rb") as file:
            stored = self.files.put(file)
        public_sha256 = None
        if found.public_media_type:
            with public.open("rb") as file:
                public_sha256 = self.files.put(file).sha256
        return AcceptedFile(
            sha256=stored.sha256,
            size=stored.size,
            media_type=found.media_type,
            filename=found.filename,
            pages=found.pages,
            public_sha256=public_sha256,
            public_media_type=found.public_media_type,
        )

    # -- contributions

    def _statement(self, key: str, number: int, each: dict[str, Any]) -> None:
        channel = channels.by_key(each["channel"])
        chance = random.Random(f"{key}-{number}")
        by_clerk = channel.entry is Entry.CLERK
        received = self.moment(each["day"], chance.randint(7, 11), chance.randint(0, 59))
        recorded = (
            self.moment(each["day"], chance.randint(13, 16), chance.randint(0, 59)) if by_clerk else received
        )

        def hand_in(session: Session) -> None:
            self.handed_in[key, number] = contributions.submit(
                session,
                self._submission(session, key, number, each, received),
                procedure=self.rows[key],
                by=self.staff[Role.CLERK] if by_clerk else PUBLIC,
                now=recorded,
            )

        self.happens(recorded, hand_in)
        if each.get("publish", "pending") != "pending":
            self._decision(
                self.moment(each["day"] + 1, chance.randint(9, 15), chance.randint(0, 59)),
                (key, number),
                each,
            )
        if "late" in each:
            decided = self.moment(each["late"]["day"], 14, 5)

            def decide(session: Session) -> None:
                mine, by = self.handed_in[key, number], self.staff[Role.PLANNER]
                demo_proof.decide(session, mine, each["late"], by=by, now=decided)

            self.happens(decided, decide)
        if "withdrawn" in each:
            at = self.moment(each["withdrawn"], 18, 20)
            self.happens(
                at,
                lambda session: contributions.withdraw(
                    session, self.handed_in[key, number], by=PUBLIC, now=at
                ),
            )

    def _submission(
        self,
        session: Session,
        key: str,
        number: int,
        each: dict[str, Any],
        received: datetime,
    ) -> Submission:
        written = each.get("written")
        organisation_kind = OrganisationKind(each.get("organisation_kind", "association"))
        known = ("name", "street", "postcode", "city", "email", "phone", "organisation")
        return Submission(
            kind=Kind.STATEMENT,
            channel=each["channel"],
            key=f"demo-{key}-{number}",
            title=each.get("title", ""),
            text=each["text"],
            person=PersonInput(
                **{name: each.get(name, "") for name in known}, organisation_kind=organisation_kind
            ),
            on_behalf_of=each.get("on_behalf_of", ""),
            language=each.get("language", "de"),
            wants_publication=not each.get("private", False),
            section=each.get("section", ""),
            document_id=self._referred(session, key, each.get("section", "")),
            located=self._at(each["at"]) if "at" in each else None,
            attachments=self._enclosed(number, each, received),
            written_on=self.today + timedelta(days=written) if written else None,
            received_at=received,
            supplements=self.handed_in[key, each["supplements"]] if "supplements" in each else None,
        )

    def _at(self, point: list[float]) -> Located:
        return from_lonlat(*self.land.lonlat(point[0], point[1]))

    def _referred(self, session: Session, key: str, section: str) -> int | None:
        """The document that a section belongs to: the one it names, else the plan drawing."""
        row = self.rows[key]
        assert row.id is not None
        if not section:
            return None
        documents = [document for document, _ in documents_of(session, row.id)]
        named = [document.id for document in documents if section.startswith(document.title)]
        drawn = [document.id for document in documents if document.kind == DocumentKind.PLAN_DRAWING]
        return next(iter(named + drawn), None)

    def _decision(self, at: datetime, which: tuple[str, int], each: dict[str, Any]) -> None:
        """A moderator decides; `each` says what: publish, redact (with `redacted`) or withhold, and why."""
        action = Action(each["publish"])
        decision = Decision(
            action,
            reason=Reason(each["reason"]) if "reason" in each else None,
            explanation=each.get("explanation", ""),
            title=each.get("title", "") if action is Action.REDACT else "",
            text=each.get("redacted", ""),
            hidden_attachments=(0,) if action is Action.REDACT and each.get("scan") else (),
        )
        self.happens(
            at,
            lambda session: _discard(
                moderation.decide(
                    session, self.handed_in[which], decision, by=self.staff[Role.MODERATOR], now=at
                )
            ),
        )

    def _enclosed(self, number: int, each: dict[str, Any], received: datetime) -> tuple[AttachedFile, ...]:
        """The files that came with a statement: the scan of a letter, an e-mail, a sheet, a picture."""
        from participation import demo_papers

        words = each["text"]
        made: list[tuple[str, bytes, bool]] = []
        if each.get("scan"):
            stamp = f"{received.astimezone(LEGAL_TIME):%d.%m.%Y}"
            made.append(
                (f"Scan {number + 1}.jpg", demo_papers.scan(words, received=stamp, seed=number), True)
            )
        if each.get("eml"):
            original = demo_papers.mail(
                each["name"],
                each.get("email", "post@absender.example"),
                self.told["contact"]["email"],
                each.get("title", "Stellungnahme"),
                words,
                at=received,
            )
            made.append(("Nachricht.eml", original, True))
        if each.get("sheet") or each.get("sketch"):
            sheet = demo_papers.report(
                "Anlage" if each.get("sketch") else "Stellungnahme",
                each.get("organisation") or each["name"],
                each.get("organisation") or each["name"],
                [("Zu " + self.told["name"], *words.split("\n\n"))],
                at=received,
            )
            made.append(
                (f"{'Skizze' if each.get('sketch') else 'Schreiben'}.pdf", sheet, not each.get("sketch"))
            )
        if each.get("photo"):
            made.append(("IMG_1999_scan.jpg", demo_papers.photo(number), False))
        return tuple(self._attached(name, content, is_original) for name, content, is_original in made)

    def _attached(self, name: str, content: bytes, is_original: bool) -> AttachedFile:
        file = self.kept(name, content)
        return AttachedFile(
            sha256=file.sha256,
            filename=file.filename,
            media_type=file.media_type,
            size=file.size,
            pages=file.pages,
            public_sha256=file.public_sha256 or "",
            public_media_type=file.public_media_type or "",
            is_original=is_original,
        )

    # -- the dialogue on the map

    def _dialogue(self, told: dict[str, Any]) -> None:
        """Many proposals and answers from a few ideas, each said in its own place and words."""
        key, chance = told["key"], random.Random(told["key"])
        bank = told_of("dialogue")
        started = max(told["phases"][0]["starts"], -60)
        days = sorted(min(-1, round(started * chance.random() ** 1.6)) for _ in range(told["dialogue"]))
        said: set[tuple[str, str]] = set()
        for number, day in enumerate(days):
            idea = bank["idea"][number % len(bank["idea"])]
            street, words = _not_yet_said(idea, said, chance)
            at = self.moment(day, chance.randint(7, 21), chance.randint(0, 59))
            # Every fifteenth came from the town's former report form: the channel of bulk imports.
            submission = Submission(
                kind=Kind.PROPOSAL,
                channel=channels.IMPORT.key if number % 15 == 7 else channels.WEB.key,
                source_id=f"alt-{number}" if number % 15 == 7 else "",
                key=f"demo-{key}-{number}",
                title=chance.choice(idea["titles"]),
                text=f"{chance.choice(bank['openers'])}{said_of(street, words)}{chance.choice(bank['closers'])}",
                category=idea["category"],
                pseudonym=chance.choice(bank["names"]),
                wants_publication=True,
                located=self._along(street, chance, as_line=number % 12 == 5),
                place_words=street,
            )
            replies = chance.sample(
                idea["replies"], k=min(len(idea["replies"]), chance.choice((0, 0, 1, 1, 2, 3)))
            )
            self._proposal(key, number, submission, at, day, bank["names"], replies, chance)

    def _along(self, street: str, chance: random.Random, *, as_line: bool) -> Located:
        """A place along a street of the town, or a stretch of it."""
        import shapely
        from shapely.ops import substring

        line = self.land.street(street)
        if as_line:
            begins = chance.uniform(0, 0.5)
            part = substring(line, begins, begins + 0.3, normalized=True)
            return from_metres(self.land.placed(part))
        whole = min(line.length, 900.0)
        point = line.interpolate(chance.uniform(0.05, 0.95) * whole)
        if shapely.Point(0, 0).distance(point) > self.land.sketch.reach:
            point = line.interpolate(line.length - chance.uniform(0.05, 0.95) * whole)
        return from_lonlat(*self.land.lonlat(point.x + chance.gauss(0, 3), point.y + chance.gauss(0, 3)))

    def _proposal(
        self,
        key: str,
        number: int,
        submission: Submission,
        at: datetime,
        day: int,
        names: list[str],
        replies: list[str],
        chance: random.Random,
    ) -> None:
        imported = submission.channel == channels.IMPORT.key

        def hand_in(session: Session) -> None:
            row = contributions.submit(
                session,
                submission,
                procedure=self.rows[key],
                by=self.staff[Role.PLANNER] if imported else PUBLIC,
                now=at,
            )
            self.handed_in[key, number] = row
            if imported:
                moderation.publish_imported(
                    session, row, source="Mängelmelder der Stadt", by=self.staff[Role.PLANNER], now=at
                )

        self.happens(at, hand_in)
        if day > -3 and number % 3:
            return  # still in the queue
        shown_at = at
        if not imported:
            withheld = number % 47 == 23
            facts = {"publish": "withhold", "reason": "duplicate"} if withheld else {"publish": "publish"}
            shown_at = min(self.moment(day + 1, chance.randint(9, 15), chance.randint(0, 59)), self.now)
            self._decision(shown_at, (key, number), facts)
            if withheld:
                return
        for reply_number, words in enumerate(replies):
            answered = min(
                shown_at + timedelta(hours=chance.randint(2, 60)), self.now - timedelta(minutes=30)
            )
            if answered > shown_at:
                self._reply(key, number, reply_number, words, chance.choice(names), answered)

    def _reply(self, key: str, number: int, reply_number: int, words: str, name: str, at: datetime) -> None:
        which = (f"{key}-reply-{reply_number}", number)

        def hand_in(session: Session) -> None:
            self.handed_in[which] = contributions.submit(
                session,
                Submission(
                    kind=Kind.COMMENT,
                    channel=channels.WEB.key,
                    key=f"demo-{key}-{number}-{reply_number}",
                    text=words,
                    pseudonym=name,
                    wants_publication=True,
                    parent=self.handed_in[key, number],
                ),
                procedure=self.rows[key],
                by=PUBLIC,
                now=at,
            )

        self.happens(at, hand_in)
        shown_at = at + timedelta(hours=3)
        if shown_at < self.now - timedelta(days=1):
            self._decision(shown_at, which, {"publish": "publish"})


def _discard(row: object) -> None:
    """An event returns nothing, whatever its verb does."""


def _not_yet_said(idea: dict[str, Any], said: set[tuple[str, str]], chance: random.Random) -> tuple[str, str]:
    """A street and words of an idea; the same of both only once everything else was said."""
    pairs = [(street, words) for street in idea["near"] for words in idea["texts"]]
    fresh = [pair for pair in pairs if pair not in said] or pairs
    pair = chance.choice(fresh)
    said.add(pair)
    return pair


#: What a street's name ends with that is masculine in German; the others are feminine, but for "Am …", which has no article.
_MASCULINE = re.compile(r"(weg|platz|graben|bach|steig|ring)( am .*)?$", re.IGNORECASE)
_DATIVE = {"an": "am", "in": "im", "auf": "auf dem", "aus": "aus dem", "von": "vom"}


def said_of(street: str, words: str) -> str:
    """Words with the street for `{place}`, and the article before it as its name wants it: "An der Hauptstraße", "Am Mühlweg"."""
    bare = street.startswith(("Am ", "An ", "Im "))
    is_masculine = _MASCULINE.search(street) is not None
    declined = re.sub(r"^(Obere|Untere|Alte|Neue) ", r"\1n ", street)

    def at(found: re.Match[str]) -> str:
        asked = found["at"].lower()
        asked = {"am": "an", "im": "in"}.get(asked, asked)
        if bare:
            said = (
                f"{street[0].lower()}{street[1:]}"
                if asked in ("an", "in", "auf")
                else f"{asked} der Straße {street}"
            )
        else:
            said = f"{_DATIVE[asked]} {declined}" if is_masculine else f"{asked} der {declined}"
        return said[0].upper() + said[1:] if found["at"][0].isupper() else said

    words = re.sub(r"\b(?P<at>[Aa]n|[Ii]n|[Aa]uf|[Aa]us|[Vv]on) der \{place\}", at, words)
    words = re.sub(r"\b(?P<at>[Aa]m|[Ii]m) \{place\}", at, words)
    article = "Die Straße" if bare else "Der" if is_masculine else "Die"
    return re.sub(r"\b(Der|Die) \{place\}", f"{article} {{place}}", words).format(place=street)
