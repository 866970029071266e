"""Finds the examples of a dataset that a query hits, in an inverted index made by tantivy."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.analysis.search.language import Term, parse_query, spaced_words
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

if TYPE_CHECKING:
    from tantivy import Index, IndexWriter, Query

FORMAT = {"format": 1}
_FORMAT_NAME = "format.json"
WRITER_BYTES = 64_000_000
BATCH_ROWS = 8_192
BLOCK_ROWS = 52
"""Rows of one block: sums of so many distinct powers of two are exact in a double."""
MAX_BLOCKS = 60_000
"""Blocks asked for at once; tantivy makes at most 65,000 buckets."""
KEPT_RESULTS = 8

Rows = NDArray[np.int32]


class TextSearch:
    """Searches the texts of one dataset; safe to share between threads.

    The index lies beside the dataset's files in a local workspace and in the scratch folder otherwise. One that is
    missing, damaged or of another format is made anew when it is needed.
    """

    def __init__(self, files: Files, manifest: DatasetManifest, scratch: Path) -> None:
        self._files = files
        self._manifest = manifest
        local = Path(Layout(files).dataset(manifest.id).search)
        self._folder = local if files.is_local else scratch / "search" / manifest.id
        self._local = Files(self._folder.parent)
        self._lock = threading.Lock()
        self._open: Index | None = None
        self._known_bits = lru_cache(maxsize=KEPT_RESULTS)(self._matching)

    def build(self, progress: Callable[[float, str], None] | None = None) -> None:
        """Make the index unless it is there; `progress` gets a share from 0 to 1 and a message."""
        with self._lock:
            if not self._is_current():
                self._make(progress)

    def rows(self, query: str) -> Rows:
        """Rows of all examples, of any split, that match a query, ascending; see `analysis.search` for the language.

        A query without a single word matches nothing. Both texts of a pair count, but a phrase must lie in one of them.
        BadInputError where too many words begin as the last of a phrase does, WorkspaceError where the index cannot be
        made.
        """
        return np.flatnonzero(self.mask(query)).astype(np.int32)

    def mask(self, query: str) -> NDArray[np.bool_]:
        """Whether each row matches; as `rows`."""
        return np.unpackbits(self._known_bits(query), count=self._manifest.rows).view(np.bool_)

    def _matching(self, query: str) -> NDArray[np.uint8]:
        """One bit per row: a common word is in most of many millions."""
        terms = parse_query(query)
        with self._lock:
            index = self._opened()
        mask = np.zeros(self._manifest.rows, dtype=bool)
        if terms:
            mask[self._search(index, terms)] = True
        return np.packbits(mask)

    def _search(self, index: Index, terms: tuple[Term, ...]) -> Rows:
        from tantivy import Occur, Query

        wanted = [(Occur.MustNot if term.negated else Occur.Must, _condition(index, term)) for term in terms]
        if all(term.negated for term in terms):
            wanted.append((Occur.Must, Query.all_query()))
        try:
            return _matching_rows(index, Query.boolean_query(wanted))
        except ValueError as error:
            if any(term.prefix and len(term.words) > 1 for term in terms):
                raise BadInputError(
                    "Too many words begin with the last word of a phrase in the search.",
                    "Type more letters before the *.",
                ) from error
            raise WorkspaceError(
                f"The search index cannot be read: {error}.", f"Remove the folder {self._folder}; it is made anew."
            ) from error

    def _opened(self) -> Index:
        from tantivy import Index

        if self._open is None:
            if not self._is_current():
                self._make(None)
            try:
                self._open = _unwatched(Index.open(str(self._folder)))
            except ValueError:  # damaged
                self._make(None)
                self._open = _unwatched(Index.open(str(self._folder)))
        return self._open

    def _is_current(self) -> bool:
        try:
            return bool(self._local.read_json(str(self._folder / _FORMAT_NAME)) == FORMAT)
        except (NotFoundError, WorkspaceError):
            return False

    def _make(self, progress: Callable[[float, str], None] | None) -> None:
        self._local.remove_folder(str(self._folder))
        with self._local.new_folder(str(self._folder), _FORMAT_NAME) as building:
            self._write(building.root, progress)

    def _write(self, folder: str, progress: Callable[[float, str], None] | None) -> None:
        from tantivy import Index, SchemaBuilder

        builder = SchemaBuilder()
        builder.add_text_field("text", tokenizer_name="whitespace")  # words come folded, parted by spaces
        builder.add_unsigned_field("row", fast=True)
        builder.add_float_field("bit", fast=True)
        try:
            writer = _unwatched(Index(builder.build(), path=folder)).writer(WRITER_BYTES, num_threads=1)
            for done in self._add_examples(writer):
                if progress is not None:
                    progress(done / self._manifest.rows, f"Indexed the texts of {done:,} rows")
            writer.commit()
            writer.wait_merging_threads()
        except ValueError as error:
            raise WorkspaceError(
                f"The search index {self._folder} cannot be written: {error}.",
                "Check that the disk is not full and that this user may write there.",
            ) from error
        self._local.write_json(f"{folder}/{_FORMAT_NAME}", FORMAT)

    def _add_examples(self, writer: IndexWriter) -> Iterator[int]:
        from tantivy import Document

        columns = ["text", "text_pair"] if self._manifest.mapping.text_pair else ["text"]
        done = 0
        with self._files.open_read(Layout(self._files).dataset(self._manifest.id).examples) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(BATCH_ROWS, columns=["row", *columns]):
                # tantivy takes one document per call
                for row, *texts in zip(*(batch.column(name).to_pylist() for name in ("row", *columns)), strict=True):
                    document = Document()
                    document.add_unsigned("row", row)
                    document.add_float("bit", float(1 << row % BLOCK_ROWS))
                    for text in texts:
                        document.add_text("text", spaced_words(text or ""))
                    writer.add_document(document)
                done += batch.num_rows
                yield done


def _unwatched(index: Index) -> Index:
    """The index without the thread that watches its folder for changes: an index never changes here, and that thread
    puts a lock file into a folder that is being removed."""
    index.config_reader("Manual")
    return index


def _matching_rows(index: Index, query: Query) -> Rows:
    """Rows of all hits.

    Hits fetched one by one are a Python object each, half a second for a common word in a million rows. Summing the
    rows' bits per block instead gives all of them as bit sets, in a tenth of a second however many there are.
    """
    from tantivy import FieldType, Occur, Query

    searcher = index.searcher()
    blocks = {"histogram": {"field": "row", "interval": BLOCK_ROWS, "min_doc_count": 1}}
    request = {"blocks": {**blocks, "aggs": {"bits": {"sum": {"field": "bit"}}}}}
    parts = [np.empty(0, dtype=np.int32)]
    for start in range(0, searcher.num_docs, step := BLOCK_ROWS * MAX_BLOCKS):
        here = Query.range_query(index.schema, "row", FieldType.Unsigned, start, start + step, include_upper=False)
        part = query if step >= searcher.num_docs else Query.boolean_query([(Occur.Must, query), (Occur.Must, here)])
        with _resting_collector():
            buckets = searcher.aggregate(part, request)["blocks"]["buckets"]
            firsts = np.array([bucket["key"] for bucket in buckets], dtype=np.int32)
            sums = np.array([bucket["bits"]["value"] for bucket in buckets], dtype="<u8")
            del buckets
        bits = np.unpackbits(sums.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        block, bit = np.nonzero(bits)
        parts.append(firsts[block] + bit.astype(np.int32))
    return np.concatenate(parts)


@contextmanager
def _resting_collector() -> Iterator[None]:
    """No garbage collection meanwhile: an answer of many small dictionaries makes it walk through all of the memory of
    the process, again and again, which takes longer than the search."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _condition(index: Index, term: Term) -> Query:
    from tantivy import Query

    # words consist of letters, marks, numbers and symbols, none of which means anything in a regular expression
    *whole, last = term.words
    if term.prefix:
        last += ".*"
        return (
            Query.regex_phrase_query(index.schema, "text", [*whole, last])
            if whole
            else Query.regex_query(index.schema, "text", last)
        )
    if whole:
        return Query.phrase_query(index.schema, "text", list(term.words))
    return Query.term_query(index.schema, "text", last)
