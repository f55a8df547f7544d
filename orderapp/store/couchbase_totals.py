"""Totals from the rows that the query service counted."""

from typing import Any

from orderapp.store.documents import Activity, CountryStats


def countries_of(rows: list[Any]) -> list[CountryStats]:
    """Totals by country, most orders first; rows have type, country, status and counts."""
    totals: dict[str, dict[str, Any]] = {}
    for row in rows:
        column = _column(row)
        if column is None or not isinstance(row.get("country"), str):
            continue  # of a status, or from a program, that is not ours
        total = totals.setdefault(row["country"], {})
        total[column] = row["documents"]
        if column == "paid":
            total["revenue"] = round(row["amount"] or 0.0, 2)
    none = {"orders": 0, "alerts": 0, "paid": 0, "declined": 0, "revenue": 0.0}
    found = [CountryStats(country, **(none | total)) for country, total in totals.items()]
    return sorted(found, key=lambda total: (-total.orders, total.country))


def _column(row: Any) -> str | None:
    if row["type"] == "payment":
        return {"PAID": "paid", "DECLINED": "declined"}.get(row.get("status"))
    return {"order": "orders", "alert": "alerts"}.get(row["type"])


def activity_of(rows: list[Any]) -> list[Activity]:
    """Spans of 10 s, oldest first; rows have type, span and a count."""
    spans: dict[int, dict[str, int]] = {}
    for row in rows:
        spans.setdefault(int(row["span"]), {})[row["type"]] = row["documents"]
    return [
        Activity(span * 10, counts.get("order", 0), counts.get("alert", 0))
        for span, counts in sorted(spans.items())
    ]
