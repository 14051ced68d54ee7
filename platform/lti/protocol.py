"""LTI 1.3 by PyLTI1p3, and what it leaves open closed.

The library carries the handshake, the messages and the services. Ours are: the platforms (our tables, for its configuration); the
browser's half of a handshake (a signed cookie for each, instead of a session, since a POST from another site brings no session); and a
second, strict reading of the token, which pins RS256, requires the claims that end it, checks issuer and audience, and allows a minute
between two clocks.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import jwt
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from pylti1p3.cookie import CookieService
from pylti1p3.deployment import Deployment as LibraryDeployment
from pylti1p3.exception import LtiException
from pylti1p3.message_launch import MessageLaunch, TLaunchData
from pylti1p3.oidc_login import OIDCLogin
from pylti1p3.redirect import Redirect
from pylti1p3.registration import Registration
from pylti1p3.request import Request
from pylti1p3.session import SessionService
from pylti1p3.tool_config.abstract import ToolConfAbstract

from lti import keys
from lti.http import BoundedSession
from lti.models import Deployment, Platform

COOKIE = "gradlab_lti_"
SALT = "lti.handshake"
HANDSHAKE_S = 600
SKEW_S = 60
LONGEST_S = 3600
KEYS_KEPT_S = 600
KEYS_AGAIN_S = 10
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"


def registration_of(platform: Platform) -> Registration:
    """A platform as the library knows it, with our key."""
    found = Registration().set_issuer(platform.issuer).set_client_id(platform.client_id)
    found.set_auth_login_url(platform.auth_url).set_auth_token_url(platform.token_url)
    found.set_key_set_url(platform.jwks_url)
    if platform.audience:
        found.set_auth_audience(platform.audience)
    return found.set_tool_private_key(keys.private_pem()).set_tool_public_key(keys.public_pem())


class Platforms(ToolConfAbstract[Any]):
    """Our platforms, for the library. A login may leave the client out where its issuer has one only."""

    def check_iss_has_one_client(self, iss: str) -> bool:
        """Never: both are always looked at."""
        return False

    def check_iss_has_many_clients(self, iss: str) -> bool:
        """Always."""
        return True

    def find_registration_by_issuer(self, iss: str, *_args: Any, **_kwargs: Any) -> Registration:
        """Not asked, since every issuer may have many."""
        raise LtiException("A platform is found by issuer and client.")

    def find_registration_by_params(self, iss: str, client_id: str | None, *_args: Any, **_kwargs: Any) -> Registration:
        """Raises `LtiException` for a platform that nobody registered."""
        return registration_of(find_platform(iss, client_id))

    def find_deployment(self, iss: str, deployment_id: str) -> None:
        """Not asked, since every issuer may have many."""

    def find_deployment_by_params(
        self, iss: str, deployment_id: str, client_id: str, *_args: Any, **_kwargs: Any
    ) -> LibraryDeployment | None:
        """None for a deployment that nobody registered."""
        known = Deployment.objects.filter(platform=find_platform(iss, client_id), deployment_id=deployment_id)
        return LibraryDeployment().set_deployment_id(deployment_id) if known.exists() else None


def find_platform(issuer: object, client_id: object) -> Platform:
    """Raises `LtiException` unless exactly one active platform is meant."""
    if not isinstance(issuer, str) or not isinstance(client_id, str | None):
        raise LtiException("Issuer and client are no text.")
    if "\0" in issuer + (client_id or ""):  # PostgreSQL does not take it
        raise LtiException("No such platform is registered here.")
    named = Platform.objects.filter(active=True, issuer=issuer)
    found = list((named.filter(client_id=client_id) if client_id else named)[:2])
    if len(found) != 1:
        raise LtiException("No such platform is registered here.")
    return found[0]


class Handshake(CookieService, SessionService):
    """The browser's half of one handshake: its state and nonce, signed, in a cookie of its own."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.state, self.nonce = "", ""

    def set_cookie(self, name: str, value: str | int, exp: int | None = 3600) -> None:
        """The library names the cookie by the state, and puts the state in."""
        self.state = str(value)

    def save_nonce(self, nonce: str) -> None:
        """What the platform must send back."""
        self.nonce = nonce

    def put_into(self, response: HttpResponse) -> None:
        """The platform answers by a POST from its own site, with which a browser sends cookies of SameSite=None alone."""
        secure = settings.HTTPS
        response.set_cookie(
            COOKIE + self.state,
            signing.dumps([self.state, self.nonce], salt=SALT),
            max_age=HANDSHAKE_S,
            secure=secure,
            httponly=True,
            samesite="None" if secure else "Lax",
            path="/lti/",
        )

    def get_cookie(self, name: str) -> str | None:
        """The state that this browser was given under that name, if it is not too old."""
        try:
            state, self.nonce = signing.loads(
                self.request.COOKIES.get(COOKIE + name, ""), salt=SALT, max_age=HANDSHAKE_S
            )
        except (signing.BadSignature, ValueError, TypeError):
            return None
        return str(state)

    def check_nonce(self, nonce: str) -> bool:
        """Whether it is the one of this handshake. That it is used once is for the database to say."""
        return bool(self.nonce) and nonce == self.nonce

    def check_state_is_valid(self, state: str, id_token_hash: str) -> bool:
        """Never without the cookie; the library would let the same token in again."""
        return False

    def save_launch_data(self, key: str, jwt_body: Any) -> None:
        """Nothing is kept but what `launches` stores."""

    def set_state_valid(self, state: str, id_token_hash: str) -> None:
        """The same."""


class Asked(Request):
    """A request as the library reads it. A launch is read from its body alone."""

    def __init__(self, request: HttpRequest, *, from_address: bool) -> None:
        self._fields = request.GET if from_address and request.method != "POST" else request.POST

    @property
    def session(self) -> Any:
        """None: the handshake keeps what must be kept."""
        return None

    def is_secure(self) -> bool:
        """Whether cookies may be sent by HTTPS alone."""
        return bool(settings.HTTPS)

    def get_param(self, key: str) -> str:
        """A field; empty where there is none."""
        return self._fields.get(key, "")


class Login(OIDCLogin[Any, Any, Any, Any, Any]):
    """The first step: to the platform's sign-in, with our state and nonce."""

    def url(self, launch_url: str) -> str:
        """Where the browser goes. Raises `OIDCException` or `LtiException`."""
        return self._prepare_redirect_url(launch_url)

    def get_redirect(self, url: str) -> Redirect[Any]:
        """Not asked: the view redirects."""
        raise NotImplementedError(url)


class Launch(MessageLaunch[Any, Any, Any, Any]):
    """The second step: the signed message."""

    def _get_request_param(self, key: str) -> str:
        return cast("str", self._request.get_param(key))

    def validate_jwt_format(self) -> Launch:
        """The library takes any JSON for a header and a body."""
        super().validate_jwt_format()
        parts: dict[str, object] = dict(self._jwt)
        if not all(isinstance(parts[name], dict) for name in ("header", "body")):
            raise LtiException("The token holds no claims.")
        return self

    def fetch_public_key(self, key_set_url: str) -> Any:
        """The platform's keys, from the cache for some minutes. One that is not among them is asked for at once, and not each time."""
        name = "lti-keys-" + hashlib.sha256(key_set_url.encode()).hexdigest()
        known = cache.get(name)
        if known is not None and (self._names_key_of(known) or not cache.add(f"{name}-again", 1, KEYS_AGAIN_S)):
            return known
        found: Any = super().fetch_public_key(key_set_url)
        listed = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
            raise LtiException(f"{key_set_url} is no set of keys.")
        cache.set(name, found, KEYS_KEPT_S)
        return found

    def _names_key_of(self, known: dict[str, list[dict[str, Any]]]) -> bool:
        return any(key.get("kid") == self._jwt["header"].get("kid") for key in known["keys"])

    def validate_jwt_signature(self) -> Launch:
        """The library chooses the key; the token is then read as strictly as the standard has it."""
        if self._jwt["header"].get("alg") != "RS256":
            raise LtiException("The token is not signed by RS256.")
        key, _ = self.get_public_key()
        try:
            body: dict[str, Any] = jwt.decode(
                self._get_id_token(),
                key,
                algorithms=["RS256"],
                audience=self.get_client_id(),
                issuer=self.get_iss(),
                leeway=SKEW_S,
                options={"require": ["exp", "iat", "sub", "aud", "iss", "nonce"]},
            )
        except jwt.InvalidTokenError as error:
            raise LtiException(f"The token is refused: {error}") from error
        self._check_more(body)
        self._jwt["body"] = cast("TLaunchData", body)
        return self

    def _check_more(self, body: dict[str, Any]) -> None:
        """Of several audiences we must be the one that is authorized; no token lives for days; other messages are not for us."""
        audience = body["aud"]
        if isinstance(audience, list) and len(audience) > 1 and body.get("azp") not in audience[:1]:
            raise LtiException("The token is for several tools, and does not say that it is for us.")
        if body["exp"] - body["iat"] > LONGEST_S:
            raise LtiException("The token would be valid for too long.")
        if body.get(CLAIM + "message_type") != "LtiResourceLinkRequest":
            raise LtiException("The message is none that opens a resource.")


def login_of(request: HttpRequest) -> tuple[Login, Handshake]:
    """A handshake that begins, by GET or POST."""
    handshake = Handshake(request)
    return Login(Asked(request, from_address=True), Platforms(), handshake, handshake), handshake


def launch_of(request: HttpRequest) -> Launch:
    """A message that came; nothing of it is true before `validate()`."""
    handshake = Handshake(request)
    asked = Asked(request, from_address=False)
    return Launch(asked, Platforms(), handshake, handshake, requests_session=BoundedSession())
