"""Proposals where there are many: lists, search and likeness for sixteen readers at once, the same page at a hundredth of
them, how many questions each asks the database, and how long fifty pages of text take to compare and to merge."""

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import text
from sqlmodel import Session
from starlette.testclient import TestClient

from benchmarks.load import get
from benchmarks.measuring import Better, Result, milliseconds
from benchmarks.town import HOST, MIDDLE, SPREAD, Place, served
from consultations import journal, merging, proposals
from consultations.comparison import compare
from consultations.contributions import Contribution, Kind, PublicationState
from consultations.discussion import Remark, Stance
from consultations.moderation import Action, ModerationDecision
from consultations.phases import phases_of
from consultations.proposals import (
    BUCKETS,
    AuthorRole,
    AuthorState,
    Proposal,
    ProposalAuthor,
    ProposalVersion,
)
from consultations.search import Among, Scope, SearchEntry
from consultations.tables import insert_rows
from consultations.text import stems
from geo.geometry import from_lonlat
from participation.app import create_app
from participation.database import unit_of_work
from tests.queries import counted

READERS = 16
#: Words that proposals are made of, so that a search finds some and not all.
THINGS = (
    "Bänke",
    "Bäume",
    "Trinkbrunnen",
    "Radständer",
    "Spielplatz",
    "Zebrastreifen",
    "Schatten",
    "Geländer",
    "Hecke",
)
PLACES = (
    "am Mühlbach",
    "vor der Schule",
    "am Bahnhof",
    "auf dem Markt",
    "in der Gasse",
    "am Anger",
    "unter der Brücke",
)
WISHES = (
    "fehlen",
    "brauchen Pflege",
    "sollen erhalten bleiben",
    "helfen Kindern",
    "helfen alten Leuten",
    "sind zu laut",
)
DISTRICTS = ("Altstadt", "Bahnhofsviertel", "Am Anger", "Nord")
TOPICS = ("Verkehr", "Grün", "Spielen", "Licht", "")


def fill(place: Place, number: int, comments_each: int = 10) -> None:
    """Put published proposals with comments into the consultation, past the one door: only for reading them."""
    random = Random(7)
    now = datetime.now(UTC)
    with unit_of_work(place.engine, write=True) as session:
        procedure = place.procedure(session)
        phase = phases_of(session, place.procedure_id)[0].id
        blank = Contribution(
            municipality_id=procedure.municipality_id, procedure_id=place.procedure_id, phase_id=phase,
            kind=Kind.PROPOSAL.value, channel="web", reference="", entry_number=0, access_code="", submission_key="",
            received_at=now, recorded_at=now, recorded_by="public", wants_publication=True,
            publication=PublicationState.PUBLISHED.value,
        ).model_dump(exclude={"id"})  # fmt: skip
        first = _next_key(session)
        heads, halves, versions, authors, decisions, words = [], [], [], [], [], []
        remarks = []
        for at in range(number):
            key = first + at
            lon, lat = (random.gauss(middle, spread) for middle, spread in zip(MIDDLE, SPREAD, strict=True))
            located = from_lonlat(lon, lat)
            title = f"{random.choice(THINGS)} {random.choice(PLACES)}, Stelle {at}"
            what = " ".join(
                f"{random.choice(THINGS)} {random.choice(PLACES)} {random.choice(WISHES)}." for _ in range(12)
            )
            received = now - timedelta(seconds=60 * (number - at))
            heads.append(
                {
                    **blank, "id": key, "reference": f"{procedure.key}-{at + 1:06d}", "entry_number": at + 1,
                    "access_code": f"{at:08d}", "submission_key": f"proposed-{at}", "received_at": received,
                    "title": title, "text": what, "lon": lon, "lat": lat, "cell": located.cell,
                    "geometry": located.wkb, "geometry_kind": located.kind, "pseudonym": "Rosa",
                }
            )  # fmt: skip
            halves.append(
                Proposal(
                    contribution_id=key, municipality_id=procedure.municipality_id, procedure_id=place.procedure_id,
                    phase_id=phase, is_listed=True, is_on_map=True, bucket=random.randrange(BUCKETS),
                    shuffle=random.randrange(2**31), received_at=received, channel="web", language="de",
                    district=random.choice(DISTRICTS), topic=random.choice(TOPICS), cell=located.cell, attention=comments_each,
                ).model_dump()
            )  # fmt: skip
            version = {
                "proposal_id": key, "number": 1, "base_number": None, "reason": "handed_in", "note": "",
                "made_at": received, "made_by": "public", "author_id": None, "channel": "web", "language": "de",
                "texts": {"de": {"title": title, "what": what}}, "headings": [["what", "Was?"]], "stale": [],
                "origins": {}, "place": {}, "files": [], "amendment_id": None, "previous_receipt": journal.FIRST_HASH,
            }  # fmt: skip
            versions.append({**version, "receipt": proposals.receipt_of(version)})
            authors.append(
                ProposalAuthor(
                    proposal_id=key, role=AuthorRole.OWNER.value, state=AuthorState.ACTIVE.value, name="Rosa",
                    since=received,
                ).model_dump(exclude={"id"})
            )  # fmt: skip
            decisions.append(
                ModerationDecision(
                    contribution_id=key,
                    at=received,
                    by="account:1",
                    action=Action.PUBLISH.value,
                    before="pending",
                ).model_dump(exclude={"id"})
            )
            words.append(_entry(place, key, Kind.PROPOSAL, title, what))
        said = []
        for at in range(number * comments_each):
            key, parent = first + number + at, first + at % number
            said.append(
                {
                    **blank, "id": key, "kind": Kind.COMMENT.value, "parent_id": parent,
                    "reference": f"{procedure.key}-{number + at + 1:06d}", "entry_number": number + at + 1,
                    "access_code": f"{number + at:08d}", "submission_key": f"said-{at}",
                    "text": f"{random.choice(THINGS)} {random.choice(WISHES)}, das sehe ich auch so.",
                }
            )  # fmt: skip
            words.append(_entry(place, key, Kind.COMMENT, said[-1]["text"]))
            remarks.append(
                {
                    "contribution_id": key, "proposal_id": parent, "answers_id": None,
                    # Each proposal has every kind of comment: a page without arguments for it asks less.
                    "stance": list(Stance)[at // number % len(Stance)].value, "shuffle": random.randrange(2**31),
                }
            )  # fmt: skip
        for table, rows in (
            (Contribution, heads), (Proposal, halves), (ProposalAuthor, authors), (ProposalVersion, versions),
            (ModerationDecision, decisions), (Contribution, said), (Remark, remarks), (SearchEntry, words),
        ):  # fmt: skip
            for begin in range(0, len(rows), 5_000):
                insert_rows(session, table, rows[begin : begin + 5_000])
        session.execute(
            text(
                "INSERT INTO search_index (rowid, stems) SELECT id, stems FROM search_entry"
                " WHERE id > coalesce((SELECT max(rowid) FROM search_index), 0) ORDER BY id"
            )
        )
    with place.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("ANALYZE")


def _next_key(session: Session) -> int:
    return int(session.execute(text("SELECT coalesce(max(id), 0) + 1 FROM contribution")).scalar_one())


def _entry(place: Place, key: int, kind: Kind, *texts: str) -> dict[str, Any]:
    found = [stem for part in texts for stem in stems(part, "de")]
    marked = " ".join([*Among(place.procedure_id, kind.value).marks, *found])
    return {"contribution_id": key, "scope": Scope.PUBLIC.value, "stems": marked}


# --- reading ---------------------------------------------------------------------------------------


def _addresses(place: Place, seed: int, *, anew: bool) -> dict[str, list[str]]:
    """What a reader asks for, by kind; with `anew` no address twice, so that none is a kept page."""
    random = Random(seed)
    path = f"/beteiligungen/{place.slug}/vorschlaege"
    kinds = {
        "list by chance": [f"{path}?" for _ in range(6)],
        "list, newest": [f"{path}?sortierung=newest&stadtteil={random.choice(DISTRICTS)}" for _ in range(4)],
        "search": [f"{path}?q={random.choice(THINGS)}+{random.choice(WISHES).split()[0]}" for _ in range(6)],
    }
    if anew:
        # Of those an address may ask for 120 a minute, and all readers come from one here. They are kept for nobody.
        kinds["similar"] = [
            f"{path}.json?q={random.choice(THINGS)}+{random.choice(PLACES)}+{random.choice(WISHES)}"
            for _ in range(2)
        ]
    return {
        kind: [f"{each}&egal={seed}-{turn}" if anew else each for turn, each in enumerate(addresses)]
        for kind, addresses in kinds.items()
    }


def readers(place: Place, *, rounds: int, anew: bool) -> Iterator[Result]:
    """The 95th percentile of each kind of page while sixteen readers, each with a browser of their own, ask for them all
    the time: with `anew` every page has to be made, otherwise they ask for what people ask for, as it is made and kept.
    """
    found: dict[str, list[float]] = {}
    failed: list[str] = []

    async def read(port: int, seed: int, warm: set[int]) -> None:
        # They come one after the other, as people do: who all come in one moment, one process may take before the other looks.
        await asyncio.sleep(seed / 10)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # The first turn is not counted: each process has to have answered something before it is at its usual speed.
        for turn in range(-1, rounds):
            for kind, addresses in _addresses(place, seed * 1000 + turn, anew=anew).items():
                for address in addresses:
                    began = time.perf_counter()
                    status = await get(
                        reader, writer, address, {"Host": HOST, "User-Agent": f"reader {seed}"}
                    )
                    if turn >= 0:
                        found.setdefault(kind, []).append(time.perf_counter() - began)
                    if status != 200:
                        failed.append(f"{status} {address}")
            if turn < 0:
                warm.add(seed)
            while len(warm) < READERS:
                # A server hangs up on whoever says nothing for five seconds, and another process may answer the next call.
                await asyncio.sleep(0.5)
                await get(reader, writer, "/healthz", {"Host": HOST})
        writer.close()

    async def all_at_once(port: int) -> None:
        warm: set[int] = set()
        await asyncio.gather(*(read(port, number, warm) for number in range(1, READERS + 1)))

    # As operators are told to run it: one process per core. The readers share the cores, so they do little themselves.
    with served(place, workers=os.cpu_count() or 1) as (_server, port):
        asyncio.run(all_at_once(port))
    for kind, seconds in found.items():
        ordered = sorted(seconds)
        p95 = ordered[int(len(ordered) * 0.95)]
        told = (
            f"median {milliseconds(statistics.median(seconds))}, {len(seconds)} requests of {READERS} readers"
        )
        how = "every page made anew" if anew else "as people ask, made once per change"
        yield Result(f"10,000 proposals, {kind}, {how}: p95", p95 * 1000, 300, Better.LESS, "ms", told)
    yield Result("10,000 proposals: failed", len(failed), 0, Better.LESS, detail=", ".join(failed[:2]))


def beside_few(many: Place, few: Place, *, times: int) -> Iterator[Result]:
    """The first page of the list and one proposal, at 10,000 beside the same at 100, in turns; and how many questions."""
    paths = {"first page": ("vorschlaege", ""), "one proposal": ("vorschlaege", "/{key}-000007")}
    clients = []
    for place in (many, few):
        client = TestClient(create_app(place.settings), base_url=f"http://{HOST}")
        clients.append((place, client.__enter__()))
    for name, (room, rest) in paths.items():
        seconds: tuple[list[float], list[float]] = ([], [])
        asked: list[int] = [0, 0]
        for turn in range(times + 2):
            for side, (place, client) in enumerate(clients):
                with unit_of_work(place.engine) as session:
                    key = place.procedure(session).key
                address = f"/beteiligungen/{place.slug}/{room}{rest.format(key=key)}?egal={turn}"
                began = time.perf_counter()
                answer = client.get(address)
                taken = time.perf_counter() - began
                assert answer.status_code == 200, (address, answer.status_code)
                if turn > 1:
                    seconds[side].append(taken)
        for side, (place, client) in enumerate(clients):
            engine = client.app.state.house.engine  # type: ignore[attr-defined]
            with unit_of_work(place.engine) as session:
                key = place.procedure(session).key
            with counted(engine) as statements:
                client.get(f"/beteiligungen/{place.slug}/{room}{rest.format(key=key)}?egal=counted")
            asked[side] = len(statements)
        large, small = (statistics.median(each) for each in seconds)
        told = f"{milliseconds(large)} beside {milliseconds(small)}"
        yield Result(f"{name} of proposals: 10,000 to 100", large / small, 1.3, Better.LESS, detail=told)
        told = f"{asked[0]} beside {asked[1]}"
        yield Result(f"{name} of proposals: more queries", asked[0] - asked[1], 0, Better.LESS, detail=told)
    for _place, client in clients:
        client.__exit__(None, None, None)


# --- fifty pages -----------------------------------------------------------------------------------


def long_texts(*, times: int) -> Iterator[Result]:
    """The differences and the three-way merge of a text of fifty pages (about 150,000 characters), changed all over."""
    random = Random(3)
    base = _pages(random, 50)
    mine, theirs = _changed(base, random, 0), _changed(base, random, 1)
    for name, work in (
        ("differences of 50 pages", lambda: compare(base, mine)),
        ("three-way merge of 50 pages", lambda: merging.merge(base, mine, theirs)),
    ):
        found = []
        for _ in range(times):
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
        told = f"{len(base)} characters, {len(base.split())} words"
        yield Result(name, statistics.median(found), 1, Better.LESS, "s", told)


def _pages(random: Random, pages: int) -> str:
    sentences = []
    while sum(map(len, sentences)) < pages * 3_000:
        sentences.append(
            f"{random.choice(THINGS)} {random.choice(PLACES)} {random.choice(WISHES)}, Nummer {len(sentences)}. "
        )
    return "".join(sentences)


def _changed(base: str, random: Random, side: int) -> str:
    words = base.split(" ")
    for at in range(side * 10, len(words), 40):
        words[at] = f"{random.choice(THINGS)}{at}"
    return " ".join(words)


def measure(many: Place, few: Place, *, quick: bool) -> Iterator[Result]:
    """All of it."""
    fill(many, 10_000)
    fill(few, 100)
    yield from beside_few(many, few, times=8 if quick else 30)
    yield from readers(many, rounds=1 if quick else 3, anew=False)
    yield from readers(many, rounds=1 if quick else 3, anew=True)
    yield from long_texts(times=2 if quick else 5)
