"""Figures as people read them: durations, tokens, money."""

from decimal import Decimal
from typing import Final


def duration(seconds: float) -> str:
    """3.2 s, 47 s, 2 min 5 s."""
    if seconds < 10:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    if seconds < 60:
        return f"{seconds:.0f}\N{NO-BREAK SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\N{NO-BREAK SPACE}min {rest}\N{NO-BREAK SPACE}s"


def thought(seconds: float | None) -> str:
    """The heading of finished thinking."""
    return f"Thought for {duration(seconds)}" if seconds else "Thought"


def tokens(count: int) -> str:
    return f"{count:,}"


def thousands(count: int) -> str:
    """A compact token count: 850, 24k, 1.2M."""
    if count < 1000:
        return str(count)
    if count < 999_500:
        return f"{count / 1e3:.1f}".removesuffix(".0") + "k" if count < 9950 else f"{count / 1e3:.0f}k"
    return f"{count / 1e6:.1f}".removesuffix(".0") + "M"


SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "CNY": "CN¥", "ILS": "₪"}
WITHOUT_PARTS: Final = ("JPY", "KRW", "CLP", "ISK", "VND")
"""Currencies written without decimals."""


def money(amount: Decimal, currency: str) -> str:
    """With as many digits as matter: $12.34, $0.05, $0.0012, CHF 12.34. `currency` is an ISO 4217 code."""
    symbol = SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    if amount and abs(amount) < Decimal("0.01"):
        return f"under {symbol}0.0001" if abs(amount) < Decimal("0.0001") else f"{symbol}{amount:.4f}"
    digits = 0 if currency in WITHOUT_PARTS and amount == amount.to_integral_value() else 2
    return f"{symbol}{amount:,.{digits}f}"


def size(count: int) -> str:
    """Bytes: 340 bytes, 12 kB, 3.4 MB, 5.6 GB."""
    if count < 1000:
        return f"{count}\N{NO-BREAK SPACE}bytes"
    if count < 999_500:
        return f"{count / 1e3:.0f}\N{NO-BREAK SPACE}kB"
    if count < 999_950_000:
        return f"{count / 1e6:.1f}".removesuffix(".0") + "\N{NO-BREAK SPACE}MB"
    return f"{count / 1e9:.1f}".removesuffix(".0") + "\N{NO-BREAK SPACE}GB"
