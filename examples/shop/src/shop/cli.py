"""``shop bread=2.50x2 milk=1.19`` prints a receipt."""

from __future__ import annotations

import argparse
import sys

from shop.cart import Cart


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="shop", description="Add up a cart and print the receipt.")
    parser.add_argument("goods", nargs="+", metavar="NAME=PRICE[xCOUNT]")
    cart = Cart()
    for good in parser.parse_args(argv).goods:
        name, _, rest = good.partition("=")
        price, _, count = rest.partition("x")
        try:
            cart.add(name, price, int(count or 1))
        except ValueError as error:
            print(f"shop: {good}: {error}", file=sys.stderr)
            return 2
    print(cart.receipt())
    return 0
