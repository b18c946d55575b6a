//! A Bundle: its entries, the references between them, and what must not stand anywhere in it.

use schemas::{Field, Issue};

use super::element::Element;
use super::resources::Resource;
use super::systems;
use crate::json::strict::{Node, Value};
use crate::read_error::{ReadError, ReadErrorKind};

/// A resource of the Bundle and the address by which others refer to it.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    full_url: Option<&'a str>,
    pub(super) kind: &'static str,
    pub(super) resource: Element<'a>,
}

/// A message or document Bundle, entries of a nested document Bundle among its own.
pub(super) struct Bundle<'a> {
    pub(super) root: Element<'a>,
    pub(super) kind: &'static str,
    entries: Vec<Entry<'a>>,
}

impl<'a> Bundle<'a> {
    /// Takes the Bundle apart. Refuses what is not a Bundle that starts as it must.
    pub(super) fn open(root: Element<'a>) -> Result<Self, ReadError> {
        if !matches!(root.node.value, Value::Object(_))
            || root.node.member("resourceType").is_none()
        {
            return Err(shape(&root, "fhir-no-resource-type", "there is no resourceType"));
        }
        if !root.is("resourceType", "Bundle") {
            return Err(shape(&root, "fhir-not-a-bundle", "the resource is not a Bundle"));
        }
        let (kind, first) = if root.is("type", "message") {
            ("message", "MessageHeader")
        } else if root.is("type", "document") {
            ("document", "Composition")
        } else {
            let message = "the Bundle's type is neither message nor document";
            return Err(shape(&root, "fhir-bundle-type", message));
        };
        let mut entries = Vec::new();
        collect(&root, true, &mut entries)?;
        if entries.first().map(|entry| entry.kind) != Some(first) {
            let message = if kind == "message" {
                "the first entry of a message Bundle is not its MessageHeader"
            } else {
                "the first entry of a document Bundle is not its Composition"
            };
            return Err(shape(&root, "fhir-first-entry", message));
        }
        let bundle = Self { root, kind, entries };
        bundle.unique_addresses();
        nothing_forbidden(&bundle.root, &mut Seen { nhs_number: None });
        bundle.elements_ignored();
        Ok(bundle)
    }

    /// Every resource of a type, in order.
    pub(super) fn all(&self, kind: &'static str) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }

    /// The only resource of a type; several are a fault, because none is preferred.
    pub(super) fn only(&self, kind: &'static str) -> Option<&Entry<'a>> {
        let mut all = self.all(kind);
        let first = all.next();
        if let Some(second) = all.next() {
            second.resource.error(
                "fhir-several",
                "there are several resources of this type where one is meant",
                "send one message per answer",
            );
        }
        first
    }

    /// The resource a Reference points to: inside the Bundle, or contained in its owner.
    pub(super) fn resolve(
        &self,
        owner: &Element<'a>,
        reference: &Element<'a>,
    ) -> Option<Entry<'a>> {
        let target = reference.get("reference")?;
        let address = target.text()?;
        let found = match address.strip_prefix('#') {
            Some(id) => contained(owner, id),
            None => self.entries.iter().find(|entry| entry.answers_to(address)).cloned(),
        };
        if found.is_none() {
            target.error(
                "fhir-reference-outside",
                "refers to a resource that is not in the Bundle",
                "include the resource; nothing is fetched from elsewhere",
            );
        }
        found
    }

    /// Whether this address is that of a resource in the Bundle.
    pub(super) fn holds(&self, address: &str) -> bool {
        self.entries.iter().any(|entry| entry.answers_to(address))
    }

    /// The date on which the Bundle was made, against which periods are read.
    pub(super) fn made_on(&self) -> Option<String> {
        self.root.text_of("timestamp").map(super::dates::civil_date)
    }

    fn unique_addresses(&self) {
        let mut sorted: Vec<&Entry<'_>> =
            self.entries.iter().filter(|entry| entry.full_url.is_some()).collect();
        sorted.sort_by_key(|entry| entry.full_url);
        for [first, second] in sorted.array_windows() {
            if first.full_url == second.full_url {
                second.resource.error(
                    "fhir-full-url-repeated",
                    "has the fullUrl of another entry",
                    "give every entry a fullUrl of its own",
                );
            }
        }
    }

    /// Notes the elements of known resources that are not read.
    fn elements_ignored(&self) {
        for entry in &self.entries {
            let Some(known) = Resource::find(entry.kind) else { continue };
            let members = entry.resource.node.members().iter();
            for member in members.filter(|member| !known.knows(&member.name)) {
                entry.resource.notes.add(Issue::warning(
                    "fhir-element-ignored",
                    None,
                    member.spot.place(&entry.resource.path),
                    "holds an element that is not read",
                    "nothing, unless the authority needs it; then put it in the document",
                ));
            }
        }
    }
}

impl Entry<'_> {
    fn answers_to(&self, address: &str) -> bool {
        if self.full_url == Some(address) {
            return true;
        }
        // A relative address: the type and the id.
        let Some((kind, id)) = address.split_once('/') else { return false };
        kind == self.kind && self.resource.is("id", id)
    }
}

struct Seen<'a> {
    nhs_number: Option<&'a str>,
}

/// Looks at every element of every resource, read or not, for what must not be passed over.
fn nothing_forbidden<'a>(bundle: &Element<'a>, seen: &mut Seen<'a>) {
    restricted(bundle);
    for member in bundle.node.members().iter().filter(|member| member.name != "entry") {
        sweep(bundle, &member.node, &member.name, member.spot, seen);
    }
    for entry in bundle.list("entry") {
        for member in entry.node.members().iter().filter(|member| member.name != "resource") {
            sweep(&entry, &member.node, &member.name, member.spot, seen);
        }
        let Some(resource) = entry.get("resource") else { continue };
        if resource.is("resourceType", "Bundle") {
            nothing_forbidden(&resource, seen);
            continue;
        }
        restricted(&resource);
        resource.list("contained").iter().for_each(restricted);
        for member in resource.node.members() {
            sweep(&resource, &member.node, &member.name, member.spot, seen);
        }
    }
}

/// Refuses modifiers and differing NHS numbers at any depth. `owner` lends its path.
fn sweep<'a>(
    owner: &Element<'a>,
    node: &'a Node,
    name: &str,
    spot: crate::json::strict::Spot,
    seen: &mut Seen<'a>,
) {
    if name == "modifierExtension" || name == "implicitRules" {
        owner.notes.add(Issue::error(
            "fhir-modifier-extension",
            None,
            spot.place(&owner.path),
            "holds a modifier extension or implicit rule, which may reverse its meaning",
            "send it without; nothing that is not understood is passed over",
        ));
    }
    if node.member("system").and_then(Node::text) == Some(systems::NHS_NUMBER)
        && let Some(number) = node.member("value").and_then(Node::text)
    {
        if seen.nhs_number.is_some_and(|other| other != number) {
            owner.notes.add(Issue::error(
                "nhs-numbers-differ",
                Some(Field::NHS_NUMBER),
                node.spot.place(&owner.path),
                "the message holds NHS numbers that differ",
                "find out whom it is about; one message is about one person",
            ));
        }
        seen.nhs_number = Some(number);
    }
    for element in node.elements() {
        sweep(owner, element, "", element.spot, seen);
    }
    for member in node.members() {
        sweep(owner, &member.node, &member.name, member.spot, seen);
    }
}

/// A restricted person (`meta.security` R or V) is a matter for a person, not for a rule here.
fn restricted(resource: &Element<'_>) {
    let Some(meta) = resource.get("meta") else { return };
    for label in meta.list("security") {
        if label.is("code", "R") || label.is("code", "V") {
            label.error(
                "fhir-restricted",
                "is marked restricted or very restricted",
                "a person must decide; agree with the authority how it is to be sent",
            );
        }
    }
}

fn collect<'a>(
    bundle: &Element<'a>,
    outermost: bool,
    entries: &mut Vec<Entry<'a>>,
) -> Result<(), ReadError> {
    let listed = bundle.list("entry");
    if listed.len() > ENTRIES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "fhir-too-many-entries",
            bundle.place(),
            "the Bundle has more than 500 entries",
            "send the resources of one message only",
        ));
    }
    for entry in listed {
        let Some(resource) = entry.get("resource") else {
            entry.warn("fhir-resource-ignored", "holds no resource", "send the resource inside it");
            continue;
        };
        let Some(kind) = resource.node.member("resourceType").and_then(Node::text) else {
            return Err(shape(&resource, "fhir-no-resource-type", "there is no resourceType"));
        };
        match Resource::find(kind) {
            Some(known) if known.name == "Bundle" && outermost => {
                collect(&resource, false, entries)?;
            }
            Some(known) if known.name != "Bundle" => entries.push(Entry {
                full_url: entry.node.member("fullUrl").and_then(Node::text),
                kind: known.name,
                resource,
            }),
            _ => {
                resource.warn(
                    "fhir-resource-ignored",
                    "is of a type that is not read",
                    "nothing, unless the authority needs it; then put it in the document",
                );
            }
        }
    }
    Ok(())
}

fn contained<'a>(owner: &Element<'a>, id: &str) -> Option<Entry<'a>> {
    let found = owner.list("contained").into_iter().find(|resource| resource.is("id", id))?;
    let kind = Resource::find(found.node.member("resourceType").and_then(Node::text)?)?;
    Some(Entry { full_url: None, kind: kind.name, resource: found })
}

fn shape(element: &Element<'_>, rule: &str, message: &str) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        rule,
        element.place(),
        message,
        "send a FHIR R4 Bundle as the mapping describes",
    )
}

/// The most entries of one Bundle: a message about one person needs some thirty, and every
/// reference is looked for among all of them.
const ENTRIES_MAX: usize = 500;
