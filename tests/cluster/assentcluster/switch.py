"""The switch between the hosts: a bridge in a network namespace of its own, with packet filters."""

from .namespace import Namespaces

COROSYNC = "udp dport 5405"
SIDE_CHANNEL = ("tcp dport 5407", "tcp sport 5407")
RULESET = """\
table bridge cut
delete table bridge cut
table bridge cut {{
chain forward {{
type filter hook forward priority 0; policy accept;
{rules}
}}
}}
"""
MATCHES = {"all": ("",), "corosync": (COROSYNC,), "side": SIDE_CHANNEL}


class Switch:
    """A port a host is called p<node>; on the host's side the interface is eth0."""

    def __init__(self):
        self.namespaces = Namespaces("ip link add br0 type bridge stp_state 0 forward_delay 0\nip link set br0 up",
                                     private_mounts=False)
        self._rules = []

    def plug(self, node, holder_pid):
        """Makes a cable from port p<node> to eth0 in the namespace of `holder_pid`."""
        for line in (f"link add p{node} type veth peer name eth0 netns {holder_pid}",
                     f"link set p{node} addrgenmode none master br0", f"link set p{node} up"):
            self.namespaces.run(["ip"] + line.split())

    def cut(self, node, what="all", direction="both", peer=None):
        """Drops packets of a node. what: all, corosync (UDP) or side (TCP 5407). direction: both, or those that the
        node sends (out) or gets (in). With `peer`, only those between the two. Cuts add up until heal()."""
        other = f'"p{peer}"' if peer else None
        for match in MATCHES[what]:
            if direction in ("both", "out"):
                self._rules.append(f'iifname "p{node}" ' + (f"oifname {other} " if other else "") + match + " drop")
            if direction in ("both", "in"):
                self._rules.append(f'oifname "p{node}" ' + (f"iifname {other} " if other else "") + match + " drop")
        self._load()

    def heal(self):
        """Drops nothing any more."""
        self._rules = []
        self._load()

    def _load(self):
        rules = "\n".join(self._rules)
        self.namespaces.run(["nft", "-f", "-"], input=RULESET.format(rules="\n".join(self._rules)))

    def close(self):
        return self.namespaces.close()
