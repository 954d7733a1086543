"""Processes killed and cables cut while clients write: nothing confirmed is lost, and the service comes back."""

import time

from assentcluster import Cluster, Load, wait_for
from assentcluster.testing import limit


def follower_of(cluster, master):
    return cluster.others(master.node)[0]


def a_follower_then_the_master(cluster):
    """Asks who is master anew for each."""
    yield follower_of(cluster, cluster.wait_master())
    yield cluster.wait_master()


def test_kill_follower():
    with Cluster() as cluster:
        follower = follower_of(cluster, cluster.start())
        with Load(cluster) as load:
            moment = follower.daemon.kill()
            others = [host.node for host in cluster.others(follower.node)]
            load.wait_confirmed(moment, others)
            follower.daemon.start()
            cluster.wait_master()
            load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")


def test_kill_master():
    with Cluster() as cluster:
        master = cluster.start()
        with Load(cluster) as load:
            moment = master.daemon.kill()
            others = [host.node for host in cluster.others(master.node)]
            took = load.wait_confirmed(moment, others) - moment
            assert cluster.wait_master(others).node != master.node
            master.daemon.start()
            cluster.wait_master()
            load.wait_confirmed(time.monotonic())
        print(f"# first confirmed write through another node after {took * 1000:.0f} ms; "
              f"{load.check()} confirmed writes are on all nodes")


@limit(90)
def test_kill_all_at_once():
    with Cluster() as cluster:
        cluster.start()
        with Load(cluster) as load:
            for _ in range(2):
                for host in cluster:
                    host.daemon.kill()
                for host in cluster:
                    host.daemon.start()
                cluster.wait_master()
                load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")


@limit(90)
def test_kill_hosts_at_once():
    """corosync and assentd of all three, as if the power had gone."""
    with Cluster() as cluster:
        cluster.start()
        with Load(cluster) as load:
            for host in cluster:
                host.corosync.kill()
                host.daemon.kill()
            cluster.start_corosync()
            for host in cluster:
                host.daemon.start()
            cluster.wait_master()
            load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")


@limit(90)
def test_kill_corosync():
    """Of a follower, then of the master: assentd lives on and comes back by itself."""
    with Cluster() as cluster:
        cluster.start()
        daemons = {host.node: host.daemon.pid for host in cluster}
        with Load(cluster) as load:
            for victim in a_follower_then_the_master(cluster):
                moment = victim.corosync.kill()
                others = [host.node for host in cluster.others(victim.node)]
                load.wait_confirmed(moment, others)
                assert victim.daemon.alive
                victim.corosync.start()
                cluster.wait_corosync()
                cluster.wait_master()
                load.wait_confirmed(time.monotonic())
        assert daemons == {host.node: host.daemon.pid for host in cluster} and all(h.daemon.alive for h in cluster)
        print(f"# {load.check()} confirmed writes are on all nodes")


@limit(90)
def test_cut_off():
    """A follower, then the master, loses its cable and gets it back. Alone it confirms nothing."""
    with Cluster() as cluster:
        cluster.start()
        with Load(cluster) as load:
            for victim in a_follower_then_the_master(cluster):
                cluster.switch.cut(victim.node)
                cut = time.monotonic()
                others = [host.node for host in cluster.others(victim.node)]
                load.wait_confirmed(cut, others)
                wait_for(lambda victim=victim: victim.status()["can_write"] is False, 10,
                         f"node {victim.node}, cut off, to say that it cannot write")
                answer = victim.put(f"alone{victim.node}", "v", timeout=1)
                assert answer.rc in (106, 112, 114, 124), str(answer)
                cluster.switch.heal()
                cluster.wait_corosync()
                cluster.wait_master()
                load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")


@limit(90)
def test_cut_channels():
    """One channel of one node at a time: only the side channel, or only corosync; both ways, or one way."""
    with Cluster() as cluster:
        cluster.start()
        with Load(cluster) as load:
            for what, direction in (("side", "both"), ("side", "out"), ("corosync", "both")):
                victim = cluster.wait_master()
                cluster.switch.cut(victim.node, what, direction)
                others = [host.node for host in cluster.others(victim.node)]
                load.wait_confirmed(time.monotonic(), others)
                cluster.switch.heal()
                cluster.wait_corosync()
                cluster.wait_master()
                load.wait_confirmed(time.monotonic())
        print(f"# {load.check()} confirmed writes are on all nodes")
