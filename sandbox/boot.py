"""Starts a fork server: run by path, in a clean interpreter, with the number of its socket.

The fork server must be a process that has never seen the client's memory, threads or modules, so it
cannot import the package in the usual way: that would put the whole repository on the path and run
`sandbox/__init__.py`, which is the client. Instead bare packages that hold nothing but the path of
this folder stand in for `assay` and `assay.sandbox`, and the sibling files import each other
through them.

    python -s -P sandbox/boot.py 5
"""

import os
import signal
import sys
import types


def boot() -> None:
    """Puts the stand-in package in place and enters the fork server; never returns."""
    _forget_inherited_signals()
    here = os.path.dirname(os.path.abspath(__file__))
    # Python 3.10 has no -P and puts the script's folder first, where our wire.py or outcome.py
    # would shadow what a program means by these names.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    for name, path in (("assay", []), ("assay.sandbox", [here])):
        package = types.ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package
    from assay.sandbox import namespaces

    # Before the rest is imported: what is in memory now, two processes will have.
    entered, parent = namespaces.enter(os.getppid())
    from assay.sandbox.forkserver import main

    main(int(sys.argv[1]), parent, entered)


def _forget_inherited_signals() -> None:
    """A client may ignore its children's ends or block signals, and both are inherited."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGXCPU, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    boot()
