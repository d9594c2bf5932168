"""Kernels that are not there: every use says so, and how to get them. For programs that do other things too."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from praxiscope_worlds.kernels._cpu import CpuKernels
from praxiscope_worlds.kernels._errors import KernelsMissingError
from praxiscope_worlds.kernels._types import SplatKernels


class AbsentKernels:
    """Stands where kernels would; draws nothing.

    Args:
        error: Why they are not there.
    """

    def __init__(self, error: KernelsMissingError) -> None:
        """Keeps the reason."""
        self._error = error

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Refuses every use.

        Raises:
            KernelsMissingError: Always.
        """
        raise KernelsMissingError(self._error.message)  # where they were looked for is nobody else's business

    render = differentiate = compare = step_adam = _refuse


def open_kernels(folder: Path, *, thread_count: int) -> SplatKernels:
    """Loads the C++ kernels; where they cannot be, whoever uses the result is told by a `KernelsMissingError`.

    Args:
        folder: Where set-up built them.
        thread_count: Threads of each call.
    """
    try:
        return CpuKernels(folder, thread_count=thread_count)
    except KernelsMissingError as error:
        return AbsentKernels(error)
