//! Flags as kubectl's users know them: the rules of Go's `pflag` over clap's description of the arguments.
//!
//! Clap knows which flags there are, what they take and how they are stored; this module reads the words by pflag's
//! rules (flags anywhere, `-ojson`, `-o=json`, `--bool=false`, optional values only after `=`, `_` for `-`), answers
//! misuse in pflag's words, and hands clap one canonical form: `--flag=value … -- words…`.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};

use super::args::{GlobalArgs, GoDuration, StringMap};
use super::error::Error;
use crate::object::go::quote;

/// What the words of a command line amount to.
#[derive(Debug)]
pub enum Parsed {
    /// Arguments for the verb.
    Matches {
        /// Clap's result.
        matches: Box<ArgMatches>,
        /// How many words stood before `--`, where there was one.
        dash_at: Option<usize>,
    },
    /// The user asked for help.
    Help,
}

/// Why the words do not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FlagError(String);

/// The words that a clap command understands, by pflag's rules.
struct Flags<'a> {
    long: BTreeMap<&'a str, &'a Arg>,
    short: BTreeMap<char, &'a Arg>,
}

impl<'a> Flags<'a> {
    fn of(command: &'a Command) -> Self {
        let mut flags = Self { long: BTreeMap::new(), short: BTreeMap::new() };
        for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
            for name in arg.get_long().into_iter().chain(arg.get_all_aliases().into_iter().flatten()) {
                flags.long.insert(name, arg);
            }
            if let Some(short) = arg.get_short() {
                flags.short.insert(short, arg);
            }
        }
        flags
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.long.get(name).or_else(|| self.long.get(name.replace('_', "-").as_str())).copied()
    }
}

/// Whether the flag may stand without a value.
pub fn optional_value(arg: &Arg) -> bool {
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count => true,
        _ => arg.get_num_args().is_some_and(|range| range.min_values() == 0),
    }
}

fn display_name(arg: &Arg) -> String {
    let long = arg.get_long().unwrap_or_default();
    arg.get_short().map_or_else(|| format!("--{long}"), |short| format!("-{short}, --{long}"))
}

/// A boolean as Go writes it, or `None`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Checks a value by the type that the flag is stored as; gives the form that clap reads.
fn check(arg: &Arg, value: &str) -> Result<String, String> {
    let is = |id: TypeId| arg.get_value_parser().type_id() == id;
    let refused = |call: &str, why: &str| Err(format!("strconv.{call}: parsing {}: {why}", quote(value)));
    if matches!(arg.get_action(), ArgAction::SetTrue) || is(TypeId::of::<bool>()) {
        return parse_bool(value).map_or_else(|| refused("ParseBool", "invalid syntax"), |b| Ok(b.to_string()));
    }
    let (min, max) = if is(TypeId::of::<i32>()) {
        (i64::from(i32::MIN), i64::from(i32::MAX))
    } else if is(TypeId::of::<i64>()) {
        (i64::MIN, i64::MAX)
    } else if is(TypeId::of::<StringMap>()) {
        return value.parse::<StringMap>().map(|_| value.to_owned());
    } else if is(TypeId::of::<GoDuration>()) {
        return value.parse::<GoDuration>().map(|_| value.to_owned()).map_err(|error| error.to_string());
    } else {
        return Ok(value.to_owned());
    };
    match value.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
        Ok(_) => refused("ParseInt", "value out of range"),
        Err(error)
            if matches!(error.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow) =>
        {
            refused("ParseInt", "value out of range")
        }
        Err(_) => refused("ParseInt", "invalid syntax"),
    }
}

/// The canonical words so far.
#[derive(Default)]
struct Canonical {
    flags: Vec<String>,
    switches: BTreeMap<String, bool>,
    seen: Vec<clap::Id>,
    words: Vec<String>,
    dash_at: Option<usize>,
}

impl Canonical {
    fn set(&mut self, arg: &Arg, value: Option<&str>) -> Result<(), FlagError> {
        self.seen.push(arg.get_id().clone());
        let long = arg.get_long().unwrap_or_default();
        let Some(value) = value else {
            match arg.get_action() {
                ArgAction::SetTrue | ArgAction::SetFalse => {
                    self.switches.insert(long.to_owned(), true);
                }
                _ => self.flags.push(format!("--{long}")),
            }
            return Ok(());
        };
        if value.is_empty() && arg.get_value_delimiter().is_some() {
            // An empty list, not a list of one empty item.
            return Ok(());
        }
        let value = check(arg, value).map_err(|why| {
            FlagError(format!("invalid argument {} for {} flag: {why}", quote(value), quote(&display_name(arg))))
        })?;
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            self.switches.insert(long.to_owned(), value == "true");
        } else {
            self.flags.push(format!("--{long}={value}"));
        }
        Ok(())
    }

    fn into_words(self, name: &str) -> Vec<OsString> {
        let mut all = vec![name.to_owned()];
        all.extend(self.flags);
        all.extend(self.switches.into_iter().filter(|(_, on)| *on).map(|(long, _)| format!("--{long}")));
        all.push("--".into());
        all.extend(self.words);
        all.into_iter().map(OsString::from).collect()
    }
}

/// Parses the words after a verb. `path` is the verb as typed, such as `kubectl get`.
///
/// # Errors
/// An unknown flag, a missing or bad value, a required flag that is not there.
pub fn parse(command: Command, path: &str, words: &[String]) -> Result<Parsed, Error> {
    let command =
        command.disable_help_flag(true).disable_version_flag(true).args_override_self(true).no_binary_name(false);
    let see = |error: FlagError| Error::new(format!("{error}\nSee '{path} --help' for usage."));
    let Some(canonical) = read(&Flags::of(&command), words).map_err(see)? else { return Ok(Parsed::Help) };
    let mut missing: Vec<String> = command
        .get_arguments()
        .filter(|arg| arg.is_required_set() && !arg.is_positional() && !canonical.seen.contains(arg.get_id()))
        .filter_map(|arg| arg.get_long().map(quote))
        .collect();
    if !missing.is_empty() {
        missing.sort();
        return Err(Error::new(format!("required flag(s) {} not set", missing.join(", "))));
    }
    let dash_at = canonical.dash_at;
    let matches = command.try_get_matches_from(canonical.into_words(path)).map_err(|error| from_clap(&error, path))?;
    Ok(Parsed::Matches { matches: Box::new(matches), dash_at })
}

/// What the words of an unfinished command line amount to.
#[derive(Debug)]
pub struct Partial {
    /// Words that are neither flags nor their values.
    pub words: Vec<String>,
    /// The flags of every verb.
    pub globals: GlobalArgs,
    /// Whether `--` has been typed.
    pub after_dashes: bool,
    seen: Vec<clap::Id>,
}

impl Partial {
    /// Whether the flag has been typed.
    pub fn has(&self, arg: &Arg) -> bool {
        self.seen.contains(arg.get_id())
    }
}

/// Reads the words of a command line that is still being typed: nothing needs to be there yet. `None` when help is
/// asked for.
///
/// # Errors
/// An unknown flag, a missing or bad value.
pub fn partial(command: &Command, words: &[String]) -> Result<Option<Partial>, FlagError> {
    let Some(canonical) = read(&Flags::of(command), words)? else { return Ok(None) };
    let global = GlobalArgs::augment_args(Command::new("globals")).disable_help_flag(true).args_override_self(true);
    let known: Vec<&str> = global.get_arguments().filter_map(Arg::get_long).collect();
    let Canonical { mut flags, switches, seen, words, dash_at } = canonical;
    flags.extend(switches.into_iter().filter(|(_, on)| *on).map(|(long, _)| format!("--{long}")));
    flags.retain(|flag| known.contains(&flag.trim_start_matches("--").split('=').next().unwrap_or_default()));
    flags.insert(0, "globals".into());
    let globals = global.clone().try_get_matches_from(flags).and_then(|matches| GlobalArgs::from_arg_matches(&matches));
    let globals = globals.map_err(|error| FlagError(error.to_string()))?;
    Ok(Some(Partial { words, globals, after_dashes: dash_at.is_some(), seen }))
}

/// The flag of that name, long or of one letter.
pub fn flag<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let flags = Flags::of(command);
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => flags.short.get(&letter).copied().or_else(|| flags.long(name)),
        _ => flags.long(name),
    }
}

/// Reads all words; `None` when help is asked for.
fn read(flags: &Flags<'_>, words: &[String]) -> Result<Option<Canonical>, FlagError> {
    let mut canonical = Canonical::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            canonical.dash_at = Some(canonical.words.len());
            canonical.words.extend(words.cloned());
            break;
        }
        let more = if let Some(long) = word.strip_prefix("--") {
            read_long(flags, &mut canonical, long, &mut words)?
        } else if word.len() > 1 && word.starts_with('-') {
            read_short(flags, &mut canonical, &word[1..], &mut words)?
        } else {
            canonical.words.push(word.clone());
            true
        };
        if !more {
            return Ok(None);
        }
    }
    Ok(Some(canonical))
}

/// One `--flag`; false when it asks for help.
fn read_long<'w>(
    flags: &Flags<'_>,
    canonical: &mut Canonical,
    long: &str,
    rest: &mut impl Iterator<Item = &'w String>,
) -> Result<bool, FlagError> {
    if long.starts_with(['-', '=']) {
        return Err(FlagError(format!("bad flag syntax: --{long}")));
    }
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    let Some(arg) = flags.long(name) else {
        if name == "help" {
            return Ok(false);
        }
        return Err(FlagError(format!("unknown flag: --{name}")));
    };
    if value.is_some() || optional_value(arg) {
        canonical.set(arg, value)?;
    } else if let Some(next) = rest.next() {
        canonical.set(arg, Some(next))?;
    } else {
        return Err(FlagError(format!("flag needs an argument: --{name}")));
    }
    Ok(true)
}

/// A group of short flags; false when one asks for help.
fn read_short<'w>(
    flags: &Flags<'_>,
    canonical: &mut Canonical,
    group: &str,
    rest: &mut impl Iterator<Item = &'w String>,
) -> Result<bool, FlagError> {
    let mut left = group;
    while let Some(letter) = left.chars().next() {
        let after = &left[letter.len_utf8()..];
        let Some(arg) = flags.short.get(&letter) else {
            if letter == 'h' {
                return Ok(false);
            }
            return Err(FlagError(format!("unknown shorthand flag: '{letter}' in -{left}")));
        };
        // `-n=` is the value "=", `-n=x` the value "x".
        if let Some(value) = after.strip_prefix('=').filter(|value| !value.is_empty()) {
            canonical.set(arg, Some(value))?;
            return Ok(true);
        }
        if optional_value(arg) {
            canonical.set(arg, None)?;
            left = after;
            continue;
        }
        let value = if !after.is_empty() {
            after
        } else if let Some(next) = rest.next() {
            next
        } else {
            return Err(FlagError(format!("flag needs an argument: '{letter}' in -{left}")));
        };
        canonical.set(arg, Some(value))?;
        return Ok(true);
    }
    Ok(true)
}

/// Whether a flag word takes the next word as its value, as far as `command` knows the flag; unknown flags do.
pub fn takes_next(command: &Command, word: &str) -> bool {
    if word.contains('=') {
        return false;
    }
    let flags = Flags::of(command);
    if let Some(name) = word.strip_prefix("--") {
        return !flags.long(name).is_some_and(optional_value);
    }
    let mut letters = word.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some(letter), None) => !flags.short.get(&letter).is_some_and(|arg| optional_value(arg)),
        _ => false,
    }
}

/// Clap's own refusal, for what pflag's rules leave to it, in one line.
pub fn from_clap(error: &clap::Error, path: &str) -> Error {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    Error::new(format!("{first}\nSee '{path} --help' for usage."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Args {
        #[arg(short, long)]
        output: Option<String>,
        #[arg(short, long)]
        all: bool,
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "unchanged")]
        dry_run: Option<String>,
        #[arg(short, long, default_value_t = 0)]
        port: i32,
        words: Vec<String>,
    }

    fn parsed(words: &[&str]) -> Result<Args, String> {
        use clap::{CommandFactory, FromArgMatches};
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        match parse(Args::command(), "kubectl x", &words) {
            Ok(Parsed::Matches { matches, .. }) => Args::from_arg_matches(&matches).map_err(|e| e.to_string()),
            Ok(Parsed::Help) => Err("help".into()),
            Err(error) => Err(error.text().lines().next().unwrap_or_default().to_owned()),
        }
    }

    #[test]
    fn forms_of_values() {
        for words in [&["-ojson", "a"][..], &["a", "-o=json"], &["-o", "json", "a"], &["--output", "json", "a"]] {
            let args = parsed(words).expect("a form of pflag");
            assert_eq!((args.output.as_deref(), args.words), (Some("json"), vec!["a".to_owned()]), "{words:?}");
        }
        assert_eq!(parsed(&["-o="]).map(|args| args.output), Ok(Some("=".into())));
        let args = parsed(&["-a", "--all=false", "--dry-run", "server"]).expect("switches");
        assert!(!args.all);
        assert_eq!((args.dry_run.as_deref(), args.words), (Some("unchanged"), vec!["server".to_owned()]));
        assert_eq!(parsed(&["--port=3", "-p4"]).map(|args| args.port), Ok(4));
        assert_eq!(parsed(&["--dry_run=client"]).map(|args| args.dry_run), Ok(Some("client".into())));
    }

    #[test]
    fn refusals_are_pflags() {
        let refusal = |words: &[&str]| parsed(words).err().unwrap_or_default();
        assert_eq!(refusal(&["--nosuch"]), "unknown flag: --nosuch");
        assert_eq!(refusal(&["-aQ"]), "unknown shorthand flag: 'Q' in -Q");
        assert_eq!(refusal(&["--output"]), "flag needs an argument: --output");
        assert_eq!(refusal(&["-o"]), "flag needs an argument: 'o' in -o");
        assert_eq!(
            refusal(&["--port=abc"]),
            "invalid argument \"abc\" for \"-p, --port\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax"
        );
        assert_eq!(refusal(&["-ah"]), "help");
    }
}
