# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with data: it sends the total of the orders in its database to every client."""

from __future__ import annotations

import socketserver
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

DATABASE = Path("/var/lib/shop/orders.db")
PORT = 8080


def create() -> None:
    """Fill a new database with orders."""
    DATABASE.parent.mkdir(exist_ok=True)
    with sqlite3.connect(DATABASE) as database:
        database.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, cents INTEGER, note TEXT)")
        rows = ((number, number * 7919 % 100_000, f"order {number:06}") for number in range(1, 20_001))
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)


def report() -> str:
    """Return the answer to a customer."""
    with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as database:
        count, cents = database.execute("SELECT count(*), sum(cents) FROM orders").fetchone()
    return f"{count} orders, {cents / 100:.2f} EUR\n"


class Customer(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer it."""
        self.wfile.write(report().encode())


def serve() -> None:
    """Answer customers forever; fail at once if the database is broken."""
    report()
    socketserver.TCPServer.allow_reuse_address = True
    with socketserver.TCPServer(("127.0.0.1", PORT), Customer) as server:
        server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["create"]:
        create()
    else:
        serve()
