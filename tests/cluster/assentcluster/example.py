"""The programs of examples/ as applications of a cluster, and the Python binding as this program's own client."""

import importlib
import os
import sys

from .build import TOP
from .cluster import Cluster
from .process import Process
from .wait import wait_for

SOCKET = "/run/assent/assentd.sock"
BINDING = os.path.join(TOP, "bindings/python")


def attached_cluster(**more):
    """Its group kv is served by applications of their own."""
    return Cluster(assent="groups: kv\nkv {\napplication: attached\n}", **more)


def library(build):
    return os.path.join(build.folder, "src/lib/.libs/libassent.so")


def python_binding(build):
    """The module assent, on the library that was built."""
    os.environ["ASSENT_LIBRARY"] = library(build)
    sys.path.insert(0, BINDING)
    return importlib.import_module("assent")


class Example:
    """The application of group kv on every host: `serve` makes the command line from the path of a store. Use it in a
    `with`, inside that of the cluster."""

    def __init__(self, cluster, name, serve, env=None, fed=False):
        self.cluster = cluster
        self.name = name
        self.store = {host.node: os.path.join(host.folder, f"{name}.store") for host in cluster}
        self.of = {host.node: Process(f"{name} of node {host.node}", host.namespaces, serve(self.store[host.node]),
                                      os.path.join(host.folder, f"log/{name}.log"), env=env, fed=fed)
                   for host in cluster}

    def __enter__(self):
        for process in self.of.values():
            process.start()
        return self

    def __exit__(self, kind, value, trace):
        for process in self.of.values():
            process.kill()
            if kind:
                sys.stdout.write(f"==== {process.name}, {process.log}\n" + "".join(process.log_tail(10)))

    def restart(self, node):
        self.of[node].kill()
        self.of[node].start()

    def client(self, host, *words, timeout=15):
        """Its program as a client, to its end."""
        program = self.cluster.build.program(self.name)
        return host.namespaces.run([program, "-s", SOCKET, "-g", "kv", *words], timeout=timeout, check=False)

    def wait_healthy(self, nodes=None, deadline=40):
        for node in nodes or self.of:
            wait_for(lambda host=self.cluster[node]: (host.status() or {})["application"]["state"] == "healthy", deadline,
                     f"the application of node {node} to be healthy")

    def same_stores(self, read, deadline=60):
        """Waits until all have applied all; what `read` makes of their paths is the same then. Returns that."""
        self.cluster.wait_same(deadline=deadline)
        first, *others = self.store.values()
        content = read(first)
        for other in others:
            assert read(other) == content, f"{first} and {other} differ: {content!r}, {read(other)!r}"[:4000]
        return content


def jobqueue(cluster):
    program = cluster.build.program("jobqueue")
    return Example(cluster, "jobqueue", lambda store: [program, "-s", SOCKET, "-g", "kv", "serve", store])


def sqlite(cluster):
    program = cluster.build.program("sqlite")
    return Example(cluster, "sqlite", lambda store: [program, "-s", SOCKET, "-g", "kv", "serve", store])


def after(cluster):
    program = cluster.build.program("after")
    return Example(cluster, "after", lambda store: [program, "-s", SOCKET, "-g", "kv", store], fed=True)


def before(cluster):
    program = cluster.build.program("before")
    return Example(cluster, "before", lambda store: [program, store], fed=True)


def counter(cluster):
    argv = ["/usr/bin/python3", "-B", os.path.join(BINDING, "counter.py")]
    return Example(cluster, "counter", lambda store: argv + [store, SOCKET, "kv"],
                   env={"ASSENT_LIBRARY": library(cluster.build)})
