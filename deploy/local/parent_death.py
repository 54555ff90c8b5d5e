"""`python parent_death.py PARENT COMMAND...`: becomes COMMAND, which dies with the thread that started it.

A broker must not outlive the program that started it, even if SIGKILL ended that program. This is a program, not a
function that runs between fork and exec, because Python code there can deadlock beside other threads. It imports
nothing of this project, so it costs milliseconds. macOS has no such signal: there the children stop only if their
parent ends in an orderly way or by an exception.

Source: prctl(2), PR_SET_PDEATHSIG; the setting survives execve.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Never returns. Raises OSError if the command can't be run."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)  # the parent had ended before prctl was called
    os.execv(command[0], command)  # noqa: S606 - the caller's own argument list, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
