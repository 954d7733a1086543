// libassent's application role with a daemon that says anything, over several sessions: what the application is shown is
// what include/assent/assent.h promises, and what the daemon is told keeps to doc/application-protocol.md.
#include <fcntl.h>
#include <sys/stat.h>

#include <map>
#include <set>

#include "fuzz/input.h"
#include "fuzz/scripted_daemon.h"
#include "lib/attached.h"

namespace {

using namespace assent;
using lib::Attached;

// One session: what the daemon said in it, and so what it may hear.
struct Talk {
    struct Save {
        uint64_t chunk = 0, window = 0, sent = 0, taken = 0;
        bool again = false;  // one id for several: nothing is known of it
    };
    bool greeted = false, attach = false;
    std::multiset<std::pair<uint64_t, uint64_t>> asked;  // index, ask
    std::multiset<uint64_t> queries, pings, digests;
    std::map<uint64_t, Save> saves;
    std::set<uint64_t> loads;
    uint64_t given = 0, applied = 0;

    void said(const pb::ServerFrame& frame) {
        const pb::ToApplication& m = frame.application();
        switch (m.what_case()) {
            case pb::ToApplication::kPrepare: asked.emplace(m.prepare().index(), m.prepare().ask()); break;
            case pb::ToApplication::kConfirm: given = std::max(given, m.confirm().index()); break;
            case pb::ToApplication::kCancel: given = std::max(given, m.cancel().index()); break;
            case pb::ToApplication::kQuery: queries.insert(m.query().id()); break;
            case pb::ToApplication::kPing: pings.insert(m.ping().id()); break;
            case pb::ToApplication::kDigest: digests.insert(m.digest().index()); break;
            case pb::ToApplication::kSnapshotLoad: loads.insert(m.snapshot_load().id()); break;
            case pb::ToApplication::kSnapshotSave: {
                Save& save = saves[m.snapshot_save().id()];
                save.again = save.window != 0;
                save.chunk = std::max(save.chunk, uint64_t(m.snapshot_save().chunk_bytes()));
                save.window = std::max({uint64_t(m.snapshot_save().window_bytes()), save.chunk, uint64_t(1)});
                break;
            }
            case pb::ToApplication::kSnapshotTaken: {
                Save& save = saves[m.snapshot_taken().id()];
                save.taken = std::max(save.taken, m.snapshot_taken().bytes());
                break;
            }
            default: break;
        }
    }
    template <typename Set, typename Value> static void once(Set& set, const Value& value) {
        const auto it = set.find(value);
        ASSENT_ASSERT(it != set.end());
        set.erase(it);
    }
    void heard(const pb::FromApplication& m) {
        switch (m.what_case()) {
            case pb::FromApplication::kAccept: return once(asked, std::pair(m.accept().index(), m.accept().ask()));
            case pb::FromApplication::kReject: return once(asked, std::pair(m.reject().index(), m.reject().ask()));
            case pb::FromApplication::kAnswer: return once(queries, m.answer().id());
            case pb::FromApplication::kPong: return once(pings, m.pong().id());
            case pb::FromApplication::kDigest: return once(digests, m.digest().index());
            case pb::FromApplication::kApplied:
                ASSENT_ASSERT(m.applied().index() >= applied && m.applied().index() <= given);
                ASSENT_ASSERT(m.applied().durable() <= m.applied().index());
                applied = m.applied().index();
                break;
            case pb::FromApplication::kSnapshotChunk: return chunk(m.snapshot_chunk());
            case pb::FromApplication::kSnapshotEnd: ASSENT_ASSERT(saves.count(m.snapshot_end().id())); break;
            case pb::FromApplication::kSnapshotTaken: ASSENT_ASSERT(loads.count(m.snapshot_taken().id())); break;
            case pb::FromApplication::kSnapshotLoaded:
                ASSENT_ASSERT(loads.count(m.snapshot_loaded().id()));
                applied = 0;  // it may be an older state
                break;
            default: ASSENT_ASSERT(m.has_detach());
        }
    }
    void chunk(const pb::SnapshotChunk& c) {
        ASSENT_ASSERT(saves.count(c.id()));
        Save& save = saves[c.id()];
        if (save.again) return;
        ASSENT_ASSERT(c.offset() == save.sent && !c.data().empty());
        ASSENT_ASSERT(c.data().size() <= std::max<uint64_t>(save.chunk, 1));
        save.sent += c.data().size();
        ASSENT_ASSERT(save.sent - std::min(save.sent, save.taken) <= save.window);
    }
};

// The application: notes what it is shown.
struct Shown {
    struct Load {
        uint64_t token = 0, index = 0;
    };
    uint64_t delivered = 0;
    uint64_t last_token = 0;
    std::vector<uint64_t> asks, queries, saves;
    std::vector<Load> loads;
    int save_fd = -1;
    std::set<uint64_t> tokens;  // of snapshots

    static Shown& of(void* context) { return *static_cast<Shown*>(context); }
    void verdict(uint64_t index) {
        ASSENT_ASSERT(index > delivered);
        delivered = index;
    }
    void load(uint64_t token, int fd, uint64_t length, uint64_t index) {
        struct stat status {};
        ASSENT_ASSERT(tokens.insert(token).second);
        ASSENT_ASSERT(::fstat(fd, &status) == 0 && uint64_t(status.st_size) == length);
        ASSENT_ASSERT(::lseek(fd, 0, SEEK_CUR) == 0);
        loads.push_back({token, index});
    }
    static assent_model_v1_data_t model() {
        assent_model_v1_data_t m{};
        m.prepare = [](assent_handle_t, const assent_entry_t* e, void* c) {
            ASSENT_ASSERT(e->index > of(c).delivered && e->ask > of(c).last_token);
            of(c).last_token = e->ask;
            of(c).asks.push_back(e->ask);
        };
        m.confirm = [](assent_handle_t, const assent_entry_t* e, void* c) { of(c).verdict(e->index); };
        m.cancel = [](assent_handle_t, uint64_t index, const char*, void* c) { of(c).verdict(index); };
        m.withdraw = [](assent_handle_t, uint64_t, void*) {};
        m.query = [](assent_handle_t, uint64_t query, const void*, size_t, void* c) { of(c).queries.push_back(query); };
        m.role = [](assent_handle_t, int, uint64_t, void*) {};
        m.application = [](assent_handle_t, const assent_application_state_t* s, void*) {
            ASSENT_ASSERT(s->reason && (s->state == ASSENT_ATTACHED || s->code != pb::DONE));
        };
        m.snapshot_save = [](assent_handle_t, uint64_t token, int fd, void* c) {
            ASSENT_ASSERT(of(c).tokens.insert(token).second);
            of(c).saves.push_back(token);
            of(c).save_fd = fd;
        };
        m.snapshot_load = [](assent_handle_t, uint64_t token, int fd, uint64_t length, uint64_t index,
                             const assent_cluster_id_t*, void* c) { of(c).load(token, fd, length, index); };
        m.digest = [](assent_handle_t, uint64_t, void*) {};
        return m;
    }
};

class Library {
  public:
    Library(fuzz::ScriptedDaemon& daemon, uint64_t applied)
        : daemon_(daemon), attached_(owner_, model_, reactor_, events_, daemon.path(), "fuzz", "/tmp") {
        owner_.context = &shown_;
        attach(applied);
    }
    ~Library() { daemon_.close(); }

    void step(fuzz::Input& input) {
        const uint8_t what = input.byte();
        switch (what % 16) {
            case 0: return session(what & 16);
            case 1: return say(fuzz::framed(input.piece()));
            case 2: return say(input.piece());
            case 3:
            case 4:
            case 5:
            case 6:
            case 7: return say(well_formed(input));
            case 8: return dispatch(1);
            case 9: return dispatch(SIZE_MAX);
            case 10: daemon_.close(); break;
            case 11:
            case 12:
            case 13: act(what / 16, input); break;
            case 14: return attach_again(input.byte());
            default: break;
        }
        pump();
    }
    void end() {
        (void)attached_.detach();
        pump();
        dispatch(SIZE_MAX);
    }

  private:
    void pump() {
        reactor_.run_ready();
        attached_.tick(now_);
        attached_.flush();
        daemon_.hear([this](const pb::ClientFrame& frame) { heard(frame); });
    }
    void heard(const pb::ClientFrame& frame) {
        if (!talk_.greeted) {
            ASSENT_ASSERT(frame.has_hello() && frame.hello().protocol() == 1);
            talk_.greeted = true;
        } else if (!talk_.attach) {
            ASSENT_ASSERT(frame.has_attach() && frame.attach().durable() <= frame.attach().applied());
            talk_.attach = true;
            talk_.given = std::max(talk_.given, frame.attach().applied());
            talk_.applied = frame.attach().applied();
        } else {
            ASSENT_ASSERT(frame.has_application());
            talk_.heard(frame.application());
        }
    }
    void dispatch(size_t calls) {
        pump();
        while (calls > 0 && !events_.empty()) {
            const lib::Event event = events_.pop();
            if (event.begin && !event.begin()) continue;
            event.run();
            --calls;
        }
        pump();
    }

    // ---- the daemon

    // Time passes until the library dials; up to Attach's answer if that is wanted.
    void session(bool attached) {
        pump();
        now_ += std::chrono::seconds(2);
        pump();
        if (!daemon_.accept()) return;
        talk_ = Talk();
        pb::ServerFrame frame;
        frame.mutable_hello()->set_protocol(1);
        say(fuzz::framed(frame.SerializeAsString()));
        if (!attached) return;
        frame.mutable_attach()->set_next(attached_.applied_index() + 1);
        say(fuzz::framed(frame.SerializeAsString()));
    }
    void say(std::string_view bytes) {
        daemon_.say(bytes, [this](const pb::ServerFrame& frame) { talk_.said(frame); });
        pump();
    }
    static std::string well_formed(fuzz::Input& input);

    // ---- the application

    void attach(uint64_t applied) {
        const assent_cluster_id_t cluster{1, 2};
        if (attached_.attach("jobs", applied, applied ? cluster : assent_cluster_id_t{}, now_) == CS_OK)
            shown_.delivered = applied;
    }
    void attach_again(uint64_t applied) {
        if (attached_.wanted()) ASSENT_ASSERT(attached_.detach() == CS_OK);
        pump();
        attach(applied);
    }
    static uint64_t one_of(const std::vector<uint64_t>& tokens, uint8_t which) {
        return tokens.empty() ? which : tokens[which % tokens.size()];
    }
    void act(uint8_t what, fuzz::Input& input) {
        const uint8_t which = input.byte();
        switch (what % 8) {
            case 0: (void)attached_.accept(one_of(shown_.asks, which)); break;
            case 1: (void)attached_.reject(one_of(shown_.asks, which), "no"); break;
            case 2: (void)attached_.applied(shown_.delivered, which, "result", which % 7); break;
            case 3: (void)attached_.applied(which, input.byte(), nullptr, 0); break;
            case 4:
                (void)attached_.answer(one_of(shown_.queries, which), which & 64 ? "why" : nullptr, "answer", 6);
                break;
            case 5: saved(which, input); break;
            case 6: loaded(which, input.byte() & 1); break;
            default: (void)attached_.digest(which, which); break;
        }
    }
    void saved(uint8_t which, fuzz::Input& input) {
        const uint64_t token = one_of(shown_.saves, which);
        const std::string_view state = input.piece();
        // Only the newest has a file that is surely open.
        const bool newest = !shown_.saves.empty() && token == shown_.saves.back();
        const int fd = newest ? std::exchange(shown_.save_fd, -1) : -1;
        if (fd >= 0) ASSENT_ASSERT(::write(fd, state.data(), state.size()) == ssize_t(state.size()));
        (void)attached_.snapshot_saved(token, which, which & 64 ? "why" : nullptr);
    }
    void loaded(uint8_t which, bool failed) {
        if (shown_.loads.empty()) return;
        const Shown::Load load = shown_.loads[which % shown_.loads.size()];
        if (attached_.snapshot_loaded(load.token, failed ? "why" : nullptr, now_) == CS_OK && !failed)
            shown_.delivered = load.index;
    }

    fuzz::ScriptedDaemon& daemon_;
    lib::Owner owner_;
    const assent_model_v1_data_t model_ = Shown::model();
    lib::Reactor reactor_;
    lib::Events events_;
    Shown shown_;
    Talk talk_;
    lib::Time now_ = lib::Clock::now();
    Attached attached_;
};

std::string Library::well_formed(fuzz::Input& input) {
    pb::ServerFrame frame;
    pb::ToApplication& m = *frame.mutable_application();
    const uint8_t what = input.byte();
    const uint64_t number = input.byte();
    const auto text = [&] { return std::string(input.piece()); };
    switch (what % 16) {
        case 0: m.mutable_joined()->set_cluster_high(number); break;
        case 1:
            m.mutable_prepare()->set_index(number);
            m.mutable_prepare()->set_ask(input.byte());
            m.mutable_prepare()->set_data(text());
            break;
        case 2:
        case 3:
            m.mutable_confirm()->set_index(number);
            m.mutable_confirm()->set_data(text());
            break;
        case 4: m.mutable_cancel()->set_index(number); break;
        case 5: m.mutable_withdraw()->set_from(number); break;
        case 6:
            m.mutable_query()->set_id(number);
            m.mutable_query()->set_data(text());
            break;
        case 7: m.mutable_role()->set_master(number & 1); break;
        case 8: m.mutable_ping()->set_id(number); break;
        case 9:
            m.mutable_snapshot_save()->set_id(number);
            m.mutable_snapshot_save()->set_chunk_bytes(input.byte());
            m.mutable_snapshot_save()->set_window_bytes(input.byte());
            break;
        case 10:
            m.mutable_snapshot_load()->set_id(number);
            m.mutable_snapshot_load()->set_index(input.byte());
            m.mutable_snapshot_load()->set_bytes(input.byte());
            break;
        case 11:
            m.mutable_snapshot_chunk()->set_id(number);
            m.mutable_snapshot_chunk()->set_offset(input.byte());
            m.mutable_snapshot_chunk()->set_data(text());
            break;
        case 12:
            m.mutable_snapshot_end()->set_id(number);
            m.mutable_snapshot_end()->set_code(what & 16 ? pb::OTHER_ERROR : pb::DONE);
            break;
        case 13:
            m.mutable_snapshot_taken()->set_id(number);
            m.mutable_snapshot_taken()->set_bytes(input.byte());
            break;
        case 14:
            if (what & 16)
                m.mutable_digest()->set_index(number);
            else
                m.mutable_snapshot_abort()->set_id(number);
            break;
        default: m.mutable_detach()->set_code(what & 16 ? pb::BUSY : pb::BAD_REQUEST); break;
    }
    return fuzz::framed(frame.SerializeAsString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::ScriptedDaemon daemon;
    fuzz::Input input(data, size);
    Library library(daemon, input.byte() % 4);
    while (!input.empty()) library.step(input);
    library.end();
    return 0;
}
