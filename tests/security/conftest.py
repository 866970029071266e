from __future__ import annotations

from tests.data.conftest import importer

__all__ = ["importer"]
