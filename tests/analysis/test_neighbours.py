"""Neighbours against a comparison of all pairs, one by one."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diet_explorer.analysis import neighbours
from diet_explorer.analysis.neighbours import label_agreement, nearest_neighbours, store_neighbours
from diet_explorer.store import embeddings
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.files import Files
from tests.synthetic import write_dataset


def cosine(a, b):
    lengths = float(np.sqrt(a @ a) * np.sqrt(b @ b))
    return float(a @ b) / lengths if lengths else 0.0


def slow_similarities(vectors, k):
    """For each row the k greatest similarities to another row, descending."""
    wide = vectors.astype(np.float64)
    table = [sorted((cosine(a, b) for j, b in enumerate(wide) if j != i), reverse=True)[:k] for i, a in enumerate(wide)]
    return np.array([line + [np.nan] * (k - len(line)) for line in table]).reshape(len(vectors), k)


few_values = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])  # many ties, parallels and vectors of zeros


@given(
    vectors=arrays(np.float16, st.tuples(st.integers(1, 24), st.integers(1, 4)), elements=few_values),
    k=st.integers(1, 6),
)
def test_neighbours_are_those_of_a_comparison_of_all_pairs(vectors, k):
    rows, similarities = nearest_neighbours(vectors, k)
    np.testing.assert_allclose(similarities, slow_similarities(vectors, k), atol=1e-6)
    wide = vectors.astype(np.float64)
    for row, (others, values) in enumerate(zip(rows, similarities, strict=True)):
        known = [(other, value) for other, value in zip(others, values, strict=True) if other >= 0]
        assert len(known) == min(k, len(vectors) - 1) == len({other for other, _ in known} - {row})
        assert [value for _, value in known] == pytest.approx([cosine(wide[row], wide[o]) for o, _ in known], abs=1e-6)


def test_candidates_of_a_graph_are_compared_exactly(monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_ROWS", 7)
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(40, 5)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    everyone = np.tile(np.arange(40, dtype=np.int32), (40, 1))
    shuffled = rng.permuted(np.hstack([everyone, np.full((40, 3), -1, dtype=np.int32)]), axis=1)
    rows, similarities = neighbours._nearest_of(unit, shuffled, 10)
    exact_rows, exact = nearest_neighbours(unit, 10)
    np.testing.assert_array_equal(rows, exact_rows)
    np.testing.assert_allclose(similarities, exact, atol=1e-6)
    rows, similarities = neighbours._nearest_of(unit, shuffled[:, :2], 2)
    empty = (shuffled[:, :2] == -1) | (shuffled[:, :2] == np.arange(40)[:, None])
    assert ((rows == -1).sum(1) == empty.sum(1)).all() and (np.isnan(similarities) == (rows == -1)).all()


@given(data=st.data(), size=st.integers(1, 15))
def test_agreement_counts_training_neighbours_only(data, size):
    rows = data.draw(arrays(np.int32, (size, 4), elements=st.integers(-1, size - 1)))
    labels = data.draw(arrays(np.int32, size, elements=st.integers(0, 2)))
    train = data.draw(arrays(np.bool_, size))
    shares = label_agreement(rows, labels, train)
    for row in range(size):
        witnesses = [other for other in rows[row] if other >= 0 and train[other]]
        expected = np.mean([labels[other] == labels[row] for other in witnesses]) if witnesses else np.nan
        assert shares[row] == pytest.approx(expected, nan_ok=True)


def test_stored_neighbours_have_the_agreement_with_the_given_labels(tmp_path):
    files = Files(tmp_path)
    manifest = write_dataset(
        files, list("abcd"), [0, 0, 1, 1], ["no", "yes"], splits=["train", "train", "train", "test"]
    )
    store = EmbeddingFiles(files, "run")
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.25], [0, 1]], dtype=np.float16)
    store.write_vectors("tuned", vectors)
    np.testing.assert_array_equal(store.read_vectors("tuned"), vectors)
    store_neighbours(store, manifest, "tuned")
    table = pq.read_table(store.paths.neighbours("tuned"))
    assert table["row"].to_pylist() == [0, 1, 2, 3]
    assert [line[:3] for line in table["neighbours"].to_pylist()] == [[1, 2, 3], [0, 2, 3], [1, 0, 3], [2, 1, 0]]
    assert [line[3:] for line in table["neighbours"].to_pylist()] == [[-1] * 7] * 4
    assert table["agreement"].to_pylist() == pytest.approx([1 / 2, 1 / 2, 0.0, 1 / 3])


def test_of_a_set_larger_than_the_index_neighbours_are_the_nearest_of_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 30)
    monkeypatch.setattr(neighbours, "_PART_ROWS", 50)
    monkeypatch.setattr(embeddings, "CHUNK_ROWS", 64)
    everyone = np.arange(40, dtype=np.int32)
    monkeypatch.setattr(neighbours, "_index_of", lambda known: lambda unit: np.tile(everyone, (len(unit), 1)))
    store = EmbeddingFiles(Files(tmp_path), "run")
    vectors = np.random.default_rng(0).normal(size=(150, 3)).astype(np.float16)
    store.write_vectors("tuned", vectors)
    parts = list(neighbours.neighbours_in_parts(store.vectors("tuned"), 40 * 4 * 3))
    assert [len(rows) for rows, _ in parts] == [50, 50, 50]
    rows, similarities = (np.concatenate(column) for column in zip(*parts, strict=True))
    sample = np.unique(rows)
    assert len(sample) == 40 and (rows != np.arange(150)[:, None]).all()
    for row in range(150):
        slow = sorted((cosine(*vectors[[row, other]].astype(float)) for other in sample if other != row), reverse=True)
        assert similarities[row] == pytest.approx(slow[:10], abs=1e-6)


def test_of_stored_vectors_only_the_asked_ones_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "CHUNK_ROWS", 16)
    store, read = EmbeddingFiles(Files(tmp_path), "run"), []
    vectors = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float16)
    store.write_vectors("tuned", vectors)
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *args, **more: read.append(1) or whole(*args, **more))
    rows = np.array([0, 3, 17, 98, 99])
    np.testing.assert_array_equal(store.vectors("tuned")[rows], vectors[rows])
    assert len(read) == 3 and store.vectors("tuned").shape == (100, 3)
