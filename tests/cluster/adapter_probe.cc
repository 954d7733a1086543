// Drives the adapters against a real corosync and tells on standard output what they saw; see adapter_probe.sh.
//
// usage: adapter_probe COUNT SIZE
// Multicasts COUNT messages of SIZE bytes in every session, checks that they come back in order, prints one line for
// each event, and ends on SIGTERM.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/failure.h"
#include "base/log.h"
#include "base/loop.h"
#include "corosync/corosync.h"

namespace {

using namespace assent;

constexpr size_t kWindowMessages = 64;

struct Probe {
    uint32_t count;
    size_t size;
    Loop loop;
    std::unique_ptr<Corosync> corosync;
    Cpg* group = nullptr;
    uint32_t sent = 0;
    uint32_t received = 0;
    uint64_t others = 0;
    int64_t started_us = 0;
    NodeId local;
    bool in_view = false;
    uint64_t sessions = 0;

    void fill() {
        while (in_view && sent < count && sent - received < kWindowMessages) {
            std::string message(size, 'x');
            std::memcpy(message.data(), &sent, sizeof sent);
            if (!group->send(std::move(message))) break;
            ++sent;
        }
    }

    void on_message(NodeId from, std::string_view message) {
        if (from != local) {
            ++others;
            return;
        }
        uint32_t number = 0;
        std::memcpy(&number, message.data(), sizeof number);
        if (message.size() != size || number != received) {
            std::printf("ERROR message %u, expected %u\n", number, received);
            std::exit(1);
        }
        if (++received == count) {
            const double seconds = double(raw_now_us() - started_us) / 1e6;
            std::printf("received %u in %.3f s, %llu retries\n", received, seconds,
                        (unsigned long long)group->retries());
        }
        fill();
    }

    void on_view(const CpgView& view) {
        std::printf("view %u.%llu members", view.ring.representative.value, (unsigned long long)view.ring.sequence);
        for (NodeId n : view.members) std::printf(" %u", n.value);
        std::printf("\n");
        if (!in_view) started_us = raw_now_us();
        in_view = true;
        fill();
    }

    void on_lost() {
        std::printf("group lost after %u of %u\n", received, sent);
        in_view = false;
        sent = received = 0;
    }

    void on_cluster(const Cluster& cluster) {
        local = cluster.local;
        std::printf("cluster %s local %u:", cluster.name.c_str(), cluster.local.value);
        for (const Node& n : cluster.nodes)
            std::printf(" %u=%s,%s,votes=%u", n.id.value, n.name.c_str(),
                        n.addresses.empty() ? "" : n.addresses[0].c_str(), n.votes);
        std::printf("\n");
    }

    void run() {
        CorosyncCallbacks callbacks;
        callbacks.on_config = [](const Section& section) {
            std::printf("config");
            for (const auto& [key, value] : section) std::printf(" %s=%s", key.c_str(), value.c_str());
            std::printf("\n");
        };
        callbacks.on_cluster = [this](const Cluster& cluster) { on_cluster(cluster); };
        callbacks.on_up = [this] {
            std::printf("up\n");
            StatusKeys keys;
            keys["pid"] = uint32_t(::getpid());
            keys["kv.state"] = std::string("master");
            keys["kv.reason"] = std::string();
            keys["kv.can_write"] = uint8_t(1);
            keys["kv.index.last"] = ++sessions;
            corosync->publish(keys);
        };
        callbacks.on_lost = [] { std::printf("lost\n"); };
        callbacks.on_quorum = [](bool quorate, RingId ring) {
            std::printf("quorum %d ring %u.%llu\n", quorate, ring.representative.value,
                        (unsigned long long)ring.sequence);
        };
        callbacks.on_shutdown = [this](std::function<void()> allow) {
            std::printf("shutdown\n");
            loop.timer_once(100'000, std::move(allow));
        };
        corosync = std::make_unique<Corosync>(loop, std::move(callbacks));
        CpgCallbacks of_group;
        of_group.on_view = [this](const CpgView& view) { on_view(view); };
        of_group.on_message = [this](NodeId from, std::string_view message) { on_message(from, message); };
        of_group.on_lost = [this] { on_lost(); };
        group = &corosync->join("probe", std::move(of_group));
        loop.on_signal(SIGTERM, [this] { loop.stop(); });
        corosync->start();
        loop.run();
        corosync->stop();
        std::printf("end\n");
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: adapter_probe COUNT SIZE\n");
        return 64;
    }
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        log_open({"adapter_probe", true, LOG_DEBUG});
        Probe probe;
        probe.count = uint32_t(std::strtoul(argv[1], nullptr, 10));
        probe.size = std::max<size_t>(sizeof(uint32_t), std::strtoul(argv[2], nullptr, 10));
        probe.run();
        log_close();
    } catch (const Failure& failure) {
        std::fprintf(stderr, "adapter_probe: %s\n", failure.what());
        return failure.exit_code();
    }
    return 0;
}
