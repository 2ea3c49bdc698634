// SPDX-License-Identifier: Apache-2.0
#include "truth/gzip_bytes.h"

#include <vector>

#include <zlib.h>

namespace fareline {
namespace {

class GzipBytes : public ByteSource {
 public:
  explicit GzipBytes(std::unique_ptr<ByteSource> packed) : packed_(std::move(packed)), piece_(1u << 17) {}
  ~GzipBytes() override {
    if (gzip_) inflateEnd(&stream_);
  }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;

  Expected<std::string_view> next() override {
    if (begun_ && !gzip_) return packed_->next();
    if (!begun_) {
      // The two bytes that tell gzip may come in two pieces.
      while (begin_.size() < 2) {
        const auto more = packed_->next();
        if (!more) return std::unexpected(more.error());
        if (more->empty()) break;
        begin_.append(*more);
      }
      begun_ = true;
      gzip_ = begin_.size() >= 2 && static_cast<unsigned char>(begin_[0]) == 0x1f && static_cast<unsigned char>(begin_[1]) == 0x8b;
      if (!gzip_) return std::string_view(begin_);
      if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) return damaged();
      feed(begin_);
    }
    for (;;) {
      if (stream_.avail_in == 0 && !packed_ended_) {
        const auto more = packed_->next();
        if (!more) return std::unexpected(more.error());
        packed_ended_ = more->empty();
        feed(*more);
      }
      if (stream_.avail_in == 0 && packed_ended_) {
        if (between_) return std::string_view{};
        return damaged();
      }
      if (between_ && inflateReset(&stream_) != Z_OK) return damaged();
      between_ = false;
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      between_ = status == Z_STREAM_END;
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return damaged();
      if (const std::size_t size = piece_.size() - stream_.avail_out; size > 0) return std::string_view(piece_.data(), size);
    }
  }

 private:
  void feed(std::string_view bytes) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib's interface; it does not write there
    stream_.avail_in = static_cast<uInt>(bytes.size());
  }
  static std::unexpected<Error> damaged() { return fail({}, "the gzip is damaged or cut short", "fetch the file again"); }

  std::unique_ptr<ByteSource> packed_;
  std::vector<char> piece_;
  std::string begin_;
  bool begun_ = false, gzip_ = false, packed_ended_ = false, between_ = false;
  z_stream stream_{};
};

}  // namespace

std::unique_ptr<ByteSource> inflated(std::unique_ptr<ByteSource> packed) { return std::make_unique<GzipBytes>(std::move(packed)); }

}  // namespace fareline
