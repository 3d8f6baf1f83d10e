"""Who may do what: one vocabulary, one pure question, each answer with its reason."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody is asked to do for a municipality, or for one procedure of it."""

    CLERK = "clerk"
    MODERATOR = "moderator"
    PLANNER = "planner"
    #: Somebody from an office who judges proposals for it.
    EVALUATOR = "evaluator"
    ADMINISTRATOR = "administrator"
    #: Runs the installation; the only role without a municipality.
    OPERATOR = "operator"


class Permission(StrEnum):
    """Everything a page, a command or a verb may ask for."""

    READ_PUBLIC = "read_public"
    TAKE_PART = "take_part"
    SEE_OWN_ACCOUNT = "see_own_account"
    ENTER_STAFF = "enter_staff"
    RECORD_INTAKE = "record_intake"
    READ_CONTRIBUTIONS = "read_contributions"
    MODERATE = "moderate"
    READ_DRAFTS = "read_drafts"
    EVALUATE = "evaluate"
    PLAN = "plan"
    IMPORT = "import"
    EXPORT = "export"
    READ_JOURNAL = "read_journal"
    ADMINISTER = "administer"
    OPERATE = "operate"


_PUBLIC = frozenset({Permission.READ_PUBLIC, Permission.TAKE_PART})
_SIGNED_IN = _PUBLIC | {Permission.SEE_OWN_ACCOUNT}
_STAFF = frozenset({Permission.ENTER_STAFF, Permission.READ_DRAFTS})

#: What each role carries, beyond what everybody may do.
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.CLERK: _STAFF | {Permission.RECORD_INTAKE, Permission.READ_CONTRIBUTIONS},
    Role.MODERATOR: _STAFF | {Permission.MODERATE, Permission.READ_CONTRIBUTIONS},
    Role.PLANNER: _STAFF
    | {
        Permission.PLAN,
        Permission.EVALUATE,
        Permission.IMPORT,
        Permission.EXPORT,
        Permission.READ_CONTRIBUTIONS,
        Permission.RECORD_INTAKE,
        Permission.READ_JOURNAL,
    },
    Role.EVALUATOR: _STAFF | {Permission.EVALUATE},
    Role.ADMINISTRATOR: _STAFF | {Permission.ADMINISTER, Permission.READ_JOURNAL},
    Role.OPERATOR: _STAFF | {Permission.OPERATE, Permission.ADMINISTER, Permission.READ_JOURNAL},
}


@dataclass(frozen=True)
class Grant:
    """One role, for one municipality (or all: None), for one procedure of it (or all: None)."""

    role: Role
    municipality_id: int | None = None
    procedure_id: int | None = None

    def covers(
        self, municipality_id: int | None, procedure_id: int | None, *, anywhere: bool = False
    ) -> bool:
        """Whether the grant reaches there; `anywhere` asks for any procedure of the municipality."""
        if self.role is Role.OPERATOR:
            return True
        if self.municipality_id != municipality_id:
            return False
        return anywhere or self.procedure_id is None or self.procedure_id == procedure_id


@dataclass(frozen=True)
class Actor:
    """Who acts. `label` is what the journal writes; `person_id` is None for the public and the system."""

    label: str
    person_id: int | None = None
    name: str = ""
    grants: tuple[Grant, ...] = ()

    @property
    def is_signed_in(self) -> bool:
        return self.person_id is not None


PUBLIC = Actor("public")
SYSTEM = Actor("system")


@dataclass(frozen=True)
class Verdict:
    """Yes or no, and why: `reason` is a word for logs and tests, not for people."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def may(
    actor: Actor,
    permission: Permission,
    *,
    municipality_id: int | None = None,
    procedure_id: int | None = None,
    anywhere: bool = False,
) -> Verdict:
    """Whether the actor may, there. With `anywhere`, a role for any one procedure is enough.

    The software itself (`SYSTEM`: commands at the server's own console, jobs) may everything.
    """
    if actor.label == SYSTEM.label and actor.person_id is None:
        return Verdict(True, "system")
    if permission in _PUBLIC:
        return Verdict(True, "public")
    if not actor.is_signed_in:
        return Verdict(False, "not_signed_in")
    if permission in _SIGNED_IN:
        return Verdict(True, "signed_in")
    for grant in actor.grants:
        if permission in GRANTS[grant.role] and grant.covers(
            municipality_id, procedure_id, anywhere=anywhere
        ):
            return Verdict(True, grant.role.value)
    return Verdict(False, "no_role")


def reach(actor: Actor, permission: Permission, municipality_id: int) -> tuple[int, ...] | None:
    """The procedures of a municipality for which somebody may; None means every one of them."""
    if may(actor, permission, municipality_id=municipality_id):
        return None
    return tuple(
        sorted(
            grant.procedure_id
            for grant in actor.grants
            if permission in GRANTS[grant.role]
            and grant.municipality_id == municipality_id
            and grant.procedure_id is not None
        )
    )
