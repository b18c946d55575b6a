"""Independent peers: software we did not write reads what the gateway wrote.

Usage: check.py WHAT [ARGUMENT ...] < input
  fhir                 standard input is a FHIR R4 resource; fhir.resources must take it
  receipt JWKS         standard input is a compact JWS; jwcrypto must verify it with the key set
  openapi              standard input is an OpenAPI 3.1 description; it must be valid
  checkpoint VKEY      standard input is a C2SP checkpoint; cryptography must verify its signature
  workbook             standard input is an XLSX file in base64; openpyxl must open it

Exit code 0 and one line on success; 1 and the reason otherwise.
"""

import base64
import hashlib
import json
import sys


def fhir(text):
    from fhir.resources.R4B import get_fhir_model_class

    resource = json.loads(text)
    made = get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    entries = getattr(made, "entry", None) or []
    return " ".join([made.__class__.__name__] + [e.resource.__class__.__name__ for e in entries])


def receipt(text, keys):
    from jwcrypto import jwk, jws

    token = jws.JWS()
    token.deserialize(text.strip())
    key_set = json.loads(keys)
    key = jwk.JWK(**key_set["keys"][0])
    token.verify(key)
    claims = json.loads(token.payload)
    return f"{claims['iss']} {len(claims['rows'])}"


def openapi(text):
    from openapi_spec_validator import validate

    document = json.loads(text)
    validate(document)
    return f"{document['openapi']} {len(document['paths'])}"


def checkpoint(text, vkey):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, key_hash, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    if key[0] != 1:
        raise ValueError("the verifier key is not Ed25519")
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if expected.hex() != key_hash:
        raise ValueError("the key hash does not agree with the key")
    body, _, signatures = text.partition("\n\n")
    body += "\n"
    line = next(line for line in signatures.splitlines() if line.startswith(f"\u2014 {name} "))
    signature = base64.b64decode(line.split(" ")[2])
    if signature[:4] != expected:
        raise ValueError("the signature names another key")
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], body.encode())
    return " ".join(body.splitlines()[:2])


def workbook(text):
    import io

    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(base64.b64decode(text)))
    sheet = book.worksheets[0]
    rows = list(sheet.iter_rows())
    cells = {}
    for head, cell in zip(rows[0], rows[1]):
        if cell.value is not None:
            value = cell.value.date().isoformat() if cell.is_date else cell.value
            cells[head.value] = {"type": cell.data_type, "value": value, "look": cell.number_format}
    about = {"sheets": book.sheetnames, "rows": len(rows), "frozen": sheet.freeze_panes}
    return json.dumps({**about, "cells": cells})


def main():
    checks = {
        "fhir": fhir,
        "receipt": receipt,
        "openapi": openapi,
        "checkpoint": checkpoint,
        "workbook": workbook,
    }
    check = checks.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if check is None:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(check(sys.stdin.read(), *sys.argv[2:]))
        return 0
    except Exception as error:  # noqa: BLE001 - whatever the peer says is the answer
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
