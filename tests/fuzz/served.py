"""The views on the web server that workers have, without Kafka and with a store in memory.

python -m tests.fuzz.served PORT
"""

import asyncio
import sys

from orderapp.app import app
from tests.web.served import prepare


async def main(port):
    app.finalize()
    app.web.blueprints.apply(app.web)
    await prepare(None)
    app.conf.web_port = port
    await app.web.start_server()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
