"""The command line, `sm-remote`."""

from sm_remote.cli.app import main

__all__ = ["main"]
