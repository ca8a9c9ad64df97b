"""The metrics of tcpserver and rblsmtpd: connections, refusals, memory."""

import os
import time

import peers as how
from tools import Unmeasured, free_port, memory, private, wait_listening

IP = "127.0.0.1"
DNS_IP = "127.53.53.53"  # a loopback address of its own, so that port 53 is free there


def with_path(peer):
    """The environment in which this peer's programs find one another."""
    return {**os.environ, "PATH": peer.folder + ":" + os.environ.get("PATH", "")}


def connections(tools, peer, concurrency, total, rules=None, program=None, env=None, limit=()):
    """Start the peer's server, make total connections, stop it."""
    port = free_port()
    command = how.server(peer, tools, IP, port, program or [tools.true], rules, limit)
    if command is None:
        return None
    with tools.tree(command, {**with_path(peer), **(env or {})}) as server:
        wait_listening(server, IP, port)
        tools.load_words("conn", IP, str(port), str(concurrency), str(max(20, total // 10)), "1")
        before = server.cpu()
        got = tools.load_words("conn", IP, str(port), str(concurrency), str(total), "3")
        time.sleep(0.02)  # the last children are reaped
        after = server.cpu()
    if got["errors"]:
        raise Unmeasured(f"{got['errors']:.0f} connections failed, {got['conns']:.0f} did not")
    figures = {"rate": got["conns"] / got["elapsed"], "p50": got["p50_us"], "p99": got["p99_us"]}
    if before is not None:
        figures["cpu"] = (after - before) * 1e6 / got["conns"]
    return figures


def accept1(tools, peer):
    return connections(tools, peer, 1, 1000)


def accept20(tools, peer):
    return connections(tools, peer, 20, 2000)


def kept20(tools, peer):
    """A program that takes further connections, where the server keeps one; elsewhere it serves one."""
    keeps = peer.kind == "djb" and how.has_option(peer, b"-k")
    return connections(tools, peer, 20, 2000, program=[tools.kept], limit=("-k20",) if keeps else ())


RULES = {}


def ten_thousand_rules(tools, peer, mine):
    """The peer's compiled rules: 10,000 addresses and one line for 127.0.0.1; made once."""
    key = (peer.name, mine)
    if key not in RULES:
        pairs = [(f"10.{i >> 8 & 255}.{i & 255}.{i % 251}", f"v{i}") for i in range(10000)]
        RULES[key] = how.rules_file(peer, tools.folder("rules"), tools.run, pairs, mine)
    return RULES[key]


def rules20(tools, peer):
    if peer.kind == "floor":  # without rules
        return accept20(tools, peer)
    rules = ten_thousand_rules(tools, peer, "allow")
    return rules and connections(tools, peer, 20, 2000, rules)


def deny20(tools, peer):
    if peer.kind == "floor":  # accept and close
        return connections(tools, peer, 20, 3000) if peer.folder == "accept" else None
    rules = ten_thousand_rules(tools, peer, "deny")
    return rules and connections(tools, peer, 20, 3000, rules)


def limit20(tools, peer):
    """As many connections from an address as it may have: none. Who knows no limit uses a rule."""
    if peer.kind != "djb" or not how.has_limits(peer):
        return deny20(tools, peer)
    return connections(tools, peer, 20, 3000, limit=("-C0",))


def rbl10(tools, peer):
    """tcpserver, then rblsmtpd with a list that does not list the client, then true."""
    if peer.kind == "floor":  # a list costs nothing, and another program neither
        return connections(tools, peer, 10, 1000)
    chain = peer.command("rblsmtpd", "-r", "list.test", tools.true) if peer.kind == "djb" else None
    if chain is None:
        return None
    with tools.tree([tools.load, "dns", DNS_IP, "53"]) as dns:
        time.sleep(0.05)
        if not dns.alive():
            raise Unmeasured(f"cannot serve DNS on port 53 of {DNS_IP} (root only)")
        return connections(tools, peer, 10, 1000, program=chain, env={"DNSCACHEIP": DNS_IP})


def idle_server(tools, peer):
    port = free_port()
    command = how.server(peer, tools, IP, port, [tools.true])
    if command is None or peer.kind == "floor":
        return None
    with tools.tree(command, with_path(peer)) as server:
        wait_listening(server, IP, port)
        tools.load_words("conn", IP, str(port), "20", "200", "3")
        time.sleep(1.5)  # it has been quiet for a while
        each = [(*memory(pid), private(pid)) for pid in server.pids()]
    return {name: sum(values) for name, values in zip(("rss", "pss", "private"), zip(*each))}
