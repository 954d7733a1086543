// A daemon that answers anything: what the client library makes of HELLO's answer and of replies. Every request is
// answered once, by the daemon or by the library, and nothing waits.
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "core/assert.h"
#include "fuzz/input.h"
#include "lib/client.h"
#include "net/frames.h"

namespace {

using namespace assent;

// Sends to each client that connects what was given for it, and no more.
class Daemon {
  public:
    Daemon() {
        ASSENT_ASSERT(::mkdtemp(folder_.data()));
        path_ = folder_ + "/sock";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        listening_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSENT_ASSERT(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        ASSENT_ASSERT(::listen(listening_.get(), 8) == 0);
        // libFuzzer's alarm belongs to the main thread.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        thread_ = std::thread([this] { serve(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~Daemon() {
        ::shutdown(listening_.get(), SHUT_RDWR);
        thread_.join();
        ::unlink(path_.c_str());
        ::rmdir(folder_.c_str());
    }

    void next(std::string bytes) {
        const std::lock_guard guard(mutex_);
        waiting_.push_back(std::move(bytes));
    }
    const std::string& path() const { return path_; }

  private:
    void serve() {
        for (;;) {
            const Fd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!client) return;
            std::string bytes;
            {
                const std::lock_guard guard(mutex_);
                bytes = std::move(waiting_.front());
                waiting_.pop_front();
            }
            (void)!::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ::shutdown(client.get(), SHUT_WR);
            char ignored[4096];
            while (::recv(client.get(), ignored, sizeof ignored, 0) > 0) continue;
        }
    }

    std::string folder_ = "/tmp/assent-fuzz-XXXXXX";
    std::string path_;
    Fd listening_;
    std::mutex mutex_;
    std::deque<std::string> waiting_;
    std::thread thread_;
};

std::string framed(const pb::ServerFrame& frame) {
    const std::string payload = frame.SerializeAsString();
    return net::frame_length(payload.size()) + payload;
}

void use(Client& client) {
    const Deadline deadline = deadline_in(std::chrono::seconds(60));
    std::set<uint64_t> asked;
    for (pb::Request request : {client.write("data"), client.read("query"), client.write("more")})
        asked.insert(client.submit(std::move(request)));
    pb::Reply reply;
    while (client.wait(deadline)) {
        while (client.take(reply)) ASSENT_ASSERT(asked.erase(reply.id()) == 1);
    }
    ASSENT_ASSERT(asked.empty() && client.outstanding() == 0);
    reply = client.call(client.write("late"), deadline);  // on a session that is lost
    ASSENT_ASSERT(reply.code() == pb::NOT_REACHABLE && !reply.reason().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Daemon daemon;
    fuzz::Input input(data, size);
    std::string bytes;
    if (input.byte() & 1) {  // a good answer to HELLO first
        pb::ServerFrame frame;
        frame.mutable_hello()->set_protocol(1);
        frame.mutable_hello()->mutable_client()->set_random(9);
        bytes = framed(frame);
    }
    daemon.next(bytes.append(input.rest()));
    const Connected connected = Client::connect(daemon.path(), "kv", "fuzz", deadline_in(std::chrono::seconds(60)));
    ASSENT_ASSERT((connected.code == pb::DONE) == (connected.client != nullptr));
    ASSENT_ASSERT(connected.code != pb::TIMED_OUT || !connected.reason.empty());
    if (connected.client) use(*connected.client);
    return 0;
}
