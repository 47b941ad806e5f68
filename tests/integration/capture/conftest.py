"""The made-up packages and source trees of the unit tests."""

from tests.unit.capture.conftest import forget_modules, here, install, store, weird_path, write_tree

__all__ = ["forget_modules", "here", "install", "store", "weird_path", "write_tree"]
