// assent-test-history: clients that read and write the same few keys, and what each was told, for the linearizability
// checker (tests/lincheck). A line of JSON an operation goes to --history, in the format that lincheck reads.
//
// Load: --clients N, numbered from --first, each in a thread and closed loop, at most --rate operations a second. Keys
// change every --slot seconds, so that no key's history grows without end. An operation whose answer is lost is given up
// (unknown), sent again with the same client id and sequence, or asked for by `outcome`. Ends at SIGTERM.
// Sweep: --sweep FILE gets every key of the file once, at level master.
#include <getopt.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "app/kv/kv_requests.h"
#include "session.h"

namespace {

using namespace assent;
using cluster_test::now_us;
using cluster_test::Session;
using Json = nlohmann::json;

constexpr const char* kProgram = "assent-test-history";
constexpr int64_t kReconnectUs = 20'000;
constexpr int64_t kRefusedUs = 20'000;
constexpr int64_t kDeadlineMs = 3'000;
constexpr int64_t kAnswerUs = (kDeadlineMs + 1'000) * 1'000;
constexpr int64_t kSettleUs = 10'000'000;  // so long an unknown outcome is asked for

std::atomic<bool> stop_asked{false};

struct Options {
    std::string socket = "/run/assent/assentd.sock";
    std::string history;
    std::string sweep;
    uint64_t seed = 1;
    int clients = 1;
    int first = 0;
    int rate = 50;
    int keys = 3;
    int64_t slot_us = 4'000'000;
};

class History {
  public:
    explicit History(const std::string& path) : file_(fopen(path.c_str(), "a")) {
        if (!file_) throw std::runtime_error(path + ": " + strerror(errno));
        setvbuf(file_, nullptr, _IOLBF, 4096);
    }
    ~History() { fclose(file_); }
    void add(const Json& operation) {
        const std::string line = operation.dump() + "\n";
        const std::lock_guard guard(mutex_);
        fwrite(line.data(), 1, line.size(), file_);
    }

  private:
    std::mutex mutex_;
    FILE* file_;
};

// Requests one at a time, over as many sessions as it takes.
class Caller {
  public:
    explicit Caller(const Options& options) : options_(options) {}

    // A fresh identity is taken if the last one was given up.
    const pb::ClientIdentity& identity() const { return identity_; }
    void give_up_identity() {
        identity_.Clear();
        session_.close();
    }

    // True once there is a session, and an identity.
    bool connect(int64_t until) {
        while (!session_.is_open() || !greeted_) {
            if (!session_.is_open()) {
                greeted_ = false;
                if (!session_.open(options_.socket, kProgram, "kv")) {
                    if (now_us() >= until) return false;
                    std::this_thread::sleep_for(std::chrono::microseconds(kReconnectUs));
                    continue;
                }
            }
            pb::ServerFrame frame;
            if (!receive(frame, until)) {
                if (now_us() >= until) return false;
                continue;
            }
            greet(frame);
        }
        return true;
    }

    // None: the answer is lost, or too late. The session is closed then.
    std::optional<pb::Reply> call(pb::Request request) {
        request.set_id(++last_id_);
        request.set_group("kv");
        request.set_deadline_ms(kDeadlineMs);
        pb::ClientFrame out;
        *out.mutable_request() = std::move(request);
        session_.send(out);
        const int64_t until = now_us() + kAnswerUs;
        pb::ServerFrame frame;
        while (receive(frame, until))
            if (frame.has_reply() && frame.reply().id() == last_id_) return frame.reply();
        session_.close();
        return {};
    }

  private:
    bool receive(pb::ServerFrame& frame, int64_t until) {
        while (arrived_.empty()) {
            const int64_t left = until - now_us();
            if (left <= 0 || !session_.is_open()) return false;
            pollfd fd{session_.fd(), static_cast<short>(POLLIN | (session_.wants_write() ? POLLOUT : 0)), 0};
            poll(&fd, 1, int(left / 1000) + 1);
            if (fd.revents & POLLOUT) session_.flush();
            if (session_.is_open() && (fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0) session_.receive(arrived_);
        }
        frame = arrived_.front();
        arrived_.erase(arrived_.begin());
        return true;
    }

    void greet(const pb::ServerFrame& frame) {
        if (!frame.has_hello() || frame.hello().code() != pb::DONE ||
            (frame.hello().client().random() == 0 && identity_.random() == 0)) {
            session_.close();
            arrived_.clear();
            std::this_thread::sleep_for(std::chrono::microseconds(kReconnectUs));
            return;
        }
        greeted_ = true;
        if (identity_.random() == 0) identity_ = frame.hello().client();
    }

    const Options& options_;
    Session session_;
    std::vector<pb::ServerFrame> arrived_;
    pb::ClientIdentity identity_;
    bool greeted_ = false;
    uint64_t last_id_ = 0;
};

// True: nothing was done by the request that was answered so.
bool refused(pb::Code code) {
    return code == pb::BUSY || code == pb::NO_MAJORITY || code == pb::NO_MASTER || code == pb::TIMED_OUT;
}

class Client {
  public:
    Client(const Options& options, int number, History& history)
        : options_(options), history_(history), number_(number), caller_(options),
          random_(options.seed * 1000 + uint64_t(number)) {}

    void run() {
        int64_t due = now_us();
        while (!stop_asked) {
            if (now_us() < due) {
                std::this_thread::sleep_for(std::chrono::microseconds(due - now_us()));
                continue;
            }
            if (!caller_.connect(now_us() + 200'000)) continue;
            due = now_us() + 1'000'000 / options_.rate;
            if (one_of_hundred() < 35)
                get(some_key());
            else
                write();
        }
    }

    // A get of each key, however long it takes.
    void sweep(const std::vector<std::string>& keys) {
        for (const std::string& key : keys)
            while (!caller_.connect(now_us() + 1'000'000) || !get(key))
                if (stop_asked) throw std::runtime_error("stopped before the sweep was done");
    }

  private:
    int one_of_hundred() { return int(random_() % 100); }

    std::string some_key() {
        const uint64_t slot = uint64_t(now_us() / options_.slot_us);
        return "k" + std::to_string(slot) + "-" + std::to_string(random_() % uint64_t(options_.keys));
    }

    Json begun(const char* op, const std::string& key) {
        return {{"client", number_}, {"op", op}, {"key", key}, {"invoked_us", now_us()}, {"returned_us", nullptr}};
    }

    void record(Json& operation, const char* outcome) {
        operation["outcome"] = outcome;
        operation["returned_us"] = now_us();
        history_.add(operation);
    }

    // False: it was not answered, and so never happened.
    bool get(const std::string& key) {
        Json operation = begun("get", key);
        pb::Request request;
        request.mutable_read()->set_query(kv::encode_get(key));
        request.mutable_read()->set_level(pb::LEVEL_MASTER);
        const auto reply = caller_.call(std::move(request));
        if (!reply || reply->code() != pb::DONE) {
            if (reply) check_known(*reply);
            std::this_thread::sleep_for(std::chrono::microseconds(reply ? kRefusedUs : 0));
            return false;
        }
        auto answer = kv::decode_get(reply->result());
        if (!answer) throw std::runtime_error("get " + key + ": " + answer.error());
        operation["found"] = answer->value.has_value();
        if (answer->value) operation["result"] = *answer->value;
        saw(key, answer->value);
        record(operation, "confirmed");
        return true;
    }

    void write() {
        const std::string key = some_key();
        const std::string value = "c" + std::to_string(number_) + "-" + std::to_string(++values_);
        const int kind = one_of_hundred();
        std::string data;
        Json operation;
        if (kind < 45) {
            operation = begun("put", key);
            operation["value"] = value;
            data = kv::encode_put(key, value);
        } else if (kind < 58) {
            operation = begun("del", key);
            data = kv::encode_del(key);
        } else {
            operation = begun("cas", key);
            const auto old = seen_.count(key) != 0 ? seen_[key] : std::nullopt;
            const bool deletes = kind >= 95;
            operation["old"] = old ? Json(*old) : Json();
            operation["value"] = deletes ? Json() : Json(value);
            data = kv::encode_cas(key, old, deletes ? std::nullopt : std::optional<std::string_view>(value));
        }
        settle(operation, request_for(data));
    }

    pb::Request request_for(const std::string& data) {
        if (caller_.identity().random() != identity_.random()) {
            identity_ = caller_.identity();
            sequence_ = 0;
        }
        pb::Request request;
        *request.mutable_client() = identity_;
        request.set_sequence(++sequence_);
        request.set_first_unanswered(sequence_);
        request.mutable_write()->set_data(data);
        return request;
    }

    void settle(Json& operation, const pb::Request& request) {
        auto reply = caller_.call(request);
        // Only the first answer proves that nothing was done: a copy sent before may still be on its way later on.
        if (reply && refused(reply->code())) {
            record(operation, "failed");
            std::this_thread::sleep_for(std::chrono::microseconds(kRefusedUs));
            return;
        }
        if (!(reply && decided(*reply))) reply = ask_again(request);
        if (reply && reply->code() == pb::DONE) {
            note_result(operation, *reply);
            return record(operation, "confirmed");
        }
        if (reply) return record(operation, "cancelled");
        record(operation, "unknown");
        caller_.give_up_identity();
    }

    // The decided answer to a write whose answer was lost, or none.
    std::optional<pb::Reply> ask_again(const pb::Request& request) {
        const int way = one_of_hundred();
        if (way < 30) return {};
        pb::Request again = request;
        if (way < 60) {
            again.Clear();
            *again.mutable_outcome()->mutable_client() = request.client();
            again.mutable_outcome()->set_sequence(request.sequence());
        }
        for (const int64_t until = now_us() + kSettleUs; now_us() < until && !stop_asked;) {
            if (!caller_.connect(until)) return {};
            auto reply = caller_.call(again);
            if (reply && decided(*reply)) return reply;
            std::this_thread::sleep_for(std::chrono::microseconds(kRefusedUs));
        }
        return {};
    }

    static bool decided(const pb::Reply& reply) {
        check_known(reply);
        return reply.code() == pb::DONE || reply.code() == pb::CANCELLED;
    }

    static void check_known(const pb::Reply& reply) {
        if (reply.code() != pb::DONE && reply.code() != pb::CANCELLED && reply.code() != pb::UNKNOWN &&
            !refused(reply.code()))
            throw std::runtime_error("answer " + std::to_string(reply.code()) + ": " + reply.reason());
    }

    // What a confirmed write was told, unless its result is not remembered any more: then there is a reason.
    void note_result(Json& operation, const pb::Reply& reply) {
        if (operation["op"] == "put") saw(operation["key"], operation["value"].get<std::string>());
        if (operation["op"] == "del") saw(operation["key"], {});
        if (operation["op"] != "cas" || !reply.reason().empty()) return;
        auto result = kv::decode_result(reply.result());
        if (!result) throw std::runtime_error("cas: " + result.error());
        operation["swapped"] = result->done;
        if (result->done) {
            saw(operation["key"], operation["value"].is_null()
                                      ? std::optional<std::string>()
                                      : std::optional<std::string>(operation["value"].get<std::string>()));
            return;
        }
        operation["found"] = result->current.has_value();
        if (result->current) operation["result"] = *result->current;
        saw(operation["key"], result->current);
    }

    void saw(const std::string& key, std::optional<std::string> value) {
        if (seen_.size() > 100) seen_.clear();
        seen_[key] = std::move(value);
    }

    const Options& options_;
    History& history_;
    int number_;
    Caller caller_;
    std::mt19937_64 random_;
    pb::ClientIdentity identity_;
    uint64_t sequence_ = 0;
    uint64_t values_ = 0;
    std::map<std::string, std::optional<std::string>> seen_;  // what a cas may compare with
};

std::vector<std::string> keys_of(const std::string& path) {
    std::ifstream file(path);
    std::set<std::string> keys;
    for (std::string key; file >> key;) keys.insert(key);
    if (keys.empty()) throw std::runtime_error(path + ": no keys");
    return {keys.begin(), keys.end()};
}

int run(const Options& options) {
    History history(options.history);
    if (!options.sweep.empty()) {
        Client(options, options.first, history).sweep(keys_of(options.sweep));
        return 0;
    }
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int i = 0; i < options.clients; ++i) {
        threads.emplace_back([&options, &history, &failed, number = options.first + i] {
            try {
                Client(options, number, history).run();
            } catch (const std::exception& error) {
                fprintf(stderr, "%s: client %d: %s\n", kProgram, number, error.what());
                failed = 1;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    return failed;
}

Options parse(int argc, char** argv) {
    static const option table[] = {
        {"socket", required_argument, nullptr, 's'},  {"history", required_argument, nullptr, 'h'},
        {"sweep", required_argument, nullptr, 'w'},   {"seed", required_argument, nullptr, 'e'},
        {"clients", required_argument, nullptr, 'c'}, {"first", required_argument, nullptr, 'f'},
        {"rate", required_argument, nullptr, 'r'},    {"keys", required_argument, nullptr, 'k'},
        {"slot", required_argument, nullptr, 'l'},    {nullptr, 0, nullptr, 0}};
    Options options;
    for (int c; (c = getopt_long(argc, argv, "", table, nullptr)) != -1;) {
        switch (c) {
            case 's': options.socket = optarg; break;
            case 'h': options.history = optarg; break;
            case 'w': options.sweep = optarg; break;
            case 'e': options.seed = std::stoull(optarg); break;
            case 'c': options.clients = std::stoi(optarg); break;
            case 'f': options.first = std::stoi(optarg); break;
            case 'r': options.rate = std::stoi(optarg); break;
            case 'k': options.keys = std::stoi(optarg); break;
            case 'l': options.slot_us = std::stoll(optarg) * 1'000'000; break;
            default: exit(64);
        }
    }
    if (options.history.empty() || options.rate < 1 || options.keys < 1 || options.slot_us < 1) {
        fprintf(stderr,
                "usage: assent-test-history --history FILE [--clients N] [--first N] [--rate N] [--seed N]\n"
                "                           [--keys N] [--slot SECONDS] [--sweep FILE]\n");
        exit(64);
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options = parse(argc, argv);
        signal(SIGTERM, [](int) { stop_asked = true; });
        return run(options);
    } catch (const std::exception& error) {
        fprintf(stderr, "%s: %s\n", kProgram, error.what());
        return 1;
    }
}
