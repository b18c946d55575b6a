"""Bundles of the audit log, judged by the steps of gateway/docs/audit-format.md."""

import json
from pathlib import Path

from log_forms import (
    Bad, Wrong, a_hash, canonical, consistency_holds, entry_of, inclusion_holds, is_code, is_count, is_id, is_instant,
    leaf_hash, members, node_hash, parsed, root_of_frontier, signed, strict)

LINE_MAX = 1024 * 1024
HEADER = ("format", "version", "log", "holds", "filter", "first", "entries", "size")
FILTER = ("from_us", "until_us", "case", "partner")


def row_of(line):
    value = members(parsed(line), ("seq", "leaf", "nodes"))
    if not is_count(value["seq"]):
        raise Bad
    return value["seq"], strict(value["leaf"]), strict(value["nodes"])


def chosen_of(line):
    value = members(parsed(line), ("seq", "leaf", "proof"))
    if not is_count(value["seq"]) or not isinstance(value["proof"], list):
        raise Bad
    return value["seq"], strict(value["leaf"]), [a_hash(one) for one in value["proof"]]


def checkpoint_of(line):
    value = members(parsed(line), ("checkpoint",))
    if not isinstance(value["checkpoint"], str):
        raise Bad
    return value["checkpoint"]


class Refused(Exception):
    """The file is no bundle."""


def header_of(line):
    """The header, or None when the line is none, so that it may be one of version 1."""
    try:
        header = parsed(line)
    except Bad:
        return None
    if not isinstance(header, dict) or header.get("format") != "ehc-audit-bundle":
        return None
    if type(header.get("version")) is not int or header["version"] != 2:
        raise Refused
    try:
        members(header, set(HEADER) - {"first"}, ("first",))
        chosen = members(header["filter"], (), FILTER)
    except Bad:
        raise Refused from None
    given = dict(chosen)
    for name, fits in (("from_us", is_instant), ("until_us", is_instant), ("case", is_id), ("partner", is_code)):
        if name in given and not fits(given[name]):
            raise Refused
    first = header.get("first")
    counts = is_count(header["entries"]) and is_count(header["size"]) and (first is None or is_count(first))
    sound = {
        "whole": not given and first == 0,
        "period": bool(given) and set(given) <= {"from_us", "until_us"} and first is not None,
        "case": set(given) == {"case"} and first is None,
        "partner": set(given) == {"partner"} and first is None,
    }
    holds = header["holds"]
    names = [name for name in HEADER if name in header]
    # The first line is written in one way only, as an entry is.
    if list(header) != names or list(given) != [name for name in FILTER if name in given] or canonical(header) != line:
        raise Refused
    if not counts or not isinstance(header["log"], str) or not isinstance(holds, str) or not sound.get(holds):
        raise Refused
    return {**header, "first": first}


def anchors_of(line):
    value = members(parsed(line), ("checkpoint",), ("before", "frontier", "end", "consistency"))
    texts = [value["checkpoint"], value.get("before") or "", value.get("end") or ""]
    if not all(isinstance(text, str) for text in texts):
        raise Bad
    for name in ("frontier", "consistency"):
        if not isinstance(value.get(name, []), list):
            raise Bad
        value[name] = [a_hash(one) for one in value.get(name, [])]
    return value


class Lines:
    """The lines of a file, without their ends; None for one that does not end."""

    def __init__(self, file):
        self.file, self.number = file, 0

    def __iter__(self):
        return self

    def __next__(self):
        line = self.file.readline(LINE_MAX)
        if not line:
            raise StopIteration
        self.number += 1
        return line[:-1] if line.endswith(b"\n") else None


def read_as(reader, line):
    if line is None:
        raise Bad
    return reader(line)


def says(leaf):
    """The number an entry gives itself; none when it is no entry."""
    try:
        return entry_of(leaf)["seq"]
    except Bad:
        return None


class Following:
    """Steps 8 and 9: entries that follow each other."""

    def __init__(self, first, frontier, compared, faults):
        self.next = self.agreed = first
        self.frontier, self.compared, self.faults = frontier, compared, faults
        self.missed = []
        self.compare()

    def fault(self, first_bad, name):
        self.faults.append((first_bad, name))

    def row(self, seq, leaf, nodes):
        if seq < self.next:
            if any(low <= seq < high for low, high in self.missed):
                return self.fault(seq, "out-of-order")
            if says(leaf) == self.next:
                return self.fault(self.next, "misplaced")
            return self.fault(seq, "repeated")
        if seq > self.next:
            self.fault(self.next, "missing")
            self.missed.append((self.next, seq))
            self.frontier = None
        self.next = seq + 1
        try:
            if entry_of(leaf)["seq"] != seq:
                self.fault(seq, "misplaced")
        except Bad:
            self.fault(seq, "unreadable")
        stored = nodes[:32] if len(nodes) >= 32 else None
        honest = leaf_hash(leaf)
        if self.frontier is None:
            if stored != honest:
                self.fault(seq, "changed")
            return None
        computed = self.append(seq, stored or honest)
        if stored != honest or nodes != computed:
            self.fault(seq, "changed")
        return self.compare()

    def append(self, seq, node):
        nodes = node
        while seq & 1:
            node = node_hash(self.frontier.pop(), node)
            nodes += node
            seq >>= 1
        self.frontier.append(node)
        return nodes

    def compare(self):
        if self.frontier is None:
            return
        for one in self.compared:
            if one["size"] != self.next:
                continue
            if one["root"] == root_of_frontier(self.frontier):
                self.agreed = self.next
            elif not any(bad is not None and bad < self.next for bad, _ in self.faults):
                self.fault(self.agreed, "rewritten")

    def finish(self):
        if any(one["size"] > self.next for one in self.compared):
            self.fault(self.next, "cut-short")


def without_header(file, vkey, kept):
    faults, compared = [], list(kept)
    for line in Lines(file):
        try:
            own = signed(read_as(checkpoint_of, line), vkey)
        except Bad:
            continue
        if own is None:
            faults.append((None, "checkpoint"))
        else:
            compared.append(own)
    file.seek(0)
    following, lines = Following(0, [], compared, faults), Lines(file)
    for line in lines:
        try:
            following.row(*read_as(row_of, line))
        except Bad:
            try:
                read_as(checkpoint_of, line)
            except Bad:
                faults.append((following.next, "line"))
                break
    following.finish()
    if max((one["size"] for one in compared), default=-1) < following.next:
        faults.append((None, "unsigned"))
    return faults


def entries_that_follow(lines, header, anchors, newest, vkey, kept, faults):
    def fault(name):
        faults.append((None, name))

    first, frontier, before = header["first"], [], None
    if first == 0:
        if anchors.get("before") is not None or anchors["frontier"]:
            fault("header")
    else:
        before = signed(anchors.get("before") or "", vkey)
        frontier = list(anchors["frontier"])
        if before is None:
            fault("before")
            frontier = None
        else:
            if before["size"] != first:
                fault("header")
            fits = len(frontier) == bin(first).count("1")
            if not fits or root_of_frontier(frontier) != before["root"]:
                fault("frontier")
                frontier = None
    end = newest
    if anchors.get("end") is None:
        if anchors["consistency"]:
            fault("consistency")
    else:
        end = signed(anchors["end"], vkey)
        if end is None:
            fault("end")
            end = newest
        elif not consistency_holds(
                anchors["consistency"], newest["size"], newest["root"], end["size"], end["root"]):
            fault("consistency")
    if first + header["entries"] != end["size"]:
        fault("header")
    since, until = header["filter"].get("from_us"), header["filter"].get("until_us")
    begins = first == 0 if since is None else before is None or before["at_us"] < since
    reaches = end["size"] >= newest["size"] or (until is not None and end["at_us"] >= until)
    if not begins or not reaches:
        fault("period")
    compared = [end]
    for one in kept:
        if one["size"] == newest["size"]:
            if one["root"] != newest["root"]:
                fault("kept")
        elif first <= one["size"] <= end["size"] or header["holds"] == "whole":
            compared.append(one)
    following = Following(first, frontier, compared, faults)
    for line in lines:
        try:
            seq, leaf, nodes = read_as(row_of, line)
        except Bad:
            faults.append((following.next, "line"))
            break
        if seq >= end["size"]:
            faults.append((seq, "surplus"))
        else:
            following.row(seq, leaf, nodes)
    following.finish()


def chosen_fault(seq, leaf, proof, highest, newest, partner, own):
    if highest is not None and seq <= highest:
        return "repeated" if seq == highest else "out-of-order"
    if not inclusion_holds(proof, newest["size"], newest["root"], seq, leaf_hash(leaf)):
        return "unproved"
    try:
        entry = entry_of(leaf)
    except Bad:
        return "unreadable"
    if entry["seq"] != seq:
        return "misplaced"
    event = entry["event"]
    if partner is None:
        return None
    acted, record = event["actor"]["organisation"], event.get("record")
    if partner not in (acted, event.get("counterparty")) and (record is None or record not in own):
        return "foreign"
    if event["kind"] == "record.accepted" and acted == partner and record is not None:
        own.add(record)
    return None


def chosen_entries(lines, header, anchors, newest, kept, faults):
    if any(anchors.get(name) not in (None, []) for name in ("before", "frontier", "end", "consistency")):
        faults.append((None, "header"))
    for one in kept:
        if one["size"] == newest["size"] and one["root"] != newest["root"]:
            faults.append((None, "kept"))
    count, highest, own = 0, None, set()
    for line in lines:
        try:
            seq, leaf, proof = read_as(chosen_of, line)
        except Bad:
            faults.append((None, "line"))
            break
        count += 1
        wrong = chosen_fault(seq, leaf, proof, highest, newest, header["filter"].get("partner"), own)
        if wrong:
            faults.append((seq, wrong))
        highest = seq if highest is None else max(highest, seq)
    if count != header["entries"]:
        faults.append((None, "count"))


def faults_of(file, vkey, kept):
    lines = Lines(file)
    line = next(lines, None)
    if line is None:
        raise Refused
    header = header_of(line)
    if header is None:
        for reader in (row_of, checkpoint_of):
            try:
                reader(line)
            except Bad:
                continue
            file.seek(0)
            return without_header(file, vkey, kept)
        raise Refused
    faults = []
    try:
        anchors = read_as(anchors_of, next(lines, None))
    except Bad:
        return [(None, "line")]
    newest = signed(anchors["checkpoint"], vkey)
    if newest is None:
        return [(None, "checkpoint")]
    if (newest["origin"], newest["size"]) != (header["log"], header["size"]):
        faults.append((None, "header"))
    if header["first"] is None:
        chosen_entries(lines, header, anchors, newest, kept, faults)
    else:
        entries_that_follow(lines, header, anchors, newest, vkey, kept, faults)
    return faults


def bundle(vkey, *arguments):
    files, kept, given = [], [], list(arguments)
    while given:
        argument = given.pop(0)
        if argument != "--checkpoint":
            files.append(argument)
            continue
        one = signed(Path(given.pop(0)).read_text(encoding="utf-8"), vkey)
        if one is None:
            raise Wrong("a checkpoint that was handed in is not one of this log")
        kept.append(one)
    said, whole = [], True
    for name in files:
        try:
            with open(name, "rb") as file:
                faults = faults_of(file, vkey, kept)
            verdict = "found" if faults else "whole"
        except Refused:
            verdict, faults = "refused", []
        bad = [number for number, _ in faults if number is not None]
        names = sorted({name for _, name in faults})
        whole = whole and verdict == "whole"
        said.append(json.dumps(
            {"file": name, "verdict": verdict, "first_bad": min(bad, default=None), "faults": names}))
    if not whole:
        print("\n".join(said))
        raise Wrong("not every bundle is whole")
    return "\n".join(said)
