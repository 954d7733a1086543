#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/loop.h"

namespace assent {
namespace {

// Ends a test that would otherwise hang.
void limit(Loop& loop, bool& late) {
    loop.timer_once(10'000'000, [&] {
        late = true;
        loop.stop();
    });
}

struct Pair {
    Fd a, b;
    Pair() {
        int s[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) != 0) std::abort();
        a = Fd(s[0]);
        b = Fd(s[1]);
    }
};

TEST(Loop, HandlesReadyFdsInOrderOfPriorityThenTheHooks) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    Pair low, medium, high;
    std::string order;
    auto watch = [&](Pair& p, Priority priority, char mark) {
        loop.add_fd(p.a.get(), priority, EPOLLIN, [&, mark](uint32_t) {
            order += mark;
            loop.del_fd(p.a.get());
        });
        ASSERT_EQ(::write(p.b.get(), "x", 1), 1);
    };
    watch(low, Priority::low, 'l');
    watch(medium, Priority::medium, 'm');
    watch(high, Priority::high, 'h');
    loop.on_batch_end([&] {
        order += '.';
        if (order.size() >= 4) loop.stop();
    });
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(order.substr(0, 4), "hml.");
}

TEST(Loop, AHandlerMayRemoveAnotherWhoseEventIsAlreadyFetched) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    Pair first, second;
    int second_calls = 0;
    loop.add_fd(first.a.get(), Priority::high, EPOLLIN, [&](uint32_t) {
        loop.del_fd(first.a.get());
        loop.del_fd(second.a.get());
        // The number of the closed fd goes to the next one opened; the old event must not reach its handler.
        second.a.reset();
        Pair again;
        second.a = std::move(again.a);
        loop.add_fd(second.a.get(), Priority::low, EPOLLPRI,
                    [&](uint32_t revents) { second_calls += revents & EPOLLIN; });
        loop.defer([&] { loop.stop(); });
    });
    loop.add_fd(second.a.get(), Priority::low, EPOLLIN, [&](uint32_t) { ++second_calls; });
    ASSERT_EQ(::write(first.b.get(), "x", 1), 1);
    ASSERT_EQ(::write(second.b.get(), "x", 1), 1);
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(second_calls, 0);
}

TEST(Loop, TimersFireInOrderNotBeforeTheirTimeAndNotWhenCancelled) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    std::string order;
    const int64_t start = raw_now_us();
    int64_t third_us = 0;
    loop.timer_once(3'000, [&] {
        order += '3';
        third_us = raw_now_us() - start;
        loop.timer_once(0, [&] { loop.stop(); });
    });
    loop.timer_once(1'000, [&] { order += '1'; });
    auto gone = loop.timer_once(500, [&] { order += 'x'; });
    loop.timer_once(2'000, [&] { order += '2'; });
    loop.cancel(gone);
    loop.cancel(gone);
    loop.cancel(0);
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(order, "123");
    EXPECT_GE(third_us, 2'900);  // the raw clock may run a little slower than the timer's
}

TEST(Loop, ATimerWithoutDelayThatArmsItselfDoesNotStarveFds) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    std::function<void()> again = [&] { loop.timer_once(0, again); };
    again();
    Pair p;
    loop.add_fd(p.a.get(), Priority::low, EPOLLIN, [&](uint32_t) { loop.stop(); });
    ASSERT_EQ(::write(p.b.get(), "x", 1), 1);
    loop.run();
    EXPECT_FALSE(late);
}

TEST(Loop, DeferredCallsRunInTheSameBatchAndTheirOwnInTheNext) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    std::string order;
    loop.on_batch_end([&] { order += '.'; });
    loop.defer([&] {
        order += 'a';
        loop.defer([&] {
            order += 'b';
            loop.stop();
        });
    });
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(order.substr(0, 4), "a.b.");
}

TEST(Loop, PostsFromAnotherThreadAllArriveInOrder) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    int seen = 0;
    bool in_order = true;
    std::thread other([&] {
        for (int i = 0; i < 20'000; ++i)
            loop.post([&, i] {
                in_order = in_order && seen == i;
                ++seen;
            });
        loop.post([&] { loop.stop(); });
    });
    loop.run();
    other.join();
    EXPECT_FALSE(late);
    EXPECT_TRUE(in_order);
    EXPECT_EQ(seen, 20'000);
}

TEST(Loop, AnIdleLoopWakesForAPostAtOnce) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    int64_t worst_us = 0;
    int rounds = 0;
    EventFd ready;
    std::thread other([&] {
        for (int i = 0; i < 50; ++i) {
            while (!ready.drain()) std::this_thread::yield();
            const int64_t posted = raw_now_us();
            loop.post([&, posted] {
                worst_us = std::max(worst_us, raw_now_us() - posted);
                ++rounds;
                ready.signal();
            });
        }
        while (!ready.drain()) std::this_thread::yield();
        loop.stop();
    });
    ready.signal();
    loop.run();
    other.join();
    EXPECT_FALSE(late);
    EXPECT_EQ(rounds, 50);
    RecordProperty("worst_us", int(worst_us));
}

TEST(Loop, SignalsReachTheLoop) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    int hups = 0;
    loop.on_signal(SIGHUP, [&] {
        if (++hups == 2)
            loop.stop();
        else
            ::kill(::getpid(), SIGHUP);
    });
    loop.defer([] { ::kill(::getpid(), SIGHUP); });
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(hups, 2);
}

TEST(Loop, AHookMayRemoveItself) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    int calls = 0;
    Loop::HookId hook = 0;
    hook = loop.on_batch_end([&] {
        ++calls;
        loop.remove_hook(hook);
        loop.defer([&] { loop.stop(); });
    });
    loop.defer([] {});
    loop.run();
    EXPECT_FALSE(late);
    EXPECT_EQ(calls, 1);
}

TEST(Loop, StopBeforeRunEndsTheRunAtOnceAndOnlyThatOne) {
    Loop loop;
    bool late = false;
    limit(loop, late);
    loop.stop();
    loop.run();
    bool ran = false;
    loop.timer_once(1'000, [&] {
        ran = true;
        loop.stop();
    });
    loop.run();
    EXPECT_TRUE(ran);
    EXPECT_FALSE(late);
}

}  // namespace
}  // namespace assent
