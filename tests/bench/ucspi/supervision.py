"""The metrics of supervise and svscan; see metrics.py."""

import contextlib
import os
import select
import struct
import subprocess
import time

import peers as how
from servers import with_path
from tools import QUIET, Unmeasured, memory, private, program_of, wakeups

UP = struct.Struct("=QII")  # a record of helpers/service.c


class Ready:
    """The FIFO in which helpers/service.c says that it is up."""

    def __init__(self, folder):
        path = os.path.join(folder, ".ready")
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def next(self, seconds):
        """(CLOCK_MONOTONIC seconds, pid) of the next service that came up."""
        if not select.select([self.fd], [], [], seconds)[0]:
            raise Unmeasured(f"no service came up within {seconds} s")
        ns, pid, _ = UP.unpack(os.read(self.fd, UP.size))
        return ns / 1e9, pid


def services(tools, count):
    """A folder of count service folders whose ./run is the helper."""
    scan = tools.folder("scan")
    found = []
    for i in range(count):
        service = os.path.join(scan, f"s{i:03}")
        os.mkdir(service)
        os.symlink(tools.service, os.path.join(service, "run"))
        found.append(service)
    return scan, found


def restart(tools, peer):
    """Eight services up for more than a second, then one after the other made to restart."""
    scan, found = services(tools, 8)
    if how.supervisor(peer, found[0]) is None:
        return None
    ready = Ready(scan)
    by_svc, by_death, rss, pss = [], [], [], []
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ready.fd)
        trees, pids = [], []
        for service in found:
            trees.append(stack.enter_context(tools.tree(how.supervisor(peer, service), with_path(peer))))
            pids.append(ready.next(5)[1])
        time.sleep(1.3)
        for service in found[:4]:
            command = how.control(peer, "term", [service])
            begin = time.monotonic()
            subprocess.run(command, **QUIET)
            by_svc.append((ready.next(5)[0] - begin) * 1e6)
        for pid in pids[4:]:
            begin = time.monotonic()
            os.kill(pid, 9)
            by_death.append((ready.next(5)[0] - begin) * 1e6)
        for tree in trees:
            r, p = memory(tree.process.pid)
            rss.append(r)
            pss.append(p)
    middle = lambda values: sorted(values)[len(values) // 2]
    return {"svc": middle(by_svc), "death": middle(by_death), "rss": middle(rss), "pss": middle(pss)}


def scan200(tools, peer):
    """svscan over 200 services."""
    return scanning(tools, peer, 200)


def scan2000(tools, peer):
    """The same over 2,000, where the original stops at 1,000."""
    return scanning(tools, peer, 2000)


def scanning(tools, peer, count):
    scan, found = services(tools, count)
    command = how.scanner(peer, scan)
    if command is None:
        return None
    ready = Ready(scan)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ready.fd)
        begin = time.monotonic()
        tree = stack.enter_context(tools.tree(command, with_path(peer)))
        last = begin
        for _ in range(count):
            last = max(last, ready.next(20)[0])
        figures = {"up": (last - begin) * 1e3}
        if tree.cpu() is not None:
            figures["cpu"] = tree.cpu() * 1e3
        time.sleep(0.2)
        kept = [pid for pid in tree.pids() if program_of(pid) != "service"]
        figures["procs"] = len(kept)
        figures["pss"] = sum(memory(pid)[1] for pid in kept) / 1024
        ask = how.status(peer, found)
        if ask:
            took = [tools.timed(ask) for _ in range(7)]
            figures["status"] = sorted(t["wall"] for t in took)[3] * 1e3
            figures["status cpu"] = sum(t["user"] + t["sys"] for t in took) / 7 * 1e3
    return figures


def asleep(tools, peer):
    """svscan and its supervisors with 20 services that do nothing."""
    count, seconds = 20, 12  # longer than two of the original's periods
    scan, _ = services(tools, count)
    command = how.scanner(peer, scan)
    if command is None:
        return None
    ready = Ready(scan)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ready.fd)
        tree = stack.enter_context(tools.tree(command, with_path(peer)))
        for _ in range(count):
            ready.next(20)
        time.sleep(1.5)  # what is done once after a start is over
        scanner = tree.process.pid
        kept = [pid for pid in tree.pids() if program_of(pid) != "service"]
        others = [pid for pid in kept if pid != scanner]
        before = {pid: wakeups(pid) for pid in kept}
        time.sleep(seconds)
        woken = {pid: (wakeups(pid) - before[pid]) * 60 / seconds for pid in kept}
        return {"scanner woken": woken[scanner], "woken": max(woken[pid] for pid in others),
                "scanner private": private(scanner),
                "private": sorted(private(pid) for pid in others)[len(others) // 2]}
