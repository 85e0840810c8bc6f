#include <ronde/event.hpp>
#include <ronde/inspect.hpp>
#include <ronde/message.hpp>
#include <ronde/status.hpp>
#include <ronde/view.hpp>

// Words for the values of the public vocabulary.
namespace ronde {
namespace {

void appendIds(std::string& text, const char* what, const IdSet& ids) {
  if (ids.empty()) return;
  text += text.find(':') == std::string::npos ? ": " : "; ";
  text += what;
  const char* separator = " ";
  ids.forEach([&](MemberId id) {
    text += separator + std::to_string(id);
    separator = ", ";
  });
}

}  // namespace

std::string_view toString(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::timeout: return "timeout";
    case Status::empty: return "empty";
    case Status::full: return "mailbox full";
    case Status::peerFailed: return "peer failed";
    case Status::peerStopped: return "peer stopped";
    case Status::staleView: return "stale view";
    case Status::mismatch: return "mismatch";
    case Status::staleFence: return "stale fence";
    case Status::evicted: return "evicted";
    case Status::stopped: return "stopped";
    case Status::mailboxCorrupt: return "mailbox corrupt";
    case Status::segmentCorrupt: return "segment corrupt";
  }
  return "unknown status";
}

std::string Outcome::text() const {
  std::string result(toString(status));
  appendIds(result, "failed", failed);
  appendIds(result, "missing", missing);
  return result;
}

std::string_view toString(Departure reason) noexcept {
  switch (reason) {
    case Departure::left: return "left";
    case Departure::died: return "died";
    case Departure::silent: return "silent";
  }
  return "unknown";
}

std::string_view toString(Kind kind) noexcept {
  switch (kind) {
    case Kind::sendTo: return "sendTo";
    case Kind::broadcast: return "broadcast";
    case Kind::publish: return "publish";
    case Kind::sendToSync: return "sendToSync";
    case Kind::broadcastSync: return "broadcastSync";
  }
  return "unknown";
}

std::string_view toString(EventType type) noexcept {
  switch (type) {
    case EventType::registered: return "registered";
    case EventType::view: return "view";
    case EventType::send: return "send";
    case EventType::receive: return "receive";
    case EventType::syncEnter: return "syncEnter";
    case EventType::syncPassed: return "syncPassed";
    case EventType::syncFailed: return "syncFailed";
    case EventType::ackReceived: return "ackReceived";
    case EventType::allAcks: return "allAcks";
    case EventType::ackMissing: return "ackMissing";
    case EventType::sectionRequest: return "sectionRequest";
    case EventType::sectionEnter: return "sectionEnter";
    case EventType::sectionExit: return "sectionExit";
    case EventType::sectionRefused: return "sectionRefused";
    case EventType::tokenReceived: return "tokenReceived";
    case EventType::tokenPassed: return "tokenPassed";
    case EventType::heartbeat: return "heartbeat";
    case EventType::evicted: return "evicted";
    case EventType::stopping: return "stopping";
    case EventType::stopped: return "stopped";
  }
  return "unknown";
}

std::string_view toString(SlotState state) noexcept {
  switch (state) {
    case SlotState::free: return "free";
    case SlotState::joining: return "joining";
    case SlotState::active: return "active";
    case SlotState::departed: return "departed";
    case SlotState::damaged: return "damaged";
  }
  return "unknown";
}

MemberId View::idOf(Member member) const {
  for (const ViewMember& one : members) {
    if (one.member == member) return one.id;
  }
  return kUnknownId;
}

MemberId View::idOf(std::string_view name) const {
  for (const ViewMember& one : members) {
    if (one.name.view() == name) return one.id;
  }
  return kUnknownId;
}

}  // namespace ronde
