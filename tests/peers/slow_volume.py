"""A volume that is slow to answer: holds leases on files, so that whoever opens one waits for it.

Makes each file named on the command line and takes a lease on it (fcntl F_SETLEASE, Linux). When a process
opens one of them to write, the kernel lets it wait until the lease is given up, which happens after the
seconds named first. Prints "slow" once all leases are held, or "no leases" where the file system has none,
and a line for each that it gave up. Ends when its standard input does.
"""

import fcntl
import os
import select
import signal
import sys
import time

seconds, files = float(sys.argv[1]), sys.argv[2:]
waker, woken = os.pipe()
os.set_blocking(woken, False)
signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
signal.signal(signal.SIGIO, lambda number, frame: None)
held = {}
for name in files:
    file = os.open(name, os.O_RDONLY | os.O_CREAT, 0o640)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        print("no leases", flush=True)
        sys.exit(0)
    held[file] = name
print("slow", flush=True)
while True:
    ready, _, _ = select.select([sys.stdin, waker], [], [])
    if sys.stdin in ready and not sys.stdin.buffer.read(1):
        break
    if waker in ready:
        os.read(waker, 4096)
        time.sleep(seconds)
        for file, name in list(held.items()):
            # A lease that is being broken is not the one that was taken any more.
            if fcntl.fcntl(file, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                os.close(file)
                del held[file]
                print(name, flush=True)
