"""A figure of one page or several, and how it becomes a file: the same figure always gives the same bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from warnings import catch_warnings, filterwarnings

from matplotlib import style
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from framework.reports.compare.figures.style import STYLE

DPI = 200


@dataclass
class Drawing:
    """A figure; on several pages where one has no room."""

    name: str
    """The name of its files, without the metric."""
    says: str
    """What it shows, for those who cannot see it."""
    pages: list[Figure] = field(default_factory=list)

    def pdf(self) -> bytes:
        """Returns all pages as one PDF."""
        out = io.BytesIO()
        with styled(), PdfPages(out, metadata={"CreationDate": None}) as file:
            for figure in self.pages:
                file.savefig(figure)
        return out.getvalue()

    def pngs(self) -> list[bytes]:
        """Returns each page as a PNG."""
        return [_saved(figure, "png", {"Software": None}) for figure in self.pages]

    def svgs(self) -> list[bytes]:
        """Returns each page as an SVG."""
        return [_saved(figure, "svg", {"Date": None, "Creator": None}) for figure in self.pages]


def _saved(figure: Figure, format: str, metadata: dict[str, None]) -> bytes:
    out = io.BytesIO()
    with styled():
        figure.savefig(out, format=format, dpi=DPI, metadata=metadata)
    return out.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """The settings under which figures are drawn and saved, whatever matplotlibrc the user has."""
    with style.context([STYLE], after_reset=True), catch_warnings():
        # A label in a script that the font lacks shows boxes; the tables have it right.
        filterwarnings("ignore", "Glyph .* missing from font")
        yield
