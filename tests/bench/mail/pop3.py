"""Reading mail by POP3."""
import os
import poplib
import time

from load import message


def pop3(host, opt):
    if "start_pop3" not in host.conf:
        return {}
    fill(host.conf["user_maildir"], opt.n(2000, 200))
    time.sleep(1.2)     # some servers leave out files younger than a second
    found = {}
    host.start("start_pop3", "pop3")
    try:
        for tag in ("first", "again"):
            began = time.perf_counter()
            mailbox = login(host)
            found[f"{tag}: login s"] = time.perf_counter() - began
            began = time.perf_counter()
            count = len(mailbox.list()[1])
            found[f"{tag}: list s"] = time.perf_counter() - began
            began = time.perf_counter()
            mailbox.uidl()
            found[f"{tag}: uidl s"] = time.perf_counter() - began
            began = time.perf_counter()
            for i in range(1, count + 1):
                mailbox.retr(i) if tag == "first" else mailbox.dele(i)
            if tag == "first":
                found["retr all s"] = time.perf_counter() - began
            began = time.perf_counter()
            mailbox.quit()
            found["quit s" if tag == "first" else "quit after dele all s"] = time.perf_counter() - began
        found["messages"] = count
        began = time.perf_counter()
        for _ in range(50):
            mailbox = login(host)
            mailbox.stat()
            mailbox.quit()
        found["empty check-ins/s"] = 50 / (time.perf_counter() - began)
    finally:
        host.stop()
    return found


def fill(maildir, n):
    owner = os.stat(os.path.dirname(maildir))
    for i in range(n):
        path = f"{maildir}/new/{1700000000 + i}.{i}.bench"
        with open(path, "wb") as f:
            f.write(b"Return-Path: <>\n" + message(i).replace(b"\r\n", b"\n"))
        os.chown(path, owner.st_uid, owner.st_gid)


def login(host):
    mailbox = poplib.POP3(*host.address("pop3"), timeout=60)
    mailbox.user(host.conf["pop3_user"])
    mailbox.pass_(host.conf["pop3_pass"])
    return mailbox
