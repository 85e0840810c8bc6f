#include "tests/corruption/jobs.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

namespace ronde::corruption {
namespace {

struct Job {
  pid_t pid = -1;
  int figures = -1;
};

[[noreturn]] void runOne(const std::function<Tally(unsigned)>& job, unsigned number, int figures) {
  try {
    const std::string text = job(number).toText();
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = write(figures, text.data() + sent, text.size() - sent);
      if (count < 0 && errno != EINTR) _exit(1);
      if (count > 0) sent += static_cast<std::size_t>(count);
    }
    _exit(0);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "job %u: %s\n", number, failure.what());
    _exit(1);
  }
}

Job start(const std::function<Tally(unsigned)>& job, unsigned number) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  std::fflush(stdout);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close(ends[0]);
    runOne(job, number, ends[1]);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

Tally finish(const Job& job, unsigned number) {
  std::string text;
  char part[4096];
  for (ssize_t count = 0; (count = read(job.figures, part, sizeof(part))) != 0;) {
    if (count > 0) text.append(part, static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) break;
  }
  close(job.figures);
  int status = 0;
  while (waitpid(job.pid, &status, 0) < 0 && errno == EINTR) {
  }
  try {
    return Tally::fromText(text);
  } catch (const std::exception&) {
    Tally broken;
    ++broken.verdicts[static_cast<std::size_t>(Verdict::crash)];
    broken.remarks.push_back("job " + std::to_string(number) + " ended without its figures");
    return broken;
  }
}

}  // namespace

Tally runJobs(unsigned count, const std::function<Tally(unsigned)>& job) {
  if (count == 1) return job(0);
  std::vector<Job> jobs;
  for (unsigned number = 0; number < count; ++number) jobs.push_back(start(job, number));
  Tally sum;
  for (unsigned number = 0; number < count; ++number) sum.add(finish(jobs[number], number));
  return sum;
}

}  // namespace ronde::corruption
