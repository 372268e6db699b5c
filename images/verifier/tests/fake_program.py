"""A test program that behaves as the id of the test says."""
import json
import os
import signal
import subprocess
import sys
import time

mode = sys.argv[1]
if len(sys.argv) > 2:  # counts how often it is started
    with open(sys.argv[2], "a") as starts:
        starts.write("x")
if mode == "does not start":
    sys.exit("libcudnn.so.9: cannot open shared object file")
if mode == "hangs at start":
    time.sleep(60)
if mode == "no facts":
    print("hello", flush=True)

context = json.loads(sys.stdin.readline())
if mode == "works":
    print(json.dumps({"facts": {"versions": {"torch": "2.8.0"}, "host": {"seed": context["seed"]}}}), flush=True)

for line in sys.stdin:
    test = json.loads(line)["test"]
    if "hang" in test:
        time.sleep(60)
    if "crash" in test:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "exit" in test:
        print("the last word", file=sys.stderr, flush=True)
        sys.exit(4)
    if "orphan" in test:  # the process ends, but its child holds the pipes
        subprocess.Popen(["sleep", "60"])
        os._exit(5)
    if "garbage" in test:
        print("}{", flush=True)
    if "other" in test:
        print(json.dumps({"test": "cpu.good", "measured": 0}), flush=True)
    if "flood" in test:
        try:
            sys.stdout.write("x" * (2 << 20))
            sys.stdout.flush()
        except BrokenPipeError:
            os._exit(0)
        time.sleep(60)
    if "stops" in test:  # as the terminal's Ctrl-C does
        os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(60)
    if "bytes" in test:
        os.write(2, b"\xff\xfe not UTF-8\n")
        os._exit(1)
    print(json.dumps({"test": test, "measured": 1 if "bad" in test else 0}), flush=True)
