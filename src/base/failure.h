// How errors travel. Start-up and configuration problems throw Failure; calls that may fail in normal running return
// Result<T>. Both carry one sentence for a person: what happened, where, and what to do next.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace assent {

class Failure : public std::runtime_error {
  public:
    explicit Failure(const std::string& what, int exit_code = 1) : std::runtime_error(what), exit_code_(exit_code) {}
    int exit_code() const { return exit_code_; }

  private:
    int exit_code_;
};

struct Error {
    std::string text;
};

template <typename T> class [[nodiscard]] Result {
  public:
    Result(T value) : v_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
    Result(Error error) : v_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
    explicit operator bool() const { return v_.index() == 0; }
    T& operator*() { return std::get<0>(v_); }
    const T& operator*() const { return std::get<0>(v_); }
    T* operator->() { return &std::get<0>(v_); }
    const T* operator->() const { return &std::get<0>(v_); }
    const std::string& error() const { return std::get<1>(v_).text; }

  private:
    std::variant<T, Error> v_;
};

}  // namespace assent
