#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ronde::tool {

enum class Language { fr, en };

/// One sentence in both languages. `{field}` stands for a field's value; a part in `[[…]]` is left out when one of
/// its fields is absent or empty.
struct Text {
  const char* fr;
  const char* en;

  [[nodiscard]] const char* in(Language language) const { return language == Language::fr ? fr : en; }
};

/// The facts of one output line, in the order in which --json prints them.
using Fields = nlohmann::ordered_json;

/// `text` in `language`, with the values of `fields`. Words of the library's vocabulary (a status, the reason of a
/// departure) are translated; everything else is shown as it is.
[[nodiscard]] std::string fill(const Text& text, const Fields& fields, Language language);

/// `bytes` as text that stays on one line: control characters and invalid UTF-8 are escaped, and what is longer
/// than `longest` is cut.
[[nodiscard]] std::string printable(std::string_view bytes, std::size_t longest);

/// Columns that `text` takes on a terminal.
[[nodiscard]] std::size_t columnsOf(std::string_view text);
/// `text` as wide as `width` columns, for tables.
[[nodiscard]] std::string padded(const std::string& text, std::size_t width, bool right = false);

}  // namespace ronde::tool
