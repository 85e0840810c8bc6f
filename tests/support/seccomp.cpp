#include "tests/support/seccomp.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace ronde::testing {
namespace {

std::string install(std::vector<sock_filter> program, int error) {
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)));
  // Jumps to the last line, which is only now at a known distance.
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (program[i].jt == 255) program[i].jt = static_cast<unsigned char>(program.size() - 2 - i);
    if (program[i].jf == 255) program[i].jf = static_cast<unsigned char>(program.size() - 3 - i);
  }
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0) {
    return {};
  }
  return std::string("skipped: no seccomp filter is allowed here: ") + std::strerror(errno);
}

constexpr unsigned char kRefuse = 255;  // jt: to the last line
constexpr unsigned char kAllow = 255;   // jf: to the line before it

}  // namespace

std::string refuseCalls(std::initializer_list<int> calls, int error) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), kRefuse, 0));
  }
  return install(std::move(program), error);
}

std::string refuseFcntl(std::initializer_list<int> commands, int error) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, kAllow),
                                   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1]))};
  for (const int command : commands) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(command), kRefuse, 0));
  }
  return install(std::move(program), error);
}

}  // namespace ronde::testing
