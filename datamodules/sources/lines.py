"""The lines of text files, which may be compressed with gzip."""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

from datamodules.errors import DataError, first_line
from datamodules.sources.files import open_file

GZIP = ".gz"
"""The end of the name of a file that is compressed."""
_MAGIC = b"\x1f\x8b"
"""Begins what gzip has compressed."""
NOT_UTF8 = "this is not UTF-8; save the file as UTF-8"
UNDECODED = re.compile("[\udc80-\udcff]")
"""What `lines_of` makes of bytes that are not UTF-8."""


def lines_of(file: Path) -> Iterator[str]:
    """Yields the lines with their ends; a byte that is not UTF-8 becomes a lone surrogate, so that its row is known.

    Raises:
        DataError: The file cannot be read, is UTF-16 or compressed twice, or its compressed content is damaged: what
            stands before that is yielded.
    """
    with _opened(file) as stream:
        for number, line in enumerate(stream):
            if not number and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(f"{file}, line 1: this is UTF-16; save the file as UTF-8")
            yield (line if number else line.removeprefix(codecs.BOM_UTF8)).decode(errors="surrogateescape")


@contextmanager
def _opened(file: Path) -> Iterator[BufferedIOBase]:
    with open_file(file) as stream:
        if file.suffix != GZIP:
            yield stream
            return
        try:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                if unpacked.peek(len(_MAGIC)).startswith(_MAGIC):
                    raise DataError(f"{file} is compressed twice with gzip; unpack it once")
                yield unpacked
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{file} cannot be read as gzip: {first_line(error)}") from error
