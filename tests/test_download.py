"""Downloads, from real servers on this machine: one with small files in official formats, and broken ones."""

import errno
import gzip
import hashlib
import http.server
import io
import pickle
import socket
import tarfile
import threading
import time

import numpy as np
import openml
import pandas as pd
import pytest
import scipy.io
import torchvision.datasets as catalogue

from lib import datasets
from lib.datasets import catalogue as datasets_catalogue
from lib.datasets import catalogue as sources
from lib.datasets import download, prepared

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path_factory):
    """No proxy, and a cache of our own."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def server():
    """A server of the pages in its dictionary; HEAD is always answered, a page of None never is, others with `status`,
    and `pause` seconds after each `piece` of bytes."""
    pages, release = {}, threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            body = pages.get(self.path, b"")
            if body is None:
                release.wait(20)
                return
            self.send_response(instance.status if self.path in pages else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for index in range(0, len(body), instance.piece) if instance.pause else ():
                    self.wfile.write(body[index : index + instance.piece])
                    if release.wait(instance.pause):
                        return
                self.wfile.write(b"" if instance.pause else body)
            except OSError:  # the other side gave up
                self.close_connection = True

        def log_message(self, *_):
            pass

    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.daemon_threads, instance.status, instance.pause, instance.piece = True, 200, 0.0, 1
    threading.Thread(target=instance.serve_forever, args=(0.02,), daemon=True).start()
    instance.pages, instance.url = pages, f"http://127.0.0.1:{instance.server_port}"
    yield instance
    release.set()
    instance.shutdown()
    instance.server_close()


@pytest.fixture
def silent():
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def digest(content):
    return hashlib.md5(content).hexdigest()


def image_set(n, *shape):
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes())


def serve_mnist(server, monkeypatch, source):
    train, test = image_set(30, 28, 28), image_set(20, 28, 28)
    contents = dict(zip([name for name, _ in source.resources], map(idx, (*train, *test)), strict=True))
    server.pages.update({f"/{name}": content for name, content in contents.items()})
    monkeypatch.setattr(source, "mirrors", [server.url + "/"])
    monkeypatch.setattr(source, "resources", [(name, digest(content)) for name, content in contents.items()])
    return train, test


def check_prepared(path, train, test):
    with np.load(path, allow_pickle=False) as archive:
        for name, expected in zip(prepared.NAMES, (*train, *test), strict=True):
            assert archive[name].dtype == np.uint8
            np.testing.assert_array_equal(archive[name], expected)
    assert prepared.sidecar(path).read_text() == f"{prepared.file_checksum(path)}  {path.name}\n"
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".sha256"}


@pytest.mark.parametrize(("name", "source"), [("mnist", catalogue.MNIST), ("fashion_mnist", catalogue.FashionMNIST)])
def test_idx_files_become_a_prepared_file_that_is_used_from_then_on(server, monkeypatch, tmp_path, name, source):
    train, test = serve_mnist(server, monkeypatch, source)
    first = datasets.load(name, tmp_path)
    check_prepared(tmp_path / "images" / f"{name}.npz", train, test)
    server.pages.clear()
    again = datasets.load(name, tmp_path)
    assert first.x_train.equal(again.x_train) and first.sha256 == again.sha256
    margin = 5 if name == "mnist" else 0
    inner = train[0][:, margin : 28 - margin, margin : 28 - margin].reshape(30, -1)
    np.testing.assert_array_equal(first.x_train.numpy(), inner.astype(np.float32) / 255)


def test_a_dead_mirror_is_passed_over(server, closed, monkeypatch, tmp_path):
    train, test = serve_mnist(server, monkeypatch, catalogue.MNIST)
    monkeypatch.setattr(catalogue.MNIST, "mirrors", [closed + "/", server.url + "/"])
    datasets.load("mnist", tmp_path)
    check_prepared(tmp_path / "images" / "mnist.npz", train, test)


def test_svhn_from_mat_files_with_digit_0_as_label_0(server, monkeypatch, tmp_path):
    parts, listing = {}, {}
    for part, n in (("train", 30), ("test", 20)):
        images, labels = image_set(n, 32, 32, 3)
        buffer = io.BytesIO()
        official = np.where(labels == 0, 10, labels)[:, None]  # the official files say 10
        scipy.io.savemat(buffer, {"X": images.transpose(1, 2, 3, 0), "y": official})
        server.pages[f"/{part}.mat"] = buffer.getvalue()
        listing[part] = [f"{server.url}/{part}.mat", f"{part}.mat", digest(buffer.getvalue())]
        parts[part] = (images, labels)
    monkeypatch.setattr(catalogue.SVHN, "split_list", listing)
    data = datasets.load("svhn", tmp_path)
    check_prepared(tmp_path / "images" / "svhn.npz", parts["train"], parts["test"])
    assert data.shape == (32, 16, 3)
    np.testing.assert_array_equal(
        data.x_test.numpy(), parts["test"][0][:, :, 8:24].reshape(20, -1).astype(np.float32) / 255
    )


def test_cifar10_from_its_archive(server, monkeypatch, tmp_path):
    train, test = image_set(30, 32, 32, 3), image_set(20, 32, 32, 3)
    contents = {"batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}
    for name, (images, labels) in (("data_batch_1", train), ("test_batch", test)):
        data = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        contents[name] = pickle.dumps({"data": data, "labels": labels.tolist()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    server.pages["/cifar-10-python.tar.gz"] = buffer.getvalue()
    monkeypatch.setattr(catalogue.CIFAR10, "url", f"{server.url}/cifar-10-python.tar.gz")
    monkeypatch.setattr(catalogue.CIFAR10, "tgz_md5", digest(buffer.getvalue()))
    for attribute, name in (("train_list", "data_batch_1"), ("test_list", "test_batch")):
        monkeypatch.setattr(catalogue.CIFAR10, attribute, [[name, digest(contents[name])]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": digest(contents["batches.meta"])}
    monkeypatch.setattr(catalogue.CIFAR10, "meta", meta)
    assert datasets.load("cifar10", tmp_path).x_train.shape == (30, 3072)
    check_prepared(tmp_path / "images" / "cifar10.npz", train, test)


TASK = """<oml:task xmlns:oml="http://openml.org/openml">
<oml:task_id>361060</oml:task_id><oml:task_name>Task 361060</oml:task_name>
<oml:task_type_id>1</oml:task_type_id><oml:task_type>Supervised Classification</oml:task_type>
<oml:input name="source_data"><oml:data_set><oml:data_set_id>7</oml:data_set_id>
<oml:target_feature>class</oml:target_feature></oml:data_set></oml:input>
<oml:input name="estimation_procedure"><oml:estimation_procedure><oml:id>1</oml:id>
<oml:type>holdout</oml:type>
<oml:data_splits_url>{url}/splits</oml:data_splits_url><oml:parameter name="number_repeats">1</oml:parameter>
<oml:parameter name="percentage">33</oml:parameter></oml:estimation_procedure></oml:input>
</oml:task>"""
DATA = """<oml:data_set_description xmlns:oml="http://openml.org/openml">
<oml:id>7</oml:id><oml:name>electricity</oml:name><oml:version>1</oml:version>
<oml:description>-</oml:description>
<oml:format>ARFF</oml:format><oml:licence>Public</oml:licence>
<oml:url>{url}/data/download/70/table.arff</oml:url>
<oml:parquet_url>http://127.0.0.1:1/bucket/table.pq</oml:parquet_url><oml:file_id>70</oml:file_id>
<oml:default_target_attribute>class</oml:default_target_attribute><oml:status>active</oml:status>
<oml:md5_checksum>{md5}</oml:md5_checksum></oml:data_set_description>"""
FEATURES = """<oml:data_features xmlns:oml="http://openml.org/openml">
<oml:feature><oml:index>0</oml:index><oml:name>width</oml:name><oml:data_type>numeric</oml:data_type>
<oml:number_of_missing_values>0</oml:number_of_missing_values></oml:feature>
<oml:feature><oml:index>1</oml:index><oml:name>class</oml:name><oml:data_type>nominal</oml:data_type>
<oml:nominal_value>DOWN</oml:nominal_value><oml:nominal_value>UP</oml:nominal_value>
<oml:number_of_missing_values>0</oml:number_of_missing_values></oml:feature>
<oml:feature><oml:index>2</oml:index><oml:name>height</oml:name><oml:data_type>numeric</oml:data_type>
<oml:number_of_missing_values>0</oml:number_of_missing_values></oml:feature></oml:data_features>"""
HEADER = "@RELATION small\n@ATTRIBUTE width REAL\n@ATTRIBUTE class {%s}\n@ATTRIBUTE height INTEGER\n@DATA\n"
ROWS = ["0.5,UP,3", "1.5,DOWN,-2", "-0.25,UP,7", "2.75,DOWN,0", "1e-3,DOWN,12"]


def serve_openml(server, monkeypatch, arff, md5=None):
    """The four endpoints of OpenML that a table needs."""
    content = arff.encode()
    server.pages["/api/v1/xml/task/361060"] = TASK.format(url=server.url).encode()
    server.pages["/api/v1/xml/data/7"] = DATA.format(url=server.url, md5=md5 or digest(content)).encode()
    server.pages["/api/v1/xml/data/features/7"] = FEATURES.encode()
    server.pages["/data/download/70/table.arff"] = server.pages["/data/download/70"] = content
    monkeypatch.setattr(openml.config, "server", f"{server.url}/api/v1/xml")


def test_an_openml_table_becomes_a_prepared_file(server, monkeypatch, tmp_path):
    serve_openml(server, monkeypatch, HEADER % "DOWN,UP" + "\n".join(ROWS))
    before = (openml.config._root_cache_directory, openml.config.connection_n_retries)
    data = datasets.load("electricity", tmp_path, seed=0)
    path = tmp_path / "tabular" / "electricity.parquet"
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["width", "height", "target"]
    assert frame["width"].tolist() == [0.5, 1.5, -0.25, 2.75, 1e-3]
    assert frame["height"].tolist() == [3, -2, 7, 0, 12]
    assert frame["target"].tolist() == [1, 0, 1, 0, 0]
    assert len(data.x_train) + len(data.x_test) == 5 and data.shape == (2,)
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".sha256"}
    assert (openml.config._root_cache_directory, openml.config.connection_n_retries) == before


@pytest.mark.parametrize(
    ("arff", "message"),
    [
        (HEADER % "DOWN,UP" + "\n".join([*ROWS, "?,UP,1"]), "'width' has missing"),
        (HEADER % "DOWN,SIDE,UP" + "\n".join([*ROWS, "1,SIDE,1"]), "3 classes instead of 2"),
    ],
)
def test_an_openml_table_of_another_form_is_refused(server, monkeypatch, tmp_path, arff, message):
    serve_openml(server, monkeypatch, arff)
    with pytest.raises(ValueError, match=f"task 361060 is not in the form expected of 'electricity': .*{message}"):
        datasets.load("electricity", tmp_path, seed=0)
    assert list((tmp_path / "tabular").iterdir()) == []


def out_of_reach(monkeypatch, name, address):
    if name == "electricity":
        monkeypatch.setattr(openml.config, "server", f"{address}/api/v1/xml")
    elif name == "mnist":
        monkeypatch.setattr(catalogue.MNIST, "mirrors", [address + "/one/", address + "/two/"])
    elif name == "svhn":
        monkeypatch.setattr(catalogue.SVHN, "split_list", {"train": [f"{address}/train.mat", "train.mat", None]})
    else:
        monkeypatch.setattr(catalogue.CIFAR10, "url", f"{address}/cifar.tar.gz")


@pytest.mark.parametrize("name", ["mnist", "svhn", "cifar10", "electricity"])
@pytest.mark.parametrize("kind", ["silent", "closed"])
def test_without_a_network_the_error_names_the_file_the_address_and_the_choices(
    request, monkeypatch, tmp_path, name, kind
):
    assert download.PATIENCE < 10
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    address = request.getfixturevalue(kind)
    out_of_reach(monkeypatch, name, address)
    with pytest.raises(ConnectionError) as caught:
        datasets.load(name, tmp_path, seed=0)
    message = str(caught.value)
    assert str(sources.path(name, tmp_path)) in message and address in message
    assert ("no answer within 0.3 seconds" if kind == "silent" else "Connection refused") in message
    assert "put the prepared file there" in message and "SIMPLICITY_DATA" in message and "'digits'" in message
    assert list(sources.path(name, tmp_path).parent.iterdir()) == []


def test_a_slow_name_server_does_not_delay_the_error(monkeypatch, tmp_path):
    asleep = threading.Event()

    def look_up(*_, **__):
        asleep.wait(20)
        raise socket.gaierror("name resolution failed")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    with pytest.raises(ConnectionError, match="no answer within 0.3 seconds"):
        datasets.load("cifar10", tmp_path)
    asleep.set()


@pytest.mark.parametrize("name", ["mnist", "electricity"])
def test_a_download_that_stalls_is_given_up(server, monkeypatch, tmp_path, name):
    monkeypatch.setattr(download, "STALL", 0.3)
    if name == "mnist":
        serve_mnist(server, monkeypatch, catalogue.MNIST)
    else:
        serve_openml(server, monkeypatch, "")
    server.pages.update(dict.fromkeys(server.pages))
    with pytest.raises(ConnectionError, match="timed out"):
        datasets.load(name, tmp_path, seed=0)
    assert list(sources.path(name, tmp_path).parent.iterdir()) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", ["mnist", "electricity"])
def test_a_download_that_crawls_is_given_up(server, monkeypatch, tmp_path, name):
    """Each byte comes long before the time limit of a read, and the file would take for ever."""
    monkeypatch.setattr(download, "STALL", 0.3)
    server.pause = 0.02
    if name == "mnist":
        serve_mnist(server, monkeypatch, catalogue.MNIST)
    else:
        serve_openml(server, monkeypatch, "")
        monkeypatch.setattr(time, "sleep", lambda _: None)  # openml's pause before it tries again
    read = socket.SocketIO.readinto
    with pytest.raises(ConnectionError, match="timed out"):
        datasets.load(name, tmp_path, seed=0)
    assert list(sources.path(name, tmp_path).parent.iterdir()) == []
    assert socket.SocketIO.readinto is read and socket.getdefaulttimeout() is None


def test_a_slow_download_that_moves_is_not_given_up(server, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "STALL", 0.05)
    monkeypatch.setattr(download, "SLOWEST", 10)  # and 2,000 come
    server.pause, server.piece = 0.01, 20
    serve_openml(server, monkeypatch, HEADER % "DOWN,UP" + "\n".join(ROWS))
    monkeypatch.setattr(prepared, "table_problem", lambda frame: "it came whole")
    with pytest.raises(ValueError, match="it came whole"):
        datasets.load("electricity", tmp_path, seed=0)


@pytest.mark.parametrize("status", [200, 412, 500, 503])
def test_a_well_formed_page_that_is_not_openmls_is_reported(server, monkeypatch, tmp_path, status):
    """Such as that of a network that asks for a login."""
    serve_openml(server, monkeypatch, "")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server.pages.update(dict.fromkeys(server.pages, b"<html/>"))
    server.status = status
    with pytest.raises(
        ConnectionError, match="the answer is not one of OpenML's.*asks for a login.*put the prepared file"
    ):
        datasets.load("electricity", tmp_path, seed=0)


def test_a_download_with_a_wrong_checksum_is_refused(server, monkeypatch, tmp_path):
    serve_mnist(server, monkeypatch, catalogue.MNIST)
    server.pages["/" + catalogue.MNIST.resources[0][0]] = idx(np.zeros((30, 28, 28), dtype=np.uint8))
    with pytest.raises(ConnectionError, match="corrupted"):
        datasets.load("mnist", tmp_path)
    assert list((tmp_path / "images").iterdir()) == []


def test_an_openml_table_with_a_wrong_checksum_is_refused(server, monkeypatch, tmp_path):
    serve_openml(server, monkeypatch, HEADER % "DOWN,UP" + "\n".join(ROWS), md5="0" * 32)
    with pytest.raises(ConnectionError, match="[Cc]hecksum"):
        datasets.load("electricity", tmp_path, seed=0)


def test_an_error_page_is_reported(server, monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue.CIFAR10, "url", f"{server.url}/nothing-here.tar.gz")
    with pytest.raises(ConnectionError, match="404"):
        datasets.load("cifar10", tmp_path)
    monkeypatch.setattr(openml.config, "server", f"{server.url}/api/v1/xml")
    server.pages["/api/v1/xml/task/361060"] = b"<html>Please log in to this network<br></html>"
    with pytest.raises(ConnectionError, match="could not be downloaded from"):
        datasets.load("electricity", tmp_path, seed=0)


def test_a_directory_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OSError, match="its directory cannot be written.*Choose another data directory"):
        datasets.load("mnist", tmp_path / "file")


def test_a_full_disk_is_not_taken_for_a_missing_network(server, monkeypatch, tmp_path):
    serve_mnist(server, monkeypatch, catalogue.MNIST)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(catalogue.mnist, "download_and_extract_archive", full)
    with pytest.raises(
        OSError, match="mnist.npz is missing and its download cannot be written.*No space left"
    ) as caught:
        datasets.load("mnist", tmp_path)
    assert not isinstance(caught.value, ConnectionError)
    assert list((tmp_path / "images").iterdir()) == []


def test_availability_and_fingerprints_never_download(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "images", lambda *_: pytest.fail("a download was tried"))
    assert not datasets_catalogue.available("mnist", tmp_path)
    with pytest.raises(ValueError, match="no fingerprint of 'mnist'"):
        datasets_catalogue.fingerprint("mnist", tmp_path)


def test_processes_that_need_the_same_dataset_download_it_once(tmp_path, monkeypatch):
    """The second waits for the first, and then finds the file."""
    from concurrent.futures import ThreadPoolExecutor

    started = []

    def slow(name, file):
        started.append(name)
        time.sleep(0.2)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"prepared")

    monkeypatch.setattr(sources.download, "images", slow)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: sources.download_if_missing("svhn", tmp_path), range(3)))
    assert started == ["svhn"]


def test_what_others_left_in_shared_folders_stops_no_download(tmp_path, monkeypatch):
    """The lock is in the user's cache; where there can be none, there is no lock."""
    monkeypatch.setattr(sources.download, "images", lambda name, file: file.write_bytes(b"prepared"))
    (tmp_path / "images").mkdir()
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    sources.download_if_missing("svhn", tmp_path)
    assert sources.available("svhn", tmp_path)
