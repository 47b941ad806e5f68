"""What a job imports decides how fast it starts and in which images it runs at all."""

from __future__ import annotations

import json
import subprocess
import sys

STANDARD = sys.stdlib_module_names


def test_a_job_imports_the_standard_library_wire_runtime_errors_and_cloudpickle_only(tree):
    def look():
        import sys

        return sorted(sys.modules)

    modules = tree.run(look).value
    ours = {name for name in modules if name.split(".")[0] == "sm_remote"}
    assert ours - {"sm_remote", "sm_remote.errors"} <= {
        name for name in ours if name.startswith(("sm_remote.wire", "sm_remote.runtime"))
    }
    foreign = {name for name in modules if name.split(".")[0] not in STANDARD}
    assert {name.split(".")[0] for name in foreign} == {"sm_remote", "cloudpickle", "__main__"}


def test_a_job_starts_without_what_takes_long_to_import(tree):
    def look():
        import sys

        return sorted(sys.modules)

    code = "import cloudpickle, hashlib, json, mmap, sys; print(json.dumps(sorted(sys.modules)))"
    needed = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    extra = set(tree.run(look).value) - set(needed)
    slow = {"asyncio", "pathlib", "tempfile", "shutil", "concurrent.futures", "subprocess", "zipfile", "socket", "ssl"}
    assert not slow & extra
    assert len({name for name in extra if not name.startswith("sm_remote")}) < 12


def test_importing_sm_remote_imports_nothing_else_of_ours_and_no_client_library():
    code = (
        "import json, sys\n"
        "import sm_remote\n"
        "dir(sm_remote), sm_remote.__version__\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    modules = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert [name for name in modules if name.startswith("sm_remote")] == ["sm_remote"]
    assert not {"boto3", "botocore", "docker", "cloudpickle", "tornado", "IPython", "numpy"} & set(modules)
