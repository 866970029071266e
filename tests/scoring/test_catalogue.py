"""The catalogue is the only place that describes a score."""

import re
from pathlib import Path

import pytest

from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue

PACKAGE = Path(catalogue.__file__).parents[1]


def test_every_score_explains_itself():
    for entry in catalogue.SCORES:
        assert entry.title and entry.formula and entry.source and entry.range_text
        assert entry.explanation.endswith(".")
        assert entry.direction.split()[0] in ("higher", "lower")
        assert (entry.worst == "high") == entry.direction.startswith("higher")
        assert entry.formula in entry.help and entry.direction in entry.axis


def test_no_other_file_repeats_an_explanation():
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "pages").glob("*.py")]:
        if path.name == "catalogue.py":
            continue
        text = path.read_text(encoding="utf-8")
        for entry in catalogue.SCORES:
            assert entry.explanation not in text, f"{path} repeats the explanation of {entry.name}"
            assert not re.search(rf"""["']{re.escape(entry.direction)}["']""", text), f"{path} repeats a direction"


def test_unknown_score_names_the_known_ones():
    with pytest.raises(NotFoundError, match=r"no score named 'elan'.*el2n, grand"):
        catalogue.score("elan")


@pytest.mark.parametrize(
    ("checkpoint", "title", "note"),
    [
        (0, "before training", catalogue.STEP_ZERO_NOTE),
        (0.25, "at epoch 0.25", catalogue.EARLY_NOTE),
        (1, "after epoch 1", None),
        (2.0, "after epoch 2", None),
    ],
)
def test_checkpoints_in_words(checkpoint, title, note):
    assert catalogue.checkpoint_title(checkpoint) == title
    assert catalogue.checkpoint_note(checkpoint) == note
