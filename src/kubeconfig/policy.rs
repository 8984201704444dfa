//! Which programs may supply credentials.

use std::path::{Path, PathBuf};

use crate::object::go::quote;

/// A policy of which programs may supply credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginPolicy {
    /// `AllowAll`, `DenyAll` or `Allowlist`; empty for all.
    pub policy: String,
    /// Names or paths of the programs that `Allowlist` allows.
    pub allowlist: Option<Vec<String>>,
}

impl PluginPolicy {
    /// Checks that policy and list go together.
    ///
    /// # Errors
    /// The finding, in kubectl's words.
    pub fn validate(&self) -> Result<(), String> {
        let policy = &self.policy;
        match (policy.as_str(), &self.allowlist) {
            ("" | "AllowAll" | "DenyAll", None) => Ok(()),
            ("" | "AllowAll" | "DenyAll", Some(_)) => Err(format!(
                "misconfigured credential plugin allowlist: plugin policy is \"{policy}\" but allowlist is non-nil"
            )),
            ("Allowlist", None) => {
                Err(format!("credential plugin policy set to \"{policy}\", but allowlist is unspecified"))
            }
            ("Allowlist", Some(list)) if list.is_empty() => Err(format!(
                "credential plugin policy set to \"{policy}\", but allowlist is empty; use \"DenyAll\" policy instead"
            )),
            ("Allowlist", Some(list)) => check_entries(list),
            _ => Err(format!("unknown plugin policy: {}", quote(policy))),
        }
    }

    /// The program to run for `command`.
    ///
    /// # Errors
    /// The policy forbids it.
    pub fn permitted(&self, command: &str) -> Result<PathBuf, String> {
        match self.policy.as_str() {
            "" | "AllowAll" => Ok(command.into()),
            "DenyAll" => Err(format!("plugin {} not allowed: policy set to {}", quote(command), quote(&self.policy))),
            "Allowlist" => self.listed(command),
            other => Err(format!("unknown plugin policy {}", quote(other))),
        }
    }

    /// A program is on the list by its name, by its path, or because a name there leads to the same path.
    fn listed(&self, command: &str) -> Result<PathBuf, String> {
        let list = self.allowlist.as_deref().unwrap_or_default();
        let found = look_up(command);
        let path = found.as_ref().map_or_else(|_| PathBuf::from(command), Clone::clone);
        if list.iter().any(|entry| entry == command || Path::new(entry) == path) {
            return Ok(path);
        }
        let shown = quote(&path.to_string_lossy());
        let resolved = found.map_err(|why| {
            format!("plugin path {shown} cannot be resolved for credential plugin allowlist check: {why}")
        })?;
        let same_name = |entry: &&String| Path::new(entry).file_name() == path.file_name();
        let allowed = list.iter().filter(same_name).any(|entry| look_up(entry).is_ok_and(|path| path == resolved));
        if allowed {
            return Ok(resolved);
        }
        Err(format!("plugin path {shown} is not permitted by the credential plugin allowlist"))
    }
}

fn check_entries(list: &[String]) -> Result<(), String> {
    for (at, entry) in list.iter().enumerate() {
        if entry.is_empty() {
            return Err(format!("misconfigured credential plugin allowlist: empty allowlist entry #{}", at + 1));
        }
        let cleaned = clean(entry);
        if cleaned != *entry {
            return Err(format!("non-normalized file path: {} vs {}", quote(entry), quote(&cleaned)));
        }
    }
    Ok(())
}

/// A path without `.`, `..` and doubled slashes where that is possible (Go's `filepath.Clean`).
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".into(),
        (false, rest) => rest,
    }
}

/// Where a program is: a path as it is, a name in the folders of `PATH`.
fn look_up(program: &str) -> Result<PathBuf, String> {
    let missing = |why: &str| Err(format!("exec: {}: {why}", quote(program)));
    if program.contains('/') {
        let path = PathBuf::from(program);
        return if path.is_file() { Ok(path) } else { missing("no such file or directory") };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.map_or_else(|| missing("executable file not found in $PATH"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_checked() {
        let check = |policy: &str, list: Option<&[&str]>| {
            let allowlist = list.map(|list| list.iter().map(ToString::to_string).collect());
            PluginPolicy { policy: policy.into(), allowlist }.validate().err().unwrap_or_default()
        };
        assert_eq!(check("", None), "");
        assert_eq!(check("Allowlist", Some(&["a", "/b/c"])), "");
        assert!(check("AllowAll", Some(&[])).starts_with("misconfigured"));
        assert!(check("Allowlist", Some(&[])).ends_with("use \"DenyAll\" policy instead"));
        assert_eq!(check("Allowlist", Some(&["/a//b/../c"])), "non-normalized file path: \"/a//b/../c\" vs \"/a/c\"");
        assert_eq!(check("Odd", None), "unknown plugin policy: \"Odd\"");
    }
}
