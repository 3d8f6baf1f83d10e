"""Why something was not done: codes, not sentences. The web storey speaks the languages."""

from enum import StrEnum


class Code(StrEnum):
    """Every reason for which the domain says no; each has a sentence in `participation/messages.py`."""

    # who
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    FROM_ELSEWHERE = "from_elsewhere"
    SIGN_IN_FAILED = "sign_in_failed"
    ROLE_IS_FOR_TOWN = "role_is_for_town"
    OWN_HOST = "own_host"
    OWN_ACCOUNT = "own_account"
    SIGN_IN_INTERRUPTED = "sign_in_interrupted"
    PASSWORD_TOO_SHORT = "password_too_short"
    INVITATION_EXPIRED = "invitation_expired"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    # what was handed in
    EMPTY_CONTRIBUTION = "empty_contribution"
    TEXT_TOO_LONG = "text_too_long"
    WRITTEN_AFTER_RECEIVED = "written_after_received"
    RECEIVED_IN_FUTURE = "received_in_future"
    PHASE_NOT_STARTED = "phase_not_started"
    PHASE_CLOSED = "phase_closed"
    KIND_NOT_OPEN = "kind_not_open"
    UNKNOWN_REFERENCE = "unknown_reference"
    LOCATION_REQUIRED = "location_required"
    LOCATION_INVALID = "location_invalid"
    ALREADY_WITHDRAWN = "already_withdrawn"
    CODE_UNKNOWN = "code_unknown"
    ATTACHMENTS_TOO_MANY = "attachments_too_many"
    UNKNOWN_CHANNEL = "unknown_channel"
    # files
    FILE_EMPTY = "file_empty"
    FILE_TYPE_NOT_ALLOWED = "file_type_not_allowed"
    FILE_NOT_WHAT_IT_SAYS = "file_not_what_it_says"
    FILE_BROKEN = "file_broken"
    FILE_ENCRYPTED = "file_encrypted"
    FILE_HAS_MACROS = "file_has_macros"
    FILE_EXPANDS_TOO_MUCH = "file_expands_too_much"
    PICTURE_TOO_LARGE = "picture_too_large"
    FILE_STORE_UNREACHABLE = "file_store_unreachable"
    # procedures
    DATES_REVERSED = "dates_reversed"
    NAME_TAKEN = "name_taken"
    NOT_READY = "not_ready"
    WRONG_STATE = "wrong_state"
    PLAN_AREA_INVALID = "plan_area_invalid"
    PHASE_IN_USE = "phase_in_use"
    DOCUMENT_FROZEN = "document_frozen"
    RESTART_TOO_EARLY = "restart_too_early"
    PERIOD_TOO_SHORT = "period_too_short"
    MUST_BE_CONSIDERED = "must_be_considered"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    TEMPLATE_EMPTY = "template_empty"
    END_NOT_LATER = "end_not_later"
    NOT_RUNNING = "not_running"
    UNLAWFUL_DATES = "unlawful_dates"
    RENEWAL_NEEDED = "renewal_needed"
    CHANGED_MEANWHILE = "changed_meanwhile"
    BLOCK_STANDS = "block_stands"
    NOTHING_TO_RELEASE = "nothing_to_release"
    PROMISED = "promised"
    # moderation
    CLAIMED_BY_OTHER = "claimed_by_other"
    DECIDED_MEANWHILE = "decided_meanwhile"
    REASON_REQUIRED = "reason_required"
    NOTHING_REDACTED = "nothing_redacted"
    NOTHING_TO_UNDO = "nothing_to_undo"
    # co-creation
    NOT_OPENED = "not_opened"
    SECTION_UNKNOWN = "section_unknown"
    SECTION_REQUIRED = "section_required"
    TEXT_MOVED_ON = "text_moved_on"
    NOTHING_CHANGED = "nothing_changed"
    PROPOSAL_CLOSED = "proposal_closed"
    AMENDMENT_CLOSED = "amendment_closed"
    OWNER_DECIDES = "owner_decides"
    SUPPORT_LIMIT = "support_limit"
    SUPPORT_DECLARE = "support_declare"
    SUPPORT_RUSH = "support_rush"
    PICTURE_NEEDED = "picture_needed"
    NOTHING_CHOSEN = "nothing_chosen"
    LIST_EMPTY = "list_empty"
    LIST_TOO_LONG = "list_too_long"
    FOUR_EYES = "four_eyes"
    ANSWER_INCOMPLETE = "answer_incomplete"
    COSTS_TURNED = "costs_turned"
    ADDRESS_INVALID = "address_invalid"
    LINK_EXPIRED = "link_expired"
    LAST_OWNER = "last_owner"
    DESCRIPTION_REQUIRED = "description_required"
    # imports
    MAPPING_INVALID = "mapping_invalid"
    TABLE_UNREADABLE = "table_unreadable"
    TABLE_TOO_LONG = "table_too_long"
    TABLE_BROKEN = "table_broken"
    TABLE_NOT_TEXT = "table_not_text"
    TABLE_LINE_WRONG = "table_line_wrong"
    TABLE_COLUMN_MISSING = "table_column_missing"
    TABLE_COLUMN_DOUBLED = "table_column_doubled"
    LINE_DOUBLED = "line_doubled"
    SOURCE_ID_MISSING = "source_id_missing"
    PARENT_UNKNOWN = "parent_unknown"
    DATE_IMPOSSIBLE = "date_impossible"
    # agencies
    EMAIL_INVALID = "email_invalid"
    SUBJECT_UNKNOWN = "subject_unknown"
    AREA_UNKNOWN = "area_unknown"
    KIND_UNKNOWN = "kind_unknown"
    OWN_PERIOD_TOO_SHORT = "own_period_too_short"
    OWN_PERIOD_TOO_LONG = "own_period_too_long"
    NOBODY_TO_ASK = "nobody_to_ask"
    NOBODY_TO_REMIND = "nobody_to_remind"
    ADDRESS_MISSING = "address_missing"
    LINK_UNKNOWN = "link_unknown"
    MAY_NOT_RELEASE = "may_not_release"
    # the house itself
    DATABASE_BUSY = "database_busy"
    DISK_FULL = "disk_full"
    TOO_MANY_TRIES = "too_many_tries"
    TOO_MANY_UPLOADS = "too_many_uploads"
    UPLOADS_BUSY = "uploads_busy"
    REFERENCE_REQUIRED = "reference_required"
    UPLOAD_TOO_LARGE = "upload_too_large"
    FORM_INCOMPLETE = "form_incomplete"


class Refusal(Exception):
    """Something was refused for a reason that a person can act on.

    `field` names the form field it belongs to, if any; `facts` fill the sentence
    (numbers, names, dates) and never contain markup.
    """

    def __init__(self, code: Code, field: str | None = None, **facts: object) -> None:
        super().__init__(f"{code.value}{f' ({field})' if field else ''}{f': {facts}' if facts else ''}")
        self.code = code
        self.field = field
        self.facts = facts
