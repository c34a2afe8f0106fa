/* Tries first and waits only then: accept and recv on non-blocking sockets answer EAGAIN, and poll says when to try
   again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(3);
}

static void await(int fd, const char *what) {
    if (errno != EAGAIN)
        fail(what);
    printf("%s would block\n", what);
    fflush(stdout);
    struct pollfd one = {.fd = fd, .events = POLLIN};
    if (poll(&one, 1, 60000) != 1)
        fail("poll");
}

int main(void) {
    char bytes[64];
    if (fcntl(3, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl");
    int fd = accept(3, NULL, NULL);
    if (fd >= 0)
        return 4;
    await(3, "accept");
    fd = accept(3, NULL, NULL);
    if (fd < 0)
        fail("accept");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl");
    ssize_t size;
    while ((size = recv(fd, bytes, sizeof bytes, 0)) < 0)
        await(fd, "recv");
    printf("received %.*s\n", (int)size, bytes);
    return 0;
}
