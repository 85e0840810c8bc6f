# Warnings and sanitizers for our own targets only; whoever uses the project by add_subdirectory() gets none of them.
add_library(ronde_build_flags INTERFACE)
target_compile_options(ronde_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion $<$<BOOL:${RONDE_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False at -O3 for every sum of a literal and a std::string (GCC bug 105651, mended in 13).
  target_compile_options(ronde_build_flags INTERFACE -Wno-restrict)
endif()
if(RONDE_BUILD_FUZZERS)
  # The fuzzer follows which code a run reaches, also in the library.
  target_compile_options(ronde_build_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(RONDE_SANITIZE)
  target_compile_options(ronde_build_flags INTERFACE
    -fsanitize=${RONDE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(ronde_build_flags INTERFACE -fsanitize=${RONDE_SANITIZE})
endif()
