"""From acceptance to mailboxes and remote hosts."""
import statistics
import time

from hosts import count_files
from load import Sink, drain, message, send_one, smtp_source, until


def e2e(host, opt):
    """From the first connection to the last file in new/."""
    n, user = opt.n(2000, 300), host.conf["user_rcpt"]
    host.start()
    try:
        smtp_source(host, 10, 20, user)
        until(lambda: host.arrived() >= 20, 20)
        base = host.arrived()
        cpu, began = host.cpu(), time.perf_counter()
        accepted = smtp_source(host, 10, n, user)
        is_whole = until(lambda: host.arrived() - base >= n) is not None
        total = time.perf_counter() - began
        until(lambda: host.queued() == 0, 20)
        time.sleep(0.2)
        cpu = host.cpu() - cpu
    finally:
        host.stop()
    return {"msg/s": n / total if is_whole else 0.0, "accept share s": accepted, "total s": total,
            "CPU ms/msg": cpu / n * 1000, "arrived": host.arrived() - base}


def latency(host, opt):
    """One message at a time on an idle host: connect to file in new/."""
    host.start()
    try:
        smtp_source(host, 1, 5, host.conf["user_rcpt"])
        until(lambda: host.arrived() >= 5, 20)
        times = sorted(one_by_one(host, opt.n(40, 10)))
    finally:
        host.stop()
    return {"median ms": statistics.median(times), "p90 ms": times[len(times) * 9 // 10]}


def one_by_one(host, n):
    """Milliseconds of each of n messages."""
    times = []
    for _ in range(n):
        base, began = host.arrived(), time.perf_counter()
        send_one(host, host.conf["user_rcpt"])
        until(lambda: host.arrived() > base, 20, 0.0002)
        times.append((time.perf_counter() - began) * 1000)
    return times


def trash(host, opt):
    """One message, 8192 recipients that throw it away."""
    return to_many(host, "trash_rcpt", opt.n(8192, 512))


def to_many(host, key, n):
    """One message to n recipients, until all are done with."""
    host.start()
    try:
        began = time.perf_counter()
        inject_to_many(host, key, n)
        queued = time.perf_counter() - began
        total = drain(host, began)
    finally:
        host.stop()
    return {"queued s": queued, "total s": total, "rcpt/s": n / total if total else 0}


def inject_to_many(host, key, n):
    recipients = [host.conf[key].replace("{i}", str(i)) for i in range(1, n + 1)]
    host.inject(recipients, message(key).replace(b"\r\n", b"\n"))


def boxes(host, opt):
    """One message, 1024 local mailboxes."""
    n = opt.n(1024, 128)
    figures = to_many(host, "box_rcpt", n)
    arrived = sum(count_files(host.box(i) + "/new") for i in range(1, n + 1))
    return figures | {"arrived": arrived}


def separate(host, opt):
    """5000 messages queued while nothing is delivered, then delivered."""
    n = opt.n(5000, 300)
    queued = host.inject_loop(host.conf["user_rcpt"], n, size=512, procs=2)
    began = time.perf_counter()
    host.start()
    try:
        is_whole = until(lambda: host.arrived() >= n) is not None
        delivered = time.perf_counter() - began
        until(lambda: host.queued() == 0, 20)
        time.sleep(0.2)
        cpu = host.cpu()
    finally:
        host.stop()
    return {"queue s": queued, "queue msg/s": n / queued, "deliver s": delivered if is_whole else None,
            "deliver msg/s": host.arrived() / delivered, "deliver CPU ms/msg": cpu / n * 1000,
            "arrived": host.arrived()}


def remote(host, opt):
    """One message to 1000 remote recipients, then 500 messages with one each."""
    n, count = opt.n(1000, 100), opt.n(500, 50)
    sink = Sink(host.conf["sink"])
    host.start()
    try:
        began = time.perf_counter()
        inject_to_many(host, "remote_rcpt", n)
        total = drain(host, began)
        connections, messages = sink.counts()
        found = {"1 msg: total s": total, "rcpt/s": n / total if total else 0,
                 "conns": connections, "transactions": messages}
        began = time.perf_counter()
        smtp_source(host, 10, count, host.conf["remote_rcpt"].replace("{i}", "1"))
        until(lambda: sink.counts()[1] - messages >= count)
        found["separate msg/s"] = count / (time.perf_counter() - began)
        found["separate conns"] = sink.counts()[0] - connections
    finally:
        host.stop()
        sink.close()
    return found
