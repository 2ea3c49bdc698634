// SPDX-License-Identifier: Apache-2.0
// One walk over a state that writes it to bytes or reads it back, so that the two cannot differ.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fareline {

// Bytes are of the machine that wrote them. Reading past the end reads zeros and sets failed().
class Archive {
 public:
  explicit Archive(std::string& out) : out_(&out) {}
  explicit Archive(std::string_view in) : in_(in) {}
  bool reading() const { return out_ == nullptr; }
  bool failed() const { return failed_; }
  bool at_end() const { return in_.empty(); }
  void fail() { failed_ = true; }

  template <class... T>
  void operator()(T&... values) { (visit(values), ...); }

  void bytes(void* data, std::size_t size) {
    if (size == 0) return;
    if (out_) {
      out_->append(static_cast<const char*>(data), size);
    } else if (in_.size() < size) {
      failed_ = true;
      in_ = {};
      std::memset(data, 0, size);
    } else {
      std::memcpy(data, in_.data(), size);
      in_.remove_prefix(size);
    }
  }
  // The count of a list; when read, no more than the bytes left could hold.
  std::size_t count(std::size_t now) {
    std::uint64_t n = now;
    visit(n);
    if (reading() && n > in_.size()) {
      failed_ = true;
      n = 0;
    }
    return static_cast<std::size_t>(n);
  }

 private:
  template <class T>
  void visit(T& value) {
    if constexpr (requires { value.archive(*this); }) value.archive(*this);
    else {
      static_assert(std::is_trivially_copyable_v<T>);
      bytes(&value, sizeof value);
    }
  }
  template <class T>
  void visit(std::vector<T>& list) {
    list.resize(count(list.size()));
    if constexpr (std::is_trivially_copyable_v<T> && !requires(T& t) { t.archive(*this); }) bytes(list.data(), list.size() * sizeof(T));
    else
      for (T& value : list) visit(value);
  }
  void visit(std::string& text) {
    text.resize(count(text.size()));
    bytes(text.data(), text.size());
  }
  std::string* out_ = nullptr;
  std::string_view in_;
  bool failed_ = false;
};

}  // namespace fareline
