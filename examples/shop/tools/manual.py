"""Write the manual as one HTML page: python3 tools/manual.py docs/manual.txt manual.html"""

import html
import os
import sys
import time

source, target = sys.argv[1:]
body = html.escape(open(source, encoding="utf-8").read())
day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
page = f"<!doctype html>\n<title>shop {os.environ['LOCKAGE_VERSION']}</title>\n<pre>{body}</pre>\n<p>{day}</p>\n"
open(target, "w", encoding="utf-8").write(page)
