"""Datasets: ordered items with pictures and captions, the readers of their layouts, safe decoding."""

from __future__ import annotations

from clipeval.data.coco import read_coco
from clipeval.data.content import dataset_hash, item_hashes, picture_hash
from clipeval.data.csv_table import read_csv
from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.data.huggingface import from_huggingface
from clipeval.data.load import load_dataset
from clipeval.data.metadata_json import read_metadata_json
from clipeval.data.pairs_json import read_pairs
from clipeval.data.parquet import read_parquet
from clipeval.data.picture_folder import read_picture_folder
from clipeval.data.pictures import decode_picture, read_picture
from clipeval.data.product_table import read_products
from clipeval.data.saved_huggingface import read_saved_huggingface
from clipeval.data.webdataset import read_webdataset

__all__ = [
    "Dataset",
    "Item",
    "PictureSource",
    "dataset_hash",
    "decode_picture",
    "from_huggingface",
    "item_hashes",
    "load_dataset",
    "picture_hash",
    "read_coco",
    "read_csv",
    "read_metadata_json",
    "read_pairs",
    "read_parquet",
    "read_picture",
    "read_picture_folder",
    "read_products",
    "read_saved_huggingface",
    "read_webdataset",
]
