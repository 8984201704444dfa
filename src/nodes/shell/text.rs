//! Commands that read and write text.

use base64::Engine as _;
use regex::Regex;

use super::commands::Process;

/// The files among the arguments, or standard input.
fn inputs(words: Vec<String>) -> Vec<String> {
    if words.is_empty() { vec!["-".to_owned()] } else { words }
}

/// What all files hold, one after the other; failures are told. Gives the exit code, too.
fn joined(process: &mut Process<'_>, words: Vec<String>) -> (Vec<u8>, u8) {
    let (mut all, mut code) = (Vec::new(), 0);
    for word in inputs(words) {
        match process.read(&word) {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => code = process.fail(format!("{word}: {error}")),
        }
    }
    (all, code)
}

pub fn cat(process: &mut Process<'_>) -> u8 {
    let words = process.options().1;
    let (all, code) = joined(process, words);
    process.out.extend(all);
    code
}

pub fn sort(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let (all, code) = joined(process, words);
    let all = String::from_utf8_lossy(&all).into_owned();
    let mut lines: Vec<&str> = all.lines().collect();
    if letters.contains('n') {
        lines.sort_by(|a, b| number(a).total_cmp(&number(b)));
    } else {
        lines.sort_unstable();
    }
    if letters.contains('u') {
        lines.dedup();
    }
    if letters.contains('r') {
        lines.reverse();
    }
    lines.iter().for_each(|line| process.print(&format!("{line}\n")));
    code
}

fn number(line: &str) -> f64 {
    let line = line.trim_start();
    let end = line.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '-')).unwrap_or(line.len());
    line[..end].parse().unwrap_or_default()
}

pub fn base64(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let decodes = letters.contains('d') || process.args.iter().any(|arg| arg == "--decode");
    let words = words.into_iter().filter(|word| word != "--decode").collect();
    let (all, code) = joined(process, words);
    let engine = base64::engine::general_purpose::STANDARD;
    if !decodes {
        process.print(&(engine.encode(all) + "\n"));
        return code;
    }
    let packed: Vec<u8> = all.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match engine.decode(packed) {
        Ok(bytes) => process.out.extend(bytes),
        Err(_) => return process.fail("truncated input"),
    }
    code
}

pub fn wc(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let mut code = 0;
    for word in inputs(words) {
        let bytes = match process.read(&word) {
            Ok(bytes) => bytes,
            Err(error) => {
                code = process.fail(format!("{word}: {error}"));
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let counts = [('l', text.matches('\n').count()), ('w', text.split_whitespace().count()), ('c', bytes.len())];
        let wanted = counts.iter().filter(|(letter, _)| letters.is_empty() || letters.contains(*letter));
        let numbers: Vec<String> = wanted.map(|(_, count)| count.to_string()).collect();
        let name = if word == "-" { String::new() } else { format!(" {word}") };
        process.print(&format!("{}{name}\n", numbers.join(" ")));
    }
    code
}

/// `-n COUNT`, `-nCOUNT`, `-COUNT`, `-c COUNT` of head and tail, with the files.
struct Count {
    /// The count as it was written: `+5` counts from the beginning.
    text: String,
    bytes: bool,
    files: Vec<String>,
}

impl Count {
    fn of(args: &[String]) -> Self {
        let mut count = Self { text: "10".into(), bytes: false, files: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                Some(rest) if rest.starts_with(['n', 'c']) => {
                    count.bytes = rest.starts_with('c');
                    count.text = match &rest[1..] {
                        "" => args.next().cloned().unwrap_or_default(),
                        number => number.to_owned(),
                    };
                }
                Some(rest) if rest.parse::<usize>().is_ok() => count.text = rest.to_owned(),
                // Files of simulated containers do not grow.
                Some("f" | "F") => {}
                _ => count.files.push(arg.clone()),
            }
        }
        count
    }

    fn number(&self) -> usize {
        self.text.trim_start_matches(['+', '-']).parse().unwrap_or(10)
    }
}

/// Whether head and tail read standard input.
pub fn counts_read(args: &[String]) -> bool {
    inputs(Count::of(args).files).iter().any(|file| file == "-")
}

/// The end of the first `count` lines.
fn after_lines(bytes: &[u8], count: usize) -> usize {
    if count == 0 {
        return 0;
    }
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.clone().nth(count - 1).unwrap_or(bytes.len())
}

pub fn head(process: &mut Process<'_>) -> u8 {
    let count = Count::of(process.args);
    let number = count.number();
    let (all, code) = joined(process, count.files);
    let end = if count.bytes { number.min(all.len()) } else { after_lines(&all, number) };
    process.out.extend_from_slice(all.get(..end).unwrap_or_default());
    code
}

pub fn tail(process: &mut Process<'_>) -> u8 {
    let count = Count::of(process.args);
    let (number, from_begin) = (count.number(), count.text.starts_with('+'));
    let (all, code) = joined(process, count.files);
    let lines =
        all.iter().filter(|byte| **byte == b'\n').count() + usize::from(!all.ends_with(b"\n") && !all.is_empty());
    let begin = match (count.bytes, from_begin) {
        (true, true) => number.saturating_sub(1).min(all.len()),
        (true, false) => all.len().saturating_sub(number),
        (false, true) => after_lines(&all, number.saturating_sub(1)),
        (false, false) => after_lines(&all, lines.saturating_sub(number)),
    };
    process.out.extend_from_slice(all.get(begin..).unwrap_or_default());
    code
}

pub fn grep(process: &mut Process<'_>) -> u8 {
    let (letters, mut words) = process.options();
    if words.is_empty() {
        process.fail("missing pattern");
        return 2;
    }
    let pattern = words.remove(0);
    let pattern = if letters.contains('F') { regex::escape(&pattern) } else { pattern };
    let pattern = if letters.contains('i') { format!("(?i){pattern}") } else { pattern };
    let Ok(pattern) = Regex::new(&pattern) else {
        process.fail("bad pattern");
        return 2;
    };
    let several = words.len() > 1;
    let (mut found, mut code) = (0, 0);
    for word in inputs(words) {
        let bytes = match process.read(&word) {
            Ok(bytes) => bytes,
            Err(error) => {
                code = process.fail(format!("{word}: {error}")) + 1;
                continue;
            }
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            if pattern.is_match(line) == letters.contains('v') {
                continue;
            }
            found += 1;
            let prefix = if several { format!("{word}:") } else { String::new() };
            if !letters.contains(['q', 'c']) {
                process.print(&format!("{prefix}{line}\n"));
            }
        }
    }
    if letters.contains('c') {
        process.print(&format!("{found}\n"));
    }
    if code == 0 { u8::from(found == 0) } else { code }
}

pub fn tee(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let mut code = 0;
    for word in words {
        let path = process.path(&word);
        let before = process.container.files.read(&path).ok().filter(|_| letters.contains('a'));
        let all = [before.as_deref().map_or(&[][..], Vec::as_slice), &process.stdin].concat();
        if let Err(error) = process.container.files.write(&path, all, 0o644) {
            code = process.fail(format!("{word}: {error}"));
        }
    }
    let all = process.stdin.clone();
    process.out.extend(all);
    code
}

/// Replaces `\n`, `\t` and the like.
pub fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') | None => out.push('\\'),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}

/// `%s`, `%d` and `%%` only; the format is used again while arguments are left.
pub fn printf(process: &mut Process<'_>) -> u8 {
    let Some((format, args)) = process.args.split_first() else { return process.fail("missing operand") };
    let format = unescape(format);
    let mut args = args.iter();
    let mut out = String::new();
    loop {
        let left = args.len();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match (letter, letter == '%') {
                (letter, false) => out.push(letter),
                _ => match letters.next() {
                    Some('s') => out.push_str(args.next().map_or("", String::as_str)),
                    Some('d') => out.push_str(args.next().map_or("0", String::as_str)),
                    Some('%') | None => out.push('%'),
                    Some(other) => return process.fail(format!("%{other}: invalid format")),
                },
            }
        }
        if args.len() == 0 || args.len() == left {
            break;
        }
    }
    process.print(&out);
    0
}
