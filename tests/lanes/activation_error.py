"""The error of each product that rounds activations, beside the one that the rounded activations alone cause.

``python -m tests.lanes.activation_error``: 512 x 1024 Gaussian weights, 64 activations, of whose columns 8 are 20 times
as large as the others; root mean squares, relative to the exact product.
"""

from tests.kernels.activation_error import errors, rounding

ROWS, COLS, COUNT = 512, 1024, 64


def main() -> None:
    """Prints a line a format."""
    print(f"{'tag':6}{'product':>9}{'W s q':>9}{'ratio':>8}")
    for tag in rounding(COUNT):
        product, alone = errors(tag, ROWS, COLS, COUNT)
        print(f"{tag!s:6}{product:9.5f}{alone:9.5f}{product / alone:8.3f}")


if __name__ == "__main__":
    main()
