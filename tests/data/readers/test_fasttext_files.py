"""Lines labelled as for fastText."""

from __future__ import annotations

import pytest

from tests.data.importer import Importer


@pytest.mark.parametrize(
    "content",
    [
        "__label__x  a b, c\n\n__label__y d\r\n__label__x __label__y e\n",
        "a b, c __label__x\n\nd __label__y\ne __label__x __label__y",
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.train", "labelled"])
def test_labels_before_or_behind_the_text(importer: Importer, name: str, content: str) -> None:
    source = importer.open(name, content)
    ((table, lines),) = source.batches()
    assert table.to_pylist() == [{"text": "a b, c", "label": "x"}, {"text": "d", "label": "y"}]
    assert (source.kind, lines.tolist()) == ("fasttext", [1, 3])
    assert [(row.line, row.reason.title) for row in source.bad_rows] == [(2, "blank row"), (4, "several labels")]
