"""Headless Chromium, driven through its DevTools pipe: no driver and no WebSocket library needed.

    with browser.Browser(prefix=["nsenter", "--net=…"], profile=folder) as page:
        page.open("http://127.0.0.1:8888/lab")
        page.wait("document.querySelector('.jp-Notebook')")
        page.screenshot(path)
"""
import base64
import json
import os
import pathlib
import select
import subprocess
import time


class Browser:
    def __init__(self, *, prefix: list[str], profile: pathlib.Path):
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        script = f'exec "$@" 3<&{commands_out} 4>&{answers_in}'
        program = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-proxy-server", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--window-size=1280,900"]  # fmt: skip
        self._process = subprocess.Popen([*prefix, "sh", "-c", script, "sh", *program],
                                         pass_fds=(commands_out, answers_in), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)  # fmt: skip
        os.close(commands_out)
        os.close(answers_in)
        self._buffer = b""
        self._last = 0
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)
        os.close(self._commands)
        os.close(self._answers)

    def _read(self, deadline: float) -> dict:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._answers, 1 << 16)
            assert piece, "Chromium has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _ask(self, method: str, parameters: dict, session: str | None = None, timeout_s: float = 60) -> dict:
        self._last += 1
        request = {"id": self._last, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]

    def ask(self, method: str, **parameters) -> dict:
        return self._ask(method, parameters, self._session)

    def evaluate(self, script: str):
        """The value of a JavaScript expression, awaited where it is a promise."""
        told = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait(self, condition: str, timeout_s: float = 60) -> None:
        """Until the expression is true."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if self.evaluate(f"!!({condition})"):
                    return
            except AssertionError:  # the page is being replaced
                pass
            assert time.monotonic() < deadline, f"{condition} did not come true; the page says:\n{self.text()[:2000]}"
            time.sleep(0.2)

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)
        self.wait(f"document.readyState == 'complete' && location.href != 'about:blank'")

    def text(self) -> str:
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def screenshot(self, file: pathlib.Path) -> None:
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))
