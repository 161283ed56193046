"""Messages between the client and its fork servers: a length, then JSON.

JSON because it can only make plain values: nothing that comes back from a sandbox is ever
unpickled. Used on both sides, so it imports nothing but the standard library.
"""

import json
import socket
import struct
from typing import Any

__all__ = ["KILL", "OPEN", "receive", "send"]

# What a client asks of a root, one byte each: a server on the socket that comes along with it, or
# the end of the server whose process number follows.
OPEN, KILL = b"O", b"K"

_LENGTH = struct.Struct("!I")
_LARGEST = 256 * 1024 * 1024


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Sends one message; raises OSError where the other side is gone."""
    data = json.dumps(message).encode("ascii")
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message, or None where the other side has closed.

    It reads exactly one message and never ahead: whatever waits behind it stays in the kernel,
    where a forked child, which has closed this socket, cannot see it.
    """
    head = _read(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LARGEST:
        raise ConnectionError(f"a message of {length} bytes")
    body = _read(connection, length)
    if body is None:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ConnectionError("a message that is not an object")
    return message


def _read(connection: socket.socket, count: int) -> bytes | None:
    data = connection.recv(count)
    if len(data) == count:
        return data
    whole = bytearray(data)
    while data and len(whole) < count:
        data = connection.recv(count - len(whole))
        whole += data
    return bytes(whole) if len(whole) == count else None
