#include "corosync/control.h"

#include <corosync/corotypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/clock.h"
#include "base/log.h"
#include "corosync/status.h"

namespace assent {

namespace {

constexpr int64_t kDelayMinUs = 50'000;
constexpr int64_t kDelayMaxUs = 1'000'000;
constexpr int64_t kNeverUs = std::numeric_limits<int64_t>::max();
// No std::string: a thread that is left behind may outlive it.
constexpr char kStatusPrefix[] = "runtime.assent.";

int64_t back_off(int64_t& delay) {
    delay = std::clamp(delay * 2, kDelayMinUs, kDelayMaxUs);
    return delay;
}

}  // namespace

Control::Control(Loop& loop, ControlEvents events, std::shared_ptr<Quorum> quorum, std::weak_ptr<void> alive)
    : events_(std::move(events)), quorum_(std::move(quorum)), alive_(std::move(alive)), loop_(&loop) {}

void Control::start() {
    // Signals are the loop's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([self = shared_from_this()] { self->run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool Control::stop(std::chrono::milliseconds limit) {
    if (!thread_.joinable()) return true;
    std::unique_lock lock(mutex_);
    stop_ = true;
    loop_ = nullptr;
    wake_.signal();
    const bool ended = ended_changed_.wait_for(lock, limit, [this] { return ended_; });
    lock.unlock();
    if (ended)
        thread_.join();
    else
        thread_.detach();
    return ended;
}

void Control::add_group(std::shared_ptr<Cpg> group) {
    tell([this, group = std::move(group)] { groups_.push_back({group, std::nullopt, 0, 0}); });
}

void Control::publish(StatusKeys keys) {
    tell([this, keys = std::move(keys)]() mutable { publisher_.want(std::move(keys)); });
}

void Control::lost() {
    tell([this] { lose(CS_ERR_LIBRARY); });
}

void Control::tell(std::function<void()> call) {
    {
        std::lock_guard lock(mutex_);
        calls_.push_back(std::move(call));
    }
    wake_.signal();
}

void Control::post(std::function<void()> call) {
    std::lock_guard lock(mutex_);
    if (!loop_) return;
    loop_->post([alive = alive_, call = std::move(call)] {
        if (!alive.expired()) call();
    });
}

void Control::run() {
    ::pthread_setname_np(::pthread_self(), "corosync");
    for (;;) {
        take_calls();
        {
            std::lock_guard lock(mutex_);
            if (stop_) break;
        }
        step(raw_now_us());
        wait(raw_now_us());
    }
    shut();
    std::lock_guard lock(mutex_);
    ended_ = true;
    ended_changed_.notify_all();
}

void Control::take_calls() {
    wake_.drain();
    std::vector<std::function<void()>> calls;
    {
        std::lock_guard lock(mutex_);
        calls.swap(calls_);
    }
    for (auto& call : calls) call();
}

void Control::step(int64_t now) {
    if (state_ == State::down && now >= retry_us_) connect(now);
    // Any of these may find corosync gone.
    if (state_ == State::up) join(now);
    if (state_ == State::up) refresh(now);
    if (state_ == State::up) write_status(now);
    if (state_ == State::up) answer_shutdown(now);
}

void Control::connect(int64_t now) {
    const int e = connect_all();
    if (e == CS_OK) return come_up();
    complain("corosync", e);
    if (cs_status(e) != Cs::again) close_own();  // what is open may be of a corosync that died meanwhile
    retry_us_ = now + back_off(delay_us_);
}

int Control::connect_all() {
    int e = CS_OK;
    if (cmap_.fd() < 0) e = cmap_.open();
    if (e == CS_OK) e = cmap_.read_votequorum(with_votequorum_);
    if (e == CS_OK && with_votequorum_ && votequorum_.fd() < 0) e = votequorum_.open();
    if (e == CS_OK && cfg_.fd() < 0) e = cfg_.open();
    if (e == CS_OK) e = read_all(section_, cluster_);
    if (e != CS_OK) return e;
    // Last, so that nothing that still may fail follows it.
    QuorumConnection quorum;
    e = quorum_->open(quorum);
    if (e != CS_OK) return e;
    quorum_handle_ = quorum.handle;
    post([this, section = section_, cluster = cluster_, quorum] {
        events_.on_config(section);
        events_.on_cluster(cluster);
        events_.on_up();
        quorum_->adopt(quorum);
    });
    return CS_OK;
}

void Control::come_up() {
    state_ = State::up;
    delay_us_ = 0;
    ASSENT_NOTICE("connected to corosync: cluster %s, node %u, %zu in the nodelist", cluster_.name.c_str(),
                  cluster_.local.value, cluster_.nodes.size());
    complaint_.clear();
    if (!with_votequorum_)
        ASSENT_WARNING(
            "corosync has no quorum provider: every partition counts as quorate; set quorum { provider: "
            "corosync_votequorum } in corosync.conf");
    stale_ = false;
    shutdown_us_.reset();
    publisher_.forget();
    std::vector<std::string> keys;  // of a run that did not end well
    if (cmap_.list(kStatusPrefix, keys) == CS_OK)
        for (const std::string& key : keys) cmap_.remove(key);
    for (Group& group : groups_) group.retry_us = group.delay_us = 0;
}

void Control::join(int64_t now) {
    for (Group& group : groups_) {
        if (group.handle || now < group.retry_us) continue;
        CpgConnection connection;
        const int e = group.cpg->open(connection);
        if (cs_status(e) == Cs::dead) return lose(e);
        if (e != CS_OK) {
            if (cs_status(e) != Cs::again) complain("group " + group.cpg->group(), e);
            group.retry_us = now + back_off(group.delay_us);
            continue;
        }
        group.handle = connection.handle;
        group.delay_us = 0;
        complaint_.clear();
        post([cpg = group.cpg, connection] { cpg->adopt(connection); });
    }
}

void Control::refresh(int64_t now) {
    if (cmap_.take_changed()) stale_ = true;
    if (votequorum_.take_changed()) stale_ = true;
    if (!stale_ || now < refresh_us_) return;
    Section section;
    Cluster cluster;
    const int e = read_all(section, cluster);
    if (cs_status(e) == Cs::dead) return lose(e);
    if (e != CS_OK) {
        refresh_us_ = now + kDelayMinUs;
        return;
    }
    stale_ = false;
    if (section != section_) post([this, section] { events_.on_config(section); });
    if (cluster != cluster_) post([this, cluster] { events_.on_cluster(cluster); });
    section_ = std::move(section);
    cluster_ = std::move(cluster);
}

int Control::read_all(Section& section, Cluster& cluster) {
    section.clear();
    int e = cmap_.read_section(section);
    if (e == CS_OK) e = cmap_.read_cluster(cluster);
    if (e != CS_OK || !with_votequorum_) return e;
    votequorum_.take_changed();
    for (Node& node : cluster.nodes) {
        e = votequorum_.read_votes(node.id, node.votes);
        if (e != CS_OK) return e;
    }
    return CS_OK;
}

void Control::write_status(int64_t now) {
    for (const Publisher::Step& step : publisher_.take(now)) {
        if (!valid_status_key(step.key)) continue;
        const std::string key = std::string(kStatusPrefix) + step.key;
        const int e = step.value ? cmap_.set(key, *step.value) : cmap_.remove(key);
        if (cs_status(e) == Cs::dead) return lose(e);
        if (e != CS_OK) ASSENT_DEBUG("cannot write the status key %s: %s", key.c_str(), cs_text(e).c_str());
    }
}

void Control::answer_shutdown(int64_t now) {
    if (cfg_.take_asked() && !shutdown_us_) {
        ASSENT_NOTICE("corosync is asked to stop");
        shutdown_us_ = now + kShutdownUs;
        post([this] {
            events_.on_shutdown([self = weak_from_this()] {
                if (auto control = self.lock())
                    control->tell([c = control.get()] {
                        if (c->shutdown_us_) c->shutdown_us_ = 0;
                    });
            });
        });
    }
    if (!shutdown_us_ || now < *shutdown_us_) return;
    const int e = cfg_.allow_shutdown();
    if (cs_status(e) == Cs::again) {
        shutdown_us_ = now + kDelayMinUs;
        return;
    }
    shutdown_us_.reset();
    if (cs_status(e) == Cs::dead) lose(e);
}

void Control::lose(int cs_error) {
    if (state_ != State::up) return;
    complain("corosync", cs_error);
    state_ = State::releasing;
    close_own();
    post([this, self = shared_from_this()] {
        events_.on_release();
        tell([this] { closed(); });
    });
}

// The loop holds no handle any more.
void Control::closed() {
    if (quorum_handle_) Quorum::close(*quorum_handle_);
    quorum_handle_.reset();
    for (Group& group : groups_) {
        if (group.handle) Cpg::close(*group.handle);
        group.handle.reset();
    }
    state_ = State::down;
    retry_us_ = raw_now_us() + back_off(delay_us_);
}

void Control::close_own() {
    cmap_.close();
    votequorum_.close();
    cfg_.close();
}

void Control::complain(const std::string& what, int cs_error) {
    const std::string text = what + ": " + cs_text(cs_error);
    if (text == complaint_) return;
    complaint_ = text;
    ASSENT_WARNING("%s; trying again until it works", text.c_str());
}

void Control::wait(int64_t now) {
    int64_t due = kNeverUs;
    if (state_ == State::down) due = retry_us_;
    if (state_ == State::up) {
        for (const Group& group : groups_)
            if (!group.handle) due = std::min(due, group.retry_us);
        if (stale_) due = std::min(due, refresh_us_);
        if (shutdown_us_) due = std::min(due, *shutdown_us_);
        due = std::min(due, publisher_.due_us().value_or(kNeverUs));
    }
    const bool up = state_ == State::up;
    const auto watched = [up](int fd) { return pollfd{up ? fd : -1, POLLIN, 0}; };  // poll passes over an fd of -1
    pollfd fds[] = {{wake_.fd(), POLLIN, 0}, watched(cmap_.fd()), watched(votequorum_.fd()), watched(cfg_.fd())};
    const int64_t left_ms = due == kNeverUs ? -1 : std::clamp<int64_t>((due - now + 999) / 1000, 0, 60'000);
    if (::poll(fds, std::size(fds), int(left_ms)) <= 0) return;
    dispatch(fds[1].fd, fds[1].revents, [](Control& c) { return c.cmap_.dispatch(); });
    dispatch(fds[2].fd, fds[2].revents, [](Control& c) { return c.votequorum_.dispatch(); });
    dispatch(fds[3].fd, fds[3].revents, [](Control& c) { return c.cfg_.dispatch(); });
}

void Control::dispatch(int fd, short revents, int (*call)(Control&)) {
    if (fd < 0 || revents == 0 || state_ != State::up) return;
    const int e = call(*this);
    const bool hung_up = revents & (POLLHUP | POLLERR | POLLNVAL);
    if (hung_up || (e != CS_OK && cs_status(e) != Cs::again)) lose(hung_up ? int(CS_ERR_LIBRARY) : e);
}

// The loop gave its handles back before it told this thread to stop.
void Control::shut() {
    if (state_ == State::up) {
        for (const auto& [key, value] : publisher_.written()) {
            if (cs_status(cmap_.remove(std::string(kStatusPrefix) + key)) == Cs::dead) break;
        }
    }
    close_own();
    closed();
    groups_.clear();
}

}  // namespace assent
