// A daemon of the tests of assentctl: answers from a list, on a clock of its own that only moves when it is told to.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "ctl/session.h"

namespace assent::ctl {

class FakeChannel : public Channel {
  public:
    using Answer = std::function<pb::Reply(const pb::Request&)>;

    std::optional<Problem> open(TimePoint) override {
        opened++;
        if (problems.empty()) return std::nullopt;
        auto problem = problems.front();
        problems.pop_front();
        return problem;
    }
    std::optional<Client> client() const override { return identity; }
    pb::Reply call(const pb::Request& request, TimePoint deadline) override {
        requests.push_back(request);
        if (answers.empty()) {  // silence
            time = deadline;
            pb::Reply reply;
            reply.set_code(request.has_write() ? pb::UNKNOWN : pb::TIMED_OUT);
            reply.set_reason("the daemon did not answer in time");
            return reply;
        }
        Answer answer = answers.front();
        if (answers.size() > 1 || !repeat_last) answers.pop_front();
        return answer(request);
    }
    TimePoint now() const override { return time; }
    void pause(Clock::duration how_long) override { time += how_long; }

    void will(pb::Code code, const std::string& reason = "", uint64_t index = 0, const std::string& result = "") {
        answers.push_back([=](const pb::Request&) {
            pb::Reply reply;
            reply.set_code(code);
            reply.set_reason(reason);
            reply.set_index(index);
            reply.set_epoch(index ? 3 : 0);
            reply.set_result(result);
            return reply;
        });
    }
    TimePoint in(double seconds) const {
        return time + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }

    std::deque<std::optional<Problem>> problems;  // of open(), in order; then none
    std::deque<Answer> answers;
    bool repeat_last = false;
    std::optional<Client> identity = Client{12, 0x89abcdef01234567};
    std::vector<pb::Request> requests;
    int opened = 0;
    TimePoint time{std::chrono::hours(1)};
};

}  // namespace assent::ctl
