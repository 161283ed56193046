"""The names of the layers of isolation, and which missing ones a user should hear about.

Apart from `isolation`, because the client reads it too, also where it can run nothing.
"""

from collections.abc import Mapping

__all__ = ["LAYERS", "worth_a_warning"]

LAYERS = {
    "rlimits": "limits on CPU time, processes, file size and open files",
    "memory": "a limit on memory",
    "no_new_privs": "no privilege to be gained by running something",
    "unprivileged": "no root capabilities, even where the client runs as root",
    "seccomp": "a short list of system calls: no writing, sockets, processes or signals",
    "landlock": "no reading outside Python's own folders",
    "user_namespace": "users of its own: no privilege there is worth anything outside",
    "network_namespace": "a network of its own, with nothing in it",
    "pid_namespace": "processes of its own: it sees no others, and none outlives the sandbox",
}
# What they forbid, seccomp forbids as well. Most containers refuse them, and nobody who works in
# one has to worry.
_EXTRA = ("user_namespace", "network_namespace", "pid_namespace")


def worth_a_warning(active: Mapping[str, bool]) -> tuple[str, ...]:
    """The missing layers that a user should be told of: the namespaces only where seccomp is too.

    Example:
        worth_a_warning({"seccomp": True, "landlock": False, "pid_namespace": False})
        # ("landlock",)
    """
    missing = tuple(name for name, on in active.items() if not on)
    if not active.get("seccomp"):
        return missing
    return tuple(name for name in missing if name not in _EXTRA)
