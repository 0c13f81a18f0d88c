"""What a loaded network runs, read from its modules: activations and attention kernels."""

from __future__ import annotations

from typing import Any

ACTIVATIONS = {
    "QuickGELU": "quickgelu",
    "QuickGELUActivation": "quickgelu",
    "GELU": "gelu",
    "GELUActivation": "gelu",
    "GELUTanh": "gelu-tanh",
    "PytorchGELUTanh": "gelu-tanh",
    "NewGELUActivation": "gelu-tanh",
    "SiLU": "silu",
    "SiLUActivation": "silu",
    "ReLU": "relu",
    "ReLU6": "relu6",
}
"""Module classes of torch, transformers, open_clip and timm, and one word for each activation."""


def network_words(network: Any) -> dict[str, str]:
    """Name the activations and the attention kernels that a network runs, whatever it is called.

    Parameters
    ----------
    network : torch.nn.Module
        Loaded.

    Returns
    -------
    dict of str to str
        ``activation`` (``unknown`` where no module is one) and ``attention`` (``none`` likewise).
    """
    modules = list(network.modules())
    running = {ACTIVATIONS[name] for name in (type(m).__name__ for m in modules) if name in ACTIVATIONS}
    kernels = {kernel for kernel in map(_kernel, modules) if kernel}
    return {
        "activation": " ".join(sorted(running)) or "unknown",
        "attention": ", ".join(sorted(kernels)) or "none",
    }


def _kernel(module: Any) -> str | None:
    name = type(module).__name__
    if name == "MultiheadAttention":
        return "torch.nn.MultiheadAttention"
    if isinstance(getattr(module, "fused_attn", None), bool):
        return "timm, fused" if module.fused_attn else "timm, plain"
    # transformers: eager, sdpa, flash_attention_2 ...; the towers of one model may differ
    said = getattr(getattr(module, "config", None), "_attn_implementation", None)
    return str(said) if said and "attention" in name.lower() else None
