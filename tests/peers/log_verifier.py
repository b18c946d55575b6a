"""A second verifier of the audit log: it shares nothing with the first but the public formats.

Usage: log_verifier.py bundle VKEY [--checkpoint FILE]... FILE...
  Each FILE is a bundle of `audit export`; a checkpoint is one that was kept elsewhere. One line of
  JSON for each: file, verdict (whole, found or refused), first_bad, faults.
Usage: log_verifier.py tiles VKEY FOLDER
  FOLDER is the log as static files (C2SP tlog-tiles): the checkpoint must be signed by VKEY, every
  tile that it speaks of must be there, and they must agree: entries with the hashes of level 0, each
  level with the one below, and the whole with the root of the checkpoint.

Written from C2SP tlog-tiles, tlog-checkpoint and signed-note, RFC 9162 section 2.1, and for bundles from
gateway/docs/audit-format.md. Exit code 0 on success; 1 and the first thing that is wrong otherwise.
"""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from log_bundles import bundle  # noqa: E402
from log_forms import Wrong, checkpoint, leaf_hash, root_of  # noqa: E402

WIDTH = 256


def path_of(level, number, width):
    """Where C2SP tlog-tiles has a tile."""
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def widths(count):
    """The number and width of each tile that holds so many hashes."""
    for number in range((count + WIDTH - 1) // WIDTH):
        yield number, min(WIDTH, count - number * WIDTH)


def read(folder, path):
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError:
        raise Wrong(f"{path} is not there") from None


def level_hashes(folder, level, count):
    hashes = []
    for number, width in widths(count):
        path = path_of(level, number, width)
        data = read(folder, path)
        if len(data) != width * 32:
            raise Wrong(f"{path} is not of {width} hashes")
        hashes.extend(data[at:at + 32] for at in range(0, len(data), 32))
    return hashes


def entries(folder, size):
    for number, width in widths(size):
        path = path_of("entries", number, width)
        data, at, count = read(folder, path), 0, 0
        while at < len(data):
            length = int.from_bytes(data[at:at + 2], "big")
            entry = data[at + 2:at + 2 + length]
            if len(entry) != length:
                raise Wrong(f"{path} is cut")
            yield entry
            at, count = at + 2 + length, count + 1
        if count != width:
            raise Wrong(f"{path} is not of {width} entries")


def tiles(vkey, folder):
    folder = Path(folder)
    size, root = checkpoint(read(folder, "checkpoint").decode(), vkey)
    below = level_hashes(folder, 0, size)
    for seq, entry in enumerate(entries(folder, size)):
        if leaf_hash(entry) != below[seq]:
            raise Wrong(f"entry {seq} is not the one that was signed")
        if json.loads(entry)["seq"] != seq:
            raise Wrong(f"entry {seq} says that it is another")
    if size and root_of(below) != root:
        raise Wrong("the hashes are not those that the checkpoint speaks of")
    level = 1
    while len(below) >= WIDTH:
        above = level_hashes(folder, level, len(below) // WIDTH)
        for number, node in enumerate(above):
            if root_of(below[number * WIDTH:(number + 1) * WIDTH]) != node:
                raise Wrong(f"hash {number} of level {level} is not that of the tile below it")
        below, level = above, level + 1
    return f"{size} entries, {level} levels of tiles, root {root.hex()}"


def main():
    what, *arguments = sys.argv[1:]
    try:
        print({"bundle": bundle, "tiles": tiles}[what](*arguments))
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
