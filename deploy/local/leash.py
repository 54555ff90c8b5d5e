"""`python leash.py PARENT COMMAND...`: becomes COMMAND, which the kernel kills when the thread that started it ends.

A broker must not outlive the program that started it, even one killed with -9, which can stop nothing itself. This is
a program and not a function run between fork and exec, because Python code there can deadlock beside threads. It
imports nothing of this project, so that it costs milliseconds. On macOS there is no such signal: there only an orderly
end (or a crash that Python survives) stops the children.

Source: prctl(2), PR_SET_PDEATHSIG; the setting survives execve.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Never returns. Raises OSError where the command can't be run."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)  # the parent was gone before the signal was asked for
    os.execv(command[0], command)  # noqa: S606 - the caller's own argument list, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
