"""A notebook and a kernel for the tests of cells; others need not import Jupyter."""

from tests.kernel import kernel as kernel
from tests.notebook_shell import notebook as notebook
