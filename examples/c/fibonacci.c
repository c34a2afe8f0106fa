/* Prints numbers of the Fibonacci sequence: those at the indices given as arguments. */
#include <stdio.h>
#include <stdlib.h>

static unsigned long long fibonacci(int index) {
    unsigned long long last = 0, number = 1;
    while (index-- > 0) {
        unsigned long long next = last + number;
        last = number;
        number = next;
    }
    return last;
}

int main(int argc, char **argv) {
    puts("Hello from C");
    for (int i = 1; i < argc; i++)
        printf("Fibonacci sequence number at index %s is %llu\n", argv[i], fibonacci(atoi(argv[i])));
    return 0;
}
