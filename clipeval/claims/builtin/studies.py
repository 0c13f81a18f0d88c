"""Claims of the five studies, about relations between models, not about their unpublished pictures."""

from __future__ import annotations

from clipeval.claims.builtin.roles_needed import (
    ALIGNED,
    JOINT,
    LEARNED,
    NAMED,
    RANDOM,
    UNTRAINED,
    at_least,
    categories,
)
from clipeval.claims.checks import (
    at_chance,
    better_in_every_category,
    better_on_pictures,
    better_than,
    confusions_inside_category,
    diagonal_dominates,
    ordering,
    positives_above_negatives,
    rows_beat_threshold,
    scores_below,
    survives_noise,
)
from clipeval.claims.claim import Claim, Source, Tolerance
from clipeval.evaluation import DIRECTIONS

S1 = Source("study", "S1, resnet18-distiluse: 20 pictures, CLIP ViT-B/32 against ResNet-18 and distiluse")
S2 = Source("study", "S2, resnet50-distiluse: top-1 5 % against 65 % on 20 pictures")
S4 = Source("study", "S4, text-to-image-retrieval: hits@5 of 833: 6, 339 (RN50), 376 (B/32), 400 (B/16)")
S5 = Source("study", "S5, resnet50-minilm: matching precision 0 % against 100 % on 20 pictures")
S5_EVERY = Source(
    "study",
    "S5, resnet50-minilm: better on every picture of 20; no sample shows 'every', so 9 in 10 is tested",
)
BRIDGES = Source("paper", "Merullo et al. 2023, arXiv 2209.15162; Norelli et al. 2022, arXiv 2210.01738")
CONSE = Source("paper", "Norouzi et al. 2014, arXiv 1312.5650")

_WORDS = {"i2t": "image to text", "t2i": "text to image"}
_B16 = frozenset(
    {"hf:openai/clip-vit-base-patch16", "open_clip:ViT-B-16-quickgelu/openai", "st:clip-ViT-B-16"}
)
_B32 = frozenset(
    {"hf:openai/clip-vit-base-patch32", "open_clip:ViT-B-32-quickgelu/openai", "st:clip-ViT-B-32"}
)
_RN50 = frozenset({"open_clip:RN50-quickgelu/openai"})

BETTER = tuple(
    Claim(
        id=f"study/s5/joint-beats-random/{direction}",
        statement=f"A joint encoder's top 1 ({_WORDS[direction]}) beats that of a random bridge.",
        source=S5,
        roles=(JOINT, RANDOM),
        tolerance=Tolerance.ORDERING,
        check=better_than("hit_rate@1", direction),
    )
    for direction in DIRECTIONS
)

CHANCE = tuple(
    Claim(
        id=f"study/s5/random-at-chance/{direction}",
        statement=f"A random bridge is at chance ({_WORDS[direction]}, top 1, give or take 0.02).",
        source=S5,
        roles=(RANDOM,),
        tolerance=Tolerance.EQUIVALENCE,
        check=at_chance(direction, k=1, margin=0.02),
    )
    for direction in DIRECTIONS
)

NAMED_BRIDGES = tuple(
    Claim(
        id=f"bridge/named-beats-random/{direction}",
        statement=f"A bridge through class names beats a random bridge ({_WORDS[direction]}, top 1).",
        source=CONSE,
        roles=(NAMED, RANDOM),
        tolerance=Tolerance.ORDERING,
        check=better_than("hit_rate@1", direction),
    )
    for direction in DIRECTIONS
)

LEARNED_BRIDGES = tuple(
    claim
    for direction in DIRECTIONS
    for claim in (
        Claim(
            id=f"bridge/learned-beats-random/{direction}",
            statement=f"A learned bridge beats a random one on held-out items ({_WORDS[direction]}, top 1).",
            source=BRIDGES,
            roles=(LEARNED, RANDOM),
            tolerance=Tolerance.ORDERING,
            check=better_than("hit_rate@1", direction),
        ),
        Claim(
            id=f"bridge/joint-beats-learned/{direction}",
            statement=f"A learned bridge stays below a joint encoder ({_WORDS[direction]}, top 1).",
            source=BRIDGES,
            roles=(JOINT, LEARNED),
            tolerance=Tolerance.ORDERING,
            check=better_than("hit_rate@1", direction),
        ),
    )
)

UNTRAINED_AT_CHANCE = tuple(
    Claim(
        id=f"bridge/untrained-at-chance/{direction}",
        statement=f"An untrained encoder is at chance ({_WORDS[direction]}, top 1, give or take 0.02).",
        source=Source("paper", "Liang et al. 2022, arXiv 2203.02053: CLIP with random weights"),
        roles=(UNTRAINED,),
        tolerance=Tolerance.EQUIVALENCE,
        check=at_chance(direction, k=1, margin=0.02),
    )
    for direction in DIRECTIONS
)

OTHERS = (
    Claim(
        id="study/s1/diagonal-dominates",
        statement="Among 20 candidates, most right pairs of a joint encoder beat every wrong one.",
        source=S1,
        roles=(JOINT,),
        tolerance=Tolerance.ORDERING,
        check=diagonal_dominates("i2t", share=0.5, among=20),
    ),
    Claim(
        id="study/s5/positives-above-negatives",
        statement="A joint encoder's right pairs score far above the wrong pairs of their caption.",
        source=S5,
        roles=(JOINT,),
        tolerance=Tolerance.ORDERING,
        check=positives_above_negatives("t2i", at_least=0.75),
    ),
    Claim(
        id="study/s5/better-in-every-category",
        statement="A joint encoder beats a random bridge in every category.",
        source=S5,
        roles=(JOINT, RANDOM),
        tolerance=Tolerance.ORDERING,
        check=better_in_every_category("hit_rate@1", "i2t"),
        requires=categories,
    ),
    Claim(
        id="study/s5/better-on-most-pictures",
        statement="A joint encoder ranks the right caption better than a random bridge on 9 in 10 pictures.",
        source=S5_EVERY,
        roles=(JOINT, RANDOM),
        tolerance=Tolerance.ORDERING,
        check=better_on_pictures("i2t", share=0.9),
    ),
    Claim(
        id="study/s2/confusions-inside-category",
        statement="Where an aligned encoder takes one caption for another, it stays inside the category.",
        source=S2,
        roles=(ALIGNED,),
        tolerance=Tolerance.ORDERING,
        check=confusions_inside_category("i2t"),
        requires=categories,
    ),
    Claim(
        id="study/s4/size-order",
        statement="Text to image, top 5: ViT-B/16 beats ViT-B/32, that RN50, and that a random bridge.",
        source=S4,
        roles=(JOINT, JOINT, JOINT, RANDOM),
        tolerance=Tolerance.ORDERING,
        check=ordering("hit_rate@5", "t2i"),
        models=(_B16, _B32, _RN50, None),
        requires=at_least(50),
    ),
    Claim(
        id="study/s4/noise-words",
        statement="Noise words behind every caption cost an aligned encoder no more than 0.2 of its top 5.",
        source=S4,
        roles=(ALIGNED,),
        tolerance=Tolerance.NON_INFERIORITY,
        check=survives_noise(k=5, margin=0.2),
    ),
    Claim(
        id="study/s4/compare-within-a-row",
        statement="Scores of a joint encoder rank within a row: the best of each row are right more often "
        "than the best of the whole matrix.",
        source=S4,
        roles=(JOINT,),
        tolerance=Tolerance.ORDERING,
        check=rows_beat_threshold(),
    ),
    Claim(
        id="study/s4/scores-below-half",
        statement="All pair scores of OpenAI's CLIP stay below 0.5, so a score is no probability.",
        source=S4,
        roles=(JOINT,),
        tolerance=Tolerance.EXACT,
        check=scores_below(0.5),
        models=(_RN50 | _B32 | _B16,),
    ),
)

CLAIMS = (*BETTER, *CHANCE, *NAMED_BRIDGES, *LEARNED_BRIDGES, *UNTRAINED_AT_CHANCE, *OTHERS)
