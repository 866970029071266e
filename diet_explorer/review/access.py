"""Who gets into the browser app, and by which addresses: decided before it listens, and again while it runs.

What is broken or contradictory keeps everybody out. Three ways in are left: a sign-in; local use, where the app listens
on this machine alone and whoever is at it leads; and guests, where the operator has opened it without a sign-in.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError
from diet_explorer.review.annotators import addresses
from diet_explorer.review.sign_in import SignIn, sign_in_of
from diet_explorer.store.files import Files

Way = Literal["sign-in", "local", "guests"]
SHORTEST_CODE = 12
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """How people get in.

    Attributes
    ----------
    way : {"sign-in", "local", "guests"}
    hosts : frozenset of str
        Names and addresses, in lower case, that a request may give as its host.
    origins : frozenset of str
        Origins, such as ``https://diet.example.org``, from which pages may talk to it beside its own.
    any_address : bool
        Whether the numeric address of this machine will do as the host, whichever it is: no name can be made to lead
        there by somebody else.
    sign_in : SignIn or None
    """

    way: Way
    hosts: frozenset[str]
    origins: frozenset[str]
    any_address: bool
    sign_in: SignIn | None = None


def access_of(settings: Settings, files: Sequence[str]) -> Access:
    """How people get into an app that listens as the settings say.

    Parameters
    ----------
    settings : Settings
    files : sequence of str
        Where a sign-in may be described.

    Raises
    ------
    BadInputError
        Nobody may get in: the sign-in is broken or missing, or the app would be open to the network by accident.
    """
    if settings.secrets is not None and not (settings.secrets in files and Path(settings.secrets).is_file()):
        raise BadInputError(
            f"The setting DIET_EXPLORER_SECRETS names {settings.secrets}, which is not there or not read.",
            "Correct or unset it, and start the app with: diet-explorer app",
        )
    sign_in = sign_in_of(files)
    public = [url for url in (settings.public_url, sign_in and sign_in.redirect_uri) if url]
    places = [urlsplit(url.replace("{port}", str(settings.port))) for url in public]
    near = is_loopback(settings.host) and all(is_loopback(place.hostname or "") for place in places)
    if sign_in is None:
        _check_without_sign_in(settings, files, near)
    without: Way = "local" if near and settings.join_code is None else "guests"
    return Access(
        without if sign_in is None else "sign-in",
        hosts=_LOOPBACK_NAMES | {settings.host.lower(), *(place.hostname or "" for place in places)},
        origins=frozenset(f"{place.scheme}://{place.netloc}".lower() for place in places),
        any_address=not is_loopback(settings.host),
        sign_in=sign_in,
    )


def remember_sign_in(settings: Settings, access: Access) -> None:
    """Note in the workspace that it has a sign-in, so that it is not opened without one from another folder."""
    if access.sign_in is not None:
        files = Files(settings.home_folder)
        files.make_folder(files.root)
        files.write_json(str(_note(settings)), {"files": list(access.sign_in.files)})


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach a host; a name that cannot be looked up counts as no such one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)} if host else set()
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(str(address).split("%")[0]).is_loopback for address in found)


def _check_without_sign_in(settings: Settings, files: Sequence[str], near: bool) -> None:
    """BadInputError where there should be a sign-in, or where people from elsewhere would get in without one."""
    named = [name for name in ("leads", "annotators") if addresses(getattr(settings, name))]
    looked = f"looked for in {', '.join(files)}"
    if named or settings.require_sign_in:
        why = f"DIET_EXPLORER_{named[0].upper()} says who may do what" if named else "a sign-in is required"
        raise BadInputError(
            f"There is no sign-in, although {why}: no section [auth] in secrets.toml ({looked}).",
            "Start the app in the folder that has .streamlit/secrets.toml, or name the file in DIET_EXPLORER_SECRETS.",
        )
    note = _note(settings)
    if note.exists():
        raise BadInputError(
            f"This workspace has a sign-in, and there is none here: no section [auth] in secrets.toml ({looked}).",
            f"Its sign-in is described in {_known(note)}: start the app there, or name the file in "
            f"DIET_EXPLORER_SECRETS. To do without a sign-in from now on, remove {note}.",
        )
    if not near and not settings.open_without_sign_in:
        place = settings.public_url or settings.host
        raise BadInputError(
            f"The app would be open to everybody who can reach {place}, without a sign-in.",
            "Set up a sign-in (docs, Reviewing labels), listen on 127.0.0.1, or say that it is meant: "
            "DIET_EXPLORER_OPEN_WITHOUT_SIGN_IN=1.",
        )
    if settings.join_code is not None and len(settings.join_code) < SHORTEST_CODE:
        raise BadInputError(
            f"The setting DIET_EXPLORER_JOIN_CODE has fewer than {SHORTEST_CODE} characters and could be guessed.",
            'Make one with: python -c "import secrets; print(secrets.token_urlsafe(12))"',
        )


def _note(settings: Settings) -> Path:
    return settings.home_folder / "sign-in.json"


def _known(note: Path) -> str:
    try:
        return ", ".join(map(str, json.loads(note.read_text(encoding="utf-8"))["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return "another folder"
