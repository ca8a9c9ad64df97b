"""Programs run one at a time: alias tables compiled and asked, .forward files."""
import glob
import os
import shutil
import subprocess
import tempfile
import time

from load import SENDER, message

DELIVERY = {"SENDER": SENDER, "NEWSENDER": SENDER, "HOST": "test.example"}


def aliases(host, opt):
    """Compile 100,000 aliases; look one up."""
    tools, n, found = host.conf.get("tools", {}), opt.n(100000, 5000), {}
    with tempfile.TemporaryDirectory(dir=opt.work) as folder:
        if "newaliases" in tools:
            found |= newaliases(host, tools, folder, n)
        if "setforward" in tools:
            lines(folder + "/fwd", (f"user{i}@test.example: target{i}@other.example, second{i}@other.example;"
                                    for i in range(n)))
            with open(folder + "/fwd") as f:
                found["setforward s"] = timed([tools["setforward"], folder + "/fwd.cdb", folder + "/fwd.tmp"], stdin=f)
        if "newinclude" in tools:
            lines(folder + "/list", (f"target{i}@other.example" for i in range(n)))
            found["newinclude s"] = timed([tools["newinclude"], folder + "/list"])
        if "fastforward" in tools and "setforward" in tools:
            env = host.env() | DELIVERY | {
                "LOCAL": "user77", "RECIPIENT": "user77@test.example", "DEFAULT": "user77", "EXT": "user77",
                "DTLINE": "Delivered-To: user77@test.example\n"}
            command, count = [tools["fastforward"], "-n", folder + "/fwd.cdb"], opt.n(300, 50)
            found["fastforward -n ms"] = each(folder, command, count, env)
            found["(/bin/true ms)"] = each(folder, ["/bin/true"], count, env)
    return found


def newaliases(host, tools, folder, n):
    os.mkdir(folder + "/etc")
    lines(folder + "/etc/aliases", (f"user{i}: target{i}@other.example, second{i}@other.example" for i in range(n)))
    command = [word.replace("{aliases}", folder + "/etc/aliases") for word in tools["newaliases"]]
    if tools.get("newaliases_etc"):      # reads /etc/aliases: give it a private /etc
        for name in ("passwd", "group", "ld.so.cache", "nsswitch.conf"):
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, folder + "/etc/" + name)
        command = ["unshare", "-m", "sh", "-c", f"mount --bind {folder}/etc /etc && exec {' '.join(command)}"]
    seconds = timed(command, env=host.env())
    size = sum(os.path.getsize(path) for path in glob.glob(folder + "/etc/aliases.*"))
    return {"newaliases s": seconds, "db kB": size // 1024}


def dotforward(host, opt):
    tools = host.conf.get("tools", {})
    if "dot-forward" not in tools:
        return {}
    with tempfile.TemporaryDirectory(dir=opt.work) as folder:
        lines(folder + "/.forward", (f"person{i}@other.example" if i % 3 else
                                     f'"Person {i}" <p{i}@other.example>, q{i}@x.example' for i in range(1000)))
        env = host.env() | DELIVERY | {
            "LOCAL": "mailtest", "USER": "mailtest", "RECIPIENT": "mailtest@test.example", "HOME": folder, "EXT": "",
            "DTLINE": "Delivered-To: mailtest@test.example\n", "UFLINE": "", "RPLINE": "Return-Path: <>\n"}
        command = [tools["dot-forward"], "-n", ".forward"]
        return {"1000 lines -n ms": each(folder, command, opt.n(200, 30), env)}


def lines(path, found):
    with open(path, "w") as f:
        f.writelines(line + "\n" for line in found)


def each(folder, command, count, env):
    """Milliseconds of one run of the command in the folder, a message on its input."""
    with open(folder + "/msg", "wb") as f:
        f.write(message(1).replace(b"\r\n", b"\n"))
    began = time.perf_counter()
    for _ in range(count):
        with open(folder + "/msg") as f:
            timed(command, stdin=f, env=env, cwd=folder, ok=(0, 99))
    return (time.perf_counter() - began) / count * 1000


def timed(command, stdin=None, env=None, cwd=None, ok=(0,)):
    began = time.perf_counter()
    done = subprocess.run(command, stdin=stdin, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - began
    if done.returncode not in ok:
        raise RuntimeError(f"{command[0]}: exit {done.returncode} {done.stderr[:300]!r}")
    return seconds
