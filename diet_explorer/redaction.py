"""Keeps secrets out of what people, logs and files get to read: passwords in addresses, tokens, keys, the join code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
SHORTEST = 8
"""A value that is shorter is hidden only where its place says that it is a secret: it may be part of any word."""
_SHORTEST_GIVEN = 4

_NAMES = (
    r"password|passwd|passphrase|pwd|sslpassword|secret|client_secret|cookie_secret|token|access_token|refresh_token"
)
_NAMES += (
    r"|id_token|api[_-]?key|apikey|account_key|access_key|secret_key|sig|signature|credentials?|join_code|code|sas"
)
_NAMES += r"|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|awsaccesskeyid"
# user:password@, up to the last @ before the host, or to the first one where the password has a / in it
_USER_INFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.\-]*://)(?P<user>[^\s/?#'\"<>:@]*):"
    r"(?P<password>[^\s/?#'\"<>]*|(?!\d{1,5}/)[^\s'\"<>@]*)@",
    re.I,
)
# what stands alone before the host is a user's name in most addresses, and a token in these
_TOKEN_INFO = re.compile(r"(?P<scheme>\b(?:https?|git|git\+https|sftp|ftps?|ssh)://)[^\s/?#'\"<>:@]+@", re.I)
_PARAMETER = re.compile(rf"(?P<name>[?&;](?:[\w.\-]*[_\-])?(?:{_NAMES})=)[^&;#\s'\"<>]+", re.I)
# of libpq's own form, and of what libraries print of their options: password=… and "secret": "…"
_OPTION = re.compile(
    r"(?P<name>\b(?:password|passwd|passphrase|sslpassword|client_secret|cookie_secret|secret_access_key"
    r"|aws_secret_access_key|access_token|api_key|account_key|secret|token)\b['\"]?\s?[=:]\s?)"
    r"(?P<quote>['\"])(?P<value>(?:(?!(?P=quote)).)+)(?P=quote)",
    re.I,
)
_BARE_OPTION = re.compile(r"(?P<name>\b(?:password|passwd|sslpassword|passphrase)=)[^\s'\"&;,)]+", re.I)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=\-]{8,}", re.I)
_TOKENS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|api_org_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|A[KS]IA[A-Z0-9]{16})\b"
)
_VARIABLE = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|ACCOUNT_?KEY|JOIN_CODE|CONNECTION_STRING"
)
_NO_SECRETS = re.compile(
    r"_(?:FILE|PATH|DIR|ID|URL|URI|NAME|TYPE)$|^DIET_EXPLORER_(?:SECRETS|PUSH_WITH_SERVER_TOKEN)$|^DIET_EXPLORER_TRUST"
)
_SWITCHES = frozenset({"true", "false", "none", "disabled", "enabled", "default"})

_known: set[str] = set()


def hide(*values: str | None, shortest: int = _SHORTEST_GIVEN) -> None:
    """Let these values be unreadable from now on in whatever `redacted` is asked for in this process."""
    for value in values:
        if value and len(value) >= shortest and value.lower() not in _SWITCHES:
            _known.update({value, quote(value, safe=""), quote_plus(value)})


def hide_in_address(address: str | None) -> None:
    """Let the password in an address be unreadable, wherever it is met without the address."""
    hide(*_passwords(address or ""), shortest=SHORTEST)


def hide_environment(names: Iterable[str] | None = None) -> None:
    """Let the secrets of this process's environment be unreadable: by the variables' names, and in addresses."""
    for name in os.environ if names is None else names:
        value = os.environ.get(name, "")
        if _VARIABLE.search(name.upper()) and not _NO_SECRETS.search(name.upper()):
            hide(value.strip(), shortest=SHORTEST)
        elif "://" in value:
            hide_in_address(value)


def redacted(text: str) -> str:
    """A text in which secrets are made unreadable, by where they stand, by their form, and those that are known."""
    if "://" in text:
        text = _USER_INFO.sub(rf"\g<scheme>\g<user>:{HIDDEN}@", text)
        text = _TOKEN_INFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", text)
    text = _OPTION.sub(rf"\g<name>\g<quote>{HIDDEN}\g<quote>", text)
    text = _BARE_OPTION.sub(rf"\g<name>{HIDDEN}", text)
    text = _BEARER.sub(rf"\g<name>{HIDDEN}", text)
    text = _TOKENS.sub(HIDDEN, text)
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def _passwords(address: str) -> set[str]:
    """The password in an address, as it is written there and as it is meant."""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    match = _USER_INFO.search(address)
    written = {text for text in (parts.password, match and match["password"]) if text}
    user, host = (parts.username or "", parts.hostname or "")
    return {value for text in written for value in (text, unquote(text)) if value not in (user, host)}


hide_environment()
