"""Who gets in is decided before the app listens: every way to be open by accident is refused, with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from diet_explorer.config import Settings, load_settings
from diet_explorer.errors import BadInputError
from diet_explorer.review.access import access_of, is_loopback, remember_sign_in
from diet_explorer.review.annotators import from_claims, signed_in
from diet_explorer.review.sign_in import secrets_files

GOOD = """[auth]
redirect_uri = "https://diet.example.org/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "x"
client_secret = "y"
server_metadata_url = "https://accounts.example.org/.well-known/openid-configuration"
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [str(tmp_path / "secrets.toml")]


def settings(tmp_path: Path, **given: object) -> Settings:
    return load_settings(home=str(tmp_path / "home"), **given)


def written(files: list[str], text: str | bytes) -> list[str]:
    Path(files[0]).write_bytes(text if isinstance(text, bytes) else text.encode())
    return files


def test_without_anything_it_is_for_whoever_is_at_this_machine(tmp_path, files):
    access = access_of(settings(tmp_path), files)
    assert (access.way, access.any_address) == ("local", False)
    assert access.hosts == {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[auth", "it is not TOML"),
        (GOOD.replace('"x"', "x"), "it is not TOML"),
        (b"\xff\xfe[auth]", "not in UTF-8"),
        ("auth = true", "is not a section"),
        ("[auth]", "lacks redirect_uri, cookie_secret"),
        (GOOD.replace("client_secret", "secret"), "lacks client_secret"),
        (GOOD.replace('"y"', '"  "'), "lacks client_secret"),
        (GOOD.replace('"y"', "12"), "lacks client_secret"),
        (GOOD.replace("server_metadata_url", "url"), "lacks server_metadata_url"),
        (GOOD.replace("89abcdef0123456789abcdef", "89abcdef0123456789abcde"), "fewer than 32 characters"),
        (GOOD.replace("https://diet.example.org", "diet.example.org"), "redirect_uri is not an address"),
        (GOOD.replace("/oauth2callback", "/"), "redirect_uri is not an address"),
        (GOOD + "[auth.google]\nclient_id = 'x'\n", r"\[auth.google\] lacks client_secret"),
    ],
)
@pytest.mark.parametrize("leads", ["", "lea@example.org"])
def test_a_sign_in_that_is_broken_keeps_everybody_out(tmp_path, files, text, reason, leads):
    with pytest.raises(BadInputError, match=reason) as caught:
        access_of(settings(tmp_path, leads=leads, open_without_sign_in=True), written(files, text))
    assert caught.value.remedy


def test_secrets_that_cannot_be_read_keep_everybody_out(tmp_path, files):
    Path(files[0]).mkdir()
    with pytest.raises(BadInputError, match="cannot be read: is a directory"):
        access_of(settings(tmp_path), files)


def test_authlib_has_to_be_there(tmp_path, files, monkeypatch):
    monkeypatch.setattr("diet_explorer.review.sign_in.find_spec", lambda name: None)
    with pytest.raises(BadInputError, match="Authlib is not installed") as caught:
        access_of(settings(tmp_path), written(files, GOOD))
    assert "diet-explorer[sign-in]" in caught.value.remedy


@pytest.mark.parametrize("given", [{"leads": "lea@x.org"}, {"annotators": "a@x.org"}, {"require_sign_in": True}])
@pytest.mark.parametrize("text", [None, "", "[other]\nkey = 1"])
def test_roles_without_a_sign_in_are_refused(tmp_path, files, given, text):
    if text is not None:
        written(files, text)
    with pytest.raises(BadInputError, match="There is no sign-in") as caught:
        access_of(settings(tmp_path, open_without_sign_in=True, **given), files)
    assert "DIET_EXPLORER_SECRETS" in caught.value.remedy


def test_an_app_started_in_another_folder_does_not_lose_its_sign_in(tmp_path, files):
    home = settings(tmp_path)
    remember_sign_in(home, access_of(home, written(files, GOOD)))
    elsewhere = [str(tmp_path / "elsewhere" / "secrets.toml")]
    with pytest.raises(BadInputError, match="has a sign-in") as caught:
        access_of(home, elsewhere)
    assert files[0] in caught.value.remedy
    named = settings(tmp_path, secrets=files[0])
    assert access_of(named, secrets_files(named, tmp_path)).way == "sign-in"
    Path(files[0]).unlink()
    with pytest.raises(BadInputError, match="not there"):
        access_of(named, secrets_files(named, tmp_path))


@pytest.mark.parametrize(
    "given", [{"host": "0.0.0.0"}, {"host": "::"}, {"host": "192.0.2.7"}, {"public_url": "https://diet.example.org"}]
)
def test_beyond_this_machine_it_takes_a_sign_in_or_a_setting_that_says_so(tmp_path, files, given):
    with pytest.raises(BadInputError, match="open to everybody who can reach") as caught:
        access_of(settings(tmp_path, **given), files)
    assert "DIET_EXPLORER_OPEN_WITHOUT_SIGN_IN=1" in caught.value.remedy
    opened = settings(tmp_path, **given, open_without_sign_in=True)
    assert access_of(opened, files).way == "guests", "nobody leads by a typed name"
    assert access_of(settings(tmp_path, **given), written(files, GOOD)).way == "sign-in"


def test_a_join_code_that_could_be_guessed_is_refused_and_not_printed(tmp_path, files):
    with pytest.raises(BadInputError, match="fewer than 12") as caught:
        access_of(settings(tmp_path, join_code="hunter2"), files)
    assert "hunter2" not in str(caught.value)
    assert access_of(settings(tmp_path, join_code="correct horse battery"), files).way == "guests"


def test_hosts_are_those_that_the_operator_names(tmp_path, files):
    access = access_of(settings(tmp_path, public_url="https://Other.Example.org"), written(files, GOOD))
    assert access.hosts - {"localhost", "127.0.0.1", "::1"} == {"other.example.org", "diet.example.org"}
    assert access.origins == {"https://other.example.org", "https://diet.example.org"}
    assert access_of(settings(tmp_path, host="0.0.0.0"), files).any_address


@pytest.mark.parametrize(
    ("host", "near"),
    [("127.0.0.1", True), ("::1", True), ("127.8.8.8", True), ("localhost", True), ("0.0.0.0", False), ("", False)],
)
def test_what_counts_as_this_machine(host, near):
    assert is_loopback(host) is near


BOSS = {"email": "boss@x.org", "email_verified": True}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        (BOSS, "lead"),
        (BOSS | {"email_verified": "true"}, "lead"),
        (BOSS | {"email": "BOSS@X.ORG"}, "lead"),
        (BOSS | {"email_verified": False}, "viewer"),
        (BOSS | {"email_verified": "false"}, "viewer"),
        (BOSS | {"email_verified": 1}, "viewer"),
        (BOSS | {"email_verified": ["true"]}, "viewer"),
        (BOSS | {"email_verified": None}, "viewer"),
        ({"email": "boss@x.org"}, "viewer"),
        ({"name": "boss@x.org", "sub": "1", "email_verified": True}, "viewer"),
        ({"preferred_username": "boss@x.org", "email_verified": True}, "viewer"),
        (BOSS | {"email": ["boss@x.org"]}, "viewer"),
        (BOSS | {"email": "bo\u017f\u017f@x.org"}, "viewer"),
        (BOSS | {"email": "bo\u1e9e@x.org"}, "viewer"),
        (BOSS | {"email": "boss@x.org\u2003"}, "viewer"),
        (BOSS | {"email": " boss@x.org"}, "viewer"),
        (BOSS | {"email": "\uff42oss@x.org"}, "viewer"),
        (BOSS | {"email": "boss@x.org,lea@x.org"}, "viewer"),
        (BOSS | {"email": ""}, "viewer"),
    ],
)
def test_a_lead_is_whose_provider_says_so_letter_by_letter(claims, role):
    who = from_claims(claims, load_settings(leads="boss@x.org, lea@x.org"))
    assert (who.role, who.signed_in) == (role, True)


def test_a_missing_claim_counts_only_where_the_operator_trusts_it():
    trusting = load_settings(leads="boss@x.org", trust_email_without_verified_claim=True)
    assert from_claims({"email": "boss@x.org"}, trusting).role == "lead"
    assert from_claims(BOSS | {"email_verified": False}, trusting).role == "viewer"


def test_letters_of_other_alphabets_in_a_setting_are_themselves():
    assert signed_in("k@x.org", load_settings(leads="\u212a@x.org")).role == "viewer"  # the sign of the kelvin
    assert signed_in("\u00dc@x.org", load_settings(leads="\u00fc@x.org")).role == "viewer"
