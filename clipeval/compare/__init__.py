"""The main job: several encoders on one dataset, compared query by query."""
