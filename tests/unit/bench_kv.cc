// What applying costs: batches of 64 writes as the application thread gets them, and queries.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "app/kv/kv.h"
#include "app/kv/kv_requests.h"

namespace assent::kv {
namespace {

constexpr uint64_t kKeys = 100'000;
constexpr size_t kBatch = 64;

class Store {
  public:
    Store() {
        std::string name = (std::filesystem::temp_directory_path() / "assent-bench-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw Failure("no temporary folder");
        dir_ = name;
        KvOptions options;
        options.dir = dir_ + "/kv";
        kv_ = std::make_unique<Kv>(options);
    }
    ~Store() {
        kv_.reset();
        std::filesystem::remove_all(dir_);
    }
    static std::string key(uint64_t n) { return "key" + std::to_string(n * 7919 % kKeys); }

    // The next batch, made outside the measured time.
    template <typename Request> std::vector<EntryPtr> batch(Request request) {
        std::vector<EntryPtr> out;
        for (size_t i = 0; i < kBatch; ++i) {
            Entry e;
            e.index = Index(++last_);
            e.data = request(last_);
            out.push_back(std::make_shared<Entry>(std::move(e)));
        }
        return out;
    }
    Kv& kv() { return *kv_; }

  private:
    std::string dir_;
    std::unique_ptr<Kv> kv_;
    uint64_t last_ = 0;
};

template <typename Request> void apply(benchmark::State& state, Request request) {
    Store store;
    std::vector<AppliedResult> results;
    for (auto unused : state) {
        (void)unused;
        state.PauseTiming();
        const auto batch = store.batch(request);
        results.clear();
        state.ResumeTiming();
        store.kv().apply(batch, results);
    }
    state.SetItemsProcessed(int64_t(state.iterations() * kBatch));
}

void put_256(benchmark::State& state) {
    const std::string value(256, 'v');
    apply(state, [&](uint64_t n) { return encode_put(Store::key(n), value); });
}
BENCHMARK(put_256);

void cas_256(benchmark::State& state) {
    const std::string value(256, 'v');
    apply(state, [&](uint64_t n) {
        return encode_cas(Store::key(n), n > kKeys ? std::optional(value) : std::nullopt, value);
    });
}
BENCHMARK(cas_256);

void del_absent(benchmark::State& state) {
    apply(state, [](uint64_t n) { return encode_del(Store::key(n)); });
}
BENCHMARK(del_absent);

void get_256(benchmark::State& state) {
    Store store;
    std::vector<AppliedResult> results;
    const std::string value(256, 'v');
    for (uint64_t n = 0; n < kKeys; n += kBatch) {
        store.kv().apply(store.batch([&](uint64_t i) { return encode_put(Store::key(i), value); }), results);
    }
    uint64_t n = 0;
    for (auto unused : state) {
        (void)unused;
        benchmark::DoNotOptimize(store.kv().query(encode_get(Store::key(++n)), Index(1)));
    }
    state.SetItemsProcessed(int64_t(state.iterations()));
}
BENCHMARK(get_256);

}  // namespace
}  // namespace assent::kv

BENCHMARK_MAIN();
