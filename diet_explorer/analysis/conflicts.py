"""Texts that are the same, or nearly, and yet have different labels: at most one of them can be right."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.words import split_words
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.queries import Queries, parquet


def conflicting_labels(queries: Queries, files: Files, manifest: DatasetManifest) -> pd.DataFrame:
    """Every example of the groups of duplicates (see `data.near_duplicates`) that do not agree on a label, group by
    group: ``group, row, id, text, [text_pair,] label, split, exact``.

    `exact` tells that another example of the group has the very same words and another label; otherwise they are nearly
    the same. Labels are class names.
    """
    texts = ["text", "text_pair"] if manifest.mapping.text_pair else ["text"]
    examples = parquet(Layout(files).dataset(manifest.id).examples)
    sql = (
        f"WITH disputed AS (SELECT near_duplicate_group FROM {examples} WHERE near_duplicate_group IS NOT NULL "
        f"GROUP BY near_duplicate_group HAVING count(DISTINCT label) > 1) "
        f'SELECT near_duplicate_group AS "group", row, id, {", ".join(texts)}, label, split '
        f"FROM {examples} SEMI JOIN disputed USING (near_duplicate_group) ORDER BY near_duplicate_group, row"
    )
    table = queries.table(sql)
    frame: pd.DataFrame = table.to_pandas()
    same = [_same_words(table.column(name)) for name in texts]
    frame["exact"] = frame.groupby(same)["label"].transform("nunique").gt(1)
    frame["label"] = frame["label"].map(dict(enumerate(manifest.classes)))
    return frame


def _same_words(texts: pa.ChunkedArray) -> pd.Series:
    """A key per text that is equal for texts with the same words in the same order, as duplicates are defined."""
    words = split_words(texts.combine_chunks())
    normal = pc.utf8_lower(pc.utf8_normalize(words.vocabulary, form="NFKC"))
    lists = pa.ListArray.from_arrays(pa.array(words.offsets, pa.int32()), normal.take(pa.array(words.codes)))
    key: pd.Series = pc.binary_join(lists, "\n").to_pandas()
    return key
