//! Files of one volume that would lie on or below each other (`warningsForOverlappingVirtualPaths`).

use std::fmt;

use crate::kinds::rules::value::Fields;
use crate::object::Value;
use crate::object::go::quote;

/// The sources that a projected volume may have.
const SOURCES: &[&str] =
    &["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];

/// Where a file is put, and where it comes from, if that is worth saying.
#[derive(PartialEq)]
struct File {
    path: String,
    source: String,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.path))?;
        if self.source.is_empty() { Ok(()) } else { write!(f, " ({})", self.source) }
    }
}

/// The files of a source that lists them.
fn items(source: &Value, name: &str) -> Vec<File> {
    let file = |item: &Value| File { path: trimmed(item.text("path")), source: name.to_owned() };
    source.list("items").iter().map(file).collect()
}

fn trimmed(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

/// Pairs of files of which one lies on or below the other, the later one first.
fn overlaps(files: &[File]) -> Vec<String> {
    let below = |one: &File, other: &File| format!("{}/", one.path).starts_with(&format!("{}/", other.path));
    let mut out = Vec::new();
    for (i, file) in files.iter().enumerate().filter(|(_, file)| !file.path.is_empty()) {
        let earlier = files.iter().take(i).filter(|other| !other.path.is_empty());
        out.extend(
            earlier.filter(|other| below(file, other) || below(other, file)).map(|o| format!("{file} with {o}")),
        );
    }
    out
}

/// The files of one source of a projected volume.
fn projected(source: &Value) -> Vec<File> {
    let one = |path: &str, source: &str| File { path: trimmed(path), source: source.to_owned() };
    let listed = [
        ("configMap", format!("ConfigMap {}", quote(source.at("configMap").text("name")))),
        ("secret", format!("Secret {}", quote(source.at("secret").text("name")))),
        ("downwardAPI", "DownwardAPI".to_owned()),
    ];
    if let Some((field, name)) = listed.iter().find(|(field, _)| source.at(field).has("items")) {
        return items(source.at(field), name);
    }
    if let Some(token) = source.some("serviceAccountToken") {
        return vec![one(token.text("path"), "ServiceAccountToken")];
    }
    if let Some(bundle) = source.some("clusterTrustBundle") {
        let name = bundle.opt_text("name").unwrap_or_else(|| bundle.text("signerName"));
        return vec![one(bundle.text("path"), &format!("ClusterTrustBundle {}", quote(name)))];
    }
    let certificate = source.at("podCertificate");
    let files = [
        ("certificateChainPath", "PodCertificate chain"),
        ("keyPath", "PodCertificate key"),
        ("credentialBundlePath", "PodCertificate credential bundle"),
    ];
    let named = files.iter().filter(|(field, _)| !certificate.text(field).is_empty());
    named.map(|(field, name)| one(certificate.text(field), name)).collect()
}

/// Warnings of the volumes of a pod spec.
pub fn warnings(out: &mut Vec<String>, spec: &Value) {
    for volume in spec.list("volumes") {
        let name = quote(volume.text("name"));
        let plain = [
            ("configMap", format!("ConfigMap {}", quote(volume.at("configMap").text("name")))),
            ("secret", format!("Secret {}", quote(volume.at("secret").text("secretName")))),
            ("downwardAPI", "DownwardAPI".to_owned()),
        ];
        for (field, what) in &plain {
            let found = overlaps(&items(volume.at(field), ""));
            out.extend(found.iter().map(|pair| format!("volume {name} ({what}): overlapping paths: {pair}")));
        }
        let mut files = Vec::new();
        let sources = volume.at("projected").list("sources");
        for source in sources {
            if SOURCES.iter().any(|field| source.has(field)) {
                files.extend(projected(source));
            } else {
                out.push(format!("volume {name} (Projected) has no sources provided"));
            }
        }
        let found = overlaps(&files);
        out.extend(found.iter().map(|pair| format!("volume {name} (Projected): overlapping paths: {pair}")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(volume: Value) -> Vec<String> {
        let mut out = Vec::new();
        warnings(&mut out, &json!({"volumes": [volume]}));
        out
    }

    #[test]
    fn files_of_several_sources_are_held_against_each_other() {
        let found = of(json!({"name": "foo", "projected": {"sources": [
            {"serviceAccountToken": {"path": "test/test2"}},
            {"downwardAPI": {"items": [{"path": "test"}]}},
            {},
        ]}}));
        let expected = [
            "volume \"foo\" (Projected) has no sources provided",
            "volume \"foo\" (Projected): overlapping paths: \"test\" (DownwardAPI) with \"test/test2\" (ServiceAccountToken)",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_that_only_begin_alike_do_not_overlap() {
        assert!(of(json!({"name": "a", "secret": {"items": [{"path": "ab"}, {"path": "a"}]}})).is_empty());
        let found = of(json!({"name": "a", "configMap": {"name": "c", "items": [{"path": "a/"}, {"path": "a/b"}]}}));
        assert_eq!(found, ["volume \"a\" (ConfigMap \"c\"): overlapping paths: \"a/b\" with \"a\""]);
    }
}
