"""The contest of bridges: how far each way of joining two towers gets, from chance to a published CLIP."""
