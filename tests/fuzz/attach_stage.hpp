#pragma once

#include <vector>

#include "ipc/segment/descriptor.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/bare_group.hpp"

namespace ronde::fuzz {

/// The file of a group with one living member, one that departed, mail and a broadcast under way, to be copied
/// under another name and damaged. The copy's living member is this object: it holds that member's file locks.
class AttachStage {
 public:
  /// The only one of the process, which keeps it.
  static AttachStage& get();

  /// A new file under the name, with these bytes and this length.
  void publish(std::span<const std::byte> bytes, std::uint64_t length);
  void unpublish();

  /// Options of whoever joins the copy.
  [[nodiscard]] const Options& options() const { return options_; }
  /// The intact file, without the empty payload areas at its end.
  [[nodiscard]] const std::vector<std::byte>& image() const { return image_; }
  [[nodiscard]] std::uint64_t imageLength() const { return imageLength_; }

  static constexpr std::uint32_t kLivingSlot = 0;

 private:
  AttachStage();

  Options options_;
  std::string path_;
  std::vector<std::byte> image_;
  std::uint64_t imageLength_ = 0;
  detail::Descriptor file_;
};

}  // namespace ronde::fuzz
