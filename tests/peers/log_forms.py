"""The forms of the audit log: hashes, proofs, checkpoints, and entries, as gateway/docs/audit-format.md has them."""

import base64
import hashlib
import json
import re
from datetime import datetime, timezone

U64 = 1 << 64


class Wrong(Exception):
    """What is wrong, in words."""


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes):
    """The root over hashes of one level, by the definition of RFC 9162: split at a power of two."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


def checkpoint(note, vkey):
    """The size and root of a signed checkpoint."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    if key[:1] != b"\x01" or hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise Wrong("the verifier key is not one")
    body, found, signatures = note.partition("\n\n")
    if not found:
        raise Wrong("the checkpoint has no signature")
    body += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if (dash, signer, raw[:4].hex()) == ("\u2014", name, key_id):
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], body.encode())
            except InvalidSignature:
                raise Wrong("the checkpoint is not signed by this key, or was changed since") from None
            origin, size, root = body.splitlines()[:3]
            if origin != name:
                raise Wrong("the checkpoint is of another log")
            return int(size), base64.b64decode(root)
    raise Wrong("the checkpoint is not signed by this key")


class Bad(Exception):
    """A line that cannot be read as what it should be."""


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Bad
    return members


def number(text):
    # "-0" is not a whole number for every reader; here it is none.
    return -0.0 if text == "-0" else int(text)


def constant(_):
    raise Bad


def parsed(line):
    try:
        value = json.loads(
            line.decode("utf-8"), object_pairs_hook=once, parse_int=number, parse_constant=constant)
        # Half a surrogate pair is no text.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Bad from None
    return value


def strict(text):
    """Base64 with padding and without unused bits."""
    if not isinstance(text, str):
        raise Bad
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad from None
    if base64.b64encode(data).decode() != text:
        raise Bad
    return data


def a_hash(text):
    data = strict(text)
    if len(data) != 32:
        raise Bad
    return data


def is_count(value):
    return type(value) is int and 0 <= value < U64


def is_instant(value):
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def members(value, needed, optional=()):
    """The members of an object that must have some, may have others, and has no more."""
    if not isinstance(value, dict) or not set(needed) <= set(value) <= {*needed, *optional}:
        raise Bad
    return value


def is_id(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)


def is_code(value):
    return isinstance(value, str) and re.fullmatch("[A-Z0-9]{3,6}", value)


def canonical(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def signed(note, vkey):
    """Size, root and microseconds of a checkpoint, or None when it is not one that the key signed."""
    try:
        size, root = checkpoint(note, vkey)
        lines = note.partition("\n\n")[0].splitlines()
        for line in note.partition("\n\n")[2].splitlines():
            strict(line.split(" ")[2])
        time = next(line for line in lines[3:] if line.startswith("time "))
        origin = lines[0]
    except (Wrong, Bad, ValueError, IndexError, StopIteration):
        return None
    return {"origin": origin, "size": size, "root": root, "at_us": microseconds(time[5:])}


def microseconds(time):
    whole, _, part = time.removesuffix("Z").partition(".")
    at = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(at.timestamp()) * 1_000_000 + int((part + "000000")[:6])


EVENT = ("kind", "actor", "subject", "submission", "record", "delivery", "message_type", "counterparty",
         "decision", "hashes", "detail")
ACTOR = ("organisation", "method", "certificate", "person", "role", "claimed")
DECISION = ("outcome", "authority", "reference", "rule", "rule_version", "agreement", "consent",
            "consent_version", "cut", "reason")


def in_order(value, names, needed):
    if not isinstance(value, dict) or not set(needed) <= set(value):
        raise Bad
    if list(value) != [name for name in names if name in value]:
        raise Bad
    for name, one in value.items():
        if name in ("cut", "hashes", "detail"):
            texts = isinstance(one, dict) and one and all(isinstance(text, str) for text in one.values())
            if not texts or list(one) != sorted(one, key=str.encode):
                raise Bad
        elif name not in ("actor", "decision", "event", "seq", "at_us", "consent_version") and not isinstance(one, str):
            raise Bad


def entry_of(leaf):
    """The entry, if these bytes are the canonical form of one."""
    entry = parsed(leaf)
    in_order(entry, ("seq", "at_us", "id", "event"), ("seq", "at_us", "id", "event"))
    if not is_count(entry["seq"]) or not is_instant(entry["at_us"]):
        raise Bad
    event = entry["event"]
    in_order(event, EVENT, ("kind", "actor"))
    in_order(event["actor"], ACTOR, ("organisation", "method"))
    if "decision" in event:
        in_order(event["decision"], DECISION, ("outcome", "rule", "rule_version", "reason"))
        if type(event["decision"].get("consent_version", 0)) is not int:
            raise Bad
    if canonical(entry) != leaf:
        raise Bad
    return entry


def root_of_frontier(frontier):
    if not frontier:
        return hashlib.sha256(b"").digest()
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def inclusion_holds(proof, size, root, seq, leaf):
    """RFC 9162 section 2.1.3.2."""
    if seq >= size:
        return False
    at, last, found = seq, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(one, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, one)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistency_holds(proof, size, root, older, older_root):
    """RFC 9162 section 2.1.4.2."""
    if not 1 <= older <= size:
        return False
    if older == size:
        return not proof and root == older_root
    if not proof:
        return False
    path = list(proof)
    if older & (older - 1) == 0:
        path.insert(0, older_root)
    at, last = older - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(one, first), node_hash(one, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, one)
        at, last = at >> 1, last >> 1
    return last == 0 and first == older_root and second == root
