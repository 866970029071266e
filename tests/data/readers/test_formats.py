"""The table of formats, to which other packages add."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diet_explorer.data.readers import formats
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "own-data.md"
READER = """
import pyarrow as pa
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.source import Source

class Shouted(Source):
    typed, kind = False, "shouted"
    def __init__(self, file):
        super().__init__(file.location, file.stem)
        self.file = file
    def columns(self):
        return ["text", "label"]
    def sha256(self):
        return self.file.sha256()
    def batches(self, size=65536):
        lines = self.file.beginning.decode().splitlines()
        table = pa.table({"text": [line.lower() for line in lines], "label": [line[:1] for line in lines]})
        yield table, pa.array(range(1, len(lines) + 1)).to_numpy()

SHOUTED = Format("Shouted", (".loud",), lambda file, options: Shouted(file), "in capitals", lambda b: b[:2] == b"!!")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which a package with a reader can be put, as if it were installed."""
    folder = tmp_path / "site"
    (folder / "loud-1.dist-info").mkdir(parents=True)
    (folder / "loud-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    monkeypatch.syspath_prepend(folder)
    formats.all_formats.cache_clear()
    yield folder
    formats.all_formats.cache_clear()


def enter(package: Path, value: str) -> None:
    (package / "loud-1.dist-info" / "entry_points.txt").write_text(f"[diet_explorer.readers]\nloud = {value}\n")


def test_a_package_adds_a_format(package: Path, importer: Importer) -> None:
    (package / "loud_reader.py").write_text(READER)
    enter(package, "loud_reader:SHOUTED")
    source = importer.open("a.loud", "HELLO\nYOU\n")
    assert (source.kind, next(source.batches())[0]["text"].to_pylist()) == ("shouted", ["hello", "you"])
    assert importer.open("b.csv", "!!HELLO\n").kind == "shouted", "its signature counts more than the ending"
    with pytest.raises(BadInputError, match=r"Shouted \(\.loud\)"):
        importer.open("table.dat", "One line.\n")
    assert ".loud" in formats.all_endings()


@pytest.mark.parametrize("value", ["no_such_module:FORMAT", "pathlib:Path"])
def test_a_reader_that_cannot_be_loaded_is_named(package: Path, importer: Importer, value: str) -> None:
    enter(package, value)
    with pytest.raises(BadInputError, match=f"The reader loud \\({value}\\)"):
        importer.open("a.csv", "text,label\n")


def test_the_docs_show_the_table() -> None:
    assert formats.table_of_formats() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", formats.all_endings())
def test_every_ending_is_known(importer: Importer, ending: str) -> None:
    path = importer.write(f"a{ending}", "")
    with pytest.raises(BadInputError) as caught:
        open_source(path)
    assert "known neither" not in caught.value.message
