"""How a job's container is started: a fixed loader as entrypoint, and a verifier sent line by line as its arguments.

The request that starts the job is the root of trust. It holds the verifier itself and two digests: the runtime's, which
the verifier checks before it imports anything from it, and the manifest's, which names everything else. One line is
one argument, so each stays below the API's 256 characters and DescribeTrainingJob shows the program as it is.

Source: API_AlgorithmSpecification, ContainerEntrypoint and ContainerArguments (at most 100 items of 256 characters).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import CHANNEL, ML_ROOT_VARIABLE
from sm_remote.wire.marker import is_digest

LOADER = "import sys;n=int(sys.argv[1]);a=sys.argv[2:2+n];sys.argv[1:2+n]=[];exec('\\n'.join(a))"
REFUSED_EXIT_CODE = 13

_START = "from sm_remote.runtime.supervise import main"

# It runs on whatever Python 3 the image has, hence the old spelling. The runtime is read once, and what was hashed is
# what is imported: nobody can exchange the file in between. Modules that an image has preloaded are forgotten. Until
# the function runs there is no garbage to collect; looking for it would take a tenth of a job's start.
_VERIFIER = f"""\
import gc,hashlib,os,sys
gc.disable()
root=os.environ.get("{ML_ROOT_VARIABLE}","/opt/ml")
def refuse(text):
 text="sm_remote: "+text
 print(text,file=sys.stderr)
 os.makedirs(root+"/output",exist_ok=True)
 with open(root+"/output/failure","w") as f:f.write(text[:1000])
 sys.exit({REFUSED_EXIT_CODE})
@CONDA@
have=sys.version_info[:2]
if have!=@VERSION@:
 refuse("The function was pickled by Python %d.%d, and the image has Python %d.%d. "
 "Use an image with the same minor version."%(@VERSION@+have))
try:
 with open(root+"/input/data/{CHANNEL}/"+sys.argv[1],"rb") as f:code=f.read()
except OSError as e:refuse("The runtime cannot be read: %s"%e)
found=hashlib.sha256(code).hexdigest()
if found!=sys.argv[1]:
 refuse("The runtime is not the one that was sent, so nothing was run: its digest is %s, not %s."%(found,sys.argv[1]))
home=None
for base in (os.environ.get("TMPDIR"),"/tmp","/var/tmp","/dev/shm",root+"/output"):
 try:
  path="%s/sm_remote-%s"%(base,os.urandom(8).hex())
  if base:os.mkdir(path,0o700);home=path;break
 except OSError:pass
if home is None:refuse("No temporary directory can be written.")
with open(home+"/runtime.zip","xb") as f:f.write(code)
for name in list(sys.modules):
 if name.split(".")[0] in ("sm_remote","cloudpickle"):del sys.modules[name]
sys.path.insert(0,home+"/runtime.zip")
{_START}
main(sys.argv[2],home)"""


CONDA_VARIABLE = "SAGEMAKER_JOB_CONDA_ENV"
"""Names the conda environment where the call does not, in the job's variables or in those of its image.
Source: SageMaker SDK, ``@remote``, job_conda_env."""

# Without `conda run`, which buffers output, swallows signals and needs conda itself. The environment's own Python
# starts anew with the same program, and a mark keeps it from looking again. Source for the places: conda's
# documentation, "Managing environments" and "envs_dirs"; images follow it under /opt.
_CONDA = """\
env="@NAME@" or os.environ.get("@VARIABLE@","")
if os.environ.pop("SM_REMOTE_CONDA_ENV","")!=env:
 import shutil
 get=os.environ.get
 exe=get("CONDA_EXE") or shutil.which("conda") or shutil.which("mamba")
 roots=[get("CONDA_ROOT"),get("MAMBA_ROOT_PREFIX"),exe and os.path.dirname(os.path.dirname(os.path.realpath(exe)))]
 kinds=("conda","miniconda3","miniforge3","mambaforge","anaconda3","micromamba")
 roots+=["/opt/"+k for k in kinds]+[os.path.expanduser("~/"+k) for k in kinds[1:]+(".conda",)]
 places=[d+"/"+env for d in (get("CONDA_ENVS_PATH") or get("CONDA_ENVS_DIRS") or "").split(os.pathsep) if d]
 places+=[r if env=="base" else r+"/envs/"+env for r in roots if r]
 for place in places:
  python=place+"/bin/python3"
  if os.access(python,os.X_OK):
   os.environ.update(SM_REMOTE_CONDA_ENV=env,CONDA_DEFAULT_ENV=env,CONDA_PREFIX=place)
   os.environ["PATH"]=place+"/bin:"+get("PATH","/usr/local/bin:/usr/bin:/bin")
   os.execv(python,[python,"-c","\\n".join(a)]+sys.argv[1:])
 refuse("The image has no conda environment %r with a python3 (job_conda_env): not %s"%(env,", ".join(places)))"""


def build_launch(
    runtime: BlobRef,
    manifest: BlobRef,
    *,
    python: tuple[int, int] = sys.version_info[:2],
    conda_env: str | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Builds ContainerEntrypoint and ContainerArguments.

    Args:
        runtime: The zip of `capture.runtime_zip`; small enough for its digest to be a plain SHA-256.
        manifest: The manifest.
        python: The minor version that pickled the function; another one is refused before anything is loaded.
        conda_env: The conda environment of the image whose Python runs the job, instead of its ``python3``. Where
            none is named, an image may name one itself.

    Raises:
        ValueError: The environment's name is none.
    """
    switch = f"{build_switch(conda_env)}\n"
    program = _VERIFIER.replace("@VERSION@", f"({python[0]},{python[1]})").replace("@CONDA@\n", switch)
    lines = program.split("\n")
    return ("python3", "-c", LOADER), (str(len(lines)), *lines, runtime.digest, manifest.digest)


def build_switch(conda_env: str | None) -> str:
    """The lines of a program that start it again by the Python of a conda environment, where one is named.

    They call ``refuse`` with a reason, and need the program's own lines in ``a``.

    Args:
        conda_env: Its name; None where only `CONDA_VARIABLE` may name one.

    Raises:
        ValueError: It is no name of an environment.
    """
    if conda_env is not None and not re.fullmatch(r"[a-zA-Z0-9_-]+", conda_env):
        raise ValueError(f"{conda_env!r:.80} is no name of a conda environment")
    return _CONDA.replace("@NAME@", conda_env or "").replace("@VARIABLE@", CONDA_VARIABLE)


def read_manifest_digest(arguments: Sequence[str] | None) -> str | None:
    """The manifest's digest out of a job's ContainerArguments, or None where the job is not one of ours."""
    if not arguments or len(arguments) < 4 or _START not in arguments:
        return None
    runtime_digest, manifest_digest = arguments[-2:]
    return manifest_digest if is_digest(runtime_digest) and is_digest(manifest_digest) else None
