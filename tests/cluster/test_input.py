"""Bad input from outside: a clear error, the daemon stays up where it can, and nothing is lost."""

import os
import random
import socket
import struct

from assentcluster import Cluster, Load, wait_for
from assentcluster.testing import limit

SIDE_PORT = 5407


def test_oversized_value():
    with Cluster() as cluster:
        cluster.start()
        for host in cluster:
            answer = host.ctl("put", "big", "-", input="x" * (2 << 20))
            assert answer.rc == 65, str(answer)[:300]
            answer = host.ctl("put", "large", "-", input="y" * (900 << 10))
            assert answer.rc == 0, str(answer)[:300]
            assert host.get("big") is None
        assert cluster[1].get("large") == "y" * (900 << 10)


# Bad frames ---------------------------------------------------------------------------------------------------------
def attacks():
    """What is sent down one connection each; a list is sent piece by piece."""
    dice = random.Random(1)
    yield from (dice.randbytes(size) for size in (1, 3, 4, 5, 64, 4096, 200_000))
    for length in (0, 1, 5, 0x7fffffff, 0x80000000, 0xffffffff):
        for order in ("<I", ">I"):
            yield struct.pack(order, length)
            yield struct.pack(order, length) + dice.randbytes(64)
    for size in (1, 20, 300):
        yield struct.pack("<I", size) + dice.randbytes(size)
        yield struct.pack("<I", size + 100) + dice.randbytes(size)
    # Hello with a name that is too long, and with a huge inner length
    yield frame(field(1, b"\x08\x01" + field(2, b"p" * 5000)))
    yield frame(b"\x0a\xff\xff\xff\xff\x0f")
    # a request before any Hello, a Hello of protocol 99, two Hellos
    yield frame(field(2, b"\x08\x01" + field(2, b"kv")))
    yield frame(field(1, b"\x08\x63"))
    yield frame(field(1, b"\x08\x01")) * 2
    # good Hello, then requests that are not: no group, unknown group, no verb, garbage as a write
    hello = frame(field(1, b"\x08\x01"))
    for request in (b"", b"\x08\x01", b"\x08\x01" + field(2, b"nosuch"), b"\x08\x01" + field(2, b"kv"),
                    b"\x08\x01" + field(2, b"kv") + field(7, field(1, dice.randbytes(50)))):
        yield hello + frame(field(2, request))


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def frame(body):
    return struct.pack("<I", len(body)) + body


def attack(connect):
    """Each attack on a connection of its own: half of them hang up at once, half wait for what comes back."""
    for number, data in enumerate(attacks()):
        with connect() as link:
            link.settimeout(0.05)
            try:
                link.sendall(data)
                if number % 2:
                    while link.recv(65536):
                        pass
            except OSError:
                pass  # the daemon hung up, or waits for more


def unix_link(host):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect(host.unix_socket)
    return link


def tcp_link(source, target):
    link = source.namespaces.socket()
    link.settimeout(5)
    link.connect((target.address, SIDE_PORT))
    return link


def still_well(cluster, daemons):
    assert daemons == {host.node: host.daemon.pid for host in cluster}
    for host in cluster:
        assert host.daemon.alive, f"{host.daemon.name} has ended, exit code {host.daemon.exit_code}"
        answer = host.put("well", str(host.node))
        assert answer.rc == 0, str(answer)


@limit(90)
def test_malformed_frames_on_unix_socket():
    with Cluster() as cluster:
        cluster.start()
        daemons = {host.node: host.daemon.pid for host in cluster}
        with Load(cluster) as load:
            for host in cluster:
                attack(lambda host=host: unix_link(host))
            idle = [unix_link(cluster[1]) for _ in range(100)]
            for link in idle[::2]:
                link.sendall(struct.pack("<I", 1000) + b"half")
            still_well(cluster, daemons)
            for link in idle:
                link.close()
        load.check()


@limit(90)
def test_malformed_frames_on_side_channel():
    with Cluster() as cluster:
        master = cluster.start()
        daemons = {host.node: host.daemon.pid for host in cluster}
        with Load(cluster) as load:
            for target in cluster:
                source = cluster.others(target.node)[0]
                attack(lambda source=source, target=target: tcp_link(source, target))
            source = cluster.others(master.node)[0]
            idle = [tcp_link(source, master) for _ in range(50)]
            still_well(cluster, daemons)
            for link in idle:
                link.close()
        load.check()
        assert cluster.wait_master().node == master.node, "bad input changed the master"


# Bad configuration --------------------------------------------------------------------------------------------------
def test_bad_configuration():
    """assentd -t names what is wrong, and assentd does not start with it."""
    with Cluster(1) as cluster:
        host = cluster[1]
        for text, named in (("colour: blue", "colour"), ("lease_ms: soon", "lease_ms"),
                            ("port: 70000", "port"),
                            ("kv {\n    aplication: kv\n}", "aplication"),
                            ("master_timeout_ms: 0", "master_timeout_ms")):
            cluster.write_conf(assent=text)
            host.corosync.start()
            cluster.wait_corosync()
            tested = host.run(host.build.program("assentd"), "-t", check=False)
            assert tested.returncode == 78, f"{text}: {tested}"
            assert named in tested.stdout + tested.stderr, f"{text}: {tested}"
            host.daemon.start()
            assert host.daemon.wait_exit(10) == 78
            assert named in "".join(host.daemon.log_tail(10))
            host.corosync.kill()
        cluster.write_conf(assent="lease_ms: 200\nkv {\n    application: kv\n}")
        host.corosync.start()
        cluster.wait_corosync()
        tested = host.run(host.build.program("assentd"), "-t", check=False)
        assert tested.returncode == 0, str(tested)


# Bad ledgers --------------------------------------------------------------------------------------------------------
MARKER = "damage-me"


def ledger_files(host):
    """All files of the group's state but those of the application's store."""
    for folder, _, names in os.walk(os.path.join(host.state_folder, "kv")):
        if not any(name == "CURRENT" for name in names):
            yield from (os.path.join(folder, name) for name in sorted(names))


def place_of(host, text):
    """(file, offset) of `text` in the host's ledger."""
    for path in ledger_files(host):
        with open(path, "rb") as file:
            offset = file.read().find(text.encode())
            if offset >= 0:
                return path, offset
    raise AssertionError(f"{text} is in no ledger file of node {host.node}: {list(ledger_files(host))}")


def inside(host, path):
    """The path as the host's own programs see it."""
    return "/var/lib/assent" + path[len(host.state_folder):]


def with_stopped_follower(cluster):
    """Some entries, then one follower is killed. Returns it."""
    master = cluster.start()
    for number in range(10):
        assert master.put(f"key{number}", f"{MARKER}-{number}-").rc == 0
    victim = cluster.others(master.node)[0]
    cluster.wait_same()
    victim.daemon.kill()
    return victim


def refuses_to_start(cluster, victim, *words):
    """The victim's assentd ends at once and names `words`; the others go on."""
    victim.daemon.start()
    code = victim.daemon.wait_exit(10)
    said = "".join(victim.daemon.log_tail(15))
    assert code not in (0, -6, -11), f"exit {code}: {said}"
    for word in words:
        assert word in said, f"{word!r} is not in: {said}"
    others = [host.node for host in cluster.others(victim.node)]
    cluster.wait_master(others)
    for node in others:
        assert cluster[node].put("later", str(node)).rc == 0
        assert cluster[node].get("key3") == f"{MARKER}-3-"


def test_damaged_ledger():
    """One bit in the middle: refused with file and offset, nothing cut off; put right, it goes on."""
    with Cluster() as cluster:
        victim = with_stopped_follower(cluster)
        path, offset = place_of(victim, f"{MARKER}-3-")
        flip(path, offset)
        size = os.path.getsize(path)
        refuses_to_start(cluster, victim, inside(victim, path), "offset")
        assert os.path.getsize(path) == size
        flip(path, offset)
        victim.daemon.start()
        cluster.wait_master()
        cluster.wait_same()
        cluster.check_same_contents()


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_unreadable_ledger():
    """A folder where the segment was (root may read any file, whatever its mode)."""
    with Cluster() as cluster:
        victim = with_stopped_follower(cluster)
        path, _ = place_of(victim, f"{MARKER}-3-")
        os.rename(path, path + ".away")
        os.mkdir(path)
        refuses_to_start(cluster, victim, inside(victim, path))


def test_torn_tail():
    """The last record half written, as after a power loss: cut off, fetched again from the others."""
    with Cluster() as cluster:
        victim = with_stopped_follower(cluster)
        path, offset = place_of(victim, f"{MARKER}-9-")
        with open(path, "r+b") as file:
            size = os.path.getsize(path)
            file.seek(offset + 4)
            file.write(bytes(size - offset - 4))
        victim.daemon.start()
        cluster.wait_master()
        cluster.wait_same()
        assert victim.get("key9", level="local") == f"{MARKER}-9-"
        cluster.check_same_contents()


@limit(90)
def test_foreign_cluster_id():
    """The disk of another cluster's node: that node stays out, and says why; the others go on."""
    with Cluster() as cluster:
        cluster.start()
        for host in cluster:
            host.daemon.kill()
        old = os.path.join(cluster.folder, "old")
        os.rename(os.path.join(cluster[3].state_folder, "kv"), old)
        for host in cluster.others(3):
            os.rename(os.path.join(host.state_folder, "kv"), os.path.join(cluster.folder, f"away{host.node}"))
        for host in cluster:
            host.daemon.start()
        cluster.wait_master()
        cluster[3].daemon.kill()
        os.rename(os.path.join(cluster[3].state_folder, "kv"), os.path.join(cluster.folder, "away3"))
        os.rename(old, os.path.join(cluster[3].state_folder, "kv"))
        cluster[3].daemon.start()
        said = wait_for(lambda: says_foreign(cluster[3]), 15, "node 3 to say that its ledger is another cluster's")
        print(f"# node 3 is out: {said}")
        cluster.wait_master([1, 2])
        for number in range(10):
            assert cluster[1].put("mine", str(number)).rc == 0
            assert cluster[3].ctl("get", "--level", "local", "mine", timeout=1).rc != 0


def says_foreign(host):
    """Its log names the reason; it has ended with that message, or stays up and takes no writes."""
    if "foreign cluster_id" not in "".join(host.daemon.log_tail(15)):
        return False
    if not host.daemon.alive:
        return host.daemon.exit_code not in (0, -6, -11)
    status = host.status()
    named = status and not status["can_write"] and "another cluster" in status["reason"]
    return status["reason"] if named else False
