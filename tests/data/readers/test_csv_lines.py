"""Cells and line numbers of CSV, from Arrow and from the careful reader, against Python's csv module."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.readers.careful_csv import CarefulCsv
from diet_explorer.data.readers.source import Source
from tests.data.importer import Importer

CELLS = st.text(alphabet=st.sampled_from(list('ab",;\t\n\r é😀ש|')), max_size=6)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12)


def read(source: Source) -> tuple[list[list[str]], list[int], list[tuple[int, str]]]:
    rows, lines = [], []
    for table, numbers in source.batches():
        rows += [list(row.values()) for row in table.to_pylist()]
        lines += numbers.tolist()
    return rows, lines, sorted((row.line, row.reason.title) for row in source.bad_rows)


def written(rows: list[list[str]], delimiter: str, newline: str) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows(rows)
    return stream.getvalue()


def expected_lines(content: str, delimiter: str, first: int) -> list[int]:
    """First line of each record by Python's csv module, which counts the lines that it has consumed."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    lines, next_line = [], first
    for _ in reader:
        lines.append(next_line)
        next_line = first + reader.line_num
    return lines


@pytest.fixture(scope="module")
def shared_importer(tmp_path_factory: pytest.TempPathFactory) -> Importer:
    return Importer(tmp_path_factory.mktemp("csv"))


@given(TABLES, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_arrow_path_reads_what_python_reads(
    shared_importer: Importer, rows: list[list[str]], delimiter: str, newline: str
) -> None:
    body = written(rows, delimiter, newline)
    source = shared_importer.open("t.csv", delimiter.join(["one", "two", "three"]) + newline + body)
    found, lines, bad = read(source)
    numbers = expected_lines(body, delimiter, first=2)
    filled = [(row, line) for row, line in zip(rows, numbers, strict=True) if any(row)]
    assert found == [row for row, _ in filled]
    assert lines == [line for _, line in filled]
    assert bad == [(line, "blank row") for row, line in zip(rows, numbers, strict=True) if not any(row)]


@given(TABLES, st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 9))
def test_careful_path_reads_what_python_reads(rows: list[list[str]], delimiter: str, newline: str, chunk: int) -> None:
    content = written(rows, delimiter, newline).encode()
    chunks = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    records = list(CarefulCsv(chunks, delimiter).records())
    assert [record.cells for record in records] == rows
    assert [record.line for record in records] == expected_lines(content.decode(), delimiter, first=1)


@given(st.text(alphabet=st.sampled_from(list('ab",\n\r')), max_size=60), st.integers(1, 7))
def test_careful_path_loses_no_line_whatever_the_quotes(content: str, chunk: int) -> None:
    data = content.encode()
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    records = list(CarefulCsv(chunks, ",").records())
    whole = list(CarefulCsv([data], ",").records())
    assert [(r.cells, r.line, r.lines) for r in records] == [(r.cells, r.line, r.lines) for r in whole]
    next_line = 1
    for record in records:
        assert record.line == next_line
        next_line += record.lines
    assert next_line - 1 == len(content.splitlines())


def test_ragged_and_blank_rows_between_rows_of_several_lines(importer: Importer) -> None:
    content = (
        "text,label\n"  # line 1
        "a,b\n"
        "short\n"  # 3
        "\n"  # 4
        "d,e,f\n"  # 5
        '"x\ny",z\n'  # 6 and 7
        '"ragged\nrow"\n'  # 8 and 9
        "q,r\n"  # 10
        "last"  # 11
    )
    rows, lines, bad = read(importer.open("t.csv", content))
    assert rows == [["a", "b"], ["x\ny", "z"], ["q", "r"]]
    assert lines == [2, 6, 10]
    assert bad == [(3, "ragged row"), (4, "blank row"), (5, "ragged row"), (8, "ragged row"), (11, "ragged row")]


def test_a_quote_left_open_costs_one_line(importer: Importer) -> None:
    content = (
        "text,label\n"
        "a,b\n"
        '"never closed,c\n'  # 3
        "d,e\n"
        '"x",y\n'
        '"a"b,c\n'  # 6
        'fine "as it is" here,k\n'
        "ragged\n"  # 8
        "\n"  # 9
        '"m\nn",o\n'  # 10 and 11
        'x,"open\n'  # 12
        "d,e\n"
        'f,"g'  # 14
    )
    source = importer.open("t.csv", content)
    rows, lines, bad = read(source)
    assert rows == [["a", "b"], ["d", "e"], ["x", "y"], ['fine "as it is" here', "k"], ["m\nn", "o"], ["d", "e"]]
    assert lines == [2, 4, 5, 7, 10, 13]
    assert bad == [
        (3, "broken quotes"),
        (6, "broken quotes"),
        (8, "ragged row"),
        (9, "blank row"),
        (12, "broken quotes"),
        (14, "broken quotes"),
    ]
    assert read(source) == (rows, lines, bad)


def test_a_quote_left_open_before_a_clean_looking_rest(importer: Importer) -> None:
    rows, lines, bad = read(importer.open("t.csv", 'text,label\nx,"open\n' + "a,b\n" * 5))
    assert rows == [["a", "b"]] * 5
    assert lines == [3, 4, 5, 6, 7]
    assert bad == [(2, "broken quotes")]


def test_header_of_several_lines_after_blank_ones(importer: Importer) -> None:
    source = importer.open("t.csv", '\ufeff\n\n"the\ntext";"la ""b"" el";\r\na;b;c\r\n')
    assert source.columns() == ["the\ntext", 'la "b" el', "column 3"]
    assert read(source)[:2] == ([["a", "b", "c"]], [5])


def test_quotes_of_a_tsv_file_without_quoting_are_characters(importer: Importer) -> None:
    rows, lines, bad = read(importer.open("t.tsv", 'text\tlabel\n"never closed\ta\n"quoted" start\tb\nplain\tc\n'))
    assert rows == [['"never closed', "a"], ['"quoted" start', "b"], ["plain", "c"]]
    assert (lines, bad) == ([2, 3, 4], [])


def test_quotes_of_a_tsv_file_with_quoting(importer: Importer) -> None:
    rows, lines, _ = read(importer.open("t.tsv", 'text\tlabel\n"a\tb\nc"\td\ne\tf\n'))
    assert rows == [["a\tb\nc", "d"], ["e", "f"]]
    assert lines == [2, 4]


def test_rows_across_many_blocks_and_batches(importer: Importer) -> None:
    long_text = "word " * 20_000  # 100,000 characters
    body = "".join(
        f'"{number}\n{long_text}",label {number}\n' + "ragged\n" * (number % 50 == 0) for number in range(400)
    )
    source = importer.open("t.csv", "text,label\n" + body)
    rows, lines, bad = read(source)
    assert [row[1] for row in rows] == [f"label {number}" for number in range(400)]
    assert all(text == f"{number}\n{long_text}" for number, (text, _) in enumerate(rows))
    expected = [2 + 2 * number + (number + 49) // 50 for number in range(400)]
    assert lines == expected
    assert bad == [(expected[number] + 2, "ragged row") for number in range(0, 400, 50)]
    assert sum(1 for _ in source.batches()) > 1
