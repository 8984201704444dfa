//! Selecting objects by patterns of kind, name and namespace.

use regex::Regex;

use super::Error;
use super::id::{Gvk, Id};
use super::model::Selector;
use super::resource::Resource;

/// A selector with its patterns ready.
pub(super) struct Patterns {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
}

fn pattern(text: &str) -> Result<Option<Regex>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let compiled = Regex::new(&format!("^(?:{text})$"));
    compiled.map(Some).map_err(|error| {
        let (what, part) = go_fault(&error.to_string(), text);
        Error::fact(format!("error parsing regexp: {what}: `{part}`"))
    })
}

/// Go's words for what is wrong with a pattern, and the part that it shows.
fn go_fault(fault: &str, text: &str) -> (&'static str, String) {
    let whole = format!("^(?:{text})$");
    let repeated = || text.find(['*', '+', '?']).and_then(|at| text.get(at..=at)).unwrap_or("*").to_owned();
    match fault {
        _ if fault.contains("unclosed group") => ("missing closing )", whole),
        _ if fault.contains("unopened group") => ("unexpected )", whole),
        _ if fault.contains("unclosed character class") => {
            let at = text.rfind('[').unwrap_or(0);
            ("missing closing ]", format!("{})$", &text[at..]))
        }
        _ if fault.contains("repetition operator missing") => ("missing argument to repetition operator", repeated()),
        _ => ("invalid or unsupported Perl syntax", whole),
    }
}

impl Patterns {
    pub fn new(selector: &Selector) -> Result<Self, Error> {
        Ok(Self {
            group: pattern(&selector.gvk.group)?,
            version: pattern(&selector.gvk.version)?,
            kind: pattern(&selector.gvk.kind)?,
            name: pattern(&selector.name)?,
            namespace: pattern(&selector.namespace)?,
        })
    }

    pub fn has_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
            && fits(self.kind.as_ref(), &gvk.kind)
    }

    pub fn has_id(&self, id: &Id) -> bool {
        self.has_gvk(&id.gvk) && fits(self.name.as_ref(), &id.name) && fits(self.namespace.as_ref(), &id.namespace)
    }
}

fn fits(pattern: Option<&Regex>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.is_match(text))
}

/// The places of the objects that a selector means, by their first or their current names.
///
/// # Errors
/// A pattern or a label selector is malformed.
pub(super) fn select(resources: &[Resource], selector: &Selector) -> Result<Vec<usize>, Error> {
    let patterns = Patterns::new(selector)?;
    let mut found = Vec::new();
    for (at, resource) in resources.iter().enumerate() {
        let (now, first) = (resource.id(), resource.original_id());
        let either = |pattern: Option<&Regex>, one: &str, other: &str| fits(pattern, one) || fits(pattern, other);
        if either(patterns.namespace.as_ref(), first.effective_namespace(), now.effective_namespace())
            && either(patterns.name.as_ref(), &first.name, &now.name)
            && patterns.has_gvk(&now.gvk)
            && resource.has_labels(&selector.label_selector)?
            && resource.has_annotations(&selector.annotation_selector)?
        {
            found.push(at);
        }
    }
    Ok(found)
}
