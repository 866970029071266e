"""The embedding map: the same for a seed, near for near, and a position for everyone."""

import os
from unittest import mock

import numpy as np
import pytest

from diet_explorer.analysis import projection
from diet_explorer.analysis.projection import MapParameters, project
from diet_explorer.errors import BadInputError


def groups(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around three directions, and which each is around."""
    rng = np.random.default_rng(seed)
    member = rng.integers(0, 3, rows)
    centres = np.eye(3, 8) * 5
    return (centres[member] + rng.normal(scale=0.5, size=(rows, 8))).astype(np.float16), member


def kept_apart(positions: np.ndarray, member: np.ndarray) -> float:
    """Share of examples whose nearest other position belongs to an example of the same group."""
    distances = ((positions[:, None] - positions[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return float((member[distances.argmin(1)] == member).mean())


@pytest.fixture(scope="module", autouse=True)
def interpreted():
    """Compiling UMAP takes much longer than interpreting it for a few points; the tests of the job compile it."""
    with mock.patch.dict(os.environ, NUMBA_DISABLE_JIT="1"):
        import umap  # noqa: F401


def test_a_seed_draws_one_map_that_keeps_groups_together_and_places_everyone(monkeypatch):
    monkeypatch.setattr(projection, "TRANSFORM_ROWS", 4)
    vectors, member = groups(24)
    reported: list[tuple[float, str]] = []
    parameters = MapParameters(neighbors=4)
    positions = project(vectors, parameters, lambda share, words: reported.append((share, words)), fit_rows=14)
    assert positions.shape == (24, 2) and positions.dtype == np.float32
    assert kept_apart(positions, member) == 1.0
    shares = [share for share, _ in reported]
    assert shares == sorted(shares) and shares[0] == 0.0
    assert [words for _, words in reported][-3:] == ["Placing the other 10 examples"] * 3
    assert max(share for share, words in reported if words.startswith("Laying")) == pytest.approx(14 / 24)
    assert np.array_equal(positions, project(vectors, parameters, lambda share, words: None, fit_rows=14))
    other = project(vectors, MapParameters(neighbors=4, seed=1), lambda share, words: None, fit_rows=14)
    assert not np.array_equal(positions, other) and kept_apart(other, member) == 1.0


def test_everyone_gets_a_place_however_few_or_odd_the_vectors():
    odd = np.zeros((15, 4), dtype=np.float16)  # zeros, equal and opposite vectors
    odd[5:, 0] = 1
    odd[10:, 0] = -1
    for vectors in (*(groups(rows)[0] for rows in (1, 2, 3, 4, 6)), odd):
        positions = project(vectors, MapParameters(3), lambda share, words: None)
        assert positions.shape == (len(vectors), 2) and np.isfinite(positions).all()


def test_parameters_out_of_range_are_refused():
    assert MapParameters(200, 1.0, 2**32 - 1).validated() == MapParameters(200, 1.0, 2**32 - 1)
    for wrong in (MapParameters(1), MapParameters(201), MapParameters(15, -0.1), MapParameters(15, 0.1, 2**32)):
        with pytest.raises(BadInputError):
            wrong.validated()
