"""Where memoir keeps what it can make or fetch again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """``$MEMOIR_CACHE``, or the platform's cache folder."""
    given = os.environ.get("MEMOIR_CACHE")
    return Path(given) if given else user_cache_path("memoir")
