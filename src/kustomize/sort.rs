//! The order in which objects are printed.

use super::Error;
use super::id::{Id, ORDER_FIRST, ORDER_LAST, rank};
use super::model::SortOptions;
use super::resource::Resource;

const FIFO: &str = "fifo";
const LEGACY: &str = "legacy";

/// Puts objects in order: as they came, or by kind and name.
///
/// # Errors
/// There is no such order, or it does not go with the other options.
pub(super) fn sort(resources: &mut [Resource], options: Option<&SortOptions>) -> Result<(), Error> {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (mut first, mut last) = (names(&ORDER_FIRST), names(&ORDER_LAST));
    if let Some(options) = options {
        if options.order != FIFO && options.order != LEGACY {
            return Err(Error::fact(format!("the field 'sortOptions.order' must be one of [{FIFO}, {LEGACY}]")));
        }
        if options.order == FIFO && options.legacy_sort_options.is_some() {
            return Err(Error::fact(format!(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is '{FIFO}', not \
                 '{LEGACY}'"
            )));
        }
        if options.order == FIFO {
            return Ok(());
        }
        if let Some(own) = &options.legacy_sort_options {
            first.clone_from(&own.order_first);
            last.clone_from(&own.order_last);
        }
    }
    resources.sort_by(|one, other| compare(&one.id(), &other.id(), &first, &last));
    Ok(())
}

fn compare(one: &Id, other: &Id, first: &[String], last: &[String]) -> std::cmp::Ordering {
    let rank = |id: &Id| rank(&id.gvk.kind, first, last);
    let text = |id: &Id| {
        let part = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
        format!("{}|{}|{}", id.gvk, part(&id.namespace, "~X"), part(&id.name, "~N"))
    };
    if one.gvk == other.gvk {
        return text(one).cmp(&text(other));
    }
    let kinds = one.gvk.sort_text().cmp(&other.gvk.sort_text());
    // Namespaces proper come before the namespaces of other groups.
    let namespaces = one.gvk.kind == "Namespace" && other.gvk.kind == "Namespace";
    let plain = one.gvk.group.is_empty() || other.gvk.group.is_empty();
    rank(one).cmp(&rank(other)).then(if namespaces && plain { kinds.reverse() } else { kinds })
}
