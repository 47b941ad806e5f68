"""Lets containers reach a server that listens on this machine's loopback, such as a local S3 endpoint.

It listens on the address that the container engine gives this machine in its own network, where no other machine
knocks, turns away whoever is not in one of that engine's networks, and passes bytes on unread. One thread serves all.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

logger = logging.getLogger("sm_remote.service")

_PIECE_BYTES = 1 << 18


class Relay:
    """Passes connections on.

    Args:
        listen: Address and port to listen at; another port is taken where this one is not free.
        target: Address and port of the server.
        list_networks: Those from which connections are taken, in CIDR notation; asked anew for an unknown caller.

    Attributes:
        port: Where it listens.

    Raises:
        OSError: It cannot listen there.
    """

    def __init__(
        self, listen: tuple[str, int], target: tuple[str, int], list_networks: Callable[[], Iterable[str]]
    ) -> None:
        self._target = target
        self._list_networks = list_networks
        self._known: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(self._listen(*listen))
        except OSError:
            self._loop.close()
            raise
        self.port: int = self._server.sockets[0].getsockname()[1]
        threading.Thread(target=self._loop.run_forever, name="relay", daemon=True).start()

    async def _listen(self, address: str, port: int) -> asyncio.Server:
        try:
            return await asyncio.start_server(self._serve, address, port)
        except OSError:
            if port == 0:
                raise
            return await asyncio.start_server(self._serve, address, 0)

    def close(self) -> None:
        """Listens no more; connections that are open end with the process."""
        self._loop.call_soon_threadsafe(self._server.close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = writer.get_extra_info("peername")[0]
        try:
            is_container = await self._loop.run_in_executor(None, self._is_container, caller)
        except Exception:
            # Whatever keeps the engine from answering: who cannot be told apart does not get in.
            logger.warning("The container engine did not say who %s is", caller, exc_info=True)
            is_container = False
        if not is_container:
            logger.warning("The relay for containers turned %s away", caller)
            writer.close()
            return
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    def _is_container(self, caller: str) -> bool:
        address = ipaddress.ip_address(caller)
        if not any(address in network for network in self._known):
            self._known = tuple(ipaddress.ip_network(text) for text in self._list_networks())
        return any(address in network for network in self._known)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE_BYTES):
            target.write(piece)
            await target.drain()
    with suppress(OSError):
        target.close()
