//! Holds every `use crate::…` (and every other `crate::` path) in `src/` against the table of layers in
//! `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A row of the table: the module and the modules that it may use.
type Layers = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads the rows `` | `module/` | holds | may use | `` of the page.
fn layers() -> Layers {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let rows: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
            let module = cells.first()?.strip_prefix('`')?.strip_suffix("/`")?;
            (cells.len() == 3).then(|| (module.to_owned(), cells[2].to_owned()))
        })
        .collect();
    let all: BTreeSet<String> = rows.iter().map(|(module, _)| module.clone()).collect();
    rows.into_iter().map(|(module, may)| (module.clone(), allowed(&all, &module, &may))).collect()
}

fn allowed(all: &BTreeSet<String>, module: &str, may: &str) -> BTreeSet<String> {
    let mut allowed: BTreeSet<String> = if may.starts_with("all") {
        let except: Vec<&str> = may.split("but").nth(1).unwrap_or_default().split(',').map(str::trim).collect();
        all.iter().filter(|m| !except.contains(&m.as_str())).cloned().collect()
    } else {
        all.iter()
            .filter(|m| may.split(|c: char| !c.is_alphanumeric()).any(|word| word == m.as_str()))
            .cloned()
            .collect()
    };
    allowed.insert(module.to_owned());
    // The pure modules below are open to every layer that is not pure itself.
    if !may.contains("pure") {
        allowed.extend(["object", "expressions", "manifest", "kinds", "patch", "output"].map(str::to_owned));
    }
    allowed
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The modules named after `crate::` in a file, comments left out, with the line.
fn used(text: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for rest in code.split("crate::").skip(1) {
            let names = rest.strip_prefix('{').map_or(rest, |group| group.split('}').next().unwrap_or_default());
            let first = |name: &str| -> String {
                name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            if rest.starts_with('{') {
                used.extend(names.split(',').map(|name| (number + 1, first(name))));
            } else {
                used.push((number + 1, first(names)));
            }
        }
    }
    used
}

#[test]
fn modules_use_only_their_layers() {
    let layers = layers();
    assert!(layers.len() >= 14, "the table of layers was not read: {layers:?}");
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let relative = path.strip_prefix(root().join("src")).expect("below src").to_owned();
        let module = relative.components().next().expect("a first part").as_os_str().to_string_lossy().into_owned();
        let Some(allowed) = layers.get(&module) else { continue };
        let text = fs::read_to_string(&path).expect("readable");
        for (line, name) in used(&text).into_iter().filter(|(_, name)| layers.contains_key(name)) {
            if !allowed.contains(&name) {
                wrong.push(format!("src/{}:{line}: {module} may not use {name}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
