"""In which encodings a text that is not UTF-8 may be written, the likeliest first, with what it says in each."""

from __future__ import annotations

from charset_normalizer import from_bytes

_LOOKED_AT = 1 << 14
_MOST = 3
_SAMPLE = 60
_USUAL = "cp1252"  # where nothing tells them apart: what most files of Windows programs are
_KNOWN = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "mac_roman"),
    *("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"),
]


def likely_encodings(content: bytes) -> list[tuple[str, str]]:
    """Codecs by Python's names, and the first text of `content` that is no ASCII as each of them reads it.

    `content` is a part of the file, from the first bytes on that are no UTF-8.
    """
    lines = [line.strip() for line in content.split(b"\n") if not line.isascii()]
    looked_at = b"\n".join(lines)[:_LOOKED_AT]
    matches = list(from_bytes(looked_at, cp_isolation=_KNOWN))
    # Codecs in which it reads the same are one match, called by the first of them in the alphabet.
    names = [_USUAL if _USUAL in match.could_be_from_charset else match.encoding for match in matches]
    quality = [(match.chaos, match.coherence) for match in matches]
    if _USUAL in names and quality[names.index(_USUAL)] == quality[0]:
        names.insert(0, _USUAL)
    names = list(dict.fromkeys(names))[:_MOST]
    names += [] if _USUAL in names else [_USUAL]
    return [(name, _sample(lines[0], name)) for name in names] if lines else []


def _sample(line: bytes, encoding: str) -> str:
    """The line around its first character that is no ASCII."""
    text = " ".join(line.decode(encoding, errors="replace").split())
    first = next((at for at, character in enumerate(text) if not character.isascii()), 0)
    start = max(0, first - _SAMPLE // 3)
    return ("… " if start else "") + text[start : start + _SAMPLE] + (" …" if len(text) > start + _SAMPLE else "")
