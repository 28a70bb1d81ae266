"""Names of files in a bundle: what may be written below a folder, on any file system."""

from __future__ import annotations

import re
import unicodedata
from typing import Dict, Iterable, Set

from .errors import BundleError

# A bundle's name, version, board and target become parts of file names.
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_LONGEST = 255  # bytes, of one part of a path: the limit of Linux' file systems


def check_word(text: object, what: str) -> str:
    """A text that is safe as a part of a file name.

    Raises:
        BundleError: it is something else.
    """
    if not isinstance(text, str) or not WORD.fullmatch(text):
        raise BundleError(
            "{} {!a} cannot be a part of a file name".format(what, text),
            "up to 64 letters, digits and _ . + -, the first no dot or sign",
        )
    return text


def check_name(name: str) -> None:
    """Refuse a path that could leave the folder, deceive a reader, or not be written.

    Raises:
        BundleError: says which rule it breaks.
    """
    problem = _problem(name)
    if problem:
        raise BundleError("the file name {!a} {}".format(name, problem))


def _problem(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/"):
        return "is absolute"
    if ".." in parts:
        return "leaves the folder"
    if "" in parts or "." in parts:
        return "has an empty part"
    if "\\" in name:
        return "holds a backslash"
    if not name.isprintable():  # control and formatting characters, surrogates, odd spaces
        return "holds characters that do not print"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC)"
    if any(part != part.strip(" ") or part.endswith(".") for part in parts):
        return "has a part with a space at an end or a dot at its end"
    if any(len(part.encode("utf-8")) > _LONGEST for part in parts):
        return "has a part of more than {} bytes".format(_LONGEST)
    return ""


def check_names(names: Iterable[str]) -> None:
    """Check each name, and that they can lie side by side.

    Raises:
        BundleError: a wrong name, two that some file systems take for one, or a file that
            another name needs as a folder.
    """
    seen: Dict[str, str] = {}
    folders: Set[str] = set()
    for name in names:
        check_name(name)
        key = unicodedata.normalize("NFKC", name).casefold()
        if key in seen:
            raise BundleError("the file names {!a} and {!a} collide".format(seen[key], name))
        seen[key] = name
        parts = key.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for key in sorted(folders & set(seen)):
        raise BundleError("{!a} is a file and a folder".format(seen[key]))
