"""Was the child on every list that a proof of who has seen a record says was looked at?

Usage: log_looks.py < PROOF
  PROOF is what `audit who-has-seen --proof` writes. Prints how many lists the child is proved to have
  been on. Exit code 1, and the first entry that is not proved, otherwise.

Written from gateway/docs/audit-format.md, "A look at a list". That the entries are in the signed log is
for the verifiers of the log.
"""

import hashlib
import json
import sys
from base64 import b64decode

DOMAIN = b"ehc-looked-at-1\n"


def holds(one, detail):
    """Whether an element of `lists` proves that its child was on the list of the entry."""
    subject = bytes.fromhex(one["subject"])
    salt = b64decode(one["salt"], validate=True)
    commitments = [b64decode(text, validate=True) for text in one["commitments"]]
    own = hashlib.sha256(DOMAIN + salt + subject).digest()
    return (
        len(salt) == 16
        and commitments == sorted(commitments)
        and own in commitments
        and detail["people"] == str(len(commitments))
        and detail["looked_at"] == hashlib.sha256(b"".join(commitments)).hexdigest()
    )


proof = json.load(sys.stdin)
proved = 0
for row in proof["log"]["entries"]:
    detail = json.loads(b64decode(row["leaf"]))["event"].get("detail", {})
    if "looked_at" not in detail:
        continue
    named = [one for one in proof["lists"] if one["entry"] == row["seq"]]
    if not any(holds(one, detail) for one in named):
        sys.exit(f"entry {row['seq']}: nothing proves that the child was on the list")
    proved += 1
print(proved)
