"""Date vectors: the domain's collection, when it is there, and our own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from consultations.legal_periods import QUESTIONS, ask
from consultations.seats import known_seats
from tests.rules.deadline_vectors import VECTORS, Vector

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("DIGILOG_SAMPLES") or ROOT.parent / "shared" / "data")
COLLECTION = SAMPLES.parent / "domain" / "deadline-vectors.json"

#: What some vectors tell beside the input: it does not follow from anything, so it belongs to what is known.
STORY = {"timeliness": ("opened", "postmark", "start")}


def collection() -> list[Any]:
    if not COLLECTION.is_file():
        reason = "NOT TESTED: the domain's deadline vectors are not beside the folder DIGILOG_SAMPLES"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="collection")]
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads(COLLECTION.read_text("utf-8"))]


@pytest.mark.samples
@pytest.mark.parametrize("vector", collection())
def test_the_collection_of_the_domain(vector: dict[str, Any]) -> None:
    told = {
        name: vector["expected"][name]
        for name in STORY.get(vector["procedure"], ())
        if name in vector["expected"] and name not in vector["input"]
    }
    answer = ask(vector["procedure"], vector["input"] | told, seats=known_seats())
    results = answer.as_data()
    assert {name: results[name] for name in vector["expected"]} == vector["expected"]
    assert not answer.unused


@pytest.mark.parametrize("vector", [pytest.param(one, id=one[0]) for one in VECTORS])
def test_our_own_vectors(vector: Vector) -> None:
    _, procedure, values, expected = vector
    results = ask(procedure, values, seats=known_seats()).as_data()
    assert {name: results[name] for name in expected} == expected


def test_every_question_has_a_vector_of_ours() -> None:
    assert {procedure for _, procedure, _, _ in VECTORS} == {question.name for question in QUESTIONS}
