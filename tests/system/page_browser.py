"""A browser for tests: reads one JSON command a line, prints one JSON answer a line.

    page_browser.py CHROMIUM PROFILE

Commands: {"do": "headers", "headers": {...}}, {"do": "open", "url": ..., "width": ..., "height": ..., "dark": ..., "shot": FILE or null, "axe": FILE or null},
{"do": "eval", "code": ...}. It speaks the DevTools protocol over a pipe, so it needs no library.
"""

import base64
import json
import os
import subprocess
import sys


class Browser:
    def __init__(self, program, profile):
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()

        def pipes():
            # Both ends first above the numbers that the browser expects.
            a, b = os.dup(in_read), os.dup(out_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(out_write)
        os.close(in_read)
        self.reader = os.fdopen(out_read, "rb", buffering=0)
        self.writer = in_write
        self.buffer = b""
        self.number = 0
        self.events = []
        target = self.call("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.buffer:
            more = self.reader.read(1 << 16)
            if not more:
                sys.exit("the browser has ended")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, params=None, session=""):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": params or {}}
        if session is not None:
            asked["sessionId"] = self.session
        os.write(self.writer, json.dumps(asked).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        while True:
            for at, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(at)
            self.events.append(self.message())

    def evaluate(self, code):
        done = self.call("Runtime.evaluate", {"expression": code, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in done:
            sys.exit(f"{code}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def open(self, asked):
        self.events.clear()
        width, height = asked["width"], asked["height"]
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        scheme = "dark" if asked["dark"] else "light"
        self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.call("Page.navigate", {"url": asked["url"]})
        self.wait("Page.loadEventFired")
        if asked["shot"]:
            shot = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
            with open(asked["shot"], "wb") as file:
                file.write(base64.b64decode(shot["data"]))
        found = []
        if asked.get("axe"):
            with open(asked["axe"]) as file:
                self.evaluate(file.read() + ";0")
            found = self.evaluate("axe.run().then(r => r.violations.map(v => v.id + ': ' +"
                                  " v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; ')))")
        said = [event["params"] for event in self.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
        return {
            "title": self.evaluate("document.title"),
            "wider": self.evaluate("document.documentElement.scrollWidth - innerWidth"),
            "small": self.evaluate("[...document.querySelectorAll('a,button,summary,input,select')].filter(e => {"
                                   "const r = e.getBoundingClientRect(); return r.width && !e.closest('.skip') && r.height < 24"
                                   " && getComputedStyle(e).display !== 'inline'; }).map(e => e.outerHTML)"),
            "axe": found,
            "said": [json.dumps(one) for one in said],
        }

    def run(self, asked):
        if asked["do"] == "headers":
            self.call("Network.setExtraHTTPHeaders", {"headers": asked["headers"]})
            return {}
        if asked["do"] == "open":
            return self.open(asked)
        return {"value": self.evaluate(asked["code"])}


def main():
    browser = Browser(sys.argv[1], sys.argv[2])
    try:
        for line in sys.stdin:
            print(json.dumps(browser.run(json.loads(line))), flush=True)
    finally:
        browser.process.kill()
        browser.process.wait()


main()
