"""What is piped into a command."""

from __future__ import annotations

import io
import shutil
import sys
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, TextIO, cast

from diet_explorer.errors import BadInputError

_IN_MEMORY = 1 << 26


def piped() -> BinaryIO:
    """All that is piped into the command; BadInputError where that is nothing or cannot be read."""
    remedy = "Give a file, or pipe one into the command: cat FILE | diet-explorer …"
    if sys.stdin is None or sys.stdin.isatty():
        raise BadInputError("Nothing is piped into the command, so that - has nothing to read.", remedy)
    kept = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  whoever reads it closes it
    try:
        shutil.copyfileobj(sys.stdin.buffer, kept)
    except OSError as error:
        reason = str(error.strerror or error).rstrip(".")
        raise BadInputError(f"Standard input (-) cannot be read: {reason}.", remedy) from error
    kept.seek(0)
    return cast(BinaryIO, kept)


def piped_text() -> TextIO:
    """The same as text in UTF-8, with or without its mark."""
    return io.TextIOWrapper(piped(), encoding="utf-8-sig")
