//! What preferences make of a command line: aliases become their commands, flags that are not there get defaults.

use clap::Command;

use super::preference::{Alias, Flag, Preference};
use super::refused;
use crate::cli::args::GlobalArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::{self, Verb};
use crate::cli::{Found, VERBS, find, pflag};
use crate::object::go::quote;

/// The command that the words name by an alias, with the alias's words and flags in them.
///
/// # Errors
/// An alias of a command that does not exist, or with flags that it does not take.
pub fn alias(cx: &Context, preference: &Preference, words: &[String]) -> Result<Option<Found>> {
    let Some(at) = words.iter().position(|word| !word.starts_with('-')) else { return Ok(None) };
    let (before, after) = (&words[..at], &words[at + 1..]);
    let Some(alias) = preference.aliases.iter().flatten().find(|alias| alias.name == words[at]) else {
        return Ok(None);
    };
    if verb::find(VERBS, &alias.name).is_some() {
        let name = quote(&alias.name);
        cx.err_line(format!("Warning: Setting alias {name} to a built-in command is not supported"))?;
        return Ok(None);
    }
    let verb = verb_of(&alias.command).ok_or_else(|| {
        let (command, name) = (quote(&alias.command), quote(&alias.name));
        let words: Vec<&str> = alias.command.split_whitespace().collect();
        refused(Error::new(format!("command {command} not found to set alias {name}: [{}]", words.join(" "))))
    })?;
    let command = GlobalArgs::augmented((verb.build)());
    let flags = alias_flags(cx, alias, &command, words).map_err(refused)?;
    let list = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
    let words = [flags, before.to_vec(), list(&alias.prepend_args), after.to_vec(), list(&alias.append_args)].concat();
    if !verb.children.is_empty() {
        // The verbs below keep their own names.
        let command = alias.command.split_whitespace().map(str::to_owned).collect();
        return Ok(find(&cx.program.name, &[command, words].concat()).ok().flatten());
    }
    Ok(Some(Found { verb, path: format!("{} {}", cx.program.name, alias.name), words, alias: true }))
}

fn alias_flags(cx: &Context, alias: &Alias, command: &Command, words: &[String]) -> Result<Vec<String>> {
    let program = &cx.program.name;
    let mut set = Vec::new();
    for flag in alias.options.iter().flatten() {
        let Flag { name, default } = flag;
        let unknown = || Error::new(format!("invalid alias flag {name} in alias {program}"));
        let Some(word) = default_word(command, flag, words, unknown)? else { continue };
        let word = word.map_err(|why| {
            Error::new(format!("could not apply value {default} to flag {name} in alias {program} err: {why}"))
        })?;
        set.push(word);
    }
    Ok(set)
}

/// Gives the command the defaults of its flags; the last word of its name counts.
///
/// # Errors
/// Defaults of an alias, flags that the command does not take, and values that a flag does not take.
pub fn defaults(cx: &Context, preference: &Preference, found: &mut Found) -> Result<()> {
    let name = if found.alias { found.path.rsplit(' ').next().unwrap_or_default() } else { found.verb.name };
    let command = GlobalArgs::augmented((found.verb.build)());
    let given = found.words.clone();
    for defaults in preference.defaults.iter().flatten() {
        let own = defaults.command.split_whitespace().next() == Some(name);
        if found.alias && own {
            return Err(refused(Error::new(format!("alias {name} can not be overridden"))));
        }
        let Some(verb) = verb_of(&defaults.command) else {
            if !defaults.command.trim().is_empty() {
                let command = quote(&defaults.command);
                cx.err_line(format!("Warning: command {command} not found to set kuberc override"))?;
            }
            continue;
        };
        if verb.name != name {
            continue;
        }
        let of = &defaults.command;
        for flag in defaults.options.iter().flatten() {
            let Flag { name, default } = flag;
            let unknown = || Error::new(format!("invalid flag {name} for command {of}"));
            let Some(word) = default_word(&command, flag, &given, unknown).map_err(refused)? else { continue };
            let word = word.map_err(|why| {
                let text =
                    format!("could not apply override value {default} to flag {name} in command {of} err: {why}");
                refused(Error::new(text))
            })?;
            found.words.insert(0, word);
        }
    }
    Ok(())
}

/// The verb that a command's words name, going down as far as they name verbs.
fn verb_of(command: &str) -> Option<&'static Verb> {
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    find("", &words).ok().flatten().map(|found| found.verb)
}

/// The word that sets a flag to its default, or why its value is refused; nothing when the user's words set the flag.
///
/// # Errors
/// `unknown()` for a flag that the command does not have.
fn default_word(
    command: &Command,
    flag: &Flag,
    words: &[String],
    unknown: impl FnOnce() -> Error,
) -> Result<Option<std::result::Result<String, pflag::FlagError>>> {
    let arg = Some(&flag.name).filter(|name| name.len() > 1).and_then(|name| pflag::flag(command, name));
    let Some(arg) = arg else { return Err(unknown()) };
    if is_given(arg.get_long().unwrap_or_default(), arg.get_short(), words) {
        return Ok(None);
    }
    let word = format!("--{}={}", flag.name, flag.default);
    Ok(Some(pflag::partial(command, std::slice::from_ref(&word)).map(|_| word)))
}

/// Whether words set a flag: `--name`, `--name=…`, `-n…`, or its letter in a group of letters.
fn is_given(long: &str, short: Option<char>, words: &[String]) -> bool {
    words.iter().any(|word| {
        if let Some(name) = word.strip_prefix("--") {
            return name == long || name.strip_prefix(long).is_some_and(|rest| rest.starts_with('='));
        }
        let Some((letters, short)) = word.strip_prefix('-').zip(short) else { return false };
        let group = !letters.is_empty() && letters.chars().all(|c| c.is_ascii_alphabetic());
        letters.starts_with(short) || (group && letters.contains(short))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_in_all_their_forms() {
        let given = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            is_given("output", Some('o'), &words)
        };
        for words in ["--output json", "get --output=json", "-o json", "-ojson", "-Ao"] {
            assert!(given(words), "{words}");
        }
        for words in ["get pods", "--outputs=x", "o", "-n x", "-n=o", "--no"] {
            assert!(!given(words), "{words}");
        }
    }

    #[test]
    fn commands_go_down_as_far_as_words_name_verbs() {
        let name = |command: &str| verb_of(command).map(|verb| verb.name);
        assert_eq!(name("set env"), Some("env"));
        assert_eq!(name("get nodes"), Some("get"));
        assert_eq!(name("nosuch"), None);
        assert_eq!(name(""), None);
    }
}
