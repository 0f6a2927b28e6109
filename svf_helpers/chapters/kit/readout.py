"""The numbers in words below an explorer's picture: a sentence with gaps on the page, and what a frame puts in them."""

import re

from svf_helpers.chapters.kit.scene import Frame, rounded


def readout(*paragraphs: str) -> str:
    """Paragraphs in which ``{name}`` is a gap that frames fill, as :func:`says` has it.

    Example:
        >>> readout("At {angle}°.", "{note}")
        '<p>At <span data-part="say-angle"></span>°.</p><p><span data-part="say-note"></span></p>'
    """
    gaps = (re.sub(r"{(.+?)}", r'<span data-part="say-\1"></span>', text) for text in paragraphs)
    return "".join(f"<p>{text}</p>" for text in gaps)


def says(**words: str) -> Frame:
    """What a frame puts into the gaps of a :func:`readout`.

    Example:
        >>> says(angle="30")
        {'say-angle': {'text': '30'}}
    """
    return {f"say-{name}": {"text": text} for name, text in words.items()}


def signed(value: float) -> str:
    """A number to one decimal, with a minus sign that is no hyphen, and none before a zero.

    Example:
        >>> signed(-1.26), signed(-0.04)
        ('−1.3', '0.0')
    """
    return f"{rounded(value):.1f}".replace("-", "−")


def subscript(number: int) -> str:
    """A whole number as the index of a letter.

    Example:
        >>> f"u{subscript(12)}"
        'u₁₂'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
