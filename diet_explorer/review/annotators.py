"""Who somebody is and what they may do: roles are checked by the library, whatever a page shows.

Whoever uses the workspace's files on this machine leads. With a sign-in the operator's settings say who leads and who
annotates; everybody else who signs in may look.
"""

from __future__ import annotations

import getpass
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from diet_explorer.config import Settings
from diet_explorer.errors import PermissionDeniedError
from diet_explorer.store.audit_log import AuditLog

Role = Literal["nobody", "viewer", "annotator", "lead"]
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ROLES: tuple[Role, ...] = ("nobody", "viewer", "annotator", "lead")  # each may do what those before it may
_SETTINGS: dict[Role, str] = {"annotator": "DIET_EXPLORER_ANNOTATORS", "lead": "DIET_EXPLORER_LEADS"}


@dataclass(frozen=True)
class Identity:
    """Somebody who uses the workspace."""

    name: str  # what the ledger calls them; the e-mail address of who is signed in
    role: Role = "lead"  # a viewer looks; an annotator also decides; a lead also starts jobs, adjudicates and exports
    signed_in: bool = False  # whether a sign-in says who this is, so that they act in no other name
    way_up: str = field(default="", compare=False)  # how to get the role that something takes, where it is not usual

    def may(self, role: Role) -> bool:
        """Whether they may do what a role may."""
        return _ROLES.index(self.role) >= _ROLES.index(role)


def from_claims(claims: Mapping[str, Any], settings: Settings) -> Identity:
    """Who has signed in, by what their provider says of them.

    An address counts where the provider says that it is theirs: ``email_verified`` is true. Where it says nothing, the
    operator has to trust it (DIET_EXPLORER_TRUST_EMAIL_WITHOUT_VERIFIED_CLAIM); everybody else may look.
    """
    email, verified = claims.get("email"), claims.get("email_verified")
    trusted = verified is None and settings.trust_email_without_verified_claim
    if isinstance(email, str) and email and (verified is True or verified == "true" or trusted):
        return signed_in(email, settings)
    return Identity(f"{email or claims.get('sub') or 'somebody'} (address not verified)", "viewer", signed_in=True)


def signed_in(email: str, settings: Settings) -> Identity:
    """Who has signed in with an e-mail address, with the role that the settings give them."""
    role: Role = "viewer"
    if lowered(email) in addresses(settings.leads):
        role = "lead"
    elif lowered(email) in addresses(settings.annotators):
        role = "annotator"
    return Identity(email, role, signed_in=True)


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
    if not who.may("viewer"):
        log.refuse(who.name, f"may not {what}", who.role)
        raise PermissionDeniedError(f"Who has not signed in may not {what}.", "Sign in first.")
    if not who.may(role):
        log.refuse(who.name, f"may not {what}", who.role)
        article = "an" if who.role == "annotator" else "a"
        raise PermissionDeniedError(
            f"{who.name} is {article} {who.role} here and may not {what}.",
            who.way_up or f"Ask the operator to add this address to the setting {_SETTINGS[role]}.",
        )
    return who


def addresses(setting: str) -> set[str]:
    """The e-mail addresses of a setting, to be compared with what `lowered` gives."""
    return {lowered(part.strip()) for part in setting.split(",")} - {""}


def lowered(address: str) -> str:
    """An address as it is compared: A to Z in lower case, everything else as it is.

    Other foldings take different addresses for the same: the long s of another alphabet for an s.
    """
    return address.translate(_LOWER)
