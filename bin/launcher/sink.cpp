#include "bin/launcher/sink.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

namespace ronde::tool {

void Sink::flush() {
  while (pending() > 0 && !broken_) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1) return;
    // A pipe that is ready takes this much at once.
    const ssize_t written =
        write(descriptor_, pending_.data() + done_, std::min<std::size_t>(pending(), PIPE_BUF));
    if (written >= 0) {
      done_ += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  if (pending() == 0 || broken_) {
    pending_.clear();
    done_ = 0;
  } else if (done_ > pending_.size() / 2) {
    pending_.erase(0, done_);
    done_ = 0;
  }
}

bool Sink::isTerminal() const {
  const char* terminal = std::getenv("TERM");
  return isatty(descriptor_) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

bool Sink::isSameAs(const Sink& other) const {
  struct stat own {};
  struct stat others {};
  return fstat(descriptor_, &own) == 0 && fstat(other.descriptor_, &others) == 0 && own.st_dev == others.st_dev &&
         own.st_ino == others.st_ino;
}

}  // namespace ronde::tool
