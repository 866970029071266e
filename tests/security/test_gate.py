"""The gate before the app: names that lead here by DNS rebinding, pages of other sites, uploads before a sign-in."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.browser.conftest import LiveServer
from tests.security.attacker import Attacker, signed_cookie

SECRET = "0123456789abcdef0123456789abcdef"


def started(folder: Path, **settings: str) -> LiveServer:
    app = LiveServer(folder / "home", folder=folder, **settings)
    app.start()
    attacker = Attacker(app.url)
    for _ in range(300):
        try:
            if attacker.ask("GET", "/_stcore/health")[0] == 200:
                break
        except OSError:
            app.processes()
    return app


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """An app for whoever is at this machine."""
    app = started(tmp_path_factory.mktemp("local"))
    yield Attacker(app.url)
    app.stop()


@pytest.mark.parametrize(
    "path", ["/", "/_stcore/health", "/_stcore/host-config", "/media/x.csv", "/browse", "/static/x"]
)
@pytest.mark.parametrize("host", ["evil.test", "evil.test:{port}"])
def test_a_name_that_leads_here_by_rebinding_gets_nothing(local, path, host):
    assert local.ask("GET", path, {"Host": host.format(port=local.port)})[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "evil.test@127.0.0.1",
        "127.0.0.1@evil.test",
        "127.0.0.1/evil.test",
        "localhost:x",
        "127.0.0.2",
        "10.0.0.1",
        "[::2]",
        "0.0.0.0",
        "2130706433",
    ],
)
def test_hosts_that_look_like_ours_are_not(local, host):
    assert local.ask("GET", "/_stcore/health", {"Host": host})[0] in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:{port}"])
def test_the_names_of_this_machine_are_ours(local, host):
    assert local.ask("GET", "/_stcore/health", {"Host": host.format(port=local.port)})[0] == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.test", "http://evil.test"),
        ("evil.test", None),
        (None, "http://evil.test"),
        (None, "http://127.0.0.1:1"),
        (None, "http://localhost"),
        (None, "null"),
        (None, "http://127.0.0.1.evil.test"),
    ],
)
def test_no_other_page_opens_a_websocket(local, host, origin):
    with pytest.raises(InvalidStatus) as caught, local.visit(host, origin):
        pass
    assert caught.value.response.status_code == 403


def test_uploads_are_taken_only_where_a_page_has_one(local):
    assert local.upload("no-such-visit") == 403
    with local.visit() as visit:
        visit.run()
        assert local.upload(visit.session_id) == 403, "the page Home has no upload"
        visit.run("datasets")
        assert local.upload(visit.session_id) == 204
        assert local.upload(visit.session_id, Origin="http://evil.test") == 403
        assert local.upload(visit.session_id, Host="evil.test") == 403


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """An app with a sign-in, and its folder."""
    folder = tmp_path_factory.mktemp("guarded")
    secrets = folder / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(
        f'[auth]\nredirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"\ncookie_secret = "{SECRET}"\n'
        'client_id = "x"\nclient_secret = "y"\nserver_metadata_url = "http://127.0.0.1:1/metadata"\n'
    )
    app = started(folder, DIET_EXPLORER_LEADS="lea@example.org")
    yield Attacker(app.url), secrets
    app.stop()


def cookie(attacker: Attacker, email: str, secret: str = SECRET, verified: object = True) -> str:
    return signed_cookie(secret, f"http://{attacker.address}", email=email, email_verified=verified, sub=email)


def test_nobody_uploads_or_downloads_before_the_sign_in(guarded):
    attacker, _ = guarded
    with attacker.visit() as visit:
        assert "Please sign in" in visit.run("datasets")
        for size in (10, 50_000_000):
            assert attacker.upload(visit.session_id, size=size) == 403
        forged = cookie(attacker, "lea@example.org", secret="another secret of the same length")
        assert attacker.upload(visit.session_id, forged) == 403
        eve = cookie(attacker, "eve@example.org")
        assert attacker.upload(visit.session_id, eve) == 403, "a visit of nobody, with the cookie of a viewer"
    assert attacker.ask("GET", "/media/abc.csv")[0] == 403
    assert attacker.ask("GET", "/_stcore/metrics")[0] == 403
    assert attacker.ask("GET", "/media/abc.csv", {"Cookie": cookie(attacker, "eve@example.org")})[0] == 404


@pytest.mark.parametrize(("email", "verified", "status"), [("lea", True, 204), ("lea", False, 403), ("eve", True, 403)])
def test_only_a_lead_has_an_upload(guarded, email, verified, status):
    attacker, _ = guarded
    cookies = cookie(attacker, f"{email}@example.org", verified=verified)
    with attacker.visit(cookies=cookies) as visit:
        assert "Please sign in" not in visit.run("datasets")
        assert attacker.upload(visit.session_id, cookies) == status


def test_secrets_that_break_while_it_runs_throw_everybody_out(guarded):
    attacker, secrets = guarded
    lea = cookie(attacker, "lea@example.org")
    good = secrets.read_text()
    with attacker.visit(cookies=lea) as visit:
        assert "lea@example.org" in visit.run("datasets")
        for broken in ("[auth", "", good.replace(SECRET, "short")):
            secrets.write_text(broken)
            assert not visit.is_open()
            assert attacker.upload(visit.session_id, lea) == 403
            with attacker.visit(cookies=lea) as another:
                page = another.run("datasets")
            assert "Until then nobody gets in" in page.replace("\\", "")
            assert "Upload" not in page and str(secrets.parent) not in page
    secrets.write_text(good)
    with attacker.visit(cookies=lea) as visit:
        assert "lea@example.org" in visit.run("datasets")
