"""A workspace that cannot be used says so on every page, with the remedy and without a traceback."""

import logging

import pytest

from diet_explorer.ui.shell import frame
from tests.ui.conftest import assert_calm, words_on


@pytest.mark.parametrize("page", ["home", "datasets", "score", "browse"])
def test_a_workspace_of_a_newer_version(tmp_path, monkeypatch, open_page, page):
    (tmp_path / "workspace.json").write_text('{"version": 999}')
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path))
    app = open_page(page)
    assert_calm(app)
    shown = app.error[0].value.replace("\\", "")
    assert "newer version" in shown and "Upgrade diet-explorer" in shown
    assert not [button for button in app.button if button.key == "forget-link"]


def test_a_workspace_that_is_a_file(tmp_path, monkeypatch, open_page):
    (tmp_path / "home").write_text("not a folder")
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    app = open_page("home")
    assert_calm(app)
    assert len(app.error) == 1


def test_a_setting_that_cannot_be_used_is_named(tmp_path, monkeypatch, open_page):
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path))
    monkeypatch.setenv("DIET_EXPLORER_PORT", "many")
    app = open_page("home")
    assert_calm(app)
    assert "DIET_EXPLORER_PORT" in app.error[0].value.replace("\\", "")


def test_an_unexpected_error_names_a_reference_that_is_in_the_log(filled, open_page, monkeypatch, caplog):
    def broken(selection):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(frame, "draw_context_bar", broken)
    with caplog.at_level(logging.ERROR):
        app = open_page("browse")
    assert not app.exception
    shown = app.error[0].value
    assert "secret detail" not in words_on(app)
    reference = shown.split("reference ")[1].split(".")[0]
    assert reference in caplog.text and "secret detail" in caplog.text
