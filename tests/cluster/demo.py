"""./demo: three real hosts on this machine, and the product shown on them. Started by the script ./demo."""

import argparse
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from assentcluster import Build, Cluster, TimedOut, kept, wait_for  # noqa: E402 (no bytecode comes first)
from assentcluster.build import TOP  # noqa: E402
from assentcluster.make import BuildFailed, build  # noqa: E402
from assentcluster.terminal import Stopwatch, Terminal  # noqa: E402


class Surprise(Exception):
    """The product did not do what the story says."""


FAILURES = (BuildFailed, Surprise, TimedOut, AssertionError, RuntimeError, OSError, subprocess.SubprocessError)


def shown(terminal, host, *arguments, timed=False, timeout=None, expect=0):
    """Runs assentctl on a host as typed, shows command and answer; returns the answer."""
    words = (["-t", str(timeout)] if timeout else []) + list(arguments)
    terminal.command(f"node{host.node}", "assentctl " + " ".join(words))
    answer = host.ctl(*arguments, timeout=timeout or 5, as_json=False)
    terminal.output(answer.out + answer.err, answer.rc, answer.seconds if timed else None)
    if expect is not None and answer.rc != expect:
        raise Surprise(f"{answer}; exit code {expect} was expected")
    return answer


def introduce(terminal, cluster):
    terminal.step("Three hosts")
    terminal.say("""Each host has its own network, its own /run, /dev/shm and /var/lib, its own corosync and its own
        assentd. They are joined by a switch which, like them, exists only inside this program. corosync says who is
        there:""")
    terminal.command("node1", "corosync-quorumtool -l")
    terminal.output(cluster[1].run("corosync-quorumtool", "-l", check=False).stdout.strip("\n"))
    terminal.say("And assent says whether it can be written to, and who is master:")
    shown(terminal, cluster[1], "status")


def write_and_read(terminal, cluster):
    terminal.step("Write on one node, read on another")
    terminal.say("A write is told to be done once a majority of the *applications* has accepted it and a majority of "
                 "the disks holds it. Any node takes it.")
    shown(terminal, cluster[1], "put", "colour", "green")
    shown(terminal, cluster[3], "get", "colour")
    shown(terminal, cluster[2], "cas", "colour", "green", "blue")
    shown(terminal, cluster[1], "get", "colour")


def hang_two(terminal, cluster):
    terminal.step("The case that names the product: two of three hang")
    master = cluster.wait_master()
    hung = cluster.others(master.node)
    names = " and ".join(f"node {host.node}" for host in hung)
    terminal.say(f"""The daemons (and with them the applications) of {names} are stopped in the middle of what they do:
        not dead, only hanging. Their corosync is well, so corosync goes on to deliver messages on all three hosts, and
        whoever takes delivery for acknowledgement would say "done" now.""")
    for host in hung:
        terminal.command(f"node{host.node}", f"kill -STOP {host.daemon.pid}     # its assentd")
        host.daemon.pause()
    answer, told = ask_while_hung(terminal, master)
    terminal.good(f'Exit code {answer.rc}, not "done": no majority has acknowledged it, so nobody may be told that it '
                  "stays." + (" It is not taken back either: it is open until the others answer."
                              if answer.rc == 112 else ""))
    terminal.say("Now they go on, and the client asks what became of its write:")
    for host in hung:
        terminal.command(f"node{host.node}", f"kill -CONT {host.daemon.pid}")
        host.daemon.resume()
    cluster.wait_master()
    if told.get("client"):
        wait_for(lambda: master.ctl("outcome", told["client"], told["sequence"]).rc in (0, 109), 15,
                 "a definite outcome")
        shown(terminal, master, "outcome", told["client"], str(told["sequence"]), expect=None)
    cluster.wait_same()
    values = {shown(terminal, host, "get", "balance", expect=None).out for host in cluster}
    if len(values) != 1:
        raise Surprise(f"the nodes do not agree: {values}")
    terminal.good("A definite answer, and all three nodes agree with it.")


def ask_while_hung(terminal, host):
    """The put, as JSON because the story goes on with the client and sequence in it."""
    terminal.command(f"node{host.node}", "assentctl -o json -t 2 put balance 100")
    answer = host.ctl("put", "balance", "100", timeout=2)
    terminal.output(answer.out + answer.err, answer.rc, answer.seconds)
    if answer.rc not in (106, 112, 114):
        raise Surprise(f"{answer}; with two of three hung it must not be told to be done")
    return answer, answer.json


def kill_master(terminal, cluster):
    terminal.step("kill -9 the master")
    master = cluster.wait_master()
    other = cluster.others(master.node)[0]
    shown(terminal, master, "put", "last-words", "remember-me")
    terminal.say(f"node {master.node} is master. It is killed, and node {other.node} is asked to write until it "
                 "answers \"done\":")
    terminal.command(f"node{master.node}", f"kill -9 {master.daemon.pid}")
    terminal.command(f"node{other.node}", "until assentctl put next-word hello; do :; done")
    watch = Stopwatch()
    master.daemon.kill()
    answer = wait_for(lambda: done(other.ctl("put", "next-word", "hello", timeout=2, as_json=False)), 20,
                      "a confirmed write", interval=0.01)
    seconds = watch.seconds()
    terminal.output(answer.out)
    terminal.good(f"Written again {seconds * 1000:.0f} ms after the kill (starting assentctl included).")
    successor = cluster.wait_master()
    shown(terminal, successor, "master")
    terminal.say("The successor has what the dead master had confirmed:")
    shown(terminal, successor, "get", "last-words")
    terminal.say(f"node {master.node}'s assentd is started again; it catches up by itself, and has what it missed:")
    terminal.command(f"node{master.node}", "assentd")
    master.daemon.start()
    cluster.wait_master()
    cluster.wait_same()
    shown(terminal, master, "get", "--level", "local", "next-word")


def done(answer):
    return answer if answer.rc == 0 else None


def tell(terminal, cluster):
    introduce(terminal, cluster)
    write_and_read(terminal, cluster)
    hang_two(terminal, cluster)
    kill_master(terminal, cluster)


def say_how_to_talk(terminal, cluster):
    terminal.step("The hosts stay up")
    terminal.say("A command in a host, or a shell without one:")
    for host in cluster:
        terminal.command("here", f"./demo --on {host.node} assentctl status")
    terminal.say("The same without this script, and what else is worth a look:")
    terminal.command("here", f"nsenter -t {cluster[1].namespaces.pid} --net --mount --uts -- "
                             f"{cluster.build.program('assentctl')} status")
    terminal.command("here", f"tail -f {cluster[1].daemon.log}")
    terminal.command("here", "./demo --on 2 corosync-cmapctl -b runtime.assent.")
    terminal.say("To end it all:")
    terminal.command("here", "./demo --stop")


def prepare(terminal, folder):
    terminal.line("Building assent")
    build(terminal, folder)


def perform(terminal, options):
    """The whole show; the cluster is gone when this returns. Returns the exit code."""
    watch = Stopwatch()
    try:
        if not options.no_build:
            prepare(terminal, options.build)
        terminal.line("Starting three hosts")
        with Cluster(3, build=Build(options.build)) as cluster:
            cluster.start()
            terminal.line(f"  they are up, {watch.seconds():.0f} s after the start")
            tell(terminal, cluster)
            if options.keep:
                say_how_to_talk(terminal, cluster)
                keep(cluster, options.story_is_over)
        terminal.line(f"\nEverything is taken down again. {watch.seconds():.0f} s in all. "
                      "./demo --keep leaves the hosts up to try things on.")
        return 0
    except FAILURES as error:
        print(f"\ndemo: {error}", file=sys.stderr, flush=True)
        return 1


def keep(cluster, story_is_over):
    """Waits for ./demo --stop (SIGTERM), away from the terminal."""
    kept.write_note(cluster)
    try:
        story_is_over()
        while True:
            signal.pause()
    finally:
        kept.remove_note()


def perform_and_keep(terminal, options):
    """The cluster belongs to a child that outlives this process; this one waits until the story is over."""
    over, tell_over = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(over)
        os.setsid()

        def story_is_over():
            nothing = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(nothing, fd)
            os.write(tell_over, b"x")
            os.close(tell_over)

        options.story_is_over = story_is_over
        os._exit(unwinding(lambda: perform(terminal, options)))
    os.close(tell_over)
    try:
        if os.read(over, 1):
            return 0
    except BaseException:
        os.kill(keeper, signal.SIGTERM)
        os.waitpid(keeper, 0)
        raise
    return os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])


def unwinding(action):
    """Runs `action`; Ctrl-C and SIGTERM unwind it, so that it cleans up. Returns its exit code or 130."""
    def unwind(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, unwind)
    try:
        return action()
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything is taken down", file=sys.stderr, flush=True)
        return 130


def parse():
    parser = argparse.ArgumentParser(prog="./demo", description="Shows assent on three real hosts on this machine.")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up at the end")
    parser.add_argument("--stop", action="store_true", help="end the hosts that --keep left up")
    parser.add_argument("--on", nargs=argparse.REMAINDER, metavar=("NODE", "COMMAND"),
                        help="run a command (default: a shell) in a host that --keep left up")
    parser.add_argument("--step", action="store_true", help="wait for Enter before each step")
    parser.add_argument("--no-build", action="store_true", help="install and build nothing")
    parser.add_argument("--build", metavar="FOLDER", default=os.environ.get("ASSENT_BUILD", os.path.join(TOP, "build")),
                        help="where to build (default: build/ in the checkout)")
    return parser.parse_args()


def main():
    options = parse()
    if options.stop:
        print("The hosts are taken down." if kept.stop() else "No hosts of ./demo --keep are up.")
        return 0
    if options.on is not None:
        if options.on:
            kept.enter(options.on[0], options.on[1:])
        print("demo: no such host is up; ./demo --keep brings up nodes 1, 2 and 3", file=sys.stderr)
        return 69
    if options.keep and kept.read_note():
        print("demo: the hosts of an earlier ./demo --keep are still up; end them with ./demo --stop", file=sys.stderr)
        return 1
    terminal = Terminal(wait_for_key=options.step and not options.keep)
    return unwinding(lambda: (perform_and_keep if options.keep else perform)(terminal, options))


if __name__ == "__main__":
    sys.exit(main())
