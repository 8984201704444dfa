//! From what people type to a kind: plural, singular, short name or kind, with or without group and version.

use std::sync::Arc;

use crate::kinds::{Kind, Kinds};
use crate::object::GroupKind;

/// The parts of `resource[.version].group`: the resource, and what follows its first dot.
pub fn split_argument(argument: &str) -> (&str, &str) {
    argument.split_once('.').unwrap_or((argument, ""))
}

/// The kinds in order of preference: groups as the server lists them, the preferred version first.
fn by_preference(kinds: &Kinds) -> impl Iterator<Item = &Arc<Kind>> {
    kinds.groups().iter().flat_map(move |group| {
        let of = move |version: String| {
            let name = group.group.clone();
            kinds.rows().iter().filter(move |kind| kind.group == name && kind.version == version)
        };
        let others = group.versions.iter().filter(|version| **version != group.preferred).cloned();
        std::iter::once(group.preferred.clone()).chain(others).flat_map(of)
    })
}

/// Which of the candidates a group after the dot means: the exact group, else one that it begins.
fn in_group<'a>(kinds: &'a Kinds, group: &str, matches: &dyn Fn(&Kind) -> bool) -> Option<&'a Arc<Kind>> {
    let first = |wanted: &dyn Fn(&Kind) -> bool| by_preference(kinds).find(|kind| matches(kind) && wanted(kind));
    if group.is_empty() {
        return first(&|_| true);
    }
    first(&|kind| kind.group == group).or_else(|| first(&|kind| kind.group.starts_with(group)))
}

/// The kind that an argument such as `deploy`, `Deployment`, `deployments.apps` or `deployments.v1.apps` names.
pub fn resource<'a>(kinds: &'a Kinds, argument: &str) -> Option<&'a Arc<Kind>> {
    let (name, rest) = split_argument(argument);
    let lower = name.to_lowercase();
    // Unlike names, abbreviations count only as they are written.
    let short = |kind: &Kind| kind.short_names.iter().any(|short| short == name);
    let long = |kind: &Kind| kind.plural == lower || kind.singular == lower;
    let kind_name = |kind: &Kind| kind.kind == name;
    for matches in [&long as &dyn Fn(&Kind) -> bool, &short, &kind_name] {
        // `pods.v1.` and `deployments.v1.apps` name a version before the group.
        if let Some((version, group)) = rest.split_once('.') {
            let exact = |kind: &&Arc<Kind>| matches(kind) && kind.version == version && kind.group == group;
            if let Some(kind) = by_preference(kinds).find(exact) {
                return Some(kind);
            }
        }
        if let Some(kind) = in_group(kinds, rest, matches) {
            return Some(kind);
        }
    }
    None
}

/// The row of a group and kind, in that version.
pub fn for_kind<'a>(kinds: &'a Kinds, group: &str, version: &str, kind: &str) -> Option<&'a Arc<Kind>> {
    by_preference(kinds).find(|row| row.kind == kind && row.group == group && row.version == version)
}

/// The row of a group and kind, in the version that is preferred.
pub fn for_group_kind<'a>(kinds: &'a Kinds, wanted: &GroupKind) -> Option<&'a Arc<Kind>> {
    by_preference(kinds).find(|row| row.kind == wanted.kind && row.group == wanted.group)
}

/// The resources of a category such as `all`, in the server's order, each in its preferred version.
pub fn category<'a>(kinds: &'a Kinds, name: &str) -> Vec<&'a Arc<Kind>> {
    let mut found: Vec<&Arc<Kind>> = Vec::new();
    for kind in by_preference(kinds).filter(|kind| kind.categories.iter().any(|category| category == name)) {
        if !found.iter().any(|known| known.group == kind.group && known.plural == kind.plural) {
            found.push(kind);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_kind() {
        let kinds = Kinds::builtin();
        let name =
            |argument: &str| resource(kinds, argument).map(|kind| (kind.group_resource(), kind.version.as_str()));
        let deployments = Some(("deployments.apps".to_owned(), "v1"));
        for argument in
            ["deploy", "Deployment", "deployments", "deployments.apps", "deployments.v1.apps", "Deployments.apps"]
        {
            assert_eq!(name(argument), deployments, "{argument}");
        }
        assert_eq!(name("events"), Some(("events".to_owned(), "v1")));
        assert_eq!(name("events.events"), Some(("events.events.k8s.io".to_owned(), "v1")));
        assert_eq!(name("deploy.batch"), None);
        assert_eq!(name("nosuch"), None);
        assert_eq!(name("DEPLOY"), None);
    }

    #[test]
    fn categories_keep_the_servers_order() {
        let all: Vec<String> = category(Kinds::builtin(), "all").iter().map(|kind| kind.group_resource()).collect();
        assert_eq!(all.first().map(String::as_str), Some("pods"));
        assert!(all.contains(&"cronjobs.batch".to_owned()));
    }
}
