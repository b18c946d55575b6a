//! Paths of names to elements: which elements are records, and what a path means from one of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

use schemas::Place;

use crate::mapping::Mapping;
use crate::xml::Element;

/// A record and the elements around it, the root first.
pub(super) struct Chain<'a> {
    /// The names of the elements, as the mapping's `record` has them.
    names: Vec<&'a str>,
    elements: Vec<&'a Element>,
}

/// What stands at the end of a path.
pub(super) struct Found<'a> {
    pub(super) text: std::borrow::Cow<'a, str>,
    pub(super) place: Place,
    pub(super) holds_elements: bool,
}

/// What paths led to from elements around records, so that what many records share is looked for
/// once: by path, the element it was followed from and what was found.
#[derive(Default)]
pub(super) struct Around<'a>(HashMap<String, (&'a Element, Rc<Vec<Found<'a>>>)>);

/// Every record of a document, in order.
pub(super) fn records<'a>(root: &'a Element, record: &'a str) -> Vec<Chain<'a>> {
    let names: Vec<&str> = record.split('/').collect();
    let Some((first, rest)) = names.split_first().filter(|(first, _)| **first == root.name) else {
        return Vec::new();
    };
    let mut chains = vec![vec![root]];
    for name in rest {
        chains = chains
            .into_iter()
            .flat_map(|chain| {
                let parent = chain.last().copied();
                let children = parent.into_iter().flat_map(Element::elements);
                let named = children.filter(|child| child.name == *name);
                named.map(|child| [chain.as_slice(), &[child]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    let with_names = |elements| {
        let mut names = vec![*first];
        names.extend_from_slice(rest);
        Chain { names, elements }
    };
    chains.into_iter().map(with_names).collect()
}

/// The first element of each kind that neither a path of the mapping nor `record` leads to.
pub(super) fn strangers<'a>(
    root: &'a Element,
    mapping: &Mapping,
    record: &str,
) -> Vec<&'a Element> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut ends: BTreeSet<String> = BTreeSet::new();
    let paths = mapping.fields().flat_map(|(_, from)| from.iter().map(String::as_str));
    let filters = mapping.filters.iter().flat_map(|filter| filter.from.iter().map(String::as_str));
    for path in paths.chain(filters).map(|path| absolute(path, record)).chain([record.to_owned()]) {
        let path = path.split("/@").next().unwrap_or_default();
        ends.insert(path.to_owned());
        for (at, _) in path.match_indices('/') {
            known.insert(path.get(..at).unwrap_or_default().to_owned());
        }
    }
    known.extend(ends);
    let mut found: BTreeMap<String, &Element> = BTreeMap::new();
    let mut waiting = vec![(root.name.clone(), root)];
    while let Some((path, element)) = waiting.pop() {
        let within = path.strip_prefix(record).and_then(|rest| rest.strip_prefix('/'));
        if mapping.ignores(&format!("/{path}")) || within.is_some_and(|path| mapping.ignores(path))
        {
            continue;
        }
        if !known.contains(&path) {
            let first = found.entry(path).or_insert(element);
            if element.span.start < first.span.start {
                *first = element;
            }
            continue;
        }
        waiting.extend(element.elements().map(|child| (format!("{path}/{}", child.name), child)));
    }
    let mut found: Vec<&Element> = found.into_values().collect();
    found.sort_by_key(|element| element.span.start);
    found
}

/// A path of a mapping from the root: one that begins with a slash is, others begin at the record.
fn absolute(path: &str, record: &str) -> String {
    match path.strip_prefix('/') {
        Some(path) => path.to_owned(),
        None => format!("{record}/{path}"),
    }
}

impl<'a> Chain<'a> {
    /// The record's place.
    pub(super) fn place(&self) -> Place {
        let record = self.elements.last();
        record.map_or(Place::Whole, |record| record.place(self.names.join("/")))
    }

    /// The record's line.
    pub(super) fn line(&self) -> u64 {
        self.elements.last().map_or(1, |record| record.line)
    }

    /// What stands at the first of several paths at which something does.
    pub(super) fn find(&self, around: &mut Around<'a>, paths: &[String]) -> Rc<Vec<Found<'a>>> {
        let mut found = paths.iter().map(|path| self.at(around, path));
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn at(&self, around: &mut Around<'a>, path: &str) -> Rc<Vec<Found<'a>>> {
        let path = absolute(path, &self.names.join("/"));
        let path = path.as_str();
        let (elements, attribute) = match path.split_once("/@") {
            Some((elements, attribute)) => (elements, Some(attribute)),
            None => (path, None),
        };
        let names: Vec<&str> = elements.split('/').collect();
        let along = self.along(&names);
        let Some(start) = along.checked_sub(1).and_then(|at| self.elements.get(at)) else {
            return Rc::default();
        };
        let shared = along < self.elements.len();
        if let Some((_, found)) = around.0.get(path).filter(|(from, _)| std::ptr::eq(*from, *start))
        {
            return Rc::clone(found);
        }
        let mut found = vec![*start];
        for name in names.get(along..).unwrap_or_default() {
            let children = found.into_iter().flat_map(Element::elements);
            found = children.filter(|child| child.name == *name).collect();
        }
        let text = |element: &'a Element| {
            let place = element.place(path);
            match attribute {
                Some(name) => Some(Found {
                    text: element.attribute(name)?.into(),
                    place,
                    holds_elements: false,
                }),
                None => Some(Found {
                    text: element.raw_text(),
                    place,
                    holds_elements: element.elements().next().is_some(),
                }),
            }
        };
        let found: Rc<Vec<Found<'a>>> = Rc::new(found.into_iter().filter_map(text).collect());
        if shared {
            around.0.insert(path.to_owned(), (*start, Rc::clone(&found)));
        }
        found
    }

    /// How many elements a path has in common with the record's own, from the root.
    fn along(&self, names: &[&str]) -> usize {
        self.names.iter().zip(names).take_while(|(own, other)| own == other).count()
    }

    /// The bytes of the decoded text that are this record's own: the element around it from which
    /// the mapping reads, but never the root or the list that all records share.
    pub(super) fn span(&self, mapping: &Mapping) -> Range<usize> {
        let paths = mapping.fields().flat_map(|(_, from)| from);
        let outermost = paths
            .map(|path| absolute(path, &self.names.join("/")))
            .map(|path| self.along(&path.split('/').collect::<Vec<_>>()))
            .min()
            .unwrap_or_default();
        let last = self.elements.len().saturating_sub(1);
        let own = outermost.saturating_sub(1).max(2).min(last);
        self.elements.get(own).map_or(0..0, |element| element.span.clone())
    }
}
