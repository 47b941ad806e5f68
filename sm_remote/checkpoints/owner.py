"""Whose checkpoints they are: a function, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose checkpoints they are. Pure.

    Attributes:
        function: Its name; None outside of a decorated function.
        home: The notebook or the module that it is from, ``fit.ipynb`` or ``package.train``; None where neither is
            known, as in an interactive session.
    """

    function: str | None
    home: str | None = None

    def describe(self, beside: Owner) -> str:
        """What people call it, so that it is told from another."""
        same_name = self.function == beside.function
        return f"{self.function} of {self.home}" if self.home and same_name else str(self.function)

    def is_other_function(self, other: Owner) -> bool:
        """Whether another owner goes by another name."""
        return None not in (self.function, other.function) and self.function != other.function

    def is_other_home(self, other: Owner) -> bool:
        """Whether another owner of the same name is known to be from elsewhere.

        A script is the module of the same name: ``train`` is ``package.train``.
        """
        if not self.home or not other.home or self.home == other.home:
            return False
        return not (self.home.endswith(f".{other.home}") or other.home.endswith(f".{self.home}"))
