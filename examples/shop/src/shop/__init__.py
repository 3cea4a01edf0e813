"""A cart that adds prices exactly."""

from shop._money import cents, format_cents
from shop.cart import Cart

__all__ = ["Cart", "cents", "format_cents"]
