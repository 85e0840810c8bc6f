#pragma once

#include <ronde/export.hpp>
#include <string>
#include <system_error>

namespace ronde {

/// Broken set-up and misuse. What can happen in a healthy program is a `Status` (status.hpp), never one of these.
enum class Errc {
  invalidOption = 1,    ///< a field of Options or a RONDE_… variable; the text names field, value, legal range
  invalidArgument,      ///< an id out of range, N = 0, a rendezvous with oneself
  messageTooLarge,      ///< longer than Options::maxMessage
  bufferTooSmall,       ///< receive into a buffer that the next message does not fit; the message stays
  duplicateName,        ///< a living member already has this name
  groupFull,            ///< no free slot
  registrationTimeout,  ///< the founding cohort did not complete in time; the text says who arrived
  groupMismatch,        ///< the group exists and was founded with other settings
  noSpace,              ///< /dev/shm is full; the text says needed and free bytes
  refusedSegment,       ///< what lies under the segment's name is foreign, of the wrong type or too open
  incompatibleSegment,  ///< a living group of another layout version or build
  corruptSegment,       ///< the header contradicts itself
  notHolding,           ///< releaseSC() without the critical section
  forked,               ///< a child process uses its parent's communicator
  system,               ///< a system call failed; the text says which, on what, and why
};

/// The category of Errc, named "ronde".
[[nodiscard]] RONDE_EXPORT const std::error_category& errorCategory() noexcept;

[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), errorCategory()};
}

/// Thrown for Errc conditions. `what()` says what happened, where, and what to do about it.
class RONDE_EXPORT Error : public std::system_error {
 public:
  Error(Errc code, const std::string& text);
  ~Error() override;
  [[nodiscard]] Errc errc() const noexcept { return static_cast<Errc>(code().value()); }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace ronde

template <>
struct std::is_error_code_enum<ronde::Errc> : std::true_type {};
