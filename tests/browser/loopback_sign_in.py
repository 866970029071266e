"""An OpenID Connect provider on this machine: the authorization code flow with PKCE, as a real browser and app walk it.

Whoever is asked to sign in picks one of the accounts on a page; tokens are RS256, their key is published as JWKS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "diet-explorer"
CLIENT_SECRET = "known-to-the-app-and-the-provider"


@dataclass(frozen=True)
class Grant:
    """What a code is good for, once."""

    account: str
    redirect_uri: str
    nonce: str
    challenge: str


@dataclass
class SignIn:
    """The provider: where it is, who has an account (address → verified), and what it handed out."""

    url: str
    accounts: dict[str, bool]
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"}))
    grants: dict[str, Grant] = field(default_factory=dict)
    signed_out: int = 0

    def secrets_toml(self) -> str:
        """What the operator writes for Streamlit."""
        return (
            "[auth]\n"
            'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            f'cookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "{CLIENT_ID}"\n'
            f'client_secret = "{CLIENT_SECRET}"\n'
            f'server_metadata_url = "{self.url}/.well-known/openid-configuration"\n'
        )

    def metadata(self) -> dict[str, Any]:
        places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "logout"}
        return {
            "issuer": self.url,
            **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in places.items()},
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def code_for(self, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(24)
        self.grants[code] = Grant(
            asked["account"], asked["redirect_uri"], asked.get("nonce", ""), asked.get("code_challenge", "")
        )
        return code

    def tokens_for(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """The tokens for a code; None where the code, the address or the proof of possession is not the right one."""
        grant = self.grants.pop(asked.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(asked.get("code_verifier", "").encode()).digest())
        if (
            grant is None
            or grant.redirect_uri != asked.get("redirect_uri")
            or grant.challenge != proof.rstrip(b"=").decode()
        ):
            return None
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": hashlib.sha256(grant.account.encode()).hexdigest(),
            "email": grant.account,
            "email_verified": self.accounts[grant.account],
            "iat": now,
            "exp": now + 600,
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": 600,
            "id_token": jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key),
        }


class _Handler(BaseHTTPRequestHandler):
    provider: SignIn

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path == "/.well-known/openid-configuration":
            self._json(self.provider.metadata())
        elif place.path == "/jwks":
            self._json({"keys": [self.provider.key.as_dict(private=False)]})
        elif place.path == "/authorize" and asked.get("client_id") == CLIENT_ID:
            links = [
                f'<a href="/chosen?{escape(urlencode({**asked, "account": account}))}">{escape(account)}</a>'
                for account in self.provider.accounts
            ]
            self._answer(200, "text/html", ("<h1>Who are you?</h1>" + "<br>".join(links)).encode())
        elif place.path == "/chosen" and asked.get("account") in self.provider.accounts:
            back = urlencode({"code": self.provider.code_for(asked), "state": asked["state"]})
            self._redirect(f"{asked['redirect_uri']}?{back}")
        elif place.path == "/logout":
            self.provider.signed_out += 1
            self._redirect(asked["post_logout_redirect_uri"])
        else:
            self._answer(404, "text/plain", b"nothing here")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        client = base64.b64decode(basic).decode() or f"{asked.get('client_id')}:{asked.get('client_secret')}"
        known = urlsplit(self.path).path == "/token" and client == f"{CLIENT_ID}:{CLIENT_SECRET}"
        tokens = self.provider.tokens_for(asked) if known else None
        self._json(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

    def _json(self, value: Any, status: int = 200) -> None:
        self._answer(status, "application/json", json.dumps(value).encode())

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def sign_in_provider(**accounts: bool) -> Iterator[SignIn]:
    """A provider that answers while the block lasts; `accounts` are names at example.org, and whether verified."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    addresses = {f"{name}@example.org": verified for name, verified in accounts.items()}
    provider = SignIn(f"http://127.0.0.1:{server.server_address[1]}", addresses)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"provider": provider})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
