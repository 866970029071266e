"""One thing that nobody needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Leftover:
    """One file or folder that nobody needs.

    Attributes
    ----------
    kind : str
        Such as ``training files``.
    path : str
    size : int
        Bytes.
    why : str
        Why nobody needs it, as a sentence's end ("of a run that has ended").
    is_local : bool
        Whether it lies on this machine, beside the workspace's own files.
    sending : str
        Where it is a part of a file that was sent to a store: the store's name of the sending.
    """

    kind: str
    path: str
    size: int
    why: str
    is_local: bool = True
    sending: str = ""
