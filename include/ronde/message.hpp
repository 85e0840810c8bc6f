#pragma once

#include <cstring>
#include <ronde/error.hpp>
#include <ronde/types.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ronde {

/// By which call a message was sent.
enum class Kind : std::uint8_t { sendTo = 1, broadcast, publish, sendToSync, broadcastSync };

/// The specification's name of the call, e.g. "sendTo".
[[nodiscard]] RONDE_EXPORT std::string_view toString(Kind kind) noexcept;

/// What is known of a message besides its bytes.
struct MessageInfo {
  MessageInfo() noexcept {}  // NOLINT: user-provided, so that MessageInfo() does not zero all of it first

  MemberId sender = kUnknownId;  ///< in the view that view() returned last; kUnknownId if not in it
  Member member;                 ///< the sender for good, even after it has left
  ShortName name;                ///< the sender's
  LamportTime stamp = 0;         ///< the sender's clock at sending
  LamportTime clock = 0;         ///< our clock right after delivery: max(ours, stamp) + 1
  Kind kind = Kind::sendTo;
  std::uint64_t view = 0;  ///< number of the view in which it was sent
  std::size_t size = 0;    ///< length of the payload in bytes
};

/// A received message that owns its bytes.
class Message : public MessageInfo {
 public:
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  /// The payload as a trivially copyable value.
  /// @throws Error(invalidArgument) if the sizes differ.
  template <class T>
  [[nodiscard]] T as() const {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    if (bytes_.size() != sizeof(T)) {
      throw Error(Errc::invalidArgument, "Message::as: the message has " + std::to_string(bytes_.size()) +
                                             " bytes, the type has " + std::to_string(sizeof(T)));
    }
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    return value;
  }
  /// The buffer itself, for the library and for callers who want to keep the bytes without copying.
  [[nodiscard]] std::vector<std::byte>& buffer() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace ronde
