"""A mail system under test: started, asked, stopped and emptied as its TOML file says."""
import glob
import os
import signal
import socket
import subprocess
import tempfile
import time
import tomllib

import processes
from load import SENDER, message

BOXES = 1024


class Host:
    def __init__(self, path, root):
        with open(path) as f:
            self.conf = tomllib.loads(f.read().replace("{root}", root))
        self.name = self.conf["name"]
        self.pid = None
        self.log = self.conf.get("log", "/dev/null")

    # -- running

    def start(self, key="start", wait="smtp"):
        """Starts it; gives the seconds until it answers."""
        assert self.pid is None
        began = time.perf_counter()
        self.pid = processes.holder(self.conf[key], self.log)
        self.wait_banner(wait)
        return time.perf_counter() - began

    def address(self, key):
        host, port = self.conf[key].rsplit(":", 1)
        return host, int(port)

    def wait_banner(self, key):
        end = time.perf_counter() + 20
        while time.perf_counter() < end:
            try:
                with socket.create_connection(self.address(key), 5) as s:
                    if s.recv(3)[:1] in (b"2", b"+"):
                        s.sendall(b"QUIT\r\n")
                        s.recv(100)
                        return
            except OSError:
                time.sleep(0.005)
        raise RuntimeError(f"{self.name}: no banner on {self.conf[key]}")

    def stop(self):
        if self.pid is None:
            return
        for command in self.conf.get("stop", []):
            subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=30)
        if not self.conf.get("stop"):
            for pid in processes.children().get(self.pid, []):
                end(pid, signal.SIGTERM)
        limit = time.time() + 4
        while self.pids() and time.time() < limit:
            time.sleep(0.02)
        self.kill9()

    def kill9(self):
        while pids := self.pids():
            for pid in pids:
                end(pid, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = None

    def pids(self):
        return processes.descendants(self.pid) if self.pid else []

    def cpu(self):
        """Processor seconds used so far by all its processes, the dead ones included as far as their
        parents waited for them. Far less noisy than the clock on a shared machine."""
        return processes.cpu([self.pid] + self.pids())

    # -- files

    def queued(self):
        return sum(count_files(d) for d in self.conf["queue_dirs"])

    def arrived(self):
        return count_files(self.conf["user_maildir"] + "/new")

    def box(self, number):
        return self.conf["box_maildir"].replace("{i}", str(number))

    def wipe(self):
        """Empties queue and mailboxes; only while it is stopped."""
        assert self.pid is None
        for directory in self.conf["wipe_dirs"]:
            for top, _, files in os.walk(directory, topdown=False):
                for name in files:
                    os.unlink(os.path.join(top, name))
                if self.conf.get("wipe_subdirs") and top != directory:
                    os.rmdir(top)
        for box in [self.conf["user_maildir"], *map(self.box, range(1, BOXES + 1))]:
            for sub in ("new", "cur", "tmp"):
                try:
                    for entry in os.scandir(os.path.join(box, sub)):
                        os.unlink(entry.path)
                except FileNotFoundError:
                    pass
            for path in glob.glob(box + "/dovecot*"):
                os.unlink(path)

    # -- its inject command

    def env(self):
        return os.environ | self.conf.get("env", {})

    def inject_command(self, recipients):
        words = []
        for word in self.conf["inject"]:
            words += recipients if word == "{rcpts}" else [word.replace("{sender}", SENDER)]
        return words

    def inject(self, recipients, body):
        done = subprocess.run(self.inject_command(recipients), input=body, stdout=subprocess.DEVNULL, env=self.env())
        if done.returncode:
            raise RuntimeError(f"{self.name}: inject failed {done.returncode}")

    def inject_loop(self, recipient, n, size=2048, procs=1):
        """n runs of it from shell loops, the message in a file; gives the seconds."""
        with tempfile.NamedTemporaryFile(suffix=".msg") as f:
            f.write(message(0, size).replace(b"\r\n", b"\n"))
            f.flush()
            loop = f'i=0; while [ $i -lt {n // procs} ]; do "$@" < {f.name} || exit 1; i=$((i+1)); done'
            command = ["/bin/sh", "-c", loop, "sh", *self.inject_command([recipient])]
            began = time.perf_counter()
            loops = [subprocess.Popen(command, env=self.env(), stdout=subprocess.DEVNULL) for _ in range(procs)]
            for one in loops:
                if one.wait():
                    raise RuntimeError(f"{self.name}: inject failed")
            return time.perf_counter() - began


def end(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def count_files(directory):
    n = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                n += count_files(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    except (FileNotFoundError, NotADirectoryError):
        pass
    return n
