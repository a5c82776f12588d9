"""As much of the ``ssh`` command as git uses, by asyncssh: ``ssh -i KEY [-p PORT] [-o OPTION] [USER@]HOST COMMAND``.

For machines without OpenSSH's client. Both inputs and outputs are passed through; the exit status is the command's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import asyncssh


async def run(arguments: argparse.Namespace) -> int:
    user, _, host = arguments.host.rpartition("@")
    sent = {"GIT_PROTOCOL": os.environ["GIT_PROTOCOL"]} if os.environ.get("GIT_PROTOCOL") else {}
    async with asyncssh.connect(
        host,
        port=arguments.port,
        username=user or "git",
        client_keys=[arguments.identity],
        known_hosts=None,
        config=[],
        agent_path=None,
    ) as connection:
        done = await connection.run(
            " ".join(arguments.command), stdin=sys.stdin.buffer, stdout=1, stderr=2, env=sent, encoding=None
        )
    return done.exit_status if done.exit_status is not None else 255


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", dest="identity", required=True)
    parser.add_argument("-p", dest="port", type=int, default=22)
    parser.add_argument("-o", action="append", help="taken and ignored")
    parser.add_argument("host")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    try:
        return asyncio.run(run(parser.parse_args()))
    except (OSError, asyncssh.Error) as error:
        print(f"ssh: {error}", file=sys.stderr)
        return 255


if __name__ == "__main__":
    sys.exit(main())
