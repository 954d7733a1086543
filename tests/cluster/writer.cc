// assent-test-writer: load for the cluster tests, and the check of it afterwards. It speaks the client protocol by
// itself, so that the tests do not trust the client library with what they measure.
//
// Load: --clients N closed-loop clients, each on its own session, write keys w<client>-<n> with unique values. A client
// that loses its session sends the same request (client id and sequence) again after reconnecting. Each outcome is a
// line "START_US END_US OUTCOME KEY VALUE INDEX" in --history; the times are CLOCK_MONOTONIC.
// Ends at SIGTERM or --count.
// Verify: --verify FILE reads every "KEY VALUE" line's key and compares; exit 1 if anything is missing or changed.
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "proto/kv.pb.h"
#include "session.h"

namespace {

using namespace assent;
using cluster_test::now_us;
using cluster_test::Session;

constexpr int64_t kReconnectUs = 10'000;
constexpr int64_t kRefusedUs = 5'000;
constexpr int64_t kDeadlineMs = 5'000;
constexpr int64_t kGiveUpUs = (kDeadlineMs + 2'000) * 1'000;
constexpr int64_t kStopUs = 3'000'000;
constexpr size_t kOutstandingReads = 128;

constexpr const char* kProgram = "assent-test-writer";

volatile sig_atomic_t stop_asked = 0;

struct Options {
    std::string socket = "/run/assent/assentd.sock";
    std::string group = "kv";
    std::string history;
    std::string verify;
    int clients = 1;
    int first = 0;
    long count = 0;  // writes of each client; 0: no end
    int rate = 0;    // of each client in a second; 0: no limit
    size_t value_bytes = 64;
    bool local = false;
};

class History {
  public:
    explicit History(const std::string& path) : file_(fopen(path.c_str(), "a")) {
        if (!file_) throw std::runtime_error(path + ": " + strerror(errno));
        setvbuf(file_, nullptr, _IOLBF, 4096);
    }
    ~History() { fclose(file_); }
    void add(int64_t start, const char* outcome, const std::string& key, const std::string& value, uint64_t index) {
        fprintf(file_, "%lld %lld %s %s %s %llu\n", static_cast<long long>(start), static_cast<long long>(now_us()),
                outcome, key.c_str(), value.c_str(), static_cast<unsigned long long>(index));
    }

  private:
    FILE* file_;
};

// One closed-loop client.
class Client {
  public:
    Client(const Options& options, int number, History& history)
        : options_(options), history_(history), name_("w" + std::to_string(number)) {}

    int fd() const { return session_.fd(); }
    short events() const { return static_cast<short>(POLLIN | (session_.wants_write() ? POLLOUT : 0)); }
    bool busy() const { return outstanding_; }
    bool finished() const { return options_.count > 0 && written_ >= options_.count && !outstanding_; }

    // Does what is due. `issue`: new writes may begin. Returns when it wants to be called next.
    int64_t step(int64_t now, bool issue) {
        if (outstanding_ && now - start_us_ > kGiveUpUs) {
            settle("unknown", 0);
            session_.close();
            identity_.Clear();
        }
        if (!session_.is_open()) {
            greeted_ = false;
            if (now < due_us_) return due_us_;
            if (!session_.open(options_.socket, kProgram, options_.group)) due_us_ = now + kReconnectUs;
            return now + kReconnectUs;
        }
        if (!greeted_) return now + kReconnectUs;
        if (outstanding_) return start_us_ + kGiveUpUs;
        if (!issue || finished()) return now + kReconnectUs;
        if (now < due_us_) return due_us_;
        begin(now);
        return start_us_ + kGiveUpUs;
    }

    void ready(short what) {
        if (what & POLLOUT) session_.flush();
        if (!session_.is_open() || !(what & (POLLIN | POLLHUP | POLLERR))) return;
        std::vector<pb::ServerFrame> frames;
        session_.receive(frames);
        for (const auto& frame : frames) take(frame);
        if (!session_.is_open()) due_us_ = now_us() + kReconnectUs;
    }

    // The run is over.
    void abandon() {
        if (outstanding_) settle("unknown", 0);
    }

  private:
    void begin(int64_t now) {
        ++written_;
        key_ = name_ + "-" + std::to_string(written_);
        value_ = key_ + "@" + std::to_string(now);
        if (value_.size() < options_.value_bytes) value_.append(options_.value_bytes - value_.size(), '.');
        ++sequence_;
        outstanding_ = true;
        start_us_ = now;
        submit();
    }

    void submit() {
        pb::KvWrite write;
        write.mutable_put()->set_key(key_);
        write.mutable_put()->set_value(value_);
        pb::ClientFrame frame;
        auto* request = frame.mutable_request();
        request->set_id(++request_id_);
        request->set_group(options_.group);
        *request->mutable_client() = identity_;
        request->set_sequence(sequence_);
        request->set_first_unanswered(sequence_);
        request->set_deadline_ms(kDeadlineMs);
        request->mutable_write()->set_data(write.SerializeAsString());
        session_.send(frame);
    }

    void take(const pb::ServerFrame& frame) {
        if (frame.has_hello()) {
            greet(frame.hello());
        } else if (frame.has_reply() && frame.reply().id() == 0) {
            session_.close();
        } else if (frame.has_reply() && frame.reply().id() == request_id_ && outstanding_) {
            answer(frame.reply());
        }
    }

    void greet(const pb::HelloReply& hello) {
        if (hello.code() != pb::DONE || (hello.client().random() == 0 && identity_.random() == 0)) {
            session_.close();
            return;
        }
        greeted_ = true;
        if (outstanding_) {
            submit();
        } else if (identity_.random() == 0) {
            identity_ = hello.client();
            sequence_ = 0;
        }
    }

    void answer(const pb::Reply& reply) {
        switch (reply.code()) {
            case pb::DONE: settle("confirmed", reply.index()); break;
            case pb::CANCELLED: settle("cancelled", 0); break;
            case pb::UNKNOWN: settle("unknown", 0); break;
            case pb::BUSY:
            case pb::NO_MAJORITY:
            case pb::NO_MASTER:
            case pb::TIMED_OUT:
                settle("refused", 0);
                due_us_ = now_us() + kRefusedUs;
                break;
            default:
                throw std::runtime_error("put " + key_ + ": " + std::to_string(reply.code()) + " " + reply.reason());
        }
    }

    void settle(const char* outcome, uint64_t index) {
        history_.add(start_us_, outcome, key_, value_, index);
        outstanding_ = false;
        if (options_.rate > 0) due_us_ = start_us_ + 1'000'000 / options_.rate;
    }

    const Options& options_;
    History& history_;
    std::string name_;
    Session session_;
    pb::ClientIdentity identity_;
    bool greeted_ = false;
    bool outstanding_ = false;
    uint64_t sequence_ = 0;
    uint64_t request_id_ = 0;
    long written_ = 0;
    int64_t start_us_ = 0;
    int64_t due_us_ = 0;
    std::string key_;
    std::string value_;
};

void wait_events(std::vector<std::unique_ptr<Client>>& clients, int64_t until) {
    std::vector<pollfd> fds;
    for (const auto& client : clients) fds.push_back({client->fd(), client->events(), 0});
    int64_t left_us = until - now_us();
    timespec limit{left_us > 0 ? left_us / 1'000'000 : 0, left_us > 0 ? left_us % 1'000'000 * 1000 : 0};
    if (ppoll(fds.data(), fds.size(), &limit, nullptr) <= 0) return;
    for (size_t i = 0; i < fds.size(); ++i)
        if (fds[i].revents != 0) clients[i]->ready(fds[i].revents);
}

int load(const Options& options) {
    History history(options.history);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < options.clients; ++i)
        clients.push_back(std::make_unique<Client>(options, options.first + i, history));
    int64_t stopped_at = 0;
    for (;;) {
        int64_t now = now_us();
        if (stop_asked && stopped_at == 0) stopped_at = now;
        int64_t until = now + 100'000;
        bool busy = false;
        bool finished = true;
        for (auto& client : clients) {
            until = std::min(until, client->step(now, stopped_at == 0));
            busy = busy || client->busy();
            finished = finished && client->finished();
        }
        if (finished || (stopped_at != 0 && (!busy || now - stopped_at > kStopUs))) break;
        wait_events(clients, until);
    }
    for (auto& client : clients) client->abandon();
    return 0;
}

// Reads many keys at once over one session and compares.
class Verifier {
  public:
    explicit Verifier(const Options& options) : options_(options) {
        std::ifstream file(options.verify);
        std::string key, value;
        while (file >> key >> value) expected_.emplace_back(key, value);
        if (expected_.empty()) throw std::runtime_error(options.verify + ": no writes to look for");
    }

    int run() {
        if (!session_.open(options_.socket, kProgram, options_.group))
            throw std::runtime_error("nobody listens on " + options_.socket);
        int64_t deadline = now_us() + 55'000'000;
        while (answered_ < expected_.size()) {
            while (greeted_ && asked_ < expected_.size() && asked_ - answered_ < kOutstandingReads) ask();
            pollfd fd{session_.fd(), static_cast<short>(POLLIN | (session_.wants_write() ? POLLOUT : 0)), 0};
            poll(&fd, 1, 1000);
            if (fd.revents & POLLOUT) session_.flush();
            std::vector<pb::ServerFrame> frames;
            if (fd.revents & (POLLIN | POLLHUP | POLLERR)) session_.receive(frames);
            for (const auto& frame : frames) take(frame);
            if (!session_.is_open()) throw std::runtime_error("the daemon closed the session");
            if (now_us() > deadline) throw std::runtime_error("the daemon answers too slowly");
        }
        printf("%zu read, %zu wrong\n", answered_, wrong_);
        return wrong_ == 0 ? 0 : 1;
    }

  private:
    void ask() {
        pb::KvQuery query;
        query.mutable_get()->set_key(expected_[asked_].first);
        pb::ClientFrame frame;
        auto* request = frame.mutable_request();
        request->set_id(++asked_);
        request->set_group(options_.group);
        request->set_deadline_ms(kDeadlineMs);
        request->mutable_read()->set_query(query.SerializeAsString());
        request->mutable_read()->set_level(options_.local ? pb::LEVEL_LOCAL : pb::LEVEL_MASTER);
        session_.send(frame);
    }

    void take(const pb::ServerFrame& frame) {
        if (frame.has_hello()) {
            if (frame.hello().code() != pb::DONE) throw std::runtime_error("refused: " + frame.hello().reason());
            greeted_ = true;
            return;
        }
        const pb::Reply& reply = frame.reply();
        if (reply.id() == 0 || reply.id() > asked_) throw std::runtime_error("session error: " + reply.reason());
        const auto& [key, value] = expected_[reply.id() - 1];
        ++answered_;
        pb::KvAnswer answer;
        if (reply.code() != pb::DONE || !answer.ParseFromString(reply.result())) {
            throw std::runtime_error("get " + key + ": " + std::to_string(reply.code()) + " " + reply.reason());
        } else if (answer.status() == pb::KV_NOT_FOUND) {
            complain("missing " + key);
        } else if (answer.value() != value) {
            complain("changed " + key + ": " + answer.value() + " instead of " + value);
        }
    }

    void complain(const std::string& what) {
        if (++wrong_ <= 10) printf("%s\n", what.c_str());
    }

    const Options& options_;
    Session session_;
    std::vector<std::pair<std::string, std::string>> expected_;
    bool greeted_ = false;
    size_t asked_ = 0;
    size_t answered_ = 0;
    size_t wrong_ = 0;
};

Options parse(int argc, char** argv) {
    static const option table[] = {{"socket", required_argument, nullptr, 's'},
                                   {"group", required_argument, nullptr, 'g'},
                                   {"history", required_argument, nullptr, 'h'},
                                   {"verify", required_argument, nullptr, 'v'},
                                   {"clients", required_argument, nullptr, 'c'},
                                   {"first", required_argument, nullptr, 'f'},
                                   {"count", required_argument, nullptr, 'n'},
                                   {"rate", required_argument, nullptr, 'r'},
                                   {"value-bytes", required_argument, nullptr, 'b'},
                                   {"level", required_argument, nullptr, 'l'},
                                   {nullptr, 0, nullptr, 0}};
    Options options;
    for (int c; (c = getopt_long(argc, argv, "", table, nullptr)) != -1;) {
        switch (c) {
            case 's': options.socket = optarg; break;
            case 'g': options.group = optarg; break;
            case 'h': options.history = optarg; break;
            case 'v': options.verify = optarg; break;
            case 'c': options.clients = std::stoi(optarg); break;
            case 'f': options.first = std::stoi(optarg); break;
            case 'n': options.count = std::stol(optarg); break;
            case 'r': options.rate = std::stoi(optarg); break;
            case 'b': options.value_bytes = std::stoul(optarg); break;
            case 'l': options.local = std::string(optarg) == "local"; break;
            default: exit(64);
        }
    }
    if (options.history.empty() == options.verify.empty()) {
        fprintf(stderr,
                "usage: assent-test-writer --history FILE [--clients N] [--first N] [--rate N] [--count N]\n"
                "       assent-test-writer --verify FILE [--level master|local]\n");
        exit(64);
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options = parse(argc, argv);
        signal(SIGTERM, [](int) { stop_asked = 1; });
        return options.verify.empty() ? load(options) : Verifier(options).run();
    } catch (const std::exception& error) {
        fprintf(stderr, "assent-test-writer: %s\n", error.what());
        return 1;
    }
}
