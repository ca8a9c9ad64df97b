"""What a full queue costs, and what memory a host takes."""
import statistics
import threading
import time

import fill
import processes
from delivering import one_by_one
from load import smtp_source, until

ROUNDS = 3


def growth(host, opt):
    """With 100,000 messages queued, whose time has not come, and with none: in turns, a start each."""
    depth, n = opt.n(opt.depth, 5000), opt.n(1000, 200)
    if "fill" not in host.conf:
        return {}
    taken = {"none": [], "full": []}
    with fill.beside(host, depth) as full:
        for _ in range(opt.n(ROUNDS, 2)):
            taken["none"].append(started(host, n))
            with full.in_place():
                taken["full"].append(started(host, n))
    found = {"messages in the full queue": depth}
    for what in taken["none"][0]:
        for which, rounds in taken.items():
            found[f"{which}: {what}"] = statistics.median(round[what] for round in rounds)
    ratios = [full["accepted/s"] / none["accepted/s"] for none, full in zip(taken["none"], taken["full"])]
    return found | {"accepted/s, full to none": statistics.median(ratios)}


def started(host, n):
    """One start: how soon it is there, how fast it takes n messages, how soon a new one is delivered."""
    base = host.arrived()
    began = time.perf_counter()
    found = {"start to banner s": host.start()}
    try:
        smtp_source(host, 1, 1, host.conf["user_rcpt"])
        until(lambda: host.arrived() > base, 60, 0.002)
        found["start to a new message delivered s"] = time.perf_counter() - began
        settle(host)
        cpu, base = host.cpu(), host.arrived()
        found["accepted/s"] = n / smtp_source(host, 20, n, host.conf["user_rcpt"], True)
        until(lambda: host.arrived() - base >= n, 60)
        settle(host)
        found["CPU ms/msg"] = (host.cpu() - cpu) / n * 1000
        times = one_by_one(host, 10)
        found |= {"new message delivered, median ms": statistics.median(times), "the slowest ms": max(times)}
        found["PSS kB"] = processes.memory(host.pids())[1]
        began = time.perf_counter()
    finally:
        host.stop()
    return found | {"stop s": time.perf_counter() - began}


def settle(host):
    """Until it has stood still for a third of a second."""
    before = -1
    for _ in range(100):
        if (now := host.cpu()) == before:
            return
        before = now
        time.sleep(0.3)


def memory(host, opt):
    host.start()
    try:
        time.sleep(1)
        rss, pss, procs = processes.memory(host.pids())
        peak, is_over = [0, 0, 0], threading.Event()

        def watch():
            while not is_over.is_set():
                peak[:] = map(max, peak, processes.memory(host.pids()))
                time.sleep(0.1)
        watcher = threading.Thread(target=watch)
        watcher.start()
        smtp_source(host, 20, opt.n(1000, 200), host.conf["user_rcpt"])
        until(lambda: host.queued() == 0, 60)
        is_over.set()
        watcher.join()
    finally:
        host.stop()
    return {"idle procs": procs, "idle RSS kB": rss, "idle PSS kB": pss,
            "peak procs": peak[2], "peak RSS kB": peak[0], "peak PSS kB": peak[1]}
