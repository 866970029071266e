"""Sources that cannot become a dataset, and what is left behind then: nothing."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.data import importing
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.validation import validate
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.store.files import Files
from tests.data.importer import MAPPING, Importer

SPLIT = ColumnMapping(text="text", label="label", split="split")
CASES = {
    "no rows": ("text,label\n", MAPPING, "has no rows", "rows below the header"),
    "one row": ("text,label\nfine,a\n", MAPPING, "All 1 usable rows have the same label 'a'", "two classes"),
    "one class": ("text,label\n" + "fine,a\n" * 9, MAPPING, "the same label 'a'", "another label column"),
    "nothing usable": (
        "text,label\n,a\n,b\nc,\n",
        MAPPING,
        "None of the 3 rows can be used: 2 × empty text",
        "Fill in the text",
    ),
    "only ragged": ("text,label\na\nb\n", MAPPING, "None of the 2 rows can be used: 2 × ragged row", "double quotes"),
    "mostly unlabelled": (
        "text,label\n" + "fine,a\n" * 3 + "good,\n" * 9,
        MAPPING,
        "All 3 usable rows have the same label 'a'. 9 of 12 rows cannot be used and are set aside: 9 × empty label.",
        "Label the row",
    ),
    "no train": (
        "text,label,split\na,x,test\nb,y,dev\n",
        SPLIT,
        "column 'split' has 'test', 'validation'",
        "Name one split train",
    ),
    "train unusable": ("text,label,split\n,x,train\nb,y,test\n", SPLIT, "No usable row is in the train split", "train"),
    "free text": (
        "text,label\n" + "".join(f"t{n},opinion number {n}\n" for n in range(200)),
        MAPPING,
        "200 different labels in 200 rows",
        "class names",
    ),
    "measurements": (
        "text,label\n" + "".join(f"t{n},{n % 60 / 7:.4f}\n" for n in range(600)),
        MAPPING,
        "numbers with 60 different values",
        "cut the numbers",
    ),
    "too many splits": (
        "text,label,split\n" + "".join(f"t{n},a,s{n}\n" for n in range(101)),
        SPLIT,
        "more than 100 different values",
        "train and test",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(importer: Importer, case: str) -> None:
    content, mapping, message, remedy = CASES[case]
    with pytest.raises(BadInputError) as caught:
        importer.run("t.csv", content, mapping)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert not importer.left_behind()


@pytest.mark.parametrize("case", [case for case in CASES if case != "too many splits"])
def test_the_dry_run_says_so_too(importer: Importer, case: str) -> None:
    content, mapping, message, remedy = CASES[case]
    report = validate(importer.open("t.csv", content), mapping)
    assert message in report.refusals[0][0]
    assert remedy in report.refusals[0][1]


def test_more_labels_than_are_allowed(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_MAX_CLASSES", "50")
    with pytest.raises(BadInputError, match="more than 50 different labels"):
        importer.run("t.csv", "text,label\n" + "".join(f"a,l{n}\n" for n in range(51)))


def test_missing_column_names_the_others_and_the_nearest(importer: Importer) -> None:
    with pytest.raises(BadInputError) as caught:
        importer.run("t.csv", 'Texts ,"la""bel",n\na,b,c\n', ColumnMapping(text="text", label='la"bel'))
    assert caught.value.message == "There is no column 'text' for the text."
    assert caught.value.remedy == "Did you mean 'Texts'? The columns are 'Texts', 'la\"bel', 'n'."


def test_one_column_in_two_roles(importer: Importer) -> None:
    with pytest.raises(BadInputError, match="'text' is mapped to both text and label"):
        importer.run("t.csv", "text,b\na,b\n", ColumnMapping(text="text", label="text"))


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (pa.array([["a"], ["b"]]), "text"),
        (pa.array([[0.1], [0.2]]), "text"),
        (pa.array([b"a", b"b"]), "text"),
        (pa.array([b"a", b"b"]), "label"),
    ],
)
def test_columns_that_are_no_text(importer: Importer, values: pa.Array, role: str) -> None:
    path = importer.folder / "t.parquet"
    other = "label" if role == "text" else "text"
    pq.write_table(pa.table({role: values, other: ["x", "y"]}), path)
    with pytest.raises(BadInputError, match=f"Column '{role}' holds .*, not text"):
        import_examples(open_source(path), MAPPING, importer.files)
    assert not importer.left_behind()


def test_a_row_longer_than_a_block(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_MAX_ROW_MB", "1")
    with pytest.raises(BadInputError, match="after line 3 is longer than 1 MB"):
        importer.run("t.csv", f"text,label\na,b\n{'w' * (3 << 20)},c\n")


def test_read_only_workspace(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    source = importer.open("t.csv", "text,label\na,x\nb,y\n")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WorkspaceError, match="read-only"):
        import_examples(source, MAPPING, importer.files)
    monkeypatch.undo()
    assert not importer.left_behind()


@pytest.mark.parametrize("written", [0, 1_000, 60_000])
def test_full_disk(importer: Importer, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """The disk is full after some bytes of the examples: a real file that stops taking more."""

    class FullDisk(io.FileIO):
        def write(self, data: object) -> int:
            if self.tell() + len(memoryview(data)) > written:  # type: ignore[arg-type]
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    real_open: Any = open

    def open_full(file: Any, mode: str = "r", *args: object, **options: object) -> object:
        is_written = str(file).endswith(".tmp")
        return FullDisk(str(file), "w") if is_written else real_open(file, mode, *args, **options)

    source = importer.open("t.csv", "text,label\n" + "".join(f"text {n * n},{n % 2}\n" for n in range(20_000)))
    monkeypatch.setattr("builtins.open", open_full)
    with pytest.raises(WorkspaceError, match="no space left"):
        import_examples(source, MAPPING, importer.files)
    monkeypatch.undo()
    assert not importer.left_behind()


def test_a_source_that_changes_between_the_readings(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = importer.write("t.csv", "text,label\na,x\nb,y\n")
    survey: Any = importing.__dict__["survey"]

    def survey_and_append(*args: object, **options: object) -> object:
        found = survey(*args, **options)
        with path.open("a") as file:
            file.write("c,x\n")
        return found

    monkeypatch.setattr(importing, "survey", survey_and_append)
    with pytest.raises(BadInputError, match="changed while it was being read"):
        import_examples(open_source(path), MAPPING, importer.files)
    assert not importer.left_behind()


def test_a_limited_dry_run_refuses_nothing(importer: Importer) -> None:
    content = "text,label\n" + "a,x\n" * 50 + "b,y\n" * 50
    report = validate(importer.open("t.csv", content), MAPPING, limit=30)
    assert (report.rows_read, report.complete, report.refusals) == (30, False, [])
    assert report.classes == {"x": {"train": 30}}


def test_interrupted_import_leaves_nothing(importer: Importer) -> None:
    def stop(share: float, message: str) -> None:
        if message.startswith("Wrote"):
            raise KeyboardInterrupt

    source = importer.open("t.csv", "text,label\na,x\nb,y\n")
    with pytest.raises(KeyboardInterrupt):
        import_examples(source, MAPPING, importer.files, progress=stop)
    assert not importer.left_behind()


def test_a_dataset_from_a_newer_version(importer: Importer) -> None:
    manifest = importer.run("t.csv", "text,label\na,x\nb,y\n")
    path = Path(importer.files.root) / "datasets" / manifest.id / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(WorkspaceError, match="format version 99"):
        type(manifest).load(Files(importer.files.root), manifest.id)
