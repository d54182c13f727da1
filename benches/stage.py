"""Where daemons are measured: network namespaces joined by veth pairs, and daemons in them."""
import ctypes
import os
import signal
import socket
import subprocess
import time

# Instances on one link.
PER_LINK = 250
CLONE_NEWNET = 0x40000000
ETH_P_IP = 0x0800
VRRP = 112
LIBC = ctypes.CDLL(None, use_errno=True)


def links_for(instances):
    return -(-instances // PER_LINK)


def real_servers_text(count, per_service=10, check="TCP_CHECK", delay=6):
    """`count` real servers 10.64.0.1, … in virtual servers of `per_service`; port 8081 for HTTP_GET, else 8080."""
    what = {
        "TCP_CHECK": "            connect_timeout 3\n",
        "HTTP_GET": "            connect_timeout 3\n            url {\n                path /\n"
                    "                status_code 200\n            }\n",
        "MISC_CHECK": "            misc_path \"/usr/bin/true\"\n            misc_timeout 5\n",
    }[check]
    port = 8081 if check == "HTTP_GET" else 8080
    text = []
    for n in range(count):
        if n % per_service == 0:
            service = n // per_service
            text.append("%svirtual_server 10.32.%d.%d 80 {\n    delay_loop %s\n    lb_algo rr\n"
                        "    lb_kind NAT\n    protocol TCP\n"
                        % ("}\n" if n else "", service // 250, service % 250 + 1, delay))
        text.append("    real_server 10.%d.%d.%d %d {\n        weight 1\n        %s {\n%s        }\n"
                    "    }\n" % (64 + n // 62500, n // 250 % 250, n % 250 + 1, port, check, what))
    return "".join(text) + "}\n"


def ip(*words):
    subprocess.run(("ip",) + words, check=True)


def enter(namespace):
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    failed = LIBC.setns(there, CLONE_NEWNET)
    os.close(there)
    if failed:
        raise OSError(ctypes.get_errno(), "setns")


def inside(namespace, act):
    """Calls `act` in the namespace; sockets it opens stay there."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(namespace)
        return act()
    finally:
        LIBC.setns(home, CLONE_NEWNET)
        os.close(home)


class Lan:
    """The namespaces `ka-PID-a` and `ka-PID-b` and the links between them."""

    def __init__(self, links):
        self.a, self.b = ("ka-%d-%s" % (os.getpid(), side) for side in "ab")
        self.links = links

    def __enter__(self):
        for namespace in (self.a, self.b):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        for n in range(self.links):
            ip("link", "add", "e%d" % n, "netns", self.a, "type", "veth",
               "peer", "name", "e%d" % n, "netns", self.b)
            for host, namespace in enumerate((self.a, self.b), 1):
                ip("-n", namespace, "addr", "add", "10.50.%d.%d/24" % (n, host), "dev", "e%d" % n)
                ip("-n", namespace, "link", "set", "e%d" % n, "up")
        return self

    def __exit__(self, *_):
        for namespace in (self.a, self.b):
            subprocess.run(("ip", "netns", "del", namespace), check=False)

    def received(self):
        """Packets that arrived at side b."""
        rows = inside(self.b, lambda: open("/proc/thread-self/net/dev").readlines()[2:])
        return sum(int(row.split(":")[1].split()[1]) for row in rows if row.strip()[0] == "e")

    def sniffer(self):
        """A socket that sees what arrives at side b."""
        def opened():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
            s.settimeout(30)
            return s
        return inside(self.b, opened)


class Daemon:
    def __init__(self, binary, config, namespace, folder, *more):
        name = os.path.join(folder, "%d" % time.monotonic_ns())
        argv = [binary, "-n", "-l", "-G", *more, "-f", config,
                "-p", name + ".pid", "-r", name + ".vrrp.pid", "-c", name + ".check.pid"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=lambda: enter(namespace))

    def pids(self):
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            try:
                left += map(int, open("/proc/%d/task/%d/children" % (pid, pid)).read().split())
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def cpu(self):
        """Seconds, with those of scripts that have ended."""
        total = 0
        for pid in self.pids():
            try:
                account = open("/proc/%d/schedstat" % pid).read()
                ended = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[13:15]
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += int(account.split()[0]) / 1e9 + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")
        return total

    def memory(self):
        """Megabytes: resident, and anonymous."""
        resident = anonymous = 0
        for pid in self.pids():
            try:
                lines = open("/proc/%d/smaps_rollup" % pid).readlines()
            except (FileNotFoundError, ProcessLookupError):
                # A script that has ended.
                continue
            for line in lines:
                if line.startswith("Rss:"):
                    resident += int(line.split()[1])
                elif line.startswith("Pss_Anon:"):
                    anonymous += int(line.split()[1])
        return resident / 1024, anonymous / 1024

    def stop(self):
        """Milliseconds from SIGTERM to its end."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        return (time.monotonic() - begin) * 1000
