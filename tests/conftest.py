"""Long campaigns run if the environment says LONG=1."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.environ.get("LONG") != "1":
        skip = pytest.mark.skip(reason="a campaign of minutes: LONG=1 runs it")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
