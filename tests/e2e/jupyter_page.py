"""JupyterLab's pages, used as a person does."""
import json

from browser import Browser

ADDRESS = "http://127.0.0.1:8888"

# Where the first curve of matplotlib's colours is, by columns from the left: rows from the top, in parts of the picture.
CURVE = """(async () => {
  const picture = document.querySelector('.jp-OutputArea-output img');
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight), context = canvas.getContext('2d');
  context.drawImage(picture, 0, 0);
  const {data, width, height} = context.getImageData(0, 0, canvas.width, canvas.height);
  const rows = [];
  for (let x = 0; x < width; ++x) {
    const found = [];
    for (let y = 0; y < height; ++y) {
      const at = 4 * (y * width + x);
      if (Math.abs(data[at] - 31) + Math.abs(data[at + 1] - 119) + Math.abs(data[at + 2] - 180) < 30) found.push(y / height);
    }
    if (found.length) rows.push(found.reduce((a, b) => a + b) / found.length);
  }
  return rows;
})()"""


def log_in(page: Browser, secret: str) -> None:
    page.wait("document.querySelector('#password_input')")
    page.evaluate(f"document.querySelector('#password_input').value = {json.dumps(secret)}")
    page.evaluate("document.querySelector('#login_submit').click()")


def put_notebook(page: Browser, name: str, source: str) -> tuple[int, int]:
    """Saves a notebook of one cell: the status of an attempt without the cookie's token, which is what a forgery from another
    page can do, and that of one with it."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook})
    send = f"fetch('/api/contents/{name}', {{method: 'PUT', headers: HEADERS, body: {json.dumps(body)}}}).then(r => r.status)"
    own = "{'X-XSRFToken': document.cookie.match(/_xsrf=([^;]*)/)[1]}"
    return page.evaluate(send.replace("HEADERS", "{}")), page.evaluate(send.replace("HEADERS", own))


def run_notebook(page: Browser, name: str, timeout_s: float) -> tuple[str, list[float]]:
    """Runs the first cell; gives what it printed, and the curve that it plotted (see CURVE)."""
    page.open(f"{ADDRESS}/lab/tree/{name}")
    page.wait("document.querySelector('.jp-Notebook .jp-CodeCell .cm-content')")
    page.wait("document.body.innerText.includes('| Idle')", 90)
    page.evaluate("document.querySelector('.jp-Notebook .jp-CodeCell .cm-content').focus()")
    page.press("Enter", 13, modifiers=8)  # Shift+Enter runs the cell
    page.wait("document.querySelector('.jp-OutputArea-output img')", timeout_s)
    return page.evaluate("document.querySelector('.jp-OutputArea-output pre').innerText"), page.evaluate(CURVE)
