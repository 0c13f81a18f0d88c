"""Search: the pictures of a dataset that a model finds for a text or for a picture."""

from clipeval.search.job import Found, Hit, search
from clipeval.search.query import Query, query_of

__all__ = ["Found", "Hit", "Query", "query_of", "search"]
