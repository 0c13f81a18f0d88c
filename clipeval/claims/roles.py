"""What a model is, read from its spec, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from clipeval.claims.claim import Role
from clipeval.encoders.spec import parse_spec
from clipeval.errors import SpecError, near

ROLE_WORDS = {
    "joint": Role.JOINT,
    "random-bridge": Role.RANDOM_BRIDGE,
    "named-bridge": Role.NAMED_BRIDGE,
    "learned-bridge": Role.LEARNED_BRIDGE,
    "untrained": Role.UNTRAINED,
}
"""How a user writes a role on the command line."""

_BLIND = frozenset({"gaussian", "sign", "identity", "truncation"})


def role_of(spec: str, overrides: Mapping[str, Role] | None = None) -> Role:
    """Say what a model is.

    ``preclip`` with a projection that saw no pairs is a random bridge, with any other a learned one;
    ``conse`` is a bridge through class names; everything else counts as a joint encoder. A spec cannot say
    that frozen embeddings or a checkpoint are untrained: the user does, in ``overrides``.

    Parameters
    ----------
    spec : str
        A model spec.
    overrides : mapping of str to Role, optional
        The user's word, by spec.

    Returns
    -------
    Role

    Raises
    ------
    SpecError
        Not a model spec.

    Examples
    --------
    >>> role_of("preclip:resnet50+all-MiniLM-L6-v2?seed=1").value, role_of("frozen:clip.npy").value
    ('random bridge', 'joint encoder')
    >>> role_of("frozen:random.npy", {"frozen:random.npy": Role.UNTRAINED}).value
    'untrained encoder'
    """
    if overrides is not None and spec in overrides:
        return overrides[spec]
    parsed = parse_spec(spec)
    if parsed.family == "conse":
        return Role.NAMED_BRIDGE
    if parsed.family != "preclip":
        return Role.JOINT
    return (
        Role.RANDOM_BRIDGE if parsed.options.get("projection", "gaussian") in _BLIND else Role.LEARNED_BRIDGE
    )


def role_named(word: str) -> Role:
    """Read a role as a user writes it.

    Parameters
    ----------
    word : str
        ``joint``, ``random-bridge``, ``named-bridge``, ``learned-bridge`` or ``untrained``.

    Returns
    -------
    Role

    Raises
    ------
    SpecError
        Another word (near matches named).

    Examples
    --------
    >>> role_named("untrained").value
    'untrained encoder'
    """
    if word not in ROLE_WORDS:
        raise SpecError(f"there is no role '{word}'", fix=near(word, ROLE_WORDS))
    return ROLE_WORDS[word]


def parse_role_override(text: str) -> tuple[str, Role]:
    """Read ``SPEC=ROLE``; the spec may hold equals signs itself.

    Parameters
    ----------
    text : str
        Such as ``frozen:random.npy=untrained``.

    Returns
    -------
    spec : str
    role : Role

    Raises
    ------
    SpecError
        No equals sign, or an unknown role.

    Examples
    --------
    >>> parse_role_override("frozen:rows.npz?ids=a.json=untrained")[0]
    'frozen:rows.npz?ids=a.json'
    """
    spec, equals, word = text.rpartition("=")
    if not equals or not spec:
        raise SpecError(
            f"'{text}' gives no role", fix="write SPEC=ROLE, for example frozen:rows.npy=untrained"
        )
    return spec, role_named(word)
