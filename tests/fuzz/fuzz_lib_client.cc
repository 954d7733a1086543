// libassent's client role with a daemon that says anything, over several sessions: every request ends once, by what the
// daemon said or by its time; no write that a master may have is called "not done"; one write id is always of one write.
#include <deque>
#include <map>
#include <set>

#include "fuzz/input.h"
#include "fuzz/scripted_daemon.h"
#include "lib/requests.h"
#include "lib/watches.h"

namespace {

using namespace assent;

constexpr std::chrono::seconds kDeadline{10};

// What the daemon said and heard. Requests keep their id over all sessions.
struct Talk {
    using WriteId = std::tuple<uint64_t, uint64_t, uint64_t>;
    bool greeted = false;
    std::set<uint64_t> unanswered;  // of this session
    std::set<uint64_t> writes;
    std::set<uint64_t> doubtful;  // writes that a lost session had, and no reply
    std::map<uint64_t, std::set<int>> replies;
    std::map<WriteId, std::string> content;
    std::set<uint64_t> randoms;
    bool ids_repeat = false;  // the daemon gave a client id twice: there is nothing to keep to

    void lost() {
        for (uint64_t id : unanswered) {
            if (writes.count(id)) doubtful.insert(id);
        }
        unanswered.clear();
        greeted = false;
    }
    void said(const pb::ServerFrame& frame) {
        const bool hello = frame.has_hello();
        const uint64_t random = hello ? frame.hello().client().random() : frame.reply().client().random();
        if (random && !randoms.insert(random).second) ids_repeat = true;
        if (!frame.has_reply()) return;
        unanswered.erase(frame.reply().id());
        replies[frame.reply().id()].insert(frame.reply().code());
    }
    void heard(const pb::ClientFrame& frame) {
        if (!greeted) {
            ASSENT_ASSERT(frame.has_hello() && frame.hello().group() == "kv");
            greeted = true;
            return;
        }
        ASSENT_ASSERT(frame.has_request() || frame.has_watch_taken() || frame.has_watch_stop());
        if (!frame.has_request()) return;
        const pb::Request& r = frame.request();
        ASSENT_ASSERT(r.group() == "kv" && unanswered.insert(r.id()).second);
        if (!r.has_write()) return;
        writes.insert(r.id());
        ASSENT_ASSERT(r.sequence() > 0 && r.first_unanswered() > 0 && r.first_unanswered() <= r.sequence());
        const WriteId id(r.client().birth(), r.client().random(), r.sequence());
        const auto known = content.emplace(id, r.write().data()).first;
        ASSENT_ASSERT(ids_repeat || known->second == r.write().data());
    }
    void ended(uint64_t id, const lib::Reply& reply) {
        const auto was_said = [&](pb::Code code) { return replies.count(id) && replies[id].count(code); };
        switch (reply.outcome) {
            case ASSENT_CONFIRMED: ASSENT_ASSERT(was_said(pb::DONE) || was_said(pb::UNKNOWN)); break;
            case ASSENT_CANCELLED: ASSENT_ASSERT(was_said(pb::CANCELLED)); break;
            case ASSENT_ANSWERED: ASSENT_ASSERT(was_said(pb::DONE) && !writes.count(id)); break;
            case ASSENT_NOT_DONE: ASSENT_ASSERT(!doubtful.count(id)); break;
            case ASSENT_UNKNOWN: break;
        }
        ASSENT_ASSERT(reply.outcome != ASSENT_UNKNOWN || reply.code == pb::UNKNOWN);
    }
};

// One watch as the caller sees it.
struct Watched {
    uint64_t id = 0;
    uint64_t from = 0;
    bool over = false;

    static void shown(assent_handle_t, const assent_watched_t* w, void* user) {
        Watched& self = *static_cast<Watched*>(user);
        ASSENT_ASSERT(!self.over && w->reason);
        if (w->event == ASSENT_WATCH_WRITE)
            ASSENT_ASSERT(w->index >= self.from);
        else if (w->event == ASSENT_WATCH_UPTO)
            self.from = std::max(self.from, w->index + 1);
        else
            self.over = true;
    }
};

class Library {
  public:
    explicit Library(fuzz::ScriptedDaemon& daemon)
        : daemon_(daemon), session_(reactor_, daemon.path(), "kv", "fuzz", hooks()),
          requests_(reactor_, session_, "kv", {4, 100}, [] {}),
          watches_(owner_, reactor_, session_, requests_, events_, "kv") {
        session_.start(now_);
    }
    ~Library() { close(); }

    void step(fuzz::Input& input) {
        const uint8_t what = input.byte();
        switch (what % 16) {
            case 0:
            case 1: return session(input.byte());
            case 2: return say(fuzz::framed(input.piece()));
            case 3: return say(input.piece());
            case 4:
            case 5:
            case 6: return reply(input);
            case 7: return watched(input);
            case 8:
            case 9:
            case 10: return submit(what / 16, input.piece());
            case 11: return watch(what & 16, input.byte());
            case 12: return close();
            case 13: now_ += std::chrono::milliseconds(20 * input.byte()); return pump();
            case 14: return dispatch();
            default: return pump();
        }
    }
    void end() {
        now_ += 2 * kDeadline;
        pump();
        pump();
        ASSENT_ASSERT(open_ == 0 && requests_.outstanding() == 0 && requests_.bytes() == 0);
        dispatch();
    }

  private:
    // As Handle's.
    lib::Session::Hooks hooks() {
        return {[this](const pb::HelloReply& hello) {
                    if (requests_.on_up(hello, now_)) watches_.on_up();
                },
                [this](pb::ServerFrame&& frame, size_t) {
                    if (frame.has_watched())
                        watches_.on_watched(frame.watched());
                    else if (!frame.has_reply())
                        session_.fail(pb::OTHER_ERROR, "the daemon sent what does not belong into a client's session");
                    else if (!watches_.on_reply(frame.reply(), now_))
                        requests_.on_reply(std::move(*frame.mutable_reply()), now_);
                },
                [this](bool, pb::Code code, const std::string& reason) {
                    requests_.on_down(code, reason);
                    watches_.on_down();
                }};
    }
    void pump() {
        reactor_.run_ready();
        session_.tick(now_);
        requests_.tick(now_);
        watches_.tick(now_);
        requests_.fill(now_);
        session_.flush();
        daemon_.hear([this](const pb::ClientFrame& frame) { talk_.heard(frame); });
    }
    void dispatch() {
        pump();
        while (!events_.empty()) {
            const lib::Event event = events_.pop();
            if (!event.begin || event.begin()) event.run();
        }
        pump();
    }

    // ---- the daemon

    void session(uint8_t what) {
        pump();
        now_ += std::chrono::milliseconds(1'500);
        pump();
        if (!daemon_.accept()) return;
        talk_.lost();
        pb::ServerFrame frame;
        pb::HelloReply& hello = *frame.mutable_hello();
        hello.set_protocol(1);
        hello.set_cluster_high(what % 4);
        hello.mutable_client()->set_random(what & 4 ? 0 : ++randoms_ << 32);
        say(fuzz::framed(frame.SerializeAsString()));
    }
    void close() {
        daemon_.hear([this](const pb::ClientFrame& frame) { talk_.heard(frame); });
        daemon_.close();
        talk_.lost();
        pump();
    }
    void say(std::string_view bytes) {
        daemon_.say(bytes, [this](const pb::ServerFrame& frame) { talk_.said(frame); });
        pump();
    }
    void reply(fuzz::Input& input) {
        static const pb::Code codes[] = {pb::DONE,      pb::UNKNOWN,       pb::BUSY,        pb::CANCELLED,
                                         pb::NO_MASTER, pb::BAD_REQUEST,   pb::OTHER_ERROR, pb::TIMED_OUT,
                                         pb::USAGE,     pb::NOT_PERMITTED, pb::NO_SUCH_KEY, pb::NO_MAJORITY};
        const uint8_t what = input.byte();
        pb::ServerFrame frame;
        pb::Reply& r = *frame.mutable_reply();
        const auto& open = talk_.unanswered;
        r.set_id(open.empty() || what & 128 ? what % 32 : *std::next(open.begin(), what / 16 % int(open.size())));
        r.set_code(codes[what % 16 % 12]);
        r.set_index(input.byte());
        if (what & 64) r.mutable_client()->set_random(++randoms_ << 32);
        say(fuzz::framed(frame.SerializeAsString()));
    }
    void watched(fuzz::Input& input) {
        pb::ServerFrame frame;
        pb::Watched& w = *frame.mutable_watched();
        w.set_id(input.byte());
        for (int n = input.byte() % 4; n > 0; --n) {
            w.add_writes()->set_index(input.byte());
            w.mutable_writes(w.writes_size() - 1)->set_data(std::string(input.piece()));
        }
        w.set_upto(input.byte());
        say(fuzz::framed(frame.SerializeAsString()));
    }

    // ---- the caller

    void submit(uint8_t what, std::string_view data) {
        if (!requests_.admit(data.size())) return;
        pb::Request request;
        if (what % 4 == 0)
            request.mutable_read()->set_query(std::string(data));
        else if (what % 4 == 1)
            request.mutable_outcome()->set_sequence(7);
        else
            request.mutable_write()->set_data(std::string(data) + std::to_string(submitted_));
        // The next id is the request's.
        const auto id = std::make_shared<uint64_t>(0);
        ++open_;
        ++submitted_;
        requests_.submit(std::move(request), data.size(), now_ + kDeadline, [this, id](const lib::Reply& reply) {
            ASSENT_ASSERT(*id && open_ > 0);
            --open_;
            talk_.ended(std::exchange(*id, 0), reply);
        });
        *id = requests_.fresh_id() - 1;
        pump();
    }
    void watch(bool add, uint8_t number) {
        if (add && watched_.size() < 8) {
            Watched& w = watched_.emplace_back();
            w.from = number;
            w.id = watches_.add(number, &Watched::shown, &w);
        } else if (!watched_.empty()) {
            Watched& w = watched_[number % watched_.size()];
            (void)watches_.remove(w.id);
            w.over = true;
        }
        pump();
    }

    fuzz::ScriptedDaemon& daemon_;
    lib::Owner owner_;
    lib::Reactor reactor_;
    lib::Events events_;
    Talk talk_;
    std::deque<Watched> watched_;
    lib::Time now_ = lib::Clock::now();
    uint64_t randoms_ = 0, submitted_ = 0;
    size_t open_ = 0;
    lib::Session session_;
    lib::Requests requests_;
    lib::Watches watches_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::ScriptedDaemon daemon;
    fuzz::Input input(data, size);
    Library library(daemon);
    while (!input.empty()) library.step(input);
    library.end();
    return 0;
}
