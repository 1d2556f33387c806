"""Starts ministack on a free port of the loopback address, as it is: the second opinion.

    python ministack_server.py [--auth] [--until-stdin-closes]

prints `listening on http://127.0.0.1:PORT`. An access key of twelve digits is the account, and its root.
With --auth it enforces the policies of IAM users and roles, and answers denials with AWS's own codes.
"""

import argparse
import asyncio
import logging
import os
import socket

from lifeline import end_with_stdin


def main() -> None:
    parser = argparse.ArgumentParser(description="ministack on a free loopback port")
    parser.add_argument("--auth", action="store_true", help="enforce IAM policies")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input is closed")
    args = parser.parse_args()

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    os.environ.update(GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", LOG_LEVEL="ERROR", AUTH=str(args.auth).lower())
    os.environ.setdefault("MINISTACK_ACCOUNT_ID", "123456789012")

    # It reads the environment when it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    logging.disable(logging.WARNING)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "ERROR"
    if args.until_stdin_closes:
        end_with_stdin()
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
