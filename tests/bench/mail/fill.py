"""A full queue that lies beside a host's own, to be put in its place while the host is stopped.

Its messages were tried and are waiting: they are for a host that refuses connections, and due in an hour or
two. They are written straight into the files, which takes a minute where SMTP would take an hour.
"""
import contextlib
import os
import shutil
import time

from load import SENDER, message, smtp_source, until


@contextlib.contextmanager
def beside(host, depth):
    """A full queue of the host, removed in the end."""
    full = Full(host)
    try:
        full.make()
        {"qmail": qmail, "postfix": postfix}[host.conf["fill"]](full, depth)
        os.sync()
        yield full
    finally:
        full.remove()


class Full:
    def __init__(self, host):
        self.host = host
        self.queue = host.conf["queue"]
        self.areas = host.conf["fill_areas"]

    def at(self, area):
        return f"{self.queue}/{area}.full"

    def make(self):
        """The directories, as the host's own are."""
        for area in self.areas:
            own = f"{self.queue}/{area}"
            self.remove_area(area)
            for top, _, _ in os.walk(own):
                copy = self.at(area) + top[len(own):]
                os.mkdir(copy)
                like(top, copy)

    @contextlib.contextmanager
    def in_place(self):
        self.turn("own", "full")
        try:
            yield
        finally:
            self.turn("full", "own")

    def turn(self, away, here):
        for area in self.areas:
            place = f"{self.queue}/{area}"
            os.rename(place, f"{place}.{away}")
            os.rename(f"{place}.{here}", place)

    def remove(self):
        for area in self.areas:
            self.remove_area(area)

    def remove_area(self, area):
        shutil.rmtree(self.at(area), ignore_errors=True)


def like(path, copy):
    """Gives the copy the owner and the mode of the path."""
    found = os.stat(path)
    os.chown(copy, found.st_uid, found.st_gid)
    os.chmod(copy, found.st_mode & 0o7777)


def due(number):
    """When a message is tried next: in one to two hours."""
    return time.time() + 3600 + number * 7919 % 3600


def qmail(full, depth):
    """doc/queue.md, section 1: preprocessed messages with one remote recipient each."""
    body = b"Received: (qmail 1 invoked for bench); 1 Jan 2026 00:00:00 -0000\n"
    body += message("full", 1024).replace(b"\r\n", b"\n")
    recipient = full.host.conf["hold_rcpt"].replace("{i}", "1")
    split = len(os.listdir(full.at("mess")))
    owners = {area: os.stat(full.at(area)) for area in full.areas}

    def write(path, area, mode, content):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        os.write(file, content)
        os.fchown(file, owners[area].st_uid, owners[area].st_gid)
        number = os.fstat(file).st_ino
        os.close(file)
        return number
    for count in range(depth):
        new = full.at("mess") + "/new"
        number = write(new, "mess", 0o644, body)
        name = f"{number % split}/{number}"
        os.rename(new, f"{full.at('mess')}/{name}")
        write(f"{full.at('info')}/{name}", "info", 0o600, f"F{SENDER}\0".encode())
        remote = f"{full.at('remote')}/{name}"
        write(remote, "remote", 0o600, f"T{recipient}\0".encode())
        os.utime(remote, (due(count), due(count)))


def postfix(full, depth):
    """Copies of one message that Postfix deferred, under other names."""
    host = full.host
    own = f"{full.queue}/deferred"
    host.start()
    try:
        smtp_source(host, 1, 1, host.conf["hold_rcpt"].replace("{i}", "1"), size=1024)
        until(lambda: files(own), 30)
    finally:
        host.stop()
    first = files(own)[0]
    with open(first, "rb") as f:
        content = f.read()
    os.unlink(first)
    for folder in "0123456789ABCDEF":
        os.makedirs(f"{full.at('deferred')}/{folder}", exist_ok=True)
        like(own, f"{full.at('deferred')}/{folder}")
    found = os.stat(full.at("deferred"))
    for count in range(depth):
        name = f"{count:05X}"[::-1] + "ABCDEF"
        path = f"{full.at('deferred')}/{name[0]}/{name}"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
        os.write(file, content)
        os.fchown(file, found.st_uid, found.st_gid)
        os.fchmod(file, 0o700)
        os.close(file)
        os.utime(path, (due(count), due(count)))


def files(directory):
    return [os.path.join(top, name) for top, _, names in os.walk(directory) for name in names]
