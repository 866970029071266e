"""Signing in through a real OpenID Connect provider: who may do what, and in whose name it is kept."""

import pytest

from tests.axe import NAVIGATION, Axe
from tests.browser.conftest import LiveServer, settled
from tests.browser.loopback_sign_in import sign_in_provider
from tests.browser.patience import expect
from tests.ui.conftest import fill

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """An app that asks for a sign-in, its finished run, and the provider; eve's listed address is not verified."""
    folder = tmp_path_factory.mktemp("sign-in")
    filled = fill(folder / "home")
    with sign_in_provider(lea=True, ann=True, eve=False, guest=True) as provider:
        secrets = folder / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        secrets.write_text(provider.secrets_toml(), encoding="utf-8")
        app = LiveServer(
            folder / "home",
            folder=folder,
            DIET_EXPLORER_LEADS="lea@example.org, eve@example.org",
            DIET_EXPLORER_ANNOTATORS="ann@example.org",
        )
        try:
            yield app.start(), filled.run, provider
        finally:
            app.stop()


def audit_address(app, run):
    return f"{app.url}/audit?run={run.id}&dataset={run.dataset.id}"


def signed_in(new_page, guarded, name):
    """The audit page as somebody sees it who came by its address, was shown nothing, and signed in."""
    app, run, _ = guarded
    page = new_page(audit_address(app, run))
    expect(page.get_by_text("Please sign in")).to_be_visible()
    assert run.dataset.examples()["text"][0] not in settled(page).inner_text("body")
    assert page.locator(".de-deck-card, .st-key-suspect-table").count() == 0
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=f"{name}@example.org").click()
    page.wait_for_url(audit_address(app, run), timeout=60_000)  # back where they came from
    expect(page.locator(".st-key-person")).to_contain_text(f"{name}@example.org")
    return settled(page)


@pytest.mark.timeout(400)
def test_axe_finds_nothing_serious_where_one_is_asked_to_sign_in(guarded, new_page):
    app, run, _ = guarded
    axe, page = Axe(NAVIGATION), new_page(audit_address(app, run))
    expect(page.get_by_text("Please sign in")).to_be_visible()
    axe.ask(settled(page), "signing in")
    assert not axe.ours, "\n".join(axe.ours)


@pytest.mark.timeout(400)
def test_an_annotator_decides_in_their_own_name_and_may_not_export(guarded, new_page):
    app, run, _ = guarded
    page = signed_in(new_page, guarded, "ann")
    expect(page.locator(".st-key-person")).to_contain_text("ann@example.org · annotator")
    page.locator(".de-deck-card").wait_for()
    page.wait_for_timeout(300)  # a key counts only once its example has been there for a moment
    row = int(page.locator(".de-deck-card").get_attribute("data-row"))
    page.keyboard.press("q")
    expect(page.locator(".de-deck-status")).to_contain_text("Saved · ")
    (event,) = run.dataset.ledger.events("ann@example.org")
    assert (event.action, event.rows.tolist()) == ("keep", [row])
    page.goto(f"{app.url}/prune?run={run.id}&tab=export")
    settled(page)
    page.get_by_role("button", name="Start export").click()
    expect(page.get_by_text("ann@example.org is an annotator here and may not")).to_be_visible()
    assert not app.workspace.exports(run)


@pytest.mark.timeout(400)
def test_an_address_that_is_not_verified_only_looks(guarded, new_page):
    _, run, _ = guarded
    page = signed_in(new_page, guarded, "eve")
    expect(page.locator(".st-key-person")).to_contain_text("viewer")
    expect(page.locator(".st-key-audit-tabs")).not_to_contain_text("Review")
    expect(page.get_by_text("You may look here.")).to_be_visible()
    expect(page.locator(".st-key-bulk-exclude button")).to_be_disabled()
    expect(page.locator(".st-key-suspect-table tbody tr").nth(10)).to_be_visible()
    assert not run.dataset.ledger.events("eve@example.org")


@pytest.mark.timeout(400)
def test_a_lead_may_and_signs_out(guarded, new_page):
    app, run, provider = guarded
    page = signed_in(new_page, guarded, "lea")
    expect(page.locator(".st-key-person")).to_contain_text("lea@example.org · lead")
    page.goto(f"{app.url}/prune?run={run.id}&tab=export")
    settled(page)
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".st-key-export-details")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Please sign in")).to_be_visible()
    assert provider.signed_out == 1


@pytest.mark.timeout(400)
def test_a_sign_in_that_is_not_set_up_says_so(tmp_path, new_page):
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text('[auth]\nredirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n', encoding="utf-8")
    app = LiveServer(tmp_path / "home", folder=tmp_path).start()
    try:
        page = new_page(app.url)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The sign-in is not set up completely.")).to_contain_text("cookie_secret")
        expect(page.get_by_text("Ask the operator")).to_be_visible()
    finally:
        app.stop()
