#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "tests/support/skip.hpp"

namespace ronde::testing {

/// unshare(`flags`), without root as root of a user namespace in which we keep our own number. Empty if it worked,
/// otherwise "skipped: " and why this user may not. For forked children.
std::string enterNamespaces(int flags);

/// A mount namespace of the calling process, from which nothing goes back. Empty, or why not.
std::string enterPrivateMounts();

/// Runs `body` as the first process of a new pid namespace and returns its report. For the body of a child: the
/// namespace's processes end with it. `pid` gets the process's number as the caller's namespace sees it.
std::string inPidNamespace(const std::function<std::string()>& body, pid_t* pid = nullptr);

/// Gives the calling process, the first of a pid namespace, the /proc of that namespace. Empty, or why not.
std::string enterOwnProc();

}  // namespace ronde::testing
