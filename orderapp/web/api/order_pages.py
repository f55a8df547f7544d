"""Which orders are asked for, and a page of them: for the list and for its export."""

from collections.abc import Mapping

from msgspec.structs import replace

from orderapp.app import store
from orderapp.store import STATUSES, OrderQuery
from orderapp.web.api import parameters as read
from orderapp.web.api.answers import Page
from orderapp.web.api.known_letters import letters, look_for, need, open_orders
from orderapp.web.api.listed import listed

#: What orders are chosen by. A new one goes here and into `read_query`.
FILTERS = (read.COUNTRY, read.STATUS, read.CUSTOMER, read.TRACE, read.FROM, read.TO)


def read_query(query: Mapping[str, str], limit: int) -> OrderQuery:
    """The orders that a request's parameters choose, `limit` of them."""
    return OrderQuery(
        limit=limit,
        after=read.read_after(query),
        country=read.read_text(query, "country", read.MAX_COUNTRY),
        status=read.read_choice(query, "status", STATUSES),
        since=read.read_time(query, "from"),
        until=read.read_time(query, "to"),
        customer_id=read.read_customer(query),
        trace_id=read.read_trace(query),
    )


async def read_page(asked: OrderQuery) -> Page:
    """A page of orders with what became of them."""
    page = await store.page(replace(asked, given_up=await _given_up(asked.status)))
    await look_for(*page.stories)
    found = [listed(story) for story in page.stories]
    # The store knows nothing of those that were not in `given_up` yet.
    if asked.status == "stored":
        found = [order for order in found if order.order_status == "stored"]
    return Page(found, read.cursor(page.after))


async def _given_up(status: str | None) -> frozenset[int]:
    """The orders with an open dead letter, as far as `status` is about them."""
    if status == "dead_letter":
        await need(current=False)
        return open_orders()
    if status == "stored":
        await letters.look()
        return open_orders("payment")
    return frozenset()
