// libfaketime 0.9.10 takes every timer descriptor for one of the time of day (its issue 378): it moves the deadlines
// of the server's own timers, which count from the machine's start, into the past or the far future, and the server
// sleeps too short or for ever. Loaded before it, this hands them to the kernel as they are.
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timerfd_settime(int timer, int flags, const struct itimerspec *new, struct itimerspec *old) {
  return (int)syscall(SYS_timerfd_settime, timer, flags, new, old);
}
