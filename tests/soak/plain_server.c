/* A web server for images without a shell: it answers every request with one word, and exits at once on SIGTERM. */

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[256];

static void leave(int signal_number) {
    (void)signal_number;
    _exit(0);
}

/* Serves one connection: the blank line that ends a head is the only thing that is looked for. */
static void *serve(void *given) {
    int connection = (int)(long)given;
    char byte, last[4] = {0};
    while (read(connection, &byte, 1) == 1) {
        memmove(last, last + 1, 3);
        last[3] = byte;
        if (!memcmp(last, "\r\n\r\n", 4) && write(connection, answer, strlen(answer)) < 0)
            break;
    }
    close(connection);
    return NULL;
}

int main(void) {
    const char *word = getenv("WORD");
    int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080)};
    signal(SIGTERM, leave);
    signal(SIGPIPE, SIG_IGN);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(word), word);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 1024))
        return 1;
    for (;;) {
        int connection = accept(server, NULL, NULL);
        pthread_t thread;
        if (connection >= 0 && !pthread_create(&thread, NULL, serve, (void *)(long)connection))
            pthread_detach(thread);
    }
}
