"""PDF/A-2b (ISO 19005-2, level B): PDFs for archives, whose look depends on nothing outside the file."""

from __future__ import annotations

from .._exceptions import InvalidInputError, missing_extra

try:
    import pikepdf
    from PIL import ImageCms
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

ARCHIVAL_VERSION = "1.7"
"""The version of PDF that PDF/A-2 is based on."""

_PART, _LEVEL = "2", "B"
_PROFILE_DATE = slice(24, 36)  # ICC.1, 7.2: date and time of the profile


def declare_archival(pdf: pikepdf.Pdf) -> None:
    """Declare a document of pictures to be PDF/A-2b: its metadata, and what its colours mean (sRGB)."""
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["dc:title"] = str(pdf.docinfo["/Title"])
        metadata["pdfaid:part"], metadata["pdfaid:conformance"] = _PART, _LEVEL
    profile = pdf.make_stream(_srgb_profile(), N=3)
    intent = pikepdf.Dictionary(
        Type=pikepdf.Name.OutputIntent, S=pikepdf.Name.GTS_PDFA1, OutputConditionIdentifier="sRGB",
        Info="sRGB", DestOutputProfile=profile,
    )  # fmt: skip
    pdf.Root.OutputIntents = pikepdf.Array([pdf.make_indirect(intent)])


def check_can_be_archival(original: pikepdf.Pdf | None) -> None:
    """Check that a document can be PDF/A.

    Raises:
        InvalidInputError: the document keeps the pages of a PDF, which does not declare to be PDF/A.
    """
    if original is None:
        return
    with original.open_metadata(set_pikepdf_as_editor=False) as metadata:
        if not metadata.pdfa_status:
            raise InvalidInputError(
                "The original is a PDF that is not PDF/A; expected an image, or a PDF that is PDF/A already, "
                "because pages of a PDF are kept as they are."
            )


def _srgb_profile() -> bytes:
    """Return the profile of sRGB with a fixed date: the same pages give the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])  # 2000-01-01
    return bytes(profile)
