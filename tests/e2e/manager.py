"""tests/e2e/manager.py - plays systemd for a program: hears what it tells, and passes it sockets that it listens on.

    manager.py [--watchdog USEC] [--abstract] [--notify SOCKET] [--socket NAME=WHERE]... -- PROGRAM ARGUMENT...

WHERE is HOST:PORT, or the path of a unix socket.

Writes a line of JSON for the program's process, for what each passed socket is bound to, for each datagram, and for the
program's end; the program's own output goes to stderr. With --notify the program is told another socket than ours. A
socket that is passed stays open here, as in systemd: --again on stdin starts the program once more with the same ones.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import threading

FIRST = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)


def say(**what):
    print(json.dumps(what), flush=True)


def notify_socket(is_abstract):
    """The socket, and its name as it stands in NOTIFY_SOCKET."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = os.path.join(tempfile.mkdtemp(prefix="ringcast-"), "notify")
    manager.bind("\0" + path if is_abstract else path)
    return manager, "@" + path if is_abstract else path


def unix_listener(name, path):
    passed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    passed.bind(path)
    os.chmod(path, 0o660)
    passed.listen(128)
    say(socket=name, port=0)
    return name, passed


def listener(text):
    name, address = text.split("=", 1)
    if address.startswith("/"):
        return unix_listener(name, address)
    host, port = address.rsplit(":", 1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    passed = socket.socket(family, socket.SOCK_STREAM)
    passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    passed.bind((host.strip("[]"), int(port)))
    passed.listen(128)
    say(socket=name, port=passed.getsockname()[1])
    return name, passed


def become(program, sockets, environment):
    """In the child: the sockets stand where they are looked for, and say whose they are."""
    spare = [os.dup2(passed.fileno(), 100 + i) for i, (_, passed) in enumerate(sockets)]
    for i, descriptor in enumerate(spare):
        os.dup2(descriptor, FIRST + i)
        os.close(descriptor)
    if sockets:
        environment["LISTEN_PID"] = str(os.getpid())
        environment["LISTEN_FDS"] = str(len(sockets))
        environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in sockets)
    os.dup2(2, 1)
    os.execve(program[0], program, environment)


def run(program, sockets, environment):
    child = os.fork()
    if child == 0:
        become(program, sockets, environment)
    say(pid=child)
    _, status = os.waitpid(child, 0)
    say(code=os.waitstatus_to_exitcode(status))


def hear(manager):
    while True:
        say(heard=manager.recv(4096).decode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--watchdog")
    parser.add_argument("--abstract", action="store_true")
    parser.add_argument("--notify")
    parser.add_argument("--socket", action="append", default=[])
    parser.add_argument("program", nargs="+")
    asked = parser.parse_args()
    manager, name = notify_socket(asked.abstract)
    environment = dict(os.environ, NOTIFY_SOCKET=asked.notify or name)
    if asked.watchdog:
        environment["WATCHDOG_USEC"] = asked.watchdog
    threading.Thread(target=hear, args=(manager,), daemon=True).start()
    sockets = [listener(text) for text in asked.socket]
    run(asked.program, sockets, environment)
    for line in sys.stdin:
        if line.strip() == "--again":
            run(asked.program, sockets, environment)


main()
