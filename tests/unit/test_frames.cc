// Frames survive any way of cutting the stream, and nothing that comes from outside costs memory or time for free.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "base/fd.h"
#include "net/frames.h"

namespace assent::net {
namespace {

std::string framed(const std::string& payload) { return frame_length(payload.size()) + payload; }

std::pair<Fd, Fd> socket_pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return {Fd(fds[0]), Fd(fds[1])};
}

TEST(FrameReader, AnyChunking) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> sent;
        std::string stream;
        for (uint64_t n = random() % 50; n > 0; --n) {
            const size_t size = random() % 8 == 0 ? random() % 200'000 : random() % 40;
            sent.push_back(std::string(size, char('a' + n % 26)));
            stream += framed(sent.back());
        }
        FrameReader reader(200'000);
        std::vector<std::string> got;
        for (size_t at = 0; at < stream.size();) {
            const size_t size = std::min<size_t>(stream.size() - at, 1 + random() % (round % 2 ? 7'000 : 70'000));
            reader.feed(std::string_view(stream).substr(at, size));
            at += size;
            std::string_view frame;
            while (reader.next(frame)) got.emplace_back(frame);
        }
        ASSERT_EQ(got, sent);
        EXPECT_FALSE(reader.broken());
        EXPECT_EQ(reader.pending(), 0u);
    }
}

TEST(FrameReader, LengthAboveTheLimitBreaksIt) {
    FrameReader reader(100);
    std::string_view frame;
    reader.feed(framed(std::string(100, 'x')) + frame_length(101));
    ASSERT_TRUE(reader.next(frame));
    EXPECT_EQ(frame.size(), 100u);
    EXPECT_FALSE(reader.next(frame));
    EXPECT_TRUE(reader.broken());
    reader.feed(framed("ok"));
    EXPECT_FALSE(reader.next(frame)) << "nothing after it can be trusted";
}

TEST(FrameReader, GarbageGivesBoundedFramesOrBreaks) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 2'000; ++round) {
        FrameReader reader(1'000);
        for (int piece = 0; piece < 20; ++piece) {
            std::string bytes(random() % 300, '\0');
            for (char& c : bytes) c = random() % 3 ? '\0' : char(random());
            reader.feed(bytes);
            std::string_view frame;
            while (reader.next(frame)) ASSERT_LE(frame.size(), 1'000u);
        }
    }
}

TEST(FrameReader, ManySmallPiecesOfALargeFrameTakeLinearTime) {
    const size_t size = 64u << 20;
    const std::string piece(1'024, 'x');
    FrameReader reader(size);
    std::string_view frame;
    const auto start = std::chrono::steady_clock::now();
    reader.feed(frame_length(size));
    for (size_t sent = 0; sent < size; sent += piece.size()) {
        EXPECT_FALSE(reader.next(frame));
        reader.feed(piece);
    }
    ASSERT_TRUE(reader.next(frame));
    EXPECT_EQ(frame.size(), size);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // 65536 copies would be terabytes
}

TEST(OutQueue, RefusesWholeFramesWhenFull) {
    OutQueue queue(100);
    EXPECT_TRUE(queue.push("k", std::string(85, 'x')));
    EXPECT_EQ(queue.bytes(), 90u);
    EXPECT_FALSE(queue.push("k", std::string(6, 'x')));
    EXPECT_EQ(queue.bytes(), 90u);
    EXPECT_TRUE(queue.push("k", std::string(5, 'x')));
    EXPECT_EQ(queue.bytes(), 100u);
}

TEST(OutQueue, WhatGoesInComesOutOfTheReader) {
    std::mt19937_64 random(11);
    auto [left, right] = socket_pair();
    OutQueue queue(64u << 20);
    FrameReader reader(1u << 20);
    std::vector<std::string> sent;
    std::vector<std::string> got;
    for (int round = 0; round < 400 || got.size() < sent.size();) {
        if (round < 400) {
            ++round;
            const std::string body(random() % 5 == 0 ? random() % 100'000 : random() % 200, char('a' + round % 26));
            sent.push_back("k" + body);
            ASSERT_TRUE(queue.push("k", body));
        }
        ASSERT_NE(queue.write_to(left.get(), 1 + random() % 50'000), OutQueue::Output::failed);
        ASSERT_EQ(reader.read_from(right.get(), 1 + random() % 50'000), FrameReader::Input::open);
        std::string_view frame;
        while (reader.next(frame)) got.emplace_back(frame);
    }
    EXPECT_EQ(got, sent);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.pushed(), queue.written());
}

TEST(OutQueue, SaysWhenTheOtherSideIsGone) {
    auto [left, right] = socket_pair();
    right.reset();
    OutQueue queue(100);
    queue.push("", "x");
    EXPECT_EQ(queue.write_to(left.get(), 100), OutQueue::Output::failed);
}

TEST(FrameReader, SaysWhenTheStreamEnds) {
    auto [left, right] = socket_pair();
    ASSERT_EQ(::send(left.get(), framed("last").data(), 8, 0), 8);
    left.reset();
    FrameReader reader(100);
    FrameReader::Input input = FrameReader::Input::open;
    for (int i = 0; i < 3 && input == FrameReader::Input::open; ++i) input = reader.read_from(right.get(), 1'000);
    EXPECT_EQ(input, FrameReader::Input::ended);
    std::string_view frame;
    ASSERT_TRUE(reader.next(frame));
    EXPECT_EQ(frame, "last");
}

}  // namespace
}  // namespace assent::net
