// assent-test-switch: the network between the hosts of a cluster test. Each host's eth0 is a TAP device in the host's
// network namespace, and this process holds its other end. It is told what to do by lines on its standard input and
// answers each with a line: `plug NODE PID` (makes eth0 in the namespace of process PID), and what fabric.h says.
// It ends with its standard input.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "fabric.h"

namespace {

using assent::fabric::Delivery;
using assent::fabric::Fabric;

constexpr size_t kMostBytes = 65536;
constexpr int kFramesARound = 64;  // of one port, before the others have their turn

int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1'000'000ll + t.tv_nsec / 1000;
}

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + strerror(errno)); }

// From here on this thread is in the network namespace of a process.
void enter(const std::string& process) {
    const std::string path = "/proc/" + process + "/ns/net";
    const int ns = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (ns < 0) fail(path);
    const int result = setns(ns, CLONE_NEWNET);
    close(ns);
    if (result != 0) fail("setns");
}

void set_address(const ifreq& named, int node) {
    ifreq request = named;
    const unsigned char mac[6] = {2, 0, 0, 0, 0, static_cast<unsigned char>(node)};
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, sizeof mac);
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int result = ioctl(any, SIOCSIFHWADDR, &request);
    close(any);
    if (result != 0) fail("setting the MAC address");
}

// The other end of a new eth0 in the namespace of `process`, where this thread is afterwards.
int make_tap(int node, const std::string& process) {
    enter(process);
    const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) fail("/dev/net/tun");
    ifreq request{};
    strcpy(request.ifr_name, "eth0");
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap, TUNSETIFF, &request) != 0) fail("TUNSETIFF");
    set_address(request, node);
    return tap;
}

class Switch {
  public:
    explicit Switch(uint64_t seed) : fabric_(seed), home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {}

    int run() {
        for (;;) {
            wait();
            if (!read_commands()) return 0;
            for (const auto& [port, tap] : taps_) receive(port, tap);
            Delivery delivery;
            // A host whose queue is full, or whose eth0 is down, loses the frame.
            while (fabric_.next(now_us(), delivery)) {
                const ssize_t gone = write(taps_.at(delivery.port), delivery.frame.data(), delivery.frame.size());
                static_cast<void>(gone);
            }
        }
    }

  private:
    void wait() {
        std::vector<pollfd> fds{{STDIN_FILENO, POLLIN, 0}};
        for (const auto& [_, tap] : taps_) fds.push_back({tap, POLLIN, 0});
        const int64_t deadline = fabric_.deadline();
        const int64_t left = deadline < 0 ? 1'000'000 : std::max<int64_t>(0, deadline - now_us());
        const timespec limit{left / 1'000'000, left % 1'000'000 * 1000};
        ppoll(fds.data(), fds.size(), &limit, nullptr);
        commands_wait_ = fds[0].revents != 0;
    }

    void receive(int port, int tap) {
        char buffer[kMostBytes];
        for (int i = 0; i < kFramesARound; ++i) {
            const ssize_t n = read(tap, buffer, sizeof buffer);
            if (n <= 0) return;
            fabric_.arrive(now_us(), port, {buffer, size_t(n)});
        }
    }

    // False: the standard input has ended.
    bool read_commands() {
        if (!commands_wait_) return true;
        char buffer[4096];
        const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
        if (n <= 0) return false;
        input_.append(buffer, size_t(n));
        for (size_t end; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1)) {
            printf("%s\n", obey(input_.substr(0, end)).c_str());
            fflush(stdout);
        }
        return true;
    }

    std::string obey(const std::string& line) {
        std::istringstream words(line);
        std::string verb, process;
        int node = 0;
        if (!(words >> verb) || verb != "plug") return fabric_.command(line);
        if (!(words >> node >> process) || node < 1 || node > 254 || taps_.count(node) != 0)
            return "error plug NODE PID";
        try {
            taps_[node] = make_tap(node, process);
            fabric_.add_port(node);
        } catch (const std::exception& error) {
            return std::string("error ") + error.what();
        }
        if (setns(home_, CLONE_NEWNET) != 0) return std::string("error setns: ") + strerror(errno);
        return "ok";
    }

    Fabric fabric_;
    int home_;
    std::map<int, int> taps_;
    std::string input_;
    bool commands_wait_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    // As corosync itself: before all that is not real-time, else a busy machine looks like a bad network.
    sched_param priority{};
    priority.sched_priority = 1;
    if (sched_setscheduler(0, SCHED_RR, &priority) != 0) perror("assent-test-switch: without real-time priority");
    try {
        return Switch(argc > 1 ? strtoull(argv[1], nullptr, 10) : 1).run();
    } catch (const std::exception& error) {
        fprintf(stderr, "assent-test-switch: %s\n", error.what());
        return 1;
    }
}
