"""Excel workbooks: what a cell shows is what is read."""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import Any

import openpyxl
import pytest

from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer


def workbook(**sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def rows_of(source: Source) -> list[dict[str, Any]]:
    return [row for table, _ in source.batches() for row in table.to_pylist()]


def test_values(importer: Importer) -> None:
    day, moment = datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 13, 5)
    book = workbook(Sheet=[["text", "label", "id", "code", "share", "day", "at", "yes"]])
    book["Sheet"].append(["a\nb", "007", 123_456_789_012_345, 7, 0.1, day, moment, True])
    book["Sheet"].append([" =x ", "NA", 2.0, 12, 3, None, None, False])
    book["Sheet"]["D2"].number_format = "00000"
    source = importer.open("a.xlsx", saved(book))
    first, second = rows_of(source)
    assert first == {
        "text": "a\nb",
        "label": "007",
        "id": "123456789012345",
        "code": "00007",
        "share": "0.1",
        "day": "2024-01-02",
        "at": "2024-01-02 13:05:00",
        "yes": "true",
    }
    assert (second["text"], second["label"], second["id"], second["day"]) == (" =x ", "NA", "2", None)
    assert "id" not in source.quoted_columns
    assert "label" in source.quoted_columns


def test_rows_that_are_none(importer: Importer) -> None:
    rows = [[], ["text", "label"], ["a", "x"], [], ["b", "y", None, "z"], ["c"], [None, None], []]
    source = importer.open("a.xlsx", saved(workbook(S=rows)))
    batches = list(source.batches())
    assert [line for _, lines in batches for line in lines.tolist()] == [3, 6]
    assert [(row.line, row.reason.title) for row in source.bad_rows] == [(4, "blank row"), (5, "ragged row")]


def test_the_first_sheet_with_rows_is_read_and_the_others_named(importer: Importer) -> None:
    table = [["text", "label"], ["a", "x"]]
    content = saved(workbook(Notes=[], Data=table, Old=[["text", "label"], ["b", "y"]]))
    source = importer.open("a.xlsx", content)
    assert rows_of(source) == [{"text": "a", "label": "x"}]
    assert [message for message, *_ in source.notices] == [
        "Only the sheet 'Data' is read; the workbook also has 'Old'."
    ]
    assert rows_of(importer.open("a.xlsx", content, sheet="Old")) == [{"text": "b", "label": "y"}]
    with pytest.raises(BadInputError, match="no sheet 'Else'"):
        importer.open("a.xlsx", content, sheet="Else")


def test_a_sheet_without_a_header(importer: Importer) -> None:
    rows = [[f"a film of number {n}, plot {n}", "good" if n % 2 else "bad", n] for n in range(30)]
    content = saved(workbook(S=rows))
    source = importer.open("a.xlsx", content)
    assert (source.columns(), len(rows_of(source))) == (["column 1", "column 2", "column 3"], 30)
    assert [notice.setting for notice in source.notices] == ["header"]
    named = importer.open("a.xlsx", content, header=False, column_names=("text", "label", "n"))
    assert rows_of(named)[0] == {"text": "a film of number 0, plot 0", "label": "bad", "n": "0"}


def test_sheets_named_as_splits(importer: Importer) -> None:
    table = [["text", "label"], ["a", "x"]]
    source = importer.open("a.xlsx", saved(workbook(train=table, test=table)))
    assert [row["split"] for row in rows_of(source)] == ["train", "test"]


def test_formulas(importer: Importer) -> None:
    content = saved(workbook(S=[["text", "label"], ["a", '="x"&"y"']]))
    with pytest.raises(BadInputError, match=r"Cell B2 of sheet 'S' .* formula whose result is not in the file"):
        list(importer.open("a.xlsx", content).batches())
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as read, zipfile.ZipFile(result, "w") as written:
        for name in read.namelist():
            part = read.read(name).replace(b"<v></v>", b"<v>xy</v>").replace(b"<v />", b"<v>xy</v>")
            written.writestr(name, part.replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    assert rows_of(importer.open("b.xlsx", result.getvalue())) == [{"text": "a", "label": "xy"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(workbook(S=[])), "has no rows"),
        (saved(workbook(S=[["a", "a"], ["b", "c"]])), "names column 'a' more than once"),
        (saved(workbook(S=[["text", "label"]]))[:-40], "archive"),
    ],
)
def test_refused(importer: Importer, content: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        importer.open("a.xlsx", content)


def test_a_workbook_without_its_parts(importer: Importer) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(BadInputError, match="not readable as an Excel workbook") as caught:
        importer.open("a.xlsx", stream.getvalue())
    assert "CSV UTF-8" in caught.value.remedy


def test_cells_merged_downwards_count_for_each_of_their_rows(importer: Importer) -> None:
    book = workbook(
        S=[["A title", None], ["text", "label"], ["a", "x"], ["b", None], ["c", 7], ["d", None], ["e", None]]
    )
    for cells in ("A1:B1", "B3:B4", "B5:B6"):
        book["S"].merge_cells(cells)
    source = importer.open("a.xlsx", saved(book), header=False, column_names=("text", "label"))
    assert [row["label"] for row in rows_of(source)[2:]] == ["x", "x", "7", "7", None]
    assert "Merged cells count for each of their rows." in source.read_as()


def test_titles_above_the_table_are_no_rows_and_told(importer: Importer) -> None:
    rows = [[f"a text {n}", "ab"[n % 2]] for n in range(12)]
    book = workbook(Sheet=[["Survey of 2024"], [], [None, "for the board"], ["text", "label"], *rows])
    source = importer.open("a.xlsx", saved(book))
    assert source.columns() == ["text", "label"]
    assert rows_of(source)[0] == {"text": "a text 0", "label": "a"} and len(rows_of(source)) == 12
    assert [notice.message for notice in source.notices] == [
        "What stands above the table is not read: 'Survey of 2024', 'for the board'. The table begins at line 4."
    ]
