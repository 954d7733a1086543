#include "corosync/corosync.h"

#include "base/log.h"
#include "corosync/control.h"

namespace assent {

Corosync::Corosync(Loop& loop, CorosyncCallbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)), alive_(std::make_shared<char>()) {
    quorum_ = std::make_shared<Quorum>(
        loop, [this](bool quorate, RingId ring) { callbacks_.on_quorum(quorate, ring); }, [this] { handle_died(); });
    ControlEvents events;
    events.on_config = [this](const Section& section) { callbacks_.on_config(section); };
    events.on_cluster = [this](const Cluster& cluster) { callbacks_.on_cluster(cluster); };
    events.on_up = [this] {
        up_ = true;
        callbacks_.on_up();
    };
    events.on_release = [this] { give_back(false); };
    events.on_shutdown = [this](std::function<void()> allow) { callbacks_.on_shutdown(std::move(allow)); };
    control_ = std::make_shared<Control>(loop, std::move(events), quorum_, alive_);
}

Corosync::~Corosync() { stop(); }

void Corosync::start() { control_->start(); }

void Corosync::stop() {
    if (!alive_) return;
    alive_.reset();
    for (auto& group : groups_) group->release(false);
    quorum_->release();
    if (!control_->stop(std::chrono::seconds(2)))
        ASSENT_WARNING("corosync does not answer: leaving without a good-bye");
}

Cpg& Corosync::join(const std::string& group, CpgCallbacks callbacks) {
    groups_.push_back(std::make_shared<Cpg>(loop_, group, std::move(callbacks), [this] { handle_died(); }));
    control_->add_group(groups_.back());
    return *groups_.back();
}

void Corosync::publish(StatusKeys keys) { control_->publish(std::move(keys)); }

// Found by a send, perhaps, in the middle of what the caller does: so it is reported at the end of the batch.
void Corosync::handle_died() {
    loop_.defer([this, alive = std::weak_ptr<char>(alive_)] {
        if (!alive.expired()) give_back(true);
    });
}

// `dead`: found out here, so the control thread has to be told.
void Corosync::give_back(bool dead) {
    if (!alive_) return;
    if (dead) control_->lost();
    for (size_t i = 0; i < groups_.size(); ++i) groups_[i]->release(true);
    quorum_->release();
    if (!up_) return;
    up_ = false;
    callbacks_.on_quorum(false, RingId{});
    if (alive_) callbacks_.on_lost();
}

}  // namespace assent
