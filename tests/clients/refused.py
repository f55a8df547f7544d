"""What a worker refuses, as the client for Python tells it; see `test_clients.py`."""

import json
import sys

from client import ApiClient, Configuration, NewOrder, OrdersApi
from client.exceptions import ApiException

url, token = sys.argv[1:]
order = NewOrder(customer_id=1234, amount=20, country="DE")


def refused(token, **headers):
    orders = OrdersApi(ApiClient(Configuration(host=url, access_token=token)))
    try:
        orders.post_api_orders(order, **headers)
    except ApiException as error:
        return {
            "status": error.status,
            "told": error.data.status,
            "headers": sorted({"Retry-After", "WWW-Authenticate"} & set(error.headers)),
        }
    raise AssertionError("no error")


print(json.dumps([refused(None), refused("wrong"), refused(token, idempotency_key="k")]))
