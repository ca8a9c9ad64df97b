"""kill -9 of every process during load: all accepted mail must arrive."""
import asyncio
import os
import random
import re
import time

from hosts import count_files
from load import SENDER, message


def crash(host, opt):
    chance, accepted = random.Random(opt.seed), set()
    rounds = opt.n(opt.crash_rounds, 3)
    for number in range(rounds):
        host.start()
        asyncio.run(load_and_kill(host, accepted, number, chance.uniform(0.2, 1.5)))
    host.start()
    try:
        wait_for_all(host, accepted, opt.crash_wait)
        left = host.queued()
    finally:
        host.stop()
    found = copies(host)
    return {"rounds": rounds, "accepted": len(accepted), "lost": len(accepted - set(found)),
            "twice": sum(count > 1 for count in found.values()),
            "not acknowledged but arrived": len(set(found) - accepted),
            "still queued files": left,
            "left in tmp": count_files(host.conf["user_maildir"] + "/tmp")}


async def load_and_kill(host, accepted, number, delay):
    """Ten clients for `delay` seconds, then the end of everything."""
    is_over = asyncio.Event()
    clients = [asyncio.create_task(client(host, accepted, is_over, f"c{number}-{who}")) for who in range(10)]
    await asyncio.sleep(delay)
    await asyncio.to_thread(host.kill9)
    is_over.set()
    for task in clients:
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def client(host, accepted, is_over, name):
    """Connection after connection with five messages each; notes what was answered with 250."""
    sent = 0
    while not is_over.is_set():
        try:
            reader, writer = await asyncio.open_connection(*host.address("smtp"))
        except OSError:
            return
        try:
            await reply(reader, b"2")
            await say(reader, writer, b"EHLO test.example\r\n", b"2")
            for _ in range(5):
                sent += 1
                await say(reader, writer, f"MAIL FROM:<{SENDER}>\r\n".encode(), b"2")
                await say(reader, writer, f"RCPT TO:<{host.conf['user_rcpt']}>\r\n".encode(), b"2")
                await say(reader, writer, b"DATA\r\n", b"3")
                await say(reader, writer, message(f"{name}-{sent}") + b".\r\n", b"2")
                accepted.add(f"{name}-{sent}")
            writer.write(b"QUIT\r\n")
        except (EOFError, OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()


async def say(reader, writer, line, wanted):
    writer.write(line)
    await writer.drain()
    await reply(reader, wanted)


async def reply(reader, wanted):
    """Reads a reply to its last line; anything but the wanted class of code ends the connection."""
    while True:
        line = await asyncio.wait_for(reader.readline(), 20)
        if not line.endswith(b"\n"):
            raise EOFError
        if line[3:4] != b"-":
            break
    if line[:1] != wanted:
        raise EOFError(line)


def wait_for_all(host, accepted, limit):
    """Until nothing has arrived for 5 s, or for 15 s while accepted mail is missing."""
    end, last, quiet = time.time() + limit, -1, time.time()
    while time.time() < end:
        arrived = host.arrived()
        if arrived != last:
            last, quiet = arrived, time.time()
        if host.queued() == 0 or time.time() - quiet > (5 if arrived >= len(accepted) else 15):
            return
        time.sleep(0.1)


def copies(host):
    """{message: how often it is there}"""
    found = {}
    for entry in os.scandir(host.conf["user_maildir"] + "/new"):
        with open(entry.path, "rb") as f:
            ident = re.search(rb"^X-Bench-Id: (\S+)", f.read(), re.M)
        ident = ident[1].decode() if ident else "?"
        found[ident] = found.get(ident, 0) + 1
    return found
