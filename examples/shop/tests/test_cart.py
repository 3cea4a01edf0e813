import subprocess
import unittest

from shop import Cart, cents, format_cents


class Prices(unittest.TestCase):
    def test_there_and_back(self):
        for text, expected in [("2.50", 250), ("2.5", 250), ("2", 200), ("0.07", 7), ("1000000.00", 100000000)]:
            with self.subTest(text):
                self.assertEqual(cents(text), expected)
        self.assertEqual(format_cents(7), "0.07")

    def test_what_is_not_a_price(self):
        for text in ["", ".", "2.", "1.234", "-1", "1,5", "1e3"]:
            with self.subTest(text), self.assertRaises(ValueError):
                cents(text)


class Receipts(unittest.TestCase):
    def test_total(self):
        cart = Cart()
        cart.add("milk", "1.19")
        cart.add("bread", "2.50", 2)
        self.assertEqual(cart.total, 619)
        self.assertEqual(cart.receipt().splitlines()[0].split(), ["2", "x", "bread", "5.00"])

    def test_command_line(self):
        done = subprocess.run(["shop", "bread=2.50x2", "milk=1.19"], capture_output=True, text=True, check=True)
        self.assertIn("6.19", done.stdout)
        self.assertEqual(subprocess.run(["shop", "bread=oops"], capture_output=True).returncode, 2)
