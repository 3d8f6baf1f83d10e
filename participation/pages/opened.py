"""What a browser has opened with an access code: a signed cookie that says what, and until when.

The code itself stands in no address and no cookie; who leaves a shared computer is forgotten after half an hour.
"""

import hashlib
import secrets
from datetime import timedelta
from functools import cache

from itsdangerous import BadSignature, URLSafeSerializer

from participation.web import Visit

#: How long something stays open after the last look at it; short, because many sit at a shared computer.
OPEN_FOR = timedelta(minutes=30)


@cache
def _key_of_this_process() -> str:
    return secrets.token_hex(32)


def _signer(visit: Visit, cookie: str) -> URLSafeSerializer:
    # Without a secret in the settings (tests, a first look) what was opened is forgotten at the next start.
    secret = visit.house.settings.secret.get_secret_value() or _key_of_this_process()
    return URLSafeSerializer(secret, salt=f"opened {cookie}", signer_kwargs={"digest_method": hashlib.sha256})


def keep(visit: Visit, cookie: str, key: int | None) -> None:
    """Let this browser see the row with this key for a while."""
    until = int((visit.now + OPEN_FOR).timestamp())
    signed = _signer(visit, cookie).dumps([visit.municipality_id, key, until])
    visit.set_cookie(cookie, str(signed), max_age=int(OPEN_FOR.total_seconds()))


def key_in(visit: Visit, cookie: str) -> int | None:
    """The key of what this browser has opened in this town, for as long as that holds."""
    try:
        municipality_id, key, until = _signer(visit, cookie).loads(visit.request.cookies.get(cookie, ""))
    except (BadSignature, ValueError, TypeError):
        return None
    is_here = municipality_id == visit.municipality_id and until >= visit.now.timestamp()
    return int(key) if is_here else None


def forget(visit: Visit, cookie: str) -> None:
    """Forget what was opened, so that the next person at this computer does not see it."""
    visit.set_cookie(cookie, "", max_age=0)
