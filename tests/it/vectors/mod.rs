//! Runs recorded inputs through the pure engines: every set found in the folder that `KNARR_VECTORS` names, else the
//! smaller files in `tests/vectors/`. Prints one line per set, `set: passed/total`, and the ids of failures.
//!
//! One file per engine registers its sets in [`SETS`]: a set is a function from a case to `Ok(())` or what differs.

mod columns;
mod describe;
mod manifest;
mod object;
mod output;
mod patch;
mod rules;
mod server_side_apply;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One set: the name of its file without `.jsonl`, the share of cases that must pass (in percent), and the check.
pub struct Set {
    /// File name without ending.
    pub name: &'static str,
    /// Percentage that must pass.
    pub at_least: f64,
    /// Ids of cases that are known to differ, each with the reason.
    pub known: &'static [(&'static str, &'static str)],
    /// Checks one case; the error says what differs.
    pub check: fn(&Value) -> Result<(), String>,
}

/// All sets, from one slice per engine.
const SETS: &[&[Set]] = &[
    columns::SETS,
    describe::SETS,
    manifest::SETS,
    object::SETS,
    output::SETS,
    patch::SETS,
    server_side_apply::SETS,
    rules::SETS,
];

fn folder() -> PathBuf {
    match std::env::var_os("KNARR_VECTORS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
    }
}

/// Compares two values and words the difference.
pub fn same<T: PartialEq + std::fmt::Debug>(got: &T, want: &T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("got  {got:?}\n      want {want:?}")) }
}

fn run(set: &Set, text: &str) -> Result<(), String> {
    let verbose = std::env::var_os("KNARR_VECTORS_VERBOSE").is_some();
    let only = std::env::var("KNARR_VECTORS_CASE").ok();
    let (mut total, mut failed) = (0, Vec::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", set.name, number + 1))?;
        let id = case["id"].as_str().map_or_else(|| case["id"].to_string(), str::to_owned);
        if only.as_ref().is_some_and(|only| *only != id) {
            continue;
        }
        total += 1;
        let outcome = std::panic::catch_unwind(|| (set.check)(&case)).unwrap_or_else(|_| Err("panicked".into()));
        if let Err(why) = outcome {
            if verbose {
                println!("--- {} {id}\n      {why}", set.name);
            }
            failed.push(id);
        }
    }
    println!(
        "{}: {}/{total}{}",
        set.name,
        total - failed.len(),
        if failed.is_empty() { String::new() } else { format!(" failed: {}", failed.join(" ")) }
    );
    let unexpected = failed.iter().filter(|id| !set.known.iter().any(|(known, _)| known == id)).count();
    let share = if total == 0 { 100.0 } else { 100.0 * (total - unexpected) as f64 / total as f64 };
    if share < set.at_least {
        Err(format!("{}: {share:.1}% passed, {}% needed", set.name, set.at_least))
    } else {
        Ok(())
    }
}

/// `KNARR_VECTORS_SET` runs one set, `KNARR_VECTORS_CASE` one case, `KNARR_VECTORS_VERBOSE` shows what differs.
#[test]
fn vectors() {
    let only = std::env::var("KNARR_VECTORS_SET").ok();
    let mut short = Vec::new();
    for set in SETS.iter().copied().flatten().filter(|s| only.as_ref().is_none_or(|only| only == s.name)) {
        let path = folder().join(format!("{}.jsonl", set.name));
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("{}: no file {}", set.name, path.display());
            continue;
        };
        short.extend(run(set, &text).err());
    }
    assert!(short.is_empty(), "{}", short.join("\n"));
}
