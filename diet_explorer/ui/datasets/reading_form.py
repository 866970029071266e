"""How a file is to be read, as a person says it on the page: encoding, delimiter, header, sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.drawing.plain import escape
from diet_explorer.errors import BadInputError
from diet_explorer.ui.shell.boundary import as_text

_CHOSEN = "reading-options"
_ENCODINGS = (
    "cp1252",
    "utf-8",
    "utf-16",
    "cp1250",
    "cp1251",
    "latin-1",
    "mac_roman",
    "gb18030",
    "big5",
    "shift_jis",
    "euc_kr",
    "cp1256",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1257",
    "euc_jp",
)
_WORDS = {
    "cp1252": "cp1252 · Western European, Windows",
    "utf-8": "utf-8",
    "utf-16": "utf-16 · Excel's Unicode text",
    "cp1250": "cp1250 · Central European, Windows",
    "cp1251": "cp1251 · Cyrillic, Windows",
    "latin-1": "latin-1 · Western European",
    "mac_roman": "mac_roman · Western European, old Mac",
    "gb18030": "gb18030 · Chinese, simplified",
    "big5": "big5 · Chinese, traditional",
    "shift_jis": "shift_jis · Japanese",
    "euc_kr": "euc_kr · Korean",
    "cp1256": "cp1256 · Arabic, Windows",
    "cp1253": "cp1253 · Greek, Windows",
    "cp1254": "cp1254 · Turkish, Windows",
    "cp1255": "cp1255 · Hebrew, Windows",
    "cp1257": "cp1257 · Baltic, Windows",
    "euc_jp": "euc_jp · Japanese, Unix",
}
_DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar", " ": "Space"}
_HEADER = {True: "Yes: it is the header", False: "No: it is a row like the others"}


def options_for(location: str) -> ReadingOptions:
    """What was chosen for a location in this session."""
    chosen: dict[str, ReadingOptions] = st.session_state.get(_CHOSEN, {})
    return chosen.get(location, DEFAULT_OPTIONS)


def draw_encoding_question(location: str, readings: Sequence[tuple[str, str]]) -> None:
    """Ask for the encoding of a file that is not UTF-8, right below the message that says so.

    `readings` are the likeliest encodings, and what a part of the file says in each.
    """
    chosen = options_for(location).encoding
    likely = dict(readings)
    names = [name for name in dict.fromkeys((*likely, *_ENCODINGS)) if name != chosen]
    with st.container(key="ask-encoding", horizontal=True, vertical_alignment="bottom", gap="small"):
        encoding = st.selectbox(
            "Encoding",
            names,
            key=_key("ask-encoding-box", f"{location} {chosen}"),
            format_func=lambda name: _WORDS.get(name, name),
            accept_new_options=True,
            help="The likeliest come first, by how the file reads in them. Another codec's name can be typed.",
        )
        if st.button("Read it so", key="read-encoding", type="primary") and encoding:
            _choose(location, encoding=encoding)
            st.rerun()
    if likely:
        lines = "".join(
            f"<tr><td>{escape(_WORDS.get(name, name))}</td><td>{escape(text)}</td></tr>" for name, text in readings
        )
        st.html(
            '<table class="de-list" aria-label="How the file reads"><thead><tr><th>In the encoding</th>'
            f"<th>the first such line reads</th></tr></thead><tbody>{lines}</tbody></table>"
        )


def draw_names_question(location: str) -> None:
    """Ask for names of the columns where those of the file cannot be used."""
    with st.container(key="ask-names", horizontal=True, vertical_alignment="bottom", gap="small"):
        names = st.text_input(
            "Names of the columns, with commas between them",
            key=_key("ask-names-box", location),
            placeholder="id, text, label",
        )
        if st.button("Use these names", key="read-names", type="primary") and names.strip():
            _choose(location, column_names=tuple(name.strip() for name in names.split(",")))
            st.rerun()
        if st.button("The file has no header", key="read-without-header"):
            _choose(location, header=False, column_names=None)
            st.rerun()


def draw_header_question(location: str, readings: Mapping[bool, pd.DataFrame | str], *, current: bool) -> None:
    """Ask whether the first line is a header, with the first rows of both readings."""
    with st.container(key="header-question", border=True, gap="small"):
        answer = st.radio(
            "Does the first line of the file name its columns (is it a header)?",
            [True, False],
            index=0 if current else 1,
            key=_key("header-answer", f"{location} {current}"),
            format_func=_HEADER.__getitem__,
            horizontal=True,
        )
        for column, (header, preview) in zip(st.columns(2, gap="small"), readings.items(), strict=True):
            with column, st.container(key=f"reading-{'header' if header else 'rows'}", gap="small"):
                st.caption(f"{'With' if header else 'Without'} a header{' · chosen' if header == current else ''}")
                if isinstance(preview, str):
                    st.caption(as_text(preview))
                else:
                    st.dataframe(preview, hide_index=True, height=38 + 35 * len(preview))
    if answer is not current:
        _choose(location, header=answer)
        st.rerun()


def draw_reading_options(location: str, *, text: bool, cells: bool, sheet: bool) -> None:
    """The choices of how a file is read, folded away; `text` has an encoding, `cells` have a delimiter."""
    if not (text or cells or sheet):
        return
    options = options_for(location)
    changed: dict[str, Any] = {}
    with st.popover("How the file is read", icon=":material/tune:", key="reading-options"):
        if text:
            changed["encoding"] = _box("Encoding", _ENCODINGS, _WORDS, options.encoding, location)
        if cells:
            changed["delimiter"] = _box("Delimiter", tuple(_DELIMITERS), _DELIMITERS, options.delimiter, location)
            names = ", ".join(options.column_names or ())
            given = st.text_input(
                "Names of the columns",
                names,
                key=_key("names", f"{location} {names}"),
                placeholder="as in the file; or with commas between them",
            )
            changed["column_names"] = tuple(name.strip() for name in given.split(",")) if given.strip() else None
        if sheet:
            given = st.text_input(
                "Sheet", options.sheet or "", key=_key("sheet", location), placeholder="the first with rows"
            )
            changed["sheet"] = given.strip() or None
    if any(getattr(options, name) != value for name, value in changed.items()):
        _choose(location, **changed)
        st.rerun()


def _box(
    title: str, values: tuple[str, ...], words: Mapping[str, str], chosen: str | None, location: str
) -> str | None:
    known = values if chosen is None or chosen in values else (chosen, *values)
    box: str | None = st.selectbox(
        title,
        known,
        index=None if chosen is None else known.index(chosen),
        key=_key(f"reading-{title.lower()}", f"{location} {chosen}"),
        format_func=lambda name: words.get(name, name),
        placeholder="found out by itself",
        accept_new_options=True,
    )
    return box


def _choose(location: str, **changed: Any) -> None:
    """Keep choices; one that cannot be meant is said, and the others stay."""
    try:
        options = replace(options_for(location), **changed)
    except BadInputError as error:
        st.session_state[_REFUSED] = error
        return
    st.session_state[_CHOSEN] = {**st.session_state.get(_CHOSEN, {}), location: options}


def refused_choice() -> BadInputError | None:
    """Why the latest choice could not be taken, once."""
    error: BadInputError | None = st.session_state.pop(_REFUSED, None)
    return error


def _key(name: str, of: str) -> str:
    return f"{name}-{hashlib.sha256(of.encode()).hexdigest()[:12]}"


_REFUSED = "refused-reading"
