"""Small IDX data sets, a cache of their own, and a local HTTP server that plays the mirrors."""

import gzip
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from gradparity.data.mnist import IdxFile, MnistFiles

Encode = Callable[[np.ndarray], bytes]


def idx_bytes(array: np.ndarray) -> bytes:
    """Write the format by its definition: two zeros, dtype 8, the dimensions, the values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def encode() -> Encode:
    return idx_bytes


@dataclass
class Published:
    """A data set of 12 + 6 images of 3×4 pixels, as a publisher would have it."""

    source: MnistFiles
    content: dict[str, bytes]
    """File name -> decompressed content."""

    def write(self, folder: Path, zipped: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.content.items():
            path = folder / (f"{name}.gz" if zipped else name)
            path.write_bytes(gzip.compress(content) if zipped else content)


@pytest.fixture
def published() -> Published:
    rng = np.random.default_rng(0)
    content: dict[str, bytes] = {}

    def pair(part: str, n: int) -> tuple[IdxFile, IdxFile]:
        return file(f"{part}-images-idx3-ubyte", (n, 3, 4), 256), file(f"{part}-labels-idx1-ubyte", (n,), 5)

    def file(name: str, shape: tuple[int, ...], values: int) -> IdxFile:
        content[name] = idx_bytes(rng.integers(values, size=shape, dtype=np.uint8))
        return IdxFile(name, shape, hashlib.sha256(content[name]).hexdigest(), 1_000_000)

    source = MnistFiles("small", (), pair("train", 12), pair("t10k", 6), classes=5)
    return Published(source, content)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no folder named by the environment."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda project: folder / project)
    monkeypatch.delenv("GRADPARITY_DATA", raising=False)
    return folder / "gradparity"


@dataclass
class Server:
    """A local HTTP server: ``answers`` says what each path gives, ``asked`` which were asked for."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_short: bool = False
    """Whether the server promises more bytes than it sends."""
    headers: dict[str, str] = field(default_factory=dict)
    """What it says besides; with a Location it sends one there."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            body = state.answers.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(302 if "Location" in state.headers else 200)
            length = {"Content-Length": str(len(body) + (10 if state.cut_short else 0))}
            for name, value in (length | state.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        state = Server(f"http://127.0.0.1:{httpd.server_port}/")
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()
