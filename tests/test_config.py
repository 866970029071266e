"""Settings from the environment: paths in every form, empty and broken variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from diet_explorer.config import load_settings, local_path
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import Files


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a home folder beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.delenv("DIET_EXPLORER_HOME", raising=False)
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("~/reviews", "/me/reviews"),
        ("relative/one", "/here/relative/one"),
        ("  with blanks around ", "/here/with blanks around"),
        ("a%20b", "/here/a%20b"),
        ("what?x=1#y", "/here/what?x=1#y"),
        ("a::b", "/here/a::b"),
        ("file://{}/a%20b", "/a b"),
        ("file://localhost{}/c", "/c"),
        ("FILE://{}/100%", "/100%"),
    ],
)
def test_a_home_means_one_folder(here: Path, monkeypatch: pytest.MonkeyPatch, location: str, path: str) -> None:
    monkeypatch.setenv("DIET_EXPLORER_HOME", location.format(here.parent))
    settings = load_settings()
    expected = f"{here.parent}{path}"
    assert str(settings.home_folder) == Files(settings.home).root == expected
    assert Files(location.format(here.parent).strip()).root == expected
    assert make_url(settings.explorer_url).database == f"{expected}/explorer.sqlite"
    assert make_url(settings.dbos_url).database == f"{expected}/jobs.sqlite"


@pytest.mark.parametrize("name", ["HOME", "DATABASE_URL", "JOBS_URL", "SCRATCH", "PORT", "TRUST_REMOTE_CODE", "HOST"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"DIET_EXPLORER_{name}", value)
    assert load_settings() == load_settings(home="workspace")
    assert load_settings(home=value) == load_settings()


def test_an_empty_option_leaves_the_variable(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIET_EXPLORER_HOME", "mine")
    assert load_settings(home="").home == str(here / "mine")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "eighty", "DIET_EXPLORER_PORT cannot be used"),
        ("PORT", "99999", "DIET_EXPLORER_PORT cannot be used"),
        ("UPLOAD_LIMIT_MB", "-1", "DIET_EXPLORER_UPLOAD_LIMIT_MB cannot be used"),
        ("TRUST_REMOTE_CODE", "perhaps", "DIET_EXPLORER_TRUST_REMOTE_CODE cannot be used"),
        ("SCRATCH", "s3://bucket/x", "DIET_EXPLORER_SCRATCH cannot be used: it must be a path on this machine"),
        ("HOME", "~nobody-of-that-name/x", "there is no home folder ~nobody-of-that-name"),
    ],
)
def test_a_broken_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(f"DIET_EXPLORER_{name}", value)
    with pytest.raises(BadInputError, match=words) as caught:
        load_settings()
    assert caught.value.remedy


def test_a_current_folder_that_is_gone(here: Path) -> None:
    here.rmdir()
    with pytest.raises(BadInputError, match="the current folder is gone"):
        local_path("workspace")
