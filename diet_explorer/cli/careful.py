"""Commands that look at what is given to them before they run, and that name the argument an error is about."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import Any

from typer.core import TyperCommand

from diet_explorer.errors import LONGEST, BadInputError, DietExplorerError, ReadingError, WorkspaceError

_HIGHEST = 2**63 - 1
_PATHS = frozenset({"FILE", "DIR", "FOLDER"})
_OF_THE_PATH = frozenset({errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL})
WORKSPACE = "--workspace"
"""This one may be blank, as the variable that it stands for, and is no input but where the program works."""


class CarefulCommand(TyperCommand):
    """A command whose arguments are checked as such, so that none has to ask whether a number is one or a text a text.

    What is particular to an argument is checked where it is used; an error that quotes a value says whose it is.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; BadInputError where one can be of no use to any command."""
        raw, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        given = [
            (parameter, text)
            for parameter in self.params
            for text in _each(raw.get(parameter.name or ""))
            if isinstance(text, str)
        ]
        ctx.meta[__name__] = given
        for parameter, text in given:
            _check_text(parameter, text)
        rest = super().parse_args(ctx, args)
        for parameter, _ in given:
            for value in _each(ctx.params.get(parameter.name or "")):
                _check_number(parameter, value)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BadInputError as error:
            _name_argument(error, ctx.meta[__name__])
            raise
        except (OSError, WorkspaceError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.errno in _OF_THE_PATH:
                for parameter, text in ctx.meta[__name__]:
                    is_input = isinstance(error, OSError) or parameter.opts[0] != WORKSPACE
                    if is_input and text and _is_in_path(parameter, text.rstrip("/"), str(cause.filename or error)):
                        reason = (cause.strerror or str(cause)).lower()
                        message = f"The {_name(parameter)} cannot be {text!r}: {reason}."
                        raise BadInputError(message, "Check the path.") from error
            if isinstance(error, WorkspaceError):
                _name_argument(error, ctx.meta[__name__])
            raise


def _each(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _check_text(parameter: Any, text: str) -> None:
    """Whether a value is text, and there at all where it is to be a path."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        in_utf8 = sys.getfilesystemencoding() == "utf-8"
        raise BadInputError(
            f"The {_name(parameter)} is no text in {sys.getfilesystemencoding().upper()}: {text!r}.",
            "Rename the file if it is one, or give the text in UTF-8."
            if in_utf8
            else "Set PYTHONUTF8=1 or a locale such as LC_ALL=C.UTF-8, and start again.",
        )
    if not text.strip() and parameter.opts[0] != WORKSPACE and _is_path(parameter):
        raise BadInputError(f"The {_name(parameter)} is empty.", "Give a path, such as ./reviews.")
    if "://" in text and parameter.opts[0].startswith("-") and _is_path(parameter, "URL"):
        raise BadInputError(
            f"The {_name(parameter)} is an address, {text}.", "Give a path on this machine, and copy what is there."
        )


def _check_number(parameter: Any, value: Any) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise BadInputError(
            f"The {_name(parameter)} is {value}, which is no number.", "Give one with digits, such as 0.5."
        )
    if isinstance(value, int) and not -_HIGHEST <= value <= _HIGHEST:
        raise BadInputError(f"The {_name(parameter)} is too large a number.", f"Give one of at most {_HIGHEST:,}.")


def _is_path(parameter: Any, but_no: str = "") -> bool:
    forms = (parameter.metavar or "").strip("[]…").split("|")
    return not _PATHS.isdisjoint(forms) and but_no not in forms


def _is_in_path(parameter: Any, text: str, path: str) -> bool:
    """Whether a value is a part of a path: any part of it for one that is a path itself, else a whole name in it."""
    return text in (path if _is_path(parameter) else re.split(r"[/\\]", path))


def _name(parameter: Any) -> str:
    """What a parameter is called on the command line."""
    option = max(parameter.opts, key=len)
    if option.startswith("-"):
        return f"option {option}"
    return f"argument {(parameter.metavar or option.upper()).strip('[]…').split('|')[0]}"


def _name_argument(error: DietExplorerError, given: list[tuple[Any, str]]) -> None:
    """Put the argument that an error quotes behind its remedy; reading errors are given theirs where they are shown."""
    if not isinstance(error, ReadingError) and (name := _quoted(error, given)):
        error.remedy = f"{error.remedy} ({name})"


def _quoted(error: DietExplorerError, given: list[tuple[Any, str]]) -> str:
    """The one argument whose value an error quotes, if the error does not say by itself which it is."""
    names = {_name(parameter) for parameter, text in given if _quotes(error.message, parameter, text)}
    name = names.pop() if len(names) == 1 else ""
    said = _plain(str(error))
    return "" if name and re.search(rf"\b{_plain(name.split()[1].lstrip('-'))}\b", said) else name


def _quotes(message: str, parameter: Any, text: str) -> bool:
    """Whether a message has a value: in quotes, as a path, or as the number of what the message is about."""
    entries = (text, *map(str.strip, text.split(",")))
    if any(repr(entry)[: LONGEST // 4] in message for entry in entries if entry):
        return True
    if _is_path(parameter):
        return re.search(rf"(?<![^\s/]){re.escape(text[: LONGEST // 4])}", message) is not None
    noun = _plain(parameter.opts[0]).split()[-1]
    with suppress(ValueError):
        return re.search(rf"\b{noun}\b.* {re.escape(f'{float(text):g}')}(?![\w.]*\w)", message) is not None
    return False


def _plain(text: str) -> str:
    return re.sub(r"[-_]", " ", text).lower()
