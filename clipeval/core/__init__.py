"""The science: pure functions on arrays, without files, models or globals."""
