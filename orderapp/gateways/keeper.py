"""Chooses the gateway, opens it and closes it: the owner of its lifetime."""

from mode import Service

from orderapp.gateways import PaymentGateway
from orderapp.settings import Settings


def gateway_for(settings: Settings) -> PaymentGateway:
    """The gateway that the settings ask for, not opened."""
    # Each adapter imports what only it needs.
    if settings.payment_api is None:
        from orderapp.gateways.simulated import SimulatedGateway

        return SimulatedGateway(settings.payment_delay, settings.faults)
    from orderapp.gateways.http import HttpGateway

    return HttpGateway(settings.payment_api)


class GatewayKeeper(Service):
    """Opens a gateway when the worker starts, and closes it when it stops."""

    def __init__(self, gateway: PaymentGateway) -> None:
        self._gateway = gateway
        super().__init__()

    async def on_start(self) -> None:
        await self._gateway.open()

    async def on_stop(self) -> None:
        await self._gateway.close()
