#include "tests/crash/scenario.hpp"

namespace ronde::crash {
namespace {

Status sendToA(Actor& v) { return v.me.sendTo(v.payload, v.idOf("a")).status; }

Status broadcast(Actor& v) { return v.me.broadcast(v.payload).status; }

Status syncToVictim(Actor& survivor) {
  if (survivor.isA()) return Status::ok;
  return survivor.me.sendToSync(survivor.payload, survivor.idOf("v")).status;
}

void enter(Actor& actor) {
  if (actor.enter() != Status::ok) throw std::runtime_error(actor.me.name() + " could not enter the section");
}

void enterA(Actor& survivor) {
  if (survivor.isA()) enter(survivor);
}

Status meet(Actor& actor) { return actor.me.synchronize(3).status; }

std::vector<Scenario> make() {
  return {
      {.name = "create", .text = "the constructor, where no segment exists", .entry = Entry::alone},
      {.name = "register", .text = "the constructor, as the last of the founding cohort", .entry = Entry::third},
      {.name = "join", .text = "the constructor, in a group that exists", .entry = Entry::late},
      {.name = "sendTo", .text = "64 bytes", .act = sendToA, .mail = Mail::toA},
      {.name = "sendTo-inline",
       .text = "16 bytes, in the record itself",
       .act = sendToA,
       .size = 16,
       .mail = Mail::toA},
      {.name = "sendTo-train",
       .text = "40 KiB, as a train of three records",
       .act = sendToA,
       .size = kTrain,
       .mail = Mail::toA},
      {.name = "publish",
       .text = "64 bytes to all",
       .act = [](Actor& v) { return v.me.publish(v.payload).status; },
       .mail = Mail::all},
      {.name = "broadcast", .text = "64 bytes, copied into each mailbox", .act = broadcast, .mail = Mail::all},
      {.name = "broadcast-reference",
       .text = "6 KiB, by reference into the outbox",
       .act = broadcast,
       .size = kByReference,
       .mail = Mail::all},
      {.name = "receive",
       .text = "of one message",
       .act = [](Actor& v) { return v.me.receive().status(); },
       .prepare = [](Actor& v) { v.lookUntil([](const Look& look) { return look.pending("v") == 1; }); },
       .prepareCrew =
           [](Actor& survivor) {
             if (survivor.isA()) static_cast<void>(survivor.me.sendTo(survivor.payload, survivor.idOf("v")));
           }},
      {.name = "receive-reference",
       .text = "of one broadcast that lies in the sender's outbox",
       .act = [](Actor& v) { return v.me.receive().status(); },
       .size = kByReference,
       .prepare = [](Actor& v) { v.lookUntil([](const Look& look) { return look.pending("v") == 1; }); },
       .prepareCrew =
           [](Actor& survivor) {
             if (survivor.isA()) {
               static_cast<void>(survivor.me.broadcast(survivor.payload));
             } else {
               static_cast<void>(survivor.me.receive());
             }
           }},
      {.name = "receive-selective",
       .text = "receiveFromSync behind three other messages",
       .act = [](Actor& v) { return v.me.receiveFromSync(v.idOf("b")).status(); },
       .prepare = [](Actor& v) { v.lookUntil([](const Look& look) { return look.pending("v") == 4; }); },
       .prepareCrew =
           [](Actor& survivor) {
             for (int i = 0; i < 3 && survivor.isA(); ++i)
               static_cast<void>(survivor.me.sendTo(survivor.payload, survivor.idOf("v")));
           },
       .peer = syncToVictim,
       .peersFirst = true,
       .peers = Peers::okIfVictim},
      {.name = "sendToSync",
       .text = "until it is taken",
       .act = [](Actor& v) { return v.me.sendToSync(v.payload, v.idOf("a")).status; },
       .peer =
           [](Actor& survivor) {
             if (!survivor.isA()) return Status::ok;
             return survivor.tally(survivor.me.receiveFromSync(survivor.idOf("v")));
           },
       .peers = Peers::okIfVictim,
       .mail = Mail::toA},
      {.name = "receiveFromSync",
       .text = "waits first, then acknowledges",
       .act = [](Actor& v) { return v.me.receiveFromSync(v.idOf("b")).status(); },
       .peer = syncToVictim,
       .peers = Peers::okIfVictim},
      {.name = "broadcastSync-send",
       .text = "until everybody took it",
       .act = [](Actor& v) { return v.me.broadcastSync(v.payload, v.idOf("v")).status(); },
       .peer = [](Actor& survivor) { return survivor.tally(survivor.me.broadcastSync({}, survivor.idOf("v"))); },
       .peers = Peers::alike,
       .mail = Mail::all},
      {.name = "broadcastSync-receive",
       .text = "takes and acknowledges it",
       .act = [](Actor& v) { return v.me.broadcastSync({}, v.idOf("a")).status(); },
       .prepare = [](Actor& v) { v.lookUntil([](const Look& look) { return look.pending("v") == 1; }); },
       .peer =
           [](Actor& survivor) {
             const MemberId a = survivor.idOf("a");
             const Outcome outcome = survivor.me.broadcastSync(survivor.payload, a).outcome();
             // Its sender's result is about all; the other receiver gets it in any case.
             if (!survivor.isA() && !outcome.ok()) throw std::runtime_error("b: broadcastSync: " + outcome.text());
             if (survivor.isA() && !outcome.acknowledged.contains(survivor.idOf("b"))) {
               throw std::runtime_error("a: broadcastSync: b did not acknowledge: " + outcome.text());
             }
             // "w" never takes it, so with "w" this always fails: then a's part is whether "v" acknowledged.
             const MemberId w = survivor.idOf("w");
             const bool isOnlyForRepairer = survivor.isA() && outcome.status == Status::peerFailed &&
                                            w != kUnknownId && outcome.failed.contains(w) &&
                                            outcome.acknowledged.contains(survivor.idOf("v"));
             return isOnlyForRepairer ? Status::ok : outcome.status;
           },
       .peersFirst = true,
       .peers = Peers::okIfVictim},
      {.name = "barrier-first",
       .text = "synchronize(3): arrives first and waits",
       .act = meet,
       .peer = meet,
       .peers = Peers::alike},
      {.name = "barrier-last",
       .text = "synchronize(3): completes the round",
       .act = meet,
       .prepare = [](Actor& v) { v.lookUntil([](const Look& look) { return look.barrierArrivals() == 2; }); },
       .peer = meet,
       .peersFirst = true,
       .peers = Peers::alike},
      {.name = "requestSC-free", .text = "the token rests in reserve", .act = [](Actor& v) { return v.enter(); }},
      {.name = "requestSC-waiting",
       .text = "the token is held by another",
       .act = [](Actor& v) { return v.enter(); },
       .prepareCrew = enterA,
       .peer = [](Actor& survivor) { return survivor.isA() ? survivor.me.releaseSC().status : Status::ok; },
       .peers = Peers::ok},
      {.name = "releaseSC",
       .text = "nobody waits",
       .act = [](Actor& v) { return v.me.releaseSC().status; },
       .prepare = enter},
      {.name = "releaseSC-waiter",
       .text = "another member waits for the token",
       .act = [](Actor& v) { return v.me.releaseSC().status; },
       .prepare =
           [](Actor& v) {
             enter(v);
             v.lookUntil([](const Look& look) { return look.someoneWants(); });
           },
       .peer =
           [](Actor& survivor) {
             if (!survivor.isA()) return Status::ok;
             survivor.lookUntil([&](const Look&) { return survivor.board.fence != 0; });
             const std::uint64_t before = survivor.board.fence;
             auto granted = survivor.me.requestSC();
             if (granted && granted->fence() <= before) throw std::runtime_error("a: the fence did not grow");
             return granted.status();
           },
       .peersFirst = true,
       .peers = Peers::ok},
      {.name = "cell-write",
       .text = "a FencedCell, inside the section",
       .act = [](Actor& v) { return FencedCell<std::uint64_t>(v.me, "cell").write(1, v.section->fence()); },
       .prepare = enter},
      {.name = "stop", .text = "stop()", .act = [](Actor& v) { return v.me.stop().status; }},
      {.name = "rejoin",
       .text = "rejoin() after stop()",
       .act =
           [](Actor& v) {
             v.me.rejoin();
             return Status::ok;
           },
       .prepare = [](Actor& v) { static_cast<void>(v.me.stop()); }},
      {.name = "view-change", .text = "the service thread, from the death of an idle member on", .repair = true},
      {.name = "clean-up",
       .text = "the service thread, after a death in the section with a broadcast half sent",
       .act = broadcast,
       .size = kByReference,
       .prepare = enter,
       .mail = Mail::all,
       .repair = true,
       .diesWhen = [](const Look& look) { return look.hasIntent("v"); }},
      {.name = "clean-up-barrier",
       .text = "the service thread, after the death of a member that had arrived at the barrier",
       .act = meet,
       .peer = meet,
       .peers = Peers::alike,
       .repair = true,
       .diesWhen = [](const Look& look) { return look.barrierArrivals() == 1; }},
  };
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = make();
  return all;
}

}  // namespace ronde::crash
