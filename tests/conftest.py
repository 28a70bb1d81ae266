"""What all tests share: repeatable properties and the optional test data."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("npukit", derandomize=True, database=None, deadline=None)
settings.load_profile("npukit")

# A shell starts background jobs with interrupts ignored, and every child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests run last, each group in its own order."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a file of the test data that lies beside the repository; skip where it is absent."""
    folder = Path(os.environ.get("NPUKIT_SHARED") or REPOSITORY.parent / "shared") / "data"

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"test data is absent: {path} (set NPUKIT_SHARED to the folder of `data`)")
        return path

    return find
