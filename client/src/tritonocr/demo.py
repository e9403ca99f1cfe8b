"""`python -m tritonocr.demo FILE`: draw the demo page into a PNG file."""

import sys

from PIL import Image

from ._demo import demo_page


def main() -> None:
    """Write the page to the file that the command line names."""
    Image.fromarray(demo_page()[:, :, ::-1]).save(sys.argv[1])


if __name__ == "__main__":
    main()
