"""The command `praxiscope`."""

from praxiscope.command._main import main, run

__all__ = ["main", "run"]
