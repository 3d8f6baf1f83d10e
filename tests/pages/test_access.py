"""Who may enter: every page × everybody × every town, held against one table.

The table below is the whole of it. A page that is not in the table fails; so does a page that lets in, or keeps out,
anybody else than the table says, or that shows under the host of one town what belongs to another. Every answer is
also read for contributions that this visitor may not read.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
import geopandas
import pytest
import shapely
from pydantic import SecretStr
from sqlmodel import Session, select
from starlette.testclient import TestClient

from consultations import (
    agencies,
    agency_answers,
    amendments,
    announcements,
    certificates,
    discussion,
    drafts,
    filing,
    following,
    frozen,
    implementation,
    invitations,
    moderation,
    notices,
    paper_ballots,
    people,
    places,
    procedures,
    proposals,
    proposing,
    publishing,
    rewording,
    support_lists,
    survey_answers,
    surveys,
    unions,
    voting,
)
from consultations.amendments import AmendmentInput
from consultations.announcements import Entered, Proof
from consultations.ballots import Vote
from consultations.checks import Medium
from consultations.cocreation import Counts
from consultations.contributions import AttachedFile, Contribution, Kind, Submission
from consultations.documents import DocumentKind, FileFacts
from consultations.files import FileStore, StoredFile
from consultations.invitations import InvitationLink
from consultations.moderation import Action, Decision
from consultations.notices import NoticeWay
from consultations.people import Person
from consultations.permissions import PUBLIC, SYSTEM, Role
from consultations.phases import Phase, PhaseKind, phases_of
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.questions import Question, QuestionKind
from consultations.seats import Seat
from consultations.unions import UnionInput
from geo.geometry import read_geojson_geometry
from geo.layers import write_normalised
from participation import cityscape, identity, layers_import
from participation.app import create_app
from participation.database import make_engine, unit_of_work
from participation.identity import COOKIE
from participation.settings import Settings
from participation.web import PAGES
from tests import cast, scapes
from tests.cast import NOW, Town
from tests.databases import Databases

# --- the table -------------------------------------------------------------------------------------

EVERYBODY = None
SIGNED_IN = frozenset(Role)
STAFF = frozenset(Role)
COUNTER = frozenset({Role.CLERK, Role.PLANNER})
READERS = frozenset({Role.CLERK, Role.MODERATOR, Role.PLANNER})
MODERATORS = frozenset({Role.MODERATOR})
PLANNERS = frozenset({Role.PLANNER})
EVALUATORS = frozenset({Role.EVALUATOR, Role.PLANNER})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
OPERATORS = frozenset({Role.OPERATOR})


@dataclass(frozen=True)
class Rule:
    """Who may enter a page, how far their role must reach, and what its address names (parameter → thing)."""

    who: frozenset[Role] | None
    reach: str
    names: Mapping[str, str]


def open_to(who: frozenset[Role] | None, **names: str) -> Rule:
    """A role for any one consultation of the town is enough: lists, forms, the desk."""
    return Rule(who, "anywhere", names)


def there(who: frozenset[Role], **names: str) -> Rule:
    """The role must reach the consultation of what the address names."""
    return Rule(who, "there", names)


def for_the_town(who: frozenset[Role], **names: str) -> Rule:
    """Only a role for the whole town counts."""
    return Rule(who, "town", names)


def own(**names: str) -> Rule:
    """One's own account: any signed-in person, with or without a role in the town."""
    return Rule(SIGNED_IN, "account", names)


TABLE: dict[str, Rule] = {
    # what everybody may read
    "home": open_to(EVERYBODY),
    "town_plan": open_to(EVERYBODY),
    "search": open_to(EVERYBODY),
    "display": open_to(EVERYBODY),
    "theme": open_to(EVERYBODY),
    "offline": open_to(EVERYBODY),
    "imprint": open_to(EVERYBODY),
    "privacy": open_to(EVERYBODY),
    "accessibility": open_to(EVERYBODY),
    "easy_language": open_to(EVERYBODY),
    "software": open_to(EVERYBODY),
    "barrier_report": open_to(EVERYBODY),
    "feed": open_to(EVERYBODY),
    "robots": open_to(EVERYBODY),
    "security_txt": open_to(EVERYBODY),
    "patterns": open_to(EVERYBODY),
    "hearings": open_to(EVERYBODY),
    "hearing": open_to(EVERYBODY, slug="slug"),
    "plan_picture": open_to(EVERYBODY, slug="slug"),
    "hearing_versions": open_to(EVERYBODY, slug="slug"),
    "announcement": open_to(EVERYBODY, slug="slug", announcement="announcement"),
    "announcement_paper": open_to(EVERYBODY, slug="slug", announcement="announcement", paper="paper"),
    "dates": open_to(EVERYBODY, slug="slug"),
    "slip": open_to(EVERYBODY, slug="slug"),
    "document_text": open_to(EVERYBODY, id="document", number="one"),
    "document": open_to(EVERYBODY, id="document", number="one", filename="filename"),
    "comparison": open_to(EVERYBODY, id="document", earlier="one", later="one"),
    "certificates": open_to(EVERYBODY),
    "certificate": open_to(EVERYBODY, number="certificate"),
    "certificate_json": open_to(EVERYBODY, number="certificate"),
    "certificate_pdf": open_to(EVERYBODY, number="certificate"),
    "contributions_list": open_to(EVERYBODY, slug="slug"),
    "published_contribution": open_to(EVERYBODY, slug="slug", reference="published"),
    "published_file": open_to(EVERYBODY, slug="slug", reference="published", position="first_file"),
    "proposals": open_to(EVERYBODY, slug="slug"),
    "proposals_embed": open_to(EVERYBODY, slug="slug"),
    "map_embed": open_to(EVERYBODY, slug="slug"),
    "embedding": open_to(EVERYBODY, slug="slug"),
    "proposals_similar": open_to(EVERYBODY, slug="slug"),
    "proposal": open_to(EVERYBODY, slug="slug", reference="proposal"),
    "proposal_changes": open_to(EVERYBODY, slug="slug", reference="proposal", earlier="one", later="one"),
    "proposal_amendment": open_to(EVERYBODY, slug="slug", reference="proposal", number="amendment"),
    "contributions_feed": open_to(EVERYBODY, slug="slug"),
    "contributions_geojson": open_to(EVERYBODY, slug="slug"),
    "contributions_csv": open_to(EVERYBODY, slug="slug"),
    "map": open_to(EVERYBODY),
    "map_feed": open_to(EVERYBODY),
    "map_script": open_to(EVERYBODY, hash="any"),
    "map_colours": open_to(EVERYBODY, hash="any"),
    "map_tile": open_to(EVERYBODY, layers="any", look="look", z="one", x="one", y="one"),
    "vector_tile": open_to(EVERYBODY, layer="layer", z="one", x="one", y="one"),
    "layer_tile": open_to(EVERYBODY, layer="layer", digest="any", look="look", z="one", x="one", y="one"),
    "service_tile": open_to(EVERYBODY, layer="service", z="one", x="one", y="zero"),
    "layer_data": open_to(EVERYBODY, layer="layer", ending="ending"),
    "hearing_map": open_to(EVERYBODY, slug="slug"),
    "map_objects": open_to(EVERYBODY, slug="slug"),
    "map_taken": open_to(EVERYBODY, slug="slug"),
    "map_object": open_to(EVERYBODY, slug="slug", layer="layer", number="zero"),
    "hearing_map_feed": open_to(EVERYBODY, slug="slug"),
    "map_layer": open_to(EVERYBODY, slug="slug", layer="layer"),
    "plan_view": open_to(EVERYBODY, slug="slug"),
    "plan_area": open_to(EVERYBODY, slug="slug"),
    "city": open_to(EVERYBODY, slug="slug"),
    "city_scene": open_to(EVERYBODY, slug="slug"),
    "city_tileset": open_to(EVERYBODY, slug="slug", digest="model"),
    "city_tile": open_to(EVERYBODY, slug="slug", digest="model", name="square"),
    "city_variant": open_to(EVERYBODY, slug="slug", variant="variant"),
    "city_comment": open_to(EVERYBODY, slug="slug"),
    "table": open_to(EVERYBODY, slug="slug"),
    "table_pass": open_to(EVERYBODY, slug="slug"),
    "compare": open_to(EVERYBODY, slug="slug"),
    "sunlight": open_to(EVERYBODY, slug="slug"),
    "sunlight_feed": open_to(EVERYBODY, slug="slug"),
    # taking part; a secret in the address or in a cookie opens one's own contribution and nothing else
    "statement": open_to(EVERYBODY, slug="slug"),
    "statement_step": open_to(EVERYBODY, slug="slug", token="draft", step="step"),
    "survey": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_paper": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_receipt": open_to(EVERYBODY, slug="slug", number="one", token="survey_receipt"),
    "survey_results": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_csv": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_json": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_geojson": open_to(EVERYBODY, slug="slug", number="one"),
    "survey_own": open_to(EVERYBODY),
    "survey_own_withdraw": open_to(EVERYBODY),
    "survey_own_close": open_to(EVERYBODY),
    "support": open_to(EVERYBODY, slug="slug", reference="proposal"),
    "implementation_picture": open_to(EVERYBODY, slug="slug", reference="proposal", entry="built"),
    "follow": open_to(EVERYBODY, slug="slug"),
    "follow_search": open_to(EVERYBODY, slug="slug"),
    "proposals_feed": open_to(EVERYBODY, slug="slug"),
    "follow_manage": open_to(EVERYBODY, token="following"),
    "follow_end": open_to(EVERYBODY, token="following"),
    "news": open_to(EVERYBODY, slug="slug"),
    "news_feed": open_to(EVERYBODY, slug="slug"),
    "proposal_amend": open_to(EVERYBODY, slug="slug", reference="proposal"),
    "proposal_comment": open_to(EVERYBODY, slug="slug", reference="proposal"),
    "proposal_comments": open_to(EVERYBODY, slug="slug", reference="proposal"),
    "argument": open_to(EVERYBODY, slug="slug", reference="proposal", comment="comment"),
    "comment_reword": open_to(EVERYBODY, slug="slug", reference="proposal", comment="comment"),
    "comment_changes": open_to(
        EVERYBODY, slug="slug", reference="proposal", comment="comment", earlier="one", later="two"
    ),
    "author_link": open_to(EVERYBODY, token="author_link"),
    "author_door": open_to(EVERYBODY),
    "author_own": open_to(EVERYBODY),
    "author_desk": open_to(EVERYBODY),
    "amendment_own": open_to(EVERYBODY),
    "author_decide": open_to(EVERYBODY, number="one"),
    "author_merge": open_to(EVERYBODY),
    "author_union": open_to(EVERYBODY, number="one"),
    "author_divide": open_to(EVERYBODY),
    "receipt": open_to(EVERYBODY, token="receipt"),
    "receipt_pdf": open_to(EVERYBODY, token="receipt"),
    "receipt_file": open_to(EVERYBODY, token="receipt", position="first_file"),
    "lookup": open_to(EVERYBODY),
    "contribution": open_to(EVERYBODY),
    "contribution_retract": open_to(EVERYBODY),
    "contribution_withdraw": open_to(EVERYBODY),
    "contribution_add": open_to(EVERYBODY),
    "contribution_pdf": open_to(EVERYBODY),
    "contribution_file": open_to(EVERYBODY, position="first_file"),
    "contribution_close": open_to(EVERYBODY),
    # an agency answers: its personal link opens its own request and nothing else
    "agency_door": open_to(EVERYBODY),
    "agency_request": open_to(EVERYBODY, token="agency_link"),
    "agency_receipt": open_to(EVERYBODY, token="agency_link", number="first_file"),
    "agency_file": open_to(EVERYBODY, token="agency_link", position="first_file"),
    "agency_keep": open_to(EVERYBODY, token="agency_link"),
    "agency_open_account": open_to(EVERYBODY, token="agency_link", secret="agency_offer"),
    # one's own account
    "agency_account": own(),
    "sign_in": open_to(EVERYBODY),
    "sign_out": open_to(EVERYBODY),
    "openid_begin": open_to(EVERYBODY, provider="provider"),
    "openid_return": open_to(EVERYBODY, provider="provider"),
    "openid_logout": open_to(EVERYBODY, provider="provider"),
    "invitation": open_to(EVERYBODY, token="invitation"),
    "account": own(),
    "account_news": own(),
    "account_unfollow": own(),
    "session_end": own(session_id="own_session"),
    "sessions_end": own(),
    "password": own(),
    # at work
    "desk": open_to(STAFF),
    "intake": open_to(COUNTER),
    "intake_form": there(COUNTER, id="procedure"),
    "intake_done": there(COUNTER, id="contribution"),
    "intake_receipt": there(COUNTER, id="contribution"),
    "intake_receipt_again": there(COUNTER, id="contribution"),
    "letter": there(COUNTER, id="letter"),
    "letter_done": there(COUNTER, id="letter"),
    "register": open_to(READERS),
    "register_entry": there(READERS, id="contribution"),
    "staff_attachment": there(READERS, id="contribution", position="first_file"),
    "evaluation_desk": open_to(EVALUATORS),
    "evaluation": there(EVALUATORS, id="procedure"),
    "evaluation_proposal": there(EVALUATORS, id="proposal_id"),
    "implementation": there(PLANNERS, id="proposal_id"),
    "survey_intake": there(COUNTER, id="survey"),
    "survey_correction": there(COUNTER, id="survey"),
    "survey_words": open_to(MODERATORS),
    "planning_surveys": there(PLANNERS, id="procedure"),
    "planning_survey": there(PLANNERS, id="procedure", number="one"),
    "planning_survey_state": there(PLANNERS, id="procedure", number="one"),
    "survey_answers": there(PLANNERS, id="procedure", number="one"),
    "survey_answers_csv": there(PLANNERS, id="procedure", number="one"),
    "support_desk": open_to(COUNTER),
    "support_entry": there(COUNTER, id="proposal_id"),
    "support_sheet": there(COUNTER, id="sheet"),
    "vote": open_to(EVERYBODY, slug="slug", phase="vote_phase"),
    "vote_ballots": open_to(EVERYBODY, slug="slug", phase="counted_phase"),
    "planning_vote": there(PLANNERS, id="procedure", phase="vote_phase"),
    "paper_votes": open_to(COUNTER),
    "paper_vote": there(COUNTER, id="vote"),
    "paper_batch": there(COUNTER, id="batch"),
    "proposal_desk": open_to(MODERATORS),
    "proposal_version": there(MODERATORS, id="proposal_id"),
    "proposal_words": there(MODERATORS, id="proposal_id"),
    "comment_version": there(MODERATORS, id="comment_id"),
    "comment_intake": there(COUNTER, id="comment_id"),
    "proposal_facilitate": there(MODERATORS, id="amendment_id"),
    "amendment_intake": there(COUNTER, id="proposal_id"),
    "proposal_union": there(MODERATORS, number="union"),
    "proposal_merge": open_to(MODERATORS),
    "proposal_divide": open_to(MODERATORS),
    "moderation": open_to(MODERATORS),
    "moderation_next": open_to(MODERATORS),
    "moderation_decided": open_to(MODERATORS),
    "moderation_item": there(MODERATORS, id="contribution"),
    "moderation_claim": there(MODERATORS, id="contribution"),
    "moderation_release": there(MODERATORS, id="contribution"),
    "moderation_suggest": there(MODERATORS, id="contribution"),
    "moderation_topic": there(MODERATORS, id="contribution"),
    "moderation_undo": there(MODERATORS, id="contribution"),
    "planning_new": for_the_town(PLANNERS),
    "planning": there(PLANNERS, id="procedure"),
    "planning_texts": there(PLANNERS, id="procedure"),
    "planning_phases": there(PLANNERS, id="procedure"),
    "planning_cocreation": there(PLANNERS, id="procedure", phase="phase"),
    "planning_calendar": there(PLANNERS, id="procedure"),
    "planning_course": there(PLANNERS, id="procedure"),
    "planning_change": there(PLANNERS, id="procedure", phase="phase", verb="change"),
    "planning_templates": for_the_town(PLANNERS),
    "planning_template": for_the_town(PLANNERS, key="template"),
    "planning_topics": there(PLANNERS, id="procedure"),
    "planning_contact": there(PLANNERS, id="procedure"),
    "planning_documents": there(PLANNERS, id="procedure"),
    "planning_document": there(PLANNERS, id="procedure", document="document"),
    "planning_replace": there(PLANNERS, id="procedure", document="document"),
    "proof": there(PLANNERS, id="procedure"),
    "late_list": open_to(PLANNERS),
    "late_decide": there(PLANNERS, id="late"),
    "planning_area": there(PLANNERS, id="procedure"),
    "planning_layers": there(PLANNERS, id="procedure"),
    "planning_variants": there(PLANNERS, id="procedure"),
    "planning_table": there(PLANNERS, id="procedure"),
    "planning_variant": there(PLANNERS, id="procedure", variant="variant"),
    "planning_layer": there(PLANNERS, id="procedure", layer="layer"),
    "town_layers": for_the_town(PLANNERS),
    "layer": there(PLANNERS, layer="layer"),
    "layer_look": there(PLANNERS, layer="layer"),
    "layer_links": there(PLANNERS, layer="layer"),
    "layer_replace": there(PLANNERS, layer="layer"),
    "layer_file": there(PLANNERS, layer="layer"),
    "layer_import": there(PLANNERS, job="import"),
    "layer_service": for_the_town(PLANNERS),
    "layer_service_change": there(PLANNERS, layer="service"),
    "planning_publish": there(PLANNERS, id="procedure"),
    "planning_release": there(PLANNERS, id="procedure", phase="phase"),
    "planning_announcement": there(PLANNERS, id="procedure", phase="phase"),
    "planning_acts": there(PLANNERS, id="procedure", phase="phase"),
    "planning_proof": there(PLANNERS, id="procedure", phase="phase", act="act"),
    "planning_paper": there(
        PLANNERS, id="procedure", phase="phase", announcement="announcement", paper="paper"
    ),
    "planning_access": there(PLANNERS, id="procedure", phase="phase"),
    "planning_finish": there(PLANNERS, id="procedure"),
    "planning_history": there(PLANNERS, id="procedure"),
    "planning_agencies": there(PLANNERS, id="procedure"),
    "planning_agency": there(PLANNERS, id="procedure", invitation="request"),
    "planning_agencies_export": there(PLANNERS, id="procedure", format="table"),
    "agencies": for_the_town(PLANNERS),
    "agency_new": for_the_town(PLANNERS),
    "agency": for_the_town(PLANNERS, id="agency"),
    "agency_subjects": for_the_town(PLANNERS),
    "agencies_import": for_the_town(PLANNERS),
    "agencies_export": for_the_town(PLANNERS, format="table"),
    "agencies_template": for_the_town(PLANNERS, format="table"),
    # the town and its staff
    "municipalities": open_to(ADMINISTRATORS),
    "municipality": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_basics": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_look": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_preview": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_calendar": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_contact": for_the_town(ADMINISTRATORS, key="town"),
    "municipality_text": for_the_town(ADMINISTRATORS, key="town", name="text"),
    "municipality_new": for_the_town(OPERATORS),
    "staff": for_the_town(ADMINISTRATORS),
    "staff_invite": for_the_town(ADMINISTRATORS),
    "staff_member": for_the_town(ADMINISTRATORS, person_id="colleague"),
    "role_grant": for_the_town(ADMINISTRATORS, person_id="colleague"),
    "role_revoke": for_the_town(ADMINISTRATORS, person_id="colleague", assignment_id="role"),
    "staff_link": for_the_town(ADMINISTRATORS, person_id="colleague"),
    "staff_off": for_the_town(ADMINISTRATORS, person_id="colleague"),
    "staff_on": for_the_town(ADMINISTRATORS, person_id="colleague"),
}

#: Open to a touch table only, by its pass, which no visitor here has.
OF_A_DEVICE = {"table_pass"}

#: These the operator may open for every town from every host, because a new town's own host may not answer yet.
OPERATOR_EVERYWHERE = {name for name, rule in TABLE.items() if rule.names.get("key") == "town"}

#: The same everywhere: a constant, or the visitor's own.
NOT_OF_A_TOWN = {
    "one",
    "two",
    "paper",
    "template",
    "first_file",
    "any",
    "look",
    "step",
    "text",
    "filename",
    "own_session",
    "square",
    "table",
    "ending",
    "zero",
}


# --- the world -------------------------------------------------------------------------------------

AREA = {"type": "Polygon", "coordinates": [[[10.7, 48.3], [10.71, 48.3], [10.71, 48.31], [10.7, 48.3]]]}

HERE, THERE = "auenfurt.localhost", "seebach.localhost"


@dataclass(frozen=True)
class Things:
    """What addresses may name, of one consultation of one town."""

    town: str
    consultation: str
    names: dict[str, object]
    #: The words of its contribution, which is not published.
    secret: str

    def mixed_with(self, other: "Things") -> "Things":
        """An address that begins with this consultation (or colleague, or personal link) and goes on to something of another."""
        firsts = {name: self.names[name] for name in ("slug", "procedure", "colleague", "agency_link")}
        return replace(self, names=other.names | firsts)


@dataclass(frozen=True)
class Visitor:
    """Somebody with at most one role, for a town, for one consultation of it, or (operator) for everything."""

    name: str
    role: Role | None = None
    town: str = ""
    consultation: str = ""
    token: str = ""

    def has(self, rule: Rule, things: Things) -> bool:
        """Whether the table lets them in to these things at their own town's host."""
        if rule.who is EVERYBODY:
            return True
        if rule.reach == "account":
            return bool(self.token)
        if self.role is None or self.role not in rule.who:
            return False
        if self.role is Role.OPERATOR:
            return True
        if self.town != things.town:
            return False
        return {
            "anywhere": True,
            "there": self.consultation in ("", things.consultation),
            "town": self.consultation == "",
        }[rule.reach]

    def reads(self, things: Things) -> bool:
        """Whether they may read the contribution."""
        return self.has(there(READERS), things)


@dataclass(frozen=True)
class Ask:
    """One request of one visitor."""

    method: str
    host: str
    path: str
    visitor: Visitor


@dataclass(frozen=True)
class Answer:
    """What the application sent."""

    status_code: int
    headers: Mapping[str, str]
    text: str


@dataclass
class World:
    """Two towns with two consultations each, everybody who might come, and the application."""

    client: TestClient
    file: Path
    pristine: sqlite3.Connection
    things: dict[tuple[str, str], Things]
    visitors: list[Visitor] = field(default_factory=list)
    _live: sqlite3.Connection = field(init=False)

    @property
    def passers_by(self) -> list[Visitor]:
        """Enough of them for a page that lets in everybody: without a role, with one here, there, and everywhere."""
        names = {"nobody", "moderator of auenfurt", "planner of auenfurt for one consultation"}
        names |= {"clerk of seebach", "operator"}
        return [visitor for visitor in self.visitors if visitor.name in names]

    def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        """One request after the other, each on an untouched database.

        They go straight to the application, all in one visit to its event loop: there are more than ten thousand.
        """

        async def all_of_them() -> list[Answer]:
            return [await self._send(ask) for ask in asks]

        assert self.client.portal is not None
        with closing(sqlite3.connect(self.file, check_same_thread=False)) as self._live:
            return self.client.portal.call(all_of_them)

    async def _send(self, ask: Ask) -> Answer:
        path, _, query = ask.path.partition("?")
        headers = [(b"host", ask.host.encode())]
        if ask.visitor.token:
            headers.append((b"cookie", f"{COOKIE}={ask.visitor.token}".encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": ask.method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": headers, "client": ("127.0.0.1", 50000), "server": (ask.host, 80),
            "state": dict(self.client.app_state),
        }  # fmt: skip
        sent: list[MutableMapping[str, Any]] = []
        body: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            if not body:
                await anyio.sleep_forever()
            return body.pop()

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        before = self._changes()
        await self.client.app(scope, receive, send)
        if self._changes() != before:
            self.pristine.backup(self._live)
        start = next(message for message in sent if message["type"] == "http.response.start")
        return Answer(
            start["status"],
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in sent).decode(errors="replace"),
        )

    def _changes(self) -> int:
        """Another number whenever somebody else has changed the file."""
        found: int = self._live.execute("PRAGMA data_version").fetchone()[0]
        return found


def _consultation(session: Session, town: Town, name: str) -> Procedure:
    key = town.municipality.key
    entered = cast.consultation(key=f"{key}-{name}", title=f"Plan {key} {name}")
    made = procedures.create(
        session, entered, municipality_id=town.id, template_key="development_plan", by=SYSTEM, now=NOW
    )
    publishing.publish(session, made, by=SYSTEM, now=NOW)
    cast.adopt(session, made)
    return made


def _things(
    session: Session,
    town: Town,
    name: str,
    scan: StoredFile,
    files: FileStore,
    *,
    link_key: bytes,
    layer_file: str,
) -> Things:
    procedure = _consultation(session, town, name)
    assert procedure.id is not None
    key = town.municipality.key
    secret = f"Das Geheimnis von {key} {name}"
    file = FileFacts(scan.sha256, "plan.pdf", "application/pdf", scan.size, pages=1, text="Plan")
    version = filing.add_document(
        session, procedure, file, title="Planzeichnung", kind=DocumentKind.PLAN_DRAWING, by=SYSTEM, now=NOW
    )
    procedures.set_plan_area(
        session, procedure, read_geojson_geometry(AREA), by=SYSTEM, now=NOW, note="Gebiet"
    )
    attached = AttachedFile(
        *(scan.sha256, "scan.png", "image/png", scan.size),
        public_sha256=scan.sha256,
        public_media_type="image/png",
    )
    draft, handed_in = drafts.new_secret(), drafts.new_secret()
    contribution = town.hand_in(
        session,
        secret,
        procedure=procedure,
        key=drafts.key_of(handed_in),
        wants_publication=True,
        attachments=(attached,),
    )
    assert contribution.id is not None
    published = town.hand_in(
        session, "Für alle zu lesen", procedure=procedure, wants_publication=True, attachments=(attached,)
    )
    moderation.decide(session, published, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    for token in (draft, handed_in):
        kept = drafts.begin(
            session,
            token,
            municipality_id=town.id,
            procedure_id=procedure.id,
            kind="statement",
            data={},
            now=NOW,
        )
        if token == handed_in:
            drafts.hand_over(session, kept, contribution.id, now=NOW)
    phase = phases_of(session, procedure.id)[0]
    frozen.freeze(session, procedure=procedure, phase=phase, by=SYSTEM, now=NOW)
    certificate = certificates.issue(session, procedure, phase, by=SYSTEM, now=NOW)
    late = town.hand_in(session, "Zu spät", procedure=procedure, now=NOW + timedelta(days=30))
    announced = announcements.save(
        session,
        town.municipality,
        procedure,
        phase,
        Entered(),
        address="https://x.example",
        by=SYSTEM,
        now=NOW,
    )
    announcements.put_online(session, procedure, announced, by=SYSTEM, now=NOW)
    proof = Proof(scan.sha256, "tafel.png", "image/png", scan.size)
    act = announcements.record_act(
        session,
        procedure,
        announced,
        medium=Medium.NOTICE_BOARD,
        day=NOW.date(),
        proof=proof,
        by=SYSTEM,
        now=NOW,
    )
    layer = places.add_layer(
        session,
        Layer(
            municipality_id=town.id,
            procedure_id=procedure.id,
            title="Plan",
            attribution="Stadt",
            original_sha256=scan.sha256,
            normalised_sha256=layer_file,
            is_open=True,
            imported_at=NOW,
        ),
        [],
        by=SYSTEM,
        now=NOW,
    )
    service = places.add_layer(
        session,
        Layer(
            municipality_id=town.id,
            procedure_id=procedure.id,
            title="Luftbild",
            attribution="Amt",
            service={"kind": "xyz", "url": "https://tiles.invalid/{z}/{x}/{y}.png"},
            imported_at=NOW,
        ),
        [],
        by=SYSTEM,
        now=NOW,
    )
    wish = layers_import.LayerWish("Neu", procedure_id=procedure.id, attribution="Amt")
    job = layers_import.leave_kept(
        session, scan.sha256, "neu.gml", wish, municipality_id=town.id, by=SYSTEM, now=NOW
    )
    scape = scapes.build(session, files, procedure, seed=procedure.id, at=(10.707, 48.304))
    letter_id = notices.leave(
        session,
        municipality_id=town.id,
        contribution_id=contribution.id,
        kind="receipt",
        way=NoticeWay.LETTER,
        address="Rosa Muster\nWehrgasse 3\n89999 Auenfurt",
        now=NOW,
    )
    agency, request, link, offer = _asked_agency(session, town, procedure, name, scan, key=link_key)
    session.flush()
    invited, invitation = identity.invite(
        session, name="Neu", email=f"neu-{name}@{key}.example", municipality_id=town.id, by=SYSTEM, now=NOW
    )
    role = people.grant(session, invited, Role.CLERK, municipality_id=town.id, by=SYSTEM, now=NOW)
    names = {
        **_proposed(session, town, procedure, scan, link_key=link_key),
        "slug": procedure.slug,
        "procedure": procedure.id,
        "template": "framework_plan",
        "change": "verlaengern",
        "phase": phases_of(session, procedure.id or 0)[0].id,
        "document": version.document_id,
        "layer": layer.id,
        "model": cityscape.key_of(procedure, {LayerRole.CITY_MODEL: scape.layer}),
        "service": service.id,
        "import": job.id,
        "ending": "fgb",
        "zero": 0,
        "square": scape.square,
        "variant": scape.variants[0].id,
        "announcement": announced.id,
        "act": act.id,
        "paper": "amtsblatt.txt",
        "contribution": contribution.id,
        "late": late.id,
        "certificate": certificate.number,
        "published": published.reference,
        "draft": draft,
        "receipt": handed_in,
        "letter": letter_id,
        "town": key,
        "colleague": invited.id,
        "role": role.id,
        "agency": agency,
        "request": request,
        "invitation": invitation,
        "agency_link": link,
        "agency_offer": offer,
        "table": "csv",
        "provider": f"{key}-provider",
        "filename": "plan.pdf",
        "step": "text",
        "text": "imprint",
        "one": 1,
        "two": 2,
        "first_file": 0,
        "any": "any",
        "look": "light",
    }
    return Things(key, name, names, secret)


def _proposed(
    session: Session, town: Town, procedure: Procedure, scan: StoredFile, *, link_key: bytes
) -> dict[str, object]:
    """A proposal that everybody may read, with an amendment and somebody who was asked to write along."""
    phase = Phase(
        procedure_id=procedure.id or 0, kind=PhaseKind.CO_CREATION.value, position=8, starts_on=cast.STARTS,
        ends_on=cast.ENDS, opens=["proposal", "comment"],
    )  # fmt: skip
    session.add(phase)
    session.flush()
    row = town.hand_in(
        session,
        "Bänke ans Ufer.",
        kind=Kind.PROPOSAL,
        title="Bänke",
        procedure=procedure,
        wants_publication=True,
    )
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    town.keys += 1
    form = Submission(Kind.COMMENT, "web", f"amend-{town.keys}", wants_publication=True)
    wished = AmendmentInput({"what": "Bänke ans andere Ufer."}, 1, "de")
    made = amendments.propose(session, row.id or 0, wished, form, procedure=procedure, by=PUBLIC, now=NOW)
    handed_in = session.get_one(Contribution, made.contribution_id)
    moderation.decide(session, handed_in, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    said = discussion.comment(
        session, row.id or 0, discussion.Stance.FOR,
        Submission(Kind.COMMENT, "web", f"said-{town.keys}", text="Ja, bitte.", wants_publication=True),
        procedure=procedure, by=PUBLIC, now=NOW,
    )  # fmt: skip
    moderation.decide(session, said, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    anew = rewording.reword(session, said.id or 0, "Ja, gern.", base_number=1, by=PUBLIC, now=NOW)
    rewording.show(session, said, anew, by=town.moderator, now=NOW)
    owner = proposing.owner_with_code(session, row)
    asked = proposing.invite(session, row.id or 0, by=PUBLIC, author=owner, now=NOW)
    like = town.hand_in(
        session, "Sitze.", kind=Kind.PROPOSAL, title="Sitze", procedure=procedure, wants_publication=True
    )
    moderation.decide(session, like, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    wish = UnionInput(like.id or 0, row.id or 0, "Beide wünschen Bänke.", {}, 1)
    union = unions.ask(session, wish, by=PUBLIC, author=owner, now=NOW).id
    put = surveys.SurveyInput(
        "Was fehlt?",
        phase.id or 0,
        questions=(Question("1", QuestionKind.TEXT, "Was fehlt?"),),
        counts=Counts.OPENED,
    )
    survey = surveys.save(session, procedure, put, by=SYSTEM, now=NOW)
    surveys.publish(session, survey, note="Umfrage", by=SYSTEM, now=NOW)
    once = drafts.new_secret()
    typed = {"q1": ["Bänke"]}
    survey_answers.answer(
        session, survey, survey_answers.Sheet(drafts.key_of(once), typed, survey.version), by=PUBLIC, now=NOW
    )
    return {
        "union": union,
        **_voted(session, town, procedure, [row.id or 0, like.id or 0]),
        "survey": survey.id,
        "survey_receipt": once,
        "proposal": row.reference,
        "proposal_id": row.id,
        "amendment": made.id,
        "comment": said.reference,
        "comment_id": said.id,
        "amendment_id": handed_in.id,
        "author_link": asked.secret,
        **_seen_through(session, town, row, procedure, scan, link_key=link_key),
    }


def _voted(session: Session, town: Town, procedure: Procedure, ids: Sequence[int]) -> dict[str, object]:
    """A vote that runs, with a batch of paper, and one that was counted."""
    made: list[Vote] = []
    for position in (9, 10):
        phase = Phase(
            procedure_id=procedure.id or 0, kind=PhaseKind.CO_CREATION.value, position=position, starts_on=cast.STARTS,
            ends_on=cast.ENDS, facts={"co_creation": {"opens": ["vote"]}},
        )  # fmt: skip
        session.add(phase)
        session.flush()
        entered = voting.VoteInput("Welche zuerst?", ids, on_paper=True)
        vote = voting.plan(session, procedure, phase, entered, by=town.planner, now=NOW)
        made.append(voting.put_up(session, vote, by=town.planner, now=NOW))
    batch = paper_ballots.open_batch(
        session, made[0], ["?"], received_on=NOW.date(), key=b"", by=town.clerk, now=NOW
    )
    voting.close(session, made[1], by=town.planner, now=NOW + timedelta(days=60))
    return {
        "vote": made[0].id,
        "vote_phase": made[0].phase_id,
        "counted_phase": made[1].phase_id,
        "batch": batch.id,
    }


def _seen_through(
    session: Session,
    town: Town,
    row: Contribution,
    procedure: Procedure,
    scan: StoredFile,
    *,
    link_key: bytes,
) -> dict[str, object]:
    """What belongs to a proposal besides: a sheet with signatures, a decision with a picture, a follower."""
    proposal = proposals.by_contribution(session, row.id or 0)
    assert proposal is not None
    lines = [support_lists.LineInput("Anna Ärmel")]
    sheet = support_lists.enter(session, proposal, lines, received_on=NOW.date(), by=town.clerk, now=NOW)
    entered = implementation.EntryInput(
        implementation.EntryKind.DECISION, "Beschluss", day=NOW.date(), address="https://rat.example/1",
        picture=implementation.Picture(scan.sha256, "image/png", "Ein Ufer"),
    )  # fmt: skip
    built = implementation.tell(session, row.id or 0, entered, by=town.planner, now=NOW)
    target = following.of_procedure(procedure.id or 0)
    facts: dict[str, Any] = {"words": "Ja", "now": NOW}
    follower = following.ask(session, town.id, "anna@post.example", target, **facts)
    token = following.token_of(link_key, follower)
    return {"sheet": sheet.id, "built": built.id, "following": token}


def _asked_agency(
    session: Session, town: Town, procedure: Procedure, name: str, scan: StoredFile, *, key: bytes
) -> tuple[int, int | None, str, str]:
    """An agency that was asked and has answered, with a draft of something more: its id, the request, its link, and the
    secret with which its clerk would open an account."""
    phase = Phase(
        procedure_id=procedure.id or 0, kind=PhaseKind.AGENCIES.value, track="agencies", position=9, starts_on=cast.STARTS
    )  # fmt: skip
    session.add(phase)
    session.flush()
    entered = agencies.AgencyInput(f"Amt {name}", email=f"amt-{name}@{town.municipality.key}.example")
    entry, _ = agencies.save(session, entered, municipality_id=town.id, by=SYSTEM, now=NOW)
    facts: dict[str, Any] = {"by": SYSTEM, "now": NOW}
    invitations.put_on_list(session, phase, procedure, entry, why="", is_proposed=True, **facts)
    seat = Seat.from_data(town.municipality.calendar)
    [row] = invitations.send(session, phase, procedure, due_on=None, seat=seat, key=key, **facts)
    link = session.exec(select(InvitationLink).where(InvitationLink.invitation_id == row.id)).one()
    token = invitations.token_of(key, link)
    holder = agency_answers.holder_of(session, town.id, token)
    assert holder is not None
    agency_answers.no_concerns(session, holder, title="K", text="K", language="de", now=NOW)
    kept = {"sha256": scan.sha256, "filename": "a.png", "media_type": "image/png", "size": scan.size}
    agency_answers.write(session, holder, [], version=0, files=[kept], now=NOW)
    return entry.id, row.id, token, agency_answers.offer_of(key, link)


def _visitors(
    session: Session, towns: dict[str, Town], things: Mapping[tuple[str, str], Things]
) -> Iterator[Visitor]:
    def token(actor_id: int | None) -> str:
        person = session.get(Person, actor_id)
        assert person is not None
        assert person.id is not None
        address = f"{person.id}@example.org"
        identity.create_password_identity(
            session, person, address, "a long enough password", by=SYSTEM, now=NOW
        )
        return identity.sign_in(session, person.id, now=NOW)

    yield Visitor("nobody")
    for key, town in towns.items():
        for role in (Role.CLERK, Role.MODERATOR, Role.PLANNER, Role.ADMINISTRATOR, Role.EVALUATOR):
            actor = town.staff.get(role) or cast.employ(session, town.municipality, role, "Erika")
            yield Visitor(f"{role.value} of {key}", role, key, token=token(actor.person_id))
            procedure_id = things[key, "first"].names["procedure"]
            assert isinstance(procedure_id, int)
            limited = cast.employ(
                session, town.municipality, role, f"Only {role.value}", procedure_id=procedure_id
            )
            name = f"{role.value} of {key} for one consultation"
            yield Visitor(name, role, key, "first", token(limited.person_id))
    operator = Person(name="Olga", email="olga@example.org", created_at=NOW)
    session.add(operator)
    session.flush()
    people.grant(session, operator, Role.OPERATOR, municipality_id=None, by=SYSTEM, now=NOW)
    yield Visitor("operator", Role.OPERATOR, token=token(operator.id))


@pytest.fixture(scope="module")
def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("access")
    file = folder / "digilog.sqlite"
    with databases.sqlite(file) as url:
        # Nobody answers at the providers: who gets as far as that has entered.
        oidc = [
            {
                "key": f"{key}-provider",
                "label": key,
                "issuer": "http://127.0.0.1:9",
                "client_id": "x",
                "municipalities": [key],
            }
            for key in ("auenfurt", "seebach")
        ]
        settings = Settings(
            database_url=url,
            data_dir=folder,
            secret=SecretStr("a secret that only the tests know, and long"),
            in_process_worker=False,
            submissions_per_minute=1_000_000,
            oidc=oidc,
        )
        app = create_app(settings, clock=lambda: NOW)
        scan = app.state.house.files.put(BytesIO(b"%PDF-1.4 a page"))
        engine = make_engine(url)
        shape = shapely.box(625_000, 5_340_000, 625_100, 5_340_100)
        write_normalised(
            geopandas.GeoDataFrame({"name": ["Beet"]}, geometry=[shape], crs=25832), folder / "l.fgb"
        )
        layer_file = app.state.house.files.put(BytesIO((folder / "l.fgb").read_bytes())).sha256
        with unit_of_work(engine, write=True) as session:
            towns = {"auenfurt": cast.found(session), "seebach": cast.found(session, "seebach", "Seebach")}
            things = {
                (key, name): _things(
                    session,
                    town,
                    name,
                    scan,
                    app.state.house.files,
                    link_key=app.state.house.link_key,
                    layer_file=layer_file,
                )
                for key, town in towns.items()
                for name in ("first", "second")
            }
            visitors = list(_visitors(session, towns, things))
        engine.dispose()
        pristine = sqlite3.connect(":memory:", check_same_thread=False)
        with sqlite3.connect(file) as live:
            live.backup(pristine)
        live.close()
        with TestClient(app, follow_redirects=False) as client:
            yield World(client, file, pristine, things, visitors)
        pristine.close()


# --- the walk --------------------------------------------------------------------------------------


def expected(rule: Rule, page: str, method: str, visitor: Visitor, things: Things, town: str) -> str:
    """What the table says of this visitor, asking under the host of `town` for `things`."""
    is_foreign = town != things.town and set(rule.names.values()) - NOT_OF_A_TOWN
    at_home = Things(town, things.consultation, {}, "")
    if is_foreign:
        if visitor.role is Role.OPERATOR and page in OPERATOR_EVERYWHERE:
            return "enters"
        # A role for one consultation carries one through the door of the page, but finds nothing of another town.
        reach = "town" if rule.reach == "town" else "anywhere"
        if visitor.has(Rule(rule.who, reach, {}), at_home):
            return "not here"
    elif visitor.has(rule, things if things.town == town else at_home):
        return "enters"
    return "asked to sign in" if not visitor.token and method == "GET" else "refused"


def said(response: Answer) -> str:
    """What the application did with this visitor."""
    location = response.headers.get("location", "")
    if response.status_code == 303 and re.match(r"/anmelden\?next=", location):
        return "asked to sign in"
    return {403: "refused", 404: "not here", 405: "no such method", 500: "broken"}.get(
        response.status_code, "enters"
    )


def filled(path: str, rule: Rule, named: Mapping[str, object]) -> str:
    """The page's address with the things that the table names."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda slot: str(named[rule.names[slot[1]]]), path)


def test_every_page_is_in_the_table(world: World) -> None:
    assert set(PAGES) - set(TABLE) == set(), "say in the table who may enter these pages"
    assert set(TABLE) - set(PAGES) == set(), "the table speaks of pages that do not exist"


@pytest.mark.parametrize("name", TABLE)
def test_the_page_lets_in_whom_the_table_says(world: World, name: str) -> None:
    page, rule = PAGES[name], TABLE[name]
    first, second, foreign = (
        world.things[key] for key in (("auenfurt", "first"), ("auenfurt", "second"), ("seebach", "first"))
    )
    asked = [(HERE, "auenfurt", first, "enters")]
    things_named = set(rule.names.values()) - NOT_OF_A_TOWN
    if things_named:
        asked += [(HERE, "auenfurt", second, "enters"), (THERE, "seebach", first, "enters")]
    if len(things_named) > 1 and "draft" not in things_named:  # The secret alone opens a draft of the town.
        asked += [(HERE, "auenfurt", first.mixed_with(other), "not here") for other in (second, foreign)]
    if name in OF_A_DEVICE:
        asked = [(host, town, things, "not here") for host, town, things, _ in asked]
    asks, judged = [], []
    for host, town, things, who_may in asked:
        for number, visitor in enumerate(world.visitors if rule.who is not EVERYBODY else world.passers_by):
            named = things.names | {"own_session": identity.id_of_token(visitor.token)}
            path = filled(page.path, rule, named)
            for method in page.methods:
                should = expected(rule, name, method, visitor, things, town)
                # Every second one comes from a form that was saved: the page tells so, and nothing else is another.
                saved = "?gespeichert=1" if method == "GET" and number % 2 else ""
                asks.append(Ask(method, host, path + saved, visitor))
                judged.append(who_may if should == "enters" else should)
    wrong: dict[str, list[str]] = {}
    for ask, should, answer in zip(asks, judged, world.ask(asks), strict=True):
        what = f"{ask.method} {ask.host}{ask.path}"
        if (did := said(answer)) != should:
            wrong.setdefault(f"{what}: “{did}”, should be “{should}”", []).append(ask.visitor.name)
        if "receipt" not in rule.names.values():  # Whoever has that secret reads what it opens.
            for other in world.things.values():
                if other.secret in answer.text and not ask.visitor.reads(other):
                    wrong.setdefault(f"{what} shows “{other.secret}”", []).append(ask.visitor.name)
    assert not wrong, "".join(f"\n{what}: {', '.join(names)}" for what, names in wrong.items())


def test_the_walk_would_notice_a_leak(world: World) -> None:
    """The register shows the words of contributions: each reader's own, and of those all."""
    answers = world.ask([Ask("GET", HERE, "/verwaltung/eingangsbuch", visitor) for visitor in world.visitors])
    for visitor, response in zip(world.visitors, answers, strict=True):
        shown = {key for key, things in world.things.items() if things.secret in response.text}
        own = {
            key for key, things in world.things.items() if things.town == "auenfurt" and visitor.reads(things)
        }
        assert shown == own, visitor.name
        assert own or visitor.role not in READERS or visitor.town == "seebach"
