"""A touch table in the town hall: one consultation on a screen for everybody, that begins anew after each visitor.

A planner makes a device the table of a consultation for the days of an event, and is signed out there. What comes from
it comes from a public terminal (`channels.TERMINAL`), by the same forms and the same door as everything else.

A cookie could be copied, so it is a pass of a few minutes only. The table gets a new one by signing a question of this
server with a key that its browser made and does not hand out (static/js/kiosk.js); with each use the row of the table is
asked whether it still is one (`consultations.terminals`). The screen's own behaviour (large targets, beginning anew,
printing) is in the same script; whoever begins anew also ends what the visitor before left open.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response
from wtforms import Form, HiddenField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from consultations import channels, nesting, terminals
from consultations.channels import Channel
from consultations.drafts import Draft
from consultations.permissions import Permission
from consultations.places import LayerRole
from consultations.procedures import Procedure, localised
from consultations.refusals import Refusal
from consultations.terminals import Terminal
from participation import cityscape, i18n, identity
from participation.identity import COOKIE
from participation.messages import STATUS
from participation.pages.contributions_list import open_procedure
from participation.pages.map_plan import Way, ways_of
from participation.pages.planning_forms import Head, day_field, head_of, planned
from participation.pages.shown_variants import groups_here
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

TABLE_COOKIE = "digilog_table"
SINCE_COOKIE = "digilog_table_since"
#: How long a pass is good for, how long the question for the next one, and after how many seconds the table asks.
PASS, QUESTION, RENEWS_AFTER = timedelta(minutes=10), timedelta(minutes=2), 240
#: Seconds without a touch after which the screen asks, and then begins anew.
ASKS_AFTER, BEGINS_AFTER = 90, 30


@dataclass(frozen=True)
class TablePage:
    """The first screen of a table: what one can do here."""

    title: str
    slug: str
    teaser: str
    city_url: str
    sunlight_url: str
    #: Where variants are compared, if there are any.
    compare_url: str
    map_url: str
    list_url: str
    ways: tuple[Way, ...]
    variants: int
    #: What the script of the table knows, as JSON.
    settings: str


class SetUpForm(Form):
    """A device that becomes a table: where it stands, and on which days."""

    title = StringField(
        N_("Where does the table stand?"),
        [DataRequired(N_("Please say where it stands, such as: town hall, foyer.")), Length(max=120)],
    )
    starts_on = day_field(N_("First day"), InputRequired(N_("Please enter a day.")))
    ends_on = day_field(N_("Last day"), InputRequired(N_("Please enter a day.")))
    #: Its public key, from static/js/table-key.js.
    key = HiddenField()


@dataclass(frozen=True)
class TableLine:
    """A table of the consultation. `state`: kind and words of a status tag."""

    id: int
    title: str
    state: tuple[str, str]
    facts: tuple[str, ...]
    can_end: bool


@dataclass(frozen=True)
class SetUpPage:
    """How a device becomes a table, which ones there are, and how they end."""

    head: Head
    #: Whether this device is one already.
    is_table: bool
    table_url: str
    tables: tuple[TableLine, ...]
    minutes: int


# --- what a device shows ---------------------------------------------------------------------------


def _seal(visit: Visit, *words: object) -> str:
    """These words, and a mark that only this server makes of them in this town."""
    said = ".".join(str(word) for word in words)
    whole = f"table {visit.municipality_id}.{said}"
    return f"{said}.{hmac.new(visit.house.link_key, whole.encode(), hashlib.sha256).hexdigest()}"


def _sealed(visit: Visit, text: str, kind: str) -> tuple[int, int] | None:
    """The table and the second until which it counts, of words that were sealed here; None for any other words."""
    words = text[:300].split(".")
    if len(words) < 4 or words[0] != kind or not (_is_number(words[1]) and _is_number(words[2])):
        return None
    if not hmac.compare_digest(text.encode(), _seal(visit, *words[:-1]).encode()):
        return None
    return int(words[1]), int(words[2])


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 12


def _terminal_here(visit: Visit) -> tuple[Terminal | None, bool]:
    """The table that this device was made, if any, and whether its pass still counts."""
    found = _sealed(visit, visit.request.cookies.get(TABLE_COOKIE, ""), "pass")
    if found is None:
        return None, False
    number, until = found
    return terminals.by_id(visit.session, visit.municipality_id, number), until > visit.now.timestamp()


def _give_pass(visit: Visit, row: Terminal) -> None:
    until = int((visit.now + PASS).timestamp())
    # The cookie stays longer than what it says counts: it tells a table that slept who it is.
    days = (row.ends_on - visit.today).days + 1
    visit.set_cookie(TABLE_COOKIE, _seal(visit, "pass", row.id, until), max_age=days * 86_400)


def channel_of(visit: Visit, procedure: Procedure) -> Channel:
    """By which channel something comes that is handed in with the public form."""
    row, counts = _terminal_here(visit)
    if row is None or not counts or not terminals.is_on(row, visit.now) or not _is_for(visit, row, procedure):
        return channels.WEB
    return channels.TERMINAL


def _is_for(visit: Visit, row: Terminal, procedure: Procedure) -> bool:
    """Whether a table is that of a consultation, or of an area that it is a part of: what is said of a planned building
    goes from the picture of the area to the part."""
    if row.procedure_id == procedure.id:
        return True
    return row.procedure_id in {each.id for each in nesting.above(visit.session, procedure)}


def is_over(visit: Visit, draft: Draft) -> bool:
    """Whether a draft belongs to somebody who has left this table: the next one is not to see it."""
    return was_left(visit, draft.created_at)


def was_left(visit: Visit, began: datetime) -> bool:
    """Whether what began at this moment is of somebody who has left this table meanwhile."""
    since = visit.request.cookies.get(SINCE_COOKIE, "")
    return _is_number(since) and began < datetime.fromtimestamp(int(since), UTC)


@page("/beteiligungen/{slug}/tisch", name="table", may=Permission.READ_PUBLIC)
def table(visit: Visit) -> Response:
    """The first screen. Coming here ends what was left open on a table (`TABLE_COOKIE`)."""
    procedure = open_procedure(visit)
    row, _ = _terminal_here(visit)
    is_here = row is not None and row.procedure_id == procedure.id
    if is_here:
        _forget(visit)
        kept = int(terminals.LONGEST.total_seconds())
        visit.set_cookie(SINCE_COOKIE, str(int(visit.now.timestamp())), max_age=kept)
    slug = procedure.slug
    has_city = procedure.plan_area is not None and (
        LayerRole.CITY_MODEL in cityscape.layers_in_force(visit.session, procedure)
    )
    groups = groups_here(visit, procedure)[0] if procedure.plan_area is not None else ()
    settings = {
        "start": visit.url("table", slug=slug),
        "script": visit.static("js/kiosk.js"),
        "style": visit.static("css/kiosk.css"),
        "asksAfter": ASKS_AFTER,
        "beginsAfter": BEGINS_AFTER,
        # Only a device that was made a table asks for passes; others just look at its first screen.
        "pass": visit.url("table_pass", slug=slug) if is_here else "",
        "renewsAfter": RENEWS_AFTER,
        "words": {name: visit.gettext(text) for name, text in _WORDS.items()},
    }
    return visit.render(
        "kiosk/table.html",
        TablePage(
            title=localised(procedure, visit.language, "title"),
            slug=slug,
            teaser=localised(procedure, visit.language, "summary"),
            city_url=visit.url("city", slug=slug) if has_city else "",
            sunlight_url=visit.url("sunlight", slug=slug) if has_city else "",
            compare_url=visit.url("compare", slug=slug) if groups else "",
            map_url=visit.url("hearing_map", slug=slug),
            list_url=visit.url("contributions_list", slug=slug),
            ways=ways_of(visit, procedure),
            variants=sum(len(group.rows) for group in groups),
            settings=json.dumps(settings, ensure_ascii=False),
        ),
    )


def _forget(visit: Visit) -> None:
    """Let the browser forget whatever the visitor before left in it: who is signed in, a contribution or a proposal opened
    with a code, what was supported. Only that it is a table stays."""
    for name in visit.request.cookies.keys() - {TABLE_COOKIE, SINCE_COOKIE}:
        if name.startswith("digilog_") and name.isidentifier() and name.isascii():
            visit.set_cookie(name, "", max_age=0)


_WORDS = {
    "still": N_("Are you still there?"),
    "soon": N_("In {} seconds everything begins anew for the next visitor, and what was not sent is gone."),
    "stay": N_("Yes, go on"),
    "anew": N_("Begin anew"),
    "print": N_("Print the receipt"),
    "over": N_("This device is a touch table no longer. You can go on; what you send counts as sent online."),
}


# --- the pass --------------------------------------------------------------------------------------


@page(
    "/beteiligungen/{slug}/tisch/ausweis",
    name="table_pass",
    may=Permission.READ_PUBLIC,
    methods=("GET", "POST"),
)
def table_pass(visit: Visit) -> Response:
    """A question for the table, and for its answer, signed with the key of the device, a new pass.

    The question is empty until the first day. 404 for what is no table of this consultation, 410 for one that is over, 403 for a wrong answer.
    """
    procedure = open_procedure(visit)
    row, _ = _terminal_here(visit)
    if row is None or row.procedure_id != procedure.id:
        visit.not_found()
    if not terminals.is_on(row, visit.now):
        # Set up the evening before, it has nothing to prove yet.
        comes = row.ended_at is None and visit.today < row.starts_on
        return JSONResponse({"question": ""}) if comes else JSONResponse({"over": True}, 410)
    if not visit.is_post:
        until = int((visit.now + QUESTION).timestamp())
        return JSONResponse({"question": _seal(visit, "question", row.id, until, secrets.token_hex(16))})
    question = str(visit.form_data.get("question", ""))
    asked = _sealed(visit, question, "question")
    if (
        asked is None
        or asked[0] != row.id
        or asked[1] <= visit.now.timestamp()
        or not _has_signed(row.public_key, question, str(visit.form_data.get("signature", "")))
    ):
        return JSONResponse({"over": False}, 403)
    terminals.seen(visit.session, row, now=visit.now)
    _give_pass(visit, row)
    return JSONResponse({"over": False})


def _read_key(public_key: str) -> bytes | None:
    """The key as octets if it is one on the curve P-256, else None."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        octets = base64.b64decode(public_key, validate=True)
        key = serialization.load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return octets if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" else None


def _has_signed(public_key: str, text: str, signature: str) -> bool:
    """Whether the signature (r and s one after the other, base64, as browsers make it) is of this text and key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    try:
        octets = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    key = serialization.load_der_public_key(_read_key(public_key) or b"")
    if len(octets) != 64 or not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    pair = utils.encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    try:
        key.verify(pair, text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


# --- setting it up ---------------------------------------------------------------------------------


@page(
    "/verwaltung/planung/{id:int}/tisch", name="planning_table", may=Permission.PLAN, methods=("GET", "POST")
)
def set_up(visit: Visit) -> Response:
    """Make this device the table of a consultation (`do=begin`), or an ordinary one again (`do=end`), or end another
    table (`do=end-<number>`)."""
    procedure = planned(visit)
    form = visit.form(SetUpForm, starts_on=visit.today, ends_on=visit.today)
    if not visit.is_post:
        return _show_set_up(visit, procedure, form)
    asked = str(visit.form_data.get("do", ""))
    if asked == "begin":
        return _begin(visit, procedure, form)
    row, _ = _terminal_here(visit)
    if asked == "end":
        for name in (TABLE_COOKIE, SINCE_COOKIE):
            visit.set_cookie(name, "", max_age=0)
    else:
        number = row_number(asked.removeprefix("end-")) or 0
        row = terminals.by_id(visit.session, visit.municipality_id, number)
    if row is not None and row.procedure_id == procedure.id:
        terminals.end(visit.session, procedure, row, by=visit.by, now=visit.now)
    return visit.redirect("planning_table", id=procedure.id, gespeichert=1)


def _begin(visit: Visit, procedure: Procedure, form: SetUpForm) -> Response:
    if not form.validate():
        return _show_set_up(visit, procedure, form, status=422)
    key = form.key.data or ""
    if _read_key(key[:1000]) is None:
        no_key = N_(
            "This browser made no key for the table. It needs JavaScript and an encrypted address (https), and must not "
            "be in private mode."
        )
        form.form_errors.append(visit.gettext(no_key))
        return _show_set_up(visit, procedure, form, status=422)
    try:
        row = terminals.set_up(
            visit.session,
            procedure,
            title=form.title.data or "",
            public_key=key,
            starts_on=form.starts_on.data,
            ends_on=form.ends_on.data,
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show_set_up(visit, procedure, form, status=STATUS.get(refusal.code, 422))
    _give_pass(visit, row)
    # Nobody who touches the table is to find a planner signed in.
    identity.sign_out(visit.session, visit.request.cookies.get(COOKIE, ""), now=visit.now)
    visit.set_cookie(COOKIE, "", max_age=0)
    return visit.redirect("table", slug=procedure.slug)


def _show_set_up(visit: Visit, procedure: Procedure, form: SetUpForm, *, status: int = 200) -> Response:
    row, _ = _terminal_here(visit)
    content = SetUpPage(
        head_of(visit, procedure),
        row is not None and row.procedure_id == procedure.id and terminals.is_on(row, visit.now),
        visit.url("table", slug=procedure.slug),
        tuple(_line(visit, each) for each in terminals.terminals_of(visit.session, procedure.id or 0)),
        int(PASS.total_seconds()) // 60,
    )
    return visit.render("kiosk/set_up.html", content, status=status, form=form)


def _line(visit: Visit, row: Terminal) -> TableLine:
    """A table in words."""
    language = visit.language
    is_over = row.ended_at is not None or row.ends_on < visit.today
    state = (
        ("done", N_("Over"))
        if is_over
        else ("open", N_("Stands"))
        if row.starts_on <= visit.today
        else ("soon", N_("Begins later"))
    )
    facts = [
        visit.gettext(
            "%(first)s to %(last)s",
            first=i18n.date_short(row.starts_on, language),
            last=i18n.date_short(row.ends_on, language),
        ),
        visit.gettext("last heard of: %(moment)s", moment=i18n.datetime_long(row.seen_at, language)),
    ]
    if row.ended_at is not None:
        facts.append(visit.gettext("ended: %(moment)s", moment=i18n.datetime_long(row.ended_at, language)))
    return TableLine(row.id or 0, row.title, (state[0], visit.gettext(state[1])), tuple(facts), not is_over)
