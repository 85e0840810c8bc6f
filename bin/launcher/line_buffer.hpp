#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace ronde::tool {

/// Cuts a stream of bytes into lines, however it arrives.
class LineBuffer {
 public:
  /// A longer line is cut into lines of this length, so that a program without line ends cannot fill the memory.
  static constexpr std::size_t kLongestLine = 8 * 1024 * 1024;

  void add(std::string_view bytes) { bytes_ += bytes; }

  /// Moves the next whole line, without its end, into `line`. False if there is none yet.
  bool next(std::string& line) {
    const std::size_t end = bytes_.find('\n', searched_);
    if (end == std::string::npos && bytes_.size() - start_ < kLongestLine) {
      searched_ = bytes_.size();
      bytes_.erase(0, start_);
      searched_ -= start_;
      start_ = 0;
      return false;
    }
    const std::size_t length =
        std::min(end == std::string::npos ? bytes_.size() - start_ : end - start_, kLongestLine);
    line.assign(bytes_, start_, length);
    start_ += length + (start_ + length == end ? 1 : 0);
    searched_ = start_;
    return true;
  }

  /// Moves what is left at the end of the stream, an unterminated line, into `line`. False if there is nothing.
  bool rest(std::string& line) {
    line.assign(bytes_, start_);
    bytes_.clear();
    start_ = searched_ = 0;
    return !line.empty();
  }

 private:
  std::string bytes_;
  std::size_t start_ = 0;     ///< of the next line
  std::size_t searched_ = 0;  ///< no line end between start_ and here
};

}  // namespace ronde::tool
