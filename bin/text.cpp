#include "bin/text.hpp"

#include <cstdio>

namespace ronde::tool {
namespace {

/// Longer lists are shown with their middle left out: 512 processes each name 512 members.
constexpr std::size_t kLongestList = 16;

struct Word {
  const char* en;
  const char* fr;
};

/// The words of the library's vocabulary that appear in sentences.
constexpr Word kWords[] = {
    {"left", "parti"},
    {"died", "mort"},
    {"silent", "muet"},
    {"timeout", "délai dépassé"},
    {"empty", "vide"},
    {"mailbox full", "boîte pleine"},
    {"peer failed", "un pair a disparu"},
    {"peer stopped", "un pair est suspendu"},
    {"stale view", "vue périmée"},
    {"mismatch", "N différents"},
    {"stale fence", "fence périmé"},
    {"evicted", "exclu"},
    {"stopped", "arrêté"},
    {"mailbox corrupt", "boîte corrompue"},
    {"segment corrupt", "segment corrompu"},
};

std::string translated(const std::string& word, Language language) {
  if (language == Language::en) return word;
  for (const Word& one : kWords) {
    if (word == one.en) return one.fr;
  }
  return word;
}

template <class TextOf>
std::string joined(const Fields& list, TextOf textOf) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list.size() > kLongestList && i == kLongestList / 2) {
      i = list.size() - 2;
      text += ", …";
    }
    if (i > 0) text += ", ";
    text += textOf(list[i], i);
  }
  if (list.size() > kLongestList) text += " (" + std::to_string(list.size()) + ")";
  return text;
}

std::string plain(const Fields& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";  // as the specification writes them
  return value.dump();
}

std::string valueText(std::string_view name, const Fields& value, Language language) {
  const auto itself = [](const Fields& one, std::size_t) { return plain(one); };
  if (name == "status") return translated(plain(value), language);
  if (name == "order") return "[" + joined(value, itself) + "]";
  if (name == "members") {
    return joined(value, [](const Fields& one, std::size_t id) { return plain(one) + "=" + std::to_string(id); });
  }
  if (name == "gone") {
    return joined(value, [&](const Fields& one, std::size_t) {
      return plain(one["name"]) + " (" + translated(plain(one["reason"]), language) + ")";
    });
  }
  return value.is_array() ? joined(value, itself) : plain(value);
}

/// Fills the placeholders of `pattern`. False if one of them has no value.
bool fillPart(std::string_view pattern, const Fields& fields, Language language, std::string& into) {
  bool complete = true;
  while (!pattern.empty()) {
    const auto open = pattern.find('{');
    into += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    const auto close = pattern.find('}', open);
    const std::string name(pattern.substr(open + 1, close - open - 1));
    const auto value = fields.find(name);
    const bool exists = value != fields.end() && !value->is_null();
    into += exists ? valueText(name, *value, language) : "?";
    if (!exists || (value->is_array() && value->empty())) complete = false;
    pattern.remove_prefix(close + 1);
  }
  return complete;
}

/// Length of the valid UTF-8 sequence at the start of `bytes`, 0 if there is none.
std::size_t utf8Length(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes.front());
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string fill(const Text& text, const Fields& fields, Language language) {
  std::string_view pattern = text.in(language);
  std::string result;
  while (!pattern.empty()) {
    const auto open = pattern.find("[[");
    fillPart(pattern.substr(0, open), fields, language, result);
    if (open == std::string_view::npos) break;
    const auto close = pattern.find("]]", open);
    std::string part;
    if (fillPart(pattern.substr(open + 2, close - open - 2), fields, language, part)) result += part;
    pattern.remove_prefix(close + 2);
  }
  return result;
}

std::string printable(std::string_view bytes, std::size_t longest) {
  std::string text;
  while (!bytes.empty()) {
    if (text.size() >= longest) return text + "…";
    const auto byte = static_cast<unsigned char>(bytes.front());
    std::size_t length = utf8Length(bytes);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), byte == '\n' ? "\\n" : "\\x%02x", byte);
      text += escaped;
      length = 1;
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

std::size_t columnsOf(std::string_view text) {
  std::size_t columns = 0;
  for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return columns;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t columns = columnsOf(text);
  const std::string space(columns < width ? width - columns : 0, ' ');
  return right ? space + text : text + space;
}

}  // namespace ronde::tool
