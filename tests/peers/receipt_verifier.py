"""A second verifier of what a partner received: receipts, kept checkpoints, consistency proofs, cosignatures.

Usage: receipt_verifier.py VKEY [--checkpoint FILE]... [--proof FILE]... [--witness VKEY]... FILE...
  Each FILE holds compact JWS receipts, in whatever they came in. Prints one JSON object:
  entries        the number of each receipt's entry that is proved to be in the log
  faults         what does not hold, in words
  contradictions what two signed checkpoints contradict each other in: fork, rewritten, shorter
  proved         pairs of sizes: the log of the second is proved to begin with that of the first
  cosigned       pairs: the name of a witness, and the size that it has cosigned

Written from gateway/docs/audit-format.md, C2SP signed-note, tlog-checkpoint and tlog-cosignature, RFC 9162
section 2.1, RFC 7515 and RFC 8037. Exit code 0 when everything holds; 1 otherwise.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path

sys.dont_write_bytecode = True

from log_forms import Wrong, checkpoint, leaf_hash, node_hash  # noqa: E402

JWS = re.compile(r"(?<![\w.-])eyJ[\w-]+\.[\w-]+\.[\w-]+(?![\w.-])")


def ed25519(key, message, signature):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def url64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def included(leaf, seq, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    if seq >= size:
        return False
    place, last, found = seq, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(one, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, one)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def roots(proof, older, size, older_root):
    """RFC 9162 section 2.1.4.2: the roots of the older size and of the newer that a proof leads to."""
    path = list(proof)
    if older & (older - 1) == 0:
        path.insert(0, older_root)
    place, last = older - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path:
        return None
    old = new = path[0]
    for one in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, one)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


def receipt(jws, vkey):
    """The number of the receipt's entry, and its checkpoint."""
    name, _, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)[1:]
    signed, _, signature = jws.rpartition(".")
    head, claims = (json.loads(url64(part)) for part in signed.split("."))
    if head.get("alg") != "EdDSA" or head.get("typ") != "ehc-receipt+jwt":
        raise Wrong("it is no receipt")
    if not ed25519(key, signed.encode(), url64(signature)):
        raise Wrong("the receipt is not signed by this key, or was changed since")
    log = claims.pop("log", None)
    if log is None:
        raise Wrong("the receipt carries no proof")
    if claims["iss"] != name:
        raise Wrong("the receipt is of another log")
    size, root = checkpoint(log["checkpoint"], vkey)
    entry = base64.b64decode(log["entry"])
    proof = [base64.b64decode(one) for one in log["proof"]]
    if not included(leaf_hash(entry), log["seq"], size, proof, root):
        raise Wrong("its entry is not in the log that its checkpoint is of")
    told = json.loads(entry)
    event = told["event"]
    if told["seq"] != log["seq"] or event["kind"] != "submission.received":
        raise Wrong("its entry is another one")
    text = json.dumps(claims, separators=(",", ":"), ensure_ascii=False)
    vouched = event["hashes"]["receipt"] == hashlib.sha256(text.encode()).hexdigest()
    if event["submission"] != claims["sub"] or not vouched:
        raise Wrong("its entry says something else")
    return log["seq"], log["checkpoint"]


def cosigned(note, vkey):
    """Whether a witness has cosigned a checkpoint (C2SP tlog-cosignature, cosignature/v1)."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    if key[:1] != b"\x04" or hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise Wrong("the key is not a witness's")
    body, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if (dash, signer, raw[:4].hex()) != ("\u2014", name, key_id):
            continue
        time = int.from_bytes(raw[4:12], "big")
        if ed25519(key[1:], f"cosignature/v1\ntime {time}\n{body}\n".encode(), raw[12:]):
            return True
    return False


def signed_at(note):
    for line in note.splitlines():
        if line.startswith("time "):
            # Nanoseconds are more than this reads.
            text = re.sub(r"(\.\d{6})\d+", r"\1", line[5:]).replace("Z", "+00:00")
            return datetime.fromisoformat(text).timestamp()
    raise Wrong("the checkpoint has no time")


def compare(heads, proofs, said):
    heads = sorted(heads, key=lambda head: (head[0], head[2]))
    for (older, old_root, _), (newer, new_root, _) in zip(heads, heads[1:]):
        if older == newer:
            if old_root != new_root:
                said["contradictions"].append(f"fork at {older}")
            continue
        for proof in (one for one in proofs if (one["from"], one["to"]) == (older, newer)):
            hashes = [base64.b64decode(one) for one in proof["hashes"]]
            found = roots(hashes, older, newer, old_root)
            if found == (old_root, new_root):
                said["proved"].append([older, newer])
            elif found and found[1] == new_root:
                said["contradictions"].append(f"rewritten from {older} to {newer}")
            else:
                said["contradictions"].append(f"the proof from {older} to {newer} does not hold")
    largest = (0, None, 0)
    for head in sorted(heads, key=lambda head: (head[2], head[0])):
        if head[0] < largest[0] and head[2] > largest[2] + 120:
            said["contradictions"].append(f"shorter: {largest[0]}, then {head[0]}")
        largest = max(largest, head, key=lambda one: one[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkey")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--proof", action="append", default=[])
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("files", nargs="*")
    given = parser.parse_intermixed_args()
    said = {"entries": [], "faults": [], "contradictions": [], "proved": [], "cosigned": []}
    notes = [Path(file).read_text() for file in given.checkpoint]
    for file in given.files:
        for jws in sorted(set(JWS.findall(Path(file).read_text()))):
            try:
                seq, note = receipt(jws, given.vkey)
            except (Wrong, KeyError, ValueError, TypeError) as wrong:
                said["faults"].append(str(wrong))
                continue
            said["entries"].append(seq)
            notes.append(note)
    heads = []
    for note in notes:
        try:
            size, root = checkpoint(note, given.vkey)
            heads.append((size, root, signed_at(note)))
            said["cosigned"] += [
                [vkey.split("+")[0], size] for vkey in given.witness if cosigned(note, vkey)]
        except (Wrong, ValueError) as wrong:
            said["faults"].append(str(wrong))
    compare(heads, [json.loads(Path(file).read_text()) for file in given.proof], said)
    print(json.dumps(said))
    sys.exit(1 if said["faults"] or said["contradictions"] else 0)


main()
