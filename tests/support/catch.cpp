// Catch2 v3 is a library; v2 is compiled here, apart from main(), so that a program with a main() of its own may
// use what stands beside it.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

namespace ronde::testing {

int runTests(int argc, char** argv) { return Catch::Session().run(argc, argv); }

}  // namespace ronde::testing
