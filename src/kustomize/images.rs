//! Images of containers: found by name, given another name, tag or digest.

use std::sync::Arc;

use regex::Regex;

use super::Error;
use super::config::FieldSpec;
use super::fields::{self, Create, wrong_kind};
use super::model::Image;
use super::node::{Node, Scalar};
use super::resource::Resource;

/// Changes images wherever containers stand, and in the fields that rules name.
pub(super) struct ImageChange {
    image: Image,
    pattern: Option<Arc<Regex>>,
    specs: Vec<FieldSpec>,
}

impl ImageChange {
    pub fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        let pattern = format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
        let pattern = Regex::new(&pattern).ok().map(Arc::new);
        Self { image, pattern, specs }
    }

    pub fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        for resource in resources.iter_mut().filter(|resource| resource.kind() != "CustomResourceDefinition") {
            self.visit_containers(&mut resource.node)?;
            for spec in &self.specs {
                fields::visit(&mut resource.node, spec, Create::Nothing, &mut |node| self.set(node))?;
            }
        }
        Ok(())
    }

    fn visit_containers(&self, node: &mut Node) -> Result<(), Error> {
        match node {
            Node::Map(fields) => {
                for (name, value) in fields {
                    self.visit_containers(value)?;
                    if let ("containers" | "initContainers", Node::List(items)) = (name.as_str(), value) {
                        items.iter_mut().filter_map(|item| item.get_mut("image")).try_for_each(|n| self.set(n))?;
                    }
                }
                Ok(())
            }
            Node::List(items) => items.iter_mut().try_for_each(|item| self.visit_containers(item)),
            Node::Scalar(_) => Ok(()),
        }
    }

    fn set(&self, node: &mut Node) -> Result<(), Error> {
        let Node::Scalar(scalar) = node else { return Err(wrong_kind(node, "ScalarNode")) };
        if !self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(&scalar.text)) {
            return Ok(());
        }
        let changed = changed(&scalar.text, &self.image);
        fields::set_scalar(node, Scalar::open(changed))
    }
}

fn changed(old: &str, change: &Image) -> String {
    let (name, mut tag, mut digest) = split(old);
    let mut text = if change.new_name.is_empty() { name.to_owned() } else { change.new_name.clone() };
    let with_suffix = format!("{tag}{}", change.tag_suffix);
    if !change.new_tag.is_empty() || !change.digest.is_empty() {
        (tag, digest) = (&change.new_tag, &change.digest);
    } else if !change.tag_suffix.is_empty() {
        (tag, digest) = (&with_suffix, "");
    }
    for (mark, part) in [(':', tag), ('@', digest)] {
        if !part.is_empty() {
            text.push(mark);
            text.push_str(part);
        }
    }
    text
}

/// Name, tag and digest of an image.
fn split(image: &str) -> (&str, &str, &str) {
    let from = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let place = |mark: char| image[from..].find(mark).map(|at| at + from);
    match (place(':'), place('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(at)) if colon < at => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (_, Some(at)) => (&image[..at], "", &image[at + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_replace_both() {
        let change = |new_name: &str, new_tag: &str, digest: &str, tag_suffix: &str| Image {
            new_name: new_name.into(),
            new_tag: new_tag.into(),
            digest: digest.into(),
            tag_suffix: tag_suffix.into(),
            ..Image::default()
        };
        assert_eq!(changed("host:80/a:1@sha256:x", &change("", "2", "", "")), "host:80/a:2");
        assert_eq!(changed("host:80/a:1@sha256:x", &change("b", "", "", "")), "b:1@sha256:x");
        assert_eq!(changed("a:1", &change("", "", "sha256:y", "")), "a@sha256:y");
        assert_eq!(changed("a:1", &change("", "2", "sha256:y", "")), "a:2@sha256:y");
        assert_eq!(changed("a:1@sha256:x", &change("", "", "", "-rc")), "a:1-rc");
    }
}
