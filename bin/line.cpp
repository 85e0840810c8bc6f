#include "bin/line.hpp"

namespace ronde::tool {

std::string LineFormat::make(const Line& line, const Fields& fields) const {
  if (!json_) {
    std::string text = prefix_;
    if (*line.tag != '\0') text += "[" + std::string(line.tag) + "]";
    return text + " " + fill(line.text, fields, language_);
  }
  Fields object;
  object["t"] = static_cast<double>((nowNs() - startNs_) / 1000) / 1e6;
  object["process"] = process_;
  object["event"] = line.event;
  object.update(fields);
  // Bytes of unknown programs need not be UTF-8; JSON must be.
  return object.dump(-1, ' ', false, Fields::error_handler_t::replace);
}

}  // namespace ronde::tool
