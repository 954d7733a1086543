// A loop that runs until something has come about, or for so long that it never will.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "base/loop.h"

namespace assent::test {

// Asked after each batch of events.
inline void run_until(Loop& loop, const std::function<bool()>& done) {
    bool late = false;
    const auto hook = loop.on_batch_end([&] {
        if (done()) loop.stop();
    });
    const auto timer = loop.timer_once(20'000'000, [&] {
        late = true;
        loop.stop();
    });
    loop.defer([] {});  // it may have come about already
    loop.run();
    loop.cancel(timer);
    loop.remove_hook(hook);
    EXPECT_FALSE(late) << "did not come about";
}

}  // namespace assent::test
