"""The verbs on a healthy cluster: each node takes writes and reads of all."""

from assentcluster import Cluster, wait_for


def test_put_get_on_each_node():
    with Cluster() as cluster:
        cluster.start()
        for host in cluster:
            answer = host.put(f"from{host.node}", f"value {host.node}")
            assert answer.rc == 0 and answer.json["outcome"] == "confirmed" and answer.json["index"] > 0, str(answer)
        for host in cluster:
            for other in cluster:
                assert host.get(f"from{other.node}") == f"value {other.node}"
        cluster.wait_same()
        for host in cluster:
            assert host.get("from1", level="local") == "value 1"
        entries = cluster.check_same_contents()
        assert [entry["key"] for entry in entries] == ["from1", "from2", "from3"]


def test_verbs_and_exit_codes():
    with Cluster() as cluster:
        master = cluster.start()
        for host in cluster:
            check_verbs(host)
            assert str(master.node) in host.ctl("master", as_json=False).out
            members = host.ctl("members")
            assert members.rc == 0, str(members)
        assert master.ctl("status").json["state"] == "master"
        for host in cluster.others(master.node):
            assert host.ctl("status").json["state"] == "follower"


def check_verbs(host):
    assert host.ctl("get", "nothing").rc == 105
    assert host.put("k", "1").rc == 0
    assert host.ctl("get", "k", as_json=False).out == "1\n"
    assert host.ctl("get", "--raw", "k", as_json=False).out == "1"
    assert host.ctl("cas", "k", "0", "2").rc == 108
    assert host.ctl("cas", "k", "1", "2").rc == 0
    assert host.get("k") == "2"
    assert host.ctl("put", "k", "-", input="from standard input").rc == 0
    assert host.get("k") == "from standard input"
    written = host.put("k", "3").json
    outcome = host.ctl("outcome", written["client"], written["sequence"])
    assert outcome.rc == 0 and outcome.json["outcome"] == "confirmed", str(outcome)
    assert host.ctl("del", "k").rc == 0
    assert host.get("k") is None
    assert host.ctl("frobnicate").rc == 64
    assert host.ctl("put", "k").rc == 64


def test_status_and_keys():
    """What monitoring reads: status as JSON, and the runtime keys of cmap, which go at the daemon's end."""
    with Cluster() as cluster:
        master = cluster.start()
        for host in cluster:
            status = host.ctl("status").json
            assert status["schema"] == 1 and status["group"] == "kv" and status["node"] == host.node, status
            assert status["master"] == master.node and status["quorate"] and status["can_write"], status
            assert sorted(voter["node"] for voter in status["voters"]) == [1, 2, 3], status
            wait_for(lambda host=host: f"runtime.assent.kv.master (u32) = {master.node}" in keys(host), 5,
                     f"node {host.node}'s key runtime.assent.kv.master to be {master.node}")
        ids = {host.ctl("status").json["cluster_id"] for host in cluster}
        assert len(ids) == 1, ids
        cluster[3].daemon.stop()
        wait_for(lambda: "runtime.assent." not in keys(cluster[3]), 5, "the keys of a stopped assentd to go")


def keys(host):
    return host.run("corosync-cmapctl", "-b", "runtime.assent.", check=False).stdout


def test_without_daemon():
    with Cluster() as cluster:
        cluster.start()
        cluster[2].daemon.stop()
        answer = cluster[2].put("k", "v")
        assert answer.rc == 69, str(answer)
        cluster[2].daemon.start()
        cluster.wait_master()
        assert cluster[2].put("k", "v").rc == 0
