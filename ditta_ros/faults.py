"""What may go wrong in the adaptation: it is noted and borne, and labels go on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ditta_ros.errors import one_line

_log = logging.getLogger(__name__)

# What drivers, allocators and numerics raise.  Anything else is a mistake in the program.
FAULTS = (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError)

OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)
CPU_ALLOCATOR = "can't allocate memory"  # of the RuntimeError that torch raises on the CPU


@dataclass(frozen=True)
class Fault:
    """What went wrong, in words.

    The error itself is not kept: its traceback would keep the tensors of the calls that failed,
    just where memory is short.
    """

    text: str
    out_of_memory: bool

    @classmethod
    def of(cls, error: Exception, doing: str) -> Fault:
        """Describe and log ``error``, which came while ``doing``.

        With its traceback where it is none of those that are reckoned with.
        """
        fault = cls(f'{type(error).__name__}: {one_line(error)}', out_of_memory(error))
        if fault.out_of_memory or isinstance(error, ArithmeticError):
            _log.warning('%s failed: %s', doing, fault.text)
        else:
            _log.error('%s failed: %s', doing, fault.text, exc_info=error)
        return fault


def out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out, on whichever device."""
    return isinstance(error, OUT_OF_MEMORY) or CPU_ALLOCATOR in str(error)


class Endurance:
    """Counts the faults of a stream's adaptation."""

    def __init__(self) -> None:
        self.faults = 0
        self.last = ''  # in words; '': there was none
        self.in_a_row = 0

    def status(self) -> dict[str, Any]:
        """Return what a session's status says of it."""
        return {'adaptation_faults': self.faults, 'last_fault': self.last}

    def note(self, fault: Fault) -> None:
        """Count ``fault``."""
        self.faults += 1
        self.in_a_row += 1
        self.last = fault.text

    def went_well(self) -> None:
        """Note that a unit went well: what comes next is not in a row with what was."""
        self.in_a_row = 0
