"""The labelling tools that work is sent to and taken back from; a new one is a module and a line here."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.elsewhere import argilla, doccano, label_studio, prodigy, spreadsheet
from diet_explorer.review.elsewhere.records import Records, records_of
from diet_explorer.review.elsewhere.work import Answer, Work

_EVERYBODY = "all"
_ZIPPED = b"PK\x03\x04"
_LOOKED_AT = 20
_MOST_UNPACKED = 1 << 31


@dataclass(frozen=True)
class Setup:
    """What a tool has to be told about the classes before it takes the examples."""

    title: str
    file_name: str  # behind the name of the file with the examples
    text_of: Callable[[Work], str]


@dataclass(frozen=True)
class Tool:
    """One labelling tool."""

    name: str
    title: str
    ending: str
    tasks_of: Callable[[Work], Iterator[str]]
    answers_of: Callable[[Records], Iterator[Answer]]
    is_from: Callable[[dict[str, Any]], bool]
    records_of: Callable[[bytes], Records] = records_of
    setup: Setup | None = None


_ALL = (
    Tool(
        label_studio.NAME,
        label_studio.TITLE,
        label_studio.ENDING,
        label_studio.tasks_of,
        label_studio.answers_of,
        label_studio.is_from,
        setup=Setup(label_studio.SETUP_TITLE, label_studio.SETUP_FILE, label_studio.setup_of),
    ),
    Tool(
        argilla.NAME,
        argilla.TITLE,
        argilla.ENDING,
        argilla.tasks_of,
        argilla.answers_of,
        argilla.is_from,
        setup=Setup(argilla.SETUP_TITLE, argilla.SETUP_FILE, argilla.setup_of),
    ),
    Tool(
        doccano.NAME,
        doccano.TITLE,
        doccano.ENDING,
        doccano.tasks_of,
        doccano.answers_of,
        doccano.is_from,
        setup=Setup(doccano.SETUP_TITLE, doccano.SETUP_FILE, doccano.setup_of),
    ),
    Tool(prodigy.NAME, prodigy.TITLE, prodigy.ENDING, prodigy.tasks_of, prodigy.answers_of, prodigy.is_from),
    Tool(
        spreadsheet.NAME,
        spreadsheet.TITLE,
        spreadsheet.ENDING,
        spreadsheet.tasks_of,
        spreadsheet.answers_of,
        spreadsheet.is_from,
        spreadsheet.lines_of,
    ),
)
TOOLS: dict[str, Tool] = {tool.name: tool for tool in _ALL}


def tool(name: str) -> Tool:
    """The tool of a name; NotFoundError where there is none."""
    if name not in TOOLS:
        raise NotFoundError(f"There is no labelling tool {name!r}.", f"Choose one of: {', '.join(TOOLS)}.")
    return TOOLS[name]


def answers_in(content: bytes, name: str | None = None) -> tuple[Tool, list[Answer]]:
    """The tool that a file is of, and its answers.

    Parameters
    ----------
    content : bytes
        Of the file; of a ZIP file every file in it is read, as that of the person whose name it has.
    name : str, optional
        Of the tool; by default it is known by what the file looks like.

    Raises
    ------
    NotFoundError
        There is no such tool.
    BadInputError
        The file cannot be read, or is of none of the tools.
    """
    chosen = None if name is None else tool(name)
    if not content.startswith(_ZIPPED):
        return _answers(content, chosen)
    answers: list[Answer] = []
    for person, inside in _unpacked(content):
        chosen, more = _answers(inside, chosen)
        answers += [answer if answer.annotator else replace(answer, annotator=person) for answer in more]
    if chosen is None:
        raise BadInputError("The ZIP file is empty.", "Give the file that the tool exported.")
    return chosen, answers


def _answers(content: bytes, chosen: Tool | None) -> tuple[Tool, list[Answer]]:
    if not content.strip():
        raise BadInputError("The file is empty.", "Give the file that the tool exported.")
    if chosen is None:
        is_json = content.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in (b"[", b"{")
        records = records_of(content) if is_json else spreadsheet.lines_of(content)
        chosen = next((tool for tool in _ALL if all(tool.is_from(record) for _, record in records[:_LOOKED_AT])), None)
        if chosen is None:
            titles = ", ".join(tool.title for tool in _ALL)
            raise BadInputError(
                f"The file is of none of these: {titles}.", "Give the file that the tool exported, and name the tool."
            )
    else:
        records = chosen.records_of(content)
    return chosen, list(chosen.answers_of(records))


def _unpacked(content: bytes) -> Iterator[tuple[str | None, bytes]]:
    """The files of a ZIP file, each with the person by whose name it is called."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if any(entry.filename.startswith("xl/") for entry in entries):
                raise BadInputError("The file is an Excel workbook.", "In Excel, save the sheet as CSV UTF-8.")
            if sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
                raise BadInputError("The ZIP file is larger than 2 GB when it is unpacked.", "Give a part of it.")
            for entry in entries:
                person = PurePath(entry.filename).stem
                yield None if person == _EVERYBODY else person, archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise BadInputError(f"The ZIP file cannot be read: {error}.", "Export it again.") from error
