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
from diet_explorer.store.audit_log import AuditLog

Role = Literal["viewer", "annotator", "lead"]
_ROLES: tuple[Role, ...] = ("viewer", "annotator", "lead")  # each may do what those before it may
_SETTINGS: dict[Role, str] = {"annotator": "DIET_EXPLORER_ANNOTATORS", "lead": "DIET_EXPLORER_LEADS"}


@dataclass(frozen=True)
class Identity:
    """Somebody who uses the workspace."""

    name: str  # what the ledger calls them; the e-mail address of who is signed in
    role: Role = "lead"  # a viewer looks; an annotator also decides; a lead also starts jobs, adjudicates and exports
    signed_in: bool = False  # whether a sign-in says who this is, so that they act in no other name

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


def allowed(acting: Identity | None, by: Identity | str | None, role: Role, what: str, log: AuditLog) -> Identity:
    """Who does something; PermissionDeniedError ("may not" and `what`) where their role is below the one that may.

    A refusal is noted in the audit log.

    The workspace acts for somebody: who is signed in acts in no other name, whatever `by` says. Otherwise that says who
    does it; a name is local use, without a sign-in, and may do everything.
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
        log.refuse(who.name, f"may not {what}", who.role)
        article = "an" if who.role == "annotator" else "a"
        raise PermissionDeniedError(
            f"{who.name} is {article} {who.role} here and may not {what}.",
            f"Ask the operator to add this address to the setting {_SETTINGS[role]}.",
        )
    return who


def _addresses(setting: str) -> set[str]:
    return {part.strip().casefold() for part in setting.split(",")} - {""}
