"""The docs show what the benchmark's results say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.benchmarks.proof_report import in_short, report

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return pd.read_csv(ROOT / "tests/benchmarks/proof_accuracies.csv")


def test_the_docs_show_the_results(results: pd.DataFrame) -> None:
    for name, lines in report(results).items():
        assert shown("docs/does-pruning-help.md", name) == "\n".join(lines).strip(), name


def test_the_evidence_shows_the_headline_claims(results: pd.DataFrame) -> None:
    assert shown("docs/evidence/index.md", "headline claims") == "\n".join(in_short(results)).strip()


def shown(page: str, name: str) -> str:
    """What stands between a page's comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0].strip()
