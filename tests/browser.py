"""A real Chromium for the tests, driven through its debugging protocol, without a network."""

import asyncio
import base64
import json
import re
import shutil
import subprocess

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def find():
    """The path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One tab. `events` holds what the browser told since the page was opened."""

    def __init__(self, executable, profile):
        self.loop = asyncio.new_event_loop()
        self.process = subprocess.Popen(
            [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            text=True,
        )
        told = []
        for line in self.process.stderr:
            told.append(line)
            if match := re.search(r"ws://127\.0\.0\.1:(\d+)/", line):
                break
        else:
            raise RuntimeError("Chromium did not start:\n" + "".join(told))
        self.count, self.events = 0, []
        self.loop.run_until_complete(self._connect(match.group(1)))
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, address, width, height=900, dark=False):
        """Open a page, wait until it is loaded and its formulas are set."""
        self._go("about:blank")  # so that the page before does not load images for this width and theme
        self.resize(width, height)
        self.theme(dark)
        self._go(address)
        self.evaluate("window.formulas?.then(() => true) ?? true")

    def _go(self, address):
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.loop.run_until_complete(asyncio.wait_for(self._loaded(), 60))

    def resize(self, width, height=900):
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        # the answer may come before the page has its width, and a page arranges itself in its next frames
        self.evaluate(
            "(async () => { const frame = () => new Promise(requestAnimationFrame);"
            f"for (let i = 0; i < 30 && innerWidth !== {width} && location.protocol !== 'about:'; i++) await frame();"
            "await frame(); await frame(); })()"
        )

    def theme(self, dark):
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])
        # a page hears of it with its next frame
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    def evaluate(self, expression):
        """The value of a JavaScript expression on the page; promises are waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def place(self, selector, x=0.5, y=0.5):
        """A point of an element, in the window: x and y are shares of its width and height. It is scrolled into view."""
        box = self.evaluate(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.scrollIntoView({{block: 'center'}});"
            "const box = node.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })()"
        )
        return box[0] + x * box[2], box[1] + y * box[3]

    def mouse(self, kind, x, y):
        """A mouse event: "moved", "pressed" or "released"."""
        buttons = {} if kind == "moved" else {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind.capitalize()}", x=x, y=y, **buttons)

    def click(self, selector):
        x, y = self.place(selector)
        for kind in ("moved", "pressed", "released"):
            self.mouse(kind, x, y)

    def tap(self, x, y):
        """A finger that touches and leaves."""
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, *keys):
        """Press keys one after the other, by the browser's names, such as "Tab" or "ArrowUp"."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        for key in keys:
            for kind in ("rawKeyDown", "keyUp"):
                code = codes[key]
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def settle(self):
        """Wait until the page has drawn what it was told, with all that fades in or out at its end."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")
        self.evaluate(
            "document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity)"
            ".forEach((one) => one.finish())"
        )

    def pdf(self):
        """The page as it would be printed."""
        answer = self.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(answer["data"])

    def picture(self):
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        return base64.b64decode(answer["data"])

    def requests(self):
        """Addresses that the page asked for."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self):
        """Exceptions of scripts, and errors that the browser logged."""
        thrown = [event["params"] for event in self.events if event["method"] == "Runtime.exceptionThrown"]
        logged = [event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"]
        return thrown + [entry for entry in logged if entry["level"] == "error"]

    def call(self, method, **parameters):
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), 60))

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(30)
        self.process.stderr.close()
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.loop.close()

    async def _connect(self, port):
        for _ in range(50):
            answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/json")
            pages = [target for target in json.loads(answer.body) if target["type"] == "page"]
            if pages:
                break
            await asyncio.sleep(0.1)
        self.socket = await websocket_connect(pages[0]["webSocketDebuggerUrl"], max_message_size=1 << 28)

    async def _call(self, method, parameters):
        self.count += 1
        await self.socket.write_message(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = await self._read()
            if message.get("id") == self.count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    async def _loaded(self):
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            await self._read()

    async def _read(self):
        text = await self.socket.read_message()
        if text is None:
            raise RuntimeError("Chromium closed the connection")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
