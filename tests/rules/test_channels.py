"""Every way in has all that the house wants to know about it."""

import pytest

from consultations.channels import CHANNELS, WEB, Channel, Entry, by_key, entered_by
from consultations.refusals import Code, Refusal

DEMOSPLAN_SUBMIT_TYPES = {"system", "email", "letter", "fax", "eakte", "declaration", "unspecified"}


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_a_channel_is_complete(channel: Channel) -> None:
    assert channel.key.isidentifier()
    assert channel.label
    assert channel.counts
    assert channel.exchange_code in DEMOSPLAN_SUBMIT_TYPES
    assert by_key(channel.key) is channel
    # A clerk is told what to keep as evidence; the public needs no advice.
    assert bool(channel.advice) == (channel.entry is Entry.CLERK)


def test_keys_and_labels_tell_channels_apart() -> None:
    assert (
        len({channel.key for channel in CHANNELS})
        == len({channel.label for channel in CHANNELS})
        == len(CHANNELS)
    )


def test_the_law_names_these() -> None:
    named = {"web", "terminal", "email", "letter", "fax", "in_person_record", "phone_record", "paper_form"}
    assert named | {"signature_list", "hearing", "e_file", "other"} <= {channel.key for channel in CHANNELS}


def test_every_channel_is_offered_to_one_side() -> None:
    assert WEB in entered_by(Entry.PUBLIC)
    assert sorted(map(str, CHANNELS)) == sorted(
        str(channel) for entry in Entry for channel in entered_by(entry)
    )


def test_an_unknown_channel_is_refused_by_name() -> None:
    with pytest.raises(Refusal) as refused:
        by_key("pigeon")
    assert (refused.value.code, refused.value.field) == (Code.UNKNOWN_CHANNEL, "channel")
    assert refused.value.facts == {"channel": "pigeon"}
