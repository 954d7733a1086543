"""The corosync adapters by themselves, without a daemon."""

import os
import subprocess

from assentcluster import Build
from assentcluster.testing import limit


@limit(90)
def test_one_corosync():
    """Start before corosync, 10,000 messages in order, corosync killed twice, reload, polite stop, keys shown and removed."""
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "adapter_probe.sh")
    subprocess.run([script, Build().program("adapter_probe")], check=True)
