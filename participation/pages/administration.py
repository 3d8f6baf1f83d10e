"""A town's own row: its addresses, its look, its holidays, how to reach it, and the texts it answers for."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from wtforms import (
    ColorField,
    EmailField,
    FloatField,
    Form,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import Field, SelectChoice
from wtforms.validators import Email, InputRequired, Length, Optional, Regexp, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget, TextInput

from consultations import municipalities
from consultations.municipalities import Municipality, MunicipalityInput
from consultations.permissions import Permission, may
from consultations.refusals import Code, Refusal
from consultations.seats import ClosingDay, SchoolHolidays, Seat
from participation import i18n
from participation.settings import LANGUAGES
from participation.shared_pages import host_of
from participation.theme import TOKENS, ThemeRefused, theme_css
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

SHORT, LONG = 300, 100_000


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _line(label: str, *checks: Any, limit: int = SHORT) -> StringField:
    return StringField(label, [*checks, Length(max=limit)], filters=[_stripped])


# --- which town ------------------------------------------------------------------------------------


def _target(visit: Visit) -> Municipality:
    """The municipality that the address names: one's own, or for the operator any.

    Raises Refusal NOT_ALLOWED (an administrator for one procedure only is none for the town), NOT_FOUND.
    """
    if not may(visit.by, Permission.ADMINISTER, municipality_id=visit.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    key = visit.request.path_params["key"]
    if key == visit.municipality_row.key:
        return visit.municipality_row
    row = municipalities.by_key(visit.session, key) if visit.may(Permission.OPERATE) else None
    return row or visit.not_found()


def _as_entered(visit: Visit, row: Municipality) -> MunicipalityInput:
    assert row.id is not None
    return MunicipalityInput(
        key=row.key,
        name=row.name,
        hosts=tuple(municipalities.hosts_of(visit.session, row.id)),
        authority=row.authority,
        ags=row.ags,
        languages=tuple(row.languages),
        calendar=dict(row.calendar),
        theme=dict(row.theme),
        contact=dict(row.contact),
        legal_texts=dict(row.legal_texts),
        bounds=tuple(row.bounds),
    )


def _save(visit: Visit, row: Municipality, **changes: Any) -> None:
    entered = replace(_as_entered(visit, row), **changes)
    municipalities.save(visit.session, entered, by=visit.by, now=visit.now, municipality=row)


@dataclass(frozen=True)
class Section:
    """One page of a town's settings: the town's key and name, and the form."""

    key: str
    town: str
    form: Form
    extra: Any = None


def _section(
    visit: Visit,
    template: str,
    row: Municipality,
    form: Form,
    changes: Callable[[], dict[str, Any]],
    extra: Callable[[], Any] = lambda: None,
) -> Response:
    """Show a section's form, or save what was sent and go back to the overview."""
    key, town = row.key, row.name
    if visit.is_post and form.validate():
        try:
            _save(visit, row, **changes())
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("municipality", key=key, done="saved")
    shown = Section(key, town, form, extra())
    return visit.render(f"administration/{template}.html", shown, status=422 if visit.is_post else 200)


# --- overview --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TownLine:
    """A town in the list."""

    name: str
    url: str
    hosts: str


@dataclass(frozen=True)
class Towns:
    """The towns of this installation, and whether one may add another."""

    towns: tuple[TownLine, ...]
    may_add: bool


@page("/verwaltung/kommunen", name="municipalities", may=Permission.ADMINISTER)
def towns(visit: Visit) -> Response:
    """All towns for the operator; an administrator goes straight to their own."""
    if not visit.may(Permission.OPERATE):
        return visit.redirect("municipality", key=visit.municipality_row.key)
    lines = tuple(
        TownLine(
            row.name,
            visit.url("municipality", key=row.key),
            ", ".join(municipalities.hosts_of(visit.session, row.id or 0)),
        )
        for row in municipalities.every(visit.session)
    )
    return visit.render("administration/towns.html", Towns(lines, may_add=True))


@dataclass(frozen=True)
class TownPage:
    """A town's settings at a glance: (term, value, address to change it) each; texts by name; what was just done."""

    name: str
    rows: tuple[tuple[str, str, str, str], ...]
    texts: tuple[tuple[str, str, str, str], ...]
    saved: bool


@page("/verwaltung/kommunen/{key}", name="municipality", may=Permission.ADMINISTER)
def town(visit: Visit) -> Response:
    """What is set, with a link to change each part."""
    row = _target(visit)

    def change(section: str, /, **more: str) -> str:
        return visit.url(f"municipality_{section}", key=row.key, **more)

    _ = visit.gettext
    contact = [str(row.contact.get(name, "")) for name in ("office", "street", "phone", "email")]
    chosen = {**TOKENS, **row.theme}
    seat = Seat.from_data(row.calendar)
    missing = _("not given yet")
    rows = (
        (_("Name"), row.name, change("basics"), ""),
        (_("Authority"), row.authority or missing, change("basics"), ""),
        (_("Host names"), "\n".join(_as_entered(visit, row).hosts), change("basics"), ""),
        (
            _("Languages"),
            ", ".join(LANGUAGES.get(code, code) for code in row.languages),
            change("basics"),
            "",
        ),
        (_("Look"), ", ".join(chosen[name] for name in ("brand", "accent", "paper")), change("look"), ""),
        (_("Holidays"), _seat_words(visit, seat), change("calendar"), ""),
        (
            _("Ways to reach the town"),
            "\n".join(line for line in contact if line) or missing,
            change("contact"),
            "",
        ),
    )
    texts = tuple(
        (
            _(title),
            ", ".join(
                LANGUAGES.get(code, code) for code, text in row.legal_texts.get(name, {}).items() if text
            )
            or missing,
            change("text", name=name),
            "",
        )
        for name, title in TEXTS.items()
    )
    saved = visit.request.query_params.get("done") == "saved"
    return visit.render("administration/town.html", TownPage(row.name, rows, texts, saved))


# --- name, hosts -----------------------------------------------------------------------------------

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def _hosts(form: Form, field: Field) -> None:
    wrong = [host for host in _lines(field.data) if not _HOST.fullmatch(host.lower())]
    if wrong:
        message = form.meta.gettext(
            "“%(name)s” is no host name. Write it like beteiligung.example.org, without https://"
        )
        raise ValidationError(message % {"name": wrong[0]})


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


class DegreesField(FloatField):
    """A number of degrees, with a decimal point or a decimal comma."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data: float | None = None
        super().process_formdata([value.replace(",", ".") for value in valuelist if value.strip()])


class BasicsForm(Form):
    """Name, authority, addresses."""

    name = _line(N_("Name"), InputRequired(N_("Please enter the name of the town.")))
    authority = _line(N_("Authority, as letters name it"))
    ags = _line(
        N_("Official municipality key"),
        Optional(),
        Regexp(r"\d{8}$", message=N_("The official municipality key has eight digits.")),
    )
    hosts = TextAreaField(
        N_("Host names"), [InputRequired(N_("Please enter at least one host name.")), _hosts]
    )
    languages = SelectMultipleField(
        N_("Languages"),
        [InputRequired(N_("Please choose at least one language."))],
        choices=[SelectChoice(code, name) for code, name in LANGUAGES.items()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    west = DegreesField(N_("West"), [Optional()])
    south = DegreesField(N_("South"), [Optional()])
    east = DegreesField(N_("East"), [Optional()])
    north = DegreesField(N_("North"), [Optional()])

    def validate_west(self, field: Field) -> None:
        """The four sides make one box in or near Germany, or none is given."""
        sides = self.sides()
        if not sides and all(side.data is None for side in (self.west, self.south, self.east, self.north)):
            return
        if not sides or not (5 <= sides[0] < sides[2] <= 16 and 47 <= sides[1] < sides[3] <= 56):
            raise ValidationError(
                self.meta.gettext(
                    "Please give all four sides, in degrees within Germany: longitude 5 to 16, latitude 47 to 56."
                )
            )

    def sides(self) -> tuple[float, ...]:
        """West, south, east, north; empty if one is missing."""
        given = [
            side.data for side in (self.west, self.south, self.east, self.north) if side.data is not None
        ]
        return tuple(given) if len(given) == 4 else ()


@page(
    "/verwaltung/kommunen/{key}/angaben",
    name="municipality_basics",
    may=Permission.ADMINISTER,
    methods=("GET", "POST"),
)
def basics(visit: Visit) -> Response:
    """Name, authority, host names, languages, extent of the map."""
    row = _target(visit)
    west, south, east, north = row.bounds if len(row.bounds) == 4 else (None,) * 4
    known = _as_entered(visit, row)
    form = visit.form(
        BasicsForm,
        **{**asdict(known), "hosts": "\n".join(known.hosts), "languages": list(known.languages)},
        west=west,
        south=south,
        east=east,
        north=north,
    )

    def changes() -> dict[str, Any]:
        hosts = tuple(host.lower() for host in _lines(form.hosts.data))
        if (
            row is visit.municipality_row
            and host_of(visit.request) in known.hosts
            and host_of(visit.request) not in hosts
        ):
            raise Refusal(Code.OWN_HOST, "hosts", name=host_of(visit.request))
        return {
            "name": form.name.data,
            "authority": form.authority.data,
            "ags": form.ags.data,
            "hosts": hosts,
            "languages": tuple(code for code in LANGUAGES if code in form.languages.data),
            "bounds": form.sides(),
        }

    return _section(visit, "basics", row, form, changes)


class NewTownForm(Form):
    """The least that a new town needs."""

    name = _line(N_("Name"), InputRequired(N_("Please enter the name of the town.")))
    key = _line(
        N_("Key"),
        InputRequired(N_("Please enter a key.")),
        Regexp(f"{municipalities.KEY_PATTERN}$", message=N_("Please use small letters, digits and hyphens.")),
    )
    hosts = TextAreaField(
        N_("Host names"), [InputRequired(N_("Please enter at least one host name.")), _hosts]
    )


@page("/verwaltung/neue-kommune", name="municipality_new", may=Permission.OPERATE, methods=("GET", "POST"))
def new_town(visit: Visit) -> Response:
    """Another town on this installation."""
    form = visit.form(NewTownForm)
    if visit.is_post and form.validate():
        entered = MunicipalityInput(form.key.data, form.name.data, _lines(form.hosts.data))
        try:
            municipalities.save(visit.session, entered, by=visit.by, now=visit.now)
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("municipality", key=entered.key, done="saved")
    shown = Section("", "", form)
    return visit.render("administration/new_town.html", shown, status=422 if visit.is_post else 200)


# --- look ------------------------------------------------------------------------------------------


class LookForm(Form):
    """The tokens of a town's look."""

    brand = ColorField(N_("The town's colour"))
    accent = ColorField(N_("Second colour"))
    paper = ColorField(N_("Background"))
    corners = RadioField(
        N_("Corners"),
        choices=[
            SelectChoice("square", N_("Square")),
            SelectChoice("soft", N_("Soft")),
            SelectChoice("round", N_("Round")),
        ],
    )
    logo = _line(N_("Logo"))

    def tokens(self) -> dict[str, str]:
        """What differs from the usual."""
        return {name: value for name, value in self.data.items() if value and value != TOKENS[name]}


_LOOK_REFUSALS = {
    "format": N_("Please write a colour like #1d5661, with # and six digits or letters from a to f."),
    "choice": N_("Please choose one of these."),
    "contrast": N_(
        "With this colour texts are hard to read: contrast %(ratio)s to 1, needed are %(needed)s to 1."
    ),
    "logo": N_("Please write the path of a picture on this site, like /static/logo.svg."),
}


def _look_refusal(visit: Visit, refused: ThemeRefused) -> str:
    kind = "logo" if refused.token == "logo" else refused.reason
    return visit.gettext(
        _LOOK_REFUSALS[kind],
        ratio=i18n.number(round(refused.ratio or 0.0, 1), visit.language),
        needed=i18n.number(refused.needed or 0.0, visit.language),
    )


@page(
    "/verwaltung/kommunen/{key}/aussehen",
    name="municipality_look",
    may=Permission.ADMINISTER,
    methods=("GET", "POST"),
)
def look(visit: Visit) -> Response:
    """Colours, corners and logo; a choice that would make texts hard to read is refused with what was measured."""
    row = _target(visit)
    form = visit.form(LookForm, **{**TOKENS, **row.theme})
    preview = ""
    if visit.is_post:
        try:
            theme_css(form.tokens())
        except ThemeRefused as refused:
            field = form._fields[refused.token]
            field.errors = [*field.errors, _look_refusal(visit, refused)]
            if refused.reason == "format" and isinstance(field, ColorField):
                field.data = {**TOKENS, **row.theme}[refused.token]  # a colour field can show colours only
        else:
            preview = visit.url("municipality_preview", key=row.key, **form.tokens())
            if "preview" not in visit.form_data:
                _save(visit, row, theme=form.tokens())
                return visit.redirect("municipality", key=row.key, done="saved")
    shown = Section(row.key, row.name, form, preview)
    return visit.render("administration/look.html", shown, status=422 if form.errors else 200)


@page("/verwaltung/kommunen/{key}/aussehen.css", name="municipality_preview", may=Permission.ADMINISTER)
def look_preview(visit: Visit) -> Response:
    """The style sheet for tokens in the address; for refused ones what is wrong, for the page's script."""
    _target(visit)
    form = visit.form(LookForm)
    try:
        return Response(theme_css(form.tokens()), media_type="text/css")
    except ThemeRefused as refused:
        return JSONResponse(
            {"field": refused.token, "message": _look_refusal(visit, refused)}, status_code=422
        )


# --- holidays --------------------------------------------------------------------------------------

STATES = {
    "BW": "Baden-Württemberg",
    "BY": "Bayern",
    "BE": "Berlin",
    "BB": "Brandenburg",
    "HB": "Bremen",
    "HH": "Hamburg",
    "HE": "Hessen",
    "MV": "Mecklenburg-Vorpommern",
    "NI": "Niedersachsen",
    "NW": "Nordrhein-Westfalen",
    "RP": "Rheinland-Pfalz",
    "SL": "Saarland",
    "SN": "Sachsen",
    "ST": "Sachsen-Anhalt",
    "SH": "Schleswig-Holstein",
    "TH": "Thüringen",
}

_GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def read_closing_days(text: str) -> tuple[ClosingDay, ...]:
    """Days with their reasons, one a line: "24.12.2027 Heiligabend" or "2027-12-24 Heiligabend".

    Raises ValueError with the number of the line that is no such thing.
    """
    days = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        written, _, name = line.strip().partition(" ")
        german = _GERMAN_DAY.fullmatch(written)
        try:
            day = (
                date(int(german[3]), int(german[2]), int(german[1]))
                if german
                else date.fromisoformat(written)
            )
        except ValueError as problem:
            raise ValueError(number) from problem
        days.append(ClosingDay(day, name.strip()))
    return tuple(sorted(days, key=lambda closing: closing.day))


def read_school_holidays(text: str) -> tuple[SchoolHolidays, ...]:
    """School holidays, one a line: "02.08.2027 - 13.09.2027 Sommerferien".

    Raises ValueError with the number of the line that is no such thing.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _SCHOOL_HOLIDAYS.fullmatch(line.strip())
        days = read_closing_days(f"{match[1]}\n{match[2]}") if match else ()
        if match is None or len(days) < 2 or days[0].day == days[1].day:
            raise ValueError(number)
        found.append(SchoolHolidays(days[0].day, days[1].day, match[3].strip()))
    return tuple(sorted(found, key=lambda each: each.first))


_SCHOOL_HOLIDAYS = re.compile(r"([\d.]+)\s*(?:-|–|bis)\s*([\d.]+)\s*(.*)")


def _school_holidays(form: Form, field: Field) -> None:
    try:
        read_school_holidays(field.data or "")
    except ValueError as problem:
        message = form.meta.gettext("Line %(number)s is not like 02.08.2027 - 13.09.2027 Sommerferien.")
        raise ValidationError(message % {"number": problem.args[0]}) from problem


def _closing_days(form: Form, field: Field) -> None:
    try:
        read_closing_days(field.data or "")
    except ValueError as problem:
        message = form.meta.gettext("Line %(number)s does not begin with a day like 24.12.2027.")
        raise ValidationError(message % {"number": problem.args[0]}) from problem


class CalendarForm(Form):
    """Which days are working days at the seat of the authority."""

    subdivision = SelectField(N_("Holidays of"), choices=[])
    catholic = SelectMultipleField(
        N_("Further holidays"),
        choices=[
            SelectChoice(
                "catholic", N_("Holidays in places with a Catholic majority (such as 15 August in Bavaria)")
            )
        ],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    closing_days = TextAreaField(N_("Days on which the office is closed"), [_closing_days, Length(max=LONG)])
    school_holidays = TextAreaField(N_("School holidays"), [_school_holidays, Length(max=LONG)])


def _subdivisions() -> list[SelectChoice]:
    """The states, and the places that the library of holidays knows for their own ones."""
    from holidays import country_holidays

    places = [name for name in country_holidays("DE").subdivisions if name not in STATES]
    return [SelectChoice(code, name) for code, name in STATES.items()] + [
        SelectChoice(name, name) for name in places
    ]


def _seat_words(visit: Visit, seat: Seat) -> str:
    words = STATES.get(seat.subdivision or "", seat.subdivision or visit.gettext("only those of all Germany"))
    more = visit.gettext("with Catholic holidays")
    return f"{words}, {more}" if "catholic" in seat.categories else words


@page(
    "/verwaltung/kommunen/{key}/feiertage",
    name="municipality_calendar",
    may=Permission.ADMINISTER,
    methods=("GET", "POST"),
)
def calendar(visit: Visit) -> Response:
    """The holidays at the seat decide when a period ends (§193 BGB, §31(3) VwVfG); closing days are only told."""
    row = _target(visit)
    seat = Seat.from_data(row.calendar)
    form = visit.form(
        CalendarForm,
        subdivision=seat.subdivision or "BY",
        catholic=[name for name in seat.categories if name != "public"],
        closing_days="\n".join(
            f"{closing.day:%d.%m.%Y} {closing.name}".strip() for closing in seat.closing_days
        ),
        school_holidays="\n".join(
            f"{each.first:%d.%m.%Y} - {each.last:%d.%m.%Y} {each.name}".strip()
            for each in seat.school_holidays
        ),
    )
    form.subdivision.choices = _subdivisions()

    def changes() -> dict[str, Any]:
        closing = [
            {"day": each.day.isoformat(), "name": each.name}
            for each in read_closing_days(form.closing_days.data or "")
        ]
        categories = ["public", *form.catholic.data]
        school = [
            {"from": each.first.isoformat(), "to": each.last.isoformat(), "name": each.name}
            for each in read_school_holidays(form.school_holidays.data or "")
        ]
        chosen = {
            "subdivision": form.subdivision.data, "categories": categories, "closing_days": closing,
            "school_holidays": school,
        }  # fmt: skip
        return {"calendar": {**row.calendar, "country": "DE", **chosen}}

    def days() -> tuple[tuple[date, str], ...]:
        first = date(visit.today.year, 1, 1)
        coming = (
            first + timedelta(days=number) for number in range((date(first.year + 2, 1, 1) - first).days)
        )
        return tuple((day, name) for day in coming if (name := seat.holiday(day, visit.language)))

    return _section(visit, "calendar", row, form, changes, days)


# --- contact ---------------------------------------------------------------------------------------


class ContactForm(Form):
    """How to reach the town: every way counts the same, so every one is shown on every page."""

    office = _line(N_("Office"))
    street = _line(N_("Street and number"))
    postcode = _line(N_("Postcode"), Optional(), Regexp(r"\d{5}$", message=N_("A postcode has five digits.")))
    city = _line(N_("Town"))
    phone = _line(N_("Telephone"))
    email = EmailField(
        N_("E-mail address"),
        [
            Optional(),
            Email(N_("Please check the e-mail address: something like name@example.org.")),
            Length(max=SHORT),
        ],
        filters=[_stripped],
    )
    hours = TextAreaField(N_("Opening hours"), [Length(max=2000)], filters=[_stripped])
    step_free = _line(N_("Step-free access"), limit=1000)
    data_protection_contact = TextAreaField(
        N_("Data protection officer"), [Length(max=2000)], filters=[_stripped]
    )
    supervision = TextAreaField(
        N_("Supervisory authority for data protection"), [Length(max=2000)], filters=[_stripped]
    )


@page(
    "/verwaltung/kommunen/{key}/kontakt",
    name="municipality_contact",
    may=Permission.ADMINISTER,
    methods=("GET", "POST"),
)
def contact(visit: Visit) -> Response:
    """Address, telephone, hours, step-free access."""
    row = _target(visit)
    form = visit.form(ContactForm, **row.contact)
    return _section(visit, "contact", row, form, lambda: {"contact": {**row.contact, **form.data}})


# --- texts -----------------------------------------------------------------------------------------

TEXTS = {
    "imprint": N_("Imprint"),
    "privacy": N_("Privacy"),
    "accessibility": N_("Accessibility statement"),
    "netiquette": N_("Netiquette"),
    "easy_language": N_("Easy language"),
}


#: One text in every language of the installation.
TextForm: type[Form] = type(
    "TextForm",
    (Form,),
    {
        code: TextAreaField(language, [Length(max=LONG)], filters=[_stripped])
        for code, language in LANGUAGES.items()
    },
)


@page(
    "/verwaltung/kommunen/{key}/texte/{name}",
    name="municipality_text",
    may=Permission.ADMINISTER,
    methods=("GET", "POST"),
)
def text(visit: Visit) -> Response:
    """A text that the town answers for, in Markdown, in each language."""
    row = _target(visit)
    name = visit.request.path_params["name"]
    if name not in TEXTS:
        visit.not_found()
    form = visit.form(TextForm, **row.legal_texts.get(name, {}))
    texts = row.legal_texts
    return _section(
        visit,
        "text",
        row,
        form,
        lambda: {"legal_texts": {**texts, name: form.data}},
        lambda: visit.gettext(TEXTS[name]),
    )
