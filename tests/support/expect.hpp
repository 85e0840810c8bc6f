#pragma once

#include <initializer_list>
#include <optional>
#include <ronde/communicator.hpp>
#include <string>

#include "tests/support/catch.hpp"

// What tests compare, and how it is printed when they differ.
namespace ronde::testing {

/// The Error that `call` throws; nothing if it throws none.
template <class Call>
std::optional<Error> errorOf(Call call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Its code; Errc{} if `call` throws none.
template <class Call>
Errc errcOf(Call call) {
  const auto error = errorOf(call);
  return error ? error->errc() : Errc{};
}

/// "invalidOption: text" of the Error that `call` throws, or "no error". For the reports of children.
template <class Call>
std::string errorText(Call call) {
  const auto error = errorOf(call);
  return error ? error->code().message() + ": " + error->what() : "no error";
}

inline bool mentions(const std::string& text, std::initializer_list<std::string> words) {
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) return false;
  }
  return true;
}

inline IdSet ids(std::initializer_list<MemberId> list) {
  IdSet set;
  for (const MemberId id : list) set.insert(id);
  return set;
}

inline std::string text(const IdSet& set) {
  std::string text = "{";
  set.forEach([&](MemberId id) { text += (text.size() > 1 ? "," : "") + std::to_string(id); });
  return text + "}";
}

/// All that an outcome says, e.g. "timeout, view 1, acknowledged {1}, failed {}, missing {2}".
inline std::string everything(const Outcome& outcome) {
  return std::string(toString(outcome.status)) + ", view " + std::to_string(outcome.view) + ", acknowledged " +
         text(outcome.acknowledged) + ", failed " + text(outcome.failed) + ", missing " + text(outcome.missing);
}

}  // namespace ronde::testing

namespace Catch {

template <>
struct StringMaker<ronde::Status> {
  static std::string convert(ronde::Status status) { return std::string(ronde::toString(status)); }
};
template <>
struct StringMaker<ronde::Kind> {
  static std::string convert(ronde::Kind kind) { return std::string(ronde::toString(kind)); }
};
template <>
struct StringMaker<ronde::Departure> {
  static std::string convert(ronde::Departure reason) { return std::string(ronde::toString(reason)); }
};
template <>
struct StringMaker<ronde::Errc> {
  static std::string convert(ronde::Errc code) { return ronde::make_error_code(code).message(); }
};
template <>
struct StringMaker<ronde::IdSet> {
  static std::string convert(const ronde::IdSet& set) { return ronde::testing::text(set); }
};
template <>
struct StringMaker<ronde::Member> {
  static std::string convert(const ronde::Member& member) {
    return std::to_string(member.slot) + "#" + std::to_string(member.incarnation);
  }
};

}  // namespace Catch
