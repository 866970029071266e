"""What cannot be opened is refused in one line that names the place and the remedy."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError, ReadingError
from tests.data.importer import Importer

GOOD = b"text,label\nfine,a\nbad,b\n"
CASES = {
    "missing folder": ("no/such.csv", None, "no file or folder", "Check the path"),
    "empty": ("empty.csv", b"", "is empty", "header"),
    "blank": ("blank.csv", b"\n\n  \n", "has no header", "Name the columns"),
    "empty parquet": ("empty.parquet", b"", "is empty", "rows"),
    "unknown ending": ("table.dat", b"One line.\nAnother one\n", "known neither from its ending", ".jsonl"),
    "no ending": ("table", bytes(range(256)), "known neither from its ending", ".xlsx"),
    "broken archive": ("table.csv", b"PK\x03\x04\x14\x00", "archive", "copy it again"),
    "broken Parquet": ("table.csv", b"PAR1\x15\x04", "not readable as Parquet", "complete"),
    "old Excel": ("table.xls", bytes.fromhex("d0cf11e0a1b11ae1") + b"..", ".xls", "CSV UTF-8"),
    "pointer of LFS": ("table.parquet", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
    "web page": ("table.csv", b"<!DOCTYPE html><html></html>", "a web page", "the data file itself"),
    "broken tar": ("table.csv", b"a.csv".ljust(257, b"\0") + b"ustar\0", "archive", "copy it again"),
    "misnamed CSV": ("table.parquet", GOOD, "not readable as Parquet", "complete"),
    "cut gzip": ("table.csv.gz", gzip.compress(GOOD * 999)[:-9], "cannot be read to its end", "complete"),
    "Latin-1": ("table.csv", b"text,label\nfine,a\ncaf\xe9,b\n", "byte 21 (line 3)", "cp1252"),
    "broken JSON array": ("table.json", b'[{"text": "a"},\n{"text": }]', "line 2", "JSON Lines"),
    "cut JSON array": ("table.json", b'[{"text": "a"},\n{"text": "b"}\n', "ends before the array", "JSON Lines"),
    "array of numbers": ("table.json", b"[1, 2]", "holds no objects", "object with named values"),
    "no JSON": ("table.jsonl", b"nonsense\nmore of it\n", "JSON object", "one complete JSON object"),
    "repeated column": ("table.csv", b"text,label,text\na,b,c\n", "names column 'text' more than once", "its own"),
    "open quote in the header": ("table.csv", b'text,"label\na,b\n', "header", "Correct that line"),
    "foreign folder": ("folder", None, "no data file", "save_to_disk"),
    "a file with a split": ("table.csv[train]", None, "no file or folder", "Check the path"),
    "malformed Hub name": ("hub:a/b/c", None, "does not name a dataset of the Hub", "hub:OWNER/NAME"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(importer: Importer, case: str) -> None:
    name, content, message, remedy = CASES[case]
    location: str | Path = name
    if content is not None:
        location = importer.write(name, content)
    elif name == "folder":
        location = importer.folder / name
        location.mkdir()
        (location / "a.txt").write_text("a")
    with pytest.raises(BadInputError) as caught:
        open_source(location)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert str(location) in caught.value.message
    assert "\n" not in str(caught.value)


def test_unknown_encoding_is_named(importer: Importer) -> None:
    with pytest.raises(BadInputError, match="'klingon' is unknown"):
        importer.open("table.csv", GOOD, encoding="klingon")


def test_a_codec_that_is_no_text_encoding_is_unknown(importer: Importer) -> None:
    with pytest.raises(BadInputError, match="'base64' is unknown"):
        importer.open("table.csv", GOOD, encoding="base64")


def test_offset_and_line_of_a_bad_byte_far_into_the_file(importer: Importer) -> None:
    rows = b"g\xc3\xbcltig,a\n" * 700_000
    with pytest.raises(BadInputError, match=rf"byte {len(rows) + 14} \(line 700002\)"):
        importer.open("table.csv", b"text,label\n" + rows + b"abc\xff,b\n")


def test_a_folder_of_datasets_that_is_damaged(importer: Importer) -> None:
    folder = importer.folder / "saved"
    folder.mkdir()
    (folder / "state.json").write_text("{broken")
    with pytest.raises(BadInputError, match="cannot be read by datasets"):
        open_source(folder)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_other_encodings_by_name(importer: Importer, encoding: str, ending: str) -> None:
    delimiter = "," if ending == "csv" else "\t"
    content = f"text{delimiter}label\r\ncafé\u00df{delimiter}ä\r\n".encode(encoding)
    table, lines = next(importer.open(f"table.{ending}", content, encoding=encoding).batches())
    assert table.to_pylist() == [{"text": "caféß", "label": "ä"}]
    assert lines.tolist() == [2]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_decides(importer: Importer, encoding: str) -> None:
    content = "text,label\ncafé,ä\n".encode(encoding)
    source = importer.open("table.csv", content)
    assert source.columns() == ["text", "label"]
    assert next(source.batches())[0].to_pylist() == [{"text": "café", "label": "ä"}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_gzip_reads_like_plain(importer: Importer, name: str) -> None:
    content = {
        "a.csv": b"text,label\nx,y\n",
        "a.tsv": b"text\tlabel\nx\ty\n",
        "a.jsonl": b'{"text": "x", "label": "y"}\n',
    }[name]
    source = importer.open(f"{name}.gz", gzip.compress(content))
    assert source.name == "a"
    assert next(source.batches())[0].to_pylist() == [{"text": "x", "label": "y"}]


@pytest.mark.parametrize(
    ("number", "message"), [(errno.EACCES, "may not be read"), (errno.EIO, "cannot be read: Input/output error")]
)
def test_unreadable_file(importer: Importer, monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    path = importer.write("table.csv", GOOD)

    def refuse(self: Path, **options: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    # Tests may run as root, for whom no file is unreadable.
    monkeypatch.setattr("diet_explorer.data.readers.opening.Path.is_dir", refuse)
    with pytest.raises(BadInputError, match=message):
        open_source(path)


def test_home_folder(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    importer.write("table.csv", GOOD)
    monkeypatch.setenv("HOME", str(importer.folder))
    assert open_source("~/table.csv").columns() == ["text", "label"]


def test_preview_shows_what_the_user_wrote(importer: Importer) -> None:
    source = importer.open("table.csv", "text,label,n\n007,1.50,\n x ,TRUE,NA\n" + "y,z,0\n" * 50)
    preview = source.preview(3)
    assert preview.to_dict("records") == [
        {"text": "007", "label": "1.50", "n": ""},
        {"text": " x ", "label": "TRUE", "n": "NA"},
        {"text": "y", "label": "z", "n": "0"},
    ]


def test_preview_of_a_header_alone(importer: Importer) -> None:
    preview = importer.open("table.csv", "text,label\n").preview()
    assert list(preview.columns) == ["text", "label"]
    assert preview.empty


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Отличный фильм, смотрели всей семьёй и не пожалели"),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("cp1253", "Εξαιρετική ταινία, τη συνιστώ σε όλους"),
        ("cp1256", "فيلم رائع جدا وأنصح الجميع بمشاهدته"),
        ("shift_jis", "とても良い映画でした。また見たいと思います。"),
        ("gb18030", "这部电影非常好看，我很喜欢。服务态度很差，不会再来了。"),
        ("euc_kr", "정말 좋은 영화였습니다. 서비스가 너무 나빴어요."),
        ("cp1252", "Un café"),
    ],
)
def test_the_likeliest_encoding_is_proposed_with_what_the_text_says_then(
    importer: Importer, encoding: str, text: str
) -> None:
    table = "text,label\n" + "plain,a\n" * 20_000 + f"{text},b\n"
    with pytest.raises(ReadingError) as caught:
        importer.open("table.csv", table.encode(encoding))
    name, sample = caught.value.readings[0]
    assert name == encoding and sample[:20] in f"{text},b"
    assert f"as {encoding} that line reads: {sample}" in caught.value.remedy
    assert "cp1252" in dict(caught.value.readings)
    again = importer.open("table.csv", table.encode(encoding), encoding=name)
    assert again.columns() == ["text", "label"]
