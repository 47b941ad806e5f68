"""What counts as installed in an image without apt, and which alternative is taken."""

from __future__ import annotations

from pathlib import Path

from sm_remote.service.engines.docker.apt_packages import find_alternatives, merge_usr, select_installed

STATUS = """\
Package: bash
Essential: yes
Status: install ok installed
Depends: base-files (>= 2.1)
Version: 5.2

Package: libc6
Status: install ok installed
Version: 2.36

Package: libssl3
Status: install ok installed
Version: 3.0

Package: python3.11
Status: install ok installed
Version: 3.11.2

Package: gcc-12-base
Status: deinstall ok config-files
Version: 12.2
"""


def test_only_what_the_image_has_counts_as_installed_and_depends_on_nothing() -> None:
    text = select_installed(STATUS)
    assert [line for line in text.splitlines() if line.startswith("Package")] == [
        "Package: bash",
        "Package: libc6",
        "Package: python3.11",
    ]
    assert "Depends" not in text


def test_the_alternative_of_the_highest_priority_is_linked_with_its_slaves() -> None:
    script = """
    update-alternatives --install /usr/bin/vi vi /usr/bin/small 10
    update-alternatives --quiet \\
        --install /usr/bin/vi vi /usr/bin/big 30 \\
        --slave /usr/share/vi.1 vi.1 /usr/share/big.1
    update-alternatives --install $LINK name $PATH 10
    """
    assert find_alternatives(script) == {"/usr/bin/vi": "/usr/bin/big", "/usr/share/vi.1": "/usr/share/big.1"}


def test_what_lies_beside_usr_is_moved_below_it(tmp_path: Path) -> None:
    for name in ("bin/tool", "usr/bin/other", "lib/x86_64-linux-gnu/libx.so.1", "etc/x.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "lib" / "x86_64-linux-gnu" / "libx.so").symlink_to("libx.so.1")
    merge_usr(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["etc", "usr"]
    assert sorted(path.name for path in (tmp_path / "usr" / "bin").iterdir()) == ["other", "tool"]
    assert (tmp_path / "usr/lib/x86_64-linux-gnu/libx.so").read_text() == "lib/x86_64-linux-gnu/libx.so.1"
