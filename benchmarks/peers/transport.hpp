#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/patterns/endpoint.hpp"

namespace ronde::bench {

/// How the processes of a run wait, as far as a transport lets one choose.
enum class Waiting {
  spin,   ///< poll without end; for as many processes as cores
  block,  ///< sleep in the kernel
  mixed,  ///< as the library does by default
};

struct Setting {
  int n = 2;
  std::size_t size = 0;
  Waiting waiting = Waiting::spin;
};

/// What is made before the processes are forked, as far as the transport needs that. Adapters remove every name
/// they give as soon as they have the thing, so a killed benchmark leaves nothing.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  /// In process `self`, once.
  virtual std::unique_ptr<Endpoint> join(int self) = 0;
};

/// By the name of the pattern (patterns/patterns.hpp).
struct TransportKind {
  std::string name;
  std::function<bool(const std::string& pattern, const Setting&)> supports;
  std::function<std::unique_ptr<Transport>(const Setting&)> open;
};

TransportKind rondeTransport();

// One source file each. Those of packages that the build did not find are not defined (peers/peers.cpp).
TransportKind pipeTransport();
TransportKind socketTransport();
TransportKind mqueueTransport();
TransportKind boostTransport();
TransportKind zeromqTransport();
TransportKind nngTransport();
TransportKind iceoryxTransport();
TransportKind pthreadBarrier();

/// All that were built, ronde first.
[[nodiscard]] const std::vector<TransportKind>& transports();

/// For adapters without a barrier.
[[nodiscard]] inline bool isMessagePattern(const std::string& pattern) { return pattern != "barrier"; }

}  // namespace ronde::bench
