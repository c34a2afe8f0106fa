/* Accepts one peer of the listener on descriptor 3 and looks at its bytes before it takes them. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(3);
}

int main(void) {
    char bytes[64];
    int fd = accept(3, NULL, NULL);
    if (fd < 0)
        fail("accept");
    ssize_t size = recv(fd, bytes, 4, MSG_PEEK);
    if (size < 0)
        fail("peek");
    printf("peeked %.*s\n", (int)size, bytes);
    int available = 0;
    if (ioctl(fd, FIONREAD, &available) < 0)
        fail("ioctl");
    printf("available %d\n", available);
    size = recv(fd, bytes, sizeof bytes, 0);
    if (size < 0)
        fail("recv");
    printf("received %.*s\n", (int)size, bytes);
    if (send(fd, bytes, (size_t)size, 0) != size)
        fail("send");
    return 0;
}
