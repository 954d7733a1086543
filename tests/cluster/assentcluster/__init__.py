"""Clusters of real hosts on one machine, for the tests and for ./demo.

A host is a process that holds a network, a mount and a host name namespace; its corosync and its assentd run in
there. The switch between the hosts is one more namespace. Nothing is added to the machine's own network, and nothing
has a name outside: when the program that made a cluster ends, in whatever way, the kernel takes everything down.
"""

from .build import Build
from .cluster import Cluster
from .host import Answer, Host
from .wait import TimedOut, wait_for
from .writer import Load

__all__ = ["Answer", "Build", "Cluster", "Host", "Load", "TimedOut", "wait_for"]
