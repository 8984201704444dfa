//! What a verb is to the dispatcher: a name, clap's description of its arguments, and a function to run.

use std::future::Future;
use std::pin::Pin;

use clap::{ArgMatches, Command, Parser};

use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};

/// Headings under which the program's help lists its verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// For a first day.
    Basic,
    /// For every day.
    Intermediate,
    /// Roll-outs and scaling.
    Deploy,
    /// Clusters themselves.
    Cluster,
    /// Looking into what runs.
    Troubleshooting,
    /// Apply, patch, diff.
    Advanced,
    /// Settings of this program.
    Settings,
    /// Everything else.
    Other,
}

/// The arguments of a verb, and what it does with them.
pub trait Run: Parser {
    /// Runs the verb.
    fn run(self, cx: &Context) -> impl Future<Output = Result<()>>;
}

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A verb, or a family of verbs below one word.
pub struct Verb {
    /// The word.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// Heading in the program's help.
    pub group: Group,
    /// Not listed in help.
    pub hidden: bool,
    /// Verbs below it.
    pub children: &'static [Verb],
    /// Words that people type when they mean this verb.
    pub suggest_for: &'static [&'static str],
    /// What its words are, for completion.
    pub words: Words,
    /// Clap's description: flags, help.
    pub build: fn() -> Command,
    /// Runs it; `None` for a mere family.
    pub run: Option<fn(ArgMatches, &Context) -> RunFuture<'_>>,
    /// Exit code when its flags are misused: 1, but for verbs to which that means something else.
    pub misuse: u8,
}

impl Verb {
    /// A verb with arguments `A`.
    pub const fn of<A: Run + 'static>(name: &'static str, group: Group) -> Self {
        Self {
            name,
            aliases: &[],
            group,
            hidden: false,
            children: &[],
            suggest_for: &[],
            words: Words::Any,
            build: A::command,
            run: Some(run::<A>),
            misuse: 1,
        }
    }

    /// The same verb with an exit code of its own for misuse.
    pub const fn misuse_code(mut self, code: u8) -> Self {
        self.misuse = code;
        self
    }

    /// The failure to read its flags; verbs with an exit code of their own also have kubectl's other ending.
    pub fn misused(&self, path: &str, error: Error) -> Error {
        if self.misuse == 1 {
            return error;
        }
        let text = error.text();
        let fact = text.split_once("\nSee '").map_or(text.as_str(), |(fact, _)| fact);
        Error::usage(path, fact).with_code(self.misuse)
    }

    /// A family of verbs; `A` carries its help. By itself it prints the help and fails.
    pub const fn family<A: Parser>(name: &'static str, group: Group, children: &'static [Self]) -> Self {
        let (aliases, suggest_for, words) = (&[], &[], Words::Any);
        Self {
            name,
            aliases,
            group,
            hidden: false,
            children,
            suggest_for,
            words,
            build: A::command,
            run: None,
            misuse: 1,
        }
    }

    /// The verb with other words for it.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The verb with verbs below it.
    #[must_use]
    pub const fn children(mut self, children: &'static [Self]) -> Self {
        self.children = children;
        self
    }

    /// The verb with words that should suggest it.
    #[must_use]
    pub const fn suggest_for(mut self, words: &'static [&'static str]) -> Self {
        self.suggest_for = words;
        self
    }

    /// The verb with what its words are, for completion.
    #[must_use]
    pub const fn words(mut self, words: Words) -> Self {
        self.words = words;
        self
    }

    /// The verb, not listed in help.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Whether `word` names the verb.
    pub fn is(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }
}

fn run<A: Run + 'static>(mut matches: ArgMatches, cx: &Context) -> RunFuture<'_> {
    match A::from_arg_matches_mut(&mut matches) {
        Ok(arguments) => Box::pin(arguments.run(cx)),
        Err(error) => refused(error, cx),
    }
}

fn refused(error: clap::Error, cx: &Context) -> RunFuture<'_> {
    Box::pin(async move { Err(super::pflag::from_clap(&error, &cx.command_path)) })
}

/// The verb that `word` names.
pub fn find(verbs: &'static [Verb], word: &str) -> Option<&'static Verb> {
    verbs.iter().find(|verb| verb.is(word))
}

/// The verbs that `typed` may have meant: few letters apart, or begun by it.
pub fn suggestions(verbs: &'static [Verb], typed: &str) -> Vec<&'static str> {
    const FAR: usize = 2;
    let typed = typed.to_lowercase();
    let near = |verb: &&Verb| {
        distance(&typed, &verb.name.to_lowercase()) <= FAR
            || verb.name.to_lowercase().starts_with(&typed)
            || verb.suggest_for.iter().any(|word| word.eq_ignore_ascii_case(&typed))
    };
    verbs.iter().filter(|verb| !verb.hidden).filter(near).map(|verb| verb.name).collect()
}

/// Levenshtein's distance in letters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("pods", "logs"), 2);
        assert_eq!(distance("gte", "get"), 2);
        assert_eq!(distance("", "get"), 3);
    }
}
