// The slow path of Swift's Mutex, linked into the tests by ops/tsan in place of the library's.
//
// Swift inlines a Mutex that is free into our code, where ThreadSanitizer sees it. One that is held is waited for inside
// libswiftSynchronization, by the kernel, which it does not see: whatever two threads did under a contended lock would be
// reported as a race. This waits by trying again, in plain sight, so the kernel is never asked and unlocking, too, is
// always the inlined way.
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32): the thread's number, and the handle, which is one 32-bit word.
__attribute__((swiftcall)) void lock_slow(uint32_t thread, __attribute__((swift_context)) _Atomic(uint32_t) *word)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void lock_slow(uint32_t thread, __attribute__((swift_context)) _Atomic(uint32_t) *word) {
  uint32_t free = 0;
  while (!atomic_compare_exchange_weak_explicit(word, &free, thread, memory_order_acquire, memory_order_relaxed)) {
    free = 0;
    sched_yield();
  }
}
