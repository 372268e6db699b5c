#!/usr/bin/env python3
"""Serves a folder's files on the loopback address and misbehaves as told.

    fault_server.py FOLDER [CERTIFICATE KEY]

Prints "PORT\\n" when it listens. A test has a folder ROOM of its own below FOLDER. GET /ROOM/FILE serves
FOLDER/ROOM/FILE with byte ranges. GET /ROOM/PLAN/FILE does the same after it has worked off FOLDER/ROOM/PLAN.json, a
list of steps, one a request:

    {"status": 503, "headers": {"Retry-After": "1"}}  answers with an error
    {"cut": 1000}                                     closes the connection after 1000 bytes of the body
    {"reset": 1000}                                   resets it instead
    {"stall": 1000}                                   says nothing more after 1000 bytes
    {"slow": 5}                                       waits 5 s before every piece of the body
    {"ignore_range": true}                            answers 200 with everything
    {"content_range": "bytes 0-9/10"}                 states another range than it sends; "" states none
    {"body_of": "other"}                              sends another file's bytes
    {"redirect": "http://…"}                          answers 302; "{here}" stands for http://…/ROOM
    {"gzip": true}                                    sends the body gzip-encoded
    {}                                                answers as it should

PUT, POST and PATCH /ROOM/PLAN/FILE keep the body as FOLDER/ROOM/FILE and answer 201, after the same steps.

GET /ROOM/simple/NAME/ serves FOLDER/ROOM/simple/NAME/index.html, a page of a Python package index (PEP 503).

When the plan is worked off, it answers as it should; a last step {"forever": true, …} is repeated. Every request is a
line of FOLDER/ROOM/requests.jsonl. The server ends when its standard input does.
"""
import collections
import gzip
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()
done = collections.Counter()
running = collections.Counter()


def next_step(plan: pathlib.Path) -> dict:
    steps = json.loads(plan.read_text())
    with lock:
        number = done[plan]
        done[plan] += 1
    if number < len(steps):
        return steps[number]
    return steps[-1] if steps and steps[-1].get("forever") else {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, room, plan, name):
        line = {"plan": plan, "file": name, "range": self.headers.get("Range", ""), "at": time.monotonic(),
                "authorization": self.headers.get("Authorization", ""), "parallel": running[room]}
        with open(room / "requests.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")

    def do_GET(self):
        if "/simple/" in self.path:
            return self.page()
        first, *plan, name = self.path.lstrip("/").split("?")[0].split("/")
        room, name = folder / first, urllib.parse.unquote(name)
        with lock:
            running[room] += 1
            self.note(room, "".join(plan), name)
        try:
            self.answer(room, next_step(room / f"{plan[0]}.json") if plan else {}, name)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with lock:
                running[room] -= 1

    def do_HEAD(self):
        self.do_GET()

    def do_PUT(self):
        first, *plan, name = self.path.lstrip("/").split("/")
        room = folder / first
        with lock:
            self.note(room, "".join(plan), name)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step = next_step(room / f"{plan[0]}.json") if plan else {}
        if "redirect" in step or "status" in step:
            return self.answer(room, step, name)
        (room / name).write_bytes(body)
        self.simple(201, {"X-Method": self.command, "X-Type": self.headers.get("Content-Type", "")})

    do_POST = do_PATCH = do_PUT

    def page(self):
        first, *rest = self.path.strip("/").split("/")
        with lock:
            self.note(folder / first, "", "/".join(rest))
        path = folder.joinpath(first, *rest, "index.html")
        if not path.is_file():
            return self.simple(404, {})
        body = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send(body)

    def send(self, body):
        if self.command != "HEAD":
            self.wfile.write(body)

    def simple(self, status, headers):
        body = b"<html>not what was asked for</html>"
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send(body)

    def answer(self, room, step, name):
        if "redirect" in step:
            return self.simple(302, {"Location": step["redirect"].replace("{here}", f"http://127.0.0.1:{port}/{room.name}")})
        if "status" in step:
            return self.simple(step["status"], step.get("headers", {}))
        path = room / step.get("body_of", name)
        if not path.is_file():
            return self.simple(404, {})
        body = path.read_bytes()
        total = len(body)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted and not step.get("ignore_range"):
            first, last = wanted.groups()
            begin = int(first) if first else max(0, total - int(last))
            end = min(total, int(last) + 1) if first and last else total
            if begin >= total:
                return self.simple(416, {"Content-Range": f"bytes */{total}"})
            body = body[begin:end]
            self.send_response(206)
            stated = step.get("content_range", f"bytes {begin}-{end - 1}/{total}")
            if stated:
                self.send_header("Content-Range", stated)
        else:
            self.send_response(200)
        if step.get("gzip"):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send_body(step, body)

    def send_body(self, step, body):
        for fault in ("cut", "reset", "stall"):
            if fault in step:
                self.wfile.write(body[:step[fault]])
                self.wfile.flush()
                self.close_connection = True
                if fault == "stall":
                    time.sleep(60)
                if fault == "reset":
                    time.sleep(0.1)  # so that what was sent is read before the reset discards it
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
        if "slow" in step:
            for at in range(0, len(body), max(1, len(body) // 10)):
                time.sleep(step["slow"])
                self.wfile.write(body[at:at + max(1, len(body) // 10)])
            return
        self.send(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request):
        # The default sends a FIN first, which would make a reset a tidy end.
        request.close()

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
port = server.server_address[1]
print(port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever()
