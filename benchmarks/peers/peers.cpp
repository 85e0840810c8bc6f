#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {

const std::vector<TransportKind>& transports() {
  static const std::vector<TransportKind> all{
      rondeTransport(),   pipeTransport(),  socketTransport(),
      mqueueTransport(),  boostTransport(), pthreadBarrier(),
#ifdef BENCH_ZEROMQ
      zeromqTransport(),
#endif
#ifdef BENCH_NNG
      nngTransport(),
#endif
#ifdef BENCH_ICEORYX
      iceoryxTransport(),
#endif
  };
  return all;
}

}  // namespace ronde::bench
