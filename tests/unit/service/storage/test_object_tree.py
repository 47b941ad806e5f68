"""Keys as a tree of directories and files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.storage.object_tree import Directory, StoredObject, build_tree, find_entry

NAMES = st.text(min_size=1, max_size=4).filter(lambda name: name not in (".", "..") and not {"/", "\0"} & set(name))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def stored(key: str) -> StoredObject:
    return StoredObject(key=key, size_bytes=1, etag="e", modified_at=0.0)


@given(st.sets(PATHS, max_size=12))
def test_every_object_is_found_at_its_path_unless_one_is_in_the_way_of_another(paths):
    clash = any(other.startswith(f"{path}/") for path in paths for other in paths)
    objects = [(path, stored(path)) for path in sorted(paths)]
    if clash:
        with pytest.raises(ValueError):
            build_tree(objects)
        return
    root = build_tree(objects)
    assert all(find_entry(root, f"/{path}") == stored(path) for path in paths)


def test_directories_are_found_and_what_is_not_there_is_not():
    root = build_tree([("a/b", stored("p/a/b"))])
    assert isinstance(find_entry(root, "/"), Directory)
    assert isinstance(find_entry(root, "/a"), Directory)
    assert find_entry(root, "/x") is None
    assert find_entry(root, "/a/b/c") is None


@pytest.mark.parametrize("path", ["", "/a", "a//b", "a/", "../a", "a/./b", "a\0"])
def test_a_key_that_cannot_be_a_path_is_an_error_that_names_it(path):
    with pytest.raises(ValueError, match="the-key cannot be the name of a file"):
        build_tree([(path, stored("the-key"))])
