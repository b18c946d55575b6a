"""The log in the forms of other machines, read by software we did not write and by the rules of their standards.

Usage: audit_forms.py FORM < lines
  jsonl   JSON lines: members, and that the leaf hash is that of the entry's own bytes (RFC 9162)
  atna    RFC 5424 messages with a DICOM PS3.15 AuditMessage: header, well-formed XML (xmllint), structure
  balp    FHIR AuditEvents: fhir.resources (R4B) takes each; IHE BALP where a profile is claimed

Exit code 0 and one line with the count of each kind of line on success; 1 and the reason otherwise.
"""

import base64
import collections
import hashlib
import json
import re
import subprocess
import sys
from xml.etree import ElementTree


def jsonl(lines):
    members = ["log", "seq", "at", "kind", "action", "outcome", "leaf_hash", "entry"]
    for line in lines:
        said = json.loads(line)
        need(list(said) == members, f"members {list(said)}")
        entry = line.split(b',"entry":', 1)[1][:-1]
        need(hashlib.sha256(b"\0" + entry).hexdigest() == said["leaf_hash"], "the leaf hash")
        need(said["entry"]["seq"] == said["seq"], "the place")
        need(said["entry"]["event"]["kind"] == said["kind"], "the kind")
        yield said["kind"]


HEADER = re.compile(
    r"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} ehc-gateway - DICOM\+RFC3881"
    r' \[meta sequenceId="[1-9][0-9]{0,9}"\] \ufeff(<.*)',
)
PARTICIPANT = ["UserID", "UserIsRequestor"]
CODED = {"csd-code", "codeSystemName", "originalText"}


def atna(lines):
    seen = set()
    for line in lines:
        found = HEADER.fullmatch(line.decode("utf-8"))
        need(found, "the header of RFC 5424")
        xml = found.group(1)
        root = ElementTree.fromstring(xml.encode())
        need(root.tag == "AuditMessage", "the root")
        order = [child.tag for child in root]
        sections = [
            "EventIdentification",
            "ActiveParticipant",
            "AuditSourceIdentification",
            "ParticipantObjectIdentification",
        ]
        need(order == sorted(order, key=sections.index), f"the order {order}")
        counts = collections.Counter(order)
        need(counts["EventIdentification"] == counts["AuditSourceIdentification"] == 1, "sections")
        need(counts["ActiveParticipant"] >= 1, "a participant")
        event(root[0])
        for child in root.iter("ActiveParticipant"):
            need(all(child.get(name) for name in PARTICIPANT), "a participant's attributes")
        need(any(one.get("UserIsRequestor") == "true" for one in root), "nobody asked")
        source = root.find("AuditSourceIdentification")
        need(source.get("AuditSourceID"), "the audit source")
        for child in root.iter("ParticipantObjectIdentification"):
            need(child.get("ParticipantObjectID"), "an object's id")
            need(child.get("ParticipantObjectTypeCode") in ("1", "2", "3", "4"), "an object's type")
            need(child[0].tag == "ParticipantObjectIDTypeCode", "an object's id has a type")
            for detail in child.iter("ParticipantObjectDetail"):
                base64.b64decode(detail.get("value"), validate=True)
                need(detail.get("type"), "a detail's type")
        for child in root.iter():
            if child.tag.endswith("Code") or child.tag in ("EventID", "PurposeOfUse"):
                need(CODED <= set(child.keys()), f"{child.tag} is coded")
        kind = [one.get("csd-code") for one in root[0].iter("EventTypeCode")][-1]
        if kind not in seen:
            seen.add(kind)
            subprocess.run(
                ["xmllint", "--noout", "--nonet", "-"], input=xml.encode(), check=True, timeout=20
            )
        yield kind


def event(found):
    need(found.get("EventActionCode") in "CRUDE", "the action")
    need(found.get("EventOutcomeIndicator") in ("0", "4", "8", "12"), "the outcome")
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", found.get("EventDateTime")), "the time")
    order = ["EventID", "EventTypeCode", "EventOutcomeDescription", "PurposeOfUse"]
    tags = [child.tag for child in found]
    need(tags == sorted(tags, key=order.index) and tags.count("EventID") == 1, f"{tags}")
    need(re.fullmatch(r"1101\d\d", found[0].get("csd-code")), "the event is one of DICOM's")


BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."


def balp(lines):
    from fhir.resources.R4B.auditevent import AuditEvent

    for line in lines:
        made = AuditEvent.model_validate(json.loads(line))
        profiles = (made.meta.profile if made.meta else None) or []
        for profile in profiles:
            disclosed(made, str(profile))
        kind = made.subtype[-1].code
        yield kind + (" " + str(profiles[0]).removeprefix(BALP) if profiles else "")


def disclosed(made, profile):
    code, action = {
        BALP + "PrivacyDisclosure.Source": ("110106", "R"),
        BALP + "PrivacyDisclosure.Recipient": ("110107", "C"),
    }[profile]
    need((made.type.code, made.action) == (code, action), "type and action of a disclosure")
    lifecycle = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
    need(any((one.system, one.code) == (lifecycle, "disclose") for one in made.subtype), "subtype")
    need(made.outcome and made.purposeOfEvent, "outcome and purpose")
    by_role = {}
    for agent in made.agent:
        for coding in agent.type.coding if agent.type else []:
            by_role.setdefault(coding.code, []).append(agent)
    need(len(by_role["110153"]) == len(by_role["110152"]) == 1, "one source and one destination")
    need(all(agent.network for role in by_role.values() for agent in role), "networks")
    ours = by_role["110153" if code == "110106" else "110152"][0]
    need(ours.who == made.source.observer, "the observer is our side")
    need(any(agent.requestor for agent in made.agent), "nobody asked")
    patients = [one for one in made.entity if (one.type.code, one.role.code) == ("1", "1")]
    need(len(patients) == 1 and len(made.entity) >= 2, "one patient and data")


def need(holds, what):
    if not holds:
        raise ValueError(f"not as it must be: {what}")


def main():
    form = {"jsonl": jsonl, "atna": atna, "balp": balp}[sys.argv[1]]
    lines = sys.stdin.buffer.read().split(b"\n")
    need(lines.pop() == b"", "the last line ends")
    try:
        counts = collections.Counter(form(lines))
    except Exception as error:  # noqa: BLE001 - whatever a reader raises is what it has against it
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"lines": len(lines), "kinds": dict(sorted(counts.items()))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
