"""The processes below one process: which they are, what they cost, what memory they take."""
import ctypes
import os
import subprocess
import time


def children():
    """{parent: [children]} of every process that is alive."""
    kids = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (words := stat(name)) and words[0] != b"Z":
            kids.setdefault(int(words[1]), []).append(int(name))
    return kids


def stat(pid):
    """The words of /proc/PID/stat behind the name: state, parent, ..."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            text = f.read()
    except OSError:
        return None
    return text[text.rindex(b")") + 2:].split()


def descendants(pid):
    kids, found, left = children(), [], [pid]
    while left:
        for child in kids.get(left.pop(), []):
            found.append(child)
            left.append(child)
    return found


def cpu(pids):
    """Processor seconds used by the processes so far, and by the dead that they waited for."""
    ticks = 0
    for pid in pids:
        if words := stat(pid):
            ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pids):
    """kB resident, kB resident with what is shared divided by its users, number of processes."""
    rss = pss = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                for line in f:
                    if line.startswith("Rss:"):
                        rss += int(line.split()[1])
                    elif line.startswith("Pss:"):
                        pss += int(line.split()[1])
        except OSError:
            pass
    return rss, pss, len(pids)


def holder(commands, log):
    """Forks a process that runs the commands and adopts everything they leave behind.

    Daemons that detach become its children (child subreaper), so a host's processes are exactly its
    descendants, whatever they are called.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for command in commands:
            subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             cwd="/", start_new_session=True)
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.05)
    finally:
        os._exit(1)
