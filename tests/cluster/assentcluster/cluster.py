"""Hosts on one switch, with corosync and assentd on each."""

import os
import shutil
import sys
import tempfile
import threading

from .build import Build
from .corosync_conf import corosync_conf
from .host import Host
from .switch import Switch
from .wait import wait_for


def difference(one, other):
    """The first few entries that only one of two lists of entries has, in words."""
    of_one, of_other = ({(entry.get("key"), entry.get("value")) for entry in entries} for entries in (one, other))
    return f"{len(one)} and {len(other)} entries; {sorted(of_one ^ of_other)[:5]} are only in one"


class Cluster:
    """Use it in a `with`: whatever happens, at the end all processes and namespaces are gone, and so is the folder
    unless the block failed (then it says where the logs are) or `keep_folder` is set. Start processes in the thread
    that made the cluster: they die with it."""

    def __init__(self, size=3, assent="", build=None, folder=None, keep_folder=False, token=1000,
                 make_switch=None, **conf):
        self.build = build or Build()
        self.token = token
        self.conf = conf  # more for corosync_conf()
        self.assent = assent
        self.keep_folder = keep_folder
        self.folder = folder or tempfile.mkdtemp(prefix="assent-", dir=os.environ.get("ASSENT_TEST_DIR", "/var/tmp"))
        self.hosts = {}
        self.switch = None
        self.writers = []
        self.thread = threading.get_ident()
        try:
            self.switch = make_switch(self.build) if make_switch else Switch()
            for node in range(1, size + 1):
                self.hosts[node] = Host(node, os.path.join(self.folder, f"node{node}"), self.build, self.switch)
            self.write_conf()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, node):
        return self.hosts[node]

    def __iter__(self):
        return iter(self.hosts.values())

    def __len__(self):
        return len(self.hosts)

    def others(self, *nodes):
        """All hosts but these."""
        return [host for host in self if host.node not in nodes]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        failed = kind is not None and issubclass(kind, Exception)
        if failed:
            print(f"{kind.__name__}: {value}")
            self.print_logs()
        left = self.close(keep_logs=failed)
        if left and not failed:
            raise AssertionError(f"processes {left} were left over in the hosts")

    def write_conf(self, **changes):
        """corosync.conf on all hosts; keyword arguments go to corosync_conf()."""
        text = corosync_conf(list(self.hosts), **dict({"assent": self.assent, "token": self.token}, **self.conf, **changes))
        for host in self:
            host.write_conf(text)

    # Starting -------------------------------------------------------------------------------------------------------
    def start_corosync(self, deadline=30):
        """Starts it on all hosts and waits until all see all."""
        for host in self:
            host.corosync.start()
        self.wait_corosync(deadline=deadline)

    def wait_corosync(self, nodes=None, deadline=30):
        """Until `nodes` (default all) are quorate and see each other and nobody else."""
        nodes = sorted(nodes or self.hosts)
        for node in nodes:
            host = self[node]
            wait_for(lambda host=host: self._alive(host.corosync) and host.corosync_view() == (True, nodes),
                     deadline, f"node {node}'s corosync to be quorate with members {nodes}", interval=0.05)

    def start(self, deadline=30):
        """The whole cluster, until there is a master that takes writes. Returns its host."""
        self.start_corosync()
        for host in self:
            host.daemon.start()
        return self.wait_master(deadline=deadline)

    @staticmethod
    def _alive(process):
        if not process.alive:
            raise AssertionError(f"{process.name} has ended, exit code {process.exit_code}: "
                                 + "".join(process.log_tail(5)))
        return True

    # What the cluster says ------------------------------------------------------------------------------------------
    def wait_master(self, nodes=None, deadline=15):
        """Until `nodes` (default: all whose assentd runs) agree on a master among them that can write. Returns it."""
        hosts = [self[node] for node in nodes] if nodes else [host for host in self if host.daemon.alive]
        names = [host.node for host in hosts]

        def agreed():
            found = [self._alive(host.daemon) and host.status() for host in hosts]
            masters = {status["master"] if status else None for status in found}
            master = masters.pop() if len(masters) == 1 else None
            if master in names and all(status["can_write"] for status in found):
                return self[master]
            return None

        return wait_for(agreed, deadline, f"nodes {names} to agree on a master that can write", interval=0.05)

    def wait_same(self, nodes=None, deadline=30):
        """Until `nodes` (default all) have applied and confirmed the same index, the last. Returns it."""
        hosts = [self[node] for node in (nodes or self.hosts)]

        def same():
            indexes = [host.indexes() for host in hosts]
            numbers = {index[name] for index in indexes for name in ("last", "confirmed", "applied")}
            if len(numbers) != 1:
                raise ValueError(f"indexes {indexes}")
            return numbers.pop()

        return wait_for(same, deadline, "all nodes to have applied the same last index", interval=0.05)

    def check_same_contents(self):
        """All nodes, each asked for its own applied state, hold the same keys and values. Returns the entries."""
        contents = {}
        for host in self:
            answer = host.ctl("scan", "--level", "local", timeout=30)
            assert answer.rc == 0, f"node {host.node}: scan: exit {answer.rc}: {answer.err}"
            contents[host.node] = answer.json["entries"]
        first, *others = contents
        for other in others:
            assert contents[other] == contents[first], f"nodes {first} and {other} differ: " + difference(
                contents[first], contents[other])
        return contents[first]

    def print_logs(self, lines=25):
        for host in self:
            for line in host.log_tails(lines):
                sys.stdout.write(line)
        sys.stdout.flush()

    # The end --------------------------------------------------------------------------------------------------------
    def close(self, keep_logs=False):
        """Ends all. Returns the pids of processes that were left over in the hosts (now killed)."""
        left = []
        for writer in self.writers:
            writer.kill()
        for host in self:
            left += host.close()
        if self.switch:
            left += self.switch.close()
        if keep_logs and not self.keep_folder:
            for host in self:
                shutil.rmtree(os.path.join(host.folder, "lib"), ignore_errors=True)
            print(f"logs and histories are in {self.folder}", flush=True)
        elif not self.keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return left
