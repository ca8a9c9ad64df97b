"""Messages a second that are acknowledged, by SMTP and by the inject command."""
import time

from load import smtp_source, until


def smtp(host, opt):
    """While deliveries run."""
    found, n, user = {}, opt.n(1000, 200), host.conf["user_rcpt"]
    host.start()
    try:
        smtp_source(host, 10, 100, user)
        for sessions, persistent in ((1, False), (1, True), (20, False), (20, True)):
            count = n if sessions > 1 else n // 2
            cpu, tag = host.cpu(), f"s{sessions} {'many/conn' if persistent else '1/conn'}"
            found[f"{tag} msg/s"] = count / smtp_source(host, sessions, count, user, persistent)
            until(lambda: host.queued() == 0, 60)
            time.sleep(0.2)
            found[f"{tag} CPU ms/msg, delivered"] = (host.cpu() - cpu) / count * 1000
    finally:
        host.stop()
    return found


def smtp_hold(host, opt):
    """With deliveries off, so nothing else uses the disk."""
    if "start_hold" not in host.conf:
        return {}
    found, n, user = {}, opt.n(1000, 200), host.conf["user_rcpt"]
    host.start("start_hold")
    try:
        smtp_source(host, 10, 50, user)
        for sessions, persistent in ((1, True), (20, False), (20, True)):
            count = n if sessions > 1 else n // 2
            cpu, tag = host.cpu(), f"s{sessions} {'many/conn' if persistent else '1/conn'}"
            found[f"{tag} msg/s"] = count / smtp_source(host, sessions, count, user, persistent)
            time.sleep(0.1)
            found[f"{tag} CPU ms/msg"] = (host.cpu() - cpu) / count * 1000
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
