#include "bench/load.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "app/kv/kv_requests.h"
#include "bench/cpu.h"

namespace assent::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit(5000);
constexpr milliseconds kReconnectLimit(200);
constexpr milliseconds kQuietAfterError(5);
constexpr milliseconds kQuietAfterLoss(100);
constexpr milliseconds kNoProgressLimit(30'000);
constexpr uint64_t kRequestLimitMs = 10'000;
constexpr size_t kMaxQueuedBytes = 8u << 20;
constexpr int kRounds = 4;
constexpr size_t kBlobBytes = 1u << 20;

int64_t nanoseconds(std::chrono::steady_clock::duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

}  // namespace

Load::Load(const Options& options) : options_(options), random_state_(options.seed * 0x9e3779b97f4a7c15ULL | 1) {
    blob_.resize(kBlobBytes + options_.value_size);
    for (char& c : blob_) c = static_cast<char>(random() >> 32);
    for (uint32_t i = 0; i < options_.connections; i++) {
        Link link;
        link.where = options_.daemons[i % options_.daemons.size()];
        link.quota = options_.outstanding / options_.connections + (i < options_.outstanding % options_.connections);
        links_.push_back(std::move(link));
    }
}

Load::~Load() = default;

// xorshift64: quick, and the same on every machine.
uint64_t Load::random() {
    random_state_ ^= random_state_ << 13;
    random_state_ ^= random_state_ >> 7;
    random_state_ ^= random_state_ << 17;
    return random_state_;
}

std::string Load::key_name(uint32_t key) const {
    char name[32];
    std::snprintf(name, sizeof name, "bench/%09u", key);
    return name;
}

std::string Load::value() { return blob_.substr(random() % kBlobBytes, options_.value_size); }

void Load::connect() {
    for (Link& link : links_) {
        Connected c = Client::connect(link.where, options_.group, "assent-bench", deadline_in(kConnectLimit));
        if (c.code != pb::DONE) throw Failure(c.reason, c.code);
        link.client = std::move(c.client);
    }
}

void Load::reconnect(Link& link, TimePoint now) {
    for (pb::Reply reply; link.client->take(reply);) answered(link, reply, now);
    link.sent.clear();
    Connected c = Client::connect(link.where, options_.group, "assent-bench", deadline_in(kReconnectLimit));
    if (c.code != pb::DONE) {
        link.quiet_until = now + kQuietAfterLoss;
        return;
    }
    link.client = std::move(c.client);
    link.lost = false;
    measured_.reconnects++;
}

void Load::submit(Link& link, TimePoint now, bool put, uint32_t key) {
    pb::Request request =
        put ? link.client->write(kv::encode_put(key_name(key), value()))
            : link.client->read(kv::encode_get(key_name(key)), options_.local ? pb::LEVEL_LOCAL : pb::LEVEL_MASTER);
    request.set_deadline_ms(kRequestLimitMs);
    uint64_t sequence = request.sequence();
    link.sent[link.client->submit(std::move(request))] = {now, put, sequence, key};
}

void Load::fill(Link& link, TimePoint now) {
    while (link.sent.size() < link.quota && link.client->queued() < kMaxQueuedBytes) {
        if (loading_) {
            if (to_load_.empty()) return;
            submit(link, now, true, to_load_.front());
            to_load_.pop_front();
            continue;
        }
        bool put =
            options_.operation == Operation::put ||
            (options_.operation == Operation::mix && static_cast<double>(random() >> 11) * 0x1p-53 < options_.ratio);
        submit(link, now, put, static_cast<uint32_t>(random() % options_.keys));
    }
}

void Load::failed(Link& link, int code, const std::string& reason, TimePoint now) {
    if (measured_.errors.empty()) measured_.first_error = reason;
    measured_.errors[code]++;
    link.quiet_until = std::max(link.quiet_until, now + kQuietAfterError);
}

void Load::answered(Link& link, const pb::Reply& reply, TimePoint now) {
    auto it = link.sent.find(reply.id());
    if (it == link.sent.end()) return;
    Sent sent = it->second;
    link.sent.erase(it);
    if (sent.put) link.client->settled(sent.sequence);
    int code = reply.code();
    if (code == pb::DONE && !sent.put) {
        auto answer = kv::decode_get(reply.result());
        if (!answer) code = pb::OTHER_ERROR;
        if (answer && !answer->value) code = pb::NO_SUCH_KEY;
    }
    if (loading_) {
        if (code == pb::BAD_REQUEST || code == pb::NOT_PERMITTED) throw Failure(reply.reason(), code);
        if (code == pb::DONE)
            loaded_++;
        else
            to_load_.push_back(sent.key);
    }
    if (code != pb::DONE) return failed(link, code, reply.reason(), now);
    Tally& tally = sent.put ? measured_.puts : measured_.gets;
    tally.done++;
    if (sent.at >= window_began_) tally.latency.record(static_cast<uint64_t>(nanoseconds(now - sent.at)));
}

// What comes in, then what that lets go out. True: there is more to do at once.
bool Load::serve(Link& link, TimePoint now) {
    if (link.lost) {
        if (now < link.quiet_until) return false;
        reconnect(link, now);
        if (link.lost) return false;
    }
    for (int round = 0; round < kRounds; round++) {
        if (!link.client->pump()) {
            link.lost = true;
            return true;
        }
        for (pb::Reply reply; link.client->take(reply);) answered(link, reply, now);
        size_t before = link.sent.size();
        if (now >= link.quiet_until) fill(link, now);
        if (link.sent.size() == before) return false;
    }
    return true;
}

void Load::pass(TimePoint until) {
    TimePoint now = Clock::now();
    bool more = false;
    for (Link& link : links_) more |= serve(link, now);
    std::vector<pollfd> wait;
    for (const Link& link : links_) {
        if (now < link.quiet_until) until = std::min(until, link.quiet_until);
        if (link.lost) continue;
        wait.push_back({link.client->fd(), static_cast<short>(POLLIN | (link.client->queued() ? POLLOUT : 0)), 0});
    }
    auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    ::poll(wait.data(), wait.size(), more ? 0 : static_cast<int>(std::clamp<int64_t>(left, 0, 1000)));
}

void Load::write_all_keys() {
    loading_ = true;
    for (uint32_t key = 0; key < options_.keys; key++) to_load_.push_back(key);
    TimePoint progress = Clock::now();
    for (uint64_t before = 0; loaded_ < options_.keys;) {
        pass(Clock::now() + milliseconds(100));
        if (loaded_ != before) {
            before = loaded_;
            progress = Clock::now();
        } else if (Clock::now() - progress > kNoProgressLimit) {
            std::string why = measured_.first_error.empty() ? "nothing was answered" : measured_.first_error;
            throw Failure("writing the keys before the measurement came to a halt: " + why + "; see assentctl status");
        }
    }
    loading_ = false;
}

Measured Load::run(double seconds) {
    measured_ = Measured{};
    double cpu = own_cpu_seconds();
    window_began_ = Clock::now();
    TimePoint end = window_began_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (Clock::now() < end) pass(end);
    measured_.seconds = static_cast<double>(nanoseconds(Clock::now() - window_began_)) * 1e-9;
    measured_.own_cpu = own_cpu_seconds() - cpu;
    return std::move(measured_);
}

}  // namespace assent::bench
