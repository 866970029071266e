"""The sign-in as the operator has described it: section ``[auth]`` of Streamlit's ``secrets.toml``.

Read here, before a server listens, so that what is broken keeps everybody out instead of letting everybody in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError
from diet_explorer.redaction import hide

SHORTEST_SECRET = 32
"""So many characters a cookie secret has at least: who guesses it is whoever they like."""
_PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")
_ASK = 'Ask the operator: it needs the section [auth] in secrets.toml and pip install "diet-explorer[sign-in]".'


@dataclass(frozen=True)
class SignIn:
    """A sign-in that works as far as can be seen without asking its provider.

    Attributes
    ----------
    files : tuple of str
        The files that describe it.
    redirect_uri : str
        The app's address for whoever comes back from the provider; ``{port}`` in it stands for the app's port.
    providers : tuple of str
        Names of the providers, where there are several to choose from or one with a name.
    """

    files: tuple[str, ...]
    redirect_uri: str
    providers: tuple[str, ...] = ()


def secrets_files(settings: Settings, script_folder: Path) -> list[str]:
    """Where Streamlit looks for ``secrets.toml``; what stands in a later file wins."""
    if settings.secrets is not None:
        return [settings.secrets]
    folders = (Path.home(), Path.cwd(), script_folder)
    return list(dict.fromkeys(str(folder / ".streamlit" / "secrets.toml") for folder in folders))


def sign_in_of(files: Sequence[str]) -> SignIn | None:
    """The sign-in that some secrets files describe; None where none of them speaks of one.

    Raises
    ------
    BadInputError
        A file cannot be read, or what it says does not make a sign-in that works; the message says what is missing.
    """
    values: dict[str, Any] = {}
    present = [path for path in files if Path(path).exists()]
    for path in present:
        values.update(_read(path))
    if "auth" not in values:
        return None
    auth = values["auth"]
    if not isinstance(auth, Mapping):
        raise _incomplete("[auth] is not a section")
    _check_strings(auth, ("redirect_uri", "cookie_secret"), "[auth]")
    named = {name: part for name, part in auth.items() if isinstance(part, Mapping) and name != "client_kwargs"}
    if not named or any(key in auth for key in _PROVIDER_KEYS):
        _check_strings(auth, _PROVIDER_KEYS, "[auth]")
    for name, part in named.items():
        _check_strings(part, _PROVIDER_KEYS, f"[auth.{name}]")
    hide(auth["cookie_secret"], *(part.get("client_secret") for part in (auth, *named.values())))
    if len(auth["cookie_secret"]) < SHORTEST_SECRET:
        raise BadInputError(
            f"The cookie_secret in secrets.toml has fewer than {SHORTEST_SECRET} characters and could be guessed.",
            'Make one with: python -c "import secrets; print(secrets.token_hex(32))"',
        )
    place = urlsplit(auth["redirect_uri"].replace("{port}", "1"))
    if place.scheme not in ("http", "https") or not place.hostname or not place.path.endswith("/oauth2callback"):
        raise _incomplete("redirect_uri is not an address of the form https://HOST/oauth2callback")
    if find_spec("authlib") is None:
        raise _incomplete("Authlib is not installed")
    return SignIn(tuple(present), auth["redirect_uri"], tuple(named))


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except UnicodeDecodeError:
        reason = "it is not in UTF-8"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not TOML, {str(error)[:1].lower()}{str(error)[1:]}"
    raise BadInputError(
        f"The file {path} may describe a sign-in and cannot be read: {reason}.",
        "Mend it, or take it away where no sign-in is wanted. Until then nobody gets in.",
    )


def _check_strings(section: Mapping[str, Any], keys: Sequence[str], name: str) -> None:
    missing = [key for key in keys if not (isinstance(section.get(key), str) and section[key].strip())]
    if missing:
        raise _incomplete(f"{name} lacks {', '.join(missing)}")


def _incomplete(what: str) -> BadInputError:
    return BadInputError(f"The sign-in is not set up completely. {what}.", _ASK)
