"""What is expected of a page, asked again while the page is being drawn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page
from playwright.sync_api import expect as expect_at_once

SECONDS = 60
expect_at_once.set_options(timeout=SECONDS * 1000)


class _Patient:
    """A page that is being drawn may show the old element beside the new: no answer yet, not a wrong one."""

    def __init__(self, actual: Locator | Page) -> None:
        self._page = actual if isinstance(actual, Page) else actual.page
        self._assertions: Any = expect_at_once(actual)

    def __getattr__(self, name: str) -> Callable[..., None]:
        question = getattr(self._assertions, name)

        def ask(*values: Any, **options: Any) -> None:
            end = time.monotonic() + SECONDS
            while True:
                try:
                    return question(*values, **options)
                except AssertionError as error:
                    if "strict mode violation" not in str(error) or time.monotonic() > end:
                        raise
                    self._page.wait_for_timeout(50)

        return ask


def expect(actual: Locator | Page) -> Any:
    """Playwright's `expect`, which bears with a page that is being drawn."""
    return _Patient(actual)
