"""How the command line prints: tables and facts for people, JSON for programs, one-line errors."""

from __future__ import annotations

import codecs
import json
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diet_explorer.data.short_names import short_names
from diet_explorer.errors import DietExplorerError, ReadingError, cut
from diet_explorer.redaction import redacted
from diet_explorer.store.private import make_private_file, make_private_folder

if TYPE_CHECKING:
    from diet_explorer.jobs.progress import JobProgress
    from diet_explorer.store.delay import Delay

PLAIN_WIDTH = 160
_CLASS_COLUMNS = frozenset({"label", "predicted", "given", "suggested"})
_CLASS_CHARACTERS = 32
_IN_ASCII = {"…": "...", "·": "-", "–": "-", "−": "-", "→": "->", "×": "x", "≤": "<=", "≥": ">=", "≠": "!=", "✓": "ok"}
_FLAGS_OF_SETTINGS = {
    "encoding": "option --encoding",
    "delimiter": "option --delimiter",
    "header": "options --header and --no-header",
    "column_names": "option --column-names",
    "skip_labels": "option --skip-label",
    "skip_ties": "option --skip-ties",
    "sheet": "option --sheet",
    "split": "option --split",
}


def prepare_streams() -> None:
    """Make standard output and error take any text, whatever the terminal or pipe can show.

    A character of the program's own words is replaced by a plain one, any other by its escape, such as ``\\u2603``.
    """
    codecs.register_error("plain", _plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open for as long as we run
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plain")


def print_json(value: object) -> None:
    """Print one JSON document."""
    text = json.dumps(_finite(value), indent=1, ensure_ascii=not _takes_all(), default=_plain, allow_nan=False)
    sys.stdout.write(text + "\n")


def print_event(value: object) -> None:
    """Print one JSON document on one line, at once, for programs that read on while the command goes on."""
    print_line(json.dumps(value, ensure_ascii=not _takes_all()))


def print_line(text: str) -> None:
    """Print one line of a result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_result(value: object, line: str, *, as_json: bool) -> None:
    """Print what came of a command: one JSON document for programs, else one line for people."""
    if as_json:
        print_json(value)
    else:
        print_line(redacted(line))


def note(text: str) -> None:
    """Print one line that accompanies the work, to standard error, so that results can be piped."""
    sys.stderr.write(redacted(text) + "\n")
    sys.stderr.flush()


def print_error(message: str, remedy: str) -> None:
    """Print what went wrong and what to do about it, each on one line of standard error."""
    note(f"Error: {' '.join(cut(redacted(message)).split())}")
    note(f"       {' '.join(cut(redacted(remedy)).split())}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, drawn in a terminal and plain when piped; the last column is cut to the width.

    Names of classes are cut in their middle, so that long ones do not push what follows off the screen.
    """
    cells = [["" if cell is None else _one_line(str(cell)) for cell in row] for row in rows]
    named = [number for number, name in enumerate(columns) if name in _CLASS_COLUMNS]
    titles = short_names((row[number] for row in cells for number in named), _CLASS_CHARACTERS)
    for row in cells:
        for number in named:
            row[number] = titles[row[number]]
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, name in enumerate(columns):
            table.add_column(name, no_wrap=True, overflow="ellipsis" if number == len(columns) - 1 else "fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[number]) for row in [list(columns), *cells]) for number in range(len(columns))]
    for row in [list(columns), *cells]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print_line(line if len(line) <= PLAIN_WIDTH else line[: PLAIN_WIDTH - 1] + "…")


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print_line(f"{name.ljust(width)}  {value}")


def delay_fact(delay: Delay | None) -> dict[str, str]:
    """For `print_facts`: why no worker takes something up; nothing where one does."""
    return {} if delay is None else {"waits": delay.describe()}


def note_delays(delays: Iterable[Delay | None]) -> None:
    """Say once, below a list, why no worker takes up what waits in it."""
    for words in dict.fromkeys(delay.describe() for delay in delays if delay is not None):
        note(words)


def job_facts(progress: JobProgress, names: str) -> dict[str, Any]:
    """How far a job is, as JSON shows it: the state as people read it, beside the other attributes named."""
    facts = {**asdict(progress), "state": progress.label}
    return {name: facts[name] for name in names.split()}


class LiveLine:
    """A line of progress on standard error: rewritten in place in a terminal, printed on change when piped."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._last = ""

    def show(self, live: str, milestone: str) -> None:
        """Show `live` in a terminal; elsewhere print `milestone` whenever it changes."""
        if self._in_place:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + live[:width])
            sys.stderr.flush()
        elif milestone != self._last:
            note(milestone)
        self._last = milestone

    def close(self) -> None:
        """End the line."""
        if self._in_place:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def duration(seconds: float | None) -> str:
    """A span of time in words, such as "3 min 20 s"."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(words: Sequence[str]) -> str:
    """Words with commas between them, and an "and" before the last."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def ago(moment: datetime | None) -> str:
    """How long ago something was."""
    return "" if moment is None else f"{duration((datetime.now(UTC) - moment).total_seconds())} ago"


def print_unexpected(error: Exception, folders: Sequence[Path]) -> None:
    """Keep the traceback in a file, in the first of the folders that can be written, and name it in one line."""
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}.log"
    text = redacted("".join(traceback.format_exception(error)))
    for folder in [*folders, Path(tempfile.gettempdir())]:
        try:
            make_private_folder(folder)
            make_private_file(folder / name)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        print_error(f"Something unforeseen went wrong: {type(error).__name__}.", f"The details are in {folder / name}.")
        return
    print_error(f"Something unforeseen went wrong: {error!r}.", "No folder for the details can be written.")


def print_known(error: DietExplorerError) -> None:
    """Print an error that has a remedy, with the option that the remedy needs."""
    setting = error.setting if isinstance(error, ReadingError) else ""
    print_error(error.message, error.remedy + flag_of(setting))


def flag_of(setting: str) -> str:
    """The option for a choice in reading a source, in brackets behind a sentence; nothing where there is none."""
    return f" ({_FLAGS_OF_SETTINGS[setting]})" if setting in _FLAGS_OF_SETTINGS else ""


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain_form, error.object[error.start : error.end])), error.end


def _plain_form(character: str) -> str:
    return _IN_ASCII.get(character) or character.encode("ascii", "backslashreplace").decode()


def _takes_all() -> bool:
    """Whether standard output takes every character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _finite(value: Any) -> Any:
    """A value with null for numbers that JSON has not: those that are none, and infinite ones."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if hasattr(value, "item"):  # a numpy number
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
