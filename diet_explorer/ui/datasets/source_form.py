"""From a file, a path or a name on the Hub to a mapped, checked source that is ready to import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from diet_explorer.data.columns import ColumnMapping, MappingGuess, guess_mapping
from diet_explorer.data.readers.formats import formats_in_words
from diet_explorer.data.readers.nested import NestedSource, nested_fields
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Source
from diet_explorer.data.report import ValidationReport
from diet_explorer.data.validation import validate
from diet_explorer.errors import BadInputError
from diet_explorer.ui.datasets.uploads import called_as_uploaded, drop_upload, keep_upload
from diet_explorer.ui.shell.boundary import as_text
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.uploaders import allow_upload
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset

CHECKED_ROWS = 50_000
_PREVIEW_ROWS = 20
_BY_ONE, _BY_PEOPLE = "One label per row", "Labels by several people"
_KINDS = {"upload": "Upload a file", "path": "Path on this machine", "hub": "Hugging Face Hub"}
_ROLES = (
    ("text", "Text", True),
    ("text_pair", "Second text", False),
    ("label", "Label", True),
    ("id", "Id", False),
    ("split", "Split", False),
)
_READING_ROWS = 3
_UPLOAD, _OPENED, _CHECKED, _SKIPPABLE = "kept-upload", "opened-source", "checked-source", "skippable-labels"


@dataclass(frozen=True)
class OpenedSource:
    """A source with what the form shows of it."""

    stamp: str
    source: Source
    columns: list[str]  # with the fields inside their objects
    preview: pd.DataFrame
    guess: MappingGuess
    readings: dict[bool, pd.DataFrame | str]  # the first rows with and without a header, or why not; where it is asked


def draw_location() -> str | None:
    """Draw the choice of where the data comes from; a location for `open_source`, None while there is none."""
    kind = st.segmented_control(
        "Where is the data?",
        list(_KINDS),
        key="source-kind",
        default="upload",
        format_func=_KINDS.__getitem__,
        required=True,
        label_visibility="collapsed",
    )
    if kind == "upload":
        return _uploaded()
    if kind == "path":
        path = st.text_input(
            "File or folder",
            key="source-path",
            placeholder="/data/reviews.csv, or a folder with train.csv and test.csv",
            help=f"{formats_in_words()}. Or a folder or a glob of such files whose names are splits, or one "
            "that datasets saved; on the machine the app runs on.",
        ).strip()
        return path or None
    name = st.text_input(
        "Name on the Hub",
        key="source-hub",
        placeholder="owner/name, owner/name:configuration, or owner/name[split]",
        help="The app downloads it; this needs a network.",
    ).strip()
    return f"hub:{name.removeprefix('hub:')}" if name else None


def opened(location: str, options: ReadingOptions) -> OpenedSource:
    """Open a location once per session, and again when the file or the choices change.

    Raises
    ------
    BadInputError
        There is nothing usable at that location.
    """
    workspace = open_workspace()
    workspace.context.allow("lead", "import data")  # before anything on this machine is looked at
    stamp = hashlib.sha256(f"{location} {_version(location)} {options}".encode()).hexdigest()[:12]
    known: OpenedSource | None = st.session_state.get(_OPENED)
    if known is not None and known.stamp == stamp:
        return known
    with st.spinner("Reading the first rows …"), called_as_uploaded(_upload_path()):
        source = _source(location, options)
        preview = source.preview(_PREVIEW_ROWS)
        fields = nested_fields(source)
        columns = [name for column in source.columns() for name in fields.get(column, [column])]
        is_asked = options.header is not None or any(notice.setting == "header" for notice in source.notices)
        readings = _both_readings(location, options) if is_asked else {}
        guess = _guess(source, columns)
    entry = OpenedSource(stamp, source, columns, preview, guess, readings)
    st.session_state[_OPENED] = entry
    return entry


def _source(location: str, options: ReadingOptions) -> Source:
    upload = _upload_path()
    if upload is not None and location == str(upload):
        return open_workspace().open_upload(upload, options)
    return open_workspace().open_source(location, options)


def _both_readings(location: str, options: ReadingOptions) -> dict[bool, pd.DataFrame | str]:
    readings: dict[bool, pd.DataFrame | str] = {}
    for header in (True, False):
        try:
            readings[header] = _source(location, replace(options, header=header)).preview(_READING_ROWS)
        except BadInputError as error:
            readings[header] = error.message
    return readings


def _guess(source: Source, columns: list[str]) -> MappingGuess:
    """A mapping by names and values; fields inside objects go by the last part of their paths where that is unique."""
    paths = [name for name in columns if name not in source.columns()]
    preview = NestedSource(source, paths).preview(_PREVIEW_ROWS) if paths else source.preview(_PREVIEW_ROWS)
    short = {name: name.rpartition(".")[2] if name in paths else name for name in columns}
    names = list(short.values())
    short = {name: word if names.count(word) == 1 else name for name, word in short.items()}
    full = {word: name for name, word in short.items()}
    guess = guess_mapping(list(full), preview[columns].rename(columns=short))
    return MappingGuess(**{role: None if name is None else full[name] for role, name in asdict(guess).items()})


def draw_mapping(entry: OpenedSource) -> ColumnMapping | None:
    """Draw one select box per role, and one for several people's labels where that is chosen; the mapping, or None
    while a needed role is open."""
    chosen: dict[str, Any] = {}
    of_people = st.session_state.get(f"label-kind-{entry.stamp}") == _BY_PEOPLE
    for column, (role, title, needed) in zip(st.columns(len(_ROLES), gap="small"), _ROLES, strict=True):
        # Beside people's labels a column of the label is a choice, which nothing guesses.
        is_majority = of_people and role == "label"
        guess = None if is_majority else getattr(entry.guess, role)
        with column, st.container(key=f"map-{role}"):
            chosen[role] = st.selectbox(
                title,
                entry.columns,
                index=None if guess is None else entry.columns.index(guess),
                key=f"map-{'further-' if is_majority else ''}{role}-{entry.stamp}",
                placeholder="majority" if is_majority else "Choose" if needed else "none",
            )
    people = _draw_people(entry, has_label=chosen["label"] is not None)
    if chosen["text"] is None or not (chosen["label"] or people.annotators) or (of_people and not people.annotators):
        return None
    skipped = st.session_state.get(_skip_key(entry, [chosen["label"], *people.annotators])) or ()
    return replace(people, **chosen, skip_labels=tuple(skipped))


def _draw_people(entry: OpenedSource, *, has_label: bool) -> ColumnMapping:
    """Draw the choice between one label per row and several people's, with the columns of these; a mapping that has
    only them."""
    with st.container(key="label-kind", horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control(
            "Labels",
            [_BY_ONE, _BY_PEOPLE],
            key=f"label-kind-{entry.stamp}",
            default=_BY_ONE,
            required=True,
            label_visibility="collapsed",
            help="By several people: the label is what most of them say, and how many say otherwise is kept.",
        )
        if kind != _BY_PEOPLE:
            return ColumnMapping("", None)
        skip_ties = not has_label and st.checkbox("Leave ties out", key=f"skip-ties-{entry.stamp}")
    with st.container(key="map-annotators"):
        annotators = st.multiselect(
            "Columns of these people's labels; in a tie the first counts",
            entry.columns,
            key=f"map-annotators-{entry.stamp}",
            placeholder="Choose one per person, or one that holds lists of labels",
        )
    return ColumnMapping("", None, annotators=tuple(annotators), skip_ties=bool(skip_ties and annotators))


def draw_skipped_labels(entry: OpenedSource, mapping: ColumnMapping, report: ValidationReport) -> None:
    """Offer to leave out, by one click each, the labels that look like none."""
    seen: dict[str, list[str]] = st.session_state.setdefault(_SKIPPABLE, {})
    key = _skip_key(entry, [mapping.label, *mapping.annotators])
    seen[key] = list(dict.fromkeys([*seen.get(key, []), *report.no_labels, *mapping.skip_labels]))
    if seen[key]:
        with st.container(key="skip-labels"):
            st.pills(
                "Labels that are none: leave out their rows",
                seen[key],
                selection_mode="multi",
                key=key,
                format_func=as_text,
            )


def _skip_key(entry: OpenedSource, columns: Sequence[str | None]) -> str:
    return f"skip-labels-{hashlib.sha256(f'{entry.stamp} {columns}'.encode()).hexdigest()[:12]}"


def draw_name(entry: OpenedSource) -> str | None:
    """Draw the box for the dataset's name; None where it is left empty."""
    with st.container(key="dataset-name"):
        name = st.text_input("Name of the dataset", entry.source.name, key=f"dataset-name-{entry.stamp}", max_chars=120)
    return name.strip() or None


def checked(entry: OpenedSource, mapping: ColumnMapping) -> ValidationReport:
    """Check the first rows under a mapping, once per source and mapping."""
    stamp = f"{entry.stamp} {mapping}"
    known = st.session_state.get(_CHECKED)
    if known is not None and known[0] == stamp:
        report: ValidationReport = known[1]
        return report
    with st.spinner("Checking the rows …"), called_as_uploaded(_upload_path()):
        report = validate(entry.source, mapping, limit=CHECKED_ROWS)
    st.session_state[_CHECKED] = (stamp, report)
    return report


def import_source(
    entry: OpenedSource, mapping: ColumnMapping, name: str | None, progress: Callable[[float, str], None]
) -> Dataset:
    """Import what was opened under a mapping.

    Raises
    ------
    BadInputError
        The source cannot be imported; see `Workspace.import_dataset`.
    """
    with called_as_uploaded(_upload_path()):
        return open_workspace().import_dataset(
            entry.source,
            text=mapping.text,
            label=mapping.label,
            text_pair=mapping.text_pair,
            id=mapping.id,
            split=mapping.split,
            skip_labels=mapping.skip_labels,
            annotators=mapping.annotators,
            skip_ties=mapping.skip_ties,
            name=name,
            progress=progress,
        )


def forget_source() -> None:
    """Drop the upload and what was read of it, after the import."""
    upload = st.session_state.pop(_UPLOAD, None)
    if upload is not None:
        drop_upload(upload[1])
    for key in (_OPENED, _CHECKED):
        st.session_state.pop(key, None)


def _uploaded() -> str | None:
    settings = open_workspace().settings
    if open_workspace().context.may("lead"):
        allow_upload()
    file = st.file_uploader(
        "File",
        key="upload",
        max_upload_size=settings.upload_limit_mb,
        label_visibility="collapsed",
        help=f"{formats_in_words()}. One example per row; a zip archive may hold a file per split.",
    )
    kept: tuple[str, Path] | None = st.session_state.get(_UPLOAD)
    if kept is not None and (file is None or kept[0] != file.file_id):
        drop_upload(kept[1])
        kept = st.session_state.pop(_UPLOAD) and None
    if file is None:
        return None
    if kept is None:
        if file.size == 0:
            raise BadInputError(f"The file {file.name} is empty.", "Upload a file with a header and at least two rows.")
        who = person()
        kept = (file.file_id, keep_upload(settings, file.name, file, owner=who.name if who else ""))
        st.session_state[_UPLOAD] = kept
    return str(kept[1])


def _upload_path() -> Path | None:
    kept: tuple[str, Path] | None = st.session_state.get(_UPLOAD)
    return None if kept is None else kept[1]


def _version(location: str) -> str:
    path = Path(location)
    if location.startswith("hub:") or not path.is_file():
        return ""
    facts = path.stat()
    return f"{facts.st_mtime_ns} {facts.st_size}"
