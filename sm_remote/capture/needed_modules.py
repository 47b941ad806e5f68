"""The modules that a call is certain to need, read from its payloads and its function's body; nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from sm_remote.capture.certain_imports import list_certain_imports
from sm_remote.capture.distributions import Distribution, providers_of, read_index
from sm_remote.capture.plan import Plan
from sm_remote.wire.payload import scan_globals

_MOST_OPCODES = 50_000
"""Of a pickle so many are looked at, 50 ms at most: classes are named where their first object is."""
DYNAMIC = frozenset({"sm_remote", "cloudpickle"})
"""What every job has, or makes itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """What the payloads name.

    Attributes:
        function: What the function's pickle refers to; loading it imports these modules.
        arguments: The same of the arguments.
        modules: Modules that both hold as values.
        body: Modules that the function's body is sure to import.
    """

    function: frozenset[tuple[str, str]]
    arguments: frozenset[tuple[str, str]]
    modules: frozenset[str]
    body: tuple[str, ...]

    @classmethod
    def read(cls, plan: Plan) -> Needed:
        """Looks into the payloads, without loading them."""
        return cls(
            function=scan_globals(plan.function.source(), most_opcodes=_MOST_OPCODES),
            arguments=scan_globals(plan.arguments.source(), most_opcodes=_MOST_OPCODES),
            modules=plan.module_objects,
            body=list_certain_imports(plan.target.func),
        )

    @property
    def tops(self) -> frozenset[str]:
        """The top-level modules that are certain to be imported."""
        modules = [module for module, _ in self.function | self.arguments]
        return frozenset(name.partition(".")[0] for name in (*modules, *self.modules, *self.body)) - DYNAMIC


def find_distributions(plan: Plan, needed: Needed) -> list[Distribution]:
    """The installed distributions whose objects the payloads hold."""
    modules = {module for module, _ in needed.function | needed.arguments} | needed.modules
    index = read_index() if plan.reach.installed else None
    if index is None:
        return []
    found = {
        one.key: one
        for name in modules
        if name in plan.reach.installed
        for one in providers_of(name, plan.reach.installed[name].file, index)
    }
    return [found[key] for key in sorted(found)]
