"""Files in a compression or an archive read like plain ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest

from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer


def zstd(content: bytes) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.CompressedOutputStream(stream, "zstd") as compressed:
        compressed.write(content)
    return bytes(stream.getvalue())


def zipped(**members: bytes | str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
    ".zip": lambda content: zipped(**{"table.csv": content, "__MACOSX/._table.csv": b"?", "readme.txt": b"Hi, you"}),
}
CONTENT = "text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(2_000))


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_reads_like_plain(importer: Importer, ending: str) -> None:
    plain = importer.open("table.csv", CONTENT)
    source = importer.open(f"table.csv{ending}", COMPRESSIONS[ending](CONTENT.encode()))
    assert (source.name, source.kind) == ("table", "csv")
    (table, lines), (expected, expected_lines) = next(source.batches()), next(plain.batches())
    assert table.equals(expected)
    assert lines.tolist() == expected_lines.tolist()
    assert importer.open("other.csv", COMPRESSIONS[ending](CONTENT.encode())).columns() == ["text", "label"]


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_cut_file_is_damaged(importer: Importer, ending: str) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        list(importer.open(f"table.csv{ending}", COMPRESSIONS[ending](CONTENT.encode())[:-30]).batches())


def test_a_plain_file_with_the_ending_of_a_compressed_one(importer: Importer) -> None:
    assert importer.open("table.csv.gz", CONTENT).columns() == ["text", "label"]


def test_other_text_formats_and_encodings(importer: Importer) -> None:
    lines = "".join(f'{{"text": "é {n}", "label": {n}}}\n' for n in range(3))
    assert next(importer.open("a.jsonl.xz", lzma.compress(lines.encode())).batches())[0].num_rows == 3
    table = "text\tlabel\né\ta\n".encode("utf-16-le")
    assert next(importer.open("a.tsv.zst", zstd(table)).batches())[0].to_pylist() == [{"text": "é", "label": "a"}]


def test_an_archive_with_a_file_per_split(importer: Importer) -> None:
    path = importer.write("all.zip", zipped(**{"set/train.csv": CONTENT, "set/test.csv": "text,label\nlast,1\n"}))
    source = open_source(path)
    assert source.columns() == ["text", "label", "split"]
    assert [(table["split"][0].as_py(), table.num_rows) for table, _ in source.batches()] == [
        ("train", 2_000),
        ("test", 1),
    ]
    assert [table.num_rows for table, _ in open_source(f"{path}[test]").batches()] == [1]


def test_the_spam_collection_in_its_archive(importer: Importer) -> None:
    content = zipped(
        SMSSpamCollection="label\ttext\nham\tOk, lar\nspam\tFree entry\n", readme="A corpus, of messages\n"
    )
    source = importer.open("sms+spam+collection.zip", content)
    assert (source.kind, source.columns()) == ("tsv", ["label", "text"])


@pytest.mark.parametrize(
    ("members", "message", "remedy"),
    [
        ({"a.csv": CONTENT, "b.csv": "x,y\n1,2\n"}, "other columns", "call them train"),
        ({"notes.md": "# Notes"}, "no data file", "formats"),
        ({"mimetype": "x", "content.xml": "x"}, "OpenDocument", "xlsx"),
        ({"word/document.xml": "x"}, "Word document", "CSV UTF-8"),
    ],
)
def test_archives_without_one_table(importer: Importer, members: dict[str, str], message: str, remedy: str) -> None:
    with pytest.raises(BadInputError) as caught:
        importer.open("a.zip", zipped(**members))
    assert message in caught.value.message
    assert remedy in caught.value.remedy
