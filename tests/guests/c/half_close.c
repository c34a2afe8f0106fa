/* Accepts one peer of the listener on descriptor 3, reads to its end, and only then answers: the peer's half-closed
   connection still takes bytes. Then it closes its own half and waits for the peer to go. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(3);
}

int main(void) {
    char bytes[4096];
    size_t total = 0;
    ssize_t size;
    int fd = accept(3, NULL, NULL);
    if (fd < 0)
        fail("accept");
    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0)
        total += (size_t)size;
    if (size < 0)
        fail("recv");
    int length = snprintf(bytes, sizeof bytes, "got %zu bytes\n", total);
    if (send(fd, bytes, (size_t)length, 0) != length)
        fail("send");
    if (shutdown(fd, SHUT_WR) < 0)
        fail("shutdown");
    if (send(fd, bytes, 1, 0) >= 0) {
        puts("sent after shutdown");
        return 4;
    }
    if (recv(fd, bytes, sizeof bytes, 0) != 0)
        fail("recv after the end");
    puts("end");
    return 0;
}
