#pragma once

#include <unistd.h>

#include <string>
#include <utility>

namespace ronde::testing {

/// A descriptor, and a path (if not empty) that the test leaves no file under.
class ScratchFile {
 public:
  ScratchFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    closeOnly();
    if (!path_.empty()) unlink(path_.c_str());
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// What a death does to it.
  void closeOnly() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  std::string path_;
  int fd_;
};

}  // namespace ronde::testing
