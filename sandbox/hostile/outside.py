"""Attacks on files, secrets and the network: kept in by Landlock and seccomp."""

from functools import partial

from assay.sandbox.hostile.attack import DENIED, Attack

__all__ = ["ATTACKS"]

# Either layer is enough to keep a program from writing; only Landlock keeps it from reading.
_write = partial(Attack, "writing", needs="seccomp|landlock")
_read = partial(Attack, "reading", needs="landlock")
_net = partial(Attack, "network", needs="seccomp")

_WRITING = (
    _write("a new file", "open('{outside}/file', 'w').write('x')", "error", DENIED),
    _write(
        "a file in the home folder",
        "import os\nopen(os.path.expanduser('~/x'), 'w')",
        "error",
        DENIED,
    ),
    _write("the end of a file", "open('{outside}/victim', 'a').write('x')", "error", DENIED),
    _write("into a file", "import os\nos.open('{outside}/victim', os.O_RDWR)", "error", DENIED),
    _write("truncate", "import os\nos.truncate('{outside}/victim', 0)", "error", DENIED),
    _write("remove", "import os\nos.remove('{outside}/victim')", "error", DENIED),
    _write("remove a folder", "import shutil\nshutil.rmtree('{outside}')", "error", DENIED),
    _write("rename", "import os\nos.rename('{outside}/victim', '{outside}/x')", "error", DENIED),
    _write("a new folder", "import os\nos.mkdir('{outside}/folder')", "error", DENIED),
    _write("a symbolic link", "import os\nos.symlink('/etc', '{outside}/link')", "error", DENIED),
    _write("a hard link", "import os\nos.link('{outside}/victim', '{outside}/x')", "error", DENIED),
    _write("a named pipe", "import os\nos.mkfifo('{outside}/pipe')", "error", DENIED),
    _write("a device", "import os\nos.mknod('{outside}/disk', 0o60600, 0x800)", "error", DENIED),
    _write(
        "a database",
        "import sqlite3\nsqlite3.connect('{outside}/x.db').execute('create table t (x)')",
        "error",
    ),
    _write("a temporary file", "import tempfile\ntempfile.NamedTemporaryFile()", "error", DENIED),
    _write("/dev/null", "open('/dev/null', 'w')", "error", DENIED),
    _write("the terminal", "open('/dev/tty', 'w').write('x')", "error", "Error"),
    _write(
        "Python's own files", "open(__import__('os').__file__, 'a').write('x')", "error", DENIED
    ),
    _write(
        "Python's own files, mapped",
        "import mmap, os\nmmap.mmap(os.open(os.__file__, os.O_RDONLY), 100).write(b'x')",
        "error",
        DENIED,
    ),
    _write(
        "byte code",
        "import os, py_compile\npy_compile.compile(os.__file__, doraise=True)",
        "error",
        DENIED,
    ),
    _write(
        "shared memory",
        "from multiprocessing import shared_memory as s\ns.SharedMemory('x', True, 9)",
        "error",
        DENIED,
    ),
    _write("/dev/shm", "open('/dev/shm/x', 'w')", "error", DENIED),
    _write(
        "a control group", "open('/sys/fs/cgroup/cgroup.procs', 'w').write('0')", "error", "Error"
    ),
    _write(
        "its parent's memory",
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'r+b')",
        "error",
        DENIED,
    ),
    _write(
        "its parent's chance to be killed",
        "import os\nopen(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('1000')",
        "error",
        DENIED,
    ),
    Attack(
        "writing", "mode", "import os\nos.chmod('{outside}/victim', 0)", "error", DENIED, "seccomp"
    ),
    Attack(
        "writing",
        "owner",
        "import os\nos.chown('{outside}/victim', 1, 1)",
        "error",
        DENIED,
        "seccomp",
    ),
    Attack(
        "writing",
        "times",
        "import os\nos.utime('{outside}/victim', (0, 0))",
        "error",
        DENIED,
        "seccomp",
    ),
    Attack(
        "writing",
        "attributes",
        "import os\nos.setxattr('{outside}/victim', 'user.x', b'x')",
        "error",
        DENIED,
        "seccomp",
    ),
    Attack(
        "writing",
        "an anonymous file",
        "import os\nos.memfd_create('x')",
        "error",
        DENIED,
        "seccomp",
    ),
    Attack(
        "writing",
        "another folder to be in",
        "import os\nos.chdir('/usr')",
        "error",
        DENIED,
        "seccomp",
    ),
)

_READING = (
    _read("a secret", "print(open('{outside}/victim').read())", "error", DENIED),
    _read(
        "a secret, by the C library",
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.open(b"{outside}/victim", 0), ctypes.get_errno())
        """,
        "ok",
        r"^-1 (1|2|13)\n$",
    ),
    _read(
        "a secret, from its folder",
        "import os\nprint(os.open('{outside}', os.O_DIRECTORY))",
        "error",
        DENIED,
    ),
    _read(
        "a secret, as a module",
        "import sys\nsys.path.insert(0, '{outside}')\nimport notes\nprint(notes.secret)",
        "error",
        "^ModuleNotFoundError|" + DENIED,
    ),
    _read("passwords", "print(open('/etc/passwd').read())", "error", DENIED),
    _read("shadowed passwords", "print(open('/etc/shadow').read())", "error", DENIED),
    _read(
        "the home folder", "import os\nprint(os.listdir(os.path.expanduser('~')))", "error", DENIED
    ),
    _read("the list of the root", "import os\nprint(os.listdir('/'))", "error", DENIED),
    _read("the list of processes", "import os\nprint(os.listdir('/proc'))", "error", DENIED),
    _read("its own status", "print(open('/proc/self/status').read())", "error", DENIED),
    _read(
        "its parent's environment",
        "import os\nprint(open(f'/proc/{os.getppid()}/environ').read())",
        "error",
        DENIED,
    ),
    _read(
        "its parent's memory", "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')", "error", DENIED
    ),
    _read(
        "its parent's folder",
        "import os\nprint(os.readlink(f'/proc/{os.getppid()}/cwd'))",
        "error",
        DENIED,
    ),
    _read(
        "its parent's files",
        "import os\nprint(os.listdir(f'/proc/{os.getppid()}/fd'))",
        "error",
        DENIED,
    ),
    _read(
        "its parent's output",
        "import os\nprint(os.open(f'/proc/{os.getppid()}/fd/1', os.O_RDONLY))",
        "error",
        DENIED,
    ),
    _read("the kernel's messages", "print(open('/dev/kmsg').read())", "error", "Error"),
    _read(
        "the disk",
        "import glob\nprint(open((glob.glob('/dev/[sv]da') or ['/dev/mem'])[0], 'rb').read(1))",
        "error",
        DENIED,
    ),
    Attack("reading", "the environment", "import os\nprint(os.environ)", "ok", "^environ"),
    Attack(
        "reading",
        "the environment of the C library",
        """
        import ctypes
        libc = ctypes.CDLL(None)
        environment = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        count = 0
        while environment[count]:
            print(environment[count])
            count += 1
        print(libc.getenv(b"ASSAY_SECRET"))
        """,
        "ok",
        r"\n0\n$",
    ),
    Attack("reading", "input", "print(input())", "error", "EOFError"),
    Attack(
        "reading", "standard input", "import sys\nprint(repr(sys.stdin.read()))", "ok", r"^''\n$"
    ),
    Attack("reading", "descriptor 0", "import os\nprint(os.read(0, 9))", "ok", r"^b''\n$"),
    Attack(
        "reading",
        "every descriptor",
        """
        import os
        for number in range(100):
            try: print(number, os.read(number, 9))
            except OSError: pass
        """,
        "ok",
        r"^0 b''\n(2 b''\n)?$",
    ),
)

_NETWORK = (
    _net("TCP", "import socket\nsocket.create_connection(('127.0.0.1', {port}))", "error", DENIED),
    _net("UDP", "import socket as s\ns.socket(s.AF_INET, s.SOCK_DGRAM)", "error", DENIED),
    _net("IPv6", "import socket as s\ns.socket(s.AF_INET6)", "error", DENIED),
    _net("raw", "import socket as s\ns.socket(s.AF_INET, s.SOCK_RAW, 1)", "error", DENIED),
    _net("packets", "import socket as s\ns.socket(s.AF_PACKET, s.SOCK_RAW)", "error", DENIED),
    _net("netlink", "import socket as s\ns.socket(s.AF_NETLINK, s.SOCK_RAW)", "error", DENIED),
    _net(
        "to the host of a virtual machine",
        "import socket as s\ns.socket(s.AF_VSOCK)",
        "error",
        DENIED,
    ),
    _net("local", "import socket as s\ns.socket(s.AF_UNIX)", "error", DENIED),
    _net("pair", "import socket as s\ns.socketpair()", "error", DENIED),
    _net("listening", "import socket as s\ns.create_server(('127.0.0.1', 0))", "error", DENIED),
    _net(
        "names",
        "import socket as s\nprint(s.gethostbyname('example.com'))",
        "error",
        "gaierror|" + DENIED,
    ),
    _net(
        "the web",
        "import urllib.request as r\nr.urlopen('http://127.0.0.1:{port}', timeout=5)",
        "error",
        "URLError|" + DENIED,
    ),
    _net("an event loop", "import asyncio\nasyncio.run(asyncio.sleep(0))", "error", DENIED),
)

ATTACKS = (*_WRITING, *_READING, *_NETWORK)
