"""A small registry of distribution-spec v1.1 on the loopback address, with everything that Debian's docker-registry is
too old for (referrers, chunk lengths, conditions), and faults on demand.

    registry = FaultyRegistry(referrers=True)
    registry.fault("PATCH", "/blobs/uploads/", after=1000)   # reads 1000 bytes of the next PATCH, keeps them, hangs up

It checks what a client owes a registry: the order of chunks, digests, that a manifest's blobs are there, conditions.
"""
import base64
import contextlib
import hashlib
import http.server
import json
import re
import socket
import struct
import threading
import time
import urllib.parse
import uuid

INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class HangUp(Exception):
    pass


class FaultyRegistry:
    def __init__(self, *, referrers=True, subject_header=True, etags=True, chunk_min=0, relative=False, page_size=0,
                 password=None, token_life=None, mounts=True, tls=None):
        self.blobs: dict[tuple[str, str], bytes] = {}  # (repository, digest)
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # (repository, tag or digest) → type, bytes
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[tuple[str, str, dict]] = []
        self.faults: list[dict] = []
        self.referrers, self.subject_header, self.etags, self.chunk_min = referrers, subject_header, etags, chunk_min
        self.relative, self.page_size, self.password, self.token_life = relative, page_size, password, token_life
        self.mounts, self.short_chunks = mounts, 0  # only the last chunk may be shorter than asked for
        self.tokens: dict[str, int] = {}  # token → how many requests it is still good for
        self.scopes: list[list[str]] = []
        self.between = lambda: None  # called before a manifest is stored, for those who write at the same time
        self.lock = threading.RLock()
        handler = type("BoundHandler", (Handler,), {"registry": self})
        self.server = Server(("127.0.0.1", 0), handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fault(self, method, path, *, times=1, skip=0, **action):
        """The next `times` requests with this method and `path` in their path, after `skip` good ones, fail:
        status=503, headers={…}; after=N reads N bytes of the body, keeps them and hangs up; cut=N answers N bytes of
        the body; slow=S waits; until=F waits till F() is true, but not for ever; body=bytes answers other bytes; digest="…" tells another digest; redirect="http://…";
        lose=True forgets the upload; ignore_range=True answers with everything."""
        self.faults.append({"method": method, "path": path, "times": times, "skip": skip, **action})

    def next_fault(self, method, path) -> dict:
        with self.lock:
            for fault in self.faults:
                if fault["method"] == method and re.search(fault["path"], path) and fault["times"] > 0:
                    if fault["skip"] > 0:
                        fault["skip"] -= 1
                        return {}
                    fault["times"] -= 1
                    return fault
        return {}

    def seen(self, method, path="") -> list[dict]:
        return [headers for m, p, headers in self.requests if m == method and path in p]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass

    def shutdown_request(self, request):
        request.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: FaultyRegistry

    def log_message(self, *_):
        pass

    # Requests

    def handle_any(self):
        path, _, query = self.path.partition("?")
        self.path_only, self.query = path, urllib.parse.parse_qs(query)
        self.body_left = int(self.headers.get("Content-Length") or 0)
        with self.registry.lock:
            self.registry.requests.append((self.command, self.path, dict(self.headers)))
        self.fault = self.registry.next_fault(self.command, self.path)
        try:
            self.serve()
        except (HangUp, BrokenPipeError, ConnectionResetError):
            with contextlib.suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def serve(self):
        registry, fault = self.registry, self.fault
        for _ in range(600):
            if "until" not in fault or fault["until"]():
                break
            time.sleep(0.05)
        if "slow" in fault:
            time.sleep(fault["slow"])
        if self.path_only == "/token":
            return self.token()
        if "redirect" in fault:
            self.read_body()
            return self.answer(307, {"Location": fault["redirect"]})
        if "status" in fault:
            self.read_body()
            return self.answer(fault["status"], fault.get("headers", {}), fault.get("error", b""))
        if not self.may():
            self.read_body()
            return
        if self.path_only == "/v2/":
            return self.answer(200)
        match = re.fullmatch(r"/v2/(.+)/(blobs/uploads|blobs|manifests|referrers)/([^/]*)", self.path_only)
        if not match:
            return self.answer(404)
        repository, kind, name = match.groups()
        with registry.lock if kind != "blobs/uploads" else contextlib.nullcontext():
            {"blobs/uploads": self.upload, "blobs": self.blob, "manifests": self.manifest,
             "referrers": self.list_referrers}[kind](repository, name)  # fmt: skip

    def read_body(self) -> bytes:
        data = self.rfile.read(self.body_left)
        self.body_left = 0
        return data

    def answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            cut = self.fault.get("cut")
            self.wfile.write(body if cut is None else body[:cut])
            if cut is not None:
                raise HangUp

    def error(self, status, code):
        self.answer(status, {"Content-Type": "application/json"},
                    json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode())  # fmt: skip

    # Who is it?

    def may(self) -> bool:
        registry, header = self.registry, self.headers.get("Authorization", "")
        if registry.password is None:
            return True
        if registry.token_life is None:
            if header == "Basic " + base64.b64encode(registry.password.encode()).decode():
                return True
            challenge = 'Basic realm="faulty"'
        else:
            token = header.removeprefix("Bearer ")
            with registry.lock:
                if registry.tokens.get(token, 0) > 0:
                    registry.tokens[token] -= 1
                    return True
            challenge = f'Bearer realm="http://{registry.host}/token",service="faulty"'
        self.answer(401, {"WWW-Authenticate": challenge})
        return False

    def token(self):
        registry = self.registry
        wanted = "Basic " + base64.b64encode((registry.password or "").encode()).decode()
        body = urllib.parse.parse_qs(self.read_body().decode())
        if self.headers.get("Authorization") != wanted and body.get("refresh_token") != [registry.password]:
            return self.error(401, "UNAUTHORIZED")
        token = uuid.uuid4().hex
        with registry.lock:
            registry.tokens[token] = registry.token_life
            registry.scopes.append(self.query.get("scope", body.get("scope", [])))
        self.answer(200, {"Content-Type": "application/json"}, json.dumps({"token": token, "expires_in": 300}).encode())

    # Blobs

    def location(self, repository, upload) -> str:
        path = f"/v2/{repository}/blobs/uploads/{upload}?state={uuid.uuid4().hex}"
        return path if self.registry.relative else f"http://{self.headers['Host']}{path}"

    def upload(self, repository, name):
        registry = self.registry
        if self.command == "POST":
            self.read_body()
            digest, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
            if registry.mounts and (source, digest) in registry.blobs:
                registry.blobs[repository, digest] = registry.blobs[source, digest]
                return self.answer(201, {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest})
            name = uuid.uuid4().hex
            registry.uploads[name] = bytearray()
            headers = {"Location": self.location(repository, name), "Range": "0-0"}
            if registry.chunk_min:
                headers["OCI-Chunk-Min-Length"] = registry.chunk_min
            return self.answer(202, headers)
        data = registry.uploads.get(name)
        if data is None or self.fault.get("lose"):
            registry.uploads.pop(name, None)
            self.read_body()
            return self.error(404, "BLOB_UPLOAD_UNKNOWN")
        progress = lambda: {"Location": self.location(repository, name), "Range": f"0-{max(len(data), 1) - 1}"}
        if self.command == "GET":
            return self.answer(204, progress())
        if self.command == "DELETE":
            del registry.uploads[name]
            return self.answer(204)
        if self.command == "PATCH":
            begin = self.headers.get("Content-Range", "0-").split("-")[0]
            if int(begin) != len(data) or self.fault.get("elsewhere"):
                self.read_body()
                return self.answer(416, progress())
            if self.body_left < registry.chunk_min:
                registry.short_chunks += 1
        if "after" in self.fault:
            data += self.rfile.read(self.fault["after"])
            raise HangUp
        data += self.read_body()
        if self.command == "PATCH":
            return self.answer(202, progress())
        digest = self.query["digest"][0]
        if digest_of(bytes(data)) != digest:
            return self.error(400, "DIGEST_INVALID")
        registry.blobs[repository, digest] = bytes(data)
        del registry.uploads[name]
        self.answer(201, {"Location": f"/v2/{repository}/blobs/{digest}",
                          "Docker-Content-Digest": self.fault.get("digest", digest)})  # fmt: skip

    def blob(self, repository, digest):
        data = self.fault.get("body", self.registry.blobs.get((repository, digest)))
        if data is None:
            return self.error(404, "BLOB_UNKNOWN")
        headers = {"Docker-Content-Digest": self.fault.get("digest", digest), "Content-Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted or self.fault.get("ignore_range"):
            return self.answer(200, headers, data)
        begin = int(wanted[1])
        if begin >= len(data):
            return self.answer(416, {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self.answer(206, headers, data[begin:])

    # Manifests

    def manifest(self, repository, name):
        registry = self.registry
        if self.command in ("GET", "HEAD"):
            found = registry.manifests.get((repository, name))
            if not found:
                return self.error(404, "MANIFEST_UNKNOWN")
            kind, data = found
            data = self.fault.get("body", data)
            headers = {"Content-Type": kind, "Docker-Content-Digest": self.fault.get("digest", digest_of(data))}
            if registry.etags:
                headers["ETag"] = f'"{digest_of(data)}"'
            return self.answer(200, headers, data)
        data, kind = self.read_body(), self.headers["Content-Type"]
        registry.between()
        now = registry.manifests.get((repository, name))
        condition = self.headers.get("If-Match")
        if condition and (not now or condition != f'"{digest_of(now[1])}"'):
            return self.error(412, "PRECONDITION_FAILED")
        digest, document = digest_of(data), json.loads(data)
        if name.startswith("sha256:") and name != digest:
            return self.error(400, "DIGEST_INVALID")
        for blob in [document["config"], *document["layers"]] if "layers" in document else []:
            if (repository, blob["digest"]) not in registry.blobs:
                return self.error(404, "MANIFEST_BLOB_UNKNOWN")
        registry.manifests[repository, name] = registry.manifests[repository, digest] = (kind, data)
        headers = {"Location": f"/v2/{repository}/manifests/{digest}",
                   "Docker-Content-Digest": self.fault.get("digest", digest)}  # fmt: skip
        if registry.subject_header and registry.referrers and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        self.answer(201, headers)

    def list_referrers(self, repository, digest):
        registry = self.registry
        if not registry.referrers:
            return self.error(404, "UNSUPPORTED")
        entries = {}
        for (name, _), (kind, data) in registry.manifests.items():
            document = json.loads(data)
            if name == repository and document.get("subject", {}).get("digest") == digest:
                entries[digest_of(data)] = {"mediaType": kind, "digest": digest_of(data), "size": len(data),
                                            "artifactType": document.get("artifactType", "")}  # fmt: skip
        entries, headers = [entries[key] for key in sorted(entries)], {"Content-Type": INDEX}
        if registry.page_size:
            first = int(self.query.get("first", ["0"])[0])
            if first + registry.page_size < len(entries):
                headers["Link"] = f'<{self.path_only}?first={first + registry.page_size}>; rel="next"'
            entries = entries[first:first + registry.page_size]
        self.answer(200, headers, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode())
