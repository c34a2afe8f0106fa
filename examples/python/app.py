"""Prints numbers of the Fibonacci sequence: those at the indices given as arguments."""

import sys


def fibonacci(index: int) -> int:
    last, number = 0, 1
    for _ in range(index):
        last, number = number, last + number
    return last


class Run:
    """What `wasi:cli/run` asks of a command."""

    def run(self) -> None:
        print("Hello from Python")
        for index in sys.argv[1:]:
            print(f"Fibonacci sequence number at index {index} is {fibonacci(int(index))}")
