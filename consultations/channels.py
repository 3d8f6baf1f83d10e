"""The ways in which a contribution reaches the authority. Channels are data: equal rules, own evidence.

Below the intake pages nobody asks which channel it was. All run through the same states, deadlines, examination and
answer, and nobody's rank depends on the channel (BayDiG Art. 12(1), (2); BauGB §3(2) S.4 no. 2). To add one, add an
entry to `CHANNELS`.
"""

from dataclasses import dataclass
from enum import StrEnum

from consultations.refusals import Code, Refusal

#: Marks a message for the catalogues; the storey above translates it.
N_ = str


class Entry(StrEnum):
    """Who puts a contribution into the system."""

    #: The person themself, without any help by staff.
    PUBLIC = "public"
    #: Staff at the counter, who record what reached the authority.
    CLERK = "clerk"
    #: A bulk import from another system.
    IMPORT = "import"


@dataclass(frozen=True)
class Channel:
    """One way in, with everything that the rest of the house wants to know about it.

    `label`, `counts` and `advice` are message ids. `counts` completes "The date that counts: …" (law-and-standards
    §6). `needs_original` says that the scan or file of what came in has to be attached (transcription is no
    evidence). `written_before` says that it can bear a date of writing earlier than that of receipt.
    `exchange_code` is demosplan's submit type, the word that exchange tables share (XBeteiligung 1.2 has no element
    for the channel).
    """

    key: str
    label: str
    counts: str
    entry: Entry
    exchange_code: str
    advice: str = ""
    needs_original: bool = False
    written_before: bool = False

    def __str__(self) -> str:
        return self.key


WEB = Channel(
    key="web",
    label=N_("Web form"),
    counts=N_("the moment our server received it"),
    entry=Entry.PUBLIC,
    exchange_code="system",
)
TERMINAL = Channel(
    key="terminal",
    label=N_("Public terminal"),
    counts=N_("the moment our server received it"),
    entry=Entry.PUBLIC,
    exchange_code="system",
)
AGENCY_LINK = Channel(
    key="agency_link",
    label=N_("Personal link of an agency"),
    counts=N_("the moment our server received it"),
    entry=Entry.PUBLIC,
    exchange_code="system",
)
EMAIL = Channel(
    key="email",
    label=N_("E-mail"),
    counts=N_("the day it arrived at the authority's mail server"),
    entry=Entry.CLERK,
    exchange_code="email",
    advice=N_("Attach the message as a file, with its headers and attachments."),
    needs_original=True,
    written_before=True,
)
LETTER = Channel(
    key="letter",
    label=N_("Letter"),
    counts=N_("the day it entered the letterbox"),
    entry=Entry.CLERK,
    exchange_code="letter",
    advice=N_("Scan both sides in colour, and the envelope if the stamp of receipt is missing."),
    needs_original=True,
    written_before=True,
)
FAX = Channel(
    key="fax",
    label=N_("Fax"),
    counts=N_("the day the transmission ended"),
    entry=Entry.CLERK,
    exchange_code="fax",
    advice=N_("Attach all pages and the transmission report."),
    needs_original=True,
    written_before=True,
)
IN_PERSON_RECORD = Channel(
    key="in_person_record",
    label=N_("Statement on record"),
    counts=N_("the day it was declared"),
    entry=Entry.CLERK,
    exchange_code="declaration",
    advice=N_(
        "Read the text aloud, have it approved and signed, or note why it is not signed. Hand out a copy. "
        "Note an interpreter."
    ),
)
PHONE_RECORD = Channel(
    key="phone_record",
    label=N_("Telephone"),
    counts=N_("the day of the call"),
    entry=Entry.CLERK,
    exchange_code="declaration",
    advice=N_("Read the text back to the caller and offer to send a copy."),
)
PAPER_FORM = Channel(
    key="paper_form",
    label=N_("Paper form or card"),
    counts=N_("the day it entered the letterbox or was handed over"),
    entry=Entry.CLERK,
    exchange_code="letter",
    advice=N_("Scan both sides in colour."),
    needs_original=True,
    written_before=True,
)
SIGNATURE_LIST = Channel(
    key="signature_list",
    label=N_("List of signatures"),
    counts=N_("the day the list was handed in"),
    entry=Entry.CLERK,
    exchange_code="letter",
    advice=N_("Scan all sheets. Note how many people signed and which lines cannot be read."),
    needs_original=True,
    written_before=True,
)
HEARING = Channel(
    key="hearing",
    label=N_("Public meeting"),
    counts=N_("the day of the meeting"),
    entry=Entry.CLERK,
    exchange_code="unspecified",
    advice=N_("Note the meeting and who kept the minutes."),
)
E_FILE = Channel(
    key="e_file",
    label=N_("Electronic file"),
    counts=N_("the day it arrived at the authority"),
    entry=Entry.CLERK,
    exchange_code="eakte",
    advice=N_("Attach the file as it was sent."),
    needs_original=True,
    written_before=True,
)
IMPORT = Channel(
    key="import",
    label=N_("Taken over from another system"),
    counts=N_("the date of receipt in the other system"),
    entry=Entry.IMPORT,
    exchange_code="unspecified",
    written_before=True,
)
OTHER = Channel(
    key="other",
    label=N_("Other way"),
    counts=N_("the day it reached the authority"),
    entry=Entry.CLERK,
    exchange_code="unspecified",
    advice=N_("Note how it reached the authority."),
    written_before=True,
)

CHANNELS: tuple[Channel, ...] = (
    WEB, TERMINAL, AGENCY_LINK, LETTER, PAPER_FORM, EMAIL, FAX, IN_PERSON_RECORD, PHONE_RECORD, SIGNATURE_LIST, HEARING, E_FILE,
    OTHER, IMPORT,
)  # fmt: skip
"""All channels, in the order in which forms offer them."""


def by_key(key: str) -> Channel:
    """The channel with this key. Raises `Refusal(UNKNOWN_CHANNEL, "channel", channel=…)`."""
    for channel in CHANNELS:
        if channel.key == key:
            return channel
    raise Refusal(Code.UNKNOWN_CHANNEL, "channel", channel=key)


def entered_by(entry: Entry) -> tuple[Channel, ...]:
    """The channels that this side may use, in order."""
    return tuple(channel for channel in CHANNELS if channel.entry is entry)
