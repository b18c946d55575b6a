//! From a resource as JSON to FHIR XML, elements in the order of the standard.

use serde_json::{Map, Value};

use super::super::elements::{Content, Form, Type};
use super::{FHIR, XHTML};
use crate::WriteError;
use crate::xml::{self, Element, Node, Writer};

/// Writes a resource. Fails where a text holds a character that XML cannot hold, or a `div` is
/// not well-formed.
pub(in super::super) fn write(resource: &Value) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer::new();
    write_resource(&mut writer, resource, true)?;
    writer.finish().or(Err(WriteError::Failed))
}

fn write_resource(writer: &mut Writer, resource: &Value, root: bool) -> Result<(), WriteError> {
    let members = resource.as_object().ok_or(WriteError::Failed)?;
    let name = members.get("resourceType").and_then(Value::as_str).ok_or(WriteError::Failed)?;
    let namespace = [("xmlns", FHIR)];
    writer.start(name, if root { &namespace } else { &[] });
    write_members(writer, members, Type::find(name))?;
    writer.end();
    Ok(())
}

/// The members in the order of the table; those it does not know come last, in their own order.
fn write_members(
    writer: &mut Writer,
    members: &Map<String, Value>,
    kind: Option<&'static Type>,
) -> Result<(), WriteError> {
    let attribute = |name: &str| {
        name == "resourceType" || (!kind.is_some_and(|kind| kind.is_resource) && is_identity(name))
    };
    let forms = kind.map_or(&[][..], |kind| &kind.forms);
    for form in forms.iter().filter(|form| !attribute(form.name)) {
        write_member(writer, members, form.name, Some(*form))?;
    }
    for name in members.keys() {
        let name = name.strip_prefix('_').unwrap_or(name);
        let known = forms.iter().any(|form| form.name == name);
        // A value and what stands beside it are one element, written once.
        let twice = members.contains_key(name) && members.contains_key(&format!("_{name}"));
        if !known && !attribute(name) && !twice {
            write_member(writer, members, name, None)?;
        }
    }
    Ok(())
}

fn is_identity(name: &str) -> bool {
    name == "id" || name == "url"
}

fn write_member(
    writer: &mut Writer,
    members: &Map<String, Value>,
    name: &str,
    form: Option<Form>,
) -> Result<(), WriteError> {
    let listed = |value: Option<&'_ Value>| -> Vec<Value> {
        match value {
            None => Vec::new(),
            Some(Value::Array(values)) => values.clone(),
            Some(value) => vec![value.clone()],
        }
    };
    let values = listed(members.get(name));
    let besides = listed(members.get(&format!("_{name}")));
    for index in 0..values.len().max(besides.len()) {
        let value = values.get(index).filter(|value| !value.is_null());
        let beside = besides.get(index).and_then(Value::as_object);
        write_element(writer, name, value, beside, form)?;
    }
    Ok(())
}

fn write_element(
    writer: &mut Writer,
    name: &str,
    value: Option<&Value>,
    beside: Option<&Map<String, Value>>,
    form: Option<Form>,
) -> Result<(), WriteError> {
    let content = form.map(|form| form.content);
    match value {
        Some(value @ Value::Object(_)) if content == Some(Content::Resource) => {
            writer.start(name, &[]);
            write_resource(writer, value, false)?;
            writer.end();
            Ok(())
        }
        Some(Value::Object(members)) => {
            let kind = match content {
                Some(Content::Elements(kind)) => Type::find(kind),
                _ => None,
            };
            writer.start(name, &identities(members));
            write_members(writer, members, kind)?;
            writer.end();
            Ok(())
        }
        Some(Value::String(div)) if content == Some(Content::Narrative) => {
            let element = xml::parse(div.as_bytes()).or(Err(WriteError::Failed))?;
            write_markup(writer, &element, true);
            Ok(())
        }
        Some(Value::String(text)) => write_primitive(writer, name, Some(text), beside),
        Some(Value::Bool(value)) => write_primitive(writer, name, Some(&value.to_string()), beside),
        Some(Value::Number(value)) => {
            write_primitive(writer, name, Some(&value.to_string()), beside)
        }
        None | Some(Value::Null) => write_primitive(writer, name, None, beside),
        Some(Value::Array(_)) => Err(WriteError::Failed),
    }
}

fn write_primitive(
    writer: &mut Writer,
    name: &str,
    value: Option<&str>,
    beside: Option<&Map<String, Value>>,
) -> Result<(), WriteError> {
    let mut attributes = beside.map(identities).unwrap_or_default();
    attributes.extend(value.map(|value| ("value", value)));
    let children = beside.filter(|members| members.keys().any(|name| !is_identity(name)));
    let Some(children) = children else {
        writer.empty(name, &attributes);
        return Ok(());
    };
    writer.start(name, &attributes);
    write_members(writer, children, Type::find("Element"))?;
    writer.end();
    Ok(())
}

fn identities(members: &Map<String, Value>) -> Vec<(&str, &str)> {
    let names = ["id", "url"].into_iter();
    names.filter_map(|name| Some((name, members.get(name)?.as_str()?))).collect()
}

fn write_markup(writer: &mut Writer, element: &Element, outermost: bool) {
    let own = element.attributes.iter().filter(|attribute| attribute.namespace.is_none());
    let mut attributes: Vec<(&str, &str)> =
        own.map(|attribute| (attribute.name.as_str(), attribute.value.as_str())).collect();
    if outermost {
        attributes.insert(0, ("xmlns", XHTML));
    }
    writer.start(&element.name, &attributes);
    for child in &element.children {
        match child {
            Node::Element(child) => write_markup(writer, child, false),
            Node::Text(text) => writer.text(text),
        }
    }
    writer.end();
}
