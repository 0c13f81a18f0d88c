"""Recipes: training and test sets that are built on the user's machine from packages anyone can install.

Nothing of them is shipped with clipeval; each folder that is built says where it comes from and under which
licence.
"""

from __future__ import annotations

from clipeval.data.recipes.build import RECIPES, build

__all__ = ["RECIPES", "build"]
