"""The case that names the product: who only hangs has not acknowledged."""

import time

from assentcluster import Cluster, Load, wait_for
from assentcluster.testing import limit

# refused for want of a majority, unknown, or no master: anything but done
NOT_DONE = (106, 112, 114)


def hang_two(cluster, awake):
    """Stops the daemons of all but `awake` in the middle of what they do, and writes through it."""
    hung = cluster.others(awake.node)
    for host in hung:
        host.daemon.pause()
    try:
        return awake.ctl("put", f"k{awake.node}", "v", timeout=2)
    finally:
        for host in hung:
            host.daemon.resume()


def check_settled(cluster, awake, answer):
    """`outcome` becomes definite, and all nodes agree with it."""
    assert answer.rc in NOT_DONE, str(answer)
    assert answer.seconds < 2.5, f"-t 2 took {answer.seconds:.2f} s"
    cluster.wait_master()
    told = answer.json
    outcome = None
    if told.get("client"):
        outcome = wait_for(lambda: definite(awake.ctl("outcome", told["client"], told["sequence"])), 10,
                           f"a definite outcome of {told['client']} {told['sequence']}")
    assert answer.rc != 112 or outcome, f"112 without a client and sequence to ask with: {answer}"
    cluster.wait_same()
    seen = {host.node: (host.get(f"k{awake.node}"), host.get(f"k{awake.node}", level="local")) for host in cluster}
    values = {value for pair in seen.values() for value in pair}
    assert len(values) == 1, seen
    if outcome:
        assert values == {"v" if outcome == "confirmed" else None}, f"{outcome}, but {seen}"
    print(f"# put: exit {answer.rc} after {answer.seconds:.2f} s; later: {outcome or 'never sent'}, {values.pop()!r}")


def definite(answer):
    return answer.json["outcome"] if answer.json["outcome"] in ("confirmed", "cancelled", "refused") else None


@limit(90)
def test_two_hung_daemons():
    """Asked of the master, then of a follower."""
    with Cluster() as cluster:
        master = cluster.start()
        follower = cluster.others(master.node)[0]
        for awake in (master, follower):
            check_settled(cluster, awake, hang_two(cluster, awake))
        for host in cluster:
            assert host.put("after", str(host.node)).rc == 0


@limit(90)
def test_hung_under_load():
    """The master hangs and is replaced; then two corosyncs hang. Nothing confirmed is lost."""
    with Cluster() as cluster:
        master = cluster.start()
        others = [host.node for host in cluster.others(master.node)]
        with Load(cluster) as load:
            master.daemon.pause()
            cluster.wait_master(others)
            load.wait_confirmed(time.monotonic(), others)
            master.daemon.resume()
            cluster.wait_master()
            for node in others:
                cluster[node].corosync.pause()
            answer = master.ctl("put", "k", "v", timeout=2)
            assert answer.seconds < 2.5, str(answer)
            for node in others:
                cluster[node].corosync.resume()
            cluster.wait_corosync()
            cluster.wait_master()
            load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")


def test_ctl_with_hung_daemon():
    """assentctl keeps its time limit though its own daemon hangs, and says what it does not know."""
    with Cluster() as cluster:
        cluster.start()
        cluster[1].daemon.pause()
        for command in (("put", "k", "v"), ("get", "k"), ("status",)):
            answer = cluster[1].ctl(*command, timeout=1)
            assert answer.rc not in (0, 105) and answer.seconds < 1.5, str(answer)
        cluster[1].daemon.resume()
        cluster.wait_master()
        assert cluster[1].put("k", "w").rc == 0
