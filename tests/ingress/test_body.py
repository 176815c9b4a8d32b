"""The formats of a call's body: JSON, forms and forms in parts, under any label."""

import json
from urllib.parse import quote_from_bytes

import pytest

from tests.ingress.raw_calls import raw, rejection
from vertexkit.errors import CallError
from vertexkit.ingress.body import (
    FORM_TYPE,
    JSON_TYPE,
    MAX_DEPTH,
    MAX_FORM_FIELDS,
    MAX_VALUES,
    MULTIPART_TYPE,
    read_json,
)
from vertexkit.ingress.request import read_call


def nested(levels: int) -> bytes:
    """A JSON object with as many levels as this, itself included."""
    return b'{"token":"t","x":%b%b}' % (b"[" * (levels - 1), b"]" * (levels - 1))


def test_an_empty_field_of_a_form_is_an_empty_text() -> None:
    """A field that was left empty is there and empty, not missing."""
    assert read_call(raw(b"token=t&city=&x=a+b%26", FORM_TYPE)).inputs == {"city": "", "x": "a b&"}


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8",
        'APPLICATION/JSON;charset="UTF-8"',
        "application/json ; charset=utf8 ; x=1",
        "application/json; x=1",
    ],
)
def test_the_media_type_may_have_parameters(kind: str) -> None:
    """Case, spaces and parameters of `Content-Type` do not matter, as long as it is UTF-8."""
    assert read_call(raw(b'{"token":"t"}', kind)).token == "t"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/json",
        "application/problem+json",
        "application/vnd.api+json; charset=utf-8",
        "application/octet-stream",
        "application/json, application/json",
        FORM_TYPE,
        "application/json; charset=utf-16",
        "application/json; charset=windows-1251",
        "application/json; charset=ISO-8859-1",
        "application/json; charset=",
        "application/json; charset=no-such",
    ],
)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_json_object_is_read_whatever_its_label(kind: str | None, bom: str) -> None:
    """A body that is a JSON object in UTF-8 is one, even if its type is missing or wrong."""
    body = f'{bom}  {{"token":"t","имя":"Аня 👩‍👧"}}\r\n'.encode()
    assert read_call(raw(body, kind)) == ("t", {"имя": "Аня 👩‍👧"})


@pytest.mark.parametrize("kind", [None, "", FORM_TYPE, f"{FORM_TYPE}; charset=utf-8"])
def test_a_form_without_a_label_is_read(kind: str | None) -> None:
    """A body without a type that is not JSON is a form."""
    assert read_call(raw("token=t&имя=Аня".encode(), kind)) == ("t", {"имя": "Аня"})


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "image/png", "application/jsonp", "multipart/mixed"]
)
def test_what_is_neither_json_nor_a_form_is_rejected(kind: str) -> None:
    """Another type whose body is not a JSON object is rejected: 415."""
    for body in (b"token=t", b"<token>t</token>", b"", b"[1]"):
        assert rejection(raw(body, kind)) == (415, "unsupported_media_type")


UNICODE = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("encoding", UNICODE)
@pytest.mark.parametrize("boms", [0, 1, 2])
@pytest.mark.parametrize("kind", [JSON_TYPE, "application/json; charset=utf-8", None])
def test_json_is_read_in_every_encoding_of_unicode(encoding: str, boms: int, kind: str) -> None:
    """UTF-8, UTF-16 and UTF-32 are told apart by their first bytes, with byte order marks or not."""
    body = ("\ufeff" * boms + '{"token":"t","имя":"Аня, 👍"}').encode(encoding)
    assert read_call(raw(body, kind)) == ("t", {"имя": "Аня, 👍"})


@pytest.mark.parametrize("charset, encoding", [("windows-1251", "cp1251"), ("KOI8-R", "koi8-r")])
def test_a_declared_encoding_is_used_for_what_is_not_utf_8(charset: str, encoding: str) -> None:
    """JSON, forms and their parts are decoded as their label says if they are not in UTF-8."""
    text = '{"token":"t","имя":"Аня"}'
    expected = ("t", {"имя": "Аня"})
    assert read_call(raw(text.encode(encoding), f"{JSON_TYPE};charset={charset}")) == expected
    kind = f'{FORM_TYPE}; charset="{charset}"'
    plain = "token=t&имя=Аня".encode(encoding)
    assert read_call(raw(plain, kind)) == expected
    assert read_call(raw(quote_from_bytes(plain, "=&").encode(), kind)) == expected
    part = f"text/plain; charset={charset}"
    body = multipart(("token", b"t"), ("имя", "Аня".encode(encoding)), kind=part, names=encoding)
    assert read_call(raw(body, MULTIPART)) == expected


MULTIPART = f"{MULTIPART_TYPE}; boundary=--b'x"


def multipart(*fields: tuple[str, bytes], kind: str = "", names: str = "utf-8") -> bytes:
    """A form in parts, as browsers write it."""
    label = f"Content-Type: {kind}\r\n" if kind else ""
    parts = [
        b'----b\'x\r\nContent-Disposition: form-data; name="%b"\r\n%b\r\n%b\r\n'
        % (name.encode(names), label.encode(), value)
        for name, value in fields
    ]
    return b"".join([*parts, b"----b'x--\r\n"])


@pytest.mark.parametrize("kind", ["", "text/plain", "text/plain; charset=UTF-8"])
def test_a_form_in_parts_is_read(kind: str) -> None:
    """curl -F, PHP's arrays and browsers send such forms: every part is a text, unchanged."""
    value = "Аня & 👍\r\n--b\r\n=1"
    body = multipart(("token", b"t"), ("имя", value.encode()), ("", b""), kind=kind)
    assert read_call(raw(body, MULTIPART)) == ("t", {"имя": value, "": ""})
    assert read_call(raw(body, MULTIPART.replace("--b'x", '"--b\'x"'))) == (
        "t",
        {"имя": value, "": ""},
    )


def test_names_of_parts_are_as_browsers_write_them() -> None:
    """A quotation mark and line breaks are escaped in a name; a file is a text; a preamble is none."""
    body = (
        b"preamble\r\n--x \r\ncontent-disposition:form-data;name=token\r\n\r\nt\r\n"
        b"--x\r\nContent-Type: application/json\r\n"
        b'Content-Disposition: form-data; name="a%22b%0D%0A%20"; filename="f.json"\r\n\r\n{}\r\n'
        b"--x--\r\nepilogue"
    )
    call = read_call(raw(body, "Multipart/Form-Data; boundary=x"))
    assert call == ("t", {'a"b\r\n%20': "{}"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"--x--",
        b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n',
        b'--x\r\nContent-Disposition: form-data; name="token"\r\nt\r\n--x--',
        b"--x\r\nContent-Disposition: attachment; name=token\r\n\r\nt\r\n--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nt\r\n--x--",
        b"--x\r\nContent-Disposition: form-data; name=token\r\n\r\n\xff\r\n--x--",
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nt\r\n--xy\r\n\r\n--x--",
        b"--xy\r\nContent-Disposition: form-data; name=token\r\n\r\nt\r\n--x--",
        (
            b"--x\r\nContent-Disposition: form-data; name=a\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\ndA==\r\n--x--"
        ),
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * (MAX_FORM_FIELDS + 1)
        + b"--x--",
    ],
)
def test_a_malformed_form_in_parts_is_rejected(body: bytes) -> None:
    """Parts without a name, without an end, after another boundary, encoded, binary or too many: 400."""
    kind = f"{MULTIPART_TYPE}; boundary=x"
    assert rejection(raw(body, kind)) in {(400, "malformed_form"), (400, "missing_token")}
    assert rejection(raw(multipart(("token", b"t")), MULTIPART_TYPE)) == (400, "malformed_form")


@pytest.mark.parametrize(
    "encoding", ["", "identity", "Identity, identity", "none", "utf-8", "8bit"]
)
def test_a_label_that_encodes_nothing_is_ignored(encoding: str) -> None:
    """`Content-Encoding` may say that there is no encoding, or name the encoding of the text."""
    call = raw(b'{"token":"t"}', **{"content-encoding": encoding})
    assert read_call(call).token == "t"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "x"])
def test_a_reader_rejects_a_body_that_is_still_compressed(encoding: str) -> None:
    """The receiver has decompressed what it can; for anything else the answer is 415."""
    call = raw(b'{"token":"t"}', **{"content-encoding": encoding})
    assert rejection(call) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"token":"t"',
        b'{"token":"t"} {}',
        b"{'token':'t'}",
        b'{"token":"t",}',
        '{"token":"t"'.encode("utf-16"),
        b'\xff\xfe{"token":"t"}',
        b'{"token":"t","x":"\xff\xfe"}',
        b'{"token":"t","x":"\xed\xa0\x80"}',
        '{"token":"t","имя":"Аня"}'.encode("windows-1251"),
        b'{"token":"t","x":NaN}',
        b'{"token":"t","x":-Infinity}',
        b'{"token":"t","x":1e999}',
        b'{"token":"t","x":[{"y":[-1e999]}]}',
        b'{"token":"t","x":%b}' % (b"9" * 5000),
        b'["t"]',
        b'"t"',
        b"null",
        b"7",
    ],
)
def test_what_is_no_json_object_in_utf_8_is_rejected(body: bytes) -> None:
    """Broken JSON, another encoding, NaN, or a value that is not an object: 400."""
    assert rejection(raw(body)) == (400, "malformed_json")


def test_the_deepest_body_that_is_taken() -> None:
    """Up to the limit of levels a body is read, of objects and of lists."""
    objects = b'{"token":"t","x":%b1%b}' % (b'{"x":' * (MAX_DEPTH - 1), b"}" * (MAX_DEPTH - 1))
    assert {read_call(raw(body)).token for body in (nested(MAX_DEPTH), objects)} == {"t"}


def test_a_deeper_body_is_rejected() -> None:
    """One level more is rejected with its own code, and no depth crashes the reader."""
    objects = b'{"token":"t","x":%b1%b}' % (b'{"x":' * MAX_DEPTH, b"}" * MAX_DEPTH)
    assert {rejection(raw(body)) for body in (nested(MAX_DEPTH + 1), objects)} == {
        (400, "too_deep")
    }


def test_a_body_has_a_limited_number_of_values() -> None:
    """Values at all levels count; one more than the limit is rejected."""
    assert read_call(raw(b'{"token":"t","x":[%b1]}' % (b"1," * (MAX_VALUES - 3)))).token == "t"
    for values in (b"1," * (MAX_VALUES - 2) + b"1", b"[1]," * (MAX_VALUES // 2 - 1) + b"1"):
        assert rejection(raw(b'{"token":"t","x":[%b]}' % values)) == (400, "too_many_values")
    body = json.dumps(
        {"token": "t", "x": ',\\",' * MAX_VALUES}
    )  # commas in a text do not separate values
    assert read_call(raw(body.encode())).token == "t"


@pytest.mark.parametrize(
    "body",
    [
        b"token=t&x=%FF",
        b"token=t&x=%ED%A0%80",
        b"token=t&x=%CF%F0%E8",
        "token=t&x=Аня".encode("cp1251"),
        b"token=t&\xff=1",
        b"token=t" + b"&x=1" * MAX_FORM_FIELDS,
    ],
)
def test_what_is_no_form_in_utf_8_is_rejected(body: bytes) -> None:
    """Bytes that are not UTF-8, or more fields than the limit: 400."""
    assert rejection(raw(body, FORM_TYPE)) == (400, "malformed_form")


@pytest.mark.parametrize(
    "body, inputs",
    [
        ("token=t&имя=Аня 👍", {"имя": "Аня 👍"}),
        ("\ufeff\ufefftoken=t&имя=А", {"имя": "А"}),
        ("&&token=t&&x=1&", {"x": "1"}),
        ("token=t&debug&x=1", {"debug": "", "x": "1"}),
        ("token=t&=1&x", {"": "1", "x": ""}),
        ("token=t&x=100%&y=%zz%4", {"x": "100%", "y": "%zz%4"}),
        ("token=t&x=a=b==", {"x": "a=b=="}),
        ("token=t&x=a;y=b", {"x": "a;y=b"}),
        ("x=a\r\nb&token=t\r\n", {"x": "a\r\nb"}),
        ("x=%d0%90+%2B&token=t", {"x": "А +"}),
        ('{"x=1&token=t', {'{"x': "1"}),
    ],
)
def test_a_form_is_read_as_the_url_standard_says(body: str, inputs: dict[str, str]) -> None:
    """Raw UTF-8, byte order marks, empty fields, names without a value and stray percent signs."""
    assert read_call(raw(body.encode(), FORM_TYPE)) == ("t", inputs)


@pytest.mark.parametrize(
    "kind, body",
    [
        (JSON_TYPE, b'{"token":"t","x":NaN}'),
        (JSON_TYPE, b'{"x":"\xff","token":"t"}'),
        (JSON_TYPE, b'{"token":"t","x":1e999}'),
        (JSON_TYPE, b'{"token":"t","x":%b}' % (b"9" * 5000)),
        (JSON_TYPE, b'\xef\xbb\xbf{"x":1,"token":"t","y'),
        (JSON_TYPE, '{"token":"t","x":NaN}'.encode("utf-16")),
        (JSON_TYPE, b'{"token":"t",}'),
        (JSON_TYPE, b' { "token" : "t", "x": ' + b"[" * 300),
        (JSON_TYPE, b'{"x":[%b1],"token":"t"}' % (b"1," * MAX_VALUES)),
        (JSON_TYPE, nested(MAX_DEPTH + 1)),
        (JSON_TYPE, b"x=1&token=t"),
        (JSON_TYPE, b'[{"token":"t","x":1}]'),
        (JSON_TYPE, b'"{\\"token\\":\\"t\\"}"'),
        (FORM_TYPE, b"token=t&x=%FF"),
        (FORM_TYPE, b"x=1&" * MAX_FORM_FIELDS + b"token=%74"),
        ("application/xml", b"token=t"),
        (MULTIPART, multipart(("token", b"t"), ("x", b"\xff"))),
        (MULTIPART_TYPE, multipart(("token", b"t"))),
        (MULTIPART, multipart(("x", b"1"), ("token", b"t"))[:-4]),
    ],
)
def test_the_token_of_a_rejected_body_is_known_where_it_can_be_read(kind: str, body: bytes) -> None:
    """The error has the token, so that the block is completed as failed and the dialog continues."""
    with pytest.raises(CallError) as caught:
        read_call(raw(body, kind))
    assert caught.value.token == "t"
    assert "'t'" not in repr(caught.value)


@pytest.mark.parametrize(
    "kind, body",
    [
        (JSON_TYPE, b""),
        (JSON_TYPE, b"\xff\xfe\xff"),
        (JSON_TYPE, b'{"data":{"token":"t"},"x":NaN}'),
        (JSON_TYPE, b'{"x":"token=t&token=t",}'),
        (JSON_TYPE, b'{"token":7,"x":NaN}'),
        (JSON_TYPE, b'["token", "t"]'),
        (JSON_TYPE, b'[{"token":"t"},{"token":"u"}]'),
        (JSON_TYPE, b'"token=t"'),
        (JSON_TYPE, b'[[{"token":"t"}]]'),
        (FORM_TYPE, b"x=%FF&the_token=t"),
        (MULTIPART_TYPE, multipart(("the_token", b"t"))),
    ],
)
def test_no_other_text_is_taken_for_the_token(kind: str, body: bytes) -> None:
    """A text at another place than the token's is not one: it would be sent to the platform."""
    with pytest.raises(CallError) as caught:
        read_call(raw(body, kind))
    assert caught.value.token == ""


def test_a_form_of_as_many_fields_as_allowed_is_read() -> None:
    """The limit itself is within the limit."""
    body = b"token=t" + b"".join(b"&x%d=1" % number for number in range(MAX_FORM_FIELDS - 1))
    assert len(read_call(raw(body, FORM_TYPE)).inputs) == MAX_FORM_FIELDS - 1


@pytest.mark.parametrize(
    "body, text",
    [
        (rb"\ud83d", "\ufffd"),
        (rb"cut \uDE00 off", "cut \ufffd off"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ud83d \\ud83d", "\ufffd \\ud83d"),
    ],
)
def test_a_cut_emoji_is_no_reason_to_let_a_dialog_hang(body: bytes, text: str) -> None:
    """A lone surrogate becomes U+FFFD; whole pairs and escaped backslashes stay."""
    assert read_json(b'{"token":"t","text":"' + body + b'"}')["text"] == text
