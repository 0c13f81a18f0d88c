"""The models that a command takes when none are named."""

from __future__ import annotations


def offline_models(seed: int) -> tuple[str, ...]:
    """Name the default models whose weights are ordinary packages: no model hub is asked.

    Parameters
    ----------
    seed : int
        Of the random projection.

    Returns
    -------
    tuple of str
        A Pre-CLIP whose towers meet through a random projection, and ConSE on the same towers.

    Examples
    --------
    >>> offline_models(7)[0]
    'preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=7'
    """
    return (
        f"preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed={seed}",
        "conse:efficientnet-lite0+all-MiniLM-L6-v2",
    )


def default_models(seed: int) -> tuple[str, ...]:
    """Name the models that ``clipeval compare`` takes: `offline_models` and OpenAI's CLIP.

    Parameters
    ----------
    seed : int
        Of the random projection.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> default_models(7)[-1]
    'hf:openai/clip-vit-base-patch32'
    """
    return (*offline_models(seed), "hf:openai/clip-vit-base-patch32")
