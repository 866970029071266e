"""A page whose database or store is away says so, and is there again by itself."""

from __future__ import annotations

import pytest

from diet_explorer.errors import StoreAwayError
from diet_explorer.ui.shell import boundary, frame
from diet_explorer.workspace.workspace import Workspace
from tests.ui.conftest import Open, words_on


def test_a_page_whose_database_is_away_says_so_and_comes_back_by_itself(
    empty: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, resolve = [1000], frame.resolve

    def away(*arguments: object) -> object:
        if left[0]:
            left[0] -= 1
            raise StoreAwayError("The database does not answer.", "Nothing is lost.")
        return resolve(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(frame, "resolve", away)
    app = open_page("home")
    assert "The database does not answer" in words_on(app) and "Nothing is lost" in words_on(app)
    assert not any(button.key == "forget-link" for button in app.button), "the address is not to blame"

    left[0] = 2
    monkeypatch.setattr(boundary, "MOMENT_SECONDS", 0.0)
    app.run()
    assert not app.error and "Recent runs" in words_on(app) and left == [0]
