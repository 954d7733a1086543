// assentctl with a daemon that replies anything: it ends, calls nothing "not done" that may have been done, and what it
// prints is harmless to a terminal or, with --output json, JSON.
#include <deque>

#include "core/assert.h"
#include "ctl/commands.h"
#include "fuzz/input.h"

namespace {

using namespace assent;
using namespace assent::ctl;

class Answers : public Channel {
  public:
    explicit Answers(std::deque<std::string> replies) : replies_(std::move(replies)) {}

    std::optional<Problem> open(TimePoint) override { return std::nullopt; }
    std::optional<ctl::Client> client() const override { return std::nullopt; }
    pb::Reply call(const pb::Request& request, TimePoint) override {
        pb::Reply reply;
        reply.set_code(pb::NOT_REACHABLE);
        if (!replies_.empty()) {
            const std::string bytes = std::move(replies_.front());
            replies_.pop_front();
            if (!reply.ParseFromString(bytes)) reply.set_code(pb::UNKNOWN);
        }
        if (request.has_write() && exit_of(reply.code()) == Exit::unknown) in_doubt_ = true;
        return reply;
    }
    TimePoint now() const override { return now_; }
    void pause(Clock::duration how_long) override { now_ += how_long; }
    bool in_doubt() const { return in_doubt_; }

  private:
    std::deque<std::string> replies_;
    TimePoint now_;
    bool in_doubt_ = false;
};

Options options_from(fuzz::Input& input) {
    Options options;
    options.verb = Verb(input.byte() % 12);
    const uint8_t flags = input.byte();
    options.form = flags & 1 ? Form::json : Form::text;
    options.raw = flags & 2;
    options.keys_only = flags & 4;
    options.create = flags & 8;
    options.remove = flags & 16;
    options.local = flags & 32;
    options.limit = flags & 64 ? 3 : 0;
    options.key = input.piece();
    options.value = input.piece();
    options.client = input.piece();
    options.sequence = 1;
    return options;
}

void check_harmless(const std::string& text) {
    for (const char c : text) ASSENT_ASSERT(c == '\n' || c == '\t' || (uint8_t(c) >= 0x20 && c != 0x7f));
    ASSENT_ASSERT(is_utf8(text));
}

void check_client_text(const std::string& text) {
    const std::optional<ctl::Client> client = client_of(text);
    if (client) ASSENT_ASSERT(client_of(text_of(*client)) == client);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    const Options options = options_from(input);
    check_client_text(options.client);
    const std::string standard_input(input.piece());
    std::deque<std::string> replies;
    while (!input.empty()) replies.emplace_back(input.piece());
    Answers answers(std::move(replies));
    Context context{answers, answers.now() + std::chrono::seconds(5), false, [&] { return standard_input; }};
    const Printed printed = run(options, context);
    check_harmless(printed.err);
    const bool verbatim =
        options.raw || options.verb == Verb::write || options.verb == Verb::read || options.verb == Verb::get;
    if (options.form == Form::json && !options.raw && options.verb != Verb::read)
        ASSENT_ASSERT(printed.out.empty() || !Json::parse(printed.out, nullptr, false).is_discarded());
    else if (!verbatim)
        check_harmless(printed.out);
    const Exit code = printed.code;
    if (answers.in_doubt())
        ASSENT_ASSERT(code != Exit::busy && code != Exit::no_master && code != Exit::no_majority &&
                      code != Exit::unreachable && code != Exit::timed_out);
    return 0;
}
