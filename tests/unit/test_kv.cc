// The kv application: what writes do, what they answer, and that a crash loses nothing that was called durable.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "app/kv/kv.h"
#include "app/kv/kv_requests.h"

namespace assent::kv {
namespace {

namespace fs = std::filesystem;

EntryPtr make_entry(uint64_t index, EntryKind kind, std::string data = {}) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(1);
    e.kind = kind;
    e.data = std::move(data);
    return std::make_shared<Entry>(std::move(e));
}

EntryPtr config_entry(uint64_t index, ClusterId cluster) {
    Entry e;
    e.index = Index(index);
    e.kind = EntryKind::config;
    Config config;
    config.cluster = cluster;
    e.config = std::make_shared<Config>(std::move(config));
    return std::make_shared<Entry>(std::move(e));
}

class KvTest : public ::testing::Test {
  protected:
    KvTest() {
        std::string name = (fs::temp_directory_path() / "assent-kv-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        dir_ = name;
        options_.dir = dir_ + "/kv";
        open();
    }
    ~KvTest() override {
        kv_.reset();
        fs::remove_all(dir_);
    }

    void open() { kv_ = std::make_unique<Kv>(options_); }
    void reopen() {
        kv_.reset();
        open();
    }
    // Closes it cleanly; from now on every end of it is a crash, where what was not flushed is gone.
    void reopen_to_crash() {
        options_.flush_on_close = false;
        reopen();
    }
    void crash() {
        ASSERT_FALSE(options_.flush_on_close);
        reopen();
    }

    // Writes as one batch, after all there were; the results by index.
    std::map<uint64_t, WriteResult> write(const std::vector<std::string>& requests) {
        std::vector<EntryPtr> entries;
        for (const std::string& request : requests)
            entries.push_back(make_entry(log_.size() + entries.size() + 1, EntryKind::write, request));
        return apply(entries);
    }
    std::map<uint64_t, WriteResult> apply(const std::vector<EntryPtr>& entries) {
        log_.insert(log_.end(), entries.begin(), entries.end());
        std::vector<AppliedResult> results;
        kv_->apply(entries, results);
        std::map<uint64_t, WriteResult> out;
        for (const auto& r : results) {
            EXPECT_FALSE(r.result.empty());
            auto result = decode_result(r.result);
            EXPECT_TRUE(result);
            out[r.index.value] = *result;
        }
        return out;
    }
    // What the daemon does after a restart, in batches of `step`.
    void replay(size_t step) {
        std::vector<AppliedResult> results;
        for (size_t at = kv_->durable_applied().value; at < log_.size(); at += step) {
            const auto end = log_.begin() + long(std::min(at + step, log_.size()));
            kv_->apply({log_.begin() + long(at), end}, results);
        }
    }
    std::optional<std::string> get(std::string_view key) {
        auto answer = kv_->query(encode_get(key), Index(log_.size()));
        EXPECT_TRUE(answer);
        auto out = decode_get(*answer);
        EXPECT_TRUE(out);
        EXPECT_EQ(out->index, Index(log_.size()));
        return out->value;
    }
    ScanAnswer scan(std::string_view prefix, uint32_t limit = 0, std::optional<std::string_view> after = {}) {
        auto answer = kv_->query(encode_scan(prefix, limit, after), Index(log_.size()));
        EXPECT_TRUE(answer);
        return *decode_scan(*answer);
    }
    static std::string keys(const ScanAnswer& answer) {
        std::string out;
        for (const auto& [key, value] : answer.entries) out += (out.empty() ? "" : " ") + key;
        return out;
    }
    template <typename Fn> static std::string failure_of(Fn fn) {
        try {
            fn();
        } catch (const Failure& failure) {
            return failure.what();
        }
        return "no failure";
    }
    // Random writes of every kind on few keys.
    std::vector<std::string> random_writes(size_t count, size_t value_bytes = 8) {
        std::vector<std::string> out;
        for (size_t i = 0; i < count; ++i) {
            const std::string key = "key" + std::to_string(random_() % 50);
            const std::string value = std::string(value_bytes, char('a' + random_() % 3));
            const std::string other = std::string(value_bytes, char('a' + random_() % 3));
            switch (random_() % 4) {
                case 0: out.push_back(encode_del(key)); break;
                case 1: out.push_back(encode_cas(key, other, value)); break;
                case 2: out.push_back(encode_cas(key, {}, value)); break;
                default: out.push_back(encode_put(key, value)); break;
            }
        }
        return out;
    }

    std::string dir_;
    KvOptions options_;
    std::unique_ptr<Kv> kv_;
    std::vector<EntryPtr> log_;
    std::mt19937 random_{7};
};

TEST_F(KvTest, put_get_del) {
    EXPECT_TRUE(write({encode_put("a", "1"), encode_put("b", ""), encode_put("a", "2")}).empty());
    EXPECT_EQ(get("a"), "2");
    EXPECT_EQ(get("b"), "");
    EXPECT_EQ(get("c"), std::nullopt);
    EXPECT_TRUE(write({encode_del("a")}).empty());
    EXPECT_EQ(get("a"), std::nullopt);
    EXPECT_STREQ(kv_->kind(), "kv");
}

TEST_F(KvTest, del_of_an_absent_key_is_done_and_says_so) {
    const auto results = write({encode_del("a"), encode_put("a", "1"), encode_del("a"), encode_del("a")});
    ASSERT_EQ(results.size(), 2u);
    for (uint64_t index : {1, 4}) {
        EXPECT_TRUE(results.at(index).done);
        EXPECT_FALSE(results.at(index).found);
    }
    EXPECT_EQ(get("a"), std::nullopt);
}

TEST_F(KvTest, cas_compares_with_earlier_writes_of_its_batch) {
    const auto results =
        write({encode_put("a", "1"), encode_cas("a", "1", "2"), encode_cas("a", "1", "3"), encode_del("a"),
               encode_cas("a", "2", "4"), encode_cas("a", {}, "5"), encode_cas("a", {}, "6")});
    ASSERT_EQ(results.size(), 3u);
    EXPECT_FALSE(results.at(3).done);
    EXPECT_EQ(results.at(3).current, "2");
    EXPECT_FALSE(results.at(5).done);
    EXPECT_EQ(results.at(5).current, std::nullopt);
    EXPECT_EQ(results.at(7).current, "5");
    EXPECT_EQ(get("a"), "5");
}

TEST_F(KvTest, cas_compares_with_earlier_batches) {
    write({encode_put("a", ""), encode_put("b", "x")});
    EXPECT_TRUE(write({encode_cas("a", "", "1")}).empty());
    EXPECT_EQ(get("a"), "1");
    EXPECT_EQ(write({encode_cas("a", {}, "2")}).at(4).current, "1");
    EXPECT_EQ(write({encode_cas("c", "", "2")}).at(5).current, std::nullopt);
    EXPECT_TRUE(write({encode_cas("b", "x", {})}).empty());
    EXPECT_EQ(get("b"), std::nullopt);
    EXPECT_TRUE(write({encode_cas("b", {}, {})}).empty());
    EXPECT_EQ(get("b"), std::nullopt);
}

TEST_F(KvTest, batches_make_no_difference) {
    const auto writes = random_writes(2000);
    std::map<uint64_t, WriteResult> one_by_one;
    for (const auto& w : writes) one_by_one.merge(write({w}));
    const uint64_t digest = kv_->digest();
    std::vector<EntryPtr> log;
    log.swap(log_);

    options_.dir += "2";
    reopen();
    const auto at_once = apply(log);
    EXPECT_EQ(kv_->digest(), digest);
    ASSERT_EQ(at_once.size(), one_by_one.size());
    for (const auto& [index, result] : one_by_one) {
        EXPECT_EQ(at_once.at(index).done, result.done) << index;
        EXPECT_EQ(at_once.at(index).found, result.found) << index;
        EXPECT_EQ(at_once.at(index).current, result.current) << index;
    }
}

TEST_F(KvTest, entries_come_once_and_in_order) {
    write({encode_put("a", "1")});
    std::vector<AppliedResult> results;
    EXPECT_NE(failure_of([&] { kv_->apply({log_[0]}, results); }).find("entry 1 where 2 comes next"),
              std::string::npos);
    EXPECT_NE(failure_of([&] { kv_->apply({make_entry(3, EntryKind::epoch)}, results); }).find("entry 3 where 2"),
              std::string::npos);
    EXPECT_NE(failure_of([&] {
                  kv_->apply({make_entry(2, EntryKind::write, encode_put("a", "2")), make_entry(4, EntryKind::epoch)},
                             results);
              }).find("entry 4 where 3"),
              std::string::npos);
    EXPECT_EQ(get("a"), "1");
    write({encode_put("a", "2")});
    EXPECT_EQ(get("a"), "2");
}

TEST_F(KvTest, other_kinds_only_move_the_index) {
    const ClusterId cluster{5, 0xffffffffffffffff};
    apply({config_entry(1, cluster), make_entry(2, EntryKind::epoch), make_entry(3, EntryKind::cancel)});
    write({encode_put("a", "1")});
    EXPECT_EQ(kv_->cluster(), cluster);
    reopen();
    EXPECT_EQ(kv_->cluster(), cluster);
    EXPECT_EQ(kv_->durable_applied(), Index(4));
    std::vector<AppliedResult> results;
    EXPECT_NE(failure_of([&] {
                  kv_->apply({config_entry(5, {6, 6})}, results);
              }).find("another cluster"),
              std::string::npos);
}

TEST_F(KvTest, first_results_are_kept_over_restarts) {
    write({encode_put("a", "1"), encode_cas("a", "0", "2"), encode_del("b")});
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(*kv_->result_of(Index(1)), "");
        EXPECT_EQ(decode_result(*kv_->result_of(Index(2)))->current, "1");
        EXPECT_FALSE(decode_result(*kv_->result_of(Index(3)))->found);
        EXPECT_FALSE(kv_->result_of(Index(4)));
        reopen();
    }
}

TEST_F(KvTest, old_results_are_forgotten_and_not_made_up) {
    write({encode_put("z", "1")});
    write(std::vector<std::string>(kResultsKept, encode_del("a")));
    EXPECT_TRUE(kv_->result_of(Index(2)));
    EXPECT_EQ(*kv_->result_of(Index(1)), "");
    write({encode_del("a"), encode_put("z", "2")});
    for (int round = 0; round < 2; ++round) {
        EXPECT_FALSE(kv_->result_of(Index(1)));
        EXPECT_FALSE(kv_->result_of(Index(2)));
        EXPECT_NE(*kv_->result_of(Index(3)), "");
        EXPECT_NE(*kv_->result_of(Index(kResultsKept + 2)), "");
        EXPECT_EQ(*kv_->result_of(Index(kResultsKept + 3)), "");
        reopen();
    }
}

TEST_F(KvTest, kept_results_are_bounded_in_bytes) {
    const std::string large(1 << 20, 'x');
    write({encode_put("a", large)});
    for (int i = 0; i < 80; ++i) write({encode_cas("a", "", "")});
    EXPECT_FALSE(kv_->result_of(Index(2)));
    EXPECT_EQ(decode_result(*kv_->result_of(Index(81)))->current, large);
}

TEST_F(KvTest, a_crash_goes_back_to_what_was_durable) {
    write(random_writes(300));
    reopen_to_crash();
    EXPECT_EQ(kv_->durable_applied(), Index(300));
    const uint64_t at_300 = kv_->digest();
    write(random_writes(200));
    const uint64_t at_500 = kv_->digest();
    EXPECT_EQ(kv_->durable_applied(), Index(300));
    const auto result = kv_->result_of(Index(420));

    crash();
    EXPECT_EQ(kv_->durable_applied(), Index(300));
    EXPECT_EQ(kv_->digest(), at_300);
    replay(7);
    EXPECT_EQ(kv_->digest(), at_500);
    EXPECT_EQ(*kv_->result_of(Index(420)), *result);
}

TEST_F(KvTest, nothing_flushed_begins_at_zero_again) {
    reopen_to_crash();
    write(random_writes(20));
    const uint64_t digest = kv_->digest();
    crash();
    EXPECT_EQ(kv_->durable_applied(), Index(0));
    replay(3);
    EXPECT_EQ(kv_->digest(), digest);
}

// Flushes happen while it writes; a crash must find at least what was last called durable, with the state of that
// index.
TEST_F(KvTest, what_was_called_durable_survives) {
    options_.write_buffer_bytes = 64 << 10;
    options_.flush_bytes = 128 << 10;
    reopen_to_crash();
    std::vector<uint64_t> digests{kv_->digest()};
    for (int round = 0; round < 4; ++round) {
        const Index before = kv_->durable_applied();
        while (kv_->durable_applied().value < before.value + 300) {
            write(random_writes(1 + random_() % 9, 900));
            digests.resize(log_.size() + 1);
            digests.back() = kv_->digest();
        }
        const Index durable = kv_->durable_applied();
        crash();
        EXPECT_GE(kv_->durable_applied(), durable);
        const uint64_t at = kv_->durable_applied().value;
        ASSERT_LT(at, digests.size());
        ASSERT_NE(digests[at], 0u) << "the applied index is in the middle of a batch";
        EXPECT_EQ(kv_->digest(), digests[at]);
        replay(5);
        EXPECT_EQ(kv_->digest(), digests.back());
    }
}

TEST_F(KvTest, the_tail_is_bounded_though_nothing_is_stored) {
    options_.flush_bytes = 64 << 10;
    reopen();
    write({encode_put("a", "1")});
    const std::string large(1000, 'x');
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (kv_->durable_applied() == Index(0) && std::chrono::steady_clock::now() < deadline)
        write({encode_cas("a", large, large)});
    EXPECT_GT(kv_->durable_applied(), Index(0));
    EXPECT_GE(log_.size(), 30u);
}

TEST_F(KvTest, scans_go_on_where_they_stopped) {
    write({encode_put("a", "1"), encode_put("b1", "2"), encode_put("b2", "3"), encode_put("b3", "4"),
           encode_put("c", "5"), encode_put("b\xff\xff", "6"), encode_put(std::string("b2\0", 3), "7")});
    EXPECT_EQ(keys(scan("")), std::string("a b1 b2 b2\0 b3 b\xff\xff c", 20));
    EXPECT_EQ(keys(scan("b")), std::string("b1 b2 b2\0 b3 b\xff\xff", 16));
    EXPECT_EQ(keys(scan("b\xff")), "b\xff\xff");
    EXPECT_EQ(keys(scan("d")), "");
    ScanAnswer part = scan("b", 2);
    EXPECT_EQ(keys(part), "b1 b2");
    EXPECT_TRUE(part.more);
    part = scan("b", 3, "b2");
    EXPECT_EQ(keys(part), std::string("b2\0 b3 b\xff\xff", 10));
    EXPECT_FALSE(part.more);
    EXPECT_EQ(keys(scan("b", 0, "a")), keys(scan("b")));
    EXPECT_EQ(keys(scan("b", 0, "c")), "");
}

TEST_F(KvTest, scans_are_bounded_by_count_and_bytes) {
    options_.scan_entries = 10;
    options_.scan_bytes = 1000;
    reopen();
    std::vector<std::string> writes;
    for (int i = 10; i < 40; ++i) writes.push_back(encode_put("s" + std::to_string(i), "v"));
    for (int i = 10; i < 20; ++i) writes.push_back(encode_put("t" + std::to_string(i), std::string(300, 'v')));
    writes.push_back(encode_put("u", std::string(5000, 'v')));
    write(writes);
    EXPECT_EQ(scan("s", 1000).entries.size(), 10u);
    EXPECT_EQ(scan("t").entries.size(), 3u);
    EXPECT_TRUE(scan("t").more);
    EXPECT_EQ(scan("u").entries.size(), 1u);
    EXPECT_FALSE(scan("u").more);

    size_t seen = 0;
    std::optional<std::string> after;
    for (bool more = true; more;) {
        const ScanAnswer part = scan("", 0, after);
        seen += part.entries.size();
        after = part.entries.back().first;
        more = part.more;
    }
    EXPECT_EQ(seen, 41u);
}

TEST_F(KvTest, requests_are_checked) {
    options_.max_write_bytes = 100;
    reopen();
    EXPECT_TRUE(kv_->check_write(encode_put(std::string(4096, 'k'), std::string(100, 'v'))));
    EXPECT_TRUE(kv_->check_write(encode_cas("k", "", {})));
    EXPECT_NE(kv_->check_write(encode_put("k", std::string(101, 'v'))).error().find("max_write_bytes is 100"),
              std::string::npos);
    EXPECT_FALSE(kv_->check_write(encode_cas("k", std::string(101, 'v'), "v")));
    EXPECT_FALSE(kv_->check_write(encode_cas("k", {}, std::string(101, 'v'))));
    EXPECT_NE(kv_->check_write(encode_put("", "v")).error().find("1 to 4096 bytes"), std::string::npos);
    EXPECT_NE(kv_->check_write(encode_del(std::string(4097, 'k'))).error().find("1 to 4096 bytes"), std::string::npos);
    EXPECT_FALSE(kv_->check_write(""));
    EXPECT_FALSE(kv_->check_write("hello"));
    EXPECT_FALSE(kv_->check_write(encode_put("k", "v").substr(0, 5)));
    EXPECT_FALSE(kv_->check_write(encode_put("k", "v") + encode_put("k", "v")));
    EXPECT_FALSE(kv_->check_write(std::string("\x22\x03\x0a\x01k", 5)));           // an operation to come
    EXPECT_FALSE(kv_->check_write(std::string("\x12\x05\x0a\x01k\x18\x01", 7)));   // a field to come
    EXPECT_FALSE(kv_->check_write(std::string("\x12\x06\x0a\x01k\x0a\x01l", 8)));  // two keys
    EXPECT_FALSE(kv_->query("hello", Index(0)));
    EXPECT_FALSE(kv_->query("", Index(0)));
    EXPECT_FALSE(kv_->query(encode_get(""), Index(0)));
}

TEST_F(KvTest, an_entry_it_does_not_understand_ends_it_unchanged) {
    write({encode_put("a", "1")});
    std::vector<AppliedResult> results;
    const std::string why = failure_of([&] {
        kv_->apply({make_entry(2, EntryKind::write, encode_put("a", "2")), make_entry(3, EntryKind::write, "hello")},
                   results);
    });
    EXPECT_NE(why.find("entry 3, which it cannot apply"), std::string::npos) << why;
    EXPECT_EQ(get("a"), "1");
}

TEST_F(KvTest, digest_tells_states_apart) {
    const uint64_t empty = kv_->digest();
    write({encode_put("ab", "c")});
    const uint64_t one = kv_->digest();
    EXPECT_NE(one, empty);
    reopen();
    EXPECT_EQ(kv_->digest(), one);
    options_.dir += "2";
    log_.clear();
    reopen();
    write({encode_put("a", "bc")});
    EXPECT_NE(kv_->digest(), one);
}

TEST_F(KvTest, a_folder_in_use_is_refused) {
    const std::string why = failure_of([&] { Kv second(options_); });
    EXPECT_NE(why.find(options_.dir + " is in use"), std::string::npos) << why;
}

TEST_F(KvTest, a_damaged_folder_says_what_to_do) {
    write(random_writes(100));
    kv_.reset();
    for (const auto& file : fs::directory_iterator(options_.dir)) {
        if (file.path().filename().string().starts_with("MANIFEST")) fs::resize_file(file.path(), 10);
    }
    const std::string why = failure_of([&] { open(); });
    EXPECT_NE(why.find(options_.dir), std::string::npos) << why;
    EXPECT_NE(why.find("remove that folder"), std::string::npos) << why;
}

TEST_F(KvTest, a_lost_file_says_what_to_do) {
    write(random_writes(100));
    kv_.reset();
    for (const auto& file : fs::directory_iterator(options_.dir)) {
        if (file.path().extension() == ".sst") fs::remove(file.path());
    }
    const std::string why = failure_of([&] { open(); });
    EXPECT_NE(why.find("remove that folder"), std::string::npos) << why;
}

TEST_F(KvTest, a_path_that_cannot_be_says_so) {
    std::ofstream(dir_ + "/file") << "x";
    options_.dir = dir_ + "/file/kv";
    const std::string why = failure_of([&] { Kv second(options_); });
    EXPECT_NE(why.find(options_.dir), std::string::npos) << why;
}

TEST(KvRequests, answers_of_others_are_errors) {
    EXPECT_FALSE(decode_result("hello"));
    EXPECT_FALSE(decode_result(std::string("\x08\x09", 2)));  // a status to come
    EXPECT_FALSE(decode_get("hello"));
    EXPECT_FALSE(decode_scan("hello"));
    EXPECT_TRUE(decode_result("")->done);
}

}  // namespace
}  // namespace assent::kv
