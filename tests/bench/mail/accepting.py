"""Messages a second that are acknowledged, by SMTP and by the inject command."""
import time

from load import smtp_source, until


def smtp(host, opt):
    """While deliveries run."""
    def settle():
        until(lambda: host.queued() == 0, 60)
        time.sleep(0.2)

    return measured(host, opt, "start", ((1, False), (1, True), (20, False), (20, True)), 100,
                    settle, "CPU ms/msg, delivered")


def smtp_hold(host, opt):
    """With deliveries off, so nothing else uses the disk."""
    if "start_hold" not in host.conf:
        return {}
    return measured(host, opt, "start_hold", ((1, True), (20, False), (20, True)), 50,
                    lambda: time.sleep(0.1), "CPU ms/msg")


def measured(host, opt, start, loads, warm, settle, label):
    """Messages a second, and what they cost until `settle` returns, for each number of sessions and kind of them."""
    found, n, user = {}, opt.n(1000, 200), host.conf["user_rcpt"]
    host.start(start)
    try:
        smtp_source(host, 10, warm, user)
        for sessions, persistent in loads:
            count = n if sessions > 1 else n // 2
            cpu, tag = host.cpu(), f"s{sessions} {'many/conn' if persistent else '1/conn'}"
            found[f"{tag} msg/s"] = count / smtp_source(host, sessions, count, user, persistent)
            settle()
            found[f"{tag} {label}"] = (host.cpu() - cpu) / count * 1000
    finally:
        host.stop()
    return found


def inject(host, opt):
    n, found, user = opt.n(1000, 100), {}, host.conf["user_rcpt"]
    host.start()
    try:
        host.inject_loop(user, 20)
        for procs in (1, 4):
            found[f"{procs} proc{'s' if procs > 1 else ''} msg/s"] = n / host.inject_loop(user, n, procs=procs)
            until(lambda: host.queued() == 0, 60)
    finally:
        host.stop()
    return found
