#include "bin/launcher/group_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <ronde/error.hpp>
#include <string_view>

namespace ronde::tool {
namespace {

/// Where the segments lie, and how their names end.
constexpr const char* kFolder = "/dev/shm";

}  // namespace

GroupWatch::GroupWatch(std::string group)
    : group_(std::move(group)), notices_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (notices_.isOpen() && inotify_add_watch(notices_.get(), kFolder, IN_CREATE) < 0) notices_.reset();
}

void GroupWatch::readNotices() {
  alignas(inotify_event) char buffer[4096];
  const std::string ending = "." + group_;
  for (;;) {
    const ssize_t length = notices_.isOpen() ? read(notices_.get(), buffer, sizeof(buffer)) : 0;
    if (length <= 0) return;
    for (ssize_t at = 0; at < length;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      const std::string_view name = event->len > 0 ? event->name : "";
      if (name.ends_with(ending)) {
        ++created_;
        isNewSegment_ = true;
      }
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

void GroupWatch::look(std::deque<Process>& processes) {
  readNotices();
  // A new one also follows an old one of the same name: its predecessor was dead, or all its members were killed.
  if (isNewSegment_ || !inspector_) {
    try {
      if (auto found = GroupInspector::open(group_)) {
        inspector_ = std::move(found);
        isNewSegment_ = false;
      }
    } catch (const Error&) {
      // Something foreign has got this name; the processes will say so themselves.
    }
  }
  if (!inspector_) return;

  for (const SlotReport& slot : inspector_->slots()) {
    if (slot.member.incarnation == 0 || slot.state == SlotState::joining) continue;
    Seen& seen = seen_[{slot.pid, slot.member}];
    if (seen.process == nullptr) {
      for (Process& process : processes) {
        // The member may be a descendant of the process that we started, in its process group.
        const bool isIts = slot.pid == process.pid || (!process.over && getpgid(slot.pid) == process.pid);
        if (isIts && process.name == slot.name.view()) seen.process = &process;
      }
    }
    if (seen.process == nullptr) continue;
    seen.process->joined = true;
    // Never less than before: a slot that is given to somebody else begins at zero.
    if (slot.sent > seen.sent) seen.process->sent += slot.sent - std::exchange(seen.sent, slot.sent);
    if (slot.received > seen.received) {
      seen.process->received += slot.received - std::exchange(seen.received, slot.received);
    }
  }
  complete_ = complete_ || inspector_->view().number > 0;
}

}  // namespace ronde::tool
