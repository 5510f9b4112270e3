"""The record of what a folder job has done."""

import threading

from pix2color.files import hash_bytes, hash_file
from pix2color.inference.manifest import Manifest, Record


def record(name, content=b"out"):
    return Record(name, "in", "settings", hash_bytes(content))


def test_an_output_counts_while_it_is_as_it_was_written(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"out")
    manifest = Manifest(tmp_path)
    assert manifest.written("a.jpg", path) is None
    manifest.add(record("a.jpg"))
    for known in (manifest, Manifest(tmp_path)):
        assert known.written("a.jpg", path) == record("a.jpg")
        assert known.written("b.jpg", path) is None
    path.write_bytes(b"edited by hand")
    assert manifest.written("a.jpg", path) is None
    path.unlink()
    assert manifest.written("a.jpg", path) is None


def test_a_line_cut_short_costs_only_itself(tmp_path):
    Manifest(tmp_path).add(record("a.jpg"))
    file = tmp_path / ".pix2color" / "done-0.jsonl"
    with file.open("ab") as lines:
        lines.write(b'{"name": "b.jpg", "inp')
    Manifest(tmp_path).add(record("c.jpg"))
    for name in ("a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"out")
        assert Manifest(tmp_path).written(name, tmp_path / name)


def test_processes_and_threads_share_a_folder(tmp_path):
    manifests = [Manifest(tmp_path, process) for process in range(2)]
    names = [f"{i}.jpg" for i in range(200)]
    threads = [
        threading.Thread(target=lambda i=i, n=n: manifests[i % 2].add(record(n)))
        for i, n in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = Manifest(tmp_path, 5)
    for name in names:
        (tmp_path / name).write_bytes(b"out")
        assert known.written(name, tmp_path / name)


def test_hashes_of_bytes_and_files_agree(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 300_000)
    assert hash_file(tmp_path / "a") == hash_bytes(b"x" * 300_000)
