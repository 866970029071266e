"""Logs of the processes that stay: to the workspace's files or to standard output, as lines for people or as JSON.

Whatever a process writes, by a logger, a library's print or a traceback, comes out without secrets.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from diet_explorer.config import Settings
from diet_explorer.redaction import redacted
from diet_explorer.store.files import explained
from diet_explorer.store.private import make_private_file, make_private_folder

LOG_BYTES = 2_000_000
LOG_FILES = 2
REPEAT_SECONDS = 60.0
LONGEST_LINE = 20_000
STREAMLIT_FORM = "%(levelname)s %(name)s: %(message)s"
"""How the browser app's server is to write, so that `_Lines` can tell level and logger."""

_LEVEL = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) +(?P<logger>[\w.]+): ")
_PEOPLES_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_facts: dict[str, str | int] = {}
_original: dict[str, TextIO] = {}


def note_facts(**facts: str | int | None) -> None:
    """Let every JSON line of this process say so from now on: which worker it is, which run and job it does.

    What is None is said no more.
    """
    for name, value in facts.items():
        if value is None:
            _facts.pop(name, None)
        else:
            _facts[name] = value


class PlainFormatter(logging.Formatter):
    """Lines for people, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, with its traceback below."""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object on one line, tracebacks included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        details = {}
        if record.exc_info and record.exc_info[1] is not None:
            details = {
                "error": type(record.exc_info[1]).__name__,
                "traceback": "".join(traceback.format_exception(*record.exc_info)),
            }
        return json_line(record.levelname, record.name, record.getMessage(), record.created, details)


def json_line(
    level: str, logger: str, message: str, moment: float | None = None, details: Mapping[str, Any] | None = None
) -> str:
    """One log line as a JSON object, with what is known of this process."""
    time_ = datetime.fromtimestamp(time.time() if moment is None else moment, UTC).isoformat(timespec="milliseconds")
    values: dict[str, Any] = {
        "time": time_,
        "level": level,
        "logger": logger,
        "message": message,
        "host": socket.gethostname(),
        "process": os.getpid(),
        **_facts,
        **(details or {}),
    }
    return json.dumps(
        {key: redacted(value)[:LONGEST_LINE] if isinstance(value, str) else value for key, value in values.items()},
        ensure_ascii=False,
    )


def formatter(settings: Settings) -> logging.Formatter:
    """Lines in the form that the settings ask for."""
    return JsonFormatter() if settings.log == "json" else PlainFormatter(_PEOPLES_FORM)


def log_handler(settings: Settings, name: str) -> logging.Handler:
    """A handler for a process's own loggers: into one of the workspace's log files, or to standard output."""
    if settings.log_to == "stdout":
        handler: logging.Handler = logging.StreamHandler(_original.get("stdout", sys.stdout))
    else:
        path = log_path(settings, name)
        with explained("write", str(path)):
            make_private_folder(path.parent)
            make_private_file(path)
            handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(formatter(settings))
    return handler


def log_path(settings: Settings, name: str) -> Path:
    """Where a process's log file is."""
    return settings.home_folder / "logs" / f"{name}.log"


def guard_output(settings: Settings, name: str) -> None:
    """Let all that this process writes to its output come without secrets, and as JSON where that is asked for.

    For processes whose output is a log: children, and workers. Loggers without a handler of their own, warnings and
    uncaught errors go the same way.
    """
    note_facts(role=name)
    for stream, level in (("stdout", "INFO"), ("stderr", "WARNING")):
        _original.setdefault(stream, getattr(sys, stream))
        setattr(sys, stream, _Lines(_original[stream], name, level, as_json=settings.log == "json"))
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(_original["stderr"])
        handler.setFormatter(formatter(settings))
        root.addHandler(handler)
    logging.captureWarnings(settings.log == "json")
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def reason_in(lines: Sequence[str]) -> str:
    """What the last of a process's log lines says, in a few words."""
    if not lines:
        return "it gave no reason"
    text = str(json.loads(lines[-1])["message"]) if _is_line(lines[-1]) else lines[-1]
    return redacted(text)[:200]


class OncePerMinute(logging.Filter):
    """Lets a warning through once a minute, however often it comes: a database that is away is asked twice a second."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        if record.levelno < logging.WARNING:
            return True
        now, key = record.created, (record.name, re.sub(r"[\d.]+", "#", record.getMessage())[:200])
        self._written = {known: when for known, when in self._written.items() if now - when < REPEAT_SECONDS}
        return self._written.setdefault(key, now) == now


class _Lines(io.TextIOBase):
    """A text stream in whose whole lines no secret is left; what is written at once stays one line of JSON."""

    def __init__(self, stream: TextIO, logger: str, level: str, *, as_json: bool) -> None:
        self._stream = stream
        self._logger = logger
        self._level = level
        self._as_json = as_json
        self._rest = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            self._rest += text
            if self._rest.endswith(("\n", "\r")) or len(self._rest) > LONGEST_LINE:
                self._emit()
        return len(text)

    def flush(self) -> None:
        with self._lock:
            if not self._as_json and self._rest:
                self._emit()
            self._stream.flush()

    def _emit(self) -> None:
        text, self._rest = self._rest, ""
        if not self._as_json:
            self._stream.write(redacted(text))
        elif text.strip():
            match = _LEVEL.match(text)
            level, logger = (match["level"], match["logger"]) if match else (self._level, self._logger)
            message = text[match.end() if match else 0 :].strip()
            line = message if _is_line(message) else json_line(level, logger, message)
            self._stream.write(line + "\n")
        self._stream.flush()


def _is_line(text: str) -> bool:
    """Whether a text is a log line already, such as one that a child has passed on."""
    if not text.startswith('{"time": ') or "\n" in text:
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("diet_explorer").critical("Ended by %s", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        _log_uncaught(given.exc_type, given.exc_value, given.exc_traceback)
