"""The conversation with an OpenID Connect provider (Authlib): there, back, and its word that somebody has left.

Nothing is stored in here: who the provider's account belongs to is for `participation/identity.py` to say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from consultations.refusals import Code, Refusal
from consultations.tables import JsonObject

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass(frozen=True)
class Provider:
    """An OpenID provider as the settings name it. `municipalities`: keys of those it serves; empty means all."""

    key: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    municipalities: tuple[str, ...] = ()

    def serves(self, municipality_key: str) -> bool:
        return not self.municipalities or municipality_key in self.municipalities


def providers(configured: Sequence[Mapping[str, Any]]) -> tuple[Provider, ...]:
    """The providers of the setting DIGILOG_OIDC. Raises ValueError for one that is incomplete or doubled."""
    found = []
    for entry in configured:
        missing = [name for name in ("key", "label", "issuer", "client_id") if not entry.get(name)]
        if missing:
            raise ValueError(f"DIGILOG_OIDC: {entry.get('key', 'a provider')} lacks {', '.join(missing)}")
        found.append(
            Provider(
                key=str(entry["key"]),
                label=str(entry["label"]),
                issuer=str(entry["issuer"]),
                client_id=str(entry["client_id"]),
                client_secret=str(entry.get("client_secret", "")),
                municipalities=tuple(entry.get("municipalities", ())),
            )
        )
    if len({provider.key for provider in found}) != len(found):
        raise ValueError("DIGILOG_OIDC: two providers have the same key")
    return tuple(found)


@dataclass(frozen=True)
class Claims:
    """What a provider says of somebody who has signed in there."""

    issuer: str
    subject: str
    #: Only if the provider has verified it; else empty.
    verified_email: str = ""
    #: The provider's own session, for signing out from there.
    sid: str = ""


@cache
def _client(provider: Provider) -> Any:
    """Authlib's client; it remembers the provider's metadata and keys."""
    from authlib.integrations.starlette_client import OAuth

    return OAuth().register(
        name=provider.key,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "timeout": 10},
    )


async def begin(provider: Provider, request: "Request", redirect_uri: str) -> tuple[str, JsonObject]:
    """The provider's address to send the browser to, and what must be kept until it comes back.

    State, nonce and the PKCE verifier are among what is kept. Raises Refusal PROVIDER_UNREACHABLE.
    """
    kept: JsonObject = {}
    request.scope["session"] = kept
    try:
        response = await _client(provider).authorize_redirect(request, redirect_uri)
    except Exception as problem:
        raise _refusal_for(problem) from problem
    return str(response.headers["location"]), dict(kept)


async def finish(provider: Provider, request: "Request", kept: JsonObject) -> Claims:
    """Who has signed in there, from the address the provider sent the browser back to.

    State, nonce, signature, issuer, audience and life span are checked by Authlib. Raises Refusal SIGN_IN_INTERRUPTED
    (refused there, forged, too old), PROVIDER_UNREACHABLE.
    """
    request.scope["session"] = dict(kept)
    client = _client(provider)
    try:
        token = await client.authorize_access_token(request)
        claims: Mapping[str, Any] = token["userinfo"]
        if not claims.get("email"):
            told = await client.userinfo(token=token)
            if told.get("sub") != claims["sub"]:  # OpenID Connect Core 5.3.2
                raise Refusal(Code.SIGN_IN_INTERRUPTED)
            claims = {**told, **claims}
    except Refusal:
        raise
    except Exception as problem:
        raise _refusal_for(problem) from problem
    email = str(claims.get("email") or "") if claims.get("email_verified") is True else ""
    return Claims(str(claims["iss"]), str(claims["sub"]), email.strip().lower(), str(claims.get("sid") or ""))


def _refusal_for(problem: Exception) -> Exception:
    """What a problem on the way to or from a provider means to the visitor; a mistake of ours stays what it is."""
    import httpx2
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError

    if isinstance(problem, httpx2.HTTPError | json.JSONDecodeError):
        return Refusal(Code.PROVIDER_UNREACHABLE)
    if isinstance(problem, AuthlibBaseError | JoseError | KeyError):
        return Refusal(Code.SIGN_IN_INTERRUPTED)
    return problem


LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def logout(provider: Provider, logout_token: str, *, now: datetime) -> Claims:
    """Whom a provider signs out behind the browser's back (OpenID Connect Back-Channel Logout 1.0, section 2.6).

    Raises Refusal SIGN_IN_INTERRUPTED unless the token is the provider's own, fresh, and says log-out; PROVIDER_UNREACHABLE.
    """
    from joserfc import jwt
    from joserfc.jwk import KeySet

    client = _client(provider)
    try:
        metadata = await client.load_server_metadata()
        keys = KeySet.import_key_set(await client.fetch_jwk_set())
        algorithms = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        signed = jwt.decode(logout_token, keys, algorithms=[name for name in algorithms if name != "none"])
        claims = signed.claims
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=120,
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": provider.client_id},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        ).validate(claims)
    except Exception as problem:
        raise _refusal_for(problem) from problem
    events = claims.get("events")
    says_so = isinstance(events, dict) and LOGOUT_EVENT in events
    if not says_so or "nonce" in claims or not (claims.get("sub") or claims.get("sid")):
        raise Refusal(Code.SIGN_IN_INTERRUPTED)
    return Claims(str(claims["iss"]), str(claims.get("sub") or ""), sid=str(claims.get("sid") or ""))
