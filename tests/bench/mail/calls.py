"""System calls of a message, by strace: how many of each, and which files are synced by whom."""
import contextlib
import os
import re
import subprocess
import tempfile
import time

from load import smtp_source, until

PROCESSES = "fork,vfork,clone,clone3,execve"
SYNCS = "fsync,fdatasync,sync,syncfs,sync_file_range,io_submit"
NAMES = "link,linkat,unlink,unlinkat,rename,renameat,renameat2"
PLAIN = {"clone": "fork", "vfork": "fork", "clone3": "fork", "execve": "exec", "linkat": "link", "unlinkat": "unlink",
         "renameat": "rename", "renameat2": "rename", "fdatasync": "fsync"}


def syscalls(host, opt):
    """Forks, execs, syncs and names a message, over n messages."""
    n, count = opt.n(100, 30), {}
    for _, call, rest in traced(host, opt, n, ",".join([PROCESSES, SYNCS, NAMES])):
        call = PLAIN.get(call, call)
        if not (call == "exec" and "ENOENT" in rest):
            count[call] = count.get(call, 0) + 1
    return {f"{call}/msg": count.get(call, 0) / n for call in ("fork", "exec", "fsync", "link", "unlink", "rename")}


def syncs(host, opt):
    """One message to a Maildir: each sync with its file, each exec and fork, and whose it is, in order.

    `sync_file_range` only starts a write: it makes nothing durable."""
    names, found = {}, {}
    for pid, call, rest in traced(host, opt, 1, f"{PROCESSES},{SYNCS}", names):
        call = {"fdatasync": call, "execve": "exec"}.get(call, PLAIN.get(call, call))
        if call == "exec":
            if "ENOENT" in rest:
                continue
            program = os.path.basename(re.search(r'"([^"]*)"', rest)[1])
            add(found, f"exec {program}")
            names[pid] = program
        elif call == "fork":
            add(found, f"fork by {names.get(pid, '?')}")
            if child := re.search(r"= (\d+)", rest):
                names[child[1]] = names.get(pid, "?")
        else:
            for path in re.findall(r"<(/[^>]*)>", rest) or [""]:
                add(found, f"{call} {shown(path)} by {names.get(pid, '?')}")
    return found


def add(found, row):
    found[row] = found.get(row, 0) + 1


def shown(path):
    """The path below what is the host's, with numbers as N. A message that was opened in pid/ and has another
    name since is the one in mess/."""
    path = re.sub(r".*/(?=(?:queue|spool|Maildir)/)", "", path)
    path = re.sub(r"^queue/pid/.*", "queue/mess/N/N", path)
    path = re.sub(r"/(tmp|new)/[^/]+$", r"/\1/FILE", path)
    path = re.sub(r"/(?:[0-9A-F]{9,}|\d+)(?=/|$)", "/N", path)
    return re.sub(r"/[0-9A-F](?=/N$)", "/N", path)


def name(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
        return f.read().strip()
    return "?"


def traced(host, opt, n, calls, names=None):
    """(process, call, the rest of its line) of the host's processes while n messages go through, in order.

    `names` is given those of the processes that are there already."""
    with tempfile.TemporaryDirectory(dir=opt.work) as folder:
        host.start()
        try:
            smtp_source(host, 1, 5, host.conf["user_rcpt"])
            until(lambda: host.queued() == 0, 20)
            base, attach = host.arrived(), []
            for pid in host.pids():
                attach += ["-p", str(pid)]
                if names is not None:
                    names[str(pid)] = name(pid)
            strace = subprocess.Popen(["strace", "-f", "-qq", "-y", "-e", "trace=" + calls, "-e", "signal=none",
                                       "-o", folder + "/t", *attach], stderr=subprocess.DEVNULL)
            until(lambda: all(is_traced(pid) for pid in host.pids()), 20)
            smtp_source(host, 1, n, host.conf["user_rcpt"])
            until(lambda: host.arrived() - base >= n, 60)
            until(lambda: host.queued() == 0, 20)
            time.sleep(0.3)
            strace.terminate()
            strace.wait()
        finally:
            host.stop()
        yield from whole_calls(folder + "/t")


def is_traced(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
        return "TracerPid:\t0\n" not in f.read()
    return True


def whole_calls(path):
    """Each call once, at the place where it began, with its result behind it."""
    lines, open_calls = [], {}
    with open(path, errors="replace") as f:
        for line in f:
            if begun := re.match(r"(\d+) +(\w+)\((.*)", line):
                lines.append(list(begun.groups()))
                if "<unfinished" in line:
                    open_calls[begun[1]] = lines[-1]
            elif (resumed := re.match(r"(\d+) +<\.\.\. \w+ resumed>(.*)", line)) and resumed[1] in open_calls:
                open_calls.pop(resumed[1])[2] += resumed[2]
    return map(tuple, lines)
