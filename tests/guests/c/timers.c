/* Waits for two timers and standard input at once, and checks which came first and how much time went by. */
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <wasi/api.h>

static unsigned long long now(void) {
    __wasi_timestamp_t time;
    if (__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &time))
        return 0;
    return time;
}

static __wasi_subscription_t timer(__wasi_userdata_t id, __wasi_timestamp_t nanoseconds, __wasi_subclockflags_t flags) {
    __wasi_subscription_t subscription = {.userdata = id, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
    subscription.u.u.clock = (__wasi_subscription_clock_t){
        .id = __WASI_CLOCKID_MONOTONIC, .timeout = nanoseconds, .precision = 1, .flags = flags};
    return subscription;
}

int main(void) {
    const unsigned long long short_nap = 20000000, long_nap = 60000000000;
    unsigned long long start = now();
    __wasi_subscription_t waited[2] = {
        timer(1, long_nap, 0),
        timer(2, start + short_nap, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME),
    };
    __wasi_event_t events[2];
    __wasi_size_t count = 0;
    if (__wasi_poll_oneoff(waited, events, 2, &count))
        return 3;
    unsigned long long elapsed = now() - start;
    printf("%u event, timer %llu\n", (unsigned)count, (unsigned long long)events[0].userdata);
    return elapsed >= short_nap && elapsed < long_nap ? 0 : 4;
}
