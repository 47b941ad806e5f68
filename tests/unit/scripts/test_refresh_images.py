"""The table of AWS's images is made of what AWS publishes, and stays as it is where that cannot be fetched."""

from __future__ import annotations

import csv
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts import refresh_images
from scripts.refresh_images import (
    CATALOGUE,
    build_rows,
    fetch_package,
    list_images,
    read_configs,
    read_minor,
)

ACCOUNTS = {"eu-west-1": "763104351884", "cn-north-1": "727897471807"}
FEWER = {"eu-west-1": "763104351884"}


def version(python: str, accounts: dict[str, str] = ACCOUNTS, **more: Any) -> dict[str, Any]:
    return {"py_versions": [python], "registries": accounts, "repository": "x-training", **more}


def published(**pytorch: Any) -> dict[str, Any]:
    empty = {"training": {"processors": ["cpu"], "versions": {}}}
    hugging = {"version_aliases": {}, "pytorch2.8.0": version("py312", container_version={"gpu": "cu129-ubuntu22.04"})}
    return {
        "pytorch": {"training": {"processors": ["cpu", "gpu"], "versions": pytorch}},
        "tensorflow": empty,
        "autogluon": empty,
        "huggingface": {"training": {"processors": ["gpu"], "versions": {"4.56.2": hugging}}},
        "sagemaker-base-python": {"versions": {"1.0": {"repository": "sagemaker-base-python", "registries": FEWER}}},
    }


def test_each_version_python_and_processor_is_a_row() -> None:
    configs = published(**{"2.5.1": version("py311"), "1.8.0": version("py3"), "1.13.1": version("py39")})
    rows, hosts = build_rows(list(list_images(configs)), "a test", date(2026, 11, 21))
    assert [(row["framework"], row["python"], row["tag"]) for row in rows] == [
        ("pytorch", "3.11", "2.5.1-cpu-py311"),
        ("pytorch", "3.11", "2.5.1-gpu-py311"),
        ("huggingface", "3.12", "2.8.0-transformers4.56.2-gpu-py312-cu129-ubuntu22.04"),
        ("base-python", "3.10", "1.0"),
    ]
    assert {(row["source"], row["date"]) for row in (*rows, *hosts)} == {("a test", "2026-11-21")}
    assert ("cn-north-1", "amazonaws.com.cn") in {(host["region"], host["domain"]) for host in hosts}


def test_a_region_that_lacks_a_version_is_named() -> None:
    configs = published(**{"2.4.0": version("py311", FEWER), "2.5.1": version("py311")})
    rows, _ = build_rows(list(list_images(configs)), "a test", date(2026, 11, 21))
    absent = {row["tag"]: row["absent_regions"] for row in rows}
    assert (absent["2.4.0-cpu-py311"], absent["2.5.1-cpu-py311"]) == ("cn-north-1", "")


def test_two_accounts_for_one_region_are_told_and_nothing_is_written() -> None:
    other = {"eu-west-1": "000000000001"}
    configs = published(**{"2.4.0": version("py311", other), "2.5.1": version("py311")})
    with pytest.raises(SystemExit, match="others in"):
        build_rows(list(list_images(configs)), "a test", date(2026, 11, 21))


def test_only_what_the_package_says_of_images_is_read(tmp_path: Path) -> None:
    wheel = tmp_path / "sagemaker_core-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sagemaker/core/image_uri_config/pytorch.json", json.dumps({"training": {}}))
        archive.writestr("sagemaker/core/other.json", "{}")
    assert read_configs(wheel) == {"pytorch": {"training": {}}}


def test_a_python_is_read_where_its_minor_version_is_said() -> None:
    assert [read_minor(name) for name in ("py311", "py3", "py37", "py2")] == ["3.11", None, "3.7", None]


def test_the_shipped_tables_are_of_the_scripts_columns() -> None:
    for name, columns in (
        ("aws_images.csv", refresh_images.IMAGE_COLUMNS),
        ("aws_image_registries.csv", refresh_images.REGISTRY_COLUMNS),
    ):
        with (CATALOGUE / name).open(newline="") as file:
            assert tuple(csv.DictReader(file).fieldnames or ()) == columns


@pytest.mark.slow
def test_where_the_package_cannot_be_fetched_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(SystemExit, match="cannot be fetched from here, so the tables stay as they are"):
        fetch_package(tmp_path)
