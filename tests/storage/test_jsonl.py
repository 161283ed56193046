"""JSON that others wrote: what is read, what is replaced, and what is refused in one line."""

import gzip
import json
import math

import pytest

from assay.problems.rows import read_rows
from assay.settings.errors import UserError
from assay.storage.jsonl import parse_json, read_json_list, read_jsonl

BOM = b"\xef\xbb\xbf"
DIGITS = b"1" * 5000
NESTED = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture
def file(tmp_path):
    def file(data, name="x.jsonl"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return file


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'{"a": "3 \ud83d?"}', {"a": "3 �?"}),
        (rb'{"a": "\uDC00"}', {"a": "�"}),
        (rb'{"a": "\udc00\ud83d"}', {"a": "��"}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
        (rb'{"a": {"\ud800": ["\udfff", 1]}}', {"a": {"�": ["�", 1]}}),
        (rb'{"a": "\\ud83d"}', {"a": "\\ud83d"}),
        ('{"a": "� é 😀"}'.encode(), {"a": "� é 😀"}),
        (rb'{"a": [1e400, -Infinity, 3000000000]}', {"a": [math.inf, -math.inf, 3_000_000_000]}),
        (b'{"a": ' + b"1" * 4000 + b"}", {"a": int("1" * 4000)}),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", {"a": json.loads("[" * 300 + "]" * 300)}),
    ],
)
def test_what_is_read(written, read, file):
    assert parse_json(written) == read
    assert parse_json(BOM + written) == read
    assert list(read_jsonl(file(b'{"b": 1}\n\n' + written))) == [(1, {"b": 1}), (3, read)]
    assert [row for _, row in read_json_list(file(b"[" + written + b"]"))] == [read]
    # What is read can be written.
    json.dumps(read, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json"])
def test_a_byte_order_mark_is_read_over(name, file):
    row = b'{"a": "1"}'
    data = b"[" + row + b"]" if name == "x.json" else row + b"\n" + row.replace(b"1", b"2")
    rows = [row["a"] for _, row in read_rows(str(file(BOM + data, name)), "train")]
    assert rows == (["1"] if name == "x.json" else ["1", "2"])


def test_a_byte_order_mark_alone_is_an_empty_file(file):
    assert list(read_jsonl(file(BOM + b"\n"))) == []
    # Two files put together have one in the middle.
    rows = read_jsonl(file(b'{"a": 1}\n' + BOM + b'{"a": 2}\n'))
    assert [row["a"] for _, row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"a": ' + DIGITS + b"}", "an integer has thousands of digits"),
        (b'{"a": -' + DIGITS + b"}", "an integer has thousands of digits"),
        (b'{"a": ' + NESTED + b"}", "brackets are nested too deep"),
        (b'{"a":' * 100_000, "brackets are nested too deep"),
        (b'{"a": "\xff"}', "not UTF-8 text (invalid start byte)"),
        (b'{"a": "\xed\xa0\xbd"}', "not UTF-8 text (invalid continuation byte)"),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8 text (invalid continuation byte)"),
        (b'{"a": 1,}', "not JSON ("),
        (b'{"a": "1', "not JSON (Invalid control character at, column 9)"),
        (b'{"a": ', "not JSON (Expecting value, "),
        (b"7", "expected a JSON object"),
    ],
)
def test_what_is_refused_in_one_line(line, told, file):
    path = file(b'{"a": 1}\n' + line + b"\n")
    rows = read_jsonl(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(UserError) as caught:
        next(rows)
    assert str(caught.value).startswith(f"{path}, line 2: {told}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[" + DIGITS + b"]", "x.json: an integer has thousands of digits"),
        (NESTED, "x.json: brackets are nested too deep"),
        (b'["\xff"]', "x.json: not UTF-8 text"),
        (b"[\n{},\n{\n", "x.json: not JSON (Expecting property name enclosed in double quotes, li"),
        (b"{}", "x.json: expected a JSON list of objects"),
        (b"[{}, 7]", "x.json, item 1: expected a JSON object"),
    ],
)
def test_lists_that_are_refused_in_one_line(data, told, file):
    with pytest.raises(UserError) as caught:
        list(read_json_list(file(data, "x.json")))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
