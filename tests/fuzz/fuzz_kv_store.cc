// The kv application with any writes and queries: what it lets through its check, it applies, and it answers as a map does.
// The store outlives an input, but is empty again at its end.
#include <pthread.h>
#include <signal.h>

#include <filesystem>
#include <map>

#include "app/kv/kv.h"
#include "app/kv/kv_requests.h"
#include "core/assert.h"
#include "fuzz/input.h"
#include "proto/kv.pb.h"

namespace {

using namespace assent;

using Model = std::map<std::string, std::string, std::less<>>;

// What the model says to a write.
kv::WriteResult decided(const kv::Write& write, Model& model) {
    kv::WriteResult result;
    const auto it = model.find(write.key);
    if (write.kind == kv::WriteKind::cas) {
        const std::optional<std::string_view> now =
            it == model.end() ? std::nullopt : std::optional<std::string_view>(it->second);
        result.done = now == write.old_value;
        if (!result.done && now) result.current = *now;
    }
    if (!result.done) return result;
    if (write.kind == kv::WriteKind::del) result.found = it != model.end();
    if (write.value)
        model.insert_or_assign(std::string(write.key), std::string(*write.value));
    else if (it != model.end())
        model.erase(it);
    return result;
}

class Store {
  public:
    Store() {
        ASSENT_ASSERT(::mkdtemp(folder_.data()));
        kv::KvOptions options;
        options.dir = folder_ + "/kv";
        options.flush_on_close = false;
        // libFuzzer's alarm belongs to the main thread, not to RocksDB's.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        kv_ = std::make_unique<kv::Kv>(options);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~Store() {
        kv_.reset();
        std::filesystem::remove_all(folder_);
    }

    // A batch of writes: all of them are decided before one is applied.
    void write(const std::vector<std::string>& requests) {
        std::vector<EntryPtr> entries;
        std::map<Index, kv::WriteResult> expected;
        for (const std::string& request : requests) {
            if (!kv_->check_write(request)) continue;
            auto entry = std::make_shared<Entry>();
            entry->index = applied_ = next(applied_);
            entry->epoch = Epoch(1);
            entry->data = request;
            expected[entry->index] = decided(*kv::decode_write(entry->data), model_);
            entries.push_back(std::move(entry));
        }
        if (entries.empty()) return;
        std::vector<AppliedResult> results;
        kv_->apply(entries, results);
        auto result = results.begin();
        for (const auto& [index, wanted] : expected) {
            const bool said = result != results.end() && result->index == index;
            const auto got = kv::decode_result(said ? result->result : std::string());
            ASSENT_ASSERT(got && got->done == wanted.done && got->current == wanted.current);
            ASSENT_ASSERT(*kv_->result_of(index) == (said ? result->result : std::string()));
            if (said) ++result;
        }
        ASSENT_ASSERT(result == results.end());
    }

    void query(const std::string& request) {
        const auto answer = kv_->query(request, applied_);
        if (!answer) {
            ASSENT_ASSERT(!answer.error().empty());
            return;
        }
        pb::KvQuery query;
        ASSENT_ASSERT(query.ParseFromString(request));
        if (query.has_get()) {
            const auto got = kv::decode_get(*answer);
            const auto it = model_.find(query.get().key());
            ASSENT_ASSERT(got && got->index == applied_ && got->value.has_value() == (it != model_.end()));
            ASSENT_ASSERT(!got->value || *got->value == it->second);
        } else {
            check_scan(query.scan(), *answer);
        }
    }

    void clear() {
        std::vector<std::string> requests;
        for (const auto& [key, value] : model_) requests.push_back(kv::encode_del(key));
        write(requests);
        ASSENT_ASSERT(model_.empty());
        query(kv::encode_scan("", 0));
    }

  private:
    void check_scan(const pb::KvScan& scan, const std::string& answer) {
        const auto got = kv::decode_scan(answer);
        ASSENT_ASSERT(got && got->index == applied_);
        auto it = model_.lower_bound(scan.prefix());
        if (scan.has_start_after() && scan.start_after() >= scan.prefix()) it = model_.upper_bound(scan.start_after());
        for (const auto& [key, value] : got->entries) {
            ASSENT_ASSERT(it != model_.end() && it->first.starts_with(scan.prefix()));
            ASSENT_ASSERT(it->first == key && it->second == value);
            ++it;
        }
        ASSENT_ASSERT(got->more == (it != model_.end() && it->first.starts_with(scan.prefix())));
    }

    std::string folder_ = "/tmp/assent-fuzz-XXXXXX";
    std::unique_ptr<kv::Kv> kv_;
    Model model_;
    Index applied_;
};

// A write or query as the clients' encoders make it, of a few short keys.
std::string well_formed(uint8_t what, fuzz::Input& input) {
    const std::string key(1 + what / 64, char('a' + input.byte() % 4));
    const std::string_view first = input.piece();
    switch (what / 8 % 8) {
        case 0: return kv::encode_put(key, first);
        case 1: return kv::encode_del(key);
        case 2: return kv::encode_cas(key, first, input.piece());
        case 3: return kv::encode_cas(key, {}, first);
        case 4: return kv::encode_cas(key, first, {});
        case 5: return kv::encode_get(key);
        case 6: return kv::encode_scan(first, input.byte() % 4);
        default: return kv::encode_scan(first, input.byte() % 4, key);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Store store;
    fuzz::Input input(data, size);
    std::vector<std::string> batch;
    while (!input.empty()) {
        const uint8_t what = input.byte();
        const std::string request = what & 1 ? std::string(input.piece()) : well_formed(what, input);
        if (what & 2) batch.push_back(request);
        if (what & 4) {
            store.write(batch);
            batch.clear();
            store.query(request);
        }
    }
    store.write(batch);
    store.clear();
    return 0;
}
