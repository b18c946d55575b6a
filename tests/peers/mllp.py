"""python-hl7, which we did not write, speaks MLLP over mutual TLS with the gateway.

Usage: mllp.py send HOST PORT CERTIFICATE KEY AUTHORITY < scenario
         standard input is JSON: a list of steps, each one of
           {"message": TEXT}        send it, wait for one acknowledgement
           {"pieces": [TEXT, ...]}  send a frame in these pieces, wait for one acknowledgement
           {"together": [TEXT, ...]} send all frames in one write, wait for as many
           {"raw": TEXT}            send bytes as they are, wait for nothing
         prints a JSON list of [MSA-1, MSA-2, rules of ERR] for every acknowledgement
       mllp.py serve CERTIFICATE KEY AUTHORITY ANSWER ...
         prints its port, then takes one message for each ANSWER and prints it as JSON:
           AA AE AR CA CE CR   that acknowledgement
           mismatched          AA about another message
           garbage             a frame that is no acknowledgement
           silent              none, and closes
           late                AA after three seconds
           nonsense            AA whose own control id says "ACK"

Exit code 0 when done; 1 and the reason otherwise.
"""

import asyncio
import json
import ssl
import sys

import hl7
from hl7.mllp import open_hl7_connection, start_hl7_server

START, END = b"\x0b", b"\x1c\x0d"


def context(purpose, certificate, key, authority):
    made = ssl.create_default_context(purpose, cafile=authority)
    made.load_cert_chain(certificate, key)
    if purpose == ssl.Purpose.CLIENT_AUTH:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def said(answer):
    rules = [str(e[5]) if len(e) > 5 else str(e) for e in answer if str(e[0]) == "ERR"]
    msa = answer.segment("MSA")
    return [str(msa(1)), str(msa(2)), rules]


async def send(host, port, certificate, key, authority):
    steps = json.load(sys.stdin)
    tls = context(ssl.Purpose.SERVER_AUTH, certificate, key, authority)
    reader, writer = await open_hl7_connection(
        host, int(port), ssl=tls, encoding="utf-8", limit=2**24
    )
    answers = []

    async def wait():
        answers.append(said(await asyncio.wait_for(reader.readmessage(), 20)))

    for step in steps:
        if "message" in step:
            writer.writemessage(hl7.parse(step["message"]))
            await writer.drain()
            await wait()
        elif "pieces" in step:
            for number, piece in enumerate(step["pieces"]):
                data = piece.encode()
                data = START + data if number == 0 else data
                data = data + END if number == len(step["pieces"]) - 1 else data
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.05)
            await wait()
        elif "together" in step:
            writer.write(b"".join(START + text.encode() + END for text in step["together"]))
            await writer.drain()
            for _ in step["together"]:
                await wait()
        else:
            writer.write(step["raw"].encode())
            await writer.drain()
    writer.close()
    print(json.dumps(answers))


async def serve(certificate, key, authority, *plan):
    plan, done = list(plan), asyncio.Event()

    async def answer(message, how, writer):
        if how == "silent":
            return
        if how == "late":
            await asyncio.sleep(3)
            how = "AA"
        if how == "garbage":
            writer.writeblock(b"thank you very much")
        elif how == "mismatched":
            ack = message.create_ack("AA")
            ack.segment("MSA")[2] = "ANOTHER"
            writer.writemessage(ack)
        elif how == "nonsense":
            writer.writemessage(message.create_ack("AA", message_id="ACK"))
        else:
            writer.writemessage(message.create_ack(how))
        await writer.drain()

    async def connected(reader, writer):
        try:
            while plan:
                message = await reader.readmessage()
                how = plan.pop(0)
                print(json.dumps(str(message)), flush=True)
                await answer(message, how, writer)
                if how in ("silent", "garbage"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            if not plan:
                done.set()

    tls = context(ssl.Purpose.CLIENT_AUTH, certificate, key, authority)
    server = await start_hl7_server(
        connected, "127.0.0.1", 0, ssl=tls, encoding="utf-8", limit=2**24
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.wait_for(done.wait(), 120)


def main():
    act = {"send": send, "serve": serve}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if act is None:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        asyncio.run(act(*sys.argv[2:]))
        return 0
    except Exception as error:  # noqa: BLE001 - whatever the peer says is the answer
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
