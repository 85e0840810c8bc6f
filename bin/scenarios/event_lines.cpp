#include "bin/scenarios/event_lines.hpp"

#include <array>
#include <span>
#include <string>

namespace ronde::tool {
namespace {

/// Payloads are shown up to this many bytes.
constexpr std::size_t kShownPayload = 80;

/// A fact that lines can show; its name is the placeholder in the sentence and the key in JSON.
enum class Field {
  kind,
  payload,
  bytes,
  peer,
  clock,
  stamp,
  count,
  status,
  fence,
  waiting,
  order,
  members,
  gone,
  came
};

/// One kind of event: its tag, which facts it has, and how it reads.
struct Row {
  EventType type;
  const char* tag;
  std::array<Field, 6> fields;
  std::size_t count;
  Text text;
};

template <class... F>
constexpr Row row(EventType type, const char* tag, Text text, F... fields) {
  return {type, tag, {fields...}, sizeof...(fields), text};
}

using enum EventType;

/// Every event of the library. The sentences are the specification's where it has one.
constexpr std::array kRows{
    row(registered, "REGISTER", {"ordre d'arrivée={order} -> mon ID={id}", "arrival order={order} -> my ID={id}"},
        Field::order),
    row(view, "VIEW",
        {"vue {view} : {members}[[ -> mon ID={id}]][[ ; partis : {gone}]][[ ; arrivés : {came}]]",
         "view {view}: {members}[[ -> my ID={id}]][[; gone: {gone}]][[; came: {came}]]"},
        Field::members, Field::gone, Field::came),
    row(send, "SEND",
        {"{kind} payload={payload}[[ -> {peer}]] clock={clock}",
         "{kind} payload={payload}[[ -> {peer}]] clock={clock}"},
        Field::kind, Field::payload, Field::bytes, Field::peer, Field::clock),
    row(receive, "RECEIVE",
        {"{kind} payload={payload}[[ de {peer}]] clock={stamp} -> local={clock}",
         "{kind} payload={payload}[[ from {peer}]] clock={stamp} -> local={clock}"},
        Field::kind, Field::payload, Field::bytes, Field::peer, Field::stamp, Field::clock),
    row(syncEnter, "SYNC", {"j'envoi SYNC (N={count})", "sending SYNC (N={count})"}, Field::count),
    row(syncPassed, "SYNC", {"Tous les SYNC reçus, barrière franchie", "All SYNC received, barrier passed"},
        Field::count),
    row(syncFailed, "SYNC", {"barrière rompue : {status}", "barrier broken: {status}"}, Field::count,
        Field::status),
    row(ackReceived, "SYNC-BROADCAST", {"ACK reçu de {peer}", "ACK received from {peer}"}, Field::kind,
        Field::peer),
    row(allAcks, "SYNC-BROADCAST", {"Tous les ACK reçus", "All ACK received"}, Field::kind),
    row(ackMissing, "SYNC-BROADCAST",
        {"ACK manquant[[ de {peer}]] : {status}", "ACK missing[[ from {peer}]]: {status}"}, Field::kind,
        Field::peer, Field::status),
    row(sectionRequest, "SC-REQUEST", {"demande la section critique", "requests the critical section"}),
    row(sectionEnter, "SC-ENTER",
        {"entre en section critique (fence={fence})", "enters the critical section (fence={fence})"},
        Field::fence),
    row(sectionExit, "SC-EXIT",
        {"sort de la section critique (fence={fence})", "leaves the critical section (fence={fence})"},
        Field::fence),
    row(sectionRefused, "SC-REFUSED",
        {"section critique refusée : {status}", "critical section refused: {status}"}, Field::status),
    row(tokenReceived, "TOKEN",
        {"Token reçu[[ de {peer}]] -> waiting={waiting}", "Token received[[ from {peer}]] -> waiting={waiting}"},
        Field::peer, Field::waiting),
    row(tokenPassed, "TOKEN", {"Token passé à {peer}", "Token passed to {peer}"}, Field::peer),
    row(heartbeat, "HEARTBEAT", {"heartbeat reçu de {peer}", "heartbeat received from {peer}"}, Field::peer),
    row(evicted, "VIEW",
        {"exclu par les autres : resté muet trop longtemps", "excluded by the others: silent for too long"}),
    row(stopping, "STOP", {"arrêt demandé", "stopping"}),
    row(stopped, "STOP", {"arrêt propre : {status}", "clean stop: {status}"}, Field::status),
};

const Row& rowOf(EventType type) {
  for (const Row& one : kRows) {
    if (one.type == type) return one;
  }
  static constexpr Row unknown = row(view, "?", {"événement inconnu", "unknown event"});
  return unknown;  // an event of a newer library
}

const char* nameOf(Field field) {
  switch (field) {
    case Field::kind: return "kind";
    case Field::payload: return "payload";
    case Field::bytes: return "bytes";
    case Field::peer: return "peer";
    case Field::clock: return "clock";
    case Field::stamp: return "stamp";
    case Field::count: return "count";
    case Field::status: return "status";
    case Field::fence: return "fence";
    case Field::waiting: return "waiting";
    case Field::order: return "order";
    case Field::members: return "members";
    case Field::gone: return "gone";
    case Field::came: return "came";
  }
  return "?";
}

Fields namesIn(const View& view) {
  Fields names = Fields::array();
  for (const ViewMember& one : view.members) names.push_back(one.name.view());
  return names;
}

Fields goneBetween(const View* before, const View& now) {
  Fields gone = Fields::array();
  const std::uint64_t last = before != nullptr ? before->number : now.number - 1;
  for (const DepartedMember& one : now.departed) {
    if (one.view > last) gone.push_back({{"name", one.name.view()}, {"reason", toString(one.reason)}});
  }
  return gone;
}

Fields cameBetween(const View* before, const View& now) {
  Fields came = Fields::array();
  if (before == nullptr) return came;
  for (const ViewMember& one : now.members) {
    if (before->idOf(one.member) == kUnknownId) came.push_back(one.name.view());
  }
  return came;
}

Fields valueOf(Field field, const Event& event, const View* before) {
  const auto bytes = event.payload.bytes();
  switch (field) {
    case Field::kind: return toString(event.kind);
    case Field::payload:
      return printable({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kShownPayload);
    case Field::bytes: return bytes.size();
    case Field::peer: return event.peerName == ShortName() ? Fields() : Fields(event.peerName.view());
    case Field::clock: return event.clock;
    case Field::stamp: return event.stamp;
    case Field::count: return event.count;
    case Field::status: return toString(event.status);
    case Field::fence: return event.fence;
    case Field::waiting: return event.waiting;
    default: break;
  }
  if (event.roster == nullptr) return {};
  switch (field) {
    case Field::gone: return goneBetween(before, *event.roster);
    case Field::came: return cameBetween(before, *event.roster);
    default: return namesIn(*event.roster);
  }
}

}  // namespace

Line lineOf(const Event& event) {
  const Row& row = rowOf(event.type);
  const bool isAck = event.type == ackReceived || event.type == allAcks || event.type == ackMissing;
  // The acknowledgements of a rendezvous must not be counted among those of a broadcast.
  const bool toOne = isAck && event.kind == Kind::sendToSync;
  return {toString(event.type).data(), toOne ? "SYNC-SEND" : row.tag, row.text};
}

Fields fieldsOf(const Event& event, const View* before) {
  const Row& row = rowOf(event.type);
  Fields fields;
  fields["id"] = event.self == kUnknownId ? Fields() : Fields(event.self);
  fields["view"] = event.view;
  for (std::size_t i = 0; i < row.count; ++i) {
    Fields value = valueOf(row.fields[i], event, before);
    if (!value.is_null()) fields[nameOf(row.fields[i])] = std::move(value);
  }
  return fields;
}

}  // namespace ronde::tool
