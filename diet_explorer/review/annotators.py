"""Who somebody is and what they may do: roles are checked by the library, whatever a page shows.

Without a sign-in everybody who can reach the app or the workspace's files leads. With one, the operator's settings say
who leads and who annotates; everybody else who signs in may look.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Literal

from diet_explorer.config import Settings
from diet_explorer.errors import PermissionDeniedError

Role = Literal["viewer", "annotator", "lead"]
_ROLES: tuple[Role, ...] = ("viewer", "annotator", "lead")  # each may do what those before it may
_SETTINGS: dict[Role, str] = {"annotator": "DIET_EXPLORER_ANNOTATORS", "lead": "DIET_EXPLORER_LEADS"}


@dataclass(frozen=True)
class Identity:
    """Somebody who uses the workspace.

    Attributes
    ----------
    name : str
        What the ledger calls them; the e-mail address of who is signed in.
    role : {"viewer", "annotator", "lead"}
        A viewer looks; an annotator also decides; a lead also starts jobs, adjudicates and exports.
    signed_in : bool
        Whether a sign-in says who this is, so that they act in no other name.
    """

    name: str
    role: Role = "lead"
    signed_in: bool = False

    def may(self, role: Role) -> bool:
        """Whether they may do what a role may."""
        return _ROLES.index(self.role) >= _ROLES.index(role)


def signed_in(email: str, settings: Settings) -> Identity:
    """Who has signed in with an e-mail address, with the role that the settings give them."""
    name = email.strip()
    role: Role = "viewer"
    if name.casefold() in _addresses(settings.leads):
        role = "lead"
    elif name.casefold() in _addresses(settings.annotators):
        role = "annotator"
    return Identity(name, role, signed_in=True)


def allowed(acting: Identity | None, by: Identity | str | None, role: Role, what: str) -> Identity:
    """Who does something, if they may.

    Parameters
    ----------
    acting : Identity or None
        For whom the workspace acts; who is signed in acts in no other name, whatever `by` says.
    by : Identity, str or None
        Who does it otherwise; a name is local use, without a sign-in, and may do everything.
    role : {"viewer", "annotator", "lead"}
        The least role that may.
    what : str
        What it is, in words that follow "may not".

    Raises
    ------
    PermissionDeniedError
        Their role may not.
    """
    if acting is not None and acting.signed_in:
        who = acting
    elif isinstance(by, Identity):
        who = by
    elif by is None and acting is not None:
        who = acting
    else:
        who = Identity(getpass.getuser() if by is None else by.strip())
    if not who.may(role):
        article = "an" if who.role == "annotator" else "a"
        raise PermissionDeniedError(
            f"{who.name} is {article} {who.role} here and may not {what}.",
            f"Ask the operator to add this address to the setting {_SETTINGS[role]}.",
        )
    return who


def _addresses(setting: str) -> set[str]:
    return {part.strip().casefold() for part in setting.split(",")} - {""}
