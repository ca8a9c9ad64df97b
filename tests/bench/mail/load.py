"""What is sent to a host, and how it is waited for."""
import os
import re
import socket
import subprocess
import threading
import time

LIMIT = 120.0            # seconds any single wait may take
SENDER = "bench@test.example"
TOOLS = {"smtp-source": "smtp-source", "smtp-sink": "smtp-sink"}


def message(ident, size=2048):
    head = (f"From: <{SENDER}>\r\nTo: <someone@test.example>\r\n"
            f"Subject: bench {ident}\r\nX-Bench-Id: {ident}\r\n"
            f"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-Id: <{ident}@bench.example>\r\n\r\n")
    line = "x" * 70 + "\r\n"
    return (head + line * max(1, (size - len(head)) // 72)).encode()


def smtp_source(host, sessions, n, recipient, persistent=False, size=2048):
    """n messages by SMTP, one or many a connection; gives the seconds until the last is acknowledged."""
    command = [TOOLS["smtp-source"], "-s", str(sessions), "-m", str(n), "-l", str(size),
               "-f", SENDER, "-t", recipient, "-M", "test.example"]
    if persistent:
        command.append("-d")
    began = time.perf_counter()
    subprocess.run(command + [host.conf["smtp"]], check=True, timeout=LIMIT * 4,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def send_one(host, recipient):
    """One message by SMTP, from this process: starting smtp-source takes longer than a message does."""
    address, port = host.conf["smtp"].rsplit(":", 1)
    with socket.create_connection((address, int(port)), LIMIT) as connection:
        replies = connection.makefile("rb")

        def say(words, code):
            connection.sendall(words)
            line = replies.readline()
            while line[3:4] == b"-":
                line = replies.readline()
            assert line.startswith(code), line

        say(b"", b"220")
        say(b"HELO test.example\r\n", b"250")
        say(f"MAIL FROM:<{SENDER}>\r\n".encode(), b"250")
        say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
        say(b"DATA\r\n", b"354")
        say(message("one") + b".\r\n", b"250")
        say(b"QUIT\r\n", b"221")


def until(is_so, limit=LIMIT, step=0.01):
    """Waits for it; gives the seconds, or None after the limit."""
    began = time.perf_counter()
    while not is_so():
        if time.perf_counter() - began > limit:
            return None
        time.sleep(step)
    return time.perf_counter() - began


def drain(host, began):
    """Seconds from `began` until the queue is empty, and still is a tenth of a second later."""
    empty = None
    while time.perf_counter() - began < LIMIT:
        if host.queued():
            empty = None
        elif empty is None:
            empty = time.perf_counter()
        elif time.perf_counter() - empty > 0.1:
            return empty - began
        time.sleep(0.01)
    return None


class Sink:
    """smtp-sink with its counters."""
    def __init__(self, address):
        self.said = b""
        self.process = subprocess.Popen([TOOLS["smtp-sink"], "-c", "-u", "nobody", address, "200"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self.pump, daemon=True).start()
        time.sleep(0.3)

    def pump(self):
        while said := os.read(self.process.stdout.fileno(), 65536):
            self.said = (self.said + said)[-400:]

    def counts(self):
        """Connections and messages so far."""
        found = re.findall(rb"sess=(\d+) quit=(\d+) mesg=(\d+)", self.said)
        return (int(found[-1][0]), int(found[-1][2])) if found else (0, 0)

    def close(self):
        self.process.kill()
        self.process.wait()
