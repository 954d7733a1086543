#include "app/ledger_pieces.h"

#include <pthread.h>

#include <utility>

namespace assent {

LedgerPieces::~LedgerPieces() {
    {
        const std::lock_guard guard(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void LedgerPieces::ask(Index from, Index upto, const VerdictPair& handed, uint64_t bytes, DoneFn done) {
    const std::lock_guard guard(mutex_);
    todo_ = Job{from, upto, handed, bytes, std::move(done)};
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    wake_.notify_one();
}

void LedgerPieces::run() {
    ::pthread_setname_np(::pthread_self(), "ledger-reader");
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stop_ || todo_; });
        if (stop_) return;
        Job job = *std::exchange(todo_, std::nullopt);
        lock.unlock();
        post_([alive = std::weak_ptr(alive_), done = std::move(job.done), piece = carry_out(job)]() mutable {
            if (alive.lock()) done(std::move(piece));
        });
        lock.lock();
    }
}

LedgerPieces::Piece LedgerPieces::carry_out(const Job& job) {
    if (!reader_ || next(reader_->decided()) != job.from) {
        reader_.emplace(prior(job.from));
        read_at_ = job.from;
    }
    reader_->announce(job.handed);
    Piece piece;
    for (piece.verdicts = reader_->take(); piece.verdicts.empty(); piece.verdicts = reader_->take()) {
        auto entries = read_(read_at_, job.handed.stored, job.bytes);
        if (!entries || entries->empty()) {
            reader_.reset();
            piece.trouble = entries ? "the ledger has no entry " + std::to_string(read_at_.value) : entries.error();
            return piece;
        }
        for (const EntryPtr& e : *entries) reader_->add(e);
        read_at_ = next(entries->back()->index);
    }
    // From there on the reader has them.
    while (!piece.verdicts.empty() && piece.verdicts.back().entry->index > job.upto) {
        piece.verdicts.pop_back();
        reader_.reset();
    }
    return piece;
}

}  // namespace assent
