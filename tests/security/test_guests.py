"""An app without a sign-in, where the operator has said so: a join code makes a lead, a typed name never does."""

from __future__ import annotations

import time

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from diet_explorer import Workspace
from diet_explorer.ui.shell.join_code import count_wrong, is_pass, made_pass, may_try
from tests.ui.conftest import ROOT

CODE = "correct horse battery"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIET_EXPLORER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda _: tmp_path.name))
    return tmp_path / "home"


def opened(page: str = "datasets") -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.switch_page(f"pages/{page}.py")
    return app.run()


def given(app: AppTest, key: str, value: str, button: str) -> AppTest:
    app.text_input(key=key).set_value(value)
    next(entry for entry in app.button if entry.label == button).click()
    return app.run()


def test_a_typed_name_looks_and_the_join_code_leads(home, monkeypatch):
    monkeypatch.setenv("DIET_EXPLORER_JOIN_CODE", CODE)
    app = given(opened(), "name-of-person", "Lea", "Start")
    assert not app.exception
    for _ in range(5):
        app = given(app, "join-code", "wrong horse battery", "Lead")
        assert [warning.value for warning in app.warning] == ["That is not the join code."]
    app = given(app, "join-code", CODE, "Lead")
    assert "Too many wrong codes" in app.warning[0].value, "the right one is not heard any more either"
    monkeypatch.setattr("diet_explorer.ui.shell.join_code._wrong", {})
    app = given(app, "join-code", f" {CODE} ", "Lead")
    assert not app.warning and not [entry for entry in app.text_input if entry.key == "join-code"]
    log = Workspace(home).audit_log()
    assert {(entry.kind, entry.who, entry.role) for entry in log} == {
        ("refusal", "Lea", "viewer"),
        ("sign-in", "Lea", "lead"),
    }
    assert CODE not in str(log) and "wrong horse" not in str(log)
    shown = app.switch_page("pages/bin.py").run()
    assert [expander.label.split(":")[0] for expander in shown.expander] == ["Audit log"]
    stranger = opened("bin")
    assert not stranger.exception and not stranger.expander


@pytest.mark.parametrize(
    "variables",
    [
        {"LEADS": "lea@example.org"},
        {"ANNOTATORS": "ann@example.org", "OPEN_WITHOUT_SIGN_IN": "1"},
        {"REQUIRE_SIGN_IN": "1"},
        {"JOIN_CODE": "short"},
        {"PUBLIC_URL": "https://diet.example.org"},
        {"GUESTS": "lead"},
    ],
)
def test_what_would_let_everybody_lead_shows_nothing(home, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(f"DIET_EXPLORER_{name}", value)
    app = opened("datasets")
    assert not app.exception
    assert "Until then nobody gets in" in app.error[0].value
    assert [button.label for button in app.button] == ["Sign in"]


def test_a_pass_is_made_by_the_code_alone_and_grows_old():
    now = time.time()
    made = made_pass(CODE, now)
    assert is_pass(made, CODE, now + 86400)
    assert not is_pass(made, "another code of length", now)
    assert not is_pass(made, CODE, now + 8 * 86400)
    for bad in ("", ".", "x", f"{int(now)}.", f"{int(now) + 1}.{made.partition('.')[2]}", "\u0663.x", f"{made}\ud800"):
        assert not is_pass(bad, CODE, now)


def test_codes_are_not_tried_without_end():
    now = 1e9
    for number in range(60):
        if may_try(f"10.0.0.{number}", now):
            count_wrong(f"10.0.0.{number}", now)
    assert not may_try("10.1.1.1", now), "from many addresses neither"
    assert may_try("10.1.1.1", now + 901)
