"""Mutates recorded messages with radamsa, and writes each result to standard output: its length in four bytes, then itself.

usage: mutate.py COUNT SEED FILE...
"""

import struct
import sys

import pyradamsa

# A mutation may repeat what it finds; the message need not become larger than this.
LARGEST = 64 * 1024


def main() -> None:
    count, seed, files = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    messages = [open(file, "rb").read() for file in files]
    radamsa = pyradamsa.Radamsa()
    for number in range(count):
        message = messages[number % len(messages)]
        mutated = radamsa.fuzz(message, seed=seed + number, max_mut=LARGEST)
        sys.stdout.buffer.write(struct.pack("<I", len(mutated)) + mutated)


main()
