/* A constructor: runs when the loader opens the file, before the host has seen anything of the connector. It prints the user
 * that it runs as when the environment variable ROGUE_CONSTRUCTOR is set. */
#if defined(__unix__) || defined(__APPLE__)
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void rogue_constructor(void) {
    if (getenv("ROGUE_CONSTRUCTOR") != NULL) {
        fprintf(stderr, "rogue constructor: user %d, group %d\n", (int)geteuid(), (int)getegid());
    }
}
#endif
