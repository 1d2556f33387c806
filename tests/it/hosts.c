/* Notes each name that is looked up and each address that is connected to, and lets through loopback only. Loaded into the
 * program under test with LD_PRELOAD by hosts.rs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *name) {
    char line[600];
    int length = snprintf(line, sizeof line, "%s %s\n", what, name);
    int file = open(getenv("HOSTS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || length < 0 || write(file, line, (size_t)length) != length) abort();
    close(file);
}

static int is_loopback(const struct sockaddr *address, char *name, socklen_t size) {
    if (address->sa_family == AF_INET) {
        const struct in_addr *ip = &((const struct sockaddr_in *)address)->sin_addr;
        inet_ntop(AF_INET, ip, name, size);
        return ntohl(ip->s_addr) >> 24 == 127;
    }
    const struct in6_addr *ip = &((const struct sockaddr_in6 *)address)->sin6_addr;
    inet_ntop(AF_INET6, ip, name, size);
    return IN6_IS_ADDR_LOOPBACK(ip);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    unsigned char address[16];
    if (name != NULL && inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1) {
        note("name", name);
        return EAI_NONAME;
    }
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, found);
}

/* Not only connect: a datagram needs none. */
int connect(int socket, const struct sockaddr *address, socklen_t length) {
    static int (*real)(int, const struct sockaddr *, socklen_t);
    char name[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        int loopback = is_loopback(address, name, sizeof name);
        note("address", name);
        if (!loopback) {
            errno = ENETUNREACH;
            return -1;
        }
    }
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "connect");
    return real(socket, address, length);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
    static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    char name[INET6_ADDRSTRLEN];
    if (address != NULL && (address->sa_family == AF_INET || address->sa_family == AF_INET6)) {
        is_loopback(address, name, sizeof name);
        note("datagram", name);
        errno = ENETUNREACH;
        return -1;
    }
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "sendto");
    return real(socket, data, size, flags, address, length);
}
