#pragma once

#include "bin/line.hpp"

// What the launcher itself has to say about a run.
namespace ronde::tool {

inline constexpr Line kStart{"start", "", {"{name} démarre (pid {pid})", "{name} starts (pid {pid})"}};
inline constexpr Line kComplete{
    "complete", "", {"les {processes} processus sont inscrits", "all {processes} processes have registered"}};
inline constexpr Line kExit{"exit", "", {"{name} s'est terminé avec {exitCode}", "{name} ended with {exitCode}"}};
inline constexpr Line kEnd{"end", "", {"fin : {exitCode}", "end: {exitCode}"}};

inline constexpr Line kFault{
    "fault", "FAULT", {"{action} {name}[[ (pid {pid})]]", "{action} {name}[[ (pid {pid})]]"}};
inline constexpr Line kNotThere{
    "skipped", "FAULT", {"{fault} : {name} s'est déjà terminé", "{fault}: {name} has ended already"}};
inline constexpr Line kStillThere{
    "skipped", "FAULT", {"{fault} : {name} tourne encore", "{fault}: {name} still runs"}};
inline constexpr Line kTooLate{
    "skipped", "FAULT", {"{fault} : tout était déjà fini", "{fault}: all had ended before"}};
inline constexpr Line kResumed{"resumed",
                               "FAULT",
                               {"{name} (pid {pid}) est seul et suspendu : il reprend",
                                "{name} (pid {pid}) is the last one and stopped: continuing it"}};

/// Follows the complaint that a process did not register.
inline constexpr const char* kHowToJoin =
    "; a program started here has to construct ronde::Communicator(ronde::Options::fromEnvironment())";

}  // namespace ronde::tool
