#include <iostream>
#include <ronde/ronde.hpp>

int main() {
  ronde::Communicator com(ronde::Options::fromEnvironment());
  if (!com.synchronize()) return 1;
  if (com.id() == 0 && !com.publish("bonjour")) return 1;

  const auto message = com.receive();
  if (!message) return 1;
  std::cout << com.name() << " heard '" << message->text() << "' from " << message->name.view() << '\n';

  if (const auto section = com.requestSC()) {
    std::cout << com.name() << " is alone here, fence " << section->fence() << '\n';
  }
  return com.stop() ? 0 : 1;
}
