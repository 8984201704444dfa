//! Plugins among the candidates: their names, and what their own programs for completion offer.

use std::collections::BTreeSet;

use super::directive::Directive;
use super::words::Answer;
use crate::cli::context::Context;
use crate::cli::plugin::{self, PREFIXES};

fn line(word: &str) -> String {
    format!("{word}\tThe command {word} is a plugin installed by the user")
}

/// The words that name plugins after the words `before`, of which all must be words of plugins.
fn next_words(names: &[Vec<String>], before: &[String]) -> BTreeSet<String> {
    let below = names.iter().filter(|name| name.len() > before.len() && name.starts_with(before));
    below.filter_map(|name| name.get(before.len()).cloned()).collect()
}

/// The first words of plugins, as candidates.
pub fn first_words(cx: &Context, typed: &str) -> Vec<String> {
    let words = next_words(&plugin::names(cx), &[]);
    words.iter().filter(|word| word.starts_with(typed)).map(|word| line(word)).collect()
}

/// Candidates behind the words of a plugin; nothing when the words name none.
pub fn candidates(cx: &Context, before: &[String], typed: &str) -> Option<Answer> {
    if before.first().is_some_and(|word| !word.starts_with('-')) {
        debug(cx, "Cleared global flags for plugin completion");
    }
    let names = plugin::names(cx);
    let depth = (1..=before.len()).rev().find(|depth| names.iter().any(|name| name.starts_with(&before[..*depth])))?;
    let (name, rest) = before.split_at(depth);
    let mut found = Vec::new();
    if rest.is_empty() {
        let words = next_words(&names, name);
        found.extend(words.iter().filter(|word| word.starts_with(typed)).map(|word| line(word)));
    }
    let own = own_candidates(cx, name, rest, typed);
    let (more, directive) = own.unwrap_or_else(|| (Vec::new(), Directive::DEFAULT));
    found.extend(more);
    Some((found, directive))
}

/// Says on the error stream what is tried; nobody is held up when that cannot be written.
fn debug(cx: &Context, text: &str) {
    cx.err_line(format!("[Debug] {text}")).ok();
}

/// What the plugin's program for completion prints: a candidate a line, perhaps `:BITS` in the last one.
fn own_candidates(cx: &Context, name: &[String], rest: &[String], typed: &str) -> Option<Answer> {
    let name = name.iter().map(|word| word.replace('-', "_")).collect::<Vec<_>>().join("-");
    debug(cx, &format!("About to look for: kubectl_complete-{name}"));
    let found = PREFIXES.iter().find_map(|prefix| cx.env.find_program(&format!("{prefix}_complete-{name}")));
    let Some(program) = found else {
        debug(cx, &format!("Plugin kubectl-{name} does not provide a matching completion executable"));
        return None;
    };
    let words: Vec<&str> = rest.iter().map(String::as_str).chain([typed]).collect();
    debug(cx, &format!("About to call: {} {}", program.display(), words.join(" ")));
    let mut command = std::process::Command::new(program);
    command.args(words).env_clear().envs(cx.env.iter());
    let output = command.stderr(std::process::Stdio::inherit()).output().ok()?;
    if !output.status.success() {
        return Some((Vec::new(), Directive::DEFAULT));
    }
    Some(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(text: &str) -> Answer {
    let mut lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let bits = lines.last().and_then(|last| last.strip_prefix(':')).and_then(|bits| bits.parse().ok());
    match bits {
        Some(bits) => {
            lines.pop();
            (lines, Directive::of_bits(bits))
        }
        None => (lines, Directive::DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_plugins_follow_each_other() {
        let names = [vec!["get".to_owned(), "all".to_owned()], vec!["foo".to_owned(), "bar".to_owned()]];
        let next = |before: &[&str]| {
            let before: Vec<String> = before.iter().map(ToString::to_string).collect();
            next_words(&names, &before).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(next(&[]), ["foo", "get"]);
        assert_eq!(next(&["foo"]), ["bar"]);
        assert!(next(&["foo", "bar"]).is_empty());
    }

    #[test]
    fn the_last_line_may_be_a_directive() {
        assert_eq!(parse("a\n\nb\n:4\n"), (vec!["a".to_owned(), "b".to_owned()], Directive::NO_FILES));
        assert_eq!(parse("a\n:x\n"), (vec!["a".to_owned(), ":x".to_owned()], Directive::DEFAULT));
    }
}
