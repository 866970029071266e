"""Terminals, pipes and files that cannot take every character, or nothing at all."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from diet_explorer.cli import app as cli
from diet_explorer.cli import main
from tests import tiny_runs


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Texts and labels of several scripts."""
    path = tmp_path / "mixed.csv"
    rows = [f"{'película ☃ 漢字' if n % 2 else 'Film 🎬'} {n},{'schlecht ü' if n % 2 else '好'}" for n in range(8)]
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "utf-8", "utf-16"])
def test_any_encoding_prints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mixed: Path, encoding: str) -> None:
    def printed(*arguments: str) -> str:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        monkeypatch.setattr(sys, "argv", ["diet-explorer", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stderr.flush()
        assert ended.value.code == 0, sys.stderr.buffer.getvalue()  # type: ignore[attr-defined]
        return raw.getvalue().decode(encoding, "replace")

    home = ("--workspace", str(tmp_path / "home"))
    columns = ("--text", "text", "--label", "label")
    assert "Imported mixed" in printed("import", str(mixed), *columns, *home)
    manifest = json.loads(printed("import", str(mixed), *columns, "--name", "☃ 🎬", "--json", *home))
    assert manifest["classes"] == ["schlecht ü", "好"]
    assert "Usage" in printed("rank", "--help")
    assert printed("runs", *home).startswith("No runs yet")


def test_own_signs_become_plain_ones_and_others_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    cli.out.prepare_streams()
    cli.out.print_table(("score · seed", "text"), [("≥ 1 → 2", "☃ schön")])
    assert raw.getvalue().decode() == "score - seed  text\n>= 1 -> 2       \\u2603 sch\\xf6n\n"


@pytest.mark.parametrize(("target", "status"), [("/dev/full", 1), ("&-", 0)])
def test_an_output_that_takes_nothing(tmp_path: Path, target: str, status: int) -> None:
    command = f'"{sys.executable}" -m diet_explorer.cli runs >{target}'
    result = subprocess.run(
        ["sh", "-c", command], env=tiny_runs.environment(tmp_path / "home"), capture_output=True, text=True, check=False
    )
    assert result.returncode == status
    assert "Traceback" not in result.stderr and "unforeseen" not in result.stderr
    assert ("no space left" in result.stderr) is bool(status)


def test_ctrl_c_while_the_program_is_being_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = mock.Mock(find_spec=mock.Mock(side_effect=KeyboardInterrupt))
    monkeypatch.delitem(sys.modules, "diet_explorer.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
