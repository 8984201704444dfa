//! Kustomizations in memory, held against what kustomize makes of them.

use std::collections::BTreeMap;

use super::*;

/// Files of one case, below `/w`.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, String>,
}

impl FileSystem for Memory {
    fn resolve(&self, path: &str) -> Result<String, String> {
        let whole = if path.starts_with('/') { path.to_owned() } else { format!("/w/{path}") };
        let whole = crate::object::go::clean_path(&whole);
        let mut part = String::new();
        for name in whole.split('/').filter(|name| !name.is_empty()) {
            if self.files.contains_key(&part) {
                return Err("not a directory".into());
            }
            part = format!("{part}/{name}");
            if !self.is_dir(&part) && !self.files.contains_key(&part) {
                return Err(format!("lstat {part}: no such file or directory"));
            }
        }
        Ok(whole)
    }

    fn is_dir(&self, path: &str) -> bool {
        path == "/" || self.files.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let text = self.files.get(path).ok_or_else(|| format!("open {path}: no such file or directory"))?;
        Ok(text.clone().into_bytes())
    }

    fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        match url {
            "https://host/config.yaml" => {
                Ok((200, b"{apiVersion: v1, kind: ConfigMap, metadata: {name: far}}".to_vec()))
            }
            _ => Ok((404, Vec::new())),
        }
    }

    fn clone_repository(&self, _: &Repository) -> Result<String, String> {
        Err("no repositories here".into())
    }
}

/// The objects of a build, or the failure, and the warnings before it.
fn built(files: &Memory, folder: &str) -> (Vec<String>, String) {
    let mut told = String::new();
    let mut warn = |warning: Warning| told.push_str(&format!("{}\n", warning.text));
    let built = build(files, folder, &Options::default(), &mut warn);
    let texts = built.and_then(|objects| objects.iter().map(Built::yaml).collect::<Result<Vec<_>, _>>());
    match texts {
        Ok(texts) => (texts, told),
        Err(error) => (Vec::new(), format!("{told}error: {error}\n")),
    }
}

/// The parts of a text whose first lines begin with `mark`: what follows the mark, and the lines below.
fn parts<'t>(text: &'t str, mark: &str) -> Vec<(&'t str, &'t str)> {
    let starts: Vec<usize> = text
        .match_indices(mark)
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n'))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).filter_map(|(from, to)| text.get(from + mark.len()..to)?.split_once('\n')).collect()
}

/// Adds the files of a part of a test file.
fn add_files(files: &mut Memory, text: &str) {
    let text =
        parts(text, ">> ").first().map_or(text, |(name, _)| text.split(&format!(">> {name}\n")).next().unwrap_or(""));
    for (path, content) in parts(text, "-- ") {
        let content = content.strip_suffix("\n\\ no newline\n").unwrap_or(content);
        files.files.insert(format!("/w/{path}"), content.to_owned());
    }
}

/// Lines without the blank ones; a failure may end in some.
fn dense(text: &str) -> String {
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

fn check_file(text: &str) {
    let cases = parts(text, "== ");
    assert!(!cases.is_empty());
    let mut shared = Memory::default();
    add_files(&mut shared, text.split("\n== ").next().unwrap_or(""));
    let (plain, _) = built(&shared, "base");
    for (head, body) in cases {
        let (name, folder) = head.split_once(' ').expect("a name and a folder");
        let mut files = Memory { files: shared.files.clone() };
        add_files(&mut files, body);
        let (objects, told) = built(&files, folder);
        let shown = |text: &String| match plain.iter().position(|known| known == text) {
            Some(at) => format!("@{at}\n"),
            None => text.clone(),
        };
        let objects = objects.iter().map(shown).collect::<Vec<_>>().join("---\n");
        let wanted = |what: &str| parts(body, ">> ").into_iter().find(|(name, _)| *name == what).map_or("", |(_, t)| t);
        assert_eq!(dense(&told), dense(wanted("err")), "{name}");
        assert_eq!(objects, wanted("out"), "{name}");
    }
}

macro_rules! files {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            check_file(include_str!(concat!("testdata/", stringify!($name), ".txt")));
        }
    )*};
}

files!(names, labels, generators, patches, replacements, fields, files, plugins, mistakes);

#[test]
fn files_come_from_urls_too() {
    let mut files = Memory::default();
    let mut add = |folder: &str, url: &str| {
        files.files.insert(format!("/w/{folder}/kustomization.yaml"), format!("resources: ['{url}']\n"));
    };
    add("good", "https://host/config.yaml");
    add("bad", "https://host/missing.yaml");
    let found = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: far\n".to_owned();
    assert_eq!(built(&files, "good"), (vec![found], String::new()));
    let fault = "error: accumulating resources: accumulating resources from 'https://host/missing.yaml': HTTP Error: \
                 status code 404 (Not Found)\n";
    assert_eq!(built(&files, "bad"), (Vec::new(), fault.to_owned()));
}

#[test]
fn values_replace_text_inside_text() {
    let mut files = Memory::default();
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  j: '{\"x\": {\"y\": \"1\"}}'\n  k: |\n    x:\n      y: old\n    z: 2\n";
    let change = "resources: [a.yaml]\nreplacements:\n- sourceValue: new\n  targets: [{select: {name: a}, fieldPaths: [data.j.x.y, data.k.x.y]}]\n";
    files.files.insert("/w/o/a.yaml".into(), object.into());
    files.files.insert("/w/o/kustomization.yaml".into(), change.into());
    let (objects, told) = built(&files, "o");
    assert_eq!(told, "");
    assert_eq!(
        objects,
        [
            "apiVersion: v1\ndata:\n  j: '{\"x\":{\"y\":\"new\"}}'\n  k: |-\n    x:\n      y: new\n    z: 2\nkind: ConfigMap\nmetadata:\n  \
          name: a\n"
        ]
    );
}
