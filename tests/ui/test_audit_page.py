"""The Audit page as Streamlit draws it; what its keys do is in tests/browser."""

import pytest

from tests.ui.conftest import assert_calm, words_on


def named(app, name="Ann"):
    app.text_input(key="annotator-name").set_value(name)
    next(button for button in app.button if button.label == "Start").click()
    return app.run()


def test_the_name_is_asked_once(filled, open_page):
    app = open_page("audit")
    assert_calm(app)
    assert "Who is deciding?" in words_on(app)
    app = named(app)
    assert_calm(app)
    assert "Who is deciding?" not in words_on(app) and "0</b> of" in words_on(app)


def test_the_name_comes_from_the_browser_s_last_visit(filled, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann%20B."
    app = open_page("audit")
    assert_calm(app)
    assert "Who is deciding?" not in words_on(app)


@pytest.mark.parametrize("tab", ["list", "conflicts", "history", "evidence"])
def test_every_face_is_drawn(filled, open_page, cookies, tab):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab=tab)
    assert_calm(app)
    assert not app.error
