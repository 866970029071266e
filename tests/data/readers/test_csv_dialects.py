"""CSV files as programs write them: without a header, with a sep line, odd delimiters, short rows, backslashes."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.readers.opening import open_source
from diet_explorer.data.readers.source import Source
from diet_explorer.data.validation import validate
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

CELLS = st.text(alphabet=st.sampled_from(list('ab"\\,;|\t é😀.')), max_size=8)
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=10)
LONG = "the plot was slow and the actors were tired"


def cells(source: Source) -> list[list[str]]:
    return [list(row.values()) for table, _ in source.batches() for row in table.to_pylist()]


@pytest.fixture(scope="module")
def shared_importer(tmp_path_factory: pytest.TempPathFactory) -> Importer:
    return Importer(tmp_path_factory.mktemp("csv"))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("news.csv", [f'"{n % 4 + 1}","Title {n}","{LONG} {n}"' for n in range(40)]),
        ("tweets.csv", [f'"{n % 2 * 4}","{1467810369 + 7 * n}","NO_QUERY","{LONG} {n}"' for n in range(40)]),
        ("sms.tsv", [f"{('ham', 'spam')[n % 2]}\t{LONG} {n}" for n in range(40)]),
        ("chinese.csv", [f"这部电影非常好看，我很喜欢{n},{('正面', '负面')[n % 2]}" for n in range(40)]),
    ],
)
def test_no_row_is_lost_to_a_missing_header(importer: Importer, name: str, rows: list[str]) -> None:
    source = importer.open(name, "\n".join(rows))
    width = len(cells(source)[0])
    assert source.columns() == [f"column {number}" for number in range(1, width + 1)]
    assert len(cells(source)) == 40
    assert [notice.setting for notice in source.notices] == ["header"]
    assert importer.open(name, "\n".join(rows), header=True).notices == []
    assert len(cells(importer.open(name, "\n".join(rows), header=True))) == 39


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Report of May,,\n,,\n", 3),
        ('"Report, of ""May""\n2024"\n', 3),
        ("# made by a tool\n# on May 3, 2024\n", 3),
        ("sep=,\nReport\n", 3),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_titles_above_the_table_are_no_rows_and_told(importer: Importer, above: str, line: int, named: bool) -> None:
    rows = [f"{LONG} {n},{('good', 'bad')[n % 2]},{n}" for n in range(40)]
    source = importer.open("t.csv", above + "\n".join((["text,mood,n"] if named else []) + rows))
    assert source.columns() == (["text", "mood", "n"] if named else ["column 1", "column 2", "column 3"])
    assert cells(source)[0] == [f"{LONG} 0", "good", "0"] and len(cells(source)) == 40
    assert next(iter(source.batches()))[1][0] == line + named
    assert source.notices[0].message.endswith(f"The table begins at line {line}.")
    assert source.notices[0].setting == "header"


@pytest.mark.parametrize(
    "content",
    [
        "text,\n" + "\n".join(f"{LONG} {n},{n % 2}" for n in range(40)),
        "#id,text\n" + "\n".join(f"{n},{LONG} {n}" for n in range(40)),
        "text\n" + "\n".join(f"{LONG} {n}" for n in range(40)),
        "text,label\n" + "\n".join(f"{LONG} {n}," for n in range(40)),
    ],
)
def test_a_header_is_no_title(importer: Importer, content: str) -> None:
    source = importer.open("t.csv", content)
    assert source.has_header and len(cells(source)) == 40 and source.notices == []


def test_who_says_that_there_is_a_header_means_the_table_and_who_says_none_all_lines(importer: Importer) -> None:
    content = "Report,,\ntext,label,n\n" + "\n".join(f"{LONG} {n},{n % 2},{n}" for n in range(40))
    source = importer.open("t.csv", content, header=True)
    assert source.columns() == ["text", "label", "n"] and [notice.setting for notice in source.notices] == [""]
    assert len(cells(importer.open("t.csv", content, header=False))) == 42


@pytest.mark.parametrize(
    "header",
    ["text,label", "0,1", "tweet,class", "Review Text,Sentiment", "What did you like about it today?,Your grade"],
)
def test_a_header_is_a_header(importer: Importer, header: str) -> None:
    source = importer.open("t.csv", "\n".join([header, *(f"{LONG} {n},{n % 2}" for n in range(40))]))
    assert source.columns() == header.split(",")
    assert source.notices == []


def test_names_are_taken_where_the_file_has_none(importer: Importer) -> None:
    rows = "\n".join(f"{LONG} {n},{'ab'[n % 2]}" for n in range(9))
    source = importer.open("t.csv", rows, column_names=("review", "verdict"))
    assert source.columns() == ["review", "verdict"]
    assert len(cells(source)) == 9
    renamed = importer.open("t.csv", "text,label\n" + rows, header=True, column_names=("review", "verdict"))
    assert (renamed.columns(), len(cells(renamed))) == (["review", "verdict"], 9)
    with pytest.raises(BadInputError, match="has 2 columns, but 1 column names"):
        importer.open("t.csv", rows, column_names=("review",))


def test_cells_of_a_first_row_name_their_columns(importer: Importer) -> None:
    content = "\n".join(f"{LONG} {n},{'ab'[n % 2]}" for n in range(40))
    manifest = importer.run("t.csv", content, ColumnMapping(text=f"{LONG} 0", label="a"))
    assert (manifest.rows, manifest.mapping.text, manifest.mapping.label) == (40, "column 1", "column 2")


@pytest.mark.parametrize("line", ["sep=;\r\n", "\ufeffsep=;\n", '"sep=;"\n', "SEP=;\n"])
def test_the_sep_line_of_excel_is_obeyed(importer: Importer, line: str) -> None:
    source = importer.open("t.csv", line + "text;label\na, b;x\n")
    ((table, lines),) = source.batches()
    assert table.to_pylist() == [{"text": "a, b", "label": "x"}]
    assert lines.tolist() == [3]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_that_of_the_rows(importer: Importer, delimiter: str) -> None:
    header = delimiter.join(["id", "text, as it was written, in full", "label"])
    rows = [delimiter.join([str(n), "well, " * (n % 4) + "good", "0,5"]) for n in range(30)]
    source = importer.open("t.csv", "\n".join([header, *rows]))
    assert source.columns() == ["id", "text, as it was written, in full", "label"]
    assert len(cells(source)) == 30
    assert importer.open("t.csv", "a;b\nc;d\n", delimiter="comma").columns() == ["a;b"]


def test_cells_that_are_missing_or_empty_at_the_end(importer: Importer) -> None:
    content = "text,label,note,by\n1,a\n2,a,n,m\n3,a,n\n4,a,n,m,,\n5,a,n,m,x\nalone\n,,,\n6,b"
    source = importer.open("t.csv", content)
    expected = [["1", "a", "", ""], ["2", "a", "n", "m"], ["3", "a", "n", ""], ["4", "a", "n", "m"], ["6", "b", "", ""]]
    assert cells(source) == expected
    bad = [(row.line, row.reason.title) for row in source.bad_rows]
    assert sorted(bad) == [(6, "ragged row"), (7, "ragged row"), (8, "blank row")]
    report = validate(source, ColumnMapping(text="text", label="label"))
    assert any("3 rows have last cells left out" in sentence for sentence in report.read_as)
    assert any("1 row has empty cells beyond" in sentence for sentence in report.read_as)


def test_blanks_between_delimiter_and_quotes(importer: Importer) -> None:
    source = importer.open("t.csv", 'text , label\n"a, b", "x"\n "c" ,y\n"d", plain "e"\n')
    assert source.columns() == ["text", "label"]
    assert cells(source) == [["a, b", "x"], ["c", "y"], ["d", ' plain "e"']]


@given(TABLES, st.booleans())
def test_backslashes_that_escape_quotes(
    shared_importer: Importer, rows: list[tuple[str, ...]], everywhere: bool
) -> None:
    stream = io.StringIO()
    style: dict[str, Any] = {"doublequote": False, "escapechar": "\\", "lineterminator": "\n"}
    quoting = csv.QUOTE_ALL if everywhere else csv.QUOTE_MINIMAL
    table = [("text", "label", "note"), ('said "no, way" again', "a", ""), *(row for row in rows if any(row))]
    csv.writer(stream, quoting=quoting, **style).writerows(table)
    expected = list(csv.reader(io.StringIO(stream.getvalue()), **style))
    assert cells(shared_importer.open("t.csv", stream.getvalue(), header=True, delimiter=",")) == expected[1:]


def test_backslashes_escape_nothing_where_quotes_are_clean(importer: Importer) -> None:
    assert cells(importer.open("t.csv", 'text,label\n"C:\\dir\\",a\n"say ""x""",b\n')) == [
        ["C:\\dir\\", "a"],
        ['say "x"', "b"],
    ]


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_byte_order_mark_that_begins_a_text_stays(tmp_path, ending, delimiter):
    path = tmp_path / f"rows.{ending}"
    path.write_text(f"text{delimiter}label\n\ufeffone{delimiter}a\ntwo{delimiter}b\n", encoding="utf-8")
    rows = [row for table, _ in open_source(str(path)).batches() for row in table.to_pylist()]
    assert rows == [{"text": "\ufeffone", "label": "a"}, {"text": "two", "label": "b"}]


def test_a_second_byte_order_mark_is_no_part_of_a_name(importer: Importer) -> None:
    rows = "\n".join(f"{LONG} {n},{n % 2}" for n in range(20))
    assert importer.open("t.csv", f"\ufeff\ufefftext,label\n{rows}").columns() == ["text", "label"]
