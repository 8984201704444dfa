//! Bodies of fuzz targets, called by the targets under `fuzz/` and by property tests. None may panic, whatever the
//! input, and each holds what must be true of every input.

use crate::manifest;
use crate::object::Value;
use crate::patch::ssa::{FieldSet, Managed};

/// Reads any bytes in every way that manifests are read, and what was read once more.
pub fn fuzz_yaml(bytes: &[u8]) {
    let lenient = manifest::yaml_to_json(bytes, false);
    let strict = manifest::yaml_to_json(bytes, true);
    if let Ok(text) = &strict {
        assert_eq!(Ok(text), lenient.as_ref(), "strict reading only refuses");
    }
    for error in [lenient.err(), strict.err()].into_iter().flatten() {
        assert!(error.position().line >= 1 && !error.to_string().is_empty());
    }
    if let Ok(value) = manifest::yaml_to_value(bytes, false) {
        // What is written can be read; a key `<<` then merges, as with the reference.
        let written = manifest::to_yaml(&value);
        if let Err(error) = manifest::yaml_to_json(&written, false) {
            assert!(written.contains("<<"), "{error}: {written:?}");
        }
        manifest::to_kyaml(&value);
    }
    for document in manifest::documents(bytes).take(100) {
        match document {
            Ok(document) => {
                let located = document.positions();
                assert!(located.value.line >= document.start.line);
                document.duplicate_keys();
            }
            Err(error) => assert!(error.position().line >= 1),
        }
    }
    manifest::split(bytes).for_each(drop);
    let _ = manifest::json_to_value(bytes);
    let _ = manifest::json_to_yaml(bytes);
}

/// Reads any JSON as a field set and as `managedFields`: what was read is written and read again without change, and
/// the set operations keep their laws.
pub fn fuzz_managed_fields(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(set) = FieldSet::from_value(&value) {
        assert_eq!(FieldSet::from_value(&set.to_value()).as_ref(), Ok(&set), "objects keep a set");
        assert_eq!(FieldSet::from_json(&set.to_json()).as_ref(), Ok(&set), "texts keep a set");
        assert_eq!(set.union(&set), set);
        assert_eq!(set.intersection(&set), set);
        assert!(set.difference(&set).is_empty() && set.recursive_difference(&set).is_empty());
        for path in set.paths() {
            assert!(set.has(&path) && !path.to_string().is_empty());
        }
    }
    let entries = value.as_array().map_or(&[][..], Vec::as_slice);
    if let Ok(managed) = Managed::decode(entries) {
        let written = managed.encode();
        let again = Managed::decode(&written).map(|managed| managed.encode());
        assert_eq!(again.as_ref(), Ok(&written), "entries keep their form");
    }
}
