//! The `Impersonate-*` headers: a user who may do so acts as somebody else.

use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::object::Status;

use super::{ANONYMOUS, AUTHENTICATED, Attributes, UNAUTHENTICATED, UserInfo};
use crate::apiserver::core::Core;

const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Whom a request wants to be.
pub(super) struct Wanted {
    name: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

fn texts(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

impl Wanted {
    /// Reads the headers; nothing when there are none.
    ///
    /// # Errors
    ///
    /// 400 for headers that name no user.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Status> {
        let first = |name| texts(headers, name).into_iter().next().unwrap_or_default();
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for header in headers.keys() {
            if let Some(key) = header.as_str().strip_prefix(EXTRA) {
                let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
                extra.entry(key).or_default().extend(texts(headers, header.as_str()));
            }
        }
        let (name, uid) = (first("impersonate-user"), first("impersonate-uid"));
        let groups = texts(headers, "impersonate-group");
        if !name.is_empty() {
            return Ok(Some(Self { name, uid, groups, extra }));
        }
        if uid.is_empty() && groups.is_empty() && extra.is_empty() {
            return Ok(None);
        }
        Err(Status::bad_request(format!(
            "requested {} without impersonating a user name",
            go_text(&uid, &groups, &extra)
        )))
    }

    /// Namespace and name, when the wanted user is a service account.
    fn service_account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
    }

    /// What must be allowed, in the order in which it is asked.
    fn permissions(&self) -> Vec<Attributes> {
        let asked = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| Attributes {
            verb: "impersonate".into(),
            group: group.into(),
            version: "v1".into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: namespace.into(),
            name: name.into(),
            resource_request: true,
            ..Attributes::default()
        };
        let mut permissions = vec![match self.service_account() {
            Some((namespace, name)) => asked("", "serviceaccounts", "", namespace, name),
            None => asked("", "users", "", "", &self.name),
        }];
        permissions.extend(self.groups.iter().map(|group| asked("", "groups", "", "", group)));
        for (key, values) in &self.extra {
            permissions.extend(values.iter().map(|value| asked(AUTHENTICATION, "userextras", key, "", value)));
        }
        if !self.uid.is_empty() {
            permissions.push(asked(AUTHENTICATION, "uids", "", "", &self.uid));
        }
        permissions
    }

    /// Checks that `user` may be the one wanted, and gives back who that is.
    ///
    /// # Errors
    ///
    /// 403.
    pub(super) fn check(self, core: &Core, user: &UserInfo) -> Result<UserInfo, Status> {
        for permission in self.permissions() {
            core.auth.authorize(core, user, &permission)?;
        }
        let mut groups = self.groups.clone();
        if let Some((namespace, _)) = self.service_account().filter(|_| groups.is_empty()) {
            groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
        }
        let has = |group: &str| groups.iter().any(|g| g == group);
        let own = if self.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !has(UNAUTHENTICATED) && !has(own) {
            groups.push(own.into());
        }
        Ok(UserInfo { name: self.name, uid: self.uid, groups, extra: self.extra })
    }
}

/// The wanted user as Go prints the structure.
fn go_text(uid: &str, groups: &[String], extra: &BTreeMap<String, Vec<String>>) -> String {
    let quote = crate::object::go::quote;
    let list = |items: &[String]| {
        let quoted: Vec<String> = items.iter().map(|item| quote(item)).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if groups.is_empty() { "[]string(nil)".to_owned() } else { list(groups) };
    let extra = if extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let pairs: Vec<String> = extra.iter().map(|(key, values)| format!("{}:{}", quote(key), list(values))).collect();
        format!("map[string][]string{{{}}}", pairs.join(", "))
    };
    format!("&user.DefaultInfo{{Name:\"\", UID:{}, Groups:{groups}, Extra:{extra}}}", quote(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    #[test]
    fn each_thing_impersonated_is_a_permission() {
        let wanted = Wanted::of(&headers(&[
            ("impersonate-user", "system:serviceaccount:default:bot"),
            ("impersonate-group", "a"),
            ("impersonate-extra-scopes%2fx", "view"),
            ("impersonate-uid", "1"),
        ]));
        let wanted = wanted.ok().flatten().expect("a user");
        let asked: Vec<String> = wanted
            .permissions()
            .iter()
            .map(|p| format!("{}/{} {}/{}", p.resource, p.subresource, p.namespace, p.name))
            .collect();
        assert_eq!(asked, ["serviceaccounts/ default/bot", "groups/ /a", "userextras/scopes/x /view", "uids/ /1"]);
    }

    #[test]
    fn a_user_must_be_named() {
        let status = Wanted::of(&headers(&[("impersonate-group", "a")])).err().expect("a refusal");
        assert_eq!(
            status.message,
            "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"a\"}, Extra:map[string][]string(nil)} \
             without impersonating a user name"
        );
    }
}
