"""Ways to encode a text so that it is not recognised.

If a canary could not be found in the encoded text, the plain canary stands beside it.
"""

import base64
import gzip
import json
import quopri
import urllib.parse
import zlib
from collections.abc import Callable, Mapping

import zstandard

from ingest.prove.canaries import full_width, rot13

Wrap = Callable[[str], str]


def _each(letter: str, between: str = "") -> Wrap:
    return lambda text: between.join(letter.format(code) for code in text.encode())


def _coded(encode: Callable[[bytes], bytes], compress: Callable[[bytes], bytes] = bytes) -> Wrap:
    return lambda text: encode(compress(text.encode())).decode("ascii")


def _stored(raw: bytes) -> bytes:
    return gzip.compress(raw, 0, mtime=0)


def _json(text: str) -> str:
    return json.dumps({"messages": [{"role": "user", "content": text}]})


WRAPPINGS: Mapping[str, Wrap] = {
    "as it is": str,
    "upper case": str.upper,
    "JSON in a string": _json,
    "JSON in JSON in a string": lambda text: json.dumps(_json(text)),
    "XML": lambda text: f"<message role='user'>{text}</message>",
    "YAML": lambda text: f"messages:\n- role: user\n  content: {text}\n",
    "Markdown": lambda text: f"```\n{text}\n```",
    "CSV": lambda text: f'user,"{text}",1',
    "SQL": lambda text: f"'; DROP TABLE {text}; --",
    "template": lambda text: f"{{{{{text}}}}}",
    "log4j": lambda text: f"${{jndi:ldap://{text}/a}}",
    "format string": lambda text: f"%s%n{{0}}{text}",
    "data URL": lambda text: f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}",
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "percent, every letter": _each("%{:02x}"),
    "percent, twice": lambda text: urllib.parse.quote(_each("%{:02x}")(text)) + text,
    "form": lambda text: urllib.parse.urlencode({"prompt": text}),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "quoted-printable, every letter": _each("={:02X}"),
    "HTML entities": _each("&#{};"),
    "HTML entities in hex": _each("&#x{:02x};"),
    "\\x escapes": _each("\\x{:02x}"),
    "octal escapes": _each("\\{:03o}"),
    "\\u escapes, twice": _each("\\u{:04x}"),
    "codes": _each("{}", ","),
    "binary": lambda text: _each("{:08b}", " ")(text) + text,
    "hex": _coded(base64.b16encode),
    "hex in lower case": lambda text: text.encode().hex(),
    "0x": lambda text: f"0x{text.encode().hex()}",
    "base32": _coded(base64.b32encode),
    "base64": _coded(base64.b64encode),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64url": _coded(base64.urlsafe_b64encode),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode() + text,
    "base85": lambda text: base64.b85encode(text.encode()).decode() + text,
    "gzip in base64": _coded(base64.b64encode, _stored),
    "small gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode() + text,
    "zlib in hex": lambda text: zlib.compress(text.encode(), 0).hex(),
    "zstd in base64": lambda text: _coded(base64.b64encode, zstandard.compress)(text) + text,
    "rot13": lambda text: rot13(text.encode("ascii")).decode(),
    "reversed": lambda text: text[::-1],
    "spaced": " ".join,
    "dotted": ".".join,
    "dashed": "-".join,
    "full width": full_width,
    "zero-width joints": lambda text: "\u200b".join(text) + text,
    "control characters": lambda text: f"\x1b[31m{text}\x07\x08",
    "lines": lambda text: f"\r\n{text}\r\n",
    "UTF-7": lambda text: f"+AGEAYg-{text}",
    "NULs between": lambda text: "\0".join(text) + text,
    "surrounded": lambda text: f" {text} ",
}
