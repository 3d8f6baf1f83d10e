"""The probes against a real server: found as it is, altered, gone, and not there at all; and the work comes round again."""

from datetime import timedelta
from io import BytesIO

from sqlmodel import Session, col, select

from consultations import filing, frozen, procedures
from consultations.availability import Span
from consultations.documents import DocumentKind, FileFacts
from consultations.notices import Notice
from consultations.permissions import SYSTEM
from consultations.phases import phases_of
from participation import delivery, jobs, probes
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.jobs import Job, JobState
from tests import cast, servers
from tests.cast import NOW
from tests.conftest import Clock, MailServer
from tests.live import Served


def test_probes_find_what_a_visitor_would_find_and_come_round_again(
    live_server: Served, clock: Clock, mail_server: MailServer
) -> None:
    posted = {"smtp_host": "127.0.0.1", "smtp_tls": "none", "mail_from": "plan@auenfurt.example"}
    own = live_server.settings.model_copy(update={**posted, "smtp_port": mail_server.port})
    house: House = create_app(
        own.model_copy(
            update={"probe_url": f"http://127.0.0.1:{live_server.port}", "probe_again_after": 0.1}
        ),
        clock=clock,
    ).state.house
    with unit_of_work(house.engine, write=True) as session:
        town = cast.found(session)
        kept = house.files.put(BytesIO(b"%PDF-1.7 was offen liegt"))
        filing.add_document(
            session,
            town.procedure,
            FileFacts(kept.sha256, "begründung.pdf", "application/pdf", kept.size),
            title="Begründung",
            kind=DocumentKind.EXPLANATORY_REPORT,
            by=SYSTEM,
            now=NOW,
        )
        procedure_id = town.procedure.id or 0
    jobs.begin_recurring(house)
    jobs.begin_recurring(house)

    def round_of_probes() -> list[str]:
        """Run what is due; what the last span of each subject says, the page first."""
        clock.advance(minutes=6)
        while jobs.run_one(house):
            pass
        with Session(house.engine) as session:
            spans = session.exec(select(Span).order_by(col(Span.id))).all()
            return list({span.version_id: span.problem for span in spans}.values())

    assert round_of_probes() == ["", ""]
    with Session(house.engine) as session:
        phase = phases_of(session, procedure_id)[0]
        assert len(frozen.of_phase(session, phase.id or 0)) == 1  # the probe froze what nobody had frozen
        (job,) = session.exec(select(Job).where(Job.kind == probes.KIND)).all()
        assert (job.state, job.run_at) == (JobState.WAITING.value, clock.now + timedelta(minutes=5))

    house.files.delete(kept.sha256)
    assert round_of_probes() == ["", "status_404"]
    with Session(house.engine) as session:
        (job,) = session.exec(select(Job).where(Job.kind == probes.KIND)).all()
        assert job.run_at == clock.now + timedelta(minutes=1)
        assert session.exec(select(Notice).where(Notice.kind == "availability")).all() == []
    assert round_of_probes() == ["", "status_404"]
    with Session(house.engine) as session:
        (told,) = session.exec(select(Notice).where(Notice.kind == "availability")).all()
        assert told.address == "paula@auenfurt.example"
    delivery.deliver_mail(house)
    (mail,) = mail_server.messages()
    assert mail["To"] == "Paula <paula@auenfurt.example>"
    body = mail.get_body()
    assert body is not None
    assert "BP-12" in f"{mail['Subject']} {body.get_content()}"
    assert f"/verwaltung/planung/{procedure_id}/nachweise" in body.get_content()

    place = house.files._place(kept.sha256)  # type: ignore[attr-defined]
    place.write_bytes(b"%PDF-1.7 was offen LIEGT")
    assert round_of_probes() == ["", "altered"]
    place.write_bytes(b"%PDF-1.7 was offen liegt")
    assert round_of_probes() == ["", ""]

    # A large document is read whole once, and then only its beginning for some hours: an alteration behind it is found late.
    large = b"%PDF-1.7 " + bytes(200_000)
    with unit_of_work(house.engine, write=True) as session:
        stored = house.files.put(BytesIO(large))
        facts = FileFacts(stored.sha256, "gross.pdf", "application/pdf", stored.size)
        procedure = session.get_one(procedures.Procedure, procedure_id)
        filing.add_document(
            session, procedure, facts, title="Groß", kind=DocumentKind.OTHER, by=SYSTEM, now=clock.now
        )
    assert round_of_probes() == ["", "", ""]
    place = house.files._place(stored.sha256)  # type: ignore[attr-defined]
    place.write_bytes(large[:-1] + b"X")
    assert round_of_probes() == ["", "", ""]
    place.write_bytes(b"X" + large[1:])
    assert round_of_probes() == ["", "", "altered"]
    place.write_bytes(large)
    assert round_of_probes() == ["", "", ""]
    place.write_bytes(large[:-1] + b"X")
    clock.advance(hours=6)
    assert round_of_probes() == ["", "", "altered"]
    place.write_bytes(large)

    house.settings = house.settings.model_copy(
        update={"probe_url": f"http://127.0.0.1:{servers.free_port()}"}
    )
    assert round_of_probes() == ["unreachable", "unreachable", "unreachable"]
    house.close()
