"""What `import` takes for where the data is."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.cli.test_cli import call, refused
from tests.data.importer import Importer

ROWS = "text,label\n" + "".join(f"film number {number},{'ab'[number % 2]}\n" for number in range(6))
COLUMNS = ("--text", "text", "--label", "label")


@pytest.fixture
def importer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importer:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    return Importer(tmp_path)


def imported(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    status, printed, errors = call(capsys, "import", *arguments, *COLUMNS, "--json")
    assert status == 0, errors
    manifest: dict[str, Any] = json.loads(printed)
    return manifest


def test_several_files_are_splits(importer: Importer, capsys: pytest.CaptureFixture[str]) -> None:
    importer.write("train.csv", ROWS)
    importer.write("test.csv", ROWS.replace("film", "book") + ",a\n")
    manifest = imported(capsys, "train.csv", "test.csv", "--split", "split")
    assert manifest["splits"] == {"train": 6, "test": 6}
    printed = call(capsys, "import", "t*.csv", *COLUMNS, "--split", "split", "--name", "again")[1]
    assert "the first in line 8 of test.csv: empty text" in printed


def test_what_is_piped_in(
    importer: Importer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROWS.encode())))
    assert imported(capsys, "-", "--name", "piped")["rows"] == 6


def test_a_pasted_path(importer: Importer, capsys: pytest.CaptureFixture[str]) -> None:
    path = importer.write("my reviews.csv", ROWS)
    assert imported(capsys, f' "{path}" ')["name"] == "my reviews"


def test_a_sheet(importer: Importer, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    book.active.append(["nothing here"])
    sheet = book.create_sheet("Reviews")
    for row in ROWS.splitlines():
        sheet.append(row.split(","))
    book.save(importer.folder / "a.xlsx")
    assert imported(capsys, "a.xlsx", "--sheet", "Reviews")["rows"] == 6
    assert "no sheet 'Old'" in refused(capsys, "import", "a.xlsx", "--sheet", "Old", *COLUMNS)[0]
    importer.write("a.csv", ROWS)
    assert "no sheet to choose" in refused(capsys, "import", "a.csv", "--sheet", "Old", *COLUMNS)[0]
