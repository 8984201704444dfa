//! Git repositories named by URLs, as kustomizations name them.

use std::time::Duration;

use super::Error;
use crate::object::go;

/// A repository and a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The URL as it was given.
    pub raw: String,
    /// What git copies: the URL without the folder and the query.
    pub url: String,
    /// The folder in the repository.
    pub path: String,
    /// Branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// Whether submodules are wanted.
    pub submodules: bool,
    /// How long one step of git may take.
    pub timeout: Duration,
}

const SCHEMES: [&str; 4] = ["ssh://", "https://", "http://", "file://"];
const TIMEOUT: Duration = Duration::from_secs(27);

impl Repository {
    /// Reads a URL such as `https://github.com/owner/name/folder?ref=v1`, `git@host:owner/name.git//folder`.
    ///
    /// # Errors
    /// It names no repository.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.starts_with('/') {
            return Err(Error::fact(format!("uri looks like abs path: {text}")));
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (host, rest) = split_host(address)?;
        let (repository, path) = split_path(&rest, host.starts_with("file://"))?;
        let mut found = Self {
            raw: text.to_owned(),
            url: format!("{host}{repository}"),
            path,
            reference: String::new(),
            submodules: true,
            timeout: TIMEOUT,
        };
        found.read_query(query);
        Ok(found)
    }

    fn read_query(&mut self, query: &str) {
        let values: std::collections::HashMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |key: &str| values.get(key).filter(|value| !value.is_empty());
        self.reference = value("ref").or_else(|| value("version")).cloned().unwrap_or_default();
        if let Some(timeout) = value("timeout") {
            let seconds = timeout.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
            let spoken = || {
                let duration = crate::object::duration::GoDuration::parse(timeout).ok()?.to_std();
                (!duration.is_zero()).then_some(duration)
            };
            self.timeout = seconds.or_else(spoken).unwrap_or(TIMEOUT);
        }
        if let Some(false) = value("submodules").and_then(|text| go_bool(text)) {
            self.submodules = false;
        }
    }
}

fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn strip_prefix_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    text.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &text[prefix.len()..])
}

/// Scheme, user and host with the separator behind it, and the rest.
fn split_host(address: &str) -> Result<(String, String), Error> {
    let address = strip_prefix_any_case(address, "git::").unwrap_or(address);
    let found = SCHEMES.iter().find_map(|scheme| strip_prefix_any_case(address, scheme).map(|rest| (*scheme, rest)));
    let (scheme, rest) = found.unwrap_or(("", address));
    let user = rest.split_once('@').map(|(user, _)| user).filter(|user| {
        user.starts_with(|c: char| c.is_ascii_alphabetic())
            && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    let (user, rest) = user.map_or(("", rest), |user| rest.split_at(user.len() + 1));
    let lower = rest.to_ascii_lowercase();
    let github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    let short = scheme.is_empty() && (!user.is_empty() || github);
    if scheme.is_empty() && !short {
        return Err(Error::fact("failed to parse scheme"));
    }
    if scheme == "file://" {
        return Ok((scheme.to_owned(), format!("{user}{rest}")));
    }
    let slash = rest.find('/');
    let separator = match rest.find(':').filter(|_| short) {
        Some(colon) if slash.is_none_or(|slash| colon > 0 && colon < slash) => Some(colon),
        _ => slash,
    };
    let (host, rest) = separator.map_or((rest, ""), |at| rest.split_at(at + 1));
    if github {
        let whole = if scheme == "ssh://" || !user.is_empty() {
            format!("{user}github.com:")
        } else {
            "https://github.com/".to_owned()
        };
        return Ok((whole, rest.to_owned()));
    }
    if host.is_empty() {
        return Err(Error::fact("failed to parse host segment"));
    }
    Ok((format!("{scheme}{user}{host}"), rest.to_owned()))
}

/// The path of the repository on its host, and the folder in it.
fn split_path(rest: &str, whole: bool) -> Result<(String, String), Error> {
    let split = if let Some(at) = rest.find("_git/") {
        let (name, folder) = rest[at + 5..].split_once('/').unwrap_or((&rest[at + 5..], ""));
        Some((format!("{}{name}", &rest[..at + 5]), folder.to_owned()))
    } else if let Some((repository, folder)) = rest.split_once("//") {
        Some((repository.to_owned(), folder.to_owned()))
    } else if let Some(at) = rest.find(".git") {
        Some((rest[..at + 4].to_owned(), rest[at + 4..].to_owned()))
    } else if whole {
        Some((rest.to_owned(), String::new()))
    } else {
        let parts: Vec<&str> = rest.split('/').collect();
        (parts.len() >= 2).then(|| (parts[..2].join("/"), parts[2..].join("/")))
    };
    let Some((repository, folder)) = split.filter(|(repository, _)| !repository.is_empty()) else {
        return Err(Error::fact("failed to parse repo path segment"));
    };
    let cleaned = go::clean_path(folder.strip_prefix('/').unwrap_or(&folder));
    if cleaned.split('/').next() == Some("..") {
        return Err(Error::fact(format!("url path exits repo: {rest}")));
    }
    Ok((repository, folder.strip_prefix('/').unwrap_or(&folder).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parts = |text: &str| {
            let found = Repository::parse(text).map_err(|error| error.to_string())?;
            Ok::<_, String>((found.url, found.path, found.reference))
        };
        let found = |url: &str, path: &str, reference: &str| Ok((url.into(), path.into(), reference.into()));
        assert_eq!(
            parts("https://github.com/kubernetes-sigs/kustomize/examples/helloWorld?ref=v1.0.6"),
            found("https://github.com/kubernetes-sigs/kustomize", "examples/helloWorld", "v1.0.6")
        );
        assert_eq!(parts("github.com/a/b//c?ref=x"), found("https://github.com/a/b", "c", "x"));
        assert_eq!(parts("git@github.com:a/b.git/c"), found("git@github.com:a/b.git", "c", ""));
        assert_eq!(parts("https://host/a/b.git"), found("https://host/a/b.git", "", ""));
        assert_eq!(parts("file:///srv/repo"), found("file:///srv/repo", "", ""));
        assert_eq!(parts("../base"), Err("failed to parse scheme".into()));
        assert_eq!(parts("https://h/a/b//../x"), Err("url path exits repo: a/b//../x".into()));
    }
}
