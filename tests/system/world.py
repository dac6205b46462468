"""The world of the tests of egress: a name server and an HTTPS server, in a process of their own.

Its only argument is a folder with `cert.pem`, `key.pem` and `names.json` (names with their addresses). It prints its ports
as JSON, and adds each request to `requests` in the folder, and the SHA-256 of each header `authorization` to `seen`.
With `document.json`, an OpenAPI document, and `documented.py` there, it answers as the document says; with `script.json` and
`models_server.py`, as a model; with `vault.json` and `vault_server.py`, a second HTTPS server is a store of secrets; with
`keys.json` and `keys_server.py`, it takes requests below `/v2/keys/` only with their key.
"""

import base64
import hashlib
import http.server
import ipaddress
import json
import pathlib
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def log(name, line):
    """Adds a line to a file of the folder."""
    with LOCK, open(FOLDER / name, "a") as file:
        file.write(line + "\n")


def seen(credential):
    log("seen", hashlib.sha256(credential.encode()).hexdigest())


def encodings(text):
    """A text in the encodings in which hosts repeat what they got."""
    aligned = [base64.b64encode(("x" * n + text).encode()).decode() for n in range(3)]
    return {
        "plain": text,
        "base64": aligned,
        "url": [one.replace("+", "-").replace("/", "_").rstrip("=") for one in aligned],
        "hex": [text.encode().hex(), text.encode().hex().upper()],
        "percent": ["".join(f"%{byte:02x}" for byte in text.encode()), urllib.parse.quote(text)],
        "escaped": "".join(f"\\u{ord(one):04x}" for one in text),
    }


def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question, kind = query[12 : at + 5], query[at + 2]
    found = json.loads((FOLDER / "names.json").read_text()).get(".".join(labels))
    addresses = [ipaddress.ip_address(one) for one in found or []]
    addresses = [one for one in addresses if kind == (1 if one.version == 4 else 28)]
    code = 3 if found is None else 0
    head = struct.pack(">HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
    records = b"".join(
        struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(one.packed)) + one.packed for one in addresses
    )
    return query[:2] + head + question + records


def names(server):
    while True:
        query, client = server.recvfrom(1500)
        server.sendto(answer(query), client)


class Handler(http.server.BaseHTTPRequestHandler):
    def said(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length).decode()
        log("requests", f"{self.command} {self.path} {body}")
        return body

    def reply(self, code, value, **headers):
        body = b"" if code == 204 else json.dumps(value).encode()
        self.send_response(code)
        for name, text in headers.items():
            self.send_header(name, text)
        if body:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def documented(self):
        code, value = DOCUMENT.answer(self.command, self.path, self.said())
        self.reply(code, value)

    def echo(self):
        """The header `authorization`, in every encoding."""
        said = self.headers.get("authorization", "")
        seen(said)
        return encodings(said)

    def page(self):
        """A list of five items in pages of two; of the list `broken` there is only the first."""
        url = urllib.parse.urlsplit(self.path)
        begin = int(urllib.parse.parse_qs(url.query).get("after", ["0"])[0])
        if begin and url.path.endswith("/broken"):
            self.reply(500, {})
            return
        end = min(begin + 2, 5)
        self.reply(200, {"data": list(range(begin, end)), "next": end if end < 5 else None})

    def file(self):
        """A file of 5 MiB."""
        self.send_response(200)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-disposition", 'attachment; filename="five.bin"')
        self.send_header("content-length", str(5 << 20))
        self.end_headers()
        self.wfile.write(bytes(range(256)) * (5 << 12))

    def do_GET(self):
        self.said()
        if self.path.startswith("/v2/pages/"):
            self.page()
            return
        if self.path.startswith("/v2/files/"):
            self.file()
            return
        if self.path.startswith("/v2/echo/"):
            self.reply(401 if self.path.endswith("/refused") else 200, {"echo": self.echo()})
            return
        if self.path == "/v2/moved":
            self.reply(302, {}, location="https://evil.example/v2/items/1")
        else:
            self.reply(200, {"data": {"path": self.path, "price": 7}, "hidden": "x"})

    def do_POST(self):
        body = self.said()
        if self.path == "/v2/held":
            # Never answered.
            threading.Event().wait()
        self.reply(201, {"echo": json.loads(body)})

    def keyed(self):
        body = self.said()
        code, value = KEYS.answer(self.command, self.path, self.headers, body)
        self.reply(code, value)

    def model(self):
        code, value, headers = MODEL.answer(FOLDER, self.path, self.headers, self.said(), log, seen)
        if isinstance(value, dict):
            self.reply(code, value, **headers)
        else:
            self.stream(code, value)

    def stream(self, code, frames):
        self.protocol_version = "HTTP/1.1"
        self.close_connection = True
        self.send_response(code)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in frames:
            if frame is None:
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


MODEL = None
if (FOLDER / "script.json").exists():
    import models_server as MODEL

    Handler.do_POST = Handler.model

KEYS = None
if (FOLDER / "keys.json").exists():
    import keys_server

    KEYS = keys_server.Keys(FOLDER, log, encodings)
    Handler.do_GET = Handler.do_POST = Handler.keyed

DOCUMENT = None
if (FOLDER / "document.json").exists():
    import documented

    DOCUMENT = documented.Document(FOLDER / "document.json")
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"]:
        setattr(Handler, "do_" + method, Handler.documented)


class StoreHandler(http.server.BaseHTTPRequestHandler):
    """Hands each request to the store of secrets; logs none of its bytes."""

    def handled(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        code, kind, said = STORE.answer(self.command, self.path, self.headers, body)
        self.send_response(code)
        if kind:
            self.send_header("content-type", kind)
        if code != 204:
            self.send_header("content-length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())

    do_GET = do_POST = handled

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")
https = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
https.socket = context.wrap_socket(https.socket, server_side=True)
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 0))
threading.Thread(target=names, args=(dns,), daemon=True).start()
ports = {"dns": dns.getsockname()[1], "https": https.server_address[1]}
if (FOLDER / "vault.json").exists():
    import vault_server

    STORE = vault_server.Store(FOLDER, log)
    store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StoreHandler)
    store.socket = context.wrap_socket(store.socket, server_side=True)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    ports["store"] = store.server_address[1]
print(json.dumps(ports), flush=True)
https.serve_forever()
