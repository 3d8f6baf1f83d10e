"""Certificates of publication for everybody: type the number, read what it says, see whether the record still agrees.

Numbers are public and lead to nothing secret: everything that a certificate says could be read by everybody while the
plan lay open. So guessing is not throttled; one look-up by an index answers each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import Form, StringField
from wtforms.validators import InputRequired, Length

from consultations import certificates, procedures
from consultations.certificates import Certificate
from consultations.files import serving_headers
from consultations.permissions import Permission
from consultations.procedures import ProcedureState
from consultations.refusals import Code, Refusal
from participation import certificate_pdf, certificate_view, letters
from participation.certificate_view import View
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

PROBLEMS: Mapping[str, str] = {
    "payload_altered": N_("The content kept here is not the one that was issued."),
    "seal_missing": N_("The journal has no entry about this certificate."),
    "seal_differs": N_("The seal in the journal is another one."),
    "document_missing": N_("A document of the certificate is no longer on record."),
    "document_altered": N_("A document on record has another fingerprint than the certificate says."),
    "period_changed": N_(
        "The dates of the step were changed after the certificate was issued, for example because the period began anew."
    ),
}


class NumberForm(Form):
    """The number of a certificate, as it is printed."""

    nummer = StringField(
        N_("Number of the certificate"),
        [InputRequired(N_("Please type in the number from the certificate.")), Length(max=40)],
    )


@page("/nachweis", name="certificates", may=Permission.READ_PUBLIC)
def find(visit: Visit) -> Response:
    """Type in a number; the answer has an address of its own."""
    form = visit.form(NumberForm)
    if "nummer" not in visit.request.query_params:
        return visit.render("certificates/find.html", form=form)
    if form.validate():
        found = certificates.by_number(visit.session, visit.municipality_id, form.nummer.data)
        if found is not None:
            return visit.redirect("certificate", number=found.number)
        visit.reject(form, Refusal(Code.CERTIFICATE_UNKNOWN, "nummer"))
    return visit.render("certificates/find.html", status=422, form=form)


@dataclass(frozen=True)
class CertificatePage:
    """A certificate and what the comparison with the record found."""

    view: View
    is_intact: bool
    problems: tuple[str, ...]
    hearing_url: str
    json_url: str
    pdf_url: str
    newer: tuple[tuple[str, str], ...]


def _certificate(visit: Visit) -> Certificate:
    """The certificate in the address. Raises Refusal NOT_FOUND."""
    typed = str(visit.request.path_params["number"])
    found = certificates.by_number(visit.session, visit.municipality_id, typed) if typed.isascii() else None
    if found is None:
        visit.not_found()
    return found


@page("/nachweis/{number}", name="certificate", may=Permission.READ_PUBLIC)
def show(visit: Visit) -> Response:
    """What a certificate says, and whether it still agrees with the record."""
    certificate = _certificate(visit)
    verified = certificates.verify(visit.session, certificate)
    procedure = procedures.by_id(visit.session, visit.municipality_id, certificate.procedure_id)
    is_public = procedure is not None and procedure.state != ProcedureState.DRAFT.value
    later = [
        each
        for each in certificates.of_phase(visit.session, certificate.phase_id)
        if (each.id or 0) > (certificate.id or 0)
    ]
    return visit.render(
        "certificates/certificate.html",
        CertificatePage(
            view=certificate_view.view(certificate, visit.language),
            is_intact=verified.is_intact,
            problems=tuple(visit.gettext(PROBLEMS[problem]) for problem in verified.problems),
            hearing_url=visit.url("hearing", slug=procedure.slug) if procedure and is_public else "",
            json_url=visit.url("certificate_json", number=certificate.number),
            pdf_url=visit.url("certificate_pdf", number=certificate.number),
            newer=tuple((each.number, visit.url("certificate", number=each.number)) for each in later[:1]),
        ),
    )


@page("/nachweis/{number}/nachweis.json", name="certificate_json", may=Permission.READ_PUBLIC)
def as_json(visit: Visit) -> Response:
    """The certificate's content exactly as it was sealed: its SHA-256 is the one on the certificate."""
    certificate = _certificate(visit)
    headers = serving_headers(f"{certificate.number}.json", "application/json")
    return Response(certificate.payload.encode(), headers={**headers, "X-Content-SHA256": certificate.sha256})


@page("/nachweis/{number}/nachweis.pdf", name="certificate_pdf", may=Permission.READ_PUBLIC)
def as_pdf(visit: Visit) -> Response:
    """The certificate as an accessible PDF, made of its sealed content."""
    certificate = _certificate(visit)
    pdf = certificate_pdf.certificate_pdf(
        certificate,
        letters.Letterhead.of(visit.municipality_row),
        visit.language,
        verify_url=visit.absolute("certificate", number=certificate.number),
    )
    return Response(pdf, headers=serving_headers(f"{certificate.number}.pdf", "application/pdf"))
