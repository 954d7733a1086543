// The linearizability checker: histories known to be right or wrong, and random ones against trying every order.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "../lincheck/history_file.h"
#include "../lincheck/lincheck.h"
#include "../lincheck/search.h"

namespace assent::lincheck {
namespace {

using Text = std::optional<std::string>;

Operation make(OpKind kind, int64_t from, int64_t to) {
    static uint64_t client = 0;
    Operation o;
    o.client = ++client;
    o.kind = kind;
    o.key = "k";
    o.invoked_us = from;
    o.returned_us = to;
    o.outcome = Outcome::confirmed;
    return o;
}
Operation put(int64_t from, int64_t to, const Text& value) {
    Operation o = make(OpKind::put, from, to);
    o.value = value;
    return o;
}
Operation get(int64_t from, int64_t to, const Text& result) {
    Operation o = make(OpKind::get, from, to);
    o.found = result.has_value();
    o.result = result;
    return o;
}
Operation del(int64_t from, int64_t to, std::optional<bool> found = {}) {
    Operation o = make(OpKind::del, from, to);
    o.found = found;
    return o;
}
Operation cas(int64_t from, int64_t to, const Text& old_value, const Text& value, std::optional<bool> swapped) {
    Operation o = make(OpKind::cas, from, to);
    o.old_value = old_value;
    o.value = value;
    o.swapped = swapped;
    return o;
}
Operation refused(Operation failed_cas, const Text& was) {
    failed_cas.found = was.has_value();
    failed_cas.result = was;
    return failed_cas;
}
Operation unknown(Operation o) {
    o.outcome = Outcome::unknown;
    return o;
}
Operation cancelled(Operation o) {
    o.outcome = Outcome::cancelled;
    return o;
}
Operation on(const std::string& key, Operation o) {
    o.key = key;
    return o;
}

bool linearizable(const History& history) {
    const Report report = check(history);
    EXPECT_NE(report.verdict, Verdict::could_not_tell);
    EXPECT_EQ(report.verdict == Verdict::not_linearizable, !report.text.empty());
    return report.verdict == Verdict::linearizable;
}

TEST(Lincheck, what_one_client_sees_in_turn) {
    EXPECT_TRUE(linearizable({}));
    EXPECT_TRUE(linearizable({get(0, 1, {}), put(2, 3, "a"), get(4, 5, "a"), del(6, 7, true), del(8, 9, false)}));
    EXPECT_FALSE(linearizable({get(0, 1, "a")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), get(2, 3, {})}));
    EXPECT_FALSE(linearizable({del(0, 1, true)}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), del(2, 3, false)}));
    EXPECT_TRUE(linearizable({put(0, 1, "a"), del(2, 3), get(4, 5, {})}));
}

TEST(Lincheck, overlapping_ones_may_go_either_way) {
    EXPECT_TRUE(linearizable({put(0, 10, "a"), get(1, 2, {}), get(3, 4, "a")}));
    EXPECT_FALSE(linearizable({put(0, 10, "a"), get(1, 2, "a"), get(3, 4, {})}));
    EXPECT_TRUE(linearizable({put(0, 10, "a"), put(0, 10, "b"), get(11, 12, "a")}));
    EXPECT_TRUE(linearizable({put(0, 10, "a"), put(0, 10, "b"), get(11, 12, "b")}));
    EXPECT_FALSE(linearizable({put(0, 10, "a"), put(0, 10, "b"), get(11, 12, "b"), get(13, 14, "a")}));
    EXPECT_TRUE(linearizable({put(0, 5, "a"), get(5, 6, {})}));  // in the same microsecond
}

TEST(Lincheck, a_stale_read) {
    EXPECT_FALSE(linearizable({put(0, 1, "a"), put(2, 3, "b"), get(4, 5, "a")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), put(2, 9, "b"), get(3, 4, "b"), get(5, 6, "a")}));
}

TEST(Lincheck, a_lost_write) {
    EXPECT_FALSE(linearizable({put(0, 1, "a"), put(2, 3, "b"), get(4, 5, "b"), get(6, 7, "a")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), del(2, 3, true), get(4, 5, "a")}));
}

TEST(Lincheck, an_unknown_one_happens_once_or_never) {
    EXPECT_TRUE(linearizable({unknown(put(0, 0, "a")), get(2, 3, {}), get(100, 101, {})}));
    EXPECT_TRUE(linearizable({unknown(put(0, 0, "a")), get(2, 3, {}), get(100, 101, "a")}));
    EXPECT_FALSE(linearizable({unknown(put(0, 0, "a")), get(2, 3, "a"), get(4, 5, {})}));
    EXPECT_FALSE(linearizable({unknown(put(4, 4, "a")), get(1, 3, "a")}));
    // Applied twice.
    EXPECT_FALSE(linearizable({unknown(put(0, 0, "a")), get(1, 2, "a"), put(3, 4, "b"), get(5, 6, "a")}));
    EXPECT_TRUE(linearizable(
        {unknown(put(0, 0, "a")), unknown(put(0, 0, "a")), get(1, 2, "a"), put(3, 4, "b"), get(5, 6, "a")}));
    EXPECT_FALSE(linearizable(
        {put(0, 1, "a"), unknown(cas(2, 2, "a", "b", {})), get(3, 4, "b"), put(5, 6, "a"), get(7, 8, "b")}));
    EXPECT_TRUE(linearizable({unknown(get(0, 0, "nonsense")), get(1, 2, {})}));
}

TEST(Lincheck, unknown_ones_build_on_each_other) {
    EXPECT_TRUE(linearizable(
        {unknown(put(0, 0, "a")), unknown(cas(0, 0, "a", "b", {})), unknown(cas(0, 0, "b", "c", {})), get(5, 6, "c")}));
    EXPECT_FALSE(linearizable({unknown(put(0, 0, "a")), unknown(cas(0, 0, "b", "c", {})), get(5, 6, "c")}));
    EXPECT_TRUE(linearizable({put(0, 1, "a"), unknown(del(2, 2)), cas(3, 4, {}, "b", true), get(5, 6, "b")}));
    EXPECT_TRUE(linearizable({unknown(put(0, 0, "x")), del(1, 2, true), get(3, 4, {})}));
    EXPECT_TRUE(linearizable({put(0, 1, "a"), unknown(put(2, 2, "x")), cas(3, 4, "a", "b", false), get(5, 6, "x")}));
    EXPECT_TRUE(linearizable({put(0, 1, "a"), unknown(put(2, 2, "x")), cas(3, 4, "a", "b", {}), get(5, 6, "x")}));
}

TEST(Lincheck, cancelled_ones_never_happen) {
    EXPECT_TRUE(linearizable({cancelled(put(0, 1, "a")), get(2, 3, {})}));
    EXPECT_FALSE(linearizable({cancelled(put(0, 1, "a")), get(2, 3, "a")}));
}

TEST(Lincheck, cas) {
    EXPECT_TRUE(linearizable({cas(0, 1, {}, "a", true), cas(2, 3, "a", "b", true), cas(4, 5, "b", {}, true),
                              cas(6, 7, {}, {}, true), get(8, 9, {})}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), cas(2, 3, "b", "c", true)}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), cas(2, 3, "a", "c", false)}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), cas(2, 9, "a", "b", true), cas(2, 9, "a", "c", true)}));
    EXPECT_TRUE(
        linearizable({put(0, 1, "a"), cas(2, 9, "a", "b", true), cas(2, 9, "a", "c", false), get(10, 11, "b")}));
    EXPECT_FALSE(
        linearizable({put(0, 1, "a"), cas(2, 9, "a", "b", true), cas(2, 9, "a", "c", false), get(10, 11, "c")}));
}

TEST(Lincheck, what_a_failed_cas_saw_counts) {
    EXPECT_TRUE(linearizable({put(0, 1, "a"), refused(cas(2, 3, "b", "c", false), "a")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), refused(cas(2, 3, "b", "c", false), "x")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), refused(cas(2, 3, "b", "c", false), {})}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), refused(cas(2, 3, "a", "c", false), "a")}));
    EXPECT_FALSE(linearizable({put(0, 9, "b"), refused(cas(2, 3, "b", "c", false), "b")}));
}

TEST(Lincheck, a_cas_that_was_not_told_swapped_or_not) {
    EXPECT_TRUE(linearizable({put(0, 1, "a"), cas(2, 3, "a", "b", {}), get(4, 5, "b")}));
    EXPECT_TRUE(linearizable({put(0, 1, "a"), cas(2, 3, "x", "b", {}), get(4, 5, "a")}));
    EXPECT_FALSE(linearizable({put(0, 1, "a"), cas(2, 3, "a", "b", {}), get(4, 5, "a")}));
}

TEST(Lincheck, keys_do_not_depend_on_each_other) {
    const History both{on("a", put(0, 1, "1")), on("b", put(0, 1, "2")), on("a", get(2, 3, "1")),
                       on("b", get(2, 3, "2"))};
    EXPECT_TRUE(linearizable(both));
    History wrong = both;
    wrong.push_back(on("b", get(4, 5, "1")));
    const Report report = check(wrong);
    EXPECT_EQ(report.verdict, Verdict::not_linearizable);
    EXPECT_NE(report.text.find("key \"b\""), std::string::npos) << report.text;
}

TEST(Lincheck, the_text_names_the_answer_that_does_not_fit) {
    History history;
    for (int i = 0; i < 50; ++i) {
        history.push_back(put(10 * i, 10 * i + 1, "v" + std::to_string(i)));
        history.push_back(get(10 * i + 2, 10 * i + 3, "v" + std::to_string(i)));
    }
    history[61].result = "v29";
    history[81].result = "v3";
    const std::string text = check(history).text;
    const size_t at = text.find("The first that does not fit");
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_NE(text.find("0.000302     0.000303", at), std::string::npos) << text;
    EXPECT_NE(text.find("get: was \"v29\"", at), std::string::npos) << text;
    EXPECT_NE(text.find("The key is \"v30\" then", at), std::string::npos) << text;
    EXPECT_NE(text.find("put \"v28\": done", at), std::string::npos) << text;
    EXPECT_EQ(text.find("v31"), std::string::npos) << text;
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 20);
}

// ---- Random histories, made from a key that really is one

struct Shape {
    int operations = 7;
    int clients = 3;
    int values = 3;  // 0: each write has its own
    int unknown_percent = 20;
    int mean_pause = 10;  // of about 10 that an operation takes
};

class Maker {
  public:
    explicit Maker(uint32_t seed) : random_(seed) {}

    // Each operation takes effect at one moment in its interval, and the moments are all different.
    History make(const Shape& shape) {
        std::vector<int64_t> free_at(size_t(shape.clients), 0);
        std::vector<std::pair<int64_t, Operation>> by_moment;
        for (int i = 0; i < shape.operations; ++i) {
            const size_t c = below(size_t(shape.clients));
            const int64_t from = free_at[c] + 100 * int64_t(below(size_t(2 * shape.mean_pause)));
            const int64_t moment = from + 1000 * int64_t(below(10)) / 10 + int64_t(c);
            Operation o = request(shape);
            o.client = c;
            o.invoked_us = from;
            o.returned_us = moment + 100 * int64_t(below(10));
            o.outcome = Outcome::confirmed;
            free_at[c] = o.returned_us + 1;
            const bool lost = int(below(100)) < shape.unknown_percent;
            if (lost) o.outcome = below(3) == 0 ? Outcome::cancelled : Outcome::unknown;
            // Some take effect long after the client gave up.
            if (lost)
                by_moment.push_back({moment + (below(2) ? 0 : int64_t(below(20'000))), o});
            else
                by_moment.push_back({moment, o});
        }
        std::stable_sort(by_moment.begin(), by_moment.end(), [](auto& a, auto& b) { return a.first < b.first; });
        Text key;
        History history;
        for (auto& [moment, o] : by_moment) {
            const bool never = o.outcome == Outcome::cancelled || (o.outcome == Outcome::unknown && below(3) == 0);
            if (!never) happen(o, key);
            history.push_back(o);
        }
        return history;
    }

    // One answer becomes another.
    void spoil(History& history, const Shape& shape) {
        for (;;) {
            Operation& o = history[below(history.size())];
            if (o.outcome != Outcome::confirmed || o.kind == OpKind::put) continue;
            if (o.kind == OpKind::del) {
                o.found = !*o.found;
            } else if (o.kind == OpKind::cas) {
                o.swapped = o.swapped ? !*o.swapped : below(2) == 0;
                o.found.reset();
                o.result.reset();
            } else {
                const Text before = o.result;
                while (o.result == before) o.result = value(shape);
                o.found = o.result.has_value();
            }
            return;
        }
    }

    size_t below(size_t n) { return random_() % n; }

  private:
    Text value(const Shape& shape) {
        const size_t n = below(size_t(shape.values ? shape.values : written_) + 1);
        return n ? Text("v" + std::to_string(n)) : Text();
    }
    Text fresh_value(const Shape& shape) {
        return "v" + std::to_string(shape.values ? 1 + below(size_t(shape.values)) : ++written_);
    }
    // Of those written lately.
    Text old_value(const Shape& shape) {
        if (shape.values) return value(shape);
        return below(4) && written_ > 4 ? Text("v" + std::to_string(size_t(written_) - below(4))) : Text();
    }

    Operation request(const Shape& shape) {
        Operation o;
        o.key = "k";
        switch (below(6)) {
            case 0:
                o.kind = OpKind::cas;
                o.old_value = old_value(shape);
                o.value = below(4) ? fresh_value(shape) : Text();
                break;
            case 1: o.kind = OpKind::del; break;
            case 2:
            case 3:
                o.kind = OpKind::put;
                o.value = fresh_value(shape);
                break;
            default: o.kind = OpKind::get; break;
        }
        return o;
    }

    void happen(Operation& o, Text& key) {
        const Text before = key;
        if (o.kind == OpKind::put) key = o.value;
        if (o.kind == OpKind::del) key.reset();
        if (o.kind == OpKind::cas && before == o.old_value) key = o.value;
        if (o.outcome != Outcome::confirmed) return;
        if (o.kind == OpKind::get || o.kind == OpKind::del) o.found = before.has_value();
        if (o.kind == OpKind::get) o.result = before;
        if (o.kind != OpKind::cas) return;
        o.swapped = before == o.old_value;
        if (!*o.swapped && below(2)) o = refused(o, before);
        if (below(10) == 0) {
            o.swapped.reset();
            o.found.reset();
            o.result.reset();
        }
    }

    std::mt19937 random_;
    int written_ = 0;
};

// By trying every order; has nothing in common with the checker.
class EveryOrder {
  public:
    explicit EveryOrder(const History& history) : history_(history), done_(history.size()) {}
    bool exists(const Text& key = {}) {
        bool finished = true;
        for (size_t i = 0; i < history_.size(); ++i) {
            const Operation& o = history_[i];
            if (done_[i] || o.outcome == Outcome::cancelled) continue;
            finished = finished && o.outcome != Outcome::confirmed;
            if (!may_be_next(o)) continue;
            done_[i] = true;
            Text after = key;
            const bool found = happens(o, after) && exists(after);
            done_[i] = false;
            if (found) return true;
        }
        return finished;
    }

  private:
    bool may_be_next(const Operation& o) const {
        for (size_t i = 0; i < history_.size(); ++i) {
            const Operation& other = history_[i];
            if (!done_[i] && other.outcome == Outcome::confirmed && other.returned_us < o.invoked_us) return false;
        }
        return true;
    }
    static bool happens(const Operation& o, Text& key) {
        const Text before = key;
        const bool equal = before == o.old_value;
        if (o.kind == OpKind::put) key = o.value;
        if (o.kind == OpKind::del) key.reset();
        if (o.kind == OpKind::cas && equal) key = o.value;
        if (o.outcome != Outcome::confirmed) return true;
        if (o.kind == OpKind::get) return before == o.result;
        if (o.kind == OpKind::del) return !o.found || *o.found == before.has_value();
        if (o.kind == OpKind::put || !o.swapped) return true;
        return *o.swapped == equal && (equal || !o.found || before == o.result);
    }

    const History& history_;
    std::vector<bool> done_;
};

Verdict with_unknown_ones_often(const History& history) {
    Operations operations;
    for (const Operation& o : history) operations.push_back(&o);
    Budget budget{Limits()};
    return Search(make_steps(operations, kNeverReturns - 1), Unknown::often, budget).run();
}

TEST(Lincheck, small_random_histories_as_trying_every_order_says) {
    int wrong = 0;
    for (uint32_t seed = 1; seed <= 6000; ++seed) {
        Maker maker(seed);
        Shape shape;
        shape.operations = 4 + int(maker.below(4));
        shape.values = 1 + int(maker.below(3));
        shape.unknown_percent = int(maker.below(3)) * 30;
        shape.mean_pause = 1 + int(maker.below(15));
        History history = maker.make(shape);
        ASSERT_TRUE(linearizable(history)) << "seed " << seed << "\n" << check(history).text;
        const bool can_be_spoilt = std::any_of(history.begin(), history.end(), [](const Operation& o) {
            return o.outcome == Outcome::confirmed && (o.kind == OpKind::get || (o.kind == OpKind::del && o.found));
        });
        if (!can_be_spoilt) continue;
        maker.spoil(history, shape);
        const bool right = EveryOrder(history).exists();
        ASSERT_EQ(linearizable(history), right) << "seed " << seed;
        if (right) {
            ASSERT_EQ(with_unknown_ones_often(history), Verdict::linearizable) << "seed " << seed;
        }
        wrong += !right;
    }
    EXPECT_GT(wrong, 2000);
}

TEST(Lincheck, long_random_histories) {
    int wrong = 0;
    for (uint32_t seed = 1; seed <= 60; ++seed) {
        Maker maker(seed);
        Shape shape;
        shape.operations = 3000;
        shape.clients = 1 + int(maker.below(12));
        shape.values = 0;
        shape.unknown_percent = 5;
        History history = maker.make(shape);
        ASSERT_TRUE(linearizable(history)) << "seed " << seed << "\n" << check(history).text;
        maker.spoil(history, shape);
        wrong += !linearizable(history);
    }
    EXPECT_GT(wrong, 40);
}

TEST(Lincheck, many_at_the_same_time) {
    History history;
    for (int i = 0; i < 14; ++i) history.push_back(put(0, 1000, "v" + std::to_string(i)));
    for (int i = 0; i < 14; ++i) history.push_back(get(0, 1000, "v" + std::to_string(i)));
    EXPECT_TRUE(linearizable(history));
    history.push_back(get(1001, 1002, "nonsense"));
    EXPECT_FALSE(linearizable(history));
}

TEST(Lincheck, many_unknown_ones_cost_little) {
    History history;
    for (int i = 0; i < 300; ++i) {
        const std::string v = "v" + std::to_string(i);
        history.push_back(unknown(put(10 * i, 0, v)));
        if (i % 3 == 0) history.push_back(get(10 * i + 1, 10 * i + 2, v));
        if (i % 7 == 0) history.push_back(del(10 * i + 3, 10 * i + 4, true));
        history.push_back(put(10 * i + 5, 10 * i + 6, "w"));
    }
    EXPECT_TRUE(linearizable(history));
    history.push_back(get(4000, 4001, "nonsense"));
    EXPECT_FALSE(linearizable(history));
}

TEST(Lincheck, the_limits_are_kept) {
    History history;
    for (int i = 0; i < 40; ++i) history.push_back(put(0, 1000, "v" + std::to_string(i)));
    history.push_back(get(1001, 1002, "nonsense"));
    Limits few_steps;
    few_steps.steps = 100'000;
    Report report = check(history, few_steps);
    EXPECT_EQ(report.verdict, Verdict::could_not_tell);
    EXPECT_LE(report.steps, 100'001u);
    Limits little_memory;
    little_memory.memory_bytes = 1 << 20;
    report = check(history, little_memory);
    EXPECT_EQ(report.verdict, Verdict::could_not_tell);
    EXPECT_LT(report.steps, 1'000'000u);
    Limits short_time;
    short_time.seconds = 0.05;
    EXPECT_EQ(check(history, short_time).verdict, Verdict::could_not_tell);
}

// ---- Files

Result<bool> read(const std::string& text, History& history) {
    std::istringstream in(text);
    return read_history(in, "a.json", history);
}

TEST(HistoryFile, every_field) {
    History h;
    ASSERT_TRUE(
        read(R"({"client":1,"op":"put","key":"k","value":"v","invoked_us":5,"returned_us":9,"outcome":"confirmed"}

{"client":2,"op":"cas","key":"k","old":null,"value":"v","invoked_us":-1,"returned_us":null,"outcome":"unknown","x":[]}
{"client":2,"op":"cas","key":"k","old":"o","value":null,"invoked_us":1,"returned_us":2,"outcome":"confirmed","swapped":false,"result":"r"}
{"client":3,"op":"get","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed","found":false}
{"client":3,"op":"get","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed","result":""}
{"client":3,"op":"del","key":"k","invoked_us":1,"outcome":"failed"}
{"client":3,"op":"del","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed","found":true}
)",
             h));
    ASSERT_EQ(h.size(), 7u);
    EXPECT_EQ(h[0].value, "v");
    EXPECT_EQ(h[0].returned_us, 9);
    EXPECT_EQ(h[0].outcome, Outcome::confirmed);
    EXPECT_EQ(h[1].old_value, std::nullopt);
    EXPECT_EQ(h[1].outcome, Outcome::unknown);
    EXPECT_EQ(h[2].old_value, "o");
    EXPECT_EQ(h[2].swapped, false);
    EXPECT_EQ(h[2].result, "r");
    EXPECT_EQ(h[2].found, true);
    EXPECT_EQ(h[3].found, false);
    EXPECT_EQ(h[4].result, "");
    EXPECT_EQ(h[5].outcome, Outcome::cancelled);
    EXPECT_EQ(h[6].found, true);
}

TEST(HistoryFile, what_is_wrong_is_named_with_its_line) {
    const std::string good =
        R"({"client":1,"op":"get","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed","found":false})";
    const std::pair<const char*, const char*> cases[] = {
        {"hello", "not a JSON object"},
        {"[]", "not a JSON object"},
        {R"({"op":"get"})", "\"client\" is missing"},
        {R"({"client":1,"op":"scan"})", "\"scan\""},
        {R"({"client":1,"op":"get","key":7})", "\"key\""},
        {R"({"client":1,"op":"put","key":"k","invoked_us":1,"outcome":"unknown"})", "\"value\""},
        {R"({"client":1,"op":"get","key":"k","invoked_us":1,"outcome":"confirmed","found":false})", "\"returned_us\""},
        {R"({"client":1,"op":"get","key":"k","invoked_us":3,"returned_us":2,"outcome":"confirmed","found":false})",
         "before it was invoked"},
        {R"({"client":1,"op":"get","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed"})", "\"found\""},
        {R"({"client":1,"op":"get","key":"k","invoked_us":1,"returned_us":2,"outcome":"confirmed","found":true})",
         "contradict"},
    };
    for (const auto& [line, why] : cases) {
        History h;
        const auto result = read(good + "\n" + line + "\n", h);
        ASSERT_FALSE(result) << line;
        EXPECT_NE(result.error().find("a.json, line 2: "), std::string::npos) << result.error();
        EXPECT_NE(result.error().find(why), std::string::npos) << result.error();
    }
}

}  // namespace
}  // namespace assent::lincheck
