"""Where the shared vectors and data lie, and how a test skips where they are absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("L2SIM_SHARED", ROOT.parent / "shared"))


def shared(relative: str) -> Path:
    """The path of a shared file, or a skip that says which file is missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(
            f"{relative} is not in the shared folder (set L2SIM_SHARED to the folder that holds vectors/ and data/)"
        )
    return path
