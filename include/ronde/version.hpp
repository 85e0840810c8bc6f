#pragma once

// The one place where the version is written; CMakeLists.txt reads it from here.
#define RONDE_VERSION_MAJOR 0
#define RONDE_VERSION_MINOR 1
#define RONDE_VERSION_PATCH 0
