"""A platform that speaks LTI 1.3 on localhost: its keys, its tokens, names and roles in pages, and a gradebook that checks what it is sent.

It is written from the standards and shares no code with the product.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
LINE_ITEM, SCORE, MEMBERS = f"{AGS}scope/lineitem", f"{AGS}scope/score", f"{NRPS}scope/contextmembership.readonly"
CLIENT, DEPLOYMENT = "gradlab-client", "deployment-1"
PER_PAGE = 2


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def signed(key: rsa.RSAPrivateKey, claims: dict[str, Any], *, kid: str, alg: str = "RS256") -> str:
    """A compact JWS by RS256, made by hand."""
    head = encoded(json.dumps({"alg": alg, "typ": "JWT", "kid": kid}).encode())
    body = f"{head}.{encoded(json.dumps(claims).encode())}"
    return f"{body}.{encoded(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def posting(url: str, fields: dict[str, str], rest: str) -> str:
    """A page with a form that posts these fields."""
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in fields.items())
    return f'<!doctype html><link rel="icon" href="data:,"><form method="post" action="{escape(url)}">{hidden}{rest}</form>'


# made once: a key takes longer than a test
KEY = rsa.generate_private_key(65537, 2048)


@dataclass
class Double:
    """The platform's state. `faults` answer a request whose path contains the key with that status instead, so many times."""

    tool_keys: Callable[[], dict[str, Any]]
    key: rsa.RSAPrivateKey = KEY
    kid: str = "one"
    url: str = ""
    members: list[dict[str, Any]] = field(default_factory=list)
    line_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: dict[str, set[str]] = field(default_factory=dict)
    assertions: set[str] = field(default_factory=set)
    faults: dict[str, list[int]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    # of a launch in a browser: what its message says of the person, and whether its signature is broken
    person: dict[str, Any] = field(default_factory=dict)
    spoil: bool = False

    @property
    def key_set(self) -> dict[str, Any]:
        public = self.key.public_key().public_numbers()
        row = {
            "kty": "RSA",
            "kid": self.kid,
            "use": "sig",
            "alg": "RS256",
            "n": number(public.n),
            "e": number(public.e),
        }
        return {"keys": [row]}

    @property
    def public_pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def claims(self, nonce: str, /, **changes: Any) -> dict[str, Any]:
        """The message of a student's launch; None takes a claim away."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "subject-ada",
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "name": "Ada Lindqvist",
            "email": "Ada.Lindqvist@example.edu",
            CLAIM + "message_type": "LtiResourceLinkRequest",
            CLAIM + "version": "1.3.0",
            CLAIM + "deployment_id": DEPLOYMENT,
            CLAIM + "target_link_uri": "http://localhost:8000/lti/launch/",
            CLAIM + "resource_link": {"id": "link-1"},
            CLAIM + "context": {"id": "course-7", "title": "Machine Learning Systems"},
            CLAIM + "roles": [MEMBERSHIP + "Learner"],
            NRPS + "claim/namesroleservice": {"context_memberships_url": f"{self.url}/Names?Course=7"},
            AGS + "claim/endpoint": {"scope": [LINE_ITEM, SCORE], "lineitems": f"{self.url}/lineitems"},
        }
        return {key: value for key, value in (usual | changes).items() if value is not None}

    def sign(self, claims: dict[str, Any]) -> str:
        return signed(self.key, claims, kid=self.kid)

    def course_page(self, tool: str) -> str:
        """A page of the platform with the link to the tool, which begins a launch."""
        start = {"iss": self.url, "client_id": CLIENT, "login_hint": "hint", "target_link_uri": f"{tool}/lti/launch/"}
        return posting(f"{tool}/lti/login/", start, "<button>Gradlab</button>")

    def message_page(self, asked: dict[str, list[str]]) -> str:
        """The answer to the tool's question who it is: a form that posts itself."""
        token = self.sign(self.claims(asked["nonce"][0], **self.person))
        if self.spoil:
            token = f"{token[:-8]}AAAAAAA="
        form = {"state": asked["state"][0], "id_token": token}
        return posting(asked["redirect_uri"][0], form, "<script>document.forms[0].submit()</script>")

    @staticmethod
    def fetched(url: str) -> dict[str, Any]:
        """A JSON document of the tool."""
        with urlopen(url, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def token_for(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """A token, for who proves to hold the tool's key: the standard's client assertion, checked by hand."""
        assertion = form.get("client_assertion", [""])[0]
        head, body, signature = assertion.split(".")
        header, claims = json.loads(decoded(head)), json.loads(decoded(body))
        row = next(key for key in self.tool_keys()["keys"] if key["kid"] == header["kid"])
        numbers = rsa.RSAPublicNumbers(
            int.from_bytes(decoded(row["e"]), "big"), int.from_bytes(decoded(row["n"]), "big")
        )
        numbers.public_key().verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        fine = (
            header["alg"] == "RS256"
            and form["grant_type"] == ["client_credentials"]
            and form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
            and (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT, CLIENT, f"{self.url}/token")
            and claims["iat"] <= time.time() < claims["exp"]
            and claims["jti"] not in self.assertions
        )
        if not fine:
            return 400, {"error": "invalid_client"}
        self.assertions.add(claims["jti"])
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = set(form["scope"][0].split())
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600}

    def take_score(self, item: str, score: dict[str, Any]) -> int:
        """Check a score as the standard has it; 204 once it stands."""
        moment = datetime.fromisoformat(score["timestamp"])
        fine = (
            moment.tzinfo is not None
            and moment.microsecond != 0
            and score["activityProgress"] in {"Initialized", "Started", "InProgress", "Submitted", "Completed"}
            and score["gradingProgress"] in {"NotReady", "Failed", "Pending", "PendingManual", "FullyGraded"}
            and ("scoreGiven" not in score or (score["scoreGiven"] >= 0 and score["scoreMaximum"] > 0))
        )
        if not fine:
            self.refused.append(json.dumps(score))
            return 400
        if score["userId"] in self.strangers:
            return 422
        earlier = [row for row in self.scores.get(item, []) if row["userId"] == score["userId"]]
        if any(datetime.fromisoformat(row["timestamp"]) >= moment for row in earlier):
            return 409
        self.scores.setdefault(item, []).append(score)
        return 204

    def standing(self, item_title: str) -> dict[str, float | None]:
        """By subject, what the gradebook shows in a column: what is pending shows nothing."""
        url = next(url for url, item in self.line_items.items() if item["label"] == item_title)
        last = {row["userId"]: row for row in self.scores.get(url, [])}
        return {
            who: row["scoreGiven"] if row["gradingProgress"] == "FullyGraded" else None for who, row in last.items()
        }


class Handler(BaseHTTPRequestHandler):
    double: Double

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self.answer("")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def answer(self, body: str) -> None:
        path = urlsplit(self.path).path
        self.double.asked.append(f"{self.command} {self.path}")
        for part, faults in self.double.faults.items():
            if part in path and faults:
                return self.send(faults.pop(0), {"error": "fault"})
        if path == "/course":
            return self.page(self.double.course_page(parse_qs(urlsplit(self.path).query)["tool"][0]))
        if path == "/auth":
            return self.page(self.double.message_page(parse_qs(urlsplit(self.path).query)))
        if path == "/jwks":
            return self.send(200, self.double.key_set)
        if path == "/token":
            return self.send(*self.double.token_for(parse_qs(body)))
        return self.service(path, body)

    def service(self, path: str, body: str) -> None:
        scope = MEMBERS if path == "/Names" else SCORE if path.endswith("/scores") else LINE_ITEM
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if scope not in self.double.tokens.get(token, set()):
            return self.send(401, {"error": "no token for this"})
        if path == "/Names":
            return self.names()
        if path == "/lineitems":
            return self.line_items(body)
        item = self.double.url + path.removesuffix("/scores")
        if not path.endswith("/scores") or item not in self.double.line_items:
            return self.send(404, {})
        if self.headers["Content-Type"] != "application/vnd.ims.lis.v1.score+json":
            return self.send(415, {})
        return self.send(self.double.take_score(item, json.loads(body)), None)

    def names(self) -> None:
        """In pages whose addresses have capitals: they must be followed as they are."""
        query = parse_qs(urlsplit(self.path).query)
        if query["Course"] != ["7"]:
            return self.send(404, {})
        start = int(query.get("From", ["0"])[0])
        rows, rest = self.double.members[start : start + PER_PAGE], len(self.double.members) > start + PER_PAGE
        link = f'<{self.double.url}/Names?Course=7&From={start + PER_PAGE}>; rel="next"' if rest else ""
        return self.send(200, {"id": self.path, "context": {"id": "course-7"}, "members": rows}, link)

    def line_items(self, body: str) -> None:
        items = self.double.line_items
        if self.command == "GET":
            return self.send(200, list(items.values()))
        item = json.loads(body)
        if self.headers["Content-Type"] != "application/vnd.ims.lis.v2.lineitem+json" or not item["scoreMaximum"] > 0:
            return self.send(400, {})
        item["id"] = f"{self.double.url}/lineitems/{len(items) + 1}"
        items[item["id"]] = item
        return self.send(201, item)

    def page(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send(self, status: int, data: Any, link: str = "") -> None:
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", f"{self.double.url}/elsewhere")
        if link:
            self.send_header("Link", link)
        self.end_headers()
        self.wfile.write(body)


def serve(double: Double) -> ThreadingHTTPServer:
    """The double on a free port of localhost, in a thread."""
    handler = type("Bound", (Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
