"""The loops by which other libraries turn picture files into rows, on given weights.

Written after their public code; only what makes rows of pictures is kept. Each runs as it is documented, but
in float32: CLIP_benchmark's default on a CPU is an autocast to bfloat16, which makes other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image


class Files:
    """The torch dataset that both loops below are given: a file, opened with Pillow and transformed."""

    def __init__(self, paths: Sequence[Path], transform: Callable[[Image.Image], Any]) -> None:
        self._paths, self._transform = paths, transform

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, at: int) -> tuple[Any, int]:
        # torchvision.datasets.folder.pil_loader
        with self._paths[at].open("rb") as file:
            picture = Image.open(file).convert("RGB")
        return self._transform(picture), 0


def clip_benchmark(
    model: Any, transform: Any, paths: Sequence[Path], *, batch_size: int, workers: int
) -> Callable[[], Any]:
    """CLIP_benchmark 1.6.2 (MIT): cli.py's DataLoader and metrics/zeroshot_retrieval.py's `evaluate`.

    Its defaults are 4 workers and batches of 64.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812

    def run() -> Any:
        dataloader = torch.utils.data.DataLoader(
            Files(paths, transform), batch_size=batch_size, shuffle=False, num_workers=workers
        )
        batch_images_emb_list = []
        for batch_images, _ in dataloader:
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                batch_images_emb = F.normalize(model.encode_image(batch_images.to("cpu")), dim=-1)
            batch_images_emb_list.append(batch_images_emb.cpu())
        return torch.cat(batch_images_emb_list).numpy()

    return run


def open_clip_train(
    model: Any, transform: Any, paths: Sequence[Path], *, batch_size: int, workers: int
) -> Callable[[], Any]:
    """open_clip 3.3 (MIT): open_clip_train/zero_shot.py's `run` on data.py's loader of ImageNet folders.

    Its defaults are 4 workers and batches of 64.
    """
    import torch

    def run() -> Any:
        dataloader = torch.utils.data.DataLoader(
            Files(paths, transform), batch_size=batch_size, num_workers=workers, sampler=None
        )
        found = []
        with torch.inference_mode():
            for images, _ in dataloader:
                output = model(image=images.to(device="cpu", dtype=torch.float32))
                found.append(output["image_features"] if isinstance(output, dict) else output[0])
        return torch.cat(found).numpy()

    return run


def open_clip_readme(model: Any, transform: Any, paths: Sequence[Path]) -> Callable[[], Any]:
    """open_clip 3.3 (MIT): the zero-shot example of its README, for each file."""
    import torch

    def run() -> Any:
        found = []
        for path in paths:
            image = transform(Image.open(path)).unsqueeze(0)
            with torch.no_grad():
                image_features = model.encode_image(image)
                image_features /= image_features.norm(dim=-1, keepdim=True)
            found.append(image_features)
        return torch.cat(found).numpy()

    return run


def sentence_transformers(folder: Path, paths: Sequence[Path], *, batch_size: int) -> Callable[[], Any]:
    """sentence-transformers 6 (Apache-2.0): `encode` of opened pictures, as its documentation has it."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.eval()
    return lambda: model.encode(
        [Image.open(path) for path in paths], batch_size=batch_size, show_progress_bar=False
    )
