"""The certificate of publication on paper: an accessible PDF (PDF/A-2a, PDF/UA-1), made of its frozen content alone."""

from dataclasses import asdict
from typing import Any

from consultations.certificates import Certificate
from participation import certificate_view, i18n, letters
from participation.certificate_view import Section
from participation.letters import Letterhead


def certificate_pdf(certificate: Certificate, head: Letterhead, language: str, *, verify_url: str) -> bytes:
    """The certificate as PDF. `verify_url` is the public page that shows and verifies it."""
    _ = i18n.translations(language).gettext
    view = certificate_view.view(certificate, language)
    data = {
        **letters.common(head, language),
        "title": f"{view.heading} {view.number}",
        "heading": view.heading,
        "footer": f"{view.heading} {view.number}",
        "number": {
            "label": _("Number of the certificate"),
            "value": view.number,
            "standing": view.standing[:1].upper() + view.standing[1:],
            "online": _("Anybody can read and verify it on the internet:"),
            "url": verify_url,
            "shown-url": verify_url.partition("://")[2],
            "qr": letters.qr(verify_url),
            "qr-alt": _("QR code that leads to the page where this certificate is verified"),
        },
        "intro": view.intro,
        "sections": [_section(section) for section in view.sections],
        "seal": {
            "heading": _("Seal"),
            "text": _(
                "These 64 characters (SHA-256) are computed from the whole content of this certificate and are kept in "
                "the procedure's journal, whose entries are chained to each other."
            ),
            "groups": letters.hash_groups(view.sha256),
        },
        "issued": view.issued,
        "sign": _("Place, date, signature, official seal"),
    }
    return letters.typeset("certificate.typ", data, certificate.issued_at, _)


def _section(section: Section) -> dict[str, Any]:
    table = section.table
    return {
        **asdict(section),
        "table": {
            "widths": list(table.widths),
            "head": list(table.head),
            "rows": [[[cell.text, cell.mono] for cell in row] for row in table.rows],
        }
        if table
        else None,
    }
