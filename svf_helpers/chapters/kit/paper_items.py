"""Every figure, table and theorem of the paper, in our own words: the rows of the scorecard."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperItem:
    """One item of the paper, the title of the chapter it belongs to, and what the paper shows with it."""

    item: str
    chapter: str
    shows: str


PAPER_ITEMS = tuple(
    PaperItem(item, chapter, shows)
    for item, chapter, shows in (
        ("Fig 1a", "superposition", "without a head, twenty features in ten dimensions form ten antipodal pairs"),
        ("Fig 1b", "one pair", "with one pair of interest, its two features turn orthogonal to all others"),
        ("Fig 1c", "many pairs", "with twenty pairs in fifty dimensions, all forty features of interest stand apart"),
        ("Fig 2a", "one pair", "one singular value is large, and its vectors are the two features of interest"),
        ("Fig 2b", "many pairs", "the singular values fall with the target logits, one for each pair"),
        ("Fig 3", "dynamics", "singular vectors lock on to their features one after the other during training"),
        ("Fig 4", "anisotropy", "alignment weakens as the dictionary is stretched, and anti-whitening restores it"),
        ("Fig 5", "sad_toy", "after training, relative attention rests on one term where a pair is present"),
        ("Fig 6", "sad_toy", "the size of a singular vector's term follows the strengths of its features"),
        ("Fig 7a", "sad_toy", "the toy head's attention grows sparse only where features of interest are"),
        ("Fig 7b", "sad_pythia", "attention of the circuit's heads grows sparser over training, its null does not"),
        ("Fig 8", "sad_pythia", "for four heads, a few singular vectors come to carry most of relative attention"),
        ("Fig 9a", "sad_gpt2", "few singular vectors suffice for each head of the indirect-object circuit"),
        ("Fig 9b", "sad_pythia", "the number of singular vectors needed falls over training"),
        ("Fig 10", "superposition", "a diagram of the toy model with its attention head"),
        ("Fig 11a", "one pair", "features against singular vectors, all of them, with one pair of interest"),
        ("Fig 11b", "many pairs", "features against singular vectors, all of them, with twenty pairs of interest"),
        ("Table 1", "robustness", "the default settings and the range over which each of them is varied"),
        ("Fig 12", "robustness", "alignment holds for feature probabilities down to about .038"),
        ("Fig 13", "robustness", "the rarer the features, the more training steps alignment takes"),
        ("Fig 14", "robustness", "alignment holds while the weight of the attention loss varies a hundredfold"),
        ("Fig 15", "robustness", "alignment holds from as many features as dimensions to three times as many"),
        ("Fig 16", "robustness", "alignment holds for head dimensions 10, 8, 6 and 4"),
        ("Fig 17", "robustness", "alignment holds for contexts of 2 to 32 keys"),
        ("Fig 18", "robustness", "alignment holds for each of five random seeds"),
        ("Fig 19a", "superposition", "without a head, the Gram matrix of the features is isotropic"),
        ("Fig 19b", "one pair", "with one pair of interest, the Gram matrix stays close to isotropic"),
        ("Fig 20", "anisotropy", "decoders of sparse autoencoders on GPT-2 are anisotropic: ‖E‖ from 10 to 55"),
        ("Fig 21", "RoPE", "under rotary positions, features still align with the un-rotated QK matrix"),
        ("Fig 22", "RoPE", "features settle in the rotary bands that suit how much position matters to them"),
        ("Fig 23a", "beyond capacity", "with five head dimensions, the weakest of 5 to 10 pairs share the last vector"),
        ("Fig 23b", "beyond capacity", "the same with ten head dimensions and 10 to 20 pairs"),
        ("Fig 24", "sad_toy", "without features of interest, attention never becomes sparse"),
        ("Table 2", "sad_pythia", "the twelve heads of Pythia's circuit and the tokens between which they attend"),
        ("Fig 25", "sad_pythia", "terms of relative attention for all twelve heads, at the start and end of training"),
        ("Lemma 1", "theorem1", "two softmaxes agree exactly when their logits differ by a constant"),
        ("Lemma 2", "theorem1", "cross-entropy is least exactly where student and teacher agree"),
        ("Lemma 3", "theorem1", "the second moments of queries and of differences of keys, in closed form"),
        ("Theorem 1", "theorem1",
         "the trained QK matrix has rank 1, and anti-whitening its vectors gives the features"),
        ("Corollary 1", "theorem1", "for tight frames the singular vectors are the features themselves"),
        ("Theorem 2", "theorem2", "near isotropy, the angle between feature and singular vector is bounded"),
        ("Theorem 3", "theorem3", "features trained under a fixed head keep their interference under a bound"),
    )
)
