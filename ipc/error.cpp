#include <ronde/error.hpp>

namespace ronde {
namespace {

class Category : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "ronde"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::invalidOption: return "invalid option";
      case Errc::invalidArgument: return "invalid argument";
      case Errc::messageTooLarge: return "message too large";
      case Errc::bufferTooSmall: return "buffer too small";
      case Errc::duplicateName: return "duplicate name";
      case Errc::groupFull: return "group full";
      case Errc::registrationTimeout: return "registration timed out";
      case Errc::groupMismatch: return "group founded with other settings";
      case Errc::noSpace: return "no space in /dev/shm";
      case Errc::refusedSegment: return "segment refused";
      case Errc::incompatibleSegment: return "incompatible segment";
      case Errc::corruptSegment: return "corrupt segment";
      case Errc::notHolding: return "critical section not held";
      case Errc::forked: return "communicator of the parent process";
      case Errc::system: return "system call failed";
    }
    return "unknown error " + std::to_string(code);
  }
};

}  // namespace

const std::error_category& errorCategory() noexcept {
  static const Category category;
  return category;
}

Error::Error(Errc code, const std::string& text)
    : std::system_error(make_error_code(code)), text_("ronde: " + text) {}

Error::~Error() = default;

}  // namespace ronde
