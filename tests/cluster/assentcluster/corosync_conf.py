"""The corosync.conf of a test cluster."""

TEMPLATE = """\
totem {{
    version: 2
    cluster_name: {name}
    transport: {transport}
    ip_version: ipv4
{crypto}    token: {token}
    token_coefficient: 0
}}
nodelist {{
{nodes}}}
quorum {{
    provider: corosync_votequorum
}}
system {{
    move_to_root_cgroup: no
    sched_rr: {realtime}
}}
resources {{
    watchdog_device: off
}}
logging {{
    to_stderr: yes
    to_logfile: no
    to_syslog: no
    timestamp: hires
}}
"""
NODE = "    node {{\n        nodeid: {id}\n        name: node{id}\n        ring0_addr: {address}\n    }}\n"


def address(node):
    return f"10.77.0.{node}"


def corosync_conf(nodes, assent="", name="assent-test", token=1000, transport="knet", realtime=True):
    """`assent`: the text inside the assent section; none: the file has no such section. `realtime`: corosync's own default,
    by which it goes before everything else on the machine."""
    crypto = "    crypto_cipher: none\n    crypto_hash: none\n" if transport == "knet" else ""
    nodelist = "".join(NODE.format(id=node, address=address(node)) for node in nodes)
    text = TEMPLATE.format(name=name, token=token, nodes=nodelist, transport=transport, crypto=crypto,
                           realtime="yes" if realtime else "no")
    if assent:
        body = "".join(f"    {line}\n" for line in assent.strip().splitlines())
        text += f"assent {{\n{body}}}\n"
    return text
