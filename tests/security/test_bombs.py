"""Small files that would take all memory, disk or time: each is refused by a limit that says which, in flat memory."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.config import load_settings
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.dataset_card import Configuration
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.validation import validate
from diet_explorer.errors import BadInputError, LimitError
from diet_explorer.ui.datasets.uploads import drop_upload, keep_upload
from tests.data.importer import MAPPING, Importer

MB = 1 << 20
ROWS = '{"text": "fine", "label": "a"}\n{"text": "bad", "label": "b"}\n' * 20
MOST_MB = 300


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def _packed(name: str, pack: Callable[[bytes], bytes], piece: bytes, times: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(pack(piece) * times)
        return folder / name

    return make


def _endless(folder: Path) -> Path:
    (folder / "t.jsonl.gz").write_bytes(gzip.compress(b'{"text": "') + gzip.compress(b"a" * MB) * 80)
    return folder / "t.jsonl.gz"


def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", b"a,b\n" * (20 * MB))
    return folder / "t.zip"


def _files(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "t.zip", "w") as archive:
        for number in range(40):
            archive.writestr(f"{'ab'[number % 2]}/{number}.txt", "x")
    return folder / "t.zip"


def _workbook(name: str, old: str, new: str) -> Callable[[Path], Path]:
    """A workbook of which one part is changed."""

    def make(folder: Path) -> Path:
        book = openpyxl.Workbook()
        for row in [["text", "label"], ["one", "a"], ["two", "b"]]:
            book.active.append(row)
        book.save(folder / "good.xlsx")
        with (
            zipfile.ZipFile(folder / "good.xlsx") as good,
            zipfile.ZipFile(folder / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for member in good.namelist():
                content = good.read(member).decode()
                archive.writestr(member, content.replace(old, new) if member == name else content)
        return folder / "t.xlsx"

    return make


def _repeated(folder: Path) -> Path:
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, dtype=np.int32)), pa.array(["x" * MB]))
    table = pa.table({"text": texts, "label": ["a", "b"] * 50_000})
    pq.write_table(table, folder / "t.parquet", compression="zstd", store_schema=False)
    return folder / "t.parquet"


def _runs(folder: Path) -> Path:
    column = pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array(["x"]))
    table = pa.table({"text": column, "label": column})
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    return folder / "t.arrow"


def _rows(folder: Path) -> Path:
    empty = pa.array([""] * 8_000_000)
    pq.write_table(pa.table({"text": empty, "label": empty}), folder / "t.parquet", compression="zstd")
    return folder / "t.parquet"


SHEET = "xl/worksheets/sheet1.xml"
END = "</sheetData>"
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet '
ATTACKS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a row without an end, gzip": (_endless, "RATIO"),
    "gzip": (_packed("t.csv.gz", gzip.compress, b"a,b\n" * MB, 20), "RATIO"),
    "bz2": (_packed("t.csv.bz2", bz2.compress, b"a,b\n" * (MB // 8), 160), "RATIO"),
    "xz": (_packed("t.csv.xz", lzma.compress, b"a,b\n" * MB, 20), "RATIO"),
    "zip": (_zip, "RATIO"),
    "a row without an end, CSV": (_text("t.csv", "text,label\na,b\n" + "x" * (60 * MB)), "ROW_MB"),
    "an open quote": (_text("t.csv", 'text,label\na "q" b,"c" d\n"' + "x" * (50 * MB)), "ROW_MB"),
    "a row without an end, JSON Lines": (_text("t.jsonl", ROWS + '{"text": "' + "x" * (20 * MB)), "ROW_MB"),
    "a row without an end, JSON": (_text("t.json", '[{"text": "' + "x" * (40 * MB)), "ROW_MB"),
    "an object without an end": (_text("t.json", '{"text": "' + "x" * (130 * MB)), "DOCUMENT_MB"),
    "a cell": (_text("t.jsonl", ROWS + json.dumps({"text": "x" * (9 * MB), "label": "a"})), "CELL_MB"),
    "a class": (_text("t.csv", "text,label\na," + "x" * 2_000 + "\nb,c\n"), "CLASS_CHARACTERS"),
    "columns, CSV": (_text("t.csv", "text,label," + ",".join(map(str, range(200_000))) + "\n"), "COLUMNS"),
    "columns, JSON Lines": (_text("t.jsonl", json.dumps(dict.fromkeys(map(str, range(20_000)), 1))), "COLUMNS"),
    "nested lists in an array": (_text("t.json", '[{"text": "a", "m": ' + "[" * 900 + "]" * 900 + "}]"), "DEPTH"),
    "nested lists, deeper": (_text("t.json", '[{"text": "a", "m": ' + "[" * 90_000 + "]" * 90_000 + "}]"), "DEPTH"),
    "nested lists in a document": (_text("t.json", '{"d": [{"m": ' + "[" * 900 + "]" * 900 + "}]}"), "DEPTH"),
    "lists in a row": (_text("t.json", '[{"text": "a", "m": [' + "[]," * 200_000 + "[]]}]"), "PARTS"),
    "a text for all rows, Parquet": (_repeated, "RATIO"),
    "a run of two milliards, Arrow": (_runs, "RATIO"),
    "rows of nothing, Parquet": (_rows, "RATIO"),
    "strings of a workbook": (_workbook(SHEET, END, "<row><c><v>1</v></c></row>" * 3_000_000 + END), "RATIO"),
    "a wide sheet": (_workbook(SHEET, END, '<row r="9"><c r="XFD9"><v>1</v></c></row>' + END), "COLUMNS"),
    "a cell of a workbook": (_workbook(SHEET, END, f"<row><c><v>{'7' * 9 * MB}</v></c></row>{END}"), "CELL_MB"),
}
_IN_A_PROCESS = """
import resource, sys
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.validation import validate
from diet_explorer.errors import LimitError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
for path in sys.argv[1:]:
    try:
        validate(open_source(path), ColumnMapping(text="text", label="label"))
    except LimitError as error:
        print(path, error.setting, peak() - before, sep="|")
"""


def test_attacks_are_refused_in_flat_memory(tmp_path: Path) -> None:
    paths = {}
    for number, (make, setting) in enumerate(ATTACKS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths[str(make(folder))] = setting
    arguments = [sys.executable, "-c", _IN_A_PROCESS, *paths]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stderr
    answers = [line.split("|") for line in done.stdout.splitlines()]
    assert {path: setting.removeprefix("DIET_EXPLORER_MAX_") for path, setting, _ in answers} == paths
    assert max(int(peak) for *_, peak in answers) < MOST_MB


@pytest.mark.parametrize("attack", ["a class", "columns, CSV", "nested lists in an array", "a wide sheet"])
def test_the_message_names_place_limit_and_setting(tmp_path: Path, attack: str) -> None:
    make, setting = ATTACKS[attack]
    path = make(tmp_path)
    with pytest.raises(LimitError) as caught:
        validate(open_source(path), MAPPING)
    assert path.name in caught.value.message
    limit = getattr(current_limits(), setting.lower())
    assert f"{limit:,}" in caught.value.message
    assert f"DIET_EXPLORER_MAX_{setting}" in caught.value.remedy


def test_limits_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ATTACKS["a class"][0](tmp_path)
    monkeypatch.setenv("DIET_EXPLORER_MAX_CLASS_CHARACTERS", "5000")
    assert validate(open_source(path), MAPPING).rows_kept == 2
    monkeypatch.setenv("DIET_EXPLORER_MAX_CLASS_CHARACTERS", "many")
    with pytest.raises(BadInputError, match="DIET_EXPLORER_MAX_CLASS_CHARACTERS cannot be used"):
        open_source(path)


@pytest.mark.parametrize(("make", "setting"), [(_files, "FILES"), (_rows, "ROWS")])
def test_numbers_of_files_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], setting: str
) -> None:
    monkeypatch.setenv(f"DIET_EXPLORER_MAX_{setting}", "30")
    monkeypatch.setenv("DIET_EXPLORER_MAX_RATIO", "1000000")
    with pytest.raises(LimitError) as caught:
        validate(open_source(make(tmp_path)), MAPPING)
    assert caught.value.setting == f"DIET_EXPLORER_MAX_{setting}"


def test_uploads_of_one_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_MAX_UPLOADS_MB", "2")
    settings = load_settings(home=str(tmp_path))
    kept = keep_upload(settings, "a.csv", io.BytesIO(b"x" * (MB + 1)), owner="ann")
    with pytest.raises(LimitError, match="your uploads would take"):
        keep_upload(settings, "b.csv", io.BytesIO(b"x" * MB), owner="ann")
    keep_upload(settings, "b.csv", io.BytesIO(b"x" * MB), owner="bea")
    drop_upload(kept)
    assert keep_upload(settings, "b.csv", io.BytesIO(b"x" * MB), owner="ann").read_bytes() == b"x" * MB


@pytest.mark.parametrize("depth", [63, 65, 990, 100_000])
@pytest.mark.parametrize("brackets", ["[]", ("{'a':".replace("'", '"'), "}")])
def test_a_deep_row_of_json_lines_costs_only_itself(importer: Importer, depth: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    value = opening * depth + ("1" if closing == "}" else "") + closing * depth
    content = f'{ROWS}{{"text": "deep", "label": "a", "m": {value}}}\n'
    manifest = importer.run("t.jsonl", content)
    assert manifest.rows == 40 + (depth < 64)
    assert manifest.report["set_aside"] == ({} if depth < 64 else {"nested too deeply": 1})


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_a_number_of_many_digits_keeps_them(importer: Importer, ending: str) -> None:
    digits = "1" + "0" * 100_000
    rows = [f'{{"text": "t{n}", "label": "{"ab"[n % 2]}", "n": {digits}}}' for n in range(4)]
    content = "\n".join(rows) if ending == "jsonl" else f"[{','.join(rows)}]"
    manifest = importer.run(f"t.{ending}", content)
    assert [row["meta.n"] for row in importer.examples(manifest)] == [digits] * 4


def test_labels_of_many_digits_are_sorted(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_MAX_CLASS_CHARACTERS", "10000")
    long = "9" * 5_000
    content = "text,label\n" + "".join(f"t{n},{(long, '10', '9')[n % 3]}\n" for n in range(30))
    assert importer.run("t.csv", content).classes == ["9", "10", long]


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml"])
def test_a_workbook_declares_no_entities(tmp_path: Path, part: str) -> None:
    tag = "<worksheet " if part == SHEET else "<workbook "
    with pytest.raises(BadInputError, match="declares entities"):
        open_source(_workbook(part, tag, ENTITIES.replace("<worksheet ", tag))(tmp_path))


def test_a_workbook_that_claims_all_rows_and_columns_is_read(tmp_path: Path) -> None:
    source = open_source(_workbook(SHEET, "A1:B3", "A1:XFD1048576")(tmp_path))
    assert len(source.preview()) == 2


def test_a_row_number_that_no_sheet_has(tmp_path: Path) -> None:
    far = '<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'
    with pytest.raises(BadInputError, match="more than 1,048,576 rows"):
        validate(open_source(_workbook(SHEET, END, far + END)(tmp_path)), MAPPING)


@pytest.mark.parametrize("line", [" " * 1_000_000 + "x", " __label__a" * 100_000 + " x", "__label__a " * 100_000])
def test_blanks_and_labels_of_fasttext_take_no_time(importer: Importer, line: str) -> None:
    content = "__label__a good film\n__label__b bad film\n" * 20 + line + "\n"
    assert importer.open("t.txt", content).preview(100).shape[0] in (40, 41)


def test_stars_of_a_pattern_take_no_time() -> None:
    from pathlib import PurePosixPath

    card = Configuration("default", True, None, {})
    path = PurePosixPath("data/" + "a" * 200 + ".csv")
    assert not card.matches(path, "data/" + "*a" * 40 + "*b")
    assert card.matches(path, "**/" + "a*" * 40 + ".csv")
    assert card.matches(PurePosixPath("x/train-00.csv"), "x/train-[0-9]?.csv")
    assert not card.matches(PurePosixPath("x/y/train.csv"), "x/*.csv")


@pytest.mark.parametrize(
    "head",
    ["a: " + "[" * 5_000, "a: &a [x, x]\nb: &b [*a, *a]\n" + "config: " + "{a: " * 500],
)
def test_a_deep_card_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n")
    (tmp_path / "train.csv").write_text("text,label\na,b\nc,d\n")
    with pytest.raises(LimitError, match="lists and objects"):
        open_source(tmp_path)


def test_aliases_of_a_card_are_not_written_out(tmp_path: Path) -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12)]
    head = "\n".join([*lines, "configs:", "- config_name: *x11", "  data_files: train.csv"])
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n")
    (tmp_path / "train.csv").write_text("text,label\na,b\nc,d\n")
    assert open_source(tmp_path).columns()[:2] == ["text", "label"]


@pytest.mark.parametrize("content", ["[" * 5_000, "{" * 9, "7", '{"a": ' * 900 + "1" + "}" * 900])
@pytest.mark.parametrize("name", ["state.json", "dataset_dict.json"])
def test_broken_facts_of_a_saved_folder(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInputError):
        open_source(tmp_path)


def test_offsets_that_lead_anywhere_are_damage(tmp_path: Path) -> None:
    offsets = pa.py_buffer(np.array([0, 1 << 30, 2], dtype=np.int32))
    texts = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ab")])
    table = pa.RecordBatch.from_arrays([texts, pa.array(["a", "b"])], ["text", "label"])
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_batch(table)
    with pytest.raises(BadInputError, match="not readable as Arrow"):
        validate(open_source(tmp_path / "t.arrow"), ColumnMapping(text="text", label="label"))
