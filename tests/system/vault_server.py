"""A store of secrets as HashiCorp Vault documents it: AppRole and a KV engine of version 2. It refuses whatever differs.

`vault.json` in the folder has the role, the secret id, the beginning of tokens, and the versions of the one entry; it is deleted once
it was read. Each step that was right is one line of `store`. `says.json` has other answers to `login` or `read`; with `holds` in the
folder, a reading is never answered.
"""

import json
import threading
import urllib.parse


class Store:
    def __init__(self, folder, log):
        self.folder, self.log = folder, log
        file = folder / "vault.json"
        self.given = json.loads(file.read_text())
        file.unlink()
        self.tokens, self.logins = set(), 0

    def answer(self, method, target, headers, body):
        """Returns a code, a type of content, and a body."""
        steps = {
            ("POST", "/v1/auth/approle/login"): ("login", self.login),
            ("GET", "/v1/kv/data/team/crm"): ("read", self.read),
            ("POST", "/v1/auth/token/revoke-self"): ("revoke", self.revoke),
        }
        path, _, query = target.partition("?")
        name, step = steps.get((method, path), (None, None))
        if step is None:
            return self.failed(404, "no handler for route")
        code, kind, said = step(query, headers, body)
        file = self.folder / "says.json"
        others = json.loads(file.read_text()) if file.exists() else {}
        return others.get(name, [code, kind, said])

    def failed(self, code, *errors):
        return code, "application/json", json.dumps({"errors": errors})

    def login(self, query, headers, body):
        if query or "x-vault-token" in headers or headers.get("content-type") != "application/json":
            return self.failed(400, "malformed login")
        wanted = {"role_id": self.given["role"], "secret_id": self.given["secret_id"]}
        if json.loads(body) != wanted:
            return self.failed(400, "invalid role or secret ID")
        self.logins += 1
        token = self.given["token"] + str(self.logins)
        self.tokens.add(token)
        self.log("store", "login")
        auth = {"client_token": token, "accessor": "a", "lease_duration": 1200, "renewable": True}
        return 200, "application/json", json.dumps({"auth": auth, "data": None})

    def read(self, query, headers, body):
        if body or headers.get("x-vault-token") not in self.tokens:
            return self.failed(403, "permission denied")
        asked = urllib.parse.parse_qs(query).get("version", ["0"])[0]
        version = asked if asked != "0" else max(self.given["versions"])
        if (self.folder / "holds").exists():
            self.log("store", "held")
            threading.Event().wait()
        self.log("store", f"read {version}")
        found = self.given["versions"].get(version)
        if found is None:
            return 404, "application/json", json.dumps({"errors": []})
        metadata = {
            "version": int(version),
            "created_time": "2026-01-01T00:00:00.123456789Z",
            "deletion_time": "2026-01-02T00:00:00Z" if found in ("deleted", "destroyed") else "",
            "destroyed": found == "destroyed",
            "custom_metadata": None,
        }
        is_there = isinstance(found, dict)
        data = {"data": found if is_there else None, "metadata": metadata}
        return (200 if is_there else 404), "application/json", json.dumps({"data": data})

    def revoke(self, query, headers, body):
        token = headers.get("x-vault-token")
        if body or token not in self.tokens:
            return self.failed(403, "permission denied")
        self.tokens.remove(token)
        self.log("store", "revoked")
        return 204, None, ""
