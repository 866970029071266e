"""Names of splits."""

from __future__ import annotations

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_ROLES = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "eval": TEST,
}


def split_role(name: str) -> str:
    """Return ``train``, ``validation`` or ``test`` for the usual spellings, and any other name as it is, trimmed."""
    name = name.strip()
    return _ROLES.get(name.lower(), name)
