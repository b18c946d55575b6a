"""Independent peers: software we did not write reads what the gateway wrote.

Usage: check.py WHAT [ARGUMENT ...] < input
  fhir                 standard input is a FHIR R4 resource; fhir.resources must take it
  fhirxml              the same as FHIR XML
  fhir3                the same as FHIR STU3, JSON
  fhir3xml             the same as FHIR STU3, XML
  receipt JWKS         standard input is a compact JWS, a receipt or a certificate of deletion;
                       jwcrypto must verify it with the key set
  openapi              standard input is an OpenAPI 3.1 description; it must be valid
  hl7                  standard input is an HL7 v2 message; hl7apy must take it in strict mode
  hl7-build VERSION    standard input is JSON: person, leg, text; hl7apy builds an MDM^T02 and it is
                       printed with line feeds between the segments
  checkpoint VKEY      standard input is a C2SP checkpoint; cryptography must verify its signature
  workbook             standard input is an XLSX file in base64; openpyxl must open it
  sheets               standard input is an XLSX file in base64; openpyxl must open it, and every sheet is
                       printed: its name, what is frozen, and each cell with its type and number format
  workbook-build       standard input is JSON: rows of cells, a date as {"date": "2026-11-02"};
                       openpyxl writes a workbook, which is printed in base64

Exit code 0 and one line on success; 1 and the reason otherwise.
"""

import base64
import hashlib
import json
import re
import sys


def fhir(text):
    from fhir.resources.R4B import get_fhir_model_class

    return taken(json.loads(text), get_fhir_model_class)


def fhir3(text):
    from fhir.resources.STU3 import get_fhir_model_class

    return taken(json.loads(text), get_fhir_model_class)


def fhirxml(text):
    from fhir.resources.R4B import get_fhir_model_class

    return taken_xml(text, get_fhir_model_class)


def fhir3xml(text):
    from fhir.resources.STU3 import get_fhir_model_class

    return taken_xml(text, get_fhir_model_class)


def taken(resource, find):
    return told(find(resource["resourceType"]).model_validate(resource))


def taken_xml(text, find):
    from xml.etree import ElementTree

    name = ElementTree.fromstring(text.encode()).tag.split("}")[1]
    made = find(name).model_validate_xml(text.encode())
    # What the peer read from XML must be what the standard's JSON can say, too.
    return told(find(name).model_validate(json.loads(made.model_dump_json())))


def told(made):
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
    listed = claims["rows"] if "rows" in claims else claims["removed"]
    return f"{claims['iss']} {len(listed)}"


def openapi(text):
    from openapi_spec_validator import validate

    document = json.loads(text)
    validate(document)
    return f"{document['openapi']} {len(document['paths'])}"


def hl7(text):
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.parser import parse_message

    # hl7apy holds every text to 199 characters where no other limit is written, also the data of an
    # ED field, which the standard does not limit so: the rest of a document is left out for it.
    text = re.sub(r"(\^Base64\^[A-Za-z0-9+/=]{0,196})[A-Za-z0-9+/=]*", r"\1", text)
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    message.validate()
    kind = message.msh.msh_9.to_er7()
    return f"{kind} {message.version}"


def hl7_build(text, version):
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.core import Message

    said = json.loads(text)
    message = Message("MDM_T02", version=version, validation_level=VALIDATION_LEVEL.STRICT)
    message.msh.msh_3 = "TIE"
    message.msh.msh_4 = said["sender"]
    message.msh.msh_7 = "20260227103000"
    message.msh.msh_9 = "MDM^T02^MDM_T02"
    message.msh.msh_10 = said["id"]
    message.msh.msh_11 = "P"
    message.evn.evn_2 = "20260227103000"
    message.pid.pid_3 = f"{said['nhs_number']}^^^NHS^NH"
    message.pid.pid_5 = f"{said['family_name']}^{said['given_names']}^^^^^L"
    message.pid.pid_7 = said["born"]
    message.pv1.pv1_2 = "O"
    message.txa.txa_1 = "1"
    message.txa.txa_2 = "CN"
    message.txa.txa_3 = "TX"
    message.txa.txa_6 = "20260226"
    message.txa.txa_9 = "G4^Practice-Therapist^Sam^^^Dr"
    message.txa.txa_12 = f"{said['id']}^{said['sender']}"
    message.txa.txa_14 = f"{said['leg']}^EHC-GATEWAY"
    message.txa.txa_17 = "AU"
    content = message.add_group("MDM_T02_OBSERVATION")
    content.add_segment("OBX")
    content.obx.obx_1 = "1"
    content.obx.obx_2 = "TX"
    content.obx.obx_3 = "LET^Clinic letter"
    content.obx.obx_5 = said["text"]
    content.obx.obx_11 = "F"
    message.validate()
    return message.to_er7().replace("\r", "\n")


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


def sheets(text):
    import io

    from openpyxl import load_workbook

    def told(cell):
        value = cell.value.isoformat() if cell.is_date else cell.value
        look = {"type": cell.data_type, "value": value, "look": cell.number_format}
        return {**look, "quoted": cell.quotePrefix, "link": cell.hyperlink is not None}

    book = load_workbook(io.BytesIO(base64.b64decode(text)))
    pages = []
    for page in book.worksheets:
        rows = [[told(cell) for cell in row] for row in page.iter_rows()]
        pages.append({"name": page.title, "frozen": page.freeze_panes, "rows": rows})
    return json.dumps(pages)


def workbook_build(text):
    import datetime
    import io

    from openpyxl import Workbook

    book = Workbook()
    for row in json.loads(text):
        cells = [
            datetime.date.fromisoformat(cell["date"]) if isinstance(cell, dict) else cell
            for cell in row
        ]
        book.active.append(cells)
    made = io.BytesIO()
    book.save(made)
    return base64.b64encode(made.getvalue()).decode()


def main():
    checks = {
        "fhir": fhir,
        "receipt": receipt,
        "openapi": openapi,
        "checkpoint": checkpoint,
        "hl7": hl7,
        "hl7-build": hl7_build,
        "fhirxml": fhirxml,
        "fhir3": fhir3,
        "fhir3xml": fhir3xml,
        "workbook": workbook,
        "sheets": sheets,
        "workbook-build": workbook_build,
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
