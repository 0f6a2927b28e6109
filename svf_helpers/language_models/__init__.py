"""Sparse attention decomposition of real transformers (paper, section 5): all that a reader calls, in one place.

::

    model = load_model("gpt2")                                   # or "pocket-gpt2", "EleutherAI/pythia-160m", a folder
    tokens = model.to_tokens("When Mary and John went ...", prepend_bos=False)
    terms = head_terms(model, tokens, layer=9, head=6, query=13, key=1)

:func:`load_model` loads, :func:`head_terms` gives the terms of one head at one token pair, :func:`head_terms_batch`
those of many at once, :func:`head_moments` what the whitened basis needs, and :func:`ablate_terms` ablates terms of a
head while the model runs. Tensors of terms go to :mod:`svf_helpers.attention` for sparsity and $N_{sv}$.
"""

from __future__ import annotations

from ..deprecation import renamed
from .ablation import ablate_terms
from .bases import Basis, HeadBases, head_bases, reading_directions
from .loading import load_model
from .moments import HeadMoments, head_moments
from .terms import HeadTerms, head_terms, head_terms_batch

__all__ = [
    "Basis",
    "HeadBases",
    "HeadMoments",
    "HeadTerms",
    "ablate_terms",
    "head_bases",
    "head_moments",
    "head_terms",
    "head_terms_batch",
    "load_model",
    "reading_directions",
]
__getattr__ = renamed(__name__, {"without_terms": "ablate_terms"})
