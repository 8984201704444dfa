//! The two sides of a copy, and paths as each side has them.

use crate::cli::error::{Error, Result};
use crate::object::go::clean_path;

/// A file here, or in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The pod; empty for a file of this machine.
    pub pod: String,
    /// Its namespace; empty for the command's.
    pub namespace: String,
    /// The path.
    pub file: String,
}

impl Spec {
    /// Reads `[[NAMESPACE/]POD:]FILE`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::new("filespec must match the canonical format: [[namespace/]pod:]file/path");
        let Some((pod, file)) = text.split_once(':') else {
            return Ok(Self { pod: String::new(), namespace: String::new(), file: strip_trailing_slash(text).into() });
        };
        if pod.is_empty() {
            return Err(wrong());
        }
        let (namespace, pod) = match pod.split('/').collect::<Vec<_>>().as_slice() {
            [pod] => ("", *pod),
            [namespace, pod] => (*namespace, *pod),
            _ => return Err(wrong()),
        };
        Ok(Self { pod: pod.into(), namespace: namespace.into(), file: remote(file) })
    }
}

/// The path without one slash at its end.
pub fn strip_trailing_slash(path: &str) -> &str {
    if path == "/" { path } else { path.strip_suffix('/').unwrap_or(path) }
}

/// A path in a container: containers have slashes whatever this machine has.
pub fn remote(path: &str) -> String {
    strip_trailing_slash(path).replace('\\', "/")
}

/// Two paths as one, cleaned.
pub fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean_path(b),
        (false, true) => clean_path(a),
        (false, false) => clean_path(&format!("{a}/{b}")),
    }
}

/// The folder that a path is in.
pub fn dir(path: &str) -> String {
    match path.rfind('/') {
        None => ".".into(),
        Some(at) => clean_path(&path[..=at]),
    }
}

/// The last part of a path.
pub fn base(path: &str) -> String {
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("") if path.is_empty() => ".".into(),
        None | Some("") => "/".into(),
        Some(base) => base.into(),
    }
}

/// A path without `../` at its beginning, so that it stays where it is put.
pub fn strip_shortcuts(path: &str) -> &str {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("../") {
        path = rest;
    }
    if matches!(path, "." | "..") {
        return "";
    }
    path.strip_prefix('/').unwrap_or(path)
}

/// Whether a path lies in a folder, by their texts.
pub fn is_within(folder: &str, path: &str) -> bool {
    let (folder, path) = (clean_path(folder), clean_path(path));
    if folder == "." {
        return !path.starts_with('/') && path != ".." && !path.starts_with("../");
    }
    let prefix = if folder == "/" { folder.clone() } else { format!("{folder}/") };
    path == folder || path.strip_prefix(&prefix).is_some_and(|rest| rest != ".." && !rest.starts_with("../"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        let spec = |text: &str| Spec::parse(text).map(|spec| (spec.namespace, spec.pod, spec.file)).ok();
        let expected = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(spec("a/b/"), expected("", "", "a/b"));
        assert_eq!(spec("pod:/tmp/x/"), expected("", "pod", "/tmp/x"));
        assert_eq!(spec("ns/pod:x\\y"), expected("ns", "pod", "x/y"));
        assert_eq!(spec(":x"), None);
        assert_eq!(spec("a/b/c:x"), None);
    }

    #[test]
    fn paths() {
        assert_eq!((dir("/tmp/x"), dir("x"), dir("/x")), ("/tmp".into(), ".".into(), "/".into()));
        assert_eq!((base("/tmp/x/"), base("/"), base("")), ("x".into(), "/".into(), ".".into()));
        assert_eq!(join("a", "../../b"), "../b");
        assert_eq!(strip_shortcuts("../../etc/passwd"), "etc/passwd");
        assert_eq!(strip_shortcuts(".."), "");
    }

    #[test]
    fn members_may_not_leave_their_folder() {
        for (folder, path, within) in [
            ("out", "out/a", true),
            ("out", "out", true),
            ("out", "outside", false),
            ("out", "out/../a", false),
            (".", "a", true),
            (".", "../a", false),
            ("/", "/a", true),
            ("../x", "../x/y", true),
            ("../x", "../y", false),
        ] {
            assert_eq!(is_within(folder, path), within, "{path} in {folder}");
        }
    }
}
