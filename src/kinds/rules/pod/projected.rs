//! Projected volumes.

use std::collections::BTreeSet;

use super::volumes;
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, internal};
use crate::object::Value;
use crate::object::field::{Error, ErrorKind, ErrorList, Path};

/// The sources of a projected volume.
pub fn sources(errors: &mut ErrorList, path: &Path, volume: &Value) {
    let mut paths = BTreeSet::new();
    for (i, source) in volume.list("sources").iter().enumerate() {
        let at = path.child("sources").index(i);
        let mut count = 0;
        for field in ["secret", "configMap"] {
            if let Some(files) = source.some(field) {
                count += 1;
                named_files(errors, path, &at.child(field), files, &mut paths);
            }
        }
        if let Some(api) = source.some("downwardAPI") {
            count += 1;
            for file in api.list("items") {
                volumes::downward_api_file(errors, &at.child("downwardAPI"), file);
                unique(errors, path, file.text("path"), file.text("path"), &mut paths);
            }
        }
        if let Some(token) = source.some("serviceAccountToken") {
            count += 1;
            service_account_token(errors, path, &at.child("serviceAccountToken"), token);
        }
        if let Some(bundle) = source.some("clusterTrustBundle") {
            count += 1;
            trust_bundle(errors, &at.child("clusterTrustBundle"), bundle);
            let file = bundle.text("path");
            if !paths.insert(file.to_owned()) {
                errors.push(Error::invalid(path, file, "conflicting duplicate paths"));
            }
        }
        count += usize::from(source.has("podCertificate"));
        if count > 1 {
            errors.push(Error::forbidden(&at, "may not specify more than 1 volume type per source"));
        }
    }
}

fn named_files(errors: &mut ErrorList, volume: &Path, path: &Path, files: &Value, paths: &mut BTreeSet<String>) {
    check::required_fields(errors, path, files, &["name"]);
    for (i, item) in files.list("items").iter().enumerate() {
        volumes::key_to_path(errors, &path.child("items").index(i), item);
        unique(errors, volume, item.text("path"), files.text("name"), paths);
    }
}

fn unique(errors: &mut ErrorList, volume: &Path, file: &str, shown: &str, paths: &mut BTreeSet<String>) {
    if !file.is_empty() && !paths.insert(file.to_owned()) {
        errors.push(Error::invalid(volume, shown, "conflicting duplicate paths"));
    }
}

fn service_account_token(errors: &mut ErrorList, volume: &Path, path: &Path, token: &Value) {
    let seconds = token.int("expirationSeconds");
    let expiration = path.child("expirationSeconds");
    if seconds < 600 {
        errors.push(Error::invalid(&expiration, seconds, "may not specify a duration less than 10 minutes"));
    }
    if seconds > 1 << 32 {
        errors.push(Error::invalid(&expiration, seconds, "may not specify a duration larger than 2^32 seconds"));
    }
    if token.text("path").is_empty() {
        errors.push(Error::required(&volume.child("path"), ""));
    } else {
        check::local_free_path(errors, &volume.child("path"), token.text("path"));
    }
}

fn trust_bundle(errors: &mut ErrorList, path: &Path, bundle: &Value) {
    match (bundle.opt_text("name"), bundle.opt_text("signerName")) {
        (Some(_), Some(_)) => {
            let text = internal::show("core.v1.ClusterTrustBundleProjection", bundle);
            errors.push(check::shown(ErrorKind::Invalid, path, text, "only one of name and signerName may be used"));
        }
        (Some(name), None) => {
            if name.is_empty() {
                errors.push(Error::required(&path.child("name"), "must be a valid object name"));
            }
            let own = name.rsplit_once(':').map_or(name, |(_, own)| own);
            for message in check::name_is_subdomain(own, false) {
                let message = format!("not a valid clustertrustbundlename: {message}");
                errors.push(Error::invalid(&path.child("name"), name, message));
            }
            if let Some(selector) = bundle.some("labelSelector") {
                let message = "labelSelector must be unset if name is specified";
                errors.push(Error::invalid(&path.child("labelSelector"), selector.clone(), message));
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                errors.push(Error::required(&path.child("signerName"), "must be a valid signer name"));
            }
            check::label_selector(errors, &path.child("labelSelector"), bundle.at("labelSelector"));
        }
        (None, None) => errors.push(Error::required(path, "either name or signerName must be specified")),
    }
    check::required_fields(errors, path, bundle, &["path"]);
    check::local_free_path(errors, &path.child("path"), bundle.text("path"));
}
