"""Short episodes of the nemesis: two whose faults are always the same, and one whose faults the commit decides. Longer
ones: make nemesis HOURS=n."""

import os
import subprocess

from assentcluster.build import TOP
from assentcluster.episode import Episode
from assentcluster.testing import limit


def seed_of_this_commit():
    """$ASSENT_NEMESIS_SEED (a text), else the commit of the checkout, else 0."""
    done = subprocess.run(["git", "-C", TOP, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return os.environ.get("ASSENT_NEMESIS_SEED") or done.stdout.strip() or "0"


def run(seed, size, seconds):
    figures = Episode(seed, size, seconds).run()
    print(f"# {sum(figures['faults'].values())} faults; {sum(figures['operations'].values())} operations are linearizable; "
          f"{figures['confirmed']} confirmed writes are on all nodes")


@limit(400)
def test_three_hosts():
    run("three", 3, 25)


@limit(400)
def test_five_hosts():
    run("five", 5, 25)


@limit(400)
def test_seed_of_this_commit():
    run(seed_of_this_commit(), 3, 25)
