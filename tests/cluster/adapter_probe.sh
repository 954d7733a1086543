#!/bin/bash
# The corosync adapters against one real corosync, in network, mount and process namespaces of their own: join, multicast,
# kill and restart corosync twice, reload, polite shutdown, clean end. Needs root; ends with 77 (skipped) without.
# usage: adapter_probe.sh [PATH-OF-adapter_probe]
set -u
probe=${1:-./tests/cluster/adapter_probe}
if [ "${ASSENT_INSIDE:-}" != 1 ]; then
    [ "$(id -u)" = 0 ] && command -v corosync >/dev/null || { echo "skipped: needs root and corosync"; exit 77; }
    unshare -n -m -p -f true 2>/dev/null || { echo "skipped: no namespaces here"; exit 77; }
    ASSENT_INSIDE=1 exec unshare -n -m -p -f --mount-proc --kill-child "$0" "$(readlink -f "$probe")"
fi

mount --make-rprivate /
for d in /run /dev/shm /var/lib/corosync /etc/corosync; do mkdir -p $d; mount -t tmpfs none $d; done
work=/run/probe
mkdir -p $work
ip link set lo up

configure() { # TOKEN-FOR-THE-SECTION
    cat > /etc/corosync/corosync.conf <<CONF
totem {
    version: 2
    cluster_name: probe
    transport: knet
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        name: here
        nodeid: 7
        quorum_votes: 3
    }
}
quorum {
    provider: corosync_votequorum
}
logging {
    to_stderr: yes
    to_syslog: no
}
assent {
    groups: probe
    probe {
        application: $1
    }
}
CONF
}

start_corosync() { corosync -f >> $work/corosync.log 2>&1 & corosync_pid=$!; }

fail() {
    echo "FAILED: $1"
    echo "--- probe"; tail -n 40 $work/out; tail -n 40 $work/err
    echo "--- corosync"; tail -n 20 $work/corosync.log
    exit 1
}

# await COUNT PATTERN: that many lines of the probe match it, within 30 s
await() {
    local deadline=$((SECONDS + 30))
    until [ "$(grep -c -- "$2" $work/out)" -ge "$1" ]; do
        [ $SECONDS -lt $deadline ] || fail "no '$2' ($1 times)"
        kill -0 $probe_pid 2>/dev/null || fail "the probe ended before '$2'"
        sleep 0.02
    done
}

key() { corosync-cmapctl -g "$1" 2>/dev/null | sed 's/.* = //'; }
await_key() { # KEY VALUE
    local deadline=$((SECONDS + 10))
    until [ "$(key "$1")" = "$2" ]; do [ $SECONDS -lt $deadline ] || fail "$1 is '$(key "$1")', not '$2'"; sleep 0.05; done
}

configure one
"$probe" 10000 1000 > $work/out 2> $work/err &   # before corosync: it must wait for it
probe_pid=$!
start_corosync
await 1 '^config groups=probe probe.application=one'
await 1 '^cluster probe local 7: 7=here,127.0.0.1,votes=3'
await 1 '^quorum 1 '
await 1 '^view .* members 7$'
await 1 '^received 10000 '
await_key runtime.assent.kv.state master
await_key runtime.assent.kv.index.last 1

for round in 2 3; do
    kill -9 $corosync_pid
    wait $corosync_pid 2>/dev/null
    await $((round - 1)) '^lost$'
    await $((round - 1)) '^quorum 0 ring 0.0'
    start_corosync
    await $round '^received 10000 '
    await_key runtime.assent.kv.index.last $round
done

configure two
corosync-cfgtool -R > /dev/null || fail "reload"
await 1 '^config .*application=two'

corosync-cfgtool -H > $work/stop.log 2>&1 || fail "polite stop: $(cat $work/stop.log)"
await 1 '^shutdown$'
await 3 '^lost$'
wait $corosync_pid 2>/dev/null
start_corosync
await 4 '^received 10000 '

kill -STOP $corosync_pid                          # a corosync that hangs must not hold the end of the daemon
kill -TERM $probe_pid
deadline=$((SECONDS + 10))
while kill -0 $probe_pid 2>/dev/null; do [ $SECONDS -lt $deadline ] || fail "no end while corosync hangs"; sleep 0.05; done
kill -CONT $corosync_pid

"$probe" 100 50000 > $work/out 2> $work/err &
probe_pid=$!
await 1 '^received 100 '
await_key runtime.assent.kv.state master
kill -TERM $probe_pid
wait $probe_pid || fail "exit code $?"
grep -q '^end$' $work/out || fail "no clean end"
[ -z "$(corosync-cmapctl | grep '^runtime.assent.')" ] || fail "status keys left behind"
kill $corosync_pid
wait $corosync_pid 2>/dev/null
echo "passed"
