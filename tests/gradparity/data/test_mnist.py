"""The four IDX files are found, checked by content, cached, and downloaded when they are nowhere."""

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.data import idx, mnist
from gradparity.data.dataset import Dataset
from gradparity.errors import UsageError


def same(dataset: Dataset, published: Any) -> bool:
    images = published.content["train-images-idx3-ubyte"][16:]
    labels = published.content["t10k-labels-idx1-ubyte"][8:]
    return dataset.train.x.tobytes() == images and list(dataset.test.y) == list(labels)


@pytest.mark.parametrize("subfolder", ["", "small"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("by_variable", [False, True])
def test_files_are_found_in_the_users_folder(
    tmp_path: Path,
    cache: Path,
    published: Any,
    monkeypatch: pytest.MonkeyPatch,
    subfolder: str,
    zipped: bool,
    by_variable: bool,
) -> None:
    published.write(tmp_path / "data" / subfolder, zipped)
    if by_variable:
        monkeypatch.setenv("GRADPARITY_DATA", str(tmp_path / "data"))
    dataset = mnist.load(published.source, None if by_variable else tmp_path / "data")
    assert same(dataset, published)
    assert dataset.train.x.shape == (12, 12)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.train.y.dtype == np.int64
    assert dataset.train.divisor == dataset.test.divisor == 255
    assert (dataset.image_shape, dataset.classes, len(dataset.test)) == ((3, 4), 5, 6)
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_each_file_is_decompressed_once(tmp_path: Path, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    published.write(tmp_path)
    opened = []
    real_open = gzip.open

    def counting_open(file: Any) -> Any:
        opened.append(file.name)
        return real_open(file)

    monkeypatch.setattr(gzip, "open", counting_open)
    mnist.load(published.source, tmp_path)
    assert len(opened) == len(set(opened)) == 4


@pytest.mark.usefixtures("cache")
def test_the_argument_wins_over_the_variable(tmp_path: Path, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADPARITY_DATA", str(tmp_path / "absent"))
    published.write(tmp_path / "here")
    assert same(mnist.load(published.source, tmp_path / "here"), published)


@pytest.mark.fault(kind="data")
def test_a_missing_folder_is_an_error(tmp_path: Path, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"the data folder '.*absent' is no folder"):
        mnist.load(published.source, tmp_path / "absent")
    monkeypatch.setenv("GRADPARITY_DATA", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match=r"GRADPARITY_DATA names '.*absent' is no folder"):
        mnist.load(published.source, None)


@pytest.mark.fault(kind="data")
@pytest.mark.usefixtures("cache")
def test_a_wrong_file_in_the_users_folder_is_named_with_both_hashes_and_the_fix(tmp_path: Path, published: Any) -> None:
    published.write(tmp_path)
    file = published.source.train[1]
    content = bytearray(published.content[file.name])
    content[-1] ^= 1
    (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(content))
    with pytest.raises(UsageError) as raised:
        mnist.load(published.source, tmp_path)
    message = str(raised.value)
    assert f"{file.name}.gz" in message
    assert file.sha256 in message
    assert idx.read(tmp_path / f"{file.name}.gz", file.shape).sha256 in message
    assert message.endswith("delete it to have it downloaded, or replace it by an unaltered copy")


@pytest.mark.fault(kind="data")
@pytest.mark.usefixtures("cache")
def test_a_file_of_the_other_data_set_is_recognised(
    tmp_path: Path, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.write(tmp_path)
    monkeypatch.setitem(mnist.SOURCES, "small", published.source)
    other = replace(published.source, train=(replace(published.source.train[0], sha256="0"), published.source.train[1]))
    with pytest.raises(UsageError, match="that is a file of small, move it to a subfolder 'small'"):
        mnist.load(other, tmp_path)


def with_mirrors(published: Any, server: Any, *folders: str) -> mnist.MnistFiles:
    source: mnist.MnistFiles = published.source
    return replace(source, mirrors=tuple(f"{server.url}{folder}/" for folder in folders))


def publish(published: Any, server: Any, folder: str) -> None:
    server.answers |= {f"/{folder}/{name}.gz": gzip.compress(plain) for name, plain in published.content.items()}


def test_files_that_are_nowhere_are_downloaded_once_and_cached(
    cache: Path, published: Any, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    source = with_mirrors(published, server, "down", "up")
    publish(published, server, "up")
    assert same(mnist.load(source, None), published)
    assert sorted(path.name for path in (cache / "small").iterdir()) == sorted(f"{n}.gz" for n in published.content)
    asked = len(server.asked)
    assert asked == 8
    assert same(mnist.load(source, None), published)
    assert len(server.asked) == asked
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.usefixtures("cache")
def test_only_what_the_folder_lacks_is_downloaded(tmp_path: Path, published: Any, server: Any) -> None:
    source = with_mirrors(published, server, "up")
    publish(published, server, "up")
    published.write(tmp_path / "data")
    (tmp_path / "data" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert same(mnist.load(source, tmp_path / "data"), published)
    assert server.asked == ["/up/t10k-labels-idx1-ubyte.gz"]


@pytest.mark.fault(kind="download")
def test_a_damaged_file_in_the_cache_is_downloaded_again(cache: Path, published: Any, server: Any) -> None:
    source = with_mirrors(published, server, "up")
    publish(published, server, "up")
    published.write(cache / "small")
    damaged = cache / "small" / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert same(mnist.load(source, None), published)
    assert server.asked == ["/up/train-images-idx3-ubyte.gz"]
    assert idx.read(damaged, (12, 3, 4)).sha256 == source.train[0].sha256


@pytest.mark.fault(kind="download")
def test_without_network_or_cache_one_line_says_what_was_tried_and_what_to_do(
    tmp_path: Path, cache: Path, published: Any, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    source = replace(with_mirrors(published, server, "down"), mirrors=("http://127.0.0.1:9/", server.url))
    with pytest.raises(UsageError) as raised:
        mnist.load(source, tmp_path)
    message = str(raised.value)
    assert "\n" not in message
    assert f"no intact train-images-idx3-ubyte in '{tmp_path}' or '{cache / 'small'}'" in message
    assert "127.0.0.1:9: no connection" in message
    assert "404" in message
    assert message.endswith(
        "connect to the network, or put the four IDX files in a folder and set GRADPARITY_DATA to it"
    )
    assert list((cache / "small").iterdir()) == []
    with pytest.raises(UsageError, match=f"no intact train-images-idx3-ubyte in '{cache / 'small'}'"):
        mnist.load(source, None)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_the_two_published_sets_differ_in_every_hash_and_have_more_than_one_mirror() -> None:
    hashes = [file.sha256 for source in mnist.SOURCES.values() for file in (*source.train, *source.test)]
    assert len(set(hashes)) == 8
    assert all(len(digest) == 64 and int(digest, 16) for digest in hashes)
    assert all(len(set(source.mirrors)) > 1 for source in mnist.SOURCES.values())


REAL = pytest.mark.skipif(
    not os.environ.get("GRADPARITY_DATA"), reason="GRADPARITY_DATA names no folder with the four MNIST files"
)


@REAL
def test_the_real_mnist_is_read_whole() -> None:
    dataset = mnist.load(mnist.MNIST, None)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((60_000, 784), (10_000, 784))
    assert dataset.train.x.dtype == np.uint8
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 255)
    # The counts per digit, and the mean pixel 0.1307 by which everyone normalises.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(dataset.train.y), counts)
    assert dataset.train.x.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    np.testing.assert_array_equal(dataset.train.y[:5], [5, 0, 4, 1, 9])
