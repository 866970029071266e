"""`diet-explorer app` refuses before anything listens or runs, and says where it is open and to whom."""

from __future__ import annotations

import pytest

from diet_explorer.config import load_settings
from diet_explorer.errors import BadInputError
from diet_explorer.jobs.supervisor import addresses_of, caution_of, run_app, server_arguments
from diet_explorer.review.access import access_of


@pytest.mark.parametrize("secrets", ["[auth", None])
def test_a_broken_or_missing_sign_in_stops_the_start(tmp_path, monkeypatch, secrets):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if secrets is not None:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets)
    settings = load_settings(home=str(tmp_path / "home"), port=0, leads="lea@example.org")
    announced: list[object] = []
    with pytest.raises(BadInputError, match=r"secrets\.toml"):
        run_app(settings, announce=lambda *words: announced.append(words))
    assert not announced and not (tmp_path / "home").exists()


def test_open_doors_are_announced_with_real_addresses_and_a_warning(tmp_path):
    settings = load_settings(home=str(tmp_path), host="0.0.0.0", open_without_sign_in=True)
    urls = addresses_of(settings)
    assert urls[0] == "http://127.0.0.1:8501" and not any("0.0.0.0" in url or "[" in url for url in urls)
    caution = caution_of(settings, access_of(settings, []))
    assert caution.startswith("Warning: no sign-in.") and "nobody leads there" in caution
    coded = load_settings(home=str(tmp_path), join_code="correct horse battery", guests="annotator")
    assert "is an annotator; leads are those who give the join code" in caution_of(coded, access_of(coded, []))
    local = load_settings(home=str(tmp_path))
    assert (addresses_of(local), caution_of(local, access_of(local, []))) == (["http://127.0.0.1:8501"], "")
    public = load_settings(home=str(tmp_path), public_url="https://diet.example.org", open_without_sign_in=True)
    assert addresses_of(public) == ["https://diet.example.org"]


def test_a_configuration_of_streamlit_cannot_take_its_own_checks_away(tmp_path):
    arguments = server_arguments(load_settings(home=str(tmp_path), secrets=str(tmp_path / "s.toml")))
    assert {"--server.enableCORS=true", "--server.enableXsrfProtection=true"} <= set(arguments)
    assert f"--secrets.files={tmp_path / 's.toml'}" in arguments
