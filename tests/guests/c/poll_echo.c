/* Echoes what many peers of the listener on descriptor 3 send, all in one poll loop, until a peer sends nothing at
   all. One more timer always runs, so that sockets and timers wait together. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 3, PEERS = 128, SIZE = 65536 };

struct peer {
    size_t start, end, total;
    char buffer[SIZE];
};

static struct pollfd polled[PEERS + 1];
static struct peer *peers[PEERS + 1];
static nfds_t count = 1;

static void fail(const char *what) {
    perror(what);
    exit(3);
}

static void welcome(void) {
    int fd;
    while (count <= PEERS && (fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
        peers[count++] = calloc(1, sizeof(struct peer));
    }
    if (count <= PEERS && errno != EAGAIN)
        fail("accept");
}

/* Returns how many bytes the peer has sent when it is over, -1 as long as it is not. */
static long serve(struct peer *peer, struct pollfd *poll) {
    if (peer->start == peer->end) {
        ssize_t size = recv(poll->fd, peer->buffer, SIZE, 0);
        if (size == 0)
            return (long)peer->total;
        if (size < 0)
            return errno == EAGAIN ? -1 : (long)peer->total + 1;
        peer->start = 0;
        peer->end = (size_t)size;
        peer->total += (size_t)size;
    }
    ssize_t size = send(poll->fd, peer->buffer + peer->start, peer->end - peer->start, 0);
    if (size < 0 && errno != EAGAIN)
        return (long)peer->total + 1;
    if (size > 0)
        peer->start += (size_t)size;
    poll->events = peer->start == peer->end ? POLLIN : POLLOUT;
    return -1;
}

int main(void) {
    if (fcntl(LISTENER, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl");
    for (;;) {
        polled[0] = (struct pollfd){.fd = LISTENER, .events = count <= PEERS ? POLLIN : 0};
        if (poll(polled, count, 5000) < 0)
            fail("poll");
        for (nfds_t i = count - 1; i > 0; i--) {
            if (!polled[i].revents)
                continue;
            long total = serve(peers[i], &polled[i]);
            if (total < 0)
                continue;
            close(polled[i].fd);
            free(peers[i]);
            if (total == 0)
                return 0;
            count--;
            polled[i] = polled[count];
            peers[i] = peers[count];
        }
        if (polled[0].revents)
            welcome();
    }
}
