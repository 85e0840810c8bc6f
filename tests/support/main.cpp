#include "tests/support/skip.hpp"

namespace ronde::testing {

int runTests(int argc, char** argv);  // catch.cpp

}  // namespace ronde::testing

int main(int argc, char** argv) {
  const int result = ronde::testing::runTests(argc, argv);
  return result == 0 && ronde::testing::wasAnythingSkipped() ? ronde::testing::kSkipped : result;
}
