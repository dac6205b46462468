"""The host of the tests of secrets: takes a request only if its credential is right, and repeats the key in every encoding.

`keys.json` in the folder has the keys by kind; it is deleted once it was read. Each credential that was right is one line of
`verified`.
"""

import base64
import hashlib
import hmac
import json
import re
import time
import urllib.parse


class Keys:
    def __init__(self, folder, log, encodings):
        self.log, self.encodings = log, encodings
        file = folder / "keys.json"
        self.keys = json.loads(file.read_text())
        file.unlink()

    def answer(self, method, target, headers, body):
        if target == "/device":
            return self.device(body)
        if target == "/token":
            return self.token(headers, body)
        if target.startswith("/v1/"):
            return self.vault_server(method, target, headers, body)
        kind = target.split("?")[0].split("/")[3]
        right = getattr(self, kind)(self.keys[kind], method, target, headers, body)
        if right:
            self.verified(kind)
        tokened = kind in ("client", "refresh")
        key = self.access(kind) if tokened else self.keys[kind].split(":")[-1]
        key += "kept" if kind == "vault" else ""
        return (200 if right else 401), {"echo": self.encodings(key)}

    def verified(self, kind):
        self.log("verified", kind)

    def access(self, kind):
        return self.keys[kind].split(" ")[0] + "access"

    def device(self, body):
        """As RFC 8628, 3.1; the person approves after the first poll."""
        names = {"client_id=me&scope=read%20write": "code/of+the-device", "client_id=me&scope=nobody": "never"}
        if body not in names:
            return 400, {"error": "invalid_request"}
        self.polls = 0
        return 200, {
            "device_code": names[body],
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://api.example.com/activate",
            "expires_in": 60,
            "interval": 1,
        }

    def polled(self, body):
        """As RFC 8628, 3.4 and 3.5."""
        grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
        if body == f"grant_type={grant}&device_code=never":
            return 400, {"error": "authorization_pending"}
        if body != f"grant_type={grant}&device_code=code%2Fof%2Bthe-device":
            return 400, {"error": "invalid_grant"}
        self.polls += 1
        if self.polls == 1:
            return 400, {"error": "authorization_pending"}
        refresh = self.keys["refresh"].rpartition(" ")[0]
        self.verified("login")
        return 200, {"access_token": "unused", "token_type": "Bearer", "refresh_token": refresh}

    def token(self, headers, body):
        """As RFC 6749, 4.4 and 6, with the scope of the test. Each refresh token is valid once."""
        kind = "client" if body.startswith("grant_type=client_credentials&") else "refresh"
        refresh, _, secret = self.keys[kind].rpartition(" ")
        client = base64.b64encode(f"me:{secret}".encode()).decode()
        right = headers.get("authorization") == f"Basic {client}"
        right = right and headers.get("content-type") == "application/x-www-form-urlencoded"
        if not right:
            return 401, {"error": "invalid_client"}
        if "device_code" in body:
            return self.polled(body)
        answer = {"access_token": self.access(kind), "token_type": "Bearer"}
        if kind == "client":
            if body != "grant_type=client_credentials&scope=read%20write":
                return 400, {"error": "invalid_request"}
            answer["expires_in"] = 3600
        else:
            if body != f"grant_type=refresh_token&refresh_token={refresh}&scope=read%20write":
                return 400, {"error": "invalid_grant"}
            answer["refresh_token"] = refresh + "r"
            self.keys[kind] = f"{refresh}r {secret}"
            answer["access_token"] = self.access(kind)
        self.verified(f"token of {kind}")
        return 200, answer

    def vault_server(self, method, target, headers, body):
        """As the documents of Vault say of AppRole and of KV version 2; each token is valid until it is revoked."""
        secret_id = self.keys["vault"]
        if headers.get("x-vault-request") != "true":
            return 412, {"errors": ["no header x-vault-request"]}
        if (method, target) == ("POST", "/v1/auth/approle/login"):
            said = json.loads(body)
            if headers.get("content-type") != "application/json" or set(said) != {"role_id", "secret_id"}:
                return 400, {"errors": ["malformed"]}
            if said != {"role_id": "role-of-tests", "secret_id": secret_id}:
                return 400, {"errors": ["invalid role or secret ID"]}
            self.vault_token = secret_id + "token" + str(time.monotonic_ns())
            self.verified("login at vault")
            return 200, {"auth": {"client_token": self.vault_token, "lease_duration": 1200, "renewable": True}}
        if headers.get("x-vault-token") != getattr(self, "vault_token", None):
            return 403, {"errors": ["permission denied"]}
        if (method, target) == ("POST", "/v1/auth/token/revoke-self"):
            self.vault_token = None
            self.verified("end at vault")
            return 204, None
        if (method, target) != ("GET", "/v1/secret/data/apps/keys?version=2"):
            return 404, {"errors": []}
        self.verified("value of vault")
        metadata = {"version": 2, "deletion_time": "", "destroyed": False}
        return 200, {"data": {"data": {"key": secret_id + "kept", "other": 7}, "metadata": metadata}}

    def vault(self, key, method, target, headers, body):
        return headers.get("x-key") == key + "kept"

    def client(self, key, method, target, headers, body):
        return headers.get("authorization") == f"Bearer {self.access('client')}"

    def refresh(self, key, method, target, headers, body):
        return headers.get("authorization") == f"Bearer {self.access('refresh')}"

    def header(self, key, method, target, headers, body):
        return headers.get("authorization") == f"Bearer {key}"

    def query(self, key, method, target, headers, body):
        return urllib.parse.parse_qs(target.partition("?")[2]).get("key") == [key]

    def cookie(self, key, method, target, headers, body):
        return headers.get("cookie") == f"sid={key}"

    def basic(self, key, method, target, headers, body):
        return headers.get("authorization") == "Basic " + base64.b64encode(key.encode()).decode()

    def hmac(self, key, method, target, headers, body):
        at = headers.get("x-time", "0")
        signed = f"v0:{at}\n{method} {headers['host']}{target}:{body}"
        wanted = hmac.new(key.encode(), signed.encode(), "sha256").hexdigest()
        said = headers.get("x-signature", "")
        return hmac.compare_digest(said, f"v0={wanted}") and abs(time.time() - int(at)) < 300

    def sigv4(self, key, method, target, headers, body):
        """As the documents of AWS say, for every service but S3."""
        form = r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8}/([\w-]+)/([\w-]+)/aws4_request), SignedHeaders=([\w;-]+), Signature=(\w{64})"
        found = re.fullmatch(form, headers.get("authorization", ""))
        if found is None:
            return False
        key_id, scope, region, service, names, said = found.groups()
        hashed = hashlib.sha256(body.encode()).hexdigest()
        needed = {"host", "x-amz-date", "x-amz-content-sha256", "content-type"}
        if not needed <= set(names.split(";")) or headers["x-amz-content-sha256"] != hashed:
            return False
        path, _, query = target.partition("?")
        pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
        quote = lambda text: urllib.parse.quote(text, safe="-_.~")
        canonical = "\n".join(
            [
                method,
                urllib.parse.quote(path, safe="/-_.~"),
                "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs),
                *(f"{name}:{headers[name].strip()}" for name in names.split(";")),
                "",
                names,
                hashed,
            ]
        )
        date = headers["x-amz-date"]
        text = "\n".join(
            ["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        wanted_id, secret = key.split(":")
        signing = ("AWS4" + secret).encode()
        for part in [date[:8], region, service, "aws4_request", text]:
            signing = hmac.new(signing, part.encode(), "sha256").digest()
        return key_id == wanted_id and hmac.compare_digest(said, signing.hex())
