"""How tests are shared out: many mostly wait for real processes, so one more runs than there are cores."""

import os


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run side by side with `-n auto`."""
    return (os.cpu_count() or 1) + 1
